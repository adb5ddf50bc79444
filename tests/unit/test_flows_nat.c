/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: which outside port and address (requirements U1-U4, U7, U11, V1, V3,
 * K1-K3, K6, K11, K13, K15, X1, X3, X4, X7), who is let in (U8) and for how long (U5, U6). Frames
 * in, exact bytes out, for both families.
 */
#include "tests/unit/pipe_nat.h"

/* ---- outside ports */

/* U1, K1, V1: one endpoint to two addresses by two ports is one outside endpoint, also once another
 * host has clashed with it; of the other protocol the port is another's to have. */
static void endpoint_independent_u1(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet first = udp(inside(six, 2), 5000, server(six, 9), 53), out;
		uint16_t port = 0;

		nat_open(&f, MASQUERADE(""));
		out = talks(&f, &first);
		assert_from(out, router(six), 5000);
		for (unsigned i = 0; i < 8; i++) {
			unsigned host = i < 4 ? 3 : 2;
			struct packet k = udp(inside(six, host), 5000, server(six, 1 + i % 2),
					      80 + i / 2 % 2);

			out = talks(&f, &k);
			if (i == 0)
				port = out.sport;
			assert_from(out, router(six), host == 3 ? port : 5000);
		}
		assert_int_not_equal(port, 5000);
		first = tcp(inside(six, 3), 5000, server(six, 9), 53, SYN, 1000, 0);
		out = goes_out(&f, &first);
		assert_from(out, router(six), 5000);
		all_gone_after(&f, 300);
		flows_close(&f);
	}
}

/* U3, U3a, U4, X1: same port, same destination: another port, of one class and parity. */
static void no_overloading_u3(void **state)
{
	static const uint16_t port[] = { 300, 301, 700, 701, 40000, 40001 };
	static const uint16_t first[] = { 1, 1, 600, 600, 1024, 1024 };
	static const uint16_t last[] = { 511, 511, 1023, 1023, 65535, 65535 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		nat_open(&f, MASQUERADE(""));
		for (unsigned i = 0; i < 6; i++) {
			struct packet a = udp(inside(six, 2), port[i], server(six, 1), 443);
			struct packet b = udp(inside(six, 3), port[i], server(six, 1), 443);

			a = talks(&f, &a);
			b = talks(&f, &b);
			assert_from(a, router(six), port[i]);
			assert_int_not_equal(b.sport, port[i]);
			assert_int_equal(b.sport % 2, port[i] % 2);
			assert_in_range(b.sport, first[i], last[i]);
		}
		flows_close(&f);
	}
}

/* U3, I8, K11, K13: every port of the range is used, once; then 3/13 (1/1) to the sender, a drop,
 * and those that have a port keep it. */
static void exhausted_k11_k13(void **state)
{
	static bool seen[65536];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet first = { 0 }, first_out = { 0 }, k;
		struct frame in;

		memset(seen, 0, sizeof(seen));
		nat_open(&f, MASQUERADE(", ports: 20000-20099"));
		for (unsigned i = 0; i < 100; i++) {
			struct packet out;

			k = udp(inside(six, 2 + i % 3), 30000 + i, server(six, 1), 443);
			out = talks(&f, &k);
			assert_in_range(out.sport, 20000, 20099);
			assert_false(seen[out.sport]);
			seen[out.sport] = true;
			if (i == 0) {
				first = k;
				first_out = out;
			}
		}
		k = udp(inside(six, 2), 31000, server(six, 2), 443);
		frame_of(&in, INSIDE, &k);
		pipe_answers(&f.p, &in, DROP_NAT_EXHAUSTED, six ? 1 : 3, six ? 1 : 13, 0);
		assert_int_equal(live(&f), 100);
		comes_back(&f, &first, &first_out);
		k = udp(inside(six, 2), 30000, server(six, 2), 443); /* has a mapping */
		k = talks(&f, &k);
		assert_from(k, router(six), first_out.sport);
		all_gone_after(&f, 300);
		k = udp(inside(six, 2), 31000, server(six, 2), 443);
		talks(&f, &k);
		flows_close(&f);
	}
}

/* V3, K15: what is given next cannot be told from what was given: all over the range. (The spread
 * itself is measured where ports are chosen.) */
static void unguessable_v3_k15(void **state)
{
	unsigned quarter[4] = { 0 }, next = 0;
	struct pipe_flows f;
	uint16_t before = 0;

	(void)state;
	nat_open(&f, MASQUERADE(", mapping: apdm, parity: false"));
	for (unsigned i = 0; i < 201; i++) {
		struct packet k = udp(inside(false, 2 + i % 2), 5000, server(false, 1), 1 + i / 2);
		struct packet out = goes_out(&f, &k);

		if (out.sport == 5000)
			continue;
		next += out.sport == before + 1;
		before = out.sport;
		quarter[(out.sport - 1024) / 16128]++;
	}
	assert_in_range(next, 0, 5);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(quarter[i], 20, 85);
	flows_close(&f);
}

