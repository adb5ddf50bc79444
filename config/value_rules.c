// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Single values of rules: names, durations, priorities, marks, rates, TCP flags. Rows of
 * value.c's table, and written by the same rules: all of the text or nothing, no guesses, and what
 * the formatter gives is what the parser takes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "config/value_parts.h"

int value_name(const char *text, char name[CONF_NAME], struct value_error *e)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	char word[TEXT_QUOTE_MAX];
	size_t n = strlen(text);

	if (n == 0 || n >= CONF_NAME || strspn(text, allowed) != n ||
	    !isalnum((unsigned char)text[0])) {
		value_help(e, "1 to %d letters, digits, dots, - and _, the first a letter or digit",
			   CONF_NAME - 1);
		return value_wrong(e, "%s cannot be a name", text_quote(text, word));
	}
	strcpy(name, text);
	return 0;
}

int value_parse_name(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	(void)row;
	return value_name(text, field, e);
}

int value_parse_label(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	(void)row;

	if (!text[0] || strlen(text) >= CONF_NAME)
		return value_wrong(e, "%s is not 1 to %d characters", text_quote(text, word),
				   CONF_NAME - 1);
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return value_wrong(e, "%s holds a character that is not plain ASCII",
					   text_quote(text, word));
	strcpy(field, text);
	return 0;
}

/* ---- durations: whole seconds, a unit with each number */

static const struct {
	const char *name;
	uint64_t ms;
} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
enum { NUNITS = sizeof(units) / sizeof(units[0]) };

/* The next "2h" of "2h4m", and where it ends. */
static bool duration_part(const char **text, uint64_t *ms)
{
	size_t n = strspn(*text, "0123456789"), letters = 0;
	const char *unit = *text + n;

	while (isalpha((unsigned char)unit[letters]))
		letters++;
	if (n == 0 || n > 12)
		return false;
	for (unsigned i = 0; i < NUNITS; i++) {
		if (strlen(units[i].name) != letters || strncmp(unit, units[i].name, letters))
			continue;
		*ms = strtoull(*text, NULL, 10) * units[i].ms;
		*text = unit + letters;
		return true;
	}
	return false;
}

int value_parse_duration(const struct schema_row *row, const char *text, void *field,
			 struct value_error *e)
{
	const char *rest = text;
	char word[TEXT_QUOTE_MAX];
	uint64_t total = 0, ms, n;
	(void)row;

	if (value_digits(text, &n)) {
		value_help(e, "write %ss, %sm or %sh", text, text, text);
		return value_wrong(e, "%s needs a unit", text_quote(text, word));
	}
	do {
		if (!duration_part(&rest, &ms)) {
			value_help(e, "write numbers with d, h, m, s or ms, like 30s, 5d or 2h4m");
			return value_wrong(e, "%s is not a duration", text_quote(text, word));
		}
		total += ms;
	} while (*rest && total < UINT64_MAX / 4);
	if (total == 0 || total % 1000)
		return value_wrong(e, "%s is not a number of whole seconds",
				   text_quote(text, word));
	if (total / 1000 > INT32_MAX)
		return value_wrong(e, "%s is longer than 24855 days", text_quote(text, word));
	*(uint32_t *)field = (uint32_t)(total / 1000);
	return 0;
}

void value_format_duration(const struct schema_row *row, const void *field,
			   char buf[VALUE_TEXT_MAX])
{
	uint32_t s = *(const uint32_t *)field;
	size_t used = 0;
	(void)row;

	buf[0] = '\0';
	for (unsigned i = 0; i < NUNITS && s; i++) {
		uint32_t unit = (uint32_t)(units[i].ms / 1000);
		if (!unit) /* what is left is less than a second */
			break;
		if (s >= unit)
			used += (size_t)sprintf(buf + used, "%u%s", s / unit, units[i].name);
		s %= unit;
	}
}

/* ---- priorities of chains */

enum { PRIORITY_MAX = 100000 };

