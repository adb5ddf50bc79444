/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Destination NAT: forwards, static rules, mappings that let others in, and hairpins (requirements
 * U8, U9, T3, T8, I7, X2, X8, K6).
 */
#include "tests/unit/nat_util.h"

#define MASQUERADE "{name: home, from: 10.0.0.0/16, out: wan, action: masquerade"

static void forward_x2(void **state)
{
	struct lab *l = lab_open(
		"  destination:\n"
		"    - {name: www, in: wan, proto: tcp, dport: [80, 443], to: 10.0.0.10}\n"
		"    - {name: alt, in: wan, proto: tcp, dport: 8080, to: 10.0.0.10, to-port: 80}\n"
		"    - {name: game, in: wan, address: 203.0.113.9, proto: udp, dport: 27000-27100, "
		"to: 10.0.1.11, to-port: 37000-37100}\n"
		"    - {name: six, in: wan, proto: tcp, dport: 80, to: \"2001:db8:a::10\"}\n");
	struct way w;

	(void)state;
	w = tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 443);
	assert_int_equal(w.destination, NAT_DONE);
	assert_int_equal(w.rule, 1);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 443);
	assert_int_equal(w.source, NAT_NONE);
	/* any address of the interfaces of `in` */
	w = tcp(l, "wan1", "192.0.2.1", 5000, "203.0.113.9", 80);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 80);
	w = tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 8080);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 80);
	w = udp(l, "wan0", "192.0.2.1", 5000, "203.0.113.9", 27042);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.1.11", 37042);
	w = tcp(l, "wan0", "2001:db8:9::1", 5000, "2001:db8:1::2", 80);
	assert_leaves(w, "2001:db8:9::1", 5000, "2001:db8:a::10", 80);

	/* not these: another port, address, protocol, interface, or not ours at all */
	assert_int_equal(tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 81).destination, NAT_NONE);
	assert_int_equal(udp(l, "wan0", "192.0.2.1", 5000, WAN0, 27042).destination, NAT_NONE);
	assert_int_equal(udp(l, "wan0", "192.0.2.1", 5000, WAN0, 80).destination, NAT_NONE);
	assert_int_equal(tcp(l, "lan0", "10.0.0.7", 5000, "203.0.113.77", 80).destination,
			 NAT_NONE);
	assert_int_equal(tcp(l, "wan0", "192.0.2.1", 5000, "10.0.0.1", 80).destination, NAT_NONE);
	assert_int_equal(tcp(l, "wan0", "192.0.2.1", 5000, "10.0.0.77", 80).destination, NAT_NONE);
	lab_close(l);
}

