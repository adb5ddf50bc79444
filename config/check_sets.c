// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets whose elements clash, zones that share interfaces, names of neither. A set may have a
 * million elements: they are sorted once and compared with their neighbours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/value.h"

/* ---- sets */

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_fields(const struct conf_element_field *a, const struct conf_element_field *b)
{
	int order = addr_cmp(&a->first, &b->first);

	if (!order)
		order = compare_numbers(a->low, b->low);
	if (!order)
		order = strcmp(a->name, b->name);
	if (!order)
		order = addr_cmp(&a->last, &b->last);
	return order ? order : compare_numbers(a->high, b->high);
}

static int compare_elements(const void *a, const void *b)
{
	const struct conf_element *x = *(const struct conf_element *const *)a;
	const struct conf_element *y = *(const struct conf_element *const *)b;

	for (unsigned i = 0; i < CONF_FIELDS_MAX; i++) {
		int order = compare_fields(&x->field[i], &y->field[i]);
		if (order)
			return order;
	}
	return (x > y) - (x < y); /* in the order of the file */
}

/* Do they have anything in common? x begins first, or where y does. */
static bool fields_meet(const struct conf_element_field *x, const struct conf_element_field *y)
{
	if (x->first.family != y->first.family || strcmp(x->name, y->name))
		return false;
	return x->first.family ? addr_cmp(&x->last, &y->first) >= 0 : x->high >= y->low;
}

/* Combinations of ranges are compared only with what begins alike. */
static bool elements_meet(const struct conf_set *set, const struct conf_element *x,
			  const struct conf_element *y)
{
	for (unsigned i = 0; i < set->ntypes; i++) {
		if (set->ntypes > 1 && compare_fields(&x->field[i], &y->field[i]))
			return false;
		if (!fields_meet(&x->field[i], &y->field[i]))
			return false;
	}
	return set->ntypes > 0;
}

static void report_clash(struct check *k, const struct conf_set *set, const struct conf_element *a,
			 const struct conf_element *b)
{
	const struct conf_element *first = a < b ? a : b, *second = a < b ? b : a;
	struct mark at = check_place(k, second, &set->line);
	char path[YAML_PATH_MAX], line[YAML_PATH_MAX];
	char text[VALUE_ELEMENT_MAX], other[VALUE_ELEMENT_MAX];

	value_format_element(set, second, text);
	value_format_element(set, first, other);
	check_path(k, second, path);
	check_line(k, check_place(k, first, &set->line), at, line);
	if (!strcmp(text, other))
		report_error(k->report, at, "%s: %s is at %s already", path, text, line);
	else
		report_error(k->report, at, "%s: %s overlaps %s at %s", path, text, other, line);
}

/* In order, each is compared with the one before it that reaches farthest. */
static int check_elements(struct check *k, const struct conf_set *set)
{
	const struct conf_element **sorted =
		calloc((size_t)set->nelements + 1, sizeof(struct conf_element *));
	unsigned n = 0;

	if (!sorted)
		return -ENOMEM;
	for (unsigned i = 0; i < set->nelements; i++)
		if (bind_where(k->places, &set->elements[i])) /* it could be read */
			sorted[n++] = &set->elements[i];
	qsort(sorted, n, sizeof(*sorted), compare_elements);
	const struct conf_element *far = n ? sorted[0] : NULL;
	for (unsigned i = 1; i < n; i++) {
		const struct conf_element_field *x = &far->field[0], *y = &sorted[i]->field[0];
		if (elements_meet(set, far, sorted[i]))
			report_clash(k, set, far, sorted[i]);
		if (set->ntypes > 1 || x->first.family != y->first.family ||
		    addr_cmp(&y->last, &x->last) > 0 || y->high > x->high || y->name[0])
			far = sorted[i];
	}
	free(sorted);
	return 0;
}

static void check_interfaces(struct check *k, const struct conf_set *set, unsigned field)
{
	char path[YAML_PATH_MAX];

	for (unsigned i = 0; i < set->nelements; i++) {
		const char *name = set->elements[i].field[field].name;
		if (!name[0] || check_find(&k->ifaces, name))
			continue;
		report_error(k->report, check_place(k, &set->elements[i], &set->line),
			     "%s: there is no interface %s", check_path(k, &set->elements[i], path),
			     name);
		check_suggest(k, name, &k->ifaces, NULL);
	}
}

