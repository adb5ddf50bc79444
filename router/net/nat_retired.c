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

static void forget_those_back(struct nat_retired *r, const struct nat *now)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < r->npairs; i++)
		if (!has_pair(now, &r->pair[i]))
			r->pair[kept++] = r->pair[i];
	r->npairs = kept;
}

int nat_retire(struct nat_retired *r, const struct nat *old, const struct nat *now)
{
	unsigned first = old ? old->nsource + old->ndestination : 0, n = old ? old->nstatic : 0;
	struct nat_pair *all;

	forget_those_back(r, now);
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

bool nat_retired_walk(struct nat_retired *r, struct flow_table *t, unsigned budget)
{
	while (r->npairs && budget--) {
		uint32_t index = flow_walk(t, &r->cursor);

		if (index == FLOW_NONE) {
			nat_retired_fini(r);
			break;
		}
		for (unsigned i = 0; i < r->npairs; i++)
			if (is_session(t, index, &r->pair[i])) {
				flow_kill(t, index);
				break;
			}
	}
	return r->npairs;
}

void nat_retired_fini(struct nat_retired *r)
{
	free(r->pair);
	*r = (struct nat_retired){ 0 };
}
