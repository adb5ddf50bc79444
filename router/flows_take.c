// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that Linux carried on while it stood in for us: see flows.h. [worker]
 *
 * Those that we know have moved on without us. Each half was written by its own worker and stays
 * so: it forgets its window when its next packet comes, if its last one is from before the end of
 * the lapse (flows_is_outdated()). From then on the connection counts as picked up in the middle.
 *
 * Those that we do not know become flows of ours, with the outside port that they have. Their
 * inside endpoint gets a mapping there, as if it had come to us first; where Linux gave one port to
 * more than one inside endpoint, they all count on the mapping of the first. A port that cannot be
 * had at all, because a rule forwards it, stays the rule's.
 */
#include <arpa/inet.h>
#include <string.h>

#include "router/flows.h"
#include "router/flows_internal.h"

#define TAKEN_A_TURN 64 /* some 30 us */

void flows_resume(struct stateful *st, uint32_t tick)
{
	__atomic_store_n(&st->resumed, tick + 1, __ATOMIC_RELAXED);
}

static struct addr addr_of(const struct flow_key *k, const uint8_t bytes[16])
{
	struct addr a = { .family = k->family };

	memcpy(a.bytes, bytes, k->family == AF_INET6 ? 16 : 4);
	return a;
}

/* Its outside port, in the name of its inside endpoint. False: it has none of ours. */
static bool claim(struct dp *dp, const struct flow_taken *e, uint16_t *slot, uint16_t *port)
{
	int plane = natport_plane_of(e->orig.proto);
	struct addr outside = addr_of(&e->reply, e->reply.dst);
	struct natport_inside in = { .addr = addr_of(&e->orig, e->orig.src),
				     .port = ntohs(e->orig.sport),
				     .proto = e->orig.proto,
				     .zone = e->orig.zone };
	uint16_t own = ntohs(plane == NATPORT_ICMP ? e->reply.sport : e->reply.dport);
	struct natport_want w = { .port = own, .keep = true, .filtering = CONF_FILTERING_APDF };
	struct natport_slots only = { { 0 } };
	struct natports *ports = dp->st->ports;

	*slot = natports_find(ports, &outside);
	*port = own;
	if (!(e->state & FLOW_SNAT) || plane < 0 || *slot == NATPORT_NO_SLOT)
		return false;
	natport_slots_add(&only, *slot);
	if (!natmap_make(ports, &in, &only, slot, &w, 0, port)) {
		if (*port == own)
			return true;
		natport_done(ports, *slot, (enum natport_plane)plane, *port);
		*port = own;
	}
	return natmap_hold(ports, *slot, (enum natport_plane)plane, own) ||
	       natport_claim_one(ports, *slot, (enum natport_plane)plane, own);
}

static void give_back(struct dp *dp, uint8_t proto, uint16_t slot, uint16_t port)
{
	natport_done(dp->st->ports, slot, (enum natport_plane)natport_plane_of(proto), port);
}

/* The record, private to us still. */
static void fill(struct dp *dp, uint32_t index, const struct flow_taken *e)
{
	struct flow *f = flow_at(dp->st->flows, index);
	struct flow_half *half[2] = { flow_half_of(f, FLOW_ORIG), flow_half_of(f, FLOW_REPLY) };
	const struct flow_key *tuple[2] = { &e->orig, &e->reply };
	uint32_t timeout = ct_taken(&dp->policy->ct, f, e->state);

	for (int d = 0; d < 2; d++) {
		struct flow_key leaves;

		half[d]->seen = dp->tick;
		half[d]->timeout = timeout;
		ct_reply_key(tuple[!d], &leaves);
		nat_deltas(tuple[d], &leaves, &half[d]->l3_delta, &half[d]->l4_delta);
	}
}

static bool take(struct dp *dp, const struct flow_taken *e)
{
	struct flow_table *t = dp->st->flows;
	enum flow_refusal why;
	uint16_t slot, port;
	enum flow_dir dir;
	uint32_t index;
	bool claimed;

	if (flow_lookup(t, &e->orig, dp->tick, &dir) != FLOW_NONE)
		return true; /* we have known it all the time */
	if (!flow_zone_take(t, e->orig.zone, dp->policy->per_zone_max))
		return false;
	index = flow_new(t, dp->worker, &e->orig, &e->reply, dp->tick, &why);
	if (index == FLOW_NONE) {
		flow_zone_give(t, e->orig.zone);
		return false;
	}
	fill(dp, index, e);
	claimed = claim(dp, e, &slot, &port);
	flow_at(t, index)->nat_slot = claimed ? slot + 1 : 0;
	if (flow_commit(t, index, dp->tick, &why) == index) {
		dp->made++;
		return true;
	}
	if (why != FLOW_OK) /* private still; else another worker has it, and ours is gone */
		flow_discard(t, index);
	if (claimed)
		give_back(dp, e->orig.proto, slot, port);
	flow_zone_give(t, e->orig.zone);
	return why == FLOW_OK;
}

bool flows_take(struct dp *dp, struct flows_taking *taking)
{
	for (unsigned i = 0; i < TAKEN_A_TURN && taking->at < taking->n; i++, taking->at++) {
		flow_change_begin(dp->st->flows, dp->worker);
		taking->refused += !take(dp, &taking->flow[taking->at]);
		flow_change_end(dp->st->flows, dp->worker);
	}
	return taking->at == taking->n;
}
