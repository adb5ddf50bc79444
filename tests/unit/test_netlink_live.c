/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/ctl/netlink against the kernel, in a network namespace of its own: what ip(8) makes must
 * come as dumps and events, what we request must be seen by ip(8), and after an overrun the mirror
 * must equal `ip route`. Skipped where no namespace may be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
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

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line))
		fail_msg("failed: %s", line);
}

static bool sh_prints(const char *command, const char *expect)
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

static void on_link(void *arg, const struct netlink_link *l)
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

static void on_addr(void *arg, const struct netlink_addr *a)
{
	struct mirror *mi = arg;

	mi->addr = *a;
	mi->addrs++;
}

static void on_route(void *arg, const struct netlink_route *r)
{
	struct mirror *mi = arg;

	if (r->table == TABLE) {
		struct entry *e = &mi->table[r->dst.addr.bytes[1] << 8 | r->dst.addr.bytes[2]];

		e->used = e->seen = !r->deleted;
		e->via = r->hops[0].via;
		return;
	}
	memcpy(&mi->route, r, offsetof(struct netlink_route, hops) + r->nhops * sizeof(r->hops[0]));
	mi->routes++;
	if (mi->ask) /* on its own socket, in the middle of a read */
		assert_int_equal(netlink_link_up(mi->nl, mi->link[0].ifindex, NULL), 0);
}

static void on_nexthop(void *arg, const struct netlink_nexthop *n)
{
	struct mirror *mi = arg;

	memcpy(&mi->nexthop, n, sizeof(*n));
	mi->nexthops++;
}

static void on_neigh(void *arg, const struct netlink_neigh *n)
{
	struct mirror *mi = arg;

	mi->neigh[mi->neighs++ % 256] = *n;
}

static void on_begin(void *arg)
{
	struct mirror *mi = arg;

	mi->begins++;
	for (unsigned i = 0; i < 65536; i++)
		mi->table[i].seen = false;
}

static void on_end(void *arg)
{
	struct mirror *mi = arg;

	mi->ends++;
	for (unsigned i = 0; i < 65536; i++)
		if (!mi->table[i].seen)
			mi->table[i].used = false;
}

static void on_batch(void *arg)
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
	.sync_begin = on_begin,
	.sync_end = on_end,
	.batch_end = on_batch,
};

static void stop_cb(void *arg, uint64_t now)
{
	struct mirror *mi = arg;

	if (mi->ends < mi->want_ends && now < mi->deadline)
		loop_timer_set(mi->timer, now + 5 * NSEC_PER_MSEC);
	else
		loop_stop(mi->loop);
}

/* Runs the loop until all that is waiting was read. */
static void run(void)
{
	m.want_ends = 0;
	loop_timer_set(m.timer, clock_now() + 20 * NSEC_PER_MSEC);
	assert_int_equal(loop_run(m.loop), 0);
}

/* ... until the mirror was whole for the n-th time. */
static void run_until_synced(unsigned n)
{
	m.want_ends = n;
	m.deadline = clock_now() + 60 * NSEC_PER_SEC;
	loop_timer_set(m.timer, clock_now() + NSEC_PER_MSEC);
	assert_int_equal(loop_run(m.loop), 0);
	assert_true(m.ends >= n);
	run();
}

static int namespace_new(void **state)
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

static int namespace_end(void **state)
{
	(void)state;
	netlink_destroy(m.nl);
	loop_destroy(m.loop);
	free(m.table);
	memset(&m, 0, sizeof(m));
	return 0;
}

static void mirror_create(void)
{
	if (!may_unshare)
		skip();
	assert_int_equal(netlink_create(m.loop, &ops, &m, &m.nl), 0);
}

static const struct netlink_link *link_find(const char *name)
{
	for (unsigned i = 0; i < m.nlinks; i++)
		if (!strcmp(m.link[i].name, name))
			return &m.link[i];
	fail_msg("no link %s", name);
	return NULL;
}

