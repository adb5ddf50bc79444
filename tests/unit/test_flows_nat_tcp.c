/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: TCP. Requirements T1-T5, T7, T13-T16 of RFC 5382 and 7857, C2, C3, V1,
 * and that nothing invalid leaves untranslated. What the tracker makes of every segment is tested
 * in test_tcp_*.c; here is what becomes of the translation.
 */
#include "tests/unit/pipe_nat.h"

/* A connection of host `client` inside to a server; the client's first byte is 1001, the server's
 * 5001. Found out by the first SYN: the outside port. */
struct conn {
	bool six;
	unsigned client, far;
	uint16_t port, outside;
};

static struct packet outgoing(const struct conn *c, unsigned flags, uint32_t seq, uint32_t ack)
{
	return tcp(inside(c->six, c->client), c->port, server(c->six, c->far), 443, flags, seq,
		   ack);
}

static struct packet incoming(const struct conn *c, unsigned flags, uint32_t seq, uint32_t ack)
{
	return tcp(server(c->six, c->far), 443, router(c->six), c->outside, flags, seq, ack);
}

/* Rows: a segment from inside, from outside, passes or is refused. */
static void out_with(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
		     uint32_t ack, unsigned data)
{
	struct packet k = outgoing(c, flags, seq, ack), want;

	k.data = data;
	want = k;
	want.src = router(c->six);
	want.sport = c->outside;
	passes(f, INSIDE, &k, OUTSIDE, &want);
}

static void out(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
		uint32_t ack)
{
	out_with(f, c, flags, seq, ack, 0);
}

static void in_with(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
		    uint32_t ack, unsigned data)
{
	struct packet k = incoming(c, flags, seq, ack), want;

	k.data = data;
	want = k;
	want.dst = inside(c->six, c->client);
	want.dport = c->port;
	passes(f, OUTSIDE, &k, INSIDE, &want);
}

static void in(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
	       uint32_t ack)
{
	in_with(f, c, flags, seq, ack, 0);
}

static void in_dies(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
		    uint32_t ack, enum drop_reason why)
{
	struct packet k = incoming(c, flags, seq, ack);

	dies(f, OUTSIDE, &k, why);
}

static void out_dies(struct pipe_flows *f, const struct conn *c, unsigned flags, uint32_t seq,
		     uint32_t ack)
{
	struct packet k = outgoing(c, flags, seq, ack);

	dies(f, INSIDE, &k, DROP_CT_INVALID);
}

static void syn(struct pipe_flows *f, struct conn *c)
{
	struct packet k = outgoing(c, SYN, 1000, 0);

	k = goes_out(f, &k);
	c->outside = k.sport;
}

static void opens(struct pipe_flows *f, struct conn *c)
{
	syn(f, c);
	in(f, c, SYN | ACK, 5000, 1001);
	out(f, c, ACK, 1001, 5001);
}

/* Another host has the port already, so that the outside one differs. */
static struct conn clashed(struct pipe_flows *f, bool six)
{
	struct conn other = { six, 3, 9, 40000, 0 }, c = { six, 2, 1, 40000, 0 };

	syn(f, &other);
	assert_int_equal(other.outside, 40000);
	opens(f, &c);
	assert_int_not_equal(c.outside, 40000);
	return c;
}

static void wait_s(struct pipe_flows *f, unsigned seconds)
{
	f->p.now += seconds * NSEC_PER_SEC;
}

/* ---- ports */

/* T1, T7, V1: endpoint-independent, and never one port for two. */
static void ports_t1_t7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn a = { six, 2, 1, 40000, 0 }, b = { six, 3, 1, 40000, 0 }, more;
		struct packet k = udp(inside(six, 3), 40000, server(six, 1), 443);

		nat_open(&f, MASQUERADE(""));
		opens(&f, &a);
		assert_int_equal(a.outside, 40000);
		opens(&f, &b);
		assert_int_not_equal(b.outside, 40000);
		for (unsigned far = 2; far < 6; far++) {
			more = (struct conn){ six, 2 + far % 2, far, 40000, 0 };
			opens(&f, &more);
			assert_int_equal(more.outside, far % 2 ? b.outside : 40000);
		}
		k = talks(&f, &k);
		assert_from(k, router(six), 40000);
		flows_close(&f);
	}
}

