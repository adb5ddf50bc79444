// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values of shaping with their units, as tc has them: rates in bits, where k is 1000; sizes in
 * bytes, where k is 1024; times, percentages. Rows of value.c's table. A number may have a fraction
 * and needs its unit; what is stored is exact to the byte, the nanosecond, or 2^-32. The formatter
 * takes the largest unit that says the same without a fraction.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/text.h"
#include "config/value_parts.h"

struct unit {
	const char *name;
	uint64_t num, den; /* of what is stored */
};

/* The largest first, and those that are only read at the end. */
static const struct unit rate_units[] = {
	{ "gbit", 1000000000, 8 },    { "mbit", 1000000, 8 },
	{ "kbit", 1000, 8 },	      { "bit", 1, 8 },
	{ "tbit", 1000000000000, 8 }, { "kibit", 1ull << 10, 8 },
	{ "mibit", 1ull << 20, 8 },   { "gibit", 1ull << 30, 8 },
	{ "tibit", 1ull << 40, 8 },   { NULL, 0, 0 },
};
enum { RATE_PRINTED = 4 };
static const struct unit size_units[] = {
	{ "mb", 1 << 20, 1 },	{ "kb", 1 << 10, 1 },	{ "b", 1, 1 },	     { "gb", 1 << 30, 1 },
	{ "k", 1 << 10, 1 },	{ "m", 1 << 20, 1 },	{ "g", 1 << 30, 1 }, { "kbit", 1 << 10, 8 },
	{ "mbit", 1 << 20, 8 }, { "gbit", 1 << 30, 8 }, { NULL, 0, 0 },
};
enum { SIZE_PRINTED = 3 };
static const struct unit time_units[] = {
	{ "s", 1000000000, 1 }, { "ms", 1000000, 1 }, { "us", 1000, 1 },
	{ "ns", 1, 1 },		{ NULL, 0, 0 },
};
enum { TIME_PRINTED = 4 };

/* ---- numbers with a fraction, exactly */

struct decimal {
	uint64_t num, den; /* den: a power of ten */
};

/* The number that a text begins with; *rest is what follows it. */
static bool decimal_parse(const char *text, struct decimal *d, const char **rest)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0;

	if (text[whole] == '.')
		fraction = strspn(text + whole + 1, "0123456789");
	if (whole == 0 || whole + fraction > 17 || (text[whole] == '.' && fraction == 0))
		return false;
	*d = (struct decimal){ 0, 1 };
	for (size_t i = 0; i < whole + fraction; i++) {
		d->num = d->num * 10 + (uint64_t)(text[i + (i >= whole)] - '0');
		if (i >= whole)
			d->den *= 10;
	}
	*rest = text + whole + (fraction ? fraction + 1 : 0);
	return true;
}

/* d * num / den, rounded down, or to the nearest; UINT64_MAX if it is more than that. */
static uint64_t decimal_times(const struct decimal *d, uint64_t num, uint64_t den, bool nearest)
{
	unsigned __int128 divisor = (unsigned __int128)d->den * den;
	unsigned __int128 product = (unsigned __int128)d->num * num;

	product = (product + (nearest ? divisor / 2 : 0)) / divisor;
	return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (const struct unit *u = units; u->name; u++)
		if (!strcasecmp(u->name, name))
			return u;
	return NULL;
}

static void put(const struct schema_row *row, void *field, uint64_t value)
{
	if (row->size == sizeof(uint64_t))
		*(uint64_t *)field = value;
	else
		*(uint32_t *)field = (uint32_t)value;
}

static uint64_t get(const struct schema_row *row, const void *field)
{
	return row->size == sizeof(uint64_t) ? *(const uint64_t *)field : *(const uint32_t *)field;
}

/* By the largest of the first `n` units that leaves no fraction. */
static void format_units(const struct unit *units, unsigned n, uint64_t value,
			 char buf[VALUE_TEXT_MAX])
{
	unsigned i = 0;

	while (i + 1 < n && (value == 0 || (unsigned __int128)value * units[i].den % units[i].num))
		i++;
	sprintf(buf, "%llu%s",
		(unsigned long long)((unsigned __int128)value * units[i].den / units[i].num),
		units[i].name);
}

/* 0 is "not given" unless the row has a default. */
static bool is_given(const struct schema_row *row, uint64_t value)
{
	return value || row->fallback;
}

/* A value in its range, into its field. */
static int put_checked(const struct schema_row *row, const char *text, void *field, uint64_t value,
		       uint64_t max, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (value < row->min && row->min == 1)
		return value_wrong(e, "%s is nothing at all", text_quote(text, word));
	if (value < row->min)
		return value_wrong(e, "%s is less than %u bytes", text_quote(text, word), row->min);
	if (value > max)
		return value_wrong(e, "%s is too much", text_quote(text, word));
	put(row, field, value);
	return 0;
}

/* ---- rates */

#define RATE_MAX (10000000000000ull / 8) /* 10 Tbit/s */

int value_parse_bitrate(const struct schema_row *row, const char *text, void *field,
			struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *unit = text;
	struct decimal d;
	bool number = decimal_parse(text, &d, &unit);
	const struct unit *u = number ? find_unit(rate_units, unit) : NULL;
	int digits = (int)(unit - text);

	if (u)
		return put_checked(row, text, field, decimal_times(&d, u->num, u->den, false),
				   RATE_MAX, e);
	if (number && !*unit) {
		value_help(e,
			   "write %.20smbit, %.20skbit or %.20sgbit (as in tc; mbps would mean "
			   "megabytes)",
			   text, text, text);
		return value_wrong(e, "rate %s needs a unit", text_quote(text, word));
	}
	if (number && strlen(unit) <= 4 && strlen(unit) >= 3 &&
	    !strcasecmp(unit + strlen(unit) - 3, "bps")) {
		value_help(e, "write %.*s%.*sbit (as in tc; mbps would mean megabytes)", digits,
			   text, (int)strlen(unit) - 3, unit);
		return value_wrong(e, "rate %s would be bytes a second", text_quote(text, word));
	}
	value_help(e, "write a number with bit, kbit, mbit or gbit, like 95mbit");
	return value_wrong(e, "%s is not a rate", text_quote(text, word));
}

