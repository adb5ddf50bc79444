/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections as netfilter's nf_conntrack tracks them: the state table as data, windows per
 * direction.
 *
 * Each direction's half holds what its own packets taught: the end of what was sent (end), how far
 * the peer lets it send (maxend, learned from the peer's acknowledgements and so written by the
 * PEER's packets in their own half as a grant), its largest window, its scale. The check of a
 * packet reads the other half, whose values only grow: a stale one is harmless. Nothing here locks;
 * the state is a field of the flow's state word, changed by compare-and-swap. [worker]
 *
 * Not to be included beside <netinet/tcp.h>, which gives the states the same names.
 */
#ifndef ROUTER_NET_TCP_H
#define ROUTER_NET_TCP_H

#include "router/net/flow.h"

enum tcp_state {
	TCP_NONE,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_SYN_SENT2,
	TCP_STATES,
	TCP_IGNORE = TCP_STATES,
	TCP_INVALID, /* verdicts of the table, not states */
};
extern const char *const tcp_state_names[]; /* "ESTABLISHED" ... as conntrack -L prints them */

enum tcp_kind { TCP_K_SYN, TCP_K_SYNACK, TCP_K_FIN, TCP_K_ACK, TCP_K_RST, TCP_K_NONE, TCP_KINDS };

/* [direction][kind of segment][old state] -> new state, TCP_IGNORE or TCP_INVALID (requirement C1).
 */
extern const uint8_t tcp_table[2][TCP_KINDS][TCP_STATES];

/* Timeouts in ticks: one set per profile, each a key of the configuration. */
struct tcp_timeouts {
	uint32_t state[TCP_STATES];
	uint32_t max_retrans, unacknowledged;
};
/* RFC 5382's floors; and the numbers of Linux (requirement C9). */
extern const struct tcp_timeouts tcp_timeouts_rfc, tcp_timeouts_linux;

struct tcp_options {
	bool loose;	     /* pick connections up in the middle (default) */
	bool liberal;	     /* out-of-window segments pass unjudged, but for RST */
	bool ignore_bad_rst; /* an RST before the peer's acknowledgements passes, without effect */
	bool revive; /* who goes on sending after its own RST did not send it (RFC 7857, 2.3) */
	uint8_t max_retrans; /* 3 */
};

/* Bits of tcp_segment.flags, as in the header. */
enum tcp_flag {
	TCP_F_FIN = 1,
	TCP_F_SYN = 2,
	TCP_F_RST = 4,
	TCP_F_PSH = 8,
	TCP_F_ACK = 16,
	TCP_F_URG = 32,
};

/* What a segment says; filled by tcp_parse(). Sequence numbers in host order. */
struct tcp_segment {
	uint32_t seq, ack, end; /* end: seq + data + SYN + FIN */
	uint32_t sack;		/* highest SACK edge, or ack */
	uint16_t win;
	uint8_t flags;
	uint8_t kind; /* enum tcp_kind */
	uint8_t scale;
	bool has_scale, has_sack_perm;
};

/* From a TCP header of l4len bytes (header and data, as far as the IP length says). False:
 * malformed or an impossible combination of flags: INVALID. */
bool tcp_parse(const uint8_t *l4, uint32_t l4len, struct tcp_segment *out);

enum tcp_verdict {
	TCP_PASS,     /* belongs; *timeout is what the flow lives on */
	TCP_PASS_BY,  /* translate and forward it, but the flow lives no longer for it: do not touch
			 `seen` */
	TCP_NEW_FLOW, /* a SYN that reopens a closed tuple: forget this record, make a new one */
	TCP_REFUSE,   /* INVALID: not to be translated, not refreshing the flow */
};

/* Of a connection that went on without us: what this half knows is out of date, its next segment is
 * taken at its word. Of one we never saw: of both halves. */
void tcp_forget(struct flow_half *own);

/* The first segment of a flow: the state it begins in, or TCP_INVALID. */
enum tcp_state tcp_first(const struct tcp_segment *s, const struct tcp_options *o, struct flow *f,
			 struct flow_half *own, struct flow_half *peer,
			 const struct tcp_timeouts *t, uint32_t *timeout);

/* A later one of direction dir. It keeps FLOW_REPLIED and FLOW_ASSURED of a TCP flow too: a caller
 * that sets them itself would take a challenge ACK for an answer. */
enum tcp_verdict tcp_track(const struct tcp_segment *s, const struct tcp_options *o, struct flow *f,
			   enum flow_dir dir, struct flow_half *own, struct flow_half *peer,
			   const struct tcp_timeouts *t, uint32_t *timeout);

#endif