/* ---- outside addresses */

static unsigned pool_index(const struct packet *k)
{
	return k->src.family == AF_INET6 ? k->src.bytes[15] : k->src.bytes[3];
}

/* U2, K2, X3: of a pool a host has one address, and hosts are spread over it. */
static void paired_u2(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		unsigned hosts[8] = { 0 };

		nat_open(&f, six ? POOL("'2001:db8:cb::4-2001:db8:cb::7'", "")
				 : POOL("203.0.113.4-203.0.113.7", ", persistent: true"));
		for (unsigned h = 10; h < 110; h++) {
			unsigned own = 0;

			for (unsigned i = 0; i < 3; i++) {
				struct packet k = udp(inside(six, h), 5000 + i, server(six, i), 53);

				k = goes_out(&f, &k);
				assert_in_range(pool_index(&k), 4, 7);
				if (i == 0)
					own = pool_index(&k);
				assert_int_equal(pool_index(&k), own);
			}
			hosts[own]++;
		}
		for (unsigned i = 4; i < 8; i++)
			assert_in_range(hosts[i], 10, 40);
		flows_close(&f);
	}
}

/* K3: three addresses that lie apart and a prefix are one pool. */
static void pool_in_pieces_k3(void **state)
{
	bool seen[256] = { false };
	struct pipe_flows f;
	unsigned n = 0;

	(void)state;
	nat_open(&f, POOL("[203.0.113.1, 203.0.113.50, 203.0.113.99, 203.0.113.64/29]", ""));
	for (unsigned h = 10; h < 250; h++) {
		struct packet k = udp(inside(false, h), 5000, server(false, 1), 53);

		k = goes_out(&f, &k);
		n += !seen[pool_index(&k)];
		seen[pool_index(&k)] = true;
	}
	assert_true(seen[1] && seen[50] && seen[99] && seen[64] && seen[71]);
	assert_int_equal(n, 11);
	flows_close(&f);
}

/* K6, X7: what is exempted by prefix or port, and what no rule speaks of, leaves as it came; also
 * when another's translation has that very port. */
static void exempt_k6_x7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k;

		nat_open(&f, "nat: {source: [\n"
			     "  {to: [172.16.0.8/29, '2001:db8:10::8/125'], action: none},\n"
			     "  {proto: udp, dport: 4500, action: none},\n"
			     "  {from: [10.0.0.0/24, '2001:db8::/64'], out: p1, action: masquerade}"
			     "]}\n");
		k = udp(inside(six, 2), 5000, server(six, 9), 53);
		passes(&f, INSIDE, &k, OUTSIDE, &k);
		k = answer(&k);
		passes(&f, OUTSIDE, &k, INSIDE, &k);
		k = udp(inside(six, 2), 5000, server(six, 1), 4500);
		passes(&f, INSIDE, &k, OUTSIDE, &k);
		k = udp(on_link(six, INSIDE2, 2), 5000, server(six, 1), 53);
		passes(&f, INSIDE2, &k, OUTSIDE, &k);
		assert_int_equal(flows_ports_taken(&f), 0);
		k = udp(inside(six, 2), 5000, server(six, 1), 53);
		k = talks(&f, &k);
		assert_from(k, router(six), 5000);
		/* X7: a stranger inside with the router's outside tuple is none of NAT's */
		k = udp(on_link(six, INSIDE2, 2), 5000, inside(six, 2), 5000);
		passes(&f, INSIDE2, &k, INSIDE, &k);
		flows_close(&f);
	}
}

/* X4: an IPv4 datagram without checksum gets none; a sum of 0 is written 0xffff. */
static void zero_checksums_x4(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), out;
	struct pipe_flows f;
	unsigned tried = 0;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	k.no_csum = true;
	talks(&f, &k);
	k.no_csum = false;
	for (unsigned six = 0; six < 2; six++) {
		uint8_t b[FRAME_ROOM];

		/* of every content the sum is another; when it becomes 0xffff is looked for by the
		 * source port, which is kept */
		for (unsigned port = 1024; port < 65536; port++) {
			out = udp(router(six), port, server(six, 1), 53);
			make_packet(b, &out);
			if (get16(b + (six ? 40 : 20) + 6) != 0xffff)
				continue;
			tried++;
			k = udp(inside(six, 2), port, server(six, 1), 53);
			out = talks(&f, &k);
			assert_from(out, router(six), port);
		}
	}
	assert_int_equal(tried, 2);
	flows_close(&f);
}

