/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6 through the packet path: what is refused before it is routed, extension headers, scopes,
 * kinds of routes. Requirements G20, G21, G24, G26; RFC 8200, 4291, 4443.
 */
#include "tests/unit/pipe_rows.h"

static bool extension(unsigned next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140;
}

static void test_forwards(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned payload = 0; payload <= 1460; payload++) {
		frame_to(&f, beyond(true, VIA_OUT), payload);
		pipe_forwards(&p, &f, 1);
	}
	for (unsigned next = 0; next < 256; next++) {
		frame6(&f, on_link(true, 0, 2), beyond(true, VIA_OUT), next, 40);
		if (!extension(next))
			pipe_forwards(&p, &f, 1);
	}
	frame_to(&f, on_link(true, 2, 2), 40);
	pipe_forwards(&p, &f, 2);
	pipe_close(&p);
}

/* G20: frame against payload length. */
static void test_lengths(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned len = 0; len < 78; len++) {
		frame_to(&f, beyond(true, VIA_OUT), 24);
		f.len = len;
		pipe_drops(&p, &f, len < 54 ? DROP_RUNT : DROP_IP6_LENGTH);
	}
	for (unsigned payload = 0; payload < 80; payload++) {
		frame_to(&f, beyond(true, VIA_OUT), 40);
		frame_ip6(&f)->plen = htons((uint16_t)payload);
		if (payload <= 40)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, DROP_IP6_LENGTH);
	}
	for (unsigned payload = 65535; payload > 65400; payload--) { /* 40 more is past 65535 */
		frame_ip6(&f)->plen = htons((uint16_t)payload);
		pipe_drops(&p, &f, DROP_IP6_LENGTH);
	}
	pipe_close(&p);
}

static void test_version_and_mac(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned v = 0; v < 16; v++) {
		frame_to(&f, beyond(true, VIA_OUT), 24);
		f.b[14] = (uint8_t)(v << 4 | 10);
		if (v == 6)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, DROP_IP6_VERSION);
	}
	frame_to(&f, beyond(true, VIA_OUT), 24);
	f.b[0] = 0x33;
	pipe_drops(&p, &f, DROP_NOT_OURS);
	pipe_close(&p);
}

