/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When rules are asked, and what they leave behind: new and established by direction as in Linux,
 * packets that are judged one by one, a policy that is replaced, marks, DSCP, MSS, sets, logs and
 * limits (issue "flows", item 6; requirements C19, C22, F19, F20).
 */
#include "tests/unit/pipe_talk.h"

static void end_flows(struct pipe_flows *f)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(f->st->flows, &cursor)) != FLOW_NONE)
		flow_kill(f->st->flows, index);
	flows_grace(f);
	assert_int_equal(live(f), 0);
}

/* Packets that a rule has judged. */
static uint64_t judged(const struct pipe_flows *f, const char *name)
{
	struct filter_rule_info info;

	for (unsigned i = 1; filter_rule(f->policy->filter, i, &info); i++)
		if (info.name && !strcmp(info.name, name))
			return info.packets;
	fail_msg("no rule %s", name);
	return 0;
}

/* Row: it goes on with this DSCP. */
static void passes_as(struct pipe_flows *f, const struct talk *t, bool back, struct frame *in,
		      unsigned dscp)
{
	uint64_t drops = pipe_drops_all(&f->p);
	struct frame want;

	frame_forwarded(&want, in, back ? t->a : t->b, 2);
	if (t->six) {
		uint32_t word = ntohl(frame_ip6(&want)->ver_tc_flow);

		frame_ip6(&want)->ver_tc_flow = htonl((word & 0xf03fffff) | dscp << 22);
	} else {
		frame_ip4(&want)->tos = (uint8_t)((frame_ip4(&want)->tos & 3) | dscp << 2);
		frame_sum4(&want);
	}
	pipe_receive(&f->p, in);
	pipe_turn(&f->p);
	expect_frame(&f->p, want.port, &want);
	pipe_quiet(&f->p);
	assert_int_equal(pipe_drops_all(&f->p), drops);
}

/* ---- new and established */

/* The originator's packets are new until an answer was seen; an answer is established at once. Each
 * is judged once a direction and state. */
static void test_states(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter: {c: {hook: forward, policy: drop, rules: [\n"
			       "  {name: new, in: p0, ct: new, action: accept},\n"
			       "  {name: there, in: p0, ct: established, action: accept},\n"
			       "  {name: back, in: p1, ct: established, action: accept}]}}\n");
		udp_drops(&f, &t[six], true, DROP_FILTER_POLICY);
		for (unsigned i = 0; i < 3; i++)
			udp_passes(&f, &t[six], false);
		for (unsigned i = 0; i < 3; i++)
			udp_passes(&f, &t[six], true);
		for (unsigned i = 0; i < 3; i++)
			udp_passes(&f, &t[six], false);
		assert_int_equal(judged(&f, "new"), 1);
		assert_int_equal(judged(&f, "there"), 1);
		assert_int_equal(judged(&f, "back"), 1);
		assert_int_equal(live(&f), 1);
		tcp_opens(&f, &t[six]);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1001, 10);
		assert_int_equal(judged(&f, "new"), 2);
		assert_int_equal(judged(&f, "there"), 2);
		assert_int_equal(judged(&f, "back"), 3); /* again when it was assured */
		ping_passes(&f, &t[six], false);
		ping_passes(&f, &t[six], true);
		ping_passes(&f, &t[six], true);
		ping_passes(&f, &t[six], false);
		assert_int_equal(judged(&f, "new"), 3);
		assert_int_equal(judged(&f, "there"), 3);
		assert_int_equal(judged(&f, "back"), 4);
		flows_close(&f);
	}
}

/* An answer that leaves the flow unanswered, a challenge ACK (RFC 5961), is no less an answer to
 * the rules, and what becomes of it must not stick. */
static void test_challenge_is_established(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f,
		   "filter: {c: {hook: forward, policy: drop, rules: [\n"
		   "  {in: p0, ct: new, action: accept}, {ct: established, action: accept}]}}\n");
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_passes(&f, &t, true, ACK, 9000, 777, 0);
	tcp_passes(&f, &t, false, RST, 777, 0, 0);
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_passes(&f, &t, true, SYN | ACK, 5000, 1001, 0);
	tcp_passes(&f, &t, false, ACK, 1001, 5001, 0);
	flows_close(&f);
}

static void test_status(void **state)
{
	struct talk t = TALK6;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
		       "  {name: replied, status: replied, action: count},\n"
		       "  {name: assured, length: 20-2000, status: assured, action: count}]}}\n");
	tcp_opens(&f, &t);
	assert_int_equal(judged(&f, "replied"), 2); /* a direction each */
	assert_int_equal(judged(&f, "assured"), 1);
	tcp_passes(&f, &t, true, ACK, 5001, 1001, 10);
	assert_int_equal(judged(&f, "assured"), 2);
	flows_close(&f);
}

