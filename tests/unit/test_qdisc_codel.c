// SPDX-License-Identifier: GPL-2.0-or-later
/* CoDel's law to the nanosecond (S6, RFC 8289), and ECN bits (S18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "router/net/csum.h"
#include "router/net/qdisc/codel_law.h"
#include "tests/unit/qdisc_lab.h"

#define MS	 NSEC_PER_MSEC
#define INTERVAL (100 * MS)
#define TARGET	 (5 * MS)

static struct conf_qdisc codel = {
	.handle = CONF_HANDLE(1, 0),
	.parent = CONF_ROOT,
	.kind = CONF_QDISC_CODEL,
	.codel = { .limit = 1000,
		   .target = TARGET,
		   .interval = INTERVAL,
		   .ce_threshold = UINT64_MAX },
};
static const struct conf_tree tree = { .qdiscs = &codel, .nqdiscs = 1 };

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

static uint8_t *tos_of(const struct lab *l, const struct qpkt *p)
{
	return l->memory + p->addr + p->l3 + 1;
}

static void send_tos(struct lab *l, uint16_t len, uint8_t tos)
{
	struct qpkt *p = lab_packet(l, len, 1);

	*tos_of(l, p) = tos;
	tree_enqueue(l->t, p);
}

static uint64_t drops(const struct lab *l)
{
	return l->count->drop[DROP_QDISC_AQM];
}

/* One packet in and one out each ms, behind a queue of n. The times of the first `max` drops. */
static void run(struct lab *l, unsigned n, uint64_t *at, unsigned max)
{
	uint64_t seen = drops(l);

	for (unsigned i = 0; i < n; i++)
		lab_send(l, 1000, 1, 0);
	for (unsigned i = 0; i < max;) {
		lab_at(l, l->now + MS);
		lab_send(l, 1000, 1, 0);
		assert_non_null(lab_take(l));
		for (; seen < drops(l) && i < max; seen++) {
			at[i++] = l->now;
			lab_send(l, 1000, 1, 0); /* so that the queue stays as long */
		}
	}
}

/* The next whole ms, on which packets leave. */
static uint64_t whole(uint64_t ns)
{
	return (ns + MS - 1) / MS * MS;
}

/* S6: the first drop is a whole interval after the first packet that stayed too long; the n-th
 * follows interval / sqrt(n) after the n-1-th was due. */
static void test_instants(void **state)
{
	enum { DROPS = 200 };
	uint64_t at[DROPS], start, due;
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	start = l.now;
	run(&l, 20, at, DROPS);
	/* the packets that waited from the start are above target from 5 ms on */
	due = start + TARGET + INTERVAL;
	for (unsigned i = 0; i < DROPS; i++) {
		assert_int_equal(at[i], whole(due));
		due = (i ? due : at[0]) + (uint64_t)(INTERVAL / sqrt(i + 1));
	}
	assert_int_equal(value(&l, "count"), DROPS);
	assert_int_equal(value(&l, "dropping"), 1);
	assert_int_equal(l.t->root->stats.drops, DROPS);
	lab_close(&l);
}

/* 1 % is asked for. */
static void test_distance(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 5000000; n += 1 + n / 3) {
		double want = 1e8 / sqrt(n);

		assert_true(fabs((double)codel_distance(100000000, n) - want) <= 1);
	}
}

/* One packet below target ends it; bad again within 16 intervals, it goes on about as strictly. */
static void test_memory(void **state)
{
	uint64_t at[50], again[3], end;
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	run(&l, 20, at, 50);
	while (lab_take(&l))
		;
	assert_int_equal(value(&l, "dropping"), 0);
	assert_true(value(&l, "count") >= 50);
	end = (uint64_t)value(&l, "count") - (uint64_t)value(&l, "lastcount");
	run(&l, 20, again, 3);
	assert_int_equal(value(&l, "lastcount"), end);
	assert_int_equal(value(&l, "count"), end + 2);
	assert_in_range(again[1] - again[0], codel_distance(INTERVAL, (uint32_t)end),
			codel_distance(INTERVAL, (uint32_t)end) + MS);

	while (lab_take(&l))
		;
	lab_at(&l, l.now + 17 * INTERVAL);
	run(&l, 20, again, 2);
	assert_int_equal(value(&l, "count"), 2);
	assert_int_equal(again[1] - again[0], INTERVAL);
	lab_close(&l);
}

/* A packet that waits alone is never dropped, however long (a slow link is no bad queue). */
static void test_last_packet(void **state)
{
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	lab_send(&l, 1514, 1, 0);
	for (int i = 0; i < 20; i++) {
		lab_send(&l, 1514, 1, 0);
		lab_at(&l, l.now + INTERVAL);
		assert_non_null(lab_take(&l));
	}
	assert_int_equal(drops(&l), 0);
	lab_send(&l, 60, 1, 0); /* a byte more than a packet is left when the head goes */
	for (unsigned i = 0; i < 2; i++) {
		lab_send(&l, 1514, 1, 0);
		lab_at(&l, l.now + INTERVAL);
		assert_non_null(lab_take(&l));
		assert_int_equal(drops(&l), i);
	}
	lab_close(&l);
}

/* Bad for less than an interval: nothing happens. */
static void test_burst(void **state)
{
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 90; i++)
			lab_send(&l, 1000, 1, 0);
		while (lab_take(&l))
			lab_at(&l, l.now + MS);
	}
	assert_int_equal(drops(&l), 0);
	lab_close(&l);
}

