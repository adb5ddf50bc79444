/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 through the packet path: what is refused before it is routed, what goes on and how it looks
 * then. Requirements F1 to F4, F6, F13, F17, F19.
 */
#include "tests/unit/pipe_rows.h"

static struct addr host(void)
{
	return on_link(false, 0, 2);
}

static void test_forwards(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned payload = 0; payload <= 1480; payload++) {
		frame_to(&f, beyond(false, VIA_OUT), payload);
		pipe_forwards(&p, &f, 1);
	}
	for (unsigned proto = 0; proto < 256; proto++) {
		frame4(&f, host(), beyond(false, VIA_OUT), proto, 40);
		pipe_forwards(&p, &f, 1);
	}
	frame_to(&f, on_link(false, 2, 2), 40); /* connected */
	pipe_forwards(&p, &f, 2);
	frame_to(&f, host(), 40); /* back out by where it came: nobody is redirected */
	pipe_forwards(&p, &f, 0);
	frame4(&f, beyond(false, VIA_OUT), beyond(false, VIA_OUT), IPPROTO_UDP, 40); /* D4 */
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

/* F19: DSCP and ECN are the packet's, with options as without. */
static void test_tos(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned tos = 0; tos < 256; tos++) {
		frame_to(&f, beyond(false, VIA_OUT), 30);
		frame_ip4(&f)->tos = (uint8_t)tos;
		frame_sum4(&f);
		pipe_forwards(&p, &f, 1);
		frame_options(&f, (const uint8_t[4]){ 1, 1, 1, 1 }, 4);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* F1: a frame that ends before the packet does. */
static void test_truncated(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned len = 0; len < 78; len++) {
		frame_to(&f, beyond(false, VIA_OUT), 44);
		f.len = len;
		pipe_drops(&p, &f, len < 34 ? DROP_RUNT : DROP_IP4_LENGTH);
	}
	pipe_close(&p);
}

/* F1: total length against header and frame; what lies behind the packet does not go on. */
static void test_total_length(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned total = 0; total <= 70; total++) {
		frame_to(&f, beyond(false, VIA_OUT), 44);
		frame_ip4(&f)->len = htons((uint16_t)total);
		frame_sum4(&f);
		if (total < 20 || total > 64)
			pipe_drops(&p, &f, DROP_IP4_LENGTH);
		else
			pipe_forwards(&p, &f, 1);
	}
	frame_to(&f, beyond(false, VIA_OUT), 44);
	frame_ip4(&f)->len = htons(65535);
	frame_sum4(&f);
	pipe_drops(&p, &f, DROP_IP4_LENGTH);
	frame_to(&f, beyond(false, VIA_OUT), 100);
	f.len += 400;
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

static void test_version_and_ihl(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned v = 0; v < 256; v++) {
		unsigned ihl = v & 15;

		frame_to(&f, beyond(false, VIA_OUT), 20);
		memset(f.b + 34, 1, 20); /* no operations, should they be options */
		frame_ip4(&f)->ver_ihl = (uint8_t)v;
		frame_sum4(&f);
		if (v >> 4 != 4 || ihl < 5)
			pipe_drops(&p, &f, DROP_IP4_VERSION);
		else if (ihl * 4 > 40)
			pipe_drops(&p, &f, DROP_IP4_LENGTH);
		else
			pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* F1, F3: no bit of a header may be wrong, and a wrong sum is not mended. */
static void test_checksum_refused(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned bit = 8; bit < 160; bit++) {
		bool length = bit / 8 == 2 || bit / 8 == 3;

		frame_to(&f, beyond(false, VIA_OUT), 44);
		f.b[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		pipe_drops(&p, &f,
			   length && ntohs(frame_ip4(&f)->len) > 64   ? DROP_IP4_LENGTH
			   : length && ntohs(frame_ip4(&f)->len) < 20 ? DROP_IP4_LENGTH
								      : DROP_IP4_CHECKSUM);
	}
	for (unsigned sum = 0; sum < 65536; sum += 7) {
		unsigned right;

		frame_to(&f, beyond(false, VIA_OUT), 44);
		right = frame_ip4(&f)->csum;
		frame_ip4(&f)->csum = (uint16_t)sum;
		if (sum != right)
			pipe_drops(&p, &f, DROP_IP4_CHECKSUM);
	}
	pipe_close(&p);
}

/* A burst of `n` frames to one port and out by another; the books are checked by who calls. */
static unsigned pass_burst(struct pipe *p, uint8_t **data, uint32_t *len, unsigned n, uint8_t **out)
{
	uint32_t lens[BURST];

	xsk_memwire_deliver(&p->wire[0], data, len, n);
	worker_turn(p->w, p->now);
	return xsk_memwire_sent(&p->wire[1], out, lens, BURST);
}

/* F3: from every checksum there is, by every kind of TTL: the sum after the step is right. The
 * identification makes the checksum go round. */
static void test_checksum_step(void **state)
{
	static const uint8_t ttls[] = { 2, 3, 64, 128, 255 };
	static uint8_t seen[sizeof(ttls)][65536];
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_OUT), 26);
	for (unsigned t = 0; t < sizeof(ttls); t++) {
		for (unsigned id = 0; id < 65536; id += 32) {
			uint8_t *data[32], *out[BURST];
			uint32_t len[32];

			assert_int_equal(xsk_memwire_take(&p.wire[0], data, 32), 32);
			for (unsigned i = 0; i < 32; i++) {
				frame_ip4(&f)->id = htons((uint16_t)(id + i));
				frame_ttl(&f, ttls[t]);
				seen[t][frame_ip4(&f)->csum] = 1;
				memcpy(data[i], f.b, f.len);
				len[i] = f.len;
			}
			assert_int_equal(pass_burst(&p, data, len, 32, out), 32);
			for (unsigned i = 0; i < 32; i++) {
				unsigned sum = get16(out[i] + 24);

				assert_int_equal(out[i][22], ttls[t] - 1);
				put16(out[i] + 24, 0); /* as if computed anew: 0, never ffff */
				assert_int_equal(sum, plain_sum(out[i] + 14, 20, 0) ^ 0xffff);
			}
			xsk_memwire_done(&p.wire[1], 32);
		}
		for (unsigned sum = 0; sum < 65535; sum++) /* ffff is 0 written otherwise */
			assert_int_equal(seen[t][sum], 1);
	}
	pipe_check(&p);
	pipe_close(&p);
}

