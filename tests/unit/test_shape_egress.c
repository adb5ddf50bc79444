/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees of qdiscs behind the packet path: what leaves by a shaped port and when, to the nanosecond,
 * what waits and what is dropped; and that nobody else is held up by it. Requirements S4, S5, S15,
 * S18, S19.
 */
#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

#define TBF "{root: {handle: '1:', tbf: {rate: 8mbit, burst: 2000b, limit: 20kb}}}"

/* A packet of `len` bytes as tc counts them, on its way to `iface`: number `n` of its kind. */
static void packet(struct frame *f, bool six, unsigned iface, unsigned len, unsigned n)
{
	struct talk t = { six, 0, iface, 40000, (uint16_t)(80 + n) };
	unsigned headers = (iface >= VLAN100 ? 18 : 14) + (six ? 40 : 20) + 8;

	talk_udp(&t, f, false, len - headers);
}

static void arrives(struct pipe_flows *f, bool six, unsigned iface, unsigned len, unsigned n)
{
	struct frame in;

	packet(&in, six, iface, len, n);
	pipe_receive(&f->p, &in);
}

/* That packet is the next to leave, now. */
static void leaves(struct pipe_flows *f, bool six, unsigned iface, unsigned len, unsigned n)
{
	struct frame in, want;

	packet(&in, six, iface, len, n);
	frame_forwarded(&want, &in, iface, 2);
	expect_frame(&f->p, want.port, &want);
}

/* S4: a burst at once, then a packet whenever its bytes are there; IPv4, IPv6 and a VLAN of the
 * port are the same queue, and other ports none of it. With flows and without. */
static void test_tbf_instants_s4(void **state)
{
	static const struct {
		bool six;
		unsigned iface, len;
	} row[] = { { false, 1, 1000 },	      { true, 1, 1000 }, { false, 1, 700 },
		    { false, VLAN100, 1004 }, { true, 1, 500 },	 { true, VLAN100, 304 } };
	static const char *const yaml[] = { "qos: {p1: {egress: " TBF "}}\n",
					    "conntrack: {}\nqos: {p1: {egress: " TBF "}}\n" };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pipe_flows f;
		uint64_t at;

		flows_open(&f, yaml[k]);
		at = f.p.now;
		for (unsigned i = 0; i < 6; i++) {
			arrives(&f, row[i].six, row[i].iface, row[i].len, i);
			turn_at(&f, at);
		}
		leaves(&f, row[0].six, row[0].iface, row[0].len, 0);
		leaves(&f, row[1].six, row[1].iface, row[1].len, 1);
		for (unsigned i = 2; i < 6; i++) {
			pipe_quiet(&f.p);
			assert_int_equal(waiting(&f, 1), 6 - i);
			at += row[i].len * USEC;
			assert_int_equal(f.p.w->shape_at, at);
			turn_at(&f, at - 1);
			pipe_quiet(&f.p);
			arrives(&f, false, 2, 1000, i);
			turn_at(&f, at - 1);
			leaves(&f, false, 2, 1000, i);
			pipe_quiet(&f.p);
			turn_at(&f, at);
			leaves(&f, row[i].six, row[i].iface, row[i].len, i);
		}
		pipe_quiet(&f.p);
		assert_int_equal(f.p.w->shape_at, QDISC_NEVER);
		assert_int_equal(pipe_drops_all(&f.p), 0);
		tree_idle(&f, 1);
		assert_int_equal(tree_at(&f, 1)->root->stats.packets, 6);
		assert_int_equal(tree_at(&f, 1)->root->stats.bytes,
				 1000 + 1000 + 700 + 1004 + 500 + 304);
		flows_close(&f);
	}
}

/* S4: what has no room in the queue is dropped, what waits is not. */
static void test_tbf_limit_s4(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(
		&f,
		"qos: {p1: {egress: {root: {tbf: {rate: 8mbit, burst: 2000b, limit: 5000b}}}}}\n");
	for (unsigned i = 0; i < 10; i++)
		arrives(&f, false, 1, 1000, i);
	turn_at(&f, f.p.now);
	/* nothing leaves before the burst has been received */
	assert_int_equal(dropped(&f, DROP_QDISC_FULL), 5);
	assert_int_equal(f.p.w->count->port[1].drops, 5);
	assert_int_equal(waiting(&f, 1), 3);
	for (unsigned i = 0; i < 5; i++) {
		if (i > 1)
			turn_at(&f, f.p.now + 1000 * USEC);
		leaves(&f, false, 1, 1000, i);
	}
	tree_idle(&f, 1);
	flows_close(&f);
}

