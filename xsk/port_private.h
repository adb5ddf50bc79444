/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between port.c, which opens sockets, adopt.c, which goes on with those of an earlier process, and
 * memport.c, which has none. [control] */
#ifndef XSK_PORT_PRIVATE_H
#define XSK_PORT_PRIVATE_H

#include "xsk/port.h"

/* ---- port.c */
/* why: XSK_PORT_WHY bytes; returns err. */
int xsk_why(char *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* slot: one that an earlier process left, or -1: a new one, for this netdev (0: memory port). NULL:
 * no slot or no memory is left. */
struct xsk_queue *xsk_queue_create(struct xsk_mem *m, int slot, int ifindex, unsigned index,
				   uint32_t ring_size, bool tx_shared);
void xsk_queue_destroy(struct xsk_queue *q);
/* Of q->fd, whose rings have this size. */
int xsk_queue_map(struct xsk_queue *q, uint32_t ring_size);
/* Free frames straight into the ring: control plays the worker. */
void xsk_queue_post_first(struct xsk_queue *q);
/* What helps speed, and may fail. */
void xsk_queue_tune(const struct xsk_queue *q, const struct xsk_port_config *c);

/* ---- adopt.c */
/* An earlier process used q's slot and rings until something killed it: finishes what it was at. 0
 * or -EUCLEAN with the reason; the counts of frames are right in either case. */
int xsk_queue_settle(struct xsk_queue *q, struct xsk_port *p, char *why);

#endif
