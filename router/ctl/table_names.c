/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/ctl/table_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/router.h"

static const struct {
	const char *name;
	uint32_t table;
} linux_tables[] = { { "main", TABLE_MAIN },
		     { "local", TABLE_LOCAL },
		     { "default", TABLE_DEFAULT } };
#define LINUX_TABLES (sizeof(linux_tables) / sizeof(linux_tables[0]))

/* The i-th of those that the file names; NULL: there are no more. */
static const struct conf_table *named(const struct router *r, unsigned i)
{
	const struct conf *c = r->conf;

	if (!c || i >= c->ntables + c->nvrfs)
		return NULL;
	return i < c->ntables ? &c->tables[i] : &c->vrfs[i - c->ntables];
}

const char *table_text(const struct router *r, uint32_t table, char buf[TABLE_STRLEN])
{
	const struct conf_table *t;

	snprintf(buf, TABLE_STRLEN, "%u", table);
	for (unsigned i = 0; i < LINUX_TABLES; i++)
		if (linux_tables[i].table == table)
			snprintf(buf, TABLE_STRLEN, "%s", linux_tables[i].name);
	for (unsigned i = 0; (t = named(r, i)); i++) {
		if (t->table != table)
			continue;
		snprintf(buf, TABLE_STRLEN, "%s", t->name);
		break;
	}
	return buf;
}

int table_parse(const struct router *r, const char *text, uint32_t *table)
{
	const struct conf_table *t;
	unsigned long n;
	char *end;

	for (unsigned i = 0; i < LINUX_TABLES; i++) {
		if (strcmp(linux_tables[i].name, text) != 0)
			continue;
		*table = linux_tables[i].table;
		return 0;
	}
	for (unsigned i = 0; (t = named(r, i)); i++) {
		if (strcmp(t->name, text) != 0)
			continue;
		*table = t->table;
		return 0;
	}
	n = strtoul(text, &end, 10);
	if (*end || end == text || text[0] == '-' || n == 0 || n > UINT32_MAX)
		return -EINVAL;
	*table = (uint32_t)n;
	return 0;
}
