/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A full routing table for benchmarks. */
#ifndef TESTS_BENCH_FIB_H
#define TESTS_BENCH_FIB_H

#include <stddef.h>
#include <stdint.h>

struct fib;
struct fib_pool;

/* Prefix number i leads to slot 1 + i % 64. dst: so many random addresses inside random prefixes.
 */
void bench_fib_fill(struct fib *f, struct fib_pool *pool, int family, uint8_t (*dst)[16], size_t n);

#endif
