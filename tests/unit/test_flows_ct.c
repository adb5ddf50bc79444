/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows in the packet path, without NAT: what begins one and what does not, and how many there may
 * be. Requirements C7, C8, C10, C14, C18, C21, C22, C27, C29, U6a.
 */
#include "tests/unit/pipe_talk.h"

static void end_flows(struct pipe_flows *f)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(f->st->flows, &cursor)) != FLOW_NONE)
		flow_kill(f->st->flows, index);
	flows_grace(f);
	assert_int_equal(live(f), 0);
}

static uint32_t bits(const struct pipe_flows *f)
{
	return flow_state(the_record(f)) & ~(FLOW_IN | FLOW_IN_REPLY);
}

/* ---- C7, C21, C27, U6a: UDP */

/* Unanswered, answered, and a stream once it is two seconds old; packets and bytes of layer 3 of
 * each direction. */
static void test_udp(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		unsigned bytes = (six ? 40 : 20) + 108;

		flows_open(&f, "conntrack: {profile: linux}\n");
		udp_passes(&f, &t[six], false);
		assert_int_equal(bits(&f), FLOW_COMMITTED);
		assert_int_equal(left_s(&f), 30);
		udp_passes(&f, &t[six], true);
		assert_int_equal(bits(&f), FLOW_COMMITTED | FLOW_REPLIED);
		assert_int_equal(left_s(&f), 30);
		f.p.now += 2 * NSEC_PER_SEC;
		udp_passes(&f, &t[six], false);
		assert_int_equal(left_s(&f), 30);
		f.p.now += NSEC_PER_SEC / 4;
		udp_passes(&f, &t[six], true);
		assert_int_equal(bits(&f), FLOW_COMMITTED | FLOW_REPLIED | FLOW_ASSURED);
		assert_int_equal(left_s(&f), 120);
		f.p.now += 119 * NSEC_PER_SEC;
		udp_passes(&f, &t[six], false);
		assert_int_equal(left_s(&f), 120);
		assert_int_equal(the_half(&f, FLOW_ORIG)->packets, 3);
		assert_int_equal(the_half(&f, FLOW_ORIG)->bytes, 3 * bytes);
		assert_int_equal(the_half(&f, FLOW_REPLY)->packets, 2);
		assert_int_equal(the_half(&f, FLOW_REPLY)->bytes, 2 * bytes);
		flows_wait_s(&f, 119);
		assert_int_equal(live(&f), 1);
		flows_wait_s(&f, 20);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* U6a: with `refresh: outbound` what comes in does not keep a flow alive; not as a fragment
 * either. */
static void test_refresh_outbound(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {profile: linux, refresh: outbound}\n");
		udp_passes(&f, &t[six], false);
		for (unsigned i = 0; i < 10; i++) {
			f.p.now += 2 * NSEC_PER_SEC;
			udp_passes(&f, &t[six], true);
			if (i == 0 || six)
				continue;
			talk_udp(&t[six], &in, true, 1000);
			frame_ip4(&in)->len = htons(20 + 800);
			frame_ip4(&in)->frag = htons(IP4_MF);
			frame_ip4(&in)->id = htons(100 + i);
			frame_sum4(&in);
			passes(&f, &t[six], true, &in);
			memmove(in.b + 34, in.b + 34 + 800, 208);
			frame_ip4(&in)->len = htons(20 + 208);
			frame_ip4(&in)->frag = htons(100);
			in.len = 34 + 208;
			frame_sum4(&in);
			passes(&f, &t[six], true, &in);
		}
		assert_int_equal(left_s(&f), 10);
		assert_int_equal(the_half(&f, FLOW_REPLY)->packets, six ? 10 : 28);
		udp_passes(&f, &t[six], false);
		assert_int_equal(left_s(&f), 120); /* a stream by now */
		f.p.now += 119 * NSEC_PER_SEC;
		udp_passes(&f, &t[six], true);
		flows_wait_s(&f, 17);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* ---- C8: what cannot be judged by its checksum or lengths */

static void test_checksums(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f,
			   "filter: {c: {hook: forward, rules: [{ct: invalid, action: drop}]}}\n");
		talk_udp(&t[six], &in, false, 100);
		frame_l4(&in)[7] ^= 1;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_udp(&t[six], &in, false, 100);
		put16(frame_l4(&in) + 4, 7); /* its own length */
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		put16(frame_l4(&in) + 4, 109);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
		frame_l4(&in)[16] ^= 1;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
		memset(frame_l4(&in) + 12, 0x60, 1); /* a header longer than the packet */
		frame_checksum(&in, six ? 40 : 20, IPPROTO_TCP);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_tcp(&t[six], &in, false, SYN | FIN, 1000, 0, 0);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_ping(&t[six], &in, false);
		frame_l4(&in)[20] ^= 1;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_packet(&t[six], &in, false, IPPROTO_UDP, 7);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_packet(&t[six], &in, false, IPPROTO_TCP, 19);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		assert_int_equal(live(&f), 0);
		/* no checksum is one of UDP: tunnels over IPv6 may do without (RFC 6936) */
		talk_udp(&t[six], &in, false, 100);
		put16(frame_l4(&in) + 6, 0);
		passes(&f, &t[six], false, &in);
		/* and none is looked at when told so */
		assert_true(flows_load(&f, "conntrack: {checksum: false}\n"
					   "filter: {c: {hook: forward, rules: [{ct: invalid, "
					   "action: drop}]}}\n"));
		end_flows(&f);
		talk_udp(&t[six], &in, false, 100);
		frame_l4(&in)[7] ^= 1;
		passes(&f, &t[six], false, &in);
		talk_tcp(&t[six], &in, false, SYN, 1000, 0, 0);
		frame_l4(&in)[16] ^= 1;
		passes(&f, &t[six], false, &in);
		assert_int_equal(live(&f), 2);
		flows_close(&f);
	}
}

