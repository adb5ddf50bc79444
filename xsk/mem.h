/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet memory: one memfd for the whole process, cut into frames, and who owns each frame.
 *
 * A frame is either ours (free in a cache or the depot, or held by packet code) or with a queue
 * (posted for receive, or handed over for sending). Every change of owner is one store in owner[],
 * so that the frames of a queue that vanished can be found again, and free + held + posted + sent
 * == frames is provable.
 *
 * A process may be killed between any two instructions, and the next one goes on with its memory,
 * its owner table and its sockets, if somebody held them meanwhile: struct xsk_kept is what must
 * outlive it beside the memfd. The owner table says nearly all; the marks of a queue say how far
 * the table is right where a ring is filled, as the two cannot change at once. Order of adoption
 * [control, no worker runs]:
 *
 *	xsk_mem_adopt()		the memory, with nothing free yet
 *	xsk_port_adopt()	each port: what was in the middle of a change is finished
 *	xsk_mem_pending()	each frame in a list of what the dead process was about to send
 *	xsk_port_resume()	each port: what it had received and not dealt with is received again
 *	xsk_mem_settle()	the rest is free; from here on as after xsk_mem_create()
 *	xsk_queue_tx()		what was pending goes out
 *	xsk_mem_populate()	while workers run already
 *	xsk_mem_orphans()	later: frames of queues that nobody adopted
 *
 * Killed in the middle of this, the next process does it again, and it comes to the same.
 */
#ifndef XSK_MEM_H
#define XSK_MEM_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xsk_hugepages { XSK_HUGEPAGES_PREFER, XSK_HUGEPAGES_REQUIRE, XSK_HUGEPAGES_OFF };

/* Owner slots: one for each queue there is, closed ports included until their frames are back. */
#define XSK_SLOTS 4096

/* owner[] values: free, held, posted, sent in the low two bits, above them a queue's slot + 1. */
#define FRAME_FREE	     0
#define FRAME_HELD	     1
#define FRAME_RECEIVED(slot) ((uint16_t)(((slot) + 1) << 2 | 1)) /* held: out of that queue */
#define FRAME_POSTED(slot)   ((uint16_t)(((slot) + 1) << 2 | 2))
#define FRAME_SENT(slot)     ((uint16_t)(((slot) + 1) << 2 | 3))
#define FRAME_PENDING	     0xfffd /* held: a dead process was about to send it */

static inline bool frame_is_held(uint16_t owner)
{
	return (owner & 3) == FRAME_HELD;
}

/* What the next process must know of a queue: plain numbers, in this layout for ever. */
struct xsk_queue_kept {
	uint32_t used;	    /* the slot is taken */
	int32_t ifindex;    /* 0: a memory port */
	uint64_t cookie;    /* SO_COOKIE of the bound socket; 0: not bound, or closed */
	uint32_t index;	    /* queue number on the port */
	uint32_t ring_size; /* of all four rings */
	uint32_t mode;	    /* enum xsk_mode */
	/* Producer indexes up to which owner[] is right. Entries from there to the ring's own index
	 * were in the middle of changing hands. */
	uint32_t filled; /* free, becoming posted */
	uint32_t sent;	 /* held, becoming sent */
} __attribute__((aligned(64)));
static_assert(sizeof(struct xsk_queue_kept) == 64, "shared with other versions");

struct xsk_kept {
	uint16_t *owner;	      /* one a frame */
	struct xsk_queue_kept *queue; /* XSK_SLOTS */
};

struct xsk_mem {
	uint8_t *base;
	uint64_t size;
	uint32_t frames;
	unsigned shift; /* log2 of the frame size */
	int fd;
	bool huge;     /* 2 MiB pages */
	bool own_kept; /* nobody gave us any: ends with us */
	uint16_t *owner;
	struct xsk_queue_kept *queue;	 /* by slot */
	uint64_t served[XSK_SLOTS / 64]; /* a bit each: a queue of this process has it */

	pthread_mutex_t lock; /* the depot: frames no worker has cached */
	uint32_t ndepot;
	uint32_t *depot;
};

/* frame_size: 2048 or 4096. kept: cleared and used until the end; NULL: nothing outlives us. 0 or
 * -errno: -ENOMEM names in errno's sense that so much memory, or so many huge pages, are not there.
 * [control] */
int xsk_mem_create(uint32_t frames, uint32_t frame_size, enum xsk_hugepages huge,
		   const struct xsk_kept *kept, struct xsk_mem **out);

/* The memory of an earlier process, mapped and not populated: that takes long; fd is ours if this
 * succeeds. -EINVAL: this memfd does not hold
 * so many frames; -EUCLEAN: the owner table names queues that there are not. [control] */
int xsk_mem_adopt(int fd, uint32_t frames, uint32_t frame_size, const struct xsk_kept *kept,
		  struct xsk_mem **out);
/* Is this frame still to be sent? False: a queue has it already, or it was named before. */
bool xsk_mem_pending(struct xsk_mem *m, uint32_t frame);
/* All free frames go to the depot, and so do those the dead process held, but for pending ones.
 * How many of these there were: packets that are lost. */
uint32_t xsk_mem_settle(struct xsk_mem *m);
/* Maps all pages at once, some 200 ns each where they are small: else workers pay for each when
 * they come to it. */
void xsk_mem_populate(const struct xsk_mem *m);
/* Frames of queues that nobody adopted, when their sockets are surely gone, and their devices write
 * no more: a second after xsk_mem_settle(). Number of frames. */
uint32_t xsk_mem_orphans(struct xsk_mem *m);
void xsk_mem_destroy(struct xsk_mem *m);

/* A kill finds in memory what was stored before this, and nothing of what comes after it: it keeps
 * the compiler from moving stores. The processor needs no telling, as it dies with its own program
 * order. */
static inline void kept_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline uint32_t xsk_mem_frame(const struct xsk_mem *m, uint64_t addr)
{
	return (uint32_t)(addr >> m->shift);
}
static inline uint64_t xsk_mem_addr(const struct xsk_mem *m, uint32_t frame)
{
	return (uint64_t)frame << m->shift;
}

/* The one place where a frame changes hands. FRAME_HELD as `from` is any kind of held. Checked in
 * sanitizer and debug builds. [owner's thread] */
static inline void frame_pass(struct xsk_mem *m, uint32_t frame, uint16_t from, uint16_t to)
{
#ifdef FRAME_CHECK
	assert(frame < m->frames);
	assert(m->owner[frame] == from || (from == FRAME_HELD && frame_is_held(m->owner[frame])));
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
