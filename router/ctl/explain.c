/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain in <iface> <packet>: what would become of a packet, by the tables as they are now.
 *
 * The way of a packet stands in router/flows.c, flows_new.c and shape.c; here it is taken once
 * more, step by step and by the same functions, and told. Tests hold the one to the other.
 * [control]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/explain_internal.h"
#include "router/ctl/flow_text.h"
#include "router/ctl/rows.h"
#include "router/lib/clock.h"
#include "router/net/parse.h"
#include "router/net/route.h"
#include "router/net/rp_filter.h"

#define NAT_TRIES 4 /* as for real flows */

const struct column explain_columns[] = {
	{ "step", "step", COL_TEXT, false, "of its way" },
	{ "text", "what happens", COL_TEXT, false, "in words" },
	{ "rule", NULL, COL_TEXT, false, "name of the rule that matches" },
	{ "line", NULL, COL_NUMBER, false, "of that rule or policy in its file" },
	{ "file", NULL, COL_TEXT, false, "of the configuration" },
	{ "iface", NULL, COL_TEXT, false, "it comes in or goes out by" },
	{ "priority", NULL, COL_NUMBER, false, "of the rule of routing that decides" },
	{ "table", NULL, COL_NUMBER, false, "that this rule looks into" },
	{ "class", NULL, COL_TEXT, false,
	  "of a tree of qdiscs that it is filed under: its handle" },
	{ "qlen", NULL, COL_NUMBER, false, "packets that wait in the qdisc it comes to" },
	{ "verdict", NULL, COL_TEXT, false,
	  "last step only: forwarded, waits, dropped, rejected or linux" },
	{ "reason", NULL, COL_TEXT, false, "dropped: as show drops has it" },
	{ 0 },
};

/* ---- what XDP leaves to Linux */

static bool is_local(const struct explain *e)
{
	const struct addr *dst = &e->packet.dst;
	uint32_t slot = route_to(e->in, dst->family, dst->bytes);
	const struct nh *n = slot ? nh_get(e->dp.cfg->nht, slot) : NULL;

	for (const struct link *l = e->r->state->links; l; l = l->next)
		for (const struct link_addr *a = l->addrs; a; a = a->next)
			if (addr_equal(&a->a.local.addr, dst))
				return true;
	return n && n->type == NH_LOCAL;
}

/* The port, or id of an answer, by which XDP knows packets to NAT. -1: none. */
static int steered_port(const struct explain_packet *p)
{
	switch (p->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP: return p->dport;
	case IPPROTO_ICMP: return p->icmp_type == 0 || p->icmp_type == 14 ? p->sport : -1;
	case IPPROTO_ICMPV6: return p->icmp_type == 129 ? p->sport : -1;
	default: return -1;
	}
}

static bool is_nats(const struct explain *e)
{
	const struct explain_packet *p = &e->packet;
	const struct conf *c = e->r->conf;
	int port = steered_port(p);
	uint16_t slot;

	if (!e->dp.policy || !e->r->st || (e->r->steer && steer_natports_note(e->r->steer)))
		return false;
	for (unsigned i = 0; c && i < c->nnat_static; i++)
		if (prefix_contains(&c->nat_static[i].external, &p->dst))
			return true;
	slot = natports_find(e->r->st->ports, &p->dst);
	return slot != NATPORT_NO_SLOT && port >= 0 &&
	       natport_is_taken(e->r->st->ports, slot,
				(enum natport_plane)natport_plane_of(p->proto), (uint16_t)port);
}

static bool is_multicast(const struct addr *a)
{
	return a->family == AF_INET6 ? a->bytes[0] == 0xff
				     : a->bytes[0] >> 4 == 14 || a->v4 == INADDR_BROADCAST;
}