/* The two ways to write zero: a sum of ffff is as right as one of 0. */
static void test_checksum_minus_zero(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_OUT), 26);
	for (unsigned id = 0; frame_ip4(&f)->csum; id++) {
		frame_ip4(&f)->id = (uint16_t)id;
		frame_sum4(&f);
	}
	pipe_forwards(&p, &f, 1);
	frame_ip4(&f)->csum = 0xffff;
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

/* F2. */
static void test_ttl(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned ttl = 0; ttl < 256; ttl++) {
		frame_to(&f, beyond(false, VIA_OUT), 20);
		frame_ttl(&f, ttl);
		if (ttl < 2)
			pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
		else
			pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* F4, F6, D3: addresses that are nobody's, or everybody's; some may be allowed. */
enum { GOOD, ODD, BAD };

static void test_martians(void **state)
{
	static const struct {
		uint8_t a[4];
		int what;
	} rows[] = {
		{ { 0, 0, 0, 0 }, BAD },	  { { 0, 0, 0, 1 }, ODD },
		{ { 0, 255, 255, 255 }, ODD },	  { { 1, 0, 0, 0 }, GOOD },
		{ { 126, 255, 255, 255 }, GOOD }, { { 127, 0, 0, 1 }, BAD },
		{ { 127, 255, 255, 255 }, BAD },  { { 128, 0, 0, 0 }, GOOD },
		{ { 169, 254, 1, 1 }, GOOD },	  { { 223, 255, 255, 255 }, GOOD },
		{ { 224, 0, 0, 0 }, BAD },	  { { 239, 255, 255, 255 }, BAD },
		{ { 240, 0, 0, 0 }, ODD },	  { { 255, 255, 255, 254 }, ODD },
		{ { 255, 255, 255, 255 }, BAD },
	};
	struct addr out = on_link(false, 1, 2);
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	pipe_route(&p, net4(0, 0, 0, 0), 0, neigh_lookup(p.neigh, &p.nht, 1, &out));
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *b = rows[i / 2].a;
		struct addr a = net4(b[0], b[1], b[2], b[3]);
		bool bad;

		p.cfg->set.martians_allowed = i % 2;
		bad = rows[i / 2].what > (i % 2 ? ODD : GOOD);
		frame4(&f, a, beyond(false, VIA_OUT), IPPROTO_UDP, 20);
		bad ? pipe_drops(&p, &f, DROP_MARTIAN_SRC) : pipe_forwards(&p, &f, 1);
		frame4(&f, host(), a, IPPROTO_UDP, 20);
		bad ? pipe_drops(&p, &f, DROP_MARTIAN_DST) : pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* F10: what may be forwarded may also be told of an error. */
static void test_martian_is_told(void **state)
{
	struct error e = { .type = 11, .iface = 1, .from = on_link(false, 1, 1) };
	struct addr out = on_link(false, 1, 2);
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	pipe_route(&p, net4(240, 0, 0, 0), 8, neigh_lookup(p.neigh, &p.nht, 1, &out));
	p.cfg->set.martians_allowed = true;
	frame4(&f, net4(240, 1, 2, 3), beyond(false, VIA_OUT), IPPROTO_UDP, 20);
	frame_ttl(&f, 1);
	pipe_answers_as(&p, &f, DROP_TTL, &e);
	pipe_close(&p);
}

/* F4: no host has a broadcast address of ours. */
static void test_broadcast_source(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < PIPE_IFACES; i++) {
		frame4(&f, net4(10, 0, i, 255), beyond(false, VIA_OUT), IPPROTO_UDP, 20);
		pipe_drops(&p, &f, DROP_MARTIAN_SRC);
		frame_ttl(&f, 1);
		pipe_drops(&p, &f, DROP_MARTIAN_SRC);
		frame4(&f, net4(10, 0, i, 254), beyond(false, VIA_OUT), IPPROTO_UDP, 20);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* F4: a sample for the log. */
static void test_martian_note(void **state)
{
	static const struct {
		uint8_t src[4], dst[4];
		enum drop_reason why;
	} rows[] = {
		{ { 127, 0, 0, 1 }, { 172, 16, 0, 77 }, DROP_MARTIAN_SRC },
		{ { 10, 0, 0, 2 }, { 127, 0, 0, 1 }, DROP_MARTIAN_DST },
		{ { 10, 0, 0, 1 }, { 172, 16, 0, 77 }, DROP_SRC_OURS },
	};
	struct dp_note n;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame4(&f, addr_v4(0), addr_v4(0), IPPROTO_UDP, 20);
		memcpy(&frame_ip4(&f)->src, rows[i].src, 4);
		memcpy(&frame_ip4(&f)->dst, rows[i].dst, 4);
		frame_sum4(&f);
		for (unsigned again = 0; again < 5; again++)
			pipe_drops(&p, &f, rows[i].why);
		assert_true(spsc_get(&p.w->notes, &n));
		assert_int_equal(n.kind, NOTE_MARTIAN);
		assert_int_equal(n.rule, rows[i].why);
		assert_int_equal(n.in, 0);
		assert_int_equal(n.family, AF_INET);
		assert_memory_equal(n.mac, f.b + 6, 6);
		assert_memory_equal(n.src, rows[i].src, 4);
		assert_memory_equal(n.dst, rows[i].dst, 4);
		assert_false(spsc_get(&p.w->notes, &n));
		p.now += 10 * NSEC_PER_SEC;
	}
	pipe_close(&p);
}

/* F4, D4: nobody speaks in our name; whose address only looks like ours in the filter may. */
static void test_own_source(void **state)
{
	uint32_t alike = 0xac100001; /* 172.16.0.1 */
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < PIPE_IFACES; i++) {
		frame4(&f, on_link(false, i, 1), beyond(false, VIA_OUT), IPPROTO_UDP, 20);
		pipe_drops(&p, &f, DROP_SRC_OURS);
		frame_ttl(&f, 1);
		pipe_drops(&p, &f, DROP_SRC_OURS);
	}
	while (own_bit(htonl(alike)) != own_bit(on_link(false, 0, 1).v4))
		alike++;
	frame4(&f, addr_v4(htonl(alike)), beyond(false, VIA_OUT), IPPROTO_UDP, 20);
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

/* F13, F6: what each kind of route does. */
static void test_route_types(void **state)
{
	static const struct {
		enum pipe_kind kind;
		enum drop_reason why;
		int code; /* of destination unreachable; -1: silent */
	} rows[] = {
		{ TO_BLACKHOLE, DROP_BLACKHOLE, -1 },	 { TO_UNREACHABLE, DROP_UNREACHABLE, 1 },
		{ TO_PROHIBIT, DROP_PROHIBIT, 13 },	 { TO_THROW, DROP_NO_ROUTE, 0 },
		{ TO_FOREIGN, DROP_EGRESS_FOREIGN, -1 }, { TO_DOWN, DROP_EGRESS_DOWN, 0 },
		{ TO_NOWHERE, DROP_NO_ROUTE, 0 },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_to(&f, beyond(false, rows[i].kind), 100);
		for (unsigned ttl = 1; ttl < 3; ttl++) { /* the route is asked first, as in Linux */
			frame_ttl(&f, ttl);
			if (rows[i].code < 0)
				pipe_drops(&p, &f, rows[i].why);
			else
				pipe_answers(&p, &f, rows[i].why, 3, (unsigned)rows[i].code, 0);
		}
	}
	frame_to(&f, on_link(false, 1, 1), 100);
	pipe_drops(&p, &f, DROP_LOCAL);
	frame_to(&f, on_link(false, 1, 255), 100);
	pipe_drops(&p, &f, DROP_BROADCAST);
	pipe_close(&p);
}

/* `f` went out by an interface as a broadcast frame, one hop further. */
static void expect_broadcast(struct pipe *p, struct frame *f, unsigned iface)
{
	struct frame want;

	frame_forwarded(&want, f, iface, 255);
	memset(want.b, 0xff, 6);
	expect_frame(p, want.port, &want);
	pipe_quiet(p);
}

/* F6, F10: where an interface lets directed broadcasts out, they are packets like others; but they
 * never go back to where they came from, and nobody is told what becomes of them. */
static void test_directed_broadcast(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned iface = 0; iface < PIPE_IFACES; iface++) {
		frame_to(&f, net4(10, 0, iface, 255), 100);
		pipe_drops(&p, &f, DROP_BROADCAST);
		pipe_broadcasts(&p, iface);
		if (iface == 0) {
			pipe_drops(&p, &f, DROP_BROADCAST);
			continue;
		}
		pipe_receive(&p, &f);
		pipe_turn(&p);
		expect_broadcast(&p, &f, iface);
		frame_ttl(&f, 1);
		pipe_drops(&p, &f, DROP_TTL);
	}
	frame_to(&f, net4(10, 0, 1, 255), 1480);
	p.nht.slot[fib_get(p.fib4, net4(10, 0, 1, 255).bytes, 32)]->mtu = 1400;
	frame_ip4(&f)->frag = htons(IP4_DF);
	frame_sum4(&f);
	pipe_drops(&p, &f, DROP_TOO_BIG);
	frame_options(&f, (const uint8_t[4]){ 7, 2 }, 4);
	pipe_drops(&p, &f, DROP_IP4_OPTIONS);
	p.cfg->set.source_routes = true;
	frame_options(&f, (const uint8_t[4]){ 131, 3, 4 }, 4);
	pipe_drops(&p, &f, DROP_SOURCE_ROUTE);
	frame_to(&f, addr_v4(INADDR_BROADCAST), 20);
	pipe_drops(&p, &f, DROP_MARTIAN_DST);
	pipe_close(&p);
}

/* F17: the longest match wins, and a change shows with the next packet. */
static void test_longest_match(void **state)
{
	struct addr one = on_link(false, 1, 2), two = on_link(false, 2, 2);
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned len = 0; len <= 32; len++) {
		uint32_t slot =
			neigh_lookup(p.neigh, &p.nht, len % 2 ? 1 : 2, len % 2 ? &one : &two);

		pipe_route(&p, net4(192, 168, 85, 170), len, slot);
		frame_to(&f, net4(192, 168, 85, 170), 30);
		pipe_forwards(&p, &f, len % 2 ? 1 : 2);
	}
	for (unsigned len = 32; len > 0; len--) {
		assert_int_equal(fib_del(p.fib4, net4(192, 168, 85, 170).bytes, len), 0);
		pipe_forwards(&p, &f, len % 2 ? 2 : 1);
	}
	pipe_close(&p);
}

