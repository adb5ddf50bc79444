/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a packet is to the flow table. Requirements C8, C10, C29, I3, I10, X6. */
#include "router/net/ct.h"

#include "tests/unit/nat_packets.h"

#define ZONE 7

static enum ct_class classify(const uint8_t *b, unsigned len, struct flow_key *key,
			      uint16_t *quoted)
{
	struct pkt p = pkt_copy(b, len);
	enum ct_class class = ct_classify(&p, ZONE, key, quoted);

	assert_memory_equal(p.l3, b, len); /* looks only */
	free(p.l3);
	return class;
}

static enum ct_class class_of(const struct shape *s)
{
	struct flow_key k = make_key(s->ip6, s->proto, 10, 198, 40000, 443), got;
	uint16_t quoted;
	uint8_t b[ROOM];
	unsigned len = make_packet(b, s, &k);

	return classify(b, len, &got, &quoted);
}

static bool sum_ok(const uint8_t *b, unsigned len)
{
	struct pkt p = pkt_copy(b, len);
	bool ok = ct_checksum_ok(&p);

	free(p.l3);
	return ok;
}

static void expect_key(const struct flow_key *got, const struct flow_key *k, uint16_t sport,
		       uint16_t dport)
{
	struct flow_key expected = *k;

	expected.sport = sport;
	expected.dport = dport;
	expected.zone = ZONE;
	assert_memory_equal(got, &expected, sizeof(expected));
}

/* ---- tuples */

static void test_tuples(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP,  IPPROTO_UDP,	 IPPROTO_UDPLITE,
					     IPPROTO_DCCP, IPPROTO_SCTP, GRE,
					     ESP,	   253 };
	enum { N = sizeof(protocols) };

	(void)state;
	for (unsigned i = 0; i < N * 2 * 3 * 2; i++) {
		struct shape s = { .proto = protocols[i % N],
				   .ip6 = i / N % 2,
				   .options = i / N / 2 % 3 * 8,
				   .piece = i / N / 6 ? FIRST_FRAGMENT : WHOLE,
				   .len = 24 };
		struct flow_key k = make_key(s.ip6, s.proto, 10, 198, 40000, 443), got;
		bool ports = has_ports(s.proto);
		uint16_t quoted;
		uint8_t b[ROOM];

		memset(&got, 0xff, sizeof(got));
		assert_int_equal(classify(b, make_packet(b, &s, &k), &got, &quoted), CT_FLOW);
		expect_key(&got, &k, ports ? k.sport : 0, ports ? k.dport : 0);
	}
}

/* The other family's ICMP is nobody's: as a query it would claim an id of NAT. */
static void test_icmp_of_the_other_family(void **state)
{
	struct shape s = { .proto = IPPROTO_ICMPV6, .len = 3 };

	(void)state;
	assert_int_equal(class_of(&s), CT_INVALID);
	s = (struct shape){ .ip6 = true, .proto = IPPROTO_ICMP, .len = 0 };
	assert_int_equal(class_of(&s), CT_INVALID);
}

/* C10: queries have flows, by id, type and code; the answer's tuple is the request's inverse. */
static void test_queries(void **state)
{
	static const uint8_t pairs[][2] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct shape s = { .ip6 = i == 4, .len = 8 };
		uint8_t request = i == 4 ? 128 : pairs[i][0], answer = i == 4 ? 129 : pairs[i][1];
		struct flow_key k, back, orig, reply, twice;
		uint16_t quoted;
		uint8_t b[ROOM];

		s.proto = s.ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		k = make_key(s.ip6, s.proto, 10, 198, 4711, 0);
		back = make_key(s.ip6, s.proto, 10, 198, 4711, 0);
		memcpy(back.src, k.dst, 16);
		memcpy(back.dst, k.src, 16);
		s.icmp_type = request;
		assert_int_equal(classify(b, make_packet(b, &s, &k), &orig, &quoted), CT_FLOW);
		expect_key(&orig, &k, htons(4711), htons((uint16_t)(request << 8)));
		s.icmp_type = answer;
		assert_int_equal(classify(b, make_packet(b, &s, &back), &reply, &quoted), CT_FLOW);
		ct_reply_key(&orig, &twice);
		assert_memory_equal(&twice, &reply, sizeof(reply));
		ct_reply_key(&reply, &twice);
		assert_memory_equal(&twice, &orig, sizeof(orig));
	}
}

