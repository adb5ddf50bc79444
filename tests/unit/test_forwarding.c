// SPDX-License-Identifier: GPL-2.0-or-later
/* Interfaces that Linux is to forward from: in a network namespace of the test's own. What was
 * before comes back, also by another process than the one that changed it. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/ctl/forwarding.h"

static char path[] = "/tmp/forwarding-XXXXXX";
static char why[FORWARDING_WHY];

static int sh(const char *command)
{
	return system(command);
}

static struct forwarding *open_it(void)
{
	struct forwarding *f;

	assert_int_equal(forwarding_create(path, &f), 0);
	return f;
}

static void assert_forwards(const char *netdev, int v4, int v6)
{
	assert_int_equal(forwarding_setting("ipv4/conf/%s/forwarding", netdev), v4);
	if (forwarding_setting("ipv6/conf/%s/force_forwarding", netdev) >= 0)
		assert_int_equal(forwarding_setting("ipv6/conf/%s/force_forwarding", netdev), v6);
}

static void turn_on(struct forwarding *f, const char *netdev)
{
	int err = forwarding_on(f, netdev, why);

	if (err && err != -ENOTSUP)
		fail_msg("%s", why);
}

static bool is_one(void *arg, const char *netdev)
{
	(void)arg;
	return !strcmp(netdev, "one");
}

static void test_on_and_off(void **state)
{
	struct forwarding *f = open_it();

	(void)state;
	assert_forwards("one", 0, 0);
	turn_on(f, "one");
	turn_on(f, "one");
	assert_forwards("one", 1, 1);
	assert_forwards("two.3", 0, 0);
	turn_on(f, "two.3");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(forwarding_sweep(f, is_one, NULL), 1);
	assert_forwards("one", 1, 1);
	assert_forwards("two.3", 0, 0);
	forwarding_off(f, "one");
	forwarding_off(f, "one");
	assert_forwards("one", 0, 0);
	assert_int_equal(access(path, F_OK), -1);
	forwarding_destroy(f);
}

/* Killed: the next process finds it on, and knows that it was off. */
static void test_next_process(void **state)
{
	struct forwarding *f = open_it();

	(void)state;
	turn_on(f, "one");
	forwarding_destroy(f);
	f = open_it();
	turn_on(f, "one");
	assert_forwards("one", 1, 1);
	forwarding_destroy(f);
	f = open_it();
	assert_int_equal(forwarding_sweep(f, NULL, NULL), 1);
	assert_forwards("one", 0, 0);
	assert_int_equal(access(path, F_OK), -1);
	forwarding_destroy(f);
}

/* What the operator has set is left alone. */
static void test_operators(void **state)
{
	struct forwarding *f = open_it();

	(void)state;
	assert_int_equal(sh("echo 1 > /proc/sys/net/ipv4/conf/one/forwarding"), 0);
	assert_int_equal(sh("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"), 0);
	turn_on(f, "one");
	assert_int_equal(access(path, F_OK), -1);
	forwarding_off(f, "one");
	assert_forwards("one", 1, 0);
	assert_int_equal(sh("echo 0 > /proc/sys/net/ipv4/conf/one/forwarding"), 0);
	assert_int_equal(sh("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding"), 0);
	forwarding_destroy(f);
}

static void test_refused(void **state)
{
	struct forwarding *f = open_it();

	(void)state;
	assert_int_equal(forwarding_on(f, "nowhere", why), -ENOENT);
	assert_non_null(strstr(why, "net.ipv4.conf.nowhere.forwarding"));
	forwarding_off(f, "nowhere");
	forwarding_destroy(f);
	assert_int_equal(forwarding_create("/nonexistent/file", &f), 0);
	assert_true(forwarding_on(f, "one", why) < 0); /* could not be remembered */
	assert_forwards("one", 0, 0);
	forwarding_destroy(f);
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		bool good;
		int was[2];
	} lines[] = {
		{ "lan0 0 0\n", true, { 0, 0 } },
		{ "lan0.20 0 -1\n", true, { 0, -1 } },
		{ "eth0 -1 2", true, { -1, 2 } },
		{ "", false, { 0 } },
		{ "lan0\n", false, { 0 } },
		{ "lan0 0\n", false, { 0 } },
		{ "lan0 0 x\n", false, { 0 } },
		{ "../../x 0 0\n", false, { 0 } },
		{ "lan0 0 0 0\n", false, { 0 } },
		{ "lan0 -2 0\n", false, { 0 } },
		{ "0123456789abcdef 0 0\n", false, { 0 } },
	};
	char netdev[IFNAMSIZ];
	int was[2];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		bool good = forwarding_parse(lines[i].line, netdev, was);

		if (good != lines[i].good)
			fail_msg("\"%s\"", lines[i].line);
		if (good)
			assert_memory_equal(was, lines[i].was, sizeof(was));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_and_off), cmocka_unit_test(test_next_process),
		cmocka_unit_test(test_operators),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lines),
	};
	int fd, failed;

	if (unshare(CLONE_NEWNET) || sh("ip link add one type veth peer name two.3")) {
		fprintf(stderr, "no network namespaces here\n");
		return 77;
	}
	fd = mkstemp(path);
	close(fd);
	unlink(path);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
