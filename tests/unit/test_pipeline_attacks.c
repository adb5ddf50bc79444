/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As test_pipeline_known.c, for what takes several packets: fragments that contradict each other,
 * links that are narrow, errors that lie, handshakes that are clamped, sources that are forged.
 * Requirements F5, F8 to F10, F19, F20, G22, G23, G26.
 */
#include "tests/unit/pipe_edits.h"

/* ---- fragments: whoever only forwards sends each on as it is, and keeps nothing in mind */

#define PIECES 4

struct attack {
	const char *origin;
	bool six;
	uint8_t proto;
	unsigned n;
	struct {
		unsigned at, len;
		bool more;
	} piece[PIECES];
	const char *guarded; /* of each piece: + goes on, w waits, - is dropped */
	enum drop_reason why;
};

/* clang-format off */
static const struct attack attacks[] = {
	{ "teardrop", 0, UDP, 2, { { 0, 36, true }, { 24, 4, false } }, "--", DROP_IP4_LENGTH },
	{ "teardrop, in words of eight", 0, UDP, 2, { { 0, 40, true }, { 24, 8, false } },
	  "+-", DROP_FRAG_OVERLAP },
	{ "nestea: a last fragment inside", 0, UDP, 3,
	  { { 0, 16, true }, { 48, 224, false }, { 0, 40, true } }, "++-", DROP_FRAG_OVERLAP },
	{ "ping of death", 0, PING, 2, { { 0, 1480, true }, { 65120, 600, false } },
	  "+-", DROP_IP4_LENGTH },
	{ "jolt2", 0, PING, 3, { { 65520, 9, false }, { 65520, 9, false }, { 65520, 9, false } },
	  "---", DROP_IP4_LENGTH },
	{ "rose: the ends of the largest datagram", 0, UDP, 2,
	  { { 0, 32, true }, { 65000, 32, false } }, "++", 0 },
	{ "RFC 1858 3: TCP's flags in the second", 0, TCP, 2, { { 0, 8, true }, { 8, 32, false } },
	  "--", DROP_FRAG_TINY },
	{ "RFC 1858 4: overlapping fragment", 0, TCP, 2, { { 0, 40, true }, { 8, 32, false } },
	  "+-", DROP_FRAG_TINY },
	{ "RFC 3128: tiny overlapping fragment", 0, TCP, 3,
	  { { 0, 24, true }, { 0, 8, true }, { 24, 8, false } }, "+--", DROP_FRAG_TINY },
	{ "VPP test_ip4, IP Input: offset 1 (VPP: dropped)", 0, UDP, 1, { { 8, 108, false } }, "w", 0 },
	{ "RFC 791: a length that is no multiple of 8", 0, UDP, 1, { { 0, 41, true } },
	  "-", DROP_IP4_LENGTH },
	{ "RFC 5722: overlapping fragments of IPv6", 1, UDP, 3,
	  { { 0, 80, true }, { 72, 80, true }, { 152, 8, false } }, "+--", DROP_FRAG_OVERLAP },
	{ "RFC 5722: the same fragment twice", 1, UDP, 3,
	  { { 0, 80, true }, { 0, 80, true }, { 80, 8, false } }, "+-+", DROP_FRAG_OVERLAP },
	{ "VPP test_reassembly, invalid overlapping fragments", 1, UDP, 2,
	  { { 0, 200, true }, { 0, 192, true } }, "+-", DROP_FRAG_OVERLAP },
	{ "VPP test_reassembly, invalid fragment length", 1, UDP, 1, { { 0, 0, true } },
	  "-", DROP_IP6_LENGTH },
	{ "VPP test_reassembly, fragment size not a multiple of 8", 1, UDP, 1, { { 0, 501, true } },
	  "-", DROP_IP6_LENGTH },
	{ "VPP test_reassembly, total packet size > 65535", 1, UDP, 1, { { 65528, 488, false } },
	  "-", DROP_IP6_LENGTH },
	{ "VPP test_reassembly, atomic fragment among others", 1, UDP, 3,
	  { { 0, 400, true }, { 0, 40, false }, { 400, 8, false } }, "+++", 0 },
};
/* clang-format on */
#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static void piece_of(const struct attack *a, unsigned i, struct frame *f)
{
	uint8_t h[8] = { 0, 0, 0, 0, 0, 0, 0x12, 0x67 };
	unsigned at = a->piece[i].at, len = a->piece[i].len;

	(a->six ? frame6 : frame4)(f, on_link(a->six, 0, 2), beyond(a->six, VIA_OUT), a->proto,
				   len);
	if (a->proto == TCP && !at && len >= 20)
		tcp_offset(f, 5);
	if (a->six) {
		put16(h + 2, at | a->piece[i].more);
		frame_extension(f, 44, h, 8);
	} else {
		frame_flags(f, at / 8 | (a->piece[i].more ? IP4_MF : 0));
	}
}

