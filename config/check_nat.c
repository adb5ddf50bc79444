// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NAT rules: families that do not go together, ports that do not fit, targets nothing leads to,
 * static pairs that clash. What a rule matches is check_match.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"

static const char *family_name(uint8_t family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

/* All of one family, and of that of the packets it is for. */
static void check_pool(struct check *k, const struct conf_nat *r)
{
	uint8_t wanted = check_match_family(&r->match);

	for (unsigned i = 0; i < r->npool; i++) {
		uint8_t family = r->pool[i].first.family;
		char path[YAML_PATH_MAX];
		if (wanted == 0)
			wanted = family;
		if (family == wanted)
			continue;
		report_error(k->report, check_word_place(k, &r->pool, i, &r->line),
			     "%s: is %s, where the rest of the rule is %s",
			     check_path(k, &r->pool, path), family_name(family),
			     family_name(wanted));
		report_help(k->report, "write a rule for each family");
		return;
	}
}

/* Unicast routes, sorted by prefix; NAT may have as many targets as there are routes. */
struct ways {
	struct prefix *to;
	unsigned n;
	bool lens[2][129]; /* which prefix lengths there are, IPv4 and IPv6 */
};

static int compare_prefixes(const void *a, const void *b)
{
	return check_compare_prefix(a, b);
}

static int index_ways(struct ways *w, const struct conf *c)
{
	w->to = calloc((size_t)c->nroutes + 1, sizeof(*w->to));
	if (!w->to)
		return -ENOMEM;
	for (unsigned i = 0; i < c->nroutes; i++) {
		const struct conf_route *r = &c->routes[i];
		if (r->type != CONF_ROUTE_UNICAST || !r->to.addr.family)
			continue;
		w->to[w->n++] = r->to;
		w->lens[r->to.addr.family == AF_INET6][r->to.len] = true;
	}
	qsort(w->to, w->n, sizeof(*w->to), compare_prefixes);
	return 0;
}

/* Does an address or a route of this file lead there? Linux may have more of both. */
static bool has_way(const struct check *k, const struct ways *w, const struct addr *a)
{
	for (unsigned len = 0; len <= addr_bits(a); len++) {
		const struct prefix p = { *a, (uint8_t)len };
		const struct prefix net = prefix_masked(&p);
		if (w->lens[a->family == AF_INET6][len] &&
		    bsearch(&net, w->to, w->n, sizeof(net), compare_prefixes))
			return true;
	}
	return check_on_some_link(k, a);
}

static void check_target(struct check *k, const struct ways *w, const struct conf_nat *r,
			 const struct addr *target, const void *field)
{
	char path[YAML_PATH_MAX], text[ADDR_STRLEN];

	if (!target->family || has_way(k, w, target))
		return;
	report_warning(k->report, check_place(k, field, &r->line),
		       "%s: no address and no route of this file covers %s",
		       check_path(k, field, path), addr_format(target, text));
}

/* ---- ports */

static unsigned length(const struct conf_port_range *r)
{
	return r->last - r->first + 1u;
}

/* Port for port, or all to one. */
static void check_to_port(struct check *k, const struct conf_nat *r)
{
	const struct conf_ports *dport = &r->match.dport;
	char path[YAML_PATH_MAX];

	if (!r->ports.last)
		return;
	struct mark at = check_place(k, &r->ports, &r->line);
	check_path(k, &r->ports, path);
	if (!check_has_ports(&r->match)) {
		report_error(k->report, at, "%s: ports need a protocol that has them", path);
		report_help(k->report, "write proto: tcp, udp, sctp or udplite, or a list of "
				       "these");
	} else if (length(&r->ports) > 1 && (dport->negate || dport->nranges != 1 ||
					     length(&dport->ranges[0]) != length(&r->ports))) {
		report_error(k->report, at, "%s: is not as long as dport", path);
		report_help(k->report, "give one port, or a range as long as that of dport");
	}
}

/* ---- kinds */

/* A mapping for one peer lets in nobody else, whatever filtering says. */
static void check_filtering(struct check *k, const struct conf_nat *r)
{
	char path[YAML_PATH_MAX];

	if (r->mapping != CONF_MAPPING_APDM || r->filtering == CONF_FILTERING_APDF)
		return;
	report_warning(k->report, check_place(k, &r->filtering, &r->line),
		       "%s: with mapping apdm a mapping has one peer, and filtering is apdf",
		       check_path(k, &r->line, path));
	report_help(k->report, "for others to be let in, write mapping: eim, or adm");
}

static void check_source(struct check *k, const struct conf_nat *r)
{
	const struct conf_match *m = &r->match;
	char path[YAML_PATH_MAX];

	check_filtering(k, r);
	check_match(k, m, &r->line, CONF_HOOK_POSTROUTING);
	check_pool(k, r);
	if (r->kind != CONF_NAT_MASQUERADE || m->out.nnames || m->out.set[0])
		return;
	report_warning(k->report, check_place(k, &r->kind, &r->line),
		       "%s: masquerades whatever is forwarded, also from outside to inside",
		       check_path(k, &r->line, path));
	report_help(k->report, "say where it leaves, like out: wan");
}

static void check_destination(struct check *k, const struct ways *w, const struct conf_nat *r)
{
	check_match(k, &r->match, &r->line, CONF_HOOK_PREROUTING);
	if (r->kind == CONF_NAT_REDIRECT)
		check_redirect(k, r);
	check_pool(k, r);
	check_to_port(k, r);
	for (unsigned i = 0; i < r->npool; i++)
		check_target(k, w, r, &r->pool[i].first, &r->pool);
}

/* ---- static pairs */

struct side {
	const struct prefix *prefix;
	const struct conf_nat *rule;
};

static int compare_sides(const void *a, const void *b)
{
	const struct side *x = a, *y = b;
	int order = check_compare_prefix(x->prefix, y->prefix);

	return order ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

/* Pairs for different interfaces may share an address. In order, a prefix comes before all that it
 * contains. */
static void check_sides(struct check *k, struct side *sides, unsigned n)
{
	char path[YAML_PATH_MAX], line[YAML_PATH_MAX], text[PREFIX_STRLEN];
	const struct side *widest = sides;

	qsort(sides, n, sizeof(*sides), compare_sides);
	for (unsigned i = 1; i < n; i++) {
		const struct side *s = &sides[i];
		bool overlap = prefix_contains(widest->prefix, &s->prefix->addr);
		bool apart = s->rule->match.in.nnames && widest->rule->match.in.nnames;
		if (overlap && !apart) {
			const struct side *first = s->rule < widest->rule ? s : widest;
			const struct side *second = first == s ? widest : s;
			struct mark at = check_place(k, second->prefix, &second->rule->line);
			report_error(k->report, at, "%s: %s is translated at %s already",
				     check_path(k, second->prefix, path),
				     prefix_format(second->prefix, text),
				     check_line(k, check_place(k, first->prefix, NULL), at, line));
		}
		if (!overlap)
			widest = s;
	}
}

static int check_static(struct check *k, const struct ways *w)
{
	unsigned n = 0;
	struct side *external = calloc((size_t)k->c->nnat_static + 1, sizeof(*external));
	struct side *internal = calloc((size_t)k->c->nnat_static + 1, sizeof(*internal));
	int err = external && internal ? 0 : -ENOMEM;

	for (unsigned i = 0; i < k->c->nnat_static && !err; i++) {
		const struct conf_nat *r = &k->c->nat_static[i];
		check_match(k, &r->match, &r->line, CONF_HOOK_PREROUTING);
		check_target(k, w, r, &r->internal.addr, &r->internal);
		if (!r->external.addr.family || !r->internal.addr.family)
			continue;
		external[n] = (struct side){ &r->external, r };
		internal[n++] = (struct side){ &r->internal, r };
	}
	if (!err) {
		check_sides(k, external, n);
		check_sides(k, internal, n);
	}
	free(external);
	free(internal);
	return err;
}

static int check_names(struct check *k, const struct conf_nat *rules, unsigned n)
{
	struct check_label *labels = calloc((size_t)n + 1, sizeof(*labels));

	if (!labels)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		labels[i] = (struct check_label){ rules[i].name, &rules[i].line };
	check_labels(k, labels, n);
	free(labels);
	return 0;
}

int check_nat(struct check *k)
{
	const struct conf *c = k->c;
	struct ways ways = { 0 };
	int err = index_ways(&ways, c);

	if (err)
		return err;
	for (unsigned i = 0; i < c->nnat_source; i++)
		check_source(k, &c->nat_source[i]);
	for (unsigned i = 0; i < c->nnat_destination; i++)
		check_destination(k, &ways, &c->nat_destination[i]);
	err = check_static(k, &ways);
	if (!err)
		err = check_names(k, c->nat_source, c->nnat_source);
	if (!err)
		err = check_names(k, c->nat_destination, c->nnat_destination);
	if (!err)
		err = check_names(k, c->nat_static, c->nnat_static);
	free(ways.to);
	return err;
}
