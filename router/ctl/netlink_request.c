/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we ask of Linux (router/ctl/netlink.h): addresses, routes, MTU, links up, neighbours.
 *
 * The kernel works on a request inside sendmsg(2) and queues the answer before that returns. So the
 * answer is read right behind (the socket's timeout is for a kernel that owes us one); and a
 * request that is not waited for (NTF_USE) costs one more read that finds nothing when all went
 * well. Nothing is kept about what was installed: the mirror hears of it as of any change.
 * [control]
 */
#include "router/ctl/netlink_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "router/lib/addr.h"

/* A route with NETLINK_HOPS_MAX hops, each with an interface and a gateway of the other family. */
#define HOP_MOST     (sizeof(struct rtnexthop) + MNL_ALIGN(sizeof(struct nlattr) + 2 + 16))
#define REQUEST_MOST (1024 + NETLINK_HOPS_MAX * HOP_MOST)
#define ANSWER_MOST  (2 * REQUEST_MOST) /* a refusal repeats the request */

struct request {
	struct nlmsghdr *h;
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_MOST];
};

static void *request_init(struct request *r, uint16_t type, uint16_t flags, size_t fixed)
{
	r->h = mnl_nlmsg_put_header(r->buf);
	r->h->nlmsg_type = type;
	r->h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return mnl_nlmsg_put_extra_header(r->h, fixed);
}

static size_t addr_size(const struct addr *a)
{
	return addr_bits(a) / 8;
}

static void put_addr(struct request *r, uint16_t type, const struct addr *a)
{
	if (a->family)
		mnl_attr_put(r->h, type, addr_size(a), a->bytes);
}

/* ---- questions and answers */

/* The text of an extended ack (NLMSGERR_ATTR_MSG), or NULL. It lies behind the request's header,
 * which is followed by the request's payload unless the kernel capped it. */
static const char *ack_text(const struct nlmsghdr *h, const struct nlmsgerr *e)
{
	size_t skip = MNL_NLMSG_HDRLEN + sizeof(*e);
	const struct nlattr *a;
	const char *text = NULL;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= sizeof(e->msg))
		skip += MNL_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	if (skip >= h->nlmsg_len)
		return NULL;
	mnl_attr_for_each(a, h, skip - MNL_NLMSG_HDRLEN)
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
			text = mnl_attr_get_str(a);
	return text;
}

static void why_set(char *why, int err, const char *text)
{
	if (why)
		snprintf(why, NETLINK_WHY, "%s", text ? text : strerror(-err));
}

/* Looks for the answer to the last request in n bytes: true when it is there, with its error. */
static bool answer_find(const struct netlink *nl, const void *buf, size_t n, char *why, int *err)
{
	const struct nlmsghdr *h = buf;
	int left = (int)n;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq != nl->request_seq ||
		    h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*e))
			continue;
		*err = e->error;
		if (*err)
			why_set(why, *err, ack_text(h, e));
		return true;
	}
	return false;
}

/* Sends r and reads its answer. Without `wait` no answer is success. The answer has its own buffer:
 * netlink_ops may make requests while nl->buf is being read. */
static int request_run(struct netlink *nl, struct request *r, bool wait, char *why)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_MOST];
	int err = 0;

	nl->stats.requests++;
	r->h->nlmsg_seq = ++nl->request_seq;
	if (wait)
		r->h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->requests, r->h, r->h->nlmsg_len) < 0) {
		err = -errno;
		why_set(why, err, NULL);
		return err;
	}
	for (;;) {
		ssize_t n =
			netlink_recv(nl->requests, answer, sizeof(answer), wait ? 0 : MSG_DONTWAIT);

		if (n == -EAGAIN && !wait)
			return 0;
		if (n < 0) {
			err = n == -EAGAIN ? -ETIMEDOUT : (int)n;
			why_set(why, err, NULL);
			return err;
		}
		if (answer_find(nl, answer, (size_t)n, why, &err))
			return err;
	}
}

static int request_count(struct netlink *nl, int err)
{
	if (err)
		nl->stats.errors++;
	return err;
}

/* Adding what is there and deleting what is not are what the caller wanted. */
static int add_or_delete_result(struct netlink *nl, bool add, int err)
{
	if (add && err == -EEXIST)
		return 0;
	if (!add && (err == -ESRCH || err == -ENOENT || err == -EADDRNOTAVAIL || err == -ENODEV))
		return 0;
	return request_count(nl, err);
}

