// SPDX-License-Identifier: GPL-2.0-or-later
/* htb: who gets how much (S1, S2, S3). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/htb_lab.h"

#define SECONDS(n) ((n)*NSEC_PER_SEC)

/* Shares in Mbit/s within so many percent, over 10 s after one of settling. */
struct share {
	unsigned minor;
	double mbit;
};

static void expect_shares(struct htb_load *load, struct lab *l, const struct share *want,
			  unsigned n, double percent)
{
	assert_true(htb_run(load, l, SECONDS(1)));
	memset(load->bytes, 0, sizeof(load->bytes));
	assert_true(htb_run(load, l, SECONDS(10)));
	for (unsigned i = 0; i < n; i++) {
		double got = htb_mbit(load, want[i].minor, SECONDS(10));

		if (fabs(got - want[i].mbit) > want[i].mbit * percent / 100) {
			print_error("class 1:%u: %.3f Mbit/s, not %.3f\n", want[i].minor, got,
				    want[i].mbit);
			fail();
		}
	}
	assert_true(books_balance(l));
}

/* ---- the tree of S3 */

enum { TOP = 1, A, B, C, B1, B2 };

static void tree_s3(struct htb_tree *t)
{
	htb_begin(t);
	htb_class(t, TOP, 0, 20 * MBIT, 20 * MBIT);
	htb_class(t, A, TOP, 4 * MBIT, 20 * MBIT);
	htb_class(t, B, TOP, 12 * MBIT, 20 * MBIT);
	htb_class(t, C, TOP, 4 * MBIT, 20 * MBIT);
	htb_class(t, B1, B, 8 * MBIT, 20 * MBIT);
	htb_class(t, B2, B, 4 * MBIT, 20 * MBIT);
}

static void shares_s3(const struct share *want, unsigned n, uint16_t len)
{
	struct htb_load load = { 0 };
	struct htb_tree t;
	struct lab l;

	tree_s3(&t);
	lab_open(&l, &t.conf, 0);
	for (unsigned i = 0; i < n; i++)
		load.len[want[i].minor] = len;
	expect_shares(&load, &l, want, n, 1);
	lab_close(&l);
}

/* Each busy set, with packets of three sizes. Siblings share by their quanta, B1 twice as much as
 * B2; beside A, B counts for one borrower, whichever that is. */
static void test_s3(void **state)
{
	static const uint16_t lens[] = { 1514, 512, 64 };
	(void)state;

	for (unsigned i = 0; i < 3; i++) {
		uint16_t len = lens[i];

		shares_s3((struct share[]){ { A, 4 }, { B1, 8 }, { B2, 4 }, { C, 4 } }, 4, len);
		shares_s3((struct share[]){ { A, 20 } }, 1, len);
		shares_s3((struct share[]){ { B1, 40 / 3.0 }, { B2, 20 / 3.0 } }, 2, len);
		shares_s3((struct share[]){ { A, 6 }, { B2, 14 } }, 2, len);
		shares_s3((struct share[]){ { A, 10 }, { C, 10 } }, 2, len);
		shares_s3((struct share[]){ { A, 6 }, { B1, 14 } }, 2, len);
	}
}

/* ---- what Linux does otherwise */

/* Guarantees that add up to more than the parent's ceil: the ceil holds, and they share it by their
 * quanta. When one is idle, the other gets it all. */
static void test_oversubscribed(void **state)
{
	struct htb_load load = { .len = { [2] = 1000, [3] = 500 } };
	struct htb_tree t;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 9 * MBIT, 9 * MBIT);
	htb_class(&t, 2, 1, 8 * MBIT, 9 * MBIT)->quantum = 20000;
	htb_class(&t, 3, 1, 8 * MBIT, 9 * MBIT)->quantum = 10000;
	lab_open(&l, &t.conf, 0);
	expect_shares(&load, &l, (struct share[]){ { 2, 6 }, { 3, 3 } }, 2, 1);
	load.len[2] = 0; /* what it has is soon gone */
	expect_shares(&load, &l, (struct share[]){ { 3, 9 } }, 1, 1);
	htb_drain(&load, &l);
	lab_close(&l);
}

/* Bursts of a packet and forty classes that all have to wait for the parent: nobody loses what he
 * is guaranteed while another is served, and the last one borrows no more than is left. */
static void test_small_bursts(void **state)
{
	struct share want[41];
	struct htb_load load = { 0 };
	struct htb_tree t;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 100 * MBIT, 100 * MBIT);
	for (unsigned m = 2; m <= 41; m++) {
		htb_class(&t, m, 1, m * MBIT / 10, 100 * MBIT)->burst = 1;
		want[m - 2] = (struct share){ m, m / 10.0 };
		load.len[m] = 1514;
	}
	htb_class(&t, 42, 1, MBIT, 100 * MBIT)->burst = 1;
	for (unsigned i = 0; i < 40; i++) /* 86 Mbit/s; what is left goes by priority */
		t.c[i + 1].prio = 1;
	load.len[42] = 1514;
	want[40] = (struct share){ 42, 100 - 86 };
	lab_open(&l, &t.conf, 0);
	expect_shares(&load, &l, want, 41, 1.5);
	htb_drain(&load, &l);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s3),
		cmocka_unit_test(test_oversubscribed),
		cmocka_unit_test(test_small_bursts),
	};

	return cmocka_run_group_tests_name("qdisc_htb_share", tests, NULL, NULL);
}
