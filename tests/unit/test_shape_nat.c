/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes of translated packets: by the inside address, in both directions, whatever NAT made of
 * them (issue: "NAT'd flows by the inside address"). Masquerade, forwards, static pairs, hairpins,
 * errors about them, and what waited for a neighbour.
 */
#include "tests/unit/pipe_nat.h"
#include "tests/unit/pipe_shape.h"

/* At every port: class 1:1 for what comes from the first inside host, 1:2 for what goes to it, 1:3
 * for errors about its flows. */
#define TREE                                                                                       \
	"{egress: {" LEAVES ", filters: ["                                                         \
	"{priority: 1, ct: related, from: [10.0.0.2, '2001:db8::2'], class: three}, "              \
	"{priority: 2, ct: related, to: [10.0.0.2, '2001:db8::2'], class: three}, "                \
	"{priority: 3, from: [10.0.0.2, '2001:db8::2'], class: one}, "                             \
	"{priority: 4, to: [10.0.0.2, '2001:db8::2'], class: two}]}}"
#define TREES	  "qos: {p0: " TREE ", p1: " TREE ", p2: " TREE "}\n"
#define FROM_HOST 1
#define TO_HOST	  2
#define RELATED	  3

/* The only packet that left since, by any port, was of this class. */
struct counts {
	uint64_t n[PIPE_PORTS][10];
};

static void counts_take(const struct pipe_flows *f, struct counts *c)
{
	for (unsigned port = 0; port < PIPE_PORTS; port++)
		for (unsigned minor = 1; minor <= 9; minor++) {
			struct qclass *cl = tree_class(tree_at(f, port), 0x10000 + minor);

			c->n[port][minor] = cl ? cl->stats.packets : 0;
		}
}

static void was_filed(const struct pipe_flows *f, const struct counts *before, unsigned port,
		      unsigned minor)
{
	struct counts now;

	counts_take(f, &now);
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		for (unsigned m = 1; m <= 9; m++)
			if (now.n[i][m] != before->n[i][m] + (i == port && m == minor))
				fail_msg("port %u, class 1:%u: %d", i, m,
					 (int)(now.n[i][m] - before->n[i][m]));
}

static void passes_by(struct pipe_flows *f, unsigned from, const struct packet *in, unsigned to,
		      const struct packet *want, unsigned minor)
{
	struct counts before;

	f->p.now += NSEC_PER_MSEC;
	counts_take(f, &before);
	passes(f, from, in, to, want);
	was_filed(f, &before, to, minor);
}

/* Out, back, out again and back: the first look and the remembered one. */
static void test_masquerade(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		struct packet in = udp(inside(six, 2), 5000, server(six, 1), 53), out, back, want;
		struct pipe_flows f;
		struct counts before;

		if (i / 2 == 1)
			in = tcp(inside(six, 2), 5000, server(six, 1), 80, SYN, 1000, 0);
		if (i / 2 == 2)
			in = echo(inside(six, 2), server(six, 1), 77);
		nat_open(&f, MASQUERADE("") TREES);
		counts_take(&f, &before);
		out = goes_out(&f, &in);
		was_filed(&f, &before, OUTSIDE, FROM_HOST);
		for (unsigned k = 0; k < 3; k++) {
			back = answer(&out);
			want = answer(&in);
			if (in.proto == IPPROTO_TCP) {
				back.tcp = want.tcp = SYN | ACK;
				back.seq = want.seq = 5000;
				back.ack = want.ack = 1001;
			}
			passes_by(&f, OUTSIDE, &back, INSIDE, &want, TO_HOST);
			passes_by(&f, INSIDE, &in, OUTSIDE, &out, FROM_HOST);
		}
		in.src = inside(six, 3);
		in.sport++;
		counts_take(&f, &before);
		goes_out(&f, &in);
		was_filed(&f, &before, OUTSIDE, LEAVES_OTHER);
		flows_close(&f);
	}
}

