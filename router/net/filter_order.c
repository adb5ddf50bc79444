/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which chains of a configuration run, and in which order; where they jump to. [control] */
#include "router/net/filter_internal.h"

#include <stdlib.h>
#include <string.h>

static unsigned stage_of(const struct conf_chain *c)
{
	switch (c->hook) {
	case CONF_HOOK_PREROUTING:
		return c->priority <= -200		 ? FILTER_RAW
		       : c->priority <= CONF_PRIO_DSTNAT ? FILTER_MANGLE
							 : FILTER_DSTNAT;
	case CONF_HOOK_FORWARD: return FILTER_FORWARD;
	case CONF_HOOK_POSTROUTING:
		return c->priority < CONF_PRIO_SRCNAT ? FILTER_POST : FILTER_SRCNAT;
	default: return FILTER_STAGES;
	}
}

static int collect(struct filter_build *b)
{
	const struct conf *c = b->c->conf;

	b->zones = conf_zones_expand(c, &b->nzones);
	if (!b->zones && c->nzones)
		return filter_no_memory(b);
	b->source = calloc(c->nchains + b->nzones + 1, sizeof(*b->source));
	if (!b->source)
		return filter_no_memory(b);
	for (unsigned i = 0; i < c->nchains; i++)
		b->source[b->n++].conf = &c->chains[i];
	for (unsigned i = 0; i < b->nzones; i++)
		b->source[b->n++].conf = &b->zones[i];
	for (unsigned i = 0; i < b->n; i++)
		b->source[i].stage = stage_of(b->source[i].conf);
	return 0;
}

int filter_chain_named(const struct filter_build *b, const char *name)
{
	for (unsigned i = 0; i < b->n; i++)
		if (!b->source[i].conf->from_zones && !strcmp(b->source[i].conf->name, name))
			return (int)i;
	return -1;
}

static int follow(struct filter_build *b, unsigned i, unsigned level);

static int follow_jump(struct filter_build *b, struct filter_source *from, const char *name,
		       unsigned level)
{
	const char *own = from->conf->name;
	int to = filter_chain_named(b, name), rc;
	struct filter_source *s = &b->source[to < 0 ? 0 : to];

	if (to < 0)
		return filter_refuse(b, "filter.%s: there is no chain \"%s\" to jump to", own,
				     name);
	if (s->conf->hook != CONF_HOOK_NONE)
		return filter_refuse(b, "filter.%s: a jump to \"%s\", which has a hook of its own",
				     own, name);
	if (s->open)
		return filter_refuse(b, "filter.%s: a jump to \"%s\", which leads back here", own,
				     name);
	rc = level < FILTER_DEPTH ? follow(b, (unsigned)to, level + 1) : 0;
	if (rc)
		return rc;
	if (from->depth <= s->depth)
		from->depth = s->depth + 1;
	if (level == FILTER_DEPTH || from->depth > FILTER_DEPTH)
		return filter_refuse(b, "filter.%s: more than %u chains that jump into each other",
				     own, FILTER_DEPTH);
	return 0;
}

/* Where its jumps lead; `level` chains lead here. */
static int follow(struct filter_build *b, unsigned i, unsigned level)
{
	struct filter_source *s = &b->source[i];
	int rc = 0;

	if (s->depth)
		return 0;
	s->depth = 1;
	s->open = true;
	for (unsigned r = 0; r < s->conf->nrules; r++)
		for (unsigned a = 0; a < s->conf->rules[r].nactions && !rc; a++)
			if (s->conf->rules[r].actions[a].act == CONF_ACT_JUMP)
				rc = follow_jump(b, s, s->conf->rules[r].actions[a].name, level);
	s->open = false;
	return rc;
}

/* A packet may come here, and to wherever this jumps. */
static void use(struct filter_build *b, struct filter_source *s)
{
	if (s->used)
		return;
	s->used = true;
	for (unsigned r = 0; r < s->conf->nrules; r++)
		for (unsigned i = 0; i < s->conf->rules[r].nactions; i++) {
			const struct conf_action *a = &s->conf->rules[r].actions[i];

			if (a->act == CONF_ACT_JUMP)
				use(b, &b->source[filter_chain_named(b, a->name)]);
		}
}

/* By stage, priority and place; chains that are jumped to come last. */
static bool before(const struct filter_source *a, const struct filter_source *b)
{
	if (a->stage != b->stage)
		return a->stage < b->stage;
	if (a->stage != FILTER_STAGES && a->conf->priority != b->conf->priority)
		return a->conf->priority < b->conf->priority;
	return a < b;
}

/* Gives each chain that is used its place. */
static int arrange(struct filter_build *b)
{
	struct filter *f = b->f;

	for (unsigned i = 0; i < b->n; i++)
		if (b->source[i].stage != FILTER_STAGES)
			use(b, &b->source[i]);
	for (unsigned i = 0; i < b->n; i++) {
		struct filter_source *s = &b->source[i];

		if (!s->used)
			continue;
		f->nchains++;
		for (unsigned k = 0; k < b->n; k++)
			s->index += b->source[k].used && before(&b->source[k], s);
		for (unsigned stage = s->stage; stage < FILTER_STAGES; stage++)
			f->stage[stage + 1]++;
	}
	f->chain = calloc(f->nchains + 1, sizeof(*f->chain));
	return f->chain ? 0 : filter_no_memory(b);
}

int filter_order(struct filter_build *b)
{
	int rc = collect(b);

	for (unsigned i = 0; i < b->n && !rc; i++)
		rc = follow(b, i, 1);
	return rc ? rc : arrange(b);
}
