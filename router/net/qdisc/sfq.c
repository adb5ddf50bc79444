// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sfq: stochastic fairness, flow queues served in turn by deficit round robin. tc-sfq(8).
 *
 * All flows are equal, a new one waits for its turn at the end of the round. A flow leaves the
 * round with its last packet, so every queue in it has packets. A flow that already has `depth` of
 * them, or that would be one too many, loses the packet that comes; beyond `limit`, the longest
 * queue loses its last. So that the last can be taken off, a packet knows the one before it.
 *
 * Each `perturb` the hash gets another key, so that flows that share a queue by accident do not
 * share it for long. The packets that wait are filed again at that moment, in the order they had,
 * so the packets of a flow stay in order (in tc-sfq(8), and in old kernels, they may not). That
 * takes a turn as long as the queue: choose a period of seconds. Different `flows`, `depth` or
 * `divisor` are a reason to file them again, too.
 */
#include "router/net/qdisc/qflow.h"

#define QUANTUM_MIN 256u /* smaller ones only make empty rounds */

struct sfq {
	struct qdisc q;
	struct qflow_list round;
	uint32_t name; /* of our flows in tree->flows; 0: none yet */
	uint32_t key;  /* of the hash */
	uint64_t perturb_at;
	/* options */
	uint32_t limit, depth, divisor, flows, quantum; /* quantum 0: a packet's */
	uint64_t perturb;
};

static struct sfq *sfq_of(struct qdisc *q)
{
	return (struct sfq *)q;
}

static int sfq_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct sfq *s = sfq_of(q);

	s->limit = c->sfq.limit;
	s->depth = c->sfq.depth;
	s->divisor = c->sfq.divisor ? c->sfq.divisor : 1;
	s->flows = c->sfq.flows;
	s->quantum = c->sfq.quantum;
	s->perturb = c->sfq.perturb;
	return 0;
}

static int32_t quantum(const struct sfq *s)
{
	uint32_t bytes = s->quantum ? s->quantum : s->q.tree->mtu + ETH_HLEN;

	return (int32_t)(bytes < QUANTUM_MIN ? QUANTUM_MIN : bytes);
}

/* ---- a flow's queue: a list that can be taken from at both ends */

static void push(struct qflow *fl, struct qpkt *p)
{
	p->scratch = fl->list.head ? (uintptr_t)fl->list.tail : 0;
	pktq_push(&fl->list, p);
}

static struct qpkt *pop_head(struct qflow *fl)
{
	struct qpkt *p = pktq_pop(&fl->list);

	if (fl->list.head)
		fl->list.head->scratch = 0;
	return p;
}

static struct qpkt *pop_tail(struct qflow *fl)
{
	struct pktq *l = &fl->list;
	struct qpkt *p = l->tail, *before = (struct qpkt *)(uintptr_t)p->scratch;

	if (before)
		before->next = NULL;
	else
		l->head = NULL;
	l->tail = before;
	l->n--;
	l->bytes -= p->len;
	return p;
}

/* ---- in */

static uint32_t bucket_of(const struct sfq *s, const struct qpkt *p)
{
	uint32_t minor = CONF_MINOR(p->priority);

	if (CONF_MAJOR(p->priority) && CONF_MAJOR(p->priority) == s->q.handle && minor &&
	    minor <= s->divisor)
		return minor - 1;
	return qflow_scale(p->hash, s->key, s->divisor);
}

/* False: there is no room for it. */
static bool file(struct sfq *s, struct qpkt *p)
{
	struct qflow *fl = qflow_get(s->q.tree->flows, s->name, bucket_of(s, p));

	if (!fl || fl->list.n >= s->depth)
		return false;
	if (!fl->listed) {
		if (s->round.n >= s->flows) {
			qflow_rest(s->q.tree->flows, fl);
			return false;
		}
		fl->credit = quantum(s);
		qflow_list_push(&s->round, fl);
	}
	push(fl, p);
	return true;
}

