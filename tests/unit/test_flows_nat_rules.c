/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path: forwards (X2), static pairs, protocols without ports (X5), rules that
 * come and go (X8), and what else is done to translated packets: DSCP, MSS.
 */
#include "tests/unit/pipe_nat.h"

static struct packet syn(struct addr src, unsigned sport, struct addr dst, unsigned dport)
{
	return tcp(src, sport, dst, dport, SYN, 1000, 0);
}

/* From outside, and the answer to it. */
static void in_and_back(struct pipe_flows *f, const struct packet *in, unsigned to,
			const struct packet *want)
{
	struct packet answered = answer(want), heard = answer(in);

	if (in->proto == IPPROTO_TCP) {
		answered.tcp = heard.tcp = SYN | ACK;
		answered.ack = heard.ack = in->seq + 1;
	}
	passes(f, OUTSIDE, in, to, want);
	passes(f, to, &answered, OUTSIDE, &heard);
}

/* ---- forwards */

#define FORWARDS(www, game, external)                                                              \
	ROUTES "nat:\n"                                                                            \
	       "  source: [{name: home, from: " NET_INSIDE ", out: p1, action: masquerade}]\n"     \
	       "  destination:\n"                                                                  \
	       "    - {name: not, in: p1, from: [172.16.0.66, '2001:db8:10::42'], action: none}\n" \
	       "    - {name: www, in: p1, proto: tcp, dport: [80, 443], to: " www "}\n"            \
	       "    - {name: alt, in: p1, proto: tcp, dport: 8080, to: " www ", to-port: 80}\n"    \
	       "    - {name: game, in: p1, address: " external ", proto: udp, "                    \
	       "dport: 27000-27100, to: " game ", to-port: 37000-37100}\n"                         \
	       "    - {name: own, in: p0, proto: udp, dport: 53, action: redirect}\n"

static const char *const forwards[] = { FORWARDS("10.0.0.3", "10.0.2.4", "203.0.113.9"),
					FORWARDS("'2001:db8::3'", "'2001:db8:2::4'",
						 "'2001:db8:cb::9'") };

/* X2: a port stays what it was unless a rule says otherwise; of a range each keeps its place. */
static void forward_x2(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k, want;

		nat_open(&f, forwards[six]);
		k = syn(server(six, 1), 5000, router(six), 443);
		want = syn(server(six, 1), 5000, inside(six, 3), 443);
		in_and_back(&f, &k, INSIDE, &want);
		k = syn(server(six, 1), 5001, router(six), 8080);
		want = syn(server(six, 1), 5001, inside(six, 3), 80);
		in_and_back(&f, &k, INSIDE, &want);
		for (unsigned port = 27000; port <= 27100; port += 20) {
			k = udp(server(six, 1), 5000, outside(six, 9), port);
			want = udp(server(six, 1), 5000, on_link(six, INSIDE2, 4), 10000 + port);
			in_and_back(&f, &k, INSIDE2, &want);
		}
		k = syn(server(six, 1), 5000, router(six), 81);
		dies(&f, OUTSIDE, &k, DROP_LOCAL);
		k = udp(server(six, 1), 5000, router(six), 443);
		dies(&f, OUTSIDE, &k, DROP_LOCAL);
		k = syn(server(six, 66), 5000, router(six), 443); /* exempt */
		dies(&f, OUTSIDE, &k, DROP_LOCAL);
		k = udp(inside(six, 2), 5000, server(six, 1), 53); /* redirected: for Linux */
		dies(&f, INSIDE, &k, DROP_LOCAL);
		assert_int_equal(flows_ports_taken(&f), 0);
		flows_close(&f);
	}
}

/* I4, I5 of forwards: an error of the target leaves as of the address that was asked. */
static void errors_about_forwards(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(server(six, 1), 5000, outside(six, 9), 27001), got, back;
		struct complaint in, want;

		nat_open(&f, forwards[six]);
		got = udp(server(six, 1), 5000, on_link(six, INSIDE2, 4), 37001);
		passes(&f, OUTSIDE, &k, INSIDE2, &got);
		in = complain(&got, got.dst);
		want = complain(&k, outside(six, 9));
		complaint_passes(&f, INSIDE2, &in, OUTSIDE, &want);
		back = answer(&got);
		got = answer(&k);
		passes(&f, INSIDE2, &back, OUTSIDE, &got);
		in = complain(&got, server(six, 99));
		want = complain(&back, server(six, 99));
		complaint_passes(&f, OUTSIDE, &in, INSIDE2, &want);
		flows_close(&f);
	}
}

