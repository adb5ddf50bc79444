/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/net/tcp_table, tcp_parse: requirements C1, C2, C9, T5 and the flags that no host sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "router/net/tcp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALL                                                                                        \
	"NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE "         \
	"SYN_SENT2"

/* What each kind of segment does, by what comes of it. Each of the 120 cells is named once. */
struct sentence {
	enum flow_dir dir;
	enum tcp_kind kind;
	const char *becomes, *from;
};

static const struct sentence sentences[] = {
	/* A client opens, or opens again what ended; within a connection the server must answer. */
	{ FLOW_ORIG, TCP_K_SYN, "SYN_SENT", "NONE SYN_SENT TIME_WAIT CLOSE" },
	{ FLOW_ORIG, TCP_K_SYN, "SYN_SENT2", "SYN_SENT2" },
	{ FLOW_ORIG, TCP_K_SYN, "ignored", "SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK" },
	/* A client sends SYN/ACK only in a simultaneous open. */
	{ FLOW_ORIG, TCP_K_SYNACK, "SYN_RECV", "SYN_RECV SYN_SENT2" },
	{ FLOW_ORIG, TCP_K_SYNACK, "invalid",
	  "NONE SYN_SENT ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE" },
	/* The first FIN, the second, and their repetitions. */
	{ FLOW_ORIG, TCP_K_FIN, "FIN_WAIT", "SYN_RECV ESTABLISHED" },
	{ FLOW_ORIG, TCP_K_FIN, "LAST_ACK", "FIN_WAIT CLOSE_WAIT LAST_ACK" },
	{ FLOW_ORIG, TCP_K_FIN, "TIME_WAIT", "TIME_WAIT" },
	{ FLOW_ORIG, TCP_K_FIN, "CLOSE", "CLOSE" },
	{ FLOW_ORIG, TCP_K_FIN, "invalid", "NONE SYN_SENT SYN_SENT2" },
	/* Picked up in the middle; third of the handshake; answers to FINs. */
	{ FLOW_ORIG, TCP_K_ACK, "ESTABLISHED", "NONE SYN_RECV ESTABLISHED" },
	{ FLOW_ORIG, TCP_K_ACK, "CLOSE_WAIT", "FIN_WAIT CLOSE_WAIT" },
	{ FLOW_ORIG, TCP_K_ACK, "TIME_WAIT", "LAST_ACK TIME_WAIT" },
	{ FLOW_ORIG, TCP_K_ACK, "CLOSE", "CLOSE" },
	{ FLOW_ORIG, TCP_K_ACK, "invalid", "SYN_SENT SYN_SENT2" },
	{ FLOW_ORIG, TCP_K_RST, "CLOSE",
	  "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2" },
	{ FLOW_ORIG, TCP_K_RST, "invalid", "NONE" },
	{ FLOW_ORIG, TCP_K_NONE, "invalid", ALL },

	/* A server's SYN crosses the client's; or the roles change after the end. */
	{ FLOW_REPLY, TCP_K_SYN, "SYN_SENT2", "SYN_SENT SYN_SENT2" },
	{ FLOW_REPLY, TCP_K_SYN, "SYN_SENT", "TIME_WAIT" },
	{ FLOW_REPLY, TCP_K_SYN, "invalid",
	  "NONE SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK CLOSE" },
	/* The answer, and its repetitions, which may be for a SYN that was ignored. */
	{ FLOW_REPLY, TCP_K_SYNACK, "SYN_RECV", "SYN_SENT SYN_SENT2" },
	{ FLOW_REPLY, TCP_K_SYNACK, "ignored",
	  "SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE" },
	{ FLOW_REPLY, TCP_K_SYNACK, "invalid", "NONE" },
	{ FLOW_REPLY, TCP_K_FIN, "FIN_WAIT", "SYN_RECV ESTABLISHED" },
	{ FLOW_REPLY, TCP_K_FIN, "LAST_ACK", "FIN_WAIT CLOSE_WAIT LAST_ACK" },
	{ FLOW_REPLY, TCP_K_FIN, "TIME_WAIT", "TIME_WAIT" },
	{ FLOW_REPLY, TCP_K_FIN, "CLOSE", "CLOSE" },
	{ FLOW_REPLY, TCP_K_FIN, "invalid", "NONE SYN_SENT SYN_SENT2" },
	/* A server's ACK opens nothing; before its SYN/ACK it is a challenge. */
	{ FLOW_REPLY, TCP_K_ACK, "ignored", "SYN_SENT SYN_SENT2" },
	{ FLOW_REPLY, TCP_K_ACK, "SYN_RECV", "SYN_RECV" },
	{ FLOW_REPLY, TCP_K_ACK, "ESTABLISHED", "ESTABLISHED" },
	{ FLOW_REPLY, TCP_K_ACK, "CLOSE_WAIT", "FIN_WAIT CLOSE_WAIT" },
	{ FLOW_REPLY, TCP_K_ACK, "TIME_WAIT", "LAST_ACK TIME_WAIT" },
	{ FLOW_REPLY, TCP_K_ACK, "CLOSE", "CLOSE" },
	{ FLOW_REPLY, TCP_K_ACK, "invalid", "NONE" },
	{ FLOW_REPLY, TCP_K_RST, "CLOSE",
	  "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2" },
	{ FLOW_REPLY, TCP_K_RST, "invalid", "NONE" },
	{ FLOW_REPLY, TCP_K_NONE, "invalid", ALL },
};