/* Several targets: shared between sources, and a source keeps to its own. */
static void targets_by_source(void **state)
{
	struct lab *l = lab_open("  destination: [{name: lb, in: wan, proto: tcp, dport: 80, "
				 "to: [10.0.0.10-10.0.0.12, 10.0.1.10]}]\n");
	unsigned hits[4] = { 0 };

	(void)state;
	for (unsigned h = 0; h < 200; h++) {
		char client[16], target[ADDR_STRLEN];
		struct way w;

		snprintf(client, sizeof(client), "192.0.2.%u", h);
		w = tcp(l, "wan0", client, 1000, WAN0, 80);
		memcpy(target, w.dst, sizeof(target));
		w = tcp(l, "wan0", client, 2000, WAN0, 80);
		assert_string_equal(w.dst, target);
		hits[strcmp(target, "10.0.1.10") ? atoi(target + 7) - 10 : 3]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(hits[i], 25, 75);
	lab_close(l);
}

static void redirect_and_none(void **state)
{
	struct lab *l = lab_open("  destination:\n"
				 "    - {name: quad9, in: lan, address: 9.9.9.9, proto: tcp, "
				 "action: none}\n"
				 "    - {name: dns, in: lan, proto: udp, dport: 53, action: "
				 "redirect, to-port: 5353}\n");
	struct way w;

	(void)state;
	w = udp(l, "lan1", "10.0.1.7", 5000, "8.8.8.8", 53);
	assert_int_equal(w.destination, NAT_LOCAL);
	assert_int_equal(ntohs(w.to.dport), 5353);
	assert_memory_equal(w.to.dst, "\x0a\x00\x01\x01", 4);
	w = tcp(l, "lan1", "10.0.1.7", 5000, "9.9.9.9", 53);
	assert_int_equal(w.destination, NAT_NONE);
	assert_int_equal(w.rule, 1);
	w = udp(l, "wan0", "192.0.2.1", 5000, "8.8.8.8", 53);
	assert_int_equal(w.destination, NAT_NONE);
	/* no address of that family there */
	w = udp(l, "lan1", "2001:db8:a::7", 5000, "2001:db8:9::1", 53);
	assert_int_equal(w.destination, NAT_REFUSED);
	lab_close(l);
}

/* Forwarded ports belong to the rule on every address it means: XDP steers them to us, and no flow
 * is given one. */
static void forwarded_ports_are_reserved(void **state)
{
	static const char *const meant[] = { WAN0, WAN1, "203.0.113.9" };
	struct lab *l = lab_open("  source: [" MASQUERADE "}]\n"
				 "  destination: [{name: www, in: wan, proto: tcp, "
				 "dport: [80, 8000-8001], to: 10.0.0.10}]\n");
	struct addr a = address("10.0.0.1");
	struct way w;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct addr on = address(meant[i]);
		uint16_t slot = natports_find(l->ports, &on);

		assert_true(natport_is_taken(l->ports, slot, NATPORT_TCP, 80));
		assert_true(natport_is_taken(l->ports, slot, NATPORT_TCP, 8001));
		assert_false(natport_is_taken(l->ports, slot, NATPORT_TCP, 8002));
		assert_false(natport_is_taken(l->ports, slot, NATPORT_UDP, 80));
	}
	assert_false(natport_is_taken(l->ports, natports_find(l->ports, &a), NATPORT_TCP, 80));
	w = tcp(l, "lan0", "10.0.0.7", 8000, "192.0.2.1", 80);
	assert_int_equal(w.source, NAT_DONE);
	assert_int_not_equal(w.sport, 8000);
	over(l, &w);
	/* the rule goes, and so does the reservation */
	load_rules(l, "  source: [" MASQUERADE "}]\n");
	w = tcp(l, "lan0", "10.0.0.7", 8000, "192.0.2.1", 80);
	assert_int_equal(w.sport, 8000);
	over(l, &w);
	lab_close(l);
}

/* All ports forwarded: all but what masquerading may choose is reserved. */
static void all_ports_forwarded(void **state)
{
	struct lab *l = lab_open(
		"  source: [" MASQUERADE ", ports: 10000-32767}]\n"
		"  destination: [{name: dmz, in: wan, address: 203.0.113.2, proto: tcp, "
		"to: 10.0.0.10}]\n"
		"  static: [{name: all, external: 203.0.113.9, internal: 10.0.0.11, in: wan}]\n");
	struct natport_info info;
	uint32_t cursor = 0, seen = 0;
	struct way w;

	(void)state;
	while (natports_walk(l->ports, &cursor, &info)) {
		char text[ADDR_STRLEN];

		addr_format(&info.addr, text);
		if (!strcmp(text, WAN0)) {
			assert_int_equal(info.reserved[NATPORT_TCP], 65535 - 22768);
			assert_int_equal(info.reserved[NATPORT_UDP], 0);
			seen++;
		} else if (!strcmp(text, "203.0.113.9")) {
			for (unsigned plane = 0; plane < NATPORT_PLANES; plane++)
				assert_int_equal(info.reserved[plane], 65535);
			seen++;
		}
	}
	assert_int_equal(seen, 2);
	w = tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 22);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 22);
	w = tcp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 80);
	assert_in_range(w.sport, 10000, 32767);
	over(l, &w);
	lab_close(l);
}

/* Loading rules again needs slots for both; many addresses of the router that no rule speaks of
 * leave them that. */
static void many_local_addresses(void **state)
{
	struct lab *l = lab_open("  source: [" MASQUERADE "}]\n");
	struct nat_local many[300];
	struct match_context c = { .conf = l->conf, .names = &l->names };
	struct nat *one, *two;
	char why[256] = "";

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char name[8];

		snprintf(name, sizeof(name), "v%u", i / 2);
		many[i] = (struct nat_local){ .iface = names_get(&l->names, name),
					      .addr = addr_v4(htonl(0x0a640000 + i)) };
	}
	assert_int_equal(nat_build(&c, l->ports, many, 300, 1, &one, why, sizeof(why)), 0);
	assert_int_equal(nat_build(&c, l->ports, many, 300, 1, &two, why, sizeof(why)), 0);
	nat_destroy(one);
	nat_destroy(two);
	/* but a rule that forwards from all of them is one too many */
	conf_destroy(l->conf);
	l->conf = load_good("nat.yaml", HEAD "  destination: [{name: all, proto: tcp, dport: 80, "
					     "to: 10.0.0.10}]\n");
	c.conf = l->conf;
	assert_int_equal(nat_build(&c, l->ports, many, 300, 1, &one, why, sizeof(why)), -ENOSPC);
	assert_string_equal(why, "nat.destination all: more than 256 outside addresses in all");
	lab_close(l);
}

