/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the flow table share: a table with a manual clock, numbered keys, and the steps
 * a worker takes for a new flow.
 */
#ifndef TESTS_FLOW_UTIL_H
#define TESTS_FLOW_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "router/net/flow_internal.h"
#include "tests/random.h"

#define UDP 17
#define TCP 6

/* Key number n: a source of its own for every 16. */
static inline struct flow_key key_of(uint32_t n, int family, uint8_t proto)
{
	struct flow_key k = { .family = (uint8_t)family, .proto = proto };
	uint32_t src = htonl(0x0a000000 + n / 16), dst = htonl(0xc6336401);

	if (family == AF_INET) {
		memcpy(k.src, &src, 4);
		memcpy(k.dst, &dst, 4);
	} else {
		memcpy(k.src, (uint8_t[]){ 0x20, 0x01, 0x0d, 0xb8 }, 4);
		memcpy(k.src + 4, &src, 4);
		memcpy(k.dst + 12, &dst, 4);
	}
	k.sport = htons((uint16_t)(1024 + n % 16));
	k.dport = htons(53);
	return k;
}

static inline struct flow_key reverse_of(const struct flow_key *k)
{
	struct flow_key r;

	flow_key_reverse(k, &r);
	return r;
}

static inline struct flow_table *table_of(uint32_t max, unsigned workers)
{
	struct flow_table_config c = { .max = max, .workers = workers, .key = "0123456789abcde" };
	struct flow_table *t = NULL;

	assert_int_equal(flow_table_create(&c, &t), 0);
	return t;
}

static inline void touch(struct flow_table *t, uint32_t index, enum flow_dir dir, uint32_t tick,
			 uint32_t timeout)
{
	flow_touch(flow_half_at(t, index, dir), flow_half_at(t, index, !dir), tick, timeout, 100);
}

/* A committed flow, as a worker makes it for a first packet; or FLOW_NONE. */
static inline uint32_t flow_add(struct flow_table *t, unsigned worker, const struct flow_key *k,
				uint32_t tick, uint32_t timeout, enum flow_refusal *why)
{
	struct flow_key r = reverse_of(k);
	uint32_t index = flow_new(t, worker, k, &r, tick, why), got;

	if (index == FLOW_NONE)
		return FLOW_NONE;
	touch(t, index, FLOW_ORIG, tick, timeout);
	got = flow_commit(t, index, tick, why);
	if (got == FLOW_NONE)
		flow_discard(t, index);
	return got;
}

static inline uint32_t must_add(struct flow_table *t, const struct flow_key *k, uint32_t tick,
				uint32_t timeout)
{
	enum flow_refusal why;
	uint32_t index = flow_add(t, 0, k, tick, timeout, &why);

	assert_int_not_equal(index, FLOW_NONE);
	return index;
}

static inline uint32_t lookup(const struct flow_table *t, const struct flow_key *k, uint32_t tick)
{
	enum flow_dir dir;

	return flow_lookup(t, k, tick, &dir);
}

static inline struct flow_stats stats_of(const struct flow_table *t)
{
	struct flow_stats s;

	flow_table_stats(t, &s);
	return s;
}

static inline size_t resident(const struct flow_table *t)
{
	struct stat st;

	assert_int_equal(fstat(t->fd, &st), 0);
	return (size_t)st.st_blocks * 512;
}

/* Everything dies, is freed and trimmed. Conservation: nothing is left, in records, slots, memory.
 */
static inline void check_empty(struct flow_table *t)
{
	struct flow_stats s;
	uint32_t cursor = 0, index;

	while ((index = flow_walk(t, &cursor)) != FLOW_NONE)
		flow_kill(t, index);
	for (unsigned w = 0; w < t->workers; w++) {
		flow_expire(t, w, t->worker[w].tick, 0, UINT32_MAX / 2, NULL, NULL);
		flow_expire(t, w, t->worker[w].tick, flow_grace_begin(t), UINT32_MAX / 2, NULL,
			    NULL);
	}
	s = stats_of(t);
	assert_int_equal(s.live, 0);
	assert_int_equal(s.ipv4 + s.ipv6, 0);
	assert_int_equal(s.made, s.gone);
	for (uint64_t g = 0; g <= t->mask / FLOW_GROUP; g++)
		assert_int_equal(t->group[g].used, 0);
	for (uint64_t b = 0; b <= t->mask; b++)
		assert_int_equal(t->bucket[b].head, 0);
	for (uint64_t b = 0; t->source && b <= t->source_mask; b++)
		for (unsigned i = 0; i < FLOW_SLOTS; i++)
			assert_int_equal(t->source[b].slot[i], 0);
}

static inline void table_close(struct flow_table *t)
{
	check_empty(t);
	flow_table_destroy(t);
}

#endif
