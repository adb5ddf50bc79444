/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewriting ICMP errors about packets of translated flows. Requirements I3-I5, I12, I13.
 *
 * The model is slow and independent: the quoted packet is built whole from the tuple it is to have,
 * cut as the quote was, and the error built whole around it; all bits must agree.
 */
#include "router/net/nat.h"

#include "tests/unit/nat_packets.h"

static const uint8_t unreachable[2][8] = { { 3, 3 }, { 1, 4 } };

/* Addresses of the outer header before and after. */
struct outer {
	bool src, dst; /* to be rewritten */
};

/* The quoted flow as the error has it, and as it shall be. */
static struct flow_key quoted_from(const struct shape *s)
{
	return make_key(s->ip6, s->proto, 203, 198, 40001, 443);
}

static struct flow_key quoted_to(const struct shape *s)
{
	return make_key(s->ip6, s->proto, 10, 77, 5555, 8443);
}

static struct addr to_addr(bool ip6, const uint8_t *bytes)
{
	struct addr a = { .family = ip6 ? AF_INET6 : AF_INET };

	memcpy(a.bytes, bytes, ip6 ? 16 : 4);
	return a;
}

/* b[ROOM]: the quoted packet as it shall be; of half an IP header nothing is changed. */
static void expected_quote(uint8_t *b, const struct shape *s, const uint8_t *was, unsigned quoted)
{
	struct flow_key to = quoted_to(s), from = quoted_from(s);

	if (s->proto == IPPROTO_SCTP) {
		to.sport = from.sport;
		to.dport = from.dport;
	}
	make_packet(b, s, &to);
	if (quoted < (s->ip6 ? 40 : 20 + s->options))
		memcpy(b, was, quoted);
}

/* Fields of the transport header that end behind the quote are as they were. */
static void undo_cut_fields(uint8_t *b, const struct shape *s, const uint8_t *was, unsigned l4,
			    unsigned quoted)
{
	unsigned field[3] = { l4, l4 + 2, l4 + csum_offset(s) };

	for (unsigned i = 0; i < 3; i++)
		if (quoted == field[i] + 1)
			b[field[i]] = was[field[i]];
	if (is_icmp(s) && quoted >= l4 && quoted < l4 + 6) { /* no id: and so the old checksum */
		b[l4 + 4] = was[l4 + 4];
		if (!s->ip6)
			memcpy(b + l4 + 2, was + l4 + 2, 2);
	}
}

struct error {
	struct shape s; /* of the quoted packet */
	unsigned quoted;
	unsigned options; /* of the outer header */
	struct outer outer;
	const uint8_t *icmp;
	const uint8_t *tail; /* what follows the quote: padding, extensions */
	unsigned tail_len;
};

static void check(const struct error *e)
{
	bool ip6 = e->s.ip6;
	struct flow_key from = quoted_from(&e->s), to = quoted_to(&e->s),
			outer = make_key(ip6, 0, 99, 203, 0, 0),
			moved = make_key(ip6, 0, 5, 10, 0, 0), after = outer;
	struct addr src = to_addr(ip6, moved.src), dst = to_addr(ip6, moved.dst);
	uint8_t was[ROOM], is[ROOM], b[ROOM], expected[ROOM];
	unsigned l4 = (ip6 ? 40 : 20) + e->options, len;
	unsigned quoted_l4 = (ip6 ? 40 : 20) + e->s.options;
	struct pkt p;

	make_packet(was, &e->s, &from);
	expected_quote(is, &e->s, was, e->quoted);
	undo_cut_fields(is, &e->s, was, quoted_l4, e->quoted);
	if (e->tail_len) {
		memcpy(was + e->quoted, e->tail, e->tail_len);
		memcpy(is + e->quoted, e->tail, e->tail_len);
	}
	if (e->outer.src)
		memcpy(after.src, moved.src, 16);
	if (e->outer.dst)
		memcpy(after.dst, moved.dst, 16);
	len = make_error(b, ip6, e->options, e->icmp, was, e->quoted + e->tail_len, &outer);
	make_error(expected, ip6, e->options, e->icmp, is, e->quoted + e->tail_len, &after);
	p = pkt_copy(b, len);
	nat_rewrite_error(&p, (uint16_t)(l4 + 8), &to, e->outer.src ? &src : NULL,
			  e->outer.dst ? &dst : NULL);
	assert_int_equal(p.len, len);
	if (ip6 && is_icmp(&e->s) && e->quoted >= quoted_l4 + 4 && e->quoted < quoted_l4 + 6)
		return (void)free(p.l3); /* see test_query_without_id() */
	assert_memory_equal(p.l3, expected, len);
	free(p.l3);
}

