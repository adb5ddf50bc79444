/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fib4, fib4-routed, fib6: millions of lookups a second in a full table, in bursts of 64, of a
 * million random addresses: any of unicast IPv4, or any inside a prefix, each prefix as likely as
 * another. The median of many rounds, in CPU time, so that a busy machine only disturbs the caches.
 *
 * fib-size4, fib-size6, fib-size-empty: MiB, of the side that lookups walk and of that which only
 * control reads.
 */
#include "tests/bench/fib.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "router/net/fib.h"
#include "tests/bench/bench.h"
#include "tests/bgp_synthetic.h"
#include "tests/measure.h"
#include "tests/random.h"

#define ADDRESSES (1u << 20)
#define BURST	  64u
#define ROUNDS	  31
#define POOL	  (256u << 20)
#define MIB	  (1024.0 * 1024.0)

struct bench_fib {
	struct fib_pool *pool;
	struct fib *fib;
};

static void random_inside(const struct bgp_prefix *p, uint8_t dst[16])
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	for (unsigned i = 0; i < 16; i++)
		dst[i] = (uint8_t)(random64() >> 24);
	memcpy(dst, p->addr, whole);
	if (rest)
		dst[whole] = p->addr[whole] | (dst[whole] & 0xff >> rest);
}

void bench_fib_fill(struct fib *f, struct fib_pool *pool, int family, uint8_t (*dst)[16], size_t n)
{
	struct bgp_table v4 = { NULL, 0 }, v6 = { NULL, 0 };
	const struct bgp_table *t = family == AF_INET ? &v4 : &v6;
	const char *what;

	if (bgp_table_any(&v4, &v6, &what))
		bench_die("no full table");
	for (size_t i = 0; i < t->n; i++) {
		if (fib_set(f, t->v[i].addr, t->v[i].len, 1 + i % 64))
			bench_die("fib_set");
		if (fib_pool_retired(pool) > 4 << 20)
			fib_pool_reclaim(pool);
	}
	fib_pool_reclaim(pool);
	for (size_t i = 0; i < n; i++)
		random_inside(&t->v[random64() % t->n], dst[i]);
	free(v4.v);
	free(v6.v);
}

static void setup(struct bench_fib *b, int family, uint8_t (*dst)[16], size_t n)
{
	b->pool = fib_pool_create(POOL);
	b->fib = b->pool ? fib_create(b->pool, family) : NULL;
	if (!b->fib)
		bench_die("no memory");
	bench_fib_fill(b->fib, b->pool, family, dst, n);
}

static void teardown(struct bench_fib *b)
{
	fib_destroy(b->fib);
	fib_pool_destroy(b->pool);
}

static void walk4(const struct fib *f, const void *dst)
{
	uint32_t value[BURST];

	for (const uint32_t *at = dst, *end = at + ADDRESSES; at < end; at += BURST)
		fib4_lookup_burst(f, at, value, BURST);
}

static void walk6(const struct fib *f, const void *dst)
{
	const struct in6_addr *const *at = dst, *const *end = at + ADDRESSES;
	uint32_t value[BURST];

	for (; at < end; at += BURST)
		fib6_lookup_burst(f, at, value, BURST);
}

/* Millions a second, of a walk that looks up each of the ADDRESSES. */
static double rate(const struct fib *f, void (*walk)(const struct fib *, const void *),
		   const void *dst)
{
	double round[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		uint64_t start = cpu_time();

		walk(f, dst);
		round[r] = (double)(cpu_time() - start);
	}
	return ADDRESSES * 1e3 / median(round, ROUNDS);
}

static double rate4(bool routed)
{
	static uint8_t inside[ADDRESSES][16];
	static uint32_t dst[ADDRESSES];
	struct bench_fib b;
	double mega;

	setup(&b, AF_INET, inside, ADDRESSES);
	for (unsigned i = 0; i < ADDRESSES; i++) {
		uint32_t any = (uint32_t)((1u << 24) + (random64() >> 8) % (223u << 24));

		dst[i] = htonl(any);
		if (routed)
			memcpy(&dst[i], inside[i], sizeof(dst[i]));
	}
	mega = rate(b.fib, walk4, dst);
	teardown(&b);
	return mega;
}

double bench_fib4(void)
{
	return rate4(false);
}

double bench_fib4_routed(void)
{
	return rate4(true);
}

double bench_fib6(void)
{
	static const struct in6_addr *ptr[ADDRESSES];
	static uint8_t inside[ADDRESSES][16];
	struct bench_fib b;
	double mega;

	setup(&b, AF_INET6, inside, ADDRESSES);
	for (unsigned i = 0; i < ADDRESSES; i++)
		ptr[i] = (const struct in6_addr *)(const void *)inside[i];
	mega = rate(b.fib, walk6, ptr);
	teardown(&b);
	return mega;
}

static double size(int family)
{
	struct bench_fib b;
	double mib;

	setup(&b, family, NULL, 0);
	mib = (double)(fib_pool_bytes(b.pool) + fib_pool_shadow_bytes(b.pool)) / MIB;
	teardown(&b);
	return mib;
}

double bench_fib_size4(void)
{
	return size(AF_INET);
}

double bench_fib_size6(void)
{
	return size(AF_INET6);
}

double bench_fib_size_empty(void)
{
	struct bench_fib b = { .pool = fib_pool_create(POOL) };
	double mib;

	b.fib = b.pool ? fib_create(b.pool, AF_INET) : NULL;
	if (!b.fib)
		bench_die("no memory");
	mib = (double)(fib_pool_bytes(b.pool) + fib_pool_shadow_bytes(b.pool)) / MIB;
	teardown(&b);
	return mib;
}
