// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over a file's tree, hand in hand with the schema.
 *
 * bind_node() is given a row and a node and does what the row's type says: a mapping looks up the
 * row of each of its keys, a list or a mapping of names makes one record an element, everything
 * else is a value for value.c. Where a value is stored follows from the row too: record[] holds,
 * for each kind of struct, the one that is being filled. A route's own via and dev fill a next hop
 * like those in a list, so the route begins with one.
 *
 * An error never stops the walk. Checks that need a whole element run only if the element had none.
 */
#include "config/bind.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "config/text.h"
#include "config/value.h"

struct bind {
	struct report *report;
	struct bind_places *places;
	void *record[SCHEMA_RECORDS]; /* NULL: values are read but not stored */
	bool no_memory;
};

static void bind_node(struct bind *b, const struct schema_row *row, const struct yaml_node *n);

static void place_add(struct bind *b, const void *field, const struct yaml_node *node)
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

static void set_defaults(enum schema_record kind, void *record)
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
		place_add(b, field, n);
	}
}

/* One word, or a list of them. */
static void bind_cpus(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	struct conf *c = b->record[SCHEMA_CONF];
	const struct yaml_item one = { .value = (struct yaml_node *)n };
	struct value_error e = { 0 };
	char path[YAML_PATH_MAX];

	if (n->kind == YAML_LIST && !n->items)
		report_error(b->report, n->mark, "%s: the list is empty", yaml_path(n, path));
	c->workers.ncpus = 0;
	for (const struct yaml_item *i = n->kind == YAML_LIST ? n->items : &one; i; i = i->next) {
		if (i->value->kind == YAML_BROKEN || !expect(b, i->value, YAML_TEXT))
			continue;
		if (value_parse_cpus(row, i->value->text, c->workers.cpus, &c->workers.ncpus, &e) <
		    0)
			report_value(b, i->value, &e);
		e = (struct value_error){ 0 };
	}
	place_add(b, c->workers.cpus, n);
}

static void unknown_key(struct bind *b, const struct schema_row *parent,
			const struct yaml_node *map, const struct yaml_node *key)
{
	char within[YAML_PATH_MAX], word[TEXT_QUOTE_MAX], keys[256] = "";
	struct text_guess guess = { .written = key->text };

	for (unsigned i = 0; i < schema_nrows; i++) {
		const char *name = schema_key_under(&schema_rows[i], parent);
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
	else
		report_help(b->report, "there may be: %s", keys);
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
	for (unsigned i = 0; i < schema_nrows; i++) {
		const char *name = schema_key_under(&schema_rows[i], row);
		if (!name || !schema_rows[i].required || yaml_get(n, name))
			continue;
		yaml_path(n, path);
		report_error(b->report, n->mark, "%s%s\"%s\" is missing", path, path[0] ? ": " : "",
			     name);
		if (!n->parent)
			report_help(b->report, "begin the file with version: 1");
	}
}

static bool iface_name_valid(const char *name, size_t size)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)name[i]) || name[i] == '/')
			return false;
	return n > 0 && n < size;
}

static void iface_end(struct bind *b, struct conf_iface *f, const struct yaml_item *item)
{
	static const uint8_t no_mac[6];
	const struct yaml_node *key = item->key, *match = yaml_get(item->value, "match");
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	f->has_mac = memcmp(f->mac, no_mac, 6) != 0;
	if (!iface_name_valid(key->text, sizeof(f->name))) {
		report_error(b->report, key->mark,
			     "interfaces: %s cannot be the name of an interface",
			     text_quote(key->text, word));
		return;
	}
	strcpy(f->name, key->text);
	place_add(b, f->name, key);
	if (match && match->kind == YAML_MAP && match->nitems != 1) {
		report_error(b->report, match->mark, "%s: give either mac or name",
			     yaml_path(match, path));
		return;
	}
	if (f->has_mac || f->netdev[0] || match)
		return;
	if (value_netdev_valid(f->name)) {
		strcpy(f->netdev, f->name);
		return;
	}
	report_error(b->report, key->mark, "interfaces.%s: no netdev can have this name", f->name);
	report_help(b->report, "say which netdev it is by match: {mac: ...} or match: {name: ...}");
}

/* "default" is of the family of the next hops. */
static void route_family(struct bind *b, struct conf_route *r, const struct yaml_node *n)
{
	unsigned v4 = 0, v6 = 0;
	char path[YAML_PATH_MAX];

	for (unsigned i = 0; i < r->nnexthops; i++) {
		v4 += r->nexthops[i].via.family == AF_INET;
		v6 += r->nexthops[i].via.family == AF_INET6;
	}
	if (v4 && v6) {
		report_error(b->report, n->mark, "%s: default is of both families here",
			     yaml_path(n, path));
		report_help(b->report, "write 0.0.0.0/0 or \"::/0\"");
	}
	r->to.addr.family = v4 && v6 ? 0 : v6 ? AF_INET6 : AF_INET;
}

