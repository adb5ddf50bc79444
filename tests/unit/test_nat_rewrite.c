/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rewriting packets of translated flows: every protocol, every length, every corner of one's
 * complement. Requirements F3, X4. Errors: test_nat_error.c. */
#include "router/net/nat_rewrite.h"

#include "tests/unit/nat_packets.h"

static const uint8_t protocols[] = { IPPROTO_TCP,
				     IPPROTO_UDP,
				     IPPROTO_UDPLITE,
				     IPPROTO_DCCP,
				     IPPROTO_SCTP,
				     IPPROTO_ICMP,
				     IPPROTO_ICMPV6,
				     GRE,
				     ESP,
				     AH,
				     253 };
#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

/* What NAT leaves as it is: SCTP's ports, and of a query what is not its id. */
static struct flow_key seen_as(const struct flow_key *to, const struct flow_key *from)
{
	struct flow_key k = *to;

	if (from->proto == IPPROTO_SCTP) {
		k.sport = from->sport;
		k.dport = from->dport;
	}
	return k;
}

/* from, rewritten, is the packet built from to. */
static void check(const struct shape *s, const struct flow_key *from, const struct flow_key *to)
{
	struct flow_key expected = seen_as(to, from);
	uint8_t before[ROOM], after[ROOM];
	unsigned len = make_packet(before, s, from);
	struct pkt p = pkt_copy(before, len);
	uint16_t l3, l4;

	assert_int_equal(make_packet(after, s, &expected), len);
	nat_deltas(from, to, &l3, &l4);
	nat_rewrite(&p, to, l3, l4);
	assert_int_equal(p.len, len);
	assert_memory_equal(p.l3, after, len);
	/* and back, as answers go */
	nat_deltas(to, from, &l3, &l4);
	nat_rewrite(&p, from, l3, l4);
	assert_memory_equal(p.l3, before, len);
	free(p.l3);
}

static void check_lengths(struct shape s)
{
	struct flow_key from = make_key(s.ip6, s.proto, 10, 198, 40000, 443),
			to = make_key(s.ip6, s.proto, 203, 77, 1024, 8443), half;
	bool icmp = is_icmp(&s);

	for (s.len = 0; s.len < 120; s.len += s.len < 30 ? 1 : 17) {
		if (icmp && s.len < 8) /* not a query: of no flow */
			continue;
		check(&s, &from, &to);
		half = from; /* source NAT alone */
		memcpy(half.src, to.src, 16);
		half.sport = to.sport;
		check(&s, &from, &half);
		half = from; /* destination NAT alone, and without a port */
		memcpy(half.dst, to.dst, 16);
		check(&s, &from, &half);
		check(&s, &from, &from);
	}
}

static void test_every_shape(void **state)
{
	static const uint8_t queries[2][8] = { { 8, 0, 13, 14, 15, 16, 17, 18 }, { 128, 129 } };

	(void)state;
	for (unsigned i = 0; i < PROTOCOLS * 2 * 4 * 3; i++) {
		unsigned six = i / PROTOCOLS % 2;
		struct shape s = { .ip6 = six,
				   .proto = protocols[i % PROTOCOLS],
				   .options = i / PROTOCOLS / 2 % 4 * 8,
				   .piece = i / PROTOCOLS / 2 / 4 };

		if (six && s.proto == AH) /* an extension header there */
			continue;
		for (unsigned q = 0; q < (is_icmp(&s) ? six ? 2 : 8 : 1); q++) {
			s.icmp_type = queries[six][q];
			check_lengths(s);
		}
	}
}

/* X4: none stays none. */
static void test_udp_without_checksum(void **state)
{
	struct shape s = { .proto = IPPROTO_UDP, .no_csum = true };

	(void)state;
	check_lengths(s);
	s.ip6 = true; /* tunnels may (RFC 6935) */
	check_lengths(s);
}

