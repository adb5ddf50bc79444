/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects (requirement F12; RFC 792, RFC 1812 5.2.7.2, RFC 4861 8.2): who is told of a better
 * router, what he is told, and how often. The packet goes on whatever he is told.
 *
 * On interface 0 there are, beside its host .2, a router .9 that 172.30/16 and 2001:db8:1e::/48 lie
 * behind, and a host .3.
 */
#include "tests/unit/pipe_rows.h"

#define BEYOND_ROUTER 30

static void open_redirecting(struct pipe *p)
{
	pipe_open(p);
	p->cfg->iface[0].redirects = true;
	pipe_route(p, net4(172, BEYOND_ROUTER, 0, 0), 16,
		   pipe_learn(p, 0, on_link(false, 0, 9), NH_RESOLVED, 0));
	pipe_route(p, net6(BEYOND_ROUTER, 0), 48,
		   pipe_learn(p, 0, link_local(0, 9), NH_RESOLVED, 0));
	pipe_learn(p, 0, on_link(false, 0, 3), NH_RESOLVED, 0);
	pipe_learn(p, 0, on_link(true, 0, 3), NH_RESOLVED, 0);
}

static struct addr away(bool six)
{
	return beyond(six, (enum pipe_kind)BEYOND_ROUTER);
}

/* A minute later, so that no limit bites a row. */
static void receive_fresh(struct pipe *p, const struct frame *f)
{
	p->now += 60 * NSEC_PER_SEC;
	pipe_receive(p, f);
	pipe_turn(p);
}

/* What came in has gone on, to a host on interface 0, and that was all. */
static void expect_gone_on(struct pipe *p, struct frame *f, unsigned host)
{
	struct frame want;

	frame_forwarded(&want, f, 0, host);
	expect_frame(p, 0, &want);
	pipe_quiet(p);
}

static void is_silent(struct pipe *p, struct frame *f, unsigned host)
{
	uint64_t made = p->w->count->generated;

	receive_fresh(p, f);
	expect_gone_on(p, f, host);
	assert_int_equal(p->w->count->generated, made);
}

/* ---- IPv4 */

static void is_told4(struct pipe *p, struct frame *f, struct addr gateway)
{
	struct error e = { 5, 1, ntohl(gateway.v4), on_link(false, 0, 1), 0, 0 };
	uint64_t told = p->w->count->event[EVENT_REDIRECTS];

	receive_fresh(p, f);
	expect_error(p, f, &e);
	expect_gone_on(p, f, gateway.bytes[3]);
	assert_int_equal(p->w->count->event[EVENT_REDIRECTS], told + 1);
}

static void test_told4(void **state)
{
	struct addr router = on_link(false, 0, 9), neighbour = on_link(false, 0, 3);
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	frame_to(&f, away(false), 40);
	is_told4(&p, &f, router);
	frame_to(&f, away(false),
		 1480); /* quoted as far as an error may be long, TTL as received */
	is_told4(&p, &f, router);
	frame_to(&f, away(false), 100);
	frame_options(&f, (const uint8_t[4]){ 148, 4, 0, 0 }, 4);
	is_told4(&p, &f, router);
	frame_to(&f, neighbour, 40); /* which is on the link itself */
	is_told4(&p, &f, neighbour);
	p.cfg->iface[0].nip4 = 2; /* we speak by the address on the subnet of who is told */
	p.cfg->iface[0].ip4[1] = p.cfg->iface[0].ip4[0];
	p.cfg->iface[0].ip4[0].addr = net4(10, 9, 0, 1).v4;
	is_told4(&p, &f, neighbour);
	pipe_close(&p);
}

