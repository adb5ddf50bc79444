/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookups. [any reader]
 *
 * A burst goes down the levels together: a pass loads one root entry or one node for each address
 * that is still under way and prefetches what the next pass will read of it. Addresses differ in
 * how deep they go and a branch on that could not be predicted, so there is none: a pass computes
 * the next array and index by selection, writes it to the work list, and moves the list's end on
 * only if the address has one more node to visit. What every address has last written is its leaf.
 *
 * Counting bits is most of the arithmetic. The baseline x86-64 has no instruction for it, so the
 * same inline code is compiled twice, and a table is told at birth which one its CPU can run.
 */
#include <endian.h>
#include <string.h>

#include "router/net/fib_internal.h"

/* Addresses that go down together: enough to hide a cache miss, few enough for the CPU to track. */
#define WAVE 64u

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct wave {
	const char *node[WAVE]; /* work list: node to visit, .. */
	uint64_t key[WAVE];	/* .. address bits below it, left-aligned, .. */
	uint32_t of[WAVE];	/* .. whose */
	const char *leaf[WAVE]; /* by address: where its value is */
	uint32_t word[WAVE];	/* by address: the root entry */
};

static ALWAYS_INLINE uint32_t load_root(const struct fib *f, uint64_t entry)
{
	return __atomic_load_n(&f->root[entry], __ATOMIC_ACQUIRE);
}

static ALWAYS_INLINE uint32_t load_fallback(const struct fib *f)
{
	return __atomic_load_n(&f->fallback, __ATOMIC_ACQUIRE);
}

static ALWAYS_INLINE uint64_t load_half(const struct in6_addr *dst, unsigned half)
{
	uint64_t w;

	memcpy(&w, dst->s6_addr + 8 * half, sizeof(w));
	return be64toh(w);
}

/* The node or the leaf (*child says which) that the key's first six bits lead to. */
static ALWAYS_INLINE const char *step(const char *mem, const char *at, uint64_t key,
				      uint64_t *child)
{
	const struct fib_node *node = (const struct fib_node *)at;
	unsigned slot = (unsigned)(key >> 58);
	uint64_t kind = node->vec[FIB_CHILD] >> slot & 1;
	uint64_t upto = node->vec[kind] & (~0ull >> (63 - slot));
	uint64_t index = (uint64_t)__builtin_popcountll(upto) - 1;
	uint64_t size = kind ? sizeof(struct fib_node) : sizeof(uint32_t);

	*child = kind;
	return mem + (uint64_t)node->base[kind] * FIB_UNIT + index * size;
}

static ALWAYS_INLINE uint32_t descend(const char *mem, uint32_t word, uint64_t key, uint64_t more)
{
	const char *at = mem + (uint64_t)(word & ~FIB_NODE) * FIB_UNIT;
	uint64_t child = 1;
	uint32_t value;

	for (unsigned left = FIB_LEVELS - FIB_READ_LEVEL; child; left--) {
		at = step(mem, at, key, &child);
		key <<= 6;
		if (left == FIB_LEVELS - FIB_READ_LEVEL - 7)
			key = more;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static ALWAYS_INLINE uint32_t find_one(const struct fib *f, uint64_t hi, uint64_t lo)
{
	uint32_t value = load_root(f, hi >> (64 - FIB_ROOT_BITS));

	if (value & FIB_NODE)
		value = descend(f->mem, value, hi << FIB_ROOT_BITS, lo);
	return value ? value : load_fallback(f);
}

/* First pass, for address i: m on the work list so far, returns the new m. */
static ALWAYS_INLINE unsigned start(const struct fib *f, struct wave *w, unsigned i, unsigned m,
				    uint64_t hi)
{
	uint32_t word = load_root(f, hi >> (64 - FIB_ROOT_BITS));
	uint32_t is_node = word >> 31;
	const char *node = f->mem + (uint64_t)(word & (FIB_NODE - 1) & -is_node) * FIB_UNIT;

	__builtin_prefetch(node);
	w->word[i] = word;
	w->leaf[i] = (const char *)&w->word[i];
	w->node[m] = node;
	w->key[m] = hi << FIB_ROOT_BITS;
	w->of[m] = i;
	return m + is_node;
}

/* One level for all on the work list; returns how many go on. */
static ALWAYS_INLINE unsigned pass(const char *mem, struct wave *w, unsigned m)
{
	unsigned on = 0;

	for (unsigned j = 0; j < m; j++) {
		uint64_t child, key = w->key[j];
		uint32_t of = w->of[j];
		const char *at = step(mem, w->node[j], key, &child);

		__builtin_prefetch(at);
		w->leaf[of] = at;
		w->node[on] = at;
		w->key[on] = key << 6;
		w->of[on] = of;
		on += (unsigned)child;
	}
	return on;
}

static ALWAYS_INLINE void finish(const struct wave *w, uint32_t *value, unsigned n,
				 uint32_t fallback)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t v;

		memcpy(&v, w->leaf[i], sizeof(v));
		value[i] = v ? v : fallback;
	}
}

static ALWAYS_INLINE void burst4(const struct fib *f, const uint32_t *dst, uint32_t *value,
				 unsigned n)
{
	uint32_t fallback = load_fallback(f);
	struct wave w;

	for (unsigned done = 0, some; done < n; done += some) {
		unsigned m = 0;

		some = n - done < WAVE ? n - done : WAVE;
		for (unsigned i = 0; i < some; i++)
			m = start(f, &w, i, m, (uint64_t)be32toh(dst[done + i]) << 32);
		while (m)
			m = pass(f->mem, &w, m);
		finish(&w, value + done, some, fallback);
	}
}

