/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which outside addresses NAT rules hold slots of, and which ports they reserve there. [control]
 *
 * Pools, the first addresses of interfaces that are masqueraded by, and the router's addresses that
 * are forwarded from must have slots; other interfaces' addresses get some of what is left, for
 * hairpins.
 *
 * A port that is forwarded must be steered to us by XDP and never be given to a flow, on each of
 * our outside addresses that the rule means. A rule that forwards all ports would leave none to
 * masquerading on the same address: it reserves those that no source rule may choose there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/nat_internal.h"

struct ports {
	uint64_t word[NATPORT_WORDS];
};

static void ports_set(struct ports *s, uint32_t first, uint32_t last, bool on)
{
	for (uint32_t port = first; port <= last; port++) {
		uint64_t bit = 1ull << port % 64;

		if (on)
			s->word[port / 64] |= bit;
		else
			s->word[port / 64] &= ~bit;
	}
}

static bool ports_have(const struct ports *s, uint32_t port)
{
	return s->word[port / 64] >> port % 64 & 1;
}

/* ---- what destination rules mean */

static bool in_addresses(const struct conf_addresses *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->nranges; i++)
		if (addr_cmp(&s->ranges[i].first, a) <= 0 && addr_cmp(a, &s->ranges[i].last) <= 0)
			return !s->negate;
	return s->negate;
}

static bool means(const struct nat *n, unsigned i, const struct conf_match *m, const struct addr *a)
{
	if (m->to.set[0])
		return nat_local_find(n, a) < n->nlocal;
	if (m->to.nranges)
		return in_addresses(&m->to, a);
	for (unsigned k = nat_local_find(n, a); k < n->nlocal; k++) {
		if (!addr_equal(&n->local[k].addr, a))
			break;
		if (!n->rule[n->nsource + i].has_in ||
		    has_interface(n->destination_in, i, n->local[k].iface))
			return true;
	}
	return false;
}

/* ---- slots */

static uint16_t hold(struct nat *n, const struct addr *a)
{
	uint16_t slot = natports_hold(n->ports, a);

	if (slot == NATPORT_NO_SLOT)
		return slot;
	if (natport_slots_have(&n->outside, slot))
		natports_let_go(n->ports, slot); /* once is enough */
	natport_slots_add(&n->outside, slot);
	return slot;
}

static int too_many(const struct nat *n, const struct nat_rule *r, char *why, size_t size)
{
	unsigned i = (unsigned)(r - n->rule);

	snprintf(why, size, "nat.%s %s: more than %u outside addresses in all",
		 i < n->nsource			    ? "source"
		 : i < n->nsource + n->ndestination ? "destination"
						    : "static",
		 r->name, NATPORT_SLOTS);
	return -ENOSPC;
}