/* ---- static */

static void static_both_ways(void **state)
{
	struct lab *l = lab_open(
		"  source: [" MASQUERADE "}]\n"
		"  static:\n"
		"    - {name: mail, external: 203.0.113.6, internal: 10.0.0.25, in: wan}\n"
		"    - {name: net, external: 203.0.113.64/27, internal: 10.0.1.96/27, in: wan}\n"
		"    - {name: six, external: \"2001:db8:5:7e0::/59\", "
		"internal: \"2001:db8:a:e0::/59\", in: wan}\n");
	struct way w;

	(void)state;
	w = tcp(l, "wan0", "192.0.2.1", 5000, "203.0.113.6", 25);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.25", 25);
	assert_int_equal(w.rule, 2);
	w = tcp(l, "lan0", "10.0.0.25", 5000, "192.0.2.1", 25);
	assert_leaves(w, "203.0.113.6", 5000, "192.0.2.1", 25);
	assert_int_equal(w.claim.rule, 2);
	assert_int_equal(w.claim.slot, NATPORT_NO_SLOT);
	w = udp(l, "wan0", "192.0.2.1", 5000, "203.0.113.83", 53);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.1.115", 53);
	w = udp(l, "lan1", "10.0.1.115", 5000, "192.0.2.1", 53);
	assert_leaves(w, "203.0.113.83", 5000, "192.0.2.1", 53);
	w = udp(l, "lan0", "2001:db8:a:f1::9", 5000, "2001:db8:9::1", 53);
	assert_leaves(w, "2001:db8:5:7f1::9", 5000, "2001:db8:9::1", 53);
	w = go(l, "lan0", IPPROTO_GRE, "10.0.0.25", 0, "192.0.2.1", 0);
	assert_leaves(w, "203.0.113.6", 0, "192.0.2.1", 0);
	/* between inside networks it stays as it is */
	w = tcp(l, "lan0", "10.0.0.25", 5000, "10.0.1.7", 25);
	assert_int_equal(w.source, NAT_NONE);
	lab_close(l);
}

/* ---- mappings that let others in */

/* What is let in of {same ip:port, same ip other port, other ip}. */
static unsigned matrix(struct lab *l, uint8_t proto, uint16_t port)
{
	static const struct {
		const char *ip;
		uint16_t port;
	} from[] = { { "192.0.2.1", 53 }, { "192.0.2.1", 54 }, { "192.0.2.2", 53 } };
	unsigned bits = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct way w = go(l, "wan0", proto, from[i].ip, from[i].port, WAN0, port);

		if (w.destination == NAT_REFUSED)
			continue;
		assert_int_equal(w.destination, NAT_DONE);
		assert_int_equal(w.rule, 0);
		assert_leaves(w, from[i].ip, from[i].port, "10.0.0.7", 5000);
		bits |= 1u << i;
	}
	return bits;
}

/* U8, T3: EIF 3/3; ADF 2/3; APDF 1/3, where the one is the flow itself, which asks no rule. */
static void filtering_u8(void **state)
{
	static const char *const filtering[] = { "eif", "adf", "apdf" };
	static const unsigned let_in[] = { 7, 3, 0 };
	static const uint8_t proto[] = { IPPROTO_UDP, IPPROTO_TCP };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		char rules[200];
		struct way w, second;
		struct lab *l;

		snprintf(rules, sizeof(rules), "  source: [" MASQUERADE ", filtering: %s}]\n",
			 filtering[i % 3]);
		l = lab_open(rules);
		w = go(l, "lan0", proto[i / 3], "10.0.0.7", 5000, "192.0.2.1", 53);
		assert_int_equal(w.claim.permit, i % 3 == 1);
		assert_int_equal(matrix(l, proto[i / 3], w.sport), let_in[i % 3]);
		/* what is permitted counts by flow */
		second = go(l, "lan0", proto[i / 3], "10.0.0.7", 5000, "192.0.2.1", 99);
		over(l, &w);
		assert_int_equal(matrix(l, proto[i / 3], w.sport), let_in[i % 3]);
		over(l, &second);
		assert_int_equal(
			go(l, "wan0", proto[i / 3], "192.0.2.1", 53, WAN0, w.sport).destination,
			NAT_NONE);
		lab_close(l);
	}
}