/* "filter+10", "raw-5": a word, and how much more or less. */
static bool priority_offset(const struct schema_row *row, const char *text, int64_t *value)
{
	size_t n = strcspn(text, "+-");
	char word[16];
	unsigned base;
	uint64_t offset;

	if (!text[n] || n == 0 || n >= sizeof(word))
		return false;
	memcpy(word, text, n);
	word[n] = '\0';
	if (!value_find_word(row, word, &base) || !value_digits(text + n + 1, &offset) ||
	    offset > PRIORITY_MAX)
		return false;
	*value = (int)base + (text[n] == '-' ? -(int64_t)offset : (int64_t)offset);
	return true;
}

int value_parse_priority(const struct schema_row *row, const char *text, void *field,
			 struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], words[80];
	unsigned known;
	int64_t value;
	uint64_t n;

	if (value_find_word(row, text, &known)) {
		*(int *)field = (int)known;
		return 0;
	}
	if (value_digits(text[0] == '-' ? text + 1 : text, &n)) {
		n = n > PRIORITY_MAX ? PRIORITY_MAX + 1 : n;
		value = text[0] == '-' ? -(int64_t)n : (int64_t)n;
	} else if (!priority_offset(row, text, &value)) {
		value_suggest_word(row, text, e);
		return value_wrong(e, "%s is not a number, nor %s", text_quote(text, word),
				   schema_words(row, words, sizeof(words)));
	}
	if (value < -PRIORITY_MAX || value > PRIORITY_MAX)
		return value_wrong(e, "%s is out of range, -%d to %d", text, PRIORITY_MAX,
				   PRIORITY_MAX);
	*(int *)field = (int)value;
	return 0;
}

void value_format_priority(const struct schema_row *row, const void *field,
			   char buf[VALUE_TEXT_MAX])
{
	int priority = *(const int *)field;
	const char *word = value_word_of(row, (unsigned)priority);

	if (word)
		strcpy(buf, word);
	else
		sprintf(buf, "%d", priority);
}

/* ---- marks */

int value_number(const char *text, uint32_t *number)
{
	uint64_t n;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		size_t len = strspn(text + 2, "0123456789abcdefABCDEF");
		if (len == 0 || len > 8 || text[2 + len])
			return -EINVAL;
		n = strtoull(text + 2, NULL, 16);
	} else if (!value_digits(text, &n) || n > UINT32_MAX) {
		return -EINVAL;
	}
	*number = (uint32_t)n;
	return 0;
}

int value_mark(const char *text, uint32_t mark[2], struct value_error *e)
{
	const char *slash = strchr(text, '/');
	char first[16] = "", word[TEXT_QUOTE_MAX];
	uint32_t value, mask = UINT32_MAX;

	if (slash && slash - text < (ptrdiff_t)sizeof(first))
		memcpy(first, text, (size_t)(slash - text));
	if (value_number(slash ? first : text, &value) < 0 ||
	    (slash && value_number(slash + 1, &mask) < 0)) {
		value_help(e, "write a number like 0x10, or 0x10/0xff with a mask");
		return value_wrong(e, "%s is not a mark", text_quote(text, word));
	}
	if (mask == 0)
		return value_wrong(e, "mask 0 leaves nothing of a mark");
	if (value & ~mask) {
		value_help(e, "write 0x%x/0x%x", value & mask, mask);
		return value_wrong(e, "%s has bits set outside its mask", text_quote(text, word));
	}
	mark[0] = value;
	mark[1] = mask;
	return 0;
}

int value_parse_mark(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	(void)row;
	return value_mark(text, field, e);
}

void value_format_mark(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	const uint32_t *mark = field;
	(void)row;

	if (mark[1] == UINT32_MAX)
		sprintf(buf, "0x%x", mark[0]);
	else if (mark[1])
		sprintf(buf, "0x%x/0x%x", mark[0], mark[1]);
}

/* ---- rates of packets */

static const struct {
	const char *name, *other;
	uint32_t ms;
} periods[] = {
	{ "s", "second", 1000 },
	{ "m", "minute", 60000 },
	{ "h", "hour", 3600000 },
	{ "d", "day", 86400000 },
};
enum { NPERIODS = sizeof(periods) / sizeof(periods[0]), RATE_MAX = 1000000000 };

