/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queueing disciplines: tc's tree, in userspace.
 *
 * A tree belongs to one egress port and to one worker, its owner; nobody else touches it while it
 * is in use, but for reading counters. A node is a struct qdisc; a classful one has classes, a
 * class holds a child qdisc. Packets wait by their frame: struct qpkt is what a queue knows of one,
 * and there is one for each frame of the packet memory, in an array beside it; so a queue of any
 * length is a list, and queueing allocates nothing.
 *
 * Life of a packet: tree_enqueue() -> root's enqueue -> (a class, its child's enqueue)... -> waits
 * -> tree_dequeue() -> root's dequeue -> ... . Whoever takes a packet into a queue calls
 * qdisc_join(), whoever takes it out qdisc_leave(): they keep qlen and backlog right of the qdisc
 * and of all above it, so that a parent's backlog is the sum of its children's, whatever drops. A
 * packet that is in no queue may be dropped by qdisc_drop().
 *
 * Life of a discipline: control makes it unseen (ops->init), the owner links it in; a change is a
 * fresh one of the same kind whose options the old one takes over (ops->change), so nothing that
 * runs in a worker allocates; taken out, it is emptied by the owner (ops->reset) and then freed by
 * control (ops->fini).
 *
 * Time is nanoseconds of CLOCK_MONOTONIC, read once a turn: tree->now. A qdisc that has packets but
 * may not give one yet says when by qdisc_wake_at().
 *
 * Statistics are written by the owner with counter_add() and may be read by anybody.
 *
 * Sources of the semantics: Linux net/sched, tc(8) and the pages of each kind; RFCs where named.
 */
#ifndef ROUTER_NET_QDISC_QDISC_H
#define ROUTER_NET_QDISC_QDISC_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "router/net/dp.h"

#define QDISC_NEVER UINT64_MAX
#define QCLASS_NONE UINT32_MAX

/* What a queue knows of a packet; a cache line. */
struct qpkt {
	struct qpkt *next;  /* in its queue */
	uint64_t addr;	    /* of its frame's Ethernet header, in packet memory */
	uint64_t enqueued;  /* ns: when it came into the tree */
	uint64_t due;	    /* ns: for disciplines that delay */
	uint64_t scratch;   /* for the discipline it is in */
	uint16_t len;	    /* as tc counts: frame without FCS, before padding */
	uint16_t frame_len; /* to be sent */
	uint8_t l3;	    /* bytes before the IP header; 0: not IP */
	uint8_t flags;	    /* for the discipline it is in; 0 when it comes */
	uint16_t port;
	uint32_t hash; /* of its flow: keyed, and the same for all its packets */
	uint32_t cls;  /* index of the innermost class it was filed under; QCLASS_NONE: none yet */
	uint32_t priority; /* as skb->priority: 0 .. 15 of the TOS field, or a handle */
	uint32_t mark;
} __attribute__((aligned(64)));
static_assert(sizeof(struct qpkt) == 64, "one line a packet");

/* Of the frame that this address is in. */
static inline struct qpkt *qpkt_of(const struct dp *dp, uint64_t addr)
{
	return &dp->qpkt[addr >> dp->frame_shift];
}

/* ---- a list of packets */

struct pktq {
	struct qpkt *head, *tail;
	uint32_t n;
	uint32_t bytes;
};

static inline void pktq_push(struct pktq *l, struct qpkt *p)
{
	p->next = NULL;
	if (l->head)
		l->tail->next = p;
	else
		l->head = p;
	l->tail = p;
	l->n++;
	l->bytes += p->len;
}

static inline struct qpkt *pktq_pop(struct pktq *l)
{
	struct qpkt *p = l->head;

	if (!p)
		return NULL;
	l->head = p->next;
	l->n--;
	l->bytes -= p->len;
	return p;
}

/* ---- the tree */

struct qdisc_stats {
	uint64_t bytes, packets; /* sent */
	uint64_t drops;		 /* also those of what is below */
	uint64_t overlimits;
};

/* How long packets stayed: four buckets an octave, from 1 us on. */
#define SOJOURN_BUCKETS 84
struct sojourn {
	/* How many there were: what no bucket has did not wait. NULL: buckets have all. */
	const uint64_t *packets;
	uint32_t bucket[SOJOURN_BUCKETS];
};

/* Public part of every qdisc; a discipline's struct begins with it. */
struct qdisc {
	const struct qdisc_ops *ops;
	struct qdisc_tree *tree;
	struct qdisc *up;     /* above; NULL: this is the root */
	struct qclass *place; /* the class of `up` it hangs under; NULL: this is the root */
	uint32_t handle;      /* 0: nobody asked for it, it is a class's default child */
	uint32_t qlen;	      /* packets in it and below */
	uint64_t backlog;     /* their bytes */
	struct qdisc_stats stats;
};

