/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIB with the full Internet table, ROUTER_BGP_TABLE=file.gz, one prefix a line; without it
 * there is nothing to do. The oracle shares nothing with the table: prefixes sorted and swept into
 * intervals. Requirement F17 (1 M routes).
 */
#include "tests/bgp_table.h"
#include "tests/unit/fib_table.h"

struct interval {
	unsigned __int128 first; /* to the next one's first - 1 */
	uint32_t value;
};

static int by_first_then_len(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* Sweeps the sorted routes; the open ones are a stack, innermost last. Returns the intervals; a
 * later one with the same first overrides. */
static struct interval *sweep(struct route *route, size_t n, size_t *count)
{
	struct interval *out = malloc((2 * n + 1) * sizeof(*out));
	const struct route *open[129];
	unsigned depth = 0;
	size_t k = 0;

	assert_non_null(out);
	qsort(route, n, sizeof(*route), by_first_then_len);
	out[k++] = (struct interval){ 0, FIB_NONE };
	for (size_t i = 0; i <= n; i++) {
		while (depth && (i == n || last_of(open[depth - 1]) < route[i].first)) {
			unsigned __int128 end = last_of(open[--depth]);
			uint32_t outer = depth ? open[depth - 1]->value : FIB_NONE;

			if (end + 1)
				out[k++] = (struct interval){ end + 1, outer };
		}
		if (i == n || !route[i].value)
			continue;
		open[depth++] = &route[i];
		out[k++] = (struct interval){ route[i].first, route[i].value };
	}
	*count = k;
	return out;
}

/* The first and the last address of every interval: all that can change at any prefix's edge. */
static void check_intervals(struct table *t)
{
	unsigned __int128 step = (unsigned __int128)1 << (128 - t->bits), addr[BURST_MAX];
	uint32_t want[BURST_MAX];
	unsigned m = 0;
	size_t count;
	struct interval *in = sweep(t->route, t->n, &count);

	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && in[i + 1].first == in[i].first)
			continue;
		addr[m] = in[i].first;
		want[m++] = in[i].value;
		addr[m] = (i + 1 < count ? in[i + 1].first : 0) - step;
		want[m++] = in[i].value;
		if (m < BURST_MAX && i + 1 < count)
			continue;
		expect(t, addr, want, m);
		m = 0;
	}
	free(in);
}

static void full_table(int family, const struct bgp_table *bgp)
{
	size_t count = 0;
	struct table t;

	table_open(&t, family, POOL_BYTES);
	t.n = bgp->n;
	t.route = calloc(t.n, sizeof(*t.route));
	assert_non_null(t.route);
	for (size_t i = 0; i < t.n; i++) {
		struct route *r = &t.route[i];

		for (unsigned k = 0; k < t.bits / 8; k++)
			r->first |= (unsigned __int128)bgp->v[i].addr[k] << (120 - 8 * k);
		r->len = bgp->v[i].len;
		set_route(&t, r, 1 + i % 64);
		if (fib_pool_retired(t.pool) > 4 << 20)
			fib_pool_reclaim(t.pool);
	}
	fib_pool_reclaim(t.pool);
	assert_int_equal(fib_count(t.fib), t.n);
	print_message("%zu prefixes: %zu KiB read, %zu KiB shadow\n", t.n,
		      fib_pool_bytes(t.pool) / 1024, fib_pool_shadow_bytes(t.pool) / 1024);
	assert_true(fib_pool_bytes(t.pool) <= 40 << 20);
	check_intervals(&t);
	for (size_t i = 0; i < t.n; i++) {
		if (random64() % 2)
			del_route(&t, &t.route[i]);
		count += !!t.route[i].value;
		if (fib_pool_retired(t.pool) > 4 << 20)
			fib_pool_reclaim(t.pool);
	}
	assert_int_equal(fib_count(t.fib), count);
	check_intervals(&t);
	table_close(&t);
}

static void test_full_table_needs_ROUTER_BGP_TABLE(void **state)
{
	const char *path = getenv("ROUTER_BGP_TABLE");
	struct bgp_table v4 = { NULL, 0 }, v6 = { NULL, 0 };

	(void)state;
	if (!path) {
		print_message("ROUTER_BGP_TABLE names no file\n");
		skip();
	}
	assert_int_equal(bgp_table_load(path, &v4, &v6), 0);
	full_table(AF_INET, &v4);
	full_table(AF_INET6, &v6);
	free(v4.v);
	free(v6.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_table_needs_ROUTER_BGP_TABLE),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
