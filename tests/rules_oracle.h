/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rules and packets out of bytes, and what struct conf_match means, said as plainly as
 * possible: one rule after the other, one condition after the other. For test_match.c and
 * fuzz_rules.c, which hold the matcher against it.
 *
 * Values come from small pools full of edges, so that rules match often and almost match oftener.
 */
#ifndef TESTS_RULES_ORACLE_H
#define TESTS_RULES_ORACLE_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "router/net/match.h"
#include "tests/rules_fake.h"

struct bytes {
	const uint8_t *at, *end;
};

static inline unsigned take(struct bytes *b)
{
	return b->at < b->end ? *b->at++ : 0;
}

/* One time in n. */
static inline bool seldom(struct bytes *b, unsigned n)
{
	return take(b) % n == n - 1;
}

/* ---- what there is */

#define ORACLE_RULES 1200
#define ORACLE_LIST  3

struct oracle {
	struct sets sets;
	struct limits limits;
	struct names names;
	struct conf conf;
	struct conf_zone zone[2];
	char zone_name[2][CONF_NAME];
	struct match_context c;
	unsigned n;
	struct conf_match rule[ORACLE_RULES];
	const struct conf_match *list[ORACLE_RULES];
	/* what the rules point to */
	struct conf_range range[ORACLE_RULES][2][ORACLE_LIST];
	struct conf_port_range port[ORACLE_RULES][2][ORACLE_LIST];
	char name[ORACLE_RULES][2][ORACLE_LIST][CONF_NAME];
	uint8_t proto[ORACLE_RULES][ORACLE_LIST];
	struct conf_icmp icmp[ORACLE_RULES][ORACLE_LIST];
	/* numbers of limits, as handed out: rates, connections */
	uint16_t rate[ORACLE_RULES], connections[ORACLE_RULES];
};

static inline struct addr random_addr(struct bytes *b, int family)
{
	struct addr a = { .family = (uint8_t)family };
	unsigned kind = take(b), n = take(b), len = family == AF_INET ? 4 : 16;

	memset(a.bytes, kind % 16 == 0 ? 0xff : 0, len);
	if (kind % 16 < 2)
		return a;
	a.bytes[0] = family == AF_INET ? 10 : 0x20;
	a.bytes[7 % len] = (uint8_t)(n >> 6);
	a.bytes[len - 1] = (uint8_t)(n & 15);
	if (seldom(b, 8))
		a.bytes[len - 1] |= 0xf0;
	return a;
}

static inline unsigned random_port(struct bytes *b)
{
	static const uint16_t pool[] = { 0, 1, 79, 80, 81, 443, 1023, 1024, 65534, 65535 };

	return pool[take(b) % 10];
}

static inline uint8_t random_proto(struct bytes *b)
{
	static const uint8_t pool[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
		0,	     255,	  IPPROTO_GRE,	IPPROTO_SCTP,
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_DCCP, IPPROTO_TCP,
	};

	return pool[take(b) % 12];
}

static inline void random_range(struct bytes *b, int family, struct conf_range *r)
{
	struct addr a = random_addr(b, family), z = random_addr(b, family);

	if (seldom(b, 2))
		z = a;
	r->first = addr_cmp(&a, &z) <= 0 ? a : z;
	r->last = addr_cmp(&a, &z) <= 0 ? z : a;
}

static inline void random_addresses(struct bytes *b, struct conf_addresses *a,
				    struct conf_range *room)
{
	unsigned what = take(b);

	a->negate = seldom(b, 4);
	if (what % 8 < 3)
		return;
	if (what % 8 == 7) {
		strcpy(a->set, what & 8 ? "hosts" : "banned");
		return;
	}
	a->ranges = room;
	a->nranges = 1 + take(b) % ORACLE_LIST;
	for (unsigned i = 0; i < a->nranges; i++)
		random_range(b, seldom(b, 3) ? AF_INET6 : AF_INET, &room[i]);
}

