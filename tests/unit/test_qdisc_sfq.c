// SPDX-License-Identifier: GPL-2.0-or-later
/* sfq: shares, limits, who loses, and that another hash key reorders no flow (S10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/qdisc_lab.h"

static const struct conf_qdisc defaults = {
	.handle = CONF_HANDLE(1, 0),
	.parent = CONF_ROOT,
	.kind = CONF_QDISC_SFQ,
	.sfq = { .limit = 127, .depth = 127, .divisor = 1024, .flows = 127 },
};

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static uint32_t hash_of(uint32_t flow)
{
	return flow * 2654435761u;
}

/* By priority: in a bucket of its own. */
static void send_to(struct lab *l, uint16_t len, uint32_t n)
{
	struct qpkt *p = lab_packet(l, len, hash_of(n));

	p->priority = CONF_HANDLE(1, n);
	tree_enqueue(l->t, p);
}

static uint32_t flow_of(const struct qpkt *p)
{
	return CONF_MINOR(p->priority);
}

static void expect(struct lab *l, const char *order)
{
	for (const char *c = order; *c; c++) {
		struct qpkt *p = lab_take(l);

		assert_non_null(p);
		assert_int_equal(flow_of(p), *c - '0');
	}
}

/* A quantum each in turn; a new flow comes last in the round. */
static void test_turns(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 3; i++)
		send_to(&l, 1514, 1);
	for (int i = 0; i < 6; i++)
		send_to(&l, 757, 2);
	expect(&l, "1");
	send_to(&l, 100, 3);
	expect(&l, "22312212");
	assert_int_equal(l.t->root->qlen, 1);
	expect(&l, "2");
	assert_null(lab_take(&l));
	assert_int_equal(l.t->root->backlog, 0);
	lab_close(&l);
}

static void test_fairness(void **state)
{
	static const uint16_t len[6] = { 60, 300, 700, 1000, 1400, 1514 };
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	double bytes[6] = { 0 }, sum = 0, squares = 0;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 60; i++)
		send_to(&l, len[i % 6], i % 6 + 1);
	for (int i = 0; i < 20000; i++) {
		uint32_t flow = flow_of(lab_take(&l));

		bytes[flow - 1] += len[flow - 1];
		send_to(&l, len[flow - 1], flow);
	}
	for (int i = 0; i < 6; i++) {
		sum += bytes[i];
		squares += bytes[i] * bytes[i];
	}
	assert_true(sum * sum / (6 * squares) > 0.999);
	lab_close(&l);
}

/* Beyond the limit the longest queue, in packets, loses its last. */
static void test_limit(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint32_t last = 0;
	struct lab l;
	(void)state;

	q.sfq.limit = 10;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 6; i++)
		send_to(&l, 60, 1); /* 1 .. 6 */
	for (int i = 0; i < 4; i++)
		send_to(&l, 1514, 2);
	send_to(&l, 1514, 3);
	send_to(&l, 1514, 3);
	assert_int_equal(l.t->root->qlen, 10);
	assert_int_equal(l.t->root->backlog, 4 * 60 + 6 * 1514);
	assert_int_equal(l.t->root->stats.drops, 2);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 2);
	for (struct qpkt *p; (p = lab_take(&l));)
		if (flow_of(p) == 1)
			last = lab_serial(&l, p);
	assert_int_equal(last, 4);
	lab_close(&l);

	/* all have one: the first in the round goes */
	q.sfq.limit = 3;
	lab_open(&l, &c, 0);
	for (uint32_t i = 1; i <= 5; i++)
		send_to(&l, 60, i);
	expect(&l, "345");
	assert_null(lab_take(&l));

	/* also if others were before it in its queue */
	send_to(&l, 60, 1);
	send_to(&l, 60, 1);
	expect(&l, "1");
	for (uint32_t i = 2; i <= 4; i++)
		send_to(&l, 60, i);
	expect(&l, "234");
	assert_null(lab_take(&l));
	lab_close(&l);
}

