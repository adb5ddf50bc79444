/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table whose process was killed in the middle of a change is built anew from its records: hash,
 * sources, zones, wheels, chunks, counts. [control, at adoption; no other thread runs]
 *
 * What stays are the committed records that nobody had condemned. One pass goes through the chunks
 * in the order of memory; what lies in other places, the buckets, is fetched for a burst of records
 * together. A record is believed as little as is needed for all indexes to be in their bounds: that
 * of an impossible family goes, and of two with one tuple the second.
 *
 * All records of a chunk have one owner, which takes them from it and puts them back. Of a worker
 * that is no more another one gets the chunk.
 *
 * Killed meanwhile, it is done again by the next heir: control's word says that it is under way,
 * and it takes nothing from the truth but records that it cannot use.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "router/net/flow_internal.h"

#define AHEAD 2048u /* bytes of records that are fetched before their turn */

/* ---- memory */

static int punch(const struct flow_table *t, const void *at, size_t bytes)
{
	off_t offset = (const uint8_t *)at - (const uint8_t *)t->head;

	return fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)bytes)
		       ? -errno
		       : 0;
}

/* Pages that hold memory come into this process's view by one call, not by a fault each, which
 * would be half of the time that all this takes. */
static void expect(const void *at, size_t bytes)
{
	madvise((void *)(uintptr_t)at, bytes, MADV_POPULATE_READ);
}

/* Empties all buckets. The pages that some have touched are kept: they are needed again. */
static int groups_clear(struct flow_table *t, struct flow_group *group, struct flow_bucket *bucket,
			uint64_t groups)
{
	for (uint64_t g = 0, end; g < groups; g = end) {
		struct flow_bucket *first = &bucket[g * FLOW_GROUP];
		bool touched = group[g].touched;
		size_t bytes;
		int err = 0;

		for (end = g; end < groups && !!group[end].touched == touched; end++)
			group[end] = (struct flow_group){ .touched = touched };
		bytes = (end - g) * REGION_PAGE;
		if (touched) {
			expect(first, bytes);
			memset(first, 0, bytes);
		} else {
			err = punch(t, first, bytes);
		}
		if (err)
			return err;
	}
	return 0;
}

/* Zones and everything hashed: as if there had been no flow. */
static int forget(struct flow_table *t)
{
	const struct flow_layout *l = &t->head->layout;
	int err = punch(t, t->zone, FLOW_ZONES * sizeof(*t->zone));

	if (!err)
		err = groups_clear(t, t->group, t->bucket, l->buckets / FLOW_GROUP);
	if (!err && t->source)
		err = groups_clear(t, t->source_group, t->source, l->sources / FLOW_GROUP);
	return err;
}

/* ---- workers */

static void counts_add(struct flow_counts *to, const struct flow_counts *c)
{
	to->made += c->made;
	to->gone += c->gone;
	to->early_dropped += c->early_dropped;
	to->refused_full += c->refused_full;
	to->refused_source += c->refused_source;
	to->clashes += c->clashes;
	to->adopted += c->adopted;
}

/* As many as there will be, without flows. What others have counted the first one has. */
static void workers_reset(struct flow_table *t, unsigned workers)
{
	struct flow_counts count = { 0 };
	uint32_t tick = t->worker[0].tick;

	for (unsigned i = 0; i < t->workers; i++) {
		const struct flow_worker *w = &t->worker[i];

		counts_add(&count, &w->count);
		if ((int32_t)(w->tick - tick) > 0)
			tick = w->tick;
	}
	for (unsigned i = 0; i < workers; i++)
		flow_worker_init(&t->worker[i], tick);
	t->worker[0].count = count;
	t->workers = t->head->config.workers = workers;
}

/* ---- records */

/* Records that are looked at together. */
struct burst {
	uint32_t index[FLOW_BURST];
	struct flow_key orig[FLOW_BURST], reply[FLOW_BURST];
	uint64_t ho[FLOW_BURST], hr[FLOW_BURST];
	unsigned n;
};

static bool survives(const struct flow *f, bool six)
{
	return (f->state & (FLOW_COMMITTED | FLOW_DYING)) == FLOW_COMMITTED &&
	       f->family == (six ? AF_INET6 : AF_INET);
}

/* The survivors among `n` records from `index` on; the state of all others becomes 0. */
static void collect(struct flow_table *t, uint32_t index, unsigned n, bool six, struct burst *b)
{
	unsigned units = flow_slab_units(six);

	b->n = 0;
	for (unsigned i = 0; i < n; i++, index += units) {
		struct flow *f = flow_at(t, index);

		for (unsigned line = 0; line < units; line++)
			__builtin_prefetch((uint8_t *)f + AHEAD + line * FLOW_UNIT, 1);
		if (!survives(f, six)) {
			f->state = 0;
			continue;
		}
		flow_key(t, index, FLOW_ORIG, &b->orig[b->n]);
		flow_key(t, index, FLOW_REPLY, &b->reply[b->n]);
		b->index[b->n++] = index;
	}
	flow_hash_burst(t, b->orig, b->ho, b->n);
	flow_hash_burst(t, b->reply, b->hr, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		flow_hash_prefetch(t, b->ho[i]);
		flow_hash_prefetch(t, b->hr[i]);
	}
}

/* Everything that a record is in. False: it cannot stay. */
static bool restore(struct flow_table *t, const struct burst *b, unsigned i, unsigned owner)
{
	struct flow *f = flow_at(t, b->index[i]);
	bool counted = false;

	if (!flow_hash_restore(t, b->index[i], &b->orig[i], &b->reply[i], b->ho[i], b->hr[i])) {
		f->state = 0;
		return false;
	}
	if (t->source)
		flow_source_add(t, &b->orig[i], &counted);
	f->counted = counted;
	f->owner = (uint8_t)owner;
	t->zone[f->zone]++;
	flow_wheel_add(t, b->index[i], t->worker[owner].tick);
	return true;
}

/* A chunk and its records. Returns how many live. */
static unsigned chunk_restore(struct flow_table *t, uint32_t no, struct burst *b)
{
	unsigned used = flow_slab_used(t, no), live = 0, owner = 0;
	bool six = t->chunk[no].six, owned = false;

	if (used)
		expect(flow_at(t, no * FLOW_CHUNK_UNITS), FLOW_CHUNK_BYTES);
	for (unsigned i = 0; i < used; i += FLOW_BURST) {
		uint32_t index = no * FLOW_CHUNK_UNITS + i * flow_slab_units(six);

		collect(t, index, used - i < FLOW_BURST ? used - i : FLOW_BURST, six, b);
		if (b->n && !owned) {
			owner = flow_at(t, b->index[0])->owner % t->workers;
			owned = true;
		}
		for (unsigned j = 0; j < b->n; j++)
			live += restore(t, b, j, owner);
	}
	flow_slab_restore(t, no, owner, live);
	return live;
}

/* ---- the whole */

/* All that were made are here or gone. */
static void settle(struct flow_table *t, uint32_t live)
{
	struct flow_counts *first = &t->worker[0].count;

	if (first->made < live)
		first->made = live;
	first->gone = first->made - live;
	t->head->live = live;
	t->head->killing = 0;
}

int flow_repair(struct flow_table *t, unsigned workers)
{
	struct burst b;
	uint32_t live = 0;
	int err;

	t->head->changing = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	err = forget(t);
	if (err)
		return err;
	workers_reset(t, workers);
	flow_slab_reset(t);
	for (uint32_t no = 1; no < t->head->pool.fresh; no++)
		live += chunk_restore(t, no, &b);
	settle(t, live);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->head->changing = 0;
	return 0;
}
