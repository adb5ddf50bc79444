/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual reassembly: its limits, its time, and two workers at once. Requirements U14a and C29, and
 * the bounds that issue *flows* asks for. Every lab that closes has accounted for its frames.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/frag_lab.h"

/* Whole turns of the sweep. */
static void expire(struct frag_lab *l, unsigned worker)
{
	struct dp *dp = &l->w[worker]->dp;

	for (unsigned i = 0; i < 64; i++, dp->now += FRAG_SWEEP)
		frag_expire(l->f, dp);
}

/* ---- two workers */

#define RACE_DATAGRAMS 20000u
#define RACE_PIECES    4u
#define RACE_WINDOW    32u /* datagrams under way at once */

struct race {
	struct lab_worker *w;
	uint64_t *turn; /* fragments that were taken, by both */
};

/* The fragments of a window of datagrams, all mixed; each is sent by whoever takes its number. */
static void *race_run(void *arg)
{
	struct race *r = arg;
	uint64_t n;

	while ((n = __atomic_fetch_add(r->turn, 1, __ATOMIC_RELAXED)) <
	       RACE_DATAGRAMS * RACE_PIECES) {
		uint32_t window = (uint32_t)(n / (RACE_WINDOW * RACE_PIECES));
		uint32_t mixed = (uint32_t)(n * 77 + window) % (RACE_WINDOW * RACE_PIECES);
		uint32_t piece = mixed % RACE_PIECES;
		struct spec s = udp(window & 1, piece * 104, 104, piece + 1 < RACE_PIECES);

		s.src = mixed / RACE_PIECES;
		s.id = window;
		assert(frag_send(r->w, &s) != FRAG_DROPPED);
		r->w->dp.now += NSEC_PER_USEC;
		frag_expire(r->w->lab->f, &r->w->dp);
	}
	return NULL;
}

/* U14: whichever queues a datagram's fragments come by, all of them go on. */
static void test_two_workers(void **state)
{
	struct frag_lab *l = lab_of(4096, 64, 2048);
	uint64_t turn = 0;
	struct race r[LAB_WORKERS];
	pthread_t thread[LAB_WORKERS];

	(void)state;
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		r[i] = (struct race){ l->w[i], &turn };
		assert_int_equal(pthread_create(&thread[i], NULL, race_run, &r[i]), 0);
	}
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(lab_drops_all(l), 0);
	assert_int_equal(stats_of(l).held, 0);
	assert_int_equal(stats_of(l).datagrams, 0);
	assert_int_equal(l->w[0]->gone + l->w[1]->gone, RACE_DATAGRAMS * RACE_PIECES);
	frag_lab_close(l);
}

/* Everything at once: floods, overlaps, refusals, a table that is too small. */
static void *storm_run(void *arg)
{
	struct lab_worker *w = arg;
	uint64_t x = w->dp.worker + 1;

	for (unsigned i = 0; i < 100000; i++) {
		struct spec s;
		struct frag_ports ports;

		x = x * 6364136223846793005u + 1442695040888963407u;
		s = udp(x >> 33 & 1, (x >> 34 & 7) * 32, 32 + 8 * ((x >> 40) % 16 == 0),
			x >> 37 & 3);
		s.src = x >> 44 & 15;
		s.id = x >> 48 & 7;
		if (frag_send_only(w, &s, &ports) == FRAG_KNOWN && ports.first) {
			if (x >> 52 & 1)
				frag_refuse(w->lab->f, &w->dp, &ports);
			else
				frag_send_waiting(w, &ports);
		}
		w->dp.now += 100 * NSEC_PER_USEC;
		frag_expire(w->lab->f, &w->dp);
	}
	return NULL;
}

static void test_storm(void **state)
{
	struct frag_lab *l = lab_of(40, 4, 20);
	pthread_t thread[LAB_WORKERS];

	(void)state;
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, storm_run, l->w[i]), 0);
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		pthread_join(thread[i], NULL);
	assert_in_range(stats_of(l).datagrams, 0, 40);
	frag_lab_check(l);
	l->w[0]->dp.now += LAB_TIMEOUT + NSEC_PER_SEC;
	expire(l, 0);
	assert_int_equal(stats_of(l).datagrams, 0);
	assert_int_equal(stats_of(l).held, 0);
	frag_lab_close(l);
}

/* ---- limits */

static void test_many_fragments(void **state)
{
	struct frag_lab *l = lab_default();

	(void)state;
	for (uint32_t i = 0; i < 119; i++) { /* 64 KiB at an MTU of 576 */
		struct spec s = udp(false, i * 552, 552, i < 118);

		s.len = i == 118 ? 300 : 552;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	}
	for (uint32_t i = 0; i < 140; i++) {
		struct spec s = udp(false, i * 8, 8, true);

		s.id = 78;
		assert_int_equal(frag_send(l->w[0], &s), i < 128 ? FRAG_KNOWN : FRAG_DROPPED);
	}
	expect_dropped(l, DROP_FRAG_LIMIT, 12);
	frag_lab_close(l);
}

