/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors about flows (requirement C11): related if what they quote is of a flow and they are
 * addressed to who sent it; in both directions, both families, all kinds, whatever is quoted. The
 * rules let through what is established or related, and new flows from inside.
 */
#include "tests/unit/pipe_talk.h"

#define RULES                                                                                      \
	"filter: {c: {hook: forward, policy: drop, rules: [\n"                                     \
	"  {name: inv, ct: invalid, action: drop},\n"                                              \
	"  {name: est, ct: established, action: accept},\n"                                        \
	"  {name: rel, ct: related, action: accept},\n"                                            \
	"  {name: new, ct: new, in: p0, action: accept}]}}\n"

static const struct {
	uint8_t type, code;
} errors4[] = { { 3, 0 },  { 3, 1 },  { 3, 3 },	 { 3, 4 },  { 3, 10 },
		{ 3, 13 }, { 11, 0 }, { 11, 1 }, { 12, 0 }, { 12, 2 } },
  errors6[] = { { 1, 0 }, { 1, 1 }, { 1, 4 }, { 1, 6 }, { 2, 0 },
		{ 3, 0 }, { 3, 1 }, { 4, 0 }, { 4, 2 } };

/* An error about `of`, as it left the router towards the host on interface `in`, from `from` there
 * to `to`; it quotes `quote` bytes (0: as much as there is). */
static void error_from(struct frame *f, struct frame *of, unsigned in, struct addr from,
		       struct addr to, unsigned type, unsigned code, unsigned quote)
{
	bool six = from.family == AF_INET6;
	unsigned proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, hlen = six ? 40 : 20;
	struct frame left;

	frame_forwarded(&left, of, in, 2);
	if (!quote)
		quote = frame_l3_len(&left);
	(six ? frame6 : frame4)(f, from, to, (int)proto, 8 + quote);
	f->port = in;
	f->b[5] = (uint8_t)in;
	memset(frame_l4(f), 0, 8);
	frame_l4(f)[0] = (uint8_t)type;
	frame_l4(f)[1] = (uint8_t)code;
	frame_l4(f)[6] = 5; /* an MTU of 1280 and more, or a pointer */
	memcpy(frame_l4(f) + 8, left.b + left.l3, quote);
	frame_checksum(f, hlen, proto);
}

/* The same from the host that got it. */
static void error_back(const struct talk *t, struct frame *f, struct frame *of, bool of_back,
		       unsigned type, unsigned code, unsigned quote)
{
	unsigned in = of_back ? t->a : t->b, out = of_back ? t->b : t->a;

	error_from(f, of, in, on_link(t->six, in, 2), on_link(t->six, out, 2), type, code, quote);
}

/* A packet of t that opens or answers: UDP, ping, TCP. */
static void packet_of(const struct talk *t, struct frame *f, bool back, unsigned kind)
{
	if (kind == 0)
		talk_udp(t, f, back, 200);
	else if (kind == 1)
		talk_ping(t, f, back);
	else
		talk_tcp(t, f, back, back ? SYN | ACK : SYN, back ? 5000 : 1000, back ? 1001 : 0,
			 0);
}

static uint64_t related(const struct pipe_flows *f)
{
	struct filter_rule_info info;

	assert_true(filter_rule(f->policy->filter, 3, &info));
	assert_string_equal(info.name, "rel");
	return info.packets;
}

/* ---- what is related */

/* Each kind of error, about each kind of packet, in each direction; the flow lives no longer for
 * it, and is not changed by it. */
