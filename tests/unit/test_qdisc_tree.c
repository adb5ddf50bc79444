// SPDX-License-Identifier: GPL-2.0-or-later
/* A tree as a whole: what a change keeps and what it ends, and that the books balance (S19). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_lab.h"

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static struct conf_qdisc fifo(uint32_t handle, enum conf_qdisc_kind kind, uint32_t limit)
{
	return (struct conf_qdisc){
		.handle = handle, .parent = CONF_ROOT, .kind = kind, .fifo.limit = limit
	};
}

/* S15 */
static void test_limits(void **state)
{
	struct conf_qdisc packets = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 3);
	struct conf_qdisc bytes = fifo(CONF_HANDLE(1, 0), CONF_QDISC_BFIFO, 3000);
	struct conf_tree c = one(&packets);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 5; i++)
		lab_send(&l, 1000, 0, 0);
	assert_int_equal(l.t->root->qlen, 3);
	assert_int_equal(l.t->root->backlog, 3000);
	assert_int_equal(l.t->root->stats.drops, 2);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 2);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(lab_serial(&l, lab_take(&l)), i);
	assert_null(lab_take(&l));
	assert_int_equal(l.t->wake, QDISC_NEVER);
	assert_int_equal(l.t->root->backlog, 0);
	assert_int_equal(l.t->root->stats.packets, 3);
	assert_int_equal(l.t->root->stats.bytes, 3000);
	lab_close(&l);

	c = one(&bytes);
	lab_open(&l, &c, 0);
	lab_send(&l, 1500, 0, 0);
	lab_send(&l, 1500, 0, 0);
	lab_send(&l, 60, 0, 0);
	assert_int_equal(l.t->root->qlen, 2);
	lab_close(&l);
}

static void test_change_keeps(void **state)
{
	struct conf_qdisc was = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 10);
	struct conf_qdisc is = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 5);
	struct conf_tree a = one(&was), b = one(&is);
	struct tree_config same = { .conf = &b, .mtu = LAB_MTU, .budget = LAB_FRAMES };
	struct tree_change *none = NULL;
	struct qdisc *root;
	struct lab l;
	(void)state;

	lab_open(&l, &a, 0);
	root = l.t->root;
	for (int i = 0; i < 8; i++)
		lab_send(&l, 100, 0, 0);
	lab_take(&l);
	lab_change(&l, &b);
	assert_ptr_equal(l.t->root, root);
	assert_int_equal(root->qlen, 7);
	assert_int_equal(root->stats.packets, 1);
	lab_send(&l, 100, 0, 0);
	assert_int_equal(root->stats.drops, 1);
	assert_int_equal(tree_plan(l.t, &b, &same, &none), 0);
	assert_null(none); /* nothing to do */
	lab_close(&l);
}

/* Deletion with a backlog. */
static void test_replace_drops(void **state)
{
	struct conf_qdisc was = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 10);
	struct conf_qdisc is = fifo(CONF_HANDLE(1, 0), CONF_QDISC_BFIFO, 5000);
	struct conf_tree a = one(&was), b = one(&is);
	struct lab l;
	(void)state;

	lab_open(&l, &a, 0);
	for (int i = 0; i < 8; i++)
		lab_send(&l, 100, 0, 0);
	lab_change(&l, &b);
	assert_string_equal(l.t->root->ops->kind, "bfifo");
	assert_int_equal(l.t->root->qlen, 0);
	assert_int_equal(l.t->held, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 8);
	lab_close(&l);
}

static void test_budget(void **state)
{
	struct conf_qdisc q = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 100);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 4);
	for (int i = 0; i < 10; i++)
		lab_send(&l, 100, 0, 0);
	assert_int_equal(l.t->held, 4);
	assert_int_equal(l.count->drop[DROP_QDISC_BUDGET], 6);
	assert_int_equal(l.t->root->stats.drops, 6);
	lab_close(&l);
}

