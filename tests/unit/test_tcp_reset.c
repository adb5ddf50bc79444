/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/net/tcp: resets, challenges, ports used again. C6 with the sequences of the kernel's
 * packetdrill tests (named as there), T13, T14, T15. */
#include "tests/unit/tcp_trace.h"

/* Handshake, 3000 bytes of the server acknowledged, and 1000 of the client under way. */
static void downloaded(struct trace *t)
{
	TRACE(t, "> S 0 sackok ws 8 => pass SYN_SENT", "< S. 0 ack 1 => pass SYN_RECV",
	      "> . 1 ack 1 => pass ESTABLISHED", "< . 1+1000 ack 1 => pass ESTABLISHED",
	      "< . 1001+1000 ack 1 => pass ESTABLISHED", "< . 2001+1000 ack 1 => pass ESTABLISHED",
	      "> . 1 ack 1001 => pass ESTABLISHED", "> . 1 ack 2001 => pass ESTABLISHED",
	      "> . 1 ack 3001 => pass ESTABLISHED");
}

static void rst_invalid(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "< R -1 win 0 => refuse ESTABLISHED", "< R 999999 win 0 => refuse ESTABLISHED",
	      "< R 41 win 0 => refuse ESTABLISHED", "> P. 1+1000 ack 3001 => pass ESTABLISHED",
	      "< . 3001 ack 1001 => pass ESTABLISHED",
	      "< R. 3000 ack 1001 win 0 => refuse ESTABLISHED",
	      "< R. 3001 ack 1001 win 0 => pass CLOSE 240");
}

/* In the window but not exact: the endpoints will challenge; no timer is touched (T15). */
static void rst_in_window(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "< R 3002 => by ESTABLISHED", "< R 60000 => by ESTABLISHED",
	      "> . 1 ack 3001 => pass ESTABLISHED", "< . 3001+100 ack 1 => pass ESTABLISHED 300",
	      "> R. 1 ack 3101 => pass CLOSE");
	/* behind data that nobody acknowledged yet: sent in one train with it */
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< P. 3001+19 ack 1 => pass ESTABLISHED", "< R. 3020 ack 1 => pass CLOSE");
	/* with an acknowledgement of what was never sent */
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< R. 3001 ack 2 => refuse ESTABLISHED");
	t.o.ignore_bad_rst = true;
	TRACE(&t, "< R 41 win 0 => by ESTABLISHED");
}

static void inexact_rst(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "> P. 1+1000 ack 3001 => pass ESTABLISHED", "< F. 3001 ack 1001 => pass FIN_WAIT",
	      "> . 1001 ack 3002 => pass CLOSE_WAIT", "> R. 1001 ack 3002 => pass CLOSE",
	      "< R 2001 win 0 => pass CLOSE");
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< F. 3001 ack 1 => pass FIN_WAIT", "< R 900000 => by FIN_WAIT",
	      "< R 3000 => pass CLOSE");
}

static void syn_challenge_ack(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 sackok ws 8 => pass SYN_SENT",
	      "< . =145824453 ack =643160523 win 240 => by SYN_SENT",
	      "> R =643160523 win 0 => by SYN_SENT");
	assert_false(t.flow.state & FLOW_REPLIED);
	TRACE(&t, "> R =643160524 win 0 => refuse SYN_SENT", "> S 0 sackok ws 8 => by SYN_SENT",
	      "< S. 0 ack 1 win 250 ws 0 => pass SYN_RECV",
	      "> . 1 ack 1 win 256 => pass ESTABLISHED");
	assert_true(t.flow.state & FLOW_ASSURED);
}

static void synack_old(void **state)
{
	struct trace t = trace_make();

	(void)state;
	t.isn[0] = 2375731741;
	t.isn[1] = 145758918;
	TRACE(&t, "> S 0 sackok ws 8 => pass SYN_SENT",
	      "< S. =145824453 ack =643160523 win 240 ws 0 => refuse SYN_SENT",
	      "> S 0 sackok ws 8 => by SYN_SENT");
	assert_false(t.flow.state & FLOW_REPLIED);
	TRACE(&t, "< S. 0 ack 1 win 250 ws 0 => pass SYN_RECV",
	      "> P. 1+1 ack 1 win 256 => pass ESTABLISHED");
	assert_true(t.flow.state & FLOW_ASSURED);
}

