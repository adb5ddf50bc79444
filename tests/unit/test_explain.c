/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: what it says of a packet is what then becomes of that packet, byte for byte the same
 * frame, in a worker with the same tables; and asking has changed nothing of them.
 */
#include "tests/unit/explain_lab.h"

static const char rules[] =
	"sets:\n"
	"  seen: {type: address, size: 64, timeout: 1h}\n"
	"  banned: {type: address, size: 64, timeout: 1h}\n"
	"zones:\n"
	"  wan: {interfaces: [p1, p2], input: drop, forward-to: []}\n"
	"  lan: {interfaces: [p0, vlan100, qinq], input: accept, forward-to: [wan, lan]}\n"
	"filter:\n"
	"  early: {hook: prerouting, priority: raw, policy: accept, rules: [\n"
	"    {name: bans, from: \"@banned\", action: drop},\n"
	"    {name: no-track, proto: udp, dport: 5000, action: notrack}]}\n"
	"  marks: {hook: prerouting, priority: mangle, rules: [\n"
	"    {name: voip, dscp: ef, action: {set-mark: 0x20}},\n"
	"    {name: note, proto: udp, dport: 7, log: {limit: 1/s}, action: {add-to: seen}},\n"
	"    {name: slow, proto: udp, dport: 9, rate: {over: 2/h, burst: 3}, action: drop}]}\n"
	"  mine: {hook: forward, priority: filter, rules: [\n"
	"    {name: marked, mark: 0x20, proto: udp, dport: 99, action: drop},\n"
	"    {name: telnet, proto: tcp, dport: 23, action: reject},\n"
	"    {name: no-host, proto: udp, dport: 24, action: {reject: host-unreachable}},\n"
	"    {name: answers, ct: [established, related], action: accept},\n"
	"    {name: web, in: p1, to: 10.0.0.2, proto: tcp, dport: 80, action: accept}]}\n"
	"  last: {hook: postrouting, priority: 0, policy: accept, rules: [\n"
	"    {name: long, length: 1400-65535, proto: gre, action: drop}]}\n"
	"nat:\n"
	"  source:\n"
	"    - {name: exempt, to: 172.17.0.0/16, action: none}\n"
	"    - {name: few, from: 10.0.0.3, out: wan, action: masquerade, ports: 4000-4001}\n"
	"    - {name: home, from: 10.0.0.0/24, out: wan, action: masquerade, ports: 10000-32767}\n"
	"  destination:\n"
	"    - {name: www, in: wan, proto: tcp, dport: 8080, to: 10.0.0.2, to-port: 80}\n"
	"    - {name: proxy, in: lan, proto: tcp, dport: 3128-3129, family: ipv4, action: "
	"redirect}\n";

static int set_up(void **s)
{
	(void)s;
	open_with(rules);
	return 0;
}

/* ---- tests */