/* Public part of every class; a classful discipline's begins with it. */
struct qclass {
	struct qdisc *qdisc; /* it is a class of */
	struct qdisc *child; /* NULL: none (inner classes of htb, netem) */
	uint32_t classid;
	uint32_t index; /* in tree->cls: what filters name it by */
	struct qdisc_stats stats;
	struct sojourn *sojourn; /* of packets filed under it */
};
static_assert(sizeof(struct qclass) == 64, "one line, before what its discipline adds");

struct qflows;

struct qdisc_tree {
	/* in use */
	uint64_t now;  /* ns */
	uint64_t wake; /* ns: the earliest time anything may leave, set while dequeueing */
	struct dp *dp; /* the owner's: where drops are counted and frames freed */
	struct qdisc *root;
	struct qclass **cls; /* by index; NULL: no such class (any more) */
	uint32_t ncls;
	uint32_t held, budget;	/* frames: in its queues, and at most */
	uint32_t mtu;		/* of the port, without link header */
	uint64_t random;	/* qdisc_random() */
	struct qflows *flows;	/* flow queues of all its fair disciplines: qflow.h */
	struct sojourn sojourn; /* of packets in no class */
	uint64_t ecn_marked;
};

/* A figure for `show qos -s`, by the name that tc -j gives it. Disciplines that have more to say
 * than struct qdisc_stats list it. */
enum qdisc_unit { QDISC_NUMBER, QDISC_NS, QDISC_BYTES };
struct qdisc_value {
	const char *name;
	enum qdisc_unit unit;
	int64_t value;
};
#define QDISC_VALUES_MAX 16
#define QDISC_STEPS	 2

struct qdisc_ops {
	const char *kind;
	enum conf_qdisc_kind id;
	size_t size;	   /* of its struct */
	size_t class_size; /* of its class's struct; 0: classless */
	/* Classes are there by themselves, 1 .. n of its minors: prio's bands, the child of tbf. */
	unsigned (*nclasses)(
		const struct conf_qdisc *c); /* [control] NULL: only those of the file */
	/* [control] What hangs under a class that the file gives no child; false: nothing. NULL: a
	 * pfifo of 1000 packets. */
	bool (*default_child)(const struct conf_qdisc *c, struct conf_qdisc *child);

	/* [control] Its memory is zeroed, the public part set; tree->mtu is good. 0 or -ENOMEM. */
	int (*init)(struct qdisc *q, const struct conf_qdisc *c);
	/* [control] Empty and out of use: what it has allocated. NULL: nothing. */
	void (*fini)(struct qdisc *q);
	/* [owner] Take the options of `fresh`, just made by init; leave there what q needs no more.
	 * Keeps packets and statistics; what exceeds a new limit is dropped. */
	void (*change)(struct qdisc *q, struct qdisc *fresh);

	/* [owner] p will be enqueued soon: what that reads is fetched into the cache, one step of a
	 * chain of pointers a call, from step 0 to QDISC_STEPS - 1. NULL: nothing but its struct.
	 */
	void (*prefetch)(const struct qdisc *q, const struct qpkt *p, unsigned step);
	/* [owner] Takes p: queues, drops, or hands it to a child. */
	void (*enqueue)(struct qdisc *q, struct qpkt *p);
	/* [owner] The same as enqueue and dequeue at once, for a packet that may leave now, when
	 * none of its class waits: true, and the caller sends it; it was in no queue. False:
	 * nothing was done. What is within its guarantee goes before all that waits, so nobody is
	 * overtaken who could have left before. NULL: never. */
	bool (*pass)(struct qdisc *q, struct qpkt *p);
	/* [owner] The next packet to send; NULL: none, or none before what qdisc_wake_at() was
	 * told. Called by qdisc_dequeue(). */
	struct qpkt *(*dequeue)(struct qdisc *q);
	/* [owner] Drop what it holds itself, for DROP_QDISC_GONE, not what its children hold. */
	void (*reset)(struct qdisc *q);

	/* classful; NULL: not needed */
	int (*class_init)(struct qclass *cl, const struct conf_class *c); /* [control] c NULL: one
							  of nclasses() */
	void (*class_change)(struct qclass *cl, struct qclass *fresh);	  /* [owner] */
	/* [owner] Its parent (`above`: a class of the same qdisc, or NULL) stands already. */
	void (*class_link)(struct qdisc *q, struct qclass *cl, struct qclass *above);
	void (*class_unlink)(struct qdisc *q, struct qclass *cl); /* [owner] its child is empty */

	/* [any] Racy reads. Number of values written. */
	unsigned (*values)(const struct qdisc *q, struct qdisc_value out[QDISC_VALUES_MAX]);
	unsigned (*class_values)(const struct qclass *cl, struct qdisc_value out[QDISC_VALUES_MAX]);
};

