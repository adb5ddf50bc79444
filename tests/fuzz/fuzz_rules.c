/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The matcher against the oracle: bytes become rules and packets. */
#include "tests/rules_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle o;
	struct bytes b = { data, data + size };
	struct matcher *m;
	unsigned n;

	oracle_init(&o);
	/* few rules mostly; now and then several segments, all but the first few alike */
	n = take(&b) % 32;
	if (n == 31)
		n = 500 + 2 * take(&b);
	if (oracle_build(&o, &b, n, &m))
		abort();
	do {
		struct match_packet p;
		unsigned from;

		random_packet(&b, &p);
		from = seldom(&b, 3) ? take(&b) : 0;
		if (!oracle_agrees(&o, m, from <= n ? from : n, &p))
			abort();
	} while (b.at < b.end);
	matcher_destroy(m);
	names_fini(&o.names);
	return 0;
}
