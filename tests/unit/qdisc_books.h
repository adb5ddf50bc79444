/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must be true of a tree at any time (S19), and a clock that runs from one departure to the
 * next. For tests upon qdisc_lab.h. */
#ifndef TESTS_UNIT_QDISC_BOOKS_H
#define TESTS_UNIT_QDISC_BOOKS_H

#include "tests/unit/qdisc_lab.h"

/* Packets and bytes in the children of q. */
static inline void books_below(const struct qdisc_tree *t, const struct qdisc *q, uint64_t *packets,
			       uint64_t *bytes)
{
	*packets = *bytes = 0;
	for (uint32_t i = 0; q->ops->class_size && i < t->ncls; i++) {
		const struct qclass *cl = t->cls[i];

		if (cl && cl->qdisc == q && cl->child) {
			*packets += cl->child->qlen;
			*bytes += cl->child->backlog;
		}
	}
}

/* What q and its children count agrees; what it holds itself is no less than nothing, and nothing
 * at all for those that only choose. */
static inline bool books_balance_at(const struct qdisc_tree *t, const struct qdisc *q)
{
	uint64_t packets, bytes;

	books_below(t, q, &packets, &bytes);
	if (q->qlen < packets || q->backlog < bytes)
		return false;
	if (q->ops->id == CONF_QDISC_PRIO && (q->qlen != packets || q->backlog != bytes))
		return false;
	if (q->ops->id == CONF_QDISC_TBF && q->qlen > packets + 1)
		return false;
	return q->qlen || !q->backlog;
}

/* The root and all that hangs under a class; every frame that is out is in a queue. */
static inline bool books_balance(const struct lab *l)
{
	const struct qdisc_tree *t = l->t;

	if (t->root->qlen != t->held || LAB_FRAMES - l->nfree != t->held || t->held > t->budget)
		return false;
	if (!books_balance_at(t, t->root))
		return false;
	for (uint32_t i = 0; i < t->ncls; i++)
		if (t->cls[i] && t->cls[i]->child && !books_balance_at(t, t->cls[i]->child))
			return false;
	return true;
}

/* The next packet, and the clock at the instant it leaves; NULL: none is left. */
static inline struct qpkt *lab_wait(struct lab *l)
{
	struct qpkt *p;

	while (!(p = lab_take(l)) && l->t->wake != QDISC_NEVER) {
		assert(l->t->wake > l->now);
		lab_at(l, l->t->wake);
	}
	return p;
}

#endif
