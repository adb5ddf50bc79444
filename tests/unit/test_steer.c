// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The XDP program by BPF_PROG_RUN: every verdict on crafted frames, tagged and not, cut off at
 * every length, with the counters exact to the frame. F6: nothing sent to a broadcast or multicast
 * address reaches the socket. F16: every local address counts on every port. H3: frames for other
 * MACs, unknown ethertypes and short ones pass and are counted. Nothing is attached and nothing
 * pinned.
 */
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "router/lib/clock.h"
#include "tests/unit/steer_run.h"

static const uint8_t other_mac[6] = { 0x52, 0x54, 0, 0xaa, 0, 2 };
static const uint8_t all_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t lldp_mac[6] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e };

static void add_locals(void)
{
	struct addr a = v4(10, 0, 0, 1), b = v6(0x2001, 1), c = v6(0xfe80, 1);

	assert_int_equal(steer_local_add(s, &a), 0);
	assert_int_equal(steer_local_add(s, &b), 0);
	assert_int_equal(steer_local_add(s, &c), 0);
}

/* ---- tests ---- */

static const unsigned foreign_vid[] = { 0x8100, TEST_VID + 1, 0 };
static const unsigned qinq_inner_foreign[] = { 0x88a8, TEST_VID, 0x8100, 7, 0 };
static const unsigned three_tags[] = { 0x88a8, TEST_VID, 0x8100, TEST_VID, 0x8100, TEST_VID, 0 };

static void check_ip4(const char *name, const unsigned *tags, unsigned l2)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 1), .protocol = 6 };

	expect_cut(name, frame4(tags, &ip), STEER_SOCKET, l2, l2 + IP4);
	ip.dst = v4(10, 0, 0, 1);
	expect_cut(name, frame4(tags, &ip), STEER_PASS_LOCAL, l2, l2 + IP4);
	ip.dst = v4(224, 0, 0, 5);
	expect_cut(name, frame4(tags, &ip), STEER_PASS_MULTICAST, l2, l2 + IP4);
	ip.dst = v4(239, 255, 255, 255);
	expect(name, frame4(tags, &ip), STEER_PASS_MULTICAST);
	ip.dst = v4(255, 255, 255, 255);
	expect_cut(name, frame4(tags, &ip), STEER_PASS_MULTICAST, l2, l2 + IP4);
	ip.dst = v4(240, 0, 0, 1); /* class E is no multicast */
	expect(name, frame4(tags, &ip), STEER_SOCKET);
	ip.dst = v4(223, 255, 255, 255);
	expect(name, frame4(tags, &ip), STEER_SOCKET);
}

static void test_ip4(void **state)
{
	(void)state;
	add_locals();
	each_tagging(check_ip4);
}

static void check_ip6(const char *name, const unsigned *tags, unsigned l2)
{
	expect_cut(name, frame6(tags, v6(0x2001, 2)), STEER_SOCKET, l2, l2 + IP6);
	expect_cut(name, frame6(tags, v6(0x2001, 1)), STEER_PASS_LOCAL, l2, l2 + IP6);
	expect_cut(name, frame6(tags, v6(0xfe80, 1)), STEER_PASS_LOCAL, l2, l2 + IP6);
	expect_cut(name, frame6(tags, v6(0xff02, 1)), STEER_PASS_MULTICAST, l2, l2 + IP6);
	expect(name, frame6(tags, v6(0xfeff, 1)), STEER_SOCKET);
}

static void test_ip6(void **state)
{
	(void)state;
	add_locals();
	each_tagging(check_ip6);
}

