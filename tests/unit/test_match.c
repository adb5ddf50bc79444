/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matcher: each condition by hand, what it reports about a flow (varies, used_ct, counted), and
 * random rules and packets against tests/rules_oracle.h. Issue "flows", item 6.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/random.h"
#include "tests/rules_oracle.h"

/* ---- one rule, one packet */

static struct oracle world;

static bool matches(const struct conf_match *rule, struct match_packet *p)
{
	struct matcher *m;
	char why[128];
	unsigned got;

	p->varies = p->used_ct = false;
	memset(p->counted, 0, sizeof(p->counted));
	assert_int_equal(matcher_build(&world.c, &rule, 1, oracle_name, NULL, &m, why, sizeof(why)),
			 0);
	got = matcher_next(m, 0, p);
	assert_int_equal(matcher_next(m, 1, p), 1);
	matcher_destroy(m);
	assert_true(got <= 1);
	return got == 0;
}

static int setup(void **state)
{
	(void)state;
	oracle_init(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	names_fini(&world.names);
	return 0;
}

static struct match_packet packet(const char *src, const char *dst, uint8_t proto, uint16_t sport,
				  uint16_t dport)
{
	struct match_packet p = { .in = 1, .out = 2, .ct = CONF_CT_NEW, .ttl = 64, .len = 100 };
	struct addr a, b;

	assert_int_equal(addr_parse(src, &a), 0);
	assert_int_equal(addr_parse(dst, &b), 0);
	memcpy(p.key.src, a.bytes, 16);
	memcpy(p.key.dst, b.bytes, 16);
	p.key.family = a.family;
	p.key.proto = proto;
	p.key.sport = htons(sport);
	p.key.dport = htons(dport);
	return p;
}

static struct conf_range range(const char *first, const char *last)
{
	struct conf_range r;

	assert_int_equal(addr_parse(first, &r.first), 0);
	assert_int_equal(addr_parse(last, &r.last), 0);
	return r;
}

static void test_everything(void **state)
{
	struct match_packet p4 = packet("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 1, 2);
	struct match_packet p6 = packet("2001:db8::1", "2001:db8::2", 99, 0, 0);
	struct conf_match rule = { 0 };

	(void)state;
	assert_true(matches(&rule, &p4));
	assert_true(matches(&rule, &p6));
	assert_false(p4.varies || p4.used_ct || p4.counted[0]);
	rule.family = AF_INET;
	assert_true(matches(&rule, &p4));
	assert_false(matches(&rule, &p6));
	rule.family = AF_INET6;
	assert_false(matches(&rule, &p4));
	assert_true(matches(&rule, &p6));
}

static void test_addresses(void **state)
{
	struct conf_range list[] = { range("10.0.0.0", "10.255.255.255"),
				     range("192.0.2.7", "192.0.2.9"),
				     range("255.255.255.255", "255.255.255.255") };
	static const struct {
		const char *src;
		bool in;
	} row[] = {
		{ "9.255.255.255", false },   { "10.0.0.0", true },
		{ "10.255.255.255", true },   { "11.0.0.0", false },
		{ "192.0.2.6", false },	      { "192.0.2.7", true },
		{ "192.0.2.9", true },	      { "192.0.2.10", false },
		{ "0.0.0.0", false },	      { "255.255.255.255", true },
		{ "255.255.255.254", false },
	};
	struct match_packet p6 = packet("::a00:1", "::", IPPROTO_TCP, 1, 2);

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct match_packet p = packet(row[i].src, "1.1.1.1", IPPROTO_UDP, 1, 2);
		struct match_packet q = packet("1.1.1.1", row[i].src, IPPROTO_UDP, 1, 2);
		struct conf_match from = { .from = { .ranges = list, .nranges = 3 } };
		struct conf_match to = { .to = { .ranges = list, .nranges = 3 } };

		assert_int_equal(matches(&from, &p), row[i].in);
		assert_int_equal(matches(&to, &q), row[i].in);
		assert_false(matches(&from, &q) || matches(&to, &p));
		/* rules with IPv4 addresses never mean IPv6, negated or not */
		assert_false(matches(&from, &p6));
		from.from.negate = to.to.negate = true;
		assert_int_equal(matches(&from, &p), !row[i].in);
		assert_int_equal(matches(&to, &q), !row[i].in);
		assert_false(matches(&from, &p6));
	}
}

static void test_addresses6(void **state)
{
	struct conf_range list[] = { range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
				     range("fe80::1", "fe80::1"),
				     range("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
					   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
				     range("10.0.0.1", "10.0.0.1") };
	static const struct {
		const char *src;
		bool in;
	} row[] = {
		{ "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false },
		{ "2001:db8::", true },
		{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "2001:db9::", false },
		{ "fe80::", false },
		{ "fe80::1", true },
		{ "fe80::2", false },
		{ "::", false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd", false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "10.0.0.1", true },
		{ "10.0.0.2", false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct match_packet p = packet(row[i].src, row[i].src, IPPROTO_UDP, 1, 2);
		struct conf_match rule = { .from = { .ranges = list, .nranges = 4 },
					   .to = { .ranges = list, .nranges = 4 } };

		assert_int_equal(matches(&rule, &p), row[i].in);
		rule.from.negate = rule.to.negate = true;
		assert_int_equal(matches(&rule, &p), !row[i].in);
	}
}

static void test_protocols(void **state)
{
	uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, 255 };
	struct conf_match rule = { .protos = protos, .nprotos = 3 };

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		struct match_packet p = packet("1.1.1.1", "2.2.2.2", (uint8_t)i, 1, 2);

		assert_int_equal(matches(&rule, &p), i == 6 || i == 17 || i == 255);
	}
}

static void test_ports(void **state)
{
	struct conf_port_range list[] = { { 80, 80 }, { 1000, 2000 }, { 65535, 65535 }, { 0, 0 } };
	static const uint8_t with[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP,
					IPPROTO_UDPLITE };
	static const uint8_t without[] = { IPPROTO_ICMP, IPPROTO_GRE, IPPROTO_ESP, 0 };
	struct conf_match d = { .dport = { .ranges = list, .nranges = 4 } };
	struct conf_match s = { .sport = { .ranges = list, .nranges = 4 } };

	(void)state;
	for (unsigned negate = 0; negate < 2; negate++) {
		d.dport.negate = s.sport.negate = negate;
		for (uint32_t port = 0; port < 65536;
		     port += port < 2100 || port > 65500 ? 1 : 77) {
			bool in = port == 80 || (port >= 1000 && port <= 2000) || port == 65535 ||
				  !port;
			struct match_packet p =
				packet("1.1.1.1", "2.2.2.2", with[port % 5], 79, (uint16_t)port);
			struct match_packet q =
				packet("1.1.1.1", "2.2.2.2", with[port % 5], (uint16_t)port, 79);

			assert_int_equal(matches(&d, &p), in != negate);
			assert_int_equal(matches(&s, &q), in != negate);
			p.fragment = q.fragment = true; /* theirs are those of the first */
			assert_int_equal(matches(&d, &p), in != negate);
			assert_int_equal(matches(&s, &q), in != negate);
		}
		/* what has no ports is never meant */
		for (unsigned i = 0; i < sizeof(without); i++) {
			struct match_packet p = packet("1.1.1.1", "2.2.2.2", without[i], 0, 0);

			assert_false(matches(&d, &p) || matches(&s, &p));
		}
	}
}

static void test_interfaces(void **state)
{
	char one[][CONF_NAME] = { "if3" }, zone[][CONF_NAME] = { "lan", "if4" };
	char empty[][CONF_NAME] = { "empty" };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);

	(void)state;
	for (unsigned negate = 0; negate < 2; negate++)
		for (uint16_t i = 0; i <= NAMES_MAX; i++) {
			struct conf_match in = { .in = { negate, "", one, 1 } };
			struct conf_match out = { .out = { negate, "", zone, 2 } };
			struct conf_match no = { .in = { negate, "", empty, 1 } };

			p.in = p.out = i;
			assert_int_equal(matches(&in, &p), (i == 3) != negate);
			assert_int_equal(matches(&out, &p), (i == 1 || i == 2 || i == 4) != negate);
			assert_int_equal(matches(&no, &p), negate);
		}
}

static void test_tcp_flags(void **state)
{
	struct conf_match rule = { .flags = 2, .flags_mask = 0x12 };
	struct conf_match ack = { .flags = 0x10, .flags_mask = 0x12 };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);

	(void)state;
	for (unsigned f = 0; f < 256; f++) {
		p.tcp_flags = (uint8_t)f;
		assert_int_equal(matches(&rule, &p), (f & 0x12) == 2);
		assert_false(p.varies); /* it demands a SYN, and those are all judged */
		assert_int_equal(matches(&ack, &p), (f & 0x12) == 0x10);
		assert_true(p.varies);
	}
	p.tcp_flags = 2;
	p.fragment = true;
	assert_false(matches(&rule, &p));
	p.fragment = false;
	p.key.proto = IPPROTO_UDP;
	assert_false(matches(&rule, &p));
	assert_false(p.varies); /* UDP has no flags to differ in */
}

static void test_icmp(void **state)
{
	struct conf_icmp list[] = { { AF_INET, 8, -1 }, { AF_INET, 3, 4 }, { AF_INET6, 128, 0 } };
	struct conf_match rule = { .icmp = list, .nicmp = 3 };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_ICMP, 0, 0);
	struct match_packet p6 = packet("::1", "::2", IPPROTO_ICMPV6, 0, 0);

	(void)state;
	for (unsigned type = 0; type < 256; type++)
		for (unsigned code = 0; code < 6; code++) {
			p.icmp_type = p6.icmp_type = (uint8_t)type;
			p.icmp_code = p6.icmp_code = (uint8_t)code;
			assert_int_equal(matches(&rule, &p), type == 8 || (type == 3 && code == 4));
			assert_int_equal(matches(&rule, &p6), type == 128 && !code);
		}
	p.icmp_type = 8;
	assert_true(matches(&rule, &p) && p.varies);
	p.fragment = true; /* its type is the first's */
	assert_true(matches(&rule, &p));
	p.fragment = false;
	p.key.proto = IPPROTO_ICMPV6; /* in IPv4 */
	assert_false(matches(&rule, &p));
}

