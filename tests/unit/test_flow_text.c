/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows as text: the lines are what conntrack-tools 1.4.7 printed for such flows of Linux 6.18. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "router/ctl/flow_text.h"
#include "router/net/tcp.h"

static void key_set(struct flow_key *k, uint8_t proto, const char *src, const char *dst)
{
	k->family = strchr(src, ':') ? AF_INET6 : AF_INET;
	k->proto = proto;
	assert_int_equal(inet_pton(k->family, src, k->src), 1);
	assert_int_equal(inet_pton(k->family, dst, k->dst), 1);
}

/* A flow between two hosts, answered. */
static struct ct_event flow_of(uint8_t proto, const char *src, const char *dst, uint16_t sport,
			       uint16_t dport)
{
	struct ct_event e = { .state = FLOW_COMMITTED | FLOW_REPLIED, .left = 29 * 4 + 3 };

	key_set(&e.orig, proto, src, dst);
	key_set(&e.reply, proto, dst, src);
	e.orig.sport = e.reply.dport = htons(sport);
	e.orig.dport = e.reply.sport = htons(dport);
	return e;
}

static void count(struct ct_event *e, uint64_t packets, uint64_t bytes, uint64_t back,
		  uint64_t back_bytes)
{
	e->packets[FLOW_ORIG] = packets;
	e->bytes[FLOW_ORIG] = bytes;
	e->packets[FLOW_REPLY] = back;
	e->bytes[FLOW_REPLY] = back_bytes;
}

static struct ct_event echo_of(const char *src, const char *dst, uint8_t type, uint16_t id)
{
	uint8_t proto = type == 8 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	struct ct_event e = flow_of(proto, src, dst, 0, 0);

	e.orig.sport = e.reply.sport = htons(id);
	e.orig.dport = htons((uint16_t)(type << 8));
	e.reply.dport = htons((uint16_t)((type == 8 ? 0 : 129) << 8));
	return e;
}

static struct ct_event natted_tcp(void)
{
	struct ct_event e = flow_of(IPPROTO_TCP, "10.0.0.2", "1.1.1.1", 1234, 80);

	key_set(&e.reply, IPPROTO_TCP, "1.1.1.1", "203.0.113.2");
	e.reply.dport = htons(7000);
	e.state |= TCP_ESTABLISHED | FLOW_ASSURED | FLOW_SNAT;
	e.left = 431999 * 4;
	count(&e, 5, 300, 4, 200);
	return e;
}

static void assert_list(const struct ct_event *e, const char *line)
{
	char buf[FLOW_LINE_STRLEN];

	assert_string_equal(flow_list_line(e, buf), line);
}

static void assert_event(const struct ct_event *e, const char *line)
{
	char buf[FLOW_LINE_STRLEN];

	assert_string_equal(flow_event_line(e, buf), line);
}

static void test_tcp(void **state)
{
	struct ct_event e = natted_tcp();

	(void)state;
	assert_list(&e,
		    "tcp      6 431999 ESTABLISHED src=10.0.0.2 dst=1.1.1.1 sport=1234 dport=80 "
		    "packets=5 bytes=300 src=1.1.1.1 dst=203.0.113.2 sport=80 dport=7000 "
		    "packets=4 bytes=200 [ASSURED] mark=0 use=1");
	e.state = FLOW_COMMITTED | TCP_SYN_SENT;
	e.mark = 0x20;
	assert_list(&e, "tcp      6 431999 SYN_SENT src=10.0.0.2 dst=1.1.1.1 sport=1234 dport=80 "
			"packets=5 bytes=300 [UNREPLIED] src=1.1.1.1 dst=203.0.113.2 sport=80 "
			"dport=7000 packets=4 bytes=200 mark=32 use=1");
}

static void test_udp(void **state)
{
	struct ct_event e = flow_of(IPPROTO_UDP, "10.0.0.1", "10.0.0.2", 33914, 77);

	(void)state;
	e.state = FLOW_COMMITTED;
	e.orig.zone = e.reply.zone = 5;
	count(&e, 1, 29, 0, 0);
	assert_list(&e, "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=33914 dport=77 packets=1 "
			"bytes=29 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=77 dport=33914 "
			"packets=0 bytes=0 mark=0 zone=5 use=1");
	e = flow_of(IPPROTO_UDP, "2001:db8::1", "2001:db8::2", 46741, 53);
	count(&e, 3, 87, 3, 87);
	assert_list(&e, "udp      17 29 src=2001:db8::1 dst=2001:db8::2 sport=46741 dport=53 "
			"packets=3 bytes=87 src=2001:db8::2 dst=2001:db8::1 sport=53 dport=46741 "
			"packets=3 bytes=87 mark=0 use=1");
}

