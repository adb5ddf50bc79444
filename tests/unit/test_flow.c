/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table, by one thread: tuples, clashes, limits, the walk, and a long random run against a
 * model. Requirements C14, C16, C18, C21, C22, C24.
 */
#include <errno.h>

#include "tests/unit/flow_util.h"

static void test_config(void **state)
{
	struct flow_table_config c = { .max = 100, .workers = 1 };
	struct flow_table *t = (void *)state;

	c.max = 0;
	assert_int_equal(flow_table_create(&c, &t), -EINVAL);
	c.max = FLOW_MAX + 1;
	assert_int_equal(flow_table_create(&c, &t), -EINVAL);
	c.max = 1;
	c.workers = 0;
	assert_int_equal(flow_table_create(&c, &t), -EINVAL);
	c.workers = FLOW_WORKERS_MAX + 1;
	assert_int_equal(flow_table_create(&c, &t), -EINVAL);
	c.workers = FLOW_WORKERS_MAX;
	c.per_source_max = 1u << 24;
	assert_int_equal(flow_table_create(&c, &t), -EINVAL);
	assert_ptr_equal(t, state);
	c.per_source_max = 0;
	assert_int_equal(flow_table_create(&c, &t), 0);
	assert_true(resident(t) <= 16 * REGION_PAGE); /* an empty table costs next to nothing */
	flow_table_destroy(t);
	flow_table_destroy(NULL);
}

/* SipHash-1-3 of a message of any length, as its authors wrote it down: what the table computes of
 * words of keys must be this. */
