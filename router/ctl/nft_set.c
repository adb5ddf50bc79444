// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of the configuration as sets of nftables: see nft_internal.h.
 *
 * nftables gives each part of an element one type, so a set with addresses becomes two, one for
 * each family; an element whose addresses are not all of one family fits no packet and is left out.
 * A set that has ranges is of another kind ("interval") than one that rules add to ("dynamic"), and
 * one set cannot be both. Without ranges, each element may have a timeout of its own.
 */
#include "router/ctl/nft_internal.h"

#include <stdlib.h>
#include <string.h>

const struct conf_set *nft_set_find(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->nsets; i++)
		if (!strcmp(c->sets[i].name, name))
			return &c->sets[i];
	return NULL;
}

static bool is_address(enum conf_field f)
{
	return f == CONF_FIELD_ADDRESS || f == CONF_FIELD_PREFIX;
}

bool nft_set_has_address(const struct conf_set *s)
{
	for (unsigned i = 0; i < s->ntypes; i++)
		if (is_address(s->type[i]))
			return true;
	return false;
}

char *nft_set_name(const struct conf_set *s, int family, char name[NFT_SET_NAME])
{
	bool per_family = nft_set_has_address(s);

	snprintf(name, NFT_SET_NAME, "set-%s%s%s", s->name, per_family ? "-" : "",
		 per_family ? nft_family_word(family) : "");
	return name;
}

/* ---- who refers to it */

static bool rule_looks_at(const struct conf_rule *r, const char *set)
{
	const struct conf_match *m = &r->match;
	const char *const sets[] = { m->from.set, m->to.set,  m->sport.set, m->dport.set,
				     m->in.set,	  m->out.set, m->lookup.set };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (!strcmp(sets[i], set))
			return true;
	return false;
}

static bool rule_adds_to(const struct conf_rule *r, const char *set)
{
	for (unsigned i = 0; i < r->nactions; i++)
		if (r->actions[i].act == CONF_ACT_ADD_TO && !strcmp(r->actions[i].name, set))
			return true;
	return false;
}

/* By any rule that gets into the table. */
static bool any_rule(const struct nft_text *t, const char *set,
		     bool (*does)(const struct conf_rule *r, const char *set))
{
	for (unsigned i = 0; i < t->nchains; i++) {
		const struct conf_chain *c = t->chains[i].conf;

		for (unsigned k = 0; t->chains[i].reach && k < c->nrules; k++)
			if (does(&c->rules[k], set))
				return true;
	}
	return false;
}

/* ---- elements */

static bool is_range(const struct conf_element_field *e, enum conf_field type)
{
	switch (type) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX: return !addr_equal(&e->first, &e->last);
	case CONF_FIELD_INTERFACE: return false;
	default: return e->low != e->high;
	}
}

bool nft_set_has_ranges(const struct conf_set *s)
{
	for (unsigned k = 0; k < s->ntypes; k++)
		if (s->type[k] == CONF_FIELD_PREFIX)
			return true;
	for (unsigned i = 0; i < s->nelements; i++)
		for (unsigned k = 0; k < s->ntypes; k++)
			if (is_range(&s->elements[i].field[k], s->type[k]))
				return true;
	return false;
}

static bool has_timeouts(const struct conf_set *s)
{
	for (unsigned i = 0; i < s->nelements; i++)
		if (s->elements[i].timeout_s)
			return true;
	return s->timeout_s;
}

static bool is_of_family(const struct conf_set *s, const struct conf_element *e, int family)
{
	for (unsigned k = 0; k < s->ntypes; k++)
		if (is_address(s->type[k]) && e->field[k].first.family != family)
			return false;
	return true;
}

static void element_field(struct nft_text *t, const struct conf_element_field *e,
			  enum conf_field type)
{
	char first[ADDR_STRLEN], last[ADDR_STRLEN];

	if (type == CONF_FIELD_INTERFACE) {
		fprintf(t->out, "\"%s\"", nft_netdev(t, e->name));
	} else if (is_address(type)) {
		fputs(addr_format(&e->first, first), t->out);
		if (is_range(e, type))
			fprintf(t->out, "-%s", addr_format(&e->last, last));
	} else {
		fprintf(t->out, "%u", e->low);
		if (is_range(e, type))
			fprintf(t->out, "-%u", e->high);
	}
}