/* X4: over all ports each checksum comes by. 0 is sent as ffff by UDP, and as it is by TCP. */
static void test_zero(void **state)
{
	static const uint8_t protos[4] = { IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_TCP,
					   IPPROTO_DCCP };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct shape s = { .ip6 = i & 1, .proto = protos[i / 2], .len = 21 };
		struct flow_key from = make_key(s.ip6, s.proto, 10, 198, 40000, 443), to = from;
		unsigned zeros = 0, ones = 0;

		for (unsigned port = 0; port < 65536; port++) {
			uint8_t b[ROOM];
			uint16_t csum;

			to.sport = htons((uint16_t)port);
			make_packet(b, &s, &to);
			memcpy(&csum, b + (s.ip6 ? 40 : 20) + csum_offset(&s), 2);
			zeros += csum == 0;
			ones += csum == 0xffff;
			if (csum == 0 || csum == 0xffff || port % 1021 == 0)
				check(&s, &from, &to);
		}
		assert_int_equal(zeros > 0, i >= 4);
		assert_int_equal(ones > 0, i < 4);
	}
}

/* The one message whose sum can be 0: an echo reply of zeros alone. */
static void test_nothing_but_zeros(void **state)
{
	(void)state;
	for (unsigned id = 1; id < 65536; id++) {
		struct shape s = { .proto = IPPROTO_ICMP, .len = 8 };
		struct flow_key from = make_key(false, IPPROTO_ICMP, 10, 198, (uint16_t)id, 0),
				to = make_key(false, IPPROTO_ICMP, 10, 198, 0, 0);
		uint8_t b[ROOM], *l4 = b + 20;
		uint16_t l3_delta, l4_delta;
		struct pkt p = { .l3 = b, .l4 = 20, .proto = IPPROTO_ICMP };

		p.len = (uint16_t)make_packet(b, &s, &from);
		put16(l4 + 6, 0); /* sequence number */
		fix_transport(b, l4, &s);
		nat_deltas(&from, &to, &l3_delta, &l4_delta);
		nat_rewrite(&p, &to, l3_delta, l4_delta);
		assert_int_equal(plain_sum(l4, 8, 0), 0xffff);
		nat_deltas(&to, &from, &l3_delta, &l4_delta);
		nat_rewrite(&p, &from, l3_delta, l4_delta);
		assert_int_equal(plain_sum(l4, 8, 0), 0xffff);
	}
}

/* F3: every value of a word that changes, to the values where carries begin and end; and every old
 * checksum (the id takes all values). */
static void test_delta_corners(void **state)
{
	static const uint16_t corners[] = { 0, 1, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff };

	(void)state;
	for (unsigned i = 0; i < 65536 * 8; i++) {
		struct shape s = { .proto = IPPROTO_TCP, .len = 20 };
		struct flow_key from = make_key(false, IPPROTO_TCP, 10, 198, 40000, 443), to = from;
		uint16_t l3, l4, word = (uint16_t)(i / 8), corner = htons(corners[i % 8]);
		uint8_t b[ROOM];
		struct pkt p = { .l3 = b, .l4 = 20, .proto = IPPROTO_TCP };

		memcpy(from.src + 2, &word, 2);
		memcpy(to.src + 2, &corner, 2);
		from.sport = corner;
		to.sport = word;
		p.len = (uint16_t)make_packet(b, &s, &from);
		put16(b + 4, i / 8);
		fix_ip4(b);
		nat_deltas(&from, &to, &l3, &l4);
		nat_rewrite(&p, &to, l3, l4);
		assert_memory_equal(b + 14, &corner, 2);
		assert_memory_equal(b + 20, &word, 2);
		assert_int_equal(plain_sum(b, 20, 0), 0xffff);
		assert_int_equal(plain_sum(b + 20, 20, plain_pseudo(b, IPPROTO_TCP, 20)), 0xffff);
		assert_int_not_equal(get16(b + 10), 0xffff);
		assert_int_not_equal(get16(b + 36), 0xffff);
	}
}

