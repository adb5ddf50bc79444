/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resilient groups: flows by the members that stay do not move, whatever becomes of the others; who
 * comes back waits for idle buckets. Models: Linux's router_mpath_nh_res.sh, fib_nexthops.sh.
 * Requirement F18.
 */
#include "tests/unit/state_flows.h"

#define BUCKETS 512
#define IDLE	(10 * NSEC_PER_SEC)

static uint64_t now;

static const struct resilient *table(void)
{
	return object_find(s, 20)->res;
}

static unsigned owned_by(uint32_t id)
{
	unsigned n = 0;

	for (unsigned b = 0; b < table()->nbuckets; b++)
		n += table()->owner[b] == id;
	return n;
}

static void traffic(void)
{
	flows_by(0);
}

/* All flows send, once a round, for this long. */
static void pass(uint64_t ns, bool with_traffic)
{
	for (uint64_t t = 0; t < ns; t += NSEC_PER_SEC) {
		if (with_traffic)
			traffic();
		now += NSEC_PER_SEC;
		state_buckets_upkeep(s, now);
		state_publish(s);
	}
}

static int groups_up(void **state)
{
	three_up(state);
	now = clock_now();
	tell_group(group_with(IDS(A, B, C), NULL, BUCKETS));
	route_by_group();
	return 0;
}

static void buckets_divide_by_weight(void **state)
{
	(void)state;
	assert_int_equal(find("172.16.1.1")->nbuckets, BUCKETS);
	assert_in_range(owned_by(A), 170, 171);
	assert_in_range(owned_by(C), 170, 171);
	assert_in_range(flows_by(B), FLOWS / 3 * 85 / 100, FLOWS / 3 * 115 / 100);
	pass(2 * IDLE, false);
	tell_group(group_with(IDS(A, B, C), WEIGHTS(2, 1, 1), BUCKETS)); /* nobody uses them */
	pass(NSEC_PER_SEC, false);
	assert_int_equal(owned_by(A), BUCKETS / 2);
	assert_int_equal(table()->unbalanced_at, 0);
	tell_group(group_with(IDS(A, B), WEIGHTS(1, 65535), BUCKETS));
	pass(NSEC_PER_SEC, false);
	assert_int_equal(owned_by(A), 1);
	assert_int_equal(owned_by(C), 0);
}

static void b_is_deleted(void)
{
	object(B, 0, NULL);
}
static void b_leaves(void)
{
	tell_group(group_with(IDS(A, C), NULL, BUCKETS));
}
static void b_is_added(void)
{
	object(B, WAN, ways[B].gateway);
	tell_group(group_with(IDS(A, B, C), NULL, BUCKETS));
}
static void b_is_added_again(void)
{
	b_comes_up();
	b_is_added();
}

static const struct failure failures[] = {
	{ "neighbour failed", b_fails, b_answers },
	{ "asked again", b_is_asked_again, b_answers },
	{ "forgotten after it failed", b_is_forgotten, b_answers },
	{ "port closed", b_port_closes, b_port_opens },
	{ "link down", b_goes_down, b_is_added_again },
	{ "no carrier", b_loses_carrier, b_is_added_again },
	{ "object deleted", b_is_deleted, b_is_added },
	{ "left the group", b_leaves, b_is_added },
};

/* Of ten thousand flows none moves but those that went by the one lost; nor any when it is back, as
 * long as they send. */
