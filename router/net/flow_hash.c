/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hash: from a tuple to its record, two slots a record.
 *
 * A record never moves between slots, so a reader that goes through a bucket sees all that was
 * there throughout. Writers hold the lock of the group, which also makes a live tuple unique:
 * whoever inserts one holds the lock of its home. A new slot is stored before the head's byte that
 * leads to it; a slot that is emptied or used again under a reader fails the comparison of its tag,
 * or of the tuple in the record: records found here outlive the reader's burst.
 *
 * The tag has the lowest bits of the hash, which say where in the group an entry is at home: a
 * bucket's reach can be taken back when what it had spilled is gone.
 *
 * A record is findable from when it is marked as committed, once both its slots are there, under
 * the locks: only then can others condemn it. The condemned and the expired stay in the hash until
 * their owner comes by. A lookup skips them, an insert lives beside them.
 */
#include <netinet/in.h>

#include "router/net/flow_internal.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

#define REACH_SHIFT 56
#define ONES	    0x0101010101010101ull

/* ---- keys */

static ALWAYS_INLINE uint8_t *tuple_at(struct flow *f, enum flow_dir dir, bool six)
{
	size_t size = six ? sizeof(struct flow_tuple6) : sizeof(struct flow_tuple4);

	return (uint8_t *)(f + 1) + size * (dir == FLOW_REPLY);
}

void flow_key_pack(struct flow *f, enum flow_dir dir, const struct flow_key *k)
{
	bool six = flow_is6(f);
	size_t addr = six ? 16 : 4;
	uint8_t *at = tuple_at(f, dir, six);

	memcpy(at, k->src, addr);
	memcpy(at + addr, k->dst, addr);
	memcpy(at + 2 * addr, &k->sport, 4);
}

void flow_key(const struct flow_table *t, uint32_t index, enum flow_dir dir, struct flow_key *out)
{
	struct flow *f = flow_at(t, index);
	bool six = flow_is6(f);
	size_t addr = six ? 16 : 4;
	const uint8_t *at = tuple_at(f, dir, six);

	memset(out, 0, sizeof(*out));
	memcpy(out->src, at, addr);
	memcpy(out->dst, at + addr, addr);
	memcpy(&out->sport, at + 2 * addr, 4);
	out->zone = f->zone;
	out->proto = f->proto;
	out->family = f->family;
}

void flow_key_reverse(const struct flow_key *k, struct flow_key *out)
{
	struct flow_key r = *k;

	memcpy(r.src, k->dst, sizeof(r.src));
	memcpy(r.dst, k->src, sizeof(r.dst));
	r.sport = k->dport;
	r.dport = k->sport;
	*out = r;
}

/* Zone, protocol and family stand in the same order in both. */
static_assert(offsetof(struct flow_key, family) - offsetof(struct flow_key, zone) ==
		      offsetof(struct flow, family) - offsetof(struct flow, zone),
	      "compared as one word");

static ALWAYS_INLINE uint64_t differ64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

static ALWAYS_INLINE uint32_t differ32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/* One branch for all of it: nearly always it is the same. */
static ALWAYS_INLINE bool has_key(struct flow *f, enum flow_dir dir, const struct flow_key *k)
{
	bool six = k->family == AF_INET6;
	const uint8_t *at = tuple_at(f, dir, six);
	uint64_t differ = differ32(&f->zone, &k->zone);

	if (!six)
		return !(differ | differ32(at, k->src) | differ32(at + 4, k->dst) |
			 differ32(at + 8, &k->sport));
	return !(differ | differ64(at, k->src) | differ64(at + 8, k->src + 8) |
		 differ64(at + 16, k->dst) | differ64(at + 24, k->dst + 8) |
		 differ32(at + 32, &k->sport));
}

/* Timeouts of TCP depend on what either direction did, those of others on this direction alone
 * (unless they were configured anew), and its half is the one the packet needs anyway. */
static ALWAYS_INLINE bool is_alive(struct flow *f, enum flow_dir dir, uint32_t tick)
{
	if ((flow_state(f) & (FLOW_COMMITTED | FLOW_DYING)) != FLOW_COMMITTED)
		return false;
	if (f->proto != IPPROTO_TCP && !flow_half_over(flow_half_of(f, dir), tick))
		return true;
	return !flow_over(f, tick);
}

/* ---- buckets */

static ALWAYS_INLINE uint64_t tag_of(uint64_t hash)
{
	return hash >> 39 << 6 | (hash & (FLOW_GROUP - 1));
}

