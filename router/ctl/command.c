/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to a row of the command table. All commands are tried side by side: each word is
 * offered to every command still in the race, the best fit among all of them (the word itself, then
 * a prefix of one literal, then an argument) decides who stays. So "show c" is ambiguous between
 * two literals, never between a literal and an argument. [any]
 */
#include "router/ctl/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/pattern.h"

struct race {
	unsigned n;
	struct pattern runner[];
};

static struct race *race_create(const struct command *table)
{
	unsigned n = 0, made = 0;
	struct race *r;

	while (table[n].words)
		n++;
	r = malloc(sizeof(*r) + n * sizeof(r->runner[0]));
	if (!r)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		made += pattern_init(&r->runner[made], &table[i]);
	r->n = made;
	return r;
}

/* Every token that may come next, of all commands still in the race. */
typedef void token_fn(void *arg, const struct pattern *p, const struct token *t);

static void each_candidate(const struct race *r, token_fn *fn, void *arg)
{
	unsigned idx[PATTERN_TOKENS];

	for (unsigned i = 0; i < r->n; i++) {
		unsigned n = pattern_candidates(&r->runner[i], idx);

		for (unsigned c = 0; c < n; c++)
			fn(arg, &r->runner[i], &r->runner[i].token[idx[c]]);
	}
}

/* The best fit of one word, and whether two different literals share it. */
struct best {
	const char *word;
	enum fit fit;
	const struct token *token;
	bool ambiguous;
};

