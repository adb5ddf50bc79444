/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows: the unit of decision. One lookup finds the record; the record says everything about its
 * packets.
 *
 * Memory. Records and the hash lie in one region (a memfd), addressed by index and offset, never by
 * pointer, so that the next process can go on with them. A record is a read-mostly part and two
 * halves, a cache line each: half d is written only by the worker that receives direction d, and
 * other workers may read it (values that only grow, or are replaced whole; a stale one is
 * harmless). What both may change is one state word, by compare-and-swap, rarely.
 *
 * Life. flow_new() gives a private record; the caller fills it and touches the original half;
 * flow_commit() makes both tuples findable at once, or hands back the record of another worker that
 * was faster (the loser adopts the winner's: one entry, no packet lost). The worker that made a
 * record owns its life: its wheel looks at the record when it may have expired, takes it out of the
 * hash, and frees it after a grace period. An assured flow is never evicted to make room.
 *
 * Time. Ticks of 250 ms since the table began, 32 bits, compared by difference: they may wrap (34
 * years), a timeout must be below 2^31 (17 years). A record is absent to lookups from the tick it
 * expires on; the wheel gives its memory back at most 16 s later.
 *
 * Readers of the hash are lock-free; inserts and removals take a lock per bucket group. A record
 * that was found stays valid until the reader's next quiescent report.
 *
 * Heirs. A process may be killed at any instruction, and the next one goes on with the region
 * (flow_table_adopt()). What was killed in the middle of a change is known by a word for each
 * worker, which says that one is under way; then all but the records is built anew from them: who
 * is committed and not dying stays, with all its packets have decided.
 */
#ifndef ROUTER_NET_FLOW_H
#define ROUTER_NET_FLOW_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "router/lib/clock.h"
#include "router/net/counters.h"

#define FLOW_NONE	 UINT32_MAX
#define FLOW_BURST	 64u
#define FLOW_TICK	 (NSEC_PER_SEC / 4)
#define FLOW_WORKERS_MAX 64u
#define FLOW_MAX	 (64u << 20)

/* Directions, and the index of a half. */
enum flow_dir { FLOW_ORIG, FLOW_REPLY };

/* What a packet looks like to the hash. Addresses as on the wire, IPv4 in the first four bytes, the
 * rest zero; ports in network order; ICMP: id in sport, type and code in dport as conntrack has
 * them; other protocols: 0. */
struct flow_key {
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint16_t zone;
	uint8_t proto;
	uint8_t family; /* AF_INET, AF_INET6 */
};
static_assert(sizeof(struct flow_key) == 40, "hashed as five words");

/* The state word: atomic operations only. */
#define FLOW_TCP_STATE	0x0000000fu /* enum tcp_state */
#define FLOW_REPLIED	0x00000010u /* a packet of the reply direction was seen */
#define FLOW_ASSURED	0x00000020u
#define FLOW_DYING	0x00000040u /* leaving: not to be adopted, not to be refreshed */
#define FLOW_DROP	0x00000080u /* the rules of now refuse its original direction */
#define FLOW_SNAT	0x00000100u
#define FLOW_DNAT	0x00000200u
#define FLOW_OFFER	0x00000400u /* TCP: a SYN that was let by has been answered */
#define FLOW_EVENTED	0x00000800u /* NEW was reported */
#define FLOW_COMMITTED	0x00001000u /* set by flow_commit() */
#define FLOW_DROP_REPLY 0x00002000u /* the rules of now refuse its reply direction */
#define FLOW_EACH	0x00004000u /* rules want to see each packet of the original direction */
#define FLOW_EACH_REPLY 0x00008000u
#define FLOW_MAPPED	0x00020000u /* a mapping let it in, and does not go before it */
#define FLOW_FORWARDED	0x00010000u /* a rule of nat.destination chose where it goes */
/* The interface each direction was judged by: seven bits of its index, the original's first. Two
 * that are 128 apart look the same. */
#define FLOW_IN	      0x01fc0000u
#define FLOW_IN_REPLY 0xfe000000u

/* Written by the worker that receives this direction; `turn` orders the halves within a tick. */
struct flow_half {
	alignas(64) uint64_t packets;
	uint64_t bytes;	  /* of L3 */
	uint32_t seen;	  /* tick of the last packet; at most one write a tick */
	uint32_t timeout; /* ticks, as this direction's last packet decided */
	uint32_t nexthop; /* slot, decided under fib_generation */
	uint32_t fib_generation;
	/* TCP, of what this direction sent (net/tcp.h) */
	uint32_t end, maxend, maxwin, maxack;
	uint8_t scale, tcp_flags, retrans;
	uint8_t turn;  /* which half decided last, when both were seen in one tick */
	uint32_t last; /* the last segment's fingerprint; of an offer, what else it said */
	union {
		uint32_t offer; /* original half: the end of a SYN that was let by */
		uint32_t link;	/* reply half: the list of the dead, of whoever killed the flow */
	};
	/* What rewriting this direction does to checksums (RFC 1624): l3 to the IPv4 header, l4 to
	 * the transport's. Set before the commit. */
	uint16_t l3_delta, l4_delta;
};
static_assert(sizeof(struct flow_half) == 64, "a cache line of its own");

/* The read-mostly part. Both tuples follow, packed: the original as the initiator sent it, the
 * reply as answers come in (inverted, after rewriting). flow_key() unpacks them. */
struct flow {
	uint32_t state;	    /* FLOW_* */
	uint16_t judged[2]; /* by direction: the generation of the rules it was judged under; 0:
			       not yet */
	uint32_t mark;	    /* of the connection */
	uint16_t zone;
	uint8_t proto, family;
	uint8_t owner;	     /* worker whose wheel it is in */
	bool counted;	     /* against its source's limit */
	uint8_t dscp[2];     /* by direction: to be written; FLOW_DSCP is set in it then */
	uint32_t next, prev; /* in the owner's wheel */
	uint32_t made;	     /* tick */
	uint16_t limit[2];   /* it counts against these; 0: none */
	uint16_t nat_rule;   /* that chose its source; FLOW_PERMIT in the top bit */
	uint16_t nat_slot;   /* outside address whose port it claims: slot + 1; 0: none */
};
#define FLOW_DSCP      0x40u
#define FLOW_IN_RAW    0x20u /* of a direction that is refused: before it is tracked */
#define FLOW_BY_POLICY 0x80u /* of a direction that is refused: no rule does, a policy */
#define FLOW_PERMIT    0x8000u
static_assert(sizeof(struct flow) == 40, "leaves 24 bytes of a cache line to two IPv4 tuples");

/* Tuples as they stand behind the record, the original's first. */
struct flow_tuple4 {
	uint32_t src, dst;
	uint16_t sport, dport;
};
struct flow_tuple6 {
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
};
static_assert(sizeof(struct flow) + 2 * sizeof(struct flow_tuple4) == 64, "one line");
static_assert(sizeof(struct flow) + 2 * sizeof(struct flow_tuple6) <= 128, "two lines");

/* [worker] Of an IPv4 record. */
static inline const struct flow_tuple4 *flow_tuple4(const struct flow *f, enum flow_dir dir)
{
	return (const struct flow_tuple4 *)(const void *)(f + 1) + dir;
}

#define FLOW_UNIT  64u	/* an index counts these */
#define FLOW_SIZE4 192u /* bytes: 64 and two halves */
#define FLOW_SIZE6 256u /* bytes: 128 and two halves */

struct flow_table_config {
	uint32_t max;		 /* records of both families together, up to FLOW_MAX */
	unsigned workers;	 /* 1 .. FLOW_WORKERS_MAX */
	uint64_t now;		 /* CLOCK_MONOTONIC, ns: tick 0 */
	uint8_t key[16];	 /* of SipHash: random at each boot */
	uint32_t per_source_max; /* of one original source (IPv6: its /64) and zone; 0: no limit */
	bool drop_new;		 /* full: refuse the new; else an unassured neighbour makes room */
};

/* In place of a worker: the control thread. */
#define FLOW_CONTROL FLOW_WORKERS_MAX

/* This process's view of the region. Fields are private but for inlines here. */
struct flow_table {
	uint8_t *record;
	struct flow_header *head;
	struct flow_worker *worker;
	struct flow_chunk *chunk;
	struct flow_bucket *bucket, *source;
	struct flow_group *group, *source_group;
	uint32_t *zone; /* live flows, by zone */
	void (*hash4)(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
		      unsigned n);
	void (*hash6)(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
		      unsigned n);
	uint64_t key[2];
	uint64_t mask, source_mask; /* buckets - 1 */
	uint64_t epoch;		    /* ns: tick 0 */
	uint32_t max, per_source_max;
	uint32_t since; /* tick before the first of this process */
	unsigned workers;
	bool drop_new;
	int fd;
	uint32_t trim_at; /* [control] where trimming goes on */
};

/* [control] 0 or -errno. Nothing may use the table when it is destroyed. */
int flow_table_create(const struct flow_table_config *c, struct flow_table **out);
void flow_table_destroy(struct flow_table *t);

/* [control] The memfd of the region: the table's own, to be passed on. */
int flow_table_fd(const struct flow_table *t);
/* [control] Goes on with the table of a process that has ended, however it ended, on this machine
 * since it booted. Its configuration is that of the region, but for the number of workers: flows of
 * workers that are no more become others'. 0, and the fd is the table's; or -errno with why, and
 * the fd is the caller's still: not a table, another version's, truncated.
 *
 * *dirty: it had to be built anew from its records, or it was true before, since what others keep
 * of flows is in doubt. Then what was dying, or not committed yet, is gone without flow_gone_fn,
 * and what others keep of flows must be counted anew (flow_walk()). */
int flow_table_adopt(int fd, unsigned workers, struct flow_table **out, bool *dirty, char *why,
		     size_t size);
/* [control] What the table was created with; `workers` are those of now. */
const struct flow_table_config *flow_table_config(const struct flow_table *t);

/* [that worker, or control as FLOW_CONTROL] Around what must not be found half done by an heir:
 * beyond the table's own functions, which do so themselves, what belongs to a flow elsewhere
 * (zones, NAT's ports). A private record is such a change in itself. They nest, and cost two
 * stores. */
void flow_change_begin(struct flow_table *t, unsigned worker);
void flow_change_end(struct flow_table *t, unsigned worker);

/* [worker] Live flows of a zone, which its caller counts: false, and not counted, if there are
 * `max` (0: no limit). Within a change, with what it is counted for. */
bool flow_zone_take(struct flow_table *t, uint16_t zone, uint32_t max);
void flow_zone_give(struct flow_table *t, uint16_t zone);
uint32_t flow_zone_live(const struct flow_table *t, uint16_t zone); /* [any] */

/* [any] Indexes are below it. */
uint64_t flow_table_units(const struct flow_table *t);

/* [any] `now` of CLOCK_MONOTONIC as a tick. */
static inline uint32_t flow_tick(const struct flow_table *t, uint64_t now)
{
	return (uint32_t)((now - t->epoch) / FLOW_TICK);
}

/* [worker] Index or FLOW_NONE, with *dir the direction whose tuple the key is. A record that has
 * expired by `tick`, or is dying, is not found. (Of TCP by what its latest packet decided. Of
 * others a packet of one direction may find what one of the other direction cut short.) */
uint32_t flow_lookup(const struct flow_table *t, const struct flow_key *k, uint32_t tick,
		     enum flow_dir *dir);
/* [worker] n <= FLOW_BURST, in stages with prefetch. */
void flow_lookup_burst(const struct flow_table *t, const struct flow_key *k, uint32_t tick,
		       uint32_t *index, uint8_t *dir, unsigned n);

static inline struct flow *flow_at(const struct flow_table *t, uint32_t index)
{
	return (struct flow *)(void *)(t->record + (size_t)index * FLOW_UNIT);
}

static inline struct flow_half *flow_half_of(struct flow *f, enum flow_dir dir)
{
	size_t tuples = f->family == AF_INET6 ? 128 : 64;

	return (struct flow_half *)(void *)((uint8_t *)f + tuples) + dir;
}

static inline struct flow_half *flow_half_at(const struct flow_table *t, uint32_t index,
					     enum flow_dir dir)
{
	return flow_half_of(flow_at(t, index), dir);
}

/* [any] Was it made by this process? What counts flows in memory that ends with a process counts
 * these, beginning and end. (Of the tick of adoption none: it cannot be told whose they are.) */
static inline bool flow_is_ours(const struct flow_table *t, const struct flow *f)
{
	return (int32_t)(f->made - t->since) > 0;
}

static inline uint32_t flow_state(const struct flow *f)
{
	return __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
}

/* An interface, as the state word has it. */
static inline uint32_t flow_in(enum flow_dir dir, uint16_t iface)
{
	return (uint32_t)(iface & 0x7f) << (18 + 7 * dir);
}

/* Did the packets of this direction that were judged come by this interface, too? */
static inline bool flow_came_by(uint32_t state, enum flow_dir dir, uint16_t iface)
{
	return !((state >> (18 + 7 * dir) ^ iface) & 0x7f);
}

/* [any worker] Sets bits; returns the state before: who sets one first learns it. */
static inline uint32_t flow_set(struct flow *f, uint32_t bits)
{
	return __atomic_fetch_or(&f->state, bits, __ATOMIC_ACQ_REL);
}

void flow_key(const struct flow_table *t, uint32_t index, enum flow_dir dir, struct flow_key *out);
void flow_key_reverse(const struct flow_key *k, struct flow_key *out); /* swaps source, target */

/* Why there is no record. */
enum flow_refusal { FLOW_OK, FLOW_FULL, FLOW_SOURCE_LIMIT, FLOW_CLASH };

/* [worker] A private record with these tuples (of one family, zone and protocol), or FLOW_NONE with
 * *why. To be touched before it is committed: its timeout is 0. */
uint32_t flow_new(struct flow_table *t, unsigned worker, const struct flow_key *orig,
		  const struct flow_key *reply, uint32_t tick, enum flow_refusal *why);
/* [worker] A tuple that flow_commit() will meet soon: its place comes into the cache. */
void flow_prefetch(const struct flow_table *t, const struct flow_key *k);
void flow_prefetch_burst(const struct flow_table *t, const struct flow_key *k, unsigned n);
/* [its worker] Another reply tuple for a private record: after FLOW_CLASH. */
void flow_set_reply(struct flow_table *t, uint32_t index, const struct flow_key *reply);
/* [its worker] Give a private one back. */
void flow_discard(struct flow_table *t, uint32_t index);
/* [its worker] Make it findable. Returns its index; or that of a record which another worker
 * committed for the same original tuple meanwhile, ours being discarded (look up which direction
 * that tuple is of it); or FLOW_NONE, ours being private still: FLOW_CLASH when only the reply
 * tuple is taken (NAT must choose another), FLOW_FULL when its place in the hash is crowded. */
uint32_t flow_commit(struct flow_table *t, uint32_t index, uint32_t tick, enum flow_refusal *why);

/* Has the peer decided since own did? True also if they did so at one time. */
static inline bool flow_overruled(const struct flow_half *own, const struct flow_half *peer)
{
	return (int8_t)(own->turn - __atomic_load_n(&peer->turn, __ATOMIC_RELAXED)) <= 0;
}

/* [worker that receives direction of `own`] A packet was seen. Writes last-seen once a tick; of TCP
 * (maxwin) again when the peer has decided meanwhile: the tracker has read its half anyway, and one
 * that says 30 s in the middle of a close must not have the last word. */
static inline void flow_touch(struct flow_half *own, const struct flow_half *peer, uint32_t tick,
			      uint32_t timeout, uint32_t len)
{
	__atomic_store_n(&own->packets, own->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&own->bytes, own->bytes + len, __ATOMIC_RELAXED);
	if (own->seen == tick && own->timeout == timeout &&
	    !(own->maxwin && flow_overruled(own, peer)))
		return;
	__atomic_store_n(&own->timeout, timeout, __ATOMIC_RELAXED);
	__atomic_store_n(&own->turn, __atomic_load_n(&peer->turn, __ATOMIC_RELAXED) + 1,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&own->seen, tick, __ATOMIC_RELAXED);
}

/* The same for what is not TCP, without a look at the other half, which may be far away: of two
 * that saw packets in one tick the longer timeout counts. */
static inline void flow_touch_alone(struct flow_half *own, uint32_t tick, uint32_t timeout,
				    uint32_t len)
{
	__atomic_store_n(&own->packets, own->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&own->bytes, own->bytes + len, __ATOMIC_RELAXED);
	if (own->seen == tick && own->timeout == timeout)
		return;
	__atomic_store_n(&own->timeout, timeout, __ATOMIC_RELAXED);
	__atomic_store_n(&own->seen, tick, __ATOMIC_RELAXED);
}

/* [any] Ticks until it expires: of the half that was seen last, what its packet decided. Of two
 * that decided at one time, on two workers: the longer, but while TCP opens or closes the shorter.
 */
uint32_t flow_left(const struct flow_table *t, uint32_t index, uint32_t tick);

/* [any] To go as soon as its owner looks: flush, or a rule that refuses it. The index comes from a
 * lookup since the last quiescent report, or (control) from a walk since the last grace period. */
void flow_kill(struct flow_table *t, uint32_t index);

/* [its worker] Up to n records that flow_expire() will bury next, for what belongs to them to be
 * prefetched. */
unsigned flow_due(struct flow_table *t, unsigned worker, uint32_t tick, uint32_t *index,
		  unsigned n);
/* [its worker] Every loop: looks at what is due, at most `budget` records (128 that expire take
 * some 30 us). What is gone is told to gone() (ports go back to NAT there; may be NULL), and freed
 * once `quiet` says that every worker has reported a quiescent state since. Returns how many were
 * looked at. */
typedef void flow_gone_fn(void *arg, struct flow_table *t, uint32_t index);
unsigned flow_expire(struct flow_table *t, unsigned worker, uint32_t tick, uint64_t quiet,
		     unsigned budget, flow_gone_fn *gone, void *arg);
/* [its worker] Records it owns that are not freed yet. */
uint64_t flow_owned(const struct flow_table *t, unsigned worker);
/* [control] The number to store in `quiet` once a grace period that began now has ended. */
uint64_t flow_grace_begin(struct flow_table *t);
/* [control] What `quiet` may be at the start: no reader is left of an earlier process. */
uint64_t flow_grace_ended(const struct flow_table *t);

/* [control] Gives memory that holds nothing back to Linux, at most `budget` pieces (of 4 to 48 KiB)
 * looked at; to be called every second or so. Returns how many pieces were given back. */
unsigned flow_table_trim(struct flow_table *t, unsigned budget);

/* [control] The next live record from *cursor on (0 at first), or FLOW_NONE. Stable while flows
 * come and go: what lives throughout is seen exactly once. */
uint32_t flow_walk(const struct flow_table *t, uint32_t *cursor);

struct flow_stats {
	uint32_t live, max;
	uint32_t ipv4, ipv6; /* records in use: live, and dead in their grace period */
	uint64_t made, gone, early_dropped, refused_full, refused_source, clashes, adopted;
	size_t bytes; /* resident by design: records in use and hash */
};
/* [control] */
void flow_table_stats(const struct flow_table *t, struct flow_stats *out);

#endif