static void test_reply_key(void **state)
{
	struct flow_key k = make_key(true, IPPROTO_TCP, 10, 198, 40000, 443), reply, expected;

	(void)state;
	k.zone = ZONE;
	flow_key_reverse(&k, &expected);
	ct_reply_key(&k, &reply);
	assert_memory_equal(&reply, &expected, sizeof(reply));
	k = make_key(false, IPPROTO_ICMP, 10, 198, 1, 0x0805); /* a code stays */
	ct_reply_key(&k, &reply);
	assert_int_equal(reply.dport, htons(0x0005));
	k.dport = htons(0x0305);
	ct_reply_key(&k, &reply);
	assert_int_equal(reply.dport, htons(0x0305));
}

/* ---- what is refused */

/* C8 */
static void test_short_headers(void **state)
{
	static const struct {
		uint8_t proto;
		unsigned min;
	} rows[] = { { IPPROTO_TCP, 20 },   { IPPROTO_UDP, 8 },	  { IPPROTO_UDPLITE, 8 },
		     { IPPROTO_DCCP, 12 },  { IPPROTO_SCTP, 12 }, { IPPROTO_ICMP, 8 },
		     { IPPROTO_ICMPV6, 8 }, { GRE, 0 },		  { 253, 0 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned len = 0; len < 30; len++) {
			struct shape s = { .proto = rows[i].proto,
					   .ip6 = rows[i].proto == IPPROTO_ICMPV6,
					   .icmp_type = rows[i].proto == IPPROTO_ICMP ? 8 : 128,
					   .len = len };

			assert_int_equal(class_of(&s), len >= rows[i].min ? CT_FLOW : CT_INVALID);
		}
}

/* A field of 16 bits at `at` of the transport header takes a value. */
static enum ct_class with_field(const struct shape *s, unsigned at, unsigned value, bool *sum)
{
	struct flow_key k = make_key(s->ip6, s->proto, 10, 198, 40000, 443), got;
	unsigned l4 = s->ip6 ? 40 : 20, len;
	uint16_t quoted;
	uint8_t b[ROOM];

	len = make_packet(b, s, &k);
	put16(b + l4 + at, value);
	*sum = sum_ok(b, len);
	return classify(b, len, &got, &quoted);
}

/* C8 */
static void test_impossible_lengths(void **state)
{
	struct shape tcp = { .proto = IPPROTO_TCP, .len = 40 },
		     udp = { .proto = IPPROTO_UDP, .len = 40 },
		     lite = { .proto = IPPROTO_UDPLITE, .len = 40 };
	bool sum;

	(void)state;
	for (unsigned words = 0; words < 16; words++)
		assert_int_equal(with_field(&tcp, 12, words << 12 | 0x10, &sum),
				 words >= 5 && words <= 10 ? CT_FLOW : CT_INVALID);
	for (unsigned n = 0; n < 65536; n += n < 60 ? 1 : 777) {
		bool fits = n >= 8 && n <= 40;

		assert_int_equal(with_field(&udp, 4, n, &sum), fits ? CT_FLOW : CT_INVALID);
		assert_int_equal(sum, n == 40);
		assert_int_equal(with_field(&lite, 4, n, &sum),
				 fits || n == 0 ? CT_FLOW : CT_INVALID);
	}
	udp.piece = FIRST_FRAGMENT; /* counts what comes later, too */
	assert_int_equal(with_field(&udp, 4, 4000, &sum), CT_FLOW);
	assert_int_equal(with_field(&udp, 4, 7, &sum), CT_INVALID);
}

static void test_later_fragment(void **state)
{
	struct shape s = { .proto = IPPROTO_UDP, .len = 40, .piece = LATER_FRAGMENT };

	(void)state;
	assert_int_equal(class_of(&s), CT_INVALID);
	s.ip6 = true;
	assert_int_equal(class_of(&s), CT_INVALID);
}

/* C10, I10, X6, C29: every type. Errors quote nothing here, and so are invalid. */
static void test_icmp_types(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		struct shape s = { .proto = IPPROTO_ICMP, .len = 64, .icmp_type = (uint8_t)type };
		bool query = type == 0 || type == 8 || (type >= 13 && type <= 18);
		bool discovery = (type >= 130 && type <= 136) || type == 143;

		assert_int_equal(class_of(&s), query ? CT_FLOW : CT_INVALID);
		s.ip6 = true;
		s.proto = IPPROTO_ICMPV6;
		query = type == 128 || type == 129;
		assert_int_equal(class_of(&s), query	   ? CT_FLOW
					       : discovery ? CT_UNTRACKED
							   : CT_INVALID);
	}
}

