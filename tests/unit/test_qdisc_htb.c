// SPDX-License-Identifier: GPL-2.0-or-later
/* htb: when packets leave, to the nanosecond, and which (S1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/htb_lab.h"

static int64_t value_in(const struct qdisc_value *v, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return v[i].value;
	fail_msg("no value named %s", name);
	return 0;
}

static int64_t class_value(const struct lab *l, unsigned minor, const char *name)
{
	struct qdisc_value v[QDISC_VALUES_MAX];
	const struct qclass *c = tree_class(l->t, CLS(minor));

	return value_in(v, htb_ops.class_values(c, v), name);
}

static int64_t root_value(const struct lab *l, const char *name)
{
	struct qdisc_value v[QDISC_VALUES_MAX];

	return value_in(v, htb_ops.values(l->t->root, v), name);
}

static uint64_t divide_up(unsigned __int128 a, uint64_t b)
{
	return (uint64_t)((a + b - 1) / b);
}

/* ---- time */

/* A packet leaves when what left before it, less the burst, has come in: no drift, any rate. A tick
 * is 2^-12 ns, and each packet's cost is rounded to one. */
static void test_instants(void **state)
{
	static const uint64_t rates[] = { 1000,	    MBIT,	 333333,     10 * MBIT,
					  12499999, 1000 * MBIT, 5000 * MBIT };
	(void)state;

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint64_t start, before = 0;
		struct conf_class *c;
		struct htb_tree t;
		struct lab l;

		htb_begin(&t);
		htb_class(&t, 1, 0, rates[r], rates[r]);
		c = htb_class(&t, 2, 1, rates[r], rates[r]);
		t.c[0].burst = t.c[0].cburst = c->burst = c->cburst = 2000;
		t.q[t.conf.nqdiscs++] = (struct conf_qdisc){ .handle = CONF_HANDLE(2, 0),
							     .parent = CLS(2),
							     .kind = CONF_QDISC_PFIFO,
							     .fifo = { 20000 } };
		lab_open(&l, &t.conf, 0);
		start = l.now;
		for (unsigned i = 0; i < 20000; i++)
			lab_send(&l, (uint16_t)(60 + i * 97 % 1455), 0, CLS(2));
		for (uint32_t i = 0; i < 20000; i++) {
			const struct qpkt *p = lab_wait(&l);
			uint64_t owed = before > 2000 ? before - 2000 : 0;
			uint64_t want = divide_up((unsigned __int128)owed * NSEC_PER_SEC, rates[r]);

			assert_non_null(p);
			assert_int_equal(lab_serial(&l, p), i + 1);
			assert_in_range(l.now - start + 4, want, want + 8);
			before += p->len;
		}
		assert_null(lab_wait(&l));
		assert_int_equal(l.t->wake, QDISC_NEVER);
		lab_close(&l);
	}
}

static unsigned at_once(struct lab *l)
{
	unsigned n = 0;

	while (lab_take(l))
		n++;
	return n;
}

/* However long it was idle, a class keeps its burst and no more. */
static void test_burst_after_idle(void **state)
{
	struct htb_tree t;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 10 * MBIT, 10 * MBIT)->burst = 30000;
	htb_class(&t, 2, 1, MBIT, 10 * MBIT)->cburst = 10000;
	t.c[0].cburst = 30000;
	lab_open(&l, &t.conf, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 50; i++)
			lab_send(&l, 1000, 0, CLS(2));
		assert_int_equal(at_once(&l), 11); /* ten, and one that overdraws */
		while (lab_wait(&l)) {
		}
		lab_at(&l, l.now + (round ? 86400 : 1) * NSEC_PER_SEC);
	}
	lab_close(&l);
}

