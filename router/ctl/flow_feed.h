/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to flows, for all who want to hear of it at once.
 *
 * Workers write events into a ring each, and only while somebody reads: the first reader publishes
 * the rings to them, the last takes them away and waits for a grace period. Whoever has read all
 * there is moves what the workers have since written to a ring that all readers share; each reader
 * has its own place there. Who falls behind by more than that ring holds loses the oldest events,
 * alone, and knows how many. [control]
 */
#ifndef ROUTER_CTL_FLOW_FEED_H
#define ROUTER_CTL_FLOW_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "router/net/ct_event.h"

#define FLOW_FEED_EVENTS 16384u /* a power of two */

struct router;
struct flow_feed;

struct feed_reader {
	struct flow_feed *feed;
	uint64_t at;	 /* the next event's number */
	uint64_t lost;	 /* here */
	uint64_t before; /* lost by workers before this reader came */
};

/* Reads from now on. 0 or -errno. */
int feed_reader_open(struct router *r, struct feed_reader *f);
void feed_reader_close(struct feed_reader *f);
/* The next event; false: there is none now. Events of several workers come in the order of their
 * time as far as they were there. */
bool feed_next(struct feed_reader *f, struct ct_event *out);
/* The number of the event that will be read when all that is there now has been. */
uint64_t feed_end(struct feed_reader *f);
/* How many events this reader has missed, wherever they were lost. */
uint64_t feed_lost(const struct feed_reader *f);

#endif
