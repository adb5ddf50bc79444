/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See render.h. JSON leaves as it comes: an array of a million rows is never held. */
#include "router/cli/render.h"

#include <stdlib.h>

void render_init(struct render *r, FILE *out, bool json)
{
	*r = (struct render){ .out = out, .json = json };
}

void render_header(struct render *r, const json_t *header)
{
	const json_t *columns = json_object_get(header, "columns");

	r->single = json_is_true(json_object_get(header, "single"));
	r->endless = json_is_true(json_object_get(header, "endless"));
	r->has_columns = json_array_size(columns) > 0;
	if (!r->json && r->has_columns)
		r->table = table_create(r->out, columns, r->single, r->endless);
}

json_t *row_plain(const json_t *row)
{
	json_t *plain = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)row, key, value) {
		json_t *nested = json_object_get(value, "json");

		json_object_set(plain, key, nested ? nested : value);
	}
	return plain;
}

static void json_row(struct render *r, const json_t *row)
{
	json_t *plain = row_plain(row);

	if (!r->single)
		fputs(r->started ? ",\n" : "[\n", r->out);
	json_dumpf(plain, r->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(plain);
	r->started = true;
}

void render_row(struct render *r, const json_t *row)
{
	if (r->json)
		json_row(r, row);
	else if (r->table)
		table_row(r->table, row);
}

void render_message(struct render *r, const char *text)
{
	if (r->json && !r->has_columns) {
		if (r->messages.len)
			jsonw_raw(&r->messages, "\n");
		jsonw_raw(&r->messages, text);
		return;
	}
	if (r->table)
		table_flush(r->table);
	print_safe(r->json ? stderr : r->out, text);
	fputc('\n', r->json ? stderr : r->out);
}

void render_idle(struct render *r)
{
	if (r->table && r->endless)
		table_flush(r->table);
	fflush(r->out);
}

static void json_message(struct render *r)
{
	json_t *text = json_stringn(jsonw_bytes(&r->messages), r->messages.len);
	json_t *object = json_pack("{s:o}", "message", text);

	json_dumpf(object, r->out, JSON_COMPACT);
	json_decref(object);
	fputc('\n', r->out);
}

static void json_end(struct render *r, bool done)
{
	if (!r->has_columns) {
		if (r->messages.len || done)
			json_message(r);
	} else if (r->single) {
		fputs(r->started ? "\n" : "", r->out);
	} else if (r->started) {
		fputs("\n]\n", r->out);
	} else if (done) {
		fputs("[]\n", r->out);
	}
}

void render_end(struct render *r, bool done)
{
	if (r->json)
		json_end(r, done);
	if (r->table)
		table_destroy(r->table);
	r->table = NULL;
	jsonw_fini(&r->messages);
	fflush(r->out);
}
