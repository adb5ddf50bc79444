/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter out of a configuration's chains and those its zones mean: which chains run, in which
 * order, and what their rules say. Whatever is wrong is said before anything is in use. [control]
 */
#include "router/net/filter_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/rule_text.h"

int filter_refuse(const struct filter_build *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(b->why, b->size, format, ap);
	va_end(ap);
	return -EINVAL;
}

int filter_no_memory(const struct filter_build *b)
{
	snprintf(b->why, b->size, "out of memory");
	return -ENOMEM;
}

/* ---- matchers */

/* What a rule is called in messages, and its limits for ever: by its name, and by which one of its
 * name it is. */
static const char *rule_name(void *arg, unsigned i)
{
	static char name[2 * CONF_NAME + 32];
	const struct conf_chain *c = *(const struct conf_chain **)arg;
	const char *own = c->rules[i].name;
	unsigned nth = 1;

	for (unsigned k = 0; k < i; k++)
		nth += !strcmp(c->rules[k].name, own);
	if (own[0] && nth == 1)
		snprintf(name, sizeof(name), "filter.%s.%s", c->name, own);
	else
		snprintf(name, sizeof(name), "filter.%s.%s#%u", c->name, own, nth);
	return name;
}

static int build_matcher(struct filter_build *b, const struct conf_chain *c,
			 struct filter_chain *out)
{
	const struct conf_match **list = calloc(c->nrules + 1, sizeof(*list));
	int rc;

	if (!list)
		return filter_no_memory(b);
	for (unsigned i = 0; i < c->nrules; i++)
		list[i] = &c->rules[i].match;
	rc = matcher_build(b->c, list, c->nrules, rule_name, &c, &out->matcher, b->why, b->size);
	free(list);
	return rc;
}

/* ---- rules and their text */

static int build_add_to(const struct filter_build *b, const struct conf_action *c,
			struct filter_action *out)
{
	out->set = b->c->sets ? sets_find(b->c->sets, c->name) : NULL;
	if (!out->set)
		return -ENOENT;
	out->nkey = (uint8_t)c->nkey;
	for (unsigned i = 0; i < c->nkey && i < CONF_FIELDS_MAX; i++)
		out->key[i] = (uint8_t)c->key[i];
	if (!c->nkey) {
		out->nkey = 1;
		out->key[0] = CONF_SOURCE_FROM;
	}
	return 0;
}

static void build_log(const struct conf_log *c, struct filter_rule *out)
{
	if (!c->used)
		return;
	out->log_count = c->count;
	out->log_period = c->period_ms * (uint64_t)1000000;
}

static int build_rule(const struct filter_build *b, const struct conf_chain *chain, unsigned number,
		      struct filter_rule *out)
{
	const struct conf_rule *c = &chain->rules[number];

	out->action = calloc(c->nactions + 1, sizeof(*out->action));
	if (!out->action)
		return filter_no_memory(b);
	out->nactions = c->nactions;
	build_log(&c->log, out);
	for (unsigned i = 0; i < c->nactions; i++) {
		const struct conf_action *from = &c->actions[i];
		struct filter_action *a = &out->action[i];

		a->act = (uint8_t)from->act;
		a->value = from->value;
		a->mask = from->mask;
		if (from->act == CONF_ACT_JUMP)
			a->chain = (uint16_t)b->source[filter_chain_named(b, from->name)].index;
		if (from->act == CONF_ACT_ADD_TO && build_add_to(b, from, a))
			return filter_refuse(b, "%s: add-to: there is no set \"%s\"",
					     rule_name(&chain, number), from->name);
		b->f->syns |= from->act == CONF_ACT_MSS_CLAMP;
	}
	b->f->syns |= match_wants_syn(&c->match);
	return 0;
}

static char *match_text(const struct conf_rule *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	rule_text_match(&r->match, out);
	return fclose(out) ? NULL : text;
}

static char *action_text(const struct conf_rule *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	rule_text_actions(r, out);
	return fclose(out) ? NULL : text;
}

static int add_line(struct filter_build *b, const struct filter_line *l)
{
	b->f->line[b->f->nlines++] = *l;
	return l->name && l->file && l->prefix && l->match && l->action ? 0 : filter_no_memory(b);
}

static int rule_line(struct filter_build *b, const struct filter_chain *chain,
		     const struct conf_rule *r)
{
	const struct filter_line l = {
		.chain = chain,
		.name = strdup(r->name),
		.file = strdup(r->file),
		.prefix = strdup(r->log.prefix),
		.match = match_text(r),
		.action = action_text(r),
		.line = r->line,
	};

	return add_line(b, &l);
}

