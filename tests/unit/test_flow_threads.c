/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table under several workers: one flow made at once by all, flows that come and go under
 * lookups, a full table, a flush and a walk meanwhile. Requirements C14, C17, C22, C24.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/flow_util.h"

#define WORKERS 3u

struct lab;
struct worker {
	struct lab *lab;
	unsigned id;
	uint64_t rounds; /* quiescent reports */
	uint64_t made, found;
	pthread_t thread;
};

struct lab {
	struct flow_table *t;
	struct worker w[WORKERS];
	uint64_t quiet;
	bool stop;
	uint32_t rounds, keys;
	/* of the race: what each worker got for each key */
	uint32_t *got[WORKERS];
	pthread_barrier_t barrier;
};

static void report(struct worker *w)
{
	__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELEASE);
}

static void leave(struct worker *w)
{
	__atomic_store_n(&w->rounds, UINT64_MAX, __ATOMIC_RELEASE);
}

static unsigned expire(struct worker *w, uint32_t tick)
{
	return flow_expire(w->lab->t, w->id, tick,
			   __atomic_load_n(&w->lab->quiet, __ATOMIC_ACQUIRE), 64, NULL, NULL);
}

/* One grace period: every worker reports, or has left. */
static void grace(struct lab *l)
{
	uint64_t number = flow_grace_begin(l->t), before[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++)
		before[i] = __atomic_load_n(&l->w[i].rounds, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < WORKERS; i++) {
		uint64_t now = before[i];

		while (now == before[i] && now != UINT64_MAX) {
			sched_yield();
			now = __atomic_load_n(&l->w[i].rounds, __ATOMIC_ACQUIRE);
		}
	}
	__atomic_store_n(&l->quiet, number, __ATOMIC_RELEASE);
}

static bool all_left(const struct lab *l)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (__atomic_load_n(&l->w[i].rounds, __ATOMIC_ACQUIRE) != UINT64_MAX)
			return false;
	return true;
}

static void run(struct lab *l, void *(*work)(void *), void (*control)(struct lab *))
{
	for (unsigned i = 0; i < WORKERS; i++) {
		l->w[i] = (struct worker){ .lab = l, .id = i };
		assert_int_equal(pthread_create(&l->w[i].thread, NULL, work, &l->w[i]), 0);
	}
	while (!all_left(l)) {
		grace(l);
		if (control)
			control(l);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(l->w[i].thread, NULL);
}

/* ---- one flow, made at once by all */

static void *race(void *arg)
{
	struct worker *w = arg;
	struct lab *l = w->lab;

	for (uint32_t i = 0; i < l->keys; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP);
		enum flow_refusal why;

		if (i % 64 == 0)
			pthread_barrier_wait(&l->barrier);
		/* one of them sees it from the other end */
		if (w->id == 1)
			k = reverse_of(&k);
		l->got[w->id][i] = flow_add(l->t, w->id, &k, 0, 1000, &why);
		report(w);
	}
	leave(w);
	return NULL;
}

static void test_race(void **state)
{
	struct lab l = { .keys = 20000 };

	(void)state;
	l.t = table_of(l.keys + WORKERS, WORKERS); /* private ones count too */
	pthread_barrier_init(&l.barrier, NULL, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		l.got[i] = calloc(l.keys, sizeof(uint32_t));
	run(&l, race, NULL);
	for (uint32_t i = 0; i < l.keys; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP);

		assert_int_not_equal(l.got[0][i], FLOW_NONE);
		for (unsigned j = 0; j < WORKERS; j++)
			assert_int_equal(l.got[j][i], lookup(l.t, &k, 0));
	}
	assert_int_equal(stats_of(l.t).live, l.keys);
	assert_int_equal(stats_of(l.t).made, l.keys);
	assert_int_equal(stats_of(l.t).adopted, (WORKERS - 1) * (uint64_t)l.keys);
	assert_int_equal(stats_of(l.t).early_dropped, 0);
	for (unsigned i = 0; i < WORKERS; i++)
		free(l.got[i]);
	pthread_barrier_destroy(&l.barrier);
	table_close(l.t);
}

/* ---- churn */

/* Of a burst of keys: what is found has the key and stays whole until the report; what is not is
 * made. Worker w writes the half of direction w % 2 of what it finds; the third only reads. */