static void test_hop_limit(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned hops = 0; hops < 256; hops++) {
		frame_to(&f, beyond(true, VIA_OUT), 20);
		frame_ttl(&f, hops);
		if (hops < 2)
			pipe_answers(&p, &f, DROP_TTL, 3, 0, 0);
		else
			pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* G21. */
static void test_addresses(void **state)
{
	static const struct {
		const char *a;
		bool bad;
	} rows[] = {
		{ "::", true },		 { "::1", true },
		{ "::2", false },	 { "::ffff:10.0.0.2", true },
		{ "64:ff9b::1", false }, { "1fff::1", false },
		{ "2000::1", false },	 { "fc00::1", false },
		{ "fdff::1", false },	 { "fec0::1", false },
		{ "ff00::1", true },	 { "ff02::1", true },
		{ "ff05::2", true },	 { "ff0e::1", true },
	};
	struct addr out = on_link(true, 1, 2), any = { .family = AF_INET6 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	pipe_route(&p, any, 0, neigh_lookup(p.neigh, &p.nht, 1, &out));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;

		assert_int_equal(addr_parse(rows[i].a, &a), 0);
		frame6(&f, a, beyond(true, VIA_OUT), IPPROTO_UDP, 20);
		rows[i].bad ? pipe_drops(&p, &f, DROP_MARTIAN_SRC) : pipe_forwards(&p, &f, 1);
		frame_to(&f, a, 20);
		rows[i].bad ? pipe_drops(&p, &f, DROP_MARTIAN_DST) : pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* A link-local address does not leave its link; its owner is told on that link, link-locally. */
static void test_link_local(void **state)
{
	struct addr host = link_local(0, 2), global = on_link(true, 0, 2);
	struct error e = { 1, 2, 0, link_local(0, 1), 0, 0 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	pipe_learn(&p, 0, host, NH_RESOLVED, 0);
	frame6(&f, host, beyond(true, VIA_OUT), IPPROTO_UDP, 20);
	pipe_answers_as(&p, &f, DROP_SCOPE, &e);
	frame6(&f, host, global, IPPROTO_UDP, 20); /* Linux forwards none on the same link either */
	pipe_answers_as(&p, &f, DROP_SCOPE, &e);
	frame6(&f, host, beyond(true, TO_NOWHERE), IPPROTO_UDP, 20);
	e.code = 0;
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	frame6(&f, host, beyond(true, VIA_OUT), IPPROTO_UDP, 20);
	frame_ttl(&f, 1);
	e.type = 3;
	pipe_answers_as(&p, &f, DROP_TTL, &e);

	pipe_route(&p, link_local(0, 0), 64, fib_get(p.fib6, on_link(true, 1, 0).bytes, 64));
	frame6(&f, global, link_local(1, 9), IPPROTO_UDP, 20);
	pipe_answers(&p, &f, DROP_SCOPE, 1, 2, 0);
	p.cfg->iface[0].has_link_local = false;
	frame6(&f, host, beyond(true, VIA_OUT), IPPROTO_UDP, 20);
	pipe_drops(&p, &f, DROP_SCOPE);
	assert_int_equal(p.w->count->event[EVENT_ICMP_NO_SOURCE], 1);
	pipe_close(&p);
}

/* The error waits for the link-local host to be resolved, on the link it is on. */
static void test_link_local_unknown(void **state)
{
	struct addr host = link_local(0, 33);
	struct error e = { 1, 2, 0, link_local(0, 1), 0, 33 };
	struct dp_message m;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame6(&f, host, beyond(true, VIA_OUT), IPPROTO_UDP, 20);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	pipe_quiet(&p);
	assert_true(spsc_get(&p.w->messages, &m));
	assert_int_equal(m.iface, 0);
	assert_memory_equal(&m.addr, &host, sizeof(host));
	pipe_learn(&p, 0, host, NH_RESOLVED, 0);
	pipe_turn(&p);
	expect_error(&p, &f, &e);
	pipe_quiet(&p);
	pipe_close(&p);
}

/* fec0::/10 begins like fe80::/10 and is none: it is answered by its route. */
static void test_site_local_source(void **state)
{
	struct error e = { 1, 0, 0, on_link(true, 0, 1), 1, 0 };
	struct addr out = on_link(true, 1, 2), src;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	assert_int_equal(addr_parse("fec0::5", &src), 0);
	pipe_route(&p, src, 64, neigh_lookup(p.neigh, &p.nht, 1, &out));
	frame6(&f, src, beyond(true, TO_NOWHERE), IPPROTO_UDP, 20);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	pipe_close(&p);
}

/* G26: one extension header of each kind; what is malformed does not pass. */
static void test_extensions(void **state)
{
	static const struct {
		uint8_t type, len, b[24];
		int drop;
	} rows[] = {
		{ 0, 8, { 0, 0, 1, 4 }, -1 }, /* hop-by-hop, first */
		{ 60, 8, { 0, 0, 1, 4 }, -1 },
		{ 60, 24, { 0, 2, 1, 20 }, -1 },
		{ 60, 8, { 0, 255 }, DROP_IP6_EXTENSION },
		{ 43, 8, { 0, 0, 0, 0 }, -1 }, /* type 0 used up: RFC 5095 lets it pass */
		{ 43, 8, { 0, 0, 0, 1 }, DROP_IP6_RH0 },
		{ 43, 24, { 0, 2, 0, 1 }, DROP_IP6_RH0 },
		{ 43, 24, { 0, 2, 2, 1 }, -1 },		   /* mobility */
		{ 43, 24, { 0, 2, 4, 1 }, -1 },		   /* segments */
		{ 44, 8, { 0, 0, 0, 0, 1, 2, 3, 4 }, -1 }, /* atomic fragment */
		{ 44, 8, { 0, 0, 0, 1, 1, 2, 3, 4 }, -1 },
		{ 44, 8, { 0, 0, 5, 0xa8, 1, 2, 3, 4 }, -1 },
		{ 51, 24, { 0, 4 }, -1 }, /* authentication counts in words of 4 */
		{ 51, 24, { 0, 9 }, -1 },
		{ 51, 24, { 0, 10 }, DROP_IP6_EXTENSION },
		{ 135, 8, { 0, 0 }, -1 },
		{ 139, 8, { 0, 0 }, -1 },
		{ 140, 8, { 0, 0 }, -1 },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_to(&f, beyond(true, VIA_OUT), 20);
		frame_extension(&f, rows[i].type, rows[i].b, rows[i].len);
		if (rows[i].drop < 0)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, (enum drop_reason)rows[i].drop);
	}
	pipe_close(&p);
}

/* Hop-by-hop stands first or not at all; a chain is only so long. */
static void test_chains(void **state)
{
	static const uint8_t options[8] = { 0, 0, 1, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 1; n < 20; n++) {
		frame_to(&f, beyond(true, VIA_OUT), 20);
		for (unsigned i = 0; i < n; i++)
			frame_extension(&f, 60, options, 8);
		if (n <= 8)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, DROP_IP6_EXTENSION);
	}
	frame_to(&f, beyond(true, VIA_OUT), 20);
	frame_extension(&f, 60, options, 8);
	frame_extension(&f, 0, options, 8);
	pipe_forwards(&p, &f, 1);
	frame_extension(&f, 0, options, 8); /* twice */
	pipe_drops(&p, &f, DROP_IP6_EXTENSION);
	frame_to(&f, beyond(true, VIA_OUT), 20);
	frame_extension(&f, 0, options, 8);
	frame_extension(&f, 60, options, 8); /* second */
	pipe_drops(&p, &f, DROP_IP6_EXTENSION);
	pipe_close(&p);
}

/* A packet that ends inside its chain. What a later fragment holds is no chain. */
static void test_chain_cut(void **state)
{
	static const uint8_t wide[16] = { 0, 1, 1, 12 }, options[8] = { 0, 0, 1, 4 };
	static const uint8_t first[8] = { 0, 0, 0, 1 }, later[8] = { 0, 0, 0, 8 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned is_later = 0; is_later < 2; is_later++) {
		for (unsigned payload = 0; payload <= 60; payload++) {
			unsigned chain = is_later ? 16 : 32;

			frame_to(&f, beyond(true, VIA_OUT), 28);
			frame_extension(&f, 60, wide, 16);
			frame_extension(&f, 44, is_later ? later : first, 8);
			frame_extension(&f, 0, options, 8);
			f.len = 54 + payload;
			frame_ip6(&f)->plen = htons((uint16_t)payload);
			if (payload < chain)
				pipe_drops(&p, &f, DROP_IP6_EXTENSION);
			else
				pipe_forwards(&p, &f, 1);
		}
	}
	pipe_close(&p);
}

/* A jumbogram has no payload length: the chain it promises is not there. */
static void test_jumbo(void **state)
{
	static const uint8_t jumbo[8] = { 0, 0, 0xc2, 4, 0, 1, 0, 0 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(true, VIA_OUT), 1000);
	frame_extension(&f, 0, jumbo, 8);
	frame_ip6(&f)->plen = 0;
	pipe_drops(&p, &f, DROP_IP6_EXTENSION);
	pipe_close(&p);
}

/* G24. */
static void test_route_types(void **state)
{
	static const struct {
		enum pipe_kind kind;
		enum drop_reason why;
		int code; /* of destination unreachable; -1: silent */
	} rows[] = {
		{ TO_BLACKHOLE, DROP_BLACKHOLE, -1 },	 { TO_UNREACHABLE, DROP_UNREACHABLE, 6 },
		{ TO_PROHIBIT, DROP_PROHIBIT, 1 },	 { TO_THROW, DROP_NO_ROUTE, 0 },
		{ TO_FOREIGN, DROP_EGRESS_FOREIGN, -1 }, { TO_DOWN, DROP_EGRESS_DOWN, 0 },
		{ TO_NOWHERE, DROP_NO_ROUTE, 0 },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_to(&f, beyond(true, rows[i].kind), 100);
		for (unsigned hops = 1; hops < 3; hops++) {
			frame_ttl(&f, hops);
			if (rows[i].code < 0)
				pipe_drops(&p, &f, rows[i].why);
			else
				pipe_answers(&p, &f, rows[i].why, 1, (unsigned)rows[i].code, 0);
		}
	}
	p.cfg->iface[0].fib6 = NULL;
	frame_to(&f, beyond(true, VIA_OUT), 100);
	pipe_receive(&p, &f);
	pipe_turn(&p); /* no way to forward, none to answer */
	pipe_quiet(&p);
	pipe_close(&p);
}

/* G21, as F4: a sample for the log. */
static void test_martian_note(void **state)
{
	struct addr mapped = { .family = AF_INET6, .bytes = { [10] = 0xff, 0xff, 10, 0, 0, 2 } };
	struct dp_note n;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 2; i++) {
		struct addr src = i ? on_link(true, 0, 2) : mapped;
		struct addr dst = i ? mapped : beyond(true, VIA_OUT);

		frame6(&f, src, dst, IPPROTO_UDP, 20);
		for (unsigned again = 0; again < 5; again++)
			pipe_drops(&p, &f, i ? DROP_MARTIAN_DST : DROP_MARTIAN_SRC);
		assert_true(spsc_get(&p.w->notes, &n));
		assert_int_equal(n.kind, NOTE_MARTIAN);
		assert_int_equal(n.rule, i ? DROP_MARTIAN_DST : DROP_MARTIAN_SRC);
		assert_int_equal(n.in, 0);
		assert_int_equal(n.family, AF_INET6);
		assert_memory_equal(n.mac, f.b + 6, 6);
		assert_memory_equal(n.src, src.bytes, 16);
		assert_memory_equal(n.dst, dst.bytes, 16);
		assert_false(spsc_get(&p.w->notes, &n));
		p.now += 10 * NSEC_PER_SEC;
	}
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwards),	   cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_version_and_mac),	   cmocka_unit_test(test_hop_limit),
		cmocka_unit_test(test_addresses),	   cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_link_local_unknown), cmocka_unit_test(test_site_local_source),
		cmocka_unit_test(test_extensions),	   cmocka_unit_test(test_chains),
		cmocka_unit_test(test_chain_cut),	   cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_route_types),	   cmocka_unit_test(test_martian_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
