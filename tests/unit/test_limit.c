/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates to the packet by a manual clock, sources that are many, connections that are exact, and
 * what a new configuration keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "router/net/limit_internal.h"
#include "tests/random.h"

#define SECONDS NSEC_PER_SEC

static struct flow_key from4(uint32_t src)
{
	struct flow_key k = { .family = AF_INET, .proto = 17 };

	memcpy(k.src, &src, sizeof(src));
	return k;
}

static struct flow_key from6(uint64_t net, uint64_t host)
{
	struct flow_key k = { .family = AF_INET6, .proto = 17 };

	memcpy(k.src, &net, sizeof(net));
	memcpy(k.src + 8, &host, sizeof(host));
	return k;
}

static struct limits *limits_of(void)
{
	struct limits *l;

	assert_int_equal(limits_create(&l), 0);
	limits_build_begin(l);
	return l;
}

static uint16_t rate_of(struct limits *l, const char *name, uint32_t count, uint32_t period_ms,
			uint32_t burst, enum conf_per per)
{
	struct conf_rate r = { .used = true,
			       .over = true,
			       .count = count,
			       .period_ms = period_ms,
			       .burst = burst,
			       .per = per };
	uint16_t number = limit_rate(l, name, &r);

	assert_int_not_equal(number, 0);
	return number;
}

/* ---- rates */

/* The same by plain arithmetic: a level of count * ns, of which a packet takes a period's worth. */
struct oracle {
	uint64_t count, period;
	unsigned __int128 level, full;
	uint64_t last;
};

static bool oracle_within(struct oracle *o, uint64_t now)
{
	o->level += (unsigned __int128)(now - o->last) * o->count;
	o->last = now;
	if (o->level > o->full)
		o->level = o->full;
	if (o->level < o->period)
		return false;
	o->level -= o->period;
	return true;
}

/* A million packets: each judged as by plain arithmetic. At even distances, faster than the rate,
 * as many pass as the burst and what the time brought, to the packet. */
static uint64_t judge(struct limits *l, uint16_t n, struct oracle *o, uint64_t step, bool jitter)
{
	uint64_t start = 1ull << 40, now = start, passed = 0;
	struct flow_key k = from4(1);

	o->level = o->full;
	o->last = start;
	for (unsigned p = 0; p < 1000000; p++) {
		bool within = limit_within(l, n, &k, now);

		assert_int_equal(within, oracle_within(o, now));
		passed += within;
		now += jitter ? random64() % (2 * step) : step;
	}
	if (!jitter) {
		unsigned __int128 want = (unsigned __int128)(now - step - start) * o->count;

		want = (want + o->full) / o->period;
		assert_in_range(passed, want - 1, want + 1);
	}
	return passed;
}

static void test_rate_is_exact(void **state)
{
	static const struct {
		uint32_t count, period_ms, burst;
		uint64_t step; /* ns between packets, less than a token takes */
	} rows[] = {
		{ 50, 1000, 100, 1000003 },
		{ 7, 1000, 7, 1000000 },
		{ 999983, 1000, 5, 500 },
		{ 3, 60000, 5, 700000001 },
		{ 1, 3600000, 1, 10 * SECONDS },
		{ 10, 86400000, 10, 3600 * SECONDS / 7 },
		{ 1, 86400000, 1, 60 * SECONDS },
		{ 4294967291u, 86400000, 500000, 10000 },
		{ 4294967291u, 4294967295u, 2, 900000 },
	};
	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct limits *l = limits_of();
		uint16_t n = rate_of(l, "r", rows[i / 2].count, rows[i / 2].period_ms,
				     rows[i / 2].burst, CONF_PER_RULE);
		struct oracle o = { .count = rows[i / 2].count,
				    .period = rows[i / 2].period_ms * NSEC_PER_MSEC };

		o.full = (unsigned __int128)rows[i / 2].burst * o.period;
		assert_true(judge(l, n, &o, rows[i / 2].step, i % 2) < 1000000);
		limits_destroy(l);
	}
}

