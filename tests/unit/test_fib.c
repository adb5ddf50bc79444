/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FIB's answers at the edges of every prefix, for small tables of every shape, with either
 * root. Requirement F17. */
#include "tests/unit/fib_table.h"

static void all_lengths(int family, size_t pool)
{
	struct table t;

	table_open(&t, family, pool);
	for (unsigned len = 0; len <= t.bits; len++)
		for (unsigned i = 0; i < 3; i++)
			set_route(&t, oracle_add(&t, random128(), len), 1 + len * 3 + i);
	check_all(&t);
	fib_pool_reclaim(t.pool);
	check_all(&t);
	table_close(&t);
}

/* One address and all the prefixes that hold it, added and removed in random order. */
static void nest(int family, size_t pool, unsigned __int128 inside)
{
	struct table t;

	table_open(&t, family, pool);
	for (unsigned len = 0; len <= t.bits; len++)
		oracle_add(&t, inside, len);
	for (unsigned i = 0; i < 8 * t.bits; i++) {
		struct route *r = &t.route[random64() % t.n];

		if (r->value)
			del_route(&t, r);
		else
			set_route(&t, r, 1 + (uint32_t)(random64() % FIB_MAX));
		fib_pool_reclaim(t.pool);
		if (!(i % 16))
			check_all(&t);
	}
	check_all(&t);
	table_close(&t);
}

/* Prefixes crowded into few strides: set, replaced, removed. */
static void churn(int family, size_t pool, unsigned prefixes, unsigned updates)
{
	unsigned __int128 base[4];
	struct table t;

	table_open(&t, family, pool);
	for (unsigned i = 0; i < 4; i++)
		base[i] = random128();
	for (unsigned i = 0; i < prefixes; i++) {
		unsigned keep = (unsigned)(random64() % t.bits);
		unsigned len = keep + (unsigned)(random64() % (t.bits - keep + 1));

		oracle_add(&t, base[i % 4] ^ (random128() & ~mask(keep)), len);
	}
	for (unsigned i = 0; i < updates; i++) {
		struct route *r = &t.route[random64() % t.n];

		if (random64() % 3 == 0)
			del_route(&t, r);
		else
			set_route(&t, r, 1 + (uint32_t)(random64() % 5));
		check_route(&t, r);
		if (i % 512)
			continue;
		fib_pool_reclaim(t.pool);
		check_all(&t);
	}
	check_all(&t);
	table_close(&t);
}

static const struct {
	int family;
	size_t pool;
} kinds[] = {
	{ AF_INET, POOL_BYTES },
	{ AF_INET, POOL_NARROW },
	{ AF_INET6, POOL_BYTES },
	{ AF_INET6, POOL_NARROW },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void test_all_lengths(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++)
		all_lengths(kinds[i].family, kinds[i].pool);
}

static void test_nests(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++) {
		nest(kinds[i].family, kinds[i].pool, 0);
		nest(kinds[i].family, kinds[i].pool, ~U128(0));
		nest(kinds[i].family, kinds[i].pool, random128());
	}
}

static void test_churn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++) {
		churn(kinds[i].family, kinds[i].pool, 40, 2000);
		churn(kinds[i].family, kinds[i].pool, 400, 4000);
	}
}

/* In a pool where wide roots are dear a table gets one with its 4,097th route. */
static void test_root_widens(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct table t;

		table_open(&t, k ? AF_INET6 : AF_INET, POOL_NARROW);
		set_route(&t, oracle_add(&t, 0, 0), 1);
		for (unsigned len = 1; len <= 30; len++) /* what is above the root, and across it */
			for (unsigned i = 0; i < 4; i++)
				set_route(&t, oracle_add(&t, random128(), len), 1 + len);
		while (fib_count(t.fib) < FIB_WIDE_ROUTES) {
			unsigned __int128 any = random128() & ~mask(12);

			set_route(&t, oracle_add(&t, any | U128(t.n % 64) << 58, 22 + t.n % 9), 7);
		}
		assert_int_equal(t.fib->root.levels, FIB_ROOT_NARROW);
		for (size_t i = 0; i < t.n; i += 9)
			check_route(&t, &t.route[i]);
		set_route(&t, oracle_add(&t, random128(), 24), 9);
		assert_int_equal(t.fib->root.levels, FIB_ROOT_WIDE);
		fib_pool_reclaim(t.pool);
		for (size_t i = 0; i < t.n; i += 3)
			check_route(&t, &t.route[i]);
		for (size_t i = 0; i < t.n; i += 2)
			del_route(&t, &t.route[i]);
		for (size_t i = 0; i < t.n; i += 7)
			check_route(&t, &t.route[i]);
		table_close(&t);
	}
}

