// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pairing heap: a tree in which nobody comes before the one above it. The children of a node are
 * a list; whoever points at a node is remembered in it, so that any node leaves in place. See
 * waitq.h.
 */
#include "router/net/qdisc/waitq.h"

/* The later one becomes a child of the earlier. Neither is in a list, nor is the result. */
static struct wait *meld(struct wait *a, struct wait *b)
{
	if (b->when < a->when) {
		struct wait *later = a;

		a = b;
		b = later;
	}
	b->next = a->child;
	if (b->next)
		b->next->ref = &b->next;
	b->ref = &a->child;
	a->child = b;
	a->next = NULL;
	return a;
}

/* One tree of a list of trees: two by two from the left, then all of those from the right. Not
 * recursive, as a list may be as long as the heap. */
static struct wait *meld_all(struct wait *list)
{
	struct wait *pairs = NULL, *all;

	while (list) {
		struct wait *a = list, *b = a->next;

		list = b ? b->next : NULL;
		if (b)
			a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	if (!pairs)
		return NULL;
	all = pairs;
	pairs = all->next;
	all->next = NULL;
	while (pairs) {
		struct wait *a = pairs;

		pairs = a->next;
		all = meld(all, a);
	}
	return all;
}

void waitq_add(struct waitq *q, struct wait *w, uint64_t when)
{
	w->when = when;
	w->child = w->next = NULL;
	q->first = q->first ? meld(q->first, w) : w;
	q->first->ref = &q->first;
}

void waitq_remove(struct wait *w)
{
	struct wait *heir = meld_all(w->child);

	if (heir)
		heir->next = w->next;
	else
		heir = w->next;
	*w->ref = heir;
	if (heir) {
		heir->ref = w->ref;
		if (heir->next)
			heir->next->ref = &heir->next;
	}
	w->ref = NULL;
	w->child = w->next = NULL;
}
