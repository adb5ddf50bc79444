/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qdiscbench [CLASSES]: what shaping costs. Cycles of tree_enqueue() and tree_dequeue() of a packet
 * of 64 bytes, for one htb with 1, 1,000 and 50,000 leaves, by what hangs under them (pfifo,
 * fq_codel), and by what the leaves may do: within their rates, borrowing, or waiting for their
 * ceils. Packets come and leave in bursts of 64, each for any leaf and of one of its four flows,
 * while some wait. Of eight runs the fastest counts: other work on the machine only adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/qdisc/tree.h"
#include "tests/measure.h"
#include "tests/random.h"

#define FRAMES	   65536u
#define SHIFT	   8 /* of a frame's size: packets of 64 bytes only */
#define STANDING   512u
#define ROUNDS	   2500u /* of a run */
#define RUNS	   9	 /* the first one warms up */
#define LEN	   64u
#define BYTE_NS	   0.8 /* the clock: 10 Gbit/s */
#define TEN_GBIT   1250000000ull
#define LEAF_FIRST 2u /* minor: 1 is the class at the top */

static struct dp dp;
static struct dp_counters count;
static uint32_t free_frame[FRAMES], nfree;

static void give_back(struct dp *d, const uint8_t *data)
{
	free_frame[nfree++] = (uint32_t)((data - d->base) >> SHIFT);
}

static void open_memory(void)
{
	dp.base = aligned_alloc(4096, (size_t)FRAMES << SHIFT);
	dp.qpkt = aligned_alloc(64, FRAMES * sizeof(*dp.qpkt));
	if (!dp.base || !dp.qpkt)
		abort();
	memset(dp.base, 0, (size_t)FRAMES << SHIFT);
	memset(dp.qpkt, 0, FRAMES * sizeof(*dp.qpkt));
	dp.frame_shift = SHIFT;
	dp.count = &count;
	dp.free = give_back;
	for (uint32_t i = 0; i < FRAMES; i++)
		free_frame[nfree++] = i;
}

/* ---- trees */

enum load { GREEN, BORROWING, AT_CEIL, LOADS };
static const char *const load_names[LOADS] = { "within rate", "borrowing", "at ceil" };

/* All leaves below one class, with handles from 1:2 to 1:ffff, then of further majors below it; a
 * rate is a share of ten gigabits. */
static struct conf_class leaf(enum load load, uint32_t handle, uint32_t n)
{
	uint64_t share = TEN_GBIT / n + 1;
	uint64_t rate = load == GREEN ? 4 * share : load == BORROWING ? share / 100 + 1 : share;

	return (struct conf_class){ .handle = handle,
				    .parent = CONF_HANDLE(1, 1),
				    .rate = rate,
				    .ceil = load == AT_CEIL ? rate : 4 * TEN_GBIT,
				    .burst = 1600,
				    .cburst = 1600 };
}

static struct qdisc_tree *make_tree(enum load load, enum conf_qdisc_kind kind, uint32_t n)
{
	struct conf_qdisc *q = calloc(n + 1, sizeof(*q));
	struct conf_class *c = calloc(n + 1, sizeof(*c));
	struct conf_tree conf = { .qdiscs = q, .nqdiscs = n + 1, .classes = c, .nclasses = n + 1 };
	struct tree_config config = { .conf = &conf, .mtu = 1500, .budget = FRAMES, .seed = 1 };
	struct qdisc_tree *t;

