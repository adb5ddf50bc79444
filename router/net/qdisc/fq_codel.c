// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fq_codel: packets are dealt out to flow queues by the hash of their flow, each under CoDel's law,
 * and served in turn, new flows first. tc-fq_codel(8), RFC 8290.
 *
 * Deficit round robin: a flow at the head of its list sends while it has credit, then gets another
 * quantum and goes to the end of the old list. A flow that begins to have packets goes to the new
 * list, which is served first. A new flow that ran out of packets must pass the old list before it
 * can be new again; else a flow that never has two packets at once would go first forever. So there
 * are flows on the lists that have no packets; when there is no packet at all they all go to rest,
 * for then nobody is left to be fair to.
 *
 * Too many packets, or too much memory: the flow with most bytes loses from its head, half of what
 * it has or drop_batch packets, whatever is less; only flows on the lists are looked at. The memory
 * of a packet is the frame it occupies, however short it is (Linux: the truesize of its skb).
 *
 * A change of `flows` waits until no packet is left, so that no flow is in two queues.
 */
#include <string.h>

#include "router/net/qdisc/qflow.h"

#define QUANTUM_MIN 256u /* as in Linux: smaller ones only make empty rounds */

struct fq_codel {
	struct qdisc q;
	struct qflow_list new, old;
	uint32_t name;	/* of our flows in tree->flows; 0: none yet */
	uint32_t key;	/* of the hash */
	uint32_t flows; /* buckets in use: the option as it was when the qdisc was last empty */
	/* options */
	uint32_t buckets, quantum, limit, drop_batch; /* quantum 0: a packet's */
	uint64_t memory_limit;
	struct codel_law law;
	/* statistics */
	uint64_t new_flow_count, drop_overlimit, drop_overmemory;
};

static struct fq_codel *fq_of(struct qdisc *q)
{
	return (struct fq_codel *)q;
}

static int fq_codel_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct fq_codel *f = fq_of(q);

	f->buckets = c->fq_codel.flows ? c->fq_codel.flows : 1;
	f->quantum = c->fq_codel.quantum;
	f->limit = c->fq_codel.limit;
	f->drop_batch = c->fq_codel.drop_batch;
	f->memory_limit = c->fq_codel.memory_limit;
	f->law.target = c->fq_codel.target;
	f->law.interval = c->fq_codel.interval;
	f->law.ce_threshold = c->fq_codel.ce_threshold;
	f->law.ecn = c->fq_codel.ecn;
	return 0;
}

static uint64_t memory_used(const struct qdisc *q)
{
	return q->qlen * ((1ull << q->tree->dp->frame_shift) + sizeof(struct qpkt));
}

static int32_t quantum(const struct fq_codel *f)
{
	uint32_t bytes = f->quantum ? f->quantum : f->q.tree->mtu + ETH_HLEN;

	return (int32_t)(bytes < QUANTUM_MIN ? QUANTUM_MIN : bytes);
}

/* ---- too much */

static struct qflow *fatter(const struct qflow_list *l, struct qflow *than)
{
	for (struct qflow *fl = l->head; fl; fl = fl->next)
		if (!than || fl->list.bytes > than->list.bytes)
			than = fl;
	return than;
}

static struct qpkt *take(struct fq_codel *f, struct qflow *fl)
{
	struct qpkt *p = pktq_pop(&fl->list);

	if (p)
		qdisc_leave(&f->q, p);
	return p;
}

/* Number of packets dropped. CoDel is told, so that it will be stricter with this flow. */
static uint32_t drop_from(struct fq_codel *f, struct qflow *fl)
{
	uint32_t half = fl->list.bytes / 2, bytes = 0, n = 0;

	do {
		struct qpkt *p = take(f, fl);

		bytes += p->len;
		qdisc_drop(&f->q, p, DROP_QDISC_FULL);
	} while (++n < f->drop_batch && bytes < half);
	fl->codel.count += n;
	fl->learnt = true;
	return n;
}

