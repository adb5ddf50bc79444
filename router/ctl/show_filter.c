/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show filter: the rules packets are judged by, in their order, and how many each has judged.
 *
 * Two sequences become one: the daemon's own rules, and those at input and output, which Linux
 * applies and counts (nft.h). The latter are read once, at the first call. A chain that both jump
 * to is shown once, with what both have counted. [control]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/nft.h"
#include "router/ctl/rows.h"
#include "router/router.h"

const struct column show_filter_columns[] = {
	{ "chain", "chain", COL_TEXT, false, "name" },
	{ "hook", "hook", COL_TEXT, false, "where it stands; null: only jumped to" },
	{ "priority", "priority", COL_NUMBER, true, "lower ones run first" },
	{ "rule", "rule", COL_TEXT, false, "name; \"policy\": what no rule decided" },
	{ "line", "line", COL_NUMBER, true, "in the configuration; null: made by zones" },
	{ "packets", "packets", COL_NUMBER, false,
	  "judged: the first of a flow and direction; at input and output, all" },
	{ "bytes", "bytes", COL_BYTES, true, "of these" },
	{ "action", "action", COL_TEXT, false, "as in the configuration" },
	{ "match", "match", COL_TEXT, false, "as in the configuration; null: all packets" },
	{ 0 },
};

static const char *text_or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

static const char *const hook_names[] = {
	[CONF_HOOK_NONE] = "",	       [CONF_HOOK_PREROUTING] = "prerouting",
	[CONF_HOOK_INPUT] = "input",   [CONF_HOOK_FORWARD] = "forward",
	[CONF_HOOK_OUTPUT] = "output", [CONF_HOOK_POSTROUTING] = "postrouting",
};

static void rule_row(const struct filter_rule_info *info, struct command_ctx *c)
{
	struct row *row = command_row(c);
	bool chained = text_or_null(info->hook);

	row_text(row, "chain", info->chain);
	row_text(row, "hook", text_or_null(info->hook));
	if (chained)
		row_number(row, "priority", info->priority);
	row_text(row, "rule", info->policy ? "policy" : text_or_null(info->name));
	if (info->line)
		row_unsigned(row, "line", info->line);
	row_unsigned(row, "packets", info->packets);
	row_unsigned(row, "bytes", info->bytes);
	row_text(row, "action", info->action);
	row_text(row, "match", text_or_null(info->match));
}

/* ---- Linux's rules, as they were at the first call */

struct linux_rule {
	struct filter_rule_info info;
	char chain[CONF_NAME], name[CONF_NAME];
	enum conf_hook hook;
	unsigned place; /* in its chain */
	unsigned order; /* in the table */
	bool shown;
};

struct linux_rules {
	unsigned n;
	struct linux_rule rule[];
};

/* Chains that are jumped to come last. */
static unsigned rank(enum conf_hook hook)
{
	return hook == CONF_HOOK_NONE ? CONF_HOOK_POSTROUTING + 1 : hook;
}

static int compare(const void *a, const void *b)
{
	const struct linux_rule *x = a, *y = b;

	if (x->hook != y->hook)
		return rank(x->hook) < rank(y->hook) ? -1 : 1;
	if (x->info.priority != y->info.priority)
		return x->info.priority < y->info.priority ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void take(struct linux_rule *l, const struct nft_counter *c)
{
	l->info = (struct filter_rule_info){ .hook = hook_names[c->hook],
					     .priority = c->priority,
					     .policy = c->policy,
					     .from_zones = c->from_zones,
					     .line = c->line,
					     .packets = c->packets,
					     .bytes = c->bytes };
	l->hook = c->hook;
	snprintf(l->chain, sizeof(l->chain), "%s", c->chain);
	snprintf(l->name, sizeof(l->name), "%s", c->name);
	snprintf(l->info.match, sizeof(l->info.match), "%s", c->match);
	snprintf(l->info.action, sizeof(l->info.action), "%s", c->action);
}

/* NULL: no memory. */
static struct linux_rules *linux_rules(struct router *r, struct command_ctx *c)
{
	const struct nft_counter *all = NULL;
	struct linux_rules *rules;
	unsigned n = 0;
	int err = r->nft ? nft_counters(r->nft, &all, &n) : 0;

	if (err)
		command_message(c, "rules at input and output: %s", strerror(-err));
	rules = calloc(1, sizeof(*rules) + n * sizeof(rules->rule[0]));
	for (unsigned i = 0; rules && i < n; i++) {
		struct linux_rule *l = &rules->rule[rules->n];

		if (all[i].hook == CONF_HOOK_PREROUTING) /* NAT's */
			continue;
		take(l, &all[i]);
		l->order = rules->n;
		if (rules->n && !strcmp(l->chain, l[-1].chain))
			l->place = l[-1].place + 1;
		rules->n++;
	}
	if (rules)
		qsort(rules->rule, rules->n, sizeof(rules->rule[0]), compare);
	return rules;
}

/* ---- one after the other */

/* A rule of the daemon's in a chain without a hook: has Linux counted it, too? */
static void add_shared(struct linux_rules *rules, struct filter_rule_info *info, uint64_t place)
{
	for (unsigned i = rules->n; i > 0 && rules->rule[i - 1].hook == CONF_HOOK_NONE; i--) {
		struct linux_rule *l = &rules->rule[i - 1];

		if (l->place != place || strcmp(l->chain, info->chain) != 0)
			continue;
		info->packets += l->info.packets;
		info->bytes += l->info.bytes;
		l->shown = true;
	}
}

/* The place of the daemon's rule in its chain follows that of the one before. */
static uint64_t place_of(const struct filter *f, unsigned number, const char *chain,
			 uint64_t before)
{
	struct filter_rule_info last;

	return filter_rule(f, number - 1, &last) && !strcmp(last.chain, chain) ? before + 1 : 0;
}

static enum conf_hook hook_of(const char *name)
{
	enum conf_hook hook = CONF_HOOK_POSTROUTING;

	while (hook > CONF_HOOK_NONE && strcmp(hook_names[hook], name) != 0)
		hook--;
	return hook;
}

/* The next row. cur->i: rules of the daemon so far; j: of Linux; k: the place of the last of the
 * daemon's in its chain. False: no more. */
static bool next_rule(const struct filter *f, struct cursor *cur, struct filter_rule_info *out)
{
	struct linux_rules *rules = cur->data;
	struct linux_rule *l;
	bool own = f && filter_rule(f, (unsigned)cur->i + 1, out);

	while (cur->j < rules->n && rules->rule[cur->j].shown)
		cur->j++;
	l = &rules->rule[cur->j];
	if (cur->j < rules->n && (!own || rank(l->hook) < rank(hook_of(out->hook)))) {
		*out = l->info;
		out->chain = l->chain;
		out->name = l->name;
		cur->j++;
		return true;
	}
	if (!own)
		return false;
	cur->i++;
	cur->k = place_of(f, (unsigned)cur->i, out->chain, cur->k);
	if (!out->hook[0])
		add_shared(rules, out, cur->k);
	return true;
}

int show_filter(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	const struct filter *f = r->policy ? r->policy->filter : NULL;
	struct filter_rule_info info;

	if (!cur->data)
		cur->data = linux_rules(r, c);
	if (!cur->data)
		return command_fail(c, -ENOMEM, "%s", strerror(ENOMEM));
	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		if (!next_rule(f, cur, &info))
			return COMMAND_DONE;
		if (!info.from_zones || q->arg[0]) /* --expanded */
			rule_row(&info, c);
	}
	return COMMAND_MORE;
}
