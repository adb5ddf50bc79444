// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_print(): a struct conf as YAML, by the rows that read it.
 *
 * What the daemon is set to is printed with its defaults, interfaces and routes only with what they
 * say. Two levels are written as blocks, everything below in braces on one line, so that a route is
 * a line. Words that YAML 1.1 might take for something else are quoted.
 */
#include "config/conf.h"

#include <ctype.h>
#include <string.h>

#include "config/schema.h"
#include "config/value.h"

enum { BLOCK_LEVELS = 2 };

struct printer {
	FILE *out;
	const void *record[SCHEMA_RECORDS];
};

static void print_inline(struct printer *p, const struct schema_row *row);

/* Plain where no reader of any YAML version sees more than a string, double-quoted elsewhere. */
static void print_string(FILE *out, const char *s)
{
	static const char *const special[] = { "y",   "n",    "yes",   "no",  "on",
					       "off", "true", "false", "null" };
	bool plain = isalpha((unsigned char)s[0]);

	for (const char *c = s; *c; c++)
		plain &= isalnum((unsigned char)*c) || strchr("._-", *c);
	for (unsigned i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		plain &= strcasecmp(s, special[i]) != 0;
	if (plain) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++)
		fprintf(out, "%s%c", strchr("\"\\", *s) ? "\\" : "", *s);
	fputc('"', out);
}

static void print_cpus(FILE *out, const struct conf *c)
{
	fputc('[', out);
	for (unsigned i = 0; i < c->workers.ncpus; i++)
		fprintf(out, "%s%u", i ? ", " : "", c->workers.cpus[i]);
	fputc(']', out);
}

static const void *field_of(const struct printer *p, const struct schema_row *row)
{
	const char *record = p->record[row->in];

	return row->in != SCHEMA_NOWHERE && record ? record + row->at : NULL;
}

/* The text of a value, "" when there is nothing to print. */
static const char *value_text(struct printer *p, const struct schema_row *row,
			      char buf[VALUE_TEXT_MAX])
{
	const void *field = field_of(p, row);

	if (row->in == SCHEMA_NOWHERE)
		return row->fallback ? row->fallback : "";
	if (!field)
		return "";
	value_format(row, field, buf);
	bool said = row->in == SCHEMA_CONF || !row->fallback || strcmp(buf, row->fallback);
	return said ? buf : "";
}

/* A list's elements: how many, and where. */
static unsigned elements(const struct printer *p, const struct schema_row *row, const char **first)
{
	const char *owner = p->record[row->in];

	if (row->in == SCHEMA_NOWHERE)
		return 0;
	memcpy(first, owner + row->at, sizeof(*first));
	return *(const unsigned *)(owner + row->count_at);
}

/* A route with a single plain next hop has it as its own via and dev. */
static void set_record(struct printer *p, enum schema_record kind, const void *record)
{
	const struct conf_route *r = record;

	p->record[kind] = record;
	if (kind != SCHEMA_ROUTE)
		return;
	bool own = r->nnexthops == 1 && r->nexthops[0].weight == 1;
	p->record[SCHEMA_NEXTHOP] = own ? r->nexthops : NULL;
}

static bool has_content(struct printer *p, const struct schema_row *row)
{
	char buf[VALUE_TEXT_MAX];
	const char *first;

	switch (row->type) {
	case SCHEMA_MAP:
		for (unsigned i = 0; i < schema_nrows; i++)
			if (schema_key_under(&schema_rows[i], row) &&
			    has_content(p, &schema_rows[i]))
				return true;
		return false;
	case SCHEMA_NAMED:
	case SCHEMA_LIST:
		if (row->element == SCHEMA_NEXTHOP && p->record[SCHEMA_NEXTHOP])
			return false; /* printed as via and dev */
		return elements(p, row, &first) > 0;
	case SCHEMA_CPUS: return ((const struct conf *)p->record[SCHEMA_CONF])->workers.ncpus > 0;
	default: return value_text(p, row, buf)[0] != '\0';
	}
}

static void print_inline_map(struct printer *p, const struct schema_row *row)
{
	const char *joint = "";

	fputc('{', p->out);
	for (unsigned i = 0; i < schema_nrows; i++) {
		const char *key = schema_key_under(&schema_rows[i], row);
		if (!key || !has_content(p, &schema_rows[i]))
			continue;
		fprintf(p->out, "%s%s: ", joint, key);
		print_inline(p, &schema_rows[i]);
		joint = ", ";
	}
	fputc('}', p->out);
}

static void print_inline_list(struct printer *p, const struct schema_row *row)
{
	const void *outer = p->record[row->element];
	const char *first;
	unsigned n = elements(p, row, &first);

	fputc('[', p->out);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", p->out);
		set_record(p, row->element, first + i * row->size);
		print_inline(p, schema_element(row));
	}
	fputc(']', p->out);
	p->record[row->element] = outer;
}

static void print_inline(struct printer *p, const struct schema_row *row)
{
	char buf[VALUE_TEXT_MAX];

	switch (row->type) {
	case SCHEMA_MAP: print_inline_map(p, row); break;
	case SCHEMA_NAMED:
	case SCHEMA_LIST: print_inline_list(p, row); break;
	case SCHEMA_CPUS: print_cpus(p->out, p->record[SCHEMA_CONF]); break;
	case SCHEMA_UINT:
	case SCHEMA_BOOL: fputs(value_text(p, row, buf), p->out); break;
	default: print_string(p->out, value_text(p, row, buf)); break;
	}
}

/* "  - {...}" or "  name: {...}", a line an element. */
static void print_elements(struct printer *p, const struct schema_row *row, int indent)
{
	const char *first;
	unsigned n = elements(p, row, &first);

	for (unsigned i = 0; i < n; i++) {
		set_record(p, row->element, first + i * row->size);
		fprintf(p->out, "%*s", indent, "");
		if (row->type == SCHEMA_NAMED) {
			print_string(p->out,
				     ((const struct conf_iface *)p->record[SCHEMA_IFACE])->name);
			fputs(": ", p->out);
		} else {
			fputs("- ", p->out);
		}
		print_inline(p, schema_element(row));
		fputc('\n', p->out);
	}
}

static void print_block(struct printer *p, const struct schema_row *row, int level)
{
	for (unsigned i = 0; i < schema_nrows; i++) {
		const struct schema_row *child = &schema_rows[i];
		const char *key = schema_key_under(child, row);
		if (!key || !has_content(p, child))
			continue;
		fprintf(p->out, "%*s%s:", 2 * level, "", key);
		if (child->type == SCHEMA_NAMED || child->type == SCHEMA_LIST) {
			fputc('\n', p->out);
			print_elements(p, child, 2 * level + 2);
		} else if (child->type == SCHEMA_MAP && level + 1 < BLOCK_LEVELS) {
			fputc('\n', p->out);
			print_block(p, child, level + 1);
		} else {
			fputc(' ', p->out);
			print_inline(p, child);
			fputc('\n', p->out);
		}
	}
}

void conf_print(const struct conf *c, FILE *out)
{
	struct printer p = { .out = out, .record[SCHEMA_CONF] = c };

	fputs("version: 1\n", out);
	print_block(&p, schema_find(""), 0);
}
