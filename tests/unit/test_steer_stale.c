// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Heartbeats, by BPF_PROG_RUN: a queue that nobody looks after is Linux's where Linux is to stand
 * in, and nowhere else; each queue and each port by itself; and back with the next beat.
 */
#include "router/lib/clock.h"
#include "tests/unit/steer_run.h"

#define OTHER_PLACE 1

static struct frame foreign(void)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 1), .protocol = 6 };

	return frame4(NULL, &ip);
}

static void beat_ago(unsigned place, unsigned queue, int64_t ms)
{
	uint64_t *beat = steer_beats(s, place);

	assert_non_null(beat);
	beat[queue] = clock_now() - (uint64_t)(ms * (int64_t)NSEC_PER_MSEC);
}

static void test_stale(void **state)
{
	(void)state;
	assert_int_equal(steer_port_fail_pass(p, true), 0);
	expect("never", foreign(), STEER_PASS_STALE);
	beat_ago(0, 0, 50);
	expect("50 ms ago", foreign(), STEER_SOCKET);
	beat_ago(0, 0, 101);
	expect("101 ms ago", foreign(), STEER_PASS_STALE);
	beat_ago(0, 0, 3600 * 1000);
	expect("an hour ago", foreign(), STEER_PASS_STALE);
	beat_ago(0, 0, 0);
	expect("served again", foreign(), STEER_SOCKET);
}

/* The clock is read on another CPU than the beat was, and maybe before it. */
static void test_beat_is_younger(void **state)
{
	(void)state;
	assert_int_equal(steer_port_fail_pass(p, true), 0);
	beat_ago(0, 0, -20);
	expect("20 ms ahead", foreign(), STEER_SOCKET);
}

static void test_drop_never_looks(void **state)
{
	struct frame f = foreign();

	(void)state;
	beat_ago(0, 0, 3600 * 1000);
	expect("on-failure: drop", foreign(), STEER_SOCKET);
	assert_int_equal(steer_port_fail_pass(p, true), 0);
	beat_ago(0, 0, 3600 * 1000);
	expect("pass", foreign(), STEER_PASS_STALE);
	assert_int_equal(steer_port_fail_pass(p, false), 0);
	expect("drop again", foreign(), STEER_SOCKET);
	assert_int_equal(steer_port_socket(p, 0, -1), 0);
	expect_length("and without a socket", &f, f.len, STEER_NO_SOCKET, XDP_DROP);
}

static void test_each_place_by_itself(void **state)
{
	struct steer_port_config c = {
		.ifindex = 2, .name = "other", .queues = 1, .fail_pass = true, .place = OTHER_PLACE
	};
	struct steer_port *first = p;
	struct frame f = foreign();

	(void)state;
	assert_int_equal(steer_port_fail_pass(p, true), 0);
	memcpy(c.mac, our_mac, 6);
	if (steer_port_create(s, &c, &p, why))
		fail_msg("%s", why);
	beat_ago(0, 0, 1000);
	beat_ago(OTHER_PLACE, 0, 0);
	expect_length("the other one lives", &f, f.len, STEER_NO_SOCKET, XDP_PASS);
	beat_ago(0, 0, 0);
	beat_ago(OTHER_PLACE, 0, 1000);
	expect("the other one does not", foreign(), STEER_PASS_STALE);
	steer_port_destroy(p, true);
	p = first;
	expect("this one does", foreign(), STEER_SOCKET);
}

/* What is Linux's anyway is counted as ever; what is of a cross-connect never becomes Linux's. */
static void test_others_stay(void **state)
{
	struct addr a = v4(192, 0, 2, 1);
	struct frame f = foreign();

	(void)state;
	assert_int_equal(steer_port_fail_pass(p, true), 0);
	beat_ago(0, 0, 1000);
	assert_int_equal(steer_local_add(s, &a), 0);
	expect("a local address", f, STEER_PASS_LOCAL);
	assert_int_equal(steer_local_nat(s, &a, STEER_NAT_ALL), 0);
	expect("NAT's", f, STEER_PASS_STALE);
	assert_int_equal(steer_port_whole(p, true), 0);
	expect("of a port handed over whole", f, STEER_WHOLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_beat_is_younger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop_never_looks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_place_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others_stay, setup, teardown),
	};

	if (cannot_run())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