static inline void random_ports(struct bytes *b, struct conf_ports *p, struct conf_port_range *room)
{
	unsigned what = take(b);

	p->negate = seldom(b, 4);
	if (what % 8 < 5)
		return;
	if (what % 8 == 7) {
		strcpy(p->set, "ports");
		return;
	}
	p->ranges = room;
	p->nranges = 1 + take(b) % ORACLE_LIST;
	for (unsigned i = 0; i < p->nranges; i++) {
		unsigned x = random_port(b), y = seldom(b, 2) ? random_port(b) : x;

		room[i].first = (uint16_t)(x < y ? x : y);
		room[i].last = (uint16_t)(x < y ? y : x);
	}
}

static inline void random_names(struct bytes *b, struct conf_names *l, char (*room)[CONF_NAME])
{
	static const char *const pool[] = { "if1", "if2", "if3", "if4", "lan", "empty" };
	unsigned what = take(b);

	l->negate = seldom(b, 4);
	if (what % 8 < 5)
		return;
	if (what % 8 == 7) {
		strcpy(l->set, "ifs");
		return;
	}
	l->names = room;
	l->nnames = 1 + take(b) % ORACLE_LIST;
	for (unsigned i = 0; i < l->nnames; i++)
		strcpy(room[i], pool[take(b) % 6]);
}

static inline void random_rest(struct bytes *b, struct conf_match *r)
{
	if (seldom(b, 8)) {
		r->flags_mask = take(b) & 0x3f;
		r->flags = (uint8_t)(take(b) & r->flags_mask);
	}
	if (seldom(b, 8))
		r->dscp = 1ull << take(b) % 4 | 1ull << 46;
	if (seldom(b, 8)) {
		r->has_mark = true;
		r->mark = take(b) & 3;
		r->mark_mask = seldom(b, 2) ? 1 : UINT32_MAX;
	}
	if (seldom(b, 6))
		r->ct = take(b) & 31;
	if (seldom(b, 8))
		r->status = take(b) & 15;
	if (seldom(b, 8)) {
		r->length_min = (uint16_t)(take(b) * 4);
		r->length_max = (uint16_t)(r->length_min + take(b) * 2);
	}
	if (seldom(b, 8)) {
		r->ttl_min = take(b) & 63;
		r->ttl_max = (uint8_t)(r->ttl_min + (take(b) & 63));
	}
	if (seldom(b, 8))
		r->fragment = 1 + (take(b) & 1);
	if (seldom(b, 12)) {
		r->rate.used = true;
		r->rate.over = take(b) & 1;
	}
	if (seldom(b, 12))
		r->connections_over = 1;
	if (seldom(b, 12)) {
		strcpy(r->lookup.set, "pairs");
		r->lookup.negate = seldom(b, 3);
		r->lookup.nkey = 2;
		r->lookup.key[0] = CONF_SOURCE_FROM;
		r->lookup.key[1] = CONF_SOURCE_DPORT;
	}
}

static inline void random_rule(struct bytes *b, struct oracle *o, unsigned i)
{
	struct conf_match *r = &o->rule[i];

	memset(r, 0, sizeof(*r));
	o->list[i] = r;
	random_addresses(b, &r->from, o->range[i][0]);
	random_addresses(b, &r->to, o->range[i][1]);
	random_ports(b, &r->sport, o->port[i][0]);
	random_ports(b, &r->dport, o->port[i][1]);
	random_names(b, &r->in, o->name[i][0]);
	random_names(b, &r->out, o->name[i][1]);
	if (seldom(b, 6))
		r->family = take(b) & 1 ? AF_INET : AF_INET6;
	if (seldom(b, 3)) {
		r->protos = o->proto[i];
		r->nprotos = 1 + take(b) % ORACLE_LIST;
		for (unsigned k = 0; k < r->nprotos; k++)
			o->proto[i][k] = random_proto(b);
	}
	if (seldom(b, 8)) {
		r->icmp = o->icmp[i];
		r->nicmp = 1 + take(b) % ORACLE_LIST;
		for (unsigned k = 0; k < r->nicmp; k++)
			o->icmp[i][k] =
				(struct conf_icmp){ take(b) & 1 ? AF_INET : AF_INET6, take(b) & 3,
						    (int16_t)(take(b) % 3) - 1 };
	}
	random_rest(b, r);
}

