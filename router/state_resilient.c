/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resilient groups of nexthop objects: buckets that keep their owner while others come and go.
 *
 * Linux has such a table, too, but its table sees no traffic of ours. So this one is kept here, by
 * Linux's rules. What a member should have follows from the weights of those that can be used. The
 * buckets of one that cannot, because it left the group, its link is down or its neighbour has
 * failed, are dealt anew at once, and no others. A member that has less than it should gets idle
 * buckets from those who have more: such as no packet took for the group's idle timer. When some
 * member has had too many for as long as the unbalanced timer, idle or not.
 *
 * Workers note use by a byte a bucket, which state_buckets_upkeep() clears, a few times in an idle
 * time. The packets of a tracked flow go by what the flow remembers, and do not look into the
 * table; so upkeep also makes flows look again. A bucket is never thought idle too early, and at
 * most two rounds too late. [control]
 */
#include "router/state.h"

#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"

#define ROUND_MIN (250 * NSEC_PER_MSEC)
#define ROUND_MAX (5 * NSEC_PER_SEC)
#define CS_NS	  (10 * NSEC_PER_MSEC)

/* ---- life */

static void table_free(struct state *s, struct resilient *r)
{
	if (!r)
		return;
	state_retire(s, r->busy);
	free(r->owner);
	free(r->used_at);
	free(r);
}

static struct resilient *table_new(unsigned nbuckets)
{
	struct resilient *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->nbuckets = nbuckets;
	r->owner = calloc(nbuckets, sizeof(*r->owner));
	r->used_at = calloc(nbuckets, sizeof(*r->used_at));
	r->busy = calloc(nbuckets, 1);
	if (r->owner && r->used_at && r->busy)
		return r;
	free(r->busy);
	free(r->owner);
	free(r->used_at);
	free(r);
	return NULL;
}

void resilient_free(struct state *s, struct nexthop_object *o)
{
	table_free(s, o->res);
	o->res = NULL;
}

/* ---- who owns what */

/* The members that can be used. */
struct members {
	unsigned n, last; /* last: found last */
	uint32_t id[NETLINK_HOPS_MAX], weight[NETLINK_HOPS_MAX];
	uint32_t wants[NETLINK_HOPS_MAX], has[NETLINK_HOPS_MAX];
};

static void members_find(const struct state *s, const struct nexthop_object *o, struct members *m)
{
	struct netlink_hop h;

	m->n = m->last = 0;
	for (unsigned i = 0; i < o->n.nmembers; i++) {
		if (!object_member(s, o, i, &h) || !hop_serves(s, &h))
			continue;
		m->id[m->n] = h.nhid;
		m->weight[m->n++] = h.weight;
	}
	if (m->n)
		nh_deal(m->weight, m->n, o->res->nbuckets, m->wants);
}

/* The member with this id, or m->n. Neighbouring buckets mostly have one owner. */
static unsigned member_of(struct members *m, uint32_t id)
{
	if (m->id[m->last] == id)
		return m->last;
	for (unsigned i = 0; i < m->n; i++)
		if (m->id[i] == id)
			return m->last = i;
	return m->n;
}

static int lack(const struct members *m, unsigned i)
{
	return (int)m->wants[i] - (int)m->has[i];
}

/* To who lacks most; those who get a bucket know nothing of how it was used. */
static void give(struct resilient *r, unsigned b, struct members *m)
{
	unsigned to = 0;

	for (unsigned i = 1; i < m->n; i++)
		if (lack(m, i) > lack(m, to))
			to = i;
	m->has[to]++;
	r->owner[b] = m->id[to];
	r->used_at[b] = 0;
}

/* Clocks of the loop lag those asked a little. */
static uint64_t elapsed(uint64_t since, uint64_t now)
{
	return now > since ? now - since : 0;
}

static bool is_idle(const struct resilient *r, unsigned b, uint64_t now)
{
	return !__atomic_load_n(&r->busy[b], __ATOMIC_RELAXED) &&
	       (!r->used_at[b] || elapsed(r->used_at[b], now) >= r->idle);
}

static bool is_balanced(const struct members *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (lack(m, i) < 0)
			return false;
	return true;
}

/* How many buckets have no owner that can be used. */
static unsigned count_owners(const struct resilient *r, struct members *m)
{
	unsigned orphans = 0;

	memset(m->has, 0, sizeof(m->has));
	for (unsigned b = 0; b < r->nbuckets; b++) {
		unsigned i = member_of(m, r->owner[b]);

		if (i < m->n)
			m->has[i]++;
		else
			orphans++;
	}
	return orphans;
}

