/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet path, top to bottom:
 *
 *	parse -> (filters of ingress) -> options -> (rp-filter) -> route (a burst at a time)
 *	-> forward: TTL, MTU, neighbour -> link header
 *	-> (filters and qdiscs of egress) -> out[port]
 *
 * The common packet (no options, known neighbour, fits the MTU) is finished in three short loops
 * over the burst; everything else takes forward(), which asks the questions in the order Linux
 * does: route, TTL, scope, MTU, neighbour. Errors about a packet are built before it is changed.
 */
#include "router/pipeline.h"

#include <stddef.h>
#include <string.h>

#include "router/flows.h"
#include "router/forward.h"
#include "router/net/hopopts.h"
#include "router/net/options.h"
#include "router/net/parse.h"
#include "router/net/policy.h"
#include "router/net/route.h"
#include "router/net/rp_filter.h"
#include "router/net/tcp.h"
#include "router/net/unfinished.h"
#include "router/shape.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define PREFETCH_AHEAD 8

/* ---- a burst */

struct batch {
	unsigned n4, n6;
	struct pkt p4[BURST], p6[BURST];
	uint32_t dst4[BURST], slot4[BURST], slot6[BURST];
	struct in6_addr dst6[BURST];
	const struct in6_addr *dst6p[BURST];
};

/* How packets come here. */
enum way {
	WAY_IN,	      /* nothing stands in it */
	WAY_FILTERED, /* through filters of ingress, and perhaps a tree behind them */
	WAY_AGAIN     /* that was before: out of the tree, with a mark */
};

/* ---- options: of the packet that filters of ingress have left, for they may write to any of it.
 * What is malformed is answered before rules of the firewall see it, as Linux does: they could not
 * rely on what it says. */

/* rp-filter looks at bursts, later; but who is forged is to be told of nothing. */
static void refuse_options(struct dp *dp, struct pkt *p, enum drop_reason why, enum icmp_error e,
			   uint32_t info)
{
	if (rp_filter_burst(dp, p, 1) & 1)
		refuse(dp, p, why, e, info);
	else
		pkt_drop(dp, p, DROP_RP_FILTER);
}

/* F7. A strict source route names every router: it is not to us that the packet should have come.
 * False: it has been taken. */
static bool options4(struct dp *dp, struct pkt *p)
{
	unsigned wrong;
	bool strict;

	if (!has_options(p))
		return true;
	wrong = options_wrong(p);
	if (wrong) {
		refuse_options(dp, p, DROP_IP4_OPTIONS, ICMP_ERROR_PARAMETER, wrong);
		return false;
	}
	if (!options_source_route(p, &strict) || (dp->cfg->set.source_routes && !strict))
		return true;
	if (dp->cfg->set.source_routes)
		refuse_options(dp, p, DROP_SOURCE_ROUTE, ICMP_ERROR_PARAMETER,
			       offsetof(struct ip4_header, dst));
	else
		pkt_drop(dp, p, DROP_SOURCE_ROUTE);
	return false;
}

/* G26. Of extension headers a router processes no other. False: it has been taken. */
static bool hop_options(struct dp *dp, struct pkt *p)
{
	uint32_t pointer = 0;

	if (pkt_ip6(p)->next != IPPROTO_HOPOPTS)
		return true;
	switch (hopopts_check(p, &pointer)) {
	case HOPOPTS_PASS: return true;
	case HOPOPTS_DROP: pkt_drop(dp, p, DROP_IP6_OPTIONS); break;
	case HOPOPTS_FIELD:
		refuse_options(dp, p, DROP_IP6_OPTIONS, ICMP_ERROR_PARAMETER, pointer);
		break;
	case HOPOPTS_UNKNOWN:
		refuse_options(dp, p, DROP_IP6_OPTIONS, ICMP_ERROR_OPTION, pointer);
		break;
	}
	return false;
}

/* False: it has been taken. */
static bool options(struct dp *dp, struct pkt *p)
{
	return p->flags & PKT_IP6 ? hop_options(dp, p) : options4(dp, p);
}

/* ---- how it comes in */

