/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the FIB share. Nobody else includes this but its unit test.
 *
 * A table has two sides. The READ side is what a lookup walks: a root array indexed by the first
 * bits, then nodes of six bits each, every node two 64-bit vectors and the bases of an array of
 * child nodes and an array of leaves, both without holes: the rank of a bit in its vector is the
 * index in its array (Asai and Ohara, "Poptrie", SIGCOMM 2015). Arrays are immutable once a root
 * entry leads to them.
 *
 * The root stands for the first levels of such nodes: for one (64 entries) while the table is
 * small, for three (2^18 entries, 1 MiB) when it is worth that. Then a /24 is one node below the
 * root.
 *
 * The SHADOW side is the control thread's: one struct fib_stride for every six bits, saying which
 * prefixes end inside it and with what value. It has a stride for every read node, and those above
 * them for the prefixes that end inside the root array.
 *
 * fib_arena.c   units of 32 bytes, given out and taken back, merged with their neighbours
 * fib_pool.c    the two arenas of a pool; what an update made and what it replaced
 * fib_shadow.c  strides: insert, remove, longest match, expansion to slots
 * fib_build.c   from the shadow to the reader: new arrays, then the store
 * fib_root.c    root arrays: born small, made wide
 * fib_update.c  fib_set(), fib_del()
 * fib_lookup.c  the lookups
 * fib.c         create, destroy, exact match
 */
#ifndef ROUTER_NET_FIB_INTERNAL_H
#define ROUTER_NET_FIB_INTERNAL_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>

#include "router/net/fib.h"

/* ---- arena: blocks of 1..n units out of one reserved range of addresses; unit 0 is nobody's */

#define FIB_UNIT    32u
#define FIB_CLASSES 128u

struct fib_arena {
	char *mem;
	uint64_t *edge;	  /* bit u: unit u is the first or the last one of a free block */
	uint32_t top;	  /* units from here on were never used, or all given back */
	uint32_t limit;	  /* top stays at or below this */
	uint32_t reserve; /* units of address space; limit <= reserve */
	uint32_t used;	  /* units in blocks */
	uint64_t nonempty[FIB_CLASSES / 64];
	uint32_t list[FIB_CLASSES]; /* list[i]: free blocks of i + 1 units; the last: or more */
};

int fib_arena_init(struct fib_arena *a, size_t limit_bytes, size_t reserve_bytes, bool huge);
void fib_arena_fini(struct fib_arena *a);
uint32_t fib_arena_alloc(struct fib_arena *a, uint32_t units); /* 0: over the limit */
void fib_arena_free(struct fib_arena *a, uint32_t block, uint32_t units);

static inline void *fib_arena_at(const struct fib_arena *a, uint32_t unit)
{
	return a->mem + (size_t)unit * FIB_UNIT;
}

static inline uint32_t fib_units(size_t bytes)
{
	return (uint32_t)((bytes + FIB_UNIT - 1) / FIB_UNIT);
}

/* ---- pool: the arenas, and the book of the update under way */

struct fib_block {
	uint32_t base;
	uint32_t units;
};

struct fib_blocks {
	struct fib_block *v;
	size_t n;
	size_t cap;
};

/* Root entries first .. first + count - 1 are to become word. */
struct fib_store {
	uint32_t first;
	uint32_t count;
	uint32_t word;
};

struct fib_pool {
	struct fib_arena read;
	struct fib_arena shadow;
	size_t retired_bytes;
	struct fib_blocks retired; /* waiting for a grace period; from mark on: this update's */
	struct fib_blocks made;	   /* by this update: freed again if it fails */
	size_t mark;
	uint32_t limit;		 /* in units: how far this update may go */
	struct fib_store *store; /* what this update will publish */
	size_t stores;
	size_t stores_cap;
	unsigned wide;	    /* tables whose root is wide */
	unsigned wide_free; /* so many may be, however few routes they have */
};