static unsigned state_of(const char *name)
{
	for (unsigned i = 0; i < TCP_STATES; i++)
		if (!strcmp(tcp_state_names[i], name))
			return i;
	fail_msg("no state %s", name);
	return 0;
}

static unsigned result_of(const char *name)
{
	if (!strcmp(name, "ignored"))
		return TCP_IGNORE;
	return strcmp(name, "invalid") ? state_of(name) : TCP_INVALID;
}

static void every_cell(void **state)
{
	bool seen[2][TCP_KINDS][TCP_STATES] = { 0 };
	unsigned cells = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(sentences); i++) {
		const struct sentence *s = &sentences[i];
		char from[160], *rest = from;

		snprintf(from, sizeof(from), "%s", s->from);
		for (char *name; (name = strsep(&rest, " "));) {
			unsigned old = state_of(name);

			assert_false(seen[s->dir][s->kind][old]);
			seen[s->dir][s->kind][old] = true;
			cells++;
			if (tcp_table[s->dir][s->kind][old] != result_of(s->becomes))
				fail_msg("%s, kind %d, from %s: not %s", s->dir ? "reply" : "orig",
					 s->kind, name, s->becomes);
		}
	}
	assert_int_equal(cells, 120);
}

static void names(void **state)
{
	static const char *const want[] = { "NONE",	"SYN_SENT",   "SYN_RECV", "ESTABLISHED",
					    "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
					    "CLOSE",	"SYN_SENT2" };

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++)
		assert_string_equal(tcp_state_names[i], want[i]);
}

/* C9, in seconds; T5's floors hold for every state of the other profile. */
static void timeouts(void **state)
{
	static const uint32_t want[TCP_STATES] = {
		[TCP_NONE] = 10,      [TCP_SYN_SENT] = 120,
		[TCP_SYN_RECV] = 60,  [TCP_ESTABLISHED] = 432000,
		[TCP_FIN_WAIT] = 120, [TCP_CLOSE_WAIT] = 60,
		[TCP_LAST_ACK] = 30,  [TCP_TIME_WAIT] = 120,
		[TCP_CLOSE] = 10,     [TCP_SYN_SENT2] = 120,
	};

	(void)state;
	for (unsigned i = 0; i < TCP_STATES; i++) {
		assert_int_equal(tcp_timeouts_linux.state[i], want[i] * 4);
		assert_int_equal(tcp_timeouts_rfc.state[i],
				 (i == TCP_ESTABLISHED ? 7440 : 240) * 4);
	}
	assert_int_equal(tcp_timeouts_linux.max_retrans, 1200);
	assert_int_equal(tcp_timeouts_linux.unacknowledged, 1200);
	assert_int_equal(tcp_timeouts_rfc.max_retrans, 1200);
	assert_int_equal(tcp_timeouts_rfc.unacknowledged, 1200);
}

