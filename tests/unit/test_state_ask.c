/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many neighbours Linux is asked for at a time, and what is left behind in its table. A live
 * kernel, where nobody answers. Requirements G25, F13; RFC 6583.
 */
#include <sched.h>
#include <unistd.h>

#include "tests/unit/state_live.h"

#define LINKS 3

static struct live v;

/* The link of interface i; 10.i.0.0/16 is on it. */
static struct link *link_of(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "p%u", i);
	return state_link_named(v.state, name);
}

static void sh(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static struct addr host(unsigned i, unsigned n)
{
	return addr_v4(htonl(10u << 24 | i << 16 | (n + 256)));
}

static void want(unsigned i, unsigned n, bool sure)
{
	struct dp_message m = { .iface = link_of(i)->iface, .sure = sure, .addr = host(i, n) };

	state_resolve(v.state, &m);
}

/* Entries of Linux's table: incomplete ones, failed ones, or all. */
static unsigned entries(const char *which)
{
	char command[128];
	unsigned n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ip -4 neigh show nud all | grep -c '%s'", which);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

static int setup(void **state)
{
	char command[256];

	(void)state;
	if (unshare(CLONE_NEWNET))
		return 0; /* v.nl stays NULL: skipped */
	for (unsigned i = 0; i < LINKS; i++) {
		snprintf(command, sizeof(command),
			 "ip link add p%u type veth peer name q%u && ip link set q%u up &&"
			 "ip link set p%u up && ip addr add 10.%u.0.1/16 dev p%u",
			 i, i, i, i, i, i);
		sh(command);
	}
	live_create(&v);
	for (unsigned i = 0; i < LINKS; i++)
		state_port(v.state, link_of(i), (uint16_t)i);
	live_run(&v, 300); /* the dump about their neighbours ends */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (v.nl)
		live_destroy(&v);
	return 0;
}

/* A scan of one link has at most half; another link, and who is sure, find room. */
static void a_scan_has_its_limit(void **state)
{
	unsigned first, second;

	(void)state;
	if (!v.nl)
		skip();
	for (unsigned n = 0; n < 5000; n++)
		want(0, n, false);
	first = v.state->asking;
	assert_in_range(first, 100, 200);
	assert_in_range(entries("INCOMPLETE"), first - 5, first + 5);
	for (unsigned n = 0; n < 5000; n++) /* again: it is not asked twice */
		want(0, n, false);
	assert_int_equal(v.state->asking, first);
	for (unsigned n = 0; n < 5000; n++)
		want(1, n, false);
	second = v.state->asking - first;
	assert_in_range(second, 50, 150);
	want(2, 1, false);
	assert_int_equal(v.state->asking, first + second + 1);
	want(0, 20000, true);
	assert_int_equal(v.state->asking, first + second + 2);
	assert_true(v.state->adjs.count < 400);
}

/* Those that Linux gives up on leave its table, and ours; then there is room again. */
static void what_failed_is_forgotten(void **state)
{
	(void)state;
	if (!v.nl)
		skip();
	live_run(&v, 4500);
	assert_int_equal(v.state->asking, 0);
	assert_in_range(entries("FAILED"), FAILED_KEPT / 2, FAILED_KEPT + 10);
	assert_int_equal(entries("INCOMPLETE"), 0);
	assert_true(v.state->adjs.count < 2 * FAILED_KEPT);
	want(0, 30000, false);
	assert_int_equal(v.state->asking, 1);
}

/* An answer makes room at once, and a host that goes is remembered. */
static void an_answer_makes_room(void **state)
{
	struct addr a = host(1, 30001);
	uint16_t iface;

	(void)state;
	if (!v.nl)
		skip();
	iface = link_of(1)->iface;
	want(1, 30001, false);
	assert_int_equal(v.state->asking, 2);
	assert_false(neigh_was_known(&v.state->nht, iface, &a));
	sh("ip neigh replace 10.1.118.49 lladdr 02:00:00:00:00:09 dev p1 nud reachable");
	live_run(&v, 200);
	assert_int_equal(v.state->asking, 1);
	sh("ip neigh del 10.1.118.49 dev p1");
	live_run(&v, 200);
	assert_true(neigh_was_known(&v.state->nht, iface, &a));
	sh("ip neigh flush dev p0");
	live_run(&v, 200);
	assert_int_equal(v.state->asking, 0);
}

/* What Linux never speaks of again does not take room for ever. */
static void silence_ends(void **state)
{
	(void)state;
	if (!v.nl)
		skip();
	want(2, 40000, false);
	assert_int_equal(v.state->asking, 1);
	for (uint32_t b = 0, i = 0; i < 1; i++)
		for (struct table_node *n = table_walk(&v.state->adjs, &b, NULL); n;
		     n = table_walk(&v.state->adjs, &b, n))
			table_entry(n, struct adj, node)->asked_at -= 10 * NSEC_PER_SEC;
	state_neighbours_upkeep(v.state);
	assert_int_equal(v.state->asking, 0);
	state_port(v.state, link_of(2), IFACE_NONE);
}

/* An interface goes while it is asked on. */
static void the_interface_goes(void **state)
{
	(void)state;
	if (!v.nl)
		skip();
	live_run(&v, 300);
	for (unsigned n = 0; n < 20; n++)
		want(1, 50000 + n, false);
	assert_int_equal(v.state->asking, 20);
	state_port(v.state, link_of(1), IFACE_NONE);
	assert_int_equal(v.state->asking, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_has_its_limit), cmocka_unit_test(what_failed_is_forgotten),
		cmocka_unit_test(an_answer_makes_room), cmocka_unit_test(silence_ends),
		cmocka_unit_test(the_interface_goes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
