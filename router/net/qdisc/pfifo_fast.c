// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pfifo_fast: three fifos, of which a later one sends only while those before it are empty; Linux's
 * default for a port. Priorities lead to bands by a fixed map, that of tc-prio(8). No classes.
 */
#include "router/net/qdisc/qdisc.h"

#define BANDS	      3
#define PACKETS	      1000 /* Linux's default txqueuelen; of each band */
#define PRIORITY_MASK 15u

struct pfifo_fast {
	struct qdisc q;
	struct pktq band[BANDS];
	uint32_t limit;
};

static const uint8_t band_of[PRIORITY_MASK + 1] = {
	1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1
};

static int pfifo_fast_init(struct qdisc *q, const struct conf_qdisc *c)
{
	((struct pfifo_fast *)q)->limit = c->fifo.limit ? c->fifo.limit : PACKETS;
	return 0;
}

static void pfifo_fast_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct pfifo_fast *f = (struct pfifo_fast *)q;
	struct pktq *band = &f->band[band_of[p->priority & PRIORITY_MASK]];

	if (band->n >= f->limit) {
		qdisc_drop(q, p, DROP_QDISC_FULL);
		return;
	}
	pktq_push(band, p);
	qdisc_join(q, p);
}

static struct qpkt *pfifo_fast_dequeue(struct qdisc *q)
{
	struct pfifo_fast *f = (struct pfifo_fast *)q;
	struct qpkt *p = NULL;

	for (unsigned i = 0; i < BANDS && !p; i++)
		p = pktq_pop(&f->band[i]);
	if (p)
		qdisc_leave(q, p);
	return p;
}

/* As in Linux, a lower limit drops nothing: it keeps new packets out. */
static void pfifo_fast_change(struct qdisc *q, struct qdisc *fresh)
{
	((struct pfifo_fast *)q)->limit = ((struct pfifo_fast *)fresh)->limit;
}

static void pfifo_fast_reset(struct qdisc *q)
{
	struct qpkt *p;

	while ((p = pfifo_fast_dequeue(q)))
		qdisc_drop(q, p, DROP_QDISC_GONE);
}

const struct qdisc_ops pfifo_fast_ops = {
	.kind = "pfifo_fast",
	.id = CONF_QDISC_PFIFO_FAST,
	.size = sizeof(struct pfifo_fast),
	.init = pfifo_fast_init,
	.change = pfifo_fast_change,
	.enqueue = pfifo_fast_enqueue,
	.dequeue = pfifo_fast_dequeue,
	.reset = pfifo_fast_reset,
};