/* ---- C10: ICMP */

static void test_icmp(void **state)
{
	static const uint8_t query[] = { 8, 13, 15, 17 }, answer[] = { 0, 14, 16, 18 };
	static const uint8_t never[] = { 0, 1, 2, 4, 5, 6, 7, 9, 10, 14, 16, 18, 19, 40, 255 };
	struct talk t = TALK4, other = TALK4;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {profile: linux}\n"
		       "filter: {c: {hook: forward, rules: [{ct: invalid, action: drop}]}}\n");
	for (unsigned i = 0; i < sizeof(never); i++) {
		talk_icmp(&t, &in, false, never[i], 0, 20);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		assert_int_equal(live(&f), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		talk_icmp(&t, &in, false, query[i], 0, 20);
		passes(&f, &t, false, &in);
		passes(&f, &t, false, &in);
		assert_int_equal(left_s(&f), 30);
		for (unsigned n = 0; n < 3; n++) { /* more than one asks for */
			talk_icmp(&t, &in, true, answer[i], 0, 20);
			passes(&f, &t, true, &in);
		}
		other.sport = t.sport + 1; /* another's id */
		talk_icmp(&other, &in, true, answer[i], 0, 20);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_icmp(&t, &in, true, answer[(i + 1) % 4], 0, 20);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		talk_icmp(&t, &in, true, answer[i], 1, 20); /* code */
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		memset(frame_l4(&in) + 1, 0, 1); /* checksum */
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		assert_int_equal(the_half(&f, FLOW_REPLY)->packets, 3);
		end_flows(&f);
	}
	flows_close(&f);
}

/* C29: neighbour and listener discovery have no flows; other ICMPv6 that asks for nothing is
 * invalid. */
