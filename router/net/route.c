/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/route.h"

#include <string.h>

#include "config/conf.h"
#include "router/net/l4.h"
#include "router/net/parse.h"
#include "router/net/quote.h"

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

/* ---- the choice among several */

struct flow_id {
	uint64_t src[2], dst[2];
	uint64_t rest; /* what there is beside addresses */
	bool ip6;
};

/* Odd numbers without pattern. */
#define KEY_A 0x9e3779b97f4a7c15ull
#define KEY_B 0xd6e8feb86659fd93ull

/* Both halves of the product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Ports in sequence make an arithmetic progression of the products; that would hit the buckets of
 * a resilient group, which belong to anybody in any order, with a beat. */
static uint32_t scatter(uint64_t h)
{
	h = (h ^ h >> 32) * KEY_A;
	h = (h ^ h >> 29) * KEY_B;
	return (uint32_t)(h >> 32);
}

/* The seed is in every factor, so that nobody outside makes one of them zero. */
static uint32_t flow_id_hash(uint32_t seed, const struct flow_id *f)
{
	uint64_t a = (seed | 1ull << 32) * KEY_A, b = (seed | 1ull << 33) * KEY_B;
	uint64_t h = fold(f->src[0] ^ a, f->dst[0] ^ b);

	if (f->ip6)
		h = fold(f->src[1] ^ h ^ a, f->dst[1] ^ b);
	return scatter(fold(h ^ a, f->rest ^ b));
}

static void flow_id_addrs(struct flow_id *f, const struct pkt *p)
{
	*f = (struct flow_id){ .ip6 = p->flags & PKT_IP6 };
	if (f->ip6) {
		memcpy(f->src, pkt_ip6(p)->src, sizeof(f->src));
		memcpy(f->dst, pkt_ip6(p)->dst, sizeof(f->dst));
	} else {
		f->src[0] = pkt_ip4(p)->src;
		f->dst[0] = pkt_ip4(p)->dst;
	}
}

/* Ports, or 0 where there are none or not all is there. */
static void ports_of(const struct pkt *p, uint16_t port[2])
{
	bool has = l4_nat_ports(p->proto) || p->proto == IPPROTO_SCTP;

	port[0] = port[1] = 0;
	if (has && p->l4 && p->l4 + 4u <= p->len)
		memcpy(port, p->l3 + p->l4, 4);
}

static uint64_t rest_of(uint8_t proto, uint16_t sport, uint16_t dport)
{
	return (uint64_t)proto << 32 | (uint32_t)sport << 16 | dport;
}

/* The packet that an ICMP error is about, which went the other way. */
static bool quoted(const struct pkt *p, struct pkt *q)
{
	bool ip6 = p->flags & PKT_IP6;

	return l4_is_icmp(p->proto, ip6) && p->l4 && p->l4 + ICMP_HLEN <= p->len &&
	       l4_icmp_is_error(p->l3[p->l4], ip6) && quote_parse(p, p->l4 + ICMP_HLEN, q);
}

static void flow_id_answer(struct flow_id *f, const struct pkt *q, bool l3)
{
	struct flow_id was;
	uint16_t port[2];

	flow_id_addrs(&was, q);
	*f = (struct flow_id){ .ip6 = was.ip6 };
	memcpy(f->src, was.dst, sizeof(f->src));
	memcpy(f->dst, was.src, sizeof(f->dst));
	if (l3 || !q->l4) /* a later fragment: so are those that answer it, perhaps */
		return;
	ports_of(q, port);
	f->rest = rest_of(q->proto, port[1], port[0]);
}

static uint32_t hash(const struct dp *dp, struct pkt *p, bool l3)
{
	struct flow_id f;
	uint16_t port[2];
	struct pkt q;

	if (!p->l4 || p->flags & PKT_OWN)
		parse_transport(p); /* what it cannot walk hashes without ports */
	if (!(p->flags & PKT_FRAGMENT) && quoted(p, &q)) {
		flow_id_answer(&f, &q, l3);
		return flow_id_hash(dp->cfg->set.seed, &f);
	}
	flow_id_addrs(&f, p);
	/* Of a datagram's fragments only the first shows what stands behind further headers. */
	if (!l3 && !(p->flags & PKT_FRAGMENT)) {
		ports_of(p, port);
		f.rest = rest_of(p->proto, port[0], port[1]);
	}
	return flow_id_hash(dp->cfg->set.seed, &f);
}

uint32_t route_hash(const struct dp *dp, struct pkt *p)
{
	return hash(dp, p, false);
}

uint32_t route_choose(const struct dp *dp, struct pkt *p, const struct nh *group)
{
	bool l3 = group->hash ? group->hash == CONF_HASH_L3 : dp->cfg->set.hash_l3;

	return nh_group_member(group, hash(dp, p, l3));
}
