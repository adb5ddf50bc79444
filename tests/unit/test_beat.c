// SPDX-License-Identifier: GPL-2.0-or-later
/* Heartbeats of a worker: when they are written and when not, what wakes a sleeper, and what a
 * worker does that comes back late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "router/beat.h"
#include "router/flows.h"
#include "tests/unit/pipe.h"

#define STALE (100 * NSEC_PER_MSEC)

static void turn_at(struct pipe *p, uint64_t now)
{
	p->now = now;
	worker_turn(p->w, now);
}

/* Once in ten milliseconds, however often the worker turns; and only to queues that want it. */
static void test_seldom(void **state)
{
	uint64_t beat = 0, writes = 0, last = 0, from;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.beats = true;
	p.wp.rx[1].beat = &beat;
	from = p.now;
	for (unsigned us = 0; us < 100000; us += 10) {
		turn_at(&p, from + us * NSEC_PER_USEC);
		writes += beat != last;
		last = beat;
		assert_true(p.now - beat <= BEAT_EVERY);
	}
	assert_in_range(writes, 9, 11);
	assert_int_equal(p.w->lapses, 0);
	pipe_close(&p);
}

static void test_nobody_wants_one(void **state)
{
	uint64_t beat = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.rx[0].beat = &beat; /* beats: false */
	turn_at(&p, p.now + NSEC_PER_SEC);
	assert_int_equal(beat, 0);
	assert_true(beat_sleep_ns(&p.wp, UINT64_MAX) == UINT64_MAX);
	assert_true(beat_sleep_ns(NULL, UINT64_MAX) == UINT64_MAX);
	pipe_close(&p);
}

static void test_sleeps_shorter(void **state)
{
	struct worker_ports wp = { .beats = true };

	(void)state;
	assert_true(beat_sleep_ns(&wp, UINT64_MAX) <= 40 * NSEC_PER_MSEC);
	assert_int_equal(beat_sleep_ns(&wp, 1000), 1000);
	/* awake at the latest when it must, and it writes then */
	assert_true(BEAT_SLEEP_NS > BEAT_EVERY && BEAT_SLEEP_NS + BEAT_EVERY < STALE);
}

/* Late: no beat before control has answered. */
static void test_lapse(void **state)
{
	struct stateful st = { 0 };
	uint64_t beat = 0, late;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.beats = true;
	p.wp.rx[0].beat = &beat;
	beat_all(p.w, &p.wp, p.now);
	p.w->dp.st = &st;
	p.w->dp.tick = 7;
	beat_all(p.w, &p.wp, p.now + STALE);
	assert_false(worker_waits(p.w));
	late = p.now + 2 * STALE + 1;
	beat_all(p.w, &p.wp, late);
	assert_true(worker_waits(p.w));
	assert_true(p.w->dp.ask_now);
	p.w->dp.ask_now = false;
	beat_all(p.w, &p.wp, late + BEAT_EVERY);
	assert_true(beat == p.now + STALE);
	assert_false(p.w->dp.ask_now);
	assert_int_equal(st.resumed, 0);
	worker_go_on(p.w);
	beat_all(p.w, &p.wp, late + 2 * BEAT_EVERY);
	assert_true(beat == late + 2 * BEAT_EVERY);
	assert_int_equal(st.resumed, 8);
	assert_int_equal(p.w->lapses, 1);
	p.w->dp.st = NULL;
	pipe_close(&p);
}

/* Control hangs, too: better to forward than not to. */
static void test_no_answer(void **state)
{
	uint64_t beat = 0, late;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.beats = true;
	p.wp.rx[0].beat = &beat;
	beat_all(p.w, &p.wp, p.now);
	late = p.now + 2 * STALE;
	for (unsigned ms = 0; ms < 2000; ms += 50)
		beat_all(p.w, &p.wp, late + ms * NSEC_PER_MSEC);
	assert_true(beat == p.now);
	beat_all(p.w, &p.wp, late + 2000 * NSEC_PER_MSEC);
	assert_true(beat == late + 2000 * NSEC_PER_MSEC);
	assert_int_equal(p.w->lapses, 1);
	p.w->dp.ask_now = false;
	pipe_close(&p);
}

/* At start, for as long as it takes; and no lapse comes of it. */
static void test_held(void **state)
{
	uint64_t beat = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.beats = true;
	p.wp.rx[0].beat = &beat;
	worker_hold(p.w);
	for (unsigned ms = 0; ms < 5000; ms += 50)
		beat_all(p.w, &p.wp, p.now + ms * NSEC_PER_MSEC);
	assert_int_equal(beat, 0);
	worker_go_on(p.w);
	turn_at(&p, p.now + 5000 * NSEC_PER_MSEC);
	assert_true(beat == p.now);
	assert_int_equal(p.w->lapses, 0);
	pipe_close(&p);
}

/* What was published anew has no past. */
static void test_other_ports(void **state)
{
	struct worker_ports other;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.wp.beats = true;
	beat_all(p.w, &p.wp, p.now);
	other = p.wp;
	beat_all(p.w, &other, p.now + 10 * STALE);
	assert_int_equal(p.w->lapses, 0);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seldom),	       cmocka_unit_test(test_nobody_wants_one),
		cmocka_unit_test(test_sleeps_shorter), cmocka_unit_test(test_lapse),
		cmocka_unit_test(test_other_ports),    cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
