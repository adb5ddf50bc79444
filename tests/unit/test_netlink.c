/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/ctl/netlink_parse: what whole messages say, and attributes that lie about themselves. */
#include "tests/unit/netlink_messages.h"

static void links(void **state)
{
	struct nlmsghdr *h = link_message();
	struct netlink_link l;
	struct nlattr *info, *data;

	(void)state;
	assert_true(netlink_parse_link(h, &l));
	assert_false(l.deleted);
	assert_int_equal(l.ifindex, 7);
	assert_string_equal(l.name, "lan.5");
	assert_string_equal(l.kind, "vlan");
	assert_true(l.has_mac && l.link_foreign);
	assert_int_equal(l.mtu, 1500);
	assert_int_equal(l.flags, IFF_UP);
	assert_int_equal(l.operstate, 6);
	assert_int_equal(l.link, 3);
	assert_int_equal(l.master, 9);
	assert_int_equal(l.vlan_id, 5);
	assert_int_equal(l.vlan_proto, 0x88a8);
	assert_int_equal(l.rx_queues, 4);
	assert_int_equal(l.tx_queues, 8);
	h->nlmsg_type = RTM_DELLINK;
	assert_true(netlink_parse_link(h, &l));
	assert_true(l.deleted);
	message(&h, RTM_NEWLINK, sizeof(struct ifinfomsg));
	mnl_attr_put(h, IFLA_ADDRESS, 20, buf); /* InfiniBand: no MAC, no error */
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vrf");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_VRF_TABLE, 1001);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	assert_true(netlink_parse_link(h, &l));
	assert_int_equal(l.vrf_table, 1001);
	assert_false(l.has_mac);
	assert_false(l.link_foreign);
}

static void addresses(void **state)
{
	struct nlmsghdr *h = addr_message();
	struct ifaddrmsg *ifa;
	struct netlink_addr a;

	(void)state;
	assert_true(netlink_parse_addr(h, &a));
	prefix_is(&a.local, "192.0.2.1/24");
	addr_is(&a.broadcast, "192.0.2.255");
	assert_int_equal(a.peer.family, 0);
	assert_int_equal(a.flags, 0x280);
	assert_int_equal(a.proto, NETLINK_PROTO);
	assert_int_equal(a.ifindex, 7);
	h->nlmsg_type = RTM_DELADDR;
	assert_true(netlink_parse_addr(h, &a) && a.deleted);
	ifa = message(&h, RTM_NEWADDR, sizeof(*ifa));
	ifa->ifa_family = AF_INET6;
	ifa->ifa_prefixlen = 128;
	ifa->ifa_flags = 0x80;
	assert_false(netlink_parse_addr(h, &a)); /* no address at all */
	put_addr(h, IFA_ADDRESS, "2001:db8::2");
	assert_true(netlink_parse_addr(h, &a));
	prefix_is(&a.local, "2001:db8::2/128");
	assert_int_equal(a.flags, 0x80);
	put_addr(h, IFA_LOCAL, "2001:db8::1");
	assert_true(netlink_parse_addr(h, &a));
	prefix_is(&a.local, "2001:db8::1/128");
	addr_is(&a.peer, "2001:db8::2");
	ifa->ifa_prefixlen = 129;
	assert_false(netlink_parse_addr(h, &a));
}

static void multipath_routes(void **state)
{
	struct nlmsghdr *h = route_message();
	struct netlink_route r;

	(void)state;
	assert_true(netlink_parse_route(h, &r));
	prefix_is(&r.dst, "10.0.0.0/8");
	assert_true(r.replace);
	assert_false(r.append);
	assert_int_equal(r.table, 70000);
	assert_int_equal(r.metric, 20);
	assert_int_equal(r.protocol, 17);
	assert_int_equal(r.flags, RTM_F_OFFLOAD);
	assert_int_equal(r.mtu, 1400);
	addr_is(&r.prefsrc, "192.0.2.1");
	assert_int_equal(r.nhops, 3);
	assert_false(r.truncated);
	addr_is(&r.hops[0].via, "192.0.2.2");
	assert_int_equal(r.hops[0].weight, 1);
	assert_int_equal(r.hops[0].flags, RTNH_F_LINKDOWN);
	addr_is(&r.hops[1].via, "2001:db8::2");
	assert_int_equal(r.hops[1].weight, 256);
	assert_int_equal(r.hops[1].ifindex, 4);
	assert_false(r.hops[1].encap);
	assert_true(r.hops[2].encap);
	assert_int_equal(r.hops[2].via.family, 0);
	h->nlmsg_type = RTM_DELROUTE;
	assert_true(netlink_parse_route(h, &r) && r.deleted && !r.replace);
}