/* Filters see a packet as it goes on: with its checksums. Its options are looked at behind them.
 * False: it has been taken. */
static bool ingress(struct dp *dp, struct pkt *p, uint8_t *frame, const struct dp_frame *f,
		    enum way way)
{
	if (way == WAY_AGAIN) {
		p->mark = f->options;
	} else {
		if (dp->cfg->iface[p->iface].virtual)
			unfinished_complete(dp, p);
		if (!shape_ingress(dp, p, frame, f->len))
			return false;
	}
	return !(p->flags & PKT_SLOW) || options(dp, p);
}

static inline void parse_one(struct dp *dp, struct batch *b, const struct dp_iface *in,
			     uint16_t index, const struct dp_frame *f, enum way way)
{
	uint8_t *frame = dp->base + f->addr;
	struct pkt *p = &b->p4[b->n4];
	uint32_t len = f->len;
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
	if (way == WAY_IN && !options(dp, p)) /* else ingress() sees to them */
		return;
	if (!(p->flags & PKT_IP6))
		goto four;
	b->p6[b->n6] = *p;
	p = &b->p6[b->n6];
six:
	if (unlikely(way != WAY_IN) && !ingress(dp, p, frame, f, way))
		return;
	memcpy(&b->dst6[b->n6], pkt_ip6(p)->dst, 16);
	b->dst6p[b->n6] = &b->dst6[b->n6];
	b->n6++;
	return;
four:
	if (unlikely(way != WAY_IN) && !ingress(dp, p, frame, f, way))
		return;
	b->dst4[b->n4] = pkt_ip4(p)->dst;
	b->n4++;
}

/* ---- what the interface that a packet came by wants of it */

/* Its MSS is clamped when it is known how it leaves: by forward(). */
static bool is_syn(const struct pkt *p)
{
	struct pkt tcp = *p;

	return parse_transport(&tcp) && tcp.proto == IPPROTO_TCP && !(tcp.flags & PKT_LATER_FRAG) &&
	       tcp.l4 + 14 <= tcp.len && tcp.l3[tcp.l4 + 13] & TCP_F_SYN;
}

/* What may not come in by its interface is dropped; p[] has the others, in their order, and dst,
 * what stands beside each, too. Returns how many. */
static unsigned admit(struct dp *dp, struct pkt *p, unsigned n, void *dst, size_t size)
{
	uint64_t good = rp_filter_burst(dp, p, n);
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!(good >> i & 1)) {
			pkt_drop(dp, &p[i], DROP_RP_FILTER);
			continue;
		}
		if (dp->cfg->iface[p[i].iface].mss && is_syn(&p[i]))
			p[i].flags |= PKT_SLOW;
		if (kept < i) {
			p[kept] = p[i];
			memcpy((uint8_t *)dst + kept * size, (uint8_t *)dst + i * size, size);
		}
		kept++;
	}
	return kept;
}

static void admit_burst(struct dp *dp, struct batch *b)
{
	if (b->n4)
		b->n4 = admit(dp, b->p4, b->n4, b->dst4, sizeof(b->dst4[0]));
	if (b->n6)
		b->n6 = admit(dp, b->p6, b->n6, b->dst6, sizeof(b->dst6[0]));
}

/* ---- the way on */

/* Do rules concern any of these packets? */
static bool any_ruled(const struct dp *dp, const struct pkt *p, unsigned n)
{
	bool any = false;

	for (unsigned i = 0; i < n && !any; i++)
		any = route_rules(&dp->cfg->iface[p[i].iface], p[i].flags & PKT_IP6);
	return any;
}

/* Packets of one burst mostly came by one interface; where VLANs with other tables mix, or rules
 * look at packets, ask for each. */
static void route4(const struct dp *dp, struct batch *b)
{
	const struct dp_iface *iface = dp->cfg->iface;
	struct fib *fib = iface[b->p4[0].iface].fib4;
	bool same = fib != NULL;

	for (unsigned i = 1; i < b->n4; i++)
		same &= iface[b->p4[i].iface].fib4 == fib;
	if (unlikely(dp->cfg->ruled))
		same = same && !any_ruled(dp, b->p4, b->n4);
	if (likely(same)) {
		fib4_lookup_burst(fib, b->dst4, b->slot4, b->n4);
		return;
	}
	for (unsigned i = 0; i < b->n4; i++)
		b->slot4[i] = route_lookup(dp, &b->p4[i]);
}

