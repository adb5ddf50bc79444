// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages about a configuration: collected, sorted, printed with the line they are about.
 *
 * Life-cycle: conf_load() creates one report, every stage adds to it, report_print() writes it and
 * report_destroy() frees it with the texts. Memory is bounded: texts by REPORT_BYTES_MAX, messages
 * by MESSAGES_MAX (the rest is counted). Bytes of the file reach the terminal only if they are
 * printable.
 */
#include "config/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"

enum { MESSAGES_MAX = 1000, SOURCES_MAX = 256, EXCERPT_COLUMNS = 160 };

struct source {
	char *name;
	char *text;
	size_t len;
	size_t at; /* where line at_line begins: messages are printed in order, so lines are too */
	unsigned at_line;
	unsigned measured; /* the line whose length is known: many messages may be about a long one
			    */
	size_t line_len;
};

struct message {
	struct mark mark;
	unsigned seq;
	bool warning;
	char *text;
	char *help;
};

struct report {
	struct source sources[SOURCES_MAX];
	unsigned nsources;
	size_t bytes;
	struct message messages[MESSAGES_MAX];
	unsigned nmessages;
	unsigned errors;
	unsigned unshown; /* errors that found no room */
	bool last_kept;	  /* report_help() has a message to go to */
};

struct report *report_create(void)
{
	return calloc(1, sizeof(struct report));
}

void report_destroy(struct report *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->nsources; i++) {
		free(r->sources[i].name);
		free(r->sources[i].text);
	}
	for (unsigned i = 0; i < r->nmessages; i++) {
		free(r->messages[i].text);
		free(r->messages[i].help);
	}
	free(r);
}

int report_source_add(struct report *r, const char *name, char *text, size_t len)
{
	int err = -EFBIG;

	if (r->nsources == SOURCES_MAX || len > REPORT_BYTES_MAX - r->bytes)
		goto fail;
	err = -ENOMEM;
	char *copy = strdup(name);
	if (!copy)
		goto fail;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* a byte order mark is not a column */
		memmove(text, text + 3, len - 2);
		len -= 3;
	}
	r->bytes += len;
	r->sources[r->nsources] =
		(struct source){ .name = copy, .text = text, .len = len, .at_line = 1 };
	return (int)r->nsources++;
fail:
	free(text);
	return err;
}

const char *report_source_name(const struct report *r, unsigned source)
{
	return r->sources[source].name;
}

const char *report_source_text(const struct report *r, unsigned source, size_t *len)
{
	*len = r->sources[source].len;
	return r->sources[source].text;
}

/* Length of the line break at s, 0 if there is none: LF, CR, CR LF, NEL, LS and PS, as libyaml. */
static size_t line_break(const char *s, const char *end)
{
	if (s < end && *s == '\n')
		return 1;
	if (s < end && *s == '\r')
		return s + 1 < end && s[1] == '\n' ? 2 : 1;
	if (end - s >= 2 && !memcmp(s, "\xc2\x85", 2))
		return 2;
	if (end - s >= 3 && (!memcmp(s, "\xe2\x80\xa8", 3) || !memcmp(s, "\xe2\x80\xa9", 3)))
		return 3;
	return 0;
}

/* YAML's printable set: no control characters, no surrogates. */
static bool yaml_character(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	if (c >= 0x7f && c < 0xa0)
		return c == 0x85;
	return !(c >= 0xd800 && c < 0xe000) && c != 0xfffe && c != 0xffff;
}

int report_source_check(struct report *r, unsigned source)
{
	const struct source *s = &r->sources[source];
	const char *p = s->text, *end = s->text + s->len;
	struct mark mark = { .source = source, .line = 1, .col = 1, .len = 1 };

	while (p < end) {
		uint32_t c;
		size_t n = line_break(p, end);
		if (n) {
			mark.line++, mark.col = 1, p += n;
			continue;
		}
		n = text_utf8(p, (size_t)(end - p), &c);
		if (!n) {
			report_error(r, mark, "byte 0x%02x is not UTF-8", (unsigned char)*p);
			return -EINVAL;
		}
		if (!yaml_character(c)) {
			report_error(r, mark, "control character 0x%02x is not allowed",
				     (unsigned)c);
			return -EINVAL;
		}
		mark.col++, p += n;
	}
	return 0;
}

/* A key or value may hold any character by way of an escape; a terminal is to see none of that. */
static void make_printable(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		uint32_t c;
		size_t n = text_utf8(text, left, &c);
		if (n == 0 || c == '\t' || c == '\n' || c == '\r' || c == 0x85 ||
		    !yaml_character(c)) {
			n = n ? n : 1;
			memset(text, '?', n);
		}
		text += n;
		left -= n;
	}
}

