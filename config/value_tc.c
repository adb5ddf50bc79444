// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values of shaping without units: handles, references to classes, numbers, arrays of numbers, BPF
 * bytecode. Rows of value.c's and value_list.c's tables, by the same rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "config/value_parts.h"
#include "router/lib/addr.h"

/* ---- numbers */

int value_parse_int(const struct schema_row *row, const char *text, void *field,
		    struct value_error *e)
{
	int low = (int)row->min, high = (int)row->max;
	bool negative = text[0] == '-';
	char word[TEXT_QUOTE_MAX];
	uint64_t n;

	if (!value_digits(text + negative, &n))
		return value_wrong(e, "%s is not a number", text_quote(text, word));
	if (n > INT32_MAX || (negative ? -(int)n : (int)n) < low ||
	    (negative ? -(int)n : (int)n) > high)
		return value_wrong(e, "%s is out of range, %d to %d", text, low, high);
	*(int32_t *)field = negative ? -(int32_t)n : (int32_t)n;
	return 0;
}

void value_format_int(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	(void)row;
	sprintf(buf, "%d", *(const int32_t *)field);
}

/* Up to 64 bits, decimal or 0x. */
static bool parse_number(const char *text, uint64_t *n)
{
	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return value_digits(text, n);
	size_t len = strspn(text + 2, "0123456789abcdefABCDEF");
	if (len == 0 || len > 16 || text[2 + len])
		return false;
	*n = strtoull(text + 2, NULL, 16);
	return true;
}

static void store(const struct schema_row *row, void *field, uint64_t n)
{
	switch (row->size) {
	case 2: *(uint16_t *)field = (uint16_t)n; break;
	case 4: *(uint32_t *)field = (uint32_t)n; break;
	default: *(uint64_t *)field = n; break;
	}
}

static uint64_t stored(const struct schema_row *row, const void *field)
{
	switch (row->size) {
	case 2: return *(const uint16_t *)field;
	case 4: return *(const uint32_t *)field;
	default: return *(const uint64_t *)field;
	}
}

int value_parse_number(const struct schema_row *row, const char *text, void *field,
		       struct value_error *e)
{
	uint64_t max = row->max ? row->max : row->size == 4 ? UINT32_MAX : UINT64_MAX, n;
	char word[TEXT_QUOTE_MAX], words[80];
	unsigned known;

	if (value_find_word(row, text, &known)) {
		store(row, field, known);
		return 0;
	}
	if (!parse_number(text, &n)) {
		schema_words(row, words, sizeof(words));
		value_suggest_word(row, text, e);
		return value_wrong(e, "%s is not a number%s%s", text_quote(text, word),
				   words[0] ? ", nor " : "", words);
	}
	if (n < row->min || n > max)
		return value_wrong(e, "%s is out of range, %u to 0x%llx", text_quote(text, word),
				   row->min, (unsigned long long)max);
	store(row, field, n);
	return 0;
}

void value_format_number(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	uint64_t n = stored(row, field);
	const char *word = n <= UINT32_MAX ? value_word_of(row, (unsigned)n) : NULL;

	if (word)
		strcpy(buf, word);
	else if (n >= row->min && (n || row->required || row->fallback))
		sprintf(buf, "0x%llx", (unsigned long long)n);
}

/* ---- MAC addresses, of groups too */

int value_parse_any_mac(const struct schema_row *row, const char *text, void *field,
			struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	(void)row;

	if (mac_parse(text, field) < 0)
		return value_wrong(e, "%s is not a MAC address like \"52:54:00:aa:00:01\"",
				   text_quote(text, word));
	return 0;
}

void value_format_any_mac(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	(void)row;
	mac_format(field, buf);
}

/* ---- handles: two hexadecimal numbers of 16 bits with a colon between them */

int value_handle(const char *text, uint32_t *handle)
{
	size_t major = strspn(text, "0123456789abcdefABCDEF");
	if (major == 0 || major > 4 || text[major] != ':')
		return -EINVAL;
	size_t minor = strspn(text + major + 1, "0123456789abcdefABCDEF");
	if (minor > 4 || text[major + 1 + minor])
		return -EINVAL;
	*handle = CONF_HANDLE(strtoul(text, NULL, 16),
			      minor ? strtoul(text + major + 1, NULL, 16) : 0);
	return CONF_MAJOR(*handle) ? 0 : -EINVAL;
}

char *value_handle_format(uint32_t handle, char buf[VALUE_HANDLE_MAX])
{
	if (CONF_MINOR(handle))
		snprintf(buf, VALUE_HANDLE_MAX, "%x:%x", handle >> 16, CONF_MINOR(handle));
	else
		snprintf(buf, VALUE_HANDLE_MAX, "%x:", handle >> 16);
	return buf;
}

int value_parse_qdisc_handle(const struct schema_row *row, const char *text, void *field,
			     struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	uint32_t handle;
	(void)row;

	if (value_handle(text, &handle) < 0) {
		value_help(e, "write it like \"1:\", from 1 to fffe, hexadecimal, in quotes");
		return value_wrong(e, "%s is not the handle of a qdisc", text_quote(text, word));
	}
	if (CONF_MINOR(handle)) {
		value_help(e, "write \"%x:\"", handle >> 16);
		return value_wrong(e, "%s is the handle of a class", text_quote(text, word));
	}
	if (handle == CONF_INGRESS)
		return value_wrong(e, "ffff: stands for what comes in");
	*(uint32_t *)field = handle;
	return 0;
}

