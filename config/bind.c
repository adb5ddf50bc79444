// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over a file's tree, hand in hand with the schema.
 *
 * bind_node() is given a row and a node and does what the row's type says: a mapping looks up the
 * row of each of its keys, a list or a mapping of names makes one record an element, everything
 * else is a value, or words, for value*.c. Where a value is stored follows from the row too:
 * record[] holds, for each kind of struct, the one that is being filled. What is particular to a
 * kind happens at its beginning and its end: bind_records.c, bind_rules.c and bind_qos.c.
 *
 * An error never stops the walk. Checks that need a whole element run only if the element had none.
 */
#include "config/bind.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/bind_walk.h"
#include "config/schema.h"
#include "config/text.h"
#include "config/value.h"

static void bind_map(struct bind *b, const struct schema_row *row, const struct yaml_node *n);
static void bind_inner(struct bind *b, const struct schema_row *row, const struct yaml_node *n);

void bind_place_add(struct bind *b, const void *field, const struct yaml_node *node)
{
	struct bind_places *p = b->places;

	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct bind_place *more = realloc(p->place, room * sizeof(*more));
		if (!more) {
			b->no_memory = true;
			return;
		}
		p->place = more;
		p->room = room;
	}
	p->place[p->n++] = (struct bind_place){ field, node };
}

static int compare_fields(const void *a, const void *b)
{
	const char *x = ((const struct bind_place *)a)->field,
		   *y = ((const struct bind_place *)b)->field;

	return x < y ? -1 : x > y;
}

const struct yaml_node *bind_where(const struct bind_places *places, const void *field)
{
	struct bind_place key = { .field = field };

	if (places->n == 0)
		return NULL;
	const struct bind_place *found =
		bsearch(&key, places->place, places->n, sizeof(key), compare_fields);
	return found ? found->node : NULL;
}

void bind_places_fini(struct bind_places *places)
{
	free(places->place);
	*places = (struct bind_places){ 0 };
}

void bind_defaults(enum schema_record kind, void *record)
{
	struct value_error e;

	for (unsigned i = 0; i < schema_nrows; i++) {
		const struct schema_row *row = &schema_rows[i];
		if (row->in != kind || !row->fallback)
			continue;
		int err = value_parse(row, row->fallback, (char *)record + row->at, &e);
		assert(!err);
		(void)err;
	}
}

static const char *found(const struct yaml_node *n, char buf[TEXT_QUOTE_MAX])
{
	switch (n->kind) {
	case YAML_LIST: return "a list";
	case YAML_MAP: return "a mapping";
	default: return n->plain && !n->text[0] ? "nothing" : text_quote(n->text, buf);
	}
}

static bool expect(struct bind *b, const struct yaml_node *n, enum yaml_kind kind)
{
	static const char *const wanted[] = {
		[YAML_TEXT] = "a value", [YAML_LIST] = "a list", [YAML_MAP] = "a mapping"
	};
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	if (n->kind == kind)
		return true;
	if (!n->parent)
		report_error(b->report, n->mark, "expected a mapping of keys, found %s",
			     found(n, word));
	else
		report_error(b->report, n->mark, "%s: expected %s, found %s", yaml_path(n, path),
			     wanted[kind], found(n, word));
	if (kind == YAML_TEXT || n->kind != YAML_TEXT)
		return false;
	if (n->plain && !n->text[0])
		report_help(b->report, "write %s for an empty one", kind == YAML_MAP ? "{}" : "[]");
	else if (kind == YAML_LIST)
		report_help(b->report, "write [%.60s]", n->text);
	return false;
}

static void *field_of(const struct bind *b, const struct schema_row *row)
{
	char *record = b->record[row->in];

	return row->in != SCHEMA_NOWHERE && record ? record + row->at : NULL;
}

static void report_value(struct bind *b, const struct yaml_node *n, const struct value_error *e)
{
	char path[YAML_PATH_MAX];

	report_error(b->report, n->mark, "%s: %s", yaml_path(n, path), e->what);
	if (e->help[0])
		report_help(b->report, "%s", e->help);
}

