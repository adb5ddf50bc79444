/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of netem: chance, loss, distributions, and the queue by time. For netem.c only. */
#ifndef ROUTER_NET_QDISC_NETEM_H
#define ROUTER_NET_QDISC_NETEM_H

#include "router/net/qdisc/qdisc.h"

/* ---- chance [owner] */

/* SplitMix64 (Steele, Lea, Flood 2014): any seed will do, and the same one gives the same sequence.
 */
struct netem_random {
	uint64_t state;
};

static inline uint64_t netem_random64(struct netem_random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint32_t netem_roll(struct netem_random *r)
{
	return (uint32_t)(netem_random64(r) >> 32);
}

/* Is a roll below such a probability? All of them are below 100 %. */
static inline bool netem_below(uint64_t roll, uint32_t probability)
{
	return probability && roll <= probability;
}

/* A series of rolls of which each may depend on the one before: with probability `correlation` it
 * is the same again. So correlation(k apart) is correlation^k, and yet every single roll is as
 * evenly spread as an independent one: half of a correlated loss of 1 % is not lost on the way, as
 * it is with Linux's weighted mean of rolls. */
struct netem_series {
	uint32_t last;
	bool begun;
};

static inline uint32_t netem_next(struct netem_series *s, uint32_t correlation,
				  struct netem_random *r)
{
	if (correlation && s->begun && netem_below(netem_roll(r), correlation))
		return s->last;
	s->begun = true;
	s->last = netem_roll(r);
	return s->last;
}

/* ---- loss: netem_loss.c */

struct netem_loss {
	struct netem_series series;
	unsigned state; /* of the Markov chain; 0: its first */
};

/* Is the next packet lost? [owner] */
bool netem_lose(struct netem_loss *l, const struct conf_netem *c, struct netem_random *r);

/* ---- distributions: netem_dist.c */

#define NETEM_DIST_SIZE	 16384
#define NETEM_DIST_SCALE 8192 /* one standard deviation */

/* Quantiles of mean 0 and standard deviation 1, made when they are first asked for; NULL: uniform.
 * [control] */
const int32_t *netem_dist(enum conf_distribution kind);

/* ns: mu, and so far off as the roll says. Uniform: at most sigma. [owner] */
int64_t netem_dist_delay(const int32_t *dist, int64_t mu, int64_t sigma, uint32_t roll);

/* ---- packets by the time they are due: netem_queue.c */

#define NETEM_BUCKETS 64

struct netem_queue {
	struct pktq line; /* in order already */
	uint64_t last;	  /* no bucket has an earlier packet */
	uint64_t used;	  /* a bit for each bucket with packets */
	struct {
		struct pktq list;
		uint64_t first; /* the earliest time in it */
	} bucket[NETEM_BUCKETS];
};

/* Packets due at the same time come out as they went in. p->due is no earlier than that of any
 * packet taken so far. [owner] */
void netem_queue_push(struct netem_queue *l, struct qpkt *p);
/* The next packet's time; QDISC_NEVER: none. [owner] */
uint64_t netem_queue_due(const struct netem_queue *l);
struct qpkt *netem_queue_pop(struct netem_queue *l); /* [owner] */

#endif
