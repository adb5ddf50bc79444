// SPDX-License-Identifier: GPL-2.0-or-later
/* A tree in use; see tree.h. How it is made and changed: tree_plan.c, tree_change.c. */
#include "router/net/qdisc/tree.h"

#include <math.h>

#define US 1000u

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
