/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewriting packets of translated flows, and errors about them.
 *
 * Nothing is summed here that was not changed: checksums are told the difference (RFC 1624,
 * equation 3), so that one which was wrong when it came is as wrong when it leaves, and the host it
 * is for finds out. For packets of a flow that difference is a constant of the direction, made once
 * by nat_deltas(); an error's is made of what is quoted in it.
 *
 * A quote often ends within the transport header, and a packet may: what lies inside is changed,
 * what does not is left alone. nat_rewrite_quick() of nat_rewrite.h does the common packet.
 */
#include "router/net/nat_rewrite.h"

#include "router/net/quote.h"

#define ICMP_CSUM_AT 2
#define CSUM_END     18 /* of TCP's checksum, the last field that is written */

static_assert(offsetof(struct flow_key, sport) == 32, "addresses and ports are summed as one");

void nat_deltas(const struct flow_key *from, const struct flow_key *to, uint16_t *l3, uint16_t *l4)
{
	bool ip6 = from->family == AF_INET6;

	*l3 = ip6 ? 0 : csum_delta(from, to, 32);
	if (l4_nat_ports(from->proto))
		*l4 = csum_delta(from, to, 36);
	else if (l4_is_icmp(from->proto, ip6)) /* the id; ICMPv6 covers the addresses as well */
		*l4 = ip6 ? csum_delta(from, to, 34) : csum_delta(&from->sport, &to->sport, 2);
	else
		*l4 = 0;
}

/* Does a query's id, or (at 0, 2) a port, lie inside? */
static bool inside(const struct pkt *p, uint32_t at)
{
	return l4_len(p) >= at + 2;
}

static bool is_query(const struct pkt *p)
{
	bool ip6 = p->flags & PKT_IP6;

	return l4_is_icmp(p->proto, ip6) && inside(p, ICMP_ID_AT) &&
	       l4_icmp_is_query(p->l3[p->l4], ip6);
}

/* One message can consist of zeros alone, an echo reply. No other has a sum of 0 rather than
 * 0xffff, and to no other does it matter which of both is its checksum. */
static void mend_zeros(struct pkt *p)
{
	uint8_t *l4 = p->l3 + p->l4;

	if (l4[0] == 0 && !memcmp(l4, l4 + 1, l4_len(p) - 1))
		l4_store16(l4 + ICMP_CSUM_AT, 0xffff);
}

static void rewrite_transport(struct pkt *p, const struct flow_key *to, uint16_t delta)
{
	uint32_t csum_at = l4_csum_at(p->proto, p->flags & PKT_IP6);
	uint8_t *l4 = p->l3 + p->l4;

	if (l4_nat_ports(p->proto)) {
		if (inside(p, 0))
			l4_store16(l4, to->sport);
		if (inside(p, 2))
			l4_store16(l4 + 2, to->dport);
	} else if (is_query(p)) {
		l4_store16(l4 + ICMP_ID_AT, to->sport);
	}
	if (csum_at && inside(p, csum_at))
		nat_rewrite_csum(l4 + csum_at, delta,
				 p->proto == IPPROTO_UDP || p->proto == IPPROTO_UDPLITE);
	if (p->proto == IPPROTO_ICMP && is_query(p))
		mend_zeros(p);
}

void nat_rewrite(struct pkt *p, const struct flow_key *to, uint16_t l3_delta, uint16_t l4_delta)
{
	if (nat_rewrite_quick(p, to, l3_delta, l4_delta))
		return;
	nat_rewrite_ip(p, to, l3_delta);
	if (!(p->flags & PKT_LATER_FRAG))
		rewrite_transport(p, to, l4_delta);
}

/* ---- errors */

/* The tuple as it is quoted; what is not quoted is as in `to`, that is, does not change. */
static void quoted_key(const struct pkt *q, const struct flow_key *to, struct flow_key *key)
{
	const uint8_t *l4 = q->l3 + q->l4;

	*key = *to;
	key->proto = q->proto;
	if (q->flags & PKT_IP6) {
		memcpy(key, q->l3 + offsetof(struct ip6_header, src), 32);
	} else {
		memcpy(key->src, &pkt_ip4(q)->src, 4);
		memcpy(key->dst, &pkt_ip4(q)->dst, 4);
	}
	if (!q->l4)
		return;
	if (l4_nat_ports(q->proto)) {
		if (inside(q, 0))
			key->sport = l4_load16(l4);
		if (inside(q, 2))
			key->dport = l4_load16(l4 + 2);
	} else if (is_query(q)) {
		key->sport = l4_load16(l4 + ICMP_ID_AT);
	}
}

/* Of all that rewriting may touch of a packet, which begins at even places of it. */
static uint16_t touched_sum(const struct pkt *q)
{
	uint32_t len = l4_len(q) < CSUM_END ? l4_len(q) : CSUM_END;
	uint64_t sum = csum_add(q->l3, q->flags & PKT_IP6 ? IP6_HLEN : IP4_HLEN, 0);

	return csum_fold(q->l4 ? csum_add(q->l3 + q->l4, len, sum) : sum);
}

/* Returns what this did to a sum over the quote, and so to one over the message: its words are the
 * message's, for all headers are of even length. */
static uint16_t rewrite_quote(struct pkt *q, const struct flow_key *to)
{
	uint16_t l3, l4, before = touched_sum(q), after;
	struct flow_key from;

	quoted_key(q, to, &from);
	nat_deltas(&from, to, &l3, &l4);
	nat_rewrite_ip(q, to, l3);
	if (q->l4)
		rewrite_transport(q, to, l4);
	after = touched_sum(q);
	return csum_delta(&before, &after, sizeof(before));
}

/* Returns what this did to a sum over the address. */
static uint16_t rewrite_outer(uint8_t *field, const struct addr *a)
{
	size_t len = addr_bits(a) / 8;
	uint16_t delta = csum_delta(field, a->bytes, len);

	memcpy(field, a->bytes, len);
	return delta;
}

void nat_rewrite_error(struct pkt *p, uint16_t quoted, const struct flow_key *inner,
		       const struct addr *outer_src, const struct addr *outer_dst)
{
	bool ip6 = p->flags & PKT_IP6;
	uint8_t *src = ip6 ? pkt_ip6(p)->src : p->l3 + offsetof(struct ip4_header, src);
	uint8_t *dst = ip6 ? pkt_ip6(p)->dst : p->l3 + offsetof(struct ip4_header, dst);
	uint16_t sums[3] = { 0 }, addresses, icmp;
	struct pkt q;

	if (outer_src)
		sums[0] = rewrite_outer(src, outer_src);
	if (outer_dst)
		sums[1] = rewrite_outer(dst, outer_dst);
	addresses = csum_fold((uint32_t)sums[0] + sums[1]);
	if (quote_parse(p, quoted, &q))
		sums[2] = rewrite_quote(&q, inner);
	icmp = csum_fold((uint32_t)sums[2] + (ip6 ? addresses : 0));
	if (!ip6)
		pkt_ip4(p)->csum = csum_adjust(pkt_ip4(p)->csum, addresses);
	if (inside(p, ICMP_CSUM_AT))
		nat_rewrite_csum(p->l3 + p->l4 + ICMP_CSUM_AT, icmp, false);
}
