/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of NAT rules share: a router with two outside and two inside interfaces, rules
 * from YAML, and first packets of flows on their way through both choices, with a route in between.
 *
 *   wan0 203.0.113.2, 203.0.113.9, 2001:db8:1::2     lan0 10.0.0.1/24, 2001:db8:a::1/64
 *   wan1 198.51.100.2                                lan1 10.0.1.1/24
 */
#ifndef TESTS_NAT_UTIL_H
#define TESTS_NAT_UTIL_H

#include "tests/unit/conf_util.h"
#include "tests/unit/natport_util.h"

#include "router/net/nat.h"

#define HEAD                                                                                       \
	"version: 1\n"                                                                             \
	"interfaces: {wan0: {}, wan1: {}, lan0: {}, lan1: {}}\n"                                   \
	"zones:\n"                                                                                 \
	"  wan: {interfaces: [wan0, wan1]}\n"                                                      \
	"  lan: {interfaces: [lan0, lan1]}\n"                                                      \
	"nat:\n"

#define WAN0 "203.0.113.2"
#define WAN1 "198.51.100.2"

struct lab {
	struct names names;
	struct natports *ports;
	struct conf *conf;
	struct nat *nat;
	struct nat_local local[16];
	unsigned nlocal;
	uint64_t now;
};

static inline void add_local(struct lab *l, const char *iface, const char *text)
{
	l->local[l->nlocal++] =
		(struct nat_local){ .iface = names_get(&l->names, iface), .addr = address(text) };
}

/* Of this text, the part below `nat:`. The rules before are kept in *old, if that is given. */
static inline int lab_load(struct lab *l, const char *rules, struct nat **old, char *why)
{
	struct match_context c = { .names = &l->names };
	char text[4096];
	struct nat *n = NULL;
	int rc;

	snprintf(text, sizeof(text), "%s%s", HEAD, rules);
	conf_destroy(l->conf);
	l->conf = load_good("nat.yaml", text);
	c.conf = l->conf;
	rc = nat_build(&c, l->ports, l->local, l->nlocal, 1, &n, why, 256);
	if (rc)
		return rc;
	if (old)
		*old = l->nat;
	else
		nat_destroy(l->nat);
	l->nat = n;
	return 0;
}

static inline void load_rules(struct lab *l, const char *rules)
{
	char why[256] = "";
	int rc = lab_load(l, rules, NULL, why);

	if (rc)
		print_error("%s\n", why);
	assert_int_equal(rc, 0);
}

static inline struct lab *lab_open(const char *rules)
{
	struct lab *l = calloc(1, sizeof(*l));

	l->ports = ports_of(100000);
	add_local(l, "wan0", "fe80::1");
	add_local(l, "wan0", WAN0);
	add_local(l, "wan0", "203.0.113.9");
	add_local(l, "wan0", "2001:db8:1::2");
	add_local(l, "wan1", WAN1);
	add_local(l, "lan0", "fe80::1");
	add_local(l, "lan0", "10.0.0.1");
	add_local(l, "lan0", "2001:db8:a::1");
	add_local(l, "lan1", "10.0.1.1");
	load_rules(l, rules);
	return l;
}

/* All flows have been given back: nothing of natports may be left. */
static inline void lab_close(struct lab *l)
{
	struct natport_info info;
	uint32_t cursor = 0;

	nat_destroy(l->nat);
	conf_destroy(l->conf);
	natports_trim(l->ports);
	assert_false(natports_walk(l->ports, &cursor, &info));
	ports_close(l->ports);
	names_fini(&l->names);
	free(l);
}

/* The first packet of a flow: before, behind destination NAT, and how it leaves. Each is foreseen
 * by a dry run, which must change nothing: the tests count flows and ports. */
struct way {
	struct flow_key came, to, leaves;
	enum nat_verdict destination, source;
	uint16_t rule; /* destination */
	struct nat_hairpin hairpin;
	struct nat_claim claim;
	char src[ADDR_STRLEN], dst[ADDR_STRLEN]; /* as it leaves */
	uint16_t sport, dport;
};

/* Where routes lead. */
static inline const char *route(const struct flow_key *k)
{
	if (k->family == AF_INET6)
		return k->dst[5] == 0x0a ? "lan0" : "wan0";
	if (k->dst[0] == 10 && k->dst[1] == 0)
		return k->dst[2] ? "lan1" : "lan0";
	return k->dst[0] == 198 && k->dst[1] == 51 ? "wan1" : "wan0";
}