static void single_hop_and_special_routes(void **state)
{
	struct nlmsghdr *h;
	struct netlink_route r;
	struct rtmsg *rtm = route_start(&h, "0.0.0.0/0");

	(void)state;
	rtm->rtm_flags = RTNH_F_ONLINK | RTNH_F_DEAD;
	h->nlmsg_flags = NLM_F_APPEND;
	mnl_attr_put_u32(h, RTA_OIF, 3);
	put_via(h, "fe80::1");
	assert_true(netlink_parse_route(h, &r));
	prefix_is(&r.dst, "0.0.0.0/0"); /* without RTA_DST */
	assert_true(r.append);
	assert_int_equal(r.table, RT_TABLE_MAIN);
	assert_int_equal(r.nhops, 1);
	assert_int_equal(r.hops[0].flags, RTNH_F_ONLINK | RTNH_F_DEAD);
	assert_int_equal(r.flags, 0);
	addr_is(&r.hops[0].via, "fe80::1");
	rtm = route_start(&h, "10.1.0.0/16");
	rtm->rtm_type = RTN_BLACKHOLE;
	assert_true(netlink_parse_route(h, &r));
	assert_int_equal(r.nhops, 0);
	assert_int_equal(r.type, RTN_BLACKHOLE);
	route_start(&h, "10.1.0.0/16");
	mnl_attr_put_u32(h, RTA_NH_ID, 42);
	assert_true(netlink_parse_route(h, &r));
	assert_int_equal(r.nhid, 42);
	rtm = route_start(&h, "2001:db8::/32");
	rtm->rtm_src_len = 48;
	put_addr(h, RTA_SRC, "2001:db8:1::");
	mnl_attr_put_u32(h, RTA_OIF, 3);
	assert_true(netlink_parse_route(h, &r));
	prefix_is(&r.src, "2001:db8:1::/48");
	assert_int_equal(r.hops[0].weight, 1);
}

static void hops_beyond_the_most_are_left_out(void **state)
{
	struct nlmsghdr *h;
	struct nlattr *nest;
	struct netlink_route r;

	(void)state;
	for (int n = NETLINK_HOPS_MAX; n <= NETLINK_HOPS_MAX + 1; n++) {
		route_start(&h, "10.0.0.0/8");
		nest = mnl_attr_nest_start(h, RTA_MULTIPATH);
		for (int i = 0; i < n; i++)
			nexthop_put(h, i + 1, 0, "192.0.2.2", NULL, false);
		mnl_attr_nest_end(h, nest);
		assert_true(netlink_parse_route(h, &r));
		assert_int_equal(r.nhops, NETLINK_HOPS_MAX);
		assert_int_equal(r.truncated, n > NETLINK_HOPS_MAX);
		assert_int_equal(r.hops[NETLINK_HOPS_MAX - 1].ifindex, NETLINK_HOPS_MAX);
	}
}