static void test_values(void **state)
{
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);
	struct conf_match length = { .length_min = 100, .length_max = 200 };
	struct conf_match ttl = { .ttl_min = 1, .ttl_max = 10 };
	struct conf_match dscp = { .dscp = 1ull << 46 | 1 };
	struct conf_match mark = { .has_mark = true, .mark = 0x10, .mark_mask = 0xf0 };
	struct conf_match fragment = { .fragment = 1 }, whole = { .fragment = 2 };

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		p.len = (uint16_t)i;
		p.ttl = p.tos = (uint8_t)i;
		p.mark = i | 0xf00;
		p.fragment = i & 1;
		assert_int_equal(matches(&length, &p), i >= 100 && i <= 200);
		assert_true(p.varies);
		assert_int_equal(matches(&ttl, &p), i >= 1 && i <= 10);
		assert_true(p.varies);
		assert_int_equal(matches(&dscp, &p), i >> 2 == 46 || i >> 2 == 0);
		assert_true(p.varies);
		assert_int_equal(matches(&mark, &p), (i & 0xf0) == 0x10);
		assert_false(p.varies);
		assert_int_equal(matches(&fragment, &p), i & 1);
		assert_int_equal(matches(&whole, &p), !(i & 1));
		assert_true(p.varies && !p.used_ct);
	}
}

