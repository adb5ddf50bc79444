// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What zones mean, as filter chains. The rules are ordinary ones, so that whoever compiles or
 * prints chains needs to know nothing of zones but their interfaces. The order: replies first, then
 * all that is allowed, then one rule for each zone and direction that drops the rest. [control]
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"

/* IPv6's neighbour discovery, RFC 4861: without it, a zone could not even reach its router. */
enum { ND_FIRST = 133, ND_LAST = 137 };

struct expansion {
	struct conf_chain *chain;
	bool no_memory;
};

/* The next rule of the chain, which has room for it, with one action. */
static struct conf_rule *rule_add(struct expansion *x, unsigned line, enum conf_act act)
{
	struct conf_rule *r = &x->chain->rules[x->chain->nrules++];

	r->line = line;
	r->actions = calloc(1, sizeof(*r->actions));
	if (!r->actions) {
		x->no_memory = true;
		return r;
	}
	r->actions[0].act = act;
	r->nactions = 1;
	return r;
}

static void match_zone(struct expansion *x, struct conf_names *names, const char *zone)
{
	names->names = calloc(1, CONF_NAME);
	if (!names->names) {
		x->no_memory = true;
		return;
	}
	strcpy(names->names[0], zone);
	names->nnames = 1;
}

/* From a zone to a zone; NULL: any. */
static void pair_add(struct expansion *x, unsigned line, const char *from, const char *to,
		     enum conf_act act)
{
	struct conf_rule *r = rule_add(x, line, act);

	snprintf(r->name, sizeof(r->name), "zone:%.27s->%.27s", from ? from : "any",
		 to ? to : "any");
	if (from)
		match_zone(x, &r->match.in, from);
	if (to)
		match_zone(x, &r->match.out, to);
}

static void established_add(struct expansion *x, unsigned line)
{
	struct conf_rule *r = rule_add(x, line, CONF_ACT_ACCEPT);

	strcpy(r->name, "zone:established");
	r->match.ct = CONF_CT_ESTABLISHED | CONF_CT_RELATED;
}

/* A rule of nat.destination says that it may come in. (A static pair does not: it concerns every
 * port of a host.) */
static void forwarded_add(struct expansion *x, unsigned line)
{
	struct conf_rule *r = rule_add(x, line, CONF_ACT_ACCEPT);

	strcpy(r->name, "zone:port-forwards");
	r->match.status = CONF_STATUS_FORWARDED;
}

static void neighbours_add(struct expansion *x, unsigned line)
{
	struct conf_rule *r = rule_add(x, line, CONF_ACT_ACCEPT);
	unsigned n = ND_LAST - ND_FIRST + 1;

	strcpy(r->name, "zone:neighbour-discovery");
	r->match.icmp = calloc(n, sizeof(*r->match.icmp));
	if (!r->match.icmp) {
		x->no_memory = true;
		return;
	}
	for (; r->match.nicmp < n; r->match.nicmp++)
		r->match.icmp[r->match.nicmp] =
			(struct conf_icmp){ AF_INET6, (uint8_t)(ND_FIRST + r->match.nicmp), -1 };
}

static void chain_begin(struct expansion *x, const char *name, enum conf_hook hook, unsigned line,
			size_t rules)
{
	strcpy(x->chain->name, name);
	x->chain->hook = hook;
	x->chain->priority = CONF_PRIO_ZONES;
	x->chain->line = line;
	x->chain->from_zones = true;
	x->chain->rules = calloc(rules, sizeof(*x->chain->rules));
	x->no_memory |= !x->chain->rules;
}

static void expand_forward(struct expansion *x, const struct conf *c)
{
	size_t rules = 2 + 3 * (size_t)c->nzones;

	for (unsigned i = 0; i < c->nzones; i++)
		rules += c->zones[i].nforward_to;
	chain_begin(x, "zones-forward", CONF_HOOK_FORWARD, c->zones[0].line, rules);
	if (x->no_memory)
		return;
	established_add(x, c->zones[0].line);
	forwarded_add(x, c->zones[0].line);
	for (unsigned i = 0; i < c->nzones; i++) {
		const struct conf_zone *z = &c->zones[i];
		pair_add(x, z->line, z->name, z->name, CONF_ACT_ACCEPT);
		for (unsigned j = 0; j < z->nforward_to; j++)
			pair_add(x, z->line, z->name, z->forward_to[j], CONF_ACT_ACCEPT);
	}
	for (unsigned i = 0; i < c->nzones; i++) {
		const struct conf_zone *z = &c->zones[i];
		pair_add(x, z->line, z->name, NULL, CONF_ACT_DROP);
		pair_add(x, z->line, NULL, z->name, CONF_ACT_DROP);
	}
}

static bool any_redirect(const struct conf *c)
{
	for (unsigned i = 0; i < c->nnat_destination; i++)
		if (c->nat_destination[i].kind == CONF_NAT_REDIRECT)
			return true;
	return false;
}

/* What a rule of nat.destination sends to this host itself, as one that forwards. */
static void redirected_add(struct expansion *x, unsigned line)
{
	struct conf_rule *r = rule_add(x, line, CONF_ACT_ACCEPT);

	strcpy(r->name, "zone:redirected");
	r->match.status = CONF_STATUS_DNAT;
}

static void expand_input(struct expansion *x, const struct conf *c)
{
	chain_begin(x, "zones-input", CONF_HOOK_INPUT, c->zones[0].line, 3 + (size_t)c->nzones);
	if (x->no_memory)
		return;
	established_add(x, c->zones[0].line);
	neighbours_add(x, c->zones[0].line);
	if (any_redirect(c))
		redirected_add(x, c->zones[0].line);
	for (unsigned i = 0; i < c->nzones; i++) {
		const struct conf_zone *z = &c->zones[i];
		struct conf_rule *r =
			rule_add(x, z->line, z->input_drop ? CONF_ACT_DROP : CONF_ACT_ACCEPT);
		snprintf(r->name, sizeof(r->name), "zone:%.52s input", z->name);
		match_zone(x, &r->match.in, z->name);
	}
}

struct conf_chain *conf_zones_expand(const struct conf *c, unsigned *n)
{
	struct expansion x = { 0 };

	*n = 0;
	if (c->nzones == 0)
		return NULL;
	struct conf_chain *chains = calloc(2, sizeof(*chains));
	if (!chains)
		return NULL;
	x.chain = &chains[0];
	expand_forward(&x, c);
	x.chain = &chains[1];
	expand_input(&x, c);
	if (x.no_memory) {
		conf_chains_free(chains, 2);
		return NULL;
	}
	*n = 2;
	return chains;
}
