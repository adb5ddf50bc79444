/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIB with a full Internet table, at every edge of every prefix and at random addresses:
 * FIB_ADDRESSES of them, if not a million. Requirement F17 (1 M routes).
 */
#include "tests/unit/fib_sweep.h"

/* The first and the last address of every interval: of every prefix the first, the last, and those
 * beside it. */
static void check_edges(struct table *t, const struct intervals *in)
{
	unsigned __int128 addr[BURST_MAX], unit = ((unsigned __int128)1 << (128 - t->bits)) - 1;
	uint32_t want[BURST_MAX];
	unsigned m = 0;

	for (size_t i = 0; i < in->n; i++) {
		addr[m] = in->v[i].first;
		want[m++] = in->v[i].value;
		addr[m] = interval_last(in, i) & ~unit;
		want[m++] = in->v[i].value;
		if (m < BURST_MAX && i + 1 < in->n)
			continue;
		expect(t, addr, want, m);
		m = 0;
	}
}

/* Half of them anywhere, half in intervals, each as likely as another. */
static void check_random(struct table *t, const struct intervals *in, size_t n)
{
	unsigned __int128 addr[BURST_MAX];
	uint32_t want[BURST_MAX];

	for (size_t done = 0; done < n; done += BURST_MAX) {
		for (unsigned i = 0; i < BURST_MAX; i += 2) {
			size_t any = random64() % in->n;

			addr[i] = interval_any(in, any);
			want[i] = in->v[any].value;
			addr[i + 1] = random128() & mask(t->bits);
			if (t->family == AF_INET6) /* 2000::/3 */
				addr[i + 1] = addr[i + 1] >> 3 | (unsigned __int128)1 << 125;
			want[i + 1] = interval_find(in, addr[i + 1]);
		}
		expect(t, addr, want, BURST_MAX);
	}
}

static void reclaim(struct table *t)
{
	if (fib_pool_retired(t->pool) > 4 << 20)
		fib_pool_reclaim(t->pool);
}

static void check_full(int family)
{
	size_t count = 0, n = from_environment("FIB_ADDRESSES", 1000000);
	struct intervals in;
	struct table t;

	full_table(&t, family, POOL_BYTES);
	for (size_t i = 0; i < t.n; i++) {
		set_route(&t, &t.route[i], t.route[i].value);
		reclaim(&t);
	}
	fib_pool_reclaim(t.pool);
	assert_int_equal(fib_count(t.fib), t.n);
	print_message("%zu KiB read, %zu KiB shadow\n", fib_pool_bytes(t.pool) / 1024,
		      fib_pool_shadow_bytes(t.pool) / 1024);
	assert_true(fib_pool_bytes(t.pool) <= 40 << 20);
	in = sweep(t.route, t.n);
	check_edges(&t, &in);
	check_random(&t, &in, n);
	free(in.v);
	for (size_t i = 0; i < t.n; i++) {
		if (random64() % 2)
			del_route(&t, &t.route[i]);
		count += !!t.route[i].value;
		reclaim(&t);
	}
	assert_int_equal(fib_count(t.fib), count);
	in = sweep(t.route, t.n);
	check_edges(&t, &in);
	free(in.v);
	table_close(&t);
}

static void test_full_table_ip4(void **state)
{
	(void)state;
	check_full(AF_INET);
}

static void test_full_table_ip6(void **state)
{
	(void)state;
	check_full(AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_table_ip4),
		cmocka_unit_test(test_full_table_ip6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
