/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which class a packet leaves by: what filters match of it, what is remembered for its flow, and
 * what a reload of rules or filters makes of that. NAT's packets are in test_shape_nat.c.
 */
#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

#define FILTERS(filters) "qos: {p1: {egress: {" LEAVES ", filters: [" filters "]}}}\n"

/* The frame leaves by port 1, through the class with this minor and no other. */
static void files(struct pipe_flows *f, struct frame *in, unsigned iface, unsigned minor)
{
	static const unsigned all[] = { 1, 2, 3, 9 };
	uint64_t before[4];

	for (unsigned i = 0; i < 4; i++)
		before[i] = left_by(f, all[i]);
	f->p.now += NSEC_PER_MSEC;
	pipe_forwards(&f->p, in, iface);
	for (unsigned i = 0; i < 4; i++)
		if (left_by(f, all[i]) != before[i] + (all[i] == minor))
			fail_msg("class 1:%u: %d, not %d", all[i],
				 (int)(left_by(f, all[i]) - before[i]), all[i] == minor);
}

static void files_udp(struct pipe_flows *f, const struct talk *t, unsigned minor)
{
	struct frame in;

	talk_udp(t, &in, false, 100);
	files(f, &in, t->b, minor);
}

static void set_tos(struct frame *f, unsigned tos)
{
	if (f->b[f->l3] >> 4 == 6) {
		frame_ip6(f)->ver_tc_flow = htonl(6u << 28 | tos << 20);
		return;
	}
	frame_ip4(f)->tos = (uint8_t)tos;
	frame_sum4(f);
}

/* ---- matches */

/* By address, port, DSCP, length and interface, with flows and without. */
static void test_matches(void **state)
{
	static const char filters[] =
		FILTERS("{priority: 1, proto: udp, dport: [53, 80], class: one}, "
			"{priority: 2, dscp: ef, class: two}, "
			"{priority: 3, in: p2, class: three}, "
			"{priority: 4, to: ['172.16.0.0/16', '2001:db8:10::/48'], class: two}, "
			"{priority: 5, icmp: echo-request, class: three}, "
			"{priority: 6, length: 1000-1500, class: three}");
	char yaml[2048];

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct talk t = { k & 1, 0, 1, 40000, 80 };
		struct pipe_flows f;
		struct frame in;

		snprintf(yaml, sizeof(yaml), "%s%s", k & 2 ? "conntrack: {}\n" : "", filters);
		flows_open(&f, yaml);
		files_udp(&f, &t, 1);
		t.dport = 81;
		files_udp(&f, &t, 9);
		talk_udp(&t, &in, false, 1000);
		files(&f, &in, 1, 3);
		set_tos(&in, 46 << 2);
		files(&f, &in, 1, 2);
		t.a = 2;
		files_udp(&f, &t, 3);
		t.a = 0;
		t.b = VLAN100;
		files_udp(&f, &t, 9);
		frame_to(&in, beyond(k & 1, VIA_OUT), 100);
		files(&f, &in, 1, 2);
		talk_ping(&t, &in, false);
		files(&f, &in, VLAN100, k & 1 ? 9 : 3);
		flows_close(&f);
	}
}

/* Marks that rules have set, a mark restored from the connection, and its state. */
static void test_marks(void **state)
{
	static const char yaml[] =
		FILTERS("{priority: 1, mark: 0x10/0xf0, class: one}, "
			"{priority: 2, mark: 0x7, class: two}, {priority: 3, ct: new, class: "
			"three}") "filter: {m: {hook: prerouting, priority: mangle, rules: [\n"
				  "  {proto: udp, dport: 80, action: {set-mark: 0x13}},\n"
				  "  {ct: new, proto: udp, dport: 81, action: [{set-mark: 0x7}, "
				  "save-mark, "
				  "{set-mark: 0}]},\n"
				  "  {ct: established, proto: udp, action: restore-mark}]}}\n";
	struct talk t = { false, 0, 1, 40000, 80 };

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct pipe_flows f;

		t.six = six;
		flows_open(&f, yaml);
		for (unsigned i = 0; i < 3; i++) {
			t.dport = 80;
			files_udp(&f, &t, 1);
			t.dport = 81;
			files_udp(&f, &t, 3); /* new, and without a mark */
		}
		udp_passes(&f, &t, true);
		for (unsigned i = 0; i < 3; i++)
			files_udp(&f, &t, 2); /* established: its mark is back */
		flows_close(&f);
	}
}

