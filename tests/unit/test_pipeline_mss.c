/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSS that TCP announces, clamped by interface (mss-clamp, requirement F20): on the way in and
 * on the way out, with connection tracking and without it.
 */
#include "tests/unit/pipe_talk.h"

/* The interface clamps; 0: no more. */
static void clamp(struct pipe *p, unsigned iface, unsigned mss)
{
	uint64_t bit = 1ull << p->cfg->iface[iface].port;

	p->cfg->iface[iface].mss = (uint16_t)mss;
	p->cfg->guarded = mss ? p->cfg->guarded | bit : p->cfg->guarded & ~bit;
	p->cfg->clamped = p->cfg->guarded;
}

static void set_mtu(struct pipe *p, unsigned iface, unsigned mtu)
{
	p->cfg->iface[iface].mtu = (uint16_t)mtu;
	pipe_learn(p, iface, on_link(false, iface, 2), NH_RESOLVED, 0);
	pipe_learn(p, iface, on_link(true, iface, 2), NH_RESOLVED, 0);
}

/* The MSS option, with this value, begins at byte `at` of 12 bytes of options. */
static void segment(const struct talk *t, struct frame *f, bool back, unsigned flags, unsigned mss,
		    unsigned at, unsigned data)
{
	uint8_t options[12];

	memset(options, 1, sizeof(options));
	options[at] = 2;
	options[at + 1] = 4;
	put16(options + at + 2, mss);
	talk_tcp_with(t, f, back, flags, back ? 5000 : 1000, flags & ACK ? 1001 : 0, data, options,
		      12);
}

/* Row: a segment that says `from` leaves with `to`. */
static void row(struct pipe *p, const struct talk *t, bool back, unsigned flags, unsigned from,
		unsigned to, unsigned at, unsigned data)
{
	struct frame in, out;

	segment(t, &in, back, flags, from, at, data);
	segment(t, &out, back, flags, to, at, data);
	pipe_forwards_as(p, &in, &out, back ? t->a : t->b);
}

/* A handshake: what the SYN says, and the answer, and what they become. */
static void handshake(struct pipe *p, struct talk *t, unsigned says, unsigned becomes)
{
	t->sport++;
	row(p, t, false, SYN, says, becomes, 0, 0);
	row(p, t, false, SYN, says, becomes, 0, 0); /* again, of a known flow */
	row(p, t, true, SYN | ACK, says, becomes, 0, 0);
}

/* Without connection tracking and with it, for both families. */
static void each_way(void (*test)(struct pipe *p, struct talk *t))
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	for (unsigned i = 0; i < 4; i++) {
		flows_open(&f, "conntrack: {profile: linux}\n");
		if (i / 2)
			f.p.w->policy = NULL;
		test(&f.p, &t[i % 2]);
		f.p.w->policy = f.policy;
		flows_close(&f);
	}
}

/* By the interface it comes by, the one it leaves by, or both. */
static void where_for(struct pipe *p, struct talk *c)
{
	handshake(p, c, 1460, 1460);
	clamp(p, 0, 1200);
	handshake(p, c, 1460, 1200);
	clamp(p, 1, 1300);
	handshake(p, c, 1460, 1200);
	clamp(p, 0, 0);
	handshake(p, c, 1460, 1300);
	clamp(p, 1, 0);
	clamp(p, 2, 1200); /* another's */
	handshake(p, c, 1460, 1460);
	clamp(p, VLAN100, 1200); /* on the same port, but not it */
	handshake(p, c, 1460, 1460);
	c->b = 2;
	handshake(p, c, 1460, 1200);
	c->b = 1;
}

static void test_where(void **state)
{
	(void)state;
	each_way(where_for);
}