/* By kind; never NULL. */
extern const struct qdisc_ops *const qdisc_ops_of[CONF_QDISC_KINDS];
extern const struct qdisc_ops pfifo_ops, bfifo_ops, pfifo_fast_ops, noqueue_ops, tbf_ops, prio_ops,
	htb_ops, sfq_ops, red_ops, codel_ops, fq_codel_ops, netem_ops;

/* ---- for disciplines [owner] */

/* p came into a queue of q. */
static inline void qdisc_join(struct qdisc *q, const struct qpkt *p)
{
	for (struct qdisc *x = q; x; x = x->up) {
		__atomic_store_n(&x->qlen, x->qlen + 1, __ATOMIC_RELAXED);
		counter_add(&x->backlog, p->len);
	}
}

/* p is out of the queue of q it was in. */
static inline void qdisc_leave(struct qdisc *q, const struct qpkt *p)
{
	for (struct qdisc *x = q; x; x = x->up) {
		__atomic_store_n(&x->qlen, x->qlen - 1, __ATOMIC_RELAXED);
		counter_add(&x->backlog, -(uint64_t)p->len);
	}
}

/* Counted here and above, as tc does. p is in no queue. */
void qdisc_drop(struct qdisc *q, struct qpkt *p, enum drop_reason why);

static inline void qdisc_enqueue(struct qdisc *q, struct qpkt *p)
{
	q->ops->enqueue(q, p);
}

static inline struct qpkt *qdisc_dequeue(struct qdisc *q)
{
	struct qpkt *p = q->ops->dequeue(q);

	if (p) {
		counter_add(&q->stats.packets, 1);
		counter_add(&q->stats.bytes, p->len);
	}
	return p;
}

/* p goes through an empty q without being queued. */
static inline bool qdisc_pass(struct qdisc *q, struct qpkt *p)
{
	if (!q->ops->pass || !q->ops->pass(q, p))
		return false;
	counter_add(&q->stats.packets, 1);
	counter_add(&q->stats.bytes, p->len);
	return true;
}

static inline void qdisc_overlimit(struct qdisc *q)
{
	counter_add(&q->stats.overlimits, 1);
}

static inline void qdisc_wake_at(const struct qdisc *q, uint64_t when)
{
	if (when < q->tree->wake)
		q->tree->wake = when;
}

/* The class of q that p was filed under, by filters or by whoever queued it before; NULL: none. */
static inline struct qclass *qdisc_class_of(const struct qdisc *q, const struct qpkt *p)
{
	const struct qdisc_tree *t = q->tree;
	struct qclass *cl = p->cls < t->ncls ? t->cls[p->cls] : NULL;

	while (cl && cl->qdisc != q)
		cl = cl->qdisc->place;
	return cl;
}

/* File p under cl and hand it to its child, unless it is filed further down already. */
static inline void qclass_enqueue(struct qclass *cl, struct qpkt *p)
{
	if (p->cls >= cl->qdisc->tree->ncls || qdisc_class_of(cl->qdisc, p) != cl)
		p->cls = cl->index;
	qdisc_enqueue(cl->child, p);
}

static inline bool qclass_pass(struct qclass *cl, struct qpkt *p)
{
	if (!qdisc_pass(cl->child, p))
		return false;
	counter_add(&cl->stats.packets, 1);
	counter_add(&cl->stats.bytes, p->len);
	return true;
}

static inline struct qpkt *qclass_dequeue(struct qclass *cl)
{
	struct qpkt *p = qdisc_dequeue(cl->child);

	if (p) {
		counter_add(&cl->stats.packets, 1);
		counter_add(&cl->stats.bytes, p->len);
	}
	return p;
}

/* Bytes that p counts for. */
static inline uint32_t qdisc_size(const struct conf_size *s, uint32_t len)
{
	int64_t n = (int64_t)len + s->overhead;

	if (n < (int64_t)s->mpu)
		n = s->mpu;
	if (n < 1)
		n = 1;
	return s->linklayer == CONF_LINKLAYER_ATM ? (uint32_t)((n + 47) / 48 * 53) : (uint32_t)n;
}

/* 32 bits that nobody outside can foresee well enough to play with; not a secret. */
static inline uint32_t qdisc_random(struct qdisc_tree *t)
{
	uint64_t x = t->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	t->random = x;
	return (uint32_t)(x >> 32);
}

/* Set CE in the IP header, if the packet is of an ECN-capable transport (RFC 3168 5): true if it
 * says CE now. Counted in tree->ecn_marked. */
bool qpkt_mark_ce(struct qdisc_tree *t, struct qpkt *p);

/* Is it ECN-capable: ECT(0), ECT(1) or CE? */
bool qpkt_is_ect(const struct qdisc_tree *t, const struct qpkt *p);

#endif
