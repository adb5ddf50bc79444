/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers by chance that are the same in each run, so that a test which fails, fails again, and a
 * benchmark measures the same twice. Two generators: one is fast and good enough for addresses of
 * benchmarks, the other takes any seed, also 0, 1, 2 ...
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

/* The next number after *state, which is not 0 (xorshift). */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Each thread has a sequence of its own, all have the same one. */
static inline uint64_t random64(void)
{
	static _Thread_local uint64_t state = 0x9e3779b97f4a7c15;

	return random_next(&state);
}

/* 0 to n - 1, and the next seed (the upper half of a linear congruential generator). */
static inline unsigned random_below(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(*seed >> 33) % n;
}

#endif