static void only_flows_of_the_lost_move(void **state)
{
	for (unsigned i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		unsigned by_b;

		groups_up(state);
		pass(2 * NSEC_PER_SEC, true);
		flows_note();
		by_b = flows_by(B);
		assert_in_range(by_b, 2800, 3900);
		failures[i].begin();
		state_publish(s);
		if (flows_moved(A) || flows_moved(C) || flows_moved(B) != by_b)
			fail_msg("%s: %u of A's, %u of C's, %u of B's %u flows moved",
				 failures[i].what, flows_moved(A), flows_moved(C), flows_moved(B),
				 by_b);
		/* and are shared by those left */
		assert_in_range(flows_by(A), FLOWS / 2 * 85 / 100, FLOWS / 2 * 115 / 100);
		flows_note();
		pass(2 * IDLE, true);
		failures[i].end();
		state_publish(s);
		pass(3 * IDLE, true);
		assert_int_equal(flows_moved(0), 0);
		assert_int_equal(flows_by(B), 0);
		assert_int_not_equal(table()->unbalanced_at, 0);
		pass(IDLE + 2 * NSEC_PER_SEC, false); /* silence */
		assert_in_range(owned_by(B), 170, 171);
		assert_int_equal(table()->unbalanced_at, 0);
		assert_in_range(flows_by(B), 2800, 3900);
		network_down(state);
	}
}

/* What is used stays, what is not moves, bucket by bucket. */
static void idle_buckets_move(void **state)
{
	unsigned busy = 0;

	(void)state;
	pass(IDLE, true);
	b_leaves();
	pass(2 * NSEC_PER_SEC, true);
	flows_note();
	for (unsigned n = 0; n < FLOWS; n += 50) /* a fifth of the buckets, or more */
		way_of(n);
	b_is_added();
	for (unsigned t = 0; t < 15; t++) {
		for (unsigned n = 0; n < FLOWS; n += 50)
			assert_int_equal(way_of(n), way_was[n]);
		pass(NSEC_PER_SEC, false);
	}
	for (unsigned n = 0; n < FLOWS; n += 50)
		busy += way_of(n) == way_was[n];
	assert_int_equal(busy, FLOWS / 50);
	assert_in_range(owned_by(B), 100, 171);
	/* not a moment before the idle time is over */
	tell_group(group_with(IDS(A, B, C), NULL, BUCKETS));
	assert_int_equal(flows_moved(B), 0);
}

static void nothing_moves_before_its_time(void **state)
{
	(void)state;
	pass(IDLE, true);
	b_leaves();
	traffic();
	pass(NSEC_PER_SEC, false);
	flows_note();
	pass(NSEC_PER_SEC, false); /* flows_note() was traffic: seen here */
	b_is_added();
	pass(9 * NSEC_PER_SEC, false);
	assert_int_equal(owned_by(B), 0);
	pass(NSEC_PER_SEC, false);
	assert_in_range(owned_by(B), 170, 171);
}

/* By force, when it has waited for the unbalanced timer. */
static void force_moves_busy_buckets(void **state)
{
	struct netlink_nexthop *g;
	unsigned moved;

	(void)state;
	pass(IDLE, true);
	b_leaves();
	pass(IDLE, true);
	flows_note();
	object(B, WAN, ways[B].gateway);
	g = group_with(IDS(A, B, C), NULL, BUCKETS);
	g->unbalanced_cs = 3000;
	now = clock_now();
	tell_group(g);
	pass(29 * NSEC_PER_SEC, true);
	assert_int_equal(flows_moved(0), 0);
	pass(2 * NSEC_PER_SEC, true);
	moved = flows_moved(0);
	assert_in_range(moved, 2800, 3900); /* those that B is due, and no more */
	assert_int_equal(flows_by(B), moved);
	assert_int_equal(table()->unbalanced_at, 0);
}

/* A route may come just when the idle time is over: buckets that move then move for all routes over
 * the group. */
static void all_routes_follow(void **state)
{
	struct netlink_route *r = route_to("172.17.0.0/16");
	struct resilient *t;

	(void)state;
	pass(IDLE, true);
	b_leaves();
	pass(IDLE, true);
	b_is_added();
	assert_int_equal(flows_by(B), 0);
	t = object_find(s, 20)->res;
	memset(t->busy, 0, t->nbuckets);
	for (unsigned b = 0; b < t->nbuckets; b++)
		t->used_at[b] = 1;
	r->nhid = 20;
	r->mtu = 1400;
	tell(r);
	assert_in_range(owned_by(B), 170, 171);
	assert_in_range(flows_by(B), 2800, 3900);
}

