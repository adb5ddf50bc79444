/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements in words from outside: the first byte says the type, each line is an element to add, or
 * after "-" to take away. What is printed of a set parses to the same element; what was added can
 * be taken away again, and then the set is empty.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/set_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1000u

static const struct {
	unsigned n;
	enum conf_field type[CONF_FIELDS_MAX];
} types[] = {
	{ 1, { CONF_FIELD_ADDRESS } },
	{ 1, { CONF_FIELD_PREFIX } },
	{ 1, { CONF_FIELD_PORT } },
	{ 1, { CONF_FIELD_INTERFACE } },
	{ 1, { CONF_FIELD_PROTO } },
	{ 1, { CONF_FIELD_MARK } },
	{ 2, { CONF_FIELD_ADDRESS, CONF_FIELD_PORT } },
	{ 2, { CONF_FIELD_PREFIX, CONF_FIELD_PORT } },
	{ 4, { CONF_FIELD_PORT, CONF_FIELD_PREFIX, CONF_FIELD_PROTO, CONF_FIELD_MARK } },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static bool same(const struct set *s, const char *a, const char *b)
{
	struct conf_element ea, eb;
	uint64_t wa[SET_FLAT], wb[SET_FLAT];
	char why[200];
	unsigned n;

	if (set_parse(s, a, &ea, why, sizeof(why)) || set_parse(s, b, &eb, why, sizeof(why)))
		return false;
	n = set_flatten(s, &ea, wa);
	set_flatten(s, &eb, wb);
	return !memcmp(wa, wb, n * sizeof(wa[0]));
}

static bool holds(const struct set *s, const char *line)
{
	uint64_t cursor = 0;
	char text[SET_ELEMENT_STRLEN];
	uint32_t left;
	bool dynamic;

	while (set_walk(s, &cursor, NOW, text, sizeof(text), &left, &dynamic))
		if (same(s, text, line))
			return true;
	return false;
}

static void one(struct set *s, const char *line)
{
	char why[200] = "";
	int err;

	if (line[0] == '-') {
		err = set_del_text(s, line + 1, why, sizeof(why));
		assert(err || !holds(s, line + 1));
		assert(set_find_text(s, line + 1, NOW, why, sizeof(why)) == (err ? err : -ENOENT));
	} else {
		err = set_add_text(s, line, 0, NOW, why, sizeof(why));
		assert(err || holds(s, line));
		assert(err || !set_find_text(s, line, NOW, why, sizeof(why)));
	}
	assert(!err || why[0]);
}

static void empty(struct sets *sets, struct set *s)
{
	char text[SET_ELEMENT_STRLEN], why[200];
	struct set_info info;
	uint64_t cursor = 0;
	uint32_t left;
	bool dynamic;

	while (set_walk(s, &cursor, NOW, text, sizeof(text), &left, &dynamic))
		assert(!set_del_text(s, text, why, sizeof(why)));
	cursor = 0;
	sets_walk(sets, &cursor, &info);
	assert(info.elements == 0);
	for (unsigned i = 0; i < s->nshapes; i++)
		assert(!s->live[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_set c = { .name = "s", .size = 20 };
	struct conf conf = { .sets = &c, .nsets = 1 };
	struct names names = { 0 };
	char *text, *line, *rest, why[200];
	struct sets *sets;

	if (!size || size > 4096 || sets_create(&names, &sets))
		return 0;
	c.ntypes = types[data[0] % TYPES].n;
	memcpy(c.type, types[data[0] % TYPES].type, sizeof(c.type));
	if (sets_follow(sets, &conf, why, sizeof(why)))
		abort();
	text = rest = strndup((const char *)data + 1, size - 1);
	while (rest && (line = strsep(&rest, "\n")))
		one(sets_find(sets, "s"), line);
	empty(sets, sets_find(sets, "s"));
	free(text);
	sets_destroy(sets);
	names_fini(&names);
	return 0;
}
