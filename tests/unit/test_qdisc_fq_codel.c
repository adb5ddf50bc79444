// SPDX-License-Identifier: GPL-2.0-or-later
/* fq_codel: turns, fairness, who is dropped, and what ten thousand of them cost (S5, RFC 8290). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>

#include "tests/unit/fq_codel_lab.h"

/* Turns of a quantum each; new before old; who has emptied its queue waits for a round. */
static void test_turns(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 4; i++)
		send_to(&l, 1514, 1);
	for (int i = 0; i < 6; i++)
		send_to(&l, 757, 2);
	assert_int_equal(value(l.t->root, "new_flow_count"), 2);
	assert_int_equal(value(l.t->root, "new_flows_len"), 2);
	expect(&l, "1221");
	assert_int_equal(value(l.t->root, "new_flows_len"), 0);
	assert_int_equal(value(l.t->root, "old_flows_len"), 2);
	send_to(&l, 100, 3);
	expect(&l, "3"); /* new goes first */
	send_to(&l, 100, 3);
	expect(&l, "3"); /* again, for it has credit left */
	expect(&l, "2"); /* it ran out of packets: to the end of the old list */
	send_to(&l, 100, 3);
	expect(&l, "23122"); /* behind 2, and 1, which had used up its credit, behind it */
	send_to(&l, 100, 3);
	expect(&l, "31"); /* it was off the lists, and is new again */
	assert_int_equal(value(l.t->root, "new_flow_count"), 4);
	assert_null(lab_take(&l));
	assert_int_equal(value(l.t->root, "old_flows_len"), 0);
	assert_int_equal(l.t->root->backlog, 0);
	assert_int_equal(l.t->held, 0);
	lab_close(&l);
}

static double jain(const uint64_t *x, unsigned n)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += (double)x[i];
		squares += (double)x[i] * (double)x[i];
	}
	return sum * sum / (n * squares);
}

/* Each flow always has packets; shares are of bytes. CoDel is out of it: time stands still. */
static void fairness(const uint16_t *len, uint32_t quantum)
{
	enum { FLOWS = 8 };
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint64_t bytes[FLOWS] = { 0 };
	struct lab l;

	q.fq_codel.quantum = quantum;
	lab_open(&l, &c, 0);
	for (unsigned i = 0; i < FLOWS * 10; i++)
		send_to(&l, len[i % FLOWS], i % FLOWS + 1);
	for (int i = 0; i < 20000; i++) {
		uint32_t flow = flow_of(lab_take(&l));

		bytes[flow - 1] += len[flow - 1];
		send_to(&l, len[flow - 1], flow);
	}
	assert_true(jain(bytes, FLOWS) > 0.999);
	lab_close(&l);
}

static void test_fairness(void **state)
{
	static const uint16_t equal[8] = { 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000 };
	static const uint16_t unequal[8] = { 60, 128, 300, 700, 1000, 1300, 1500, 1514 };
	(void)state;

	fairness(equal, 0);
	fairness(unequal, 0);
	fairness(unequal, 300);
}

/* Flows told apart by their hash alone: most of a hundred have a queue of their own. */
static void test_hash(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint64_t bytes[100] = { 0 };
	struct lab l;
	(void)state;

	q.fq_codel.flows = 65536;
	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 100 * 20; i++)
		lab_send(&l, 1000, (i % 100 + 1) * 2654435761u, 0);
	for (int i = 0; i < 1000; i++) {
		struct qpkt *p = lab_take(&l);

		for (uint32_t flow = 0; flow < 100; flow++)
			bytes[flow] += p->hash == (flow + 1) * 2654435761u ? p->len : 0;
	}
	assert_true(jain(bytes, 100) > 0.99);
	lab_close(&l);
}

/* S5: one packet now and then never waits for more than the packet on its way, whatever others
 * queue; and CoDel never touches it. */