static int policy_line(struct filter_build *b, const struct filter_chain *chain,
		       const struct conf_chain *c)
{
	const struct filter_line l = {
		.chain = chain,
		.name = strdup(""),
		.file = strdup(""),
		.prefix = strdup(""),
		.match = strdup(""),
		.action = strdup(c->drop ? "drop" : "accept"),
		.line = c->line,
		.policy = true,
	};

	return add_line(b, &l);
}

/* ---- chains */

static int build_chain(struct filter_build *b, const struct conf_chain *c, struct filter_chain *out)
{
	int rc = build_matcher(b, c, out);

	out->rule = calloc(c->nrules + 1, sizeof(*out->rule));
	if (rc || !out->rule)
		return rc ? rc : filter_no_memory(b);
	memcpy(out->name, c->name, sizeof(out->name));
	out->hook = c->hook;
	out->priority = c->priority;
	out->from_zones = c->from_zones;
	out->drop = c->drop;
	out->nrules = c->nrules;
	out->first = (uint16_t)(b->f->nlines + 1);
	for (unsigned i = 0; i < c->nrules && !rc; i++) {
		rc = build_rule(b, c, i, &out->rule[i]);
		if (!rc)
			rc = rule_line(b, out, &c->rules[i]);
	}
	if (!rc && c->hook != CONF_HOOK_NONE)
		rc = policy_line(b, out, c);
	return rc;
}

static int count_lines(struct filter_build *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < b->n; i++)
		if (b->source[i].used)
			n += b->source[i].conf->nrules + (uint64_t)1;
	if (n > FILTER_LINES_MAX)
		return filter_refuse(b, "filter: more than %u rules", FILTER_LINES_MAX);
	b->f->line = calloc(n + 1, sizeof(*b->f->line));
	return b->f->line ? 0 : filter_no_memory(b);
}

/* In the order of their places, which is that of their lines. */
static int build_chains(struct filter_build *b)
{
	int rc = count_lines(b);

	for (unsigned index = 0; index < b->f->nchains && !rc; index++)
		for (unsigned i = 0; i < b->n && !rc; i++)
			if (b->source[i].used && b->source[i].index == index)
				rc = build_chain(b, b->source[i].conf, &b->f->chain[index]);
	return rc;
}

/* Each worker's counters begin a cache line of their own. */
static int build_counters(struct filter_build *b, unsigned nworkers)
{
	size_t size = (b->f->nlines + (size_t)2) / 2 * 2 * sizeof(struct filter_count);

	static_assert(2 * sizeof(struct filter_count) == 64, "two to a cache line");
	b->f->count = calloc(nworkers + (size_t)1, sizeof(*b->f->count));
	if (!b->f->count)
		return filter_no_memory(b);
	for (; b->f->nworkers < nworkers; b->f->nworkers++) {
		struct filter_count *c = aligned_alloc(64, size);

		if (!c)
			return filter_no_memory(b);
		memset(c, 0, size);
		b->f->count[b->f->nworkers] = c;
	}
	return 0;
}

static int build_all(struct filter_build *b, unsigned nworkers)
{
	int rc = filter_order(b);

	if (!rc)
		rc = build_chains(b);
	return rc ? rc : build_counters(b, nworkers);
}

int filter_build(const struct match_context *c, unsigned nworkers, struct filter **out, char *why,
		 size_t size)
{
	struct filter_build b = { .c = c, .why = why, .size = size };
	int rc;

	b.f = calloc(1, sizeof(*b.f));
	if (!b.f)
		return filter_no_memory(&b);
	rc = build_all(&b, nworkers);
	if (rc)
		filter_destroy(b.f);
	else
		*out = b.f;
	conf_chains_free(b.zones, b.nzones);
	free(b.source);
	return rc;
}

static void destroy_chain(struct filter_chain *c)
{
	for (unsigned i = 0; c->rule && i < c->nrules; i++)
		free(c->rule[i].action);
	free(c->rule);
	matcher_destroy(c->matcher);
}

void filter_destroy(struct filter *f)
{
	if (!f)
		return;
	for (unsigned i = 0; f->chain && i < f->nchains; i++)
		destroy_chain(&f->chain[i]);
	for (unsigned i = 0; i < f->nlines; i++) {
		free(f->line[i].name);
		free(f->line[i].file);
		free(f->line[i].match);
		free(f->line[i].action);
		free(f->line[i].prefix);
	}
	for (unsigned w = 0; w < f->nworkers; w++)
		free(f->count[w]);
	free(f->chain);
	free(f->line);
	free(f->count);
	free(f);
}
