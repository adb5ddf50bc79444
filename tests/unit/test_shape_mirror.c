/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies and frames that leave by another port than the routes say: mirrors in both directions,
 * redirects of what matches, and two ports connected through, which pass whole frames whatever is
 * in them. However they are turned in circles, it ends.
 */
#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

#define CROSS                                                                                      \
	"redirect: [{name: a, in: p0, to: p1}, "                                                   \
	"{name: b, in: p1, to: p0}]\n"

/* ---- mirrors */

/* What the next frame by `port` must be: these bytes, no longer than snaplen, padded. */
static void expect_copy(struct pipe_flows *f, unsigned port, const struct frame *of, unsigned len)
{
	struct frame want;

	memset(&want, 0, sizeof(want));
	want.len = len < of->len ? len : of->len;
	memcpy(want.b, of->b, want.len);
	if (want.len < 60)
		want.len = 60;
	expect_frame(&f->p, port, &want);
}

/* In: as it came. Out: as it leaves. The packet itself goes its way. */
static void test_mirrors(void **state)
{
	static const char *const yaml[] = {
		"mirror: [{name: m, from: p0, direction: in, to: p2, proto: udp, dport: 80}]\n",
		"mirror: [{name: m, from: p1, direction: out, to: p2, proto: udp, dport: 80}]\n",
		"mirror: [{name: m, from: p0, direction: in, to: p2, snaplen: 40, proto: udp}]\n",
		"mirror: [{name: m, from: p1, direction: out, to: p2, snaplen: 80, proto: udp}]\n",
	};
	static const unsigned snaplen[] = { 2000, 2000, 40, 80 };

	(void)state;
	for (unsigned k = 0; k < 16; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in, want;
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", k & 8 ? "conntrack: {}\n" : "",
			 yaml[k / 2 % 4]);
		flows_open(&f, text);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t made = f.p.w->count->generated;

			talk_udp(&t, &in, false, i == 2 ? 0 : 100);
			frame_forwarded(&want, &in, 1, 2);
			pipe_receive(&f.p, &in);
			turn_at(&f, f.p.now + NSEC_PER_MSEC);
			expect_frame(&f.p, 1, &want);
			if (k / 2 % 2 && i == 2) /* without what pads it */
				want.len = 14 + frame_l3_len(&want);
			expect_copy(&f, 2, k / 2 % 2 ? &want : &in, snaplen[k / 2 % 4]);
			pipe_quiet(&f.p);
			assert_int_equal(f.p.w->count->generated, made + 1);
		}
		talk_ping(&t, &in, false);
		pipe_forwards(&f.p, &in, 1);
		assert_int_equal(pipe_drops_all(&f.p), 0);
		flows_close(&f);
	}
}

/* Both directions of a port; and several copies of one packet. */
static void test_mirror_both(void **state)
{
	static const char yaml[] = "mirror: [{name: m, from: p1, direction: both, to: p2}, "
				   "{name: n, from: p1, direction: out, to: p0, proto: icmp}]\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in, want;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned back = 0; back < 2; back++) {
		talk_ping(&t, &in, back);
		frame_forwarded(&want, &in, back ? 0 : 1, 2);
		pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now);
		if (back) {
			expect_frame(&f.p, 0, &want);
			expect_copy(&f, 2, &in, 2000);
		} else {
			expect_frame(&f.p, 1, &want);
			expect_copy(&f, 2, &want, 2000);
			expect_copy(&f, 0, &want, 2000);
		}
		pipe_quiet(&f.p);
	}
	flows_close(&f);
}

/* Copies are shaped where they leave, and filed by that port's filters; those that find no room
 * are drops of their own. */
static void test_mirror_to_shaped(void **state)
{
	static const char yaml[] =
		"mirror: [{name: m, from: p0, direction: in, to: p2, proto: udp}]\n"
		"qos: {p2: {egress: {root: {handle: '1:', htb: {default: rest}}, classes: {"
		"few: {handle: '1:1', rate: 8mbit, burst: 2000b, cburst: 2000b, leaf: {pfifo: "
		"{limit: 3}}}, "
		"rest: {handle: '1:9', rate: 1gbit}}, filters: [{proto: udp, class: few}]}}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, yaml);
	talk_udp(&t, &in, false, 958);
	for (unsigned i = 0; i < 10; i++)
		pipe_receive(&f.p, &in);
	turn_at(&f, f.p.now);
	assert_int_equal(sent_by(&f, 1), 10);
	/* 3 are a burst, 3 have room */
	assert_int_equal(dropped(&f, DROP_QDISC_FULL), 4);
	assert_int_equal(f.p.w->count->generated, 10);
	assert_int_equal(runs_empty(&f, 2), 6);
	assert_int_equal(class_at(&f, 2, 0x10001)->stats.packets, 6);
	flows_close(&f);
}

