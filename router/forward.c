/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See forward.h. Errors about a packet are built before it is changed. */
#include "router/forward.h"

#include <errno.h>

#include "router/flows.h"
#include "router/net/frag.h"
#include "router/net/fragment.h"
#include "router/net/hold.h"
#include "router/net/icmp_redirect.h"
#include "router/net/mss.h"
#include "router/net/options.h"
#include "router/net/parse.h"
#include "router/net/policy.h"
#include "router/net/route.h"
#include "router/pipeline.h"
#include "router/shape.h"

static bool link_local6(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* p waits for its neighbour, if there is room. Who is refused for the first time is not told: a
 * host that has just begun to talk would give up, where trying again helps it. */
static void wait_for(struct dp *dp, struct pkt *p, uint16_t iface, const struct addr *to,
		     const struct nh *n, enum hold_claim claim)
{
	enum hold_verdict v;

	if (claim == HOLD_GUESS && neigh_was_known(dp->cfg->nht, iface, to))
		claim = HOLD_SURE;
	v = hold_add(dp, p, iface, to, n ? n->failures : 0, claim);
	if (v == HOLD_KEPT)
		return;
	if (v == HOLD_REFUSED && !(n && n->state == NH_FAILED))
		pkt_drop(dp, p, DROP_NEIGH_LIMIT);
	else
		refuse(dp, p, DROP_NEIGH_LIMIT, ICMP_ERROR_HOST, 0);
}

/* Route an error of ours. Its way out decides its source; an interface without a route back is as
 * good as the one the packet came by. */
void forward_own(struct dp *dp, struct pkt *p)
{
	uint32_t slot = route_own(dp, p);
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	bool link_local = p->flags & PKT_IP6 && link_local6(pkt_ip6(p)->dst);

	counter_add(&dp->count->generated, 1);
	if (n && n->type == NH_GROUP) { /* once: its source will be another flow's */
		slot = route_choose(dp, p, n);
		n = nh_get(dp->cfg->nht, slot);
	}
	if (link_local || !n || (n->type != NH_ADJ && n->type != NH_GLEAN) ||
	    !is_iface(dp, n->iface))
		n = NULL;
	if (!icmp_source(dp, p, n)) {
		counter_add(&dp->count->generated, -1ull); /* never came to be */
		return;
	}
	dp_event(dp, EVENT_ICMP_SENT);
	if (link_local) {
		struct addr to = addr_v6(pkt_ip6(p)->dst);

		slot = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, p->iface, &to);
		if (!slot) {
			wait_for(dp, p, p->iface, &to, NULL, HOLD_GUESS);
			return;
		}
	}
	forward(dp, p, slot);
}

/* Drop p for `why`, and tell its sender; unless p waited in the hold queue for so long that the
 * interface it came in by has gone, and with it the tables that know the way back. */
void refuse(struct dp *dp, struct pkt *p, enum drop_reason why, enum icmp_error e, uint32_t info)
{
	struct pkt err;
	bool answer;

	if (p->flags & PKT_TRANSLATED)
		flows_restore(dp, p);
	answer = is_iface(dp, p->iface) && icmp_error(dp, p, e, info, &err);

	pkt_drop(dp, p, why);
	if (answer)
		forward_own(dp, &err);
}

/* No link of IPv6 is smaller than IP6_MTU_MIN (RFC 8200 5), whatever a route says; a sender would
 * not believe less either. */
static uint16_t mtu_at_least(const struct pkt *p, uint16_t mtu)
{
	return p->flags & PKT_IP6 && mtu < IP6_MTU_MIN ? IP6_MTU_MIN : mtu;
}

/* A neighbour does not know the MTU of the route that led to it. */
static uint16_t mtu_for(const struct pkt *p, const struct nh *n)
{
	return mtu_at_least(p, p->mtu && p->mtu < n->mtu ? p->mtu : n->mtu);
}

/* ---- TCP's MSS (F20) */

/* The most that an interface lets a segment be; fits: what the MTU of the way allows. */
static uint16_t mss_of(const struct dp_iface *f, uint16_t fits)
{
	if (!f->mss)
		return UINT16_MAX;
	return f->mss == CONF_MSS_PMTU ? fits : f->mss;
}

