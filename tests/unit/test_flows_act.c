/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules do besides letting packets pass: sets that they fill and look at, lines for the log,
 * the MSS of TCP (requirement F20); and routes that move under running flows (issue "flows", items
 * 6 and 8).
 */
#include "router/net/set.h"
#include "tests/unit/pipe_talk.h"

/* ---- sets */

/* Control has seen that a set has changed, if it has: running flows are judged again. */
static void sets_seen(struct pipe_flows *f)
{
	static uint64_t seen;
	uint64_t now = sets_changes(f->st->sets, f->p.now);

	if (now != seen)
		f->policy->generation = ++f->generation;
	seen = now;
}

/* Who knocks is banned: in the same passage, from new flows at once, from running ones when control
 * has seen it; until the element's time is over. */
static void test_add_to(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct talk knock = t[six], back = { six, 1, 0, 500, 600 };

		flows_open(&f,
			   "sets: {banned: {type: address, size: 100, timeout: 60s}}\n"
			   "filter:\n"
			   "  a: {hook: prerouting, priority: mangle, rules: [\n"
			   "    {proto: tcp, dport: 23, flags: syn/syn+ack, action: {add-to: "
			   "banned}}]}\n"
			   "  b: {hook: forward, rules: [{from: \"@banned\", action: drop}]}\n");
		sets_seen(&f);
		udp_passes(&f, &t[six], false);
		knock.dport = 23;
		tcp_drops(&f, &knock, false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		assert_int_equal(live(&f), 1);
		knock.dport = 443;
		tcp_drops(&f, &knock, false, SYN, 1000, 0, 0, DROP_FILTER_RULE);
		udp_passes(&f, &t[six], false);
		sets_seen(&f);
		udp_drops(&f, &t[six], false, DROP_FILTER_RULE);
		udp_passes(&f, &back, false); /* another source */
		f.p.now += 61 * NSEC_PER_SEC;
		sets_seen(&f);
		udp_passes(&f, &t[six], false);
		knock.dport = 444;
		tcp_passes(&f, &knock, false, SYN, 1000, 0, 0);
		flows_close(&f);
	}
}

/* Concatenations, and fields that a rule names. */
static void test_set_of_fields(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct talk other = t[six];

		flows_open(&f, "sets:\n"
			       "  seen: {type: [address, port], size: 100, timeout: 1h}\n"
			       "  web: {type: port, elements: [80, 443]}\n"
			       "filter: {c: {hook: forward, policy: drop, rules: [\n"
			       "  {ct: established, action: accept},\n"
			       "  {lookup: {key: [to, dport], set: seen}, action: drop},\n"
			       "  {proto: udp, dport: \"@web\", action: [{add-to: seen, key: [to, "
			       "dport]}, accept]}]}}\n");
		udp_passes(&f, &t[six], false);
		udp_passes(&f, &t[six], true);
		other.sport = 7; /* once for all who ask */
		udp_drops(&f, &other, false, DROP_FILTER_RULE);
		other.dport = 443;
		udp_passes(&f, &other, false);
		other.dport = 444;
		udp_drops(&f, &other, false, DROP_FILTER_POLICY);
		sets_seen(&f);
		udp_passes(&f, &t[six], false);
		flows_close(&f);
	}
}

/* ---- logs */

static bool next_note(struct pipe_flows *f, struct dp_note *n)
{
	return spsc_get(&f->p.w->notes, n);
}

static void test_log(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct dp_note n;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
			       "  {proto: udp, in: p0, log: {limit: 2/m}, action: drop},\n"
			       "  {proto: tcp, dport: 80, log: true, action: accept}]}}\n");
		for (unsigned i = 0; i < 5; i++)
			udp_drops(&f, &t[six], false, DROP_FILTER_RULE);
		for (unsigned i = 0; i < 2; i++) {
			assert_true(next_note(&f, &n));
			assert_int_equal(n.rule, 1);
			assert_int_equal(n.generation, f.generation);
			assert_int_equal(n.in, f.p.cfg->iface[0].name_id);
			assert_int_equal(n.out, f.p.cfg->iface[1].name_id);
			assert_int_equal(n.len, (six ? 40 : 20) + 108);
			assert_int_equal(n.ttl, 64);
			assert_int_equal(n.family, six ? AF_INET6 : AF_INET);
			assert_int_equal(n.proto, IPPROTO_UDP);
			assert_int_equal(ntohs(n.sport), 40000);
			assert_int_equal(ntohs(n.dport), 80);
			assert_memory_equal(n.src, on_link(six, 0, 2).bytes, six ? 16 : 4);
			assert_memory_equal(n.dst, on_link(six, 1, 2).bytes, six ? 16 : 4);
		}
		assert_false(next_note(&f, &n));
		f.p.now += 61 * NSEC_PER_SEC;
		udp_drops(&f, &t[six], false, DROP_FILTER_RULE);
		assert_true(next_note(&f, &n));
		/* what is accepted is in the log as often as it is judged */
		tcp_opens(&f, &t[six]);
		assert_true(next_note(&f, &n));
		assert_int_equal(n.rule, 2);
		assert_int_equal(n.tcp_flags, SYN);
		assert_true(next_note(&f, &n));
		assert_int_equal(n.tcp_flags, ACK); /* established */
		assert_false(next_note(&f, &n));
		flows_close(&f);
	}
}