/* T16: when A ends, who was remapped because of A is not moved. */
static void not_moved_t16(void **state)
{
	struct conn a = { false, 2, 1, 40000, 0 }, b = { false, 3, 1, 40000, 0 }, again = b;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	opens(&f, &a);
	opens(&f, &b);
	in(&f, &a, RST, 5001, 0);
	for (unsigned i = 0; i < 5; i++) {
		flows_wait_s(&f, 100);
		out(&f, &b, ACK, 1001, 5001);
	}
	assert_int_equal(live(&f), 1);
	again.far = 2;
	opens(&f, &again);
	assert_int_equal(again.outside, b.outside);
	a.far = 2;
	opens(&f, &a); /* has its own again */
	assert_int_equal(a.outside, 40000);
	flows_close(&f);
}

/* ---- who is let in */

/* T3: EIF or ADF, apart from what UDP has. */
static void filtering_t3(void **state)
{
	static const struct {
		const char *yaml;
		bool same_ip, other_ip;
	} row[] = { { MASQUERADE(", proto: tcp, filtering: eif"), true, true },
		    { MASQUERADE(", proto: tcp, filtering: adf"), true, false },
		    { MASQUERADE(", filtering: apdf"), false, false } };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct conn c = { six, 2, 1, 5000, 0 };

		nat_open(&f, row[i / 2].yaml);
		opens(&f, &c);
		for (unsigned far = 1; far < 3; far++) {
			struct packet k =
				tcp(server(six, far), 999, router(six), c.outside, SYN, 7000, 0);
			struct packet want = k;

			want.dst = inside(six, 2);
			want.dport = 5000;
			if (far == 1 ? row[i / 2].same_ip : row[i / 2].other_ip) {
				passes(&f, OUTSIDE, &k, INSIDE, &want);
				k = answer(&k);
				want = answer(&want);
				k.tcp = want.tcp = SYN | ACK;
				k.ack = want.ack = 7001;
				passes(&f, INSIDE, &want, OUTSIDE, &k);
			} else {
				dies(&f, OUTSIDE, &k, DROP_NAT_FILTERED);
			}
		}
		flows_close(&f);
	}
}

/* T4a: a SYN that nobody asked for is dropped in silence, and does no harm to the SYN that goes out
 * then. */
static void unsolicited_t4(void **state)
{
	struct conn c = { false, 2, 1, 5000, 5000 };
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	in_dies(&f, &c, SYN, 5000, 0, DROP_LOCAL);
	syn(&f, &c);
	assert_int_equal(c.outside, 5000);
	in(&f, &c, SYN | ACK, 5000, 1001);
	c.far = 2;
	in_dies(&f, &c, SYN, 5000, 0, DROP_NAT_FILTERED);
	flows_close(&f);
}

/* ---- what a connection may do: T2 */

static void simultaneous_open_t2a(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c = { six, 2, 1, 5000, 0 };

		nat_open(&f, MASQUERADE(""));
		syn(&f, &c);
		in(&f, &c, SYN, 5000, 0);
		out(&f, &c, SYN | ACK, 1000, 5001);
		in(&f, &c, SYN | ACK, 5000, 1001);
		out_with(&f, &c, ACK, 1001, 5001, 100);
		in_with(&f, &c, ACK, 5001, 1101, 100);
		out(&f, &c, ACK, 1101, 5101);
		wait_s(&f, 7439);
		in_with(&f, &c, ACK, 5101, 1101, 1);
		flows_close(&f);
	}
}

