/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: fragments (requirements U13a, U14, V4). All of a datagram get the ports
 * of the first, whichever comes first, and leave in an order in which any router can do the same;
 * IPv4 ids are renumbered alike, so that hosts behind one address do not share them.
 */
#include "tests/unit/pipe_nat.h"

#define PIECES 3
#define PIECE  400u /* bytes */

/* A datagram of 1100 bytes of transport, and which piece of it. */
static struct packet piece_of(const struct packet *k, unsigned n)
{
	struct packet p = *k;

	p.data = 1100 - 8;
	p.cut_at = n * PIECE;
	p.kept = n == PIECES - 1 ? 1100 - n * PIECE : PIECE;
	return p;
}

/* What was sent by `iface` is these pieces of `want`, in this order, under one new id (IPv4), which
 * is returned. */
static uint16_t expect_pieces(struct pipe_flows *f, unsigned iface, const struct packet *want,
			      const unsigned *order, unsigned n)
{
	uint16_t id = 0;

	for (unsigned i = 0; i < n; i++) {
		struct packet piece = piece_of(want, order[i]);
		uint8_t b[FRAME_ROOM];
		struct frame got, frame;

		assert_true(pipe_sent(&f->p, iface, &got));
		if (i == 0)
			id = (uint16_t)get16(got.b + 14 + 4);
		if (want->dst.family == AF_INET)
			piece.id = id;
		piece.ttl = 63;
		frame_envelope(&frame, iface, neighbour_of(&want->dst), b, make_packet(b, &piece),
			       ether_type(got.b + 14));
		assert_int_equal(got.len, frame.len);
		assert_memory_equal(got.b, frame.b, frame.len);
	}
	return id;
}

/* The order of arrival, and what goes out once each has come. */
static const struct {
	unsigned in[PIECES], out[PIECES], after[PIECES]; /* so many are out by then */
} orders[] = {
	{ { 0, 1, 2 }, { 0, 1, 2 }, { 1, 2, 3 } }, { { 0, 2, 1 }, { 0, 2, 1 }, { 1, 2, 3 } },
	{ { 1, 0, 2 }, { 0, 1, 2 }, { 0, 2, 3 } }, { { 1, 2, 0 }, { 0, 1, 2 }, { 0, 0, 3 } },
	{ { 2, 0, 1 }, { 0, 2, 1 }, { 0, 2, 3 } }, { { 2, 1, 0 }, { 0, 1, 2 }, { 0, 0, 3 } },
};

/* Sends all pieces of k; they leave as pieces of want. */
static uint16_t pieces_pass(struct pipe_flows *f, unsigned from, const struct packet *k,
			    unsigned to, const struct packet *want, unsigned order)
{
	uint64_t drops = pipe_drops_all(&f->p);
	unsigned out = 0;
	uint16_t id = 0;

	for (unsigned i = 0; i < PIECES; i++) {
		struct packet piece = piece_of(k, orders[order].in[i]);
		unsigned n = orders[order].after[i] - out;
		uint16_t got;

		send_packet(f, from, &piece);
		got = expect_pieces(f, to, want, orders[order].out + out, n);
		if (n && out && k->src.family == AF_INET)
			assert_int_equal(got, id);
		if (n)
			id = got;
		out += n;
		pipe_quiet(&f->p);
	}
	assert_int_equal(pipe_drops_all(&f->p), drops);
	return id;
}

static struct packet of_kind(bool six, unsigned kind, unsigned host)
{
	return kind ? echo(inside(six, host), server(six, 1), 5000)
		    : udp(inside(six, host), 5000, server(six, 1), 53);
}

/* U14: both directions, UDP and echo, in any order. */
static void any_order_u14(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool six = i & 1;

		nat_open(&f, MASQUERADE(""));
		for (unsigned order = 0; order < 6; order++) {
			struct packet k = of_kind(six, i / 2, 2), want = k, back;

			k.id = want.id = (uint16_t)(100 + order);
			want.src = router(six);
			pieces_pass(&f, INSIDE, &k, OUTSIDE, &want, order);
			back = answer(&want);
			want = answer(&k);
			pieces_pass(&f, OUTSIDE, &back, INSIDE, &want, order);
		}
		assert_int_equal(live(&f), 1);
		flows_close(&f);
	}
}