/* Fragments have no ports but their flow has; so has what is cut here. */
static void test_fragments(void **state)
{
	static const char yaml[] = "conntrack: {}\n" FILTERS(
		"{proto: udp, dport: 80, class: one}, {proto: udp, class: two}");
	struct talk t = { false, 0, 1, 40000, 80 };
	struct pipe_flows f;
	struct frame whole, part;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned order = 0; order < 2; order++) {
		uint64_t before = left_by(&f, 1);

		talk_udp(&t, &whole, false, 1192);
		frame_ip4(&whole)->id = htons((uint16_t)(100 + order));
		for (unsigned i = 0; i < 2; i++) {
			unsigned last = i ^ order;

			part = whole;
			frame_ip4(&part)->len = htons(20 + 600);
			frame_ip4(&part)->frag = htons(last ? 600 / 8 : IP4_MF);
			if (last)
				memmove(part.b + 34, whole.b + 34 + 600, 600);
			part.len = 34 + 600;
			frame_sum4(&part);
			pipe_receive(&f.p, &part);
		}
		turn_at(&f, f.p.now + NSEC_PER_MSEC);
		assert_int_equal(sent_by(&f, 1), 2);
		assert_int_equal(left_by(&f, 1), before + 2);
	}
	f.p.cfg->iface[1].mtu = 600;
	pipe_learn(&f.p, 1, on_link(false, 1, 2), NH_RESOLVED, 0);
	f.p.nht.generation++;
	frame_sum4(&whole);
	pipe_receive(&f.p, &whole);
	turn_at(&f, f.p.now + NSEC_PER_MSEC);
	assert_int_equal(sent_by(&f, 1), 3);
	assert_int_equal(left_by(&f, 1), 7);
	assert_int_equal(left_by(&f, 2), 0);
	flows_close(&f);
}

/* What is cut here has no ports but in its first piece; what stands where they would is data. */
static void test_cut(void **state)
{
	static const char *const flows[] = { "", "conntrack: {}\n" };
	static const char yaml[] =
		"qos: {p0: {ingress: [{dscp: ef, action: pass}]}, p1: {egress: {" LEAVES
		", filters: [{proto: udp, dport: 80, class: one}, {proto: udp, dport: 4242, class: "
		"two}]}}}\n";
	struct talk t = { false, 0, 1, 40000, 80 };

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		bool held = k / 2;
		struct pipe_flows f;
		struct frame whole;
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", flows[k % 2], yaml);
		flows_open(&f, text);
		f.p.cfg->iface[1].mtu = 596;
		if (!held)
			pipe_learn(&f.p, 1, on_link(false, 1, 2), NH_RESOLVED, 0);
		talk_udp(&t, &whole, false, 1600);
		for (unsigned at = 576; at < 1608; at += 576)
			put16(whole.b + 34 + at + 2, 4242);
		if (held)
			frame_ip4(&whole)->dst = on_link(false, 1, 9).v4;
		frame_sum4(&whole);
		frame_checksum(&whole, 20, IPPROTO_UDP);
		pipe_receive(&f.p, &whole);
		turn_at(&f, f.p.now + NSEC_PER_MSEC);
		if (held) {
			assert_int_equal(f.p.w->dp.nheld, 1);
			pipe_learn(&f.p, 1, on_link(false, 1, 9), NH_RESOLVED, 0);
			turn_at(&f, f.p.now + NSEC_PER_MSEC);
		}
		assert_int_equal(sent_by(&f, 1), 3);
		assert_int_equal(left_by(&f, 1), k % 2 ? 3 : 1);
		assert_int_equal(left_by(&f, 2), 0);
		flows_close(&f);
	}
}

