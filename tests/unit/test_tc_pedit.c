// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing to frames: where, which bits, and that checksums are right behind it. S17. */
#include <errno.h>

#include "router/net/qdisc/tc_pedit.h"
#include "tests/unit/tc_util.h"

static struct frame frame;

static bool edit(struct conf_pedit k, bool csum)
{
	struct tc_view v;

	tc_look(&v, frame.bytes, frame.len, frame.l3, 0);
	return tc_pedit(&v, frame.bytes, &k, csum);
}

static void test_places(void **state)
{
	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	assert_true(edit((struct conf_pedit){ .at = 8, .width = 1, .value = 7 }, true));
	assert_int_equal(frame.bytes[22], 7);
	assert_true(edit((struct conf_pedit){ .at = 2, .nexthdr = true, .width = 2, .value = 5353 },
			 true));
	assert_memory_equal(frame.bytes + 36, "\x14\xe9", 2);
	assert_true(edit(
		(struct conf_pedit){ .at = 0, .ethernet = true, .width = 4, .value = 0x0a0b0c0d },
		true));
	assert_memory_equal(frame.bytes, "\x0a\x0b\x0c\x0d\0\x01", 6);
	assert_true(edit((struct conf_pedit){ .at = -8, .width = 2, .value = 0xbeef }, true));
	assert_memory_equal(frame.bytes + 6, "\xbe\xef", 2);
	assert_true(sums_hold(&frame));
}

/* Bits of the mask are kept. */
static void test_keep(void **state)
{
	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	edit((struct conf_pedit){ .at = 12, .width = 4, .value = 0xc0a80000, .mask = 0xffff },
	     true);
	assert_memory_equal(frame.bytes + 26, "\xc0\xa8\0\x01", 4);
	assert_true(sums_hold(&frame));
}

/* Every field that is not itself a checksum or says how long something is, in each width, at even
 * and odd places: the sums hold. */
static void test_checksums(void **state)
{
	static const uint8_t proto[] = { IPPROTO_UDP, IPPROTO_TCP };
	unsigned edited = 0;

	(void)state;
	srand(3);
	for (unsigned turn = 0; turn < 8; turn++) {
		bool v6 = turn & 1, tcp = turn & 2;
		struct frame was = packet(v6, proto[tcp], 53, turn & 4 ? 31 : 30);
		int32_t l4 = was.l4 - was.l3, sum = l4 + (tcp ? 16 : 6);

		for (int32_t at = v6 ? 8 : 12; at < (int32_t)(was.len - was.l3); at++)
			for (uint8_t width = 1; width <= 4; width = (uint8_t)(2 * width)) {
				if ((at < sum + 2 && at + width > sum) ||
				    (!tcp && at < l4 + 6 && at + width > l4 + 4))
					continue;
				frame = was;
				if (!edit((struct conf_pedit){ .at = at,
							       .width = width,
							       .value = (uint32_t)rand() },
					  true))
					continue;
				assert_true(sums_hold(&frame));
				edited++;
			}
	}
	assert_true(edited > 1000);
}

static void test_without(void **state)
{
	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	edit((struct conf_pedit){ .at = 8, .width = 1, .value = 7 }, false);
	assert_int_equal(frame.bytes[22], 7);
	assert_false(sums_hold(&frame));
}

/* A packet that was damaged stays damaged, one that has no checksum has none, and UDP's never
 * becomes 0. */
static void test_udp(void **state)
{
	uint16_t sum;

	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	frame.bytes[50] ^= 1;
	edit((struct conf_pedit){ .at = 16, .width = 4, .value = 0x01020304 }, true);
	assert_false(sums_hold(&frame));
	frame.bytes[50] ^= 1;
	assert_true(sums_hold(&frame));

	memset(frame.bytes + 40, 0, 2);
	edit((struct conf_pedit){ .at = 16, .width = 4, .value = 0x01020304 + 1 }, true);
	assert_memory_equal(frame.bytes + 40, "\0\0", 2);

	frame = packet(true, IPPROTO_UDP, 53, 20);
	for (unsigned i = 0; i <= 0xffff; i++) {
		edit((struct conf_pedit){ .at = 8, .nexthdr = true, .width = 2, .value = i }, true);
		memcpy(&sum, frame.bytes + frame.l4 + 6, 2);
		assert_int_not_equal(sum, 0);
	}
	assert_true(sums_hold(&frame));
}

