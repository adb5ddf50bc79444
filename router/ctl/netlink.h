/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux as control plane: a mirror of links, addresses, rules, routes, nexthop objects and
 * neighbours by rtnetlink (libmnl), and the few requests we make of it.
 *
 * One socket subscribes to the groups, one dumps and one asks, so that an answer never waits behind
 * events or a dump. Messages are parsed into plain structs and given to struct netlink_ops in the
 * order the kernel sent them. When the event socket overran (ENOBUFS) everything is dumped again
 * between sync_begin and sync_end; what is not seen in between is gone from Linux. [control]
 */
#ifndef ROUTER_CTL_NETLINK_H
#define ROUTER_CTL_NETLINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "router/lib/addr.h"
#include "router/lib/loop.h"

/* rtm_protocol and ifa_proto of what we install; name it in rt_protos as you like. */
#define NETLINK_PROTO 0xAF

struct netlink_link {
	bool deleted;
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "veth", "vlan", ...; "" for plain hardware */
	bool has_mac;
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t flags;	     /* IFF_UP, IFF_RUNNING, ... */
	uint8_t operstate;   /* IF_OPER_* */
	int link;	     /* IFLA_LINK: parent of a VLAN, peer of a veth; 0: none */
	bool link_foreign;   /* the IFLA_LINK index is of another namespace */
	int master;	     /* 0: none */
	uint32_t vrf_table;  /* kind "vrf": its table; else 0 */
	uint16_t vlan_id;    /* kind "vlan" */
	uint16_t vlan_proto; /* host order: 0x8100, 0x88a8 */
	uint32_t rx_queues, tx_queues;
};

struct netlink_addr {
	bool deleted;
	int ifindex;
	struct prefix local;   /* IFA_LOCAL (or IFA_ADDRESS) / prefix length, host bits kept */
	struct addr peer;      /* family 0: none */
	struct addr broadcast; /* family 0: none */
	uint8_t scope;
	uint32_t flags; /* IFA_F_* : tentative, deprecated, secondary ... */
	uint8_t proto;	/* IFA_PROTO, 0 when the kernel has none */
};

struct netlink_hop {
	int ifindex;	 /* 0: none */
	struct addr via; /* family 0: directly connected; may differ from the route's (RTA_VIA) */
	uint32_t weight; /* 1 .. 256; 65536 in groups of nexthop objects */
	uint8_t flags;	 /* RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK */
	bool encap;	 /* carries a lightweight tunnel we do not do */
	uint32_t nhid;	 /* the nexthop object it is, in a group of such; else 0 */
};

#define NETLINK_HOPS_MAX 128
struct netlink_route {
	bool deleted;
	bool replace, append; /* NLM_F_REPLACE, NLM_F_APPEND of a new one */
	bool dumped;	      /* NLM_F_MULTI: no event, but part of a dump */
	struct prefix dst;    /* masked */
	struct prefix src;    /* RTA_SRC of IPv6 subtrees; len 0: none */
	uint32_t table;
	uint32_t metric;
	uint8_t type;	  /* RTN_* */
	uint8_t protocol; /* RTPROT_* */
	uint8_t scope, tos;
	uint32_t flags; /* RTM_F_* (RTM_F_CLONED is never reported) */
	uint32_t nhid;	/* nexthop object; hops may be empty then */
	struct addr prefsrc;
	uint32_t mtu; /* RTAX_MTU, 0: none */
	unsigned nhops;
	bool truncated; /* more than NETLINK_HOPS_MAX hops: the rest is left out */
	struct netlink_hop hops[NETLINK_HOPS_MAX];
};

struct netlink_nexthop { /* RTM_NEWNEXTHOP */
	bool deleted;
	uint32_t id;
	uint8_t family, protocol;
	bool blackhole, fdb, encap, resilient;
	uint16_t buckets;		 /* resilient, and the next */
	uint32_t idle_cs, unbalanced_cs; /* timers, in hundredths of a second (USER_HZ) */
	struct netlink_hop hop;		 /* when it is no group */
	bool truncated;	   /* more than NETLINK_HOPS_MAX members: the rest is left out */
	unsigned nmembers; /* group: id and weight of each */
	struct {
		uint32_t id, weight;
	} members[NETLINK_HOPS_MAX];
};