/* Weights say who has too many; the others' flows stay. */
static void weights_change(void **state)
{
	(void)state;
	pass(IDLE, true);
	flows_note();
	tell_group(group_with(IDS(A, B, C), WEIGHTS(1, 4, 1), BUCKETS));
	assert_int_equal(flows_moved(0), 0);
	pass(2 * IDLE, false);
	assert_int_equal(owned_by(B), 342);
	assert_int_equal(flows_moved(B), 0);
	assert_in_range(flows_moved(0), 2500, 4100);
}

/* Asked in vain, all of them: the packet is held for a neighbour that does not answer, which ends
 * in 3/1. The first to be back takes all. */
static void all_fail(void **state)
{
	(void)state;
	pass(IDLE, true);
	for (unsigned i = A; i <= C; i++)
		neighbour(ways[i].ifindex, ways[i].gateway, NUD_FAILED, 0);
	assert_int_equal(find("172.16.1.1")->type, NH_ADJ);
	assert_int_equal(find("172.16.1.1")->state, NH_FAILED);
	neighbour(DMZ, ways[C].gateway, NUD_REACHABLE, 0xa9);
	assert_int_equal(flows_by(C), FLOWS);
	object(C, 0, NULL);
	assert_int_equal(find("172.16.1.1")->state, NH_FAILED);
	object(A, 0, NULL);
	object(B, 0, NULL); /* and with the last one the group and the route */
	assert_null(find("172.16.1.1"));
}

/* One by one as ports open, before any traffic: all have their share at once. */
static void ports_open_one_by_one(void **state)
{
	static uint32_t owner[BUCKETS];
	const struct nh *group;

	(void)state;
	memcpy(owner, table()->owner, sizeof(owner));
	for (unsigned i = A; i <= C; i++)
		state_port(s, state_link(s, ways[i].ifindex), IFACE_NONE);
	assert_int_equal(find("172.16.1.1")->type, NH_FOREIGN);
	for (unsigned i = C; i >= A; i--) {
		state_port(s, state_link(s, ways[i].ifindex), (uint16_t)(i - A));
		state_publish(s);
	}
	assert_in_range(owned_by(A), 170, 171);
	assert_in_range(owned_by(B), 170, 171);
	assert_in_range(owned_by(C), 170, 171);
	/* and those that a restart would give them */
	assert_memory_equal(table()->owner, owner, sizeof(owner));
	group = find("172.16.1.1");
	pass(2 * IDLE, false); /* and nothing more happens */
	assert_ptr_equal(find("172.16.1.1"), group);
}

static void groups_change_their_kind(void **state)
{
	(void)state;
	pass(IDLE, true);
	tell_group(group_with(IDS(A, B, C), NULL, 0)); /* by hash threshold, now */
	assert_null(table());
	assert_int_equal(find("172.16.1.1")->nbuckets, 3);
	assert_null(find("172.16.1.1")->busy);
	tell_group(group_with(IDS(A, B, C), NULL, 8));
	assert_int_equal(find("172.16.1.1")->nbuckets, 8);
	tell_group(group_with(IDS(A, B, C), NULL, 65535));
	assert_int_equal(find("172.16.1.1")->nbuckets, 65535);
	assert_int_equal(owned_by(B), 21845);
	tell_group(group_with(IDS(A, B, C), NULL, 2)); /* fewer than members */
	assert_int_equal(owned_by(A) + owned_by(B) + owned_by(C), 2);
	tell_group(group_with(IDS(A), NULL, 2));
	assert_int_equal(flows_by(A), FLOWS);
	state_publish(s);
}

