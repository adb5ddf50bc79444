/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory ports: the four rings in memory that a fork shares, and the wire, which plays the kernel
 * on them. Headroom is as the kernel leaves it.
 */
#include "xsk/port_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEADROOM 256 /* XDP_PACKET_HEADROOM */

/* Indexes on lines of their own, as in the kernel's layout; then the rings: received, to send,
 * posted, completed. */
struct mem_rings {
	uint32_t index[8][16];
	uint32_t flags[16];
	uint8_t ring[];
};

size_t xsk_memport_rings_size(uint32_t n)
{
	return sizeof(struct mem_rings) + 2 * n * (sizeof(struct xdp_desc) + sizeof(uint64_t));
}

void *xsk_memport_rings(const struct xsk_port *p, unsigned queue)
{
	return p->queue[queue]->rx.producer; /* the first that lies in them */
}

static void use_rings(struct xsk_queue *q, struct mem_rings *r, uint32_t n)
{
	uint8_t *rx = r->ring, *tx = rx + n * sizeof(struct xdp_desc),
		*fill = tx + n * sizeof(struct xdp_desc), *comp = fill + n * sizeof(uint64_t);

	q->mode = XSK_MODE_MEMORY;
	q->rx = (struct xsk_ring_cons){ *r->index[1], *r->index[1], n - 1, n,
					r->index[0],  r->index[1],  rx,	   r->flags };
	q->tx = (struct xsk_ring_prod){ *r->index[2], *r->index[3] + n, n - 1, n,
					r->index[2],  r->index[3],	tx,    r->flags };
	q->fill = (struct xsk_ring_prod){ *r->index[4], *r->index[5] + n, n - 1, n,
					  r->index[4],	r->index[5],	  fill,	 r->flags };
	q->comp = (struct xsk_ring_cons){ *r->index[7], *r->index[7], n - 1, n,
					  r->index[6],	r->index[7],  comp,  r->flags };
}

static int add_queue(struct xsk_port *p, int slot, uint32_t n, void *rings)
{
	struct xsk_queue *q = xsk_queue_create(p->mem, slot, 0, p->nqueues, n, false);

	if (!q)
		return -ENOMEM;
	if (!rings) {
		rings = mmap(NULL, xsk_memport_rings_size(n), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (rings == MAP_FAILED) {
			xsk_queue_destroy(q);
			return -ENOMEM;
		}
		q->map[0] = rings;
		q->map_len[0] = xsk_memport_rings_size(n);
	}
	use_rings(q, rings, n);
	p->queue[p->nqueues++] = q;
	return 0;
}

static struct xsk_port *port_create(struct xsk_mem *m, const char *name)
{
	struct xsk_port *p = calloc(1, sizeof(*p));

	if (p) {
		snprintf(p->name, sizeof(p->name), "%s", name);
		p->mem = m;
	}
	return p;
}

int xsk_memport_open(struct xsk_mem *m, const char *name, unsigned queues, uint32_t ring_size,
		     struct xsk_port **out)
{
	struct xsk_port *p = port_create(m, name);

	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < queues && i < XSK_QUEUES_MAX; i++) {
		if (add_queue(p, -1, ring_size, NULL)) {
			xsk_port_reclaim(p);
			xsk_port_free(p);
			return -ENOMEM;
		}
		xsk_queue_post_first(p->queue[i]);
	}
	*out = p;
	return 0;
}

int xsk_memport_adopt(struct xsk_mem *m, const char *name, unsigned slot, void *rings,
		      struct xsk_port **out, char *why)
{
	struct xsk_port *p = port_create(m, name);
	int err;

	if (!p)
		return -ENOMEM;
	err = add_queue(p, (int)slot, m->queue[slot].ring_size, rings);
	if (err) {
		xsk_port_free(p);
		return err;
	}
	err = xsk_queue_settle(p->queue[0], p, why);
	if (err)
		xsk_port_close(p);
	*out = p;
	return err;
}

void xsk_memwire_init(struct xsk_memwire *w, struct xsk_port *p, unsigned queue)
{
	struct xsk_queue *q = p->queue[queue];

	*w = (struct xsk_memwire){ .q = q,
				   .fill_at = *q->fill.consumer,
				   .rx_at = *q->rx.producer,
				   .tx_at = *q->tx.consumer,
				   .comp_at = *q->comp.producer };
}

unsigned xsk_memwire_take(struct xsk_memwire *w, uint8_t **data, unsigned n)
{
	struct xsk_queue *q = w->q;
	uint32_t posted = __atomic_load_n(q->fill.producer, __ATOMIC_ACQUIRE) - w->fill_at;
	uint32_t used = w->rx_at - __atomic_load_n(q->rx.consumer, __ATOMIC_ACQUIRE);

	if (n > posted)
		n = posted;
	if (n > q->rx.size - used)
		n = q->rx.size - used;
	for (unsigned i = 0; i < n; i++)
		data[i] = q->mem->base + *xsk_ring_prod__fill_addr(&q->fill, w->fill_at + i) +
			  HEADROOM;
	w->fill_at += n;
	__atomic_store_n(q->fill.consumer, w->fill_at, __ATOMIC_RELEASE);
	return n;
}

void xsk_memwire_deliver(struct xsk_memwire *w, uint8_t *const *data, const uint32_t *len,
			 unsigned n)
{
	struct xsk_queue *q = w->q;

	for (unsigned i = 0; i < n; i++) {
		struct xdp_desc *d = &((struct xdp_desc *)q->rx.ring)[(w->rx_at + i) & q->rx.mask];

		*d = (struct xdp_desc){ .addr = (uint64_t)(data[i] - q->mem->base), .len = len[i] };
	}
	w->rx_at += n;
	__atomic_store_n(q->rx.producer, w->rx_at, __ATOMIC_RELEASE);
}

unsigned xsk_memwire_sent(struct xsk_memwire *w, uint8_t **data, uint32_t *len, unsigned n)
{
	struct xsk_queue *q = w->q;
	uint32_t have = __atomic_load_n(q->tx.producer, __ATOMIC_ACQUIRE) - w->tx_at;

	if (n > have)
		n = have;
	for (unsigned i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_prod__tx_desc(&q->tx, w->tx_at + i);

		data[i] = q->mem->base + d->addr;
		len[i] = d->len;
	}
	return n;
}

void xsk_memwire_done(struct xsk_memwire *w, unsigned n)
{
	struct xsk_queue *q = w->q;

	for (unsigned i = 0; i < n; i++)
		((uint64_t *)q->comp.ring)[(w->comp_at + i) & q->comp.mask] =
			xsk_ring_prod__tx_desc(&q->tx, w->tx_at + i)->addr;
	w->tx_at += n;
	w->comp_at += n;
	__atomic_store_n(q->tx.consumer, w->tx_at, __ATOMIC_RELEASE);
	__atomic_store_n(q->comp.producer, w->comp_at, __ATOMIC_RELEASE);
}
