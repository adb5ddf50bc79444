/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer to one command, as JSON lines into a buffer: the columns, the rows as the generator
 * makes them, messages, the end. A row's values wait in a scratch buffer until the next row begins,
 * so that they can be set in any order and come out in the order of the columns. [control]
 */
#ifndef ROUTER_CTL_ANSWER_H
#define ROUTER_CTL_ANSWER_H

#include "router/ctl/command.h"
#include "router/lib/jsonw.h"

#define ANSWER_COLUMNS 64

enum { END_DONE = 0, END_REFUSED = 1, END_USAGE = 2 };

struct row {
	const struct column *columns;
	unsigned ncolumns;
	bool open;
	struct jsonw scratch; /* the values, one after the other */
	struct {
		uint32_t at, len; /* len 0: not set */
	} value[ANSWER_COLUMNS];
};

struct peer;
struct command_ctx {
	const struct command *table; /* where cmd was found */
	const struct command *cmd;
	struct jsonw *out;
	struct peer *peer;	 /* whom command_defer() holds; NULL: nobody */
	struct pending *pending; /* set by command_defer() */
	struct row row;
	char *error; /* set by command_fail() */
};

/* Writes the columns. out and table must last until answer_fini(). */
void answer_begin(struct command_ctx *c, const struct command *table, const struct command *cmd,
		  struct jsonw *out, bool statistics);
/* What was said so far is complete: the row under way goes out with it. */
void answer_pause(struct command_ctx *c);
/* The last row and the end line; err as the generator returned it. */
void answer_end(struct command_ctx *c, int err);
void answer_fini(struct command_ctx *c);

/* The last line of an answer, alone when nothing was begun; text NULL: none. */
void answer_line_end(struct jsonw *out, int end, const char *text);

#endif