static void test_sparse(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 200; i++)
		send_to(&l, 1514, 1 + (uint32_t)i % 4);
	for (int i = 0; i < 2000; i++) { /* a packet each ms, a sparse one each 20 ms */
		struct qpkt *p;

		lab_at(&l, l.now + MS);
		send_to(&l, 1514, 1 + (uint32_t)i % 4);
		if (i > 100 && i % 20 == 0)
			send_to(&l, 100, 9);
		p = lab_take(&l);
		if (i > 100 && i % 20 == 0)
			assert_int_equal(flow_of(p), 9);
		else
			assert_int_not_equal(flow_of(p), 9);
	}
	assert_true(l.count->drop[DROP_QDISC_AQM] > 0);
	lab_close(&l);
}

/* Overflow: half of the fattest flow, from its head, at most drop_batch. */
static void test_overflow(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct qdisc *root;
	struct lab l;
	(void)state;

	q.fq_codel.limit = 100;
	lab_open(&l, &c, 0);
	root = l.t->root;
	for (uint32_t i = 0; i < 80; i++) /* more packets, fewer bytes */
		send_to(&l, 60, 1);
	for (uint32_t i = 0; i < 20; i++)
		send_to(&l, 1000, 2);
	assert_int_equal(root->qlen, 100);
	send_to(&l, 60, 3);
	assert_int_equal(root->qlen, 91); /* 10 of flow 2 went */
	assert_int_equal(root->backlog, 80 * 60 + 10 * 1000 + 60);
	assert_int_equal(value(root, "drop_overlimit"), 10);
	assert_int_equal(value(root, "drop_overmemory"), 0);
	assert_int_equal(root->stats.drops, 10);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 10);
	for (struct qpkt *p; (p = lab_take(&l));)
		if (flow_of(p) == 2) {
			assert_int_equal(lab_serial(&l, p), 91); /* its 11th: head drop */
			break;
		}
	lab_close(&l);

	q.fq_codel.drop_batch = 4;
	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 101; i++)
		send_to(&l, 1000, 1);
	assert_int_equal(l.t->root->qlen, 97);
	lab_close(&l);
}

/* Memory: frames, not bytes. */
static void test_memory(void **state)
{
	uint64_t frame = (1u << LAB_SHIFT) + sizeof(struct qpkt);
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.fq_codel.memory_limit = 50 * frame;
	lab_open(&l, &c, 0);
	for (uint32_t i = 0; i < 50; i++)
		send_to(&l, 60, 1);
	assert_int_equal(l.t->root->stats.drops, 0);
	assert_int_equal(value(l.t->root, "memory_used"), 50 * frame);
	send_to(&l, 60, 1);
	assert_int_equal(l.t->root->qlen, 25);
	assert_int_equal(value(l.t->root, "drop_overmemory"), 26);
	assert_int_equal(value(l.t->root, "drop_overlimit"), 26);
	lab_close(&l);
}

/* S19: what a leaf drops, by limit and by CoDel, the tree above knows. */
static void test_parent(void **state)
{
	struct conf_qdisc q[3] = { { .handle = CONF_HANDLE(1, 0),
				     .parent = CONF_ROOT,
				     .kind = CONF_QDISC_PRIO,
				     .prio.bands = 3 },
				   defaults,
				   defaults };
	struct conf_tree c = { .qdiscs = q, .nqdiscs = 3 };
	const struct qdisc *root, *a, *b;
	struct lab l;
	(void)state;

	for (uint32_t i = 1; i < 3; i++) {
		q[i].handle = CONF_HANDLE(10 * i, 0);
		q[i].parent = CONF_HANDLE(1, i);
		q[i].fq_codel.limit = 200;
	}
	lab_open(&l, &c, 0);
	root = l.t->root;
	a = tree_qdisc(l.t, CONF_HANDLE(10, 0));
	b = tree_qdisc(l.t, CONF_HANDLE(20, 0));
	for (uint32_t i = 0; i < 20000; i++) {
		lab_at(&l, l.now + MS / 4);
		lab_send(&l, 300, i % 7, CONF_HANDLE(1, 1));
		lab_send(&l, 1000, i % 5, CONF_HANDLE(1, 2));
		if (i % 3)
			lab_take(&l);
		assert_int_equal(root->qlen, a->qlen + b->qlen);
		assert_int_equal(root->backlog, a->backlog + b->backlog);
		assert_int_equal(root->stats.drops, a->stats.drops + b->stats.drops);
	}
	assert_true(value(a, "drop_overlimit") > 0);
	assert_true(value(b, "drop_overlimit") > 0);
	assert_true(l.count->drop[DROP_QDISC_AQM] > 0);
	while (lab_take(&l))
		;
	assert_int_equal(root->backlog, 0);
	assert_int_equal(root->qlen, 0);
	assert_int_equal(root->stats.packets + root->stats.drops, 40000);
	lab_close(&l);
}

