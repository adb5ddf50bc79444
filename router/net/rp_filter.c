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

bool rp_filter_passes(const struct dp *dp, const struct pkt *p)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	uint32_t slot = route_back(dp, p);
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	if (is_link_local(p))
		return true;
	if (!n || !is_way(n))
		return false;
	if (in->rp_filter == CONF_RP_LOOSE)
		return in->rp_default || !n->is_default;
	return leads_to(n, p->iface, in->rp_filter == CONF_RP_FEASIBLE);
}
