/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What surrounds the packet: VLAN tags in and out (H1), padding, next hops of the other family.
 */
#include "tests/unit/pipe_rows.h"

/* As the frame would come from the host on a VLAN: by its port, tagged. */
static void from_vlan(struct frame *f, unsigned iface, unsigned tci)
{
	f->port = iface == VLAN100 ? 1 : 2;
	f->b[5] = (uint8_t)f->port;
	frame_tag(f, iface == QINQ ? 0x88a8 : 0x8100, tci);
}

/* Push, pop, exchange, and the same tag again, both families, every length that is padded. */
static void test_tags(void **state)
{
	static const struct {
		unsigned in, out;
		enum pipe_kind to;
	} rows[] = {
		{ 0, VLAN100, VIA_VLAN },	{ 0, QINQ, VIA_QINQ },
		{ VLAN100, 1, VIA_OUT },	{ VLAN100, QINQ, VIA_QINQ },
		{ VLAN100, VLAN100, VIA_VLAN }, { QINQ, VLAN100, VIA_VLAN },
		{ QINQ, 1, VIA_OUT },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned in = rows[i / 2].in;

		for (unsigned payload = 0; payload < 1460; payload += payload < 60 ? 1 : 77) {
			frame_to(&f, beyond(i % 2, rows[i / 2].to), payload);
			if (in) /* priority and drop eligible: not kept */
				from_vlan(&f, in, 0xf000 | (in == QINQ ? 300 : 100));
			pipe_forwards(&p, &f, rows[i / 2].out);
		}
	}
	pipe_close(&p);
}

static void test_tag_counters(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_QINQ), 100);
	from_vlan(&f, VLAN100, 100);
	pipe_forwards(&p, &f, QINQ);
	assert_int_equal(p.w->count->vlan[VLAN100].rx_packets, 1);
	assert_int_equal(p.w->count->vlan[VLAN100].rx_bytes, 138);
	assert_int_equal(p.w->count->vlan[VLAN100].tx_packets, 0);
	assert_int_equal(p.w->count->vlan[QINQ].tx_packets, 1);
	assert_int_equal(p.w->count->vlan[QINQ].tx_bytes, 138);
	assert_int_equal(p.w->count->port[1].rx_bytes, 138);
	assert_int_equal(p.w->count->port[2].tx_bytes, 138);
	pipe_close(&p);
}

/* Tags that no interface has. A vid means one thing with one ethertype on one port. */
static void test_unknown_tags(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned vid = 1; vid < 4096; vid += vid < 98 || vid > 310 ? 61 : 1) {
		frame_to(&f, beyond(false, VIA_OUT), 40);
		from_vlan(&f, VLAN100, vid);
		if (vid == 100)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, DROP_VLAN_UNKNOWN);
	}
	frame_to(&f, beyond(false, VIA_OUT), 40);
	from_vlan(&f, VLAN100, 100);
	put16(f.b + 12, 0x88a8);
	pipe_drops(&p, &f, DROP_VLAN_UNKNOWN);
	frame_to(&f, beyond(false, VIA_OUT), 40);
	frame_tag(&f, 0x8100, 100); /* on port 0 */
	pipe_drops(&p, &f, DROP_VLAN_UNKNOWN);
	frame_to(&f, beyond(false, VIA_OUT), 40);
	from_vlan(&f, VLAN100, 4095);
	pipe_drops(&p, &f, DROP_VLAN_UNKNOWN);
	frame_to(&f, beyond(false, VIA_OUT), 40); /* two tags: we terminate one */
	from_vlan(&f, VLAN100, 7);
	frame_tag(&f, 0x8100, 100);
	pipe_drops(&p, &f, DROP_ETHERTYPE);
	pipe_close(&p);
}

/* Vid 0 says a priority and nothing else. */
static void test_priority_tag(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned six = 0; six < 2; six++) {
		frame_to(&f, beyond(six, VIA_OUT), 40);
		frame_tag(&f, 0x8100, 0xe000);
		pipe_forwards(&p, &f, 1);
		frame_to(&f, beyond(six, TO_NOWHERE), 40);
		frame_tag(&f, 0x8100, 0);
		pipe_answers(&p, &f, DROP_NO_ROUTE, six ? 1 : 3, 0, 0);
	}
	pipe_close(&p);
}