static void route6(const struct dp *dp, struct batch *b)
{
	const struct dp_iface *iface = dp->cfg->iface;
	struct fib *fib = iface[b->p6[0].iface].fib6;
	bool same = fib != NULL;

	for (unsigned i = 1; i < b->n6; i++)
		same &= iface[b->p6[i].iface].fib6 == fib;
	if (unlikely(dp->cfg->ruled))
		same = same && !any_ruled(dp, b->p6, b->n6);
	if (likely(same)) {
		fib6_lookup_burst(fib, b->dst6p, b->slot6, b->n6);
		return;
	}
	for (unsigned i = 0; i < b->n6; i++)
		b->slot6[i] = route_lookup(dp, &b->p6[i]);
}

/* The common packet: true, and it is on its way. */
static inline bool forward_quick(struct dp *dp, struct pkt *p, struct nh *n)
{
	if (unlikely(!n || n->type != NH_ADJ || n->state != NH_RESOLVED || p->len > n->mtu ||
		     p->flags & PKT_SLOW || n->iface == p->iface))
		return false;
	mark_used(n);
	step_ttl(p);
	emit(dp, p, n);
	return true;
}

static inline void forward_burst(struct dp *dp, struct pkt *p, const uint32_t *slot, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct nh *n = nh_get(dp->cfg->nht, slot[i]);
		uint32_t to = slot[i];

		if (likely(forward_quick(dp, &p[i], n)))
			continue;
		if (n && n->type == NH_GROUP) {
			to = route_choose(dp, &p[i], n);
			if (forward_quick(dp, &p[i], nh_get(dp->cfg->nht, to)))
				continue;
		}
		forward(dp, &p[i], to);
	}
}

static void run(struct dp *dp, const struct dp_frame *frames, unsigned n, enum way way)
{
	uint16_t index = dp->cfg->port_iface[dp->rx_port];
	const struct dp_iface *in = index == IFACE_NONE ? NULL : &dp->cfg->iface[index];
	struct batch b;

	b.n4 = b.n6 = 0;
	if (in && !in->up)
		in = NULL; /* the careful parser counts it */
	for (unsigned i = 0; i < PREFETCH_AHEAD && i < n; i++)
		__builtin_prefetch(dp->base + frames[i].addr, 1);
	for (unsigned i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			__builtin_prefetch(dp->base + frames[i + PREFETCH_AHEAD].addr, 1);
		parse_one(dp, &b, in, index, &frames[i], way);
	}
	if (unlikely(in && in->virtual)) {
		for (unsigned i = 0; i < b.n4; i++)
			unfinished_complete(dp, &b.p4[i]);
		for (unsigned i = 0; i < b.n6; i++)
			unfinished_complete(dp, &b.p6[i]);
	}
	if (unlikely(dp->cfg->guarded >> dp->rx_port & 1))
		admit_burst(dp, &b);
	if (dp->policy) {
		if (b.n4)
			flows_run(dp, b.p4, b.n4);
		if (b.n6)
			flows_run(dp, b.p6, b.n6);
		return;
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

void pipeline_run(struct dp *dp, const struct dp_frame *frames, unsigned n)
{
	const struct qos *qos = dp->qos;
	struct dp_frame whole[BURST];

	if (unlikely(qos && qos->whole >> dp->rx_port & 1)) {
		memcpy(whole, frames, n * sizeof(whole[0]));
		run(dp, whole, shape_whole(dp, whole, n), WAY_IN);
		return;
	}
	run(dp, frames, n,
	    unlikely(qos && qos->ingress >> dp->rx_port & 1) ? WAY_FILTERED : WAY_IN);
}

void pipeline_resume(struct dp *dp, const struct dp_frame *frames, unsigned n)
{
	run(dp, frames, n, WAY_AGAIN);
}