/* What comes by another interface is not what was judged: a neighbour who forges a flow's packets,
 * or a route that moved. */
static void test_other_interface(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct frame in;

		flows_open(&f,
			   "filter:\n"
			   "  raw: {hook: prerouting, priority: raw, rules: [\n"
			   "    {name: spoof, in: p2, from: [10.0.0.0/24, \"2001:db8::/64\"], "
			   "action: drop}]}\n"
			   "  c: {hook: forward, policy: drop, rules: [\n"
			   "    {ct: established, action: accept}, {in: p0, action: accept}]}\n");
		for (unsigned i = 0; i < 2; i++) {
			if (i) {
				tcp_opens(&f, &t[six]);
			} else {
				udp_passes(&f, &t[six], false);
				udp_passes(&f, &t[six], true);
				udp_passes(&f, &t[six], false);
			}
			for (unsigned k = 0; k < 2; k++) {
				if (i)
					talk_tcp(&t[six], &in, false, ACK, 1001, 5001, 10);
				else
					talk_udp(&t[six], &in, false, 100);
				in.port = in.b[5] = 2;
				pipe_drops(&f.p, &in, DROP_FILTER_RULE);
				in.port = in.b[5] = 0;
				passes(&f, &t[six], false, &in);
			}
		}
		assert_int_equal(judged(&f, "spoof"), 4);
		/* even if the forged one is the first that new rules see */
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [{in: p2, action: "
					   "drop}]}}\n"));
		in.port = in.b[5] = 2;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		in.port = in.b[5] = 0;
		passes(&f, &t[six], false, &in);
		in.port = in.b[5] = 2;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		flows_close(&f);
	}
}

/* ---- packet by packet */

/* Rules about length, TTL, DSCP and rates see each packet; a flow they do not mean is left alone.
 */
static void test_varying(void **state)
{
	struct talk t = TALK4, other = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	other.dport = 81;
	flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
		       "  {name: big, proto: udp, dport: 80, length: 1000-1500, action: drop},\n"
		       "  {name: near, proto: udp, dport: 80, ttl: 1-10, action: drop},\n"
		       "  {name: ef, proto: udp, dport: 80, dscp: ef, action: drop},\n"
		       "  {name: all, action: accept}]}}\n");
	udp_passes(&f, &t, false);
	talk_udp(&t, &in, false, 980);
	pipe_drops(&f.p, &in, DROP_FILTER_RULE);
	udp_passes(&f, &t, false);
	talk_udp(&t, &in, false, 10);
	frame_ttl(&in, 10);
	pipe_drops(&f.p, &in, DROP_FILTER_RULE);
	frame_ttl(&in, 11);
	passes(&f, &t, false, &in);
	frame_ip4(&in)->tos = 46 << 2;
	frame_sum4(&in);
	pipe_drops(&f.p, &in, DROP_FILTER_RULE);
	assert_int_equal(judged(&f, "all"), 3);
	assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 3);
	for (unsigned i = 0; i < 3; i++)
		udp_passes(&f, &other, false);
	assert_int_equal(judged(&f, "all"), 4);
	flows_close(&f);
}

static void test_rate(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [{proto: udp, dport: 80, in: p0,\n"
		       "  rate: {over: 2/s, burst: 3, per: source}, action: drop}]}}\n");
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++)
			udp_passes(&f, &t, false);
		udp_drops(&f, &t, false, DROP_FILTER_RULE);
		udp_drops(&f, &t, false, DROP_FILTER_RULE);
		udp_passes(&f, &t, true);
		f.p.now += 10 * NSEC_PER_SEC;
	}
	flows_close(&f);
}

/* A rule that looks for SYNs judges SYNs: what it says of one holds for no other packet of its
 * flow. */
static void test_syns_alone(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
			       "  {proto: tcp, flags: syn/syn+ack, rate: {over: 1/h, burst: 1},\n"
			       "   action: drop}]}}\n");
		tcp_passes(&f, &t[six], false, SYN, 1000, 0, 0);
		tcp_drops(&f, &t[six], false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		tcp_passes(&f, &t[six], true, SYN | ACK, 5000, 1001, 0);
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 0);
		tcp_drops(&f, &t[six], false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 10);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1011, 10);
		flows_close(&f);
	}
}

/* One that lets SYNs pass opens a connection, and no more: one-sided traffic does not ride on it
 * (requirement C28: with tcp-liberal it could). */