/* `pmtu`: what fits the links on both sides, whichever of them asks for it. */
static void pmtu_for(struct pipe *p, struct talk *c)
{
	unsigned headers = c->six ? 60 : 40;

	clamp(p, 0, CONF_MSS_PMTU);
	handshake(p, c, 9000, 1500 - headers);
	set_mtu(p, 1, 1400);
	handshake(p, c, 1460, 1400 - headers);
	set_mtu(p, 0, 1300);
	handshake(p, c, 1460, 1300 - headers);
	clamp(p, 1, 1250);
	handshake(p, c, 1460, c->six ? 1240 : 1250); /* the lower of both wishes */
	clamp(p, 1, CONF_MSS_PMTU);
	clamp(p, 0, 0);
	handshake(p, c, 1460, 1300 - headers);
	set_mtu(p, 1, 1000); /* no link of IPv6 is so small */
	handshake(p, c, 1460, c->six ? 1220 : 960);
}

static void test_pmtu(void **state)
{
	(void)state;
	each_way(pmtu_for);
}

/* SYNs only; lowered, never raised; at any place; none is added; with data, and a length that is
 * odd. */
static void what_for(struct pipe *p, struct talk *c)
{
	struct frame in;

	for (unsigned iface = 0; iface < 2; iface++) {
		clamp(p, iface, 1200);
		for (unsigned at = 0; at < 9; at++) {
			c->sport++;
			row(p, c, false, SYN, 1460, 1200, at, 0);
			row(p, c, true, SYN | ACK, 65535, 1200, at, 0);
			c->sport++;
			row(p, c, false, SYN, 1200, 1200, at, 100); /* TFO */
			row(p, c, true, SYN | ACK, 536, 536, at, 0);
			c->sport++;
			row(p, c, false, SYN, 1201, 1200, at, 101);
			row(p, c, true, SYN | ACK, 0, 0, at, 0);
		}
		row(p, c, false, ACK, 1460, 1460, 0, 0);
		c->sport++;
		talk_tcp_with(c, &in, false, SYN, 1000, 0, 0, NULL, 0);
		pipe_forwards(p, &in, c->b);
		clamp(p, iface, 0);
	}
}

static void test_what(void **state)
{
	(void)state;
	each_way(what_for);
}

/* Options that run over, have no length, or end before: left as they are. */
static void malformed_for(struct pipe *p, struct talk *c)
{
	static const uint8_t options[][8] = {
		{ 2, 3, 5, 180, 1, 1, 1, 1 }, { 2, 0, 5, 180, 1, 1, 1, 1 },
		{ 2, 1, 5, 180, 1, 1, 1, 1 }, { 0, 2, 4, 5, 180, 1, 1, 1 },
		{ 3, 9, 2, 4, 5, 180, 1, 1 }, { 1, 1, 1, 1, 1, 2, 4, 5 },
		{ 1, 1, 1, 1, 1, 1, 1, 2 },   { 8, 0, 2, 4, 5, 180, 1, 1 },
	};
	struct frame in;

	clamp(p, 0, 1200);
	clamp(p, 1, 1200);
	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		c->sport++;
		talk_tcp_with(c, &in, false, SYN, 1000, 0, 0, options[i], 8);
		pipe_forwards(p, &in, c->b);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	each_way(malformed_for);
}

/* No tracking would let a packet through whose TCP header is not all there. */
static void test_cut(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame in, whole;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	clamp(&p, 0, 1200);
	clamp(&p, 1, 1200);
	for (unsigned six = 0; six < 2; six++) {
		segment(&t[six], &whole, false, SYN, 1460, 4, 0);
		for (unsigned left = 0; left < 32; left++) {
			in = whole;
			in.len = in.l3 + (six ? 40 : 20) + left;
			if (six) {
				frame_ip6(&in)->plen = htons((uint16_t)left);
			} else {
				frame_ip4(&in)->len = htons((uint16_t)(20 + left));
				frame_sum4(&in);
			}
			pipe_forwards(&p, &in, 1);
		}
	}
	pipe_close(&p);
}