/* U14: and where ports differ, forwards and hairpins. */
static void rewritten_u14(void **state)
{
	struct pipe_flows f;

	(void)state;
	nat_open(&f, ROUTES "nat: {destination: [{name: x, in: p1, proto: udp, dport: 53, "
			    "to: 10.0.0.3, to-port: 5353}]}\n");
	for (unsigned order = 0; order < 6; order++) {
		struct packet k = udp(server(false, 1), 4000, router(false), 53), want, back;

		k.id = (uint16_t)(100 + order);
		want = udp(server(false, 1), 4000, inside(false, 3), 5353);
		pieces_pass(&f, OUTSIDE, &k, INSIDE, &want, order);
		back = answer(&want);
		back.id = k.id;
		want = answer(&k);
		pieces_pass(&f, INSIDE, &back, OUTSIDE, &want, order);
	}
	flows_close(&f);
}

/* V4: hosts whose datagrams have one id do not get theirs mixed up on the way to one server. */
static void ids_v4(void **state)
{
	struct pipe_flows f;
	uint16_t id[8];

	(void)state;
	nat_open(&f, MASQUERADE(""));
	for (unsigned i = 0; i < 8; i++) {
		struct packet k = udp(inside(false, 2 + i % 4), 5000 + i, server(false, 1), 53),
			      want;

		k.id = (uint16_t)(7 + i / 4); /* each host counts on */
		want = k;
		want.src = router(false);
		id[i] = pieces_pass(&f, INSIDE, &k, OUTSIDE, &want, i % 6);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(id[i], id[j]);
	}
	flows_close(&f);
}

/* An error about a first fragment has the ports and the id that its sender gave it. */
static void error_about_fragment(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), first;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	goes_out(&f, &k);
	k.id = 77;
	k.ttl = 1;
	first = piece_of(&k, 0);
	frame_of(&in, INSIDE, &first);
	pipe_answers(&f.p, &in, DROP_TTL, 11, 0, 0);
	flows_close(&f);
}

/* About a later one of IPv6 there are errors, too: to who sent it, about what he sent. */
static void error_about_later(void **state)
{
	struct packet k = udp(inside(true, 2), 5000, server(true, 1), 53), back, piece;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	back = goes_out(&f, &k);
	back = answer(&back);
	piece = piece_of(&k, 0);
	send_packet(&f, INSIDE, &piece);
	assert_true(pipe_sent(&f.p, OUTSIDE, &in));
	for (unsigned n = 1; n < PIECES; n++) {
		piece = piece_of(&k, n);
		piece.ttl = 1;
		frame_of(&in, INSIDE, &piece);
		pipe_answers(&f.p, &in, DROP_TTL, 3, 0, 0);
	}
	piece = piece_of(&back, 0);
	send_packet(&f, OUTSIDE, &piece);
	assert_true(pipe_sent(&f.p, INSIDE, &in));
	piece = piece_of(&back, 1);
	piece.ttl = 1;
	frame_of(&in, OUTSIDE, &piece);
	pipe_answers_as(&f.p, &in, DROP_TTL, &(struct error){ 3, 0, 0, router(true), OUTSIDE, 0 });
	flows_close(&f);
}

/* A datagram whose first fragment was refused goes nowhere, nor does one without. */
static void without_the_first(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), piece;
		uint64_t before[DROP__COUNT];

		nat_open(&f, MASQUERADE("") "filter: {c: {hook: forward, rules: "
					    "[{proto: udp, dport: 53, action: drop}]}}\n");
		for (unsigned i = 0; i < PIECES; i++) {
			piece = piece_of(&k, i);
			dies(&f, INSIDE, &piece, i ? DROP_FRAG_REFUSED : DROP_FILTER_RULE);
		}
		assert_int_equal(live(&f), 0);
		assert_int_equal(flows_ports_taken(&f), 0);
		k.dport = 54;
		k.id = 8;
		memcpy(before, f.p.w->count->drop, sizeof(before));
		piece = piece_of(&k, 1);
		send_packet(&f, INSIDE, &piece);
		pipe_quiet(&f.p);
		flows_wait_s(&f, 31);
		expect_one_drop(&f.p, before, DROP_FRAG_TIMEOUT);
		flows_close(&f);
	}
}

