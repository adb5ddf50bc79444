/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A router on memory ports, for tests of the packet path: a worker, three ports and a configuration
 * made by hand; the test plays the wire and the clock. pipe_open() .. pipe_close(), one at a time.
 *
 * Interface i of PIPE_IFACES is 10.0.i.1/24 and 2001:db8:i::1/64; the host on it is .2 and ::2, and
 * resolved. Interfaces 0 to 2 are the ports, VLAN100 is on port 1 and QINQ (88a8, vid 300) on port
 * 2. A route of every kind is a destination 172.KIND/16 and 2001:db8:KIND::/48, see enum pipe_kind.
 *
 * pipe_check() balances the books: frames by owner, packets by fate. It and all here fail by
 * assert(), so that a fuzz target can use it; what tests do with frames is in pipe_rows.h.
 */
#ifndef TESTS_UNIT_PIPE_H
#define TESTS_UNIT_PIPE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "router/net/frag.h"
#include "router/net/policy.h"
#include "router/shape.h"
#include "router/shaper.h"
#include "router/worker.h"

#define PIPE_PORTS  3
#define PIPE_IFACES 5
#define PIPE_SLOTS  512
#define PIPE_FRAMES 1024
#define PIPE_RING   64
#define PIPE_SIZE   4096
#define PIPE_NEIGH  512

enum { VLAN100 = 3, QINQ = 4 };

enum pipe_kind {
	VIA_OUT = 16, /* a gateway on interface 1 */
	VIA_VLAN,
	VIA_QINQ,
	VIA_DARK,   /* a gateway on interface 1 that nobody has resolved, ::9 */
	VIA_FAILED, /* and one that Linux has given up on, ::10 */
	VIA_GROUP,  /* interface 1 and 2, three to one */
	TO_BLACKHOLE,
	TO_UNREACHABLE,
	TO_PROHIBIT,
	TO_THROW,
	TO_FOREIGN,
	TO_DOWN,
	TO_NOWHERE,
};

struct pipe {
	struct xsk_mem *mem;
	struct xsk_port *port[PIPE_PORTS];
	struct xsk_memwire wire[PIPE_PORTS];
	struct worker *w;
	struct worker_ports wp;
	struct dp_config *cfg;
	struct nh_table nht;
	struct neigh_table *neigh;
	struct fib_pool *pool;
	struct fib *fib4, *fib6;
	uint64_t now;
	uint32_t nslots;
	uint32_t dark4, dark6, failed4, failed6; /* slots of the gateways to be */
	unsigned nold;
	struct nh *old[2 * PIPE_SLOTS]; /* every next hop there was, to free */
};

static inline void must(int err)
{
	assert(err == 0);
}

/* ---- addresses */

static inline struct addr net4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	return addr_v4(htonl(a << 24 | b << 16 | c << 8 | d));
}

static inline struct addr net6(unsigned net, unsigned host)
{
	uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(net >> 8), (uint8_t)net };

	a[14] = (uint8_t)(host >> 8);
	a[15] = (uint8_t)host;
	return addr_v6(a);
}

static inline struct addr link_local(unsigned iface, unsigned host)
{
	uint8_t a[16] = { 0xfe, 0x80 };

	a[13] = (uint8_t)iface;
	a[15] = (uint8_t)host;
	return addr_v6(a);
}

/* The host with this number on an interface: 1 is the router, 2 the host of the house. */
static inline struct addr on_link(bool six, unsigned iface, unsigned host)
{
	return six ? net6(iface, host) : net4(10, 0, iface, host);
}

static inline struct addr beyond(bool six, enum pipe_kind kind)
{
	return six ? net6(kind, 77) : net4(172, kind, 0, 77);
}

/* ---- configuration */

static inline uint32_t pipe_nh(struct pipe *p, uint32_t slot, const struct nh *from,
			       unsigned buckets)
{
	struct nh *n = calloc(1, sizeof(*n) + buckets * sizeof(n->bucket[0]));

	assert(n);
	assert(p->nold < 2 * PIPE_SLOTS && p->nslots < PIPE_SLOTS);
	*n = *from;
	n->nbuckets = (uint16_t)buckets;
	p->old[p->nold++] = n;
	if (!slot)
		slot = ++p->nslots;
	__atomic_store_n(&p->nht.slot[slot], n, __ATOMIC_RELEASE);
	return slot;
}

