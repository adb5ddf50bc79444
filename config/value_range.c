// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ranges: of addresses, which may be a prefix or a single one, and of numbers. Both are written
 * with a dash, and printed as the shortest of their forms.
 */
#include <string.h>

#include "config/text.h"
#include "config/value_parts.h"

/* ---- addresses */

static void range_of_prefix(const struct prefix *p, struct conf_range *r)
{
	r->first = r->last = p->addr;
	for (unsigned i = p->len; i < addr_bits(&p->addr); i++)
		r->last.bytes[i / 8] |= (uint8_t)(1u << (7 - i % 8));
}

static int parse_between(const char *text, const char *dash, struct conf_range *range,
			 struct value_error *e)
{
	char first[ADDR_STRLEN] = "", word[TEXT_QUOTE_MAX];
	struct conf_range r;

	if (dash - text < (ptrdiff_t)sizeof(first))
		memcpy(first, text, (size_t)(dash - text));
	if (addr_parse(first, &r.first) < 0 || addr_parse(dash + 1, &r.last) < 0)
		return value_wrong(e, "%s is not a range like 10.0.0.1-10.0.0.9",
				   text_quote(text, word));
	if (r.first.family != r.last.family)
		return value_wrong(e, "range %s is of both families", text_quote(text, word));
	if (addr_cmp(&r.first, &r.last) > 0)
		return value_wrong(e, "range %s is upside down", text_quote(text, word));
	*range = r;
	return 0;
}

int value_range(const char *text, struct conf_range *range, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], right[PREFIX_STRLEN];
	const char *dash = strchr(text, '-');
	struct prefix p;

	if (dash)
		return parse_between(text, dash, range, e);
	if (prefix_parse(text, &p) < 0) {
		if (strchr(text, ','))
			value_help(e, "write a list in brackets");
		return value_wrong(e, "%s is not an address, a prefix or a range",
				   text_quote(text, word));
	}
	struct prefix masked = prefix_masked(&p);
	if (!prefix_equal(&p, &masked)) {
		value_help(e, "write %s", prefix_format(&masked, right));
		return value_wrong(e, "%s has bits set behind its prefix length", text);
	}
	range_of_prefix(&p, range);
	return 0;
}

void value_range_format(const struct conf_range *r, char buf[VALUE_TEXT_MAX])
{
	int len = prefix_between(&r->first, &r->last);

	addr_format(&r->first, buf);
	if (addr_equal(&r->first, &r->last))
		return;
	if (len >= 0) {
		sprintf(buf + strlen(buf), "/%d", len);
		return;
	}
	strcat(buf, "-");
	addr_format(&r->last, buf + strlen(buf));
}

/* ---- ranges of numbers */

/* "64-1500" or "64", each from min to max. */
static int parse_numbers(const char *text, unsigned min, unsigned max, const char *like,
			 unsigned out[2], struct value_error *e)
{
	const char *dash = strchr(text, '-');
	char first[16] = "", word[TEXT_QUOTE_MAX];
	uint64_t low, high;

	if (dash && dash - text < (ptrdiff_t)sizeof(first))
		memcpy(first, text, (size_t)(dash - text));
	if (!value_digits(dash ? first : text, &low) ||
	    !value_digits(dash ? dash + 1 : text, &high)) {
		if (strchr(text, ','))
			value_help(e, "write a list in brackets");
		else if (strchr(text, ':'))
			value_help(e, "write a range with -");
		return value_wrong(e, "%s is not a number, nor a range like %s",
				   text_quote(text, word), like);
	}
	if (high < low)
		return value_wrong(e, "range %s is upside down", text_quote(text, word));
	if (low < min || high > max)
		return value_wrong(e, "%s is out of range, %u to %u", text, min, max);
	out[0] = (unsigned)low;
	out[1] = (unsigned)high;
	return 0;
}

static void format_numbers(unsigned first, unsigned last, char buf[VALUE_TEXT_MAX])
{
	if (first == last)
		sprintf(buf, "%u", first);
	else
		sprintf(buf, "%u-%u", first, last);
}

int value_parse_span(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	unsigned n[2] = { 0 };
	int err = parse_numbers(text, row->min, row->max, row->size == 1 ? "1-5" : "64-1500", n, e);

	for (unsigned i = 0; i < 2 && !err; i++) {
		if (row->size == 1)
			((uint8_t *)field)[i] = (uint8_t)n[i];
		else
			((uint16_t *)field)[i] = (uint16_t)n[i];
	}
	return err;
}

void value_format_span(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	const uint8_t *small = field;
	const uint16_t *large = field;
	bool bytes = row->size == 1;

	if (bytes ? small[1] : large[1])
		format_numbers(bytes ? small[0] : large[0], bytes ? small[1] : large[1], buf);
}

int value_ports(const char *text, struct conf_port_range *range, struct value_error *e)
{
	unsigned n[2] = { 0 };
	int err = parse_numbers(text, 1, 65535, "1024-65535", n, e);

	if (!err)
		*range = (struct conf_port_range){ (uint16_t)n[0], (uint16_t)n[1] };
	return err;
}

void value_ports_format(const struct conf_port_range *range, char buf[VALUE_TEXT_MAX])
{
	format_numbers(range->first, range->last, buf);
}

int value_parse_port_range(const struct schema_row *row, const char *text, void *field,
			   struct value_error *e)
{
	(void)row;
	return value_ports(text, field, e);
}

void value_format_port_range(const struct schema_row *row, const void *field,
			     char buf[VALUE_TEXT_MAX])
{
	const struct conf_port_range *range = field;
	(void)row;

	if (range->last)
		value_ports_format(range, buf);
}
