// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * htb against a model: random trees under random loads.
 *
 * Leaves that are always busy are compared with what a fluid would get (S1, S3). With leaves that
 * come and go, or that reach a ceil while others of less priority wait, there is no one fluid: who
 * is away for a microsecond has nothing to be served. There, as everywhere, hold the invariants
 * (S2): no class ever above its ceil, none below what it is guaranteed, nothing unused at the top.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/random.h"
#include "tests/unit/htb_lab.h"

#define TREES	 20
#define SECONDS	 10
#define LEN_MAX	 1514
#define NO_LIMIT 1e18

enum family {
	BUSY,	  /* any ceils, one priority, leaves always busy: within 5 % of the fluid */
	PRIORITY, /* any priorities, ceils as the top's, leaves always busy: within 2 % */
	ANY,
};

static uint64_t seed;
static unsigned tree_number; /* for who reads of a failure */

static uint64_t any(uint64_t below)
{
	return random_below(&seed, (unsigned)below);
}

/* ---- what should come out */

struct model {
	const struct htb_tree *t;
	int up[CLASSES]; /* index of the class above; -1 */
	bool inner[CLASSES];
	double demand[CLASSES], got[CLASSES]; /* bytes a second */
};

static void model_init(struct model *m, const struct htb_tree *t, const struct htb_load *load)
{
	memset(m, 0, sizeof(*m));
	m->t = t;
	for (unsigned i = 0; i < t->conf.nclasses; i++) {
		unsigned minor = CONF_MINOR(t->c[i].handle);

		m->up[i] = (int)CONF_MINOR(t->c[i].parent) - 1;
		if (m->up[i] >= 0)
			m->inner[m->up[i]] = true;
		if (load->len[minor])
			m->demand[i] = load->every[minor]
					       ? load->len[minor] * 1e9 / (double)load->every[minor]
					       : NO_LIMIT;
	}
}

static bool is_below(const struct model *m, int i, int above)
{
	while (i >= 0 && i != above)
		i = m->up[i];
	return i == above;
}

/* How much more leaf i may get before it, or a class above it, is at its limit. */
static double room_of(const struct model *m, int i)
{
	double room = m->demand[i] - m->got[i];

	for (; i >= 0; i = m->up[i])
		room = fmin(room, (double)m->t->c[i].ceil - m->got[i]);
	return room;
}

static void give(struct model *m, int i, double bytes)
{
	for (; i >= 0; i = m->up[i])
		m->got[i] += bytes;
}

/* What a class counts for among the borrowers of its parent: a leaf its quantum, an inner class as
 * many times as leaves below it want to borrow, each with the least quantum of its siblings. */
static double vote(const struct model *m, const uint32_t *wants, int i)
{
	double sum = 0;

	if (!m->inner[i])
		return wants[i] ? m->t->c[i].quantum : 0;
	for (int k = 0; k < (int)m->t->conf.nclasses; k++) {
		uint32_t least = UINT32_MAX;

		if (m->inner[k] || !wants[k] || !is_below(m, k, i))
			continue;
		for (int s = 0; s < (int)m->t->conf.nclasses; s++)
			if (m->up[s] == m->up[k] && !m->inner[s] && m->t->c[s].quantum < least)
				least = m->t->c[s].quantum;
		sum += least;
	}
	return sum;
}

/* What part of what `lender` lends comes to leaf i. */
static double share(const struct model *m, const uint32_t *wants, int lender, int i)
{
	double part = 1;

	for (; i != lender; i = m->up[i]) {
		double all = 0;

		for (int k = 0; k < (int)m->t->conf.nclasses; k++)
			if (m->up[k] == m->up[i])
				all += vote(m, wants, k);
		part *= vote(m, wants, i) / all;
	}
	return part;
}

/* `lender` shares what it has left of its rate among the leaves below it, of the first priority
 * that wants any, by what they count for; in small steps, as limits are reached one by one. */