/* The links at both ends of us bound it: what a SYN announces is for packets that come back. */
static void clamp(struct dp *dp, const struct pkt *p, const struct nh *n, uint16_t mtu)
{
	const struct dp_iface *in = is_iface(dp, p->iface) ? &dp->cfg->iface[p->iface] : NULL;
	const struct dp_iface *out = is_iface(dp, n->iface) ? &dp->cfg->iface[n->iface] : NULL;
	uint16_t fits, most = UINT16_MAX;
	struct pkt tcp = *p; /* parsed anew: it may be a fragment of ours */

	tcp.flags &= PKT_IP6;
	if (p->flags & PKT_OWN || !parse_transport(&tcp) || tcp.proto != IPPROTO_TCP)
		return;
	fits = mss_of_mtu(p, mtu_at_least(p, in && in->mtu < mtu ? in->mtu : mtu));
	if (in && mss_of(in, fits) < most)
		most = mss_of(in, fits);
	if (out && mss_of(out, fits) < most)
		most = mss_of(out, fits);
	mss_clamp(&tcp, most);
}

/* What came by an interface that clamps. On the way out emit() sees to it, but for the MTU of a
 * route that it may not know. */
static void clamp_slow(struct dp *dp, const struct pkt *p, const struct nh *n)
{
	if (dp->cfg->clamped)
		clamp(dp, p, n, mtu_for(p, n));
}

void emit_watched(struct dp *dp, struct pkt *p, const struct nh *n, uint8_t *frame, uint32_t len)
{
	if (dp->cfg->clamped >> n->port & 1)
		clamp(dp, p, n, n->mtu);
	if (dp->shaped >> n->port & 1)
		shape_emit(dp, p, n->iface, n->port, frame, len);
	else
		dp_send(dp, n->port, frame, len < FRAME_MIN ? FRAME_MIN : len);
}

/* ---- length */

static bool may_be_cut(const struct pkt *p)
{
	return !(p->flags & PKT_IP6) && !(pkt_ip4(p)->frag & htons(IP4_DF));
}

static void too_big(struct dp *dp, struct pkt *p, const struct nh *n)
{
	struct pkt part[FRAGMENTS_MAX];
	uint16_t frag;
	int count;

	if (!may_be_cut(p)) {
		refuse(dp, p, DROP_TOO_BIG, ICMP_ERROR_TOO_BIG, mtu_for(p, n));
		return;
	}
	frag = ntohs(pkt_ip4(p)->frag);
	if ((frag & IP4_OFFSET) * 8u + p->len > UINT16_MAX) { /* cut, its end would come around */
		pkt_drop(dp, p, DROP_IP4_LENGTH);
		return;
	}
	/* Hosts behind one address may number alike; a fragment has its datagram's new id. */
	if (p->flags & PKT_TRANSLATED && !(p->flags & PKT_FRAGMENT))
		pkt_ip4(p)->id = frag_new_id(dp->st->frags); /* the sums are made anew */
	if (has_options(p))
		options_forward(dp, p, n);
	count = fragment4(dp, p, mtu_for(p, n), part);
	if (count < 0) {
		pkt_drop(dp, p, count == -E2BIG ? DROP_FRAG_MANY : DROP_FRAG_NO_FRAME);
		return;
	}
	for (int i = 0; i < count; i++) {
		part[i].flow = part[0].flow; /* looked up by the first, whose ports show */
		clamp_slow(dp, &part[i], n);
		if (!(p->flags & PKT_OWN))
			step_ttl(&part[i]);
		emit(dp, &part[i], n);
	}
}

bool beyond_scope(const struct pkt *p)
{
	const struct ip6_header *h = pkt_ip6(p);

	return p->flags & PKT_IP6 && !(p->flags & PKT_OWN) &&
	       (link_local6(h->src) || link_local6(h->dst));
}

static struct addr destination(const struct pkt *p)
{
	return p->flags & PKT_IP6 ? addr_v6(pkt_ip6(p)->dst) : addr_v4(pkt_ip4(p)->dst);
}