/* U7: the network outside has the numbers of the one inside. */
static void same_network_outside_u7(void **state)
{
	struct packet k, out, back, want;
	struct pipe_flows f;
	struct addr far, gateway = on_link(false, OUTSIDE, 2);

	(void)state;
	nat_open(&f, "nat: {source: [{name: home, out: p1, action: masquerade}]}\n");
	/* 192.168.1.0/24 is beyond the gateway, and host .7 of it has the sender's address */
	far = net4(192, 168, 1, 7);
	pipe_route(&f.p, net4(192, 168, 1, 0), 24,
		   neigh_lookup(f.p.neigh, &f.p.nht, OUTSIDE, &gateway));
	k = udp(far, 5000, net4(192, 168, 1, 9), 53);
	out = goes_out(&f, &k);
	assert_from(out, router(false), 5000);
	back = answer(&out);
	want = answer(&k);
	passes(&f, OUTSIDE, &back, OUTSIDE, &want); /* as routes say, but to whom it belongs */
	flows_close(&f);
}

/* ---- the same always: U11 */

/* The first flow and one of many, and one after the rules were loaded again. */
static void deterministic_u11(void **state)
{
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	for (unsigned round = 0; round < 4; round++) {
		struct packet a = udp(inside(false, 2), 1100 + round, server(false, 1), 53), b;

		for (unsigned n = 0; n < 2; n++) {
			b = a;
			b.dst = server(false, 2 + n);
			b = talks(&f, &b);
			assert_from(b, router(false), a.sport);
		}
		b = a;
		b.src = inside(false, 3);
		b = talks(&f, &b);
		assert_int_not_equal(b.sport, a.sport);
		b = udp(server(false, 7), 53, router(false), a.sport);
		dies(&f, OUTSIDE, &b, DROP_NAT_FILTERED);
		if (round == 1)
			for (unsigned i = 0; i < 20000; i++) {
				b = udp(inside(false, 10 + i % 200), 2000 + i, server(false, 9), 9);
				goes_out(&f, &b);
			}
		if (round == 2)
			assert_true(flows_load(&f, MASQUERADE("")));
	}
	for (unsigned i = 0; i < 50 && live(&f); i++) /* more than a turn's work */
		flows_wait_s(&f, 300);
	assert_int_equal(live(&f), 0);
	flows_close(&f);
}

/* ---- who is let in: U8 */

/* Of {same ip:port, same ip other port, other ip}. */
static unsigned matrix(struct pipe_flows *f, const struct packet *in, const struct packet *out)
{
	bool six = in->src.family == AF_INET6;
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct packet back = answer(out), want = answer(in);
		uint64_t refused = f->p.w->count->drop[DROP_NAT_FILTERED];

		back.src = want.src = i == 2 ? server(six, 2) : server(six, 1);
		back.sport = want.sport = i == 1 ? 54 : 53;
		send_packet(f, OUTSIDE, &back);
		if (f->p.w->count->drop[DROP_NAT_FILTERED] == refused) {
			expect_packet(&f->p, INSIDE, &want);
			n |= 1u << i;
			back = answer(&want); /* and the answer to it finds its way */
			want = answer(out);
			want = answer(&want);
			want.dst = back.dst;
			want.dport = back.dport;
			passes(f, INSIDE, &back, OUTSIDE, &want);
		}
		pipe_quiet(&f->p);
	}
	return n;
}

static void filtering_u8(void **state)
{
	static const char *const yaml[] = { MASQUERADE(", filtering: eif"),
					    MASQUERADE(", filtering: adf"),
					    MASQUERADE(", filtering: apdf") };
	static const unsigned lets_in[] = { 7, 3, 1 };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i / 3;
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out;

		nat_open(&f, yaml[i % 3]);
		out = goes_out(&f, &k);
		assert_int_equal(matrix(&f, &k, &out), lets_in[i % 3]);
		all_gone_after(&f, 300);
		k = answer(&out); /* and nobody any more: it is for Linux */
		dies(&f, OUTSIDE, &k, DROP_LOCAL);
		flows_close(&f);
	}
}

/* ---- for how long: U5, U6 */

