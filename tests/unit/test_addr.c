/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/lib/addr: what is an address and what is not, masks, order. */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "router/lib/addr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static struct addr addr(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static void addresses_round_trip(void **state)
{
	static const char *const good[] = { "0.0.0.0", "192.0.2.1",   "255.255.255.255",
					    "::",      "2001:db8::1", "fe80::1:2:3:4" };
	char buf[ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct addr a = addr(good[i]);

		assert_string_equal(addr_format(&a, buf), good[i]);
	}
}

static void bad_addresses_leave_the_output(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"1.2.3.-4",
		"01.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4/32",
		"0x1.2.3.4",
		"1..2.3",
		"1.2.3.4\n",
		":",
		":::",
		"1::2::3",
		"12345::",
		"fe80::1%1",
		"2001:db8:g",
		"[::1]",
		"::1/128",
		"::1 ",
		"1:2:3:4:5:6:7",
		"a.b.c.d",
		"localhost",
		"1:2:3:4:5:6:7:8:9",
		"::256.1.1.1",
		"-1.0.0.0",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct addr a = addr_v4(htonl(0x7f000001)), before = a;

		assert_int_equal(addr_parse(bad[i], &a), -EINVAL);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void prefixes_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "192.0.2.7/24", "192.0.2.7/24" }, /* host bits kept */
		{ "192.0.2.7", "192.0.2.7/32" },
		{ "::/0", "::/0" },
		{ "2001:db8::7", "2001:db8::7/128" },
		{ "2001:db8::7/64", "2001:db8::7/64" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};
	char buf[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct prefix p = prefix(row[i].in);

		assert_string_equal(prefix_format(&p, buf), row[i].out);
	}
}

static void bad_prefixes_leave_the_output(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/24",
		"1.2.3.4/",
		"1.2.3.4/33",
		"1.2.3.4/032",
		"1.2.3.4/08",
		"1.2.3.4/-1",
		"1.2.3.4/+1",
		"1.2.3.4/ 8",
		"1.2.3.4/8 ",
		"1.2.3.4/8/8",
		"1.2.3.4/0x8",
		"1.2.3.4/1e1",
		"1.2.3/8",
		"::/129",
		"::/1000",
		"::/4294967296",
		"::1/",
		"::/00",
		"1.2.3.4/255.255.255.0",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/8",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct prefix p = prefix("10.0.0.0/8"), before = p;

		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
		assert_true(prefix_equal(&p, &before));
	}
}

static void macs(void **state)
{
	static const char *const bad[] = {
		"",
		"00:11:22:33:44",
		"00:11:22:33:44:5",
		"00:11:22:33:44:555",
		"00-11-22-33-44-55",
		"00:11:22:33:44:5g",
		"001122334455",
		"00:11:22:33:44:55:",
		" 0:11:22:33:44:55",
		"00:11:22:33:44:55 ",
		"00:11:22:33:44 55",
		"0:0:0:0:0:0",
	};
	static const uint8_t want[6] = { 0x02, 0xAB, 0xcd, 0xef, 0x00, 0xff };
	uint8_t mac[6];
	char buf[MAC_STRLEN];

	(void)state;
	assert_int_equal(mac_parse("02:AB:cd:Ef:00:ff", mac), 0);
	assert_memory_equal(mac, want, 6);
	assert_string_equal(mac_format(mac, buf), "02:ab:cd:ef:00:ff");
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(mac_parse(bad[i], mac), -EINVAL);
		assert_memory_equal(mac, want, 6);
	}
}

static void masks_clear_host_bits(void **state)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{ "255.255.255.255/0", "0.0.0.0/0" },
		{ "255.255.255.255/1", "128.0.0.0/1" },
		{ "192.0.2.255/25", "192.0.2.128/25" },
		{ "192.0.2.255/24", "192.0.2.0/24" },
		{ "192.0.2.255/31", "192.0.2.254/31" },
		{ "192.0.2.255/32", "192.0.2.255/32" },
		{ "ffff::ffff/0", "::/0" },
		{ "2001:db8:ffff::1/33", "2001:db8:8000::/33" },
		{ "2001:db8::ff/127", "2001:db8::fe/127" },
		{ "2001:db8::ff/128", "2001:db8::ff/128" },
	};
	char buf[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct prefix p = prefix(row[i].in), m = prefix_masked(&p);

		assert_string_equal(prefix_format(&m, buf), row[i].out);
	}
}

static void prefix_holds_its_addresses(void **state)
{
	struct prefix p = prefix("192.0.2.77/26"), q = prefix("2001:db8::/33"),
		      all = prefix("::/0");
	struct addr in4 = addr("192.0.2.127"), out4 = addr("192.0.2.128");
	struct addr in6 = addr("2001:db8:7fff::"), out6 = addr("2001:db8:8000::");

	(void)state;
	assert_true(prefix_contains(&p, &in4));
	assert_false(prefix_contains(&p, &out4));
	assert_false(prefix_contains(&p, &in6));
	assert_true(prefix_contains(&q, &in6));
	assert_false(prefix_contains(&q, &out6));
	assert_true(prefix_contains(&all, &out6));
	assert_false(prefix_contains(&all, &in4));
}

static void order_is_family_then_numeric(void **state)
{
	static const char *const order[] = { "0.0.0.0",	  "1.2.3.4", "2.0.0.1", "128.0.0.0",
					     "255.0.0.0", "::",	     "::1",	"ff02::1" };
	struct addr none = { 0 };
	char buf[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < COUNT(order); i++)
		for (size_t j = 0; j < COUNT(order); j++) {
			struct addr a = addr(order[i]), b = addr(order[j]);
			int cmp = addr_cmp(&a, &b);

			assert_int_equal((cmp > 0) - (cmp < 0), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	assert_string_equal(addr_format(&none, buf), "-");
	assert_string_equal(prefix_format(&(struct prefix){ 0 }, buf), "-");
}

static void a_range_may_be_a_prefix(void **state)
{
	static const struct {
		const char *first, *last;
		int len;
	} row[] = {
		{ "0.0.0.0", "255.255.255.255", 0 },
		{ "10.0.0.0", "10.255.255.255", 8 },
		{ "10.0.0.8", "10.0.0.15", 29 },
		{ "10.0.0.1", "10.0.0.1", 32 },
		{ "10.0.0.1", "10.0.0.2", -1 },
		{ "10.0.0.1", "10.0.0.3", -1 },
		{ "10.0.0.0", "10.0.0.2", -1 },
		{ "2001:db8::", "2001:db8::ffff", 112 },
		{ "::1", "::1", 128 },
		{ "::1", "::ffff", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct prefix first = prefix(row[i].first), last = prefix(row[i].last);

		assert_int_equal(prefix_between(&first.addr, &last.addr), row[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_round_trip),
		cmocka_unit_test(bad_addresses_leave_the_output),
		cmocka_unit_test(prefixes_round_trip),
		cmocka_unit_test(bad_prefixes_leave_the_output),
		cmocka_unit_test(macs),
		cmocka_unit_test(masks_clear_host_bits),
		cmocka_unit_test(prefix_holds_its_addresses),
		cmocka_unit_test(a_range_may_be_a_prefix),
		cmocka_unit_test(order_is_family_then_numeric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
