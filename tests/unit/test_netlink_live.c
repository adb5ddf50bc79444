/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/ctl/netlink against the kernel: what ip(8) makes must come as dumps and events.
 */
#include "tests/unit/netlink_lab.h"

static void first_dump_shows_links_and_more(void **state)
{
	const struct netlink_link *v0, *v1;
	struct netlink_stats stats;

	(void)state;
	mirror_create();
	v0 = link_find("v0");
	v1 = link_find("v1");
	assert_int_equal(v0->mtu, 1400);
	assert_true(v0->has_mac);
	assert_memory_equal(v0->mac, "\2\0\0\0\0\1", 6);
	assert_string_equal(v0->kind, "veth");
	assert_int_equal(v0->link, v1->ifindex);
	assert_false(v0->link_foreign);
	assert_true(v0->flags & IFF_UP);
	assert_true(v0->rx_queues > 0 && v0->tx_queues > 0);
	assert_true(m.addrs >= 4 && m.routes >= 4);
	assert_int_equal(m.begins, 1);
	assert_int_equal(m.ends, 1);
	assert_true(m.batches > 0);
	netlink_stats(m.nl, &stats);
	assert_false(stats.syncing);
	assert_int_equal(stats.malformed, 0);
	assert_int_equal(stats.resyncs, 0);
}

static void links_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip link add x0 mtu 1300 type veth peer name x1");
	run();
	assert_int_equal(link_find("x0")->mtu, 1300);
	sh("ip link set x0 name x9");
	run();
	link_find("x9");
	sh("ip link del x9");
	run();
	assert_true(link_find("x9")->deleted && link_find("x1")->deleted);
}

/* More of them than a turn of the loop reads. */
static void waiting_events_are_read_without_the_loop(void **state)
{
	(void)state;
	mirror_create();
	assert_true(netlink_catch_up(m.nl));
	sh("for i in $(seq 300); do echo rule add pref $((100 + i)) lookup 100; done | ip -batch "
	   "-");
	assert_true(netlink_catch_up(m.nl));
	assert_int_equal(m.rule.priority, 400);
	assert_true(netlink_catch_up(m.nl));
}

static void foreign_peer_is_marked(void **state)
{
	pid_t pid;

	(void)state;
	mirror_create();
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		unshare(CLONE_NEWNET);
		pause();
		_exit(0);
	}
	usleep(50000);
	sh("ip link add x0 type veth peer name x1 netns %d", pid);
	run();
	assert_true(link_find("x0")->link_foreign);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void addresses_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip address add 198.51.100.7/25 broadcast + dev v0");
	run();
	prefix_is(&m.addr.local, "198.51.100.7/25");
	addr_is(&m.addr.broadcast, "198.51.100.127");
	assert_int_equal(m.addr.peer.family, 0);
	assert_int_equal(m.addr.ifindex, link_find("v0")->ifindex);
	sh("ip address del 198.51.100.7/25 dev v0");
	run();
	assert_true(m.addr.deleted);
	sh("ip address add 198.51.100.1 peer 198.51.100.2 dev v0");
	run();
	prefix_is(&m.addr.local, "198.51.100.1/32");
	addr_is(&m.addr.peer, "198.51.100.2");
	sh("ip address add 2001:db8:1::1/64 dev v0 nodad");
	run();
	prefix_is(&m.addr.local, "2001:db8:1::1/64");
}

static void routes_come_as_events(void **state)
{
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	sh("ip route add default via 192.0.2.2 metric 50 proto 99 mtu 1280");
	run();
	prefix_is(&m.route.dst, "0.0.0.0/0");
	assert_int_equal(m.route.table, RT_TABLE_MAIN);
	assert_int_equal(m.route.metric, 50);
	assert_int_equal(m.route.protocol, 99);
	assert_int_equal(m.route.mtu, 1280);
	assert_int_equal(m.route.type, RTN_UNICAST);
	assert_int_equal(m.route.nhops, 1);
	assert_int_equal(m.route.hops[0].ifindex, v0);
	addr_is(&m.route.hops[0].via, "192.0.2.2");
	sh("ip route add 10.0.0.0/8 via inet6 2001:db8::2 dev v0 table 70000");
	run();
	assert_int_equal(m.route.table, 70000);
	addr_is(&m.route.hops[0].via, "2001:db8::2");
	sh("ip route add 10.1.0.0/16 nexthop via 192.0.2.2 weight 3 "
	   "nexthop via inet6 2001:db8::3 dev v0 nexthop via 203.0.113.1 dev v0 onlink");
	run();
	assert_int_equal(m.route.nhops, 3);
	assert_int_equal(m.route.hops[0].weight, 3);
	addr_is(&m.route.hops[1].via, "2001:db8::3");
	assert_true(m.route.hops[2].flags & RTNH_F_ONLINK);
	sh("ip route replace 10.1.0.0/16 via 192.0.2.9");
	run();
	assert_true(m.route.replace);
	sh("ip route append 10.1.0.0/16 via 192.0.2.10");
	run();
	assert_true(m.route.append);
	sh("ip route add blackhole 10.2.0.0/16");
	run();
	assert_int_equal(m.route.type, RTN_BLACKHOLE);
	assert_int_equal(m.route.nhops, 0);
	sh("ip -6 route add 2001:db8:9::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3");
	run();
	prefix_is(&m.route.dst, "2001:db8:9::/48");
	assert_int_equal(m.route.nhops, 2);
	sh("ip -6 route del 2001:db8:9::/48");
	run();
	assert_true(m.route.deleted);
}

static void nexthop_objects_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip nexthop add id 5 via 192.0.2.2 dev v0 protocol 99");
	run();
	assert_int_equal(m.nexthop.id, 5);
	assert_int_equal(m.nexthop.protocol, 99);
	addr_is(&m.nexthop.hop.via, "192.0.2.2");
	assert_int_equal(m.nexthop.hop.ifindex, link_find("v0")->ifindex);
	sh("ip nexthop add id 6 blackhole; ip nexthop add id 7 via 192.0.2.3 dev v0;"
	   "ip nexthop add id 8 group 5/7,10");
	run();
	assert_int_equal(m.nexthop.id, 8);
	assert_int_equal(m.nexthop.nmembers, 2);
	assert_int_equal(m.nexthop.members[0].weight, 1);
	assert_int_equal(m.nexthop.members[1].id, 7);
	assert_int_equal(m.nexthop.members[1].weight, 10);
	sh("ip route add 10.0.0.0/8 nhid 8");
	run();
	assert_int_equal(m.route.nhid, 8);
	m.nexthops = 0;
	sh("ip nexthop del id 6");
	run();
	assert_true(m.nexthop.deleted);
	assert_int_equal(m.nexthop.id, 6);
}

static void neighbours_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev v0 nud reachable");
	run();
	assert_int_equal(neigh_find("192.0.2.77")->state, NUD_REACHABLE);
	assert_true(neigh_find("192.0.2.77")->has_mac);
	assert_memory_equal(neigh_find("192.0.2.77")->mac, "\2\0\0\0\0\x77", 6);
	sh("ip neigh del 192.0.2.77 dev v0");
	run();
	assert_true(neigh_find("192.0.2.77")->deleted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_dump_shows_links_and_more, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(waiting_events_are_read_without_the_loop,
						namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(links_come_as_events, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(foreign_peer_is_marked, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(addresses_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(routes_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(nexthop_objects_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(neighbours_come_as_events, namespace_new,
						namespace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
