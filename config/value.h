/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of a configuration: from its text to its field and back, as its row says. [any] */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stdio.h>

#include "config/schema.h"

#define VALUE_TEXT_MAX 128

/* What is wrong with a text, and how to mend it ("": nobody knows). */
struct value_error {
	char what[200];
	char help[200];
};

/* Read text into field (which may be NULL: only check). -EINVAL with *e set and field untouched. */
int value_parse(const struct schema_row *row, const char *text, void *field, struct value_error *e);

/* The text that value_parse() reads back; "" for a field that says "not given". Returns buf. */
char *value_format(const struct schema_row *row, const void *field, char buf[VALUE_TEXT_MAX]);

/* One word of a CPU list, "3" or "2-5": add it to cpus. */
int value_parse_cpus(const struct schema_row *row, const char *text, unsigned *cpus,
		     unsigned *ncpus, struct value_error *e);

bool value_netdev_valid(const char *name); /* as Linux judges names, and printable */

#endif