static void test_ct(void **state)
{
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);
	struct conf_match ct = { .ct = CONF_CT_ESTABLISHED | CONF_CT_RELATED };
	struct conf_match status = { .status = CONF_STATUS_DNAT | CONF_STATUS_SNAT };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		p.ct = (uint8_t)(1u << i);
		assert_int_equal(matches(&ct, &p), i == 1 || i == 2);
		assert_true(p.used_ct && !p.varies);
	}
	for (unsigned i = 0; i < 16; i++) {
		p.status = (uint8_t)i;
		assert_int_equal(matches(&status, &p), !!(i & 12));
		assert_true(p.used_ct && !p.varies);
	}
}

/* ---- what a flow may rely on */

/* A rule of other flows makes nothing of this one vary, and one of another state only that. */
static void test_varies(void **state)
{
	struct conf_port_range ssh = { 22, 22 };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 80);
	struct conf_match rule = { .dport = { .ranges = &ssh, .nranges = 1 },
				   .length_max = 50,
				   .ct = CONF_CT_NEW };

	(void)state;
	assert_false(matches(&rule, &p));
	assert_false(p.varies || p.used_ct);
	p.key.dport = htons(22);
	assert_false(matches(&rule, &p));
	assert_true(p.varies && p.used_ct);
	p.ct = CONF_CT_ESTABLISHED;
	assert_false(matches(&rule, &p));
	assert_true(!p.varies && p.used_ct);
	rule.has_mark = true;
	rule.mark = 1;
	rule.mark_mask = UINT32_MAX;
	assert_false(matches(&rule, &p));
	assert_false(p.varies || p.used_ct);
}

