/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A full Internet routing table made up: as many prefixes of each length as a real one has, as many
 * of them inside others, as many side by side, in as many places. Always the same one. What a FIB
 * costs in time and memory depends on no more than that, so tests and benchmarks take this one
 * where ROUTER_BGP_TABLE names no real one.
 */
#ifndef TESTS_BGP_SYNTHETIC_H
#define TESTS_BGP_SYNTHETIC_H

#include "tests/bgp_table.h"
#include "tests/random.h"

/* Of one length: how many, how many in a hundred lie inside a shorter one, how many tenths of a
 * prefix stand side by side on average. */
struct bgp_shape {
	uint8_t len;
	uint32_t count;
	uint8_t nested;
	uint8_t run;
};

struct bgp_maker {
	struct bgp_table *t;
	uint64_t random;
	uint32_t *slot; /* hash of what there is: index + 1 */
	int is6;
};

#define BGP_HASH (1u << 21)

static inline uint64_t bgp_random(struct bgp_maker *m)
{
	return random_next(&m->random);
}

static inline unsigned __int128 bgp_first(const struct bgp_prefix *p)
{
	unsigned __int128 addr = 0;

	for (unsigned i = 0; i < 16; i++)
		addr = addr << 8 | p->addr[i];
	return addr;
}

/* 0: added, or there already; -1: no memory */
static inline int bgp_maker_add(struct bgp_maker *m, unsigned __int128 addr, unsigned len)
{
	struct bgp_prefix p = { .len = (uint8_t)len };
	uint64_t hash = (uint64_t)(addr >> 64) * 0x9e3779b97f4a7c15 ^ (uint64_t)addr ^ len;
	uint32_t at = (uint32_t)((hash ^ hash >> 29) * 0xbf58476d1ce4e5b9 >> 40) % BGP_HASH;

	for (unsigned i = 0; i < 16; i++)
		p.addr[i] = (uint8_t)(addr >> (120 - 8 * i));
	for (; m->slot[at]; at = (at + 1) % BGP_HASH)
		if (!memcmp(&m->t->v[m->slot[at] - 1], &p, sizeof(p)))
			return 0;
	if (bgp_table_add(m->t, &p))
		return -1;
	m->slot[at] = (uint32_t)m->t->n;
	return 0;
}

/* Where registries have given out IPv6, by how many prefixes are there; long ones in few places. */
static inline unsigned __int128 bgp_place6(struct bgp_maker *m, unsigned len)
{
	static const struct {
		uint16_t base, spread, share;
	} block[] = { { 0x2001, 1, 13 }, { 0x2804, 1, 11 },  { 0x2400, 16, 37 }, { 0x2600, 8, 14 },
		      { 0x2620, 1, 2 },	 { 0x2a00, 21, 22 }, { 0x2c0f, 1, 1 } };
	uint64_t place = len > 32 ? bgp_random(m) % 9000 : bgp_random(m), pick, in, r;
	unsigned i = 0;

	place *= 0x9e3779b97f4a7c15;
	pick = place % 100;
	in = place / 100 % 64;
	while (pick >= block[i].share)
		pick -= block[i++].share;
	r = (uint64_t)(block[i].base + in % block[i].spread) << 48 | place >> 40 << 24;
	r |= bgp_random(m) >> 40;
	return (unsigned __int128)r << 64 | bgp_random(m);
}

/* Long prefixes lie in one of five networks of 18 bits, and in none of private or other use. */
static inline unsigned __int128 bgp_place4(struct bgp_maker *m, unsigned len)
{
	for (;;) {
		uint32_t addr = (uint32_t)(bgp_random(m) >> 32), first = addr >> 24;

		if (first == 0 || first == 10 || first == 127 || first >= 224)
			continue;
		if (len <= 18 || (addr >> 14) * 0x9e3779b1u >> 16 < 65536 / 5)
			return (unsigned __int128)addr << 96;
	}
}

/* A run of prefixes side by side, inside one of the first `shorter` or anywhere; which may be
 * inside another by chance, more often so in IPv4. */
