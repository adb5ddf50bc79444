/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet path, top to bottom:
 *
 *	parse -> route (a burst at a time) -> forward: TTL, MTU, neighbour -> link header ->
 *out[port]
 *
 * The common packet (no options, known neighbour, fits the MTU) is finished in three short loops
 *over the burst; everything else takes forward(), which asks the questions in the order Linux does:
 *route, TTL, scope, MTU, neighbour. Errors about a packet are built before it is changed.
 */
#include "router/pipeline.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/net/csum.h"
#include "router/net/fragment.h"
#include "router/net/hold.h"
#include "router/net/icmp.h"
#include "router/net/parse.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define PREFETCH_AHEAD 8
#define IP6_MTU_MIN    1280

/* RFC 1624: one less TTL is 0x0100 less in its word. */
static inline void step_ttl(struct pkt *p)
{
	if (p->flags & PKT_IP6) {
		pkt_ip6(p)->hops--;
	} else {
		struct ip4_header *h = pkt_ip4(p);
		uint32_t sum = (uint32_t)h->csum + htons(0x0100);

		h->csum = (uint16_t)(sum + (sum >= 0xffff));
		h->ttl--;
	}
}

/* Put the link header in front and queue the frame; short ones are padded with zeros, not with old
 * data. */
static inline void emit(struct dp *dp, struct pkt *p, const struct nh *n)
{
	uint8_t *frame = p->l3 - n->hlen;
	uint32_t len = p->len + n->hlen;

	memcpy(frame, n->l2, ETH_HLEN);
	if (unlikely(n->hlen != ETH_HLEN)) {
		memcpy(frame + ETH_HLEN, n->l2 + ETH_HLEN, VLAN_HLEN);
		counter_add(&dp->count->vlan[n->iface].tx_packets, 1);
		counter_add(&dp->count->vlan[n->iface].tx_bytes, len);
	}
	if (unlikely(len < FRAME_MIN)) {
		memset(frame + len, 0, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	dp_send(dp, n->port, frame, len);
}

/* Control clears it; a line that all workers read is written only when it must be. */
static inline void mark_used(struct nh *n)
{
	if (unlikely(!__atomic_load_n(&n->used, __ATOMIC_RELAXED)))
		__atomic_store_n(&n->used, 1, __ATOMIC_RELAXED);
}

static void forward(struct dp *dp, struct pkt *p, uint32_t slot);

static uint32_t lookup(const struct dp_iface *in, const struct pkt *p)
{
	if (p->flags & PKT_IP6) {
		struct in6_addr dst;

		memcpy(&dst, pkt_ip6(p)->dst, sizeof(dst));
		return in->fib6 ? fib6_lookup(in->fib6, &dst) : FIB_NONE;
	}
	return in->fib4 ? fib4_lookup(in->fib4, pkt_ip4(p)->dst) : FIB_NONE;
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

/* The flow a packet belongs to, for ECMP: addresses, protocol, and ports unless it is a fragment
 * (all fragments of one datagram take one path). */
static uint32_t flow_hash(const struct dp *dp, struct pkt *p)
{
	uint32_t h = dp->cfg->hash_seed;

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

/* An interface's number outlives the interface, in held packets and, until the next publication, in
 * next hops. */
static bool is_iface(const struct dp *dp, uint16_t index)
{
	return index < dp->cfg->nifaces && dp->cfg->iface[index].port != IFACE_NONE;
}

static bool link_local6(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* Route an error of ours. Its way out decides its source; an interface without a route back is as
 * good as the one the packet came by. */
static void send_own(struct dp *dp, struct pkt *p)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	uint32_t slot = lookup(in, p);
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	bool link_local = p->flags & PKT_IP6 && link_local6(pkt_ip6(p)->dst);

	counter_add(&dp->count->generated, 1);
	if (n && n->type == NH_GROUP) { /* once: its source will be another flow's */
		slot = nh_group_member(n, flow_hash(dp, p));
		n = nh_get(dp->cfg->nht, slot);
	}
	if (!icmp_source(dp, p,
			 !link_local && n && (n->type == NH_ADJ || n->type == NH_GLEAN) &&
					 is_iface(dp, n->iface)
				 ? n->iface
				 : p->iface)) {
		counter_add(&dp->count->generated, -1ull); /* never came to be */
		return;
	}
	dp_event(dp, EVENT_ICMP_SENT);
	if (link_local) {
		struct addr to = addr_v6(pkt_ip6(p)->dst);

		slot = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, p->iface, &to);
		if (!slot) {
			hold_add(dp, p, p->iface, &to, 0);
			return;
		}
	}
	forward(dp, p, slot);
}

/* Drop p for `why`, and tell its sender; unless p waited in the hold queue for so long that the
 * interface it came in by has gone, and with it the tables that know the way back. */
static void refuse(struct dp *dp, struct pkt *p, enum drop_reason why, enum icmp_error e,
		   uint32_t info)
{
	struct pkt err;
	bool answer = is_iface(dp, p->iface) && icmp_error(dp, p, e, info, &err);

	pkt_drop(dp, p, why);
	if (answer)
		send_own(dp, &err);
}

/* No link of IPv6 is smaller than IP6_MTU_MIN (RFC 8200 5), whatever a route says; a sender would
 * not believe less either. */
static uint16_t mtu_for(const struct pkt *p, const struct nh *n)
{
	return p->flags & PKT_IP6 && n->mtu < IP6_MTU_MIN ? IP6_MTU_MIN : n->mtu;
}

static void too_big(struct dp *dp, struct pkt *p, const struct nh *n)
{
	struct pkt part[FRAGMENTS_MAX];
	uint16_t frag = p->flags & PKT_IP6 ? IP4_DF : ntohs(pkt_ip4(p)->frag);
	unsigned count;

	if (frag & IP4_DF) {
		refuse(dp, p, DROP_TOO_BIG, ICMP_ERROR_TOO_BIG, mtu_for(p, n));
		return;
	}
	if ((frag & IP4_OFFSET) * 8u + p->len > UINT16_MAX) { /* cut, its end would come around */
		pkt_drop(dp, p, DROP_IP4_LENGTH);
		return;
	}
	count = fragment4(dp, p, n->mtu, part);
	if (!count) {
		pkt_drop(dp, p, DROP_FRAG_NO_FRAME);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!(p->flags & PKT_OWN))
			step_ttl(&part[i]);
		emit(dp, &part[i], n);
	}
}

/* A link-local address means nothing on another link (RFC 4007); Linux forwards none at all. */
static bool beyond_scope(const struct pkt *p)
{
	const struct ip6_header *h = pkt_ip6(p);

	return p->flags & PKT_IP6 && !(p->flags & PKT_OWN) &&
	       (link_local6(h->src) || link_local6(h->dst));
}

static struct addr destination(const struct pkt *p)
{
	return p->flags & PKT_IP6 ? addr_v6(pkt_ip6(p)->dst) : addr_v4(pkt_ip4(p)->dst);
}

/* The neighbour is known: the last questions, and out. */
static void transmit(struct dp *dp, struct pkt *p, struct nh *n)
{
	mark_used(n);
	if (p->len > mtu_for(p, n)) {
		too_big(dp, p, n);
		return;
	}
	if (!(p->flags & PKT_OWN))
		step_ttl(p);
	emit(dp, p, n);
}

static uint8_t ttl(const struct pkt *p)
{
	return p->flags & PKT_IP6 ? pkt_ip6(p)->hops : pkt_ip4(p)->ttl;
}

static void to_neighbour(struct dp *dp, struct pkt *p, struct nh *n)
{
	struct addr to;
	uint32_t slot;

	if (!(p->flags & PKT_OWN) && ttl(p) <= 1) {
		refuse(dp, p, DROP_TTL, ICMP_ERROR_TTL, 0);
		return;
	}
	if (beyond_scope(p)) {
		refuse(dp, p, DROP_SCOPE, ICMP_ERROR_SCOPE, 0);
		return;
	}
	if (n->type == NH_GLEAN) {
		to = destination(p);
		slot = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, n->iface, &to);
		if (!slot) {
			hold_add(dp, p, n->iface, &to, 0);
			return;
		}
		n = nh_get(dp->cfg->nht, slot);
	}
	if (n->type != NH_ADJ) /* known, but its interface went down a moment ago */
		refuse(dp, p, DROP_EGRESS_DOWN, ICMP_ERROR_NO_ROUTE, 0);
	else if (n->state == NH_RESOLVED)
		transmit(dp, p, n);
	else
		hold_add(dp, p, n->iface, &n->addr, n->failures);
}

static void forward(struct dp *dp, struct pkt *p, uint32_t slot)
{
	struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	if (n && n->type == NH_GROUP)
		n = nh_get(dp->cfg->nht, nh_group_member(n, flow_hash(dp, p)));
	if (!n) {
		refuse(dp, p, DROP_NO_ROUTE, ICMP_ERROR_NO_ROUTE, 0);
		return;
	}
	switch ((enum nh_type)n->type) {
	case NH_ADJ:
	case NH_GLEAN: to_neighbour(dp, p, n); break;
	case NH_BLACKHOLE: pkt_drop(dp, p, DROP_BLACKHOLE); break;
	case NH_UNREACHABLE: refuse(dp, p, DROP_UNREACHABLE, ICMP_ERROR_UNREACHABLE, 0); break;
	case NH_PROHIBIT: refuse(dp, p, DROP_PROHIBIT, ICMP_ERROR_PROHIBIT, 0); break;
	case NH_LOCAL: pkt_drop(dp, p, DROP_LOCAL); break;
	case NH_BROADCAST: pkt_drop(dp, p, DROP_BROADCAST); break;
	case NH_FOREIGN: pkt_drop(dp, p, DROP_EGRESS_FOREIGN); break;
	case NH_THROW: refuse(dp, p, DROP_NO_ROUTE, ICMP_ERROR_NO_ROUTE, 0); break;
	case NH_DOWN: refuse(dp, p, DROP_EGRESS_DOWN, ICMP_ERROR_NO_ROUTE, 0); break;
	case NH_GROUP: pkt_drop(dp, p, DROP_NO_ROUTE); break; /* groups do not nest */
	}
}

static void held_send(struct dp *dp, struct pkt *p, uint32_t slot)
{
	transmit(dp, p, nh_get(dp->cfg->nht, slot));
}

static void held_fail(struct dp *dp, struct pkt *p)
{
	refuse(dp, p, DROP_NEIGH_FAILED, ICMP_ERROR_HOST, 0);
}

void pipeline_held(struct dp *dp)
{
	if (dp->nheld)
		hold_check(dp, held_send, held_fail);
}

/* A Linux sender behind a veth leaves the checksum of TCP and UDP unfinished: the field holds the
 * folded pseudo header sum. Finish it. A complete checksum that looks the same by chance is
 * computed to itself. */
static void complete_checksum(struct dp *dp, struct pkt *p)
{
	uint16_t field, pseudo, csum, len, at;
	uint64_t sum;

	if (!p->l4 && !parse_transport(p))
		return;
	at = p->l4 + (p->proto == IPPROTO_TCP ? 16 : 6);
	if ((p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP) || p->flags & PKT_FRAGMENT ||
	    at + 2u > p->len)
		return;
	len = (uint16_t)(p->len - p->l4);
	sum = p->flags & PKT_IP6 ? csum_pseudo6(pkt_ip6(p)->src, pkt_ip6(p)->dst, p->proto, len)
				 : csum_pseudo4(pkt_ip4(p)->src, pkt_ip4(p)->dst, p->proto, len);
	pseudo = csum_fold(sum);
	memcpy(&field, p->l3 + at, 2);
	if (likely(field != pseudo) || (p->proto == IPPROTO_UDP && field == 0))
		return;
	csum = (uint16_t)~csum_fold(csum_add(p->l3 + p->l4, len, 0));
	if (csum == 0 && p->proto == IPPROTO_UDP)
		csum = 0xffff;
	memcpy(p->l3 + at, &csum, 2);
	dp_event(dp, EVENT_CSUM_COMPLETED);
}

/* ---- a burst */

struct batch {
	unsigned n4, n6;
	struct pkt p4[BURST], p6[BURST];
	uint32_t dst4[BURST], slot4[BURST], slot6[BURST];
	struct in6_addr dst6[BURST];
	const struct in6_addr *dst6p[BURST];
};

static inline void parse_one(struct dp *dp, struct batch *b, const struct dp_iface *in,
			     uint16_t index, uint8_t *frame, uint32_t len)
{
	struct pkt *p = &b->p4[b->n4];
	uint16_t type;

	memcpy(&type, frame + 12, 2); /* the frame has room, whatever its length says */
	p->iface = index;
	if (likely(in && type == htons(0x0800) && parse_quick4(dp, p, in, frame, len)))
		goto four;
	if (in && type == htons(0x86dd)) {
		p = &b->p6[b->n6];
		p->iface = index;
		if (likely(parse_quick6(p, in, frame, len)))
			goto six;
	}
	p = &b->p4[b->n4];
	if (!parse_frame(dp, p, frame, len))
		return;
	p->flags |= PKT_SLOW;
	if (!(p->flags & PKT_IP6))
		goto four;
	b->p6[b->n6] = *p;
	p = &b->p6[b->n6];
six:
	memcpy(&b->dst6[b->n6], pkt_ip6(p)->dst, 16);
	b->dst6p[b->n6] = &b->dst6[b->n6];
	b->n6++;
	return;
four:
	b->dst4[b->n4] = pkt_ip4(p)->dst;
	b->n4++;
}

/* Packets of one burst mostly came by one interface; where VLANs with other tables mix, ask for
 * each. */
static void route4(const struct dp *dp, struct batch *b)
{
	const struct dp_iface *iface = dp->cfg->iface;
	struct fib *fib = iface[b->p4[0].iface].fib4;
	bool same = fib != NULL;

	for (unsigned i = 1; i < b->n4; i++)
		same &= iface[b->p4[i].iface].fib4 == fib;
	if (likely(same)) {
		fib4_lookup_burst(fib, b->dst4, b->slot4, b->n4);
		return;
	}
	for (unsigned i = 0; i < b->n4; i++)
		b->slot4[i] = lookup(&iface[b->p4[i].iface], &b->p4[i]);
}

static void route6(const struct dp *dp, struct batch *b)
{
	const struct dp_iface *iface = dp->cfg->iface;
	struct fib *fib = iface[b->p6[0].iface].fib6;
	bool same = fib != NULL;

	for (unsigned i = 1; i < b->n6; i++)
		same &= iface[b->p6[i].iface].fib6 == fib;
	if (likely(same)) {
		fib6_lookup_burst(fib, b->dst6p, b->slot6, b->n6);
		return;
	}
	for (unsigned i = 0; i < b->n6; i++)
		b->slot6[i] = lookup(&iface[b->p6[i].iface], &b->p6[i]);
}

static inline void forward_burst(struct dp *dp, struct pkt *p, const uint32_t *slot, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct nh *n = nh_get(dp->cfg->nht, slot[i]);

		if (likely(n && n->type == NH_ADJ && n->state == NH_RESOLVED &&
			   p[i].len <= n->mtu && !(p[i].flags & PKT_SLOW))) {
			mark_used(n);
			step_ttl(&p[i]);
			emit(dp, &p[i], n);
		} else {
			forward(dp, &p[i], slot[i]);
		}
	}
}

