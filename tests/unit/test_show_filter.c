/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show filter, of a configuration as an operator writes it. Rules of Linux's own traffic are those
 * of a network namespace of the test's. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/conf_util.h"
/* after cmocka.h, which conf_util.h includes */
#include "router/ctl/nft.h"
#include "router/net/limit.h"
#include "router/net/set.h"
#include "router/router.h"
#include "tests/unit/ask.h"

static const char text[] = "version: 1\n"
			   "interfaces: {wan0: {}, lan0: {}}\n"
			   "zones:\n"
			   "  wan: {interfaces: [wan0], input: drop, forward-to: []}\n"
			   "  lan: {interfaces: [lan0], input: accept, forward-to: [wan]}\n"
			   "filter:\n"
			   "  extra:\n"
			   "    hook: forward\n"
			   "    priority: filter\n"
			   "    policy: accept\n"
			   "    rules:\n"
			   "      - {name: web, proto: tcp, dport: 80, action: accept}\n"
			   "      - {proto: udp, action: drop}\n";

/* The same with Linux's part, out of order. */
static const char mixed[] = "version: 1\n"
			    "interfaces: {lan0: {}}\n"
			    "zones: {lan: {interfaces: [lan0], input: drop}}\n"
			    "filter:\n"
			    "  sent: {hook: output, rules: [{name: o, action: {jump: both}}]}\n"
			    "  ours: {rules: [{name: x, action: count}]}\n"
			    "  second: {hook: input, priority: 5, rules: []}\n"
			    "  first: {hook: input, rules: [{name: i, action: {jump: ours}}]}\n"
			    "  both: {rules: [{name: b, proto: icmp, action: count},\n"
			    "                 {name: c, action: accept}]}\n"
			    "  raw: {hook: prerouting, priority: raw, rules: []}\n"
			    "  nat: {hook: postrouting, rules: []}\n"
			    "  middle: {hook: forward, rules: [{name: f, action: {jump: both}}]}\n";

static struct router router;
static struct policy policy;
static struct conf *conf;
static struct sets *sets;
static struct limits *limits;

static void begin(const char *yaml)
{
	struct match_context c = { .names = &router.names };
	char why[256] = "";

	conf = load_good("router.yaml", yaml);
	assert_int_equal(sets_create(&router.names, &sets), 0);
	assert_int_equal(limits_create(&limits), 0);
	c.conf = conf;
	c.sets = sets;
	c.limits = limits;
	if (filter_build(&c, 1, &policy.filter, why, sizeof(why)))
		fail_msg("%s", why);
	router.policy = &policy;
}

static int set_up(void **state)
{
	(void)state;
	begin(text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nft_destroy(router.nft);
	router.nft = NULL;
	filter_destroy(policy.filter);
	limits_destroy(limits);
	sets_destroy(sets);
	names_fini(&router.names);
	conf_destroy(conf);
	return 0;
}

static void test_rules(void **state)
{
	struct match_packet p = { .key = { .family = AF_INET, .proto = 17 }, .len = 100 };
	struct filter_result result = { 0 };
	struct ask a;
	char *rows;

	(void)state;
	filter_run(policy.filter, FILTER_FORWARD, &p, &result, NULL, NULL);
	ask_all(&a, &router, "show filter");
	assert_int_equal(a.end, 0);
	rows = json_dumps(a.rows, JSON_COMPACT);
	assert_string_equal(
		rows, "[{\"chain\":\"extra\",\"hook\":\"forward\",\"priority\":0,\"rule\":\"web\","
		      "\"line\":12,\"packets\":0,\"bytes\":0,\"action\":\"accept\","
		      "\"match\":\"proto: tcp, dport: 80\"},"
		      "{\"chain\":\"extra\",\"hook\":\"forward\",\"priority\":0,\"rule\":null,"
		      "\"line\":13,\"packets\":1,\"bytes\":100,\"action\":\"drop\","
		      "\"match\":\"proto: udp\"},"
		      "{\"chain\":\"extra\",\"hook\":\"forward\",\"priority\":0,"
		      "\"rule\":\"policy\",\"line\":7,\"packets\":0,\"bytes\":0,"
		      "\"action\":\"accept\",\"match\":null}]");
	free(rows);
	ask_end(&a);
}

/* What zones mean is shown when asked for. */
static void test_expanded(void **state)
{
	bool from_zone = false;
	struct ask a;
	json_t *row;
	size_t n;

	(void)state;
	ask_all(&a, &router, "show filter --expanded");
	assert_int_equal(a.end, 0);
	assert_true(json_array_size(a.rows) > 3);
	json_array_foreach(a.rows, n, row) {
		const char *rule = json_string_value(json_object_get(row, "rule"));

		from_zone |= rule && strcmp(rule, "zone:lan->wan") == 0;
	}
	assert_true(from_zone);
	ask_end(&a);
}

static void assert_empty(void)
{
	struct ask a;

	ask_all(&a, &router, "show filter --expanded");
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 0);
	ask_end(&a);
}

static void test_without_rules(void **state)
{
	static struct policy none;

	(void)state;
	router.policy = &none;
	assert_empty();
	router.policy = NULL;
	assert_empty();
}

static int set_up_linux(void **state)
{
	char why[256];

	(void)state;
	begin(mixed);
	if (unshare(CLONE_NEWNET) || system("ip link set lo up && nft add table inet probe"))
		return 0;
	assert_int_equal(nft_create("", NULL, NULL, &router.nft), 0);
	if (nft_apply(router.nft, conf, why, sizeof(why)))
		fail_msg("%s", why);
	return 0;
}

/* "chain rule packets" of all rows, separated by commas. */
static char *rules_of(const char *words)
{
	struct ask a;
	json_t *row;
	size_t n;
	char *all;
	FILE *f = open_memstream(&all, &n);

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	json_array_foreach(a.rows, n, row) {
		const char *rule = json_string_value(json_object_get(row, "rule"));

		fprintf(f, "%s%s %s %d", n ? ", " : "",
			json_string_value(json_object_get(row, "chain")), rule ? rule : "-",
			(int)json_integer_value(json_object_get(row, "packets")));
	}
	fclose(f);
	ask_end(&a);
	return all;
}

/* Linux's rules stand where packets meet them; a chain of both is one. */
static void test_linux(void **state)
{
	struct match_packet p = { .key = { .family = AF_INET, .proto = 1 }, .len = 100 };
	struct filter_result result = { 0 };
	char *rules;

	(void)state;
	if (!router.nft)
		skip();
	assert_int_equal(system("ping -q -c 1 127.0.0.1 > /dev/null"), 0); /* request and reply */
	filter_run(policy.filter, FILTER_FORWARD, &p, &result, NULL, NULL);
	rules = rules_of("show filter");
	assert_string_equal(rules, "raw policy 0, first i 2, first policy 2, second policy 2, "
				   "middle f 1, middle policy 0, sent o 2, sent policy 0, "
				   "nat policy 0, both b 3, both c 3, ours x 2");
	free(rules);
	rules = rules_of("show filter --expanded");
	assert_non_null(strstr(rules, "zones-input zone:lan input 0, zones-input policy "));
	free(rules);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rules),
		TEST(test_expanded),
		TEST(test_without_rules),
		cmocka_unit_test_setup_teardown(test_linux, set_up_linux, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
