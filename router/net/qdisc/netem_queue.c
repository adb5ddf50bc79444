// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets by the time they are due; see netem.h.
 *
 * Most come in order and wait in a line. The others go into a radix heap (Ahuja, Mehlhorn, Orlin,
 * Tarjan 1990): bucket b has those whose time first differs from `last` in bit b - 1, bucket 0
 * those of just that time. When the lowest bucket is due, `last` becomes its earliest time and its
 * packets move to lower buckets, a packet at most as often as its delay has bits. It needs one
 * pointer a packet and keeps packets of one time in order; and since time goes on, none is ever due
 * before one that has left.
 */
#include "router/net/qdisc/netem.h"

static void bucket_push(struct netem_queue *l, struct qpkt *p)
{
	uint64_t apart = p->due ^ l->last;
	unsigned b = apart ? 64 - (unsigned)__builtin_clzll(apart) : 0;

	assert(p->due >= l->last && p->due <= INT64_MAX);
	if (!(l->used & 1ull << b) || p->due < l->bucket[b].first)
		l->bucket[b].first = p->due;
	l->used |= 1ull << b;
	pktq_push(&l->bucket[b].list, p);
}

static unsigned lowest(const struct netem_queue *l)
{
	return (unsigned)__builtin_ctzll(l->used);
}

static struct qpkt *bucket_pop(struct netem_queue *l)
{
	unsigned b = lowest(l);
	struct qpkt *p;

	if (b) {
		struct pktq spread = l->bucket[b].list;

		l->last = l->bucket[b].first;
		l->bucket[b].list = (struct pktq){ 0 };
		l->used &= ~(1ull << b);
		while ((p = pktq_pop(&spread)))
			bucket_push(l, p);
	}
	p = pktq_pop(&l->bucket[0].list);
	if (!l->bucket[0].list.n)
		l->used &= ~1ull;
	return p;
}

void netem_queue_push(struct netem_queue *l, struct qpkt *p)
{
	if (!l->line.head || p->due >= l->line.tail->due)
		pktq_push(&l->line, p);
	else
		bucket_push(l, p);
}

static uint64_t line_due(const struct netem_queue *l)
{
	return l->line.head ? l->line.head->due : QDISC_NEVER;
}

static uint64_t buckets_due(const struct netem_queue *l)
{
	return l->used ? l->bucket[lowest(l)].first : QDISC_NEVER;
}

uint64_t netem_queue_due(const struct netem_queue *l)
{
	uint64_t line = line_due(l), buckets = buckets_due(l);

	return line < buckets ? line : buckets;
}

/* Of the same time, the line's came first: it had a later one at its end when the other came. */
struct qpkt *netem_queue_pop(struct netem_queue *l)
{
	if (l->used && buckets_due(l) < line_due(l))
		return bucket_pop(l);
	return pktq_pop(&l->line);
}
