/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The region that outside ports lie in: made, or taken over from a process that is no more.
 *
 * What was taken over is used as it is: all that is looked at first is whether it is of our kind
 * and whole, laid out as we would, and whether the other process was in the middle of something.
 * [control]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/net/natport_internal.h"

/* Of a power of two: its logarithm. */
static unsigned log_of(uint64_t n)
{
	return (unsigned)__builtin_ctzll(n);
}

/* Inside a head for two mappings of `max`, outside, where they spread more evenly, for four. Of
 * records: two units for a mapping and two for a permit of each flow, and for each shard a chunk of
 * each size partly used and one kept. */
static struct natport_layout lay_out(uint32_t max, bool lent)
{
	uint64_t chunks = 1 + (4ull * max) / NATMAP_CHUNK_UNITS + 4 * NATPORT_SHARDS;
	uint64_t bitmap = NATPORT_ALL_WORDS * sizeof(uint64_t), end = 0;
	struct natport_layout l = { .max = max };

	if (chunks > NATMAP_CHUNKS_MAX)
		chunks = NATMAP_CHUNKS_MAX;
	l.chunks = (uint32_t)chunks;
	l.in_heads = region_slots(NATPORT_HEADS_MIN, (max + 1ull) / 2);
	l.out_heads = region_slots(NATPORT_HEADS_MIN, (max + 3ull) / 4);
	region_reserve(&end, sizeof(struct natport_header));
	l.slot_at = region_reserve(&end, NATPORT_SLOTS * sizeof(struct natport_slot));
	l.state_at = region_reserve(&end, (uint64_t)NATPORT_SLOTS * NATPORT_PLANES *
						  sizeof(struct natport_state));
	l.shard_at = region_reserve(&end, NATPORT_SHARDS * sizeof(struct natmap_shard));
	l.stripe_at = region_reserve(&end, NATPORT_SHARDS * sizeof(struct natport_stripe));
	l.chunk_at = region_reserve(&end, chunks * sizeof(struct natmap_chunk));
	l.taken_at = lent ? 0 : region_reserve(&end, bitmap);
	l.blocked_at = region_reserve(&end, bitmap);
	l.reserved_at = region_reserve(&end, bitmap);
	l.held_at = region_reserve(&end, bitmap);
	l.in_at = region_reserve(&end, l.in_heads * sizeof(uint32_t));
	l.out_at = region_reserve(&end, l.out_heads * sizeof(uint32_t));
	l.unit_at = region_reserve(&end, chunks * NATMAP_CHUNK_BYTES);
	l.bytes = end;
	return l;
}
static_assert(sizeof(struct natport_layout) == 2 * sizeof(uint32_t) + 15 * sizeof(uint64_t),
	      "no padding: layouts are compared as bytes");

/* This process's view of a region that is mapped at n->head. */
static void point(struct natports *n, uint64_t *bitmap)
{
	uint8_t *base = (uint8_t *)n->head;
	const struct natport_layout *l = &n->head->layout;

	n->slot = (void *)(base + l->slot_at);
	n->state = (void *)(base + l->state_at);
	n->shard = (void *)(base + l->shard_at);
	n->stripe = (void *)(base + l->stripe_at);
	n->chunk = (void *)(base + l->chunk_at);
	n->taken = l->taken_at ? (void *)(base + l->taken_at) : bitmap;
	n->blocked = (void *)(base + l->blocked_at);
	n->reserved = (void *)(base + l->reserved_at);
	n->held = (void *)(base + l->held_at);
	n->in = (void *)(base + l->in_at);
	n->out = (void *)(base + l->out_at);
	n->unit = base + l->unit_at;
	memcpy(n->key, n->head->key, sizeof(n->key));
	n->mask = l->in_heads - 1;
	n->shard_shift = log_of(l->in_heads / NATPORT_SHARDS);
	n->out_shift = 32 - log_of(l->out_heads);
	n->stripe_shift = log_of(l->out_heads / NATPORT_SHARDS);
}

/* A view of n->fd, which is of that size. */
static int map(struct natports *n, uint64_t bytes)
{
	n->head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, n->fd, 0);
	return n->head == MAP_FAILED ? -errno : 0;
}

