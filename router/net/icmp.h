/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP and ICMPv6 errors about packets we do not forward (RFC 792, 1812 4.3, 4443). [worker] */
#ifndef ROUTER_NET_ICMP_H
#define ROUTER_NET_ICMP_H

#include "router/net/dp.h"

/* X(ENUM, v4 type, v4 code, v6 type, v6 code) */
#define ICMP_ERRORS(X)                                                                             \
	X(TTL, 11, 0, 3, 0)                                                                        \
	X(NO_ROUTE, 3, 0, 1, 0)                                                                    \
	X(HOST, 3, 1, 1, 3)                                                                        \
	X(UNREACHABLE, 3, 1, 1, 6)                                                                 \
	X(PORT, 3, 3, 1, 4)                                                                        \
	X(PROHIBIT, 3, 13, 1, 1)                                                                   \
	X(TOO_BIG, 3, 4, 2, 0)                                                                     \
	X(PARAMETER, 12, 0, 4, 0)                                                                  \
	X(OPTION, 12, 0, 4, 2)                                                                     \
	X(SCOPE, 3, 0, 1, 2)

enum icmp_error {
#define X(id, t4, c4, t6, c6) ICMP_ERROR_##id,
	ICMP_ERRORS(X)
#undef X
		ICMP_ERROR__COUNT
};

/* How many errors one worker may send. Linux's defaults: one a second to each destination, with a
 * burst of six, and 1000 a second in total with a burst of 50; both a little random, so that nobody
 * can count other people's packets by them (CVE-2020-25705). "Too big" is never limited. */
struct icmp_limits {
	uint32_t per_second, burst; /* in total */
	uint64_t tokens_at;
	uint32_t tokens;
	uint32_t random;
	uint16_t ip_id;
	struct icmp_target {
		uint64_t key;
		uint64_t at; /* ns: when `tokens` was right */
		uint32_t tokens;
	} target[1024];
};
void icmp_limits_init(struct icmp_limits *l, uint32_t per_second, uint32_t burst, uint32_t seed);

/*
 * Build the error about p, unless the rules forbid one (an error about an error, a later fragment
 * of IPv4, a source that is no host's) or the limit does. True: *out is a packet to route, its
 * source still to be set by icmp_source(). p itself is untouched and still the caller's. info: the
 * MTU or the pointer.
 */
bool icmp_error(struct dp *dp, const struct pkt *p, enum icmp_error e, uint32_t info,
		struct pkt *out);

/* Give the error its source, an address of the interface it leaves by (RFC 1812 4.3.2.4), and its
 * checksums. False: there is no address at all; dropped and counted. */
bool icmp_source(struct dp *dp, struct pkt *err, uint16_t out_iface);

#endif
