/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections in the packet path: states and their timers, windows, resets, connections picked
 * up in the middle and those seen from one side. Requirements C2-C6, C9, C28; cell by cell the
 * table is tested in test_tcp_table.c. What is invalid is dropped here by a rule.
 */
#include "router/net/tcp.h"
#include "tests/unit/pipe_talk.h"

#define RULE "filter: {c: {hook: forward, rules: [{ct: invalid, action: drop}]}}\n"

static void opened(struct pipe_flows *f, const char *conntrack)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), "conntrack: {profile: linux%s}\n" RULE, conntrack);
	flows_open(f, yaml);
}

static enum tcp_state state_of(const struct pipe_flows *f)
{
	return (enum tcp_state)(flow_state(the_record(f)) & FLOW_TCP_STATE);
}

static void is_in(const struct pipe_flows *f, enum tcp_state s, unsigned left)
{
	assert_int_equal(state_of(f), s);
	assert_int_equal(left_s(f), left);
}

/* Row: dropped as invalid; the flow is as it was. */
static void tcp_invalid(struct pipe_flows *f, const struct talk *t, bool back, unsigned flags,
			uint32_t seq, uint32_t ack, unsigned data)
{
	uint64_t packets = the_half(f, back)->packets;
	enum tcp_state s = state_of(f);
	unsigned left = left_s(f);

	tcp_drops(f, t, back, flags, seq, ack, data, DROP_FILTER_RULE);
	assert_int_equal(the_half(f, back)->packets, packets);
	is_in(f, s, left);
}

/* Row: it passes, and the flow is as it was. */
static void tcp_by(struct pipe_flows *f, const struct talk *t, bool back, unsigned flags,
		   uint32_t seq, uint32_t ack, unsigned data)
{
	enum tcp_state s = state_of(f);
	unsigned left;

	f->p.now += NSEC_PER_SEC;
	left = left_s(f);
	tcp_passes(f, t, back, flags, seq, ack, data);
	is_in(f, s, left);
}

/* ---- C2, C9: a connection's life */

static void test_life(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		const struct talk *c = &t[six];

		opened(&f, "");
		tcp_passes(&f, c, false, SYN, 1000, 0, 0);
		is_in(&f, TCP_SYN_SENT, 120);
		tcp_passes(&f, c, true, SYN | ACK, 5000, 1001, 0);
		is_in(&f, TCP_SYN_RECV, 60);
		tcp_passes(&f, c, false, ACK, 1001, 5001, 0);
		is_in(&f, TCP_ESTABLISHED, 432000);
		assert_true(flow_state(the_record(&f)) & FLOW_ASSURED);
		tcp_passes(&f, c, false, ACK, 1001, 5001, 100);
		is_in(&f, TCP_ESTABLISHED, 300); /* not acknowledged (C5) */
		tcp_passes(&f, c, true, ACK, 5001, 1101, 1000);
		is_in(&f, TCP_ESTABLISHED, 300);
		tcp_passes(&f, c, false, ACK, 1101, 6001, 0);
		is_in(&f, TCP_ESTABLISHED, 432000);
		tcp_passes(&f, c, false, FIN | ACK, 1101, 6001, 0);
		is_in(&f, TCP_FIN_WAIT, 120);
		tcp_passes(&f, c, true, ACK, 6001, 1102, 10); /* half closed: data go on */
		is_in(&f, TCP_CLOSE_WAIT, 60);
		tcp_passes(&f, c, true, FIN | ACK, 6011, 1102, 0);
		is_in(&f, TCP_LAST_ACK, 30);
		tcp_passes(&f, c, false, ACK, 1102, 6012, 0);
		is_in(&f, TCP_TIME_WAIT, 120);
		assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 6);
		assert_int_equal(the_half(&f, FLOW_REPLY)->packets, 4);
		assert_int_equal(the_half(&f, FLOW_REPLY)->bytes, 4 * (six ? 60 : 40) + 1000 + 10);
		/* T14: the same ports again make a new flow, at once */
		tcp_passes(&f, c, false, SYN, 9000, 0, 0);
		assert_int_equal(live(&f), 1);
		is_in(&f, TCP_SYN_SENT, 120);
		assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 1);
		assert_int_equal(flows_stats(&f).made, 2);
		flows_wait_s(&f, 120 + 16);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* A SYN inside a connection is the server's to challenge; a server's SYN is a simultaneous open;
 * SYN/ACK is no beginning. */
