/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of shaping look at in the router of pipe_flows.h: trees and classes by port and
 * handle, filters by number, and what leaves when. 8 Mbit/s are used throughout: a byte is a
 * microsecond.
 */
#ifndef TESTS_UNIT_PIPE_SHAPE_H
#define TESTS_UNIT_PIPE_SHAPE_H

#include "router/net/qdisc/classify.h"
#include "tests/unit/pipe_flows.h"

#define USEC NSEC_PER_USEC

/* Leaves for what filters say, wide enough to hold nothing up: classes 1:1, 1:2, 1:3, and 1:9 for
 * all else. */
#define LEAVES                                                                                     \
	"root: {handle: '1:', htb: {default: rest}}, classes: {"                                   \
	"one: {handle: '1:1', rate: 1gbit}, two: {handle: '1:2', rate: 1gbit}, "                   \
	"three: {handle: '1:3', rate: 1gbit}, rest: {handle: '1:9', rate: 1gbit}}"
#define LEAVES_OTHER 9

static inline struct shaper *shaper_at(const struct pipe_flows *f, unsigned port, unsigned which)
{
	struct shaper *s = f->qos.tree[port][which].shaper;

	assert_non_null(s);
	return s;
}

static inline struct qdisc_tree *tree_at(const struct pipe_flows *f, unsigned port)
{
	return shaper_at(f, port, QOS_EGRESS)->tree;
}

static inline struct qclass *class_at(const struct pipe_flows *f, unsigned port, uint32_t classid)
{
	struct qclass *cl = tree_class(tree_at(f, port), classid);

	assert_non_null(cl);
	return cl;
}

/* Packets that left by the class with this minor of LEAVES at port 1. */
static inline uint64_t left_by(const struct pipe_flows *f, unsigned minor)
{
	return class_at(f, 1, 0x10000 + minor)->stats.packets;
}

/* How often the filter of this number was asked and matched, at the way out of a port. */
static inline uint64_t filter_hits(const struct pipe_flows *f, unsigned port, unsigned number)
{
	struct tc_filter_info info;

	assert_true(tc_filter_info(f->qos.published->port[port].out, number, &info));
	return info.packets;
}

static inline uint32_t waiting(const struct pipe_flows *f, unsigned port)
{
	return shaper_held(shaper_at(f, port, QOS_EGRESS));
}

/* One turn at this time; the books balance. */
static inline void turn_at(struct pipe_flows *f, uint64_t now)
{
	assert_true(now >= f->p.now);
	f->p.now = now;
	worker_turn(f->p.w, now);
	flows_check(f);
}

/* All that left by a port since it was last looked at, thrown away. */
static inline unsigned sent_by(struct pipe_flows *f, unsigned port)
{
	struct frame got;
	unsigned n = 0;

	while (pipe_sent(&f->p, port, &got))
		n++;
	return n;
}

/* Time goes from one thing that is due to the next until the tree of a port is empty. Returns how
 * many packets left by it. */
static inline unsigned runs_empty(struct pipe_flows *f, unsigned port)
{
	unsigned n = sent_by(f, port);

	for (unsigned i = 0; waiting(f, port) && i < 100000; i++) {
		uint64_t next = f->p.w->shape_at;

		turn_at(f, next > f->p.now && next != QDISC_NEVER ? next : f->p.now + USEC);
		n += sent_by(f, port);
	}
	assert_int_equal(waiting(f, port), 0);
	return n;
}

/* No packet is left in the tree, nor in the books of any of its qdiscs (S19). */
static inline void tree_idle(const struct pipe_flows *f, unsigned port)
{
	const struct qdisc_tree *t = tree_at(f, port);

	assert_int_equal(t->held, 0);
	assert_int_equal(t->root->qlen, 0);
	assert_int_equal(t->root->backlog, 0);
	for (uint32_t i = 0; i < t->ncls; i++) {
		const struct qdisc *child = t->cls[i] ? t->cls[i]->child : NULL;

		assert_true(!child || (child->qlen == 0 && child->backlog == 0));
	}
}

static inline uint64_t dropped(const struct pipe_flows *f, enum drop_reason why)
{
	return f->p.w->count->drop[why];
}

#endif
