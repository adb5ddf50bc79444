// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netem: how often things happen, over many packets (S14). Seeds are fixed, so that a run that
 * passes always does; bounds are those of 99 % of all seeds, or the requirement's.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "router/net/qdisc/netem.h"
#include "tests/unit/qdisc_books.h"

#define MS	 NSEC_PER_MSEC
#define NEVER	 UINT32_MAX /* the packet did not arrive */
#define Z99	 2.576
#define SHARE(x) ((uint32_t)((x)*4294967295.0))

/* What became of packet i: its delay in ns, and how often it arrived. */
struct run {
	unsigned n;
	uint32_t *delay;
	uint8_t *times;
	unsigned overtaken; /* packets that left behind one that was sent later */
};

static struct conf_netem plain(void)
{
	return (struct conf_netem){ .limit = LAB_FRAMES, .seed = 20240601 };
}

static void take_all(struct lab *l, struct run *r, uint32_t *newest)
{
	const struct qpkt *p;

	while ((p = lab_take(l))) {
		uint32_t serial = lab_serial(l, p);

		r->delay[serial - 1] = (uint32_t)(l->now - p->enqueued);
		r->times[serial - 1]++;
		if (serial < *newest)
			r->overtaken++;
		else
			*newest = serial;
	}
}

/* n packets, one each `spacing` ns. */
static struct run run(const struct conf_netem *netem, unsigned n, uint64_t spacing)
{
	struct conf_qdisc q = { .handle = CONF_HANDLE(1, 0),
				.parent = CONF_ROOT,
				.kind = CONF_QDISC_NETEM,
				.netem = *netem };
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct run r = { .n = n, .delay = malloc(n * 4), .times = calloc(n, 1) };
	uint64_t next, wake;
	uint32_t newest = 0;
	struct lab l;

	assert_true(r.delay && r.times);
	memset(r.delay, 0xff, n * 4);
	lab_open(&l, &c, 0);
	next = l.now;
	do {
		take_all(&l, &r, &newest);
		wake = l.t->wake;
		lab_at(&l, l.serial < n && next < wake ? next : wake);
		if (l.serial < n && l.now == next) {
			lab_send(&l, 100, 0, 0);
			next += spacing;
		}
	} while (l.t->root->qlen || l.serial < n);
	lab_close(&l);
	return r;
}

static void run_free(struct run *r)
{
	free(r->delay);
	free(r->times);
}

static unsigned lost(const struct run *r)
{
	unsigned k = 0;

	for (unsigned i = 0; i < r->n; i++)
		k += !r->times[i];
	return k;
}

struct moments {
	double mean, deviation, skew;
	double correlation; /* of successive ones */
};

/* In ms. */
static struct moments moments(const struct run *r)
{
	struct moments m = { 0 };
	double before = 0;

	for (unsigned i = 0; i < r->n; i++)
		m.mean += r->delay[i] / 1e6 / r->n;
	for (unsigned i = 0; i < r->n; i++) {
		double off = r->delay[i] / 1e6 - m.mean;

		m.deviation += off * off / r->n;
		m.skew += off * off * off / r->n;
		m.correlation += off * before / r->n;
		before = off;
	}
	m.correlation /= m.deviation;
	m.deviation = sqrt(m.deviation);
	m.skew /= pow(m.deviation, 3);
	return m;
}

/* Delay 50 ms, jitter 8 ms; a million packets, a thousand on the way. */
static struct moments jitter(enum conf_distribution distribution, double correlation)
{
	struct conf_netem c = plain();
	struct moments m;
	struct run r;

	c.delay = 50 * MS;
	c.jitter = 8 * MS;
	c.distribution = distribution;
	c.delay_correlation = SHARE(correlation);
	r = run(&c, 1000000, 50000);
	assert_int_equal(lost(&r), 0); /* nothing without being told */
	m = moments(&r);
	run_free(&r);
	return m;
}

static void assert_near(double value, double wanted, double apart)
{
	if (fabs(value - wanted) > apart)
		fail_msg("%g is not %g +- %g", value, wanted, apart);
}

static void test_uniform(void **state)
{
	struct moments m = jitter(CONF_DIST_UNIFORM, 0);
	(void)state;

	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8 / sqrt(3), 0.05); /* between 42 and 58, all alike */
	assert_near(m.skew, 0, 0.02);
	assert_near(m.correlation, 0, 0.01);
}

