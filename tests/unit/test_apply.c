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

static void prints(const char *command, const char *expect)
{
	char out[4096];
	FILE *f = popen(command, "r");
	size_t n = fread(out, 1, sizeof(out) - 1, f);

	pclose(f);
	out[n] = '\0';
	assert_string_equal(out, expect);
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

static void another_master_keeps_its_link(void **state)
{
	struct conf *old;

	(void)state;
	configure("version: 1\ninterfaces: {v0: {}}\n");
	if (system("ip link add br0 type bridge && ip link set v0 master br0"))
		skip();
	netlink_catch_up(live.nl);
	old = conf_of("version: 1\ninterfaces: {v0: {vrf: red}}\nvrfs: {red: {table: 1000}}\n");
	apply_vrfs(router, old);
	sh("ip link show v0 | grep -q 'master br0'");
	conf_destroy(old);
}

/* ---- rules */

#define RULES(text) "version: 1\ninterfaces: {v0: {}}\nrouting: {rules: [" text "]}\n"

/* Without priorities and whom they belong to. */
static void linux_has(const char *rules)
{
	prints("ip rule | sed -nE 's/^[0-9]+:.(.*) proto 175 *$/\\1/p'", rules);
}

static void turn_to(const char *text, const char *expect)
{
	configure(text);
	apply_rules(router);
	assert_false(router->rules_wait);
	linux_has(expect);
	apply_rules(router);
	linux_has(expect);
}

/* F19: one that asks for less stands beside those that ask for more, whichever comes first. */
static void a_rule_may_become_wider_and_narrower(void **state)
{
	(void)state;
#define NARROW "{priority: 100, from: 192.0.2.9, family: ipv4, table: 5}"
#define OTHER  "{priority: 100, to: 192.0.2.8, family: ipv4, table: 5}"
#define WIDE   "{priority: 100, family: ipv4, table: 5}"
	turn_to(RULES(NARROW), "from 192.0.2.9 lookup 5\n");
	turn_to(RULES(WIDE), "from all lookup 5\n");
	turn_to(RULES(NARROW), "from 192.0.2.9 lookup 5\n");
	turn_to(RULES(NARROW "," OTHER "," WIDE),
		"from 192.0.2.9 lookup 5\nfrom all to 192.0.2.8 lookup 5\nfrom all lookup 5\n");
	turn_to(RULES(NARROW "," OTHER), /* to delete the wide one is to lose the others first */
		"from 192.0.2.9 lookup 5\nfrom all to 192.0.2.8 lookup 5\n");
	turn_to(RULES(WIDE), "from all lookup 5\n");
	turn_to(RULES(""), "");
}

static void a_rule_may_turn_to_not(void **state)
{
	(void)state;
#define PLAIN  "{priority: 100, from: 192.0.2.9, table: 5}"
#define INVERT "{priority: 100, not: true, from: 192.0.2.9, table: 5}"
	turn_to(RULES(PLAIN), "from 192.0.2.9 lookup 5\n");
	turn_to(RULES(INVERT), "not from 192.0.2.9 lookup 5\n");
	turn_to(RULES(PLAIN), "from 192.0.2.9 lookup 5\n");
	turn_to(RULES(INVERT), "not from 192.0.2.9 lookup 5\n");
}

/* ---- routes */

#define MANY 20000

/* Told apart by table, metric and prefix; IPv6's metric has a default. */
static void routes_of_ours_that_left_the_file_go(void **state)
{
	(void)state;
	configure("version: 1\ninterfaces: {v0: {addresses: [192.0.2.1/24]}}\nrouting: {routes: ["
		  "{to: 198.51.100.0/24, via: 192.0.2.2}, {to: 198.51.101.0/24, via: 192.0.2.2, "
		  "metric: 7},"
		  "{to: '2001:db8:1::/48', type: blackhole}]}\n");
	sh("for r in '198.51.100.0/24 metric 7' '198.51.101.0/24 metric 7' '198.51.102.0/24' "
	   "'198.51.101.0/24 metric 7 table 9' '2001:db8:1::/48' '2001:db8:1::/49'; do "
	   "ip route add blackhole $r proto 175; done; ip route add blackhole 198.51.103.0/24");
	netlink_catch_up(live.nl);
	apply_start(router);
	prints("ip route show table all proto 175 | sed -E 's/ (proto|dev|pref) .*//'",
	       "198.51.100.0/24 via 192.0.2.2\n198.51.101.0/24 via 192.0.2.2\n"
	       "blackhole 2001:db8:1::/48\n");
	sh("ip route show | grep -q 'blackhole 198.51.103.0/24'");
}

/* Many of the file, and many that are there: not each by each. */
static void many_routes_are_compared_soon(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size), *ip;
	uint64_t begun;

	(void)state;
	fputs("version: 1\ninterfaces: {v0: {}}\nrouting: {routes: [", f);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(f, "%s{to: 10.%u.%u.0/24, type: blackhole}", i ? ", " : "", i >> 8,
			i & 0xff);
	fputs("]}\n", f);
	fclose(f);
	configure(text);
	free(text);
	ip = popen("ip -batch -", "w");
	for (unsigned i = 0; i < MANY; i++)
		fprintf(ip, "route add blackhole 10.%u.%u.0/24 proto 175\n", i >> 8, i & 0xff);
	assert_int_equal(pclose(ip), 0);
	for (unsigned i = 0; i < 100 && !netlink_catch_up(live.nl); i++)
		live_run(&live, 50);
	begun = clock_now();
	apply_start(router);
	assert_true(clock_now() - begun < 5 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_of_the_name_is_not_the_vrf, setup,
						teardown),
		cmocka_unit_test_setup_teardown(another_master_keeps_its_link, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rule_may_become_wider_and_narrower, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_rule_may_turn_to_not, setup, teardown),
		cmocka_unit_test_setup_teardown(routes_of_ours_that_left_the_file_go, setup,
						teardown),
		cmocka_unit_test_setup_teardown(many_routes_are_compared_soon, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
