/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIB while it changes: what an update costs, what it does when memory is short, what it leaves
 * behind, and what a reader beside the writer sees. Requirement F17 (replace is atomic).
 */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/fib_table.h"

/* What does not inherit a changed value is not built again. */
static void test_update_leaves_others_alone(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, AF_INET, POOL_BYTES);
	set_route(&t, oracle_add(&t, ip4(0x0a000000), 8), 1);
	set_route(&t, oracle_add(&t, ip4(0x0a010000), 16), 2);
	for (uint32_t i = 0; i < 256; i++) /* 10.2.0.0/16 is filled by its own /24s */
		set_route(&t, oracle_add(&t, ip4(0x0a020000 | i << 8), 24), 3);
	fib_pool_reclaim(t.pool);
	set_route(&t, &t.route[0], 4);
	assert_int_equal(fib_pool_retired(t.pool), 0);
	set_route(&t, &t.route[2], 5); /* one node's leaves, and the root node */
	assert_int_equal(fib_pool_retired(t.pool), 32 + 32);
	set_route(&t, oracle_add(&t, ip4(0x0a030000), 20), 6);
	set_route(&t, oracle_add(&t, ip4(0x0a032004), 30), 7);
	fib_pool_reclaim(t.pool);
	set_route(&t, &t.route[t.n - 2], 8); /* leaves and root node; the /30's node stays */
	assert_int_equal(fib_pool_retired(t.pool), 32 + 32);
	check_all(&t);
	table_close(&t);
}

static void test_no_space(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned refused = 0;
		struct table t;

		table_open(&t, i ? AF_INET6 : AF_INET, 288 * 1024);
		while (refused < 200) {
			unsigned len = 1 + (unsigned)(random64() % t.bits);
			struct route *r = oracle_add(&t, random128(), len);
			size_t bytes = fib_pool_bytes(t.pool);
			size_t shadow = fib_pool_shadow_bytes(t.pool);
			uint32_t value = 1 + (uint32_t)(random64() % 1000);
			int rc;

			if (r->value)
				continue;
			rc = table_set(&t, r->first, len, value);
			fib_pool_reclaim(t.pool);
			if (!rc) {
				r->value = value;
				continue;
			}
			refused++;
			assert_int_equal(rc, -ENOSPC);
			assert_int_equal(fib_pool_bytes(t.pool), bytes);
			assert_int_equal(fib_pool_shadow_bytes(t.pool), shadow);
		}
		assert_true(fib_pool_bytes(t.pool) <= 288 * 1024);
		check_all(&t);
		for (size_t k = 0; k < t.n; k++) { /* what is there may change all the same */
			if (t.route[k].value)
				set_route(&t, &t.route[k], 1 + t.route[k].value % 1000);
			fib_pool_reclaim(t.pool);
		}
		check_all(&t);
		table_close(&t); /* a full table can be emptied */
	}
}

/* Room for the memory of a root, or none. */
static void test_no_space_for_a_table(void **state)
{
	struct fib_pool *pool = fib_pool_create(2 * 256);
	struct fib *f[2];

	(void)state;
	assert_non_null(pool);
	f[0] = fib_create(pool, AF_INET);
	f[1] = fib_create(pool, AF_INET6);
	assert_non_null(f[0]);
	assert_non_null(f[1]);
	assert_null(fib_create(pool, AF_INET));
	assert_int_equal(errno, ENOSPC);
	fib_destroy(f[0]);
	fib_destroy(f[1]);
	assert_int_equal(fib_pool_bytes(pool), 0);
	fib_pool_destroy(pool);
}

/* A pool that is nearly full has no room for a wide root, and the table goes on with the small. */
static void test_no_space_for_a_root(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, AF_INET, 512 * 1024);
	for (uint32_t i = 0; i < FIB_WIDE_ROUTES + 8; i++) {
		set_route(&t, oracle_add(&t, ip4(0x0a000000 | i << 6), 26), 1 + i % 3);
		fib_pool_reclaim(t.pool);
	}
	assert_int_equal(t.fib->root.levels, FIB_ROOT_NARROW);
	for (size_t i = 0; i < t.n; i += 5)
		check_route(&t, &t.route[i]);
	table_close(&t);
}

