// SPDX-License-Identifier: GPL-2.0-or-later
/* Policers: exact edges of buckets, RFC 2697 and RFC 2698 against a model, names. S16. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "router/lib/clock.h"
#include "router/net/qdisc/police.h"

#define GREEN  POLICE_GREEN
#define YELLOW POLICE_YELLOW
#define RED    POLICE_RED

static struct policers *all;

static int setup(void **state)
{
	(void)state;
	if (policers_create(&all))
		return -1;
	policers_build_begin(all);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	policers_destroy(all);
	return 0;
}

static struct policer *get(const struct conf_police *c)
{
	struct policer *p = NULL;

	assert_int_equal(police_get(all, "here", c, &p), 0);
	return p;
}

static enum police_colour at(struct policer *p, uint64_t now, uint32_t len)
{
	return police_packet(p, len, GREEN, now, false);
}

/* ---- one rate */

/* 1000 bytes a second are a byte each millisecond: neither a nanosecond early nor late. */
static void test_edges(void **state)
{
	struct policer *p = get(&(struct conf_police){ .rate = 1000, .burst = 1500 });
	uint64_t t = 5 * NSEC_PER_SEC;

	(void)state;
	assert_int_equal(at(p, t, 1501), YELLOW); /* longer than the bucket: never */
	assert_int_equal(at(p, t, 1500), GREEN);  /* full at the beginning */
	assert_int_equal(at(p, t, 1), YELLOW);
	assert_int_equal(at(p, t + NSEC_PER_MSEC - 1, 1), YELLOW);
	assert_int_equal(at(p, t + NSEC_PER_MSEC, 1), GREEN);
	assert_int_equal(at(p, t + NSEC_PER_MSEC, 0), YELLOW); /* counts as a byte */
	assert_int_equal(at(p, t + 101 * NSEC_PER_MSEC - 1, 100), YELLOW);
	assert_int_equal(at(p, t + 101 * NSEC_PER_MSEC, 100), GREEN);
	assert_int_equal(at(p, t, 1), YELLOW); /* another worker's clock is behind */
	assert_int_equal(at(p, t + 3600 * NSEC_PER_SEC, 1500), GREEN);
	assert_int_equal(at(p, t + 3600 * NSEC_PER_SEC, 1), YELLOW);
}

/* Rates that do not divide a nanosecond lose nothing, however often somebody asks. */
static void test_nothing_is_rounded(void **state)
{
	struct policer *p = get(&(struct conf_police){ .rate = 1250007, .burst = 10000 });
	uint64_t t = NSEC_PER_SEC, passed = 0;

	(void)state;
	at(p, t, 10000);
	while (t < 11 * NSEC_PER_SEC) {
		t += 777;
		while (at(p, t, 10) == GREEN)
			passed += 10;
	}
	assert_in_range(passed, 12500070 - 10, 12500070 + 1);
}

/* Buckets with the largest numbers there may be. */
static void test_limits(void **state)
{
	struct policer *p = get(&(struct conf_police){ .rate = UINT64_MAX, .burst = UINT32_MAX });

	(void)state;
	assert_int_equal(at(p, 1, UINT32_MAX), GREEN);
	assert_int_equal(at(p, 1, 1), YELLOW);
	assert_int_equal(at(p, UINT64_MAX, UINT32_MAX), GREEN);
}

/* tc_police.sh: 10 Mbit, burst 16k, offered twice as much. */
static void test_rate(void **state)
{
	struct policer *p = get(&(struct conf_police){ .rate = 1250000, .burst = 16384 });
	uint64_t passed = 0;

	(void)state;
	for (uint64_t t = NSEC_PER_SEC; t < 11 * NSEC_PER_SEC; t += 600000)
		passed += at(p, t, 1500) == GREEN ? 1500 : 0;
	assert_in_range(passed, 12500000 * 0.9, 12500000 * 1.1);
}