static void bind_value(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	bool number = row->type == SCHEMA_UINT || row->type == SCHEMA_BOOL;
	void *field = field_of(b, row);
	struct value_error e;
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	if (!expect(b, n, YAML_TEXT))
		return;
	if (n->plain && !n->text[0]) {
		report_error(b->report, n->mark, "%s: the value is missing", yaml_path(n, path));
	} else if (value_parse(row, n->text, field, &e) < 0) {
		report_value(b, n, &e);
	} else if (number && !n->plain &&
		   (row->type == SCHEMA_BOOL || isdigit((unsigned char)n->text[0]))) {
		report_error(b->report, n->mark, "%s: %s is a string", yaml_path(n, path),
			     text_quote(n->text, word));
		report_help(b->report, "write %.60s, without quotes", n->text);
	} else if (field) {
		bind_place_add(b, field, n);
	}
}

/* `icmp: {type: 3, code: 4}` is the word 3/4. */
static int add_icmp_map(struct bind *b, const struct schema_row *row, const struct yaml_node *n,
			struct value_error *e)
{
	const struct yaml_node *type = yaml_get(n, "type"), *code = yaml_get(n, "code");
	unsigned errors = report_errors(b->report);
	char text[64];

	bind_map(b, row, n);
	if (errors != report_errors(b->report) || !type || type->kind != YAML_TEXT ||
	    (code && code->kind != YAML_TEXT))
		return 0;
	snprintf(text, sizeof(text), "%s%s%s", type->text, code ? "/" : "", code ? code->text : "");
	return value_add(row, text, b->record[row->in], e);
}

static void bind_word(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	char path[YAML_PATH_MAX];
	struct value_error e;
	int err = 0;

	if (n->kind == YAML_BROKEN)
		return;
	if (n->kind == YAML_MAP && row->map_too)
		err = add_icmp_map(b, row, n, &e);
	else if (!expect(b, n, YAML_TEXT))
		return;
	else if (n->plain && !n->text[0])
		report_error(b->report, n->mark, "%s: the value is missing", yaml_path(n, path));
	else
		err = value_add(row, n->text, b->record[row->in], &e);
	if (err == -ENOMEM)
		b->no_memory = true;
	else if (err)
		report_value(b, n, &e);
}

/* One word, or a list of them. */
static void bind_words(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	char *record = b->record[row->in], path[YAML_PATH_MAX], word[VALUE_TEXT_MAX];

	if (!record ||
	    value_word(row, record, 0, word)) /* a duplicate key, reported by who read it */
		return;
	if (n->kind == YAML_LIST && !n->items && !row->empty_too)
		report_error(b->report, n->mark, "%s: the list is empty", yaml_path(n, path));
	bind_place_add(b, record + row->at, n);
	if (n->kind != YAML_LIST) {
		bind_word(b, row, n);
		return;
	}
	for (const struct yaml_item *i = n->items; i; i = i->next)
		bind_word(b, row, i->value);
}

/* The words of a list with " . " between them. */
static bool join_words(struct bind *b, const struct yaml_node *list, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const struct yaml_item *i = list->items; i; i = i->next) {
		if (i->value->kind == YAML_BROKEN || !expect(b, i->value, YAML_TEXT))
			return false;
		if (used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " . " : "",
						 i->value->text);
	}
	return true;
}

static void bind_set_element(struct bind *b, const struct schema_row *row,
			     const struct yaml_node *n)
{
	const struct conf_set *set = b->record[SCHEMA_SET];
	struct conf_element *element = b->record[SCHEMA_SET_ELEMENT];
	char joined[VALUE_ELEMENT_MAX];
	struct value_error e;

	if (n->kind == YAML_MAP && row->map_too) {
		bind_map(b, row, n);
		return;
	}
	if (b->unclear_set || (n->kind == YAML_LIST && !join_words(b, n, joined, sizeof(joined))))
		return;
	if (n->kind != YAML_LIST && !expect(b, n, YAML_TEXT))
		return;
	if (value_parse_element(set, n->kind == YAML_LIST ? joined : n->text, element, &e) < 0)
		report_value(b, n, &e);
	else
		bind_place_add(b, element, n);
}