enum fib_change { FIB_ADD, FIB_REPLACE, FIB_REMOVE };

/* One update: begin, then any number of alloc, retire and store, then commit or abort. Only commit
 * touches what readers see. alloc, retire and store: 0 or -ENOSPC. */
void fib_pool_begin(struct fib_pool *p, enum fib_change change);
int fib_pool_alloc(struct fib_pool *p, size_t bytes, uint32_t *base);
int fib_pool_retire(struct fib_pool *p, uint32_t base, size_t bytes);
int fib_pool_store(struct fib_pool *p, uint32_t first, uint32_t count, uint32_t word);
void fib_pool_commit(struct fib_pool *p, uint32_t *root);
void fib_pool_abort(struct fib_pool *p);

/* ---- read side */

#define FIB_ROOT_NARROW 1u    /* levels that a root array stands for, at first, .. */
#define FIB_ROOT_WIDE	3u    /* .. and for good */
#define FIB_WIDE_ROUTES 4096u /* so many are worth a wide root in any pool */

/* Replaced as one word, since a reader needs both. */
struct fib_root {
	alignas(8) uint32_t base;
	uint32_t levels;
};
static_assert(sizeof(struct fib_root) == 8, "one store");

static inline uint32_t fib_root_entries(unsigned levels)
{
	return 1u << (6 * levels);
}

static inline size_t fib_root_bytes(unsigned levels)
{
	return fib_root_entries(levels) * sizeof(uint32_t);
}

/* A root entry: a value (0: the default route), or FIB_NODE | the unit of a node. */
#define FIB_NODE (1u << 31)

/* Both halves of a node have the same form, so that a lookup picks one by index and not by a
 * branch: array = base[k], index = popcount(vec[k], bits 0 .. slot) - 1.
 * vec[FIB_CHILD]: the slot goes on in a child node.
 * vec[FIB_LEAF]:  the slot is no child and its leaf differs from that of the last slot before it
 *                 that is no child: a run of equal leaves is stored once. */
enum { FIB_LEAF, FIB_CHILD };
struct fib_node {
	uint64_t vec[2];
	uint32_t base[2];
	uint32_t unused[2]; /* so that each lies in one cache line */
};
static_assert(sizeof(struct fib_node) == FIB_UNIT && FIB_UNIT == 32,
	      "arrays of nodes begin and end with units");

struct fib_lookup {
	uint32_t (*one4)(const struct fib *, uint32_t);
	uint32_t (*one6)(const struct fib *, const struct in6_addr *);
	void (*burst4)(const struct fib *, const uint32_t *, uint32_t *, unsigned);
	void (*burst6)(const struct fib *, const struct in6_addr *const *, uint32_t *, unsigned);
};
extern const struct fib_lookup fib_lookup_any;	/* for any CPU */
const struct fib_lookup *fib_lookup_best(void); /* for this CPU */

/* ---- shadow side */

/* A key: the address left-aligned in 128 bits, host order; IPv4 stands in the first 32. */
struct fib_key {
	uint64_t hi, lo;
};

/* Bits from .. from + n - 1; those behind the last are 0. 1 <= n <= 64. */
static inline uint64_t fib_key_bits(struct fib_key k, unsigned from, unsigned n)
{
	uint64_t w = k.hi;

	if (from >= 64)
		w = k.lo << (from - 64);
	else if (from)
		w = k.hi << from | k.lo >> (64 - from);
	return w >> (64 - n);
}

/* A prefix inside a stride is a place in a binary heap: 2..3 the two of one bit, 4..7 the four of
 * two bits, .. 64..127 those of six. Ascending order is therefore "shorter first". */
struct fib_stride {
	uint64_t prefix[2]; /* which places are taken */
	uint64_t child;	    /* which slots go on below */
	uint32_t values;    /* one uint32_t for each bit of prefix */
	uint32_t kids;	    /* one struct fib_stride for each bit of child */
};
static_assert(sizeof(struct fib_stride) == 32, "stride arrays are sized in multiples of 32 bytes");

