/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limits there are, by name and number. [control]
 *
 * A limit that no build asks for any more is freed by the next sweep; one of connections only when
 * none counts against it: flows know it by its number, which must not become another's meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "router/net/limit_internal.h"

int limits_create(struct limits **out)
{
	struct limits *l = aligned_alloc(64, sizeof(*l));

	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	if (table_init(&l->by_name)) {
		free(l);
		return -ENOMEM;
	}
	if (getrandom(l->key, sizeof(l->key), 0) != sizeof(l->key)) {
		table_fini(&l->by_name);
		free(l);
		return -EIO;
	}
	*out = l;
	return 0;
}

static void limit_free(struct limit *l)
{
	limit_rate_fini(l);
	free(l->name);
	free(l);
}

void limits_destroy(struct limits *l)
{
	if (!l)
		return;
	for (unsigned i = 1; i <= LIMITS_MAX; i++)
		if (l->limit[i])
			limit_free(l->limit[i]);
	table_fini(&l->by_name);
	limit_counts_fini(&l->counts);
	free(l);
}

static bool same_rate(const struct conf_rate *a, const struct conf_rate *b)
{
	return a->count == b->count && a->period_ms == b->period_ms && a->burst == b->burst &&
	       a->per == b->per;
}

/* Whether a packet above or within matches is the rule's affair. */
static bool same(const struct limit *a, const struct limit *b)
{
	if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
		return false;
	return a->kind == LIMIT_RATE ? same_rate(&a->rate, &b->rate) : a->over == b->over;
}

static struct limit *find(const struct limits *l, const struct limit *want, uint32_t hash)
{
	struct table_node *n = table_find(&l->by_name, hash);

	while (n && !same(table_entry(n, struct limit, node), want))
		n = table_find_next(n);
	return n ? table_entry(n, struct limit, node) : NULL;
}

/* A number nobody has, or 0. Those given up last are used again last. */
static uint16_t number_get(struct limits *l)
{
	for (unsigned i = 0; i < LIMITS_MAX; i++) {
		l->next = l->next % LIMITS_MAX + 1;
		if (!l->limit[l->next])
			return (uint16_t)l->next;
	}
	return 0;
}

/* A copy of `want` with a number and memory of its own, or NULL. */
static struct limit *make(struct limits *l, const struct limit *want)
{
	struct limit *new = aligned_alloc(64, sizeof(*new));

	if (!new)
		return NULL;
	*new = *want;
	new->name = strdup(want->name);
	if (!new->name)
		goto out;
	if (want->kind == LIMIT_RATE ? limit_rate_init(new) : limit_counts_init(&l->counts))
		goto out;
	new->number = number_get(l);
	if (new->number)
		return new;
out:
	limit_free(new);
	return NULL;
}

static uint16_t get(struct limits *l, const struct limit *want)
{
	uint32_t hash = hash_bytes(want->name, strlen(want->name), want->kind);
	struct limit *at = find(l, want, hash);

	if (!at) {
		at = make(l, want);
		if (!at)
			return 0;
		table_add(&l->by_name, &at->node, hash);
		__atomic_store_n(&l->limit[at->number], at, __ATOMIC_RELEASE);
	}
	at->used = l->build;
	return at->number;
}

void limits_build_begin(struct limits *l)
{
	l->build++;
}

uint16_t limit_rate(struct limits *l, const char *name, const struct conf_rate *rate)
{
	struct limit want = { .name = (char *)(uintptr_t)name, .kind = LIMIT_RATE, .rate = *rate };

	return rate->count && rate->period_ms ? get(l, &want) : 0;
}

uint16_t limit_connections(struct limits *l, const char *name, uint32_t over)
{
	struct limit want = { .name = (char *)(uintptr_t)name,
			      .kind = LIMIT_CONNECTIONS,
			      .over = over };

	return get(l, &want);
}

void limits_sweep(struct limits *l)
{
	for (unsigned i = 1; i <= LIMITS_MAX; i++) {
		struct limit *at = l->limit[i];

		if (!at || at->used == l->build || __atomic_load_n(&at->live, __ATOMIC_ACQUIRE))
			continue;
		__atomic_store_n(&l->limit[i], NULL, __ATOMIC_RELEASE);
		table_del(&l->by_name, &at->node);
		limit_free(at);
	}
}

/* ---- whom a packet counts for [worker] */

static uint32_t tag_of(const struct flow_key *k)
{
	return (uint32_t)k->zone << 8 | k->family;
}

struct limit_who limit_source(const struct flow_key *k)
{
	struct limit_who w = { .tag = tag_of(k) };

	memcpy(w.addr, k->src, sizeof(w.addr[0]));
	return w;
}

struct limit_who limit_destination(const struct flow_key *k)
{
	struct limit_who w = { .tag = tag_of(k) };

	memcpy(w.addr, k->dst, sizeof(w.addr));
	return w;
}
