// SPDX-License-Identifier: GPL-2.0-or-later
/* A tree in use; see tree.h. How it is made and changed: tree_plan.c, tree_change.c. */
#include "router/net/qdisc/tree.h"

#include <math.h>

#define US 1000u

/* What tree_enqueue_burst() fetches: the first line of a class, those after its public part, which
 * is where htb has what it needs for each packet, and the first of the child. */
#define FEW_CLASSES 32
#define AT_ONCE	    16 /* packets */
#define HOT_FROM    (sizeof(struct qclass) & ~63ul)
#define HOT_TO	    (HOT_FROM + 192)
#define CHILD_LINES 3

/* Four buckets an octave of microseconds: by the two bits behind the highest. */
static unsigned sojourn_bucket(uint64_t ns)
{
	uint64_t us = ns / US;
	unsigned high, bucket;

	if (us < 4)
		return (unsigned)us;
	high = 63u - (unsigned)__builtin_clzll(us);
	bucket = 4 * (high - 1) + (unsigned)(us >> (high - 2) & 3);
	return bucket < SOJOURN_BUCKETS ? bucket : SOJOURN_BUCKETS - 1;
}

/* The time that everything in a bucket stays below, in ns. */
static uint64_t sojourn_bound(unsigned bucket)
{
	unsigned high = bucket / 4 + 1;

	if (bucket < 4)
		return (bucket + 1ull) * US;
	return ((4ull + bucket % 4 + 1) << (high - 2)) * US;
}

static void sojourn_add(struct sojourn *s, uint64_t ns)
{
	uint32_t *n = &s->bucket[sojourn_bucket(ns)];

	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

uint64_t sojourn_percentile(const struct sojourn *s, double percent)
{
	uint64_t all = 0, seen = 0, rank;

	for (unsigned i = 0; i < SOJOURN_BUCKETS; i++)
		all += __atomic_load_n(&s->bucket[i], __ATOMIC_RELAXED);
	rank = (uint64_t)ceil((double)all * percent / 100);
	for (unsigned i = 0; i < SOJOURN_BUCKETS && all; i++) {
		seen += __atomic_load_n(&s->bucket[i], __ATOMIC_RELAXED);
		if (seen >= rank && seen)
			return sojourn_bound(i);
	}
	return 0;
}

void tree_enqueue(struct qdisc_tree *t, struct qpkt *p)
{
	t->held++;
	p->enqueued = t->now;
	p->flags = 0;
	if (__builtin_expect(t->held > t->budget, 0))
		qdisc_drop(t->root, p, DROP_QDISC_BUDGET);
	else
		qdisc_enqueue(t->root, p);
}

static const struct qclass *class_at(const struct qdisc_tree *t, const struct qpkt *p)
{
	return p->cls < t->ncls ? t->cls[p->cls] : NULL;
}

/* The lines of a class that its discipline asked for, then those that its child begins with. */
static void fetch_class(const struct qdisc_tree *t, const struct qpkt *p)
{
	const struct qclass *cl = class_at(t, p);

	if (!cl)
		return;
	__builtin_prefetch(cl, 1);
	for (unsigned at = HOT_FROM; at < HOT_TO; at += 64)
		__builtin_prefetch((const char *)cl + at, 1);
}

static void fetch_child(const struct qdisc_tree *t, const struct qpkt *p)
{
	const struct qclass *cl = class_at(t, p);

	if (!cl || !cl->child)
		return;
	for (unsigned at = 0; at < CHILD_LINES * 64; at += 64)
		__builtin_prefetch((const char *)cl->child + at, 1);
}

void tree_enqueue_burst(struct qdisc_tree *t, struct qpkt *const *p, unsigned n)
{
	for (unsigned i = 0; i < n && t->ncls > FEW_CLASSES; i++)
		if (p[i]->cls < t->ncls)
			__builtin_prefetch(&t->cls[p[i]->cls]);
	while (n) {
		unsigned some = n < AT_ONCE ? n : AT_ONCE;

		for (unsigned i = 0; i < some && t->ncls > FEW_CLASSES; i++)
			fetch_class(t, p[i]);
		for (unsigned i = 0; i < some && t->ncls > FEW_CLASSES; i++)
			fetch_child(t, p[i]);
		for (unsigned i = 0; i < some; i++)
			tree_enqueue(t, p[i]);
		p += some;
		n -= some;
	}
}

struct qpkt *tree_dequeue(struct qdisc_tree *t)
{
	struct qpkt *p;

	t->wake = QDISC_NEVER;
	if (!t->root->qlen)
		return NULL;
	p = qdisc_dequeue(t->root);
	if (!p)
		return NULL;
	t->held--;
	sojourn_add(p->cls < t->ncls && t->cls[p->cls] ? &t->cls[p->cls]->sojourn : &t->sojourn,
		    t->now - p->enqueued);
	return p;
}
