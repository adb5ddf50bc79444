/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums that a Linux sender left to its device (router/net/unfinished.h): of a packet, and of
 * what is in a tunnel. What is complete, wrong or no checksum stays as it is.
 */
#include "tests/unit/pipe_rows.h"

enum { COMPLETE, PARTIAL, WRONG, ZERO };

/* Put into the transport header at `l4` the checksum as a host would, or would leave it. */
static void transport_csum(struct frame *f, unsigned l4, unsigned proto, unsigned kind)
{
	bool six = f->b[f->l3] >> 4 == 6;
	unsigned len = six ? 40u + ntohs(frame_ip6(f)->plen) : ntohs(frame_ip4(f)->len), sum;
	uint8_t *at = f->b + f->l3 + l4 + (proto == IPPROTO_TCP ? 16 : 6);
	static uint8_t none[1];
	uint64_t pseudo = plain_sum(f->b + f->l3 + (six ? 8 : 12), six ? 32 : 8, proto + len - l4);

	put16(at, 0);
	sum = transport_sum(f->b + f->l3, l4, len, proto) ^ 0xffff;
	if (sum == 0 && proto == IPPROTO_UDP)
		sum = 0xffff;
	if (kind == PARTIAL)
		sum = plain_sum(none, 0, pseudo);
	put16(at, kind == ZERO ? 0 : kind == WRONG ? sum ^ 0x1111 : sum);
}

/* Row: `f` leaves as `done` would, and if that is another frame, this was counted. */
static void becomes(struct pipe *p, struct frame *f, struct frame *done)
{
	uint64_t before = p->w->count->event[EVENT_CSUM_COMPLETED];
	struct frame want;

	frame_forwarded(&want, done, 1, 2);
	pipe_receive(p, f);
	pipe_turn(p);
	expect_frame(p, 1, &want);
	pipe_quiet(p);
	assert_int_equal(p->w->count->event[EVENT_CSUM_COMPLETED] - before,
			 memcmp(f->b, done->b, f->len) != 0);
}

/* Row: what goes in with a checksum of one kind comes out with one of another. */
static void pipe_sums(struct pipe *p, struct frame *f, unsigned l4, unsigned proto, unsigned in,
		      unsigned out)
{
	struct frame sent = *f;

	transport_csum(&sent, l4, proto, out);
	transport_csum(f, l4, proto, in);
	becomes(p, f, &sent);
}

static void sums_of(struct pipe *p, bool six, unsigned proto, unsigned payload)
{
	struct addr src = on_link(six, 0, 2), dst = beyond(six, VIA_OUT);
	static const uint8_t nops[4] = { 1, 1, 1, 1 }, dest[8] = { 0, 0, 1, 4 };
	struct frame f;

	for (unsigned odd = 0; odd < 2; odd++) {
		unsigned l4 = six ? 40 + odd * 8 : 20 + odd * 4;

		(six ? frame6 : frame4)(&f, src, dst, proto, payload);
		if (odd && six)
			frame_extension(&f, 60, dest, 8);
		else if (odd)
			frame_options(&f, nops, 4);
		for (unsigned behind = 0; behind < 2; behind++, f.len += 5) {
			pipe_sums(p, &f, l4, proto, PARTIAL, COMPLETE);
			pipe_sums(p, &f, l4, proto, COMPLETE, COMPLETE);
			pipe_sums(p, &f, l4, proto, WRONG, WRONG); /* not ours to mend */
			pipe_sums(p, &f, l4, proto, ZERO, ZERO);
		}
	}
}

static void test_partial_checksums(void **state)
{
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned payload = 20; payload < 1440; payload += payload < 40 ? 1 : 101)
		for (unsigned six = 0; six < 2; six++) {
			sums_of(&p, six, IPPROTO_TCP, payload);
			sums_of(&p, six, IPPROTO_UDP, payload);
		}
	sums_of(&p, false, IPPROTO_UDP, 8);
	sums_of(&p, true, IPPROTO_UDP, 8);
	pipe_close(&p);
}

