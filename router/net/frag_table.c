/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of datagrams under way.
 *
 * Buckets of up to 16 entries, found by a keyed hash, each with a lock: all that happens to a
 * datagram happens under the lock of its bucket, and no other is taken meanwhile but that of the
 * packet memory, when frames are freed. Nobody outside can aim at a bucket, so a full one means
 * that the table is about full.
 *
 * Then a new datagram takes the place of the oldest that is done, else of the oldest headless one,
 * else of the oldest condemned one. Those whose first fragment went on are never given up. So what
 * a flood of fragments without their first can do is to make others' datagrams that come out of
 * order lose their place, not those that come in order; and a source has no more than its share.
 */
#include "router/net/frag_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "router/lib/spinlock.h"
#include "router/net/siphash.h"

#define SWEEP	 64u /* parts of the table, one for each frag_expire() */
#define CROWDING 4u  /* words for sources, by datagram: few share one */

/* ---- entries */

static uint64_t hash(const struct frags *f, const uint64_t *word, unsigned words)
{
	return siphash_words(f->config.key, word, words);
}

static uint64_t hash_key(const struct frags *f, const struct frag_key *k)
{
	uint64_t word[sizeof(*k) / 8];

	memcpy(word, k, sizeof(*k));
	return hash(f, word, sizeof(*k) / 8);
}

/* Where the source is counted. Two that share a word share their limit. */
static uint32_t source_of(const struct frags *f, const struct frag_key *k)
{
	uint64_t word[2] = { 0, (uint64_t)k->family << 16 | k->zone };

	memcpy(&word[0], k->src, 8); /* an IPv6 /64 */
	return (uint32_t)hash(f, word, 2) & f->source_mask;
}

static struct frag_bucket *bucket_of(const struct frags *f, uint64_t h)
{
	return &f->bucket[(h >> 32) * f->nbuckets >> 32];
}

static struct datagram *datagram_at(const struct frags *f, const struct frag_bucket *b,
				    unsigned way)
{
	return &f->datagram[(uint32_t)(b - f->bucket) * f->ways + way];
}

static void set_used(struct frag_bucket *b, unsigned way, bool used)
{
	uint16_t bits = used ? b->used | 1u << way : b->used & ~(1u << way);

	__atomic_store_n(&b->used, bits, __ATOMIC_RELAXED); /* the sweep looks without the lock */
}

void frag_drop_waiting(struct frags *f, struct dp *dp, struct datagram *d, enum drop_reason why)
{
	frag_unclaim(&f->held, d->nwaiting);
	while (d->nwaiting)
		pkt_drop(dp, &d->waiter[--d->nwaiting].p, why);
}

/* It counts against nobody's limit any more. */
static void uncount(struct frags *f, const struct datagram *d)
{
	frag_unclaim(&f->source[d->source], 1);
	frag_unclaim(&f->datagrams, 1);
}

static void end(struct frags *f, struct frag_bucket *b, struct datagram *d)
{
	assert(!d->nwaiting);
	if (d->state != FRAG_DONE)
		uncount(f, d);
	set_used(b, (unsigned)(d - datagram_at(f, b, 0)), false);
	d->serial++;
}

void frag_done(struct frags *f, struct dp *dp, struct datagram *d)
{
	assert(!d->nwaiting && d->state != FRAG_DONE);
	uncount(f, d);
	d->state = FRAG_DONE;
	d->until = dp->now + FRAG_LINGER;
}

static bool is_over(const struct dp *dp, const struct datagram *d)
{
	return (int64_t)(dp->now - d->until) >= 0;
}

static void time_out(struct frags *f, struct dp *dp, struct frag_bucket *b, struct datagram *d)
{
	if (d->state != FRAG_CONDEMNED && d->state != FRAG_DONE)
		frag_tally(&f->count.timed_out);
	frag_drop_waiting(f, dp, d, DROP_FRAG_TIMEOUT);
	end(f, b, d);
}

static void bucket_expire(struct frags *f, struct dp *dp, struct frag_bucket *b)
{
	for (unsigned m = b->used; m; m &= m - 1) {
		struct datagram *d = datagram_at(f, b, (unsigned)__builtin_ctz(m));

		if (is_over(dp, d))
			time_out(f, dp, b, d);
	}
}

