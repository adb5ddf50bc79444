/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many ICMP errors are sent (RFC 1812 4.3.2.8, RFC 4443 2.4 f): so many a second to each
 * destination, six at once, and so many a second in total, with a burst (struct dp_settings). One
 * set of limits holds for all workers: they share it, by atomic operations, and write to it only
 * when an error is sent. What an error costs in total is a little random, so that nobody can count
 * other people's packets by what he is told himself (CVE-2020-25705). [worker]
 */
#ifndef ROUTER_NET_ICMP_LIMIT_H
#define ROUTER_NET_ICMP_LIMIT_H

#include "router/net/dp.h"

#define ICMP_TARGET_SETS 512 /* a power of two */
#define ICMP_TARGET_WAYS 8   /* a cache line */

/* A budget is a time until which it has been spent: each error moves it on by the time that it
 * takes to earn one, and it may be ahead of the clock by a burst. */
struct icmp_limits {
	uint64_t total; /* ns */
	/* by destination: us in the upper 40 bits; below them how often, and whose it is */
	uint64_t target[ICMP_TARGET_SETS][ICMP_TARGET_WAYS] __attribute__((aligned(64)));
	/* the same for redirects: when he was told last, or should have been, and how often */
	uint64_t redirected[ICMP_TARGET_SETS][ICMP_TARGET_WAYS] __attribute__((aligned(64)));
	uint8_t secret[16];
};
/* [control] */
void icmp_limits_init(struct icmp_limits *l, const uint8_t secret[16]);

/* May p's sender be told of an error now? If so it has been paid for. A destination pays only for
 * what it is told: when the total is used up, it still has its own. */
bool icmp_limits_allow(struct dp *dp, const struct pkt *p);

/* The total alone, for what has limits of its own besides. */
bool icmp_limits_total(struct dp *dp);

/* May p's sender be told of a better router? Remembers that he was, or that he should have been. */
bool icmp_limits_redirect(struct dp *dp, const struct pkt *p);

/* A number that nobody can foretell. */
uint64_t icmp_random(struct dp *dp);

#endif
