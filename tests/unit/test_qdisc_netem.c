// SPDX-License-Identifier: GPL-2.0-or-later
/* netem: what happens to a packet, and exactly when it leaves (S14). How often: ..._stat.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/qdisc_books.h"

#define ROOT   CONF_HANDLE(1, 0)
#define ONE    CONF_HANDLE(1, 1)
#define MS     NSEC_PER_MSEC
#define ALWAYS UINT32_MAX

static struct conf_qdisc netem(void)
{
	return (struct conf_qdisc){ .handle = ROOT,
				    .parent = CONF_ROOT,
				    .kind = CONF_QDISC_NETEM,
				    .netem = { .limit = 1000, .seed = 1 } };
}

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static void send_some(struct lab *l, unsigned n)
{
	while (n--)
		lab_send(l, 1000, 0, 0);
}

/* The next packet is this one, and leaves at this time. */
static void expect(struct lab *l, uint32_t serial, uint64_t at)
{
	const struct qpkt *p = lab_wait(l);

	assert_non_null(p);
	assert_int_equal(lab_serial(l, p), serial);
	assert_int_equal(l->now, at);
}

static void test_nothing(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	send_some(&l, 1010);
	assert_int_equal(l.t->root->qlen, 1000); /* S15 */
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 10);
	for (uint32_t i = 1; i <= 1000; i++)
		expect(&l, i, NSEC_PER_SEC);
	assert_null(lab_take(&l));
	assert_int_equal(l.t->wake, QDISC_NEVER);
	lab_close(&l);
}

static void test_delay(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	uint64_t start;
	(void)state;

	q.netem.delay = 40 * MS;
	lab_open(&l, &c, 0);
	start = l.now;
	for (unsigned i = 0; i < 100; i++) {
		lab_at(&l, start + i * 300000);
		send_some(&l, 1);
		assert_null(lab_take(&l));
		assert_int_equal(l.t->wake, start + 40 * MS);
	}
	for (uint32_t i = 0; i < 100; i++)
		expect(&l, i + 1, start + i * 300000 + 40 * MS);
	assert_int_equal(l.t->root->backlog, 0);
	lab_close(&l);
}

/* The line's time is exact and does not drift; delay and line overlap as on a real one. */
static void test_rate(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	uint64_t start;
	(void)state;

	q.netem.rate = 300001;
	q.netem.delay = 10 * MS;
	lab_open(&l, &c, 0);
	start = l.now;
	send_some(&l, 900);
	for (uint64_t i = 1; i <= 900; i++)
		expect(&l, (uint32_t)i, start + 10 * MS + i * 1000 * NSEC_PER_SEC / 300001);
	/* idle: nothing is left of it but parts of a nanosecond */
	lab_at(&l, l.now + NSEC_PER_SEC);
	start = l.now;
	send_some(&l, 1);
	assert_non_null(lab_wait(&l));
	assert_in_range(l.now - start, 10 * MS + 3333322, 10 * MS + 3333323);
	lab_close(&l);
}

/* One that overtakes leaves at once, and the line has as much to send as before. */
static void test_rate_reorder(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.netem.rate = 1000000; /* 1 ms a packet */
	q.netem.delay = 5 * MS;
	q.netem.reorder = ALWAYS;
	q.netem.gap = 3;
	lab_open(&l, &c, 0);
	send_some(&l, 4);
	expect(&l, 3, NSEC_PER_SEC);
	expect(&l, 1, NSEC_PER_SEC + 6 * MS);
	expect(&l, 2, NSEC_PER_SEC + 7 * MS);
	expect(&l, 4, NSEC_PER_SEC + 8 * MS);
	lab_close(&l);
}

/* As in tc-netem(8): rate 5kbit 20 100 5: 1020 bytes are 11 cells of 105. */
static void test_cells(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.netem.rate = 625;
	q.netem.packet_overhead = 20;
	q.netem.cell_size = 100;
	q.netem.cell_overhead = 5;
	lab_open(&l, &c, 0);
	send_some(&l, 1);
	expect(&l, 1, NSEC_PER_SEC + 11 * 105 * NSEC_PER_SEC / 625);
	lab_close(&l);

	q.netem.packet_overhead = -2000; /* shorter than nothing takes no time */
	lab_open(&l, &c, 0);
	send_some(&l, 1);
	expect(&l, 1, NSEC_PER_SEC);
	lab_close(&l);
}