/* ICMP has no pseudo header; ICMPv6 has. */
static void test_icmp(void **state)
{
	uint16_t sum;

	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	frame.bytes[23] = IPPROTO_ICMP;
	memset(frame.bytes + 36, 0, 2);
	sum = (uint16_t)~csum_fold(csum_add(frame.bytes + 34, frame.len - 34, 0));
	memcpy(frame.bytes + 36, &sum, 2);
	edit((struct conf_pedit){ .at = 16, .width = 4, .value = 0x01020304 }, true);
	edit((struct conf_pedit){ .at = 9, .nexthdr = true, .width = 1, .value = 0xee }, true);
	assert_int_equal(csum_fold(csum_add(frame.bytes + 34, frame.len - 34, 0)), 0xffff);

	frame = packet(true, IPPROTO_UDP, 53, 20);
	frame.bytes[20] = IPPROTO_ICMPV6;
	memset(frame.bytes + 56, 0, 2);
	sum = (uint16_t)~csum_fold(
		csum_add(frame.bytes + 54, frame.len - 54,
			 csum_pseudo6(frame.bytes + 22, frame.bytes + 38, IPPROTO_ICMPV6, 28)));
	memcpy(frame.bytes + 56, &sum, 2);
	edit((struct conf_pedit){ .at = 24, .width = 4, .value = 0xfd000000 }, true);
	assert_true(sums_hold(&frame));
}

/* The transport header of a first fragment is mended; in a later one there is none. */
static void test_fragments(void **state)
{
	struct frame was;

	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 20);
	edit((struct conf_pedit){ .at = 6, .width = 2, .value = 0x2000 }, true);
	edit((struct conf_pedit){ .at = 16, .width = 4, .value = 0x01020304 }, true);
	assert_true(sums_hold(&frame));
	edit((struct conf_pedit){ .at = 6, .width = 2, .value = 0x0008 }, true);
	was = frame;
	assert_false(edit((struct conf_pedit){ .at = 0, .nexthdr = true, .width = 2 }, true));
	assert_memory_equal(was.bytes, frame.bytes, was.len);
	edit((struct conf_pedit){ .at = 16, .width = 4, .value = 0x05060708 }, true);
	assert_memory_equal(was.bytes + 34, frame.bytes + 34, was.len - 34);
}

static void test_outside(void **state)
{
	struct frame was;

	(void)state;
	frame = was = packet(false, IPPROTO_UDP, 53, 20);
	assert_false(edit((struct conf_pedit){ .at = -15, .width = 1, .value = 255 }, true));
	assert_false(edit((struct conf_pedit){ .at = 48, .width = 1, .value = 255 }, true));
	assert_false(edit((struct conf_pedit){ .at = 45, .width = 4, .value = 255 }, true));
	assert_false(edit((struct conf_pedit){ .at = INT32_MAX, .width = 4 }, true));
	assert_false(edit((struct conf_pedit){ .at = INT32_MIN, .width = 4 }, true));
	assert_memory_equal(was.bytes, frame.bytes, sizeof(frame.bytes));
	assert_true(edit((struct conf_pedit){ .at = 47, .width = 1, .value = 255 }, true));
}

static void test_dscp(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned dscp = 0; dscp < 64; dscp++) {
			struct tc_view v;

			frame = packet(v6, IPPROTO_TCP, 80, 11);
			edit((struct conf_pedit){ .at = v6 ? 0 : 1,
						  .width = v6 ? 2 : 1,
						  .value = v6 ? 0x6a7b : 0xa7 },
			     true);
			tc_look(&v, frame.bytes, frame.len, frame.l3, 0);
			assert_int_equal(tc_tos(&v), 0xa7);
			assert_int_equal(tc_ttl(&v), 64);
			assert_true(tc_set_dscp(&v, frame.bytes, (uint8_t)dscp));
			assert_int_equal(tc_tos(&v), dscp << 2 | 3); /* ECN stays */
			assert_true(sums_hold(&frame));
			if (v6)
				assert_int_equal(frame.bytes[15] & 15, 0xb);
			v.l3 = 0;
			assert_false(tc_set_dscp(&v, frame.bytes, 1));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_keep),
		cmocka_unit_test(test_checksums), cmocka_unit_test(test_without),
		cmocka_unit_test(test_udp),	  cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_outside),
		cmocka_unit_test(test_dscp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
