/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the reader of a configuration has to say: errors and warnings with the place they are about.
 * They are collected while the file is read and checked, in whatever order that happens, and
 * printed once, in file order, each with its source line and a caret. The report owns the text of
 * every file it may have to quote. [control]
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_BYTES_MAX (16u << 20) /* of all files of one configuration together */

/* A span of characters on one line; line and col count from 1, len is at least 1. */
struct mark {
	unsigned source, line, col, len;
};

struct report;

struct report *report_create(void); /* NULL: no memory */
void report_destroy(struct report *r);

/* Take over text (len bytes and a NUL, from malloc), also on failure. The index of the new source,
 * or -ENOMEM, or -EFBIG when all sources together exceed REPORT_BYTES_MAX. */
int report_source_add(struct report *r, const char *name, char *text, size_t len);
const char *report_source_name(const struct report *r, unsigned source);
const char *report_source_text(const struct report *r, unsigned source, size_t *len);

/* Text that is not YAML's character set (UTF-8 without control characters) is an error that names
 * the first bad byte: -EINVAL. Line breaks are counted as libyaml counts them. */
int report_source_check(struct report *r, unsigned source);

void report_error(struct report *r, struct mark at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void report_warning(struct report *r, struct mark at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* How to mend what the last error or warning was about. */
void report_help(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned report_errors(const struct report *r); /* how many so far */

/* Everything in file order, then "N errors" when there are any. What was said twice about the same
 * place (an alias is bound where it is used) is printed once. */
void report_print(struct report *r, FILE *out);

#endif
