/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of a process that was killed, at any instruction; mem.h has the order of the whole.
 *
 * Each ring and the owner table changed one after the other, in this order:
 *
 *	fill		entries, ring's index, FREE -> POSTED, kept->filled
 *	send		entries, ring's index, held -> SENT, kept->sent
 *	receive		POSTED -> RECEIVED, (packet code), ring's index
 *	completion	SENT -> FREE, ring's index
 *
 * So entries of the first two beyond their mark changed hands, whether or not the table says so;
 * frames of a completion that are not SENT any more were taken back; and of what lies in a receive
 * ring, POSTED was not looked at, RECEIVED was looked at and has not gone anywhere (the packet is
 * received again), and all else has been dealt with: the worker passes it over. A frame that packet
 * code freed and took again is HELD, not RECEIVED, so nobody mistakes it for what it was.
 *
 * What was received, rewritten and queued (a tree of qdiscs, a neighbour that is waited for) by the
 * very burst that was under way is received again as it was rewritten; older ones are lost, and
 * xsk_mem_settle() counts them.
 *
 * The kernel goes on meanwhile: it moves only its ends of the rings. A frame that goes from one
 * ring to the next must not be seen in both, so the ring it goes to is read first.
 */
#include "xsk/port_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_xdp.h>

/* Entries [from, to) of a ring, counted as its indexes are. */
struct window {
	uint32_t from, to;
};

static struct window window(const uint32_t *consumer, const uint32_t *producer)
{
	return (struct window){ __atomic_load_n(consumer, __ATOMIC_ACQUIRE),
				__atomic_load_n(producer, __ATOMIC_ACQUIRE) };
}

/* What is being found out about a queue. */
struct inquiry {
	struct xsk_queue *q;
	struct xsk_port *port;
	uint64_t *seen;	 /* a bit for each frame in two rings that share none */
	const char *bad; /* the first contradiction */
};

static void contradict(struct inquiry *i, const char *bad)
{
	if (!i->bad)
		i->bad = bad;
}

static bool fits(struct inquiry *i, struct window w)
{
	if (w.to - w.from <= i->q->rx.size)
		return true;
	contradict(i, "a ring holds more than its size");
	return false;
}

/* Its place in the owner table; NULL: there is no such frame. */
static uint16_t *owner_of(struct inquiry *i, uint64_t addr)
{
	struct xsk_mem *m = i->q->mem;

	if (addr >> m->shift < m->frames)
		return &m->owner[addr >> m->shift];
	contradict(i, "a ring names a frame that there is not");
	return NULL;
}

static bool is_first(struct inquiry *i, const uint16_t *owner)
{
	size_t frame = (size_t)(owner - i->q->mem->owner);
	uint64_t bit = 1ull << (frame % 64);
	bool first = !(i->seen[frame / 64] & bit);

	i->seen[frame / 64] |= bit;
	return first;
}

static void forget_seen(struct inquiry *i)
{
	memset(i->seen, 0, (i->q->mem->frames + 63) / 64 * sizeof(*i->seen));
}

/* ---- receive and fill */

static void look_at_received(struct inquiry *i)
{
	struct xsk_queue *q = i->q;
	uint64_t size = 1ull << q->mem->shift;
	struct window w = window(q->rx.consumer, q->rx.producer);

	for (uint32_t at = w.from; fits(i, w) && at != w.to; at++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, at);
		const uint16_t *owner = owner_of(i, d->addr);

		if (owner && !is_first(i, owner))
			contradict(i, "a frame was received twice");
		if ((d->addr & (size - 1)) + d->len > size)
			contradict(i, "a received packet is longer than its frame");
	}
}

/* The kernel shows a packet in the receive ring first, and then that it took the frame. */
static bool is_taken_soon(const struct xsk_queue *q, uint32_t at)
{
	for (unsigned i = 0; i < 100000; i++)
		if ((int32_t)(__atomic_load_n(q->fill.consumer, __ATOMIC_ACQUIRE) - at) > 0)
			return true;
	return false;
}

static void finish_fill(struct inquiry *i)
{
	struct xsk_queue *q = i->q;
	uint16_t posted = FRAME_POSTED(q->slot), *owner;
	struct window w = window(q->fill.consumer, q->fill.producer),
		      unmarked = { q->kept->filled, w.to };

	if (!fits(i, w) || !fits(i, unmarked))
		return;
	for (uint32_t at = unmarked.from; at != unmarked.to; at++) {
		owner = owner_of(i, *xsk_ring_prod__fill_addr(&q->fill, at));
		if (owner && *owner == FRAME_FREE)
			*owner = posted;
	}
	for (uint32_t at = w.from; at != w.to; at++) {
		uint64_t addr = *xsk_ring_prod__fill_addr(&q->fill, at);

		owner = owner_of(i, addr);
		if (addr & ((1ull << q->mem->shift) - 1))
			contradict(i, "what is posted is no whole frame");
		if (owner && *owner != posted)
			contradict(i, "a posted frame is somebody else's");
		if (owner && !is_first(i, owner) && !is_taken_soon(q, at))
			contradict(i, "a frame is posted twice");
	}
	q->kept->filled = w.to;
}