static void synack_reuse(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 7 win 32792 => pass SYN_SENT", "< S. 0 ack 1 ws 8 => pass SYN_RECV",
	      "> . 1 ack 1 win 257 => pass ESTABLISHED",
	      "> P. 1+100 ack 1 win 257 => pass ESTABLISHED",
	      "< . 1 ack 101 win 256 => pass ESTABLISHED",
	      "> S 2000 win 32792 ws 7 => by ESTABLISHED",
	      "< . 1 ack 101 win 256 => pass ESTABLISHED", "> R. 101 ack 1 win 257 => pass CLOSE",
	      "> S 2000 win 32792 ws 0 => new CLOSE");
}

static void ack_loss_stall(void **state)
{
	struct trace t = trace_make();
	char line[80];

	(void)state;
	TRACE(&t, "> S 0 win 32792 => pass SYN_SENT", "< S. 0 ack 1 => pass SYN_RECV",
	      "> . 1 ack 1 => pass ESTABLISHED");
	for (unsigned at = 1; at < 67161; at += 1460) {
		snprintf(line, sizeof(line), "> P. %u+1460 ack 1 win 257 => pass ESTABLISHED", at);
		trace_line(&t, line);
		snprintf(line, sizeof(line), "< . 1 ack %u => pass ESTABLISHED", at + 1460);
		trace_line(&t, line);
	}
	TRACE(&t, "> P. 1+1460 ack 1 win 257 => by ESTABLISHED",
	      "< . 1 ack 67161 => pass ESTABLISHED");
}

/* The server takes the SYN that was let by: the router follows, in both halves. */
static void offer_accepted(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "> S 700000000 ws 2 sackok win 1000 => by ESTABLISHED",
	      "< S. 900000000 ack 700000000 ws 2 => by ESTABLISHED", /* of something else */
	      "< S. 900000000 ack 700000001 ws 2 sackok win 2000 => pass SYN_RECV",
	      "< S. 900000000 ack 700000001 ws 2 sackok win 2000 => pass SYN_RECV",
	      "< P. 900000001+100 ack 700000001 win 500 => pass SYN_RECV",
	      "< P. 900009999+100 ack 700000001 win 500 => refuse SYN_RECV",
	      "> . 700000001 ack 900000101 win 250 => pass ESTABLISHED 7440",
	      "< P. 900000101+1000 ack 700000001 win 500 => pass ESTABLISHED",
	      "< P. 900009999+1 ack 700000001 win 500 => refuse ESTABLISHED",
	      "> . 1 ack 3001 => by ESTABLISHED");
	assert_false(t.flow.state & FLOW_OFFER);
}

/* The ACK that answers a SYN does not acknowledge the last FIN. */
static void challenge_in_last_ack(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "< F. 3001 ack 1 => pass FIN_WAIT", "> F. 1 ack 3002 => pass LAST_ACK",
	      "> S 500000 => by LAST_ACK", "< . 3002 ack 1 => by LAST_ACK", "> R 1 => pass CLOSE",
	      "> S 500000 => new CLOSE");
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< F. 3001 ack 1 => pass FIN_WAIT", "> F. 1 ack 3002 => pass LAST_ACK",
	      "< . 3002 ack 2 => pass TIME_WAIT");
}

/* The server forgot the connection: its RST is for the SYN, and a forger could send it. */
static void syn_refused_in_established(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "> S 500000 => by ESTABLISHED", "< R. =0 ack 500001 => by ESTABLISHED",
	      "> . 1+10 ack 3001 => pass ESTABLISHED", "< R. =0 ack 500001 => refuse ESTABLISHED");
}

