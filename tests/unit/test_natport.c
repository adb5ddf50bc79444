/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports: who gets which (requirements U3, U4, V1, V3, K13, K15, X1, T16), that all of a
 * range is found, what is blocked or reserved, and slots.
 */
#include "tests/unit/natport_util.h"

#define PORTS 64512u /* 1024-65535 */

static uint16_t claim(struct natports *n, uint16_t slot, enum natport_plane plane,
		      const struct natport_want *w)
{
	return natport_claim(n, slot, plane, w, random64());
}

static void release_all(struct natports *n, uint16_t slot, enum natport_plane plane)
{
	for (uint32_t port = 1; port <= UINT16_MAX; port++)
		if (natport_is_taken(n, slot, plane, (uint16_t)port))
			natport_done(n, slot, plane, (uint16_t)port);
}

static void keeps_the_port_x1(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	const uint16_t kept[] = { 1, 80, 511, 512, 550, 1023, 1024, 40000, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		struct natport_want w = want(kept[i]);

		assert_int_equal(claim(n, slot, NATPORT_TCP, &w), kept[i]);
		assert_true(natport_is_taken(n, slot, NATPORT_TCP, kept[i]));
		assert_int_not_equal(claim(n, slot, NATPORT_TCP, &w), kept[i]);
	}
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

/* U3a, X1: below 512: 1-511; up to 1023: 600-1023; else from 1024 on. */
static void classes_x1(void **state)
{
	static const struct {
		uint16_t port, first, last;
	} row[] = { { 7, 1, 511 },
		    { 511, 1, 511 },
		    { 512, 600, 1023 },
		    { 1023, 600, 1023 },
		    { 1024, 1024, 65535 } };
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct natport_want w = want(row[i].port);
		uint32_t size = row[i].last - row[i].first + 1u;

		w.keep = false;
		for (uint32_t j = 0; j < size; j++) {
			uint16_t port = claim(n, slot, NATPORT_UDP, &w);

			assert_in_range(port, row[i].first, row[i].last);
		}
		assert_int_equal(claim(n, slot, NATPORT_UDP, &w), 0);
		release_all(n, slot, NATPORT_UDP);
	}
	ports_close(n);
}

static void range_of_the_rule(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(500);

	(void)state;
	/* a range with none of the class is used whole */
	w.first = 10000;
	w.last = 10009;
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(claim(n, slot, NATPORT_TCP, &w), 10000, 10009);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	/* one that overlaps, where it overlaps */
	w.first = 1000;
	w.last = 2000;
	w.port = 900;
	for (unsigned i = 0; i < 24; i++)
		assert_in_range(claim(n, slot, NATPORT_TCP, &w), 1000, 1023);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	/* outside the range: not kept */
	w.port = 5000;
	assert_in_range(claim(n, slot, NATPORT_TCP, &w), 1024, 2000);
	assert_false(natport_is_taken(n, slot, NATPORT_TCP, 5000));
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

/* U4: 100 even and 100 odd, each taken already. */
static void parity_u4(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct natport_want w = want((uint16_t)(20000 + i));

		w.keep = false;
		assert_int_equal(claim(n, slot, NATPORT_UDP, &w) % 2, i % 2);
	}
	release_all(n, slot, NATPORT_UDP);
	/* and the other parity when there is no more of it */
	for (unsigned i = 0; i < 100; i++) {
		struct natport_want w = want(20000);

		w.first = 20001;
		w.last = 20100;
		w.keep = false;
		assert_int_equal(claim(n, slot, NATPORT_UDP, &w) % 2, i >= 50);
	}
	release_all(n, slot, NATPORT_UDP);
	ports_close(n);
}

static void in_sequence(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = { .port = 30000, .keep = true };

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 30000 + i);
	w.port = 65535;
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 65535);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 1024);
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

