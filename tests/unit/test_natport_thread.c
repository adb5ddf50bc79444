/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports under several workers (requirements U1, U3): one endpoint at once by all, no port
 * for two, a range that is too small, and control that blocks, reserves, walks, trims and gives
 * slots meanwhile. For the thread sanitizer, too.
 */
#include <pthread.h>

#include "tests/unit/natport_util.h"

#define WORKERS 3u
#define ROUNDS	20000u
#define MINE	64u

struct lab;
struct worker {
	struct lab *lab;
	unsigned id;
	pthread_t thread;
};

struct lab {
	struct natports *n;
	uint16_t slot;
	struct worker w[WORKERS];
	uint16_t *got[WORKERS];
	uint8_t *owner; /* of each port: worker + 1 */
	unsigned working;
	pthread_barrier_t barrier;
};

static void start(struct lab *l, void *(*work)(void *))
{
	l->n = ports_of(100000);
	l->slot = hold(l->n, "203.0.113.1");
	__atomic_store_n(&l->working, WORKERS, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WORKERS; i++) {
		l->w[i] = (struct worker){ .lab = l, .id = i };
		assert_int_equal(pthread_create(&l->w[i].thread, NULL, work, &l->w[i]), 0);
	}
}

static void leave(struct lab *l)
{
	__atomic_fetch_sub(&l->working, 1, __ATOMIC_RELEASE);
}

static bool is_working(const struct lab *l)
{
	return __atomic_load_n(&l->working, __ATOMIC_ACQUIRE);
}

static void finish(struct lab *l)
{
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(l->w[i].thread, NULL);
	ports_close(l->n);
}

/* All workers see the first packet of the same endpoints. */
static void *race(void *arg)
{
	struct worker *w = arg;
	struct lab *l = w->lab;

	pthread_barrier_wait(&l->barrier);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct natport_inside in = inside4(i % 100, (uint16_t)(2000 + i), IPPROTO_UDP);
		struct natport_want want_it = want((uint16_t)(2000 + i % 500));

		l->got[w->id][i] = map(l->n, &in, l->slot, &want_it);
	}
	leave(l);
	return NULL;
}

