/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of storm share: a seeded source of chance, a frame being made, who talks to whom.
 */
#ifndef TESTS_TOOLS_STORM_H
#define TESTS_TOOLS_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "router/lib/addr.h"
#include "router/net/siphash.h"

#define STORM_HOSTS  16
#define STORM_PAST   64
#define STORM_PIECES 16 /* frames that one packet may become */
#define FRAME_ROOM   2048

/* l3 and l4 are where the headers begin; the payload of l4 goes to the end of the frame. */
struct frame {
	uint32_t len, l3, l4;
	bool six;
	uint8_t b[FRAME_ROOM];
};

struct storm {
	uint8_t key[16]; /* the seed */
	uint64_t counter;
	uint8_t dst_mac[6], src_mac[6];
	unsigned mtu, nfrom, nto;
	struct addr from[STORM_HOSTS], to[STORM_HOSTS];
	struct frame past[STORM_PAST]; /* sent before: to quote, and to send once more */
	unsigned npast;
};

/* ---- chance: the same numbers in the same order for the same seed */
static inline uint64_t chance(struct storm *s)
{
	return siphash_number(s->key, ++s->counter);
}
static inline unsigned below(struct storm *s, unsigned n)
{
	return (unsigned)(chance(s) % n);
}
static inline bool one_in(struct storm *s, unsigned n)
{
	return below(s, n) == 0;
}

/* A well-formed packet, whole or in fragments, into f[STORM_PIECES]: how many frames it is. */
unsigned storm_packet(struct storm *s, struct frame *f);

/* Breaks a frame, or bends it. */
void storm_mutate(struct storm *s, struct frame *f);

/* The header checksum of IPv4, so that what was changed gets further in. */
void storm_mend(struct frame *f);

#endif
