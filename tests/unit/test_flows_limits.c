/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many flows there may be: a full table, flows of a source and of a zone, connections that a
 * rule counts; and zones, in which the same addresses are others. Requirements C14, C18, C22.
 */
#include "tests/unit/pipe_talk.h"

#define MAX 1024 /* the smallest table a configuration may ask for */

/* One of many, by its number. */
static struct talk one_of(unsigned n)
{
	struct talk t = n % 2 ? TALK4 : TALK6;

	t.sport = (uint16_t)(10000 + n);
	return t;
}

static void end_flows(struct pipe_flows *f)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(f->st->flows, &cursor)) != FLOW_NONE)
		flow_kill(f->st->flows, index);
	for (unsigned i = 0; i < 16; i++) /* so many are buried a turn */
		flows_grace(f);
	assert_int_equal(live(f), 0);
}

/* ---- C14: the table is full */

static void fill_table(struct pipe_flows *f, bool answered)
{
	for (unsigned i = 0; i < MAX; i++) {
		struct talk t = one_of(i);

		tcp_passes(f, &t, false, SYN, 1000, 0, 0);
		if (!answered)
			continue;
		tcp_passes(f, &t, true, SYN | ACK, 5000, 1001, 0);
		tcp_passes(f, &t, false, ACK, 1001, 5001, 0);
	}
	assert_int_equal(live(f), MAX);
}

/* drop-new: what is there stays, what comes is dropped and counted. */
static void test_full_drop_new(void **state)
{
	struct talk t = one_of(0);
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {max: 1024, when-full: drop-new}\n");
	fill_table(&f, false);
	for (unsigned i = 0; i < 10; i++) {
		struct talk late = one_of(MAX + i);

		udp_drops(&f, &late, false, DROP_CT_FULL);
	}
	assert_int_equal(flows_stats(&f).refused_full, 10);
	assert_int_equal(flows_stats(&f).early_dropped, 0);
	tcp_passes(&f, &t, true, SYN | ACK, 5000, 1001, 0);
	tcp_passes(&f, &t, false, ACK, 1001, 5001, 0);
	end_flows(&f);
	t = one_of(MAX);
	udp_passes(&f, &t, false);
	flows_close(&f);
}

/* early-drop: one that is not assured makes room; none that is. */
static void test_full_early_drop(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {max: 1024}\n");
	fill_table(&f, false);
	for (unsigned i = 0; i < 100; i++) {
		struct talk late = one_of(MAX + i);

		udp_passes(&f, &late, false);
		udp_passes(&f, &late, true);
		assert_true(live(&f) <= MAX);
		flows_grace(&f);
	}
	assert_int_equal(flows_stats(&f).early_dropped, 100);
	end_flows(&f);
	fill_table(&f, true);
	for (unsigned i = 0; i < 100; i++) {
		struct talk late = one_of(MAX + i);

		udp_drops(&f, &late, false, DROP_CT_FULL);
	}
	assert_int_equal(flows_stats(&f).early_dropped, 100);
	for (unsigned i = 0; i < MAX; i++) { /* all are there */
		struct talk t = one_of(i);

		tcp_passes(&f, &t, true, ACK, 5001, 1001, 1);
	}
	end_flows(&f);
	flows_close(&f);
}

/* ---- flows of a source, of a zone */

static void test_per_source(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct talk back = t[six];

		flows_open(&f, "conntrack: {per-source-max: 3}\n");
		for (unsigned i = 0; i < 5; i++) {
			t[six].sport = (uint16_t)(20000 + i);
			if (i < 3)
				udp_passes(&f, &t[six], false);
			else
				udp_drops(&f, &t[six], false, DROP_CT_SOURCE_LIMIT);
		}
		t[six].sport = 20000; /* what is there is not asked again */
		udp_passes(&f, &t[six], false);
		udp_passes(&f, &t[six], true);
		/* another source; of IPv6 another host of the /64 is none */
		talk_udp(&t[six], &in, false, 10);
		if (six)
			frame_ip6(&in)->src[15] = 77;
		else
			frame_ip4(&in)->src = on_link(false, 0, 77).v4;
		if (!six)
			frame_sum4(&in);
		frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
		if (six)
			pipe_drops(&f.p, &in, DROP_CT_SOURCE_LIMIT);
		else
			passes(&f, &t[six], false, &in);
		back.a = 1;
		back.b = 0;
		back.sport = 7;
		udp_passes(&f, &back, false); /* B's own */
		end_flows(&f);
		udp_passes(&f, &t[six], false);
		flows_close(&f);
	}
}

static void test_per_zone(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {per-zone-max: 3}\n");
	f.p.cfg->iface[2].zone = 77;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 5; i++) {
			t = one_of(i);
			if (i < 3)
				udp_passes(&f, &t, false);
			else
				udp_drops(&f, &t, false, DROP_CT_ZONE_LIMIT);
		}
		t.a = 2; /* another zone has its own */
		for (unsigned i = 0; i < 4; i++) {
			t.sport = (uint16_t)(500 + i);
			if (i < 3)
				udp_passes(&f, &t, false);
			else
				udp_drops(&f, &t, false, DROP_CT_ZONE_LIMIT);
		}
		assert_int_equal(flow_zone_live(f.st->flows, 0), 3);
		assert_int_equal(flow_zone_live(f.st->flows, 77), 3);
		end_flows(&f);
		assert_int_equal(flow_zone_live(f.st->flows, 0), 0);
		assert_int_equal(flow_zone_live(f.st->flows, 77), 0);
	}
	flows_close(&f);
}