/* It has no packets, and is off its list. What CoDel remembers is how strict it was. */
static void rest(struct fq_codel *f, struct qflow *fl)
{
	if (fl->alert)
		codel_dequeue(&f->law, &fl->codel, &f->q, &fl->list);
	fl->alert = false;
	qflow_rest(f->q.tree->flows, fl);
}

/* With no packet left, nobody keeps a place. */
static void rest_if_empty(struct fq_codel *f)
{
	if (f->q.qlen)
		return;
	while (f->new.head)
		rest(f, qflow_list_pop(&f->new));
	while (f->old.head)
		rest(f, qflow_list_pop(&f->old));
}

static void shrink(struct fq_codel *f)
{
	bool overmemory = memory_used(&f->q) > f->memory_limit;
	uint32_t n;

	n = drop_from(f, fatter(&f->old, fatter(&f->new, NULL)));
	counter_add(&f->drop_overlimit, n);
	if (overmemory)
		counter_add(&f->drop_overmemory, n);
	rest_if_empty(f);
}

static bool too_much(const struct fq_codel *f)
{
	return f->q.qlen > f->limit || memory_used(&f->q) > f->memory_limit;
}

/* ---- in */

/* The first packet after there was none. */
static void begin(struct fq_codel *f)
{
	if (f->name && f->flows == f->buckets)
		return;
	f->name = qflows_name(f->q.tree->flows);
	f->key = qdisc_random(f->q.tree) | 1;
	f->flows = f->buckets;
}

/* By the packet's hash; or the n-th, if its priority is our class n. */
static uint32_t bucket_of(const struct fq_codel *f, const struct qpkt *p)
{
	uint32_t minor = CONF_MINOR(p->priority);

	if (__builtin_expect(CONF_MAJOR(p->priority) != 0, 0) &&
	    CONF_MAJOR(p->priority) == f->q.handle && minor && minor <= f->flows)
		return minor - 1;
	return qflow_scale(p->hash, f->key, f->flows);
}

static void fq_codel_prefetch(const struct qdisc *q, const struct qpkt *p, unsigned step)
{
	const struct fq_codel *f = (const struct fq_codel *)q;

	qflow_prefetch(q->tree->flows, f->name, bucket_of(f, p), step);
}

static void fq_codel_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct fq_codel *f = fq_of(q);
	struct qflow *fl;

	if (!q->qlen)
		begin(f);
	fl = qflow_get(q->tree->flows, f->name, bucket_of(f, p));
	if (!fl) {
		qdisc_drop(q, p, DROP_QDISC_BUDGET);
		return;
	}
	if (!fl->listed) {
		fl->credit = quantum(f);
		qflow_list_push(&f->new, fl);
		counter_add(&f->new_flow_count, 1);
	}
	pktq_push(&fl->list, p);
	qdisc_join(q, p);
	if (too_much(f))
		shrink(f);
}

/* Nobody to be fair to, and flows without packets are at rest: as if it had been queued. */
static bool fq_codel_pass(struct qdisc *q, struct qpkt *p)
{
	struct fq_codel *f = fq_of(q);

	if (q->qlen || !f->limit)
		return false;
	if (p->len > f->law.maxpacket)
		f->law.maxpacket = p->len;
	counter_add(&f->new_flow_count, 1);
	return true;
}

/* ---- out */

static struct qpkt *next_of(struct fq_codel *f, struct qflow *fl)
{
	struct qpkt *p = fl->alert ? NULL : codel_pass(&f->law, &f->q, &fl->list);

	if (!p && (fl->list.head || fl->alert)) {
		p = codel_dequeue(&f->law, &fl->codel, &f->q, &fl->list);
		fl->alert = !codel_at_rest(&fl->codel);
		fl->learnt |= fl->codel.count != 0;
	}
	return p;
}

