/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Linux might say, through the parsers into a state with two links, ports and neighbours:
 * whatever comes of it, what workers would find are next hops that are there.
 */
#include <assert.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/route.h"
#include "router/state.h"

#include <linux/if.h> /* after net/if.h, or they clash */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct state *network(void)
{
	struct state *s;
	int err = state_create(&s);

	assert(!err);
	for (int i = 2; i <= 3; i++) {
		struct netlink_link l = { .ifindex = i,
					  .name = { 'l', (char)('0' + i) },
					  .has_mac = true,
					  .mac = { 2, 0, 0, 0, 0, (uint8_t)i },
					  .mtu = 1500,
					  .flags = IFF_UP | IFF_RUNNING | IFF_LOWER_UP };
		struct netlink_addr a = { .ifindex = i };
		struct netlink_neigh n = { .ifindex = i, .has_mac = true, .state = NUD_REACHABLE };
		char text[16] = "10.0.0.1/24";

		text[3] = (char)('0' + i);
		prefix_parse(text, &a.local);
		n.ip = a.local.addr;
		n.ip.bytes[3] = 9;
		state_netlink_ops.link(s, &l);
		state_netlink_ops.addr(s, &a);
		state_netlink_ops.neigh(s, &n);
		state_port(s, state_link(s, i), (uint16_t)(i - 2));
	}
	state_publish(s);
	return s;
}

/* A worker's way from a slot to an end. */
static void follow(const struct state *s, uint32_t slot)
{
	uint8_t packet[40] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17 };
	struct pkt p = { .l3 = packet, .len = 28 };
	struct dp dp = { .cfg = s->config };
	const struct nh *n = nh_get(&s->nht, slot);

	assert(n);
	if (n->type != NH_GROUP)
		return;
	assert(n->nbuckets > 0);
	for (unsigned b = 0; b < n->nbuckets; b++) {
		const struct nh *member = nh_get(&s->nht, n->bucket[b]);

		assert(member && member->type != NH_GROUP);
	}
	route_choose(&dp, &p, n);
}

static void check(const struct state *s)
{
	for (const struct route *r = s->first; r; r = r->next_all) {
		const struct fib *f =
			state_fib((struct state *)s, r->table, r->dst.addr.family, false);

		follow(s, r->path->slot);
		if (f && fib_get(f, r->dst.addr.bytes, r->dst.len))
			follow(s, fib_get(f, r->dst.addr.bytes, r->dst.len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_stats stats = { 0 };
	struct state *s = network();
	uint8_t *copy = malloc(size ? size : 1); /* aligned, and its end is guarded */
	uint64_t now = clock_now();

	memcpy(copy, data, size);
	netlink_parse_buffer(copy, size, &state_netlink_ops, s, &stats);
	check(s);
	state_publish(s);
	for (unsigned i = 1; i < 3; i++)
		state_buckets_upkeep(s, now + i * 300 * NSEC_PER_SEC);
	check(s);
	state_publish(s);
	state_destroy(s);
	free(copy);
	return 0;
}