/* What waited for a neighbour is filed as if it had not: by its mark and state, too. */
static void test_held(void **state)
{
	static const char yaml[] =
		FILTERS("{priority: 1, mark: 0x5, class: one}, {priority: 2, ct: new, class: "
			"two}") "filter: {m: {hook: prerouting, priority: mangle, rules: [\n"
				"  {proto: udp, dport: 2000, action: {set-mark: 0x5}}]}}\n";

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct pipe_flows f;
		struct frame in;

		flows_open(&f, yaml);
		for (unsigned i = 0; i < 4; i++) { /* first packets, and second ones */
			frame_to(&in, beyond(six, VIA_DARK), 100);
			if (i & 1)
				put16(frame_l4(&in) + 2, 2001);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			pipe_receive(&f.p, &in);
			turn_at(&f, f.p.now + NSEC_PER_MSEC);
		}
		assert_int_equal(f.p.w->dp.nheld, 4);
		pipe_learn(&f.p, 1, on_link(six, 1, 9), NH_RESOLVED, 0);
		turn_at(&f, f.p.now + NSEC_PER_MSEC);
		assert_int_equal(sent_by(&f, 1), 4);
		assert_int_equal(left_by(&f, 1), 2);
		assert_int_equal(left_by(&f, 2), 2);
		assert_int_equal(pipe_drops_all(&f.p), 0);
		flows_close(&f);
	}
}

/* Answers of the router itself leave by a tree, too. */
static void test_own_packets(void **state)
{
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		flows_open(&f, k ? "conntrack: {}\nqos: {p0: {egress: {" LEAVES
				   ", filters: [{proto: icmp, class: one}]}}}\n"
				 : "qos: {p0: {egress: {" LEAVES
				   ", filters: [{proto: icmp, class: one}]}}}\n");
		frame_to(&in, beyond(false, VIA_OUT), 100);
		frame_ttl(&in, 1);
		pipe_answers(&f.p, &in, DROP_TTL, 11, 0, 0);
		assert_int_equal(class_at(&f, 0, 0x10001)->stats.packets, 1);
		flows_close(&f);
	}
}

/* ---- remembered */

/* Filters are asked once a flow and direction, unless they look at what differs from packet to
 * packet. */
static void test_asked_once(void **state)
{
	static const struct {
		const char *filters;
		unsigned each; /* looks that 100 packets cost */
	} row[] = { { FILTERS("{proto: udp, dport: 80, class: one}"), 1 },
		    { FILTERS("{dscp: cs1, class: one}, {proto: tcp, class: two}"), 100 },
		    { FILTERS("{length: 100-1000, class: one}"), 100 },
		    { FILTERS("{proto: udp, action: {police: {rate: 1gbit, burst: 1mb}}, class: "
			      "one}"),
		      100 },
		    { FILTERS("{hash: {keys: [from], divisor: 1, base: '1:1'}}"), 1 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char yaml[2048];

		for (unsigned six = 0; six < 2; six++) {
			struct talk t = { six, 0, 1, 40000, 80 };
			struct pipe_flows f;
			struct frame in;

			snprintf(yaml, sizeof(yaml), "conntrack: {}\n%s", row[i].filters);
			flows_open(&f, yaml);
			for (unsigned k = 0; k < 100; k++) {
				talk_udp(&t, &in, false, 100);
				set_tos(&in, 8 << 2);
				files(&f, &in, 1, 1);
			}
			assert_int_equal(filter_hits(&f, 1, 1), row[i].each);
			t.sport++;
			talk_udp(&t, &in, false, 100);
			set_tos(&in, 8 << 2);
			files(&f, &in, 1, 1);
			assert_int_equal(filter_hits(&f, 1, 1), row[i].each + 1);
			flows_close(&f);
		}
	}
}

/* What fares otherwise from packet to packet does. */
static void test_varies(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {}\n" FILTERS("{priority: 1, dscp: ef, class: one}, "
						 "{priority: 2, length: 500-1500, class: two}, "
						 "{priority: 3, proto: udp, class: three}"));
	for (unsigned i = 0; i < 12; i++) {
		talk_udp(&t, &in, false, i % 3 == 1 ? 1000 : 100);
		set_tos(&in, i % 3 == 0 ? 46 << 2 : 0);
		files(&f, &in, 1, 1 + i % 3);
	}
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* Another file: flows of before are asked anew, at their next packet; counters go on. */
static void test_reload_filters(void **state)
{
	struct talk t = TALK4, u = TALK6;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {}\n" FILTERS("{proto: udp, dport: 80, class: one}"));
	for (unsigned i = 0; i < 3; i++) {
		files_udp(&f, &t, 1);
		files_udp(&f, &u, 1);
	}
	assert_true(flows_load(
		&f, "conntrack: {}\n" FILTERS("{priority: 1, family: ipv6, class: two}, {priority: "
					      "5, proto: udp, dport: 80, class: one}")));
	for (unsigned i = 0; i < 3; i++) {
		files_udp(&f, &t, 1);
		files_udp(&f, &u, 2);
	}
	assert_int_equal(filter_hits(&f, 1, 1), 1);
	/* answers are another direction: by port 0, which has no tree */
	udp_passes(&f, &t, true);
	/* answered: the rules judge again, filters are asked again */
	files_udp(&f, &t, 1);
	/* without filters, without a tree, and both again */
	assert_true(flows_load(&f, "conntrack: {}\nqos: {p1: {egress: {" LEAVES "}}}\n"));
	files_udp(&f, &t, 9);
	assert_true(flows_load(&f, "conntrack: {}\n"));
	talk_udp(&t, &in, false, 100);
	passes(&f, &t, false, &in);
	assert_true(flows_load(&f, "conntrack: {}\n" FILTERS("{proto: udp, class: three}")));
	files_udp(&f, &t, 3);
	files_udp(&f, &u, 3);
	flows_close(&f);
}

