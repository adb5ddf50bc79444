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
	if (s->packets && counter_read(s->packets) > all) {
		seen = counter_read(s->packets) - all; /* passed without being queued */
		all += seen;
	}
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

/* ---- what enqueueing will read, fetched a step of the chain of pointers at a time */

#define LINE	    64
#define LINES	    4  /* of a class, and of its child: what each packet needs stands first */
#define STEPS_FIRST 3  /* the class's place, the class, its child; then the child's own */
#define AT_ONCE	    16 /* packets */
#define FEW_CLASSES 32 /* these stay in the cache */

static inline void fetch(const void *p)
{
	for (size_t at = 0; at < LINES * LINE; at += LINE)
		__builtin_prefetch((const char *)p + at, 1);
}

static inline const struct qclass *class_at(const struct qdisc_tree *t, const struct qpkt *p)
{
	return p->cls < t->ncls ? t->cls[p->cls] : NULL;
}

static void prefetch(const struct qdisc_tree *t, const struct qpkt *p, unsigned step)
{
	const struct qclass *cl;
	const struct qdisc *q;

	if (step == 0) {
		if (p->cls < t->ncls)
			__builtin_prefetch(&t->cls[p->cls]);
		return;
	}
	cl = class_at(t, p);
	q = cl ? cl->child : t->root;
	if (step == 1 && cl)
		fetch(cl);
	else if (step == 2 && q)
		fetch(q);
	else if (step >= STEPS_FIRST && q && q->ops->prefetch)
		q->ops->prefetch(q, p, step - STEPS_FIRST);
}

static void prefetch_all(const struct qdisc_tree *t, struct qpkt *const *p, unsigned n,
			 unsigned from, unsigned to)
{
	for (unsigned step = from; step < to; step++)
		for (unsigned i = 0; i < n; i++)
			prefetch(t, p[i], step);
}

/* Of one class, what could not pass is not overtaken by what comes behind it: within a turn, tokens
 * and room only become less. */
static unsigned enqueue_some(struct qdisc_tree *t, struct qpkt *const *p, unsigned n,
			     struct qpkt **out, unsigned room)
{
	struct qpkt *wait[AT_ONCE];
	unsigned passed = 0, waiting = 0;

	if (t->ncls > FEW_CLASSES)
		prefetch_all(t, p, n, 0, STEPS_FIRST);
	for (unsigned i = 0; i < n; i++) {
		if (passed < room && qdisc_pass(t->root, p[i]))
			out[passed++] = p[i];
		else
			wait[waiting++] = p[i];
	}
	prefetch_all(t, wait, waiting, STEPS_FIRST, STEPS_FIRST + QDISC_STEPS);
	for (unsigned i = 0; i < waiting; i++)
		tree_enqueue(t, wait[i]);
	return passed;
}

unsigned tree_enqueue_burst(struct qdisc_tree *t, struct qpkt **p, unsigned n, unsigned room)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i += AT_ONCE)
		passed += enqueue_some(t, p + i, n - i < AT_ONCE ? n - i : AT_ONCE, p + passed,
				       room - passed);
	return passed;
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
	sojourn_add(p->cls < t->ncls && t->cls[p->cls] ? t->cls[p->cls]->sojourn : &t->sojourn,
		    t->now - p->enqueued);
	return p;
}
