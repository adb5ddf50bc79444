/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports after a process that was killed while it changed them.
 *
 * What is true then? The flows that live on say which ports they have. Whether a port is of a
 * mapping, with which scope and filtering, its record says, if it is live (NATMAP_LIVE); a flow
 * whose port has no live record has it for itself. Everything else is made anew from these two:
 * chains, counts, permits, chunks, and the bits. So what was claimed for a flow that never came to
 * be, or a mapping that just ended, is free afterwards.
 *
 * XDP goes on steering by `taken` meanwhile. What will be taken is gathered in `held`, and then
 * each word of `taken` is written once, if it differs.
 *
 * The records and flows are read and not changed, but for those that nobody needs: after a kill in
 * the middle of it all begins anew, to the same end. And whatever bytes a record has, it can only
 * lose itself: indexes come from our own counting, and chains are followed once we have made them.
 * [control]
 */
#include "router/net/natport_internal.h"

/* ---- a clean table */

/* Heads in a shard that nobody touched are zero, but who knows. */
static void clear(const struct natports *n, void *at, size_t bytes)
{
	if (!natport_give_back(n, at, bytes))
		memset(at, 0, bytes);
}

/* Nobody holds a lock, nothing is in a chain, no port is any flow's. */
static void begin(struct natports *n)
{
	n->head->pool.lock = 0;
	memset(n->shard, 0, NATPORT_SHARDS * sizeof(*n->shard));
	memset(n->stripe, 0, NATPORT_SHARDS * sizeof(*n->stripe));
	clear(n, n->in, n->head->layout.in_heads * sizeof(*n->in));
	clear(n, n->out, n->head->layout.out_heads * sizeof(*n->out));
	clear(n, n->held, NATPORT_ALL_WORDS * sizeof(*n->held));
}

/* ---- what flows hold */

static bool hold(struct natports *n, uint32_t id)
{
	uint64_t *word = &n->held[port_word(id)], bit = port_bit(id);
	bool was = *word & bit;

	*word |= bit;
	return !was;
}

/* Is this a port of that address? */
static bool is_port(const struct natports *n, const struct natport_outside *o, const struct addr *a)
{
	struct addr of;

	if (o->slot >= NATPORT_SLOTS || o->plane >= NATPORT_PLANES || !o->port ||
	    !slot_is_used(&n->slot[o->slot]))
		return false;
	of = natports_addr(n, o->slot);
	return addr_equal(&of, a);
}

/* The record of the port, if it is this endpoint's; NULL: the port is for one flow alone. */
static struct natmap *mapping_of(const struct natports *n, uint32_t id, const struct addr *inside)
{
	struct natmap *m = natmap_by_outside(n, id);
	struct addr a;

	if (!m)
		return NULL;
	a = natmap_addr(m);
	return addr_equal(&a, inside) ? m : NULL;
}

/* Its port is its own, or that of its endpoint's mapping. */
static bool claim(struct natports *n, const struct natport_use *u)
{
	uint32_t id = natport_id(u->claim.slot, (enum natport_plane)u->claim.plane, u->claim.port);
	struct natmap *m;

	if (!is_port(n, &u->claim, &u->outside))
		return false;
	m = mapping_of(n, id, &u->inside);
	if (!hold(n, id) && !(m && m->flows))
		return false; /* another flow says so, too */
	if (m)
		m->flows++;
	if (u->permit)
		natmap_permit(n, u->claim.slot, (enum natport_plane)u->claim.plane, u->claim.port,
			      &u->remote, true);
	return true;
}

/* A mapping let it in. */
static bool count(struct natports *n, const struct natport_use *u)
{
	const struct natport_outside *o = &u->mapping;
	struct natmap *m;
	uint32_t id;

	if (o->slot >= NATPORT_SLOTS || o->plane >= NATPORT_PLANES)
		return false;
	id = natport_id(o->slot, (enum natport_plane)o->plane, o->port);
	m = natmap_by_outside(n, id);
	if (!m || (!hold(n, id) && !m->flows))
		return false;
	m->flows++;
	return true;
}

static void use(struct natports *n, struct natport_use *u, const struct natport_flows *flows)
{
	bool lost = false;

	if (u->claim.slot != NATPORT_NO_SLOT && !claim(n, u)) {
		u->claim.slot = NATPORT_NO_SLOT;
		lost = true;
	}
	if (u->mapping.slot != NATPORT_NO_SLOT && !count(n, u)) {
		u->mapping.slot = NATPORT_NO_SLOT;
		lost = true;
	}
	if (lost)
		flows->lost(flows->arg, u);
}

/* A burst: what its ports are found by comes into the cache for all of them at a time. */
static bool use_burst(struct natports *n, const struct natport_flows *flows)
{
	struct natport_outside outside[FLOW_BURST];
	struct natport_use u[FLOW_BURST];
	unsigned got = 0, claims = 0;

	while (got < FLOW_BURST && flows->next(flows->arg, &u[got])) {
		if (u[got].claim.slot < NATPORT_SLOTS && u[got].claim.plane < NATPORT_PLANES)
			outside[claims++] = u[got].claim;
		got++;
	}
	natport_prefetch(n, outside, claims);
	for (unsigned i = 0; i < got; i++)
		use(n, &u[i], flows);
	return got == FLOW_BURST;
}

/* ---- bits */

static void plane_settle(struct natports *n, uint16_t slot, enum natport_plane plane)
{
	uint32_t base = natport_id(slot, plane, 0);
	size_t first = port_word(base);

	for (size_t i = first; i < first + NATPORT_WORDS; i++) {
		uint64_t taken = n->reserved[i] | n->held[i];

		if (n->taken[i] != taken)
			__atomic_store_n(&n->taken[i], taken, __ATOMIC_RELEASE);
		if (n->held[i])
			n->held[i] &= n->reserved[i];
	}
	state_of(n, base)->released++; /* there may be ports again where there were none */
}

void natports_repair(struct natports *n, const struct natport_flows *flows)
{
	begin(n);
	natmap_chunks_adopt(n);
	while (use_burst(n, flows))
		;
	natmap_chunks_sweep(n);
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++)
		for (unsigned plane = 0; slot_is_used(&n->slot[slot]) && plane < NATPORT_PLANES;
		     plane++)
			plane_settle(n, slot, (enum natport_plane)plane);
	natport_change_end(n);
}
