/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT rules as text, for show, and whose counters go on in the next configuration. [control] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/nat_internal.h"
#include "router/net/rule_text.h"

/* ---- text */

static void print_range(const struct conf_range *r, FILE *out)
{
	char first[ADDR_STRLEN], last[ADDR_STRLEN];

	fputs(addr_format(&r->first, first), out);
	if (!addr_equal(&r->first, &r->last))
		fprintf(out, "-%s", addr_format(&r->last, last));
}

static void print_ports(const struct conf_port_range *p, FILE *out)
{
	if (!p->last)
		return;
	if (p->first == p->last)
		fprintf(out, " port %u", p->first);
	else
		fprintf(out, " ports %u-%u", p->first, p->last);
}

static void print_target(const struct conf_nat *c, FILE *out)
{
	char external[PREFIX_STRLEN], internal[PREFIX_STRLEN];

	for (unsigned i = 0; i < c->npool; i++) {
		fputs(i ? ", " : "", out);
		print_range(&c->pool[i], out);
	}
	if (c->kind == CONF_NAT_STATIC)
		fprintf(out, "%s = %s", prefix_format(&c->external, external),
			prefix_format(&c->internal, internal));
	else if (c->kind == CONF_NAT_MASQUERADE)
		fputs("interface", out);
	else if (c->kind == CONF_NAT_REDIRECT)
		fputs("router", out);
	print_ports(&c->ports, out);
}

static char *text_of(void (*print)(const struct conf_nat *c, FILE *out), const struct conf_nat *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print(c, out);
	return fclose(out) ? NULL : text;
}

static void print_match(const struct conf_nat *c, FILE *out)
{
	rule_text_match(&c->match, out);
}

bool nat_rule_describe(struct nat_rule *r, const struct conf_nat *c)
{
	r->match = text_of(print_match, c);
	r->text = text_of(print_target, c);
	return r->match && r->text;
}

/* ---- show */

static const char *kind_name(uint8_t kind)
{
	switch ((enum conf_nat_kind)kind) {
	case CONF_NAT_MASQUERADE: return "masquerade";
	case CONF_NAT_POOL: return "snat";
	case CONF_NAT_DESTINATION: return "dnat";
	case CONF_NAT_REDIRECT: return "redirect";
	case CONF_NAT_STATIC: return "static";
	case CONF_NAT_NONE: break;
	}
	return "none";
}

static const char *mapping_name(uint8_t mapping)
{
	switch ((enum conf_mapping)mapping) {
	case CONF_MAPPING_ADM: return "adm";
	case CONF_MAPPING_APDM: return "apdm";
	case CONF_MAPPING_EIM: break;
	}
	return "eim";
}

static const char *filtering_name(uint8_t filtering)
{
	switch ((enum conf_filtering)filtering) {
	case CONF_FILTERING_EIF: return "eif";
	case CONF_FILTERING_ADF: return "adf";
	case CONF_FILTERING_APDF: break;
	}
	return "apdf";
}

/* What does not fit ends in dots. */
static void copy(char *to, size_t size, const char *text)
{
	if (snprintf(to, size, "%s", text) >= (int)size)
		memcpy(to + size - 4, "...", 4);
}

static void sum(const struct nat *n, unsigned i, uint64_t *flows, uint64_t *refused)
{
	*flows = n->rule[i].flows;
	*refused = n->rule[i].refused;
	for (unsigned w = 0; w < n->nworkers; w++) {
		*flows += __atomic_load_n(&n->count[w][i].flows, __ATOMIC_RELAXED);
		*refused += __atomic_load_n(&n->count[w][i].refused, __ATOMIC_RELAXED);
	}
}

bool nat_rule(const struct nat *n, unsigned number, struct nat_rule_info *out)
{
	const struct nat_rule *r;

	if (!number || number > n->nrules)
		return false;
	r = &n->rule[number - 1];
	*out = (struct nat_rule_info){
		.name = r->name, .kind = kind_name(r->kind), .file = r->file, .line = r->line
	};
	if (r->kind == CONF_NAT_MASQUERADE || r->kind == CONF_NAT_POOL) {
		out->mapping = mapping_name(r->mapping);
		out->filtering = filtering_name(r->filtering);
	}
	copy(out->match, sizeof(out->match), r->match);
	copy(out->target, sizeof(out->target), r->text);
	sum(n, number - 1, &out->flows, &out->packets_refused);
	return true;
}

/* ---- counters that go on */

static bool same(const struct nat_rule *a, const struct nat_rule *b)
{
	return a->kind == b->kind && !strcmp(a->name, b->name) && !strcmp(a->match, b->match) &&
	       !strcmp(a->text, b->text);
}

/* Rules keep their order mostly: the search goes on where the last one ended. */
void nat_carry_over(struct nat *n, const struct nat *old)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n->nrules; i++) {
		for (unsigned tries = 0; tries < old->nrules; tries++, at++) {
			at = at < old->nrules ? at : 0;
			if (same(&n->rule[i], &old->rule[at])) {
				sum(old, at++, &n->rule[i].flows, &n->rule[i].refused);
				break;
			}
		}
	}
}
