/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See apply_rules.h. [control] */
#include "router/apply_rules.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "router/apply.h"
#include "router/lib/log.h"
#include "router/router.h"

#define VRF_PRIORITY   1000	   /* of Linux's own rule for VRFs, */
#define VRF_LAST_ROUTE 4278198272u /* and the metric its documentation has for the last route */
#define ROUNDS	       8	   /* until Linux has the rules; else on in a second */

/* ---- rules */

static uint8_t action_of(enum conf_policy_type t)
{
	switch (t) {
	case CONF_POLICY_BLACKHOLE: return FR_ACT_BLACKHOLE;
	case CONF_POLICY_UNREACHABLE: return FR_ACT_UNREACHABLE;
	case CONF_POLICY_PROHIBIT: return FR_ACT_PROHIBIT;
	case CONF_POLICY_TABLE: break;
	}
	return FR_ACT_TO_TBL;
}

static void rule_begin(struct netlink_rule *out, int family, uint32_t priority)
{
	memset(out, 0, sizeof(*out));
	out->family = (uint8_t)family;
	out->action = FR_ACT_TO_TBL;
	out->protocol = NETLINK_PROTO;
	out->priority = priority;
	out->suppress_len = out->suppress_group = -1;
	out->from.addr.family = out->to.addr.family = (uint8_t)family;
}

/* IPv6 always had all six bits in its TOS, where 0 is any. */
static void put_dscp(struct netlink_rule *out, uint8_t dscp)
{
	if (out->family == AF_INET6 && dscp) {
		out->tos = (uint8_t)(dscp << 2);
		return;
	}
	out->has_dscp = true;
	out->dscp = dscp;
	out->dscp_mask = 0x3f;
}

static void rule_build(const struct router *r, const struct conf_policy *c, int family,
		       struct netlink_rule *out)
{
	const struct link *in = c->in[0] ? apply_named_link(r, c->in) : NULL;

	rule_begin(out, family, c->priority);
	out->action = action_of(c->type);
	out->table = c->type == CONF_POLICY_TABLE ? c->table : 0;
	out->invert = c->invert;
	if (c->from.addr.family)
		out->from = c->from;
	if (c->to.addr.family)
		out->to = c->to;
	snprintf(out->iif, sizeof(out->iif), "%s", in ? in->l.name : c->in);
	out->mark = c->mark;
	out->mark_mask = c->mark_mask;
	if (c->has_dscp)
		put_dscp(out, c->dscp);
	out->ipproto = c->proto;
	out->sport = (struct netlink_ports){ c->sport.first, c->sport.last, 0 };
	out->dport = (struct netlink_ports){ c->dport.first, c->dport.last, 0 };
	out->suppress_len = c->suppress;
}

/* Is `have`, as Linux tells it, what we have asked for, or would? */
static bool same_rule(const struct netlink_rule *have, const struct netlink_rule *want)
{
	return have->family == want->family && have->action == want->action &&
	       have->priority == want->priority && have->table == want->table &&
	       have->invert == want->invert && prefix_equal(&have->from, &want->from) &&
	       prefix_equal(&have->to, &want->to) && !strcmp(have->iif, want->iif) &&
	       have->mark == want->mark && have->mark_mask == want->mark_mask &&
	       have->tos == want->tos && have->has_dscp == want->has_dscp &&
	       have->dscp == want->dscp && have->ipproto == want->ipproto &&
	       have->sport.first == want->sport.first && have->sport.last == want->sport.last &&
	       have->dport.first == want->dport.first && have->dport.last == want->dport.last &&
	       have->suppress_len == want->suppress_len && !have->unknown && !have->oif[0] &&
	       have->protocol == NETLINK_PROTO;
}

/* ---- what the file asks for */

struct wanted {
	struct netlink_rule rule;
	struct conf_policy *from; /* NULL: a VRF's */
	unsigned at;		  /* equals are installed in this order */
	bool there;
};

struct wanted_rules { /* of a family, by priority */
	struct wanted *v;
	unsigned n;
};

static struct wanted *wanted_add(struct wanted_rules *w, struct conf_policy *from)
{
	struct wanted *new = &w->v[w->n];

	*new = (struct wanted){ .from = from, .at = w->n++ };
	return new;
}

