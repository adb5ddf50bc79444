/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets without a flow of their own: untracked ones, invalid ones, and ICMP errors, which are
 * related to a flow. Rules judge each of them; nothing is remembered. [worker]
 */
#include <string.h>

#include "router/flows_internal.h"
#include "router/forward.h"
#include "router/net/hooks.h"
#include "router/net/l4.h"
#include "router/net/nat.h"
#include "router/shape.h"

/* Forward without a flow, if the remaining stages let it: nothing is remembered, nothing rewritten.
 */
void flows_stateless(struct dp *dp, struct pkt *p, struct passage *g)
{
	const struct nh *n;
	uint32_t slot;

	if (!passage_stage(g, FILTER_MANGLE) || !passage_stage(g, FILTER_DSTNAT)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	slot = flows_route(dp, p, &g->m.key, g);
	n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	if (!flows_would_leave(p, n)) {
		forward(dp, p, slot);
		return;
	}
	g->m.out = flows_out(dp, n);
	if (!passage_stage(g, FILTER_FORWARD) || !passage_stage(g, FILTER_POST) ||
	    !passage_stage(g, FILTER_SRCNAT)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	p->mark = g->m.mark;
	flows_mangle(dp, p, &g->r, n);
	flows_send(dp, p, slot);
}

/* What belongs to no connection and begins none. As Linux, it goes on if rules let it; but where
 * there is NAT, or the flow it claims is translated, it would leave with an inside address. */
void flows_invalid_on(struct dp *dp, struct pkt *p, struct passage *g, bool translated)
{
	g->m.ct = g->r.notrack ? CONF_CT_UNTRACKED : CONF_CT_INVALID;
	if (!g->r.notrack && (translated || dp->policy->nat)) {
		/* rules may count, log or drop it by name first */
		if (passage_stage(g, FILTER_MANGLE) && passage_stage(g, FILTER_DSTNAT) &&
		    passage_stage(g, FILTER_FORWARD))
			pkt_drop(dp, p, DROP_CT_INVALID);
		else
			flows_filtered(dp, p, &g->r);
		return;
	}
	flows_stateless(dp, p, g);
}

/* The same from the beginning. */
void flows_invalid(struct dp *dp, struct pkt *p, const struct flow_key *key, bool translated)
{
	struct passage g;

	passage_begin(&g, dp, p, key, CONF_CT_INVALID);
	if (passage_stage(&g, FILTER_RAW))
		flows_invalid_on(dp, p, &g, translated);
	else
		flows_filtered(dp, p, &g.r);
}

void flows_untracked(struct dp *dp, struct pkt *p, const struct flow_key *key)
{
	struct passage g;

	passage_begin(&g, dp, p, key, CONF_CT_UNTRACKED);
	if (passage_stage(&g, FILTER_RAW))
		flows_stateless(dp, p, &g);
	else
		flows_filtered(dp, p, &g.r);
}

/* The tuple of a packet as its headers have it, with ports if it is long enough to have them, for
 * rules look at them also where the rest is malformed. */
void flows_outer_key(const struct pkt *p, uint16_t zone, struct flow_key *k)
{
	memset(k, 0, sizeof(*k));
	k->zone = zone;
	k->proto = p->proto;
	if (p->flags & PKT_IP6) {
		k->family = AF_INET6;
		memcpy(k->src, pkt_ip6(p)->src, 16);
		memcpy(k->dst, pkt_ip6(p)->dst, 16);
	} else {
		k->family = AF_INET;
		memcpy(k->src, &pkt_ip4(p)->src, 4);
		memcpy(k->dst, &pkt_ip4(p)->dst, 4);
	}
	if (l4_nat_ports(p->proto) && !(p->flags & PKT_LATER_FRAG) && p->l4 && l4_len(p) >= 4) {
		k->sport = l4_load16(p->l3 + p->l4);
		k->dport = l4_load16(p->l3 + p->l4 + 2);
	}
}

/*
 * An ICMP error (requirements C11, I4-I7). What it quotes was sent in direction !d of a flow, after
 * translation; so the inverse of the quoted tuple is what arrives in direction d, and the error
 * travels in that direction. It must also be addressed to where packets of that direction are: else
 * anybody could have errors delivered by quoting a flow.
 */
void flows_related(struct dp *dp, struct pkt *p, const struct flow_key *quoted, uint16_t at)
{
	uint16_t zone = dp->cfg->iface[p->iface].zone;
	struct flow_table *t = dp->st->flows;
	struct flow_key arriving, arrives, was, outer, leaves;
	const struct nh *n;
	struct passage g;
	enum flow_dir dir;
	uint32_t index, slot;
	struct addr src, dst;
	bool six = p->flags & PKT_IP6;

	flows_outer_key(p, zone, &outer);
	ct_reply_key(quoted, &arriving);
	index = flow_lookup(t, &arriving, dp->tick, &dir);
	if (index == FLOW_NONE || memcmp(arriving.dst, outer.dst, sizeof(outer.dst)) != 0) {
		flows_invalid(dp, p, &outer, false);
		return;
	}
	flow_key(t, index, dir, &arrives);
	flow_key(t, index, !dir, &was);
	leaves = outer;
	memcpy(leaves.dst, was.src, sizeof(leaves.dst));
	if (memcmp(arrives.src, was.dst, sizeof(was.dst)) != 0)
		memcpy(leaves.src, was.dst, sizeof(leaves.src));
	passage_begin(&g, dp, p, &outer, CONF_CT_RELATED);
	g.m.status = passage_status(flow_state(flow_at(t, index)));
	g.r.ct_mark = flow_at(t, index)->mark;
	if (!passage_stage(&g, FILTER_RAW) || !passage_before(&g, &leaves)) {
		flows_filtered(dp, p, &g.r);
		return;
	}
	slot = flows_route(dp, p, &g.m.key, &g);
	n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	if (!passage_behind(&g, &leaves, flows_out(dp, n))) {
		flows_filtered(dp, p, &g.r);
		return;
	}
	if (flow_state(flow_at(t, index)) & (FLOW_SNAT | FLOW_DNAT)) {
		src = six ? addr_v6(leaves.src) : (struct addr){ .family = AF_INET };
		dst = six ? addr_v6(leaves.dst) : (struct addr){ .family = AF_INET };
		if (!six) {
			memcpy(&src.v4, leaves.src, 4);
			memcpy(&dst.v4, leaves.dst, 4);
		}
		nat_rewrite_error(p, at, &was, &src, &dst);
	}
	p->mark = g.m.mark;
	p->flow = shape_flow(index, dir);
	p->flags |= PKT_RELATED;
	flows_mangle(dp, p, &g.r, n);
	flows_send(dp, p, slot);
}
