// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * htb: hierarchical token bucket. tc-htb(8).
 *
 * Classes form a tree whose leaves hold the packets. Each has a rate that it is guaranteed and a
 * ceil that it never exceeds, with a bucket for either. A class is green while it is within its
 * rate: its packets may leave. It is yellow between rate and ceil: it may borrow from a green class
 * above it, nearest first; what it sends is then charged to the lender, to all above that, and to
 * the ceils of those between. It is red over its ceil: nothing below it leaves. Packets that belong
 * to no leaf go to the default class, or else leave at once and unshaped.
 *
 * Life of a packet: htb_enqueue() finds its leaf and queues it in the leaf's child -> htb_dequeue()
 * lets the classes turn green whose time has come, htb_pick() goes down from the top to the leaf
 * whose turn it is, htb_charge() goes up again: buckets, turns, and what each class offers from now
 * on. All of it is a few operations for each level of the tree, whatever the number of classes;
 * only a class that has used up a bucket is put into a heap, by the time when it may go on.
 *
 * Where this differs from Linux, on purpose:
 * - Excess is shared exactly: among the leaves of one class that want it in proportion to their
 *   quanta; between those and what is further down by the number of leaves there that want it, each
 *   counting as the smallest of its siblings. A class in Linux forgets its turn whenever it turns
 *   green, which under load is at each of its packets; so shares there only come near to quanta
 *   (htb_share.c).
 * - A ceil holds whatever the rates below it add up to. Linux lets green classes send past a parent
 *   that is over its ceil.
 * - A class that is within its rate, but has to wait for others or for the parent's ceil, is owed
 *   what it misses meanwhile, for 100 ms or the time of its burst; Linux counts that as idle time,
 *   of which no more than the burst is kept, and so gives less than the guarantee where bursts are
 *   small. Ceils owe nothing: what leaves in any time t is at most ceil * t + cburst and a packet.
 * - Within a parent, guarantees go before borrowing and then by priority, as in Linux, but parent
 *   by parent and not for each level of the whole tree: it is the parent's ceil that they share.
 * - Tokens keep 1/4096 ns, there is no rate table, and no packet is a giant.
 * - When a class's rate changes, it keeps its tokens in bytes; Linux keeps them in time.
 */
#include "router/net/qdisc/htb.h"

/* ---- the packet path */

/* A filter that names an inner class, or a class that is gone, has named none. */
static struct htb_class *leaf_of(const struct htb *h, const struct qpkt *p)
{
	struct htb_class *cl = (struct htb_class *)qdisc_class_of(&h->q, p);

	if (cl && cl->c.child)
		return cl;
	if (p->priority == h->q.handle) /* "X:0" by priority is how tc asks for direct */
		return NULL;
	return h->fallback && h->fallback->c.child ? h->fallback : NULL;
}

static void enqueue_direct(struct htb *h, struct qpkt *p)
{
	if (h->direct.n >= h->direct_limit) {
		qdisc_drop(&h->q, p, DROP_QDISC_FULL);
		return;
	}
	pktq_push(&h->direct, p);
	qdisc_join(&h->q, p);
	counter_add(&h->direct_packets, 1);
}

static void htb_enqueue(struct qdisc *q, struct qpkt *p)
{
	struct htb *h = (struct htb *)q;
	struct htb_class *leaf = leaf_of(h, p);

	if (__builtin_expect(h->moved, 0))
		htb_find_least(h);
	if (!leaf) {
		enqueue_direct(h, p);
		return;
	}
	qclass_enqueue(&leaf->c, p);
	if (leaf->active || !leaf->c.child->qlen)
		return;
	leaf->held = false; /* what its child holds back may not be its first packet any more */
	htb_update(h, leaf);
}