static void test_kinds(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame of, in;
	uint64_t n = 0;

	(void)state;
	flows_open(&f, "conntrack: {profile: linux}\n" RULES);
	for (unsigned i = 0; i < 12; i++) {
		const struct talk *c = &t[i % 2];
		bool back = i / 2 % 2;
		unsigned kinds = c->six ? 9 : 10;

		for (unsigned b = 0; b <= (unsigned)back; b++) {
			packet_of(c, &of, b, i / 4);
			passes(&f, c, b, &of);
		}
		for (unsigned k = 0; k < kinds; k++) {
			struct flow_key key;
			uint32_t index, word, before;
			enum flow_dir dir;
			uint32_t tick = flow_tick(f.st->flows, f.p.now);
			uint16_t quoted;
			struct pkt p = { .l3 = of.b + of.l3,
					 .len = (uint16_t)frame_l3_len(&of),
					 .l4 = c->six ? 40 : 20,
					 .proto = i / 4 == 0   ? IPPROTO_UDP
						  : i / 4 == 2 ? IPPROTO_TCP
						  : c->six     ? IPPROTO_ICMPV6
							       : IPPROTO_ICMP,
					 .flags = c->six ? PKT_IP6 : 0 };

			assert_int_equal(ct_classify(&p, 0, &key, &quoted), CT_FLOW);
			index = flow_lookup(f.st->flows, &key, tick, &dir);
			assert_int_not_equal(index, FLOW_NONE);
			assert_int_equal(dir, back);
			word = flow_state(flow_at(f.st->flows, index));
			before = flow_left(f.st->flows, index, tick);
			error_back(c, &in, &of, back, c->six ? errors6[k].type : errors4[k].type,
				   c->six ? errors6[k].code : errors4[k].code, 0);
			passes(&f, c, !back, &in);
			assert_int_equal(related(&f), ++n);
			assert_int_equal(flow_state(flow_at(f.st->flows, index)), word);
			assert_int_equal(flow_left(f.st->flows, index, tick), before);
			assert_int_equal(flow_half_at(f.st->flows, index, !back)->packets,
					 back ? 1 : 0);
		}
		flows_wait_s(&f, 121);
		assert_int_equal(live(&f), 0);
	}
	flows_close(&f);
}

/* As little as 8 bytes of transport are quoted, by RFC 792, and anybody on the way may report. */
static void test_short_and_foreign(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame of, in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		unsigned hlen = six ? 40 : 20;

		flows_open(&f, RULES);
		for (unsigned kind = 0; kind < 3; kind++) {
			packet_of(&t[six], &of, false, kind);
			passes(&f, &t[six], false, &of);
			error_back(&t[six], &in, &of, false, six ? 1 : 3, 0, hlen + 8);
			passes(&f, &t[six], true, &in);
			error_back(&t[six], &in, &of, false, six ? 1 : 3, 0, hlen + 7);
			pipe_drops(&f.p, &in, DROP_FILTER_RULE);
			error_from(&in, &of, 1, beyond(six, VIA_OUT), on_link(six, 0, 2),
				   six ? 3 : 11, 0, hlen + 8);
			passes(&f, &t[six], true, &in);
			error_from(&in, &of, 2, on_link(six, 2, 2), on_link(six, 0, 2),
				   six ? 3 : 11, 0, hlen + 8);
			passes(&f, &t[six], true, &in);
		}
		flows_close(&f);
	}
}

/* Options, extension headers, and a first fragment that is quoted. */
static void test_quoted_headers(void **state)
{
	static const uint8_t nops[4] = { 1, 1, 1, 0 }, pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame of, in;

	(void)state;
	flows_open(&f, RULES);
	talk_udp(&t[0], &of, false, 100);
	frame_options(&of, nops, 4);
	passes(&f, &t[0], false, &of);
	error_back(&t[0], &in, &of, false, 3, 3, 24 + 8);
	passes(&f, &t[0], true, &in);
	talk_udp(&t[1], &of, false, 100);
	frame_extension(&of, 60, pad, 8);
	passes(&f, &t[1], false, &of);
	error_back(&t[1], &in, &of, false, 1, 4, 48 + 8);
	passes(&f, &t[1], true, &in);
	talk_udp(&t[0], &of, false, 100);
	frame_ip4(&of)->len = htons(20 + 80);
	frame_ip4(&of)->frag = htons(IP4_MF);
	of.len = 34 + 80;
	frame_sum4(&of);
	passes(&f, &t[0], false, &of);
	error_back(&t[0], &in, &of, false, 11, 1, 0);
	passes(&f, &t[0], true, &in);
	flows_close(&f);
}

/* ---- what is not */

/* An error that quotes a flow but is addressed to another host would open a way to that host
 * (Synacktiv's "ICMP reachable"). */
