// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The schema's rows are sound, and everything made of them, or beside them, names the same keys:
 * the annotated example, the JSON Schema, the reference text. Then the words of "did you mean". Run
 * from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "config/schema.h"
#include "config/text.h"
#include "config/value.h"
#include "tests/unit/conf_util.h"

/* ---- the table, the example, the JSON Schema */

static bool names_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = strstr(text, key); p; p = strstr(p + 1, key))
		if (p[n] == ':' && p > text && strchr(" {\n", p[-1]))
			return true;
	return false;
}

static void test_example_mentions_every_key(void **state)
{
	char *text = file_text("config/router.yaml");
	unsigned missing = 0;
	(void)state;

	for (unsigned i = 1; i < schema_nrows; i++) {
		const char *path = schema_rows[i].path, *dot = strrchr(path, '.');
		const char *key = dot ? dot + 1 : path;
		if (strpbrk(key, "*[") || schema_rows[i].alias)
			continue;
		if (!names_key(text, key)) {
			print_error("config/router.yaml does not mention %s\n", path);
			missing++;
		}
	}
	free(text);
	assert_int_equal(missing, 0);
}

/* Every row has a container before it, a text for people, and a default that is its own text. */
static void test_rows_are_sound(void **state)
{
	struct value_error e;
	char buf[VALUE_TEXT_MAX];
	_Alignas(max_align_t) char field[512] = { 0 };
	(void)state;

	for (unsigned i = 1; i < schema_nrows; i++) {
		const struct schema_row *row = &schema_rows[i];
		assert_ptr_equal(schema_find(row->path), row); /* no path twice */
		assert_true(strlen(row->path) < 60 && row->doc[0]);
		assert_true(row->type != SCHEMA_ENUM || row->words);
		bool owned = false;
		for (unsigned j = 0; j < i; j++)
			owned |= schema_key_under(row, &schema_rows[j]) ||
				 ((schema_rows[j].type == SCHEMA_NAMED ||
				   schema_rows[j].type == SCHEMA_LIST) &&
				  schema_element(&schema_rows[j]) == row);
		assert_true(owned);
		if (!row->fallback)
			continue;
		assert_int_equal(value_parse(row, row->fallback, field, &e), 0);
		assert_string_equal(value_format(row, field, buf), row->fallback);
	}
}

/* What `schema` says of a key; it may be one of several things that a value may be. */
static json_t *json_step(json_t *schema, const char *keyword, const char *key)
{
	json_t *found = json_object_get(schema, keyword);
	size_t i;
	json_t *other;

	if (found && key)
		found = json_object_get(found, key);
	json_array_foreach(json_object_get(schema, "anyOf"), i, other)
		if (!found)
			found = json_step(other, keyword, key);
	return found;
}

/* Follow a row's path through the JSON Schema. */
static json_t *json_find(json_t *schema, const char *path)
{
	char step[64];

	while (schema && *path) {
		size_t n = strcspn(path, ".[");
		if (*path == '*' || *path == '[') {
			schema = json_step(schema, *path == '*' ? "additionalProperties" : "items",
					   NULL);
			path += *path == '*' ? 1 : 2;
		} else {
			snprintf(step, sizeof(step), "%.*s", (int)n, path);
			schema = json_step(schema, "properties", step);
			path += n;
		}
		path += *path == '.';
	}
	return schema;
}

static void test_json_schema(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_error_t error;
	(void)state;

	assert_int_equal(conf_schema_json(out), 0);
	fclose(out);
	json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!schema)
		fail_msg("line %d: %s", error.line, error.text);
	for (unsigned i = 0; i < schema_nrows; i++) {
		const json_t *found = json_find(schema, schema_rows[i].path);
		if (!found)
			fail_msg("the JSON Schema lacks %s", schema_rows[i].path);
		assert_string_equal(json_string_value(json_object_get(found, "description")),
				    schema_rows[i].doc);
	}
	const json_t *mtu = json_find(schema, "interfaces.*.mtu");
	assert_int_equal(json_integer_value(json_object_get(mtu, "maximum")), 65535);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(schema, "required"), 0)),
		"version");
	json_decref(schema);
	free(text);
}

static void test_schema_text_names_every_key(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	(void)state;

	conf_schema_print(out);
	fclose(out);
	for (unsigned i = 1; i < schema_nrows; i++)
		assert_non_null(strstr(text, schema_rows[i].path));
	assert_non_null(strstr(
		text,
		"router.xdp.ring-size\n    number 64..32768, a power of two; default 2048\n"));
	free(text);
}

/* ---- words */

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance("masqurade", "masquerade"), 1);
	assert_int_equal(text_distance("adrdesses", "addresses"), 1); /* neighbours swapped */
	assert_int_equal(text_distance("", "mtu"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("same", "same"), 0);
}

static void test_guess(void **state)
{
	struct text_guess g = { .written = "mtuu" };
	struct text_guess none = { .written = "zones" };
	(void)state;

	text_guess_add(&g, "match");
	text_guess_add(&g, "mtu");
	text_guess_add(&g, "queues");
	assert_string_equal(g.best, "mtu");
	text_guess_add(&none, "routing");
	text_guess_add(&none, "router");
	assert_null(none.best);
}

static void test_quote(void **state)
{
	char buf[TEXT_QUOTE_MAX], long_word[200];
	(void)state;

	memset(long_word, 'x', sizeof(long_word));
	long_word[199] = '\0';
	assert_string_equal(text_quote("a\x1b[31m\xff", buf), "\"a?[31m?\"");
	assert_true(strlen(text_quote(long_word, buf)) < TEXT_QUOTE_MAX);
	assert_non_null(strstr(buf, "...\""));
	assert_string_equal(text_quote("\xc3\xa4", buf), "\"\xc3\xa4\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_mentions_every_key),
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_schema_text_names_every_key),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
