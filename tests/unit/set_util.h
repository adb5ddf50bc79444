/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of sets share: configurations made of words, keys, random numbers. */
#ifndef TESTS_UNIT_SET_UTIL_H
#define TESTS_UNIT_SET_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/set_internal.h"
#include "tests/random.h"

#define SECONDS NSEC_PER_SEC

/* A configuration of one set (and room for more); elements by words. */
struct lab {
	struct names names;
	struct conf conf;
	struct conf_set set[4];
	struct sets *sets;
	char why[200];
};

static inline void lab_init(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	l->conf.sets = l->set;
	assert_int_equal(sets_create(&l->names, &l->sets), 0);
}

static inline void lab_fini(struct lab *l)
{
	sets_destroy(l->sets);
	for (unsigned i = 0; i < 4; i++)
		free(l->set[i].elements);
	names_fini(&l->names);
}

static inline struct conf_set *lab_set(struct lab *l, const char *name, unsigned ntypes,
				       const enum conf_field *type)
{
	struct conf_set *c = &l->set[l->conf.nsets++];

	snprintf(c->name, sizeof(c->name), "%s", name);
	memcpy(c->type, type, ntypes * sizeof(*type));
	c->ntypes = ntypes;
	c->size = 1000;
	return c;
}

/* As the parser of the file would have it. */
static inline void lab_element(struct lab *l, struct conf_set *c, const char *text,
			       uint32_t timeout_s)
{
	struct set *s;
	uint64_t changes;

	c->elements = realloc(c->elements, (c->nelements + 1) * sizeof(*c->elements));
	assert_int_equal(set_create(c, &l->names, &changes, &s), 0);
	assert_int_equal(set_parse(s, text, &c->elements[c->nelements], l->why, sizeof(l->why)), 0);
	c->elements[c->nelements++].timeout_s = timeout_s;
	set_destroy(s);
}

static inline struct set *lab_follow(struct lab *l, const char *name)
{
	int err = sets_follow(l->sets, &l->conf, l->why, sizeof(l->why));

	if (err)
		print_error("%s\n", l->why);
	assert_int_equal(err, 0);
	return sets_find(l->sets, name);
}

static inline void add(struct lab *l, struct set *s, const char *text, uint32_t timeout_s,
		       uint64_t now)
{
	int err = set_add_text(s, text, timeout_s, now, l->why, sizeof(l->why));

	if (err)
		print_error("%s: %s\n", text, l->why);
	assert_int_equal(err, 0);
}

/* The key that is the first of an element in words. */
static inline struct set_key key_of(struct lab *l, const struct set *s, const char *text)
{
	struct set_key k = { 0 };
	struct conf_element e;

	assert_int_equal(set_parse(s, text, &e, l->why, sizeof(l->why)), 0);
	for (unsigned i = 0; i < s->ntypes; i++) {
		if (set_field_is_address(s->type[i]))
			set_key_address(&k, e.field[i].first.family, e.field[i].first.bytes);
		else
			set_key_value(&k, e.field[i].low);
	}
	return k;
}

static inline bool has(struct lab *l, const struct set *s, const char *text, uint64_t now)
{
	struct set_key k = key_of(l, s, text);

	return set_has(s, &k, now);
}

static inline bool learn(struct lab *l, struct set *s, const char *text, uint64_t now)
{
	struct set_key k = key_of(l, s, text);

	return set_add(s, &k, now);
}

static inline struct set_info info_of(struct lab *l, const char *name)
{
	struct set_info info = { 0 };
	uint64_t cursor = 0;

	while (sets_walk(l->sets, &cursor, &info))
		if (!strcmp(info.name, name))
			return info;
	fail_msg("no set %s", name);
	return info;
}

#endif