/* The oldest of a state, but for one; or NULL. */
static struct datagram *oldest(const struct frags *f, const struct frag_bucket *b,
			       enum frag_state state, const struct datagram *but)
{
	struct datagram *found = NULL;

	for (unsigned m = b->used; m; m &= m - 1) {
		struct datagram *d = datagram_at(f, b, (unsigned)__builtin_ctz(m));

		if (d == but || d->state != state)
			continue;
		if (!found || (int64_t)(d->until - found->until) < 0)
			found = d;
	}
	return found;
}

/* In favour of another. */
static void evict(struct frags *f, struct dp *dp, struct frag_bucket *b, struct datagram *d)
{
	if (d->state != FRAG_DONE)
		frag_tally(&f->count.too_many);
	frag_drop_waiting(f, dp, d, DROP_FRAG_LIMIT);
	end(f, b, d);
}

bool frag_give_up(struct frags *f, struct dp *dp, struct frag_bucket *b, const struct datagram *but)
{
	struct datagram *d = oldest(f, b, FRAG_HEADLESS, but);

	if (d)
		evict(f, dp, b, d);
	return d;
}

static struct datagram *find(struct frags *f, struct dp *dp, struct frag_bucket *b, uint64_t h,
			     const struct frag_key *k)
{
	for (unsigned m = b->used; m; m &= m - 1) {
		unsigned way = (unsigned)__builtin_ctz(m);
		struct datagram *d = datagram_at(f, b, way);

		if (b->tag[way] != (uint16_t)h || memcmp(&d->key, k, sizeof(*k)) != 0)
			continue;
		if (!is_over(dp, d))
			return d;
		time_out(f, dp, b, d);
	}
	return NULL;
}

static bool make_room(struct frags *f, struct dp *dp, struct frag_bucket *b)
{
	static const enum frag_state worth[] = { FRAG_DONE, FRAG_HEADLESS, FRAG_CONDEMNED };
	uint16_t all = (uint16_t)((1u << f->ways) - 1);
	struct datagram *d = NULL;

	if (b->used == all)
		bucket_expire(f, dp, b);
	if (b->used != all)
		return true;
	for (unsigned i = 0; i < sizeof(worth) / sizeof(worth[0]) && !d; i++)
		d = oldest(f, b, worth[i], NULL);
	if (d)
		evict(f, dp, b, d);
	return d;
}

/* A new entry; or NULL: there are too many. */
static struct datagram *make(struct frags *f, struct dp *dp, struct frag_bucket *b, uint64_t h,
			     const struct frag_key *k)
{
	uint32_t source = source_of(f, k);
	struct datagram *d;
	unsigned way;

	if (!frag_claim(&f->source[source], f->config.per_source)) {
		frag_tally(&f->count.too_many_of_source);
		return NULL;
	}
	if (!make_room(f, dp, b)) {
		frag_tally(&f->count.too_many);
		frag_unclaim(&f->source[source], 1);
		return NULL;
	}
	way = (unsigned)__builtin_ctz(~(unsigned)b->used);
	set_used(b, way, true);
	b->tag[way] = (uint16_t)h;
	__atomic_fetch_add(&f->datagrams, 1, __ATOMIC_RELAXED);
	d = datagram_at(f, b, way);
	d->key = *k;
	d->until = dp->now + f->config.timeout;
	d->source = source;
	d->seen = d->total = 0;
	d->state = FRAG_HEADLESS;
	d->npieces = d->nwaiting = 0;
	return d;
}

struct datagram *frag_entry(struct frags *f, struct dp *dp, const struct frag_key *k,
			    struct frag_bucket **b)
{
	uint64_t h = hash_key(f, k);
	struct datagram *d;

	*b = bucket_of(f, h);
	spin_lock(&(*b)->lock);
	d = find(f, dp, *b, h, k);
	return d ? d : make(f, dp, *b, h, k);
}

struct datagram *frag_entry_again(struct frags *f, const struct frag_ports *ports,
				  struct frag_bucket **b)
{
	struct datagram *d = &f->datagram[ports->datagram];
	unsigned way = ports->datagram % f->ways;

	*b = &f->bucket[ports->datagram / f->ways];
	spin_lock(&(*b)->lock);
	if ((*b)->used >> way & 1 && d->serial == ports->serial)
		return d;
	frag_unlock(*b);
	return NULL;
}

