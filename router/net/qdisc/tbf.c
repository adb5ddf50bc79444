// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tbf: a token bucket in front of a queue. tc-tbf(8).
 *
 * A packet may leave when the bucket has a token for each of its bytes. The bucket fills at `rate`
 * up to `burst`; so what left in any time t is at most burst + rate * t. With `peakrate` a second
 * bucket, of one `mtu`, must have as many: it spaces the packets of a burst.
 *
 * The one class holds the queue: a bfifo of `limit` bytes, unless the file hangs another there. A
 * packet that had to be taken from it and must wait is held here and counts as backlog of the tbf.
 */
#include "router/lib/clock.h"
#include "router/net/qdisc/qdisc.h"

/* Tokens are billionths of a byte: a rate in bytes a second brings just as many a nanosecond, so
 * nothing is ever rounded. */
#define TOKENS	  ((uint64_t)NSEC_PER_SEC) /* a byte */
#define BURST_MAX (UINT64_MAX / 4 / TOKENS)

struct bucket {
	uint64_t rate; /* tokens a ns */
	uint64_t depth, tokens;
	uint64_t fill_time; /* ns, from empty to full */
};

struct tbf {
	struct qdisc q;
	struct bucket rate, peak; /* peak.rate 0: none */
	uint64_t filled;	  /* ns: until when they are */
	struct qpkt *held;
	struct qclass *cl;
	uint64_t limit;	   /* bytes */
	uint32_t size_max; /* what both buckets can hold */
	struct conf_size size;
};

static void bucket_init(struct bucket *b, uint64_t rate, uint64_t bytes)
{
	b->rate = rate;
	b->depth = b->tokens = (bytes < BURST_MAX ? bytes : BURST_MAX) * TOKENS;
	b->fill_time = b->depth / rate + 1;
}

static void bucket_fill(struct bucket *b, uint64_t elapsed)
{
	uint64_t room = b->depth - b->tokens;

	if (elapsed >= b->fill_time || elapsed * b->rate >= room)
		b->tokens = b->depth;
	else
		b->tokens += elapsed * b->rate;
}

/* ns until there are so many tokens. */
static uint64_t bucket_wait(const struct bucket *b, uint64_t tokens)
{
	return tokens <= b->tokens ? 0 : (tokens - b->tokens + b->rate - 1) / b->rate;
}

/* Other options take effect from now on and give no tokens away. */
static void bucket_change(struct bucket *b, const struct bucket *fresh)
{
	uint64_t tokens = b->rate ? b->tokens : fresh->tokens;

	*b = *fresh;
	b->tokens = tokens < fresh->depth ? tokens : fresh->depth;
}

/* ---- the discipline */

static int tbf_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct tbf *f = (struct tbf *)q;
	uint64_t size_max = c->tbf.burst;

	bucket_init(&f->rate, c->tbf.rate, c->tbf.burst);
	if (c->tbf.peakrate) {
		bucket_init(&f->peak, c->tbf.peakrate, c->tbf.mtu);
		if (c->tbf.mtu < size_max)
			size_max = c->tbf.mtu;
	}
	f->size_max = size_max < UINT32_MAX ? (uint32_t)size_max : UINT32_MAX;
	f->limit = c->tbf.limit;
	f->size = c->tbf.size;
	return 0;
}

static unsigned tbf_nclasses(const struct conf_qdisc *c)
{
	(void)c;
	return 1;
}

static bool tbf_default_child(const struct conf_qdisc *c, struct conf_qdisc *child)
{
	child->kind = CONF_QDISC_BFIFO;
	child->fifo.limit = c->tbf.limit < UINT32_MAX ? (uint32_t)c->tbf.limit : UINT32_MAX;
	return true;
}

static void tbf_class_link(struct qdisc *q, struct qclass *cl, struct qclass *above)
{
	(void)above;
	((struct tbf *)q)->cl = cl;
}

static void tbf_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct tbf *f = (struct tbf *)q;
	struct qdisc *child = f->cl->child;

	if (qdisc_size(&f->size, p->len) > f->size_max)
		qdisc_drop(q, p, DROP_QDISC_OVERSIZE);
	else if (f->held && !child->handle && q->backlog + p->len > f->limit)
		qdisc_drop(child, p, DROP_QDISC_FULL); /* which does not know of the held one */
	else
		qclass_enqueue(f->cl, p);
}

static void hold(struct tbf *f, struct qpkt *p)
{
	if (f->held)
		return;
	f->held = p;
	qdisc_join(&f->q, p);
}

static void release(struct tbf *f)
{
	if (f->held)
		qdisc_leave(&f->q, f->held);
	f->held = NULL;
}

/* The packet whose turn it is, and its size. What came before burst or mtu were lowered may be too
 * long for ever. */
static struct qpkt *next(struct tbf *f, uint32_t *size)
{
	struct qpkt *p = f->held ? f->held : qclass_dequeue(f->cl);

	while (p && (*size = qdisc_size(&f->size, p->len)) > f->size_max) {
		release(f);
		qdisc_drop(&f->q, p, DROP_QDISC_OVERSIZE);
		p = qclass_dequeue(f->cl);
	}
	return p;
}

static void fill(struct tbf *f)
{
	uint64_t elapsed = f->q.tree->now - f->filled;

	bucket_fill(&f->rate, elapsed);
	if (f->peak.rate)
		bucket_fill(&f->peak, elapsed);
	f->filled += elapsed;
}

static struct qpkt *tbf_dequeue(struct qdisc *q)
{
	struct tbf *f = (struct tbf *)q;
	uint32_t size;
	struct qpkt *p = next(f, &size);
	uint64_t tokens, wait, peak_wait;

	if (!p)
		return NULL;
	fill(f);
	tokens = size * TOKENS;
	wait = bucket_wait(&f->rate, tokens);
	peak_wait = f->peak.rate ? bucket_wait(&f->peak, tokens) : 0;
	if (wait < peak_wait)
		wait = peak_wait;
	if (wait) {
		hold(f, p);
		qdisc_wake_at(q, q->tree->now + wait);
		qdisc_overlimit(q);
		return NULL;
	}
	f->rate.tokens -= tokens;
	if (f->peak.rate)
		f->peak.tokens -= tokens;
	release(f);
	return p;
}

static void tbf_change(struct qdisc *q, struct qdisc *fresh)
{
	struct tbf *f = (struct tbf *)q, *from = (struct tbf *)fresh;

	fill(f);
	bucket_change(&f->rate, &from->rate);
	bucket_change(&f->peak, &from->peak);
	f->limit = from->limit;
	f->size_max = from->size_max;
	f->size = from->size;
}

static void tbf_reset(struct qdisc *q)
{
	struct tbf *f = (struct tbf *)q;
	struct qpkt *p = f->held;

	release(f);
	if (p)
		qdisc_drop(q, p, DROP_QDISC_GONE);
}

const struct qdisc_ops tbf_ops = {
	.kind = "tbf",
	.id = CONF_QDISC_TBF,
	.size = sizeof(struct tbf),
	.class_size = sizeof(struct qclass),
	.nclasses = tbf_nclasses,
	.default_child = tbf_default_child,
	.init = tbf_init,
	.change = tbf_change,
	.enqueue = tbf_enqueue,
	.dequeue = tbf_dequeue,
	.reset = tbf_reset,
	.class_link = tbf_class_link,
};
