/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rp-filter finds of Linux's routes (requirement F5): which route is a default route, all the
 * interfaces of a route with several next hops, and, while somebody asks for feasible paths, those
 * of all routes of a prefix; and which table rules name. Asked like a packet asks, with sources and
 * interfaces.
 */
#include "tests/unit/rules_lab.h"

#include "config/conf.h"
#include "router/net/rp_filter.h"

static enum conf_rp_filter how[IFACES_MAX]; /* of interfaces, by Linux's number */
static bool by_default;

static void settings(void *arg, const struct link *l, struct dp_iface *f)
{
	(void)arg;
	f->rp_filter = (uint8_t)how[l->l.ifindex];
	f->rp_default = by_default;
}

static int lab_up(void **state)
{
	memset(how, 0, sizeof(how));
	by_default = false;
	network_up(state);
	s->iface_settings = settings;
	return 0;
}

/* LAN and WAN ask so. */
static void ask_for(enum conf_rp_filter kind)
{
	how[LAN] = how[WAN] = kind;
	state_rename(s);
}

/* Would a packet with this source pass that comes in by this interface? */
static bool passes(const char *src, int ifindex)
{
	struct ip4_header h4 = { .ver_ihl = 0x45, .dst = ip("192.0.2.1")->v4 };
	struct ip6_header h6 = { .ver_tc_flow = htonl(6u << 28) };
	struct dp dp = { .cfg = s->config };
	struct addr a = prefix(src).addr;
	struct pkt p = { .l3 = (uint8_t *)&h4, .iface = state_link(s, ifindex)->iface };

	if (a.family == AF_INET6) {
		p.l3 = (uint8_t *)&h6;
		p.flags = PKT_IP6;
		memcpy(h6.src, a.bytes, 16);
	} else {
		h4.src = a.v4;
	}
	assert_true(dp.cfg->iface[p.iface].rp_filter);
	return rp_filter_burst(&dp, &p, 1);
}

/* By LAN, by WAN: "lw", "l", "w" or "". */
static void by(const char *src, const char *want)
{
	char got[3] = "", *at = got;

	if (passes(src, LAN))
		*at++ = 'l';
	if (passes(src, WAN))
		*at++ = 'w';
	*at = 0;
	print_message("%s: %s\n", src, got);
	assert_string_equal(got, want);
}

static struct netlink_route *with_metric(struct netlink_route *r, uint32_t metric)
{
	r->metric = metric;
	return r;
}

static struct netlink_route *of_type(const char *dst, uint8_t type)
{
	struct netlink_route *r = route_to(dst);

	r->type = type;
	return r;
}

static void both_families(void)
{
	tell(via("172.16.0.0/16", LAN, "10.1.0.9"));
	tell(via("2001:db8:16::/48", LAN, "2001:db8::9"));
	tell(hop(via("172.17.0.0/16", LAN, "10.1.0.9"), WAN, "10.2.0.8", 1));
	tell(hop(via("2001:db8:17::/48", LAN, "2001:db8::9"), WAN, "2001:db8:1::8", 1));
	tell(via("172.18.0.0/16", OTHER, "10.3.0.9"));
	tell(of_type("172.19.0.0/16", RTN_BLACKHOLE));
	tell(of_type("172.20.0.0/16", RTN_UNREACHABLE));
	tell(of_type("172.21.0.0/16", RTN_PROHIBIT));
	tell(of_type("172.22.0.0/16", RTN_THROW));
	tell(of_type("2001:db8:19::/48", RTN_BLACKHOLE));
	tell(of_type("10.1.0.1/32", RTN_LOCAL));
}

static void strict_is_the_best_route(void **state)
{
	(void)state;
	both_families();
	ask_for(CONF_RP_STRICT);
	by("172.16.0.1", "l");
	by("2001:db8:16::1", "l");
	by("172.17.0.1", "lw"); /* any member of a group */
	by("2001:db8:17::1", "lw");
	by("172.18.0.1", ""); /* not an interface of ours */
	by("172.19.0.1", "");
	by("172.20.0.1", "");
	by("172.21.0.1", "");
	by("172.22.0.1", "");
	by("2001:db8:19::1", "");
	by("10.1.0.1", "");
	by("192.0.2.1", "");
	by("fe80::7", "lw"); /* of the link, whichever */
	tell(hop(route_to("10.1.0.0/24"), LAN, NULL, 1));
	by("10.1.0.77", "l");
	tell(via("0.0.0.0/0", WAN, "10.2.0.9"));
	by("192.0.2.1", "w"); /* as in Linux, a default route counts */
	tell(via("172.16.5.0/24", WAN, "10.2.0.9"));
	by("172.16.5.1", "w");
	by("172.16.6.1", "l");
}