static void test_attack(void **state)
{
	const struct attack *a = *state;
	struct pipe_flows guarded;
	struct pipe plain;
	struct frame f;

	pipe_open(&plain);
	flows_open(&guarded, GUARDED);
	for (unsigned i = 0; i < a->n; i++) {
		uint64_t drops = pipe_drops_all(&guarded.p);

		piece_of(a, i, &f);
		pipe_forwards(&plain, &f, 1);
		if (a->guarded[i] == '+') {
			pipe_forwards(&guarded.p, &f, 1);
		} else if (a->guarded[i] == '-') {
			pipe_drops(&guarded.p, &f, a->why);
		} else {
			pipe_receive(&guarded.p, &f);
			pipe_turn(&guarded.p);
			pipe_quiet(&guarded.p);
			assert_int_equal(pipe_drops_all(&guarded.p), drops);
			assert_int_equal(frags_held(guarded.st->frags), 1);
		}
	}
	flows_wait_s(&guarded, 100);
	assert_int_equal(frags_held(guarded.st->frags), 0);
	flows_close(&guarded);
	pipe_close(&plain);
}

/* CVE-2018-5391: of a datagram that never comes to an end, all goes on at once. */
static void test_fragment_smack(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned at = 1; at < 8000; at += 8) {
		frame_to(&f, beyond(false, VIA_OUT), 8);
		frame_flags(&f, at | IP4_MF);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* ---- MTU */

static void set_mtu(struct pipe *p, unsigned iface, unsigned mtu)
{
	p->cfg->iface[iface].mtu = (uint16_t)mtu;
	pipe_learn(p, iface, on_link(false, iface, 2), NH_RESOLVED, 0);
	pipe_learn(p, iface, on_link(true, iface, 2), NH_RESOLVED, 0);
}

/* VPP test_mtu: 1500 bytes by a link of 576, not to be cut, then in three; by one of 1280. */
static void test_vpp_mtu(void **state)
{
	static const struct {
		unsigned at, len;
		bool more;
	} parts[] = { { 0, 552, true }, { 552, 552, true }, { 1104, 376, false } };
	struct frame f, got;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 576);
	frame_to(&f, on_link(false, 1, 2), 1480);
	frame_flags(&f, IP4_DF);
	pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, 576);
	frame_flags(&f, 0);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(pipe_sent(&p, 1, &got));
		assert_int_equal(ntohs(frame_ip4(&got)->len), 20 + parts[i].len);
		assert_int_equal(ntohs(frame_ip4(&got)->frag),
				 parts[i].at / 8 | (parts[i].more ? IP4_MF : 0));
		assert_int_equal(plain_sum(got.b + 14, 20, 0), 0xffff);
		assert_memory_equal(got.b + 34, f.b + 34 + parts[i].at, parts[i].len);
	}
	pipe_quiet(&p);
	set_mtu(&p, 1, 1280);
	frame_to(&f, on_link(true, 1, 2), 1460);
	pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, 1280);
	pipe_close(&p);
}

