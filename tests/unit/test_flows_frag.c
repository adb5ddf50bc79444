/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments in the packet path: each goes on as it came, judged by the ports of its datagram, in
 * whatever order they come. Requirements U14, C29, G26; the table of datagrams by itself is tested
 * in test_frag.c.
 */
#include "tests/unit/pipe_talk.h"

/* ---- fragments of a frame */

/* Bytes `at` to `at` + `len` of what `whole` carries, of datagram `id`. */
static void cut(struct frame *f, const struct frame *whole, unsigned id, unsigned at, unsigned len)
{
	struct frame in = *whole;
	unsigned hlen = in.b[in.l3] >> 4 == 6 ? 40 : 20, all = frame_l3_len(&in) - hlen;
	bool more = at + len < all;

	assert_true(at + len <= all);
	*f = in;
	memcpy(f->b + f->l3 + hlen, in.b + in.l3 + hlen + at, len);
	f->len = f->l3 + hlen + len;
	if (hlen == 20) {
		frame_ip4(f)->len = htons((uint16_t)(20 + len));
		frame_ip4(f)->id = htons((uint16_t)id);
		frame_ip4(f)->frag = htons((uint16_t)(at / 8 | (more ? IP4_MF : 0)));
		frame_sum4(f);
	} else {
		uint8_t h[8] = { 0 };

		put16(h + 2, at | more);
		put16(h + 6, id);
		frame_ip6(f)->plen = htons((uint16_t)len);
		frame_extension(f, 44, h, 8);
	}
}

#define PARTS 3
/* As three: 400, 400 and the rest of 500 bytes of UDP, ICMP or TCP. */
static void cut_in_three(struct frame part[PARTS], const struct frame *whole, unsigned id)
{
	struct frame in = *whole;
	unsigned all = frame_l3_len(&in) - (in.b[in.l3] >> 4 == 6 ? 40 : 20);

	cut(&part[0], whole, id, 0, 400);
	cut(&part[1], whole, id, 400, 400);
	cut(&part[2], whole, id, 800, all - 800);
}

/* A datagram of t: 0 is UDP, 1 a ping, 2 a SYN with data. */
static void datagram(const struct talk *t, struct frame *f, bool back, unsigned kind)
{
	if (kind == 0)
		talk_udp(t, f, back, 900);
	else if (kind == 1)
		talk_icmp(t, f, back, t->six ? (back ? 129 : 128) : (back ? 0 : 8), 0, 900);
	else
		talk_tcp(t, f, back, back ? SYN | ACK : SYN, back ? 5000 : 1000, back ? 1901 : 0,
			 900);
}

/* ---- rows */

static uint32_t held(const struct pipe_flows *f)
{
	return frags_held(f->st->frags);
}

static void receive(struct pipe_flows *f, const struct frame *in)
{
	pipe_receive(&f->p, in);
	worker_turn(f->p.w, f->p.now);
	flows_check(f);
}

static void expect_forwarded(struct pipe_flows *f, const struct talk *t, bool back,
			     struct frame *in)
{
	struct frame want;

	frame_forwarded(&want, in, back ? t->a : t->b, 2);
	expect_frame(&f->p, want.port, &want);
}

static void part_passes(struct pipe_flows *f, const struct talk *t, bool back, struct frame *in)
{
	uint64_t drops = pipe_drops_all(&f->p);

	receive(f, in);
	expect_forwarded(f, t, back, in);
	pipe_quiet(&f->p);
	assert_int_equal(pipe_drops_all(&f->p), drops);
}

static void part_waits(struct pipe_flows *f, const struct frame *in)
{
	uint64_t drops = pipe_drops_all(&f->p);
	uint32_t before = held(f);

	receive(f, in);
	pipe_quiet(&f->p);
	assert_int_equal(pipe_drops_all(&f->p), drops);
	assert_int_equal(held(f), before + 1);
}

static void part_drops(struct pipe_flows *f, const struct frame *in, enum drop_reason why)
{
	uint64_t before[DROP__COUNT];

	memcpy(before, f->p.w->count->drop, sizeof(before));
	receive(f, in);
	pipe_quiet(&f->p);
	expect_one_drop(&f->p, before, why);
}

/* ---- U14: every order */