/* What is asked before each packet is what it then gets, and asking costs no token. */
static void test_would(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = rate_of(l, "r", 3, 1000, 4, CONF_PER_SOURCE);
	uint64_t now = 1ull << 40;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct flow_key k = from4((uint32_t)(random64() % 3));
		bool would = limit_would(l, n, &k, now);

		for (unsigned again = 0; again < 5; again++)
			assert_int_equal(limit_would(l, n, &k, now), would);
		assert_int_equal(limit_within(l, n, &k, now), would);
		now += random64() % (SECONDS / 4);
	}
	assert_true(limit_would(l, n + 1, &(struct flow_key){ 0 }, now)); /* there is none */
	limits_destroy(l);
}

/* Nothing overflows after a pause of any length, and no more than the burst was saved. */
static void test_long_pause(void **state)
{
	static const uint64_t pauses[] = { 0, 86400 * SECONDS, 365 * 86400 * SECONDS, 1ull << 62,
					   (1ull << 63) - 1 };
	static const uint32_t counts[] = { 1, 7, UINT32_MAX };
	(void)state;
	for (unsigned c = 0; c < 3; c++)
		for (unsigned i = 0; i < 5; i++) {
			struct limits *l = limits_of();
			uint16_t n = rate_of(l, "r", counts[c], 86400000, 20, CONF_PER_SOURCE);
			struct flow_key k = from4(1);
			unsigned passed = 0, first = 0;

			for (unsigned p = 0; p < 100; p++)
				first += limit_within(l, n, &k, 1);
			for (unsigned p = 0; p < 100; p++)
				passed += limit_within(l, n, &k, 1 + pauses[i]);
			assert_int_equal(first, 20);
			assert_int_equal(passed, pauses[i] == 0		    ? 0
						 : i == 1 && counts[c] < 20 ? counts[c]
									    : 20);
			limits_destroy(l);
		}
}

/* Another worker's time that lies behind brings nothing and takes nothing back. */
static void test_time_goes_back(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = rate_of(l, "r", 1, 1000, 1, CONF_PER_RULE);
	struct flow_key k = from4(1);

	(void)state;
	assert_true(limit_within(l, n, &k, 10 * SECONDS));
	assert_false(limit_within(l, n, &k, 2 * SECONDS));
	assert_false(limit_within(l, n, &k, 11 * SECONDS - 1));
	assert_true(limit_within(l, n, &k, 11 * SECONDS));
	limits_destroy(l);
}

static void test_burst_by_default(void **state)
{
	struct limits *l = limits_of();
	uint16_t few = rate_of(l, "few", 1, 1000, 0, CONF_PER_RULE);
	uint16_t many = rate_of(l, "many", 50, 1000, 0, CONF_PER_RULE);
	struct flow_key k = from4(1);
	unsigned passed = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		passed += limit_within(l, few, &k, SECONDS);
	assert_int_equal(passed, 5);
	for (unsigned i = 0; i < 100; i++)
		passed += limit_within(l, many, &k, SECONDS);
	assert_int_equal(passed, 55);
	limits_destroy(l);
}

static unsigned spend(struct limits *l, uint16_t n, struct flow_key k)
{
	unsigned passed = 0;

	while (passed < 1000 && limit_within(l, n, &k, SECONDS))
		passed++;
	return passed;
}

/* Each has a bucket of its own: an IPv6 /64 one, and each zone; by destination each address. */
static void test_per_source(void **state)
{
	struct limits *l = limits_of();
	uint16_t src = rate_of(l, "s", 1, 1000, 10, CONF_PER_SOURCE);
	uint16_t dst = rate_of(l, "d", 1, 1000, 10, CONF_PER_DESTINATION);
	struct flow_key k = from4(1), d6;

	(void)state;
	assert_int_equal(spend(l, src, from4(1)), 10);
	assert_int_equal(spend(l, src, from4(1)), 0);
	assert_int_equal(spend(l, src, from4(2)), 10);
	k.zone = 7;
	assert_int_equal(spend(l, src, k), 10);
	assert_int_equal(spend(l, src, from6(1, 1)), 10); /* not 0.0.0.1's, either */
	assert_int_equal(spend(l, src, from6(1, 2)), 0);
	assert_int_equal(spend(l, src, from6(2, 1)), 10);

	assert_int_equal(spend(l, dst, from4(1)), 10);
	assert_int_equal(spend(l, dst, from4(2)), 0); /* to the same place */
	d6 = from6(0, 0);
	d6.dst[15] = 1;
	assert_int_equal(spend(l, dst, d6), 10);
	d6.dst[15] = 2;
	assert_int_equal(spend(l, dst, d6), 10);
	limits_destroy(l);
}