int value_parse_class_handle(const struct schema_row *row, const char *text, void *field,
			     struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	uint32_t handle;
	(void)row;

	if (value_handle(text, &handle) < 0) {
		value_help(e, "write it like \"1:10\": that of its qdisc, and a number from 1 to "
			      "ffff, hexadecimal");
		return value_wrong(e, "%s is not the handle of a class", text_quote(text, word));
	}
	if (CONF_MINOR(handle) == 0)
		return value_wrong(e, "%s is the handle of a qdisc, a class has a minor number too",
				   text_quote(text, word));
	*(uint32_t *)field = handle;
	return 0;
}

void value_format_handle(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX])
{
	uint32_t handle = *(const uint32_t *)field;
	(void)row;

	if (handle)
		value_handle_format(handle, buf);
}

int value_parse_skb_priority(const struct schema_row *row, const char *text, void *field,
			     struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	uint32_t n;
	(void)row;

	if (value_handle(text, &n) < 0 && value_number(text, &n) < 0)
		return value_wrong(e, "%s is not a number, nor a handle like \"1:10\"",
				   text_quote(text, word));
	*(uint32_t *)field = n;
	return 0;
}

void value_format_skb_priority(const struct schema_row *row, const void *field,
			       char buf[VALUE_TEXT_MAX])
{
	uint32_t n = *(const uint32_t *)field;
	(void)row;

	if (CONF_MAJOR(n))
		value_handle_format(n, buf);
	else
		sprintf(buf, "0x%x", n);
}

/* A name, or a handle; which of them is there, the checks know. */
int value_parse_reference(const struct schema_row *row, const char *text, void *field,
			  struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	uint32_t handle;
	(void)row;

	if (!strchr(text, ':'))
		return value_name(text, field, e);
	if (value_handle(text, &handle) < 0) {
		value_help(e, "write a name, or a handle like \"1:10\"");
		return value_wrong(e, "%s is not a handle", text_quote(text, word));
	}
	strcpy(field, text);
	return 0;
}

/* ---- arrays in the record */

static unsigned *count_of(const struct schema_row *row, void *record)
{
	return (unsigned *)((char *)record + row->count_at);
}

int value_add_percent(const struct schema_row *row, const char *text, void *record,
		      struct value_error *e)
{
	uint32_t *values = (uint32_t *)((char *)record + row->at);
	unsigned *n = count_of(row, record);

	if (*n == row->size / sizeof(*values))
		return value_wrong(e, "more than %zu", row->size / sizeof(*values));
	int err = value_percent(text, &values[*n], e);
	if (!err)
		++*n;
	return err;
}

bool value_percent_word(const struct schema_row *row, const void *record, unsigned index,
			char buf[VALUE_TEXT_MAX])
{
	const uint32_t *values = (const uint32_t *)((const char *)record + row->at);

	if (index >= *(const unsigned *)((const char *)record + row->count_at))
		return false;
	value_percent_format(values[index], buf);
	return true;
}

int value_add_number(const struct schema_row *row, const char *text, void *record,
		     struct value_error *e)
{
	uint8_t *values = (uint8_t *)record + row->at;
	unsigned *n = count_of(row, record);
	char word[TEXT_QUOTE_MAX];
	uint64_t value;

	if (*n == row->size)
		return value_wrong(e, "more than %zu", row->size);
	if (!value_digits(text, &value) || value > row->max)
		return value_wrong(e, "%s is not a number from 0 to %u", text_quote(text, word),
				   row->max);
	values[(*n)++] = (uint8_t)value;
	return 0;
}

bool value_number_word(const struct schema_row *row, const void *record, unsigned index,
		       char buf[VALUE_TEXT_MAX])
{
	const uint8_t *values = (const uint8_t *)record + row->at;

	if (index >= *(const unsigned *)((const char *)record + row->count_at))
		return false;
	sprintf(buf, "%u", values[index]);
	return true;
}

/* ---- bytecode: how many instructions, and each of them, as four numbers, behind a comma */

/* The next number, and what follows it. */
static bool take_number(const char **text, uint64_t max, uint64_t *n)
{
	size_t digits = strspn(*text, "0123456789");

	if (digits == 0 || digits > 10)
		return false;
	*n = strtoull(*text, NULL, 10);
	*text += digits;
	return *n <= max;
}

static bool take_instruction(const char **text, struct conf_bpf *b)
{
	static const uint64_t max[] = { UINT16_MAX, UINT8_MAX, UINT8_MAX, UINT32_MAX };
	uint64_t n[4];

	for (unsigned i = 0; i < 4; i++) {
		*text += strspn(*text, " ");
		if (!take_number(text, max[i], &n[i]))
			return false;
	}
	*b = (struct conf_bpf){ (uint16_t)n[0], (uint8_t)n[1], (uint8_t)n[2], (uint32_t)n[3] };
	return true;
}

int value_parse_bytecode(const char *text, struct conf_bpf **program, unsigned *n,
			 struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	const char *rest = text;
	uint64_t count;

	*e = (struct value_error){ 0 };
	value_help(e,
		   "write \"N,code jt jf k,...\", as tcpdump -ddd has it, with commas for lines");
	if (!take_number(&rest, CONF_BPF_MAX, &count) || count == 0)
		return value_wrong(e, "%s does not begin with the number of instructions, 1 to %d",
				   text_quote(text, word), CONF_BPF_MAX);
	struct conf_bpf *made = calloc(count, sizeof(*made));
	if (!made)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		if (*rest++ == ',' && take_instruction(&rest, &made[i]))
			continue;
		free(made);
		return value_wrong(e, "instruction %u is not four numbers", i + 1);
	}
	rest += *rest == ',' && !rest[1];
	if (*rest) {
		free(made);
		return value_wrong(e, "more than the %llu instructions that it promises",
				   (unsigned long long)count);
	}
	*program = made;
	*n = (unsigned)count;
	return 0;
}