static void check_dhcp(const char *name, const unsigned *tags, unsigned l2)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 7), .protocol = 17, .sport = 67, .dport = 68 };

	expect_cut(name, frame4(tags, &ip), STEER_PASS_DHCP, l2, l2 + IP4 + 8);
	for (ip.ihl = 1; ip.ihl <= 15; ip.ihl++) /* below 5: malformed, for the socket to count */
		expect(name, frame4(tags, &ip), ip.ihl == 5 ? STEER_PASS_DHCP : STEER_SOCKET);
	ip.ihl = 5;
	ip.fragment = 0x2000; /* the first of several */
	expect(name, frame4(tags, &ip), STEER_PASS_DHCP);
	ip.fragment = 0x2001; /* no UDP header in here */
	expect(name, frame4(tags, &ip), STEER_SOCKET);
	ip.fragment = 0;
	ip.protocol = 6;
	expect(name, frame4(tags, &ip), STEER_SOCKET);
	ip.protocol = 17;
	ip.dport = 67; /* between relays: forwarded */
	expect(name, frame4(tags, &ip), STEER_SOCKET);
	ip.sport = 68, ip.dport = 68;
	expect(name, frame4(tags, &ip), STEER_SOCKET);
}

static void test_dhcp(void **state)
{
	(void)state;
	each_tagging(check_dhcp);
}

static void test_link_layer(void **state)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 1), .protocol = 6 };
	struct frame f = frame4(NULL, &ip);

	(void)state;
	expect_cut("ARP", frame_other(our_mac, NULL, 0x0806), STEER_PASS_ETHERTYPE, ETH, ETH);
	expect_cut("tagged ARP", frame_other(our_mac, tagged, 0x0806), STEER_PASS_ETHERTYPE,
		   ETH + TAG, ETH + TAG);
	expect("802.3 length", frame_other(our_mac, NULL, 46), STEER_PASS_ETHERTYPE);
	expect("MPLS", frame_other(our_mac, NULL, 0x8847), STEER_PASS_ETHERTYPE);
	expect_cut("LLDP", frame_other(lldp_mac, NULL, 0x88cc), STEER_PASS_MULTICAST, ETH, ETH);
	expect_cut("broadcast", frame_other(all_mac, NULL, 0x0806), STEER_PASS_MULTICAST, ETH, ETH);
	memcpy(f.b, all_mac, 6); /* unicast IP in a broadcast frame is never forwarded (F6) */
	expect("broadcast with IP", f, STEER_PASS_MULTICAST);
	memcpy(f.b, other_mac, 6);
	expect_cut("another MAC", f, STEER_PASS_OTHER_MAC, ETH, ETH);
	for (int i = 0; i < 6; i++) {
		memcpy(f.b, our_mac, 6);
		f.b[i] ^= 0x80;
		expect("a MAC one bit off", f, STEER_PASS_OTHER_MAC);
	}
}

static void test_vlan(void **state)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 1), .protocol = 6 };

	(void)state;
	expect_cut("foreign vid", frame4(foreign_vid, &ip), STEER_PASS_VLAN, ETH + TAG, ETH + TAG);
	for (unsigned len = ETH + TAG; len < ETH + 2 * TAG; len++) {
		struct frame f = frame4(qinq_inner_foreign, &ip);

		expect_length("inner tag cut", &f, len, STEER_PASS_SHORT, XDP_PASS);
	}
	expect("inner vid foreign", frame4(qinq_inner_foreign, &ip), STEER_PASS_VLAN);
	expect("three tags", frame4(three_tags, &ip), STEER_PASS_VLAN);
	for (unsigned vid = 1; vid <= 4094; vid += vid < 130 ? 1 : 61) {
		const unsigned tags[] = { 0x8100, vid, 0 };

		assert_int_equal(steer_port_vlan(p, vid, true), 0);
		expect("vid on", frame4(tags, &ip), STEER_SOCKET);
		assert_int_equal(steer_port_vlan(p, vid, false), 0);
		expect("vid off", frame4(tags, &ip), STEER_PASS_VLAN);
	}
	assert_int_equal(steer_port_vlan(p, 0, true), -EINVAL);
	assert_int_equal(steer_port_vlan(p, 4095, true), -EINVAL);
}