/* A real device hands over nothing unfinished; a fragment, or what has no such field, stays. */
static void test_checksums_left_alone(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_OUT), 40);
	pipe_sums(&p, &f, 20, IPPROTO_UDP, PARTIAL, PARTIAL);
	p.cfg->iface[0].virtual = true;
	for (unsigned frag = 0; frag < 2; frag++) {
		frame_to(&f, beyond(false, VIA_OUT), 40);
		frame_ip4(&f)->frag = htons(frag ? 100 : IP4_MF);
		frame_sum4(&f);
		pipe_sums(&p, &f, 20, IPPROTO_UDP, PARTIAL, PARTIAL);
	}
	for (unsigned payload = 0; payload < 18; payload++) { /* headers that end early */
		frame4(&f, on_link(false, 0, 2), beyond(false, VIA_OUT), IPPROTO_TCP, payload);
		pipe_forwards(&p, &f, 1);
	}
	frame4(&f, on_link(false, 0, 2), beyond(false, VIA_OUT), IPPROTO_ICMP, 40);
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

/* A UDP checksum that comes out as zero is written as ffff: zero means none. */
static void test_checksum_zero(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	frame_to(&f, beyond(false, VIA_OUT), 40);
	put16(f.b + 42, 0);
	transport_csum(&f, 20, IPPROTO_UDP, COMPLETE);
	put16(f.b + 42, get16(f.b + 40)); /* what was the sum is data now: it comes out as 0 */
	transport_csum(&f, 20, IPPROTO_UDP, COMPLETE);
	assert_int_equal(get16(f.b + 40), 0xffff);
	pipe_sums(&p, &f, 20, IPPROTO_UDP, PARTIAL, COMPLETE);
	pipe_close(&p);
}

/* ---- SCTP: a CRC32c, the field being zero when it is unfinished */

