// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netem: a bad line, on purpose. tc-netem(8).
 *
 * A packet that comes may be lost, doubled, damaged; then it is told when it is due, by delay and
 * jitter or as the one in `gap` that overtakes, and behind what a line of `rate` still has to send.
 * When it is due, and a slot is open if there are slots, it leaves, or it goes on to the child, if
 * there is one.
 *
 * All chance comes from one sequence that begins with `seed`, so that a run can be had again.
 *
 * Not as in Linux: a copy does not enter at the root again but right here; what is above has let
 * the original pass, is not entered while it is at work, and no copy is ever copied. A packet whose
 * jitter is more than its delay is due at once, not before what is due already. Correlation: see
 * netem.h.
 */
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/qdisc/netem.h"

#define TIME_MAX   (INT64_MAX / 4) /* ns: delays and jitter, so that sums stay in their type */
#define JITTER_MAX (INT64_MAX / NETEM_DIST_SCALE / 8)

struct netem {
	struct qdisc q;
	struct conf_netem c;
	const int32_t *dist;
	struct qclass *cl;

	struct netem_queue queue;
	uint64_t latest;   /* ns: when the last in the queue is due */
	uint64_t fraction; /* of a ns, in parts of `rate`: what the last packet took beside */
	uint32_t delayed;  /* packets since the last that overtook */

	bool seeded;
	struct {
		struct netem_random random;
		struct netem_loss loss;
		struct netem_series delay, duplicate, corrupt, reorder;
	} chance;

	struct {
		uint64_t from;		 /* ns: what was due by then may leave then */
		uint32_t packets, bytes; /* left of it */
	} slot;
};

/* ---- options */

static uint64_t at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

static int netem_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct netem *n = (struct netem *)q;

	n->c = c->netem;
	n->c.delay = at_most(n->c.delay, TIME_MAX);
	n->c.jitter = at_most(n->c.jitter, JITTER_MAX);
	n->c.slot_min = at_most(n->c.slot_min, TIME_MAX);
	n->c.slot_max = at_most(n->c.slot_max, TIME_MAX);
	if (n->c.slot_max < n->c.slot_min)
		n->c.slot_max = n->c.slot_min;
	if (n->c.reorder && !n->c.gap)
		n->c.gap = 1;
	n->dist = netem_dist(n->c.distribution);
	return 0;
}

static void netem_change(struct qdisc *q, struct qdisc *fresh)
{
	struct netem *n = (struct netem *)q, *from = (struct netem *)fresh;

	if (n->c.seed != from->c.seed)
		n->seeded = false;
	if (n->c.loss_model != from->c.loss_model)
		n->chance.loss = (struct netem_loss){ 0 };
	n->c = from->c;
	n->dist = from->dist;
	n->fraction = 0;
	n->delayed = 0;
	n->slot.from = 0;
}

/* Without a seed in the file the tree's chance is taken, which control may not touch. */
static void begin(struct netem *n)
{
	struct qdisc_tree *t = n->q.tree;

	memset(&n->chance, 0, sizeof(n->chance));
	n->chance.random.state =
		n->c.seed ? n->c.seed : (uint64_t)qdisc_random(t) << 32 | qdisc_random(t);
	n->seeded = true;
}

/* ---- what becomes of a packet */

static bool happens(struct netem *n, struct netem_series *s, uint32_t probability,
		    uint32_t correlation)
{
	return probability &&
	       netem_below(netem_next(s, correlation, &n->chance.random), probability);
}

/* With ecn, what can be marked is marked instead. */
static bool lose(struct netem *n, struct qpkt *p)
{
	return netem_lose(&n->chance.loss, &n->c, &n->chance.random) &&
	       !(n->c.ecn && qpkt_mark_ce(n->q.tree, p));
}