/* A forwarded port: the first packet comes from outside. */
static void test_forward(void **state)
{
	static const char *const yaml[] = {
		ROUTES
		"nat: {destination: [{name: www, in: p1, proto: udp, dport: 80, to: 10.0.0.2, "
		"to-port: 8080}]}\n" TREES,
		ROUTES "nat: {static: [{name: pair, external: 203.0.113.6, internal: 10.0.0.2, in: "
		       "p1}]}\n" TREES
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct addr at = i ? outside(false, 6) : router(false);
		struct packet in = udp(server(false, 1), 4000, at, 80), want = in, back, left;
		struct pipe_flows f;

		nat_open(&f, yaml[i]);
		want.dst = inside(false, 2);
		want.dport = i ? 80 : 8080;
		back = answer(&want);
		left = answer(&in);
		for (unsigned k = 0; k < 3; k++) {
			passes_by(&f, OUTSIDE, &in, INSIDE, &want, TO_HOST);
			passes_by(&f, INSIDE, &back, OUTSIDE, &left, FROM_HOST);
		}
		flows_close(&f);
	}
}

/* From one inside host to the outside address of another: both ends are known by their own. */
static void test_hairpin(void **state)
{
	struct packet in = udp(on_link(false, INSIDE2, 3), 4000, router(false), 80), want, back,
		      left;
	struct pipe_flows f;
	struct counts before;

	(void)state;
	nat_open(&f, ROUTES
		 "nat: {destination: [{name: www, in: p1, proto: udp, dport: 80, to: 10.0.0.2, "
		 "hairpin: true}]}\n" TREES);
	counts_take(&f, &before);
	want = in;
	want.dst = inside(false, 2);
	want = leaves(&f, INSIDE2, &in, INSIDE, &want);
	was_filed(&f, &before, INSIDE, TO_HOST);
	back = answer(&want);
	left = answer(&in);
	for (unsigned k = 0; k < 2; k++) {
		passes_by(&f, INSIDE, &back, INSIDE2, &left, FROM_HOST);
		passes_by(&f, INSIDE2, &in, INSIDE, &want, TO_HOST);
	}
	flows_close(&f);
}

/* Errors about translated flows, either way: filed by the inside host. */
static void test_errors(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet in = udp(inside(six, 2), 5000, server(six, 1), 53), out, back, heard;
		struct complaint about, want;
		struct counts before;
		struct pipe_flows f;

		nat_open(&f, MASQUERADE("") TREES);
		out = goes_out(&f, &in);
		about = complain(&out, server(six, 1));
		want = complain(&in, server(six, 1));
		counts_take(&f, &before);
		complaint_passes(&f, OUTSIDE, &about, INSIDE, &want);
		was_filed(&f, &before, INSIDE, RELATED);

		back = answer(&out);
		heard = answer(&in);
		passes(&f, OUTSIDE, &back, INSIDE, &heard);
		about = complain(&heard, inside(six, 2));
		want = complain(&back, router(six));
		counts_take(&f, &before);
		complaint_passes(&f, INSIDE, &about, OUTSIDE, &want);
		was_filed(&f, &before, OUTSIDE, RELATED);
		flows_close(&f);
	}
}

/* Translated, and then no neighbour yet. */
static void test_held(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr dark = on_link(six, OUTSIDE, 9);
		struct packet in = udp(inside(six, 2), 5000, dark, 53);
		struct counts before;
		struct pipe_flows f;

		nat_open(&f, MASQUERADE("") TREES);
		for (unsigned i = 0; i < 3; i++)
			send_packet(&f, INSIDE, &in);
		assert_int_equal(f.p.w->dp.nheld, 3);
		pipe_learn(&f.p, OUTSIDE, dark, NH_RESOLVED, 0);
		counts_take(&f, &before);
		turn_at(&f, f.p.now + NSEC_PER_MSEC);
		assert_int_equal(sent_by(&f, OUTSIDE), 3);
		assert_int_equal(class_at(&f, OUTSIDE, 0x10001)->stats.packets,
				 before.n[OUTSIDE][1] + 3);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masquerade), cmocka_unit_test(test_forward),
		cmocka_unit_test(test_hairpin),	   cmocka_unit_test(test_errors),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
