/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows and rules of routing (F19): marks that the filter sets before the lookup, next hops that
 * are remembered no longer than they hold for all packets of a flow, translated packets, fragments,
 * and what the router makes itself.
 */
#include "tests/unit/pipe_nat.h"
/* after cmocka.h */
#include "router/net/rules.h"

#define BESIDE 2 /* the interface that rules lead to */

static struct pipe_flows f;
static struct fib *beside[2];
static struct rule_list *list[2];

/* Rules of interface 0: what passes the tests of the first step leaves by BESIDE. */
static void rules_open(const char *yaml, const struct rule_step *tests)
{
	nat_open(&f, yaml);
	for (unsigned six = 0; six < 2; six++) {
		struct addr to = on_link(six, BESIDE, 2), any = { 0 };
		uint32_t slot = neigh_lookup(f.p.neigh, &f.p.nht, BESIDE, &to);
		struct dp_iface *in = &f.p.cfg->iface[INSIDE];
		struct rule_list *l = calloc(1, sizeof(*l) + 2 * sizeof(l->step[0]));

		beside[six] = fib_create(f.p.pool, six ? AF_INET6 : AF_INET);
		must(fib_set(beside[six], any.bytes, 0, slot));
		l->family = six ? AF_INET6 : AF_INET;
		l->nsteps = 2;
		l->step[0] = *tests;
		l->step[0].fib = beside[six];
		l->step[1].fib = six ? f.p.fib6 : f.p.fib4;
		l->marks = tests->tests & RULE_MARK;
		l->each = tests->tests & RULE_TOS;
		l->ports = tests->tests & (RULE_PROTO | RULE_DPORT);
		list[six] = l;
		in->rules4 = six ? in->rules4 : l;
		in->rules6 = six ? l : in->rules6;
	}
	f.p.cfg->ruled = true;
}

static void rules_close(void)
{
	for (unsigned six = 0; six < 2; six++) {
		fib_destroy(beside[six]);
		free(list[six]);
	}
	flows_close(&f);
}

static void routes_move(void)
{
	f.p.nht.generation++;
}

static const struct rule_step marked = { .tests = RULE_MARK, .mark = 7, .mark_mask = 0xff },
			      expedited = { .tests = RULE_TOS, .tos = 0xb8, .tos_mask = 0xfc },
			      to_dns = { .tests = RULE_DPORT | RULE_PROTO,
					 .proto = IPPROTO_UDP,
					 .dport = { 53, 53, 0 } };

#define MARK_RULE(action)                                                                          \
	"filter: {m: {hook: prerouting, priority: mangle, rules: [\n"                              \
	"  {name: dns, proto: udp, dport: 53, action: " action "}]}}\n"

/* The mark is there before the lookup, for the first packet and for those of a known flow whose
 * routes have moved; others are not concerned. */
static void marks_route(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet dns = udp(inside(six, 3), 5000, server(six, 9), 53);
		struct packet web = udp(inside(six, 3), 5000, server(six, 9), 80);

		rules_open("conntrack: {}\n" MARK_RULE("{set-mark: 7}"), &marked);
		for (unsigned i = 0; i < 6; i++) {
			passes(&f, INSIDE, &dns, BESIDE, &dns);
			passes(&f, INSIDE, &web, OUTSIDE, &web);
			if (i % 2)
				routes_move();
		}
		rules_close();
	}
}

/* A mark that is set for some packets of a flow only routes only those. */
static void marks_of_single_packets_route_those(void **state)
{
	struct packet few = udp(inside(false, 3), 5000, server(false, 9), 53), many = few;

	(void)state;
	many.data = 600;
	rules_open("conntrack: {}\nfilter: {m: {hook: prerouting, priority: mangle, rules: [\n"
		   "  {name: long, length: 500-1500, action: {set-mark: 7}}]}}\n",
		   &marked);
	for (unsigned i = 0; i < 3; i++) {
		passes(&f, INSIDE, &few, OUTSIDE, &few);
		passes(&f, INSIDE, &many, BESIDE, &many);
	}
	assert_int_equal(live(&f), 1);
	rules_close();
}

/* Where rules look at the DSCP, every packet is looked up by its own. */
static void dscp_routes_each_packet(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet plain = udp(inside(six, 3), 5000, server(six, 9), 53), ef = plain;

		ef.tos = 0xb9;
		rules_open("conntrack: {}\n", &expedited);
		for (unsigned i = 0; i < 3; i++) {
			passes(&f, INSIDE, &plain, OUTSIDE, &plain);
			passes(&f, INSIDE, &ef, BESIDE, &ef);
		}
		rules_close();
	}
}

/* Without connection tracking the packet's own header is all there is; a fragment has no ports. */
static void ports_of_untracked_packets(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet dns = udp(inside(six, 3), 5000, server(six, 9), 53), web = dns, cut;

		web.dport = 80;
		cut = dns;
		cut.kept = 16;
		rules_open("", &to_dns);
		passes(&f, INSIDE, &dns, BESIDE, &dns);
		passes(&f, INSIDE, &web, OUTSIDE, &web);
		passes(&f, INSIDE, &cut, OUTSIDE, &cut);
		rules_close();
	}
}

/* Rules see the source as it came, also when the routes of a translated flow are looked up anew. */
static void sources_are_translated_behind_rules(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct packet k = udp(inside(six, 3), 5000, server(six, 9), 80), out;
		struct addr from = inside(six, 3);
		struct rule_step s = {
			.tests = RULE_FROM,
			.invert = true,
			.from = rule_net_of(from.family, from.bytes, six ? 128 : 32),
		};

		rules_open(MASQUERADE(""), &s);
		out = talks(&f, &k);
		routes_move();
		passes(&f, INSIDE, &k, OUTSIDE, &out);
		rules_close();
	}
}

/* Packets of a flow that come in elsewhere are looked up by what holds there, and leave no trace.
 */
static void strays_are_looked_up_by_their_interface(void **state)
{
	struct packet k = udp(inside(false, 3), 5000, server(false, 9), 53);
	struct rule_step always = { 0 };

	(void)state;
	rules_open("conntrack: {}\n", &always);
	passes(&f, INSIDE, &k, BESIDE, &k);
	passes(&f, BESIDE, &k, OUTSIDE, &k); /* which has no rules */
	passes(&f, INSIDE, &k, BESIDE, &k);
	rules_close();
}

/* An error goes by the rules for what the router makes, not by those of where its cause came in. */
static void errors_go_by_the_rules_of_the_router(void **state)
{
	struct packet k = udp(inside(false, 3), 5000, server(false, 9), 80);
	struct rule_step always = { 0 };
	struct frame got;

	(void)state;
	k.ttl = 1;
	rules_open("", &always);
	send_packet(&f, INSIDE, &k);
	assert_true(pipe_sent(&f.p, INSIDE, &got));
	f.p.cfg->iface[INSIDE].own4 = list[0];
	f.p.cfg->iface[INSIDE].rules4 = NULL;
	send_packet(&f, INSIDE, &k);
	assert_true(pipe_sent(&f.p, BESIDE, &got));
	rules_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_route),
		cmocka_unit_test(marks_of_single_packets_route_those),
		cmocka_unit_test(dscp_routes_each_packet),
		cmocka_unit_test(ports_of_untracked_packets),
		cmocka_unit_test(sources_are_translated_behind_rules),
		cmocka_unit_test(strays_are_looked_up_by_their_interface),
		cmocka_unit_test(errors_go_by_the_rules_of_the_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