static inline void random_packet(struct bytes *b, struct match_packet *p)
{
	int family = seldom(b, 3) ? AF_INET6 : AF_INET;
	struct addr src = random_addr(b, family), dst = random_addr(b, family);

	memset(p, 0, sizeof(*p));
	memcpy(p->key.src, src.bytes, 16);
	memcpy(p->key.dst, dst.bytes, 16);
	p->key.family = (uint8_t)family;
	p->key.proto = random_proto(b);
	p->fragment = seldom(b, 8);
	p->key.sport = htons((uint16_t)random_port(b));
	p->key.dport = htons((uint16_t)random_port(b));
	p->in = (uint16_t)(take(b) % 6);
	p->out = (uint16_t)(take(b) % 6);
	p->ct = (uint8_t)(1u << take(b) % 5);
	p->status = take(b) & 15;
	p->tos = (uint8_t)((seldom(b, 4) ? 46 : take(b) & 3) << 2 | (take(b) & 3));
	p->ttl = take(b) & 127;
	p->tcp_flags = take(b) & 0x3f;
	p->icmp_type = take(b) & 3;
	p->icmp_code = take(b) & 1;
	p->first = take(b) & 1;
	p->len = (uint16_t)(take(b) * 6);
	p->mark = take(b) & 3;
}

/* ---- what rules mean */

static inline bool has_ports(const struct match_packet *p)
{
	uint8_t x = p->key.proto;

	return x == 6 || x == 17 || x == 33 || x == 132 || x == 136;
}

static inline bool in_set(const struct oracle *o, const char *name, const struct set_key *k)
{
	return set_has(sets_find((struct sets *)(uintptr_t)&o->sets, name), k, 0);
}

static inline bool naive_addresses(const struct oracle *o, const struct conf_addresses *a,
				   const struct match_packet *p, const uint8_t *bytes)
{
	struct addr x = { .family = p->key.family };
	bool spoken = false, found = false;
	struct set_key k = { 0 };

	memcpy(x.bytes, bytes, 16);
	set_key_address(&k, x.family, bytes);
	if (a->set[0])
		return in_set(o, a->set, &k) != a->negate;
	for (unsigned i = 0; i < a->nranges; i++) {
		if (a->ranges[i].first.family != x.family)
			continue;
		spoken = true;
		found |= addr_cmp(&a->ranges[i].first, &x) <= 0 &&
			 addr_cmp(&x, &a->ranges[i].last) <= 0;
	}
	return !a->nranges || (spoken && found != a->negate);
}

static inline bool naive_ports(const struct oracle *o, const struct conf_ports *l,
			       const struct match_packet *p, uint16_t port)
{
	struct set_key k = { 0 };
	bool found = false;

	if (!l->set[0] && !l->nranges)
		return true;
	if (!has_ports(p))
		return false;
	set_key_value(&k, port);
	if (l->set[0])
		return in_set(o, l->set, &k) != l->negate;
	for (unsigned i = 0; i < l->nranges; i++)
		found |= port >= l->ranges[i].first && port <= l->ranges[i].last;
	return found != l->negate;
}

static inline bool naive_names(const struct oracle *o, const struct conf_names *l, uint16_t number)
{
	const char *name = names_text(&o->names, number);
	struct set_key k = { 0 };
	bool found = false;

	set_key_value(&k, number);
	if (l->set[0])
		return in_set(o, l->set, &k) != l->negate;
	for (unsigned i = 0; i < l->nnames; i++)
		found |= !strcmp(l->names[i], name) ||
			 (!strcmp(l->names[i], "lan") &&
			  (!strcmp(name, "if1") || !strcmp(name, "if2")));
	return !l->nnames || found != l->negate;
}

