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
	X(REDIRECT, 5, 1, 137, 0) /* of IPv6 only by icmp_redirect() */                            \
	X(SCOPE, 3, 0, 1, 2)

enum icmp_error {
#define X(id, t4, c4, t6, c6) ICMP_ERROR_##id,
	ICMP_ERRORS(X)
#undef X
		ICMP_ERROR__COUNT
};

/*
 * Build the error about p, unless the rules forbid one (an error about an error, a later fragment
 * of IPv4, a broadcast, a source that is no host's) or the limit does. True: *out is a packet to
 * route, its source still to be set by icmp_source(). p itself is untouched and still the caller's.
 * info: the MTU or the pointer.
 */
bool icmp_error(struct dp *dp, const struct pkt *p, enum icmp_error e, uint32_t info,
		struct pkt *out);

/* *out becomes a packet of ours about p in a frame of its own: empty, of the same family. False:
 * there is no frame; counted. */
bool icmp_packet(struct dp *dp, const struct pkt *p, struct pkt *out);

/* Give the error its source, an address of the interface it leaves by (RFC 1812 4.3.2.4), in IPv6
 * of the one that the packet came in by, and its checksums. way: the neighbour or the link it will
 * leave by; NULL: as good as the link the packet came by. False: there is no address at all;
 * dropped and counted. */
bool icmp_source(struct dp *dp, struct pkt *err, const struct nh *way);

#endif