struct netlink_neigh {
	bool deleted;
	int ifindex;
	struct addr ip;
	bool has_mac;
	uint8_t mac[6];
	uint16_t state; /* NUD_* */
	uint32_t flags; /* NTF_*, with NTF_EXT_* << 8 as iproute2 has it */
};

struct netlink_ports {
	uint16_t first, last; /* host order; 0-0: any */
	uint16_t mask;	      /* 0: it is a range; else which bits must be as in `first` */
};

/* A rule of policy routing, as `ip rule` has it. What a message does not have is zero here, so that
 * two of them are the same rule if all their bytes are. */
struct netlink_rule {
	bool deleted;
	bool unknown; /* has a condition that this parser does not know, or an action */
	uint8_t family;
	uint8_t action;	  /* FR_ACT_* */
	uint8_t protocol; /* RTPROT_* of who made it */
	bool invert, l3mdev;
	uint8_t tos; /* FRA_TOS: of IPv4 three bits of it count, of IPv6 the DSCP; 0: any */
	bool has_dscp;
	uint8_t dscp, dscp_mask;    /* of 6 bits */
	uint8_t ipproto;	    /* 0: any */
	struct prefix from, to;	    /* len 0: any */
	char iif[IFNAMSIZ];	    /* "": any */
	char oif[IFNAMSIZ];	    /* "": any; no packet that is forwarded has one */
	uint32_t priority, table;   /* table 0: of the VRF (l3mdev) */
	uint32_t target;	    /* of FR_ACT_GOTO: a priority */
	uint32_t mark, mark_mask;   /* mask 0: any */
	uint32_t label, label_mask; /* IPv6 flow label; mask 0: any */
	struct netlink_ports sport, dport;
	int32_t suppress_len;	/* routes of up to so many bits do not count; -1: all do */
	int32_t suppress_group; /* nor do those by interfaces of this group; -1 */
	bool has_uid;
	uint32_t uid_first, uid_last;
	uint64_t tun_id; /* 0: any */
};

struct netlink_ops {
	void (*link)(void *arg, const struct netlink_link *l);
	void (*addr)(void *arg, const struct netlink_addr *a);
	void (*route)(void *arg, const struct netlink_route *r);
	void (*nexthop)(void *arg, const struct netlink_nexthop *n);
	void (*neigh)(void *arg, const struct netlink_neigh *n);
	void (*rule)(void *arg, const struct netlink_rule *r);
	/* around a full dump: at start, and after an overrun. sync_begin may come again before
	 * sync_end, when the dump had to start anew: what was seen so far counts no more. */
	void (*sync_begin)(void *arg);
	void (*sync_end)(void *arg);
	/* after each batch of messages (one or many reads): publish what changed */
	void (*batch_end)(void *arg);
};

struct netlink;

/* Opens the sockets in the current network namespace, subscribes, and dumps everything once (link,
 * addr, rule, nexthop, route, neigh, in that order) before it returns. 0 or -errno. Later events
 * arrive through the loop; overruns are counted and repaired by a dump that is read piecewise from
 * the loop, so that a million routes do not stop other control work for long. */
int netlink_create(struct loop *loop, const struct netlink_ops *ops, void *arg,
		   struct netlink **out);
void netlink_destroy(struct netlink *nl);

struct netlink_stats {
	uint64_t messages, malformed, overruns, resyncs, requests, errors;
	bool syncing;
};
void netlink_stats(const struct netlink *nl, struct netlink_stats *out);
/* Ask for a new dump of everything, as after an overrun; done from the loop, soon, and once more
 * when one is running. Needed because Linux withdraws IPv4 routes without a word when their link
 * goes down or away, when the nexthop object they use is deleted, and when their preferred source
 * address is. */