static void test_verdicts(void **s)
{
	(void)s;
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:53", "forwarded", "");
	expect("p0", "icmp 10.0.0.2 > 10.0.1.2", "forwarded", "");
	expect("p0", "icmpv6 2001:db8::2 > 2001:db8:1::2", "forwarded", "");
	expect("p0", "gre 10.0.0.2 > 10.0.1.2", "forwarded", "");
	expect("p0", "sctp 10.0.0.2:5 > 10.0.1.2:6", "forwarded", "");
	expect("p0", "tcp 10.0.0.2:1000 > 10.0.1.2:80", "forwarded", "");
	expect("p0", "tcp 10.0.0.2:1001 > 10.0.1.2:80 flags ack", "forwarded", "");
	expect("vlan100", "udp 10.0.3.2:1 > 10.0.4.2:2", "forwarded", "");
	expect("p0", "tcp 10.0.0.2:1000 > 10.0.1.2:23", "rejected", "filter-reject");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:24", "rejected", "filter-reject");
	expect("p1", "udp 10.0.1.2:1000 > 10.0.0.2:53", "dropped", "filter-rule");
	expect("p0", "udp 10.0.0.2:1000 > 172.22.0.1:53", "dropped", "blackhole");
	expect("p0", "udp 10.0.0.2:1000 > 172.23.0.1:53", "dropped", "unreachable");
	expect("p0", "udp 10.0.0.2:1000 > 172.24.0.1:53", "dropped", "prohibit");
	expect("p0", "udp 10.0.0.2:1000 > 172.25.0.1:53", "dropped", "no-route");
	expect("p0", "udp 10.0.0.2:1000 > 172.26.0.1:53", "dropped", "egress-not-ours");
	expect("p0", "udp 10.0.0.2:1000 > 172.27.0.1:53", "dropped", "egress-down");
	expect("p0", "udp 10.0.0.2:1000 > 172.28.0.1:53", "dropped", "no-route");
	expect("p0", "udp 10.0.0.2:1000 > 172.19.0.1:53", "waits", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.77:53", "waits", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:53 ttl 1", "dropped", "ttl");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:54 length 1501", "forwarded", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:55 length 1501 df", "dropped", "too-big");
	expect("p0", "udp 127.0.0.1:1000 > 10.0.1.2:53", "dropped", "martian-source");
	expect("p0", "udp 10.0.1.1:1000 > 10.0.1.2:53", "dropped", "source-ours");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.255:53", "dropped", "broadcast");
	expect("p0", "icmp 10.0.0.2 > 10.0.1.2 icmp 0/0", "dropped", "filter-rule");
	expect("p0", "tcp 10.0.0.2:2 > 10.0.1.2:80 flags syn,fin", "dropped", "filter-rule");
	expect("p0", "gre 10.0.0.2 > 10.0.2.2 length 1450", "dropped", "filter-rule");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:99 dscp ef", "dropped", "filter-rule");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:99", "forwarded", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:5000", "forwarded", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.0.1:53", "linux", "");
	expect("p0", "udp 10.0.0.2:1000 > 224.0.0.5:53", "linux", "");
	expect("p0", "udp 0.0.0.0:67 > 10.0.0.9:68", "linux", "");
	expect("p0", "tcp 10.0.0.2:1000 > 10.0.1.2:3129", "linux", "");
	expect("vlan100", "tcp 10.0.3.2:1000 > 10.0.4.2:3128", "linux", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:3128", "forwarded", "");
	expect("p0", "tcp 10.0.0.2:1000 > 10.0.1.2:3130", "forwarded", "");
	expect("p0", "tcp [2001:db8::2]:1000 > [2001:db8:1::2]:3128", "forwarded", "");
	expect("p1", "tcp 10.0.1.2:1000 > 10.0.0.2:3128", "dropped", "filter-rule");
	expect("p0", "udp [fe80::5]:1 > [2001:db8:1::2]:53", "dropped", "beyond-scope");
	pipe_broadcasts(&f.p, 0); /* F6: rules hold for broadcasts from elsewhere, too */
	pipe_broadcasts(&f.p, 1);
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.255:53", "forwarded", "");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.255:24", "rejected", "filter-reject");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.0.255:53", "dropped", "broadcast");
	expect("p1", "udp 10.0.1.2:1000 > 10.0.0.255:53", "dropped", "filter-rule");
}

/* What XDP gives to NAT of a local address, and what it leaves to Linux. */
static void test_translation(void **s)
{
	(void)s;
	agree("p1", "tcp 10.0.1.2:1000 > 10.0.1.1:8080");
	assert_true(told("xdp", "a local address, but"));
	assert_true(told("nat", "destination: rule \"www\" (line "));
	assert_true(told("filter", "forward filter \"mine\": rule \"web\" (line "));
	assert_string_equal(last("verdict"), "forwarded");
	ask_end(&asked);
	expect("p1", "tcp 10.0.1.2:1000 > 10.0.1.1:8081", "linux", "");
	agree("p0", "udp 10.0.0.2:12345 > 10.0.1.2:53");
	assert_true(told("nat", "source: rule \"home\" (line "));
	assert_non_null(strstr(text_at(json_array_size(asked.rows) - 3, "text"),
			       "10.0.0.2:12345 -> 10.0.1.1:12345"));
	ask_end(&asked);
	/* its mapping, by now */
	agree("p0", "udp 10.0.0.2:12345 > 10.0.1.2:54");
	assert_true(told("nat", "source: rule \"home\""));
	ask_end(&asked);
	agree("p0", "udp 10.0.0.2:999 > 10.0.1.2:53");
	assert_non_null(strstr(text_at(json_array_size(asked.rows) - 3, "text"),
			       "10.0.0.2:999 -> 10.0.1.1, some free port"));
	ask_end(&asked);
	agree("p0", "udp 10.0.0.2:1000 > 172.17.0.1:53");
	assert_false(json_object_get(json_array_get(asked.rows, 1), "nat"));
	ask_end(&asked);
	/* of two ports */
	expect("p0", "udp 10.0.0.3:1 > 10.0.1.2:53", "forwarded", "");
	expect("p0", "udp 10.0.0.3:2 > 10.0.1.2:53", "forwarded", "");
	expect("p0", "udp 10.0.0.3:3 > 10.0.1.2:53", "dropped", "nat-exhausted");
	expect("p0", "udp 10.0.0.3:1 > 10.0.1.2:54", "forwarded", "");
}

