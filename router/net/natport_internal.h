/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of outside ports share: the layout of the region, and the steps one file does for
 * another. Nobody else includes this but its unit tests.
 *
 * natport_choose.c  bits: choosing, claiming, blocking, reserving, releasing
 * natport_slab.c    chunks of records, given out and taken back; trimming
 * natport_map.c     mappings and permits: find, make, let go; the walk
 * natport_region.c  the region: create, adopt, destroy
 * natport_repair.c  what a process that was killed in the middle of something left
 * natport.c         the slots of outside addresses; what of them nobody asks for any more
 *
 * The region is a memfd, addressed by offset and index, so that the next process can go on with it.
 * In this order: header, slots, planes, shards, stripes, chunk descriptions, four bitmaps (the
 * first only if nobody lends one), inside heads, outside heads, records. All of it is sized for the
 * worst case and costs memory only where it is touched.
 *
 * Records are found through two hashes with chains: by what they are for (inside heads, a shard of
 * them under one lock), and mappings by their outside port as well (outside heads, in stripes). A
 * shard's lock covers its chains, the flow counts of its records, and their memory; a stripe's its
 * chains, and what happens to a port that is reserved. Claiming takes no lock: a bit is set by one
 * atomic operation.
 *
 * Lock order: shard, then stripe or pool. A record is in its outside chain only while it is in its
 * inside one, so what is found under a stripe's lock may be read while it is held, but for the flow
 * count; and who holds one of the mapping's flows may read it at any time.
 *
 * A process may be killed between any two instructions, and the next one goes on with what is there
 * then. So that records can be told from their remains, one is NATMAP_LIVE only while all of it is
 * written and its port claimed: set last and taken back first, each by one store. All else
 * (chains, counts, lists, the bits of flows) follows from the live records and the flows, and is
 * made anew from them by natports_repair(). Slots and reservations are read as they are: an
 * address is there from one store on.
 */
#ifndef ROUTER_NET_NATPORT_INTERNAL_H
#define ROUTER_NET_NATPORT_INTERNAL_H

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "router/lib/spinlock.h"
#include "router/net/natport.h"
#include "router/net/region.h"

#define NATPORT_MAGIC	0x7074616eu /* "natp" */
#define NATPORT_VERSION 2u

#define NATPORT_ALL_WORDS ((size_t)NATPORT_SLOTS * NATPORT_PLANES * NATPORT_WORDS)

/* ---- an outside port as a number of 26 bits: slot, plane, port */

#define NATPORT_ID_BITS 26u
#define NATPORT_ID	((1u << NATPORT_ID_BITS) - 1)
#define NATPORT_PLANE	(3u << 16) /* bits of an id */

static inline uint32_t natport_id(uint16_t slot, enum natport_plane plane, uint16_t port)
{
	return (uint32_t)slot << 18 | (uint32_t)plane << 16 | port;
}
static inline uint16_t id_slot(uint32_t id)
{
	return (uint16_t)((id & NATPORT_ID) >> 18);
}
static inline enum natport_plane id_plane(uint32_t id)
{
	return (enum natport_plane)(id >> 16 & 3);
}
static inline uint16_t id_port(uint32_t id)
{
	return (uint16_t)id;
}

/* Word and bit of a port in a bitmap. */
static inline size_t port_word(uint32_t id)
{
	return ((size_t)id_slot(id) * NATPORT_PLANES + id_plane(id)) * NATPORT_WORDS +
	       id_port(id) / 64;
}
static inline uint64_t port_bit(uint32_t id)
{
	return 1ull << id % 64;
}

/* ---- records, of one or two units */

/* `outside`: an id, and above it: */
#define NATMAP_FILTERING_SHIFT NATPORT_ID_BITS
#define NATMAP_IP6	       (1u << 28)
#define NATMAP_BIG	       (1u << 29) /* two units: IPv6, or with a scope */
#define NATMAP_PERMIT	       (1u << 30) /* not a mapping: `addr` may send to the mapping `outside` */
#define NATMAP_LIVE	       (1u << 31) /* all of it is valid; never of a free one */

struct natmap {
	uint32_t addr;	  /* of the inside, or permitted; IPv4 */
	uint32_t outside; /* of a free one: index of the next free one */
	uint32_t flows;
	uint16_t port, zone;	   /* of the inside */
	uint16_t in_low, out_low;  /* next in the chains: 24 bits, */
	uint8_t in_high, out_high; /* in two parts */
} __attribute__((packed, aligned(2)));

