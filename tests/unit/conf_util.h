/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the configuration share: load a file or a text, print a conf, slurp a file. */
#ifndef TESTS_UNIT_CONF_UTIL_H
#define TESTS_UNIT_CONF_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "config/conf.h"

/* Load and give back the messages, to be freed. */
static inline int load(const char *path, const char *text, struct conf **c, char **messages)
{
	size_t len;
	FILE *out = open_memstream(messages, &len);

	*c = NULL;
	int err = conf_load(path, text, out, c);
	fclose(out);
	return err;
}

static inline struct conf *load_good(const char *path, const char *text)
{
	struct conf *c;
	char *messages;
	int err = load(path, text, &c, &messages);

	if (err)
		print_error("%s", messages);
	free(messages);
	assert_int_equal(err, 0);
	return c;
}

static inline char *printed(const struct conf *c)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(c, out);
	fclose(out);
	return text;
}

static inline char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f) {
		size_t n = fread(text, 1, (1 << 20) - 1, f);
		text[n] = '\0';
		fclose(f);
	}
	return text;
}

#endif
