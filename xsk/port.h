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
	const char *no_zero_copy; /* why not to try it; NULL: nothing is known against it */
	unsigned busy_poll_usecs, busy_poll_budget;
	bool tx_shared; /* fewer queues than workers: lock the send side */
};

struct xsk_port {
	char name[IFNAMSIZ];
	int ifindex;
	unsigned nqueues;
	struct xsk_mem *mem;
	struct xsk_queue *queue[XSK_QUEUES_MAX];
	uint64_t redone_packets, redone_bytes; /* found by xsk_port_adopt() in the send rings */
};

/* Opens and binds every queue, with fill rings posted before the bind. 0, or -errno with the reason
 * and the remedy in why[XSK_PORT_WHY]; -EBUSY may pass within a second after the same port was
 * closed: retry. When some queues were bound before one failed, *out is set, too: a closed port,
 * whose frames the device may still write to. */
int xsk_port_open(struct xsk_mem *m, const struct xsk_port_config *c, struct xsk_port **out,
		  char *why);

/* How many queues of a netdev an earlier process left bound: 0 to that many - 1, without gaps. */
unsigned xsk_port_kept(const struct xsk_mem *m, int ifindex);

/* Goes on with the sockets of an earlier process, fds[queue], as they are: c->ring_size and c->want
 * are not looked at, c->queues must be xsk_port_kept(). The fds are the port's from here on. 0, or
 * -EUCLEAN with the reason in why: a descriptor is not the socket it should be, or what lies in
 * the rings contradicts the owner table. *out is a closed port then, as with xsk_port_open(). With
 * -ENOMEM *out may be as it was. */
int xsk_port_adopt(struct xsk_mem *m, const struct xsk_port_config *c, const int *fds,
		   struct xsk_port **out, char *why);

/* What the dead process did and may not have counted. rx: dealt with, but still in the receive
 * rings. tx: in the send rings, but not marked as sent. */
struct xsk_port_done {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};
/* After all ports were adopted and all pending frames named. What was received and not dealt with
 * will be received again. */
void xsk_port_resume(struct xsk_port *p, struct xsk_port_done *done);

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

/* A port whose other end is a test: its rings lie in shared memory, which a fork inherits.
 * ring_size: power of two. */
int xsk_memport_open(struct xsk_mem *m, const char *name, unsigned queues, uint32_t ring_size,
		     struct xsk_port **out);
/* One queue's rings of that size, as xsk_memport_rings() found them in a port that was open: what
 * a test keeps for the next one. Adoption is as with sockets; the rings stay the caller's. */
size_t xsk_memport_rings_size(uint32_t ring_size);
void *xsk_memport_rings(const struct xsk_port *p, unsigned queue);
int xsk_memport_adopt(struct xsk_mem *m, const char *name, unsigned slot, void *rings,
		      struct xsk_port **out, char *why);

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
