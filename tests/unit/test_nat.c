/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source NAT: which rule, which address, which port (requirements U1-U4, U11, T1, T7, T16, I1, V1,
 * V3, K1-K3, K6, K11, K13, K15, X1, X3, X7, X8), and rules as they are shown.
 */
#include "tests/unit/nat_util.h"

#define HOME "  source: [{name: home, from: 10.0.0.0/16, out: wan, action: masquerade}]\n"

/* U1, T1, I1, K1: one endpoint to 2 addresses x 2 ports: one outside port, also after a clash. */
static void endpoint_independent_u1(void **state)
{
	static const uint8_t proto[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP };
	struct lab *l = lab_open(HOME);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct way first = go(l, "lan0", proto[i], "10.0.0.7", 5000, "192.0.2.9", 99);
		struct way w[8];
		uint16_t port = 0;

		assert_leaves(first, WAN0, 5000, "192.0.2.9", 99);
		assert_int_equal(first.source, NAT_DONE);
		assert_int_equal(first.claim.rule, 1);
		for (unsigned f = 0; f < 8; f++) {
			const char *host = f < 4 ? "10.0.0.8" : "10.0.0.7";

			w[f] = go(l, "lan0", proto[i], host, 5000,
				  f % 2 ? "192.0.2.1" : "192.0.2.2", f / 2 % 2 ? 80 : 81);
			if (f == 0)
				port = w[f].sport;
			assert_string_equal(w[f].src, WAN0);
			assert_int_equal(w[f].sport, f < 4 ? port : 5000);
		}
		assert_int_not_equal(port, 5000);
		over(l, &first);
		for (unsigned f = 0; f < 8; f++)
			over(l, &w[f]);
	}
	lab_close(l);
}

/* V1: UDP and TCP are apart: one may have the port that the other lost. */
static void protocols_are_apart_v1(void **state)
{
	struct lab *l = lab_open(HOME);
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	struct way b = udp(l, "lan0", "10.0.0.8", 5000, "192.0.2.1", 53);
	struct way c = tcp(l, "lan0", "10.0.0.8", 5000, "192.0.2.1", 53);

	(void)state;
	assert_int_equal(a.sport, 5000);
	assert_int_not_equal(b.sport, 5000);
	assert_int_equal(c.sport, 5000);
	over(l, &a);
	over(l, &b);
	over(l, &c);
	lab_close(l);
}

/* U3, T7, U4, X1: same port, same destination: another port, of the same parity and class. */
static void no_overloading_u3(void **state)
{
	static const uint16_t port[] = { 300, 301, 700, 701, 40000, 40001 };
	static const uint16_t first[] = { 1, 1, 600, 600, 1024, 1024 };
	static const uint16_t last[] = { 511, 511, 1023, 1023, 65535, 65535 };
	struct lab *l = lab_open(HOME);

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct way a = tcp(l, "lan0", "10.0.0.7", port[i], "192.0.2.1", 443);
		struct way b = tcp(l, "lan0", "10.0.0.8", port[i], "192.0.2.1", 443);

		assert_int_equal(a.sport, port[i]);
		assert_int_not_equal(b.sport, port[i]);
		assert_int_equal(b.sport % 2, port[i] % 2);
		assert_in_range(b.sport, first[i], last[i]);
		over(l, &a);
		over(l, &b);
	}
	lab_close(l);
}

/* T16: A keeps 40000, B gets another; A ends, and B's live mapping does not move. */
static void mapping_does_not_move_t16(void **state)
{
	struct lab *l = lab_open(HOME);
	struct way a = tcp(l, "lan0", "10.0.0.7", 40000, "192.0.2.1", 443);
	struct way b = tcp(l, "lan0", "10.0.0.8", 40000, "192.0.2.1", 443), c;

	(void)state;
	assert_int_equal(a.sport, 40000);
	over(l, &a);
	c = tcp(l, "lan0", "10.0.0.8", 40000, "192.0.2.2", 80);
	assert_int_equal(c.sport, b.sport);
	over(l, &b);
	over(l, &c);
	c = tcp(l, "lan0", "10.0.0.8", 40000, "192.0.2.2", 80);
	assert_int_equal(c.sport, 40000);
	over(l, &c);
	lab_close(l);
}

