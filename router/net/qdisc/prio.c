// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prio: bands, of which a later one sends only while all before it have nothing to send.
 * tc-prio(8).
 *
 * Each band is a class, 1 .. bands, with any queue under it. A packet's band is the class filters
 * gave it; else, if its priority is a handle of ours, that class; else the one that priomap has for
 * its priority. A band that has packets but may send none yet (a tbf) lets later ones pass.
 */
#include <string.h>

#include "router/net/qdisc/qdisc.h"

#define PRIORITY_MASK 15u

struct prio {
	struct qdisc q;
	uint32_t bands;
	uint8_t priomap[PRIORITY_MASK + 1];
	struct qclass *band[CONF_BANDS];
};

static int prio_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct prio *f = (struct prio *)q;

	f->bands = c->prio.bands;
	memcpy(f->priomap, c->prio.priomap, sizeof(f->priomap));
	return 0;
}

static unsigned prio_nclasses(const struct conf_qdisc *c)
{
	return c->prio.bands;
}

static void prio_class_link(struct qdisc *q, struct qclass *cl, struct qclass *above)
{
	(void)above;
	((struct prio *)q)->band[CONF_MINOR(cl->classid) - 1] = cl;
}

static void prio_class_unlink(struct qdisc *q, struct qclass *cl)
{
	((struct prio *)q)->band[CONF_MINOR(cl->classid) - 1] = NULL;
}

static struct qclass *by_priority(const struct prio *f, uint32_t priority)
{
	uint32_t band = CONF_MINOR(priority) - 1;

	if (CONF_MAJOR(priority) == 0)
		return f->band[f->priomap[priority & PRIORITY_MASK]];
	if (CONF_MAJOR(priority) == f->q.handle && band < f->bands)
		return f->band[band];
	return f->band[f->priomap[0]];
}

static void prio_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct qclass *cl = qdisc_class_of(q, p);

	qclass_enqueue(cl ? cl : by_priority((struct prio *)q, p->priority), p);
}

static struct qpkt *prio_dequeue(struct qdisc *q)
{
	struct prio *f = (struct prio *)q;

	for (uint32_t i = 0; i < f->bands; i++) {
		struct qpkt *p = f->band[i]->child->qlen ? qclass_dequeue(f->band[i]) : NULL;

		if (p)
			return p;
	}
	return NULL;
}

static void prio_change(struct qdisc *q, struct qdisc *fresh)
{
	struct prio *f = (struct prio *)q, *from = (struct prio *)fresh;

	f->bands = from->bands;
	memcpy(f->priomap, from->priomap, sizeof(f->priomap));
}

/* All its packets are in children. */
static void prio_reset(struct qdisc *q)
{
	(void)q;
}

const struct qdisc_ops prio_ops = {
	.kind = "prio",
	.id = CONF_QDISC_PRIO,
	.size = sizeof(struct prio),
	.class_size = sizeof(struct qclass),
	.nclasses = prio_nclasses,
	.init = prio_init,
	.change = prio_change,
	.enqueue = prio_enqueue,
	.dequeue = prio_dequeue,
	.reset = prio_reset,
	.class_link = prio_class_link,
	.class_unlink = prio_class_unlink,
};