static int wanted_cmp(const void *one, const void *other)
{
	const struct wanted *a = one, *b = other;

	if (a->rule.priority != b->rule.priority)
		return a->rule.priority < b->rule.priority ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

static int wanted_build(const struct router *r, int family, struct wanted_rules *w)
{
	const struct conf *c = r->conf;

	w->n = 0;
	w->v = calloc(c->npolicies + c->nifaces + 1, sizeof(*w->v));
	if (!w->v)
		return -ENOMEM;
	for (unsigned i = 0; i < c->npolicies; i++)
		if (!c->policies[i].family || c->policies[i].family == family)
			rule_build(r, &c->policies[i], family,
				   &wanted_add(w, &c->policies[i])->rule);
	for (unsigned i = 0; i < c->nifaces; i++) {
		uint32_t table = apply_vrf_table(r, &c->ifaces[i]);
		const struct link *l = table ? ports_find_link(r, &c->ifaces[i]) : NULL;
		struct netlink_rule *rule = l ? &wanted_add(w, NULL)->rule : NULL;

		if (!rule)
			continue;
		rule_begin(rule, family, VRF_PRIORITY);
		rule->table = table;
		snprintf(rule->iif, sizeof(rule->iif), "%s", l->l.name);
	}
	qsort(w->v, w->n, sizeof(*w->v), wanted_cmp);
	return 0;
}

/* Notes which of them (the file may say it twice) is the one that Linux has; false: none. */
static bool wanted_find(struct wanted_rules *w, const struct netlink_rule *have)
{
	unsigned first = 0, end = w->n;
	bool found = false;

	while (first < end) {
		unsigned mid = first + (end - first) / 2;

		if (w->v[mid].rule.priority < have->priority)
			first = mid + 1;
		else
			end = mid;
	}
	for (; first < w->n && w->v[first].rule.priority == have->priority; first++)
		if (same_rule(have, &w->v[first].rule))
			found = w->v[first].there = true;
	return found;
}

/* ---- rules into Linux */

/* Older kernels pass over an attribute they do not know: the rule would take every packet. */
static bool linux_has_dscp(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 14));
}

static int install_rule(struct router *r, const struct wanted *w)
{
	char why[NETLINK_WHY] = "this kernel knows no DSCP in rules of IPv4; Linux 6.14 does";
	bool six = w->rule.family == AF_INET6;
	int err = -EOPNOTSUPP;

	if (!w->rule.has_dscp || linux_has_dscp())
		err = netlink_rule_set(r->nl, &w->rule, true, why);
	if (err && !(w->from && w->from->refused[six]))
		log_warn("IPv%u rule of priority %u (line %u): %s", six ? 6 : 4, w->rule.priority,
			 w->from ? w->from->line : 0, why);
	if (w->from)
		w->from->refused[six] = err != 0;
	return err;
}

/* Is there nothing left to do? */
static bool rules_round(struct router *r, int family)
{
	const struct rule *first = r->state->rules[family == AF_INET6];
	struct wanted_rules w;
	bool moved = false;

	if (wanted_build(r, family, &w))
		return false;
	for (const struct rule *have = first; have; have = have->next)
		wanted_find(&w, &have->r);
	for (unsigned i = 0; i < w.n; i++)
		if (!w.v[i].there && !install_rule(r, &w.v[i]))
			moved = true;
	for (const struct rule *have = first; have; have = have->next)
		if (have->r.protocol == NETLINK_PROTO && !wanted_find(&w, &have->r) &&
		    !netlink_rule_set(r->nl, &have->r, false, NULL))
			moved = true;
	free(w.v);
	return !moved;
}

/* To delete a rule Linux takes the first that has all it is told: what the rule leaves open may be
 * anything, `not` is never looked at. So another one of ours may go in its place, and whoever has
 * deleted looks again. */
static bool rules_settle(struct router *r, int family)
{
	for (unsigned i = 0; i < ROUNDS && netlink_catch_up(r->nl); i++)
		if (rules_round(r, family))
			return true;
	return false;
}

/* What is new comes before what is old goes: a rule that changed leaves no gap. */
void apply_rules(struct router *r)
{
	bool settled = rules_settle(r, AF_INET);

	settled &= rules_settle(r, AF_INET6);
	r->rules_wait = !settled;
}

/* ---- VRFs */

static const struct conf_table *vrf_named(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->nvrfs; i++)
		if (!strcmp(c->vrfs[i].name, name))
			return &c->vrfs[i];
	return NULL;
}

uint32_t apply_vrf_table(const struct router *r, const struct conf_iface *c)
{
	const struct conf_table *v = r->no_vrfs && c->vrf[0] ? vrf_named(r->conf, c->vrf) : NULL;

	return v ? v->table : 0;
}

static void warn_of_overlap(const struct conf *c, const struct conf_iface *f,
			    const struct prefix *p)
{
	char text[PREFIX_STRLEN];

	for (const struct conf_iface *other = c->ifaces; other < f; other++)
		for (unsigned i = 0; i < other->naddresses; i++)
			if (strcmp(other->vrf, f->vrf) != 0 &&
			    addr_equal(&other->addresses[i].addr, &p->addr))
				log_warn("%s: address %s is %s's, too: without VRF devices Linux "
					 "does not tell them apart",
					 f->name, prefix_format(p, text), other->name);
}

static void warn_of_overlaps(const struct conf *c)
{
	for (unsigned i = 0; i < c->nifaces; i++)
		for (unsigned k = 0; k < c->ifaces[i].naddresses; k++)
			warn_of_overlap(c, &c->ifaces[i], &c->ifaces[i].addresses[k]);
}

static void vrf_refused(struct conf_table *v, const char *why)
{
	if (!v->refused)
		log_err("VRF %s (line %u): %s", v->name, v->line, why);
	v->refused = true;
}

/* A device of its name may be something else. (One that was just made is not known yet.) */
static bool is_that_vrf(const struct router *r, int index, const struct conf_table *v)
{
	const struct link *l = state_link(r->state, index);

	return !l || l->l.vrf_table == v->table;
}

