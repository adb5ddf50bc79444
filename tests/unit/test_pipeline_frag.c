/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets larger than the MTU: IPv4 is cut (RFC 791, requirement F8) or, with DF, refused; IPv6 is
 * always refused (G22).
 *
 * expect_fragments() knows nothing of how the router cuts: it puts together what came out.
 */
#include "tests/unit/pipe_rows.h"

static void set_mtu(struct pipe *p, unsigned iface, unsigned mtu)
{
	p->cfg->iface[iface].mtu = (uint16_t)mtu;
	pipe_learn(p, iface, on_link(false, iface, 2), NH_RESOLVED, 0);
	pipe_learn(p, iface, on_link(true, iface, 2), NH_RESOLVED, 0);
}

/* One fragment, whose data begins `at` bytes into that of `in`: its length. */
static unsigned expect_fragment(struct frame *f, struct frame *in, unsigned mtu, unsigned at,
				unsigned step_ttl)
{
	struct ip4_header *h = frame_ip4(f), *was = frame_ip4(in);
	unsigned hlen = (was->ver_ihl & 15) * 4u, whole = ntohs(was->len) - hlen;
	unsigned data = ntohs(h->len) - hlen, frag = ntohs(h->frag), first = ntohs(was->frag);
	bool last = at + data == whole;

	assert_in_range(ntohs(h->len), hlen + 1, mtu);
	assert_int_equal(f->len, f->l3 + ntohs(h->len) < 60 ? 60 : f->l3 + ntohs(h->len));
	assert_int_equal(plain_sum((uint8_t *)h, hlen, 0), 0xffff);
	assert_int_equal(frag & IP4_OFFSET, (first & IP4_OFFSET) + at / 8);
	assert_int_equal(!!(frag & IP4_MF), !last || first & IP4_MF);
	assert_int_equal(frag & 0xc000, 0);
	assert_true(last || data == ((mtu - hlen) & ~7u));
	assert_memory_equal(f->b + f->l3 + hlen, in->b + in->l3 + hlen + at, data);
	assert_int_equal(h->ver_ihl, was->ver_ihl);
	assert_int_equal(h->tos, was->tos);
	assert_int_equal(h->id, was->id);
	assert_int_equal(h->ttl, was->ttl - step_ttl);
	assert_int_equal(h->proto, was->proto);
	assert_int_equal(h->src, was->src);
	assert_int_equal(h->dst, was->dst);
	return data;
}

/* The frames that a port sent are `in` in pieces, in order, none missing; how many. */
static unsigned expect_fragments(struct pipe *p, struct frame *in, unsigned port, unsigned mtu,
				 unsigned step_ttl)
{
	unsigned hlen = (frame_ip4(in)->ver_ihl & 15) * 4u;
	unsigned whole = ntohs(frame_ip4(in)->len) - hlen, at = 0, n = 0;
	struct frame f;

	for (; at < whole; n++) {
		assert_true(pipe_sent(p, port, &f));
		at += expect_fragment(&f, in, mtu, at, step_ttl);
	}
	pipe_quiet(p);
	return n;
}

/* Row: the packet leaves by interface 1 in the fewest pieces. */
static void pipe_cuts(struct pipe *p, struct frame *in, unsigned mtu)
{
	uint64_t drops = pipe_drops_all(p), made = p->w->count->generated;
	unsigned hlen = (frame_ip4(in)->ver_ihl & 15) * 4u, step = (mtu - hlen) & ~7u;
	unsigned n = (ntohs(frame_ip4(in)->len) - hlen + step - 1) / step;

	pipe_receive(p, in);
	pipe_turn(p);
	assert_int_equal(expect_fragments(p, in, 1, mtu, 1), n);
	assert_int_equal(pipe_drops_all(p), drops);
	assert_int_equal(p->w->count->generated, made + n - 1);
}

static void test_corners(void **state)
{
	static const unsigned mtus[] = { 68, 69, 75, 76, 576, 577, 1280, 1492, 1499, 1500, 3000 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open_sized(&p, 2048, 256);
	for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		unsigned mtu = mtus[i], big[] = { mtu + 1, mtu + 7, mtu + 8, 2 * mtu - 20, 3500 };

		set_mtu(&p, 1, mtu);
		for (unsigned total = mtu - 9; total <= mtu; total++) {
			frame_to(&f, beyond(false, VIA_OUT), total - 20);
			pipe_forwards(&p, &f, 1);
		}
		for (unsigned k = 0; k < 5; k++) {
			if (big[k] > 3500)
				continue;
			frame_to(&f, beyond(false, VIA_OUT), big[k] - 20);
			pipe_cuts(&p, &f, mtu);
			frame_ip4(&f)->frag = htons(IP4_DF);
			frame_sum4(&f);
			pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, mtu);
			frame_ttl(&f, 1); /* F2 comes before F8 */
			pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
		}
	}
	pipe_close(&p);
}