/* Which next hops a route may and must have. */
static void route_hops(struct bind *b, struct conf_route *r, const struct yaml_node *n)
{
	const struct yaml_node *list = yaml_get(n, "nexthops"), *via = yaml_get(n, "via");
	const struct yaml_node *own = via ? via : yaml_get(n, "dev");
	char path[YAML_PATH_MAX];

	if (r->type != CONF_ROUTE_UNICAST && (own || list)) {
		const struct yaml_node *extra = own ? own : list;
		report_error(b->report, extra->mark, "%s: only a unicast route has next hops",
			     yaml_path(extra, path));
	} else if (own && list) {
		report_error(b->report, own->mark, "%s: not beside nexthops", yaml_path(own, path));
		report_help(b->report, "move via and dev into the list");
	} else if (list && r->nnexthops == 0) {
		report_error(b->report, list->mark, "%s: the list is empty", yaml_path(list, path));
	} else if (r->type == CONF_ROUTE_UNICAST && !own && !list) {
		report_error(b->report, n->mark, "%s: needs via, dev or nexthops",
			     yaml_path(n, path));
		report_help(b->report, "or a type: blackhole, unreachable or prohibit");
	}
}

static void route_begin(struct bind *b, struct conf_route *r, const struct yaml_node *n)
{
	b->record[SCHEMA_NEXTHOP] = NULL;
	if (n->kind == YAML_MAP && yaml_get(n, "nexthops"))
		return;
	r->nexthops = calloc(1, sizeof(*r->nexthops));
	if (!r->nexthops) {
		b->no_memory = true;
		return;
	}
	set_defaults(SCHEMA_NEXTHOP, r->nexthops);
	b->record[SCHEMA_NEXTHOP] = r->nexthops;
}

static void route_end(struct bind *b, struct conf_route *r, const struct yaml_node *n, bool clean)
{
	struct conf_nexthop *own = b->record[SCHEMA_NEXTHOP];
	const struct yaml_node *to = yaml_get(n, "to");

	if (own && (own->via.family || own->dev[0])) {
		r->nnexthops = 1;
	} else if (own) {
		free(r->nexthops);
		r->nexthops = NULL;
	}
	if (!clean) { /* no telling what it would be; do not compare it with others */
		r->to.addr.family = 0;
		return;
	}
	route_hops(b, r, n);
	if (to && to->kind == YAML_TEXT && !strcmp(to->text, "default"))
		route_family(b, r, to);
}

static void nexthop_end(struct bind *b, const struct conf_nexthop *h, const struct yaml_node *n)
{
	char path[YAML_PATH_MAX];

	if (!h->via.family && !h->dev[0])
		report_error(b->report, n->mark, "%s: needs via or dev", yaml_path(n, path));
}

/* One element of a list or one name of a mapping: a record of its own, with its own defaults. */
static void bind_element(struct bind *b, const struct schema_row *list, void *record,
			 const struct yaml_item *item)
{
	const struct yaml_node *n = item->value;
	enum schema_record kind = list->element;
	unsigned errors = report_errors(b->report);

	if (n->kind == YAML_BROKEN)
		return;
	b->record[kind] = record;
	set_defaults(kind, record);
	if (kind == SCHEMA_ROUTE)
		route_begin(b, record, n);
	bind_node(b, schema_element(list), n);
	bool clean = errors == report_errors(b->report);
	unsigned line = item->key ? item->key->mark.line : n->mark.line, *at = NULL;
	if (kind == SCHEMA_IFACE) {
		iface_end(b, record, item);
		at = &((struct conf_iface *)record)->line;
	} else if (kind == SCHEMA_ROUTE) {
		route_end(b, record, n, clean);
		at = &((struct conf_route *)record)->line;
	} else if (kind == SCHEMA_NEIGHBOUR) {
		at = &((struct conf_neighbour *)record)->line;
	} else if (kind == SCHEMA_NEXTHOP && clean) {
		nexthop_end(b, record, n);
	}
	if (!at)
		return;
	*at = line;
	place_add(b, at, n);
}

static void bind_list(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	char *owner = b->record[row->in], path[YAML_PATH_MAX];

	if (!expect(b, n, row->type == SCHEMA_NAMED ? YAML_MAP : YAML_LIST) || n->nitems == 0 ||
	    !owner)
		return;
	if (row->max && n->nitems > row->max) {
		report_error(b->report, n->mark, "%s: more than %u", yaml_path(n, path), row->max);
		return;
	}
	void **array = (void **)(owner + row->at);
	unsigned *count = (unsigned *)(owner + row->count_at);
	if (*array) /* a duplicate key, reported by who read it */
		return;
	*array = calloc(n->nitems, row->size);
	if (!*array) {
		b->no_memory = true;
		return;
	}
	*count = n->nitems;
	void *outer = b->record[row->element];
	char *element = *array;
	for (const struct yaml_item *i = n->items; i; i = i->next, element += row->size)
		bind_element(b, row, element, i);
	b->record[row->element] = outer;
}

static void bind_node(struct bind *b, const struct schema_row *row, const struct yaml_node *n)
{
	if (n->kind == YAML_BROKEN)
		return;
	switch (row->type) {
	case SCHEMA_MAP: bind_map(b, row, n); break;
	case SCHEMA_NAMED:
	case SCHEMA_LIST: bind_list(b, row, n); break;
	case SCHEMA_CPUS: bind_cpus(b, row, n); break;
	default: bind_value(b, row, n); break;
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
	set_defaults(SCHEMA_CONF, c);
	bind_node(&b, schema_find(""), root);
	if (b.no_memory)
		return -ENOMEM;
	if (places->n)
		qsort(places->place, places->n, sizeof(places->place[0]), compare_fields);
	return 0;
}
