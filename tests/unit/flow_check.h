/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a flow table whole? Every structure is gone through and compared with the records, which are
 * counted by themselves. For tests and a fuzzer: no thread uses the table, no record is private.
 */
#ifndef TESTS_FLOW_CHECK_H
#define TESTS_FLOW_CHECK_H

#include "router/net/flow_internal.h"

/* What a look at all records found. */
struct flow_census {
	uint32_t alive;	   /* committed, not dying */
	uint32_t all;	   /* with any state */
	uint32_t counted;  /* against their sources, of those in a wheel */
	uint32_t in_wheel; /* alive, or condemned and not buried */
	uint32_t retired, dead;
	uint32_t zone[4]; /* alive; tests use no others */
};

/* Does a lookup find it by both tuples, at a time it was certainly alive? */
static inline bool flow_is_found(const struct flow_table *t, uint32_t index)
{
	uint32_t tick = flow_latest(flow_at(t, index))->seen;
	enum flow_dir dir;
	struct flow_key k;

	for (unsigned d = FLOW_ORIG; d <= FLOW_REPLY; d++) {
		flow_key(t, index, (enum flow_dir)d, &k);
		if (flow_lookup(t, &k, tick, &dir) != index)
			return false;
	}
	return true;
}

/* A chunk that a worker has: its records, its free list, its place among those with room. */
static inline const char *chunk_problem(const struct flow_table *t, uint32_t no,
					struct flow_census *all)
{
	const struct flow_chunk *c = &t->chunk[no];
	unsigned size = flow_slab_units(c->six), used = 0, free = 0, owner = FLOW_WORKERS_MAX;

	for (unsigned i = 0; i < c->fresh; i++) {
		struct flow *f = flow_at(t, no * FLOW_CHUNK_UNITS + i * size);

		if (!f->state)
			continue;
		used++;
		if (owner != FLOW_WORKERS_MAX && f->owner != owner)
			return "a chunk of two owners";
		owner = f->owner;
		if ((f->state & (FLOW_COMMITTED | FLOW_DYING)) != FLOW_COMMITTED)
			continue;
		all->alive++;
		all->zone[f->zone % 4]++;
		if ((int32_t)flow_latest(f)->timeout > 0 &&
		    !flow_is_found(t, no * FLOW_CHUNK_UNITS + i * size))
			return "a flow that is not found";
	}
	for (uint32_t i = c->free; i != FLOW_NONE; i = flow_at(t, i)->next)
		if (i / FLOW_CHUNK_UNITS != no || flow_at(t, i)->state || ++free > c->fresh)
			return "a broken list of free records";
	if (used != c->used || used + free != c->fresh)
		return "a record that is neither used nor free";
	if (c->listed != (used < FLOW_CHUNK_UNITS / size))
		return "a chunk with room that is not listed, or one without that is";
	all->all += used;
	return NULL;
}

/* All chunks: a worker's, with room or full, or the pool's. */
static inline const char *chunks_problem(const struct flow_table *t, struct flow_census *all)
{
	const struct flow_pool *p = &t->head->pool;
	uint32_t pooled = 0, roomy = 0, listed = 0, even = 0;
	const char *problem = NULL;

	for (uint32_t no = 1; no < p->fresh && !problem; no++) {
		even += !(t->chunk[no].serial & 1);
		if (t->chunk[no].serial & 1) {
			listed += t->chunk[no].listed;
			problem = chunk_problem(t, no, all);
		}
	}
	for (uint32_t no = p->dirty; no != FLOW_NONE && pooled <= even; no = t->chunk[no].next)
		pooled++;
	for (uint32_t no = p->clean; no != FLOW_NONE && pooled <= even; no = t->chunk[no].next)
		pooled++;
	for (unsigned w = 0; w < t->workers; w++)
		for (unsigned six = 0; six < 2; six++)
			for (uint32_t no = t->worker[w].room[six];
			     no != FLOW_NONE && roomy <= listed; no = t->chunk[no].next)
				roomy++;
	if (!problem && (pooled != even || roomy != listed || p->lock))
		problem = "a chunk that is nowhere, or twice";
	return problem;
}

