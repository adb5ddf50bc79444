/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects: who sends through us what he could send to a neighbour of his is told so (RFC 792, RFC
 * 1812 5.2.7.2, RFC 4861 8.2). Seldom: who heeds it needs one, and who does not is told nine times,
 * each time twice as long after the last, and then no more until he has been silent for 20 s, as by
 * Linux. [worker]
 */
#ifndef ROUTER_NET_ICMP_REDIRECT_H
#define ROUTER_NET_ICMP_REDIRECT_H

#include "router/net/dp.h"

/*
 * p, as it came, is about to leave for a resolved neighbour by the interface it came in by. Is its
 * sender to be told of n? True: *out is a packet to send; of IPv4 like an error, to be routed, its
 * source still to be set; of IPv6 complete, and *slot is the sender's adjacency. p is untouched.
 */
bool icmp_redirect(struct dp *dp, const struct pkt *p, const struct nh *n, struct pkt *out,
		   uint32_t *slot);

#endif
