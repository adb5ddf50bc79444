/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/ctl/netlink_parse: messages built by hand, cut off at every length, and with bytes
 * changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "router/ctl/netlink.h"

#define BUF 16384

static _Alignas(8) uint8_t buf[BUF];

static struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const char *s)
{
	struct prefix p = prefix(s);

	mnl_attr_put(h, type, addr_bits(&p.addr) / 8, p.addr.bytes);
}

static void put_via(struct nlmsghdr *h, const char *s)
{
	struct prefix p = prefix(s);
	uint8_t via[18];
	uint16_t family = p.addr.family;

	memcpy(via, &family, 2);
	memcpy(via + 2, p.addr.bytes, 16);
	mnl_attr_put(h, RTA_VIA, 2 + addr_bits(&p.addr) / 8, via);
}

static void addr_is(const struct addr *a, const char *s)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_format(a, text), s);
}

static void prefix_is(const struct prefix *p, const char *s)
{
	char text[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, text), s);
}

static void *message(struct nlmsghdr **h, uint16_t type, size_t fixed)
{
	memset(buf, 0, sizeof(buf));
	*h = mnl_nlmsg_put_header(buf);
	(*h)->nlmsg_type = type;
	return mnl_nlmsg_put_extra_header(*h, fixed);
}

/* ---- messages that the tests of damage use, too */

static struct nlmsghdr *link_message(void)
{
	struct nlmsghdr *h;
	struct ifinfomsg *ifi = message(&h, RTM_NEWLINK, sizeof(*ifi));
	struct nlattr *info, *data;

	ifi->ifi_index = 7;
	ifi->ifi_flags = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, "lan.5");
	mnl_attr_put(h, IFLA_ADDRESS, 6, "\2\0\0\0\0\1");
	mnl_attr_put_u32(h, IFLA_MTU, 1500);
	mnl_attr_put_u8(h, IFLA_OPERSTATE, 6);
	mnl_attr_put_u32(h, IFLA_LINK, 3);
	mnl_attr_put_u32(h, IFLA_LINK_NETNSID, 0);
	mnl_attr_put_u32(h, IFLA_MASTER, 9);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 4);
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 8);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u16(h, IFLA_VLAN_ID, 5);
	mnl_attr_put_u16(h, IFLA_VLAN_PROTOCOL, htons(0x88a8));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return h;
}

static struct nlmsghdr *addr_message(void)
{
	struct nlmsghdr *h;
	struct ifaddrmsg *ifa = message(&h, RTM_NEWADDR, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 24;
	ifa->ifa_index = 7;
	ifa->ifa_flags = 0x80;
	put_addr(h, IFA_ADDRESS, "192.0.2.1");
	put_addr(h, IFA_LOCAL, "192.0.2.1");
	put_addr(h, IFA_BROADCAST, "192.0.2.255");
	mnl_attr_put_u32(h, IFA_FLAGS, 0x280);
	mnl_attr_put_u8(h, IFA_PROTO, NETLINK_PROTO);
	return h;
}

static struct rtmsg *route_start(struct nlmsghdr **h, const char *dst)
{
	struct prefix p = prefix(dst);
	struct rtmsg *rtm = message(h, RTM_NEWROUTE, sizeof(*rtm));

	rtm->rtm_family = p.addr.family;
	rtm->rtm_dst_len = p.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_type = RTN_UNICAST;
	if (p.len)
		mnl_attr_put(*h, RTA_DST, addr_bits(&p.addr) / 8, p.addr.bytes);
	return rtm;
}

static void nexthop_put(struct nlmsghdr *h, int ifindex, uint8_t hops, const char *gw,
			const char *via, bool encap)
{
	struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(h);

	nh->rtnh_ifindex = ifindex;
	nh->rtnh_hops = hops;
	nh->rtnh_flags = RTNH_F_LINKDOWN;
	h->nlmsg_len += sizeof(*nh);
	if (gw)
		put_addr(h, RTA_GATEWAY, gw);
	if (via)
		put_via(h, via);
	if (encap) {
		mnl_attr_put_u16(h, RTA_ENCAP_TYPE, 1);
		mnl_attr_put(h, RTA_ENCAP, 8, "\0\0\0\0\0\0\0\0");
	}
	nh->rtnh_len = (uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(h) - (uint8_t *)nh);
}

static struct nlmsghdr *route_message(void)
{
	struct nlmsghdr *h;
	struct rtmsg *rtm = route_start(&h, "10.0.0.0/8");
	struct nlattr *nest;