static void refused(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 => pass SYN_SENT", "< R =0 => refuse SYN_SENT",
	      "< R. =0 ack 7 => refuse SYN_SENT", "< R. =0 ack -800000 => refuse SYN_SENT",
	      "< R. =0 ack 1 => pass CLOSE 240", "> S 90 => by CLOSE", "< R. =0 ack 91 => by CLOSE",
	      "> S 190 => by CLOSE", "< S. 0 ack 191 => pass SYN_RECV",
	      "> . 191 ack 1 => pass ESTABLISHED");
	t = trace_make();
	TRACE(&t, "> S 0 => pass SYN_SENT", "< R. =3000000000 ack 1 => pass CLOSE");
	t = trace_make();
	TRACE(&t, "> S 0 => pass SYN_SENT", "> R 500000 => refuse SYN_SENT", "> R 1 => pass CLOSE",
	      "> S 90 => new CLOSE");
	t = trace_make();
	TRACE(&t, "> S 0 => pass SYN_SENT", "< S. 0 ack 1 => pass SYN_RECV",
	      "< R =0 => refuse SYN_RECV", "> R 1 => pass CLOSE");
}

static void used_again_after_fin(void **state)
{
	static const char *const again[] = { "> S 50000 => new TIME_WAIT",
					     "< S 50000 => new TIME_WAIT" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct trace t = trace_make();

		downloaded(&t);
		TRACE(&t, "> F. 1 ack 3001 => pass FIN_WAIT", "< F. 3001 ack 2 => pass LAST_ACK",
		      "> . 2 ack 3002 => pass TIME_WAIT", again[i]);
	}
}

/* T14: what an RST of the other side closed, a SYN of one side does not open. */
static void one_syn_opens_nothing(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE", "> S 50000 ws 5 => by CLOSE",
	      "> S 50000 ws 5 => by CLOSE", "< S. 70000 ack 1 => by CLOSE",
	      "< S. 70000 ack 50001 => pass SYN_RECV", "> . 50001 ack 70001 => pass ESTABLISHED",
	      "> . 50001+10 ack 70001 => pass ESTABLISHED",
	      "< . 70001 ack 50011 => pass ESTABLISHED 7440");
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE", "< S 50000 => refuse CLOSE");
}

/* T13: a forged RST does not end a connection whose sender goes on. */
static void revived(void **state)
{
	struct trace t = trace_make();

	(void)state;
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE 240",
	      "> . 1+100 ack 3001 => pass CLOSE 240",  /* proves nothing */
	      "< . 2001+1000 ack 1 => pass CLOSE 240", /* sent before */
	      "< . 900000+1 ack 1 => refuse CLOSE", "< . 3001+500 ack 101 => pass ESTABLISHED 300",
	      "> . 101 ack 3501 => pass ESTABLISHED 7440", "< R 3501 => pass CLOSE");
	/* an RST teaches nothing: where it says its sender is, it need not be */
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE", "< R 8000 => pass CLOSE",
	      "< . 3001+500 ack 1 => pass ESTABLISHED");
	/* once revived, the RST was not its own: another's is needed for a SYN to reopen at once */
	t = trace_make();
	downloaded(&t);
	TRACE(&t, "> R 1 => pass CLOSE", "> . 1+10 ack 3001 => pass ESTABLISHED",
	      "< R 3001 => pass CLOSE", "> S 50000 => by CLOSE");
	t = trace_make();
	t.o.liberal = true;
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE", "< . 900000+1 ack 1 => pass CLOSE");
	t = trace_make();
	t.o.revive = false;
	downloaded(&t);
	TRACE(&t, "< R 3001 => pass CLOSE", "< . 3001+500 ack 1 => pass CLOSE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rst_invalid),
		cmocka_unit_test(rst_in_window),
		cmocka_unit_test(inexact_rst),
		cmocka_unit_test(syn_challenge_ack),
		cmocka_unit_test(synack_old),
		cmocka_unit_test(synack_reuse),
		cmocka_unit_test(ack_loss_stall),
		cmocka_unit_test(offer_accepted),
		cmocka_unit_test(challenge_in_last_ack),
		cmocka_unit_test(syn_refused_in_established),
		cmocka_unit_test(refused),
		cmocka_unit_test(used_again_after_fin),
		cmocka_unit_test(one_syn_opens_nothing),
		cmocka_unit_test(revived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
