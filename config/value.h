/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of a configuration: from its text to its field and back, as its row says. [any] */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/schema.h"

#define VALUE_TEXT_MAX	  128
#define VALUE_ELEMENT_MAX 400

/* What is wrong with a text, and how to mend it ("": nobody knows). */
struct value_error {
	char what[300];
	char help[200];
};

/* Read text into field (which may be NULL: only check). -EINVAL with *e set and field untouched. */
int value_parse(const struct schema_row *row, const char *text, void *field, struct value_error *e);

/* The text that value_parse() reads back; "" for a field that says "not given". Returns buf. */
char *value_format(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX]);

/*
 * Values that are one word or a list of words (schema_is_words()) live in a record of the row's
 * kind: value_add() adds one word to what is there; -EINVAL with *e set, or -ENOMEM. value_word()
 * gives word number `index` back, false when there are no more.
 */
int value_add(const struct schema_row *row, const char *text, void *record, struct value_error *e);
bool value_word(const struct schema_row *row, const void *record, unsigned index,
		char buf[VALUE_TEXT_MAX]);

/* An element of a set: a word for each of the set's types, "10.0.0.1" or "10.0.0.1 . 80". Its
 * timeout is left alone. */
struct conf_set;
struct conf_element;
int value_parse_element(const struct conf_set *set, const char *text, struct conf_element *element,
			struct value_error *e);
char *value_format_element(const struct conf_set *set, const struct conf_element *element,
			   char buf[VALUE_ELEMENT_MAX]);

/* "1:" or "1:10", hexadecimal, the major number not 0. 0 or -EINVAL. */
#define VALUE_HANDLE_MAX 12
int value_handle(const char *text, uint32_t *handle);
char *value_handle_format(uint32_t handle, char buf[VALUE_HANDLE_MAX]); /* returns buf */

/* tc's `bytecode`; *program is for free(). 0, -ENOMEM, or -EINVAL with *e set. */
struct conf_bpf;
int value_parse_bytecode(const char *text, struct conf_bpf **program, unsigned *n,
			 struct value_error *e);

bool value_netdev_valid(const char *name); /* as Linux judges names, and printable */

#endif
