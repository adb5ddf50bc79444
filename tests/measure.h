/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What benchmarks measure by, and which of their figures counts. */
#ifndef TESTS_MEASURE_H
#define TESTS_MEASURE_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "router/lib/clock.h"

/* ns that this thread has had of a core: it does not count when others have it. */
static inline uint64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The time-stamp counter; ns where there is none. */
static inline uint64_t cpu_cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return clock_now();
#endif
}

static inline int median_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of n values, which are sorted. */
static inline double median(double *value, size_t n)
{
	qsort(value, n, sizeof(*value), median_compare);
	return value[n / 2];
}

#endif
