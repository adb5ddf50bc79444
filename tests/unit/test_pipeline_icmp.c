/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The errors we send: what they quote, about what none is sent, by which address we speak, and how
 * often. Requirements F9 to F11, G23; RFC 1812 4.3.2, RFC 4443 2.4.
 */
#include "tests/unit/pipe_rows.h"

/* F9: the packet as it came, as much of it as 576 (1280) bytes hold. */
static void test_quote(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned payload = 0; payload < 1480; payload += payload < 600 ? 1 : 37) {
		frame_to(&f, beyond(false, TO_NOWHERE), payload);
		pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
		frame_ip4(&f)->frag = htons(IP4_MF); /* a first fragment is answered */
		frame_sum4(&f);
		f.len += 3; /* what lies behind the packet is not quoted */
		pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
		frame_to(&f, beyond(true, TO_NOWHERE), payload);
		f.len += 3;
		pipe_answers(&p, &f, DROP_NO_ROUTE, 1, 0, 0);
	}
	pipe_close(&p);
}

/* Precedence 6 whatever the packet's was; of its TOS the rest, without ECN (RFC 3168 5). */
static void test_tos(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned tos = 0; tos < 256; tos++) {
		frame_to(&f, beyond(false, TO_NOWHERE), 20);
		frame_ip4(&f)->tos = (uint8_t)tos;
		frame_sum4(&f);
		pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
	}
	pipe_close(&p);
}

/* F10: of ICMP only queries and replies are answered. */
static void test_none_about_errors(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned type = 0; type < 256; type++) {
		frame4(&f, on_link(false, 0, 2), beyond(false, TO_NOWHERE), IPPROTO_ICMP, 28);
		f.b[34] = (uint8_t)type;
		if (type == 0 || type == 8 || (type >= 13 && type <= 18))
			pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
		else
			pipe_drops(&p, &f, DROP_NO_ROUTE);
		frame6(&f, on_link(true, 0, 2), beyond(true, TO_NOWHERE), IPPROTO_ICMPV6, 28);
		f.b[54] = (uint8_t)type;
		if (type >= 128 && type != 137)
			pipe_answers(&p, &f, DROP_NO_ROUTE, 1, 0, 0);
		else
			pipe_drops(&p, &f, DROP_NO_ROUTE);
	}
	frame4(&f, on_link(false, 0, 2), beyond(false, TO_NOWHERE), IPPROTO_ICMP, 0);
	pipe_drops(&p, &f, DROP_NO_ROUTE); /* no type to tell by */
	frame6(&f, on_link(true, 0, 2), beyond(true, TO_NOWHERE), IPPROTO_ICMPV6, 0);
	pipe_drops(&p, &f, DROP_NO_ROUTE);
	pipe_close(&p);
}

/* Behind options and extension headers an error is still one. */
static void test_none_about_hidden_errors(void **state)
{
	static const uint8_t nops[4] = { 1, 1, 1, 1 }, dest[8] = { 0, 0, 1, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame4(&f, on_link(false, 0, 2), beyond(false, TO_NOWHERE), IPPROTO_ICMP, 28);
	frame_options(&f, nops, 4);
	pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
	f.b[38] = 11;
	pipe_drops(&p, &f, DROP_NO_ROUTE);
	frame6(&f, on_link(true, 0, 2), beyond(true, TO_NOWHERE), IPPROTO_ICMPV6, 28);
	frame_extension(&f, 60, dest, 8);
	pipe_answers(&p, &f, DROP_NO_ROUTE, 1, 0, 0);
	f.b[62] = 1;
	pipe_drops(&p, &f, DROP_NO_ROUTE);
	pipe_close(&p);
}

static void test_none_about_later_fragments(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned offset = 1; offset < 8192; offset *= 2) {
		frame_to(&f, beyond(false, TO_NOWHERE), 24);
		frame_ip4(&f)->frag = htons((uint16_t)offset);
		frame_sum4(&f);
		pipe_drops(&p, &f, DROP_NO_ROUTE);
	}
	pipe_close(&p);
}

/* F9: we speak as the interface that the error leaves by, if possible from the subnet of who is
 * told. */
