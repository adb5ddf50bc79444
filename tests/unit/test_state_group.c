/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes over several next hops: what becomes of flows when one fails and is back, how one is
 * chosen where the file says so, and next hops that Linux may give us which we cannot use.
 * Requirement F18.
 */
#include "tests/unit/state_flows.h"

#include "config/conf.h"

static struct netlink_route *by_a_and_b(void)
{
	return hop(via("172.16.0.0/16", LAN, ways[A].gateway), WAN, ways[B].gateway, 1);
}

static void b_has_its_address_again(void)
{
	b_comes_up();
	address(WAN, "10.2.0.1/24", false);
}
static void b_has_no_address(void)
{
	address(WAN, "10.2.0.1/24", true);
}

static const struct failure failures[] = {
	{ "neighbour failed", b_fails, b_answers },
	{ "asked again", b_is_asked_again, b_answers },
	{ "forgotten after it failed", b_is_forgotten, b_answers },
	{ "port closed", b_port_closes, b_port_opens },
	{ "link down", b_goes_down, b_comes_up },
	{ "no carrier", b_loses_carrier, b_comes_up },
	{ "no address", b_has_no_address, b_has_its_address_again },
};

/* The other takes over at once, no flow of its own moves, and the books are as before when the
 * failure is over. What flows remember of the routes is old each time. */
static void the_other_takes_over(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		uint32_t generation;

		tell(by_a_and_b());
		flows_note();
		assert_in_range(flows_by(B), FLOWS * 45 / 100, FLOWS * 55 / 100);
		generation = s->nht.generation;
		failures[i].begin();
		state_publish(s);
		if (flows_by(A) != FLOWS || flows_moved(A) || s->nht.generation == generation)
			fail_msg("%s: %u flows by the other, %u of its own moved", failures[i].what,
				 flows_by(A), flows_moved(A));
		generation = s->nht.generation;
		failures[i].end();
		state_publish(s);
		if (flows_moved(0) || s->nht.generation == generation)
			fail_msg("%s, over: %u flows go elsewhere than before", failures[i].what,
				 flows_moved(0));
	}
	tell_gone(by_a_and_b());
}

/* The same with IPv6's siblings, which come and go one by one. */
static void a_sibling_is_withdrawn(void **state)
{
	const char *dst = "2001:db8:f::/48", *in = "2001:db8:f::1";

	(void)state;
	tell(hop(via(dst, LAN, "2001:db8:1::7"), WAN, "2001:db8:2::8", 3));
	assert_int_equal(share(in, 8), 75);
	tell_gone(via(dst, WAN, "2001:db8:2::8"));
	assert_int_equal(gateway_of(in), 7);
	tell(hop(via(dst, LAN, "2001:db8:1::7"), WAN, "2001:db8:2::8", 1));
	assert_int_equal(share(in, 8), 50);
}

/* All failed: held for the neighbour that was asked, which ends in 3/1, though a hop that is not
 * ours or down stands before it. None asked: down, 3/0. None ours: dropped quietly. */
static void none_is_left(void **state)
{
	struct netlink_route *r =
		hop(hop(route_to("172.16.0.0/16"), OTHER, "10.9.0.1", 1), DMZ, ways[C].gateway, 1);

	(void)state;
	tell(hop(r, WAN, ways[B].gateway, 1));
	link_is(DMZ, "dmz", IFF_UP);
	assert_int_equal(flows_by(B), FLOWS);
	b_fails();
	assert_int_equal(hop_of(0)->type, NH_ADJ);
	assert_int_equal(hop_of(0)->state, NH_FAILED);
	assert_int_equal(hop_of(0)->addr.bytes[3], B);
	b_loses_carrier();
	assert_int_equal(hop_of(0)->type, NH_DOWN);
	tell(hop(hop(route_to("172.16.0.0/16"), OTHER, "10.9.0.1", 1), OTHER, "10.9.0.2", 1));
	assert_int_equal(hop_of(0)->type, NH_FOREIGN);
}

/* A hop we cannot use leaves its share to the others. */
static void others_share_what_we_cannot_use(void **state)
{
	struct netlink_route *r = by_a_and_b();

	(void)state;
	hop(hop(r, DMZ, ways[C].gateway, 2), OTHER, "10.9.0.1", 5);
	r->hops[2].encap = true;
	tell(r);
	assert_int_equal(share("172.16.1.1", A), 50);
	assert_int_equal(share("172.16.1.1", B), 50);
	r = via("172.16.0.0/16", LAN, ways[A].gateway);
	r->hops[0].encap = true;
	r->replace = true;
	tell(r);
	assert_int_equal(type_of("172.16.1.1"), NH_FOREIGN);
}

