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
#include "tests/measure.h"

/* ---- established flows */

#define SLICES 100
#define TURNS  400

/* Opens every flow, and learns what its answers must look like. */
static void open_flows(struct lab *l, unsigned flows, uint8_t (*query)[WIRE],
		       uint8_t (*answer)[WIRE])
{
	for (unsigned i = 0; i < flows; i += BURST) {
		unsigned n = flows - i < BURST ? flows - i : BURST, got;
		uint8_t out[BURST][WIRE];

		for (unsigned k = 0; k < n; k++) {
			struct tuple t = lab_tuple(i + k);

			lab_frame(query[i + k], 0, &t);
		}
		lab_turn(l, 0, query + i, n, out, &got);
		if (got != n)
			lab_die("a new flow was dropped");
		for (unsigned k = 0; k < n; k++) {
			struct tuple t = lab_answer(out[k]);

			lab_frame(answer[i + k], 1, &t);
		}
	}
}

static double established(const char *yaml, unsigned flows)
{
	static struct lab l;
	static double slice[SLICES];
	uint8_t(*query)[WIRE] = malloc((size_t)flows * WIRE);
	uint8_t(*answer)[WIRE] = malloc((size_t)flows * WIRE);
	unsigned at = 0, got;
	uint64_t received = 0, sent = 0;

	if (!query || !answer)
		lab_die("no memory");
	lab_setup(&l, yaml);
	l.by_time = getenv("BENCH_TIME") != NULL;
	open_flows(&l, flows, query, answer);
	for (unsigned s = 0; s < SLICES; s++) {
		uint64_t spent = 0;

		for (unsigned t = 0; t < TURNS; t++) {
			spent += t & 1 ? lab_turn(&l, 1, answer + at, BURST, NULL, &got)
				       : lab_turn(&l, 0, query + at, BURST, NULL, &got);
			received += BURST;
			sent += got;
			if (t & 1)
				at = at + 2 * BURST <= flows ? at + BURST : 0;
		}
		slice[s] = (double)spent / (TURNS * BURST);
	}
	if (received != sent)
		lab_die("packets were lost: the figure would mean nothing");
	lab_teardown(&l);
	free(query);
	free(answer);
	return median(slice, SLICES);
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
