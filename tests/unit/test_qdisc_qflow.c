// SPDX-License-Identifier: GPL-2.0-or-later
/* The pool of flow queues against a model of it, and what happens when it is used up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "router/net/qdisc/qflow.h"

static struct qflows *pool(uint32_t packets)
{
	struct qflows *f;

	assert_int_equal(qflows_create(packets, &f), 0);
	return f;
}

static struct qflow *touch(struct qflows *f, uint32_t name, uint32_t bucket)
{
	struct qflow_list l = { 0 };
	struct qflow *fl = qflow_get(f, name, bucket);

	fl->learnt = true;
	qflow_list_push(&l, fl);
	qflow_rest_all(f, &l);
	return fl;
}

/* A flow with nothing to remember leaves its place to the next, whoever that is. */
static void test_forgets(void **state)
{
	struct qflows *f = pool(10);
	struct qflow_list l = { 0 };
	uint32_t name = qflows_name(f);
	struct qflow *fl = qflow_get(f, name, 7);
	(void)state;

	fl->credit = 5;
	qflow_list_push(&l, fl);
	qflow_rest_all(f, &l);
	assert_ptr_equal(qflow_get(f, name, 8), fl);
	assert_int_equal(fl->credit, 0);
	assert_ptr_not_equal(qflow_get(f, name, 7), fl);
	assert_int_equal(f->used, 2);
	qflows_destroy(f);
}

static void test_remembers(void **state)
{
	struct qflows *f = pool(10);
	uint32_t a = qflows_name(f), b = qflows_name(f);
	struct qflow *fl = touch(f, a, 7);
	(void)state;

	assert_int_not_equal(a, b);
	fl->codel.count = 99;
	assert_ptr_equal(touch(f, a, 7), fl);
	assert_int_equal(fl->codel.count, 99);
	assert_ptr_not_equal(touch(f, a, 8), fl);
	assert_ptr_not_equal(touch(f, b, 7), fl);
	assert_int_equal(touch(f, b, 7)->codel.count, 0);
	qflows_destroy(f);
}

/* The oldest place is given up first, without what was learned. */
static void test_recycles(void **state)
{
	struct qflows *f = pool(1);
	uint32_t name = qflows_name(f), n = f->capacity;
	struct qflow *second;
	(void)state;

	for (uint32_t i = 0; i < n; i++)
		touch(f, name, i)->codel.count = i + 1;
	assert_int_equal(touch(f, name, 0)->codel.count, 1); /* now the youngest */
	second = f->oldest;
	assert_int_equal(second->codel.count, 2);
	assert_ptr_equal(touch(f, name, n), second);
	assert_int_equal(second->codel.count, 0);
	assert_int_equal(touch(f, name, 0)->codel.count, 1);
	assert_int_equal(touch(f, name, n - 1)->codel.count, n);
	assert_int_equal(touch(f, name, 1)->codel.count, 0);
	qflows_destroy(f);
}

static void test_used_up(void **state)
{
	struct qflows *f = pool(1);
	struct qflow_list l = { 0 };
	uint32_t name = qflows_name(f);
	(void)state;

	for (uint32_t i = 0; i < f->capacity; i++)
		qflow_list_push(&l, qflow_get(f, name, i));
	assert_int_equal(l.n, f->capacity);
	assert_null(qflow_get(f, name, f->capacity));
	assert_non_null(qflow_get(f, name, 3)); /* which is listed */
	qflow_rest(f, qflow_list_pop(&l));
	assert_non_null(touch(f, name, f->capacity));
	qflow_rest_all(f, &l);
	assert_int_equal(l.n, 0);
	qflows_destroy(f);
}

/* Any order of listing and resting: a flow is always found as it was left, and nobody else's. */
static void test_model(void **state)
{
	enum { FLOWS = 1500, STEPS = 200000 };
	struct qflows *f = pool(FLOWS - 1024);
	struct qflow **mine = calloc(FLOWS, sizeof(struct qflow *));
	struct qflow_list l = { 0 };
	uint32_t name = qflows_name(f), random = 1;
	(void)state;

	assert_int_equal(f->capacity, FLOWS);
	for (int step = 0; step < STEPS; step++) {
		uint32_t i;
		struct qflow *fl;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % FLOWS;
		fl = qflow_get(f, name, i);
		assert_true(!mine[i] || mine[i] == fl);
		if (!mine[i])
			fl->credit = (int32_t)i;
		fl->learnt = true;
		mine[i] = fl;
		assert_int_equal(fl->credit, i);
		if (!fl->listed)
			qflow_list_push(&l, fl);
		for (uint32_t r = random; l.n > 700 || (l.n && r >> 31); r <<= 1)
			qflow_rest(f, qflow_list_pop(&l));
	}
	free(mine);
	qflows_destroy(f);
}

/* Every bucket is as likely, and another key parts whom one brought together. */
static void test_scale(void **state)
{
	enum { N = 1000 };
	uint32_t count[N] = { 0 }, together = 0, still = 0;
	(void)state;

	for (uint32_t h = 0; h < 100 * N; h++)
		count[qflow_scale(h * 2654435761u, 0x12345677, N)]++;
	for (unsigned i = 0; i < N; i++)
		assert_in_range(count[i], 50, 200);
	for (uint32_t h = 1; h < 20 * N; h++) {
		if (qflow_scale(h, 0x9e3779b1, N) != qflow_scale(0xabcd, 0x9e3779b1, N))
			continue;
		together++;
		still += qflow_scale(h, 0x85ebca6b, N) == qflow_scale(0xabcd, 0x85ebca6b, N);
	}
	assert_true(together > 5);
	assert_true(still < together / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembers), cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_recycles),  cmocka_unit_test(test_used_up),
		cmocka_unit_test(test_model),	  cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
