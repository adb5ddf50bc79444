/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets under several threads: elements that stay are never missed and strangers never seen while
 * others come, expire and are taken away around them, and while a whole set is replaced.
 */
#include <pthread.h>

#include "router/lib/rcu.h"
#include "tests/random.h"
#include "tests/unit/set_util.h"

#define WORKERS 3u
#define STAYING 64u
#define COMING	400u

static struct {
	struct lab lab;
	struct set *set; /* as published */
	uint64_t now;
	bool stop;
} world;

struct worker {
	pthread_t thread;
	unsigned id;
	uint64_t state, rounds, hits;
};

/* 10.<net>.<n> */
static struct set_key key(uint8_t net, unsigned n)
{
	struct set_key k = { 0 };
	uint8_t bytes[16] = { 10, net, (uint8_t)(n >> 8), (uint8_t)n };

	set_key_address(&k, AF_INET, bytes);
	return k;
}

/* Net 1 stays, net 2 comes and goes, net 3 is never in; 192.168.0.0/16 is a range's. */
static void look(struct worker *w, struct set *s, uint64_t now)
{
	struct set_key stays = key(1, random_below(&w->state, STAYING));
	struct set_key comes = key(2, random_below(&w->state, COMING));
	struct set_key never = key(3, random_below(&w->state, COMING));
	struct set_key range = { 0 };
	uint8_t bytes[16] = { 192, 168, 0, (uint8_t)(1 + random_below(&w->state, 200)) };

	set_key_address(&range, AF_INET, bytes);
	assert_true(set_has(s, &stays, now));
	assert_false(set_has(s, &never, now));
	assert_true(set_has(s, &range, now));
	w->hits += set_has(s, &comes, now);
	if (random_below(&w->state, 4) == 0)
		set_add(s, &comes, now);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	rcu_register_thread();
	while (!__atomic_load_n(&world.stop, __ATOMIC_RELAXED)) {
		uint64_t now = __atomic_load_n(&world.now, __ATOMIC_RELAXED);
		struct set *s = __atomic_load_n(&world.set, __ATOMIC_ACQUIRE);

		for (unsigned i = 0; i < 64; i++)
			look(w, s, now);
		w->rounds++;
		rcu_quiet();
	}
	rcu_unregister_thread();
	return NULL;
}

static void words(char text[32], unsigned net, unsigned n)
{
	snprintf(text, 32, "10.%u.%u.%u", net, n >> 8, n & 255);
}

/* Takes one away, if it is there; shows all. */
static void disturb(struct lab *l, struct set *s, uint64_t now)
{
	uint64_t cursor = 0;
	char text[100];
	uint32_t left;
	unsigned n = 0;
	bool dynamic;

	words(text, 2, (unsigned)random64() % COMING);
	set_del_text(s, text, l->why, sizeof(l->why));
	while (set_walk(s, &cursor, now, text, sizeof(text), &left, &dynamic)) {
		assert_true(!strncmp(text, "10.1.", 5) || !strncmp(text, "10.2.", 5) ||
			    !strcmp(text, "192.168.0.1-192.168.0.200"));
		n++;
	}
	assert_true(n > STAYING);
}

/* The file has another size, so that the set is built anew. */
static void replace(struct lab *l)
{
	l->set[0].size ^= 1;
	__atomic_store_n(&world.set, lab_follow(l, "s"), __ATOMIC_RELEASE);
	rcu_wait();
	sets_sweep(l->sets);
}

static void prepare(struct lab *l)
{
	struct conf_set *c;
	char text[32];

	lab_init(l);
	c = lab_set(l, "s", 1, (enum conf_field[]){ CONF_FIELD_PREFIX });
	c->timeout_s = 3;
	c->size = STAYING + COMING / 2; /* it is often full */
	for (unsigned i = 0; i < STAYING / 2; i++) {
		words(text, 1, i);
		lab_element(l, c, text, UINT32_MAX);
	}
	lab_element(l, c, "192.168.0.1-192.168.0.200", UINT32_MAX);
	world.set = lab_follow(l, "s");
	sets_sweep(l->sets);
	world.now = NSEC_PER_SEC;
	sets_changes(l->sets, world.now);
	for (unsigned i = STAYING / 2; i < STAYING; i++) {
		words(text, 1, i);
		add(l, world.set, text, UINT32_MAX, world.now);
	}
}

static void test_all_at_once(void **state)
{
	struct worker w[WORKERS];
	struct lab *l = &world.lab;
	uint64_t changes = 0, hits = 0;

	(void)state;
	prepare(l);
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ .id = i, .state = i * 7919 };
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t now = world.now + NSEC_PER_SEC / 4;

		__atomic_store_n(&world.now, now, __ATOMIC_RELAXED);
		changes = sets_changes(l->sets, now);
		disturb(l, world.set, now);
		if (i % 2)
			add(l, world.set, "192.168.0.1-192.168.0.200", UINT32_MAX - i, now);
		if (i % 100 == 99)
			replace(l);
	}
	__atomic_store_n(&world.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		hits += w[i].hits;
		assert_true(w[i].rounds > 10);
	}
	assert_true(hits > 1000);
	assert_true(changes > 1000);

	/* everything that may expire does, and the count agrees */
	sets_changes(l->sets, world.now + 4 * NSEC_PER_SEC);
	assert_int_equal(info_of(l, "s").elements, STAYING + 1);
	lab_fini(l);
}

/* One new key, added at once by all: it is one element. */
static void *race(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 20000; i++) {
		struct set_key k = key(4, i / 4);

		assert_true(set_add(world.set, &k, NSEC_PER_SEC));
		assert_true(set_has(world.set, &k, NSEC_PER_SEC));
		w->rounds++;
	}
	return NULL;
}

static void test_race(void **state)
{
	struct worker w[WORKERS];
	struct lab *l = &world.lab;

	(void)state;
	lab_init(l);
	lab_set(l, "s", 1, (enum conf_field[]){ CONF_FIELD_ADDRESS })->size = 5000;
	world.set = lab_follow(l, "s");
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ .id = i };
		assert_int_equal(pthread_create(&w[i].thread, NULL, race, &w[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(info_of(l, "s").elements, 5000);
	assert_int_equal(info_of(l, "s").refused, 0);
	lab_fini(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_all_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