static void test_icmp6(void **state)
{
	struct talk t = TALK6;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, policy: drop, rules: [\n"
		       "  {ct: invalid, action: drop}, {icmpv6: echo-request, action: accept},\n"
		       "  {ct: [established, untracked], action: accept}]}}\n");
	for (unsigned type = 130; type <= 143; type++) {
		if (type > 136 && type < 143)
			continue;
		talk_icmp(&t, &in, false, type, 0, 16);
		passes(&f, &t, false, &in);
	}
	for (unsigned type = 0; type < 256; type++) {
		bool known = type == 128 || (type >= 130 && type <= 136) || type == 143;

		talk_icmp(&t, &in, false, type, 0, 60);
		if (!known)
			pipe_drops(&f.p, &in, DROP_FILTER_RULE);
	}
	assert_int_equal(live(&f), 0);
	ping_passes(&f, &t, false);
	ping_passes(&f, &t, true);
	ping_passes(&f, &t, true);
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* ---- C29: extension headers; other protocols */

/* Behind extension headers a transport header is the same as without. */
static void test_extensions(void **state)
{
	static const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 }, atomic[8] = { 0 };
	struct talk t = TALK6;
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, policy: drop, rules: [\n"
		       "  {proto: udp, dport: 80, action: accept},\n"
		       "  {ct: established, action: accept}]}}\n");
	for (unsigned i = 0; i < 2; i++) {
		talk_udp(&t, &in, i, 50);
		frame_extension(&in, 44, atomic, 8); /* RFC 6946 */
		frame_extension(&in, 60, pad, 8);
		frame_extension(&in, 0, pad, 8);
		passes(&f, &t, i, &in);
	}
	udp_passes(&f, &t, false);
	assert_int_equal(live(&f), 1);
	/* an unknown header is an unknown protocol: no rule about UDP means it (G26) */
	talk_udp(&t, &in, false, 50);
	frame_extension(&in, 253, pad, 8);
	pipe_drops(&f.p, &in, DROP_FILTER_POLICY);
	t.dport = 81;
	talk_udp(&t, &in, false, 50);
	frame_extension(&in, 60, pad, 8);
	pipe_drops(&f.p, &in, DROP_FILTER_POLICY);
	assert_int_equal(live(&f), 1);
	flows_close(&f);
}

/* Other protocols are known by their addresses: one flow, whatever they carry. */
static void test_other_protocols(void **state)
{
	static const struct {
		uint8_t proto;
		unsigned life, stream;
	} row[] = { { IPPROTO_GRE, 30, 180 }, { IPPROTO_ESP, 600, 600 }, { 253, 600, 600 } };
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "conntrack: {profile: linux}\n");
	for (unsigned i = 0; i < 6; i++) {
		talk_packet(&t[i % 2], &in, false, row[i / 2].proto, 30);
		passes(&f, &t[i % 2], false, &in);
		assert_int_equal(left_s(&f), row[i / 2].life);
		talk_packet(&t[i % 2], &in, true, row[i / 2].proto, 77);
		passes(&f, &t[i % 2], true, &in);
		assert_int_equal(left_s(&f), row[i / 2].life); /* the answer is no stream yet */
		talk_packet(&t[i % 2], &in, i / 2 % 2, row[i / 2].proto, 30);
		passes(&f, &t[i % 2], i / 2 % 2, &in);
		assert_int_equal(left_s(&f), row[i / 2].stream);
		assert_int_equal(live(&f), 1);
		end_flows(&f);
	}
	flows_close(&f);
}

/* ---- no flow where nothing leaves */

/* TTL 1, no route, too big: dropped as without flows, before rules about forwarding, and with an
 * error that quotes the packet as it came though a rule marked it. */
