/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet memory: one memfd for the whole process, cut into frames, and who owns each frame.
 *
 * A frame is either ours (free in a cache or the depot, or held by packet code) or with a queue
 * (posted for receive, or handed over for sending). Every change of owner is one store in owner[],
 * so that the frames of a queue that vanished can be found again, and free + held + posted + sent
 * == frames is provable.
 */
#ifndef XSK_MEM_H
#define XSK_MEM_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xsk_hugepages { XSK_HUGEPAGES_PREFER, XSK_HUGEPAGES_REQUIRE, XSK_HUGEPAGES_OFF };

/* owner[] values; a queue with slot s owns posted frames as 2 + 2s, sent ones as 3 + 2s. */
#define FRAME_FREE	   0
#define FRAME_HELD	   1
#define FRAME_POSTED(slot) ((uint16_t)(2 + 2 * (slot)))
#define FRAME_SENT(slot)   ((uint16_t)(3 + 2 * (slot)))

struct xsk_mem {
	uint8_t *base;
	uint64_t size;
	uint32_t frames;
	unsigned shift; /* log2 of the frame size */
	int fd;
	bool huge; /* 2 MiB pages */
	uint16_t *owner;

	pthread_mutex_t lock; /* the depot: frames no worker has cached */
	uint32_t ndepot;
	uint32_t *depot;
};

/* frame_size: 2048 or 4096. 0 or -errno: -ENOMEM names in errno's sense that so much memory, or so
 * many huge pages, are not there. [control] */
int xsk_mem_create(uint32_t frames, uint32_t frame_size, enum xsk_hugepages huge,
		   struct xsk_mem **out);
void xsk_mem_destroy(struct xsk_mem *m);

static inline uint32_t xsk_mem_frame(const struct xsk_mem *m, uint64_t addr)
{
	return (uint32_t)(addr >> m->shift);
}
static inline uint64_t xsk_mem_addr(const struct xsk_mem *m, uint32_t frame)
{
	return (uint64_t)frame << m->shift;
}

/* The one place where a frame changes hands. Checked in sanitizer and debug builds. [owner's
 * thread] */
static inline void frame_pass(struct xsk_mem *m, uint32_t frame, uint16_t from, uint16_t to)
{
#ifdef FRAME_CHECK
	assert(frame < m->frames && m->owner[frame] == from);
#else
	(void)from;
#endif
	__atomic_store_n(&m->owner[frame], to, __ATOMIC_RELAXED); /* xsk_mem_reclaim() scans */
}

/* One thread's stack of free frames; trades slabs with the depot, so the lock is taken once per
 * slab. */
#define FRAME_CACHE 1024
#define FRAME_SLAB  512
struct frame_cache {
	struct xsk_mem *mem;
	uint32_t n; /* written by the owner only; read by anybody for statistics */
	uint32_t frame[FRAME_CACHE];
};

void frame_cache_init(struct frame_cache *c, struct xsk_mem *m);
void frame_cache_fini(struct frame_cache *c); /* back to the depot */
bool frame_cache_more(struct frame_cache *c); /* a slab from the depot; false: none */
void frame_cache_less(struct frame_cache *c); /* a slab to the depot */
/* Before its owner sleeps: all to the depot, if frames are short and others may need them. */
void frame_cache_share(struct frame_cache *c);

/* A free frame, now held by the caller. False: none anywhere. */
static inline bool frame_alloc(struct frame_cache *c, uint32_t *frame)
{
	if (c->n == 0 && !frame_cache_more(c))
		return false;
	*frame = c->frame[--c->n];
	frame_pass(c->mem, *frame, FRAME_FREE, FRAME_HELD);
	return true;
}

static inline void frame_put(struct frame_cache *c, uint32_t frame, uint16_t from)
{
	if (c->n == FRAME_CACHE)
		frame_cache_less(c);
	frame_pass(c->mem, frame, from, FRAME_FREE);
	c->frame[c->n++] = frame;
}
static inline void frame_free(struct frame_cache *c, uint32_t frame)
{
	frame_put(c, frame, FRAME_HELD);
}

/* Frames of a queue that is gone for good go back to the depot: all with this owner. Number found.
 */
uint32_t xsk_mem_reclaim(struct xsk_mem *m, uint16_t owner);

#endif
