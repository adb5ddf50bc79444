// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing one value. Every type is a parser and a formatter in a table at the end; what
 * a parser takes, its formatter gives, so that a printed configuration loads again. Parsers take
 * the whole text or nothing, guess nothing, and say what they would have taken.
 */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"
#include "config/text.h"
#include "config/value_parts.h"
#include "router/lib/addr.h"

int value_wrong(struct value_error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->what, sizeof(e->what), fmt, args);
	va_end(args);
	return -EINVAL;
}

void value_help(struct value_error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->help, sizeof(e->help), fmt, args);
	va_end(args);
}

bool value_find_word(const struct schema_row *row, const char *text, unsigned *value)
{
	for (const struct schema_word *w = row->words; w && w->word; w++) {
		if (strcmp(w->word, text))
			continue;
		*value = w->value;
		return true;
	}
	return false;
}

const char *value_word_of(const struct schema_row *row, unsigned value)
{
	for (const struct schema_word *w = row->words; w && w->word; w++)
		if (w->value == value)
			return w->word;
	return NULL;
}

void value_suggest_word(const struct schema_row *row, const char *text, struct value_error *e)
{
	struct text_guess guess = { .written = text };

	for (const struct schema_word *w = row->words; w && w->word; w++)
		text_guess_add(&guess, w->word);
	if (guess.best)
		value_help(e, "did you mean \"%s\"?", guess.best);
}

bool value_digits(const char *text, uint64_t *value)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || text[n] || (n > 1 && text[0] == '0'))
		return false;
	*value = n > 18 ? UINT64_MAX : strtoull(text, NULL, 10);
	return true;
}

/* What was meant by digits that are no number: a unit behind them, or zeros before them. */
static void help_digits(const char *text, struct value_error *e)
{
	size_t zeros = strspn(text, "0"), n = strspn(text, "0123456789"), unit = n;

	while (isalpha((unsigned char)text[unit]))
		unit++;
	if (n == 0 || n > 18 || text[unit])
		return;
	if (unit > n)
		value_help(e, "write %.*s; it takes no unit", (int)n, text);
	else if (zeros > 0 && zeros < n)
		value_help(e, "write %s", text + zeros);
}

/* Fields of numbers and of enums have the size they need. */
static void store(const struct schema_row *row, void *field, unsigned n)
{
	switch (row->size) {
	case 1: *(uint8_t *)field = (uint8_t)n; break;
	case 2: *(uint16_t *)field = (uint16_t)n; break;
	default: *(unsigned *)field = n; break;
	}
}

static unsigned stored(const struct schema_row *row, const void *field)
{
	switch (row->size) {
	case 1: return *(const uint8_t *)field;
	case 2: return *(const uint16_t *)field;
	default: return *(const unsigned *)field;
	}
}

static int parse_uint(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], words[80];
	uint64_t n;
	unsigned known;

	if (value_find_word(row, text, &known)) {
		store(row, field, known);
		return 0;
	}
	if (!value_digits(text, &n)) {
		schema_words(row, words, sizeof(words));
		value_suggest_word(row, text, e);
		help_digits(text, e);
		return value_wrong(e, "%s is not a number%s%s", text_quote(text, word),
				   words[0] ? ", nor " : "", words);
	}
	if (n < row->min || n > row->max)
		return value_wrong(e, "%s is out of range, %u to %u", text, row->min, row->max);
	if (row->power_of_two && (n & (n - 1)))
		return value_wrong(e, "%s is not a power of two from %u to %u", text, row->min,
				   row->max);
	store(row, field, (unsigned)n);
	return 0;
}

static void format_uint(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	unsigned n = stored(row, field);

	for (const struct schema_word *w = row->words; w && w->word; w++) {
		if (w->value == n) {
			strcpy(buf, w->word);
			return;
		}
	}
	if (n >= row->min) /* below it stands for "not given" */
		sprintf(buf, "%u", n);
}

