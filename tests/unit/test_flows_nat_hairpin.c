/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: from inside to an outside address of ours and back inside. Requirements
 * U9, U9a, T8, I7: the same host, two hosts of one subnet, of two, mappings, forwards and static
 * addresses, both directions, UDP, TCP and ICMP, and errors about all that.
 */
#include "tests/unit/pipe_nat.h"

#define OPEN MASQUERADE(", filtering: eif")

/* From inside to where `peer` is seen outside: `want` is what it gets; and the answer to that. */
static void there_and_back(struct pipe_flows *f, unsigned from, struct packet *in, unsigned to,
			   struct packet *want)
{
	struct packet answered = answer(want), heard = answer(in);

	if (in->proto == IPPROTO_TCP) {
		answered.tcp = heard.tcp = SYN | ACK;
		answered.seq = heard.seq = 5000;
		answered.ack = heard.ack = in->seq + 1;
	}
	passes(f, from, in, to, want);
	passes(f, to, &answered, from, &heard);
}

static struct packet of_proto(unsigned proto, struct addr src, unsigned sport, struct addr dst,
			      unsigned dport)
{
	return proto == IPPROTO_UDP ? udp(src, sport, dst, dport)
				    : tcp(src, sport, dst, dport, SYN, 1000, 0);
}

/* The endpoints of the tests: two hosts of a subnet, one of another. */
struct endpoint {
	unsigned iface;
	struct addr addr;
	uint16_t port, outside;
};

static void endpoints(struct pipe_flows *f, bool six, unsigned proto, struct endpoint e[3])
{
	for (unsigned i = 0; i < 3; i++) {
		struct packet k;

		e[i] = (struct endpoint){ .iface = i == 2 ? INSIDE2 : INSIDE,
					  .port = (uint16_t)(i == 2 ? 6000 : 5000) };
		e[i].addr = on_link(six, e[i].iface, 2 + i);
		k = of_proto(proto, e[i].addr, e[i].port, server(six, 1), 53);
		k = leaves(f, e[i].iface, &k, OUTSIDE, &k);
		e[i].outside = k.sport;
	}
}

/* U9, U9a, T8: to each other's mappings, and to one's own. */
static void by_mapping_u9_t8(void **state)
{
	static const uint8_t pair[][2] = { { 0, 1 }, { 1, 0 }, { 2, 0 }, { 0, 2 }, { 0, 0 } };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		unsigned proto = i & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		bool six = i & 2;
		struct endpoint e[3];

		nat_open(&f, OPEN);
		endpoints(&f, six, proto, e);
		for (unsigned n = 0; n < 5; n++) {
			const struct endpoint *a = &e[pair[n][0]], *b = &e[pair[n][1]];
			struct packet in =
				of_proto(proto, a->addr, a->port, router(six), b->outside);
			struct packet want =
				of_proto(proto, router(six), a->outside, b->addr, b->port);

			/* 0 to 1 and 1 to 0 are one flow, as are 2 to 0 and 0 to 2 */
			if (proto == IPPROTO_TCP && (n == 1 || n == 3))
				continue;
			if (n == 4) { /* to oneself: what arrives is the flow's answer, too */
				struct packet own = in;

				own.sport = want.sport = 7000;
				passes(&f, INSIDE, &own, INSIDE, &want);
				continue;
			}
			there_and_back(&f, a->iface, &in, b->iface, &want);
		}
		flows_close(&f);
	}
}

/* I7: queries; whoever asks for the id of another's is answered under the id asked for. */
static void queries_i7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet b = echo(inside(six, 3), server(six, 1), 77), in, want, out;

		nat_open(&f, OPEN);
		b = goes_out(&f, &b);
		in = echo(inside(six, 2), router(six), b.sport);
		want = echo(router(six), inside(six, 3), 77);
		out = leaves(&f, INSIDE, &in, INSIDE, &want);
		assert_true(addr_equal(&out.src, &want.src));
		out = answer(&out);
		want = answer(&in);
		passes(&f, INSIDE, &out, INSIDE, &want);
		flows_close(&f);
	}
}

/* I7: errors about hairpins, by the host or a router before it; both ends are translated. */
static void errors_i7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned proto = i & 1 ? IPPROTO_TCP : IPPROTO_UDP, header;
		bool six = i & 2, host_says = i & 4;
		struct complaint in, want;
		struct packet k, got;
		struct endpoint e[3];

		header = six ? 40 : 20;
		nat_open(&f, OPEN);
		endpoints(&f, six, proto, e);
		k = of_proto(proto, e[0].addr, 5000, router(six), e[2].outside);
		got = of_proto(proto, router(six), e[0].outside, e[2].addr, e[2].port);
		passes(&f, INSIDE, &k, INSIDE2, &got);
		in = complain(&got, host_says ? e[2].addr : on_link(six, INSIDE2, 99));
		want = complain(&k, router(six));
		for (unsigned quoted = header + 8; quoted < header + 60; quoted += 4) {
			in.quoted = want.quoted = quoted;
			complaint_passes(&f, INSIDE2, &in, INSIDE, &want);
		}
		flows_close(&f);
	}
}

