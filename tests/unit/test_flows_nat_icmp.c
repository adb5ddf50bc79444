/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: ICMP queries (requirements I1, I2), errors through NAT in both directions
 * with all that may be quoted (I3-I7, I9, I11-I13, T9, X6), which change no flow (U12, T10, I6),
 * and errors of the router's own about packets it has translated (I8, U13).
 */
#include "tests/unit/pipe_nat.h"

/* ---- queries */

/* I1, I1a, I2: the id is translated like a port, is the same whomever is asked, and lives 60 s. */
static void queries_i1_i2(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet a = echo(inside(six, 2), server(six, 1), 77);
		struct packet b = echo(inside(six, 3), server(six, 1), 77), out, back;
		uint16_t id;

		nat_open(&f, MASQUERADE(""));
		out = talks(&f, &a);
		assert_from(out, router(six), 77);
		out = talks(&f, &b);
		id = out.sport;
		assert_int_not_equal(id, 77);
		b.dst = server(six, 2);
		out = talks(&f, &b);
		assert_from(out, router(six), id);
		f.p.now += 59 * NSEC_PER_SEC;
		comes_back(&f, &b, &out);
		f.p.now += 60 * NSEC_PER_SEC;
		back = answer(&out);
		dies(&f, OUTSIDE, &back, DROP_CT_INVALID);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* C10: and the other queries of IPv4. */
static void other_queries(void **state)
{
	static const uint8_t type[][2] = { { 13, 14 }, { 15, 16 }, { 17, 18 } };
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	for (unsigned i = 0; i < 3; i++) {
		struct packet k = echo(inside(false, 2), server(false, 1), 500 + i), out, want;

		k.icmp = type[i][0];
		out = goes_out(&f, &k);
		assert_from(out, router(false), 500 + i);
		out = answer(&out);
		want = answer(&k);
		out.icmp = want.icmp = type[i][1];
		passes(&f, OUTSIDE, &out, INSIDE, &want);
	}
	flows_close(&f);
}

/* ---- errors through NAT */

static struct packet one_of(bool six, unsigned kind)
{
	switch (kind) {
	case 0: return udp(inside(six, 3), 5000, server(six, 1), 443);
	case 1: return tcp(inside(six, 3), 5000, server(six, 1), 443, SYN, 1000, 0);
	default: return echo(inside(six, 3), server(six, 1), 5000);
	}
}

/* A flow whose outside port is another than the inside one. */
static struct packet clashed(struct pipe_flows *f, const struct packet *k)
{
	struct packet other = *k, out;

	other.src = inside(k->src.family == AF_INET6, 2);
	goes_out(f, &other);
	out = goes_out(f, k);
	assert_int_not_equal(out.sport, k->sport);
	return out;
}

/* I4, I12, I13, T9: from outside, by the server or by a router on the way; every length of quote
 * that has 8 bytes of transport. */
static void errors_from_outside_i4(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		bool six = i & 1, server_says = i & 2;
		struct packet k = one_of(six, i / 4), out;
		unsigned header = six ? 40 : 20;
		struct complaint in, want;

		nat_open(&f, MASQUERADE(""));
		k.ttl = 60;
		out = clashed(&f, &k);
		in = complain(&out, server_says ? out.dst : server(six, 99));
		want = complain(&k, in.src);
		for (unsigned quoted = header + 8; quoted <= header + 8 + 100; quoted++) {
			if (k.proto == IPPROTO_TCP && quoted == header + 17)
				continue; /* half a checksum stays as it is */
			in.quoted = want.quoted = quoted;
			complaint_passes(&f, OUTSIDE, &in, INSIDE, &want);
		}
		flows_close(&f);
	}
}

/* I5, I12, I13: from inside, about what came in; who says it is seen by the outside address. */
static void errors_from_inside_i5(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		bool six = i & 1, host_says = i & 2;
		struct packet k = one_of(six, i / 4), out, back, came;
		unsigned header = six ? 40 : 20;
		struct complaint in, want;

		nat_open(&f, MASQUERADE(""));
		out = clashed(&f, &k);
		back = answer(&k);
		came = answer(&out);
		if (k.proto == IPPROTO_TCP) {
			back.tcp = came.tcp = SYN | ACK;
			back.seq = came.seq = 5000;
			back.ack = came.ack = 1001;
		}
		back.ttl = came.ttl = 60;
		passes(&f, OUTSIDE, &came, INSIDE, &back);
		in = complain(&back, host_says ? back.dst : inside(six, 99));
		want = complain(&came, out.src);
		for (unsigned quoted = header + 8; quoted <= header + 8 + 100; quoted++) {
			if (k.proto == IPPROTO_TCP && quoted == header + 17)
				continue; /* half a checksum stays as it is */
			in.quoted = want.quoted = quoted;
			complaint_passes(&f, INSIDE, &in, OUTSIDE, &want);
		}
		flows_close(&f);
	}
}

/* I9, X6: types that pass, with their code and second word; and what does not: source quench,
 * redirects, what is unknown. */
