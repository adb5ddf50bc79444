/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle for tables of a million prefixes, which shares nothing with the FIB: prefixes sorted
 * and swept into intervals. And such a table: the real one that ROUTER_BGP_TABLE names, or the
 * synthetic one. Sanitizer builds take a part of it.
 */
#ifndef TESTS_UNIT_FIB_SWEEP_H
#define TESTS_UNIT_FIB_SWEEP_H

#include "tests/bgp_synthetic.h"
#include "tests/unit/fib_table.h"

#if defined(__SANITIZE_THREAD__)
#define PART 16u
#elif defined(__SANITIZE_ADDRESS__)
#define PART 4u
#else
#define PART 1u
#endif

struct interval {
	unsigned __int128 first; /* to the next one's first - 1 */
	uint32_t value;
};

struct intervals {
	struct interval *v;
	size_t n;
};

static inline int by_first_then_len(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* A later interval with the same first takes the place of the one before. */
static inline void interval_add(struct intervals *in, unsigned __int128 first, uint32_t value)
{
	if (in->n && in->v[in->n - 1].first == first)
		in->n--;
	in->v[in->n++] = (struct interval){ first, value };
}

/* Sorts the routes and sweeps them; the open ones are a stack, innermost last. */
static inline struct intervals sweep(struct route *route, size_t n)
{
	struct intervals in = { malloc((2 * n + 1) * sizeof(*in.v)), 0 };
	const struct route *open[129];
	unsigned depth = 0;

	assert_non_null(in.v);
	qsort(route, n, sizeof(*route), by_first_then_len);
	interval_add(&in, 0, FIB_NONE);
	for (size_t i = 0; i <= n; i++) {
		while (depth && (i == n || last_of(open[depth - 1]) < route[i].first)) {
			unsigned __int128 end = last_of(open[--depth]);

			if (end + 1)
				interval_add(&in, end + 1,
					     depth ? open[depth - 1]->value : FIB_NONE);
		}
		if (i == n || !route[i].value)
			continue;
		open[depth++] = &route[i];
		interval_add(&in, route[i].first, route[i].value);
	}
	return in;
}

static inline unsigned __int128 interval_last(const struct intervals *in, size_t i)
{
	return (i + 1 < in->n ? in->v[i + 1].first : 0) - 1;
}

static inline uint32_t interval_find(const struct intervals *in, unsigned __int128 addr)
{
	size_t low = 0, high = in->n;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (in->v[mid].first <= addr)
			low = mid;
		else
			high = mid;
	}
	return in->v[low].value;
}

/* An address of the interval, any of them. */
static inline unsigned __int128 interval_any(const struct intervals *in, size_t i)
{
	unsigned __int128 size = interval_last(in, i) - in->v[i].first + 1;

	return in->v[i].first + (size ? random128() % size : random128());
}

/* The oracle's list of a full table; values are the caller's, 1 .. 64 until then. */
static inline void full_table(struct table *t, int family, size_t pool_bytes)
{
	struct bgp_table v4 = { NULL, 0 }, v6 = { NULL, 0 }, *bgp = family == AF_INET ? &v4 : &v6;
	const char *what;

	assert_int_equal(bgp_table_any(&v4, &v6, &what), 0);
	table_open(t, family, pool_bytes);
	t->n = bgp->n / PART;
	t->route = calloc(t->n, sizeof(*t->route));
	assert_non_null(t->route);
	for (size_t i = 0; i < t->n; i++) {
		const struct bgp_prefix *p = &bgp->v[i * PART];

		t->route[i] = (struct route){ bgp_first(p), p->len, 1 + (uint32_t)(i % 64) };
	}
	print_message("%s: %zu prefixes\n", what, t->n);
	free(v4.v);
	free(v6.v);
}

static inline size_t from_environment(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise / PART;
}

#endif
