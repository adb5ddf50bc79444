/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv6 of the script: headers, chains of extension headers with options of every kind, lies. */
#include <string.h>

#include "tests/tools/forward_oracle/oracle.h"

enum {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION = 60,
	MOBILITY = 135
};

/* Options of one header: padding, router alert, jumbo payload, quick start, tunnel limit, RPL,
 * IOAM, and unknown ones with each of the four actions (RFC 8200 4.2). */
static void options(const struct script *s, struct packet *p, uint8_t *at, const uint8_t *end)
{
	static const uint8_t kinds[] = { 0,    0,    1, 1,    5,    0xc2, 0x26, 4,   0x23,
					 0x31, 0xc9, 7, 0x1e, 0x3e, 0x5e, 0x9e, 0xde };

	while (at < end && !one_in(s, p, 4)) {
		uint8_t kind = kinds[below(s, p, sizeof(kinds))];
		long left = end - at - 2;
		unsigned len = kind == 5      ? 2
			       : kind == 0xc2 ? 4
			       : kind == 1    ? below(s, p, 6)
					      : below(s, p, 9);

		if (kind == 0) {
			*at++ = 0;
			continue;
		}
		if (left < (long)len)
			break;
		*at++ = kind;
		*at++ = one_in(s, p, 30) ? (uint8_t)(len + 1 + below(s, p, 40)) : (uint8_t)len;
		if (kind == 0xc2 && one_in(s, p, 2))
			at[1] = 1; /* 65536 and more */
		if (kind == 1 && len && one_in(s, p, 20))
			at[0] = 1; /* padding that hides something */
		at += len;
	}
	while (end - at > 7 && !one_in(s, p, 16)) { /* more padding than that is refused */
		at[0] = 0x1e;
		at[1] = (uint8_t)(end - at > 20 ? 18 : end - at - 2);
		at += 2 + at[1];
	}
	if (end - at == 1) {
		at[0] = 0;
	} else if (end > at) {
		at[0] = 1;
		at[1] = (uint8_t)(end - at - 2);
	}
}

static void routing(const struct script *s, struct packet *p, uint8_t *h, uint32_t len)
{
	static const uint8_t types[] = { 0, 0, 2, 3, 4, 253 };

	h[2] = types[below(s, p, sizeof(types))];
	h[3] = (uint8_t)below(s, p, 3);
	if (h[2] == 4 && len > 8)
		h[4] = (uint8_t)((len - 8) / 16 ? (len - 8) / 16 - 1 : 0);
}

static void fragment(const struct script *s, struct packet *p, uint8_t *h)
{
	unsigned offset = one_in(s, p, 3) ? 0 : below(s, p, 0x2000) << 3;

	h[1] = one_in(s, p, 20) ? (uint8_t)chance(s, p) : 0; /* reserved */
	put16(h + 2, offset | (one_in(s, p, 10) ? below(s, p, 8) : below(s, p, 2)));
	put16(h + 6, p->mark);
}

/* One extension header; what follows it is told by the byte that is returned. */
static uint8_t *extension(const struct script *s, struct packet *p, uint8_t kind)
{
	uint32_t units = kind == FRAGMENT  ? 0
			 : kind == ROUTING ? 2 * below(s, p, 2)
					   : below(s, p, 4);
	uint32_t len = 8 * (units + 1);
	uint8_t *h = put(p, len);

	h[1] = (uint8_t)(kind == AUTHENTICATION ? 2 * units : units);
	switch (kind) {
	case HOP_BY_HOP:
	case DESTINATION: options(s, p, h + 2, h + len); break;
	case ROUTING: routing(s, p, h, len); break;
	case FRAGMENT: fragment(s, p, h); break;
	}
	if (kind != FRAGMENT && one_in(s, p, 40))
		h[1] = (uint8_t)below(s, p, one_in(s, p, 2) ? 4 : 256);
	return h;
}

static uint8_t *chain(const struct script *s, struct packet *p, uint8_t *next)
{
	static const uint8_t kinds[] = { DESTINATION, DESTINATION,    ROUTING,	FRAGMENT,
					 FRAGMENT,    AUTHENTICATION, MOBILITY, HOP_BY_HOP };
	unsigned n = one_in(s, p, 20) ? below(s, p, 20) : 1 + below(s, p, 3);

	for (unsigned i = 0; i < n; i++) {
		uint8_t kind = i == 0 && one_in(s, p, 2)
				       ? HOP_BY_HOP
				       : kinds[below(s, p, sizeof(kinds) - !one_in(s, p, 4))];

		*next = kind;
		next = extension(s, p, kind);
	}
	return next;
}

static void lie(const struct script *s, struct packet *p)
{
	uint8_t *h = p->b + p->l3;
	unsigned plen = get16(h + 4);

	switch (below(s, p, 5)) {
	case 0: h[0] = (uint8_t)((h[0] & 15) | below(s, p, 16) << 4); break;
	case 1: put16(h + 4, plen + 1 + below(s, p, 9)); break;
	case 2: put16(h + 4, plen - below(s, p, plen + 1)); break;
	case 3: put16(h + 4, 0); break;
	case 4: put16(h + 4, below(s, p, 0x10000)); break;
	}
}

void make6(const struct script *s, struct packet *p)
{
	static const uint8_t hops[] = { 0, 1, 2, 3, 254 };
	uint8_t *h = put(p, 40), *next = h + 6;
	uint32_t headers;

	h[0] = 0x60;
	if (one_in(s, p, 3)) {
		h[0] |= (uint8_t)below(s, p, 16);
		h[1] = (uint8_t)below(s, p, 256);
	}
	h[1] &= 0xf0; /* the flow label has the mark, and nothing above it */
	put16(h + 2, p->mark);
	h[7] = one_in(s, p, 8) ? hops[below(s, p, sizeof(hops))] : 64;
	p->from = world_source(s, p, h + 8);
	p->to = world_destination(s, p, h + 8, h + 24);
	if (one_in(s, p, 4))
		next = chain(s, p, next);
	headers = p->len - p->l3;
	*next = carry(s, p, size_of(s, p, headers + 8) - headers);
	put16(h + 4, p->len - p->l3 - 40);
	carry_sum(s, p, *next, p->l3 + headers);
	if (one_in(s, p, 24))
		lie(s, p);
}