/* Asking takes no token and adds to no set. */
static void test_leaves_no_trace(void **s)
{
	uint64_t elements = count_elements();

	(void)s;
	for (unsigned i = 0; i < 10; i++) {
		ask_about("p0", "udp 10.0.0.2:1000 > 10.0.1.2:9");
		assert_string_equal(last("verdict"), "forwarded");
		ask_end(&asked);
		ask_about("p0", "udp 10.0.0.2:1000 > 10.0.1.2:7");
		assert_true(told("filter", "prerouting mangle \"marks\": rule \"note\""));
		ask_end(&asked);
	}
	for (unsigned i = 0; i < 3; i++) { /* each of another flow */
		char packet[64];

		snprintf(packet, sizeof(packet), "udp 10.0.0.2:%u > 10.0.1.2:9", 2000 + i);
		expect("p0", packet, "forwarded", "");
	}
	expect("p0", "udp 10.0.0.2:2003 > 10.0.1.2:9", "dropped", "filter-rule");
	assert_int_equal(count_elements(), elements);
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:7", "forwarded", "");
	assert_int_equal(count_elements(), elements + 1);
}

static void exchange(const char *iface, const char *packet, uint32_t seq, uint32_t ack)
{
	ask_about(iface, packet);
	assert_int_equal(asked.end, 0);
	send_and_compare(iface, packet, seq, ack);
}

