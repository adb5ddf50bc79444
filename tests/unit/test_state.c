/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/state: what Linux says, as a worker finds it: routes, next hops, neighbours, interfaces.
 */
#include "tests/unit/state_events.h"

#include <unistd.h>

#define GW1 "10.1.0.9"
#define GW2 "10.2.0.9"

static void connected_networks_are_gleaned(void **state)
{
	(void)state;
	tell(hop(route_to("10.1.0.0/24"), LAN, NULL, 1));
	assert_int_equal(type_of("10.1.0.77"), NH_GLEAN);
	assert_int_equal(find("10.1.0.77")->port, 0);
	assert_null(find("10.3.0.1"));
	neighbour(LAN, "10.1.0.77", NUD_REACHABLE, 0xaa);
	assert_int_not_equal(
		neigh_lookup(s->neigh, &s->nht, find("10.1.0.77")->iface, ip("10.1.0.77")), 0);
	neighbour(LAN, "10.1.0.77", 0, 0);
	assert_int_equal(neigh_lookup(s->neigh, &s->nht, find("10.1.0.77")->iface, ip("10.1.0.77")),
			 0);
}

static void gateways_are_resolved_and_fail(void **state)
{
	(void)state;
	tell(via("172.16.0.0/16", LAN, GW1));
	assert_int_equal(gateway_of("172.16.1.1"), 9);
	assert_int_equal(find("172.16.1.1")->state, NH_UNRESOLVED);
	neighbour(LAN, GW1, NUD_REACHABLE, 0xaa);
	assert_int_equal(find("172.16.1.1")->state, NH_RESOLVED);
	assert_int_equal(find("172.16.1.1")->hlen, 14);
	assert_int_equal(find("172.16.1.1")->l2[0], 0xaa);
	assert_memory_equal(find("172.16.1.1")->l2 + 6, "\2\0\0\0\0\2", 6);
	neighbour(LAN, GW1, NUD_STALE, 0xbb);
	assert_int_equal(find("172.16.1.1")->l2[5], 0xbb);
	neighbour(LAN, GW1, NUD_FAILED, 0);
	assert_int_equal(find("172.16.1.1")->state, NH_FAILED);
	neighbour(LAN, GW1, 0, 0); /* forgotten by Linux, not by the route */
	assert_int_equal(find("172.16.1.1")->state, NH_UNRESOLVED);
}

static void multipath_is_shared_by_weight_among_the_living(void **state)
{
	(void)state;
	tell(hop(via("172.16.0.0/16", LAN, GW1), WAN, "10.2.0.8", 3));
	assert_in_range(share("172.16.1.1", 9), 24, 26);
	assert_in_range(share("172.16.1.1", 8), 74, 76);
	neighbour(WAN, "10.2.0.8", NUD_FAILED, 0);
	assert_int_equal(share("172.16.1.1", 9), 100);
	neighbour(WAN, "10.2.0.8", NUD_REACHABLE, 0xaa);
	assert_in_range(share("172.16.1.1", 8), 74, 76);
	link_is(LAN, "lan", IFF_UP); /* no carrier */
	assert_int_equal(share("172.16.1.1", 8), 100);
	link_is(LAN, "lan", UP);
	assert_in_range(share("172.16.1.1", 9), 24, 26);
	link_is(LAN, "lan", 0);
	assert_int_equal(share("172.16.1.1", 8), 100);
	link_is(WAN, "wan", 0); /* the last one: Linux withdraws the route, silently */
	assert_null(find("172.16.1.1"));
}

