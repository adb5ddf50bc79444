// SPDX-License-Identifier: GPL-2.0-or-later
/* show qos: rows and their shape, the tree, figures, and reloads between two calls. */
#include "tests/unit/show_qos.h"

/* The shape that programs rely on: of the first class, and of a filter with a policer. */
static void test_json(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	ask_all(&a, &router, "show qos");
	assert_int_equal(a.end, 0);
	text = json_dumps(row_of(&a, "1:10"), JSON_COMPACT);
	assert_string_equal(
		text,
		"{\"dev\":\"wan0\",\"direction\":\"egress\",\"kind\":\"class\",\"handle\":\"1:10\","
		"\"handle.text\":\"    1:10 voice\",\"parent\":\"1:1\",\"name\":\"voice\","
		"\"qdisc\":\"htb\",\"options\":{\"prio\":0,\"rate\":625000,\"ceil\":2500000,"
		"\"burst\":1600,\"cburst\":2500},\"options.text\":\"prio 0 rate 5Mbit ceil 20Mbit "
		"burst 1600b cburst 2500b\",\"bytes\":0,\"packets\":0,\"drops\":0,\"overlimits\":0,"
		"\"backlog\":0,\"qlen\":0,\"rate\":null,\"ecn_marked\":0,\"sojourn_us\":null,"
		"\"xstats\":{\"lended\":0,\"borrowed\":0,\"giants\":0,\"tokens\":40000,"
		"\"ctokens\":15625,\"waited_rate\":0,\"waited_parent\":0},\"line\":9}");
	free(text);
	text = json_dumps(json_array_get(a.rows, 12), JSON_COMPACT);
	assert_string_equal(
		text,
		"{\"dev\":\"wan0\",\"direction\":\"egress\",\"kind\":\"filter\",\"handle\":null,"
		"\"handle.text\":\"wan0 filter 30\",\"parent\":\"1:\",\"name\":null,"
		"\"qdisc\":null,\"options\":{\"priority\":30,\"match\":\"from: 10.0.9.0/24\","
		"\"action\":\"[{police: {rate: 20000000bit, burst: 65536b, color-aware: false, "
		"conform: pass, exceed: drop, violate: drop}}, {class: \\\"1:10\\\"}]\","
		"\"class\":\"1:10\"},\"options.text\":\"from: 10.0.9.0/24 -> [{police: {rate: "
		"20000000bit, burst: 65536b, color-aware: false, conform: pass, exceed: drop, "
		"violate: drop}}, {class: \\\"1:10\\\"}]\",\"bytes\":0,\"packets\":0,"
		"\"drops\":null,\"overlimits\":null,\"backlog\":null,\"qlen\":null,\"rate\":null,"
		"\"ecn_marked\":null,\"sojourn_us\":null,\"xstats\":{\"police\":[{\"name\":"
		"\"qos.wan0.out.1:0.30#1\",\"conform\":{\"packets\":0,\"bytes\":0},\"exceed\":"
		"{\"packets\":0,\"bytes\":0},\"violate\":{\"packets\":0,\"bytes\":0}}]},"
		"\"line\":18}");
	free(text);
	ask_end(&a);
}

/* Each thing under what it hangs on, filters behind. */
static void test_tree(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	ask_all(&a, &router, "show qos dev wan0");
	assert_int_equal(a.end, 0);
	text = lines(&a, "handle.text");
	assert_string_equal(text, "wan0 htb 1:\n"
				  "  1:1 all\n"
				  "    1:10 voice\n"
				  "      fq_codel 10:\n"
				  "    1:30 bulk\n"
				  "      prio 30:\n"
				  "        30:1\n"
				  "        30:2\n"
				  "          pfifo 32:\n"
				  "        30:3\n"
				  "wan0 filter 10\n"
				  "wan0 filter 20\n"
				  "wan0 filter 30\n"
				  "wan0 filter 40\n"
				  "wan0 filter 40\n"
				  "wan0 filter 50\n");
	free(text);
	ask_end(&a);
	ask_all(&a, &router, "show qos dev lan0");
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 0);
	ask_end(&a);
	ask_all(&a, &router, "show qos dev wan7");
	assert_int_equal(a.end, 1);
	assert_string_equal(a.error, "there is no port \"wan7\"");
	ask_end(&a);
}

