/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat-2w: what a second worker brings when each direction of every flow has a worker of its own:
 * the case that a hand-over to one owner would make slow.
 *
 * Each thread is a worker and the wire at its receive queue; only the worker's turns are timed.
 * Rates are packets a cycle while both run, against one worker that does both directions alone.
 */
#include <pthread.h>
#include <stdio.h>

#include "tests/bench/bench.h"
#include "tests/bench/lab.h"
#include "tests/measure.h"

#define FLOWS  1000
#define SLICES 60
#define TURNS  400

struct side {
	struct lab *l;
	struct worker *w;
	unsigned port;
	uint8_t (*frame)[WIRE];
	pthread_barrier_t *start;
	double cycles; /* a packet, median of slices */
};

static void *run(void *arg)
{
	struct side *s = arg;
	uint64_t now = s->l->now;
	double slice[SLICES];
	unsigned at = 0, got;

	if (s->start)
		pthread_barrier_wait(s->start);
	for (unsigned i = 0; i < SLICES; i++) {
		uint64_t spent = 0;

		for (unsigned t = 0; t < TURNS; t++) {
			spent += lab_turn_of(s->l, s->w, now += STEP, s->port, s->frame + at, BURST,
					     NULL, &got);
			at = at + 2 * BURST <= FLOWS ? at + BURST : 0;
		}
		slice[i] = (double)spent / (TURNS * BURST);
	}
	s->cycles = median(slice, SLICES);
	return NULL;
}

double bench_nat_2w(void)
{
	static const char yaml[] = LAB_INTERFACES
		"nat: {source: [{name: all, from: 10.0.0.0/8, out: wan, action: snat, "
		"pool: 203.0.113.0/28}]}\n";
	static uint8_t query[FLOWS][WIRE], answer[FLOWS][WIRE];
	static struct lab l;
	pthread_barrier_t start;
	struct side a = { &l, NULL, 0, query, NULL, 0 }, b = { &l, NULL, 1, answer, NULL, 0 };
	pthread_t other;
	double alone, both;

	lab_setup_two(&l, yaml);
	lab_open_flows(&l, FLOWS, query, answer);
	/* alone: one worker, both directions, half the packets each */
	a.w = l.w;
	run(&a);
	b.w = l.second;
	run(&b);
	alone = 2 / (a.cycles + b.cycles);
	pthread_barrier_init(&start, NULL, 2);
	a.start = b.start = &start;
	if (pthread_create(&other, NULL, run, &b))
		bench_die("a second thread");
	run(&a);
	pthread_join(other, NULL);
	both = 1 / a.cycles + 1 / b.cycles;
	fprintf(stderr, "%.1f %.1f %.1f\n", 1 / alone, a.cycles, b.cycles);
	lab_teardown(&l);
	return both / alone;
}