/* ---- send and completion */

static void finish_send(struct inquiry *i)
{
	struct xsk_queue *q = i->q;
	uint16_t sent = FRAME_SENT(q->slot), *owner;
	struct window w = window(q->tx.consumer, q->tx.producer),
		      unmarked = { q->kept->sent, w.to };

	if (!fits(i, w) || !fits(i, unmarked))
		return;
	for (uint32_t at = unmarked.from; at != unmarked.to; at++) {
		const struct xdp_desc *d = xsk_ring_prod__tx_desc(&q->tx, at);

		owner = owner_of(i, d->addr);
		if (owner && frame_is_held(*owner))
			*owner = sent;
		i->port->redone_packets++;
		i->port->redone_bytes += d->len;
	}
	for (uint32_t at = w.from; at != w.to; at++) {
		owner = owner_of(i, xsk_ring_prod__tx_desc(&q->tx, at)->addr);
		if (owner && *owner != sent)
			contradict(i, "a frame to be sent is somebody else's");
		if (owner && !is_first(i, owner))
			contradict(i, "a frame is to be sent twice");
	}
	q->kept->sent = w.to;
}

static struct window look_at_completed(struct inquiry *i)
{
	const struct xsk_queue *q = i->q;
	struct window w = window(q->comp.consumer, q->comp.producer);

	for (uint32_t at = w.from; fits(i, w) && at != w.to; at++) {
		const uint16_t *owner = owner_of(i, *xsk_ring_cons__comp_addr(&q->comp, at));

		if (owner && !is_first(i, owner))
			contradict(i, "a frame was sent twice");
	}
	return w;
}

/* Not before finish_send(): what is completed may not have been marked as sent. */
static void finish_completions(struct inquiry *i, struct window w)
{
	struct xsk_queue *q = i->q;
	uint16_t sent = FRAME_SENT(q->slot);

	for (uint32_t at = w.from; fits(i, w) && at != w.to; at++) {
		uint16_t *owner = owner_of(i, *xsk_ring_cons__comp_addr(&q->comp, at));

		if (owner && *owner == sent)
			*owner = FRAME_FREE;
	}
	q->comp.cached_prod = q->comp.cached_cons = w.to;
	__atomic_store_n(q->comp.consumer, w.to, __ATOMIC_RELEASE);
}

/* ---- all of it */

static uint32_t count_owned(const struct xsk_mem *m, uint16_t owner)
{
	uint32_t n = 0;

	for (uint32_t f = 0; f < m->frames; f++)
		n += m->owner[f] == owner;
	return n;
}

int xsk_queue_settle(struct xsk_queue *q, struct xsk_port *p, char *why)
{
	struct inquiry i = { .q = q, .port = p };
	int err = 0;

	i.seen = calloc((q->mem->frames + 63) / 64, sizeof(*i.seen));
	if (i.seen) {
		struct window completed;

		look_at_received(&i);
		finish_fill(&i);
		forget_seen(&i);
		completed = look_at_completed(&i);
		finish_send(&i);
		finish_completions(&i, completed);
	} else {
		contradict(&i, strerror(ENOMEM));
	}
	free(i.seen);
	q->posted = count_owned(q->mem, FRAME_POSTED(q->slot));
	q->sent = count_owned(q->mem, FRAME_SENT(q->slot));
	if (q->posted > q->fill.size || q->sent > q->tx.size)
		contradict(&i, "a queue owns more frames than its rings hold");
	if (i.bad)
		err = xsk_why(why, -EUCLEAN, "%s queue %u: %s", p->name, q->index, i.bad);
	return err;
}

void xsk_port_resume(struct xsk_port *p, struct xsk_port_done *done)
{
	*done = (struct xsk_port_done){ .tx_packets = p->redone_packets,
					.tx_bytes = p->redone_bytes };
	for (unsigned k = 0; k < p->nqueues; k++) {
		struct xsk_queue *q = p->queue[k];
		uint16_t posted = FRAME_POSTED(q->slot);
		struct window w = window(q->rx.consumer, q->rx.producer);

		for (uint32_t at = w.from; at != w.to; at++) {
			const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, at);
			uint16_t *owner = &q->mem->owner[xsk_mem_frame(q->mem, d->addr)];

			if (*owner == FRAME_RECEIVED(q->slot)) {
				*owner = posted;
				q->posted++;
			} else if (*owner != posted) {
				done->rx_packets++;
				done->rx_bytes += d->len;
				q->stale = at + 1 - w.from;
			}
		}
	}
}