/* Deletes that nobody reclaims use up the overdraft too; what they could not delete is there. */
static void test_no_space_to_delete(void **state)
{
	size_t gone = 0;
	struct table t;
	int rc = 0;

	(void)state;
	table_open(&t, AF_INET, 512 * 1024);
	for (uint32_t i = 0; i < 2048; i++) {
		set_route(&t, oracle_add(&t, ip4(0x0a000000 | i << 5), 27), 1 + i);
		fib_pool_reclaim(t.pool);
	}
	while (!rc && gone < t.n) {
		struct route *r = &t.route[gone++];

		rc = table_del(&t, r->first, r->len);
		if (!rc)
			r->value = FIB_NONE;
	}
	assert_int_equal(rc, -ENOSPC);
	check_all(&t);
	fib_pool_reclaim(t.pool);
	del_route(&t, &t.route[gone - 1]);
	table_close(&t);
}

/* Blocks given back in any order merge into nothing. */
static void test_arena_merges(void **state)
{
	struct fib_block block[512] = { { 0, 0 } };
	struct fib_arena a;

	(void)state;
	assert_int_equal(fib_arena_init(&a, 1 << 20, 1 << 20, false), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct fib_block *b = &block[random64() % 512];
		uint8_t tag = (uint8_t)(b - block);
		const uint8_t *mem = fib_arena_at(&a, b->base);

		if (b->units) {
			assert_int_equal(mem[0], tag);
			assert_int_equal(mem[b->units * FIB_UNIT - 1], tag);
			fib_arena_free(&a, b->base, b->units);
			b->units = 0;
			continue;
		}
		b->units = 1 + (uint32_t)(random64() % (i % 7 ? 20 : 200));
		b->base = fib_arena_alloc(&a, b->units);
		assert_int_not_equal(b->base, 0);
		memset(fib_arena_at(&a, b->base), tag, b->units * FIB_UNIT);
	}
	for (unsigned i = 0; i < 512; i++)
		if (block[i].units)
			fib_arena_free(&a, block[i].base, block[i].units);
	assert_int_equal(a.used, 0);
	assert_int_equal(a.top, 1);
	fib_arena_fini(&a);
}

