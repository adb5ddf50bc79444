/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of virtual reassembly share. Nobody else includes this.
 *
 * frag_part.c   what one fragment says, by itself
 * frag_table.c  entries: found, made, given up, timed out; create and destroy
 * frag.c        what becomes of a fragment: coverage, waiting, the first one's fate
 */
#ifndef ROUTER_NET_FRAG_INTERNAL_H
#define ROUTER_NET_FRAG_INTERNAL_H

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>

#include "router/net/frag.h"

/* A datagram. Addresses as in struct flow_key; IPv6 ids are of 32 bits, and its fragments need not
 * agree in the protocol (RFC 8200 4.5), which is 0 here. */
struct frag_key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint16_t zone;
	uint8_t proto;
	uint8_t family;
};
static_assert(sizeof(struct frag_key) == 40, "hashed as five words");

/* What one fragment says. */
struct frag_part {
	struct frag_key key;
	uint32_t start, end; /* of its data in the datagram's; end <= 65535 unless it is bad */
	bool last;
	int bad; /* what condemns its datagram, an enum drop_reason; 0: nothing */
	uint8_t proto;
	uint16_t sport, dport; /* of the first fragment: start == 0 */
	uint32_t tcp_base;
};

/* What p says. False: its header chain has no single fragment header. */
bool frag_read(struct pkt *p, uint16_t zone, struct frag_part *out);

/* ---- the table */

#define FRAG_WAYS    16u  /* entries of a bucket */
#define FRAG_PIECES  128u /* fragments of a datagram: 64 KiB in packets of 576 bytes are 119 */
#define FRAG_WAITING 16u  /* of a datagram */
#define FRAG_LINGER  (250 * NSEC_PER_MSEC) /* of a complete one, for duplicates */

enum frag_state { FRAG_HEADLESS, FRAG_JUDGED, FRAG_OPEN, FRAG_DONE, FRAG_CONDEMNED };

/* Of a fragment's data in the datagram's, in bytes. */
struct frag_piece {
	uint16_t start, end;
};

struct frag_waiter {
	struct pkt p;
	uint32_t start;
};

struct datagram {
	struct frag_key key;
	struct frag_ports ports; /* from FRAG_JUDGED on */
	uint64_t until;
	uint32_t serial; /* another for each datagram that has this entry */
	uint32_t source; /* where its source is counted */
	uint32_t seen;	 /* bytes */
	uint16_t total;	 /* bytes; 0: the last fragment has not come */
	uint8_t state;	 /* enum frag_state */
	uint8_t why;	 /* FRAG_CONDEMNED: enum drop_reason of what comes */
	uint8_t npieces, nwaiting;
	struct frag_piece piece[FRAG_PIECES];	 /* by start */
	struct frag_waiter waiter[FRAG_WAITING]; /* by start, the last first: taken from the end */
};

/* A line: what a lookup that finds nothing has to read. */
struct frag_bucket {
	alignas(64) uint32_t lock;
	uint16_t used; /* a bit an entry; written under the lock */
	uint16_t tag[FRAG_WAYS];
};
static_assert(sizeof(struct frag_bucket) == 64, "a cache line");

struct frags {
	struct frags_config config;
	size_t bytes; /* of this allocation */
	uint32_t ways, nbuckets;
	uint32_t source_mask;
	struct frag_bucket *bucket;
	struct datagram *datagram; /* those of bucket b: from b * ways on */
	uint32_t *source;	   /* datagrams of a source */

	/* what workers share: atomic operations only */
	alignas(64) uint32_t datagrams, held;
	uint16_t next_id;
	uint32_t sweep; /* the part that is next */
	uint64_t sweep_at;
	struct {
		uint64_t known, waited, overlaps, tiny, too_many, too_many_of_source, timed_out;
	} count;
};

static inline void frag_unlock(struct frag_bucket *b)
{
	__atomic_store_n(&b->lock, 0, __ATOMIC_RELEASE);
}

static inline void frag_tally(uint64_t *count)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

/* One more of what is limited. False: there are that many. */
static inline bool frag_claim(uint32_t *count, uint32_t max)
{
	if (__atomic_fetch_add(count, 1, __ATOMIC_RELAXED) < max)
		return true;
	__atomic_fetch_sub(count, 1, __ATOMIC_RELAXED);
	return false;
}

static inline void frag_unclaim(uint32_t *count, uint32_t n)
{
	__atomic_fetch_sub(count, n, __ATOMIC_RELAXED);
}

static inline bool frag_is_complete(const struct datagram *d)
{
	return d->total && d->seen == d->total;
}

/* ---- frag_table.c. What takes a bucket wants it locked. [worker] */

/* The key's entry, or a new one, and its bucket, locked. NULL: too many; the bucket is locked too.
 */
struct datagram *frag_entry(struct frags *f, struct dp *dp, const struct frag_key *k,
			    struct frag_bucket **b);
/* The entry that ports speak of, its bucket locked; or NULL, nothing locked: it is gone. */
struct datagram *frag_entry_again(struct frags *f, const struct frag_ports *ports,
				  struct frag_bucket **b);
/* Give up the bucket's oldest headless datagram but this one. False: there is none. */
bool frag_give_up(struct frags *f, struct dp *dp, struct frag_bucket *b,
		  const struct datagram *but);
void frag_drop_waiting(struct frags *f, struct dp *dp, struct datagram *d, enum drop_reason why);
/* It is complete and its fate told: it counts no more. */
void frag_done(struct frags *f, struct dp *dp, struct datagram *d);

#endif
