// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trees of qdiscs and classes: what makes them whole beyond the values of their keys. All qdiscs of
 * a tree, which stand in the file at the root, in classes and in a list, become one array, the root
 * first; room for all of them is made when the tree begins. Names of parents stay names here:
 * check_tree.c finds whom they mean when all are known. Filters and mirrors are bind_tc.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "config/bind_walk.h"
#include "config/text.h"
#include "config/value_parts.h"

const char *const conf_qdisc_names[CONF_QDISC_KINDS] = {
	[CONF_QDISC_PFIFO] = "pfifo",
	[CONF_QDISC_BFIFO] = "bfifo",
	[CONF_QDISC_PFIFO_FAST] = "pfifo_fast",
	[CONF_QDISC_NOQUEUE] = "noqueue",
	[CONF_QDISC_TBF] = "tbf",
	[CONF_QDISC_PRIO] = "prio",
	[CONF_QDISC_HTB] = "htb",
	[CONF_QDISC_SFQ] = "sfq",
	[CONF_QDISC_RED] = "red",
	[CONF_QDISC_CODEL] = "codel",
	[CONF_QDISC_FQ_CODEL] = "fq_codel",
	[CONF_QDISC_NETEM] = "netem",
};

/* ---- the interface, and room for a tree */

static_assert(offsetof(struct conf_qos, iface) == 0, "printed by its name");

void bind_qos_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_qos *q = record;
	char word[TEXT_QUOTE_MAX];
	(void)clean;

	bind_place_add(b, q->iface, item->key);
	if (strlen(item->key->text) >= sizeof(q->iface))
		report_error(b->report, item->key->mark,
			     "qos: %s cannot be the name of an interface",
			     text_quote(item->key->text, word));
	else
		strcpy(q->iface, item->key->text);
}

static size_t count_qdiscs(const struct yaml_node *tree)
{
	size_t n = 1; /* the root */

	for (const struct yaml_item *i = tree->items; i; i = i->next) {
		if (!strcmp(i->key->text, "qdiscs"))
			n += i->value->nitems;
		if (strcmp(i->key->text, "classes") || i->value->kind != YAML_MAP)
			continue;
		for (const struct yaml_item *c = i->value->items; c; c = c->next)
			n += yaml_get(c->value, "leaf") != NULL;
	}
	return n;
}

void bind_tree_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_tree *t = record;

	if (t->qdiscs) { /* a duplicate key, reported by who read it */
		b->record[SCHEMA_TREE] = NULL;
		return;
	}
	if (item->value->kind != YAML_MAP)
		return;
	size_t room = count_qdiscs(item->value);
	t->qdiscs = calloc(room, sizeof(*t->qdiscs));
	if (!t->qdiscs) {
		b->no_memory = true;
		return;
	}
	b->qdisc_room = (unsigned)room;
	t->nqdiscs = 1;
}

void *bind_qdiscs_take(struct bind *b, unsigned n)
{
	struct conf_tree *t = b->record[SCHEMA_TREE];

	if (!t || !t->qdiscs || n > b->qdisc_room - t->nqdiscs)
		return NULL;
	t->nqdiscs += n;
	return &t->qdiscs[t->nqdiscs - n];
}

/* For the root, or the leaf of the class that is being read. */
void *bind_qdisc_take(struct bind *b, const struct schema_row *row)
{
	struct conf_tree *t = b->record[SCHEMA_TREE];

	if (row->in == SCHEMA_TREE)
		return t ? t->qdiscs : NULL;
	const struct conf_class *c = b->record[SCHEMA_CLASS];
	struct conf_qdisc *q = c ? bind_qdiscs_take(b, 1) : NULL;
	if (q)
		strcpy(q->parent_name, c->name);
	return q;
}

/* The class's name is needed by its leaf, so it is not left for the end. */
void bind_class_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	bind_named_end(b, record, item, true);
}

/* ---- kinds of qdiscs */

static const struct {
	const char *kind, *why, *help;
} absent[] = {
	{ "cbq", "Linux itself has dropped it", "use htb" },
	{ "dsmark", "Linux itself has dropped it",
	  "set the DSCP by rules of filter (set-dscp), and share by prio or htb" },
	{ "atm", "Linux itself has dropped it", "use htb with linklayer: atm" },
	{ "cake", "it is not built yet", "use htb with a leaf of fq_codel" },
	{ "hfsc", "it is not built yet", "use htb" },
	{ "drr", "it is not built yet", "use htb, with a quantum for each class" },
	{ "qfq", "it is not built yet", "use htb, with a quantum for each class" },
	{ "ets", "it is not built yet", "use prio, or htb with prio and quantum" },
	{ "fq", "it is not built yet", "use fq_codel" },
	{ "pie", "it is not built yet", "use codel" },
	{ "fq_pie", "it is not built yet", "use fq_codel" },
	{ "fq-pie", "it is not built yet", "use fq_codel" },
	{ "sfb", "it is not built yet", "use fq_codel" },
	{ "hhf", "it is not built yet", "use fq_codel" },
	{ "gred", "it is not built yet", "use prio with leaves of red" },
	{ "choke", "it is not built yet", "use red" },
	{ "mqprio", "it is not built yet", "use prio" },
	{ "multiq", "it is not built yet", "use prio" },
};