static void churn_burst(struct worker *w, uint32_t tick)
{
	struct flow_key k[FLOW_BURST], got;
	struct flow_table *t = w->lab->t;
	uint32_t index[FLOW_BURST];
	uint8_t dir[FLOW_BURST];
	enum flow_refusal why;

	for (unsigned i = 0; i < FLOW_BURST; i++) {
		uint32_t n = (uint32_t)(random64() >> 20) % w->lab->keys;

		k[i] = key_of(n, AF_INET, n % 2 ? TCP : UDP);
		if (w->id % 2)
			k[i] = reverse_of(&k[i]);
	}
	flow_lookup_burst(t, k, tick, index, dir, FLOW_BURST);
	for (unsigned i = 0; i < FLOW_BURST; i++) {
		if (index[i] == FLOW_NONE)
			index[i] =
				flow_add(t, w->id, &k[i], tick, 1 + (uint32_t)random64() % 8, &why);
		if (index[i] == FLOW_NONE)
			continue;
		w->found++;
		flow_key(t, index[i], FLOW_ORIG, &got);
		if (memcmp(&got, &k[i], sizeof(got)))
			flow_key(t, index[i], FLOW_REPLY, &got);
		assert_memory_equal(&got, &k[i], sizeof(got));
		if (random64() % 64 == 0)
			flow_kill(t, index[i]);
		else if (random64() % 256 == 0)
			flow_set(flow_at(t, index[i]), FLOW_ASSURED);
	}
}

static void *churn(void *arg)
{
	struct worker *w = arg;
	uint64_t skip = w->id * 7919;

	while (skip--)
		random64();
	for (uint32_t i = 0; i < w->lab->rounds; i++) {
		churn_burst(w, i / 16);
		expire(w, i / 16);
		report(w);
	}
	leave(w);
	return NULL;
}

/* Control meanwhile: walks, flushes a little, trims. */
static void walk_and_flush(struct lab *l)
{
	uint32_t cursor = 0, index, n = 0;
	struct flow_key k;

	while ((index = flow_walk(l->t, &cursor)) != FLOW_NONE) {
		flow_key(l->t, index, FLOW_ORIG, &k);
		assert_int_equal(k.family, AF_INET);
		if (n++ % 16 == 0)
			flow_kill(l->t, index);
	}
	flow_table_trim(l->t, 16);
}

/* Sometimes there is room for all keys, sometimes for a third of them. */
static void test_churn(void **state)
{
	struct lab l = { .keys = 3000, .rounds = 4000 };
	struct flow_table_config c = { .workers = WORKERS, .key = "fifteen letters" };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		c.max = i ? 1000 : 4000;
		c.per_source_max = i == 2 ? 12 : 0;
		c.key[3]++;
		l.quiet = 0;
		assert_int_equal(flow_table_create(&c, &l.t), 0);
		run(&l, churn, walk_and_flush);
		assert_true(stats_of(l.t).live <= c.max);
		assert_true((stats_of(l.t).early_dropped != 0) == (i != 0));
		assert_true((stats_of(l.t).refused_source != 0) == (i == 2));
		assert_true(stats_of(l.t).gone > 1000);
		table_close(l.t);
	}
}

/* ---- no live tuple twice */

/* All keep making the same few flows, whose timeout is one tick: each lookup after a commit finds
 * what the commit gave, unless its time is over. */
static void *reuse(void *arg)
{
	struct worker *w = arg;
	struct flow_table *t = w->lab->t;

	for (uint32_t i = 0; i < w->lab->rounds; i++) {
		struct flow_key k = key_of((uint32_t)random64() % w->lab->keys, AF_INET, UDP);
		struct flow_key r = reverse_of(&k);
		uint32_t tick = i / 256, index, again;
		enum flow_refusal why;

		index = flow_add(t, w->id, &k, tick, 1000, &why);
		again = lookup(t, &r, tick);
		if (index != FLOW_NONE && again != FLOW_NONE && again != index)
			assert_true(flow_state(flow_at(t, index)) & FLOW_DYING);
		if (index != FLOW_NONE && i % 3 == w->id)
			flow_kill(t, index);
		expire(w, tick);
		report(w);
	}
	leave(w);
	return NULL;
}

static void test_reuse(void **state)
{
	struct lab l = { .keys = 8, .rounds = 30000 };
	uint32_t live[8], n = 0, cursor = 0, index;

	(void)state;
	l.t = table_of(100, WORKERS);
	run(&l, reuse, NULL);
	while ((index = flow_walk(l.t, &cursor)) != FLOW_NONE) {
		struct flow_key k;

		assert_true(n < 8);
		flow_key(l.t, index, FLOW_ORIG, &k);
		assert_int_equal(lookup(l.t, &k, l.rounds / 256), index);
		live[n++] = index;
	}
	assert_int_equal(stats_of(l.t).live, n);
	for (uint32_t i = 1; i < n; i++)
		assert_int_not_equal(live[i], live[i - 1]);
	table_close(l.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