static void test_icmp(void **state)
{
	struct ct_event e = echo_of("10.0.0.1", "10.0.0.2", 8, 31559);

	(void)state;
	count(&e, 1, 84, 1, 84);
	assert_list(&e, "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=31559 packets=1 "
			"bytes=84 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=31559 packets=1 "
			"bytes=84 mark=0 use=1");
	e = echo_of("2001:db8::1", "2001:db8::2", 128, 31560);
	count(&e, 1, 104, 1, 104);
	assert_list(&e, "icmpv6   58 29 src=2001:db8::1 dst=2001:db8::2 type=128 code=0 id=31560 "
			"packets=1 bytes=104 src=2001:db8::2 dst=2001:db8::1 type=129 code=0 "
			"id=31560 packets=1 bytes=104 mark=0 use=1");
}

static void test_other_protocols(void **state)
{
	struct ct_event e = flow_of(IPPROTO_GRE, "10.0.0.1", "10.0.0.2", 0, 0);

	(void)state;
	e.state = FLOW_COMMITTED;
	count(&e, 1, 44, 0, 0);
	assert_list(&e, "gre      47 29 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0x0 packets=1 "
			"bytes=44 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 srckey=0x0 dstkey=0x0 "
			"packets=0 bytes=0 mark=0 use=1");
	e.orig.proto = e.reply.proto = 50; /* ESP: it has no name for it */
	assert_list(&e, "unknown  50 29 src=10.0.0.1 dst=10.0.0.2 packets=1 bytes=44 [UNREPLIED] "
			"src=10.0.0.2 dst=10.0.0.1 packets=0 bytes=0 mark=0 use=1");
	e.orig.proto = e.reply.proto = 253;
	assert_list(&e, "unknown  253 29 src=10.0.0.1 dst=10.0.0.2 packets=1 bytes=44 [UNREPLIED] "
			"src=10.0.0.2 dst=10.0.0.1 packets=0 bytes=0 mark=0 use=1");
	e.orig.proto = e.reply.proto = IPPROTO_DCCP;
	assert_list(&e, "dccp     33 29 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=0 packets=1 "
			"bytes=44 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=0 dport=0 packets=0 "
			"bytes=0 mark=0 use=1");
}

static void test_events(void **state)
{
	struct ct_event e = natted_tcp();

	(void)state;
	e.state = FLOW_COMMITTED | TCP_SYN_SENT;
	e.left = 120 * 4;
	assert_event(&e, "    [NEW] tcp      6 120 SYN_SENT src=10.0.0.2 dst=1.1.1.1 sport=1234 "
			 "dport=80 [UNREPLIED] src=1.1.1.1 dst=203.0.113.2 sport=80 dport=7000");
	e.kind = CT_EVENT_UPDATE;
	e.state = FLOW_COMMITTED | FLOW_REPLIED | TCP_SYN_RECV;
	assert_event(&e, " [UPDATE] tcp      6 120 SYN_RECV src=10.0.0.2 dst=1.1.1.1 sport=1234 "
			 "dport=80 src=1.1.1.1 dst=203.0.113.2 sport=80 dport=7000");
	e.kind = CT_EVENT_ASSURED;
	e.state = FLOW_COMMITTED | FLOW_REPLIED | FLOW_ASSURED | TCP_ESTABLISHED;
	assert_event(&e, " [UPDATE] tcp      6 120 ESTABLISHED src=10.0.0.2 dst=1.1.1.1 sport=1234 "
			 "dport=80 src=1.1.1.1 dst=203.0.113.2 sport=80 dport=7000 [ASSURED]");
	e.kind = CT_EVENT_DESTROY;
	e.mark = 1;
	e.orig.zone = 5;
	assert_event(&e, "[DESTROY] tcp      6 120 ESTABLISHED src=10.0.0.2 dst=1.1.1.1 sport=1234 "
			 "dport=80 packets=5 bytes=300 src=1.1.1.1 dst=203.0.113.2 sport=80 "
			 "dport=7000 packets=4 bytes=200 [ASSURED] mark=1 zone=5");
	e.left = 0;
	assert_event(&e, "[DESTROY] tcp      6 ESTABLISHED src=10.0.0.2 dst=1.1.1.1 sport=1234 "
			 "dport=80 packets=5 bytes=300 src=1.1.1.1 dst=203.0.113.2 sport=80 "
			 "dport=7000 packets=4 bytes=200 [ASSURED] mark=1 zone=5");
}