/* tc_police.sh: 2000 packets a second, burst 400, offered 5000, of any size. */
static void test_packets(void **state)
{
	struct policer *p = get(&(struct conf_police){ .packet_rate = 2000, .packet_burst = 400 });
	unsigned passed = 0;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(at(p, NSEC_PER_SEC, 60 + i), GREEN);
	assert_int_equal(at(p, NSEC_PER_SEC, 60), YELLOW);
	for (uint64_t t = NSEC_PER_SEC; t <= 11 * NSEC_PER_SEC; t += 200000)
		passed += at(p, t, 1 + (uint32_t)(t % 9000)) == GREEN;
	assert_int_equal(passed, 20000);
}

/* tc_police.sh: of 13 packets 10 are over the mtu. Without a rate all others are green. */
static void test_mtu(void **state)
{
	struct policer *p = get(&(struct conf_police){ .mtu = 1042 });
	unsigned over = 0;

	(void)state;
	for (unsigned i = 0; i < 13; i++)
		over += at(p, i, i < 10 ? 1043 : 1042) == YELLOW;
	assert_int_equal(over, 10);
	policers_build_begin(all);
	p = get(&(struct conf_police){ .mtu = 100, .rate = 1, .burst = 1000, .excess = 1000 });
	assert_int_equal(at(p, 1, 101), RED);
	assert_int_equal(at(p, 1, 100), GREEN);
}

/* tc's second bucket: of one mtu, and nothing is taken unless both have enough. */
static void test_peakrate(void **state)
{
	struct policer *p = get(&(struct conf_police){
		.rate = 1000, .burst = 3000, .peakrate = 2000, .mtu = 1500 });
	uint64_t t = NSEC_PER_SEC;

	(void)state;
	assert_int_equal(at(p, t, 1500), GREEN);
	assert_int_equal(at(p, t, 1500), YELLOW); /* peak */
	assert_int_equal(at(p, t + 750 * NSEC_PER_MSEC - 1, 1500), YELLOW);
	assert_int_equal(at(p, t + 750 * NSEC_PER_MSEC, 1500), GREEN);
	assert_int_equal(at(p, t + 1500 * NSEC_PER_MSEC, 1501), YELLOW); /* mtu */
	assert_int_equal(at(p, t + 1500 * NSEC_PER_MSEC, 1500), GREEN);	 /* all 4500 gone */
	assert_int_equal(at(p, t + 2250 * NSEC_PER_MSEC, 751), YELLOW);
	assert_int_equal(at(p, t + 2250 * NSEC_PER_MSEC, 750), GREEN);
}

/* What a packet is taken to be, as everywhere in shaping. */
static void test_size(void **state)
{
	struct conf_police c = { .rate = 1, .burst = 530 };
	struct policer *p;

	(void)state;
	c.size.linklayer = CONF_LINKLAYER_ATM;
	c.size.overhead = 8;
	p = get(&c); /* 41 + 8 bytes are two cells */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(at(p, 1, 41), GREEN);
	assert_int_equal(at(p, 1, 1), YELLOW);
}

/* ---- three colours, against the RFCs in whole bytes */

/* A clock that ticks as often as the rates bring a byte: 1 ms at 1000 bytes a second. */
struct model {
	bool two_rates, aware;
	uint64_t cir, cbs, pir, second; /* bytes a tick; EBS or PBS */
	uint64_t tc, t2;
};

static void tick(struct model *m)
{
	if (m->two_rates) {
		m->tc = m->tc + m->cir < m->cbs ? m->tc + m->cir : m->cbs;
		m->t2 = m->t2 + m->pir < m->second ? m->t2 + m->pir : m->second;
		return;
	}
	for (uint64_t i = 0; i < m->cir; i++) /* RFC 2697 3: one by one */
		if (m->tc < m->cbs)
			m->tc++;
		else if (m->t2 < m->second)
			m->t2++;
}

