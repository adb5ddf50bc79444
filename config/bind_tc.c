// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filters of shaping with their actions, and mirrors: what makes one whole beyond the values of its
 * keys. Both have a match like a rule's, and one on frames beside it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/bind_walk.h"

/* Keys of a filter that stand for an action with the same key. */
static const char *const direct_actions[] = { "police", "mirror", "redirect" };
enum { NDIRECT = sizeof(direct_actions) / sizeof(direct_actions[0]) };

static void error_at(struct bind *b, const struct yaml_node *n, const char *what)
{
	char path[YAML_PATH_MAX];

	report_error(b->report, n->mark, "%s: %s", yaml_path(n, path), what);
}

/* ---- what frames are matched by */

static void frame_begin(struct bind *b, struct conf_frame_match *f)
{
	f->vlan = f->vlan_priority = -1;
	b->record[SCHEMA_FRAME] = f;
}

static void frame_end(struct conf_frame_match *f, const struct yaml_node *n)
{
	f->has_src_mac = yaml_get(n, "src-mac") != NULL;
	f->has_dst_mac = yaml_get(n, "dst-mac") != NULL;
}

static uint32_t all_of(uint8_t width)
{
	return UINT32_MAX >> (32 - 8 * width);
}

void bind_u32_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_u32 *u = record;

	if (!clean)
		return;
	if (u->value & ~all_of(u->width))
		error_at(b, yaml_get(item->value, "value"), "does not fit into the width");
	else if (u->value & ~u->mask)
		error_at(b, yaml_get(item->value, "value"), "has bits set outside the mask");
	u->mask &= all_of(u->width);
}

/* ---- filters */

static const struct yaml_node *direct_action(const struct yaml_node *n, unsigned *act)
{
	const struct schema_row *filter = schema_find("qos.*.egress.filters[]");

	for (unsigned i = 0; i < NDIRECT; i++) {
		const struct yaml_node *given = yaml_get(n, direct_actions[i]);
		if (!given)
			continue;
		*act = schema_child(filter, direct_actions[i])->act;
		return given;
	}
	return NULL;
}

/* A filter's own police, mirror or redirect fills an action like those in a list, so it begins with
 * one. */
void bind_tc_filter_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_tc_filter *f = record;
	const struct yaml_node *n = item->value;
	unsigned act;

	bind_file_tail(b, n, f->file);
	bind_match_begin(b, &f->match);
	frame_begin(b, &f->frame);
	b->record[SCHEMA_TC_ACTION] = NULL;
	if (n->kind != YAML_MAP || yaml_get(n, "action") || !direct_action(n, &act))
		return;
	f->actions = calloc(1, sizeof(*f->actions));
	if (!f->actions) {
		b->no_memory = true;
		return;
	}
	f->nactions = 1;
	bind_defaults(SCHEMA_TC_ACTION, f->actions);
	f->actions[0].act = (enum conf_tc_act)act;
	b->record[SCHEMA_TC_ACTION] = f->actions;
}

static bool ends_filter(const struct conf_tc_action *a)
{
	return a->act == CONF_TC_DROP || a->act == CONF_TC_PASS || a->act == CONF_TC_REDIRECT;
}

/* Only the last of the actions may decide about the packet. */
static void actions_end(struct bind *b, const struct conf_tc_filter *f, const struct yaml_node *n)
{
	const struct yaml_item *item = n->kind == YAML_LIST ? n->items : NULL;

	if (n->kind == YAML_LIST && !n->items)
		error_at(b, n, "the list is empty");
	for (unsigned i = 0; i + 1 < f->nactions && item; i++, item = item->next) {
		if (!ends_filter(&f->actions[i]))
			continue;
		error_at(b, item->next->value, "never done, the action before it ends the filter");
		return;
	}
}

void bind_tc_filter_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_tc_filter *f = record;
	const struct yaml_node *n = item->value, *action = yaml_get(n, "action");
	unsigned act, found = 0;

	bind_match_end(b, &f->match, n);
	frame_end(&f->frame, n);
	if (!clean)
		return;
	for (unsigned i = 0; i < NDIRECT; i++)
		found += yaml_get(n, direct_actions[i]) != NULL;
	if (found + (action != NULL) > 1) {
		error_at(b, direct_action(n, &act), "not beside another action");
		report_help(b->report,
			    "write a list, like action: [{police: {...}}, {mirror: mon0}]");
	} else if (action) {
		actions_end(b, f, action);
	}
}

void bind_tc_action_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_tc_action *a = record;
	const struct yaml_node *n = item->value;
	const struct schema_row *row = schema_find("qos.*.egress.filters[].action[]");
	const struct schema_row *end = schema_end(row);
	bool several = false;

	if (n->kind != YAML_MAP)
		return;
	for (const struct schema_row *r = row + 1; r < end; r++) {
		const char *key = r->act ? schema_key_under(r, row) : NULL;
		if (!key || !yaml_get(n, key))
			continue;
		several |= a->act && a->act != (enum conf_tc_act)r->act;
		a->act = (enum conf_tc_act)r->act;
	}
	a->has_mark = yaml_get(n, "mark") != NULL;
	a->has_priority = yaml_get(n, "priority") != NULL;
	if (!clean)
		return;
	if (several) {
		error_at(b, n, "more than one action in a mapping");
		report_help(b->report, "write a list, like [{mark: 1}, {mirror: mon0}]");
	} else if (!a->act) {
		error_at(b, n, "the action is missing");
	} else if (a->act != CONF_TC_MIRROR && a->snaplen) {
		error_at(b, yaml_get(n, "snaplen"), "only mirror has a snaplen");
	} else if (a->act != CONF_TC_PEDIT && yaml_get(n, "csum")) {
		error_at(b, yaml_get(n, "csum"), "only pedit mends checksums");
	} else if (a->act == CONF_TC_PEDIT && a->npedit == 0) {
		error_at(b, yaml_get(n, "pedit"), "the list is empty");
	}
}

static void conform_end(const struct yaml_node *n, enum conf_conform *conform)
{
	if (n && n->kind == YAML_MAP)
		*conform = CONF_CONFORM_MARK;
}

void bind_police_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_police *p = record;
	(void)b;
	(void)clean;

	conform_end(yaml_get(item->value, "conform"), &p->conform);
	conform_end(yaml_get(item->value, "exceed"), &p->exceed);
	conform_end(yaml_get(item->value, "violate"), &p->violate);
}

void bind_pedit_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	const struct conf_pedit *p = record;
	const struct yaml_node *n = item->value;

	if (!clean)
		return;
	if (p->nexthdr && p->ethernet)
		error_at(b, n, "either nexthdr or ethernet");
	if ((p->value | p->mask) & ~all_of(p->width))
		error_at(b, n, "does not fit into the width");
	else if (p->value & p->mask)
		error_at(b, yaml_get(n, "keep"), "the value has bits that are kept");
}

/* ---- mirrors */

void bind_mirror_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_mirror *m = record;

	bind_file_tail(b, item->value, m->file);
	bind_match_begin(b, &m->match);
	frame_begin(b, &m->frame);
}

void bind_mirror_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_mirror *m = record;
	(void)clean;

	bind_match_end(b, &m->match, item->value);
	frame_end(&m->frame, item->value);
}

void bind_redirect_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_mirror *m = record;

	bind_mirror_end(b, record, item, clean);
	m->direction = CONF_DIRECTION_IN;
}
