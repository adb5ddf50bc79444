// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filter chains: jumps that lead nowhere or in a circle, actions out of place, and rules no packet
 * reaches. What a rule matches is check_match.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"

/* Connection tracking stands between raw and mangle; netfilter's NF_IP_PRI_CONNTRACK. */
enum { PRIO_CONNTRACK = -200 };

/* ---- names of rules */

static int compare_labels(const void *a, const void *b)
{
	const struct check_label *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

void check_labels(struct check *k, struct check_label *labels, unsigned n)
{
	char path[YAML_PATH_MAX], line[YAML_PATH_MAX];

	qsort(labels, n, sizeof(*labels), compare_labels);
	for (unsigned i = 1; i < n; i++) {
		if (!labels[i].name[0] || strcmp(labels[i].name, labels[i - 1].name))
			continue;
		struct mark at = check_place(k, labels[i].name, labels[i].line);
		report_warning(k->report, at, "%s: the rule at %s has the name %s already",
			       check_path(k, labels[i].line, path),
			       check_line(k, check_place(k, labels[i - 1].line, NULL), at, line),
			       labels[i].name);
	}
}

/* ---- actions */

static void check_jump(struct check *k, const struct conf_rule *r, const struct conf_action *a)
{
	const struct conf_chain *to = check_find(&k->chains, a->name);
	struct mark at = check_place(k, a->name, &r->line);
	char path[YAML_PATH_MAX];

	if (!a->name[0]) /* it could not be read */
		return;
	if (!to) {
		report_error(k->report, at, "%s: there is no chain %s",
			     check_path(k, a->name, path), a->name);
		check_suggest(k, a->name, &k->chains, NULL);
	} else if (to->hook != CONF_HOOK_NONE) {
		report_error(k->report, at, "%s: chain %s has a hook, and is not jumped to",
			     check_path(k, a->name, path), a->name);
		report_help(k->report, "move its rules to a chain without one, and jump there");
	}
}

/* Whether chains at input and output can do without tracking is nftables' to say. */
static void check_notrack(struct check *k, const struct conf_chain *chain,
			  const struct conf_rule *r)
{
	char path[YAML_PATH_MAX];
	bool early = chain->hook == CONF_HOOK_PREROUTING && chain->priority <= PRIO_CONNTRACK;
	bool ours = chain->hook == CONF_HOOK_PREROUTING || chain->hook == CONF_HOOK_FORWARD ||
		    chain->hook == CONF_HOOK_POSTROUTING;

	if (!ours || early)
		return;
	report_error(k->report, check_place(k, &r->actions, &r->line),
		     "%s: notrack comes too late here", check_path(k, &r->line, path));
	report_help(k->report, "put it into a chain at prerouting with priority: raw");
}

/* A chain that is jumped to may get nothing but TCP. */
static void check_reset(struct check *k, const struct conf_chain *chain, const struct conf_rule *r,
			const struct conf_action *a)
{
	const struct conf_match *m = &r->match;
	char path[YAML_PATH_MAX];

	if (a->value != CONF_REJECT_RESET || (m->nprotos == 1 && m->protos[0] == IPPROTO_TCP) ||
	    (m->nprotos == 0 && chain->hook == CONF_HOOK_NONE))
		return;
	report_warning(k->report, check_place(k, &a->value, &r->line), "%s: only TCP has resets",
		       check_path(k, &r->line, path));
	report_help(k->report, "write proto: tcp, or plain reject");
}

static void check_action(struct check *k, const struct conf_chain *chain, const struct conf_rule *r,
			 const struct conf_action *a)
{
	static const enum conf_source source = CONF_SOURCE_FROM;

	switch (a->act) {
	case CONF_ACT_JUMP: check_jump(k, r, a); break;
	case CONF_ACT_NOTRACK: check_notrack(k, chain, r); break;
	case CONF_ACT_ADD_TO:
		check_set_key(k, a->name, a->nkey ? a->key : &source, a->nkey ? a->nkey : 1,
			      a->name, &r->line);
		break;
	case CONF_ACT_REJECT: check_reset(k, chain, r, a); break;
	default: break;
	}
}

static void check_rule(struct check *k, const struct conf_chain *chain, const struct conf_rule *r)
{
	const struct conf_match *m = &r->match;
	char path[YAML_PATH_MAX];

	check_match(k, m, &r->line, chain->hook);
	for (unsigned i = 0; i < r->nactions; i++)
		check_action(k, chain, r, &r->actions[i]);
	if ((m->ct || m->status) && chain->hook == CONF_HOOK_PREROUTING &&
	    chain->priority <= PRIO_CONNTRACK) {
		const void *field = m->ct ? &m->ct : &m->status;
		report_warning(k->report, check_place(k, field, &r->line),
			       "%s: connection tracking has not seen the packet yet",
			       check_path(k, field, path));
		report_help(k->report, "its chain needs a priority above raw, like mangle");
	}
}

/* ---- rules no packet reaches */

struct judged {
	uint64_t fingerprint; /* of its match */
	const struct conf_rule *rule;
};

static int compare_judged(const void *a, const void *b)
{
	const struct judged *x = a, *y = b;

	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Does it end the chain for every packet that it matches, and match all that its keys say? A rate
 * or a number of connections lets some of them by. */
static bool is_final(const struct conf_rule *r)
{
	const struct conf_action *last = r->nactions ? &r->actions[r->nactions - 1] : NULL;

	return last && !r->match.rate.used && !r->match.connections_over &&
	       (last->act == CONF_ACT_ACCEPT || last->act == CONF_ACT_DROP ||
		last->act == CONF_ACT_REJECT || last->act == CONF_ACT_RETURN);
}

static void warn_unreached(struct check *k, const struct conf_rule *r, const struct conf_rule *by,
			   const char *why)
{
	struct mark at = check_place(k, &r->line, NULL);
	char path[YAML_PATH_MAX], line[YAML_PATH_MAX];

	report_warning(k->report, at, "%s: never reached, the rule at %s %s",
		       check_path(k, &r->line, path),
		       check_line(k, check_place(k, &by->line, NULL), at, line), why);
}

static void check_unreached(struct check *k, const struct conf_chain *chain, struct judged *rules)
{
	static const struct conf_match anything;
	uint64_t all = check_match_fingerprint(&anything);
	const struct conf_rule *end = NULL; /* behind it, nothing is reached */

	for (unsigned i = 0; i < chain->nrules; i++) {
		const struct conf_rule *r = &chain->rules[i];
		rules[i] = (struct judged){ check_match_fingerprint(&r->match), r };
		if (end == NULL && rules[i].fingerprint == all && is_final(r))
			end = r;
	}
	if (end && end + 1 < chain->rules + chain->nrules)
		warn_unreached(k, end + 1, end, "takes every packet");
	qsort(rules, chain->nrules, sizeof(*rules), compare_judged);
	const struct judged *final = NULL;
	for (unsigned i = 0; i < chain->nrules; i++) {
		if (final && final->fingerprint != rules[i].fingerprint)
			final = NULL;
		if (final && (!end || rules[i].rule < end))
			warn_unreached(k, rules[i].rule, final->rule, "matches the same");
		else if (!final && is_final(rules[i].rule))
			final = &rules[i];
	}
}

static int check_chain(struct check *k, const struct conf_chain *chain)
{
	struct judged *rules = calloc((size_t)chain->nrules + 1, sizeof(*rules));
	struct check_label *labels = calloc((size_t)chain->nrules + 1, sizeof(*labels));
	int err = rules && labels ? 0 : -ENOMEM;

	for (unsigned i = 0; i < chain->nrules && !err; i++) {
		check_rule(k, chain, &chain->rules[i]);
		labels[i] = (struct check_label){ chain->rules[i].name, &chain->rules[i].line };
	}
	if (!err) {
		check_labels(k, labels, chain->nrules);
		if (!report_errors(k->report)) /* a match that was not read looks like any other */
			check_unreached(k, chain, rules);
	}
	free(rules);
	free(labels);
	return err;
}

/* ---- jumps: a walk in depth, with its own stack */

enum { UNSEEN, OPEN, DONE };

struct jumps {
	struct check *k;
	uint8_t *state;	 /* of each chain */
	unsigned *stack; /* chains that are open, the first jumped from */
	unsigned *rule;	 /* of these, the next rule to look at */
	unsigned depth;
	bool *target; /* of each chain: something jumps to it */
};

/* "a -> b -> a", from where the circle begins; the end of a long one is left out. */
static void report_circle(struct jumps *j, unsigned to, const struct conf_rule *r)
{
	const struct conf *c = j->k->c;
	const struct conf_action *a = &r->actions[r->nactions - 1];
	char circle[400] = "", path[YAML_PATH_MAX];
	size_t used = 0;
	unsigned first = j->depth - 1;

	while (j->stack[first] != to && !check_enough(j->k))
		first--;
	for (unsigned i = first; i < j->depth && used < sizeof(circle); i++)
		used += (size_t)snprintf(circle + used, sizeof(circle) - used, "%s -> ",
					 c->chains[j->stack[i]].name);
	report_error(j->k->report, check_place(j->k, a->name, &r->line),
		     "%s: jumps in a circle: %s%s", check_path(j->k, a->name, path), circle,
		     c->chains[to].name);
}

/* The next chain that the topmost of the stack jumps to, to be opened; -1: there is none. */
static int next_jump(struct jumps *j)
{
	const struct conf *c = j->k->c;
	const struct conf_chain *chain = &c->chains[j->stack[j->depth - 1]];
	unsigned *next = &j->rule[j->depth - 1];

	while (*next < chain->nrules) {
		const struct conf_rule *r = &chain->rules[(*next)++];
		const struct conf_action *last = r->nactions ? &r->actions[r->nactions - 1] : NULL;
		const struct conf_chain *to = last && last->act == CONF_ACT_JUMP
						      ? check_find(&j->k->chains, last->name)
						      : NULL;
		if (!to)
			continue;
		unsigned index = (unsigned)(to - c->chains);
		j->target[index] = true;
		if (j->state[index] == OPEN)
			report_circle(j, index, r);
		else if (j->state[index] == UNSEEN)
			return (int)index;
	}
	return -1;
}

static void walk_jumps(struct jumps *j, unsigned from)
{
	int open = (int)from;

	j->depth = 0;
	do {
		if (open >= 0) {
			j->state[open] = OPEN;
			j->stack[j->depth] = (unsigned)open;
			j->rule[j->depth++] = 0;
		} else {
			j->state[j->stack[--j->depth]] = DONE;
		}
		open = j->depth ? next_jump(j) : -1;
	} while (j->depth);
}

static void warn_unused(struct jumps *j)
{
	const struct conf *c = j->k->c;

	for (unsigned i = 0; i < c->nchains; i++) {
		const struct conf_chain *chain = &c->chains[i];
		const struct yaml_node *n = bind_where(j->k->places, &chain->line);
		if (j->target[i] || !chain->name[0] || !n || yaml_get(n, "hook"))
			continue;
		report_warning(j->k->report, check_place(j->k, chain->name, &chain->line),
			       "filter.%s: has no hook, and nothing jumps to it", chain->name);
	}
}

static int check_jumps(struct check *k)
{
	size_t n = (size_t)k->c->nchains + 1;
	struct jumps j = { .k = k,
			   .state = calloc(n, sizeof(*j.state)),
			   .stack = calloc(n, sizeof(*j.stack)),
			   .rule = calloc(n, sizeof(*j.rule)),
			   .target = calloc(n, sizeof(*j.target)) };
	int err = j.state && j.stack && j.rule && j.target ? 0 : -ENOMEM;

	for (unsigned i = 0; i < k->c->nchains && !err; i++)
		if (j.state[i] == UNSEEN)
			walk_jumps(&j, i);
	if (!err)
		warn_unused(&j);
	free(j.state);
	free(j.stack);
	free(j.rule);
	free(j.target);
	return err;
}

int check_filter(struct check *k)
{
	int err = 0;

	for (unsigned i = 0; i < k->c->nchains && !err; i++)
		err = check_chain(k, &k->c->chains[i]);
	return err ? err : check_jumps(k);
}