static void test_normal(void **state)
{
	struct moments m = jitter(CONF_DIST_NORMAL, 0);
	(void)state;

	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8, 0.1);
	assert_near(m.skew, 0, 0.02);
	assert_near(m.correlation, 0, 0.01);
}

static void test_pareto(void **state)
{
	struct moments m = jitter(CONF_DIST_PARETO, 0);
	(void)state;

	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8, 0.1);
	assert_true(m.skew > 1.5);
}

static void test_paretonormal(void **state)
{
	struct moments m = jitter(CONF_DIST_PARETONORMAL, 0);
	(void)state;

	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8, 0.1);
	assert_true(m.skew > 1 && m.skew < 3);
}

/* A correlation leaves mean and deviation as they are. */
static void test_correlation(void **state)
{
	struct moments m = jitter(CONF_DIST_NORMAL, 0.25);
	(void)state;

	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8, 0.1);
	assert_near(m.correlation, 0.25, 0.01);
	m = jitter(CONF_DIST_UNIFORM, 0.9);
	assert_near(m.mean, 50, 0.2);
	assert_near(m.deviation, 8 / sqrt(3), 0.1);
	assert_near(m.correlation, 0.9, 0.01);
}

/* The normal table by its known quantiles; all tables ascend. */
static void test_tables(void **state)
{
	static const double at[] = { -3, -2, -1, 0, 1, 2, 3 };
	static const double below[] = { 0.001350, 0.022750, 0.158655, 0.5,
					0.841345, 0.977250, 0.998650 };
	(void)state;

	for (unsigned kind = CONF_DIST_NORMAL; kind <= CONF_DIST_PARETONORMAL; kind++) {
		const int32_t *t = netem_dist(kind);

		for (unsigned i = 1; i < NETEM_DIST_SIZE; i++)
			assert_true(t[i] >= t[i - 1]);
		for (unsigned i = 0; kind == CONF_DIST_NORMAL && i < 7; i++)
			assert_near(t[(unsigned)(below[i] * NETEM_DIST_SIZE)] /
					    (double)NETEM_DIST_SCALE,
				    at[i], 0.02);
		assert_in_range(t[NETEM_DIST_SIZE - 1], 4 * NETEM_DIST_SCALE - 500,
				5 * NETEM_DIST_SCALE);
	}
}

/* k of n within the interval that holds 99 % of all: a variance so many times the binomial one. */
static void assert_binomial(unsigned k, unsigned n, double p, double variance)
{
	assert_near(k, n * p, Z99 * sqrt(n * p * (1 - p) * variance));
}

static void test_loss(void **state)
{
	static const double p[] = { 0.001, 0.01, 0.1, 0.5, 0.99 };
	struct conf_netem c = plain();
	struct run r;
	(void)state;

	for (unsigned i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		c.loss = SHARE(p[i]);
		r = run(&c, 100000, 1000);
		assert_binomial(lost(&r), r.n, p[i], 1);
		run_free(&r);
	}
	c.loss = UINT32_MAX;
	r = run(&c, 100000, 1000);
	assert_int_equal(lost(&r), r.n);
	run_free(&r);
}

/* How often a loss is followed by a loss. */
static double lost_again(const struct run *r)
{
	unsigned first = 0, both = 0;

	for (unsigned i = 1; i < r->n; i++) {
		first += !r->times[i - 1];
		both += !r->times[i - 1] && !r->times[i];
	}
	return (double)both / first;
}

static void test_loss_correlated(void **state)
{
	struct conf_netem c = plain();
	struct run r;
	(void)state;

	c.loss = SHARE(0.1);
	c.loss_correlation = SHARE(0.25);
	r = run(&c, 100000, 1000);
	assert_binomial(lost(&r), r.n, 0.1, 1.25 / 0.75);
	assert_near(lost_again(&r), 0.25 + 0.75 * 0.1, 0.015);
	run_free(&r);
}

/* Gilbert and Elliott: 1 in 11 packets meets the bad state; bursts as long as it lasts. */
static void test_loss_gemodel(void **state)
{
	struct conf_netem c = plain();
	struct run r;
	(void)state;

	c.loss_model = CONF_LOSS_GEMODEL;
	c.gemodel[0] = SHARE(0.01);
	c.gemodel[1] = SHARE(0.1);
	c.gemodel[2] = SHARE(0.7);
	c.gemodel[3] = SHARE(0.001);
	r = run(&c, 1000000, 1000);
	assert_near(lost(&r) / 1e6, 0.7 / 11 + 0.001 * 10 / 11, 0.002);
	assert_near(lost_again(&r), 0.9 * 0.7, 0.03);
	run_free(&r);

	c.gemodel[2] = UINT32_MAX; /* simple Gilbert */
	c.gemodel[3] = 0;
	r = run(&c, 1000000, 1000);
	assert_near(lost(&r) / 1e6, 1.0 / 11, 0.003);
	assert_near(lost_again(&r), 0.9, 0.01);
	run_free(&r);
}