static void test_fallback(void **state)
{
	struct ip4_spec ip = { .dst = v4(192, 0, 2, 1), .protocol = 6 };
	struct frame f = frame4(NULL, &ip);

	(void)state;
	assert_int_equal(steer_port_socket(p, 0, -1), 0);
	assert_int_equal(steer_port_socket(p, 0, -1), 0);
	expect_length("no socket: drop", &f, f.len, STEER_NO_SOCKET, XDP_DROP);
	assert_int_equal(steer_port_socket(p, 0, xsk), 0);
	expect("socket again", f, STEER_SOCKET);
	assert_int_equal(steer_port_socket(p, 1, xsk), -EINVAL);
	assert_int_equal(steer_port_socket(p, 0, STDERR_FILENO), -ENOTSOCK);

	steer_port_destroy(p, true);
	create_port(STEER_QUEUES_MAX, true);
	steer_beats(s, 0)[0] = clock_now();
	expect_length("no socket: pass", &f, f.len, STEER_NO_SOCKET, XDP_PASS);
	assert_int_equal(steer_port_socket(p, STEER_QUEUES_MAX - 1, xsk), 0);
	expect_length("a socket on another queue", &f, f.len, STEER_NO_SOCKET, XDP_PASS);
}

static void test_mac_change(void **state)
{
	struct frame f = frame6(NULL, v6(0x2001, 2));

	(void)state;
	expect("before", f, STEER_SOCKET);
	assert_int_equal(steer_port_mac(p, other_mac), 0);
	expect("after, old MAC", f, STEER_PASS_OTHER_MAC);
	memcpy(f.b, other_mac, 6);
	expect("after, new MAC", f, STEER_SOCKET);
}

/* Any bytes behind our MAC: one count a frame, and only actions that go with it. */
static void test_random_frames(void **state)
{
	uint64_t sum[STEER__COUNT], n = 0;
	struct frame f;

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		unsigned len = ETH + random() % (sizeof(f.b) - ETH + 1);
		int did;

		for (unsigned k = 0; k < sizeof(f.b); k++)
			f.b[k] = random();
		memcpy(f.b, our_mac, 6);
		if (i % 4)
			memcpy(f.b + 12,
			       i % 2	   ? "\x81\x00"
			       : i % 8 < 4 ? "\x08\x00"
					   : "\x86\xdd",
			       2);
		did = run_length(&f, len);
		assert_true(did == XDP_PASS || did == XDP_REDIRECT);
	}
	steer_port_counters(p, sum);
	for (int v = 0; v < STEER__COUNT; v++)
		n += sum[v];
	assert_int_equal(n, 20000);
	assert_int_equal(sum[STEER_NO_SOCKET], 0);
}

static void expect_local(struct addr a, bool local)
{
	struct ip4_spec ip = { .dst = a, .protocol = 6 };
	struct frame f = a.family == AF_INET ? frame4(NULL, &ip) : frame6(NULL, a);

	expect("local set", f, local ? STEER_PASS_LOCAL : STEER_SOCKET);
}

static void test_local_set(void **state)
{
	struct addr first[] = { v4(10, 0, 0, 1), v4(10, 0, 0, 2), v6(0x2001, 1), v6(0x2001, 2) };
	struct addr second[] = { v6(0x2001, 3), v4(10, 0, 0, 2), v4(10, 0, 0, 2), v6(0x2001, 2) };
	struct addr none = { .family = 0 };

	(void)state;
	assert_int_equal(steer_local_replace(s, first, 4), 0);
	for (int i = 0; i < 4; i++)
		expect_local(first[i], true);
	assert_int_equal(steer_local_replace(s, second, 4), 0);
	expect_local(first[0], false);
	expect_local(first[1], true);
	expect_local(first[2], false);
	expect_local(first[3], true);
	expect_local(second[0], true);
	assert_int_equal(steer_local_add(s, &first[1]), 0); /* again */
	assert_int_equal(steer_local_del(s, &first[1]), 0);
	assert_int_equal(steer_local_del(s, &first[1]), 0);
	expect_local(first[1], false);
	assert_int_equal(steer_local_add(s, &none), -EAFNOSUPPORT);
	assert_int_equal(steer_local_del(s, &none), -EAFNOSUPPORT);
	assert_int_equal(steer_local_replace(s, &none, 1), -EAFNOSUPPORT);
	expect_local(second[0], true); /* a refused set changes nothing */
	assert_int_equal(steer_local_replace(s, NULL, 0), 0);
	expect_local(second[0], false);
}