struct natmap_big {
	struct natmap base;
	uint8_t addr[16]; /* instead of base.addr */
	uint32_t scope;
	uint16_t pad;
} __attribute__((packed, aligned(2)));

#define NATMAP_UNIT 22u
static_assert(sizeof(struct natmap) == NATMAP_UNIT, "a million must fit in 26 MB with their hash");
static_assert(sizeof(struct natmap_big) == 2 * NATMAP_UNIT, "two units");

static inline uint32_t natmap_next_in(const struct natmap *m)
{
	return (uint32_t)m->in_high << 16 | m->in_low;
}
static inline void natmap_set_next_in(struct natmap *m, uint32_t index)
{
	m->in_low = (uint16_t)index;
	m->in_high = (uint8_t)(index >> 16);
}
static inline uint32_t natmap_next_out(const struct natmap *m)
{
	return (uint32_t)m->out_high << 16 | m->out_low;
}
static inline void natmap_set_next_out(struct natmap *m, uint32_t index)
{
	m->out_low = (uint16_t)index;
	m->out_high = (uint8_t)(index >> 16);
}

/* ---- chunks of records of one size, each of one shard. Number 0 is nobody's, as is index 0. */

#define NATMAP_CHUNK_UNITS 2048u
#define NATMAP_CHUNK_BYTES (NATMAP_CHUNK_UNITS * NATMAP_UNIT)
#define NATMAP_CHUNKS_MAX  ((1u << 24) / NATMAP_CHUNK_UNITS)
static_assert(NATMAP_CHUNK_BYTES % REGION_PAGE == 0, "whole pages can be given back");

struct natmap_chunk {
	uint32_t free;	     /* a record, others through its `outside`; 0: none */
	uint32_t next, prev; /* of the shard's chunks with room, or of the pool; 0: none */
	uint16_t used;	     /* records */
	uint16_t fresh;	     /* units from here on were never used; 0: nobody's */
	uint8_t big, listed; /* 0 or 1 */
	uint16_t pad;
};

struct natmap_pool {
	uint32_t lock;
	uint32_t dirty; /* they hold memory */
	uint32_t clean; /* they do not */
	uint32_t fresh; /* from here on: never used */
	uint32_t chunks;
};

/* ---- parts under a lock each */

#define NATPORT_SHARDS	  64u /* and as many stripes */
#define NATPORT_HEADS_MIN (NATPORT_SHARDS * REGION_PAGE / sizeof(uint32_t))

struct natmap_shard {
	alignas(64) uint32_t lock;
	uint32_t records;
	uint32_t room[2]; /* chunks with room: small, big */
	bool touched;	  /* its heads hold memory */
	uint64_t units;	  /* in use */
};

struct natport_stripe {
	alignas(64) uint32_t lock;
	uint32_t records;
	bool touched;
};

/* What the ports of a slot and plane count. `failed`: a range that had no free port, and `released`
 * as it was before the search, so that asking in vain again costs nothing. */
struct natport_state {
	alignas(64) uint64_t failed; /* released << 32 | first << 16 | last */
	uint64_t exhausted;
	uint32_t released;
};

/* ---- slots */

#define NATPORT_FIND 1024u /* cells of their hash: 4 a slot */

struct natport_slot {
	uint32_t word[sizeof(struct addr) / 4]; /* struct addr; read at any time */
	uint32_t holds;
};

/* Where things are: follows from `max` and whether a bitmap is lent. Of words only, so that two are
 * compared as bytes. */
struct natport_layout {
	uint32_t max, chunks;
	uint64_t bytes;
	uint64_t in_heads, out_heads;
	uint64_t slot_at, state_at, shard_at, stripe_at, chunk_at;
	uint64_t taken_at, blocked_at, reserved_at, held_at; /* taken_at 0: lent */
	uint64_t in_at, out_at, unit_at;
};

struct natport_header {
	uint32_t magic, version;
	struct natport_layout layout;
	uint8_t key[16];
	alignas(64) struct natmap_pool pool;
	alignas(64) uint32_t serial; /* odd while slots change */
	uint32_t changing;	     /* control is at what a kill would leave half done */
	uint16_t find[NATPORT_FIND]; /* slot + 1 by hash of its address; 0: none */
};

/* [control] */
struct natport_reservation {
	uint16_t slot, first, last;
	uint8_t plane;
};

