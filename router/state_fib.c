/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIBs made of Linux's routes: for each prefix the route that Linux would take; see state.h.
 *
 * A FIB has a limit. A route that does not fit is refused: packets go by a shorter prefix, as if it
 * did not exist, the log says so, and it is kept in mind by its prefix. When memory was given
 * back, the next publication tries the refused again, in turn, until so many in a row were refused
 * that the FIB must be full. A FIB never leads where a route led before: what cannot be replaced is
 * taken out, since its slot may soon be another's.
 *
 * A table has a FIB while an interface or a rule looks into it, and another for each length up to
 * which a rule suppresses its routes: there a route that is suppressed is a throw, so that what it
 * hides stays hidden. [control]
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/lib/rcu.h"
#include "router/state.h"

/* Bytes of a FIB that may wait for a grace period during a long dump. */
#define RETIRED_MAX (4u << 20)
/* So many are worth a grace period for one route that would not fit without. */
#define RETIRED_WORTH (64u << 10)
/* So many refusals in a row: it is full. */
#define REFUSALS_MAX 64u
/* Routes may come and go at the limit all day. */
#define SAY_EACH (60 * NSEC_PER_SEC)

/* A prefix that has a route, and is not in the FIB. */
struct refusal {
	struct table_node node; /* by table and prefix */
	struct fib_table *t;
	struct prefix dst;
};

/* Linux asks local before main, or both at once: together they are the FIB of main that packets are
 * looked up in where no rule stands between the two. */
static unsigned feeders(const struct fib_table *t, uint32_t out[2])
{
	out[0] = t->folded ? TABLE_LOCAL : t->table;
	out[1] = t->table;
	return t->folded ? 2 : 1;
}

static bool feeds(uint32_t table, const struct fib_table *t)
{
	return t->table == table || (t->folded && table == TABLE_LOCAL);
}

/* Of the routes of one prefix and table, from this one on, what Linux would take. */
static struct route *best_from(struct route *r)
{
	while (r && r->tos)
		r = r->next;
	return r;
}

static struct route *best_of(const struct state *s, uint32_t table, const struct prefix *p)
{
	return best_from(route_head(s, table, p));
}

/* ---- what was refused */

static uint32_t refusal_hash(const struct fib_table *t, const struct prefix *p)
{
	return hash_bytes(p, sizeof(p->addr) + 1, t->table);
}

static struct refusal *refusal_find(const struct state *s, const struct fib_table *t,
				    const struct prefix *p)
{
	struct table_node *n = table_find(&s->refused, refusal_hash(t, p));

	for (; n; n = table_find_next(n)) {
		struct refusal *x = table_entry(n, struct refusal, node);

		if (x->t == t && prefix_equal(&x->dst, p))
			return x;
	}
	return NULL;
}

static void refusal_add(struct state *s, struct fib_table *t, const struct prefix *p)
{
	struct refusal *x = refusal_find(s, t, p) ? NULL : calloc(1, sizeof(*x));

	if (x) {
		x->t = t;
		x->dst = *p;
		table_add(&s->refused, &x->node, refusal_hash(t, p));
	}
	if (s->fib_full || (s->fib_said && clock_now() - s->fib_said < SAY_EACH))
		return;
	log_err("table %u: the FIB is full at %zu routes; further routes are not used", t->table,
		fib_count(t->fib));
	s->fib_full = true;
	s->fib_said = clock_now();
}

static void refusal_del(struct state *s, const struct fib_table *t, const struct prefix *p)
{
	struct refusal *x = refusal_find(s, t, p);

	if (!x)
		return;
	table_del(&s->refused, &x->node);
	free(x);
	if (!s->refused.count && s->fib_full) {
		log_info("the FIB has room again: all routes are in use");
		s->fib_full = false;
	}
}

/* ---- room */

/* Refused routes are tried again with the publication under way, whole tables with the next. */
static void room_made(struct state *s)
{
	s->fib_room = true;
	s->rules_dirty |= s->fib_missing;
}