/* The latest news of it: IPv6 has neighbours of its own mind. */
static const struct netlink_neigh *neigh_find(const char *s)
{
	struct addr ip;

	assert_int_equal(addr_parse(s, &ip), 0);
	for (unsigned i = m.neighs; i > 0 && i + 256 > m.neighs; i--)
		if (addr_equal(&m.neigh[(i - 1) % 256].ip, &ip))
			return &m.neigh[(i - 1) % 256];
	fail_msg("no neighbour %s", s);
	return NULL;
}

static struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static struct addr addr(const char *s)
{
	return prefix(s).addr;
}

static void addr_is(const struct addr *a, const char *s)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), s);
}

static void prefix_is(const struct prefix *p, const char *s)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, buf), s);
}

/* ---- dumps and events */

static void first_dump_shows_links_and_more(void **state)
{
	const struct netlink_link *v0, *v1;
	struct netlink_stats stats;

	(void)state;
	mirror_create();
	v0 = link_find("v0");
	v1 = link_find("v1");
	assert_int_equal(v0->mtu, 1400);
	assert_true(v0->has_mac);
	assert_memory_equal(v0->mac, "\2\0\0\0\0\1", 6);
	assert_string_equal(v0->kind, "veth");
	assert_int_equal(v0->link, v1->ifindex);
	assert_false(v0->link_foreign);
	assert_true(v0->flags & IFF_UP);
	assert_true(v0->rx_queues > 0 && v0->tx_queues > 0);
	assert_true(m.addrs >= 4 && m.routes >= 4);
	assert_int_equal(m.begins, 1);
	assert_int_equal(m.ends, 1);
	assert_true(m.batches > 0);
	netlink_stats(m.nl, &stats);
	assert_false(stats.syncing);
	assert_int_equal(stats.malformed, 0);
	assert_int_equal(stats.resyncs, 0);
}

static void links_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip link add x0 mtu 1300 type veth peer name x1");
	run();
	assert_int_equal(link_find("x0")->mtu, 1300);
	sh("ip link set x0 name x9");
	run();
	link_find("x9");
	sh("ip link del x9");
	run();
	assert_true(link_find("x9")->deleted && link_find("x1")->deleted);
}

static void foreign_peer_is_marked(void **state)
{
	pid_t pid;

	(void)state;
	mirror_create();
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		unshare(CLONE_NEWNET);
		pause();
		_exit(0);
	}
	usleep(50000);
	sh("ip link add x0 type veth peer name x1 netns %d", pid);
	run();
	assert_true(link_find("x0")->link_foreign);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void addresses_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip address add 198.51.100.7/25 broadcast + dev v0");
	run();
	prefix_is(&m.addr.local, "198.51.100.7/25");
	addr_is(&m.addr.broadcast, "198.51.100.127");
	assert_int_equal(m.addr.peer.family, 0);
	assert_int_equal(m.addr.ifindex, link_find("v0")->ifindex);
	sh("ip address del 198.51.100.7/25 dev v0");
	run();
	assert_true(m.addr.deleted);
	sh("ip address add 198.51.100.1 peer 198.51.100.2 dev v0");
	run();
	prefix_is(&m.addr.local, "198.51.100.1/32");
	addr_is(&m.addr.peer, "198.51.100.2");
	sh("ip address add 2001:db8:1::1/64 dev v0 nodad");
	run();
	prefix_is(&m.addr.local, "2001:db8:1::1/64");
}