/* Its number, or 0. */
static int vrf_device(struct router *r, struct conf_table *v)
{
	char why[NETLINK_WHY];
	int index = (int)if_nametoindex(v->name), err;

	if (index && !is_that_vrf(r, index, v)) {
		snprintf(why, sizeof(why),
			 "there is a device of this name that is none of table %u", v->table);
		vrf_refused(v, why);
		return 0;
	}
	if (index)
		v->refused = false;
	if (index || r->no_vrfs)
		return index;
	err = netlink_vrf_add(r->nl, v->name, v->table, why);
	if (err == -EOPNOTSUPP) {
		r->no_vrfs = true;
		log_warn(
			"vrfs: this kernel has no VRF devices: a rule for each of their interfaces "
			"stands in, and their addresses are Linux's like all others");
		warn_of_overlaps(r->conf);
		state_rename(r->state); /* interfaces are in zones now */
	} else if (err) {
		vrf_refused(v, why);
	}
	return (int)if_nametoindex(v->name);
}

static bool is_vrf(const struct link *l, uint32_t table)
{
	return l && !strcmp(l->l.kind, "vrf") && l->l.vrf_table == table;
}

static void set_master(struct router *r, struct conf_iface *c, int master)
{
	const struct link *l = ports_find_link(r, c);
	char why[NETLINK_WHY];

	if (!l || l->l.master == master)
		return;
	if (!netlink_link_master(r->nl, l->l.ifindex, master, why)) {
		c->vrf_refused = false;
		return;
	}
	if (!c->vrf_refused)
		log_err("%s: vrf %s: %s", c->name, c->vrf, why);
	c->vrf_refused = true;
}

/* Is it in the VRF that `old` says? Somebody may have put it elsewhere since. */
static bool is_in_vrf(const struct router *r, const struct conf *old, const struct conf_iface *c)
{
	const struct conf_table *v = vrf_named(old, c->vrf);
	const struct link *l = v ? ports_find_link(r, c) : NULL;

	return l && is_vrf(state_link(r->state, l->l.master), v->table);
}

/* What only the configuration of before had. */
static void vrfs_withdraw(struct router *r, const struct conf *old)
{
	for (unsigned i = 0; i < old->nifaces; i++) {
		struct conf_iface *was = &old->ifaces[i];
		bool stays = false;

		for (unsigned k = 0; k < r->conf->nifaces; k++)
			stays |= r->conf->ifaces[k].vrf[0] &&
				 !strcmp(r->conf->ifaces[k].name, was->name);
		if (!stays && is_in_vrf(r, old, was))
			set_master(r, was, 0);
	}
	for (unsigned i = 0; i < old->nvrfs; i++) {
		const struct conf_table *was = &old->vrfs[i], *v = vrf_named(r->conf, was->name);
		const struct link *l = state_link(r->state, (int)if_nametoindex(was->name));

		if (is_vrf(l, was->table) && (!v || v->table != was->table))
			netlink_link_del(r->nl, l->l.ifindex, NULL);
	}
}

void apply_vrfs(struct router *r, const struct conf *old)
{
	const struct conf *c = r->conf;

	if (old && !r->no_vrfs)
		vrfs_withdraw(r, old);
	for (unsigned i = 0; i < c->nvrfs; i++) {
		int index = vrf_device(r, &c->vrfs[i]);

		for (unsigned k = 0; index && k < c->nifaces; k++)
			if (!strcmp(c->ifaces[k].vrf, c->vrfs[i].name))
				set_master(r, &c->ifaces[k], index);
	}
}

/* ---- routes of VRFs */

static void route_begin(struct netlink_route *out, uint32_t table)
{
	memset(out, 0, sizeof(*out));
	out->table = table;
	out->protocol = NETLINK_PROTO;
}

static void last_route(const struct conf_table *v, bool six, struct netlink_route *out)
{
	route_begin(out, v->table);
	out->dst.addr.family = six ? AF_INET6 : AF_INET;
	out->metric = VRF_LAST_ROUTE;
	out->type = RTN_UNREACHABLE;
}

bool apply_vrf_route(const struct router *r, unsigned i, struct netlink_route *out)
{
	const struct conf *c = r->conf;

	if (i < 2 * c->nvrfs) {
		last_route(&c->vrfs[i / 2], i % 2, out);
		return true;
	}
	i -= 2 * c->nvrfs;
	for (unsigned k = 0; k < c->nifaces; k++) {
		const struct conf_iface *f = &c->ifaces[k];
		uint32_t table = apply_vrf_table(r, f);
		const struct link *l = table ? ports_find_link(r, f) : NULL;

		if (!l || i >= f->naddresses) {
			i -= l ? f->naddresses : 0;
			continue;
		}
		route_begin(out, table);
		out->dst = prefix_masked(&f->addresses[i]);
		out->type = RTN_UNICAST;
		out->nhops = 1;
		out->hops[0] = (struct netlink_hop){ .ifindex = l->l.ifindex, .weight = 1 };
		return true;
	}
	return false;
}
