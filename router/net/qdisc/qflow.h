/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow queues: what fair disciplines (fq_codel, sfq) divide their packets into.
 *
 * One pool and one hash for all qdiscs of a tree, from (qdisc, bucket) to a flow queue, so that ten
 * thousand idle leaves of 1,024 flows each cost nothing: a queue exists while it has packets, and
 * for as long after that as nobody else needs its place (an AQM remembers what it learned of a
 * flow). Places are given up oldest first. [owner]
 *
 * A flow queue is idle, and then it is empty, or listed: on a list of its qdisc, which is whatever
 * the qdisc likes. qflow_get() makes it the caller's, who pushes it on a list; off the list again,
 * qflow_rest() makes it idle.
 *
 * A qdisc is known here by a name (qflows_name()), not by its address. To forget all its flows it
 * takes another name: those under the old one are never asked for again, and age out.
 *
 * The pool has a place for each packet the tree may hold, and some. Listed queues may be empty (a
 * flow of fq_codel stays for its turn), so it can happen that there is none left: qflow_get() is
 * NULL then. Whoever has no packets at all must keep none listed.
 */
#ifndef ROUTER_NET_QDISC_QFLOW_H
#define ROUTER_NET_QDISC_QFLOW_H

#include "router/net/qdisc/codel_law.h"
#include "router/net/qdisc/qdisc.h"

struct qflow {
	struct pktq list;
	struct qflow *next; /* on its list; idle: the one idle for less time */
	struct qflow *prev; /* idle only: for longer */
	uint64_t key;
	uint32_t chain; /* the next of its hash bucket: place + 1 */
	int32_t credit; /* bytes it may send before it is another's turn */
	bool listed;
	bool alert;  /* codel is not at rest: false spares looking at it */
	bool learnt; /* codel has something to remember */
	/* another cache line, not for every packet */
	struct codel codel __attribute__((aligned(64)));
} __attribute__((aligned(64)));
static_assert(sizeof(struct qflow) == 128, "two lines a flow");

/* First in, first out. */
struct qflow_list {
	struct qflow *head, *tail;
	uint32_t n;
};

static inline void qflow_list_push(struct qflow_list *l, struct qflow *fl)
{
	fl->listed = true;
	fl->next = NULL;
	if (l->head)
		l->tail->next = fl;
	else
		l->head = fl;
	l->tail = fl;
	__atomic_store_n(&l->n, l->n + 1, __ATOMIC_RELAXED);
}

/* The list is not empty. Still `listed`: it goes to another list, or to rest. */
static inline struct qflow *qflow_list_pop(struct qflow_list *l)
{
	struct qflow *fl = l->head;

	l->head = fl->next;
	__atomic_store_n(&l->n, l->n - 1, __ATOMIC_RELAXED);
	return fl;
}

struct qflows {
	uint32_t *bucket; /* place + 1 of the first of the chain; 0: none */
	unsigned shift;	  /* of a 64-bit hash to its index */
	struct qflow *pool;
	uint32_t capacity;
	uint32_t used;			 /* places from here on were never used */
	struct qflow *free;		 /* places of flows that had nothing to remember */
	struct qflow *oldest, *youngest; /* of the idle */
	uint32_t names;
};

/* [control] For so many packets at once. 0 or -ENOMEM. */
int qflows_create(uint32_t packets, struct qflows **out);
void qflows_destroy(struct qflows *f);

/* Never 0. */
uint32_t qflows_name(struct qflows *f);

/* A place for a flow that has none. NULL: all are listed. */
struct qflow *qflow_make(struct qflows *f, uint64_t key);
/* Neither listed nor idle: its place is free. */
void qflow_forget(struct qflows *f, struct qflow *fl);

static inline uint32_t *qflow_bucket(const struct qflows *f, uint64_t key)
{
	return &f->bucket[key * 0x9e3779b97f4a7c15u >> f->shift];
}

static inline void qflow_wake(struct qflows *f, struct qflow *fl)
{
	if (fl->prev)
		fl->prev->next = fl->next;
	else
		f->oldest = fl->next;
	if (fl->next)
		fl->next->prev = fl->prev;
	else
		f->youngest = fl->prev;
}

/* The flow queue of this bucket of the qdisc of this name. If it is not `listed`, then the caller
 * lists it. NULL: there are too many. */
static inline struct qflow *qflow_get(struct qflows *f, uint32_t name, uint32_t bucket)
{
	uint64_t key = (uint64_t)name << 32 | bucket;

	for (uint32_t at = *qflow_bucket(f, key); at; at = f->pool[at - 1].chain) {
		struct qflow *fl = &f->pool[at - 1];

		if (fl->key == key) {
			if (!fl->listed)
				qflow_wake(f, fl);
			return fl;
		}
	}
	return qflow_make(f, key);
}

/* For qflow_get() of the same soon: its hash bucket (step 0), then what is first in that. */
static inline void qflow_prefetch(const struct qflows *f, uint32_t name, uint32_t bucket,
				  unsigned step)
{
	const uint32_t *first = qflow_bucket(f, (uint64_t)name << 32 | bucket);

	if (step == 0)
		__builtin_prefetch(first, 1);
	else if (*first)
		__builtin_prefetch(&f->pool[*first - 1], 1);
}

/* It is empty, and on no list any more. */
static inline void qflow_rest(struct qflows *f, struct qflow *fl)
{
	assert(!fl->list.head);
	fl->listed = false;
	if (!fl->learnt) { /* its place is still in the cache: the next flow's */
		qflow_forget(f, fl);
		return;
	}
	fl->next = NULL;
	fl->prev = f->youngest;
	if (f->youngest)
		f->youngest->next = fl;
	else
		f->oldest = fl;
	f->youngest = fl;
}

/* All of l, which are empty. */
static inline void qflow_rest_all(struct qflows *f, struct qflow_list *l)
{
	while (l->head)
		qflow_rest(f, qflow_list_pop(l));
}

/* The bucket of a packet's hash among n, by a key that is odd: hashes that meet under one key need
 * not under another (multiply-shift hashing, Dietzfelbinger 1997). */
static inline uint32_t qflow_scale(uint32_t hash, uint32_t key, uint32_t n)
{
	return (uint32_t)((uint64_t)(hash * key) * n >> 32);
}

#endif
