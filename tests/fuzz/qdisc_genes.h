/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees of qdiscs by genes: any bytes are a tree that a checked configuration could be, and a byte
 * that changes is a tree that is much the same: one option, one child, one kind.
 *
 * Node i has the handle i + 1 and hangs under a free class of a node before it; if there is none,
 * the node is not there.
 */
#ifndef TESTS_FUZZ_QDISC_GENES_H
#define TESTS_FUZZ_QDISC_GENES_H

#include <string.h>

#include "router/lib/clock.h"
#include "router/net/qdisc/tree.h"

#define NODES	    8
#define OPTIONS	    10
#define HTB_CLASSES 5
#define CLASSES	    (NODES * HTB_CLASSES)
#define PROBABILITY 16843009u /* times a byte: 0 to 100 % */

struct gene {
	uint8_t kind, place;
	uint8_t o[OPTIONS]; /* of the options: what they mean depends on the kind */
};

struct grown {
	struct conf_qdisc qdiscs[NODES];
	struct conf_class classes[CLASSES];
	struct conf_tree tree;
};

/* ---- options */

/* From small to large in few bits. */
static inline uint64_t scaled(uint8_t o)
{
	return (1 + (o & 15u)) << (o >> 4);
}

static inline struct conf_size size_of(const uint8_t *o)
{
	return (struct conf_size){ .overhead = (int8_t)o[0] / 4,
				   .mpu = o[1] / 2,
				   .linklayer = o[1] & 1 ? CONF_LINKLAYER_ATM
							 : CONF_LINKLAYER_ETHERNET };
}

static inline void grow_tbf(struct conf_tbf *c, const uint8_t *o)
{
	c->rate = 100 * scaled(o[0]);
	c->burst = 1 + scaled(o[1]);
	c->limit = 1 + scaled(o[2]);
	if (o[3] & 1) {
		c->peakrate = c->rate + 100 * scaled(o[4]);
		c->mtu = 1 + (uint32_t)scaled(o[5]);
	}
	if (o[3] & 2)
		c->size = size_of(o + 6);
}

static inline void grow_prio(struct conf_prio *c, const uint8_t *o)
{
	c->bands = 2 + o[0] % 15;
	for (unsigned i = 0; i < 16; i++)
		c->priomap[i] = (uint8_t)((o[1] + i * o[2]) % c->bands);
}

static inline void grow_htb(struct conf_htb *c, const uint8_t *o)
{
	c->default_minor = o[0] % (HTB_CLASSES + 2);
	c->r2q = 1 + o[1];
	c->direct_limit = 1 + o[2];
	if (o[3] & 1)
		c->size = size_of(o + 4);
}

static inline void grow_sfq(struct conf_sfq *c, const uint8_t *o)
{
	c->limit = 1 + o[0] % 127;
	c->depth = 1 + o[1] % 127;
	c->divisor = 1u << o[2] % 11;
	c->flows = 1 + o[3] % 127;
	c->quantum = o[4] & 1 ? 256 + 10u * o[4] : 0;
	c->perturb = o[5] * NSEC_PER_MSEC;
}

static inline void grow_red(struct conf_red *c, const uint8_t *o)
{
	c->min = 1 + 50u * o[0];
	c->max = c->min + 1 + 50u * o[1];
	c->limit = c->max + scaled(o[2]);
	c->avpkt = 1 + 8u * o[3];
	c->burst = 1 + (uint32_t)(c->min / c->avpkt) + o[4] % 32;
	c->bandwidth = 1000 * scaled(o[5]);
	c->probability = 1 + o[6] * (PROBABILITY - 1);
	c->ecn = o[7] & 1;
	c->harddrop = o[7] & 2;
	c->nodrop = o[7] & 4;
	c->adaptive = o[7] & 8;
}

static inline void grow_codel(struct conf_codel *c, const uint8_t *o)
{
	c->limit = 1 + o[0];
	c->target = scaled(o[1]) * NSEC_PER_USEC;
	c->interval = c->target + scaled(o[2]) * NSEC_PER_USEC;
	c->ecn = o[3] & 1;
	c->ce_threshold = o[3] & 2 ? scaled(o[4]) * NSEC_PER_USEC : UINT64_MAX;
}

