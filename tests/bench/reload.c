/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload-loop: the longest turn of a worker while control replaces 10,000 rules and the options of
 * 1,000 classes, with 100,000 flows and 300,000 packets a second, none of which may be lost.
 *
 * The worker and the wires at its ports are a thread, control is another, and does what
 * apply.c:apply_reload() does, but for Linux's part. Time is what the worker's thread has had of a
 * core: whoever else wants the core makes no turn longer. The daemon itself, over veth and by the
 * wall, is load.sh's.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "router/lib/clock.h"
#include "router/lib/rcu.h"
#include "router/net/set.h"
#include "router/shaper.h"
#include "tests/bench/bench.h"
#include "tests/bench/lab.h"
#include "tests/measure.h"

#define RULES	10000
#define CLASSES 1000
#define FLOWS	100000u
#define PPS	300000u
#define RELOADS 3
#define SETTLE	(350 * NSEC_PER_MSEC) /* of the worker's time: a packet of each flow */

struct load {
	struct lab l;
	uint8_t (*frame)[WIRE];
	uint64_t start, owed_from; /* ns of CPU time */
	uint64_t offered, worst;
	unsigned at;
	uint64_t passed; /* ns of the worker's time, for control to read */
	int stop;
};

/* ---- the two configurations */

static void rules_yaml(FILE *f, unsigned which)
{
	fputs("filter:\n  own:\n    hook: forward\n    priority: filter\n    rules:\n", f);
	for (unsigned i = 0; i < RULES; i++) {
		const char *act = i % 8 < 4 ? "drop" : "accept";
		unsigned high = i / 256, low = i % 256;

		fprintf(f, "      - {name: r%u, action: %s, ", i, act);
		switch (i % 4) {
		case 0: fprintf(f, "from: 11.%u.%u.0/24}\n", high, low); break;
		case 1: fprintf(f, "to: 172.20.%u.%u}\n", high, low); break;
		case 2:
			fprintf(f, "from: 192.168.%u.%u, proto: tcp, dport: %u}\n", high, low, i);
			break;
		default:
			fprintf(f, "in: lan, proto: udp, dport: %u-%u}\n", 10000 + i + which,
				10003 + i + which);
		}
	}
}

static void shaping_yaml(FILE *f, unsigned which)
{
	fputs("qos:\n  wan:\n    egress:\n      root: {htb: {}, handle: \"1:\"}\n"
	      "      classes:\n        all: {handle: \"1:fffe\", rate: 10gbit, quantum: 1514}\n",
	      f);
	for (unsigned i = 1; i <= CLASSES; i++)
		fprintf(f,
			"        x%x: {handle: \"1:%x\", parent: all, rate: %umbit, ceil: 10gbit, "
			"quantum: 1514, leaf: {fq_codel: {}}}\n",
			i, i, 8 + which);
	fputs("      filters:\n", f);
	for (unsigned i = 1; i <= CLASSES; i++)
		fprintf(f, "        - {from: 10.0.%u.%u, class: x%x}\n", i / 256, i % 256, i);
}

static char *yaml_of(unsigned which)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		bench_die("no memory");
		return NULL;
	}
	fprintf(f, LAB_INTERFACES "conntrack: {max: 200000}\n");
	rules_yaml(f, which);
	shaping_yaml(f, which);
	fclose(f);
	return text;
}

/* ---- the worker */

/* What is due by now, a burst at most. */
static void offer(struct load *o, uint64_t now)
{
	uint64_t due = (now - o->owed_from) * PPS / NSEC_PER_SEC;
	uint8_t *data[BURST];
	uint32_t len[BURST];
	unsigned n = due < BURST ? (unsigned)due : BURST;

	n = xsk_memwire_take(&o->l.wire[0], data, n);
	for (unsigned i = 0; i < n; i++) {
		memcpy(data[i], o->frame[o->at], WIRE);
		len[i] = WIRE;
		o->at = o->at + 1 < FLOWS ? o->at + 1 : 0;
	}
	xsk_memwire_deliver(&o->l.wire[0], data, len, n);
	o->owed_from += n * NSEC_PER_SEC / PPS;
	if (due > 2 * BURST) /* a long turn: what came meanwhile waits, and no more than that */
		o->owed_from = now;
	o->offered += n;
}

static void collect(struct load *o)
{
	uint8_t *data[BURST];
	uint32_t len[BURST], n;

	while ((n = xsk_memwire_sent(&o->l.wire[1], data, len, BURST)))
		xsk_memwire_done(&o->l.wire[1], n);
}

static void *work(void *arg)
{
	struct load *o = arg;

	rcu_register_thread();
	o->start = o->owed_from = cpu_time();
	while (!__atomic_load_n(&o->stop, __ATOMIC_RELAXED)) {
		uint64_t before = cpu_time(), took;

		offer(o, before);
		before = cpu_time();
		worker_turn(o->l.w, o->l.now + before - o->start);
		took = cpu_time() - before;
		if (took > __atomic_load_n(&o->worst, __ATOMIC_RELAXED))
			__atomic_store_n(&o->worst, took, __ATOMIC_RELAXED);
		__atomic_store_n(&o->passed, before - o->start, __ATOMIC_RELAXED);
		collect(o);
		rcu_quiet();
	}
	rcu_unregister_thread();
	return NULL;
}

