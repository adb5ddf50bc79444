/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Root arrays. A table is born with one of 256 bytes, so that a thousand VRFs cost nothing, and
 * gets the wide one, 1 MiB, which saves a lookup two nodes, when its first route is added. Only
 * when a sixteenth of the pool has gone into wide roots, tables must first have FIB_WIDE_ROUTES
 * routes.
 *
 * Widening opens the nodes above the new root: their leaves and children become entries. It is one
 * store for readers, who go on in the old array or begin in the new one, with the same answers. A
 * table never goes back. [control] only.
 */
#include <errno.h>
#include <string.h>

#include "router/net/fib_internal.h"

int fib_root_create(struct fib *f)
{
	uint32_t base = fib_arena_alloc(&f->pool->read, fib_units(fib_root_bytes(FIB_ROOT_NARROW)));

	if (!base)
		return -ENOSPC;
	f->root = (struct fib_root){ base, FIB_ROOT_NARROW };
	memset(fib_root_words(f), 0, fib_root_bytes(FIB_ROOT_NARROW));
	return 0;
}

void fib_root_destroy(struct fib *f)
{
	fib_arena_free(&f->pool->read, f->root.base, fib_units(fib_root_bytes(f->root.levels)));
	f->pool->wide -= f->root.levels == FIB_ROOT_WIDE;
}

static void fill(uint32_t *out, uint32_t span, uint32_t word)
{
	for (uint32_t i = 0; i < span; i++)
		out[i] = word;
}

/* What the node says, as 64 * span entries. Where an entry leads to a node, this becomes a block of
 * its own: until now it was part of its parent's array, which goes. */
static int open_node(struct fib_pool *p, const struct fib_node *node, uint32_t *out, uint32_t span)
{
	const struct fib_node *child = fib_arena_at(&p->read, node->base[FIB_CHILD]);
	const uint32_t *leaf = fib_arena_at(&p->read, node->base[FIB_LEAF]);
	unsigned children = (unsigned)__builtin_popcountll(node->vec[FIB_CHILD]);
	unsigned leaves = (unsigned)__builtin_popcountll(node->vec[FIB_LEAF]), runs = 0;
	int rc = fib_pool_retire(p, node->base[FIB_CHILD], children * sizeof(*child));

	if (!rc)
		rc = fib_pool_retire(p, node->base[FIB_LEAF], leaves * sizeof(*leaf));
	for (unsigned i = 0; i < 64 && !rc; i++, out += span) {
		uint32_t base;

		runs += node->vec[FIB_LEAF] >> i & 1;
		if (!(node->vec[FIB_CHILD] >> i & 1)) {
			fill(out, span, leaf[runs - 1]);
		} else if (span > 1) {
			rc = open_node(p, child++, out, span / 64);
		} else {
			rc = fib_pool_alloc(p, sizeof(*child), &base);
			if (!rc)
				memcpy(fib_arena_at(&p->read, base), child++, sizeof(*child));
			*out = FIB_NODE | base;
		}
	}
	return rc;
}

static int build_wide(struct fib *f, struct fib_root *wide)
{
	uint32_t entries = fib_root_entries(f->root.levels);
	uint32_t span = fib_root_entries(FIB_ROOT_WIDE) / entries;
	const uint32_t *word = fib_root_words(f);
	struct fib_pool *p = f->pool;
	uint32_t *out;
	int rc = fib_pool_alloc(p, fib_root_bytes(FIB_ROOT_WIDE), &wide->base);

	wide->levels = FIB_ROOT_WIDE;
	if (!rc)
		rc = fib_pool_retire(p, f->root.base, fib_root_bytes(f->root.levels));
	if (rc)
		return rc;
	out = fib_arena_at(&p->read, wide->base);
	for (uint32_t i = 0; i < entries && !rc; i++, out += span) {
		uint32_t base = word[i] & ~FIB_NODE;

		if (!(word[i] & FIB_NODE)) {
			fill(out, span, word[i]);
			continue;
		}
		rc = fib_pool_retire(p, base, sizeof(struct fib_node));
		if (!rc)
			rc = open_node(p, fib_arena_at(&p->read, base), out, span / 64);
	}
	return rc;
}

static bool wants_wide(const struct fib *f)
{
	const struct fib_pool *p = f->pool;
	uint32_t room = 2 * fib_units(fib_root_bytes(FIB_ROOT_WIDE));

	return f->root.levels < FIB_ROOT_WIDE &&
	       (f->count >= FIB_WIDE_ROUTES || p->wide < p->wide_free) &&
	       p->read.used + room <= p->read.limit;
}

void fib_root_grow(struct fib *f)
{
	struct fib_root wide;

	if (!wants_wide(f))
		return;
	fib_pool_begin(f->pool, FIB_ADD);
	if (build_wide(f, &wide)) {
		fib_pool_abort(f->pool); /* the narrow one is right, too */
		return;
	}
	fib_pool_commit(f->pool, NULL);
	__atomic_store(&f->root, &wide, __ATOMIC_RELEASE);
	f->pool->wide++;
}