/* Never 0, which is what empty slots have. */
static ALWAYS_INLINE uint64_t byte_of(uint64_t hash)
{
	uint64_t byte = hash >> 31 & 0xff;

	return byte + !byte;
}

static ALWAYS_INLINE uint64_t entry_of(uint64_t hash, enum flow_dir dir, uint32_t index)
{
	return tag_of(hash) << 33 | (uint64_t)dir << 32 | index;
}

static ALWAYS_INLINE enum flow_dir entry_dir(uint64_t entry)
{
	return (enum flow_dir)(entry >> 32 & 1);
}

/* Bucket `step` places on from `home` in its group. */
static ALWAYS_INLINE struct flow_bucket *bucket_on(const struct flow_table *t, uint64_t home,
						   unsigned step)
{
	uint64_t in = (home + step) & (FLOW_GROUP - 1);

	return &t->bucket[(home & ~(uint64_t)(FLOW_GROUP - 1)) | in];
}

static ALWAYS_INLINE uint64_t head_of(const struct flow_bucket *b)
{
	return __atomic_load_n(&b->head, __ATOMIC_ACQUIRE);
}

static ALWAYS_INLINE uint64_t slot_of(const struct flow_bucket *b, unsigned s)
{
	return __atomic_load_n(&b->slot[s], __ATOMIC_ACQUIRE);
}

/* The top bit of each byte of the head that equals this one. A borrow may set bits above the lowest
 * of them wrongly, never miss one; the byte of the reach is masked out. */
static ALWAYS_INLINE uint64_t candidates(uint64_t head, uint64_t byte)
{
	uint64_t differ = head ^ byte * ONES;

	return (differ - ONES) & ~differ & ONES << 7 & ((1ull << REACH_SHIFT) - 1);
}

/* The live entry of this key; or 0. [any reader] With `kill` (a writer, under the lock) what has
 * expired under this key is killed, lest a packet that found it in time revive it beside another.
 * With `any` it need not be alive. */
static ALWAYS_INLINE uint64_t search(const struct flow_table *t, const struct flow_key *k,
				     uint64_t hash, uint32_t tick, struct flow_table *kill,
				     bool any)
{
	uint64_t home = hash & t->mask, tag = tag_of(hash), byte = byte_of(hash);
	unsigned reach = 0;

	for (unsigned step = 0; step <= reach; step++) {
		const struct flow_bucket *b = bucket_on(t, home, step);
		uint64_t head = head_of(b);

		if (!step)
			reach = head >> REACH_SHIFT;
		for (uint64_t m = candidates(head, byte); m; m &= m - 1) {
			uint64_t entry = slot_of(b, (unsigned)__builtin_ctzll(m) / 8);
			struct flow *f = flow_at(t, (uint32_t)entry);

			if (entry >> 33 != tag || !has_key(f, entry_dir(entry), k))
				continue;
			if (any || is_alive(f, entry_dir(entry), tick))
				return entry;
			if (kill)
				flow_kill(kill, (uint32_t)entry);
		}
	}
	return 0;
}

static uint64_t find(const struct flow_table *t, const struct flow_key *k, uint64_t hash,
		     uint32_t tick)
{
	return search(t, k, hash, tick, NULL, false);
}

uint32_t flow_lookup(const struct flow_table *t, const struct flow_key *k, uint32_t tick,
		     enum flow_dir *dir)
{
	uint64_t entry = find(t, k, flow_hash(t, k), tick);

	if (!entry)
		return FLOW_NONE;
	*dir = entry_dir(entry);
	return (uint32_t)entry;
}

/* What the stages of a burst hand on. */
struct wave {
	uint64_t hash[FLOW_BURST];
	uint64_t entry[FLOW_BURST]; /* the first candidate; 0: none */
};

/* The first candidate of the home bucket with the right tag. Without one, the record loaded ahead
 * is that of index 0, which is nobody's. */
static ALWAYS_INLINE uint64_t first_candidate(const struct flow_table *t, uint64_t hash)
{
	const struct flow_bucket *b = &t->bucket[hash & t->mask];
	uint64_t m = candidates(head_of(b), byte_of(hash));
	unsigned s = (unsigned)__builtin_ctzll(m | 1ull << 55) / 8;
	uint64_t entry = slot_of(b, s);

	return entry & -(uint64_t)(entry >> 33 == tag_of(hash));
}

