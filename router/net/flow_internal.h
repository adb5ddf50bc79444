/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the flow table share: the layout of the region, and the steps one file does for
 * another. Nobody else includes this but its unit tests.
 *
 * flow_region.c   the memory of all: create, adopt, destroy
 * flow_repair.c   a table that was left in the middle of a change
 * flow_siphash.c  SipHash-1-3 of keys, one or a burst
 * flow_hash.c     buckets: find, insert, remove; the lookups
 * flow_slab.c     chunks of records, given out and taken back; trimming; the walk
 * flow_source.c   how many flows a source address has
 * flow_wheel.c    what is due, who is dead, what may be freed
 * flow.c          new, commit, discard; changes, zones, statistics
 *
 * The region, in this order: header, workers, chunk descriptions, zones, groups, buckets, source
 * groups and buckets, records. All of it is sized for `max`, and workers for as many as there may
 * be; it costs memory only where it is touched.
 *
 * What an heir finds. Of a thread that was killed, memory has all stores before the instruction it
 * was killed at and none after: as a signal handler sees it, so it is the compiler that must keep
 * the order. A change of structure is between `changing` going up and down; a kill, which anybody
 * may do, raises `killing` instead. All of them 0: the lists, counts and hash are whole, and no
 * lock is held. If not, the records are the truth: whose state says committed and not dying, in a
 * chunk that a worker has, below its `fresh`. So the state is the last that is written of a record
 * which is made, and its state and the chunk's `fresh` are written before the chunk's serial turns
 * odd.
 *
 * Locks: a bucket group's, two of them in ascending order; the pool's; a source group's. None is
 * held when another kind is taken.
 */
#ifndef ROUTER_NET_FLOW_INTERNAL_H
#define ROUTER_NET_FLOW_INTERNAL_H

#include <string.h>

#include "router/lib/spinlock.h"
#include "router/net/flow.h"
#include "router/net/region.h"
#include "router/net/tcp.h" /* its states */

#define FLOW_MAGIC   0x776f6c66u /* "flow" */
#define FLOW_VERSION 2u

/* ---- buckets: a cache line each, 64 a group, a group a page with one lock */

#define FLOW_SLOTS  7u
#define FLOW_GROUP  64u /* buckets */
#define FLOW_REACH  15u /* a full bucket spills into at most so many next ones of its group */
#define FLOW_NEARBY 8u	/* buckets searched for a record to drop */

/*
 * A slot is tag (31 bits), direction (1), index (32); 0 if empty. The head has a byte of hash for
 * each slot, so that one comparison of words finds the candidates, and in its top byte how many
 * next buckets hold what this one had no room for.
 */
struct flow_bucket {
	alignas(64) uint64_t slot[FLOW_SLOTS];
	uint64_t head;
};
static_assert(sizeof(struct flow_bucket) == 64, "a cache line");
static_assert(sizeof(struct flow_bucket) * FLOW_GROUP == REGION_PAGE,
	      "a group is trimmed as a page");

struct flow_group {
	uint32_t lock;
	uint16_t used;	  /* slots, written under the lock */
	uint16_t touched; /* its page holds memory */
};

/* ---- records: chunks of 48 KiB, of one family, of one worker */

#define FLOW_CHUNK_UNITS 768u
#define FLOW_CHUNK_BYTES (FLOW_CHUNK_UNITS * FLOW_UNIT)
#define FLOW_CHUNK4	 (FLOW_CHUNK_BYTES / FLOW_SIZE4)
#define FLOW_CHUNK6	 (FLOW_CHUNK_BYTES / FLOW_SIZE6)
static_assert(FLOW_CHUNK4 * FLOW_SIZE4 == FLOW_CHUNK6 * FLOW_SIZE6, "no remainder");
static_assert(FLOW_CHUNK_BYTES % REGION_PAGE == 0, "whole pages can be given back");

struct flow_chunk {
	uint32_t serial;     /* odd while a worker has it */
	uint32_t free;	     /* a record, others through its `next` */
	uint32_t next, prev; /* of the worker's chunks with room, or of the pool */
	uint16_t used;	     /* records */
	uint16_t fresh;	     /* records from here on were never used */
	uint8_t six;	     /* IPv6 */
	uint8_t listed;
	uint16_t pad;
};

