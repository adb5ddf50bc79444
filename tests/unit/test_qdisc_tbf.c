// SPDX-License-Identifier: GPL-2.0-or-later
/* tbf: every departure at its exact nanosecond (S4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_books.h"

#define ROOT CONF_HANDLE(1, 0)
#define ONE  CONF_HANDLE(1, 1)
#define MBIT 125000u /* bytes a second */

static struct conf_qdisc tbf(uint64_t rate, uint64_t burst)
{
	return (struct conf_qdisc){ .handle = ROOT,
				    .parent = CONF_ROOT,
				    .kind = CONF_QDISC_TBF,
				    .tbf = { .rate = rate, .burst = burst, .limit = 100000000 } };
}

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* The n-th byte may leave when burst + rate * t has come to n: to the nanosecond, for any rate, and
 * without drift. */
static void test_instants(void **state)
{
	static const uint64_t rates[] = { 125000, 333333, 1250001, 12499999, 124999999, 625000000 };
	(void)state;

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		struct conf_qdisc q = tbf(rates[r], 3000);
		struct conf_tree c = one(&q);
		uint64_t start, bytes = 0;
		struct lab l;

		lab_open(&l, &c, 0);
		start = l.now;
		for (unsigned i = 0; i < 30000; i++)
			lab_send(&l, (uint16_t)(60 + i * 97 % 1455), 0, 0);
		for (uint32_t i = 0; i < 30000; i++) {
			const struct qpkt *p = lab_wait(&l);
			uint64_t after;

			assert_non_null(p);
			assert_int_equal(lab_serial(&l, p), i + 1); /* in order */
			bytes += p->len;
			after = bytes <= 3000 ? 0
					      : divide_up((bytes - 3000) * NSEC_PER_SEC, rates[r]);
			assert_int_equal(l.now - start, after);
		}
		assert_null(lab_wait(&l));
		assert_int_equal(l.t->root->backlog, 0);
		lab_close(&l);
	}
}

/* After any idle time burst bytes pass at once, and not one more. */
static void test_idle(void **state)
{
	struct conf_qdisc q = tbf(MBIT, 10000);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (unsigned again = 0; again < 3; again++) {
		uint64_t now = l.now;

		for (unsigned i = 0; i < 13; i++)
			lab_send(&l, 1000, 0, 0);
		for (unsigned i = 0; i < 10; i++)
			assert_non_null(lab_take(&l));
		assert_null(lab_take(&l));
		assert_int_equal(l.t->wake, now + 8000000);
		for (unsigned i = 0; i < 3; i++)
			assert_non_null(lab_wait(&l));
		assert_int_equal(l.now, now + 24000000);
		lab_at(&l, l.now + (again ? 80000000 : 1000000 * NSEC_PER_SEC));
	}
	/* a nanosecond less brings less */
	for (unsigned i = 0; i < 10; i++)
		lab_send(&l, 1000, 0, 0);
	while (lab_take(&l))
		;
	lab_at(&l, l.now + 79999999);
	for (unsigned i = 0; i < 10; i++)
		lab_send(&l, 1000, 0, 0);
	for (unsigned i = 0; i < 9; i++)
		assert_non_null(lab_take(&l));
	assert_null(lab_take(&l));
	assert_int_equal(l.t->wake, l.now + 1);
	lab_close(&l);
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Whatever comes, and however late the owner looks: no window has more than burst + rate * t. */
static void test_windows(void **state)
{
	enum { N = 3000 };
	struct conf_qdisc q = tbf(MBIT * 10, 5000);
	struct conf_tree c = one(&q);
	uint64_t *at = calloc(N, sizeof(*at)), *sum = calloc(N + 1, sizeof(*sum));
	uint32_t x = 7, n = 0;
	struct lab l;
	(void)state;

	assert(at && sum);
	lab_open(&l, &c, 0);
	while (n < N) {
		const struct qpkt *p;

		if (next_random(&x) % 2)
			lab_send(&l, (uint16_t)(60 + next_random(&x) % 1455), 0, 0);
		lab_at(&l, l.now + next_random(&x) % 700000);
		while (n < N && (p = lab_take(&l))) {
			at[n] = l.now;
			sum[n + 1] = sum[n] + p->len;
			n++;
		}
	}
	for (uint32_t i = 0; i < N; i++)
		for (uint32_t k = i; k < N; k++)
			assert_true((sum[k + 1] - sum[i] - 5000) * NSEC_PER_SEC <=
					    (at[k] - at[i]) * (MBIT * 10) ||
				    sum[k + 1] - sum[i] <= 5000);
	free(at);
	free(sum);
	lab_close(&l);
}

/* An owner that is always 300 us late still gives the whole rate: the bucket bridges it. */
static void test_late_owner(void **state)
{
	struct conf_qdisc q = tbf(MBIT * 100, 10000);
	struct conf_tree c = one(&q);
	uint64_t start, bytes = 0;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	start = l.now;
	for (unsigned i = 0; i < 20000; i++)
		lab_send(&l, 1500, 0, 0);
	for (const struct qpkt *p; l.t->root->qlen;) {
		while ((p = lab_take(&l)))
			bytes += p->len;
		if (l.t->wake != QDISC_NEVER)
			lab_at(&l, l.t->wake + 300000);
	}
	assert_in_range((bytes - 10000) * NSEC_PER_SEC / (l.now - start), 12490000, 12500000);
	lab_close(&l);
}

static void test_oversize(void **state)
{
	struct conf_qdisc q = tbf(MBIT, 1400), peak = tbf(MBIT, 5000);
	struct conf_tree c = one(&q), d = one(&peak);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	lab_send(&l, 1400, 0, 0);
	lab_send(&l, 1401, 0, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_OVERSIZE], 1);
	assert_int_equal(l.t->root->stats.drops, 1);
	assert_int_equal(lab_serial(&l, lab_wait(&l)), 1);
	lab_close(&l);

	peak.tbf.peakrate = 2 * MBIT;
	peak.tbf.mtu = 1000;
	lab_open(&l, &d, 0);
	lab_send(&l, 1000, 0, 0);
	lab_send(&l, 1001, 0, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_OVERSIZE], 1);
	lab_close(&l);
}