	rtm->rtm_protocol = 17;
	rtm->rtm_flags = RTM_F_OFFLOAD;
	h->nlmsg_flags = NLM_F_REPLACE | NLM_F_CREATE;
	mnl_attr_put_u32(h, RTA_TABLE, 70000);
	mnl_attr_put_u32(h, RTA_PRIORITY, 20);
	put_addr(h, RTA_PREFSRC, "192.0.2.1");
	mnl_attr_put_u8(h, RTA_PREF, 1);
	nest = mnl_attr_nest_start(h, RTA_METRICS);
	mnl_attr_put_u32(h, RTAX_LOCK, 4);
	mnl_attr_put_u32(h, RTAX_MTU, 1400);
	mnl_attr_put_u32(h, RTAX_HOPLIMIT, 9); /* beyond what we index */
	mnl_attr_nest_end(h, nest);
	nest = mnl_attr_nest_start(h, RTA_MULTIPATH);
	nexthop_put(h, 3, 0, "192.0.2.2", NULL, false);
	nexthop_put(h, 4, 255, NULL, "2001:db8::2", false);
	nexthop_put(h, 5, 1, NULL, NULL, true);
	mnl_attr_nest_end(h, nest);
	return h;
}

static struct nlmsghdr *nexthop_message(void)
{
	static const struct nexthop_grp group[] = { { .id = 5, .weight = 0 },
						    { .id = 7, .weight = 9 } };
	struct nlmsghdr *h;
	struct nhmsg *nhm = message(&h, RTM_NEWNEXTHOP, sizeof(*nhm));

	nhm->nh_protocol = 17;
	mnl_attr_put_u32(h, NHA_ID, 8);
	mnl_attr_put(h, NHA_GROUP, sizeof(group), group);
	mnl_attr_put_u16(h, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_RES);
	return h;
}

static struct nlmsghdr *neigh_message(void)
{
	struct nlmsghdr *h;
	struct ndmsg *ndm = message(&h, RTM_NEWNEIGH, sizeof(*ndm));

