/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker in short, for tests that kill it: it forwards between two ports, and what it leaves for
 * the next process lies in shared memory.
 */
#ifndef TESTS_UNIT_KEPT_WORKER_H
#define TESTS_UNIT_KEPT_WORKER_H

#include <string.h>
#include <sys/mman.h>

#include "xsk/port.h"

#define PORTS	    2
#define BURST	    16
#define KEPT_FRAMES 8192

/* What outlives a process beside the frames. */
struct kept {
	struct xsk_queue_kept queue[XSK_SLOTS];
	struct list { /* on its way to a send ring */
		uint32_t n;
		struct xdp_desc d[2 * BURST];
	} out[PORTS];
	uint64_t rx, tx, dropped; /* counters */
	uint64_t turns;
	uint16_t owner[KEPT_FRAMES];
};

struct world {
	struct kept *kept;
	struct xsk_mem *mem;
	struct xsk_port *port[PORTS];
	struct frame_cache cache;
	uint32_t seq_at; /* bytes into a packet: its number */
};

static inline struct xsk_kept kept_of(struct kept *k)
{
	return (struct xsk_kept){ .owner = k->owner, .queue = k->queue };
}

static inline bool is_for_nobody(uint32_t seq)
{
	return seq % 5 == 4;
}

static inline void flush(struct world *w, unsigned port)
{
	struct list *l = &w->kept->out[port];
	uint32_t n = l->n;
	unsigned sent = xsk_queue_tx(w->port[port]->queue[0], l->d, &l->n, &w->cache);

	w->kept->tx += sent;
	for (unsigned i = sent; i < n; i++) {
		w->kept->dropped++;
		frame_free(&w->cache, xsk_mem_frame(w->mem, l->d[i].addr));
	}
}

/* Every fifth packet is for nobody; others go out at the other port. */
static inline void forward(struct world *w, unsigned port, const struct xdp_desc *d)
{
	struct list *l = &w->kept->out[!port];
	uint32_t seq;

	memcpy(&seq, w->mem->base + d->addr + w->seq_at, sizeof(seq));
	if (is_for_nobody(seq)) {
		w->kept->dropped++;
		frame_free(&w->cache, xsk_mem_frame(w->mem, d->addr));
		return;
	}
	l->d[l->n] = *d;
	kept_order();
	l->n++;
}

/* As if it built a packet and thought better of it: frames that were received go through our hands
 * as others. */
static inline void build_for_nothing(struct world *w)
{
	uint32_t frame[2];

	if (!frame_alloc(&w->cache, &frame[0]))
		return;
	if (frame_alloc(&w->cache, &frame[1]))
		frame_free(&w->cache, frame[1]);
	frame_free(&w->cache, frame[0]);
}

static inline unsigned turn(struct world *w)
{
	unsigned total = 0;

	for (unsigned port = 0; port < PORTS; port++) {
		struct xsk_queue *q = w->port[port]->queue[0];
		struct xdp_desc d[BURST];
		unsigned n = xsk_queue_rx(q, d, BURST);

		for (unsigned i = 0; i < n; i += 2) /* not in their order, as two families */
			forward(w, port, &d[i]);
		for (unsigned i = 1; i < n; i += 2)
			forward(w, port, &d[i]);
		build_for_nothing(w);
		flush(w, !port);
		w->kept->rx += n;
		xsk_queue_rx_done(q, n);
		xsk_queue_kick(w->port[!port]->queue[0], &w->cache);
		xsk_queue_fill(q, &w->cache);
		total += n;
	}
	w->kept->turns++;
	return total;
}

/* Of what the lists name, what was not sent stays named. */
static inline void name_pending(struct world *w)
{
	for (unsigned port = 0; port < PORTS; port++) {
		struct list *l = &w->kept->out[port];
		uint32_t n = 0;

		for (uint32_t i = 0; i < l->n; i++)
			if (xsk_mem_pending(w->mem, xsk_mem_frame(w->mem, l->d[i].addr)))
				l->d[n++] = l->d[i];
		l->n = n;
	}
}

#endif
