/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames for the tests of the XDP program: built up front to back, tagged as asked. */
#ifndef TESTS_UNIT_STEER_FRAMES_H
#define TESTS_UNIT_STEER_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "router/lib/addr.h"

#define ETH 14
#define TAG 4
#define IP4 20
#define IP6 40

static const uint8_t our_mac[6] = { 0x52, 0x54, 0, 0xaa, 0, 1 };

struct frame {
	uint8_t b[128];
	unsigned len;
};

static inline void put(struct frame *f, const void *bytes, unsigned n)
{
	memcpy(f->b + f->len, bytes, n);
	f->len += n;
}

static inline void put16(struct frame *f, unsigned v)
{
	put(f, (uint8_t[]){ v >> 8, v & 255 }, 2);
}

/* tags: pairs of TPID and TCI, ended by 0. */
static inline struct frame eth(const uint8_t dst[6], const unsigned *tags, unsigned proto)
{
	struct frame f = { .len = 0 };

	put(&f, dst, 6);
	put(&f, (uint8_t[]){ 2, 0, 0, 0, 0, 9 }, 6);
	for (; tags && tags[0]; tags += 2) {
		put16(&f, tags[0]);
		put16(&f, tags[1]);
	}
	put16(&f, proto);
	return f;
}

static inline struct addr v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	struct addr out = { .family = AF_INET };

	memcpy(out.bytes, (uint8_t[]){ a, b, c, d }, 4);
	return out;
}

static inline struct addr v6(unsigned first, unsigned last)
{
	struct addr out = { .family = AF_INET6 };

	out.bytes[0] = first >> 8;
	out.bytes[1] = first & 255;
	out.bytes[15] = last;
	return out;
}

struct ip4_spec {
	struct addr dst;
	unsigned ihl, protocol, fragment, sport, dport;
};

static inline void add_ip4(struct frame *f, const struct ip4_spec *ip)
{
	unsigned ihl = ip->ihl ? ip->ihl : 5;

	put(f,
	    (uint8_t[]){ 0x40 | ihl, 0, 0, 60, 0, 1, ip->fragment >> 8, ip->fragment & 255, 64,
			 ip->protocol, 0, 0, 10, 0, 0, 1 },
	    16);
	put(f, ip->dst.bytes, 4);
	for (unsigned i = 5; i < ihl; i++)
		put(f, (uint8_t[]){ 1, 1, 1, 1 }, 4);
	put16(f, ip->sport);
	put16(f, ip->dport);
	put(f, (uint8_t[32]){}, 32);
}

static inline void add_ip6(struct frame *f, const struct addr *dst)
{
	struct addr src = v6(0x2001, 9);

	put(f, (uint8_t[]){ 0x60, 0, 0, 0, 0, 20, 17, 64 }, 8);
	put(f, src.bytes, 16);
	put(f, dst->bytes, 16);
	put(f, (uint8_t[20]){}, 20);
}

static inline struct frame frame4(const unsigned *tags, const struct ip4_spec *ip)
{
	struct frame f = eth(our_mac, tags, 0x0800);

	add_ip4(&f, ip);
	return f;
}

static inline struct frame frame6(const unsigned *tags, struct addr dst)
{
	struct frame f = eth(our_mac, tags, 0x86dd);

	add_ip6(&f, &dst);
	return f;
}

static inline struct frame frame_other(const uint8_t dst[6], const unsigned *tags, unsigned proto)
{
	struct frame f = eth(dst, tags, proto);

	put(&f, (uint8_t[46]){}, 46);
	return f;
}

#endif