/* The second bucket spaces the burst of the first at peakrate; then rate governs. */
static void test_peakrate(void **state)
{
	struct conf_qdisc q = tbf(MBIT, 5000);
	struct conf_tree c = one(&q);
	struct lab l;
	uint64_t start;
	(void)state;

	q.tbf.peakrate = 4 * MBIT; /* 1000 bytes: 2 ms, and 8 ms by rate */
	q.tbf.mtu = 1000;
	lab_open(&l, &c, 0);
	start = l.now;
	for (unsigned i = 0; i < 12; i++)
		lab_send(&l, 1000, 0, 0);
	for (uint64_t i = 0; i < 12; i++) {
		uint64_t by_peak = i * 2000000, by_rate = i < 5 ? 0 : (i - 4) * 8000000;

		assert_non_null(lab_wait(&l));
		assert_int_equal(l.now - start, by_peak > by_rate ? by_peak : by_rate);
	}
	lab_close(&l);
}

/* Bytes are counted as qdisc_size() says: 60 B and 18 more are two cells, 106 B; mpu. */
static void test_size(void **state)
{
	struct conf_qdisc q = tbf(106000, 106), mpu = tbf(100000, 200);
	struct conf_tree c = one(&q), d = one(&mpu);
	struct lab l;
	uint64_t start;
	(void)state;

	q.tbf.size = (struct conf_size){ .overhead = 18, .linklayer = CONF_LINKLAYER_ATM };
	lab_open(&l, &c, 0);
	start = l.now;
	for (unsigned i = 0; i < 3; i++)
		lab_send(&l, 60, 0, 0);
	lab_send(&l, 79, 0, 0); /* three cells do not fit */
	assert_int_equal(l.count->drop[DROP_QDISC_OVERSIZE], 1);
	for (uint64_t i = 0; i < 3; i++) {
		assert_non_null(lab_wait(&l));
		assert_int_equal(l.now - start, i * 1000000);
	}
	lab_close(&l);

	mpu.tbf.size.mpu = 100;
	lab_open(&l, &d, 0);
	start = l.now;
	for (unsigned i = 0; i < 4; i++)
		lab_send(&l, 60, 0, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(lab_wait(&l));
	assert_int_equal(l.now - start, 2000000);
	lab_close(&l);
}

/* The limit is of bytes that wait, the one at the head among them. */
static void test_limit(void **state)
{
	struct conf_qdisc q = tbf(MBIT, 1000);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.tbf.limit = 5000;
	lab_open(&l, &c, 0);
	lab_send(&l, 1000, 0, 0);
	assert_non_null(lab_take(&l));
	lab_send(&l, 1000, 0, 0);
	assert_null(lab_take(&l)); /* now tbf holds one itself */
	assert_int_equal(l.t->root->qlen, 1);
	assert_int_equal(l.t->root->backlog, 1000);
	for (unsigned i = 0; i < 6; i++)
		lab_send(&l, 1000, 0, 0);
	assert_int_equal(l.t->root->backlog, 5000);
	assert_int_equal(l.t->root->stats.drops, 2);
	assert_int_equal(tree_class(l.t, ONE)->stats.drops, 2);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 2);
	assert_true(l.t->root->stats.overlimits > 0);
	assert_true(books_balance(&l));
	for (unsigned i = 0; i < 5; i++)
		assert_non_null(lab_wait(&l));
	assert_null(lab_wait(&l));
	assert_int_equal(l.t->root->backlog, 0);
	lab_send(&l, 1000, 0, 0);
	assert_null(lab_take(&l));
	lab_send(&l, 1000, 0, 0);
	assert_true(books_balance(&l));
	lab_close(&l); /* with a backlog, and one held */
	assert_int_equal(l.nfree, LAB_FRAMES);
}

