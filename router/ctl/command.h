/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command table. A command is one row: its words, options, columns and a generator of rows. Text,
 * JSON, help, completion and the golden tests all come from that row. [control]
 */
#ifndef ROUTER_CTL_COMMAND_H
#define ROUTER_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct router; /* the running daemon: router/router.h */

enum column_kind { COL_TEXT, COL_NUMBER, COL_BYTES, COL_BOOL, COL_JSON /* nested, printed by `text` */ };

struct column {
	const char *key;   /* JSON key, lower_case */
	const char *title; /* heading in text; NULL: JSON only */
	enum column_kind kind;
	bool stats; /* shown in text with -s only */
	const char *help;
};

/* Where a generator puts one row. Values go in column order or by key; what is not set is null in JSON
 * and "-" in text. Strings are copied. */
struct row;
void row_text(struct row *r, const char *key, const char *value); /* NULL: null */
void row_textf(struct row *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void row_number(struct row *r, const char *key, int64_t value);
void row_unsigned(struct row *r, const char *key, uint64_t value);
void row_bool(struct row *r, const char *key, bool value);
void row_json(struct row *r, const char *key, json_t *value, const char *text); /* steals value */

/* What a command was called with. */
struct request {
	bool admin;		/* peer may change things */
	bool statistics;	/* -s */
	const char *arg[8];	/* values of the <arguments> in command.words, in order; NULL: not given */
};

enum { COMMAND_DONE = 0, COMMAND_MORE = 1 };

/* Resumable: called again with the same cursor (zeroed before the first call) until it no longer returns
 * COMMAND_MORE. Emits at most ~64 rows a call with emit(). A negative return (-ENOENT, -EINVAL ...) is a
 * refusal: exit status 1, with the text set by command_fail(). */
struct command_ctx;
struct row *command_row(struct command_ctx *c); /* begin a row; the previous one is complete */
int command_fail(struct command_ctx *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A plain line for people (text mode) that also is {"message": ...} in JSON, e.g. "reloaded". */
void command_message(struct command_ctx *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct cursor {
	uint64_t i, j, k;
	void *data; /* freed by free(3) when the client goes or the command ends */
};
typedef int command_fn(struct router *r, const struct request *q, struct cursor *cur,
		       struct command_ctx *c);

struct command {
	/* Words: literals, <arguments> and [optional parts]; e.g. "show routes [table <table>] [for <ip>]".
	 * Optional parts may come in any order. Unique prefixes of literals are accepted, as in ip(8). */
	const char *words;
	const char *help;
	const struct column *columns; /* ends with key NULL */
	command_fn *run;
	bool admin;  /* changes something: refused to read-only peers */
	bool single; /* one object rather than an array in -j, "key value" lines in text */
	bool wait;   /* the answer may come later (reload --wait) */
};
extern const struct command command_table[]; /* ends with words NULL; defined in commands.c */

/* Command matching, for the server, help and completion. */
const struct command *command_match(const struct command *table, const char *const *words, unsigned n,
				    struct request *q, char *why, size_t size);

#endif
