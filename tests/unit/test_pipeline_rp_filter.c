/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rp-filter in the packet path (requirement F5): who is dropped, by which interface, in a burst
 * with others, with connection tracking and without it. What routes say is in test_state_feasible.
 */
#include "tests/unit/pipe_talk.h"

static void filter(struct pipe *p, unsigned iface, enum conf_rp_filter how)
{
	p->cfg->iface[iface].rp_filter = (uint8_t)how;
	p->cfg->guarded |= 1ull << p->cfg->iface[iface].port;
}

static void from(struct frame *f, struct addr src)
{
	bool six = src.family == AF_INET6;

	(six ? frame6 : frame4)(f, src, beyond(six, VIA_OUT), IPPROTO_UDP, 40);
}

/* Sources of every kind of route, received by interface 0; it leads back there, elsewhere, or
 * nowhere. */
static void test_sources(void **state)
{
	static const struct {
		enum pipe_kind kind;
		bool loose;
	} rows[] = {
		{ VIA_OUT, true },	   { VIA_VLAN, true },	   { VIA_DARK, true },
		{ VIA_FAILED, true },	   { VIA_GROUP, true },	   { TO_FOREIGN, true },
		{ TO_DOWN, true },	   { TO_NOWHERE, false },  { TO_BLACKHOLE, false },
		{ TO_UNREACHABLE, false }, { TO_PROHIBIT, false }, { TO_THROW, false },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		from(&f, beyond(i % 2, rows[i / 2].kind));
		pipe_forwards(&p, &f, 1);
		filter(&p, 0, CONF_RP_STRICT);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		filter(&p, 0, CONF_RP_FEASIBLE);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		filter(&p, 0, CONF_RP_LOOSE);
		if (rows[i / 2].loose)
			pipe_forwards(&p, &f, 1);
		else
			pipe_drops(&p, &f, DROP_RP_FILTER);
		from(&f, on_link(i % 2, 0, 2));
		filter(&p, 0, CONF_RP_STRICT);
		pipe_forwards(&p, &f, 1);
		filter(&p, 0, CONF_RP_OFF);
	}
	pipe_close(&p);
}

/* One whose sender is told. */
static void bad_option(struct frame *f)
{
	static const uint8_t wrong[4] = { 222 }, unknown[8] = { 0, 0, 0x82, 4 };

	if (f->b[f->l3] >> 4 == 6)
		frame_extension(f, 0, unknown, sizeof(unknown));
	else
		frame_options(f, wrong, sizeof(wrong));
}

/* Before everything that answers: who is forged is not told of a TTL, a length, an option or a
 * route. A link-local source is told that it goes nowhere. */
static void test_first(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	filter(&p, 0, CONF_RP_STRICT);
	for (unsigned six = 0; six < 2; six++) {
		struct addr forged = beyond(six, VIA_VLAN);

		from(&f, forged);
		frame_ttl(&f, 1);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		(six ? frame6 : frame4)(&f, forged, beyond(six, TO_NOWHERE), IPPROTO_UDP, 40);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		(six ? frame6 : frame4)(&f, forged, beyond(six, VIA_OUT), IPPROTO_UDP, 1600);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		from(&f, forged);
		bad_option(&f);
		pipe_drops(&p, &f, DROP_RP_FILTER);
		from(&f, on_link(six, 0, 2));
		bad_option(&f);
		if (six)
			pipe_answers(&p, &f, DROP_IP6_OPTIONS, 4, 2, 42);
		else
			pipe_answers(&p, &f, DROP_IP4_OPTIONS, 12, 0, 20u << 24);
	}
	pipe_learn(&p, 0, link_local(0, 2), NH_RESOLVED, 0);
	from(&f, link_local(0, 2));
	pipe_answers_as(&p, &f, DROP_SCOPE, &(struct error){ 1, 2, 0, link_local(0, 1), 0, 0 });
	pipe_close(&p);
}

/* A VLAN asks, the port it is on does not; and the other way round. */
static void test_vlan(void **state)
{
	struct frame tagged, plain;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned six = 0; six < 2; six++) {
		from(&plain, beyond(six, VIA_QINQ));
		plain.port = plain.b[5] = 1;
		tagged = plain;
		frame_tag(&tagged, 0x8100, 100);
		filter(&p, VLAN100, CONF_RP_STRICT);
		filter(&p, 1, CONF_RP_OFF);
		pipe_drops(&p, &tagged, DROP_RP_FILTER);
		pipe_forwards(&p, &plain, 1);
		filter(&p, VLAN100, CONF_RP_OFF);
		filter(&p, 1, CONF_RP_STRICT);
		pipe_drops(&p, &plain, DROP_RP_FILTER);
		pipe_forwards(&p, &tagged, 1);
		from(&tagged, on_link(six, VLAN100, 2));
		tagged.port = tagged.b[5] = 1;
		frame_tag(&tagged, 0x8100, 100);
		filter(&p, VLAN100, CONF_RP_STRICT);
		pipe_forwards(&p, &tagged, 1);
	}
	pipe_close(&p);
}

/* Good and forged ones, of both families, mixed in one burst: the good leave, in their order. */
static void test_burst(void **state)
{
	struct frame f[24], want;
	unsigned forged = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	filter(&p, 0, CONF_RP_STRICT);
	for (unsigned i = 0; i < 24; i++) {
		bool six = i >= 12, bad = i % 3 == 1 || i % 7 == 2;

		from(&f[i], bad ? beyond(six, VIA_VLAN) : on_link(six, 0, 2));
		f[i].b[f[i].l3 + (six ? 40 : 20)] = (uint8_t)i; /* its port says which it is */
		forged += bad;
		pipe_receive(&p, &f[i]);
	}
	pipe_turn(&p);
	for (unsigned i = 0; i < 24; i++) {
		if (i % 3 == 1 || i % 7 == 2)
			continue;
		frame_forwarded(&want, &f[i], 1, 2);
		expect_frame(&p, 1, &want);
	}
	pipe_quiet(&p);
	assert_int_equal(p.w->count->drop[DROP_RP_FILTER], forged);
	pipe_close(&p);
}

/* It makes no flow, and its answer none; who is who he says has both. A fragment is like any. */
static void test_flows(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;
	struct frame in;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		flows_open(&f, "conntrack: {profile: linux}\n");
		filter(&f.p, 0, CONF_RP_STRICT);
		filter(&f.p, 1, CONF_RP_STRICT);
		from(&in, beyond(six, VIA_VLAN));
		pipe_drops(&f.p, &in, DROP_RP_FILTER);
		if (!six) {
			frame_ip4(&in)->frag = htons(IP4_MF);
			frame_sum4(&in);
			pipe_drops(&f.p, &in, DROP_RP_FILTER);
		}
		assert_int_equal(flows_stats(&f).live, 0);
		udp_passes(&f, &t[six], false);
		udp_passes(&f, &t[six], true);
		assert_int_equal(flows_stats(&f).live, 1);
		/* a packet of the same flow by another interface is forged */
		talk_udp(&t[six], &in, false, 20);
		in.port = in.b[5] = 2;
		filter(&f.p, 2, CONF_RP_STRICT);
		pipe_drops(&f.p, &in, DROP_RP_FILTER);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources), cmocka_unit_test(test_first),
		cmocka_unit_test(test_vlan),	cmocka_unit_test(test_burst),
		cmocka_unit_test(test_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
