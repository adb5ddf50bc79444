// SPDX-License-Identifier: GPL-2.0-or-later
/* See shaper.h. */
#include "router/shaper.h"

#include <errno.h>
#include <stdlib.h>

#define RING 2048 /* packets a worker may have handed over and the owner not taken yet */

int shaper_create(struct qdisc_tree *tree, unsigned port, bool ifb, unsigned owner,
		  unsigned nworkers, struct shaper **out)
{
	struct shaper *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return err;
	*s = (struct shaper){
		.tree = tree, .port = port, .ifb = ifb, .owner = owner, .nworkers = nworkers
	};
	s->in = aligned_alloc(64, nworkers * sizeof(*s->in));
	if (!s->in)
		goto no_rings;
	for (unsigned w = 0; w < nworkers; w++) {
		if (spsc_init(&s->in[w], RING, sizeof(struct qpkt *))) {
			while (w--)
				spsc_fini(&s->in[w]);
			goto no_ring;
		}
	}
	*out = s;
	return 0;
no_ring:
	free(s->in);
no_rings:
	free(s);
	return err;
}

void shaper_destroy(struct shaper *s)
{
	if (!s)
		return;
	for (unsigned w = 0; w < s->nworkers; w++)
		spsc_fini(&s->in[w]);
	free(s->in);
	free(s);
}

static void drop(struct dp *dp, const struct qpkt *p, enum drop_reason why)
{
	counter_add(&dp->count->drop[why], 1);
	counter_add(&dp->count->port[p->port].drops, 1);
	dp->free(dp, dp->base + p->addr);
}

static void take_given(struct shaper *s, struct dp *dp)
{
	unsigned passed;

	s->tree->dp = dp;
	s->tree->now = dp->now;
	passed = tree_enqueue_burst(s->tree, s->given, s->ngiven, s->room);
	s->room -= passed;
	s->ngiven = 0;
	for (unsigned i = 0; i < passed; i++)
		s->take(s, dp, s->given[i]);
}

static inline void give_own(struct shaper *s, struct dp *dp, struct qpkt *p)
{
	s->given[s->ngiven++] = p;
	if (s->ngiven == BURST)
		take_given(s, dp);
}

unsigned shaper_give(struct shaper *s, struct dp *dp, struct qpkt *p)
{
	if (__builtin_expect(s->owner != dp->worker, 0)) {
		if (!spsc_put(&s->in[dp->worker], &p))
			drop(dp, p, DROP_QDISC_HANDOVER);
		return s->owner;
	}
	give_own(s, dp, p);
	return s->owner;
}

static void take_in(struct shaper *s, struct dp *dp)
{
	bool left = __atomic_load_n(&s->life, __ATOMIC_RELAXED) == SHAPER_LEFT;
	struct qpkt *p;

	for (unsigned w = 0; w < s->nworkers; w++)
		while (spsc_get(&s->in[w], &p)) {
			if (left)
				drop(dp, p, DROP_QDISC_GONE);
			else
				give_own(s, dp, p);
		}
	take_given(s, dp);
}

void shaper_change(struct shaper *s, struct tree_change *change)
{
	__atomic_store_n(&s->change, change, __ATOMIC_SEQ_CST);
}

void shaper_leave(struct shaper *s)
{
	__atomic_store_n(&s->life, SHAPER_LEAVES, __ATOMIC_SEQ_CST);
}

bool shaper_is_busy(const struct shaper *s)
{
	return __atomic_load_n(&s->change, __ATOMIC_ACQUIRE) != NULL ||
	       __atomic_load_n(&s->life, __ATOMIC_ACQUIRE) == SHAPER_LEAVES;
}

bool shaper_is_empty(const struct shaper *s)
{
	return __atomic_load_n(&s->life, __ATOMIC_ACQUIRE) == SHAPER_LEFT;
}

/* What was handed over before goes by the tree as it was: its classes may go now. */
static void carry_out(struct shaper *s)
{
	struct tree_change *c = __atomic_load_n(&s->change, __ATOMIC_ACQUIRE);

	if (c && tree_apply(s->tree, c))
		__atomic_store_n(&s->change, NULL, __ATOMIC_RELEASE);
	if (__atomic_load_n(&s->life, __ATOMIC_ACQUIRE) == SHAPER_LEAVES) {
		tree_reset(s->tree);
		__atomic_store_n(&s->life, SHAPER_LEFT, __ATOMIC_RELEASE);
	}
}

static void publish(struct shaper *s)
{
	__atomic_store_n(&s->held, s->tree->held, __ATOMIC_RELAXED);
}

uint64_t shaper_run(struct shaper *s, struct dp *dp)
{
	struct qdisc_tree *t = s->tree;

	t->dp = dp;
	t->now = dp->now;
	take_in(s, dp);
	carry_out(s);
	for (; s->room; s->room--) {
		struct qpkt *p = tree_dequeue(t);

		if (!p) {
			publish(s);
			return t->wake;
		}
		s->take(s, dp, p);
	}
	publish(s);
	return t->root->qlen ? dp->now : QDISC_NEVER;
}

uint32_t shaper_held(const struct shaper *s)
{
	uint32_t n = __atomic_load_n(&s->held, __ATOMIC_RELAXED);

	for (unsigned w = 0; w < s->nworkers; w++)
		n += spsc_count(&s->in[w]);
	return n;
}

bool shaper_has_news(const struct shaper *s)
{
	bool news = shaper_is_busy(s);

	for (unsigned w = 0; w < s->nworkers; w++)
		news |= spsc_count(&s->in[w]) != 0;
	return news;
}

void shaper_drain(struct shaper *s, struct dp *dp)
{
	struct qpkt *p;

	while (s->ngiven)
		drop(dp, s->given[--s->ngiven], DROP_QDISC_GONE);
	for (unsigned w = 0; w < s->nworkers; w++)
		while (spsc_get(&s->in[w], &p))
			drop(dp, p, DROP_QDISC_GONE);
}
