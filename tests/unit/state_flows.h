/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows to 172.16/16 through a state's groups, for tests of what becomes of them: three ports, a
 * gateway on each (10.1.0.7, 10.2.0.8, 10.3.0.9), and the way of each flow as packet code finds it.
 */
#ifndef TESTS_UNIT_STATE_FLOWS_H
#define TESTS_UNIT_STATE_FLOWS_H

#include "tests/unit/state_events.h"

#include "router/lib/clock.h"

/* router/net/route.h, whose route_to() is not ours. */
uint32_t route_choose(const struct dp *dp, struct pkt *p, const struct nh *group);

#define FLOWS 10000
#define DMZ   7
#define A     7 /* the gateways' last bytes */
#define B     8
#define C     9

static const struct way {
	int ifindex;
	const char *gateway;
} ways[] = { [A] = { LAN, "10.1.0.7" }, [B] = { WAN, "10.2.0.8" }, [C] = { DMZ, "10.3.0.9" } };

static uint8_t way_was[FLOWS];

static inline int three_up(void **state)
{
	network_up(state);
	link_is(DMZ, "dmz", UP);
	address(DMZ, "10.3.0.1/24", false);
	state_port(s, state_link(s, DMZ), 2);
	for (unsigned i = A; i <= C; i++) {
		object(i, ways[i].ifindex, ways[i].gateway);
		neighbour(ways[i].ifindex, ways[i].gateway, NUD_REACHABLE, 0xa0 + (uint8_t)i);
	}
	s->settings.seed = 4711;
	state_rename(s);
	return 0;
}

/* The slot a packet of flow n ends at. */
static inline const struct nh *hop_of(unsigned n)
{
	uint8_t packet[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, IPPROTO_UDP };
	struct pkt p = { .l3 = packet, .len = sizeof(packet) };
	struct dp dp = { .cfg = s->config };
	const struct nh *h = find("172.16.1.1");

	assert_non_null(h);
	memcpy(packet + 12, &(uint32_t){ htonl(0x0a010000 + n / 100) }, 4);
	memcpy(packet + 16, &(uint32_t){ htonl(0xac100101) }, 4);
	packet[20] = (uint8_t)n;
	packet[21] = (uint8_t)(n % 100);
	return h->type == NH_GROUP ? nh_get(&s->nht, route_choose(&dp, &p, h)) : h;
}

/* The gateway's last byte; 0: another end than a neighbour. */
static inline uint8_t way_of(unsigned n)
{
	const struct nh *h = hop_of(n);

	return h->type == NH_ADJ ? h->addr.bytes[3] : 0;
}

/* Remembers where flows go. */
static inline void flows_note(void)
{
	for (unsigned n = 0; n < FLOWS; n++)
		way_was[n] = way_of(n);
}

/* Flows that went by `way` (0: any) and go elsewhere now. */
static inline unsigned flows_moved(uint8_t way)
{
	unsigned moved = 0;

	for (unsigned n = 0; n < FLOWS; n++)
		moved += (!way || way_was[n] == way) && way_of(n) != way_was[n];
	return moved;
}

static inline unsigned flows_by(uint8_t way)
{
	unsigned by = 0;

	for (unsigned n = 0; n < FLOWS; n++)
		by += way_of(n) == way;
	return by;
}

/* Group 20 with these members (0: none) and weights. */
static inline struct netlink_nexthop *group_with(const uint32_t *id, const uint32_t *weight,
						 uint16_t buckets)
{
	static struct netlink_nexthop g;

	memset(&g, 0, sizeof(g));
	g.id = 20;
	g.resilient = buckets;
	g.buckets = buckets;
	g.idle_cs = 1000;
	for (; id[g.nmembers]; g.nmembers++) {
		g.members[g.nmembers].id = id[g.nmembers];
		g.members[g.nmembers].weight = weight ? weight[g.nmembers] : 1;
	}
	return &g;
}

#define IDS(...)     ((const uint32_t[]){ __VA_ARGS__, 0 })
#define WEIGHTS(...) ((const uint32_t[]){ __VA_ARGS__ })

static inline void tell_group(const struct netlink_nexthop *g)
{
	state_netlink_ops.nexthop(s, g);
}

static inline void route_by_group(void)
{
	struct netlink_route *r = route_to("172.16.0.0/16");

	r->nhid = 20;
	tell(r);
}

/* What may befall the way B, and how it ends. */
struct failure {
	const char *what;
	void (*begin)(void);
	void (*end)(void);
};

static inline void b_fails(void)
{
	neighbour(WAN, ways[B].gateway, NUD_FAILED, 0);
}
static inline void b_is_asked_again(void)
{
	b_fails();
	neighbour(WAN, ways[B].gateway, NUD_INCOMPLETE, 0);
}
static inline void b_is_forgotten(void)
{
	b_fails();
	neighbour(WAN, ways[B].gateway, 0, 0);
}
static inline void b_answers(void)
{
	neighbour(WAN, ways[B].gateway, NUD_REACHABLE, 0xa8);
}
static inline void b_port_closes(void)
{
	state_port(s, state_link(s, WAN), IFACE_NONE);
}
static inline void b_port_opens(void)
{
	state_port(s, state_link(s, WAN), 1);
	b_answers();
}
static inline void b_goes_down(void)
{
	link_is(WAN, "wan", 0);
}
static inline void b_comes_up(void)
{
	link_is(WAN, "wan", UP);
	b_answers();
}
static inline void b_loses_carrier(void)
{
	link_is(WAN, "wan", IFF_UP);
}

#endif
