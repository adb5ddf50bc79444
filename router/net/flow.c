/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table as a whole: its region, the making of records, and what is full.
 *
 * The region is reserved once, at a size for the worst case, and costs memory where it is touched.
 * `max` counts the live: private and committed records that nobody has condemned. The condemned
 * keep their memory until their grace period has ended, which is why there are more chunks than
 * `max` fills: as many again for those, and as many for chunks that are partly used.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "router/net/flow_internal.h"

/* ---- create and destroy */

/* A bucket for two flows of `max`, that is four of seven slots used at the most; for sources as
 * many, should each flow have its own. */
static void lay_out(struct flow_header *h, const struct flow_table_config *c)
{
	uint64_t chunks = 1 + c->max / FLOW_CHUNK6 * 4 + 4 * (uint64_t)c->workers + 4;
	uint64_t end = 0;

	h->magic = FLOW_MAGIC;
	h->version = FLOW_VERSION;
	h->config = *c;
	h->buckets = region_slots(FLOW_GROUP, (c->max + 1) / 2);
	h->sources = c->per_source_max ? h->buckets : 0;
	region_reserve(&end, sizeof(*h));
	h->worker_at = region_reserve(&end, c->workers * sizeof(struct flow_worker));
	h->chunk_at = region_reserve(&end, chunks * sizeof(struct flow_chunk));
	h->group_at = region_reserve(&end, h->buckets / FLOW_GROUP * sizeof(struct flow_group));
	h->bucket_at = region_reserve(&end, h->buckets * sizeof(struct flow_bucket));
	h->source_group_at =
		region_reserve(&end, h->sources / FLOW_GROUP * sizeof(struct flow_group));
	h->source_at = region_reserve(&end, h->sources * sizeof(struct flow_bucket));
	h->record_at = region_reserve(&end, chunks * FLOW_CHUNK_BYTES);
	h->bytes = end;
	/* Index 0 is nobody's, and so is its chunk. */
	h->pool = (struct flow_pool){
		.dirty = FLOW_NONE, .clean = FLOW_NONE, .fresh = 1, .chunks = (uint32_t)chunks
	};
}

/* This process's view of a region that is mapped at t->head. */
static void point(struct flow_table *t)
{
	uint8_t *base = (uint8_t *)t->head;
	const struct flow_header *h = t->head;

	t->worker = (void *)(base + h->worker_at);
	t->chunk = (void *)(base + h->chunk_at);
	t->group = (void *)(base + h->group_at);
	t->bucket = (void *)(base + h->bucket_at);
	t->source_group = (void *)(base + h->source_group_at);
	t->source = h->sources ? (void *)(base + h->source_at) : NULL;
	t->record = base + h->record_at;
	t->mask = h->buckets - 1;
	t->source_mask = h->sources - 1;
	memcpy(t->key, h->config.key, sizeof(t->key));
	t->epoch = h->config.now;
	t->max = h->config.max;
	t->per_source_max = h->config.per_source_max;
	t->workers = h->config.workers;
	t->drop_new = h->config.drop_new;
	flow_hash_choose(t);
}

static void worker_init(struct flow_worker *w)
{
	w->dead = w->condemned = w->retired = w->retired_last = FLOW_NONE;
	w->room[0] = w->room[1] = FLOW_NONE;
	for (unsigned i = 0; i <= FLOW_WHEEL; i++)
		w->list[i] = FLOW_NONE;
}

int flow_table_create(const struct flow_table_config *c, struct flow_table **out)
{
	struct flow_header h = { 0 };
	struct flow_table *t;
	int rc;

	if (!c->max || c->max > FLOW_MAX || !c->workers || c->workers > FLOW_WORKERS_MAX ||
	    c->per_source_max >= 1u << 24)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	lay_out(&h, c);
	t->fd = memfd_create("flows", MFD_CLOEXEC);
	if (t->fd < 0 || ftruncate(t->fd, (off_t)h.bytes)) {
		rc = -errno;
		goto err;
	}
	t->head = mmap(NULL, h.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, t->fd, 0);
	if (t->head == MAP_FAILED) {
		rc = -errno;
		goto err;
	}
	*t->head = h;
	point(t);
	for (unsigned i = 0; i < c->workers; i++)
		worker_init(&t->worker[i]);
	*out = t;
	return 0;
err:
	if (t->fd >= 0)
		close(t->fd);
	free(t);
	return rc;
}

void flow_table_destroy(struct flow_table *t)
{
	if (!t)
		return;
	munmap(t->head, t->head->bytes);
	close(t->fd);
	free(t);
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

	if (t->source && !flow_source_add(t, orig, &counted)) {
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
	struct flow_key orig;

	assert(!(flow_state(f) & FLOW_COMMITTED));
	if (f->counted) {
		flow_key(t, index, FLOW_ORIG, &orig);
		flow_source_drop(t, &orig);
	}
	place_put(t);
	flow_slab_put(t, f->owner, index);
}

uint32_t flow_commit(struct flow_table *t, uint32_t index, uint32_t tick, enum flow_refusal *why)
{
	struct flow_counts *count = &t->worker[flow_at(t, index)->owner].count;
	uint32_t other;

	*why = flow_hash_insert(t, index, tick, &other);
	if (*why == FLOW_OK) {
		flow_wheel_add(t, index, tick);
		counter_add(&count->made, 1);
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
	s.bytes += hash_bytes(t->group, h->buckets) + hash_bytes(t->source_group, h->sources);
	*out = s;
}

uint64_t flow_table_units(const struct flow_table *t)
{
	return (uint64_t)t->head->pool.chunks * FLOW_CHUNK_UNITS;
}