/* Of a query the id is the port. */
static void ids_of_queries(void **state)
{
	struct lab *l = lab_open("  source: [" MASQUERADE ", filtering: eif}]\n");
	struct way a = go(l, "lan0", IPPROTO_ICMP, "10.0.0.7", 77, "192.0.2.1", 0x800);
	struct way b = go(l, "lan0", IPPROTO_ICMP, "10.0.0.8", 77, "192.0.2.1", 0x800), w;

	(void)state;
	assert_leaves(a, WAN0, 77, "192.0.2.1", 0x800);
	assert_int_not_equal(b.sport, 77);
	w = go(l, "wan0", IPPROTO_ICMP, "192.0.2.1", b.sport, WAN0, 0x800);
	assert_int_equal(w.destination, NAT_DONE);
	assert_leaves(w, "192.0.2.1", 77, "10.0.0.8", 0x800);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

/* An address of the pool that is nobody's: what no mapping waits for is not sent round in circles;
 * on the router's own, what is no port of NAT is not our affair. */
static void nobody_waits(void **state)
{
	struct lab *l = lab_open("  source: [{name: p, out: wan, pool: [203.0.113.4, 203.0.113.2], "
				 "mapping: apdm}]\n");
	struct way a[40], w;

	(void)state;
	w = udp(l, "wan0", "192.0.2.1", 53, "203.0.113.4", 5000);
	assert_int_equal(w.destination, NAT_REFUSED);
	w = go(l, "wan0", IPPROTO_GRE, "192.0.2.1", 0, "203.0.113.4", 0);
	assert_int_equal(w.destination, NAT_REFUSED);
	w = udp(l, "wan0", "192.0.2.1", 53, WAN0, 5000);
	assert_int_equal(w.destination, NAT_NONE);
	over(l, &w);
	for (unsigned h = 0; h < 40; h++) {
		char host[16];

		snprintf(host, sizeof(host), "10.0.0.%u", 2 + h);
		a[h] = udp(l, "lan0", host, 5000, "192.0.2.1", 53);
	}
	/* now it is a flow's, but no mapping */
	w = udp(l, "wan0", "192.0.2.1", 53, WAN0, 5000);
	assert_int_equal(w.destination, NAT_REFUSED);
	for (unsigned h = 0; h < 40; h++)
		over(l, &a[h]);
	lab_close(l);
}

static void zones_of_tracking_are_apart(void **state)
{
	struct lab *l = lab_open("  source: [" MASQUERADE ", filtering: eif}]\n");
	struct flow_key k = tuple(IPPROTO_UDP, "10.0.0.7", 5000, "192.0.2.1", 53);
	struct way a, b, w;

	(void)state;
	a = send_key(l, "lan0", k, 0);
	k.zone = 7;
	b = send_key(l, "lan0", k, 0);
	assert_int_not_equal(a.sport, b.sport);
	w = udp(l, "wan0", "192.0.2.9", 99, WAN0, b.sport);
	assert_int_equal(w.destination, NAT_REFUSED);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

/* ---- hairpins */

/* U9, U9a, T8, I7: two hosts of one subnet, of two, and a host to itself, by their mappings. */
static void hairpin_by_mapping_u9(void **state)
{
	static const uint8_t proto[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP };
	struct lab *l = lab_open("  source: [" MASQUERADE ", filtering: eif}]\n");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct way a = go(l, "lan0", proto[i], "10.0.0.7", 5000, "192.0.2.1", 53);
		struct way b = go(l, "lan0", proto[i], "10.0.0.8", 5000, "192.0.2.1", 53);
		struct way c = go(l, "lan1", proto[i], "10.0.1.9", 6000, "192.0.2.1", 53);
		bool id = proto[i] == IPPROTO_ICMP;
		struct way w[4];

		if (id) { /* a query for b's id, from b itself and others */
			w[0] = go(l, "lan0", proto[i], "10.0.0.7", b.sport, WAN0, 0x800);
			assert_string_equal(w[0].dst, "10.0.0.8");
			assert_string_equal(w[0].src, WAN0);
			over(l, &w[0]);
			over(l, &a);
			over(l, &b);
			over(l, &c);
			continue;
		}
		w[0] = go(l, "lan0", proto[i], "10.0.0.7", 5000, WAN0, b.sport);
		assert_leaves(w[0], WAN0, 5000, "10.0.0.8", 5000);
		w[1] = go(l, "lan0", proto[i], "10.0.0.8", 5000, WAN0, a.sport);
		assert_leaves(w[1], WAN0, b.sport, "10.0.0.7", 5000);
		w[2] = go(l, "lan1", proto[i], "10.0.1.9", 6000, WAN0, b.sport);
		assert_leaves(w[2], WAN0, c.sport, "10.0.0.8", 5000);
		w[3] = go(l, "lan0", proto[i], "10.0.0.7", 5000, WAN0, a.sport);
		assert_leaves(w[3], WAN0, 5000, "10.0.0.7", 5000);
		for (unsigned k = 0; k < 4; k++) {
			assert_int_equal(w[k].claim.rule, 1);
			over(l, &w[k]);
		}
		over(l, &a);
		over(l, &b);
		over(l, &c);
	}
	lab_close(l);
}

/* Who was never spoken to is refused inside as outside (U8). */
static void hairpin_is_filtered(void **state)
{
	struct lab *l = lab_open("  source: [" MASQUERADE ", filtering: adf}]\n");
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	struct way b = udp(l, "lan0", "10.0.0.8", 5000, "192.0.2.1", 53);
	struct way w, back;

	(void)state;
	w = udp(l, "lan0", "10.0.0.7", 5000, WAN0, b.sport);
	assert_int_equal(w.destination, NAT_REFUSED);
	over(l, &a);
	over(l, &b);

	load_rules(l, "  source:\n"
		      "    - {name: open, from: 10.0.0.8, out: wan, action: masquerade, "
		      "filtering: eif}\n"
		      "    - " MASQUERADE ", filtering: adf}\n");
	a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	b = udp(l, "lan0", "10.0.0.8", 6000, "192.0.2.1", 53);
	w = udp(l, "lan0", "10.0.0.7", 5000, WAN0, b.sport);
	assert_leaves(w, WAN0, 5000, "10.0.0.8", 6000);
	assert_true(w.claim.permit);
	back = udp(l, "lan0", "10.0.0.8", 6001, WAN0, a.sport);
	assert_leaves(back, WAN0, 6001, "10.0.0.7", 5000);
	over(l, &back);
	over(l, &w);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

/* U9: a forward with hairpin, from inside; its client is seen by its outside address. */
static void hairpin_by_forward_u9(void **state)
{
	struct lab *l = lab_open(
		"  source: [" MASQUERADE "}]\n"
		"  destination:\n"
		"    - {name: www, in: wan, proto: tcp, dport: 80, to: 10.0.0.10, hairpin: true}\n"
		"    - {name: not, in: wan, proto: tcp, dport: 81, to: 10.0.0.10}\n");
	struct way w, out;

	(void)state;
	out = tcp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 80);
	w = tcp(l, "lan0", "10.0.0.7", 5000, WAN0, 80);
	assert_leaves(w, WAN0, out.sport, "10.0.0.10", 80);
	over(l, &w);
	w = tcp(l, "lan1", "10.0.1.7", 5002, WAN0, 80);
	assert_leaves(w, WAN0, 5002, "10.0.0.10", 80);
	over(l, &w);
	over(l, &out);
	/* from outside nothing of the kind; nor a rule without it from inside */
	w = tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 80);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 80);
	w = tcp(l, "lan0", "10.0.0.7", 5000, WAN0, 81);
	assert_int_not_equal(w.destination, NAT_DONE);
	lab_close(l);
}