static inline void pipe_route(struct pipe *p, struct addr a, unsigned len, uint32_t slot)
{
	must(fib_set(a.family == AF_INET ? p->fib4 : p->fib6, a.bytes, len, slot));
}

/* The next hop (in `slot`, or a new one) to a neighbour on an interface: MAC 02:00:00:00:iface:last
 * byte of the address. */
static inline uint32_t pipe_adj(struct pipe *p, uint32_t slot, unsigned iface, struct addr a,
				enum nh_state state, unsigned failures)
{
	const struct dp_iface *f = &p->cfg->iface[iface];
	uint8_t host = a.family == AF_INET ? a.bytes[3] : a.bytes[15];
	struct nh n = { .type = NH_ADJ,
			.state = (uint8_t)state,
			.hlen = f->vid ? 18 : 14,
			.iface = (uint16_t)iface,
			.port = f->port,
			.mtu = f->mtu,
			.failures = (uint16_t)failures,
			.addr = a };
	uint8_t *at = n.l2 + 12;

	memcpy(n.l2, (uint8_t[]){ 2, 0, 0, 0, (uint8_t)iface, host }, 6);
	memcpy(n.l2 + 6, f->mac, 6);
	if (f->vid) {
		memcpy(at,
		       (uint8_t[]){ (uint8_t)(f->vlan_proto >> 8), (uint8_t)f->vlan_proto,
				    (uint8_t)(f->vid >> 8), (uint8_t)f->vid },
		       4);
		at += 4;
	}
	memcpy(at, a.family == AF_INET ? "\x08\x00" : "\x86\xdd", 2);
	return pipe_nh(p, slot, &n, 0);
}

/* Make it findable by address too, as connected destinations are. */
static inline uint32_t pipe_learn(struct pipe *p, unsigned iface, struct addr a,
				  enum nh_state state, unsigned failures)
{
	uint32_t slot = neigh_lookup(p->neigh, &p->nht, (uint16_t)iface, &a), i;

	if (slot)
		return pipe_adj(p, slot, iface, a, state, failures);
	slot = pipe_adj(p, 0, iface, a, state, failures);
	i = neigh_hash((uint16_t)iface, &a) & p->neigh->mask;
	while (p->neigh->entry[i])
		i = (i + 1) & p->neigh->mask;
	p->neigh->entry[i] = slot;
	return slot;
}

static inline void pipe_own_bit(struct pipe *p, struct addr a)
{
	uint32_t bit = own_bit(a.v4);

	p->cfg->own4[bit / 64] |= 1ull << (bit % 64);
}

static inline void pipe_own4(struct pipe *p, struct addr a)
{
	struct nh local = { .type = NH_LOCAL };

	pipe_own_bit(p, a);
	pipe_route(p, a, 32, pipe_nh(p, 0, &local, 0));
}

static inline void pipe_iface(struct pipe *p, unsigned i)
{
	struct dp_iface *f = &p->cfg->iface[i];
	struct nh glean = { .type = NH_GLEAN, .iface = (uint16_t)i, .mtu = 1500 };
	struct nh broadcast = { .type = NH_BROADCAST };
	unsigned port = i < PIPE_PORTS ? i : i - VLAN100 + 1;

	*f = (struct dp_iface){ .ifindex = (int)i + 1,
				.port = (uint16_t)port,
				.vid = i == VLAN100 ? 100
				       : i == QINQ  ? 300
						    : 0,
				.vlan_proto = i == VLAN100 ? 0x8100
					      : i == QINQ  ? 0x88a8
							   : 0,
				.mtu = 1500,
				.mac = { 2, 0, 0, 0, 0xff, (uint8_t)port },
				.up = true,
				.fib4 = p->fib4,
				.fib6 = p->fib6,
				.nip4 = 1,
				.nip6 = 1,
				.has_link_local = true };
	f->ip4[0].addr = on_link(false, i, 1).v4;
	f->ip4[0].mask = htonl(0xffffff00);
	f->ip6[0].addr = on_link(true, i, 1).v6;
	f->ip6[0].len = 64;
	f->ip6_link_local = link_local(i, 1).v6;
	glean.port = f->port;
	pipe_route(p, net4(10, 0, i, 0), 24, pipe_nh(p, 0, &glean, 0));
	pipe_route(p, net6(i, 0), 64, pipe_nh(p, 0, &glean, 0));
	pipe_route(p, net4(10, 0, i, 255), 32, pipe_nh(p, 0, &broadcast, 0));
	pipe_own_bit(p, net4(10, 0, i, 255));
	pipe_own4(p, on_link(false, i, 1));
	pipe_learn(p, i, on_link(false, i, 2), NH_RESOLVED, 0);
	pipe_learn(p, i, on_link(true, i, 2), NH_RESOLVED, 0);
}

