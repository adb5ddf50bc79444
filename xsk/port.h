/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port: all queues of one netdev with their sockets, or of one memory port.
 *
 * Each queue registers the whole packet memory as a UMEM of its own, so that each has its own mode
 * and lifetime while a frame still moves from port to port by its address. Sockets are set up by
 * plain system calls, because libxdp can neither adopt one after a restart nor let go of the first.
 * [control]
 */
#ifndef XSK_PORT_H
#define XSK_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "xsk/queue.h"

/* What the operator asked for; see the mode ladder in port.c. */
enum xsk_want { XSK_WANT_BEST, XSK_WANT_ZERO_COPY, XSK_WANT_COPY, XSK_WANT_GENERIC };

#define XSK_QUEUES_MAX 64
#define XSK_PORT_WHY   192

struct xsk_port_config {
	const char *name;
	int ifindex;
	unsigned queues;
	uint32_t ring_size; /* power of two */
	enum xsk_want want;
	unsigned busy_poll_usecs, busy_poll_budget;
	bool tx_shared; /* fewer queues than workers: lock the send side */
};

struct xsk_port {
	char name[IFNAMSIZ];
	int ifindex;
	unsigned nqueues;
	struct xsk_mem *mem;
	struct xsk_queue *queue[XSK_QUEUES_MAX];
};

/* Opens and binds every queue, with fill rings posted before the bind. 0, or -errno with the reason
 * and the remedy in why[XSK_PORT_WHY]; -EBUSY may pass within a second after the same port was
 * closed: retry. When some queues were bound before one failed, *out is set, too: a closed port,
 * whose frames the device may still write to. */
int xsk_port_open(struct xsk_mem *m, const struct xsk_port_config *c, struct xsk_port **out,
		  char *why);

/* Closes the sockets: the kernel stops using the frames some time after. Statistics stay readable
 * until xsk_port_free(). What was left in the rings is counted: not sent by `unsent`, received
 * and not read by `unread`. */
void xsk_port_close(struct xsk_port *p);

/* After close, once the device is gone or its queues could be bound again: the frames that are
 * still with the kernel come back to the depot. Number of frames. */
uint32_t xsk_port_reclaim(struct xsk_port *p);
uint32_t xsk_port_outstanding(const struct xsk_port *p); /* posted and sent, of all queues */
void xsk_port_free(struct xsk_port *p);

/* The kernel's view: XDP_STATISTICS summed over the queues. */
struct xsk_port_stats {
	uint64_t rx_dropped, rx_ring_full, fill_empty, rx_invalid, tx_invalid;
};
void xsk_port_stats(const struct xsk_port *p, struct xsk_port_stats *out);

/* A port whose other end is a test: its rings lie in plain memory. ring_size: power of two. */
int xsk_memport_open(struct xsk_mem *m, const char *name, unsigned queues, uint32_t ring_size,
		     struct xsk_port **out);

/* The test's end of a memory port's queue: what a NIC would do. [one thread, also while a worker
 * runs] */
struct xsk_memwire {
	struct xsk_queue *q;
	uint32_t fill_at, rx_at, tx_at, comp_at;
};
void xsk_memwire_init(struct xsk_memwire *w, struct xsk_port *p, unsigned queue);
/* Room for n frames of len bytes each: takes posted frames and gives their data pointers, for the
 * caller to write the packet there; xsk_memwire_deliver() then makes them received. Returns how
 * many were posted. */
unsigned xsk_memwire_take(struct xsk_memwire *w, uint8_t **data, unsigned n);
void xsk_memwire_deliver(struct xsk_memwire *w, uint8_t *const *data, const uint32_t *len,
			 unsigned n);
/* What the router sent: up to n frames; they stay valid until xsk_memwire_done() completes them. */
unsigned xsk_memwire_sent(struct xsk_memwire *w, uint8_t **data, uint32_t *len, unsigned n);
void xsk_memwire_done(struct xsk_memwire *w, unsigned n);

#endif