/* gap 5, 100 %: every fifth is sent at once. */
static void test_reorder(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	uint32_t late[16], n = 0;
	uint64_t start;
	(void)state;

	q.netem.delay = 10 * MS;
	q.netem.reorder = ALWAYS;
	q.netem.gap = 5;
	lab_open(&l, &c, 0);
	start = l.now;
	for (uint32_t i = 1; i <= 20; i++) {
		send_some(&l, 1);
		if (i % 5 == 0)
			assert_int_equal(lab_serial(&l, lab_take(&l)), i);
		else
			late[n++] = i;
		assert_null(lab_take(&l));
	}
	for (uint32_t i = 0; i < n; i++)
		expect(&l, late[i], start + 10 * MS);
	lab_close(&l);

	q.netem.gap = 0; /* is 1: all of them */
	lab_open(&l, &c, 0);
	send_some(&l, 1);
	expect(&l, 1, start);
	lab_close(&l);
}

/* Jitter reorders: packets leave when they are due, and those of one time as they came. */
static void test_order(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	uint64_t due[20001] = { 0 }, last = 0, left = 0, swapped = 0;
	uint32_t before = 0;
	struct lab l;
	(void)state;

	q.netem.delay = 5 * MS;
	q.netem.jitter = 2000; /* few enough values for many to be equal */
	q.netem.limit = 20000;
	lab_open(&l, &c, 0);
	while (left < 20000) {
		const struct qpkt *p;

		if (l.serial < 20000) {
			lab_send(&l, 100, 0, 0);
			due[l.serial] = qpkt_of(l.dp, (uint64_t)l.free[l.nfree] << LAB_SHIFT)->due;
		}
		while ((p = lab_take(&l))) {
			uint32_t serial = lab_serial(&l, p);

			assert_true(due[serial] <= l.now && due[serial] >= last);
			assert_true(due[serial] > last || serial > before);
			swapped += serial < before;
			last = due[serial];
			before = serial;
			left++;
		}
		assert_true(l.t->wake > l.now);
		lab_at(&l, l.now + l.serial % 700);
	}
	assert_true(swapped > 1000);
	assert_int_equal(l.t->root->backlog, 0);
	lab_close(&l);
}

static void test_slots(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	uint64_t start;
	(void)state;

	q.netem.slot_min = 10 * MS;
	q.netem.slot_packets = 3;
	lab_open(&l, &c, 0);
	start = l.now;
	send_some(&l, 7);
	for (uint32_t i = 0; i < 7; i++)
		expect(&l, i + 1, start + (i / 3 + 1) * 10 * MS);
	/* the slot of the last is still open for whoever was due by then, for nobody else */
	lab_at(&l, l.now + 1);
	send_some(&l, 1);
	expect(&l, 8, start + 30 * MS + 1 + 10 * MS);
	lab_close(&l);

	q.netem.slot_packets = 0;
	q.netem.slot_bytes = 2500;
	q.netem.slot_max = 20 * MS;
	lab_open(&l, &c, 0);
	send_some(&l, 6); /* the third uses up the bytes */
	for (uint32_t i = 0; i < 6; i++) {
		uint64_t before = l.now;

		assert_non_null(lab_wait(&l));
		if (i % 3)
			assert_int_equal(l.now, before);
		else
			assert_in_range(l.now - before, 10 * MS, 20 * MS);
	}
	lab_close(&l);
}

/* Each twice, the copy a frame of its own, in the books; no copy of a copy. */
static void test_duplicate(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.netem.duplicate = ALWAYS;
	q.netem.delay = MS;
	lab_open(&l, &c, 7);
	for (unsigned i = 0; i < 5; i++) {
		struct qpkt *p = lab_packet(&l, 1000, 77);

		p->mark = i;
		tree_enqueue(l.t, p);
		assert_true(books_balance(&l));
	}
	/* the budget of 7 leaves the fourth without a copy, and none of the fifth */
	assert_int_equal(l.t->root->qlen, 7);
	assert_int_equal(l.count->generated, 3);
	assert_int_equal(l.count->drop[DROP_QDISC_BUDGET], 1);
	for (uint32_t i = 0; i < 7; i++) {
		const struct qpkt *p = lab_wait(&l);

		assert_int_equal(lab_serial(&l, p), i / 2 + 1);
		assert_int_equal(p->mark, i / 2);
		assert_int_equal(p->hash, 77);
		assert_int_equal(p->len, 1000);
	}
	lab_close(&l);
}