/* What the link layer adds counts: 10 bytes more, ATM's cells, at least so much. */
static void test_size(void **state)
{
	static const struct {
		struct conf_size size;
		uint16_t len;
		uint64_t counts;
	} cases[] = {
		{ { 0, 0, CONF_LINKLAYER_ETHERNET }, 1000, 1000 },
		{ { 10, 0, CONF_LINKLAYER_ETHERNET }, 1000, 1010 },
		{ { -14, 0, CONF_LINKLAYER_ETHERNET }, 1000, 986 },
		{ { 4, 84, CONF_LINKLAYER_ETHERNET }, 60, 84 },
		{ { 10, 0, CONF_LINKLAYER_ATM }, 1000, 22 * 53 },
	};
	(void)state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct htb_tree t;
		uint64_t start;
		struct lab l;

		htb_begin(&t);
		t.q[0].htb.size = cases[i].size;
		htb_class(&t, 1, 0, 1000000, 1000000);
		t.c[0].burst = t.c[0].cburst = 0;
		lab_open(&l, &t.conf, 0);
		start = l.now;
		for (unsigned k = 0; k < 101; k++)
			lab_send(&l, cases[i].len, 0, CLS(1));
		while (l.t->root->qlen)
			assert_non_null(lab_wait(&l));
		assert_int_equal(l.now - start, 100 * cases[i].counts * 1000);
		lab_close(&l);
	}
}

/* ---- which */

/* Whoever no class knows goes to the default one, or leaves at once; so does who names an inner
 * class. */
static void test_default_and_direct(void **state)
{
	struct htb_tree t, next, last;
	struct lab l;
	(void)state;

	htb_begin(&t);
	t.q[0].htb.direct_limit = 3;
	htb_class(&t, 1, 0, MBIT, MBIT);
	htb_class(&t, 2, 1, MBIT, MBIT);
	lab_open(&l, &t.conf, 0);
	for (unsigned i = 0; i < 5; i++)
		lab_send(&l, 1500, 0, i % 2 ? CLS(1) : 0);
	assert_int_equal(l.t->root->qlen, 3);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 2);
	assert_true(books_balance(&l));
	assert_int_equal(at_once(&l), 3);
	assert_int_equal(root_value(&l, "direct_packets_stat"), 3);

	htb_copy(&next, &t);
	next.q[0].htb.default_minor = 2;
	lab_change(&l, &next.conf);
	for (unsigned i = 0; i < 5; i++)
		lab_send(&l, 1500, 0, i % 2 ? CLS(1) : 0);
	assert_int_equal(tree_class(l.t, CLS(2))->child->qlen, 5);
	assert_int_equal(at_once(&l), 2);
	htb_copy(&last, &next); /* the default class goes, with its packets; its parent is a leaf */
	last.conf.nclasses = 1;
	lab_change(&l, &last.conf);
	assert_int_equal(l.t->root->qlen, 0);
	lab_send(&l, 1500, 0, 0);
	assert_int_equal(at_once(&l), 1);
	assert_int_equal(root_value(&l, "direct_packets_stat"), 4);
	lab_send(&l, 1500, 0, CLS(1));
	assert_int_equal(tree_class(l.t, CLS(1))->child->qlen, 1);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 3);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* A burst is its packets, one after the other, whatever class they name. */
static void test_burst(void **state)
{
	struct qpkt *burst[BURST];
	struct htb_tree t;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 1000 * MBIT, 1000 * MBIT)->cburst = 1000000;
	for (unsigned m = 2; m <= 50; m++)
		htb_class(&t, m, 1, 20 * MBIT, 1000 * MBIT);
	lab_open(&l, &t.conf, 0);
	for (unsigned i = 0; i < BURST; i++) {
		burst[i] = lab_packet(&l, 100, i);
		burst[i]->cls = i < 60 ? i : QCLASS_NONE; /* 1:1 is inner, 50 .. are none: direct */
	}
	tree_enqueue_burst(l.t, burst, BURST, 0);
	assert_int_equal(l.t->root->qlen, BURST);
	assert_int_equal(root_value(&l, "direct_packets_stat"), BURST - 49);
	for (unsigned i = 1; i < 50; i++)
		assert_int_equal(l.t->cls[i]->child->qlen, 1);
	tree_enqueue_burst(l.t, burst, 0, 0);
	assert_int_equal(at_once(&l), BURST);
	lab_close(&l);
}

