/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain, where rules of routing look at packets: it names the rule, and agrees with what comes of
 * the packet (F19). */
#include "tests/unit/explain_lab.h"
/* after cmocka.h */
#include "router/net/rules.h"

static struct fib *beside;
static struct rule_list *list;

/* Of what comes in by p0, what passes the test of the first rule leaves by p2. */
static void rules_of(const char *yaml, const struct rule_step *tests)
{
	struct addr to = on_link(false, 2, 2), any = { 0 };

	open_with(yaml);
	beside = fib_create(f.p.pool, AF_INET);
	must(fib_set(beside, any.bytes, 0, neigh_lookup(f.p.neigh, &f.p.nht, 2, &to)));
	list = calloc(1, sizeof(*list) + 2 * sizeof(list->step[0]));
	list->family = AF_INET;
	list->nsteps = 2;
	list->marks = tests->tests & RULE_MARK;
	list->each = tests->tests & RULE_TOS;
	list->step[0] = *tests;
	list->step[0].fib = beside;
	list->step[0].priority = 100;
	list->step[0].table = 1000;
	list->step[1].fib = f.p.fib4;
	list->step[1].priority = 32766;
	list->step[1].table = TABLE_MAIN;
	f.p.cfg->iface[0].rules4 = list;
	f.p.cfg->ruled = true;
}

static int rules_down(void **ctx)
{
	if (asked.rows)
		ask_end(&asked);
	fib_destroy(beside);
	free(list);
	return tear_down(ctx);
}

/* Asks, sends, and forgets what was answered before. */
static void agrees(const char *iface, const char *packet)
{
	if (asked.rows)
		ask_end(&asked);
	agree(iface, packet);
}

static const struct rule_step marked = { .tests = RULE_MARK, .mark = 7, .mark_mask = 0xff },
			      expedited = { .tests = RULE_TOS, .tos = 0xb8, .tos_mask = 0xfc },
			      refused = { .tests = RULE_MARK,
					  .mark_mask = 0xff,
					  .act = RULE_DECIDED };

#define BY_MARK "routing rule of priority 100: table 1000"
#define BY_MAIN "routing rule of priority 32766: table 254"

static void rules_by_marks(void **ctx)
{
	(void)ctx;
	rules_of("conntrack: {}\nfilter: {m: {hook: prerouting, priority: mangle, rules: [\n"
		 "  {name: dns, proto: udp, dport: 53, action: {set-mark: 7}}]}}\n",
		 &marked);
	for (unsigned i = 0; i < 4; i++) {
		agrees("p0", "udp 10.0.0.2:1000 > 172.16.0.9:53");
		assert_string_equal(last("iface"), "p2");
		if (i % 2 == 0) /* else its flow remembers */
			assert_true(told("rule", BY_MARK));
		agrees("p0", "udp 10.0.0.2:1000 > 172.16.0.9:80");
		assert_string_equal(last("iface"), "p1");
		if (i % 2 == 0)
			assert_true(told("rule", BY_MAIN));
		f.p.nht.generation += i % 2; /* routes move */
	}
}

static void rules_by_dscp(void **ctx)
{
	(void)ctx;
	rules_of("conntrack: {}\n", &expedited);
	for (unsigned i = 0; i < 3; i++) {
		agrees("p0", "udp 10.0.0.2:1000 > 172.16.0.9:53 dscp ef");
		assert_string_equal(last("iface"), "p2");
		assert_true(told("rule", BY_MARK));
		agrees("p0", "udp 10.0.0.2:1000 > 172.16.0.9:53");
		assert_string_equal(last("iface"), "p1");
	}
}

static void rules_that_refuse(void **ctx)
{
	(void)ctx;
	rules_of("", &refused);
	agrees("p0", "udp 10.0.0.2:1000 > 172.16.0.9:53");
	assert_true(told("rule", "routing rule of priority 100: unreachable"));
	assert_string_equal(last("reason"), "no-route");
	agrees("p1", "udp 10.0.1.2:1000 > 10.0.0.2:53"); /* of no interest there */
	assert_string_equal(last("iface"), "p0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(rules_by_marks, rules_down),
		cmocka_unit_test_teardown(rules_by_dscp, rules_down),
		cmocka_unit_test_teardown(rules_that_refuse, rules_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
