/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/net/tcp, tcp_window: connections as traces (tcp_trace.h). T2, T5, T11-T15, C2-C6, C28. */
#include <pthread.h>

#include "tests/unit/tcp_trace.h"

static void handshake_data_close(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 7 sackok => pass SYN_SENT 240",
	      "< S. 0 ack 1 ws 7 => pass SYN_RECV 240");
	assert_true(t.flow.state & FLOW_REPLIED);
	assert_false(t.flow.state & FLOW_ASSURED);
	TRACE(&t, "> . 1 ack 1 win 512 => pass ESTABLISHED 7440");
	assert_true(t.flow.state & FLOW_ASSURED);
	TRACE(&t, "> P. 1+1000 ack 1 win 512 => pass ESTABLISHED 300", /* until it is acknowledged:
									  C5 */
	      "< . 1 ack 1001 win 512 => pass ESTABLISHED 7440",
	      "< P. 1+60000 ack 1001 win 512 => pass ESTABLISHED 300",
	      "> . 1001 ack 60001 win 512 => pass ESTABLISHED 7440",
	      "> F. 1001 ack 60001 => pass FIN_WAIT 240",
	      "< . 60001 ack 1002 => pass CLOSE_WAIT 240",
	      /* half closed: the other side goes on (T2) */
	      "< P. 60001+500 ack 1002 => pass CLOSE_WAIT 240",
	      "> . 1002 ack 60501 => pass CLOSE_WAIT", "< F. 60501 ack 1002 => pass LAST_ACK 240",
	      "> . 1002 ack 60502 => pass TIME_WAIT 240", "< F. 60501 ack 1002 => pass TIME_WAIT",
	      "> . 1002 ack 60502 => pass TIME_WAIT");
}

/* The same bytes wherever the sequence numbers begin (C3). */
static void wrap(void **state)
{
	static const uint32_t begin[] = { 0,	      1,	  0x7fffff00, 0x80000000,
					  0xffff0000, 0xfffffffe, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
		struct trace t = trace_make();

		t.isn[0] = begin[i];
		t.isn[1] = begin[6 - i];
		trace_open(&t);
		for (unsigned at = 1; at < 400000; at += 20000) {
			char line[80];

			snprintf(line, sizeof(line),
				 "> . %u+20000 ack %u win 512 => pass ESTABLISHED", at, at);
			trace_line(&t, line);
			snprintf(line, sizeof(line),
				 "< . %u+20000 ack %u win 512 => pass ESTABLISHED", at, at + 20000);
			trace_line(&t, line);
		}
		TRACE(&t, "> . 600000+10 ack 400001 win 512 => refuse ESTABLISHED",
		      "> . 380001 ack 400002 win 512 => refuse ESTABLISHED");
	}
}

static void bounds(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t); /* each side granted 512 << 7 = 65536 bytes from 1 on */
	TRACE(&t, "> . 65538+1 ack 1 => refuse ESTABLISHED", /* one behind the grant */
	      "> . 65537+1 ack 1 => pass ESTABLISHED",	     /* a probe at its edge */
	      "> . 1 ack 2 => refuse ESTABLISHED",	     /* what was never sent */
	      "< . 1 ack 65538 win 512 => pass ESTABLISHED", /* all of it */
	      "> . 2 ack 1 => pass ESTABLISHED",
	      "> . 1 ack 1 => by ESTABLISHED",		 /* a window back */
	      "> . =1 ack 1 => by ESTABLISHED",		 /* far below: old */
	      "< . 1+10 ack -9000000 => by ESTABLISHED", /* far too late */
	      "< . 1+10 ack 65538 win 512 => pass ESTABLISHED",
	      "> F. 900000 ack 11 => refuse ESTABLISHED");
}

static void sack(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t);
	TRACE(&t, "> . 1+10000 ack 1 win 512 => pass ESTABLISHED",
	      "> . 10001+10000 ack 1 win 512 => pass ESTABLISHED",
	      "< . 1 ack 1 win 512 sack 20001 => pass ESTABLISHED", /* grant now from 20001 on */
	      "> . 80000+10 ack 1 win 512 => pass ESTABLISHED",
	      "< . 1 ack 1 win 512 sack 90000 => refuse ESTABLISHED"); /* never sent */
}

/* Not permitted by both: the option is not believed, nor is what it would grant. */
static void sack_without_permission(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 => pass SYN_SENT", "< S. 0 ack 1 sackok win 10000 => pass SYN_RECV",
	      "> . 1+9000 ack 1 => pass ESTABLISHED",
	      "< . 1 ack 1 win 10000 sack 9001 => pass ESTABLISHED",
	      "> . 10002 ack 1 => refuse ESTABLISHED");
}

