/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that wait until Linux has resolved their neighbour: a few for each neighbour, bounded in
 * all, and only so long. One hold per worker. [worker]
 */
#ifndef ROUTER_NET_HOLD_H
#define ROUTER_NET_HOLD_H

#include "router/net/dp.h"

#define HOLD_NEIGHBOURS 128		       /* waited for at once */
#define HOLD_PACKETS	32		       /* for each: the newest stay (RFC 1122 2.3.2.2) */
#define HOLD_TOTAL	1024		       /* for all: a scan must not take the memory */
#define HOLD_TIMEOUT	(3500 * NSEC_PER_MSEC) /* Linux gives up after 3 solicitations, 1 s apart */
#define HOLD_ASK_AGAIN	(200 * NSEC_PER_MSEC)

struct hold_entry {
	uint16_t iface;
	uint16_t n;
	uint16_t failures; /* of the adjacency when we began to wait */
	struct addr addr;
	uint64_t until, asked;
	struct pkt pkt[HOLD_PACKETS];
};

struct hold {
	unsigned n; /* entries in use: the first n */
	struct hold_entry entry[HOLD_NEIGHBOURS];
};

/* Keep p until its neighbour is known; asks control to have Linux resolve it. Takes ownership. */
void hold_add(struct dp *dp, struct pkt *p, uint16_t iface, const struct addr *addr,
	      uint16_t failures);

/* Give up on, or let go, what need not wait longer. send() gets packets whose neighbour is known
 * now, with the adjacency's slot; fail() those whose neighbour is not to be had. Both take
 * ownership. */
void hold_check(struct dp *dp, void (*send)(struct dp *dp, struct pkt *p, uint32_t slot),
		void (*fail)(struct dp *dp, struct pkt *p));

/* The worker stops: drop all. */
void hold_drop(struct dp *dp);

#endif
