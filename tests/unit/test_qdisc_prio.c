// SPDX-License-Identifier: GPL-2.0-or-later
/* prio: which band, and that none before it has anything to send (S11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_books.h"

#define ROOT	 CONF_HANDLE(1, 0)
#define BAND(n)	 CONF_HANDLE(1, n)
#define CHILD(n) CONF_HANDLE(0x10 + (n), 0)

static struct conf_qdisc prio(uint32_t bands)
{
	return (struct conf_qdisc){
		.handle = ROOT,
		.parent = CONF_ROOT,
		.kind = CONF_QDISC_PRIO,
		.prio = { .bands = bands,
			  .priomap = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 } },
	};
}

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static void send_as(struct lab *l, uint32_t priority)
{
	struct qpkt *p = lab_packet(l, 100, 0);

	p->priority = priority;
	tree_enqueue(l->t, p);
}

static uint32_t waiting(const struct lab *l, uint32_t band)
{
	return tree_class(l->t, BAND(band))->child->qlen;
}

static void test_priomap(void **state)
{
	struct conf_qdisc q = prio(3);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (uint32_t priority = 0; priority < 16; priority++) {
		uint32_t band = q.prio.priomap[priority] + 1, before = waiting(&l, band);

		send_as(&l, priority);
		assert_int_equal(waiting(&l, band), before + 1);
	}
	assert_int_equal(l.t->root->qlen, 16);
	assert_int_equal(l.t->root->backlog, 1600);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* A filter's class, a handle of ours, one that is another's or names no band. */
static void test_classify(void **state)
{
	struct conf_qdisc q = prio(3);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	lab_send(&l, 100, 0, BAND(3));
	assert_int_equal(waiting(&l, 3), 1);
	lab_send(&l, 100, 0, BAND(1));
	assert_int_equal(waiting(&l, 1), 1);
	send_as(&l, BAND(1));
	assert_int_equal(waiting(&l, 1), 2);
	send_as(&l, BAND(3));
	assert_int_equal(waiting(&l, 3), 2);
	send_as(&l, BAND(0));
	send_as(&l, BAND(4));
	send_as(&l, CONF_HANDLE(2, 1));
	assert_int_equal(waiting(&l, 2), 3); /* priomap[0] */
	lab_close(&l);
}

/* A lower band starves as long as a higher one has packets. */
static void test_strict(void **state)
{
	struct conf_qdisc q = prio(16);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (uint32_t round = 0; round < 10; round++)
		for (uint32_t band = 16; band; band--)
			lab_send(&l, 100, band, BAND(band));
	for (uint32_t band = 1; band < 8; band++)
		for (uint32_t i = 0; i < 10; i++)
			assert_int_equal(lab_take(&l)->hash, band);
	lab_send(&l, 100, 99, BAND(1));
	assert_int_equal(lab_take(&l)->hash, 99);
	assert_int_equal(lab_take(&l)->hash, 8);
	assert_int_equal(tree_class(l.t, BAND(1))->stats.packets, 11);
	assert_int_equal(tree_class(l.t, BAND(1))->stats.bytes, 1100);
	assert_int_equal(tree_class(l.t, BAND(9))->stats.packets, 0);
	lab_close(&l);
}

