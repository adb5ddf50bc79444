// SPDX-License-Identifier: GPL-2.0-or-later
/* CoDel's control law; see codel_law.h. The names are those of RFC 8289, section 5. */
#include "router/net/qdisc/codel_law.h"

#include <math.h>

#define REENTRY 16 /* intervals: how long what was learned is worth something */

uint64_t codel_distance(uint64_t interval, uint32_t count)
{
	return (uint64_t)((double)interval / sqrt(count));
}

static struct qpkt *take(struct qdisc *q, struct pktq *list)
{
	struct qpkt *p = pktq_pop(list);

	if (p)
		qdisc_leave(q, p);
	return p;
}

/* Has the queue that p came from been bad for an interval? */
static bool should_drop(struct codel_law *law, struct codel *c, const struct qdisc *q,
			const struct qpkt *p)
{
	uint64_t now = q->tree->now;

	if (p && p->len > law->maxpacket)
		__atomic_store_n(&law->maxpacket, p->len, __ATOMIC_RELAXED);
	if (!p || now - p->enqueued < law->target || q->backlog <= q->tree->mtu + ETH_HLEN) {
		c->first_above = 0;
		return false;
	}
	if (!c->first_above) {
		c->first_above = now + law->interval;
		return false;
	}
	return now >= c->first_above;
}

/* True: p goes on, marked. */
static bool mark(struct codel_law *law, const struct qdisc *q, struct qpkt *p)
{
	if (!law->ecn || !qpkt_mark_ce(q->tree, p))
		return false;
	counter_add(&law->ecn_mark, 1);
	return true;
}

/* Marks p, or drops it and takes the next. *bad: and that one is bad as well. */
static struct qpkt *strike(struct codel_law *law, struct codel *c, struct qdisc *q,
			   struct pktq *list, struct qpkt *p, bool *bad)
{
	if (mark(law, q, p))
		return p;
	qdisc_drop(q, p, DROP_QDISC_AQM);
	p = take(q, list);
	*bad = should_drop(law, c, q, p);
	return p;
}

/* The queue went bad: start where the last time ended, if that was not long ago. */
static void enter(const struct codel_law *law, struct codel *c, uint64_t now)
{
	uint32_t delta = c->count - c->lastcount;

	c->count = delta > 1 && now - c->drop_next < REENTRY * law->interval ? delta : 1;
	c->lastcount = c->count;
	c->drop_next = now + codel_distance(law->interval, c->count);
	c->dropping = true;
}

/* In the drop state, p is bad. */
static struct qpkt *go_on(struct codel_law *law, struct codel *c, struct qdisc *q,
			  struct pktq *list, struct qpkt *p)
{
	while (c->dropping && q->tree->now >= c->drop_next) {
		const struct qpkt *was = p;

		c->count++;
		p = strike(law, c, q, list, p, &c->dropping);
		if (c->dropping)
			c->drop_next += codel_distance(law->interval, c->count);
		if (p == was)
			break;
	}
	return p;
}

struct qpkt *codel_dequeue(struct codel_law *law, struct codel *c, struct qdisc *q,
			   struct pktq *list)
{
	struct qpkt *p = take(q, list);
	bool bad = should_drop(law, c, q, p);

	if (!bad) {
		c->dropping = false;
	} else if (c->dropping) {
		p = go_on(law, c, q, list, p);
	} else {
		p = strike(law, c, q, list, p, &bad);
		enter(law, c, q->tree->now);
	}
	if (p && q->tree->now - p->enqueued > law->ce_threshold && qpkt_mark_ce(q->tree, p))
		counter_add(&law->ce_mark, 1);
	return p;
}
