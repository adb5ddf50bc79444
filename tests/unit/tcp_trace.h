/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces of TCP as text, through tcp_parse(), tcp_first() and tcp_track(). A line is
 *
 *	> S 0+100 ack 1 win 500 ws 7 sackok sack 2000 => pass SYN_SENT 240
 *
 * direction (> original, < reply), flags, sequence number and bytes of data, then what differs from
 * "win 65535"; behind the arrow what must come of it: pass, by, refuse or new, the state
 * afterwards, and if given the timeout in seconds. Numbers count from the initial sequence number
 * of their direction; one with = before it is absolute.
 */
#ifndef TESTS_UNIT_TCP_TRACE_H
#define TESTS_UNIT_TCP_TRACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "router/net/tcp.h"

struct trace {
	struct flow_half half[2];
	struct tcp_options o;
	const struct tcp_timeouts *t;
	uint32_t isn[2], tick;
	bool begun;
	struct flow flow; /* last: its tuples follow, none here */
};

static inline struct trace trace_make(void)
{
	return (struct trace){
		.o = { .loose = true, .revive = true, .max_retrans = 3 },
		.t = &tcp_timeouts_rfc,
		.isn = { 1000000, 4000000 },
	};
}

static inline void trace_put32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline uint8_t trace_flags(const char *word)
{
	static const char letters[] = "FSRP.U";
	uint8_t flags = 0;

	for (; *word; word++) {
		const char *at = strchr(letters, *word);

		assert_non_null(at);
		flags |= (uint8_t)(1 << (at - letters));
	}
	return flags;
}

static inline uint32_t trace_number(const char *word, uint32_t base)
{
	return *word == '=' ? (uint32_t)strtoul(word + 1, NULL, 0)
			    : base + (uint32_t)strtol(word, NULL, 0);
}

/* The words behind the sequence number. Returns the length of the options. */
static inline uint32_t trace_words(char *rest, uint32_t peer_isn, uint8_t *tcp)
{
	uint8_t *opt = tcp + 20;

	for (char *w; (w = strsep(&rest, " "));) {
		if (!strcmp(w, "ack")) {
			trace_put32(tcp + 8, trace_number(strsep(&rest, " "), peer_isn));
		} else if (!strcmp(w, "win")) {
			unsigned win = (unsigned)strtoul(strsep(&rest, " "), NULL, 0);

			tcp[14] = (uint8_t)(win >> 8);
			tcp[15] = (uint8_t)win;
		} else if (!strcmp(w, "ws")) {
			memcpy(opt, (uint8_t[]){ 1, 3, 3, (uint8_t)atoi(strsep(&rest, " ")) }, 4);
			opt += 4;
		} else if (!strcmp(w, "sackok")) {
			memcpy(opt, (uint8_t[]){ 1, 1, 4, 2 }, 4);
			opt += 4;
		} else if (!strcmp(w, "sack")) {
			uint32_t edge = trace_number(strsep(&rest, " "), peer_isn);

			memcpy(opt, (uint8_t[]){ 1, 1, 5, 10 }, 4);
			trace_put32(opt + 4, edge - 1);
			trace_put32(opt + 8, edge);
			opt += 12;
		} else {
			fail_msg("what is %s?", w);
		}
	}
	return (uint32_t)(opt - tcp) - 20;
}

/* Text to bytes to segment; the bytes are as long as the data are. */
static inline enum flow_dir trace_segment(const struct trace *t, char *text,
					  struct tcp_segment *out)
{
	static uint8_t tcp[70000];
	char *dirword = strsep(&text, " "), *flags = strsep(&text, " ");
	char *seq = strsep(&text, " "), *plus = strchr(seq, '+');
	enum flow_dir dir = *dirword == '<' ? FLOW_REPLY : FLOW_ORIG;
	uint32_t optlen;

	memset(tcp, 0, 80);
	trace_put32(tcp + 4, trace_number(seq, t->isn[dir]));
	tcp[13] = trace_flags(flags);
	tcp[14] = tcp[15] = 0xff;
	optlen = text ? trace_words(text, t->isn[!dir], tcp) : 0;
	tcp[12] = (uint8_t)((20 + optlen) / 4 << 4);
	assert_true(tcp_parse(tcp, 20 + optlen + (plus ? (uint32_t)atoi(plus + 1) : 0), out));
	return dir;
}

/* Let the flow have a segment as the pipeline would. Returns the verdict. */
static inline enum tcp_verdict trace_feed(struct trace *t, const struct tcp_segment *s,
					  enum flow_dir dir, uint32_t *timeout)
{
	struct flow_half *own = &t->half[dir], *peer = &t->half[!dir];
	enum tcp_verdict v = TCP_PASS;

	if (!t->begun) {
		t->begun = tcp_first(s, &t->o, &t->flow, own, peer, t->t, timeout) != TCP_INVALID;
		v = t->begun ? TCP_PASS : TCP_REFUSE;
	} else {
		v = tcp_track(s, &t->o, &t->flow, dir, own, peer, t->t, timeout);
	}
	if (v == TCP_PASS)
		flow_touch(own, peer, ++t->tick, *timeout, 40);
	return v;
}

static inline void trace_line(struct trace *t, const char *line)
{
	static const char *const verdicts[] = { "pass", "by", "new", "refuse" };
	char text[160], verdict[16], name[16];
	struct tcp_segment s;
	uint32_t timeout = 0;
	unsigned want = 0;
	enum tcp_verdict v;
	enum flow_dir dir;
	char *arrow;
	int found;

	snprintf(text, sizeof(text), "%s", line);
	arrow = strstr(text, " => ");
	assert_non_null(arrow);
	*arrow = 0;
	found = sscanf(arrow + 4, "%15s %15s %u", verdict, name, &want);
	assert_true(found >= 2);
	dir = trace_segment(t, text, &s);
	v = trace_feed(t, &s, dir, &timeout);
	if (strcmp(verdicts[v], verdict))
		fail_msg("%s: %s", line, verdicts[v]);
	if (strcmp(tcp_state_names[t->flow.state & FLOW_TCP_STATE], name))
		fail_msg("%s: %s", line, tcp_state_names[t->flow.state & FLOW_TCP_STATE]);
	if (found == 3 && timeout != want * 4)
		fail_msg("%s: %u s", line, timeout / 4);
}

/* Lines, the last NULL. */
static inline void trace_run(struct trace *t, const char *const *lines)
{
	for (; *lines; lines++)
		trace_line(t, *lines);
}

#define TRACE(t, ...) trace_run((t), (const char *const[]){ __VA_ARGS__, NULL })

/* Both sides established, nothing sent: original at 1, reply at 1. */
static inline void trace_open(struct trace *t)
{
	TRACE(t, "> S 0 ws 7 sackok => pass SYN_SENT", "< S. 0 ack 1 ws 7 sackok => pass SYN_RECV",
	      "> . 1 ack 1 win 512 => pass ESTABLISHED", "< . 1 ack 1 win 512 => pass ESTABLISHED");
	assert_true(t->flow.state & FLOW_ASSURED);
}

#endif
