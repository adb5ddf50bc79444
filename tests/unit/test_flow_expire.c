/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of flows, with a manual clock: timeouts to the tick wherever the clock began, timeouts
 * cut short, budgets, grace periods, and memory that goes back. Requirements C15, C20, C26,
 * flow-mem.
 */
#include "tests/unit/flow_util.h"

static unsigned gone_count;

static void count_gone(void *arg, struct flow_table *t, uint32_t index)
{
	struct flow_key k;

	flow_key(t, index, FLOW_ORIG, &k); /* it is whole still */
	assert_int_equal(lookup(t, &k, flow_at(t, index)->made), FLOW_NONE);
	assert_ptr_equal(arg, &gone_count);
	gone_count++;
}

static void expire(struct flow_table *t, uint32_t tick)
{
	flow_expire(t, 0, tick, flow_grace_begin(t), UINT32_MAX / 2, count_gone, &gone_count);
}

/* Flows with timeouts of 1 tick to a minute, followed tick by tick. */
static void follow(struct flow_table *t, uint32_t first)
{
	static const uint32_t timeout[] = { 1, 2, 3, 62, 63, 64, 65, 127, 128, 129, 240 };
	enum { N = sizeof(timeout) / sizeof(timeout[0]) };
	uint32_t index[N];

	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, i % 3 ? TCP : UDP);

		index[i] = must_add(t, &k, first, timeout[i]);
	}
	gone_count = 0;
	for (uint32_t d = 0; d < 240 + FLOW_WHEEL; d++) {
		unsigned dead = 0;

		for (uint32_t i = 0; i < N; i++) {
			struct flow_key k =
				key_of(i, i % 2 ? AF_INET : AF_INET6, i % 3 ? TCP : UDP);
			bool alive = d < timeout[i];

			dead += !alive;
			assert_int_equal(lookup(t, &k, first + d), alive ? index[i] : FLOW_NONE);
			if (alive)
				assert_int_equal(flow_left(t, index[i], first + d), timeout[i] - d);
		}
		expire(t, first + d);
		assert_int_equal(gone_count, dead); /* nobody changed it: the wheel is exact */
		assert_int_equal(stats_of(t).live, N - dead);
	}
}

/* The table begins at c.now; the flows 100 ticks before the clock passes `edge`. */
static void at_edge(uint64_t now, uint64_t edge)
{
	struct flow_table_config c = { .max = 100, .workers = 1, .now = now };
	struct flow_table *t;
	uint64_t at = now;

	assert_int_equal(flow_table_create(&c, &t), 0);
	while (edge - 100 * FLOW_TICK - at > FLOW_TICK << 30 && at < edge - 100 * FLOW_TICK) {
		at += FLOW_TICK << 30; /* a worker looks every 8 years */
		expire(t, flow_tick(t, at));
	}
	follow(t, flow_tick(t, edge - 100 * FLOW_TICK));
	table_close(t);
}

static void test_clock_edges(void **state)
{
	const uint64_t edge[] = { (1ull << 31) * NSEC_PER_SEC, (1ull << 32) * NSEC_PER_MSEC,
				  1ull << 62 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		at_edge(edge[i] - 200 * FLOW_TICK, edge[i]); /* started just below it */
		at_edge(edge[i] - (FLOW_TICK << 24), edge[i]);
	}
	at_edge(12345, 12345 + (FLOW_TICK << 31)); /* the tick's sign changes */
	at_edge(12345, 12345 + (FLOW_TICK << 32)); /* the tick wraps */
}

/* The latest packet decides; within a tick too. */
static void test_latest(void **state)
{
	struct flow_table *t = table_of(10, 1);
	struct flow_key k = key_of(1, AF_INET, TCP);
	uint32_t index = must_add(t, &k, 10, 480);

	(void)state;
	touch(t, index, FLOW_REPLY, 10, 240);
	assert_int_equal(flow_left(t, index, 10), 240);
	touch(t, index, FLOW_ORIG, 10, 432000 * 4);
	assert_int_equal(flow_left(t, index, 10), 432000 * 4);
	touch(t, index, FLOW_REPLY, 10, 40); /* a reset */
	assert_int_equal(flow_left(t, index, 10), 40);
	assert_int_equal(lookup(t, &k, 49), index);
	assert_int_equal(lookup(t, &k, 50), FLOW_NONE);
	/* a worker whose clock is behind */
	touch(t, index, FLOW_ORIG, 9, 4);
	assert_int_equal(flow_left(t, index, 9), 41);
	table_close(t);
}

