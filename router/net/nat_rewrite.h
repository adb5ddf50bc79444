/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rewriting of the packets nearly all packets are, TCP and UDP with their whole header, where
 * the caller's compiler can see it: two copies and two additions. [worker]
 */
#ifndef ROUTER_NET_NAT_REWRITE_H
#define ROUTER_NET_NAT_REWRITE_H

#include "router/net/csum.h"
#include "router/net/l4.h"
#include "router/net/nat.h"

static_assert(offsetof(struct flow_key, dport) == offsetof(struct flow_key, sport) + 2,
	      "copied as one, as they lie in a header");
static_assert(offsetof(struct flow_key, dst) == 16 && offsetof(struct ip6_header, dst) == 24,
	      "IPv6 addresses are copied as one");

static inline void nat_rewrite_ip(struct pkt *p, const struct flow_key *to, uint16_t l3_delta)
{
	struct ip4_header *h = pkt_ip4(p);

	if (p->flags & PKT_IP6) {
		memcpy(p->l3 + offsetof(struct ip6_header, src), to, 32);
		return;
	}
	memcpy(&h->src, to->src, 4);
	memcpy(&h->dst, to->dst, 4);
	h->csum = csum_adjust(h->csum, l3_delta);
}

/* A transport checksum field. That of a datagram: 0 says that there is none, and stays; one that
 * becomes 0 is written 0xffff (RFC 768, 3828, 8200 8.1). */
static inline void nat_rewrite_csum(uint8_t *field, uint16_t delta, bool datagram)
{
	uint16_t was = l4_load16(field), is = csum_adjust(was, delta);

	if (datagram) {
		is = is ? is : 0xffff;
		is = was ? is : 0;
	}
	l4_store16(field, is);
}

/* IPv4 TCP or UDP with its whole header, to leave as the inverse of this tuple. */
static inline void nat_rewrite_inverse4(struct pkt *p, const struct flow_tuple4 *t,
					uint16_t l3_delta, uint16_t l4_delta)
{
	bool udp = p->proto == IPPROTO_UDP;
	struct ip4_header *h = pkt_ip4(p);
	uint8_t *l4 = p->l3 + p->l4;
	uint32_t ports = (uint32_t)t->sport << 16 | t->dport;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		ports = (uint32_t)t->dport << 16 | t->sport;
	h->src = t->dst;
	h->dst = t->src;
	h->csum = csum_adjust(h->csum, l3_delta);
	memcpy(l4, &ports, 4);
	nat_rewrite_csum(l4 + (udp ? 6 : 16), l4_delta, udp);
}

/* As nat_rewrite(), of which this is the quick half. False: nothing was done, ask that. */
static inline bool nat_rewrite_quick(struct pkt *p, const struct flow_key *to, uint16_t l3_delta,
				     uint16_t l4_delta)
{
	bool udp = p->proto == IPPROTO_UDP;
	uint32_t csum_at = udp ? 6 : 16;
	uint8_t *l4 = p->l3 + p->l4;

	if ((!udp && p->proto != IPPROTO_TCP) || p->flags & PKT_LATER_FRAG ||
	    p->len < p->l4 + csum_at + 2)
		return false;
	nat_rewrite_ip(p, to, l3_delta);
	memcpy(l4, &to->sport, 4);
	nat_rewrite_csum(l4 + csum_at, l4_delta, udp);
	return true;
}

#endif