static void test_orders(void **state)
{
	static const uint8_t order[6][PARTS] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						 { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;
	unsigned id = 0;

	(void)state;
	flows_open(
		&f,
		"filter: {c: {hook: forward, policy: drop, rules: [\n"
		"  {proto: [udp, tcp], dport: 80, in: p0, action: accept},\n"
		"  {icmp: echo-request, action: accept}, {icmpv6: echo-request, action: accept},\n"
		"  {proto: [udp, tcp], sport: 80, ct: established, action: accept},\n"
		"  {proto: [icmp, icmpv6], ct: established, action: accept}]}}\n");
	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned i = 0; i < 24; i++) {
			const uint8_t *o = order[i / 4];
			const struct talk *c = &t[i % 2];
			bool back = i / 2 % 2, gone[PARTS] = { false };

			if (back && kind < 2 && i < 4) {
				datagram(c, &whole, false, kind);
				passes(&f, c, false, &whole);
			}
			datagram(c, &whole, back, kind);
			cut_in_three(part, &whole, ++id);
			for (unsigned k = 0; k < PARTS; k++) {
				if (o[k] && !gone[0]) {
					part_waits(&f, &part[o[k]]);
					continue;
				}
				receive(&f, &part[o[k]]);
				gone[o[k]] = true;
				expect_forwarded(&f, c, back, &part[o[k]]);
				for (unsigned w = 1; w < PARTS && !o[k]; w++)
					for (unsigned b = 0; b < k; b++)
						if (o[b] == w)
							expect_forwarded(&f, c, back, &part[w]);
				pipe_quiet(&f.p);
			}
			assert_int_equal(held(&f), 0);
		}
	assert_int_equal(pipe_drops_all(&f.p), 0);
	assert_int_equal(live(&f), 6);
	flows_close(&f);
}

/* Each fragment is a packet of its flow (C21). */
static void test_counted(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {}\n");
		for (unsigned i = 0; i < 4; i++) {
			datagram(&t[six], &whole, i % 2, 0);
			cut_in_three(part, &whole, i);
			for (unsigned k = 0; k < PARTS; k++)
				part_passes(&f, &t[six], i % 2, &part[k]);
		}
		for (unsigned d = 0; d < 2; d++) {
			assert_int_equal(the_half(&f, d)->packets, 6);
			assert_int_equal(the_half(&f, d)->bytes, 2 * (908 + 3 * (six ? 48 : 20)));
		}
		flows_close(&f);
	}
}

/* ---- what rules refuse */

/* The first of the datagram decides; what comes later, or waited, has no way. */
static void test_refused(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		uint64_t drops;

		flows_open(&f, "filter: {c: {hook: forward, rules: [\n"
			       "  {proto: udp, dport: 80, action: drop}]}}\n");
		datagram(&t[six], &whole, false, 0);
		cut_in_three(part, &whole, 1);
		part_drops(&f, &part[0], DROP_FILTER_RULE);
		part_drops(&f, &part[1], DROP_FRAG_REFUSED);
		part_drops(&f, &part[2], DROP_FRAG_REFUSED);
		cut_in_three(part, &whole, 2);
		part_waits(&f, &part[2]);
		part_waits(&f, &part[1]);
		drops = f.p.w->count->drop[DROP_FRAG_REFUSED];
		receive(&f, &part[0]);
		pipe_quiet(&f.p);
		assert_int_equal(f.p.w->count->drop[DROP_FRAG_REFUSED], drops + 2);
		assert_int_equal(f.p.w->count->drop[DROP_FILTER_RULE], 2);
		assert_int_equal(held(&f), 0);
		assert_int_equal(live(&f), 0);
		/* told once: about the first */
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [\n"
					   "  {proto: udp, dport: 80, action: reject}]}}\n"));
		cut_in_three(part, &whole, 3);
		pipe_answers(&f.p, &part[0], DROP_FILTER_REJECT, six ? 1 : 3, six ? 4 : 3, 0);
		part_drops(&f, &part[1], DROP_FRAG_REFUSED);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* A flow that rules refuse by now, and what is not tracked: the first fragment's fate is that of
 * all, and nobody asks the rules about the others. */