static void test_sets(void **state)
{
	struct set *fixed = sets_find(&world.sets, "hosts"),
		   *grows = sets_find(&world.sets, "banned");
	struct match_packet p = packet("10.9.9.9", "10.9.9.8", IPPROTO_TCP, 1, 8080);
	struct conf_match rule = { .from.set = "hosts" }, dynamic = { .from.set = "banned" };
	struct conf_match port = { .dport.set = "ports" }, in = { .in.set = "ifs" };
	struct set_key k = { 0 }, number = { 0 };

	(void)state;
	set_key_address(&k, AF_INET, p.key.src);
	set_key_value(&number, 8080);
	assert_false(matches(&rule, &p) || matches(&dynamic, &p) || matches(&port, &p));
	rule.from.negate = dynamic.from.negate = port.dport.negate = true;
	assert_true(matches(&rule, &p) && matches(&dynamic, &p) && matches(&port, &p));
	assert_true(set_add(fixed, &k, 0) && set_add(grows, &k, 0));
	assert_true(set_add(sets_find(&world.sets, "ports"), &number, 0));
	assert_false(matches(&rule, &p) || matches(&dynamic, &p) || matches(&port, &p));
	rule.from.negate = dynamic.from.negate = port.dport.negate = false;
	assert_true(matches(&rule, &p) && !p.varies);
	assert_true(matches(&dynamic, &p) && !p.varies);
	assert_true(matches(&port, &p) && !p.varies);
	p.fragment = true; /* its ports are those of the first */
	assert_true(matches(&port, &p));
	p.fragment = false;
	p.key.proto = IPPROTO_GRE; /* no port: neither in a set of ports nor outside it */
	assert_false(matches(&port, &p));
	port.dport.negate = true;
	assert_false(matches(&port, &p));
	p.in = 1;
	assert_true(matches(&in, &p));
	p.in = 3;
	assert_false(matches(&in, &p));
}

static void test_lookup(void **state)
{
	struct conf_match rule = {
		.lookup = { "pairs", false, { CONF_SOURCE_TO, CONF_SOURCE_SPORT }, 2 }
	};
	struct match_packet p = packet("10.9.9.9", "10.9.9.8", IPPROTO_UDP, 1234, 1);
	struct set_key k = { 0 };

	(void)state;
	assert_false(matches(&rule, &p));
	set_key_address(&k, AF_INET, p.key.dst);
	set_key_value(&k, 1234);
	assert_true(set_add(sets_find(&world.sets, "pairs"), &k, 0));
	assert_true(matches(&rule, &p));
	rule.lookup.negate = true;
	assert_false(matches(&rule, &p));
	p.key.sport = htons(1235);
	assert_true(matches(&rule, &p));
	p.key.proto = IPPROTO_ICMP;
	assert_false(matches(&rule, &p));
}

/* A token is taken only when all else matched. */
static void test_rate(void **state)
{
	struct conf_match rule = { .rate = { .used = true, .over = true },
				   .ct = CONF_CT_NEW,
				   .length_max = 100 };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);
	struct limits *l = &world.limits;

	(void)state;
	l->within[1] = true;
	assert_false(matches(&rule, &p)); /* limit 1: within the rate */
	assert_int_equal(l->asked[1], 1);
	assert_true(p.varies);
	assert_true(matches(&rule, &p)); /* limit 2: above it */
	p.ct = CONF_CT_ESTABLISHED;
	assert_false(matches(&rule, &p));
	p.ct = CONF_CT_NEW;
	p.len = 101;
	assert_false(matches(&rule, &p));
	assert_int_equal(l->asked[3] + l->asked[4], 0);
	p.len = 100;
	rule.rate.over = false;
	assert_false(matches(&rule, &p)); /* limit 5 */
	l->within[6] = true;
	assert_true(matches(&rule, &p));
	assert_int_equal(l->asked[5] + l->asked[6], 2);
}

static void test_connections(void **state)
{
	struct conf_match rule = { .connections_over = 20 };
	struct match_packet p = packet("1.1.1.1", "2.2.2.2", IPPROTO_TCP, 1, 2);

	(void)state;
	assert_false(matches(&rule, &p)); /* a later packet of a flow */
	assert_true(!p.varies && !p.counted[0] && !world.limits.asked[1]);
	p.first = true;
	world.limits.within[2] = true;
	assert_false(matches(&rule, &p));
	assert_int_equal(p.counted[0], 2);
	assert_false(p.varies);
	assert_true(matches(&rule, &p));
	assert_int_equal(p.counted[0], 3);
	assert_true(p.varies);
}

