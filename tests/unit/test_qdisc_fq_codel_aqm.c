// SPDX-License-Identifier: GPL-2.0-or-later
/* fq_codel: CoDel in each flow, what it remembers and what it must not (S5, S6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fq_codel_lab.h"

/* CoDel is of the flow: who keeps a queue is marked or dropped, the others never. */
static void test_codel(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint64_t first = 0, start, drops;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	start = l.now;
	for (int i = 0; i < 30; i++)
		send_to(&l, 1000, 1);
	for (int i = 0; i < 1000; i++) {
		lab_at(&l, l.now + MS);
		send_to(&l, 1000, 1 + (uint32_t)i % 2);
		drops = l.count->drop[DROP_QDISC_AQM];
		assert_non_null(lab_take(&l));
		if (!first && drops != l.count->drop[DROP_QDISC_AQM])
			first = l.now;
	}
	assert_in_range(first, start + 105 * MS, start + 107 * MS);
	assert_true(l.t->root->stats.drops > 5);
	for (struct qflow *fl = l.t->flows->pool; fl < l.t->flows->pool + l.t->flows->used; fl++)
		if ((uint32_t)fl->key == 1) /* bucket of flow 2 */
			assert_int_equal(fl->codel.count, 0);
	lab_close(&l);
}

/* One flow alone is treated as by codel: the first drop a whole interval after the first packet
 * that stayed for exactly the target. */
static void test_instant(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint64_t start;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	start = l.now;
	for (int i = 0; i < 30; i++)
		send_to(&l, 1000, 1);
	while (!l.count->drop[DROP_QDISC_AQM]) {
		lab_at(&l, l.now + MS);
		send_to(&l, 1000, 1);
		assert_non_null(lab_take(&l));
	}
	assert_int_equal(l.now, start + 105 * MS);
	lab_close(&l);
}

/* A ce_threshold below target marks packets that nothing else is wrong with. */
static void test_ce_threshold(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.fq_codel.ce_threshold = MS;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 2; i++) {
		struct qpkt *p = lab_packet(&l, 1000, 1);

		l.memory[p->addr + ETH_HLEN + 1] = 1; /* ECT(1) */
		tree_enqueue(l.t, p);
	}
	lab_at(&l, l.now + MS);
	lab_take(&l);
	assert_int_equal(value(l.t->root, "ce_mark"), 0);
	lab_at(&l, l.now + 1);
	lab_take(&l);
	assert_int_equal(value(l.t->root, "ce_mark"), 1);
	assert_int_equal(value(l.t->root, "ecn_mark"), 0);
	lab_close(&l);
}

/* Thirty packets of flow 1, much later, stay for too long, but not for an interval. */
static void expect_rested(struct lab *l)
{
	unsigned got = 0;

	lab_at(l, l->now + 200 * MS);
	for (uint32_t i = 0; i < 30; i++)
		send_to(l, 1000, 1);
	lab_at(l, l->now + 10 * MS);
	for (struct qpkt *p; (p = lab_take(l));)
		got += flow_of(p) == 1;
	assert_int_equal(got, 30);
}

/* What a flow did before it had no packets says nothing about now, however that was noticed. */
static void test_rested(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0); /* with all others, when the last packet left */
	send_to(&l, 1514, 1);
	send_to(&l, 800, 2);
	send_to(&l, 800, 2);
	lab_at(&l, l.now + 10 * MS);
	expect(&l, "122");
	expect_rested(&l);
	lab_close(&l);

	lab_open(&l, &c, 0); /* as it went to the old list */
	for (int i = 0; i < 100; i++)
		send_to(&l, 700, 2);
	expect(&l, "2222");
	send_to(&l, 100, 1);
	lab_at(&l, l.now + 10 * MS);
	expect(&l, "12");
	expect_rested(&l);
	lab_close(&l);

	lab_open(&l, &c, 0); /* as it left the old list */
	for (int i = 0; i < 100; i++)
		send_to(&l, 1514, 2);
	expect(&l, "22");
	send_to(&l, 100, 1);
	lab_at(&l, l.now + 10 * MS);
	expect(&l, "1222");
	assert_int_equal(value(l.t->root, "old_flows_len"), 1);
	expect_rested(&l);
	lab_close(&l);
}

/* Drops for want of room make CoDel stricter; a reset forgets everything. */
static void test_told(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.fq_codel.limit = 99;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 100; i++)
		send_to(&l, 1000, 1);
	assert_int_equal(l.t->flows->pool[0].codel.count, 50);
	l.t->root->ops->reset(l.t->root);
	assert_int_equal(l.t->root->qlen, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 50);
	send_to(&l, 1000, 1);
	assert_int_equal(l.t->flows->used, 2);
	assert_true(l.t->flows->pool[1].listed);
	lab_close(&l);
}

/* A flow that was forgotten by all but CoDel goes on as strictly as before. */
static void test_learned(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct qflow *fl;
	uint32_t count;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 30; i++)
		send_to(&l, 1000, 1);
	for (int i = 0; i < 2000; i++) {
		lab_at(&l, l.now + MS);
		if (l.t->root->qlen < 30)
			send_to(&l, 1000, 1);
		send_to(&l, 1000, 1);
		assert_non_null(lab_take(&l));
	}
	while (lab_take(&l))
		;
	fl = l.t->flows->pool;
	count = fl->codel.count;
	assert_true(count > 100);
	assert_false(fl->listed);
	assert_true(codel_at_rest(&fl->codel));
	send_to(&l, 1000, 1);
	assert_true(fl->listed);
	assert_non_null(lab_take(&l));
	assert_int_equal(fl->codel.count, count);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codel),	     cmocka_unit_test(test_instant),
		cmocka_unit_test(test_ce_threshold), cmocka_unit_test(test_rested),
		cmocka_unit_test(test_told),	     cmocka_unit_test(test_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
