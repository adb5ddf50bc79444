/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the FIB's tests share: a table under test beside its oracle, a list of prefixes searched
 * from end to end. Every lookup is made four ways: single and burst, with the code for this CPU and
 * for any CPU.
 */
#ifndef TESTS_UNIT_FIB_TABLE_H
#define TESTS_UNIT_FIB_TABLE_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "router/net/fib_internal.h"
#include "tests/random.h"

#define POOL_BYTES  (64u << 20)
#define POOL_NARROW (8u << 20) /* where only a table of many routes gets a wide root */
#define BURST_MAX   256u

#define U128(hi) ((unsigned __int128)(hi) << 64)

/* An address, left-aligned: IPv4 stands in the first 32 of the 128 bits. */
struct route {
	unsigned __int128 first;
	unsigned len;
	uint32_t value; /* FIB_NONE: not in the table */
};

struct table {
	int family;
	unsigned bits;
	struct fib_pool *pool;
	struct fib *fib;
	struct route *route; /* the oracle */
	size_t n;
};

static inline unsigned __int128 random128(void)
{
	unsigned __int128 hi = U128(random64());

	return hi | random64();
}

static inline unsigned __int128 mask(unsigned len)
{
	return len ? ~(unsigned __int128)0 << (128 - len) : 0;
}

static inline unsigned __int128 last_of(const struct route *r)
{
	return r->first | ~mask(r->len);
}

static inline unsigned __int128 ip4(uint32_t addr)
{
	return U128((uint64_t)addr << 32);
}

static inline void to_bytes(unsigned __int128 addr, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(addr >> (120 - 8 * i));
}

/* ---- the table under test */

static inline void table_open(struct table *t, int family, size_t pool_bytes)
{
	memset(t, 0, sizeof(*t));
	t->family = family;
	t->bits = family == AF_INET ? 32 : 128;
	t->pool = fib_pool_create(pool_bytes);
	assert_non_null(t->pool);
	t->fib = fib_create(t->pool, family);
	assert_non_null(t->fib);
	assert_int_equal(fib_pool_bytes(t->pool), 256);
}

static inline int table_set(struct table *t, unsigned __int128 addr, unsigned len, uint32_t value)
{
	uint8_t bytes[16];

	to_bytes(addr, bytes);
	return fib_set(t->fib, bytes, len, value);
}

static inline int table_del(struct table *t, unsigned __int128 addr, unsigned len)
{
	uint8_t bytes[16];

	to_bytes(addr, bytes);
	return fib_del(t->fib, bytes, len);
}

static inline uint32_t table_get(const struct table *t, unsigned __int128 addr, unsigned len)
{
	uint8_t bytes[16];

	to_bytes(addr, bytes);
	return fib_get(t->fib, bytes, len);
}

static inline void lookup(const struct table *t, const unsigned __int128 *addr, uint32_t *value,
			  unsigned n)
{
	const struct in6_addr *ptr[BURST_MAX];
	struct in6_addr v6[BURST_MAX];
	uint32_t v4[BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		v4[i] = htonl((uint32_t)(addr[i] >> 96));
		to_bytes(addr[i], v6[i].s6_addr);
		ptr[i] = &v6[i];
	}
	if (t->family == AF_INET)
		fib4_lookup_burst(t->fib, v4, value, n);
	else
		fib6_lookup_burst(t->fib, ptr, value, n);
	for (unsigned i = 0; i < n; i++) {
		uint32_t one = t->family == AF_INET ? fib4_lookup(t->fib, v4[i])
						    : fib6_lookup(t->fib, ptr[i]);

		assert_int_equal(one, value[i]);
	}
}

static inline void expect(struct table *t, const unsigned __int128 *addr, const uint32_t *want,
			  unsigned n)
{
	const struct fib_lookup *lookups[2] = { &fib_lookup_any, fib_lookup_best() };
	uint32_t got[BURST_MAX];

	for (unsigned k = 0; k < 2; k++) {
		t->fib->lookup = lookups[k];
		memset(got, 0xff, sizeof(got));
		lookup(t, addr, got, n);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(got[i], want[i]);
	}
}

/* Empties the table by its oracle, and looks for leaks. */
static inline void table_close(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->route[i].value)
			assert_int_equal(table_del(t, t->route[i].first, t->route[i].len), 0);
		fib_pool_reclaim(t->pool);
	}
	assert_int_equal(fib_pool_retired(t->pool), 0);
	assert_int_equal(fib_count(t->fib), 0);
	assert_int_equal(fib_pool_bytes(t->pool), fib_root_bytes(t->fib->root.levels));
	assert_int_equal(fib_pool_shadow_bytes(t->pool), 0);
	fib_destroy(t->fib);
	assert_int_equal(fib_pool_bytes(t->pool), 0);
	fib_pool_destroy(t->pool);
	free(t->route);
}

/* ---- the list oracle */

static inline struct route *oracle_add(struct table *t, unsigned __int128 addr, unsigned len)
{
	struct route *r;

	for (size_t i = 0; i < t->n; i++)
		if (t->route[i].len == len && t->route[i].first == (addr & mask(len)))
			return &t->route[i];
	t->route = realloc(t->route, (t->n + 1) * sizeof(*t->route));
	assert_non_null(t->route);
	r = &t->route[t->n++];
	*r = (struct route){ addr & mask(len), len, FIB_NONE };
	return r;
}

static inline uint32_t oracle_find(const struct table *t, unsigned __int128 addr)
{
	uint32_t value = FIB_NONE;
	int best = -1;

	for (size_t i = 0; i < t->n; i++) {
		const struct route *r = &t->route[i];

		if (r->value && (int)r->len > best && (addr & mask(r->len)) == r->first) {
			best = (int)r->len;
			value = r->value;
		}
	}
	return value;
}

static inline void check_route(struct table *t, const struct route *r)
{
	unsigned __int128 step = (unsigned __int128)1 << (128 - t->bits);
	unsigned __int128 at[5] = { r->first - step, r->first, last_of(r), last_of(r) + step,
				    r->first | (random128() & ~mask(r->len)) };
	uint32_t want[5];

	for (unsigned i = 0; i < 5; i++) {
		at[i] &= mask(t->bits);
		want[i] = oracle_find(t, at[i]);
	}
	expect(t, at, want, 5);
	assert_int_equal(table_get(t, r->first, r->len), r->value);
}

static inline void check_all(struct table *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->n; i++) {
		check_route(t, &t->route[i]);
		count += !!t->route[i].value;
	}
	assert_int_equal(fib_count(t->fib), count);
}

static inline void set_route(struct table *t, struct route *r, uint32_t value)
{
	unsigned __int128 host_bits = random128() & ~mask(r->len) & mask(t->bits);

	assert_int_equal(table_set(t, r->first | host_bits, r->len, value), 0);
	r->value = value;
}

static inline void del_route(struct table *t, struct route *r)
{
	assert_int_equal(table_del(t, r->first, r->len), r->value ? 0 : -ENOENT);
	r->value = FIB_NONE;
}

#endif
