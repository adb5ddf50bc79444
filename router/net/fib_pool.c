/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of a family of tables, and the book-keeping that makes an update all or nothing.
 *
 * An update asks for new arrays, names the old ones it replaces, and notes the root entries it
 * wants changed. Nothing a reader can see moves until fib_pool_commit(), which cannot fail; an
 * update that runs out of memory half way is undone by fib_pool_abort(), which cannot either.
 * Replaced arrays stay readable until fib_pool_reclaim(). [control] only.
 *
 * max_bytes bounds the read side: roots, nodes, leaves, retired arrays. A delete may overdraw it by
 * an eighth (and at least 1 MiB), for a full table must still be able to shrink. A replacement may
 * by half of that: it needs room for a moment only, or nearly so.
 */
#include <errno.h>
#include <stdlib.h>

#include "router/net/fib_internal.h"

#define OVERDRAFT_MIN (1u << 20)
#define GROW_MIN      64u
#define WIDE_SHARE    16u /* of a pool's memory may be wide roots of small tables */

static size_t overdraft(size_t max_bytes)
{
	return max_bytes / 8 > OVERDRAFT_MIN ? max_bytes / 8 : OVERDRAFT_MIN;
}

struct fib_pool *fib_pool_create(size_t max_bytes)
{
	struct fib_pool *p = calloc(1, sizeof(*p));
	/* A stride and its values take less than twice what its node and leaves take. */
	size_t shadow = 2 * max_bytes + OVERDRAFT_MIN;
	int rc;

	if (!p)
		return NULL;
	rc = fib_arena_init(&p->read, max_bytes, max_bytes + overdraft(max_bytes), true);
	if (rc)
		goto free_pool;
	rc = fib_arena_init(&p->shadow, shadow, shadow, false);
	if (rc)
		goto fini_read;
	p->wide_free = (unsigned)(max_bytes / WIDE_SHARE / fib_root_bytes(FIB_ROOT_WIDE));
	return p;

fini_read:
	fib_arena_fini(&p->read);
free_pool:
	free(p);
	errno = -rc;
	return NULL;
}

void fib_pool_destroy(struct fib_pool *p)
{
	if (!p)
		return;
	fib_arena_fini(&p->read);
	fib_arena_fini(&p->shadow);
	free(p->retired.v);
	free(p->made.v);
	free(p->store);
	free(p);
}

void fib_pool_reclaim(struct fib_pool *p)
{
	for (size_t i = 0; i < p->retired.n; i++)
		fib_arena_free(&p->read, p->retired.v[i].base, p->retired.v[i].units);
	p->retired.n = 0;
	p->retired_bytes = 0;
}

size_t fib_pool_retired(const struct fib_pool *p)
{
	return p->retired_bytes;
}

size_t fib_pool_bytes(const struct fib_pool *p)
{
	return (size_t)p->read.used * FIB_UNIT;
}

size_t fib_pool_shadow_bytes(const struct fib_pool *p)
{
	return (size_t)p->shadow.used * FIB_UNIT;
}

/* Room for one more element in an array that doubles. */
static int grow(void **v, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? 2 * *cap : GROW_MIN;
	void *more;

	if (n < *cap)
		return 0;
	more = realloc(*v, want * size);
	if (!more)
		return -ENOSPC;
	*v = more;
	*cap = want;
	return 0;
}

static int push(struct fib_blocks *b, uint32_t base, uint32_t units)
{
	void *v = b->v;
	int rc = grow(&v, b->n, &b->cap, sizeof(*b->v));

	if (rc)
		return rc;
	b->v = v;
	b->v[b->n++] = (struct fib_block){ base, units };
	return 0;
}

void fib_pool_begin(struct fib_pool *p, enum fib_change change)
{
	uint32_t overdraw = p->read.reserve - p->read.limit;

	p->made.n = 0;
	p->stores = 0;
	p->mark = p->retired.n;
	p->limit = p->read.limit + (change == FIB_REMOVE    ? overdraw
				    : change == FIB_REPLACE ? overdraw / 2
							    : 0);
}

int fib_pool_alloc(struct fib_pool *p, size_t bytes, uint32_t *base)
{
	uint32_t units = fib_units(bytes);
	uint32_t limit = p->read.limit;
	uint32_t block;
	int rc;

	p->read.limit = p->limit;
	block = fib_arena_alloc(&p->read, units);
	p->read.limit = limit;
	if (!block)
		return -ENOSPC;
	rc = push(&p->made, block, units);
	if (rc) {
		fib_arena_free(&p->read, block, units);
		return rc;
	}
	*base = block;
	return 0;
}

int fib_pool_retire(struct fib_pool *p, uint32_t base, size_t bytes)
{
	return bytes ? push(&p->retired, base, fib_units(bytes)) : 0;
}

int fib_pool_store(struct fib_pool *p, uint32_t first, uint32_t count, uint32_t word)
{
	void *v = p->store;
	int rc = grow(&v, p->stores, &p->stores_cap, sizeof(*p->store));

	if (rc)
		return rc;
	p->store = v;
	p->store[p->stores++] = (struct fib_store){ first, count, word };
	return 0;
}

/* The release pairs with the acquire of a lookup's root load: who sees the word sees the arrays. */
void fib_pool_commit(struct fib_pool *p, uint32_t *root)
{
	for (size_t i = 0; i < p->stores; i++) {
		const struct fib_store *s = &p->store[i];

		for (uint32_t k = 0; k < s->count; k++)
			__atomic_store_n(&root[s->first + k], s->word, __ATOMIC_RELEASE);
	}
	for (size_t i = p->mark; i < p->retired.n; i++)
		p->retired_bytes += (size_t)p->retired.v[i].units * FIB_UNIT;
}

void fib_pool_abort(struct fib_pool *p)
{
	for (size_t i = 0; i < p->made.n; i++)
		fib_arena_free(&p->read, p->made.v[i].base, p->made.v[i].units);
	p->retired.n = p->mark;
}
