/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings of inside endpoints (requirements U1, U3, T1, T7, T16, V1, I1, X8), permits, and what
 * they cost.
 */
#include "tests/unit/natport_util.h"

static void one_port_for_all_flows_u1(void **state)
{
	static const uint8_t proto[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP };
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	for (size_t i = 0; i < sizeof(proto); i++) {
		enum natport_plane plane = (enum natport_plane)natport_plane_of(proto[i]);
		struct natport_inside a = inside4(1, 5000, proto[i]),
				      b = inside4(2, 5000, proto[i]);
		struct natport_want w = want(5000);
		uint16_t other;

		for (unsigned flow = 0; flow < 4; flow++)
			assert_int_equal(map(n, &a, slot, &w), 5000);
		/* U3, T7: another host is never given the same port */
		other = map(n, &b, slot, &w);
		assert_int_not_equal(other, 5000);
		assert_int_not_equal(other, 0);
		for (unsigned flow = 0; flow < 4; flow++) {
			assert_int_equal(map(n, &a, slot, &w), 5000);
			assert_int_equal(map(n, &b, slot, &w), other);
		}
		/* T16: A ends; the live mapping of B does not move */
		for (unsigned flow = 0; flow < 8; flow++) {
			assert_true(natport_is_taken(n, slot, plane, 5000));
			natport_done(n, slot, plane, 5000);
		}
		assert_false(natport_is_taken(n, slot, plane, 5000));
		assert_int_equal(map(n, &b, slot, &w), other);
		for (unsigned flow = 0; flow < 6; flow++)
			natport_done(n, slot, plane, other);
	}
	ports_close(n);
}

/* V1: TCP and UDP port 5000 of a host are apart; so are zones, families and scopes. */
static void what_makes_a_mapping(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1"), six = hold(n, "2001:db8::1");
	struct natport_inside in[8];
	struct natport_want w = want(5000);
	uint16_t port[8];

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		in[i] = inside4(1, 5000, IPPROTO_UDP);
	in[1].proto = IPPROTO_TCP;
	in[2].zone = 7;
	in[3].scope = 1;
	in[4].scope = 2;
	in[5].port = 5001;
	in[6] = inside4(2, 5000, IPPROTO_UDP);
	in[7] = inside6(1, 5000, IPPROTO_ICMPV6);
	for (unsigned i = 0; i < 8; i++)
		port[i] = map(n, &in[i], i == 7 ? six : slot, &w);
	for (unsigned i = 0; i < 8; i++) {
		uint16_t of = i == 7 ? six : slot;
		enum natport_plane plane = (enum natport_plane)natport_plane_of(in[i].proto);
		struct natport_inside got;
		uint8_t filtering;

		assert_int_equal(map(n, &in[i], of, &w), port[i]);
		assert_true(natmap_inside(n, of, plane, port[i], &got, &filtering));
		assert_memory_equal(&got.addr, &in[i].addr, sizeof(got.addr));
		assert_int_equal(got.port, in[i].port);
		assert_int_equal(got.proto, in[i].proto);
		assert_int_equal(got.zone, in[i].zone);
		assert_int_equal(got.scope, in[i].scope);
		for (unsigned j = 0; j < i; j++)
			assert_false(port[i] == port[j] && in[i].proto == in[j].proto && i < 7);
	}
	for (unsigned i = 0; i < 16; i++)
		natport_done(n, i / 2 == 7 ? six : slot,
			     (enum natport_plane)natport_plane_of(in[i / 2].proto), port[i / 2]);
	ports_close(n);
}