static void sequences_t2(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c;

		nat_open(&f, MASQUERADE(""));
		c = clashed(&f, six);
		in(&f, &c, SYN | ACK, 5000, 1001); /* repeated */
		out(&f, &c, ACK, 1001, 5001);
		out_with(&f, &c, ACK | 32, 1001, 5001, 10); /* urgent */
		in(&f, &c, ACK, 5001, 1011);
		out(&f, &c, ACK, 1010, 5001); /* keep-alive, without and with a byte */
		in(&f, &c, ACK, 5001, 1011);
		out_with(&f, &c, ACK, 1010, 5001, 1);
		in(&f, &c, ACK, 5001, 1011);
		/* half closed: the server goes on */
		out(&f, &c, FIN | ACK, 1011, 5001);
		in(&f, &c, ACK, 5001, 1012);
		for (unsigned i = 0; i < 10; i++) {
			in_with(&f, &c, ACK, 5001 + i * 1000, 1012, 1000);
			out(&f, &c, ACK, 1012, 6001 + i * 1000);
		}
		in(&f, &c, FIN | ACK, 15001, 1012);
		out(&f, &c, ACK, 1012, 15002);
		flows_close(&f);
	}
}

/* ---- for how long: T5 */

static void established_t5(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c;

		nat_open(&f, MASQUERADE(""));
		c = clashed(&f, six);
		wait_s(&f, 7439);
		in_with(&f, &c, ACK, 5001, 1001, 1);
		out(&f, &c, ACK, 1001, 5002);
		wait_s(&f, 7439);
		out(&f, &c, ACK, 1001, 5002);
		flows_wait_s(&f, 7440);
		in_dies(&f, &c, ACK, 5002, 1001, DROP_LOCAL);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* Half open and closing: 240 s. */
static void transitory_t5(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct conn c = { six, 2, 1, 5000, 0 };

		nat_open(&f, MASQUERADE(""));
		syn(&f, &c);
		if (i / 2 == 1)
			in(&f, &c, SYN | ACK, 5000, 1001);
		if (i / 2 == 2) {
			in(&f, &c, SYN | ACK, 5000, 1001);
			out(&f, &c, ACK, 1001, 5001);
			out(&f, &c, FIN | ACK, 1001, 5001);
			in(&f, &c, FIN | ACK, 5001, 1002);
		}
		wait_s(&f, 239);
		if (i / 2 == 2)
			out(&f, &c, ACK, 1002, 5002);
		else
			in(&f, &c, SYN | ACK, 5000, 1001);
		flows_wait_s(&f, 240);
		in_dies(&f, &c, ACK, 5001, 1001, DROP_LOCAL);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* ---- ends and beginnings: T13-T15 */

/* T13: an RST is translated and forwarded; for 4 minutes the mapping stays, and who sends on after
 * what was its RST has not sent it. */
static void reset_t13(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c;

		nat_open(&f, MASQUERADE(""));
		c = clashed(&f, six);
		in(&f, &c, RST, 5001, 0);
		wait_s(&f, 200);
		in_with(&f, &c, ACK, 5001, 1001, 100); /* forged, it was */
		out(&f, &c, ACK, 1001, 5101);
		wait_s(&f, 7439);
		out(&f, &c, ACK, 1001, 5101);
		out(&f, &c, RST, 1001, 0);
		wait_s(&f, 239);
		out(&f, &c, RST, 1001, 0);
		flows_wait_s(&f, 241);
		in_dies(&f, &c, ACK, 5101, 1001, DROP_LOCAL);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

static void closes(struct pipe_flows *f, const struct conn *c)
{
	out(f, c, FIN | ACK, 1001, 5001);
	in(f, c, FIN | ACK, 5001, 1002);
	out(f, c, ACK, 1002, 5002);
}

/* T14: closed on both sides, a SYN with the same ports is a new connection at once. */
static void reopened_t14(void **state)
{
	static const char *const yaml[] = { MASQUERADE(""), MASQUERADE(", mapping: apdm") };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct conn c;

		nat_open(&f, yaml[i / 2]);
		c = clashed(&f, i & 1);
		for (unsigned n = 0; n < 5; n++) {
			uint16_t before = c.outside;
			struct packet k;

			closes(&f, &c);
			k = outgoing(&c, SYN, 900000 + n * 100000, 0);
			k = goes_out(&f, &k);
			c.outside = k.sport;
			if (i / 2 == 0)
				assert_int_equal(before, c.outside);
			in(&f, &c, SYN | ACK, 300000, 900001 + n * 100000);
			out(&f, &c, ACK, 900001 + n * 100000, 300001);
			wait_s(&f, 1000); /* it is established */
			in(&f, &c, ACK, 300001, 900001 + n * 100000);
			in(&f, &c, RST, 300001, 0);
			flows_wait_s(&f, 300);
			c = (struct conn){ i & 1, 2, 1, (uint16_t)(41000 + n), 0 };
			opens(&f, &c);
		}
		flows_close(&f);
	}
}

/* T14: a SYN of one side alone reopens nothing that is alive. */
static void not_reopened_t14(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c;

		nat_open(&f, MASQUERADE(""));
		c = clashed(&f, six);
		in_dies(&f, &c, SYN, 800000, 0, DROP_CT_INVALID);
		out(&f, &c, SYN, 700000, 0); /* let by, for the server to challenge */
		in(&f, &c, ACK, 5001, 1001);
		wait_s(&f, 7000);
		out_with(&f, &c, ACK, 1001, 5001, 10);
		in(&f, &c, ACK, 5001, 1011);
		flows_close(&f);
	}
}

/* T15: an RST that is out of the window, or not exact, changes nothing. */
static void bad_reset_t15(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c;

		nat_open(&f, MASQUERADE(""));
		c = clashed(&f, six);
		in_dies(&f, &c, RST, 900000, 0, DROP_CT_INVALID);
		in_dies(&f, &c, RST, 4000, 0, DROP_CT_INVALID);
		in(&f, &c, RST, 5100, 0); /* in the window: the client will challenge it */
		wait_s(&f, 7000);
		in_with(&f, &c, ACK, 5001, 1001, 10);
		flows_close(&f);
	}
}