static void test_cells(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	opened(&f, "");
	tcp_drops(&f, &t, false, SYN | ACK, 1000, 1, 0, DROP_FILTER_RULE);
	tcp_drops(&f, &t, false, RST, 1000, 1, 0, DROP_FILTER_RULE);
	tcp_drops(&f, &t, false, 0, 1000, 1, 0, DROP_FILTER_RULE);
	assert_int_equal(live(&f), 0);
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_invalid(&f, &t, false, SYN | ACK, 1000, 5001, 0);
	tcp_by(&f, &t, true, ACK, 5000, 77, 0); /* of an older connection; but an answer */
	assert_true(flow_state(the_record(&f)) & FLOW_REPLIED);
	tcp_passes(&f, &t, true, SYN, 5000, 0, 0);
	is_in(&f, TCP_SYN_SENT2, 120);
	tcp_passes(&f, &t, false, SYN | ACK, 1000, 5001, 0);
	is_in(&f, TCP_SYN_RECV, 60);
	tcp_passes(&f, &t, true, SYN | ACK, 5000, 1001, 0);
	assert_int_equal(state_of(&f), TCP_ESTABLISHED);
	tcp_passes(&f, &t, false, ACK, 1001, 5001, 0);
	is_in(&f, TCP_ESTABLISHED, 432000);
	tcp_by(&f, &t, false, SYN, 77000, 0, 0);
	tcp_passes(&f, &t, true, ACK, 5001, 1001, 0); /* the challenge */
	is_in(&f, TCP_ESTABLISHED, 432000);
	flows_close(&f);
}

/* C4: a connection whose beginning was not seen. */
static void test_loose(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		opened(&f, "");
		tcp_passes(&f, &t[six], false, ACK, 123456, 654321, 10);
		assert_int_equal(state_of(&f), TCP_ESTABLISHED);
		tcp_passes(&f, &t[six], true, ACK, 654321, 123466, 1400);
		tcp_passes(&f, &t[six], false, ACK, 123466, 655721, 0);
		tcp_passes(&f, &t[six], false, FIN | ACK, 123466, 655721, 0);
		assert_int_equal(state_of(&f), TCP_FIN_WAIT);
		flows_close(&f);
		opened(&f, ", tcp-loose: false");
		tcp_drops(&f, &t[six], false, ACK, 123456, 654321, 10, DROP_FILTER_RULE);
		tcp_drops(&f, &t[six], false, FIN | ACK, 123456, 654321, 0, DROP_FILTER_RULE);
		assert_int_equal(live(&f), 0);
		tcp_opens(&f, &t[six]);
		flows_close(&f);
	}
}

/* ---- C3: windows */

static void test_window(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		const struct talk *c = &t[six];

		opened(&f, "");
		tcp_opens(&f, c); /* each may send 8000 bytes */
		tcp_invalid(&f, c, true, ACK, 5001 + 8001, 1001, 10);
		tcp_invalid(&f, c, false, ACK, 1001 + 8001, 5001, 10);
		tcp_invalid(&f, c, false, ACK, 1001, 5002, 0); /* acknowledges what was not sent */
		tcp_invalid(&f, c, true, ACK, 5001, 1002, 0);
		for (unsigned i = 0; i < 8; i++)
			tcp_passes(&f, c, false, ACK, 1001 + 1000 * i, 5001, 1000);
		tcp_invalid(&f, c, false, ACK, 9002, 5001, 10);
		tcp_passes(&f, c, true, ACK, 5001, 9001, 0);
		tcp_passes(&f, c, false, ACK, 9001, 5001, 10);
		/* a keep-alive; what was sent long ago passes, to be answered */
		tcp_passes(&f, c, true, ACK, 5000, 9011, 0);
		tcp_passes(&f, c, false, ACK, 9010, 5001, 1);
		tcp_by(&f, c, false, ACK, 200, 5001, 10);
		flows_close(&f);
		/* and liberal, but for RST */
		opened(&f, ", tcp-liberal: true");
		tcp_opens(&f, c);
		tcp_passes(&f, c, false, ACK, 900000, 5001, 10);
		tcp_passes(&f, c, true, ACK, 900000, 1001, 10);
		tcp_invalid(&f, c, false, RST, 900000, 0, 0);
		flows_close(&f);
	}
}

