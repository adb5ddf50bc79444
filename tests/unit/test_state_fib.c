/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What does not fit into a FIB: refused with a word, forwarding goes on, `show routes` tells which,
 * and it comes in when there is room. Requirement F17.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/rtnetlink.h>
#include <cmocka.h>

#include "router/lib/clock.h"
#include "router/net/fib_internal.h"
#include "router/router.h"
#include "tests/unit/ask.h"

#include "tests/unit/rules_lab.h"

#define MANY 4000

/* The IPv4 FIBs get no more memory than they have, and so many bytes. */
static void room_for(size_t bytes)
{
	struct fib_arena *a = &s->pool[0]->read;

	state_publish(s);
	a->limit = a->top + (uint32_t)(bytes / FIB_UNIT);
}

static const char *many(unsigned i, unsigned len)
{
	static char text[32];

	snprintf(text, sizeof(text), "20.%u.%u.%u/%u", i >> 10 & 255, i >> 2 & 255, (i & 3) << 6,
		 len);
	return text;
}

static const char *host_of_many(unsigned i)
{
	static char text[32];

	snprintf(text, sizeof(text), "20.%u.%u.%u", i >> 10 & 255, i >> 2 & 255,
		 ((i & 3) << 6) + 9);
	return text;
}

/* What `show routes` says of a prefix of table main. */
static const char *shown(const char *dst)
{
	static struct router r;
	static char state[32];
	struct ask a;
	size_t i;

	r.state = s;
	ask_all(&a, &r, "show routes table all");
	for (i = 0; i < json_array_size(a.rows); i++) {
		json_t *row = json_array_get(a.rows, i);

		if (!strcmp(json_string_value(json_object_get(row, "dst")), dst))
			break;
	}
	assert_true(i < json_array_size(a.rows));
	snprintf(state, sizeof(state), "%s",
		 json_string_value(json_object_get(json_array_get(a.rows, i), "state")));
	ask_end(&a);
	return state;
}

/* Each of the many answers as the mirror says; returns how many are not in use. */
static unsigned refused_of(unsigned first, unsigned n)
{
	unsigned refused = 0;

	for (unsigned i = first; i < first + n; i++) {
		struct prefix p = prefix(many(i, 26));
		const struct route *r = state_route_exact(s, TABLE_MAIN, &p);
		enum route_use use = state_route_use(s, r);

		assert_true(use == ROUTE_USED || use == ROUTE_NO_ROOM);
		assert_int_equal(gateway_of(host_of_many(i)), use == ROUTE_USED ? 2 : 1);
		refused += use != ROUTE_USED;
	}
	assert_int_equal(refused, s->refused.count);
	return refused;
}

static int fill(void **state)
{
	network_up(state);
	neighbour(LAN, "10.1.0.1", NUD_REACHABLE, 1);
	tell(via("0.0.0.0/0", LAN, "10.1.0.1"));
	room_for(32 * 1024);
	for (unsigned i = 0; i < MANY; i++)
		tell(via(many(i, 26), WAN, "10.2.0.2"));
	state_publish(s);
	return 0;
}

static void who_is_refused_is_said(void **state)
{
	unsigned refused = refused_of(0, MANY);

	(void)state;
	assert_in_range(refused, 100, MANY - 100);
	assert_true(s->fib_full);
	for (unsigned i = 0, seen = 0; seen < 5; i++) {
		struct prefix p = prefix(many(i, 26));
		const struct route *r = state_route_exact(s, TABLE_MAIN, &p);

		if (r->in_fib)
			continue;
		assert_string_equal(shown(many(i, 26)), "fib-full");
		seen++;
	}
	assert_string_equal(shown("0.0.0.0/0"), "active");
}

static void who_was_refused_comes_in_when_there_is_room(void **state)
{
	unsigned refused = refused_of(0, MANY), before;

	(void)state;
	state_publish(s); /* nothing has changed */
	assert_int_equal(refused_of(0, MANY), refused);
	for (unsigned i = 0; i < MANY / 2; i++) {
		tell_gone(via(many(i, 26), WAN, "10.2.0.2"));
		if (i % 50 == 0)
			state_publish(s);
	}
	state_publish(s);
	before = refused_of(MANY / 2, MANY / 2);
	assert_true(before < refused);
	for (unsigned i = MANY / 2; i < MANY; i += 2)
		tell_gone(via(many(i, 26), WAN, "10.2.0.2"));
	state_publish(s);
	assert_int_equal(s->refused.count, 0);
	assert_false(s->fib_full);
	for (unsigned i = MANY / 2 + 1; i < MANY; i += 2)
		assert_int_equal(gateway_of(host_of_many(i)), 2);
	assert_string_equal(shown(many(MANY - 1, 26)), "active");
}

/* Also by more memory, and all in one publication. */
static void all_come_in_at_once(void **state)
{
	(void)state;
	s->pool[0]->read.limit = s->pool[0]->read.reserve;
	tell_gone(via(many(0, 26), WAN, "10.2.0.2"));
	state_publish(s);
	assert_int_equal(refused_of(1, MANY - 1), 0);
}