/* S15: a fifo of 5 keeps 5, beside what the ring of the port has taken. */
static void test_pfifo_s15(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "qos: {p1: {egress: {root: {pfifo: {limit: 5}}}}}\n");
	for (unsigned i = 0; i < PIPE_RING + 12; i++) {
		arrives(&f, i & 1, 1, 300, i);
		if (i % 32 == 31)
			turn_at(&f, f.p.now);
	}
	turn_at(&f, f.p.now);
	assert_int_equal(waiting(&f, 1), 5);
	assert_int_equal(dropped(&f, DROP_QDISC_FULL), 7);
	assert_int_equal(runs_empty(&f, 1), PIPE_RING + 5);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* A port that takes no more leaves packets in the tree: nothing is dropped at its ring, also one
 * that is small. */
static void test_small_ring(void **state)
{
	struct pipe_flows f;
	struct frame got;
	unsigned in = 0, out = 0;

	(void)state;
	flows_open(&f, "qos: {p1: {egress: {root: {pfifo: {limit: 1000}}}}}\n");
	while (in < 3 * PIPE_RING) {
		for (unsigned i = 0; i < 32; i++)
			arrives(&f, false, 1, 300, in++);
		turn_at(&f, f.p.now + USEC);
	}
	assert_int_equal(pipe_drops_all(&f.p), 0);
	assert_int_equal(waiting(&f, 1), in - PIPE_RING);
	for (; out < in; turn_at(&f, f.p.now + 100 * USEC))
		for (unsigned i = 0; i < 10 && pipe_sent(&f.p, 1, &got); i++) {
			struct frame sent, want;

			packet(&sent, false, 1, 300, out++);
			frame_forwarded(&want, &sent, 1, 2);
			assert_memory_equal(got.b, want.b, want.len);
		}
	assert_int_equal(pipe_drops_all(&f.p), 0);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* The wire of a port stands still: its owner does not turn for it all the time. */
static void test_stalled_port(void **state)
{
	struct pipe_flows f;
	uint64_t soon;

	(void)state;
	flows_open(&f, "qos: {p1: {egress: {root: {pfifo: {limit: 1000}}}}}\n");
	for (unsigned i = 0; i < 3 * PIPE_RING; i++) {
		arrives(&f, false, 1, 300, i);
		turn_at(&f, f.p.now);
	}
	soon = f.p.w->shape_at - f.p.now;
	assert_in_range(soon, USEC, 100 * USEC);
	f.p.w->naps = 5; /* sleeps in which nothing moved */
	turn_at(&f, f.p.now);
	assert_true(f.p.w->shape_at - f.p.now >= 500 * USEC);
	assert_int_equal(runs_empty(&f, 1), 3 * PIPE_RING);
	flows_close(&f);
}

/* S5: fq_codel below a tbf: a flow of one packet does not wait behind a flow of many. */
static void test_fq_codel_s5(void **state)
{
	struct pipe_flows f;
	unsigned before = 0;
	struct frame got, sparse, want;

	(void)state;
	flows_open(&f, "conntrack: {}\nqos: {p1: {egress: {root: {handle: '1:', tbf: {rate: 8mbit, "
		       "burst: 2000b, limit: 100kb}}, qdiscs: [{parent: '1:1', handle: '2:', "
		       "fq_codel: {}}]}}}\n");
	for (unsigned i = 0; i < 30; i++)
		arrives(&f, false, 1, 1000, 0);
	turn_at(&f, f.p.now);
	assert_int_equal(sent_by(&f, 1), 2);
	packet(&sparse, true, 1, 200, 7);
	frame_forwarded(&want, &sparse, 1, 2);
	pipe_receive(&f.p, &sparse);
	turn_at(&f, f.p.now);
	for (;; before++) {
		turn_at(&f, f.p.w->shape_at);
		assert_true(pipe_sent(&f.p, 1, &got));
		if (got.len == want.len)
			break;
	}
	assert_true(before <= 2); /* what tbf had taken out, and the rest of a quantum */
	assert_memory_equal(got.b, want.b, want.len);
	assert_int_equal(runs_empty(&f, 1) + before, 28);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* S18: what waits too long is marked, and only what may be; sums stay right, behind a tag too. */
static void test_ecn_marks_s18(void **state)
{
	static const uint8_t iface[] = { 1, VLAN100 };
	unsigned marked = 0, plain = 0, by[2][2] = { 0 }; /* tagged, IPv6 */
	struct pipe_flows f;
	struct frame in, got;

	(void)state;
	flows_open(
		&f,
		"qos: {p1: {egress: {root: {handle: '1:', tbf: {rate: 8mbit, burst: 2000b, limit: "
		"400kb}}, qdiscs: [{parent: '1:1', handle: '2:', fq_codel: {}}]}}}\n");
	for (unsigned i = 0; i < 240; i++) {
		bool six = i & 1;

		packet(&in, six, iface[i / 2 % 2], 1000, i % 8);
		if (six) /* ECT(0), ECT(1), not capable */
			frame_ip6(&in)->ver_tc_flow = htonl(6u << 28 | (2 - i / 4 % 3) << 20);
		else
			frame_ip4(&in)->tos = (uint8_t)(0x28 | (2 - i / 4 % 3));
		if (!six)
			frame_sum4(&in);
		pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now + 250 * USEC);
	}
	while (waiting(&f, 1)) {
		turn_at(&f, f.p.w->shape_at);
		while (pipe_sent(&f.p, 1, &got)) {
			unsigned ecn;

			got.l3 = get16(got.b + 12) == 0x8100 ? 18 : 14;
			if (got.b[got.l3] >> 4 == 4) {
				assert_int_equal(plain_sum(got.b + got.l3, 20, 0), 0xffff);
				ecn = frame_ip4(&got)->tos & 3;
			} else {
				ecn = ntohl(frame_ip6(&got)->ver_tc_flow) >> 20 & 3;
			}
			marked += ecn == 3;
			by[got.l3 == 18][got.b[got.l3] >> 4 == 6] += ecn == 3;
			plain += ecn == 0;
		}
	}
	assert_true(by[0][0] && by[0][1] && by[1][0] && by[1][1]);
	assert_int_equal(marked, tree_at(&f, 1)->ecn_marked);
	assert_true(plain > 0);
	assert_true(dropped(&f, DROP_QDISC_AQM) > 0); /* those that cannot be marked */
	tree_idle(&f, 1);
	flows_close(&f);
}

/* Trees may hold no more than their frames; reception goes on, for all ports. */
static void test_budget(void **state)
{
	static const char yaml[] =
		"qos: {p1: {frames: 64, egress: {root: {tbf: {rate: 8kbit, burst: "
		"2000b, limit: 10mb}}}}}\n";
	struct pipe_flows f;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned k = 0; k < 32; k++)
			arrives(&f, false, 1, 1000, k);
		arrives(&f, true, 2, 500, i);
		turn_at(&f, f.p.now + USEC);
		leaves(&f, true, 2, 500, i);
		for (unsigned p = 0; p < PIPE_PORTS; p++) {
			const struct xsk_queue *q = f.p.port[p]->queue[0];

			assert_int_equal(q->posted - q->received, q->depth);
		}
	}
	assert_int_equal(sent_by(&f, 1), 2);
	assert_int_equal(waiting(&f, 1), 64);
	assert_int_equal(dropped(&f, DROP_QDISC_BUDGET), 20 * 32 - 2 - 64);
	/* more of them, by a reload */
	assert_true(flows_load(&f,
			       "qos: {p1: {frames: 100, egress: {root: {tbf: {rate: 8kbit, burst: "
			       "2000b, limit: 10mb}}}}}\n"));
	for (unsigned k = 0; k < 60; k++)
		arrives(&f, false, 1, 1000, k);
	turn_at(&f, f.p.now + USEC);
	assert_int_equal(waiting(&f, 1), 100);
	assert_true(flows_load(&f, "qos: {p1: {egress: {root: {pfifo: {}}}}}\n"));
	assert_int_equal(dropped(&f, DROP_QDISC_GONE), 100);
	flows_check(&f);
	flows_close(&f);
}