/* Sequence numbers come around. */
static void test_wrap(void **state)
{
	struct talk t = TALK6;
	struct pipe_flows f;

	(void)state;
	opened(&f, "");
	tcp_passes(&f, &t, false, SYN, 0xfffffff0, 0, 0);
	tcp_passes(&f, &t, true, SYN | ACK, 0xffffffff, 0xfffffff1, 0);
	tcp_passes(&f, &t, false, ACK, 0xfffffff1, 0, 0);
	for (unsigned i = 0; i < 10; i++) {
		tcp_passes(&f, &t, false, ACK, 0xfffffff1 + 1000 * i, 0, 1000);
		tcp_passes(&f, &t, true, ACK, 0, 0xfffffff1 + 1000 * (i + 1), 0);
	}
	tcp_invalid(&f, &t, false, ACK, 0xfffffff1 + 10000 + 8001, 0, 1);
	is_in(&f, TCP_ESTABLISHED, 432000);
	flows_close(&f);
}

/* The window's scale counts when both offered one. */
static void test_scale(void **state)
{
	static const uint8_t scale7[4] = { 1, 3, 3, 7 };
	struct talk t = TALK4;

	(void)state;
	for (unsigned both = 0; both < 2; both++) {
		struct pipe_flows f;
		struct frame in;

		opened(&f, "");
		talk_tcp_with(&t, &in, false, SYN, 1000, 0, 0, scale7, 4);
		passes(&f, &t, false, &in);
		talk_tcp_with(&t, &in, true, SYN | ACK, 5000, 1001, 0, scale7, both ? 4 : 0);
		passes(&f, &t, true, &in);
		tcp_passes(&f, &t, false, ACK, 1001, 5001, 0);
		if (both) /* 8000 << 7 */
			tcp_passes(&f, &t, true, ACK, 5001 + 1000000, 1001, 10);
		else
			tcp_invalid(&f, &t, true, ACK, 5001 + 1000000, 1001, 10);
		tcp_invalid(&f, &t, true, ACK, 5001 + 1024001, 1001, 10);
		flows_close(&f);
	}
}

/* ---- C5: retransmissions */

static void test_retransmissions(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	opened(&f, ", tcp-max-retrans: 3, timeouts: {tcp-unacknowledged: 1000s}");
	tcp_opens(&f, &t);
	tcp_passes(&f, &t, false, ACK, 1001, 5001, 100);
	is_in(&f, TCP_ESTABLISHED, 1000);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(left_s(&f), 1000);
		tcp_passes(&f, &t, false, ACK, 1001, 5001, 100);
	}
	is_in(&f, TCP_ESTABLISHED, 300);
	tcp_passes(&f, &t, true, ACK, 5001, 1101, 0);
	is_in(&f, TCP_ESTABLISHED, 432000);
	flows_close(&f);
}

/* ---- C6: resets */