static struct qpkt *fq_codel_dequeue(struct qdisc *q)
{
	struct fq_codel *f = fq_of(q);
	struct qflow_list *l;
	struct qpkt *p = NULL;

	while ((l = f->new.head ? &f->new : &f->old)->head) {
		struct qflow *fl = l->head;

		if (fl->credit <= 0) {
			fl->credit += quantum(f);
			qflow_list_push(&f->old, qflow_list_pop(l));
			continue;
		}
		p = next_of(f, fl);
		if (p) {
			fl->credit -= p->len;
			break;
		}
		qflow_list_pop(l);
		if (l == &f->new && f->old.head)
			qflow_list_push(&f->old, fl);
		else
			rest(f, fl);
	}
	rest_if_empty(f);
	return p;
}

/* ---- the rest */

static void fq_codel_change(struct qdisc *q, struct qdisc *fresh)
{
	struct fq_codel *f = fq_of(q), *from = fq_of(fresh);

	f->buckets = from->buckets;
	f->quantum = from->quantum;
	f->limit = from->limit;
	f->drop_batch = from->drop_batch;
	f->memory_limit = from->memory_limit;
	codel_law_change(&f->law, &from->law);
	while (q->qlen && too_much(f))
		shrink(f);
}

static void list_reset(struct fq_codel *f, struct qflow_list *l)
{
	while (l->head) {
		struct qflow *fl = qflow_list_pop(l);
		struct qpkt *p;

		while ((p = take(f, fl)))
			qdisc_drop(&f->q, p, DROP_QDISC_GONE);
		qflow_rest(f->q.tree->flows, fl);
	}
}

static void fq_codel_reset(struct qdisc *q)
{
	struct fq_codel *f = fq_of(q);

	list_reset(f, &f->new);
	list_reset(f, &f->old);
	f->name = 0;
}

static unsigned fq_codel_values(const struct qdisc *q, struct qdisc_value out[QDISC_VALUES_MAX])
{
	const struct fq_codel *f = (const struct fq_codel *)q;
	/* A tree that its owner has not run yet has nowhere to hold anything. */
	const struct dp *dp = __atomic_load_n(&q->tree->dp, __ATOMIC_RELAXED);
	const struct qdisc_value values[] = {
		{ "maxpacket", QDISC_BYTES, f->law.maxpacket },
		{ "drop_overlimit", QDISC_NUMBER, (int64_t)counter_read(&f->drop_overlimit) },
		{ "new_flow_count", QDISC_NUMBER, (int64_t)counter_read(&f->new_flow_count) },
		{ "ecn_mark", QDISC_NUMBER, (int64_t)counter_read(&f->law.ecn_mark) },
		{ "ce_mark", QDISC_NUMBER, (int64_t)counter_read(&f->law.ce_mark) },
		{ "memory_used", QDISC_BYTES, dp ? (int64_t)memory_used(q) : 0 },
		{ "drop_overmemory", QDISC_NUMBER, (int64_t)counter_read(&f->drop_overmemory) },
		{ "new_flows_len", QDISC_NUMBER, f->new.n },
		{ "old_flows_len", QDISC_NUMBER, f->old.n },
	};

	static_assert(sizeof(values) <= QDISC_VALUES_MAX * sizeof(*values), "room");
	memcpy(out, values, sizeof(values));
	return sizeof(values) / sizeof(*values);
}

const struct qdisc_ops fq_codel_ops = {
	.kind = "fq_codel",
	.id = CONF_QDISC_FQ_CODEL,
	.size = sizeof(struct fq_codel),
	.init = fq_codel_init,
	.change = fq_codel_change,
	.prefetch = fq_codel_prefetch,
	.enqueue = fq_codel_enqueue,
	.pass = fq_codel_pass,
	.dequeue = fq_codel_dequeue,
	.reset = fq_codel_reset,
	.values = fq_codel_values,
};