static void routes_come_as_events(void **state)
{
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	sh("ip route add default via 192.0.2.2 metric 50 proto 99 mtu 1280");
	run();
	prefix_is(&m.route.dst, "0.0.0.0/0");
	assert_int_equal(m.route.table, RT_TABLE_MAIN);
	assert_int_equal(m.route.metric, 50);
	assert_int_equal(m.route.protocol, 99);
	assert_int_equal(m.route.mtu, 1280);
	assert_int_equal(m.route.type, RTN_UNICAST);
	assert_int_equal(m.route.nhops, 1);
	assert_int_equal(m.route.hops[0].ifindex, v0);
	addr_is(&m.route.hops[0].via, "192.0.2.2");
	sh("ip route add 10.0.0.0/8 via inet6 2001:db8::2 dev v0 table 70000");
	run();
	assert_int_equal(m.route.table, 70000);
	addr_is(&m.route.hops[0].via, "2001:db8::2");
	sh("ip route add 10.1.0.0/16 nexthop via 192.0.2.2 weight 3 "
	   "nexthop via inet6 2001:db8::3 dev v0 nexthop via 203.0.113.1 dev v0 onlink");
	run();
	assert_int_equal(m.route.nhops, 3);
	assert_int_equal(m.route.hops[0].weight, 3);
	addr_is(&m.route.hops[1].via, "2001:db8::3");
	assert_true(m.route.hops[2].flags & RTNH_F_ONLINK);
	sh("ip route replace 10.1.0.0/16 via 192.0.2.9");
	run();
	assert_true(m.route.replace);
	sh("ip route append 10.1.0.0/16 via 192.0.2.10");
	run();
	assert_true(m.route.append);
	sh("ip route add blackhole 10.2.0.0/16");
	run();
	assert_int_equal(m.route.type, RTN_BLACKHOLE);
	assert_int_equal(m.route.nhops, 0);
	sh("ip -6 route add 2001:db8:9::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3");
	run();
	prefix_is(&m.route.dst, "2001:db8:9::/48");
	assert_int_equal(m.route.nhops, 2);
	sh("ip -6 route del 2001:db8:9::/48");
	run();
	assert_true(m.route.deleted);
}

static void nexthop_objects_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip nexthop add id 5 via 192.0.2.2 dev v0 protocol 99");
	run();
	assert_int_equal(m.nexthop.id, 5);
	assert_int_equal(m.nexthop.protocol, 99);
	addr_is(&m.nexthop.hop.via, "192.0.2.2");
	assert_int_equal(m.nexthop.hop.ifindex, link_find("v0")->ifindex);
	sh("ip nexthop add id 6 blackhole; ip nexthop add id 7 via 192.0.2.3 dev v0;"
	   "ip nexthop add id 8 group 5/7,10");
	run();
	assert_int_equal(m.nexthop.id, 8);
	assert_int_equal(m.nexthop.nmembers, 2);
	assert_int_equal(m.nexthop.members[0].weight, 1);
	assert_int_equal(m.nexthop.members[1].id, 7);
	assert_int_equal(m.nexthop.members[1].weight, 10);
	sh("ip route add 10.0.0.0/8 nhid 8");
	run();
	assert_int_equal(m.route.nhid, 8);
	m.nexthops = 0;
	sh("ip nexthop del id 6");
	run();
	assert_true(m.nexthop.deleted);
	assert_int_equal(m.nexthop.id, 6);
}

static void neighbours_come_as_events(void **state)
{
	(void)state;
	mirror_create();
	sh("ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev v0 nud reachable");
	run();
	assert_int_equal(neigh_find("192.0.2.77")->state, NUD_REACHABLE);
	assert_true(neigh_find("192.0.2.77")->has_mac);
	assert_memory_equal(neigh_find("192.0.2.77")->mac, "\2\0\0\0\0\x77", 6);
	sh("ip neigh del 192.0.2.77 dev v0");
	run();
	assert_true(neigh_find("192.0.2.77")->deleted);
}

/* ---- requests */

