// SPDX-License-Identifier: GPL-2.0-or-later
/* Words in messages: UTF-8 decoding, quoting, and "did you mean". Pure functions. [any] */
#include "config/text.h"

#include <string.h>

enum { WORD_MAX = 40 }; /* longer words are no misspelt keys */

size_t text_utf8(const char *s, size_t len, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)s;

	if (len == 0)
		return 0;
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc0 ? 2 : 0;
	if (n == 0 || n > len || u[0] >= 0xf8)
		return 0;
	uint32_t c = n == 1 ? u[0] : u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*code = c;
	return n;
}

char *text_quote(const char *s, char buf[TEXT_QUOTE_MAX])
{
	size_t n = 0;

	buf[n++] = '"';
	while (*s && n < TEXT_QUOTE_MAX - 9) {
		uint32_t code;
		size_t k = text_utf8(s, strlen(s) < 4 ? strlen(s) : 4, &code);
		if (k == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			buf[n++] = '?';
			s++;
			continue;
		}
		memcpy(buf + n, s, k);
		n += k;
		s += k;
	}
	strcpy(buf + n, *s ? "...\"" : "\"");
	return buf;
}

static unsigned least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned text_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned row[3][WORD_MAX + 1]; /* the last two rows and the present one, in turn */

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = least_of(last[j - 1] + (a[i - 1] != b[j - 1]),
					  least_of(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least_of(now[j], before[j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

void text_guess_add(struct text_guess *g, const char *candidate)
{
	unsigned d = text_distance(g->written, candidate);
	size_t len = strlen(candidate);
	size_t tolerated = len < 4 ? 1 : len / 3 + 1;

	if (d > tolerated || d >= len || (g->best && d >= g->distance))
		return;
	g->best = candidate;
	g->distance = d;
}
