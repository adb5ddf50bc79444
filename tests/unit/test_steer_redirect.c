// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redirected ports, by BPF_PROG_RUN: which packets to other hosts the XDP program leaves to Linux,
 * by interface, family, protocol and port. (That the kernel takes the program without CAP_PERFMON:
 * test_steer_nat.c, which loads the same.)
 */
#include "tests/unit/steer_nat_packets.h"
#include "tests/unit/steer_run.h"

#define PORT 53
#define VID2 101

static struct steer_redirects ports; /* too large for a stack */
static const unsigned *tags_now;

static void put_port(enum steer_redirect_plane plane, unsigned port)
{
	ports.bits[plane][port / 64] |= 1ULL << port % 64;
}

static const struct steer_redirects *only(enum steer_redirect_plane plane, unsigned port)
{
	memset(&ports, 0, sizeof(ports));
	put_port(plane, port);
	return &ports;
}

static void redirect(uint16_t vid, const struct steer_redirects *which)
{
	assert_int_equal(steer_port_redirect(p, vid, which), 0);
}

static void is(const char *what, struct packet k, enum steer_verdict want)
{
	expect(what, frame_of(tags_now, &k), want);
}

static enum steer_redirect_plane udp_plane(void)
{
	return family.transit.family == AF_INET ? STEER_REDIRECT_UDP4 : STEER_REDIRECT_UDP6;
}

static void begin(struct family f)
{
	family = f;
	tags_now = NULL;
	assert_int_equal(steer_local_add(s, &family.nat), 0);
}

static void each_family(void (*rows)(void))
{
	begin(family4());
	rows();
	begin(family6());
	rows();
}

/* ---- ports */

static void port_rows(void)
{
	struct packet k = packet(family.transit, 17, 1, PORT);

	redirect(0, NULL);
	is("nothing yet", k, STEER_SOCKET);
	redirect(0, only(udp_plane(), PORT));
	is("its port", k, STEER_PASS_REDIRECT);
	expect_cut("cut short", frame_of(NULL, &k), STEER_PASS_REDIRECT, ETH,
		   frame_of(NULL, &k).len);
	is("another port", packet(family.transit, 17, 1, PORT + 1), STEER_SOCKET);
	is("of 64 at once", packet(family.transit, 17, 1, PORT + 64), STEER_SOCKET);
	is("as a source", packet(family.transit, 17, PORT, 1), STEER_SOCKET);
	is("of TCP", packet(family.transit, 6, 1, PORT), STEER_SOCKET);
	is("of SCTP", packet(family.transit, 132, 1, PORT), STEER_SOCKET);
	is("an id", icmp(family.transit, family.reply, PORT), STEER_SOCKET);
	is("to this host", packet(family.nat, 17, 1, PORT), STEER_PASS_LOCAL);
	redirect(0, only(udp_plane() - 1, PORT));
	is("no more", k, STEER_SOCKET);
	is("TCP instead", packet(family.transit, 6, 1, PORT), STEER_PASS_REDIRECT);
	redirect(0, only(udp_plane() ^ 2, PORT));
	is("of the other family", k, STEER_SOCKET);
	redirect(0, NULL);
}

static void test_ports(void **state)
{
	(void)state;
	each_family(port_rows);
}

static void test_options(void **state)
{
	struct packet k;

	(void)state;
	begin(family4());
	redirect(0, only(STEER_REDIRECT_UDP4, 0x0101));
	k = packet(family.transit, 17, 1, 0x0101);
	k.ihl = 6;
	is("behind options nobody looks", k, STEER_SOCKET);
}

/* ---- errors and fragments */

static void error_rows(void)
{
	struct packet answer = packet(family.remote, 17, PORT, OTHER), k;

	redirect(0, only(udp_plane(), PORT));
	answer.src = family.transit;
	is("about an answer", icmp_error(family.too_big, &answer), STEER_PASS_REDIRECT);
	answer = packet(family.remote, 17, OTHER, PORT);
	answer.src = family.transit;
	is("about a question", icmp_error(family.too_big, &answer), STEER_SOCKET);
	answer = packet(family.remote, 17, PORT, OTHER);
	k = icmp_error(family.too_big, &answer);
	k.dst = family.transit;
	is("about somebody else's", k, STEER_SOCKET);
	redirect(0, NULL);
}

