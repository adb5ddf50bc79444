/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of router/state share: a state without sockets, told by hand what Linux would have
 * said, and asked what a worker would find.
 */
#ifndef TESTS_UNIT_STATE_EVENTS_H
#define TESTS_UNIT_STATE_EVENTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "router/state.h"

#include <linux/if.h> /* after net/if.h, or they clash */

#define UP (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)

/* Links of the tests: lan and wan are ports 0 and 1, other is not ours. */
enum { LAN = 2, WAN = 3, OTHER = 4, VLAN = 5, RED = 6 };

static struct state *s;

static inline struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static inline const struct addr *ip(const char *text)
{
	static struct addr a;

	a = prefix(text).addr;
	return &a;
}

static inline void link_is(int ifindex, const char *name, uint32_t flags)
{
	struct netlink_link l = { .ifindex = ifindex, .has_mac = true, .mtu = 1500 };

	strcpy(l.name, name);
	l.flags = flags;
	l.mac[0] = 2;
	l.mac[5] = (uint8_t)ifindex;
	state_netlink_ops.link(s, &l);
}

static inline void link_deleted(int ifindex)
{
	state_netlink_ops.link(s, &(struct netlink_link){ .deleted = true, .ifindex = ifindex });
}

static inline void address(int ifindex, const char *text, bool deleted)
{
	struct netlink_addr a = { .deleted = deleted, .ifindex = ifindex, .local = prefix(text) };

	state_netlink_ops.addr(s, &a);
}

static inline void neighbour(int ifindex, const char *to, uint16_t nud, uint8_t mac)
{
	struct netlink_neigh n = { .ifindex = ifindex, .ip = prefix(to).addr, .state = nud };

	n.deleted = !nud;
	n.has_mac = mac;
	memset(n.mac, mac, sizeof(n.mac));
	state_netlink_ops.neigh(s, &n);
}

/* A route to change before it is told. */
static inline struct netlink_route *route_to(const char *dst)
{
	static struct netlink_route r;

	memset(&r, 0, sizeof(r));
	r.dst = prefix(dst);
	r.table = TABLE_MAIN;
	r.type = RTN_UNICAST;
	r.protocol = RTPROT_STATIC;
	return &r;
}

static inline struct netlink_route *hop(struct netlink_route *r, int ifindex, const char *via,
					uint32_t weight)
{
	struct netlink_hop *h = &r->hops[r->nhops++];

	h->ifindex = ifindex;
	h->weight = weight;
	if (via)
		h->via = prefix(via).addr;
	return r;
}

/* The common one: a gateway behind an interface. */
static inline struct netlink_route *via(const char *dst, int ifindex, const char *gateway)
{
	return hop(route_to(dst), ifindex, gateway, 1);
}

static inline void tell(const struct netlink_route *r)
{
	state_netlink_ops.route(s, r);
}

static inline void tell_gone(struct netlink_route *r)
{
	r->deleted = true;
	tell(r);
}

static inline void object(uint32_t id, int ifindex, const char *gateway)
{
	static struct netlink_nexthop n;

	memset(&n, 0, sizeof(n));
	n.id = id;
	n.deleted = !ifindex;
	n.hop.ifindex = ifindex;
	if (gateway)
		n.hop.via = prefix(gateway).addr;
	state_netlink_ops.nexthop(s, &n);
}

static inline void group(uint32_t id, uint32_t a, uint32_t b)
{
	static struct netlink_nexthop n;

	memset(&n, 0, sizeof(n));
	n.id = id;
	n.nmembers = 2;
	n.members[0].id = a;
	n.members[1].id = b;
	n.members[0].weight = n.members[1].weight = 1;
	state_netlink_ops.nexthop(s, &n);
}

/* ---- what a worker finds */

static inline uint32_t slot_in(uint32_t table, const char *dst)
{
	struct addr a = prefix(dst).addr;
	const struct fib *f = state_fib(s, table, a.family, false);

	if (!f)
		return FIB_NONE;
	return a.family == AF_INET ? fib4_lookup(f, a.v4) : fib6_lookup(f, &a.v6);
}

static inline const struct nh *find(const char *dst)
{
	uint32_t slot = slot_in(TABLE_MAIN, dst);

	return slot ? nh_get(&s->nht, slot) : NULL;
}

static inline int type_of(const char *dst)
{
	const struct nh *n = find(dst);

	return n ? n->type : -1;
}

/* The gateway's last byte, or -1 where packets do not go to one. */
static inline int gateway_of(const char *dst)
{
	const struct nh *n = find(dst);

	if (!n || n->type != NH_ADJ)
		return -1;
	return n->addr.bytes[n->addr.family == AF_INET ? 3 : 15];
}

/* How many of a group's buckets, in percent, lead to the gateway with this last byte. */
static inline unsigned share(const char *dst, int last)
{
	const struct nh *g = find(dst);
	unsigned hits = 0;

	assert_non_null(g);
	assert_int_equal(g->type, NH_GROUP);
	for (unsigned i = 0; i < g->nbuckets; i++) {
		const struct nh *m = nh_get(&s->nht, g->bucket[i]);

		assert_non_null(m);
		hits += m->addr.bytes[m->addr.family == AF_INET ? 3 : 15] == last;
	}
	return hits * 100 / g->nbuckets;
}

/* What Linux says of links and addresses in the beginning, or when it is asked again. */
static inline void network_is_there(void)
{
	link_is(LAN, "lan", UP);
	link_is(WAN, "wan", UP);
	link_is(OTHER, "other", UP);
	address(LAN, "10.1.0.1/24", false);
	address(WAN, "10.2.0.1/24", false);
}

static inline int network_up(void **state)
{
	(void)state;
	assert_int_equal(state_create(&s), 0);
	network_is_there();
	state_port(s, state_link(s, LAN), 0);
	state_port(s, state_link(s, WAN), 1);
	state_publish(s);
	return 0;
}

static inline int network_down(void **state)
{
	(void)state;
	state_destroy(s);
	s = NULL;
	return 0;
}

#endif