static void test_not_told4(void **state)
{
	static const uint8_t loose[8] = { 131, 7, 8, 1, 2, 3, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	frame_to(&f, away(false), 40);
	p.cfg->iface[0].redirects = false;
	is_silent(&p, &f, 9);
	p.cfg->iface[0].redirects = true;
	frame4(&f, beyond(false, VIA_OUT), away(false), IPPROTO_UDP, 40); /* not on the link, */
	is_silent(&p, &f, 9);
	frame4(&f, on_link(false, 1, 2), away(false), IPPROTO_UDP, 40);
	is_silent(&p, &f, 9);
	frame4(&f, on_link(false, 0, 9), away(false), IPPROTO_UDP,
	       40); /* the router itself: a loop */
	is_silent(&p, &f, 9);
	frame4(&f, on_link(false, 0, 2), away(false), IPPROTO_ICMP, 40); /* F10 */
	f.b[34] = 3;
	is_silent(&p, &f, 9);
	frame_to(&f, away(false), 40);
	frame_ip4(&f)->frag = htons(9);
	frame_sum4(&f);
	is_silent(&p, &f, 9);
	frame_to(&f, away(false), 40);
	frame_options(&f, loose, 8);
	p.cfg->set.source_routes = true;
	is_silent(&p, &f, 9);
	frame_to(&f, away(false), 40); /* refused packets earn their error only */
	frame_ttl(&f, 1);
	pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
	frame_to(&f, beyond(false, VIA_OUT), 40);
	p.cfg->iface[1].redirects = true;
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

static void test_too_big(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	p.cfg->iface[0].mtu = 576;
	pipe_learn(&p, 0, on_link(false, 0, 9), NH_RESOLVED, 0);
	frame_to(&f, away(false), 1000);
	frame_ip4(&f)->frag = htons(IP4_DF);
	frame_sum4(&f);
	pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, 576);
	assert_int_equal(p.w->count->event[EVENT_REDIRECTS], 0);
	frame_ip4(&f)->frag = 0;
	frame_sum4(&f);
	receive_fresh(&p, &f);
	assert_int_equal(p.w->count->event[EVENT_REDIRECTS], 1);
	assert_int_equal(p.w->count->event[EVENT_FRAGMENTED], 1);
	pipe_close(&p);
}

/* ---- how often */

static unsigned told_of(struct pipe *p, struct frame *f, unsigned n, uint64_t every)
{
	uint64_t before = p->w->count->event[EVENT_REDIRECTS];
	struct frame got;

	for (unsigned i = 0; i < n; i++) {
		p->now += every;
		pipe_receive(p, f);
		pipe_turn(p);
		while (pipe_sent(p, 0, &got)) {
		}
	}
	return (unsigned)(p->w->count->event[EVENT_REDIRECTS] - before);
}

/* At 0, 40, 120, 280 ms after it began, ... nine times; and anew after 20.48 s of silence. */
static void test_limit(void **state)
{
	struct pipe p;
	struct frame f, other;

	(void)state;
	open_redirecting(&p);
	for (unsigned six = 0; six < 2; six++) {
		frame_to(&f, away(six), 40);
		(six ? frame6 : frame4)(&other, on_link(six, 0, 3), away(six), IPPROTO_UDP, 40);
		assert_int_equal(told_of(&p, &f, 10, 1000), 1);
		assert_int_equal(told_of(&p, &other, 1, 1000), 1); /* another sender */
		assert_int_equal(told_of(&p, &f, 39, NSEC_PER_MSEC), 0);
		assert_int_equal(told_of(&p, &f, 2, NSEC_PER_MSEC), 1);
		assert_int_equal(told_of(&p, &f, 79, NSEC_PER_MSEC), 0);
		assert_int_equal(told_of(&p, &f, 2, NSEC_PER_MSEC), 1);
		assert_int_equal(told_of(&p, &f, 1000, 100 * NSEC_PER_MSEC), 6);
		assert_int_equal(told_of(&p, &f, 100, NSEC_PER_SEC), 0); /* he does not listen */
		assert_int_equal(told_of(&p, &f, 1, 20 * NSEC_PER_SEC), 0);
		assert_int_equal(told_of(&p, &f, 1, 20481 * NSEC_PER_MSEC), 1);
	}
	pipe_close(&p);
}

/* The clocks of two workers differ by a turn: who does not listen is told by neither, and the later
 * of both times counts. Also where what an entry keeps of the time comes round. */
static void test_limit_is_shared(void **state)
{
	static const uint64_t starts[] = { 1000 * NSEC_PER_SEC,
					   (1ull << 40) * NSEC_PER_USEC - 20 * NSEC_PER_SEC };
	struct pipe p;
	struct frame f;
	struct pkt pkt;
	struct dp a, b;

	(void)state;
	open_redirecting(&p);
	frame_to(&f, away(false), 40);
	pkt = (struct pkt){ .l3 = f.b + f.l3 };
	a = b = p.w->dp;
	a.cfg = b.cfg = p.cfg;
	for (unsigned i = 0; i < 2; i++) {
		unsigned told = 0;

		a.now = starts[i];
		for (unsigned n = 0; n < 2000; n++) {
			a.now += 100 * NSEC_PER_MSEC;
			b.now = a.now - NSEC_PER_MSEC;
			told += icmp_limits_redirect(&a, &pkt);
			told += icmp_limits_redirect(&b, &pkt);
		}
		assert_int_equal(told, 9);
		a.now += 20480 * NSEC_PER_MSEC;
		assert_false(icmp_limits_redirect(&a, &pkt));
		b.now = a.now - NSEC_PER_MSEC;
		assert_false(icmp_limits_redirect(&b, &pkt));
		b.now = a.now + 20480 * NSEC_PER_MSEC;
		assert_false(icmp_limits_redirect(&b, &pkt));
		b.now += 20481 * NSEC_PER_MSEC;
		assert_true(icmp_limits_redirect(&b, &pkt));
		a.now = b.now + 600 * NSEC_PER_SEC; /* six days later it seems to be ahead */
		a.now += (1ull << 39) * NSEC_PER_USEC;
		assert_true(icmp_limits_redirect(&a, &pkt));
	}
	pipe_close(&p);
}

/* Nobody is told about an error or a later fragment, and that costs nothing. */
static void test_limit_is_for_what_is_told(void **state)
{
	struct pipe p;
	struct frame f, error;

	(void)state;
	open_redirecting(&p);
	frame_to(&f, away(false), 40);
	frame_ip4(&f)->frag = htons(9);
	frame_sum4(&f);
	frame4(&error, on_link(false, 0, 2), away(false), IPPROTO_ICMP, 40);
	error.b[34] = 3;
	assert_int_equal(told_of(&p, &f, 10, NSEC_PER_SEC), 0);
	assert_int_equal(told_of(&p, &error, 10, NSEC_PER_SEC), 0);
	frame_to(&f, away(false), 40);
	assert_int_equal(told_of(&p, &f, 1, 1000), 1);
	assert_int_equal(told_of(&p, &f, 1000, 100 * NSEC_PER_MSEC), 8);
	assert_int_equal(p.w->count->event[EVENT_ICMP_LIMITED], 0);
	pipe_close(&p);
}

/* The total of ICMP errors holds for redirects, too. */
static void test_limit_in_total(void **state)
{
	unsigned told = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	for (unsigned i = 10; i < 250; i++) {
		frame4(&f, on_link(false, 0, i), away(false), IPPROTO_UDP, 40);
		pipe_learn(&p, 0, on_link(false, 0, i), NH_RESOLVED, 0);
		told += told_of(&p, &f, 1, 1);
	}
	assert_in_range(told, 35, 50);
	pipe_close(&p);
}

/* ---- IPv6 */

static void expect_redirect6(struct frame *got, struct frame *in, struct addr target,
			     const uint8_t mac[6])
{
	static const uint8_t none[6];
	unsigned whole = 40u + ntohs(frame_ip6(in)->plen), quote = whole < 1184 ? whole : 1184;
	struct ip6_header *h = frame_ip6(got);
	uint8_t *icmp = got->b + got->l3 + 40;

	quote &= ~7u;
	assert_int_equal(ntohl(h->ver_tc_flow), 0x60000000);
	assert_int_equal(ntohs(h->plen), 56 + quote);
	assert_int_equal(h->next, IPPROTO_ICMPV6);
	assert_int_equal(h->hops, 255);
	assert_memory_equal(h->src, link_local(0, 1).bytes, 16);
	assert_memory_equal(h->dst, frame_ip6(in)->src, 16);
	assert_int_equal(transport_sum((uint8_t *)h, 40, 96 + quote, IPPROTO_ICMPV6), 0xffff);
	assert_int_equal(get16(icmp), 137 << 8);
	assert_memory_equal(icmp + 4, none, 4);
	assert_memory_equal(icmp + 8, target.bytes, 16);
	assert_memory_equal(icmp + 24, frame_ip6(in)->dst, 16);
	assert_int_equal(get16(icmp + 40), 2 << 8 | 1);
	assert_memory_equal(icmp + 42, mac, 6);
	assert_int_equal(get16(icmp + 48), 4 << 8 | (1 + quote / 8));
	assert_memory_equal(icmp + 50, none, 6);
	assert_memory_equal(icmp + 56, frame_ip6(in), quote);
}

static void is_told6(struct pipe *p, struct frame *f, struct addr target)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, target.bytes[15] };
	struct frame got, want;

	receive_fresh(p, f);
	assert_true(pipe_sent(p, 0, &got));
	expect_redirect6(&got, f, target, mac);
	frame_envelope(&want, 0, 2, got.b + 14, got.len - 14, 0x86dd);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.b, want.b, want.len);
	expect_gone_on(p, f, target.bytes[15]);
}

