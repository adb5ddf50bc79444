/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One dimension of up to 512 rules as a table (match_internal.h): sort the ends of all ranges,
 * sweep over them with the vector of the rules whose range is open, and note an interval wherever
 * that vector changed. [control]
 */
#include "router/net/match_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* At `at` a range of a rule begins or, one behind its last number, ends. */
struct event {
	unsigned __int128 at;
	uint16_t rule;
	bool begins;
};

/* Intervals as they are found; classes by content in an open hash of indices. */
struct sweep {
	unsigned __int128 *start;
	uint32_t *class;
	struct match_vector *vector;
	uint32_t *hash; /* class + 1; 0: free */
	uint32_t n, nclasses, mask;
};

static int compare(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static struct event *events_of(const struct match_ranges *rules, unsigned n, unsigned *nevents)
{
	struct event *e;
	size_t room = 0;

	for (unsigned i = 0; i < n; i++)
		room += 2 * (size_t)rules[i].n;
	e = calloc(room + 1, sizeof(*e));
	if (!e)
		return NULL;
	*nevents = 0;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < rules[i].n; k++) {
			const struct match_range *r = &rules[i].v[k];

			e[(*nevents)++] = (struct event){ r->first, (uint16_t)i, true };
			if (r->last + 1)
				e[(*nevents)++] = (struct event){ r->last + 1, (uint16_t)i, false };
		}
	qsort(e, *nevents, sizeof(*e), compare);
	return e;
}

static uint32_t class_of(struct sweep *s, const struct match_vector *v)
{
	uint64_t h = 0;
	uint32_t at;

	for (unsigned i = 0; i < MATCH_WORDS; i++)
		h = (h ^ v->word[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
	for (at = (uint32_t)h & s->mask; s->hash[at]; at = (at + 1) & s->mask)
		if (!memcmp(&s->vector[s->hash[at] - 1], v, sizeof(*v)))
			return s->hash[at] - 1;
	s->vector[s->nclasses] = *v;
	s->hash[at] = ++s->nclasses;
	return s->nclasses - 1;
}

static void note(struct sweep *s, unsigned __int128 start, const struct match_vector *v)
{
	uint32_t class = class_of(s, v);

	if (s->n && s->class[s->n - 1] == class)
		return;
	s->start[s->n] = start;
	s->class[s->n++] = class;
}

static void run(struct sweep *s, const struct event *e, unsigned n)
{
	struct match_vector open = { 0 };

	class_of(s, &open); /* class 0: no rule at all */
	if (!n || e[0].at)
		note(s, 0, &open);
	for (unsigned i = 0; i < n;) {
		unsigned __int128 at = e[i].at;

		for (; i < n && e[i].at == at; i++)
			open.word[e[i].rule / 64] ^= 1ull << e[i].rule % 64;
		note(s, at, &open);
	}
}

static int sweep_init(struct sweep *s, unsigned nevents)
{
	size_t room = (size_t)nevents + 2, slots = 4;

	while (slots < 2 * room)
		slots *= 2;
	s->mask = (uint32_t)slots - 1;
	s->start = calloc(room, sizeof(*s->start));
	s->class = calloc(room, sizeof(*s->class));
	s->hash = calloc(slots, sizeof(*s->hash));
	s->vector = aligned_alloc(alignof(struct match_vector), room * sizeof(*s->vector));
	return s->start && s->class && s->hash && s->vector ? 0 : -ENOMEM;
}

static void sweep_fini(struct sweep *s)
{
	free(s->start);
	free(s->class);
	free(s->hash);
	free(s->vector);
}

/* Copies in their exact size. */
static int table_of(const struct sweep *s, bool wide, struct match_table *t)
{
	t->n = s->n;
	t->class = malloc(s->n * sizeof(*t->class));
	t->vector = aligned_alloc(alignof(struct match_vector), s->nclasses * sizeof(*t->vector));
	if (wide)
		t->wide = malloc(s->n * sizeof(*t->wide));
	else
		t->low = malloc(s->n * sizeof(*t->low));
	if (!t->class || !t->vector || (!t->wide && !t->low)) {
		match_table_fini(t);
		return -ENOMEM;
	}
	memcpy(t->class, s->class, s->n * sizeof(*t->class));
	memcpy(t->vector, s->vector, s->nclasses * sizeof(*t->vector));
	for (uint32_t i = 0; i < s->n; i++)
		if (wide)
			t->wide[i] = s->start[i];
		else
			t->low[i] = (uint32_t)s->start[i];
	return 0;
}

/* Of what is no IPv6 address, nothing beyond 32 bits is ever asked for. */
static unsigned drop_high(const struct event *e, unsigned n)
{
	while (n && e[n - 1].at > UINT32_MAX)
		n--;
	return n;
}

int match_table_build(const struct match_ranges *rules, unsigned n, bool wide,
		      struct match_table *out)
{
	struct sweep s = { 0 };
	struct event *e;
	unsigned nevents;
	int rc = -ENOMEM;

	e = events_of(rules, n, &nevents);
	if (!e)
		return -ENOMEM;
	if (!wide)
		nevents = drop_high(e, nevents);
	if (sweep_init(&s, nevents))
		goto out;
	run(&s, e, nevents);
	rc = table_of(&s, wide, out);
out:
	sweep_fini(&s);
	free(e);
	return rc;
}

void match_table_fini(struct match_table *t)
{
	free(t->low);
	free(t->wide);
	free(t->class);
	free(t->vector);
	t->low = NULL;
	t->wide = NULL;
	t->class = NULL;
	t->vector = NULL;
}