/* U11: the first flow and the 60,000th, before and after the configuration is loaded again. */
static void deterministic_u11(void **state)
{
	enum { FLOWS = 60000 };
	struct lab *l = lab_open(HOME);
	struct way *w = calloc(FLOWS, sizeof(*w)), again;

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		char host[16];

		snprintf(host, sizeof(host), "10.0.0.%u", 2 + i % 200);
		w[i] = udp(l, "lan0", host, (uint16_t)(1024 + i / 2), "192.0.2.1", 53);
		assert_int_equal(w[i].source, NAT_DONE);
		assert_string_equal(w[i].src, WAN0);
		assert_int_equal(w[i].sport % 2, i / 2 % 2);
	}
	load_rules(l, HOME);
	for (unsigned i = 0; i < FLOWS; i += 999) {
		again = send_key(l, "lan0", w[i].came, 0);
		assert_int_equal(again.sport, w[i].sport);
		over(l, &again);
	}
	for (unsigned i = 0; i < FLOWS; i++)
		over(l, &w[i]);
	free(w);
	lab_close(l);
}

/* U2, K2: 200 flows of a host by one address of the pool; hosts spread over the pool. */
static void paired_u2(void **state)
{
	struct lab *l =
		lab_open("  source: [{name: p, out: wan, pool: 203.0.113.4-203.0.113.7}]\n");
	unsigned hosts[4] = { 0 };

	(void)state;
	for (unsigned h = 2; h < 202; h++) {
		char host[16], first[ADDR_STRLEN] = "";

		snprintf(host, sizeof(host), "10.0.0.%u", h);
		for (uint16_t f = 0; f < 200; f++) {
			struct way w = udp(l, "lan0", host, 2000 + f, "192.0.2.1", 1000 + f);

			if (!f)
				memcpy(first, w.src, sizeof(first));
			assert_string_equal(w.src, first);
			over(l, &w);
		}
		assert_in_range(atoi(first + 10), 4, 7);
		hosts[atoi(first + 10) - 4]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(hosts[i], 25, 75);
	lab_close(l);
}

/* X3: persistent: after a restart (another secret), the same address; and never another one. */
static void persistent_x3(void **state)
{
	static const char rules[] = "  source: [{name: office, out: wan, persistent: true, "
				    "pool: 203.0.113.3-203.0.113.7, ports: 2000-2001}]\n";
	char before[100][ADDR_STRLEN];

	(void)state;
	for (unsigned boot = 0; boot < 2; boot++) {
		struct lab *l = lab_open(rules);

		for (unsigned h = 0; h < 100; h++) {
			char host[16];
			struct way w[3];

			snprintf(host, sizeof(host), "10.0.0.%u", 2 + h);
			for (uint16_t f = 0; f < 3; f++)
				w[f] = tcp(l, "lan0", host, 3000 + f, "192.0.2.1", 80);
			assert_string_equal(w[0].src, w[1].src);
			assert_int_equal(w[2].source, NAT_EXHAUSTED);
			if (boot)
				assert_string_equal(before[h], w[0].src);
			memcpy(before[h], w[0].src, ADDR_STRLEN);
			for (uint16_t f = 0; f < 2; f++)
				over(l, &w[f]);
		}
		lab_close(l);
	}
}

/* K3: three single addresses and a /29; every one of them is used. */
static void pool_in_pieces_k3(void **state)
{
	struct lab *l = lab_open("  source: [{name: p, out: wan, pool: [192.0.2.1, 192.0.2.77, "
				 "198.18.0.1, 198.18.7.0/29]}]\n");
	struct natport_info info;
	uint32_t cursor = 0, used = 0;
	struct way w[200];

	(void)state;
	for (unsigned h = 0; h < 200; h++) {
		char host[16];

		snprintf(host, sizeof(host), "10.0.1.%u", 2 + h);
		w[h] = udp(l, "lan1", host, 4000, "203.0.113.77", 53);
		assert_int_equal(w[h].source, NAT_DONE);
	}
	while (natports_walk(l->ports, &cursor, &info))
		used += info.taken[NATPORT_UDP] > 0;
	assert_int_equal(used, 11);
	for (unsigned h = 0; h < 200; h++)
		over(l, &w[h]);
	lab_close(l);
}

static void too_many_addresses(void **state)
{
	struct lab *l = lab_open(HOME);
	char why[256] = "";
	struct way w;

	(void)state;
	assert_int_equal(
		lab_load(l, "  source: [{name: big, out: wan, pool: 10.99.0.0/23}]\n", NULL, why),
		-ENOSPC);
	assert_string_equal(why, "nat.source big: more than 256 outside addresses in all");
	assert_int_equal(lab_load(l,
				  "  source: [{name: big, out: wan, pool: \"2001:db8:9::/64\"}]\n",
				  NULL, why),
			 -ENOSPC);
	/* what runs is as it was */
	w = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	assert_int_equal(w.sport, 5000);
	over(l, &w);
	load_rules(l, "  source: [{name: big, out: wan, pool: 10.99.0.0-10.99.0.246}]\n");
	lab_close(l);
}

/* K6: exempt destinations, before a rule that would match. */
static void exempt_k6(void **state)
{
	struct lab *l =
		lab_open("  source:\n"
			 "    - {name: vpn, to: 192.0.2.0/24, action: none}\n"
			 "    - {name: ntp, proto: udp, dport: 123, action: none}\n"
			 "    - {name: home, from: 10.0.0.0/16, out: wan, action: masquerade}\n"
			 "  static: [{external: 203.0.113.6, internal: 10.0.0.25}]\n");
	struct way w;

	(void)state;
	w = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	assert_int_equal(w.source, NAT_NONE);
	assert_leaves(w, "10.0.0.7", 5000, "192.0.2.1", 53);
	w = udp(l, "lan0", "10.0.0.7", 123, "192.51.100.1", 123);
	assert_int_equal(w.source, NAT_NONE);
	w = udp(l, "lan0", "10.0.0.25", 5000, "192.0.2.1", 53);
	assert_int_equal(w.source, NAT_NONE);
	assert_int_equal(w.claim.slot, NATPORT_NO_SLOT);
	w = udp(l, "lan0", "10.0.0.7", 5000, "192.51.100.1", 53);
	assert_int_equal(w.source, NAT_DONE);
	over(l, &w);
	lab_close(l);
}

/* X7: what no rule matches keeps its tuple. */
static void null_binding_x7(void **state)
{
	struct lab *l = lab_open(HOME);
	struct way w = udp(l, "lan0", "172.16.0.1", 5000, "192.0.2.1", 53);

	(void)state;
	assert_int_equal(w.destination, NAT_NONE);
	assert_int_equal(w.source, NAT_NONE);
	assert_int_equal(w.claim.slot, NATPORT_NO_SLOT);
	w = udp(l, "lan0", "10.0.0.7", 5000, "10.0.1.7", 53);
	assert_int_equal(w.source, NAT_NONE);
	lab_close(l);
}

/* After FLOW_CLASH: a port of its own, neither the inside one nor the mapping's. */
static void asked_again(void **state)
{
	static const char *const rules[] = {
		HOME, "  source: [{name: s, out: wan, action: masquerade, mapping: apdm}]\n"
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct lab *l = lab_open(rules[i]);
		struct flow_key k = tuple(IPPROTO_TCP, "10.0.0.7", 5000, "192.0.2.1", 80);
		struct way first = send_key(l, "lan0", k, 0), again;
		uint16_t before = 5000;

		assert_int_equal(first.sport, 5000);
		over(l, &first);
		for (unsigned attempt = 1; attempt < 5; attempt++) {
			again = send_key(l, "lan0", k, attempt);
			assert_int_equal(again.source, NAT_DONE);
			assert_int_not_equal(again.sport, 5000);
			assert_int_not_equal(again.sport, before);
			before = again.sport;
			over(l, &again);
		}
		lab_close(l);
	}
}

/* K11, K13: a pool of one address is used to its last port; then NAT_EXHAUSTED, and what there is
 * stays. */
static void exhausted_k11_k13(void **state)
{
	enum { PORTS = 64512 };
	struct lab *l = lab_open("  source: [{name: one, out: wan, pool: 203.0.113.4}]\n");
	struct way *w = calloc(PORTS, sizeof(*w)), none;
	struct nat_rule_info info;

	(void)state;
	for (unsigned i = 0; i < PORTS; i++) {
		char host[20];

		snprintf(host, sizeof(host), "10.0.0.%u", 2 + i % 250);
		w[i] = tcp(l, "lan0", host, (uint16_t)(1024 + i / 3), "192.0.2.1", 80);
		assert_int_equal(w[i].source, NAT_DONE);
	}
	none = tcp(l, "lan0", "10.0.0.254", 5000, "192.0.2.1", 80);
	assert_int_equal(none.source, NAT_EXHAUSTED);
	assert_int_equal(none.claim.slot, NATPORT_NO_SLOT);
	assert_true(nat_rule(l->nat, 1, &info));
	assert_int_equal(info.flows, PORTS);
	assert_int_equal(info.packets_refused, 1);
	/* one flow more of a mapping is no new port */
	none = tcp(l, "lan0", "10.0.0.2", 1024, "192.0.2.2", 80);
	assert_int_equal(none.sport, w[0].sport);
	over(l, &none);
	for (unsigned i = 0; i < PORTS; i++)
		over(l, &w[i]);
	free(w);
	lab_close(l);
}

/* Exhausted here, the next address helps. */
static void next_address(void **state)
{
	struct lab *l = lab_open("  source: [{name: p, out: wan, pool: 203.0.113.4-203.0.113.7, "
				 "ports: 5000-5001}]\n");
	struct way w[9];

	(void)state;
	for (uint16_t i = 0; i < 9; i++) {
		w[i] = tcp(l, "lan0", "10.0.0.7", 6000 + i, "192.0.2.1", 80);
		assert_int_equal(w[i].source, i < 8 ? NAT_DONE : NAT_EXHAUSTED);
	}
	for (uint16_t i = 0; i < 8; i++)
		over(l, &w[i]);
	lab_close(l);
}

static void mapping_modes(void **state)
{
	struct lab *l = lab_open(
		"  source:\n"
		"    - {name: adm, from: 10.0.0.0/24, out: wan, action: masquerade, mapping: adm}\n"
		"    - {name: apdm, out: wan, action: masquerade, mapping: apdm}\n");
	struct way a, b, c;

	(void)state;
	a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	b = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 54);
	c = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.2", 53);
	assert_int_equal(a.sport, b.sport);
	assert_int_not_equal(a.sport, c.sport);
	over(l, &a);
	over(l, &b);
	over(l, &c);
	a = udp(l, "lan1", "10.0.1.7", 5000, "192.0.2.1", 53);
	b = udp(l, "lan1", "10.0.1.7", 5000, "192.0.2.1", 54);
	assert_int_not_equal(a.sport, b.sport);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

static void port_options(void **state)
{
	struct lab *l =
		lab_open("  source:\n"
			 "    - {name: s, from: 10.0.0.0/24, out: wan, action: masquerade, "
			 "random: false, parity: false, ports: 10000-32767}\n"
			 "    - {name: t, out: wan, action: masquerade, ports: 7000-7009}\n");
	struct way w[12];

	(void)state;
	for (uint16_t i = 0; i < 10; i++) {
		char host[16];

		snprintf(host, sizeof(host), "10.0.0.%u", 2u + i);
		w[i] = udp(l, "lan0", host, 20000, "192.0.2.1", 53);
		assert_int_equal(w[i].sport, 20000 + i);
	}
	for (uint16_t i = 0; i < 10; i++)
		over(l, &w[i]);
	for (uint16_t i = 0; i < 11; i++) {
		w[i] = udp(l, "lan1", "10.0.1.2", 80 + i, "192.0.2.1", 53);
		assert_int_equal(w[i].source, i < 10 ? NAT_DONE : NAT_EXHAUSTED);
		if (i < 10)
			assert_in_range(w[i].sport, 7000, 7009);
	}
	for (uint16_t i = 0; i < 10; i++)
		over(l, &w[i]);
	lab_close(l);
}

/* The address is that of the interface it leaves by, of its family; an endpoint has a mapping by
 * each interface. */
static void masquerade_by_interface(void **state)
{
	struct lab *l = lab_open("  source: [{name: m, out: wan, action: masquerade}]\n");
	struct way a, b, c;

	(void)state;
	a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	b = udp(l, "lan0", "10.0.0.7", 5000, "198.51.100.1", 53);
	c = udp(l, "lan0", "2001:db8:a::7", 5000, "2001:db8:9::1", 53);
	assert_leaves(a, WAN0, 5000, "192.0.2.1", 53);
	assert_leaves(b, WAN1, 5000, "198.51.100.1", 53);
	assert_leaves(c, "2001:db8:1::2", 5000, "2001:db8:9::1", 53);
	over(l, &a);
	over(l, &b);
	over(l, &c);
	/* wan1 has no IPv6 address: dropped, not leaked */
	l->nlocal = 1;
	load_rules(l, "  source: [{name: m, out: wan, action: masquerade}]\n");
	c = udp(l, "lan0", "2001:db8:a::7", 5000, "2001:db8:9::1", 53);
	assert_int_equal(c.source, NAT_EXHAUSTED);
	lab_close(l);
}

/* A pool of one family is none of the other's business. */
static void family_of_pool(void **state)
{
	struct lab *l = lab_open("  source:\n"
				 "    - {name: four, out: wan, pool: 203.0.113.4}\n"
				 "    - {name: six, out: wan, pool: \"2001:db8:1::10/127\"}\n");
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	struct way b = udp(l, "lan0", "2001:db8:a::7", 5000, "2001:db8:9::1", 53);

	(void)state;
	assert_int_equal(a.claim.rule, 1);
	assert_int_equal(b.claim.rule, 2);
	assert_memory_equal(b.src, "2001:db8:1::1", 13);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

/* GRE: addresses only. */
static void without_ports(void **state)
{
	struct lab *l = lab_open(HOME);
	struct way w = go(l, "lan0", IPPROTO_GRE, "10.0.0.7", 0, "192.0.2.1", 0);

	(void)state;
	assert_int_equal(w.source, NAT_DONE);
	assert_leaves(w, WAN0, 0, "192.0.2.1", 0);
	assert_int_equal(w.claim.slot, NATPORT_NO_SLOT);
	over(l, &w);
	lab_close(l);
}

/* X8: other rules are for new flows; old mappings stay for theirs, and are given back. */
static void rules_change_x8(void **state)
{
	struct lab *l = lab_open(HOME);
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53), b;
	struct addr old = address(WAN0);

	(void)state;
	load_rules(l, "  source: [{name: p, out: wan, pool: 203.0.113.4}]\n");
	b = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.2", 53);
	assert_leaves(b, "203.0.113.4", 5000, "192.0.2.2", 53);
	assert_true(natport_is_taken(l->ports, natports_find(l->ports, &old), NATPORT_UDP, 5000));
	over(l, &a);
	assert_false(natport_is_taken(l->ports, natports_find(l->ports, &old), NATPORT_UDP, 5000));
	over(l, &b);
	lab_close(l);
}

static void shown_and_carried_over(void **state)
{
	static const char rules[] =
		"  source:\n"
		"    - {name: vpn, to: 192.0.2.128/25, action: none}\n"
		"    - {name: home, out: wan0, action: masquerade, ports: 10000-32767, "
		"filtering: eif}\n"
		"  destination: [{name: www, in: wan0, proto: tcp, dport: 80, to: 10.0.0.10, "
		"to-port: 8080}]\n"
		"  static: [{name: mail, external: 203.0.113.6, internal: 10.0.0.25}]\n";
	struct lab *l = lab_open(rules);
	struct way w = udp(l, "lan0", "10.0.0.7", 20000, "192.0.2.1", 53);
	struct nat_rule_info info;
	struct nat *old = NULL;
	char why[256];

	(void)state;
	over(l, &w);
	assert_true(nat_rule(l->nat, 2, &info));
	assert_string_equal(info.name, "home");
	assert_string_equal(info.kind, "masquerade");
	assert_string_equal(info.match, "out: wan0");
	assert_string_equal(info.target, "interface ports 10000-32767");
	assert_string_equal(info.mapping, "eim");
	assert_string_equal(info.filtering, "eif");
	assert_int_equal(info.flows, 1);
	assert_true(nat_rule(l->nat, 3, &info));
	assert_string_equal(info.kind, "dnat");
	assert_string_equal(info.target, "10.0.0.10 port 8080");
	assert_null(info.mapping);
	assert_true(nat_rule(l->nat, 4, &info));
	assert_string_equal(info.target, "203.0.113.6/32 = 10.0.0.25/32");
	assert_false(nat_rule(l->nat, 5, &info));
	assert_false(nat_rule(l->nat, 0, &info));

	assert_int_equal(lab_load(l,
				  "  source:\n"
				  "    - {name: new, to: 192.0.2.99, action: none}\n"
				  "    - {name: home, out: wan0, action: masquerade, "
				  "ports: 10000-32767, filtering: eif}\n",
				  &old, why),
			 0);
	nat_carry_over(l->nat, old);
	nat_destroy(old);
	assert_true(nat_rule(l->nat, 1, &info));
	assert_int_equal(info.flows, 0);
	assert_true(nat_rule(l->nat, 2, &info));
	assert_int_equal(info.flows, 1);
	lab_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_independent_u1),
		cmocka_unit_test(protocols_are_apart_v1),
		cmocka_unit_test(no_overloading_u3),
		cmocka_unit_test(mapping_does_not_move_t16),
		cmocka_unit_test(deterministic_u11),
		cmocka_unit_test(paired_u2),
		cmocka_unit_test(persistent_x3),
		cmocka_unit_test(pool_in_pieces_k3),
		cmocka_unit_test(too_many_addresses),
		cmocka_unit_test(exempt_k6),
		cmocka_unit_test(null_binding_x7),
		cmocka_unit_test(asked_again),
		cmocka_unit_test(exhausted_k11_k13),
		cmocka_unit_test(next_address),
		cmocka_unit_test(mapping_modes),
		cmocka_unit_test(port_options),
		cmocka_unit_test(masquerade_by_interface),
		cmocka_unit_test(family_of_pool),
		cmocka_unit_test(without_ports),
		cmocka_unit_test(rules_change_x8),
		cmocka_unit_test(shown_and_carried_over),
	};

	return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