/* A name is 0 until it is resolved. */
static int parse_table(const struct schema_row *row, const char *text, void *field,
		       struct value_error *e)
{
	char name[CONF_NAME];
	uint64_t n;
	unsigned known;

	if (value_find_word(row, text, &known) || value_digits(text, &n))
		return parse_uint(row, text, field, e);
	store(row, field, 0);
	return value_name(text, name, e);
}

static int parse_bool(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (strcmp(text, "true") && strcmp(text, "false")) {
		if (!strcasecmp(text, "yes") || !strcasecmp(text, "on") ||
		    !strcasecmp(text, "true"))
			value_help(e, "write true");
		else if (!strcasecmp(text, "no") || !strcasecmp(text, "off") ||
			 !strcasecmp(text, "false"))
			value_help(e, "write false");
		return value_wrong(e, "%s is not true or false", text_quote(text, word));
	}
	*(bool *)field = (text[0] == 't') != row->inverted;
	return 0;
}

static void format_bool(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	strcpy(buf, *(const bool *)field != row->inverted ? "true" : "false");
}

static int parse_enum(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], words[100];
	unsigned value;

	if (!value_find_word(row, text, &value)) {
		value_suggest_word(row, text, e);
		return value_wrong(e, "%s is not %s%s", text_quote(text, word),
				   schema_words(row, words, sizeof(words)),
				   row->words[1].word ? "" : ", the only choice so far");
	}
	store(row, field, value);
	return 0;
}

static void format_enum(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	for (const struct schema_word *w = row->words; w->word; w++)
		if (w->value == stored(row, field))
			strcpy(buf, w->word);
}

bool value_netdev_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)name[i]) || strchr("/:", name[i]))
			return false;
	return true;
}

static int parse_netdev(const struct schema_row *row, const char *text, void *field,
			struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (!value_netdev_valid(text)) {
		value_help(e, "1 to 15 printable characters, no space, / or :");
		return value_wrong(e, "%s cannot be the name of a netdev", text_quote(text, word));
	}
	strncpy(field, text, row->size);
	return 0;
}

static int parse_path(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];

	if (text[0] != '/')
		return value_wrong(e, "%s is not an absolute path", text_quote(text, word));
	if (strlen(text) >= row->size)
		return value_wrong(e, "%s is longer than %zu bytes", text_quote(text, word),
				   row->size - 1);
	for (const char *p = text; *p; p++)
		if (!isprint((unsigned char)*p))
			return value_wrong(e, "%s holds a character that is not plain ASCII",
					   text_quote(text, word));
	strncpy(field, text, row->size);
	return 0;
}

static int parse_group(const struct schema_row *row, const char *text, void *field,
		       struct value_error *e)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	char word[TEXT_QUOTE_MAX];
	size_t n = strlen(text);

	if (n == 0 || n >= row->size || strspn(text, allowed) != n || text[0] == '-')
		return value_wrong(e, "%s cannot be the name of a group", text_quote(text, word));
	strncpy(field, text, row->size);
	return 0;
}

static int parse_pattern(const struct schema_row *row, const char *text, void *field,
			 struct value_error *e)
{
	(void)row;
	(void)field;
	return text[0] ? 0 : value_wrong(e, "a file name is missing");
}

static void format_text(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	memcpy(buf, field, row->size); /* ends in a NUL, and row->size < VALUE_TEXT_MAX */
}

static int parse_mode(const struct schema_row *row, const char *text, void *field,
		      struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	(void)row;

	if (strlen(text) != 4 || text[0] != '0' || strspn(text, "01234567") != 4) {
		if (strlen(text) == 3 && strspn(text, "01234567") == 3)
			value_help(e, "write \"0%s\"", text);
		return value_wrong(e, "%s is not a mode like \"0660\"", text_quote(text, word));
	}
	*(unsigned *)field = (unsigned)strtoul(text, NULL, 8);
	return 0;
}

static void format_mode(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	(void)row;
	sprintf(buf, "0%03o", *(const unsigned *)field & 0777);
}

