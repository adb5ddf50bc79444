// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The chains of a configuration that are Linux's, as commands of nft(8): see nft.h.
 *
 * A chain gets in if it hooks into input or output, or if rules of such a chain jump to it; so do
 * the rules that redirect packets to Linux (nft_redirect.c). The commands replace the table in one
 * transaction, one a line, each after what it refers to: chains, sets, and rule by rule its
 * counter, its limits, the chain of its actions and the rule itself. Names say what a thing is
 * ("input-mgmt", "chain-ssh", "set-banned-ipv4", "act-7"), so that none of an operator's can be a
 * word of nft's.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/rule_text.h"

#define BEFORE_CONNTRACK (-200)
#define COMMENT_MAX	 128 /* of nftables, its end included */

void nft_refuse(struct nft_text *t, const char *fmt, ...)
{
	const struct conf_rule *r = t->rule;
	char text[256];
	va_list ap;

	if (t->err)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->err = -EINVAL;
	if (!r)
		snprintf(t->why, t->size, "%s", text);
	else if (r->name[0])
		snprintf(t->why, t->size, "%s:%u: rule \"%s\" of chain \"%s\": %s", r->file,
			 r->line, r->name, t->chain->conf->name, text);
	else
		snprintf(t->why, t->size, "%s:%u: rule of chain \"%s\": %s", r->file, r->line,
			 t->chain->conf->name, text);
}

void nft_line_end(struct nft_text *t)
{
	fputc('\n', t->out);
	t->lines++;
}

static int no_memory(struct nft_text *t)
{
	if (!t->err)
		snprintf(t->why, t->size, "%s", strerror(ENOMEM));
	return t->err = -ENOMEM;
}

/* ---- which chains */

static unsigned hook_reach(const struct nft_text *t, const struct conf_chain *c)
{
	bool before_zones = t->nzones && !c->from_zones && c->priority <= CONF_PRIO_ZONES;

	if (c == &t->redirects)
		return c->nrules ? NFT_REDIRECTS : 0;
	if (c->hook == CONF_HOOK_INPUT)
		return NFT_FROM_INPUT | (before_zones ? NFT_BEFORE_ZONES : 0);
	if (c->hook != CONF_HOOK_OUTPUT)
		return 0;
	return c->priority <= BEFORE_CONNTRACK ? NFT_FROM_OUTPUT_RAW : NFT_FROM_OUTPUT;
}

static struct nft_chain *chain_find(struct nft_text *t, const char *name)
{
	for (unsigned i = 0; i < t->nchains; i++)
		if (!strcmp(t->chains[i].conf->name, name))
			return &t->chains[i];
	return NULL;
}

static void follow_jump(struct nft_text *t, const struct nft_chain *from, const char *name)
{
	struct nft_chain *to = chain_find(t, name);

	if (!to)
		nft_refuse(t, "there is no chain \"%s\"", name);
	else if (to->conf->hook != CONF_HOOK_NONE)
		nft_refuse(t, "chain \"%s\" has a hook: nothing can jump there", name);
	else
		to->reach |= from->reach;
}

static void follow_jumps(struct nft_text *t, struct nft_chain *from)
{
	from->followed = from->reach;
	t->chain = from;
	for (unsigned i = 0; i < from->conf->nrules; i++) {
		t->rule = &from->conf->rules[i];
		for (unsigned k = 0; k < t->rule->nactions; k++)
			if (t->rule->actions[k].act == CONF_ACT_JUMP)
				follow_jump(t, from, t->rule->actions[k].name);
	}
	t->rule = NULL;
}

