/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of a port.
 *
 * The mode ladder per queue: zero-copy, else copy; each bind names its mode, since a bind without
 * one falls back silently. The feature bit of a driver may lie, so the bind itself is the question,
 * XDP_OPTIONS the answer, and the reason for not being better is kept in queue->why. Generic mode
 * is a property of the XDP program's attachment: the socket is in copy mode then, and only the name
 * differs.
 *
 * Order: socket, UMEM over the whole memory, ring sizes, mmap, fill posted, bind. Some drivers drop
 * or leak when they find an empty fill ring at bind.
 */
#include "xsk/port_private.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef XDP_MAX_TX_SKB_BUDGET /* since 6.17; EINVAL before */
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#define SO_BUSY_POLL_BUDGET 70
#endif
#define SNDBUF_BYTES (16 << 20) /* copy mode charges each frame in flight to the socket */

int xsk_why(char *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, XSK_PORT_WHY, fmt, ap);
	va_end(ap);
	return err;
}

static int map_ring(struct xsk_queue *q, int i, off_t pgoff, size_t len, uint8_t **out)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, q->fd, pgoff);

	if (p == MAP_FAILED)
		return -errno;
	q->map[i] = p;
	q->map_len[i] = len;
	*out = p;
	return 0;
}

static void ring_prod(struct xsk_ring_prod *r, uint8_t *at, const struct xdp_ring_offset *o,
		      uint32_t n)
{
	*r = (struct xsk_ring_prod){ .mask = n - 1,
				     .size = n,
				     .producer = (void *)(at + o->producer),
				     .consumer = (void *)(at + o->consumer),
				     .ring = at + o->desc,
				     .flags = (void *)(at + o->flags) };
	r->cached_prod = *r->producer;
	r->cached_cons = *r->consumer + n;
}

static void ring_cons(struct xsk_ring_cons *r, uint8_t *at, const struct xdp_ring_offset *o,
		      uint32_t n)
{
	*r = (struct xsk_ring_cons){ .mask = n - 1,
				     .size = n,
				     .producer = (void *)(at + o->producer),
				     .consumer = (void *)(at + o->consumer),
				     .ring = at + o->desc,
				     .flags = (void *)(at + o->flags) };
	r->cached_prod = *r->producer;
	r->cached_cons = *r->consumer;
}

static int set_option(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, value, len) ? -errno : 0;
}

static int size_rings(const struct xsk_queue *q, uint32_t n)
{
	static const int ring[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
				    XDP_TX_RING };
	int err = 0;

	for (unsigned i = 0; i < 4 && !err; i++)
		err = set_option(q->fd, ring[i], &n, sizeof(n));
	return err;
}

int xsk_queue_map(struct xsk_queue *q, uint32_t n)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	uint8_t *at = NULL;
	int err;

	if (getsockopt(q->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return -errno;
	err = map_ring(q, 0, XDP_UMEM_PGOFF_FILL_RING, off.fr.desc + n * sizeof(uint64_t), &at);
	if (err)
		return err;
	ring_prod(&q->fill, at, &off.fr, n);
	err = map_ring(q, 1, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
		       off.cr.desc + n * sizeof(uint64_t), &at);
	if (err)
		return err;
	ring_cons(&q->comp, at, &off.cr, n);
	err = map_ring(q, 2, XDP_PGOFF_RX_RING, off.rx.desc + n * sizeof(struct xdp_desc), &at);
	if (err)
		return err;
	ring_cons(&q->rx, at, &off.rx, n);
	err = map_ring(q, 3, XDP_PGOFF_TX_RING, off.tx.desc + n * sizeof(struct xdp_desc), &at);
	if (err)
		return err;
	ring_prod(&q->tx, at, &off.tx, n);
	return 0;
}

/* Both only help: failure costs speed, not function. */
void xsk_queue_tune(const struct xsk_queue *q, const struct xsk_port_config *c)
{
	int sndbuf = SNDBUF_BYTES, one = 1;
	int usecs = (int)c->busy_poll_usecs, budget = (int)c->busy_poll_budget;
	uint32_t skbs = q->tx.size;

	if (q->mode != XSK_MODE_ZERO_COPY) {
		setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
		set_option(q->fd, XDP_MAX_TX_SKB_BUDGET, &skbs, sizeof(skbs));
	}
	if (usecs) {
		setsockopt(q->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &one, sizeof(one));
		setsockopt(q->fd, SOL_SOCKET, SO_BUSY_POLL, &usecs, sizeof(usecs));
		setsockopt(q->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget));
	}
}