/* S19: a change keeps packets and statistics; other flows from the next time it is empty. */
static void test_change(void **state)
{
	struct conf_qdisc was = defaults, is = defaults;
	struct conf_tree a = one(&was), b = one(&is);
	struct qdisc *root;
	struct lab l;
	(void)state;

	is.fq_codel.limit = 30;
	is.fq_codel.flows = 1;
	lab_open(&l, &a, 0);
	root = l.t->root;
	for (uint32_t i = 0; i < 100; i++)
		send_to(&l, 1000, 1 + i % 10);
	for (int i = 0; i < 20; i++)
		lab_take(&l);
	lab_change(&l, &b);
	assert_ptr_equal(l.t->root, root);
	assert_in_range(root->qlen, 20, 30);
	assert_int_equal(root->backlog, root->qlen * 1000);
	assert_int_equal(root->stats.packets, 20);
	assert_int_equal(root->stats.drops + 20 + root->qlen, 100);
	send_to(&l, 1000, 5);
	assert_true(value(root, "old_flows_len") + value(root, "new_flows_len") > 1);
	while (lab_take(&l))
		;
	assert_int_equal(root->backlog, 0);
	send_to(&l, 1000, 1);
	send_to(&l, 1000, 2);
	assert_int_equal(value(root, "new_flows_len"), 1);
	lab_close(&l);
}

/* The tree has room for 1,024 places more than packets; who gets none is dropped, and counted. */
static void test_places(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.fq_codel.flows = 65535;
	lab_open(&l, &c, 16);
	for (uint32_t i = 1; i <= 5000; i++) { /* one stays, so the others keep their turn */
		send_to(&l, 60, i);
		if (i > 1)
			assert_non_null(lab_take(&l));
	}
	while (lab_take(&l))
		;
	assert_int_equal(l.t->held, 0);
	assert_int_equal(l.t->root->stats.packets + l.t->root->stats.drops, 5000);
	for (uint32_t i = 1; i <= 16; i++)
		send_to(&l, 60, 10000 + i);
	assert_int_equal(l.t->root->qlen, 16);
	lab_close(&l);
}

/* Ten thousand leaves of 1,024 flows: what has no packets takes no memory of flows. */
static void test_many(void **state)
{
	enum { LEAVES = 10000 };
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct qdisc **leaf = calloc(LEAVES, sizeof(struct qdisc *));
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < LEAVES; i++) {
		leaf[i] = aligned_alloc(64, (fq_codel_ops.size + 63) / 64 * 64);
		memset(leaf[i], 0, fq_codel_ops.size);
		leaf[i]->ops = &fq_codel_ops;
		leaf[i]->tree = l.t;
		assert_int_equal(fq_codel_ops.init(leaf[i], &q), 0);
		assert_true(malloc_usable_size(leaf[i]) < 512);
	}
	for (uint32_t i = 0; i < 20 * LEAVES; i++) {
		struct qdisc *x = leaf[i % LEAVES];
		struct qpkt *p = lab_packet(&l, 100, i);

		p->enqueued = l.now;
		qdisc_enqueue(x, p);
		assert_ptr_equal(qdisc_dequeue(x), p);
		lab_free(l.dp, l.memory + p->addr);
		assert_int_equal(value(x, "new_flows_len"), 0);
	}
	assert_int_equal(l.count->drop[DROP_QDISC_BUDGET], 0);
	for (int i = 0; i < LEAVES; i++) {
		fq_codel_ops.reset(leaf[i]);
		free(leaf[i]);
	}
	free(leaf);
	lab_close(&l);
}

/* `show qos` may come before the owner has run the tree for the first time. */
static void test_shown_before_run(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	l.t->dp = NULL;
	assert_int_equal(value(l.t->root, "memory_used"), 0);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_shown_before_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