/* Every length of a quote, of every protocol, behind options of every kind. */
static void test_every_quote(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP,  IPPROTO_UDP,	 IPPROTO_UDPLITE,
					     IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_ICMP,
					     GRE,	   ESP };
	enum { N = sizeof(protocols) };

	(void)state;
	for (unsigned i = 0; i < N * 2 * 3 * 2 * 2; i++) {
		bool ip6 = i / N % 2;
		struct error e = { .s = { .ip6 = ip6,
					  .proto = protocols[i % N],
					  .options = i / N / 2 % 3 * (ip6 ? 16 : 20),
					  .no_csum = i / N / 6 % 2,
					  .len = 25,
					  .icmp_type = ip6 ? 128 : 8 },
				   .options = i / N / 12 * 8,
				   .icmp = unreachable[ip6] };
		unsigned whole = (ip6 ? 40 : 20) + e.s.options + e.s.len;

		if (e.s.no_csum && e.s.proto != IPPROTO_UDP)
			continue;
		if (ip6 && e.s.proto == IPPROTO_ICMP)
			e.s.proto = IPPROTO_ICMPV6;
		for (e.quoted = 0; e.quoted <= whole; e.quoted++)
			for (unsigned o = 0; o < 4; o++) {
				e.outer = (struct outer){ o & 1, o & 2 };
				check(&e);
			}
	}
}

/* A quoted fragment: the first has ports; of a later one the addresses alone are changed. */
static void test_quoted_fragments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct error e = { .s = { .ip6 = i & 1,
					  .proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP,
					  .piece = i & 4 ? LATER_FRAGMENT : FIRST_FRAGMENT,
					  .len = 64 },
				   .icmp = unreachable[i & 1],
				   .outer = { true, true } };

		for (e.quoted = 48; e.quoted < 80; e.quoted++) {
			if (e.s.ip6 && e.s.piece == FIRST_FRAGMENT && e.quoted < 48 + 18)
				continue; /* where fields are cut is told for no fragment header */
			if (!e.s.ip6 || e.quoted > 66)
				check(&e);
		}
	}
}

/* Each type of error, and the answers to queries that can be quoted. */
static void test_types(void **state)
{
	static const uint8_t types[2][5] = { { 3, 11, 12, 4, 5 }, { 1, 2, 3, 4, 4 } };
	static const uint8_t queries[2][8] = { { 8, 0, 13, 14, 15, 16, 17, 18 }, { 128, 129 } };

	(void)state;
	for (unsigned i = 0; i < 2 * 5 * 8; i++) {
		unsigned six = i & 1;
		uint8_t icmp[8] = { types[six][i / 2 % 5], 1 };
		struct error e = { .s = { .ip6 = six,
					  .proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
					  .len = 32,
					  .icmp_type = queries[six][i / 10 % (six ? 2 : 8)] },
				   .icmp = icmp,
				   .outer = { true, true } };

		icmp[6] = 5; /* MTU 1280 */
		for (e.quoted = (six ? 40 : 20) + 8; e.quoted <= (six ? 72 : 52); e.quoted++)
			check(&e);
	}
}

/* I3d: what follows the quote is not the quoted packet, whatever it looks like: extensions (RFC
 * 4884) behind a length, padding behind a short packet without one. */
static void test_extensions(void **state)
{
	static const uint8_t types[2][3] = { { 3, 11, 12 }, { 1, 3, 3 } };
	uint8_t tail[300];

	(void)state;
	for (unsigned i = 0; i < sizeof(tail); i++)
		tail[i] = (uint8_t)(i * 31 + 5);
	for (unsigned i = 0; i < 2 * 3 * 4; i++) {
		unsigned six = i & 1, units = 128 / (six ? 8 : 4), hlen = six ? 56 : 20;
		uint8_t icmp[8] = { types[six][i / 2 % 3] };
		struct error e = { .s = { .ip6 = six,
					  .options = six ? 16 : 0,
					  .proto = i / 6 & 1 ? IPPROTO_TCP : IPPROTO_UDP,
					  .len = i / 12 ? 300 : 20 },
				   .icmp = icmp,
				   .tail = tail,
				   .outer = { true, true } };

		icmp[six ? 4 : 5] = (uint8_t)units;
		e.quoted = hlen + e.s.len;
		if (e.quoted > 128) /* the rest is cut off */
			e.quoted = 128;
		for (e.tail_len = 0; e.tail_len < 300; e.tail_len += 13) /* zeros or not */
			check(&e);
		icmp[six ? 4 : 5] = 0;
		e.tail_len = 131;
		if (e.s.len == 20)
			check(&e);
		/* shorter than the header of the packet, by its own length: TCP's checksum is not
		 * its own any more */
		e.s.len = 8;
		e.quoted = hlen + 8;
		check(&e);
	}
}

/* A length that cuts within the quoted TCP header counts, too: what follows is no checksum. */
static void test_extension_at_once(void **state)
{
	uint8_t icmp[8] = { 3, 3, 0, 0, 0, 7 }, tail[20];
	struct error e = { .s = { .proto = IPPROTO_TCP, .len = 40 },
			   .quoted = 28,
			   .icmp = icmp,
			   .tail = tail,
			   .tail_len = sizeof(tail),
			   .outer = { true, true } };

	(void)state;
	memset(tail, 0x5a, sizeof(tail));
	check(&e);
	icmp[5] = 6; /* holds no ports: is no length */
	e.quoted = 60;
	e.tail_len = 0;
	check(&e);
}