/* No frame is free: the copy is lost and counted, the packet is not. */
static void test_mirror_lost(void **state)
{
	static const char yaml[] = "mirror: [{name: m, from: p0, direction: in, to: p2}]\n";
	uint32_t taken[PIPE_FRAMES], n = 0;
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in, want;

	(void)state;
	flows_open(&f, yaml);
	turn_at(&f, f.p.now);
	talk_udp(&t, &in, false, 100);
	frame_forwarded(&want, &in, 1, 2);
	pipe_receive(&f.p, &in);
	while (frame_alloc(&f.p.w->cache, &taken[n]))
		n++;
	worker_turn(f.p.w, f.p.now);
	while (n)
		frame_free(&f.p.w->cache, taken[--n]);
	expect_frame(&f.p, 1, &want);
	pipe_quiet(&f.p);
	assert_int_equal(f.p.w->count->event[EVENT_MIRROR_LOST], 1);
	flows_close(&f);
}

/* ---- redirects */

/* What matches goes elsewhere, as it is; the rest is routed. */
static void test_redirect_in(void **state)
{
	static const char yaml[] = "redirect: [{name: tap, in: p0, to: p2, proto: udp, "
				   "dport: 80}]\n";

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in;
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", k & 2 ? "conntrack: {}\n" : "", yaml);
		flows_open(&f, text);
		talk_udp(&t, &in, false, 100);
		pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now);
		expect_frame(&f.p, 2, &in);
		pipe_quiet(&f.p);
		assert_int_equal(live(&f), 0);
		t.dport = 81;
		udp_passes(&f, &t, false);
		flows_close(&f);
	}
}

/* At the way out: with the link header it would have left with, shaped by the other port. */
static void test_redirect_out(void **state)
{
	static const char yaml[] =
		"qos: {p2: {egress: {root: {tbf: {rate: 8mbit, burst: 2000b, limit: 9kb}}}}, "
		"p1: {egress: {" LEAVES
		", filters: [{proto: udp, dport: 80, action: {redirect: p2}}]}}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in, want;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 4; i++) {
		talk_udp(&t, &in, false, 958);
		frame_forwarded(&want, &in, 1, 2);
		pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now);
		if (i == 2)
			pipe_quiet(&f.p);
		if (i >= 2)
			turn_at(&f, f.p.now + 1000 * USEC);
		expect_frame(&f.p, 2, &want);
	}
	assert_int_equal(tree_at(&f, 1)->root->stats.packets, 0);
	t.dport = 81;
	udp_passes(&f, &t, false);
	flows_close(&f);
}

/* A mark that was given before the redirection is there after it. */
static void test_redirect_keeps_mark(void **state)
{
	static const char yaml[] =
		"qos: {p0: {ingress: [{proto: udp, action: [{mark: 1}, {redirect: p1}]}]}, "
		"p1: {egress: {" LEAVES ", filters: [{mark: 1, class: one}]}}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, yaml);
	talk_udp(&t, &in, false, 100);
	pipe_receive(&f.p, &in);
	turn_at(&f, f.p.now);
	expect_frame(&f.p, 1, &in);
	assert_int_equal(left_by(&f, 1), 1);
	flows_close(&f);
}

/* From one port to the other and back at the way out, and mirrors of mirrors: counted, ended. */
static void test_loops(void **state)
{
	static const char *const yaml[] = {
		"qos: {p1: {egress: {" LEAVES ", filters: [{action: {redirect: p2}}]}}, "
		"p2: {egress: {" LEAVES ", filters: [{action: {redirect: p1}}]}}}\n",
		"mirror: [{name: a, from: p1, direction: out, to: p2}, {name: b, from: p2, "
		"direction: out, to: p1}]\n"
	};
	struct talk t = TALK4;

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct pipe_flows f;
		struct frame in;
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", k & 2 ? "conntrack: {}\n" : "", yaml[k & 1]);
		flows_open(&f, text);
		for (unsigned i = 0; i < 10; i++) {
			talk_udp(&t, &in, false, 100);
			pipe_receive(&f.p, &in);
			turn_at(&f, f.p.now);
			sent_by(&f, 1);
			sent_by(&f, 2);
			assert_int_equal(dropped(&f, DROP_TC_LOOP), i + 1);
			assert_int_equal(f.p.w->dp.tc_depth, 0);
		}
		if (!(k & 1))
			assert_int_equal(f.p.w->count->port[1].tx_packets +
						 f.p.w->count->port[2].tx_packets,
					 0);
		flows_close(&f);
	}
}

/* ---- cross-connects */

static void raw(struct frame *f, unsigned port, unsigned type, unsigned len)
{
	*f = (struct frame){ .port = port, .len = len };
	for (unsigned i = 0; i < len; i++)
		f->b[i] = (uint8_t)(i * 5 + 1);
	if (len >= 14)
		put16(f->b + 12, type);
}