/* The sender outside is told about what it sent: TTL, and a target that is not there. */
static void own_errors_about_forwards(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = syn(server(six, 1), 5000, router(six), 80), want;
		struct error e = { six ? 3 : 11, 0, 0, on_link(six, OUTSIDE, 1), OUTSIDE, 0 };
		struct frame in;

		nat_open(&f, forwards[six]);
		k.ttl = 1;
		frame_of(&in, OUTSIDE, &k);
		pipe_answers_as(&f.p, &in, DROP_TTL, &e);
		k.ttl = 64;
		want = syn(server(six, 1), 5000, inside(six, 3), 80);
		passes(&f, OUTSIDE, &k, INSIDE, &want);
		k.ttl = 1;
		frame_of(&in, OUTSIDE, &k);
		pipe_answers_as(&f.p, &in, DROP_TTL, &e);
		flows_close(&f);
	}
}

/* And when the target is not there, or does not take what is so big. */
static void unreachable_targets(void **state)
{
	static const char *const yaml[] = { FORWARDS("172.19.0.77", "10.0.2.4", "203.0.113.9"),
					    FORWARDS("'2001:db8:13::4d'", "'2001:db8:2::4'",
						     "'2001:db8:cb::9'") };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = syn(server(six, 1), 5000, router(six), 80);
		struct error e = {
			six ? 1 : 3, six ? 3 : 1, 0, on_link(six, OUTSIDE, 1), OUTSIDE, 0
		};
		struct addr target = on_link(six, INSIDE2, 4);
		uint64_t before[DROP__COUNT];
		struct frame in;
		uint32_t slot;

		nat_open(&f, yaml[six]);
		frame_of(&in, OUTSIDE, &k);
		pipe_receive(&f.p, &in);
		pipe_turn(&f.p);
		assert_int_equal(f.p.w->dp.nheld, 1);
		memcpy(before, f.p.w->count->drop, sizeof(before));
		f.p.now += 4 * NSEC_PER_SEC; /* nobody answered */
		pipe_turn(&f.p);
		expect_error(&f.p, &in, &e);
		expect_one_drop(&f.p, before, DROP_NEIGH_FAILED);

		slot = neigh_lookup(f.p.neigh, &f.p.nht, INSIDE2, &target);
		f.p.nht.slot[slot]->mtu = 1300;
		k = udp(server(six, 1), 5000, outside(six, 9), 27001);
		k.data = 1320;
		k.df = true;
		e = (struct error){ six ? 2 : 3, six ? 0 : 4,
				    1300,	 on_link(six, OUTSIDE, 1),
				    OUTSIDE,	 0 };
		frame_of(&in, OUTSIDE, &k);
		pipe_answers_as(&f.p, &in, DROP_TOO_BIG, &e);
		flows_close(&f);
	}
}

/* ---- static pairs */

#define STATIC(rule) ROUTES "nat: {static: [" rule "]}\n"
#define ONE4	     "{name: one4, external: 203.0.113.6, internal: 10.0.0.5, in: p1}"
#define ONE6	     "{name: one6, external: '2001:db8:cb::6', internal: '2001:db8::5', in: p1}"
#define NET4	     "{name: net4, external: 203.0.113.64/29, internal: 10.0.2.0/29, in: p1}"
#define ALL_STATIC   STATIC(ONE4 ", " ONE6 ", " NET4)

