/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of the flow table: laid out, made, adopted, left. [control]
 *
 * The region is reserved once, at a size for the worst case, and costs memory where it is touched.
 * The condemned keep their memory until their grace period has ended, which is why there are more
 * chunks than `max` fills: as many again for those, and as many for chunks that are partly used.
 *
 * An heir believes nothing of a region's header that it cannot work out itself: the layout follows
 * from the configuration, and the size of the file from both. Whether the rest is whole it is told
 * by the words of those who change it (flow_internal.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/net/flow_internal.h"

/* ---- the layout */

/* A bucket for two flows of `max`, that is four of seven slots used at the most; for sources as
 * many, should each flow have its own. */
static void lay_out(const struct flow_table_config *c, struct flow_layout *l)
{
	uint64_t end = 0;

	memset(l, 0, sizeof(*l));
	l->chunks = 1 + c->max / FLOW_CHUNK6 * 4 + 4 * (uint64_t)FLOW_WORKERS_MAX + 4;
	l->buckets = region_slots(FLOW_GROUP, (c->max + 1) / 2);
	l->sources = c->per_source_max ? l->buckets : 0;
	region_reserve(&end, sizeof(struct flow_header));
	l->worker_at = region_reserve(&end, FLOW_WORKERS_MAX * sizeof(struct flow_worker));
	l->chunk_at = region_reserve(&end, l->chunks * sizeof(struct flow_chunk));
	l->zone_at = region_reserve(&end, FLOW_ZONES * sizeof(uint32_t));
	l->group_at = region_reserve(&end, l->buckets / FLOW_GROUP * sizeof(struct flow_group));
	l->bucket_at = region_reserve(&end, l->buckets * sizeof(struct flow_bucket));
	l->source_group_at =
		region_reserve(&end, l->sources / FLOW_GROUP * sizeof(struct flow_group));
	l->source_at = region_reserve(&end, l->sources * sizeof(struct flow_bucket));
	l->record_at = region_reserve(&end, l->chunks * FLOW_CHUNK_BYTES);
	l->bytes = end;
}

static bool is_possible(const struct flow_table_config *c)
{
	return c->max && c->max <= FLOW_MAX && c->workers && c->workers <= FLOW_WORKERS_MAX &&
	       c->per_source_max < 1u << 24;
}

/* This process's view of a region that is mapped at t->head. */
static void point(struct flow_table *t)
{
	uint8_t *base = (uint8_t *)t->head;
	const struct flow_header *h = t->head;
	const struct flow_layout *l = &h->layout;

	t->worker = (void *)(base + l->worker_at);
	t->chunk = (void *)(base + l->chunk_at);
	t->zone = (void *)(base + l->zone_at);
	t->group = (void *)(base + l->group_at);
	t->bucket = (void *)(base + l->bucket_at);
	t->source_group = (void *)(base + l->source_group_at);
	t->source = l->sources ? (void *)(base + l->source_at) : NULL;
	t->record = base + l->record_at;
	t->mask = l->buckets - 1;
	t->source_mask = l->sources - 1;
	memcpy(t->key, h->config.key, sizeof(t->key));
	t->epoch = h->config.now;
	t->max = h->config.max;
	t->per_source_max = h->config.per_source_max;
	t->workers = h->config.workers;
	t->drop_new = h->config.drop_new;
	flow_hash_choose(t);
}

/* A view of a region of so many bytes, not pointed yet; or NULL with errno. */
static struct flow_table *map(int fd, uint64_t bytes)
{
	struct flow_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (t->head == MAP_FAILED) {
		free(t);
		return NULL;
	}
	t->fd = fd;
	return t;
}

static void unmap(struct flow_table *t, uint64_t bytes)
{
	munmap(t->head, bytes);
	free(t);
}

void flow_worker_init(struct flow_worker *w, uint32_t tick)
{
	memset(w, 0, sizeof(*w));
	w->tick = tick;
	w->dead = w->condemned = w->retired = w->retired_last = FLOW_NONE;
	w->room[0] = w->room[1] = FLOW_NONE;
	for (unsigned i = 0; i <= FLOW_WHEEL; i++)
		w->list[i] = FLOW_NONE;
}

/* ---- a new one */

int flow_table_create(const struct flow_table_config *c, struct flow_table **out)
{
	struct flow_header h = { .magic = FLOW_MAGIC, .version = FLOW_VERSION, .config = *c };
	struct flow_table *t;
	int fd, err;

	if (!is_possible(c))
		return -EINVAL;
	lay_out(c, &h.layout);
	/* Index 0 is nobody's, and so is its chunk. */
	h.pool = (struct flow_pool){ .dirty = FLOW_NONE,
				     .clean = FLOW_NONE,
				     .fresh = 1,
				     .chunks = (uint32_t)h.layout.chunks };
	fd = memfd_create("flows", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	t = ftruncate(fd, (off_t)h.layout.bytes) ? NULL : map(fd, h.layout.bytes);
	if (!t) {
		err = -errno;
		close(fd);
		return err;
	}
	*t->head = h;
	point(t);
	t->since = UINT32_MAX;
	for (unsigned i = 0; i < c->workers; i++)
		flow_worker_init(&t->worker[i], 0);
	*out = t;
	return 0;
}

void flow_table_destroy(struct flow_table *t)
{
	if (!t)
		return;
	close(t->fd);
	unmap(t, t->head->layout.bytes);
}

int flow_table_fd(const struct flow_table *t)
{
	return t->fd;
}

const struct flow_table_config *flow_table_config(const struct flow_table *t)
{
	return &t->head->config;
}

/* ---- one that was left */

static int refuse(char *why, size_t size, const char *reason)
{
	snprintf(why, size, "%s", reason);
	return -EINVAL;
}

/* 0: the header is that of a table which this process would lay out the same way. */
static int header_read(int fd, struct flow_header *h, char *why, size_t size)
{
	struct flow_layout own;
	uint8_t drop_new;
	struct stat st;

	if (fstat(fd, &st))
		return refuse(why, size, strerror(errno));
	if (!S_ISREG(st.st_mode) || pread(fd, h, sizeof(*h), 0) != (ssize_t)sizeof(*h))
		return refuse(why, size, "not a flow table: too short");
	if (h->magic != FLOW_MAGIC)
		return refuse(why, size, "not a flow table");
	if (h->version != FLOW_VERSION) {
		snprintf(why, size, "flow table of version %u, not %u", h->version, FLOW_VERSION);
		return -EINVAL;
	}
	memcpy(&drop_new, &h->config.drop_new, sizeof(drop_new));
	if (!is_possible(&h->config) || drop_new > 1)
		return refuse(why, size, "flow table: impossible configuration");
	if (h->config.now > clock_now())
		return refuse(why, size, "flow table: begun in the future");
	lay_out(&h->config, &own);
	if (memcmp(&own, &h->layout, sizeof(own)) != 0 || h->pool.chunks != own.chunks)
		return refuse(why, size, "flow table: its layout is not that of its configuration");
	if ((uint64_t)st.st_size != own.bytes) {
		snprintf(why, size, "flow table: %llu bytes, not %llu",
			 (unsigned long long)st.st_size, (unsigned long long)own.bytes);
		return -EINVAL;
	}
	return 0;
}

static bool is_below(uint32_t number, uint64_t end)
{
	return number == FLOW_NONE || number < end;
}

static bool worker_is_whole(const struct flow_table *t, const struct flow_worker *w)
{
	uint64_t units = flow_table_units(t), chunks = t->head->layout.chunks;
	bool whole = !w->changing && is_below(w->dead, units) && is_below(w->condemned, units) &&
		     is_below(w->retired, units) && is_below(w->room[0], chunks) &&
		     is_below(w->room[1], chunks);

	for (unsigned i = 0; i <= FLOW_WHEEL; i++)
		whole = whole && is_below(w->list[i], units);
	return whole;
}

/* Was nobody in the middle of a change? */
static bool is_whole(const struct flow_table *t)
{
	const struct flow_header *h = t->head;
	const struct flow_pool *p = &h->pool;

	if (h->changing || h->killing || p->lock || !p->fresh || p->fresh > p->chunks ||
	    !is_below(p->dirty, p->chunks) || !is_below(p->clean, p->chunks))
		return false;
	for (unsigned i = 0; i < h->config.workers; i++)
		if (!worker_is_whole(t, &t->worker[i]))
			return false;
	return true;
}

/* More workers than before: they have nothing yet. */
static void grow(struct flow_table *t, unsigned workers)
{
	flow_change_begin(t, FLOW_CONTROL);
	for (unsigned i = t->workers; i < workers; i++)
		flow_worker_init(&t->worker[i], t->worker[0].tick);
	t->workers = t->head->config.workers = workers;
	flow_change_end(t, FLOW_CONTROL);
}

int flow_table_adopt(int fd, unsigned workers, struct flow_table **out, bool *dirty, char *why,
		     size_t size)
{
	struct flow_header h;
	struct flow_table *t;
	bool rebuild;
	int err;

	if (!workers || workers > FLOW_WORKERS_MAX)
		return refuse(why, size, "flow table: so many workers cannot be");
	err = header_read(fd, &h, why, size);
	if (err)
		return err;
	t = map(fd, h.layout.bytes);
	if (!t) {
		err = -errno;
		snprintf(why, size, "flow table: %s", strerror(-err));
		return err;
	}
	point(t);
	t->since = flow_tick(t, clock_now());
	rebuild = *dirty || workers < t->workers || !is_whole(t);
	if (rebuild)
		err = flow_repair(t, workers);
	else if (workers > t->workers)
		grow(t, workers);
	if (err) {
		snprintf(why, size, "flow table: it cannot be repaired: %s", strerror(-err));
		unmap(t, h.layout.bytes);
		return err;
	}
	*dirty = rebuild;
	*out = t;
	return 0;
}