/* What is redirected never comes to us. */
static bool is_redirected(struct explain *e)
{
	const struct explain_packet *p = &e->packet;
	const char *name = explain_iface(e, (uint16_t)(e->in - e->dp.cfg->iface));
	const struct conf_nat *n =
		e->r->conf ? conf_redirect_find(e->r->conf, name, p->dst.family, p->proto, p->dport)
			   : NULL;
	char why[CONF_NAME + 64];

	if (!n)
		return false;
	snprintf(why, sizeof(why), "redirected by rule \"%s\" (line %u) of nat.destination",
		 n->name, n->line);
	explain_to_linux(e, why);
	return true;
}

/* False: the packet is not ours. */
static bool steer(struct explain *e)
{
	const struct explain_packet *p = &e->packet;

	if (is_multicast(&p->dst)) {
		explain_to_linux(e, "multicast or broadcast");
		return false;
	}
	if (p->proto == IPPROTO_UDP && p->dst.family == AF_INET && p->sport == 67 &&
	    p->dport == 68) {
		explain_to_linux(e, "an answer of DHCP");
		return false;
	}
	if (!is_local(e))
		return !is_redirected(e);
	if (!is_nats(e)) {
		explain_to_linux(e, "a local address");
		return false;
	}
	explain_step(e, "xdp", "a local address, but the port is NAT's: not to Linux");
	return true;
}

/* ---- translation of new flows */

/* What a row of a NAT rule tells beside its text. Number 0: a mapping. */
static struct row *nat_step(struct explain *e, const char *kind, uint16_t number, const char *text)
{
	struct nat_rule_info rule;
	struct row *row;

	if (!nat_rule(e->dp.policy->nat, number, &rule))
		return explain_step(e, "nat", "%s: %s", kind, text);
	row = explain_step(e, "nat", "%s: rule \"%s\" (line %u), %s%s%s", kind, rule.name,
			   rule.line, rule.kind, text[0] ? ": " : "", text);
	row_text(row, "rule", rule.name);
	row_unsigned(row, "line", rule.line);
	row_text(row, "file", rule.file && rule.file[0] ? rule.file : NULL);
	return row;
}

static bool translate_destination(struct explain *e, struct nat_hairpin *hairpin)
{
	char from[EXPLAIN_ENDPOINT_STRLEN], to[EXPLAIN_ENDPOINT_STRLEN],
		text[2 * EXPLAIN_ENDPOINT_STRLEN + 40];
	const struct nat *nat = e->dp.policy->nat;
	struct flow_key *k = &e->g.m.key;
	enum nat_verdict v;
	uint16_t rule = 0;

	if (!nat || !nat_has_destination(nat))
		return true;
	explain_endpoint(k, k->dst, k->dport, from);
	v = nat_destination(nat, &e->g.m, &rule, hairpin);
	explain_endpoint(k, k->dst, k->dport, to);
	snprintf(text, sizeof(text), "%s%s -> %s", rule ? "" : "of a mapping: ", from, to);
	switch (v) {
	case NAT_NONE:
		if (rule)
			nat_step(e, "destination", rule, "");
		return true;
	case NAT_REFUSED:
		nat_step(e, "destination", rule, "an outside address, where nobody waits for it");
		explain_drop(e, DROP_NAT_FILTERED);
		return false;
	case NAT_EXHAUSTED:
		nat_step(e, "destination", rule, "no port is free");
		explain_drop(e, DROP_NAT_EXHAUSTED);
		return false;
	case NAT_LOCAL:
		nat_step(e, "destination", rule, text);
		explain_drop(e, DROP_LOCAL);
		return false;
	case NAT_DONE: break;
	}
	nat_step(e, "destination", rule, text);
	e->g.m.status |= CONF_STATUS_DNAT;
	if (nat_is_forward(nat, rule))
		e->g.m.status |= CONF_STATUS_FORWARDED;
	return true;
}

/* How the packet leaves. A port of 0 will be chosen by chance. */
static struct flow_key leaving(const struct explain *e, const struct addr *outside, uint16_t port)
{
	struct flow_key k = e->g.m.key;

	memcpy(k.src, outside->bytes, sizeof(k.src));
	k.sport = port;
	return k;
}

