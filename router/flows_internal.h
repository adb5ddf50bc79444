/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between flows.c (known flows), flows_act.c (what rules want done), flows_new.c (first packets,
 * fragments, ends) and flows_stateless.c (packets without a flow). [worker] `generation`: of the
 * next hop table, read at the begin of the burst. `ports`: of a fragment, else NULL. All of these
 * take the packet over. */
#ifndef ROUTER_FLOWS_INTERNAL_H
#define ROUTER_FLOWS_INTERNAL_H

#include <arpa/inet.h>

#include "router/net/frag.h"
#include "router/net/hooks.h"
#include "router/net/policy.h"
#include "router/net/route.h"
#include "router/net/rules.h"
#include "router/shape.h"

/* ---- flows.c */
void flows_known(struct dp *dp, struct pkt *p, const struct flow_key *key, uint32_t index,
		 enum flow_dir dir, const struct frag_ports *ports, uint32_t generation);
void flows_send(struct dp *dp, struct pkt *p, uint32_t slot);

/* How it leaves is how the other direction's tuple was sent. */
void flows_translate(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
		     const struct frag_ports *ports);

/* ---- flows_route.c */
/* g: the passage that has reached this point, or NULL. */
uint32_t flows_route(struct dp *dp, struct pkt *p, const struct flow_key *to,
		     const struct passage *g);
/* The generation under which a next hop is remembered: one that is over already, where rules route
 * by what other packets of the flow may not have. */
static inline uint32_t flows_remembered(const struct dp *dp, const struct pkt *p,
					uint32_t generation)
{
	const struct rule_list *l = route_rules(&dp->cfg->iface[p->iface], p->flags & PKT_IP6);
	bool marked = dp->qos && dp->qos->ingress >> dp->rx_port & 1;

	return __builtin_expect(l && (l->each || (l->marks && marked)), 0) ? generation - 1
									   : generation;
}
uint16_t flows_out(const struct dp *dp, const struct nh *n);
/* The tuple with which a packet of direction dir leaves. */
void flows_leaving(const struct flow_table *t, uint32_t index, enum flow_dir dir,
		   struct flow_key *out);
/* Does the filter say by which mark or DSCP a packet is routed that cannot take the next hop which
 * its flow remembers? */
bool flows_routed_by_filter(const struct dp *dp, const struct pkt *p, const struct flow_half *own,
			    uint32_t generation);
/* Of a packet of a flow; g: its passage, if the filter is asked about it. */
uint32_t flows_next_hop(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
			struct flow_half *own, uint32_t generation, const struct passage *g);

/* ---- flows_take.c */
/* Was this direction's last packet seen before Linux stood in for us? */
static inline bool flows_is_outdated(const struct stateful *st, const struct flow_half *own)
{
	uint32_t resumed = __atomic_load_n(&st->resumed, __ATOMIC_RELAXED);

	return resumed && (int32_t)(resumed - 1 - own->seen) >= 0;
}

/* ---- flows_act.c */
/* A stage has refused it. */
void flows_filtered(struct dp *dp, struct pkt *p, const struct filter_result *r);
void flows_set_dscp(struct pkt *p, uint8_t dscp);
void flows_mangle(struct dp *dp, struct pkt *p, const struct filter_result *r, const struct nh *n);

/* ---- flows_new.c */
/* Would forward() send it on? If not it drops it, with an error that must be about the packet as it
 * came, and there shall be no flow. */
bool flows_would_leave(const struct pkt *p, const struct nh *n);
void flows_new(struct dp *dp, struct pkt *p, const struct flow_key *key,
	       const struct frag_ports *ports, uint32_t generation);
void flows_fragment(struct dp *dp, struct pkt *p, uint16_t zone, uint32_t generation);

/* The port that is claimed for a flow, in host order; of a query its id. */
static inline uint16_t flows_outside_port(uint8_t proto, const struct flow_key *reply)
{
	return ntohs(proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? reply->sport
								      : reply->dport);
}

/* ---- flows_stateless.c */
/* What belongs to no connection and begins none. translated: the flow it claims is. */
void flows_invalid(struct dp *dp, struct pkt *p, const struct flow_key *key, bool translated);
void flows_untracked(struct dp *dp, struct pkt *p, const struct flow_key *key);
/* quoted: the tuple of the packet that the error p quotes, whose IP header is at `at`. */
void flows_related(struct dp *dp, struct pkt *p, const struct flow_key *quoted, uint16_t at);
/* What remains of the way after FILTER_RAW. */
void flows_invalid_on(struct dp *dp, struct pkt *p, struct passage *g, bool translated);
void flows_stateless(struct dp *dp, struct pkt *p, struct passage *g);
/* The tuple of a packet as its header has it, without ports. */
void flows_outer_key(const struct pkt *p, uint16_t zone, struct flow_key *k);

#endif