static void nexthops(void **state)
{
	static struct nexthop_grp many[NETLINK_HOPS_MAX + 1];
	struct nlmsghdr *h = nexthop_message();
	struct netlink_nexthop n;
	struct nhmsg *nhm;

	(void)state;
	assert_true(netlink_parse_nexthop(h, &n));
	assert_int_equal(n.id, 8);
	assert_true(n.resilient);
	assert_int_equal(n.buckets, 128);
	assert_int_equal(n.idle_cs, 12000);
	assert_int_equal(n.unbalanced_cs, 500);
	assert_int_equal(n.nmembers, 2);
	assert_int_equal(n.members[0].weight, 1);
	assert_int_equal(n.members[1].id, 7);
	assert_int_equal(n.members[1].weight, 10);
	assert_false(n.truncated);
	nhm = message(&h, RTM_DELNEXTHOP, sizeof(*nhm));
	nhm->nh_family = AF_INET6;
	nhm->nh_flags = RTNH_F_ONLINK;
	assert_false(netlink_parse_nexthop(h, &n)); /* no id */
	mnl_attr_put_u32(h, NHA_ID, 9);
	mnl_attr_put_u32(h, NHA_OIF, 3);
	put_addr(h, NHA_GATEWAY, "fe80::1");
	mnl_attr_put(h, NHA_FDB, 0, NULL);
	assert_true(netlink_parse_nexthop(h, &n));
	assert_true(n.deleted && n.fdb && !n.blackhole && !n.encap);
	assert_int_equal(n.hop.ifindex, 3);
	assert_int_equal(n.hop.flags, RTNH_F_ONLINK);
	addr_is(&n.hop.via, "fe80::1");
	message(&h, RTM_NEWNEXTHOP, sizeof(*nhm));
	mnl_attr_put_u32(h, NHA_ID, 9);
	mnl_attr_put(h, NHA_BLACKHOLE, 0, NULL);
	mnl_attr_put(h, NHA_GROUP, sizeof(many), many);
	assert_true(netlink_parse_nexthop(h, &n));
	assert_true(n.blackhole && n.truncated && !n.resilient);
	assert_int_equal(n.nmembers, NETLINK_HOPS_MAX);
	many[0].weight = 0xff; /* weights of 16 bits, since 6.12 */
	((uint8_t *)&many[0])[5] = 0xff;
	message(&h, RTM_NEWNEXTHOP, sizeof(*nhm));
	mnl_attr_put_u32(h, NHA_ID, 9);
	mnl_attr_put(h, NHA_GROUP, sizeof(many[0]), many);
	assert_true(netlink_parse_nexthop(h, &n));
	assert_int_equal(n.members[0].weight, 65536);
}

static void neighbours(void **state)
{
	struct nlmsghdr *h = neigh_message();
	struct netlink_neigh n;
	struct ndmsg *ndm = mnl_nlmsg_get_payload(h);

	(void)state;
	assert_true(netlink_parse_neigh(h, &n));
	addr_is(&n.ip, "fe80::1");
	assert_true(n.has_mac);
	assert_int_equal(n.state, NUD_REACHABLE);
	assert_int_equal(n.flags, NTF_ROUTER | NTF_EXT_MANAGED << 8);
	ndm->ndm_family = AF_BRIDGE;
	assert_false(netlink_parse_neigh(h, &n));
	ndm = message(&h, RTM_DELNEIGH, sizeof(*ndm));
	ndm->ndm_family = AF_INET;
	assert_false(netlink_parse_neigh(h, &n)); /* no NDA_DST */
	put_addr(h, NDA_DST, "192.0.2.2");
	assert_true(netlink_parse_neigh(h, &n));
	assert_true(n.deleted && !n.has_mac);
}

