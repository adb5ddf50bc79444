/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A buffer as recv(2) gives it, through every rtnetlink parser; what comes out must keep its
 * bounds. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prefix_check(const struct prefix *p)
{
	assert(p->addr.family == AF_INET || p->addr.family == AF_INET6);
	assert(p->len <= addr_bits(&p->addr));
}

static void link_check(void *arg, const struct netlink_link *l)
{
	(void)arg;
	assert(memchr(l->name, 0, sizeof(l->name)) && memchr(l->kind, 0, sizeof(l->kind)));
}

static void address_check(void *arg, const struct netlink_addr *a)
{
	(void)arg;
	prefix_check(&a->local);
}

static void route_check(void *arg, const struct netlink_route *r)
{
	struct prefix masked = prefix_masked(&r->dst);

	(void)arg;
	prefix_check(&r->dst);
	prefix_check(&r->src);
	assert(prefix_equal(&masked, &r->dst));
	assert(r->nhops <= NETLINK_HOPS_MAX);
	for (unsigned i = 0; i < r->nhops; i++)
		assert(r->hops[i].weight >= 1 && r->hops[i].weight <= 256);
}

static void nexthop_check(void *arg, const struct netlink_nexthop *n)
{
	(void)arg;
	assert(n->id && n->nmembers <= NETLINK_HOPS_MAX);
	for (unsigned i = 0; i < n->nmembers; i++)
		assert(n->members[i].weight >= 1 && n->members[i].weight <= 65536);
}

static void neigh_check(void *arg, const struct netlink_neigh *n)
{
	(void)arg;
	assert(n->ip.family == AF_INET || n->ip.family == AF_INET6);
}

static void rule_check(void *arg, const struct netlink_rule *r)
{
	(void)arg;
	prefix_check(&r->from);
	prefix_check(&r->to);
	assert(memchr(r->iif, 0, sizeof(r->iif)) && memchr(r->oif, 0, sizeof(r->oif)));
	assert(r->family == AF_INET || r->family == AF_INET6);
}

static const struct netlink_ops ops = {
	.link = link_check,
	.addr = address_check,
	.route = route_check,
	.nexthop = nexthop_check,
	.neigh = neigh_check,
	.rule = rule_check,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_stats stats = { 0 };
	uint8_t *copy = malloc(size ? size : 1); /* aligned, and its end is guarded */

	memcpy(copy, data, size);
	netlink_parse_buffer(copy, size, &ops, NULL, &stats);
	free(copy);
	return 0;
}