/* Under load: another rate counts from now on, tokens and figures stay. */
static void test_change(void **state)
{
	struct conf_qdisc q = tbf(MBIT, 2000), twice = tbf(2 * MBIT, 2000), small = tbf(MBIT, 500);
	struct conf_tree c = one(&q), d = one(&twice), e = one(&small);
	struct qdisc *root;
	struct lab l;
	uint64_t start;
	(void)state;

	lab_open(&l, &c, 0);
	root = l.t->root;
	start = l.now;
	for (unsigned i = 0; i < 8; i++)
		lab_send(&l, 1000, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(lab_wait(&l));
	assert_int_equal(l.now - start, 8000000);
	assert_null(lab_take(&l));
	lab_at(&l, start + 12000000); /* half of the next one's tokens */
	lab_change(&l, &d);
	assert_ptr_equal(l.t->root, root);
	assert_int_equal(root->qlen, 5);
	assert_int_equal(root->stats.packets, 3);
	assert_non_null(lab_wait(&l));
	assert_int_equal(l.now - start, 14000000); /* the other half came twice as fast */
	assert_null(lab_take(&l));

	lab_send(&l, 400, 0, 0);
	lab_change(&l, &e); /* nothing of 1000 can leave any more */
	assert_true(books_balance(&l));
	assert_int_equal(lab_wait(&l)->len, 400);
	assert_int_equal(l.count->drop[DROP_QDISC_OVERSIZE], 4);
	assert_int_equal(root->qlen, 0);
	assert_int_equal(root->backlog, 0);
	lab_close(&l);
}

/* Any child; what it drops itself is out of the books above. */
static void test_child(void **state)
{
	struct conf_qdisc q[] = { tbf(MBIT, 1000),
				  { .handle = CONF_HANDLE(10, 0),
				    .parent = ONE,
				    .kind = CONF_QDISC_PFIFO,
				    .fifo.limit = 2 } };
	struct conf_tree with = { .qdiscs = q, .nqdiscs = 2 }, without = one(&q[0]);
	struct lab l;
	(void)state;

	lab_open(&l, &with, 0);
	for (unsigned i = 0; i < 6; i++) {
		lab_send(&l, 1000, 0, 0);
		lab_take(&l);
	}
	/* one left, one is held, two wait, two are dropped */
	assert_int_equal(l.t->root->qlen, 3);
	assert_int_equal(tree_qdisc(l.t, CONF_HANDLE(10, 0))->qlen, 2);
	assert_int_equal(l.t->root->stats.drops, 2);
	assert_true(books_balance(&l));
	lab_change(&l, &without); /* the child goes with its two */
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 2);
	assert_int_equal(l.t->root->qlen, 1);
	assert_true(books_balance(&l));
	assert_int_equal(lab_serial(&l, lab_wait(&l)), 2);
	assert_int_equal(l.t->root->stats.packets, 2);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instants), cmocka_unit_test(test_idle),
		cmocka_unit_test(test_windows),	 cmocka_unit_test(test_late_owner),
		cmocka_unit_test(test_oversize), cmocka_unit_test(test_peakrate),
		cmocka_unit_test(test_size),	 cmocka_unit_test(test_limit),
		cmocka_unit_test(test_change),	 cmocka_unit_test(test_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