static void test_source4(void **state)
{
	struct pipe p;
	struct frame f;
	struct error e = { .type = 3, .iface = 1, .from = on_link(false, 1, 1) };
	struct addr neighbour = net4(10, 9, 2, 7);

	(void)state;
	pipe_open(&p);
	frame4(&f, beyond(false, VIA_OUT), beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	p.cfg->iface[1].nip4 = 3; /* preferred, then two more; nobody's subnet: the preferred */
	for (unsigned i = 1; i < 3; i++) {
		p.cfg->iface[1].ip4[i].addr = net4(10, 9, i, 1).v4;
		p.cfg->iface[1].ip4[i].mask = htonl(0xffffff00);
	}
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	pipe_learn(&p, 1, neighbour, NH_RESOLVED, 0);
	pipe_route(&p, net4(10, 9, 2, 0), 24, fib_get(p.fib4, on_link(false, 1, 0).bytes, 24));
	frame4(&f, neighbour, beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
	e.from = net4(10, 9, 2, 1);
	e.host = 7;
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	pipe_route(&p, beyond(false, VIA_OUT), 32, neigh_lookup(p.neigh, &p.nht, 1, &neighbour));
	frame4(&f, beyond(false, VIA_OUT), beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e); /* as to the gateway in that subnet */
	p.cfg->iface[1].nip4 = 0;		    /* has none: any of ours */
	e.from = on_link(false, 0, 1);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	for (unsigned i = 0; i < PIPE_IFACES; i++)
		p.cfg->iface[i].nip4 = 0;
	e.from = net4(192, 0, 0, 8); /* RFC 7600: we have none at all */
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	pipe_close(&p);
}

/* In IPv6 as the interface where the packet came in, as Linux does, whatever way the error takes:
 * that is the hop that traceroute is to show. Of several addresses the one closest to who is told;
 * the others' if it has none. */
static void test_source6(void **state)
{
	struct pipe p;
	struct frame f;
	struct error e = { .type = 1, .iface = VLAN100, .from = on_link(true, 0, 1) };
	struct dp_iface *in;

	(void)state;
	pipe_open(&p);
	in = &p.cfg->iface[0];
	frame6(&f, beyond(true, VIA_VLAN), beyond(true, TO_NOWHERE), IPPROTO_UDP, 20);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	in->nip6 = 3;
	in->ip6[1].addr = net6(VIA_VLAN, 78).v6; /* closer, were it not another network */
	in->ip6[1].len = 64;
	in->ip6[2].addr = net6(VIA_VLAN, 1).v6; /* newer */
	in->ip6[2].len = 64;
	e.from = net6(VIA_VLAN, 1);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	in->ip6[1].len = 128;
	e.from = net6(VIA_VLAN, 78);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	in->nip6 = 0;
	p.cfg->iface[2].ip6[0].addr = net6(VIA_VLAN, 3).v6;
	e.from = net6(VIA_VLAN, 3);
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e);
	for (unsigned i = 0; i < PIPE_IFACES; i++)
		p.cfg->iface[i].nip6 = 0; /* no address: no error, and no frame lost */
	pipe_drops(&p, &f, DROP_NO_ROUTE);
	assert_int_equal(p.w->count->event[EVENT_ICMP_NO_SOURCE], 1);
	pipe_close(&p);
}

/* An interface without addresses borrows one of its own VRF only: what another has is neither known
 * there nor to be told. Two VRFs have two FIBs, or, where Linux has no such devices, two zones. */
static void test_source_of_vrf(void **state)
{
	struct error e4 = { .type = 3, .iface = 1 }, e6 = { .type = 1, .iface = 1 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[1].nip4 = p.cfg->iface[1].nip6 = 0;
	for (unsigned by_zone = 0; by_zone < 2; by_zone++) {
		for (unsigned i = 0; i < PIPE_IFACES; i++) {
			bool other = i != 1 && i != 2;

			p.cfg->iface[i].fib4 = other && !by_zone ? NULL : p.fib4;
			p.cfg->iface[i].zone = other && by_zone ? 7 : 0;
		}
		e4.from = on_link(false, 2, 1);
		e6.from = on_link(true, 2, 1);
		frame4(&f, beyond(false, VIA_OUT), beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
		f.port = 1;
		f.b[5] = 1; /* the MAC address of port 1 */
		pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e4);
		frame6(&f, beyond(true, VIA_OUT), beyond(true, TO_NOWHERE), IPPROTO_UDP, 20);
		f.port = 1;
		f.b[5] = 1;
		pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e6);
	}
	p.cfg->iface[2].nip4 = 0;
	e4.from = net4(192, 0, 0, 8);
	frame4(&f, beyond(false, VIA_OUT), beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
	f.port = 1;
	f.b[5] = 1;
	pipe_answers_as(&p, &f, DROP_NO_ROUTE, &e4);
	pipe_close(&p);
}

/* What cannot go back is counted as a drop of its own; no error about the error. */
static void test_no_way_back(void **state)
{
	static const struct {
		enum pipe_kind back;
		enum drop_reason why;
	} rows[] = { { TO_BLACKHOLE, DROP_BLACKHOLE },	  { TO_UNREACHABLE, DROP_UNREACHABLE },
		     { TO_NOWHERE, DROP_NO_ROUTE },	  { TO_PROHIBIT, DROP_PROHIBIT },
		     { TO_FOREIGN, DROP_EGRESS_FOREIGN }, { TO_DOWN, DROP_EGRESS_DOWN } };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool six = i % 2;
		uint64_t before = p.w->count->drop[rows[i / 2].why];

		(six ? frame6 : frame4)(&f, beyond(six, rows[i / 2].back), beyond(six, VIA_OUT),
					IPPROTO_UDP, 40);
		frame_ttl(&f, 1);
		pipe_receive(&p, &f);
		pipe_turn(&p);
		pipe_quiet(&p);
		assert_int_equal(p.w->count->drop[DROP_TTL], i + 1);
		assert_int_equal(p.w->count->drop[rows[i / 2].why], before + 1);
		assert_int_equal(p.w->count->generated, i + 1);
	}
	pipe_close(&p);
}

/* An error leaves by one member of a group, and in IPv4 bears that one's address. */
static void test_back_by_group(void **state)
{
	unsigned by[3] = { 0 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 400; i++) {
		bool six = i % 2;
		struct addr src = beyond(six, VIA_GROUP);
		struct error e = { .type = six ? 1 : 3 };

		src.bytes[six ? 14 : 2] = (uint8_t)i;
		(six ? frame6 : frame4)(&f, src, beyond(six, TO_NOWHERE), IPPROTO_UDP, 40);
		p.now += NSEC_PER_SEC;
		pipe_receive(&p, &f);
		pipe_turn(&p);
		e.iface = xsk_queue_unsent(p.port[1]->queue[0]) ? 1 : 2;
		e.from = on_link(six, six ? 0 : e.iface, 1);
		expect_error(&p, &f, &e);
		by[e.iface]++;
	}
	pipe_quiet(&p);
	assert_in_range(by[1], 220, 380);
	pipe_close(&p);
}

/* ---- F11: how often. Errors sent for `n` packets at this moment. */

static unsigned errors_for(struct pipe *p, struct frame *f, unsigned n)
{
	unsigned sent = 0;
	struct frame got;

	for (unsigned i = 0; i < n; i++) {
		pipe_receive(p, f);
		worker_turn(p->w, p->now);
		while (pipe_sent(p, 0, &got))
			sent++;
	}
	pipe_check(p);
	return sent;
}

static void test_limit_per_target(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned six = 0; six < 2; six++) {
		frame_to(&f, beyond(six, TO_NOWHERE), 20);
		assert_int_equal(errors_for(&p, &f, 30), 6);
		p.now += NSEC_PER_SEC - 1;
		assert_int_equal(errors_for(&p, &f, 5), 0);
		p.now += 1;
		assert_int_equal(errors_for(&p, &f, 5), 1);
		p.now += 3 * NSEC_PER_SEC;
		assert_int_equal(errors_for(&p, &f, 10), 3);
		p.now += 3600 * NSEC_PER_SEC;
		assert_int_equal(errors_for(&p, &f, 10), 6);
	}
	assert_int_equal(p.w->count->event[EVENT_ICMP_SENT], 32);
	assert_int_equal(p.w->count->event[EVENT_ICMP_LIMITED], 120 - 32);
	pipe_close(&p);
}

