// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Elements of sets: a word for each of the set's types, with " . " between them, as in nftables.
 */
#include <errno.h>
#include <string.h>

#include "config/text.h"
#include "config/value_parts.h"

enum { PART_MAX = 2 * ADDR_STRLEN };
static_assert(VALUE_ELEMENT_MAX > CONF_FIELDS_MAX * (PART_MAX + 3), "an element is printed whole");

static int parse_address(const char *text, struct conf_element_field *f, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	struct conf_range range;
	struct value_error unused;

	if (!addr_parse(text, &f->first)) {
		f->last = f->first;
		return 0;
	}
	if (!value_range(text, &range, &unused))
		value_help(e, "a set with type: prefix takes prefixes and ranges");
	return value_wrong(e, "%s is not an address", text_quote(text, word));
}

static int parse_prefix(const char *text, struct conf_element_field *f, struct value_error *e)
{
	struct conf_range range = { 0 };
	int err = value_range(text, &range, e);

	if (!err) {
		f->first = range.first;
		f->last = range.last;
	}
	return err;
}

static int parse_port(const char *text, struct conf_element_field *f, struct value_error *e)
{
	struct conf_port_range range = { 0 };
	int err = value_ports(text, &range, e);

	f->low = range.first;
	f->high = range.last;
	return err;
}

static int parse_interface(const char *text, struct conf_element_field *f, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (!value_netdev_valid(text))
		return value_wrong(e, "%s cannot be the name of an interface",
				   text_quote(text, word));
	strcpy(f->name, text);
	return 0;
}

static int parse_proto(const char *text, struct conf_element_field *f, struct value_error *e)
{
	const struct schema_row row = { .words = schema_protos };
	char word[TEXT_QUOTE_MAX];
	uint64_t n;

	if (!value_find_word(&row, text, &f->low)) {
		value_suggest_word(&row, text, e);
		if (!value_digits(text, &n))
			return value_wrong(e, "%s is not a protocol", text_quote(text, word));
		f->low = n > 255 ? 256 : (uint32_t)n;
	}
	f->high = f->low;
	return f->low > 255 ? value_wrong(e, "%s is not one protocol", text_quote(text, word)) : 0;
}

static int parse_mark(const char *text, struct conf_element_field *f, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (value_number(text, &f->low) < 0)
		return value_wrong(e, "%s is not a mark like 0x10", text_quote(text, word));
	f->high = f->low;
	return 0;
}

static int (*const parsers[])(const char *, struct conf_element_field *, struct value_error *) = {
	[CONF_FIELD_ADDRESS] = parse_address, [CONF_FIELD_PREFIX] = parse_prefix,
	[CONF_FIELD_PORT] = parse_port,	      [CONF_FIELD_INTERFACE] = parse_interface,
	[CONF_FIELD_PROTO] = parse_proto,     [CONF_FIELD_MARK] = parse_mark,
};

/* The parts between " . "; 0: there are too many, or one is too long. */
static unsigned split(const char *text, char parts[CONF_FIELDS_MAX][PART_MAX])
{
	unsigned n = 0;

	for (const char *end; text; text = end ? end + 3 : NULL) {
		end = strstr(text, " . ");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		if (n == CONF_FIELDS_MAX || len >= PART_MAX)
			return 0;
		memcpy(parts[n], text, len);
		parts[n++][len] = '\0';
	}
	return n;
}

int value_parse_element(const struct conf_set *set, const char *text, struct conf_element *element,
			struct value_error *e)
{
	struct conf_element parsed = { .timeout_s = element->timeout_s };
	char parts[CONF_FIELDS_MAX][PART_MAX], word[TEXT_QUOTE_MAX];

	*e = (struct value_error){ 0 };
	if (split(text, parts) != set->ntypes) {
		if (set->ntypes > 1)
			value_help(e, "write [a, b], or \"a . b\", with %u parts", set->ntypes);
		return value_wrong(e, "%s is not an element of this set's type",
				   text_quote(text, word));
	}
	for (unsigned i = 0; i < set->ntypes; i++) {
		int err = parsers[set->type[i]](parts[i], &parsed.field[i], e);
		if (err)
			return err;
	}
	*element = parsed;
	return 0;
}

static void format_part(enum conf_field type, const struct conf_element_field *f,
			char buf[VALUE_TEXT_MAX])
{
	const struct conf_range range = { f->first, f->last };
	const struct conf_port_range ports = { (uint16_t)f->low, (uint16_t)f->high };
	const struct schema_row protos = { .words = schema_protos };
	const char *name = value_word_of(&protos, f->low);

	switch (type) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX: value_range_format(&range, buf); break;
	case CONF_FIELD_PORT: value_ports_format(&ports, buf); break;
	case CONF_FIELD_INTERFACE: strcpy(buf, f->name); break;
	case CONF_FIELD_PROTO:
		if (name)
			strcpy(buf, name);
		else
			sprintf(buf, "%u", f->low);
		break;
	case CONF_FIELD_MARK: sprintf(buf, "0x%x", f->low); break;
	}
}

char *value_format_element(const struct conf_set *set, const struct conf_element *element,
			   char buf[VALUE_ELEMENT_MAX])
{
	char part[VALUE_TEXT_MAX];

	buf[0] = '\0';
	for (unsigned i = 0; i < set->ntypes; i++) {
		format_part(set->type[i], &element->field[i], part);
		strcat(strcat(buf, i ? " . " : ""), part);
	}
	return buf;
}