static void one_mapping_for_all_u1(void **state)
{
	struct lab l = { 0 };

	(void)state;
	pthread_barrier_init(&l.barrier, NULL, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		l.got[i] = calloc(ROUNDS, sizeof(**l.got));
	start(&l, race);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(l.w[i].thread, NULL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		assert_int_not_equal(l.got[0][i], 0);
		for (unsigned w = 0; w < WORKERS; w++) {
			assert_int_equal(l.got[w][i], l.got[0][i]);
			natport_done(l.n, l.slot, NATPORT_UDP, l.got[w][i]);
		}
	}
	for (unsigned i = 0; i < WORKERS; i++)
		free(l.got[i]);
	ports_close(l.n);
	pthread_barrier_destroy(&l.barrier);
}

static void own(struct worker *w, uint16_t port)
{
	uint8_t before = __atomic_exchange_n(&w->lab->owner[port], w->id + 1, __ATOMIC_RELAXED);

	assert_int_equal(before, 0);
}

static void disown(struct worker *w, uint16_t port)
{
	uint8_t before = __atomic_exchange_n(&w->lab->owner[port], 0, __ATOMIC_RELAXED);

	assert_int_equal(before, w->id + 1);
}

/* Claims and mappings that come and go, in a range with room for a part of them. */
static void *claims(void *arg)
{
	struct worker *w = arg;
	struct lab *l = w->lab;
	uint16_t mine[MINE] = { 0 };

	for (uint32_t i = 0; i < 4 * ROUNDS; i++) {
		unsigned at = (unsigned)(random64() % MINE);
		struct natport_want it = want(5000);
		struct natport_inside in = inside4(w->id, (uint16_t)(1 + at), IPPROTO_UDP);

		it.first = 5000;
		it.last = 5000 + MINE * 2;
		if (mine[at]) {
			disown(w, mine[at]);
			natport_done(l->n, l->slot, NATPORT_UDP, mine[at]);
			mine[at] = 0;
			continue;
		}
		mine[at] = at % 2 ? map(l->n, &in, l->slot, &it)
				  : natport_claim(l->n, l->slot, NATPORT_UDP, &it, random64());
		if (mine[at])
			own(w, mine[at]);
	}
	for (unsigned at = 0; at < MINE; at++) {
		if (mine[at]) {
			disown(w, mine[at]);
			natport_done(l->n, l->slot, NATPORT_UDP, mine[at]);
		}
	}
	leave(l);
	return NULL;
}

/* What control does beside them. */
static void control(struct lab *l, uint32_t round)
{
	struct addr a = addr_v4(htonl(0xcb007200 + round % 100)), known = address("203.0.113.1");
	uint64_t blocked[NATPORT_WORDS] = { 0 }, cursor = 0;
	struct natport_inside in;
	struct addr outside;
	uint32_t flows;
	uint16_t port;

	blocked[80] = random64();
	natports_block(l->n, l->slot, NATPORT_UDP, blocked);
	assert_int_equal(natports_reserve(l->n, l->slot, NATPORT_UDP, 5010, 5060, true), 0);
	natports_let_go(l->n, natports_hold(l->n, &a));
	assert_int_equal(natports_find(l->n, &known), l->slot);
	while (natmap_walk(l->n, &cursor, &in, &outside, &port, &flows))
		assert_in_range(in.port, 1, MINE);
	natports_trim(l->n);
	assert_int_equal(natports_reserve(l->n, l->slot, NATPORT_UDP, 5010, 5060, false), 0);
}

static void no_port_for_two_u3(void **state)
{
	struct lab l = { .owner = calloc(65536, 1) };

	(void)state;
	start(&l, claims);
	for (uint32_t round = 0; is_working(&l); round++)
		control(&l, round);
	natports_block(l.n, l.slot, NATPORT_UDP, NULL);
	finish(&l);
	free(l.owner);
}

/* Workers look up slots while others come and go: their own is always found. */
static void *find_slots(void *arg)
{
	struct worker *w = arg;
	struct addr known = address("203.0.113.1"), never = address("192.0.2.1");

	for (uint32_t i = 0; i < 10 * ROUNDS; i++) {
		assert_int_equal(natports_find(w->lab->n, &known), w->lab->slot);
		assert_int_equal(natports_find(w->lab->n, &never), NATPORT_NO_SLOT);
	}
	leave(w->lab);
	return NULL;
}

static void slots_that_change(void **state)
{
	struct lab l = { 0 };

	(void)state;
	start(&l, find_slots);
	for (uint32_t round = 0; is_working(&l); round++) {
		struct addr a = addr_v4(htonl(0xcb007200 + round % 100));

		natports_let_go(l.n, natports_hold(l.n, &a));
	}
	finish(&l);
}

/* Permits and mappings of the same few endpoints. */
static void *permit(void *arg)
{
	struct worker *w = arg;
	struct lab *l = w->lab;
	struct natport_slots slots = only(l->slot);

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct natport_inside in = inside4(1, (uint16_t)(7000 + i % 4), IPPROTO_TCP), got;
		struct addr remote = addr_v4(htonl(0xc6336400 + i % 7));
		struct natport_want it = want(in.port);
		uint16_t slot = l->slot, port;
		uint8_t filtering;

		assert_int_equal(natmap_make(l->n, &in, &slots, &slot, &it, random64(), &port), 0);
		assert_true(natmap_inside(l->n, slot, NATPORT_TCP, port, &got, &filtering));
		assert_int_equal(got.port, in.port);
		assert_true(natmap_permit(l->n, slot, NATPORT_TCP, port, &remote, true));
		assert_true(natmap_permits(l->n, slot, NATPORT_TCP, port, &remote));
		natmap_permit(l->n, slot, NATPORT_TCP, port, &remote, false);
		natport_done(l->n, slot, NATPORT_TCP, port);
	}
	leave(l);
	return NULL;
}

static void permits_at_once(void **state)
{
	struct lab l = { 0 };

	(void)state;
	start(&l, permit);
	while (is_working(&l))
		natports_trim(l.n);
	finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_mapping_for_all_u1),
		cmocka_unit_test(no_port_for_two_u3),
		cmocka_unit_test(slots_that_change),
		cmocka_unit_test(permits_at_once),
	};

	return cmocka_run_group_tests_name("natport_thread", tests, NULL, NULL);
}
