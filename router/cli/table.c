/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows as aligned text, or one object as "key value" lines. The first rows wait, so that the
 * columns are as wide as they must be; those that come later keep to these widths, or push their
 * line. The last column is folded between words where the line would be longer than the terminal
 * (80 when it is none), and where its text has a new line.
 */
#include "router/cli/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TABLE_WAITING 2000
#define TABLE_COLUMNS 64
#define TABLE_FOLD    20 /* a column narrower than that is not folded */

enum kind { KIND_TEXT, KIND_NUMBER, KIND_BYTES, KIND_BOOL, KIND_JSON };

struct field {
	const char *key, *title;
	enum kind kind;
	unsigned width;
};

struct table {
	FILE *out;
	json_t *columns; /* owns the strings of the fields */
	bool single, endless, colour, headed;
	unsigned line; /* its width */
	unsigned nfields;
	struct field field[TABLE_COLUMNS];
	unsigned nrows; /* waiting: nrows * nfields cells, each from malloc */
	char **cells;
	bool streaming; /* widths are fixed */
};

/* ---- cells */

/* Bytes a terminal would obey: C0 and C1 controls and DEL. How many to skip at s, 0: it is
 * harmless. */
static unsigned control_at(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] < 0x20 || u[0] == 0x7f)
		return 1;
	return u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0 ? 2 : 0;
}

void print_safe(FILE *out, const char *s)
{
	while (*s) {
		unsigned n = *s == '\n' || *s == '\t' ? 0 : control_at(s);

		fputc(n ? '?' : *s, out);
		s += n ? n : 1;
	}
}

static unsigned width_of(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* As ls -h, but exact as long as it is short. */
static char *bytes_text(json_int_t n)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double x = (double)n;
	int unit = -1;
	char *s;

	while ((x >= 10000 || (unit >= 0 && x >= 1024)) && unit < 5) {
		x /= 1024;
		unit++;
	}
	if ((unit < 0 ? asprintf(&s, "%" JSON_INTEGER_FORMAT, n)
		      : asprintf(&s, "%.1f %s", x, units[unit])) < 0)
		abort();
	return s;
}

static char *plain_text(const json_t *value)
{
	char *s = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	return s ? s : strdup("?");
}

static char *cell_text(const struct field *f, const json_t *value)
{
	if (f->kind == KIND_JSON && json_is_object(value))
		value = json_object_get(value, "text");
	if (!value || json_is_null(value))
		return strdup("-");
	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "yes" : "no");
	if (json_is_integer(value) && f->kind == KIND_BYTES)
		return bytes_text(json_integer_value(value));
	return plain_text(value);
}

/* ---- lines */
static bool is_right(const struct field *f)
{
	return f->kind == KIND_NUMBER || f->kind == KIND_BYTES;
}

/* May be folded: what has a line of its own (no title) is to stay one. */
static bool is_prose(const struct field *f)
{
	return (f->kind == KIND_TEXT || f->kind == KIND_JSON) && f->title[0];
}

/* A table's cell is one line, but where it may be folded. */
static void tame(char *s, bool folded)
{
	for (; *s; s++)
		if (control_at(s) && !(folded && *s == '\n'))
			*s = *s == '\n' || *s == '\t' ? ' ' : '?';
}

static void print_padded(struct table *t, const struct field *f, const char *text)
{
	bool last = f == &t->field[t->nfields - 1];
	unsigned w = width_of(text), pad = w < f->width ? f->width - w : 0;

	if (is_right(f))
		fprintf(t->out, "%*s%s", (int)pad, "", text);
	else
		fprintf(t->out, "%s%*s", text, last ? 0 : (int)pad, "");
}

/* The longest beginning of s, in bytes, that ends before a space and is at most `width` wide; the
 * first word when that is wider. At a new line it ends in any case. */
static size_t fold_at(const char *s, unsigned width)
{
	size_t best = 0, i;
	unsigned w = 0;

	for (i = 0; s[i] && s[i] != '\n'; i++) {
		if (s[i] == ' ' && (w <= width || !best))
			best = i;
		if (w > width && best)
			return best;
		w += ((unsigned char)s[i] & 0xc0) != 0x80;
	}
	return w > width && best ? best : i;
}

static void print_folded(struct table *t, const char *s, unsigned indent)
{
	unsigned width = t->line - indent;
	size_t n;

	while (n = fold_at(s, width), s[n]) {
		fprintf(t->out, "%.*s\n%*s", (int)n, s, (int)indent, "");
		s += n + 1;
	}
	fputs(s, t->out);
}

