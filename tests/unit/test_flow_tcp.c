/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP in the flow table: a connection as a worker takes it there, segment by segment, all of it
 * within one tick, as in a LAN. Requirements C5, C9, C20.
 */
#include "tests/unit/flow_util.h"
#include "tests/unit/tcp_trace.h"

#define NOW 10u /* tick */

/* A segment as text (tests/unit/tcp_trace.h). What it decided, its flow lives on from now. */
static enum tcp_verdict step(struct flow_table *t, const struct trace *trace, uint32_t index,
			     const char *line, uint32_t seconds)
{
	struct flow *f = flow_at(t, index);
	struct tcp_segment s;
	uint32_t timeout = 0;
	enum tcp_verdict v;
	enum flow_dir dir;
	char text[80];

	snprintf(text, sizeof(text), "%s", line);
	dir = trace_segment(trace, text, &s);
	v = tcp_track(&s, &trace->o, f, dir, flow_half_of(f, dir), flow_half_of(f, !dir), trace->t,
		      &timeout);
	if (v == TCP_PASS)
		flow_touch(flow_half_of(f, dir), flow_half_of(f, !dir), NOW, timeout, 40);
	if (flow_left(t, index, NOW) != seconds * 4)
		fail_msg("%s: %u s", line, flow_left(t, index, NOW) / 4);
	return v;
}

/* Its SYN makes a record, which is touched before it is committed. */
static uint32_t begin(struct flow_table *t, const struct trace *trace, const struct flow_key *k)
{
	char line[] = "> S 0 ws 7 sackok";
	struct flow_key r = reverse_of(k);
	enum flow_refusal why;
	uint32_t index = flow_new(t, 0, k, &r, NOW, &why), timeout;
	struct flow *f = flow_at(t, index);
	struct tcp_segment s;

	trace_segment(trace, line, &s);
	assert_int_equal(tcp_first(&s, &trace->o, f, flow_half_of(f, FLOW_ORIG),
				   flow_half_of(f, FLOW_REPLY), trace->t, &timeout),
			 TCP_SYN_SENT);
	flow_touch(flow_half_of(f, FLOW_ORIG), flow_half_of(f, FLOW_REPLY), NOW, timeout, 40);
	assert_int_equal(flow_commit(t, index, NOW, &why), index);
	return index;
}

static uint32_t establish(struct flow_table *t, const struct trace *trace, const struct flow_key *k)
{
	uint32_t index = begin(t, trace, k);

	step(t, trace, index, "< S. 0 ack 1 ws 7 sackok", 60);
	step(t, trace, index, "> . 1 ack 1 win 512", 432000);
	step(t, trace, index, "> . 1+100 ack 1 win 512", 300);
	step(t, trace, index, "< . 1 ack 101 win 512", 432000);
	step(t, trace, index, "< . 1+100 ack 101 win 512", 300);
	step(t, trace, index, "> . 101 ack 101 win 512", 432000);
	return index;
}

static void test_life(void **state)
{
	static const struct {
		const char *line;
		uint32_t seconds;
	} close[] = {
		{ "> F. 101 ack 101 win 512", 120 },
		{ "< . 101 ack 102 win 512", 60 },
		{ "< F. 101 ack 102 win 512", 30 },
		{ "> . 102 ack 102 win 512", 120 },
	};
	struct flow_table *t = table_of(10, 1);
	struct trace trace = trace_make();

	(void)state;
	trace.t = &tcp_timeouts_linux;
	for (unsigned six = 0; six < 2; six++) {
		struct flow_key k = key_of(1, six ? AF_INET6 : AF_INET, TCP);
		uint32_t index = establish(t, &trace, &k);

		for (unsigned i = 0; i < sizeof(close) / sizeof(close[0]); i++)
			assert_int_equal(step(t, &trace, index, close[i].line, close[i].seconds),
					 TCP_PASS);
		assert_int_equal(lookup(t, &k, NOW + 120 * 4 - 1), index);
		assert_int_equal(lookup(t, &k, NOW + 120 * 4), FLOW_NONE);
	}
	table_close(t);
}

/* What is let by prolongs nothing, and a SYN after the end wants a record of its own. */
static void test_reopen(void **state)
{
	struct flow_table *t = table_of(10, 1);
	struct flow_key k = key_of(1, AF_INET, TCP);
	struct trace trace = trace_make();
	uint32_t index, again;

	(void)state;
	trace.t = &tcp_timeouts_linux;
	index = establish(t, &trace, &k);
	assert_int_equal(step(t, &trace, index, "> S 5000", 432000), TCP_PASS_BY);
	assert_int_equal(step(t, &trace, index, "> R 101", 10), TCP_PASS);
	assert_int_equal(step(t, &trace, index, "> S 0 ws 7 sackok", 10), TCP_NEW_FLOW);
	flow_kill(t, index);
	again = begin(t, &trace, &k);
	assert_int_not_equal(again, index);
	assert_int_equal(lookup(t, &k, NOW), again);
	table_close(t);
}

/* An offer that stands in the original half while somebody kills the flow: their words are two. */
static void test_offer_and_death(void **state)
{
	struct flow_table *t = table_of(10, 1);
	struct trace trace = trace_make();
	uint32_t index[3];

	(void)state;
	trace.t = &tcp_timeouts_linux;
	for (uint32_t i = 0; i < 3; i++) {
		struct flow_key k = key_of(i, AF_INET, TCP);

		index[i] = establish(t, &trace, &k);
	}
	for (uint32_t i = 0; i < 3; i++) {
		flow_kill(t, index[i]);
		assert_int_equal(step(t, &trace, index[i], "> S 5000", 432000), TCP_PASS_BY);
		assert_int_equal(step(t, &trace, index[i], "< S. 900 ack 5001", 60), TCP_PASS);
	}
	assert_int_equal(flow_expire(t, 0, NOW, 0, 10, NULL, NULL), 3);
	table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_offer_and_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
