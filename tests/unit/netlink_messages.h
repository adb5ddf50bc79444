/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink messages built by hand, one of each kind we read, for the tests of the parsers. */
#ifndef TESTS_UNIT_NETLINK_MESSAGES_H
#define TESTS_UNIT_NETLINK_MESSAGES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "router/ctl/netlink.h"

#define BUF 16384

static _Alignas(8) uint8_t buf[BUF];

static inline struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static inline void put_addr(struct nlmsghdr *h, uint16_t type, const char *s)
{
	struct prefix p = prefix(s);

	mnl_attr_put(h, type, addr_bits(&p.addr) / 8, p.addr.bytes);
}

static inline void put_via(struct nlmsghdr *h, const char *s)
{
	struct prefix p = prefix(s);
	uint8_t via[18];
	uint16_t family = p.addr.family;

	memcpy(via, &family, 2);
	memcpy(via + 2, p.addr.bytes, 16);
	mnl_attr_put(h, RTA_VIA, 2 + addr_bits(&p.addr) / 8, via);
}

static inline void addr_is(const struct addr *a, const char *s)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_format(a, text), s);
}

static inline void prefix_is(const struct prefix *p, const char *s)
{
	char text[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, text), s);
}

static inline void *message(struct nlmsghdr **h, uint16_t type, size_t fixed)
{
	memset(buf, 0, sizeof(buf));
	*h = mnl_nlmsg_put_header(buf);
	(*h)->nlmsg_type = type;
	return mnl_nlmsg_put_extra_header(*h, fixed);
}

/* ---- one whole message of each kind */

static inline struct nlmsghdr *link_message(void)
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

static inline struct nlmsghdr *addr_message(void)
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

static inline struct rtmsg *route_start(struct nlmsghdr **h, const char *dst)
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

static inline void nexthop_put(struct nlmsghdr *h, int ifindex, uint8_t hops, const char *gw,
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

static inline struct nlmsghdr *route_message(void)
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

static inline struct nlmsghdr *nexthop_message(void)
{
	static const struct nexthop_grp group[] = { { .id = 5, .weight = 0 },
						    { .id = 7, .weight = 9 } };
	struct nlmsghdr *h;
	struct nhmsg *nhm = message(&h, RTM_NEWNEXTHOP, sizeof(*nhm));
	struct nlattr *nest;

	nhm->nh_protocol = 17;
	mnl_attr_put_u32(h, NHA_ID, 8);
	mnl_attr_put(h, NHA_GROUP, sizeof(group), group);
	mnl_attr_put_u16(h, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_RES);
	nest = mnl_attr_nest_start(h, NHA_RES_GROUP);
	mnl_attr_put_u16(h, NHA_RES_GROUP_BUCKETS, 128);
	mnl_attr_put_u32(h, NHA_RES_GROUP_IDLE_TIMER, 12000);
	mnl_attr_put_u32(h, NHA_RES_GROUP_UNBALANCED_TIMER, 500);
	mnl_attr_nest_end(h, nest);
	return h;
}

static inline struct nlmsghdr *neigh_message(void)
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

/* Attributes of Linux 6.14 and 6.15. */
enum { FRA_DSCP_ = 25, FRA_FLOWLABEL_, FRA_FLOWLABEL_MASK_, FRA_SPORT_MASK_ };

static inline struct nlmsghdr *rule_message(void)
{
	struct fib_rule_port_range sport = { 1000, 1999 }, dport = { 53, 53 };
	struct fib_rule_uid_range uid = { 0, 1000 };
	struct nlmsghdr *h;
	struct fib_rule_hdr *frh = message(&h, RTM_NEWRULE, sizeof(*frh));

	frh->family = AF_INET6;
	frh->src_len = 32;
	frh->action = FR_ACT_TO_TBL;
	frh->table = 252; /* RT_TABLE_COMPAT: see FRA_TABLE */
	frh->flags = FIB_RULE_INVERT;
	put_addr(h, FRA_SRC, "2001:db8::");
	mnl_attr_put_strz(h, FRA_IIFNAME, "lan0");
	mnl_attr_put_u32(h, FRA_PRIORITY, 100);
	mnl_attr_put_u32(h, FRA_TABLE, 70000);
	mnl_attr_put_u32(h, FRA_FWMARK, 0x10);
	mnl_attr_put_u32(h, FRA_FWMASK, 0xff);
	mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	mnl_attr_put_u8(h, FRA_PROTOCOL, NETLINK_PROTO);
	mnl_attr_put_u8(h, FRA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put(h, FRA_SPORT_RANGE, sizeof(sport), &sport);
	mnl_attr_put(h, FRA_DPORT_RANGE, sizeof(dport), &dport);
	mnl_attr_put(h, FRA_UID_RANGE, sizeof(uid), &uid);
	mnl_attr_put(h, FRA_TUN_ID, 8, "\0\0\0\0\0\0\1\2");
	mnl_attr_put_u8(h, FRA_DSCP_, 46);
	mnl_attr_put_u32(h, FRA_FLOWLABEL_, htonl(0x12345));
	mnl_attr_put_u32(h, FRA_FLOWLABEL_MASK_, htonl(0xfff00));
	mnl_attr_put_u16(h, FRA_SPORT_MASK_, 0xfff0);
	return h;
}

#endif