/* Both directions, ports untouched, whoever begins; nothing is claimed. */
static void static_both_ways(void **state)
{
	struct pipe_flows f;

	(void)state;
	nat_open(&f, ALL_STATIC);
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = syn(server(six, 1), 5000, outside(six, 6), 25), want = k;

		want.dst = inside(six, 5);
		in_and_back(&f, &k, INSIDE, &want);
		k = udp(inside(six, 5), 5353, server(six, 1), 53);
		want = goes_out(&f, &k);
		assert_from(want, outside(six, 6), 5353);
		comes_back(&f, &k, &want);
		k = echo(server(six, 1), outside(six, 6), 8);
		want = echo(server(six, 1), inside(six, 5), 8);
		in_and_back(&f, &k, INSIDE, &want);
		k = udp(inside(six, 4), 5353, server(six, 1), 53); /* not of it */
		passes(&f, INSIDE, &k, OUTSIDE, &k);
	}
	for (unsigned host = 2; host <= 5; host++) {
		struct packet k = udp(server(false, 1), 5000, outside(false, 64 + host), 53);
		struct packet want = k;

		want.dst = on_link(false, INSIDE2, host);
		in_and_back(&f, &k, INSIDE2, &want);
	}
	assert_int_equal(flows_ports_taken(&f), 0);
	flows_close(&f);
}

/* ---- protocols without ports */

/* SCTP, GRE, ESP and what nobody knows: by address alone. X5: nothing tells apart two who speak to
 * one server then, so the second is refused. */
static void without_ports_x5(void **state)
{
	static const uint8_t proto[] = { IPPROTO_GRE, 50, 51, 253, IPPROTO_SCTP };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		nat_open(&f, MASQUERADE(""));
		for (unsigned i = 0; i < 5; i++) {
			struct packet k = opaque(inside(six, 2), server(six, 1), proto[i]), out;

			if (six && proto[i] == 51)
				continue; /* an extension header: of what follows it */
			k.sport = 5000;
			k.dport = 6000;
			out = k;
			out.src = router(six);
			passes(&f, INSIDE, &k, OUTSIDE, &out);
			comes_back(&f, &k, &out);
			k.src = inside(six, 3);
			dies(&f, INSIDE, &k, DROP_NAT_CLASH);
			k.dst = server(six, 2);
			out.dst = server(six, 2);
			passes(&f, INSIDE, &k, OUTSIDE, &out);
		}
		assert_int_equal(flows_ports_taken(&f), 0);
		flows_close(&f);
	}
}

/* With a pool the second gets another address. */
static void without_ports_pool(void **state)
{
	struct packet k = opaque(inside(false, 2), server(false, 1), IPPROTO_GRE), a, b;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, POOL("203.0.113.4-203.0.113.5", ""));
	a = goes_out(&f, &k);
	comes_back(&f, &k, &a);
	for (unsigned host = 3; host <= 4; host++) {
		k.src = inside(false, host);
		if (host == 4) {
			dies(&f, INSIDE, &k, DROP_NAT_CLASH);
			continue;
		}
		b = goes_out(&f, &k);
		assert_false(addr_equal(&a.src, &b.src));
		comes_back(&f, &k, &b);
	}
	flows_close(&f);
}

/* ---- rules come and go: X8 */

/* Flows keep the address and port they have; only new ones ask the new rules. */
static void rules_change_x8(void **state)
{
	struct packet k = udp(inside(false, 2), 5000, server(false, 1), 53), out, later, new;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, POOL("203.0.113.4", ""));
	out = talks(&f, &k);
	assert_from(out, outside(false, 4), 5000);
	assert_true(flows_load(&f, POOL("203.0.113.5", "")));
	new = k;
	new.dst = server(false, 2);
	later = talks(&f, &new);
	assert_from(later, outside(false, 5), 5000);
	later = talks(&f, &k);
	assert_from(later, outside(false, 4), 5000);
	assert_true(flows_load(&f, "nat: {source: [{name: none, action: none}]}\n"));
	later = talks(&f, &k);
	assert_from(later, outside(false, 4), 5000);
	assert_true(flows_load(&f, "conntrack: {}\n")); /* no rules at all */
	later = talks(&f, &k);
	assert_from(later, outside(false, 4), 5000);
	new.dst = server(false, 3);
	passes(&f, INSIDE, &new, OUTSIDE, &new);
	assert_int_equal(flows_ports_taken(&f), 2);
	all_gone_after(&f, 300);
	flows_close(&f);
}

/* A static pair takes its sessions with it, those of both directions and of hairpins; others
 * stay. */