static void test_refused_once(void **state)
{
	static const char *const config[] = {
		"filter: {c: {hook: forward, rules: [{proto: udp, dport: 80, action: drop}]}}\n",
		"filter: {r: {hook: prerouting, priority: raw, rules: [{action: notrack}]},\n"
		"         c: {hook: forward, rules: [{proto: udp, dport: 80, action: drop}]}}\n",
	};
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct frag_stats stats;
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		flows_open(&f, "conntrack: {}\n");
		datagram(&t[i / 2], &whole, false, 0);
		passes(&f, &t[i / 2], false, &whole);
		assert_true(flows_load(&f, config[i % 2]));
		cut_in_three(part, &whole, 1);
		part_drops(&f, &part[0], DROP_FILTER_RULE);
		part_drops(&f, &part[2], DROP_FRAG_REFUSED);
		part_drops(&f, &part[1], DROP_FRAG_REFUSED);
		cut_in_three(part, &whole, 2);
		part_waits(&f, &part[2]);
		part_waits(&f, &part[1]);
		receive(&f, &part[0]);
		pipe_quiet(&f.p);
		assert_int_equal(f.p.w->count->drop[DROP_FRAG_REFUSED], 4);
		assert_int_equal(f.p.w->count->drop[DROP_FILTER_RULE], 2);
		frags_stats(f.st->frags, &stats);
		assert_int_equal(stats.datagrams, 0); /* complete: no share of the source's */
		assert_int_equal(stats.held, 0);
		flows_close(&f);
	}
}

/* Rules that came between two fragments hold for the second: it is judged by the ports it has. */
static void test_reload(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {}\n");
		datagram(&t[six], &whole, false, 0);
		cut_in_three(part, &whole, 1);
		part_passes(&f, &t[six], false, &part[0]);
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [\n"
					   "  {proto: udp, dport: 80, action: drop}]}}\n"));
		part_drops(&f, &part[1], DROP_FILTER_RULE);
		part_drops(&f, &part[1], DROP_FRAG_OVERLAP); /* once more the same */
		assert_true(flows_load(&f, "filter: {c: {hook: forward, rules: [\n"
					   "  {fragment: true, action: drop}]}}\n"));
		part_drops(&f, &part[2], DROP_FILTER_RULE);
		cut_in_three(part, &whole, 2);
		part_passes(&f, &t[six], false, &part[0]);
		part_drops(&f, &part[1], DROP_FILTER_RULE);
		passes(&f, &t[six], false, &whole);
		flows_close(&f);
	}
}

static void test_notrack(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "filter:\n"
			       "  raw: {hook: prerouting, priority: raw, rules: [\n"
			       "    {proto: udp, dport: 80, action: notrack}]}\n"
			       "  c: {hook: forward, policy: drop, rules: [\n"
			       "    {ct: untracked, proto: udp, dport: 80, action: accept}]}\n");
		datagram(&t[six], &whole, false, 0);
		cut_in_three(part, &whole, 1);
		part_waits(&f, &part[1]);
		receive(&f, &part[0]);
		expect_forwarded(&f, &t[six], false, &part[0]);
		expect_forwarded(&f, &t[six], false, &part[1]);
		part_passes(&f, &t[six], false, &part[2]);
		assert_int_equal(live(&f), 0);
		flows_close(&f);
	}
}

/* ---- what is not to be trusted */

static void test_malformed(void **state)
{
	static const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part;
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {}\n");
		talk_tcp(&t[six], &whole, false, SYN, 1000, 0, 400);
		cut(&part, &whole, 1, 0, 16); /* RFC 1858: without TCP's flags */
		part_drops(&f, &part, DROP_FRAG_TINY);
		cut(&part, &whole, 1, 16, 400); /* its datagram is condemned */
		part_drops(&f, &part, DROP_FRAG_TINY);
		talk_udp(&t[six], &whole, false, 400);
		cut(&part, &whole, 2, 0, 80);
		part_passes(&f, &t[six], false, &part);
		cut(&part, &whole, 2, 72, 80); /* RFC 5722 */
		part_drops(&f, &part, DROP_FRAG_OVERLAP);
		cut(&part, &whole, 2, 152, 256);
		part_drops(&f, &part, DROP_FRAG_OVERLAP);
		if (six) { /* RFC 7112: the chain goes on in the next fragment */
			talk_udp(&t[six], &whole, false, 400);
			frame_extension(&whole, 60, pad, 8);
			cut(&part, &whole, 3, 0, 8);
			part_drops(&f, &part, DROP_FRAG_TINY);
			cut(&part, &whole, 4, 0, 80);
			part_passes(&f, &t[six], false, &part);
		}
		assert_int_equal(live(&f), 1);
		flows_close(&f);
	}
}