/* K13, U3: every port of the range once, then none; and a freed one is found again. */
static void every_port_once_k13(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_info info;
	uint32_t cursor = 0;

	(void)state;
	for (uint32_t i = 0; i < PORTS; i++) {
		struct natport_want w = want((uint16_t)(1024 + i % 100));

		assert_in_range(claim(n, slot, NATPORT_TCP, &w), 1024, 65535);
	}
	assert_int_equal(taken(n, slot, NATPORT_TCP), PORTS);
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t freed = (uint16_t)(1024 + random64() % PORTS);
		struct natport_want w = want(5000);

		assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
		natport_release(n, slot, NATPORT_TCP, freed);
		assert_int_equal(claim(n, slot, NATPORT_TCP, &w), freed);
	}
	assert_true(natports_walk(n, &cursor, &info));
	assert_int_equal(info.exhausted, 1000);
	/* other planes and addresses are not concerned: V1 */
	assert_true(natport_claim_one(n, slot, NATPORT_UDP, 5000));
	natport_done(n, slot, NATPORT_UDP, 5000);
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

/* A range that was exhausted does not hide another one, nor a block that was lifted. */
static void exhausted_by_range(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(5000), other = want(5000);
	uint64_t blocked[NATPORT_WORDS] = { 0 };

	(void)state;
	w.first = w.last = 6400;
	other.first = other.last = 6401;
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 6400);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &other), 6401);
	natport_release(n, slot, NATPORT_TCP, 6400);
	blocked[100] = 1;
	natports_block(n, slot, NATPORT_TCP, blocked);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	natports_block(n, slot, NATPORT_TCP, NULL);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 6400);
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

/* K13 with ports of others in between: 16 addresses, each half full at random. */
static void half_full(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot[16];
	uint32_t got = 0;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct addr a = addr_v4(htonl(0xcb007100 + i));

		slot[i] = natports_hold(n, &a);
		for (uint32_t port = 1024; port <= 65535; port++)
			if (random64() & 1)
				got += natport_claim_one(n, slot[i], NATPORT_UDP, (uint16_t)port);
	}
	for (; got < 16 * PORTS; got++) {
		struct natport_want w = want((uint16_t)(1024 + got % PORTS));
		unsigned i = got % 16;

		while (!claim(n, slot[i], NATPORT_UDP, &w))
			i = (i + 1) % 16;
	}
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(taken(n, slot[i], NATPORT_UDP), PORTS);
		release_all(n, slot[i], NATPORT_UDP);
	}
	ports_close(n);
}

static double chi_square(const unsigned *bin, unsigned bins, unsigned samples)
{
	double expected = (double)samples / bins, sum = 0;

	for (unsigned i = 0; i < bins; i++)
		sum += (bin[i] - expected) * (bin[i] - expected) / expected;
	return sum;
}

/* V3, K15: 1000 allocations, flat over the range: below the 99.9 % quantile of chi-square with 63
 * degrees of freedom, 103.4; also while half of the ports are taken in one block; and no two in a
 * row follow each other. */
static void unpredictable_v3(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1"), before = 0;
	struct natport_want w = want(1024);
	unsigned bin[64] = { 0 }, upper[64] = { 0 }, steps = 0;

	(void)state;
	w.keep = false;
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t port;

		w.port = (uint16_t)(1024 + i);
		port = claim(n, slot, NATPORT_TCP, &w);
		bin[(port - 1024u) * 64 / PORTS]++;
		steps += abs(port - before) <= 2;
		before = port;
	}
	assert_true(chi_square(bin, 64, 1000) < 103.4);
	assert_in_range(steps, 0, 5);
	release_all(n, slot, NATPORT_TCP);

	for (uint32_t port = 1024; port < 1024 + PORTS / 2; port++)
		natport_claim_one(n, slot, NATPORT_TCP, (uint16_t)port);
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t port;

		w.port = (uint16_t)(1024 + i);
		port = claim(n, slot, NATPORT_TCP, &w);
		upper[(port - 1024u - PORTS / 2) * 128 / PORTS]++;
	}
	/* one in 16 misses every throw, and takes the next free one: the first of the half */
	assert_in_range(upper[0], 0, 16 + 1000 / 16 * 2);
	upper[0] = 0;
	assert_true(chi_square(upper + 1, 63, 1000 - 62) < 140);
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

