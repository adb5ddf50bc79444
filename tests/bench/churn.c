/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows that come and go, on memory ports: how many a second, how much memory, how long the worst
 * loop is while they expire, and what a thousand rules cost the first packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "router/lib/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/lab.h"

#define MILLION 1000000u
#define MAX	"conntrack: {max: 1000000, timeouts: {udp: 60s, udp-stream: 60s}}\n"
#define NAT                                                                                        \
	"nat: {source: [{name: all, from: 10.0.0.0/8, out: wan, action: snat, "                    \
	"pool: 203.0.113.0/28}]}\n"

static void die_of_drops(const struct lab *l)
{
	for (unsigned i = 0; i < DROP__COUNT; i++)
		if (l->w->count->drop[i])
			fprintf(stderr, "%s %lu\n", drop_info[i].name,
				(unsigned long)l->w->count->drop[i]);
	bench_die("a new flow was dropped");
}

/* n new flows from number `first` on; the ns they took. */
static uint64_t create(struct lab *l, unsigned first, unsigned n)
{
	uint64_t spent = 0;

	for (unsigned i = 0; i < n; i += BURST) {
		unsigned k = n - i < BURST ? n - i : BURST, got;
		uint8_t frame[BURST][WIRE];

		for (unsigned j = 0; j < k; j++) {
			struct tuple t = lab_tuple(first + i + j);

			lab_frame(frame[j], 0, &t);
		}
		spent += lab_turn(l, 0, frame, k, NULL, &got);
		if (got != k)
			die_of_drops(l);
		if (i % (64 * BURST) == 0)
			lab_grace(l);
	}
	return spent;
}

double bench_new_flows(void)
{
	static struct lab l;
	uint64_t spent;

	lab_setup(&l, LAB_INTERFACES MAX NAT);
	l.by_time = true;
	spent = create(&l, 0, MILLION);
	lab_teardown(&l);
	return MILLION * 1e3 / (double)spent;
}

/* A million live flows of a second's life, and as many new ones a second of the worker's clock. */
double bench_new_flows_live(void)
{
	static struct lab l;
	struct flow_stats s;
	uint64_t spent = 0;

	lab_setup(&l, LAB_INTERFACES
		  "conntrack: {max: 2200000, timeouts: {udp: 16s, udp-stream: 16s}}\n"
		  "nat: {source: [{name: all, from: 10.0.0.0/8, out: wan, action: snat, "
		  "pool: 203.0.113.0/27}]}\n");
	l.by_time = true;
	for (unsigned i = 0; i < 3 * MILLION; i += 64 * BURST) {
		uint64_t took = create(&l, i, 64 * BURST);

		l.now += 16 * NSEC_PER_SEC / (MILLION / (64 * BURST));
		if (i >= 2 * MILLION)
			spent += took;
	}
	flow_table_stats(l.st->flows, &s);
	if (s.live < MILLION * 9 / 10)
		bench_die("fewer flows lived than should");
	lab_teardown(&l);
	return MILLION * 1e3 / (double)spent;
}

static double resident_mib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		bench_die("/proc/self/statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void trim(struct lab *l)
{
	lab_grace(l);
	for (unsigned i = 0; i < 3 * MILLION / 128; i++)
		lab_idle(l);
	for (unsigned i = 0; i < 4000; i++)
		flow_table_trim(l->st->flows, 512);
	natports_trim(l->st->ports);
}

/* MiB that a million flows take; and prints what remains when they are gone. */
double bench_flow_mem(void)
{
	static struct lab l;
	double empty, full;

	lab_setup(&l, LAB_INTERFACES MAX NAT);
	l.by_time = true;
	create(&l, MILLION, 1000); /* what any traffic touches */
	empty = resident_mib();
	create(&l, 0, MILLION - 1000);
	full = resident_mib();
	l.now += 200 * NSEC_PER_SEC;
	trim(&l);
	trim(&l);
	fprintf(stderr, "%.1f\n", resident_mib() - empty);
	lab_teardown(&l);
	return full - empty;
}

/* Microseconds of the worst turn while a million flows that have all expired are taken down. */
double bench_expire_loop(void)
{
	static struct lab l;
	struct flow_stats s;
	uint64_t worst = 0;

	lab_setup(&l, LAB_INTERFACES MAX NAT);
	l.by_time = true;
	create(&l, 0, MILLION);
	l.now += 200 * NSEC_PER_SEC;
	do {
		for (unsigned i = 0; i < 100; i++) {
			uint64_t spent = lab_idle(&l);

			worst = spent > worst ? spent : worst;
		}
		lab_grace(&l);
		flow_table_stats(l.st->flows, &s);
	} while (s.ipv4);
	lab_teardown(&l);
	return (double)worst / 1e3;
}

/* Nanoseconds a first packet takes, flow made and all; `rules` stand before the one that matches.
 */
static double first_packet(unsigned rules)
{
	static struct lab l;
	static char yaml[400000];
	uint64_t spent;
	size_t n = (size_t)snprintf(yaml, sizeof(yaml), "%s",
				    LAB_INTERFACES MAX
				    "filter: {big: {hook: forward, priority: filter, "
				    "policy: drop, rules: [");

	for (unsigned i = 0; i < rules; i++)
		n += (size_t)snprintf(
			yaml + n, sizeof(yaml) - n,
			"{from: 10.%u.%u.0/24, proto: udp, dport: %u, action: drop}, ", i / 250,
			i % 250, 1000 + i);
	snprintf(yaml + n, sizeof(yaml) - n, "{proto: udp, dport: 53, action: accept}]}}\n");
	lab_setup(&l, yaml);
	l.by_time = true;
	spent = create(&l, 0, 200000);
	lab_teardown(&l);
	return (double)spent / 200000;
}

double bench_rules(void)
{
	return first_packet(999);
}

double bench_rules_none(void)
{
	return first_packet(0);
}
