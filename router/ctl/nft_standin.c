// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NAT as chains of nftables, for when Linux stands in for us (router/standin.h): see
 * nft_internal.h.
 *
 * They stand in the table all the time and meet no packet while we live: each looks only at packets
 * that came in by interfaces with `on-failure: pass`, and of those XDP leaves Linux none to
 * forward. So nobody has to be awake, or even alive, to put them in force, and Linux's own traffic
 * is never translated. What they cost is that the namespace tracks connections.
 *
 *   standin-srcnat   nat.source and nat.static, as connections leave. Linux keeps the inside port
 *                    where it is free, as we do; so a connection in its middle goes on, if its
 *                    outside port was its inside one.
 *   standin-dstnat   nat.destination and nat.static, as connections come in.
 *   standin-forward  What Linux tracks as no connection would leave untranslated: it is dropped.
 *   standin-input    What servers send meanwhile, before their clients do, is for nobody that Linux
 *                    knows. An answer (RST, port unreachable) would end a connection that is about
 *                    to go on; so where NAT may have a port and no socket of Linux has it, what
 * does not begin a connection is dropped.
 *
 * A rule that nftables cannot express must not let packets out as they are: then Linux forwards
 * nothing on these interfaces, and the reason is told.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/kernel_ports.h"

#define PORTS_PROTOS "meta l4proto { 6, 17 } "

static const int families[] = { AF_INET, AF_INET6 };

static bool stands_in(const struct nft_text *t, const struct conf_iface *i)
{
	return t->standin && t->standin(t->netdev_arg, t->conf, i->name);
}

static bool has_nat(const struct conf *c)
{
	bool forwards = false;

	for (unsigned i = 0; i < c->nnat_destination; i++)
		forwards |= c->nat_destination[i].kind == CONF_NAT_DESTINATION;
	return c->nnat_source || c->nnat_static || forwards;
}

bool nft_standin_wanted(const struct nft_text *t)
{
	for (unsigned i = 0; i < t->conf->nifaces && has_nat(t->conf); i++)
		if (stands_in(t, &t->conf->ifaces[i]))
			return true;
	return false;
}

static bool names_set(const struct conf_match *m, const char *set)
{
	const char *const sets[] = { m->from.set, m->to.set,  m->sport.set, m->dport.set,
				     m->in.set,	  m->out.set, m->lookup.set };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (!strcmp(sets[i], set))
			return true;
	return false;
}

bool nft_standin_looks_at(const struct nft_text *t, const char *set)
{
	const struct conf *c = t->conf;
	bool found = false;

	if (!nft_standin_wanted(t))
		return false;
	for (unsigned i = 0; i < c->nnat_source; i++)
		found |= names_set(&c->nat_source[i].match, set);
	for (unsigned i = 0; i < c->nnat_destination; i++)
		found |= names_set(&c->nat_destination[i].match, set);
	return found;
}

/* ---- lines */

/* An interface that is not there yet has no name, and no packets. */
static const char *netdev(const struct nft_text *t, const struct conf_iface *i)
{
	if (i->netdev[0])
		return i->netdev;
	return t->netdev ? t->netdev(t->netdev_arg, i->name) : NULL;
}

/* Begins a rule: it came in by one of ours. */
static void begin(struct nft_text *t, const char *chain)
{
	const char *before = "", *name;

	fprintf(t->out, "add rule inet %s %s iifname { ", t->table, chain);
	for (unsigned i = 0; i < t->conf->nifaces; i++) {
		if (!stands_in(t, &t->conf->ifaces[i]))
			continue;
		name = netdev(t, &t->conf->ifaces[i]);
		if (!name)
			continue;
		fprintf(t->out, "%s\"%s\"", before, name);
		before = ", ";
	}
	fputs(before[0] ? " } " : "\"-\" } ", t->out);
}

static void line(struct nft_text *t, const char *chain, const char *rest)
{
	begin(t, chain);
	fputs(rest, t->out);
	nft_line_end(t);
}

static void chain(struct nft_text *t, const char *name, const char *type, const char *hook,
		  int priority)
{
	fprintf(t->out, "add chain inet %s %s", t->table, name);
	if (type)
		fprintf(t->out, " { type %s hook %s priority %d; policy accept; }", type, hook,
			priority);
	nft_line_end(t);
}

