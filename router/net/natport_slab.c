/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of mappings: chunks of 44 KiB, each of one shard and one size of record, so that the
 * shard's lock, held anyway by whoever makes or ends a mapping, is the only one needed. Chunks
 * change hands through a pool: once in a thousand records.
 *
 * A shard's empty chunk goes back to the pool, but for its last one of that size. There it is
 * dirty, preferred by the next shard that needs one, until control trims it: hands its pages back
 * to Linux. Heads are trimmed when their whole shard or stripe is empty.
 */
#include <fcntl.h>

#include "router/net/natport_internal.h"

static unsigned units_of(bool big)
{
	return big ? 2 : 1;
}

static uint32_t chunk_no(const struct natports *n, const struct natmap_chunk *c)
{
	return (uint32_t)(c - n->chunk);
}

/* ---- the pool */

static uint32_t pool_pop(struct natports *n, uint32_t *list)
{
	uint32_t no = *list;

	if (no)
		*list = n->chunk[no].next;
	return no;
}

static void pool_push(struct natports *n, uint32_t *list, uint32_t no)
{
	n->chunk[no].next = *list;
	*list = no;
}

static uint32_t pool_get(struct natports *n)
{
	struct natmap_pool *p = &n->head->pool;
	uint32_t no;

	spin_lock(&p->lock);
	no = pool_pop(n, &p->dirty);
	if (!no)
		no = pool_pop(n, &p->clean);
	if (!no && p->fresh < p->chunks)
		no = p->fresh++;
	spin_unlock(&p->lock);
	return no;
}

static void pool_put(struct natports *n, uint32_t no)
{
	struct natmap_pool *p = &n->head->pool;

	n->chunk[no].fresh = 0;
	spin_lock(&p->lock);
	pool_push(n, &p->dirty, no);
	spin_unlock(&p->lock);
}

/* ---- a shard's chunks with room */

static void room_add(struct natports *n, uint32_t *list, struct natmap_chunk *c)
{
	c->prev = 0;
	c->next = *list;
	c->listed = true;
	if (c->next)
		n->chunk[c->next].prev = chunk_no(n, c);
	*list = chunk_no(n, c);
}

static void room_remove(struct natports *n, uint32_t *list, struct natmap_chunk *c)
{
	c->listed = false;
	if (c->next)
		n->chunk[c->next].prev = c->prev;
	if (c->prev)
		n->chunk[c->prev].next = c->next;
	else
		*list = c->next;
}

static struct natmap_chunk *chunk_get(struct natports *n, uint32_t *list, bool big)
{
	uint32_t no = pool_get(n);
	struct natmap_chunk *c = &n->chunk[no];

	if (!no)
		return NULL;
	c->free = 0;
	c->used = 0;
	c->fresh = 0;
	c->big = big;
	room_add(n, list, c);
	return c;
}

static bool is_full(const struct natmap_chunk *c)
{
	return !c->free && c->fresh == NATMAP_CHUNK_UNITS;
}

uint32_t natmap_alloc(struct natports *n, struct natmap_shard *s, bool big)
{
	uint32_t *list = &s->room[big], index;
	struct natmap_chunk *c = *list ? &n->chunk[*list] : chunk_get(n, list, big);

	if (!c)
		return 0;
	index = c->free;
	if (index) {
		c->free = natmap_at(n, index)->outside;
	} else {
		index = chunk_no(n, c) * NATMAP_CHUNK_UNITS + c->fresh;
		natmap_at(n, index)->outside = 0; /* not live, whatever was here */
		natport_step();
		c->fresh = (uint16_t)(c->fresh + units_of(big));
	}
	c->used++;
	if (is_full(c))
		room_remove(n, list, c);
	s->records++;
	__atomic_store_n(&s->units, s->units + units_of(big), __ATOMIC_RELAXED);
	return index;
}

void natmap_free(struct natports *n, struct natmap_shard *s, uint32_t index)
{
	struct natmap_chunk *c = &n->chunk[index / NATMAP_CHUNK_UNITS];
	uint32_t *list = &s->room[c->big];

	natmap_at(n, index)->outside = c->free;
	c->free = index;
	s->records--;
	__atomic_store_n(&s->units, s->units - units_of(c->big), __ATOMIC_RELAXED);
	if (!c->listed)
		room_add(n, list, c);
	if (!--c->used && (c->next || c->prev)) {
		room_remove(n, list, c);
		pool_put(n, chunk_no(n, c));
	}
}

/* ---- trimming */

bool natport_give_back(const struct natports *n, const void *at, size_t bytes)
{
	off_t offset = (const uint8_t *)at - (const uint8_t *)n->head;

	return !fallocate(n->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)bytes);
}

