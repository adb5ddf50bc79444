/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/state_rules and router/net/rules: random sets of rules, tables and packets are held to an
 * interpreter that asks one rule after the other and compares all prefixes of a table (F19).
 */
#include "tests/random.h"
#include "tests/unit/rules_lab.h"

#include "router/lib/log.h"

/* ---- what is told, and remembered for the interpreter */

#define RULES_MOST  40
#define ROUTES_MOST 120

static struct netlink_rule rules[RULES_MOST];
static unsigned nrules;
static struct {
	uint32_t table;
	struct prefix dst;
} routes[ROUTES_MOST];
static unsigned nroutes;

static uint64_t random_state;

static unsigned dice(unsigned sides)
{
	return random_below(&random_state, sides);
}

/* ---- the interpreter */

static bool inside(const struct prefix *p, const uint8_t *a)
{
	struct addr x = { .family = p->addr.family };

	memcpy(x.bytes, a, p->addr.family == AF_INET6 ? 16 : 4);
	return prefix_contains(p, &x);
}

static bool port_ok(const struct netlink_ports *r, uint16_t port)
{
	if (!r->first && !r->last)
		return true;
	return r->mask ? (r->first & r->mask) == (port & r->mask)
		       : r->first <= port && port <= r->last;
}

static bool matches(const struct netlink_rule *r, const char *iif, const char *vrf,
		    const struct rule_packet *p)
{
	uint8_t tos = r->family == AF_INET ? p->tos & 0x1c : p->tos & 0xfc;
	bool ok = true;

	ok &= !r->iif[0] || !strcmp(r->iif, iif) || (vrf && !strcmp(r->iif, vrf));
	ok &= !r->oif[0];
	ok &= !r->l3mdev || vrf;
	ok &= !r->tun_id;
	ok &= !r->has_uid || r->uid_first == 0;
	ok &= !r->from.len || inside(&r->from, p->src);
	ok &= !r->to.len || inside(&r->to, p->dst);
	ok &= (p->mark & r->mark_mask) == (r->mark & r->mark_mask);
	if (r->has_dscp)
		ok &= ((p->tos >> 2) & r->dscp_mask) == (r->dscp & r->dscp_mask);
	else
		ok &= !r->tos || r->tos == tos;
	ok &= !r->ipproto || r->ipproto == p->proto;
	ok &= port_ok(&r->sport, p->sport) && port_ok(&r->dport, p->dport);
	ok &= (p->label & r->label_mask) == (r->label & r->label_mask);
	return ok != r->invert;
}

/* The slot of the longest match in a table that is no throw and not suppressed, or FIB_NONE. */
static uint32_t look(uint32_t table, const uint8_t *dst, int suppress)
{
	const struct prefix *best = NULL;
	const struct route *r;
	bool refusal;

	for (unsigned i = 0; i < nroutes; i++)
		if (routes[i].table == table && inside(&routes[i].dst, dst) &&
		    (!best || routes[i].dst.len > best->len))
			best = &routes[i].dst;
	r = best ? state_route_exact(s, table, best) : NULL;
	if (!r || r->type == RTN_THROW)
		return FIB_NONE;
	refusal = r->type == RTN_BLACKHOLE || r->type == RTN_UNREACHABLE || r->type == RTN_PROHIBIT;
	return r->dst.len <= suppress && !refusal ? FIB_NONE : r->path->slot;
}

static uint32_t interpret(int family, const char *iif, const char *vrf, uint32_t vrf_table,
			  const struct rule_packet *p)
{
	for (unsigned i = 0; i < nrules; i++) {
		const struct netlink_rule *r = &rules[i];
		uint32_t slot;

		if (r->family != family || r->unknown || !matches(r, iif, vrf, p))
			continue;
		switch (r->action) {
		case FR_ACT_TO_TBL:
			slot = look(r->table ? r->table : vrf_table, p->dst, r->suppress_len);
			if (slot)
				return slot;
			break;
		case FR_ACT_GOTO:
			for (unsigned k = 0; k < nrules; k++) {
				if (rules[k].family != family || rules[k].priority != r->target)
					continue;
				i = k - 1;
				break;
			}
			break;
		case FR_ACT_BLACKHOLE: return s->blackhole;
		case FR_ACT_PROHIBIT: return s->prohibit;
		case FR_ACT_UNREACHABLE: return FIB_NONE;
		}
	}
	return FIB_NONE;
}

