/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Benchmarks on memory ports, in one process: bench-c KEY prints the figure. tests/bench/bench
 * judges it. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>

/* What was to be measured cannot be. Here, so that cppcheck sees that nothing comes after it. */
_Noreturn static inline void bench_die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(2);
}

/* Cycles a packet; see fwd.c. */
double bench_fwd4(void);
double bench_fwd6(void);
double bench_fwd4_full(void);
double bench_fwd6_full(void);
double bench_fwd4_rules10(void);
double bench_fwd4_rules100(void);
/* See fib.c: millions a second, MiB. */
double bench_fib4(void);
double bench_fib4_routed(void);
double bench_fib6(void);
double bench_fib_size4(void);
double bench_fib_size6(void);
double bench_fib_size_empty(void);
/* The same of established flows; see flows.c. */
double bench_ct_1k(void);
double bench_ct_64k(void);
double bench_nat_1k(void);
double bench_nat_1k_rules(void);
double bench_nat_64k(void);
double bench_nat_1m(void);
/* See churn.c: millions of flows a second, MiB, microseconds, nanoseconds. */
double bench_new_flows(void);
double bench_new_flows_live(void);
double bench_flow_mem(void);
double bench_expire_loop(void);
double bench_rules(void);
double bench_rules_none(void);
/* See shape.c: cycles a packet. */
double bench_qos_1k(void);
double bench_qos_100k(void);
double bench_qos_idle(void);
/* See rate.c: the worst deviation in percent. */
double bench_rate_htb(void);
double bench_rate_tbf(void);
double bench_rate_5g(void);
double bench_htb_tree(void);
/* See reload.c: microseconds of CPU time. */
double bench_reload_loop(void);
/* See two.c: times one worker. */
double bench_nat_2w(void);

#endif
