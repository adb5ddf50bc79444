/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwd4, fwd6, fwd4-full, fwd6-full: cycles a packet takes through a worker on memory ports, rings
 * included.
 *
 * One thread plays the NIC and the worker in turn; only the worker's turns are timed, by the time
 * stamp counter. Packets are 64 bytes on the wire (60 without FCS), TTLs rewritten each time: 1,000
 * flows over 10 routes, or 65,536 to anywhere in a full table, whose routes lead to 64 next hops.
 * The figure is the median of many slices, so that a slice in which the machine did something else
 * does not count. fwd4-rules10 and -rules100 are fwd4 behind so many rules of policy routing, each
 * of which asks for another source and a mark, and none of which takes a packet.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>
#include <x86intrin.h>

#include "router/net/csum.h"
#include "router/net/rules.h"
#include "router/worker.h"
#include "tests/bench/bench.h"
#include "tests/bench/fib.h"
#include "tests/measure.h"

#define FLOWS  65536
#define FEW    1000 /* flows, over .. */
#define ROUTES 10
#define HOPS   64
#define RING   2048
#define FRAMES 16384
#define SLICES 200
#define TURNS  500 /* in a slice */
#define WIRE   60

struct bench_router {
	struct xsk_mem *mem;
	struct xsk_port *port[2];
	struct xsk_memwire wire[2];
	struct worker *w;
	struct worker_ports wp;
	struct dp_config *cfg;
	struct nh_table nht;
	struct neigh_table *neigh;
	struct fib_pool *pool;
	struct rule_list *rules;
	struct nh nh[HOPS + 1];
	uint8_t dst[FLOWS][16];
};

/* Ten routes, and flows that take them in turn. */
static void route_few(struct bench_router *b, struct fib *fib, int family)
{
	for (unsigned i = 0; i < FEW; i++) {
		uint8_t r = (uint8_t)(1 + i % ROUTES), high = (uint8_t)(i >> 8), low = (uint8_t)i;
		uint8_t dst4[16] = { 10, r, high, low };
		uint8_t dst6[16] = { 0x20, 1, 0x0d, 0xb8, 0, r, [14] = high, [15] = low };
		const uint8_t *dst = family == AF_INET ? dst4 : dst6;

		memcpy(b->dst[i], dst, 16);
		if (fib_set(fib, dst, family == AF_INET ? 16 : 48, r))
			bench_die("fib_set");
	}
}

static void make_config(struct bench_router *b, int family, bool full)
{
	struct dp_config *c = calloc(1, sizeof(*c) + 2 * sizeof(c->iface[0]));
	struct fib *fib = fib_create(b->pool, family);

	b->neigh = calloc(1, sizeof(*b->neigh) + 2 * sizeof(b->neigh->entry[0]));
	b->nht.slot = calloc(HOPS + 1, sizeof(*b->nht.slot));
	if (!c || !fib || !b->neigh || !b->nht.slot)
		bench_die("no memory");
	b->neigh->mask = 1;
	memset(c->port_iface, 0xff, sizeof(c->port_iface));
	c->nht = &b->nht;
	c->neigh = b->neigh;
	c->nifaces = 2;
	for (uint16_t i = 0; i < 2; i++) {
		c->port_iface[i] = i;
		c->iface[i] = (struct dp_iface){
			.port = i, .mtu = 1500, .up = true, .mac = { 2, 0, 0, 0, 0, (uint8_t)i }
		};
		c->iface[i].fib4 = family == AF_INET ? fib : NULL;
		c->iface[i].fib6 = family == AF_INET6 ? fib : NULL;
	}
	for (uint32_t r = 1; r <= HOPS; r++) {
		b->nh[r] = (struct nh){ .type = NH_ADJ,
					.state = NH_RESOLVED,
					.hlen = 14,
					.iface = 1,
					.port = 1,
					.mtu = 1500,
					.used = 1 };
		b->nht.slot[r] = &b->nh[r];
	}
	if (full)
		bench_fib_fill(fib, b->pool, family, b->dst, FLOWS);
	else
		route_few(b, fib, family);
	b->cfg = c;
}

static void make_rules(struct bench_router *b, unsigned n)
{
	struct rule_list *l = calloc(1, sizeof(*l) + (n + 1) * sizeof(l->step[0]));
	struct fib *fib = b->cfg->iface[0].fib4;

	if (!l)
		bench_die("no memory");
	l->family = AF_INET;
	l->nsteps = n + 1;
	for (unsigned i = 0; i <= n; i++) {
		struct rule_step *s = &l->step[i];
		const uint8_t from[4] = { 172, 16, (uint8_t)i, 0 };

		s->fib = fib;
		if (i == n)
			break;
		s->tests = RULE_FROM | RULE_MARK;
		s->from = rule_net_of(AF_INET, from, 24);
		s->mark = s->mark_mask = i + 1;
	}
	b->rules = l;
	b->cfg->iface[0].rules4 = l;
	b->cfg->ruled = true;
}