static void zero_window(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t);
	TRACE(&t, "> . 1+60000 ack 1 win 512 => pass ESTABLISHED",
	      "> . 60001+5536 ack 1 win 512 => pass ESTABLISHED", /* to the edge of what was granted
								   */
	      "< . 1 ack 65537 win 0 => pass ESTABLISHED 300",
	      "> . 65537+1 ack 1 win 512 => pass ESTABLISHED", /* a probe of one byte */
	      "< . 1 ack 65537 win 0 => pass ESTABLISHED",
	      "> . 65537+1 ack 1 win 512 => pass ESTABLISHED",
	      "> . 65538 ack 1 win 512 => pass ESTABLISHED", /* an ACK behind the probe */
	      "> . 65536 ack 1 win 512 => pass ESTABLISHED", /* Linux probes with seq - 1 */
	      "> . 70000+1 ack 1 win 512 => refuse ESTABLISHED",
	      "< . 1 ack 65538 win 512 => pass ESTABLISHED 7440",
	      "> . 65538+1000 ack 1 win 512 => pass ESTABLISHED");
}

/* seq - 1 with no byte or one; that they are answered alike is no retransmission. */
static void keep_alive(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t);
	for (int i = 0; i < 8; i++)
		TRACE(&t, "> . 0+0 ack 1 win 512 => pass ESTABLISHED 7440",
		      "< . 1 ack 1 win 512 => pass ESTABLISHED 7440",
		      "> . 0+1 ack 1 win 512 => pass ESTABLISHED 7440",
		      "< . 1 ack 1 win 512 => pass ESTABLISHED 7440");
}

static void urgent_and_syn_data(void **state)
{
	struct trace t = trace_make();

	(void)state;
	/* TFO: data in the SYN, taken or not; the server sends before the handshake is complete */
	TRACE(&t, "> S 0+500 ws 7 => pass SYN_SENT", "< S. 0 ack 501 ws 7 => pass SYN_RECV",
	      "< P. 1+1460 ack 501 win 512 => pass SYN_RECV",
	      "< P. 1461+1460 ack 501 win 512 => pass SYN_RECV",
	      "> . 501 ack 2921 => pass ESTABLISHED", "> PU. 501+1 ack 2921 => pass ESTABLISHED",
	      "< FU. 2921 ack 502 => pass FIN_WAIT");
	t = trace_make();
	TRACE(&t, "> S 0+500 => pass SYN_SENT", "< S. 0 ack 1 => pass SYN_RECV",
	      "> . 1+500 ack 1 => pass ESTABLISHED");
}

static void simultaneous_open(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 3 => pass SYN_SENT", "< S 0 ws 4 => pass SYN_SENT2 240",
	      "> S. 0 ack 1 ws 3 => pass SYN_RECV", "< S. 0 ack 1 ws 4 => pass ESTABLISHED 7440",
	      "> . 1+10 ack 1 => pass ESTABLISHED");
	assert_true(t.flow.state & FLOW_ASSURED);
	t = trace_make();
	TRACE(&t, "> S 0 => pass SYN_SENT", "< S 0 => pass SYN_SENT2",
	      "< S. 0 ack 1 => pass SYN_RECV", "> S. 0 ack 1 => pass ESTABLISHED");
	t = trace_make();
	TRACE(&t, "> S 0 => pass SYN_SENT", "< S 0 => pass SYN_SENT2",
	      "> S. 0 ack 1 => pass SYN_RECV", "< . 1 ack 1 => pass ESTABLISHED");
}

static void simultaneous_close(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t);
	TRACE(&t, "> F. 1 ack 1 => pass FIN_WAIT", "< F. 1 ack 1 => pass LAST_ACK",
	      "> . 2 ack 2 => pass TIME_WAIT", "< . 2 ack 2 => pass TIME_WAIT");
}

static void repeated_synack(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 7 => pass SYN_SENT", "> S 0 ws 7 => by SYN_SENT",
	      "< S. 0 ack 1 ws 7 => pass SYN_RECV", "< S. 0 ack 1 ws 7 => by SYN_RECV",
	      "> . 1 ack 1 => pass ESTABLISHED", "< S. 0 ack 1 ws 7 => by ESTABLISHED",
	      "> . 1+10 ack 1 => pass ESTABLISHED", "> S. 0 ack 1 => refuse ESTABLISHED");
}

