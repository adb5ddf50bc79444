// SPDX-License-Identifier: GPL-2.0-or-later
/* red: its average against a model on a manual clock, and what it does to whom (S9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/qdisc_lab.h"

#define MS	  NSEC_PER_MSEC
#define PERCENT	  (UINT32_MAX / 100)
#define MIN	  30000u
#define MAX	  90000u
#define PACKET_NS 800000u /* 1000 bytes at 10 Mbit/s */

/* tc gives these an ewma of 5. */
static const struct conf_qdisc defaults = {
	.handle = CONF_HANDLE(1, 0),
	.parent = CONF_ROOT,
	.kind = CONF_QDISC_RED,
	.red = { .limit = 400000,
		 .min = MIN,
		 .max = MAX,
		 .avpkt = 1000,
		 .bandwidth = 1250000,
		 .probability = 2 * PERCENT,
		 .ecn = true },
};
#define WLOG 5

static struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static int64_t value(const struct lab *l, const char *name)
{
	struct qdisc_value v[QDISC_VALUES_MAX];
	unsigned n = l->t->root->ops->values(l->t->root, v);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return v[i].value;
	fail_msg("no value %s", name);
	return 0;
}

static void send_tos(struct lab *l, uint16_t len, uint8_t tos)
{
	struct qpkt *p = lab_packet(l, len, 1);

	l->memory[p->addr + ETH_HLEN + 1] = tos;
	tree_enqueue(l->t, p);
}

static bool takes_marked(struct lab *l)
{
	struct qpkt *p = lab_take(l);

	assert_non_null(p);
	return (l->memory[p->addr + ETH_HLEN + 1] & 3) == 3;
}

/* So many bytes wait for so many packets in and out: the average is there. */
static void settle(struct lab *l, unsigned packets, unsigned turns)
{
	while (l->t->root->qlen < packets)
		send_tos(l, 1000, 2);
	for (unsigned i = 0; i < turns; i++) {
		lab_take(l);
		send_tos(l, 1000, 2);
	}
}

/* Random arrivals and departures, and pauses: the average is that of the paper, to the byte. */
static void test_average(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	double avg = 0, idle_since = 0; /* while it is empty */
	uint32_t random = 7;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int i = 0; i < 100000; i++) {
		random = random * 1664525 + 1013904223;
		lab_at(&l, l.now + (random >> 8) % 1000000);
		if ((random >> 4) % 1000 == 0)
			while (lab_take(&l))
				idle_since = (double)l.now;
		if ((random >> 5) % 3000 == 0) /* a pause */
			lab_at(&l, l.now + (random >> 8) % (100 * PACKET_NS));
		if (random >> 31) {
			uint64_t backlog = l.t->root->backlog;

			if (!backlog)
				avg *= pow(1 - exp2(-WLOG),
					   floor(((double)l.now - idle_since) / PACKET_NS));
			else
				avg += ((double)backlog - avg) * exp2(-WLOG);
			send_tos(&l, (uint16_t)(60 + (random >> 3) % 1400), 2);
			assert_true(fabs((double)value(&l, "average") - avg) < 2);
		} else if (lab_take(&l)) {
			idle_since = (double)l.now;
		}
	}
	lab_close(&l);
}

/* sch_red.sh: nothing below min, at least 95 % above max. */
static void test_thresholds(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	unsigned marked = 0;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	settle(&l, 29, 2000);
	assert_in_range(value(&l, "average"), 27900, 29000);
	assert_int_equal(value(&l, "marked"), 0);
	assert_int_equal(l.t->root->stats.overlimits, 0);
	settle(&l, 95, 1000);
	for (int i = 0; i < 1000; i++) {
		marked += takes_marked(&l);
		send_tos(&l, 1000, 2);
	}
	assert_int_equal(marked, 1000);
	assert_int_equal(value(&l, "early"), 0);
	assert_int_equal(l.t->root->stats.drops, 0);
	assert_int_equal(l.t->root->stats.overlimits, value(&l, "marked"));

	/* who knows no ECN is dropped */
	send_tos(&l, 1000, 0);
	assert_int_equal(value(&l, "early"), 1);
	assert_int_equal(l.count->drop[DROP_QDISC_AQM], 1);
	assert_int_equal(l.t->root->qlen, 95);
	lab_close(&l);
}

static void test_flags(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	uint32_t qlen;
	struct lab l;
	(void)state;

	q.red.nodrop = true;
	lab_open(&l, &c, 0);
	settle(&l, 95, 1000);
	send_tos(&l, 1000, 0);
	assert_int_equal(l.t->root->qlen, 96);
	assert_int_equal(value(&l, "early"), 0);
	lab_close(&l);

	q.red.nodrop = false;
	q.red.harddrop = true;
	lab_open(&l, &c, 0);
	settle(&l, 95, 300);
	assert_true(value(&l, "marked") > 0); /* on the way */
	assert_true(value(&l, "early") > 0);
	lab_close(&l);

	q.red.harddrop = q.red.ecn = false;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 1000; i++)
		send_tos(&l, 1000, 2);
	assert_int_equal(value(&l, "marked"), 0);
	assert_true(value(&l, "early") > 800);
	qlen = l.t->root->qlen;
	assert_int_equal(value(&l, "early") + qlen, 1000);
	lab_close(&l);
}

/* The first packet over min is not marked, nor are those right behind it: a distance is drawn. */
static void test_begins(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	int64_t marked;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	for (int round = 0; round < 20; round++) {
		do {
			marked = value(&l, "marked");
			settle(&l, 32, 1);
		} while (value(&l, "average") < MIN);
		settle(&l, 32, 3);
		assert_int_equal(value(&l, "marked"), marked);
		while (l.t->root->qlen > 25)
			lab_take(&l);
		settle(&l, 25, 200);
		assert_true(value(&l, "average") < MIN);
	}
	lab_close(&l);
}

