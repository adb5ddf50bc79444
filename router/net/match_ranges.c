/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules say, as ranges of numbers, for match_table.c. [control]
 *
 * A list is first made sorted ranges apart from each other; its negation is what they leave of the
 * numbers that the dimension has: a port can be no port at all (MATCH_NO_PORT), which neither a
 * list of ports nor its negation allows; an interface can be none (0), which a negation allows.
 * Each list of addresses speaks of the families it has addresses of, negated or not.
 */
#include "router/net/match_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX (~(unsigned __int128)0)

static int add(struct match_ranges *r, unsigned __int128 first, unsigned __int128 last)
{
	if (r->n == r->room) {
		unsigned room = r->room ? 2 * r->room : 4;
		struct match_range *v = realloc(r->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->v = v;
		r->room = room;
	}
	r->v[r->n++] = (struct match_range){ first, last };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct match_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sort, and join what overlaps or touches. */
static void normalise(struct match_ranges *r)
{
	unsigned n = 0;

	if (!r->n)
		return;
	qsort(r->v, r->n, sizeof(*r->v), compare);
	for (unsigned i = 1; i < r->n; i++) {
		struct match_range *end = &r->v[n], *next = &r->v[i];

		if (end->last == NUMBER_MAX || next->first <= end->last + 1)
			end->last = next->last > end->last ? next->last : end->last;
		else
			r->v[++n] = *next;
	}
	r->n = n + 1;
}

/* What normalised ranges leave of 0..max, in their place. */
static int complement(struct match_ranges *r, unsigned __int128 max)
{
	struct match_ranges rest = { 0 };
	unsigned __int128 from = 0;
	int rc = 0;

	for (unsigned i = 0; i < r->n && !rc; i++) {
		if (r->v[i].first > from)
			rc = add(&rest, from, r->v[i].first - 1);
		if (r->v[i].last >= max)
			goto done;
		from = r->v[i].last + 1;
	}
	if (!rc)
		rc = add(&rest, from, max);
done:
	free(r->v);
	*r = rest;
	return rc;
}

static int finish(struct match_ranges *r, bool negate, unsigned __int128 max)
{
	normalise(r);
	return negate ? complement(r, max) : 0;
}

unsigned __int128 match_number_of(const struct addr *a)
{
	unsigned __int128 n = 0;

	if (a->family == AF_INET)
		return ntohl(a->v4);
	for (unsigned i = 0; i < 16; i++)
		n = n << 8 | a->bytes[i];
	return n;
}

static int addresses(const struct conf_addresses *a, int family, struct match_ranges *out,
		     bool *any)
{
	int rc = 0;

	if (!a->nranges) {
		*any = true;
		return 0;
	}
	for (unsigned i = 0; i < a->nranges && !rc; i++)
		if (a->ranges[i].first.family == family)
			rc = add(out, match_number_of(&a->ranges[i].first),
				 match_number_of(&a->ranges[i].last));
	if (rc || !out->n) /* addresses of the other family: matches none of this, negated or not */
		return rc;
	return finish(out, a->negate, family == AF_INET ? UINT32_MAX : NUMBER_MAX);
}

/* The family itself is a matter of the source. */
static int source(const struct conf_match *rule, int family, struct match_ranges *out, bool *any)
{
	if (rule->family && rule->family != family)
		return 0;
	return addresses(&rule->from, family, out, any);
}

static int ports(const struct conf_ports *p, struct match_ranges *out, bool *any)
{
	int rc = 0;

	if (p->set[0])
		return add(out, 0, UINT16_MAX);
	if (!p->nranges) {
		*any = true;
		return 0;
	}
	for (unsigned i = 0; i < p->nranges && !rc; i++)
		rc = add(out, p->ranges[i].first, p->ranges[i].last);
	return rc ? rc : finish(out, p->negate, UINT16_MAX);
}

/* TCP flags and ICMP types imply their protocols. */
static int protocols(const struct conf_match *rule, int family, struct match_ranges *out, bool *any)
{
	bool listed[256] = { 0 }, icmp[256] = { 0 };
	int rc = 0;

	*any = !rule->nprotos && !rule->flags_mask && !rule->nicmp;
	if (*any)
		return 0;
	for (unsigned i = 0; i < rule->nprotos; i++)
		listed[rule->protos[i]] = true;
	for (unsigned i = 0; i < rule->nicmp; i++)
		if (rule->icmp[i].family == family)
			icmp[family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6] = true;
	for (unsigned i = 0; i < 256 && !rc; i++)
		if ((!rule->nprotos || listed[i]) && (!rule->nicmp || icmp[i]) &&
		    (!rule->flags_mask || i == IPPROTO_TCP))
			rc = add(out, i, i);
	normalise(out);
	return rc;
}

static const struct conf_zone *zone_named(const struct conf *c, const char *name)
{
	for (unsigned i = 0; c && i < c->nzones; i++)
		if (!strcmp(c->zones[i].name, name))
			return &c->zones[i];
	return NULL;
}

static int interface(struct names *names, const char *name, struct match_ranges *out)
{
	uint16_t number = names_get(names, name);

	return number ? add(out, number, number) : -ENOSPC;
}

static int interfaces(const struct match_context *c, const struct conf_names *l,
		      struct match_ranges *out, bool *any)
{
	int rc = 0;

	if (!l->nnames) {
		*any = true;
		return 0;
	}
	for (unsigned i = 0; i < l->nnames && !rc; i++) {
		const struct conf_zone *z = zone_named(c->conf, l->names[i]);

		if (!z)
			rc = interface(c->names, l->names[i], out);
		for (unsigned k = 0; z && k < z->interfaces.nnames && !rc; k++)
			rc = interface(c->names, z->interfaces.names[k], out);
	}
	return rc ? rc : finish(out, l->negate, UINT32_MAX);
}

int match_ranges_of(const struct match_context *c, const struct conf_match *rule,
		    enum match_dimension dimension, int family, struct match_ranges *out, bool *any)
{
	int rc = 0;

	*any = false;
	out->n = 0;
	switch (dimension) {
	case MATCH_SRC: rc = source(rule, family, out, any); break;
	case MATCH_DST: rc = addresses(&rule->to, family, out, any); break;
	case MATCH_PROTO: rc = protocols(rule, family, out, any); break;
	case MATCH_SPORT: rc = ports(&rule->sport, out, any); break;
	case MATCH_DPORT: rc = ports(&rule->dport, out, any); break;
	case MATCH_IN: rc = interfaces(c, &rule->in, out, any); break;
	case MATCH_OUT: rc = interfaces(c, &rule->out, out, any); break;
	case MATCH_DIMENSIONS: break;
	}
	if (!rc && *any)
		rc = add(out, 0, NUMBER_MAX);
	return rc;
}

/* Named sets are no ranges: they change, and may be large. */
static const enum conf_source whole[] = {
	CONF_SOURCE_FROM,  CONF_SOURCE_TO, CONF_SOURCE_SPORT,
	CONF_SOURCE_DPORT, CONF_SOURCE_IN, CONF_SOURCE_OUT,
};

bool match_set_of(const struct conf_match *rule, unsigned n, struct match_set *out)
{
	const struct match_set all[MATCH_LOOKUPS_MAX] = {
		{ rule->from.set, rule->from.negate, 1, &whole[0] },
		{ rule->to.set, rule->to.negate, 1, &whole[1] },
		{ rule->sport.set, rule->sport.negate, 1, &whole[2] },
		{ rule->dport.set, rule->dport.negate, 1, &whole[3] },
		{ rule->in.set, rule->in.negate, 1, &whole[4] },
		{ rule->out.set, rule->out.negate, 1, &whole[5] },
		{ rule->lookup.set, rule->lookup.negate, rule->lookup.nkey, rule->lookup.key },
	};

	for (unsigned i = 0; i < MATCH_LOOKUPS_MAX; i++)
		if (all[i].name[0] && !n--) {
			*out = all[i];
			return true;
		}
	return false;
}
