/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 of the script: headers with options of all kinds, fragments, and fields that lie. */
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

void mend4(struct packet *p)
{
	uint8_t *h = p->b + p->l3;
	uint32_t hlen = (h[0] & 15) * 4u;
	uint16_t sum;

	if (hlen < 20 || p->l3 + hlen > p->len)
		return;
	memset(h + 10, 0, 2);
	sum = (uint16_t)~csum_fold(csum_add(h, hlen, 0));
	memcpy(h + 10, &sum, 2);
}

/* Record route, timestamp and source routes have a pointer, and room for addresses behind it. */
static void fill_option(const struct script *s, struct packet *p, uint8_t *o, uint32_t len)
{
	static const uint8_t pointers[] = { 4, 5, 8, 12, 9, 13, 0, 1, 3, 40, 255 };

	for (uint32_t i = 2; i < len; i++)
		o[i] = 0;
	if (len < 3)
		return;
	o[2] = one_in(s, p, 4) ? pointers[below(s, p, sizeof(pointers))] : o[0] == 68 ? 5 : 4;
	if (one_in(s, p, 4))
		o[2] = (uint8_t)(len + 1); /* full */
	if (o[0] == 68 && len > 3)
		o[3] = (uint8_t)(below(s, p, 4) | (one_in(s, p, 4) ? below(s, p, 16) << 4 : 0));
	if (o[0] == 68 && len > 3 && one_in(s, p, 3))
		o[3] |= 0xf0; /* the next router that has no room counts past the end */
	if (o[0] == 68 && len >= 8 && (o[3] & 15) == 3 && one_in(s, p, 2))
		memcpy(o + 4, (const uint8_t[]){ 10, 0, (uint8_t)(1 + below(s, p, LINKS)), 1 }, 4);
	if ((o[0] == 131 || o[0] == 137) && len >= 7)
		memcpy(o + 3, (const uint8_t[]){ 10, (uint8_t)(1 + below(s, p, LINKS)), 7, 7 }, 4);
}

/* NOP, EOL, record route, timestamp, loose and strict source route, router alert, security, CIPSO,
 * stream id, and some that nobody knows. */
static void options(const struct script *s, struct packet *p)
{
	static const uint8_t kinds[] = { 1,   0,   7,	7,   68, 68,  131, 137,
					 148, 130, 134, 136, 31, 158, 222 };
	uint32_t n = 4 * (1 + below(s, p, 10));
	uint8_t *at = put(p, n), *end = at + n;

	while (at < end) {
		uint8_t kind = kinds[below(s, p, sizeof(kinds))];
		uint32_t len = kind < 2	     ? 1
			       : kind == 148 ? 4
			       : kind == 68  ? 4 + 4 * below(s, p, 5)
					     : 3 + 4 * below(s, p, 4);

		if (kind > 1 && one_in(s, p, 12))
			len = 2 + below(s, p, 12);
		if (at + len > end)
			break;
		at[0] = kind;
		if (kind > 1) {
			at[1] = (uint8_t)len;
			fill_option(s, p, at, len);
		}
		if (kind > 1 && one_in(s, p, 20))
			at[1] = (uint8_t)below(s, p, 48); /* a length that lies */
		at += len;
		if (one_in(s, p, 4))
			break; /* the rest is end of list */
	}
}

/* One field that is not what it should be. */
static void lie(const struct script *s, struct packet *p)
{
	uint8_t *h = p->b + p->l3;
	unsigned total = get16(h + 2), hlen = (h[0] & 15) * 4u;

	switch (below(s, p, 6)) {
	case 0: h[0] = (uint8_t)(h[0] & 0xf0) | (uint8_t)below(s, p, 16); break;
	case 1: h[0] = (uint8_t)(h[0] & 15) | (uint8_t)(below(s, p, 16) << 4); break;
	case 2: put16(h + 2, total + 1 + below(s, p, 9)); break;
	case 3: put16(h + 2, total - below(s, p, total)); break;
	case 4: put16(h + 2, below(s, p, hlen + 1)); break;
	case 5: put16(h + 2, below(s, p, 0x10000)); break;
	}
	mend4(p);
}

static void wrong_sum(const struct script *s, struct packet *p)
{
	uint8_t *at = p->b + p->l3 + 10;

	switch (below(s, p, 4)) {
	case 0: put16(at, 0); break;
	case 1: put16(at, 0xffff); break;
	case 2: put16(at, get16(at) + 1); break;
	case 3: put16(at, below(s, p, 0x10000)); break;
	}
}

static unsigned fragment_field(const struct script *s, struct packet *p)
{
	switch (below(s, p, 24)) {
	case 0: return 0x2000;			      /* the first of several */
	case 1: return 0x2000 | below(s, p, 0x2000);  /* one in the middle */
	case 2: return below(s, p, 0x2000);	      /* the last */
	case 3: return 0x4000 | below(s, p, 0x4000);  /* not to be cut, and cut */
	case 4: return 0x8000 | below(s, p, 0x10000); /* the evil bit (RFC 3514) */
	case 5: return 0x1f00 + below(s, p, 0x100);   /* ends beyond 65535 */
	default: return below(s, p, 2) * 0x4000;
	}
}

void make4(const struct script *s, struct packet *p)
{
	static const uint8_t ttls[] = { 0, 1, 2, 3, 255 };
	uint8_t *h = put(p, 20);
	uint32_t hlen;

	if (one_in(s, p, 6))
		options(s, p);
	hlen = p->len - p->l3;
	h[0] = (uint8_t)(0x40 | hlen / 4);
	if (one_in(s, p, 3))
		h[1] = (uint8_t)chance(s, p);
	put16(h + 4, p->mark);
	put16(h + 6, fragment_field(s, p));
	h[8] = one_in(s, p, 8) ? ttls[below(s, p, sizeof(ttls))] : 64;
	p->from = world_source(s, p, h + 12);
	p->to = world_destination(s, p, h + 12, h + 16);
	h[9] = carry(s, p, size_of(s, p, hlen + 8) - hlen);
	put16(h + 2, p->len - p->l3);
	carry_sum(s, p, h[9], p->l3 + hlen);
	mend4(p);
	if (one_in(s, p, 24))
		lie(s, p);
	if (one_in(s, p, 40))
		wrong_sum(s, p);
}
