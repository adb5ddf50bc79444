/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIB with a full Internet table that changes at random while another thread looks up and
 * checks each answer. FIB_UPDATES changes, if not 200,000, of each family. Requirement F17 (1 M
 * routes, replace is atomic, churn while forwarding).
 *
 * Every other prefix stays in the table, and only its value changes. So the longest of these that
 * holds an address is always known (fib_sweep.h): an answer must be it, or be longer. A value names
 * its prefix and which of two it is, so the checking thread sees whether that prefix holds the
 * address. Half of the changes and of the lookups meet in a few prefixes, where a short gap
 * shows.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/fib_sweep.h"

#define ADDRESSES   65536u
#define HOT	    64u /* the first of them */
#define RETIRED_MAX (1u << 20)

struct churn {
	struct table t; /* even routes stay; values: 1 + 2 * index, and the one after */
	unsigned __int128 addr[ADDRESSES];
	uint32_t stays[ADDRESSES]; /* the route that holds it, among those that stay, .. */
	bool routed[ADDRESSES];	   /* .. if there is one */
	uint64_t rounds;	   /* quiescent states; atomic */
	int stop;		   /* atomic */
	uint64_t checked;
	unsigned wrong;
};

static uint32_t value_of(size_t route, unsigned which)
{
	return (uint32_t)(1 + 2 * route + which);
}

/* Addresses inside routes that stay, each as likely as another, and some of nobody's. */
static void pick_addresses(struct churn *c)
{
	struct route *stay = malloc(c->t.n * sizeof(*stay));
	struct intervals in;
	size_t n = 0;

	assert_non_null(stay);
	for (size_t i = 0; i < c->t.n; i += 2) {
		stay[n] = c->t.route[i];
		stay[n++].value = (uint32_t)(1 + i);
	}
	in = sweep(stay, n);
	for (size_t i = 0; i < ADDRESSES; i++) {
		size_t any = random64() % in.n;

		c->addr[i] = interval_any(&in, any) & mask(c->t.bits);
		c->routed[i] = in.v[any].value != FIB_NONE;
		c->stays[i] = in.v[any].value - c->routed[i];
	}
	free(in.v);
	free(stay);
}

static bool is_right(const struct churn *c, size_t i, uint32_t value)
{
	size_t answer = (value - 1) / 2;
	const struct route *r = &c->t.route[answer];

	if (value == FIB_NONE)
		return !c->routed[i];
	if (answer >= c->t.n || (c->addr[i] & mask(r->len)) != r->first)
		return false;
	return !c->routed[i] || answer == c->stays[i] ||
	       (answer % 2 && r->len > c->t.route[c->stays[i]].len);
}

static void look_up(const struct churn *c, size_t first, uint32_t value[64])
{
	const struct in6_addr *ptr[64];
	struct in6_addr v6[64];
	uint32_t v4[64];

	for (size_t i = 0; i < 64; i++) {
		v4[i] = htonl((uint32_t)(c->addr[first + i] >> 96));
		to_bytes(c->addr[first + i], v6[i].s6_addr);
		ptr[i] = &v6[i];
	}
	if (c->t.family == AF_INET)
		fib4_lookup_burst(c->t.fib, v4, value, 64);
	else
		fib6_lookup_burst(c->t.fib, ptr, value, 64);
}

static void *checker(void *arg)
{
	struct churn *c = arg;
	size_t next = HOT;

	for (unsigned turn = 0; !__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE); turn++) {
		size_t first = turn % 2 ? 0 : next;
		uint32_t value[64];

		look_up(c, first, value);
		for (size_t i = 0; i < 64; i++)
			c->wrong += !is_right(c, first + i, value[i]);
		c->checked += 64;
		if (turn % 2)
			next = next + 64 < ADDRESSES ? next + 64 : HOT;
		__atomic_fetch_add(&c->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Returns whether there was so much to give back that it waited for the reader. */
static bool reclaim(struct churn *c)
{
	uint64_t from = __atomic_load_n(&c->rounds, __ATOMIC_ACQUIRE);

	if (fib_pool_retired(c->t.pool) < RETIRED_MAX)
		return false;
	while (__atomic_load_n(&c->rounds, __ATOMIC_ACQUIRE) < from + 2)
		sched_yield();
	fib_pool_reclaim(c->t.pool);
	return true;
}

/* The oracle's values belong to this thread; the checking one reads only where a route is. */
static void change(struct churn *c)
{
	size_t pick = random64() % (2 * HOT), i = random64() % c->t.n;
	struct route *r;

	if (pick < HOT && c->routed[pick])
		i = c->stays[pick];
	r = &c->t.route[i];
	if (i % 2 && r->value && random64() % 2)
		del_route(&c->t, r);
	else
		set_route(&c->t, r, value_of(i, (unsigned)(random64() % 2)));
}

static void load(struct churn *c)
{
	for (size_t i = 0; i < c->t.n; i++) {
		uint32_t value = i % 4 == 3 ? FIB_NONE : value_of(i, 0);

		c->t.route[i].value = value;
		if (value)
			set_route(&c->t, &c->t.route[i], value);
		if (fib_pool_retired(c->t.pool) > 4 << 20)
			fib_pool_reclaim(c->t.pool);
	}
	fib_pool_reclaim(c->t.pool);
}

static void churn(int family)
{
	size_t updates = from_environment("FIB_UPDATES", 200000), waits = 0;
	struct churn *c = calloc(1, sizeof(*c));
	pthread_t thread;

	assert_non_null(c);
	full_table(&c->t, family, POOL_BYTES);
	pick_addresses(c);
	load(c);
	assert_int_equal(pthread_create(&thread, NULL, checker, c), 0);
	for (size_t i = 0; i < updates; i++) {
		change(c);
		waits += reclaim(c);
	}
	while (__atomic_load_n(&c->rounds, __ATOMIC_ACQUIRE) < 2 * ADDRESSES / 64)
		sched_yield();
	__atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	print_message("%zu updates, %zu grace periods, %lu answers checked\n", updates, waits,
		      (unsigned long)c->checked);
	assert_int_equal(c->wrong, 0);
	assert_true(waits <= updates / 250);
	for (size_t i = 0; i < c->t.n; i++)
		assert_int_equal(table_get(&c->t, c->t.route[i].first, c->t.route[i].len),
				 c->t.route[i].value);
	table_close(&c->t);
	free(c);
}

static void test_churn_ip4(void **state)
{
	(void)state;
	churn(AF_INET);
}

static void test_churn_ip6(void **state)
{
	(void)state;
	churn(AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_churn_ip4),
		cmocka_unit_test(test_churn_ip6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