/* RTNH_F_DEAD in a dump is not for ever. */
static void dead_hops_come_back_with_their_link(void **state)
{
	struct netlink_route *r;

	(void)state;
	link_is(WAN, "wan", 0);
	r = hop(via("172.16.0.0/16", LAN, GW1), WAN, GW2, 1);
	r->hops[1].flags = RTNH_F_DEAD | RTNH_F_LINKDOWN;
	r->hops[1].via.bytes[3] = 8;
	tell(r);
	assert_int_equal(share("172.16.1.1", 9), 100);
	link_is(WAN, "wan", UP);
	assert_in_range(share("172.16.1.1", 8), 49, 51);
	address(WAN, "10.2.0.1/24", true); /* without an address there is no IPv4 on it */
	assert_int_equal(share("172.16.1.1", 9), 100);
	address(WAN, "10.2.0.1/24", false);
	assert_in_range(share("172.16.1.1", 8), 49, 51);
	link_deleted(WAN);
	assert_null(find("172.16.1.1"));
}

static void nexthop_objects_are_followed(void **state)
{
	struct netlink_route *r;

	(void)state;
	object(1, LAN, GW1);
	object(2, WAN, "10.2.0.8");
	group(5, 1, 2);
	r = route_to("172.16.0.0/16");
	r->nhid = 1;
	tell(r);
	r = route_to("172.17.0.0/16");
	r->nhid = 5;
	tell(r);
	assert_int_equal(gateway_of("172.16.1.1"), 9);
	assert_in_range(share("172.17.1.1", 8), 49, 51);
	object(1, LAN, "10.1.0.7");
	assert_int_equal(gateway_of("172.16.1.1"), 7);
	assert_in_range(share("172.17.1.1", 7), 49, 51);
	link_is(LAN, "lan", IFF_UP); /* takes object 1 and its routes along, silently */
	assert_null(find("172.16.1.1"));
	assert_int_equal(gateway_of("172.17.1.1"), 8);
	link_is(LAN, "lan", UP);
	assert_int_equal(gateway_of("172.17.1.1"), 8);
	object(2, 0, NULL); /* the last member takes the group along */
	assert_null(find("172.17.1.1"));
	assert_int_equal(s->objects.count, 0);
}

static void the_best_metric_wins(void **state)
{
	struct netlink_route *r;

	(void)state;
	for (unsigned metric = 30; metric; metric -= 10) {
		r = via("172.16.0.0/16", LAN, GW1);
		r->metric = metric;
		r->hops[0].via.bytes[3] = (uint8_t)metric;
		tell(r);
		assert_int_equal(gateway_of("172.16.1.1"), metric);
	}
	for (unsigned metric = 10; metric < 30; metric += 10) {
		r = via("172.16.0.0/16", LAN, GW1);
		r->metric = metric;
		r->hops[0].via.bytes[3] = (uint8_t)metric;
		tell_gone(r);
		assert_int_equal(gateway_of("172.16.1.1"), metric + 10);
	}
	r = via("172.16.0.0/16", LAN, GW1);
	r->tos = 16; /* is not looked at */
	tell(r);
	assert_int_equal(gateway_of("172.16.1.1"), 30);
}

static void ip4_routes_of_one_metric_have_an_order(void **state)
{
	struct netlink_route *r;

	(void)state;
	tell(via("172.16.0.0/16", LAN, "10.1.0.5"));
	r = via("172.16.0.0/16", LAN, "10.1.0.6");
	r->append = true;
	tell(r);
	assert_int_equal(gateway_of("172.16.1.1"), 5);
	tell(via("172.16.0.0/16", LAN, "10.1.0.4")); /* prepended */
	assert_int_equal(gateway_of("172.16.1.1"), 4);
	r = via("172.16.0.0/16", LAN, "10.1.0.3");
	r->replace = true; /* the first */
	tell(r);
	assert_int_equal(gateway_of("172.16.1.1"), 3);
	assert_int_equal(s->nroutes[0], 3);
	tell_gone(via("172.16.0.0/16", LAN, "10.1.0.4")); /* is not there any more */
	assert_int_equal(s->nroutes[0], 3);
	tell_gone(via("172.16.0.0/16", LAN, "10.1.0.3"));
	assert_int_equal(gateway_of("172.16.1.1"), 5);
	tell_gone(via("172.16.0.0/16", LAN, "10.1.0.5"));
	assert_int_equal(gateway_of("172.16.1.1"), 6);
}

