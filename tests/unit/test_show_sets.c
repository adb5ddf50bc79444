/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show sets, set add and set del. */
#include "tests/unit/set_util.h"
/* after cmocka.h, which set_util.h includes */
#include "router/router.h"
#include "tests/unit/ask.h"

static struct router router;
static struct stateful shared;
static struct lab lab;

static int set_up(void **state)
{
	(void)state;
	lab_init(&lab);
	lab_set(&lab, "banned", 1, (enum conf_field[]){ CONF_FIELD_ADDRESS })->timeout_s = 600;
	lab_set(&lab, "web", 1, (enum conf_field[]){ CONF_FIELD_PORT });
	lab_element(&lab, &lab.set[1], "80", 0);
	lab_follow(&lab, "web");
	shared.sets = lab.sets;
	router.st = &shared;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini(&lab);
	return 0;
}

static void assert_rows(const char *words, const char *want)
{
	struct ask a;
	char *text;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	text = json_dumps(a.rows, JSON_COMPACT);
	assert_string_equal(text, want);
	free(text);
	ask_end(&a);
}

static void assert_said(const char *words, const char *message)
{
	struct ask a;

	ask_all(&a, &router, words);
	assert_string_equal(a.message, message);
	assert_int_equal(a.end, 0);
	ask_end(&a);
}

static void assert_refused(const char *words, const char *error)
{
	struct ask a;

	ask_all(&a, &router, words);
	assert_string_equal(a.error, error);
	assert_int_equal(a.end, 1);
	ask_end(&a);
}

static void test_none(void **state)
{
	(void)state;
	router.st = NULL;
	assert_rows("show sets", "[]");
	assert_refused("show sets web", "no sets are configured");
	assert_refused("set add web 80", "no sets are configured");
	assert_refused("set del web 80", "no sets are configured");
	shared.sets = NULL;
	router.st = &shared;
	assert_rows("show sets", "[]");
	assert_refused("show sets web", "no sets are configured");
}

static void test_show(void **state)
{
	(void)state;
	assert_rows("show sets", "[{\"name\":\"banned\",\"type\":\"address\",\"elements\":0,"
				 "\"size\":1000,\"timeout\":600,\"refused\":0},"
				 "{\"name\":\"web\",\"type\":\"port\",\"elements\":1,"
				 "\"size\":1000,\"timeout\":null,\"refused\":0}]");
	assert_rows("show sets web", "[{\"element\":\"80\",\"timeout\":null,\"dynamic\":false}]");
	assert_refused("show sets wbe", "no set is called \"wbe\"");
}

static void test_change(void **state)
{
	(void)state;
	assert_said("set add banned 10.0.0.1", "10.0.0.1 is in banned");
	assert_said("set add banned 2001:db8::1 timeout 1h30m", "2001:db8::1 is in banned");
	assert_said("set add web 8080-8088", "8080-8088 is in web");
	assert_rows("show sets banned",
		    "[{\"element\":\"10.0.0.1\",\"timeout\":600,\"dynamic\":true},"
		    "{\"element\":\"2001:db8::1\",\"timeout\":5400,\"dynamic\":true}]");
	assert_said("set del banned 10.0.0.1", "10.0.0.1 is no longer in banned");
	assert_refused("set del banned 10.0.0.1", "banned has no element 10.0.0.1");
	assert_refused("set add banned 10.0.0", "\"10.0.0\" is no address");
	assert_refused("set add banned 10.0.0.1 timeout 10",
		       "\"10\" is no time like 90s, 10m or 2h30m");
	assert_refused("set add banned 10.0.0.1 timeout 0s",
		       "\"0s\" is no time like 90s, 10m or 2h30m");
	assert_refused("set add banned 10.0.0.1 timeout 99999999d",
		       "\"99999999d\" is no time like 90s, 10m or 2h30m");
	assert_refused("set add nobody 10.0.0.1", "no set is called \"nobody\"");
}

static void test_only_for_admins(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, false, "set add banned 10.0.0.1");
	assert_int_not_equal(a.end, 0);
	ask_end(&a);
	assert_rows("show sets banned", "[]");
}

/* Elements come and go while a client reads: what stays is told once. */
static void test_many(void **state)
{
	struct set *s = sets_find(lab.sets, "banned");
	unsigned steps = 1;
	struct ask a;
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		add(&lab, s, text, 0, clock_now());
	}
	ask_begin(&a, &router, false, "show sets banned");
	while (ask_step(&a)) {
		snprintf(text, sizeof(text), "10.0.3.%u", steps++);
		assert_int_equal(set_del_text(s, text, lab.why, sizeof(lab.why)), 0);
		snprintf(text, sizeof(text), "10.0.4.%u", steps);
		add(&lab, s, text, 0, clock_now());
	}
	assert_in_range(json_array_size(a.rows), 980, 1020);
	assert_in_range(steps, 1000 / 64, 20);
	ask_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_show, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_for_admins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