/* A slot of its own for a rule. */
static int hold_for(struct nat *n, struct nat_rule *r, const struct addr *a, uint16_t *out,
		    char *why, size_t size)
{
	unsigned family = family_index(a->family);
	uint16_t slot = hold(n, a), *all;

	if (slot == NATPORT_NO_SLOT)
		return too_many(n, r, why, size);
	*out = slot;
	if (natport_slots_have(&r->slots, slot))
		return 0;
	all = reallocarray(r->slot[family], r->nslots[family] + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	r->slot[family] = all;
	all[r->nslots[family]++] = slot;
	natport_slots_add(&r->slots, slot);
	return 0;
}

static int hold_pool_range(struct nat *n, struct nat_rule *r, const struct conf_range *range,
			   char *why, size_t size)
{
	uint64_t addresses = nat_range_size(range);
	int rc = 0;

	if (addresses > NATPORT_SLOTS)
		return too_many(n, r, why, size);
	for (uint64_t k = 0; k < addresses && !rc; k++) {
		struct addr a = nat_addr_add(&range->first, k);
		uint16_t slot;

		rc = hold_for(n, r, &a, &slot, why, size);
	}
	return rc;
}

static int hold_pools(struct nat *n, const struct conf *c, char *why, size_t size)
{
	int rc = 0;

	for (unsigned i = 0; i < n->nsource; i++)
		for (unsigned k = 0;
		     n->rule[i].kind == CONF_NAT_POOL && !rc && k < c->nat_source[i].npool; k++)
			rc = hold_pool_range(n, &n->rule[i], &c->nat_source[i].pool[k], why, size);
	return rc;
}

/* The interfaces rule i masquerades by. */
static int hold_masquerade(struct nat *n, unsigned i, char *why, size_t size)
{
	struct nat_rule *r = &n->rule[i];
	int rc = 0;

	for (unsigned k = 0; k < 2 * n->nown && !rc; k++) {
		struct nat_own *o = &n->own[k % 2][k / 2];

		if (o->addr.family &&
		    (!r->has_out || has_interface(n->source_out, i, (uint16_t)(k / 2))))
			rc = hold_for(n, r, &o->addr, &o->slot, why, size);
	}
	return rc;
}

/* Does destination or static rule i, counted through both, forward from this address? */
static bool forwards(const struct nat *n, const struct conf *c, unsigned i, const struct addr *a)
{
	if (i >= n->ndestination)
		return prefix_contains(&c->nat_static[i - n->ndestination].external, a);
	return c->nat_destination[i].kind == CONF_NAT_DESTINATION &&
	       means(n, i, &c->nat_destination[i].match, a);
}

/* Addresses of the router that are forwarded from: XDP must know the ports. */
static int hold_forwarded(struct nat *n, const struct conf *c, char *why, size_t size)
{
	for (unsigned i = 0; i < n->ndestination + n->nstatic; i++)
		for (unsigned k = 0; k < n->nlocal; k++)
			if (forwards(n, c, i, &n->local[k].addr) &&
			    hold(n, &n->local[k].addr) == NATPORT_NO_SLOT)
				return too_many(n, &n->rule[n->nsource + i], why, size);
	return 0;
}

/* For hairpins without a source rule. The next configuration needs room beside this one. */
static void hold_others(struct nat *n)
{
	unsigned held = 0;

	for (unsigned i = 0; i < NATPORT_SLOTS / 64; i++)
		held += (unsigned)__builtin_popcountll(n->outside.word[i]);
	for (unsigned k = 0; k < 2 * n->nown; k++) {
		struct nat_own *o = &n->own[k % 2][k / 2];

		if (o->addr.family && o->slot == NATPORT_NO_SLOT && held++ < NATPORT_SLOTS / 4)
			o->slot = hold(n, &o->addr);
	}
}

/* ---- reserved ports */

static int reserve_range(struct nat *n, uint16_t slot, unsigned plane, uint32_t first,
			 uint32_t last)
{
	struct nat_reserved *all = reallocarray(n->reserved, n->nreserved + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	n->reserved = all;
	all[n->nreserved++] =
		(struct nat_reserved){ slot, (uint16_t)first, (uint16_t)last, (uint8_t)plane };
	if (!natports_reserve(n->ports, slot, (enum natport_plane)plane, (uint16_t)first,
			      (uint16_t)last, true))
		return 0;
	n->nreserved--;
	return -ENOMEM;
}

static int reserve(struct nat *n, uint16_t slot, unsigned plane, const struct ports *s)
{
	int rc = 0;

	for (uint32_t port = 1; port <= UINT16_MAX && !rc; port++) {
		uint32_t first = port;

		while (port <= UINT16_MAX && ports_have(s, port))
			port++;
		if (port > first)
			rc = reserve_range(n, slot, plane, first, port - 1);
	}
	return rc;
}

/* All ports that no source rule may choose on this slot. */
static void ports_left(const struct nat *n, uint16_t slot, unsigned plane, struct ports *out)
{
	ports_set(out, 1, UINT16_MAX, true);
	for (unsigned i = 0; i < n->nsource; i++) {
		const struct nat_rule *r = &n->rule[i];

		if (!natport_slots_have(&r->slots, slot))
			continue;
		if (r->last)
			ports_set(out, r->first, r->last, false);
		else
			ports_set(out, plane == NATPORT_ICMP ? 1 : 1024, UINT16_MAX, false);
	}
}

/* Those a destination rule forwards. */
static void ports_forwarded(const struct nat *n, const struct conf_match *m, uint16_t slot,
			    unsigned plane, struct ports *out)
{
	bool some = m->dport.nranges && plane != NATPORT_ICMP;

	*out = (struct ports){ 0 };
	if (!some || m->dport.negate)
		ports_left(n, slot, plane, out);
	for (unsigned i = 0; some && i < m->dport.nranges; i++)
		ports_set(out, m->dport.ranges[i].first, m->dport.ranges[i].last, !m->dport.negate);
}

static bool has_plane(const struct conf_match *m, unsigned plane)
{
	for (unsigned i = 0; i < m->nprotos; i++)
		if (natport_plane_of(m->protos[i]) == (int)plane)
			return true;
	/* with ports and no protocol it is of those that have some */
	return !m->nprotos && (plane != NATPORT_ICMP || !(m->dport.nranges || m->dport.set[0]));
}

/* What destination or static rule i forwards on one slot. */
static int reserve_rule(struct nat *n, const struct conf *c, unsigned i, uint16_t slot)
{
	const struct conf_match *m = i < n->ndestination ? &c->nat_destination[i].match : NULL;
	struct ports s;
	int rc = 0;

	for (unsigned plane = 0; plane < NATPORT_PLANES && !rc; plane++) {
		if (m && !has_plane(m, plane))
			continue;
		if (m)
			ports_forwarded(n, m, slot, plane, &s);
		else
			ports_left(n, slot, plane, &s);
		rc = reserve(n, slot, plane, &s);
	}
	return rc;
}

static int reserve_slot(struct nat *n, const struct conf *c, uint16_t slot)
{
	struct addr a = natports_addr(n->ports, slot);
	int rc = 0;

	for (unsigned i = 0; i < n->ndestination + n->nstatic && !rc; i++)
		if (forwards(n, c, i, &a))
			rc = reserve_rule(n, c, i, slot);
	return rc;
}

int nat_ports_init(struct nat *n, const struct conf *c, char *why, size_t size)
{
	int rc = 0;

	for (unsigned i = 0; i < n->nsource && !rc; i++)
		if (n->rule[i].kind == CONF_NAT_MASQUERADE)
			rc = hold_masquerade(n, i, why, size);
	if (!rc)
		rc = hold_pools(n, c, why, size);
	if (!rc)
		rc = hold_forwarded(n, c, why, size);
	if (!rc)
		hold_others(n);
	for (uint16_t slot = 0; slot < NATPORT_SLOTS && !rc; slot++)
		if (natport_slots_have(&n->outside, slot))
			rc = reserve_slot(n, c, slot);
	if (rc == -ENOMEM)
		snprintf(why, size, "out of memory");
	return rc;
}

void nat_ports_fini(struct nat *n)
{
	while (n->nreserved) {
		const struct nat_reserved *r = &n->reserved[--n->nreserved];

		natports_reserve(n->ports, r->slot, (enum natport_plane)r->plane, r->first, r->last,
				 false);
	}
	free(n->reserved);
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++)
		if (natport_slots_have(&n->outside, slot))
			natports_let_go(n->ports, slot);
}