static enum police_colour marked(struct model *m, uint64_t b, enum police_colour before)
{
	if (!m->aware)
		before = GREEN;
	if (m->two_rates) { /* RFC 2698 3 */
		if (before == RED || m->t2 < b)
			return RED;
		if (before == YELLOW || m->tc < b) {
			m->t2 -= b;
			return YELLOW;
		}
		m->t2 -= b;
		m->tc -= b;
		return GREEN;
	}
	if (before == GREEN && m->tc >= b) {
		m->tc -= b;
		return GREEN;
	}
	if ((before == GREEN || before == YELLOW) && m->t2 >= b) {
		m->t2 -= b;
		return YELLOW;
	}
	return RED;
}

/* Every sequence of n packets of these sizes, colours and pauses. */
static void compare(struct model m, unsigned n)
{
	static const uint32_t size[] = { 1, 3, 5 };
	static const unsigned pause[] = { 0, 1, 4 };
	unsigned sequences = 1;

	for (unsigned i = 0; i < n; i++)
		sequences *= 27;
	for (unsigned s = 0; s < sequences; s++) {
		struct conf_police c = { .rate = m.cir * 1000,
					 .burst = m.cbs,
					 .color_aware = m.aware };
		struct model is = m;
		struct policer *p;
		uint64_t now = NSEC_PER_SEC;

		if (m.two_rates) {
			c.peakrate = m.pir * 1000;
			c.peakburst = m.second;
		} else {
			c.excess = m.second;
		}
		teardown(NULL);
		setup(NULL); /* full buckets */
		is.tc = m.cbs;
		is.t2 = m.second;
		p = get(&c);
		for (unsigned i = 0, rest = s; i < n; i++, rest /= 27) {
			uint32_t len = size[rest % 3];
			enum police_colour before = (enum police_colour)(rest / 3 % 3);

			for (unsigned k = 0; k < pause[rest / 9 % 3]; k++) {
				tick(&is);
				now += NSEC_PER_MSEC;
			}
			assert_int_equal(police_packet(p, len, before, now, false),
					 marked(&is, len, before));
		}
	}
}

static void test_srtcm(void **state)
{
	(void)state;
	for (unsigned aware = 0; aware < 2; aware++) {
		compare((struct model){ .aware = aware, .cir = 1, .cbs = 5, .second = 6 }, 3);
		compare((struct model){ .aware = aware, .cir = 2, .cbs = 0, .second = 4 }, 3);
	}
}

static void test_trtcm(void **state)
{
	(void)state;
	for (unsigned aware = 0; aware < 2; aware++) {
		compare((struct model){ true, aware, 1, 5, 2, 7, 0, 0 }, 3);
		compare((struct model){ true, aware, 2, 6, 2, 6, 0, 0 }, 3);
	}
}

/* A long time at random. */
static void test_long(void **state)
{
	struct model models[] = {
		{ false, true, 3, 500, 0, 700, 500, 700 },
		{ true, true, 3, 500, 5, 700, 500, 700 },
		{ true, false, 3, 500, 5, 700, 500, 700 },
	};

	uint64_t now = NSEC_PER_SEC;

	(void)state;
	srand(1);
	for (unsigned k = 0; k < 3; k++) {
		struct model *m = &models[k];
		struct policer *p;

		policers_build_begin(all);
		p = get(&(struct conf_police){
			.rate = 3000,
			.burst = 500,
			.peakrate = m->two_rates ? 5000 : 0,
			.peakburst = m->two_rates ? 700 : 0,
			.excess = m->two_rates ? 0 : 700,
			.color_aware = m->aware,
		});
		for (unsigned i = 0; i < 200000; i++) {
			uint32_t len = 1 + (uint32_t)rand() % 300;
			enum police_colour before = (enum police_colour)(rand() % 3);

			for (int n = rand() % 60; n; n--) {
				now += NSEC_PER_MSEC;
				tick(m);
			}
			police_packet(p, len, before, now, true); /* looks, takes nothing */
			assert_int_equal(police_packet(p, len, before, now, false),
					 marked(m, len, before));
		}
	}
}

/* ---- names */