/* And by the memory of a table that no rule looks into any more. */
static void tables_that_go_make_room(void **state)
{
	struct netlink_rule guests = rule_of(AF_INET, 100, 100);
	unsigned refused;

	(void)state;
	neighbour(LAN, "10.1.0.1", NUD_REACHABLE, 1);
	tell(via("0.0.0.0/0", LAN, "10.1.0.1"));
	usual_rules(AF_INET);
	rule(&guests);
	state_publish(s);
	room_for(32 * 1024);
	for (unsigned i = 0; i < 60; i++) {
		struct netlink_route *r = via(many(i, 26), WAN, "10.2.0.2");

		r->table = 100;
		tell(r);
	}
	assert_int_equal(s->refused.count, 0);
	for (unsigned i = 0; i < MANY; i++)
		tell(via(many(i, 26), WAN, "10.2.0.2"));
	state_publish(s);
	refused = refused_of(0, MANY);
	rule_gone(guests);
	state_publish(s);
	assert_null(state_fib(s, 100, AF_INET, false));
	assert_true(refused_of(0, MANY) < refused);
}

/* A route that changes while there is not even room for a moment: its new path, or none, but never
 * the old one's slot. */
static void what_cannot_be_replaced_goes(void **state)
{
	struct fib_arena *a = &s->pool[0]->read;
	uint32_t reserve = a->reserve;
	unsigned gone = 0;

	(void)state;
	a->reserve = a->limit + 200;
	for (unsigned i = 0; i < MANY; i++) {
		struct netlink_route *n = via(many(i, 26), LAN, "10.1.0.3");
		const struct route *r = state_route_exact(s, TABLE_MAIN, &n->dst);
		bool was = r->in_fib;

		n->replace = true;
		tell(n);
		assert_int_equal(gateway_of(host_of_many(i)), r->in_fib ? 3 : 1);
		gone += was && !r->in_fib;
	}
	assert_true(gone > 0);
	a->reserve = reserve;
	state_publish(s);
	for (unsigned i = 0; i < MANY; i++)
		tell_gone(via(many(i, 26), LAN, "10.1.0.3"));
	state_publish(s);
	assert_int_equal(s->refused.count, 0);
	assert_int_equal(gateway_of(host_of_many(7)), 1);
}

static void a_refused_route_that_goes_is_forgotten(void **state)
{
	(void)state;
	for (unsigned i = MANY; i--;)
		tell_gone(via(many(i, 26), WAN, "10.2.0.2"));
	assert_int_equal(s->refused.count, 0);
	assert_false(s->fib_full);
}

/* At the limit, where routes come and go, the log has a pair of lines a minute at most. */
static void that_it_is_full_is_not_said_all_the_time(void **state)
{
	(void)state;
	assert_true(s->fib_full);
	for (unsigned i = MANY; i--;)
		tell_gone(via(many(i, 26), WAN, "10.2.0.2"));
	state_publish(s);
	assert_false(s->fib_full);
	for (unsigned i = 0; i < MANY; i++)
		tell(via(many(i, 26), WAN, "10.2.0.2"));
	assert_true(s->refused.count > 0);
	assert_false(s->fib_full);
	s->fib_said = clock_now() - 61 * NSEC_PER_SEC;
	for (unsigned i = 0; i < MANY; i++) { /* one that is refused says so again */
		struct netlink_route *r = via(many(i, 26), WAN, "10.2.0.2");

		r->replace = true;
		tell(r);
	}
	assert_true(s->fib_full);
}

static void why_a_route_is_not_in_the_fib(void **state)
{
	struct netlink_route *r = via("30.0.0.0/8", WAN, "10.2.0.2");

	(void)state;
	r->metric = 9;
	tell(r);
	assert_string_equal(shown("30.0.0.0/8"), "active");
	tell(via("30.0.0.0/8", LAN, "10.1.0.1"));
	assert_int_equal(state_route_use(s, state_route_exact(s, TABLE_MAIN, &r->dst)->next),
			 ROUTE_SHADOWED);
	r = via("31.0.0.0/8", WAN, "10.2.0.2");
	r->tos = 8;
	tell(r);
	assert_string_equal(shown("31.0.0.0/8"), "by-tos");
	r = via("32.0.0.0/8", WAN, "10.2.0.2");
	r->table = 1234;
	tell(r);
	assert_string_equal(shown("32.0.0.0/8"), "no-table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f, up) cmocka_unit_test_setup_teardown(f, up, network_down)
		T(who_is_refused_is_said, fill),
		T(who_was_refused_comes_in_when_there_is_room, fill),
		T(all_come_in_at_once, fill),
		T(tables_that_go_make_room, network_up),
		T(what_cannot_be_replaced_goes, fill),
		T(a_refused_route_that_goes_is_forgotten, fill),
		T(that_it_is_full_is_not_said_all_the_time, fill),
		T(why_a_route_is_not_in_the_fib, network_up),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