/* How many chains hook into Linux's own traffic, or -ENOMEM. */
static int find_chains(struct nft_text *t)
{
	const struct conf *c = t->conf;
	int hooked = 0;

	t->zones = conf_zones_expand(c, &t->nzones);
	if (c->nzones && !t->zones)
		return no_memory(t);
	t->chains = calloc(c->nchains + t->nzones + 1, sizeof(*t->chains));
	if (!t->chains || nft_redirects(t))
		return no_memory(t);
	for (unsigned i = 0; i <= c->nchains + t->nzones; i++) {
		struct nft_chain *n = &t->chains[t->nchains++];

		n->conf = i < c->nchains	       ? &c->chains[i]
			  : i < c->nchains + t->nzones ? &t->zones[i - c->nchains]
						       : &t->redirects;
		n->reach = hook_reach(t, n->conf);
		hooked += n->reach != 0;
	}
	for (bool more = true; more && !t->err;) {
		more = false;
		for (unsigned i = 0; i < t->nchains; i++)
			if (t->chains[i].followed != t->chains[i].reach) {
				follow_jumps(t, &t->chains[i]);
				more = true;
			}
	}
	return hooked;
}

/* ---- rules */

static const char *chain_prefix(const struct conf_chain *c)
{
	return c->hook == CONF_HOOK_INPUT	 ? "input"
	       : c->hook == CONF_HOOK_OUTPUT	 ? "output"
	       : c->hook == CONF_HOOK_PREROUTING ? "prerouting"
						 : "chain";
}

/* Rules that zones mean stand in no file. */
static void comment(const struct conf_rule *r, FILE *f)
{
	char text[COMMENT_MAX];

	if (r->file[0])
		snprintf(text, sizeof(text), "%.50s:%u%s%s", r->file, r->line,
			 r->name[0] ? " " : "", r->name);
	else
		snprintf(text, sizeof(text), "%s", r->name);
	fputs("comment ", f);
	nft_quoted(text, f);
}

static void rule_begin(struct nft_text *t)
{
	const struct conf_chain *c = t->chain->conf;

	fprintf(t->out, "add rule inet %s %s-%s ", t->table, chain_prefix(c), c->name);
}

static void counter(struct nft_text *t, const struct nft_rule *old)
{
	fprintf(t->out, "add counter inet %s rule-%u", t->table, t->number);
	if (old)
		fprintf(t->out, " { packets %llu bytes %llu; }", (unsigned long long)old->packets,
			(unsigned long long)old->bytes);
	nft_line_end(t);
}

/* The rule itself and what it refers to, but for its counter; rule NULL: the policy. */
static void rule_body(struct nft_text *t)
{
	struct nft_variant v[NFT_VARIANTS];
	unsigned n;

	if (!t->rule) {
		rule_begin(t);
		fprintf(t->out, "counter name \"rule-%u\" comment \"policy\"", t->number);
		nft_line_end(t);
		return;
	}
	n = nft_variants(t, v);
	nft_match_objects(t);
	nft_action_chain(t);
	for (unsigned i = 0; i < n; i++) {
		rule_begin(t);
		nft_match(t, &v[i], t->out);
		fprintf(t->out, "counter name \"rule-%u\" ", t->number);
		nft_action(t, v[i].family, t->out);
		fputc(' ', t->out);
		comment(t->rule, t->out);
		nft_line_end(t);
	}
}

/* In the file's words, to be freed; or NULL. */
static char *words_of(const struct conf_rule *r, bool actions)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (actions)
		rule_text_actions(r, f);
	else
		rule_text_match(&r->match, f);
	fclose(f);
	return text;
}

/* The same rule in the table as it was; rules mostly keep their order. */
static const struct nft_rule *old_of(struct nft_text *t, const struct nft_rule *r)
{
	for (unsigned i = 0; i < t->nold; i++) {
		unsigned at = (t->next_old + i) % t->nold;
		const struct nft_rule *old = &t->old[at];

		if (!strcmp(old->chain, r->chain) && !strcmp(old->name, r->name) &&
		    !strcmp(old->match, r->match) && !strcmp(old->action, r->action)) {
			t->next_old = at + 1;
			return old;
		}
	}
	return NULL;
}

