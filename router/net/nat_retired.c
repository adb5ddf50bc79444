/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See nat_retired.h. */
#include "router/net/nat_retired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/nat_internal.h"

struct nat_pair {
	struct prefix external, internal;
};

/* ---- which pairs */

static bool has_pair(const struct nat *n, const struct nat_pair *p)
{
	unsigned first = n ? n->nsource + n->ndestination : 0;

	for (unsigned i = 0; n && i < n->nstatic; i++)
		if (prefix_equal(&n->rule[first + i].external, &p->external) &&
		    prefix_equal(&n->rule[first + i].internal, &p->internal))
			return true;
	return false;
}

/* The router's, or a pool's whoever has it? Without rules nobody knows. */
static bool has_address(const struct nat *n, const struct addr *a)
{
	return n && (nat_local_find(n, a) < n->nlocal ||
		     natport_slots_have(&n->outside, natports_find(n->ports, a)));
}

static void forget_those_back(struct nat_retired *r, const struct nat *now)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < r->npairs; i++)
		if (!has_pair(now, &r->pair[i]))
			r->pair[kept++] = r->pair[i];
	r->npairs = kept;
	kept = 0;
	for (unsigned i = 0; i < r->nlost; i++)
		if (!has_address(now, &r->lost[i]))
			r->lost[kept++] = r->lost[i];
	r->nlost = kept;
}

static int lose(struct nat_retired *r, const struct nat *old, const struct nat *now)
{
	unsigned n = old && now ? old->nlocal : 0;
	struct addr *all = reallocarray(r->lost, r->nlost + n + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	r->lost = all;
	for (unsigned i = 0; i < n; i++) {
		if (has_address(now, &old->local[i].addr))
			continue;
		r->lost[r->nlost++] = old->local[i].addr;
		r->cursor = 0;
	}
	return 0;
}

int nat_retire(struct nat_retired *r, const struct nat *old, const struct nat *now)
{
	unsigned first = old ? old->nsource + old->ndestination : 0, n = old ? old->nstatic : 0;
	struct nat_pair *all;

	forget_those_back(r, now);
	if (lose(r, old, now))
		return -ENOMEM;
	all = reallocarray(r->pair, r->npairs + n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	r->pair = all;
	for (unsigned i = 0; i < n; i++) {
		const struct nat_rule *rule = &old->rule[first + i];
		struct nat_pair p = { rule->external, rule->internal };

		if (has_pair(now, &p))
			continue;
		r->pair[r->npairs++] = p;
		r->cursor = 0; /* from the beginning, for all */
	}
	return 0;
}

/* ---- which flows */

/* Is `inside` what the pair makes of `outside`? */
static bool maps(const struct nat_pair *p, uint8_t family, const uint8_t outside[16],
		 const uint8_t inside[16])
{
	struct addr a = { .family = family }, b = { .family = family };
	unsigned whole = p->external.len / 8, rest = p->external.len % 8,
		 bytes = family == AF_INET6 ? 16 : 4;

	memcpy(a.bytes, outside, bytes);
	memcpy(b.bytes, inside, bytes);
	if (!prefix_contains(&p->external, &a) || !prefix_contains(&p->internal, &b))
		return false;
	if (rest && (a.bytes[whole] ^ b.bytes[whole]) & 0xff >> rest)
		return false;
	whole += rest != 0;
	return !memcmp(a.bytes + whole, b.bytes + whole, bytes - whole);
}

/* From outside to the pair's address, or from inside by it: by its own port then, none is claimed
 * for it. */
static bool is_session(const struct flow_table *t, uint32_t index, const struct nat_pair *p)
{
	const struct flow *f = flow_at(t, index);
	uint32_t state = flow_state(f);
	struct flow_key orig, reply;

	flow_key(t, index, FLOW_ORIG, &orig);
	flow_key(t, index, FLOW_REPLY, &reply);
	return (state & FLOW_DNAT && maps(p, f->family, orig.dst, reply.src)) ||
	       (state & FLOW_SNAT && !f->nat_slot && maps(p, f->family, reply.dst, orig.src));
}

/* Is it seen outside by this address? */
static bool is_by(const struct flow_table *t, uint32_t index, const struct addr *a)
{
	uint32_t state = flow_state(flow_at(t, index));
	size_t bytes = a->family == AF_INET6 ? 16 : 4;
	struct flow_key orig, reply;

	flow_key(t, index, FLOW_ORIG, &orig);
	flow_key(t, index, FLOW_REPLY, &reply);
	return orig.family == a->family &&
	       ((state & FLOW_SNAT && !memcmp(reply.dst, a->bytes, bytes)) ||
		(state & FLOW_DNAT && !memcmp(orig.dst, a->bytes, bytes)));
}

static bool is_retired(const struct nat_retired *r, const struct flow_table *t, uint32_t index)
{
	for (unsigned i = 0; i < r->npairs; i++)
		if (is_session(t, index, &r->pair[i]))
			return true;
	for (unsigned i = 0; i < r->nlost; i++)
		if (is_by(t, index, &r->lost[i]))
			return true;
	return false;
}

bool nat_retired_walk(struct nat_retired *r, struct flow_table *t, unsigned budget)
{
	while (r->npairs + r->nlost && budget--) {
		uint32_t index = flow_walk(t, &r->cursor);

		if (index == FLOW_NONE) {
			nat_retired_fini(r);
			break;
		}
		if (is_retired(r, t, index))
			flow_kill(t, index);
	}
	return r->npairs + r->nlost;
}

void nat_retired_fini(struct nat_retired *r)
{
	free(r->pair);
	free(r->lost);
	*r = (struct nat_retired){ 0 };
}