static void blocked_ports(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(2000);
	uint64_t blocked[NATPORT_WORDS];

	(void)state;
	memset(blocked, 0xff, sizeof(blocked));
	blocked[100] = 0; /* 6400-6463 */
	assert_true(natport_claim_one(n, slot, NATPORT_TCP, 2000));
	natports_block(n, slot, NATPORT_TCP, blocked);
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 2000));
	natport_release(n, slot, NATPORT_TCP, 2000);
	assert_false(natport_claim_one(n, slot, NATPORT_TCP, 2000));
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(claim(n, slot, NATPORT_TCP, &w), 6400, 6463);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	assert_int_equal(claim(n, slot, NATPORT_UDP, &w), 2000);
	natport_release(n, slot, NATPORT_UDP, 2000);
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

static void reserved_ports(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(80);
	struct natport_info info;
	uint32_t cursor = 0;

	(void)state;
	assert_true(natport_claim_one(n, slot, NATPORT_TCP, 85));
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 80, 89, true), 0);
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 84, 99, true), 0);
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 80));
	assert_int_not_equal(claim(n, slot, NATPORT_TCP, &w), 80);
	assert_true(natports_walk(n, &cursor, &info));
	assert_int_equal(info.reserved[NATPORT_TCP], 20);
	assert_int_equal(info.taken[NATPORT_TCP], 2);

	/* counted: those of the other rule stay */
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 80, 89, false), 0);
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 80, 89, false), -ENOENT);
	assert_false(natport_is_taken(n, slot, NATPORT_TCP, 80));
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 84));
	/* what a flow had, it keeps after the rule has gone; the rule, after the flow has */
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 80, 89, true), 0);
	natport_done(n, slot, NATPORT_TCP, 85);
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 85));
	assert_true(natport_claim_one(n, slot, NATPORT_UDP, 100));
	assert_int_equal(natports_reserve(n, slot, NATPORT_UDP, 100, 100, true), 0);
	assert_int_equal(natports_reserve(n, slot, NATPORT_UDP, 100, 100, false), 0);
	assert_true(natport_is_taken(n, slot, NATPORT_UDP, 100));
	natport_done(n, slot, NATPORT_UDP, 100);

	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 80, 89, false), 0);
	assert_int_equal(natports_reserve(n, slot, NATPORT_TCP, 84, 99, false), 0);
	assert_false(natport_is_taken(n, slot, NATPORT_TCP, 85));
	release_all(n, slot, NATPORT_TCP);
	ports_close(n);
}

static void slots(void **state)
{
	struct natports *n = ports_of(1000);
	struct addr a = address("203.0.113.1"), b = address("2001:db8::1"), c;
	uint16_t one = natports_hold(n, &a), two = natports_hold(n, &b), slot;

	(void)state;
	assert_int_not_equal(one, two);
	assert_int_equal(natports_find(n, &a), one);
	assert_int_equal(natports_find(n, &b), two);
	assert_int_equal(natports_hold(n, &a), one);
	natports_let_go(n, one);
	assert_int_equal(natports_find(n, &a), one);
	/* let go with a port taken: its address stays known until that has gone */
	assert_true(natport_claim_one(n, one, NATPORT_TCP, 1234));
	natports_let_go(n, one);
	natports_trim(n);
	assert_int_equal(natports_find(n, &a), one);
	natport_done(n, one, NATPORT_TCP, 1234);
	natports_trim(n);
	assert_int_equal(natports_find(n, &a), NATPORT_NO_SLOT);
	assert_int_equal(natports_find(n, &b), two);
	natports_let_go(n, two);

	for (unsigned i = 0; i < NATPORT_SLOTS; i++) {
		c = addr_v4(htonl(0xcb007100 + i));
		assert_in_range(natports_hold(n, &c), 0, NATPORT_SLOTS - 1);
	}
	assert_int_equal(natports_hold(n, &a), natports_find(n, &a));
	c = address("203.0.114.0");
	assert_int_equal(natports_hold(n, &c), NATPORT_NO_SLOT);
	for (slot = 0; slot < NATPORT_SLOTS; slot++)
		natports_let_go(n, slot);
	natports_let_go(n, natports_find(n, &a));
	ports_close(n);
}

