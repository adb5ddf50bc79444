/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/apply and apply_rules against Linux, in a network namespace for each test: what the file
 * asks for is there afterwards, and nothing else of ours. Skipped where no namespace may be made.
 */
#include "tests/unit/state_live.h"

#include <sched.h>

#include "router/apply.h"
#include "router/apply_rules.h"
#include "router/router.h"

static struct live live;
static struct router *router;

static void sh(const char *line)
{
	if (system(line))
		fail_msg("failed: %s", line);
}

static struct conf *conf_of(const char *text)
{
	struct conf *c;

	assert_int_equal(conf_load("test", text, stderr, &c), 0);
	return c;
}

static int setup(void **state)
{
	(void)state;
	router = NULL;
	if (unshare(CLONE_NEWNET)) {
		print_message("no network namespace: %s\n", strerror(errno));
		return 0;
	}
	sh("ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; "
	   "ip link set v1 up; ip address add 192.0.2.1/24 dev v0");
	live_create(&live);
	router = calloc(1, sizeof(*router));
	assert_non_null(router);
	router->state = live.state;
	router->nl = live.nl;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!router)
		return 0;
	conf_destroy(router->conf);
	free(router);
	live_destroy(&live);
	return 0;
}

static void configure(const char *text)
{
	if (!router)
		skip();
	conf_destroy(router->conf);
	router->conf = conf_of(text);
}

/* ---- VRFs */

static void a_device_of_the_name_is_not_the_vrf(void **state)
{
	struct conf *old;

	(void)state;
	configure("version: 1\ninterfaces: {v0: {}}\n");
	old = conf_of("version: 1\ninterfaces: {v0: {}}\nvrfs: {v1: {table: 1000}}\n");
	apply_vrfs(router, old);
	sh("ip link show v1 > /dev/null");
	conf_destroy(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_of_the_name_is_not_the_vrf, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