/* This process's view of the region. */
struct natports {
	struct natport_header *head;
	struct natport_slot *slot;
	struct natport_state *state;
	struct natmap_shard *shard;
	struct natport_stripe *stripe;
	struct natmap_chunk *chunk;
	uint64_t *taken, *blocked; /* bitmaps; taken: by flows or reserved */
	uint64_t *reserved, *held; /* held: of the reserved, those a flow has as well */
	uint32_t *in, *out;	   /* heads */
	uint8_t *unit;
	uint8_t key[16];
	uint64_t mask; /* inside heads - 1 */
	unsigned out_shift;
	unsigned shard_shift, stripe_shift; /* a head's number >> this: its shard, its stripe */
	int fd;
	struct natport_reservation *reservation;
	unsigned nreservations;
	bool adopting;		      /* until natports_adopted(): */
	struct natport_slots orphans; /* held on behalf of the process before */
};

static inline struct natmap *natmap_at(const struct natports *n, uint32_t index)
{
	return (struct natmap *)(void *)(n->unit + (size_t)index * NATMAP_UNIT);
}

static inline struct natport_state *state_of(const struct natports *n, uint32_t id)
{
	return &n->state[(size_t)id_slot(id) * NATPORT_PLANES + id_plane(id)];
}

/* Neighbouring ids lie apart: multiplication by the golden ratio. */
static inline uint32_t *out_head(const struct natports *n, uint32_t id)
{
	return &n->out[(id & NATPORT_ID) * 0x9e3779b1u >> n->out_shift];
}
static inline struct natport_stripe *stripe_of(const struct natports *n, const uint32_t *head)
{
	return &n->stripe[(size_t)(head - n->out) >> n->stripe_shift];
}

static inline uint64_t word_read(const uint64_t *bitmap, size_t word)
{
	return __atomic_load_n(&bitmap[word], __ATOMIC_RELAXED);
}

/* Its heads are looked at, which gives them memory. Under their lock. */
static inline void natport_touch(bool *touched)
{
	if (!*touched)
		__atomic_store_n(touched, true, __ATOMIC_RELAXED);
}

/* What is written before this is there if what is written after it is, to whoever maps the region
 * after a kill: a thread is stopped between two instructions, so their order is all it takes. */
static inline void natport_step(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* [control] Around what a kill would leave half done. */
static inline void natport_change_begin(struct natports *n)
{
	__atomic_store_n(&n->head->changing, 1, __ATOMIC_RELAXED);
	natport_step();
}
static inline void natport_change_end(struct natports *n)
{
	natport_step();
	__atomic_store_n(&n->head->changing, 0, __ATOMIC_RELAXED);
}

static inline bool slot_is_used(const struct natport_slot *s)
{
	return __atomic_load_n(&s->word[0], __ATOMIC_ACQUIRE);
}

/* ---- natport_choose.c */
/* Under the stripe's lock: no flow has this port any more. */
void natport_drop(struct natports *n, uint32_t id);
/* [control] Reservations that were the former process's, and that nobody has repeated, end. */
void natport_reserved_sweep(struct natports *n, uint16_t slot, enum natport_plane plane);

/* ---- natport_slab.c: under the shard's lock */
uint32_t natmap_alloc(struct natports *n, struct natmap_shard *s, bool big); /* 0: none */
void natmap_free(struct natports *n, struct natmap_shard *s, uint32_t index);
void natmap_trim(struct natports *n); /* [control] no lock held */
/* [control] Pages of the region become zero and cost nothing. False: they are as they were. */
bool natport_give_back(const struct natports *n, const void *at, size_t bytes);

/* ---- natport.c: [control] */
/* After a kill: each slot has an address or none, and is found by it. Those that were held stay so
 * until natports_adopted(). */
void natport_slots_adopt(struct natports *n);

/* ---- for natport_repair.c alone, when nobody else is at the region */
/* natport_map.c: a live record joins the chains of its key, with no flow. NULL: its bytes are those
 * of no record, or of one that is there. *shard: the one it must belong to (NULL: any; is set). */
struct natmap *natmap_adopt(struct natports *n, uint32_t index, struct natmap_shard **shard);
struct natmap *natmap_by_outside(const struct natports *n, uint32_t id);
struct addr natmap_addr(const struct natmap *m);
/* Nobody has asked for it: out of its chains; its port is nobody's business here. */
void natmap_evict(struct natports *n, struct natmap *m);
/* natport_slab.c: all chunks as their live records say; then those without flows end. */
void natmap_chunks_adopt(struct natports *n);
void natmap_chunks_sweep(struct natports *n);

#endif
