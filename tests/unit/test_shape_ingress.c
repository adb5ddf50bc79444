/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes in, before it is routed: policed, marked, edited, dropped; or in an ifb. S16, S17.
 */
#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

/* Filters of port 0. */
#define INGRESS(filters) "qos: {p0: {ingress: [" filters "]}}\n"

static const char *const with[] = { "", "conntrack: {}\n" }; /* flows */

static void open_with(struct pipe_flows *f, unsigned flows, const char *yaml)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", with[flows], yaml);
	flows_open(f, text);
}

/* A packet of 1000 bytes in all. */
static void thousand(const struct talk *t, struct frame *f)
{
	talk_udp(t, f, false, 1000 - 14 - (t->six ? 40 : 20) - 8);
}

static void set_tos(struct frame *f, unsigned tos)
{
	if (f->b[f->l3] >> 4 == 6) {
		frame_ip6(f)->ver_tc_flow = htonl(6u << 28 | tos << 20 | 0x12345);
		return;
	}
	frame_ip4(f)->tos = (uint8_t)tos;
	frame_sum4(f);
}

/* The frame leaves by interface 1 as `like` would. */
static void leaves_like(struct pipe_flows *f, const struct frame *in, struct frame *like)
{
	struct frame want;

	frame_forwarded(&want, like, 1, 2);
	pipe_receive(&f->p, in);
	turn_at(f, f->p.now);
	expect_frame(&f->p, 1, &want);
	pipe_quiet(&f->p);
}

/* ---- policers */

static void test_police_drops_s16(void **state)
{
	static const char yaml[] =
		INGRESS("{proto: udp, police: {rate: 8mbit, burst: 2000b, exceed: drop}}");

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in;

		open_with(&f, k / 2, yaml);
		thousand(&t, &in);
		pipe_forwards(&f.p, &in, 1);
		pipe_forwards(&f.p, &in, 1);
		pipe_drops(&f.p, &in, DROP_POLICED);
		f.p.now += 1000 * USEC - 1;
		pipe_drops(&f.p, &in, DROP_POLICED);
		f.p.now++;
		pipe_forwards(&f.p, &in, 1);
		talk_ping(&t, &in, false);
		pipe_forwards(&f.p, &in, 1);
		t.a = 2; /* another port */
		thousand(&t, &in);
		pipe_forwards(&f.p, &in, 1);
		flows_close(&f);
	}
}

/* What exceeds is marked down; its checksum is right, ECN stays. */
static void test_police_remarks_s16(void **state)
{
	static const char yaml[] = INGRESS(
		"{proto: udp, police: {rate: 8mbit, burst: 2000b, conform: {dscp: af11}, exceed: "
		"{dscp: af12}}}");

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in, like;

		open_with(&f, k / 2, yaml);
		for (unsigned i = 0; i < 4; i++) {
			thousand(&t, &in);
			set_tos(&in, 0xb9);
			like = in;
			set_tos(&like, (i < 2 ? 10 : 12) << 2 | 1);
			leaves_like(&f, &in, &like);
		}
		flows_close(&f);
	}
}

/* One policer by name at two ports has one bucket. */
static void test_police_shared_s16(void **state)
{
	static const char yaml[] =
		"qos: {p0: {ingress: [{proto: udp, police: {name: both, rate: 8mbit, burst: 3000b, "
		"exceed: drop}}]}, p2: {ingress: [{family: ipv4, police: {name: both, rate: 8mbit, "
		"burst: 3000b, exceed: drop}}]}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 3; i++) {
		t.a = i & 1 ? 2 : 0;
		thousand(&t, &in);
		pipe_forwards(&f.p, &in, 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		t.a = i & 1 ? 2 : 0;
		thousand(&t, &in);
		pipe_drops(&f.p, &in, DROP_POLICED);
	}
	/* a reload that leaves it as it is leaves its tokens, too */
	assert_true(flows_load(&f, yaml));
	pipe_drops(&f.p, &in, DROP_POLICED);
	flows_close(&f);
}

/* ---- actions */

static void test_drop(void **state)
{
	static const char yaml[] = INGRESS("{priority: 1, proto: udp, dport: 81, action: pass}, "
					   "{priority: 2, proto: udp, dport: 80-90, action: drop}");

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;

		open_with(&f, k / 2, yaml);
		udp_drops(&f, &t, false, DROP_TC_ACTION);
		assert_int_equal(live(&f), 0);
		t.dport = 81;
		udp_passes(&f, &t, false);
		t.dport = 91;
		udp_passes(&f, &t, false);
		flows_close(&f);
	}
}

