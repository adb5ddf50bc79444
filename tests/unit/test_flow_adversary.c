/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows chosen by an enemy: 64 k tuples that all have one CRC-32, and 64 k that count up, are found
 * as fast as random ones, and lie as evenly. Another boot has another order. Requirement C16.
 */
#include "tests/unit/flow_util.h"

#define FLOWS 65536u

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	return crc;
}

static uint32_t crc_of(const uint8_t *at, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++)
		crc = crc_byte(crc, at[i]);
	return crc;
}

/* Addresses and ports, as an unkeyed hash would take them. */
static void message(const struct flow_key *k, uint8_t m[12])
{
	memcpy(m, k->src, 4);
	memcpy(m + 4, k->dst, 4);
	memcpy(m + 8, &k->sport, 4);
}

static struct flow_key random_key(uint32_t n)
{
	struct flow_key k = key_of(n, AF_INET, UDP);
	uint64_t r = random64();

	memcpy(k.src, &r, 4);
	memcpy(k.dst, (uint8_t *)&r + 4, 4);
	r = random64();
	memcpy(&k.sport, &r, 4);
	return k;
}

/* CRC is linear: four bytes equal to the state before them, but for a constant, lead every message
 * to one and the same value. */
static struct flow_key colliding_key(uint32_t n)
{
	static uint32_t first_crc;
	struct flow_key k = random_key(n);
	uint8_t m[12];
	uint32_t fix;

	message(&k, m);
	fix = crc_of(m, 8) ^ 0x12345678;
	memcpy(&k.sport, &fix, 4);
	message(&k, m);
	if (!n)
		first_crc = crc_of(m, 12);
	assert_int_equal(crc_of(m, 12), first_crc);
	return k;
}

static struct flow_key counting_key(uint32_t n)
{
	return key_of(n, AF_INET, UDP);
}

struct cost {
	double lookup;	  /* ns */
	unsigned spilled; /* buckets whose flows did not fit */
};

static double measure(const struct flow_table *t, const struct flow_key *k)
{
	uint32_t index[FLOW_BURST];
	uint64_t least = UINT64_MAX;
	uint8_t dir[FLOW_BURST];

	for (unsigned round = 0; round < 20; round++) {
		uint64_t start = clock_now();

		for (uint32_t i = 0; i < FLOWS; i += FLOW_BURST) {
			flow_lookup_burst(t, k + i, 0, index, dir, FLOW_BURST);
			assert_int_not_equal(index[i / FLOW_BURST % FLOW_BURST], FLOW_NONE);
		}
		start = clock_now() - start;
		least = start < least ? start : least;
	}
	return (double)least / FLOWS;
}

static struct cost cost_of(struct flow_key (*make)(uint32_t n))
{
	struct flow_key *k = malloc(FLOWS * sizeof(*k));
	struct flow_table *t = table_of(FLOWS, 1);
	struct cost c = { 0, 0 };

	assert_non_null(k);
	for (uint32_t i = 0; i < FLOWS; i++) {
		k[i] = make(i);
		must_add(t, &k[i], 0, 1000);
	}
	c.lookup = measure(t, k);
	for (uint64_t b = 0; b <= t->mask; b++)
		c.spilled += t->bucket[b].head >> 56 != 0;
	table_close(t);
	free(k);
	return c;
}

static void test_collisions(void **state)
{
	struct cost random = cost_of(random_key), crc = cost_of(colliding_key);
	struct cost counting = cost_of(counting_key);

	(void)state;
	print_message("ns a lookup: random %.1f, one CRC %.1f, counting %.1f\n", random.lookup,
		      crc.lookup, counting.lookup);
	assert_true(crc.lookup < 2 * random.lookup);
	assert_true(counting.lookup < 2 * random.lookup);
	/* one bucket in twenty, of 32768: a standard deviation of 40 */
	assert_in_range(random.spilled, 1200, 2200);
	assert_in_range(crc.spilled, random.spilled - 300, random.spilled + 300);
	assert_in_range(counting.spilled, random.spilled - 300, random.spilled + 300);
}

static void test_two_boots(void **state)
{
	struct flow_table_config c = { .max = FLOWS, .workers = 1 };
	struct flow_table *t[2];
	unsigned same = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		c.key[9] = (uint8_t)i;
		assert_int_equal(flow_table_create(&c, &t[i]), 0);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		same += (flow_hash(t[0], &k) & t[0]->mask) == (flow_hash(t[1], &k) & t[1]->mask);
	}
	assert_true(same < 5);
	flow_table_destroy(t[0]);
	flow_table_destroy(t[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_two_boots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