static void lend(struct model *m, int lender)
{
	int n = (int)m->t->conf.nclasses;
	double step = (double)m->t->c[lender].rate / 4000;

	while ((double)m->t->c[lender].rate - m->got[lender] > step / 100) {
		double left = fmin((double)m->t->c[lender].rate - m->got[lender], step);
		uint32_t prio = 8, wants[CLASSES] = { 0 };
		double parts[CLASSES] = { 0 };
		bool any_wants = false;

		for (int i = 0; i < n; i++)
			if (!m->inner[i] && is_below(m, i, lender) && room_of(m, i) > 1e-3) {
				wants[i] = 1;
				if (m->t->c[i].prio < prio)
					prio = m->t->c[i].prio;
			}
		for (int i = 0; i < n; i++) {
			wants[i] &= m->t->c[i].prio == prio;
			any_wants |= wants[i];
		}
		if (!any_wants)
			return;
		for (int i = 0; i < n; i++)
			parts[i] = wants[i] ? share(m, wants, lender, i) : 0;
		for (int i = 0; i < n; i++)
			if (wants[i])
				give(m, i, fmin(left * parts[i], room_of(m, i)));
	}
}

static void model_run(struct model *m)
{
	int n = (int)m->t->conf.nclasses;

	for (int i = 0; i < n; i++)
		if (!m->inner[i])
			give(m, i, fmin(m->demand[i], (double)m->t->c[i].rate));
	for (int i = n - 1; i >= 0; i--) /* children stand after their parents */
		if (m->inner[i])
			lend(m, i);
}

/* ---- a bucket for each class, and one for the clock */

struct watch {
	const struct htb_tree *t;
	double level[CLASSES]; /* bytes that are beyond the ceil's rate */
	uint64_t at[CLASSES];
};

static void watch_left(struct htb_load *load, struct lab *l, const struct qpkt *p, unsigned minor)
{
	struct watch *w = load->arg;

	for (int i = (int)minor - 1; i >= 0; i = (int)CONF_MINOR(w->t->c[i].parent) - 1) {
		const struct conf_class *c = &w->t->c[i];

		w->level[i] -= (double)(l->now - w->at[i]) * (double)c->ceil / 1e9;
		w->level[i] = (w->level[i] > 0 ? w->level[i] : 0) + p->len;
		w->at[i] = l->now;
		if (w->level[i] > (double)c->cburst + LEN_MAX + 1)
			fail_msg("tree %u: class 1:%u sent %.0f bytes more than its ceil in a "
				 "window",
				 tree_number, CONF_MINOR(c->handle), w->level[i]);
	}
}

/* ---- random trees */

/* Up to four levels. The rates of children add up to their parent's at most. */
static void grow(struct htb_tree *t, unsigned minor, unsigned depth, enum family family)
{
	unsigned n = 1 + (unsigned)any(4);
	uint64_t left = t->c[minor - 1].rate;

	for (unsigned i = 0; i < n && t->conf.nclasses < CLASSES - 1; i++) {
		uint64_t rate = i + 1 < n || any(2) ? left / (n - i) * (50 + any(51)) / 100 : left;
		uint64_t ceil = t->c[minor - 1].ceil;
		unsigned self = t->conf.nclasses + 1;
		struct conf_class *c;

		if (rate < MBIT / 10)
			break;
		if (any(3) == 0 && family != PRIORITY)
			ceil = rate + (ceil > rate ? any(ceil - rate) : 0);
		c = htb_class(t, self, minor, rate, ceil > rate ? ceil : rate);
		c->prio = any(4) || family == BUSY ? 0 : (uint32_t)any(3);
		c->quantum = 1600 + (uint32_t)any(4) * 800;
		c->burst = c->cburst = 3000 + any(10000);
		left -= rate;
		if (depth < 4 && any(3) == 0)
			grow(t, self, depth + 1, family);
	}
}

static void grow_tree(struct htb_tree *t, enum family family)
{
	struct conf_class *top;

	htb_begin(t);
	top = htb_class(t, 1, 0, (5 + any(60)) * MBIT, 0);
	top->ceil = top->rate;
	top->burst = top->cburst = 4000 + any(4000);
	top->quantum = 1600;
	grow(t, 1, 1, family);
}