/* A half as TCP's tracker leaves it, and what a packet of it decides. */
static void decide(struct flow_table *t, uint32_t index, enum flow_dir dir, uint32_t seconds)
{
	flow_half_at(t, index, dir)->maxwin = 512;
	touch(t, index, dir, 10, seconds * 4);
}

/* A whole close, and a request with its answer, within a tick: the last packet counts though its
 * half had said the same before. */
static void test_latest_again(void **state)
{
	static const struct {
		enum flow_dir dir;
		uint32_t seconds;
	} rows[] = {
		{ FLOW_ORIG, 120 }, /* FIN_WAIT */
		{ FLOW_REPLY, 60 }, /* CLOSE_WAIT */
		{ FLOW_REPLY, 30 }, /* LAST_ACK */
		{ FLOW_ORIG, 120 }, /* TIME_WAIT */
		{ FLOW_REPLY, 300 }, { FLOW_ORIG, 120 }, { FLOW_ORIG, 120 }, { FLOW_REPLY, 300 },
	};
	struct flow_table *t = table_of(10, 1);
	struct flow_key k = key_of(1, AF_INET, TCP);
	uint32_t index = must_add(t, &k, 10, 432000 * 4);

	(void)state;
	for (unsigned round = 0; round < 200; round++) /* `turn` wraps */
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			decide(t, index, rows[i].dir, rows[i].seconds);
			assert_int_equal(flow_left(t, index, 10), rows[i].seconds * 4);
		}
	table_close(t);
}

/* Two workers at one time, neither seeing what the other writes. */
static void decide_both(struct flow_table *t, uint32_t index, uint32_t orig, uint32_t reply)
{
	struct flow_half *o = flow_half_at(t, index, FLOW_ORIG);
	struct flow_half *r = flow_half_at(t, index, FLOW_REPLY);
	struct flow_half before;

	r->turn = o->turn;
	before = *o;
	flow_touch(o, r, 10, orig, 100);
	flow_touch(r, &before, 10, reply, 100);
	assert_int_equal(o->turn, r->turn);
}

static void test_latest_of_two(void **state)
{
	static const struct {
		uint8_t proto;
		uint32_t tcp, orig, reply, want;
	} rows[] = {
		{ TCP, TCP_ESTABLISHED, 7440, 300, 7440 },
		{ TCP, TCP_ESTABLISHED, 300, 7440, 7440 },
		{ TCP, TCP_CLOSE, 432000, 10, 10 },
		{ TCP, TCP_CLOSE, 10, 432000, 10 },
		{ TCP, TCP_FIN_WAIT, 7440, 120, 120 },
		{ TCP, TCP_SYN_SENT2, 120, 60, 60 },
		{ UDP, TCP_NONE, 30, 120, 120 },
		{ UDP, TCP_NONE, 120, 30, 120 },
	};
	struct flow_table *t = table_of(10, 1);

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_key k = key_of(i, AF_INET6, rows[i].proto);
		uint32_t index = must_add(t, &k, 10, 1);

		flow_set(flow_at(t, index), rows[i].tcp);
		decide_both(t, index, rows[i].orig, rows[i].reply);
		assert_int_equal(flow_left(t, index, 10), rows[i].want);
		if (rows[i].proto == TCP) { /* whoever speaks next is the last */
			flow_half_at(t, index, FLOW_ORIG)->maxwin = 512;
			touch(t, index, FLOW_ORIG, 10, rows[i].orig);
			assert_int_equal(flow_left(t, index, 10), rows[i].orig);
		}
	}
	table_close(t);
}

/* A timeout cut short is exact to lookups, and gives memory back within 16 s. */
static void test_cut_short(void **state)
{
	struct flow_table *t = table_of(10, 1);
	struct flow_key k = key_of(1, AF_INET, TCP);
	uint32_t index = must_add(t, &k, 0, 432000 * 4), tick;

	(void)state;
	for (tick = 1; tick < 1000; tick++)
		expire(t, tick);
	assert_int_equal(lookup(t, &k, tick), index);
	touch(t, index, FLOW_REPLY, tick, 4);
	assert_int_equal(lookup(t, &k, tick + 3), index);
	assert_int_equal(lookup(t, &k, tick + 4), FLOW_NONE);
	gone_count = 0;
	for (uint32_t end = tick + FLOW_WHEEL; tick < end; tick++)
		expire(t, tick);
	assert_int_equal(gone_count, 1);
	/* the same tuple anew, beside an expired record that is still in the hash */
	index = must_add(t, &k, tick, 8);
	assert_int_not_equal(must_add(t, &k, tick + 8, 8), index);
	assert_int_equal(stats_of(t).live, 1);
	assert_true(flow_state(flow_at(t, index)) & FLOW_DYING); /* nobody revives it */
	table_close(t);
}

