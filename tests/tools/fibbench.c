/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fibbench: loads a full routing table, the one that ROUTER_BGP_TABLE names or a synthetic one,
 * then prints what it costs in time and memory and how fast it answers, for IPv4 and IPv6, and the
 * same for tables of ten routes.
 *
 * "spread": addresses uniform over the whole address space (IPv6: over 2000::/3).
 * "routed": addresses inside prefixes of the table, each prefix as likely as another.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <time.h>

#include "router/net/fib.h"
#include "tests/bgp_synthetic.h"
#include "tests/measure.h"
#include "tests/random.h"

#define ADDRESSES   (1u << 20)
#define BURST	    64u
#define POOL_BYTES  (512u << 20)
#define RETIRED_MAX (4u << 20) /* no reader here: what is replaced may be reused at once */

struct bench {
	int family;
	unsigned bytes; /* of an address */
	struct fib_pool *pool;
	struct fib *fib;
	uint8_t *addr; /* ADDRESSES of them */
	const struct in6_addr **ptr;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what, int rc)
{
	fprintf(stderr, "fibbench: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc)
		die(what, rc);
}

static void reclaim(struct bench *b, size_t over)
{
	if (fib_pool_retired(b->pool) > over)
		fib_pool_reclaim(b->pool);
}

static void load(struct bench *b, const struct bgp_table *t)
{
	double start = now();

	for (size_t i = 0; i < t->n; i++) {
		must(fib_set(b->fib, t->v[i].addr, t->v[i].len, 1 + i % 64), "fib_set");
		reclaim(b, RETIRED_MAX);
	}
	reclaim(b, 0);
	printf("  load    %zu prefixes in %.3f s; read side %.2f MiB, shadow %.2f MiB\n", t->n,
	       now() - start, (double)fib_pool_bytes(b->pool) / (1 << 20),
	       (double)fib_pool_shadow_bytes(b->pool) / (1 << 20));
}

/* Withdraws and announces again, and changes next hops, of random prefixes. */
static void churn(struct bench *b, const struct bgp_table *t)
{
	const unsigned updates = 1000000;
	double start = now();

	for (unsigned i = 0; i < updates; i += 2) {
		const struct bgp_prefix *p = &t->v[random64() % t->n];

		if (i & 2)
			must(fib_del(b->fib, p->addr, p->len), "fib_del");
		else
			must(fib_set(b->fib, p->addr, p->len, 65 + i % 64), "fib_set");
		must(fib_set(b->fib, p->addr, p->len, 1 + i % 61), "fib_set");
		reclaim(b, RETIRED_MAX);
	}
	printf("  churn   %.2f us an update\n", (now() - start) / updates * 1e6);
	reclaim(b, 0);
}

static void pick_spread(struct bench *b)
{
	for (unsigned i = 0; i < ADDRESSES * b->bytes; i++)
		b->addr[i] = (uint8_t)(random64() >> 24);
	for (unsigned i = 0; b->family == AF_INET6 && i < ADDRESSES; i++)
		b->addr[i * 16] = 0x20 | (b->addr[i * 16] & 0x1f);
}

static void pick_routed(struct bench *b, const struct bgp_table *t)
{
	pick_spread(b);
	for (unsigned i = 0; i < ADDRESSES; i++) {
		const struct bgp_prefix *p = &t->v[random64() % t->n];
		uint8_t *a = b->addr + i * b->bytes;
		unsigned whole = p->len / 8, rest = p->len % 8;

		memcpy(a, p->addr, whole);
		if (rest)
			a[whole] = p->addr[whole] | (a[whole] & 0xff >> rest);
	}
}

static void measure(struct bench *b, const char *what)
{
	uint32_t value[BURST], seen = 0;
	double best = 1e9;
	uint64_t least = UINT64_MAX;

	for (unsigned round = 0; round < 10; round++) {
		double start = now();
		uint64_t tsc = cpu_cycles();

		for (unsigned i = 0; i < ADDRESSES; i += BURST) {
			if (b->family == AF_INET)
				fib4_lookup_burst(b->fib, (const uint32_t *)(void *)b->addr + i,
						  value, BURST);
			else
				fib6_lookup_burst(b->fib, b->ptr + i, value, BURST);
			seen += value[i / BURST % BURST];
		}
		tsc = cpu_cycles() - tsc;
		least = tsc < least ? tsc : least;
		best = now() - start < best ? now() - start : best;
	}
	printf("  %-7s %.1f M lookups/s, %.1f TSC cycles each (sum %" PRIu32 ")\n", what,
	       ADDRESSES / best / 1e6, (double)least / ADDRESSES, seen);
}

static void bench_open(struct bench *b, int family)
{
	b->family = family;
	b->bytes = family == AF_INET ? 4 : 16;
	b->pool = fib_pool_create(POOL_BYTES);
	b->fib = b->pool ? fib_create(b->pool, family) : NULL;
	b->addr = malloc((size_t)ADDRESSES * b->bytes);
	b->ptr = malloc(ADDRESSES * sizeof(*b->ptr));
	if (!b->fib || !b->addr || !b->ptr)
		die("memory", -ENOMEM);
	for (unsigned i = 0; i < ADDRESSES; i++)
		b->ptr[i] = (const struct in6_addr *)(void *)(b->addr + (size_t)i * b->bytes);
}

static void bench_close(struct bench *b)
{
	fib_destroy(b->fib);
	fib_pool_destroy(b->pool);
	free(b->addr);
	free(b->ptr);
}

static void bench_full(int family, const struct bgp_table *t)
{
	struct bench b;

	printf("%s, full table\n", family == AF_INET ? "IPv4" : "IPv6");
	bench_open(&b, family);
	load(&b, t);
	pick_spread(&b);
	measure(&b, "spread");
	pick_routed(&b, t);
	measure(&b, "routed");
	churn(&b, t);
	measure(&b, "routed");
	bench_close(&b);
}

/* Ten routes: a default and nine prefixes of len bits. */
static void bench_small(int family, unsigned len)
{
	struct bgp_table t = { NULL, 0 };
	struct bench b;

	printf("%s, ten routes, /%u\n", family == AF_INET ? "IPv4" : "IPv6", len);
	bench_open(&b, family);
	for (unsigned i = 0; i < 9; i++) {
		struct bgp_prefix p = { .addr = { 0x2a, (uint8_t)(16 * i), (uint8_t)(i << 4) },
					.len = (uint8_t)len };

		if (bgp_table_add(&t, &p))
			die("memory", -ENOMEM);
	}
	must(fib_set(b.fib, t.v[0].addr, 0, 99), "fib_set");
	load(&b, &t);
	pick_spread(&b);
	measure(&b, "spread");
	pick_routed(&b, &t);
	measure(&b, "routed");
	bench_close(&b);
	free(t.v);
}

int main(void)
{
	struct bgp_table v4 = { NULL, 0 }, v6 = { NULL, 0 };
	const char *what;

	if (bgp_table_any(&v4, &v6, &what)) {
		fprintf(stderr, "fibbench: %s: cannot be read\n", what);
		return 2;
	}
	printf("%s\n", what);
	bench_full(AF_INET, &v4);
	bench_full(AF_INET6, &v6);
	bench_small(AF_INET, 16);
	bench_small(AF_INET, 20);
	bench_small(AF_INET, 24);
	bench_small(AF_INET6, 32);
	bench_small(AF_INET6, 48);
	free(v4.v);
	free(v6.v);
	return 0;
}
