/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP's states as data: names, transitions, timeouts. Nothing here decides; net/tcp.c does, and
 * says there where it departs from a cell.
 *
 * Reading the table: a row is a kind of segment, a column the state the flow is in. Two letters are
 * the state it enters, "IG" lets the segment by without believing it, "IV" refuses it. What the
 * router cannot see is what a segment did to the host it was for; so it lets by what that host must
 * answer for the router to know (a SYN inside a connection, a repeated SYN/ACK), and refuses what
 * no host would send.
 */
#include "router/net/tcp.h"

enum {
	NO = TCP_NONE,
	SS = TCP_SYN_SENT,
	SR = TCP_SYN_RECV,
	ES = TCP_ESTABLISHED,
	FW = TCP_FIN_WAIT,
	CW = TCP_CLOSE_WAIT,
	LA = TCP_LAST_ACK,
	TW = TCP_TIME_WAIT,
	CL = TCP_CLOSE,
	S2 = TCP_SYN_SENT2,
	IG = TCP_IGNORE,
	IV = TCP_INVALID,
};

const char *const tcp_state_names[] = {
	[NO] = "NONE",	   [SS] = "SYN_SENT",	[SR] = "SYN_RECV", [ES] = "ESTABLISHED",
	[FW] = "FIN_WAIT", [CW] = "CLOSE_WAIT", [LA] = "LAST_ACK", [TW] = "TIME_WAIT",
	[CL] = "CLOSE",	   [S2] = "SYN_SENT2",
};

/* clang-format off */
const uint8_t tcp_table[2][TCP_KINDS][TCP_STATES] = {
	[FLOW_ORIG] = {
		/* from:	    NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[TCP_K_SYN]	= { SS, SS, IG, IG, IG, IG, IG, SS, SS, S2 },
		[TCP_K_SYNACK]	= { IV, IV, SR, IV, IV, IV, IV, IV, IV, SR },
		[TCP_K_FIN]	= { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_K_ACK]	= { ES, IV, ES, ES, CW, CW, TW, TW, CL, IV },
		[TCP_K_RST]	= { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_K_NONE]	= { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
	[FLOW_REPLY] = {
		/* from:	    NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[TCP_K_SYN]	= { IV, S2, IV, IV, IV, IV, IV, SS, IV, S2 },
		[TCP_K_SYNACK]	= { IV, SR, IG, IG, IG, IG, IG, IG, IG, SR },
		[TCP_K_FIN]	= { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_K_ACK]	= { IV, IG, SR, ES, CW, CW, TW, TW, CL, IG },
		[TCP_K_RST]	= { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_K_NONE]	= { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
};
/* clang-format on */

/* Ticks in a second. */
enum { S = 4 };

/* RFC 5382, REQ-5: a connection idles for 2 h 4 min, and for 4 min while it opens and after it
 * closes. */
const struct tcp_timeouts tcp_timeouts_rfc = {
	.state = {
		[NO] = 240 * S, [SS] = 240 * S, [SR] = 240 * S, [ES] = 7440 * S, [FW] = 240 * S,
		[CW] = 240 * S, [LA] = 240 * S, [TW] = 240 * S, [CL] = 240 * S, [S2] = 240 * S,
	},
	.max_retrans = 300 * S,
	.unacknowledged = 300 * S,
};

const struct tcp_timeouts tcp_timeouts_linux = {
	.state = {
		[NO] = 10 * S, [SS] = 120 * S, [SR] = 60 * S, [ES] = 432000 * S, [FW] = 120 * S,
		[CW] = 60 * S, [LA] = 30 * S, [TW] = 120 * S, [CL] = 10 * S, [S2] = 120 * S,
	},
	.max_retrans = 300 * S,
	.unacknowledged = 300 * S,
};
