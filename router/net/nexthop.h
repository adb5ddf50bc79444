/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Next hops: what a FIB entry means.
 *
 * A FIB value is the number of a slot; the slot points to an immutable struct nh. To change a next
 * hop (its neighbour got a MAC address) is to put another struct into the slot: one store, seen by
 * every route. What was there is freed after a grace period. A neighbour and a gateway are the same
 * thing here: the adjacency (NH_ADJ) to one address on one interface.
 *
 * Writer: the control thread. Readers: workers, between two quiescent reports.
 */
#ifndef ROUTER_NET_NEXTHOP_H
#define ROUTER_NET_NEXTHOP_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/lib/addr.h"

enum nh_type {
	NH_ADJ,	  /* a neighbour: l2[] is the header to put in front, if `resolved` */
	NH_GLEAN, /* on link: the neighbour is the destination itself */
	NH_GROUP, /* several, chosen by flow */
	NH_LOCAL,
	NH_BROADCAST, /* of a connected subnet; NH_RESOLVED: where directed broadcasts go out */
	NH_BLACKHOLE,
	NH_UNREACHABLE,
	NH_PROHIBIT,
	NH_THROW,   /* no route, although a shorter prefix would match */
	NH_FOREIGN, /* an interface that is not ours */
	NH_DOWN,    /* an interface of ours that is down, or no usable member */
};
extern const char *const nh_type_names[];

enum nh_state { NH_UNRESOLVED, NH_RESOLVED, NH_FAILED };

#define NH_L2_MAX      18
#define NH_BUCKETS     1024 /* in a group, unless the weights of its members ask for more */
#define NH_BUCKETS_MAX 65535

struct nh {
	uint8_t type;  /* enum nh_type */
	uint8_t state; /* NH_ADJ, NH_BROADCAST: enum nh_state */
	uint8_t hlen;  /* bytes of l2 and the type behind it: 14, or 18 with a VLAN tag */
	uint8_t used;  /* set by workers when a packet took it, cleared by control: keep it fresh */
	uint16_t iface; /* NH_ADJ, NH_GLEAN: index of the interface */
	uint16_t port;
	uint16_t mtu; /* of the packet, header included */
	uint16_t nbuckets;
	uint16_t failures; /* NH_ADJ: how often Linux has given up on it */
	uint8_t l2[20];
	uint8_t hash;	 /* NH_GROUP: enum conf_hash */
	bool is_default; /* of a route to everywhere */
	bool has_reach;	 /* a struct nh_reach stands behind the buckets */
	union {
		struct addr addr; /* NH_ADJ: the neighbour */
		uint8_t *busy;	  /* NH_GROUP, resilient: a byte a bucket, set by workers when a
				     packet took it, cleared by control; else NULL */
	};
	uint32_t bucket[]; /* NH_GROUP: slots; nbuckets of them, a power of two or not */
};
static_assert(sizeof(struct nh) == 64, "a cache line");

/* The interfaces that a route uses, by bits, where n->iface does not say it all: of the best route
 * of its prefix, and of all of them. What is learned of a source this way is asked for seldom, so
 * it does not stand in struct nh. */
#define NH_REACH_WORDS (256 / 64)
struct nh_reach {
	uint64_t best[NH_REACH_WORDS], feasible[NH_REACH_WORDS];
};

static inline size_t nh_reach_at(const struct nh *n)
{
	return sizeof(*n) + (n->nbuckets + 1u) / 2 * 8;
}
static inline const struct nh_reach *nh_reach(const struct nh *n)
{
	return n->has_reach ? (const void *)((const uint8_t *)n + nh_reach_at(n)) : NULL;
}

#define NH_SLOTS (1u << 20) /* virtual; slot 0 is "no route" and never used */

/* The slot array. Entry 0 is NULL; a slot a reader may reach is never NULL. */
#define NEIGH_KNOWN 4096
struct nh_table {
	struct nh **slot;
	uint32_t generation; /* grows with every change of a route, a group or a neighbour's place:
				what was looked up before may be wrong since. Read before a lookup
				that is to be remembered. */
	/* Hashes of neighbours that were resolved once and that Linux has forgotten since: hosts,
	 * not somebody's guesses. A newer one takes an older one's place. */
	uint32_t known[NEIGH_KNOWN];
};

static inline struct nh *nh_get(const struct nh_table *t, uint32_t slot)
{
	return __atomic_load_n(&t->slot[slot], __ATOMIC_CONSUME);
}

/* Does it send a packet that came by the interface `in` out as a broadcast? Never back to where it
 * came from (RFC 1812 5.3.5.2). */
static inline bool nh_broadcasts(const struct nh *n, uint16_t in)
{
	return n->type == NH_BROADCAST && n->state == NH_RESOLVED && n->iface != in;
}

/* Is there an interface that it leads out of? */
static inline bool nh_leads_out(const struct nh *n)
{
	return n->type == NH_ADJ || n->type == NH_GLEAN ||
	       (n->type == NH_BROADCAST && n->state == NH_RESOLVED);
}

/* The member of a group for a flow hash. A byte that all workers read is written only when it must
 * be. */
static inline uint32_t nh_group_member(const struct nh *g, uint32_t hash)
{
	uint32_t b = (uint32_t)(((uint64_t)hash * g->nbuckets) >> 32);

	if (g->busy && !__atomic_load_n(&g->busy[b], __ATOMIC_RELAXED))
		__atomic_store_n(&g->busy[b], 1, __ATOMIC_RELAXED);
	return g->bucket[b];
}

/* How many buckets a group of n members with these weights should have: as few as divide as the
 * weights say, or come near. None of the weights is 0, and n is not. [any] */
unsigned nh_buckets(const uint32_t *weight, unsigned n);
/* What each of n members gets of so many buckets, into count[]. Who weighs anything at all gets one
 * at least, if there are enough. [any] */
void nh_deal(const uint32_t *weight, unsigned n, unsigned buckets, uint32_t *count);

/* Neighbours by (interface, address), for NH_GLEAN. Open addressing; grown by replacing the whole.
 */
struct neigh_table {
	uint32_t mask;
	uint32_t entry[]; /* slots of NH_ADJ; 0: free; NEIGH_GONE: was one */
};
#define NEIGH_GONE UINT32_MAX

uint32_t neigh_hash(uint16_t iface, const struct addr *a);

/* It was a neighbour. [control] Was it? [worker] */
static inline void neigh_note_known(struct nh_table *t, uint16_t iface, const struct addr *a)
{
	uint32_t h = neigh_hash(iface, a);

	__atomic_store_n(&t->known[h % NEIGH_KNOWN], h, __ATOMIC_RELAXED);
}

static inline bool neigh_was_known(const struct nh_table *t, uint16_t iface, const struct addr *a)
{
	uint32_t h = neigh_hash(iface, a);

	return h && __atomic_load_n(&t->known[h % NEIGH_KNOWN], __ATOMIC_RELAXED) == h;
}

/* The slot of the adjacency, or 0. [worker, control] */
uint32_t neigh_lookup(const struct neigh_table *t, const struct nh_table *nht, uint16_t iface,
		      const struct addr *a);

#endif