/* An interface that is down, has no table, or another MAC; a link broadcast (F6). */
static void test_interface(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 48; i++) {
		frame_to(&f, beyond(false, VIA_OUT), 30);
		f.b[i / 8] ^= (uint8_t)(1 << i % 8);
		pipe_drops(&p, &f, DROP_NOT_OURS);
	}
	memset(f.b, 0xff, 6);
	pipe_drops(&p, &f, DROP_NOT_OURS);
	frame_to(&f, beyond(false, VIA_OUT), 30);
	p.cfg->iface[0].up = false;
	pipe_drops(&p, &f, DROP_IFACE_DOWN);
	p.cfg->iface[0].up = true;
	pipe_forwards(&p, &f, 1);
	p.cfg->port_iface[0] = IFACE_NONE;
	pipe_drops(&p, &f, DROP_IFACE_DOWN);
	p.cfg->port_iface[0] = 0;
	for (unsigned type = 0; type < 65536; type += 13) {
		put16(f.b + 12, type);
		if (type != 0x0800 && type != 0x86dd && type != 0x8100 && type != 0x88a8)
			pipe_drops(&p, &f, DROP_ETHERTYPE);
	}
	p.cfg->iface[0].fib4 = NULL; /* not even a way to answer */
	put16(f.b + 12, 0x0800);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	pipe_quiet(&p);
	assert_int_equal(p.w->count->drop[DROP_NO_ROUTE], 2);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_tos),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_total_length),
		cmocka_unit_test(test_version_and_ihl),
		cmocka_unit_test(test_checksum_refused),
		cmocka_unit_test(test_checksum_step),
		cmocka_unit_test(test_checksum_minus_zero),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_martians),
		cmocka_unit_test(test_martian_is_told),
		cmocka_unit_test(test_broadcast_source),
		cmocka_unit_test(test_martian_note),
		cmocka_unit_test(test_own_source),
		cmocka_unit_test(test_route_types),
		cmocka_unit_test(test_directed_broadcast),
		cmocka_unit_test(test_longest_match),
		cmocka_unit_test(test_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