/* ---- chance */

static struct prefix some_prefix(int family, bool whole)
{
	static const uint8_t lens4[] = { 0, 8, 14, 16, 23, 24, 32 },
			     lens6[] = { 0, 32, 46, 48, 63, 64, 128 };
	struct prefix p = { .addr = { .family = (uint8_t)family } };
	uint8_t *b = p.addr.bytes;
	unsigned at = 1;

	b[0] = 10;
	if (family == AF_INET6) {
		memcpy(b, "\x20\x01\x0d\xb8", 4);
		b[5] = (uint8_t)dice(2);
		at = 7;
		b[15] = (uint8_t)dice(2);
	} else {
		b[3] = (uint8_t)dice(2);
		b[2] = (uint8_t)dice(4);
	}
	b[at] = (uint8_t)dice(4);
	p.len = family == AF_INET6 ? lens6[dice(7)] : lens4[dice(7)];
	if (whole)
		p.len = family == AF_INET6 ? 128 : 32;
	return prefix_masked(&p);
}

static void some_packet(int family, struct rule_packet *p, struct addr addr[2])
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	addr[0] = some_prefix(family, true).addr;
	addr[1] = some_prefix(family, true).addr;
	*p = (struct rule_packet){ .src = addr[0].bytes,
				   .dst = addr[1].bytes,
				   .mark = dice(4),
				   .label = family == AF_INET6 ? dice(3) : 0,
				   .sport = (uint16_t)dice(5),
				   .dport = (uint16_t)dice(5),
				   .tos = (uint8_t)(dice(16) << 2 | dice(4)),
				   .proto = protos[dice(3)] };
}

static void some_tables(int family)
{
	static const uint32_t tables[] = { TABLE_MAIN, TABLE_MAIN, TABLE_LOCAL, TABLE_DEFAULT,
					   100,	       101,	   RED + 1000 };
	static const uint8_t types[] = { RTN_UNICAST, RTN_UNICAST,     RTN_UNICAST,
					 RTN_THROW,   RTN_UNREACHABLE, RTN_BLACKHOLE };

	for (unsigned i = 0; i < 30; i++) {
		uint32_t table = tables[dice(7)];
		struct prefix dst = some_prefix(family, table == TABLE_LOCAL && dice(4));
		struct netlink_route *r = route_to("10.0.0.0/8");
		bool known = false;

		for (unsigned k = 0; k < nroutes; k++)
			known |= routes[k].table == table && prefix_equal(&routes[k].dst, &dst);
		if (known)
			continue;
		r->dst = dst;
		r->table = table;
		r->type = types[dice(6)];
		r->mtu = 1000 + nroutes; /* a path of its own, so that the slot tells the route */
		if (r->type == RTN_UNICAST)
			hop(r, LAN, NULL, 1);
		tell(r);
		routes[nroutes].table = table;
		routes[nroutes++].dst = dst;
	}
}

static void some_conditions(struct netlink_rule *r)
{
	int family = r->family;

	if (!dice(3))
		r->from = some_prefix(family, false);
	if (!dice(3))
		r->to = some_prefix(family, false);
	if (!dice(4)) {
		r->mark = dice(4);
		r->mark_mask = 1 + dice(3);
	}
	if (!dice(6)) {
		r->has_dscp = true;
		r->dscp = (uint8_t)dice(16);
		r->dscp_mask = dice(2) ? 0x3f : 0x03;
	} else if (!dice(5)) {
		r->tos = (uint8_t)(4 << dice(3));
	}
	if (!dice(5))
		r->ipproto = IPPROTO_UDP;
	if (!dice(5))
		r->sport = (struct netlink_ports){ 1, 3, 0 };
	if (!dice(5))
		r->dport = (struct netlink_ports){ 2, 2, 1 };
	if (!dice(8) && family == AF_INET6)
		r->label = r->label_mask = 1;
	if (!dice(5))
		strcpy(r->iif, (const char *[]){ "lan", "wan", "lo", "red", "none" }[dice(5)]);
	if (!dice(15))
		strcpy(r->oif, "lan");
	if (!dice(15))
		r->tun_id = 7;
	if (!dice(12)) {
		r->has_uid = true;
		r->uid_first = dice(2);
		r->uid_last = 1000;
	}
	r->invert = !dice(4);
	r->unknown = !dice(12);
}