static void print_cells(struct table *t, char *const *cells)
{
	unsigned at = 0;

	for (unsigned i = 0; i < t->nfields; i++) {
		const struct field *f = &t->field[i];

		if (i)
			fputs("  ", t->out);
		if (i + 1 == t->nfields && is_prose(f) && at + TABLE_FOLD <= t->line) {
			print_folded(t, cells[i], at);
		} else {
			tame(cells[i], false);
			print_padded(t, f, cells[i]);
		}
		at += f->width + 2;
	}
	fputc('\n', t->out);
}

static void print_heading(struct table *t)
{
	char *titles[TABLE_COLUMNS];

	t->headed = true;
	if (t->nfields == 1 && !t->field[0].title[0])
		return;
	for (unsigned i = 0; i < t->nfields; i++)
		titles[i] = (char *)t->field[i].title;
	fputs(t->colour ? "\033[1m" : "", t->out);
	print_cells(t, titles);
	fputs(t->colour ? "\033[0m" : "", t->out);
}

/* ---- one object */
static void print_object(struct table *t, char *const *cells)
{
	unsigned width = 0;

	for (unsigned i = 0; i < t->nfields; i++)
		if (width_of(t->field[i].title) > width)
			width = width_of(t->field[i].title);
	for (unsigned i = 0; i < t->nfields; i++) {
		const char *title = t->field[i].title, *s = cells[i];
		unsigned indent = title[0] ? width + 2 : 0;

		fprintf(t->out, "%s%*s", title, (int)(indent - width_of(title)), "");
		for (size_t n; s[n = strcspn(s, "\n")]; s += n + 1) {
			print_safe(t->out, strndupa(s, n));
			fprintf(t->out, "\n%*s", (int)indent, "");
		}
		print_safe(t->out, s);
		fputc('\n', t->out);
	}
}

/* ---- the table */
static void widen(struct table *t, char *const *cells)
{
	for (unsigned i = 0; i < t->nfields; i++)
		if (width_of(cells[i]) > t->field[i].width)
			t->field[i].width = width_of(cells[i]);
}

void table_flush(struct table *t)
{
	for (unsigned n = 0; n < t->nrows; n++) {
		char **cells = t->cells + (size_t)n * t->nfields;

		if (t->single)
			print_object(t, cells);
		else if (!t->headed)
			print_heading(t);
		if (!t->single)
			print_cells(t, cells);
		for (unsigned i = 0; i < t->nfields; i++)
			free(cells[i]);
	}
	t->nrows = 0;
}

void table_row(struct table *t, const json_t *row)
{
	char **cells = t->cells + (size_t)t->nrows * t->nfields;

	for (unsigned i = 0; i < t->nfields; i++) {
		cells[i] = cell_text(&t->field[i], json_object_get(row, t->field[i].key));
		if (!cells[i])
			abort();
		if (!t->single)
			tame(cells[i], i + 1 == t->nfields && is_prose(&t->field[i]));
	}
	t->nrows++;
	if (!t->streaming || t->endless)
		widen(t, cells);
	if (t->nrows == TABLE_WAITING)
		t->streaming = true;
	if (t->streaming)
		table_flush(t);
}

static enum kind kind_of(const char *name)
{
	static const char *const names[] = { "text", "number", "bytes", "bool", "json" };

	for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum kind)i;
	return KIND_TEXT;
}

static void add_fields(struct table *t)
{
	json_t *column;
	size_t i;

	json_array_foreach(t->columns, i, column) {
		const char *key = json_string_value(json_object_get(column, "key"));
		const char *title = json_string_value(json_object_get(column, "title"));

		if (!key || !title || t->nfields == TABLE_COLUMNS)
			continue;
		t->field[t->nfields++] = (struct field){
			.key = key,
			.title = title,
			.kind = kind_of(json_string_value(json_object_get(column, "kind"))),
			.width = width_of(title),
		};
	}
}

static bool wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

static unsigned line_width(FILE *out)
{
	struct winsize w;

	return ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
}

struct table *table_create(FILE *out, const json_t *columns, bool single, bool endless)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->out = out;
	t->columns = json_incref((json_t *)columns);
	t->single = single;
	t->endless = endless;
	t->colour = wants_colour(out);
	t->line = line_width(out);
	add_fields(t);
	t->cells = calloc((size_t)TABLE_WAITING * (t->nfields + 1), sizeof(t->cells[0]));
	if (!t->cells)
		abort();
	t->streaming = endless;
	return t;
}

void table_destroy(struct table *t)
{
	table_flush(t);
	json_decref(t->columns);
	free(t->cells);
	free(t);
}
