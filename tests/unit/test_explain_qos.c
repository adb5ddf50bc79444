/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain and shaping: what it says of filters, policers, redirects and classes is what the packet
 * then meets, and asking takes no token, counts nothing and queues nothing. Requirements S16, S17.
 */
#include "tests/unit/pipe_shape.h"
/* names of its own that others are hidden by */
#include "tests/unit/explain_lab.h"

#define FROM_INSIDE                                                                                \
	"nat: {source: [{name: home, from: 10.0.0.0/24, out: p1, action: masquerade, "             \
	"ports: 10000-32767}]}\n"

static const char rules[] =
	"filter:\n"
	"  marks: {hook: prerouting, priority: mangle, rules: [\n"
	"    {name: voip, proto: udp, dport: 80, action: {set-mark: 0x20}},\n"
	"    {name: class, proto: udp, dport: 99, action: {set-dscp: ef}}]}\n"
	"  mine: {hook: forward, priority: filter, rules: [\n"
	"    {name: telnet, proto: tcp, dport: 23, action: reject}]}\n" FROM_INSIDE "qos:\n"
	"  p0:\n"
	"    ingress:\n"
	"      - {proto: udp, dport: 53, police: {rate: 8kbit, burst: 1514b, conform: pipe}}\n"
	"      - {from: 10.0.0.3, proto: udp, dport: 5000, action: drop}\n"
	"      - {proto: gre, action: {redirect: p2}}\n"
	"      - {proto: udp, dport: 9, action: {mark: 0x7}}\n"
	"      - {to: 172.16.0.7, action: {pedit: [{at: 8, width: 1, value: 1, keep: 0}], "
	"csum: true}}\n"
	"  p1:\n"
	"    egress: {" LEAVES ", filters: [\n"
	"      {priority: 1, mark: 0x7, class: one},\n"
	"      {priority: 2, mark: 0x20, ct: new, class: two},\n"
	"      {priority: 3, dscp: ef, class: three},\n"
	"      {priority: 4, from: 10.0.0.2, proto: icmp, hash: {keys: [sport, to], divisor: "
	"3, "
	"base: '1:1'}},\n"
	"      {priority: 5, proto: tcp, dport: 9, action: drop},\n"
	"      {priority: 6, u32: [{at: 12, width: 4, value: 0x0a000101, mask: 0xffffffff}], "
	"proto: udp, sport: 12001, class: one},\n"
	"      {priority: 7, proto: udp, dport: 24, action: {redirect: p2}},\n"
	"      {priority: 8, proto: udp, dport: 7, action: {priority: '1:3'}},\n"
	"      {priority: 9, ttl: 1-9, class: two},\n"
	"      {priority: 10, ct: established, proto: udp, class: three}]}\n"
	"  p2:\n"
	"    egress:\n"
	"      root: {handle: '2:', prio: {bands: 3}}\n"
	"      classes: {low: {handle: '2:3', leaf: {handle: '23:', fq_codel: {}}}}\n"
	"      filters:\n"
	"        - {priority: 1, proto: udp, dport: 8080, class: low}\n"
	"    ifb:\n"
	"      root: {handle: '5:', htb: {default: all}}\n"
	"      classes: {all: {handle: '5:1', rate: 1gbit}}\n";

static int set_up(void **s)
{
	(void)s;
	open_with(rules);
	return 0;
}

/* ---- the class that was told */

/* Of the last line about a way out. NULL: none. */
static struct qclass *told_class(void)
{
	for (size_t i = json_array_size(asked.rows); i-- > 0;) {
		const char *text = text_at(i, "text"), *handle = text_at(i, "class");
		unsigned port, major, minor;

		if (sscanf(text, "egress of p%u: ", &port) == 1 &&
		    sscanf(handle, "%x:%x", &major, &minor) == 2)
			return class_at(&f, port, major << 16 | minor);
	}
	return NULL;
}