static const char *ip(int family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static void range(const struct conf_range *r, FILE *f)
{
	char first[ADDR_STRLEN], last[ADDR_STRLEN];

	fputs(addr_format(&r->first, first), f);
	if (!addr_equal(&r->first, &r->last))
		fprintf(f, "-%s", addr_format(&r->last, last));
}

/* "10.0.0.1", of IPv6 in brackets where a port follows. */
static void target(const struct conf_range *r, const struct conf_port_range *ports, FILE *f)
{
	bool brackets = ports->last && r->first.family == AF_INET6;
	char text[ADDR_STRLEN];

	if (brackets) {
		fprintf(f, "[%s]", addr_format(&r->first, text));
		if (!addr_equal(&r->first, &r->last))
			fprintf(f, "-[%s]", addr_format(&r->last, text));
	} else {
		range(r, f);
	}
	if (!ports->last)
		return;
	fprintf(f, ":%u", ports->first);
	if (ports->first != ports->last)
		fprintf(f, "-%u", ports->last);
}

static const struct conf_range *pool_of(const struct conf_nat *n, int family)
{
	for (unsigned i = 0; i < n->npool; i++)
		if (n->pool[i].first.family == family)
			return &n->pool[i];
	return NULL;
}

/* ---- rules of the file */

/* What a rule matches is rendered as that of a filter's. */
struct match_rule {
	struct nft_chain chain;
	struct conf_chain conf;
	struct conf_rule rule;
};

static void rule_begin(struct nft_text *t, struct match_rule *m, const struct conf_nat *n,
		       const char *where)
{
	*m = (struct match_rule){ 0 };
	snprintf(m->conf.name, sizeof(m->conf.name), "%s", where);
	memcpy(m->rule.name, n->name, sizeof(m->rule.name));
	memcpy(m->rule.file, n->file, sizeof(m->rule.file));
	m->rule.line = n->line;
	m->rule.match = n->match; /* lent */
	m->chain.conf = &m->conf;
	t->chain = &m->chain;
	t->rule = &m->rule;
	if (n->match.rate.used || n->match.connections_over)
		nft_refuse(t, "its limits hold in the router only");
}

static void rule_end(struct nft_text *t)
{
	t->chain = NULL;
	t->rule = NULL;
}

/* One line: where it matches, for a family (0: both), what. */
static void translation(struct nft_text *t, const char *where, const struct nft_variant *v,
			const char *more, const char *what)
{
	begin(t, where);
	nft_match(t, v, t->out);
	fprintf(t->out, "%s%s", more, what);
	nft_line_end(t);
}

/* "masquerade to :1024-2000", or what a pool is; ports 0-0: without. To be freed. */
static char *words(const struct conf_nat *n, int family, const struct conf_port_range *ports)
{
	const struct conf_range *pool = pool_of(n, family);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (n->kind == CONF_NAT_MASQUERADE) {
		fputs("masquerade", f);
		if (ports->last)
			fprintf(f, " to :%u-%u", ports->first, ports->last);
	} else if (n->kind == CONF_NAT_POOL && pool) {
		fprintf(f, "snat %s to ", ip(family));
		target(pool, ports, f);
		fputs(n->persistent && !addr_equal(&pool->first, &pool->last) ? " persistent" : "",
		      f);
	} else {
		fputs("accept", f);
	}
	fclose(f);
	return text;
}

static void source_line(struct nft_text *t, const struct conf_nat *n, const struct nft_variant *v,
			const char *more, const struct conf_port_range *ports)
{
	char *what = words(n, v->family, ports);

	if (what)
		translation(t, "standin-srcnat", v, more, what);
	else
		t->err = -ENOMEM;
	free(what);
}

/* Without a range a rule takes what ports there are but those that Linux chooses from by itself,
 * and so must Linux in our name: or they could not be ours when we are back. The greater part of
 * the rest is enough. */
static struct conf_port_range other_ports(uint16_t first, uint16_t last)
{
	struct conf_port_range low = { 1024, (uint16_t)(first - 1) };
	struct conf_port_range high = { (uint16_t)(last + 1), UINT16_MAX };
	int nlow = first - 1024, nhigh = UINT16_MAX - last;

	if (nlow <= 0 && nhigh <= 0)
		return (struct conf_port_range){ 0, 0 };
	return nlow >= nhigh ? low : high;
}

/* Ports are those of protocols that have some: with a range it takes two lines. */
static void source_variant(struct nft_text *t, const struct conf_nat *n,
			   const struct nft_variant *v)
{
	const struct conf_port_range none = { 0, 0 };
	struct conf_port_range other;
	uint16_t first, last;
	char more[64];

	if (n->kind != CONF_NAT_NONE && n->ports.last) {
		source_line(t, n, v, PORTS_PROTOS, &n->ports);
	} else if (n->kind != CONF_NAT_NONE && !kernel_ports_ephemeral(&first, &last, NULL)) {
		snprintf(more, sizeof(more), PORTS_PROTOS "th sport %u-%u ", first, last);
		other = other_ports(first, last);
		if (other.last)
			source_line(t, n, v, more, &other);
	}
	source_line(t, n, v, "", &none);
}

static void source(struct nft_text *t, const struct conf_nat *n)
{
	struct nft_variant v[NFT_VARIANTS];
	struct match_rule m;
	unsigned count;

	rule_begin(t, &m, n, "nat.source");
	count = nft_variants(t, v);
	for (unsigned i = 0; i < count; i++) {
		if (v[i].family || n->kind != CONF_NAT_POOL) {
			source_variant(t, n, &v[i]);
			continue;
		}
		for (int k = 0; k < 2; k++) {
			v[i].family = families[k];
			if (pool_of(n, families[k]))
				source_variant(t, n, &v[i]);
		}
	}
	rule_end(t);
}

static void one_to_one(struct nft_text *t, const struct conf_nat *n, bool leaves)
{
	const struct prefix *from = leaves ? &n->internal : &n->external,
			    *to = leaves ? &n->external : &n->internal;
	const char *v = ip(from->addr.family), *field = leaves ? "saddr" : "daddr";
	char a[PREFIX_STRLEN], b[PREFIX_STRLEN];
	struct match_rule m;

	if (!from->addr.family)
		return;
	prefix_format(from, a);
	prefix_format(to, b);
	rule_begin(t, &m, n, "nat.static");
	begin(t, leaves ? "standin-srcnat" : "standin-dstnat");
	nft_interfaces(t, leaves ? "oifname" : "iifname", &n->match.in, t->out);
	fprintf(t->out, "%s %s %s %s %s prefix to %s %s map { %s : %s }", v, field, a,
		leaves ? "snat" : "dnat", v, v, field, a, b);
	nft_line_end(t);
	rule_end(t);
}

/* Exceptions at the top hold for 1:1, too; all other rules come after it. */
static void srcnat(struct nft_text *t)
{
	const struct conf *c = t->conf;
	unsigned i = 0;

	for (; i < c->nnat_source && c->nat_source[i].kind == CONF_NAT_NONE; i++)
		source(t, &c->nat_source[i]);
	for (unsigned k = 0; k < c->nnat_static; k++)
		one_to_one(t, &c->nat_static[k], true);
	for (; i < c->nnat_source; i++)
		source(t, &c->nat_source[i]);
}

/* A range of ports to a range of others is more than nftables does port by port: its packets are
 * Linux's own then, which has no such socket. */
static bool can_forward(const struct conf_nat *n)
{
	const struct conf_ports *d = &n->match.dport;

	return n->ports.first == n->ports.last ||
	       (d->nranges == 1 && d->ranges[0].first == n->ports.first &&
		d->ranges[0].last == n->ports.last);
}

static void destination_variant(struct nft_text *t, const struct conf_nat *n,
				const struct nft_variant *v)
{
	const struct conf_range *to = pool_of(n, v->family);
	bool any = !n->match.to.nranges && !n->match.to.set[0];

	if (!to && n->kind == CONF_NAT_DESTINATION)
		return;
	begin(t, "standin-dstnat");
	nft_match(t, v, t->out);
	if (n->kind == CONF_NAT_DESTINATION) {
		fprintf(t->out, "%sdnat %s to ", any ? "fib daddr type local " : "", ip(v->family));
		target(to, &n->ports, t->out);
	} else {
		fputs("accept", t->out);
	}
	nft_line_end(t);
}

static void destination(struct nft_text *t, const struct conf_nat *n)
{
	struct nft_variant v[NFT_VARIANTS];
	struct match_rule m;
	unsigned count;

	if (n->kind == CONF_NAT_REDIRECT || !can_forward(n))
		return;
	rule_begin(t, &m, n, "nat.destination");
	count = nft_variants(t, v);
	for (unsigned i = 0; i < count; i++)
		for (int k = 0; k < 2; k++) {
			struct nft_variant one = v[i];

			if (one.family && one.family != families[k])
				continue;
			one.family = families[k];
			destination_variant(t, n, &one);
		}
	rule_end(t);
}

/* The answer to a DHCP client is Linux's also on an address that is somebody else's altogether. */
static void dstnat(struct nft_text *t)
{
	const struct conf *c = t->conf;

	line(t, "standin-dstnat", "udp sport 67 udp dport 68 accept");
	for (unsigned i = 0; i < c->nnat_destination; i++)
		destination(t, &c->nat_destination[i]);
	for (unsigned i = 0; i < c->nnat_static; i++)
		one_to_one(t, &c->nat_static[i], false);
}

/* ---- what must not be */

/* What Linux knows by now has its inside address as destination. The rest would go in a circle. */
static void forward(struct nft_text *t)
{
	line(t, "standin-forward", "ct state invalid,untracked drop");
	for (unsigned i = 0; i < t->conf->nnat_source; i++) {
		const struct conf_nat *n = &t->conf->nat_source[i];

		for (unsigned k = 0; n->kind == CONF_NAT_POOL && k < n->npool; k++) {
			begin(t, "standin-forward");
			fprintf(t->out, "%s daddr ", ip(n->pool[k].first.family));
			range(&n->pool[k], t->out);
			fputs(" drop", t->out);
			nft_line_end(t);
		}
	}
}

/* Ports that a rule may choose: without a range, what is not Linux's to choose. */
static void ports_of(const struct conf_nat *n, FILE *f)
{
	uint16_t first, last;

	if (n->ports.last)
		fprintf(f, "th dport %u-%u ", n->ports.first, n->ports.last);
	else if (!kernel_ports_ephemeral(&first, &last, NULL))
		fprintf(f, "th dport != %u-%u ", first, last);
}

static void input(struct nft_text *t)
{
	const struct conf *c = t->conf;

	line(t, "standin-stray", "tcp flags & (syn | ack) == syn return");
	line(t, "standin-stray", "socket transparent { 0, 1 } return");
	line(t, "standin-stray", "drop");
	for (unsigned i = 0; i < c->nnat_source; i++) {
		const struct conf_nat *n = &c->nat_source[i];
		struct match_rule m;

		if (n->kind == CONF_NAT_NONE)
			continue;
		rule_begin(t, &m, n, "nat.source");
		begin(t, "standin-input");
		nft_interfaces(t, "iifname", &n->match.out, t->out);
		fputs("ct state new,invalid,untracked " PORTS_PROTOS, t->out);
		ports_of(n, t->out);
		fputs("goto standin-stray", t->out);
		nft_line_end(t);
		rule_end(t);
	}
}

/* ---- the whole */

static void all(struct nft_text *t)
{
	chain(t, "standin-srcnat", "nat", "postrouting", CONF_PRIO_SRCNAT);
	chain(t, "standin-dstnat", "nat", "prerouting", CONF_PRIO_DSTNAT);
	chain(t, "standin-stray", NULL, NULL, 0);
	chain(t, "standin-input", "filter", "input", CONF_PRIO_FILTER);
	srcnat(t);
	dstnat(t);
	forward(t);
	input(t);
}

void nft_standin(struct nft_text *t)
{
	FILE *out = t->out;
	unsigned lines = t->lines;
	char *text = NULL;
	size_t size;

	chain(t, "standin-forward", "filter", "forward", CONF_PRIO_FILTER);
	t->out = open_memstream(&text, &size);
	if (!t->out) {
		t->out = out;
		t->err = -ENOMEM;
		return;
	}
	all(t);
	fclose(t->out);
	t->out = out;
	if (t->err == -EINVAL) {
		snprintf(t->standin_note, sizeof(t->standin_note), "%s", t->why);
		t->err = 0;
		t->lines = lines + 1;
		line(t, "standin-forward", "drop");
	} else {
		fputs(text, out);
	}
	free(text);
}