static uint64_t sip13(const uint8_t key[16], const uint8_t *m, size_t len)
{
	uint64_t k[2], v[4], w;

	memcpy(k, key, 16);
	v[0] = k[0] ^ 0x736f6d6570736575;
	v[1] = k[1] ^ 0x646f72616e646f6d;
	v[2] = k[0] ^ 0x6c7967656e657261;
	v[3] = k[1] ^ 0x7465646279746573;
	for (size_t at = 0, more = 3; more; at += 8) {
		size_t n = at + 8 <= len ? 8 : at <= len ? len - at : 0;

		w = 0;
		if (at > len) {
			v[2] ^= more == 3 ? 0xff : 0;
			more--;
		} else {
			memcpy(&w, m + at, n);
			w |= n < 8 ? (uint64_t)len << 56 : 0;
		}
		v[3] ^= w;
		v[0] += v[1], v[1] = v[1] << 13 | v[1] >> 51, v[1] ^= v[0];
		v[0] = v[0] << 32 | v[0] >> 32;
		v[2] += v[3], v[3] = v[3] << 16 | v[3] >> 48, v[3] ^= v[2];
		v[0] += v[3], v[3] = v[3] << 21 | v[3] >> 43, v[3] ^= v[0];
		v[2] += v[1], v[1] = v[1] << 17 | v[1] >> 47, v[1] ^= v[2];
		v[2] = v[2] << 32 | v[2] >> 32;
		v[0] ^= w;
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void test_hash(void **state)
{
	struct flow_table *t = table_of(100, 1);
	struct flow_key k[FLOW_BURST];
	uint64_t out[FLOW_BURST];

	(void)state;
	for (unsigned n = 1; n <= FLOW_BURST; n++) {
		for (unsigned i = 0; i < n; i++)
			k[i] = key_of((uint32_t)random64(), random64() & 1 ? AF_INET : AF_INET6,
				      UDP);
		flow_hash_burst(t, k, out, n);
		for (unsigned i = 0; i < n; i++) {
			uint8_t m[40];

			memcpy(m, &k[i], 40);
			if (k[i].family == AF_INET) {
				memcpy(m + 4, k[i].dst, 4);
				memcpy(m + 8, &k[i].sport, 8);
			}
			assert_true(out[i] == flow_hash(t, &k[i]));
			assert_true(out[i] == sip13((const uint8_t *)"0123456789abcde", m,
						    k[i].family == AF_INET ? 15 : 39));
		}
	}
	table_close(t);
}

static void test_both_ways(void **state)
{
	const int family[] = { AF_INET, AF_INET6 };
	struct flow_table *t = table_of(100, 1);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct flow_key k = key_of(7, family[i], UDP), nat = reverse_of(&k), got;
		enum flow_refusal why;
		enum flow_dir dir;
		uint32_t index;

		nat.dport = htons(40000);
		nat.dst[3] = 99;
		index = flow_new(t, 0, &k, &nat, 5, &why);
		assert_int_not_equal(index, FLOW_NONE);
		touch(t, index, FLOW_ORIG, 5, 100);
		assert_int_equal(lookup(t, &k, 5), FLOW_NONE); /* private */
		assert_int_equal(flow_commit(t, index, 5, &why), index);
		assert_int_equal(flow_lookup(t, &k, 5, &dir), index);
		assert_int_equal(dir, FLOW_ORIG);
		assert_int_equal(flow_lookup(t, &nat, 5, &dir), index);
		assert_int_equal(dir, FLOW_REPLY);
		got = reverse_of(&k);
		assert_int_equal(lookup(t, &got, 5), FLOW_NONE);
		flow_key(t, index, FLOW_ORIG, &got);
		assert_memory_equal(&got, &k, sizeof(k));
		flow_key(t, index, FLOW_REPLY, &got);
		assert_memory_equal(&got, &nat, sizeof(nat));
		/* what differs in any field is another flow (C18: zones too) */
		for (size_t b = 0; b < offsetof(struct flow_key, family); b++) {
			if (family[i] == AF_INET && b < 32 && b % 16 >= 4)
				continue;
			got = k;
			((uint8_t *)&got)[b] ^= 1;
			assert_int_equal(lookup(t, &got, 5), FLOW_NONE);
		}
	}
	table_close(t);
}

static void test_zones(void **state)
{
	struct flow_table *t = table_of(1000, 1);
	uint32_t index[100];

	(void)state;
	for (uint16_t z = 0; z < 100; z++) {
		struct flow_key k = key_of(1, AF_INET, TCP);

		k.zone = z;
		index[z] = must_add(t, &k, 0, 10);
	}
	for (uint16_t z = 0; z < 100; z++) {
		struct flow_key k = key_of(1, AF_INET, TCP);

		k.zone = z;
		assert_int_equal(lookup(t, &k, 0), index[z]);
		assert_int_equal(flow_at(t, index[z])->zone, z);
	}
	table_close(t);
}

static void test_clash(void **state)
{
	struct flow_table *t = table_of(100, 1);
	struct flow_key k = key_of(1, AF_INET, UDP), r = reverse_of(&k), other, free_one;
	enum flow_refusal why;
	uint32_t first, index;

	(void)state;
	first = must_add(t, &k, 0, 10);
	index = flow_new(t, 0, &k, &r, 0, &why);
	assert_int_equal(flow_commit(t, index, 0, &why), first);
	assert_int_equal(why, FLOW_OK);
	/* the peer's first packet crossed ours: the same flow, seen from its other end */
	assert_int_equal(flow_add(t, 0, &r, 0, 10, &why), first);
	other = key_of(2, AF_INET, UDP);
	index = flow_new(t, 0, &other, &r, 0, &why);
	assert_int_equal(flow_commit(t, index, 0, &why), FLOW_NONE);
	assert_int_equal(why, FLOW_CLASH);
	assert_int_equal(lookup(t, &other, 0), FLOW_NONE);
	free_one = r;
	free_one.dport ^= 1;
	flow_set_reply(t, index, &free_one);
	touch(t, index, FLOW_ORIG, 0, 10);
	assert_int_equal(flow_commit(t, index, 0, &why), index);
	assert_int_equal(lookup(t, &free_one, 0), index);
	assert_int_equal(stats_of(t).adopted, 2);
	assert_int_equal(stats_of(t).clashes, 1);
	assert_int_equal(stats_of(t).live, 2);
	/* a packet to itself: one tuple, both directions */
	other = key_of(3, AF_INET, UDP);
	memcpy(other.dst, other.src, 4);
	other.dport = other.sport;
	index = must_add(t, &other, 0, 10);
	assert_int_equal(lookup(t, &other, 0), index);
	table_close(t);
}

/* C14: an unassured neighbour makes room, an assured one never does. */
static void test_full(void **state)
{
	enum { MAX = 2000, ASSURED = 1000 };
	struct flow_table *t = table_of(MAX, 1);
	enum flow_refusal why;
	unsigned in = 0;

	(void)state;
	for (uint32_t i = 0; i < MAX; i++) {
		struct flow_key k = key_of(i, AF_INET, TCP);
		uint32_t index = must_add(t, &k, 0, 4000);

		if (i < ASSURED)
			flow_set(flow_at(t, index), FLOW_ASSURED);
	}
	assert_int_equal(stats_of(t).live, MAX);
	for (uint32_t i = 0; i < 10 * MAX; i++) {
		struct flow_key k = key_of(MAX + i, AF_INET, TCP);

		in += flow_add(t, 0, &k, 0, 4000, &why) != FLOW_NONE;
		assert_true(stats_of(t).live <= MAX);
		if (i % 32 == 0)
			flow_expire(t, 0, 0, flow_grace_begin(t), 64, NULL, NULL);
	}
	assert_true(in > 19 * MAX / 2); /* of ten times the table, 19 of 20 found a place */
	assert_int_equal(stats_of(t).early_dropped, in);
	assert_int_equal(stats_of(t).refused_full, 10 * MAX - in);
	for (uint32_t i = 0; i < ASSURED; i++) {
		struct flow_key k = key_of(i, AF_INET, TCP);

		assert_int_not_equal(lookup(t, &k, 0), FLOW_NONE);
	}
	table_close(t);
}

static void test_full_of_assured(void **state)
{
	struct flow_table_config c = { .max = 64, .workers = 1 };
	enum flow_refusal why;
	struct flow_table *t;

	(void)state;
	for (int drop_new = 0; drop_new < 2; drop_new++) {
		struct flow_key k = key_of(100, AF_INET, TCP);

		c.drop_new = drop_new;
		assert_int_equal(flow_table_create(&c, &t), 0);
		for (uint32_t i = 0; i < c.max; i++) {
			struct flow_key one = key_of(i, AF_INET, TCP);
			uint32_t index = must_add(t, &one, 0, 40);

			flow_set(flow_at(t, index), drop_new ? 0 : FLOW_ASSURED);
		}
		assert_int_equal(flow_add(t, 0, &k, 0, 40, &why), FLOW_NONE);
		assert_int_equal(why, FLOW_FULL);
		assert_int_equal(stats_of(t).refused_full, 1);
		assert_int_equal(stats_of(t).live, 64);
		if (!drop_new) /* an expired one is nobody's, assured or not */
			must_add(t, &k, 40, 40);
		table_close(t);
	}
}

/* C22: the one after the limit is refused, and a place is free again when one goes. IPv6 by /64. */
static void test_source_limit(void **state)
{
	struct flow_table_config c = { .max = 1000, .workers = 1, .per_source_max = 5 };
	const int family[] = { AF_INET, AF_INET6 };
	enum flow_refusal why;
	struct flow_table *t;

	(void)state;
	assert_int_equal(flow_table_create(&c, &t), 0);
	for (unsigned f = 0; f < 2; f++) {
		struct flow_key k = key_of(16, family[f], UDP);
		uint32_t index = FLOW_NONE;

		for (uint16_t i = 0; i < 5; i++) {
			k.dport = i;
			if (f)
				k.src[15] = (uint8_t)i; /* in the same /64 */
			index = must_add(t, &k, 0, 100);
			if (i == 3) /* adopts what is there: not counted */
				assert_int_equal(must_add(t, &k, 0, 100), index);
		}
		k.dport = 99;
		assert_int_equal(flow_add(t, 0, &k, 0, 100, &why), FLOW_NONE);
		assert_int_equal(why, FLOW_SOURCE_LIMIT);
		flow_kill(t, index);
		flow_expire(t, 0, 0, 0, 100, NULL, NULL);
		assert_int_not_equal(flow_add(t, 0, &k, 0, 100, &why), FLOW_NONE);
		k.dport = 98;
		assert_int_equal(flow_add(t, 0, &k, 0, 100, &why), FLOW_NONE);
		k.zone = 3; /* another network's */
		assert_int_not_equal(flow_add(t, 0, &k, 0, 100, &why), FLOW_NONE);
		k = key_of(48, family[f], UDP);
		assert_int_not_equal(flow_add(t, 0, &k, 0, 100, &why), FLOW_NONE);
	}
	table_close(t);
}

/* A bucket whose neighbours are full refuses, and what spilled far is found and forgotten. */
static void test_spill(void **state)
{
	enum { ROOM = (FLOW_REACH + 1) * FLOW_SLOTS };
	struct flow_table *t = table_of(126, 1); /* one group */
	struct flow_key orig[ROOM + 1], k, r;
	uint32_t index[ROOM + 1], n = 0;
	enum flow_refusal why = FLOW_OK;

	(void)state;
	for (uint32_t i = 0; why == FLOW_OK; i++) {
		k = key_of(i, AF_INET, UDP);
		r = key_of(1u << 20 | i, AF_INET, UDP);
		if ((flow_hash(t, &k) & 63) != 5 || (flow_hash(t, &r) & 63) < 32)
			continue;
		assert_true(n <= ROOM);
		index[n] = flow_new(t, 0, &k, &r, 0, &why);
		orig[n] = k;
		touch(t, index[n], FLOW_ORIG, 0, 100);
		if (flow_commit(t, index[n], 0, &why) == FLOW_NONE)
			flow_discard(t, index[n]);
		else
			n++;
	}
	assert_int_equal(why, FLOW_FULL);
	assert_int_equal(n, ROOM);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(lookup(t, &orig[i], 0), index[i]);
	for (uint32_t i = 0; i < n; i += 2)
		flow_kill(t, index[i]);
	flow_expire(t, 0, 0, 0, 1000, NULL, NULL);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(lookup(t, &orig[i], 0), i % 2 ? index[i] : FLOW_NONE);
	table_close(t);
}

static void test_walk(void **state)
{
	enum { N = 3000 };
	struct flow_table *t = table_of(2 * N, 1);
	uint32_t cursor = 0, index, seen = 0;
	static uint8_t hit[N];

	(void)state;
	memset(hit, 0, sizeof(hit));
	for (uint32_t i = 0; i < N; i++) {
		struct flow_key k = key_of(i, i % 3 ? AF_INET : AF_INET6, UDP);

		flow_at(t, must_add(t, &k, 0, 100))->mark = i;
	}
	while ((index = flow_walk(t, &cursor)) != FLOW_NONE) {
		struct flow_key k = key_of(N + seen, AF_INET, UDP);

		if (flow_at(t, index)->mark < N && flow_at(t, index)->zone == 0)
			hit[flow_at(t, index)->mark]++;
		if (seen++ < N) { /* others come meanwhile */
			k.zone = 1;
			must_add(t, &k, 0, 100);
		}
	}
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(hit[i], 1);
	table_close(t);
}

/* ---- a long random run against a model */

#define KEYS 1500u

struct model {
	uint32_t index[KEYS]; /* FLOW_NONE: no live flow */
	uint32_t end[KEYS];   /* tick it expires at */
	uint64_t packets[KEYS];
	uint32_t live;
};

static struct flow_key model_key(uint32_t i)
{
	return key_of(i, i % 3 ? AF_INET : AF_INET6, i % 2 ? TCP : UDP);
}

static void model_tick(struct model *m, uint32_t tick)
{
	for (uint32_t i = 0; i < KEYS; i++)
		if (m->index[i] != FLOW_NONE && (int32_t)(tick - m->end[i]) >= 0)
			m->index[i] = FLOW_NONE;
}

/* A packet of flow i, either way. */
static void model_packet(struct flow_table *t, struct model *m, uint32_t i, uint32_t tick)
{
	uint32_t timeout = 1 + (uint32_t)(random64() % 200), index;
	struct flow_key k = model_key(i), r = reverse_of(&k);
	enum flow_dir want = random64() & 1, dir;

	index = flow_lookup(t, want == FLOW_ORIG ? &k : &r, tick, &dir);
	assert_int_equal(index, m->index[i]);
	if (i % 2 == 0) /* UDP's grow only: see is_alive() */
		timeout = 100;
	if (index == FLOW_NONE) {
		m->index[i] = must_add(t, &k, tick, timeout);
		m->packets[i] = 1;
	} else {
		assert_int_equal(dir, want);
		touch(t, index, dir, tick, timeout);
		m->packets[i]++;
	}
	m->end[i] = tick + timeout;
	assert_int_equal(flow_left(t, m->index[i], tick), timeout);
}

static void model_check(struct flow_table *t, const struct model *m, uint32_t tick)
{
	uint32_t index[FLOW_BURST];
	struct flow_key k[FLOW_BURST];
	uint8_t dir[FLOW_BURST];

	for (uint32_t i = 0; i < KEYS; i += FLOW_BURST) {
		unsigned n = KEYS - i < FLOW_BURST ? KEYS - i : FLOW_BURST;

		for (unsigned j = 0; j < n; j++)
			k[j] = model_key(i + j);
		flow_lookup_burst(t, k, tick, index, dir, n);
		for (unsigned j = 0; j < n; j++) {
			assert_int_equal(index[j], m->index[i + j]);
			if (index[j] == FLOW_NONE)
				continue;
			assert_int_equal(dir[j], FLOW_ORIG);
			assert_int_equal(flow_half_at(t, index[j], FLOW_ORIG)->packets +
						 flow_half_at(t, index[j], FLOW_REPLY)->packets,
					 m->packets[i + j]);
		}
	}
}

static void test_model(void **state)
{
	struct flow_table *t = table_of(KEYS + 500, 1);
	static struct model m;

	(void)state;
	memset(m.index, 0xff, sizeof(m.index));
	for (uint32_t tick = 0; tick < 3000; tick++) {
		model_tick(&m, tick);
		for (unsigned n = 0; n < 40; n++) {
			uint32_t i = (uint32_t)(random64() % KEYS);

			model_packet(t, &m, i, tick);
			if (random64() % 16 == 0) {
				flow_kill(t, m.index[i]);
				m.index[i] = FLOW_NONE;
			}
		}
		if (tick % 16 == 0)
			model_check(t, &m, tick);
		flow_expire(t, 0, tick, flow_grace_begin(t), 200, NULL, NULL);
	}
	table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_both_ways),	cmocka_unit_test(test_zones),
		cmocka_unit_test(test_clash),		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_of_assured), cmocka_unit_test(test_source_limit),
		cmocka_unit_test(test_spill),		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