static void test_depth_and_flows(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.sfq.depth = 5;
	q.sfq.flows = 3;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 8; i++)
		send_to(&l, 60, 1);
	assert_int_equal(l.t->root->qlen, 5);
	for (uint32_t i = 2; i <= 6; i++)
		send_to(&l, 60, i);
	assert_int_equal(l.t->root->qlen, 7);
	assert_int_equal(l.t->root->stats.drops, 3 + 3);
	while (lab_take(&l))
		;
	send_to(&l, 60, 6);
	assert_int_equal(l.t->root->qlen, 1);
	lab_close(&l);
}

/* Which of the flows share a queue, told by the turns: 64 flows of 2 packets in 16 buckets. */
static uint64_t order_of(struct lab *l)
{
	uint64_t h = 0;

	for (struct qpkt *p; (p = lab_take(l));)
		h = h * 1000003 + p->hash;
	return h;
}

/* S10: the key changes each period, under load, and no flow is reordered by that. */
static void test_perturb(void **state)
{
	enum { FLOWS = 40 };
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint32_t last[FLOWS] = { 0 };
	uint64_t order[3];
	struct lab l;
	(void)state;

	q.sfq.limit = q.sfq.depth = 1000;
	q.sfq.divisor = 16;
	q.sfq.perturb = NSEC_PER_SEC;
	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 400; i++)
		lab_send(&l, 500, hash_of(i % FLOWS), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		struct qpkt *p;
		uint32_t flow, serial;

		lab_at(&l, l.now + NSEC_PER_MSEC);
		lab_send(&l, 500, hash_of(i * 7 % FLOWS), 0);
		p = lab_take(&l);
		for (flow = 0; hash_of(flow) != p->hash; flow++)
			;
		serial = lab_serial(&l, p);
		assert_true(serial > last[flow]);
		last[flow] = serial;
	}
	assert_int_equal(l.t->root->stats.drops, 0);
	assert_int_equal(l.t->root->qlen, 400);
	while (lab_take(&l))
		;
	assert_int_equal(l.t->root->backlog, 0);

	/* the same packets take their turns in another order after a period, not before */
	lab_at(&l, l.now + NSEC_PER_SEC);
	for (unsigned round = 0; round < 3; round++) {
		if (round == 2)
			lab_at(&l, l.now + NSEC_PER_SEC);
		for (uint32_t i = 0; i < 128; i++)
			lab_send(&l, 1514, hash_of(i % 64), 0);
		order[round] = order_of(&l);
	}
	assert_int_equal(order[0], order[1]);
	assert_int_not_equal(order[1], order[2]);
	lab_close(&l);
}

/* S19 */
static void test_change(void **state)
{
	struct conf_qdisc was = defaults, is = defaults;
	struct conf_tree a = one(&was), b = one(&is);
	struct lab l;
	(void)state;

	is.sfq.depth = 8;
	is.sfq.limit = 20;
	is.sfq.divisor = 64;
	lab_open(&l, &a, 0);
	for (uint32_t i = 0; i < 100; i++)
		send_to(&l, 100, i % 5 + 1);
	for (int i = 0; i < 10; i++)
		lab_take(&l);
	lab_change(&l, &b);
	assert_int_equal(l.t->root->qlen, 20);
	assert_int_equal(l.t->root->backlog, 2000);
	assert_int_equal(l.t->root->stats.packets, 10);
	assert_int_equal(l.t->root->stats.drops, 70);
	while (lab_take(&l))
		;
	assert_int_equal(l.t->root->backlog, 0);
	assert_int_equal(l.t->root->stats.packets, 30);
	lab_close(&l);
}

static void test_close_with_backlog(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 100; i++)
		lab_send(&l, 100, hash_of(i), 0);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_depth_and_flows),
		cmocka_unit_test(test_perturb),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_close_with_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
