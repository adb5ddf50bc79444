/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the packet path's tests: one frame in, and all that may come of it. pipe_forwards(),
 * pipe_drops() and pipe_answers() look at every byte that was sent and at every drop counter, and
 * have the books balanced after it. What they expect is worked out here from the frame that went
 * in, by code that shares nothing with the router's.
 */
#ifndef TESTS_UNIT_PIPE_ROWS_H
#define TESTS_UNIT_PIPE_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/pipe.h"

#define FRAME_ROOM (PIPE_SIZE - HEADROOM)
#define OLD_DATA   0xa5 /* what a frame holds before a packet is received into it */

/* A frame on the wire: received by `port`; its IP header is at l3. */
struct frame {
	unsigned port, l3;
	uint32_t len;
	uint8_t b[FRAME_ROOM];
};

static inline struct ip4_header *frame_ip4(struct frame *f)
{
	return (struct ip4_header *)(f->b + f->l3);
}
static inline struct ip6_header *frame_ip6(struct frame *f)
{
	return (struct ip6_header *)(f->b + f->l3);
}

static inline void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}
static inline unsigned get16(const uint8_t *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

/* RFC 1071 a byte at a time: the sum of what lies there, folded, not complemented. */
static inline unsigned plain_sum(const uint8_t *p, size_t len, uint64_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

static inline void frame_sum4(struct frame *f)
{
	uint8_t *h = f->b + f->l3;

	put16(h + 10, 0);
	put16(h + 10, ~plain_sum(h, (h[0] & 15) * 4u, 0) & 0xffff);
}

/* Transport checksum of the packet, pseudo header included; 0xffff when it is right. */
static inline unsigned transport_sum(const uint8_t *l3, unsigned l4, unsigned len, unsigned proto)
{
	unsigned addresses = l3[0] >> 4 == 4 ? 8 : 32, at = l3[0] >> 4 == 4 ? 12 : 8;
	uint64_t sum = plain_sum(l3 + at, addresses, 0) + proto + (len - l4);

	return plain_sum(l3 + l4, len - l4, sum);
}

static inline void frame_link(struct frame *f, unsigned type)
{
	const uint8_t link[12] = { 2, 0, 0, 0, 0xff, 0, 2, 0, 0, 0, 0, 2 };

	f->port = 0;
	f->l3 = 14;
	memcpy(f->b, link, 12);
	put16(f->b + 12, type);
}

/* What a packet carries: ports or an ICMP query first, then bytes that say where they stand. */
static inline void fill_payload(uint8_t *at, unsigned len, unsigned proto)
{
	for (unsigned i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 7 + (i >> 8) + 3);
	if (proto == IPPROTO_UDP && len >= 8) {
		put16(at, 1000);
		put16(at + 2, 2000);
		put16(at + 4, len);
		put16(at + 6, 0);
	} else if (proto == IPPROTO_ICMP && len >= 2) {
		put16(at, 0x0800);
	} else if (proto == IPPROTO_ICMPV6 && len >= 2) {
		put16(at, 0x8000);
	}
}

/* A packet from src to dst, received by port 0. */
static inline void frame4(struct frame *f, struct addr src, struct addr dst, unsigned proto,
			  unsigned payload)
{
	struct ip4_header *h;

	frame_link(f, 0x0800);
	h = frame_ip4(f);
	*h = (struct ip4_header){ .ver_ihl = 0x45,
				  .tos = 0x28,
				  .len = htons((uint16_t)(20 + payload)),
				  .id = htons(4711),
				  .ttl = 64,
				  .proto = (uint8_t)proto,
				  .src = src.v4,
				  .dst = dst.v4 };
	fill_payload(f->b + 34, payload, proto);
	f->len = 34 + payload;
	frame_sum4(f);
}

static inline void frame6(struct frame *f, struct addr src, struct addr dst, unsigned proto,
			  unsigned payload)
{
	struct ip6_header *h;

	frame_link(f, 0x86dd);
	h = frame_ip6(f);
	*h = (struct ip6_header){ .ver_tc_flow = htonl(0x6a812345),
				  .plen = htons((uint16_t)payload),
				  .next = (uint8_t)proto,
				  .hops = 64 };
	memcpy(h->src, src.bytes, 16);
	memcpy(h->dst, dst.bytes, 16);
	fill_payload(f->b + 54, payload, proto);
	f->len = 54 + payload;
}

/* The usual packet: UDP from the host on interface 0. */
static inline void frame_to(struct frame *f, struct addr dst, unsigned payload)
{
	bool six = dst.family == AF_INET6;

	(six ? frame6 : frame4)(f, on_link(six, 0, 2), dst, IPPROTO_UDP, payload);
}

static inline void frame_ttl(struct frame *f, unsigned ttl)
{
	if (f->b[f->l3] >> 4 == 6) {
		frame_ip6(f)->hops = (uint8_t)ttl;
	} else {
		frame_ip4(f)->ttl = (uint8_t)ttl;
		frame_sum4(f);
	}
}

/* Put n bytes at `at` of the frame. */
static inline void frame_insert(struct frame *f, unsigned at, const void *bytes, unsigned n)
{
	assert_true(f->len + n <= FRAME_ROOM);
	memmove(f->b + at + n, f->b + at, f->len - at);
	memcpy(f->b + at, bytes, n);
	f->len += n;
}

static inline void frame_tag(struct frame *f, unsigned proto, unsigned tci)
{
	uint8_t tag[4];

	put16(tag, proto);
	put16(tag + 2, tci);
	frame_insert(f, 12, tag, 4);
	f->l3 += 4;
}

/* Options (a multiple of 4) or extension headers behind the IP header, lengths and sums right. */
static inline void frame_options(struct frame *f, const void *bytes, unsigned n)
{
	struct ip4_header *h = frame_ip4(f);

	frame_insert(f, f->l3 + 20, bytes, n);
	h->ver_ihl = (uint8_t)(h->ver_ihl + n / 4);
	h->len = htons((uint16_t)(ntohs(h->len) + n));
	frame_sum4(f);
}
static inline void frame_extension(struct frame *f, unsigned type, const void *bytes, unsigned n)
{
	struct ip6_header *h = frame_ip6(f);

	frame_insert(f, f->l3 + 40, bytes, n);
	f->b[f->l3 + 40] = h->next;
	h->next = (uint8_t)type;
	h->plen = htons((uint16_t)(ntohs(h->plen) + n));
}

/* ---- the wire */

static inline void pipe_receive(struct pipe *p, const struct frame *f)
{
	uint8_t *data;

	assert_int_equal(xsk_memwire_take(&p->wire[f->port], &data, 1), 1);
	memset(data - HEADROOM, OLD_DATA, PIPE_SIZE);
	memcpy(data, f->b, f->len);
	xsk_memwire_deliver(&p->wire[f->port], &data, &f->len, 1);
}

static inline void pipe_turn(struct pipe *p)
{
	worker_turn(p->w, p->now);
	pipe_check(p);
}

/* The next frame that went out by this port, done with; false: none. */
static inline bool pipe_sent(struct pipe *p, unsigned port, struct frame *f)
{
	uint8_t *data;
	uint32_t len;

	if (!xsk_memwire_sent(&p->wire[port], &data, &len, 1))
		return false;
	assert_true(len <= FRAME_ROOM);
	*f = (struct frame){ .port = port, .len = len };
	memcpy(f->b, data, len);
	f->l3 = get16(data + 12) == 0x0800 || get16(data + 12) == 0x86dd ? 14 : 18;
	xsk_memwire_done(&p->wire[port], 1);
	return true;
}

static inline void pipe_quiet(struct pipe *p)
{
	struct frame f;

	for (unsigned i = 0; i < PIPE_PORTS; i++)
		assert_false(pipe_sent(p, i, &f));
}

static inline void expect_frame(struct pipe *p, unsigned port, const struct frame *want)
{
	struct frame got;

	assert_true(pipe_sent(p, port, &got));
	assert_int_equal(got.len, want->len);
	assert_memory_equal(got.b, want->b, want->len);
}

/* ---- what should become of a frame */

/* The link header of interface `iface` to the neighbour .host, before the packet of `len` bytes at
 * `l3`, padded as a sender must. */
static inline void frame_envelope(struct frame *f, unsigned iface, unsigned host, const void *l3,
				  unsigned len, unsigned type)
{
	static const unsigned port_of[PIPE_IFACES] = { 0, 1, 2, 1, 2 };
	const uint8_t link[12] = { 2, 0, 0, 0, (uint8_t)iface, (uint8_t)host,
				   2, 0, 0, 0, 0xff,	       (uint8_t)port_of[iface] };

	memset(f, 0, sizeof(*f));
	f->port = port_of[iface];
	f->l3 = 14;
	f->len = 14 + len;
	memcpy(f->b, link, 12);
	put16(f->b + 12, type);
	memcpy(f->b + 14, l3, len);
	if (iface >= VLAN100)
		frame_tag(f, iface == QINQ ? 0x88a8 : 0x8100, iface == QINQ ? 300 : 100);
	if (f->len < 60)
		f->len = 60;
}

/* `in` as it leaves by an interface: one hop further, nothing behind the packet. */
static inline void frame_forwarded(struct frame *want, struct frame *in, unsigned iface,
				   unsigned host)
{
	if (in->b[in->l3] >> 4 == 6) {
		frame_envelope(want, iface, host, in->b + in->l3, 40u + ntohs(frame_ip6(in)->plen),
			       0x86dd);
		frame_ip6(want)->hops--;
	} else {
		frame_envelope(want, iface, host, in->b + in->l3, ntohs(frame_ip4(in)->len),
			       0x0800);
		frame_ip4(want)->ttl--;
		frame_sum4(want);
	}
}

/* Row: `in` goes on, out by `iface`, to the host there, as if it had come as `out`; nothing else
 * happens. */
static inline void pipe_forwards_as(struct pipe *p, const struct frame *in, struct frame *out,
				    unsigned iface)
{
	uint64_t drops = pipe_drops_all(p), made = p->w->count->generated;
	struct frame want;

	frame_forwarded(&want, out, iface, 2);
	pipe_receive(p, in);
	pipe_turn(p);
	expect_frame(p, want.port, &want);
	pipe_quiet(p);
	assert_int_equal(pipe_drops_all(p), drops);
	assert_int_equal(p->w->count->generated, made);
}

/* Row: the same of a frame that only the hop changes. */
static inline void pipe_forwards(struct pipe *p, struct frame *in, unsigned iface)
{
	pipe_forwards_as(p, in, in, iface);
}

static inline void expect_one_drop(struct pipe *p, const uint64_t *before, enum drop_reason why)
{
	for (unsigned i = 0; i < DROP__COUNT; i++)
		if (p->w->count->drop[i] != before[i] + (i == why))
			fail_msg("%s: %+d instead of %+d", drop_info[i].name,
				 (int)(p->w->count->drop[i] - before[i]), i == why);
}

/* Row: the frame is dropped for this reason, and nobody is told. */
static inline void pipe_drops(struct pipe *p, const struct frame *in, enum drop_reason why)
{
	uint64_t before[DROP__COUNT], made = p->w->count->generated;

	memcpy(before, p->w->count->drop, sizeof(before));
	pipe_receive(p, in);
	pipe_turn(p);
	expect_one_drop(p, before, why);
	pipe_quiet(p);
	assert_int_equal(p->w->count->generated, made);
}

/* What an error must say: RFC 792, 4443; `info` is its second word. */
struct error {
	uint8_t type, code;
	uint32_t info;
	struct addr from;
	unsigned iface, host; /* where it leaves, to whom; host 0: the host of the house */
};

static inline void expect_error4(struct frame *got, struct frame *in, const struct error *e)
{
	struct ip4_header *h = frame_ip4(got), *was = frame_ip4(in);
	unsigned total = ntohs(was->len), quote = total < 548 ? total : 548;
	uint8_t *icmp = got->b + got->l3 + 20;
	uint32_t info = htonl(e->info);

	assert_int_equal(h->ver_ihl, 0x45);
	assert_int_equal(h->tos, (was->tos & 0x1c) | 0xc0);
	assert_int_equal(ntohs(h->len), 28 + quote);
	assert_int_equal(h->frag, 0);
	assert_int_equal(h->ttl, 64);
	assert_int_equal(h->proto, IPPROTO_ICMP);
	assert_int_equal(h->src, e->from.v4);
	assert_int_equal(h->dst, was->src);
	assert_int_equal(plain_sum((uint8_t *)h, 20, 0), 0xffff);
	assert_int_equal(plain_sum(icmp, 8 + quote, 0), 0xffff);
	assert_int_equal(icmp[0], e->type);
	assert_int_equal(icmp[1], e->code);
	assert_memory_equal(icmp + 4, &info, 4);
	assert_memory_equal(icmp + 8, was, quote);
}

static inline void expect_error6(struct frame *got, struct frame *in, const struct error *e)
{
	struct ip6_header *h = frame_ip6(got), *was = frame_ip6(in);
	unsigned total = 40u + ntohs(was->plen), quote = total < 1232 ? total : 1232;
	uint8_t *icmp = got->b + got->l3 + 40;
	uint32_t info = htonl(e->info);

	assert_int_equal(ntohl(h->ver_tc_flow), 0x60000000);
	assert_int_equal(ntohs(h->plen), 8 + quote);
	assert_int_equal(h->next, IPPROTO_ICMPV6);
	assert_int_equal(h->hops, 64);
	assert_memory_equal(h->src, e->from.bytes, 16);
	assert_memory_equal(h->dst, was->src, 16);
	assert_int_equal(transport_sum((uint8_t *)h, 40, 48 + quote, IPPROTO_ICMPV6), 0xffff);
	assert_int_equal(icmp[0], e->type);
	assert_int_equal(icmp[1], e->code);
	assert_memory_equal(icmp + 4, &info, 4);
	assert_memory_equal(icmp + 8, was, quote);
}

/* What was sent by e->iface is the error about `in`: every field of it, in the right envelope. */
static inline void expect_error(struct pipe *p, struct frame *in, const struct error *e)
{
	bool six = in->b[in->l3] >> 4 == 6;
	struct frame got, want;

	assert_true(pipe_sent(p, p->cfg->iface[e->iface].port, &got));
	(six ? expect_error6 : expect_error4)(&got, in, e);
	frame_envelope(&want, e->iface, e->host ? e->host : 2, got.b + got.l3,
		       six ? 40u + ntohs(frame_ip6(&got)->plen) : ntohs(frame_ip4(&got)->len),
		       six ? 0x86dd : 0x0800);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.b, want.b, want.len);
}

/* Row: dropped for this reason, and its sender is told. The clock moves on, so that no limit bites
 * a row. */
static inline void pipe_answers_as(struct pipe *p, struct frame *in, enum drop_reason why,
				   const struct error *e)
{
	uint64_t before[DROP__COUNT], made = p->w->count->generated;

	p->now += NSEC_PER_SEC;
	memcpy(before, p->w->count->drop, sizeof(before));
	pipe_receive(p, in);
	pipe_turn(p);
	expect_error(p, in, e);
	expect_one_drop(p, before, why);
	pipe_quiet(p);
	assert_int_equal(p->w->count->generated, made + 1);
}

/* The same, to the host on interface 0 that the frame came from. */
static inline void pipe_answers(struct pipe *p, struct frame *in, enum drop_reason why,
				unsigned type, unsigned code, uint32_t info)
{
	struct error e = {
		(uint8_t)type, (uint8_t)code, info, on_link(in->b[in->l3] >> 4 == 6, 0, 1), 0, 0
	};

	pipe_answers_as(p, in, why, &e);
}

#endif