static void test_many_waiting(void **state)
{
	struct frag_lab *l = lab_default();
	struct spec s;

	(void)state;
	for (uint32_t i = 17; i > 0; i--) {
		s = udp(false, i * 8, 8, i < 17);
		assert_int_equal(frag_send(l->w[0], &s), i > 1 ? FRAG_HELD : FRAG_DROPPED);
	}
	expect_dropped(l, DROP_FRAG_LIMIT, 17); /* it cannot be whole any more */
	s = udp(false, 0, 8, true);
	assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
	assert_int_equal(stats_of(l).held, 0);
	frag_lab_close(l);
}

/* In all: the oldest gives way. */
static void test_many_held(void **state)
{
	struct frag_lab *l = lab_of(16, 64, 8);

	(void)state;
	for (uint32_t id = 0; id < 10; id++, l->w[0]->dp.now++) {
		struct spec s = udp(false, 104, 8, false);

		s.id = id;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
	}
	assert_int_equal(stats_of(l).held, 8);
	expect_dropped(l, DROP_FRAG_LIMIT, 2);
	for (uint32_t id = 0; id < 10; id++) {
		struct spec s = udp(false, 0, 104, true);

		s.id = id;
		l->w[0]->nsent = 0;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		assert_int_equal(l->w[0]->nsent, id < 2 ? 1 : 2);
	}
	frag_lab_close(l);
}

/* One that has all the frames there are takes no other's. */
static void test_all_held_by_one(void **state)
{
	struct frag_lab *l = lab_of(16, 64, 2);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		struct spec s = udp(false, i * 8, 8, true);

		assert_int_equal(frag_send(l->w[0], &s), i < 3 ? FRAG_HELD : FRAG_DROPPED);
	}
	expect_dropped(l, DROP_FRAG_LIMIT, 3);
	frag_lab_close(l);
}

/* Bounded per source, an IPv6 /64 being one; others are not hurt. */
static void test_per_source(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		struct frag_lab *l = lab_of(1024, 8, 512);
		struct spec s = udp(six, 104, 8, false);

		for (s.id = 0; s.id < 20; s.id++) {
			s.src = six ? 0x10000 + s.id : 1;
			assert_int_equal(frag_send(l->w[0], &s),
					 s.id < 8 ? FRAG_HELD : FRAG_DROPPED);
		}
		expect_dropped(l, DROP_FRAG_LIMIT, 12);
		assert_int_equal(stats_of(l).too_many_of_source, 12);
		s.src = six ? 0x20000 : 2;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
		s = udp(six, 0, 104, true); /* one of the eight goes on */
		s.src = six ? 0x10000 : 1;
		s.id = 0;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		s.id = 100;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN); /* it was complete */
		l->w[0]->dp.now += LAB_TIMEOUT;
		expire(l, 0);
		s.id = 101;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		frag_lab_close(l);
	}
}

/* U14a: a flood of missing firsts from everywhere. Datagrams in order pass meanwhile. */
static void test_flood(void **state)
{
	struct frag_lab *l = lab_of(1024, 64, 512);
	unsigned passed = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		struct spec s = udp(i & 1, 104, 104, true);

		s.src = 1000 + (i << (i & 1 ? 8 : 0)) % (1 << 24);
		s.id = i;
		assert_int_not_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		l->w[0]->dp.now += NSEC_PER_USEC;
		if (i % 1000)
			continue;
		for (unsigned n = 0; n < 3; n++) {
			s = udp(false, n * 104, 104, n < 2);
			s.id = i / 1000;
			passed += frag_send(l->w[1], &s) == FRAG_KNOWN;
		}
	}
	assert_int_equal(passed, 300);
	assert_in_range(stats_of(l).datagrams, 512, 1024);
	assert_in_range(stats_of(l).held, 480, 512);
	assert_int_equal(lab_drops(l, DROP_FRAG_LIMIT), lab_drops_all(l));
	frag_lab_close(l);
}

/* What is under way with its first gone is never given up, neither for those nor for more firsts.
 */
static void test_full(void **state)
{
	struct frag_lab *l = lab_of(64, 64, 64);
	unsigned known = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct spec s = udp(false, 0, 104, true);

		s.src = i;
		known += frag_send(l->w[0], &s) == FRAG_KNOWN;
		s = udp(false, 104, 104, true);
		s.src = 5000 + i;
		frag_send(l->w[0], &s);
	}
	assert_int_equal(known, 64);
	assert_int_equal(stats_of(l).datagrams, 64);
	assert_int_equal(stats_of(l).held, 0);
	known = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		struct spec s = udp(false, 104, 8, false);

		s.src = i;
		known += frag_send(l->w[0], &s) == FRAG_KNOWN;
	}
	assert_int_equal(known, 64);
	frag_lab_close(l);
}