static void test_sojourn(void **state)
{
	struct conf_qdisc q = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 1000);
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (unsigned i = 1; i <= 100; i++) { /* 1 to 100 ms */
		lab_send(&l, 100, 0, 0);
		lab_at(&l, l.now + i * NSEC_PER_MSEC);
		lab_take(&l);
	}
	assert_in_range(sojourn_percentile(&l.t->sojourn, 50), 50 * NSEC_PER_MSEC,
			60 * NSEC_PER_MSEC);
	assert_in_range(sojourn_percentile(&l.t->sojourn, 99), 99 * NSEC_PER_MSEC,
			120 * NSEC_PER_MSEC);
	lab_close(&l);
}

/* Of a class above others nothing is known: what went by was filed under those. */
static void test_sojourn_of_leaves(void **state)
{
	struct conf_qdisc q = { .handle = CONF_HANDLE(1, 0),
				.parent = CONF_ROOT,
				.kind = CONF_QDISC_HTB,
				.htb.r2q = 10 };
	struct conf_class cl[2] = { { .handle = CONF_HANDLE(1, 1), .parent = q.handle },
				    { .handle = CONF_HANDLE(1, 2), .parent = CONF_HANDLE(1, 1) } };
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1, .classes = cl, .nclasses = 2 };
	struct qpkt *p;
	struct lab l;
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		cl[i].rate = cl[i].ceil = 125000;
		cl[i].burst = cl[i].cburst = 1600;
	}
	lab_open(&l, &c, 0);
	p = lab_packet(&l, 100, 0);
	p->cls = tree_class(l.t, cl[1].handle)->index;
	assert_int_equal(tree_enqueue_burst(l.t, &p, 1, 1), 1); /* it does not wait */
	lab_free(l.dp, l.memory + p->addr);
	assert_int_equal(tree_class(l.t, cl[0].handle)->stats.packets, 1);
	assert_int_equal(sojourn_percentile(tree_class(l.t, cl[0].handle)->sojourn, 100), 0);
	assert_int_equal(sojourn_percentile(tree_class(l.t, cl[1].handle)->sojourn, 100),
			 NSEC_PER_USEC);
	lab_close(&l);
}

/* Ten thousand prios below an htb: what is done to a tree takes time by its size, not by its
 * square, which the worker would spend where packets wait. */
static void test_many_classful(void **state)
{
	enum { LEAVES = 10000, FIRST = 0x10 };
	struct conf_qdisc *q = calloc(LEAVES + 1, sizeof(*q));
	struct conf_class *cl = calloc(LEAVES, sizeof(*cl));
	struct conf_qdisc root = fifo(CONF_HANDLE(1, 0), CONF_QDISC_PFIFO, 10);
	struct conf_tree many = { .qdiscs = q, .nqdiscs = LEAVES + 1 };
	struct conf_tree few = one(&root);
	struct lab l;
	uint64_t begun;
	(void)state;

	many.classes = cl;
	many.nclasses = LEAVES;
	q[0] = (struct conf_qdisc){ .handle = CONF_HANDLE(1, 0),
				    .parent = CONF_ROOT,
				    .kind = CONF_QDISC_HTB,
				    .htb = { .r2q = 10 } };
	for (uint32_t i = 0; i < LEAVES; i++) {
		uint32_t handle = CONF_HANDLE(1, FIRST + i);

		cl[i] = (struct conf_class){ .handle = handle,
					     .parent = q[0].handle,
					     .rate = 125000,
					     .ceil = 125000,
					     .burst = 1600,
					     .cburst = 1600 };
		q[i + 1] = (struct conf_qdisc){ .handle = CONF_HANDLE(FIRST + i, 0),
						.parent = handle,
						.kind = CONF_QDISC_PRIO,
						.prio.bands = 16 };
	}
	begun = clock_now();
	lab_open(&l, &many, 0);
	lab_send(&l, 1000, 0, cl[LEAVES / 2].handle);
	lab_change(&l, &few);
	assert_int_equal(l.t->held, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 1);
	lab_change(&l, &many);
	tree_reset(l.t);
	lab_close(&l);
	assert_true(clock_now() - begun < 4 * NSEC_PER_SEC);
	free(q);
	free(cl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_change_keeps),
		cmocka_unit_test(test_replace_drops),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_sojourn),
		cmocka_unit_test(test_many_classful),
		cmocka_unit_test(test_sojourn_of_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
