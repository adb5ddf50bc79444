/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One receive and send queue of one port: four rings over the packet memory.
 *
 * The kernel is at the other end of the rings (xsk/port.c opens the socket), or a test or benchmark
 * is (xsk/memport.c); this code cannot tell. One worker receives. Sending is by that worker too, or
 * by several under `lock` where a port has fewer queues than there are workers. [worker]
 */
#ifndef XSK_QUEUE_H
#define XSK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <xdp/xsk.h>

#include "xsk/mem.h"

enum xsk_mode { XSK_MODE_MEMORY, XSK_MODE_GENERIC, XSK_MODE_COPY, XSK_MODE_ZERO_COPY };
extern const char *const xsk_mode_names[];

struct xsk_queue {
	/* receive side: its worker */
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	struct xsk_mem *mem;
	struct xsk_queue_kept *kept;
	uint32_t stale;	 /* entries of the receive ring that an earlier process may have taken */
	uint32_t depth;	 /* frames to keep posted; follows the packet rate */
	uint64_t posted; /* ever posted; posted - received are with the kernel now */
	uint64_t received;
	uint64_t rated; /* received when the rate was last looked at */
	uint32_t busy;	/* times in a row that it was high then */

	/* send side: under lock when tx_shared */
	struct xsk_ring_prod tx __attribute__((aligned(64)));
	struct xsk_ring_cons comp;
	pthread_spinlock_t lock;
	bool tx_shared;
	bool dead;     /* ENXIO: the device has gone; nothing more is handed over */
	bool more;     /* the last kick ended before the kernel did */
	uint64_t sent; /* ever handed over; sent - completed are with the kernel now */
	uint64_t completed;
	uint64_t strays;       /* frames the kernel gave back that it had not got: 0 */
	uint64_t refused;      /* the device dropped it: EBUSY from sendto (completed too) */
	uint64_t unsent;       /* still in the send ring when the socket closed */
	uint64_t unread;       /* still in the receive ring then */
	uint64_t kicks, again; /* sendto calls; those that said EAGAIN */

	/* set up once */
	int fd;		      /* -1: memory port */
	uint16_t slot, index; /* of the owner table; queue number on the port */
	enum xsk_mode mode;
	char why[96]; /* why no better mode */
	void *map[4];
	size_t map_len[4];
};

/* Up to max received frames into out; they are held now. Until xsk_queue_rx_done() they stay in the
 * ring, so that the next process finds them there if this one is killed. */
unsigned xsk_queue_rx(struct xsk_queue *q, struct xdp_desc *out, unsigned max);

/* The first n of what xsk_queue_rx() gave have gone their way: sent, dropped, or kept by us. The
 * caller counts them just before, and refills after it. */
void xsk_queue_rx_done(struct xsk_queue *q, unsigned n);

/* Post free frames up to q->depth; not between xsk_queue_rx() and xsk_queue_rx_done(). */
void xsk_queue_fill(struct xsk_queue *q, struct frame_cache *c);

/* A zero-copy driver that ran dry sleeps until it is told (copy mode never sets the flag). It may
 * set the flag just after we looked, when all is posted already: look again before sleeping, and
 * now and then. */
void xsk_queue_rouse(const struct xsk_queue *q);

/* Hand over *n held frames; returns how many fit, from the front. Takes back completed frames first
 * when there is no room. Call xsk_queue_kick once per loop after it. *n is 0 then, and was made so
 * before anybody could take a frame back: a list (d, *n) in kept memory never names one that has
 * gone on to something else. */
unsigned xsk_queue_tx(struct xsk_queue *q, const struct xdp_desc *d, uint32_t *n,
		      struct frame_cache *c);

/* Take back completed frames, and make the kernel send what is left in the ring: call it every loop
 * while xsk_queue_busy(). Returns how many packets the device refused (EBUSY) during the call. */
unsigned xsk_queue_kick(struct xsk_queue *q, struct frame_cache *c);

static inline bool xsk_queue_busy(const struct xsk_queue *q)
{
	return __atomic_load_n(&q->sent, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&q->completed, __ATOMIC_RELAXED);
}

/* Another kick would get further at once. Who slept now would leave it to epoll, which sends in
 * copy mode, too, and does not tell what the device refused. */
static inline bool xsk_queue_more(const struct xsk_queue *q)
{
	return __atomic_load_n(&q->more, __ATOMIC_RELAXED);
}

/* Frames under way at this queue: handed over, and not known to be sent. */
static inline uint64_t xsk_queue_ahead(const struct xsk_queue *q)
{
	return __atomic_load_n(&q->sent, __ATOMIC_RELAXED) -
	       __atomic_load_n(&q->completed, __ATOMIC_RELAXED);
}

static inline bool xsk_queue_dead(const struct xsk_queue *q)
{
	return __atomic_load_n(&q->dead, __ATOMIC_RELAXED);
}

/* Descriptors the kernel has not taken yet. */
static inline uint32_t xsk_queue_unsent(const struct xsk_queue *q)
{
	return __atomic_load_n(q->tx.producer, __ATOMIC_RELAXED) -
	       __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE);
}

#endif
