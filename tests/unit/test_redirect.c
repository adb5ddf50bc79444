/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which interfaces redirect which ports: from a configuration to the XDP program, by BPF_PROG_RUN.
 * (What the program does with them: test_steer_redirect.c; with hosts: tests/netns/redirect.sh.)
 */
#include "tests/unit/conf_util.h"
/* after cmocka.h, which conf_util.h includes */
#include "router/redirect.h"
#include "router/router.h"
/* its `why` is for us, not for headers */
#include "tests/unit/steer_run.h"

#define OTHER_VID 200

static const char text[] =
	"version: 1\n"
	"interfaces: {lan0: {}, tagged: {match: {name: lan0.100}}, other: {match: {name: "
	"lan0.200}},\n"
	"             wan0: {}}\n"
	"zones: {lan: {interfaces: [lan0, tagged]}}\n"
	"nat:\n"
	"  destination:\n"
	"    - {in: lan, proto: udp, dport: 53, action: redirect, to-port: 5353}\n"
	"    - {in: lan0, proto: [tcp, udp], dport: 80-81, family: ipv4, action: redirect}\n"
	"    - {in: [other, wan0], proto: tcp, dport: 8080, family: ipv6, action: redirect}\n";

static struct router router;
static struct state state_of;
static struct link links[] = {
	{ .next = &links[1], .l = { .ifindex = 7, .name = "lan0" } },
	{ .next = &links[2],
	  .l = { .ifindex = 8,
		 .name = "lan0.100",
		 .kind = "vlan",
		 .link = 7,
		 .vlan_id = TEST_VID } },
	{ .next = &links[3],
	  .l = { .ifindex = 9,
		 .name = "lan0.200",
		 .kind = "vlan",
		 .link = 7,
		 .vlan_id = OTHER_VID } },
	{ .l = { .ifindex = 10, .name = "wan0", .link = 7 } },
};

static int set_up(void **state)
{
	setup(state);
	assert_int_equal(steer_port_vlan(p, OTHER_VID, true), 0);
	state_of.links = links;
	router.state = &state_of;
	router.conf = load_good("r.yaml", text);
	router.ports[3].steer = p;
	router.ports[3].ifindex = 7;
	redirects_follow(&router);
	return 0;
}

static int tear_down(void **state)
{
	conf_destroy(router.conf);
	return teardown(state);
}

static bool passes(unsigned vid, unsigned proto, unsigned family, unsigned dport)
{
	const unsigned tags[] = { 0x8100, vid, 0 };
	struct frame f = eth(our_mac, vid ? tags : NULL, family == 4 ? 0x0800 : 0x86dd);
	struct ip4_spec ip4 = { .dst = v4(192, 0, 2, 1), .protocol = proto, .dport = dport };
	struct addr to = v6(0x2001, 4);

	if (family == 4) {
		add_ip4(&f, &ip4);
	} else {
		add_ip6(&f, &to);
		f.b[f.len - 20 - 34] = (uint8_t)proto;
		f.b[f.len - 18] = dport >> 8;
		f.b[f.len - 17] = dport & 255;
	}
	return run_length(&f, f.len) == XDP_PASS;
}

static void test_interfaces(void **state)
{
	(void)state;
	for (unsigned family = 4; family <= 6; family += 2) {
		assert_true(passes(0, 17, family, 53));
		assert_true(passes(TEST_VID, 17, family, 53));
		assert_false(passes(OTHER_VID, 17, family, 53));
		assert_false(passes(0, 6, family, 53));
		assert_int_equal(passes(0, 6, family, 80), family == 4);
		assert_int_equal(passes(0, 17, family, 81), family == 4);
		assert_false(passes(0, 6, family, 82));
		assert_false(passes(TEST_VID, 6, family, 80));
		assert_int_equal(passes(OTHER_VID, 6, family, 8080), family == 6);
		assert_false(passes(0, 6, family, 8080)); /* wan0's, though it has a link of 7 */
	}
}

static void test_changes(void **state)
{
	struct conf *with = router.conf;

	(void)state;
	links[1].l.vlan_id = 300;
	assert_int_equal(steer_port_vlan(p, 300, true), 0);
	redirects_follow_port(&router, &router.ports[3]);
	assert_false(passes(TEST_VID, 17, 4, 53));
	assert_true(passes(300, 17, 4, 53));
	links[1].l.vlan_id = TEST_VID;
	router.conf = load_good("r.yaml", "version: 1\ninterfaces: {lan0: {}}\n");
	redirects_follow(&router);
	assert_false(passes(0, 17, 4, 53));
	assert_false(passes(300, 17, 4, 53));
	conf_destroy(router.conf);
	router.conf = with;
	redirects_follow(&router);
	assert_true(passes(0, 17, 4, 53));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_interfaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
	};

	return cannot_run() ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