static void test_refusals(void **state)
{
	char name[][CONF_NAME] = { "many" };
	struct conf_match set = { .to.set = "nowhere" }, in = { .in = { false, "", name, 1 } };
	struct conf_match rate = { .rate.used = true };
	const struct conf_match *rule[] = { &set };
	struct matcher *m = (void *)state;
	char why[128];

	assert_int_equal(matcher_build(&world.c, rule, 1, oracle_name, NULL, &m, why, sizeof(why)),
			 -EINVAL);
	assert_string_equal(why, "0: there is no set \"nowhere\"");
	world.limits.n = FAKE_LIMITS;
	rule[0] = &rate;
	assert_int_equal(matcher_build(&world.c, rule, 1, oracle_name, NULL, &m, why, sizeof(why)),
			 -EINVAL);
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		char text[16];

		snprintf(text, sizeof(text), "x%u", i);
		names_get(&world.names, text);
	}
	rule[0] = &in;
	assert_int_equal(matcher_build(&world.c, rule, 1, oracle_name, NULL, &m, why, sizeof(why)),
			 -EINVAL);
	assert_ptr_equal(m, state);
	/* no rule at all is a list, too */
	assert_int_equal(matcher_build(&world.c, NULL, 0, oracle_name, NULL, &m, why, sizeof(why)),
			 0);
	assert_int_equal(matcher_next(m, 0, &(struct match_packet){ 0 }), 0);
	matcher_destroy(m);
	matcher_destroy(NULL);
}

/* ---- lists */

/* Every rule of three segments is found, from wherever one begins. */
static void test_segments(void **state)
{
	enum { N = 1030 };
	static struct conf_match rule[N];
	static struct conf_port_range port[N];
	static const struct conf_match *list[N];
	struct matcher *m;
	char why[128];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		port[i] = (struct conf_port_range){ (uint16_t)(i / 2), (uint16_t)(i / 2) };
		memset(&rule[i], 0, sizeof(rule[i]));
		rule[i].dport.ranges = &port[i];
		rule[i].dport.nranges = 1;
		list[i] = &rule[i];
	}
	assert_int_equal(matcher_build(&world.c, list, N, oracle_name, NULL, &m, why, sizeof(why)),
			 0);
	for (unsigned i = 0; i < N + 20; i++) {
		struct match_packet p =
			packet("1.1.1.1", "2.2.2.2", IPPROTO_UDP, 5, (uint16_t)(i / 2));
		unsigned even = i & ~1u;

		assert_int_equal(matcher_next(m, 0, &p), i < N ? even : N);
		assert_int_equal(matcher_next(m, even, &p), i < N ? even : N);
		assert_int_equal(matcher_next(m, even + 1, &p), i < N ? even + 1 : N);
		assert_int_equal(matcher_next(m, even + 2, &p), N);
	}
	matcher_destroy(m);
}

static void test_oracle(void **state)
{
	static uint8_t noise[1 << 18];

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct bytes b = { noise, noise + sizeof(noise) };
		unsigned n = round % 20 ? 1 + round % 40 : 400 + 2 * round, found = 0;
		struct matcher *m;

		for (size_t i = 0; i < sizeof(noise); i += 8) {
			uint64_t r = random64();

			memcpy(noise + i, &r, 8);
		}
		names_fini(&world.names);
		oracle_init(&world);
		assert_int_equal(oracle_build(&world, &b, n, &m), 0);
		for (unsigned i = 0; i < 400; i++) {
			struct match_packet p;
			unsigned from;

			random_packet(&b, &p);
			from = i % 3 ? 0 : (unsigned)(random64() % (n + 1));
			assert_true(oracle_agrees(&world, m, from, &p));
			found += matcher_next(m, 0, &p) < n;
		}
		assert_true(b.at < b.end);
		if (n > 100)
			assert_true(found > 50);
		matcher_destroy(m);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_everything), TEST(test_addresses), TEST(test_addresses6),
		TEST(test_protocols),  TEST(test_ports),     TEST(test_interfaces),
		TEST(test_tcp_flags),  TEST(test_icmp),	     TEST(test_values),
		TEST(test_ct),	       TEST(test_varies),    TEST(test_sets),
		TEST(test_lookup),     TEST(test_rate),	     TEST(test_connections),
		TEST(test_refusals),   TEST(test_segments),  TEST(test_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
