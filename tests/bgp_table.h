/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A routing table from a gzipped file of prefixes, one a line, for tests and benchmarks. */
#ifndef TESTS_BGP_TABLE_H
#define TESTS_BGP_TABLE_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bgp_prefix {
	uint8_t addr[16]; /* network order; IPv4 in the first four */
	uint8_t len;
};

struct bgp_table {
	struct bgp_prefix *v;
	size_t n;
};

static inline int bgp_table_add(struct bgp_table *t, const struct bgp_prefix *p)
{
	if (!(t->n & (t->n - 1))) { /* full at every power of two */
		void *more = realloc(t->v, (t->n ? 2 * t->n : 1) * sizeof(*t->v));

		if (!more)
			return -1;
		t->v = more;
	}
	t->v[t->n++] = *p;
	return 0;
}

/* Adds the file's prefixes to v4 and v6; 0, or -1. Both are to be freed by the caller. */
static inline int bgp_table_load(const char *path, struct bgp_table *v4, struct bgp_table *v6)
{
	char line[512];
	int rc = 0;
	FILE *in;

	snprintf(line, sizeof(line), "zcat '%s'", path);
	in = popen(line, "r");
	if (!in)
		return -1;
	while (!rc && fgets(line, sizeof(line), in)) {
		struct bgp_prefix p = { .len = 0 };
		char *slash = strchr(line, '/');
		int is6 = !!strchr(line, ':');

		if (!slash)
			continue;
		*slash = '\0';
		p.len = (uint8_t)atoi(slash + 1);
		rc = inet_pton(is6 ? AF_INET6 : AF_INET, line, p.addr) == 1 ? 0 : -1;
		if (!rc)
			rc = bgp_table_add(is6 ? v6 : v4, &p);
	}
	return pclose(in) ? -1 : rc;
}

#endif