/* A word that does not matter has no delta, whatever it is; nothing else does either. */
static void test_deltas(void **state)
{
	struct flow_key from = make_key(false, IPPROTO_TCP, 10, 198, 40000, 443), to = from;
	uint16_t l3 = 1, l4 = 1;

	(void)state;
	nat_deltas(&from, &to, &l3, &l4);
	assert_int_equal(l3, 0);
	assert_int_equal(l4, 0);
	to.zone = 7;
	from.sport = 0xffff; /* the same number in one's complement */
	to.sport = 0;
	nat_deltas(&from, &to, &l3, &l4);
	assert_int_equal(l3, 0);
	assert_int_equal(l4, 0);
	from.family = to.family = AF_INET6;
	to.src[15] = 1;
	nat_deltas(&from, &to, &l3, &l4);
	assert_int_equal(l3, 0); /* no header checksum */
	assert_int_equal(l4, htons(1));
	from.proto = to.proto = IPPROTO_SCTP;
	nat_deltas(&from, &to, &l3, &l4);
	assert_int_equal(l4, 0);
	from = make_key(false, IPPROTO_ICMP, 10, 198, 5, 0x0800);
	to = make_key(false, IPPROTO_ICMP, 203, 77, 6, 0x0000);
	nat_deltas(&from, &to, &l3, &l4);
	assert_int_equal(l4, htons(1)); /* neither addresses nor the type */
}

/* What was wrong is as wrong afterwards: by the same difference. */
static void test_wrong_stays_wrong(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 65535; i += 97) {
		struct shape s = { .proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP, .len = 40 };
		struct flow_key from = make_key(false, s.proto, 10, 198, 40000, 443),
				to = make_key(false, s.proto, 203, 77, 1024, 8443);
		unsigned at = 20 + csum_offset(&s), wrong;
		uint16_t l3, l4;
		uint8_t b[ROOM];
		struct pkt p = { .l3 = b, .l4 = 20, .proto = s.proto };

		p.len = (uint16_t)make_packet(b, &s, &from);
		put16(b + at, (get16(b + at) + i) & 0xffff);
		put16(b + 10, (get16(b + 10) + i) & 0xffff);
		if (get16(b + at) == 0)
			continue;
		wrong = plain_sum(b + 20, 40, plain_pseudo(b, s.proto, 40));
		nat_deltas(&from, &to, &l3, &l4);
		nat_rewrite(&p, &to, l3, l4);
		assert_int_equal(plain_sum(b + 20, 40, plain_pseudo(b, s.proto, 40)), wrong);
		assert_int_not_equal(plain_sum(b, 20, 0), 0xffff);
	}
}

/* Where the quick half answers, it answers the same; and it does for what is common. */
static void test_quick(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROTOCOLS * 2 * 3 * 30; i++) {
		struct shape s = { .ip6 = i & 1,
				   .proto = protocols[i / 2 % PROTOCOLS],
				   .piece = i / 2 / PROTOCOLS % 3,
				   .len = i / 6 / PROTOCOLS };
		struct flow_key from = make_key(s.ip6, s.proto, 10, 198, 40000, 443),
				to = make_key(s.ip6, s.proto, 203, 77, 1024, 8443);
		bool common = ((s.proto == IPPROTO_TCP && s.len >= 18) ||
			       (s.proto == IPPROTO_UDP && s.len >= 8)) &&
			      s.piece != LATER_FRAGMENT;
		uint8_t b[ROOM];
		unsigned len;
		struct pkt p, q;
		uint16_t l3, l4;

		if (s.proto == AH)
			continue;
		len = make_packet(b, &s, &from);
		p = pkt_copy(b, len);
		q = pkt_copy(b, len);
		nat_deltas(&from, &to, &l3, &l4);
		assert_int_equal(nat_rewrite_quick(&p, &to, l3, l4), common);
		if (common)
			nat_rewrite(&q, &to, l3, l4);
		assert_memory_equal(p.l3, q.l3, len);
		free(p.l3);
		free(q.l3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_shape),
		cmocka_unit_test(test_udp_without_checksum),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_nothing_but_zeros),
		cmocka_unit_test(test_delta_corners),
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_wrong_stays_wrong),
		cmocka_unit_test(test_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