int natports_create(uint64_t *bitmap, uint32_t max, const uint8_t key[16], struct natports **out)
{
	struct natport_header h = { .magic = NATPORT_MAGIC, .version = NATPORT_VERSION };
	struct natports *n;
	int rc;

	if (!max || max > FLOW_MAX)
		return -EINVAL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	h.layout = lay_out(max, bitmap);
	h.pool = (struct natmap_pool){ .fresh = 1, .chunks = h.layout.chunks };
	memcpy(h.key, key, sizeof(h.key));
	n->fd = memfd_create("natports", MFD_CLOEXEC);
	rc = n->fd < 0 || ftruncate(n->fd, (off_t)h.layout.bytes) ? -errno : map(n, h.layout.bytes);
	if (rc) {
		if (n->fd >= 0)
			close(n->fd);
		free(n);
		return rc;
	}
	*n->head = h;
	point(n, bitmap);
	*out = n;
	return 0;
}

void natports_destroy(struct natports *n)
{
	if (!n)
		return;
	munmap(n->head, n->head->layout.bytes);
	close(n->fd);
	free(n->reservation);
	free(n);
}

int natports_fd(const struct natports *n)
{
	return n->fd;
}

/* ---- adoption */

/* Of our kind, all there, and laid out as we would? */
static int judge(const struct natport_header *h, uint64_t bytes, bool lent, char *why, size_t size)
{
	struct natport_layout l;

	if (h->magic != NATPORT_MAGIC)
		snprintf(why, size, "not the memory of NAT's ports");
	else if (h->version != NATPORT_VERSION)
		snprintf(why, size, "NAT's ports of version %" PRIu32 ", ours is %u", h->version,
			 NATPORT_VERSION);
	else if (!h->layout.max || h->layout.max > FLOW_MAX)
		snprintf(why, size, "NAT's ports for %" PRIu32 " flows", h->layout.max);
	else if (lent != !h->layout.taken_at)
		snprintf(why, size, "NAT's ports %s a bitmap that XDP steers by",
			 lent ? "without" : "with");
	else if (h->layout.bytes != bytes)
		snprintf(why, size, "NAT's ports: %" PRIu64 " bytes of %" PRIu64, bytes,
			 h->layout.bytes);
	else {
		l = lay_out(h->layout.max, lent);
		if (!memcmp(&l, &h->layout, sizeof(l)))
			return 0;
		snprintf(why, size, "NAT's ports are laid out in another way");
	}
	return -EINVAL;
}

static int look(int fd, bool lent, struct natport_header *h, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st)) {
		snprintf(why, size, "NAT's ports: %s", strerror(errno));
		return -errno;
	}
	if (!S_ISREG(st.st_mode) || pread(fd, h, sizeof(*h), 0) != sizeof(*h)) {
		snprintf(why, size, "NAT's ports: no memory, or too little to be all");
		return -EINVAL;
	}
	return judge(h, (uint64_t)st.st_size, lent, why, size);
}

static bool is_amid_something(const struct natports *n)
{
	uint32_t held = n->head->changing | n->head->pool.lock;

	for (unsigned i = 0; i < NATPORT_SHARDS; i++)
		held |= n->shard[i].lock | n->stripe[i].lock;
	return held;
}

int natports_adopt(int fd, uint64_t *bitmap, struct natports **out, bool *dirty, char *why,
		   size_t size)
{
	struct natport_header h;
	struct natports *n;
	int rc = look(fd, bitmap, &h, why, size);

	if (rc)
		return rc;
	n = calloc(1, sizeof(*n));
	if (n)
		n->fd = fd;
	rc = n ? map(n, h.layout.bytes) : -ENOMEM;
	if (rc) {
		snprintf(why, size, "NAT's ports: %s", strerror(-rc));
		free(n);
		return rc;
	}
	point(n, bitmap);
	*dirty = is_amid_something(n);
	natport_change_begin(n); /* until it is repaired, or accepted */
	natport_slots_adopt(n);
	*out = n;
	return 0;
}

void natports_accept(struct natports *n)
{
	natport_change_end(n);
}