/* Broadcasts to the subnet of an interface go out there. */
static inline void pipe_broadcasts(struct pipe *p, unsigned iface)
{
	struct addr a = net4(10, 0, iface, 255);
	uint32_t slot = fib_get(p->fib4, a.bytes, 32);

	pipe_adj(p, slot, iface, a, NH_RESOLVED, 0);
	p->nht.slot[slot]->type = NH_BROADCAST;
	memset(p->nht.slot[slot]->l2, 0xff, 6);
}

/* A group over interfaces 1 and 2, of weights a to b. */
static inline uint32_t pipe_group(struct pipe *p, uint32_t slot, bool six, unsigned a, unsigned b)
{
	struct nh group = { .type = NH_GROUP };
	struct addr one = on_link(six, 1, 2), two = on_link(six, 2, 2);
	uint32_t members[2] = { neigh_lookup(p->neigh, &p->nht, 1, &one),
				neigh_lookup(p->neigh, &p->nht, 2, &two) };

	slot = pipe_nh(p, slot, &group, 32 * (a + b));
	for (unsigned i = 0; i < 32 * (a + b); i++)
		p->nht.slot[slot]->bucket[i] = members[i >= 32 * a];
	return slot;
}

static inline void pipe_routes(struct pipe *p, bool six)
{
	static const uint8_t plain[] = {
		[TO_BLACKHOLE] = NH_BLACKHOLE, [TO_UNREACHABLE] = NH_UNREACHABLE,
		[TO_PROHIBIT] = NH_PROHIBIT,   [TO_THROW] = NH_THROW,
		[TO_FOREIGN] = NH_FOREIGN,     [TO_DOWN] = NH_DOWN
	};
	uint32_t *dark = six ? &p->dark6 : &p->dark4, *failed = six ? &p->failed6 : &p->failed4;
	unsigned len = six ? 48 : 16;

	for (unsigned kind = VIA_OUT; kind <= VIA_QINQ; kind++) {
		unsigned iface = kind == VIA_OUT ? 1 : kind - VIA_VLAN + VLAN100;
		struct addr gateway = on_link(six, iface, 2);

		pipe_route(p, beyond(six, kind), len,
			   neigh_lookup(p->neigh, &p->nht, (uint16_t)iface, &gateway));
	}
	*dark = pipe_learn(p, 1, on_link(six, 1, 9), NH_UNRESOLVED, 0);
	*failed = pipe_learn(p, 1, on_link(six, 1, 10), NH_FAILED, 1);
	pipe_route(p, beyond(six, VIA_DARK), len, *dark);
	pipe_route(p, beyond(six, VIA_FAILED), len, *failed);
	pipe_route(p, beyond(six, VIA_GROUP), len, pipe_group(p, 0, six, 3, 1));
	for (unsigned kind = TO_BLACKHOLE; kind <= TO_DOWN; kind++) {
		struct nh n = { .type = plain[kind] };

		pipe_route(p, beyond(six, kind), len, pipe_nh(p, 0, &n, 0));
	}
}