static void types_i9_x6(void **state)
{
	static const struct {
		uint8_t six, type, codes;
		bool passes;
	} row[] = {
		{ 0, 3, 15, true },  { 0, 11, 1, true }, { 0, 12, 1, true },   { 0, 4, 0, false },
		{ 0, 5, 3, false },  { 0, 9, 0, false }, { 0, 10, 0, false },  { 0, 30, 0, false },
		{ 0, 41, 0, false }, { 1, 1, 6, true },	 { 1, 2, 0, true },    { 1, 3, 1, true },
		{ 1, 4, 2, true },   { 1, 5, 0, false }, { 1, 100, 0, false },
	};
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = one_of(six, 0), out = clashed(&f, &k);

		for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			struct complaint in = complain(&out, server(six, 99)), want;

			if (row[i].six != six)
				continue;
			for (unsigned code = 0; code <= row[i].codes; code++) {
				in.type = row[i].type;
				in.code = (uint8_t)code;
				in.info = 1400;
				want = in;
				want.dst = k.src;
				want.about = k;
				if (row[i].passes)
					complaint_passes(&f, OUTSIDE, &in, INSIDE, &want);
				else
					complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
			}
		}
		comes_back(&f, &k, &out);
	}
	flows_close(&f);
}

/* X6: a redirect of IPv6 is neighbour discovery, which passes no router. */
static void redirect6_x6(void **state)
{
	struct packet k = one_of(true, 0), out;
	struct pipe_flows f;
	struct complaint in;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	out = clashed(&f, &k);
	in = complain(&out, server(true, 99));
	in.type = 137;
	in.code = 0;
	complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
	flows_close(&f);
}

/* I3, C11: what is forged, or about nothing of ours, goes nowhere. */
static void forged_i3_c11(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = one_of(six, 0), out;
		unsigned header = six ? 40 : 20;
		struct complaint in;
		uint8_t b[FRAME_ROOM];
		struct frame bad;

		nat_open(&f, MASQUERADE(""));
		out = clashed(&f, &k);
		in = complain(&out, server(six, 99));
		in.quoted = header + 7; /* too little to be sure */
		complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
		in.quoted = 0;
		in.about.sport++; /* no mapping: silently (I4) */
		complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
		in.about.sport--;
		in.about.dport++;
		complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
		in.about.dport--;
		in.dst = inside(six, 4); /* to another than who sent it */
		complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
		in.dst = out.src;
		/* a wrong sum of the message; of the header that is quoted */
		frame_of_bytes(&bad, OUTSIDE, b, make_complaint(b, &in));
		bad.b[14 + header + 3] ^= 1;
		pipe_drops(&f.p, &bad, DROP_CT_INVALID);
		if (!six) {
			unsigned len = make_complaint(b, &in);

			b[28 + 8] ^= 1; /* its TTL */
			make_checksum(b, 20, len - 20, IPPROTO_ICMP, 2);
			frame_of_bytes(&bad, OUTSIDE, b, len);
			pipe_drops(&f.p, &bad, DROP_CT_INVALID);
		}
		comes_back(&f, &k, &out);
		flows_close(&f);
	}
}

/* U12, T10, I6: no error ends a flow or keeps it alive. */
static void errors_change_nothing_u12_t10(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct packet k = one_of(six, i / 2), out, back;
		struct complaint in, want;

		nat_open(&f, MASQUERADE("") "conntrack: {timeouts: {tcp-syn-sent: 60s, "
					    "udp: 60s, udp-stream: 60s}}");
		out = clashed(&f, &k);
		in = complain(&out, server(six, 99));
		want = complain(&k, server(six, 99));
		for (unsigned n = 0; n < 11; n++) {
			f.p.now += 5 * NSEC_PER_SEC;
			complaint_passes(&f, OUTSIDE, &in, INSIDE, &want);
		}
		back = answer(&out);
		if (k.proto != IPPROTO_TCP) {
			comes_back(&f, &k, &out);
			f.p.now += 60 * NSEC_PER_SEC;
			dies(&f, OUTSIDE, &back,
			     k.proto == IPPROTO_UDP ? DROP_LOCAL : DROP_CT_INVALID);
		} else {
			f.p.now += 5 * NSEC_PER_SEC;
			back.tcp = SYN | ACK;
			back.ack = 1001;
			dies(&f, OUTSIDE, &back, DROP_CT_INVALID);
		}
		complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID); /* about nothing any more */
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* C11: an error about an error is none. */
static void error_about_error(void **state)
{
	struct packet k = one_of(false, 0), out;
	struct complaint in;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	out = clashed(&f, &k);
	in = complain(&out, server(false, 99));
	in.about = echo(out.src, server(false, 99), 5000);
	in.about.icmp = 3;
	complaint_dies(&f, OUTSIDE, &in, DROP_CT_INVALID);
	flows_close(&f);
}

/* ---- errors of the router's own */