/* A child that drops what it holds when it is asked, or that holds it back, keeps nobody else from
 * sending, and is asked again in time. */
static void test_children_that_give_nothing(void **state)
{
	const struct qpkt *p;
	struct htb_tree t;
	uint64_t start;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 100 * MBIT, 100 * MBIT);
	htb_class(&t, 2, 1, 50 * MBIT, 100 * MBIT);
	htb_class(&t, 3, 1, 50 * MBIT, 100 * MBIT);
	t.q[1] = (struct conf_qdisc){ .handle = CONF_HANDLE(2, 0),
				      .parent = CLS(2),
				      .kind = CONF_QDISC_TBF,
				      .tbf = { .rate = 125000, .burst = 1500, .limit = 100000 } };
	t.conf.nqdiscs = 2;
	lab_open(&l, &t.conf, 0);
	start = l.now;
	for (unsigned i = 0; i < 4; i++)
		lab_send(&l, 1500, 2, CLS(2));
	for (unsigned i = 0; i < 40; i++)
		lab_send(&l, 1500, 3, CLS(3));
	for (unsigned twos = 0; (p = lab_wait(&l));) { /* each 12 ms; the others need 5 */
		if (p->hash != 2)
			continue;
		assert_in_range(l.now - start, twos * 12000000, twos * 12000000 + 240000);
		twos++;
	}
	assert_int_equal(l.now - start, 36000000);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* ---- seen */

static void test_counters(void **state)
{
	struct htb_load load = { .len = { [2] = 1000 } };
	struct htb_tree t, next;
	uint64_t sent;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 10 * MBIT, 10 * MBIT);
	htb_class(&t, 2, 1, 2 * MBIT, 5 * MBIT);
	htb_class(&t, 3, 1, 2 * MBIT, 10 * MBIT);
	lab_open(&l, &t.conf, 0);
	assert_true(htb_run(&load, &l, NSEC_PER_SEC));
	sent = tree_class(l.t, CLS(2))->stats.packets;
	assert_in_range(sent, 624, 630);
	assert_in_range(class_value(&l, 2, "borrowed"), 370, 378);
	/* as Linux counts it: what it sends within its own rate, it lends to itself */
	assert_int_equal(class_value(&l, 2, "lended"), sent - class_value(&l, 2, "borrowed"));
	assert_int_equal(tree_class(l.t, CLS(1))->stats.packets, sent);
	assert_int_equal(tree_class(l.t, CLS(1))->stats.bytes, sent * 1000);
	assert_int_equal(class_value(&l, 1, "lended"), class_value(&l, 2, "borrowed"));
	assert_in_range(class_value(&l, 2, "waited_rate"), sent - 3, sent); /* each but the burst */
	assert_int_equal(class_value(&l, 2, "waited_parent"), 0);
	assert_in_range(class_value(&l, 1, "waited_rate"), 0, 3); /* in the first burst */
	assert_true(class_value(&l, 2, "ctokens") <= 0);
	assert_int_equal(class_value(&l, 2, "giants"), 0);

	load.len[3] = 1000; /* 5 and 5, and who waits now waits for the parent */
	htb_copy(&next, &t);
	next.c[1].ceil = 10 * MBIT;
	lab_change(&l, &next.conf);
	assert_true(htb_run(&load, &l, NSEC_PER_SEC));
	assert_true(class_value(&l, 3, "waited_parent") > 500);
	assert_true(class_value(&l, 1, "waited_rate") > 1000);
	assert_in_range(class_value(&l, 3, "waited_rate"), 0, 5);
	htb_drain(&load, &l);
	assert_int_equal(l.t->root->qlen, 0);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instants), cmocka_unit_test(test_burst_after_idle),
		cmocka_unit_test(test_size),	 cmocka_unit_test(test_default_and_direct),
		cmocka_unit_test(test_burst),	 cmocka_unit_test(test_children_that_give_nothing),
		cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests_name("qdisc_htb", tests, NULL, NULL);
}
