/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct-*, nat-*: cycles a packet of an established flow takes through a worker on memory ports, rings
 * included.
 *
 * Bursts go in both directions in turn, so that both rewrites and both halves are at work. What the
 * outside sees of a flow is learned from the frames that leave: a benchmark that does not translate
 * cannot pass for one that does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/lab.h"

static double established(const char *yaml, unsigned flows)
{
	static struct lab l;
	uint8_t(*query)[WIRE] = malloc((size_t)flows * WIRE);
	uint8_t(*answer)[WIRE] = malloc((size_t)flows * WIRE);
	double cycles;

	if (!query || !answer)
		bench_die("no memory");
	lab_setup(&l, yaml);
	lab_open_flows(&l, flows, query, answer);
	cycles = lab_both_ways(&l, flows, query, answer);
	lab_teardown(&l);
	free(query);
	free(answer);
	return cycles;
}

#define CONNTRACK "conntrack: {max: 1100000}\n"
#define NAT                                                                                        \
	"nat: {source: [{name: all, from: 10.0.0.0/8, out: wan, action: snat, "                    \
	"pool: 203.0.113.0/28}]}\n"

double bench_ct_1k(void)
{
	return established(LAB_INTERFACES CONNTRACK, 1000);
}

double bench_ct_64k(void)
{
	return established(LAB_INTERFACES CONNTRACK, 65536);
}

double bench_nat_1k(void)
{
	return established(LAB_INTERFACES CONNTRACK NAT, 1000);
}

double bench_nat_64k(void)
{
	return established(LAB_INTERFACES CONNTRACK NAT, 65536);
}

double bench_nat_1m(void)
{
	return established(LAB_INTERFACES CONNTRACK NAT, 1000000);
}

/* A thousand rules, of which the last lets the flow pass. */
double bench_nat_1k_rules(void)
{
	static char yaml[200000];
	size_t n = (size_t)snprintf(yaml, sizeof(yaml), "%s",
				    LAB_INTERFACES CONNTRACK NAT
				    "filter: {big: {hook: forward, priority: filter, policy: drop, "
				    "rules: [{ct: established, action: accept}");

	for (unsigned i = 0; i < 998; i++)
		n += (size_t)snprintf(yaml + n, sizeof(yaml) - n,
				      ", {from: 172.16.%u.%u, proto: tcp, dport: %u, action: drop}",
				      i / 250, i % 250, 1000 + i);
	snprintf(yaml + n, sizeof(yaml) - n, ", {proto: udp, dport: 53, action: accept}]}}\n");
	return established(yaml, 1000);
}
