/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that wait until Linux has resolved their neighbour: a few for each neighbour, bounded in
 * all, and only so long. One hold per worker. [worker]
 *
 * Packets to many addresses that nobody has must not keep others from being found. Who asks for a
 * neighbour is sure that it exists, or returns, or guesses (enum hold_claim). Each of them may fill
 * the hold so far (hold.c:limit[]), and of what is left by all others
 *
 *	an interface	may have as much again: a link under attack leaves room for the others;
 *	a source	as much as its interface leaves: one that scans, again and again even,
 *			leaves room for other sources.
 *
 * A destination returns if the same source was refused before, a little while ago: who wants a host
 * sends to it again and again, while a scan of a large prefix does not come back soon, and what one
 * source scanned is not what another one wants.
 */
#ifndef ROUTER_NET_HOLD_H
#define ROUTER_NET_HOLD_H

#include "router/net/dp.h"

#define HOLD_NEIGHBOURS 128		       /* waited for at once */
#define HOLD_PACKETS	32		       /* for each: the newest stay (RFC 1122 2.3.2.2) */
#define HOLD_TOTAL	1024		       /* for all: a scan must not take the memory */
#define HOLD_TIMEOUT	(3500 * NSEC_PER_MSEC) /* Linux gives up after 3 solicitations, 1 s apart */
#define HOLD_ASK_AGAIN	(200 * NSEC_PER_MSEC)
#define HOLD_SEEN	32768 /* destinations that were refused */

enum hold_claim {
	HOLD_GUESS,  /* a destination nobody has heard of */
	HOLD_RETURN, /* the same, not for the first time */
	HOLD_SURE,   /* a gateway, or a neighbour that was resolved before */
};

enum hold_verdict {
	HOLD_KEPT,    /* the packet is the hold's */
	HOLD_REFUSED, /* no room for its neighbour: still the caller's */
	HOLD_REFUSED_AGAIN,
};

struct hold_entry {
	uint16_t n;
	uint16_t failures; /* of the adjacency when we began to wait */
	struct addr addr;
	uint64_t until, asked;
	struct pkt pkt[HOLD_PACKETS];
};

/* A destination that was refused: some bits of its hash and of its first source's, and when. */
struct hold_seen {
	uint32_t dest : 10;
	uint32_t source : 10;
	uint32_t tick : 12; /* of 50 ms: it goes around after 3 minutes */
};

/* What is compared for every packet, side by side. */
struct hold_key {
	uint32_t hash;	 /* of interface and address */
	uint32_t source; /* of who began */
	uint16_t iface;
	uint8_t claim;
};

struct hold {
	unsigned n; /* entries in use: the first n */
	struct hold_key key[HOLD_NEIGHBOURS];
	struct hold_entry entry[HOLD_NEIGHBOURS];
	struct hold_seen seen[HOLD_SEEN]; /* by the destination's hash */
};

/* Keep p until its neighbour is known; asks control to have Linux resolve it. Takes ownership of
 * what it keeps. A claim of HOLD_GUESS may turn out to be more. */
enum hold_verdict hold_add(struct dp *dp, struct pkt *p, uint16_t iface, const struct addr *addr,
			   uint16_t failures, enum hold_claim claim);

/* Give up on, or let go, what need not wait longer. send() gets packets whose neighbour is known
 * now, with the adjacency's slot; fail() those whose neighbour is not to be had. Both take
 * ownership. */
void hold_check(struct dp *dp, void (*send)(struct dp *dp, struct pkt *p, uint32_t slot),
		void (*fail)(struct dp *dp, struct pkt *p));

/* The worker stops: drop all. */
void hold_drop(struct dp *dp);

#endif
