/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command table. A command is one row: its words, options, columns and a generator of rows.
 * Text, JSON, help, completion and the golden tests all come from that row. [control]
 */
#ifndef ROUTER_CTL_COMMAND_H
#define ROUTER_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_ARGS 20

struct router; /* the running daemon: router/router.h */

enum column_kind {
	COL_TEXT,
	COL_NUMBER,
	COL_BYTES,
	COL_BOOL,
	COL_JSON /* nested, printed by `text` */
};

struct column {
	const char *key;   /* JSON key, lower_case */
	const char *title; /* heading in text; NULL: JSON only; "" where it is the only one: the
			      bare value */
	enum column_kind kind;
	bool stats; /* shown in text with -s only */
	const char *help;
};

/* Where a generator puts one row. Values go in column order or by key; what is not set is null in
 * JSON and "-" in text. Strings are copied. */
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
	bool admin;	 /* peer may change things */
	bool statistics; /* -s */
	bool numeric;	 /* -n */
	bool stopping; /* the client of an endless command wants no more: say the last word, end */
	const char *cwd; /* where the client stands, for relative file names; absolute, or NULL */
	/* Values in the order of command.words; NULL: not given. Every <argument> has a place, and
	 * so has every optional part without one ("[--expanded]"), whose value is its own text. */
	const char *arg[COMMAND_ARGS];
};

/* MORE: call again, at the latest when the client has read on. IDLE: nothing now; call again in 100
 * ms, or after server_wake(). */
enum { COMMAND_DONE = 0, COMMAND_MORE = 1, COMMAND_IDLE = 2 };

/* Resumable: called again with the same cursor (zeroed before the first call) until it returns
 * neither COMMAND_MORE nor COMMAND_IDLE. Emits some ROWS_A_CALL at most. A negative return
 * (-ENOENT, -EINVAL ...) is a refusal: exit status 1, with the text set by command_fail(). */
#define ROWS_A_CALL 64
struct command_ctx;
struct row *command_row(struct command_ctx *c); /* begin a row; the previous one is complete */
int command_fail(struct command_ctx *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A plain line for people (text mode) that also is {"message": ...} in JSON, e.g. "reloaded". */
void command_message(struct command_ctx *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Finish later. A `wait` command that cannot answer yet calls command_defer() and returns
 * COMMAND_DONE; exactly one command_finish() must follow, from the loop or at once. err 0: done,
 * with text (or NULL) as the message; negative: refused, with text or the error's name. The client
 * may have gone meanwhile. */
struct pending;
struct pending *command_defer(struct command_ctx *c); /* NULL: no memory */
void command_finish(struct pending *p, int err, const char *text);

struct cursor {
	uint64_t i, j, k;
	void *data;		     /* given to release when the client goes or the command ends */
	void (*release)(void *data); /* NULL: free(3) */
};
typedef int command_fn(struct router *r, const struct request *q, struct cursor *cur,
		       struct command_ctx *c);

struct command {
	/* Words: literals, <arguments> and [optional parts]; e.g. "show routes [table <table>] [for
	 * <ip>]". Optional parts may come in any order, those that begin with "-" anywhere after
	 * the first literals. Unique prefixes of literals are accepted, as in ip(8). At most
	 * COMMAND_ARGS values. */
	const char *words;
	const char *help;
	const struct column *columns; /* ends with key NULL */
	command_fn *run;
	bool admin;   /* changes something: refused to read-only peers */
	bool single;  /* one object rather than an array in -j, "key value" lines in text */
	bool wait;    /* the answer may come later (reload --wait) */
	bool endless; /* events as they come, until the client has enough: may return COMMAND_IDLE
		       */
};
extern const struct command command_table[]; /* ends with words NULL; defined in commands.c */

/* Command matching, for the server, help and completion. NULL: no command, and `why` says so, with
 * the words that would do. On success the arguments in *q point into words; the rest of *q is
 * untouched. */
#define COMMAND_WHY 512
const struct command *command_match(const struct command *table, const char *const *words,
				    unsigned n, struct request *q, char *why, size_t size);

/* What may stand where the last of n words stands, given those before it and its beginning:
 * literals, and "<argument>"s as written in the table. Each once. */
typedef void command_word_fn(void *arg, const char *word, const char *help);
void command_complete(const struct command *table, const char *const *words, unsigned n,
		      command_word_fn *fn, void *arg);

#endif