static uint16_t add_flags(bool add)
{
	return add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
}

/* ---- addresses and links */

/* The subnet's last address, as `ip address add ... broadcast +`; /31 and /32 have none (RFC 3021).
 */
static void put_broadcast(struct request *r, const struct prefix *p)
{
	if (p->addr.family == AF_INET && p->len < 31)
		mnl_attr_put_u32(r->h, IFA_BROADCAST, p->addr.v4 | htonl(0xffffffffu >> p->len));
}

static int addr_request(struct netlink *nl, int ifindex, const struct prefix *p, bool add,
			bool proto, char *why)
{
	struct request r;
	struct ifaddrmsg *ifa =
		request_init(&r, add ? RTM_NEWADDR : RTM_DELADDR, add_flags(add), sizeof(*ifa));

	ifa->ifa_family = p->addr.family;
	ifa->ifa_prefixlen = p->len;
	ifa->ifa_index = (unsigned)ifindex;
	put_addr(&r, IFA_LOCAL, &p->addr);
	put_addr(&r, IFA_ADDRESS, &p->addr);
	if (add)
		put_broadcast(&r, p);
	if (proto)
		mnl_attr_put_u8(r.h, IFA_PROTO, NETLINK_PROTO);
	return request_run(nl, &r, true, why);
}

int netlink_addr_set(struct netlink *nl, int ifindex, const struct prefix *p, bool add, char *why)
{
	bool proto = add && !nl->no_ifa_proto;
	int err = addr_request(nl, ifindex, p, add, proto, why);

	if (proto && (err == -EINVAL || err == -EOPNOTSUPP)) {
		/* a kernel without IFA_PROTO (before 5.18), or another fault that stays one */
		err = addr_request(nl, ifindex, p, add, false, why);
		nl->no_ifa_proto = err == 0;
	}
	return add_or_delete_result(nl, add, err);
}

int netlink_link_mtu(struct netlink *nl, int ifindex, uint32_t mtu, char *why)
{
	struct request r;
	struct ifinfomsg *ifi = request_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(r.h, IFLA_MTU, mtu);
	return request_count(nl, request_run(nl, &r, true, why));
}

int netlink_link_up(struct netlink *nl, int ifindex, char *why)
{
	struct request r;
	struct ifinfomsg *ifi = request_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return request_count(nl, request_run(nl, &r, true, why));
}

/* ---- routes */

static void put_gateway(struct request *r, uint8_t family, const struct addr *via)
{
	uint8_t other[2 + 16] = { 0 }; /* struct rtvia */
	uint16_t via_family = via->family;

	if (!via->family)
		return;
	if (via->family == family) {
		put_addr(r, RTA_GATEWAY, via);
		return;
	}
	memcpy(other, &via_family, sizeof(via_family));
	memcpy(other + 2, via->bytes, addr_size(via));
	mnl_attr_put(r->h, RTA_VIA, 2 + addr_size(via), other);
}

static void put_multipath(struct request *r, const struct netlink_route *route)
{
	struct nlattr *nest = mnl_attr_nest_start(r->h, RTA_MULTIPATH);

	for (unsigned i = 0; i < route->nhops; i++) {
		const struct netlink_hop *hop = &route->hops[i];
		struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(r->h);

		r->h->nlmsg_len += sizeof(*nh);
		nh->rtnh_flags = hop->flags & RTNH_F_ONLINK;
		nh->rtnh_hops = (uint8_t)(hop->weight ? hop->weight - 1 : 0);
		nh->rtnh_ifindex = hop->ifindex;
		put_gateway(r, route->dst.addr.family, &hop->via);
		nh->rtnh_len =
			(uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(r->h) - (uint8_t *)nh);
	}
	mnl_attr_nest_end(r->h, nest);
}

static void put_hops(struct request *r, struct rtmsg *rtm, const struct netlink_route *route)
{
	if (route->nhid) {
		mnl_attr_put_u32(r->h, RTA_NH_ID, route->nhid);
	} else if (route->nhops > 1) {
		put_multipath(r, route);
	} else if (route->nhops == 1) {
		rtm->rtm_flags = route->hops[0].flags & RTNH_F_ONLINK;
		put_gateway(r, route->dst.addr.family, &route->hops[0].via);
		if (route->hops[0].ifindex)
			mnl_attr_put_u32(r->h, RTA_OIF, (uint32_t)route->hops[0].ifindex);
	}
}

