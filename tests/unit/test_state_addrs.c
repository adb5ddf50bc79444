/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of this host: by which of them workers speak, and which are Linux's to answer at.
 * Requirements F16, G23.
 */
#include "tests/unit/state_events.h"

static void address6(const char *text, uint32_t flags)
{
	struct netlink_addr a = { .ifindex = LAN, .local = prefix(text), .flags = flags };

	a.scope = text[0] == 'f' ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	state_netlink_ops.addr(s, &a);
}

/* The interface as workers find it. */
static const struct dp_iface *lan_published(void)
{
	state_publish(s);
	for (unsigned i = 0; i < s->config->nifaces; i++)
		if (s->config->iface[i].ifindex == LAN)
			return &s->config->iface[i];
	fail();
	return NULL;
}

static void is_address(const struct in6_addr *a, const char *text)
{
	struct addr want = prefix(text).addr;

	assert_memory_equal(a, &want.v6, sizeof(*a));
}

/* By which addresses of IPv6 errors and redirects speak, as Linux does: the oldest link-local one,
 * whether it was there before us or not, and none that is deprecated as long as there are others.
 */
static void addresses_of_ip6_are_those_that_linux_would_choose(void **state)
{
	const struct dp_iface *f;

	(void)state;
	address6("fe80::1/64", IFA_F_TENTATIVE);
	address6("fe80::2/64", 0);
	address6("fe80::3/64", 0);
	is_address(&lan_published()->ip6_link_local, "fe80::2/64");
	address6("fe80::1/64", 0);
	is_address(&lan_published()->ip6_link_local, "fe80::1/64");

	address6("2001:db8:1::1/64", 0);
	address6("2001:db8:1::2/64", IFA_F_DEPRECATED);
	address6("2001:db8:1::3/48", 0);
	f = lan_published();
	assert_int_equal(f->nip6, 2);
	is_address(&f->ip6[0].addr, "2001:db8:1::1/64");
	is_address(&f->ip6[1].addr, "2001:db8:1::3/48");
	assert_int_equal(f->ip6[1].len, 48);

	state_netlink_ops.sync_begin(s); /* the newest first */
	link_is(LAN, "lan", UP);
	address6("2001:db8:1::2/64", IFA_F_DEPRECATED);
	address6("2001:db8:1::1/64", IFA_F_DEPRECATED);
	address6("fe80::4/64", 0);
	address6("fe80::3/64", 0);
	address6("fe80::2/64", 0);
	state_netlink_ops.sync_end(s);
	f = lan_published();
	is_address(&f->ip6_link_local, "fe80::2/64");
	assert_int_equal(f->nip6, 2);
	is_address(&f->ip6[0].addr, "2001:db8:1::1/64");
	is_address(&f->ip6[1].addr, "2001:db8:1::2/64");
}

static unsigned addresses_told;

static void told_of_address(void *arg, const struct netlink_addr *a)
{
	(void)arg;
	(void)a;
	addresses_told++;
}

/* Linux gets what is for addresses that only a route has: anycast, or made local by hand. */
static void addresses_that_only_routes_have(void **state)
{
	static const char *const to[] = { "2001:db8:1::/128", "2001:db8:9::1/128", "10.66.0.1/32",
					  "10.67.0.0/16" };
	struct netlink_route *r;
	struct addr locals[32];
	unsigned before;

	(void)state;
	before = state_local_addrs(s, locals, 32);
	s->addr_changed = told_of_address;
	for (unsigned i = 0; i < 8; i++) {
		r = hop(route_to(to[i % 4]), LAN, NULL, 1);
		r->table = TABLE_LOCAL;
		r->type = i % 4 ? RTN_LOCAL : RTN_ANYCAST;
		if (i < 4)
			tell(r);
		else
			tell_gone(r);
		/* the last one is a network */
		assert_int_equal(addresses_told, i < 3 ? i + 1 : i < 7 ? i : 6);
		assert_int_equal(state_local_addrs(s, locals, 32), before + (i < 3   ? i + 1
									     : i < 7 ? 6 - i
										     : 0));
	}
	assert_int_equal(state_local_addrs(s, locals, 1), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, network_up, network_down)
		T(addresses_of_ip6_are_those_that_linux_would_choose),
		T(addresses_that_only_routes_have),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