/* Hosts 10.0.1.0 and on, all told through one neighbour. */
static void frame_from_many(struct frame *f, unsigned host)
{
	frame4(f, net4(10, 50, host >> 8, host & 255), beyond(false, TO_NOWHERE), IPPROTO_UDP, 20);
}

static void route_back_to_many(struct pipe *p)
{
	struct addr back = on_link(false, 0, 2);

	pipe_route(p, net4(10, 50, 0, 0), 16, neigh_lookup(p->neigh, &p->nht, 0, &back));
}

/* In total 1000 a second and 50 at once, less what is taken out at random. */
static void test_limit_in_total(void **state)
{
	unsigned sent = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	route_back_to_many(&p);
	for (unsigned host = 0; host < 200; host++) {
		frame_from_many(&f, host);
		sent += errors_for(&p, &f, 1);
	}
	assert_in_range(sent, 35, 50);
	sent = 0;
	for (unsigned i = 0; i < 10000; i++) { /* three seconds; steps that no token is due at */
		p.now += 300 * NSEC_PER_USEC;
		frame_from_many(&f, 200 + i);
		sent += errors_for(&p, &f, 1);
	}
	assert_in_range(sent, 3 * 950, 3 * 1000);
	pipe_close(&p);
}

/* 10,000 packets a second of 100 hosts: each is told something, and one flood does not use up what
 * is there for the others. */