static void assert_json(const struct ct_event *e, enum flow_dir dir, const char *want)
{
	json_t *o = flow_half_json(e, dir);
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, want);
	free(text);
	json_decref(o);
}

static void test_json(void **state)
{
	struct ct_event e = natted_tcp();

	(void)state;
	assert_json(&e, FLOW_ORIG,
		    "{\"bytes\":300,\"dport\":80,\"dst\":\"1.1.1.1\",\"packets\":5,"
		    "\"sport\":1234,\"src\":\"10.0.0.2\"}");
	assert_json(&e, FLOW_REPLY,
		    "{\"bytes\":200,\"dport\":7000,\"dst\":\"203.0.113.2\",\"packets\":4,"
		    "\"sport\":80,\"src\":\"1.1.1.1\"}");
	e = echo_of("2001:db8::1", "2001:db8::2", 128, 7);
	count(&e, UINT64_MAX, 0, 0, 0);
	assert_json(&e, FLOW_ORIG,
		    "{\"bytes\":0,\"code\":0,\"dport\":null,\"dst\":\"2001:db8::2\",\"id\":7,"
		    "\"packets\":9223372036854775807,\"sport\":null,\"src\":\"2001:db8::1\","
		    "\"type\":128}");
}

static void test_short_form(void **state)
{
	char buf[FLOW_SHORT_STRLEN];
	struct ct_event e = natted_tcp();

	(void)state;
	assert_string_equal(flow_short(&e, false, buf),
			    "10.0.0.2:1234 > 1.1.1.1:80 snat 203.0.113.2:7000");
	e.state |= FLOW_DNAT;
	e.mark = 0x20;
	assert_string_equal(flow_short(&e, true, buf),
			    "10.0.0.2:1234 > 1.1.1.1:80 dnat 1.1.1.1:80 snat 203.0.113.2:7000 mark "
			    "0x20 (5 packets 300 bytes, back 4 packets 200 bytes)");
	e = echo_of("2001:db8::1", "2001:db8::2", 128, 7);
	e.orig.zone = 9;
	e.state = 0;
	assert_string_equal(flow_short(&e, false, buf),
			    "2001:db8::1 > 2001:db8::2 type 128 code 0 id 7 unreplied zone 9");
	e = flow_of(IPPROTO_UDP, "2001:db8::1", "2001:db8::2", 1, 2);
	assert_string_equal(flow_short(&e, false, buf), "[2001:db8::1]:1 > [2001:db8::2]:2");
}

/* Nothing is cut off: the longest there can be. */
static void test_longest(void **state)
{
	static const char *const longest = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
	struct ct_event e = flow_of(IPPROTO_UDPLITE, longest, longest, 65535, 65535);
	char buf[FLOW_LINE_STRLEN], text[FLOW_SHORT_STRLEN];

	(void)state;
	e.state = UINT32_MAX & ~FLOW_REPLIED;
	e.left = e.mark = UINT32_MAX;
	e.orig.zone = UINT16_MAX;
	e.kind = CT_EVENT_DESTROY;
	count(&e, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	assert_string_equal(strstr(flow_list_line(&e, buf), "zone="), "zone=65535 use=1");
	assert_string_equal(strstr(flow_event_line(&e, buf), "zone="), "zone=65535");
	assert_string_equal(strrchr(flow_short(&e, true, text), ' '), " bytes)");
}

static void test_protocols(void **state)
{
	static const char *const bad[] = {
		"", "x", "256", "-1", " 6", "6 ", "0x6", "0000", "TCPX"
	};
	char buf[FLOW_PROTO_STRLEN];
	uint8_t n = 99;

	(void)state;
	for (unsigned p = 0; p < 256; p++) {
		assert_int_equal(flow_proto_parse(flow_proto_format((uint8_t)p, buf), &n), 0);
		assert_int_equal(n, p);
	}
	assert_int_equal(flow_proto_parse("ipv6-icmp", &n), 0);
	assert_int_equal(n, 58);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(flow_proto_parse(bad[i], &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),	   cmocka_unit_test(test_udp),
		cmocka_unit_test(test_icmp),	   cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_events),	   cmocka_unit_test(test_json),
		cmocka_unit_test(test_short_form), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
