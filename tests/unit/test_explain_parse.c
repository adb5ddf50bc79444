/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets as operators write them: what is read, and what is said of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "router/ctl/explain_parse.h"
#include "router/net/tcp.h"

static void test_parse(void **s)
{
	struct explain_packet p;
	char why[256];

	(void)s;
	assert_int_equal(
		explain_parse("tcp [2001:db8::5]:1234 > [2001:db8::1]:443 ttl 3 length 100 "
			      "dscp af21 flags syn,ack mark 0x20",
			      &p, why, sizeof(why)),
		0);
	assert_int_equal(p.proto, IPPROTO_TCP);
	assert_int_equal(p.sport, 1234);
	assert_int_equal(p.dport, 443);
	assert_int_equal(p.ttl, 3);
	assert_int_equal(p.length, 100);
	assert_int_equal(p.dscp, 18);
	assert_int_equal(p.tcp_flags, TCP_F_SYN | TCP_F_ACK);
	assert_int_equal(p.mark, 0x20);
	assert_int_equal(explain_parse(" \tudp  1.1.1.1 >\t2.2.2.2:1 ", &p, why, sizeof(why)), 0);
	assert_int_equal(p.length, 28);
	assert_int_equal(p.ttl, 64);
	assert_int_equal(p.tcp_flags, 0);
	assert_int_equal(
		explain_parse("icmpv6 [::1]:9 > ::2 icmp echo-reply", &p, why, sizeof(why)), 0);
	assert_int_equal(p.icmp_type, 129);
	assert_int_equal(p.sport, 9);
	assert_int_equal(explain_parse("50 1.1.1.1 > 2.2.2.2 dscp 63 df", &p, why, sizeof(why)), 0);
	assert_int_equal(p.length, 20);
	assert_true(p.df);
}

static void test_refusals(void **s)
{
	static const struct {
		const char *packet, *error;
	} rows[] = {
		{ "tpc 1.1.1.1:1 > 2.2.2.2:2",
		  "\"tpc\" is no protocol: tcp, udp, icmp, icmpv6, sctp, gre or a number; as in "
		  "'tcp 10.0.0.5:1234 > 1.1.1.1:443'" },
		{ "tcp", "its source is missing: PROTOCOL SOURCE > DESTINATION" },
		{ "tcp 1.1.1.1:1", "\"\" after the source: there should be a \">\"" },
		{ "tcp 1.1.1.1:1 2.2.2.2:1",
		  "\"2.2.2.2:1\" after the source: there should be a \">\"" },
		{ "tcp 1.1.1.1:70000 > 2.2.2.2:2",
		  "\"1.1.1.1:70000\" is no source: an address, with a port as 10.0.0.5:1234 or "
		  "[2001:db8::5]:1234" },
		{ "tcp 1.1.1.1 > 2.2.2.2",
		  "tcp needs a destination port, as 1.1.1.1:443 or [2001:db8::1]:443" },
		{ "tcp 1.1.1.1 > 2001:db8::1", "its addresses are of two families" },
		{ "icmp 2001:db8::2 > 2001:db8::1", "between IPv6 addresses it is icmpv6" },
		{ "gre 1.1.1.1:4 > 2.2.2.2", "gre has no ports" },
		{ "icmp 1.1.1.1 > 2.2.2.2:5",
		  "icmp has no ports (that of the source would be its id)" },
		{ "44 2001:db8::2 > 2001:db8::1",
		  "44 is an extension header of IPv6 and no protocol" },
		{ "icmp 1.1.1.1 > 2.2.2.2 icmp 3/1",
		  "icmp 3/1: an error goes where the flow it is about leads it; explain a packet "
		  "of "
		  "that flow instead" },
		{ "icmp 1.1.1.1 > 2.2.2.2 icmp x",
		  "icmp \"x\": a type or TYPE/CODE in numbers, echo-request or echo-reply" },
		{ "udp 1.1.1.1 > 2.2.2.2:1 flags syn", "flags are TCP's" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 flags syn,",
		  "flags \"syn,\": syn, ack, fin, rst, psh, urg with commas between, or none" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 ttl", "ttl: its value is missing" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 ttl 256", "ttl \"256\": a number from 0 to 255" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 dscp xx",
		  "dscp \"xx\": ef, af11 to af43, cs0 to cs7, be, or 0 to 63" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 length 39", "length 39: its headers alone are 40" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 mark -1", "mark \"-1\": a number of 32 bits" },
		{ "tcp 1.1.1.1 > 2.2.2.2:1 please",
		  "\"please\" after the destination: ttl N, length N, df, dscp X, flags syn,ack, "
		  "mark N or icmp TYPE/CODE" },
	};

	(void)s;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct explain_packet p = { .ttl = 77 };
		char why[256] = "";

		assert_int_equal(explain_parse(rows[i].packet, &p, why, sizeof(why)), -EINVAL);
		assert_string_equal(why, rows[i].error);
		assert_int_equal(p.ttl, 77); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