/* F12. It goes on nevertheless. */
static void redirect(struct dp *dp, const struct pkt *p, const struct nh *n)
{
	uint32_t slot = 0;
	struct pkt r;

	if (!is_iface(dp, p->iface) || !icmp_redirect(dp, p, n, &r, &slot))
		return;
	dp_event(dp, EVENT_REDIRECTS);
	if (!slot) {
		forward_own(dp, &r);
		return;
	}
	counter_add(&dp->count->generated, 1);
	forward(dp, &r, slot);
}

/* The neighbour is known: the last questions, and out. */
static void transmit(struct dp *dp, struct pkt *p, struct nh *n)
{
	mark_used(n);
	if (n->iface == p->iface && (p->len <= mtu_for(p, n) || may_be_cut(p)))
		redirect(dp, p, n);
	if (p->len > mtu_for(p, n)) {
		too_big(dp, p, n);
		return;
	}
	if (has_options(p))
		options_forward(dp, p, n);
	clamp_slow(dp, p, n);
	if (!(p->flags & PKT_OWN))
		step_ttl(p);
	emit(dp, p, n);
}

static uint8_t ttl(const struct pkt *p)
{
	return p->flags & PKT_IP6 ? pkt_ip6(p)->hops : pkt_ip4(p)->ttl;
}

/* A gateway is there. Of any other neighbour, whether a route or a flow has led to it, nobody knows
 * more than that packets are sent there. */
static enum hold_claim claim_on(const struct nh *n, const struct pkt *p)
{
	struct addr to = destination(p);

	return addr_equal(&n->addr, &to) ? HOLD_GUESS : HOLD_SURE;
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
	p->mtu = n->mtu;
	if (p->len > mtu_for(p, n) && !may_be_cut(p)) {
		too_big(dp, p, n);
		return;
	}
	if (n->type == NH_GLEAN) {
		to = destination(p);
		slot = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, n->iface, &to);
		if (!slot) {
			wait_for(dp, p, n->iface, &to, NULL, HOLD_GUESS);
			return;
		}
		n = nh_get(dp->cfg->nht, slot);
	}
	if (n->type != NH_ADJ) /* known, but its interface went down a moment ago */
		refuse(dp, p, DROP_EGRESS_DOWN, ICMP_ERROR_NO_ROUTE, 0);
	else if (n->state == NH_RESOLVED)
		transmit(dp, p, n);
	else
		wait_for(dp, p, n->iface, &n->addr, n, claim_on(n, p));
}

/* F6. Nobody is told of what happens to a broadcast: icmp_error() sees to that. Nor may a source
 * route end in one, as for Linux: it would let a stranger choose where the answers of many go by.
 */
static void to_all(struct dp *dp, struct pkt *p, struct nh *n)
{
	bool strict;

	if (!nh_broadcasts(n, p->iface))
		pkt_drop(dp, p, DROP_BROADCAST);
	else if (options_source_route(p, &strict))
		pkt_drop(dp, p, DROP_SOURCE_ROUTE);
	else if (ttl(p) <= 1)
		refuse(dp, p, DROP_TTL, ICMP_ERROR_TTL, 0);
	else
		transmit(dp, p, n);
}

void forward(struct dp *dp, struct pkt *p, uint32_t slot)
{
	struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	p->mtu = 0; /* nobody has said yet */
	if (n && n->type == NH_GROUP)
		n = nh_get(dp->cfg->nht, route_choose(dp, p, n));
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
	case NH_BROADCAST: to_all(dp, p, n); break;
	case NH_FOREIGN: pkt_drop(dp, p, DROP_EGRESS_FOREIGN); break;
	case NH_THROW: refuse(dp, p, DROP_NO_ROUTE, ICMP_ERROR_NO_ROUTE, 0); break;
	case NH_DOWN: refuse(dp, p, DROP_EGRESS_DOWN, ICMP_ERROR_NO_ROUTE, 0); break;
	case NH_GROUP: pkt_drop(dp, p, DROP_NO_ROUTE); break; /* groups do not nest */
	}
}

/* Control may have taken its port away since hold_check() has looked. */
static void held_send(struct dp *dp, struct pkt *p, uint32_t slot)
{
	struct nh *n = nh_get(dp->cfg->nht, slot);

	if (n->type == NH_ADJ)
		transmit(dp, p, n);
	else
		refuse(dp, p, DROP_EGRESS_DOWN, ICMP_ERROR_NO_ROUTE, 0);
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