void flow_lookup_burst(const struct flow_table *t, const struct flow_key *k, uint32_t tick,
		       uint32_t *index, uint8_t *dir, unsigned n)
{
	struct wave w;

	flow_hash_burst(t, k, w.hash, n);
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&t->bucket[w.hash[i] & t->mask]);
	for (unsigned i = 0; i < n; i++) {
		uint64_t entry = first_candidate(t, w.hash[i]);
		const uint8_t *f = (const uint8_t *)flow_at(t, (uint32_t)entry);

		__builtin_prefetch(f);
		__builtin_prefetch(f + (k[i].family == AF_INET6 ? 128 : 64) +
				   sizeof(struct flow_half) * entry_dir(entry));
		if (k[i].proto == IPPROTO_TCP)
			__builtin_prefetch(f + (k[i].family == AF_INET6 ? 128 : 64) +
					   sizeof(struct flow_half) * !entry_dir(entry));
		w.entry[i] = entry;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t entry = w.entry[i];
		struct flow *f = flow_at(t, (uint32_t)entry);

		if (__builtin_expect(!entry || !has_key(f, entry_dir(entry), &k[i]) ||
					     !is_alive(f, entry_dir(entry), tick),
				     0))
			entry = find(t, &k[i], w.hash[i], tick);
		index[i] = entry ? (uint32_t)entry : FLOW_NONE;
		dir[i] = entry_dir(entry);
	}
}

/* ---- writers */

static void store_head(struct flow_bucket *b, unsigned s, uint64_t byte)
{
	uint64_t head = b->head & ~(0xffull << 8 * s);

	__atomic_store_n(&b->head, head | byte << 8 * s, __ATOMIC_RELEASE);
}

static void store_reach(struct flow_bucket *b, unsigned reach)
{
	uint64_t rest = b->head & ((1ull << REACH_SHIFT) - 1);

	__atomic_store_n(&b->head, rest | (uint64_t)reach << REACH_SHIFT, __ATOMIC_RELEASE);
}

static struct flow_group *group_of(const struct flow_table *t, uint64_t hash)
{
	return &t->group[(hash & t->mask) / FLOW_GROUP];
}

/* Under the group's lock. False: no room. */
static bool put_entry(struct flow_table *t, uint64_t hash, uint64_t entry)
{
	uint64_t home = hash & t->mask;
	struct flow_bucket *first = &t->bucket[home];

	for (unsigned step = 0; step <= FLOW_REACH; step++) {
		struct flow_bucket *b = bucket_on(t, home, step);

		for (unsigned s = 0; s < FLOW_SLOTS; s++) {
			if (b->slot[s])
				continue;
			__atomic_store_n(&b->slot[s], entry, __ATOMIC_RELEASE);
			store_head(b, s, byte_of(hash));
			if (step > first->head >> REACH_SHIFT)
				store_reach(first, step);
			flow_group_add(group_of(t, hash), 1);
			return true;
		}
	}
	return false;
}

/* How far what is at home in this bucket has spilled. Under the group's lock. */
static unsigned reach_now(const struct flow_table *t, uint64_t home)
{
	unsigned reach = t->bucket[home].head >> REACH_SHIFT;

	for (; reach; reach--) {
		const struct flow_bucket *b = bucket_on(t, home, reach);

		for (unsigned s = 0; s < FLOW_SLOTS; s++)
			if (b->slot[s] &&
			    (b->slot[s] >> 33 & (FLOW_GROUP - 1)) == (home & (FLOW_GROUP - 1)))
				return reach;
	}
	return 0;
}

/* Under the group's lock. */
static void drop_entry(struct flow_table *t, uint64_t hash, uint64_t entry)
{
	uint64_t home = hash & t->mask;
	unsigned reach = t->bucket[home].head >> REACH_SHIFT;

	for (unsigned step = 0; step <= reach; step++) {
		struct flow_bucket *b = bucket_on(t, home, step);

		for (unsigned s = 0; s < FLOW_SLOTS; s++) {
			if (b->slot[s] != entry)
				continue;
			store_head(b, s, 0);
			__atomic_store_n(&b->slot[s], 0, __ATOMIC_RELEASE);
			flow_group_add(group_of(t, hash), -1);
			if (step)
				store_reach(&t->bucket[home], reach_now(t, home));
			return;
		}
	}
}