/* A slot that is given to another address says nothing of the one before. */
static void slot_of_another(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(2000);
	uint64_t blocked[NATPORT_WORDS];

	(void)state;
	memset(blocked, 0xff, sizeof(blocked));
	natports_block(n, slot, NATPORT_TCP, blocked);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 0);
	natports_let_go(n, slot);
	assert_int_equal(hold(n, "203.0.113.2"), slot);
	assert_int_equal(claim(n, slot, NATPORT_TCP, &w), 2000);
	natport_done(n, slot, NATPORT_TCP, 2000);
	ports_close(n);
}

/* A bitmap that is lent has no other bits than those of taken ports. */
static void lent_bitmap(void **state)
{
	uint64_t *bitmap = calloc(NATPORT_ALL_WORDS, sizeof(*bitmap));
	struct natports *n;
	uint16_t slot;

	(void)state;
	assert_int_equal(natports_create(bitmap, 1000, natport_key, &n), 0);
	hold(n, "203.0.113.1");
	slot = hold(n, "203.0.113.2");
	assert_true(natport_claim_one(n, slot, NATPORT_UDP, 4567));
	for (size_t i = 0; i < NATPORT_ALL_WORDS; i++)
		assert_true(bitmap[i] ==
			    (i == (slot * 3u + 1) * 1024 + 4567 / 64 ? 1ull << 4567 % 64 : 0));
	natport_done(n, slot, NATPORT_UDP, 4567);
	ports_close(n);
	free(bitmap);
}

/* What is foreseen is what a claim then gets, down to the last port, and takes none. */
static void foreseen(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1"), port;
	struct natport_want w = want(20);

	(void)state;
	w.first = 10;
	w.last = 29;
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned again = 0; again < 3; again++) {
			assert_int_equal(natport_foresee(n, slot, NATPORT_UDP, &w, &port), 0);
			assert_int_equal(port, i ? 0 : 20);
		}
		assert_int_equal(taken(n, slot, NATPORT_UDP), i);
		assert_true(i ? claim(n, slot, NATPORT_UDP, &w) != 0
			      : claim(n, slot, NATPORT_UDP, &w) == 20);
	}
	assert_int_equal(natport_foresee(n, slot, NATPORT_UDP, &w, &port), -ENOSPC);
	assert_int_equal(claim(n, slot, NATPORT_UDP, &w), 0);
	release_all(n, slot, NATPORT_UDP);
	ports_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_port_x1),  cmocka_unit_test(classes_x1),
		cmocka_unit_test(range_of_the_rule),  cmocka_unit_test(parity_u4),
		cmocka_unit_test(in_sequence),	      cmocka_unit_test(every_port_once_k13),
		cmocka_unit_test(exhausted_by_range), cmocka_unit_test(half_full),
		cmocka_unit_test(unpredictable_v3),   cmocka_unit_test(blocked_ports),
		cmocka_unit_test(reserved_ports),     cmocka_unit_test(slots),
		cmocka_unit_test(slot_of_another),    cmocka_unit_test(lent_bitmap),
		cmocka_unit_test(foreseen),
	};

	return cmocka_run_group_tests_name("natport", tests, NULL, NULL);
}