/* U5, U5c: 299 s idle and it is delivered, 300 s and it is not; its port is free again. */
static void timer_u5(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool six = i & 1, answered = i & 2;
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out, back;

		nat_open(&f, MASQUERADE(""));
		out = goes_out(&f, &k);
		if (answered)
			comes_back(&f, &k, &out);
		f.p.now += 299 * NSEC_PER_SEC;
		comes_back(&f, &k, &out);
		f.p.now += 299 * NSEC_PER_SEC;
		comes_back(&f, &k, &out);
		f.p.now += 300 * NSEC_PER_SEC;
		back = answer(&out);
		dies(&f, OUTSIDE, &back, DROP_LOCAL);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* U6: what goes out refreshes. */
static void outbound_refreshes_u6(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), out;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	for (unsigned i = 0; i < 5; i++) {
		out = goes_out(&f, &k);
		assert_from(out, router(false), 5000);
		flows_wait_s(&f, 299);
	}
	comes_back(&f, &k, &out);
	flows_close(&f);
}

/* U6a: and, told so, what comes in does not: an endless stream holds no mapping. */
static void inbound_does_not_u6a(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out, back;

		nat_open(&f, MASQUERADE("") "conntrack: {refresh: outbound}\n");
		out = goes_out(&f, &k);
		for (unsigned i = 0; i < 29; i++) {
			f.p.now += 10 * NSEC_PER_SEC;
			comes_back(&f, &k, &out);
		}
		f.p.now += 10 * NSEC_PER_SEC;
		back = answer(&out);
		dies(&f, OUTSIDE, &back, DROP_LOCAL);
		all_gone_after(&f, 0);
		flows_close(&f);
	}
}

/* U1, U5, U6: a mapping lives as long as any flow that uses it, also one that it let in. `in` came
 * to the mapping of an endpoint whose own flow has expired meanwhile. */
static void let_in_holds_u6(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out, in, back,
			      want;

		nat_open(&f, MASQUERADE(", filtering: eif") "conntrack: {refresh: outbound}\n");
		out = goes_out(&f, &k);
		in = udp(server(six, 2), 99, out.src, out.sport);
		want = in;
		want.dst = k.src;
		want.dport = k.sport;
		passes(&f, OUTSIDE, &in, INSIDE, &want);
		back = answer(&want);
		want = answer(&in);
		for (unsigned i = 0; i < 9; i++) { /* 450 s: the flow of k is over */
			passes(&f, INSIDE, &back, OUTSIDE, &want);
			flows_wait_s(&f, 50);
		}
		assert_int_equal(live(&f), 1);
		assert_int_equal(flows_ports_taken(&f), 1);
		k.dst = server(six, 3); /* the same outside endpoint still */
		out = goes_out(&f, &k);
		assert_from(out, router(six), in.dport);
		all_gone_after(&f, 300);
		assert_int_equal(flows_ports_taken(&f), 0);
		flows_close(&f);
	}
}

/* U6a: what comes in by a mapping holds neither its flow nor the mapping by itself. */
static void let_in_alone_u6a(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), out, in, want;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(", filtering: eif") "conntrack: {refresh: outbound}\n");
	out = goes_out(&f, &k);
	in = udp(server(false, 2), 99, out.src, out.sport);
	want = in;
	want.dst = k.src;
	want.dport = k.sport;
	for (unsigned i = 0; i < 10; i++) {
		passes(&f, OUTSIDE, &in, INSIDE, &want);
		f.p.now += 29 * NSEC_PER_SEC;
	}
	f.p.now += 11 * NSEC_PER_SEC;
	flows_wait_s(&f, 20);
	dies(&f, OUTSIDE, &in, DROP_LOCAL);
	assert_int_equal(flows_ports_taken(&f), 0);
	flows_close(&f);
}

/* The other family's ICMP is none: it gets no id, which nobody would give back. */
static void foreign_icmp(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k =
			opaque(inside(six, 2), server(six, 1), six ? IPPROTO_ICMP : IPPROTO_ICMPV6);

		nat_open(&f, MASQUERADE(""));
		k.icmp = six ? 8 : 128;
		dies(&f, INSIDE, &k, DROP_CT_INVALID);
		assert_int_equal(live(&f), 0);
		assert_int_equal(flows_ports_taken(&f), 0);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_independent_u1),
		cmocka_unit_test(no_overloading_u3),
		cmocka_unit_test(exhausted_k11_k13),
		cmocka_unit_test(unguessable_v3_k15),
		cmocka_unit_test(paired_u2),
		cmocka_unit_test(pool_in_pieces_k3),
		cmocka_unit_test(exempt_k6_x7),
		cmocka_unit_test(zero_checksums_x4),
		cmocka_unit_test(same_network_outside_u7),
		cmocka_unit_test(deterministic_u11),
		cmocka_unit_test(filtering_u8),
		cmocka_unit_test(timer_u5),
		cmocka_unit_test(outbound_refreshes_u6),
		cmocka_unit_test(inbound_does_not_u6a),
		cmocka_unit_test(let_in_holds_u6),
		cmocka_unit_test(let_in_alone_u6a),
		cmocka_unit_test(foreign_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
