/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree of qdiscs as a whole: made from a configuration, run by its owner, changed under load.
 *
 * A change is computed by control: which qdiscs and classes are new (made, unseen), which have
 * other options (a fresh one each, to take them from), which go. The owner carries it out within
 * one turn and allocates nothing; what it took out stays in the change, and control frees it. What
 * is the same in both configurations is not touched: its packets, tokens and statistics stay.
 */
#ifndef ROUTER_NET_QDISC_TREE_H
#define ROUTER_NET_QDISC_TREE_H

#include "router/net/qdisc/qdisc.h"

struct tree_config {
	const struct conf_tree *conf; /* checked; kept by nobody */
	uint32_t mtu;		      /* of the port */
	uint32_t budget;	      /* frames */
	uint64_t seed;
};

/* [control] 0 or -ENOMEM, -EINVAL. */
int tree_create(const struct tree_config *c, struct qdisc_tree **out);
/* [control] Out of use; what it still holds is dropped through dp, which may be NULL if it is
 * empty. */
void tree_destroy(struct qdisc_tree *t, struct dp *dp);

struct tree_change;
/* [control] The way from `was`, which t was made or last changed by, to `c`. 0 with *out NULL if
 * nothing changes; else -ENOMEM. */
int tree_plan(const struct qdisc_tree *t, const struct conf_tree *was, const struct tree_config *c,
	      struct tree_change **out);
/* [owner] Carry it out, a piece a call, a call a turn, until it says that this was the last one. */
bool tree_apply(struct qdisc_tree *t, struct tree_change *change);
/* [control] After that, or if it never came to that. */
void tree_change_destroy(struct tree_change *change);

/* [owner] Drop all it holds, for DROP_QDISC_GONE. */
void tree_reset(struct qdisc_tree *t);

/* [control] Which index each class has, by handle: of t as it is, or as it will be after a change
 * (or NULL). 0 or -ENOMEM. */
struct tree_index;
int tree_index_create(const struct qdisc_tree *t, const struct tree_change *change,
		      struct tree_index **out);
uint32_t tree_index_find(const struct tree_index *i, uint32_t classid); /* or QCLASS_NONE */
void tree_index_destroy(struct tree_index *i);

/* [owner] p: addr, lengths, l3, hash, priority, mark, cls are set. Takes it. t->now and t->dp are
 * good. */
void tree_enqueue(struct qdisc_tree *t, struct qpkt *p);
/* [owner] The same for n packets in this order, faster: what they need of memory is fetched for
 * many at once, and at most `room` that may leave now, and before which none of their class waits,
 * do not go through queues at all. Returns how many; they are the first of p then, the caller's to
 * send. */
unsigned tree_enqueue_burst(struct qdisc_tree *t, struct qpkt **p, unsigned n, unsigned room);
/* [owner] The next packet to send now; or NULL, and t->wake says when to ask again (QDISC_NEVER:
 * when one was enqueued). The caller sends it. */
struct qpkt *tree_dequeue(struct qdisc_tree *t);

/* [any while nothing changes it] By handle; NULL. */
struct qdisc *tree_qdisc(const struct qdisc_tree *t, uint32_t handle);
struct qclass *tree_class(const struct qdisc_tree *t, uint32_t classid);

/* [any] The sojourn time, in ns, that a share of `percent` packets stayed below; 0: there were
 * none. */
uint64_t sojourn_percentile(const struct sojourn *s, double percent);

#endif