static void requests_for_addresses(void **state)
{
	struct prefix p4 = prefix("198.51.100.9/30"), p6 = prefix("2001:db8:7::1/64");
	char why[NETLINK_WHY] = "";
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	for (int i = 0; i < 2; i++) { /* the second time it is there already, or gone already */
		assert_int_equal(netlink_addr_set(m.nl, v0, &p4, true, why), 0);
		assert_int_equal(netlink_addr_set(m.nl, v0, &p6, true, why), 0);
	}
	assert_true(sh_prints("ip address show dev v0", "198.51.100.9/30 brd 198.51.100.11"));
	assert_true(sh_prints("ip address show dev v0", "2001:db8:7::1/64"));
	run();
	assert_int_equal(m.addr.proto, NETLINK_PROTO);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(netlink_addr_set(m.nl, v0, &p4, false, why), 0);
		assert_int_equal(netlink_addr_set(m.nl, v0, &p6, false, why), 0);
	}
	assert_int_equal(system("ip address show dev v0 | grep -q 198.51.100.9") != 0, 1);
	assert_int_equal(netlink_addr_set(m.nl, 9999, &p4, false, why), 0);
	assert_int_equal(netlink_addr_set(m.nl, 9999, &p4, true, why), -ENODEV);
	assert_true(why[0] != '\0');
}

static struct netlink_route *route_new(const char *dst)
{
	static struct netlink_route r;

	memset(&r, 0, sizeof(r));
	r.dst = prefix(dst);
	r.table = RT_TABLE_MAIN;
	r.type = RTN_UNICAST;
	r.protocol = NETLINK_PROTO;
	return &r;
}

static void hop_add(struct netlink_route *r, const char *via, uint32_t weight)
{
	struct netlink_hop *h = &r->hops[r->nhops++];

	h->ifindex = link_find("v0")->ifindex;
	h->weight = weight;
	if (via)
		h->via = addr(via);
}

static void route_add_ok(const struct netlink_route *r)
{
	char why[NETLINK_WHY] = "";
	int err = netlink_route_set(m.nl, r, true, why);

	if (err)
		fail_msg("%d %s", err, why);
	assert_int_equal(netlink_route_set(m.nl, r, true, why), 0); /* equal one: still fine */
}

static void requests_for_routes(void **state)
{
	struct netlink_route *r;

	(void)state;
	mirror_create();
	sh("ip nexthop add id 5 via 192.0.2.2 dev v0");
	r = route_new("10.1.0.0/16");
	hop_add(r, "192.0.2.2", 1);
	r->mtu = 1300;
	r->metric = 7;
	route_add_ok(r);
	assert_true(sh_prints("ip route",
			      "10.1.0.0/16 via 192.0.2.2 dev v0 proto 175 metric 7 mtu 1300"));
	r = route_new("10.2.0.0/16");
	hop_add(r, NULL, 1);
	route_add_ok(r);
	assert_true(sh_prints("ip route", "10.2.0.0/16 dev v0 proto 175 scope link"));
	r = route_new("10.3.0.0/16");
	hop_add(r, "192.0.2.2", 2);
	hop_add(r, "2001:db8::2", 256);
	route_add_ok(r);
	assert_true(sh_prints("ip route", "nexthop via 192.0.2.2 dev v0 weight 2"));
	assert_true(sh_prints("ip route", "nexthop via inet6 2001:db8::2 dev v0 weight 256"));
	r = route_new("2001:db8:3::/48");
	hop_add(r, "2001:db8::2", 1);
	hop_add(r, "2001:db8::3", 1);
	r->table = 70000;
	route_add_ok(r);
	assert_true(sh_prints("ip -6 route show table 70000", "nexthop via 2001:db8::3"));
	r = route_new("0.0.0.0/0");
	r->type = RTN_BLACKHOLE;
	route_add_ok(r);
	assert_true(sh_prints("ip route", "blackhole default"));
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	r = route_new("10.4.0.0/16");
	r->nhid = 5;
	route_add_ok(r);
	assert_true(sh_prints("ip route", "10.4.0.0/16 nhid 5"));
	r = route_new("10.2.0.0/16");
	assert_int_equal(netlink_route_set(m.nl, r, false, NULL), 0);
	assert_true(system("ip route | grep -q ^10.2") != 0);
}

