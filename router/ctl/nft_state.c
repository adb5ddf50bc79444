// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table as Linux has it, out of `nft -j list table`: counters, and elements of sets. See
 * nft_internal.h.
 *
 * It comes from the kernel by way of a library, yet nothing is taken for granted: what does not
 * look as expected is left out.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Objects of one kind in {"nftables": [{"counter": {...}}, ...]}, from *at on; NULL: no more. */
static json_t *next_object(const json_t *root, const char *kind, size_t *at)
{
	json_t *list = json_object_get(root, "nftables");

	while (*at < json_array_size(list)) {
		json_t *o = json_object_get(json_array_get(list, (*at)++), kind);

		if (o)
			return o;
	}
	return NULL;
}

int nft_state_counters(const char *json, struct nft_rule *rules, unsigned n)
{
	json_t *root = json_loads(json, 0, NULL), *o;

	if (!root)
		return -EINVAL;
	for (size_t at = 0; (o = next_object(root, "counter", &at));) {
		const char *name = json_string_value(json_object_get(o, "name"));
		unsigned number;

		if (!name || sscanf(name, "rule-%u", &number) != 1 || !number || number > n)
			continue;
		rules[number - 1].packets =
			(uint64_t)json_integer_value(json_object_get(o, "packets"));
		rules[number - 1].bytes = (uint64_t)json_integer_value(json_object_get(o, "bytes"));
	}
	json_decref(root);
	return 0;
}

/* ---- elements */

static bool is_plain(const json_t *v)
{
	return json_is_integer(v) || json_is_string(v);
}

/* A value, {"prefix": {"addr": value, "len": n}}, or {"range": [value, value]}. */
static bool is_part(const json_t *v)
{
	const json_t *prefix = json_object_get(v, "prefix"), *range = json_object_get(v, "range");

	if (prefix)
		return json_is_string(json_object_get(prefix, "addr")) &&
		       json_is_integer(json_object_get(prefix, "len"));
	if (range)
		return json_array_size(range) == 2 && is_plain(json_array_get(range, 0)) &&
		       is_plain(json_array_get(range, 1));
	return is_plain(v);
}

static void put_value(const json_t *v, enum conf_field type, FILE *f)
{
	if (json_is_integer(v))
		fprintf(f, "%lld", (long long)json_integer_value(v));
	else if (type == CONF_FIELD_INTERFACE)
		fprintf(f, "\"%s\"", json_string_value(v));
	else
		fputs(json_string_value(v), f);
}

static void put_part(const json_t *v, enum conf_field type, FILE *f)
{
	const json_t *prefix = json_object_get(v, "prefix"), *range = json_object_get(v, "range");

	if (prefix) {
		put_value(json_object_get(prefix, "addr"), type, f);
		fprintf(f, "/%lld", (long long)json_integer_value(json_object_get(prefix, "len")));
	} else if (range) {
		put_value(json_array_get(range, 0), type, f);
		fputc('-', f);
		put_value(json_array_get(range, 1), type, f);
	} else {
		put_value(v, type, f);
	}
}

/* A part, or {"concat": [part, ...]}. */
static bool is_whole(const json_t *val, const struct conf_set *s)
{
	const json_t *parts = json_object_get(val, "concat");

	if (!parts)
		return s->ntypes == 1 && is_part(val);
	for (size_t i = 0; i < json_array_size(parts); i++)
		if (!is_part(json_array_get(parts, i)))
			return false;
	return json_array_size(parts) == s->ntypes;
}

static void put_element(const json_t *e, const struct conf_set *s, FILE *f)
{
	const json_t *inner = json_object_get(e, "elem");
	const json_t *val = inner ? json_object_get(inner, "val") : e;
	const json_t *parts = json_object_get(val, "concat");
	json_int_t timeout = json_integer_value(json_object_get(inner, "timeout"));
	json_int_t expires = json_integer_value(json_object_get(inner, "expires"));

	for (unsigned k = 0; k < s->ntypes; k++) {
		fputs(k ? " . " : "", f);
		put_part(parts ? json_array_get(parts, k) : val, s->type[k], f);
	}
	if (timeout > 0)
		fprintf(f, " timeout %llds", (long long)timeout);
	if (expires > 0)
		fprintf(f, " expires %llds", (long long)expires);
}

static void put_elements(const json_t *list, const char *name, const struct conf_set *s,
			 struct nft_text *t)
{
	unsigned n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i), *inner = json_object_get(e, "elem");

		if (!is_whole(inner ? json_object_get(inner, "val") : e, s))
			continue;
		if (n++)
			fputs(", ", t->out);
		else
			fprintf(t->out, "add element inet %s %s { ", t->table, name);
		put_element(e, s, t->out);
	}
	if (n) {
		fputs(" }", t->out);
		nft_line_end(t);
	}
}

void nft_state_elements(const char *json, const char *name, const struct conf_set *s,
			struct nft_text *t)
{
	json_t *root = json_loads(json, 0, NULL), *o;

	for (size_t at = 0; root && (o = next_object(root, "set", &at));) {
		const char *its = json_string_value(json_object_get(o, "name"));

		if (its && !strcmp(its, name))
			put_elements(json_object_get(o, "elem"), name, s, t);
	}
	json_decref(root);
}