/* The definition, bit by bit. */
static uint32_t crc32c(const uint8_t *at, unsigned len)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < 8 * len; i++) {
		crc ^= i % 8 ? 0 : at[i / 8];
		crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* An INIT or DATA chunk of some length, and what pads it, behind a header without a checksum. */
static void sctp(struct frame *f, bool six, unsigned chunk)
{
	unsigned l4 = six ? 54 : 34;

	(six ? frame6 : frame4)(f, on_link(six, 0, 2), beyond(six, VIA_OUT), IPPROTO_SCTP,
				12 + (chunk + 3) / 4 * 4 + 8);
	memset(f->b + l4 + 8, 0, 4);
	put16(f->b + l4 + 14, chunk);
	put16(f->b + f->len - 6, 8); /* another, the smallest but one */
}

static void test_sctp(void **state)
{
	struct frame f, done;
	struct pipe p;

	(void)state;
	assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	pipe_open(&p);
	for (unsigned i = 2 * 4; i < 2 * 300; i++) {
		unsigned l4 = i % 2 ? 54 : 34;
		uint32_t crc;

		sctp(&f, i % 2, i / 2);
		p.cfg->iface[0].virtual = false;
		pipe_forwards(&p, &f, 1);
		done = f;
		crc = crc32c(f.b + l4, f.len - l4);
		for (unsigned b = 0; b < 4; b++)
			done.b[l4 + 8 + b] = (uint8_t)(crc >> 8 * b);
		p.cfg->iface[0].virtual = true;
		becomes(&p, &f, &done);
		pipe_forwards(&p, &done, 1);
	}
	pipe_close(&p);
}

/* Zeros where SCTP has its checksum, but no chunks, or such that do not end where the packet does.
 */
static void test_no_sctp(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned len = 0; len < 100; len++) {
		frame4(&f, on_link(false, 0, 2), beyond(false, VIA_OUT), IPPROTO_SCTP, len);
		memset(f.b + 34, 0, len);
		pipe_forwards(&p, &f, 1);
	}
	for (unsigned chunk = 0; chunk < 200; chunk++) {
		sctp(&f, false, 100);
		put16(f.b + 34 + 14, chunk);
		if (chunk < 97 || chunk > 108 || (chunk > 100 && chunk < 105))
			pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* ---- tunnels */

static const struct tunnel {
	const char *name;
	uint8_t proto;
	bool ethernet; /* else the packet itself is inside */
	unsigned n;
	uint8_t four[48], six[48]; /* what stands before it, by what it is */
} tunnels[] = {
	{ "IPv4 in IP", IPPROTO_IPIP, false, 0, { 0 }, { 0 } }, /* IPv6 in IP is 41 */
	{ "GRE", IPPROTO_GRE, false, 4, { 0, 0, 8, 0 }, { 0, 0, 0x86, 0xdd } },
	{ "GRE with a key",
	  IPPROTO_GRE,
	  false,
	  8,
	  { 0x20, 0, 8, 0, 1, 2, 3, 4 },
	  { 0x20, 0, 0x86, 0xdd, 1, 2, 3, 4 } },
	{ "GRE with all there is",
	  IPPROTO_GRE,
	  true,
	  16,
	  { 0xb0, 0, 0x65, 0x58, 1, 2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 },
	  { 0xb0, 0, 0x65, 0x58, 1, 2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "VXLAN",
	  IPPROTO_UDP,
	  true,
	  16,
	  { 200, 1, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0 },
	  { 200, 1, 0x21, 0x18, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0 } },
	{ "VXLAN with a group",
	  IPPROTO_UDP,
	  true,
	  16,
	  { 200, 1, 0x12, 0xb5, 0, 0, 0, 0, 0x88, 8, 8, 0, 0, 0, 7, 0 },
	  { 200, 1, 0x12, 0xb5, 0, 0, 0, 0, 0x88, 0x48, 0x86, 0xdd, 0, 0, 7, 0 } },
	{ "Geneve",
	  IPPROTO_UDP,
	  true,
	  16,
	  { 200, 1, 0x17, 0xc1, 0, 0, 0, 0, 0, 0, 0x65, 0x58, 0, 0, 7, 0 },
	  { 200, 1, 0x17, 0xc1, 0, 0, 0, 0, 0, 0x40, 0x65, 0x58, 0, 0, 7, 0 } },
	{ "Geneve with 32 bytes of options",
	  IPPROTO_UDP,
	  false,
	  48,
	  { 200, 1, 0x17, 0xc1, 0, 0, 0, 0, 8, 0, 8, 0, 0, 0, 7, 0 },
	  { 200, 1, 0x17, 0xc1, 0, 0, 0, 0, 8, 0, 0x86, 0xdd, 0, 0, 7, 0 } },
};
#define TUNNELS (sizeof(tunnels) / sizeof(tunnels[0]))

/* f: a frame; out: it in a tunnel of IPv6 or IPv4. */
static void wrap(struct frame *out, const struct frame *f, const struct tunnel *t, bool six)
{
	bool inner = f->b[f->l3] >> 4 == 6;
	unsigned from = t->ethernet ? 0 : f->l3, len = f->len - from;
	unsigned proto = t->proto == IPPROTO_IPIP && inner ? IPPROTO_IPV6 : t->proto;

	(six ? frame6 : frame4)(out, on_link(six, 0, 2), beyond(six, VIA_OUT), proto, t->n + len);
	memcpy(out->b + out->len - len - t->n, inner ? t->six : t->four, t->n);
	memcpy(out->b + out->len - len, f->b + from, len);
	if (proto == IPPROTO_UDP)
		put16(out->b + out->l3 + (six ? 44 : 24), t->n + len);
}

/* A packet of TCP or UDP with a checksum of one kind, behind a tag or two or none. */
static void inner_frame(struct frame *f, bool six, unsigned proto, unsigned len, unsigned kind)
{
	(six ? frame6 : frame4)(f, net4(192, 168, 7, 1), net4(192, 168, 7, 2), proto, len);
	if (six) {
		struct addr a = net6(7, 1), b = net6(7, 2);

		memcpy(frame_ip6(f)->src, a.bytes, 16);
		memcpy(frame_ip6(f)->dst, b.bytes, 16);
	}
	transport_csum(f, six ? 40 : 20, proto, kind);
}

/* Row: what is inside is finished, and what is around it left alone. */
static void tunnel_row(struct pipe *p, const struct tunnel *t, bool out6, bool in6, unsigned proto,
		       unsigned len)
{
	struct frame in, partial, complete;

	for (unsigned tags = 0; tags < (t->ethernet ? 3 : 1); tags++) {
		for (unsigned kind = COMPLETE; kind <= WRONG; kind++) {
			inner_frame(&in, in6, proto, len, kind);
			for (unsigned i = 0; i < tags; i++)
				frame_tag(&in, i ? 0x88a8 : 0x8100, 5);
			wrap(&partial, &in, t, out6);
			inner_frame(&in, in6, proto, len, kind == WRONG ? WRONG : COMPLETE);
			for (unsigned i = 0; i < tags; i++)
				frame_tag(&in, i ? 0x88a8 : 0x8100, 5);
			wrap(&complete, &in, t, out6);
			if (t->proto == IPPROTO_UDP) { /* made for what will be inside */
				transport_csum(&complete, out6 ? 40 : 20, IPPROTO_UDP, COMPLETE);
				memcpy(partial.b + partial.l3 + (out6 ? 46 : 26),
				       complete.b + complete.l3 + (out6 ? 46 : 26), 2);
			}
			becomes(p, &partial, &complete);
		}
	}
}

static void test_tunnels(void **state)
{
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned i = 0; i < 4 * TUNNELS; i++) {
		tunnel_row(&p, &tunnels[i / 4], i & 1, i & 2, IPPROTO_TCP, 20);
		tunnel_row(&p, &tunnels[i / 4], i & 1, i & 2, IPPROTO_TCP, 1001);
		tunnel_row(&p, &tunnels[i / 4], i & 1, i & 2, IPPROTO_UDP, 77);
	}
	pipe_close(&p);
}

/* A segment whose checksum is complete and looks unfinished: a word of its data sees to that. */
static void looks_unfinished(struct frame *f, bool six)
{
	uint8_t *last;

	inner_frame(f, six, IPPROTO_TCP, 100, PARTIAL);
	last = f->b + f->len - 2;
	put16(last, 0);
	put16(last,
	      0xffff - transport_sum(f->b + f->l3, six ? 40 : 20, f->len - f->l3, IPPROTO_TCP));
}

/* What is inside was done, or has none: then it is the tunnel's own that is unfinished. */
static void test_around(void **state)
{
	struct frame in, partial, complete;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned i = 0; i < 4 * TUNNELS; i++) {
		const struct tunnel *t = &tunnels[i / 4];
		bool six = i & 1;

		if (t->proto != IPPROTO_UDP)
			continue;
		if (i / 4 % 2)
			inner_frame(&in, i & 2, IPPROTO_TCP, 100, WRONG);
		else
			looks_unfinished(&in, i & 2);
		wrap(&partial, &in, t, six);
		complete = partial;
		transport_csum(&partial, six ? 40 : 20, IPPROTO_UDP, PARTIAL);
		transport_csum(&complete, six ? 40 : 20, IPPROTO_UDP, COMPLETE);
		becomes(&p, &partial, &complete);
	}
	pipe_close(&p);
}

/* A tunnel in a tunnel, up to four packets in one another. */
static void test_nested(void **state)
{
	struct frame partial[5], complete[5];
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned i = 0; i < TUNNELS; i++) {
		inner_frame(&partial[0], false, IPPROTO_TCP, 100, PARTIAL);
		inner_frame(&complete[0], false, IPPROTO_TCP, 100, COMPLETE);
		for (unsigned depth = 1; depth < 5; depth++) {
			const struct tunnel *t = &tunnels[(i + depth) % TUNNELS];

			wrap(&partial[depth], &partial[depth - 1], t, depth % 2);
			wrap(&complete[depth], &complete[depth - 1], t, depth % 2);
			becomes(&p, &partial[depth], depth < 4 ? &complete[depth] : &partial[4]);
		}
	}
	pipe_close(&p);
}