/* Behind options of IPv4 and extension headers of IPv6, and on a first fragment. */
static void test_hidden(void **state)
{
	static const uint8_t nops[4] = { 1, 1, 1, 1 }, pad[8] = { 0, 0, 1, 4 };
	static const uint8_t first[8] = { 0, 0, 0, 1, 1, 2, 3, 4 };
	struct talk t[] = { TALK4, TALK6 };
	struct frame in, out;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned iface = 0; iface < 2; iface++) {
		clamp(&p, iface, 1200);
		segment(&t[0], &in, false, SYN, 1460, 3, 8);
		segment(&t[0], &out, false, SYN, 1200, 3, 8);
		frame_options(&in, nops, 4);
		frame_options(&out, nops, 4);
		pipe_forwards_as(&p, &in, &out, 1);
		frame_ip4(&in)->frag = frame_ip4(&out)->frag = htons(IP4_MF);
		frame_sum4(&in);
		pipe_forwards_as(&p, &in, &out, 1);
		frame_ip4(&in)->frag = htons(2); /* only looks like one */
		frame_sum4(&in);
		pipe_forwards(&p, &in, 1);
		segment(&t[1], &in, false, SYN, 1460, 3, 8);
		segment(&t[1], &out, false, SYN, 1200, 3, 8);
		frame_extension(&in, 44, first, 8);
		frame_extension(&out, 44, first, 8);
		pipe_forwards_as(&p, &in, &out, 1);
		frame_extension(&in, 0, pad, 8);
		frame_extension(&out, 0, pad, 8);
		pipe_forwards_as(&p, &in, &out, 1);
		clamp(&p, iface, 0);
	}
	pipe_close(&p);
}

/* What waits for its neighbour is clamped when it goes; who is refused reads what it sent. */
static void test_waits_and_refused(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame in, out, want;
	struct nh *link;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	clamp(&p, 0, 1200);
	for (unsigned six = 0; six < 2; six++) {
		struct addr host = on_link(six, 1, 2);

		pipe_learn(&p, 1, host, NH_UNRESOLVED, 0);
		segment(&t[six], &in, false, SYN, 1460, 1, 0);
		segment(&t[six], &out, false, SYN, 1200, 1, 0);
		pipe_receive(&p, &in);
		pipe_turn(&p);
		pipe_quiet(&p);
		pipe_learn(&p, 1, host, NH_RESOLVED, 0);
		frame_forwarded(&want, &out, 1, 2);
		pipe_turn(&p);
		expect_frame(&p, want.port, &want);
		/* pmtu is that of the route, too, which the neighbour does not know */
		link = p.nht.slot[fib_get(six ? p.fib6 : p.fib4, on_link(six, 1, 0).bytes,
					  six ? 64 : 24)];
		link->mtu = 1300;
		clamp(&p, 0, CONF_MSS_PMTU);
		row(&p, &t[six], false, SYN, 1460, six ? 1240 : 1260, 1, 0);
		link->mtu = 1500;
		clamp(&p, 0, 1200);
		set_mtu(&p, 1, 1280);
		segment(&t[six], &in, false, SYN, 1460, 1, 1300); /* TFO */
		if (!six) {
			frame_ip4(&in)->frag = htons(IP4_DF);
			frame_sum4(&in);
		}
		pipe_answers(&p, &in, DROP_TOO_BIG, six ? 2 : 3, six ? 0 : 4, 1280);
		set_mtu(&p, 1, 1500);
	}
	pipe_close(&p);
}

/* A SYN with data that is cut: its first fragment is clamped, the data of others is not. */
static void test_fragmented(void **state)
{
	struct frame in, out, first, second;
	struct talk t = TALK4;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned iface = 0; iface < 2; iface++) {
		set_mtu(&p, 1, 576);
		clamp(&p, iface, 500);
		segment(&t, &in, false, SYN, 1460, 1, 600);
		segment(&t, &out, false, SYN, 500, 1, 600);
		pipe_receive(&p, &in);
		pipe_turn(&p);
		assert_true(pipe_sent(&p, 1, &first));
		assert_true(pipe_sent(&p, 1, &second));
		pipe_quiet(&p);
		assert_int_equal(first.len, 14 + 572);
		assert_memory_equal(first.b + 34, out.b + 34, 552);
		assert_memory_equal(second.b + 34, out.b + 34 + 552, out.len - 34 - 552);
		clamp(&p, iface, 0);
	}
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_pmtu),
		cmocka_unit_test(test_what),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_waits_and_refused),
		cmocka_unit_test(test_fragmented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