	if (!q || !c)
		abort();
	q[0] = (struct conf_qdisc){ .handle = CONF_HANDLE(1, 0),
				    .parent = CONF_ROOT,
				    .kind = CONF_QDISC_HTB,
				    .htb = { .r2q = 10, .direct_limit = 1000 } };
	c[0] = (struct conf_class){ .handle = CONF_HANDLE(1, 1),
				    .parent = CONF_HANDLE(1, 0),
				    .rate = 4 * TEN_GBIT,
				    .ceil = 4 * TEN_GBIT,
				    .burst = 10000000,
				    .cburst = 10000000 };
	for (uint32_t i = 0; i < n; i++) {
		c[1 + i] = leaf(load, CONF_HANDLE(1, LEAF_FIRST + i), n);
		q[1 + i] = (struct conf_qdisc){ .handle = CONF_HANDLE(0x8001 + i % 0x7000, 0) + i,
						.parent = c[1 + i].handle,
						.kind = kind };
		if (kind == CONF_QDISC_FQ_CODEL)
			q[1 + i].fq_codel = (struct conf_fq_codel){ .limit = 10240,
								    .flows = 1024,
								    .target = 5000000,
								    .interval = 100000000,
								    .ce_threshold = UINT64_MAX,
								    .memory_limit = 32u << 20,
								    .drop_batch = 64 };
	}
	if (tree_create(&config, &t))
		abort();
	free(q);
	free(c);
	return t;
}

/* ---- the run */

static void enqueue_burst(struct qdisc_tree *t, const uint32_t *index, uint32_t n, unsigned packets)
{
	struct qpkt *burst[BURST];
	unsigned many = 0;

	for (unsigned i = 0; i < packets && nfree; i++) {
		uint64_t addr = (uint64_t)free_frame[--nfree] << SHIFT;
		struct qpkt *p = qpkt_of(&dp, addr);
		uint32_t r = (uint32_t)(random64() >> 32);

		p->addr = addr;
		p->len = p->frame_len = LEN;
		p->cls = index[(uint64_t)r * n >> 32];
		p->hash = (p->cls * 4 + (r & 3)) * 2654435761u;
		burst[many++] = p;
	}
	tree_enqueue_burst(t, burst, many, 0);
}

static unsigned dequeue_burst(struct qdisc_tree *t, unsigned packets)
{
	unsigned n = 0;

	for (struct qpkt *p; n < packets && (p = tree_dequeue(t)); n++)
		give_back(&dp, dp.base + p->addr);
	return n;
}

/* Cycles a packet. */
static double run(struct qdisc_tree *t, const uint32_t *index, uint32_t n)
{
	uint64_t sent = 0, spent = 0, started;
	unsigned packets = BURST;

	for (unsigned i = 0; i < ROUNDS; i++) {
		t->now += (uint64_t)((BURST * LEN) * BYTE_NS);
		started = cpu_cycles();
		enqueue_burst(t, index, n, packets);
		packets = dequeue_burst(t, BURST); /* as many come as went */
		spent += cpu_cycles() - started;
		sent += packets;
	}
	return sent ? (double)spent / (double)sent : 0;
}

static void bench(enum load load, enum conf_qdisc_kind kind, uint32_t n)
{
	struct qdisc_tree *t = make_tree(load, kind, n);
	uint32_t *index = malloc(n * sizeof(*index));
	double best = 1e9;

	if (!index)
		abort();
	for (uint32_t i = 0, k = 0; i < t->ncls; i++)
		if (t->cls[i] && t->cls[i]->child && k < n)
			index[k++] = i;
	t->dp = &dp;
	t->now = NSEC_PER_SEC;
	for (unsigned i = 0; i < STANDING / BURST; i++)
		enqueue_burst(t, index, n, BURST);
	for (unsigned i = 0; i < RUNS; i++) {
		double cost = run(t, index, n);

		if (i && cost < best)
			best = cost;
	}
	printf("%-9s %6u  %-12s %6.1f cycles a packet  %5u waiting\n", conf_qdisc_names[kind], n,
	       load_names[load], best, t->root->qlen);
	free(index);
	tree_destroy(t, &dp);
}

int main(int argc, char **argv)
{
	static const enum conf_qdisc_kind kinds[] = { CONF_QDISC_PFIFO, CONF_QDISC_FQ_CODEL };
	static const uint32_t sizes[] = { 1, 1000, 50000 };
	uint32_t only = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;

	open_memory();
	for (unsigned k = 0; k < 2; k++)
		for (unsigned s = 0; s < 3; s++)
			for (enum load load = 0; load < LOADS; load++)
				if (!only || only == sizes[s])
					bench(load, kinds[k], sizes[s]);
	return 0;
}
