// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables, VRFs and rules of routing: names that are not there, numbers with two meanings. Names of
 * tables become their numbers here, for they may stand before what they are named by.
 */
#include <string.h>

#include "config/check.h"
#include "config/text.h"
#include "config/value.h"

enum { TABLE_DEFAULT = 253, TABLE_LOCAL = 255 };

static bool is_reserved(uint32_t table)
{
	return table >= TABLE_DEFAULT && table <= TABLE_LOCAL;
}

static bool is_word(const char *name)
{
	return !strcmp(name, "main") || !strcmp(name, "local") || !strcmp(name, "default");
}

/* ---- names */

static const struct conf_table *find(const struct conf_table *t, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

/* What there is, after an error about what there is not. */
static void help_names(struct check *k, const char *begin, bool tables)
{
	const struct conf *c = k->c;
	char all[300];
	size_t used =
		(size_t)snprintf(all, sizeof(all), "%s", tables ? "main, local, default" : "");

	for (unsigned i = 0; tables && i < c->ntables && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, ", %s", c->tables[i].name);
	for (unsigned i = 0; i < c->nvrfs && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", used ? ", " : "",
					 c->vrfs[i].name);
	report_help(k->report, "%s%s", begin, all);
}

/* A table that the file has by a name. */
static void resolve(struct check *k, uint32_t *table, const unsigned *line)
{
	const struct yaml_node *n = bind_where(k->places, table);
	const struct conf_table *t;
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	if (*table || !n || n->kind != YAML_TEXT)
		return;
	t = find(k->c->tables, k->c->ntables, n->text);
	if (!t)
		t = find(k->c->vrfs, k->c->nvrfs, n->text);
	if (t) {
		*table = t->table;
		return;
	}
	report_error(k->report, check_place(k, table, line), "%s: there is no table %s",
		     check_path(k, table, path), text_quote(n->text, word));
	help_names(k, "routing.tables names tables; there are: ", true);
}

/* ---- what they are */

static void check_name(struct check *k, const struct conf_table *t, const char *where)
{
	if (is_word(t->name))
		report_error(k->report, check_place(k, t->name, &t->line),
			     "%s: %s is a table of Linux", where, t->name);
}

static void check_twice(struct check *k, const struct conf_table *t, const struct conf_table *other,
			unsigned n, bool error)
{
	char path[YAML_PATH_MAX];

	for (unsigned i = 0; i < n && t->table; i++) {
		struct mark at = check_place(k, &t->table, &t->line);

		if (&other[i] == t || other[i].table != t->table)
			continue;
		if (error)
			report_error(k->report, at, "%s: %u is %s already",
				     check_path(k, &t->table, path), t->table, other[i].name);
		else
			report_warning(k->report, at, "%s: %u is %s, too",
				       check_path(k, &t->table, path), t->table, other[i].name);
		return;
	}
}

static void check_table(struct check *k, const struct conf_table *t)
{
	char path[YAML_PATH_MAX];

	check_name(k, t, "routing.tables");
	if (is_reserved(t->table))
		report_error(k->report, check_place(k, &t->table, &t->line),
			     "%s: %u is a table of Linux with a name of its own",
			     check_path(k, &t->table, path), t->table);
	check_twice(k, t, k->c->tables, (unsigned)(t - k->c->tables), false);
}

/* Where Linux has VRFs it is a device of this name. */
static void check_vrf(struct check *k, const struct conf_table *t)
{
	char path[YAML_PATH_MAX];
	struct mark at = check_place(k, t->name, &t->line);

	check_name(k, t, "vrfs");
	if (!value_netdev_valid(t->name) || !strcmp(t->name, "lo"))
		report_error(k->report, at, "vrfs: %s cannot be the name of a device", t->name);
	else if (check_find(&k->netdevs, t->name))
		report_error(k->report, at, "vrfs: %s is an interface", t->name);
	if (is_reserved(t->table))
		report_error(k->report, check_place(k, &t->table, &t->line),
			     "%s: %u is a table of Linux", check_path(k, &t->table, path),
			     t->table);
	check_twice(k, t, k->c->vrfs, (unsigned)(t - k->c->vrfs), true);
}

static void check_member(struct check *k, const struct conf_iface *f)
{
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];

	if (!f->vrf[0] || find(k->c->vrfs, k->c->nvrfs, f->vrf))
		return;
	report_error(k->report, check_place(k, f->vrf, f->name), "%s: there is no VRF %s",
		     check_path(k, f->vrf, path), text_quote(f->vrf, word));
	if (k->c->nvrfs)
		help_names(k, "there are: ", false);
	else
		report_help(k->report, "name it under vrfs, with its table");
}

/* Linux takes no range with the last port in it. */
static void check_ports(struct check *k, const struct conf_port_range *ports, const unsigned *line)
{
	char path[YAML_PATH_MAX];

	if (ports->last != UINT16_MAX)
		return;
	report_error(k->report, check_place(k, ports, line),
		     "%s: Linux has rules for ports up to 65534", check_path(k, ports, path));
	if (ports->first < ports->last)
		report_help(k->report, "write %u-65534", ports->first);
}

static void check_policy(struct check *k, struct conf_policy *p)
{
	if (p->type == CONF_POLICY_TABLE)
		resolve(k, &p->table, &p->line);
	check_dev(k, p->in, &p->line);
	check_ports(k, &p->sport, &p->line);
	check_ports(k, &p->dport, &p->line);
}

void check_tables(struct check *k, struct conf *c)
{
	for (unsigned i = 0; i < c->ntables; i++)
		check_table(k, &c->tables[i]);
	for (unsigned i = 0; i < c->nvrfs; i++)
		check_vrf(k, &c->vrfs[i]);
	for (unsigned i = 0; i < c->nifaces; i++)
		check_member(k, &c->ifaces[i]);
	for (unsigned i = 0; i < c->nroutes; i++)
		resolve(k, &c->routes[i].table, &c->routes[i].line);
	for (unsigned i = 0; i < c->npolicies; i++)
		check_policy(k, &c->policies[i]);
}
