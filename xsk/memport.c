/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire side of a memory port: plays the kernel on the four rings. Headroom is as the kernel
 * leaves it. */
#include "xsk/port.h"

#include <linux/bpf.h>
#include <string.h>

#define HEADROOM 256 /* XDP_PACKET_HEADROOM */

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