static void test_names(void **state)
{
	struct conf_police c = { .name = "guests", .rate = 1000, .burst = 100 };
	struct policer *a, *b, *other;
	struct police_info info;

	(void)state;
	assert_int_equal(police_get(all, "qos.wan0", &c, &a), 0);
	c.exceed = CONF_CONFORM_RECLASSIFY; /* what becomes of the colours is the filter's */
	assert_int_equal(police_get(all, "qos.lan0", &c, &b), 0);
	assert_ptr_equal(a, b);
	at(a, 1, 100);
	assert_int_equal(at(b, 1, 1), YELLOW);
	police_info(a, &info);
	assert_string_equal(info.name, "guests");
	assert_true(info.shared);
	assert_int_equal(info.packets[GREEN], 1);
	assert_int_equal(info.bytes[GREEN], 100);
	assert_int_equal(info.packets[YELLOW], 1);
	c.rate = 2000;
	assert_int_equal(police_get(all, "qos.lan0", &c, &b), -EEXIST);
	c.name[0] = '\0'; /* by its place, which may be called like another's name */
	assert_int_equal(police_get(all, "guests", &c, &other), 0);
	assert_ptr_not_equal(other, a);
	assert_ptr_equal(police_at(all, 0), a);
	assert_ptr_equal(police_at(all, 1), other);
	assert_null(police_at(all, 2));
}

/* A reload that says the same goes on with the same tokens; other rates are another policer. */
static void test_reload(void **state)
{
	struct conf_police c = { .rate = 1000, .burst = 100 };
	struct policer *a = get(&c), *b;
	struct police_info info;

	(void)state;
	at(a, 1, 100);
	policers_build_begin(all);
	b = get(&c);
	policers_sweep(all);
	assert_ptr_equal(a, b);
	assert_int_equal(at(b, 1, 1), YELLOW);
	policers_build_begin(all);
	c.burst = 101;
	b = get(&c);
	assert_ptr_not_equal(a, b);
	policers_sweep(all);
	assert_ptr_equal(police_at(all, 0), b);
	assert_null(police_at(all, 1));
	assert_int_equal(at(b, 1, 101), GREEN);
	police_info(b, &info);
	assert_int_equal(info.packets[GREEN], 1);
}

/* Workers that share one take each token once. */
static pthread_barrier_t both;

static void *take_all(void *arg)
{
	uintptr_t taken = 0;

	pthread_barrier_wait(&both);
	for (unsigned i = 0; i < 3000000; i++)
		taken += at(arg, 1, 1) == GREEN;
	return (void *)taken;
}

static void test_threads(void **state)
{
	struct policer *p = get(&(struct conf_police){ .rate = 1, .burst = 4000000 });
	struct police_info info;
	pthread_t thread[2];
	uintptr_t taken = 0;

	(void)state;
	pthread_barrier_init(&both, NULL, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_all, p), 0);
	for (unsigned i = 0; i < 2; i++) {
		void *of;

		pthread_join(thread[i], &of);
		taken += (uintptr_t)of;
	}
	pthread_barrier_destroy(&both);
	police_info(p, &info);
	assert_int_equal(taken, 4000000);
	assert_int_equal(info.packets[GREEN], 4000000);
	assert_int_equal(info.packets[YELLOW], 2000000);
}

static void test_refused(void **state)
{
	static const struct conf_police bad[] = {
		{ .rate = 1 },
		{ .packet_rate = 1 },
		{ .rate = 1, .burst = 1ull << 32 },
		{ .rate = 1, .burst = 1, .excess = 1ull << 32 },
		{ .burst = 1, .excess = 1 },
		{ .peakrate = 1, .peakburst = 1 },
		{ .peakrate = 1, .mtu = 1500 },
	};
	struct policer *p;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(police_get(all, "here", &bad[i], &p), -EINVAL);
	assert_null(police_at(all, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_edges),    TEST(test_nothing_is_rounded),
		TEST(test_limits),   TEST(test_rate),
		TEST(test_packets),  TEST(test_mtu),
		TEST(test_peakrate), TEST(test_size),
		TEST(test_srtcm),    TEST(test_trtcm),
		TEST(test_long),     TEST(test_names),
		TEST(test_reload),   TEST(test_threads),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
