// SPDX-License-Identifier: GPL-2.0-or-later
/* htb changed under load (S1, S19): nothing is lost that stays, nothing is stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/random.h"
#include "tests/unit/htb_lab.h"

static void expect_mbit(const struct htb_load *load, unsigned minor, uint64_t ns, double mbit)
{
	double got = htb_mbit(load, minor, ns);

	if (got < mbit * 0.98 || got > mbit * 1.02)
		fail_msg("class 1:%u: %.3f Mbit/s, not %.3f", minor, got, mbit);
}

static void run_second(struct htb_load *load, struct lab *l)
{
	memset(load->bytes, 0, sizeof(load->bytes));
	assert_true(htb_run(load, l, NSEC_PER_SEC));
	assert_true(books_balance(l));
}

/* Rates, ceils and priorities of leaves and of what is above them: the queues stay, and what a
 * class owes in bytes; the new rate holds from this instant on, for whoever waits, too. */
static void test_rates(void **state)
{
	struct htb_load load = { .len = { [2] = 1000, [3] = 1000 } };
	struct htb_tree t, slow, fast, prio;
	uint64_t sent, waiting;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 10 * MBIT, 10 * MBIT);
	htb_class(&t, 2, 1, 2 * MBIT, 4 * MBIT);
	htb_class(&t, 3, 1, 2 * MBIT, 10 * MBIT);
	lab_open(&l, &t.conf, 0);
	run_second(&load, &l);
	expect_mbit(&load, 2, NSEC_PER_SEC, 4);
	expect_mbit(&load, 3, NSEC_PER_SEC, 6);

	htb_copy(&slow, &t); /* a packet in 8 s: each class is soon deep in debt */
	slow.c[0].rate = slow.c[0].ceil = slow.c[1].rate = slow.c[1].ceil = 125;
	waiting = l.t->root->qlen;
	sent = tree_class(l.t, CLS(2))->stats.packets;
	lab_change(&l, &slow.conf);
	assert_int_equal(l.t->root->qlen, waiting);
	assert_int_equal(tree_class(l.t, CLS(2))->stats.packets, sent);
	run_second(&load, &l);

	htb_copy(&fast, &t);
	lab_change(&l, &fast.conf);
	run_second(&load, &l);
	expect_mbit(&load, 2, NSEC_PER_SEC, 4);
	expect_mbit(&load, 3, NSEC_PER_SEC, 6);

	htb_copy(&prio, &t);
	prio.c[1].ceil = 10 * MBIT;
	prio.c[2].prio = 1;
	lab_change(&l, &prio.conf);
	run_second(&load, &l);
	expect_mbit(&load, 2, NSEC_PER_SEC, 8);
	expect_mbit(&load, 3, NSEC_PER_SEC, 2);
	htb_drain(&load, &l);
	assert_int_equal(l.t->root->qlen, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 0);
	lab_close(&l);
}

/* A leaf with packets gets a class below it, which takes over; when that goes, it is a leaf again.
 */
static void test_leaf_and_inner(void **state)
{
	struct htb_load load = { .len = { [2] = 1000, [3] = 1000 } };
	struct htb_tree flat, deep;
	struct lab l;
	(void)state;

	htb_begin(&flat);
	htb_class(&flat, 1, 0, 10 * MBIT, 10 * MBIT);
	htb_class(&flat, 2, 1, 5 * MBIT, 10 * MBIT);
	htb_class(&flat, 3, 1, 5 * MBIT, 10 * MBIT);
	htb_copy(&deep, &flat);
	htb_class(&deep, 4, 2, 1 * MBIT, 10 * MBIT);
	htb_class(&deep, 5, 2, 1 * MBIT, 10 * MBIT);
	lab_open(&l, &flat.conf, 0);
	for (unsigned i = 0; i < 3; i++) {
		load.len[2] = 1000;
		load.len[4] = load.len[5] = 0;
		run_second(&load, &l);
		expect_mbit(&load, 2, NSEC_PER_SEC, 5);
		expect_mbit(&load, 3, NSEC_PER_SEC, 5);

		lab_change(&l, &deep.conf);
		assert_true(books_balance(&l));
		assert_int_equal(l.t->root->qlen, tree_class(l.t, CLS(3))->child->qlen);
		load.len[2] = 0;
		load.waiting[2] = load.waiting[4] = load.waiting[5] = 0;
		load.len[4] = load.len[5] = 1000;
		run_second(&load, &l);
		expect_mbit(&load, 3, NSEC_PER_SEC, 5);
		expect_mbit(&load, 4, NSEC_PER_SEC, 2.5);
		expect_mbit(&load, 5, NSEC_PER_SEC, 2.5);

		lab_change(&l, &flat.conf);
		assert_true(books_balance(&l));
		load.waiting[4] = load.waiting[5] = 0;
	}
	htb_drain(&load, &l);
	lab_close(&l);
}

/* What r2q and overhead say holds for classes that are there. */
static void test_options(void **state)
{
	struct htb_load load = { .len = { [2] = 100 } };
	struct htb_tree t, next;
	struct lab l;
	(void)state;

	htb_begin(&t);
	htb_class(&t, 1, 0, 10 * MBIT, 10 * MBIT);
	htb_class(&t, 2, 1, 5 * MBIT, 10 * MBIT);
	lab_open(&l, &t.conf, 0);
	run_second(&load, &l);
	expect_mbit(&load, 2, NSEC_PER_SEC, 10);
	htb_copy(&next, &t);
	next.q[0].htb.size.overhead = 100;
	lab_change(&l, &next.conf);
	run_second(&load, &l);
	expect_mbit(&load, 2, NSEC_PER_SEC, 5);
	htb_drain(&load, &l);
	lab_close(&l);
}

