/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones on the packet path: who may begin, that answers pass, what rules by hand change. */
#include "tests/unit/pipe_flows.h"

static const char zones[] = "zones:\n"
			    "  lan: {interfaces: [p0], forward-to: [wan]}\n"
			    "  wan: {interfaces: [p1], forward-to: []}\n";

static struct pipe_flows f;

/* One UDP datagram from a host on an interface to a host on another. Does it leave? */
static bool passes(unsigned from, unsigned to, unsigned sport, unsigned dport, struct addr dst)
{
	uint64_t before = f.p.w->count->port[to].tx_packets;
	struct frame in, out;

	frame4(&in, on_link(false, from, 2), dst, IPPROTO_UDP, 40);
	put16(in.b + 34, sport);
	put16(in.b + 36, dport);
	in.port = from;
	in.b[5] = (uint8_t)from;
	pipe_receive(&f.p, &in);
	pipe_turn(&f.p);
	while (pipe_sent(&f.p, to, &out)) {
	}
	flows_check(&f);
	return f.p.w->count->port[to].tx_packets > before;
}

static bool to_host(unsigned from, unsigned to, unsigned sport, unsigned dport)
{
	return passes(from, to, sport, dport, on_link(false, to, 2));
}

static void test_pairs(void **state)
{
	(void)state;
	flows_open(&f, zones);
	assert_false(to_host(1, 0, 53, 1000)); /* nobody asked */
	assert_true(to_host(0, 1, 1000, 53));
	assert_true(to_host(1, 0, 53, 1000)); /* the answer */
	assert_false(to_host(1, 0, 54, 1000));
	assert_false(to_host(0, 2, 1, 2)); /* p2 is in no zone, but lan may not go there */
	assert_false(to_host(2, 0, 1, 2)); /* nor come from there */
	flows_close(&f);
}

/* What a rule accepts, zones do not drop. */
static void test_by_hand(void **state)
{
	char yaml[1024];

	(void)state;
	snprintf(yaml, sizeof(yaml), "%s%s", zones,
		 "filter: {own: {hook: forward, priority: filter, rules: [{in: wan, proto: udp, "
		 "dport: 7, action: accept}]}}\n");
	flows_open(&f, yaml);
	assert_true(to_host(1, 0, 1000, 7));
	assert_false(to_host(1, 0, 1000, 8));
	flows_close(&f);
}

/* A port forward needs no rule beside it; a static pair does. */
static void test_forwards(void **state)
{
	static const char pair[] =
		"filter: {own: {hook: forward, priority: filter, rules: [{in: wan, proto: udp, "
		"dport: 8, action: accept}]}}\n";
	char yaml[1024];
	int len;

	(void)state;
	len = snprintf(yaml, sizeof(yaml), "%s%s", zones,
		       "nat: {destination: [{name: game, in: wan, proto: udp, dport: 7, address: "
		       "10.0.1.77, "
		       "to: 10.0.0.2}], static: [{name: mail, external: 10.0.1.78, internal: "
		       "10.0.0.2}]}\n");
	flows_open(&f, yaml);
	assert_true(passes(1, 0, 1000, 7, net4(10, 0, 1, 77)));
	assert_false(passes(1, 0, 1000, 8, net4(10, 0, 1, 77)));
	assert_false(passes(1, 0, 1001, 7, net4(10, 0, 1, 78)));
	snprintf(yaml + len, sizeof(yaml) - (size_t)len, "%s", pair);
	assert_true(flows_load(&f, yaml));
	assert_false(passes(1, 0, 1001, 7, net4(10, 0, 1, 78)));
	assert_true(passes(1, 0, 1001, 8, net4(10, 0, 1, 78)));
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_forwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
