/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stateful router on two memory ports, for benchmarks: a policy made from YAML, hosts of 10/8
 * behind port 0 ("lan") that talk UDP to hosts of 198.18/15 behind port 1 ("wan").
 */
#ifndef TESTS_BENCH_LAB_H
#define TESTS_BENCH_LAB_H

#include "router/policy.h"
#include "router/qos_build.h"
#include "router/worker.h"

#define RING	 2048
#define FRAMES	 16384
#define WIRE	 60
#define STEP	 10000 /* ns a turn takes on the worker's clock */
#define INSIDE	 0x0a000000u
#define OUTSIDE	 0xc6120000u /* 198.18/15 */
#define EXTERNAL 0xcb007100u /* 203.0.113.0/24 */

struct lab {
	struct xsk_mem *mem;
	struct xsk_port *port[2];
	struct xsk_memwire wire[2];
	struct worker *w, *second; /* second: of lab_setup_two(), else NULL */
	struct worker_ports wp, wp2;
	struct dp_config *cfg;
	struct nh_table nht;
	struct neigh_table *neigh;
	struct fib_pool *pool;
	struct nh nh[3];
	struct nh *slot[3];
	struct names names;
	struct conf *conf;
	struct stateful *st;
	struct policy *policy;
	struct qos_control qos; /* if the YAML shapes */
	uint64_t now;
	bool by_time; /* turns are measured in ns of CPU time of this thread, not in cycles */
};

struct tuple {
	uint32_t src, dst; /* network order */
	uint16_t sport, dport;
};

/* Trees of more classes than a file has room for: the last class of each stands for so many, and
 * its only filter, a hash, deals packets out to `busy` of them. */
void lab_setup_classes(struct lab *l, const char *yaml, unsigned classes, unsigned busy);
void lab_setup(struct lab *l, const char *yaml);
/* Two workers, which share the ports' send queues; one receives from each port. */
void lab_setup_two(struct lab *l, const char *yaml);
void lab_teardown(struct lab *l);
/* What the lab's shaping is built for, with the trees of another configuration. */
void lab_qos_env(struct lab *l, const struct conf *conf, struct qos_env *e);

/* Flow i of 60 million, from inside. */
struct tuple lab_tuple(unsigned i);
/* What answers a frame that left. */
struct tuple lab_answer(const uint8_t *frame);
void lab_frame(uint8_t f[WIRE], unsigned port, const struct tuple *t);
/* One turn of a worker with n frames into `port`; returns the cycles (or ns) it took. Frames that
 * leave by the other port go to out (room for BURST), their number to *nout. */
uint64_t lab_turn(struct lab *l, unsigned port, uint8_t (*const frame)[WIRE], unsigned n,
		  uint8_t (*out)[WIRE], unsigned *nout);
/* The same with a worker and a clock of the caller's. */
uint64_t lab_turn_of(struct lab *l, struct worker *w, uint64_t now, unsigned port,
		     uint8_t (*const frame)[WIRE], unsigned n, uint8_t (*out)[WIRE],
		     unsigned *nout);
/* Opens every flow, and learns what its answers must look like. */
void lab_open_flows(struct lab *l, unsigned flows, uint8_t (*query)[WIRE], uint8_t (*answer)[WIRE]);
/* Cycles a packet (ns with BENCH_TIME) of known flows, bursts of both directions in turn: the
 * median of many slices. */
double lab_both_ways(struct lab *l, unsigned flows, uint8_t (*query)[WIRE],
		     uint8_t (*answer)[WIRE]);
/* A turn without packets. */
uint64_t lab_idle(struct lab *l);
/* A grace period: what is gone may be freed. */
void lab_grace(struct lab *l);

#define LAB_INTERFACES "version: 1\ninterfaces: {lan: {}, wan: {}}\n"

#endif