static inline bool naive_protocols(const struct conf_match *r, const struct match_packet *p)
{
	bool listed = !r->nprotos, icmp = !r->nicmp;

	for (unsigned i = 0; i < r->nprotos; i++)
		listed |= r->protos[i] == p->key.proto;
	for (unsigned i = 0; i < r->nicmp; i++)
		icmp |= r->icmp[i].family == p->key.family &&
			p->key.proto == (p->key.family == AF_INET ? 1 : 58);
	return listed && icmp && (!r->flags_mask || p->key.proto == 6);
}

/* All that is the same for a flow. */
static inline bool naive_flow(const struct oracle *o, const struct conf_match *r,
			      const struct match_packet *p)
{
	struct set_key pair = { 0 };
	if (r->family && r->family != p->key.family)
		return false;
	if (!naive_addresses(o, &r->from, p, p->key.src) ||
	    !naive_addresses(o, &r->to, p, p->key.dst) ||
	    !naive_ports(o, &r->sport, p, ntohs(p->key.sport)) ||
	    !naive_ports(o, &r->dport, p, ntohs(p->key.dport)) || !naive_names(o, &r->in, p->in) ||
	    !naive_names(o, &r->out, p->out) || !naive_protocols(r, p))
		return false;
	if (r->has_mark && (p->mark & r->mark_mask) != (r->mark & r->mark_mask))
		return false;
	if (!r->lookup.set[0])
		return true;
	set_key_address(&pair, p->key.family, p->key.src);
	set_key_value(&pair, ntohs(p->key.dport));
	return has_ports(p) && in_set(o, r->lookup.set, &pair) != r->lookup.negate;
}

static inline bool naive_looks_at_packet(const struct conf_match *r)
{
	return r->length_max || r->ttl_max || r->dscp || r->flags_mask || r->nicmp || r->fragment;
}

static inline bool naive_packet(const struct conf_match *r, const struct match_packet *p)
{
	bool icmp = !r->nicmp;

	for (unsigned i = 0; i < r->nicmp; i++)
		icmp |= r->icmp[i].family == p->key.family && r->icmp[i].type == p->icmp_type &&
			(r->icmp[i].code == -1 || r->icmp[i].code == p->icmp_code);
	return icmp && (!r->length_max || (p->len >= r->length_min && p->len <= r->length_max)) &&
	       (!r->ttl_max || (p->ttl >= r->ttl_min && p->ttl <= r->ttl_max)) &&
	       (!r->dscp || r->dscp & 1ull << (p->tos >> 2)) &&
	       (!r->flags_mask || (!p->fragment && (p->tcp_flags & r->flags_mask) == r->flags)) &&
	       (!r->fragment || (r->fragment == 1) == p->fragment);
}

/* asked[i] grows where rule i's limits were asked. */
static inline bool naive_rule(const struct oracle *o, unsigned i, struct match_packet *p,
			      unsigned *asked)
{
	const struct conf_match *r = &o->rule[i];
	bool syn;

	if (!naive_flow(o, r, p))
		return false;
	p->used_ct |= r->ct || r->status;
	if ((r->ct && !(r->ct & p->ct)) || (r->status && !(r->status & p->status)))
		return false;
	syn = r->flags_mask & r->flags & 2;
	p->varies |= naive_looks_at_packet(r) && !syn;
	if (!naive_packet(r, p))
		return false;
	if (r->connections_over) {
		if (!p->first)
			return false;
		asked[o->connections[i]]++;
		for (unsigned c = 0; c < MATCH_LIMITS; c++) {
			if (p->counted[c] && p->counted[c] != o->connections[i])
				continue;
			p->counted[c] = o->connections[i];
			break;
		}
		if (o->limits.within[o->connections[i]])
			return false;
		p->varies = true;
	}
	if (!r->rate.used)
		return true;
	p->varies |= !syn;
	asked[o->rate[i]]++;
	return o->limits.within[o->rate[i]] != r->rate.over;
}

static inline unsigned naive_next(const struct oracle *o, unsigned from, struct match_packet *p,
				  unsigned *asked)
{
	for (unsigned i = from; i < o->n; i++)
		if (naive_rule(o, i, p, asked))
			return i;
	return o->n;
}