/* ---- sockets */

static int find_slot(const struct xsk_mem *m, int ifindex, unsigned index)
{
	for (unsigned slot = 0; slot < XSK_SLOTS; slot++) {
		const struct xsk_queue_kept *k = &m->queue[slot];

		if (k->used && k->cookie && k->ifindex == ifindex && k->index == index &&
		    !(m->served[slot / 64] >> (slot % 64) & 1))
			return (int)slot;
	}
	return -ENOENT;
}

unsigned xsk_port_kept(const struct xsk_mem *m, int ifindex)
{
	unsigned n = 0;

	while (n < XSK_QUEUES_MAX && find_slot(m, ifindex, n) >= 0)
		n++;
	return n;
}

/* Is it the socket that this slot was written for? Then its rings have the size we remember. */
static const char *doubt_socket(const struct xsk_queue *q)
{
	const struct xsk_queue_kept *k = q->kept;
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (q->fd < 0)
		return "its socket was not handed over";
	if (getsockopt(q->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) || cookie != k->cookie)
		return "the descriptor is another socket";
	if (k->ring_size == 0 || k->ring_size & (k->ring_size - 1))
		return "no ring has this size";
	return NULL;
}

static int queue_adopt(struct xsk_queue *q, struct xsk_port *p, const struct xsk_port_config *c,
		       char *why)
{
	const char *doubt = doubt_socket(q);
	struct xdp_options opts = { 0 };
	socklen_t len = sizeof(opts);
	int err;

	if (doubt)
		return xsk_why(why, -EUCLEAN, "%s queue %u: %s", p->name, q->index, doubt);
	err = xsk_queue_map(q, q->kept->ring_size);
	if (!err && getsockopt(q->fd, SOL_XDP, XDP_OPTIONS, &opts, &len))
		err = -errno;
	if (err)
		return xsk_why(why, -EUCLEAN, "%s queue %u: %s", p->name, q->index, strerror(-err));
	q->mode = opts.flags & XDP_OPTIONS_ZEROCOPY   ? XSK_MODE_ZERO_COPY
		  : q->kept->mode == XSK_MODE_GENERIC ? XSK_MODE_GENERIC
						      : XSK_MODE_COPY;
	err = xsk_queue_settle(q, p, why);
	if (!err)
		xsk_queue_tune(q, c);
	return err;
}

/* Queues for the kept slots, each with its descriptor; a descriptor too many is closed. */
static int take_queues(struct xsk_port *p, const struct xsk_port_config *c, const int *fds,
		       char *why)
{
	int err = 0;

	for (unsigned i = 0; i < c->queues; i++) {
		int slot = i < XSK_QUEUES_MAX ? find_slot(p->mem, p->ifindex, i) : -ENOENT;
		struct xsk_queue *q = NULL;

		if (slot >= 0)
			q = xsk_queue_create(p->mem, slot, p->ifindex, i,
					     p->mem->queue[slot].ring_size, c->tx_shared);
		if (q) {
			q->fd = fds[i];
			p->queue[p->nqueues++] = q;
			continue;
		}
		if (fds[i] >= 0)
			close(fds[i]);
		err = xsk_why(why, slot < 0 ? -EUCLEAN : -ENOMEM, "%s queue %u: %s", p->name, i,
			      slot < 0 ? "nothing is known of it" : "out of memory");
	}
	return err;
}

int xsk_port_adopt(struct xsk_mem *m, const struct xsk_port_config *c, const int *fds,
		   struct xsk_port **out, char *why)
{
	struct xsk_port *p = calloc(1, sizeof(*p));
	int err;

	why[0] = '\0';
	if (!p) {
		for (unsigned i = 0; i < c->queues; i++)
			close(fds[i]);
		return xsk_why(why, -ENOMEM, "out of memory");
	}
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	p->ifindex = c->ifindex;
	p->mem = m;
	err = take_queues(p, c, fds, why);
	for (unsigned i = 0; i < p->nqueues; i++) { /* all: their frames must be known */
		char other[XSK_PORT_WHY];
		int bad = queue_adopt(p->queue[i], p, c, err ? other : why);

		err = err ? err : bad;
	}
	if (err)
		xsk_port_close(p);
	*out = p;
	return err;
}