/* A mark of ingress is seen by rules, and by filters of egress; also behind an ifb, and when the
 * packet was written to. */
static void test_mark(void **state)
{
	static const char *const action[] = {
		"{mark: 7}", "{mark: 7}",
		"[{mark: 7}, {pedit: {at: 8, width: 1, value: 64}, csum: true}]",
		"[{mark: 7}, {pedit: {at: 7, width: 1, value: 64}}]"
	};
	static const char rules[] = "filter: {c: {hook: forward, rules: [{mark: 7, proto: udp, "
				    "dport: 81, action: drop}]}}\n";

	(void)state;
	for (unsigned k = 0; k < 8; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in;
		char yaml[2048];

		snprintf(yaml, sizeof(yaml),
			 "%sqos: {p0: {ingress: [{dscp: ef, action: %s}]%s}, p1: {egress: {%s, "
			 "filters: [{mark: 7, class: one}]}}}\n",
			 rules, action[k % 4], k / 4 ? ", ifb: {root: {pfifo: {}}}" : "", LEAVES);
		flows_open(&f, yaml);
		for (unsigned i = 0; i < 2; i++) {
			talk_udp(&t, &in, false, 100);
			set_tos(&in, 46 << 2);
			pipe_forwards(&f.p, &in, 1);
		}
		if (left_by(&f, 1) != 2)
			fail_msg("row %u: the mark is lost", k);
		t.dport = 81;
		talk_udp(&t, &in, false, 100);
		set_tos(&in, 46 << 2);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		t.sport++;
		talk_udp(&t, &in, false, 100);
		set_tos(&in, 0);
		pipe_forwards(&f.p, &in, 1);
		assert_int_equal(left_by(&f, 9), 1);
		flows_close(&f);
	}
}

/* TTL, DSCP and addresses are written to; sums are right, and routing sees what was written. */
static void test_pedit(void **state)
{
	static const char yaml[] =
		INGRESS("{priority: 1, proto: udp, dport: 81, action: {pedit: {at: 8, width: 1, "
			"value: 10, keep: 0}, csum: true}}, "
			"{priority: 2, proto: udp, dport: 82, action: {pedit: {at: 1, width: 1, "
			"value: 0xb8, keep: 0x3}, csum: true}}, "
			"{priority: 3, proto: udp, dport: 83, action: {pedit: {at: 16, width: 4, "
			"value: 0x0a000102, keep: 0}, csum: true}}, "
			"{priority: 4, proto: udp, dport: 84, action: {pedit: {at: 8, width: 1, "
			"value: 1, keep: 0}, csum: true}}, "
			"{priority: 5, proto: udp, dport: 85, action: {pedit: {at: 12, width: 4, "
			"value: 0x7f000001, keep: 0}, csum: true}}, "
			"{priority: 6, proto: udp, dport: 86, action: {pedit: {at: 0, width: 1, "
			"value: 0x43, keep: 0}}}, "
			"{priority: 7, proto: udp, dport: 87, action: {pedit: [{ethernet: true, "
			"at: 12, width: "
			"2, value: 0x86dd}, {at: 0, width: 1, value: 0x60}]}}");

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct talk t = { false, 0, 1, 40000, 81 }, to2 = { false, 0, 2, 40000, 83 };
		struct pipe_flows f;
		struct frame in, like;

		open_with(&f, k, yaml);
		talk_udp(&t, &in, false, 100);
		like = in;
		frame_ttl(&like, 10);
		leaves_like(&f, &in, &like);
		t.dport = 82;
		talk_udp(&t, &in, false, 100);
		set_tos(&in, 0x29);
		like = in;
		set_tos(&like, 0xb9);
		leaves_like(&f, &in, &like);
		t.dport = 83; /* to interface 2, and written to one of interface 1 */
		talk_udp(&to2, &in, false, 100);
		talk_udp(&t, &like, false, 100);
		leaves_like(&f, &in, &like);
		t.dport = 84; /* and so it ends here */
		talk_udp(&t, &in, false, 100);
		like = in;
		frame_ttl(&like, 1);
		pipe_receive(&f.p, &in);
		f.p.now += NSEC_PER_SEC;
		turn_at(&f, f.p.now);
		assert_int_equal(dropped(&f, DROP_TTL), 1);
		expect_error(&f.p, &like, &(struct error){ 11, 0, 0, on_link(false, 0, 1), 0, 0 });
		t.dport = 85; /* a source that nobody has */
		talk_udp(&t, &in, false, 100);
		pipe_drops(&f.p, &in, DROP_MARTIAN_SRC);
		t.dport = 86; /* and what is no header any more */
		talk_udp(&t, &in, false, 100);
		pipe_drops(&f.p, &in, DROP_IP4_VERSION);
		t.dport = 87; /* or one of the other family */
		talk_udp(&t, &in, false, 200);
		frame_ip4(&in)->id = htons(100);
		frame_ip4(&in)->frag = htons(IP4_DF);
		frame_sum4(&in);
		pipe_drops(&f.p, &in, DROP_TC_ACTION);
		flows_close(&f);
	}
}