static void test_tagged_and_short(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned len = 12; len < 14 + 4 + 20 + 40; len++) {
		frame_to(&f, beyond(false, VIA_OUT), 40);
		from_vlan(&f, VLAN100, 100);
		f.len = len;
		pipe_drops(&p, &f, len < 38 ? DROP_RUNT : DROP_IP4_LENGTH);
	}
	frame_to(&f, beyond(false, VIA_OUT), 40);
	from_vlan(&f, VLAN100, 100);
	p.cfg->iface[VLAN100].up = false;
	pipe_drops(&p, &f, DROP_IFACE_DOWN);
	pipe_close(&p);
}

/* An error goes back by the VLAN it is about, with that one's address. */
static void test_error_into_vlan(void **state)
{
	struct error e = { 11, 0, 0, on_link(false, VLAN100, 1), VLAN100, 0 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame4(&f, on_link(false, VLAN100, 2), beyond(false, VIA_OUT), IPPROTO_UDP, 700);
	frame_ttl(&f, 1);
	from_vlan(&f, VLAN100, 100);
	pipe_answers_as(&p, &f, DROP_TTL, &e);
	pipe_close(&p);
}

/* Interfaces of one port with tables of their own, mixed in one burst. */
static void test_tables(void **state)
{
	struct addr two[2] = { on_link(false, 2, 2), on_link(true, 2, 2) }, any = { 0 };
	struct fib *fib4, *fib6;
	struct pipe p;
	struct frame f, want;

	(void)state;
	pipe_open(&p);
	fib4 = fib_create(p.pool, AF_INET);
	fib6 = fib_create(p.pool, AF_INET6);
	must(fib_set(fib4, any.bytes, 0, neigh_lookup(p.neigh, &p.nht, 2, &two[0])));
	must(fib_set(fib6, any.bytes, 0, neigh_lookup(p.neigh, &p.nht, 2, &two[1])));
	p.cfg->iface[VLAN100].fib4 = fib4;
	p.cfg->iface[VLAN100].fib6 = fib6;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 8; i++) {
			frame_to(&f, beyond(pass, VIA_VLAN), 20 + i);
			f.port = 1;
			f.b[5] = 1;
			if (i % 2)
				from_vlan(&f, VLAN100, 100);
			pipe_receive(&p, &f);
		}
		pipe_turn(&p);
		for (unsigned i = 0; i < 8; i++) {
			frame_to(&f, beyond(pass, VIA_VLAN), 20 + i);
			frame_forwarded(&want, &f, i % 2 ? 2 : VLAN100, 2);
			expect_frame(&p, want.port, &want);
		}
		pipe_quiet(&p);
	}
	fib_destroy(fib4);
	fib_destroy(fib6);
	pipe_close(&p);
}

/* What came as padding, or lay in the frame before, never leaves (pipe_forwards() sees to it). */
static void test_padding(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned payload = 0; payload < 30; payload++) {
		frame_to(&f, beyond(false, VIA_OUT), payload);
		memset(f.b + f.len, 0x77, 60);
		if (f.len < 60)
			f.len = 60;
		pipe_forwards(&p, &f, 1);
		frame_to(&f, beyond(false, TO_NOWHERE), payload);
		pipe_answers(&p, &f, DROP_NO_ROUTE, 3, 0, 0);
	}
	pipe_close(&p);
}

/* RFC 8950: an IPv4 route over an IPv6 next hop, plain and as a member of a group; and the reverse.
 */
static void test_other_family(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned six = 0; six < 2; six++) {
		struct addr to = six ? net6(700, 1) : net4(172, 16, 0, 1);
		uint32_t slot = pipe_learn(&p, 1, on_link(!six, 1, 2), NH_RESOLVED, 0);

		pipe_route(&p, to, six ? 64 : 24, slot);
		frame_to(&f, to, 40);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_family),	cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tag_counters),	cmocka_unit_test(test_unknown_tags),
		cmocka_unit_test(test_priority_tag),	cmocka_unit_test(test_tagged_and_short),
		cmocka_unit_test(test_error_into_vlan), cmocka_unit_test(test_tables),
		cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
