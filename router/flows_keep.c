/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What flows hold of NAT's ports, told to whom makes these anew after a kill. It is what gone()
 * (flows_new.c) will give back when the flow ends: a port claimed for it or of a mapping, a permit,
 * and the mapping that let it in. [control]
 */
#include <string.h>

#include "router/flows.h"
#include "router/flows_internal.h"

struct walk {
	struct stateful *st;
	uint32_t cursor;
};

static struct addr addr_of(const struct flow_key *k, const uint8_t bytes[16])
{
	struct addr a = { .family = k->family };

	memcpy(a.bytes, bytes, k->family == AF_INET6 ? 16 : 4);
	return a;
}

static void claim_of(const struct flow *f, const struct flow_key *orig,
		     const struct flow_key *reply, struct natport_use *use)
{
	int plane = natport_plane_of(f->proto);

	if (!f->nat_slot || plane < 0)
		return;
	use->claim.slot = f->nat_slot - 1;
	use->claim.plane = (uint8_t)plane;
	use->claim.port = flows_outside_port(f->proto, reply);
	use->outside = addr_of(reply, reply->dst);
	use->inside = addr_of(orig, orig->src);
	use->remote = addr_of(reply, reply->src);
	use->permit = f->nat_rule & FLOW_PERMIT;
}

static void lost(void *arg, const struct natport_use *use)
{
	struct walk *w = arg;
	struct flow *f = flow_at(w->st->flows, use->id);

	if (use->claim.slot == NATPORT_NO_SLOT)
		f->nat_slot = 0;
	if (use->mapping.slot == NATPORT_NO_SLOT)
		__atomic_fetch_and(&f->state, ~FLOW_MAPPED, __ATOMIC_RELAXED);
	flow_kill(w->st->flows, use->id);
}

static bool next(void *arg, struct natport_use *use)
{
	struct walk *w = arg;
	struct flow_table *t = w->st->flows;
	const struct flow *f;
	struct flow_key orig, reply;
	uint32_t index;

	do {
		index = flow_walk(t, &w->cursor);
		if (index == FLOW_NONE)
			return false;
		f = flow_at(t, index);
	} while (!f->nat_slot && !(flow_state(f) & FLOW_MAPPED));
	*use = (struct natport_use){ .id = index,
				     .claim.slot = NATPORT_NO_SLOT,
				     .mapping.slot = NATPORT_NO_SLOT };
	flow_key(t, index, FLOW_ORIG, &orig);
	flow_key(t, index, FLOW_REPLY, &reply);
	claim_of(f, &orig, &reply, use);
	if (flow_state(f) & FLOW_MAPPED) {
		use->mapping = nat_mapping_of(w->st->ports, &orig);
		if (use->mapping.slot == NATPORT_NO_SLOT)
			lost(w, use);
	}
	return true;
}

void flows_repair_ports(struct stateful *st)
{
	struct walk w = { .st = st };
	const struct natport_flows flows = { next, lost, &w };

	natports_repair(st->ports, &flows);
}