bool bind_qdisc_unknown(struct bind *b, const struct schema_row *parent,
			const struct yaml_node *map, const struct yaml_node *key)
{
	char path[YAML_PATH_MAX];

	if (parent->element != SCHEMA_QDISC)
		return false;
	for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		if (strcmp(absent[i].kind, key->text))
			continue;
		report_error(b->report, key->mark, "%s: there is no qdisc %s: %s",
			     yaml_path(map, path), key->text, absent[i].why);
		report_help(b->report, "%s", absent[i].help);
		return true;
	}
	return false;
}

/* The key that names its kind says what it is; one there must be. */
static void qdisc_kind(struct bind *b, struct conf_qdisc *q, const struct yaml_node *n, bool clean)
{
	const struct schema_row *row = schema_find("qos.*.egress.root"), *end = schema_end(row);
	char path[YAML_PATH_MAX];
	unsigned found = 0;

	for (const struct schema_row *r = row + 1; r < end; r++) {
		const char *key = r->element ? schema_key_under(r, row) : NULL;
		if (!key || !yaml_get(n, key))
			continue;
		q->kind = (enum conf_qdisc_kind)r->act;
		found++;
	}
	if (found > 1) { /* their options lie in one union: nobody shall read them */
		size_t from = offsetof(struct conf_qdisc, fifo);

		memset((char *)q + from, 0, offsetof(struct conf_qdisc, line) - from);
	}
	if (!clean || found == 1)
		return;
	report_error(b->report, n->mark, "%s: %s", yaml_path(n, path),
		     found ? "more than one kind of qdisc" : "which kind of qdisc?");
	report_help(b->report, "write one, like {fq_codel: {}}");
}

void bind_qdisc_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_qdisc *q = record;
	const struct yaml_node *n = item->value, *parent = yaml_get(n, "parent");
	const struct conf_tree *t = b->record[SCHEMA_TREE];
	char path[YAML_PATH_MAX];
	bool listed = n->parent && n->parent->kind == YAML_LIST;

	if (n->kind == YAML_TEXT && n->text[0]) /* that was reported */
		report_help(b->report, "write {%.20s: {}}", n->text);
	qdisc_kind(b, q, n, clean);
	if (parent && !listed)
		report_error(b->report, parent->mark, "%s: %s", yaml_path(parent, path),
			     q == t->qdiscs ? "the root has no parent"
					    : "a leaf is in the class that it stands in");
	else if (!parent && listed && clean)
		report_error(b->report, n->mark, "%s: \"parent\" is missing", yaml_path(n, path));
}

void bind_codel_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_codel *c = record;
	(void)b;
	(void)item;

	c->ce_threshold = UINT64_MAX;
}

void bind_fq_codel_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_fq_codel *c = record;
	(void)b;
	(void)item;

	c->ce_threshold = UINT64_MAX;
}

void bind_prio_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	static const uint8_t usual[16] = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct conf_prio *p = record;
	const struct yaml_node *map = yaml_get(item->value, "priomap");
	char path[YAML_PATH_MAX];

	if (!map)
		memcpy(p->priomap, usual, sizeof(usual));
	else if (clean && p->npriomap != sizeof(p->priomap))
		report_error(b->report, map->mark, "%s: %u bands, but there are 16 priorities",
			     yaml_path(map, path), p->npriomap);
}

/* What a model of loss has when the file gives only its first numbers: tc's defaults. */
static void complete_models(struct conf_netem *e)
{
	const uint32_t state[] = { 0, UINT32_MAX - e->state[0], 0, UINT32_MAX, 0 };
	const uint32_t gemodel[] = { 0, UINT32_MAX - e->gemodel[0], UINT32_MAX, 0 };

	for (unsigned i = e->nstate; i < 5 && e->nstate; i++)
		e->state[i] = state[i];
	for (unsigned i = e->ngemodel; i < 4 && e->ngemodel; i++)
		e->gemodel[i] = gemodel[i];
}

void bind_netem_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_netem *e = record;
	const struct yaml_node *loss = yaml_get(item->value, "loss");
	char path[YAML_PATH_MAX];

	complete_models(e);
	if (e->nstate)
		e->loss_model = CONF_LOSS_STATE;
	else if (e->ngemodel)
		e->loss_model = CONF_LOSS_GEMODEL;
	if (e->slot_min && !e->slot_max)
		e->slot_max = e->slot_min;
	if (!loss || loss->kind != YAML_MAP || !clean)
		return;
	const struct yaml_node *random = yaml_get(loss, "random");
	if (!random + !e->nstate + !e->ngemodel != 2) {
		report_error(b->report, loss->mark, "%s: give one of random, state and gemodel",
			     yaml_path(loss, path));
	} else if (yaml_get(loss, "correlation") && !random) {
		report_error(b->report, loss->mark, "%s: only random has a correlation",
			     yaml_path(loss, path));
	}
}
