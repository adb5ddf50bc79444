/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command's words ("show routes [table <table>] [for <ip>]") as a small machine that eats the
 * words somebody typed, one after the other, and tells at each point what it would eat next. The
 * matcher runs one for every command side by side. Private to command.c and its test. [any]
 */
#ifndef ROUTER_CTL_PATTERN_H
#define ROUTER_CTL_PATTERN_H

#include <stdbool.h>

#include "router/ctl/command.h"

#define PATTERN_TOKENS 40

struct token {
	const char *text; /* into command.words, `len` bytes, with the <> of an argument */
	unsigned char len;
	signed char part; /* the optional part it belongs to; -1: mandatory */
	signed char slot; /* index into request.arg; -1: a literal that is no value */
	bool argument;	  /* takes any word */
};

struct pattern {
	const struct command *cmd;
	unsigned ntokens, nleading; /* all, and the literals it begins with */
	struct token token[PATTERN_TOKENS];
	/* where it stands */
	unsigned next; /* the mandatory token to come; ntokens: none */
	int within;    /* the token to come of a part begun; -1: none */
	unsigned used; /* parts taken, a bit each */
	bool dead;     /* a word did not fit */
	const char *arg[COMMAND_ARGS];
};

/* false: the words are not well formed, too many, or have more values than COMMAND_ARGS. */
bool pattern_init(struct pattern *p, const struct command *cmd);

/* The tokens that may come next, as indices; how many. */
unsigned pattern_candidates(const struct pattern *p, unsigned idx[PATTERN_TOKENS]);

/* How a word fits a token; the better fit wins among all commands. */
enum fit { FIT_NONE, FIT_ARGUMENT, FIT_PREFIX, FIT_EXACT };
enum fit token_fit(const struct token *t, const char *word);

/* Eat word as token number t, one of the candidates. */
void pattern_take(struct pattern *p, unsigned t, const char *word);

/* Nothing is missing. */
bool pattern_complete(const struct pattern *p);

#endif
