// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets, chains, rules, actions, NAT rules, connection tracking: what makes one whole beyond the
 * values of its keys. A rule's match is a record inside it, so a rule of any kind begins by making
 * its match the one that is filled.
 */
#include <string.h>

#include "config/bind_walk.h"
#include "config/text.h"
#include "config/value_parts.h"

/* ---- names and sets */

/* Chains, sets and zones begin with their names. */
static_assert(offsetof(struct conf_chain, name) == 0, "bind_named_end");
static_assert(offsetof(struct conf_set, name) == 0, "bind_named_end");
static_assert(offsetof(struct conf_zone, name) == 0, "bind_named_end");
static_assert(offsetof(struct conf_table, name) == 0, "bind_named_end");

void bind_named_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct value_error e = { 0 };
	char within[YAML_PATH_MAX];
	(void)clean;

	bind_place_add(b, record, item->key);
	if (value_name(item->key->text, record, &e) == 0)
		return;
	report_error(b->report, item->key->mark, "%s: %s", yaml_path(item->value->parent, within),
		     e.what);
	report_help(b->report, "%s", e.help);
}

/* How its elements are read follows from its type, wherever in the set that stands. */
void bind_set_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	const struct yaml_node *type = yaml_get(item->value, "type");
	const struct conf_set *set = record;
	unsigned errors = report_errors(b->report);

	if (type)
		bind_node(b, schema_find("sets.*.type"), type);
	b->unclear_set = errors != report_errors(b->report) || set->ntypes == 0;
}

/* ---- matches */

static void rate_end(struct bind *b, struct conf_rate *rate, const struct yaml_node *n)
{
	const struct yaml_node *over = yaml_get(n, "over"), *under = yaml_get(n, "under");
	char path[YAML_PATH_MAX];

	if (n->kind != YAML_MAP)
		return;
	rate->used = true;
	rate->over = over != NULL;
	if (rate->burst == 0)
		rate->burst = rate->count > 5 ? rate->count : 5;
	if (!over == !under) {
		report_error(b->report, n->mark, "%s: give either over or under",
			     yaml_path(n, path));
		report_help(b->report, "like {over: 50/s}, which matches what is above it");
	}
}

/* `any` is no protocol among others. */
static void proto_end(struct bind *b, const struct yaml_node *n)
{
	char path[YAML_PATH_MAX];

	for (const struct yaml_item *i = n->kind == YAML_LIST ? n->items : NULL; i; i = i->next)
		if (i->value->kind == YAML_TEXT && !strcmp(i->value->text, "any"))
			report_error(b->report, i->value->mark, "%s: any stands alone",
				     yaml_path(i->value, path));
}

void bind_match_end(struct bind *b, struct conf_match *m, const struct yaml_node *n)
{
	const struct yaml_node *rate = yaml_get(n, "rate"), *proto = yaml_get(n, "proto");

	m->has_mark = m->mark_mask != 0;
	if (rate)
		rate_end(b, &m->rate, rate);
	if (proto)
		proto_end(b, proto);
}

void bind_match_begin(struct bind *b, struct conf_match *m)
{
	b->record[SCHEMA_MATCH] = m;
	bind_defaults(SCHEMA_MATCH, m);
}

/* The end of a file's name is what tells it from others. */
void bind_file_tail(const struct bind *b, const struct yaml_node *n, char file[CONF_NAME])
{
	const char *name = report_source_name(b->report, n->mark.source);
	size_t len = strlen(name);

	strcpy(file, name + (len < CONF_NAME ? 0 : len - (CONF_NAME - 1)));
}

/* ---- filter rules */

static bool is_verdict(enum conf_act act)
{
	return act == CONF_ACT_ACCEPT || act == CONF_ACT_DROP || act == CONF_ACT_REJECT ||
	       act == CONF_ACT_RETURN || act == CONF_ACT_JUMP;
}

/* A mapping is the action that its one key names; key belongs to add-to. */
void bind_action_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_action *a = record;
	const struct yaml_node *n = item->value;
	const struct schema_row *row = schema_find("filter.*.rules[].action[]");
	const struct schema_row *end = schema_end(row);
	unsigned found = 0;
	char path[YAML_PATH_MAX];

	if (n->kind != YAML_MAP)
		return;
	for (const struct schema_row *r = row + 1; r < end; r++) {
		if (!r->says || !yaml_get(n, schema_key_under(r, row)))
			continue;
		a->act = (enum conf_act)r->act;
		found++;
	}
	if (clean && found != 1) {
		report_error(b->report, n->mark, "%s: %s", yaml_path(n, path),
			     found ? "more than one action in a mapping" : "the action is missing");
		if (found)
			report_help(b->report, "write a list, like [{set-mark: 1}, accept]");
	}
	const struct yaml_node *key = yaml_get(n, "key");
	if (found == 1 && key && a->act != CONF_ACT_ADD_TO)
		report_error(b->report, key->mark, "%s: only add-to has a key",
			     yaml_path(key, path));
}

/* The last of the actions may decide about the packet; what followed would never be done. */
static void actions_end(struct bind *b, const struct conf_rule *r, const struct yaml_node *n)
{
	const struct yaml_item *item = n->kind == YAML_LIST ? n->items : NULL;
	char path[YAML_PATH_MAX];

	if (n->kind == YAML_LIST && !n->items)
		report_error(b->report, n->mark, "%s: the list is empty", yaml_path(n, path));
	for (unsigned i = 0; i + 1 < r->nactions && item; i++, item = item->next) {
		if (!is_verdict(r->actions[i].act))
			continue;
		report_error(b->report, item->next->value->mark,
			     "%s: never done, the action before it ends the rule",
			     yaml_path(item->next->value, path));
		report_help(b->report, "put what decides about the packet last");
		return;
	}
}

