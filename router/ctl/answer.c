/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See answer.h; command_* and row_* are the generators' side of it, described in command.h. */
#include "router/ctl/answer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_name(enum column_kind kind)
{
	static const char *const names[] = {
		[COL_TEXT] = "text", [COL_NUMBER] = "number", [COL_BYTES] = "bytes",
		[COL_BOOL] = "bool", [COL_JSON] = "json",
	};

	return names[kind];
}

void answer_begin(struct command_ctx *c, const struct command *table, const struct command *cmd,
		  struct jsonw *out, bool statistics)
{
	*c = (struct command_ctx){ .table = table, .cmd = cmd, .out = out };
	c->row.columns = cmd->columns;

	jsonw_raw(out, "{\"columns\":[");
	for (const struct column *k = cmd->columns; k && k->key; k++) {
		jsonw_raw(out, k == cmd->columns ? "{\"key\":" : ",{\"key\":");
		jsonw_string(out, k->key);
		jsonw_raw(out, ",\"title\":");
		jsonw_string(out, k->stats && !statistics ? NULL : k->title);
		jsonw_printf(out, ",\"kind\":\"%s\"}", kind_name(k->kind));
		c->row.ncolumns++;
	}
	assert(c->row.ncolumns <= ANSWER_COLUMNS);
	jsonw_printf(out, "],\"single\":%s,\"endless\":%s}\n", cmd->single ? "true" : "false",
		     cmd->endless ? "true" : "false");
}

/* Write the row under way, with null for what was not set. */
static void close_row(struct command_ctx *c)
{
	struct row *r = &c->row;

	if (!r->open)
		return;
	r->open = false;
	if (r->scratch.failed)
		c->out->failed = true;
	jsonw_raw(c->out, "{\"row\":{");
	for (unsigned i = 0; i < r->ncolumns; i++) {
		if (i)
			jsonw_raw(c->out, ",");
		jsonw_string(c->out, r->columns[i].key);
		jsonw_raw(c->out, ":");
		if (r->value[i].len)
			jsonw_append(c->out, jsonw_bytes(&r->scratch) + r->value[i].at,
				     r->value[i].len);
		else
			jsonw_raw(c->out, "null");
	}
	jsonw_raw(c->out, "}}\n");
	jsonw_truncate(&r->scratch, 0);
}

void answer_pause(struct command_ctx *c)
{
	close_row(c);
}

void answer_line_end(struct jsonw *out, int end, const char *text)
{
	jsonw_printf(out, "{\"end\":%d", end);
	if (text) {
		jsonw_raw(out, ",\"error\":");
		jsonw_string(out, text);
	}
	jsonw_raw(out, "}\n");
}

void answer_end(struct command_ctx *c, int err)
{
	close_row(c);
	if (err >= 0)
		answer_line_end(c->out, END_DONE, NULL);
	else
		answer_line_end(c->out, END_REFUSED, c->error ? c->error : strerror(-err));
}

void answer_fini(struct command_ctx *c)
{
	jsonw_fini(&c->row.scratch);
	free(c->error);
	*c = (struct command_ctx){ 0 };
}

/* ---- the generators' side */
struct row *command_row(struct command_ctx *c)
{
	close_row(c);
	memset(c->row.value, 0, c->row.ncolumns * sizeof(c->row.value[0]));
	c->row.open = true;
	return &c->row;
}

int command_fail(struct command_ctx *c, int err, const char *fmt, ...)
{
	va_list ap;

	free(c->error);
	va_start(ap, fmt);
	if (vasprintf(&c->error, fmt, ap) < 0)
		c->error = NULL;
	va_end(ap);
	return err < 0 ? err : -err;
}

void command_message(struct command_ctx *c, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	close_row(c);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		c->out->failed = true;
		return;
	}
	jsonw_raw(c->out, "{\"message\":");
	jsonw_string(c->out, text);
	jsonw_raw(c->out, "}\n");
	free(text);
}

/* A value begins: its column's index. A key that is no column is a mistake in the generator. */
static unsigned begin_value(struct row *r, const char *key)
{
	unsigned i = 0;

	while (i < r->ncolumns && strcmp(r->columns[i].key, key) != 0)
		i++;
	assert(r->open && i < r->ncolumns);
	r->value[i].at = (uint32_t)r->scratch.len;
	return i;
}

static void end_value(struct row *r, unsigned i)
{
	r->value[i].len = (uint32_t)r->scratch.len - r->value[i].at;
}

void row_text(struct row *r, const char *key, const char *value)
{
	unsigned i = begin_value(r, key);

	jsonw_string(&r->scratch, value);
	end_value(r, i);
}

void row_textf(struct row *r, const char *key, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		r->scratch.failed = true;
		return;
	}
	row_text(r, key, text);
	free(text);
}

void row_number(struct row *r, const char *key, int64_t value)
{
	unsigned i = begin_value(r, key);

	jsonw_printf(&r->scratch, "%" PRId64, value);
	end_value(r, i);
}

/* JSON integers of most readers end at 2^63 - 1; counters that large saturate rather than wrap. */
void row_unsigned(struct row *r, const char *key, uint64_t value)
{
	row_number(r, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void row_bool(struct row *r, const char *key, bool value)
{
	unsigned i = begin_value(r, key);

	jsonw_raw(&r->scratch, value ? "true" : "false");
	end_value(r, i);
}

void row_json(struct row *r, const char *key, json_t *value, const char *text)
{
	unsigned i = begin_value(r, key);
	const size_t how = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9);
	char *json = value ? json_dumps(value, how) : NULL;

	jsonw_raw(&r->scratch, "{\"json\":");
	jsonw_raw(&r->scratch, json ? json : "null");
	jsonw_raw(&r->scratch, ",\"text\":");
	jsonw_string(&r->scratch, text);
	jsonw_raw(&r->scratch, "}");
	end_value(r, i);
	free(json);
	json_decref(value);
}
