// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_print(): a struct conf as YAML, by the rows that read it.
 *
 * What the daemon is set to is printed with its defaults, interfaces and routes only with what they
 * say; of shaping, handles too, which the file may have left to us. Two levels are written as
 * blocks, everything below in braces on one line, so that a route is a line. Words that YAML 1.1
 * might take for something else are quoted.
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
	unsigned
		next_leaf; /* of record[SCHEMA_TREE]: the first qdisc that may be a later class's */
};

static void print_inline(struct printer *p, const struct schema_row *row);
static void print_block(struct printer *p, const struct schema_row *row, int indent, int levels);
static bool has_content(struct printer *p, const struct schema_row *row);

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

/* A word of a list, or alone: digits are a number to every reader. */
static void print_word(FILE *out, const char *s)
{
	if (s[0] && strspn(s, "0123456789") == strlen(s) && (s[0] != '0' || !s[1]))
		fputs(s, out);
	else
		print_string(out, s);
}

/* One word stands alone where it may. */
static void print_words(struct printer *p, const struct schema_row *row)
{
	const void *record = p->record[row->in];
	char buf[VALUE_TEXT_MAX];
	bool list = row->empty_too || row->type == SCHEMA_CPUS || value_word(row, record, 1, buf);

	fputs(list ? "[" : "", p->out);
	for (unsigned i = 0; value_word(row, record, i, buf); i++) {
		fputs(i ? ", " : "", p->out);
		print_word(p->out, buf);
	}
	fputs(list ? "]" : "", p->out);
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
	if (row->says && !row->says(row, p->record[row->in]))
		return "";
	value_format(row, field, buf);
	bool always = row->in == SCHEMA_CONF || row->in == SCHEMA_CONNTRACK;
	return always || !row->fallback || strcmp(buf, row->fallback) ? buf : "";
}

/* A list's elements: how many, and where. */
static unsigned elements(const struct printer *p, const struct schema_row *row, const char **first)
{
	const char *owner = p->record[row->in];

	if (row->in == SCHEMA_NOWHERE)
		return 0;
	if (row->element == SCHEMA_QDISC) {
		const struct conf_tree *t = p->record[SCHEMA_TREE];
		*first = (const char *)t->qdiscs;
		return t->nqdiscs;
	}
	if (row->in_place)
		*first = owner + row->at;
	else
		memcpy(first, owner + row->at, sizeof(*first));
	return *(const unsigned *)(owner + row->count_at);
}

/* The array of qdiscs holds the root, which has a key of its own, those in classes of the list,
 * which are printed there, and others, whose parent must be said. */
static bool is_element(const struct schema_row *row, const void *record)
{
	return row->element != SCHEMA_QDISC || ((const struct conf_qdisc *)record)->parent_name[0];
}

static bool has_elements(const struct printer *p, const struct schema_row *row)
{
	const char *first;
	unsigned n = elements(p, row, &first);

	for (unsigned i = 0; i < n; i++)
		if (is_element(row, first + i * row->size))
			return true;
	return false;
}

/* The qdisc in a class, or NULL. Those in classes come in the order of these. */
static const struct conf_qdisc *leaf_of(struct printer *p, const struct conf_class *c)
{
	const struct conf_tree *t = p->record[SCHEMA_TREE];

	while (p->next_leaf < t->nqdiscs && t->qdiscs[p->next_leaf].parent_name[0])
		p->next_leaf++;
	if (p->next_leaf == t->nqdiscs || t->qdiscs[p->next_leaf].parent != c->handle)
		return NULL;
	return &t->qdiscs[p->next_leaf++];
}

/* A route with a single plain next hop has it as its own via and dev; a rule's match is a record
 * of its own. */