/* A worker that slept for an hour, and one that is always behind. */
static void test_budget(void **state)
{
	enum { N = 5000 };
	struct flow_table *t = table_of(N, 1);
	unsigned looked = 0, n;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		must_add(t, &k, 0, 1 + i % 100);
	}
	gone_count = 0;
	while ((n = flow_expire(t, 0, 14400, 0, 7, count_gone, &gone_count))) {
		assert_true(n <= 7);
		looked += n;
	}
	assert_int_equal(looked, N);
	assert_int_equal(gone_count, N);
	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		must_add(t, &k, 14400, 1 + i % 100);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		flow_kill(t, lookup(t, &k, 14400));
	}
	assert_int_equal(flow_expire(t, 0, 14400, 0, 9, count_gone, &gone_count), 9);
	assert_int_equal(stats_of(t).live, 0);
	table_close(t);
}

/* What is gone is not used again before `quiet` says so. */
static void test_grace(void **state)
{
	struct flow_table *t = table_of(10, 1);
	struct flow_key k = key_of(1, AF_INET, UDP);
	uint32_t index = must_add(t, &k, 0, 4);
	uint64_t before = flow_grace_begin(t), after;

	(void)state;
	flow_expire(t, 0, 4, 0, 10, NULL, NULL);
	assert_int_equal(lookup(t, &k, 0), FLOW_NONE);
	assert_int_equal(stats_of(t).live, 0);
	assert_int_equal(stats_of(t).ipv4, 1);
	flow_expire(t, 0, 5, before, 10, NULL, NULL); /* it had begun before */
	assert_int_equal(stats_of(t).ipv4, 1);
	assert_int_not_equal(must_add(t, &k, 5, 4), index);
	after = flow_grace_begin(t);
	assert_true(after > before);
	flow_expire(t, 0, 6, before, 10, NULL, NULL);
	assert_int_equal(stats_of(t).ipv4, 2);
	flow_expire(t, 0, 6, after, 10, NULL, NULL);
	assert_int_equal(stats_of(t).ipv4, 1);
	table_close(t);
}

/* flow-mem: 1 M flows in 256 MiB, and all of it back when they expire. */
static void test_memory(void **state)
{
	enum { N = 1000000 };
	struct flow_table *t = table_of(1u << 20, 1);
	size_t empty = resident(t), full;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		must_add(t, &k, 0, 60);
	}
	full = resident(t) - empty;
	assert_true(full <= 256u << 20);
	assert_true(stats_of(t).bytes <= full);
	assert_true(stats_of(t).bytes >= full - (4u << 20));
	for (uint32_t tick = 0; tick < 100; tick++)
		flow_expire(t, 0, tick, flow_grace_begin(t), N, NULL, NULL);
	flow_expire(t, 0, 100, flow_grace_begin(t), N, NULL, NULL);
	while (flow_table_trim(t, 1000))
		;
	for (unsigned i = 0; i < 10; i++) /* the next round finds no page to give, and ends */
		flow_table_trim(t, 1000);
	assert_true(resident(t) <= empty + (1u << 20));
	assert_true(stats_of(t).bytes <= FLOW_CHUNK_BYTES);
	for (uint32_t i = 0; i < N / 10; i++) { /* and it can be filled again */
		struct flow_key k = key_of(i, AF_INET6, UDP);

		must_add(t, &k, 100, 60);
	}
	table_close(t);
}

/* Requirement C14: in a table that is nearly full, what has ended does not wait for its timer. */
static void test_crowded(void **state)
{
	struct flow_table *t = table_of(100, 1);
	unsigned closing = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct flow_key k = key_of(i, AF_INET, TCP);
		uint32_t index = must_add(t, &k, 1000, 10000);

		flow_set(flow_at(t, index), i % 2 ? TCP_ESTABLISHED : TCP_TIME_WAIT);
	}
	expire(t, 1000 + FLOW_WHEEL);
	assert_int_equal(stats_of(t).live, 95);
	for (uint32_t cursor = 0, index; (index = flow_walk(t, &cursor)) != FLOW_NONE;)
		closing += (flow_state(flow_at(t, index)) & FLOW_TCP_STATE) == TCP_TIME_WAIT;
	assert_int_equal(closing, 45);
	table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_edges),  cmocka_unit_test(test_latest),
		cmocka_unit_test(test_latest_again), cmocka_unit_test(test_latest_of_two),
		cmocka_unit_test(test_cut_short),    cmocka_unit_test(test_budget),
		cmocka_unit_test(test_grace),	     cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
