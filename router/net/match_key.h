/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet is to a set: the fields of a concatenation, taken from what rules look at. For
 * matches on sets and for add-to. [worker]
 */
#ifndef ROUTER_NET_MATCH_KEY_H
#define ROUTER_NET_MATCH_KEY_H

#include "router/net/match.h"
#include "router/net/set.h"

/* Protocols whose first four bytes are ports; of later fragments they are known, too. */
static inline bool match_has_ports(const struct match_packet *p)
{
	switch (p->key.proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_UDPLITE: return true;
	default: return false;
	}
}

/* n values of enum conf_source. False: the packet has no ports, and one is asked for. */
bool match_key(const struct match_packet *p, const uint8_t *source, unsigned n,
	       struct set_key *out);

#endif