/* A leaf within its guarantee, below nobody who is over his ceil. */
static bool htb_pass(struct qdisc *q, struct qpkt *p)
{
	struct htb *h = (struct htb *)q;
	struct htb_class *leaf = leaf_of(h, p);

	if (__builtin_expect(h->moved, 0))
		htb_find_least(h);
	if (!leaf || leaf->c.child->qlen || !htb_is_free(h, leaf) || !qclass_pass(&leaf->c, p))
		return false;
	p->cls =
		p->cls < q->tree->ncls && qdisc_class_of(q, p) == &leaf->c ? p->cls : leaf->c.index;
	htb_charge_free(h, leaf, p);
	return true;
}

static struct qpkt *serve(struct htb *h, struct htb_class *leaf, struct htb_class *lender)
{
	struct qdisc_tree *t = h->q.tree;
	uint64_t wake = t->wake;
	struct qpkt *p;

	t->wake = QDISC_NEVER;
	p = qclass_dequeue(&leaf->c);
	if (p)
		htb_charge(h, leaf, lender, p);
	else
		htb_gave_nothing(h, leaf, t->wake);
	qdisc_wake_at(&h->q, wake);
	return p;
}

static struct qpkt *htb_dequeue(struct qdisc *q)
{
	struct htb *h = (struct htb *)q;
	struct qpkt *p = pktq_pop(&h->direct);
	struct htb_class *leaf, *lender;

	if (p) {
		qdisc_leave(q, p);
		return p;
	}
	if (__builtin_expect(h->moved, 0))
		htb_find_least(h);
	htb_run_due(h);
	while ((leaf = htb_pick(h, &lender))) {
		p = serve(h, leaf, lender);
		if (p)
			return p;
	}
	qdisc_wake_at(q, htb_next_due(h));
	return NULL;
}

static void htb_reset(struct qdisc *q)
{
	struct htb *h = (struct htb *)q;
	struct qpkt *p;

	while ((p = pktq_pop(&h->direct))) {
		qdisc_leave(q, p);
		qdisc_drop(q, p, DROP_QDISC_GONE);
	}
}

/* ---- made, changed, shown */

static int htb_init(struct qdisc *q, const struct conf_qdisc *c)
{
	struct htb *h = (struct htb *)q;

	h->size = c->htb.size;
	h->direct_limit = c->htb.direct_limit;
	h->default_minor = c->htb.default_minor;
	h->r2q = c->htb.r2q;
	return 0;
}

static void htb_change(struct qdisc *q, struct qdisc *fresh)
{
	struct htb *h = (struct htb *)q;
	const struct htb *from = (const struct htb *)fresh;

	h->size = from->size;
	h->direct_limit = from->direct_limit;
	h->default_minor = from->default_minor;
	h->r2q = from->r2q;
	h->fallback = NULL;
	h->moved = true;
	for (uint32_t i = 0; i < q->tree->ncls; i++) {
		struct qclass *c = q->tree->cls[i];

		if (!c || c->qdisc != q)
			continue;
		htb_set_quantum(h, (struct htb_class *)c);
		if (h->default_minor && CONF_MINOR(c->classid) == h->default_minor)
			h->fallback = (struct htb_class *)c;
	}
}

static unsigned htb_values(const struct qdisc *q, struct qdisc_value out[QDISC_VALUES_MAX])
{
	const struct htb *h = (const struct htb *)q;

	out[0] = (struct qdisc_value){ "direct_packets_stat", QDISC_NUMBER,
				       (int64_t)counter_read(&h->direct_packets) };
	out[1] = (struct qdisc_value){ "direct_qlen", QDISC_NUMBER, h->direct_limit };
	return 2;
}

const struct qdisc_ops htb_ops = {
	.kind = "htb",
	.id = CONF_QDISC_HTB,
	.size = sizeof(struct htb),
	.class_size = sizeof(struct htb_class),
	.init = htb_init,
	.change = htb_change,
	.enqueue = htb_enqueue,
	.pass = htb_pass,
	.dequeue = htb_dequeue,
	.reset = htb_reset,
	.class_init = htb_class_init,
	.class_change = htb_class_change,
	.class_link = htb_class_link,
	.class_unlink = htb_class_unlink,
	.values = htb_values,
	.class_values = htb_class_values,
};
