/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fib_set() and fib_del(): one change of one prefix.
 *
 * The shadow takes the change first: the stride where the prefix ends, and strides on the way to
 * it. fib_publish() then makes readers see it. If that finds no memory, the shadow takes the change
 * back, which needs none, and nothing has happened. [control] only.
 */
#include <errno.h>

#include "router/net/fib_internal.h"

/* ---- the shadow's path */

/* Gives up strides without content, from this level's up. */
static void prune_path(struct fib_update *u, unsigned level)
{
	for (unsigned l = level; l && fib_stride_empty(u->path[l]); l--)
		fib_stride_drop_kid(&u->pool->shadow, u->path[l - 1], fib_key_slot(u->key, l - 1));
}

/* The strides down to the one where addr/len ends, making those that lack (or -ENOENT). */
static int find_path(struct fib_update *u, struct fib *f, const void *addr, unsigned len, bool make)
{
	struct fib_arena *a = &f->pool->shadow;

	u->f = f;
	u->pool = f->pool;
	u->key = fib_key(f, addr);
	u->level = fib_level_of(len);
	u->place = fib_key_place(u->key, len);
	u->path[0] = &f->top;
	u->inherit[0] = FIB_NONE;
	for (unsigned l = 0; l < u->level; l++) {
		struct fib_stride *s = u->path[l];
		unsigned slot = fib_key_slot(u->key, l);
		unsigned match = fib_stride_match(s, slot);

		u->inherit[l + 1] = match ? *fib_stride_value(a, s, match) : u->inherit[l];
		if (!(s->child >> slot & 1)) {
			int rc = make ? fib_stride_add_kid(a, s, slot) : -ENOENT;

			if (rc) {
				prune_path(u, l);
				return rc;
			}
		}
		u->path[l + 1] = fib_stride_kid(a, s, slot);
	}
	return 0;
}

/* ---- set and delete */

static int replace_value(struct fib_update *u, uint32_t value)
{
	uint32_t *at = fib_stride_value(&u->pool->shadow, u->path[u->level], u->place);
	uint32_t old = *at;
	int rc;

	if (old == value)
		return 0;
	*at = value;
	rc = fib_publish(u, FIB_REPLACE);
	if (rc)
		*at = old;
	return rc;
}

static int insert_prefix(struct fib_update *u, uint32_t value)
{
	struct fib_arena *a = &u->pool->shadow;
	struct fib_stride *s = u->path[u->level];
	int rc = fib_stride_insert(a, s, u->place, value);

	if (rc)
		goto prune;
	rc = fib_publish(u, FIB_ADD);
	if (rc)
		goto remove;
	u->f->count++;
	return 0;

remove:
	fib_stride_hide(a, s, u->place);
	fib_stride_settle(a, s);
prune:
	prune_path(u, u->level);
	return rc;
}

static void set_default(struct fib *f, uint32_t value)
{
	f->count += !!value;
	f->count -= !!f->fallback;
	__atomic_store_n(&f->fallback, value, __ATOMIC_RELEASE);
}

int fib_set(struct fib *f, const void *addr, unsigned len, uint32_t value)
{
	struct fib_update u;
	int rc;

	if (len > f->bits || value == FIB_NONE || value > FIB_MAX)
		return -EINVAL;
	if (!len) {
		set_default(f, value);
		return 0;
	}
	fib_root_grow(f);
	rc = find_path(&u, f, addr, len, true);
	if (rc)
		return rc;
	if (fib_stride_has(u.path[u.level], u.place))
		return replace_value(&u, value);
	return insert_prefix(&u, value);
}

int fib_del(struct fib *f, const void *addr, unsigned len)
{
	struct fib_stride *s;
	struct fib_update u;
	uint32_t value;
	int rc;

	if (len > f->bits || (!len && !f->fallback))
		return -ENOENT;
	if (!len) {
		set_default(f, FIB_NONE);
		return 0;
	}
	rc = find_path(&u, f, addr, len, false);
	if (rc)
		return rc;
	s = u.path[u.level];
	if (!fib_stride_has(s, u.place))
		return -ENOENT;
	value = fib_stride_hide(&u.pool->shadow, s, u.place);
	rc = fib_publish(&u, FIB_REMOVE);
	if (rc) {
		fib_stride_unhide(&u.pool->shadow, s, u.place, value);
		return rc;
	}
	fib_stride_settle(&u.pool->shadow, s);
	prune_path(&u, u.level);
	f->count--;
	return 0;
}