static void loose_is_any_route(void **state)
{
	(void)state;
	both_families();
	ask_for(CONF_RP_LOOSE);
	by("172.16.0.1", "lw");
	by("2001:db8:16::1", "lw");
	by("172.17.0.1", "lw");
	by("172.18.0.1", "lw");
	by("172.19.0.1", "");
	by("172.20.0.1", "");
	by("172.21.0.1", "");
	by("2001:db8:19::1", "");
	by("10.1.0.1", "");
	by("192.0.2.1", "");
	by("fe80::7", "lw");
}

/* The same gateway for it and for others: they are told apart. */
static void loose_and_a_default_route(void **state)
{
	(void)state;
	both_families();
	ask_for(CONF_RP_LOOSE);
	tell(via("0.0.0.0/0", LAN, "10.1.0.9"));
	tell(via("::/0", LAN, "2001:db8::9"));
	by("172.16.0.1", "lw");
	by("192.0.2.1", "");
	by("2001:db8:99::1", "");
	by_default = true;
	state_rename(s);
	by("192.0.2.1", "lw");
	by("2001:db8:99::1", "lw");
	by("172.19.0.1", "");
	by_default = false;
	state_rename(s);
	by("192.0.2.1", "");
	tell(via("0.0.0.0/1", LAN, "10.1.0.9")); /* half of it is none */
	by("99.0.2.1", "lw");
	object(7, LAN, "10.1.0.9");
	tell_gone(via("0.0.0.0/0", LAN, "10.1.0.9"));
	struct netlink_route *r = route_to("0.0.0.0/0");
	r->nhid = 7;
	tell(r);
	r = route_to("172.23.0.0/16");
	r->nhid = 7;
	tell(r);
	by("192.0.2.1", "");
	by("172.23.0.1", "lw");
}

/* A route that is worse counts, one of a shorter prefix does not; packets go by the best. */
static void feasible_is_any_metric(void **state)
{
	static const char *const dst[] = { "172.16.0.0/16", "2001:db8:16::/48" };
	static const char *const src[] = { "172.16.0.1", "2001:db8:16::1" };
	static const char *const gw[][2] = { { "10.1.0.9", "10.2.0.8" },
					     { "2001:db8::9", "2001:db8:1::8" } };

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		tell(via(six ? "2001:db8::/32" : "172.0.0.0/8", WAN, gw[six][1]));
		ask_for(CONF_RP_FEASIBLE);
		tell(with_metric(via(dst[six], LAN, gw[six][0]), 10));
		by(src[six], "l");
		tell(with_metric(via(dst[six], WAN, gw[six][1]), 20));
		by(src[six], "lw");
		assert_int_equal(gateway_of(src[six]), 9);
		ask_for(CONF_RP_STRICT);
		by(src[six], "l");
		assert_int_equal(s->feasible, false);
		ask_for(CONF_RP_FEASIBLE);
		by(src[six], "lw");
		tell_gone(with_metric(via(dst[six], LAN, gw[six][0]), 10));
		by(src[six], "w");
		assert_int_equal(s->wides.count, 0);
		tell(with_metric(via(dst[six], LAN, gw[six][0]), 30));
		by(src[six], "lw");
		assert_int_equal(gateway_of(src[six]), 8);
		tell_gone(with_metric(via(dst[six], LAN, gw[six][0]), 30));
		by(src[six], "w");
		tell_gone(with_metric(via(dst[six], WAN, gw[six][1]), 20));
		by(src[six], "w"); /* the shorter prefix's now */
	}
}

