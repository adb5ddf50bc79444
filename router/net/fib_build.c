/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fib_publish(): the shadow has one prefix more, less, or with another value; readers are to see
 * it.
 *
 * New arrays are built beside the old ones. In the node of the prefix's stride, and below it, only
 * what inherits the changed value is built again: slots that a longer prefix covers keep their
 * arrays. Above it, each array on the path is copied with one node exchanged, up to the root entry.
 * A prefix no longer than the root's index does this for every root entry that inherits it. Each of
 * these entries changes by one store, so an address has its old value or its new one.
 *
 * A node has a child where its stride has a kid, but for one case: a delete leaves emptied strides
 * in the shadow until the read side, which drops their nodes, has followed. [control] only.
 */
#include <string.h>

#include "router/net/fib_internal.h"

static const struct fib_node no_node;

static struct fib_node *nodes_at(const struct fib_update *u, uint32_t base)
{
	return fib_arena_at(&u->pool->read, base);
}

static unsigned count_bits(uint64_t v)
{
	return (unsigned)__builtin_popcountll(v);
}

/* ---- nodes */

/* The leaves of a node whose children are known. The old array stays if it says the same. */
static int build_leaves(struct fib_update *u, const uint32_t slot[64], const struct fib_node *old,
			struct fib_node *node)
{
	uint32_t leaf[64];
	unsigned n = 0, old_n = count_bits(old->vec[FIB_LEAF]);
	uint64_t runs = 0;
	int rc;

	for (uint64_t left = ~node->vec[FIB_CHILD]; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (!n || leaf[n - 1] != slot[i]) {
			leaf[n++] = slot[i];
			runs |= 1ull << i;
		}
	}
	node->vec[FIB_LEAF] = runs;
	node->base[FIB_LEAF] = old->base[FIB_LEAF];
	if (n && n == old_n && !memcmp(leaf, nodes_at(u, old->base[FIB_LEAF]), n * sizeof(*leaf)))
		return 0;
	rc = fib_pool_retire(u->pool, old->base[FIB_LEAF], old_n * sizeof(*leaf));
	if (rc || !n)
		return rc;
	rc = fib_pool_alloc(u->pool, n * sizeof(*leaf), &node->base[FIB_LEAF]);
	if (!rc)
		memcpy(fib_arena_at(&u->pool->read, node->base[FIB_LEAF]), leaf, n * sizeof(*leaf));
	return rc;
}

static int refresh_node(struct fib_update *u, const struct fib_stride *s,
			const struct fib_node *old, uint32_t inherit, uint64_t affected,
			struct fib_node *node);

/* Children at the affected slots take the slot's value as their inherited one. The array is copied
 * when the first child turns out to have use for it. */
static int refresh_children(struct fib_update *u, const struct fib_stride *s,
			    const struct fib_node *old, const uint32_t slot[64], uint64_t affected,
			    struct fib_node *node)
{
	const struct fib_node *from = nodes_at(u, old->base[FIB_CHILD]);
	size_t bytes = count_bits(old->vec[FIB_CHILD]) * sizeof(*from);
	struct fib_node *to = NULL;
	int rc;

	for (uint64_t left = affected; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		unsigned rank = count_bits(old->vec[FIB_CHILD] & fib_below(i));
		const struct fib_stride *kid = fib_stride_kid(&u->pool->shadow, s, i);
		uint64_t open = fib_stride_open(kid, ~0ull, 0);

		if (!open)
			continue;
		if (!to) {
			rc = fib_pool_alloc(u->pool, bytes, &node->base[FIB_CHILD]);
			if (!rc)
				rc = fib_pool_retire(u->pool, old->base[FIB_CHILD], bytes);
			if (rc)
				return rc;
			to = memcpy(nodes_at(u, node->base[FIB_CHILD]), from, bytes);
		}
		rc = refresh_node(u, kid, &from[rank], slot[i], open, &to[rank]);
		if (rc)
			return rc;
	}
	return 0;
}

/* A node with the children it had, after the values of the affected slots changed. */
static int refresh_node(struct fib_update *u, const struct fib_stride *s,
			const struct fib_node *old, uint32_t inherit, uint64_t affected,
			struct fib_node *node)
{
	uint64_t child = old->vec[FIB_CHILD];
	uint32_t slot[64];
	int rc = 0;

