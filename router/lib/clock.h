/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTER_LIB_CLOCK_H
#define ROUTER_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

/* CLOCK_MONOTONIC in ns. Packet code never calls it: a worker reads the time once a loop. [any] */
static inline uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

#endif
