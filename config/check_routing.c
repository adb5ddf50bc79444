// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes and neighbours: one twice, a next hop on no link or of the wrong family.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"

void check_dev(struct check *k, const char *dev, const void *record)
{
	char path[YAML_PATH_MAX];

	if (!dev[0] || check_find(&k->netdevs, dev))
		return;
	report_warning(k->report, check_place(k, dev, record),
		       "%s: %s is none of this file's interfaces", check_path(k, dev, path), dev);
}

static void check_nexthop(struct check *k, const struct conf_route *r, const struct conf_nexthop *h)
{
	char path[YAML_PATH_MAX], text[ADDR_STRLEN];
	struct mark at = check_place(k, &h->via, &r->line);

	check_dev(k, h->dev, &r->line);
	if (!h->via.family)
		return;
	check_path(k, &h->via, path);
	addr_format(&h->via, text);
	const struct conf_iface *own = check_own_address(k, &h->via);
	if (r->to.addr.family == AF_INET6 && h->via.family == AF_INET) {
		report_error(k->report, at, "%s: an IPv6 route cannot go via IPv4's %s", path,
			     text);
	} else if (own) {
		report_error(k->report, at, "%s: %s is our own address on %s", path, text,
			     own->name);
	} else if (h->via.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&h->via.v6)) {
		if (!h->dev[0])
			report_error(k->report, at, "%s: link-local %s needs a dev", path, text);
	} else if (!h->dev[0] && !check_on_some_link(k, &h->via)) {
		report_warning(k->report, at, "%s: %s is in the prefix of no address of this file",
			       path, text);
		report_help(k->report, "say which link it is on by dev, if Linux has the address");
	}
}

static void check_route(struct check *k, const struct conf_route *r)
{
	char path[YAML_PATH_MAX];

	for (unsigned i = 0; i < r->nnexthops; i++) {
		const struct conf_nexthop *h = &r->nexthops[i];
		check_nexthop(k, r, h);
		for (unsigned j = 0; j < i; j++) {
			const struct conf_nexthop *other = &r->nexthops[j];
			if ((!h->via.family && !h->dev[0]) || !addr_equal(&h->via, &other->via) ||
			    strcmp(h->dev, other->dev))
				continue;
			const void *field = h->via.family ? (const void *)&h->via : h->dev;
			report_warning(k->report, check_place(k, field, &r->line),
				       "%s: the same next hop twice", check_path(k, field, path));
			report_help(k->report, "give it a larger weight instead");
			break;
		}
	}
}

static int compare_keys(const struct conf_route *x, const struct conf_route *y)
{
	int order = check_compare_prefix(&x->to, &y->to);

	if (order)
		return order;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return (x->metric > y->metric) - (x->metric < y->metric);
}

static int compare_routes(const void *a, const void *b)
{
	const struct conf_route *x = *(const struct conf_route *const *)a;
	const struct conf_route *y = *(const struct conf_route *const *)b;
	int order = compare_keys(x, y);

	return order ? order : (x > y) - (x < y); /* in the order of the file */
}

static int check_duplicate_routes(struct check *k)
{
	unsigned n = 0;
	const struct conf_route **r = calloc(k->c->nroutes + 1, sizeof(struct conf_route *));
	char path[YAML_PATH_MAX], first[YAML_PATH_MAX], text[PREFIX_STRLEN];

	if (!r)
		return -ENOMEM;
	for (unsigned i = 0; i < k->c->nroutes; i++)
		if (k->c->routes[i].to.addr.family)
			r[n++] = &k->c->routes[i];
	qsort(r, n, sizeof(*r), compare_routes);
	for (unsigned i = 1; i < n; i++) {
		if (compare_keys(r[i - 1], r[i]))
			continue;
		struct mark at = check_place(k, &r[i]->to, &r[i]->line);
		report_error(k->report, at,
			     "%s: a route to %s with this table and metric is at %s already",
			     check_path(k, &r[i]->line, path), prefix_format(&r[i]->to, text),
			     check_line(k, check_place(k, &r[i - 1]->line, NULL), at, first));
		report_help(k->report,
			    "give it another metric, or list both next hops under nexthops");
	}
	free(r);
	return 0;
}

static int compare_neighbour_keys(const struct conf_neighbour *x, const struct conf_neighbour *y)
{
	int order = strcmp(x->dev, y->dev);

	return order ? order : addr_cmp(&x->ip, &y->ip);
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct conf_neighbour *x = *(const struct conf_neighbour *const *)a;
	const struct conf_neighbour *y = *(const struct conf_neighbour *const *)b;
	int order = compare_neighbour_keys(x, y);

	return order ? order : (x > y) - (x < y);
}

static int check_neighbours(struct check *k)
{
	unsigned n = 0;
	const struct conf_neighbour **s =
		calloc(k->c->nneighbours + 1, sizeof(struct conf_neighbour *));
	char path[YAML_PATH_MAX], first[YAML_PATH_MAX], text[ADDR_STRLEN];

	if (!s)
		return -ENOMEM;
	for (unsigned i = 0; i < k->c->nneighbours; i++) {
		const struct conf_neighbour *e = &k->c->neighbours[i];
		check_dev(k, e->dev, &e->line);
		if (e->ip.family && check_own_address(k, &e->ip))
			report_error(k->report, check_place(k, &e->ip, &e->line),
				     "%s: %s is our own address", check_path(k, &e->ip, path),
				     addr_format(&e->ip, text));
		if (e->dev[0] && e->ip.family)
			s[n++] = e;
	}
	qsort(s, n, sizeof(*s), compare_neighbours);
	for (unsigned i = 1; i < n; i++) {
		if (compare_neighbour_keys(s[i - 1], s[i]))
			continue;
		struct mark at = check_place(k, &s[i]->ip, &s[i]->line);
		report_error(k->report, at, "%s: %s on %s is at %s already",
			     check_path(k, &s[i]->line, path), addr_format(&s[i]->ip, text),
			     s[i]->dev,
			     check_line(k, check_place(k, &s[i - 1]->line, NULL), at, first));
	}
	free(s);
	return 0;
}

int check_routing(struct check *k)
{
	for (unsigned i = 0; i < k->c->nroutes; i++)
		check_route(k, &k->c->routes[i]);
	int err = check_duplicate_routes(k);
	return err ? err : check_neighbours(k);
}