static void test_tables_share_a_pool(void **state)
{
	struct fib_pool *pool = fib_pool_create(POOL_BYTES);
	struct in6_addr dst = { .s6_addr = { 0x20, 1, 0xd, 0xb8 } };
	struct fib *f[8];

	(void)state;
	assert_non_null(pool);
	for (uint32_t i = 0; i < 8; i++) {
		f[i] = fib_create(pool, i % 2 ? AF_INET6 : AF_INET);
		assert_non_null(f[i]);
		assert_int_equal(fib_set(f[i], &dst, 30, 1 + i), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t got =
			i % 2 ? fib6_lookup(f[i], &dst) : fib4_lookup(f[i], dst.s6_addr32[0]);

		assert_int_equal(got, 1 + i);
		fib_destroy(f[i]); /* with its prefix */
	}
	fib_pool_reclaim(pool);
	assert_int_equal(fib_pool_bytes(pool), 0);
	assert_int_equal(fib_pool_shadow_bytes(pool), 0);
	fib_pool_destroy(pool);
}

/* What VRFs cost: a thousand tables of ten routes in a pool of the daemon's size. */
static void test_small_tables_are_cheap(void **state)
{
	enum { TABLES = 1000, ROUTES = 10 };
	struct fib_pool *pool = fib_pool_create(256u << 20);
	static struct fib *f[TABLES];
	size_t wide, rest;

	(void)state;
	assert_non_null(pool);
	for (uint32_t i = 0; i < TABLES; i++) {
		f[i] = fib_create(pool, AF_INET);
		assert_non_null(f[i]);
	}
	assert_int_equal(fib_pool_bytes(pool), TABLES * 256);
	for (uint32_t i = 0; i < TABLES * ROUTES; i++) {
		uint32_t dst = htonl((10u << 24) + (i % ROUTES << 16));

		assert_int_equal(fib_set(f[i / ROUTES], &dst, 16 + i % ROUTES, 1 + i), 0);
		fib_pool_reclaim(pool);
	}
	wide = pool->wide * fib_root_bytes(FIB_ROOT_WIDE);
	rest = fib_pool_bytes(pool) - wide + fib_pool_shadow_bytes(pool);
	print_message("%u wide roots, and %zu bytes a table\n", pool->wide, rest / TABLES);
	assert_in_range(wide, 1, 16 << 20);
	assert_true(rest <= (size_t)TABLES * 2048);
	for (uint32_t i = 0; i < TABLES; i++) {
		assert_int_equal(fib4_lookup(f[i], htonl(10u << 24)), 1 + ROUTES * i);
		fib_destroy(f[i]);
	}
	assert_int_equal(fib_pool_bytes(pool), 0);
	assert_int_equal(pool->wide, 0);
	fib_pool_destroy(pool);
}

/* ---- a reader beside the writer */

struct watch {
	const struct fib *fib;
	uint64_t rounds; /* quiescent states; atomic */
	int stop;	 /* atomic */
	unsigned wrong;
};

/* 10.16.0.0/12 is 1 or 2; 10.17.7.0/24 inside it 3 or 4; nothing else has a route. */
static void *reader(void *arg)
{
	struct watch *w = arg;
	uint32_t dst[64], low[64], value[64];

	for (uint32_t i = 0; i < 64; i++) {
		const uint32_t addr[3] = { 0x0a100000 + i * 0x3ffe, 0x0a110700 + i * 4,
					   0x0b000000 + i };
		const uint32_t is[3] = { 1, 3, 0 };

		dst[i] = htonl(addr[i % 3]);
		low[i] = is[i % 3];
	}
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		fib4_lookup_burst(w->fib, dst, value, 64);
		for (uint32_t i = 0; i < 64; i++)
			w->wrong += value[i] != low[i] && (!low[i] || value[i] != low[i] + 1);
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void grace_period(const struct watch *w)
{
	uint64_t from = __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) < from + 2)
		sched_yield();
}

static void test_concurrent_reader(void **state)
{
	const unsigned __int128 wide = ip4(0x0a100000), narrow = ip4(0x0a110700);
	struct watch w = { 0 };
	pthread_t thread;
	struct table t;

	(void)state;
	table_open(&t, AF_INET, POOL_BYTES);
	assert_int_equal(table_set(&t, wide, 12, 1), 0);
	assert_int_equal(table_set(&t, narrow, 24, 3), 0);
	w.fib = t.fib;
	assert_int_equal(pthread_create(&thread, NULL, reader, &w), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		/* Odd: nobody's destination, but in nodes that the watched addresses use. */
		unsigned __int128 odd = wide | ip4((uint32_t)random64() & 0xffffe) | ip4(1);

		if (i % 2)
			assert_int_equal(table_set(&t, wide, 12, 1 + i / 2 % 2), 0);
		else
			assert_int_equal(table_set(&t, narrow, 24, 3 + i / 2 % 2), 0);
		if (i % 4 == 0) {
			assert_int_equal(table_set(&t, odd, 32, 9), 0);
			assert_int_equal(table_del(&t, odd, 32), 0);
		}
		if (fib_pool_retired(t.pool) > 256 * 1024) {
			grace_period(&w);
			fib_pool_reclaim(t.pool);
		}
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(w.wrong, 0);
	assert_true(w.rounds > 0);
	fib_destroy(t.fib);
	fib_pool_destroy(t.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update_leaves_others_alone),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_no_space_for_a_table),
		cmocka_unit_test(test_no_space_for_a_root),
		cmocka_unit_test(test_no_space_to_delete),
		cmocka_unit_test(test_arena_merges),
		cmocka_unit_test(test_tables_share_a_pool),
		cmocka_unit_test(test_small_tables_are_cheap),
		cmocka_unit_test(test_concurrent_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