/* What waits for a first fragment that does not come is given up in time. */
static void test_timeout(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {timeouts: {fragment: 5s}}\n");
		datagram(&t[six], &whole, false, 0);
		cut_in_three(part, &whole, 1);
		part_waits(&f, &part[1]);
		part_waits(&f, &part[2]);
		f.p.now += 6 * NSEC_PER_SEC;
		for (unsigned i = 0; i < 70; i++) { /* a part of the table at a time */
			f.p.now += FRAG_SWEEP;
			worker_turn(f.p.w, f.p.now);
		}
		assert_int_equal(held(&f), 0);
		assert_int_equal(f.p.w->count->drop[DROP_FRAG_TIMEOUT], 2);
		flows_check(&f);
		part_passes(&f, &t[six], false, &part[0]); /* begins anew */
		part_passes(&f, &t[six], false, &part[1]);
		flows_close(&f);
	}
}

/* U14a: a flood of fragments without a first hurts fragments at most; all books balance. */
static void test_flood(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct frame whole, part[PARTS];
	struct pipe_flows f;
	uint64_t dropped;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {fragments-per-source: 32}\n");
		tcp_opens(&f, &t[six]);
		datagram(&t[six], &whole, false, 0);
		for (unsigned i = 0; i < 300; i++) {
			cut_in_three(part, &whole, i);
			receive(&f, &part[1 + i % 2]);
			pipe_quiet(&f.p);
			tcp_passes(&f, &t[six], false, ACK, 1001 + i, 5001, 1);
			tcp_passes(&f, &t[six], true, ACK, 5001, 1002 + i, 0);
		}
		dropped = f.p.w->count->drop[DROP_FRAG_LIMIT];
		assert_int_equal(dropped + held(&f), 300);
		assert_int_equal(held(&f), 32);
		/* another source's datagrams go on */
		datagram(&t[six], &whole, true, 0);
		cut_in_three(part, &whole, 1);
		for (unsigned k = 0; k < PARTS; k++)
			part_passes(&f, &t[six], true, &part[k]);
		flows_wait_s(&f, 31);
		for (unsigned i = 0; i < 70; i++) {
			f.p.now += FRAG_SWEEP;
			worker_turn(f.p.w, f.p.now);
		}
		assert_int_equal(held(&f), 0);
		flows_close(&f);
	}
}

/* A zone's fragments are its own. */
static void test_zones(void **state)
{
	struct talk t = TALK4;
	struct frame whole, part[PARTS];
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	f.p.cfg->iface[2].zone = 7;
	datagram(&t, &whole, false, 0);
	cut_in_three(part, &whole, 1);
	part_passes(&f, &t, false, &part[0]);
	part[1].port = 2;
	part[1].b[5] = 2;
	part_waits(&f, &part[1]);
	part[1].port = 0;
	part[1].b[5] = 0;
	part_passes(&f, &t, false, &part[1]);
	flows_wait_s(&f, 31);
	for (unsigned i = 0; i < 70; i++) {
		f.p.now += FRAG_SWEEP;
		worker_turn(f.p.w, f.p.now);
	}
	flows_close(&f);
}

/* The router stops while a fragment waits: its frame goes with the packet memory. */
static void test_stop(void **state)
{
	static struct pipe_flows f;
	struct frame whole, part[PARTS];
	struct talk t = TALK4;

	(void)state;
	flows_open(&f, "conntrack: {}\n");
	datagram(&t, &whole, false, 0);
	cut_in_three(part, &whole, 1);
	part_waits(&f, &part[1]);
	f.p.w->policy = NULL;
	f.p.w->st = NULL;
	f.p.w->dp.st = NULL;
	policy_destroy(f.policy);
	stateful_destroy(f.st, NULL, NULL);
	conf_destroy(f.conf);
	names_fini(&f.names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),	  cmocka_unit_test(test_counted),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_refused_once),
		cmocka_unit_test(test_reload),	  cmocka_unit_test(test_notrack),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_flood),	  cmocka_unit_test(test_zones),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