/* The last chunks a shard kept, now that it has no record. */
static void shard_empty(struct natports *n, struct natmap_shard *s)
{
	for (unsigned big = 0; big < 2; big++) {
		uint32_t no = s->room[big];

		if (no) {
			room_remove(n, &s->room[big], &n->chunk[no]);
			pool_put(n, no);
		}
	}
}

/* A lock is held over a system call of some microseconds, when nobody is likely to come by: the
 * shard or stripe had records and has none. */
static void trim_heads(struct natports *n, unsigned i)
{
	const size_t in = (size_t)1 << n->shard_shift, out = (size_t)1 << n->stripe_shift;
	struct natport_stripe *t = &n->stripe[i];
	struct natmap_shard *s = &n->shard[i];

	spin_lock(&s->lock);
	if (s->touched && !s->records) {
		shard_empty(n, s);
		natport_give_back(n, n->in + i * in, in * sizeof(*n->in));
		__atomic_store_n(&s->touched, false, __ATOMIC_RELAXED);
	}
	spin_unlock(&s->lock);
	spin_lock(&t->lock);
	if (t->touched && !t->records) {
		natport_give_back(n, n->out + i * out, out * sizeof(*n->out));
		__atomic_store_n(&t->touched, false, __ATOMIC_RELAXED);
	}
	spin_unlock(&t->lock);
}

void natmap_trim(struct natports *n)
{
	struct natmap_pool *p = &n->head->pool;
	uint32_t no;

	natport_change_begin(n);
	for (unsigned i = 0; i < NATPORT_SHARDS; i++)
		trim_heads(n, i);
	do {
		spin_lock(&p->lock);
		no = pool_pop(n, &p->dirty);
		spin_unlock(&p->lock);
		if (!no)
			break;
		natport_give_back(n, n->unit + (size_t)no * NATMAP_CHUNK_BYTES, NATMAP_CHUNK_BYTES);
		spin_lock(&p->lock);
		pool_push(n, &p->clean, no);
		spin_unlock(&p->lock);
	} while (no);
	natport_change_end(n);
}

/* ---- after a kill: natport_repair.c */

/* The live records of a chunk join their chains; the rest of it is free. Returns whose it is; NULL:
 * nobody's, or not one of its records is worth keeping. */
static struct natmap_shard *chunk_adopt(struct natports *n, uint32_t no)
{
	struct natmap_chunk *c = &n->chunk[no];
	struct natmap_shard *shard = NULL;
	unsigned step = units_of(c->big);

	c->free = 0;
	c->used = 0;
	c->big = c->big != 0;
	c->listed = 0;
	if (c->fresh > NATMAP_CHUNK_UNITS)
		c->fresh = NATMAP_CHUNK_UNITS;
	c->fresh = (uint16_t)(c->fresh - c->fresh % step);
	for (unsigned unit = 0; unit < c->fresh; unit += step) {
		uint32_t index = no * NATMAP_CHUNK_UNITS + unit;
		struct natmap *m = natmap_at(n, index);

		if (m->outside & NATMAP_LIVE && !(m->outside & NATMAP_BIG) == !c->big &&
		    natmap_adopt(n, index, &shard)) {
			c->used++;
			continue;
		}
		m->outside = c->free;
		c->free = index;
	}
	return shard;
}

/* Which of the unused ones hold memory nobody knows: trimming finds out. */
void natmap_chunks_adopt(struct natports *n)
{
	struct natmap_pool *p = &n->head->pool;
	uint32_t chunks = n->head->layout.chunks, last = 0;

	p->dirty = p->clean = 0;
	for (uint32_t no = 1; no < chunks; no++)
		if (n->chunk[no].fresh)
			last = no;
	if (p->fresh <= last || p->fresh > chunks)
		p->fresh = chunks;
	p->chunks = chunks;
	for (uint32_t no = p->fresh - 1; no; no--) {
		struct natmap_chunk *c = &n->chunk[no];
		struct natmap_shard *s = chunk_adopt(n, no);

		if (!s) {
			pool_put(n, no);
			continue;
		}
		s->records += c->used;
		s->units += c->used * units_of(c->big);
		if (!is_full(c))
			room_add(n, &s->room[c->big], c);
	}
}

void natmap_chunks_sweep(struct natports *n)
{
	for (uint32_t no = 1; no < n->head->pool.fresh; no++) {
		const struct natmap_chunk *c = &n->chunk[no];

		/* the last one of it may give the chunk away: `fresh` is 0 then */
		for (unsigned unit = 0; unit < c->fresh; unit += units_of(c->big)) {
			struct natmap *m = natmap_at(n, no * NATMAP_CHUNK_UNITS + unit);

			if (m->outside & NATMAP_LIVE && !m->flows)
				natmap_evict(n, m);
		}
	}
}
