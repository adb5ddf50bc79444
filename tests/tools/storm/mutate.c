/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be wrong with a frame: bits that flip, lengths that lie, ends that are missing or too
 * much, headers that say another kind of header follows, and noise with an Ethernet header. Half of
 * what is changed gets a right header checksum again, or IPv4 would let nothing through.
 */
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/storm/storm.h"

void storm_mend(struct frame *f)
{
	uint8_t *h = f->b + f->l3;
	uint32_t hlen = (h[0] & 15) * 4u;
	uint16_t sum;

	if (f->six || hlen < 20 || f->l3 + hlen > f->len)
		return;
	memset(h + 10, 0, 2);
	sum = (uint16_t)~csum_fold(csum_add(h, hlen, 0));
	memcpy(h + 10, &sum, 2);
}

static void flip(struct storm *s, struct frame *f)
{
	uint32_t span = f->len - f->l3;

	if (one_in(s, 2) && span > 80) /* the headers matter most */
		span = 80;
	for (unsigned n = 1 + below(s, 6); n; n--)
		f->b[f->l3 + below(s, span)] ^= (uint8_t)(1u << below(s, 8));
}

static void set_bytes(struct storm *s, struct frame *f)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint32_t span = f->len - f->l3 < 80 ? f->len - f->l3 : 80, at = below(s, span);

	for (unsigned n = 1 + below(s, 4); n && f->l3 + at < f->len; n--)
		f->b[f->l3 + at++] = edges[below(s, sizeof(edges))];
}

/* Total or payload length, header length, the length fields of what is carried. */
static void lie(struct storm *s, struct frame *f)
{
	uint32_t where[] = { f->six ? 4 : 2, f->six ? 0 : 0, f->l4 - f->l3 + 4, f->l4 - f->l3 + 12,
			     f->six ? 41 : 21 };
	unsigned what = below(s, sizeof(where) / sizeof(where[0]));
	uint32_t at = f->l3 + where[what];

	if (at + 2 > f->len)
		return;
	switch (what) {
	case 1: f->b[at] = (uint8_t)((f->b[at] & 0xf0) | below(s, 16)); break;
	case 3: f->b[at] = (uint8_t)(below(s, 16) << 4); break;
	case 4: f->b[at] = (uint8_t)chance(s); break;
	default: /* a little beside the truth, or anything */
		if (one_in(s, 2))
			f->b[at + 1] = (uint8_t)(f->b[at + 1] + below(s, 9) - 4);
		else
			f->b[at] = (uint8_t)chance(s);
	}
}

static void cut(struct storm *s, struct frame *f)
{
	f->len = one_in(s, 4) ? f->l3 + below(s, 8) : f->l3 + 1 + below(s, f->len - f->l3);
}

static void stretch(struct storm *s, struct frame *f)
{
	uint32_t room = s->mtu + f->l3, n = 1 + below(s, 64);

	for (; n && f->len < room; n--)
		f->b[f->len++] = (uint8_t)chance(s);
}

/* Another protocol, as a chain of headers that lead into the payload. */
static void rechain(struct storm *s, struct frame *f)
{
	static const uint8_t chain[] = { 0, 43, 44, 51, 60, 135, 139, 50, 59, 1, 6, 17, 58, 255 };

	if (f->len >= f->l3 + 10)
		f->b[f->l3 + (f->six ? 6 : 9)] = chain[below(s, sizeof(chain))];
	if (f->six && f->len > f->l3 + 41 && one_in(s, 2))
		f->b[f->l3 + 40] = chain[below(s, sizeof(chain))];
	if (!f->six && f->len >= f->l3 + 8 && one_in(s, 4)) { /* or a fragment of something */
		f->b[f->l3 + 6] = (uint8_t)chance(s);
		f->b[f->l3 + 7] = (uint8_t)chance(s);
	}
}

static void noise(struct storm *s, struct frame *f)
{
	f->len = f->l3 + below(s, 200);
	for (uint32_t i = f->l3; i < f->len; i++)
		f->b[i] = (uint8_t)chance(s);
	if (f->len > f->l3 && one_in(s, 2))
		f->b[f->l3] = f->six ? 0x60 : 0x45;
}

/* Of the same flow as before: what tracking has to make sense of. */
static void again(struct storm *s, struct frame *f)
{
	const struct frame *past = &s->past[below(s, STORM_PAST)];

	if (past->len)
		*f = *past;
	flip(s, f);
}

void storm_mutate(struct storm *s, struct frame *f)
{
	static void (*const ways[])(struct storm *, struct frame *) = {
		flip, flip, flip, set_bytes, lie, lie, cut, stretch, rechain, noise, again
	};

	for (unsigned n = one_in(s, 4) ? 2 : 1; n && f->len > f->l3; n--)
		ways[below(s, sizeof(ways) / sizeof(ways[0]))](s, f);
	if (one_in(s, 2) && f->len >= f->l3 + 20)
		storm_mend(f);
}