/* ---- a world of rules */

static inline const char *oracle_name(void *arg, unsigned i)
{
	static char name[16];

	(void)arg;
	snprintf(name, sizeof(name), "%u", i);
	return name;
}

static inline void oracle_sets(struct oracle *o)
{
	struct set *hosts = fake_set(&o->sets, "hosts");
	struct set *banned = fake_set(&o->sets, "banned");
	struct set *ports = fake_set(&o->sets, "ports");
	struct set *ifs = fake_set(&o->sets, "ifs");
	struct set *pairs = fake_set(&o->sets, "pairs");
	const uint8_t seed[] = { 9, 3, 1, 7, 5, 66, 4, 2, 13, 200, 3, 17, 2, 5, 8, 1, 1, 1 };
	struct bytes b = { seed, seed + sizeof(seed) };

	for (unsigned i = 0; i < 6; i++) {
		struct addr a = random_addr(&b, i & 1 ? AF_INET6 : AF_INET);
		struct set_key k = { 0 }, port = { 0 }, number = { 0 };

		set_key_address(&k, a.family, a.bytes);
		set_add(i < 3 ? hosts : banned, &k, 0);
		set_key_value(&k, i & 2 ? 80 : 443);
		set_add(pairs, &k, 0);
		set_key_value(&port, i * 40);
		set_add(ports, &port, 0);
		set_key_value(&number, 1 + i % 2);
		set_add(ifs, &number, 0);
	}
}

static inline void oracle_init(struct oracle *o)
{
	static char lan[2][CONF_NAME] = { "if1", "if2" };

	o->sets.n = 0;
	memset(&o->limits, 0, sizeof(o->limits));
	memset(&o->conf, 0, sizeof(o->conf));
	memset(o->zone, 0, sizeof(o->zone));
	memset(&o->names, 0, sizeof(o->names));
	strcpy(o->zone[0].name, "lan");
	o->zone[0].interfaces.names = lan;
	o->zone[0].interfaces.nnames = 2;
	strcpy(o->zone[1].name, "empty");
	o->conf.zones = o->zone;
	o->conf.nzones = 2;
	o->c = (struct match_context){ &o->conf, &o->names, &o->sets, &o->limits };
	for (unsigned i = 1; i <= 4; i++)
		names_get(&o->names, (const char[4]){ 'i', 'f', (char)('0' + i), 0 });
	oracle_sets(o);
}

/* Rules out of b; their limits say now yes, now no. */
static inline int oracle_build(struct oracle *o, struct bytes *b, unsigned n, struct matcher **out)
{
	char why[128];
	int rc;

	o->n = n;
	for (unsigned i = 0; i < n; i++)
		random_rule(b, o, i);
	rc = matcher_build(&o->c, o->list, n, oracle_name, NULL, out, why, sizeof(why));
	for (unsigned i = 0; i < n; i++)
		o->rate[i] = o->connections[i] = 0;
	for (unsigned l = 1, i; l <= o->limits.n; l++) {
		i = (unsigned)atoi(o->limits.name[l]);
		if (o->rule[i].rate.used && !o->rate[i])
			o->rate[i] = (uint16_t)l;
		else
			o->connections[i] = (uint16_t)l;
		o->limits.within[l] = take(b) & 1;
		o->limits.asked[l] = 0;
	}
	return rc;
}

/* Is what the matcher says of p, from rule `from` on, what the rules mean? */
static inline bool oracle_agrees(struct oracle *o, const struct matcher *m, unsigned from,
				 const struct match_packet *p)
{
	static unsigned asked[FAKE_LIMITS + 1];
	struct match_packet a = *p, b = *p;
	unsigned want, got;

	memset(asked, 0, sizeof(asked));
	memset(o->limits.asked, 0, sizeof(asked));
	want = naive_next(o, from, &a, asked);
	got = matcher_next(m, from, &b);
	return want == got && !memcmp(&a, &b, sizeof(a)) &&
	       !memcmp(asked, o->limits.asked, sizeof(asked));
}

#endif
