/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of IPv4 (RFC 791 3.1; what a router does about them, RFC 1812 4.2.2.2 and 5.2.4; which to
 * refuse, RFC 7126). They are checked once, when a packet has come in, and written to once, when it
 * leaves: an error about it quotes it as it came. What is malformed is decided as Linux does, whose
 * ping and traceroute are what uses options at all. [worker]
 */
#ifndef ROUTER_NET_OPTIONS_H
#define ROUTER_NET_OPTIONS_H

#include "router/net/dp.h"

static inline bool has_options(const struct pkt *p)
{
	return !(p->flags & PKT_IP6) && pkt_ip4(p)->ver_ihl != 0x45;
}

/* Where the first malformed option of p is wrong, from the IP header's start; 0: none is. Behind
 * this, lengths and pointers of options lie inside the header. */
unsigned options_wrong(const struct pkt *p);

/* Has p a source route: loose, or strict. Its options are checked. */
bool options_source_route(const struct pkt *p, bool *strict);

/* p leaves by n: it records so, and when, if it wants to. Its checksum follows. */
void options_forward(const struct dp *dp, struct pkt *p, const struct nh *n);

#endif