void pipeline_run(struct dp *dp, const struct dp_frame *frames, unsigned n)
{
	uint16_t index = dp->cfg->port_iface[dp->rx_port];
	const struct dp_iface *in = index == IFACE_NONE ? NULL : &dp->cfg->iface[index];
	struct batch b;
	uint64_t bytes = 0;

	b.n4 = b.n6 = 0;
	if (in && !in->up)
		in = NULL; /* the careful parser counts it */
	for (unsigned i = 0; i < PREFETCH_AHEAD && i < n; i++)
		__builtin_prefetch(dp->base + frames[i].addr, 1);
	for (unsigned i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			__builtin_prefetch(dp->base + frames[i + PREFETCH_AHEAD].addr, 1);
		bytes += frames[i].len;
		parse_one(dp, &b, in, index, dp->base + frames[i].addr, frames[i].len);
	}
	counter_add(&dp->count->port[dp->rx_port].rx_packets, n);
	counter_add(&dp->count->port[dp->rx_port].rx_bytes, bytes);
	if (unlikely(in && in->virtual)) {
		for (unsigned i = 0; i < b.n4; i++)
			complete_checksum(dp, &b.p4[i]);
		for (unsigned i = 0; i < b.n6; i++)
			complete_checksum(dp, &b.p6[i]);
	}
	if (b.n4) {
		route4(dp, &b);
		forward_burst(dp, b.p4, b.slot4, b.n4);
	}
	if (b.n6) {
		route6(dp, &b);
		forward_burst(dp, b.p6, b.slot6, b.n6);
	}
}