static void test_syns_accepted(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {tcp-liberal: true}\n"
		       "filter: {c: {hook: forward, policy: drop, rules: [\n"
		       "  {proto: tcp, flags: syn/syn+ack, action: accept}]}}\n");
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_drops(&f, &t, false, ACK, 1001, 5001, 10, DROP_FILTER_POLICY);
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_drops(&f, &t, true, SYN | ACK, 5000, 1001, 0, DROP_FILTER_POLICY);
	flows_close(&f);
}

/* The stage before tracking is passed once, whatever the packet turns out to be. */
static void test_raw_once(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f,
		   "conntrack: {tcp-loose: false}\n"
		   "filter:\n"
		   "  a: {hook: prerouting, priority: raw, rules: [{name: raw, action: count}]}\n"
		   "  b: {hook: prerouting, priority: mangle, rules: [\n"
		   "    {name: invalid, ct: invalid, action: count}]}\n");
	tcp_passes(&f, &t, false, ACK, 1000, 5000, 0); /* begins nothing */
	assert_int_equal(judged(&f, "raw"), 1);
	assert_int_equal(judged(&f, "invalid"), 1);
	talk_udp(&t, &in, false, 100);
	frame_l4(&in)[7] ^= 1;
	passes(&f, &t, false, &in);
	assert_int_equal(judged(&f, "raw"), 2);
	assert_int_equal(judged(&f, "invalid"), 2);
	tcp_opens(&f, &t);
	assert_int_equal(judged(&f, "raw"), 5);		 /* new, the answer, established */
	tcp_passes(&f, &t, false, ACK, 900001, 5001, 0); /* out of window */
	assert_int_equal(judged(&f, "raw"), 6);
	assert_int_equal(judged(&f, "invalid"), 3);
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* ---- another policy */

/* Running flows are judged at their next packet: the verdict alone changes, and changes back. */
static void test_reload(void **state)
{
	static const char no[] = "filter: {c: {hook: forward, rules: [{in: p0, action: drop}]}}\n";
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct flow *record;

		flows_open(&f, "conntrack: {}\n");
		tcp_opens(&f, &t[six]);
		record = the_record(&f);
		assert_true(flows_load(&f, no));
		tcp_drops(&f, &t[six], false, ACK, 1001, 5001, 10, DROP_FILTER_RULE);
		tcp_drops(&f, &t[six], false, ACK, 1001, 5001, 10, DROP_FILTER_RULE);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1001, 10);
		assert_true(flows_load(&f, "filter: {c: {hook: forward, policy: drop}}\n"));
		tcp_drops(&f, &t[six], false, ACK, 1001, 5001, 10, DROP_FILTER_POLICY);
		tcp_drops(&f, &t[six], true, ACK, 5001, 1001, 10, DROP_FILTER_POLICY);
		tcp_drops(&f, &t[six], true, ACK, 5001, 1001, 10, DROP_FILTER_POLICY);
		assert_true(flows_load(&f, "conntrack: {}\n"));
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 10);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1011, 10);
		assert_ptr_equal(the_record(&f), record);
		assert_int_equal(flows_stats(&f).made, 1);
		/* nothing is stateful any more, then again: the flow is where it was */
		assert_true(flows_load(&f, ""));
		tcp_passes(&f, &t[six], false, ACK, 1011, 5011, 10);
		assert_true(flows_load(&f, "conntrack: {}\n"));
		tcp_passes(&f, &t[six], false, ACK, 1021, 5011, 10);
		assert_ptr_equal(the_record(&f), record);
		flows_close(&f);
	}
}

/* ---- what rules leave behind */

/* C19: saved of one direction's packet, restored for the other's; masks; another zone of the file.
 */
