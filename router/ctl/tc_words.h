/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc's way to write things: rates, sizes, times, handles; and lists of options, as words and as
 * JSON from one call. Formats are those of iproute2 6.1. [control]
 */
#ifndef ROUTER_CTL_TC_WORDS_H
#define ROUTER_CTL_TC_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TC_STRLEN 32

/* Each returns buf. */
char *tc_rate(uint64_t bytes_per_second, char buf[TC_STRLEN]); /* 5Mbit */
char *tc_size(uint64_t bytes, char buf[TC_STRLEN]);	       /* 1600b, 15Kb */
char *tc_time(uint64_t us, char buf[TC_STRLEN]);	       /* 4.88ms */
char *tc_handle(uint32_t handle, char buf[TC_STRLEN]);	       /* 1:, 1:10, :10, root, none */

/* What tc makes of a time of codel's, which Linux keeps in units of 1024 ns; in us. */
uint64_t tc_codel_us(uint64_t ns);
/* Linux keeps the time that a burst takes, in ticks of 64 ns made of whole microseconds; this is
 * the size, and that time in us, as tc shows them. */
uint64_t tc_burst(uint64_t rate, uint64_t burst);
uint64_t tc_burst_us(uint64_t rate, uint64_t burst);

/* Options: "limit 100p ecn" and {"limit": 100, "ecn": true}. */
struct tc_words {
	FILE *text;   /* words with a blank between two */
	json_t *json; /* an object; NULL: nobody wants it. Rates in bytes/s, times in us */
	bool exact;   /* as tc would print it, its roundings included, and no more than that */
	bool begun;   /* text has a word */
};

void tc_word(struct tc_words *w, const char *key);		 /* text only */
void tc_word_flag(struct tc_words *w, const char *key, bool on); /* if on */
void tc_word_text(struct tc_words *w, const char *key, const char *value);
void tc_word_number(struct tc_words *w, const char *key, int64_t n, const char *unit);
void tc_word_size(struct tc_words *w, const char *key, uint64_t bytes);
void tc_word_rate(struct tc_words *w, const char *key, uint64_t bytes_per_second);
void tc_word_time(struct tc_words *w, const char *key, uint64_t us);
/* A share of 2^32 - 1: 1%, and 0.01 in JSON. key NULL: text without it. */
void tc_word_share(struct tc_words *w, const char *key, uint32_t share);

/* What follows goes into an object of this name; until tc_word_end(). */
struct tc_words tc_word_begin(struct tc_words *w, const char *key);
void tc_word_end(struct tc_words *w, const struct tc_words *inner);

#endif