/* Another mark by a reload of rules is another class. */
static void test_reload_marks(void **state)
{
	static const char yaml[] = FILTERS(
		"{mark: 0x1, class: one}, {mark: 0x2, class: two}") "filter: {m: {hook: "
								    "prerouting, priority: mangle, "
								    "rules: [{proto: udp, action: "
								    "{set-mark: %u}}]}}\n";
	struct talk t = TALK4;
	struct pipe_flows f;
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), yaml, 1u);
	flows_open(&f, text);
	for (unsigned mark = 1; mark < 4; mark++) {
		snprintf(text, sizeof(text), yaml, mark);
		assert_true(flows_load(&f, text));
		for (unsigned i = 0; i < 3; i++)
			files_udp(&f, &t, mark < 3 ? mark : LEAVES_OTHER);
	}
	flows_close(&f);
}

/* A flow that moves to another port is asked there. */
static void test_moves(void **state)
{
	static const char yaml[] = "conntrack: {}\nqos: {p1: {egress: {" LEAVES
				   ", filters: [{proto: udp, class: two}]}}, p2: {egress: {" LEAVES
				   ", filters: [{proto: udp, class: three}]}}}\n";
	struct addr one = on_link(false, 1, 2), two = on_link(false, 2, 2);
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, yaml);
	for (unsigned i = 0; i < 6; i++) {
		unsigned iface = 1 + i % 2;

		pipe_route(&f.p, net4(198, 51, 100, 0), 24,
			   neigh_lookup(f.p.neigh, &f.p.nht, (uint16_t)iface,
					iface == 1 ? &one : &two));
		f.p.nht.generation++;
		frame_to(&in, net4(198, 51, 100, 1), 100);
		pipe_forwards(&f.p, &in, iface);
	}
	assert_int_equal(left_by(&f, 2), 3);
	assert_int_equal(class_at(&f, 2, 0x10003)->stats.packets, 3);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),	       cmocka_unit_test(test_marks),
		cmocka_unit_test(test_fragments),      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_held),	       cmocka_unit_test(test_own_packets),
		cmocka_unit_test(test_asked_once),     cmocka_unit_test(test_varies),
		cmocka_unit_test(test_reload_filters), cmocka_unit_test(test_reload_marks),
		cmocka_unit_test(test_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