/* The chain's share of its lossy states, by going through it often enough; at every step half of it
 * stays, so that one of a period settles as well. */
static double stationary(const double p[5])
{
	double p13 = p[0], p31 = p[1], p32 = p[2], p23 = p[3], p14 = p[4];
	double s[4] = { 1, 0, 0, 0 };

	for (unsigned i = 0; i < 100000; i++) {
		double one = s[0] * (1 - p13 - p14) + s[2] * p31 + s[3];
		double two = s[1] * (1 - p23) + s[2] * p32;
		double three = s[2] * (1 - p31 - p32) + s[0] * p13 + s[1] * p23;
		double four = s[0] * p14;

		s[0] = (s[0] + one) / 2;
		s[1] = (s[1] + two) / 2;
		s[2] = (s[2] + three) / 2;
		s[3] = (s[3] + four) / 2;
	}
	return s[2] + s[3];
}

static void test_loss_state(void **state)
{
	static const double p[][5] = {
		{ 0.02, 0.98, 0, 1, 0 }, /* p13 alone: independent */
		{ 0.01, 0.3, 0.2, 0.4, 0.005 },
		{ 0.3, 0.6, 0.4, 1, 0.7 },
	};
	struct conf_netem c = plain();
	(void)state;

	c.loss_model = CONF_LOSS_STATE;
	for (unsigned i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		struct run r;

		for (unsigned k = 0; k < 5; k++)
			c.state[k] = SHARE(p[i][k]);
		r = run(&c, 1000000, 1000);
		assert_near(lost(&r) / 1e6, stationary(p[i]), 0.02 * stationary(p[i]));
		if (i == 0)
			assert_binomial(lost(&r), r.n, 0.02, 1);
		run_free(&r);
	}
}

static void test_duplicates(void **state)
{
	struct conf_netem c = plain();
	unsigned twice = 0;
	struct run r;
	(void)state;

	c.duplicate = SHARE(0.05);
	c.delay = MS;
	r = run(&c, 100000, 10000);
	for (unsigned i = 0; i < r.n; i++) {
		assert_in_range(r.times[i], 1, 2);
		twice += r.times[i] == 2;
	}
	assert_binomial(twice, r.n, 0.05, 1);
	run_free(&r);

	/* of two, each may be lost; of one that was lost before it was doubled, one is left */
	c.duplicate = UINT32_MAX;
	c.loss = SHARE(0.5);
	twice = 0;
	r = run(&c, 100000, 10000);
	for (unsigned i = 0; i < r.n; i++) {
		assert_in_range(r.times[i], 1, 2);
		twice += r.times[i] == 2;
	}
	assert_binomial(twice, r.n, 0.25, 1);
	run_free(&r);
}

/* Those that overtake leave at once, and the others wait: 25 % of them; of each fifth with a gap.
 */
static void test_reorder(void **state)
{
	struct conf_netem c = plain();
	unsigned at_once = 0;
	struct run r;
	(void)state;

	c.delay = 10 * MS;
	c.reorder = SHARE(0.25);
	r = run(&c, 100000, 100000);
	for (unsigned i = 0; i < r.n; i++) {
		assert_true(r.delay[i] == 0 || r.delay[i] == 10 * MS);
		at_once += r.delay[i] == 0;
	}
	assert_binomial(at_once, r.n, 0.25, 1);
	assert_true(r.overtaken > 70000);
	run_free(&r);

	/* after four delayed ones, four more trials to the next on average */
	c.gap = 5;
	at_once = 0;
	r = run(&c, 100000, 100000);
	for (unsigned i = 0; i < r.n; i++)
		at_once += r.delay[i] == 0;
	assert_near(at_once, 100000.0 / 8, 300);
	run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	     cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_normal),	     cmocka_unit_test(test_pareto),
		cmocka_unit_test(test_paretonormal), cmocka_unit_test(test_correlation),
		cmocka_unit_test(test_loss),	     cmocka_unit_test(test_loss_correlated),
		cmocka_unit_test(test_loss_gemodel), cmocka_unit_test(test_loss_state),
		cmocka_unit_test(test_duplicates),   cmocka_unit_test(test_reorder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