/* ---- time */

/* How many parts of the table this caller is to look at: as many as time went by for, so that a
 * worker that sleeps between two looks sees to all of it. One worker sweeps for all. */
static unsigned parts_due(struct frags *f, uint64_t now)
{
	uint64_t at = __atomic_load_n(&f->sweep_at, __ATOMIC_RELAXED), late = now - at;

	if ((int64_t)late < 0 ||
	    !__atomic_compare_exchange_n(&f->sweep_at, &at, now + FRAG_SWEEP, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return 0;
	return late / FRAG_SWEEP < SWEEP ? (unsigned)(late / FRAG_SWEEP) + 1 : SWEEP;
}

static void sweep(struct frags *f, struct dp *dp, uint32_t part)
{
	uint32_t from = (uint32_t)((uint64_t)f->nbuckets * part / SWEEP);
	uint32_t to = (uint32_t)((uint64_t)f->nbuckets * (part + 1) / SWEEP);

	for (struct frag_bucket *b = f->bucket + from; b < f->bucket + to; b++) {
		if (!__atomic_load_n(&b->used, __ATOMIC_RELAXED))
			continue;
		spin_lock(&b->lock);
		bucket_expire(f, dp, b);
		frag_unlock(b);
	}
}

void frag_expire(struct frags *f, struct dp *dp)
{
	if (!__atomic_load_n(&f->datagrams, __ATOMIC_RELAXED))
		return;
	for (unsigned n = parts_due(f, dp->now); n > 0; n--)
		sweep(f, dp, __atomic_fetch_add(&f->sweep, 1, __ATOMIC_RELAXED) % SWEEP);
}

/* ---- [control] */

static size_t round_up(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

int frags_create(const struct frags_config *c, struct frags **out)
{
	uint32_t ways = c->max < FRAG_WAYS ? c->max : FRAG_WAYS, sources = 1;
	size_t table_at = round_up(sizeof(struct frags)), entry_at, source_at, bytes;
	struct frags *f;

	if (!c->max || c->max > UINT32_MAX / CROWDING / 2 || !c->per_source)
		return -EINVAL;
	while (sources < CROWDING * c->max)
		sources *= 2;
	entry_at = table_at + c->max / ways * sizeof(struct frag_bucket);
	source_at = round_up(entry_at + (size_t)c->max * sizeof(struct datagram));
	bytes = source_at + sources * sizeof(uint32_t);
	f = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (f == MAP_FAILED)
		return -errno;
	f->config = *c;
	f->bytes = bytes;
	f->ways = ways;
	f->nbuckets = c->max / ways;
	f->source_mask = sources - 1;
	f->bucket = (struct frag_bucket *)((uint8_t *)f + table_at);
	f->datagram = (struct datagram *)((uint8_t *)f + entry_at);
	f->source = (uint32_t *)((uint8_t *)f + source_at);
	f->next_id = (uint16_t)siphash_number(c->key, UINT64_MAX);
	*out = f;
	return 0;
}

void frags_destroy(struct frags *f, void (*drop)(void *arg, struct pkt *p), void *arg)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->nbuckets * f->ways; i++) {
		struct datagram *d = &f->datagram[i];

		if (!(f->bucket[i / f->ways].used >> i % f->ways & 1))
			continue;
		while (drop && d->nwaiting)
			drop(arg, &d->waiter[--d->nwaiting].p);
	}
	munmap(f, f->bytes);
}

uint32_t frags_held(const struct frags *f)
{
	return __atomic_load_n(&f->held, __ATOMIC_RELAXED);
}

void frags_stats(const struct frags *f, struct frag_stats *out)
{
	*out = (struct frag_stats){
		.datagrams = __atomic_load_n(&f->datagrams, __ATOMIC_RELAXED),
		.held = frags_held(f),
		.known = counter_read(&f->count.known),
		.waited = counter_read(&f->count.waited),
		.overlaps = counter_read(&f->count.overlaps),
		.tiny = counter_read(&f->count.tiny),
		.too_many = counter_read(&f->count.too_many),
		.too_many_of_source = counter_read(&f->count.too_many_of_source),
		.timed_out = counter_read(&f->count.timed_out),
	};
}
