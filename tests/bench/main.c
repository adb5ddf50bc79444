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
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 2 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcmp(keys[i].key, argv[1])) {
			printf("%.1f\n", keys[i].run());
			return 0;
		}
	}
	fprintf(stderr, "usage: bench-c KEY\n");
	return 2;
}