/* ---- control */

static void let_pass(struct load *o, uint64_t ns)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	uint64_t until = __atomic_load_n(&o->passed, __ATOMIC_RELAXED) + ns;

	while (__atomic_load_n(&o->passed, __ATOMIC_RELAXED) < until)
		nanosleep(&nap, NULL);
}

static bool await_owner(void *arg, const struct shaper *s)
{
	const struct timespec nap = { .tv_nsec = 20000 };

	(void)arg;
	while (shaper_is_busy(s))
		nanosleep(&nap, NULL);
	return true;
}

/* A packet of each flow later, everything was judged and classified anew. */
static void reload(struct load *o, const char *yaml, uint16_t generation)
{
	struct lab *l = &o->l;
	struct conf *conf, *old = l->conf;
	struct policy *p, *was = l->policy;
	struct policy_config pc = { .names = &l->names, .st = l->st, .workers = 1 };
	struct qos_env e;
	char why[512] = "";

	if (conf_load("bench.yaml", yaml, stderr, &conf))
		bench_die("the changed configuration");
	pc.conf = conf;
	lab_qos_env(l, conf, &e);
	e.wait = await_owner;
	if (sets_follow(l->st->sets, conf, why, sizeof(why)) ||
	    policy_build(&pc, &p, why, sizeof(why)) || qos_try(&l->qos, &e, why, sizeof(why)))
		bench_die(why);
	p->generation = generation;
	l->policy = p;
	__atomic_store_n(&l->w->policy, p, __ATOMIC_RELEASE);
	rcu_wait();
	policy_destroy(was);
	if (qos_update(&l->qos, &e, why, sizeof(why)))
		bench_die(why);
	__atomic_store_n(&p->generation, (uint16_t)(generation + 1), __ATOMIC_RELAXED);
	l->conf = conf;
	conf_destroy(old);
}

/* Nothing of what was offered was dropped, and nothing waits. */
static void check_books(const struct load *o)
{
	const struct dp_counters *c = o->l.w->count;
	uint64_t dropped = 0;

	for (unsigned d = 0; d < DROP__COUNT; d++)
		dropped += c->drop[d];
	if (dropped || c->port[1].tx_packets != o->offered)
		bench_die("packets were lost");
}

static void open_flows(struct load *o)
{
	unsigned got;

	o->frame = calloc(FLOWS, sizeof(*o->frame));
	if (!o->frame)
		bench_die("no memory");
	for (unsigned i = 0; i < FLOWS; i++) {
		struct tuple t = lab_tuple(i);

		t.src = htonl(INSIDE + 1 + i % CLASSES);
		t.sport = htons((uint16_t)(2000 + i / CLASSES));
		lab_frame(o->frame[i], 0, &t);
	}
	for (unsigned i = 0; i < FLOWS; i += BURST, o->offered += got)
		lab_turn(&o->l, 0, o->frame + i, FLOWS - i < BURST ? FLOWS - i : BURST, NULL, &got);
}

/* Microseconds: the median of the reloads' longest turns. */
double bench_reload_loop(void)
{
	static struct load o;
	char *yaml[2] = { yaml_of(0), yaml_of(1) };
	double worst[RELOADS];
	uint64_t idle, wall = 0, cpu = cpu_time();
	pthread_t worker;

	lab_setup(&o.l, yaml[0]);
	open_flows(&o);
	if (pthread_create(&worker, NULL, work, &o))
		bench_die("a second thread");
	let_pass(&o, SETTLE);
	__atomic_store_n(&o.worst, 0, __ATOMIC_RELAXED);
	let_pass(&o, SETTLE);
	idle = __atomic_load_n(&o.worst, __ATOMIC_RELAXED);
	cpu = cpu_time();
	for (unsigned i = 0; i < RELOADS; i++) {
		uint64_t at = clock_now();

		__atomic_store_n(&o.worst, 0, __ATOMIC_RELAXED);
		reload(&o, yaml[(i + 1) % 2], (uint16_t)(2 * i + 2));
		wall += clock_now() - at;
		let_pass(&o, SETTLE);
		worst[i] = (double)__atomic_load_n(&o.worst, __ATOMIC_RELAXED) / NSEC_PER_USEC;
		if (getenv("BENCH_VERBOSE"))
			fprintf(stderr, "reload %u: %.1f us\n", i, worst[i]);
	}
	cpu = cpu_time() - cpu;
	__atomic_store_n(&o.stop, 1, __ATOMIC_RELAXED);
	pthread_join(worker, NULL);
	check_books(&o);
	fprintf(stderr,
		"%.0f ms of CPU time for control, %.0f by the wall; %.1f us without a reload\n",
		(double)cpu / RELOADS / NSEC_PER_MSEC, (double)wall / RELOADS / NSEC_PER_MSEC,
		(double)idle / NSEC_PER_USEC);
	lab_teardown(&o.l);
	free(o.frame);
	free(yaml[0]);
	free(yaml[1]);
	return median(worst, RELOADS);
}