static void table_refused(struct state *s, const struct fib_table *want)
{
	s->fib_missing = true;
	if (s->missing_said && clock_now() - s->missing_said < SAY_EACH)
		return;
	log_err("table %u: no memory for an IPv%u FIB; none of its routes is used", want->table,
		want->family == AF_INET6 ? 6 : 4);
	s->missing_said = clock_now();
}

/* ---- the best route of a prefix into a FIB, or its prefix out of it */

static void reclaim(struct fib_pool *pool)
{
	rcu_wait();
	fib_pool_reclaim(pool);
}

/* Linux suppresses what leads somewhere; a refusal it believes whatever its length. */
static bool is_suppressed(const struct fib_table *t, const struct route *r)
{
	return r->dst.len <= t->suppress && r->type != RTN_BLACKHOLE &&
	       r->type != RTN_UNREACHABLE && r->type != RTN_PROHIBIT;
}

static int change(struct state *s, struct fib_table *t, const struct prefix *p,
		  const struct route *r)
{
	if (!r)
		return fib_del(t->fib, p->addr.bytes, p->len);
	return fib_set(t->fib, p->addr.bytes, p->len,
		       is_suppressed(t, r) ? s->suppressed : feasible_slot(s, r));
}

/* 0, or -ENOSPC: the prefix is not in the FIB. */
static int apply(struct state *s, struct fib_table *t, const struct prefix *p,
		 const struct route *r)
{
	struct fib_pool *pool = s->pool[t->family == AF_INET6];
	int err = change(s, t, p, r);

	if (err == -ENOSPC && fib_pool_retired(pool) > (r ? RETIRED_WORTH : 0)) {
		reclaim(pool);
		err = change(s, t, p, r);
	}
	if (err == -ENOSPC ? fib_pool_retired(pool) > 0 : !r)
		room_made(s);
	if (r && err == -ENOSPC && fib_get(t->fib, p->addr.bytes, p->len))
		(void)apply(s, t, p, NULL);
	if (fib_pool_retired(pool) > RETIRED_MAX)
		reclaim(pool);
	return err;
}

static int fib_refresh_one(struct state *s, struct fib_table *t, const struct prefix *p)
{
	uint32_t tables[2];
	unsigned n = feeders(t, tables);
	struct route *r = NULL;
	int err;

	for (unsigned i = 0; i < n; i++) {
		struct route *head = route_head(s, tables[i], p);

		for (struct route *x = head; x && t->suppress < 0; x = x->next)
			x->in_fib = false;
		r = r ? r : best_from(head);
	}
	err = apply(s, t, p, r);
	state_routes_moved(s);
	if (r && t->suppress < 0)
		r->in_fib = !err;
	if (err == -ENOSPC)
		refusal_add(s, t, p);
	else if (s->refused.count)
		refusal_del(s, t, p);
	return err;
}

void fib_refresh(struct state *s, uint32_t table, const struct prefix *p)
{
	for (struct fib_table *t = s->tables; t; t = t->next)
		if (t->family == p->addr.family && feeds(table, t))
			(void)fib_refresh_one(s, t, p);
}

/* Replaced memory was given back: if some of it came from routes that are gone, others may fit.
 * True: some did and others did not, which should be tried again when what the former replaced was
 * given back. */
bool fibs_try_refused(struct state *s)
{
	uint32_t buckets = s->refused.mask + 1, before = s->refused.count;
	unsigned in_a_row = 0;

	if (!before || !s->fib_room)
		return false;
	for (uint32_t i = 0; i < buckets && in_a_row < REFUSALS_MAX; i++) {
		struct table_node *n = s->refused.bucket[s->refused_at++ % buckets], *next;

		for (; n; n = next) {
			struct refusal *x = table_entry(n, struct refusal, node);
			struct prefix p = x->dst; /* x goes with success */

			next = n->next;
			in_a_row = fib_refresh_one(s, x->t, &p) ? in_a_row + 1 : 0;
		}
	}
	s->fib_room = s->refused.count && s->refused.count < before;
	return s->fib_room;
}

