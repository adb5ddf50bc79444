/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for the tests of NAT in the XDP program, written once for both families. */
#ifndef TESTS_UNIT_STEER_NAT_PACKETS_H
#define TESTS_UNIT_STEER_NAT_PACKETS_H

#include <stdbool.h>

#include "tests/unit/steer_frames.h"

#define OTHER 40001 /* a port that is never NAT's */

/* What is alike in both families: names for numbers that differ. */
struct family {
	struct addr nat, all, plain, remote, transit;
	unsigned icmp, other_icmp;
	uint8_t request, reply, unreachable, too_big, exceeded, problem, unknown;
};
static struct family family;

static inline struct family family4(void)
{
	return (struct family){ .nat = v4(10, 0, 0, 1),
				.all = v4(10, 0, 0, 2),
				.plain = v4(10, 0, 0, 3),
				.remote = v4(198, 51, 100, 9),
				.transit = v4(192, 0, 2, 1),
				.icmp = 1,
				.other_icmp = 58,
				.request = 8,
				.reply = 0,
				.unreachable = 3,
				.too_big = 3,
				.exceeded = 11,
				.problem = 12,
				.unknown = 5 };
}

static inline struct family family6(void)
{
	return (struct family){ .nat = v6(0x2001, 1),
				.all = v6(0x2001, 2),
				.plain = v6(0x2001, 3),
				.remote = v6(0x2620, 9),
				.transit = v6(0x2001, 4),
				.icmp = 58,
				.other_icmp = 1,
				.request = 128,
				.reply = 129,
				.unreachable = 1,
				.too_big = 2,
				.exceeded = 3,
				.problem = 4,
				.unknown = 135 };
}

/* ---- packets ---- */

struct packet {
	struct addr src, dst;
	unsigned protocol;
	unsigned ihl;	   /* IPv4: 0 for 5 */
	bool split;	   /* IPv6: with a fragment header */
	unsigned fragment; /* as it stands in the header */
	unsigned id;
	uint8_t l4[64];
	unsigned len;
};

static inline void add_header(struct frame *f, const struct packet *k)
{
	if (k->dst.family == AF_INET) {
		put(f, (uint8_t[]){ 0x40 | (k->ihl ? k->ihl : 5), 0, 0, 60 }, 4);
		put16(f, k->id);
		put16(f, k->fragment);
		put(f, (uint8_t[]){ 64, k->protocol, 0, 0 }, 4);
		put(f, k->src.bytes, 4);
		put(f, k->dst.bytes, 4);
		for (unsigned i = 5; i < k->ihl; i++)
			put(f, (uint8_t[]){ 1, 1, 1, 1 }, 4);
		return;
	}
	put(f, (uint8_t[]){ 0x60, 0, 0, 0, 0, 20, k->split ? 44 : k->protocol, 64 }, 8);
	put(f, k->src.bytes, 16);
	put(f, k->dst.bytes, 16);
	if (k->split) {
		put(f, (uint8_t[]){ k->protocol, 0 }, 2);
		put16(f, k->fragment);
		put16(f, 7);
		put16(f, k->id);
	}
}

static inline struct frame frame_of(const unsigned *tags, const struct packet *k)
{
	struct frame f = eth(our_mac, tags, k->dst.family == AF_INET ? 0x0800 : 0x86dd);

	add_header(&f, k);
	put(&f, k->l4, k->len);
	return f;
}

static inline struct packet packet(struct addr dst, unsigned protocol, unsigned sport,
				   unsigned dport)
{
	struct packet k = { .src = family.remote, .dst = dst, .protocol = protocol, .len = 8 };

	memcpy(k.l4, (uint8_t[]){ sport >> 8, sport & 255, dport >> 8, dport & 255 }, 4);
	return k;
}

static inline struct packet icmp(struct addr dst, uint8_t type, unsigned id)
{
	struct packet k = packet(dst, family.icmp, type << 8, 0);

	memcpy(k.l4 + 4, (uint8_t[]){ id >> 8, id & 255, 0, 1 }, 4);
	return k;
}

/* An error about `quoted`, sent to the source of that. */
static inline struct packet icmp_error(uint8_t type, const struct packet *quoted)
{
	struct packet k = icmp(quoted->src, type, 0);
	struct frame f = { .len = 0 };

	add_header(&f, quoted);
	put(&f, quoted->l4, 8);
	memcpy(k.l4 + 8, f.b, f.len);
	k.len = 8 + f.len;
	return k;
}

/* A packet that left with the NAT's address. */
static inline struct packet sent(unsigned protocol, unsigned sport)
{
	struct packet k = packet(family.remote, protocol, sport, OTHER);

	k.src = family.nat;
	return k;
}

static inline struct packet sent_icmp(uint8_t type, unsigned id)
{
	struct packet k = icmp(family.remote, type, id);

	k.src = family.nat;
	return k;
}

#endif