int value_parse_rate(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	const char *slash = strchr(text, '/');
	char number[16] = "", word[TEXT_QUOTE_MAX];
	uint32_t *rate = field;
	uint64_t n;
	(void)row;

	if (slash && slash - text < (ptrdiff_t)sizeof(number))
		memcpy(number, text, (size_t)(slash - text));
	if (!slash && value_digits(text, &n)) {
		value_help(e, "write %s/s, %s/m or %s/h", text, text, text);
		return value_wrong(e, "rate %s needs a unit", text_quote(text, word));
	}
	if (value_digits(number, &n) && n >= 1 && n <= RATE_MAX) {
		for (unsigned i = 0; i < NPERIODS; i++) {
			if (strcmp(slash + 1, periods[i].name) &&
			    strcmp(slash + 1, periods[i].other))
				continue;
			rate[0] = (uint32_t)n;
			rate[1] = periods[i].ms;
			return 0;
		}
	}
	value_help(e, "write packets a second, minute, hour or day: 50/s, 3/m, 1/h, 10/d");
	return value_wrong(e, "%s is not a rate", text_quote(text, word));
}

void value_format_rate(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	const uint32_t *rate = field;
	(void)row;

	for (unsigned i = 0; i < NPERIODS && rate[0]; i++)
		if (periods[i].ms == rate[1])
			sprintf(buf, "%u/%s", rate[0], periods[i].name);
}

/* ---- TCP flags */

static const char *const flag_names[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr" };
enum { NEW_CONNECTION = 1 | 2 | 4 | 16 }; /* fin, syn, rst and ack: of which `syn` is set alone */

/* "syn+ack", or "none"; up to `end`. */
static bool parse_flag_list(const char *text, const char *end, uint8_t *flags)
{
	*flags = 0;
	if (end - text == 4 && !memcmp(text, "none", 4))
		return true;
	while (text < end) {
		size_t n = strcspn(text, "+/");
		unsigned i = 0;
		while (i < 8 && (n != 3 || memcmp(text, flag_names[i], 3)))
			i++;
		if (i == 8)
			return false;
		*flags |= (uint8_t)(1u << i);
		text += n;
		if (text < end && ++text == end)
			return false;
	}
	return *flags != 0;
}

int value_parse_tcp_flags(const struct schema_row *row, const char *text, void *field,
			  struct value_error *e)
{
	const char *slash = strchr(text, '/'), *end = text + strlen(text);
	char word[TEXT_QUOTE_MAX];
	uint8_t flags = 0, mask = 0, *out = field;
	(void)row;

	bool known = parse_flag_list(text, slash ? slash : end, &flags);
	if (slash)
		known = known && parse_flag_list(slash + 1, end, &mask);
	else if (!strcmp(text, "syn"))
		mask = NEW_CONNECTION;
	else
		mask = flags;
	if (!known || mask == 0) {
		value_help(e, "write the flags set, and those looked at, like syn/syn+ack; there "
			      "are fin, syn, rst, psh, ack, urg, ece, cwr and none");
		return value_wrong(e, "%s are no TCP flags", text_quote(text, word));
	}
	if (flags & ~mask)
		return value_wrong(e, "%s wants flags set that it does not look at",
				   text_quote(text, word));
	out[0] = flags;
	out[1] = mask;
	return 0;
}

static char *format_flag_list(uint8_t flags, char *at)
{
	const char *joint = "";

	for (unsigned i = 0; i < 8; i++) {
		if (!(flags >> i & 1))
			continue;
		at += sprintf(at, "%s%s", joint, flag_names[i]);
		joint = "+";
	}
	return flags ? at : at + sprintf(at, "none");
}

void value_format_tcp_flags(const struct schema_row *row, const void *field,
			    char buf[VALUE_TEXT_MAX])
{
	const uint8_t *flags = field;
	(void)row;

	if (!flags[1])
		return;
	buf = format_flag_list(flags[0], buf);
	*buf++ = '/';
	format_flag_list(flags[1], buf);
}