/* agree(), and what is told of classes is so, too. */
static void agree_in_class(const char *iface, const char *packet)
{
	struct footprint before, after;
	struct qclass *cl;
	uint64_t was;

	footprint(&before);
	ask_about(iface, packet);
	if (asked.end)
		fail_msg("%s: %s", packet, asked.error);
	footprint(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	cl = told_class();
	was = cl ? cl->stats.packets : 0;
	send_and_compare(iface, packet, 1, 1);
	if (cl && !strcmp(last("verdict"), "forwarded") && cl->stats.packets == was) {
		told("", "everything");
		fail_msg("%s %s: is not of class %x", iface, packet, cl->classid);
	}
}

static void expect_class(const char *packet, const char *text)
{
	agree_in_class("p0", packet);
	assert_true(told("qos", text));
	ask_end(&asked);
}

/* ---- tests */

static void test_ingress(void **s)
{
	(void)s;
	agree_in_class("p0", "udp 10.0.0.2:1000 > 10.0.1.2:53 length 1400");
	assert_true(told("qos", "ingress of p0: filter (line "));
	assert_non_null(strstr(text_at(1, "text"), "proto: udp, dport: 53: {police: {"));
	assert_non_null(strstr(text_at(1, "text"), "; by now it conforms"));
	ask_end(&asked);
	expect("p0", "udp 10.0.0.2:1001 > 10.0.1.2:53 length 1400", "dropped", "policed");
	f.p.now += 2 * NSEC_PER_SEC;
	expect("p0", "udp 10.0.0.2:1001 > 10.0.1.2:53 length 1400", "forwarded", "");
	expect("p0", "udp 10.0.0.3:1001 > 10.0.1.2:5000", "dropped", "tc-action");
	expect("p0", "udp 10.0.0.2:1001 > 172.16.0.7:1", "dropped", "ttl");
	agree_in_class("p0", "gre 10.0.0.2 > 10.0.1.2");
	assert_true(told("out", "p2, redirected: the frame as it is"));
	assert_string_equal(last("iface"), "p2");
	ask_end(&asked);
	agree_in_class("p2", "udp 10.0.2.2:1 > 10.0.1.2:2");
	assert_true(told("qos", "ifb of p2: htb 5:, class 5:1 \"all\", the default: prio 0"));
	assert_true(told("qos", "ifb of p2: pfifo; nothing waits there"));
	ask_end(&asked);
}

static void test_classes(void **s)
{
	(void)s;
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:9",
		     "egress of p1: htb 1:, class 1:1 \"one\", by the "
		     "filter in line 20: prio 0 rate 1Gbit");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:9",
		     "egress of p1: htb 1:, class 1:1 \"one\", as its flow remembers");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:80", "egress of p1: htb 1:, class 1:2 \"two\"");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:99", "egress of p1: htb 1:, class 1:3 \"three\"");
	expect_class("udp 10.0.0.2:12001 > 10.0.1.2:1000", "egress of p1: htb 1:, class 1:1");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:7",
		     "egress of p1: htb 1:, class 1:3 \"three\", by its priority");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:1000 ttl 10",
		     "egress of p1: htb 1:, class 1:2 \"two\", by the filter");
	expect_class("udp 10.0.0.2:1 > 10.0.1.2:1000 ttl 11",
		     "egress of p1: htb 1:, class 1:9 \"rest\", the default");
	expect_class("udp 10.0.0.2:1 > 10.0.2.2:8080 dscp ef",
		     "egress of p2: prio 2:, class 2:3 \"low\", by the filter in line ");
	expect_class("udp 10.0.0.2:1 > 10.0.2.2:8080 dscp ef",
		     "egress of p2: fq_codel 23:; nothing waits there");
	expect_class("udp 10.0.0.2:1 > 10.0.2.2:1 dscp ef",
		     "egress of p2: prio 2:, class 2:2, by its priority");
	expect("p0", "tcp 10.0.0.2:1 > 10.0.1.2:9", "dropped", "tc-action");
	agree_in_class("p0", "udp 10.0.0.2:1 > 10.0.1.2:24");
	assert_true(told("out", "p2, redirected: the frame as it is"));
	assert_string_equal(last("iface"), "p2");
	ask_end(&asked);
}

static void load(const char *yaml)
{
	assert_true(flows_load(&f, yaml));
	follow();
}

/* What the port receives goes on as it is: what is for the router itself, too, and what it would
 * not forward. The way in of the other port is its own. */
static void test_cross_connect(void **s)
{
	(void)s;
	load("redirect: [{name: line, in: p0, to: p2}, {name: back, in: p2, to: p0}]\n");
	agree("p0", "udp 10.0.0.2:1 > 10.0.1.2:2 ttl 1");
	assert_true(told("qos", "ingress of p0: filter \"line\" (line 3): {redirect: p2}"));
	assert_true(told("qos", "p0 is cross-connected to p2: the whole port"));
	assert_string_equal(last("iface"), "p2");
	ask_end(&asked);
	expect("p0", "udp 10.0.0.2:1 > 10.0.0.1:2", "forwarded", "");
	expect("p0", "udp 127.0.0.1:1 > 224.0.0.5:2", "forwarded", "");
	expect("p2", "udp 10.0.2.2:1 > 10.0.1.2:2", "forwarded", "");
	expect("p1", "udp 10.0.1.2:1 > 10.0.0.1:2", "linux", "");
	expect("p1", "udp 10.0.1.2:1 > 10.0.0.2:2", "forwarded", "");
}

