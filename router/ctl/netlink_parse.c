/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnetlink messages into plain structs (router/ctl/netlink.h), without a socket or any state.
 *
 * Every parser is total: it reads nothing beyond nlmsg_len, accepts any bytes, and says false to
 * what is not whole. An attribute that is absent leaves its field zero; one that is present but
 * shorter than its type, or that runs over the end, makes the message malformed: a kernel does not
 * send such, and half an answer would put a wrong route into the FIB. Attributes we do not know,
 * and bytes behind the part of an attribute we know, are ignored: later kernels may add them.
 *
 * Messages of families we do not mirror (bridge ports, MPLS, multicast routing) and cached
 * exceptions (RTM_F_CLONED) are not ours; they are not counted as malformed. [any]
 */
#include "router/ctl/netlink_attr.h"
#include "router/ctl/netlink_internal.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>

#define RTNH_FLAGS_MASK 0xffu /* rtm_flags and nh_flags: RTNH_F_* below, RTM_F_* above */

/* ---- what is ours */

/* Each of our messages begins with its family. */
static uint8_t message_family(const struct nlmsghdr *h)
{
	return *(const uint8_t *)mnl_nlmsg_get_payload(h);
}

/* False: whole perhaps, but not for us. */
static bool message_ours(const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);

	if (!message_holds(h, sizeof(uint8_t)))
		return h->nlmsg_type >= RTM_BASE; /* the parser will call it malformed */
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: return message_family(h) == AF_UNSPEC; /* AF_BRIDGE: a port of a bridge */
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return family_known(message_family(h)) &&
		       !(message_holds(h, sizeof(*rtm)) && (rtm->rtm_flags & RTM_F_CLONED));
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
	case RTM_NEWRULE: /* RTNL_FAMILY_IPMR: of multicast routing */
	case RTM_DELRULE: return family_known(message_family(h));
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP: return true;
	default: return false;
	}
}

/* True when h is ours, of one of the two types, and holds its fixed header. */
static bool message_is(const struct nlmsghdr *h, uint16_t new, uint16_t del, size_t fixed)
{
	return (h->nlmsg_type == new || h->nlmsg_type == del) && message_holds(h, fixed) &&
	       message_ours(h);
}

/* ---- links */

static bool vlan_parse(const struct nlattr *a, struct netlink_link *out)
{
	const struct nlattr *tb[IFLA_VLAN_PROTOCOL + 1];

	return nested_index(a, tb, IFLA_VLAN_PROTOCOL) &&
	       attr_copy(tb[IFLA_VLAN_ID], &out->vlan_id, sizeof(out->vlan_id)) &&
	       attr_be16(tb[IFLA_VLAN_PROTOCOL], &out->vlan_proto);
}

static bool vrf_parse(const struct nlattr *a, struct netlink_link *out)
{
	const struct nlattr *tb[IFLA_VRF_TABLE + 1];

	return nested_index(a, tb, IFLA_VRF_TABLE) && attr_u32(tb[IFLA_VRF_TABLE], &out->vrf_table);
}

static bool link_kind_parse(const struct nlattr *linkinfo, struct netlink_link *out)
{
	const struct nlattr *tb[IFLA_INFO_DATA + 1];

	if (!linkinfo)
		return true;
	if (!nested_index(linkinfo, tb, IFLA_INFO_DATA) ||
	    !attr_string(tb[IFLA_INFO_KIND], out->kind, sizeof(out->kind)))
		return false;
	if (tb[IFLA_INFO_DATA] && !strcmp(out->kind, "vlan"))
		return vlan_parse(tb[IFLA_INFO_DATA], out);
	if (tb[IFLA_INFO_DATA] && !strcmp(out->kind, "vrf"))
		return vrf_parse(tb[IFLA_INFO_DATA], out);
	return true;
}

bool netlink_parse_link(const struct nlmsghdr *h, struct netlink_link *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_LINK_NETNSID + 1];

	if (!message_is(h, RTM_NEWLINK, RTM_DELLINK, sizeof(*ifi)) ||
	    !message_index(h, sizeof(*ifi), tb, IFLA_LINK_NETNSID))
		return false;
	memset(out, 0, sizeof(*out));
	out->deleted = h->nlmsg_type == RTM_DELLINK;
	out->ifindex = ifi->ifi_index;
	out->flags = ifi->ifi_flags;
	out->link_foreign = tb[IFLA_LINK_NETNSID] != NULL;
	attr_mac(tb[IFLA_ADDRESS], &out->has_mac, out->mac);
	return attr_string(tb[IFLA_IFNAME], out->name, sizeof(out->name)) &&
	       attr_u32(tb[IFLA_MTU], &out->mtu) && attr_u8(tb[IFLA_OPERSTATE], &out->operstate) &&
	       attr_ifindex(tb[IFLA_LINK], &out->link) &&
	       attr_ifindex(tb[IFLA_MASTER], &out->master) &&
	       attr_u32(tb[IFLA_NUM_RX_QUEUES], &out->rx_queues) &&
	       attr_u32(tb[IFLA_NUM_TX_QUEUES], &out->tx_queues) &&
	       link_kind_parse(tb[IFLA_LINKINFO], out);
}