/* With ecn, who understands it is marked at the instants where others are dropped. */
static void test_ecn(void **state)
{
	struct conf_qdisc q = codel;
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	uint64_t due;
	unsigned marked = 0;
	struct lab l;
	(void)state;

	q.codel.ecn = true;
	lab_open(&l, &c, 0);
	due = l.now + TARGET + INTERVAL;
	for (int i = 0; i < 20; i++)
		send_tos(&l, 1000, 2);
	while (marked < 50) {
		struct qpkt *p;

		lab_at(&l, l.now + MS);
		send_tos(&l, 1000, 2);
		p = lab_take(&l);
		assert_int_equal(*tos_of(&l, p), l.now == whole(due) ? 3 : 2);
		if (*tos_of(&l, p) == 3) {
			marked++;
			due = (marked > 1 ? due : l.now) + codel_distance(INTERVAL, marked);
		}
	}
	assert_int_equal(drops(&l), 0);
	assert_int_equal(value(&l, "ecn_mark"), 50);
	assert_int_equal(l.t->ecn_marked, 50);
	lab_close(&l);
}

/* ce_threshold marks whatever stayed longer, at once, with or without ecn. */
static void test_ce_threshold(void **state)
{
	struct conf_qdisc q = codel;
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	q.codel.ce_threshold = MS;
	lab_open(&l, &c, 0);
	send_tos(&l, 1000, 1);
	send_tos(&l, 1000, 1);
	send_tos(&l, 1000, 0);
	lab_at(&l, l.now + MS);
	assert_int_equal(*tos_of(&l, lab_take(&l)), 1);
	lab_at(&l, l.now + 1);
	assert_int_equal(*tos_of(&l, lab_take(&l)), 3);
	assert_int_equal(*tos_of(&l, lab_take(&l)), 0);
	assert_int_equal(value(&l, "ce_mark"), 1);
	assert_int_equal(value(&l, "ecn_mark"), 0);
	lab_close(&l);
}

static void test_limit_and_change(void **state)
{
	struct conf_qdisc q = codel;
	struct conf_tree c = { .qdiscs = &q, .nqdiscs = 1 };
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	for (int i = 0; i < 1005; i++)
		lab_send(&l, 100, 1, 0);
	assert_int_equal(l.t->root->qlen, 1000);
	assert_int_equal(value(&l, "drop_overlimit"), 5);
	q.codel.limit = 10;
	lab_change(&l, &c);
	assert_int_equal(l.t->root->qlen, 10);
	assert_int_equal(l.t->root->backlog, 1000);
	assert_int_equal(value(&l, "drop_overlimit"), 995);
	assert_int_equal(l.count->drop[DROP_QDISC_FULL], 995);
	assert_int_equal(lab_serial(&l, lab_take(&l)), 991); /* from the head */
	assert_int_equal(l.t->root->stats.packets, 1);
	lab_close(&l);
}

/* ---- S18 */

static void check_mark(struct lab *l, unsigned ecn, bool ip6, unsigned l3)
{
	struct qpkt *p = lab_packet(l, 100, 1);
	uint8_t *ip = l->memory + p->addr + l3, before[40];
	bool able = ecn != 0;

	memmove(ip, l->memory + p->addr + ETH_HLEN, 20);
	p->l3 = (uint8_t)l3;
	if (ip6) {
		ip[0] = 0x6a;
		ip[1] = (uint8_t)(0xb5 & ~0x30) | (uint8_t)(ecn << 4);
	} else {
		ip[1] = (uint8_t)(0xb8 | ecn);
		ip[10] = ip[11] = 0;
		*(uint16_t *)(ip + 10) = (uint16_t)~csum_ip4_20(ip);
	}
	memcpy(before, ip, sizeof(before));
	assert_int_equal(qpkt_is_ect(l->t, p), able);
	assert_int_equal(qpkt_mark_ce(l->t, p), able);
	if (able && ip6)
		before[1] |= 0x30;
	else if (able)
		before[1] |= 3;
	if (!ip6) {
		assert_int_equal(csum_ip4_20(ip), 0xffff);
		memcpy(before + 10, ip + 10, 2);
	}
	assert_memory_equal(ip, before, sizeof(before));
	lab_free(l->dp, l->memory + p->addr);
}

static void test_mark(void **state)
{
	struct qpkt *p;
	struct lab l;
	(void)state;

	lab_open(&l, &tree, 0);
	for (unsigned ecn = 0; ecn < 4; ecn++)
		for (unsigned l3 = 14; l3 <= 22; l3 += 4) {
			check_mark(&l, ecn, false, l3);
			check_mark(&l, ecn, true, l3);
		}
	assert_int_equal(l.t->ecn_marked, 3 * 3 * 2);
	p = lab_packet(&l, 100, 1); /* ARP */
	p->l3 = 0;
	assert_false(qpkt_is_ect(l.t, p));
	assert_false(qpkt_mark_ce(l.t, p));
	lab_free(l.dp, l.memory + p->addr);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instants),     cmocka_unit_test(test_distance),
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_last_packet),
		cmocka_unit_test(test_burst),	     cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_ce_threshold), cmocka_unit_test(test_limit_and_change),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
