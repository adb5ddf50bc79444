/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing buffer of bytes that knows how to write JSON. What is taken from the front costs no
 * copy until the buffer must grow. When memory ends, `failed` is set and everything later is
 * ignored, so that a writer checks once, at the end. An empty buffer holds no memory. [any]
 */
#ifndef ROUTER_LIB_JSONW_H
#define ROUTER_LIB_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsonw {
	char *data; /* the bytes are data[start .. start + len) */
	size_t start, len, cap;
	bool failed;
};

void jsonw_fini(struct jsonw *w); /* frees; the buffer is empty and usable again */

static inline const char *jsonw_bytes(const struct jsonw *w)
{
	return w->data ? w->data + w->start : "";
}

/* As they are. */
void jsonw_append(struct jsonw *w, const void *bytes, size_t n);
void jsonw_raw(struct jsonw *w, const char *s);
void jsonw_printf(struct jsonw *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string, quoted and escaped; NULL is null. Bytes that are not UTF-8 become U+FFFD, so that
 * the result is JSON whatever came in. */
void jsonw_string(struct jsonw *w, const char *s);

/* Forget the first n bytes, or the last ones down to a length. */
void jsonw_consume(struct jsonw *w, size_t n);
void jsonw_truncate(struct jsonw *w, size_t len);

/* Length of the UTF-8 character at s (1 .. 4), 0 when it is none. Stops at the NUL. */
unsigned utf8_length(const char *s);

#endif