static inline int bgp_maker_run(struct bgp_maker *m, const struct bgp_shape *s, size_t shorter,
				size_t end)
{
	unsigned __int128 step = (unsigned __int128)1 << (128 - s->len), addr, last = ~step;
	const struct bgp_prefix *in = NULL;
	int rc = 0;

	addr = m->is6 ? bgp_place6(m, s->len) : bgp_place4(m, s->len);
	if (shorter && bgp_random(m) % 100 < (m->is6 ? s->nested : s->nested / 2)) {
		in = &m->t->v[bgp_random(m) % shorter / 3 * 3]; /* many have none inside */
		last = ~(unsigned __int128)0 >> in->len;
		addr = bgp_first(in) | (addr << 24 & last);
		last |= bgp_first(in);
	}
	addr &= -step;
	do {
		rc = bgp_maker_add(m, addr, s->len);
		addr += step;
	} while (!rc && m->t->n < end && addr && addr <= last && bgp_random(m) % s->run >= 10);
	return rc;
}

static inline int bgp_maker_fill(struct bgp_table *t, int is6, const struct bgp_shape *s,
				 unsigned n)
{
	struct bgp_maker m = { t, 0x853c49e6748fea9b, calloc(BGP_HASH, sizeof(*m.slot)), is6 };
	int rc = m.slot ? 0 : -1;

	for (unsigned i = 0; !rc && i < n; i++) {
		size_t shorter = t->n, end = t->n + s[i].count;

		while (!rc && t->n < end)
			rc = bgp_maker_run(&m, &s[i], shorter, end);
	}
	free(m.slot);
	return rc;
}

/* 0, or -1. Both are to be freed by the caller. */
static inline int bgp_table_make(struct bgp_table *v4, struct bgp_table *v6)
{
	static const struct bgp_shape shape4[] = {
		{ 8, 16, 0, 13 },      { 9, 13, 31, 13 },      { 10, 38, 0, 11 },
		{ 11, 103, 4, 12 },    { 12, 299, 10, 13 },    { 13, 581, 17, 14 },
		{ 14, 1203, 15, 15 },  { 15, 2100, 22, 15 },   { 16, 13490, 24, 25 },
		{ 17, 8235, 46, 18 },  { 18, 13798, 50, 21 },  { 19, 24870, 39, 21 },
		{ 20, 42611, 54, 23 }, { 21, 50750, 55, 20 },  { 22, 108623, 45, 22 },
		{ 23, 96510, 57, 18 }, { 24, 537698, 51, 32 }, { 25, 20, 100, 18 },
		{ 26, 3, 100, 10 },    { 27, 11, 100, 10 },    { 28, 18, 94, 13 },
		{ 29, 17, 100, 10 },   { 30, 3, 100, 10 },     { 31, 3, 100, 10 },
		{ 32, 886, 99, 13 },
	};
	static const struct bgp_shape shape6[] = {
		{ 20, 16, 0, 10 },     { 22, 7, 0, 10 },      { 24, 30, 10, 11 },
		{ 26, 15, 0, 10 },     { 28, 193, 44, 11 },   { 29, 4371, 1, 10 },
		{ 30, 650, 44, 18 },   { 31, 284, 46, 22 },   { 32, 22548, 25, 15 },
		{ 33, 2926, 81, 18 },  { 34, 2603, 72, 28 },  { 35, 1043, 62, 25 },
		{ 36, 5996, 57, 25 },  { 37, 880, 75, 20 },   { 38, 1617, 52, 24 },
		{ 39, 1377, 82, 32 },  { 40, 13418, 76, 30 }, { 41, 903, 53, 26 },
		{ 42, 2301, 80, 26 },  { 43, 1001, 43, 25 },  { 44, 14365, 72, 23 },
		{ 45, 1553, 82, 26 },  { 46, 3039, 53, 29 },  { 47, 3153, 79, 26 },
		{ 48, 75488, 59, 24 }, { 50, 3, 100, 10 },    { 56, 24, 96, 10 },
		{ 58, 20, 100, 29 },   { 64, 184, 97, 13 },   { 112, 2, 100, 10 },
		{ 124, 4, 100, 10 },   { 125, 9, 100, 10 },   { 126, 19, 100, 10 },
		{ 127, 42, 100, 10 },  { 128, 6, 100, 10 },
	};

	if (bgp_maker_fill(v4, 0, shape4, sizeof(shape4) / sizeof(shape4[0])))
		return -1;
	return bgp_maker_fill(v6, 1, shape6, sizeof(shape6) / sizeof(shape6[0]));
}

/* The table that ROUTER_BGP_TABLE names, or this one; *what is to be said of it. */
static inline int bgp_table_any(struct bgp_table *v4, struct bgp_table *v6, const char **what)
{
	const char *path = getenv("ROUTER_BGP_TABLE");

	*what = path ? "ROUTER_BGP_TABLE" : "a synthetic table";
	return path ? bgp_table_load(path, v4, v6) : bgp_table_make(v4, v6);
}

#endif