/* Strict on one interface and feasible on another, by one slot. */
static void each_as_it_asks(void **state)
{
	(void)state;
	how[LAN] = CONF_RP_STRICT;
	how[WAN] = CONF_RP_FEASIBLE;
	state_rename(s);
	tell(with_metric(via("172.16.0.0/16", OTHER, "10.3.0.9"), 10));
	tell(with_metric(via("172.16.0.0/16", LAN, "10.1.0.9"), 20));
	tell(with_metric(via("172.16.0.0/16", WAN, "10.2.0.8"), 30));
	by("172.16.0.1", "w");
}

/* Neighbours, links and objects change what the best path holds, and where the others lead. */
static void feasible_follows(void **state)
{
	struct netlink_route *r;

	(void)state;
	ask_for(CONF_RP_FEASIBLE);
	object(1, LAN, "10.1.0.9");
	tell(with_metric(via("172.16.0.0/16", LAN, "10.1.0.7"), 10));
	r = with_metric(route_to("172.16.0.0/16"), 20);
	r->nhid = 1;
	tell(r);
	by("172.16.0.1", "l");
	object(1, WAN, "10.2.0.8"); /* an alternative moves */
	by("172.16.0.1", "lw");
	assert_int_equal(find("172.16.0.1")->state, NH_UNRESOLVED);
	neighbour(LAN, "10.1.0.7", NUD_REACHABLE, 0x42);
	assert_int_equal(find("172.16.0.1")->state, NH_RESOLVED);
	assert_int_equal(find("172.16.0.1")->l2[0], 0x42);
	link_is(LAN, "lan", 0); /* the best route goes with its link, silently */
	assert_int_equal(gateway_of("172.16.0.1"), 8);
	by("172.16.0.1", "w");
	state_port(s, state_link(s, WAN), IFACE_NONE);
	assert_int_equal(type_of("172.16.0.1"), NH_FOREIGN);
	state_port(s, state_link(s, WAN), 1);
	by("172.16.0.1", "w");
}

/* Prefixes with the same routes share a slot; it goes with the first of its paths. */
static void slots_are_shared(void **state)
{
	char dst[32];

	(void)state;
	ask_for(CONF_RP_FEASIBLE);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(dst, sizeof(dst), "172.16.%u.0/24", i);
		tell(with_metric(via(dst, LAN, "10.1.0.9"), 10));
		tell(with_metric(via(dst, WAN, "10.2.0.8"), 20));
	}
	assert_int_equal(s->wides.count, 1);
	by("172.16.7.1", "lw");
	for (unsigned i = 0; i < 200; i++) {
		snprintf(dst, sizeof(dst), "172.16.%u.0/24", i);
		tell_gone(with_metric(via(dst, WAN, "10.2.0.8"), 20));
	}
	assert_int_equal(s->wides.count, 0);
	by("172.16.7.1", "l");
}

/* Rules send the answer elsewhere: by where it goes, or by who would send it. */
static void rules_are_asked(void **state)
{
	struct netlink_route *r;
	struct netlink_rule rule_to, rule_from;

	(void)state;
	usual_rules(AF_INET);
	ask_for(CONF_RP_STRICT);
	tell(via("172.16.0.0/16", LAN, "10.1.0.9"));
	tell(via("172.17.0.0/16", LAN, "10.1.0.9"));
	r = via("172.0.0.0/8", WAN, "10.2.0.8");
	r->table = 100;
	tell(r);
	rule_to = rule_of(AF_INET, 100, 100);
	rule_to.to = prefix("172.16.0.0/16");
	rule(&rule_to);
	state_publish(s);
	by("172.16.0.1", "w");
	by("172.17.0.1", "l");
	rule_gone(rule_to);
	state_publish(s);
	by("172.16.0.1", "l");
	rule_from = rule_of(AF_INET, 100, 100);
	rule_from.from = prefix("192.0.2.0/24"); /* where the packets of passes() go */
	rule(&rule_from);
	state_publish(s);
	by("172.17.0.1", "w");
	rule_gone(rule_from);
	state_publish(s);
	by("172.17.0.1", "l");
}

#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, network_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(strict_is_the_best_route), T(loose_is_any_route), T(loose_and_a_default_route),
		T(feasible_is_any_metric),   T(each_as_it_asks),    T(feasible_follows),
		T(slots_are_shared),	     T(rules_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