static void test_default_child(void **state)
{
	struct conf_qdisc q = prio(2);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	for (unsigned i = 0; i < 16; i++)
		q.prio.priomap[i] = 1;
	lab_open(&l, &c, 0);
	for (unsigned i = 0; i < 1010; i++)
		send_as(&l, 0);
	assert_int_equal(waiting(&l, 2), 1000);
	assert_int_equal(l.t->root->stats.drops, 10);
	assert_int_equal(tree_class(l.t, BAND(2))->stats.drops, 10);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* More bands and fewer, under load: what stays keeps its packets, what goes drops them. */
static void test_bands_change(void **state)
{
	struct conf_qdisc three = prio(3), five = prio(5), two = prio(2);
	struct conf_tree c = one(&three), d = one(&five), e = one(&two);
	struct qdisc *root;
	struct lab l;
	(void)state;

	memset(two.prio.priomap, 1, sizeof(two.prio.priomap));
	lab_open(&l, &c, 0);
	root = l.t->root;
	for (uint32_t band = 1; band <= 3; band++)
		for (unsigned i = 0; i < band; i++)
			lab_send(&l, 100, band, BAND(band));
	lab_take(&l);
	lab_change(&l, &d);
	assert_ptr_equal(l.t->root, root);
	assert_int_equal(root->qlen, 5);
	lab_send(&l, 100, 5, BAND(5));
	assert_int_equal(waiting(&l, 5), 1);
	assert_true(books_balance(&l));
	lab_change(&l, &e);
	assert_int_equal(root->qlen, 2);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 4);
	assert_int_equal(root->stats.packets, 1);
	assert_int_equal(root->stats.drops, 4);
	assert_null(tree_class(l.t, BAND(3)));
	assert_true(books_balance(&l));
	send_as(&l, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(lab_take(&l));
	assert_int_equal(root->backlog, 0);
	lab_change(&l, &c);
	lab_send(&l, 100, 3, BAND(3));
	assert_int_equal(waiting(&l, 3), 1);
	lab_close(&l);
}

/* A band that must wait lets the next one pass, and is served the moment it may. */
static void test_shaped_band(void **state)
{
	struct conf_qdisc q[] = {
		prio(2),
		{ .handle = CHILD(1),
		  .parent = BAND(1),
		  .kind = CONF_QDISC_TBF,
		  .tbf = { .rate = 125000, .burst = 1000, .limit = 100000 } },
	};
	struct conf_tree c = { .qdiscs = q, .nqdiscs = 2 };
	struct lab l;
	uint64_t start;
	(void)state;

	memset(q[0].prio.priomap, 1, sizeof(q[0].prio.priomap));
	lab_open(&l, &c, 0);
	start = l.now;
	for (unsigned i = 0; i < 3; i++)
		lab_send(&l, 1000, 1, BAND(1));
	lab_send(&l, 1000, 2, BAND(2));
	assert_int_equal(lab_take(&l)->hash, 1);
	assert_int_equal(lab_take(&l)->hash, 2);
	assert_null(lab_take(&l));
	assert_int_equal(l.t->wake, start + 8000000);
	lab_at(&l, l.t->wake);
	lab_send(&l, 1000, 2, BAND(2));
	assert_int_equal(lab_take(&l)->hash, 1);
	assert_int_equal(lab_take(&l)->hash, 2);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* prio of prio of tbf of pfifo: the inner class that a filter names leads the way down. */
static void test_nested(void **state)
{
	struct conf_qdisc q[] = { prio(3),
				  prio(3),
				  { .handle = CONF_HANDLE(3, 0),
				    .parent = CONF_HANDLE(2, 2),
				    .kind = CONF_QDISC_TBF,
				    .tbf = { .rate = 125000, .burst = 2000, .limit = 100000 } },
				  { .handle = CONF_HANDLE(4, 0),
				    .parent = CONF_HANDLE(3, 1),
				    .kind = CONF_QDISC_PFIFO,
				    .fifo.limit = 4 } };
	struct conf_tree c = { .qdiscs = q, .nqdiscs = 4 };
	struct lab l;
	(void)state;

	q[1].handle = CONF_HANDLE(2, 0);
	q[1].parent = BAND(3);
	lab_open(&l, &c, 0);
	for (unsigned i = 0; i < 6; i++)
		lab_send(&l, 1000, 0, CONF_HANDLE(3, 1));
	assert_int_equal(tree_qdisc(l.t, CONF_HANDLE(4, 0))->qlen, 4);
	assert_int_equal(tree_qdisc(l.t, CONF_HANDLE(2, 0))->stats.drops, 2);
	assert_int_equal(tree_class(l.t, BAND(3))->stats.drops, 2);
	assert_int_equal(l.t->root->stats.drops, 2);
	assert_int_equal(l.t->root->qlen, 4);
	assert_true(books_balance(&l));
	assert_non_null(lab_take(&l));
	assert_non_null(lab_take(&l));
	assert_null(lab_take(&l));
	assert_int_equal(l.t->root->qlen, 2);
	assert_true(books_balance(&l));
	assert_non_null(lab_wait(&l));
	assert_non_null(lab_wait(&l));
	assert_null(lab_wait(&l));
	assert_int_equal(l.t->root->backlog, 0);
	assert_int_equal(tree_class(l.t, CONF_HANDLE(3, 1))->stats.packets, 4);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priomap),	     cmocka_unit_test(test_classify),
		cmocka_unit_test(test_strict),	     cmocka_unit_test(test_default_child),
		cmocka_unit_test(test_bands_change), cmocka_unit_test(test_shaped_band),
		cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