/* ---- addresses */

bool netlink_parse_addr(const struct nlmsghdr *h, struct netlink_addr *out)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFA_PROTO + 1];
	struct addr address = { 0 };

	if (!message_is(h, RTM_NEWADDR, RTM_DELADDR, sizeof(*ifa)) ||
	    !message_index(h, sizeof(*ifa), tb, IFA_PROTO))
		return false;
	memset(out, 0, sizeof(*out));
	out->deleted = h->nlmsg_type == RTM_DELADDR;
	out->ifindex = (int)ifa->ifa_index;
	out->local.len = ifa->ifa_prefixlen;
	out->scope = ifa->ifa_scope;
	out->flags = ifa->ifa_flags;
	if (!attr_addr(tb[IFA_LOCAL], ifa->ifa_family, &out->local.addr) ||
	    !attr_addr(tb[IFA_ADDRESS], ifa->ifa_family, &address) ||
	    !attr_addr(tb[IFA_BROADCAST], ifa->ifa_family, &out->broadcast) ||
	    !attr_u32(tb[IFA_FLAGS], &out->flags) || !attr_u8(tb[IFA_PROTO], &out->proto))
		return false;
	/* IFA_ADDRESS is the peer of a point-to-point link, and the same as IFA_LOCAL elsewhere */
	if (!tb[IFA_LOCAL])
		out->local.addr = address;
	else if (!addr_equal(&address, &out->local.addr))
		out->peer = address;
	return out->local.addr.family && out->local.len <= addr_bits(&out->local.addr);
}

/* ---- hops, routes */

/* A gateway of the other family (RFC 8950): RTA_VIA is struct rtvia, the family in host order. */
static bool attr_via(const struct nlattr *a, struct addr *out)
{
	uint16_t family;

	if (!a)
		return true;
	return attr_copy(a, &family, sizeof(family)) && family <= UINT8_MAX &&
	       bytes_addr((const uint8_t *)mnl_attr_get_payload(a) + sizeof(family),
			  mnl_attr_get_payload_len(a) - sizeof(family), (uint8_t)family, out);
}

/* What RTA_MULTIPATH's entries and a route's own attributes have in common. */
static bool hop_parse(const struct nlattr **tb, uint8_t family, struct netlink_hop *out)
{
	out->encap = tb[RTA_ENCAP] || tb[RTA_ENCAP_TYPE];
	return attr_addr(tb[RTA_GATEWAY], family, &out->via) && attr_via(tb[RTA_VIA], &out->via);
}

static struct netlink_hop *route_hop_new(struct netlink_route *r)
{
	struct netlink_hop *hop = &r->hops[r->nhops];

	if (r->nhops == NETLINK_HOPS_MAX) {
		r->truncated = true;
		return NULL;
	}
	memset(hop, 0, sizeof(*hop));
	r->nhops++;
	return hop;
}

static bool multipath_parse(const struct nlattr *a, uint8_t family, struct netlink_route *out)
{
	const uint8_t *at = mnl_attr_get_payload(a);
	size_t len = mnl_attr_get_payload_len(a);

	while (len) {
		const struct rtnexthop *nh = (const void *)at;
		const struct nlattr *tb[RTA_ENCAP + 1];
		struct netlink_hop *hop;
		size_t step;

		if (len < sizeof(*nh) || nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > len ||
		    !attrs_index(nh + 1, nh->rtnh_len - sizeof(*nh), tb, RTA_ENCAP))
			return false;
		hop = route_hop_new(out);
		if (!hop)
			return true;
		hop->ifindex = nh->rtnh_ifindex;
		hop->weight = nh->rtnh_hops + 1u;
		hop->flags = nh->rtnh_flags;
		if (!hop_parse(tb, family, hop))
			return false;
		step = RTNH_ALIGN((size_t)nh->rtnh_len);
		if (step >= len)
			break;
		at += step;
		len -= step;
	}
	return true;
}

static bool route_hops_parse(const struct rtmsg *rtm, const struct nlattr **tb,
			     struct netlink_route *out)
{
	struct netlink_hop *hop;