static void test_limit_is_fair(void **state)
{
	unsigned sent[101] = { 0 }, total = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	route_back_to_many(&p);
	for (unsigned i = 0; i < 10000; i++) {
		p.now += NSEC_PER_SEC / 10000;
		frame_from_many(&f, i % 100);
		sent[i % 100] += errors_for(&p, &f, 1);
	}
	for (unsigned host = 0; host < 100; host++) {
		assert_in_range(sent[host], 1, 7);
		total += sent[host];
	}
	assert_in_range(total, 500, 1050);
	for (unsigned i = 0; i < 10000; i++) {
		p.now += NSEC_PER_SEC / 10000;
		frame_from_many(&f, 0);
		errors_for(&p, &f, 1);
		if (i % 1000 == 999) {
			frame_from_many(&f, 5000 + i);
			sent[100] += errors_for(&p, &f, 1);
		}
	}
	assert_int_equal(sent[100], 10);
	pipe_close(&p);
}

/* All workers share the limits, and a reload changes them at once. */
static void test_limit_is_shared(void **state)
{
	struct dp other;
	struct pkt pkt;
	struct frame f;
	struct pipe p;
	unsigned sent = 0;

	(void)state;
	pipe_open(&p);
	other = p.w->dp;
	other.cfg = p.cfg;
	other.now = p.now;
	other.random = 1ull << 48;
	frame_to(&f, beyond(false, TO_NOWHERE), 20);
	pkt = (struct pkt){ .l3 = f.b + f.l3 };
	assert_int_equal(errors_for(&p, &f, 4), 4);
	for (unsigned i = 0; i < 10; i++)
		sent += icmp_limits_allow(&other, &pkt);
	assert_int_equal(sent, 2);
	p.cfg->set.icmp_each = 20; /* for what is told from now on */
	p.now += 6 * NSEC_PER_SEC;
	assert_int_equal(errors_for(&p, &f, 20), 6);
	p.now += 100 * NSEC_PER_MSEC;
	assert_int_equal(errors_for(&p, &f, 20), 2);
	p.cfg->set.icmp_each = 1;
	p.cfg->set.icmp_burst = 2;
	p.cfg->set.icmp_rate = 1;
	p.now += 3600 * NSEC_PER_SEC;
	assert_in_range(errors_for(&p, &f, 20), 1, 2);
	p.now += 1500 * NSEC_PER_MSEC;
	other.now = p.now;
	sent = icmp_limits_allow(&other, &pkt);
	assert_in_range(sent + errors_for(&p, &f, 20), 1, 2);
	pipe_close(&p);
}

/* Where the clock that an entry holds comes round. */
#define ROUND ((1ull << 40) * NSEC_PER_USEC)

static void test_limit_for_years(void **state)
{
	static const uint64_t uptimes[] = { 600, 3650, 36500 }; /* days */
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, TO_NOWHERE), 20);
	for (unsigned turns = 1; turns < 40; turns++) {
		p.now = turns * ROUND - 3 * NSEC_PER_SEC;
		assert_int_equal(errors_for(&p, &f, 30), 6); /* spent until behind the turn */
		for (unsigned s = 0; s < 6; s++) {
			p.now += NSEC_PER_SEC;
			assert_int_equal(errors_for(&p, &f, 30), 1);
		}
	}
	p.now += ROUND / 2 + NSEC_PER_SEC; /* it seems to be ahead by days */
	assert_int_equal(errors_for(&p, &f, 30), 6);
	for (unsigned i = 0; i < sizeof(uptimes) / sizeof(uptimes[0]); i++) {
		p.now = uptimes[i] * 24 * 3600 * NSEC_PER_SEC;
		assert_int_equal(errors_for(&p, &f, 30), 6);
		p.now += 2 * NSEC_PER_SEC;
		assert_int_equal(errors_for(&p, &f, 30), 2);
	}
	pipe_close(&p);
}

