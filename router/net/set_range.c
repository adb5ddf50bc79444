/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of any number of parts. One of a single part is that part; one of several is a struct
 * set_range, whose number its parts carry, so that ranges that overlap come and go on their own.
 * A range that is added again comes before the old one goes: readers never miss it. [control]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/set_internal.h"

static uint32_t hash_of(const struct set *s, const struct conf_element *e)
{
	uint64_t word[SET_FLAT];
	unsigned n = set_flatten(s, e, word);

	return hash_bytes(word, n * sizeof(word[0]), 0);
}

static bool same(const struct set *s, const struct conf_element *a, const struct conf_element *b)
{
	uint64_t wa[SET_FLAT], wb[SET_FLAT];
	unsigned n = set_flatten(s, a, wa);

	set_flatten(s, b, wb);
	return !memcmp(wa, wb, n * sizeof(wa[0]));
}

static struct set_range *range_find(const struct set *s, const struct conf_element *e)
{
	struct table_node *n = table_find(&s->ranges, hash_of(s, e));

	while (n && !same(s, &table_entry(n, struct set_range, node)->e, e))
		n = table_find_next(n);
	return n ? table_entry(n, struct set_range, node) : NULL;
}

/* ---- parts of a range */

static void remove_parts(struct set *s, const struct set_split *sp, unsigned n, uint32_t number)
{
	uint64_t word[SET_WORDS];
	uint8_t len[CONF_FIELDS_MAX];

	for (unsigned i = 0; i < n; i++) {
		uint32_t part;

		set_split_part(sp, i, word, len);
		part = set_table_find(s, (unsigned)set_shape(s, sp->family, len), word, number);
		if (part)
			set_table_remove(s, part);
	}
}

static int put_parts(struct set *s, const struct set_split *sp, const struct set_put *how)
{
	uint64_t word[SET_WORDS];
	uint8_t len[CONF_FIELDS_MAX];

	for (unsigned i = 0; i < sp->total; i++) {
		int shape;

		set_split_part(sp, i, word, len);
		shape = set_shape(s, sp->family, len);
		if (shape >= 0 && set_table_put(s, (unsigned)shape, word, how) != SET_FULL)
			continue;
		remove_parts(s, sp, i, how->range);
		return shape < 0 ? -E2BIG : -ENOSPC;
	}
	return 0;
}

/* ---- numbers of ranges */

static bool numbers_grow(struct set *s)
{
	uint32_t cap = s->range_cap ? s->range_cap * 2 : 64;
	struct set_range **range = realloc(s->range, cap * sizeof(struct set_range *));
	uint32_t *spare;

	if (!range)
		return false;
	s->range = range;
	spare = realloc(s->spare, cap * sizeof(*spare));
	if (!spare)
		return false;
	s->spare = spare;
	s->range_cap = cap;
	return true;
}

/* A number for it; 0: no memory. */
static uint32_t number_get(struct set *s, struct set_range *r)
{
	uint32_t n;

	if (s->nspare)
		n = s->spare[--s->nspare];
	else if (s->nranges < s->range_cap || numbers_grow(s))
		n = ++s->nranges;
	else
		return 0;
	s->range[n - 1] = r;
	return n;
}

static void number_put(struct set *s, uint32_t n)
{
	s->range[n - 1] = NULL;
	s->spare[s->nspare++] = n;
}

/* ---- ranges */

/* Its parts under a new number, then those of the old one away. */
static int range_place(struct set *s, struct set_range *r, const struct set_split *sp,
		       const struct set_put *how)
{
	struct set_put part = *how;
	uint32_t old = r->number;
	int err;

	part.range = number_get(s, r);
	if (!part.range)
		return -ENOMEM;
	err = put_parts(s, sp, &part);
	if (err) {
		number_put(s, part.range);
		return err;
	}
	r->number = part.range;
	r->until = how->until;
	set_note_deadline(s, how->until);
	if (old) {
		remove_parts(s, sp, sp->total, old);
		number_put(s, old);
	}
	return 0;
}

