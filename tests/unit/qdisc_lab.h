/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree of qdiscs on a manual clock, with frames that only exist in memory: lab_open() ..
 * lab_close(), one at a time. lab_close() demands that every frame has come back.
 */
#ifndef TESTS_UNIT_QDISC_LAB_H
#define TESTS_UNIT_QDISC_LAB_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/qdisc/tree.h"

#define LAB_SHIFT 11
#ifndef LAB_FRAMES
#define LAB_FRAMES 32768u
#endif
#define LAB_MTU 1500

struct lab {
	struct dp *dp;
	struct dp_counters *count;
	uint8_t *memory;
	uint32_t *free, nfree;
	struct qdisc_tree *t;
	struct conf_tree conf; /* as given: shallow */
	uint64_t now;
	uint32_t serial; /* of packets, in their frames: order can be checked */
};

static struct lab *lab_now; /* dp's callbacks know no other way */

static inline uint8_t *lab_alloc(struct dp *dp)
{
	struct lab *l = lab_now;

	(void)dp;
	return l->nfree ? l->memory + ((uint64_t)l->free[--l->nfree] << LAB_SHIFT) + HEADROOM
			: NULL;
}

static inline void lab_free(struct dp *dp, const uint8_t *data)
{
	struct lab *l = lab_now;

	(void)dp;
	assert(l->nfree < LAB_FRAMES);
	l->free[l->nfree++] = (uint32_t)((data - l->memory) >> LAB_SHIFT);
}

static inline void lab_open(struct lab *l, const struct conf_tree *conf, uint32_t budget)
{
	struct tree_config c = {
		.conf = conf, .mtu = LAB_MTU, .budget = budget ? budget : LAB_FRAMES, .seed = 12345
	};
	int err;

	memset(l, 0, sizeof(*l));
	lab_now = l;
	l->conf = *conf;
	l->now = NSEC_PER_SEC;
	l->memory = calloc(LAB_FRAMES, 1u << LAB_SHIFT);
	l->free = calloc(LAB_FRAMES, sizeof(*l->free));
	l->dp = calloc(1, sizeof(*l->dp));
	l->count = calloc(1, sizeof(*l->count));
	assert(l->memory && l->free && l->dp && l->count);
	while (l->nfree < LAB_FRAMES) {
		l->free[l->nfree] = LAB_FRAMES - 1 - l->nfree;
		l->nfree++;
	}
	l->dp->base = l->memory;
	l->dp->frame_shift = LAB_SHIFT;
	l->dp->count = l->count;
	l->dp->alloc = lab_alloc;
	l->dp->free = lab_free;
	l->dp->qpkt = aligned_alloc(64, LAB_FRAMES * sizeof(*l->dp->qpkt));
	assert(l->dp->qpkt);
	err = tree_create(&c, &l->t);
	assert(!err);
	(void)err;
	l->t->dp = l->dp;
	l->t->now = l->now;
}

/* By reload: as control and the owner do it. */
static inline void lab_change(struct lab *l, const struct conf_tree *conf)
{
	struct tree_config c = {
		.conf = conf, .mtu = LAB_MTU, .budget = l->t->budget, .seed = 12345
	};
	struct tree_change *change = NULL;
	int err = tree_plan(l->t, &l->conf, &c, &change);

	assert(!err);
	(void)err;
	if (change) {
		while (!tree_apply(l->t, change))
			;
		tree_change_destroy(change);
	}
	l->conf = *conf;
}

static inline void lab_close(struct lab *l)
{
	tree_destroy(l->t, l->dp);
	assert(l->nfree == LAB_FRAMES);
	free(l->dp->qpkt);
	free(l->dp);
	free(l->count);
	free(l->free);
	free(l->memory);
}

/* A packet as tree_enqueue() takes it: an IPv4 header at 14, len bytes in all; not ECT. Its serial
 * number is at offset 34. */
static inline struct qpkt *lab_packet(struct lab *l, uint16_t len, uint32_t hash)
{
	static const uint8_t header[34] = { 2,	  0, 0,	 0, 0, 1, 2,  0, 0, 0, 0,  2,
					    0x08, 0, 69, 0, 0, 0, 0,  0, 0, 0, 64, 17,
					    0,	  0, 10, 0, 0, 1, 10, 0, 0, 2 };
	uint8_t *frame = lab_alloc(l->dp);
	struct qpkt *p;

	assert(frame);
	p = qpkt_of(l->dp, (uint64_t)(frame - l->memory));
	memset(p, 0, sizeof(*p));
	memcpy(frame, header, sizeof(header));
	l->serial++;
	memcpy(frame + 34, &l->serial, sizeof(l->serial));
	p->addr = (uint64_t)(frame - l->memory);
	p->len = len;
	p->frame_len = len < FRAME_MIN ? FRAME_MIN : len;
	p->l3 = ETH_HLEN;
	p->hash = hash;
	p->cls = QCLASS_NONE;
	return p;
}

static inline uint32_t lab_serial(const struct lab *l, const struct qpkt *p)
{
	uint32_t serial;

	memcpy(&serial, l->memory + p->addr + 34, sizeof(serial));
	return serial;
}

/* The clock, and what the tree sees of it. */
static inline void lab_at(struct lab *l, uint64_t now)
{
	l->now = l->t->now = now;
}

/* A packet for the class of this handle (0: for none), now. */
static inline void lab_send(struct lab *l, uint16_t len, uint32_t hash, uint32_t classid)
{
	struct qpkt *p = lab_packet(l, len, hash);
	struct qclass *cl = classid ? tree_class(l->t, classid) : NULL;

	if (cl)
		p->cls = cl->index;
	tree_enqueue(l->t, p);
}

/* The next packet that leaves now, whose frame is given back at once; NULL. */
static inline struct qpkt *lab_take(struct lab *l)
{
	struct qpkt *p = tree_dequeue(l->t);

	if (p)
		lab_free(l->dp, l->memory + p->addr);
	return p;
}

#endif