static void test_no_flow(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		static const char *const yaml[] = {
			"filter: {c: {hook: prerouting, priority: mangle, rules: [{action: "
			"{set-dscp: ef}}]},\n  d: {hook: forward, rules: [{action: reject}]}}\n",
			"filter: {c: {hook: prerouting, priority: raw, rules: [{action: "
			"[set-dscp: ef, notrack]}]},\n  d: {hook: forward, rules: [{action: "
			"reject}]}}\n",
		};

		flows_open(&f, "conntrack: {}\n");
		for (unsigned i = 0; i < 2; i++) {
			assert_true(flows_load(&f, yaml[i]));
			talk_udp(&t[six], &in, false, 100);
			frame_ttl(&in, 1);
			pipe_answers(&f.p, &in, DROP_TTL, six ? 3 : 11, 0, 0);
			frame_to(&in, beyond(six, TO_NOWHERE), 100);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			pipe_answers(&f.p, &in, DROP_NO_ROUTE, six ? 1 : 3, 0, 0);
			frame_to(&in, beyond(six, TO_PROHIBIT), 100);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			pipe_answers(&f.p, &in, DROP_PROHIBIT, six ? 1 : 3, six ? 1 : 13, 0);
			frame_to(&in, beyond(six, TO_BLACKHOLE), 100);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			pipe_drops(&f.p, &in, DROP_BLACKHOLE);
			talk_udp(&t[six], &in, false, 2000);
			if (!six)
				frame_ip4(&in)->frag = htons(IP4_DF);
			if (!six)
				frame_sum4(&in);
			pipe_answers(&f.p, &in, DROP_TOO_BIG, six ? 2 : 3, six ? 0 : 4, 1500);
			assert_int_equal(live(&f), 0);
			assert_int_equal(flows_stats(&f).made, 0);
		}
		flows_close(&f);
	}
}

/* Where lengths cannot be, rules see ports all the same, as nftables does. */
static void test_malformed_ports(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {r: {hook: prerouting, priority: raw, rules: [\n"
		       "  {proto: udp, dport: 80, action: notrack}]}, c: {hook: forward, rules: [\n"
		       "  {ct: invalid, action: drop}]}}\n");
	for (unsigned six = 0; six < 2; six++) {
		talk_udp(&t[six], &in, false, 100);
		memset(frame_l4(&in) + 5, 200, 1); /* longer than it is */
		passes(&f, &t[six], false, &in);
		memset(frame_l4(&in) + 3, 81, 1);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
	}
	assert_int_equal(live(&f), 0);
	flows_close(&f);
}

/* A link-local address means nothing on another link. */
static void test_no_flow_beyond_scope(void **state)
{
	struct error e = { 1, 2, 0, link_local(0, 1), 0, 0x22 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [{action: {set-dscp: ef}}]}}\n");
	pipe_learn(&f.p, 0, link_local(0, 0x22), NH_RESOLVED, 0);
	frame6(&in, link_local(0, 0x22), on_link(true, 1, 2), IPPROTO_UDP, 50);
	frame_checksum(&in, 40, IPPROTO_UDP);
	pipe_answers_as(&f.p, &in, DROP_SCOPE, &e);
	assert_int_equal(flows_stats(&f).made, 0);
	flows_close(&f);
}

/* notrack: in both directions, and no flow. */
static void test_notrack(void **state)
{
	struct talk t[] = { TALK4, TALK6 }, other;
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter:\n"
			       "  raw: {hook: prerouting, priority: raw, rules: [\n"
			       "    {proto: udp, dport: 80, action: notrack}]}\n"
			       "  c: {hook: forward, policy: drop, rules: [\n"
			       "    {ct: untracked, action: accept}, {ct: new, in: p0, action: "
			       "accept}]}\n");
		udp_passes(&f, &t[six], false);
		udp_passes(&f, &t[six], false);
		assert_int_equal(live(&f), 0);
		udp_drops(&f, &t[six], true, DROP_FILTER_POLICY);
		other = t[six];
		other.dport = 81;
		udp_passes(&f, &other, false);
		assert_int_equal(live(&f), 1);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_refresh_outbound),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_icmp6),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_no_flow),
		cmocka_unit_test(test_malformed_ports),
		cmocka_unit_test(test_no_flow_beyond_scope),
		cmocka_unit_test(test_notrack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
