/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/ctl/netlink against the kernel: what we request must be seen by ip(8). */
#include "tests/unit/netlink_lab.h"

static void requests_for_addresses(void **state)
{
	struct prefix p4 = prefix("198.51.100.9/30"), p6 = prefix("2001:db8:7::1/64");
	char why[NETLINK_WHY] = "";
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	for (int i = 0; i < 2; i++) { /* the second time it is there already, or gone already */
		assert_int_equal(netlink_addr_set(m.nl, v0, &p4, true, why), 0);
		assert_int_equal(netlink_addr_set(m.nl, v0, &p6, true, why), 0);
	}
	assert_true(sh_prints("ip address show dev v0", "198.51.100.9/30 brd 198.51.100.11"));
	assert_true(sh_prints("ip address show dev v0", "2001:db8:7::1/64"));
	run();
	assert_int_equal(m.addr.proto, NETLINK_PROTO);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(netlink_addr_set(m.nl, v0, &p4, false, why), 0);
		assert_int_equal(netlink_addr_set(m.nl, v0, &p6, false, why), 0);
	}
	assert_int_equal(system("ip address show dev v0 | grep -q 198.51.100.9") != 0, 1);
	assert_int_equal(netlink_addr_set(m.nl, 9999, &p4, false, why), 0);
	assert_int_equal(netlink_addr_set(m.nl, 9999, &p4, true, why), -ENODEV);
	assert_true(why[0] != '\0');
}

static struct netlink_route *route_new(const char *dst)
{
	static struct netlink_route r;

	memset(&r, 0, sizeof(r));
	r.dst = prefix(dst);
	r.table = RT_TABLE_MAIN;
	r.type = RTN_UNICAST;
	r.protocol = NETLINK_PROTO;
	return &r;
}

static void hop_add(struct netlink_route *r, const char *via, uint32_t weight)
{
	struct netlink_hop *h = &r->hops[r->nhops++];

	h->ifindex = link_find("v0")->ifindex;
	h->weight = weight;
	if (via)
		h->via = addr(via);
}

static void route_add_ok(const struct netlink_route *r)
{
	char why[NETLINK_WHY] = "";
	int err = netlink_route_set(m.nl, r, true, why);

	if (err)
		fail_msg("%d %s", err, why);
	assert_int_equal(netlink_route_set(m.nl, r, true, why), 0); /* equal one: still fine */
}

static void requests_for_routes(void **state)
{
	struct netlink_route *r;

	(void)state;
	mirror_create();
	sh("ip nexthop add id 5 via 192.0.2.2 dev v0");
	r = route_new("10.1.0.0/16");
	hop_add(r, "192.0.2.2", 1);
	r->mtu = 1300;
	r->metric = 7;
	route_add_ok(r);
	assert_true(sh_prints("ip route",
			      "10.1.0.0/16 via 192.0.2.2 dev v0 proto 175 metric 7 mtu 1300"));
	r = route_new("10.2.0.0/16");
	hop_add(r, NULL, 1);
	route_add_ok(r);
	assert_true(sh_prints("ip route", "10.2.0.0/16 dev v0 proto 175 scope link"));
	r = route_new("10.3.0.0/16");
	hop_add(r, "192.0.2.2", 2);
	hop_add(r, "2001:db8::2", 256);
	route_add_ok(r);
	assert_true(sh_prints("ip route", "nexthop via 192.0.2.2 dev v0 weight 2"));
	assert_true(sh_prints("ip route", "nexthop via inet6 2001:db8::2 dev v0 weight 256"));
	r = route_new("2001:db8:3::/48");
	hop_add(r, "2001:db8::2", 1);
	hop_add(r, "2001:db8::3", 1);
	r->table = 70000;
	route_add_ok(r);
	assert_true(sh_prints("ip -6 route show table 70000", "nexthop via 2001:db8::3"));
	r = route_new("0.0.0.0/0");
	r->type = RTN_BLACKHOLE;
	route_add_ok(r);
	assert_true(sh_prints("ip route", "blackhole default"));
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	r = route_new("10.4.0.0/16");
	r->nhid = 5;
	route_add_ok(r);
	assert_true(sh_prints("ip route", "10.4.0.0/16 nhid 5"));
	r = route_new("10.2.0.0/16");
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	assert_true(system("ip route | grep -q ^10.2") != 0);
}

