// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First in, first out: pfifo with a limit in packets, bfifo with one in bytes (tc-bfifo(8)), and
 * noqueue without. What Linux sends at once under noqueue is drained here in the same turn, so it
 * waits for nothing but the send ring, and only the tree's budget bounds it.
 */
#include "router/net/qdisc/qdisc.h"

#define PACKETS 1000 /* Linux's default txqueuelen */

struct fifo {
	struct qdisc q;
	struct pktq list;
	uint64_t limit;
};

static int pfifo_init(struct qdisc *q, const struct conf_qdisc *c)
{
	((struct fifo *)q)->limit = c->fifo.limit ? c->fifo.limit : PACKETS;
	return 0;
}

static int bfifo_init(struct qdisc *q, const struct conf_qdisc *c)
{
	uint64_t mtu = q->tree->mtu + ETH_HLEN;

	((struct fifo *)q)->limit = c->fifo.limit ? c->fifo.limit : PACKETS * mtu;
	return 0;
}

static int noqueue_init(struct qdisc *q, const struct conf_qdisc *c)
{
	(void)c;
	((struct fifo *)q)->limit = UINT64_MAX;
	return 0;
}

static struct qpkt *fifo_dequeue(struct qdisc *q)
{
	struct qpkt *p = pktq_pop(&((struct fifo *)q)->list);

	if (p)
		qdisc_leave(q, p);
	return p;
}

static void push(struct fifo *f, struct qpkt *p, bool fits)
{
	if (!fits) {
		qdisc_drop(&f->q, p, DROP_QDISC_FULL);
		return;
	}
	pktq_push(&f->list, p);
	qdisc_join(&f->q, p);
}

static void pfifo_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct fifo *f = (struct fifo *)q;

	push(f, p, f->list.n < f->limit);
}

static void bfifo_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct fifo *f = (struct fifo *)q;

	push(f, p, f->list.bytes + (uint64_t)p->len <= f->limit);
}

/* As in Linux, a lower limit drops nothing: it keeps new packets out. */
static void fifo_change(struct qdisc *q, struct qdisc *fresh)
{
	((struct fifo *)q)->limit = ((struct fifo *)fresh)->limit;
}

static bool fifo_pass(struct qdisc *q, struct qpkt *p)
{
	const struct fifo *f = (const struct fifo *)q;

	(void)p;
	return !f->list.n && f->limit;
}

static void fifo_reset(struct qdisc *q)
{
	struct qpkt *p;

	while ((p = fifo_dequeue(q)))
		qdisc_drop(q, p, DROP_QDISC_GONE);
}

const struct qdisc_ops pfifo_ops = {
	.kind = "pfifo",
	.id = CONF_QDISC_PFIFO,
	.size = sizeof(struct fifo),
	.init = pfifo_init,
	.change = fifo_change,
	.enqueue = pfifo_enqueue,
	.pass = fifo_pass,
	.dequeue = fifo_dequeue,
	.reset = fifo_reset,
};

const struct qdisc_ops bfifo_ops = {
	.kind = "bfifo",
	.id = CONF_QDISC_BFIFO,
	.size = sizeof(struct fifo),
	.init = bfifo_init,
	.change = fifo_change,
	.enqueue = bfifo_enqueue,
	.dequeue = fifo_dequeue,
	.reset = fifo_reset,
};

const struct qdisc_ops noqueue_ops = {
	.kind = "noqueue",
	.id = CONF_QDISC_NOQUEUE,
	.size = sizeof(struct fifo),
	.init = noqueue_init,
	.change = fifo_change,
	.enqueue = pfifo_enqueue,
	.pass = fifo_pass,
	.dequeue = fifo_dequeue,
	.reset = fifo_reset,
};