/* The condemned give way too, when there is nothing else. */
static void test_full_of_condemned(void **state)
{
	struct frag_lab *l = lab_of(64, 64, 64);
	struct spec s = udp(false, 64, 9, true);

	(void)state;
	for (s.src = 0; s.src < 1000; s.src++)
		assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
	assert_int_equal(stats_of(l).datagrams, 64);
	s = udp(false, 0, 104, true);
	s.id++;
	for (s.src = 0; s.src < 10; s.src++)
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	frag_lab_close(l);
}

/* ---- time */

static void timeout_from(uint64_t now)
{
	struct frag_lab *l = lab_of(1024, 64, 512);
	struct spec s = udp(false, 104, 8, false);

	l->w[0]->dp.now = l->w[1]->dp.now = now;
	for (s.id = 0; s.id < 32; s.id++) {
		assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
		s.src = s.id;
	}
	l->w[1]->dp.now = now + LAB_TIMEOUT - 64 * FRAG_SWEEP;
	expire(l, 1);
	assert_int_equal(lab_drops_all(l), 0);
	for (unsigned i = 0; i < 64; i++) /* however often it is asked: only so much at a time */
		frag_expire(l->f, &l->w[1]->dp);
	assert_in_range(stats_of(l).datagrams, 20, 32);
	expire(l, 1);
	assert_int_equal(l->w[1]->count.drop[DROP_FRAG_TIMEOUT], 32);
	assert_int_equal(stats_of(l).timed_out, 32);
	assert_int_equal(stats_of(l).datagrams, 0);
	assert_int_equal(stats_of(l).held, 0);
	frag_lab_close(l);
}

static void test_timeout(void **state)
{
	(void)state;
	timeout_from(1000 * NSEC_PER_SEC);
	timeout_from((1ull << 62) - NSEC_PER_SEC);
	timeout_from((1ull << 31) * NSEC_PER_SEC - NSEC_PER_SEC);
	timeout_from((1ull << 32) * NSEC_PER_MSEC - NSEC_PER_SEC);
}

/* A worker that slept between two looks. */
static void test_timeout_asleep(void **state)
{
	struct frag_lab *l = lab_default();
	struct spec s = udp(false, 104, 8, false);

	(void)state;
	for (s.id = 0; s.id < 32; s.id++) {
		s.src = s.id;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
		frag_expire(l->f, &l->w[0]->dp);
	}
	l->w[0]->dp.now += LAB_TIMEOUT;
	frag_expire(l->f, &l->w[0]->dp);
	expect_dropped(l, DROP_FRAG_TIMEOUT, 32);
	frag_lab_close(l);
}

/* Without any sweep: what has had its time is not found. */
static void test_timeout_seen(void **state)
{
	struct frag_lab *l = lab_default();
	struct spec s = udp(false, 0, 104, true);

	(void)state;
	assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	l->w[0]->dp.now += LAB_TIMEOUT - 1;
	s = udp(false, 104, 8, true);
	assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	l->w[0]->dp.now++;
	s = udp(false, 112, 8, false);
	assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
	l->w[0]->dp.now += LAB_TIMEOUT;
	s = udp(false, 0, 104, true);
	assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	expect_dropped(l, DROP_FRAG_TIMEOUT, 1);
	frag_lab_close(l);
}

/* A table that goes with frames in it gives them back. */
static void test_destroy(void **state)
{
	struct frag_lab *l = lab_default();

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct spec s = udp(i & 1, 104 + i / 2 % 10 * 8, 8, true);

		s.id = i / 20;
		frag_send(l->w[0], &s);
	}
	assert_int_equal(frags_held(l->f), 100);
	frag_lab_close(l);
}

static void test_create(void **state)
{
	struct frags_config c = { .max = 0, .per_source = 1, .held = 1, .timeout = 1 };
	struct frags *f = NULL;

	(void)state;
	assert_int_equal(frags_create(&c, &f), -EINVAL);
	c.max = 1;
	c.per_source = 0;
	assert_int_equal(frags_create(&c, &f), -EINVAL);
	assert_null(f);
	frags_destroy(NULL, lab_drop, NULL);
	c.per_source = 1;
	for (c.max = 1; c.max < 100; c.max++) {
		assert_int_equal(frags_create(&c, &f), 0);
		frags_destroy(f, lab_drop, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_workers),    cmocka_unit_test(test_storm),
		cmocka_unit_test(test_many_fragments), cmocka_unit_test(test_many_waiting),
		cmocka_unit_test(test_many_held),      cmocka_unit_test(test_all_held_by_one),
		cmocka_unit_test(test_per_source),     cmocka_unit_test(test_flood),
		cmocka_unit_test(test_full),	       cmocka_unit_test(test_full_of_condemned),
		cmocka_unit_test(test_timeout),	       cmocka_unit_test(test_timeout_asleep),
		cmocka_unit_test(test_timeout_seen),   cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
