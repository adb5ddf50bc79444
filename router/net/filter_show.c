/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a filter for show and explain, and whose counters go on in the next one. [control] */
#include "router/net/filter_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *hook_name(enum conf_hook hook)
{
	switch (hook) {
	case CONF_HOOK_PREROUTING: return "prerouting";
	case CONF_HOOK_INPUT: return "input";
	case CONF_HOOK_FORWARD: return "forward";
	case CONF_HOOK_OUTPUT: return "output";
	case CONF_HOOK_POSTROUTING: return "postrouting";
	case CONF_HOOK_NONE: break;
	}
	return "";
}

/* What does not fit ends in dots. */
static void copy(char *to, size_t size, const char *text)
{
	if (snprintf(to, size, "%s", text) >= (int)size)
		memcpy(to + size - 4, "...", 4);
}

static void sum(const struct filter *f, unsigned number, uint64_t *packets, uint64_t *bytes)
{
	*packets = f->line[number - 1].packets;
	*bytes = f->line[number - 1].bytes;
	for (unsigned w = 0; w < f->nworkers; w++) {
		*packets += __atomic_load_n(&f->count[w][number].packets, __ATOMIC_RELAXED);
		*bytes += __atomic_load_n(&f->count[w][number].bytes, __ATOMIC_RELAXED);
	}
}

bool filter_rule(const struct filter *f, unsigned number, struct filter_rule_info *out)
{
	const struct filter_line *l;

	if (!number || number > f->nlines)
		return false;
	l = &f->line[number - 1];
	*out = (struct filter_rule_info){
		.chain = l->chain->name,
		.hook = hook_name(l->chain->hook),
		.name = l->name,
		.file = l->file,
		.log_prefix = l->prefix,
		.priority = l->chain->priority,
		.policy = l->policy,
		.from_zones = l->chain->from_zones,
		.line = l->line,
	};
	copy(out->match, sizeof(out->match), l->match);
	copy(out->action, sizeof(out->action), l->action);
	sum(f, number, &out->packets, &out->bytes);
	return true;
}

/* ---- counters that go on */

/* A line by what it is: chain, name, content; not by its place, so that a rule put before it costs
 * it nothing. Of several that are the same, the first goes on as the first, and so forth. */
struct identity {
	uint64_t hash;
	unsigned number;
};

static uint64_t hash_text(uint64_t h, const char *text)
{
	do
		h = (h ^ (uint8_t)*text) *
		    0x100000001b3u; /* FNV-1a, the end of the text included */
	while (*text++);
	return h;
}

static bool same(const struct filter_line *a, const struct filter_line *b)
{
	return a->policy == b->policy && !strcmp(a->chain->name, b->chain->name) &&
	       !strcmp(a->name, b->name) && !strcmp(a->match, b->match) &&
	       !strcmp(a->action, b->action);
}

static int compare(const void *a, const void *b)
{
	const struct identity *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static struct identity *identities(const struct filter *f)
{
	struct identity *id = malloc((f->nlines + 1) * sizeof(*id));

	for (unsigned i = 0; id && i < f->nlines; i++) {
		const struct filter_line *l = &f->line[i];
		uint64_t h = hash_text(l->policy, l->chain->name);

		h = hash_text(hash_text(hash_text(h, l->name), l->match), l->action);
		id[i] = (struct identity){ h, i + 1 };
	}
	if (id)
		qsort(id, f->nlines, sizeof(*id), compare);
	return id;
}

void filter_carry_over(struct filter *f, const struct filter *old)
{
	struct identity *to = identities(f), *from = identities(old);
	unsigned i = 0, k = 0;

	while (to && from && i < f->nlines && k < old->nlines) {
		struct filter_line *l = &f->line[to[i].number - 1];

		if (to[i].hash != from[k].hash) {
			to[i].hash < from[k].hash ? i++ : k++;
			continue;
		}
		if (same(l, &old->line[from[k].number - 1]))
			sum(old, from[k].number, &l->packets, &l->bytes);
		i++;
		k++;
	}
	free(to); /* without memory, counters begin anew */
	free(from);
}
