/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains in the packet path: every stage, policies, jumps, and what is refused with an RST or an
 * ICMP error of each kind, in both families (issue "flows", item 6). A packet that the filter drops
 * leaves no flow.
 */
#include "tests/unit/pipe_talk.h"

/* ---- stages */

static const struct {
	const char *hook, *priority;
} stages[] = { { "prerouting", "raw" },	    { "prerouting", "mangle" }, { "prerouting", "dstnat" },
	       { "prerouting", "filter" },  { "forward", "mangle" },	{ "forward", "filter" },
	       { "postrouting", "mangle" }, { "postrouting", "srcnat" } };
#define STAGES (sizeof(stages) / sizeof(stages[0]))

static void load_at(struct pipe_flows *f, unsigned stage, const char *rest)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "filter: {c: {hook: %s, priority: %s, %s}}\n",
		 stages[stage].hook, stages[stage].priority, rest);
	assert_true(flows_load(f, yaml));
}

static void end_flows(struct pipe_flows *f)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(f->st->flows, &cursor)) != FLOW_NONE)
		flow_kill(f->st->flows, index);
	flows_grace(f);
	assert_int_equal(live(f), 0);
}

/* Each stage drops what its rule says, and nothing of it is remembered; and lets the rest be. */
static void test_stages_drop(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	for (unsigned i = 0; i < 2 * STAGES; i++) {
		struct talk other = t[i % 2];

		other.dport = 81;
		load_at(&f, i / 2, "rules: [{proto: [udp, tcp], dport: 80, action: drop}]");
		udp_drops(&f, &t[i % 2], false, DROP_FILTER_RULE);
		tcp_drops(&f, &t[i % 2], false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		assert_int_equal(live(&f), 0);
		udp_passes(&f, &other, false);
		assert_int_equal(live(&f), 1);
		udp_passes(&f, &other, true);
		end_flows(&f);
	}
	flows_close(&f);
}

static void test_stages_policy(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	for (unsigned i = 0; i < 2 * STAGES; i++) {
		struct talk other = t[i % 2];

		other.dport = 81;
		load_at(&f, i / 2,
			"policy: drop, rules: [{proto: udp, dport: 80, action: accept}]");
		udp_drops(&f, &other, false, DROP_FILTER_POLICY);
		assert_int_equal(live(&f), 0);
		udp_passes(&f, &t[i % 2], false);
		/* the chain sees the other direction, too: nothing there says accept */
		udp_drops(&f, &t[i % 2], true, DROP_FILTER_POLICY);
		udp_drops(&f, &t[i % 2], true, DROP_FILTER_POLICY);
		assert_int_equal(live(&f), 1);
		assert_int_equal(the_half(&f, FLOW_REPLY)->packets, 0);
		udp_passes(&f, &t[i % 2], false);
		end_flows(&f);
	}
	flows_close(&f);
}

static void test_stages_reject(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	for (unsigned i = 0; i < 2 * STAGES; i++) {
		bool six = i % 2;
		struct frame in;

		load_at(&f, i / 2, "rules: [{proto: [udp, tcp], dport: 80, action: reject}]");
		talk_udp(&t[six], &in, false, 100);
		pipe_answers(&f.p, &in, DROP_FILTER_REJECT, six ? 1 : 3, six ? 4 : 3, 0);
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
		tcp_resets(&f, &t[six], false, &in, 0, 1001);
		assert_int_equal(live(&f), 0);
	}
	flows_close(&f);
}

/* Chains of one hook run by priority; accept ends one chain, not the next. */
static void test_order(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(
		&f,
		"filter:\n"
		"  late: {hook: forward, priority: filter+10, rules: [{mark: 2, action: drop}]}\n"
		"  early: {hook: forward, priority: filter-10, rules: [\n"
		"    {proto: udp, dport: 80, action: [set-mark: 2, accept]}, {action: {set-mark: "
		"3}}]}\n"
		"  first: {hook: prerouting, priority: raw, rules: [{action: {set-mark: 1}}]}\n"
		"  then: {hook: prerouting, priority: mangle, rules: [{mark: 1, dport: 82, "
		"proto: udp, action: drop}]}\n");
	udp_drops(&f, &t, false, DROP_FILTER_RULE);
	t.dport = 81;
	udp_passes(&f, &t, false);
	t.dport = 82;
	udp_drops(&f, &t, false, DROP_FILTER_RULE);
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* ---- jumps */

static void test_jumps(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f,
		   "filter:\n"
		   "  web: {rules: [{proto: udp, dport: 81, action: return},\n"
		   "                {proto: udp, dport: 80-82, action: {jump: deep}}]}\n"
		   "  deep: {rules: [{proto: udp, dport: 80, action: drop},\n"
		   "                 {proto: udp, dport: 82, action: accept}]}\n"
		   "  c: {hook: forward, policy: drop, rules: [{in: p0, action: {jump: web}},\n"
		   "      {proto: udp, dport: 81, action: reject}, {in: p1, action: accept}]}\n");
	udp_drops(&f, &t, false, DROP_FILTER_RULE);
	t.dport = 82;
	udp_passes(&f, &t, false);
	udp_passes(&f, &t, true);
	t.dport = 83; /* nobody decides */
	udp_drops(&f, &t, false, DROP_FILTER_POLICY);
	t.dport = 81; /* comes back */
	for (unsigned i = 0; i < 2; i++) {
		struct frame in;

		talk_udp(&t, &in, false, 9);
		pipe_answers(&f.p, &in, DROP_FILTER_REJECT, 3, 3, 0);
	}
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* ---- reject */

static const struct {
	const char *action;
	uint8_t type4, code4, type6, code6;
} answers[] = {
	{ "reject", 3, 3, 1, 4 },
	{ "{reject: port-unreachable}", 3, 3, 1, 4 },
	{ "{reject: host-unreachable}", 3, 1, 1, 3 },
	{ "{reject: net-unreachable}", 3, 0, 1, 0 },
	{ "{reject: admin-prohibited}", 3, 13, 1, 1 },
};

/* Each code in each family; the packet is quoted as it came (F9), though a rule wanted it
 * otherwise. */
static void test_reject_codes(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	for (unsigned i = 0; i < 2 * sizeof(answers) / sizeof(answers[0]); i++) {
		bool six = i % 2, reset = i / 2 == 0;
		char yaml[512];
		struct frame in;

		snprintf(yaml, sizeof(yaml),
			 "filter: {c: {hook: forward, rules: [{action: {set-dscp: ef}}, {action: "
			 "%s}]}}\n",
			 answers[i / 2].action);
		assert_true(flows_load(&f, yaml));
		talk_udp(&t[six], &in, false, 1300);
		pipe_answers(&f.p, &in, DROP_FILTER_REJECT,
			     six ? answers[i / 2].type6 : answers[i / 2].type4,
			     six ? answers[i / 2].code6 : answers[i / 2].code4, 0);
		talk_tcp(&t[six], &in, false, SYN, 7, 0, 0);
		if (reset)
			tcp_resets(&f, &t[six], false, &in, 0, 8);
		else
			pipe_answers(&f.p, &in, DROP_FILTER_REJECT,
				     six ? answers[i / 2].type6 : answers[i / 2].type4,
				     six ? answers[i / 2].code6 : answers[i / 2].code4, 0);
		talk_ping(&t[six], &in, false);
		pipe_answers(&f.p, &in, DROP_FILTER_REJECT,
			     six ? answers[i / 2].type6 : answers[i / 2].type4,
			     six ? answers[i / 2].code6 : answers[i / 2].code4, 0);
		assert_int_equal(live(&f), 0);
	}
	flows_close(&f);
}

/* RFC 9293 3.10.7.1: an RST sits where the segment's ACK says, or acknowledges all of it; none
 * answers an RST, a fragment, what is no TCP, or a segment whose checksum is wrong. */
static void test_reset(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [{action: {reject: tcp-reset}}]}}\n");
	for (unsigned six = 0; six < 2; six++) {
		talk_tcp(&t[six], &in, false, SYN, 0xffffffff, 0, 0);
		tcp_resets(&f, &t[six], false, &in, 0, 0); /* the ACK of 0xffffffff: 0 */
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 10);
		tcp_resets(&f, &t[six], false, &in, 0, 1011);
		talk_tcp(&t[six], &in, false, ACK, 1000, 77, 10);
		tcp_resets(&f, &t[six], false, &in, 77, 0);
		talk_tcp(&t[six], &in, false, FIN | ACK, 1000, 78, 0);
		tcp_resets(&f, &t[six], false, &in, 78, 0);
		tcp_drops(&f, &t[six], false, RST, 1000, 0, 0, DROP_FILTER_REJECT);
		tcp_drops(&f, &t[six], false, RST | ACK, 1000, 9, 0, DROP_FILTER_REJECT);
		udp_drops(&f, &t[six], false, DROP_FILTER_REJECT);
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 10);
		frame_l4(&in)[17] ^= 1;
		pipe_drops(&f.p, &in, DROP_FILTER_REJECT);
	}
	talk_tcp(&t[0], &in, false, SYN, 1000, 0, 12);
	frame_ip4(&in)->frag = htons(IP4_MF);
	frame_sum4(&in);
	pipe_drops(&f.p, &in, DROP_FILTER_REJECT);
	assert_int_equal(live(&f), 0);
	flows_close(&f);
}