static void route_of_most_hops_fits(void **state)
{
	struct netlink_route *r;
	char via[32];

	(void)state;
	mirror_create();
	r = route_new("10.5.0.0/16");
	for (unsigned i = 0; i < NETLINK_HOPS_MAX; i++) {
		snprintf(via, sizeof(via), "2001:db8::%x", i + 2);
		hop_add(r, via, 1);
	}
	route_add_ok(r);
	run();
	assert_int_equal(m.route.nhops, NETLINK_HOPS_MAX);
	assert_false(m.route.truncated);
	addr_is(&m.route.hops[NETLINK_HOPS_MAX - 1].via, "2001:db8::81");
}

static void refusals_say_why(void **state)
{
	struct netlink_route *r;
	char why[NETLINK_WHY] = "";

	(void)state;
	mirror_create();
	r = route_new("10.1.0.0/16");
	hop_add(r, "203.0.113.1", 1);
	assert_int_equal(netlink_route_set(m.nl, r, true, why), -ENETUNREACH);
	assert_string_equal(why, "Nexthop has invalid gateway");
	r->hops[0].encap = true;
	assert_int_equal(netlink_route_set(m.nl, r, true, why), -EOPNOTSUPP);
	r->truncated = true;
	assert_int_equal(netlink_route_set(m.nl, r, true, NULL), -E2BIG);
	assert_true(netlink_link_mtu(m.nl, link_find("v0")->ifindex, 1 << 30, why) < 0);
	assert_int_equal(netlink_link_up(m.nl, 9999, why), -ENODEV);
}

static void requests_for_links_and_neighbours(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x55 };
	struct addr ip = addr("192.0.2.55"), used = addr("192.0.2.56"), ip6 = addr("2001:db8::55");
	int v0;

	(void)state;
	mirror_create();
	v0 = link_find("v0")->ifindex;
	sh("ip link set v0 down");
	assert_int_equal(netlink_link_up(m.nl, v0, NULL), 0);
	assert_int_equal(netlink_link_mtu(m.nl, v0, 1350, NULL), 0);
	run();
	assert_int_equal(link_find("v0")->mtu, 1350);
	assert_true(link_find("v0")->flags & IFF_UP);
	for (int i = 0; i < 2; i++)
		assert_int_equal(netlink_neigh_static(m.nl, v0, &ip, mac, true, NULL), 0);
	assert_true(
		sh_prints("ip neigh show dev v0", "192.0.2.55 lladdr 02:00:00:00:00:55 PERMANENT"));
	for (int i = 0; i < 2; i++)
		assert_int_equal(netlink_neigh_static(m.nl, v0, &ip, mac, false, NULL), 0);
	assert_int_equal(netlink_neigh_use(m.nl, v0, &used, true), 0);
	/* Linux tells of it when it is resolved or failed, not before; a dump has it */
	netlink_resync(m.nl);
	run_until_synced(2);
	assert_int_equal(neigh_find("192.0.2.56")->state, NUD_INCOMPLETE);
	assert_true(neigh_find("192.0.2.56")->flags & NTF_EXT_MANAGED << 8);
	assert_int_equal(netlink_neigh_unmanage(m.nl, v0, &used), 0);
	assert_true(system("ip neigh show dev v0 | grep -q managed") != 0);
	assert_int_equal(netlink_neigh_unmanage(m.nl, v0, &ip6), 0); /* never was */
	assert_int_equal(netlink_neigh_use(m.nl, v0, &ip6, false), 0);
	assert_int_equal(netlink_neigh_use(m.nl, 9999, &ip6, false), -ENODEV);
}

static void requests_from_callbacks(void **state)
{
	struct netlink_stats stats;

	(void)state;
	mirror_create();
	m.ask = true;
	netlink_resync(m.nl);
	run_until_synced(2);
	netlink_stats(m.nl, &stats);
	assert_true(stats.requests > 4);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.malformed, 0);
}

/* ---- overruns */