/* Filters of ways out that send a frame back and forth. */
static void test_loop(void **s)
{
	(void)s;
	load("redirect: [{name: there, in: p0, source: 10.0.0.2, to: p1}]\n"
	     "qos: {p1: {egress: {root: {prio: {}}, filters: [\n"
	     "    {proto: udp, dport: 9, action: {redirect: p2}}]}},\n"
	     "  p2: {egress: {root: {prio: {}}, filters: [{action: {redirect: p1}}]}}}\n");
	expect("p0", "udp 10.0.0.2:1 > 10.0.1.2:9", "dropped", "tc-loop");
	agree("p0", "udp 10.0.0.2:1 > 10.0.1.2:8");
	assert_true(told("qos", "egress of p1: prio 8001:, class 8001:2, by its priority"));
	assert_string_equal(last("iface"), "p1");
	ask_end(&asked);
	expect("p0", "udp 10.0.0.2:1 > 10.0.0.1:8", "linux", "");
}

/* Of a mirror it is said where copies go; none is made. */
static void test_mirror(void **s)
{
	struct frame in, copy;

	(void)s;
	load("mirror: [{name: ids, from: p0, direction: both, proto: udp, to: p2, snaplen: "
	     "100}]\n");
	ask_about("p0", "udp 10.0.0.2:1 > 10.0.1.2:9");
	assert_true(told("qos", "ingress of p0: filter \"ids\" (line 3), proto: udp: {mirror: p2, "
				"snaplen: 100}"));
	assert_string_equal(last("iface"), "p1");
	ask_end(&asked);
	worker_turn(f.p.w, f.p.now);
	assert_false(pipe_sent(&f.p, 2, &copy));
	make_frame("p0", "udp 10.0.0.2:1 > 10.0.1.2:9", 0, 0, &in);
	pipe_receive(&f.p, &in);
	worker_turn(f.p.w, f.p.now);
	assert_true(pipe_sent(&f.p, 2, &copy));
	assert_int_equal(sent_by(&f, 1), 1);
	ask_about("p1", "udp 10.0.1.2:1 > 10.0.0.2:9");
	assert_true(told("qos", "egress of p0: filter \"ids\" (line 3)"));
	assert_string_equal(last("iface"), "p0");
	ask_end(&asked);
}

/* Who waits for a neighbour meets filters after that. */
static void test_no_neighbour(void **s)
{
	(void)s;
	load("qos: {p1: {egress: {root: {prio: {}}, filters: [\n"
	     "    {proto: udp, dport: 9, action: drop}]}}}\n");
	agree("p0", "udp 10.0.0.2:1 > 10.0.1.77:9");
	assert_string_equal(last("verdict"), "waits");
	assert_string_equal(last("text"),
			    "waits until Linux has resolved 10.0.1.77, then dropped: tc-action");
	ask_end(&asked);
	agree("p0", "udp 10.0.0.2:1 > 10.0.1.77:8");
	assert_true(told("qos", "egress of p1: prio 8001:, class 8001:2, by its priority"));
	assert_string_equal(last("text"),
			    "waits until Linux has resolved 10.0.1.77, then forwarded");
	ask_end(&asked);
}

/* Behind a slow line packets wait, and it says how many; with flows and without. */
static void test_backlog(void **s)
{
	static const char *const flows[] = { "", "conntrack: {}\n" };
	char yaml[300];

	(void)s;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(yaml, sizeof(yaml),
			 "%sqos: {p1: {egress: {root: {handle: '1:', tbf: {rate: 8mbit, burst: "
			 "1514b, limit: 20kb}}}}}\n",
			 flows[i]);
		load(yaml);
		for (unsigned n = 0; n < 3; n++) {
			struct frame in;

			make_frame("p0", "udp 10.0.0.2:1 > 10.0.1.2:9 length 1486", 0, 0, &in);
			pipe_receive(&f.p, &in);
			worker_turn(f.p.w, f.p.now);
		}
		ask_about("p0", "udp 10.0.0.2:1 > 10.0.1.2:9 length 1486");
		assert_true(told("qos", "egress of p1: tbf 1: rate 8Mbit burst 1514b "));
		assert_non_null(strstr(text_at(json_array_size(asked.rows) - 4, "text"),
				       "; 2 packets of 3000 bytes wait there"));
		assert_true(told("qos", "egress of p1: bfifo; a packet of 1500 bytes waits there"));
		assert_string_equal(last("verdict"), "forwarded");
		ask_end(&asked);
		runs_empty(&f, 1);
		f.p.now += NSEC_PER_SEC; /* the bucket is full again */
	}
}

/* Packets of all kinds, at rates that let all pass. */
static void test_random(void **s)
{
	static const char *const in[] = { "p0", "p0", "p1", "p2", "vlan100", "qinq" };
	char packet[200];

	(void)s;
	for (unsigned i = 0; i < 8000; i++) {
		f.p.now += NSEC_PER_MSEC;
		random_packet(packet, sizeof(packet), i);
		agree_in_class(ANY(in), packet);
		ask_end(&asked);
		hold_drop(&f.p.w->dp);
		if (!chance(200))
			flows_wait_s(&f, chance(400));
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ingress), TEST(test_classes), TEST(test_cross_connect),
		TEST(test_loop),    TEST(test_mirror),	TEST(test_no_neighbour),
		TEST(test_backlog), TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
