/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See jsonw.h. */
#include "router/lib/jsonw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jsonw_fini(struct jsonw *w)
{
	free(w->data);
	*w = (struct jsonw){ 0 };
}

/* Room for n more bytes and a NUL for vsnprintf. */
static bool reserve(struct jsonw *w, size_t n)
{
	size_t cap = w->cap ? w->cap : 1024;
	char *data;

	if (w->failed || n > SIZE_MAX / 4 || w->len > SIZE_MAX / 4) {
		w->failed = true;
		return false;
	}
	if (w->start + w->len + n < w->cap)
		return true;
	if (w->start) {
		memmove(w->data, w->data + w->start, w->len);
		w->start = 0;
		if (w->len + n < w->cap)
			return true;
	}
	while (cap <= w->len + n)
		cap *= 2;
	data = realloc(w->data, cap);
	if (!data) {
		w->failed = true;
		return false;
	}
	w->data = data;
	w->cap = cap;
	return true;
}

void jsonw_append(struct jsonw *w, const void *bytes, size_t n)
{
	if (!reserve(w, n))
		return;
	memcpy(w->data + w->start + w->len, bytes, n);
	w->len += n;
}

void jsonw_raw(struct jsonw *w, const char *s)
{
	jsonw_append(w, s, strlen(s));
}

void jsonw_printf(struct jsonw *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(w, (size_t)n)) {
		w->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(w->data + w->start + w->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	w->len += (size_t)n;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
unsigned utf8_length(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;

	if (u[0] == 0 || u[0] > 0xf4)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

static void escape(struct jsonw *w, unsigned char c)
{
	switch (c) {
	case '"': jsonw_raw(w, "\\\""); break;
	case '\\': jsonw_raw(w, "\\\\"); break;
	case '\n': jsonw_raw(w, "\\n"); break;
	case '\t': jsonw_raw(w, "\\t"); break;
	default: jsonw_printf(w, "\\u%04x", c);
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void jsonw_string(struct jsonw *w, const char *s)
{
	if (!s) {
		jsonw_raw(w, "null");
		return;
	}
	jsonw_raw(w, "\"");
	while (*s) {
		size_t n = 0;

		while (is_plain((unsigned char)s[n]))
			n++;
		if (n) {
			jsonw_append(w, s, n);
		} else if ((unsigned char)*s < 0x80) {
			escape(w, (unsigned char)*s);
			n = 1;
		} else if ((n = utf8_length(s))) {
			jsonw_append(w, s, n);
		} else {
			jsonw_raw(w, "\\ufffd");
			n = 1;
		}
		s += n;
	}
	jsonw_raw(w, "\"");
}

void jsonw_consume(struct jsonw *w, size_t n)
{
	bool failed = w->failed;

	if (n < w->len) {
		w->start += n;
		w->len -= n;
		return;
	}
	jsonw_fini(w);
	w->failed = failed;
}

void jsonw_truncate(struct jsonw *w, size_t len)
{
	if (len < w->len)
		w->len = len;
}