static void static_goes_x8(void **state)
{
	static const char *const left[] = { STATIC(ONE6 ", " NET4), STATIC(ONE4 ", " NET4) };
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet in = syn(server(six, 1), 5000, outside(six, 6), 25), in_want = in;
		struct packet out = udp(inside(six, 5), 53, server(six, 1), 53), other;
		struct packet net = udp(server(false, 1), 5000, outside(false, 66), 53);

		nat_open(&f, ALL_STATIC);
		in_want.dst = inside(six, 5);
		in_and_back(&f, &in, INSIDE, &in_want);
		talks(&f, &out);
		other = net;
		other.dst = on_link(false, INSIDE2, 2);
		in_and_back(&f, &net, INSIDE2, &other);
		for (unsigned i = 0; i < 20; i++) {
			other = udp(inside(six, 4), 6000 + i, server(six, 1), 53);
			passes(&f, INSIDE, &other, OUTSIDE, &other);
		}
		assert_int_equal(live(&f), 23);
		assert_true(flows_load(&f, ALL_STATIC)); /* nothing went */
		for (unsigned i = 0; i < 12; i++)
			flows_grace(&f);
		assert_int_equal(live(&f), 23);
		assert_true(flows_load(&f, left[six]));
		for (unsigned i = 0; i < 12; i++)
			flows_grace(&f);
		assert_int_equal(live(&f), 21);
		in = answer(&in_want); /* its answers leave as they are now */
		in.tcp = ACK;
		in.seq = 1;
		in.ack = 1001;
		passes(&f, INSIDE, &in, OUTSIDE, &in);
		passes(&f, INSIDE, &out, OUTSIDE, &out);
		other = net;
		other.dst = on_link(false, INSIDE2, 2);
		passes(&f, OUTSIDE, &net, INSIDE2, &other);
		flows_close(&f);
	}
}

/* One that is back before its sessions were ended keeps them; one that leads elsewhere does not. */
static void static_is_back_x8(void **state)
{
	struct packet k = udp(server(false, 1), 5000, outside(false, 6), 53), want = k, back;
	struct pipe_flows f;

	(void)state;
	nat_open(&f, ALL_STATIC);
	want.dst = inside(false, 5);
	in_and_back(&f, &k, INSIDE, &want);
	assert_true(flows_load(&f, "conntrack: {}\n"));
	assert_true(flows_load(&f, ALL_STATIC));
	flows_grace(&f);
	assert_int_equal(live(&f), 1);
	in_and_back(&f, &k, INSIDE, &want);
	assert_true(flows_load(&f, STATIC("{name: one4, external: 203.0.113.6, "
					  "internal: 10.0.0.4, in: p1}")));
	flows_grace(&f);
	assert_int_equal(live(&f), 0);
	back = k;
	back.dst = inside(false, 4);
	passes(&f, OUTSIDE, &k, INSIDE, &back);
	flows_close(&f);
}

/* ---- clashes, refusals */

/* X7: what matched no rule gets no other port. It waits for no answer that is another flow's; and
 * NAT keeps out of its way. */
static void null_binding_x7(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		/* a host of the second subnet has an address of the pool */
		struct packet own = udp(outside(six, 4), 5000, server(six, 1), 53);
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out;

		nat_open(&f, six ? POOL("'2001:db8:cb::4'", "") : POOL("203.0.113.4", ""));
		passes(&f, INSIDE2, &own, OUTSIDE, &own);
		out = goes_out(&f, &k);
		assert_from(out, outside(six, 4), out.sport);
		assert_int_not_equal(out.sport, 5000);
		assert_int_equal(f.p.w->count->event[EVENT_NAT_RETRY], 1);
		comes_back(&f, &k, &out);
		passes(&f, INSIDE2, &own, OUTSIDE, &own);
		own.sport = out.sport;
		dies(&f, INSIDE2, &own, DROP_NAT_CLASH);
		flows_close(&f);
	}
}