void bind_rule_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_rule *r = record;
	(void)item;

	bind_match_begin(b, &r->match);
}

void bind_rule_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_rule *r = record;
	const struct yaml_node *n = item->value, *log = yaml_get(n, "log");
	const struct yaml_node *action = yaml_get(n, "action");

	bind_file_tail(b, n, r->file);
	bind_match_end(b, &r->match, n);
	if (log && log->kind == YAML_MAP)
		r->log.used = true;
	if (clean && action)
		actions_end(b, r, action);
}

/* ---- NAT */

void bind_nat_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_nat *r = record;

	bind_file_tail(b, item->value, r->file);
	bind_match_begin(b, &r->match);
}

/* A key that the rule's action has no use for. */
static void refuse_key(struct bind *b, const struct yaml_node *n, const char *key, const char *why)
{
	const struct yaml_node *given = yaml_get(n, key);
	char path[YAML_PATH_MAX];

	if (given)
		report_error(b->report, given->mark, "%s: %s", yaml_path(given, path), why);
}

void bind_source_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	static const char *const of_mapping[] = { "ports",     "persistent", "mapping",
						  "filtering", "parity",     "random" };
	struct conf_nat *r = record;
	const struct yaml_node *n = item->value;
	char path[YAML_PATH_MAX];

	bind_match_end(b, &r->match, n);
	if (!yaml_get(n, "action") && r->npool)
		r->kind = CONF_NAT_POOL;
	if (!clean)
		return;
	if (!yaml_get(n, "action") && !r->npool) {
		report_error(b->report, n->mark, "%s: needs action or pool", yaml_path(n, path));
		report_help(b->report, "action: masquerade takes the address of the interface it "
				       "leaves by");
	} else if (r->kind == CONF_NAT_POOL && !r->npool) {
		report_error(b->report, n->mark, "%s: snat needs a pool", yaml_path(n, path));
	} else if (r->kind == CONF_NAT_MASQUERADE) {
		refuse_key(b, n, "pool", "masquerade has no pool");
	} else if (r->kind == CONF_NAT_NONE) {
		refuse_key(b, n, "pool", "none translates nothing");
		for (unsigned i = 0; i < sizeof(of_mapping) / sizeof(of_mapping[0]); i++)
			refuse_key(b, n, of_mapping[i], "none translates nothing");
	}
}

void bind_destination_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_nat *r = record;
	const struct yaml_node *n = item->value;
	char path[YAML_PATH_MAX];

	bind_match_end(b, &r->match, n);
	if (!clean)
		return;
	if (r->kind == CONF_NAT_DESTINATION && !r->npool) {
		report_error(b->report, n->mark, "%s: \"to\" is missing", yaml_path(n, path));
		report_help(b->report, "or action: redirect, or none");
	} else if (r->kind == CONF_NAT_REDIRECT) {
		refuse_key(b, n, "to", "redirect goes to the router itself");
	} else if (r->kind == CONF_NAT_NONE) {
		refuse_key(b, n, "to", "none translates nothing");
		refuse_key(b, n, "to-port", "none translates nothing");
	}
}

void bind_static_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_nat *r = record;
	const struct yaml_node *internal = yaml_get(item->value, "internal");
	char path[YAML_PATH_MAX];

	r->kind = CONF_NAT_STATIC;
	if (!clean)
		return;
	if (r->external.addr.family != r->internal.addr.family)
		report_error(b->report, internal->mark, "%s: is of another family than external",
			     yaml_path(internal, path));
	else if (r->external.len != r->internal.len)
		report_error(b->report, internal->mark, "%s: is not as long as external, /%u",
			     yaml_path(internal, path), r->external.len);
}

/* ---- connection tracking */

static const struct {
	uint32_t rfc, linux_;
} profiles[CONF_TIMEOUTS] = {
#define X(id, key, rfc, linux) [CONF_TIMEOUT_##id] = { rfc, linux },
	CONF_CT_TIMEOUTS(X)
#undef X
};

/* Does a packet on its way through pass one of the file's chains? */
static bool chains_on_the_way(const struct conf *c)
{
	for (unsigned i = 0; i < c->nchains; i++) {
		enum conf_hook hook = c->chains[i].hook;
		if (hook == CONF_HOOK_PREROUTING || hook == CONF_HOOK_FORWARD ||
		    hook == CONF_HOOK_POSTROUTING)
			return true;
	}
	return false;
}

void bind_conntrack_end(struct conf *c, const struct yaml_node *root)
{
	const struct yaml_node *n = yaml_get(root, "conntrack");
	struct conf_conntrack *ct = &c->conntrack;

	for (unsigned i = 0; i < CONF_TIMEOUTS; i++)
		if (ct->timeout[i] == 0)
			ct->timeout[i] = ct->linux_profile ? profiles[i].linux_ : profiles[i].rfc;
	if (!n || !yaml_get(n, "tcp-revive"))
		ct->revive = !ct->linux_profile;
	ct->enabled = n || c->nnat_source || c->nnat_destination || c->nnat_static || c->nzones ||
		      chains_on_the_way(c);
}