/* A rule with other addresses makes another mapping (X8: the old one stays for its flows). */
static void only_on_slots_of_the_rule_x8(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t old = hold(n, "203.0.113.1"), new = hold(n, "203.0.113.2"), slot, port;
	struct natport_inside in = inside4(1, 5000, IPPROTO_UDP);
	struct natport_want w = want(5000);
	struct natport_slots both = only(old), of_new = only(new);

	(void)state;
	natport_slots_add(&both, new);
	assert_int_equal(map(n, &in, old, &w), 5000);
	assert_false(natmap_find(n, &in, &of_new, &slot, &port));
	slot = new;
	assert_int_equal(natmap_make(n, &in, &both, &slot, &w, 0, &port), 0);
	assert_int_equal(port, 5000);
	assert_int_equal(slot, old);
	assert_int_equal(map(n, &in, new, &w), 5000);
	natport_done(n, old, NATPORT_UDP, 5000);
	natport_done(n, old, NATPORT_UDP, 5000);
	assert_false(natport_is_taken(n, old, NATPORT_UDP, 5000));
	assert_true(natport_is_taken(n, new, NATPORT_UDP, 5000));
	natport_done(n, new, NATPORT_UDP, 5000);
	ports_close(n);
}

static void claims_are_no_mappings(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(6000);
	struct natport_inside in;
	uint8_t filtering;

	(void)state;
	assert_int_equal(natport_claim(n, slot, NATPORT_TCP, &w, 0), 6000);
	assert_false(natmap_inside(n, slot, NATPORT_TCP, 6000, &in, &filtering));
	natport_done(n, slot, NATPORT_TCP, 6000);
	assert_false(natport_is_taken(n, slot, NATPORT_TCP, 6000));
	ports_close(n);
}

static void filtering_is_kept(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		struct natport_inside in = inside4(i, 5000 + i, IPPROTO_TCP), got;
		struct natport_want w = want(5000 + i);
		uint8_t filtering = 9;

		w.filtering = (uint8_t)i;
		assert_int_equal(map(n, &in, slot, &w), 5000 + i);
		assert_true(natmap_inside(n, slot, NATPORT_TCP, 5000 + i, &got, &filtering));
		assert_int_equal(filtering, i);
	}
	for (uint16_t i = 0; i < 3; i++)
		natport_done(n, slot, NATPORT_TCP, 5000 + i);
	ports_close(n);
}

static void permits(void **state)
{
	static const char *const text[] = { "198.51.100.1", "2001:db8::5" };
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct addr a = address(text[i]);

		assert_false(natmap_permits(n, slot, NATPORT_UDP, 5000, &a));
		assert_true(natmap_permit(n, slot, NATPORT_UDP, 5000, &a, true));
		assert_true(natmap_permit(n, slot, NATPORT_UDP, 5000, &a, true));
		assert_false(natmap_permits(n, slot, NATPORT_UDP, 5001, &a));
		assert_false(natmap_permits(n, slot, NATPORT_TCP, 5000, &a));
		natmap_permit(n, slot, NATPORT_UDP, 5000, &a, false);
		assert_true(natmap_permits(n, slot, NATPORT_UDP, 5000, &a));
		natmap_permit(n, slot, NATPORT_UDP, 5000, &a, false);
		assert_false(natmap_permits(n, slot, NATPORT_UDP, 5000, &a));
	}
	ports_close(n);
}

/* K11: no port is free: nothing is made, and what there is stays. */
static void exhausted_k11(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");
	struct natport_want w = want(5000);

	(void)state;
	w.first = 5000;
	w.last = 5009;
	for (uint32_t host = 0; host < 20; host++) {
		struct natport_inside in = inside4(host, 5000, IPPROTO_UDP);

		assert_int_equal(!map(n, &in, slot, &w), host >= 10);
	}
	for (uint32_t host = 0; host < 10; host++) {
		struct natport_inside in = inside4(host, 5000, IPPROTO_UDP);

		assert_in_range(map(n, &in, slot, &w), 5000, 5009);
	}
	for (unsigned i = 0; i < 20; i++)
		natport_done(n, slot, NATPORT_UDP, 5000 + i / 2);
	ports_close(n);
}

