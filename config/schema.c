// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding rows in the table of keys, schema_rows.c. A file of 10,000 rules asks half a million
 * times: what follows from the table alone is worked out once, by who asks first. [control]
 */
#include "config/schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 1024

static struct {
	bool made;
	const struct schema_row *by_path[ROWS_MAX];
	const struct schema_row *end[ROWS_MAX];
} known;

static int compare_paths(const void *a, const void *b)
{
	const struct schema_row *x = *(const struct schema_row *const *)a;
	const struct schema_row *y = *(const struct schema_row *const *)b;

	return strcmp(x->path, y->path);
}

static const struct schema_row *find_end(const struct schema_row *row)
{
	const struct schema_row *end = row + 1, *last = schema_rows + schema_nrows;
	size_t n = strlen(row->path);

	while (end < last && !strncmp(end->path, row->path, n) &&
	       (n == 0 || strchr(".[", end->path[n])))
		end++;
	return end;
}

static void know(void)
{
	if (known.made)
		return;
	assert(schema_nrows <= ROWS_MAX);
	for (unsigned i = 0; i < schema_nrows; i++) {
		known.by_path[i] = &schema_rows[i];
		known.end[i] = find_end(&schema_rows[i]);
	}
	qsort(known.by_path, schema_nrows, sizeof(known.by_path[0]), compare_paths);
	known.made = true;
}

const struct schema_row *schema_find(const char *path)
{
	const struct schema_row key = { .path = path }, *at = &key;
	const struct schema_row *const *found;

	know();
	found = bsearch(&at, known.by_path, schema_nrows, sizeof(known.by_path[0]), compare_paths);
	return found ? *found : NULL;
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
	know();
	return known.end[row - schema_rows];
}

const struct schema_row *schema_body(const struct schema_row *row)
{
	return row->like ? schema_find(row->like) : row;
}

const struct schema_row *schema_child(const struct schema_row *parent, const char *key)
{
	parent = schema_body(parent);
	const struct schema_row *end = schema_end(parent);

	for (const struct schema_row *row = parent + 1; row < end; row = schema_end(row)) {
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
