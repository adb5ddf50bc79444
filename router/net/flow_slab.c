/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of records: chunks of 48 KiB of one family. A worker has chunks of its own, and it
 * alone takes records from them and puts them back (who made a record frees it), so neither costs
 * a lock. Chunks change hands through a pool under a lock: once in hundreds of records.
 *
 * A worker's empty chunk goes back to the pool, but for its last one. There it is dirty, preferred
 * by the next worker that needs one (its pages are there), until control trims it: hands its pages
 * back to Linux. Pages of the hash whose group is empty are trimmed too.
 *
 * The description of a chunk has a serial number that is odd while a worker has it: the walk of
 * control reads records of chunks that are coming and going, and checks it before and after.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "router/net/flow_internal.h"

static uint32_t chunk_no(const struct flow_table *t, const struct flow_chunk *c)
{
	return (uint32_t)(c - t->chunk);
}

unsigned flow_slab_units(bool six)
{
	return (six ? FLOW_SIZE6 : FLOW_SIZE4) / FLOW_UNIT;
}

static unsigned records_of(bool six)
{
	return six ? FLOW_CHUNK6 : FLOW_CHUNK4;
}

/* ---- the pool */

/* The first of a list of the pool, or FLOW_NONE. */
static uint32_t pool_pop(struct flow_table *t, uint32_t *list)
{
	uint32_t no = *list;

	if (no != FLOW_NONE)
		*list = t->chunk[no].next;
	return no;
}

static void pool_push(struct flow_table *t, uint32_t *list, uint32_t no)
{
	t->chunk[no].next = *list;
	*list = no;
}

/* *bare: it holds no memory yet. */
static uint32_t pool_get(struct flow_table *t, bool *bare)
{
	struct flow_pool *p = &t->head->pool;
	uint32_t no;

	spin_lock(&p->lock);
	no = pool_pop(t, &p->dirty);
	*bare = no == FLOW_NONE;
	if (no == FLOW_NONE)
		no = pool_pop(t, &p->clean);
	if (no == FLOW_NONE && p->fresh < p->chunks) {
		no = p->fresh;
		__atomic_store_n(&p->fresh, no + 1, __ATOMIC_RELEASE);
	}
	spin_unlock(&p->lock);
	return no;
}

static void pool_put(struct flow_table *t, uint32_t no)
{
	struct flow_pool *p = &t->head->pool;

	spin_lock(&p->lock);
	pool_push(t, &p->dirty, no);
	spin_unlock(&p->lock);
}

/* ---- a worker's chunks with room */

static void room_add(struct flow_table *t, uint32_t *list, struct flow_chunk *c)
{
	c->prev = FLOW_NONE;
	c->next = *list;
	c->listed = true;
	if (c->next != FLOW_NONE)
		t->chunk[c->next].prev = chunk_no(t, c);
	*list = chunk_no(t, c);
}

static void room_remove(struct flow_table *t, uint32_t *list, struct flow_chunk *c)
{
	c->listed = false;
	if (c->next != FLOW_NONE)
		t->chunk[c->next].prev = c->prev;
	if (c->prev != FLOW_NONE)
		t->chunk[c->prev].next = c->next;
	else
		*list = c->next;
}

static struct flow_chunk *chunk_get(struct flow_table *t, uint32_t *list, bool six)
{
	struct flow_chunk *c;
	bool bare;
	uint32_t no = pool_get(t, &bare);

	if (no == FLOW_NONE)
		return NULL;
	c = &t->chunk[no];
	if (bare) /* one call instead of twelve page faults; it is only sooner that they fail */
		madvise(flow_at(t, no * FLOW_CHUNK_UNITS), FLOW_CHUNK_BYTES, MADV_POPULATE_WRITE);
	c->free = FLOW_NONE;
	c->used = 0;
	__atomic_store_n(&c->fresh, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->six, six, __ATOMIC_RELAXED);
	__atomic_store_n(&c->serial, (c->serial + 1) | 1, __ATOMIC_RELEASE);
	room_add(t, list, c);
	return c;
}