/* ---- tables */

static struct fib *fib_make(struct state *s, const struct fib_table *want)
{
	struct fib_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = *want;
	t->used = s->generation;
	t->fib = fib_create(s->pool[t->family == AF_INET6], t->family);
	if (!t->fib) {
		free(t);
		return NULL;
	}
	t->next = s->tables;
	s->tables = t;
	for (struct route *r = s->first; r; r = r->next_all)
		if (r->dst.addr.family == t->family && feeds(r->table, t))
			(void)fib_refresh_one(s, t, &r->dst);
	return t->fib;
}

static struct fib *fib_of(struct state *s, const struct fib_table *want, bool create)
{
	struct fib_table *t = s->tables;
	struct fib *f;

	while (t && !(t->table == want->table && t->family == want->family &&
		      t->folded == want->folded && t->suppress == want->suppress))
		t = t->next;
	if (t && create)
		t->used = s->generation;
	if (t || !create)
		return t ? t->fib : NULL;
	f = fib_make(s, want);
	if (!f)
		table_refused(s, want);
	return f;
}

struct fib *state_fib(struct state *s, uint32_t table, int family, bool create)
{
	const struct fib_table want = {
		.table = table, .family = family, .folded = table == TABLE_MAIN, .suppress = -1
	};

	return fib_of(s, &want, create);
}

struct fib *state_fib_alone(struct state *s, uint32_t table, int family, int suppress)
{
	const struct fib_table want = { .table = table, .family = family, .suppress = suppress };

	return fib_of(s, &want, true);
}

static void fib_forget(struct state *s, struct fib_table *t)
{
	for (struct route *r = s->first; r; r = r->next_all) {
		if (r->dst.addr.family != t->family || r->table != t->table)
			continue;
		if (s->refused.count)
			refusal_del(s, t, &r->dst);
		if (t->suppress < 0 && t->table != TABLE_MAIN && t->table != TABLE_LOCAL)
			r->in_fib = false;
	}
	fib_destroy(t->fib);
	free(t);
	room_made(s);
}

/* Nobody looks into what the latest configuration has not asked for; a grace period has passed. */
void fibs_sweep(struct state *s)
{
	for (struct fib_table **at = &s->tables, *t = *at; t; t = *at) {
		if (t->folded || t->used == s->generation) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		fib_forget(s, t);
	}
}

enum route_use state_route_use(const struct state *s, const struct route *r)
{
	const struct fib_table *t = s->tables;

	if (r->in_fib)
		return ROUTE_USED;
	while (t && !(t->family == r->dst.addr.family && t->suppress < 0 && feeds(r->table, t)))
		t = t->next;
	if (!t)
		return ROUTE_NO_TABLE;
	if (r->tos)
		return ROUTE_BY_TOS;
	return best_of(s, r->table, &r->dst) == r && refusal_find(s, t, &r->dst) ? ROUTE_NO_ROOM
										 : ROUTE_SHADOWED;
}

static const struct route *longest(const struct state *s, const uint32_t *tables, unsigned n,
				   const struct addr *a)
{
	struct prefix p = { .addr = *a };

	for (int len = (int)addr_bits(a); len >= 0; len--) {
		p.len = (uint8_t)len;
		p = prefix_masked(&p);
		for (unsigned i = 0; i < n; i++) {
			const struct route *r = best_of(s, tables[i], &p);

			if (r)
				return r;
		}
	}
	return NULL;
}

const struct route *state_route_for(const struct state *s, uint32_t table, const struct addr *a)
{
	static const uint32_t usual[] = { TABLE_LOCAL, TABLE_MAIN }, then[] = { TABLE_DEFAULT };
	const struct route *r =
		table == TABLE_MAIN ? longest(s, usual, 2, a) : longest(s, &table, 1, a);

	const struct route *behind = NULL;

	if (table == TABLE_MAIN && a->family == AF_INET && (!r || r->type == RTN_THROW))
		behind = longest(s, then, 1, a);
	return behind ? behind : r;
}