/* Both groups of a record, in order. */
static void lock_both(struct flow_table *t, uint64_t a, uint64_t b)
{
	struct flow_group *low = group_of(t, a), *high = group_of(t, b);

	if (low > high) {
		low = group_of(t, b);
		high = group_of(t, a);
	}
	spin_lock(&low->lock);
	if (high != low)
		spin_lock(&high->lock);
}

static void unlock_both(struct flow_table *t, uint64_t a, uint64_t b)
{
	struct flow_group *one = group_of(t, a), *two = group_of(t, b);

	spin_unlock(&one->lock);
	if (one != two)
		spin_unlock(&two->lock);
}

void flow_hash_prefetch(const struct flow_table *t, uint64_t hash)
{
	__builtin_prefetch(&t->bucket[hash & t->mask], 1);
	__builtin_prefetch(group_of(t, hash), 1);
}

void flow_prefetch(const struct flow_table *t, const struct flow_key *k)
{
	flow_hash_prefetch(t, flow_hash(t, k));
}

void flow_prefetch_burst(const struct flow_table *t, const struct flow_key *k, unsigned n)
{
	uint64_t hash[FLOW_BURST];

	flow_hash_burst(t, k, hash, n);
	for (unsigned i = 0; i < n; i++)
		flow_hash_prefetch(t, hash[i]);
}

/* Both tuples of a record, in places of their own. Under the groups' locks. */
static bool put_both(struct flow_table *t, uint32_t index, uint64_t ho, uint64_t hr)
{
	if (!put_entry(t, ho, entry_of(ho, FLOW_ORIG, index)))
		return false;
	if (put_entry(t, hr, entry_of(hr, FLOW_REPLY, index)))
		return true;
	drop_entry(t, ho, entry_of(ho, FLOW_ORIG, index));
	return false;
}

enum flow_refusal flow_hash_insert(struct flow_table *t, uint32_t index, uint32_t tick,
				   uint32_t *other)
{
	enum flow_refusal why = FLOW_CLASH;
	struct flow_key orig, reply;
	uint64_t ho, hr, entry;

	flow_key(t, index, FLOW_ORIG, &orig);
	flow_key(t, index, FLOW_REPLY, &reply);
	ho = flow_hash(t, &orig);
	hr = flow_hash(t, &reply);
	*other = FLOW_NONE;
	lock_both(t, ho, hr);
	entry = search(t, &orig, ho, tick, t, false);
	if (entry) {
		*other = (uint32_t)entry;
	} else if (!search(t, &reply, hr, tick, t, false)) {
		why = put_both(t, index, ho, hr) ? FLOW_OK : FLOW_FULL;
	}
	if (why == FLOW_OK)
		flow_set(flow_at(t, index), FLOW_COMMITTED);
	unlock_both(t, ho, hr);
	return why;
}

bool flow_hash_restore(struct flow_table *t, uint32_t index, const struct flow_key *orig,
		       const struct flow_key *reply, uint64_t ho, uint64_t hr)
{
	return !search(t, orig, ho, 0, NULL, true) && !search(t, reply, hr, 0, NULL, true) &&
	       put_both(t, index, ho, hr);
}

void flow_hash_remove(struct flow_table *t, uint32_t index)
{
	struct flow_key orig, reply;
	uint64_t ho, hr;

	flow_key(t, index, FLOW_ORIG, &orig);
	flow_key(t, index, FLOW_REPLY, &reply);
	ho = flow_hash(t, &orig);
	hr = flow_hash(t, &reply);
	lock_both(t, ho, hr);
	drop_entry(t, ho, entry_of(ho, FLOW_ORIG, index));
	drop_entry(t, hr, entry_of(hr, FLOW_REPLY, index));
	unlock_both(t, ho, hr);
}

uint32_t flow_hash_victim(const struct flow_table *t, const struct flow_key *k, uint32_t tick)
{
	uint64_t home = flow_hash(t, k) & t->mask;

	for (unsigned i = 0; i < FLOW_NEARBY * FLOW_SLOTS; i++) {
		uint64_t entry = slot_of(bucket_on(t, home, i / FLOW_SLOTS), i % FLOW_SLOTS);
		uint32_t index = (uint32_t)entry, state;

		if (!entry)
			continue;
		state = flow_state(flow_at(t, index));
		if ((state & (FLOW_COMMITTED | FLOW_DYING)) == FLOW_COMMITTED &&
		    (!(state & FLOW_ASSURED) || flow_over(flow_at(t, index), tick)))
			return index;
	}
	return FLOW_NONE;
}