static void bind_bytecode(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	struct conf_frame_match *frame = b->record[SCHEMA_FRAME];
	struct value_error e;
	(void)row;

	if (!expect(b, n, YAML_TEXT) || !frame || frame->bpf)
		return;
	int err = value_parse_bytecode(n->text, &frame->bpf, &frame->nbpf, &e);
	if (err == -ENOMEM)
		b->no_memory = true;
	else if (err)
		report_value(b, n, &e);
	else
		bind_place_add(b, &frame->bpf, n);
}

static void unknown_key(struct bind *b, const struct schema_row *parent,
			const struct yaml_node *map, const struct yaml_node *key)
{
	char within[YAML_PATH_MAX], word[TEXT_QUOTE_MAX], keys[400] = "";
	struct text_guess guess = { .written = key->text };

	parent = schema_body(parent);
	if (bind_qdisc_unknown(b, parent, map, key))
		return;
	for (const struct schema_row *r = parent + 1; r < schema_end(parent); r++) {
		const char *name = r->alias ? NULL : schema_key_under(r, parent);
		if (!name)
			continue;
		text_guess_add(&guess, name);
		size_t used = strlen(keys);
		snprintf(keys + used, sizeof(keys) - used, "%s%s", used ? ", " : "", name);
	}
	report_error(b->report, key->mark, "unknown key %s %s", text_quote(key->text, word),
		     yaml_within(map, within));
	if (guess.best)
		report_help(b->report, "did you mean \"%s\"?", guess.best);
	else if (keys[0])
		report_help(b->report, "there may be: %s", keys);
	else
		report_help(b->report, "there is nothing to say here, write {}");
}

static void bind_map(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	char path[YAML_PATH_MAX];

	if (!expect(b, n, YAML_MAP))
		return;
	for (const struct yaml_item *i = n->items; i; i = i->next) {
		const struct schema_row *child = schema_child(row, i->key->text);
		if (child)
			bind_node(b, child, i->value);
		else if (strcmp(i->key->text, "<<"))
			unknown_key(b, row, n, i->key);
	}
	row = schema_body(row);
	const struct schema_row *end = schema_end(row);
	for (const struct schema_row *r = row + 1; r < end; r++) {
		const char *name = r->required ? schema_key_under(r, row) : NULL;
		if (!name || yaml_get(n, name))
			continue;
		yaml_path(n, path);
		report_error(b->report, n->mark, "%s%s\"%s\" is missing", path, path[0] ? ": " : "",
			     name);
		if (!n->parent)
			report_help(b->report, "begin the file with version: 1");
	}
}

/* One record: an element of a list, what a name of a mapping means, or a mapping with a record of
 * its own. It has its defaults; NULL: what is read is not stored. */
static void bind_record(struct bind *b, const struct schema_row *row, enum schema_record element,
			void *record, const struct yaml_item *item)
{
	const struct bind_kind *kind = &bind_kinds[element];
	const struct yaml_node *n = item->value;
	unsigned errors = report_errors(b->report);

	if (n->kind == YAML_BROKEN)
		return;
	b->record[element] = record;
	if (record && kind->begin)
		kind->begin(b, record, item);
	if (row->type == SCHEMA_MAP)
		bind_map(b, row, n);
	else
		bind_node(b, row, n);
	if (record && kind->end)
		kind->end(b, record, item, errors == report_errors(b->report));
	if (!record || !kind->line_at)
		return;
	unsigned *line = (unsigned *)((char *)record + kind->line_at);
	*line = item->key ? item->key->mark.line : n->mark.line;
	bind_place_add(b, line, n);
}

