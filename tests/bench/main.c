/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *key;
	double (*run)(void);
} keys[] = {
	{ "fwd4", bench_fwd4 },
	{ "fwd6", bench_fwd6 },
	{ "fwd4-full", bench_fwd4_full },
	{ "fwd6-full", bench_fwd6_full },
	{ "fwd4-rules10", bench_fwd4_rules10 },
	{ "fwd4-rules100", bench_fwd4_rules100 },
	{ "fib4", bench_fib4 },
	{ "fib4-routed", bench_fib4_routed },
	{ "fib6", bench_fib6 },
	{ "fib-size4", bench_fib_size4 },
	{ "fib-size6", bench_fib_size6 },
	{ "fib-size-empty", bench_fib_size_empty },
	{ "ct-1k", bench_ct_1k },
	{ "ct-64k", bench_ct_64k },
	{ "nat-1k", bench_nat_1k },
	{ "nat-1k-rules", bench_nat_1k_rules },
	{ "nat-64k", bench_nat_64k },
	{ "nat-1m", bench_nat_1m },
	{ "new-flows", bench_new_flows },
	{ "new-flows-live", bench_new_flows_live },
	{ "flow-mem", bench_flow_mem },
	{ "expire-loop", bench_expire_loop },
	{ "rules", bench_rules },
	{ "rules-none", bench_rules_none },
	{ "nat-2w", bench_nat_2w },
	{ "qos-1k", bench_qos_1k },
	{ "qos-100k", bench_qos_100k },
	{ "qos-idle", bench_qos_idle },
	{ "rate-htb", bench_rate_htb },
	{ "rate-tbf", bench_rate_tbf },
	{ "rate-5g", bench_rate_5g },
	{ "htb-tree", bench_htb_tree },
	{ "reload-loop", bench_reload_loop },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 2 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcmp(keys[i].key, argv[1])) {
			printf("%.2f\n", keys[i].run());
			return 0;
		}
	}
	fprintf(stderr, "usage: bench-c KEY\n");
	return 2;
}
