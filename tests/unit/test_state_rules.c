/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/state_rules: when interfaces have lists of rules, what is in them, and how they come and
 * go (F19). What any rules make of packets is test_state_rules_random's.
 */
#include "router/net/fib_internal.h" /* before `s` is a variable */

#include "tests/unit/rules_lab.h"

static void route_in(uint32_t table, const char *dst, uint8_t type)
{
	struct netlink_route *r = route_to(dst);

	r->table = table;
	r->type = type;
	if (type == RTN_UNICAST)
		hop(r, LAN, NULL, 1);
	tell(r);
}

/* To an address, as a packet without anything else. */
static uint32_t ask_to(int ifindex, const char *src, const char *dst)
{
	struct addr from = prefix(src).addr, to = prefix(dst).addr;
	struct rule_packet p = { .src = from.bytes, .dst = to.bytes };

	return ask(ifindex, to.family, false, &p);
}

static uint32_t slot_of_route(uint32_t table, const char *dst)
{
	struct prefix p = prefix(dst);
	const struct route *r = state_route_exact(s, table, &p);

	assert_non_null(r);
	return r->path->slot;
}

/* ---- the common case */

static void usual_rules_are_no_list(void **state)
{
	struct netlink_rule r;

	(void)state;
	usual_rules(AF_INET);
	usual_rules(AF_INET6);
	state_publish(s);
	assert_null(iface_of(LAN)->rules4);
	assert_null(iface_of(LAN)->rules6);
	assert_null(iface_of(LAN)->own4);
	assert_false(s->config->ruled);
	r = rule_of(AF_INET, 100, 100); /* concerns wan only */
	strcpy(r.iif, "wan");
	rule(&r);
	state_publish(s);
	assert_null(iface_of(LAN)->rules4);
	assert_null(iface_of(WAN)->rules6);
	assert_non_null(iface_of(WAN)->rules4);
	assert_int_equal(iface_of(WAN)->rules4->nsteps, 3);
	assert_ptr_equal(iface_of(WAN)->rules4->step[2].fib, state_fib(s, TABLE_MAIN, AF_INET, 0));
	assert_true(s->config->ruled);
	rule_gone(r);
	state_publish(s);
	assert_null(iface_of(WAN)->rules4);
}

/* Interfaces that the same rules concern share a list. */
static void lists_are_shared(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 100, 100);

	(void)state;
	usual_rules(AF_INET);
	r.mark = r.mark_mask = 1;
	rule(&r);
	state_publish(s);
	assert_non_null(iface_of(LAN)->rules4);
	assert_ptr_equal(iface_of(LAN)->rules4, iface_of(WAN)->rules4);
	assert_true(iface_of(LAN)->rules4->marks);
	assert_false(iface_of(LAN)->rules4->each);
	assert_false(iface_of(LAN)->rules4->ports);
}

/* Table default is asked when main has nothing, however long default's prefix is (and IPv6 has no
 * rule for it). */
static void default_comes_after_main(void **state)
{
	struct netlink_route *r;

	(void)state;
	usual_rules(AF_INET);
	usual_rules(AF_INET6);
	route_in(TABLE_MAIN, "172.16.0.0/12", RTN_BLACKHOLE);
	route_in(TABLE_DEFAULT, "172.16.1.0/24", RTN_PROHIBIT);
	route_in(TABLE_DEFAULT, "0.0.0.0/0", RTN_PROHIBIT);
	route_in(TABLE_DEFAULT, "::/0", RTN_PROHIBIT);
	state_publish(s);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.1.1/32"),
			 slot_of_route(TABLE_MAIN, "172.16.0.0/12"));
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "192.0.2.1/32"),
			 slot_of_route(TABLE_DEFAULT, "0.0.0.0/0"));
	assert_int_equal(ask_to(LAN, "2001:db8::1/128", "2001:db8::2/128"), FIB_NONE);
	r = route_to("172.16.1.0/24");
	r->table = TABLE_DEFAULT;
	r->type = RTN_PROHIBIT;
	tell_gone(r);
	r = route_to("0.0.0.0/0");
	r->table = TABLE_DEFAULT;
	r->type = RTN_PROHIBIT;
	tell_gone(r);
	state_publish(s);
	assert_null(iface_of(LAN)->rules4);
}