#define FIB_LEVELS 22u /* of strides, for 128 bits */

static inline unsigned fib_level_of(unsigned len) /* of a prefix of len >= 1 bits */
{
	return (len - 1) / 6;
}

static inline unsigned fib_key_slot(struct fib_key k, unsigned level)
{
	return (unsigned)fib_key_bits(k, 6 * level, 6);
}

static inline unsigned fib_key_place(struct fib_key k, unsigned len)
{
	unsigned depth = 6 * fib_level_of(len);

	return 1u << (len - depth) | (unsigned)fib_key_bits(k, depth, len - depth);
}

/* Bits 0 .. i - 1; i <= 63. */
static inline uint64_t fib_below(unsigned i)
{
	return (1ull << i) - 1;
}

static inline bool fib_stride_has(const struct fib_stride *s, unsigned place)
{
	return s->prefix[place / 64] >> (place % 64) & 1;
}

static inline bool fib_stride_empty(const struct fib_stride *s)
{
	return !(s->prefix[0] | s->prefix[1] | s->child);
}

uint32_t *fib_stride_value(const struct fib_arena *a, const struct fib_stride *s, unsigned place);
struct fib_stride *fib_stride_kid(const struct fib_arena *a, const struct fib_stride *s,
				  unsigned slot);
unsigned fib_stride_match(const struct fib_stride *s, unsigned slot);
uint64_t fib_stride_covers(unsigned place);
uint64_t fib_stride_open(const struct fib_stride *s, uint64_t slots, unsigned longer_than);
void fib_stride_expand(const struct fib_arena *a, const struct fib_stride *s, uint32_t inherit,
		       uint32_t slot[64]);
int fib_stride_insert(struct fib_arena *a, struct fib_stride *s, unsigned place, uint32_t value);
uint32_t fib_stride_hide(struct fib_arena *a, struct fib_stride *s, unsigned place);
void fib_stride_unhide(struct fib_arena *a, struct fib_stride *s, unsigned place, uint32_t value);
void fib_stride_settle(struct fib_arena *a, struct fib_stride *s);
int fib_stride_add_kid(struct fib_arena *a, struct fib_stride *s, unsigned slot);
void fib_stride_drop_kid(struct fib_arena *a, struct fib_stride *s, unsigned slot);

/* ---- the table */

struct fib {
	/* read by every lookup */
	struct fib_root root; /* atomic */
	const char *mem;      /* the pool's read arena */
	const struct fib_lookup *lookup;
	uint32_t fallback; /* the default route's value; atomic */

	/* [control] */
	unsigned bits; /* of an address: 32 or 128 */
	size_t count;
	struct fib_pool *pool;
	struct fib_stride top;
};

struct fib_key fib_key(const struct fib *f, const void *addr);

int fib_root_create(struct fib *f);
void fib_root_destroy(struct fib *f);
/* Before a route is added: makes the root wide if that is worth its memory, and there is some. */
void fib_root_grow(struct fib *f);

/* [control] The root array as it is; its own stores need no ordering. */
static inline uint32_t *fib_root_words(const struct fib *f)
{
	return (uint32_t *)(void *)(f->pool->read.mem + (size_t)f->root.base * FIB_UNIT);
}

/* ---- one change of one prefix, of at least one bit */

struct fib_update {
	struct fib *f;
	struct fib_pool *pool;
	struct fib_key key;
	unsigned level; /* where the prefix ends */
	unsigned place;
	struct fib_stride *path[FIB_LEVELS]; /* 0 .. level */
	uint32_t inherit[FIB_LEVELS];	     /* value of path[i]'s slots that it says nothing of */
};

/* Makes readers see what the shadow says; all of it, or (-ENOSPC) nothing. */
int fib_publish(struct fib_update *u, enum fib_change change);

#endif