static void put_mtu(struct request *r, uint32_t mtu)
{
	struct nlattr *nest = mnl_attr_nest_start(r->h, RTA_METRICS);

	mnl_attr_put_u32(r->h, RTAX_MTU, mtu);
	mnl_attr_nest_end(r->h, nest);
}

/* IPv4 resolves a gateway only by a route of a narrower scope, so routes without one must not be
 * global; and RT_SCOPE_NOWHERE lets a delete match any. IPv6 has no scopes here. */
static uint8_t route_scope(const struct netlink_route *r, bool add)
{
	if (!add)
		return RT_SCOPE_NOWHERE;
	if (r->scope != RT_SCOPE_UNIVERSE || r->dst.addr.family != AF_INET || r->nhid ||
	    r->type != RTN_UNICAST)
		return r->scope;
	for (unsigned i = 0; i < r->nhops; i++)
		if (r->hops[i].via.family)
			return RT_SCOPE_UNIVERSE;
	return RT_SCOPE_LINK;
}

static int route_check(const struct netlink_route *r)
{
	if (r->truncated || r->nhops > NETLINK_HOPS_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < r->nhops; i++) {
		if (r->hops[i].encap)
			return -EOPNOTSUPP;
		if (r->hops[i].weight > 256)
			return -ERANGE;
	}
	return 0;
}

int netlink_route_set(struct netlink *nl, const struct netlink_route *route, bool add, char *why)
{
	struct request r;
	struct rtmsg *rtm =
		request_init(&r, add ? RTM_NEWROUTE : RTM_DELROUTE, add_flags(add), sizeof(*rtm));
	int err = route_check(route);

	if (err) {
		why_set(why, err, NULL);
		return request_count(nl, err);
	}
	rtm->rtm_family = route->dst.addr.family;
	rtm->rtm_dst_len = route->dst.len;
	rtm->rtm_src_len = route->src.len;
	rtm->rtm_tos = route->tos;
	rtm->rtm_protocol = route->protocol;
	rtm->rtm_scope = route_scope(route, add);
	rtm->rtm_type = route->type;
	rtm->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	if (route->dst.len)
		put_addr(&r, RTA_DST, &route->dst.addr);
	if (route->src.len)
		put_addr(&r, RTA_SRC, &route->src.addr);
	mnl_attr_put_u32(r.h, RTA_TABLE, route->table);
	if (route->metric)
		mnl_attr_put_u32(r.h, RTA_PRIORITY, route->metric);
	put_addr(&r, RTA_PREFSRC, &route->prefsrc);
	if (route->mtu)
		put_mtu(&r, route->mtu);
	put_hops(&r, rtm, route);
	return add_or_delete_result(nl, add, request_run(nl, &r, true, why));
}

/* ---- rules */

