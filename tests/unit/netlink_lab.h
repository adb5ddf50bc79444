/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of router/ctl/netlink against the kernel share: a network namespace for each test,
 * and a mirror of what the ops were told, kept plainly for comparisons with ip(8). Where no
 * namespace may be made the tests skip.
 */
#ifndef TESTS_UNIT_NETLINK_LAB_H
#define TESTS_UNIT_NETLINK_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/ctl/netlink.h"
#include "router/lib/clock.h"

#define TABLE 100 /* of the overrun tests */

/* What the ops were told, kept as text for the comparisons. */
struct mirror {
	struct loop *loop;
	struct netlink *nl;
	struct loop_timer *timer;
	struct netlink_link link[8];
	unsigned nlinks;
	struct netlink_addr addr; /* the last one */
	struct netlink_route route;
	struct netlink_nexthop nexthop;
	struct netlink_neigh neigh[256]; /* a ring */
	struct netlink_rule rule;	 /* the last that is not Linux's own */
	unsigned rules;
	unsigned addrs, routes, nexthops, neighs, begins, ends, batches;
	bool ask; /* make a request from within the callback */
	struct entry {
		bool used, seen;
		struct addr via;
	} * table; /* of TABLE, by the second and third byte of 10.x.y.0/24 */
	uint64_t deadline;
	unsigned want_ends;
};

static bool may_unshare;
static struct mirror m;

static inline void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void sh(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line))
		fail_msg("failed: %s", line);
}

static inline bool sh_prints(const char *command, const char *expect)
{
	char out[8192];
	FILE *f = popen(command, "r");
	size_t n = fread(out, 1, sizeof(out) - 1, f);

	pclose(f);
	out[n] = '\0';
	if (strstr(out, expect))
		return true;
	print_error("%s: no \"%s\" in\n%s", command, expect, out);
	return false;
}

/* ---- the mirror */

static inline void on_link(void *arg, const struct netlink_link *l)
{
	struct mirror *mi = arg;

	for (unsigned i = 0; i < mi->nlinks; i++)
		if (mi->link[i].ifindex == l->ifindex) {
			mi->link[i] = *l;
			return;
		}
	assert_true(mi->nlinks < 8);
	mi->link[mi->nlinks++] = *l;
}

static inline void on_addr(void *arg, const struct netlink_addr *a)
{
	struct mirror *mi = arg;

	mi->addr = *a;
	mi->addrs++;
}

static inline void on_rule(void *arg, const struct netlink_rule *r)
{
	struct mirror *mi = arg;

	mi->rules++;
	if (r->protocol != RTPROT_KERNEL)
		mi->rule = *r;
}

static inline void on_route(void *arg, const struct netlink_route *r)
{
	struct mirror *mi = arg;

	if (r->table == TABLE) {
		struct entry *e = &mi->table[r->dst.addr.bytes[1] << 8 | r->dst.addr.bytes[2]];

		e->used = e->seen = !r->deleted;
		e->via = r->hops[0].via;
		return;
	}
	mi->routes++;
	/* Linux's own for an IPv6 address come when its duplicate detection ends: any time. */
	if (!(r->dst.addr.family == AF_INET6 && r->protocol == RTPROT_KERNEL))
		memcpy(&mi->route, r,
		       offsetof(struct netlink_route, hops) + r->nhops * sizeof(r->hops[0]));
	if (mi->ask) /* on its own socket, in the middle of a read */
		assert_int_equal(netlink_link_up(mi->nl, mi->link[0].ifindex, NULL), 0);
}

static inline void on_nexthop(void *arg, const struct netlink_nexthop *n)
{
	struct mirror *mi = arg;

	memcpy(&mi->nexthop, n, sizeof(*n));
	mi->nexthops++;
}

static inline void on_neigh(void *arg, const struct netlink_neigh *n)
{
	struct mirror *mi = arg;

	mi->neigh[mi->neighs++ % 256] = *n;
}

static inline void on_begin(void *arg)
{
	struct mirror *mi = arg;

	mi->begins++;
	for (unsigned i = 0; i < 65536; i++)
		mi->table[i].seen = false;
}