static void crosses(struct pipe_flows *f, const struct frame *in)
{
	struct frame want = *in;

	if (want.len < 60) {
		memset(want.b + want.len, 0, 60 - want.len);
		want.len = 60;
	}
	pipe_receive(&f->p, in);
	turn_at(f, f->p.now + USEC);
	expect_frame(&f->p, 1 - in->port, &want);
	pipe_quiet(&f->p);
}

/* ARP, LLDP, broadcasts, tags, runts, our own address, a TTL of 1, what is no packet: all pass as
 * they are. */
static void test_cross_connect(void **state)
{
	static const unsigned type[] = { 0x0806, 0x88cc, 0x0800, 0x86dd,
					 0x8100, 0x88a8, 0x0000, 0x05dc };
	static const unsigned len[] = { 14, 15, 33, 34, 42, 59, 60, 61, 64, 300, 1514, 1600 };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pipe_flows f;
		struct frame in;

		flows_open(&f, k ? "conntrack: {}\n" CROSS : CROSS);
		assert_int_equal(f.qos.published->whole, 3);
		for (unsigned i = 0; i < 8 * 12 * 2; i++) {
			raw(&in, i & 1, type[i / 2 % 8], len[i / 16]);
			crosses(&f, &in);
			memset(in.b, 0xff, 6);
			crosses(&f, &in);
		}
		for (unsigned six = 0; six < 2; six++) {
			struct talk t = { six, 0, 1, 40000, 80 };

			talk_udp(&t, &in, false, 100);
			frame_ttl(&in, 1);
			crosses(&f, &in);
			frame_tag(&in, 0x8100, 77);
			crosses(&f, &in);
			frame_tag(&in, 0x88a8, 78);
			crosses(&f, &in);
			in.port = 1;
			crosses(&f, &in);
		}
		assert_int_equal(pipe_drops_all(&f.p), 0);
		assert_int_equal(live(&f), 0);
		in.port = 2; /* which is not part of it */
		frame_to(&in, on_link(false, 0, 2), 100);
		in.port = in.b[5] = 2;
		pipe_forwards(&f.p, &in, 0);
		flows_close(&f);
	}
}

/* One that is shaped and policed: filters see what of the frames is IP. */
static void test_cross_connect_shaped(void **state)
{
	static const char yaml[] =
		CROSS "qos: {p1: {egress: {" LEAVES
		      ", filters: [{priority: 1, proto: udp, dport: 80, class: "
		      "one}, {priority: 2, in: p0, out: p1, ethertype: 0x0806, class: two}, "
		      "{priority: 3, vlan: {id: 5}, class: "
		      "three}]}}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 3; i++) {
		f.p.now += NSEC_PER_MSEC;
		talk_udp(&t, &in, false, 100);
		crosses(&f, &in);
		frame_tag(&in, 0x8100, 7);
		crosses(&f, &in);
		raw(&in, 0, 0x0806, 42);
		crosses(&f, &in);
		raw(&in, 0, 0x88cc, 100);
		crosses(&f, &in);
		frame_tag(&in, 0x8100, 5);
		crosses(&f, &in);
	}
	assert_int_equal(left_by(&f, 1), 6);
	assert_int_equal(left_by(&f, 2), 3);
	assert_int_equal(left_by(&f, 3), 3);
	assert_int_equal(left_by(&f, 9), 3);
	assert_int_equal(pipe_drops_all(&f.p), 0);
	flows_close(&f);
}

/* More than a burst, and a port that does not keep up. */
static void test_cross_connect_load(void **state)
{
	struct pipe_flows f;
	struct frame in;
	unsigned sent = 0, n = 0;

	(void)state;
	flows_open(&f, CROSS);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 40; k++, n++) {
			raw(&in, 0, k & 1 ? 0x0806 : 0x0800, 60 + k);
			pipe_receive(&f.p, &in);
		}
		turn_at(&f, f.p.now + USEC);
		if (i % 3)
			sent += sent_by(&f, 1);
	}
	turn_at(&f, f.p.now + USEC);
	sent += sent_by(&f, 1);
	assert_int_equal(sent + dropped(&f, DROP_TX_RING_FULL), n);
	assert_int_equal(f.p.w->count->port[0].rx_packets, n);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_mirror_both),
		cmocka_unit_test(test_mirror_to_shaped),
		cmocka_unit_test(test_mirror_lost),
		cmocka_unit_test(test_redirect_in),
		cmocka_unit_test(test_redirect_out),
		cmocka_unit_test(test_redirect_keeps_mark),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_cross_connect),
		cmocka_unit_test(test_cross_connect_shaped),
		cmocka_unit_test(test_cross_connect_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