/* Shares are exact where weights are small, and nobody is left out where they are not. */
static void every_weight_counts(void **state)
{
	(void)state;
	tell(hop(hop(route_to("172.16.0.0/16"), LAN, ways[A].gateway, 11), WAN, ways[B].gateway,
		 45));
	assert_int_equal(find("172.16.1.1")->nbuckets, 56);
	assert_in_range(flows_by(A), FLOWS * 11 / 56 * 85 / 100, FLOWS * 11 / 56 * 115 / 100);
	tell_group(group_with(IDS(A, B), WEIGHTS(1, 256), 0));
	route_by_group();
	assert_int_equal(find("172.16.1.1")->nbuckets, 257);
	tell_group(group_with(IDS(A, B), WEIGHTS(65535, 1), 0));
	assert_int_equal(find("172.16.1.1")->nbuckets, 65535);
	assert_int_equal(hop_of(1)->addr.bytes[3], A);
	assert_int_equal(nh_get(&s->nht, find("172.16.1.1")->bucket[65534])->addr.bytes[3], B);
}

/* The MTU of a route holds for each of its next hops, and for nobody else's. */
static void the_route_has_an_mtu(void **state)
{
	uint32_t slots = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) { /* as often as you like */
		struct netlink_route *r = by_a_and_b();

		r->mtu = 1300;
		tell(r);
		r = by_a_and_b();
		r->dst = prefix("172.17.0.0/16");
		tell(r);
		assert_int_equal(hop_of(i)->mtu, 1300);
		assert_int_equal(nh_get(&s->nht, find("172.17.1.1")->bucket[0])->mtu, 1500);
		neighbour(WAN, ways[B].gateway, NUD_REACHABLE, 0xdd); /* has another MAC */
		b_fails();
		b_answers();
		for (unsigned n = 0; n < 50; n++) {
			const struct nh *h = hop_of(n);

			assert_int_equal(h->mtu, 1300);
			assert_int_equal(h->l2[0], 0xa0 + h->addr.bytes[3]);
		}
		r = route_to("172.16.0.0/16");
		r->replace = true;
		r->nhid = 20;
		r->mtu = 1400;
		tell_group(group_with(IDS(A, B), NULL, 16));
		tell(r);
		assert_int_equal(hop_of(i)->mtu, 1400);
		tell_group(group_with(IDS(A, C), NULL, 16));
		assert_int_equal(hop_of(i)->mtu, 1400);
		r = route_to("172.16.0.0/16");
		r->nhid = 20;
		r->mtu = 1400;
		tell_gone(r);
		r = by_a_and_b();
		r->dst = prefix("172.17.0.0/16");
		tell_gone(r);
		object(20, 0, NULL);
		state_publish(s);
		if (i == 1)
			slots = s->slots_used - s->nfree_slots;
	}
	assert_int_equal(s->slots_used - s->nfree_slots, slots);
}

/* ---- objects that are no next hops */

static void members_that_are_none(void **state)
{
	struct netlink_nexthop n = { .id = 30, .blackhole = true };

	(void)state;
	state_netlink_ops.nexthop(s, &n);
	n = (struct netlink_nexthop){ .id = 31, .fdb = true };
	state_netlink_ops.nexthop(s, &n);
	tell_group(group_with(IDS(A), NULL, 0)); /* 20; a group in a group is nothing */
	n = (struct netlink_nexthop){ .id = 21, .nmembers = 4 };
	for (unsigned i = 0; i < 4; i++) {
		n.members[i].id = (uint32_t[]){ 30, 31, 20, B }[i];
		n.members[i].weight = 1;
	}
	state_netlink_ops.nexthop(s, &n);
	route_by_group();
	tell(&(struct netlink_route){ .dst = prefix("172.17.0.0/16"),
				      .table = TABLE_MAIN,
				      .type = RTN_UNICAST,
				      .nhid = 21 });
	assert_int_equal(gateway_of("172.17.0.1"), B);
	/* Linux lets a blackhole be a group's only member */
	tell_group(group_with(IDS(30), NULL, 0));
	assert_int_equal(type_of("172.16.1.1"), NH_BLACKHOLE);
	tell_group(group_with(IDS(30), NULL, 16));
	assert_int_equal(type_of("172.16.1.1"), NH_BLACKHOLE);
	tell_group(group_with(IDS(B), NULL, 16));
	assert_int_equal(flows_by(B), FLOWS);
}

static struct netlink_route *over(const char *dst, uint32_t nhid, uint32_t table)
{
	struct netlink_route *r = route_to(dst);

	r->nhid = nhid;
	r->table = table;
	return r;
}

static bool any_path_over(uint32_t nhid)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n))
		if (table_entry(n, struct path, node)->nhid == nhid)
			return true;
	return false;
}

/* All routes over it and over groups that it leaves empty go, whatever their table and MTU, and no
 * others. */