static void chunk_put(struct flow_table *t, uint32_t *list, struct flow_chunk *c)
{
	room_remove(t, list, c);
	__atomic_store_n(&c->serial, c->serial + 1, __ATOMIC_RELEASE);
	pool_put(t, chunk_no(t, c));
}

static uint32_t take_fresh(struct flow_table *t, struct flow_chunk *c, bool six)
{
	uint32_t index = chunk_no(t, c) * FLOW_CHUNK_UNITS + c->fresh * flow_slab_units(six);

	__atomic_store_n(&flow_at(t, index)->state, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->fresh, c->fresh + 1, __ATOMIC_RELEASE);
	return index;
}

/* [its worker] A record whose state is 0 and all else unknown, or FLOW_NONE. */
uint32_t flow_slab_get(struct flow_table *t, unsigned worker, bool six)
{
	struct flow_worker *w = &t->worker[worker];
	uint32_t *list = &w->room[six], index;
	struct flow_chunk *c;

	c = *list != FLOW_NONE ? &t->chunk[*list] : chunk_get(t, list, six);
	if (!c)
		return FLOW_NONE;
	index = c->free;
	if (index != FLOW_NONE)
		c->free = flow_at(t, index)->next;
	else
		index = take_fresh(t, c, six);
	if (++c->used == records_of(six))
		room_remove(t, list, c);
	counter_add(&w->count.used[six], 1);
	return index;
}

/* [its worker] */
void flow_slab_put(struct flow_table *t, unsigned worker, uint32_t index)
{
	struct flow_chunk *c = &t->chunk[index / FLOW_CHUNK_UNITS];
	struct flow_worker *w = &t->worker[worker];
	struct flow *f = flow_at(t, index);
	uint32_t *list = &w->room[c->six];

	__atomic_store_n(&f->state, 0, __ATOMIC_RELEASE);
	f->next = c->free;
	c->free = index;
	counter_add(&w->count.used[c->six], (uint64_t)-1);
	if (!c->listed)
		room_add(t, list, c);
	if (!--c->used && (c->next != FLOW_NONE || c->prev != FLOW_NONE))
		chunk_put(t, list, c);
}

/* ---- a table that is built anew (flow_repair.c) */

unsigned flow_slab_used(const struct flow_table *t, uint32_t no)
{
	const struct flow_chunk *c = &t->chunk[no];
	unsigned records = records_of(c->six);

	if (!(c->serial & 1))
		return 0;
	return c->fresh < records ? c->fresh : records;
}

void flow_slab_reset(struct flow_table *t)
{
	struct flow_pool *p = &t->head->pool;

	t->chunk[0] = (struct flow_chunk){ 0 }; /* nobody's */
	p->lock = 0;
	p->dirty = p->clean = FLOW_NONE;
	if (!p->fresh)
		p->fresh = 1;
	if (p->fresh > p->chunks)
		p->fresh = p->chunks;
}

void flow_slab_restore(struct flow_table *t, uint32_t no, unsigned worker, unsigned live)
{
	struct flow_chunk *c = &t->chunk[no];
	struct flow_worker *w = &t->worker[worker];
	bool six = c->six;

	c->fresh = (uint16_t)flow_slab_used(t, no);
	c->six = six;
	c->listed = false;
	c->free = FLOW_NONE;
	c->used = (uint16_t)live;
	if (!live) {
		c->serial += c->serial & 1;
		pool_push(t, &t->head->pool.dirty, no);
		return;
	}
	for (unsigned i = c->fresh; i-- > 0;) {
		uint32_t index = no * FLOW_CHUNK_UNITS + i * flow_slab_units(six);

		if (flow_at(t, index)->state)
			continue;
		flow_at(t, index)->next = c->free;
		c->free = index;
	}
	w->count.used[six] += live;
	if (live < records_of(six))
		room_add(t, &w->room[six], c);
}

/* ---- control */