/* Lines that find the ring full are counted, and hold nothing up. */
static void test_log_full(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;
	struct dp_note n;
	unsigned lines = 0;

	(void)state;
	flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
		       "  {length: 20-1500, log: {limit: 100000/s}, action: accept}]}}\n");
	for (unsigned i = 0; i < 600; i++)
		udp_passes(&f, &t, false);
	while (next_note(&f, &n))
		lines++;
	assert_int_equal(lines + f.p.w->count->event[EVENT_LOG_LOST], 600);
	assert_in_range(lines, 256, 599);
	flows_close(&f);
}

/* ---- F20: the MSS */

/* Row: a segment whose MSS option says `from` leaves with `to`; the option begins at byte `at` of
 * the options. */
static void mss_row(struct pipe_flows *f, const struct talk *t, bool back, unsigned flags,
		    unsigned from, unsigned to, unsigned at, unsigned data)
{
	uint8_t options[12];
	struct frame in, out, want;

	memset(options, 1, sizeof(options));
	options[at] = 2;
	options[at + 1] = 4;
	put16(options + at + 2, from);
	talk_tcp_with(t, &in, back, flags, back ? 5000 : 1000, flags & ACK ? 1001 : 0, data,
		      options, 12);
	put16(options + at + 2, to);
	talk_tcp_with(t, &out, back, flags, back ? 5000 : 1000, flags & ACK ? 1001 : 0, data,
		      options, 12);
	frame_forwarded(&want, &out, back ? t->a : t->b, 2);
	pipe_receive(&f->p, &in);
	pipe_turn(&f->p);
	expect_frame(&f->p, want.port, &want);
	pipe_quiet(&f->p);
}

/* Lowered, never raised, wherever the option stands; in both directions, and of each repetition. */
static void test_mss(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct talk *c = &t[six];

		flows_open(&f, "filter: {c: {hook: forward, rules: [{proto: tcp, flags: syn/syn,\n"
			       "  action: {mss-clamp: 1200}}]}}\n");
		for (unsigned at = 0; at < 9; at++) {
			c->sport++;
			mss_row(&f, c, false, SYN, 1460, 1200, at, 0);
			mss_row(&f, c, false, SYN, 1460, 1200, at, 0);
			mss_row(&f, c, true, SYN | ACK, 65535, 1200, at, 0);
			mss_row(&f, c, true, SYN | ACK, 1201, 1200, at, 0);
			c->sport++;
			mss_row(&f, c, false, SYN, 1200, 1200, at, 100); /* TFO */
			mss_row(&f, c, true, SYN | ACK, 536, 536, at, 0);
			c->sport++;
			mss_row(&f, c, false, SYN, 1460, 1200, at, 101);
			mss_row(&f, c, true, SYN | ACK, 0, 0, at, 0);
		}
		tcp_opens(&f, c);			      /* no option: none is added */
		mss_row(&f, c, false, ACK, 1460, 1460, 0, 0); /* no SYN */
		flows_close(&f);
	}
}

static void set_mtu(struct pipe *p, unsigned iface, unsigned mtu)
{
	p->cfg->iface[iface].mtu = (uint16_t)mtu;
	pipe_learn(p, iface, on_link(false, iface, 2), NH_RESOLVED, 0);
	pipe_learn(p, iface, on_link(true, iface, 2), NH_RESOLVED, 0);
}

/* `pmtu`: what the smaller of both links takes. */
static void test_mss_pmtu(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		unsigned headers = six ? 60 : 40;

		flows_open(&f, "filter: {c: {hook: postrouting, priority: mangle, rules: [\n"
			       "  {proto: tcp, action: {mss-clamp: pmtu}}]}}\n");
		set_mtu(&f.p, 1, 1400);
		mss_row(&f, &t[six], false, SYN, 1460, 1400 - headers, 0, 0);
		mss_row(&f, &t[six], true, SYN | ACK, 1460, 1400 - headers, 3, 0);
		set_mtu(&f.p, 0, 1300);
		t[six].sport++;
		mss_row(&f, &t[six], false, SYN, 1460, 1300 - headers, 0, 0);
		mss_row(&f, &t[six], true, SYN | ACK, 1460, 1300 - headers, 3, 0);
		flows_close(&f);
	}
}

/* The MTU of a route to a connected network, which its neighbours do not know. */
static void route_mtu(struct pipe *p, bool six, uint16_t mtu)
{
	struct addr net = on_link(six, 1, 0);

	p->nht.slot[fib_get(six ? p->fib6 : p->fib4, net.bytes, six ? 64 : 24)]->mtu = mtu;
	p->nht.generation++;
}

static void udp_of(const struct talk *t, struct frame *f, unsigned len)
{
	talk_udp(t, f, false, len - (t->six ? 48 : 28));
	if (!t->six) {
		frame_ip4(f)->frag = htons(IP4_DF);
		frame_sum4(f);
	}
}

