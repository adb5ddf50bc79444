/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet of the script: a frame of either family, then perhaps broken.
 *
 * Most packets are right in all but one or two respects, so that it shows what a router does about
 * each. Nothing here touches the mark, by which what comes of a packet is told from the rest.
 */
#include <assert.h>
#include <string.h>

#include "tests/tools/forward_oracle/oracle.h"

uint8_t *put(struct packet *p, uint32_t n)
{
	uint8_t *at = p->b + p->len;

	assert(p->len + n <= FRAME_ROOM);
	memset(at, 0, n);
	p->len += n;
	return at;
}

/* Around what is a limit somewhere: lengths of headers, MTUs of routes and links, of quotes. */
static const unsigned corners[] = { 68, 548, 576, 700, 1232, 1280, 1300, 1320, 1400, 1700 };

uint32_t size_of(const struct script *s, struct packet *p, uint32_t headers)
{
	uint32_t most = world_mtu(p->link), size;

	switch (below(s, p, 5)) {
	case 0: size = headers + below(s, p, most - headers); break;
	case 1:
	case 2:
		size = corners[below(s, p, sizeof(corners) / sizeof(corners[0]))] +
		       below(s, p, 17) - 8;
		break;
	default: size = headers + below(s, p, 120); break;
	}
	return size > most ? most : size < headers ? headers : size;
}

static void ethernet(const struct script *s, struct packet *p)
{
	uint8_t *at = put(p, 12);

	world_macs(p->link, at, at + 6);
	if (one_in(s, p, 80))
		switch (below(s, p, 3)) {
		case 0: memset(at, 0xff, 6); break;
		case 1: memcpy(at, "\1\0\x5e\1\2\3", 6); break;
		case 2: at[5] ^= 0x40; break; /* somebody else's */
		}
	if (one_in(s, p, 200)) { /* a tag that says no more than a priority */
		at = put(p, 4);
		put16(at, ETH_P_8021Q);
		put16(at + 2, below(s, p, 8) << 13);
	}
	put16(put(p, 2), p->six ? ETH_P_IPV6 : ETH_P_IP);
	p->l3 = p->len;
}

/* Where bits may be turned: not where the mark is. */
static bool is_mark(const struct packet *p, uint32_t at)
{
	at -= p->l3;
	return p->six ? at >= 1 && at <= 3 : at == 4 || at == 5;
}

/* A few bits anywhere in the first bytes of IP. */
static void turn_bits(const struct script *s, struct packet *p)
{
	for (unsigned n = 1 + below(s, p, 3); n > 0; n--) {
		uint32_t at = p->l3 + below(s, p, 72);

		if (at < p->len && !is_mark(p, at))
			p->b[at] ^= (uint8_t)(1u << below(s, p, 8));
	}
	if (!p->six && !one_in(s, p, 3))
		mend4(p);
}

/* What may not be sent: a router's own part of Linux would learn from it (neighbour discovery, with
 * the hop limit that it must have), answer when it likes (IGMP) or with something new each time. */
static bool is_fit(const struct packet *p)
{
	const uint8_t *h = p->b + p->l3;
	uint32_t hlen = (h[0] & 15) * 4u;

	if (p->len < p->l3 + 20)
		return true;
	if (p->six)
		return h[7] != 255;
	return h[9] != 2 && !(h[9] == 1 && p->l3 + hlen < p->len && h[hlen] == 13);
}

static void make(const struct script *s, struct packet *p)
{
	uint32_t end;

	p->len = 0;
	p->link = below(s, p, LINKS);
	p->six = one_in(s, p, 2);
	if (s->only && (s->only[0] == '4' || s->only[0] == '6'))
		p->six = s->only[0] == '6';
	ethernet(s, p);
	if (p->six)
		make6(s, p);
	else
		make4(s, p);
	if (one_in(s, p, 12))
		turn_bits(s, p);
	if (one_in(s, p, 60)) { /* cut off */
		end = ETH_HLEN + below(s, p, p->len - ETH_HLEN);
		if (end < p->l3 + 6)
			end = p->l3 + 6; /* its mark */
		if (end < p->len)
			p->len = end;
	} else if (one_in(s, p, 20)) { /* more than IP says */
		end = 1 + below(s, p, 40);
		memset(put(p, end), 0xa5, end);
	} else if (p->len < 60 && one_in(s, p, 3)) { /* as a real wire has it */
		put(p, 60 - p->len);
	}
}

/* All but what `make` does. */
static void packet_new(struct packet *p, uint64_t number)
{
	memset(p, 0, offsetof(struct packet, b));
	p->number = number;
	p->mark = (uint16_t)(MARK_FIRST + number % MARKS);
	for (unsigned side = 0; side < SIDES; side++)
		for (unsigned link = 0; link < LINKS; link++)
			p->out[side][link] = (struct seen_list){ .end = &p->out[side][link].first };
}

void packet_make(const struct script *s, uint64_t number, struct packet *p)
{
	packet_new(p, number);
	do
		make(s, p);
	while (!is_fit(p));
}

void packet_begin(struct packet *p, uint64_t number, unsigned link, bool six)
{
	uint8_t *at;

	packet_new(p, number);
	p->link = link;
	p->six = six;
	p->from = p->to = "its part";
	at = put(p, ETH_HLEN);
	world_macs(link, at, at + 6);
	put16(at + 12, six ? ETH_P_IPV6 : ETH_P_IP);
	p->l3 = p->len;
}