static void test_elsewhere(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame of, in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, RULES);
		for (unsigned kind = 0; kind < 3; kind++)
			for (unsigned back = 0; back < 2; back++) {
				unsigned at = back ? 0 : 1;

				packet_of(&t[six], &of, back, kind);
				passes(&f, &t[six], back, &of);
				pipe_learn(&f.p, !at, on_link(six, !at, 3), NH_RESOLVED, 0);
				error_from(&in, &of, at, on_link(six, at, 2), on_link(six, !at, 3),
					   six ? 1 : 3, 1, 0);
				pipe_drops(&f.p, &in, DROP_FILTER_RULE);
				error_from(&in, &of, at, on_link(six, at, 2), on_link(six, 2, 2),
					   six ? 1 : 3, 1, 0);
				pipe_drops(&f.p, &in, DROP_FILTER_RULE);
				error_from(&in, &of, at, on_link(six, at, 2), on_link(six, !at, 2),
					   six ? 1 : 3, 1, 0);
				passes(&f, &t[six], !back, &in);
			}
		flows_close(&f);
	}
}

/* Of no flow; of one in another zone; the wrong way round; about an error; redirects and quench;
 * checksums outside and inside. */
static void test_invalid(void **state)
{
	struct talk t[] = { TALK4, TALK6 }, other;
	struct pipe_flows f;
	struct frame of, in, about;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		unsigned hlen = six ? 40 : 20;

		flows_open(&f, RULES);
		talk_udp(&t[six], &of, false, 100);
		passes(&f, &t[six], false, &of);
		other = t[six];
		other.sport++;
		talk_udp(&other, &about, false, 100);
		error_back(&t[six], &in, &about, false, six ? 1 : 3, 3, 0);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		/* what it quotes went the other way */
		error_from(&in, &of, 1, on_link(six, 1, 2), on_link(six, 1, 2), six ? 1 : 3, 3, 0);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		error_back(&t[six], &about, &of, false, six ? 1 : 3, 3, 0);
		error_back(&t[six], &in, &about, true, six ? 1 : 3, 3, 0);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		f.p.cfg->iface[1].zone = 9;
		pipe_drops(&f.p, &about, DROP_FILTER_RULE);
		f.p.cfg->iface[1].zone = 0;
		for (unsigned i = 0; i < 2; i++) { /* X6: quench, redirect */
			static const uint8_t no[2][2] = { { 4, 5 }, { 100, 137 } };

			error_back(&t[six], &in, &of, false, no[six][i], 0, 0);
			pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		}
		error_back(&t[six], &in, &of, false, six ? 1 : 3, 3, 0);
		frame_l4(&in)[2] ^= 1;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		if (!six) {
			error_back(&t[six], &in, &of, false, 3, 3, 0);
			frame_l4(&in)[8 + 8]++; /* the quoted TTL, and not its sum */
			frame_checksum(&in, hlen, IPPROTO_ICMP);
			pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		}
		passes(&f, &t[six], true, &about); /* still */
		assert_int_equal(related(&f), 1);
		assert_int_equal(live(&f), 1);
		flows_close(&f);
	}
}

/* With the flow its errors end; and no error outlives the rules that let it through. */
static void test_rules(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame of, in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {profile: linux}\n" RULES);
		talk_udp(&t[six], &of, false, 100);
		passes(&f, &t[six], false, &of);
		error_back(&t[six], &in, &of, false, six ? 1 : 3, 3, 0);
		passes(&f, &t[six], true, &in);
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [{in: p1, ct: "
					   "related, action: drop}]}}\n"));
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		assert_true(flows_load(&f, "conntrack: {profile: linux}\n" RULES));
		passes(&f, &t[six], true, &in);
		f.p.now += 31 * NSEC_PER_SEC;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		flows_close(&f);
	}
}

/* A flow's mark is there for rules about its errors. */
static void test_mark(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct frame of, in;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, policy: drop, rules: [\n"
		       "  {ct: new, action: [set-mark: 7, save-mark, accept]},\n"
		       "  {ct: related, action: restore-mark},\n"
		       "  {ct: related, mark: 7, status: replied, action: accept}]}}\n");
	talk_udp(&t, &of, false, 100);
	passes(&f, &t, false, &of);
	error_back(&t, &in, &of, false, 3, 3, 0);
	pipe_drops(&f.p, &in, DROP_FILTER_POLICY);
	udp_drops(&f, &t, true, DROP_FILTER_POLICY); /* an answer, if not wanted */
	passes(&f, &t, true, &in);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	       cmocka_unit_test(test_short_and_foreign),
		cmocka_unit_test(test_quoted_headers), cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_invalid),	       cmocka_unit_test(test_rules),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