/* A client that gave up opens again from the same port, at a sequence number below. */
static void another_syn(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 7 => pass SYN_SENT", "> S -500000 => by SYN_SENT",
	      "< S. 0 ack 1 => refuse SYN_SENT", "< S. 0 ack -499999 ws 7 => pass SYN_RECV",
	      "> . -499999 ack 1 => pass ESTABLISHED");
}

/* A SYN that was overtaken by the next is let by; the answer will be to the next. */
static void overtaken_syn(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 1000 ws 7 => pass SYN_SENT", "> S 900 => by SYN_SENT",
	      "> S 0+100 => by SYN_SENT", "< S. 0 ack 1001 ws 7 => pass SYN_RECV",
	      "> . 1001 ack 1 => pass ESTABLISHED");
}

/* The scale counts only if both have it: here the window is 512 bytes, not 64 KiB. */
static void scale_on_one_side(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 ws 7 win 1000 => pass SYN_SENT", "< S. 0 ack 1 win 1000 => pass SYN_RECV",
	      "> . 1 ack 1 win 1000 => pass ESTABLISHED", "< . 1+900 ack 1 => pass ESTABLISHED",
	      "< . 1002+1 ack 1 => refuse ESTABLISHED");
}

static void retransmissions(void **state)
{
	struct trace t = trace_make();

	(void)state;
	t.t = &tcp_timeouts_linux;
	trace_open(&t);
	TRACE(&t, "< . 1 ack 1 win 512 => pass ESTABLISHED 432000", /* the second of its kind */
	      "< . 1 ack 1 win 512 => pass ESTABLISHED 432000",
	      "< . 1 ack 1 win 512 => pass ESTABLISHED 300",
	      "< . 1 ack 1 win 512 => pass ESTABLISHED 300",
	      "> . 1 ack 1 win 512 => pass ESTABLISHED 432000", /* the peer lives */
	      "< . 1 ack 1 win 512 => pass ESTABLISHED 432000",
	      "< . 1 ack 1 win 511 => pass ESTABLISHED 432000");
}

static void loose_pickup(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> . 1+10 ack 1 win 10 => pass ESTABLISHED 300", /* nobody answered yet */
	      "> . 900000+10 ack 1 win 10 => pass ESTABLISHED 300",
	      "< . 1+10 ack 900010 win 20 => pass ESTABLISHED");
	assert_true(t.flow.state & FLOW_REPLIED);
	assert_false(t.flow.state & FLOW_ASSURED);
	/* a window that was scaled before we came */
	TRACE(&t, "> . 900010+60000 ack 11 win 10 => pass ESTABLISHED",
	      "< . 11 ack 960010 win 20 => pass ESTABLISHED 7440",
	      "> . 990000000 ack 11 => pass ESTABLISHED", /* unjudged */
	      "> R 990000000 => refuse ESTABLISHED", "< R. 11 ack 960010 => pass CLOSE");
	assert_true(t.flow.state & FLOW_ASSURED);
}

/* What is met first may be old: the other side's acknowledgements know better. */
static void pickup_oddities(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> . 1+10 ack 5000 => pass ESTABLISHED", "< . 1+100 ack 11 => pass ESTABLISHED",
	      "> . 11 ack 5000 => pass ESTABLISHED 7440");
	t = trace_make(); /* a keep-alive, and its answer, one beyond what it showed */
	TRACE(&t, "> . 0 ack 1 => pass ESTABLISHED", "< . 1 ack 1 => pass ESTABLISHED",
	      "> R 1 => pass CLOSE");
}

/* Data of either side that wait for their acknowledgement (C5). */
static void unacknowledged(void **state)
{
	struct trace t = trace_make();

	(void)state;
	trace_open(&t);
	TRACE(&t, "< . 1+10 ack 1 win 512 => pass ESTABLISHED 300",
	      "> . 1 ack 1 win 512 => pass ESTABLISHED 300",
	      "> . 1 ack 11 win 512 => pass ESTABLISHED 7440",
	      "> . 1+10 ack 11 win 512 => pass ESTABLISHED 300",
	      "< . 11 ack 11 win 512 => pass ESTABLISHED 7440");
}

