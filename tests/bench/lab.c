/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/lab.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "router/net/set.h"
#include "tests/bench/bench.h"
#include "tests/measure.h"

#define SLICES 100
#define TURNS  400

static void make_config(struct lab *l)
{
	struct dp_config *c = calloc(1, sizeof(*c) + 2 * sizeof(c->iface[0]));
	struct fib *fib = fib_create(l->pool, AF_INET);
	const uint8_t nets[2][4] = { { 10 }, { 198, 18 } };

	l->neigh = calloc(1, sizeof(*l->neigh) + 2 * sizeof(l->neigh->entry[0]));
	if (!c || !fib || !l->neigh)
		bench_die("no memory");
	l->neigh->mask = 1;
	memset(c->port_iface, 0xff, sizeof(c->port_iface));
	l->nht.slot = l->slot;
	l->nht.generation = 1;
	c->nht = &l->nht;
	c->neigh = l->neigh;
	c->nifaces = 2;
	for (uint16_t i = 0; i < 2; i++) {
		c->port_iface[i] = i;
		c->iface[i] = (struct dp_iface){ .port = i,
						 .mtu = 1500,
						 .up = true,
						 .mac = { 2, 0, 0, 0, 0, (uint8_t)i },
						 .name_id = names_get(&l->names, i ? "wan" : "lan"),
						 .fib4 = fib };
		l->nh[i + 1] = (struct nh){ .type = NH_ADJ,
					    .state = NH_RESOLVED,
					    .hlen = 14,
					    .iface = i,
					    .port = i,
					    .mtu = 1500,
					    .used = 1 };
		l->slot[i + 1] = &l->nh[i + 1];
		if (fib_set(fib, nets[i], i ? 15 : 8, i + 1u))
			bench_die("fib_set");
	}
	l->cfg = c;
}

/* The last class and the last qdisc, its leaf, n times: classes 1:1 to 1:n, of which the filter
 * knows the first `busy`. */
static void multiply(struct conf_tree *t, unsigned n, unsigned busy)
{
	struct conf_class *c = realloc(t->classes, (t->nclasses + n) * sizeof(*c));
	struct conf_qdisc *q = realloc(t->qdiscs, (t->nqdiscs + n) * sizeof(*q));

	if (!c || !q)
		bench_die("no memory");
	t->classes = c;
	t->qdiscs = q;
	c += t->nclasses - 1;
	q += t->nqdiscs - 1;
	for (unsigned i = 0; i < n; i++) {
		if (i) {
			c[i] = c[0];
			q[i] = q[0];
		}
		c[i].handle = CONF_HANDLE(1, i + 1);
		q[i].parent = c[i].handle;
		q[i].handle = CONF_HANDLE(i + 2, 0);
	}
	t->nclasses += n - 1;
	t->nqdiscs += n - 1;
	t->filters[0].hash.divisor = busy;
}

static void make_policy(struct lab *l, const char *yaml, unsigned classes, unsigned busy)
{
	char why[512] = "";
	unsigned workers = l->second ? 2 : 1;
	struct stateful_config sc = { .workers = workers, .frames = FRAMES, .now = l->now };
	struct policy_config pc = { .names = &l->names, .workers = workers };

	if (conf_load("bench.yaml", yaml, stderr, &l->conf))
		bench_die("the benchmark's configuration");
	for (unsigned i = 0; classes && i < l->conf->nqos; i++)
		multiply(&l->conf->qos[i].egress, classes, busy);
	sc.conntrack = &l->conf->conntrack;
	if (stateful_create(&sc, &l->names, &l->st))
		bench_die("tables");
	pc.conf = l->conf;
	pc.st = l->st;
	if (sets_follow(l->st->sets, l->conf, why, sizeof(why)) ||
	    policy_build(&pc, &l->policy, why, sizeof(why)))
		bench_die(why);
	l->w->st = l->st;
	l->w->policy = l->policy;
	if (l->second) {
		l->second->st = l->st;
		l->second->policy = l->policy;
	}
}

