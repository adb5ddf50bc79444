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

/* Ten levels use up 60 of a key's 64 bits. */
#define KEY_LEVELS 10u

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct wave {
	const char *node[WAVE]; /* work list: node to visit, .. */
	uint64_t key[WAVE];	/* .. address bits below it, left-aligned, .. */
	uint32_t of[WAVE];	/* .. whose */
	const char *leaf[WAVE]; /* by address: where its value is */
	uint32_t word[WAVE];	/* by address: the root entry */
};

struct root {
	const uint32_t *entry;
	unsigned levels;
};

static ALWAYS_INLINE struct root load_root(const struct fib *f)
{
	struct fib_root r;

	__atomic_load(&f->root, &r, __ATOMIC_ACQUIRE);
	return (struct root){ (const void *)(f->mem + (size_t)r.base * FIB_UNIT), r.levels };
}

static ALWAYS_INLINE uint32_t load_entry(const struct root *r, uint64_t hi)
{
	return __atomic_load_n(&r->entry[hi >> (64 - 6 * r->levels)], __ATOMIC_ACQUIRE);
}

static ALWAYS_INLINE uint32_t load_fallback(const struct fib *f)
{
	return __atomic_load_n(&f->fallback, __ATOMIC_ACQUIRE);
}

static ALWAYS_INLINE struct fib_key load_key6(const struct in6_addr *dst)
{
	uint64_t w[2];

	memcpy(w, dst, sizeof(w));
	return (struct fib_key){ be64toh(w[0]), be64toh(w[1]) };
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
	unsigned shift = kind ? 5 : 2; /* nodes, leaves */

	*child = kind;
	return mem + (uint64_t)node->base[kind] * FIB_UNIT + (index << shift);
}

static ALWAYS_INLINE uint32_t descend(const char *mem, uint32_t word, struct fib_key k,
				      unsigned level)
{
	const char *at = mem + (uint64_t)(word & ~FIB_NODE) * FIB_UNIT;
	uint64_t key = k.hi << 6 * level, child = 1;
	uint32_t value;

	while (child) {
		at = step(mem, at, key, &child);
		level++;
		key = level % KEY_LEVELS ? key << 6 : fib_key_bits(k, 6 * level, 64);
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static ALWAYS_INLINE uint32_t find_one(const struct fib *f, struct fib_key k)
{
	struct root r = load_root(f);
	uint32_t value = load_entry(&r, k.hi);

	if (value & FIB_NODE)
		value = descend(f->mem, value, k, r.levels);
	return value ? value : load_fallback(f);
}

/* First pass, for address i: m on the work list so far, returns the new m. */
static ALWAYS_INLINE unsigned start(const char *mem, const struct root *r, struct wave *w,
				    unsigned i, unsigned m, uint64_t hi)
{
	uint32_t word = load_entry(r, hi);
	uint32_t is_node = word >> 31;
	const char *node = mem + (uint64_t)(word & (FIB_NODE - 1) & -is_node) * FIB_UNIT;

	__builtin_prefetch(node);
	w->word[i] = word;
	w->leaf[i] = (const char *)&w->word[i];
	w->node[m] = node;
	w->key[m] = hi << 6 * r->levels;
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
	struct root r = load_root(f);
	struct wave w;

	for (unsigned done = 0, some; done < n; done += some) {
		unsigned m = 0;

		some = n - done < WAVE ? n - done : WAVE;
		for (unsigned i = 0; i < some; i++)
			m = start(f->mem, &r, &w, i, m, (uint64_t)be32toh(dst[done + i]) << 32);
		while (m)
			m = pass(f->mem, &w, m);
		finish(&w, value + done, some, fallback);
	}
}

/*
 * First pass of IPv6. The addresses of a burst often lie in one network, and a /48 is five levels
 * below a wide root: the levels above the bit where they part are walked once for all. *level
 * becomes the next one to visit.
 */
static ALWAYS_INLINE unsigned start6(const char *mem, const struct root *r, struct wave *w,
				     unsigned n, const struct in6_addr *const *dst, unsigned *level)
{
	uint64_t first = load_key6(dst[0]).hi, differ = 1, child = 1;
	unsigned m = 0, shared;
	const char *at;
	uint32_t word;

	for (unsigned i = 0; i < n; i++) {
		w->key[i] = load_key6(dst[i]).hi;
		differ |= w->key[i] ^ first;
	}
	shared = (unsigned)__builtin_clzll(differ) / 6;
	if (shared <= r->levels) {
		*level = r->levels;
		for (unsigned i = 0; i < n; i++)
			m = start(mem, r, w, i, m, w->key[i]);
		return m;
	}
	*level = shared;
	word = load_entry(r, first);
	w->word[0] = word;
	at = (const char *)&w->word[0];
	if (word & FIB_NODE)
		at = mem + (uint64_t)(word & ~FIB_NODE) * FIB_UNIT;
	else
		child = 0;
	for (unsigned l = r->levels; child && l < shared; l++)
		at = step(mem, at, first << 6 * l, &child);
	for (unsigned i = 0; i < n; i++) {
		w->leaf[i] = w->node[i] = at;
		w->key[i] <<= 6 * shared;
		w->of[i] = i;
	}
	return child ? n : 0;
}

static ALWAYS_INLINE void burst6(const struct fib *f, const struct in6_addr *const *dst,
				 uint32_t *value, unsigned n)
{
	uint32_t fallback = load_fallback(f);
	struct root r = load_root(f);
	struct wave w;

	for (unsigned done = 0, some; done < n; done += some) {
		unsigned m, level;

		some = n - done < WAVE ? n - done : WAVE;
		m = start6(f->mem, &r, &w, some, dst + done, &level);
		for (; m; level++) {
			for (unsigned j = 0; level % KEY_LEVELS == 0 && j < m; j++)
				w.key[j] =
					fib_key_bits(load_key6(dst[done + w.of[j]]), 6 * level, 64);
			m = pass(f->mem, &w, m);
		}
		finish(&w, value + done, some, fallback);
	}
}

static ALWAYS_INLINE uint32_t one4(const struct fib *f, uint32_t dst)
{
	return find_one(f, (struct fib_key){ (uint64_t)be32toh(dst) << 32, 0 });
}

static ALWAYS_INLINE uint32_t one6(const struct fib *f, const struct in6_addr *dst)
{
	return find_one(f, load_key6(dst));
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