static unsigned allowed(struct dp *dp, unsigned host, unsigned n)
{
	struct frame f;
	struct pkt pkt;
	unsigned sent = 0;

	frame_from_many(&f, host);
	pkt = (struct pkt){ .l3 = f.b + f.l3 };
	while (n-- > 0)
		sent += icmp_limits_allow(dp, &pkt);
	return sent;
}

/* Whoever was told before the clock came round makes room for who is told behind it. */
static void test_limit_forgets_the_oldest(void **state)
{
	unsigned forgotten = 0;
	struct pipe p;
	struct dp dp;

	(void)state;
	pipe_open(&p);
	p.cfg->set.icmp_rate = p.cfg->set.icmp_burst = 1000000;
	dp = p.w->dp;
	dp.cfg = p.cfg;
	dp.now = 17 * ROUND - 3600 * NSEC_PER_SEC;
	for (unsigned host = 0; host < 4 * ICMP_TARGET_SETS * ICMP_TARGET_WAYS; host++)
		allowed(&dp, host, 1);
	dp.now += 3601 * NSEC_PER_SEC;
	for (unsigned host = 20000; host < 20050; host++)
		assert_int_equal(allowed(&dp, host, 30), 6);
	for (unsigned host = 30000; host < 31000; host++) /* two in each set */
		allowed(&dp, host, 1);
	for (unsigned host = 20000; host < 20050; host++)
		forgotten += allowed(&dp, host, 1);
	assert_in_range(forgotten, 0, 5);
	pipe_close(&p);
}

/* CVE-2020-25705: who sends as many packets as there are errors cannot tell by them whether
 * somebody else was told of something meanwhile. */
static void test_limit_is_random(void **state)
{
	unsigned least = 50, most = 0;
	struct frame f;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	route_back_to_many(&p);
	for (unsigned turn = 0; turn < 40; turn++) {
		unsigned sent = 0;

		p.now += 10 * NSEC_PER_SEC;
		for (unsigned host = 0; host < 60; host++) {
			frame_from_many(&f, turn * 60 + host);
			sent += errors_for(&p, &f, 1);
		}
		least = sent < least ? sent : least;
		most = sent > most ? sent : most;
	}
	assert_in_range(most, least + 3, 50);
	pipe_close(&p);
}

/* Without a frame there is no error, but the drop is counted all the same. */
static void test_no_frame(void **state)
{
	struct pipe p;
	struct frame f;
	uint32_t kept[PIPE_FRAMES], n = 0;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, TO_NOWHERE), 20);
	pipe_receive(&p, &f);
	while (frame_alloc(&p.w->cache, &kept[n]))
		n++;
	worker_turn(p.w, p.now);
	while (n > 0)
		frame_free(&p.w->cache, kept[--n]);
	pipe_check(&p);
	pipe_quiet(&p);
	assert_int_equal(p.w->count->event[EVENT_ICMP_NO_FRAME], 1);
	assert_int_equal(p.w->count->drop[DROP_NO_ROUTE], 1);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_tos),
		cmocka_unit_test(test_none_about_errors),
		cmocka_unit_test(test_none_about_hidden_errors),
		cmocka_unit_test(test_none_about_later_fragments),
		cmocka_unit_test(test_source4),
		cmocka_unit_test(test_source6),
		cmocka_unit_test(test_source_of_vrf),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_back_by_group),
		cmocka_unit_test(test_limit_per_target),
		cmocka_unit_test(test_limit_in_total),
		cmocka_unit_test(test_limit_is_fair),
		cmocka_unit_test(test_limit_is_shared),
		cmocka_unit_test(test_limit_for_years),
		cmocka_unit_test(test_limit_forgets_the_oldest),
		cmocka_unit_test(test_limit_is_random),
		cmocka_unit_test(test_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