/* One wrong bit. */
static void corrupt(struct netem *n, const struct qpkt *p)
{
	uint64_t bit = (uint64_t)netem_roll(&n->chance.random) * p->len * 8 >> 32;

	n->q.tree->dp->base[p->addr + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* In a frame of its own, at the same place in it; NULL: none is to be had. */
static struct qpkt *copy_of(struct netem *n, const struct qpkt *p)
{
	struct qdisc_tree *t = n->q.tree;
	uint64_t size = 1ull << t->dp->frame_shift;
	const uint8_t *frame = t->held < t->budget ? t->dp->alloc(t->dp) : NULL;
	struct qpkt *copy;
	uint64_t addr;

	if (!frame)
		return NULL;
	addr = ((uint64_t)(frame - t->dp->base) & ~(size - 1)) | (p->addr & (size - 1));
	memcpy(t->dp->base + addr, t->dp->base + p->addr, p->frame_len);
	copy = qpkt_of(t->dp, addr);
	*copy = *p;
	copy->addr = addr;
	t->held++;
	counter_add(&t->dp->count->generated, 1);
	return copy;
}

/* ---- when it is due */

static bool overtakes(struct netem *n)
{
	if (!n->c.reorder || n->delayed < n->c.gap - 1 ||
	    !happens(n, &n->chance.reorder, n->c.reorder, n->c.reorder_correlation)) {
		n->delayed++;
		return false;
	}
	n->delayed = 0;
	return true;
}

static int64_t delay(struct netem *n)
{
	int64_t mu = (int64_t)n->c.delay, sigma = (int64_t)n->c.jitter;

	if (!sigma)
		return mu;
	return netem_dist_delay(
		n->dist, mu, sigma,
		netem_next(&n->chance.delay, n->c.delay_correlation, &n->chance.random));
}

static uint64_t size_on_line(const struct conf_netem *c, uint32_t len)
{
	int64_t n = (int64_t)len + c->packet_overhead;

	if (n < 0)
		n = 0;
	if (c->cell_size)
		n = (n + c->cell_size - 1) / c->cell_size *
		    ((int64_t)c->cell_size + c->cell_overhead);
	return n > 0 ? (uint64_t)n : 0;
}

/* ns that the line takes to send p. What does not make a whole one is left for the next packet. */
static uint64_t line_time(struct netem *n, const struct qpkt *p)
{
	uint64_t parts = size_on_line(&n->c, p->len) * NSEC_PER_SEC + n->fraction;

	n->fraction = parts % n->c.rate;
	return at_most(parts / n->c.rate, TIME_MAX);
}

/* As Linux has it, the line stands at the far end of the delay: a packet begins to leave when it
 * has been delayed and those before it have left. */
static uint64_t due(struct netem *n, const struct qpkt *p)
{
	uint64_t now = n->q.tree->now, at = now;
	int64_t off;

	if (overtakes(n))
		return now;
	off = delay(n);
	if (off > 0)
		at += (uint64_t)off;
	if (n->c.rate) {
		if (netem_queue_due(&n->queue) != QDISC_NEVER && at < n->latest)
			at = n->latest;
		at += line_time(n, p);
	}
	return at_most(at, INT64_MAX);
}

static void take(struct netem *n, struct qpkt *p)
{
	if (happens(n, &n->chance.corrupt, n->c.corrupt, n->c.corrupt_correlation))
		corrupt(n, p);
	if (n->q.qlen >= n->c.limit) {
		qdisc_drop(&n->q, p, DROP_QDISC_FULL);
		return;
	}
	p->due = due(n, p);
	if (netem_queue_due(&n->queue) == QDISC_NEVER || p->due > n->latest)
		n->latest = p->due;
	netem_queue_push(&n->queue, p);
	qdisc_join(&n->q, p);
}

static void netem_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct netem *n = (struct netem *)q;
	struct qpkt *copy = NULL;
	bool twice, lost;

	if (!n->seeded)
		begin(n);
	twice = happens(n, &n->chance.duplicate, n->c.duplicate, n->c.duplicate_correlation);
	lost = lose(n, p);
	if (lost && !twice) {
		qdisc_drop(q, p, DROP_QDISC_LOSS);
		return;
	}
	if (twice && !lost)
		copy = copy_of(n, p);
	if (copy && lose(n, copy))
		qdisc_drop(q, copy, DROP_QDISC_LOSS);
	else if (copy)
		take(n, copy);
	take(n, p);
}

/* ---- when it leaves */

static void slot_acquire(struct netem *n)
{
	uint64_t range = n->c.slot_max - n->c.slot_min;

	n->slot.from =
		n->q.tree->now + n->c.slot_min +
		(uint64_t)((unsigned __int128)netem_random64(&n->chance.random) * (range + 1) >>
			   64);
	n->slot.packets = n->c.slot_packets ? n->c.slot_packets : UINT32_MAX;
	n->slot.bytes = n->c.slot_bytes ? n->c.slot_bytes : UINT32_MAX;
}

/* From when on may a packet leave that is due by now? One that came too late for the slot waits
 * for another. */
static uint64_t slot_open(struct netem *n, uint64_t due_at)
{
	if (!n->c.slot_max)
		return 0;
	if (n->slot.from < due_at)
		slot_acquire(n);
	return n->slot.from;
}

static void slot_use(struct netem *n, const struct qpkt *p)
{
	n->slot.packets--;
	n->slot.bytes -= p->len < n->slot.bytes ? p->len : n->slot.bytes;
	if (!n->slot.packets || !n->slot.bytes)
		slot_acquire(n);
}

/* The next packet that may leave now, taken out of the queue. */
static struct qpkt *leaving(struct netem *n)
{
	uint64_t now = n->q.tree->now, at = netem_queue_due(&n->queue);
	struct qpkt *p;

	if (at <= now)
		at = slot_open(n, at);
	if (at > now) {
		qdisc_wake_at(&n->q, at);
		return NULL;
	}
	p = netem_queue_pop(&n->queue);
	if (n->c.slot_max)
		slot_use(n, p);
	qdisc_leave(&n->q, p);
	return p;
}

static struct qpkt *netem_dequeue(struct qdisc *q)
{
	struct netem *n = (struct netem *)q;
	struct qpkt *p;

	while ((p = leaving(n))) {
		if (!n->cl->child)
			return p;
		qclass_enqueue(n->cl, p);
	}
	return n->cl->child ? qclass_dequeue(n->cl) : NULL;
}

static void netem_reset(struct qdisc *q)
{
	struct netem *n = (struct netem *)q;

	while (netem_queue_due(&n->queue) != QDISC_NEVER) {
		struct qpkt *p = netem_queue_pop(&n->queue);

		qdisc_leave(q, p);
		qdisc_drop(q, p, DROP_QDISC_GONE);
	}
}

/* ---- its class: where a child may hang */

static unsigned netem_nclasses(const struct conf_qdisc *c)
{
	(void)c;
	return 1;
}

static bool netem_default_child(const struct conf_qdisc *c, struct conf_qdisc *child)
{
	(void)c;
	(void)child;
	return false;
}

static void netem_class_link(struct qdisc *q, struct qclass *cl, struct qclass *above)
{
	(void)above;
	((struct netem *)q)->cl = cl;
}

const struct qdisc_ops netem_ops = {
	.kind = "netem",
	.id = CONF_QDISC_NETEM,
	.size = sizeof(struct netem),
	.class_size = sizeof(struct qclass),
	.nclasses = netem_nclasses,
	.default_child = netem_default_child,
	.init = netem_init,
	.change = netem_change,
	.enqueue = netem_enqueue,
	.dequeue = netem_dequeue,
	.reset = netem_reset,
	.class_link = netem_class_link,
};
