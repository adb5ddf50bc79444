// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interfaces, routes, next hops and rules of routing: what makes one whole beyond the values of its
 * keys. And the table of all kinds of records with their beginnings and ends; those of rules are in
 * bind_rules.c, those of shaping in bind_qos.c and bind_tc.c.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/bind_walk.h"
#include "config/text.h"
#include "config/value.h"

static bool iface_name_valid(const char *name, size_t size)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)name[i]) || name[i] == '/')
			return false;
	return n > 0 && n < size;
}

static void iface_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_iface *f = record;
	static const uint8_t no_mac[6];
	const struct yaml_node *key = item->key, *match = yaml_get(item->value, "match");
	char path[YAML_PATH_MAX], word[TEXT_QUOTE_MAX];
	(void)clean;

	f->has_mac = memcmp(f->mac, no_mac, 6) != 0;
	if (!iface_name_valid(key->text, sizeof(f->name))) {
		report_error(b->report, key->mark,
			     "interfaces: %s cannot be the name of an interface",
			     text_quote(key->text, word));
		return;
	}
	strcpy(f->name, key->text);
	bind_place_add(b, f->name, key);
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

/* A route's own via and dev fill a next hop like those in a list, so it begins with one. */
static void route_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_route *r = record;
	const struct yaml_node *n = item->value;

	b->record[SCHEMA_NEXTHOP] = NULL;
	if (n->kind == YAML_MAP && yaml_get(n, "nexthops"))
		return;
	r->nexthops = calloc(1, sizeof(*r->nexthops));
	if (!r->nexthops) {
		b->no_memory = true;
		return;
	}
	bind_defaults(SCHEMA_NEXTHOP, r->nexthops);
	b->record[SCHEMA_NEXTHOP] = r->nexthops;
}

static void route_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_route *r = record;
	const struct yaml_node *n = item->value;
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

static void nexthop_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	const struct conf_nexthop *h = record;
	const struct yaml_node *n = item->value;
	char path[YAML_PATH_MAX];

	if (clean && !h->via.family && !h->dev[0])
		report_error(b->report, n->mark, "%s: needs via or dev", yaml_path(n, path));
}

/* Which family a rule is for follows from its addresses; nothing at all is both. */
static void policy_family(struct bind *b, struct conf_policy *p, const struct yaml_node *n)
{
	const struct prefix *of[] = { &p->from, &p->to };
	const struct yaml_node *at[] = { yaml_get(n, "from"), yaml_get(n, "to") };
	char path[YAML_PATH_MAX];

	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = of[i]->addr.family;

		if (!at[i])
			continue;
		if (p->family && p->family != family)
			report_error(b->report, at[i]->mark, "%s: of another family than %s",
				     yaml_path(at[i], path),
				     i && at[0] ? "from" : "what family says");
		p->family = family;
	}
}

static void policy_begin(struct bind *b, void *record, const struct yaml_item *item)
{
	struct conf_policy *p = record;
	(void)b;
	(void)item;

	p->suppress = -1;
}

static void policy_end(struct bind *b, void *record, const struct yaml_item *item, bool clean)
{
	struct conf_policy *p = record;
	const struct yaml_node *n = item->value, *extra;
	bool is_table = p->type == CONF_POLICY_TABLE;
	char path[YAML_PATH_MAX];

	p->has_dscp = n->kind == YAML_MAP && yaml_get(n, "dscp");
	if (!clean)
		return;
	policy_family(b, p, n);
	if (is_table && !yaml_get(n, "table")) {
		report_error(b->report, n->mark, "%s: needs a table", yaml_path(n, path));
		report_help(b->report, "or a type: blackhole, unreachable or prohibit");
	}
	extra = yaml_get(n, "table") ? yaml_get(n, "table") : yaml_get(n, "suppress-prefix-length");
	if (!is_table && extra)
		report_error(b->report, extra->mark, "%s: not beside this type",
			     yaml_path(extra, path));
}

const struct bind_kind bind_kinds[SCHEMA_RECORDS] = {
	[SCHEMA_IFACE] = { NULL, iface_end, offsetof(struct conf_iface, line) },
	[SCHEMA_ROUTE] = { route_begin, route_end, offsetof(struct conf_route, line) },
	[SCHEMA_NEXTHOP] = { NULL, nexthop_end, 0 },
	[SCHEMA_NEIGHBOUR] = { NULL, NULL, offsetof(struct conf_neighbour, line) },
	[SCHEMA_TABLE_NAME] = { NULL, bind_named_end, offsetof(struct conf_table, line) },
	[SCHEMA_POLICY] = { policy_begin, policy_end, offsetof(struct conf_policy, line) },
	[SCHEMA_VRF] = { NULL, bind_named_end, offsetof(struct conf_table, line) },
	[SCHEMA_SET] = { bind_set_begin, bind_named_end, offsetof(struct conf_set, line) },
	[SCHEMA_ZONE] = { NULL, bind_named_end, offsetof(struct conf_zone, line) },
	[SCHEMA_CHAIN] = { NULL, bind_named_end, offsetof(struct conf_chain, line) },
	[SCHEMA_RULE] = { bind_rule_begin, bind_rule_end, offsetof(struct conf_rule, line) },
	[SCHEMA_ACTION] = { NULL, bind_action_end, 0 },
	[SCHEMA_NAT_SOURCE] = { bind_nat_begin, bind_source_end, offsetof(struct conf_nat, line) },
	[SCHEMA_NAT_DESTINATION] = { bind_nat_begin, bind_destination_end,
				     offsetof(struct conf_nat, line) },
	[SCHEMA_NAT_STATIC] = { bind_nat_begin, bind_static_end, offsetof(struct conf_nat, line) },
	[SCHEMA_QOS] = { NULL, bind_qos_end, offsetof(struct conf_qos, line) },
	[SCHEMA_TREE] = { bind_tree_begin, NULL, 0 },
	[SCHEMA_QDISC] = { NULL, bind_qdisc_end, offsetof(struct conf_qdisc, line) },
	[SCHEMA_CODEL] = { bind_codel_begin, NULL, 0 },
	[SCHEMA_FQ_CODEL] = { bind_fq_codel_begin, NULL, 0 },
	[SCHEMA_PRIO] = { NULL, bind_prio_end, 0 },
	[SCHEMA_NETEM] = { NULL, bind_netem_end, 0 },
	[SCHEMA_CLASS] = { bind_class_begin, NULL, offsetof(struct conf_class, line) },
	[SCHEMA_TC_FILTER] = { bind_tc_filter_begin, bind_tc_filter_end,
			       offsetof(struct conf_tc_filter, line) },
	[SCHEMA_TC_ACTION] = { NULL, bind_tc_action_end, 0 },
	[SCHEMA_POLICE] = { NULL, bind_police_end, 0 },
	[SCHEMA_U32] = { NULL, bind_u32_end, 0 },
	[SCHEMA_PEDIT] = { NULL, bind_pedit_end, 0 },
	[SCHEMA_MIRROR] = { bind_mirror_begin, bind_mirror_end,
			    offsetof(struct conf_mirror, line) },
	[SCHEMA_REDIRECT] = { bind_mirror_begin, bind_redirect_end,
			      offsetof(struct conf_mirror, line) },
};