/* With its own rules only, Linux looks into local and main at once; else one after the other. */
static void local_before_main(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 100, 100);
	uint32_t local, both;

	(void)state;
	usual_rules(AF_INET);
	route_in(TABLE_LOCAL, "172.16.0.0/12", RTN_LOCAL);
	route_in(TABLE_MAIN, "172.16.1.0/24", RTN_PROHIBIT);
	state_publish(s);
	local = slot_of_route(TABLE_LOCAL, "172.16.0.0/12");
	both = slot_of_route(TABLE_MAIN, "172.16.1.0/24");
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.1.1/32"), both);
	rule(&r);
	state_publish(s);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.1.1/32"), local);
	usual_rules(AF_INET6); /* which IPv6 always does */
	route_in(TABLE_LOCAL, "2001:db8::/32", RTN_LOCAL);
	route_in(TABLE_MAIN, "2001:db8:1::/48", RTN_PROHIBIT);
	state_publish(s);
	assert_int_equal(ask_to(LAN, "2001:db8::1/128", "2001:db8:1::1/128"),
			 slot_of_route(TABLE_LOCAL, "2001:db8::/32"));
}

/* ---- what is not known */

static void unknown_rules_take_nothing(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 100, 0);

	(void)state;
	usual_rules(AF_INET);
	r.action = FR_ACT_BLACKHOLE;
	r.unknown = true;
	rule(&r);
	r.invert = true;
	rule(&r);
	r = rule_of(AF_INET, 101, 100);
	r.suppress_group = 3;
	rule(&r);
	state_publish(s);
	assert_false(rule_understood(&r));
	assert_null(iface_of(LAN)->rules4);
}

/* A goto that leads nowhere, or back, is passed over. */
static void gotos_lead_forward(void **state)
{
	struct netlink_rule jump = rule_of(AF_INET, 100, 0), end = rule_of(AF_INET, 200, 0);

	(void)state;
	usual_rules(AF_INET);
	jump.action = FR_ACT_GOTO;
	jump.target = 200;
	rule(&jump);
	state_publish(s);
	assert_int_not_equal(ask_to(LAN, "10.1.0.9/32", "10.2.0.9/32"), s->blackhole);
	end.action = FR_ACT_BLACKHOLE;
	rule(&end);
	jump.target = 50;
	rule(&jump);
	jump.target = 100;
	rule(&jump);
	state_publish(s);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.0.1/32"), s->blackhole);
}

/* ---- life */

static void resync(void (*dump)(int family))
{
	state_netlink_ops.sync_begin(s);
	network_is_there();
	dump(AF_INET);
	state_publish(s); /* before the end */
	state_netlink_ops.sync_end(s);
	state_publish(s);
}

static void blackhole_rules(int family)
{
	struct netlink_rule r = rule_of(family, 50, 0);

	usual_rules(family);
	r.action = FR_ACT_BLACKHOLE;
	rule(&r);
	rule(&r); /* the event that the dump has shown already */
}

static void no_rules(int family)
{
	(void)family;
}

static void synchronisations_replace_all(void **state)
{
	(void)state;
	resync(usual_rules);
	assert_null(iface_of(LAN)->rules4);
	resync(blackhole_rules);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.0.1/32"), s->blackhole);
	assert_int_equal(iface_of(LAN)->rules4->nsteps, 3); /* local, blackhole, main */
	state_netlink_ops.sync_begin(s);		    /* broken off, and begun again */
	usual_rules(AF_INET);
	state_publish(s);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.0.1/32"), s->blackhole);
	resync(usual_rules);
	assert_null(iface_of(LAN)->rules4);
	resync(no_rules); /* somebody flushed them all: nothing is routed */
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "10.2.0.9/32"), FIB_NONE);
}