static int parse_mac(const struct schema_row *row, const char *text, void *field,
		     struct value_error *e)
{
	static const uint8_t none[6];
	char word[TEXT_QUOTE_MAX];
	uint8_t mac[6];
	(void)row;

	if (mac_parse(text, mac) < 0)
		return value_wrong(e, "%s is not a MAC address like \"52:54:00:aa:00:01\"",
				   text_quote(text, word));
	if (mac[0] & 1)
		return value_wrong(e, "%s is a multicast address", text_quote(text, word));
	if (!memcmp(mac, none, 6))
		return value_wrong(e, "%s is nobody's address", text_quote(text, word));
	memcpy(field, mac, 6);
	return 0;
}

static void format_mac(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	static const uint8_t none[6];
	(void)row;

	if (memcmp(field, none, 6))
		mac_format(field, buf);
}

/* NULL, or why no host can have this address. */
static const char *not_a_host(const struct addr *a)
{
	if (a->family == AF_INET6) {
		if (IN6_IS_ADDR_MULTICAST(&a->v6))
			return "a multicast address";
		if (IN6_IS_ADDR_LOOPBACK(&a->v6))
			return "a loopback address";
		if (IN6_IS_ADDR_V4MAPPED(&a->v6))
			return "an IPv4-mapped address";
		return IN6_IS_ADDR_UNSPECIFIED(&a->v6) ? "the unspecified address" : NULL;
	}
	if (a->bytes[0] == 127)
		return "a loopback address";
	if (a->bytes[0] == 0)
		return "in 0.0.0.0/8, which means \"this network\"";
	if (a->v4 == 0xffffffff)
		return "the broadcast address";
	return a->bytes[0] >= 224 && a->bytes[0] < 240 ? "a multicast address" : NULL;
}

static int parse_address(const struct schema_row *row, const char *text, void *field,
			 struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *slash = strchr(text, '/');
	struct addr a;
	(void)row;

	if (addr_parse(text, &a) < 0) {
		if (slash && slash - text < ADDR_STRLEN)
			value_help(e, "write %.*s, without a prefix length", (int)(slash - text),
				   text);
		return value_wrong(e, "%s is not an IPv4 or IPv6 address", text_quote(text, word));
	}
	if (not_a_host(&a))
		return value_wrong(e, "%s is %s", text, not_a_host(&a));
	memcpy(field, &a, sizeof(a));
	return 0;
}

static void format_address(const struct schema_row *row, const void *field,
			   char buf[VALUE_TEXT_MAX])
{
	const struct addr *a = field;
	(void)row;

	if (a->family)
		addr_format(a, buf);
}

static int parse_prefix(const struct schema_row *row, const char *text, void *field,
			struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	struct prefix p;
	(void)row;

	if (prefix_parse(text, &p) < 0)
		return value_wrong(e, "%s is not an address with a prefix length",
				   text_quote(text, word));
	if (!strchr(text, '/')) {
		value_help(e, "write %s/%u, or what the link's prefix is", text,
			   p.addr.family == AF_INET ? 24 : 64);
		return value_wrong(e, "%s needs a prefix length", text_quote(text, word));
	}
	if (p.len == 0)
		return value_wrong(e, "prefix length 0 would put the whole world on this link");
	if (not_a_host(&p.addr))
		return value_wrong(e, "%s is %s", text, not_a_host(&p.addr));
	memcpy(field, &p, sizeof(p));
	return 0;
}

static void format_prefix(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	const struct prefix *p = field;
	(void)row;

	if (p->addr.family)
		prefix_format(p, buf);
}