static inline void grow_fq_codel(struct conf_fq_codel *c, const uint8_t *o)
{
	c->limit = 1 + o[0];
	c->target = scaled(o[1]) * NSEC_PER_USEC;
	c->interval = c->target + scaled(o[2]) * NSEC_PER_USEC;
	c->ecn = o[3] & 1;
	c->ce_threshold = o[3] & 2 ? scaled(o[4]) * NSEC_PER_USEC : UINT64_MAX;
	c->flows = 1 + o[5];
	c->quantum = o[6] & 1 ? 256 + 10u * o[6] : 0;
	c->memory_limit = 4096u * (1 + o[7]);
	c->drop_batch = 1 + o[8] % 64;
}

static inline void grow_loss(struct conf_netem *c, const uint8_t *o)
{
	c->loss_model = o[0] % 3;
	c->loss = o[1] % 2 * o[2] * PROBABILITY;
	c->loss_correlation = o[1] * PROBABILITY;
	for (unsigned i = 0; i < 5; i++)
		c->state[i] = (uint8_t)(o[1] + i * o[2]) / 2 * PROBABILITY;
	for (unsigned i = 0; i < 4; i++)
		c->gemodel[i] = (uint8_t)(o[1] + i * o[2]) * PROBABILITY;
	c->ecn = o[0] & 64;
}

static inline void grow_netem(struct conf_netem *c, const uint8_t *o)
{
	c->limit = 1 + o[0];
	c->seed = 1;
	grow_loss(c, o + 1);
	if (o[4] & 1)
		c->delay = scaled(o[5]) * NSEC_PER_USEC;
	if (o[4] & 2)
		c->jitter = scaled(o[6]) * NSEC_PER_USEC;
	c->distribution = o[4] & 32 ? CONF_DIST_UNIFORM : o[4] % 4u;
	c->delay_correlation = o[7] * PROBABILITY;
	if (o[4] & 4)
		c->duplicate = o[7] * PROBABILITY;
	if (o[4] & 8) {
		c->reorder = o[8] * PROBABILITY;
		c->gap = o[8] % 4;
	}
	if (o[4] & 16)
		c->corrupt = o[8] * PROBABILITY;
	if (o[9] & 1)
		c->rate = 100 * scaled(o[9]);
	if (o[9] & 2) {
		c->packet_overhead = (int8_t)o[8];
		c->cell_size = o[7];
		c->cell_overhead = (int8_t)o[6];
	}
	if (o[9] & 4) {
		c->slot_min = scaled(o[6]) * NSEC_PER_USEC;
		c->slot_max = c->slot_min * (o[9] & 8 ? 2 : 0);
		c->slot_packets = o[8] % 8;
		c->slot_bytes = o[7] * 16u;
	}
}

static inline void grow_options(struct conf_qdisc *c, const uint8_t *o)
{
	switch (c->kind) {
	case CONF_QDISC_PFIFO:
	case CONF_QDISC_BFIFO:
	case CONF_QDISC_PFIFO_FAST: c->fifo.limit = (uint32_t)scaled(o[0]); break;
	case CONF_QDISC_TBF: grow_tbf(&c->tbf, o); break;
	case CONF_QDISC_PRIO: grow_prio(&c->prio, o); break;
	case CONF_QDISC_HTB: grow_htb(&c->htb, o); break;
	case CONF_QDISC_SFQ: grow_sfq(&c->sfq, o); break;
	case CONF_QDISC_RED: grow_red(&c->red, o); break;
	case CONF_QDISC_CODEL: grow_codel(&c->codel, o); break;
	case CONF_QDISC_FQ_CODEL: grow_fq_codel(&c->fq_codel, o); break;
	case CONF_QDISC_NETEM: grow_netem(&c->netem, o); break;
	case CONF_QDISC_NOQUEUE:
	case CONF_QDISC_KINDS: break;
	}
}

/* ---- shape */