static int bind_mode(const struct xsk_queue *q, int ifindex, uint16_t mode)
{
	struct sockaddr_xdp sa = { .sxdp_family = AF_XDP,
				   .sxdp_ifindex = (uint32_t)ifindex,
				   .sxdp_queue_id = q->index,
				   .sxdp_flags = mode | XDP_USE_NEED_WAKEUP };

	return bind(q->fd, (struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
}

static const char *bind_hint(int err)
{
	return err == -EBUSY ? " (the queue is bound to another AF_XDP socket)" : "";
}

/* A feature bit that lies looks like a mistake of ours. */
static const char *zero_copy_hint(int err)
{
	switch (err) {
	case -EOPNOTSUPP: return " (the driver has none)";
	case -EINVAL: return " (not on this device; virtio-net needs iommu_platform)";
	default: return "";
	}
}

static int bind_ladder(struct xsk_queue *q, const struct xsk_port_config *c, char *why)
{
	struct xdp_options opts = { 0 };
	socklen_t len = sizeof(opts);
	int err;

	if (c->want == XSK_WANT_BEST || c->want == XSK_WANT_ZERO_COPY) {
		err = c->no_zero_copy ? -EOPNOTSUPP : bind_mode(q, c->ifindex, XDP_ZEROCOPY);
		if (!err)
			goto bound;
		if (err == -EBUSY || err == -ENETDOWN || err == -ENODEV)
			return xsk_why(why, err, "%s queue %u: bind: %s%s", c->name, q->index,
				       strerror(-err), bind_hint(err));
		if (c->no_zero_copy)
			snprintf(q->why, sizeof(q->why), "%s", c->no_zero_copy);
		else
			snprintf(q->why, sizeof(q->why), "zero-copy bind: %s%s", strerror(-err),
				 zero_copy_hint(err));
		if (c->want == XSK_WANT_ZERO_COPY)
			return xsk_why(why, err,
				       "%s queue %u: %s; xdp.mode: zero-copy allows no other",
				       c->name, q->index, q->why);
	} else {
		snprintf(q->why, sizeof(q->why), "xdp.mode asks for %s",
			 c->want == XSK_WANT_COPY ? "copy" : "generic");
	}
	err = bind_mode(q, c->ifindex, XDP_COPY);
	if (err)
		return xsk_why(why, err, "%s queue %u: bind in copy mode: %s%s", c->name, q->index,
			       strerror(-err), bind_hint(err));
bound:
	if (getsockopt(q->fd, SOL_XDP, XDP_OPTIONS, &opts, &len))
		return -errno;
	q->mode = opts.flags & XDP_OPTIONS_ZEROCOPY ? XSK_MODE_ZERO_COPY
		  : c->want == XSK_WANT_GENERIC	    ? XSK_MODE_GENERIC
						    : XSK_MODE_COPY;
	return 0;
}

void xsk_queue_post_first(struct xsk_queue *q)
{
	struct frame_cache *c = malloc(sizeof(*c));

	if (!c)
		return;
	frame_cache_init(c, q->mem);
	while (q->posted < q->depth) {
		uint64_t before = q->posted;
		uint32_t depth = q->depth;

		/* a slab at a time: the cache is smaller than a deep ring */
		if (q->depth > q->posted + FRAME_SLAB)
			q->depth = (uint32_t)q->posted + FRAME_SLAB;
		xsk_queue_fill(q, c);
		q->depth = depth;
		if (q->posted == before)
			break;
	}
	frame_cache_fini(c);
	free(c);
}

/* Rings hold a reference to their socket. Those of a memory port are its own, and stay to the end.
 */
static void unmap_rings(struct xsk_queue *q)
{
	for (int i = 0; i < 4; i++)
		if (q->map[i])
			munmap(q->map[i], q->map_len[i]);
	memset(q->map, 0, sizeof(q->map));
}

/* What the rings still hold is read when the kernel is done with them, and before they go. Nobody
 * shall adopt what is being closed. */
static void queue_close(struct xsk_queue *q)
{
	bool first = q->fd >= 0 || !q->dead;

	__atomic_store_n(&q->kept->cookie, 0, __ATOMIC_SEQ_CST);
	if (q->fd >= 0)
		close(q->fd);
	if (first && q->tx.producer) {
		q->unsent = xsk_queue_unsent(q);
		q->unread = __atomic_load_n(q->rx.producer, __ATOMIC_ACQUIRE) - *q->rx.consumer;
	}
	if (q->mode != XSK_MODE_MEMORY)
		unmap_rings(q);
	q->fd = -1;
	q->dead = true;
}

static int slot_alloc(const struct xsk_mem *m)
{
	for (unsigned i = 0; i < XSK_SLOTS; i++)
		if (!m->queue[i].used)
			return (int)i;
	return -ENOSPC;
}

struct xsk_queue *xsk_queue_create(struct xsk_mem *m, int slot, int ifindex, unsigned index,
				   uint32_t ring_size, bool tx_shared)
{
	struct xsk_queue *q = aligned_alloc(64, sizeof(*q));
	bool is_new = slot < 0;

	if (is_new)
		slot = slot_alloc(m);
	if (!q || slot < 0) {
		free(q);
		return NULL;
	}
	memset(q, 0, sizeof(*q));
	q->mem = m;
	q->kept = &m->queue[slot];
	q->fd = -1;
	q->slot = (uint16_t)slot;
	q->index = (uint16_t)index;
	q->depth = ring_size;
	q->tx_shared = tx_shared;
	pthread_spin_init(&q->lock, PTHREAD_PROCESS_PRIVATE);
	m->served[slot / 64] |= 1ull << (slot % 64);
	if (is_new)
		*q->kept = (struct xsk_queue_kept){
			.used = 1, .ifindex = ifindex, .index = index, .ring_size = ring_size
		};
	return q;
}

void xsk_queue_destroy(struct xsk_queue *q)
{
	unmap_rings(q);
	pthread_spin_destroy(&q->lock);
	q->mem->served[q->slot / 64] &= ~(1ull << (q->slot % 64));
	q->kept->used = 0;
	free(q);
}

/* From here on the next process may go on with it. */
static int queue_keep(const struct xsk_queue *q)
{
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (getsockopt(q->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return -errno;
	q->kept->mode = q->mode;
	__atomic_store_n(&q->kept->cookie, cookie, __ATOMIC_SEQ_CST);
	return 0;
}

static int queue_open(struct xsk_queue *q, const struct xsk_port_config *c, char *why)
{
	struct xdp_umem_reg reg = { .addr = (uint64_t)(uintptr_t)q->mem->base,
				    .len = (uint64_t)q->mem->frames << q->mem->shift,
				    .chunk_size = 1u << q->mem->shift };
	int err;

	q->mode = XSK_MODE_COPY; /* until bound: rings of the kernel, not in plain memory */
	q->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return xsk_why(why, -errno, "AF_XDP socket: %s%s", strerror(errno),
			       errno == EPERM ? " (needs CAP_NET_RAW)" : "");
	err = set_option(q->fd, XDP_UMEM_REG, &reg, sizeof(reg));
	if (err)
		return xsk_why(why, err, "%s queue %u: UMEM of %u frames: %s%s", c->name, q->index,
			       q->mem->frames, strerror(-err),
			       err == -ENOBUFS || err == -ENOMEM
				       ? " (RLIMIT_MEMLOCK: raise it or grant CAP_IPC_LOCK)"
				       : "");
	err = size_rings(q, c->ring_size);
	if (!err)
		err = xsk_queue_map(q, c->ring_size);
	if (err)
		return xsk_why(why, err, "%s queue %u: rings of %u: %s", c->name, q->index,
			       c->ring_size, strerror(-err));
	xsk_queue_post_first(q);
	if (q->posted == 0)
		return xsk_why(why, -ENOMEM,
			       "%s queue %u: no free frame left of %u: raise router.memory.frames "
			       "or lower router.xdp.ring-size",
			       c->name, q->index, q->mem->frames);
	err = bind_ladder(q, c, why);
	if (err)
		return err;
	xsk_queue_tune(q, c);
	return queue_keep(q);
}

int xsk_port_open(struct xsk_mem *m, const struct xsk_port_config *c, struct xsk_port **out,
		  char *why)
{
	struct xsk_port *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	why[0] = '\0';
	if (!p)
		return xsk_why(why, err, "out of memory");
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	p->ifindex = c->ifindex;
	p->mem = m;
	if (c->queues == 0 || c->queues > XSK_QUEUES_MAX) {
		err = xsk_why(why, -EINVAL, "%s: %u queues; 1 to %u can be served", c->name,
			      c->queues, XSK_QUEUES_MAX);
		goto fail;
	}
	for (unsigned i = 0; i < c->queues; i++) {
		p->queue[i] = xsk_queue_create(m, -1, c->ifindex, i, c->ring_size, c->tx_shared);
		if (!p->queue[i]) {
			err = xsk_why(why, -ENOMEM, "out of memory");
			goto fail;
		}
		p->nqueues++;
		err = queue_open(p->queue[i], c, why);
		if (err)
			goto fail;
	}
	*out = p;
	return 0;
fail:
	xsk_port_close(p);
	if (p->nqueues > 1) { /* the queues before this one were bound */
		*out = p;
		return err;
	}
	xsk_port_reclaim(p);
	xsk_port_free(p);
	return err;
}

void xsk_port_close(struct xsk_port *p)
{
	for (unsigned i = 0; i < p->nqueues; i++)
		queue_close(p->queue[i]);
}

uint32_t xsk_port_reclaim(struct xsk_port *p)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < p->nqueues; i++) {
		struct xsk_queue *q = p->queue[i];

		n += xsk_mem_reclaim(p->mem, FRAME_POSTED(q->slot));
		n += xsk_mem_reclaim(p->mem, FRAME_SENT(q->slot));
		q->received = q->posted;
		q->completed = q->sent;
	}
	return n;
}

uint32_t xsk_port_outstanding(const struct xsk_port *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < p->nqueues; i++) {
		const struct xsk_queue *q = p->queue[i];

		n += q->posted - q->received + q->sent - q->completed;
	}
	return (uint32_t)n;
}

void xsk_port_free(struct xsk_port *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->nqueues; i++)
		xsk_queue_destroy(p->queue[i]);
	free(p);
}

void xsk_port_stats(const struct xsk_port *p, struct xsk_port_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < p->nqueues; i++) {
		struct xdp_statistics st = { 0 };
		socklen_t len = sizeof(st);

		if (p->queue[i]->fd < 0 ||
		    getsockopt(p->queue[i]->fd, SOL_XDP, XDP_STATISTICS, &st, &len))
			continue;
		out->rx_dropped += st.rx_dropped;
		out->rx_ring_full += st.rx_ring_full;
		out->fill_empty += st.rx_fill_ring_empty_descs;
		out->rx_invalid += st.rx_invalid_descs;
		out->tx_invalid += st.tx_invalid_descs;
	}
}