static inline const char *worker_problem(const struct flow_table *t, unsigned worker,
					 struct flow_census *all)
{
	const struct flow_worker *w = &t->worker[worker];
	uint32_t limit = all->all;

	if (w->changing)
		return "a change under way";
	for (unsigned list = 0; list <= FLOW_WHEEL; list++) {
		uint32_t prev = FLOW_HEAD | list;

		for (uint32_t i = w->list[list]; i != FLOW_NONE; i = flow_at(t, i)->next) {
			struct flow *f = flow_at(t, i);

			if (f->prev != prev || f->owner != worker || ++all->in_wheel > limit ||
			    !(f->state & FLOW_COMMITTED))
				return "a broken wheel";
			all->counted += f->counted;
			prev = i;
		}
	}
	for (uint32_t i = w->retired; i != FLOW_NONE; i = flow_at(t, i)->next)
		if (++all->retired > limit || !(flow_at(t, i)->state & FLOW_DYING))
			return "a broken list of the retired";
	for (uint32_t i = w->condemned; i != FLOW_NONE; i = flow_half_at(t, i, FLOW_REPLY)->link)
		if (++all->dead > limit)
			return "a broken list of the condemned";
	for (uint32_t i = w->dead; i != FLOW_NONE; i = flow_half_at(t, i, FLOW_REPLY)->link)
		if (++all->dead > limit)
			return "a broken list of the dead";
	return NULL;
}

/* How many slots are used, compared with what their groups say; the sum of words under `mask`. */
static inline const char *groups_problem(const struct flow_group *g, const struct flow_bucket *b,
					 uint64_t buckets, uint64_t mask, uint64_t *slots,
					 uint64_t *sum)
{
	for (uint64_t i = 0; i < buckets; i += FLOW_GROUP) {
		const struct flow_group *group = &g[i / FLOW_GROUP];
		uint64_t before = *slots;

		if (group->lock)
			return "a lock that is held";
		if (!group->touched && !group->used)
			continue;
		for (unsigned s = 0; s < FLOW_GROUP * FLOW_SLOTS; s++) {
			uint64_t word = b[i + s / FLOW_SLOTS].slot[s % FLOW_SLOTS];

			*slots += word != 0;
			*sum += word & mask;
		}
		if (*slots - before != group->used)
			return "a group that has miscounted its slots";
	}
	return NULL;
}

/* What is wrong with it, or NULL. Zones of tests are 0 to 3, and `zones` says that they count. */
static inline const char *flow_problem(const struct flow_table *t, bool zones)
{
	const struct flow_layout *l = &t->head->layout;
	uint64_t slots = 0, sources = 0, counted = 0, sum = 0, used = 0, made = 0;
	struct flow_census all = { 0 };
	const char *problem = chunks_problem(t, &all);

	for (unsigned w = 0; w < t->workers && !problem; w++) {
		problem = worker_problem(t, w, &all);
		used += flow_owned(t, w);
		made += t->worker[w].count.made - t->worker[w].count.gone;
	}
	if (!problem)
		problem = groups_problem(t->group, t->bucket, l->buckets, 0, &slots, &sum);
	if (!problem && t->source)
		problem = groups_problem(t->source_group, t->source, l->sources, (1 << 24) - 1,
					 &sources, &counted);
	if (problem)
		return problem;
	if (all.in_wheel != all.alive + all.dead || all.in_wheel + all.retired != all.all)
		return "a record in no list, or in two";
	if (slots != 2ull * all.in_wheel || counted != all.counted)
		return "an entry of the hash, or of the sources, that is nobody's";
	if (t->head->live != all.alive || used != all.all || made != all.in_wheel)
		return "counts of the living that are wrong";
	for (unsigned z = 0; z < 4 && zones; z++)
		if (t->zone[z] != all.zone[z] && !all.dead)
			return "a zone's count that is wrong";
	return NULL;
}

#endif