/* The quote of a query ends before its id: nobody can say what its checksum should be, but that of
 * the error is right. */
static void test_query_without_id(void **state)
{
	(void)state;
	for (unsigned len = 0; len < 6; len++) {
		struct shape s = {
			.ip6 = true, .proto = IPPROTO_ICMPV6, .len = 20, .icmp_type = 128
		};
		struct flow_key from = quoted_from(&s), to = quoted_to(&s),
				outer = make_key(true, 0, 99, 203, 0, 0);
		struct addr dst = to_addr(true, to.src);
		uint8_t quote[ROOM], b[ROOM];
		unsigned n;
		struct pkt p;

		make_packet(quote, &s, &from);
		n = make_error(b, true, 0, unreachable[1], quote, 40 + len, &outer);
		p = pkt_copy(b, n);
		nat_rewrite_error(&p, 48, &to, NULL, &dst);
		assert_memory_equal(p.l3 + 48 + 8, &to, 32);
		assert_int_equal(
			plain_sum(p.l3 + 40, n - 40, plain_pseudo(p.l3, IPPROTO_ICMPV6, n - 40)),
			0xffff);
		free(p.l3);
	}
}

/* What was wrong stays wrong by as much, and what is around it right. */
static void test_wrong_stays_wrong(void **state)
{
	enum { MESSAGE = 20, QUOTE = 28, LEN = 8 + 60 };

	(void)state;
	for (unsigned i = 0; i < 3 * 65535; i += 61) {
		unsigned at[3] = { MESSAGE + 2, QUOTE + 10, QUOTE + 36 }, by = 1 + i / 3, place;
		struct shape s = { .proto = IPPROTO_TCP, .len = 40 };
		struct flow_key from = quoted_from(&s), to = quoted_to(&s),
				outer = make_key(false, 0, 99, 203, 0, 0);
		struct addr dst = to_addr(false, to.src);
		unsigned sum[3], after[3];
		uint8_t quote[ROOM], b[ROOM];
		struct pkt p = { .l3 = b, .l4 = 20, .proto = IPPROTO_ICMP };

		make_packet(quote, &s, &from);
		p.len = (uint16_t)make_error(b, false, 0, unreachable[0], quote, 60, &outer);
		place = at[i % 3];
		put16(b + place, (get16(b + place) + by) & 0xffff);
		sum[0] = plain_sum(b + MESSAGE, LEN, 0);
		sum[1] = plain_sum(b + QUOTE, 20, 0);
		sum[2] = plain_sum(b + 48, 40, plain_pseudo(b + QUOTE, IPPROTO_TCP, 40));
		nat_rewrite_error(&p, QUOTE, &to, NULL, &dst);
		after[0] = plain_sum(b + MESSAGE, LEN, 0);
		after[1] = plain_sum(b + QUOTE, 20, 0);
		after[2] = plain_sum(b + 48, 40, plain_pseudo(b + QUOTE, IPPROTO_TCP, 40));
		assert_memory_equal(sum, after, sizeof(sum));
		assert_int_equal(plain_sum(b, 20, 0), 0xffff);
	}
}

/* What quotes no packet of its family has its own addresses changed, and no byte behind. */
static void test_no_quote(void **state)
{
	static const uint8_t garbage[][2] = { { 0x00, 28 }, { 0x44, 28 }, { 0x65, 28 },
					      { 0x4f, 60 }, { 0x45, 19 }, { 0x46, 20 } };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct shape s = { .proto = IPPROTO_UDP, .len = 8 };
		struct flow_key to = quoted_to(&s), outer = make_key(false, 0, 99, 203, 0, 0);
		uint8_t quote[28], b[ROOM];
		struct pkt p;
		unsigned n;

		memset(quote, 0x11, sizeof(quote));
		quote[0] = garbage[i][0];
		put16(quote + 2, garbage[i][1]);
		n = make_error(b, false, 0, unreachable[0], quote, 28, &outer);
		p = pkt_copy(b, n);
		nat_rewrite_error(&p, 28, &to, NULL, NULL);
		assert_memory_equal(p.l3, b, n);
		nat_rewrite_error(&p, (uint16_t)(n + 2), &to, NULL, NULL);
		nat_rewrite_error(&p, 20, &to, NULL, NULL); /* the message itself */
		assert_memory_equal(p.l3, b, n);
		free(p.l3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_quote),
		cmocka_unit_test(test_quoted_fragments),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_extension_at_once),
		cmocka_unit_test(test_query_without_id),
		cmocka_unit_test(test_wrong_stays_wrong),
		cmocka_unit_test(test_no_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