static void set_record(struct printer *p, enum schema_record kind, const void *record)
{
	const struct conf_route *r = record;

	p->record[kind] = record;
	switch (kind) {
	case SCHEMA_ROUTE: {
		bool own = r->nnexthops == 1 && r->nexthops[0].weight == 1;
		p->record[SCHEMA_NEXTHOP] = own ? r->nexthops : NULL;
		break;
	}
	case SCHEMA_RULE:
		p->record[SCHEMA_MATCH] = &((const struct conf_rule *)record)->match;
		break;
	case SCHEMA_NAT_SOURCE:
	case SCHEMA_NAT_DESTINATION:
	case SCHEMA_NAT_STATIC:
		p->record[SCHEMA_MATCH] = &((const struct conf_nat *)record)->match;
		break;
	case SCHEMA_TC_FILTER:
		p->record[SCHEMA_MATCH] = &((const struct conf_tc_filter *)record)->match;
		p->record[SCHEMA_FRAME] = &((const struct conf_tc_filter *)record)->frame;
		break;
	case SCHEMA_MIRROR:
	case SCHEMA_REDIRECT:
		p->record[SCHEMA_MATCH] = &((const struct conf_mirror *)record)->match;
		p->record[SCHEMA_FRAME] = &((const struct conf_mirror *)record)->frame;
		break;
	case SCHEMA_TREE: p->next_leaf = 1; break;
	case SCHEMA_CLASS: p->record[SCHEMA_QDISC] = leaf_of(p, record); break;
	default: break;
	}
}

/* What is inside of a mapping with a record of its own; NULL: there is no such thing. */
static const void *inner_record(const struct printer *p, const struct schema_row *row)
{
	const struct conf_tree *t;

	if (row->says && !row->says(row, p->record[row->in]))
		return NULL;
	switch (row->element) {
	case SCHEMA_QDISC:
		t = p->record[SCHEMA_TREE];
		return row->in == SCHEMA_CLASS ? p->record[SCHEMA_QDISC] : t->qdiscs;
	case SCHEMA_TREE: t = field_of(p, row); return t->nqdiscs ? t : NULL;
	default: return field_of(p, row);
	}
}

/* From here on, this mapping is what is printed. */
static const struct schema_row *enter(struct printer *p, const struct schema_row *row)
{
	if (row->type == SCHEMA_MAP && row->element)
		set_record(p, row->element, inner_record(p, row));
	return schema_body(row);
}

static bool map_has_content(struct printer *p, const struct schema_row *row)
{
	const struct schema_row *end = schema_end(row);

	for (const struct schema_row *child = row + 1; child < end; child++)
		if (schema_key_under(child, row) && has_content(p, child))
			return true;
	return false;
}

static bool has_content(struct printer *p, const struct schema_row *row)
{
	char buf[VALUE_TEXT_MAX];

	if (row->alias)
		return false;
	switch (row->type) {
	case SCHEMA_MAP:
		return row->element ? inner_record(p, row) != NULL : map_has_content(p, row);
	case SCHEMA_NAMED:
	case SCHEMA_LIST:
		if (row->element == SCHEMA_NEXTHOP && p->record[SCHEMA_NEXTHOP])
			return false; /* printed as via and dev */
		return has_elements(p, row);
	case SCHEMA_ELEMENT: return true;
	case SCHEMA_BYTECODE:
		return ((const struct conf_frame_match *)p->record[SCHEMA_FRAME])->nbpf > 0;
	default:
		if (schema_is_words(row))
			return value_word(row, p->record[row->in], 0, buf);
		return value_text(p, row, buf)[0] || (row->map_too && map_has_content(p, row));
	}
}

static void print_inline_map(struct printer *p, const struct schema_row *row)
{
	row = enter(p, row);
	const struct schema_row *end = schema_end(row);
	const char *joint = "";

	fputc('{', p->out);
	for (const struct schema_row *child = row + 1; child < end; child++) {
		const char *key = schema_key_under(child, row);
		if (!key || !has_content(p, child))
			continue;
		fprintf(p->out, "%s%s: ", joint, key);
		print_inline(p, child);
		joint = ", ";
	}
	fputc('}', p->out);
}

static void print_inline_list(struct printer *p, const struct schema_row *row)
{
	const void *outer = p->record[row->element];
	const char *first;
	unsigned n = elements(p, row, &first);
	bool single = n == 1 && row->single_too;
	const char *joint = "";

	fputs(single ? "" : "[", p->out);
	for (unsigned i = 0; i < n; i++) {
		if (!is_element(row, first + i * row->size))
			continue;
		fputs(joint, p->out);
		joint = ", ";
		set_record(p, row->element, first + i * row->size);
		print_inline(p, schema_element(row));
	}
	fputs(single ? "" : "]", p->out);
	p->record[row->element] = outer;
}