/* A packet inside that is not all there, or a fragment, stays as it is, wherever it is cut off. */
static void test_cut_off(void **state)
{
	struct frame in, out;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned i = 0; i < 2 * TUNNELS; i++) {
		inner_frame(&in, i % 2, IPPROTO_TCP, 40, PARTIAL);
		wrap(&out, &in, &tunnels[i / 2], false);
		while (ntohs(frame_ip4(&out)->len) > 20) {
			frame_ip4(&out)->len = htons(ntohs(frame_ip4(&out)->len) - 1);
			frame_sum4(&out);
			pipe_forwards(&p, &out, 1);
		}
		if (i % 2)
			continue;
		frame_ip4(&in)->frag = htons(IP4_MF);
		frame_sum4(&in);
		wrap(&out, &in, &tunnels[i / 2], false);
		pipe_forwards(&p, &out, 1);
	}
	pipe_close(&p);
}

/* Whatever a packet is said to be, bytes that mean nothing pass as they are. */
static void test_any_protocol(void **state)
{
	static const uint8_t fill[] = { 0x00, 0x01, 0x08, 0x45, 0x60, 0x88, 0xff };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].virtual = true;
	for (unsigned i = 0; i < 256 * sizeof(fill); i++) {
		unsigned len = 1 + i % 90;

		frame4(&f, on_link(false, 0, 2), beyond(false, VIA_OUT), i % 256, len);
		memset(f.b + 34, fill[i / 256], len);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partial_checksums),
		cmocka_unit_test(test_checksums_left_alone),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_no_sctp),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_around),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_any_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