/* A running flow that another policy refuses is answered each time, in both directions, and may go
 * on when the rules allow it again. */
static void test_reject_running(void **state)
{
	static const char no[] = "filter: {c: {hook: forward, rules: [{action: reject}]}}\n";
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	for (unsigned six = 0; six < 2; six++) {
		assert_true(flows_load(&f, "conntrack: {}\n"));
		tcp_opens(&f, &t[six]);
		assert_true(flows_load(&f, no));
		for (unsigned i = 0; i < 2; i++) {
			talk_tcp(&t[six], &in, false, ACK, 1001, 5001, 10);
			tcp_resets(&f, &t[six], false, &in, 5001, 0);
			talk_tcp(&t[six], &in, true, ACK, 5001, 1001, 10);
			tcp_resets(&f, &t[six], true, &in, 1001, 0);
		}
		assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 2);
		assert_true(flows_load(&f, "conntrack: {}\n"));
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 10);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1011, 10);
		end_flows(&f);
	}
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages_drop),   cmocka_unit_test(test_stages_policy),
		cmocka_unit_test(test_stages_reject), cmocka_unit_test(test_order),
		cmocka_unit_test(test_jumps),	      cmocka_unit_test(test_reject_codes),
		cmocka_unit_test(test_reset),	      cmocka_unit_test(test_reject_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
