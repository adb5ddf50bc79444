/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that read and write values share: value.c, value_rules.c,
 * value_range.c, value_list.c, value_set.c, value_units.c, value_tc.c. [any] */
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

/* "0.1%": of 2^32 - 1. */
int value_percent(const char *text, uint32_t *value, struct value_error *e);
void value_percent_format(uint32_t value, char buf[VALUE_TEXT_MAX]);

/* Parsers and formatters for the table in value.c, of value_rules.c, value_range.c, value_units.c
 * and value_tc.c. */
typedef int value_parse_fn(const struct schema_row *row, const char *text, void *field,
			   struct value_error *e);
typedef void value_format_fn(const struct schema_row *row, const void *field,
			     char buf[VALUE_TEXT_MAX]);
value_parse_fn value_parse_name, value_parse_label, value_parse_duration, value_parse_priority,
	value_parse_mark, value_parse_span, value_parse_port_range, value_parse_rate,
	value_parse_tcp_flags, value_parse_int, value_parse_number, value_parse_any_mac,
	value_parse_bitrate, value_parse_size, value_parse_time, value_parse_percent,
	value_parse_probability, value_parse_qdisc_handle, value_parse_class_handle,
	value_parse_skb_priority, value_parse_reference;
value_format_fn value_format_duration, value_format_priority, value_format_mark, value_format_span,
	value_format_port_range, value_format_rate, value_format_tcp_flags, value_format_int,
	value_format_number, value_format_any_mac, value_format_bitrate, value_format_size,
	value_format_time, value_format_percent, value_format_probability, value_format_handle,
	value_format_skb_priority;

/* The same for value_list.c: value_tc.c's. */
typedef int value_add_fn(const struct schema_row *row, const char *text, void *record,
			 struct value_error *e);
typedef bool value_word_fn(const struct schema_row *row, const void *record, unsigned index,
			   char buf[VALUE_TEXT_MAX]);
value_add_fn value_add_percent, value_add_number;
value_word_fn value_percent_word, value_number_word;

#endif
