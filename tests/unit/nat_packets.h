/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of every shape, and errors about them, for the tests of NAT and tracking: built from a
 * tuple, all checksums computed whole, a byte at a time and by the definition. What rewriting makes
 * of a packet must be, bit by bit, the packet built from the other tuple.
 */
#ifndef TESTS_UNIT_NAT_PACKETS_H
#define TESTS_UNIT_NAT_PACKETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "router/net/flow.h"
#include "router/net/parse.h"

#define ROOM 2048
#define GRE  47
#define ESP  50
#define AH   51

enum piece { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

struct shape {
	bool ip6;
	uint8_t proto;
	unsigned options; /* bytes: of IPv4 options, or of a header of IPv6 destination options */
	unsigned len;	  /* of transport header and data */
	enum piece piece;
	bool no_csum; /* UDP */
	uint8_t icmp_type;
};

static inline void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* A field of a header that may end before it. */
static inline void put16_inside(uint8_t *header, unsigned len, unsigned at, unsigned v)
{
	if (at + 2 <= len)
		put16(header + at, v);
}

/* The sum as a number, folded. */
static inline unsigned plain_sum(const uint8_t *p, size_t len, uint64_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

/* Of the pseudo header, from the IP header. */
static inline unsigned plain_pseudo(const uint8_t *l3, uint8_t proto, unsigned len)
{
	bool ip6 = l3[0] >> 4 == 6;

	return plain_sum(l3 + (ip6 ? 8 : 12), ip6 ? 32 : 8, (uint64_t)proto + len);
}

static inline bool is_icmp(const struct shape *s)
{
	return s->proto == (s->ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static inline bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_SCTP;
}

static inline unsigned csum_offset(const struct shape *s)
{
	if (s->proto == IPPROTO_TCP)
		return 16;
	if (is_icmp(s))
		return 2;
	return has_ports(s->proto) && s->proto != IPPROTO_SCTP ? 6 : 0;
}

static inline void fix_ip4(uint8_t *l3)
{
	put16(l3 + 10, 0);
	put16(l3 + 10, ~plain_sum(l3, (l3[0] & 15) * 4u, 0));
}

static inline void fix_transport(uint8_t *l3, uint8_t *l4, const struct shape *s)
{
	unsigned at = csum_offset(s), sum;
	bool pseudo = !is_icmp(s) || s->ip6;

	if (!at || at + 2 > s->len)
		return;
	put16(l4 + at, 0);
	if (s->no_csum)
		return;
	sum = plain_sum(l4, s->len, pseudo ? plain_pseudo(l3, s->proto, s->len) : 0);
	sum = (uint16_t)~sum;
	if (!sum && (s->proto == IPPROTO_UDP || s->proto == IPPROTO_UDPLITE))
		sum = 0xffff;
	put16(l4 + at, sum);
}

/* Returns the offset of the transport header. */
static inline unsigned make_ip4(uint8_t *b, const struct shape *s, const struct flow_key *k)
{
	unsigned hlen = 20 + s->options;

	b[0] = (uint8_t)(0x40 | hlen / 4);
	b[1] = 0;
	put16(b + 2, hlen + s->len);
	put16(b + 4, 0x1234);
	put16(b + 6, s->piece == WHOLE ? 0x4000 : s->piece == FIRST_FRAGMENT ? 0x2000 : 0x0010);
	b[8] = 61;
	b[9] = s->proto;
	memcpy(b + 12, k->src, 4);
	memcpy(b + 16, k->dst, 4);
	memset(b + 20, 1, s->options); /* no operation */
	fix_ip4(b);
	return hlen;
}

static inline unsigned make_ip6(uint8_t *b, const struct shape *s, const struct flow_key *k)
{
	unsigned at = 40;
	uint8_t *next = b + 6;

	b[0] = 0x60;
	b[1] = b[2] = b[3] = 0;
	put16(b + 4, s->options + (s->piece == WHOLE ? 0 : 8) + s->len);
	b[7] = 61;
	memcpy(b + 8, k->src, 16);
	memcpy(b + 24, k->dst, 16);
	if (s->options) {
		*next = 60;
		next = b + at;
		b[at + 1] = (uint8_t)(s->options / 8 - 1);
		b[at + 2] = 1; /* PadN */
		b[at + 3] = (uint8_t)(s->options - 4);
		memset(b + at + 4, 0, s->options - 4);
		at += s->options;
	}
	if (s->piece != WHOLE) {
		*next = 44;
		next = b + at;
		b[at + 1] = 0;
		put16(b + at + 2, s->piece == FIRST_FRAGMENT ? 1 : 0x80);
		put16(b + at + 4, 0);
		put16(b + at + 6, 0x1234);
		at += 8;
	}
	*next = s->proto;
	return at;
}

/* Fills b[ROOM]; returns the packet's length. */
static inline unsigned make_packet(uint8_t *b, const struct shape *s, const struct flow_key *k)
{
	unsigned at = s->ip6 ? make_ip6(b, s, k) : make_ip4(b, s, k);
	uint8_t *l4 = b + at;

	for (unsigned i = 0; i < s->len; i++)
		l4[i] = (uint8_t)(i * 7 + 3);
	if (s->piece == LATER_FRAGMENT)
		return at + s->len;
	if (has_ports(s->proto)) {
		put16_inside(l4, s->len, 0, ntohs(k->sport));
		put16_inside(l4, s->len, 2, ntohs(k->dport));
	}
	if (is_icmp(s)) {
		put16_inside(l4, s->len, 0, (unsigned)s->icmp_type << 8);
		put16_inside(l4, s->len, 4, ntohs(k->sport));
	}
	if (s->proto == IPPROTO_TCP)
		put16_inside(l4, s->len, 12, 0x5010);
	if (s->proto == IPPROTO_UDP)
		put16_inside(l4, s->len, 4, s->len);
	if (s->proto == IPPROTO_UDPLITE)
		put16_inside(l4, s->len, 4, 0);
	fix_transport(b, l4, s);
	return at + s->len;
}

/* An error: outer header, 8 bytes of ICMP, the quote. Returns its length. */
static inline unsigned make_error(uint8_t *b, bool ip6, unsigned options, const uint8_t icmp[8],
				  const uint8_t *quote, unsigned len, const struct flow_key *outer)
{
	struct shape s = { .ip6 = ip6,
			   .proto = ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			   .options = options,
			   .len = 8 + len };
	unsigned at = ip6 ? make_ip6(b, &s, outer) : make_ip4(b, &s, outer);

	memcpy(b + at, icmp, 8);
	memcpy(b + at + 8, quote, len);
	fix_transport(b, b + at, &s);
	return at + 8 + len;
}

/* A copy of exactly its size, so that the sanitizer sees what is read behind it; to be freed as
 * p.l3. */
static inline struct pkt pkt_copy(const uint8_t *b, unsigned len)
{
	struct pkt p = { .l3 = malloc(len), .len = (uint16_t)len };

	assert_non_null(p.l3);
	memcpy(p.l3, b, len);
	p.flags = p.l3[0] >> 4 == 6 ? PKT_IP6 : 0;
	assert_true(parse_transport(&p));
	return p;
}

/* Addresses and ports from a few bytes. */
static inline struct flow_key make_key(bool ip6, uint8_t proto, uint8_t a, uint8_t b,
				       uint16_t sport, uint16_t dport)
{
	struct flow_key k = { .sport = htons(sport),
			      .dport = htons(dport),
			      .proto = proto,
			      .family = ip6 ? AF_INET6 : AF_INET };

	for (unsigned i = 0; i < (ip6 ? 16 : 4); i++) {
		k.src[i] = (uint8_t)(a + i * 29);
		k.dst[i] = (uint8_t)(b + i * 43);
	}
	return k;
}

#endif
