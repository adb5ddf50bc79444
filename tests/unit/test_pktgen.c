/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic that pktgen's BPF programs and its report share: histogram buckets, checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/tools/pktgen/wire.h"

static void buckets_hold_what_they_say(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 1u << 20; ns++) {
		uint32_t i = hist_bucket(ns);

		assert_true(i < HIST_BUCKETS);
		assert_true(ns <= hist_upper(i));
		assert_true(i == 0 || ns > hist_upper(i - 1));
	}
}

static void buckets_cover_all_values(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket((1ull << (HIST_MAX_BIT + 1)) - 1), HIST_BUCKETS - 1);
	assert_int_equal(hist_upper(HIST_BUCKETS - 1), (1ull << (HIST_MAX_BIT + 1)) - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
	for (uint32_t i = 1; i < HIST_BUCKETS; i++) {
		assert_int_equal(hist_bucket(hist_upper(i)), i);
		assert_int_equal(hist_bucket(hist_upper(i - 1) + 1), i);
	}
}

static void a_bucket_is_a_32nd_wide(void **state)
{
	(void)state;
	for (uint32_t i = HIST_SUB; i < HIST_BUCKETS; i++)
		assert_true((hist_upper(i) - hist_upper(i - 1)) * HIST_SUB <= hist_upper(i));
}

/* The example of RFC 1071, section 3: 0001 f203 f4f5 f6f7 sums to ddf2. */
static void checksum_folds_all_carries(void **state)
{
	(void)state;
	assert_int_equal(csum_fold(0x0001f203ull + 0xf4f5f6f7ull), (uint16_t)~0xddf2);
	assert_int_equal(csum_fold(0), 0xffff);
	assert_int_equal(csum_fold(UINT64_MAX), 0);
	assert_int_equal(csum_fold(0xffffffff00000001ull), (uint16_t)~0x0001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_hold_what_they_say),
		cmocka_unit_test(buckets_cover_all_values),
		cmocka_unit_test(a_bucket_is_a_32nd_wide),
		cmocka_unit_test(checksum_folds_all_carries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