static void route_of_most_hops_fits(void **state)
{
	struct netlink_route *r;
	char via[32];

	(void)state;
	mirror_create();
	r = route_new("10.5.0.0/16");
	for (unsigned i = 0; i < NETLINK_HOPS_MAX; i++) {
		snprintf(via, sizeof(via), "2001:db8::%x", i + 2);
		hop_add(r, via, 1);
	}
	route_add_ok(r);
	run();
	assert_int_equal(m.route.nhops, NETLINK_HOPS_MAX);
	assert_false(m.route.truncated);
	addr_is(&m.route.hops[NETLINK_HOPS_MAX - 1].via, "2001:db8::81");
}

static void refusals_say_why(void **state)
{
	struct netlink_route *r;
	char why[NETLINK_WHY] = "";

	(void)state;
	mirror_create();
	r = route_new("10.1.0.0/16");
	hop_add(r, "203.0.113.1", 1);
	assert_int_equal(netlink_route_set(m.nl, r, true, why), -ENETUNREACH);
	assert_string_equal(why, "Nexthop has invalid gateway");
	r->hops[0].encap = true;
	assert_int_equal(netlink_route_set(m.nl, r, true, why), -EOPNOTSUPP);
	r->truncated = true;
	assert_int_equal(netlink_route_set(m.nl, r, true, NULL), -E2BIG);
	assert_true(netlink_link_mtu(m.nl, link_find("v0")->ifindex, 1 << 30, why) < 0);
	assert_int_equal(netlink_link_up(m.nl, 9999, why), -ENODEV);
}

static void requests_for_links_and_neighbours(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x55 };
	struct addr ip = addr("192.0.2.55"), used = addr("192.0.2.56"), ip6 = addr("2001:db8::55");
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	sh("ip link set v0 down");
	assert_int_equal(netlink_link_up(m.nl, v0, NULL), 0);
	assert_int_equal(netlink_link_mtu(m.nl, v0, 1350, NULL), 0);
	run();
	assert_int_equal(link_find("v0")->mtu, 1350);
	assert_true(link_find("v0")->flags & IFF_UP);
	for (int i = 0; i < 2; i++)
		assert_int_equal(netlink_neigh_static(m.nl, v0, &ip, mac, true, NULL), 0);
	assert_true(
		sh_prints("ip neigh show dev v0", "192.0.2.55 lladdr 02:00:00:00:00:55 PERMANENT"));
	for (int i = 0; i < 2; i++)
		assert_int_equal(netlink_neigh_static(m.nl, v0, &ip, mac, false, NULL), 0);
	assert_int_equal(netlink_neigh_use(m.nl, v0, &used, true), 0);
	/* Linux tells of it when it is resolved or failed, not before; a dump has it */
	netlink_resync(m.nl);
	run_until_synced(2);
	assert_int_equal(neigh_find("192.0.2.56")->state, NUD_INCOMPLETE);
	assert_true(neigh_find("192.0.2.56")->flags & NTF_EXT_MANAGED << 8);
	assert_int_equal(netlink_neigh_unmanage(m.nl, v0, &used), 0);
	assert_true(system("ip neigh show dev v0 | grep -q managed") != 0);
	assert_int_equal(netlink_neigh_unmanage(m.nl, v0, &ip6), 0); /* never was */
	assert_int_equal(netlink_neigh_use(m.nl, v0, &ip6, false), 0);
	assert_int_equal(netlink_neigh_use(m.nl, 9999, &ip6, false), -ENODEV);
}

static struct netlink_rule rule_new(int family, uint32_t priority)
{
	struct netlink_rule r;

	memset(&r, 0, sizeof(r));
	r.family = (uint8_t)family;
	r.action = FR_ACT_TO_TBL;
	r.priority = priority;
	r.table = 70000;
	r.protocol = NETLINK_PROTO;
	r.suppress_len = r.suppress_group = -1;
	return r;
}