static inline struct flow_key tuple(uint8_t proto, const char *src, uint16_t sport, const char *dst,
				    uint16_t dport)
{
	struct addr from = address(src), to = address(dst);
	struct flow_key k = { .proto = proto, .family = from.family };

	memcpy(k.src, from.bytes, 16);
	memcpy(k.dst, to.bytes, 16);
	k.sport = htons(sport);
	k.dport = htons(dport);
	return k;
}

static inline void tell(const uint8_t bytes[16], uint8_t family, char text[ADDR_STRLEN])
{
	struct addr a = { .family = family };

	memcpy(a.bytes, bytes, 16);
	addr_format(&a, text);
}

/* What a dry run says becomes of a packet, before it is asked for in earnest. */
static inline void foresee(struct lab *l, const struct match_packet *p, unsigned attempt,
			   struct way *w, struct addr *outside, uint16_t *port)
{
	struct match_packet dry = *p;

	dry.dry = true;
	w->source = nat_source(l->nat, &dry, &w->hairpin, attempt, 0, outside, port, &w->claim);
	assert_int_equal(w->claim.slot, NATPORT_NO_SLOT);
	assert_false(w->claim.permit);
}

static inline void source(struct lab *l, struct match_packet *p, unsigned attempt, struct way *w)
{
	struct addr outside, foreseen;
	uint16_t port, foreseen_port;
	enum nat_verdict verdict;

	foresee(l, p, attempt, w, &foreseen, &foreseen_port);
	verdict = w->source;
	w->leaves = p->key;
	w->source =
		nat_source(l->nat, p, &w->hairpin, attempt, random64(), &outside, &port, &w->claim);
	assert_int_equal(verdict, w->source);
	if (w->source == NAT_DONE) {
		assert_true(addr_equal(&outside, &foreseen));
		assert_true(!foreseen_port || foreseen_port == port);
		memcpy(w->leaves.src, outside.bytes, 16);
		w->leaves.sport = port;
	}
	tell(w->leaves.src, w->leaves.family, w->src);
	tell(w->leaves.dst, w->leaves.family, w->dst);
	w->sport = ntohs(w->leaves.sport);
	w->dport = ntohs(w->leaves.dport);
}

static inline struct way send_key(struct lab *l, const char *in, struct flow_key k,
				  unsigned attempt)
{
	struct match_packet p = { .key = k,
				  .in = names_get(&l->names, in),
				  .ct = CONF_CT_NEW,
				  .first = true,
				  .len = 100,
				  .ttl = 64 };
	struct way w = { .came = k, .claim.slot = NATPORT_NO_SLOT };
	struct match_packet dry = p;
	enum nat_verdict verdict;

	dry.dry = true;
	verdict = nat_destination(l->nat, &dry, &w.rule, &w.hairpin);
	w.destination = nat_destination(l->nat, &p, &w.rule, &w.hairpin);
	w.to = p.key;
	assert_int_equal(verdict, w.destination);
	assert_memory_equal(&dry.key, &w.to, sizeof(w.to));
	if (w.destination != NAT_NONE && w.destination != NAT_DONE)
		return w;
	p.out = names_get(&l->names, route(&p.key));
	source(l, &p, attempt, &w);
	return w;
}

static inline struct way go(struct lab *l, const char *in, uint8_t proto, const char *src,
			    uint16_t sport, const char *dst, uint16_t dport)
{
	return send_key(l, in, tuple(proto, src, sport, dst, dport), 0);
}

static inline struct way udp(struct lab *l, const char *in, const char *src, uint16_t sport,
			     const char *dst, uint16_t dport)
{
	return go(l, in, IPPROTO_UDP, src, sport, dst, dport);
}

static inline struct way tcp(struct lab *l, const char *in, const char *src, uint16_t sport,
			     const char *dst, uint16_t dport)
{
	return go(l, in, IPPROTO_TCP, src, sport, dst, dport);
}

/* The flow is over. */
static inline void over(struct lab *l, const struct way *w)
{
	struct addr remote = { .family = w->leaves.family };

	memcpy(remote.bytes, w->leaves.dst, 16);
	nat_give_back(l->ports, &w->claim, w->leaves.proto, w->sport, &remote);
}

#define assert_leaves(w, from, from_port, to, to_port)                                             \
	do {                                                                                       \
		assert_string_equal((w).src, from);                                                \
		assert_int_equal((w).sport, from_port);                                            \
		assert_string_equal((w).dst, to);                                                  \
		assert_int_equal((w).dport, to_port);                                              \
	} while (0)

#endif