/* A connection from its SYN to its end, without NAT. */
static void test_known_flow(void **s)
{
	static const char syn[] = "tcp 10.0.0.2:1000 > 172.17.0.5:80",
			  data[] = "tcp 10.0.0.2:1000 > 172.17.0.5:80 flags ack,psh",
			  synack[] = "tcp 172.17.0.5:80 > 10.0.0.2:1000 flags syn,ack",
			  ack[] = "tcp 172.17.0.5:80 > 10.0.0.2:1000 flags ack",
			  rst[] = "tcp 172.17.0.5:80 > 10.0.0.2:1000 flags rst";
	struct footprint before, after;

	(void)s;
	assert_true(flows_load(
		&f, "nat: {source: [{from: 10.9.0.0/16, out: p1, action: masquerade}]}\n"));
	follow();
	exchange("p0", syn, 100, 0);
	assert_true(told("conntrack", "new"));
	ask_end(&asked);
	exchange("p0", syn, 100, 0);
	assert_true(told("conntrack", "known flow, SYN_SENT: "));
	ask_end(&asked);
	exchange("vlan100", synack, 500, 101);
	ask_end(&asked);
	exchange("p0", data, 101, 501);
	assert_true(told("conntrack", "known flow, SYN_RECV: "));
	ask_end(&asked);
	exchange("vlan100", ack, 501, 101);
	assert_true(told("conntrack", "known flow, ESTABLISHED: "));
	ask_end(&asked);
	footprint(&before);
	ask_about("vlan100", rst);
	footprint(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_string_equal(last("verdict"), "forwarded");
	ask_end(&asked);
	ask_about("p0", data);
	assert_true(told("conntrack", "known flow, ESTABLISHED: ")); /* still */
	assert_true(told("filter", "not asked again"));
	assert_true(told("route", "via 10.0.3.2 dev vlan100 (resolved), which the flow remembers"));
	ask_end(&asked);
	/* the rules move */
	assert_true(flows_load(&f, "filter: {no: {hook: forward, priority: filter, rules: [\n"
				   "  {name: nothing, proto: tcp, action: drop}]}}\n"));
	follow();
	exchange("p0", data, 101, 501);
	assert_true(told("filter", "asked again: "));
	assert_string_equal(last("reason"), "filter-rule");
	ask_end(&asked);
	exchange("p0", data, 101, 501);
	assert_true(told("filter", "not asked again"));
	assert_string_equal(last("reason"), "filter-rule");
	ask_end(&asked);
}

static void test_known_translated(void **s)
{
	(void)s;
	agree("p0", "udp 10.0.0.2:12000 > 10.0.1.2:53");
	ask_end(&asked);
	agree("p1", "udp 10.0.1.2:53 > 10.0.1.1:12000"); /* the answer */
	assert_true(told("nat", "as the flow is translated: 10.0.1.2:53 > 10.0.1.1:12000 becomes "
				"10.0.1.2:53 > 10.0.0.2:12000"));
	assert_string_equal(last("verdict"), "forwarded");
	ask_end(&asked);
	agree("p0", "udp 10.0.0.2:12000 > 10.0.1.2:53");
	assert_true(told("filter", "asked again: "));
	ask_end(&asked);
}

/* Packets of all kinds, flows that come and go. */
static void test_random(void **s)
{
	static const char *const in[] = { "p0", "p0", "p1", "p2", "vlan100", "qinq" };
	char packet[200];

	(void)s;
	for (unsigned i = 0; i < 8000; i++) {
		random_packet(packet, sizeof(packet), i);
		agree(ANY(in), packet);
		ask_end(&asked);
		hold_drop(&f.p.w->dp); /* it has room for few */
		if (!chance(200))
			flows_wait_s(&f, chance(400));
	}
}

/* Without a policy packets are forwarded by FIB alone. */
static void test_stateless(void **s)
{
	(void)s;
	router.policy = NULL;
	ask_about("p0", "udp 10.0.0.2:1 > 172.16.0.1:2");
	assert_string_equal(last("verdict"), "forwarded");
	assert_string_equal(last("iface"), "p1");
	assert_int_equal(json_array_size(asked.rows), 4);
	ask_end(&asked);
}

static void test_refusals(void **s)
{
	(void)s;
	ask_about("p9", "udp 1.1.1.1:1 > 2.2.2.2:2");
	assert_int_equal(asked.end, 1);
	assert_string_equal(asked.error, "no interface of the router is called \"p9\"");
	ask_end(&asked);
	ask_about("p0", "udp 1.1.1.1:1 > 2.2.2.2:2 please");
	assert_int_equal(asked.end, 1);
	assert_memory_equal(asked.error, "\"please\" after the destination: ", 32);
	ask_end(&asked);
}

/* A route to a connected network with an MTU of its own, which the neighbours do not know. */
static void test_mtu_of_route(void **s)
{
	static const uint8_t net[] = { 10, 0, 1, 0 };

	(void)s;
	f.p.nht.slot[fib_get(f.p.fib4, net, 24)]->mtu = 1400;
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:55 length 1401 df", "dropped", "too-big");
	for (unsigned i = 0; i < 2; i++) { /* a new flow, and a known one */
		agree("p0", "udp 10.0.0.2:1000 > 10.0.1.2:55 length 1400 df");
		assert_true(told("out", "p1 to 10.0.1.2, TTL 63, mtu 1400"));
		assert_string_equal(last("verdict"), "forwarded");
		ask_end(&asked);
	}
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.2:55 length 1401 df", "dropped", "too-big");
	expect("p0", "udp 10.0.0.2:1000 > 10.0.1.9:55", "waits", "");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals),	     TEST(test_mtu_of_route),	 TEST(test_verdicts),
		TEST(test_translation),	     TEST(test_leaves_no_trace), TEST(test_known_flow),
		TEST(test_known_translated), TEST(test_random),		 TEST(test_stateless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
