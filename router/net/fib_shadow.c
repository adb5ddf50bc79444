/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strides: what the control thread knows of the prefixes inside six bits.
 *
 * Both arrays of a stride are exactly as long as their bit vectors have bits, so growing one means
 * a new block (may fail) and shrinking one gives back the tail of the block it has (cannot fail). A
 * delete hides its prefix first, keeping the block, so that it can be taken back without memory if
 * the read side cannot follow; fib_stride_settle() then gives up the room. [control] only.
 */
#include <errno.h>
#include <string.h>

#include "router/net/fib_internal.h"

static unsigned count_prefixes(const struct fib_stride *s)
{
	return (unsigned)(__builtin_popcountll(s->prefix[0]) + __builtin_popcountll(s->prefix[1]));
}

static unsigned rank_of_place(const struct fib_stride *s, unsigned place)
{
	unsigned before = place < 64 ? 0 : (unsigned)__builtin_popcountll(s->prefix[0]);

	return before +
	       (unsigned)__builtin_popcountll(s->prefix[place / 64] & fib_below(place % 64));
}

static unsigned rank_of_slot(const struct fib_stride *s, unsigned slot)
{
	return (unsigned)__builtin_popcountll(s->child & fib_below(slot));
}

/* Array of n elements -> n + 1, with a hole at index at. Units may have room left already. */
static int array_open(struct fib_arena *a, uint32_t *base, unsigned n, unsigned at, size_t size)
{
	uint32_t old = *base, old_units = fib_units(n * size), units = fib_units((n + 1) * size);
	char *from = fib_arena_at(a, old), *to = from;

	if (units > old_units) {
		*base = fib_arena_alloc(a, units);
		if (!*base) {
			*base = old;
			return -ENOSPC;
		}
		to = fib_arena_at(a, *base);
		memcpy(to, from, at * size);
	}
	memmove(to + (at + 1) * size, from + at * size, (n - at) * size);
	if (to != from && n)
		fib_arena_free(a, old, old_units);
	return 0;
}

/* Gives back the units of an array whose element count went from n to n - 1. */
static void array_trim(struct fib_arena *a, uint32_t base, unsigned n, size_t size)
{
	uint32_t units = fib_units(n * size), left = fib_units((n - 1) * size);

	if (units > left)
		fib_arena_free(a, base + left, units - left);
}

uint32_t *fib_stride_value(const struct fib_arena *a, const struct fib_stride *s, unsigned place)
{
	return (uint32_t *)fib_arena_at(a, s->values) + rank_of_place(s, place);
}

struct fib_stride *fib_stride_kid(const struct fib_arena *a, const struct fib_stride *s,
				  unsigned slot)
{
	return (struct fib_stride *)fib_arena_at(a, s->kids) + rank_of_slot(s, slot);
}

/* The place of the longest prefix that covers the slot; 0: none. */
unsigned fib_stride_match(const struct fib_stride *s, unsigned slot)
{
	unsigned place = 64 | slot;

	while (place > 1 && !fib_stride_has(s, place))
		place >>= 1;
	return place > 1 ? place : 0;
}

/* The slots below a place. */
uint64_t fib_stride_covers(unsigned place)
{
	unsigned len = 31 - (unsigned)__builtin_clz(place);
	unsigned span = 64u >> len;
	uint64_t run = span == 64 ? ~0ull : fib_below(span);

	return run << ((place - (1u << len)) * span);
}

/* Those of slots that no prefix at a place above longer_than covers: as places ascend by length,
 * these are the slots that follow the prefix at longer_than (0: the stride's inherited value). */
uint64_t fib_stride_open(const struct fib_stride *s, uint64_t slots, unsigned longer_than)
{
	for (unsigned w = longer_than / 64; w < 2; w++) {
		uint64_t left = s->prefix[w];

		if (w == longer_than / 64)
			left &= ~fib_below(longer_than % 64) & ~(1ull << (longer_than % 64));
		for (; left && slots; left &= left - 1)
			slots &= ~fib_stride_covers(w * 64 + (unsigned)__builtin_ctzll(left));
	}
	return slots;
}

/* The value of every slot: shorter prefixes first, longer ones over them. */
void fib_stride_expand(const struct fib_arena *a, const struct fib_stride *s, uint32_t inherit,
		       uint32_t slot[64])
{
	const uint32_t *value = fib_arena_at(a, s->values);

	for (unsigned i = 0; i < 64; i++)
		slot[i] = inherit;
	for (unsigned w = 0; w < 2; w++) {
		for (uint64_t left = s->prefix[w]; left; left &= left - 1) {
			unsigned place = w * 64 + (unsigned)__builtin_ctzll(left);
			unsigned len = 31 - (unsigned)__builtin_clz(place);
			unsigned span = 64u >> len;
			uint32_t *at = slot + (place - (1u << len)) * span;

			for (unsigned i = 0; i < span; i++)
				at[i] = *value;
			value++;
		}
	}
}

int fib_stride_insert(struct fib_arena *a, struct fib_stride *s, unsigned place, uint32_t value)
{
	unsigned at = rank_of_place(s, place);
	int rc = array_open(a, &s->values, count_prefixes(s), at, sizeof(value));

	if (rc)
		return rc;
	s->prefix[place / 64] |= 1ull << (place % 64);
	*fib_stride_value(a, s, place) = value;
	return 0;
}

uint32_t fib_stride_hide(struct fib_arena *a, struct fib_stride *s, unsigned place)
{
	uint32_t *at = fib_stride_value(a, s, place), value = *at;
	unsigned after = count_prefixes(s) - rank_of_place(s, place) - 1;

	memmove(at, at + 1, after * sizeof(*at));
	s->prefix[place / 64] &= ~(1ull << (place % 64));
	return value;
}

void fib_stride_unhide(struct fib_arena *a, struct fib_stride *s, unsigned place, uint32_t value)
{
	uint32_t *at = fib_stride_value(a, s, place);
	unsigned after = count_prefixes(s) - rank_of_place(s, place);

	memmove(at + 1, at, after * sizeof(*at));
	*at = value;
	s->prefix[place / 64] |= 1ull << (place % 64);
}

/* After fib_stride_hide(), instead of fib_stride_unhide(). */
void fib_stride_settle(struct fib_arena *a, struct fib_stride *s)
{
	array_trim(a, s->values, count_prefixes(s) + 1, sizeof(uint32_t));
}

int fib_stride_add_kid(struct fib_arena *a, struct fib_stride *s, unsigned slot)
{
	unsigned n = (unsigned)__builtin_popcountll(s->child);
	int rc = array_open(a, &s->kids, n, rank_of_slot(s, slot), sizeof(*s));

	if (rc)
		return rc;
	s->child |= 1ull << slot;
	memset(fib_stride_kid(a, s, slot), 0, sizeof(*s));
	return 0;
}

void fib_stride_drop_kid(struct fib_arena *a, struct fib_stride *s, unsigned slot)
{
	unsigned n = (unsigned)__builtin_popcountll(s->child);
	struct fib_stride *kid = fib_stride_kid(a, s, slot);

	assert(fib_stride_empty(kid));
	memmove(kid, kid + 1, (n - rank_of_slot(s, slot) - 1) * sizeof(*kid));
	s->child &= ~(1ull << slot);
	array_trim(a, s->kids, n, sizeof(*s));
}
