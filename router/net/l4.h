/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where transport headers keep what tracking and NAT look at: ports, the id of an ICMP query, the
 * checksum. [any]
 *
 * A packet's p->l4 and p->proto are known here (parse_transport()), and it is no later fragment.
 */
#ifndef ROUTER_NET_L4_H
#define ROUTER_NET_L4_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "router/net/pkt.h"

#define ICMP_HLEN  8
#define ICMP_ID_AT 4

static inline uint16_t l4_load16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline void l4_store16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

/* Bytes from the transport header on. */
static inline uint32_t l4_len(const struct pkt *p)
{
	return p->len > p->l4 ? (uint32_t)p->len - p->l4 : 0;
}

/* Each family has an ICMP of its own; the other's number is an unknown protocol. */
static inline bool l4_is_icmp(uint8_t proto, bool ip6)
{
	return proto == (ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* Echo, timestamp, information and address mask, requests and replies (RFC 792, 950, 4443). */
static inline bool l4_icmp_is_query(uint8_t type, bool ip6)
{
	if (ip6)
		return type == 128 || type == 129;
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

/* What quotes the packet it is about: unreachable, quench, time exceeded, parameter problem; too
 * big. A redirect quotes one, too, but is about the next hop. */
static inline bool l4_icmp_is_error(uint8_t type, bool ip6)
{
	if (ip6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

/* Protocols that begin with two ports which NAT may change. SCTP has ports too, but its CRC covers
 * them, and its hosts know an association by them at all their addresses. */
static inline bool l4_nat_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE ||
	       proto == IPPROTO_DCCP;
}

/* Offset of a checksum that NAT must keep right; 0: there is none. */
static inline uint32_t l4_csum_at(uint8_t proto, bool ip6)
{
	switch (proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP: return 6;
	default: return l4_is_icmp(proto, ip6) ? 2 : 0;
	}
}

#endif