/* What has no flow must be right all the same to be let by as such. */
static void test_discovery_checksum(void **state)
{
	struct shape s = { .proto = IPPROTO_ICMPV6, .ip6 = true, .len = 32, .icmp_type = 135 };
	struct flow_key k = make_key(true, IPPROTO_ICMPV6, 10, 198, 0, 0), got;
	uint8_t b[ROOM];
	unsigned len = make_packet(b, &s, &k);
	uint16_t at;

	(void)state;
	assert_int_equal(classify(b, len, &got, &at), CT_UNTRACKED);
	b[60] ^= 1;
	assert_int_equal(classify(b, len, &got, &at), CT_INVALID);
}

/* ---- errors */

struct error {
	struct shape s; /* of the quoted packet */
	uint8_t icmp[8];
	unsigned quoted, options;
};

static enum ct_class error_class(const struct error *e, const uint8_t *quote, struct flow_key *key,
				 uint16_t *at)
{
	struct flow_key outer = make_key(e->s.ip6, 0, 99, 203, 0, 0);
	uint8_t b[ROOM];

	return classify(b, make_error(b, e->s.ip6, e->options, e->icmp, quote, e->quoted, &outer),
			key, at);
}

/* The tuple is the quoted packet's; 8 bytes of it are enough, fewer are not. */
static void test_errors(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP,  IPPROTO_UDP,	 IPPROTO_UDPLITE,
					     IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_ICMP };
	static const uint8_t types[2][4] = { { 3, 11, 12, 3 }, { 1, 2, 3, 4 } };
	enum { N = sizeof(protocols) };

	(void)state;
	for (unsigned i = 0; i < N * 2 * 4 * 2 * 2; i++) {
		unsigned six = i / N % 2;
		struct error e = { .s = { .ip6 = six,
					  .proto = protocols[i % N],
					  .options = i / N / 8 % 2 * 8,
					  .icmp_type = six ? 128 : 13,
					  .len = 24 },
				   .icmp = { types[six][i / N / 2 % 4], 1 },
				   .options = i / N / 16 * 8 };
		unsigned l4 = (six ? 40 : 20) + e.s.options;
		uint8_t quote[ROOM];
		struct flow_key k, got;
		uint16_t at;

		if (six && e.s.proto == IPPROTO_ICMP)
			e.s.proto = IPPROTO_ICMPV6;
		k = make_key(six, e.s.proto, 10, 198, 40000, 443);
		make_packet(quote, &e.s, &k);
		for (e.quoted = 0; e.quoted <= l4 + e.s.len; e.quoted++) {
			bool enough = e.quoted >= l4 + 8;

			assert_int_equal(error_class(&e, quote, &got, &at),
					 enough ? CT_ERROR : CT_INVALID);
			if (!enough)
				continue;
			assert_int_equal(at, (six ? 40 : 20) + e.options + 8);
			expect_key(&got, &k, k.sport,
				   is_icmp(&e.s) ? htons((uint16_t)(e.s.icmp_type << 8)) : k.dport);
		}
	}
}

/* Protocols without ports are found by their addresses, however little is quoted. */
static void test_error_without_ports(void **state)
{
	struct error e = { .s = { .proto = GRE, .len = 4 }, .icmp = { 3, 2 }, .quoted = 20 };
	struct flow_key k = make_key(false, GRE, 10, 198, 0, 0), got;
	uint8_t quote[ROOM];
	uint16_t at;

	(void)state;
	make_packet(quote, &e.s, &k);
	assert_int_equal(error_class(&e, quote, &got, &at), CT_ERROR);
	expect_key(&got, &k, 0, 0);
}