/* IPv6: hop limit and destination. */
static void test_pedit6(void **state)
{
	static const char yaml[] =
		INGRESS("{priority: 1, proto: udp, dport: 81, action: {pedit: {at: 7, width: 1, "
			"value: 10, keep: 0}}}, "
			"{priority: 2, proto: udp, dport: 82, action: {pedit: {at: 28, width: 4, "
			"value: 0x20010db8, keep: 0}}}, "
			"{priority: 3, proto: udp, dport: 83, action: {pedit: {at: 38, width: 2, "
			"value: 9, keep: 0}, csum: true}}");
	struct talk t = { true, 0, 1, 40000, 81 };
	struct pipe_flows f;
	struct frame in, like;

	(void)state;
	flows_open(&f, yaml);
	talk_udp(&t, &in, false, 100);
	like = in;
	frame_ttl(&like, 10);
	leaves_like(&f, &in, &like);
	t.dport = 83; /* to ::9, whom nobody knows yet */
	talk_udp(&t, &in, false, 100);
	pipe_receive(&f.p, &in);
	turn_at(&f, f.p.now);
	assert_int_equal(f.p.w->dp.nheld, 1);
	pipe_learn(&f.p, 1, on_link(true, 1, 9), NH_RESOLVED, 0);
	turn_at(&f, f.p.now);
	like = in;
	memcpy(frame_ip6(&like)->dst, on_link(true, 1, 9).bytes, 16);
	frame_checksum(&like, 40, IPPROTO_UDP);
	frame_forwarded(&in, &like, 1, 9);
	expect_frame(&f.p, 1, &in);
	flows_close(&f);
}

/* What was written to is refused for this, and its sender told, with the packet as it is now. */
static void answers_like(struct pipe_flows *f, const struct frame *in, struct frame *like,
			 enum drop_reason why, struct error e)
{
	e.from = on_link(false, 0, 1);
	pipe_receive(&f->p, in);
	turn_at(f, f->p.now + NSEC_PER_SEC);
	assert_int_equal(dropped(f, why), 1);
	expect_error(&f->p, like, &e);
	pipe_quiet(&f->p);
}

/* F2, F7. What was written to is looked at as closely as what was not: its options are written to,
 * its TTL counts, and ports stand behind options. */
static void test_written_options(void **state)
{
	static const char yaml[] =
		"%s" INGRESS("{family: ipv4, police: {rate: 1gbit, burst: 9kb, conform: {dscp: "
			     "af11}}}");
	static const char rules[] = "filter: {c: {hook: forward, rules: [{proto: tcp, dport: 80, "
				    "action: drop}]}}\n";
	static const uint8_t route[8] = { 7, 7, 4 }, nops[4] = { 1, 1, 1, 1 };
	struct talk t = TALK4;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pipe_flows f;
		struct frame in, like;
		char text[2048];

		snprintf(text, sizeof(text), yaml, k ? rules : "");
		flows_open(&f, text);
		frame_to(&in, beyond(false, VIA_OUT), 100);
		frame_options(&in, route, sizeof(route));
		like = in;
		memcpy(like.b + 34, (uint8_t[]){ 7, 7, 8, 10, 0, 1, 1 }, 7);
		set_tos(&like, 10 << 2);
		leaves_like(&f, &in, &like);
		frame_ttl(&in, 1);
		like = in;
		set_tos(&like, 10 << 2);
		answers_like(&f, &in, &like, DROP_TTL, (struct error){ .type = 11 });
		talk_tcp(&t, &in, false, SYN, 1000, 0, 0);
		frame_options(&in, nops, sizeof(nops));
		like = in;
		set_tos(&like, 10 << 2);
		if (k)
			pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		else
			leaves_like(&f, &in, &like);
		flows_close(&f);
	}
}