/* Flows that are tracked look again each round, or a used bucket would seem idle. */
static uint64_t due;
static void note_due(void *arg, uint64_t at)
{
	(void)arg;
	due = at;
}

static void tracked_flows_look_again(void **state)
{
	uint32_t generation;

	(void)state;
	s->buckets_due = note_due;
	state_publish(s);
	generation = s->nht.generation;
	now = clock_now();
	state_buckets_upkeep(s, now);
	assert_int_not_equal(s->nht.generation, generation);
	assert_in_range(due - now, IDLE / 8, IDLE / 2);
	object(20, 0, NULL); /* the group itself */
	assert_int_equal(s->nroutes[0], 0);
	state_publish(s);
	generation = s->nht.generation;
	state_buckets_upkeep(s, now);
	assert_int_equal(s->nht.generation, generation);
	assert_int_equal(due, 0);
}

/* Anything at any time: no bucket in use leaves an owner that can be used before force may; every
 * bucket has an owner that can be used while there is one; silence ends in balance. */
static void random_changes(void **state)
{
	static uint32_t before[BUCKETS];
	bool used[BUCKETS], member[C + 1] = { false }, alive[C + 1];

	(void)state;
	srandom(7);
	for (unsigned i = A; i <= C; i++)
		alive[i] = member[i] = true;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned i = A + (unsigned)random() % 3, n = 0, ids = 0;
		uint32_t id[4] = { 0 }, weight[3];

		for (unsigned b = 0; b < BUCKETS; b++) {
			used[b] = random() % 2;
			table()->busy[b] |= used[b];
		}
		memcpy(before, table()->owner, sizeof(before));
		switch (random() % 3) {
		case 0:
			alive[i] = !alive[i];
			neighbour(ways[i].ifindex, ways[i].gateway,
				  alive[i] ? NUD_REACHABLE : NUD_FAILED, alive[i] ? 0xaa : 0);
			break;
		case 1:
			member[i] = !member[i];
			if (!member[A] && !member[B] && !member[C])
				member[i] = true;
			for (unsigned k = A; k <= C; k++)
				if (member[k]) {
					weight[ids] = 1 + (uint32_t)random() % 9;
					id[ids++] = k;
				}
			tell_group(group_with(id, weight, BUCKETS));
			break;
		case 2: pass(NSEC_PER_SEC, false); break;
		}
		for (unsigned k = A; k <= C; k++)
			n += member[k] && alive[k];
		for (unsigned b = 0; n && b < BUCKETS; b++) {
			uint32_t was = before[b], is = table()->owner[b];

			assert_true(member[is] && alive[is]);
			if (used[b] && was && member[was] && alive[was])
				assert_int_equal(is, was);
		}
		if (n && round % 100 == 0) {
			pass(2 * IDLE, false);
			assert_int_equal(table()->unbalanced_at, 0);
		}
		state_publish(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buckets_divide_by_weight, groups_up, network_down),
		cmocka_unit_test(only_flows_of_the_lost_move),
		cmocka_unit_test_setup_teardown(idle_buckets_move, groups_up, network_down),
		cmocka_unit_test_setup_teardown(nothing_moves_before_its_time, groups_up,
						network_down),
		cmocka_unit_test_setup_teardown(force_moves_busy_buckets, groups_up, network_down),
		cmocka_unit_test_setup_teardown(all_routes_follow, groups_up, network_down),
		cmocka_unit_test_setup_teardown(weights_change, groups_up, network_down),
		cmocka_unit_test_setup_teardown(all_fail, groups_up, network_down),
		cmocka_unit_test_setup_teardown(ports_open_one_by_one, groups_up, network_down),
		cmocka_unit_test_setup_teardown(groups_change_their_kind, groups_up, network_down),
		cmocka_unit_test_setup_teardown(tracked_flows_look_again, groups_up, network_down),
		cmocka_unit_test_setup_teardown(random_changes, groups_up, network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