/* VPP test_ip4, IP Directed Broadcast: 2028 bytes go to all in two pieces, or to nobody. */
static void test_vpp_directed_broadcast(void **state)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct frame f, got;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	frame_to(&f, net4(10, 0, 1, 255), 2008);
	pipe_drops(&p, &f, DROP_BROADCAST);
	pipe_broadcasts(&p, 1);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(pipe_sent(&p, 1, &got));
		assert_memory_equal(got.b, all, sizeof(all));
		assert_int_equal(ntohs(frame_ip4(&got)->len), 20 + (i ? 2008 - 1480 : 1480));
		assert_int_equal(ntohs(frame_ip4(&got)->frag), i ? 1480 / 8 : IP4_MF);
	}
	pipe_quiet(&p);
	pipe_close(&p);
}

/* CVE-2020-35498 again: what is too long is the packet, not the frame around it. */
static void test_padding_is_not_too_big(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	set_mtu(&p, 1, 1280);
	for (unsigned six = 0; six < 2; six++) {
		frame_to(&f, on_link(six, 1, 2), 1000);
		trailing(&f, 400);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* RFC 5927, RFC 8021, CVE-2021-20322: who claims in passing that a way is narrow, is closed or
 * leads elsewhere is believed by hosts at most. */
static void test_errors_in_transit_teach_nothing(void **state)
{
	static const struct {
		bool six;
		uint16_t type_code;
	} rows[] = {
		{ false, 0x0304 }, { false, 0x0301 }, { false, 0x0501 }, { false, 0x0b00 },
		{ true, 0x0200 },  { true, 0x0100 },  { true, 0x8900 },
	};
	struct frame f, error;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool six = rows[i].six;
		unsigned l3 = six ? 40 : 20;

		frame_to(&f, beyond(six, VIA_OUT), 1500 - l3);
		if (six)
			frame6(&error, beyond(true, VIA_OUT), on_link(true, 0, 2), ND, 556);
		else
			frame4(&error, beyond(false, VIA_OUT), on_link(false, 0, 2), PING, 556);
		error.port = 1;
		error.b[5] = 1; /* our MAC there */
		memcpy(error.b + error.l3 + l3 + 8, f.b + f.l3, 548);
		icmp(&error, rows[i].type_code);
		pipe_forwards(&p, &error, 0);
		pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* ---- what a router leaves alone */

/* RFC 2474, RFC 3168, RFC 6437: traffic class and flow label are the packet's. */
static void test_traffic_class_and_flow_label(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 256; i++) {
		frame_to(&f, beyond(true, VIA_OUT), 40);
		frame_ip6(&f)->ver_tc_flow = htonl(6u << 28 | i << 20 | i * 0x1011 % 0xfffff);
		pipe_forwards(&p, &f, 1);
		frame_ttl(&f, 1);
		pipe_answers(&p, &f, DROP_TTL, 3, 0, 0);
	}
	pipe_close(&p);
}

/* CVE-2019-11477: TCP's MSS is lowered, never raised, and one of nothing is no reason to stumble.
 */
static void test_sack_panic(void **state)
{
	static const uint16_t mss[] = { 0, 1, 7, 8, 48, 88, 535, 1200 };
	struct talk t[] = { TALK4, TALK6 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[0].mss = p.cfg->iface[1].mss = 1200;
	p.cfg->guarded = p.cfg->clamped = 3;
	for (unsigned i = 0; i < 2 * sizeof(mss) / sizeof(mss[0]); i++) {
		uint8_t options[4] = { 2, 4, (uint8_t)(mss[i / 2] >> 8), (uint8_t)mss[i / 2] };

		talk_tcp_with(&t[i % 2], &f, false, SYN, 1, 0, 0, options, 4);
		pipe_forwards(&p, &f, 1);
		talk_tcp_with(&t[i % 2], &f, true, SYN | ACK, 1, 2, 0, options, 4);
		pipe_forwards(&p, &f, 0);
	}
	pipe_close(&p);
}

/* VPP test_mss_clamp: a SYN whose header is shorter or longer than it can be stays as it is. */
static void test_vpp_mss_clamp_invalid_offset(void **state)
{
	static const uint8_t options[4] = { 2, 4, 0x05, 0xb4 };
	struct talk t[] = { TALK4, TALK6 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->iface[1].mss = 1000;
	p.cfg->guarded = p.cfg->clamped = 2;
	for (unsigned words = 0; words < 16; words++) {
		for (unsigned six = 0; six < 2; six++) {
			if (words == 6) /* right */
				continue;
			talk_tcp_with(&t[six], &f, false, SYN, 1, 0, 0, options, 4);
			tcp_offset(&f, words);
			pipe_forwards(&p, &f, 1);
		}
	}
	pipe_close(&p);
}

/* ---- who is told, and who is let in */

/* RFC 4443 2.4 e: a source that may be several hosts' is not told: all routers of a link have the
 * address of its subnet. LAND at us in IPv6: our own address is not, either. */
static void test_anycast_source_is_not_told(void **state)
{
	struct nh local = { .type = NH_LOCAL };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	pipe_route(&p, net6(0, 0), 128, pipe_nh(&p, 0, &local, 0));
	pipe_route(&p, net6(0, 1), 128, pipe_nh(&p, 0, &local, 0));
	for (unsigned host = 0; host < 2; host++) {
		frame6(&f, net6(0, host), beyond(true, TO_NOWHERE), UDP, 40);
		pipe_receive(&p, &f);
		pipe_turn(&p);
		pipe_quiet(&p);
		assert_int_equal(p.w->count->drop[DROP_NO_ROUTE], host + 1);
		assert_int_equal(p.w->count->drop[DROP_LOCAL], host + 1); /* what was to be said */
	}
	pipe_close(&p);
}

/* VPP test_urpf: good, from another interface's network, and from nowhere. */
static void test_vpp_urpf(void **state)
{
	static const struct {
		enum conf_rp_filter how;
		bool strict, nowhere;
	} rows[] = {
		{ CONF_RP_OFF, true, true },
		{ CONF_RP_LOOSE, true, false },
		{ CONF_RP_STRICT, false, false },
		{ CONF_RP_OFF, true, true },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->guarded = 1;
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr to = on_link(i % 2, 1, 2);

		p.cfg->iface[0].rp_filter = (uint8_t)rows[i / 2].how;
		frame_to(&f, to, 108);
		pipe_forwards(&p, &f, 1);
		(i % 2 ? frame6 : frame4)(&f, on_link(i % 2, 2, 2), to, UDP, 108);
		rows[i / 2].strict ? pipe_forwards(&p, &f, 1) : pipe_drops(&p, &f, DROP_RP_FILTER);
		(i % 2 ? frame6 : frame4)(&f, beyond(i % 2, TO_NOWHERE), to, UDP, 108);
		rows[i / 2].nowhere ? pipe_forwards(&p, &f, 1) : pipe_drops(&p, &f, DROP_RP_FILTER);
	}
	pipe_close(&p);
}

/* VPP test_neighbor, ARP Incomplete: an interface's MAC changes; frames are for the new one, and
 * say so when they leave. */
static void test_vpp_mac_change(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, on_link(false, 1, 2), 108);
	p.cfg->iface[0].mac[3] = 0x33;
	pipe_drops(&p, &f, DROP_NOT_OURS);
	f.b[3] = 0x33;
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(test_fragment_smack),
		cmocka_unit_test(test_vpp_mtu),
		cmocka_unit_test(test_vpp_directed_broadcast),
		cmocka_unit_test(test_padding_is_not_too_big),
		cmocka_unit_test(test_errors_in_transit_teach_nothing),
		cmocka_unit_test(test_traffic_class_and_flow_label),
		cmocka_unit_test(test_sack_panic),
		cmocka_unit_test(test_vpp_mss_clamp_invalid_offset),
		cmocka_unit_test(test_anycast_source_is_not_told),
		cmocka_unit_test(test_vpp_urpf),
		cmocka_unit_test(test_vpp_mac_change),
	};
	struct CMUnitTest tests[ATTACKS + sizeof(others) / sizeof(others[0])];

	for (unsigned i = 0; i < ATTACKS; i++)
		tests[i] = (struct CMUnitTest){ attacks[i].origin, test_attack, NULL, NULL,
						(void *)(uintptr_t)&attacks[i] };
	memcpy(tests + ATTACKS, others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