static void strict_pickup(void **state)
{
	struct trace t = trace_make();

	(void)state;
	t.o.loose = false;
	TRACE(&t, "> . 1+10 ack 1 => refuse NONE", "> S. 1 ack 1 => refuse NONE",
	      "> F. 1 ack 1 => refuse NONE", "> R 1 => refuse NONE", "> S 0 => pass SYN_SENT");
	t.o.loose = true;
	t.begun = false;
	t.flow.state = 0;
	TRACE(&t, "> S. 1 ack 1 => refuse NONE", "> F. 1 ack 1 => refuse NONE",
	      "> R 1 => refuse NONE");
}

/* C28: the answers go another way. Without `liberal` nothing but SYNs passes. */
static void one_sided(void **state)
{
	struct trace t = trace_make();

	(void)state;
	TRACE(&t, "> S 0 => pass SYN_SENT", "> . 1 ack 1 => refuse SYN_SENT");
	t = trace_make();
	t.o.liberal = true;
	TRACE(&t, "> S 0 => pass SYN_SENT", "> . 1 ack 1 => pass ESTABLISHED 300",
	      "> . 1+60000 ack 1 => pass ESTABLISHED", "> . 60001+60000 ack 1 => pass ESTABLISHED",
	      "> . 120001+60000 ack 90000 => pass ESTABLISHED",
	      "> F. 180001 ack 90000 => pass FIN_WAIT", "> . 180002 ack 90001 => pass CLOSE_WAIT");
	t = trace_make();
	t.o.liberal = true; /* the server's half */
	TRACE(&t, "> S. 0 ack 1 => pass ESTABLISHED", "> . 1+60000 ack 1 => pass ESTABLISHED",
	      "> . 60001+60000 ack 1 => pass ESTABLISHED", "> R 500000 => by ESTABLISHED",
	      "> R 120001 => pass CLOSE");
}

static void liberal(void **state)
{
	struct trace t = trace_make();

	(void)state;
	t.o.liberal = true;
	trace_open(&t);
	TRACE(&t, "> . 900000+10 ack 1 => pass ESTABLISHED", "< . 1 ack 900010 => pass ESTABLISHED",
	      "< R 900000 => refuse ESTABLISHED", "> R 900010 => refuse ESTABLISHED",
	      "> . 1+10 ack 1 => pass ESTABLISHED");
}

/* Two workers, each with its direction: what is sent because of what arrived is never refused,
 * however the two interleave. `reached` stands for the wire: a store after tcp_track(), a load
 * before. */
struct worker {
	struct trace *t;
	enum flow_dir dir;
	uint32_t *reached[2];
	unsigned refused;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct trace *t = w->t;
	uint32_t at = t->isn[w->dir] + 1, timeout;

	for (int i = 0; i < 100000; i++) {
		uint32_t ack = __atomic_load_n(w->reached[!w->dir], __ATOMIC_ACQUIRE);
		struct tcp_segment s = { .seq = at,
					 .end = at,
					 .ack = ack,
					 .sack = ack,
					 .win = 512,
					 .flags = TCP_F_ACK,
					 .kind = TCP_K_ACK };

		if (i % 8 == 0) /* 25,000 bytes in all: the window of the handshake holds them */
			s.end += i % 3;
		w->refused += tcp_track(&s, &t->o, &t->flow, w->dir, &t->half[w->dir],
					&t->half[!w->dir], t->t, &timeout) == TCP_REFUSE;
		at = s.end;
		__atomic_store_n(w->reached[w->dir], at, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void two_workers(void **state)
{
	struct trace t = trace_make();
	uint32_t reached[2] = { t.isn[0] + 1, t.isn[1] + 1 };
	struct worker w[2];
	pthread_t thread[2];

	(void)state;
	trace_open(&t);
	for (int i = 0; i < 2; i++) {
		w[i] = (struct worker){ &t, (enum flow_dir)i, { &reached[0], &reached[1] }, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(w[0].refused + w[1].refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_data_close),
		cmocka_unit_test(wrap),
		cmocka_unit_test(two_workers),
		cmocka_unit_test(pickup_oddities),
		cmocka_unit_test(unacknowledged),
		cmocka_unit_test(bounds),
		cmocka_unit_test(sack),
		cmocka_unit_test(sack_without_permission),
		cmocka_unit_test(zero_window),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(urgent_and_syn_data),
		cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(simultaneous_close),
		cmocka_unit_test(repeated_synack),
		cmocka_unit_test(another_syn),
		cmocka_unit_test(overtaken_syn),
		cmocka_unit_test(scale_on_one_side),
		cmocka_unit_test(retransmissions),
		cmocka_unit_test(loose_pickup),
		cmocka_unit_test(strict_pickup),
		cmocka_unit_test(one_sided),
		cmocka_unit_test(liberal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
