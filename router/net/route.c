/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/route.h"

#include <string.h>

#include "router/net/parse.h"

uint32_t route_to(const struct dp_iface *in, int family, const uint8_t *addr)
{
	struct in6_addr dst6;
	uint32_t dst4;

	if (family == AF_INET6) {
		memcpy(&dst6, addr, sizeof(dst6));
		return in->fib6 ? fib6_lookup(in->fib6, &dst6) : FIB_NONE;
	}
	memcpy(&dst4, addr, sizeof(dst4));
	return in->fib4 ? fib4_lookup(in->fib4, dst4) : FIB_NONE;
}

uint32_t route_lookup(const struct dp_iface *in, const struct pkt *p)
{
	return p->flags & PKT_IP6 ? route_to(in, AF_INET6, pkt_ip6(p)->dst)
				  : route_to(in, AF_INET, (const uint8_t *)&pkt_ip4(p)->dst);
}

static uint32_t mix(uint32_t h, uint32_t v)
{
	h = (h ^ v) * 0x9e3779b1u;
	return h ^ h >> 15;
}

static uint32_t mix_bytes(uint32_t h, const uint8_t *p, unsigned len)
{
	for (unsigned i = 0; i < len; i += 4) {
		uint32_t w;

		memcpy(&w, p + i, 4);
		h = mix(h, w);
	}
	return h;
}

uint32_t route_hash(const struct dp *dp, struct pkt *p)
{
	uint32_t h = dp->cfg->set.seed;

	/* What it could not walk hashes without ports. The fragments of one datagram agree in no
	 * more than the addresses: only the first shows what stands behind further headers. */
	parse_transport(p);
	if (p->flags & PKT_IP6)
		h = mix_bytes(h, pkt_ip6(p)->src, 32);
	else
		h = mix_bytes(h, (const uint8_t *)&pkt_ip4(p)->src, 8);
	if (!(p->flags & PKT_FRAGMENT)) {
		h = mix(h, p->proto);
		if ((p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP ||
		     p->proto == IPPROTO_SCTP) &&
		    p->l4 && p->l4 + 4u <= p->len)
			h = mix_bytes(h, p->l3 + p->l4, 4);
	}
	h *= 0x85ebca6bu;
	return h ^ h >> 13;
}
