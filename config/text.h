/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things done to words: decode, quote for a message, find the one that was meant. [any] */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_QUOTE_MAX 80

/* Length in bytes of the UTF-8 character at s, with its code point; 0 when it is not valid. */
size_t text_utf8(const char *s, size_t len, uint32_t *code);

/* s in double quotes, fit for a message: unprintable bytes as ?, a long one cut with "...". Returns
 * buf. */
char *text_quote(const char *s, char buf[TEXT_QUOTE_MAX]);

/* How many letters must be inserted, dropped, changed or swapped with their neighbour to make a of
 * b. */
unsigned text_distance(const char *a, const char *b);

/* The nearest so far of several candidates; begin with best = NULL. Words that share too little
 * with what was written are no suggestion. */
struct text_guess {
	const char *written;
	const char *best;
	unsigned distance;
};
void text_guess_add(struct text_guess *g, const char *candidate);

#endif