/* File all packets again; those of a flow stay in order. */
static void refile(struct sfq *s)
{
	struct pktq all = { 0 };
	struct qpkt *p;

	while (s->round.head) {
		struct qflow *fl = qflow_list_pop(&s->round);

		while ((p = pop_head(fl)))
			pktq_push(&all, p);
		qflow_rest(s->q.tree->flows, fl);
	}
	while ((p = pktq_pop(&all)))
		if (!file(s, p)) {
			qdisc_leave(&s->q, p);
			qdisc_drop(&s->q, p, DROP_QDISC_FULL);
		}
}

static void perturb(struct sfq *s)
{
	uint64_t now = s->q.tree->now;

	if (s->name && (!s->perturb || now < s->perturb_at))
		return;
	if (!s->name)
		s->name = qflows_name(s->q.tree->flows);
	s->key = qdisc_random(s->q.tree) | 1;
	s->perturb_at = now + s->perturb;
	refile(s);
}

/* The last packet of the longest queue. If all have but one, it is that of the first. */
static void drop_longest(struct sfq *s)
{
	struct qflow *longest = s->round.head;
	struct qpkt *p;

	for (struct qflow *fl = longest->next; fl; fl = fl->next)
		if (fl->list.n > longest->list.n)
			longest = fl;
	p = pop_tail(longest);
	if (!longest->list.head)
		qflow_rest(s->q.tree->flows, qflow_list_pop(&s->round));
	qdisc_leave(&s->q, p);
	qdisc_drop(&s->q, p, DROP_QDISC_FULL);
}

static void sfq_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct sfq *s = sfq_of(q);

	perturb(s);
	if (!file(s, p)) {
		qdisc_drop(q, p, DROP_QDISC_FULL);
		return;
	}
	qdisc_join(q, p);
	if (q->qlen > s->limit)
		drop_longest(s);
}

/* ---- out */

static struct qpkt *sfq_dequeue(struct qdisc *q)
{
	struct sfq *s = sfq_of(q);
	struct qflow *fl;
	struct qpkt *p;

	perturb(s);
	while ((fl = s->round.head) && fl->credit <= 0) {
		fl->credit += quantum(s);
		qflow_list_push(&s->round, qflow_list_pop(&s->round));
	}
	if (!fl)
		return NULL;
	p = pop_head(fl);
	qdisc_leave(q, p);
	fl->credit -= p->len;
	if (!fl->list.head)
		qflow_rest(q->tree->flows, qflow_list_pop(&s->round));
	return p;
}

static void sfq_change(struct qdisc *q, struct qdisc *fresh)
{
	struct sfq *s = sfq_of(q), *from = sfq_of(fresh);

	s->limit = from->limit;
	s->depth = from->depth;
	s->divisor = from->divisor;
	s->flows = from->flows;
	s->quantum = from->quantum;
	s->perturb = from->perturb;
	s->perturb_at = q->tree->now + s->perturb;
	refile(s);
	while (q->qlen > s->limit)
		drop_longest(s);
}

static void sfq_reset(struct qdisc *q)
{
	struct sfq *s = sfq_of(q);
	struct qpkt *p;

	while (s->round.head) {
		struct qflow *fl = qflow_list_pop(&s->round);

		while ((p = pop_head(fl))) {
			qdisc_leave(q, p);
			qdisc_drop(q, p, DROP_QDISC_GONE);
		}
		qflow_rest(q->tree->flows, fl);
	}
	s->name = 0;
}

const struct qdisc_ops sfq_ops = {
	.kind = "sfq",
	.id = CONF_QDISC_SFQ,
	.size = sizeof(struct sfq),
	.init = sfq_init,
	.change = sfq_change,
	.enqueue = sfq_enqueue,
	.dequeue = sfq_dequeue,
	.reset = sfq_reset,
};