/* Lost and doubled: one of the two arrives. */
static void test_duplicate_of_lost(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.netem.duplicate = q.netem.loss = ALWAYS;
	lab_open(&l, &c, 0);
	send_some(&l, 10);
	assert_int_equal(l.t->root->qlen, 10);
	assert_int_equal(l.count->generated, 0);
	q.netem.duplicate = 0;
	lab_close(&l);
	lab_open(&l, &c, 0);
	send_some(&l, 10);
	assert_int_equal(l.count->drop[DROP_QDISC_LOSS], 10);
	assert_int_equal(l.t->root->stats.drops, 10);
	lab_close(&l);
}

static void test_corrupt(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	uint8_t clean[1000], hit[1000] = { 0 };
	unsigned places = 0;
	struct lab l;
	(void)state;

	q.netem.corrupt = ALWAYS;
	lab_open(&l, &c, 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct qpkt *p = lab_packet(&l, 1000, 0);
		const uint8_t *frame = l.memory + p->addr;
		unsigned wrong = 0;

		memcpy(clean, frame, sizeof(clean));
		tree_enqueue(l.t, p);
		assert_non_null(lab_take(&l));
		for (unsigned at = 0; at < sizeof(clean); at++) {
			wrong += (unsigned)__builtin_popcount(clean[at] ^ frame[at]);
			hit[at] |= clean[at] ^ frame[at];
		}
		assert_int_equal(wrong, 1);
	}
	for (unsigned at = 0; at < sizeof(hit); at++)
		places += hit[at] != 0;
	assert_in_range(places, 900, 1000); /* anywhere: 1 - e^-3 of them */
	lab_close(&l);
}

/* S18: what can be marked is not lost. */
static void test_ecn(void **state)
{
	struct conf_qdisc q = netem();
	struct conf_tree c = one(&q);
	struct lab l;
	struct qpkt *p;
	(void)state;

	q.netem.loss = ALWAYS;
	q.netem.ecn = true;
	lab_open(&l, &c, 0);
	send_some(&l, 1);
	p = lab_packet(&l, 100, 0);
	l.memory[p->addr + 15] = 2; /* ECT(0) */
	tree_enqueue(l.t, p);
	assert_int_equal(l.count->drop[DROP_QDISC_LOSS], 1);
	assert_int_equal(l.t->root->qlen, 1);
	assert_int_equal(l.t->ecn_marked, 1);
	assert_int_equal(l.memory[lab_take(&l)->addr + 15], 3);
	lab_close(&l);
}

/* One number for all that chance decides: which packets of 200 arrive, in which order, when.
 * Halfway another limit is set: nothing that matters. */
static uint64_t fate(uint64_t seed, uint32_t limit)
{
	struct conf_qdisc q = netem(), other;
	struct conf_tree c = one(&q), d = one(&other);
	const struct qpkt *p;
	uint64_t sum = 0;
	struct lab l;

	q.netem.seed = seed;
	q.netem.delay = 10 * MS;
	q.netem.jitter = 5 * MS;
	q.netem.distribution = CONF_DIST_PARETONORMAL;
	q.netem.loss = q.netem.duplicate = ALWAYS / 10;
	lab_open(&l, &c, 0);
	other = q;
	other.netem.limit = limit;
	for (unsigned i = 0; i < 200; i++) {
		if (i == 100)
			lab_change(&l, &d);
		lab_send(&l, 100, 0, 0);
	}
	while ((p = lab_wait(&l)))
		sum = (sum + lab_serial(&l, p)) * 0x9e3779b97f4a7c15 + l.now;
	lab_close(&l);
	return sum;
}

static void test_seed(void **state)
{
	(void)state;
	assert_int_equal(fate(42, 1000), fate(42, 1000));
	assert_int_equal(fate(42, 1000), fate(42, 999));
	assert_int_not_equal(fate(42, 1000), fate(43, 1000));
	assert_int_not_equal(fate(0, 1000), fate(42, 1000));
}