/* U8: a mapping that lets in nobody unasked does not let in those inside either. */
static void filtered(void **state)
{
	struct pipe_flows f;
	struct endpoint e[3];
	struct packet k;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	endpoints(&f, false, IPPROTO_UDP, e);
	k = udp(e[0].addr, 5000, router(false), e[1].outside);
	dies(&f, INSIDE, &k, DROP_NAT_FILTERED);
	flows_close(&f);
}

/* ---- forwards and static addresses */

#define RULES(target, external, internal)                                                          \
	ROUTES "nat:\n"                                                                            \
	       "  source: [{name: home, from: " NET_INSIDE ", out: p1, action: masquerade}]\n"     \
	       "  destination:\n"                                                                  \
	       "    - {name: www, in: p1, proto: tcp, dport: 80, to: " target ", hairpin: true}\n" \
	       "    - {name: dns, in: p1, proto: udp, dport: 53, to: " target ", to-port: 5353, "  \
	       "hairpin: true}\n"                                                                  \
	       "    - {name: not, in: p1, proto: udp, dport: 54, to: " target "}\n"                \
	       "  static: [{name: one, external: " external ", internal: " internal ", in: p1}]\n"

static const char *const rules[] = { RULES("10.0.0.3", "203.0.113.6", "10.0.0.5"),
				     RULES("'2001:db8::3'", "'2001:db8:cb::6'", "'2001:db8::5'") };

/* U9, T8: to a forward, from its own subnet, from another, from the target itself. */
static void by_forward_u9(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		nat_open(&f, rules[six]);
		for (unsigned i = 0; i < 3; i++) {
			unsigned iface = i == 2 ? INSIDE2 : INSIDE;
			struct addr client = on_link(six, iface, 2 + i % 2);
			struct packet k = tcp(client, 5000 + i, router(six), 80, SYN, 1000, 0);
			struct packet want =
				tcp(router(six), 5000 + i, inside(six, 3), 80, SYN, 1000, 0);

			there_and_back(&f, iface, &k, INSIDE, &want);
			k = udp(client, 5000 + i, router(six), 53);
			want = udp(router(six), 5000 + i, inside(six, 3), 5353);
			there_and_back(&f, iface, &k, INSIDE, &want);
			k.dport = 54; /* no hairpin: the port is NAT's, but nobody waits there */
			dies(&f, iface, &k, DROP_NAT_FILTERED);
		}
		flows_close(&f);
	}
}

/* U9: to a static address, and from one to another's mapping: seen by the static address. */
static void by_static_u9(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k, want;

		nat_open(&f, rules[six]);
		k = udp(inside(six, 2), 5000, outside(six, 6), 53);
		want = udp(router(six), 5000, inside(six, 5), 53);
		there_and_back(&f, INSIDE, &k, INSIDE, &want);
		k = tcp(on_link(six, INSIDE2, 2), 5000, outside(six, 6), 80, SYN, 1000, 0);
		want = tcp(router(six), 5000, inside(six, 5), 80, SYN, 1000, 0);
		there_and_back(&f, INSIDE2, &k, INSIDE, &want);
		k = udp(inside(six, 5), 6000, router(six), 53);
		want = udp(outside(six, 6), 6000, inside(six, 3), 5353);
		there_and_back(&f, INSIDE, &k, INSIDE, &want);
		k = echo(inside(six, 2), outside(six, 6), 99);
		want = echo(router(six), inside(six, 5), 99);
		there_and_back(&f, INSIDE, &k, INSIDE, &want);
		flows_close(&f);
	}
}

/* I7: and an error about it. */
static void errors_of_forwards_i7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 2), 5000, router(six), 53);
		struct packet got = udp(router(six), 5000, inside(six, 3), 5353);
		struct complaint in, want;

		nat_open(&f, rules[six]);
		passes(&f, INSIDE, &k, INSIDE, &got);
		in = complain(&got, got.dst);
		want = complain(&k, router(six));
		complaint_passes(&f, INSIDE, &in, INSIDE, &want);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_mapping_u9_t8),
		cmocka_unit_test(queries_i7),
		cmocka_unit_test(errors_i7),
		cmocka_unit_test(filtered),
		cmocka_unit_test(by_forward_u9),
		cmocka_unit_test(by_static_u9),
		cmocka_unit_test(errors_of_forwards_i7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