void lab_qos_env(struct lab *l, const struct conf *conf, struct qos_env *e)
{
	*e = (struct qos_env){ .conf = conf,
			       .names = &l->names,
			       .sets = l->st->sets,
			       .flows = l->st->flows,
			       .frames = FRAMES,
			       .spare = FRAMES / 2,
			       .nworkers = 1,
			       .worker = &l->w };
	for (unsigned i = 0; i < 2; i++) {
		e->port[i].iface = i ? "wan" : "lan";
		e->port[i].mtu = 1500;
	}
}

static void make_qos(struct lab *l)
{
	char why[512] = "";
	struct qos_env e;

	lab_qos_env(l, l->conf, &e);
	if (qos_update(&l->qos, &e, why, sizeof(why)))
		bench_die(why);
}

/* One queue a port: the second worker receives from the second. */
static void share(struct lab *l)
{
	l->wp2 = l->wp;
	l->wp.nrx = l->wp2.nrx = 1;
	l->wp2.rx[0] = l->wp.rx[1];
	l->second->config = l->cfg;
	l->second->ports = &l->wp2;
	for (unsigned i = 0; i < 2; i++)
		l->port[i]->queue[0]->tx_shared = true;
}

static void setup(struct lab *l, const char *yaml, unsigned classes, unsigned busy, bool two)
{
	memset(l, 0, sizeof(*l));
	l->now = 1000 * NSEC_PER_SEC;
	l->pool = fib_pool_create(64 << 20);
	if (!l->pool || xsk_mem_create(FRAMES, 2048, XSK_HUGEPAGES_PREFER, NULL, &l->mem))
		bench_die("no memory");
	for (unsigned i = 0; i < 2; i++) {
		if (xsk_memport_open(l->mem, i ? "wan" : "lan", 1, RING, &l->port[i]))
			bench_die("memory port");
		xsk_memwire_init(&l->wire[i], l->port[i], 0);
		l->wp.tx[i] = l->port[i]->queue[0];
		l->wp.rx[i].q = l->port[i]->queue[0];
		l->wp.rx[i].port = (uint16_t)i;
	}
	l->wp.nrx = 2;
	make_config(l);
	if (worker_create(l->mem, 0, -1, true, -1, &l->w) ||
	    (two && worker_create(l->mem, 1, -1, true, -1, &l->second)))
		bench_die("worker");
	l->w->config = l->cfg;
	l->w->ports = &l->wp;
	if (two)
		share(l);
	make_policy(l, yaml, classes, busy);
	if (!two)
		make_qos(l);
}

void lab_setup(struct lab *l, const char *yaml)
{
	setup(l, yaml, 0, 0, false);
}

void lab_setup_classes(struct lab *l, const char *yaml, unsigned classes, unsigned busy)
{
	setup(l, yaml, classes, busy, false);
}

void lab_setup_two(struct lab *l, const char *yaml)
{
	setup(l, yaml, 0, 0, true);
}

void lab_teardown(struct lab *l)
{
	qos_fini(&l->qos, &l->w);
	worker_destroy(l->w);
	worker_destroy(l->second);
	for (unsigned i = 0; i < 2; i++) {
		xsk_port_close(l->port[i]);
		xsk_port_free(l->port[i]);
	}
	policy_destroy(l->policy);
	stateful_destroy(l->st, NULL, NULL);
	conf_destroy(l->conf);
	names_fini(&l->names);
	fib_destroy(l->cfg->iface[0].fib4);
	fib_pool_destroy(l->pool);
	xsk_mem_destroy(l->mem);
	free(l->cfg);
	free(l->neigh);
}

/* ---- frames */

void lab_frame(uint8_t f[WIRE], unsigned port, const struct tuple *t)
{
	struct ip4_header h = { .ver_ihl = 0x45,
				.len = htons(WIRE - 14),
				.ttl = 64,
				.proto = IPPROTO_UDP,
				.src = t->src,
				.dst = t->dst };
	uint16_t udp[4] = { t->sport, t->dport, htons(WIRE - 34), 0 };

	memset(f, 0, WIRE);
	memcpy(f, (uint8_t[14]){ 2, 0, 0, 0, 0, (uint8_t)port, 2, 9, 9, 9, 9, 9, 8, 0 }, 14);
	h.csum = (uint16_t)~csum_ip4_20(&h);
	memcpy(f + 14, &h, sizeof(h));
	memcpy(f + 34, udp, sizeof(udp));
	udp[3] = (uint16_t)~csum_fold(
		csum_add(f + 34, WIRE - 34, csum_pseudo4(t->src, t->dst, IPPROTO_UDP, WIRE - 34)));
	memcpy(f + 34, udp, sizeof(udp));
}

