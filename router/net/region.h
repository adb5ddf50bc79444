/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a region of memory is laid out that is reserved once, for the worst case, and costs what is
 * touched of it: parts on pages of their own, one behind the other. Shared by the flow table and
 * NAT's outside ports. [control]
 */
#ifndef ROUTER_NET_REGION_H
#define ROUTER_NET_REGION_H

#include <stdint.h>

#define REGION_PAGE 4096u

/* `bytes` more behind *end. Returns where they begin. */
static inline uint64_t region_reserve(uint64_t *end, uint64_t bytes)
{
	uint64_t at = *end;

	*end = (at + bytes + REGION_PAGE - 1) & ~(uint64_t)(REGION_PAGE - 1);
	return at;
}

/* At least `wanted` heads or buckets: a power of two, as `least` is. */
static inline uint64_t region_slots(uint64_t least, uint64_t wanted)
{
	uint64_t n = least;

	while (n < wanted)
		n *= 2;
	return n;
}

#endif