/* ---- random changes */

static uint32_t any(uint32_t below)
{
	static uint64_t seed = 4242;

	return random_below(&seed, below);
}

#define MINORS 24u

/* Each class below one with a smaller minor, or at the top, or not there. */
static void any_tree(struct htb_tree *t)
{
	static const enum conf_qdisc_kind kinds[] = { CONF_QDISC_PFIFO, CONF_QDISC_BFIFO,
						      CONF_QDISC_TBF };
	unsigned depth[MINORS + 1] = { 0 };

	htb_begin(t);
	t->q[0].htb.default_minor = any(MINORS);
	for (unsigned m = 1; m <= MINORS; m++) {
		unsigned parent = any(m);
		struct conf_class *c;

		if (any(4) == 0 || (parent && !depth[parent]) || depth[parent] > 5)
			continue;
		depth[m] = depth[parent] + 1;
		c = htb_class(t, m, parent, (1 + any(50)) * MBIT, 0);
		c->ceil = c->rate * (1 + any(3));
		c->prio = any(8);
		c->quantum = any(2) ? 0 : 1000 + any(5000);
		if (any(4) == 0)
			c->burst = c->cburst = any(3000);
	}
	for (unsigned i = 0; i < t->conf.nclasses; i++) { /* any(): on inner classes, too */
		bool inner = false;

		for (unsigned k = 0; k < t->conf.nclasses; k++)
			inner |= t->c[k].parent == t->c[i].handle;
		if (inner || any(2))
			continue;
		t->q[t->conf.nqdiscs++] = (struct conf_qdisc){
			.handle = CONF_HANDLE(0x100 + CONF_MINOR(t->c[i].handle), 0),
			.parent = t->c[i].handle,
			.kind = kinds[any(3)],
		};
		if (t->q[t->conf.nqdiscs - 1].kind == CONF_QDISC_TBF)
			t->q[t->conf.nqdiscs - 1].tbf =
				(struct conf_tbf){ .rate = MBIT, .burst = 3000, .limit = 30000 };
	}
}

/* Packets come, leave and wait while everything about the classes changes: after each change the
 * books balance, and in the end all of it leaves. */
static void test_random_changes(void **state)
{
	static struct htb_tree trees[2];
	struct lab l;
	(void)state;

	any_tree(&trees[0]);
	lab_open(&l, &trees[0].conf, 0);
	for (unsigned i = 1; i < 3000; i++) {
		for (unsigned k = any(60); k; k--)
			lab_send(&l, (uint16_t)(60 + any(1450)), any(16), CLS(1 + any(MINORS)));
		for (unsigned k = any(60); k; k--) {
			lab_at(&l, l.now + any(1000000));
			lab_take(&l);
		}
		any_tree(&trees[i % 2]);
		lab_change(&l, &trees[i % 2].conf);
		assert_true(books_balance(&l));
		if (any(10) == 0)
			while (lab_wait(&l)) {
			}
		if (l.t->wake == QDISC_NEVER && any(2))
			lab_at(&l, l.now + any(100) * NSEC_PER_SEC);
	}
	while (lab_wait(&l)) {
	}
	assert_int_equal(l.t->root->qlen, 0);
	assert_true(books_balance(&l));
	lab_close(&l);
}

/* A thousand classes: their options come in pieces, between which packets go on. */
static void test_pieces(void **state)
{
	enum { MANY = 1000 };
	static struct conf_class was[MANY], is[MANY];
	struct conf_qdisc root = { .handle = ROOT,
				   .parent = CONF_ROOT,
				   .kind = CONF_QDISC_HTB,
				   .htb = { .r2q = 10, .direct_limit = 1000 } };
	struct conf_tree conf = { .qdiscs = &root, .nqdiscs = 1, .classes = was, .nclasses = MANY };
	struct tree_config to = { .mtu = LAB_MTU, .budget = LAB_FRAMES };
	struct tree_change *change;
	unsigned calls = 1;
	uint64_t at;
	struct lab l;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		was[i] = (struct conf_class){ .handle = CLS(i + 1),
					      .parent = ROOT,
					      .rate = MBIT,
					      .ceil = MBIT,
					      .burst = 1600,
					      .cburst = 1600 };
		is[i] = was[i];
		is[i].rate = is[i].ceil = 2 * MBIT;
	}
	lab_open(&l, &conf, 0);
	conf.classes = is;
	to.conf = &conf;
	assert_int_equal(tree_plan(l.t, &l.conf, &to, &change), 0);
	while (!tree_apply(l.t, change)) {
		lab_send(&l, 1000, 0, CLS(1));
		lab_send(&l, 1000, 0, CLS(MANY));
		lab_take(&l);
		assert_true(books_balance(&l));
		calls++;
	}
	assert_in_range(calls, 3, 10);
	tree_change_destroy(change);
	l.conf.classes = is;
	while (lab_wait(&l)) {
	}
	assert_int_equal(l.t->root->qlen, 0);
	at = l.now;
	for (unsigned i = 0; i < 20; i++) {
		lab_send(&l, 1000, 0, CLS(1));
		lab_send(&l, 1000, 0, CLS(MANY));
	}
	while (lab_wait(&l)) {
	}
	assert_in_range(l.now - at, 70 * NSEC_PER_MSEC, 80 * NSEC_PER_MSEC); /* at 2 Mbit/s */
	assert_int_equal(l.t->root->qlen, 0);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 0);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),	cmocka_unit_test(test_leaf_and_inner),
		cmocka_unit_test(test_options), cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests_name("qdisc_htb_change", tests, NULL, NULL);
}
