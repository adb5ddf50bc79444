/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Benchmarks on memory ports, in one process: bench-c KEY prints the figure. tests/bench/bench
 * judges it. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

/* Cycles a packet; see fwd.c. */
double bench_fwd4(void);
double bench_fwd6(void);

#endif