struct tuple lab_tuple(unsigned flow)
{
	return (struct tuple){ .src = htonl(INSIDE + 2 + flow % 60000),
			       .dst = htonl(OUTSIDE + 1 + flow % 251),
			       .sport = htons((uint16_t)(2000 + flow / 60000 + flow % 7)),
			       .dport = htons(53) };
}

struct tuple lab_answer(const uint8_t *frame)
{
	struct tuple t;
	struct ip4_header h;

	memcpy(&h, frame + 14, sizeof(h));
	t.src = h.dst;
	t.dst = h.src;
	memcpy(&t.dport, frame + 34, 2);
	memcpy(&t.sport, frame + 36, 2);
	return t;
}

static uint64_t clock_of(const struct lab *l)
{
	uint64_t cycles;

	if (l->by_time)
		return cpu_time();
	_mm_lfence();
	cycles = __rdtsc();
	_mm_lfence();
	return cycles;
}

uint64_t lab_turn_of(struct lab *l, struct worker *w, uint64_t now, unsigned port,
		     uint8_t (*const frame)[WIRE], unsigned n, uint8_t (*out)[WIRE], unsigned *nout)
{
	struct xsk_memwire *in = &l->wire[port], *other = &l->wire[!port];
	uint8_t *data[BURST];
	uint32_t len[BURST];
	uint64_t before, spent;
	unsigned sent;

	if (xsk_memwire_take(in, data, n) != n)
		bench_die("no frames posted");
	for (unsigned i = 0; i < n; i++) {
		memcpy(data[i], frame[i], WIRE);
		len[i] = WIRE;
	}
	xsk_memwire_deliver(in, data, len, n);
	before = clock_of(l);
	worker_turn(w, now);
	spent = clock_of(l) - before;
	sent = xsk_memwire_sent(other, data, len, BURST);
	for (unsigned i = 0; out && i < sent; i++)
		memcpy(out[i], data[i], WIRE);
	xsk_memwire_done(other, sent);
	*nout = sent;
	return spent;
}

uint64_t lab_turn(struct lab *l, unsigned port, uint8_t (*const frame)[WIRE], unsigned n,
		  uint8_t (*out)[WIRE], unsigned *nout)
{
	return lab_turn_of(l, l->w, l->now += STEP, port, frame, n, out, nout);
}

uint64_t lab_idle(struct lab *l)
{
	uint64_t before = clock_of(l);

	worker_turn(l->w, l->now += STEP);
	return clock_of(l) - before;
}

void lab_grace(struct lab *l)
{
	__atomic_store_n(&l->st->quiet, flow_grace_begin(l->st->flows), __ATOMIC_RELEASE);
}

/* ---- established flows */

void lab_open_flows(struct lab *l, unsigned flows, uint8_t (*query)[WIRE], uint8_t (*answer)[WIRE])
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
			bench_die("a new flow was dropped");
		for (unsigned k = 0; k < n; k++) {
			struct tuple t = lab_answer(out[k]);

			lab_frame(answer[i + k], 1, &t);
		}
	}
}

double lab_both_ways(struct lab *l, unsigned flows, uint8_t (*query)[WIRE], uint8_t (*answer)[WIRE])
{
	double slice[SLICES];
	unsigned at = 0, got;
	uint64_t received = 0, sent = 0;

	l->by_time = getenv("BENCH_TIME") != NULL;
	for (unsigned s = 0; s < SLICES; s++) {
		uint64_t spent = 0;

		for (unsigned t = 0; t < TURNS; t++) {
			spent += t & 1 ? lab_turn(l, 1, answer + at, BURST, NULL, &got)
				       : lab_turn(l, 0, query + at, BURST, NULL, &got);
			received += BURST;
			sent += got;
			if (t & 1)
				at = at + 2 * BURST <= flows ? at + BURST : 0;
		}
		slice[s] = (double)spent / (TURNS * BURST);
	}
	if (received != sent)
		bench_die("packets were lost or late: the figure would mean nothing");
	return median(slice, SLICES);
}