/* Chunks that no worker has. */
struct flow_pool {
	uint32_t lock;
	uint32_t dirty; /* they hold memory */
	uint32_t clean; /* they do not */
	uint32_t fresh; /* from here on: never used */
	uint32_t chunks;
};

/* ---- workers */

#define FLOW_WHEEL 64u	       /* slots of a tick: everybody is looked at every 16 s */
#define FLOW_DUE   FLOW_WHEEL  /* one more list: of the tick under way */
#define FLOW_HEAD  0x80000000u /* in `prev`: the first of list (prev & ~FLOW_HEAD) */

struct flow_counts {
	uint64_t made, gone, early_dropped, refused_full, refused_source, clashes, adopted;
	uint64_t used[2]; /* records, by family */
};

struct flow_worker {
	alignas(64) uint32_t dead; /* whom anybody killed, through half.link; [any] by exchange */
	alignas(64) uint32_t tick; /* the wheel has done all before and begun this one */
	uint32_t changing;	   /* changes under way, one in another */
	uint32_t condemned;	   /* taken from `dead` */
	uint32_t retired, retired_last; /* through next, oldest first; prev: the grace period */
	uint32_t room[2];		/* chunks with room, by family */
	uint32_t list[FLOW_WHEEL + 1];
	alignas(64) struct flow_counts count;
};
static_assert(4ull * FLOW_MAX / FLOW_CHUNK6 * FLOW_CHUNK_UNITS < FLOW_HEAD, "not in an index");

#define FLOW_ZONES 65536u

/* What follows from the configuration, but for its number of workers: offsets in the region, and
 * how many there are. An heir lays it out again and compares. */
struct flow_layout {
	uint64_t bytes;
	uint64_t worker_at, chunk_at, zone_at, group_at, bucket_at;
	uint64_t source_group_at, source_at, record_at;
	uint64_t buckets, sources, chunks;
};

struct flow_header {
	uint32_t magic, version;
	struct flow_layout layout;
	struct flow_table_config config;
	alignas(64) uint32_t live; /* not dying, private or committed */
	uint32_t killing;	   /* flow_kill() under way, of anybody */
	alignas(64) uint64_t grace;
	uint32_t changing; /* of control */
	alignas(64) struct flow_pool pool;
};

/* ---- small things */

/* A slot more or less, under the group's lock. */
static inline void flow_group_add(struct flow_group *g, int n)
{
	__atomic_store_n(&g->used, (uint16_t)(g->used + n), __ATOMIC_RELAXED);
	__atomic_store_n(&g->touched, 1, __ATOMIC_RELAXED);
}

/* True if the half's packet, were it the last of the flow, says that the flow is over. */
static inline bool flow_half_over(const struct flow_half *h, uint32_t tick)
{
	uint32_t seen = __atomic_load_n(&h->seen, __ATOMIC_RELAXED);

	return (int32_t)(tick - seen) >= (int32_t)__atomic_load_n(&h->timeout, __ATOMIC_RELAXED);
}

/* Of two halves that decided at one time, unaware of each other: the one with the longer timeout.
 * In an established connection the short one may be that of bytes which the other half is just
 * acknowledging (requirement C5), and if they are lost instead, they are sent again and seen again.
 * While TCP opens or closes the long one may be of the state before, and what a reset ended would
 * be kept for days. */
static inline const struct flow_half *flow_of_two(const struct flow *f, const struct flow_half *o,
						  const struct flow_half *r)
{
	bool o_longer = __atomic_load_n(&o->timeout, __ATOMIC_RELAXED) >=
			__atomic_load_n(&r->timeout, __ATOMIC_RELAXED);
	uint32_t tcp = flow_state(f) & FLOW_TCP_STATE;
	bool longer = tcp == TCP_NONE || tcp == TCP_ESTABLISHED;

	return o_longer == longer ? o : r;
}

