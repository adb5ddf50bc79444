// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * red: random early detection (Floyd and Jacobson, 1993), one class, 1, with any child. tc-red(8).
 *
 * What counts is the average of the child's backlog, in bytes: avg += W (backlog - avg) with each
 * packet that comes, W = 2^-wlog. Below min nothing happens; between min and max a packet is
 * dropped, or marked, with a probability that grows to `probability`, such that the distances of
 * drops are spread evenly; from max on every packet is. While the queue is empty the average decays
 * as if packets of avpkt bytes had come at `bandwidth` and found it empty.
 *
 * adaptive (Floyd, Gummadi, Shenker, 2001): each half second the probability is adjusted, between 1
 * and 50 %, so that the average stays in the middle fifth between min and max.
 *
 * avg, min and max are fixed point with wlog binary places; probabilities have 32.
 */
#include <math.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/qdisc/qdisc.h"

#define ONE	     (1ull << 32)
#define ADAPT_PERIOD (NSEC_PER_SEC / 2)
#define ADAPT_MAX    64 /* periods made up for: after so many nothing changes any more */
#define P_MIN	     (ONE / 100)
#define P_MAX	     (ONE / 2)

struct red_options {
	uint64_t min, max, delta;	 /* bytes; delta: their difference */
	uint64_t target_min, target_max; /* bytes: adaptive */
	uint64_t packet_ns;		 /* that an average packet takes */
	uint64_t probability;
	unsigned wlog;
	bool ecn, harddrop, nodrop, adaptive;
};

struct red {
	struct qdisc q;
	struct qclass *cl;
	uint64_t avg;
	int64_t count; /* packets since the last drop; -1: below min */
	uint64_t wait; /* until count times what is above min is this, in bytes */
	bool idle;     /* the queue is empty, */
	uint64_t idle_since;
	uint64_t adapt_at;
	struct red_options opt;
	/* statistics */
	uint64_t early, pdrop, marked;
};

static struct red *red_of(struct qdisc *q)
{
	return (struct red *)q;
}

/* ---- options */

/* The largest W by which a burst of so many packets into an empty queue does not bring the average
 * over min (section 6 of the paper). */
static unsigned wlog_of(double min, double burst, double avpkt)
{
	double need = burst + 1 - min / avpkt;
	unsigned wlog = 1;

	while (wlog < 31 && need > (1 - pow(1 - exp2(-(int)wlog), burst)) * exp2((int)wlog))
		wlog++;
	return wlog;
}

static uint64_t at_most_32(uint64_t bytes)
{
	return bytes < UINT32_MAX ? bytes : UINT32_MAX;
}

/* What the file leaves out is tc's. */
static void options(struct red_options *o, const struct conf_red *c)
{
	uint64_t max = c->max ? c->max : c->min ? 3 * c->min : c->limit / 4;
	uint64_t min = c->min ? c->min : max / 3, fifth;
	double avpkt = c->avpkt ? c->avpkt : 1000;
	double burst = c->burst ? c->burst : ((double)(2 * min + max) / (3 * avpkt));

	o->min = at_most_32(min);
	o->max = at_most_32(max > min ? max : min + 1);
	o->delta = o->max - o->min;
	fifth = o->delta / 5;
	o->target_min = o->min + 2 * fifth;
	o->target_max = o->min + 3 * fifth;
	o->packet_ns = c->bandwidth ? (uint64_t)(avpkt * 1e9 / (double)c->bandwidth) : 0;
	o->packet_ns += !o->packet_ns;
	o->probability = c->probability ? c->probability : 1;
	o->wlog = wlog_of((double)min, floor(burst), avpkt);
	o->ecn = c->ecn;
	o->harddrop = c->harddrop;
	o->nodrop = c->nodrop;
	o->adaptive = c->adaptive;
}

static int red_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct red *r = red_of(q);

	options(&r->opt, &c->red);
	r->count = -1;
	r->idle = true;
	return 0;
}

static unsigned red_nclasses(const struct conf_qdisc *c)
{
	(void)c;
	return 1;
}

static bool red_child(const struct conf_qdisc *c, struct conf_qdisc *child)
{
	child->kind = CONF_QDISC_BFIFO;
	child->fifo.limit = (uint32_t)at_most_32(c->red.limit);
	return true;
}

static void red_link(struct qdisc *q, struct qclass *cl, struct qclass *above)
{
	(void)above;
	red_of(q)->cl = cl;
}

/* ---- the average */

/* (1 - W)^n, by squaring. */
static uint64_t decay(unsigned wlog, uint64_t n)
{
	uint64_t result = ONE, square = ONE - (ONE >> wlog);

	for (; n && result; n >>= 1) {
		if (n & 1)
			result = result * square >> 32;
		square = square * square >> 32;
	}
	return result;
}

static void average(struct red *r)
{
	uint64_t now = r->q.tree->now;

	if (r->idle) {
		uint64_t packets = (now - r->idle_since) / r->opt.packet_ns;
		uint64_t left = decay(r->opt.wlog, packets);

		r->avg = (uint64_t)((unsigned __int128)r->avg * left >> 32);
		r->idle_since += packets * r->opt.packet_ns;
	} else {
		r->avg += r->cl->child->backlog - (r->avg >> r->opt.wlog);
	}
}