static bool has_chance(const struct flow_key *leaves)
{
	return !leaves->sport && natport_plane_of(leaves->proto) >= 0;
}

static void tell_source(struct explain *e, const struct flow_key *leaves, uint16_t rule)
{
	char from[EXPLAIN_ENDPOINT_STRLEN], to[EXPLAIN_ENDPOINT_STRLEN],
		text[2 * EXPLAIN_ENDPOINT_STRLEN + 40];
	const struct flow_key *k = &e->g.m.key;
	struct flow_key alone = *leaves;

	explain_endpoint(k, k->src, k->sport, from);
	if (has_chance(leaves)) {
		alone.proto = 0; /* has no ports */
		explain_endpoint(&alone, leaves->src, 0, to);
		snprintf(text, sizeof(text), "%s -> %s, some free %s", from, to,
			 natport_plane_of(k->proto) == NATPORT_ICMP ? "id" : "port");
	} else {
		explain_endpoint(leaves, leaves->src, leaves->sport, to);
		snprintf(text, sizeof(text), "%s -> %s", from, to);
	}
	nat_step(e, "source", rule, text);
}

/* Would another flow's packets look the same? */
static bool is_clash(const struct explain *e, const struct flow_key *leaves)
{
	struct flow_key reply;
	enum flow_dir dir;

	if (has_chance(leaves))
		return false;
	ct_reply_key(leaves, &reply);
	return flow_lookup(e->r->st->flows, &reply, e->dp.tick, &dir) != FLOW_NONE;
}

/* Once more, as long as what was chosen is another flow's. */
static bool translate_source(struct explain *e, const struct nat_hairpin *hairpin)
{
	const struct nat *nat = e->dp.policy->nat;
	struct flow_key leaves = e->g.m.key;
	struct nat_claim claim = { 0 };
	enum nat_verdict v = NAT_NONE;
	struct addr outside;
	uint16_t port;

	for (unsigned attempt = 0; attempt <= NAT_TRIES; attempt++) {
		if (nat && nat_has_source(nat))
			v = nat_source(nat, &e->g.m, hairpin, attempt, 0, &outside, &port, &claim);
		if (v == NAT_EXHAUSTED) {
			nat_step(e, "source", claim.rule, "no port is free");
			explain_drop(e, DROP_NAT_EXHAUSTED);
			return false;
		}
		if (v == NAT_DONE)
			leaves = leaving(e, &outside, port);
		e->way.leaves = leaves;
		if (!is_clash(e, &leaves)) {
			if (v == NAT_DONE)
				tell_source(e, &leaves, claim.rule);
			else if (claim.rule)
				nat_step(e, "source", claim.rule, "");
			return true;
		}
		if (v != NAT_DONE)
			break;
	}
	explain_drop(e, DROP_NAT_CLASH);
	return false;
}

/* ---- no flow */

/* What remains of the way behind FILTER_RAW. */
static void stateless(struct explain *e)
{
	struct flow_key to = e->g.m.key;
	uint32_t slot;

	if (!explain_stage(e, FILTER_MANGLE) || !explain_stage(e, FILTER_DSTNAT))
		return;
	slot = explain_route(e, &to);
	if (!explain_would_leave(e, &to, slot))
		return;
	e->g.m.out = explain_out_name(e, slot);
	if (!explain_stage(e, FILTER_FORWARD) || !explain_stage(e, FILTER_POST) ||
	    !explain_stage(e, FILTER_SRCNAT))
		return;
	explain_judged(e);
	explain_leave(e, &to, slot);
}

/* Behind FILTER_RAW. */
static void invalid(struct explain *e, bool translated)
{
	explain_step(e, "conntrack", "invalid: belongs to no connection and begins none");
	e->g.m.ct = CONF_CT_INVALID;
	if (e->g.r.notrack || !(translated || e->dp.policy->nat)) {
		stateless(e);
		return;
	}
	if (explain_stage(e, FILTER_MANGLE) && explain_stage(e, FILTER_DSTNAT) &&
	    explain_stage(e, FILTER_FORWARD))
		explain_drop(e, DROP_CT_INVALID);
}