static void requests_for_rules(void **state)
{
	struct netlink_rule r = rule_new(AF_INET, 100);
	char why[NETLINK_WHY] = "";

	(void)state;
	mirror_create();
	assert_true(m.rules >= 5); /* Linux's own */
	r.from = prefix("192.0.2.0/24");
	strcpy(r.iif, "v0");
	r.mark = 0x10;
	r.mark_mask = 0xff;
	r.ipproto = IPPROTO_UDP;
	r.dport = (struct netlink_ports){ 53, 60, 0 };
	r.suppress_len = 0;
	r.invert = true;
	assert_int_equal(netlink_rule_set(m.nl, &r, true, why), 0);
	assert_true(sh_prints("ip rule show pref 100",
			      "not from 192.0.2.0/24 fwmark 0x10/0xff iif v0 ipproto udp "
			      "dport 53-60 lookup 70000 suppress_prefixlength 0 proto 175"));
	run();
	assert_int_equal(m.rule.priority, 100);
	assert_int_equal(m.rule.dport.last, 60);
	assert_false(m.rule.unknown);
	for (int i = 0; i < 2; i++)
		assert_int_equal(netlink_rule_set(m.nl, &m.rule, false, why), 0);
	run();
	assert_true(m.rule.deleted);
	assert_true(system("ip rule show pref 100 | grep -q .") != 0);
	r = rule_new(AF_INET6, 200);
	r.to = prefix("2001:db8::/32");
	r.has_dscp = true;
	r.dscp = 46;
	if (netlink_rule_set(m.nl, &r, true, why) == 0) { /* Linux 6.14 */
		run();
		assert_true(m.rule.has_dscp && m.rule.dscp == 46 && !m.rule.unknown);
		netlink_resync(m.nl);
		run_until_synced(2);
		assert_int_equal(m.rule.family, AF_INET6);
	}
	r.table = 0;
	assert_int_equal(netlink_rule_set(m.nl, &r, true, why), -EINVAL);
	assert_true(why[0] != '\0');
}

/* Linux itself would call it there: what the message leaves open is not compared. */
static void a_rule_is_added_to_a_narrower_one(void **state)
{
	struct netlink_rule r = rule_new(AF_INET, 100);

	(void)state;
	mirror_create();
	r.from = prefix("192.0.2.0/24");
	assert_int_equal(netlink_rule_set(m.nl, &r, true, NULL), 0);
	r = rule_new(AF_INET, 100);
	assert_int_equal(netlink_rule_set(m.nl, &r, true, NULL), 0);
	assert_true(sh_prints("ip rule show pref 100", "from all lookup 70000 proto 175"));
}

/* A kernel without VRFs says so. */
static void requests_for_vrfs(void **state)
{
	char why[NETLINK_WHY] = "";
	int err;

	(void)state;
	mirror_create();
	err = netlink_vrf_add(m.nl, "red", 1001, why);
	assert_true(err == 0 || err == -EOPNOTSUPP);
	if (!err) {
		run();
		assert_int_equal(link_find("red")->vrf_table, 1001);
		assert_int_equal(netlink_link_master(m.nl, link_find("v0")->ifindex,
						     link_find("red")->ifindex, why),
				 0);
		run();
		assert_int_equal(link_find("v0")->master, link_find("red")->ifindex);
		assert_int_equal(netlink_link_del(m.nl, link_find("red")->ifindex, why), 0);
	}
	assert_int_equal(netlink_link_master(m.nl, link_find("v0")->ifindex, 0, why), 0);
	assert_int_equal(netlink_link_master(m.nl, 9999, 0, why), -ENODEV);
	assert_int_equal(netlink_link_del(m.nl, 9999, why), 0);
}

static void requests_from_callbacks(void **state)
{
	struct netlink_stats stats;

	(void)state;
	mirror_create();
	m.ask = true;
	netlink_resync(m.nl);
	run_until_synced(2);
	netlink_stats(m.nl, &stats);
	assert_true(stats.requests > 4);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.malformed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_for_addresses, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_routes, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(route_of_most_hops_fits, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(refusals_say_why, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_links_and_neighbours, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_rules, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(a_rule_is_added_to_a_narrower_one, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_vrfs, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(requests_from_callbacks, namespace_new,
						namespace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