static void elements(struct nft_text *t, const struct conf_set *s, int family)
{
	const char *before = " elements = { ";

	for (unsigned i = 0; i < s->nelements; i++) {
		const struct conf_element *e = &s->elements[i];

		if (!is_of_family(s, e, family))
			continue;
		fputs(before, t->out);
		before = ", ";
		for (unsigned k = 0; k < s->ntypes; k++) {
			fputs(k ? " . " : "", t->out);
			element_field(t, &e->field[k], s->type[k]);
		}
		if (e->timeout_s)
			fprintf(t->out, " timeout %us", e->timeout_s);
	}
	if (before[0] == ',')
		fputs(" };", t->out);
}

/* ---- the set */

static const char *type_word(enum conf_field type, int family)
{
	switch (type) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX: return family == AF_INET ? "ipv4_addr" : "ipv6_addr";
	case CONF_FIELD_PORT: return "inet_service";
	case CONF_FIELD_INTERFACE: return "ifname";
	case CONF_FIELD_PROTO: return "inet_proto";
	case CONF_FIELD_MARK: return "mark";
	}
	return "";
}

static void flags(struct nft_text *t, bool interval, bool dynamic, bool timeout)
{
	const char *const words[] = { interval ? "interval" : NULL, dynamic ? "dynamic" : NULL,
				      timeout ? "timeout" : NULL };
	const char *before = " flags ";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i]) {
			fprintf(t->out, "%s%s", before, words[i]);
			before = ",";
		}
	fputs(before[0] == ',' ? ";" : "", t->out);
}

static void set_line(struct nft_text *t, const struct conf_set *s, int family, bool dynamic)
{
	bool interval = nft_set_has_ranges(s), timeout = !interval || has_timeouts(s);
	char name[NFT_SET_NAME];

	fprintf(t->out, "add set inet %s %s { type ", t->table, nft_set_name(s, family, name));
	for (unsigned k = 0; k < s->ntypes; k++)
		fprintf(t->out, "%s%s", k ? " . " : "", type_word(s->type[k], family));
	fputc(';', t->out);
	flags(t, interval, dynamic, timeout);
	if (dynamic)
		fprintf(t->out, " size %u;", s->size);
	if (s->timeout_s)
		fprintf(t->out, " timeout %us;", s->timeout_s);
	if (interval && s->ntypes == 1 && !timeout)
		fputs(" auto-merge;", t->out);
	elements(t, s, family);
	fputs(" }", t->out);
	nft_line_end(t);
}

/* Was this line, its end included, among the commands before? */
static bool was_there(const struct nft_text *t, const char *line)
{
	const char *at = t->before ? strstr(t->before, line) : NULL;

	return at && (at == t->before || at[-1] == '\n');
}

/* What rules and operators have added stays, while the set is the same. */
static void keep_elements(struct nft_text *t, const struct conf_set *s, int family, bool dynamic)
{
	FILE *out = t->out;
	char *text = NULL, name[NFT_SET_NAME];
	unsigned lines = t->lines;
	size_t size;

	t->out = open_memstream(&text, &size);
	if (t->out) {
		set_line(t, s, family, dynamic);
		fclose(t->out);
	}
	t->out = out;
	t->lines = lines;
	if (text && was_there(t, text))
		nft_state_elements(t->state, nft_set_name(s, family, name), s, t);
	free(text);
}

static void set(struct nft_text *t, const struct conf_set *s, int family, bool dynamic)
{
	set_line(t, s, family, dynamic);
	if (t->state)
		keep_elements(t, s, family, dynamic);
}

bool nft_set_is_used(const struct nft_text *t, const struct conf_set *s)
{
	return any_rule(t, s->name, rule_looks_at) || any_rule(t, s->name, rule_adds_to) ||
	       nft_standin_looks_at(t, s->name);
}

void nft_sets(struct nft_text *t)
{
	for (unsigned i = 0; i < t->conf->nsets; i++) {
		const struct conf_set *s = &t->conf->sets[i];
		bool dynamic = any_rule(t, s->name, rule_adds_to);

		if (!nft_set_is_used(t, s))
			continue;
		if (dynamic && nft_set_has_ranges(s)) {
			nft_refuse(t,
				   "set \"%s\" has prefixes or ranges: nftables cannot let rules "
				   "add to it",
				   s->name);
			return;
		}
		set(t, s, AF_INET, dynamic);
		if (nft_set_has_address(s))
			set(t, s, AF_INET6, dynamic);
	}
}