static void load_leaves(const struct htb_tree *t, struct htb_load *load, enum family family)
{
	static const uint16_t lens[] = { 64, 512, 1000, LEN_MAX };
	struct model m;

	model_init(&m, t, load);
	for (unsigned i = 0; i < t->conf.nclasses; i++) {
		if (m.inner[i] || any(4) == 0)
			continue;
		load->len[i + 1] = lens[any(4)];
		if (any(2) && family == ANY) /* between a tenth and twice its rate */
			load->every[i + 1] = load->len[i + 1] * NSEC_PER_SEC * 10 /
					     (t->c[i].rate * (1 + any(20)));
		load->due[i + 1] = NSEC_PER_SEC;
	}
}

/* As the fluid, or nearly: there are packets. What a leaf at its ceil leaves over of its share goes
 * to its siblings first, while it is away for a packet's time. */
static void compare(const struct model *m, const struct htb_load *load, double percent)
{
	double slack = (double)m->t->c[0].rate * 0.005;

	for (unsigned i = 0; i < m->t->conf.nclasses; i++) {
		double got = (double)load->bytes[i + 1] / SECONDS, want = m->got[i];

		if (!m->inner[i] && fabs(got - want) > want * percent / 100 + slack)
			fail_msg("tree %u: class 1:%u got %.0f bytes/s, not %.0f", tree_number,
				 i + 1, got, want);
	}
}

/* No leaf below its guarantee, and as much in all as the fluid. */
static void invariants(const struct model *m, const struct htb_load *load)
{
	double sum = 0;

	for (unsigned i = 0; i < m->t->conf.nclasses; i++) {
		double got = (double)load->bytes[i + 1] / SECONDS;
		double least = fmin(m->demand[i], (double)m->t->c[i].rate);

		sum += got;
		if (!m->inner[i] && got < least * 0.995 - 2 * LEN_MAX)
			fail_msg("tree %u: class 1:%u got %.0f bytes/s of its %.0f", tree_number,
				 i + 1, got, least);
	}
	if (fabs(sum - m->got[0]) > m->got[0] * 0.01 + 2 * LEN_MAX)
		fail_msg("tree %u: %.0f bytes/s in all, not %.0f", tree_number, sum, m->got[0]);
}

static void one_tree(uint64_t number, enum family family)
{
	static struct htb_tree t;
	struct htb_load load = { .left = watch_left };
	struct watch w = { .t = &t };
	struct model m;
	struct lab l;

	seed = number * 7919 + 17;
	tree_number = (unsigned)number;
	grow_tree(&t, family);
	load_leaves(&t, &load, family);
	load.arg = &w;
	model_init(&m, &t, &load);
	model_run(&m);
	lab_open(&l, &t.conf, 0);
	assert_true(htb_run(&load, &l, NSEC_PER_SEC));
	memset(load.bytes, 0, sizeof(load.bytes));
	assert_true(htb_run(&load, &l, SECONDS * NSEC_PER_SEC));
	if (family != ANY)
		compare(&m, &load, family == PRIORITY ? 2 : 5);
	invariants(&m, &load);
	assert_true(books_balance(&l));
	htb_drain(&load, &l);
	assert_int_equal(l.t->root->qlen, 0);
	lab_close(&l);
}

static void many_trees(enum family family)
{
	const char *trees = getenv("HTB_TREES"); /* more than usual */
	uint64_t n = trees ? strtoull(trees, NULL, 10) : TREES;

	for (uint64_t i = 0; i < n; i++)
		one_tree(i, family);
}

static void test_busy(void **state)
{
	(void)state;
	many_trees(BUSY);
}

static void test_priorities(void **state)
{
	(void)state;
	many_trees(PRIORITY);
}

static void test_any(void **state)
{
	(void)state;
	many_trees(ANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("qdisc_htb_model", tests, NULL, NULL);
}
