/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The making of records, and what is full. `max` counts the live: private and committed records
 * that nobody has condemned. A record that is private is a change of its worker (flow_internal.h),
 * from flow_new() until it is committed or discarded.
 */
#include "router/net/flow_internal.h"

/* ---- changes */

static uint32_t *changing_of(struct flow_table *t, unsigned worker)
{
	return worker == FLOW_CONTROL ? &t->head->changing : &t->worker[worker].changing;
}

void flow_change_begin(struct flow_table *t, unsigned worker)
{
	uint32_t *changing = changing_of(t, worker);

	__atomic_store_n(changing, *changing + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void flow_change_end(struct flow_table *t, unsigned worker)
{
	uint32_t *changing = changing_of(t, worker);

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(changing, *changing - 1, __ATOMIC_RELAXED);
}

bool flow_zone_take(struct flow_table *t, uint16_t zone, uint32_t max)
{
	if (__atomic_add_fetch(&t->zone[zone], 1, __ATOMIC_RELAXED) <= max || !max)
		return true;
	flow_zone_give(t, zone);
	return false;
}

void flow_zone_give(struct flow_table *t, uint16_t zone)
{
	__atomic_fetch_sub(&t->zone[zone], 1, __ATOMIC_RELAXED);
}

uint32_t flow_zone_live(const struct flow_table *t, uint16_t zone)
{
	return __atomic_load_n(&t->zone[zone], __ATOMIC_RELAXED);
}

/* ---- records */

/* A place among the live: a free one, or that of a neighbour which is not assured. */
static bool place_get(struct flow_table *t, unsigned worker, const struct flow_key *orig,
		      uint32_t tick)
{
	uint32_t *live = &t->head->live, victim;

	if (__atomic_fetch_add(live, 1, __ATOMIC_RELAXED) < t->max)
		return true;
	if (!t->drop_new) {
		while ((victim = flow_hash_victim(t, orig, tick)) != FLOW_NONE) {
			if (!flow_condemn(t, victim))
				continue;
			/* Its place and the one counted too many cancel out. */
			__atomic_fetch_sub(live, 1, __ATOMIC_RELAXED);
			flow_mourn(t, victim);
			counter_add(&t->worker[worker].count.early_dropped, 1);
			return true;
		}
	}
	__atomic_fetch_sub(live, 1, __ATOMIC_RELAXED);
	return false;
}

static void place_put(struct flow_table *t)
{
	__atomic_fetch_sub(&t->head->live, 1, __ATOMIC_RELAXED);
}

/* All but the state, which control's walk may be reading. */
static void record_init(struct flow *f, unsigned worker, const struct flow_key *orig,
			const struct flow_key *reply, uint32_t tick, bool counted)
{
	size_t size = orig->family == AF_INET6 ? FLOW_SIZE6 : FLOW_SIZE4;

	memset(f->judged, 0, size - offsetof(struct flow, judged));
	f->zone = orig->zone;
	f->proto = orig->proto;
	f->family = orig->family;
	f->owner = (uint8_t)worker;
	f->counted = counted;
	f->made = tick;
	flow_key_pack(f, FLOW_ORIG, orig);
	flow_key_pack(f, FLOW_REPLY, reply);
	flow_half_of(f, FLOW_ORIG)->seen = tick;
	flow_half_of(f, FLOW_REPLY)->seen = tick;
}

uint32_t flow_new(struct flow_table *t, unsigned worker, const struct flow_key *orig,
		  const struct flow_key *reply, uint32_t tick, enum flow_refusal *why)
{
	struct flow_counts *count = &t->worker[worker].count;
	bool counted = false;
	uint32_t index;

	flow_change_begin(t, worker);
	if (t->source && !flow_source_add(t, orig, &counted)) {
		flow_change_end(t, worker);
		counter_add(&count->refused_source, 1);
		*why = FLOW_SOURCE_LIMIT;
		return FLOW_NONE;
	}
	if (place_get(t, worker, orig, tick)) {
		index = flow_slab_get(t, worker, orig->family == AF_INET6);
		if (index != FLOW_NONE) {
			record_init(flow_at(t, index), worker, orig, reply, tick, counted);
			*why = FLOW_OK;
			return index;
		}
		place_put(t);
	}
	if (counted)
		flow_source_drop(t, orig);
	flow_change_end(t, worker);
	counter_add(&count->refused_full, 1);
	*why = FLOW_FULL;
	return FLOW_NONE;
}

void flow_set_reply(struct flow_table *t, uint32_t index, const struct flow_key *reply)
{
	flow_key_pack(flow_at(t, index), FLOW_REPLY, reply);
}

void flow_discard(struct flow_table *t, uint32_t index)
{
	const struct flow *f = flow_at(t, index);
	unsigned worker = f->owner;
	struct flow_key orig;

	assert(!(flow_state(f) & FLOW_COMMITTED));
	if (f->counted) {
		flow_key(t, index, FLOW_ORIG, &orig);
		flow_source_drop(t, &orig);
	}
	place_put(t);
	flow_slab_put(t, worker, index);
	flow_change_end(t, worker);
}

uint32_t flow_commit(struct flow_table *t, uint32_t index, uint32_t tick, enum flow_refusal *why)
{
	unsigned worker = flow_at(t, index)->owner;
	struct flow_counts *count = &t->worker[worker].count;
	uint32_t other;

	*why = flow_hash_insert(t, index, tick, &other);
	if (*why == FLOW_OK) {
		flow_wheel_add(t, index, tick);
		counter_add(&count->made, 1);
		flow_change_end(t, worker);
		return index;
	}
	if (other != FLOW_NONE) {
		flow_discard(t, index);
		counter_add(&count->adopted, 1);
		*why = FLOW_OK;
		return other;
	}
	counter_add(*why == FLOW_CLASH ? &count->clashes : &count->refused_full, 1);
	return FLOW_NONE;
}

/* ---- what there is */

uint64_t flow_owned(const struct flow_table *t, unsigned worker)
{
	const struct flow_counts *c = &t->worker[worker].count;

	return counter_read(&c->used[0]) + counter_read(&c->used[1]);
}

static size_t hash_bytes(const struct flow_group *g, uint64_t buckets)
{
	size_t bytes = 0;

	for (uint64_t i = 0; i < buckets / FLOW_GROUP; i++)
		if (__atomic_load_n(&g[i].touched, __ATOMIC_RELAXED))
			bytes += REGION_PAGE;
	return bytes;
}

void flow_table_stats(const struct flow_table *t, struct flow_stats *out)
{
	const struct flow_header *h = t->head;
	struct flow_stats s = { .max = t->max };
	uint64_t used[2] = { 0, 0 };

	for (unsigned i = 0; i < t->workers; i++) {
		const struct flow_counts *c = &t->worker[i].count;

		s.made += counter_read(&c->made);
		s.gone += counter_read(&c->gone);
		s.early_dropped += counter_read(&c->early_dropped);
		s.refused_full += counter_read(&c->refused_full);
		s.refused_source += counter_read(&c->refused_source);
		s.clashes += counter_read(&c->clashes);
		s.adopted += counter_read(&c->adopted);
		used[0] += counter_read(&c->used[0]);
		used[1] += counter_read(&c->used[1]);
	}
	s.live = __atomic_load_n(&h->live, __ATOMIC_RELAXED);
	s.live = s.live < s.max ? s.live : s.max; /* a new one that is being refused */
	s.ipv4 = (uint32_t)used[0];
	s.ipv6 = (uint32_t)used[1];
	s.bytes = used[0] * FLOW_SIZE4 + used[1] * FLOW_SIZE6;
	s.bytes += hash_bytes(t->group, h->layout.buckets);
	s.bytes += hash_bytes(t->source_group, h->layout.sources);
	*out = s;
}

uint64_t flow_table_units(const struct flow_table *t)
{
	return (uint64_t)t->head->pool.chunks * FLOW_CHUNK_UNITS;
}