/* What is a fragment already goes on being one of the same datagram. */
static void test_cut_again(void **state)
{
	static const unsigned frags[] = { IP4_MF, IP4_MF | 185, 185,
					  IP4_MF | 0x8000, /* the reserved bit stays too */
					  8191 - 200 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	for (unsigned i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
		frame_to(&f, beyond(false, VIA_OUT), 1480);
		frame_ip4(&f)->frag = htons((uint16_t)frags[i]);
		frame_sum4(&f);
		pipe_cuts(&p, &f, 576);
	}
	frame_ip4(&f)->frag = htons(IP4_DF | 185);
	frame_sum4(&f);
	pipe_drops(&p, &f, DROP_TOO_BIG); /* F10: no error about a later fragment */
	frame_ip4(&f)->frag = htons(IP4_DF | IP4_MF);
	frame_sum4(&f);
	pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, 576);
	pipe_close(&p);
}

/* An end beyond 65535 would come around and overwrite the beginning. */
static void test_cut_beyond_the_end(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	for (unsigned offset = 8191; offset > 8191 - 200; offset--) {
		frame_to(&f, beyond(false, VIA_OUT), 1480);
		frame_ip4(&f)->frag = htons((uint16_t)offset);
		frame_sum4(&f);
		if (offset * 8 + 1500 > 65535)
			pipe_drops(&p, &f, DROP_IP4_LENGTH);
		else
			pipe_cuts(&p, &f, 576);
	}
	pipe_close(&p);
}

/* Options with the copy bit are in all fragments, the others in the first only. */
static void test_options(void **state)
{
	static const uint8_t options[12] = { 148, 4, 0, 0, 7, 7, 8, 1, 2, 3, 4, 0 };
	static const uint8_t later[12] = { 148, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0 };
	struct pipe p;
	struct frame f, got;
	unsigned at = 0, n = 0;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	frame_to(&f, beyond(false, VIA_OUT), 1400);
	frame_options(&f, options, sizeof(options));
	pipe_receive(&p, &f);
	pipe_turn(&p);
	for (; pipe_sent(&p, 1, &got); n++) {
		at += expect_fragment(&got, &f, 576, at, 1);
		assert_memory_equal(got.b + 34, n ? later : options, 12);
	}
	assert_int_equal(at, 1400);
	assert_int_equal(n, 3);

	frame_ip4(&f)->frag = htons(185); /* cut before, and its options with it: they stay */
	frame_sum4(&f);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	for (at = 0; pipe_sent(&p, 1, &got);) {
		at += expect_fragment(&got, &f, 576, at, 1);
		assert_memory_equal(got.b + 34, options, 12);
	}
	assert_int_equal(at, 1400);
	pipe_close(&p);
}

/* All but the last piece are of eight bytes each; it may fill the MTU. */
static void test_last_piece(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 579);
	for (unsigned data = 552 + 552; data <= 552 + 560; data++) {
		frame_to(&f, beyond(false, VIA_OUT), data);
		pipe_receive(&p, &f);
		pipe_turn(&p);
		assert_int_equal(expect_fragments(&p, &f, 1, 579, 1), data <= 552 + 559 ? 2 : 3);
	}
	pipe_close(&p);
}