static void test_told6(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	for (unsigned payload = 8; payload <= 1460; payload += payload < 40 ? 1 : 71) {
		frame_to(&f, away(true), payload);
		is_told6(&p, &f, link_local(0, 9));
		frame_to(&f, on_link(true, 0, 3), payload);
		is_told6(&p, &f, on_link(true, 0, 3));
	}
	pipe_close(&p);
}

static void test_not_told6(void **state)
{
	static const uint8_t options[8] = { 0, 0, 1, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	open_redirecting(&p);
	frame_to(&f, away(true), 40);
	p.cfg->iface[0].has_link_local = false;
	is_silent(&p, &f, 9);
	p.cfg->iface[0].has_link_local = true;
	p.cfg->iface[0].redirects = false;
	is_silent(&p, &f, 9);
	p.cfg->iface[0].redirects = true;
	frame6(&f, on_link(true, 0, 77), away(true), IPPROTO_UDP,
	       40); /* no neighbour that we know */
	is_silent(&p, &f, 9);
	frame6(&f, on_link(true, 1, 2), away(true), IPPROTO_UDP, 40); /* of another link */
	is_silent(&p, &f, 9);
	frame_to(&f, away(true), 40);
	frame_extension(&f, 60, options, 8); /* a routing header may follow */
	is_silent(&p, &f, 9);
	pipe_route(&p, net6(BEYOND_ROUTER, 0),
		   48, /* a router that is not known by its link-local */
		   pipe_learn(&p, 0, on_link(true, 0, 9), NH_RESOLVED, 0));
	frame_to(&f, away(true), 40);
	is_silent(&p, &f, 9);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told4),
		cmocka_unit_test(test_not_told4),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_is_shared),
		cmocka_unit_test(test_limit_is_for_what_is_told),
		cmocka_unit_test(test_limit_in_total),
		cmocka_unit_test(test_told6),
		cmocka_unit_test(test_not_told6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