static void setup(struct bench_router *b, int family, bool full)
{
	memset(b, 0, sizeof(*b));
	b->pool = fib_pool_create(64 << 20);
	if (!b->pool || xsk_mem_create(FRAMES, 2048, XSK_HUGEPAGES_PREFER, NULL, &b->mem))
		bench_die("no memory");
	for (unsigned i = 0; i < 2; i++) {
		if (xsk_memport_open(b->mem, i ? "out" : "in", 1, RING, &b->port[i]))
			bench_die("memory port");
		xsk_memwire_init(&b->wire[i], b->port[i], 0);
		b->wp.tx[i] = b->port[i]->queue[0];
	}
	b->wp.rx[0].q = b->port[0]->queue[0];
	b->wp.rx[1].q = b->port[1]->queue[0];
	b->wp.rx[1].port = 1;
	b->wp.nrx = 2;
	make_config(b, family, full);
	if (worker_create(b->mem, 0, -1, true, -1, &b->w))
		bench_die("worker");
	b->w->config = b->cfg;
	b->w->ports = &b->wp;
}

static void teardown(struct bench_router *b)
{
	worker_destroy(b->w);
	for (unsigned i = 0; i < 2; i++) {
		xsk_port_close(b->port[i]);
		xsk_port_free(b->port[i]);
	}
	fib_destroy(b->cfg->iface[0].fib4 ? b->cfg->iface[0].fib4 : b->cfg->iface[0].fib6);
	fib_pool_destroy(b->pool);
	xsk_mem_destroy(b->mem);
	free(b->cfg);
	free(b->rules);
	free(b->nht.slot);
	free(b->neigh);
}

/* One flow's frame, complete; only the TTL and its checksum change on the way. */
static void make_frame(uint8_t f[WIRE], int family, unsigned flow, const uint8_t dst[16])
{
	memset(f, 0, WIRE);
	memcpy(f,
	       (uint8_t[14]){ 2, 0, 0, 0, 0, 0, 2, 9, 9, 9, 9, 9, family == AF_INET ? 8 : 0x86,
			      family == AF_INET ? 0 : 0xdd },
	       14);
	if (family == AF_INET) {
		struct ip4_header h = { .ver_ihl = 0x45,
					.len = htons(WIRE - 14),
					.ttl = 64,
					.proto = IPPROTO_UDP,
					.src = htonl(0xc0a80000u + flow) };

		memcpy(&h.dst, dst, 4);
		h.csum = (uint16_t)~csum_ip4_20(&h);
		memcpy(f + 14, &h, sizeof(h));
	} else {
		struct ip6_header h = { .ver_tc_flow = htonl(6u << 28),
					.plen = htons(WIRE - 54),
					.next = 59,
					.hops = 64 };

		memcpy(h.src,
		       (uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8,
				      0xff, [14] = (uint8_t)(flow >> 8), [15] = (uint8_t)flow },
		       16);
		memcpy(h.dst, dst, 16);
		memcpy(f + 14, &h, sizeof(h));
	}
}

static double cycles(int family, bool full, unsigned rules)
{
	static struct bench_router b;
	static uint8_t frame[FLOWS][WIRE];
	static double slice[SLICES];
	uint64_t now = 1000000000ull, received = 0, sent = 0;
	unsigned flow = 0, flows = full ? FLOWS : FEW;

	setup(&b, family, full);
	if (rules)
		make_rules(&b, rules);
	for (unsigned i = 0; i < flows; i++)
		make_frame(frame[i], family, i, b.dst[i]);
	for (unsigned s = 0; s < SLICES; s++) {
		uint64_t spent = 0, packets = 0;

		for (unsigned t = 0; t < TURNS; t++) {
			uint8_t *data[BURST];
			uint32_t len[BURST];
			unsigned n = xsk_memwire_take(&b.wire[0], data, BURST), out;
			uint64_t before;

			for (unsigned i = 0; i < n; i++) {
				memcpy(data[i], frame[flow], WIRE);
				len[i] = WIRE;
				flow = (flow + 1) % flows;
			}
			xsk_memwire_deliver(&b.wire[0], data, len, n);
			_mm_lfence();
			before = __rdtsc();
			packets += worker_turn(b.w, now += 10000);
			_mm_lfence();
			spent += __rdtsc() - before;
			out = xsk_memwire_sent(&b.wire[1], data, len, BURST);
			xsk_memwire_done(&b.wire[1], out);
			sent += out;
		}
		received += packets;
		slice[s] = (double)spent / (double)packets;
	}
	if (received != sent || received != (uint64_t)SLICES * TURNS * BURST)
		bench_die("packets were lost: the figure would mean nothing");
	teardown(&b);
	return median(slice, SLICES);
}

double bench_fwd4(void)
{
	return cycles(AF_INET, false, 0);
}

double bench_fwd6(void)
{
	return cycles(AF_INET6, false, 0);
}

double bench_fwd4_full(void)
{
	return cycles(AF_INET, true, 0);
}

double bench_fwd6_full(void)
{
	return cycles(AF_INET6, true, 0);
}

double bench_fwd4_rules10(void)
{
	return cycles(AF_INET, false, 10);
}

double bench_fwd4_rules100(void)
{
	return cycles(AF_INET, false, 100);
}