/* It holds for the first packet of a flow, for later ones, and when it changes; and for the MSS. */
static void test_mtu_of_route(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		unsigned six = i & 1, type = six ? 2 : 3, code = six ? 0 : 4;
		unsigned headers = six ? 60 : 40;

		flows_open(&f,
			   i < 2 ? "conntrack: {profile: linux}\n"
				 : "filter: {c: {hook: postrouting, priority: mangle, rules: [\n"
				   "  {proto: tcp, action: {mss-clamp: pmtu}}]}}\n");
		route_mtu(&f.p, six, 1400);
		udp_of(&t[six], &in, 1500);
		pipe_answers(&f.p, &in, DROP_TOO_BIG, type, code, 1400);
		assert_int_equal(live(&f), 0);
		udp_of(&t[six], &in, 1400);
		pipe_forwards(&f.p, &in, 1);
		pipe_forwards(&f.p, &in, 1);
		udp_of(&t[six], &in, 1500);
		pipe_answers(&f.p, &in, DROP_TOO_BIG, type, code, 1400);
		if (i >= 2) {
			mss_row(&f, &t[six], false, SYN, 1460, 1400 - headers, 0, 0);
			mss_row(&f, &t[six], false, SYN, 1460, 1400 - headers, 0, 0);
		}
		route_mtu(&f.p, six, 1500);
		pipe_forwards(&f.p, &in, 1);
		pipe_forwards(&f.p, &in, 1);
		route_mtu(&f.p, six, 1300);
		pipe_answers(&f.p, &in, DROP_TOO_BIG, type, code, 1300);
		flows_close(&f);
	}
}

/* Options that run over, have no length, or end before: left as they are. */
static void test_mss_malformed(void **state)
{
	static const uint8_t options[][8] = {
		{ 2, 3, 5, 180, 1, 1, 1, 1 }, { 2, 0, 5, 180, 1, 1, 1, 1 },
		{ 2, 1, 5, 180, 1, 1, 1, 1 }, { 0, 2, 4, 5, 180, 1, 1, 1 },
		{ 3, 9, 2, 4, 5, 180, 1, 1 }, { 1, 1, 1, 1, 1, 2, 4, 5 },
		{ 1, 1, 1, 1, 1, 1, 1, 2 },   { 8, 0, 2, 4, 5, 180, 1, 1 },
	};
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\nfilter: {c: {hook: forward, rules: [{proto: tcp, action: "
		       "{mss-clamp: 1200}}]}}\n");
	for (unsigned i = 0; i < 2 * sizeof(options) / 8; i++) {
		struct frame in;

		t[i % 2].sport++;
		talk_tcp_with(&t[i % 2], &in, false, SYN, 1000, 0, 0, options[i / 2], 8);
		passes(&f, &t[i % 2], false, &in);
	}
	flows_close(&f);
}

/* ---- routes move */

/* A running flow takes the new way with its next packet; rules that name interfaces see it. */
static void test_route_moves(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr gateway[2] = { on_link(six, 1, 2), on_link(six, 2, 2) };
		struct addr net = six ? net6(VIA_OUT, 0) : net4(172, VIA_OUT, 0, 0);
		struct frame in;

		flows_open(&f, "filter: {c: {hook: forward, rules: [{out: p2, proto: udp, dport: "
			       "2001, action: drop}]}}\n");
		for (unsigned i = 0; i < 2; i++) {
			frame_to(&in, beyond(six, VIA_OUT), 50);
			put16(frame_l4(&in) + 2, 2000 + i);
			frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
			pipe_forwards(&f.p, &in, 1);
		}
		pipe_route(&f.p, net, six ? 48 : 16,
			   neigh_lookup(f.p.neigh, &f.p.nht, 2, &gateway[1]));
		pipe_forwards(&f.p, &in, 1); /* not published */
		f.p.nht.generation++;
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		pipe_drops(&f.p, &in, DROP_FILTER_RULE);
		put16(frame_l4(&in) + 2, 2000);
		frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
		pipe_forwards(&f.p, &in, 2);
		pipe_forwards(&f.p, &in, 2);
		pipe_route(&f.p, net, six ? 48 : 16,
			   neigh_lookup(f.p.neigh, &f.p.nht, 1, &gateway[0]));
		f.p.nht.generation++;
		pipe_forwards(&f.p, &in, 1);
		put16(frame_l4(&in) + 2, 2001);
		frame_checksum(&in, six ? 40 : 20, IPPROTO_UDP);
		pipe_forwards(&f.p, &in, 1);
		assert_int_equal(flows_stats(&f).made, 2);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_to),	     cmocka_unit_test(test_set_of_fields),
		cmocka_unit_test(test_log),	     cmocka_unit_test(test_log_full),
		cmocka_unit_test(test_mss),	     cmocka_unit_test(test_mss_pmtu),
		cmocka_unit_test(test_mtu_of_route), cmocka_unit_test(test_mss_malformed),
		cmocka_unit_test(test_route_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