static void message_add(struct report *r, struct mark at, bool warning, const char *fmt,
			va_list args)
{
	char *text = NULL;

	r->errors += !warning;
	r->last_kept = r->nmessages < MESSAGES_MAX && vasprintf(&text, fmt, args) >= 0;
	if (!r->last_kept) {
		r->unshown += !warning;
		return;
	}
	make_printable(text);
	r->messages[r->nmessages] = (struct message){
		.mark = at, .seq = r->nmessages, .warning = warning, .text = text
	};
	r->nmessages++;
}

void report_error(struct report *r, struct mark at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message_add(r, at, false, fmt, args);
	va_end(args);
}

void report_warning(struct report *r, struct mark at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message_add(r, at, true, fmt, args);
	va_end(args);
}

void report_help(struct report *r, const char *fmt, ...)
{
	va_list args;
	char *help;

	if (!r->last_kept)
		return;
	va_start(args, fmt);
	if (vasprintf(&help, fmt, args) >= 0) {
		make_printable(help);
		free(r->messages[r->nmessages - 1].help);
		r->messages[r->nmessages - 1].help = help;
	}
	va_end(args);
}

unsigned report_errors(const struct report *r)
{
	return r->errors;
}

static int compare_marks(const struct mark *a, const struct mark *b)
{
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->col < b->col ? -1 : a->col > b->col;
}

static int compare_messages(const void *a, const void *b)
{
	const struct message *x = a, *y = b;
	int order = compare_marks(&x->mark, &y->mark);

	return order ? order : x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The line numbered `line`, without its break; empty when the file ends before it. */
static const char *find_line(struct source *s, unsigned line, size_t *len)
{
	const char *end = s->text + s->len;

	if (line < s->at_line)
		s->at = 0, s->at_line = 1;
	const char *p = s->text + s->at;
	while (s->at_line < line && p < end) {
		size_t n = line_break(p, end);
		s->at_line += n > 0;
		p += n ? n : 1;
	}
	s->at = (size_t)(p - s->text);
	if (s->measured != line) {
		s->measured = line;
		s->line_len = 0;
		if (s->at_line == line)
			while (p + s->line_len < end && !line_break(p + s->line_len, end))
				s->line_len++;
	}
	*len = s->line_len;
	return p;
}

/* The source line and under it the caret; of a very long line only what is near the caret. */
static void print_excerpt(struct source *s, struct mark m, FILE *out)
{
	size_t len;
	const char *line = find_line(s, m.line, &len);
	unsigned first = m.col > EXCERPT_COLUMNS - 40 ? m.col - EXCERPT_COLUMNS / 2 : 1;
	unsigned last = first + EXCERPT_COLUMNS - 1, col = 1, tildes = 0;
	char pad[EXCERPT_COLUMNS + 1];
	unsigned npad = 0;

	fprintf(out, "%5u | ", m.line);
	for (size_t i = 0; i < len && col <= last; col++) {
		uint32_t c;
		size_t n = text_utf8(line + i, len - i, &c);
		if (col >= first && n && yaml_character(c))
			fwrite(line + i, 1, n, out);
		else if (col >= first)
			fputc('?', out);
		if (col >= first && col < m.col)
			pad[npad++] = line[i] == '\t' ? '\t' : ' ';
		tildes += col > m.col && col - m.col < m.len;
		i += n ? n : 1;
	}
	while (first + npad < m.col) /* the place is behind the end of the line */
		pad[npad++] = ' ';
	fprintf(out, "\n      | %.*s^", (int)npad, pad);
	while (tildes-- > 0)
		fputc('~', out);
	fputc('\n', out);
}

static void print_message(struct report *r, const struct message *m, FILE *out)
{
	struct source *s = &r->sources[m->mark.source];

	fprintf(out, "%s:%u:%u: %s: %s\n", s->name, m->mark.line, m->mark.col,
		m->warning ? "warning" : "error", m->text);
	print_excerpt(s, m->mark, out);
	if (m->help)
		fprintf(out, "      = help: %s\n", m->help);
}

static bool same_message(const struct message *a, const struct message *b)
{
	return !compare_marks(&a->mark, &b->mark) && !strcmp(a->text, b->text);
}

void report_print(struct report *r, FILE *out)
{
	unsigned errors = r->unshown;

	qsort(r->messages, r->nmessages, sizeof(r->messages[0]), compare_messages);
	for (unsigned i = 0; i < r->nmessages; i++) {
		const struct message *m = &r->messages[i];
		if (i > 0 && same_message(m - 1, m))
			continue;
		errors += !m->warning;
		print_message(r, m, out);
	}
	if (r->unshown)
		fprintf(out, "%u more error%s not shown\n", r->unshown, r->unshown == 1 ? "" : "s");
	if (errors)
		fprintf(out, "%u error%s\n", errors, errors == 1 ? "" : "s");
}
