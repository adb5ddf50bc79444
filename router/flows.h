/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stateful forwarding: the packet path between parsing and the next hop when there is a policy
 * (net/policy.h). [worker]
 *
 *	classify -> look flows up (a burst at a time) -> of a known flow: track, judge again if the
 *	rules are other ones, rewrite, forward by the next hop it remembers
 *	-> of an unknown one: the chains in Linux's order (raw, tracking, mangle, destination NAT,
 *	route, forward, source NAT), then the flow is made
 */
#ifndef ROUTER_FLOWS_H
#define ROUTER_FLOWS_H

#include "router/net/dp.h"
#include "router/net/flow.h"

/* n <= BURST packets, of one family, parsed; there is a dp->policy. Takes ownership of all. */
void flows_run(struct dp *dp, struct pkt *p, unsigned n);

/* A translated packet as it was before: for errors about it. */
void flows_restore(struct dp *dp, struct pkt *p);

/* Linux has stood in for us until now (beat.h): what we remember of the windows of connections is
 * out of date. */
void flows_resume(struct stateful *st, uint32_t tick);

/* [control] NAT's ports of a process that was killed become what its flows hold: natports_repair().
 * No worker runs. */
void flows_repair_ports(struct stateful *st);

/* Connections that Linux alone knows, to become flows of ours. Those that we know stay as they are.
 */
struct flow_taken {
	struct flow_key orig, reply;
	uint32_t state; /* FLOW_TCP_STATE, FLOW_REPLIED, FLOW_ASSURED, FLOW_SNAT, FLOW_DNAT */
};
struct flows_taking {
	const struct flow_taken *flow;
	unsigned n, at; /* how many, and which is next */
	unsigned refused;
};
/* There is a dp->policy. Some of them at a time; true: that was all. */
bool flows_take(struct dp *dp, struct flows_taking *taking);

/* Each loop: what has expired. */
void flows_upkeep(struct dp *dp);
/* How long an idle worker may sleep before it looks again; -1: there is nothing to expire. */
int flows_sleep_ms(const struct dp *dp);

#endif
