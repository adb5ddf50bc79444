/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internet checksums against the definition, a byte at a time (RFC 1071), and their update (RFC
 * 1624). Requirement F3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "router/net/csum.h"
#include "tests/random.h"

/* The sum as a number, folded; bytes are the halves of 16-bit words, the first the high one. */
static unsigned plain(const uint8_t *p, size_t len, uint64_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

static void test_fold(void **state)
{
	static const struct {
		uint64_t sum;
		uint16_t folded;
	} rows[] = {
		{ 0, 0 },
		{ 0xffff, 0xffff },
		{ 0x10000, 1 },
		{ 0x1ffff, 1 },
		{ 0xffffffff, 0xffff },
		{ 0x100000000, 1 },
		{ 0xffffffffffffffff, 0xffff },
		{ 0xfffffffffffffffe, 0xfffe },
		{ 0xffff0001ffff0001, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(csum_fold(rows[i].sum), rows[i].folded);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t s = random64() >> random64() % 64;

		assert_int_equal(csum_fold(s) % 0xffff, s % 0xffff);
		assert_int_equal(csum_fold(s) == 0, s == 0);
	}
}

/* Every length, every alignment. */
static void test_add(void **state)
{
	uint8_t data[4200];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random64();
	for (unsigned at = 0; at < 8; at++)
		for (unsigned len = 0; len < 4100; len += len < 70 ? 1 : 13)
			assert_int_equal(ntohs(csum_fold(csum_add(data + at, len, 0))),
					 plain(data + at, len, 0));
	for (unsigned i = 0; i < sizeof(data); i++) /* the most that can be carried */
		data[i] = 0xff;
	assert_int_equal(csum_fold(csum_add(data, 4200, 0)), 0xffff);
	assert_int_equal(ntohs(csum_fold(csum_add(data, 4199, 0))), plain(data, 4199, 0));
	assert_int_equal(csum_fold(csum_add(data, 4, 0xffffffff00000000)), 0xffff);
}

/* Continued at an even place, it is the sum of the whole. */
static void test_add_in_parts(void **state)
{
	uint8_t data[100];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random64();
	for (unsigned cut = 0; cut <= 99; cut += 2) {
		uint64_t sum = csum_add(data + cut, 99 - cut, csum_add(data, cut, 0));

		assert_int_equal(csum_fold(sum), csum_fold(csum_add(data, 99, 0)));
	}
}

static void test_header(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t h[20];

		for (unsigned k = 0; k < 20; k++)
			h[k] = (uint8_t)random64();
		assert_int_equal(ntohs(csum_ip4_20(h)), plain(h, 20, 0));
	}
}

static void test_pseudo(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		uint8_t a[32], proto = (uint8_t)random64();
		uint32_t src, dst, len = (uint32_t)random64() & 0xffff;

		for (unsigned k = 0; k < 32; k++)
			a[k] = (uint8_t)random64();
		memcpy(&src, a, 4);
		memcpy(&dst, a + 4, 4);
		assert_int_equal(ntohs(csum_fold(csum_pseudo4(src, dst, proto, (uint16_t)len))),
				 plain(a, 8, (uint64_t)proto + len));
		assert_int_equal(ntohs(csum_fold(csum_pseudo6(a, a + 16, proto, len))),
				 plain(a, 32, (uint64_t)proto + len));
	}
}

/* Equation 3, for every old checksum: updated, the sum over the whole is right again. (With
 * equation 2 of RFC 1141 it would come out as 0000 for ffff.) */
static void test_update(void **state)
{
	(void)state;
	for (unsigned other = 0; other < 65536; other++) {
		static const uint16_t words[][2] = { { 0x4011, 0x3f11 }, { 0x0001, 0x0000 },
						     { 0x0000, 0xffff }, { 0xffff, 0x0000 },
						     { 0x5555, 0x3285 }, { 0x1234, 0x1234 } };

		for (unsigned i = 0; i < 6; i++) {
			uint16_t from = htons(words[i][0]), to = htons(words[i][1]);
			uint32_t sum = other + words[i][0];
			uint16_t csum = htons((uint16_t) ~((sum & 0xffff) + (sum >> 16)));

			csum = csum_update16(csum, from, to);
			sum = other + words[i][1] + ntohs(csum);
			sum = (sum & 0xffff) + (sum >> 16);
			assert_int_equal((sum & 0xffff) + (sum >> 16),
					 other || words[i][1] || csum ? 0xffff : 0);
		}
	}
	/* RFC 1624 section 4 */
	assert_int_equal(ntohs(csum_update16(htons(0xdd2f), htons(0x5555), htons(0x3285))), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),	     cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_in_parts), cmocka_unit_test(test_header),
		cmocka_unit_test(test_pseudo),	     cmocka_unit_test(test_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