static void ip6_siblings_come_and_go_one_by_one(void **state)
{
	const char *dst = "2001:db8:f::/48", *in = "2001:db8:f::1";
	struct netlink_route *r;

	(void)state;
	tell(via(dst, LAN, "2001:db8:1::1"));
	assert_int_equal(gateway_of(in), 1);
	tell(hop(via(dst, WAN, "2001:db8:2::2"), LAN, "2001:db8:1::1", 1)); /* all are told */
	assert_in_range(share(in, 2), 49, 51);
	assert_int_equal(s->nroutes[1], 1);
	tell(hop(route_to(dst), OTHER, NULL, 1)); /* no gateway: no sibling */
	assert_int_equal(s->nroutes[1], 2);
	tell_gone(via(dst, LAN, "2001:db8:1::1")); /* the one that goes */
	assert_int_equal(gateway_of(in), 2);
	r = via(dst, LAN, "2001:db8:1::3");
	r->replace = true;
	tell(r);
	assert_int_equal(gateway_of(in), 3);
	assert_int_equal(s->nroutes[1], 2);
	tell_gone(via(dst, LAN, "2001:db8:1::3"));
	assert_int_equal(type_of(in), NH_FOREIGN);
	r = hop(route_to(dst), OTHER, NULL, 1);
	r->mtu = 1400; /* Linux changes it silently with the device's */
	tell_gone(r);
	assert_null(find(in));
}

static void ip6_replaces_the_first_of_its_kind(void **state)
{
	const char *dst = "2001:db8:f::/48", *in = "2001:db8:f::1";
	struct netlink_route *r;

	(void)state;
	tell(hop(route_to(dst), LAN, NULL, 1));
	tell(hop(route_to(dst), WAN, NULL, 1));
	r = hop(route_to(dst), WAN, NULL, 1);
	r->replace = true;
	tell(r); /* not the one it equals */
	assert_int_equal(s->nroutes[1], 2);
	assert_int_equal(find(in)->port, 1);
	tell_gone(hop(route_to(dst), WAN, NULL, 1)); /* one of the twins */
	assert_int_equal(find(in)->port, 1);
	tell_gone(hop(route_to(dst), WAN, NULL, 1));
	assert_null(find(in));
}

static void a_dump_passes_over_routes_between_ip6_siblings(void **state)
{
	const char *dst = "2001:db8:f::/48", *in = "2001:db8:f::1";

	(void)state;
	tell(via(dst, LAN, "2001:db8:1::1"));
	tell(hop(route_to(dst), LAN, NULL, 1));
	tell(hop(via(dst, WAN, "2001:db8:2::2"), LAN, "2001:db8:1::1", 1));
	assert_int_equal(s->nroutes[1], 2);
	for (unsigned i = 0; i < 2; i++) {
		state_netlink_ops.sync_begin(s);
		link_is(LAN, "lan", UP);
		link_is(WAN, "wan", UP);
		link_is(OTHER, "other", UP);
		if (i == 0)
			tell(hop(via(dst, WAN, "2001:db8:2::2"), LAN, "2001:db8:1::1", 1));
		state_netlink_ops.sync_end(s);
		assert_int_equal(s->nroutes[1], i == 0 ? 2 : 0);
	}
	assert_null(find(in));
}

static void one_prefix_on_two_interfaces(void **state)
{
	const char *dst = "2001:db8:1::/64", *in = "2001:db8:1::5";

	(void)state;
	tell(hop(route_to(dst), LAN, NULL, 1));
	tell(hop(route_to(dst), WAN, NULL, 1));
	assert_int_equal(find(in)->port, 0);
	tell_gone(hop(route_to(dst), LAN, NULL, 1));
	assert_int_equal(find(in)->port, 1);
	tell_gone(hop(route_to(dst), WAN, NULL, 1));
	assert_null(find(in));
}