/* The sender inside is told about the packet as it sent it. */
static void told_inside(struct pipe_flows *f, const struct packet *k, enum drop_reason why,
			unsigned type, unsigned code, uint32_t info)
{
	bool six = k->dst.family == AF_INET6;
	struct error e = { (uint8_t)type,	    (uint8_t)code, info,
			   on_link(six, INSIDE, 1), INSIDE,	   k->src.bytes[six ? 15 : 3] };
	struct frame in;

	frame_of(&in, INSIDE, k);
	pipe_answers_as(&f->p, &in, why, &e);
}

/* TTL ran out: of the first packet of a flow, and of one in the middle of it. */
static void ttl_after_nat(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct packet k = one_of(six, i / 2);

		nat_open(&f, MASQUERADE(""));
		k.ttl = 1;
		told_inside(&f, &k, DROP_TTL, six ? 3 : 11, 0, 0);
		assert_int_equal(live(&f), 0);
		assert_int_equal(flows_ports_taken(&f), 0);
		k.ttl = 64;
		clashed(&f, &k);
		k.ttl = 1;
		told_inside(&f, &k, DROP_TTL, six ? 3 : 11, 0, 0);
		flows_close(&f);
	}
}

/* And of an answer: the server outside is told about what it sent. */
static void ttl_from_outside(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool six = i & 1;
		struct packet k = one_of(six, i / 2 * 2), out, back;
		struct error e = { six ? 3 : 11, 0, 0, on_link(six, OUTSIDE, 1), OUTSIDE, 0 };
		struct frame in;

		nat_open(&f, MASQUERADE(""));
		out = clashed(&f, &k);
		back = answer(&out);
		back.ttl = 1;
		frame_of(&in, OUTSIDE, &back);
		pipe_answers_as(&f.p, &in, DROP_TTL, &e);
		flows_close(&f);
	}
}

static void narrow(struct pipe_flows *f, bool six, uint16_t mtu)
{
	struct addr gateway = on_link(six, OUTSIDE, 2);
	uint32_t slot = neigh_lookup(f->p.neigh, &f->p.nht, OUTSIDE, &gateway);

	f->p.nht.slot[slot]->mtu = mtu;
	f->p.nht.generation++;
}

/* U13: too big, and not to be cut. */
static void too_big_u13(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct packet k = one_of(six, i / 2), small = k;

		nat_open(&f, MASQUERADE(""));
		narrow(&f, six, 1300);
		k.df = true;
		k.data = 1320;
		told_inside(&f, &k, DROP_TOO_BIG, six ? 2 : 3, six ? 0 : 4, 1300);
		assert_int_equal(live(&f), 0);
		clashed(&f, &small);
		told_inside(&f, &k, DROP_TOO_BIG, six ? 2 : 3, six ? 0 : 4, 1300);
		flows_close(&f);
	}
}

/* No route outside: nothing is made. */
static void no_route(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 3), 5000, beyond(six, TO_UNREACHABLE), 53);

		nat_open(&f, MASQUERADE(""));
		told_inside(&f, &k, DROP_UNREACHABLE, six ? 1 : 3, six ? 6 : 1, 0);
		k.dst = beyond(six, TO_PROHIBIT);
		told_inside(&f, &k, DROP_PROHIBIT, six ? 1 : 3, six ? 1 : 13, 0);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* No neighbour outside: those that wait are translated already; who sent them inside is told, about
 * what it sent. */
static void no_neighbour(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct packet k = one_of(six, i / 2);
		uint64_t before[DROP__COUNT];
		struct error e = {
			six ? 1 : 3, six ? 3 : 1, 0, on_link(six, INSIDE, 1), INSIDE, 3
		};
		struct frame in;

		nat_open(&f, MASQUERADE(""));
		k.dst = beyond(six, VIA_DARK);
		frame_of(&in, INSIDE, &k);
		pipe_receive(&f.p, &in);
		pipe_turn(&f.p);
		pipe_quiet(&f.p);
		assert_int_equal(f.p.w->dp.nheld, 1);
		assert_int_equal(live(&f), 1);
		memcpy(before, f.p.w->count->drop, sizeof(before));
		pipe_adj(&f.p, six ? f.p.dark6 : f.p.dark4, 1, on_link(six, 1, 9), NH_FAILED, 1);
		pipe_turn(&f.p);
		expect_error(&f.p, &in, &e);
		expect_one_drop(&f.p, before, DROP_NEIGH_FAILED);
		pipe_quiet(&f.p);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_i1_i2),
		cmocka_unit_test(other_queries),
		cmocka_unit_test(errors_from_outside_i4),
		cmocka_unit_test(errors_from_inside_i5),
		cmocka_unit_test(types_i9_x6),
		cmocka_unit_test(redirect6_x6),
		cmocka_unit_test(forged_i3_c11),
		cmocka_unit_test(errors_change_nothing_u12_t10),
		cmocka_unit_test(error_about_error),
		cmocka_unit_test(ttl_after_nat),
		cmocka_unit_test(ttl_from_outside),
		cmocka_unit_test(too_big_u13),
		cmocka_unit_test(no_route),
		cmocka_unit_test(no_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