static void objects_take_their_routes_along(void **state)
{
	struct netlink_route *r;

	(void)state;
	object(40, LAN, "10.1.0.40"); /* of no route */
	object(41, LAN, "10.1.0.41");
	tell_group(group_with(IDS(41), NULL, 0));
	tell(over("172.16.0.0/16", 20, TABLE_MAIN));
	tell(over("172.17.0.0/16", 41, 100));
	r = over("172.18.0.0/16", 41, TABLE_MAIN);
	r->mtu = 1400;
	tell(r);
	tell(over("172.19.0.0/16", A, TABLE_MAIN));
	tell(by_a_and_b());
	assert_int_equal(s->nroutes[0], 5);
	assert_false(any_path_over(40));
	object(40, 0, NULL);
	assert_int_equal(s->nroutes[0], 5);
	assert_true(any_path_over(41));
	object(41, 0, NULL);
	assert_null(object_find(s, 20));
	assert_false(any_path_over(20) || any_path_over(41));
	assert_int_equal(s->nroutes[0], 2);
	assert_int_equal(gateway_of("172.19.0.1"), A);
}

/* ---- hash: l3 | l4 of one route */

static uint8_t wanted;
static uint8_t the_file_says(void *arg, const struct netlink_route *r)
{
	(void)arg;
	return r->protocol == NETLINK_PROTO ? wanted : 0;
}

static void the_file_chooses_how(void **state)
{
	struct netlink_route *r = by_a_and_b();
	struct prefix dst = prefix("172.16.0.0/16");
	const struct path *before;

	(void)state;
	s->route_hash = the_file_says;
	wanted = CONF_HASH_L3;
	r->protocol = NETLINK_PROTO;
	r->prefsrc = prefix("10.1.0.1").addr;
	tell(r);
	assert_int_equal(find("172.16.1.1")->hash, CONF_HASH_L3);
	r = by_a_and_b();
	r->dst = prefix("172.17.0.0/16");
	tell(r); /* the same next hops, but of another's making */
	assert_int_equal(find("172.17.1.1")->hash, CONF_HASH_DEFAULT);
	before = state_route_exact(s, TABLE_MAIN, &dst)->path;
	state_hash_again(s, TABLE_MAIN, &dst);
	assert_ptr_equal(state_route_exact(s, TABLE_MAIN, &dst)->path, before);
	wanted = CONF_HASH_L4;
	state_hash_again(s, TABLE_MAIN, &dst);
	state_publish(s);
	assert_int_equal(find("172.16.1.1")->hash, CONF_HASH_L4);
	assert_int_equal(state_route_exact(s, TABLE_MAIN, &dst)->prefsrc,
			 prefix("10.1.0.1").addr.v4);
	assert_int_equal(s->nroutes[0], 2);
	wanted = CONF_HASH_DEFAULT; /* not in the file any more: one path for both */
	state_hash_again(s, TABLE_MAIN, &dst);
	assert_int_equal(slot_in(TABLE_MAIN, "172.16.1.1"), slot_in(TABLE_MAIN, "172.17.1.1"));
	dst = prefix("172.18.0.0/16");
	state_hash_again(s, TABLE_MAIN, &dst); /* is not there */
}

/* Somebody's route of the same prefix and metric stands before the file's: it is not the one whose
 * choice changes. */
static void the_file_chooses_how_behind_another(void **state)
{
	struct netlink_route *r = by_a_and_b();
	struct prefix dst = prefix("172.16.0.0/16");
	const struct route *first;

	(void)state;
	s->route_hash = the_file_says;
	wanted = CONF_HASH_L3;
	r->protocol = NETLINK_PROTO;
	tell(r);
	r = by_a_and_b();
	r->nhops = 1;
	tell(r); /* `ip route prepend` */
	assert_int_equal(s->nroutes[0], 2);
	wanted = CONF_HASH_L4;
	state_hash_again(s, TABLE_MAIN, &dst);
	state_publish(s);
	assert_int_equal(s->nroutes[0], 2);
	first = state_route_exact(s, TABLE_MAIN, &dst);
	assert_int_not_equal(first->protocol, NETLINK_PROTO);
	assert_int_equal(first->path->nhops, 1);
	assert_int_equal(first->next->protocol, NETLINK_PROTO);
	assert_int_equal(first->next->path->hash, CONF_HASH_L4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_other_takes_over, three_up, network_down),
		cmocka_unit_test_setup_teardown(a_sibling_is_withdrawn, three_up, network_down),
		cmocka_unit_test_setup_teardown(none_is_left, three_up, network_down),
		cmocka_unit_test_setup_teardown(others_share_what_we_cannot_use, three_up,
						network_down),
		cmocka_unit_test_setup_teardown(every_weight_counts, three_up, network_down),
		cmocka_unit_test_setup_teardown(the_route_has_an_mtu, three_up, network_down),
		cmocka_unit_test_setup_teardown(members_that_are_none, three_up, network_down),
		cmocka_unit_test_setup_teardown(objects_take_their_routes_along, three_up,
						network_down),
		cmocka_unit_test_setup_teardown(the_file_chooses_how, three_up, network_down),
		cmocka_unit_test_setup_teardown(the_file_chooses_how_behind_another, three_up,
						network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