static inline void pipe_config(struct pipe *p)
{
	p->pool = fib_pool_create(16 << 20);
	assert(p->pool);
	p->fib4 = fib_create(p->pool, AF_INET);
	p->fib6 = fib_create(p->pool, AF_INET6);
	p->nht.slot = calloc(PIPE_SLOTS + 1, sizeof(*p->nht.slot));
	p->neigh = calloc(1, sizeof(*p->neigh) + PIPE_NEIGH * sizeof(p->neigh->entry[0]));
	p->cfg = calloc(1, sizeof(*p->cfg) + PIPE_IFACES * sizeof(p->cfg->iface[0]));
	assert(p->fib4 && p->fib6 && p->nht.slot && p->neigh && p->cfg);
	p->neigh->mask = PIPE_NEIGH - 1;
	p->cfg->nht = &p->nht;
	p->cfg->neigh = p->neigh;
	p->cfg->set = (struct dp_settings){
		.seed = 12345, .icmp_rate = 1000, .icmp_burst = 50, .icmp_each = 1
	};
	p->cfg->nifaces = PIPE_IFACES;
	memset(p->cfg->port_iface, 0xff, sizeof(p->cfg->port_iface));
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		p->cfg->port_iface[i] = (uint16_t)i;
	p->cfg->port_vlans[1] = p->cfg->port_vlans[2] = 1;
	for (unsigned i = 0; i < PIPE_IFACES; i++)
		pipe_iface(p, i);
	pipe_routes(p, false);
	pipe_routes(p, true);
}

static inline void pipe_open_sized(struct pipe *p, uint32_t frames, uint32_t ring)
{
	memset(p, 0, sizeof(*p));
	p->now = 1000 * NSEC_PER_SEC;
	must(xsk_mem_create(frames, PIPE_SIZE, XSK_HUGEPAGES_OFF, NULL, &p->mem));
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		char name[] = { 'p', (char)('0' + i), 0 };

		must(xsk_memport_open(p->mem, name, 1, ring, &p->port[i]));
		xsk_memwire_init(&p->wire[i], p->port[i], 0);
		p->wp.tx[i] = p->wp.rx[i].q = p->port[i]->queue[0];
		p->wp.rx[i].port = (uint16_t)i;
	}
	p->wp.nrx = PIPE_PORTS;
	pipe_config(p);
	must(worker_create(p->mem, 0, -1, true, -1, &p->w));
	p->w->config = p->cfg;
	p->w->ports = &p->wp;
	p->w->rate_at = p->now;
}

static inline void pipe_open(struct pipe *p)
{
	pipe_open_sized(p, PIPE_FRAMES, PIPE_RING);
}

/* Every frame must come home. */
static inline void pipe_close(struct pipe *p)
{
	p->w->dp.cfg = p->cfg;
	hold_drop(&p->w->dp);
	worker_destroy(p->w);
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		xsk_port_close(p->port[i]);
		xsk_port_reclaim(p->port[i]);
		xsk_port_free(p->port[i]);
	}
	assert(p->mem->ndepot == p->mem->frames);
	fib_destroy(p->fib4);
	fib_destroy(p->fib6);
	fib_pool_destroy(p->pool);
	xsk_mem_destroy(p->mem);
	for (unsigned i = 0; i < p->nold; i++)
		free(p->old[i]);
	free(p->nht.slot);
	free(p->neigh);
	free(p->cfg);
}

/* ---- the books */

static inline uint64_t pipe_drops_all(const struct pipe *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP__COUNT; i++)
		n += p->w->count->drop[i];
	return n;
}

/* Between turns: each frame has the owner that the queues and the worker say it has, and every
 * packet that came or was made has gone, was dropped, or waits. */
static inline void pipe_check(const struct pipe *p)
{
	uint64_t rx = 0, tx = 0, posted = 0, sent = 0, held = p->w->dp.nheld, by[4] = { 0 };

	if (p->w->st)
		held += frags_held(p->w->st->frags);
	for (unsigned i = 0; p->w->qos && i < p->w->qos->nshapers; i++)
		held += shaper_held(p->w->qos->shaper[i]);
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		const struct xsk_queue *q = p->port[i]->queue[0];

		rx += p->w->count->port[i].rx_packets;
		tx += p->w->count->port[i].tx_packets;
		posted += q->posted - q->received;
		sent += q->sent - q->completed;
	}
	for (uint32_t f = 0; f < p->mem->frames; f++) {
		uint16_t owner = p->mem->owner[f];

		by[owner & 3]++; /* as FRAME_FREE to FRAME_SENT() */
	}
	assert(by[FRAME_FREE] == p->mem->ndepot + p->w->cache.n);
	assert(by[FRAME_HELD] == held);
	assert(by[2] == posted);
	assert(by[3] == sent);
	assert(rx + p->w->count->generated == tx + pipe_drops_all(p) + held);
}

#endif
