/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See rp_filter.h. The source is looked up as an answer's destination would be, did it come in
 * there; what is found must be a way to send to:
 *
 *	loose		any, also by an interface that is down, or not ours; a default route if the
 *			interface says so
 *	strict		by the interface it came by, which may be one of several of the best route
 *	feasible	the same, or by another route of the same prefix that has a worse metric
 *
 * Which interfaces a route uses is worked out by control (struct nh_reach), where it is more than
 * the one of its only next hop.
 */
#include "router/net/rp_filter.h"

#include <string.h>

#include "config/conf.h"
#include "router/net/route.h"

static bool is_way(const struct nh *n)
{
	switch ((enum nh_type)n->type) {
	case NH_ADJ:
	case NH_GLEAN:
	case NH_GROUP:
	case NH_FOREIGN:
	case NH_DOWN: return true;
	case NH_LOCAL:
	case NH_BROADCAST:
	case NH_BLACKHOLE:
	case NH_UNREACHABLE:
	case NH_PROHIBIT:
	case NH_THROW: break;
	}
	return false;
}

static bool is_in(const uint64_t set[NH_REACH_WORDS], uint16_t iface)
{
	return set[iface / 64] >> (iface % 64) & 1;
}

static bool leads_to(const struct nh *n, uint16_t iface, bool feasible)
{
	const struct nh_reach *r = nh_reach(n);

	if (r)
		return is_in(feasible ? r->feasible : r->best, iface);
	return (n->type == NH_ADJ || n->type == NH_GLEAN) && n->iface == iface;
}

/* Whoever is on the link has such an address, without any route; and it goes nowhere from here. */
static bool is_link_local(const struct pkt *p)
{
	const uint8_t *src = pkt_ip6(p)->src;

	return p->flags & PKT_IP6 && src[0] == 0xfe && (src[1] & 0xc0) == 0x80;
}

static bool passes(const struct dp *dp, const struct pkt *p, uint32_t slot)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	if (!in->rp_filter || is_link_local(p))
		return true;
	if (!n || !is_way(n))
		return false;
	if (in->rp_filter == CONF_RP_LOOSE)
		return in->rp_default || !n->is_default;
	return leads_to(n, p->iface, in->rp_filter == CONF_RP_FEASIBLE);
}

/* The common burst came by interfaces that share a table, without rules: looked up at once. */
static bool find_burst(const struct dp *dp, const struct pkt *p, unsigned n, uint32_t slot[BURST])
{
	const struct dp_iface *iface = dp->cfg->iface;
	bool six = p[0].flags & PKT_IP6;
	const struct fib *fib = six ? iface[p[0].iface].fib6 : iface[p[0].iface].fib4;
	const struct in6_addr *src6[BURST];
	struct in6_addr copy[BURST];
	uint32_t src4[BURST];

	for (unsigned i = 0; i < n; i++) {
		const struct dp_iface *in = &iface[p[i].iface];

		if (!fib || (six ? in->fib6 : in->fib4) != fib || route_rules(in, six))
			return false;
		if (six) {
			memcpy(&copy[i], pkt_ip6(&p[i])->src, sizeof(copy[i]));
			src6[i] = &copy[i];
		} else {
			src4[i] = pkt_ip4(&p[i])->src;
		}
	}
	if (six)
		fib6_lookup_burst(fib, src6, slot, n);
	else
		fib4_lookup_burst(fib, src4, slot, n);
	return true;
}

uint64_t rp_filter_burst(const struct dp *dp, const struct pkt *p, unsigned n)
{
	uint32_t slot[BURST];
	uint64_t good = 0;
	bool any = false;

	for (unsigned i = 0; i < n && !any; i++)
		any = dp->cfg->iface[p[i].iface].rp_filter;
	if (!any)
		return UINT64_MAX;
	if (!find_burst(dp, p, n, slot))
		for (unsigned i = 0; i < n; i++)
			slot[i] = route_back(dp, &p[i]);
	for (unsigned i = 0; i < n; i++)
		good |= (uint64_t)passes(dp, &p[i], slot[i]) << i;
	return good;
}