/* A queue that was idle and is still, as the packet was dropped, goes on being it: what is not yet
 * a whole packet of idle time is not lost. */
static void note_idle(struct red *r)
{
	bool idle = !r->q.qlen;

	if (idle && !r->idle)
		r->idle_since = r->q.tree->now;
	r->idle = idle;
}

static void adapt(struct red *r)
{
	uint64_t now = r->q.tree->now, avg = r->avg >> r->opt.wlog;
	struct red_options *o = &r->opt;

	if (!r->adapt_at)
		r->adapt_at = now + ADAPT_PERIOD;
	for (int i = 0; now >= r->adapt_at && i < ADAPT_MAX; i++) {
		uint64_t step = o->probability / 4 < P_MIN ? o->probability / 4 : P_MIN;

		if (avg > o->target_max && o->probability <= P_MAX)
			o->probability += step;
		else if (avg < o->target_min && o->probability >= P_MIN)
			o->probability = o->probability / 10 * 9;
		r->adapt_at += ADAPT_PERIOD;
	}
	if (now >= r->adapt_at)
		r->adapt_at = now + ADAPT_PERIOD;
}

/* ---- a packet's fate */

enum red_verdict { RED_PASS, RED_EARLY, RED_FORCED };

static void draw(struct red *r)
{
	r->wait = qdisc_random(r->q.tree) * r->opt.delta / r->opt.probability;
}

static enum red_verdict judge(struct red *r)
{
	const struct red_options *o = &r->opt;

	if (r->avg < o->min << o->wlog) {
		r->count = -1;
		return RED_PASS;
	}
	if (r->avg >= o->max << o->wlog) {
		r->count = -1;
		return RED_FORCED;
	}
	if (!++r->count) {
		draw(r);
		return RED_PASS;
	}
	if (((r->avg - (o->min << o->wlog)) >> o->wlog) * (uint64_t)r->count < r->wait)
		return RED_PASS;
	r->count = 0;
	draw(r);
	return RED_EARLY;
}

/* False: p is to be dropped. */
static bool signal_by_mark(struct red *r, struct qpkt *p, enum red_verdict v)
{
	if (!r->opt.ecn || (v == RED_FORCED && r->opt.harddrop))
		return false;
	if (!qpkt_mark_ce(r->q.tree, p))
		return r->opt.nodrop;
	counter_add(&r->marked, 1);
	return true;
}

static void red_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct red *r = red_of(q);
	uint64_t drops = q->stats.drops;
	enum red_verdict v;

	average(r);
	if (r->opt.adaptive)
		adapt(r);
	v = judge(r);
	if (v != RED_PASS)
		qdisc_overlimit(q);
	if (v != RED_PASS && !signal_by_mark(r, p, v)) {
		counter_add(&r->early, 1);
		qdisc_drop(q, p, DROP_QDISC_AQM);
	} else {
		qclass_enqueue(r->cl, p);
		counter_add(&r->pdrop, q->stats.drops - drops);
	}
	note_idle(r);
}

static struct qpkt *red_dequeue(struct qdisc *q)
{
	struct qpkt *p = qclass_dequeue(red_of(q)->cl);

	note_idle(red_of(q));
	return p;
}

/* ---- the rest */

/* The average stays what it was, in bytes. */
static void red_change(struct qdisc *q, struct qdisc *fresh)
{
	struct red *r = red_of(q);
	unsigned was = r->opt.wlog;

	r->opt = red_of(fresh)->opt;
	r->avg = r->avg >> was << r->opt.wlog;
	r->count = -1;
	r->adapt_at = q->tree->now + ADAPT_PERIOD;
}

static void red_reset(struct qdisc *q)
{
	struct red *r = red_of(q);

	r->avg = 0;
	r->count = -1;
	r->idle = true;
	r->idle_since = q->tree->now;
}

/* As tc has them; `other` counts what no kernel does any more. And what tc does not show. */
static unsigned red_values(const struct qdisc *q, struct qdisc_value out[QDISC_VALUES_MAX])
{
	const struct red *r = (const struct red *)q;
	const struct qdisc_value values[] = {
		{ "early", QDISC_NUMBER, (int64_t)counter_read(&r->early) },
		{ "pdrop", QDISC_NUMBER, (int64_t)counter_read(&r->pdrop) },
		{ "other", QDISC_NUMBER, 0 },
		{ "marked", QDISC_NUMBER, (int64_t)counter_read(&r->marked) },
		{ "average", QDISC_BYTES, (int64_t)(counter_read(&r->avg) >> r->opt.wlog) },
		{ "probability_ppm", QDISC_NUMBER, (int64_t)(r->opt.probability * 1000000 >> 32) },
	};

	static_assert(sizeof(values) <= QDISC_VALUES_MAX * sizeof(*values), "room");
	memcpy(out, values, sizeof(values));
	return sizeof(values) / sizeof(*values);
}

const struct qdisc_ops red_ops = {
	.kind = "red",
	.id = CONF_QDISC_RED,
	.size = sizeof(struct red),
	.class_size = sizeof(struct qclass),
	.nclasses = red_nclasses,
	.default_child = red_child,
	.init = red_init,
	.change = red_change,
	.enqueue = red_enqueue,
	.dequeue = red_dequeue,
	.reset = red_reset,
	.class_link = red_link,
	.values = red_values,
};