	fib_stride_expand(&u->pool->shadow, s, inherit, slot);
	*node = *old;
	if (affected & ~child)
		rc = build_leaves(u, slot, old, node);
	if (!rc && (affected & child))
		rc = refresh_children(u, s, old, slot, affected & child, node);
	return rc;
}

/* A node of the path with its child at this update's slot exchanged, added, or (NULL) removed. */
static int relink_node(struct fib_update *u, unsigned level, const struct fib_node *old,
		       const struct fib_node *child, struct fib_node *node)
{
	unsigned at = fib_key_slot(u->key, level);
	uint64_t bit = 1ull << at, had = old->vec[FIB_CHILD];
	unsigned rank = count_bits(had & fib_below(at)), skip = !!(had & bit), put = !!child;
	unsigned old_n = count_bits(had), n = old_n - skip + put;
	const struct fib_node *from = nodes_at(u, old->base[FIB_CHILD]);
	struct fib_node *to;
	uint32_t slot[64];
	int rc;

	*node = *old;
	node->vec[FIB_CHILD] = put ? had | bit : had & ~bit;
	if (skip != put) {
		fib_stride_expand(&u->pool->shadow, u->path[level], u->inherit[level], slot);
		rc = build_leaves(u, slot, old, node);
		if (rc)
			return rc;
	}
	rc = fib_pool_retire(u->pool, old->base[FIB_CHILD], old_n * sizeof(*from));
	if (rc || !n)
		return rc;
	rc = fib_pool_alloc(u->pool, n * sizeof(*to), &node->base[FIB_CHILD]);
	if (rc)
		return rc;
	to = nodes_at(u, node->base[FIB_CHILD]);
	memcpy(to, from, rank * sizeof(*to));
	if (put)
		to[rank] = *child;
	memcpy(to + rank + put, from + rank + skip, (old_n - rank - skip) * sizeof(*to));
	return 0;
}

/* ---- root entries */

static const struct fib_node *root_node(const struct fib_update *u, uint32_t entry)
{
	uint32_t word = fib_root_words(u->f)[entry];

	return word & FIB_NODE ? nodes_at(u, word & ~FIB_NODE) : &no_node;
}

/* The entry is to lead to a copy of node; what it leads to now is retired. */
static int store_node(struct fib_update *u, uint32_t entry, const struct fib_node *node)
{
	uint32_t word = fib_root_words(u->f)[entry], base;
	int rc = fib_pool_alloc(u->pool, sizeof(*node), &base);

	if (!rc && (word & FIB_NODE))
		rc = fib_pool_retire(u->pool, word & ~FIB_NODE, sizeof(*node));
	if (rc)
		return rc;
	*nodes_at(u, base) = *node;
	return fib_pool_store(u->pool, entry, 1, FIB_NODE | base);
}

static int store_value(struct fib_update *u, uint32_t entry, uint32_t value)
{
	uint32_t word = fib_root_words(u->f)[entry];
	int rc = 0;

	if (word & FIB_NODE)
		rc = fib_pool_retire(u->pool, word & ~FIB_NODE, sizeof(struct fib_node));
	return rc ? rc : fib_pool_store(u->pool, entry, 1, value);
}

/* ---- a prefix below the root: one entry */

static unsigned root_level(const struct fib_update *u)
{
	return u->f->root.levels;
}

static uint32_t root_entry(const struct fib_update *u)
{
	return (uint32_t)fib_key_bits(u->key, 0, 6 * root_level(u));
}

/* Reads the nodes of the path from the old root entry; beyond its end they are no_node. */
static void old_nodes(const struct fib_update *u, const struct fib_node *old[FIB_LEVELS])
{
	old[root_level(u)] = root_node(u, root_entry(u));
	for (unsigned l = root_level(u); l < u->level; l++) {
		unsigned at = fib_key_slot(u->key, l);
		uint64_t child = old[l]->vec[FIB_CHILD];

		old[l + 1] = &no_node;
		if (child >> at & 1)
			old[l + 1] = nodes_at(u, old[l]->base[FIB_CHILD]) +
				     count_bits(child & fib_below(at));
	}
}