/* Every route of TABLE is in the mirror with its gateway, and nothing else is. */
static void mirror_equals_ip_route(unsigned expect)
{
	char command[64], line[256], dst[64], via[64];
	unsigned found = 0, have = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ip -4 route show table %d", TABLE);
	f = popen(command, "r");
	while (fgets(line, sizeof(line), f)) {
		const struct entry *e;
		struct addr gateway;

		assert_int_equal(sscanf(line, "%63s via %63s", dst, via), 2);
		e = &m.table[prefix(dst).addr.bytes[1] << 8 | prefix(dst).addr.bytes[2]];
		gateway = addr(via);
		if (!e->used || !addr_equal(&e->via, &gateway))
			fail_msg("mirror lacks or differs: %s", line);
		found++;
	}
	pclose(f);
	for (unsigned i = 0; i < 65536; i++)
		have += m.table[i].used;
	assert_int_equal(have, found);
	assert_int_equal(found, expect);
}

static void batch_run(const char *verb, unsigned from, unsigned to, unsigned step, unsigned gateway)
{
	char command[64];
	FILE *f;

	snprintf(command, sizeof(command), "ip -batch -");
	f = popen(command, "w");
	for (unsigned i = from; i < to; i += step)
		fprintf(f, "route %s 10.%u.%u.0/24 via 192.0.2.%u table %d\n", verb, i >> 8,
			i & 255, gateway, TABLE);
	assert_int_equal(pclose(f), 0);
}

static void overrun_is_repaired(void **state)
{
	struct netlink_stats stats;

	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 100, 1, 2);
	mirror_create();
	mirror_equals_ip_route(100);
	assert_int_equal(netlink_rcvbuf(m.nl, 4096), 0);
	batch_run("add", 100, 5000, 1, 2);
	batch_run("del", 0, 5000, 5, 2);
	batch_run("replace", 1, 5000, 5, 3);
	run_until_synced(2);
	mirror_equals_ip_route(4000);
	netlink_stats(m.nl, &stats);
	assert_true(stats.overruns >= 1);
	assert_true(stats.resyncs >= 1);
	assert_int_equal(stats.malformed, 0);
	assert_false(stats.syncing);
	netlink_rcvbuf(m.nl, 1 << 20);
	batch_run("del", 2, 500, 5, 2); /* and events go on */
	run();
	mirror_equals_ip_route(3900);
}

/* Linux sends no event for IPv4 routes that go with their link: asking again is what finds out. */
static void silent_withdrawals_are_found_by_a_resync(void **state)
{
	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 100, 1, 2);
	mirror_create();
	mirror_equals_ip_route(100);
	sh("ip link set v0 down");
	run();
	netlink_resync(m.nl);
	netlink_resync(m.nl); /* asked twice, done once */
	run_until_synced(2);
	mirror_equals_ip_route(0);
	assert_int_equal(m.ends, 2);
}

/* Another process changes the table while it is dumped, over and over. */
static void changes_during_a_resync(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (!may_unshare)
		skip();
	batch_run("add", 0, 20000, 1, 2);
	mirror_create();
	mirror_equals_ip_route(20000);
	pid = fork();
	if (pid == 0) {
		batch_run("replace", 0, 20000, 3, 3);
		batch_run("del", 1, 20000, 3, 2);
		batch_run("add", 20000, 25000, 1, 4);
		batch_run("del", 20000, 25000, 2, 4);
		_exit(0);
	}
	for (unsigned ends = 2; waitpid(pid, &status, WNOHANG) == 0; ends++) {
		netlink_resync(m.nl);
		run_until_synced(ends);
	}
	run_until_synced(m.ends);
	run();
	mirror_equals_ip_route(20000 - 6667 + 5000 - 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_dump_shows_links_and_more, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(links_come_as_events, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(foreign_peer_is_marked, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(addresses_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(routes_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(nexthop_objects_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(neighbours_come_as_events, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_addresses, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_routes, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(route_of_most_hops_fits, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(refusals_say_why, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(requests_for_links_and_neighbours, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(requests_from_callbacks, namespace_new,
						namespace_end),
		cmocka_unit_test_setup_teardown(overrun_is_repaired, namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(silent_withdrawals_are_found_by_a_resync,
						namespace_new, namespace_end),
		cmocka_unit_test_setup_teardown(changes_during_a_resync, namespace_new,
						namespace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
