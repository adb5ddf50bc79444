/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/lib/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

int table_init(struct table *t)
{
	t->count = 0;
	t->mask = BUCKETS_MIN - 1;
	t->bucket = calloc(BUCKETS_MIN, sizeof(*t->bucket));
	return t->bucket ? 0 : -ENOMEM;
}

void table_fini(struct table *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

/* Doubles; without memory the chains just get longer. */
static void grow(struct table *t)
{
	uint32_t mask = t->mask * 2 + 1;
	struct table_node **b = calloc((size_t)mask + 1, sizeof(*b));

	if (!b)
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		for (struct table_node *n = t->bucket[i], *next; n; n = next) {
			next = n->next;
			n->next = b[n->hash & mask];
			b[n->hash & mask] = n;
		}
	}
	free(t->bucket);
	t->bucket = b;
	t->mask = mask;
}

void table_add(struct table *t, struct table_node *n, uint32_t hash)
{
	if (t->count > t->mask)
		grow(t);
	n->hash = hash;
	n->next = t->bucket[hash & t->mask];
	t->bucket[hash & t->mask] = n;
	t->count++;
}

void table_del(struct table *t, struct table_node *n)
{
	struct table_node **p = &t->bucket[n->hash & t->mask];

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	t->count--;
}

struct table_node *table_find(const struct table *t, uint32_t hash)
{
	struct table_node *n = t->bucket[hash & t->mask];

	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct table_node *table_find_next(const struct table_node *n)
{
	uint32_t hash = n->hash;

	do
		n = n->next;
	while (n && n->hash != hash);
	return (struct table_node *)n;
}

struct table_node *table_walk(const struct table *t, uint32_t *bucket, struct table_node *after)
{
	if (after && after->next)
		return after->next;
	if (after)
		++*bucket;
	for (; *bucket <= t->mask; ++*bucket)
		if (t->bucket[*bucket])
			return t->bucket[*bucket];
	return NULL;
}

uint32_t hash_bytes(const void *data, size_t len, uint32_t seed)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ (len * 0x9e3779b97f4a7c15ull), w;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, p, len);
	h = (h ^ w) * 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(h ^ h >> 32);
}