void netlink_resync(struct netlink *nl);

/* Parsers, without a socket, for tests and the fuzzer. The message may be of any length and
 * content; true when it was one of ours and whole. Everything else: false, *out undefined. */
bool netlink_parse_link(const struct nlmsghdr *h, struct netlink_link *out);
bool netlink_parse_addr(const struct nlmsghdr *h, struct netlink_addr *out);
bool netlink_parse_route(const struct nlmsghdr *h, struct netlink_route *out);
bool netlink_parse_nexthop(const struct nlmsghdr *h, struct netlink_nexthop *out);
bool netlink_parse_neigh(const struct nlmsghdr *h, struct netlink_neigh *out);
bool netlink_parse_rule(const struct nlmsghdr *h, struct netlink_rule *out);
/* A buffer of messages as recv(2) gave it, to ops. */
void netlink_parse_buffer(const void *buf, size_t len, const struct netlink_ops *ops, void *arg,
			  struct netlink_stats *stats);

/* Receive buffer of the event socket, in bytes; beyond net.core.rmem_max only with CAP_NET_ADMIN.
 * A small one makes overruns, which is what tests want. */
int netlink_rcvbuf(struct netlink *nl, int bytes);

/* Reads the events that wait, among them those of all that has been asked for, without the loop;
 * not from within ops. False: the mirror is not whole (it is being read anew), or more came than
 * fits.
 */
bool netlink_catch_up(struct netlink *nl);

/* Requests: synchronous on the third socket (the kernel answers at once). 0 or -errno; on failure
 * `why` (if not NULL, 128 bytes) has the kernel's extended ack text or strerror. To add what is
 * there and to delete what is gone (or whose link is gone) succeeds. An added route replaces the
 * one with the same prefix, table, metric and TOS; deleting with protocol, type or hops given takes
 * only a route that has them. An IPv4 route without a gateway gets scope link unless r->scope says
 * another, as ip(8) does. */
#define NETLINK_WHY 128
int netlink_addr_set(struct netlink *nl, int ifindex, const struct prefix *p, bool add, char *why);
int netlink_route_set(struct netlink *nl, const struct netlink_route *r, bool add, char *why);
int netlink_link_mtu(struct netlink *nl, int ifindex, uint32_t mtu, char *why);
int netlink_link_up(struct netlink *nl, int ifindex, char *why);
int netlink_neigh_static(struct netlink *nl, int ifindex, const struct addr *ip,
			 const uint8_t mac[6], bool add, char *why);
/* `family`, `action`, what it looks at and whom it belongs to (`protocol`) make the rule. It is
 * added even to one like it: Linux would take a narrower one of its priority for it. What is
 * deleted may be a narrower one, too; the event says which. */
int netlink_rule_set(struct netlink *nl, const struct netlink_rule *r, bool add, char *why);
/* A VRF device and its table; -EOPNOTSUPP: this kernel has none. A link's master, 0: none. */
int netlink_vrf_add(struct netlink *nl, const char *name, uint32_t table, char *why);
int netlink_link_del(struct netlink *nl, int ifindex, char *why);
int netlink_link_master(struct netlink *nl, int ifindex, int master, char *why);
/* Ask Linux to resolve or keep fresh: NTF_USE; with managed, NTF_EXT_MANAGED (5.16+), falling back
 * to NTF_USE for good when only that is taken. Not waited for: an event comes when the neighbour is
 * resolved or has failed. Not for permanent neighbours: Linux would take their permanence away.
 * Unmanage keeps the entry. */
int netlink_neigh_use(struct netlink *nl, int ifindex, const struct addr *ip, bool managed);
int netlink_neigh_unmanage(struct netlink *nl, int ifindex, const struct addr *ip);
/* Have Linux forget a neighbour it has given up on; not waited for. */
int netlink_neigh_forget(struct netlink *nl, int ifindex, const struct addr *ip);

#endif