static void test_marks(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f,
			   "filter:\n"
			   "  in: {hook: prerouting, priority: mangle, rules: [\n"
			   "    {in: p0, proto: udp, action: [set-mark: 0x80000000,\n"
			   "     {set-mark: 0xa5/0xff}, save-mark]},\n"
			   "    {in: p1, action: restore-mark}]}\n"
			   "  out: {hook: forward, policy: drop, rules: [\n"
			   "    {mark: 0x800000a5, action: accept}, {in: p0, action: accept}]}\n");
		udp_passes(&f, &t[six], false);
		assert_int_equal(the_record(&f)->mark, 0x800000a5);
		udp_passes(&f, &t[six], true);
		ping_passes(&f, &t[six], false); /* saved nothing: 0 */
		{
			struct frame in;

			talk_ping(&t[six], &in, true);
			pipe_drops(&f.p, &in, DROP_FILTER_POLICY);
		}
		/* a running flow's mark can be another's after a reload */
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [{proto: udp,\n"
					   "  action: [restore-mark, set-mark: 0x5000/0xf000, "
					   "save-mark]}]}}\n"));
		udp_passes(&f, &t[six], true);
		{
			struct flow_key k;
			enum flow_dir dir;
			uint32_t tick = flow_tick(f.st->flows, f.p.now), index;
			struct frame in;

			talk_udp(&t[six], &in, false, 1);
			k = (struct flow_key){ .family = six ? AF_INET6 : AF_INET,
					       .proto = IPPROTO_UDP,
					       .sport = htons(t[six].sport),
					       .dport = htons(t[six].dport) };
			memcpy(k.src, on_link(six, 0, 2).bytes, six ? 16 : 4);
			memcpy(k.dst, on_link(six, 1, 2).bytes, six ? 16 : 4);
			index = flow_lookup(f.st->flows, &k, tick, &dir);
			assert_int_not_equal(index, FLOW_NONE);
			assert_int_equal(flow_at(f.st->flows, index)->mark, 0x800050a5);
		}
		flows_close(&f);
	}
}

/* F19: each direction as it was judged, of the first packet and of all that follow; of each packet
 * where rules look at each; and not a bit more of the header. */
static void test_dscp(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(
			&f,
			"filter: {c: {hook: forward, rules: [\n"
			"  {in: p0, action: {set-dscp: ef}}, {in: p1, action: {set-dscp: 0}}]}}\n");
		for (unsigned i = 0; i < 6; i++) {
			talk_udp(&t[six], &in, i / 3, 40 + i);
			if (!six)
				frame_ip4(&in)->tos |= 3;
			if (!six)
				frame_sum4(&in);
			passes_as(&f, &t[six], i / 3, &in, i / 3 ? 0 : 46);
		}
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
		passes_as(&f, &t[six], false, &in, 46);
		talk_tcp(&t[six], &in, true, SYN | ACK, 5000, 1001, 0);
		passes_as(&f, &t[six], true, &in, 0);
		for (unsigned i = 0; i < 3; i++) {
			talk_tcp(&t[six], &in, false, ACK, 1001, 5001, 0);
			passes_as(&f, &t[six], false, &in, 46);
		}
		assert_true(flows_load(&f, "filter: {c: {hook: postrouting, rules: [\n"
					   "  {length: 1000-1500, action: {set-dscp: af11}}]}}\n"));
		talk_udp(&t[six], &in, false, 1000);
		passes_as(&f, &t[six], false, &in, 10);
		udp_passes(&f, &t[six], false);
		passes_as(&f, &t[six], false, &in, 10);
		flows_close(&f);
	}
}

/* A SYN gets what a rule about SYNs says, not what was decided for the flow. */
static void test_dscp_of_syn(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [{proto: tcp, flags: syn/syn,\n"
		       "  action: [set-dscp: cs6, accept]}, {action: {set-dscp: le}}]}}\n");
	for (unsigned i = 0; i < 2; i++) {
		talk_tcp(&t, &in, false, SYN, 1000, 0, 0);
		passes_as(&f, &t, false, &in, 48);
	}
	for (unsigned i = 0; i < 2; i++) {
		talk_tcp(&t, &in, true, SYN | ACK, 5000, 1001, 0);
		passes_as(&f, &t, true, &in, 48);
	}
	for (unsigned i = 0; i < 2; i++) {
		talk_tcp(&t, &in, false, ACK, 1001, 5001, 0);
		passes_as(&f, &t, false, &in, 1);
	}
	talk_tcp(&t, &in, false, SYN, 1000, 0, 0);
	passes_as(&f, &t, false, &in, 48);
	talk_tcp(&t, &in, false, ACK, 1001, 5001, 5);
	passes_as(&f, &t, false, &in, 1);
	talk_tcp(&t, &in, true, ACK, 5001, 1006, 5);
	passes_as(&f, &t, true, &in, 1);
	end_flows(&f);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	    cmocka_unit_test(test_challenge_is_established),
		cmocka_unit_test(test_status),	    cmocka_unit_test(test_other_interface),
		cmocka_unit_test(test_varying),	    cmocka_unit_test(test_rate),
		cmocka_unit_test(test_syns_alone),  cmocka_unit_test(test_syns_accepted),
		cmocka_unit_test(test_raw_once),    cmocka_unit_test(test_reload),
		cmocka_unit_test(test_marks),	    cmocka_unit_test(test_dscp),
		cmocka_unit_test(test_dscp_of_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