/* The next committed record of chunk `no` from slot *at on. */
static uint32_t walk_chunk(const struct flow_table *t, uint32_t no, uint32_t *at)
{
	const struct flow_chunk *c = &t->chunk[no];
	uint32_t serial = __atomic_load_n(&c->serial, __ATOMIC_ACQUIRE);
	bool six = __atomic_load_n(&c->six, __ATOMIC_RELAXED);

	if (!(serial & 1))
		return FLOW_NONE;
	while (*at < __atomic_load_n(&c->fresh, __ATOMIC_ACQUIRE)) {
		uint32_t index = no * FLOW_CHUNK_UNITS + (*at)++ * flow_slab_units(six);
		uint32_t state = flow_state(flow_at(t, index));

		if (__atomic_load_n(&c->serial, __ATOMIC_ACQUIRE) != serial)
			return FLOW_NONE;
		if ((state & (FLOW_COMMITTED | FLOW_DYING)) == FLOW_COMMITTED)
			return index;
	}
	return FLOW_NONE;
}

uint32_t flow_walk(const struct flow_table *t, uint32_t *cursor)
{
	uint32_t end = __atomic_load_n(&t->head->pool.fresh, __ATOMIC_ACQUIRE);

	while (*cursor / FLOW_CHUNK4 < end) {
		uint32_t no = *cursor / FLOW_CHUNK4, at = *cursor % FLOW_CHUNK4;
		uint32_t index = walk_chunk(t, no, &at);

		if (index != FLOW_NONE) {
			*cursor = no * FLOW_CHUNK4 + at;
			return index;
		}
		*cursor = (no + 1) * FLOW_CHUNK4;
	}
	return FLOW_NONE;
}

static bool give_back(const struct flow_table *t, const void *at, size_t bytes)
{
	off_t offset = (const uint8_t *)at - (const uint8_t *)t->head;

	return !fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)bytes);
}

static unsigned trim_chunks(struct flow_table *t, unsigned budget)
{
	struct flow_pool *p = &t->head->pool;
	unsigned n = 0;

	for (; n < budget; n++) {
		uint32_t no;

		spin_lock(&p->lock);
		no = pool_pop(t, &p->dirty);
		spin_unlock(&p->lock);
		if (no == FLOW_NONE)
			break;
		give_back(t, t->record + (size_t)no * FLOW_CHUNK_BYTES, FLOW_CHUNK_BYTES);
		spin_lock(&p->lock);
		pool_push(t, &p->clean, no);
		spin_unlock(&p->lock);
	}
	return n;
}

/* A group that had entries and has none. Its lock is held over a system call of some microseconds,
 * when nobody is likely to come by: one page in thousands. */
static bool trim_group(struct flow_table *t, struct flow_group *g, const struct flow_bucket *page)
{
	bool given = false;

	if (__atomic_load_n(&g->used, __ATOMIC_RELAXED) ||
	    !__atomic_load_n(&g->touched, __ATOMIC_RELAXED))
		return false;
	spin_lock(&g->lock);
	if (!g->used) {
		given = give_back(t, page, REGION_PAGE);
		__atomic_store_n(&g->touched, 0, __ATOMIC_RELAXED);
	}
	spin_unlock(&g->lock);
	return given;
}

static unsigned trim_groups(struct flow_table *t, unsigned budget)
{
	uint32_t groups = (uint32_t)((t->mask + 1) / FLOW_GROUP);
	uint32_t all = groups + (t->source ? (uint32_t)((t->source_mask + 1) / FLOW_GROUP) : 0);
	unsigned n = 0;

	for (unsigned i = 0; i < budget && i < all; i++) {
		uint32_t g = t->trim_at++;

		if (t->trim_at >= all)
			t->trim_at = 0;
		if (g < groups)
			n += trim_group(t, &t->group[g], &t->bucket[(size_t)g * FLOW_GROUP]);
		else
			n += trim_group(t, &t->source_group[g - groups],
					&t->source[(size_t)(g - groups) * FLOW_GROUP]);
	}
	return n;
}

unsigned flow_table_trim(struct flow_table *t, unsigned budget)
{
	unsigned n;

	flow_change_begin(t, FLOW_CONTROL);
	n = trim_chunks(t, budget) + trim_groups(t, budget);
	flow_change_end(t, FLOW_CONTROL);
	return n;
}