/* ---- a full table, and an enemy */

/* Who is refused stays refused while fewer sources come by than there is room for; and among
 * many more it is the longest idle that is forgotten. */
static void test_many_sources(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = rate_of(l, "s", 1, 86400000, 1, CONF_PER_SOURCE);
	unsigned again = 0;
	uint64_t now = SECONDS;
	struct flow_key k;

	(void)state;
	for (uint32_t i = 1; i <= 16384; i++) {
		k = from4(i);
		assert_true(limit_within(l, n, &k, now++));
	}
	for (uint32_t i = 1; i <= 16384; i++) {
		k = from4(i);
		again += limit_within(l, n, &k, now++);
	}
	assert_true(again < 150); /* 2 in a group of 8, on average; 9 in one of 5000 */
	k = from4(1);
	for (uint32_t i = 0; i < 1000000; i++) { /* a scan of the world; one comes every 1000 */
		struct flow_key other = from4(0x80000000u | i);

		if (i % 1000 == 0)
			assert_false(limit_within(l, n, &k, now++));
		limit_within(l, n, &other, now++);
	}
	limits_destroy(l);
}

/* 32 k destinations that all have one hash_bytes() lie as evenly as any: hardly one pushes out
 * another.
 */
static void test_collisions(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = rate_of(l, "d", 1, 86400000, 1, CONF_PER_DESTINATION);
	const struct limit *at = l->limit[n];
	unsigned full = 0, used = 0;
	uint32_t hash = 0;

	(void)state;
	for (uint32_t i = 0; i < 32768; i++) {
		uint64_t first = random64(), h = 16 * 0x9e3779b97f4a7c15ull, second;
		struct flow_key k = { .family = AF_INET6 };

		h = (h ^ first) * 0xff51afd7ed558ccdull;
		second = h ^ h >> 32 ^ 0x1234567;
		memcpy(k.dst, &first, 8);
		memcpy(k.dst + 8, &second, 8);
		if (!i)
			hash = hash_bytes(k.dst, 16, 0);
		assert_int_equal(hash_bytes(k.dst, 16, 0), hash);
		limit_within(l, n, &k, SECONDS + i);
	}
	for (unsigned g = 0; g < LIMIT_GROUPS; g++) {
		unsigned in = 0;

		for (unsigned i = 0; i < LIMIT_WAYS; i++)
			in += at->group[g].bucket[i].who.tag != 0;
		used += in;
		full += in == LIMIT_WAYS;
	}
	assert_true(used > 32768 - 500); /* 4 on average; 5 % of groups have 8 or more */
	assert_in_range(full, 200, 700);
	limits_destroy(l);
}

/* ---- connections */

static void test_connections(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = limit_connections(l, "c", 3), other = limit_connections(l, "d", 3);
	struct flow_key k = from4(1), six = from6(1, 1), same = from6(1, 2), next = from6(2, 1);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_false(limit_connections_over(l, n, &k)); /* this one included: 1, 2, 3 */
		limit_count(l, n, &k);
	}
	assert_true(limit_connections_over(l, n, &k));
	assert_false(limit_connections_over(l, other, &k));
	k.src[3] = 1;
	assert_false(limit_connections_over(l, n, &k));
	k.src[3] = 0;
	limit_uncount(l, n, &k);
	assert_false(limit_connections_over(l, n, &k));
	limit_uncount(l, n, &k);
	limit_uncount(l, n, &k);
	limit_uncount(l, n, &k); /* one too many: nothing */
	assert_int_equal(l->limit[n]->live, 0);

	for (unsigned i = 0; i < 3; i++)
		limit_count(l, n, i % 2 ? &six : &same);
	assert_true(limit_connections_over(l, n, &six));
	assert_false(limit_connections_over(l, n, &next));
	limits_destroy(l);
}

/* Entries vanish: the memory of a million sources that came and went is that of a few. */
static void test_connections_vanish(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = limit_connections(l, "c", 1);

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct flow_key k = from4(i), before = from4(i - 100);

		limit_count(l, n, &k);
		if (i >= 100) {
			assert_true(limit_connections_over(l, n, &before));
			limit_uncount(l, n, &before);
			assert_false(limit_connections_over(l, n, &before));
		}
	}
	assert_int_equal(l->limit[n]->live, 100);
	assert_true(l->counts.used <= 101);
	limits_destroy(l);
}

