/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A matcher out of rules: tables for each segment (match_internal.h), and the rest of each rule.
 * [control] */
#include "router/net/match_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/limit.h"

/* What building passes around. */
struct build {
	const struct match_context *c;
	const struct conf_match *const *rules;
	const char *(*name)(void *arg, unsigned i);
	void *arg;
	struct matcher *m;
	struct match_ranges ranges[MATCH_SEGMENT]; /* of one dimension of one segment */
	char *why;
	size_t size;
};

static int __attribute__((format(printf, 3, 4)))
refuse(const struct build *b, int rc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(b->why, b->size, format, ap);
	va_end(ap);
	return rc;
}

static int no_memory(const struct build *b)
{
	return refuse(b, -ENOMEM, "out of memory");
}

/* ---- tables */

/* Every n rules of the segment allow anything here: 1, and no table is needed. */
static int ranges_of(struct build *b, unsigned first, unsigned n, enum match_dimension d,
		     int family, unsigned *unspoken)
{
	*unspoken = 0;
	for (unsigned i = 0; i < n; i++) {
		bool any;
		int rc = match_ranges_of(b->c, b->rules[first + i], d, family, &b->ranges[i], &any);

		if (rc == -ENOSPC)
			return refuse(b, -EINVAL, "%s: more than %u names of interfaces",
				      b->name(b->arg, first + i), NAMES_MAX);
		if (rc)
			return no_memory(b);
		*unspoken += any;
	}
	return *unspoken == n;
}

/* Tables that speak of most rules stand first: they leave fewest. */
static int build_tables(struct build *b, struct match_segment *s, unsigned first, unsigned n,
			unsigned v6)
{
	unsigned unspoken[MATCH_DIMENSIONS];

	for (enum match_dimension d = 0; d < MATCH_DIMENSIONS; d++) {
		struct match_table t = { .dimension = d };
		unsigned left, at = s->ntables[v6];
		int rc = ranges_of(b, first, n, d, v6 ? AF_INET6 : AF_INET, &left);

		if (rc < 0)
			return rc;
		if (rc)
			continue;
		if (match_table_build(b->ranges, n, v6 && d <= MATCH_DST, &t))
			return no_memory(b);
		for (; at && unspoken[at - 1] > left; at--) {
			unspoken[at] = unspoken[at - 1];
			s->table[v6][at] = s->table[v6][at - 1];
		}
		unspoken[at] = left;
		s->table[v6][at] = t;
		s->ntables[v6]++;
	}
	return 0;
}

static int build_segment(struct build *b, unsigned number)
{
	struct match_segment *s = &b->m->segment[number];
	unsigned first = number * MATCH_SEGMENT, n = b->m->n - first;
	int rc;

	if (n > MATCH_SEGMENT)
		n = MATCH_SEGMENT;
	for (unsigned i = 0; i < n; i++)
		s->all.word[i / 64] |= 1ull << i % 64;
	rc = build_tables(b, s, first, n, 0);
	return rc ? rc : build_tables(b, s, first, n, 1);
}

/* ---- the rest of a rule */

static int build_sets(const struct build *b, unsigned i, struct match_rest *r)
{
	struct match_set s;
	unsigned n = 0;

	while (match_set_of(b->rules[i], n, &s))
		n++;
	if (!n)
		return 0;
	r->lookup = calloc(n, sizeof(*r->lookup));
	if (!r->lookup)
		return no_memory(b);
	for (unsigned k = 0; match_set_of(b->rules[i], k, &s); k++) {
		struct match_lookup l = { .negate = s.negate, .nkey = (uint8_t)s.nkey };

		l.set = b->c->sets ? sets_find(b->c->sets, s.name) : NULL;
		if (!l.set)
			return refuse(b, -EINVAL, "%s: there is no set \"%s\"", b->name(b->arg, i),
				      s.name);
		for (unsigned f = 0; f < s.nkey && f < CONF_FIELDS_MAX; f++)
			l.key[f] = (uint8_t)s.key[f];
		r->lookup[k] = l;
	}
	r->what |= MATCH_SETS;
	r->nlookups = (uint8_t)n;
	return 0;
}

static int build_icmp(const struct build *b, const struct conf_match *c, struct match_rest *r)
{
	if (!c->nicmp)
		return 0;
	r->icmp = malloc(c->nicmp * sizeof(*r->icmp));
	if (!r->icmp)
		return no_memory(b);
	memcpy(r->icmp, c->icmp, c->nicmp * sizeof(*r->icmp));
	r->nicmp = c->nicmp;
	r->what |= MATCH_ICMP;
	return 0;
}

