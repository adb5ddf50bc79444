// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that Linux has carried on while it stood in for us: what it alone knows becomes flows
 * with the ports they have, and what we knew goes on wherever it has got to meanwhile.
 */
#include "tests/unit/pipe_nat.h"

#include "router/flows.h"

#define ESTABLISHED 3u
#define TALKING	    (FLOW_REPLIED | FLOW_ASSURED | FLOW_SNAT)

/* As Linux tells of a connection of `host` inside with a server, that leaves by port `outside`. */
static struct flow_taken known(bool six, uint8_t proto, unsigned host, unsigned far, uint16_t port,
			       uint16_t outside)
{
	struct flow_taken t = { .state = TALKING };
	struct addr from = inside(six, host), to = server(six, far), own = router(six);
	size_t size = six ? 16 : 4;

	t.orig = (struct flow_key){ .proto = proto, .family = from.family };
	memcpy(t.orig.src, from.bytes, size);
	memcpy(t.orig.dst, to.bytes, size);
	t.orig.sport = htons(port);
	t.orig.dport = htons(443);
	flow_key_reverse(&t.orig, &t.reply);
	memcpy(t.reply.dst, own.bytes, size);
	t.reply.dport = htons(outside);
	if (proto == IPPROTO_TCP)
		t.state |= ESTABLISHED;
	return t;
}

static unsigned give(struct pipe_flows *f, const struct flow_taken *flow, unsigned n)
{
	struct flows_taking taking = { .flow = flow, .n = n };

	f->p.w->taking = &taking;
	for (unsigned turns = 0; f->p.w->taking; turns++) {
		assert_true(turns <= n / 64);
		pipe_turn(&f->p);
	}
	assert_int_equal(taking.at, n);
	return n - taking.refused;
}

static void comes_in(struct pipe_flows *f, const struct flow_taken *t, unsigned host, unsigned far,
		     uint32_t seq, uint32_t ack)
{
	bool six = t->orig.family == AF_INET6;
	struct packet k, want;

	k = t->orig.proto == IPPROTO_TCP
		    ? tcp(server(six, far), 443, router(six), ntohs(t->reply.dport), ACK, seq, ack)
		    : udp(server(six, far), 443, router(six), ntohs(t->reply.dport));
	want = k;
	want.dst = inside(six, host);
	want.dport = ntohs(t->orig.sport);
	passes(f, OUTSIDE, &k, INSIDE, &want);
}

static void goes_out_by(struct pipe_flows *f, const struct flow_taken *t, unsigned host,
			unsigned far, uint32_t seq, uint32_t ack)
{
	bool six = t->orig.family == AF_INET6;
	struct packet k, want;

	k = t->orig.proto == IPPROTO_TCP
		    ? tcp(inside(six, host), ntohs(t->orig.sport), server(six, far), 443, ACK, seq,
			  ack)
		    : udp(inside(six, host), ntohs(t->orig.sport), server(six, far), 443);
	want = k;
	want.src = router(six);
	want.sport = ntohs(t->reply.dport);
	passes(f, INSIDE, &k, OUTSIDE, &want);
}

/* Either side may speak first, at whatever place of the connection. */
static void test_goes_on(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		bool six = i & 1;
		struct flow_taken t = known(six, protos[i >> 1 & 1], 2, 1, 40000, 23456);

		nat_open(&f, MASQUERADE(""));
		assert_int_equal(give(&f, &t, 1), 1);
		if (i & 4)
			comes_in(&f, &t, 2, 1, 3000000000u, 77);
		goes_out_by(&f, &t, 2, 1, 77, 3000000000u);
		comes_in(&f, &t, 2, 1, 3000000000u, 77);
		assert_int_equal(flows_stats(&f).live, 1);
		flows_close(&f); /* and its port comes back */
	}
}

/* Its inside endpoint keeps the outside port, to whomever it speaks. */
static void test_mapping(void **state)
{
	struct flow_taken t = known(false, IPPROTO_UDP, 2, 1, 40000, 23456);
	struct flow_taken more = known(false, IPPROTO_UDP, 2, 2, 40000, 23456);
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	assert_int_equal(give(&f, &t, 1), 1);
	goes_out_by(&f, &more, 2, 2, 0, 0);
	assert_int_equal(flows_ports_taken(&f), 1);
	flows_close(&f);
}

/* Linux gives one port to two, if their servers differ. We take both as they are. */
static void test_one_port_for_two(void **state)
{
	struct flow_taken t[] = {
		known(false, IPPROTO_TCP, 2, 1, 40000, 40000),
		known(false, IPPROTO_TCP, 3, 2, 40000, 40000),
		known(false, IPPROTO_TCP, 2, 3, 40000, 40001), /* and one endpoint two ports */
	};
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	assert_int_equal(give(&f, t, 3), 3);
	comes_in(&f, &t[0], 2, 1, 1000, 1000);
	comes_in(&f, &t[1], 3, 2, 1000, 1000);
	comes_in(&f, &t[2], 2, 3, 1000, 1000);
	assert_int_equal(flows_ports_taken(&f), 2);
	flows_close(&f);
}

static void test_known_already(void **state)
{
	struct flow_taken t = known(false, IPPROTO_UDP, 2, 1, 40000, 40000);
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	goes_out_by(&f, &t, 2, 1, 0, 0);
	t.reply.dport = htons(50000); /* Linux chose otherwise: ours stays */
	assert_int_equal(give(&f, &t, 1), 1);
	assert_int_equal(flows_stats(&f).live, 1);
	t.reply.dport = htons(40000);
	comes_in(&f, &t, 2, 1, 0, 0);
	flows_close(&f);
}

static void test_many(void **state)
{
	static struct flow_taken t[1000];
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		t[i] = known(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, 2 + i % 3, 1 + i % 7,
			     (uint16_t)(40000 + i), (uint16_t)(2000 + i));
	nat_open(&f, MASQUERADE(""));
	assert_int_equal(give(&f, t, 1000), 1000);
	assert_int_equal(flows_stats(&f).live, 1000);
	flows_close(&f);
}

/* A connection of ours has moved on by far more than its window, both ways. */
static void test_moved_on(void **state)
{
	struct flow_taken t = known(false, IPPROTO_TCP, 2, 1, 40000, 40000);
	struct packet k = tcp(inside(false, 2), 40000, server(false, 1), 443, SYN, 1000, 0), want;
	struct packet far =
		tcp(server(false, 1), 443, router(false), 40000, ACK, 90005001, 80001001);
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	goes_out(&f, &k);
	k = tcp(server(false, 1), 443, router(false), 40000, SYN | ACK, 5000, 1001);
	want = k;
	want.dst = inside(false, 2);
	passes(&f, OUTSIDE, &k, INSIDE, &want);
	goes_out_by(&f, &t, 2, 1, 1001, 5001);
	comes_in(&f, &t, 2, 1, 5001, 1001);
	dies(&f, OUTSIDE, &far, DROP_CT_INVALID);
	f.p.now += NSEC_PER_SEC;
	pipe_turn(&f.p);
	flows_resume(f.p.w->dp.st, f.p.w->dp.tick);
	comes_in(&f, &t, 2, 1, 90005001, 80001001);
	goes_out_by(&f, &t, 2, 1, 80001001, 90005001);
	f.p.now += NSEC_PER_SEC;
	comes_in(&f, &t, 2, 1, 90005001, 80001001);
	assert_int_equal(flows_stats(&f).live, 1);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_one_port_for_two),
		cmocka_unit_test(test_known_already),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_moved_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
