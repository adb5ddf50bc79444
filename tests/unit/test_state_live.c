/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/state against Linux, in a network namespace of its own: ip(8) does random things to links,
 * addresses, routes and nexthop objects, and after every few of them the mirror that followed the
 * events must equal one made afresh, and its lookups the kernel's. Much of what Linux does here it
 * does without an event; see state_route.c. Skipped where no namespace may be made.
 *
 * Not compared, for no dump tells it: IPv6 routes beside siblings of their metric, and the order of
 * IPv6 routes of one metric but for what lookups find. Nor lookups of a dead IPv6 sibling left
 * alone: Linux goes on to a shorter prefix, the mirror has the route and drops.
 *
 * SEED and STEP (operations between comparisons) in the environment repeat a failure.
 */
#include "tests/unit/state_live.h"

#include <sched.h>
#include <unistd.h>

#define OPERATIONS 3000
#define OP_LEN	   256

static bool may_unshare, has_vrf;
static char done[128][OP_LEN]; /* since the last comparison */
static unsigned ndone;

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static const char *one_of(const char *const *words, unsigned n)
{
	return words[pick(n)];
}
#define ONE_OF(...)                                                                                \
	one_of((const char *const[]){ __VA_ARGS__ },                                               \
	       sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* ---- random operations, as lines for ip -batch */

static void op_route4(char *op)
{
	const char *verb = ONE_OF("add", "add", "append", "prepend", "replace", "change", "del");
	const char *dst = ONE_OF("172.16.0.0/16", "172.16.1.0/24", "172.16.1.128/25", "default",
				 "172.17.0.0/16", "172.16.1.5");
	const char *metric = ONE_OF("", "", " metric 10", " metric 20");
	const char *table = ONE_OF("", "", "", " table 100");
	const char *via = ONE_OF("10.1.0.9", "10.1.0.10", "10.2.0.9", "10.2.0.10");

	switch (pick(10)) {
	case 0:
		snprintf(op, OP_LEN, "route %s %s %s%s%s", verb,
			 ONE_OF("blackhole", "unreachable", "prohibit", "throw"), dst, metric,
			 table);
		break;
	case 1:
	case 2:
		snprintf(op, OP_LEN,
			 "route %s %s%s%s nexthop via %s weight %u nexthop via 10.2.0.%u", verb,
			 dst, metric, table, via, 1 + pick(3), 9 + pick(2));
		break;
	case 3:
		snprintf(op, OP_LEN, "route %s %s dev %s%s%s", verb, dst,
			 ONE_OF("v0", "v1", "v2", "lo"), metric, table);
		break;
	case 4:
		snprintf(op, OP_LEN, "route %s %s nhid %u%s%s", verb, dst, 1 + pick(7), metric,
			 table);
		break;
	case 5:
		snprintf(op, OP_LEN, "route %s %s via %s src %s%s%s", verb, dst, via,
			 ONE_OF("10.1.0.1", "10.1.0.2", "10.2.0.1", "10.9.0.1"), metric, table);
		break;
	case 6:
		snprintf(op, OP_LEN, "route %s %s via %s mtu 1300%s", verb, dst, via, metric);
		break;
	case 7: snprintf(op, OP_LEN, "route del %s%s%s", dst, metric, table); break;
	default:
		snprintf(op, OP_LEN, "route %s %s via %s%s%s", verb, dst, via, metric, table);
		break;
	}
}

static void op_route6(char *op)
{
	const char *verb = ONE_OF("add", "add", "append", "append", "replace", "del", "del");
	const char *dst = ONE_OF("2001:db8:f::/48", "2001:db8:f:1::/64", "::/0", "2001:db8:f:1::5",
				 "2001:db8:e::/48");
	const char *metric = ONE_OF("", "", "", " metric 10");
	const char *table = ONE_OF("", "", "", "", "", " table 100");
	const char *via =
		ONE_OF("2001:db8:1::9", "2001:db8:1::a", "2001:db8:2::9", "2001:db8:2::a");

	switch (pick(8)) {
	case 0:
		snprintf(op, OP_LEN, "route %s %s %s%s%s", verb,
			 ONE_OF("blackhole", "unreachable", "prohibit"), dst, metric, table);
		break;
	case 1:
	case 2:
		snprintf(op, OP_LEN, "route %s %s%s%s nexthop via %s nexthop via 2001:db8:2::%u",
			 verb, dst, metric, table, via, 9 + pick(3));
		break;
	case 3:
		snprintf(op, OP_LEN, "route %s %s dev %s%s%s", verb, dst, ONE_OF("v0", "v1", "v2"),
			 metric, table);
		break;
	case 4:
		snprintf(op, OP_LEN, "route %s %s nhid %u%s%s", verb, dst, 11 + pick(7), metric,
			 table);
		break;
	case 5: snprintf(op, OP_LEN, "route del %s%s%s", dst, metric, table); break;
	default:
		snprintf(op, OP_LEN, "route %s %s via %s%s%s", verb, dst, via, metric, table);
		break;
	}
}

static void op_nexthop(char *op)
{
	unsigned six = 10 * pick(2), member;

	switch (pick(8)) {
	case 0:
	case 1:
	case 3:
		member = 1 + pick(4);
		snprintf(op, OP_LEN, "nexthop %s id %u via %s%u dev %s", ONE_OF("add", "replace"),
			 six + member,
			 six	      ? member < 3 ? "2001:db8:1::" : "2001:db8:2::"
			 : member < 3 ? "10.1.0."
				      : "10.2.0.",
			 9 + pick(2), member < 3 ? "v0" : "v2");
		break;
	case 2: snprintf(op, OP_LEN, "nexthop del id %u", six + 1 + pick(8)); break;
	case 4: snprintf(op, OP_LEN, "nexthop add id %u blackhole", six + 5); break;
	default:
		snprintf(op, OP_LEN, "nexthop %s id %u group %u/%u,3", ONE_OF("add", "replace"),
			 six + 6 + pick(2), six + 1 + pick(2), six + 3 + pick(2));
		break;
	}
}

static void op_address(char *op)
{
	switch (pick(4)) {
	case 0:
		snprintf(op, OP_LEN, "address %s %s dev v0", ONE_OF("add", "del"),
			 ONE_OF("10.1.0.1/24", "10.1.0.2/24", "10.9.0.1/24",
				"10.1.0.1 peer 10.7.0.1"));
		break;
	case 1:
		snprintf(op, OP_LEN, "address %s %s dev v2", ONE_OF("add", "del"),
			 ONE_OF("10.2.0.1/24", "10.2.0.2/16", "10.9.0.1/24", "10.1.0.1/32"));
		break;
	case 2:
		snprintf(op, OP_LEN, "address %s %s dev v0 nodad", ONE_OF("add", "del"),
			 ONE_OF("2001:db8:1::1/64", "2001:db8:1::2/64", "2001:db8:3::1/64"));
		break;
	default:
		snprintf(op, OP_LEN, "address %s %s dev v2 nodad", ONE_OF("add", "del"),
			 ONE_OF("2001:db8:2::1/64", "2001:db8:2::2/128", "2001:db8:3::1/64"));
		break;
	}
}

/* What takes much away is rare, and mostly put right at once: else nothing would be left to test.
 */
static void op_link(char *op)
{
	const char *dev = ONE_OF("v0", "v1", "v2", "v3", "lo");

	switch (pick(8)) {
	case 0: snprintf(op, OP_LEN, "link set %s down", dev); break;
	case 1:
		snprintf(op, OP_LEN, "%s",
			 has_vrf ? ONE_OF("link set v2 master red", "link set v2 nomaster")
				 : "link set v2 up");
		break;
	case 2:
		if (pick(4) == 0)
			snprintf(op, OP_LEN, "link del v2");
		else
			snprintf(op, OP_LEN, "link set v0 mtu %u", 1400 + pick(2) * 100);
		break;
	case 3: snprintf(op, OP_LEN, "link add v2 type veth peer name v3"); break;
	default: snprintf(op, OP_LEN, "link set %s up", dev); break;
	}
}

static void op_any(char *op)
{
	unsigned n = pick(100);

	if (n < 40)
		op_route4(op);
	else if (n < 70)
		op_route6(op);
	else if (n < 83)
		op_nexthop(op);
	else if (n < 91)
		op_address(op);
	else
		op_link(op);
}

/* What others need: without it most of them are refused. */
static const char *const repairs[] = {
	"link set lo up",
	"link set v0 up",
	"link set v1 up",
	"link set v2 up",
	"link set v3 up",
	"address add 10.1.0.1/24 dev v0",
	"address add 10.2.0.1/24 dev v2",
	"address add 2001:db8:1::1/64 dev v0 nodad",
	"address add 2001:db8:2::1/64 dev v2 nodad",
};
#define REPAIRS (sizeof(repairs) / sizeof(repairs[0]))

static void operate(unsigned n)
{
	FILE *f = popen("ip -force -batch - > /dev/null 2>&1", "w");
	unsigned repair = pick(3) ? REPAIRS : 0;

	ndone = 0;
	for (unsigned i = 0; i < repair; i++)
		snprintf(done[ndone++], OP_LEN, "%s", repairs[i]);
	while (ndone < repair + n)
		op_any(done[ndone++]);
	for (unsigned i = 0; i < ndone; i++)
		fprintf(f, "%s\n", done[i]);
	pclose(f);
}

static int namespace_new(void **state)
{
	(void)state;
	may_unshare = unshare(CLONE_NEWNET) == 0;
	if (!may_unshare) {
		print_message("no network namespace: %s\n", strerror(errno));
		return 0;
	}
	has_vrf = system("ip link add red type vrf table 200 2> /dev/null && "
			 "ip link set red up") == 0;
	/* A router: a host's lookups would pass over gateways that do not answer. */
	return system(
		"echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; "
		"for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done;"
		"ip link set lo up; ip link add v0 type veth peer name v1; "
		"ip link add v2 type veth peer name v3; "
		"for v in v0 v1 v2 v3; do ip link set $v up; done; "
		"ip address add 10.1.0.1/24 dev v0; ip address add 10.2.0.1/24 dev v2; "
		"ip address add 2001:db8:1::1/64 dev v0 nodad; "
		"ip address add 2001:db8:2::1/64 dev v2 nodad");
}

/* ---- comparisons */

static bool mirror_equals_linux(struct live *v, bool say)
{
	struct live fresh;
	struct text a = { 0 }, b = { 0 };
	bool equal;

	live_create(&fresh);
	live_run(v, 1);
	text_state(&a, v->state);
	text_state(&b, fresh.state);
	equal = text_equal(&a, &b, say);
	text_free(&a);
	text_free(&b);
	live_destroy(&fresh);
	return equal;
}

/* Linux makes up its mind about carriers a little later: try again before giving up. */
static void compare(struct live *v)
{
	for (unsigned i = 0; i < 30; i++) {
		live_run(v, i ? 50 : 5);
		if (mirror_equals_linux(v, false))
			return;
	}
	mirror_equals_linux(v, true);
	for (unsigned i = 0; i < ndone; i++)
		print_error("  ip %s\n", done[i]);
	fail_msg("the mirror differs");
}

/* IPv6: siblings stay when their link goes down, for as long as one is alive; the last that is may
 * be deleted then. */
static bool left_dead(const struct state *s, const struct route *r)
{
	const struct path *p = r->path;

	if (r->dst.addr.family != AF_INET6 || p->nhid)
		return false;
	for (unsigned i = 0; i < p->nhops; i++) {
		const struct link *l = state_link(s, p->hops[i].hop.ifindex);

		if (l && l->l.flags & IFF_UP)
			return false;
	}
	return p->nhops > 0;
}

static void lookup_equals(struct live *v, struct mnl_socket *nl, const struct addr *a)
{
	const struct route *r = state_route_for(v->state, TABLE_MAIN, a);
	const struct fib *fib = state_fib(v->state, TABLE_MAIN, a->family, false);
	uint32_t slot = a->family == AF_INET ? fib4_lookup(fib, a->v4) : fib6_lookup(fib, &a->v6);
	struct prefix dst = { 0 };
	uint8_t type = kernel_lookup(nl, a, &dst);
	char text[ADDR_STRLEN], mine[PREFIX_STRLEN] = "none", theirs[PREFIX_STRLEN] = "none";

	assert_int_equal(slot, r ? r->path->slot : FIB_NONE);
	if (!r || r->type == RTN_THROW || r->path->nhid || beside_siblings(v->state, r) ||
	    left_dead(v->state, r))
		return; /* a blackhole by nhid is no type of its own */
	if (r->type == type && (!dst.addr.family || prefix_equal(&dst, &r->dst)))
		return;
	for (unsigned i = 0; i < ndone; i++)
		print_error("  ip %s\n", done[i]);
	fail_msg("%s: type %u by %s, Linux: type %u by %s", addr_format(a, text), r->type,
		 prefix_format(&r->dst, mine), type,
		 dst.addr.family ? prefix_format(&dst, theirs) : theirs);
}

static void lookups_equal(struct live *v, struct mnl_socket *nl)
{
	for (unsigned i = 0; i < 60; i++) {
		char text[64];
		struct addr a;

		switch (pick(4)) {
		case 0: snprintf(text, sizeof(text), "172.16.%u.%u", pick(3), pick(256)); break;
		case 1: snprintf(text, sizeof(text), "10.%u.0.%u", 1 + pick(9), pick(12)); break;
		case 2: snprintf(text, sizeof(text), "2001:db8:f:%u::%u", pick(3), pick(10)); break;
		default:
			snprintf(text, sizeof(text), "2001:db8:%u::%u", 1 + pick(3), pick(12));
			break;
		}
		assert_int_equal(addr_parse(text, &a), 0);
		lookup_equals(v, nl, &a);
	}
}

/* Ports on v0 and v2, whenever there are such links. */
static void open_ports(struct state *s)
{
	struct link *v0 = state_link_named(s, "v0"), *v2 = state_link_named(s, "v2");

	if (v0 && v0->port == IFACE_NONE)
		state_port(s, v0, 0);
	if (v2 && v2->port == IFACE_NONE)
		state_port(s, v2, 1);
	state_publish(s);
}

static void random_operations(void **state)
{
	const char *seed = getenv("SEED"), *step = getenv("STEP");
	unsigned n = seed ? (unsigned)atoi(seed) : (unsigned)getpid();
	unsigned each = step ? (unsigned)atoi(step) : 50;
	struct mnl_socket *nl;
	struct live v;

	(void)state;
	if (!may_unshare)
		skip();
	print_message("SEED=%u\n", n);
	srandom(n);
	live_create(&v);
	nl = mnl_socket_open(NETLINK_ROUTE);
	for (unsigned i = 0; i < OPERATIONS; i += each) {
		open_ports(v.state);
		if (pick(4) == 0)
			netlink_resync(v.nl); /* and events meanwhile */
		operate(each);
		compare(&v);
		lookups_equal(&v, nl);
	}
	mnl_socket_close(nl);
	live_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_operations, namespace_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