	if (tb[RTA_MULTIPATH])
		return multipath_parse(tb[RTA_MULTIPATH], rtm->rtm_family, out);
	if (!tb[RTA_OIF] && !tb[RTA_GATEWAY] && !tb[RTA_VIA] && !tb[RTA_ENCAP])
		return true;
	hop = route_hop_new(out);
	hop->weight = 1;
	hop->flags = (uint8_t)(rtm->rtm_flags & RTNH_FLAGS_MASK);
	return attr_ifindex(tb[RTA_OIF], &hop->ifindex) && hop_parse(tb, rtm->rtm_family, hop);
}

static bool route_metrics_parse(const struct nlattr *a, struct netlink_route *out)
{
	const struct nlattr *tb[RTAX_MTU + 1];

	return !a || (nested_index(a, tb, RTAX_MTU) && attr_u32(tb[RTAX_MTU], &out->mtu));
}

/* Entries of out->hops from nhops on stay as they were: a million routes are not worth 4 KB each.
 */
bool netlink_parse_route(const struct nlmsghdr *h, struct netlink_route *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_NH_ID + 1];

	if (!message_is(h, RTM_NEWROUTE, RTM_DELROUTE, sizeof(*rtm)) ||
	    !message_index(h, sizeof(*rtm), tb, RTA_NH_ID))
		return false;
	memset(out, 0, offsetof(struct netlink_route, hops));
	out->deleted = h->nlmsg_type == RTM_DELROUTE;
	out->replace = !out->deleted && (h->nlmsg_flags & NLM_F_REPLACE);
	out->append = !out->deleted && (h->nlmsg_flags & NLM_F_APPEND);
	out->dumped = h->nlmsg_flags & NLM_F_MULTI;
	out->table = rtm->rtm_table; /* of 8 bits; RTA_TABLE has them all */
	out->type = rtm->rtm_type;
	out->protocol = rtm->rtm_protocol;
	out->scope = rtm->rtm_scope;
	out->tos = rtm->rtm_tos;
	out->flags = rtm->rtm_flags & ~RTNH_FLAGS_MASK;
	return attr_prefix(tb[RTA_DST], rtm->rtm_family, rtm->rtm_dst_len, &out->dst) &&
	       attr_prefix(tb[RTA_SRC], rtm->rtm_family, rtm->rtm_src_len, &out->src) &&
	       attr_u32(tb[RTA_TABLE], &out->table) && attr_u32(tb[RTA_PRIORITY], &out->metric) &&
	       attr_u32(tb[RTA_NH_ID], &out->nhid) &&
	       attr_addr(tb[RTA_PREFSRC], rtm->rtm_family, &out->prefsrc) &&
	       route_metrics_parse(tb[RTA_METRICS], out) && route_hops_parse(rtm, tb, out);
}

/* ---- nexthop objects */

static bool group_parse(const struct nlattr *a, struct netlink_nexthop *out)
{
	const uint8_t *at = mnl_attr_get_payload(a);
	size_t n = mnl_attr_get_payload_len(a) / sizeof(struct nexthop_grp);

	if (mnl_attr_get_payload_len(a) % sizeof(struct nexthop_grp))
		return false;
	if (n > NETLINK_HOPS_MAX) {
		out->truncated = true;
		n = NETLINK_HOPS_MAX;
	}
	for (size_t i = 0; i < n; i++, at += sizeof(struct nexthop_grp)) {
		struct nexthop_grp g;

		memcpy(&g, at, sizeof(g));
		out->members[i].id = g.id;
		/* resvd1 was given to the weight's upper half in 6.12; it was zero before */
		out->members[i].weight = (at[5] * 256u + g.weight) + 1;
	}
	out->nmembers = (unsigned)n;
	return true;
}

static bool resilient_parse(const struct nlattr *a, struct netlink_nexthop *out)
{
	const struct nlattr *tb[NHA_RES_GROUP_UNBALANCED_TIMER + 1];

	return !a || (nested_index(a, tb, NHA_RES_GROUP_UNBALANCED_TIMER) &&
		      attr_copy(tb[NHA_RES_GROUP_BUCKETS], &out->buckets, sizeof(out->buckets)) &&
		      attr_u32(tb[NHA_RES_GROUP_IDLE_TIMER], &out->idle_cs) &&
		      attr_u32(tb[NHA_RES_GROUP_UNBALANCED_TIMER], &out->unbalanced_cs));
}