static void some_rule(int family)
{
	static const uint32_t tables[] = { TABLE_LOCAL, TABLE_MAIN, TABLE_DEFAULT, 100, 101, 102 };
	static const uint8_t acts[] = { FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_UNREACHABLE,
					FR_ACT_NOP,	  FR_ACT_GOTO,	   FR_ACT_GOTO };
	struct netlink_rule r = rule_of(family, dice(60), tables[dice(6)]);
	unsigned at = 0;

	some_conditions(&r);
	if (!dice(4) && family == AF_INET) { /* also without custom rules of IPv6 */
		r.table = 0;
		r.l3mdev = true;
	} else if (!dice(3)) {
		r.suppress_len = (int)dice(25);
	} else if (!dice(3)) {
		r.action = acts[dice(6)];
		r.table = 0;
		r.target = r.action == FR_ACT_GOTO ? r.priority + 1 + dice(40) : 0;
	}
	rule(&r);
	while (at < nrules && rules[at].priority <= r.priority)
		at++;
	memmove(&rules[at + 1], &rules[at], (nrules - at) * sizeof(rules[0]));
	memcpy(&rules[at], &r, sizeof(r));
	nrules++;
}

static void compare(int family)
{
	for (unsigned i = 0; i < 300; i++) {
		struct rule_packet p;
		struct addr a[2];

		some_packet(family, &p, a);
		assert_int_equal(ask(LAN, family, false, &p),
				 interpret(family, "lan", NULL, 0, &p));
		assert_int_equal(ask(WAN, family, false, &p),
				 interpret(family, "wan", "red", RED + 1000, &p));
		assert_int_equal(ask(LAN, family, true, &p), interpret(family, "lo", NULL, 0, &p));
	}
}

/* The link wan goes into a VRF. */
static void wan_into_vrf(void)
{
	struct netlink_link red = {
		.ifindex = RED, .name = "red", .kind = "vrf", .vrf_table = RED + 1000, .flags = UP
	};
	struct netlink_link wan = state_link(s, WAN)->l;

	state_netlink_ops.link(s, &red);
	wan.master = RED;
	state_netlink_ops.link(s, &wan);
}

/* One world of rules and routes that change. */
static void random_world(uint64_t seed, int family)
{
	random_state = seed * 2 + 1;
	nrules = nroutes = 0;
	assert_int_equal(network_up(NULL), 0);
	wan_into_vrf();
	routes_forget(s);
	some_tables(family);
	for (unsigned i = dice(RULES_MOST - 4) + 1; i > 0; i--)
		some_rule(family);
	state_publish(s);
	compare(family);
	for (unsigned i = 0; i < 3 && nrules > 1; i++) {
		unsigned k = dice(nrules);

		rule_gone(rules[k]);
		for (unsigned x = 0; x < k; x++) /* of twins, the first is the one that goes */
			if (!memcmp(&rules[x], &rules[k], sizeof(rules[0])))
				k = x;
		memmove(&rules[k], &rules[k + 1], (--nrules - k) * sizeof(rules[0]));
		some_tables(family);
		state_publish(s);
		compare(family);
	}
	network_down(NULL);
}

static void rules_decide_as_one_after_the_other(void **state)
{
	(void)state;
	log_init(LOG_ERROR); /* rules that are not understood are said to be so */
	for (uint64_t seed = 1; seed <= 120; seed++) {
		random_world(seed, AF_INET);
		random_world(seed, AF_INET6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_decide_as_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