static void test_resets(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		const struct talk *c = &t[six];

		opened(&f, "");
		tcp_opens(&f, c);
		tcp_passes(&f, c, false, ACK, 1001, 5001, 1000);
		tcp_passes(&f, c, true, ACK, 5001, 2001, 0);
		tcp_passes(&f, c, false, ACK, 2001, 5001, 0);
		/* as packetdrill's rst_invalid: before what was acknowledged, and far away */
		tcp_invalid(&f, c, false, RST, 1001, 0, 0);
		tcp_invalid(&f, c, false, RST, 2000, 0, 0);
		tcp_invalid(&f, c, true, RST, 5000, 0, 0);
		tcp_invalid(&f, c, true, RST, 5001 + 70000, 0, 0);
		/* inside, not exact: for the host to challenge (RFC 5961) */
		tcp_by(&f, c, false, RST, 2002, 0, 0);
		tcp_by(&f, c, true, RST, 5100, 0, 0);
		is_in(&f, TCP_ESTABLISHED, left_s(&f));
		tcp_passes(&f, c, true, RST, 5001, 0, 0);
		is_in(&f, TCP_CLOSE, 10);
		flows_wait_s(&f, 10 + 16);
		assert_int_equal(live(&f), 0);
		/* refused at once */
		tcp_passes(&f, c, false, SYN, 1000, 0, 0);
		tcp_invalid(&f, c, true, RST | ACK, 0, 1002, 0);
		tcp_invalid(&f, c, true, RST | ACK, 0, 1001 - 70000, 0);
		tcp_invalid(&f, c, true, RST, 0, 0, 0);
		tcp_passes(&f, c, true, RST | ACK, 0, 1001, 0);
		is_in(&f, TCP_CLOSE, 10);
		flows_close(&f);
		/* while it closes, any in the window */
		opened(&f, "");
		tcp_opens(&f, c);
		tcp_passes(&f, c, false, FIN | ACK, 1001, 5001, 0);
		tcp_passes(&f, c, true, RST, 5050, 0, 0);
		is_in(&f, TCP_CLOSE, 10);
		flows_close(&f);
	}
}

/* An RST that a rule drops before tracking has not been; nor has anything of a direction that the
 * first stage refuses. */
static void test_dropped_in_raw(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {profile: linux}\n"
			       "filter: {c: {hook: prerouting, priority: raw, rules: [\n"
			       "  {proto: tcp, flags: rst/rst, in: p1, action: drop}]}}\n");
		tcp_opens(&f, &t[six]);
		tcp_drops(&f, &t[six], true, RST, 5001, 0, 0, DROP_FILTER_RULE);
		is_in(&f, TCP_ESTABLISHED, 432000);
		tcp_passes(&f, &t[six], false, ACK, 1001, 5001, 10);
		tcp_passes(&f, &t[six], true, ACK, 5001, 1011, 10);
		assert_true(flows_load(&f,
				       "conntrack: {profile: linux}\n"
				       "filter: {c: {hook: prerouting, priority: raw, rules: [\n"
				       "  {in: p1, action: drop}]}}\n"));
		tcp_drops(&f, &t[six], true, RST, 5011, 0, 0, DROP_FILTER_RULE);
		tcp_drops(&f, &t[six], true, RST, 5011, 0, 0, DROP_FILTER_RULE);
		assert_int_equal(state_of(&f), TCP_ESTABLISHED);
		tcp_passes(&f, &t[six], false, RST, 1011, 0, 0);
		is_in(&f, TCP_CLOSE, 10);
		flows_close(&f);
	}
}

/* ---- C28: one side of it */

static void test_one_sided(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	opened(&f, ", tcp-liberal: true");
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_passes(&f, &t, false, ACK, 1001, 5001, 0);
	assert_int_equal(state_of(&f), TCP_ESTABLISHED);
	for (unsigned i = 0; i < 20; i++)
		tcp_passes(&f, &t, false, ACK, 1001 + 1000 * i, 5001 + 3000 * i, 1000);
	tcp_passes(&f, &t, false, FIN | ACK, 21001, 65001, 0);
	assert_int_equal(state_of(&f), TCP_FIN_WAIT);
	flows_close(&f);
	opened(&f, ", tcp-liberal: true"); /* the other side */
	tcp_passes(&f, &t, true, SYN | ACK, 5000, 1001, 0);
	tcp_passes(&f, &t, true, ACK, 5001, 2001, 1000);
	assert_int_equal(live(&f), 1);
	flows_close(&f);
	opened(&f, "");
	tcp_passes(&f, &t, false, SYN, 1000, 0, 0);
	tcp_invalid(&f, &t, false, ACK, 1001, 5001, 0);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_loose),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_retransmissions),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_dropped_in_raw),
		cmocka_unit_test(test_one_sided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