/* A record of every kind, made and ended in random order; the walk sees each mapping once. */
static void churn(void **state)
{
	enum { MANY = 20000 };
	struct natports *n = ports_of(MANY);
	uint16_t slot = hold(n, "203.0.113.1"), six = hold(n, "2001:db8::1");
	struct natport_inside in;
	struct addr outside;
	static uint16_t port[MANY];
	uint64_t cursor = 0;
	uint32_t flows, live = 0, seen = 0;
	uint16_t at;

	(void)state;
	for (unsigned i = 0; i < 10 * MANY; i++) {
		uint32_t host = (uint32_t)(random64() % MANY);
		struct natport_want w = want((uint16_t)(1024 + host));

		in = host % 2 ? inside4(host, w.port, IPPROTO_UDP)
			      : inside6(host, w.port, IPPROTO_UDP);
		in.scope = host % 8 == 1;
		if (port[host]) {
			natport_done(n, host % 2 ? slot : six, NATPORT_UDP, port[host]);
			port[host] = 0;
			live--;
		} else {
			port[host] = map(n, &in, host % 2 ? slot : six, &w);
			assert_int_not_equal(port[host], 0);
			live++;
		}
	}
	while (natmap_walk(n, &cursor, &in, &outside, &at, &flows)) {
		uint32_t host = in.port - 1024u;

		assert_int_equal(flows, 1);
		assert_int_equal(at, port[host]);
		assert_int_equal(outside.family, host % 2 ? AF_INET : AF_INET6);
		seen++;
	}
	assert_int_equal(seen, live);
	for (uint32_t host = 0; host < MANY; host++)
		if (port[host])
			natport_done(n, host % 2 ? slot : six, NATPORT_UDP, port[host]);
	ports_close(n);
}

/* The budget: a million IPv4 mappings, 26 bytes each beyond the bitmap, by what is said and by what
 * Linux counts; and almost all of it comes back. */
static void a_million(void **state)
{
	enum { MILLION = 1000000, ADDRESSES = 32 };
	struct natports *n = ports_of(MILLION);
	const size_t bitmaps = (size_t)2 * ADDRESSES * NATPORT_WORDS * 8; /* taken, and blocked */
	uint16_t slot[ADDRESSES], *port = malloc(MILLION * sizeof(*port));
	size_t before, bytes, empty;

	(void)state;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct addr a = addr_v4(htonl(0xcb007100 + i));

		slot[i] = natports_hold(n, &a);
	}
	before = resident(n);
	empty = natports_bytes(n);
	for (uint32_t i = 0; i < MILLION; i++) {
		struct natport_inside in = inside4(i / 64, (uint16_t)(1024 + i), IPPROTO_UDP);
		struct natport_want w = want(in.port);

		port[i] = map(n, &in, slot[i % ADDRESSES], &w);
		assert_int_not_equal(port[i], 0);
	}
	bytes = natports_bytes(n) - empty;
	print_message("a million mappings: %.2f B each by design, %.2f B resident\n",
		      (double)bytes / MILLION, (double)(resident(n) - before) / MILLION);
	assert_in_range(bytes, 22 * MILLION, 26 * MILLION);
	assert_in_range(resident(n) - before, 22 * MILLION, 26 * MILLION + bitmaps);
	for (uint32_t i = 0; i < MILLION; i++)
		natport_done(n, slot[i % ADDRESSES], NATPORT_UDP, port[i]);
	free(port);
	natports_trim(n);
	assert_int_equal(natports_bytes(n), empty);
	/* bitmaps, and pages of chunk descriptions, shards, stripes */
	assert_in_range(resident(n), 0, before + 2 * bitmaps + 64 * REGION_PAGE);
	for (unsigned i = 0; i < ADDRESSES; i++)
		natports_let_go(n, slot[i]);
	natports_trim(n);
	assert_in_range(resident(n), 0, before + 64 * REGION_PAGE);
	ports_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_port_for_all_flows_u1),
		cmocka_unit_test(what_makes_a_mapping),
		cmocka_unit_test(only_on_slots_of_the_rule_x8),
		cmocka_unit_test(claims_are_no_mappings),
		cmocka_unit_test(filtering_is_kept),
		cmocka_unit_test(permits),
		cmocka_unit_test(exhausted_k11),
		cmocka_unit_test(churn),
		cmocka_unit_test(a_million),
	};

	return cmocka_run_group_tests_name("natport_map", tests, NULL, NULL);
}