void explain_invalid(struct explain *e, const struct flow_key *key, bool translated)
{
	explain_begin(e, key, CONF_CT_INVALID);
	if (explain_stage(e, FILTER_RAW))
		invalid(e, translated);
}

static void untracked(struct explain *e, const struct flow_key *key)
{
	explain_step(e, "conntrack", "untracked: neighbour or listener discovery");
	explain_begin(e, key, CONF_CT_UNTRACKED);
	if (explain_stage(e, FILTER_RAW))
		stateless(e);
}

/* Addresses and protocol alone, of what shows no flow. */
static struct flow_key outer_key(const struct explain *e)
{
	struct flow_key k = { .family = e->packet.src.family,
			      .proto = e->packet.proto,
			      .zone = e->in->zone };

	memcpy(k.src, e->packet.src.bytes, sizeof(k.src));
	memcpy(k.dst, e->packet.dst.bytes, sizeof(k.dst));
	return k;
}

/* ---- flows */

/* Is there room for one more? */
static bool has_room(struct explain *e)
{
	const struct stateful *st = e->r->st;
	uint32_t max = e->dp.policy->per_zone_max;
	struct flow_stats s;

	if (max && flow_zone_live(st->flows, e->in->zone) >= max) {
		explain_drop(e, DROP_CT_ZONE_LIMIT);
		return false;
	}
	flow_table_stats(st->flows, &s);
	if (s.live < s.max || !st->flows->drop_new)
		return true;
	explain_drop(e, DROP_CT_FULL);
	return false;
}

/* The source was translated already, if it is. */
static void new_way(struct explain *e, const struct flow_key *key)
{
	struct explain_way *w = &e->way;

	explain_judged(e);
	w->tracked = true;
	w->arrives = *key;
	w->ct = CONF_CT_NEW;
	w->status = e->g.m.status;
	if (memcmp(w->leaves.src, key->src, sizeof(key->src)) != 0 || w->leaves.sport != key->sport)
		w->status |= CONF_STATUS_SNAT;
}

void explain_new(struct explain *e, const struct flow_key *key)
{
	struct nat_hairpin hairpin = { 0 };
	struct flow_key to;
	uint32_t slot;

	explain_begin(e, key, CONF_CT_NEW);
	e->g.m.first = true;
	if (!explain_stage(e, FILTER_RAW))
		return;
	if (e->g.r.notrack) {
		explain_step(e, "conntrack", "untracked: a rule says so");
		e->g.m.ct = CONF_CT_UNTRACKED;
		e->g.m.first = false;
		stateless(e);
		return;
	}
	if (!ct_may_begin(&e->dp.policy->ct, &e->p)) {
		e->g.m.first = false;
		invalid(e, false);
		return;
	}
	explain_step(e, "conntrack", "new");
	if (!explain_stage(e, FILTER_MANGLE) || !translate_destination(e, &hairpin) ||
	    !explain_stage(e, FILTER_DSTNAT))
		return;
	to = e->g.m.key;
	slot = explain_route(e, &to);
	if (!explain_would_leave(e, &to, slot))
		return;
	e->g.m.out = explain_out_name(e, slot);
	if (!explain_stage(e, FILTER_FORWARD) || !explain_stage(e, FILTER_POST) ||
	    !translate_source(e, &hairpin) || !explain_stage(e, FILTER_SRCNAT) || !has_room(e))
		return;
	new_way(e, key);
	explain_leave(e, &to, slot);
}