static void special_types(void **state)
{
	static const struct {
		uint8_t type;
		int nh;
	} types[] = {
		{ RTN_BLACKHOLE, NH_BLACKHOLE }, { RTN_UNREACHABLE, NH_UNREACHABLE },
		{ RTN_PROHIBIT, NH_PROHIBIT },	 { RTN_THROW, NH_THROW },
		{ RTN_LOCAL, NH_LOCAL },	 { RTN_BROADCAST, NH_BROADCAST },
		{ RTN_ANYCAST, NH_LOCAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct netlink_route *r = route_to("172.16.0.0/16");

		r->type = types[i].type;
		tell(r);
		assert_int_equal(type_of("172.16.1.1"), types[i].nh);
		tell_gone(r);
		assert_null(find("172.16.1.1"));
	}
	tell(via("172.16.0.0/16", OTHER, "10.3.0.1"));
	assert_int_equal(type_of("172.16.1.1"), NH_FOREIGN);
	state_port(s, state_link(s, OTHER), 2); /* becomes ours */
	assert_int_equal(gateway_of("172.16.1.1"), 1);
	state_port(s, state_link(s, OTHER), IFACE_NONE);
	assert_int_equal(type_of("172.16.1.1"), NH_FOREIGN);
}

static void preferred_sources_take_their_routes_along(void **state)
{
	struct netlink_route *r = via("172.16.0.0/16", LAN, GW1);

	(void)state;
	address(WAN, "10.9.0.1/32", false);
	address(LAN, "10.9.0.1/24", false);
	r->prefsrc = prefix("10.9.0.1").addr;
	tell(r);
	address(LAN, "10.9.0.1/24", true); /* still on the other */
	assert_int_equal(gateway_of("172.16.1.1"), 9);
	address(WAN, "10.9.0.1/32", true);
	assert_null(find("172.16.1.1"));
}

static void prefer(const char *dst, const char *src, uint32_t table, bool replace)
{
	struct netlink_route *r = via(dst, LAN, GW1);

	r->table = table;
	r->replace = replace;
	if (src)
		r->prefsrc = prefix(src).addr;
	tell(r);
}

/* Routes of one path prefer what they like, and may change their minds. */
static void preferred_sources_leave_others_alone(void **state)
{
	(void)state;
	address(LAN, "10.9.0.1/24", false);
	address(LAN, "10.9.0.2/24", false);
	prefer("172.16.0.0/16", "10.9.0.1", TABLE_MAIN, false);
	prefer("172.17.0.0/16", NULL, TABLE_MAIN, false);
	prefer("172.18.0.0/16", "10.9.0.2", TABLE_MAIN, false);
	prefer("172.19.0.0/16", "10.9.0.2", TABLE_MAIN, false);
	prefer("172.19.0.0/16", "10.9.0.1", TABLE_MAIN, true);
	prefer("172.20.0.0/16", "10.9.0.2", 70000, false);
	assert_int_equal(s->nroutes[0], 5);
	address(LAN, "10.9.0.2/24", true);
	assert_int_equal(s->nroutes[0], 4);
	assert_null(find("172.18.1.1"));
	address(LAN, "10.9.0.1/24", true);
	assert_int_equal(s->nroutes[0], 2);
	assert_int_equal(gateway_of("172.17.1.1"), 9);
}

static void vlan_header_and_vrf_table(void **state)
{
	struct netlink_link l = { .ifindex = VLAN,
				  .name = "lan.7",
				  .kind = "vlan",
				  .link = LAN,
				  .vlan_id = 7,
				  .vlan_proto = 0x8100,
				  .has_mac = true,
				  .mtu = 1500,
				  .flags = UP };
	struct netlink_link red = {
		.ifindex = RED, .name = "red", .kind = "vrf", .vrf_table = 70000, .flags = UP
	};
	struct netlink_route *r;

	(void)state;
	state_netlink_ops.link(s, &l);
	tell(via("172.16.0.0/16", VLAN, GW1));
	assert_int_equal(find("172.16.1.1")->hlen, 18);
	assert_memory_equal(find("172.16.1.1")->l2 + 12, "\x81\0\0\x07", 4);
	assert_int_equal(find("172.16.1.1")->port, 0);
	l.master = RED; /* told of before its master is */
	state_netlink_ops.link(s, &l);
	state_netlink_ops.link(s, &red);
	r = via("172.18.0.0/16", VLAN, GW1);
	r->table = 70000;
	tell(r);
	state_publish(s);
	assert_ptr_equal(s->config->iface[state_link(s, VLAN)->iface].fib4,
			 state_fib(s, 70000, AF_INET, false));
	assert_int_not_equal(slot_in(70000, "172.18.1.1"), 0);
	assert_int_equal(slot_in(TABLE_MAIN, "172.18.1.1"), 0);
	assert_int_equal(slot_in(70000, "172.19.1.1"), 0);
}

/* How many lines the log has when Linux tells of a VRF of this table. */
static unsigned lines_about(uint32_t table)
{
	struct netlink_link red = {
		.ifindex = RED, .name = "red", .kind = "vrf", .vrf_table = table, .flags = UP
	};
	int is_stderr = dup(STDERR_FILENO), c;
	FILE *log = tmpfile();
	unsigned lines = 0;

	assert_non_null(log);
	dup2(fileno(log), STDERR_FILENO);
	state_netlink_ops.link(s, &red);
	dup2(is_stderr, STDERR_FILENO);
	close(is_stderr);
	rewind(log);
	while ((c = fgetc(log)) != EOF)
		lines += c == '\n';
	fclose(log);
	return lines;
}

/* Zones have 16 bits: said once of each larger table. */
static void vrfs_that_share_a_zone_are_told_of(void **state)
{
	(void)state;
	assert_int_equal(lines_about(65535), 0);
	assert_int_equal(lines_about(65536), 1);
	assert_int_equal(lines_about(65536), 0);
	assert_int_equal(lines_about(65537), 1);
	assert_int_equal(lines_about(100), 0);
}

static void resync_sweeps_what_it_has_not_seen(void **state)
{
	struct netlink_route *r;

	(void)state;
	tell(via("172.16.0.0/16", LAN, "10.1.0.5"));
	r = via("172.16.0.0/16", LAN, "10.1.0.6");
	r->append = true;
	tell(r);
	tell(via("172.17.0.0/16", WAN, GW2));
	object(1, LAN, GW1);
	neighbour(LAN, "10.1.0.77", NUD_REACHABLE, 0xaa);
	state_netlink_ops.sync_begin(s);
	link_is(LAN, "lan", UP);
	link_is(OTHER, "other", UP);
	tell(via("172.16.0.0/16", LAN, "10.1.0.6")); /* it is the first by now */
	tell(via("172.16.0.0/16", LAN, "10.1.0.5"));
	assert_int_equal(gateway_of("172.16.1.1"), 6);
	assert_int_equal(gateway_of("172.17.1.1"), 9); /* until the end */
	state_netlink_ops.sync_end(s);
	state_netlink_ops.batch_end(s);
	assert_int_equal(gateway_of("172.16.1.1"), 6);
	assert_null(find("172.17.1.1"));
	assert_null(state_link(s, WAN));
	assert_null(state_link(s, LAN)->addrs);
	assert_int_equal(s->objects.count, 0);
	assert_null(adj_find(s, LAN, ip("10.1.0.77")));
}

static void slots_are_used_again_only_after_publication(void **state)
{
	uint32_t slot, used;

	(void)state;
	tell(via("172.16.0.0/16", LAN, GW1));
	slot = slot_in(TABLE_MAIN, "172.16.1.1");
	tell_gone(via("172.16.0.0/16", LAN, GW1));
	tell(via("172.17.0.0/16", WAN, GW2));
	assert_int_not_equal(slot_in(TABLE_MAIN, "172.17.1.1"), slot);
	assert_int_equal(nh_get(&s->nht, slot)->type, NH_ADJ); /* a reader may still be there */
	state_publish(s);
	assert_null(nh_get(&s->nht, slot));
	used = s->slots_used;
	tell(via("172.18.0.0/16", WAN, "10.2.0.7"));
	assert_int_equal(s->slots_used, used);
}

static bool file_says_so;

static void broadcasts_on_wan(void *arg, const struct link *l, struct dp_iface *f)
{
	(void)arg;
	f->directed_broadcast = file_says_so && l->l.ifindex == WAN;
}

/* F6: a next hop that sends them, as soon as the file says so; then XDP must not leave them to
 * Linux. And nobody's source is one (F4). */
static void broadcasts_go_out_where_the_file_says(void **state)
{
	struct netlink_addr a = { .ifindex = WAN, .local = prefix("10.2.5.1/24") };
	struct netlink_route *r = hop(route_to("10.2.5.255/32"), WAN, NULL, 1);
	struct addr locals[32];
	unsigned n, to_linux;
	uint32_t bit;

	(void)state;
	s->iface_settings = broadcasts_on_wan;
	a.broadcast = prefix("10.2.5.255").addr;
	state_netlink_ops.addr(s, &a);
	r->type = RTN_BROADCAST;
	r->table = TABLE_LOCAL;
	tell(r);
	state_publish(s);
	bit = own_bit(a.broadcast.v4);
	assert_true(s->config->own4[bit / 64] >> (bit % 64) & 1);
	for (int on = 0; on < 3; on++) { /* off, on, off */
		file_says_so = on == 1;
		state_rename(s);
		assert_int_equal(type_of("10.2.5.255"), NH_BROADCAST);
		assert_int_equal(nh_broadcasts(find("10.2.5.255"), IFACE_NONE), on == 1);
		n = state_local_addrs(s, locals, 32);
		to_linux = 0;
		for (unsigned i = 0; i < n; i++)
			to_linux += addr_equal(&locals[i], &a.broadcast);
		assert_int_equal(to_linux, on != 1);
		if (on != 1)
			continue;
		assert_memory_equal(find("10.2.5.255")->l2, "\377\377\377\377\377\377\2\0\0\0\0\3",
				    12);
		assert_int_equal(find("10.2.5.255")->port, 1);
		link_is(WAN, "wan", IFF_UP); /* no carrier */
		assert_false(nh_broadcasts(find("10.2.5.255"), IFACE_NONE));
		link_is(WAN, "wan", UP);
		assert_true(nh_broadcasts(find("10.2.5.255"), IFACE_NONE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, network_up, network_down)
		T(connected_networks_are_gleaned),
		T(gateways_are_resolved_and_fail),
		T(multipath_is_shared_by_weight_among_the_living),
		T(dead_hops_come_back_with_their_link),
		T(nexthop_objects_are_followed),
		T(the_best_metric_wins),
		T(ip4_routes_of_one_metric_have_an_order),
		T(ip6_siblings_come_and_go_one_by_one),
		T(ip6_replaces_the_first_of_its_kind),
		T(a_dump_passes_over_routes_between_ip6_siblings),
		T(one_prefix_on_two_interfaces),
		T(special_types),
		T(preferred_sources_take_their_routes_along),
		T(preferred_sources_leave_others_alone),
		T(vlan_header_and_vrf_table),
		T(vrfs_that_share_a_zone_are_told_of),
		T(resync_sweeps_what_it_has_not_seen),
		T(slots_are_used_again_only_after_publication),
		T(broadcasts_go_out_where_the_file_says),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