/* Tables are kept while rules look into them, and rules' changes make flows look anew. */
static void tables_come_and_go(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 100, 100);
	uint32_t before;

	(void)state;
	usual_rules(AF_INET);
	route_in(100, "172.16.0.0/12", RTN_PROHIBIT);
	state_publish(s);
	assert_null(state_fib(s, 100, AF_INET, false));
	before = s->nht.generation;
	r.suppress_len = 12;
	rule(&r);
	r.priority++;
	r.suppress_len = -1;
	rule(&r);
	state_publish(s);
	assert_true(before != s->nht.generation);
	assert_non_null(state_fib(s, 100, AF_INET, false));
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.0.1/32"),
			 slot_of_route(100, "172.16.0.0/12"));
	rule_gone(r);
	state_publish(s);
	assert_null(state_fib(s, 100, AF_INET, false));
}

/* No memory for the FIB of a VRF: its packets stay in it, and come out when there is room. */
static void a_vrf_without_fib_is_closed(void **state)
{
	struct netlink_link wan = {
		.ifindex = WAN, .name = "wan", .has_mac = true, .mtu = 1500, .flags = UP
	};
	struct netlink_link red = {
		.ifindex = RED, .name = "red", .kind = "vrf", .vrf_table = 200, .flags = UP
	};
	struct netlink_rule l3mdev = rule_of(AF_INET, 1000, 0);
	struct fib_arena *a = &s->pool[0]->read;
	uint32_t limit = a->limit;

	(void)state;
	usual_rules(AF_INET);
	l3mdev.l3mdev = true;
	rule(&l3mdev);
	route_in(TABLE_MAIN, "0.0.0.0/0", RTN_UNICAST);
	route_in(200, "172.16.0.0/16", RTN_UNICAST);
	route_in(TABLE_MAIN, "172.17.0.0/16", RTN_UNICAST);
	state_publish(s);
	a->limit = 0;
	while (fib_arena_alloc(a, 1)) /* what is free below it */
		;
	wan.master = RED;
	state_netlink_ops.link(s, &red);
	state_netlink_ops.link(s, &wan);
	state_publish(s);
	assert_null(state_fib(s, 200, AF_INET, false));
	assert_int_equal(ask_to(WAN, "10.2.0.9/32", "172.16.0.1/32"), FIB_NONE);
	assert_int_equal(ask_to(WAN, "10.2.0.9/32", "192.0.2.1/32"), FIB_NONE);
	assert_int_equal(ask_to(LAN, "10.1.0.9/32", "172.16.0.1/32"),
			 slot_of_route(TABLE_MAIN, "0.0.0.0/0"));
	a->limit = limit;
	tell_gone(hop(route_to("172.17.0.0/16"), LAN, NULL, 1));
	state_publish(s);
	assert_int_equal(ask_to(WAN, "10.2.0.9/32", "172.16.0.1/32"),
			 slot_of_route(200, "172.16.0.0/16"));
	assert_false(s->fib_missing || s->rules_dirty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(usual_rules_are_no_list, network_up, network_down),
		cmocka_unit_test_setup_teardown(lists_are_shared, network_up, network_down),
		cmocka_unit_test_setup_teardown(default_comes_after_main, network_up, network_down),
		cmocka_unit_test_setup_teardown(local_before_main, network_up, network_down),
		cmocka_unit_test_setup_teardown(unknown_rules_take_nothing, network_up,
						network_down),
		cmocka_unit_test_setup_teardown(gotos_lead_forward, network_up, network_down),
		cmocka_unit_test_setup_teardown(synchronisations_replace_all, network_up,
						network_down),
		cmocka_unit_test_setup_teardown(tables_come_and_go, network_up, network_down),
		cmocka_unit_test_setup_teardown(a_vrf_without_fib_is_closed, network_up,
						network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
