/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's commands without a daemon: a request goes the way it would from a connection, and
 * the test calls the generator itself, so that things can happen between two calls. Include after
 * cmocka.h.
 */
#ifndef TESTS_UNIT_ASK_H
#define TESTS_UNIT_ASK_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/peer.h"

struct router;

struct ask {
	struct peer_host host;
	struct peer peer;
	json_t *rows;	   /* as -j has them */
	char message[512]; /* the last one */
	char error[1024];
	int end; /* -1: goes on */
};

static inline void ask_ignore(struct peer_host *h, struct peer *p)
{
	(void)h;
	(void)p;
}

static inline void ask_take_row(struct ask *a, const json_t *row)
{
	json_t *plain = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)row, key, value) {
		json_t *nested = json_object_get(value, "json");

		json_object_set(plain, key, nested ? nested : value);
		if (nested && json_is_string(json_object_get(value, "text"))) {
			char name[64];

			snprintf(name, sizeof(name), "%s.text", key);
			json_object_set(plain, name, json_object_get(value, "text"));
		}
	}
	json_array_append_new(a->rows, plain);
}

static inline void ask_take_line(struct ask *a, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL), *v;

	assert_non_null(line);
	if ((v = json_object_get(line, "row")))
		ask_take_row(a, v);
	if ((v = json_object_get(line, "message")))
		snprintf(a->message, sizeof(a->message), "%s", json_string_value(v));
	if ((v = json_object_get(line, "error")))
		snprintf(a->error, sizeof(a->error), "%s", json_string_value(v));
	if ((v = json_object_get(line, "end")))
		a->end = (int)json_integer_value(v);
	json_decref(line);
}

/* What was said so far; how many bytes it was. */
static inline size_t ask_read(struct ask *a)
{
	const char *s = jsonw_bytes(&a->peer.out), *newline;
	size_t left = a->peer.out.len, all = left;

	while (left && (newline = memchr(s, '\n', left))) {
		ask_take_line(a, s, (size_t)(newline - s));
		left -= (size_t)(newline + 1 - s);
		s = newline + 1;
	}
	jsonw_consume(&a->peer.out, a->peer.out.len);
	return all;
}

/* words: as typed, separated by blanks; -s among them is routerctl's. */
static inline void ask_begin(struct ask *a, struct router *r, bool admin, const char *words)
{
	char text[512], *word, *rest = text;
	json_t *all = json_array(), *request;
	bool statistics = false;
	char *line;

	*a = (struct ask){ .end = -1, .rows = json_array() };
	a->host = (struct peer_host){ .router = r,
				      .table = command_table,
				      .active = ask_ignore,
				      .idle = ask_ignore,
				      .gone = ask_ignore };
	a->peer = (struct peer){ .host = &a->host, .fd = -1, .admin = admin };
	snprintf(text, sizeof(text), "%s", words);
	while ((word = strsep(&rest, " "))) {
		if (strcmp(word, "-s") == 0)
			statistics = true;
		else
			json_array_append_new(all, json_string(word));
	}
	request = json_pack("{s:o, s:b}", "words", all, "statistics", statistics);
	line = json_dumps(request, 0);
	peer_request(&a->peer, line, strlen(line));
	free(line);
	json_decref(request);
	ask_read(a);
}

/* One more call of the generator. False: it has ended. */
static inline bool ask_step(struct ask *a)
{
	if (a->peer.state == PEER_IDLE)
		a->peer.state = PEER_RUNNING;
	if (a->peer.state == PEER_RUNNING)
		peer_run(&a->peer);
	ask_read(a);
	return a->end < 0;
}

/* The client has enough, and hears the end. */
static inline void ask_stop(struct ask *a)
{
	a->peer.request.stopping = true;
	while (ask_step(a))
		;
}

/* To be called whether the command has ended or the client just goes. */
static inline void ask_end(struct ask *a)
{
	if (a->peer.state != PEER_READING) {
		(a->peer.cursor.release ? a->peer.cursor.release : free)(a->peer.cursor.data);
		answer_fini(&a->peer.ctx);
		json_decref(a->peer.json);
	}
	jsonw_fini(&a->peer.out);
	json_decref(a->rows);
	a->rows = NULL;
}

/* All of it. To be ended. */
static inline void ask_all(struct ask *a, struct router *r, const char *words)
{
	ask_begin(a, r, true, words);
	while (a->end < 0 && ask_step(a))
		;
}

#endif