static void tracked(struct explain *e)
{
	struct flow_key key = outer_key(e), outer = key;
	uint16_t quoted = 0;
	enum flow_dir dir;
	uint32_t index;

	switch (ct_classify(&e->p, e->in->zone, &key, &quoted)) {
	case CT_FLOW:
		index = flow_lookup(e->r->st->flows, &key, e->dp.tick, &dir);
		if (index != FLOW_NONE)
			explain_known(e, &key, index, dir);
		else
			explain_new(e, &key);
		return;
	case CT_UNTRACKED: untracked(e, &outer); return;
	case CT_ERROR:
	case CT_INVALID: explain_invalid(e, &outer, false); return;
	}
}

/* ---- the command */

static void forget(struct dp *dp, const uint8_t *data)
{
	(void)dp;
	(void)data;
}

static const struct dp_iface *iface_named(const struct router *r, const char *name)
{
	const struct dp_config *c = r->state->config;

	for (unsigned i = 0; c && i < c->nifaces; i++) {
		const struct dp_iface *f = &c->iface[i];

		if (f->port != IFACE_NONE &&
		    (!strcmp(names_text(&r->names, f->name_id), name) || !strcmp(f->name, name)))
			return f;
	}
	return NULL;
}

static void begin(struct explain *e, const struct router *r, struct command_ctx *c,
		  const struct dp_iface *in)
{
	e->in = in;
	e->dp.rx_port = in->port;
	e->way.flow = PKT_NO_FLOW;
	e->r = r;
	e->c = c;
	e->dp.cfg = r->state->config;
	e->dp.count = &e->count;
	e->dp.now = clock_now();
	e->dp.free = forget;
	e->dp.qos = r->qos.published;
	e->dp.shaped = e->dp.qos ? e->dp.qos->shaped : 0;
	if (r->policy) {
		e->dp.policy = r->policy;
		e->dp.st = r->st;
		e->dp.generation = r->policy->generation;
		e->dp.tick = flow_tick(r->st->flows, e->dp.now);
	}
}

/* False: its source may not come in here. */
static bool reverse_path(struct explain *e)
{
	static const char *const words[][2] = {
		[CONF_RP_STRICT] = { "strict: packets to its source do not leave here",
				     "strict: packets to its source leave here" },
		[CONF_RP_FEASIBLE] = { "feasible: no route to its source leads here",
				       "feasible: a route to its source leads here" },
		[CONF_RP_LOOSE] = { "loose: there is no route to its source",
				    "loose: there is a route to its source" },
	};
	bool passes;

	if (!e->in->rp_filter)
		return true;
	passes = rp_filter_burst(&e->dp, &e->p, 1);
	explain_step(e, "rp-filter", "%s", words[e->in->rp_filter][passes]);
	if (!passes)
		explain_drop(e, DROP_RP_FILTER);
	return passes;
}

/* Past XDP and what stands where it comes in. False: not ours, or told to its end. */
static bool come_in(struct explain *e)
{
	if (explain_is_whole(e))
		return explain_whole(e) && explain_arrive(e) && reverse_path(e);
	return steer(e) && explain_arrive(e) && explain_ingress(e) && reverse_path(e);
}

static void walk(struct explain *e, const char *name)
{
	struct flow_key to;

	row_text(explain_step(e, "in", "%s", name), "iface", name);
	if (!come_in(e))
		return;
	if (e->dp.policy) {
		tracked(e);
		return;
	}
	to = outer_key(e);
	e->way.mark = e->mark;
	explain_leave(e, &to, explain_route(e, &to));
}

int explain(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	const struct dp_iface *in = iface_named(r, q->arg[0]);
	struct explain *e;
	char why[256];
	int err = 0;

	(void)cur;
	if (!in)
		return command_fail(c, -ENOENT, "no interface of the router is called \"%s\"",
				    q->arg[0]);
	e = calloc(1, sizeof(*e));
	if (!e)
		return command_fail(c, -ENOMEM, "out of memory");
	begin(e, r, c, in);
	if (explain_parse(q->arg[1], &e->packet, why, sizeof(why))) {
		err = command_fail(c, -EINVAL, "%s", why);
	} else {
		e->mark = e->packet.mark;
		walk(e, q->arg[0]);
	}
	free(e);
	return err;
}