int check_sets(struct check *k)
{
	char path[YAML_PATH_MAX];
	int err = 0;

	for (unsigned i = 0; i < k->c->nsets && !err; i++) {
		const struct conf_set *set = &k->c->sets[i];
		for (unsigned j = 0; j < set->ntypes; j++)
			if (set->type[j] == CONF_FIELD_INTERFACE)
				check_interfaces(k, set, j);
		if (set->nelements > set->size) {
			report_error(k->report, check_place(k, &set->size, &set->line),
				     "%s: has %u elements, more than its size, %u",
				     check_path(k, &set->line, path), set->nelements, set->size);
			report_help(k->report, "set its size: %u or more", set->nelements);
		}
		err = check_elements(k, set);
	}
	return err;
}

/* ---- zones */

struct membership {
	const char *iface;
	const struct conf_zone *zone;
	unsigned index; /* in the zone's list */
};

static int compare_members(const void *a, const void *b)
{
	const struct membership *x = a, *y = b;
	int order = strcmp(x->iface, y->iface);

	if (!order && x->zone != y->zone)
		order = x->zone > y->zone ? 1 : -1;
	return order ? order : compare_numbers(x->index, y->index);
}

static struct mark member_place(const struct check *k, const struct membership *m)
{
	return check_word_place(k, &m->zone->interfaces.names, m->index, &m->zone->line);
}

static void check_members(struct check *k, const struct membership *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct conf_zone *zone = m[i].zone;
		if (i > 0 && !strcmp(m[i].iface, m[i - 1].iface)) {
			report_error(k->report, member_place(k, &m[i]),
				     "zones.%s.interfaces: %s is in %s already", zone->name,
				     m[i].iface,
				     m[i - 1].zone == zone ? "it" : m[i - 1].zone->name);
		} else if (!check_find(&k->ifaces, m[i].iface)) {
			report_error(k->report, member_place(k, &m[i]),
				     "zones.%s.interfaces: there is no interface %s", zone->name,
				     m[i].iface);
			check_suggest(k, m[i].iface, &k->ifaces, NULL);
		}
	}
}

/* An interface belongs to one zone at most. */
static int check_memberships(struct check *k)
{
	size_t n = 0, all = 0;

	for (unsigned i = 0; i < k->c->nzones; i++)
		all += k->c->zones[i].interfaces.nnames;
	struct membership *m = calloc(all + 1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	for (unsigned i = 0; i < k->c->nzones; i++) {
		const struct conf_zone *zone = &k->c->zones[i];
		for (unsigned j = 0; j < zone->interfaces.nnames; j++)
			m[n++] = (struct membership){ zone->interfaces.names[j], zone, j };
	}
	qsort(m, n, sizeof(*m), compare_members);
	check_members(k, m, n);
	free(m);
	return 0;
}

static void check_zone(struct check *k, const struct conf_zone *zone)
{
	for (unsigned i = 0; i < zone->nforward_to; i++) {
		const char *to = zone->forward_to[i];
		if (check_find(&k->zones, to))
			continue;
		report_error(k->report, check_word_place(k, &zone->forward_to, i, &zone->line),
			     "zones.%s.forward-to: there is no zone %s", zone->name, to);
		check_suggest(k, to, &k->zones, NULL);
	}
	if (zone->name[0] && check_find(&k->ifaces, zone->name)) {
		report_error(k->report, check_place(k, zone->name, &zone->line),
			     "zones.%s: an interface has this name", zone->name);
		report_help(k->report, "in and out of rules take either, so they must differ");
	}
	if (!zone->interfaces.nnames)
		report_warning(k->report, check_place(k, zone->name, &zone->line),
			       "zones.%s: has no interfaces", zone->name);
}

int check_zones(struct check *k)
{
	for (unsigned i = 0; i < k->c->nzones; i++)
		check_zone(k, &k->c->zones[i]);
	return check_memberships(k);
}
