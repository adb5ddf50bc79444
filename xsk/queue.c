/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring operations with the ownership of every frame.
 *
 * The rules of sendto(2) on AF_XDP (kernel net/xdp/xsk.c) that xsk_queue_kick() lives by: it never
 * sleeps; EAGAIN means "budget used up, or no room: reap and ask again"; EBUSY means the device
 * dropped the packet it was at, which is completed all the same, and stopped there; ENETDOWN passes
 * when the link comes back; ENXIO does not pass. What is left in the send ring is nobody's business
 * but ours.
 */
#include "xsk/queue.h"

#include <errno.h>
#include <sys/socket.h>

#define KICKS_MAX 64 /* sendto calls in one kick: bounds a loop over a device that refuses */

const char *const xsk_mode_names[] = {
	[XSK_MODE_MEMORY] = "memory",
	[XSK_MODE_GENERIC] = "generic",
	[XSK_MODE_COPY] = "copy",
	[XSK_MODE_ZERO_COPY] = "zero-copy",
};

/* Entries at the front that an earlier process has dealt with go; how many there are then, up to
 * max, that it has not. */
static unsigned pass_stale(struct xsk_queue *q, unsigned max)
{
	struct xsk_mem *m = q->mem;
	uint16_t posted = FRAME_POSTED(q->slot);
	uint32_t idx, n = 0;

	while (q->stale && xsk_ring_cons__peek(&q->rx, 1, &idx)) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, idx);

		if (m->owner[xsk_mem_frame(m, d->addr)] == posted) {
			xsk_ring_cons__cancel(&q->rx, 1);
			break;
		}
		xsk_ring_cons__release(&q->rx, 1);
		q->stale--;
	}
	if (!q->stale)
		return max;
	for (idx = q->rx.cached_cons; n < max && n < q->stale; n++, idx++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, idx);

		if (m->owner[xsk_mem_frame(m, d->addr)] != posted)
			break;
	}
	q->stale -= n;
	return n;
}

/* Is it a frame that the kernel has got from us? A driver that gives one twice, or makes one up,
 * would have two packets write to it. */
static bool is_with(const struct xsk_mem *m, uint64_t addr, uint16_t owner)
{
	uint32_t frame = xsk_mem_frame(m, addr);

	return __builtin_expect(addr >> m->shift < m->frames && m->owner[frame] == owner, 1);
}

/* The first entry is no frame of this queue: it is passed over. */
static void pass_stray(struct xsk_queue *q)
{
	uint32_t idx;

	if (!xsk_ring_cons__peek(&q->rx, 1, &idx))
		return;
	xsk_ring_cons__release(&q->rx, 1);
	__atomic_store_n(&q->strays, q->strays + 1, __ATOMIC_RELAXED);
}

unsigned xsk_queue_rx(struct xsk_queue *q, struct xdp_desc *out, unsigned max)
{
	struct xsk_mem *m = q->mem;
	uint16_t posted = FRAME_POSTED(q->slot), received = FRAME_RECEIVED(q->slot);
	uint32_t idx, n, i;

	if (__builtin_expect(q->stale, 0))
		max = pass_stale(q, max);
	n = xsk_ring_cons__peek(&q->rx, max, &idx);
	if (!n)
		return 0;
	for (i = 0; i < n; i++) {
		out[i] = *xsk_ring_cons__rx_desc(&q->rx, idx + i);
		if (!is_with(m, out[i].addr, posted))
			break;
		frame_pass(m, xsk_mem_frame(m, out[i].addr), posted, received);
	}
	if (__builtin_expect(i < n, 0)) {
		xsk_ring_cons__cancel(&q->rx, n - i);
		n = i;
		if (!n) /* else next time */
			pass_stray(q);
	}
	__atomic_store_n(&q->received, q->received + n, __ATOMIC_RELAXED);
	return n;
}

void xsk_queue_rx_done(struct xsk_queue *q, unsigned n)
{
	xsk_ring_cons__release(&q->rx, n);
}

void xsk_queue_fill(struct xsk_queue *q, struct frame_cache *c)
{
	struct xsk_mem *m = q->mem;
	uint16_t posted = FRAME_POSTED(q->slot);
	uint32_t have = (uint32_t)(q->posted - q->received), want, idx = 0;
	const uint32_t *frame;

	/* A frame of an entry that is passed over must not look like one that is to be received. */
	if (have >= q->depth || q->stale)
		return;
	want = q->depth - have;
	if (c->n < want)
		frame_cache_more(c);
	if (want > c->n)
		want = c->n;
	if (!want || xsk_ring_prod__reserve(&q->fill, want, &idx) != want)
		return;
	frame = c->frame + c->n - 1; /* the last used first: it may be in the CPU's cache */
	for (uint32_t i = 0; i < want; i++)
		*xsk_ring_prod__fill_addr(&q->fill, idx + i) = xsk_mem_addr(m, *(frame - i));
	xsk_ring_prod__submit(&q->fill, want);
	kept_order();
	for (uint32_t i = 0; i < want; i++)
		frame_pass(m, *(frame - i), FRAME_FREE, posted);
	__atomic_store_n(&q->kept->filled, idx + want, __ATOMIC_RELEASE);
	c->n -= want;
	__atomic_store_n(&q->posted, q->posted + want, __ATOMIC_RELAXED);
	xsk_queue_rouse(q);
}