struct crowd {
	struct limits *l;
	uint16_t rate, connections;
	uint64_t passed;
};

static void *crowd(void *arg)
{
	struct crowd *c = arg;

	for (unsigned i = 0; i < 100000; i++) {
		struct flow_key k = from4(i % 16);

		c->passed += limit_within(c->l, c->rate, &k, SECONDS);
		limit_count(c->l, c->connections, &k);
		assert_true(limit_connections_over(c->l, c->connections, &k));
		limit_uncount(c->l, c->connections, &k);
	}
	return NULL;
}

/* Four workers, and not one token or connection too many or too few. */
static void test_threads(void **state)
{
	struct limits *l = limits_of();
	struct crowd c[4];
	pthread_t thread[4];
	uint64_t passed = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct crowd){ .l = l,
				       .rate = rate_of(l, "r", 1, 1000, 1000, CONF_PER_SOURCE),
				       .connections = limit_connections(l, "c", 1) };
		assert_int_equal(pthread_create(&thread[i], NULL, crowd, &c[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		passed += c[i].passed;
	}
	assert_int_equal(passed, 16 * 1000);
	assert_int_equal(l->limit[c[0].connections]->live, 0);
	limits_destroy(l);
}

/* ---- configurations */

static void test_carry_over(void **state)
{
	struct limits *l = limits_of();
	uint16_t n = rate_of(l, "r", 1, 1000, 10, CONF_PER_SOURCE);
	uint16_t gone = rate_of(l, "gone", 1, 1000, 10, CONF_PER_SOURCE), c, back;
	struct flow_key k = from4(1);

	(void)state;
	limits_sweep(l);
	assert_int_equal(spend(l, n, k), 10);
	c = limit_connections(l, "c", 1);
	limit_count(l, c, &k);

	limits_build_begin(l); /* the same, but for what went */
	assert_int_equal(rate_of(l, "r", 1, 1000, 10, CONF_PER_SOURCE), n);
	limits_sweep(l);
	assert_int_equal(spend(l, n, k), 0);
	assert_true(limit_within(l, gone, &k, SECONDS)); /* what nobody asks for lets by */
	assert_null(l->limit[gone]);

	/* connections still count against what no rule asks about, and it comes back with them */
	assert_true(limit_connections_over(l, c, &k));
	limits_build_begin(l);
	assert_int_equal(rate_of(l, "r", 1, 1000, 11, CONF_PER_SOURCE) == n, 0); /* other values */
	back = limit_connections(l, "c", 1);
	limits_sweep(l);
	assert_int_equal(back, c);
	assert_true(limit_connections_over(l, back, &k));

	limits_build_begin(l);
	limits_sweep(l);
	limit_uncount(l, c, &k);
	assert_non_null(l->limit[c]);
	limits_sweep(l);
	assert_null(l->limit[c]);
	limit_count(l, c, &k); /* harmless */
	limits_destroy(l);
}

static void test_numbers_run_out(void **state)
{
	struct limits *l = limits_of();
	char name[32];

	(void)state;
	for (unsigned i = 0; i < LIMITS_MAX; i++) {
		snprintf(name, sizeof(name), "rule %u", i);
		assert_int_not_equal(limit_connections(l, name, 5), 0);
	}
	assert_int_equal(limit_connections(l, "one more", 5), 0);
	assert_int_not_equal(limit_connections(l, "rule 7", 5), 0);
	assert_int_equal(limit_rate(l, "no rate", &(struct conf_rate){ 0 }), 0);
	limits_build_begin(l);
	limits_sweep(l);
	assert_int_not_equal(limit_connections(l, "one more", 5), 0);
	limits_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_is_exact),
		cmocka_unit_test(test_long_pause),
		cmocka_unit_test(test_time_goes_back),
		cmocka_unit_test(test_burst_by_default),
		cmocka_unit_test(test_per_source),
		cmocka_unit_test(test_many_sources),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_connections_vanish),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_carry_over),
		cmocka_unit_test(test_numbers_run_out),
		cmocka_unit_test(test_would),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