/* U14a: a flood of fragments whose first never comes hurts nobody else. */
static void flood_u14a(void **state)
{
	struct packet probe = udp(inside(false, 2), 5000, server(false, 1), 53), out;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	out = talks(&f, &probe);
	for (unsigned i = 0; i < 20000; i++) {
		struct packet k = udp(inside(false, 10 + i % 200), 1, server(false, 1), 53);

		k.id = (uint16_t)(1 + i);
		k = piece_of(&k, 1);
		send_packet(&f, INSIDE, &k);
		if (i % 100 == 0) {
			goes_out(&f, &probe);
			comes_back(&f, &probe, &out);
		}
	}
	flows_wait_s(&f, 31);
	flows_close(&f);
}

static void narrow(struct pipe_flows *f, uint16_t mtu)
{
	struct addr gateway = on_link(false, OUTSIDE, 2);
	uint32_t slot = neigh_lookup(f->p.neigh, &f->p.nht, OUTSIDE, &gateway);

	f->p.nht.slot[slot]->mtu = mtu;
}

/* U13a, V4: too big and may be cut: pieces of the translated datagram, first to last. The id is of
 * the router's choice now, as it is of fragments. */
static void cut_here_u13a(void **state)
{
	struct pipe_flows f;
	uint16_t ids[3];

	(void)state;
	nat_open(&f, MASQUERADE(""));
	narrow(&f, 420);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned order[] = { 0, 1, 2 };
		struct packet k = udp(inside(false, 2 + i % 2), 5000, server(false, 1), 53), want;

		k.data = 1100 - 8;
		want = k;
		want.src = router(false);
		if (i == 1) { /* its port is the first host's */
			struct packet small = k;

			small.data = 10;
			small = goes_out(&f, &small);
			want.sport = small.sport;
		}
		send_packet(&f, INSIDE, &k);
		ids[i] = expect_pieces(&f, OUTSIDE, &want, order, 3);
		pipe_quiet(&f.p);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(ids[i], ids[j]);
	}
	flows_close(&f);
}

/* What is a fragment already and is cut again keeps the one id of its datagram. */
static void cut_again(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), piece;
	struct pipe_flows f;
	uint16_t id = 0;

	(void)state;
	nat_open(&f, MASQUERADE(""));
	narrow(&f, 220); /* 200 bytes each */
	for (unsigned n = 0; n < 3; n++) {
		piece = piece_of(&k, n);
		send_packet(&f, INSIDE, &piece);
		for (unsigned at = 0; at < piece.kept; at += 200) {
			struct packet want = piece;
			uint8_t b[FRAME_ROOM];

			want.src = router(false);
			want.cut_at += at;
			want.kept = piece.kept - at < 200 ? piece.kept - at : 200;
			want.ttl = 63;
			if (id == 0) {
				struct frame got, frame;

				assert_true(pipe_sent(&f.p, OUTSIDE, &got));
				want.id = id = (uint16_t)get16(got.b + 14 + 4);
				frame_envelope(&frame, OUTSIDE, 2, b, make_packet(b, &want),
					       0x0800);
				assert_memory_equal(got.b, frame.b, frame.len);
				continue;
			}
			want.id = id;
			expect_bytes(&f.p, OUTSIDE, 2, b, make_packet(b, &want));
		}
	}
	pipe_quiet(&f.p);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_u14),
		cmocka_unit_test(rewritten_u14),
		cmocka_unit_test(ids_v4),
		cmocka_unit_test(error_about_fragment),
		cmocka_unit_test(error_about_later),
		cmocka_unit_test(without_the_first),
		cmocka_unit_test(flood_u14a),
		cmocka_unit_test(cut_here_u13a),
		cmocka_unit_test(cut_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