static int build_limits(const struct build *b, unsigned i, const struct conf_match *c,
			struct match_rest *r)
{
	struct limits *l = b->c->limits;

	if (c->rate.used) {
		r->rate = l ? limit_rate(l, b->name(b->arg, i), &c->rate) : 0;
		r->rate_over = c->rate.over;
		r->what |= MATCH_RATE;
	}
	if (c->connections_over) {
		r->connections =
			l ? limit_connections(l, b->name(b->arg, i), c->connections_over) : 0;
		r->what |= MATCH_CONNECTIONS;
	}
	if ((c->rate.used && !r->rate) || (c->connections_over && !r->connections))
		return refuse(b, -EINVAL, "%s: too many rates and counts of connections",
			      b->name(b->arg, i));
	return 0;
}

static void build_values(const struct conf_match *c, struct match_rest *r)
{
	r->mark = c->mark;
	r->mark_mask = c->mark_mask;
	r->ct = c->ct;
	r->status = c->status;
	r->length_min = c->length_min;
	r->length_max = c->length_max;
	r->ttl_min = c->ttl_min;
	r->ttl_max = c->ttl_max;
	r->dscp = c->dscp;
	r->flags = c->flags;
	r->flags_mask = c->flags_mask;
	r->syn = match_wants_syn(c);
	r->fragment = c->fragment == 1;
	r->what =
		(uint16_t)((c->has_mark ? MATCH_MARK : 0) | (c->ct ? MATCH_CT : 0) |
			   (c->status ? MATCH_STATUS : 0) | (c->length_max ? MATCH_LENGTH : 0) |
			   (c->ttl_max ? MATCH_TTL : 0) | (c->dscp ? MATCH_DSCP : 0) |
			   (c->flags_mask ? MATCH_FLAGS : 0) | (c->fragment ? MATCH_FRAGMENT : 0));
}

static int build_rest(const struct build *b, unsigned i)
{
	const struct conf_match *c = b->rules[i];
	struct match_rest *r = &b->m->rest[i];
	int rc;

	build_values(c, r);
	rc = build_sets(b, i, r);
	if (!rc)
		rc = build_icmp(b, c, r);
	return rc ? rc : build_limits(b, i, c, r);
}

/* ---- all of it */

static struct matcher *matcher_create(unsigned n)
{
	struct matcher *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->n = n;
	m->nsegments = (n + MATCH_SEGMENT - 1) / MATCH_SEGMENT;
	m->rest = calloc(n + 1, sizeof(*m->rest));
	m->segment = aligned_alloc(alignof(struct match_segment),
				   (m->nsegments + 1) * sizeof(*m->segment));
	if (!m->rest || !m->segment) {
		free(m->rest);
		free(m->segment);
		free(m);
		return NULL;
	}
	memset(m->segment, 0, (m->nsegments + 1) * sizeof(*m->segment));
	return m;
}

static int build_all(struct build *b)
{
	int rc = 0;

	for (unsigned i = 0; i < b->m->nsegments && !rc; i++)
		rc = build_segment(b, i);
	for (unsigned i = 0; i < b->m->n && !rc; i++)
		rc = build_rest(b, i);
	for (unsigned i = 0; i < MATCH_SEGMENT; i++)
		free(b->ranges[i].v);
	return rc;
}

int matcher_build(const struct match_context *c, const struct conf_match *const *rules, unsigned n,
		  const char *(*name)(void *arg, unsigned i), void *arg, struct matcher **out,
		  char *why, size_t size)
{
	struct build b = { .c = c, .rules = rules, .name = name, .arg = arg };
	int rc;

	b.why = why;
	b.size = size;
	b.m = matcher_create(n);
	if (!b.m)
		return no_memory(&b);
	b.m->limits = c->limits;
	rc = build_all(&b);
	if (rc)
		matcher_destroy(b.m);
	else
		*out = b.m;
	return rc;
}

void matcher_destroy(struct matcher *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->nsegments; i++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			for (unsigned k = 0; k < m->segment[i].ntables[v6]; k++)
				match_table_fini(&m->segment[i].table[v6][k]);
	for (unsigned i = 0; i < m->n; i++) {
		free(m->rest[i].icmp);
		free(m->rest[i].lookup);
	}
	free(m->segment);
	free(m->rest);
	free(m);
}
