/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer, as people or programs want it: render.c decides and prints JSON, table.c prints text.
 */
#ifndef ROUTER_CLI_RENDER_H
#define ROUTER_CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "router/lib/jsonw.h"

struct table;

struct render {
	FILE *out;
	bool json;
	bool single, endless;
	bool has_columns, started;
	struct table *table;   /* text */
	struct jsonw messages; /* JSON: of a command that has nothing else to say */
};

void render_init(struct render *r, FILE *out, bool json);
void render_header(struct render *r, const json_t *header);
void render_row(struct render *r, const json_t *row);
void render_message(struct render *r, const char *text);
void render_idle(struct render *r);	      /* nothing came for now */
void render_end(struct render *r, bool done); /* not done: an error ended it */

/* A row as -j shows it: of a nested value that brings a text for people, the value. A new
 * reference. */
json_t *row_plain(const json_t *row);

/* ---- table.c: aligned text. Rows wait until the widths are known: all of them, or the first 2000.
 */
struct table *table_create(FILE *out, const json_t *columns, bool single, bool endless);
void table_row(struct table *t, const json_t *row);
void table_flush(struct table *t); /* print what waits */
void table_destroy(struct table *t);

/* Prints text with what could steer a terminal replaced by "?". */
void print_safe(FILE *out, const char *text);

#endif