/*
 * First pass of IPv6. The addresses of a burst often lie in one network, and a /48 is six levels
 * down: the levels above the bit where they part are walked once for all. *level becomes the next
 * one to visit.
 */
static ALWAYS_INLINE unsigned start6(const struct fib *f, struct wave *w, unsigned n,
				     const struct in6_addr *const *dst, unsigned *level)
{
	uint64_t first = load_half(dst[0], 0), differ = 1, child = 1;
	unsigned m = 0, shared;
	const char *at;
	uint32_t word;

	for (unsigned i = 0; i < n; i++) {
		w->key[i] = load_half(dst[i], 0);
		differ |= w->key[i] ^ first;
	}
	shared = (unsigned)__builtin_clzll(differ);
	shared = shared < FIB_ROOT_BITS ? 0 : (shared - FIB_ROOT_BITS) / 6;
	*level = shared;
	if (!shared) {
		for (unsigned i = 0; i < n; i++)
			m = start(f, w, i, m, w->key[i]);
		return m;
	}
	word = load_root(f, first >> (64 - FIB_ROOT_BITS));
	w->word[0] = word;
	at = (const char *)&w->word[0];
	if (word & FIB_NODE)
		at = f->mem + (uint64_t)(word & ~FIB_NODE) * FIB_UNIT;
	else
		child = 0;
	for (unsigned k = 0; child && k < shared; k++)
		at = step(f->mem, at, first << (FIB_ROOT_BITS + 6 * k), &child);
	for (unsigned i = 0; i < n; i++) {
		w->leaf[i] = w->node[i] = at;
		w->key[i] <<= FIB_ROOT_BITS + 6 * shared;
		w->of[i] = i;
	}
	return child ? n : 0;
}

static ALWAYS_INLINE void burst6(const struct fib *f, const struct in6_addr *const *dst,
				 uint32_t *value, unsigned n)
{
	uint32_t fallback = load_fallback(f);
	struct wave w;

	for (unsigned done = 0, some; done < n; done += some) {
		unsigned m, level;

		some = n - done < WAVE ? n - done : WAVE;
		m = start6(f, &w, some, dst + done, &level);
		/* 16 bits of the root and eight levels use up the first half of the address. */
		for (; m && level < 8; level++)
			m = pass(f->mem, &w, m);
		for (unsigned j = 0; j < m; j++)
			w.key[j] = load_half(dst[done + w.of[j]], 1);
		while (m)
			m = pass(f->mem, &w, m);
		finish(&w, value + done, some, fallback);
	}
}

static ALWAYS_INLINE uint32_t one4(const struct fib *f, uint32_t dst)
{
	return find_one(f, (uint64_t)be32toh(dst) << 32, 0);
}

static ALWAYS_INLINE uint32_t one6(const struct fib *f, const struct in6_addr *dst)
{
	return find_one(f, load_half(dst, 0), load_half(dst, 1));
}

/* ---- for any CPU */

static uint32_t any_one4(const struct fib *f, uint32_t dst)
{
	return one4(f, dst);
}

static uint32_t any_one6(const struct fib *f, const struct in6_addr *dst)
{
	return one6(f, dst);
}

static void any_burst4(const struct fib *f, const uint32_t *dst, uint32_t *value, unsigned n)
{
	burst4(f, dst, value, n);
}

static void any_burst6(const struct fib *f, const struct in6_addr *const *dst, uint32_t *value,
		       unsigned n)
{
	burst6(f, dst, value, n);
}

const struct fib_lookup fib_lookup_any = { any_one4, any_one6, any_burst4, any_burst6 };

/* ---- for an x86 with POPCNT and BMI2 (2013 on) */
#ifdef __x86_64__
#define X86_BITS __attribute__((target("popcnt,bmi,bmi2")))

static X86_BITS uint32_t bits_one4(const struct fib *f, uint32_t dst)
{
	return one4(f, dst);
}

static X86_BITS uint32_t bits_one6(const struct fib *f, const struct in6_addr *dst)
{
	return one6(f, dst);
}

static X86_BITS void bits_burst4(const struct fib *f, const uint32_t *dst, uint32_t *value,
				 unsigned n)
{
	burst4(f, dst, value, n);
}

static X86_BITS void bits_burst6(const struct fib *f, const struct in6_addr *const *dst,
				 uint32_t *value, unsigned n)
{
	burst6(f, dst, value, n);
}

static const struct fib_lookup x86_bits = { bits_one4, bits_one6, bits_burst4, bits_burst6 };

const struct fib_lookup *fib_lookup_best(void)
{
	if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2"))
		return &x86_bits;
	return &fib_lookup_any;
}
#else
const struct fib_lookup *fib_lookup_best(void)
{
	return &fib_lookup_any;
}
#endif

uint32_t fib4_lookup(const struct fib *f, uint32_t dst)
{
	return f->lookup->one4(f, dst);
}

uint32_t fib6_lookup(const struct fib *f, const struct in6_addr *dst)
{
	return f->lookup->one6(f, dst);
}

void fib4_lookup_burst(const struct fib *f, const uint32_t *dst, uint32_t *value, unsigned n)
{
	f->lookup->burst4(f, dst, value, n);
}

void fib6_lookup_burst(const struct fib *f, const struct in6_addr *const *dst, uint32_t *value,
		       unsigned n)
{
	f->lookup->burst6(f, dst, value, n);
}
