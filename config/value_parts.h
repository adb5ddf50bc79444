/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that read and write values share: value.c, value_rules.c,
 * value_range.c, value_list.c, value_set.c. [any] */
#ifndef CONFIG_VALUE_PARTS_H
#define CONFIG_VALUE_PARTS_H

#include <stdint.h>

#include "config/conf.h"
#include "config/schema.h"
#include "config/value.h"

/* Say what is wrong, -EINVAL; how to mend it. */
int value_wrong(struct value_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void value_help(struct value_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool value_find_word(const struct schema_row *row, const char *text, unsigned *value);
const char *value_word_of(const struct schema_row *row, unsigned value); /* or NULL */
void value_suggest_word(const struct schema_row *row, const char *text, struct value_error *e);

/* Decimal digits only: no sign, no 0x, no leading zero that another tool would read as octal. What
 * is too large for any use stays too large. */
bool value_digits(const char *text, uint64_t *value);

/* A port or "first-last". */
int value_ports(const char *text, struct conf_port_range *range, struct value_error *e);
void value_ports_format(const struct conf_port_range *range, char buf[VALUE_TEXT_MAX]);

/* An address, a prefix or "first-last". */
int value_range(const char *text, struct conf_range *range, struct value_error *e);
void value_range_format(const struct conf_range *range, char buf[VALUE_TEXT_MAX]);

/* A name of a chain, a set, a zone. */
int value_name(const char *text, char name[CONF_NAME], struct value_error *e);

/* A mark with its mask, or without: all bits. */
int value_mark(const char *text, uint32_t mark[2], struct value_error *e);
int value_number(const char *text, uint32_t *number); /* decimal or 0x; -EINVAL */

/* Parsers and formatters for the table in value.c, of value_rules.c and
 * value_range.c. */
typedef int value_parse_fn(const struct schema_row *row, const char *text, void *field,
			   struct value_error *e);
typedef void value_format_fn(const struct schema_row *row, const void *field,
			     char buf[VALUE_TEXT_MAX]);
value_parse_fn value_parse_name, value_parse_label, value_parse_duration, value_parse_priority,
	value_parse_mark, value_parse_span, value_parse_port_range, value_parse_rate,
	value_parse_tcp_flags;
value_format_fn value_format_duration, value_format_priority, value_format_mark, value_format_span,
	value_format_port_range, value_format_rate, value_format_tcp_flags;

#endif
