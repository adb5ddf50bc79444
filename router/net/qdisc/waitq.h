/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits for a time: an intrusive pairing heap, earliest first. To add is O(1), to take out
 * O(log n) amortised, and nothing is allocated. [owner]
 */
#ifndef ROUTER_NET_QDISC_WAITQ_H
#define ROUTER_NET_QDISC_WAITQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of what waits; zeroed: waits for nothing. */
struct wait {
	uint64_t when;	    /* ns */
	struct wait *child; /* the first of those that come later and hang here */
	struct wait *next;  /* beside it, in no order */
	struct wait **ref;  /* what points here; NULL: not waiting */
};

struct waitq {
	struct wait *first; /* the earliest; NULL: none */
};

static inline bool wait_queued(const struct wait *w)
{
	return w->ref != NULL;
}

/* w waits for nothing yet. */
void waitq_add(struct waitq *q, struct wait *w, uint64_t when);
/* w waits, in whichever queue. */
void waitq_remove(struct wait *w);

#endif