static void test_local_full_sets(void **state)
{
	unsigned n = STEER_LOCALS_MAX;
	struct addr *a = calloc(n + 1, sizeof(*a));

	(void)state;
	assert_non_null(a);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i <= n; i++)
			a[i] = v4(10, round, i >> 8, i & 255);
		assert_int_equal(steer_local_replace(s, a, n + 1), -E2BIG);
		assert_int_equal(steer_local_replace(s, a, n), 0);
		expect_local(a[0], true);
		expect_local(a[n - 1], true);
		expect_local(v4(10, round - 1, 0, 0), false);
	}
	free(a);
}

static void *replace_often(void *arg)
{
	struct addr a[2] = { v4(10, 0, 0, 1) };

	for (int i = 0; i < 2000; i++) {
		a[1] = v4(10, 0, 1 + i % 200, 1);
		if (steer_local_replace(s, a, 2))
			return arg;
	}
	return NULL;
}

/* An address in both the old and the new set is never missing for a frame in between. */
static void test_local_replace_has_no_gap(void **state)
{
	struct ip4_spec ip = { .dst = v4(10, 0, 0, 1), .protocol = 6 };
	struct frame f = frame4(NULL, &ip);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .data_size_in = f.len, .repeat = 20000);
	uint64_t n[STEER__COUNT];
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(steer_local_add(s, &ip.dst), 0);
	assert_int_equal(pthread_create(&thread, NULL, replace_often, &failed), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(bpf_prog_test_run_opts(steer_port_prog_fd(p), &o), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_PASS_LOCAL], 50 * 20000);
	assert_int_equal(n[STEER_SOCKET], 0);
}

static void test_refused_configs(void **state)
{
	struct steer_port_config c = { .ifindex = 1, .name = "wan0", .queues = 0 };
	struct steer_port *unset = (void *)&c, *q = unset;

	(void)state;
	assert_int_equal(steer_port_create(s, &c, &q, why), -EINVAL);
	assert_non_null(strstr(why, "wan0: 0 queues"));
	c.queues = STEER_QUEUES_MAX + 1;
	assert_int_equal(steer_port_create(s, &c, &q, NULL), -EINVAL);
	assert_ptr_equal(q, unset);
	assert_string_equal(steer_port_mode(p), "");
	assert_null(steer_note(s));
	assert_int_equal(steer_prune(s, NULL, NULL), 0);
}

static void test_pin_dir_refused(void **state)
{
	struct steer *unset = s, *t = unset;

	(void)state;
	assert_int_equal(steer_create("relative", &t, why), -EINVAL);
	assert_non_null(strstr(why, "absolute"));
	assert_int_equal(steer_create("/tmp/steer-no-bpffs", &t, why), -EINVAL);
	assert_non_null(strstr(why, "not on a bpffs"));
	assert_int_equal(access("/tmp/steer-no-bpffs", F_OK), -1); /* and nothing was left there */
	assert_ptr_equal(t, unset);
	assert_int_equal(steer_cleanup("/tmp", NULL, NULL), -EINVAL);
	assert_int_equal(steer_cleanup("/tmp/steer-no-bpffs", NULL, NULL), 0);
}

static int child_without_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	struct steer *t;

	if (syscall(SYS_capset, &head, data))
		return 1;
	if (steer_create(NULL, &t, why) != -EPERM)
		return 2;
	return strstr(why, "CAP_BPF and CAP_NET_ADMIN are missing") ? 0 : 3;
}

static void test_missing_capability_is_named(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(child_without_capabilities());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ip4),
		TEST(test_ip6),
		TEST(test_dhcp),
		TEST(test_link_layer),
		TEST(test_vlan),
		TEST(test_fallback),
		TEST(test_mac_change),
		TEST(test_random_frames),
		TEST(test_local_set),
		TEST(test_local_full_sets),
		TEST(test_local_replace_has_no_gap),
		TEST(test_refused_configs),
		TEST(test_pin_dir_refused),
		TEST(test_missing_capability_is_named),
	};

	if (cannot_run())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