static void test_errors(void **state)
{
	(void)state;
	each_family(error_rows);
}

static struct packet fragment_of(unsigned port, unsigned id, unsigned offset, bool more)
{
	struct packet k = packet(family.transit, 17, 1, port);

	k.split = true;
	k.id = id;
	k.fragment = k.dst.family == AF_INET ? offset | (more ? 0x2000 : 0) : offset << 3 | more;
	return k;
}

static void fragment_rows(void)
{
	redirect(0, only(udp_plane(), PORT));
	is("before its first", fragment_of(OTHER, 1, 3, true), STEER_SOCKET);
	is("first", fragment_of(PORT, 1, 0, true), STEER_PASS_REDIRECT);
	is("next", fragment_of(OTHER, 1, 3, false), STEER_PASS_REDIRECT);
	is("of another", fragment_of(PORT, 2, 3, false), STEER_SOCKET);
	is("another's first", fragment_of(OTHER, 2, 0, true), STEER_SOCKET);
	is("another's next", fragment_of(PORT, 2, 3, false), STEER_SOCKET);
	redirect(0, NULL);
	is("of nobody", fragment_of(OTHER, 1, 3, false), STEER_SOCKET);
}

static void test_fragments(void **state)
{
	(void)state;
	each_family(fragment_rows);
}

/* ---- interfaces */

static void test_interfaces(void **state)
{
	static const unsigned other[] = { 0x8100, VID2, 0 };
	struct packet k;

	(void)state;
	begin(family4());
	assert_int_equal(steer_port_vlan(p, VID2, true), 0);
	redirect(0, only(STEER_REDIRECT_UDP4, 1000));
	redirect(TEST_VID, only(STEER_REDIRECT_UDP4, 1001));
	redirect(VID2, &ports);
	for (unsigned port = 1000; port <= 1001; port++) {
		enum steer_verdict yes = STEER_PASS_REDIRECT, no = STEER_SOCKET;

		k = packet(family.transit, 17, 1, port);
		tags_now = NULL;
		is("untagged", k, port == 1000 ? yes : no);
		tags_now = priority;
		is("priority", k, port == 1000 ? yes : no);
		tags_now = tagged;
		is("tagged", k, port == 1000 ? no : yes);
		tags_now = other;
		is("tagged otherwise", k, port == 1000 ? no : yes);
		tags_now = qinq;
		is("two tags", k, no);
	}
	redirect(VID2, NULL);
	tags_now = other;
	is("no more", k, STEER_SOCKET);
	tags_now = tagged;
	is("still", k, STEER_PASS_REDIRECT);
	assert_int_equal(steer_port_redirect(p, 4095, &ports), -EINVAL);
}

/* Equal sets are one; others are as many as there is room for, and free again. */
static void test_sets(void **state)
{
	struct packet k;

	(void)state;
	begin(family4());
	for (unsigned round = 0; round < 3; round++) {
		for (uint16_t vid = 1; vid < 1000; vid++)
			redirect(vid, only(STEER_REDIRECT_TCP4, 80));
		for (uint16_t vid = 1; vid < STEER_REDIRECT_SETS; vid++)
			redirect(vid, only(STEER_REDIRECT_TCP4, vid));
		assert_int_equal(steer_port_redirect(p, TEST_VID, only(STEER_REDIRECT_TCP4, 99)),
				 -ENOSPC);
		tags_now = tagged;
		k = packet(family.transit, 6, 1, 80);
		is("neither", k, STEER_SOCKET);
		k = packet(family.transit, 6, 1, 99);
		is("nor", k, STEER_SOCKET);
		for (uint16_t vid = 1; vid < 1000; vid++)
			redirect(vid, NULL);
		redirect(TEST_VID, only(STEER_REDIRECT_TCP4, 99));
		is("there is room", k, STEER_PASS_REDIRECT);
		redirect(TEST_VID, NULL);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ports),     TEST(test_options),    TEST(test_errors),
		TEST(test_fragments), TEST(test_interfaces), TEST(test_sets),
	};

	return cannot_run() ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