/* I3: a wrong checksum of the error, at any bit; I3a: of the quoted header. */
static void test_error_checksums(void **state)
{
	struct error e = { .s = { .proto = IPPROTO_UDP, .len = 24 },
			   .icmp = { 3, 3 },
			   .quoted = 44 };
	struct flow_key k = make_key(false, IPPROTO_UDP, 10, 198, 40000, 443), got,
			outer = make_key(false, 0, 99, 203, 0, 0);
	uint8_t quote[ROOM], b[ROOM];
	uint16_t at;
	unsigned len;

	(void)state;
	make_packet(quote, &e.s, &k);
	len = make_error(b, false, 0, e.icmp, quote, e.quoted, &outer);
	assert_int_equal(classify(b, len, &got, &at), CT_ERROR);
	for (unsigned bit = 20 * 8; bit < len * 8; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(classify(b, len, &got, &at), CT_INVALID);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (unsigned bit = 0; bit < 20 * 8; bit++) {
		quote[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(error_class(&e, quote, &got, &at), CT_INVALID);
		quote[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* I3c: the quoted transport's is not looked at */
	quote[26] ^= 0x55;
	assert_int_equal(error_class(&e, quote, &got, &at), CT_ERROR);
}

/* Over IPv6 the error's checksum covers its addresses. */
static void test_error6_pseudo_header(void **state)
{
	struct error e = { .s = { .ip6 = true, .proto = IPPROTO_UDP, .len = 24 },
			   .icmp = { 1, 4 } };
	struct flow_key k = make_key(true, IPPROTO_UDP, 10, 198, 40000, 443), got,
			outer = make_key(true, 0, 99, 203, 0, 0);
	uint8_t quote[ROOM], b[ROOM];
	uint16_t at;
	unsigned len;

	(void)state;
	make_packet(quote, &e.s, &k);
	len = make_error(b, true, 0, e.icmp, quote, 64, &outer);
	assert_int_equal(classify(b, len, &got, &at), CT_ERROR);
	b[20] ^= 1;
	assert_int_equal(classify(b, len, &got, &at), CT_INVALID);
}

/* Quotes of what can have no flow. */
static void test_untrackable_quotes(void **state)
{
	static const uint8_t errors[2][6] = { { 3, 4, 5, 11, 12, 40 }, { 1, 2, 3, 4, 137, 200 } };

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct error e = { .s = { .ip6 = six,
					  .proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
					  .len = 64 },
				   .icmp = { six ? 1 : 3, 1 },
				   .quoted = 100 };
		struct flow_key k = make_key(six, e.s.proto, 10, 198, 40000, 443), got;
		uint8_t quote[ROOM];
		uint16_t at;

		for (unsigned i = 0; i < 6; i++) { /* an error about an error */
			e.s.icmp_type = errors[six][i];
			e.quoted = make_packet(quote, &e.s, &k);
			assert_int_equal(error_class(&e, quote, &got, &at), CT_INVALID);
		}
		e.s.proto = IPPROTO_UDP;
		e.s.piece = LATER_FRAGMENT;
		e.quoted = make_packet(quote, &e.s, &k);
		assert_int_equal(error_class(&e, quote, &got, &at), CT_INVALID);
		e.s.piece = FIRST_FRAGMENT;
		e.quoted = make_packet(quote, &e.s, &k);
		assert_int_equal(error_class(&e, quote, &got, &at), CT_ERROR);
		e.s = (struct shape){ .ip6 = !six, .proto = IPPROTO_UDP, .len = 24 };
		k = make_key(!six, IPPROTO_UDP, 10, 198, 40000, 443);
		e.quoted = make_packet(quote, &e.s, &k);
		e.s.ip6 = six; /* quoted by the other family's error */
		assert_int_equal(error_class(&e, quote, &got, &at), CT_INVALID);
	}
}

/* An error in pieces: what it quotes cannot be trusted. */
static void test_error_in_fragments(void **state)
{
	struct error e = { .s = { .proto = IPPROTO_UDP, .len = 24 }, .icmp = { 3, 3 } };
	struct flow_key k = make_key(false, IPPROTO_UDP, 10, 198, 40000, 443), got,
			outer = make_key(false, 0, 99, 203, 0, 0);
	uint8_t quote[ROOM], b[ROOM];
	uint16_t at;
	unsigned len;

	(void)state;
	make_packet(quote, &e.s, &k);
	len = make_error(b, false, 0, e.icmp, quote, 44, &outer);
	put16(b + 6, 0x2000);
	fix_ip4(b);
	assert_int_equal(classify(b, len, &got, &at), CT_INVALID);
}

/* ---- checksums */

/* C8: right ones of every length; and no bit of what is covered may change. */
static void test_checksums(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE,
					     IPPROTO_ICMP };

	(void)state;
	for (unsigned i = 0; i < 4 * 2 * 80; i++) {
		struct shape s = { .proto = protocols[i % 4],
				   .ip6 = i / 4 % 2,
				   .len = 20 + i / 8,
				   .icmp_type = i / 4 % 2 ? 128 : 8 };
		unsigned l4 = s.ip6 ? 40 : 20, len, bit;
		struct flow_key k;
		uint8_t b[ROOM];

		if (s.ip6 && s.proto == IPPROTO_ICMP)
			s.proto = IPPROTO_ICMPV6;
		k = make_key(s.ip6, s.proto, 10, 198, 40000, 443);
		len = make_packet(b, &s, &k);
		assert_true(sum_ok(b, len));
		bit = (l4 + 8) * 8 + (i * 37) % ((s.len - 8) * 8);
		if (s.proto != IPPROTO_TCP || bit / 8 - l4 != 12) /* its header's length */
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		else
			b[l4] ^= 1;
		assert_false(sum_ok(b, len));
		make_packet(b, &s, &k);
		b[s.ip6 ? 8 : 12] ^= 4; /* an address: not of ICMP */
		assert_int_equal(sum_ok(b, len), s.proto == IPPROTO_ICMP);
	}
}

static void test_no_checksum(void **state)
{
	struct shape s = { .proto = IPPROTO_UDP, .len = 24, .no_csum = true };
	struct flow_key k = make_key(false, IPPROTO_UDP, 10, 198, 40000, 443);
	uint8_t b[ROOM];

	(void)state;
	assert_true(sum_ok(b, make_packet(b, &s, &k)));
	s.proto = IPPROTO_UDPLITE; /* must have one, RFC 3828 3.1 */
	assert_false(sum_ok(b, make_packet(b, &s, &k)));
	s.ip6 = true;
	s.proto = IPPROTO_UDP; /* tunnels may, and it is not for a router to judge: RFC 6936 4 */
	k = make_key(true, IPPROTO_UDP, 10, 198, 40000, 443);
	assert_true(sum_ok(b, make_packet(b, &s, &k)));
}

/* Behind UDP's length, and UDP-Lite's coverage, anything may be. */
static void test_partly_covered(void **state)
{
	static const uint8_t protocols[2] = { IPPROTO_UDP, IPPROTO_UDPLITE };

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned covered = 8; covered <= 40; covered++) {
			struct shape s = { .proto = protocols[i], .len = 40 };
			struct flow_key k = make_key(false, s.proto, 10, 198, 40000, 443);
			uint8_t b[ROOM], *l4 = b + 20;
			unsigned len = make_packet(b, &s, &k), sum;

			put16(l4 + 4, covered);
			put16(l4 + 6, 0);
			sum = plain_pseudo(b, s.proto, i ? 40 : covered);
			put16(l4 + 6, ~plain_sum(l4, covered, sum));
			assert_true(sum_ok(b, len));
			if (covered < 40)
				l4[39] ^= 1;
			assert_true(sum_ok(b, len));
			l4[covered - 1] ^= 2;
			assert_false(sum_ok(b, len));
		}
}

/* Nobody can say, or nobody knows how. */
static void test_not_checked(void **state)
{
	static const uint8_t others[] = { IPPROTO_SCTP, IPPROTO_DCCP, GRE, ESP, 253 };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct shape s = { .proto = others[i], .len = 24 };
		struct flow_key k = make_key(false, s.proto, 10, 198, 40000, 443);
		uint8_t b[ROOM];
		unsigned len = make_packet(b, &s, &k);

		b[40] ^= 1;
		assert_true(sum_ok(b, len));
		s.proto = IPPROTO_TCP;
		s.piece = FIRST_FRAGMENT;
		len = make_packet(b, &s, &k);
		b[40] ^= 1;
		assert_true(sum_ok(b, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tuples),
		cmocka_unit_test(test_icmp_of_the_other_family),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_reply_key),
		cmocka_unit_test(test_short_headers),
		cmocka_unit_test(test_impossible_lengths),
		cmocka_unit_test(test_later_fragment),
		cmocka_unit_test(test_icmp_types),
		cmocka_unit_test(test_discovery_checksum),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_error_without_ports),
		cmocka_unit_test(test_error_checksums),
		cmocka_unit_test(test_error6_pseudo_header),
		cmocka_unit_test(test_untrackable_quotes),
		cmocka_unit_test(test_error_in_fragments),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_no_checksum),
		cmocka_unit_test(test_partly_covered),
		cmocka_unit_test(test_not_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
