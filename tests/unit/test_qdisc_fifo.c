// SPDX-License-Identifier: GPL-2.0-or-later
/* The plain queues beside pfifo and bfifo (test_qdisc_tree.c): pfifo_fast and noqueue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_books.h"

static struct conf_qdisc fifo(enum conf_qdisc_kind kind, uint32_t limit)
{
	return (struct conf_qdisc){
		.handle = CONF_HANDLE(1, 0), .parent = CONF_ROOT, .kind = kind, .fifo.limit = limit
	};
}

static void send_as(struct lab *l, uint32_t priority)
{
	struct qpkt *p = lab_packet(l, 100, 0);

	p->priority = priority;
	tree_enqueue(l->t, p);
}

/* Linux's sch_default_prio2band, behaviour by behaviour: first all of band 0, in order, and so on.
 */
static void test_fast_bands(void **state)
{
	static const uint32_t order[16] = { 7, 8, 1, 5, 9, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 6 };
	struct conf_qdisc q = fifo(CONF_QDISC_PFIFO_FAST, 0);
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (uint32_t priority = 0; priority < 16; priority++)
		send_as(&l, priority);
	assert_int_equal(l.t->root->backlog, 1600);
	for (int i = 0; i < 16; i++)
		assert_int_equal(lab_serial(&l, lab_take(&l)), order[i]);
	assert_null(lab_take(&l));
	assert_int_equal(l.t->root->backlog, 0);
	lab_close(&l);
}

/* Each band has all of the limit; a handle is no priority of a band's. */
static void test_fast_limit(void **state)
{
	struct conf_qdisc q = fifo(CONF_QDISC_PFIFO_FAST, 5), lower = fifo(q.kind, 2);
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct conf_tree d = { .qdiscs = &lower, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 7; i++) {
		send_as(&l, 6);
		send_as(&l, CONF_HANDLE(1, 0));
		send_as(&l, 2);
	}
	assert_int_equal(l.t->root->qlen, 15);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 6);
	lab_change(&l, &d);
	assert_int_equal(l.t->root->qlen, 15);
	for (int i = 0; i < 4; i++)
		assert_non_null(lab_take(&l));
	send_as(&l, 6);
	send_as(&l, 6);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 7);
	assert_true(books_balance(&l));
	lab_close(&l);
}

static void test_fast_default(void **state)
{
	struct conf_qdisc q = fifo(CONF_QDISC_PFIFO_FAST, 0);
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 1001; i++)
		send_as(&l, 0);
	assert_int_equal(l.t->root->qlen, 1000);
	lab_close(&l);
	assert_int_equal(l.nfree, LAB_FRAMES);
}

static void test_noqueue(void **state)
{
	struct conf_qdisc q = fifo(CONF_QDISC_NOQUEUE, 0);
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	lab_open(&l, &c, 2000);
	for (int i = 0; i < 2010; i++)
		lab_send(&l, 60, 0, 0);
	assert_int_equal(l.t->root->qlen, 2000);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 0);
	assert_int_equal(l.count->drop[DROP_QDISC_BUDGET], 10);
	for (uint32_t i = 1; i <= 2000; i++)
		assert_int_equal(lab_serial(&l, lab_take(&l)), i);
	assert_null(lab_take(&l));
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fast_bands),
		cmocka_unit_test(test_fast_limit),
		cmocka_unit_test(test_fast_default),
		cmocka_unit_test(test_noqueue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