/* RFC 791: reserved, must be zero; what was not cut keeps it. */
static void test_reserved_bit(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	frame_to(&f, beyond(false, VIA_OUT), 1000);
	frame_ip4(&f)->frag = htons(0x8000);
	frame_sum4(&f);
	pipe_cuts(&p, &f, 576);
	frame_to(&f, beyond(false, VIA_OUT), 400);
	frame_ip4(&f)->frag = htons(0x8000);
	frame_sum4(&f);
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

/* IHL 15: eight bytes a fragment at the smallest MTU; more pieces than we make are refused. */
static void test_largest_header(void **state)
{
	static const uint8_t options[40] = { 1, 1, 1, 1 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open_sized(&p, 2048, 256);
	set_mtu(&p, 1, 68);
	frame_to(&f, beyond(false, VIA_OUT), 800);
	frame_options(&f, options, sizeof(options));
	pipe_cuts(&p, &f, 68);
	frame_to(&f, beyond(false, VIA_OUT), 3000);
	frame_options(&f, options, sizeof(options));
	pipe_drops(&p, &f, DROP_FRAG_MANY);
	frame_to(&f, beyond(false, VIA_OUT), 128 * 8); /* as many as we make, and one more */
	frame_options(&f, options, sizeof(options));
	pipe_cuts(&p, &f, 68);
	frame_to(&f, beyond(false, VIA_OUT), 128 * 8 + 1);
	frame_options(&f, options, sizeof(options));
	pipe_drops(&p, &f, DROP_FRAG_MANY);
	pipe_close(&p);
}

/* A tag takes nothing from the packet's MTU, and each fragment has one. */
static void test_into_vlan(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, VLAN100, 1496);
	frame_to(&f, beyond(false, VIA_VLAN), 1480);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	assert_int_equal(p.w->count->vlan[VLAN100].tx_packets, 2);
	assert_int_equal(expect_fragments(&p, &f, 1, 1496, 1), 2);
	pipe_close(&p);
}

/* Our own errors are cut like anybody's, but pay no hop. */
static void test_own_error(void **state)
{
	struct pipe p;
	struct frame f, whole, got;
	unsigned at = 0, n = 0;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, TO_NOWHERE), 1000);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	assert_true(pipe_sent(&p, 0, &whole));
	set_mtu(&p, 0, 68);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	assert_int_equal(ntohs(frame_ip4(&whole)->len), 576);
	for (; pipe_sent(&p, 0, &got); n++) {
		if (n == 0) /* another error, another number */
			frame_ip4(&whole)->id = frame_ip4(&got)->id;
		at += expect_fragment(&got, &whole, 68, at, 0);
	}
	assert_int_equal(at, 556);
	assert_int_equal(n, 12);
	pipe_close(&p);
}

/* No frame for all pieces: none goes, and nothing is lost but the packet. */
static void test_no_frame(void **state)
{
	struct pipe p;
	struct frame f;
	uint32_t kept[PIPE_FRAMES], n;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	for (unsigned left = 0; left < 3; left++) {
		frame_to(&f, beyond(false, VIA_OUT), 1480);
		pipe_receive(&p, &f);
		for (n = 0; frame_alloc(&p.w->cache, &kept[n]);)
			n++;
		for (unsigned i = 0; i < left; i++)
			frame_free(&p.w->cache, kept[--n]);
		worker_turn(p.w, p.now);
		while (n > 0)
			frame_free(&p.w->cache, kept[--n]);
		pipe_check(&p);
		assert_int_equal(p.w->count->drop[DROP_FRAG_NO_FRAME], left < 2 ? left + 1 : 2);
	}
	assert_int_equal(expect_fragments(&p, &f, 1, 576, 1), 3); /* two frames did */
	pipe_close(&p);
}

/* G22. A router never cuts IPv6, and no link is smaller than 1280. */
static void test_ip6(void **state)
{
	static const unsigned mtus[] = { 1000, 1279, 1280, 1281, 1492, 1500, 3000 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		unsigned mtu = mtus[i] < 1280 ? 1280 : mtus[i];

		set_mtu(&p, 1, mtus[i]);
		for (unsigned total = mtu - 9; total < mtu + 10; total++) {
			frame_to(&f, beyond(true, VIA_OUT), total - 40);
			if (total <= mtu)
				pipe_forwards(&p, &f, 1);
			else
				pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, mtu);
		}
		frame_to(&f, beyond(true, VIA_OUT), 3400);
		pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, mtu);
	}
	pipe_close(&p);
}

/* Packet too big is for any fragment (RFC 4443 3.2), and knows no limit: path MTU discovery hangs
 * on it. */
static void test_ip6_fragments(void **state)
{
	static const uint8_t first[8] = { 0, 0, 0, 1, 1, 2, 3, 4 }, later[8] = { 0, 0, 5, 0xa8 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 1280);
	frame_to(&f, beyond(true, VIA_OUT), 1400);
	frame_extension(&f, 44, first, 8);
	pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, 1280);
	frame_to(&f, beyond(true, VIA_OUT), 1400);
	frame_extension(&f, 44, later, 8);
	pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, 1280);
	for (unsigned i = 0; i < 40; i++) {
		p.now -= NSEC_PER_SEC; /* the row's second does not pass */
		pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, 1280);
	}
	frame6(&f, on_link(true, 0, 2), beyond(true, VIA_OUT), IPPROTO_ICMPV6, 1400);
	frame_extension(&f, 44, later, 8); /* of an error, perhaps */
	pipe_drops(&p, &f, DROP_TOO_BIG);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corners),
		cmocka_unit_test(test_cut_again),
		cmocka_unit_test(test_cut_beyond_the_end),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_reserved_bit),
		cmocka_unit_test(test_last_piece),
		cmocka_unit_test(test_largest_header),
		cmocka_unit_test(test_into_vlan),
		cmocka_unit_test(test_own_error),
		cmocka_unit_test(test_no_frame),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_ip6_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