/* What is left of a node that loses its last prefix and its last child. */
static int drop_node(struct fib_update *u, const struct fib_node *old)
{
	int rc = fib_pool_retire(u->pool, old->base[FIB_LEAF],
				 count_bits(old->vec[FIB_LEAF]) * sizeof(uint32_t));

	return rc ? rc
		  : fib_pool_retire(u->pool, old->base[FIB_CHILD],
				    count_bits(old->vec[FIB_CHILD]) * sizeof(*old));
}

/* Nothing but the child at this update's slot keeps the node of that level alive. */
static bool only_child(const struct fib_update *u, unsigned level, const struct fib_node *old)
{
	const struct fib_stride *s = u->path[level];

	return !(s->prefix[0] | s->prefix[1]) &&
	       old->vec[FIB_CHILD] == 1ull << fib_key_slot(u->key, level);
}

static int build_path(struct fib_update *u, const struct fib_node *old[FIB_LEVELS],
		      struct fib_node node, bool gone)
{
	for (unsigned l = u->level; l-- > root_level(u);) {
		struct fib_node child = node;
		bool last = gone && only_child(u, l, old[l]);
		int rc = last ? drop_node(u, old[l])
			      : relink_node(u, l, old[l], gone ? NULL : &child, &node);

		if (rc)
			return rc;
		gone = last;
	}
	return gone ? store_value(u, root_entry(u), u->inherit[root_level(u)])
		    : store_node(u, root_entry(u), &node);
}

static int build_long(struct fib_update *u)
{
	const struct fib_stride *s = u->path[u->level];
	const struct fib_node *old[FIB_LEVELS], *target;
	struct fib_node node = no_node;
	uint64_t affected = ~0ull; /* a new node's leaves are all new */
	bool gone = fib_stride_empty(s);
	int rc;

	old_nodes(u, old);
	target = old[u->level];
	if (target != &no_node)
		affected = fib_stride_open(s, fib_stride_covers(u->place), u->place);
	rc = gone ? drop_node(u, target)
		  : refresh_node(u, s, target, u->inherit[u->level], affected, &node);
	if (rc || !memcmp(&node, target, sizeof(node)))
		return rc;
	return build_path(u, old, node, gone);
}

/* ---- a prefix that ends inside the root: each entry that inherits it */

static int build_entry(struct fib_update *u, const struct fib_stride *s, uint32_t entry,
		       uint32_t inherit)
{
	const struct fib_node *old = root_node(u, entry);
	uint64_t open = fib_stride_open(s, ~0ull, 0);
	struct fib_node node;
	int rc;

	if (!open)
		return 0;
	rc = refresh_node(u, s, old, inherit, open, &node);
	if (rc || !memcmp(&node, old, sizeof(node)))
		return rc;
	return store_node(u, entry, &node);
}

/* s says what root entries first .. are; those of the affected slots changed. */
static int build_short(struct fib_update *u, const struct fib_stride *s, unsigned level,
		       uint32_t first, uint32_t inherit, uint64_t affected)
{
	uint32_t span = fib_root_entries(root_level(u) - level - 1);
	uint32_t slot[64];
	int rc = 0;

	fib_stride_expand(&u->pool->shadow, s, inherit, slot);
	for (uint64_t left = affected; left && !rc; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uint32_t entry = first + i * span;
		const struct fib_stride *kid = fib_stride_kid(&u->pool->shadow, s, i);

		if (!(s->child >> i & 1))
			rc = fib_pool_store(u->pool, entry, span, slot[i]);
		else if (level + 1 == root_level(u))
			rc = build_entry(u, kid, entry, slot[i]);
		else
			rc = build_short(u, kid, level + 1, entry, slot[i],
					 fib_stride_open(kid, ~0ull, 0));
	}
	return rc;
}

static int build_root(struct fib_update *u)
{
	const struct fib_stride *s = u->path[u->level];
	uint64_t affected = fib_stride_open(s, fib_stride_covers(u->place), u->place);
	uint32_t span = fib_root_entries(root_level(u) - u->level);

	return build_short(u, s, u->level, root_entry(u) & -span, u->inherit[u->level], affected);
}

int fib_publish(struct fib_update *u, enum fib_change change)
{
	int rc;

	fib_pool_begin(u->pool, change);
	rc = u->level < root_level(u) ? build_root(u) : build_long(u);
	if (rc)
		fib_pool_abort(u->pool);
	else
		fib_pool_commit(u->pool, fib_root_words(u->f));
	return rc;
}
