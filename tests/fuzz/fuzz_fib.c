/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A FIB under any sequence of changes, in pools from tiny to roomy, against a list of prefixes
 * searched from end to end. Input: a byte for the family and the pool, then changes of eight bytes.
 *
 * What is refused (-ENOSPC) has changed nothing. At the end all can be deleted, and no memory is
 * left.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>

#include "router/net/fib_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUTES_MAX 96u
#define CHANGE	   8u
#define BURST	   6u

struct route {
	unsigned __int128 first;
	unsigned len;
	uint32_t value;
};

struct lab {
	int family;
	unsigned bits;
	struct fib_pool *pool;
	struct fib *fib;
	struct route route[ROUTES_MAX];
	unsigned n;
};

static unsigned __int128 mask(unsigned len)
{
	return len ? ~(unsigned __int128)0 << (128 - len) : 0;
}

static void to_bytes(unsigned __int128 addr, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(addr >> (120 - 8 * i));
}

static uint32_t find(const struct lab *l, unsigned __int128 addr)
{
	uint32_t value = FIB_NONE;
	int best = -1;

	for (unsigned i = 0; i < l->n; i++) {
		const struct route *r = &l->route[i];

		if ((int)r->len > best && (addr & mask(r->len)) == r->first) {
			best = (int)r->len;
			value = r->value;
		}
	}
	return value;
}

static void check_burst(struct lab *l, const unsigned __int128 *addr)
{
	uint32_t v4[BURST], one, value[BURST];
	const struct in6_addr *ptr[BURST];
	struct in6_addr v6[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		v4[i] = htonl((uint32_t)(addr[i] >> 96));
		to_bytes(addr[i], v6[i].s6_addr);
		ptr[i] = &v6[i];
	}
	if (l->family == AF_INET)
		fib4_lookup_burst(l->fib, v4, value, BURST);
	else
		fib6_lookup_burst(l->fib, ptr, value, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		one = l->family == AF_INET ? fib4_lookup(l->fib, v4[i])
					   : fib6_lookup(l->fib, ptr[i]);
		assert(value[i] == find(l, addr[i]) && one == value[i]);
	}
}

/* In and around the prefix, by the code for any CPU and for this one. */
static void check_edges(struct lab *l, unsigned __int128 first, unsigned len)
{
	unsigned __int128 last = first | ~mask(len), unit = (unsigned __int128)1 << (128 - l->bits),
			  all = mask(l->bits);
	const unsigned __int128 addr[BURST] = { first,
						last & all,
						(first - unit) & all,
						(last + unit) & all,
						(first + (last - first) / 3) & all,
						all };

	l->fib->lookup = &fib_lookup_any;
	check_burst(l, addr);
	l->fib->lookup = fib_lookup_best();
	check_burst(l, addr);
}

static struct route *exact(struct lab *l, unsigned __int128 first, unsigned len)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->route[i].first == first && l->route[i].len == len)
			return &l->route[i];
	return NULL;
}

static void set(struct lab *l, unsigned __int128 first, unsigned len, uint32_t value)
{
	struct route *r = exact(l, first, len);
	uint8_t bytes[16];
	int rc;

	if (!r && l->n == ROUTES_MAX)
		return;
	to_bytes(first, bytes);
	rc = fib_set(l->fib, bytes, len, value);
	assert(rc == 0 || rc == -ENOSPC);
	if (rc)
		return;
	if (!r) {
		r = &l->route[l->n++];
		*r = (struct route){ first, len, value };
	}
	r->value = value;
}

static void del(struct lab *l, unsigned __int128 first, unsigned len)
{
	struct route *r = exact(l, first, len);
	uint8_t bytes[16];
	int rc;

	to_bytes(first, bytes);
	rc = fib_del(l->fib, bytes, len);
	assert(r ? rc == 0 || rc == -ENOSPC : rc == -ENOENT);
	if (rc == -ENOSPC) {
		fib_pool_reclaim(l->pool);
		rc = fib_del(l->fib, bytes, len);
		assert(rc == 0);
	}
	if (r)
		*r = l->route[--l->n];
}

/* Prefixes of an input lie close to each other: the first of their bits come from a byte. */
static void change(struct lab *l, const uint8_t in[CHANGE])
{
	unsigned len = in[1] % (l->bits + 1);
	unsigned __int128 low = 0, first;

	for (unsigned i = 3; i < CHANGE; i++)
		low = low << 8 | in[i];
	first = low << (128 - l->bits) ^ (unsigned __int128)in[2] << 120 ^ low << (in[0] >> 3 << 2);
	first &= mask(len);
	switch (in[0] % 8) {
	case 0:
	case 1:
	case 2: set(l, first, len, 1 + in[7] % 5); break;
	case 3: set(l, first, len, 1 + (uint32_t)low % FIB_MAX); break;
	case 4:
	case 5: del(l, first, len); break;
	case 6:
		if (l->n) /* one that is there */
			del(l, l->route[in[2] % l->n].first, l->route[in[2] % l->n].len);
		break;
	default:
		l->pool->wide_free = 1; /* the next route brings the wide root */
		fib_pool_reclaim(l->pool);
	}
	check_edges(l, first, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t bytes[] = { 512, 4096, 65536, 8 << 20 };
	struct lab l = { .family = AF_INET, .bits = 32 };

	if (!size)
		return 0;
	if (data[0] & 1) {
		l.family = AF_INET6;
		l.bits = 128;
	}
	l.pool = fib_pool_create(bytes[data[0] >> 1 & 3]);
	l.fib = l.pool ? fib_create(l.pool, l.family) : NULL;
	if (!l.fib)
		abort();
	for (size_t at = 1; at + CHANGE <= size; at += CHANGE)
		change(&l, data + at);
	for (unsigned i = 0; i < l.n; i++)
		check_edges(&l, l.route[i].first, l.route[i].len);
	assert(fib_count(l.fib) == l.n);
	while (l.n)
		del(&l, l.route[0].first, l.route[0].len);
	fib_pool_reclaim(l.pool);
	assert(fib_pool_bytes(l.pool) == fib_root_bytes(l.fib->root.levels));
	assert(fib_pool_shadow_bytes(l.pool) == 0);
	fib_destroy(l.fib);
	assert(fib_pool_bytes(l.pool) == 0 && l.pool->wide == 0);
	fib_pool_destroy(l.pool);
	return 0;
}
