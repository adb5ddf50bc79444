// SPDX-License-Identifier: GPL-2.0-or-later
/* monitor qos: what moved in an interval, and only that. */
#include "tests/unit/show_qos.h"

static void wait_for_rows(struct ask *a, size_t n)
{
	for (unsigned i = 0; json_array_size(a->rows) < n; i++) {
		assert_true(i < 100);
		usleep(20000);
		ask_step(a);
	}
}

static void test_monitor(void **state)
{
	const json_t *row;
	struct ask a;

	(void)state;
	lab_send(&lab, 100, 1, CONF_HANDLE(1, 0x10)); /* before: not told */
	assert_non_null(lab_take(&lab));
	ask_begin(&a, &router, true, "monitor qos dev wan0 --interval 0.1");
	ask_step(&a);
	assert_int_equal(json_array_size(a.rows), 0);
	some_traffic();
	wait_for_rows(&a, 5); /* voice, bulk, band, root ... and all */
	row = row_of(&a, "1:10");
	assert_string_equal(string(row, "event"), "class");
	assert_string_equal(string(row, "name"), "voice");
	assert_int_equal(number(row, "packets"), 1);
	assert_int_equal(number(row, "bytes"), 500);
	assert_int_equal(number(row, "qlen"), 2);
	assert_in_range(number(row, "p99_us"), 2000, 2600);
	assert_in_range(number(row, "took_ms"), 90, 2000);
	assert_ptr_equal(strstr(string(row, "event.text"), "wan0 1:10 voice rate "),
			 string(row, "event.text"));
	row = row_of(&a, "30:2");
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2000);
	assert_true(json_is_null(json_object_get(row, "p99_us")));
	row = row_of(&a, "1:");
	assert_string_equal(string(row, "event"), "qdisc");
	assert_int_equal(number(row, "drops"), 3);
	ask_stop(&a);
	assert_int_equal(a.end, 0);
	assert_string_equal(a.message, "0 events lost");
	ask_end(&a);
}

/* Another interval, another p99: what went before is not in it. */
static void test_monitor_interval(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "monitor qos --interval 0.1");
	ask_step(&a);
	some_traffic();
	wait_for_rows(&a, 5);
	json_array_clear(a.rows);
	lab_at(&lab, lab.now + 20 * NSEC_PER_MSEC);
	assert_non_null(lab_take(&lab));
	wait_for_rows(&a, 3);
	assert_int_equal(number(row_of(&a, "1:10"), "packets"), 1);
	assert_in_range(number(row_of(&a, "1:10"), "p99_us"), 22000, 28000);
	ask_end(&a);
}

static void test_monitor_refusals(void **state)
{
	static const char *const bad[] = { "0", "0.05", "x", "1s", "-1", "nan", "100000" };
	char words[64];
	struct ask a;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(words, sizeof(words), "monitor qos --interval %s", bad[i]);
		ask_all(&a, &router, words);
		assert_int_equal(a.end, 1);
		assert_non_null(strstr(a.error, "is not from 0.1 to 86400 seconds"));
		ask_end(&a);
	}
	ask_all(&a, &router, "monitor qos dev wan7");
	assert_int_equal(a.end, 1);
	ask_end(&a);
}

static void test_monitor_reload(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "monitor qos --interval 0.1");
	while (a.peer.state == PEER_RUNNING)
		ask_step(&a);
	shrink();
	lab_send(&lab, 100, 1, CONF_HANDLE(1, 1000));
	assert_non_null(lab_take(&lab));
	wait_for_rows(&a, 2);
	assert_string_equal(string(row_of(&a, "1:3e8"), "name"), "c1000");
	ask_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_monitor),
		TEST(test_monitor_interval),
		TEST(test_monitor_refusals),
		TEST_MANY(test_monitor_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