static void put_rule_conditions(struct request *r, const struct netlink_rule *rule)
{
	struct fib_rule_port_range sport = { rule->sport.first, rule->sport.last };
	struct fib_rule_port_range dport = { rule->dport.first, rule->dport.last };

	if (rule->from.len)
		put_addr(r, FRA_SRC, &rule->from.addr);
	if (rule->to.len)
		put_addr(r, FRA_DST, &rule->to.addr);
	if (rule->iif[0])
		mnl_attr_put_strz(r->h, FRA_IIFNAME, rule->iif);
	if (rule->mark_mask) {
		mnl_attr_put_u32(r->h, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(r->h, FRA_FWMASK, rule->mark_mask);
	}
	if (rule->has_dscp)
		mnl_attr_put_u8(r->h, NETLINK_FRA_DSCP, rule->dscp);
	if (rule->ipproto)
		mnl_attr_put_u8(r->h, FRA_IP_PROTO, rule->ipproto);
	if (sport.start)
		mnl_attr_put(r->h, FRA_SPORT_RANGE, sizeof(sport), &sport);
	if (dport.start)
		mnl_attr_put(r->h, FRA_DPORT_RANGE, sizeof(dport), &dport);
}

int netlink_rule_set(struct netlink *nl, const struct netlink_rule *rule, bool add, char *why)
{
	struct request r;
	struct fib_rule_hdr *frh = request_init(&r, add ? RTM_NEWRULE : RTM_DELRULE,
						add ? NLM_F_CREATE : 0, sizeof(*frh));

	frh->family = rule->family;
	frh->action = rule->action;
	frh->src_len = rule->from.len;
	frh->dst_len = rule->to.len;
	frh->tos = rule->tos;
	frh->flags = rule->invert ? FIB_RULE_INVERT : 0;
	put_rule_conditions(&r, rule);
	mnl_attr_put_u32(r.h, FRA_PRIORITY, rule->priority);
	if (rule->table)
		mnl_attr_put_u32(r.h, FRA_TABLE, rule->table);
	if (rule->suppress_len >= 0)
		mnl_attr_put_u32(r.h, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress_len);
	mnl_attr_put_u8(r.h, FRA_PROTOCOL, rule->protocol);
	return add_or_delete_result(nl, add, request_run(nl, &r, true, why));
}

/* ---- VRFs */

int netlink_vrf_add(struct netlink *nl, const char *name, uint32_t table, char *why)
{
	struct request r;
	struct ifinfomsg *ifi =
		request_init(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifi));
	struct nlattr *info, *data;

	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(r.h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(r.h, IFLA_LINKINFO);
	mnl_attr_put_strz(r.h, IFLA_INFO_KIND, "vrf");
	data = mnl_attr_nest_start(r.h, IFLA_INFO_DATA);
	mnl_attr_put_u32(r.h, IFLA_VRF_TABLE, table);
	mnl_attr_nest_end(r.h, data);
	mnl_attr_nest_end(r.h, info);
	return add_or_delete_result(nl, true, request_run(nl, &r, true, why));
}

int netlink_link_del(struct netlink *nl, int ifindex, char *why)
{
	struct request r;
	struct ifinfomsg *ifi = request_init(&r, RTM_DELLINK, 0, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	return add_or_delete_result(nl, false, request_run(nl, &r, true, why));
}

int netlink_link_master(struct netlink *nl, int ifindex, int master, char *why)
{
	struct request r;
	struct ifinfomsg *ifi = request_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(r.h, IFLA_MASTER, (uint32_t)master);
	return request_count(nl, request_run(nl, &r, true, why));
}

/* ---- neighbours */

static void neigh_init(struct request *r, uint16_t type, uint16_t flags, int ifindex,
		       const struct addr *ip, uint16_t state, uint8_t ntf)
{
	struct ndmsg *ndm = request_init(r, type, flags, sizeof(*ndm));

	ndm->ndm_family = ip->family;
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = state;
	ndm->ndm_flags = ntf;
	put_addr(r, NDA_DST, ip);
}

int netlink_neigh_static(struct netlink *nl, int ifindex, const struct addr *ip,
			 const uint8_t mac[6], bool add, char *why)
{
	struct request r;

	neigh_init(&r, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add_flags(add), ifindex, ip,
		   add ? NUD_PERMANENT : 0, 0);
	if (add)
		mnl_attr_put(r.h, NDA_LLADDR, 6, mac);
	return add_or_delete_result(nl, add, request_run(nl, &r, true, why));
}

static int neigh_use_request(struct netlink *nl, int ifindex, const struct addr *ip, bool managed)
{
	struct request r;

	neigh_init(&r, RTM_NEWNEIGH, NLM_F_CREATE, ifindex, ip, NUD_NONE, NTF_USE);
	if (managed)
		mnl_attr_put_u32(r.h, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return request_run(nl, &r, false, NULL);
}

int netlink_neigh_use(struct netlink *nl, int ifindex, const struct addr *ip, bool managed)
{
	int err;

	managed = managed && !nl->no_managed;
	err = neigh_use_request(nl, ifindex, ip, managed);
	if (managed && err == -EINVAL) {
		err = neigh_use_request(nl, ifindex, ip, false);
		nl->no_managed = err == 0;
	}
	return request_count(nl, err);
}

/* NTF_USE without NTF_EXT_MANAGED takes that flag away and leaves the entry to ageing. */
int netlink_neigh_unmanage(struct netlink *nl, int ifindex, const struct addr *ip)
{
	struct request r;
	int err;

	neigh_init(&r, RTM_NEWNEIGH, 0, ifindex, ip, NUD_NONE, NTF_USE);
	err = request_run(nl, &r, false, NULL);
	return add_or_delete_result(nl, false, err);
}

int netlink_neigh_forget(struct netlink *nl, int ifindex, const struct addr *ip)
{
	struct request r;

	neigh_init(&r, RTM_DELNEIGH, 0, ifindex, ip, 0, 0);
	return add_or_delete_result(nl, false, request_run(nl, &r, false, NULL));
}