static inline void on_end(void *arg)
{
	struct mirror *mi = arg;

	mi->ends++;
	for (unsigned i = 0; i < 65536; i++)
		if (!mi->table[i].seen)
			mi->table[i].used = false;
}

static inline void on_batch(void *arg)
{
	struct mirror *mi = arg;

	mi->batches++;
}

static const struct netlink_ops ops = {
	.link = on_link,
	.addr = on_addr,
	.route = on_route,
	.nexthop = on_nexthop,
	.neigh = on_neigh,
	.rule = on_rule,
	.sync_begin = on_begin,
	.sync_end = on_end,
	.batch_end = on_batch,
};

static inline void stop_cb(void *arg, uint64_t now)
{
	struct mirror *mi = arg;

	if (mi->ends < mi->want_ends && now < mi->deadline)
		loop_timer_set(mi->timer, now + 5 * NSEC_PER_MSEC);
	else
		loop_stop(mi->loop);
}

/* Runs the loop until all that is waiting was read. */
static inline void run(void)
{
	m.want_ends = 0;
	loop_timer_set(m.timer, clock_now() + 20 * NSEC_PER_MSEC);
	assert_int_equal(loop_run(m.loop), 0);
}

/* ... until the mirror was whole for the n-th time. */
static inline void run_until_synced(unsigned n)
{
	m.want_ends = n;
	m.deadline = clock_now() + 60 * NSEC_PER_SEC;
	loop_timer_set(m.timer, clock_now() + NSEC_PER_MSEC);
	assert_int_equal(loop_run(m.loop), 0);
	assert_true(m.ends >= n);
	run();
}

static inline int namespace_new(void **state)
{
	(void)state;
	may_unshare = unshare(CLONE_NEWNET) == 0;
	if (!may_unshare) {
		print_message("no network namespace: %s\n", strerror(errno));
		return 0;
	}
	memset(&m, 0, sizeof(m));
	m.table = calloc(65536, sizeof(m.table[0]));
	m.loop = loop_create();
	m.timer = loop_timer_add(m.loop, stop_cb, &m);
	sh("ip link set lo up; ip link add v0 type veth peer name v1; "
	   "ip link set v0 address 02:00:00:00:00:01 mtu 1400; "
	   "echo 0 > /proc/sys/net/ipv6/conf/v0/accept_dad; "
	   "ip link set v0 up; ip link set v1 up; "
	   "ip address add 192.0.2.1/24 broadcast + dev v0; "
	   "ip address add 2001:db8::1/64 dev v0 nodad");
	return 0;
}

static inline int namespace_end(void **state)
{
	(void)state;
	netlink_destroy(m.nl);
	loop_destroy(m.loop);
	free(m.table);
	memset(&m, 0, sizeof(m));
	return 0;
}

static inline void mirror_create(void)
{
	if (!may_unshare)
		skip();
	assert_int_equal(netlink_create(m.loop, &ops, &m, &m.nl), 0);
}

static inline const struct netlink_link *link_find(const char *name)
{
	for (unsigned i = 0; i < m.nlinks; i++)
		if (!strcmp(m.link[i].name, name))
			return &m.link[i];
	fail_msg("no link %s", name);
	return NULL;
}

/* The latest news of it: IPv6 has neighbours of its own mind. */
static inline const struct netlink_neigh *neigh_find(const char *s)
{
	struct addr ip;

	assert_int_equal(addr_parse(s, &ip), 0);
	for (unsigned i = m.neighs; i > 0 && i + 256 > m.neighs; i--)
		if (addr_equal(&m.neigh[(i - 1) % 256].ip, &ip))
			return &m.neigh[(i - 1) % 256];
	fail_msg("no neighbour %s", s);
	return NULL;
}

static inline struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static inline struct addr addr(const char *s)
{
	return prefix(s).addr;
}

static inline void addr_is(const struct addr *a, const char *s)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), s);
}

static inline void prefix_is(const struct prefix *p, const char *s)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, buf), s);
}

#endif
