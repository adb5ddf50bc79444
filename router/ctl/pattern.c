/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pattern.h. */
#include "router/ctl/pattern.h"

#include <stddef.h>
#include <string.h>

/* The first mandatory token from t on. */
static unsigned mandatory(const struct pattern *p, unsigned t)
{
	while (t < p->ntokens && p->token[t].part >= 0)
		t++;
	return t;
}

/* One word of command.words, without its brackets. */
static bool add_token(struct pattern *p, const char *text, size_t len, int part)
{
	if (!len || len > 127 || p->ntokens == PATTERN_TOKENS)
		return false;
	p->token[p->ntokens++] = (struct token){
		.text = text,
		.len = (unsigned char)len,
		.part = (signed char)part,
		.slot = -1,
		.argument = len > 2 && text[0] == '<' && text[len - 1] == '>',
	};
	return true;
}

static bool split(struct pattern *p, const char *s)
{
	int part = -1, parts = 0;

	while (*(s += strspn(s, " "))) {
		size_t len = strcspn(s, " []");

		if (*s == '[') {
			if (part >= 0 || parts == 31)
				return false;
			part = parts++;
			s++;
		} else if (*s == ']') {
			if (part < 0)
				return false;
			part = -1;
			s++;
		} else if (add_token(p, s, len, part)) {
			s += len;
		} else {
			return false;
		}
	}
	return part < 0;
}

static bool part_has_argument(const struct pattern *p, int part)
{
	for (unsigned t = 0; t < p->ntokens; t++)
		if (p->token[t].part == part && p->token[t].argument)
			return true;
	return false;
}

static bool is_head(const struct pattern *p, unsigned t)
{
	return p->token[t].part >= 0 && (t == 0 || p->token[t - 1].part != p->token[t].part);
}

static bool number_slots(struct pattern *p)
{
	int slot = 0;

	for (unsigned t = 0; t < p->ntokens; t++) {
		struct token *k = &p->token[t];

		if (k->argument || (is_head(p, t) && !part_has_argument(p, k->part)))
			k->slot = (signed char)slot++;
	}
	return slot <= COMMAND_ARGS;
}

bool pattern_init(struct pattern *p, const struct command *cmd)
{
	*p = (struct pattern){ .cmd = cmd, .within = -1 };
	if (!split(p, cmd->words) || !number_slots(p))
		return false;
	while (p->nleading < p->ntokens && p->token[p->nleading].part < 0 &&
	       !p->token[p->nleading].argument)
		p->nleading++;
	return p->nleading > 0;
}

unsigned pattern_candidates(const struct pattern *p, unsigned idx[PATTERN_TOKENS])
{
	unsigned n = 0;

	if (p->dead)
		return 0;
	if (p->within >= 0) {
		idx[0] = (unsigned)p->within;
		return 1;
	}
	if (p->next < p->ntokens)
		idx[n++] = p->next;
	for (unsigned t = 0; t < p->ntokens && p->next >= p->nleading; t++) {
		const struct token *k = &p->token[t];

		if (!is_head(p, t) || p->used & 1u << k->part)
			continue;
		if (t < p->next || k->text[0] == '-')
			idx[n++] = t;
	}
	return n;
}

enum fit token_fit(const struct token *t, const char *word)
{
	size_t len = strlen(word);

	if (t->argument) /* "-" alone and negative numbers are values, "--confrim" is a typing error
			  */
		return strncmp(word, "--", 2) == 0 ? FIT_NONE : FIT_ARGUMENT;
	if (len > t->len || strncmp(t->text, word, len) != 0)
		return FIT_NONE;
	if (len == t->len)
		return FIT_EXACT;
	return strspn(word, "-") < len ? FIT_PREFIX : FIT_NONE;
}

void pattern_take(struct pattern *p, unsigned t, const char *word)
{
	const struct token *k = &p->token[t];

	if (k->slot >= 0)
		p->arg[k->slot] = word;
	if (k->part < 0) {
		p->next = mandatory(p, t + 1);
		return;
	}
	p->used |= 1u << k->part;
	p->within = t + 1 < p->ntokens && p->token[t + 1].part == k->part ? (int)t + 1 : -1;
}

bool pattern_complete(const struct pattern *p)
{
	return !p->dead && p->within < 0 && p->next >= p->ntokens;
}