static void rules(void **state)
{
	struct nlmsghdr *h = rule_message();
	struct fib_rule_hdr *frh;
	struct netlink_rule r;

	(void)state;
	assert_true(netlink_parse_rule(h, &r));
	assert_false(r.deleted || r.unknown || r.l3mdev);
	assert_int_equal(r.family, AF_INET6);
	assert_int_equal(r.action, FR_ACT_TO_TBL);
	assert_true(r.invert);
	prefix_is(&r.from, "2001:db8::/32");
	prefix_is(&r.to, "::/0");
	assert_string_equal(r.iif, "lan0");
	assert_string_equal(r.oif, "");
	assert_int_equal(r.priority, 100);
	assert_int_equal(r.table, 70000);
	assert_int_equal(r.mark, 0x10);
	assert_int_equal(r.mark_mask, 0xff);
	assert_int_equal(r.suppress_len, 0);
	assert_int_equal(r.suppress_group, -1);
	assert_int_equal(r.protocol, NETLINK_PROTO);
	assert_int_equal(r.ipproto, IPPROTO_UDP);
	assert_true(r.sport.first == 1000 && r.sport.last == 1999 && r.sport.mask == 0xfff0);
	assert_true(r.dport.first == 53 && r.dport.last == 53 && !r.dport.mask);
	assert_true(r.has_uid && r.uid_first == 0 && r.uid_last == 1000);
	assert_int_equal(r.tun_id, 0x102);
	assert_true(r.has_dscp && r.dscp == 46 && r.dscp_mask == 0x3f);
	assert_int_equal(r.label, 0x12345);
	assert_int_equal(r.label_mask, 0xfff00);
	h->nlmsg_type = RTM_DELRULE;
	assert_true(netlink_parse_rule(h, &r) && r.deleted);
	mnl_attr_put_u8(h, 31, 1); /* of a kernel that has more */
	assert_true(netlink_parse_rule(h, &r) && r.unknown);
	frh = message(&h, RTM_NEWRULE, sizeof(*frh));
	frh->family = AF_INET;
	frh->action = FR_ACT_GOTO;
	mnl_attr_put_u32(h, FRA_GOTO, 300);
	mnl_attr_put_u32(h, FRA_FWMARK, 7); /* all of its bits */
	assert_true(netlink_parse_rule(h, &r) && !r.unknown);
	assert_int_equal(r.target, 300);
	assert_int_equal(r.mark_mask, UINT32_MAX);
	assert_int_equal(r.suppress_len, -1);
	frh->action = FR_ACT_RES3;
	assert_true(netlink_parse_rule(h, &r) && r.unknown);
	frh->src_len = 33;
	put_addr(h, FRA_SRC, "10.0.0.0");
	assert_false(netlink_parse_rule(h, &r));
	frh->src_len = 0;
	frh->family = 128; /* of multicast routing */
	assert_false(netlink_parse_rule(h, &r));
}

/* Each of these is one attribute that lies about itself. */
static void lying_attributes(void **state)
{
	struct nlmsghdr *h;
	struct nlattr *nest;
	struct rtnexthop *nh;
	struct netlink_route r;
	struct netlink_link l;

	(void)state;
	route_start(&h, "10.0.0.0/8")->rtm_dst_len = 33;
	assert_false(netlink_parse_route(h, &r));
	route_start(&h, "0.0.0.0/0")->rtm_dst_len = 8; /* but no RTA_DST */
	assert_false(netlink_parse_route(h, &r));
	route_start(&h, "2001:db8::/32");
	put_addr(h, RTA_GATEWAY, "192.0.2.2"); /* too short for IPv6 */
	assert_false(netlink_parse_route(h, &r));
	route_start(&h, "10.0.0.0/8");
	mnl_attr_put_u16(h, RTA_TABLE, 1);
	assert_false(netlink_parse_route(h, &r));
	route_start(&h, "10.0.0.0/8");
	mnl_attr_put_u16(h, RTA_VIA, AF_INET6); /* a family and no address */
	assert_false(netlink_parse_route(h, &r));
	route_start(&h, "10.0.0.0/8");
	nest = mnl_attr_nest_start(h, RTA_MULTIPATH);
	nh = mnl_nlmsg_get_payload_tail(h);
	nexthop_put(h, 1, 0, NULL, NULL, false);
	mnl_attr_nest_end(h, nest);
	for (uint16_t len = 0; len < sizeof(*nh); len++) { /* 0 would never end */
		nh->rtnh_len = len;
		assert_false(netlink_parse_route(h, &r));
	}
	nh->rtnh_len = sizeof(*nh) + 1;
	assert_false(netlink_parse_route(h, &r));
	message(&h, RTM_NEWLINK, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, "sixteen-letters!");
	assert_false(netlink_parse_link(h, &l));
	message(&h, RTM_NEWLINK, sizeof(struct ifinfomsg));
	mnl_attr_put(h, IFLA_IFNAME, 4, "abcd"); /* no NUL: taken as it is */
	assert_true(netlink_parse_link(h, &l));
	assert_string_equal(l.name, "abcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),
		cmocka_unit_test(addresses),
		cmocka_unit_test(multipath_routes),
		cmocka_unit_test(single_hop_and_special_routes),
		cmocka_unit_test(hops_beyond_the_most_are_left_out),
		cmocka_unit_test(nexthops),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(rules),
		cmocka_unit_test(lying_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
