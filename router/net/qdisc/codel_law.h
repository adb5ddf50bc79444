/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CoDel's control law (RFC 8289), for codel and for each flow of fq_codel.
 *
 * A queue is bad when no packet of a whole interval stayed for less than target. Then packets are
 * dropped from its head, or marked, faster and faster: the n-th an interval / sqrt(n) after the one
 * before, until one stayed for less than target or what is left is less than a packet. Times are
 * nanoseconds in 64 bits. The root is computed where it is needed: a drop is rare enough, and what
 * is approximated step by step is wrong exactly where `count` jumps.
 *
 * As in Linux, "less than a packet is left" is of the whole qdisc, not of one flow of fq_codel: a
 * thousand flows of one packet each are a standing queue as well.
 */
#ifndef ROUTER_NET_QDISC_CODEL_LAW_H
#define ROUTER_NET_QDISC_CODEL_LAW_H

#include "router/net/qdisc/qdisc.h"

/* What was learned of a queue; zeroed: nothing. */
struct codel {
	uint64_t first_above; /* ns: when it has been bad for an interval; 0: it is good */
	uint64_t drop_next;   /* ns; also the last one, of a drop state that ended */
	uint32_t count;	      /* drops in this state */
	uint32_t lastcount;   /* count as the state began */
	bool dropping;
};

struct codel_law {
	uint64_t target, interval, ce_threshold; /* ns; ce_threshold UINT64_MAX: none */
	bool ecn;				 /* mark who understands it */
	/* statistics */
	uint32_t maxpacket;
	uint64_t ecn_mark, ce_mark;
};

/* Without the law: the packet at the head stayed for so short a time that there is nothing to learn
 * of a codel at rest. NULL: ask codel_dequeue(). */
static inline struct qpkt *codel_pass(struct codel_law *law, struct qdisc *q, struct pktq *list)
{
	struct qpkt *p = list->head;
	uint64_t stayed = p ? q->tree->now - p->enqueued : 0;

	if (!p || stayed >= law->target || stayed > law->ce_threshold)
		return NULL;
	pktq_pop(list);
	qdisc_leave(q, p);
	if (p->len > law->maxpacket)
		__atomic_store_n(&law->maxpacket, p->len, __ATOMIC_RELAXED);
	return p;
}

/* The next packet of `list`, a queue of q, after what the law drops before it; NULL: all gone. What
 * is returned has left q. */
struct qpkt *codel_dequeue(struct codel_law *law, struct codel *c, struct qdisc *q,
			   struct pktq *list);

/* How long after the last drop the next one is, being the count-th. */
uint64_t codel_distance(uint64_t interval, uint32_t count);

/* Nothing is known that a packet of less than target would change. */
static inline bool codel_at_rest(const struct codel *c)
{
	return !c->first_above && !c->dropping;
}

/* Options; statistics stay. */
static inline void codel_law_change(struct codel_law *law, const struct codel_law *fresh)
{
	law->target = fresh->target;
	law->interval = fresh->interval;
	law->ce_threshold = fresh->ce_threshold;
	law->ecn = fresh->ecn;
}

#endif
