/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a filter tells: logs and how often, counters and where they go on, rules. Issue "flows",
 * items 6 and 7. */
#include "tests/unit/filter_util.h"

struct said {
	unsigned n;
	uint16_t rule;
};

static void hear(void *arg, uint16_t number, const struct match_packet *p)
{
	struct said *s = arg;

	assert_int_equal(p->key.family, AF_INET);
	s->n++;
	s->rule = number;
}

static void test_logs(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false);
	struct conf_rule *r = add_rule(c, "loud", 80);
	struct match_packet p = packet(80);
	struct filter_result out = { 0 };
	struct said said = { 0 };
	struct filter *f;

	(void)state;
	r->log = (struct conf_log){ .used = true, .count = 3, .period_ms = 1000, .prefix = "hm" };
	say(c, 80, CONF_ACT_DROP, 0, NULL);
	f = build();
	for (unsigned i = 0; i < 25; i++) { /* ten a second */
		p.now += 100000000;
		filter_run(f, FILTER_FORWARD, &p, &out, hear, &said);
	}
	assert_int_equal(said.n, 3 * 3);
	assert_int_equal(said.rule, 1);
	p.worker = 1; /* which has said nothing yet */
	filter_run(f, FILTER_FORWARD, &p, &out, hear, &said);
	assert_int_equal(said.n, 10);
	filter_run(f, FILTER_FORWARD, &p, &out, NULL, NULL);
	filter_destroy(f);
}

static void expect_count(const struct filter *f, unsigned number, uint64_t packets)
{
	struct filter_rule_info info;

	assert_true(filter_rule(f, number, &info));
	assert_int_equal(info.packets, packets);
	assert_int_equal(info.bytes, 100 * packets);
}

static void test_counters(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false), other;
	struct filter_rule_info info;
	struct match_packet p = packet(1);
	struct filter_result out = { 0 };
	struct filter *f, *next;

	(void)state;
	add_rule(c, "named", 1);
	add_rule(c, "", 1);
	add_rule(c, "", 1);
	say(c, 2, CONF_ACT_ACCEPT, 0, NULL);
	f = build();
	for (unsigned i = 0; i < 5; i++) {
		p.worker = i & 1;
		filter_run(f, FILTER_FORWARD, &p, &out, NULL, NULL);
	}
	judge(f, FILTER_FORWARD, 2);
	for (unsigned i = 1; i <= 5; i++)
		expect_count(f, i, i == 4 ? 1 : 5);
	assert_false(filter_rule(f, 6, &info));

	/* another rule before them, and what one does changed */
	memmove(&rule[c][1], &rule[c][0], 4 * sizeof(rule[c][0]));
	rule[c][0] = (struct conf_rule){ .match.length_max = 9 };
	chain[c].nrules = 5;
	add_act(&rule[c][4], CONF_ACT_COUNT, 0, NULL);
	other = add_chain("earlier", CONF_HOOK_PREROUTING, 0, false);
	add_rule(other, "named", 1); /* of the same name, in another chain */
	next = build();
	filter_carry_over(next, f);
	expect_count(next, 1, 0); /* earlier: named */
	expect_count(next, 2, 0); /* earlier: policy */
	expect_count(next, 3, 0); /* the new one */
	expect_count(next, 4, 5);
	expect_count(next, 5, 5);
	expect_count(next, 6, 5);
	expect_count(next, 7, 0); /* it does something else now */
	expect_count(next, 8, 5); /* policy */
	filter_run(next, FILTER_FORWARD, &p, &out, NULL, NULL);
	expect_count(next, 4, 6);
	filter_destroy(f);
	f = build();
	filter_carry_over(f, next);
	expect_count(f, 4, 6);
	filter_destroy(f);
	filter_destroy(next);
}

static void test_info(void **state)
{
	unsigned c = add_chain("mark", CONF_HOOK_PREROUTING, CONF_PRIO_MANGLE, false);
	struct conf_rule *r = add_rule(c, "web", 80);
	static struct conf_port_range many[200];
	struct filter_rule_info info;
	struct filter *f;

	(void)state;
	r->log =
		(struct conf_log){ .used = true, .count = 1, .period_ms = 60000, .prefix = "a\"b" };
	add_act(r, CONF_ACT_SET_MARK, 0x20, NULL);
	add_act(r, CONF_ACT_ACCEPT, 0, NULL);
	r = add_rule(c, "long", 0);
	for (unsigned i = 0; i < 200; i++)
		many[i] = (struct conf_port_range){ 10000, 20000 };
	r->match.dport.ranges = many;
	r->match.dport.nranges = 200;
	f = build();
	assert_true(filter_rule(f, 1, &info));
	assert_string_equal(info.chain, "mark");
	assert_string_equal(info.hook, "prerouting");
	assert_string_equal(info.name, "web");
	assert_string_equal(info.file, "router.yaml");
	assert_string_equal(info.log_prefix, "a\"b");
	assert_string_equal(info.match, "dport: 80");
	assert_string_equal(info.action, "[{set-mark: 0x20}, accept], "
					 "log: {limit: 1/m, prefix: \"a\\\"b\"}");
	assert_int_equal(info.priority, CONF_PRIO_MANGLE);
	assert_int_equal(info.line, 101);
	assert_false(info.policy || info.from_zones);
	assert_true(filter_rule(f, 2, &info));
	assert_int_equal(strlen(info.match), sizeof(info.match) - 1);
	assert_string_equal(info.match + sizeof(info.match) - 4, "...");
	assert_true(filter_rule(f, 3, &info));
	assert_true(info.policy);
	assert_string_equal(info.action, "accept");
	filter_destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_logs), TEST(test_counters), TEST(test_info) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