/* One to five classes; by other bits the first, or the first two, have others below. */
static inline void grow_classes(struct grown *g, const struct conf_qdisc *q, const uint8_t *o)
{
	uint32_t n = 1 + o[5] % HTB_CLASSES, inner = o[6] % 3;

	for (uint32_t minor = 1; minor <= n; minor++) {
		struct conf_class *c = &g->classes[g->tree.nclasses++];
		uint8_t x = (uint8_t)(o[7] + minor * o[8]), y = (uint8_t)(o[8] + minor * o[9]);

		c->handle = q->handle | minor;
		c->parent = q->handle;
		if (inner && minor > 1)
			c->parent |= inner == 2 && minor > 2 ? 2 : 1;
		c->rate = 1000 * scaled(x);
		c->ceil = c->rate + (y & 1 ? 1000 * scaled(y) : 0);
		c->burst = 1600 + scaled(y);
		c->cburst = 1600 + scaled(x);
		c->quantum = y & 2 ? 1000 + 4u * x : 0;
		c->prio = y % 8;
	}
}

static inline const struct conf_qdisc *grown_qdisc(const struct grown *g, uint32_t handle)
{
	for (unsigned i = 0; i < g->tree.nqdiscs; i++)
		if (g->qdiscs[i].handle == handle)
			return &g->qdiscs[i];
	return NULL;
}

/* May something hang there? */
static inline bool grown_free(const struct grown *g, const struct conf_qdisc *q, uint32_t classid)
{
	const struct qdisc_ops *ops = qdisc_ops_of[q->kind];
	bool leaf = false;

	for (unsigned i = 0; i < g->tree.nqdiscs; i++)
		if (g->qdiscs[i].parent == classid)
			return false;
	if (!ops->class_size)
		return false;
	if (ops->nclasses)
		return CONF_MINOR(classid) <= ops->nclasses(q);
	for (unsigned i = 0; i < g->tree.nclasses; i++) {
		if (g->classes[i].parent == classid)
			return false;
		leaf |= g->classes[i].handle == classid;
	}
	return leaf;
}

/* The class of node `above` where something that wants the n-th free one may hang; 0: none. */
static inline uint32_t grown_place(const struct grown *g, unsigned above, unsigned n)
{
	const struct conf_qdisc *q = grown_qdisc(g, CONF_HANDLE(above + 1, 0));
	uint32_t room[CONF_BANDS];
	unsigned nroom = 0;

	for (uint32_t minor = 1; q && minor <= CONF_BANDS; minor++)
		if (grown_free(g, q, q->handle | minor))
			room[nroom++] = q->handle | minor;
	return nroom ? room[n % nroom] : 0;
}

static inline enum conf_qdisc_kind gene_kind(const struct gene *gene)
{
	static const uint8_t again[] = { CONF_QDISC_PRIO, CONF_QDISC_HTB, CONF_QDISC_TBF,
					 CONF_QDISC_NETEM };
	unsigned kind = gene->kind % (CONF_QDISC_KINDS + sizeof(again));

	return kind < CONF_QDISC_KINDS ? kind : again[kind - CONF_QDISC_KINDS];
}

static inline void grow_node(struct grown *g, unsigned i, const struct gene *gene)
{
	struct conf_qdisc *q = &g->qdiscs[g->tree.nqdiscs];
	uint32_t parent = i ? 0 : CONF_ROOT;

	for (unsigned k = 0; k < i && !parent; k++)
		parent = grown_place(g, (gene->place + k) % i, gene->place / 32u);
	if (!parent)
		return;
	q->handle = CONF_HANDLE(i + 1, 0);
	q->parent = parent;
	q->kind = gene_kind(gene);
	grow_options(q, gene->o);
	g->tree.nqdiscs++;
	if (q->kind == CONF_QDISC_HTB)
		grow_classes(g, q, gene->o);
}

static inline void grow(struct grown *g, const struct gene genes[NODES])
{
	memset(g, 0, sizeof(*g));
	g->tree.qdiscs = g->qdiscs;
	g->tree.classes = g->classes;
	for (unsigned i = 0; i < NODES; i++)
		grow_node(g, i, &genes[i]);
}

#endif
