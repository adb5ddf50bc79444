// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding rows in the table of keys, schema_rows.c. [any] */
#include "config/schema.h"

#include <assert.h>
#include <string.h>

const struct schema_row *schema_find(const char *path)
{
	for (unsigned i = 0; i < schema_nrows; i++)
		if (!strcmp(schema_rows[i].path, path))
			return &schema_rows[i];
	return NULL;
}

const char *schema_key_under(const struct schema_row *row, const struct schema_row *parent)
{
	size_t n = strlen(parent->path);
	const char *rest = row->path + n;

	if (row == parent || strncmp(row->path, parent->path, n))
		return NULL;
	if (n > 0 && *rest++ != '.')
		return NULL;
	return *rest && !strpbrk(rest, ".[*") ? rest : NULL;
}

const struct schema_row *schema_end(const struct schema_row *row)
{
	const struct schema_row *end = row + 1, *last = schema_rows + schema_nrows;
	size_t n = strlen(row->path);

	while (end < last && !strncmp(end->path, row->path, n) &&
	       (n == 0 || strchr(".[", end->path[n])))
		end++;
	return end;
}

const struct schema_row *schema_body(const struct schema_row *row)
{
	return row->like ? schema_find(row->like) : row;
}

const struct schema_row *schema_child(const struct schema_row *parent, const char *key)
{
	parent = schema_body(parent);
	const struct schema_row *end = schema_end(parent);

	for (const struct schema_row *row = parent + 1; row < end; row++) {
		const char *name = schema_key_under(row, parent);
		if (name && !strcmp(name, key))
			return row;
	}
	return NULL;
}

const struct schema_row *schema_element(const struct schema_row *container)
{
	const char *mark = container->type == SCHEMA_NAMED ? ".*" : "[]";
	const struct schema_row *element = container + 1; /* contents stand right behind */

	assert(element < schema_rows + schema_nrows);
	assert(!strcmp(element->path + strlen(container->path), mark));
	(void)mark;
	return element;
}

char *schema_words(const struct schema_row *row, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const struct schema_word *w = row->words; w && w->word && used < size; w++) {
		const char *joint = w == row->words ? "" : w[1].word ? ", " : " or ";
		used += (size_t)snprintf(buf + used, size - used, "%s%s", joint, w->word);
	}
	return buf;
}