void xsk_queue_rouse(const struct xsk_queue *q)
{
	if (q->fd >= 0 && xsk_ring_prod__needs_wakeup(&q->fill))
		recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void reap(struct xsk_queue *q, struct frame_cache *c)
{
	struct xsk_mem *m = q->mem;
	uint16_t owner = FRAME_SENT(q->slot);
	uint32_t idx, n;

	while ((n = xsk_ring_cons__peek(&q->comp, FRAME_SLAB, &idx)) > 0) {
		uint32_t strays = 0;

		for (uint32_t i = 0; i < n; i++) {
			uint64_t addr = *xsk_ring_cons__comp_addr(&q->comp, idx + i);

			if (is_with(m, addr, owner))
				frame_put(c, xsk_mem_frame(m, addr), owner);
			else
				strays++;
		}
		xsk_ring_cons__release(&q->comp, n);
		__atomic_store_n(&q->completed, q->completed + n - strays, __ATOMIC_RELAXED);
		__atomic_store_n(&q->strays, q->strays + strays, __ATOMIC_RELAXED);
	}
}

static void lock(struct xsk_queue *q)
{
	if (q->tx_shared)
		pthread_spin_lock(&q->lock);
}

static void unlock(struct xsk_queue *q)
{
	if (q->tx_shared)
		pthread_spin_unlock(&q->lock);
}

/* How many of n can be sent now: with the lock held. */
static uint32_t send_room(struct xsk_queue *q, uint32_t n, struct frame_cache *c)
{
	uint32_t room = xsk_prod_nb_free(&q->tx, n);

	if (q->dead)
		return 0;
	/* The completion ring is as large as the send ring: never owe more than it holds. */
	if (room < n || q->sent + n - q->completed > q->tx.size) {
		uint32_t owed;

		reap(q, c);
		room = xsk_prod_nb_free(&q->tx, n);
		owed = (uint32_t)(q->sent - q->completed);
		if (room > q->tx.size - owed)
			room = q->tx.size - owed;
	}
	return room < n ? room : n;
}

unsigned xsk_queue_tx(struct xsk_queue *q, const struct xdp_desc *d, uint32_t *n,
		      struct frame_cache *c)
{
	struct xsk_mem *m = q->mem;
	uint16_t owner = FRAME_SENT(q->slot);
	uint32_t idx = 0, room;

	lock(q);
	room = send_room(q, *n, c);
	if (room && xsk_ring_prod__reserve(&q->tx, room, &idx) != room)
		room = 0;
	if (room) {
		for (uint32_t i = 0; i < room; i++)
			*xsk_ring_prod__tx_desc(&q->tx, idx + i) =
				(struct xdp_desc){ .addr = d[i].addr, .len = d[i].len };
		xsk_ring_prod__submit(&q->tx, room);
		kept_order();
		for (uint32_t i = 0; i < room; i++)
			frame_pass(m, xsk_mem_frame(m, d[i].addr), FRAME_HELD, owner);
		__atomic_store_n(&q->kept->sent, idx + room, __ATOMIC_RELEASE);
		__atomic_store_n(&q->sent, q->sent + room, __ATOMIC_RELAXED);
	}
	__atomic_store_n(n, 0, __ATOMIC_RELEASE);
	unlock(q);
	return room;
}

/* One sendto; true if another one may get further. */
static bool kick_once(struct xsk_queue *q, unsigned *refused)
{
	uint32_t before = __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE);

	__atomic_store_n(&q->kicks, q->kicks + 1, __ATOMIC_RELAXED);
	if (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
		return __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE) != before;
	switch (errno) {
	case EBUSY: ++*refused; return true;
	case EAGAIN: q->again++; return __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE) != before;
	case ENXIO: __atomic_store_n(&q->dead, true, __ATOMIC_RELAXED); return false;
	default: /* ENETDOWN, ENOBUFS: try again in a later loop */ return false;
	}
}

unsigned xsk_queue_kick(struct xsk_queue *q, struct frame_cache *c)
{
	unsigned refused = 0;
	bool more = false;

	lock(q);
	reap(q, c);
	if (q->fd >= 0 && !q->dead) {
		for (int i = 0; i < KICKS_MAX; i++) {
			more = xsk_queue_unsent(q) && xsk_ring_prod__needs_wakeup(&q->tx) &&
			       kick_once(q, &refused);
			reap(q, c);
			if (!more)
				break;
		}
		__atomic_store_n(&q->refused, q->refused + refused, __ATOMIC_RELAXED);
	}
	more = more && q->mode != XSK_MODE_ZERO_COPY && xsk_queue_unsent(q);
	__atomic_store_n(&q->more, more, __ATOMIC_RELAXED);
	unlock(q);
	return refused;
}