/* An element with its own timeout is a mapping, and itself a value in it. */
static void print_set_element(struct printer *p, const struct schema_row *row)
{
	const struct conf_element *element = p->record[SCHEMA_SET_ELEMENT];
	char buf[VALUE_ELEMENT_MAX];

	if (row->map_too && element->timeout_s)
		print_inline_map(p, row);
	else
		print_word(p->out, value_format_element(p->record[SCHEMA_SET], element, buf));
}

static void print_value(struct printer *p, const struct schema_row *row)
{
	char buf[VALUE_TEXT_MAX];
	const char *text = value_text(p, row, buf);
	bool plain =
		row->type == SCHEMA_UINT || row->type == SCHEMA_BOOL ||
		row->type == SCHEMA_PRIORITY || row->type == SCHEMA_INT ||
		row->type == SCHEMA_PROBABILITY ||
		(row->type == SCHEMA_ENUM && (!strcmp(text, "true") || !strcmp(text, "false")));

	if (plain)
		fputs(text, p->out);
	else
		print_string(p->out, text);
}

/* As tc's `bytecode`: how many instructions, and each behind a comma. */
static void print_bytecode(struct printer *p)
{
	const struct conf_frame_match *f = p->record[SCHEMA_FRAME];

	fprintf(p->out, "\"%u", f->nbpf);
	for (const struct conf_bpf *b = f->bpf; b < f->bpf + f->nbpf; b++)
		fprintf(p->out, ",%u %u %u %u", b->code, b->jt, b->jf, b->k);
	fputc('"', p->out);
}

static void print_inline(struct printer *p, const struct schema_row *row)
{
	switch (row->type) {
	case SCHEMA_MAP: print_inline_map(p, row); break;
	case SCHEMA_NAMED:
	case SCHEMA_LIST: print_inline_list(p, row); break;
	case SCHEMA_ELEMENT: print_set_element(p, row); break;
	case SCHEMA_BYTECODE: print_bytecode(p); break;
	default:
		if (schema_is_words(row))
			print_words(p, row);
		else if (row->map_too && map_has_content(p, row))
			print_inline_map(p, row);
		else
			print_value(p, row);
	}
}

/* "  - {...}" or "  name: {...}", a line an element; a chain has a line for each of its rules. */
static void print_elements(struct printer *p, const struct schema_row *row, int indent)
{
	const char *first;
	unsigned n = elements(p, row, &first);

	for (unsigned i = 0; i < n; i++) {
		const char *record = first + i * row->size;
		if (!is_element(row, record))
			continue;
		set_record(p, row->element, record);
		fprintf(p->out, "%*s", indent, "");
		if (row->type == SCHEMA_NAMED) { /* such records begin with their name */
			print_string(p->out, record);
			fputs(":", p->out);
		} else {
			fputs("-", p->out);
		}
		int levels = row->element == SCHEMA_CHAIN ? 1 : row->element == SCHEMA_QOS ? 2 : 0;
		if (levels && map_has_content(p, schema_element(row))) {
			fputc('\n', p->out);
			print_block(p, schema_element(row), indent + 2, levels);
			continue;
		}
		fputc(' ', p->out);
		print_inline(p, schema_element(row));
		fputc('\n', p->out);
	}
}

/* A key a line; `levels` of mappings in it are blocks themselves. */
static void print_block(struct printer *p, const struct schema_row *row, int indent, int levels)
{
	row = enter(p, row);
	const struct schema_row *end = schema_end(row);

	for (const struct schema_row *child = row + 1; child < end; child++) {
		const char *key = schema_key_under(child, row);
		if (!key || !has_content(p, child))
			continue;
		fprintf(p->out, "%*s%s:", indent, "", key);
		if (child->type == SCHEMA_NAMED || child->type == SCHEMA_LIST) {
			fputc('\n', p->out);
			print_elements(p, child, indent + 2);
		} else if (child->type == SCHEMA_MAP && levels > 1) {
			fputc('\n', p->out);
			print_block(p, child, indent + 2, levels - 1);
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

	if (c->conntrack.enabled)
		p.record[SCHEMA_CONNTRACK] = &c->conntrack;
	fputs("version: 1\n", out);
	print_block(&p, schema_find(""), 0, BLOCK_LEVELS);
}
