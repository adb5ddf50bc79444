// SPDX-License-Identifier: GPL-2.0-or-later
/* codel: one queue under CoDel's law, with a limit in packets. tc-codel(8), RFC 8289. */
#include <string.h>

#include "router/net/qdisc/codel_law.h"

struct codel_qdisc {
	struct qdisc q;
	struct pktq list;
	struct codel codel;
	struct codel_law law;
	uint32_t limit;
	/* statistics */
	uint64_t drop_overlimit;
	uint64_t ldelay; /* ns: how long the last one stayed */
};

static struct codel_qdisc *codel_of(struct qdisc *q)
{
	return (struct codel_qdisc *)q;
}

static int codel_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct codel_qdisc *x = codel_of(q);

	x->limit = c->codel.limit;
	x->law.target = c->codel.target;
	x->law.interval = c->codel.interval;
	x->law.ce_threshold = c->codel.ce_threshold;
	x->law.ecn = c->codel.ecn;
	return 0;
}

static void drop_full(struct codel_qdisc *x, struct qpkt *p)
{
	counter_add(&x->drop_overlimit, 1);
	qdisc_drop(&x->q, p, DROP_QDISC_FULL);
}

static void codel_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct codel_qdisc *x = codel_of(q);

	if (x->list.n >= x->limit) {
		drop_full(x, p);
		return;
	}
	pktq_push(&x->list, p);
	qdisc_join(q, p);
}

static struct qpkt *codel_next(struct qdisc *q)
{
	struct codel_qdisc *x = codel_of(q);
	struct qpkt *p = codel_dequeue(&x->law, &x->codel, q, &x->list);

	if (p)
		__atomic_store_n(&x->ldelay, q->tree->now - p->enqueued, __ATOMIC_RELAXED);
	return p;
}

static struct qpkt *head(struct codel_qdisc *x)
{
	struct qpkt *p = pktq_pop(&x->list);

	if (p)
		qdisc_leave(&x->q, p);
	return p;
}

/* What a lower limit is too small for is dropped from the head, as in Linux. */
static void codel_change(struct qdisc *q, struct qdisc *fresh)
{
	struct codel_qdisc *x = codel_of(q);

	codel_law_change(&x->law, &codel_of(fresh)->law);
	x->limit = codel_of(fresh)->limit;
	while (x->list.n > x->limit)
		drop_full(x, head(x));
}

static void codel_reset(struct qdisc *q)
{
	struct codel_qdisc *x = codel_of(q);
	struct qpkt *p;

	while ((p = head(x)))
		qdisc_drop(q, p, DROP_QDISC_GONE);
	x->codel = (struct codel){ 0 };
}

static unsigned codel_values(const struct qdisc *q, struct qdisc_value out[QDISC_VALUES_MAX])
{
	const struct codel_qdisc *x = (const struct codel_qdisc *)q;
	int64_t next = x->codel.dropping ? (int64_t)(x->codel.drop_next - q->tree->now) : 0;
	const struct qdisc_value values[] = {
		{ "count", QDISC_NUMBER, x->codel.count },
		{ "lastcount", QDISC_NUMBER, x->codel.lastcount },
		{ "ldelay", QDISC_NS, (int64_t)counter_read(&x->ldelay) },
		{ "dropping", QDISC_NUMBER, x->codel.dropping },
		{ "drop_next", QDISC_NS, next },
		{ "maxpacket", QDISC_BYTES, x->law.maxpacket },
		{ "ecn_mark", QDISC_NUMBER, (int64_t)counter_read(&x->law.ecn_mark) },
		{ "drop_overlimit", QDISC_NUMBER, (int64_t)counter_read(&x->drop_overlimit) },
		{ "ce_mark", QDISC_NUMBER, (int64_t)counter_read(&x->law.ce_mark) },
	};

	static_assert(sizeof(values) <= QDISC_VALUES_MAX * sizeof(*values), "room");
	memcpy(out, values, sizeof(values));
	return sizeof(values) / sizeof(*values);
}

const struct qdisc_ops codel_ops = {
	.kind = "codel",
	.id = CONF_QDISC_CODEL,
	.size = sizeof(struct codel_qdisc),
	.init = codel_init,
	.change = codel_change,
	.enqueue = codel_enqueue,
	.dequeue = codel_next,
	.reset = codel_reset,
	.values = codel_values,
};