/* All 256 combinations: nine of FIN SYN RST ACK URG are possible, with any of PSH, ECE, CWR. */
static void flag_combinations(void **state)
{
	static const struct {
		uint8_t flags;
		enum tcp_kind kind;
	} good[] = {
		{ 0x02, TCP_K_SYN }, { 0x22, TCP_K_SYN }, { 0x12, TCP_K_SYNACK },
		{ 0x04, TCP_K_RST }, { 0x14, TCP_K_RST }, { 0x11, TCP_K_FIN },
		{ 0x31, TCP_K_FIN }, { 0x10, TCP_K_ACK }, { 0x30, TCP_K_ACK },
	};
	unsigned accepted = 0;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		uint8_t header[20] = { [12] = 0x50, [13] = (uint8_t)flags };
		struct tcp_segment s;
		bool want = false;

		for (size_t i = 0; i < COUNT(good); i++)
			want |= (flags & 0x37) == good[i].flags;
		assert_int_equal(tcp_parse(header, sizeof(header), &s), want);
		for (size_t i = 0; want && i < COUNT(good); i++)
			if ((flags & 0x37) == good[i].flags)
				assert_int_equal(s.kind, good[i].kind);
		accepted += want;
	}
	assert_int_equal(accepted, 9 * 8);
}

static void lengths(void **state)
{
	uint8_t header[60] = { [7] = 5, [11] = 9, [13] = 0x11, [15] = 7 };
	struct tcp_segment s;

	(void)state;
	for (unsigned words = 0; words < 16; words++)
		for (uint32_t len = 0; len <= sizeof(header); len++) {
			header[12] = (uint8_t)(words << 4);
			assert_int_equal(tcp_parse(header, len, &s),
					 words >= 5 && words * 4 <= len);
		}
	header[12] = 0x50;
	assert_true(tcp_parse(header, 60, &s));
	assert_int_equal(s.seq, 5);
	assert_int_equal(s.end, 5 + 40 + 1);
	assert_int_equal(s.ack, 9);
	assert_int_equal(s.win, 7);
}

static bool with_options(uint8_t flags, const uint8_t *opt, size_t len, struct tcp_segment *s)
{
	uint8_t *header = calloc(1, 20 + len); /* on the heap: the sanitizers watch its end */
	bool ok;

	header[11] = 100;
	header[12] = (uint8_t)((20 + len) / 4 << 4);
	header[13] = flags;
	memcpy(header + 20, opt, len);
	ok = tcp_parse(header, (uint32_t)(20 + len), s);
	free(header);
	return ok;
}

static void option_rows(void **state)
{
	static const uint8_t syn[] = {
		2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7
	};
	static const uint8_t wide[] = { 3, 3, 200, 0 };
	static const uint8_t cut[] = { 1, 1, 1, 3 };
	static const uint8_t zero[] = { 3, 0, 3, 3 };
	static const uint8_t ended[] = { 0, 3, 3, 7 };
	static const uint8_t late[] = { 3, 40, 7, 0 };
	/* a D-SACK below the acknowledgement, then two blocks */
	static const uint8_t sack[] = { 1, 1,	5, 26, 0, 0,   0, 10, 0, 0,   0, 20, 0, 0,
					0, 150, 0, 0,  0, 200, 0, 0,  0, 110, 0, 0,  0, 120 };
	struct tcp_segment s;

	(void)state;
	assert_true(with_options(0x02, syn, sizeof(syn), &s));
	assert_true(s.has_scale && s.has_sack_perm);
	assert_int_equal(s.scale, 7);
	assert_true(with_options(0x10, syn, sizeof(syn), &s));
	assert_false(s.has_scale || s.has_sack_perm);
	assert_true(with_options(0x02, wide, sizeof(wide), &s));
	assert_int_equal(s.scale, 14);
	assert_true(with_options(0x02, cut, sizeof(cut), &s) && !s.has_scale);
	assert_true(with_options(0x02, zero, sizeof(zero), &s) && !s.has_scale);
	assert_true(with_options(0x02, ended, sizeof(ended), &s) && !s.has_scale);
	assert_true(with_options(0x02, late, sizeof(late), &s) && !s.has_scale);
	assert_true(with_options(0x10, sack, sizeof(sack), &s));
	assert_int_equal(s.sack, 200);
	assert_int_equal(s.ack, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell), cmocka_unit_test(names),
		cmocka_unit_test(timeouts),   cmocka_unit_test(flag_combinations),
		cmocka_unit_test(lengths),    cmocka_unit_test(option_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