/* A rule for all that leaves by wan does not take those for inside who come in by it; not even by
 * another interface of the zone. */
static void outside_is_no_hairpin(void **state)
{
	struct lab *l = lab_open(
		"  source: [{name: all, out: wan, action: masquerade, filtering: eif}]\n"
		"  destination: [{name: www, in: wan, proto: tcp, dport: 80, to: 10.0.0.10, "
		"hairpin: true}]\n");
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53), w;

	(void)state;
	w = tcp(l, "wan0", "192.0.2.1", 5000, WAN0, 80);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 80);
	w = tcp(l, "wan1", "192.0.2.1", 5000, WAN0, 80);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.10", 80);
	w = udp(l, "wan1", "192.0.2.1", 5000, WAN0, a.sport);
	assert_leaves(w, "192.0.2.1", 5000, "10.0.0.7", 5000);
	over(l, &a);
	lab_close(l);
}

/* No source rule: on the target's own interface the client must be hidden all the same. */
static void hairpin_without_source_rule(void **state)
{
	struct lab *l = lab_open("  destination: [{name: www, in: wan, proto: tcp, dport: 80, "
				 "to: 10.0.0.10, hairpin: true}]\n");
	struct way w = tcp(l, "lan0", "10.0.0.7", 5000, WAN0, 80);

	(void)state;
	assert_leaves(w, WAN0, 5000, "10.0.0.10", 80);
	assert_int_equal(w.claim.rule, 0);
	over(l, &w);
	w = tcp(l, "lan1", "10.0.1.7", 5000, WAN0, 80);
	assert_leaves(w, "10.0.1.7", 5000, "10.0.0.10", 80);
	lab_close(l);
}