/* ---- C18: zones */

/* The same tuple in two zones is two flows, each with its own state; an answer belongs to the zone
 * it comes in by. */
static void test_zones(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		uint32_t cursor = 0, index;
		unsigned zones = 0;

		flows_open(&f, "filter: {c: {hook: forward, policy: drop, rules: [\n"
			       "  {in: [p0, p2], ct: new, action: accept},\n"
			       "  {ct: established, action: accept}]}}\n");
		f.p.cfg->iface[2].zone = 100;
		tcp_opens(&f, &t[six]);
		/* that client in the other zone, by its port */
		talk_tcp(&t[six], &in, false, SYN, 777000, 0, 0);
		in.port = 2;
		in.b[5] = 2;
		passes(&f, &t[six], false, &in);
		assert_int_equal(live(&f), 2);
		while ((index = flow_walk(f.st->flows, &cursor)) != FLOW_NONE) {
			const struct flow *r = flow_at(f.st->flows, index);

			assert_int_equal(flow_state(r) & FLOW_TCP_STATE, r->zone ? 1 : 3);
			zones += r->zone;
		}
		assert_int_equal(zones, 100);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1001, 10); /* of zone 0 */
		f.p.cfg->iface[1].zone = 100;
		talk_tcp(&t[six], &in, true, SYN | ACK, 999, 777001, 0);
		passes(&f, &t[six], true, &in);
		f.p.cfg->iface[1].zone = 5; /* where nobody asked */
		tcp_drops(&f, &t[six], true, ACK, 5011, 1001, 10, DROP_FILTER_POLICY);
		flows_close(&f);
	}
}

/* ---- C22: connections that a rule counts */

/* A flow counts for the rule that concerns all of a host's, and for that of one service. */
static void test_two_limits(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
		       "  {name: all, ct: new, connections: {over: 3}, action: drop},\n"
		       "  {name: web, proto: tcp, dport: 80, connections: {over: 2}, "
		       "action: drop}]}}\n");
	for (unsigned i = 0; i < 5; i++) {
		t.dport = i < 3 ? 80 : 81;
		t.sport = (uint16_t)(20000 + i);
		if (i == 2 || i == 4) /* the third of the web, the fourth of all */
			tcp_drops(&f, &t, false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		else
			tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	}
	end_flows(&f);
	t.dport = 80;
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	flows_close(&f);
}

static void test_connections(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f,
			   "conntrack: {profile: linux}\n"
			   "filter: {c: {hook: forward, rules: [{proto: tcp, dport: 80, ct: new,\n"
			   "  connections: {over: 3}, action: reject}]}}\n");
		for (unsigned i = 0; i < 3; i++) {
			t[six].sport = (uint16_t)(20000 + i);
			tcp_opens(&f, &t[six]);
		}
		for (unsigned i = 3; i < 5; i++) { /* refused, and not counted */
			struct frame in;

			t[six].sport = (uint16_t)(20000 + i);
			talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
			tcp_resets(&f, &t[six], false, &in, 0, 1001);
		}
		assert_int_equal(live(&f), 3);
		t[six].dport = 81; /* not meant */
		tcp_passes(&f, &t[six], false, SYN, 1000, 0, 0);
		t[six].dport = 80;
		t[six].sport = 20000; /* those that are there go on, also after a reload */
		assert_true(flows_load(
			&f, "conntrack: {profile: linux}\n"
			    "filter: {c: {hook: forward, rules: [{proto: tcp, dport: "
			    "80, ct: new,\n  connections: {over: 3}, action: drop}]}}\n"));
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 10);
		t[six].sport = 20004;
		tcp_drops(&f, &t[six], false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		/* one closes: once it is gone, another may come */
		t[six].sport = 20000;
		tcp_passes(&f, &t[six], true, RST | ACK, 5001, 1011, 0);
		flows_wait_s(&f, 10 + 16); /* the wheel looks at it so often */
		t[six].sport = 20004;
		tcp_opens(&f, &t[six]);
		t[six].sport = 20005;
		tcp_drops(&f, &t[six], false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		end_flows(&f);
		tcp_opens(&f, &t[six]);
		flows_close(&f);
	}
}

/* IPv6 counts by /64, IPv4 by address. */
static void test_connections_who(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter: {c: {hook: forward, rules: [{proto: udp,\n"
			       "  connections: {over: 2}, action: drop}]}}\n");
		for (unsigned i = 0; i < 5; i++) {
			struct frame in;

			talk_udp(&t[six], &in, false, 10);
			if (six)
				frame_ip6(&in)->src[12] = (uint8_t)(1 + i);
			else
				frame_ip4(&in)->src = on_link(false, 0, 50 + i).v4;
			if (!six)
				frame_sum4(&in);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			if (six && i >= 2)
				pipe_drops(&f.p, &in, DROP_FILTER_RULE);
			else
				passes(&f, &t[six], false, &in);
		}
		if (six) { /* another /64 */
			struct frame in;

			talk_udp(&t[six], &in, false, 10);
			frame_ip6(&in)->src[7] = 1;
			frame_checksum(&in, 40, IPPROTO_UDP);
			passes(&f, &t[six], false, &in);
		}
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_drop_new), cmocka_unit_test(test_full_early_drop),
		cmocka_unit_test(test_per_source),    cmocka_unit_test(test_per_zone),
		cmocka_unit_test(test_zones),	      cmocka_unit_test(test_connections),
		cmocka_unit_test(test_two_limits),    cmocka_unit_test(test_connections_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