static bool is_unused(const struct resilient *r)
{
	for (unsigned b = 0; b < r->nbuckets; b++)
		if (r->used_at[b] || __atomic_load_n(&r->busy[b], __ATOMIC_RELAXED))
			return false;
	return true;
}

static void deal_orphans(struct resilient *r, struct members *m)
{
	for (unsigned b = 0; b < r->nbuckets; b++)
		if (member_of(m, r->owner[b]) == m->n)
			give(r, b, m);
}

static bool deal_surplus(struct resilient *r, struct members *m, uint64_t now)
{
	bool force = r->unbalanced && r->unbalanced_at &&
		     elapsed(r->unbalanced_at, now) >= r->unbalanced;
	bool any = false;

	for (unsigned b = 0; b < r->nbuckets; b++) {
		unsigned i = member_of(m, r->owner[b]);

		if (lack(m, i) >= 0 || (!force && !is_idle(r, b, now)))
			continue;
		m->has[i]--;
		give(r, b, m);
		any = true;
	}
	return any;
}

/* True: some buckets have other owners now, and the paths over the group must follow. Where no
 * member can be used all stays as it was. */
bool resilient_balance(struct state *s, struct nexthop_object *o, uint64_t now)
{
	struct resilient *r = o->res;
	struct members m;
	unsigned orphans;
	bool any;

	members_find(s, o, &m);
	if (!m.n)
		return false;
	orphans = count_owners(r, &m);
	/* What nobody has used is dealt from nothing: so what comes of ports that open one after
	 * the other is what a restart, which finds them open, makes of the same members. */
	if ((orphans || !is_balanced(&m)) && is_unused(r)) {
		memset(r->owner, 0, r->nbuckets * sizeof(r->owner[0]));
		orphans = count_owners(r, &m);
	}
	if (orphans)
		deal_orphans(r, &m);
	any = deal_surplus(r, &m, now) || orphans;
	if (is_balanced(&m))
		r->unbalanced_at = 0;
	else if (!r->unbalanced_at)
		r->unbalanced_at = now;
	return any;
}

/* ---- time */

static uint64_t round_of(const struct resilient *r, uint64_t now)
{
	uint64_t length = r->idle / 4, forced = r->unbalanced_at + r->unbalanced;

	length = length < ROUND_MIN ? ROUND_MIN : length > ROUND_MAX ? ROUND_MAX : length;
	if (r->unbalanced_at && r->unbalanced && forced > now && forced - now < length)
		length = forced - now;
	return length;
}

static void tell_due(struct state *s, uint64_t now)
{
	uint64_t next = 0;
	uint32_t at = 0;

	for (struct table_node *n = table_walk(&s->objects, &at, NULL); n;
	     n = table_walk(&s->objects, &at, n)) {
		const struct resilient *r = table_entry(n, struct nexthop_object, node)->res;

		if (r && (!next || round_of(r, now) < next))
			next = round_of(r, now);
	}
	if (s->buckets_due)
		s->buckets_due(s->arg, next ? now + next : 0);
}

static void note_use(struct resilient *r, uint64_t now)
{
	for (unsigned b = 0; b < r->nbuckets; b++) {
		if (!__atomic_load_n(&r->busy[b], __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&r->busy[b], 0, __ATOMIC_RELAXED);
		r->used_at[b] = now;
	}
}

void state_buckets_upkeep(struct state *s, uint64_t now)
{
	bool any = false;
	uint32_t at = 0;

	for (struct table_node *n = table_walk(&s->objects, &at, NULL); n;
	     n = table_walk(&s->objects, &at, n)) {
		struct nexthop_object *o = table_entry(n, struct nexthop_object, node);

		if (!o->res)
			continue;
		any = true;
		note_use(o->res, now);
		if (resilient_balance(s, o, now))
			paths_follow_buckets(s, o->n.id);
	}
	if (any)
		state_routes_moved(s);
	tell_due(s, now);
}

/* The object is new, or Linux said it again. The number of buckets is for life: Linux lets none of
 * a group change it, so one that has another is another group. */
void resilient_update(struct state *s, struct nexthop_object *o)
{
	unsigned buckets = o->n.resilient ? o->n.buckets : 0;
	uint64_t now = clock_now();

	if (o->res && o->res->nbuckets != buckets)
		resilient_free(s, o);
	if (!buckets)
		return;
	if (!o->res)
		o->res = table_new(buckets);
	if (!o->res)
		return;
	o->res->idle = o->n.idle_cs * CS_NS;
	o->res->unbalanced = o->n.unbalanced_cs * CS_NS;
	if (resilient_balance(s, o, now))
		paths_follow_buckets(s, o->n.id);
	tell_due(s, now);
}
