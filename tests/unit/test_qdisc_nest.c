// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any classful discipline takes any child, three deep: the books balance at each step (S19), all
 * that was not dropped leaves, in the order of its flow unless netem had it, and a child is
 * exchanged for another under load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_books.h"

#define MS	  NSEC_PER_MSEC
#define HANDLE(i) CONF_HANDLE((i) + 1, 0)

static const enum conf_qdisc_kind classful[] = { CONF_QDISC_TBF, CONF_QDISC_PRIO, CONF_QDISC_HTB,
						 CONF_QDISC_RED, CONF_QDISC_NETEM };
#define NCLASSFUL (sizeof(classful) / sizeof(classful[0]))

/* A chain of qdiscs, each under the first class of the one before. */
struct chain {
	struct conf_qdisc q[3];
	struct conf_class cl[3];
	struct conf_tree tree;
};

/* Small limits, so that all of them drop; 1000 bytes take 1 ms. */
static void options(struct conf_qdisc *q)
{
	switch (q->kind) {
	case CONF_QDISC_PFIFO:
	case CONF_QDISC_PFIFO_FAST: q->fifo.limit = 20; break;
	case CONF_QDISC_BFIFO: q->fifo.limit = 20000; break;
	case CONF_QDISC_TBF:
		q->tbf = (struct conf_tbf){ .rate = 1000000, .burst = 3000, .limit = 20000 };
		break;
	case CONF_QDISC_PRIO: q->prio.bands = 2; break;
	case CONF_QDISC_HTB:
		q->htb = (struct conf_htb){ .default_minor = 1, .r2q = 10, .direct_limit = 10 };
		break;
	case CONF_QDISC_SFQ:
		q->sfq = (struct conf_sfq){
			.limit = 20, .depth = 10, .divisor = 64, .flows = 10, .perturb = 7 * MS
		};
		break;
	case CONF_QDISC_RED:
		q->red = (struct conf_red){ .limit = 30000,
					    .min = 5000,
					    .max = 15000,
					    .avpkt = 1000,
					    .burst = 9,
					    .bandwidth = 1000000,
					    .probability = UINT32_MAX / 10 };
		break;
	case CONF_QDISC_CODEL:
		q->codel = (struct conf_codel){
			.limit = 20, .target = MS, .interval = 5 * MS, .ce_threshold = UINT64_MAX
		};
		break;
	case CONF_QDISC_FQ_CODEL:
		q->fq_codel = (struct conf_fq_codel){ .limit = 20,
						      .flows = 16,
						      .target = MS,
						      .interval = 5 * MS,
						      .ce_threshold = UINT64_MAX,
						      .memory_limit = 1 << 20,
						      .drop_batch = 4 };
		break;
	case CONF_QDISC_NETEM:
		q->netem = (struct conf_netem){ .limit = 30,
						.delay = 3 * MS,
						.jitter = MS,
						.loss = UINT32_MAX / 50,
						.duplicate = UINT32_MAX / 50,
						.seed = 5 };
		break;
	case CONF_QDISC_NOQUEUE:
	case CONF_QDISC_KINDS: break;
	}
}

static void chain(struct chain *c, enum conf_qdisc_kind a, enum conf_qdisc_kind b,
		  enum conf_qdisc_kind leaf)
{
	const enum conf_qdisc_kind kinds[3] = { a, b, leaf };

	memset(c, 0, sizeof(*c));
	c->tree = (struct conf_tree){ .qdiscs = c->q, .nqdiscs = 3, .classes = c->cl };
	for (unsigned i = 0; i < 3; i++) {
		c->q[i].handle = HANDLE(i);
		c->q[i].parent = i ? HANDLE(i - 1) | 1 : CONF_ROOT;
		c->q[i].kind = kinds[i];
		options(&c->q[i]);
		if (kinds[i] == CONF_QDISC_HTB)
			c->cl[c->tree.nclasses++] = (struct conf_class){ .handle = HANDLE(i) | 1,
									 .parent = HANDLE(i),
									 .rate = 1000000,
									 .ceil = 1000000,
									 .burst = 1600,
									 .cburst = 1600 };
	}
}

static bool has_netem(const struct chain *c)
{
	return c->q[0].kind == CONF_QDISC_NETEM || c->q[1].kind == CONF_QDISC_NETEM ||
	       c->q[2].kind == CONF_QDISC_NETEM;
}

#define FLOWS 5

/* Twice as much as a millisecond takes, for 60 of them, and what leaves meanwhile. */
static unsigned load(struct lab *l, bool ordered, uint32_t last[FLOWS])
{
	const struct qpkt *p;
	unsigned left = 0;

	for (unsigned i = 0; i < 60; i++) {
		lab_send(l, 1000, i * 2 % FLOWS, 0);
		lab_send(l, 1000, (i * 2 + 1) % FLOWS, 0);
		while ((p = lab_take(l))) {
			uint32_t serial = lab_serial(l, p);

			assert_true(!ordered || serial > last[p->hash]);
			last[p->hash] = serial;
			left++;
		}
		assert_true(l->t->wake > l->now || !l->t->root->qlen);
		assert_true(books_balance(l));
		lab_at(l, l->now + MS);
	}
	return left;
}

static uint64_t drops(const struct lab *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP__COUNT; i++)
		n += l->count->drop[i];
	return n;
}

static void run(const struct chain *c, const struct chain *other)
{
	uint32_t last[FLOWS] = { 0 };
	unsigned left;
	struct lab l;

	lab_open(&l, &c->tree, 0);
	left = load(&l, !has_netem(c), last);
	assert_true(left > 0);
	lab_change(&l, &other->tree);
	assert_true(books_balance(&l));
	left += load(&l, false, last);
	while (lab_wait(&l))
		left++;
	assert_int_equal(left + drops(&l), l.serial + l.count->generated);
	assert_int_equal(l.t->root->qlen, 0);
	assert_int_equal(l.t->root->backlog, 0);
	assert_true(books_balance(&l));
	load(&l, false, last);
	lab_close(&l);
	assert_int_equal(l.nfree, LAB_FRAMES);
}

static void test_any_under_any(void **state)
{
	(void)state;

	for (unsigned a = 0; a < NCLASSFUL; a++)
		for (unsigned b = 0; b < NCLASSFUL; b++)
			for (unsigned leaf = 0; leaf < CONF_QDISC_KINDS; leaf++) {
				struct chain c, other;

				chain(&c, classful[a], classful[b], leaf);
				chain(&other, classful[a], classful[(b + leaf) % NCLASSFUL],
				      (leaf + 1) % CONF_QDISC_KINDS);
				run(&c, &other);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_under_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