/* Under load: packets keep their times, figures and the sequence of chance stay. */
static void test_change(void **state)
{
	struct conf_qdisc q = netem(), sooner = netem();
	struct conf_tree c = one(&q), d = one(&sooner);
	struct lab l;
	uint64_t start;
	(void)state;

	q.netem.delay = 20 * MS;
	q.netem.jitter = MS;
	q.netem.distribution = CONF_DIST_PARETO;
	sooner.netem.delay = 2 * MS;
	sooner.netem.limit = 6;
	lab_open(&l, &c, 0);
	start = l.now;
	send_some(&l, 5);
	lab_change(&l, &d);
	assert_int_equal(l.t->root->qlen, 5);
	send_some(&l, 2);
	assert_int_equal(l.t->root->stats.drops, 1);
	expect(&l, 6, start + 2 * MS);
	for (unsigned i = 0; i < 5; i++) {
		assert_non_null(lab_wait(&l));
		assert_true(l.now >= start + 18 * MS);
	}
	assert_int_equal(l.t->root->stats.packets, 6);
	assert_true(books_balance(&l));
	lab_change(&l, &c);
	send_some(&l, 100);
	assert_null(lab_take(&l));
	lab_close(&l); /* with a backlog, in the line and in buckets */
	assert_int_equal(l.nfree, LAB_FRAMES);
}

/* A child gets packets when they are due; its own limit and clock count then. */
static void test_child(void **state)
{
	struct conf_qdisc q[] = { netem(),
				  { .handle = CONF_HANDLE(2, 0),
				    .parent = ONE,
				    .kind = CONF_QDISC_TBF,
				    .tbf = { .rate = 125000, .burst = 1000, .limit = 3000 } } };
	struct conf_tree with = { .qdiscs = q, .nqdiscs = 2 }, without = one(&q[0]);
	struct lab l;
	uint64_t start;
	(void)state;

	q[0].netem.delay = 5 * MS;
	lab_open(&l, &with, 0);
	start = l.now;
	send_some(&l, 5);
	assert_true(books_balance(&l));
	expect(&l, 1, start + 5 * MS); /* three wait, one found the child full */
	assert_int_equal(l.t->root->stats.drops, 2);
	expect(&l, 2, start + 13 * MS);
	send_some(&l, 1);
	assert_true(books_balance(&l));
	lab_change(&l, &without);
	assert_int_equal(l.count->drop[DROP_QDISC_GONE], 1);
	assert_true(books_balance(&l));
	expect(&l, 6, start + 18 * MS);
	lab_change(&l, &with);
	send_some(&l, 1);
	expect(&l, 7, start + 23 * MS);
	lab_close(&l);
}

/* prio of tbf of netem of pfifo. */
static void test_nested(void **state)
{
	struct conf_qdisc q[] = {
		{ .handle = ROOT,
		  .parent = CONF_ROOT,
		  .kind = CONF_QDISC_PRIO,
		  .prio = { .bands = 2 } },
		{ .handle = CONF_HANDLE(2, 0),
		  .parent = ONE,
		  .kind = CONF_QDISC_TBF,
		  .tbf = { .rate = 125000, .burst = 1000, .limit = 3000 } },
		{ .handle = CONF_HANDLE(3, 0),
		  .parent = CONF_HANDLE(2, 1),
		  .kind = CONF_QDISC_NETEM,
		  .netem = { .limit = 100, .delay = 5 * MS, .duplicate = ALWAYS, .seed = 9 } },
		{ .handle = CONF_HANDLE(4, 0),
		  .parent = CONF_HANDLE(3, 1),
		  .kind = CONF_QDISC_PFIFO,
		  .fifo.limit = 5 },
	};
	struct conf_tree c = { .qdiscs = q, .nqdiscs = 4 };
	struct lab l;
	uint64_t start;
	(void)state;

	lab_open(&l, &c, 0);
	start = l.now;
	send_some(&l, 4); /* and four copies; the pfifo takes five */
	lab_send(&l, 1000, 0, CONF_HANDLE(1, 2));
	assert_true(books_balance(&l));
	expect(&l, 5, start);
	assert_true(books_balance(&l));
	for (uint32_t i = 0; i < 5; i++) {
		expect(&l, i / 2 + 1, start + (5 + i * 8) * MS);
		assert_true(books_balance(&l));
	}
	assert_null(lab_wait(&l));
	assert_int_equal(l.t->root->stats.drops, 3);
	assert_int_equal(tree_class(l.t, ONE)->stats.drops, 3);
	assert_int_equal(l.count->generated, 4);
	assert_int_equal(l.t->root->stats.packets, 6);
	assert_int_equal(l.t->root->backlog, 0);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_reorder),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_reorder),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_duplicate_of_lost),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
