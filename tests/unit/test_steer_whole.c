// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A port that is handed over whole, by BPF_PROG_RUN: whatever is on the wire gets one verdict, at
 * every length; the flag comes and goes under frames, and means nothing to other ports. On a
 * device: test_steer_traffic.c.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/steer_run.h"

static const uint8_t all_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t lldp_mac[6] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e };
static const uint8_t other_mac[6] = { 0x52, 0x54, 0, 0xaa, 0, 2 };

static const unsigned foreign_vid[] = { 0x8100, TEST_VID + 1, 0 };
static const unsigned three_tags[] = { 0x88a8, 7, 0x8100, TEST_VID, 0x8100, 9, 0 };

/* Each kind of frame, and what becomes of it on a port that is not whole. */
static unsigned frames_of_all_kinds(struct frame *f, enum steer_verdict *plain)
{
	const struct ip4_spec forwarded = { .dst = v4(192, 0, 2, 1), .protocol = 6 };
	const struct ip4_spec local = { .dst = v4(10, 0, 0, 1), .protocol = 6 };
	const struct ip4_spec multicast = { .dst = v4(224, 0, 0, 5), .protocol = 89 };
	const struct ip4_spec dhcp = {
		.dst = v4(192, 0, 2, 7), .protocol = 17, .sport = 67, .dport = 68
	};
	const struct {
		struct frame f;
		enum steer_verdict plain;
	} kinds[] = {
		{ frame4(NULL, &forwarded), STEER_SOCKET },
		{ frame6(NULL, v6(0x2001, 2)), STEER_SOCKET },
		{ frame4(NULL, &local), STEER_PASS_LOCAL },
		{ frame4(NULL, &multicast), STEER_PASS_MULTICAST },
		{ frame4(NULL, &dhcp), STEER_PASS_DHCP },
		{ frame6(NULL, v6(0xff02, 1)), STEER_PASS_MULTICAST },
		{ frame_other(all_mac, NULL, 0x0806), STEER_PASS_MULTICAST },
		{ frame_other(our_mac, NULL, 0x0806), STEER_PASS_ETHERTYPE },
		{ frame_other(lldp_mac, NULL, 0x88cc), STEER_PASS_MULTICAST },
		{ frame_other(our_mac, NULL, 46), STEER_PASS_ETHERTYPE },
		{ frame_other(other_mac, NULL, 0x0800), STEER_PASS_OTHER_MAC },
		{ frame4(foreign_vid, &forwarded), STEER_PASS_VLAN },
		{ frame4(three_tags, &forwarded), STEER_PASS_VLAN },
	};
	unsigned n = sizeof(kinds) / sizeof(kinds[0]);

	for (unsigned i = 0; i < n; i++) {
		f[i] = kinds[i].f;
		plain[i] = kinds[i].plain;
	}
	return n;
}

static void add_local(void)
{
	struct addr a = v4(10, 0, 0, 1);

	assert_int_equal(steer_local_add(s, &a), 0);
}

static void test_every_frame(void **state)
{
	enum steer_verdict plain[16];
	struct frame f[16];
	unsigned n = frames_of_all_kinds(f, plain);

	(void)state;
	add_local();
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < n; i++)
			expect("not whole", f[i], plain[i]);
		assert_int_equal(steer_port_whole(p, true), 0);
		assert_int_equal(steer_port_whole(p, true), 0); /* again */
		for (unsigned i = 0; i < n; i++)
			expect_cut("whole", f[i], STEER_WHOLE, ETH, ETH);
		assert_int_equal(steer_port_whole(p, false), 0);
		assert_int_equal(steer_port_whole(p, false), 0);
	}
}

static void test_fallback(void **state)
{
	struct frame f = frame_other(all_mac, NULL, 0x0806);

	(void)state;
	assert_int_equal(steer_port_whole(p, true), 0);
	assert_int_equal(steer_port_socket(p, 0, -1), 0);
	expect_length("no socket: drop", &f, f.len, STEER_NO_SOCKET, XDP_DROP);
	assert_int_equal(steer_port_socket(p, 0, xsk), 0);
	expect("socket again", f, STEER_WHOLE);

	steer_port_destroy(p, true);
	create_port(1, true);
	expect("a new port is not whole", f, STEER_PASS_MULTICAST);
	assert_int_equal(steer_port_whole(p, true), 0);
	expect_length("no socket: never Linux's", &f, f.len, STEER_NO_SOCKET, XDP_DROP);
}

static void test_other_ports_are_not(void **state)
{
	struct frame f = frame_other(all_mac, NULL, 0x0806);
	struct steer_port *whole = p;

	(void)state;
	assert_int_equal(steer_port_whole(p, true), 0);
	create_port(1, false);
	expect("another port", f, STEER_PASS_MULTICAST);
	steer_port_destroy(p, true);
	p = whole;
	expect("this one", f, STEER_WHOLE);
}

static void *toggle(void *arg)
{
	for (int i = 0; i < 500; i++)
		if (steer_port_whole(p, !(i & 1)))
			return arg;
	return NULL;
}

/* Under traffic every frame is either the port's or Linux's, and counted once. */
static void test_toggled_under_frames(void **state)
{
	struct frame f = frame_other(all_mac, NULL, 0x0806);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .data_size_in = f.len, .repeat = 20000);
	uint64_t n[STEER__COUNT];
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, toggle, &failed), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(bpf_prog_test_run_opts(steer_port_prog_fd(p), &o), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_WHOLE] + n[STEER_PASS_MULTICAST], 20 * 20000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_frame),
		TEST(test_fallback),
		TEST(test_other_ports_are_not),
		TEST(test_toggled_under_frames),
	};

	/* what becomes promiscuous is the loopback device of nobody else */
	if (unshare(CLONE_NEWNET) || cannot_run())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