void value_format_bitrate(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	if (is_given(row, get(row, field)))
		format_units(rate_units, RATE_PRINTED, get(row, field), buf);
}

/* ---- sizes */

int value_parse_size(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	uint64_t max = row->max ? row->max : row->size == 8 ? (uint64_t)1 << 40 : UINT32_MAX;
	char word[TEXT_QUOTE_MAX];
	const char *unit = text;
	struct decimal d;
	bool number = decimal_parse(text, &d, &unit);
	const struct unit *u = number ? find_unit(size_units, unit) : NULL;

	if (number && !*unit && (row->bare_too || d.num == 0))
		u = find_unit(size_units, "b");
	if (u)
		return put_checked(row, text, field, decimal_times(&d, u->num, u->den, false), max,
				   e);
	if (number && !*unit) {
		value_help(e, "write %.20skb, or %.20sb for bytes", text, text);
		return value_wrong(e, "size %s needs a unit", text_quote(text, word));
	}
	value_help(e, "write a number with b, kb or mb, like 15kb; kb is 1024 bytes, as in tc");
	return value_wrong(e, "%s is not a size", text_quote(text, word));
}

void value_format_size(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	uint64_t value = get(row, field);

	if (!is_given(row, value))
		return;
	if (value == 0)
		strcpy(buf, "0");
	else
		format_units(size_units, SIZE_PRINTED, value, buf);
}

/* ---- times */

#define TIME_MAX (3600ull * 1000000000) /* an hour */

int value_parse_time(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *unit = text;
	struct decimal d;
	bool number = decimal_parse(text, &d, &unit);
	const struct unit *u = number ? find_unit(time_units, unit) : NULL;

	if (number && !*unit && d.num == 0)
		u = find_unit(time_units, "s");
	if (u)
		return put_checked(row, text, field, decimal_times(&d, u->num, u->den, false),
				   TIME_MAX, e);
	if (number && !*unit) {
		value_help(e, "write %.20sms, %.20sus or %.20ss", text, text, text);
		return value_wrong(e, "time %s needs a unit", text_quote(text, word));
	}
	value_help(e, "write a number with us, ms or s, like 5ms");
	return value_wrong(e, "%s is not a time", text_quote(text, word));
}

void value_format_time(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	uint64_t value = get(row, field);

	if (is_given(row, value) && value != UINT64_MAX)
		format_units(time_units, TIME_PRINTED, value, buf);
}

/* ---- percentages and probabilities: 2^32 - 1 is all */

int value_percent(const char *text, uint32_t *value, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *unit = text;
	struct decimal d;
	bool number = decimal_parse(text, &d, &unit);

	if (number && !*unit) {
		value_help(e, "write %.20s%%", text);
		return value_wrong(e, "%s needs a unit", text_quote(text, word));
	}
	if (!number || strcmp(unit, "%")) {
		value_help(e, "write it like 0.1%%");
		return value_wrong(e, "%s is not a percentage", text_quote(text, word));
	}
	uint64_t n = decimal_times(&d, UINT32_MAX, 100, true);
	if (n > UINT32_MAX)
		return value_wrong(e, "%s is more than all", text_quote(text, word));
	*value = (uint32_t)n;
	return 0;
}

int value_parse_percent(const struct schema_row *row, const char *text, void *field,
			struct value_error *e)
{
	(void)row;
	return value_percent(text, field, e);
}

/* value / (2^32 - 1) * whole, with as few digits as read back the same. */
static void format_fraction(uint32_t value, unsigned whole, char buf[VALUE_TEXT_MAX])
{
	struct decimal d = { 0, 1 };

	for (unsigned digits = 0; digits <= 12; digits++, d.den *= 10) {
		const struct decimal exact = { value, 1 };
		d.num = decimal_times(&exact, whole * d.den, UINT32_MAX, true);
		if (decimal_times(&d, UINT32_MAX, whole, true) != value)
			continue;
		int used = sprintf(buf, "%llu", (unsigned long long)(d.num / d.den));
		if (digits)
			sprintf(buf + used, ".%0*llu", (int)digits,
				(unsigned long long)(d.num % d.den));
		return;
	}
}

void value_percent_format(uint32_t value, char buf[VALUE_TEXT_MAX])
{
	format_fraction(value, 100, buf);
	strcat(buf, "%");
}

void value_format_percent(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	if (is_given(row, get(row, field)))
		value_percent_format((uint32_t)get(row, field), buf);
}

int value_parse_probability(const struct schema_row *row, const char *text, void *field,
			    struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *unit = text;
	struct decimal d;
	(void)row;

	if (!decimal_parse(text, &d, &unit) || *unit || d.num > d.den || d.num == 0) {
		value_help(e, "write a number above 0, at most 1, like 0.02");
		return value_wrong(e, "%s is not a probability", text_quote(text, word));
	}
	*(uint32_t *)field = (uint32_t)decimal_times(&d, UINT32_MAX, 1, true);
	return 0;
}

void value_format_probability(const struct schema_row *row, const void *field,
			      char buf[VALUE_TEXT_MAX])
{
	(void)row;
	format_fraction(*(const uint32_t *)field, 1, buf);
}
