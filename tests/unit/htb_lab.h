/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees of htb classes under load on a manual clock: a class a line, leaves that are always busy,
 * or send at a constant rate, and what came out. Upon qdisc_lab.h.
 */
#ifndef TESTS_UNIT_HTB_LAB_H
#define TESTS_UNIT_HTB_LAB_H

#include "tests/unit/qdisc_books.h"

#define ROOT	CONF_HANDLE(1, 0)
#define CLS(n)	CONF_HANDLE(1, n)
#define MBIT	125000ull /* bytes a second */
#define CLASSES 64

/* Of tests: a tree by its minors. */
struct htb_tree {
	struct conf_qdisc q[CLASSES + 1];
	struct conf_class c[CLASSES];
	struct conf_tree conf;
};

static inline void htb_begin(struct htb_tree *t)
{
	memset(t, 0, sizeof(*t));
	t->q[0] = (struct conf_qdisc){ .handle = ROOT,
				       .parent = CONF_ROOT,
				       .kind = CONF_QDISC_HTB,
				       .htb = { .r2q = 10, .direct_limit = 1000 } };
	t->conf = (struct conf_tree){ .qdiscs = t->q, .nqdiscs = 1, .classes = t->c };
}

/* Minor 1, 2, ... in this order. parent 0: the top. Bursts as the configuration has them. */
static inline struct conf_class *htb_class(struct htb_tree *t, unsigned minor, unsigned parent,
					   uint64_t rate, uint64_t ceil)
{
	struct conf_class *c = &t->c[t->conf.nclasses++];

	*c = (struct conf_class){ .handle = CLS(minor),
				  .parent = parent ? CLS(parent) : ROOT,
				  .rate = rate,
				  .ceil = ceil,
				  .burst = rate / 1000 > 1600 ? rate / 1000 : 1600,
				  .cburst = ceil / 1000 > 1600 ? ceil / 1000 : 1600 };
	return c;
}

/* To change, and to change to. */
static inline void htb_copy(struct htb_tree *to, const struct htb_tree *from)
{
	*to = *from;
	to->conf.qdiscs = to->q;
	to->conf.classes = to->c;
}

/* What leaves do. */
struct htb_load {
	uint16_t len[CLASSES];	 /* of its packets; 0: nothing is sent */
	uint64_t every[CLASSES]; /* ns between packets; 0: always busy */
	uint64_t due[CLASSES];	 /* of the next one */
	uint64_t bytes[CLASSES]; /* that left */
	uint32_t waiting[CLASSES];
	/* Each departure, if anybody wants to know. */
	void (*left)(struct htb_load *load, struct lab *l, const struct qpkt *p, unsigned minor);
	void *arg;
};

static inline void htb_offer(struct htb_load *load, struct lab *l, unsigned minor)
{
	lab_send(l, load->len[minor], minor, CLS(minor));
	load->waiting[minor]++;
}

/* Let what is due come, and keep busy leaves busy. The time of the next arrival. */
static inline uint64_t htb_arrivals(struct htb_load *load, struct lab *l)
{
	uint64_t next = QDISC_NEVER;

	for (unsigned m = 1; m < CLASSES; m++) {
		if (!load->len[m])
			continue;
		while (!load->every[m] && load->waiting[m] < 3)
			htb_offer(load, l, m);
		while (load->every[m] && load->due[m] <= l->now) {
			if (load->waiting[m] < 100)
				htb_offer(load, l, m);
			load->due[m] += load->every[m];
		}
		if (load->every[m] && load->due[m] < next)
			next = load->due[m];
	}
	return next;
}

static inline void htb_departed(struct htb_load *load, struct lab *l, const struct qpkt *p)
{
	unsigned minor = p->hash;

	load->bytes[minor] += p->len;
	load->waiting[minor]--;
	if (load->left)
		load->left(load, l, p, minor);
}

/* For so long; true if the tree never forgot to say when it goes on. */
static inline bool htb_run(struct htb_load *load, struct lab *l, uint64_t ns)
{
	uint64_t end = l->now + ns, next = 0;

	while (l->now < end) {
		const struct qpkt *p;

		if (next <= l->now || !next)
			next = htb_arrivals(load, l);
		p = lab_take(l);
		if (p) {
			htb_departed(load, l, p);
			if (!load->every[p->hash])
				next = htb_arrivals(load, l);
			continue;
		}
		if (l->t->wake <= l->now || (l->t->wake == QDISC_NEVER && l->t->root->qlen))
			return false;
		if (l->t->wake < next)
			next = l->t->wake < end ? l->t->wake : end;
		lab_at(l, next < end ? next : end);
		next = 0;
	}
	return true;
}

static inline void htb_drain(struct htb_load *load, struct lab *l)
{
	const struct qpkt *p;

	while ((p = lab_wait(l)))
		htb_departed(load, l, p);
	memset(load->bytes, 0, sizeof(load->bytes));
}

/* In Mbit/s, over so many ns. */
static inline double htb_mbit(const struct htb_load *load, unsigned minor, uint64_t ns)
{
	return (double)load->bytes[minor] * 8000.0 / (double)ns;
}

#endif
