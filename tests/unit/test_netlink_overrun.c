/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/ctl/netlink against the kernel: after an overrun, and after what Linux does silently, the
 * mirror must equal `ip route`. */
#include "tests/unit/netlink_lab.h"

/* Every route of TABLE is in the mirror with its gateway, and nothing else is. */
static void mirror_equals_ip_route(unsigned expect)
{
	char command[64], line[256], dst[64], via[64];
	unsigned found = 0, have = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ip -4 route show table %d", TABLE);
	f = popen(command, "r");
	while (fgets(line, sizeof(line), f)) {
		const struct entry *e;
		struct addr gateway;

		assert_int_equal(sscanf(line, "%63s via %63s", dst, via), 2);
		e = &m.table[prefix(dst).addr.bytes[1] << 8 | prefix(dst).addr.bytes[2]];
		gateway = addr(via);
		if (!e->used || !addr_equal(&e->via, &gateway))
			fail_msg("mirror lacks or differs: %s", line);
		found++;
	}
	pclose(f);
	for (unsigned i = 0; i < 65536; i++)
		have += m.table[i].used;
	assert_int_equal(have, found);
	assert_int_equal(found, expect);
}

static void batch_run(const char *verb, unsigned from, unsigned to, unsigned step, unsigned gateway)
{
	char command[64];
	FILE *f;

	snprintf(command, sizeof(command), "ip -batch -");
	f = popen(command, "w");
	for (unsigned i = from; i < to; i += step)
		fprintf(f, "route %s 10.%u.%u.0/24 via 192.0.2.%u table %d\n", verb, i >> 8,
			i & 255, gateway, TABLE);
	assert_int_equal(pclose(f), 0);
}

static void overrun_is_repaired(void **state)
{
	struct netlink_stats stats;

	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 100, 1, 2);
	mirror_create();
	mirror_equals_ip_route(100);
	assert_int_equal(netlink_rcvbuf(m.nl, 4096), 0);
	batch_run("add", 100, 5000, 1, 2);
	batch_run("del", 0, 5000, 5, 2);
	batch_run("replace", 1, 5000, 5, 3);
	run_until_synced(2);
	mirror_equals_ip_route(4000);
	netlink_stats(m.nl, &stats);
	assert_true(stats.overruns >= 1);
	assert_true(stats.resyncs >= 1);
	assert_int_equal(stats.malformed, 0);
	assert_false(stats.syncing);
	netlink_rcvbuf(m.nl, 1 << 20);
	batch_run("del", 2, 500, 5, 2); /* and events go on */
	run();
	mirror_equals_ip_route(3900);
}

/* Linux sends no event for IPv4 routes that go with their link: asking again is what finds out. */
static void silent_withdrawals_are_found_by_a_resync(void **state)
{
	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 100, 1, 2);
	mirror_create();
	mirror_equals_ip_route(100);
	sh("ip link set v0 down");
	run();
	netlink_resync(m.nl);
	netlink_resync(m.nl); /* asked twice, done once */
	run_until_synced(2);
	mirror_equals_ip_route(0);
	assert_int_equal(m.ends, 2);
}

/* Another process changes the table while it is dumped, over and over. */
static void changes_during_a_resync(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 20000, 1, 2);
	mirror_create();
	mirror_equals_ip_route(20000);
	pid = fork();
	if (pid == 0) {
		batch_run("replace", 0, 20000, 3, 3);
		batch_run("del", 1, 20000, 3, 2);
		batch_run("add", 20000, 25000, 1, 4);
		batch_run("del", 20000, 25000, 2, 4);
		_exit(0);
	}
	for (unsigned ends = 2; waitpid(pid, &status, WNOHANG) == 0; ends++) {
		netlink_resync(m.nl);
		run_until_synced(ends);
	}
	run_until_synced(m.ends);
	run();
	mirror_equals_ip_route(20000 - 6667 + 5000 - 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(overrun_is_repaired, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(silent_withdrawals_are_found_by_a_resync,
						namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(changes_during_a_resync, namespace_new,
						namespace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