/* In between: distances are spread evenly up to 1 / Pb, so 2 Pb of the packets are marked. */
static void test_probability(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	unsigned marked = 0, distance = 0, longest = 0;
	struct lab l;
	(void)state;

	lab_open(&l, &c, 0);
	settle(&l, 61, 2000); /* the average is 60000, half way: Pb is 1 % */
	assert_in_range(value(&l, "average"), 59900, 60000);
	for (int i = 0; i < 100000; i++) {
		distance++;
		if (takes_marked(&l)) {
			longest = distance > longest ? distance : longest;
			distance = 0;
			marked++;
		}
		send_tos(&l, 1000, 2);
	}
	assert_in_range(marked, 1900, 2100);
	assert_in_range(longest, 97, 103);
	lab_close(&l);
}

/* The child's limit is not RED's doing. */
static void test_pdrop(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.red.limit = 5000;
	lab_open(&l, &c, 0);
	for (int i = 0; i < 8; i++)
		send_tos(&l, 1000, 2);
	assert_int_equal(value(&l, "pdrop"), 3);
	assert_int_equal(value(&l, "early"), 0);
	assert_int_equal(l.t->root->stats.drops, 3);
	assert_int_equal(l.t->root->qlen, 5);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 3);
	lab_close(&l);
}

/* Above max with an empty queue, packets that come faster than an average one takes: the average
 * decays, and they get in. */
static void test_recovers(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	unsigned lost = 0;
	struct lab l;
	(void)state;

	q.red.ecn = false;
	q.red.max = 2 * MIN;
	lab_open(&l, &c, 0);
	while (value(&l, "early") < 20) {
		lab_at(&l, l.now + 1000);
		send_tos(&l, 1000, 0);
	}
	while (lab_take(&l))
		;
	while (!l.t->root->qlen && lost < 1000) {
		lab_at(&l, l.now + PACKET_NS / 3);
		send_tos(&l, 1000, 0);
		lost++;
	}
	assert_in_range(lost, 3, 100);
	lab_close(&l);
}

static void test_adaptive(void **state)
{
	struct conf_qdisc q = defaults;
	struct conf_tree c = one(&q);
	struct lab l;
	(void)state;

	q.red.adaptive = true;
	q.red.probability = 10 * PERCENT;
	lab_open(&l, &c, 0);
	settle(&l, 80, 1000);
	assert_in_range(value(&l, "probability_ppm"), 99990, 100000);
	for (int i = 1; i <= 10; i++) { /* a percent each half second */
		lab_at(&l, l.now + 500 * MS);
		lab_take(&l);
		send_tos(&l, 1000, 2);
		assert_in_range(value(&l, "probability_ppm"), 99990 + i * 9999, 100000 + i * 10000);
	}
	settle(&l, 60, 0);
	while (l.t->root->qlen > 60)
		lab_take(&l);
	settle(&l, 60, 1000);
	lab_at(&l, l.now + 2000 * MS);
	settle(&l, 60, 1); /* in the middle: as it is */
	assert_in_range(value(&l, "probability_ppm"), 199900, 200000);
	while (l.t->root->qlen > 40)
		lab_take(&l);
	settle(&l, 40, 1000);
	lab_at(&l, l.now + 500 * MS);
	settle(&l, 40, 1);
	assert_in_range(value(&l, "probability_ppm"), 179900, 180000);
	lab_at(&l, l.now + 1000 * NSEC_PER_SEC);
	settle(&l, 40, 1);
	assert_in_range(value(&l, "probability_ppm"), 8900, 10000);
	lab_close(&l);
}

/* S19: any child, whose drops and backlog are RED's as well; a change keeps packets. */
static void test_child_and_change(void **state)
{
	struct conf_qdisc was[2] = { defaults,
				     { .handle = CONF_HANDLE(2, 0),
				       .parent = CONF_HANDLE(1, 1),
				       .kind = CONF_QDISC_PFIFO,
				       .fifo.limit = 10 } };
	struct conf_qdisc is[2] = { was[0], was[1] };
	struct conf_tree a = { .qdiscs = was, .nqdiscs = 2 }, b = { .qdiscs = is, .nqdiscs = 2 };
	struct lab l;
	(void)state;

	is[0].red.min = MIN / 2;
	is[0].red.burst = 100; /* another W */
	lab_open(&l, &a, 0);
	for (int i = 0; i < 12; i++)
		send_tos(&l, 1000, 2);
	assert_int_equal(tree_qdisc(l.t, CONF_HANDLE(2, 0))->qlen, 10);
	assert_int_equal(l.t->root->qlen, 10);
	assert_int_equal(l.t->root->backlog, 10000);
	assert_int_equal(value(&l, "pdrop"), 2);
	settle(&l, 10, 1000);
	assert_in_range(value(&l, "average"), 8900, 9000);
	lab_change(&l, &b);
	assert_int_equal(l.t->root->qlen, 10);
	assert_in_range(value(&l, "average"), 8900, 9000);
	assert_int_equal(value(&l, "pdrop"), 2);
	while (lab_take(&l))
		;
	assert_int_equal(l.t->root->backlog, 0);
	assert_int_equal(l.t->root->stats.packets, 1010);
	assert_int_equal(tree_class(l.t, CONF_HANDLE(1, 1))->stats.packets, 1010);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_average),
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_probability),
		cmocka_unit_test(test_pdrop),
		cmocka_unit_test(test_recovers),
		cmocka_unit_test(test_adaptive),
		cmocka_unit_test(test_child_and_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