static enum set_putting range_again(struct set *s, struct set_range *r, const struct set_split *sp,
				    const struct set_put *how, int *err)
{
	struct set_put moved = *how;
	enum set_putting came;

	moved.until = r->until;
	came = set_refresh(&moved.until, &r->dynamic, how);
	if (moved.until == r->until)
		return came;
	*err = range_place(s, r, sp, &moved);
	if (*err)
		return SET_FULL;
	if (came == SET_CAME)
		set_changed(s);
	return came;
}

static enum set_putting range_new(struct set *s, const struct conf_element *e,
				  const struct set_split *sp, const struct set_put *how, int *err)
{
	struct set_range *r = calloc(1, sizeof(*r));

	*err = -ENOMEM;
	if (!r)
		return SET_FULL;
	r->e = *e;
	r->dynamic = how->dynamic;
	*err = set_count_up(s) ? 0 : -ENOSPC;
	if (*err)
		goto full;
	*err = range_place(s, r, sp, how);
	if (*err)
		goto no_place;
	table_add(&s->ranges, &r->node, hash_of(s, e));
	set_changed(s);
	return SET_CAME;
no_place:
	set_count_down(s);
full:
	free(r);
	return SET_FULL;
}

static void range_drop(struct set *s, struct set_range *r, const struct set_split *sp)
{
	remove_parts(s, sp, sp->total, r->number);
	number_put(s, r->number);
	table_del(&s->ranges, &r->node);
	set_count_down(s);
	if (!r->dynamic)
		s->intact = false;
	free(r);
}

bool set_expire_ranges(struct set *s, uint64_t now)
{
	bool some = false;

	for (uint32_t i = 0; i < s->nranges; i++) {
		struct set_range *r = s->range[i];
		struct set_split sp;

		if (!r)
			continue;
		if (set_until_alive(r->until, now)) {
			set_note_deadline(s, r->until);
			continue;
		}
		set_split(s, &r->e, &sp);
		range_drop(s, r, &sp);
		some = true;
	}
	return some;
}

/* ---- any element */

/* Of one part: its shape and words. */
static int only_part(struct set *s, const struct set_split *sp, uint64_t word[SET_WORDS])
{
	uint8_t len[CONF_FIELDS_MAX];

	set_split_part(sp, 0, word, len);
	return set_shape(s, sp->family, len);
}

enum set_putting set_put_element(struct set *s, const struct conf_element *e,
				 const struct set_put *how, int *err)
{
	uint64_t word[SET_WORDS];
	enum set_putting came;
	struct set_range *r;
	struct set_split sp;
	int shape;

	*err = set_split(s, e, &sp);
	if (*err)
		return SET_FULL;
	if (sp.total > 1) {
		r = range_find(s, e);
		return r ? range_again(s, r, &sp, how, err) : range_new(s, e, &sp, how, err);
	}
	shape = only_part(s, &sp, word);
	if (shape < 0) {
		*err = -E2BIG;
		return SET_FULL;
	}
	came = set_table_put(s, (unsigned)shape, word, how);
	*err = came == SET_FULL ? -ENOSPC : 0;
	return came;
}

/* The number of the part of an element that has only one, or 0. */
static uint32_t find_only_part(struct set *s, const struct set_split *sp)
{
	uint64_t word[SET_WORDS];
	int shape = only_part(s, sp, word);

	return shape < 0 ? 0 : set_table_find(s, (unsigned)shape, word, 0);
}

bool set_has_element(struct set *s, const struct conf_element *e, uint64_t now)
{
	const struct set_range *r;
	struct set_split sp;
	uint32_t part;

	if (set_split(s, e, &sp))
		return false;
	if (sp.total > 1) {
		r = range_find(s, e);
		return r && set_until_alive(r->until, now);
	}
	part = find_only_part(s, &sp);
	return part && set_until_alive(set_load64(&set_part(s, part)->until), now);
}

bool set_drop_element(struct set *s, const struct conf_element *e)
{
	struct set_range *r;
	struct set_split sp;
	uint32_t part;

	if (set_split(s, e, &sp))
		return false;
	if (sp.total > 1) {
		r = range_find(s, e);
		if (r)
			range_drop(s, r, &sp);
		return r != NULL;
	}
	part = find_only_part(s, &sp);
	if (!part)
		return false;
	if (!(set_part(s, part)->info & SET_DYNAMIC))
		s->intact = false;
	set_table_remove(s, part);
	return true;
}