static int parse_destination(const struct schema_row *row, const char *text, void *field,
			     struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], right[PREFIX_STRLEN];
	struct prefix p;

	bool may_be_default = row->type == SCHEMA_DESTINATION;
	if (may_be_default && !strcmp(text, "default")) { /* its family follows from the next hop */
		memset(field, 0, sizeof(p));
		return 0;
	}
	if (prefix_parse(text, &p) < 0) {
		value_help(e, "write a prefix like 10.0.0.0/8%s",
			   may_be_default ? ", or default" : "");
		return value_wrong(e, "%s is not a prefix", text_quote(text, word));
	}
	struct prefix masked = prefix_masked(&p);
	if (!prefix_equal(&p, &masked)) {
		value_help(e, "write %s", prefix_format(&masked, right));
		return value_wrong(e, "%s has bits set behind its prefix length", text);
	}
	memcpy(field, &p, sizeof(p));
	return 0;
}

static const struct {
	int (*parse)(const struct schema_row *, const char *, void *, struct value_error *);
	void (*format)(const struct schema_row *, const void *, char[VALUE_TEXT_MAX]);
} types[] = {
	[SCHEMA_UINT] = { parse_uint, format_uint },
	[SCHEMA_BOOL] = { parse_bool, format_bool },
	[SCHEMA_ENUM] = { parse_enum, format_enum },
	[SCHEMA_NETDEV] = { parse_netdev, format_text },
	[SCHEMA_PATH] = { parse_path, format_text },
	[SCHEMA_GROUP] = { parse_group, format_text },
	[SCHEMA_PATTERN] = { parse_pattern, NULL }, /* not stored */
	[SCHEMA_MODE] = { parse_mode, format_mode },
	[SCHEMA_MAC] = { parse_mac, format_mac },
	[SCHEMA_ADDRESS] = { parse_address, format_address },
	[SCHEMA_PREFIX] = { parse_prefix, format_prefix },
	[SCHEMA_DESTINATION] = { parse_destination, format_prefix },
	[SCHEMA_TABLE] = { parse_table, format_uint },
	[SCHEMA_NETWORK] = { parse_destination, format_prefix },
	[SCHEMA_NAME] = { value_parse_name, format_text },
	[SCHEMA_LABEL] = { value_parse_label, format_text },
	[SCHEMA_DURATION] = { value_parse_duration, value_format_duration },
	[SCHEMA_PRIORITY] = { value_parse_priority, value_format_priority },
	[SCHEMA_MARK] = { value_parse_mark, value_format_mark },
	[SCHEMA_SPAN] = { value_parse_span, value_format_span },
	[SCHEMA_PORT_RANGE] = { value_parse_port_range, value_format_port_range },
	[SCHEMA_RATE] = { value_parse_rate, value_format_rate },
	[SCHEMA_TCP_FLAGS] = { value_parse_tcp_flags, value_format_tcp_flags },
	[SCHEMA_INT] = { value_parse_int, value_format_int },
	[SCHEMA_NUMBER] = { value_parse_number, value_format_number },
	[SCHEMA_ANY_MAC] = { value_parse_any_mac, value_format_any_mac },
	[SCHEMA_BITRATE] = { value_parse_bitrate, value_format_bitrate },
	[SCHEMA_SIZE] = { value_parse_size, value_format_size },
	[SCHEMA_TIME] = { value_parse_time, value_format_time },
	[SCHEMA_PERCENT] = { value_parse_percent, value_format_percent },
	[SCHEMA_PROBABILITY] = { value_parse_probability, value_format_probability },
	[SCHEMA_QDISC_HANDLE] = { value_parse_qdisc_handle, value_format_handle },
	[SCHEMA_CLASS_HANDLE] = { value_parse_class_handle, value_format_handle },
	[SCHEMA_SKB_PRIORITY] = { value_parse_skb_priority, value_format_skb_priority },
	[SCHEMA_REFERENCE] = { value_parse_reference, format_text },
};

int value_parse(const struct schema_row *row, const char *text, void *field, struct value_error *e)
{
	_Alignas(max_align_t) char scratch[VALUE_TEXT_MAX];

	*e = (struct value_error){ 0 };
	return types[row->type].parse(row, text, field ? field : scratch, e);
}

char *value_format(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	buf[0] = '\0';
	types[row->type].format(row, field, buf);
	return buf;
}
