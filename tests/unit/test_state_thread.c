/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/state under a worker: the worker's own thread forwards between two memory ports while this
 * one, as the control thread does, changes routes, neighbours, links and ports and publishes. Made
 * for ThreadSanitizer, which tests/check gives every test with a pthread_create (worker_start()).
 */
#include "tests/unit/state_events.h"

#include "router/lib/clock.h"
#include "router/lib/rcu.h"
#include "router/worker.h"

#define ROUNDS 3000
#define FRAMES 2048
#define RING   256
#define WIRE   60

struct rig {
	struct xsk_mem *mem;
	struct xsk_port *port[2];
	struct xsk_memwire wire[2];
	struct worker *w;
	struct worker_ports *wp;
	uint64_t sent; /* by the router, to the wan */
};

static struct rig rig;

static void to_worker(void *arg, const struct dp_config *c)
{
	struct rig *g = arg;

	__atomic_store_n(&g->w->config, c, __ATOMIC_RELEASE);
}

/* As ports.c does when a port opens or closes: a new array, a grace period, the old one freed. */
static void ports_publish(struct rig *g, bool both)
{
	struct worker_ports *wp = calloc(1, sizeof(*wp)), *old = g->wp;

	assert_non_null(wp);
	for (uint16_t i = 0; i < 1 + both; i++) {
		wp->rx[i].q = g->port[i]->queue[0];
		wp->rx[i].port = i;
		wp->tx[i] = g->port[i]->queue[0];
	}
	wp->nrx = 1 + both;
	g->wp = wp;
	__atomic_store_n(&g->w->ports, wp, __ATOMIC_RELEASE);
	rcu_wait();
	free(old);
}

static int rig_up(void **state)
{
	network_up(state);
	assert_int_equal(xsk_mem_create(FRAMES, 2048, XSK_HUGEPAGES_OFF, NULL, &rig.mem), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			xsk_memport_open(rig.mem, i ? "wan" : "lan", 1, RING, &rig.port[i]), 0);
		xsk_memwire_init(&rig.wire[i], rig.port[i], 0);
	}
	assert_int_equal(worker_create(rig.mem, 0, -1, true, -1, &rig.w), 0);
	ports_publish(&rig, true);
	s->arg = &rig;
	s->publish = to_worker;
	to_worker(&rig, s->config);
	assert_int_equal(worker_start(rig.w), 0);
	return 0;
}

static int rig_down(void **state)
{
	worker_destroy(rig.w);
	for (unsigned i = 0; i < 2; i++) {
		xsk_port_close(rig.port[i]);
		xsk_port_reclaim(rig.port[i]);
		xsk_port_free(rig.port[i]);
	}
	xsk_mem_destroy(rig.mem);
	free(rig.wp);
	return network_down(state);
}

/* ---- the wire */

static void make_packet(uint8_t f[WIRE], unsigned flow)
{
	memset(f, 0, WIRE);
	memcpy(f, "\2\0\0\0\0\2\2\0\0\0\0\x77", 12); /* to lan */
	if (flow & 1) {
		memcpy(f + 12, "\x86\xdd\x60\0\0\0\0\x06\x3b\x40\x20\x01\x0d\xb8\0\1", 16);
		memcpy(f + 38, "\x20\x01\x0d\xb8\0\x0f", 6);
		f[53] = (uint8_t)flow;
	} else {
		memcpy(f + 12, "\x08\0\x45\0\0\x2e\0\0\0\0\x40\x3b\0\0\x0a\1\0\5\xac\x10", 20);
		f[32] = (uint8_t)(flow >> 1 & 3);
		f[33] = (uint8_t)flow;
	}
}

/* The header checksum, RFC 1071. */
static void seal(uint8_t *ip4)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip4[i] << 8 | ip4[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	ip4[10] = (uint8_t)(sum >> 8);
	ip4[11] = (uint8_t)sum;
}

static void wires_turn(struct rig *g)
{
	uint8_t *data[32];
	uint32_t len[32];
	unsigned n = xsk_memwire_take(&g->wire[0], data, 32);

	for (unsigned i = 0; i < n; i++) {
		make_packet(data[i], (unsigned)random());
		if (data[i][12] == 0x08)
			seal(data[i] + 14);
		len[i] = WIRE;
	}
	xsk_memwire_deliver(&g->wire[0], data, len, n);
	for (unsigned p = 0; p < 2; p++) {
		n = xsk_memwire_sent(&g->wire[p], data, len, 32);
		for (unsigned i = 0; i < n; i++)
			assert_memory_equal(data[i] + 6, p ? "\2\0\0\0\0\3" : "\2\0\0\0\0\2", 6);
		xsk_memwire_done(&g->wire[p], n);
		g->sent += p ? n : 0;
	}
}

/* ---- control */

static void change_routes(unsigned i)
{
	char dst[32], gw[32];
	struct netlink_route *r;

	snprintf(dst, sizeof(dst), "172.16.%u.0/24", i % 4);
	snprintf(gw, sizeof(gw), "10.2.0.%u", 9 + i % 3);
	r = via(dst, WAN, gw);
	if (i % 7 == 0)
		hop(r, WAN, "10.2.0.13", 2);
	r->replace = true;
	tell(r);
	if (i % 11 == 0)
		tell_gone(r);
	snprintf(gw, sizeof(gw), "2001:db8:2::%u", 1 + i % 4);
	tell(via("2001:db8:f::/48", WAN, gw));
	if (i % 3 == 0)
		tell_gone(via("2001:db8:f::/48", WAN, gw));
}

static void change_neighbours(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), i & 1 ? "10.2.0.%u" : "2001:db8:2::%u", 1 + i % 13);
	neighbour(WAN, text, i % 5 ? NUD_REACHABLE : i % 2 ? NUD_FAILED : 0, (uint8_t)(2 * i | 2));
}

static void change_links(struct rig *g, unsigned i)
{
	struct link *wan = state_link(s, WAN);

	switch (i % 6) {
	case 0: link_is(WAN, "wan", IFF_UP); break; /* no carrier */
	case 1: link_is(WAN, "wan", UP); break;
	case 2: address(LAN, "10.9.0.1/24", i & 8); break;
	case 3: state_port(s, wan, IFACE_NONE); break;
	case 4: state_port(s, wan, 1); break;
	default: ports_publish(g, i & 8); break;
	}
}

static void forwards_while_everything_changes(void **state)
{
	(void)state;
	tell(hop(route_to("10.2.0.0/24"), WAN, NULL, 1));
	tell(hop(route_to("172.16.3.0/24"), WAN, NULL, 1)); /* to neighbours, not gateways */
	for (unsigned i = 0; i < ROUNDS; i++) {
		wires_turn(&rig);
		change_routes(i);
		change_neighbours(i);
		if (i % 20 == 0)
			change_links(&rig, i / 20);
		if (i % 50 == 0)
			state_neighbours_upkeep(s);
		state_publish(s);
	}
	worker_stop(rig.w);
	assert_true(rig.sent > ROUNDS / 10); /* most of the time there was somewhere to go */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forwards_while_everything_changes, rig_up,
						rig_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
