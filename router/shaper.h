/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree of qdiscs at work: the port it stands at, the worker that owns it, the rings by which
 * other workers hand packets over, and how control has it changed.
 */
#ifndef ROUTER_SHAPER_H
#define ROUTER_SHAPER_H

#include "router/lib/spsc.h"
#include "router/net/qdisc/tree.h"

struct shaper {
	struct qdisc_tree *tree;
	unsigned port;
	unsigned owner; /* worker */
	bool ifb;	/* shapes what the port receives */
	void (*take)(struct shaper *s, struct dp *dp,
		     struct qpkt *p); /* [owner] sends what leaves */
	unsigned nworkers;
	struct spsc *in; /* by worker: struct qpkt *; the owner's own is not used */

	/* Of the owner: given in this turn, enqueued all at once. */
	struct qpkt *given[BURST];
	unsigned ngiven;
	unsigned room; /* packets that the port has room for, as far as known in this turn */

	/* Control stores a change, the owner carries it out and stores NULL. */
	struct tree_change *change;
	enum { SHAPER_STAYS, SHAPER_LEAVES, SHAPER_LEFT } life; /* control: leave; owner: left */

	uint32_t held; /* of the tree, after the owner's last turn */
};

/* [control] Takes the tree over. 0 or -ENOMEM. */
int shaper_create(struct qdisc_tree *tree, unsigned port, bool ifb, unsigned owner,
		  unsigned nworkers, struct shaper **out);
/* [control] When no worker knows it any more. It is empty, but for the rings of workers that were
 * late: those packets go through dp. */
void shaper_destroy(struct shaper *s);

/* [control] The owner shall change the tree, or empty it for good: nobody gives it anything any
 * more. Until then it is busy; wake the owner. */
void shaper_change(struct shaper *s, struct tree_change *change);
void shaper_leave(struct shaper *s);
bool shaper_is_busy(const struct shaper *s);
bool shaper_is_empty(const struct shaper *s); /* for good: its owner has left */

/* [control] No worker runs: what was handed over and not taken in goes. */
void shaper_drain(struct shaper *s, struct dp *dp);

/* [worker] p as tree_enqueue() takes it. Returns the owner, if it is somebody else, else the
 * caller: it may be asleep. */
unsigned shaper_give(struct shaper *s, struct dp *dp, struct qpkt *p);

/* [owner] A turn begins: what leaves goes to take(), as long as there is room at the port. */
static inline void shaper_begin(struct shaper *s, unsigned room,
				void (*take)(struct shaper *s, struct dp *dp, struct qpkt *p))
{
	s->room = room;
	s->take = take;
}

/* [owner] Carry out a change, take in what was handed over, and let go what may leave. Returns the
 * time to come again: dp->now if there is more at once; QDISC_NEVER if nothing waits. */
uint64_t shaper_run(struct shaper *s, struct dp *dp);

/* [owner] Somebody handed something over, or control wants a change. */
bool shaper_has_news(const struct shaper *s);

/* [any] Packets that it holds: in the tree and on the way to it. */
uint32_t shaper_held(const struct shaper *s);

#endif