/* Full trees at every port, all of the packet memory asked for: fill rings stay posted. */
static void test_trees_never_starve(void **state)
{
	static const char yaml[] =
		"qos: {p0: {frames: 100000, egress: " TBF "}, p1: {frames: 100000, "
		"egress: " TBF ", ifb: " TBF "}, p2: {frames: 100000, egress: " TBF "}}\n";
	struct pipe_flows f;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 20; k++) {
			struct talk t = { k & 1, (k + 1) % 3, k % 3, 40000, (uint16_t)k };
			struct frame in;

			talk_udp(&t, &in, false, 20);
			pipe_receive(&f.p, &in);
		}
		turn_at(&f, f.p.now + 1);
		for (unsigned p = 0; p < PIPE_PORTS; p++) {
			const struct xsk_queue *q = f.p.port[p]->queue[0];

			assert_int_equal(q->posted - q->received, q->depth);
			sent_by(&f, p);
		}
	}
	assert_true(waiting(&f, 1) > 50);
	assert_true(waiting(&f, 2) > 50);
	assert_true(shaper_held(shaper_at(&f, 1, QOS_IFB)) > 50);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tbf_instants_s4),	   cmocka_unit_test(test_tbf_limit_s4),
		cmocka_unit_test(test_pfifo_s15),	   cmocka_unit_test(test_small_ring),
		cmocka_unit_test(test_stalled_port),	   cmocka_unit_test(test_fq_codel_s5),
		cmocka_unit_test(test_ecn_marks_s18),	   cmocka_unit_test(test_budget),
		cmocka_unit_test(test_trees_never_starve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