static struct nft_rule *rule_add(struct nft_text *t)
{
	if (t->nrules == t->room) {
		unsigned room = t->room ? 2 * t->room : 32;
		struct nft_rule *more = reallocarray(t->rules, room, sizeof(*more));

		if (!more)
			return NULL;
		t->rules = more;
		t->room = room;
	}
	memset(&t->rules[t->nrules], 0, sizeof(t->rules[0]));
	return &t->rules[t->nrules++];
}

static void rule(struct nft_text *t, const struct conf_rule *conf)
{
	const struct conf_chain *c = t->chain->conf;
	struct nft_rule *r = rule_add(t);

	if (!r) {
		no_memory(t);
		return;
	}
	strcpy(r->chain, c->name);
	if (conf) {
		strcpy(r->name, conf->name);
		strcpy(r->file, conf->file);
	}
	r->hook = c->hook;
	r->priority = c->priority;
	r->policy = !conf;
	r->from_zones = c->from_zones;
	r->line = conf ? conf->line : c->line;
	t->rule = conf;
	t->number = t->nrules;
	r->first_line = t->lines + 1;
	r->match = conf ? words_of(conf, false) : strdup("");
	r->action = conf ? words_of(conf, true) : strdup(c->drop ? "drop" : "accept");
	if (r->match && r->action) {
		counter(t, old_of(t, r));
		rule_body(t);
	} else {
		no_memory(t);
	}
	r->last_line = t->lines;
	t->rule = NULL;
}

/* ---- the table */

/* A mark that changes at output and priority mangle takes another route, as Linux has it. */
static void chain(struct nft_text *t)
{
	const struct conf_chain *c = t->chain->conf;
	const char *type = t->chain->reach & NFT_REDIRECTS ? "nat" : "filter";

	if (c->hook == CONF_HOOK_OUTPUT && c->priority == CONF_PRIO_MANGLE)
		type = "route";

	fprintf(t->out, "add chain inet %s %s-%s", t->table, chain_prefix(c), c->name);
	if (c->hook != CONF_HOOK_NONE)
		fprintf(t->out, " { type %s hook %s priority %d; policy %s; }", type,
			chain_prefix(c), c->priority, c->drop ? "drop" : "accept");
	nft_line_end(t);
}

/* Of chains with the same priority Linux runs the newest first. */
static void chains(struct nft_text *t)
{
	for (unsigned i = t->nchains; i > 0; i--) {
		t->chain = &t->chains[i - 1];
		if (t->chain->reach)
			chain(t);
	}
}

static void each_chain(struct nft_text *t, void (*f)(struct nft_text *t))
{
	for (unsigned i = 0; i < t->nchains && !t->err; i++) {
		t->chain = &t->chains[i];
		if (t->chain->reach)
			f(t);
	}
}

static void rules(struct nft_text *t)
{
	const struct conf_chain *c = t->chain->conf;

	if (c->from_zones)
		nft_accepted_rule(t);
	for (unsigned i = 0; i < c->nrules && !t->err; i++)
		rule(t, &c->rules[i]);
	if (c->hook != CONF_HOOK_NONE && c != &t->redirects)
		rule(t, NULL);
}

static void table(struct nft_text *t)
{
	static const char *const words[] = { "add", "delete", "add" };

	for (int i = 0; i < 3; i++) {
		fprintf(t->out, "%s table inet %s", words[i], t->table);
		nft_line_end(t);
	}
}

int nft_text_render(struct nft_text *t)
{
	int hooked = find_chains(t);
	bool standin = nft_standin_wanted(t);

	if (t->err || (!hooked && !standin))
		return t->err;
	table(t);
	chains(t);
	nft_sets(t);
	nft_reject_chains(t);
	nft_accept_chain(t);
	each_chain(t, rules);
	if (standin && !t->err)
		nft_standin(t);
	return t->err;
}

void nft_rules_free(struct nft_rule *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(r[i].match);
		free(r[i].action);
	}
	free(r);
}

void nft_text_fini(struct nft_text *t)
{
	if (t->zones)
		conf_chains_free(t->zones, t->nzones);
	nft_redirects_fini(t);
	free(t->chains);
}