/* C3: what is invalid leaves neither translated nor as it came. */
static void invalid_stays_here(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k;
		struct frame bad;
		struct conn c;

		nat_open(&f, MASQUERADE("") "conntrack: {tcp-loose: false}\n");
		c = clashed(&f, six);
		out_dies(&f, &c, ACK, 900000, 5001);
		in_dies(&f, &c, ACK, 900000, 1001, DROP_CT_INVALID);
		out_dies(&f, &c, SYN | FIN, 1001, 5001);
		out_dies(&f, &c, 0, 1001, 5001);
		k = outgoing(&c, FIN | ACK, 1001, 5001);
		frame_of(&bad, INSIDE, &k);
		bad.b[bad.len - 3] ^= 1; /* in its checksum's reach */
		pipe_drops(&f.p, &bad, DROP_CT_INVALID);
		c.client = 4; /* of no connection: in the middle, or its answer */
		out_dies(&f, &c, ACK, 1001, 5001);
		out_dies(&f, &c, SYN | ACK, 1001, 5001);
		out_dies(&f, &c, RST, 1001, 0);
		k = echo(inside(six, 4), server(six, 1), 5);
		k.icmp = six ? 129 : 0;
		dies(&f, INSIDE, &k, DROP_CT_INVALID);
		assert_int_equal(live(&f), 2);
		flows_close(&f);
	}
}

/* C4: picked up in the middle, it gets a mapping like any other. */
static void picked_up(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct conn c = { six, 2, 1, 40000, 40000 };

		nat_open(&f, MASQUERADE(""));
		out_with(&f, &c, ACK, 1001, 5001, 10);
		in(&f, &c, ACK, 5001, 1011);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_t1_t7),
		cmocka_unit_test(not_moved_t16),
		cmocka_unit_test(filtering_t3),
		cmocka_unit_test(unsolicited_t4),
		cmocka_unit_test(simultaneous_open_t2a),
		cmocka_unit_test(sequences_t2),
		cmocka_unit_test(established_t5),
		cmocka_unit_test(transitory_t5),
		cmocka_unit_test(reset_t13),
		cmocka_unit_test(reopened_t14),
		cmocka_unit_test(not_reopened_t14),
		cmocka_unit_test(bad_reset_t15),
		cmocka_unit_test(invalid_stays_here),
		cmocka_unit_test(picked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