	ndm->ndm_family = AF_INET6;
	ndm->ndm_ifindex = 7;
	ndm->ndm_state = NUD_REACHABLE;
	ndm->ndm_flags = NTF_ROUTER;
	put_addr(h, NDA_DST, "fe80::1");
	mnl_attr_put(h, NDA_LLADDR, 6, "\2\0\0\0\0\1");
	mnl_attr_put_u32(h, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return h;
}

/* ---- what whole messages say */

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
	assert_true(n.blackhole && n.truncated);
	assert_int_equal(n.nmembers, NETLINK_HOPS_MAX);
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

/* ---- what is not ours, and what is damaged */

static unsigned delivered;

static void count_link(void *arg, const struct netlink_link *l)
{
	(void)arg;
	(void)l;
	delivered++;
}

static void count_addr(void *arg, const struct netlink_addr *a)
{
	(void)arg;
	(void)a;
	delivered++;
}

static void count_route(void *arg, const struct netlink_route *r)
{
	(void)arg;
	assert_true(r->nhops <= NETLINK_HOPS_MAX);
	delivered++;
}

static void count_nexthop(void *arg, const struct netlink_nexthop *n)
{
	(void)arg;
	assert_true(n->nmembers <= NETLINK_HOPS_MAX);
	delivered++;
}

static void count_neigh(void *arg, const struct netlink_neigh *n)
{
	(void)arg;
	(void)n;
	delivered++;
}

static const struct netlink_ops ops = {
	.link = count_link,
	.addr = count_addr,
	.route = count_route,
	.nexthop = count_nexthop,
	.neigh = count_neigh,
};

static struct nlmsghdr *(*const whole[])(void) = {
	link_message, addr_message, route_message, nexthop_message, neigh_message,
};
#define WHOLE (sizeof(whole) / sizeof(whole[0]))

static void strangers_are_passed_over(void **state)
{
	struct netlink_stats stats = { 0 };
	struct nlmsghdr *h;
	struct rtmsg *rtm;
	struct ifinfomsg *ifi;

	(void)state;
	delivered = 0;
	rtm = route_start(&h, "10.0.0.0/8");
	rtm->rtm_flags = RTM_F_CLONED;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	rtm->rtm_flags = 0;
	rtm->rtm_family = AF_MPLS;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	ifi = message(&h, RTM_DELLINK, sizeof(*ifi)); /* a bridge let go of a port */
	ifi->ifi_family = AF_BRIDGE;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	message(&h, NLMSG_NOOP, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	message(&h, RTM_NEWRULE, 12);
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	assert_int_equal(delivered, 0);
	assert_int_equal(stats.messages, 5);
	assert_int_equal(stats.malformed, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &(struct netlink_ops){ 0 }, NULL, &stats);
	message(&h, RTM_NEWLINK, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	assert_int_equal(stats.malformed, 1);
}

static void buffers_hold_many_messages(void **state)
{
	static _Alignas(8) uint8_t many[BUF];
	struct netlink_stats stats = { 0 };
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < WHOLE; i++) {
		struct nlmsghdr *h = whole[i]();

		memcpy(many + len, h, h->nlmsg_len);
		len += MNL_ALIGN(h->nlmsg_len);
	}
	delivered = 0;
	netlink_parse_buffer(many, len, &ops, NULL, &stats);
	assert_int_equal(delivered, WHOLE);
	assert_int_equal(stats.messages, WHOLE);
	assert_int_equal(stats.malformed, 0);
	netlink_parse_buffer(many, len - 4, &ops, NULL, &stats); /* the last one is cut */
	assert_int_equal(delivered, 2 * WHOLE - 1);
	assert_int_equal(stats.malformed, 1);
}

/* In memory of just its size, so that a sanitizer sees a read beyond. */
static bool deliver_copy(const uint8_t *from, size_t len, bool set_len)
{
	struct netlink_stats stats = { 0 };
	uint8_t *copy;

	if (len > BUF)
		abort();
	copy = malloc(len ? len : 1);
	memcpy(copy, from, len);
	if (set_len && len >= sizeof(struct nlmsghdr))
		((struct nlmsghdr *)(void *)copy)->nlmsg_len = (uint32_t)len;
	delivered = 0;
	netlink_parse_buffer(copy, len, &ops, NULL, &stats);
	free(copy);
	return delivered;
}

/* Cut off by its buffer, or within its last attribute, a message is refused. */
static void cut_messages(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WHOLE; i++) {
		size_t len = whole[i]()->nlmsg_len;

		assert_true(deliver_copy(buf, len, false));
		for (size_t cut = 0; cut < len; cut++) {
			assert_false(deliver_copy(buf, cut, false));
			deliver_copy(buf, cut, true);
		}
		assert_false(deliver_copy(buf, len - 5, true));
	}
}

static void mutated_messages(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned i = 0; i < WHOLE; i++) {
		size_t len = whole[i]()->nlmsg_len;

		for (size_t at = sizeof(struct nlmsghdr); at < len; at++)
			for (unsigned value = 0; value < 256; value++) {
				uint8_t was = buf[at];

				buf[at] = (uint8_t)value;
				deliver_copy(buf, len, true);
				buf[at] = was;
			}
		for (unsigned round = 0; round < 20000; round++) {
			whole[i]();
			for (unsigned n = 0; n < 6; n++)
				buf[16 + (size_t)random() % (len - 16)] = (uint8_t)random();
			deliver_copy(buf, len, true);
		}
	}
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
		cmocka_unit_test(strangers_are_passed_over),
		cmocka_unit_test(buffers_hold_many_messages),
		cmocka_unit_test(cut_messages),
		cmocka_unit_test(mutated_messages),
		cmocka_unit_test(lying_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
