/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIB's memory: blocks of 32-byte units out of one reserved range of addresses, named by the
 * 32-bit number of their first unit. The range is virtual; a page costs memory when it is touched.
 *
 * The owner remembers how long a block is. A free block carries its length at both ends, and a bit
 * map says which units are such ends, so that a freed block merges with free neighbours: arrays of
 * every length come and go by the million, and lists without merging would keep the high-water mark
 * of each length for ever. One list a length makes an exact fit one step; else the next longer
 * block is split. [control] only.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "router/net/fib_internal.h"

/* The first unit of a free block. A block of one unit has its tail in the same place. */
struct free_head {
	uint32_t next;
	uint32_t prev;
	uint32_t units;
	uint32_t unused[4];
	uint32_t tail; /* in the last unit: = units */
};
static_assert(sizeof(struct free_head) == FIB_UNIT, "a free block may be one unit");

static struct free_head *head_at(const struct fib_arena *a, uint32_t unit)
{
	return fib_arena_at(a, unit);
}

static bool is_edge(const struct fib_arena *a, uint32_t unit)
{
	return a->edge[unit / 64] >> (unit % 64) & 1;
}

static void mark_edges(struct fib_arena *a, uint32_t block, uint32_t units, bool set)
{
	const uint32_t end[2] = { block, block + units - 1 };

	for (int i = 0; i < 2; i++) {
		uint64_t bit = 1ull << (end[i] % 64);

		if (set)
			a->edge[end[i] / 64] |= bit;
		else
			a->edge[end[i] / 64] &= ~bit;
	}
}

static unsigned class_of(uint32_t units)
{
	return (units < FIB_CLASSES ? units : FIB_CLASSES) - 1;
}

static void list_put(struct fib_arena *a, uint32_t block, uint32_t units)
{
	unsigned c = class_of(units);
	struct free_head *h = head_at(a, block);

	h->next = a->list[c];
	h->prev = 0;
	h->units = units;
	head_at(a, block + units - 1)->tail = units;
	if (h->next)
		head_at(a, h->next)->prev = block;
	a->list[c] = block;
	a->nonempty[c / 64] |= 1ull << (c % 64);
	mark_edges(a, block, units, true);
}

static uint32_t list_take(struct fib_arena *a, uint32_t block)
{
	const struct free_head *h = head_at(a, block);
	unsigned c = class_of(h->units);

	if (h->next)
		head_at(a, h->next)->prev = h->prev;
	if (h->prev)
		head_at(a, h->prev)->next = h->next;
	else
		a->list[c] = h->next;
	if (!a->list[c])
		a->nonempty[c / 64] &= ~(1ull << (c % 64));
	mark_edges(a, block, h->units, false);
	return h->units;
}

/* The shortest listed length that fits; in the last list, whose lengths differ, the first one. */
static uint32_t find_free(const struct fib_arena *a, uint32_t units)
{
	unsigned c = class_of(units);
	uint32_t block;

	for (unsigned w = c / 64; w < FIB_CLASSES / 64; w++) {
		uint64_t some = a->nonempty[w] & (w == c / 64 ? ~fib_below(c % 64) : ~0ull);

		if (some) {
			c = w * 64 + (unsigned)__builtin_ctzll(some);
			break;
		}
	}
	block = a->list[c];
	while (block && head_at(a, block)->units < units)
		block = head_at(a, block)->next;
	return block;
}

uint32_t fib_arena_alloc(struct fib_arena *a, uint32_t units)
{
	uint32_t block = find_free(a, units);

	if (block) {
		uint32_t have = list_take(a, block);

		if (have > units)
			list_put(a, block + units, have - units);
	} else {
		if (a->top > a->limit || units > a->limit - a->top)
			return 0;
		block = a->top;
		a->top += units;
	}
	a->used += units;
	return block;
}

void fib_arena_free(struct fib_arena *a, uint32_t block, uint32_t units)
{
	assert(block && units && block + units <= a->top && units <= a->used);
	a->used -= units;
	if (is_edge(a, block - 1)) {
		block -= head_at(a, block - 1)->tail;
		units += list_take(a, block);
	}
	if (block + units < a->top && is_edge(a, block + units))
		units += list_take(a, block + units);
	if (block + units == a->top)
		a->top = block;
	else
		list_put(a, block, units);
}

static void *reserve_range(size_t bytes)
{
	void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}

static size_t edge_bytes(const struct fib_arena *a)
{
	return ((size_t)a->reserve / 64 + 1) * sizeof(uint64_t);
}

/* huge: the range is walked at random by lookups; large pages save them TLB misses. */
int fib_arena_init(struct fib_arena *a, size_t limit_bytes, size_t reserve_bytes, bool huge)
{
	if (reserve_bytes / FIB_UNIT >= FIB_NODE)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->top = 1;
	a->limit = 1 + (uint32_t)(limit_bytes / FIB_UNIT);
	a->reserve = 1 + (uint32_t)(reserve_bytes / FIB_UNIT);
	a->mem = reserve_range((size_t)a->reserve * FIB_UNIT);
	if (!a->mem)
		return -ENOMEM;
	a->edge = reserve_range(edge_bytes(a));
	if (!a->edge) {
		munmap(a->mem, (size_t)a->reserve * FIB_UNIT);
		return -ENOMEM;
	}
	if (huge)
		(void)madvise(a->mem, (size_t)a->reserve * FIB_UNIT, MADV_HUGEPAGE);
	return 0;
}

void fib_arena_fini(struct fib_arena *a)
{
	munmap(a->mem, (size_t)a->reserve * FIB_UNIT);
	munmap(a->edge, edge_bytes(a));
}