bool netlink_parse_nexthop(const struct nlmsghdr *h, struct netlink_nexthop *out)
{
	const struct nhmsg *nhm = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NHA_RES_GROUP + 1];
	uint16_t type = NEXTHOP_GRP_TYPE_MPATH;

	if (!message_is(h, RTM_NEWNEXTHOP, RTM_DELNEXTHOP, sizeof(*nhm)) ||
	    !message_index(h, sizeof(*nhm), tb, NHA_RES_GROUP))
		return false;
	memset(out, 0, offsetof(struct netlink_nexthop, members));
	out->deleted = h->nlmsg_type == RTM_DELNEXTHOP;
	out->family = nhm->nh_family;
	out->protocol = nhm->nh_protocol;
	out->blackhole = tb[NHA_BLACKHOLE] != NULL;
	out->fdb = tb[NHA_FDB] != NULL;
	out->encap = tb[NHA_ENCAP] || tb[NHA_ENCAP_TYPE];
	out->hop.weight = 1;
	out->hop.flags = (uint8_t)(nhm->nh_flags & RTNH_FLAGS_MASK);
	out->hop.encap = out->encap;
	if (!attr_u32(tb[NHA_ID], &out->id) || !out->id ||
	    !attr_copy(tb[NHA_GROUP_TYPE], &type, sizeof(type)) ||
	    !attr_ifindex(tb[NHA_OIF], &out->hop.ifindex) ||
	    !attr_addr(tb[NHA_GATEWAY], nhm->nh_family, &out->hop.via) ||
	    !resilient_parse(tb[NHA_RES_GROUP], out))
		return false;
	out->resilient = type == NEXTHOP_GRP_TYPE_RES;
	return !tb[NHA_GROUP] || group_parse(tb[NHA_GROUP], out);
}

/* ---- neighbours */

bool netlink_parse_neigh(const struct nlmsghdr *h, struct netlink_neigh *out)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NDA_FLAGS_EXT + 1];
	uint32_t ext = 0;

	if (!message_is(h, RTM_NEWNEIGH, RTM_DELNEIGH, sizeof(*ndm)) ||
	    !message_index(h, sizeof(*ndm), tb, NDA_FLAGS_EXT))
		return false;
	memset(out, 0, sizeof(*out));
	out->deleted = h->nlmsg_type == RTM_DELNEIGH;
	out->ifindex = ndm->ndm_ifindex;
	out->state = ndm->ndm_state;
	attr_mac(tb[NDA_LLADDR], &out->has_mac, out->mac);
	if (!tb[NDA_DST] || !attr_addr(tb[NDA_DST], ndm->ndm_family, &out->ip) ||
	    !attr_u32(tb[NDA_FLAGS_EXT], &ext))
		return false;
	out->flags = ndm->ndm_flags | ext << 8;
	return true;
}

/* ---- dispatch */

/* False: malformed. */
static bool message_deliver(const struct nlmsghdr *h, const struct netlink_ops *ops, void *arg)
{
	union {
		struct netlink_link link;
		struct netlink_addr addr;
		struct netlink_route route;
		struct netlink_nexthop nexthop;
		struct netlink_neigh neigh;
		struct netlink_rule rule;
	} u;
	bool whole = false;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		whole = netlink_parse_link(h, &u.link);
		if (whole && ops->link)
			ops->link(arg, &u.link);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		whole = netlink_parse_addr(h, &u.addr);
		if (whole && ops->addr)
			ops->addr(arg, &u.addr);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		whole = netlink_parse_route(h, &u.route);
		if (whole && ops->route)
			ops->route(arg, &u.route);
		break;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		whole = netlink_parse_nexthop(h, &u.nexthop);
		if (whole && ops->nexthop)
			ops->nexthop(arg, &u.nexthop);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		whole = netlink_parse_neigh(h, &u.neigh);
		if (whole && ops->neigh)
			ops->neigh(arg, &u.neigh);
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		whole = netlink_parse_rule(h, &u.rule);
		if (whole && ops->rule)
			ops->rule(arg, &u.rule);
		break;
	}
	return whole;
}

void netlink_dispatch(const struct nlmsghdr *h, const struct netlink_ops *ops, void *arg,
		      struct netlink_stats *stats)
{
	stats->messages++;
	if (message_ours(h) && !message_deliver(h, ops, arg))
		stats->malformed++;
}

void netlink_parse_buffer(const void *buf, size_t len, const struct netlink_ops *ops, void *arg,
			  struct netlink_stats *stats)
{
	const uint8_t *at = buf;

	while (len) {
		const struct nlmsghdr *h = (const void *)at;
		size_t step;

		if (len < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len) {
			stats->malformed++;
			return;
		}
		netlink_dispatch(h, ops, arg, stats);
		step = MNL_ALIGN((size_t)h->nlmsg_len);
		if (step >= len)
			return;
		at += step;
		len -= step;
	}
}