/* What becomes malformed, or expires, only by what is written to it. */
static void test_pedit_options(void **state)
{
	static const char length[] = INGRESS("{family: ipv4, action: {pedit: {at: 21, width: 1, "
					     "value: 0, keep: 0}, csum: true}}");
	static const char ttl[] = INGRESS("{family: ipv4, action: {pedit: {at: 8, width: 1, "
					  "value: 1, keep: 0}, csum: true}}");
	static const uint8_t route[8] = { 7, 7, 4 };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pipe_flows f;
		struct frame in, like;

		open_with(&f, k, length);
		frame_to(&in, beyond(false, VIA_OUT), 100);
		frame_options(&in, route, sizeof(route));
		like = in;
		like.b[35] = 0;
		frame_sum4(&like);
		answers_like(&f, &in, &like, DROP_IP4_OPTIONS,
			     (struct error){ .type = 12, .info = 20u << 24 });
		flows_close(&f);

		open_with(&f, k, ttl);
		frame_to(&in, beyond(false, VIA_OUT), 100);
		like = in;
		frame_ttl(&like, 1);
		answers_like(&f, &in, &like, DROP_TTL, (struct error){ .type = 11 });
		flows_close(&f);
	}
}

/* ---- ifb */

#define IFB                                                                                        \
	"qos: {p0: {ifb: {root: {handle: '1:', tbf: {rate: 8mbit, burst: 2000b, limit: "           \
	"6000b}}}}}\n"

/* What was received waits, then goes its way as if it had come now: routed, tracked, translated. */
static void test_ifb_s17(void **state)
{
	static const char nat[] = "routing: {routes: [{to: default, via: 10.0.1.2, dev: p1}]}\n"
				  "nat: {source: [{name: home, from: 10.0.0.0/24, out: p1, action: "
				  "masquerade}]}\n";

	(void)state;
	for (unsigned k = 0; k < 5; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in, got, want;
		char yaml[2048];

		snprintf(yaml, sizeof(yaml), "%s%s", k == 4 ? nat : with[k / 2], IFB);
		flows_open(&f, yaml);
		thousand(&t, &in);
		frame_forwarded(&want, &in, 1, 2);
		for (unsigned i = 0; i < 5; i++)
			pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now);
		for (unsigned i = 0; i < 5; i++) {
			if (i > 1) {
				pipe_quiet(&f.p);
				assert_int_equal(shaper_held(shaper_at(&f, 0, QOS_IFB)), 5 - i);
				turn_at(&f, f.p.now + 1000 * USEC - 1);
				pipe_quiet(&f.p);
				turn_at(&f, f.p.now + 1);
			}
			assert_true(pipe_sent(&f.p, 1, &got));
			if (k == 4) {
				uint32_t outside = on_link(false, 1, 1).v4;

				assert_memory_equal(got.b + 26, &outside, 4);
				assert_int_equal(plain_sum(got.b + 14, 20, 0), 0xffff);
				assert_int_equal(transport_sum(got.b + 14, 20, 986, 17), 0xffff);
			} else {
				assert_memory_equal(got.b, want.b, want.len);
			}
		}
		pipe_quiet(&f.p);
		assert_int_equal(live(&f), k > 1);
		if (live(&f))
			assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 5);
		assert_int_equal(f.p.w->count->port[0].rx_packets, 5);
		for (unsigned i = 0; i < 12; i++)
			pipe_receive(&f.p, &in);
		turn_at(&f, f.p.now);
		/* the bucket is empty by now */
		assert_int_equal(dropped(&f, DROP_QDISC_FULL), 6);
		assert_int_equal(f.p.w->count->port[0].drops, 6);
		for (unsigned i = 0; i < 6; i++)
			turn_at(&f, f.p.now + 1000 * USEC);
		assert_int_equal(sent_by(&f, 1), 6);
		assert_int_equal(shaper_held(shaper_at(&f, 0, QOS_IFB)), 0);
		flows_close(&f);
	}
}

/* Classes of an ifb by filters: as received, so by the outside address. */
static void test_ifb_classes_s17(void **state)
{
	static const char yaml[] = "conntrack: {}\nqos: {p0: {ifb: {" LEAVES
				   ", filters: [{proto: udp, dport: 80, class: "
				   "one}, {from: 10.0.0.2, class: two}]}}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	struct qdisc_tree *tree;

	(void)state;
	flows_open(&f, yaml);
	tree = shaper_at(&f, 0, QOS_IFB)->tree;
	for (unsigned i = 0; i < 3; i++) {
		t.dport = 80;
		udp_passes(&f, &t, false);
		t.dport = 81;
		udp_passes(&f, &t, false);
	}
	assert_int_equal(tree_class(tree, 0x10001)->stats.packets, 3);
	assert_int_equal(tree_class(tree, 0x10002)->stats.packets, 3);
	flows_close(&f);
}