static bool same_text(const struct token *a, const struct token *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static void note_best(void *arg, const struct pattern *p, const struct token *t)
{
	struct best *b = arg;
	enum fit fit = token_fit(t, b->word);

	(void)p;
	if (fit > b->fit)
		*b = (struct best){ .word = b->word, .fit = fit, .token = t };
	else if (fit == FIT_PREFIX && fit == b->fit && !same_text(t, b->token))
		b->ambiguous = true;
}

static void advance(struct race *r, const struct best *b)
{
	unsigned idx[PATTERN_TOKENS];

	for (unsigned i = 0; i < r->n; i++) {
		struct pattern *p = &r->runner[i];
		unsigned n = pattern_candidates(p, idx), c = 0;

		while (c < n && token_fit(&p->token[idx[c]], b->word) != b->fit)
			c++;
		if (c < n)
			pattern_take(p, idx[c], b->word);
		else
			p->dead = true;
	}
}

/* ---- what to say when nothing fits */
struct why {
	char *text;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) say(struct why *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->len + 1 >= w->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(w->text + w->len, w->size - w->len, fmt, ap);
	va_end(ap);
	w->len += n > 0 ? (size_t)n : 0;
}

static void say_after(struct why *w, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		say(w, "%s%.40s", i ? " " : " after \"", words[i]);
	if (n)
		say(w, "\"");
}

struct listing {
	struct why *why;
	const char *prefix; /* "": all */
	const struct token *seen[64];
	unsigned n;
};

static void list_one(void *arg, const struct pattern *p, const struct token *t)
{
	struct listing *l = arg;

	(void)p;
	if (l->n == 64 || (l->prefix[0] && token_fit(t, l->prefix) != FIT_PREFIX))
		return;
	for (unsigned i = 0; i < l->n; i++)
		if (same_text(l->seen[i], t))
			return;
	say(l->why, "%s%.*s", l->n ? ", " : ": ", t->len, t->text);
	l->seen[l->n++] = t;
}

/* Levenshtein's distance, or some number above 2 when it is far. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned char row[128];

	if (la >= sizeof(row) || lb >= sizeof(row) || la > lb + 2 || lb > la + 2)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned char)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned char)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = best < diagonal + 1 ? best : diagonal + 1;
			best = best < row[j - 1] + 1u ? best : row[j - 1] + 1u;
			row[j] = (unsigned char)best;
		}
	}
	return row[lb];
}

struct suggestion {
	const char *word;
	const struct token *token;
	unsigned distance;
};

static void note_similar(void *arg, const struct pattern *p, const struct token *t)
{
	struct suggestion *s = arg;
	size_t len = strlen(s->word);
	unsigned d = t->argument ? 99 : distance(s->word, len, t->text, t->len);

	(void)p;
	if (d < s->distance && d <= 2 && d < len) {
		s->distance = d;
		s->token = t;
	}
}

static void explain_unknown(const struct race *r, const char *const *words, unsigned at,
			    struct why *w)
{
	struct suggestion s = { .word = words[at], .distance = 99 };
	struct listing l = { .why = w, .prefix = "" };
	unsigned idx[PATTERN_TOKENS];
	bool more = false;

	for (unsigned i = 0; i < r->n && !more; i++)
		more = pattern_candidates(&r->runner[i], idx) > 0;
	if (!more) {
		say(w, "\"%.64s\" is one word too many", words[at]);
		say_after(w, words, at);
		return;
	}
	say(w, "\"%.64s\" is unknown", words[at]);
	say_after(w, words, at);
	each_candidate(r, note_similar, &s);
	if (s.token) {
		say(w, "; did you mean \"%.*s\"?", s.token->len, s.token->text);
		return;
	}
	say(w, "; it takes");
	each_candidate(r, list_one, &l);
}

static void explain_ambiguous(const struct race *r, const char *const *words, unsigned at,
			      struct why *w)
{
	struct listing l = { .why = w, .prefix = words[at] };

	say(w, "\"%.64s\" is ambiguous", words[at]);
	say_after(w, words, at);
	each_candidate(r, list_one, &l);
}

static void explain_missing(const struct race *r, const char *const *words, unsigned n,
			    struct why *w)
{
	struct listing l = { .why = w, .prefix = "" };

	say(w, "a word is missing");
	say_after(w, words, n);
	each_candidate(r, list_one, &l);
}

/* Offer words to all; false: explained in w (if given). */
static bool run_race(struct race *r, const char *const *words, unsigned n, struct why *w)
{
	for (unsigned i = 0; i < n; i++) {
		struct best b = { .word = words[i] };

		each_candidate(r, note_best, &b);
		if (b.fit != FIT_NONE && !b.ambiguous) {
			advance(r, &b);
			continue;
		}
		if (w && b.ambiguous)
			explain_ambiguous(r, words, i, w);
		else if (w)
			explain_unknown(r, words, i, w);
		return false;
	}
	return true;
}

const struct command *command_match(const struct command *table, const char *const *words,
				    unsigned n, struct request *q, char *why, size_t size)
{
	struct why w = { .text = why, .size = size };
	struct race *r = race_create(table);
	const struct command *found = NULL;

	if (size)
		why[0] = '\0';
	if (!r) {
		say(&w, "out of memory");
		return NULL;
	}
	if (!run_race(r, words, n, &w))
		goto out;
	for (unsigned i = 0; i < r->n && !found; i++) {
		if (!pattern_complete(&r->runner[i]))
			continue;
		found = r->runner[i].cmd;
		memcpy(q->arg, r->runner[i].arg, sizeof(q->arg));
	}
	if (!found)
		explain_missing(r, words, n, &w);
out:
	free(r);
	return found;
}

/* ---- completion */
struct completion {
	command_word_fn *fn;
	void *arg;
	const char *prefix;
	const struct token *seen[64];
	unsigned n;
};

/* A word shared by several commands is told once, and help is for the word that ends a command. */
static void complete_one(void *arg, const struct pattern *p, const struct token *t)
{
	struct completion *c = arg;
	char word[128];
	bool last = t + 1 == p->token + p->ntokens;

	if (c->n == 64 || (!t->argument && strncmp(t->text, c->prefix, strlen(c->prefix)) != 0))
		return;
	for (unsigned i = 0; i < c->n; i++)
		if (same_text(c->seen[i], t))
			return;
	c->seen[c->n++] = t;
	snprintf(word, sizeof(word), "%.*s", t->len, t->text);
	c->fn(c->arg, word, last || t->argument ? p->cmd->help : NULL);
}

void command_complete(const struct command *table, const char *const *words, unsigned n,
		      command_word_fn *fn, void *arg)
{
	struct race *r = race_create(table);
	struct completion c = { .fn = fn, .arg = arg, .prefix = n ? words[n - 1] : "" };

	if (r && run_race(r, words, n ? n - 1 : 0, NULL))
		each_candidate(r, complete_one, &c);
	free(r);
}
