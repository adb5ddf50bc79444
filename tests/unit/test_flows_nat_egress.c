/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two uplinks: what is masqueraded by the one begins anew when its route moves to the other. */
#include "tests/unit/pipe_flows.h"

static struct pipe_flows f;

/* A datagram to beyond; the source it leaves with, by `port`. */
static uint32_t source_by(unsigned port)
{
	struct frame in, out;

	frame4(&in, on_link(false, 0, 2), beyond(false, VIA_OUT), IPPROTO_UDP, 40);
	pipe_receive(&f.p, &in);
	pipe_turn(&f.p);
	assert_true(pipe_sent(&f.p, port, &out));
	flows_check(&f);
	out.l3 = 14;
	return frame_ip4(&out)->src;
}

static void route_by(unsigned iface)
{
	struct addr gateway = on_link(false, iface, 2);

	pipe_route(&f.p, beyond(false, VIA_OUT), 16,
		   neigh_lookup(f.p.neigh, &f.p.nht, (uint16_t)iface, &gateway));
	f.p.nht.generation++;
}

static void test_masquerade(void **state)
{
	(void)state;
	flows_open(&f, "nat: {source: [{name: all, out: [p1, p2], action: masquerade}]}\n");
	assert_int_equal(source_by(1), on_link(false, 1, 1).v4);
	route_by(2);
	assert_int_equal(source_by(2), on_link(false, 2, 1).v4);
	assert_int_equal(source_by(2), on_link(false, 2, 1).v4);
	route_by(1);
	assert_int_equal(source_by(1), on_link(false, 1, 1).v4);
	assert_int_equal(flows_stats(&f).made, 3);
	f.p.nht.generation++; /* routes moved, but not this one */
	assert_int_equal(source_by(1), on_link(false, 1, 1).v4);
	assert_int_equal(flows_stats(&f).made, 3);
	flows_close(&f);
}

/* An address of a pool is nobody's interface: the flow stays as it is. */
static void test_pool(void **state)
{
	uint32_t first;

	(void)state;
	flows_open(
		&f,
		"nat: {source: [{name: all, out: [p1, p2], action: snat, pool: 203.0.113.9}]}\n");
	first = source_by(1);
	route_by(2);
	assert_int_equal(source_by(2), first);
	assert_int_equal(flows_stats(&f).made, 1);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masquerade),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