/* In by a tree, out by a tree. */
static void test_ifb_and_egress(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {}\nqos: {p0: {ifb: {root: {pfifo: {}}}}, p1: {egress: {root: "
		       "{tbf: {rate: 8mbit, burst: 2000b, limit: 9000b}}}}}\n");
	thousand(&t, &in);
	for (unsigned i = 0; i < 8; i++)
		pipe_receive(&f.p, &in);
	turn_at(&f, f.p.now);
	assert_int_equal(sent_by(&f, 1), 2);
	assert_int_equal(waiting(&f, 1), 6);
	assert_int_equal(runs_empty(&f, 1), 6);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* Parsed twice, a packet of a VLAN is received once. */
static void test_vlan_counts_once(void **state)
{
	static const char *const yaml[] = { "qos: {p1: {ifb: {root: {pfifo: {}}}}}\n",
					    "qos: {p1: {ingress: [{proto: udp, police: {rate: "
					    "8mbit, burst: 9kb, conform: {dscp: "
					    "cs5}}}]}}\n" };
	struct talk t = { false, VLAN100, 0, 40000, 80 };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pipe_flows f;
		struct frame in;

		flows_open(&f, yaml[k]);
		for (unsigned i = 0; i < 3; i++) {
			talk_udp(&t, &in, false, 100);
			in.port = in.b[5] = 1;
			frame_tag(&in, 0x8100, 100);
			pipe_receive(&f.p, &in);
			turn_at(&f, f.p.now);
		}
		assert_int_equal(sent_by(&f, 0), 3);
		assert_int_equal(f.p.w->count->vlan[VLAN100].rx_packets, 3);
		assert_int_equal(f.p.w->count->vlan[VLAN100].rx_bytes, 3 * in.len);
		flows_close(&f);
	}
}

/* One worker, several ports with an ifb: each packet goes on as of the port it came by, however
 * many of them leave their trees in one turn. */
static void test_ifb_of_each_port(void **state)
{
	static const char tree[] =
		"{ifb: {root: {handle: '1:', htb: {default: a}}, classes: {a: {handle: '1:1', "
		"rate: 8mbit, burst: 2000b, cburst: 2000b}}}}";
	struct pipe_flows f;
	char yaml[1024];

	(void)state;
	snprintf(yaml, sizeof(yaml), "qos: {p0: %s, p2: %s}\n", tree, tree);
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 60; i++) {
		for (unsigned k = 0; k < (i ? 1 : BURST); k++)
			for (unsigned from = 0; from < 3; from += 2) {
				struct talk t = { k & 1, from, 1, 40000, 80 };
				struct frame in;

				talk_udp(&t, &in, false, 300);
				pipe_receive(&f.p, &in);
			}
		turn_at(&f, f.p.now + 700 * USEC);
		sent_by(&f, 1);
		assert_int_equal(dropped(&f, DROP_NOT_OURS), 0);
	}
	assert_true(f.p.w->count->port[1].tx_packets > 100);
	flows_close(&f);
}

/* The interface is set down while packets wait in its ifb: counted, nothing is lost. */
static void test_ifb_goes_down(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, IFB);
	thousand(&t, &in);
	for (unsigned i = 0; i < 4; i++)
		pipe_receive(&f.p, &in);
	turn_at(&f, f.p.now);
	f.p.cfg->iface[0].up = false;
	turn_at(&f, f.p.now + NSEC_PER_SEC);
	assert_int_equal(dropped(&f, DROP_IFACE_DOWN), 2);
	f.p.cfg->iface[0].up = true;
	sent_by(&f, 1);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_police_drops_s16),
		cmocka_unit_test(test_police_remarks_s16),
		cmocka_unit_test(test_police_shared_s16),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_pedit),
		cmocka_unit_test(test_pedit6),
		cmocka_unit_test(test_written_options),
		cmocka_unit_test(test_pedit_options),
		cmocka_unit_test(test_ifb_s17),
		cmocka_unit_test(test_ifb_classes_s17),
		cmocka_unit_test(test_ifb_and_egress),
		cmocka_unit_test(test_ifb_of_each_port),
		cmocka_unit_test(test_vlan_counts_once),
		cmocka_unit_test(test_ifb_goes_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