/* The half that was seen last. */
static inline const struct flow_half *flow_latest(struct flow *f)
{
	const struct flow_half *o = flow_half_of(f, FLOW_ORIG), *r = flow_half_of(f, FLOW_REPLY);
	uint32_t o_seen = __atomic_load_n(&o->seen, __ATOMIC_RELAXED);
	uint32_t r_seen = __atomic_load_n(&r->seen, __ATOMIC_RELAXED);
	uint8_t turns;

	if (o_seen != r_seen)
		return (int32_t)(o_seen - r_seen) > 0 ? o : r;
	turns = __atomic_load_n(&r->turn, __ATOMIC_RELAXED) -
		__atomic_load_n(&o->turn, __ATOMIC_RELAXED);
	if (!turns)
		return flow_of_two(f, o, r);
	return (int8_t)turns > 0 ? r : o;
}

static inline bool flow_over(struct flow *f, uint32_t tick)
{
	return flow_half_over(flow_latest(f), tick);
}

static inline bool flow_is6(const struct flow *f)
{
	return f->family == AF_INET6;
}

/* ---- flow_region.c */
/* A worker without flows, whose wheel begins at this tick. */
void flow_worker_init(struct flow_worker *w, uint32_t tick);

/* ---- flow_repair.c */
/* No thread runs. Whatever the records say, the table is whole afterwards, with so many workers. 0
 * or -errno. It may be killed, too, and begun again. */
int flow_repair(struct flow_table *t, unsigned workers);

/* ---- flow_siphash.c */
uint64_t flow_hash(const struct flow_table *t, const struct flow_key *k);
void flow_hash_burst(const struct flow_table *t, const struct flow_key *k, uint64_t *out,
		     unsigned n);
uint64_t flow_hash_source(const struct flow_table *t, const struct flow_key *k);
void flow_hash_choose(struct flow_table *t);

/* ---- flow_hash.c */
void flow_key_pack(struct flow *f, enum flow_dir dir, const struct flow_key *k);
/* Both tuples become findable: FLOW_OK. Else *other has the original tuple already: FLOW_CLASH; or
 * it is FLOW_NONE and the reply tuple is taken: FLOW_CLASH; or there is no room: FLOW_FULL. */
enum flow_refusal flow_hash_insert(struct flow_table *t, uint32_t index, uint32_t tick,
				   uint32_t *other);
void flow_hash_remove(struct flow_table *t, uint32_t index);
/* Of a committed record, into a hash that is being built anew, with both tuples and their hashes.
 * False: either tuple is there already, or there is no room. */
bool flow_hash_restore(struct flow_table *t, uint32_t index, const struct flow_key *orig,
		       const struct flow_key *reply, uint64_t ho, uint64_t hr);
/* Its bucket and group, which will be written. */
void flow_hash_prefetch(const struct flow_table *t, uint64_t hash);
/* A committed record near the key's bucket that is not assured, or has expired; or FLOW_NONE. */
uint32_t flow_hash_victim(const struct flow_table *t, const struct flow_key *k, uint32_t tick);

/* ---- flow_slab.c */
uint32_t flow_slab_get(struct flow_table *t, unsigned worker, bool six);
void flow_slab_put(struct flow_table *t, unsigned worker, uint32_t index);
/* How many records of chunk `no` were ever used since a worker has it; 0 if none has. */
unsigned flow_slab_used(const struct flow_table *t, uint32_t no);
/* All chunks that are not restored after it are fresh. */
void flow_slab_reset(struct flow_table *t);
/* In ascending order: the chunk, of whose records those with a state live, becomes this worker's;
 * or nobody's if none lives. */
void flow_slab_restore(struct flow_table *t, uint32_t no, unsigned worker, unsigned live);
unsigned flow_slab_units(bool six); /* of a record */

/* ---- flow_source.c */
/* False: at its limit. *counted: whether flow_source_drop() is due. */
bool flow_source_add(struct flow_table *t, const struct flow_key *orig, bool *counted);
void flow_source_drop(struct flow_table *t, const struct flow_key *orig);

/* ---- flow_wheel.c */
void flow_wheel_add(struct flow_table *t, uint32_t index, uint32_t tick);
/* [any] Condemn a committed record. False: somebody did already. Its place among the live is the
 * caller's to give away. */
bool flow_condemn(struct flow_table *t, uint32_t index);
/* [any] Who condemned it tells its owner, unless it is the owner. */
void flow_mourn(struct flow_table *t, uint32_t index);

#endif