/* A mirror stands before the filters of its place. */
static void test_border_tree(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	ask_all(&a, &router, "show qos");
	assert_int_equal(a.end, 0);
	text = lines(&a, "handle.text");
	assert_string_equal(text, "wan0 pfifo 1:\n"
				  "wan0 ifb htb 2:\n"
				  "  2:1 down\n"
				  "wan0 ids\n"
				  "wan0 filter 5\n"
				  "wan0 filter 6\n"
				  "wan0 filter 7\n"
				  "wan0 filter 8\n"
				  "wan0 filter 9\n"
				  "wan0 filter 9\n"
				  "wan0 filter 49152\n");
	free(text);
	assert_string_equal(string(json_array_get(a.rows, 3), "name"), "ids");
	assert_string_equal(string(json_array_get(a.rows, 4), "parent"), "ingress");
	assert_string_equal(string(json_array_get(a.rows, 4), "direction"), "ingress");
	ask_end(&a);
}

static void test_figures(void **state)
{
	const json_t *row;
	struct ask a;

	(void)state;
	qos_rate_look(&router, NSEC_PER_SEC);
	some_traffic();
	qos_rate_look(&router, 3 * NSEC_PER_SEC);
	ask_all(&a, &router, "show qos");
	row = row_of(&a, "1:");
	assert_int_equal(number(row, "packets"), 1);
	assert_int_equal(number(row, "rate"), 250);
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2 * 1000 + 2 * 500);
	assert_int_equal(number(row, "qlen"), 4);
	row = row_of(&a, "1:10");
	assert_int_equal(number(row, "bytes"), 500);
	assert_int_equal(number(row, "rate"), 250);
	assert_int_equal(number(row, "qlen"), 2);
	/* the bucket that 2 ms is in ends there */
	assert_in_range(number(json_object_get(row, "sojourn_us"), "p50"), 2000, 2600);
	assert_in_range(number(json_object_get(row, "sojourn_us"), "p99"), 2000, 2600);
	row = row_of(&a, "30:2");
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2000);
	assert_int_equal(number(row, "rate"), 0);
	assert_true(json_is_null(json_object_get(row, "sojourn_us")));
	ask_end(&a);
}

/* As an operator reads it. */
static void test_statistics(void **state)
{
	struct ask a;

	(void)state;
	some_traffic();
	ask_all(&a, &router, "show qos -s");
	assert_string_equal(string(row_of(&a, "32:"), "options.text"),
			    "limit 2p\n"
			    "Sent 0 bytes 0 pkt (dropped 3, overlimits 0)\n"
			    "backlog 2000b 2p");
	assert_non_null(strstr(string(row_of(&a, "1:10"), "options.text"),
			       "prio 0 rate 5Mbit ceil 20Mbit burst 1600b cburst 2500b\n"
			       "Sent 500 bytes 1 pkt (dropped 0, overlimits 0)\n"
			       "backlog 1000b 2p\n"
			       "stayed p50 2."));
	assert_non_null(
		strstr(string(json_array_get(a.rows, 12), "options.text"),
		       "\nmatched 0 bytes 0 pkt\n"
		       "police qos.wan0.out.1:0.30#1: conform 0 bytes 0 pkt exceed 0 bytes 0 "
		       "pkt violate 0 bytes 0 pkt"));
	ask_end(&a);
}

static void test_reload(void **state)
{
	(void)state;
	reload_under("show qos", "handle.text", 800);
}

static void test_tree_goes(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "show qos");
	assert_true(ask_step(&a));
	router.qos.tree[0][QOS_EGRESS] = (struct qos_tree){ 0 };
	router.qos.published = NULL;
	while (ask_step(&a))
		;
	assert_int_equal(a.end, 0);
	assert_in_range(json_array_size(a.rows), 64, 128);
	ask_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_json),	   TEST(test_tree),	  TEST_BORDER(test_border_tree),
		TEST(test_figures),	   TEST(test_statistics), TEST_MANY(test_reload),
		TEST_MANY(test_tree_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
