/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table: born empty with its root array, asked for exact prefixes, and taken apart. Everything
 * here belongs to [control]; updates are in fib_update.c, lookups in fib_lookup.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <endian.h>

#include "router/net/fib_internal.h"

struct fib *fib_create(struct fib_pool *p, int family)
{
	struct fib *f;

	if (family != AF_INET && family != AF_INET6) {
		errno = EAFNOSUPPORT;
		return NULL;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->pool = p;
	f->mem = p->read.mem;
	f->bits = family == AF_INET ? 32 : 128;
	f->lookup = fib_lookup_best();
	if (fib_root_create(f)) {
		free(f);
		errno = ENOSPC;
		return NULL;
	}
	return f;
}

static void free_array(struct fib_arena *a, uint32_t base, size_t bytes)
{
	if (bytes)
		fib_arena_free(a, base, fib_units(bytes));
}

/* The arrays a node leads to, not the node: that is part of its parent's array. */
static void free_below(struct fib_arena *a, const struct fib_node *node)
{
	unsigned leaves = (unsigned)__builtin_popcountll(node->vec[FIB_LEAF]);
	unsigned nodes = (unsigned)__builtin_popcountll(node->vec[FIB_CHILD]);
	const struct fib_node *child = fib_arena_at(a, node->base[FIB_CHILD]);

	for (unsigned i = 0; i < nodes; i++)
		free_below(a, &child[i]);
	free_array(a, node->base[FIB_CHILD], nodes * sizeof(*child));
	free_array(a, node->base[FIB_LEAF], leaves * sizeof(uint32_t));
}

static void free_strides(struct fib_arena *a, const struct fib_stride *s)
{
	unsigned values =
		(unsigned)(__builtin_popcountll(s->prefix[0]) + __builtin_popcountll(s->prefix[1]));
	unsigned kids = (unsigned)__builtin_popcountll(s->child);
	const struct fib_stride *kid = fib_arena_at(a, s->kids);

	for (unsigned i = 0; i < kids; i++)
		free_strides(a, &kid[i]);
	free_array(a, s->kids, kids * sizeof(*kid));
	free_array(a, s->values, values * sizeof(uint32_t));
}

void fib_destroy(struct fib *f)
{
	struct fib_arena *a;
	const uint32_t *root;

	if (!f)
		return;
	a = &f->pool->read;
	root = fib_root_words(f);
	for (uint32_t i = 0; i < fib_root_entries(f->root.levels); i++) {
		uint32_t base = root[i] & ~FIB_NODE;

		if (!(root[i] & FIB_NODE))
			continue;
		free_below(a, fib_arena_at(a, base));
		free_array(a, base, sizeof(struct fib_node));
	}
	fib_root_destroy(f);
	free_strides(&f->pool->shadow, &f->top);
	free(f);
}

struct fib_key fib_key(const struct fib *f, const void *addr)
{
	uint64_t w[2] = { 0, 0 };

	memcpy(w, addr, f->bits / 8);
	return (struct fib_key){ be64toh(w[0]), be64toh(w[1]) };
}

uint32_t fib_get(const struct fib *f, const void *addr, unsigned len)
{
	const struct fib_arena *a = &f->pool->shadow;
	const struct fib_stride *s = &f->top;
	struct fib_key key = fib_key(f, addr);

	if (len > f->bits)
		return FIB_NONE;
	if (!len)
		return f->fallback;
	for (unsigned l = 0; l < fib_level_of(len); l++) {
		unsigned slot = fib_key_slot(key, l);

		if (!(s->child >> slot & 1))
			return FIB_NONE;
		s = fib_stride_kid(a, s, slot);
	}
	if (!fib_stride_has(s, fib_key_place(key, len)))
		return FIB_NONE;
	return *fib_stride_value(a, s, fib_key_place(key, len));
}

size_t fib_count(const struct fib *f)
{
	return f->count;
}
