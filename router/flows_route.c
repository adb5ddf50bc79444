/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out of packets with flows: what a flow remembers of it, and when that must be looked up
 * anew. Where rules of routing look at packets, not every packet of a flow need go the same way,
 * and rules of the filter may have to speak first. [worker]
 */
#include <string.h>

#include "router/flows_internal.h"
#include "router/forward.h"

#define likely(x) __builtin_expect(!!(x), 1)

/* Marks and DSCP that rules of filters have set count for rules of routing. */
static inline uint32_t look_up(const struct dp *dp, const struct pkt *p, const struct flow_key *to,
			       const struct passage *g)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	uint8_t tos;

	if (likely(!route_rules(in, to->family == AF_INET6)))
		return route_to(in, to->family, to->dst);
	tos = g && g->r.has_dscp ? (uint8_t)(g->r.dscp << 2) : route_tos(p);
	return route_flow(dp, p, to, g ? g->m.mark : p->mark, tos, NULL);
}

/* The neighbour of `to`, as a slot that may be remembered for a flow while the routes do not move;
 * else of whatever the route leads to. A neighbour does not know of a smaller MTU of the route that
 * led to it: then forward() is to look for it each time. */
uint32_t flows_route(struct dp *dp, struct pkt *p, const struct flow_key *to,
		     const struct passage *g)
{
	uint32_t slot = look_up(dp, p, to, g), neighbour;
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	struct addr a;

	if (n && n->type == NH_GROUP) {
		slot = route_choose(dp, p, n);
		n = nh_get(dp->cfg->nht, slot);
	}
	if (!n || n->type != NH_GLEAN)
		return slot;
	a = to->family == AF_INET6 ? addr_v6(to->dst) : (struct addr){ .family = AF_INET };
	if (to->family == AF_INET)
		memcpy(&a.v4, to->dst, 4);
	neighbour = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, n->iface, &a);
	return neighbour && nh_get(dp->cfg->nht, neighbour)->mtu <= n->mtu ? neighbour : slot;
}

uint16_t flows_out(const struct dp *dp, const struct nh *n)
{
	return n && nh_leads_out(n) && is_iface(dp, n->iface) ? dp->cfg->iface[n->iface].name_id
							      : 0;
}

/* How a packet of direction dir leaves. */
void flows_leaving(const struct flow_table *t, uint32_t index, enum flow_dir dir,
		   struct flow_key *out)
{
	struct flow_key other;

	flow_key(t, index, !dir, &other);
	ct_reply_key(&other, out);
}

/* Does the filter say by which mark or DSCP a packet is routed that cannot take the next hop which
 * its flow remembers? */
bool flows_routed_by_filter(const struct dp *dp, const struct pkt *p, const struct flow_half *own,
			    uint32_t generation)
{
	const struct rule_list *l = route_rules(&dp->cfg->iface[p->iface], p->flags & PKT_IP6);
	const struct filter *f = dp->policy->filter;

	return l && (l->marks || l->each) && own->fib_generation != generation && f &&
	       (filter_has(f, FILTER_RAW) || filter_has(f, FILTER_MANGLE));
}

/* Where rules route: what is remembered was found for packets like this one? */
static bool remembered_for(const struct dp *dp, const struct pkt *p, const struct flow *f,
			   enum flow_dir dir, const struct passage *g)
{
	const struct rule_list *l = route_rules(&dp->cfg->iface[p->iface], p->flags & PKT_IP6);

	return flow_came_by(flow_state(f), dir, p->iface) && !(l && l->marks && g);
}

/* Another way may be by another interface: rules about those are asked again. g: the packet's
 * passage, if the filter is asked about it. */
uint32_t flows_next_hop(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
			struct flow_half *own, uint32_t generation, const struct passage *g)
{
	struct flow *f = flow_at(dp->st->flows, index);
	bool stays = own->fib_generation == generation;
	struct flow_key to, leaves;
	uint32_t slot;

	if (stays && (!dp->cfg->ruled || remembered_for(dp, p, f, dir, g)))
		return own->nexthop;
	flow_key(dp->st->flows, index, dir, &to); /* sources are translated behind routing */
	flows_leaving(dp->st->flows, index, dir, &leaves);
	memcpy(to.dst, leaves.dst, sizeof(to.dst));
	to.dport = leaves.dport;
	slot = flows_route(dp, p, &to, g);
	if (stays && !flow_came_by(flow_state(f), dir, p->iface))
		return slot; /* of those that came by another interface something else holds */
	if (slot != own->nexthop || !flow_came_by(flow_state(f), dir, p->iface))
		__atomic_store_n(&f->judged[dir], 0, __ATOMIC_RELAXED);
	own->nexthop = slot;
	own->fib_generation = flows_remembered(dp, p, generation);
	return slot;
}