/* A mapping whose keys fill a record in a field of the one around it. */
static void bind_inner(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	const struct yaml_item item = { .value = (struct yaml_node *)n };
	void *outer = b->record[row->element];
	void *record = row->element == SCHEMA_QDISC ? bind_qdisc_take(b, row) : field_of(b, row);

	if (record)
		bind_defaults(row->element, record);
	bind_record(b, row, row->element, record, &item);
	b->record[row->element] = outer;
}

/* Room for a list's elements; NULL: no memory, or a duplicate key, reported by who read it. */
static void *list_room(struct bind *b, const struct schema_row *row, unsigned nitems)
{
	char *owner = b->record[row->in];

	if (row->element == SCHEMA_QDISC)
		return bind_qdiscs_take(b, nitems);
	unsigned *count = (unsigned *)(owner + row->count_at);
	if (*count)
		return NULL;
	void *elements = row->in_place ? owner + row->at : calloc(nitems, row->size);
	if (!elements) {
		b->no_memory = true;
		return NULL;
	}
	if (!row->in_place)
		memcpy(owner + row->at, &elements, sizeof(elements));
	*count = nitems;
	return elements;
}

static void bind_list(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	const struct yaml_item one = { .value = (struct yaml_node *)n };
	bool single = row->single_too && n->kind != YAML_LIST;
	char path[YAML_PATH_MAX];

	if (!single && !expect(b, n, row->type == SCHEMA_NAMED ? YAML_MAP : YAML_LIST))
		return;
	unsigned nitems = single ? 1 : n->nitems;
	if (nitems == 0 || !b->record[row->in])
		return;
	if (row->max && nitems > row->max) {
		report_error(b->report, n->mark, "%s: more than %u", yaml_path(n, path), row->max);
		return;
	}
	void *outer = b->record[row->element];
	char *element = list_room(b, row, nitems);
	if (!element)
		return;
	bind_defaults(row->element, element);
	for (unsigned i = 1; i < nitems; i++)
		memcpy(element + i * row->size, element, row->size);
	for (const struct yaml_item *i = single ? &one : n->items; i; i = i->next) {
		bind_record(b, schema_element(row), row->element, element, i);
		element += row->size;
	}
	b->record[row->element] = outer;
}

void bind_node(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	if (n->kind == YAML_BROKEN)
		return;
	switch (row->type) {
	case SCHEMA_MAP: row->element ? bind_inner(b, row, n) : bind_map(b, row, n); break;
	case SCHEMA_NAMED:
	case SCHEMA_LIST: bind_list(b, row, n); break;
	case SCHEMA_ELEMENT: bind_set_element(b, row, n); break;
	case SCHEMA_BYTECODE: bind_bytecode(b, row, n); break;
	default:
		if (schema_is_words(row))
			bind_words(b, row, n);
		else if (row->map_too && n->kind == YAML_MAP)
			bind_map(b, row, n);
		else
			bind_value(b, row, n);
	}
}

/* Nothing else in a file of another version means what we think it does. */
static bool version_refused(struct bind *b, const struct yaml_node *root)
{
	const struct yaml_node *n = yaml_get(root, "version");

	if (!n || n->kind != YAML_TEXT || !n->text[0] ||
	    strspn(n->text, "0123456789.") != strlen(n->text) || !strcmp(n->text, "1"))
		return false;
	report_error(b->report, n->mark, "version: this router does not read version %.20s",
		     n->text);
	report_help(b->report, "it reads version 1");
	return true;
}

int bind_conf(struct report *r, const struct yaml_node *root, struct conf *c,
	      struct bind_places *places)
{
	struct bind b = { .report = r, .places = places, .record[SCHEMA_CONF] = c };

	if (version_refused(&b, root))
		return -EINVAL;
	b.record[SCHEMA_CONNTRACK] = &c->conntrack;
	bind_defaults(SCHEMA_CONF, c);
	bind_defaults(SCHEMA_CONNTRACK, &c->conntrack);
	bind_node(&b, schema_find(""), root);
	bind_conntrack_end(c, root);
	if (b.no_memory)
		return -ENOMEM;
	if (places->n)
		qsort(places->place, places->n, sizeof(places->place[0]), compare_fields);
	return 0;
}
