/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets and limits for tests of rules: they do what the test says and count how often they were
 * asked. They stand in for net/set.c and net/limit.c, which have tests of their own.
 */
#ifndef TESTS_RULES_FAKE_H
#define TESTS_RULES_FAKE_H

#include <stdio.h>
#include <string.h>

#include "router/net/limit.h"
#include "router/net/set.h"

#define FAKE_ELEMENTS 64
#define FAKE_SETS     8
#define FAKE_LIMITS   4096

struct set {
	char name[CONF_NAME];
	unsigned n;
	struct set_key key[FAKE_ELEMENTS];
};

struct sets {
	unsigned n;
	struct set set[FAKE_SETS];
};

struct limits {
	unsigned n;
	char name[FAKE_LIMITS + 1][32];
	bool within[FAKE_LIMITS + 1]; /* what limit_within(), limit_connections_over() say */
	unsigned asked[FAKE_LIMITS + 1];
};

static inline struct set *fake_set(struct sets *s, const char *name)
{
	struct set *set = &s->set[s->n++];

	memset(set, 0, sizeof(*set));
	snprintf(set->name, sizeof(set->name), "%s", name);
	return set;
}

struct set *sets_find(struct sets *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->set[i].name, name))
			return &s->set[i];
	return NULL;
}

void set_key_address(struct set_key *k, uint8_t family, const uint8_t bytes[16])
{
	k->field[k->n].family = family;
	memcpy(k->field[k->n].bytes, bytes, 16);
	k->n++;
}

void set_key_value(struct set_key *k, uint32_t value)
{
	memset(&k->field[k->n], 0, sizeof(k->field[0]));
	memcpy(k->field[k->n].bytes, &value, sizeof(value));
	k->n++;
}

bool set_has(const struct set *s, const struct set_key *k, uint64_t now)
{
	(void)now;
	for (unsigned i = 0; i < s->n; i++)
		if (s->key[i].n == k->n &&
		    !memcmp(s->key[i].field, k->field, k->n * sizeof(k->field[0])))
			return true;
	return false;
}

bool set_add(struct set *s, const struct set_key *k, uint64_t now)
{
	if (set_has(s, k, now))
		return true;
	if (s->n == FAKE_ELEMENTS)
		return false;
	s->key[s->n++] = *k;
	return true;
}

static inline uint16_t fake_limit(struct limits *l, const char *name)
{
	if (l->n == FAKE_LIMITS)
		return 0;
	snprintf(l->name[l->n + 1], sizeof(l->name[0]), "%s", name);
	return (uint16_t)++l->n;
}

uint16_t limit_rate(struct limits *l, const char *name, const struct conf_rate *rate)
{
	(void)rate;
	return fake_limit(l, name);
}

uint16_t limit_connections(struct limits *l, const char *name, uint32_t over)
{
	(void)over;
	return fake_limit(l, name);
}

bool limit_within(struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now)
{
	(void)k;
	(void)now;
	l->asked[number]++;
	return l->within[number];
}

bool limit_would(const struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now)
{
	(void)k;
	(void)now;
	return l->within[number];
}

bool limit_connections_over(struct limits *l, uint16_t number, const struct flow_key *k)
{
	(void)k;
	l->asked[number]++;
	return !l->within[number];
}

#endif