/* To and from static addresses, from inside. */
static void hairpin_static_u9(void **state)
{
	struct lab *l =
		lab_open("  source: [" MASQUERADE ", filtering: eif}]\n"
			 "  static:\n"
			 "    - {name: one, external: 203.0.113.6, internal: 10.0.0.25, in: wan}\n"
			 "    - {name: two, external: 203.0.113.7, internal: 10.0.0.26, in: wan, "
			 "hairpin: false}\n");
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53), w;

	(void)state;
	w = udp(l, "lan0", "10.0.0.7", 5000, "203.0.113.6", 53);
	assert_leaves(w, WAN0, 5000, "10.0.0.25", 53);
	over(l, &w);
	w = udp(l, "lan0", "10.0.0.25", 6000, WAN0, a.sport);
	assert_leaves(w, "203.0.113.6", 6000, "10.0.0.7", 5000);
	w = udp(l, "lan0", "10.0.0.25", 6000, "203.0.113.6", 53);
	assert_leaves(w, "203.0.113.6", 6000, "10.0.0.25", 53);
	w = udp(l, "lan0", "10.0.0.7", 5000, "203.0.113.7", 53);
	assert_int_equal(w.destination, NAT_NONE);
	over(l, &w);
	over(l, &a);
	lab_close(l);
}

/* A pool: the hairpinned host is seen by the address it has outside. */
static void hairpin_pool(void **state)
{
	struct lab *l = lab_open("  source: [{name: p, from: 10.0.0.0/16, out: wan, "
				 "pool: 203.0.113.32/28, filtering: eif}]\n");
	struct way a = udp(l, "lan0", "10.0.0.7", 5000, "192.0.2.1", 53);
	struct way b = udp(l, "lan0", "10.0.0.9", 5000, "192.0.2.1", 53);
	struct way w = udp(l, "lan0", "10.0.0.7", 5000, b.src, b.sport);

	(void)state;
	assert_string_not_equal(a.src, b.src);
	assert_leaves(w, a.src, a.sport, "10.0.0.9", 5000);
	over(l, &w);
	over(l, &a);
	over(l, &b);
	lab_close(l);
}

/* X8: with a static rule its translation is gone for new flows. */
static void rules_go_x8(void **state)
{
	struct lab *l = lab_open("  static: [{name: mail, external: 203.0.113.6, "
				 "internal: 10.0.0.25}]\n");
	struct way w = tcp(l, "wan0", "192.0.2.1", 5000, "203.0.113.6", 25);

	(void)state;
	assert_int_equal(w.destination, NAT_DONE);
	load_rules(l, "  source: [" MASQUERADE "}]\n");
	w = tcp(l, "wan0", "192.0.2.1", 5000, "203.0.113.6", 25);
	assert_int_equal(w.destination, NAT_NONE);
	lab_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_x2),
		cmocka_unit_test(targets_by_source),
		cmocka_unit_test(redirect_and_none),
		cmocka_unit_test(forwarded_ports_are_reserved),
		cmocka_unit_test(all_ports_forwarded),
		cmocka_unit_test(many_local_addresses),
		cmocka_unit_test(static_both_ways),
		cmocka_unit_test(filtering_u8),
		cmocka_unit_test(ids_of_queries),
		cmocka_unit_test(nobody_waits),
		cmocka_unit_test(zones_of_tracking_are_apart),
		cmocka_unit_test(hairpin_by_mapping_u9),
		cmocka_unit_test(hairpin_is_filtered),
		cmocka_unit_test(hairpin_by_forward_u9),
		cmocka_unit_test(outside_is_no_hairpin),
		cmocka_unit_test(hairpin_without_source_rule),
		cmocka_unit_test(hairpin_static_u9),
		cmocka_unit_test(hairpin_pool),
		cmocka_unit_test(rules_go_x8),
	};

	return cmocka_run_group_tests_name("nat_destination", tests, NULL, NULL);
}
