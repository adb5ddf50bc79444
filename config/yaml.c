// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From libyaml's events to our tree.
 *
 * libyaml says nothing of duplicate keys, of cycles, or of how large a few aliases make a small
 * file, so that is decided here, while the tree grows: every container knows how many nodes it
 * stands for and how deep it is, and an alias adds those of its anchor. Every scalar stays the text
 * it was, so that no YAML 1.1 rule turns a MAC address or a handle into a number.
 *
 * The reader keeps a stack of open containers instead of recursing.
 */
#include "config/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/text.h"

enum { CHUNK_BYTES = 64 << 10, ANCHORS_MAX = 1000 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

struct yaml_tree {
	struct chunk *chunks;
	unsigned nnodes;
};

struct anchor {
	const char *name;
	struct yaml_node *node;
};

struct level {
	struct yaml_node *node;
	struct yaml_node *key; /* of a map: read, and waiting for its value */
};

struct reader {
	yaml_parser_t parser;
	struct yaml_tree *tree;
	struct report *report;
	unsigned source;
	struct yaml_node *root;
	unsigned documents;
	struct level stack[YAML_DEPTH_MAX];
	unsigned depth;
	struct anchor anchors[ANCHORS_MAX];
	unsigned nanchors;
};

struct yaml_tree *yaml_tree_create(void)
{
	return calloc(1, sizeof(struct yaml_tree));
}

void yaml_tree_destroy(struct yaml_tree *t)
{
	if (!t)
		return;
	for (struct chunk *c = t->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(t);
}

static void *tree_alloc(struct yaml_tree *t, size_t bytes)
{
	struct chunk *c = t->chunks;

	bytes = (bytes + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (!c || c->size - c->used < bytes) {
		size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		c = calloc(1, sizeof(*c) + size);
		if (!c)
			return NULL;
		c->size = size;
		c->next = t->chunks;
		t->chunks = c;
	}
	void *p = (char *)c->bytes + c->used;
	c->used += bytes;
	return p;
}

static const char *tree_text(struct yaml_tree *t, const void *bytes, size_t len)
{
	char *copy = tree_alloc(t, len + 1);

	if (copy)
		memcpy(copy, bytes, len);
	return copy;
}

struct yaml_node *yaml_node_copy(struct yaml_tree *t, const struct yaml_node *n)
{
	if (t->nnodes == YAML_NODES_MAX)
		return NULL;
	struct yaml_node *copy = tree_alloc(t, sizeof(*copy));
	if (!copy)
		return NULL;
	t->nnodes++;
	*copy = *n;
	copy->items = copy->last = NULL;
	copy->nitems = 0;
	copy->size = 1;
	copy->height = 0;
	return copy;
}

struct yaml_item *yaml_item_add(struct yaml_tree *t, struct yaml_node *to, struct yaml_node *key,
				struct yaml_node *value)
{
	struct yaml_item *item = tree_alloc(t, sizeof(*item));

	if (!item)
		return NULL;
	*item = (struct yaml_item){ .key = key, .value = value };
	if (to->last)
		to->last->next = item;
	else
		to->items = item;
	to->last = item;
	to->nitems++;
	return item;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	for (const struct yaml_item *i = map->kind == YAML_MAP ? map->items : NULL; i; i = i->next)
		if (!strcmp(i->key->text, key))
			return i->value;
	return NULL;
}

static int compare_items(const void *a, const void *b)
{
	const struct yaml_node *x = (*(struct yaml_item *const *)a)->key;
	const struct yaml_node *y = (*(struct yaml_item *const *)b)->key;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	if (x->mark.source != y->mark.source)
		return x->mark.source < y->mark.source ? -1 : 1;
	if (x->mark.line != y->mark.line)
		return x->mark.line < y->mark.line ? -1 : 1;
	return x->mark.col < y->mark.col ? -1 : x->mark.col > y->mark.col;
}

struct yaml_item **yaml_sorted(struct yaml_node *const maps[], unsigned nmaps, unsigned *nitems)
{
	size_t n = 0;

	for (unsigned i = 0; i < nmaps; i++)
		n += maps[i]->nitems;
	struct yaml_item **sorted = malloc((n + 1) * sizeof(struct yaml_item *));
	if (!sorted)
		return NULL;
	*nitems = 0;
	for (unsigned i = 0; i < nmaps; i++)
		for (struct yaml_item *item = maps[i]->items; item; item = item->next)
			sorted[(*nitems)++] = item;
	qsort(sorted, n, sizeof(struct yaml_item *), compare_items);
	return sorted;
}

char *yaml_path(const struct yaml_node *n, char buf[YAML_PATH_MAX])
{
	const struct yaml_node *chain[YAML_DEPTH_MAX + 1] = { NULL };
	unsigned depth = 0;
	size_t used = 0;

	for (; n && n->parent && depth <= YAML_DEPTH_MAX; n = n->parent)
		chain[depth++] = n;
	buf[0] = '\0';
	while (depth-- > 0 && used < YAML_PATH_MAX) {
		const struct yaml_node *step = chain[depth];
		char *at = buf + used;
		size_t room = YAML_PATH_MAX - used;
		if (step->key)
			used += (size_t)snprintf(at, room, "%s%s", used ? "." : "",
						 step->key->text);
		else
			used += (size_t)snprintf(at, room, "[%u]", step->index);
	}
	return buf;
}

char *yaml_within(const struct yaml_node *map, char buf[YAML_PATH_MAX])
{
	char path[YAML_PATH_MAX];

	if (map->parent)
		snprintf(buf, YAML_PATH_MAX, "in %.250s", yaml_path(map, path));
	else
		strcpy(buf, "at the top level");
	return buf;
}

static struct mark mark_between(unsigned source, yaml_mark_t start, yaml_mark_t end)
{
	struct mark m = { source, (unsigned)start.line + 1, (unsigned)start.column + 1, 1 };

	if (end.line == start.line && end.column > start.column)
		m.len = (unsigned)(end.column - start.column);
	else if (end.line > start.line)
		m.len = UINT16_MAX; /* to the end of the line */
	return m;
}

/* The byte where libyaml's index, which counts characters, points; NUL at the end. */
static char character_at(const char *text, size_t len, size_t index)
{
	size_t at = 0;

	for (; index > 0 && at < len; index--) {
		uint32_t code;
		size_t n = text_utf8(text + at, len - at, &code);
		at += n ? n : 1;
	}
	return text[at];
}

/* Where libyaml gave up, and what it was reading. */
static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t len;
	const char *text = report_source_text(r->report, r->source, &len);

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	report_error(r->report, mark_between(r->source, p->problem_mark, p->problem_mark),
		     "syntax: %s%s%s", p->problem ? p->problem : "not YAML", p->context ? " " : "",
		     p->context ? p->context : "");
	char c = character_at(text, len, p->problem_mark.index);
	if (c == '\t')
		report_help(r->report, "indent with spaces, not with tabs");
	else if (c == '@' || c == '`' || c == '%')
		report_help(r->report, "quote a word that begins with %c", c);
	else if (p->context && strstr(p->context, "tag"))
		report_help(r->report, "quote a word that begins with !");
	else if (p->context && p->context_mark.line != p->problem_mark.line)
		report_help(r->report, "it began at line %zu", p->context_mark.line + 1);
	return -EINVAL;
}

static int limit_error(struct reader *r, const yaml_event_t *e, const char *what)
{
	report_error(r->report, mark_between(r->source, e->start_mark, e->start_mark), "%s", what);
	return -EINVAL;
}

/* A container has got `n` as one more child: count it with all that is in it. */
static int account(struct reader *r, const yaml_event_t *e, struct yaml_node *to,
		   const struct yaml_node *n)
{
	to->size += n->size;
	if (to->height < n->height + 1)
		to->height = n->height + 1;
	if (to->size > YAML_NODES_MAX)
		return limit_error(r, e, "aliases make this larger than 1000000 nodes");
	if (r->depth + n->height > YAML_DEPTH_MAX)
		return limit_error(r, e, "nested deeper than 32 levels");
	return 0;
}

/* Hang a node where the reader stands: the root, a list's next, a map's key or the value of one. */
static int attach(struct reader *r, const yaml_event_t *e, struct yaml_node *n, bool alias)
{
	if (r->depth == 0) {
		r->root = n;
		return 0;
	}
	struct level *top = &r->stack[r->depth - 1];
	if (top->node->kind == YAML_MAP && !top->key) {
		if (n->kind != YAML_TEXT || alias)
			return limit_error(r, e,
					   "a key must be a word, not a list, mapping or alias");
		top->key = n;
		top->node->size++;
		return 0;
	}
	if (!alias) {
		n->parent = top->node;
		n->key = top->key;
		n->index = top->node->nitems;
		if (n->kind == YAML_TEXT && n->plain && !n->text[0] && top->key)
			n->mark = top->key->mark; /* nothing was written: point at the key */
	}
	if (!yaml_item_add(r->tree, top->node, top->key, n))
		return -ENOMEM;
	top->key = NULL;
	return n->open ? 0 : account(r, e, top->node, n);
}

static struct yaml_node *node_create(struct reader *r, const yaml_event_t *e, enum yaml_kind kind)
{
	struct yaml_node blank = { .kind = kind,
				   .mark = mark_between(r->source, e->start_mark, e->end_mark) };

	return yaml_node_copy(r->tree, &blank);
}

static int no_node(struct reader *r, const yaml_event_t *e)
{
	if (r->tree->nnodes < YAML_NODES_MAX)
		return -ENOMEM;
	return limit_error(r, e, "more than 1000000 nodes");
}

static int anchor_add(struct reader *r, const yaml_event_t *e, const yaml_char_t *name,
		      struct yaml_node *n)
{
	if (!name)
		return 0;
	if (r->nanchors == ANCHORS_MAX)
		return limit_error(r, e, "more than 1000 anchors");
	const char *copy = tree_text(r->tree, name, strlen((const char *)name));
	if (!copy)
		return -ENOMEM;
	r->anchors[r->nanchors++] = (struct anchor){ copy, n };
	return 0;
}

static void refuse_tag(struct reader *r, struct yaml_node *n, const yaml_char_t *tag)
{
	if (!tag)
		return;
	report_error(r->report, n->mark, "tags have no meaning here");
	if (tag[0] == '!')
		report_help(r->report, "quote a word that begins with !");
	n->kind = YAML_BROKEN;
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct yaml_node *n = node_create(r, e, YAML_TEXT);

	if (!n)
		return no_node(r, e);
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = tree_text(r->tree, value, len);
	if (!n->text)
		return -ENOMEM;
	if (memchr(value, 0, len)) {
		report_error(r->report, n->mark, "a string may not hold a NUL character");
		n->kind = YAML_BROKEN;
	}
	refuse_tag(r, n, e->data.scalar.tag);
	int err = anchor_add(r, e, e->data.scalar.anchor, n);
	if (err)
		return err;
	return attach(r, e, n, false);
}

static int on_alias(struct reader *r, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct yaml_node *n = NULL;

	for (unsigned i = r->nanchors; i-- > 0 && !n;)
		if (!strcmp(r->anchors[i].name, name))
			n = r->anchors[i].node;
	if (n && !n->open)
		return attach(r, e, n, true);
	struct yaml_node *broken = node_create(r, e, YAML_BROKEN);
	if (!broken)
		return no_node(r, e);
	if (n)
		report_error(r->report, broken->mark,
			     "alias *%.40s is inside its own anchor: a cycle", name);
	else
		report_error(r->report, broken->mark, "alias *%.40s has no anchor before it", name);
	return attach(r, e, broken, false);
}

static int on_start(struct reader *r, const yaml_event_t *e, enum yaml_kind kind)
{
	bool map = kind == YAML_MAP;
	struct yaml_node *n = node_create(r, e, kind);

	if (!n)
		return no_node(r, e);
	if (r->depth == YAML_DEPTH_MAX)
		return limit_error(r, e, "nested deeper than 32 levels");
	n->open = true;
	const yaml_char_t *tag = map ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	if (tag)
		return limit_error(r, e, "tags have no meaning here");
	int err = anchor_add(r, e,
			     map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor, n);
	if (!err)
		err = attach(r, e, n, false);
	if (err)
		return err;
	r->stack[r->depth++] = (struct level){ .node = n };
	return 0;
}

static int check_duplicates(struct reader *r, struct yaml_node *map)
{
	unsigned n;
	struct yaml_item **sorted = yaml_sorted(&map, 1, &n);
	char in[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	if (!sorted)
		return -ENOMEM;
	for (unsigned i = 1, first = 0; i < n; i++) {
		const struct yaml_node *key = sorted[i]->key;
		if (strcmp(sorted[first]->key->text, key->text)) {
			first = i;
			continue;
		}
		report_error(r->report, key->mark, "duplicate key %s %s",
			     text_quote(key->text, word), yaml_within(map, in));
		report_help(r->report, "it was given first at line %u",
			    sorted[first]->key->mark.line);
	}
	free(sorted);
	return 0;
}

/* Merge keys are not duplicates, but they are no key of ours either. */
static void check_merge_keys(struct reader *r, const struct yaml_node *map)
{
	for (struct yaml_item *i = map->items; i; i = i->next) {
		if (strcmp(i->key->text, "<<") || !i->key->plain)
			continue;
		report_error(r->report, i->key->mark, "merge key << is not supported");
		report_help(r->report, "write the keys out, or share whole values with & and *");
	}
}

static int on_end(struct reader *r, const yaml_event_t *e)
{
	struct yaml_node *n = r->stack[--r->depth].node;

	n->open = false;
	if (n->kind == YAML_MAP) {
		check_merge_keys(r, n);
		int err = check_duplicates(r, n);
		if (err)
			return err;
	}
	return r->depth ? account(r, e, r->stack[r->depth - 1].node, n) : 0;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->documents++ ? limit_error(r, e, "a second document begins here") : 0;
	case YAML_SCALAR_EVENT: return on_scalar(r, e);
	case YAML_ALIAS_EVENT: return on_alias(r, e);
	case YAML_MAPPING_START_EVENT: return on_start(r, e, YAML_MAP);
	case YAML_SEQUENCE_START_EVENT: return on_start(r, e, YAML_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: return on_end(r, e);
	default: return 0;
	}
}

static int read_events(struct reader *r)
{
	bool done = false;
	int err = 0;

	while (!done && !err) {
		yaml_event_t e;
		if (!yaml_parser_parse(&r->parser, &e))
			return syntax_error(r);
		err = on_event(r, &e);
		done = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	return err;
}

int yaml_read(struct yaml_tree *t, struct report *report, unsigned source, struct yaml_node **root)
{
	struct reader *r = calloc(1, sizeof(*r));
	size_t len;
	const char *text = report_source_text(report, source, &len);

	if (!r)
		return -ENOMEM;
	int err = -ENOMEM;
	if (!yaml_parser_initialize(&r->parser))
		goto out;
	r->tree = t;
	r->report = report;
	r->source = source;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	err = read_events(r);
	yaml_parser_delete(&r->parser);
	if (!err)
		*root = r->root;
out:
	free(r);
	return err;
}
