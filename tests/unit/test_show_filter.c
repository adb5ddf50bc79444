/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show filter, of a configuration as an operator writes it. */
#include <string.h>

#include "tests/unit/conf_util.h"
/* after cmocka.h, which conf_util.h includes */
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

static struct router router;
static struct policy policy;
static struct conf *conf;
static struct sets *sets;
static struct limits *limits;

static int set_up(void **state)
{
	struct match_context c = { .names = &router.names };
	char why[256] = "";

	(void)state;
	conf = load_good("router.yaml", text);
	assert_int_equal(sets_create(&router.names, &sets), 0);
	assert_int_equal(limits_create(&limits), 0);
	c.conf = conf;
	c.sets = sets;
	c.limits = limits;
	if (filter_build(&c, 1, &policy.filter, why, sizeof(why)))
		fail_msg("%s", why);
	router.policy = &policy;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_expanded),
		cmocka_unit_test(test_without_rules),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
