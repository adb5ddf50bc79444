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
	memset(load, 0, sizeof(*load));
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

/* Each busy set, with packets of three sizes. Borrowers share by their own quanta, wherever they
 * are in the tree: A and B2 have the same, B1 has twice theirs. */
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
		shares_s3((struct share[]){ { A, 4 + 4 / 3.0 }, { B1, 12 + 8 / 3.0 } }, 2, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s3),
	};

	return cmocka_run_group_tests_name("qdisc_htb_share", tests, NULL, NULL);
}
