/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show nexthops, and show routes of what we cannot use: a link that is not ours, a neighbour that
 * does not answer, a tunnel, a type of a later kernel, more next hops than we take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "router/router.h"
#include "tests/unit/ask.h"

#include "tests/unit/state_flows.h"

static struct router router;
static struct ask asked;

/* The row of a listing whose `key` is `value`. */
static const json_t *row_of(const char *command, const char *key, const char *value)
{
	router.state = s;
	ask_all(&asked, &router, command);
	assert_int_equal(asked.end, 0);
	for (size_t i = 0; i < json_array_size(asked.rows); i++) {
		const json_t *row = json_array_get(asked.rows, i), *is = json_object_get(row, key);
		char text[32];

		snprintf(text, sizeof(text), "%lld", json_integer_value(is));
		if (!strcmp(json_is_string(is) ? json_string_value(is) : text, value))
			return row;
	}
	fail_msg("%s: no row whose %s is %s", command, key, value);
	return NULL;
}

static void assert_word(const json_t *row, const char *key, const char *value)
{
	assert_non_null(json_object_get(row, key));
	assert_string_equal(json_string_value(json_object_get(row, key)), value);
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static void assert_route(const char *state, const char *hops)
{
	const json_t *row = row_of("show routes", "dst", "172.16.0.0/16");

	assert_word(row, "state", state);
	assert_word(row, "nexthops.text", hops);
	ask_end(&asked);
}

static struct netlink_route *replaced(struct netlink_route *r)
{
	r->replace = true;
	return r;
}

static void routes_say_what_is_wrong(void **state)
{
	struct netlink_route *r;

	(void)state;
	tell(via("172.16.0.0/16", LAN, ways[A].gateway));
	assert_route("active", "via 10.1.0.7 dev lan");
	tell(replaced(via("172.16.0.0/16", LAN, "10.1.0.99")));
	assert_route("active", "via 10.1.0.99 dev lan (unresolved)");
	neighbour(LAN, "10.1.0.99", NUD_FAILED, 0);
	assert_route("active", "via 10.1.0.99 dev lan (failed)");
	tell(replaced(via("172.16.0.0/16", OTHER, "10.9.0.1")));
	assert_route("not-ours", "via 10.9.0.1 dev other (not-ours)");
	tell(replaced(via("172.16.0.0/16", 99, "10.9.0.1"))); /* nobody told of this link */
	assert_route("not-ours", "via 10.9.0.1 dev ? (not-ours)");
	r = replaced(via("172.16.0.0/16", LAN, ways[A].gateway));
	r->hops[0].encap = true;
	tell(r);
	assert_route("encap", "via 10.1.0.7 dev lan (encap)");
	r = replaced(hop(via("172.16.0.0/16", LAN, ways[A].gateway), WAN, ways[B].gateway, 3));
	r->hops[1].flags = RTNH_F_DEAD;
	tell(r);
	assert_route("active",
		     "via 10.1.0.7 dev lan weight 1, via 10.2.0.8 dev wan weight 3 (down)");
	tell(replaced(via("172.16.0.0/16", WAN, ways[B].gateway)));
	link_is(WAN, "wan", IFF_UP);
	assert_route("down", "via 10.2.0.8 dev wan (down)");
}

static void types_of_later_kernels(void **state)
{
	static const uint8_t types[] = { RTN_UNSPEC, RTN_NAT, RTN_XRESOLVE, 77, 255 };
	static const char *const names[] = { "unspec", "nat", "xresolve", "77", "255" };
	struct netlink_route *r;

	(void)state;
	for (unsigned i = 0; i < sizeof(types); i++) {
		const json_t *row;

		r = replaced(via("172.16.0.0/16", LAN, ways[A].gateway));
		r->type = types[i];
		tell(r);
		assert_int_equal(type_of("172.16.1.1"), NH_FOREIGN);
		row = row_of("show routes", "dst", "172.16.0.0/16");
		assert_word(row, "state", "not-understood");
		assert_word(row, "type", names[i]);
		ask_end(&asked);
	}
}

static void too_many_next_hops(void **state)
{
	struct netlink_route *r = route_to("172.16.0.0/16");
	const json_t *row;

	(void)state;
	for (unsigned i = 0; i < NETLINK_HOPS_MAX; i++)
		hop(r, i % 2 ? LAN : WAN, i % 2 ? ways[A].gateway : ways[B].gateway, 1 + i);
	r->truncated = true;
	tell(r);
	row = row_of("show routes", "dst", "172.16.0.0/16");
	assert_word(row, "state", "truncated");
	assert_int_equal(json_array_size(json_object_get(row, "nexthops")), NETLINK_HOPS_MAX);
	ask_end(&asked);
	r = replaced(route_to("172.16.0.0/16"));
	r->nhid = 20;
	tell_group(group_with(IDS(A, B), NULL, 0));
	tell(r);
	row = row_of("show routes", "dst", "172.16.0.0/16");
	assert_word(row, "state", "active");
	assert_int_equal(number(row, "nhid"), 20);
	ask_end(&asked);
}

static void objects_are_shown(void **state)
{
	struct netlink_nexthop n = { .id = 30, .blackhole = true };
	const json_t *row;

	(void)state;
	state_netlink_ops.nexthop(s, &n);
	n = (struct netlink_nexthop){ .id = 31, .fdb = true, .protocol = 250 };
	state_netlink_ops.nexthop(s, &n);
	route_by_group();
	row = row_of("show nexthops", "id", "8");
	assert_word(row, "type", "unicast");
	assert_word(row, "hop.text", "via 10.2.0.8 dev wan");
	ask_end(&asked);
	assert_word(row_of("show nexthops", "id", "30"), "type", "blackhole");
	ask_end(&asked);
	row = row_of("show nexthops", "id", "31");
	assert_word(row, "type", "fdb");
	assert_word(row, "protocol", "250");
	assert_true(json_is_null(json_object_get(row, "buckets")));
	ask_end(&asked);
}

static void groups_show_their_buckets(void **state)
{
	const json_t *row, *member;

	(void)state;
	tell_group(group_with(IDS(A, B, 30), WEIGHTS(3, 1, 9), 0));
	row = row_of("show nexthops", "id", "20");
	assert_word(row, "type", "group");
	assert_word(row, "state", "active");
	assert_int_equal(number(row, "buckets"), 4);
	assert_word(row, "hop.text",
		    "7 weight 3 has 3, 8 weight 1 has 1, 30 weight 9 has 0 (unknown)");
	ask_end(&asked);
	b_fails();
	row = row_of("show nexthops", "id", "20");
	assert_int_equal(number(row, "buckets"), 1);
	member = json_array_get(json_object_get(row, "hop"), 1);
	assert_int_equal(number(member, "id"), B);
	assert_int_equal(number(member, "weight"), 1);
	assert_int_equal(number(member, "buckets"), 0);
	assert_word(member, "state", "failed");
	ask_end(&asked);
	neighbour(LAN, ways[A].gateway, NUD_FAILED, 0);
	assert_word(row_of("show nexthops", "id", "20"), "state", "down");
	ask_end(&asked);
}

static void resilient_groups_show_their_timers(void **state)
{
	struct netlink_nexthop *g = group_with(IDS(A, B), NULL, 64);
	const json_t *row;

	(void)state;
	g->unbalanced_cs = 6000;
	tell_group(g);
	route_by_group();
	flows_by(0);
	row = row_of("show nexthops", "id", "20");
	assert_word(row, "type", "resilient");
	assert_word(row, "hop.text", "7 weight 1 has 32, 8 weight 1 has 32");
	assert_int_equal(number(row, "buckets"), 64);
	assert_int_equal(number(row, "idle_timer"), 10);
	assert_int_equal(number(row, "unbalanced_timer"), 60);
	assert_int_equal(number(row, "unbalanced_time"), 0);
	ask_end(&asked);
	g = group_with(IDS(A, B), WEIGHTS(3, 1), 64);
	g->truncated = true;
	tell_group(g);
	row = row_of("show nexthops", "id", "20");
	assert_word(row, "state", "truncated");
	assert_word(row, "hop.text", "7 weight 3 has 32, 8 weight 1 has 32"); /* all in use */
	ask_end(&asked);
	assert_word(row_of("show routes", "dst", "172.16.0.0/16"), "state", "truncated");
	ask_end(&asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(routes_say_what_is_wrong, three_up, network_down),
		cmocka_unit_test_setup_teardown(types_of_later_kernels, three_up, network_down),
		cmocka_unit_test_setup_teardown(too_many_next_hops, three_up, network_down),
		cmocka_unit_test_setup_teardown(objects_are_shown, three_up, network_down),
		cmocka_unit_test_setup_teardown(groups_show_their_buckets, three_up, network_down),
		cmocka_unit_test_setup_teardown(resilient_groups_show_their_timers, three_up,
						network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