/* Point-to-point links and host routes: /31 and /32, /127 and /128. */
static void test_host_routes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table t;

		table_open(&t, i ? AF_INET6 : AF_INET, POOL_BYTES);
		for (unsigned k = 0; k < 32; k++) {
			unsigned __int128 host = (unsigned __int128)k << (128 - t.bits);

			set_route(&t, oracle_add(&t, ip4(0xc0000200) + host, t.bits - k % 2),
				  1 + k);
		}
		check_all(&t);
		for (size_t k = 0; k < t.n; k += 3)
			del_route(&t, &t.route[k]);
		check_all(&t);
		table_close(&t);
	}
}

static void test_default_route(void **state)
{
	struct route *all, *half;
	struct table t;

	(void)state;
	table_open(&t, AF_INET, POOL_BYTES);
	oracle_add(&t, 0, 0);
	oracle_add(&t, ip4(1u << 31), 1);
	all = &t.route[0];
	half = &t.route[1];
	check_all(&t);
	set_route(&t, all, 7);
	check_all(&t);
	set_route(&t, half, 8);
	set_route(&t, all, FIB_MAX);
	check_all(&t);
	del_route(&t, half);
	check_all(&t);
	fib_pool_reclaim(t.pool);
	set_route(&t, all, 9); /* one word: no array is replaced */
	assert_int_equal(fib_pool_retired(t.pool), 0);
	del_route(&t, all);
	del_route(&t, all);
	check_all(&t);
	table_close(&t);
}

static void test_refusals(void **state)
{
	uint8_t addr[16] = { 10 };
	struct table t;

	(void)state;
	table_open(&t, AF_INET, POOL_BYTES);
	assert_int_equal(fib_set(t.fib, addr, 33, 1), -EINVAL);
	assert_int_equal(fib_set(t.fib, addr, 8, FIB_NONE), -EINVAL);
	assert_int_equal(fib_set(t.fib, addr, 8, FIB_MAX + 1), -EINVAL);
	for (unsigned len = 0; len <= 33; len++) {
		assert_int_equal(fib_del(t.fib, addr, len), -ENOENT);
		assert_int_equal(fib_get(t.fib, addr, len), FIB_NONE);
	}
	assert_null(fib_create(t.pool, AF_UNIX));
	assert_int_equal(errno, EAFNOSUPPORT);
	table_close(&t);
}

static void test_burst_sizes(void **state)
{
	unsigned __int128 addr[BURST_MAX];
	uint32_t want[BURST_MAX];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table t;

		table_open(&t, i ? AF_INET6 : AF_INET, POOL_BYTES);
		for (unsigned k = 0; k < BURST_MAX; k++) {
			addr[k] = random128() & mask(t.bits);
			set_route(&t, oracle_add(&t, addr[k], 1 + k % t.bits), 1 + k);
		}
		for (unsigned k = 0; k < BURST_MAX; k++)
			want[k] = oracle_find(&t, addr[k]);
		for (unsigned n = 0; n <= BURST_MAX; n++)
			expect(&t, addr, want, n);
		table_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_lengths), cmocka_unit_test(test_nests),
		cmocka_unit_test(test_churn),	    cmocka_unit_test(test_root_widens),
		cmocka_unit_test(test_host_routes), cmocka_unit_test(test_default_route),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_burst_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
