/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qos-*: cycles a packet takes through the pipeline, its class and a tree of htb with fq_codel
 * leaves, rings included. Flows are known, so their classes are, and no class is above its rate:
 * nothing waits, and what is measured is the way through the tree. rate.c has how exact it is.
 */
#include "tests/bench/bench.h"
#include "tests/bench/lab.h"

#define FLOWS 65536u

/* Each port has a tree of its own: class 1:1 stands for all. */
#define TREE(dev, key)                                                                             \
	"  " dev ":\n"                                                                             \
	"    egress:\n"                                                                            \
	"      root: {htb: {default: \"1:1\"}, handle: \"1:\"}\n"                                  \
	"      classes:\n"                                                                         \
	"        all: {handle: \"1:fffe\", rate: 40gbit, ceil: 40gbit}\n"                          \
	"        one: {parent: all, handle: \"1:1\", rate: 10mbit, ceil: 10gbit, "                 \
	"leaf: {fq_codel: {}, handle: \"2:\"}}\n"                                                  \
	"      filters: [{hash: {keys: [" key "], divisor: 1, base: \"1:1\"}}]\n"

/* Packets of 64 k flows in both directions, of which each port has its own tree. */
static double shaped(unsigned classes, unsigned busy)
{
	static struct lab l;
	static uint8_t query[FLOWS][WIRE], answer[FLOWS][WIRE];
	double cycles;
	unsigned got;

	lab_setup_classes(&l,
			  LAB_INTERFACES "conntrack: {max: 1100000}\nqos:\n" TREE("wan", "from")
				  TREE("lan", "to"),
			  classes, busy);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct tuple t = lab_tuple(i), back = { t.dst, t.src, t.dport, t.sport };

		lab_frame(query[i], 0, &t);
		lab_frame(answer[i], 1, &back);
	}
	for (unsigned i = 0; i < FLOWS; i += BURST) { /* flows are made, and classified */
		lab_turn(&l, 0, query + i, BURST, NULL, &got);
		lab_turn(&l, 1, answer + i, BURST, NULL, &got);
	}
	cycles = lab_both_ways(&l, FLOWS, query, answer);
	lab_teardown(&l);
	return cycles;
}

double bench_qos_1k(void)
{
	return shaped(500, 500);
}

double bench_qos_100k(void)
{
	return shaped(50000, 50000);
}

/* 1,000 classes in use among 10,000 that are not. */
double bench_qos_idle(void)
{
	return shaped(5500, 500);
}
