/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * set add and set del of a set that rules at input look at, too: it is one of the daemon's and one
 * of nftables', in a network namespace of the test's own. (Commands without that: test_show_sets.c;
 * words of elements: test_nft_live.c.)
 */
#include <sched.h>
#include <stdlib.h>

#include "tests/unit/conf_util.h"
/* after cmocka.h, which conf_util.h includes */
#include "router/lib/clock.h"
#include "router/net/set.h"
#include "router/router.h"
#include "tests/unit/ask.h"
/* its `why` is for us, not for headers */
#include "tests/unit/nft_lab.h"

static const char rules[] = "  t: {hook: input, rules: [{from: \"@few\", action: drop},\n"
			    "      {from: \"@nets\", action: drop},\n"
			    "      {proto: 99, action: {add-to: few}}]}\n"
			    "sets:\n"
			    "  few: {type: address, size: 2, timeout: 10m}\n"
			    "  nets: {type: prefix}\n"
			    "  apart: {type: address}\n";

static struct router router;
static struct stateful shared;
static struct conf *conf;
static bool may_nft;

static int set_up(void **state)
{
	char text[1024];

	(void)state;
	may_nft = unshare(CLONE_NEWNET) == 0 &&
		  system("nft add table inet probe && nft delete table inet probe") == 0;
	snprintf(text, sizeof(text), "version: 1\ninterfaces: {lan0: {}}\nfilter:\n%s", rules);
	conf = load_good("router.yaml", text);
	assert_int_equal(sets_create(&router.names, &shared.sets), 0);
	assert_int_equal(sets_follow(shared.sets, conf, why, sizeof(why)), 0);
	router.st = &shared;
	router.nft = nft_new("");
	if (may_nft && nft_apply(router.nft, conf, why, sizeof(why)))
		fail_msg("%s", why);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nft_destroy(router.nft);
	sets_destroy(shared.sets);
	names_fini(&router.names);
	conf_destroy(conf);
	return 0;
}

static bool in_linux(const char *element)
{
	char line[128];

	snprintf(line, sizeof(line), "nft list ruleset | grep -q -- '%s'", element);
	return system(line) == 0;
}

static bool in_daemon(const char *set, const char *element)
{
	return !set_find_text(sets_find(shared.sets, set), element, clock_now(), why, sizeof(why));
}

/* The message, or the error. Valid until the next call. */
static const char *say(const char *words)
{
	static struct ask a;

	ask_all(&a, &router, words);
	ask_end(&a);
	return a.error[0] ? a.error : a.message;
}

static void need_nft(void)
{
	if (!may_nft) {
		print_message("no network namespace with nftables\n");
		skip();
	}
}

static void test_both(void **state)
{
	(void)state;
	need_nft();
	assert_string_equal(say("set add few 10.0.0.1 timeout 90s"), "10.0.0.1 is in few");
	assert_true(in_linux("10.0.0.1 timeout 1m30s") && in_daemon("few", "10.0.0.1"));
	assert_string_equal(say("set add nets 2001:db8::/32"), "2001:db8::/32 is in nets");
	assert_true(in_linux("2001:db8::/32") && in_daemon("nets", "2001:db8::/32"));
	assert_string_equal(say("set del few 10.0.0.1"), "10.0.0.1 is no longer in few");
	assert_false(in_linux("10.0.0.1") || in_daemon("few", "10.0.0.1"));
	assert_string_equal(say("set del few 10.0.0.1"), "few has no element 10.0.0.1");
	assert_string_equal(say("set add few 10.0.0"), "\"10.0.0\" is no address");
	assert_string_equal(say("set del few 10.0.0"), "\"10.0.0\" is no address");
	assert_string_equal(say("set add apart 10.0.0.7"), "10.0.0.7 is in apart");
	assert_false(in_linux("10.0.0.7"));
}

/* A rule at input has added to Linux's set, a rule at forward to the daemon's. */
static void test_one_side(void **state)
{
	struct set *few = sets_find(shared.sets, "few");

	(void)state;
	need_nft();
	assert_int_equal(system("nft add element inet router set-few-ipv4 { 10.0.0.1 }"), 0);
	assert_string_equal(say("set del few 10.0.0.1"), "10.0.0.1 is no longer in few");
	assert_false(in_linux("10.0.0.1"));
	assert_int_equal(set_add_text(few, "10.0.0.2", 0, clock_now(), why, sizeof(why)), 0);
	assert_string_equal(say("set del few 10.0.0.2"), "10.0.0.2 is no longer in few");
	assert_false(in_daemon("few", "10.0.0.2"));
}

/* Prefixes that overlap are one element in nftables. */
static void test_ranges(void **state)
{
	(void)state;
	need_nft();
	say("set add nets 10.0.0.0/8");
	say("set add nets 10.0.0.0/9");
	say("set add nets 2001:db8::/32");
	assert_string_equal(say("set del nets 10.0.0.0/10"), "nets has no element 10.0.0.0/10");
	assert_true(in_linux("10.0.0.0/8"));
	assert_string_equal(say("set del nets 10.0.0.0/8"), "10.0.0.0/8 is no longer in nets");
	assert_true(in_linux("10.0.0.0/9") && in_linux("2001:db8::/32"));
	assert_string_equal(say("set del nets 10.0.0.0/9"), "10.0.0.0/9 is no longer in nets");
	assert_false(in_linux("10.0.0.0"));
	assert_non_null(strstr(say("set add nets 10.0.0.0/8 timeout 1h"), "has ranges"));
	assert_false(in_daemon("nets", "10.0.0.0/8"));
}

/* What one side does not take, the other does not have. */
static void test_refused(void **state)
{
	(void)state;
	need_nft();
	assert_int_equal(system("nft add element inet router set-few-ipv4 { 10.1.0.1, 10.1.0.2 }"),
			 0);
	assert_string_equal(say("set add few 10.0.0.1"), "set \"few\" of nftables: it is full");
	assert_false(in_linux("10.0.0.1") || in_daemon("few", "10.0.0.1"));

	assert_string_equal(say("set add nets 10.0.0.0/8"), "10.0.0.0/8 is in nets");
	assert_int_equal(system("nft delete table inet router"), 0);
	assert_non_null(strstr(say("set add nets 10.0.0.0/8"), "No such file"));
	assert_true(in_daemon("nets", "10.0.0.0/8")); /* it was there before */
	assert_non_null(strstr(say("set add nets 11.0.0.0/8"), "No such file"));
	assert_false(in_daemon("nets", "11.0.0.0/8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_side, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