/* What is refused on its way leaves no flow, no port and no mapping. */
static void refused_keep_nothing(void **state)
{
	static const struct {
		const char *yaml;
		enum drop_reason why;
	} row[] = {
		{ "conntrack: {per-source-max: 2}\n", DROP_CT_SOURCE_LIMIT },
		{ "conntrack: {per-zone-max: 2}\n", DROP_CT_ZONE_LIMIT },
		{ "filter: {c: {hook: postrouting, priority: srcnat, rules: "
		  "[{proto: udp, dport: 55, action: drop}]}}\n",
		  DROP_FILTER_RULE },
		{ "filter: {c: {hook: postrouting, priority: filter, rules: "
		  "[{proto: udp, dport: 55, action: drop}]}}\n",
		  DROP_FILTER_RULE },
		{ "filter: {c: {hook: forward, rules: [{proto: udp, dport: 55, action: drop}]}}\n",
		  DROP_FILTER_RULE },
	};
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		bool six = i & 1, apdm = i & 2;
		char yaml[1024];

		snprintf(yaml, sizeof(yaml), "%s%s",
			 apdm ? MASQUERADE(", mapping: apdm") : MASQUERADE(""), row[i / 4].yaml);
		nat_open(&f, yaml);
		for (unsigned n = 0; n < 3; n++) {
			struct packet k = udp(inside(six, 2), 5000 + n, server(six, 1), 53 + n);

			if (n < 2)
				talks(&f, &k);
			else
				dies(&f, INSIDE, &k, row[i / 4].why);
		}
		assert_int_equal(live(&f), 2);
		assert_int_equal(flows_ports_taken(&f), 2);
		flows_close(&f);
	}
}

/* ---- what else is done */

/* DSCP and MSS are written as well, and all sums are right. */
static void mangled(void **state)
{
	static const char yaml[] = MASQUERADE("") "filter:\n"
						  "  m:\n"
						  "    hook: forward\n"
						  "    priority: mangle\n"
						  "    rules:\n"
						  "      - {proto: tcp, flags: syn/syn, out: p1, "
						  "action: {mss-clamp: 1300}}\n"
						  "      - {out: p1, action: {set-dscp: ef}}\n"
						  "      - {in: p1, action: {set-dscp: cs1}}\n";
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = syn(inside(six, 2), 5000, server(six, 1), 80), want, back;

		nat_open(&f, yaml);
		k.mss = 1460;
		k.tos = 3; /* ECN stays */
		want = k;
		want.src = router(six);
		want.mss = 1300;
		want.tos = 46 << 2 | 3;
		passes(&f, INSIDE, &k, OUTSIDE, &want);
		passes(&f, INSIDE, &k, OUTSIDE, &want);
		want = answer(&want);
		want.tcp = SYN | ACK;
		want.seq = 5000;
		want.ack = 1001;
		want.mss = 1460;
		want.tos = 1;
		back = want;
		back.dst = k.src;
		back.tos = 8 << 2 | 1;
		passes(&f, OUTSIDE, &want, INSIDE, &back);
		k = udp(inside(six, 2), 5000, server(six, 1), 80);
		want = k;
		want.src = router(six);
		want.tos = 46 << 2;
		passes(&f, INSIDE, &k, OUTSIDE, &want);
		passes(&f, INSIDE, &k, OUTSIDE, &want);
		flows_close(&f);
	}
}

/* The address they were masqueraded by is another: so are they, from the next packet on. */
static void lost_address(void **state)
{
	struct pipe_flows f;

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 2), 5000, server(six, 1), 53), out;
		unsigned at = 0;

		nat_open(&f, MASQUERADE(""));
		out = talks(&f, &k);
		assert_from(out, router(six), 5000);
		assert_true(flows_load(&f, MASQUERADE(""))); /* nothing has moved */
		comes_back(&f, &k, &out);
		for (struct addr was = router(six); !addr_equal(&f.local[at].addr, &was);)
			at++;
		f.local[at].addr = on_link(six, OUTSIDE, 77);
		assert_true(flows_load(&f, MASQUERADE("")));
		for (unsigned i = 0; i < 4; i++)
			flows_grace(&f);
		assert_int_equal(live(&f), 0);
		out = goes_out(&f, &k);
		assert_from(out, on_link(six, OUTSIDE, 77), 5000);
		flows_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_x2),
		cmocka_unit_test(errors_about_forwards),
		cmocka_unit_test(own_errors_about_forwards),
		cmocka_unit_test(unreachable_targets),
		cmocka_unit_test(static_both_ways),
		cmocka_unit_test(without_ports_x5),
		cmocka_unit_test(without_ports_pool),
		cmocka_unit_test(rules_change_x8),
		cmocka_unit_test(static_goes_x8),
		cmocka_unit_test(static_is_back_x8),
		cmocka_unit_test(null_binding_x7),
		cmocka_unit_test(refused_keep_nothing),
		cmocka_unit_test(mangled),
		cmocka_unit_test(lost_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
