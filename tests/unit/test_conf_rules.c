// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the YAML of sets, zones, filter, nat and conntrack becomes in struct conf, for those who
 * compile it; and the rules that zones mean. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "config/conf.h"
#include "tests/unit/conf_util.h"

static void assert_range(const struct conf_range *r, const char *first, const char *last)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	assert_string_equal(addr_format(&r->first, a), first);
	assert_string_equal(addr_format(&r->last, b), last);
}

/* A file with one filter rule, in braces. */
static struct conf *load_rule(const char *rule)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "version: 1\ninterfaces: {lan0: {}, wan0: {}}\n"
		 "sets: {banned: {type: address}, pairs: {type: [address, port]}}\n"
		 "filter:\n  other: {}\n  f:\n    hook: forward\n    rules:\n      - %s\n",
		 rule);
	return load_good("t.yaml", text);
}

static const struct conf_rule *the_rule(const struct conf *c)
{
	return &c->chains[1].rules[0];
}

static void test_match_keys(void **state)
{
	struct conf *c = load_rule(
		"{from: [10.0.0.0/8, 11.0.0.1-11.0.0.9, \"2001:db8::/32\"], to: \"!192.0.2.1\", "
		"in: lan0, out: \"!wan0\", proto: [tcp, 17], sport: [\"!22\", \"!80-81\"], "
		"dport: 443, dscp: [ef, 1], mark: 0x10/0xff, ct: [new, related], status: [snat, "
		"dnat], length: 64-1500, ttl: 1, fragment: false}");
	const struct conf_match *m = &the_rule(c)->match;
	(void)state;

	assert_int_equal(m->from.nranges, 3);
	assert_false(m->from.negate);
	assert_range(&m->from.ranges[0], "10.0.0.0", "10.255.255.255");
	assert_range(&m->from.ranges[1], "11.0.0.1", "11.0.0.9");
	assert_range(&m->from.ranges[2], "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_true(m->to.negate);
	assert_range(&m->to.ranges[0], "192.0.2.1", "192.0.2.1");
	assert_string_equal(m->in.names[0], "lan0");
	assert_true(m->out.negate);
	assert_string_equal(m->out.names[0], "wan0");
	assert_int_equal(m->nprotos, 2);
	assert_int_equal(m->protos[0], 6);
	assert_int_equal(m->protos[1], 17);
	assert_true(m->sport.negate);
	assert_int_equal(m->sport.nranges, 2);
	assert_int_equal(m->sport.ranges[1].last, 81);
	assert_int_equal(m->dport.ranges[0].first, 443);
	assert_true(m->dscp == (1ull << 46 | 1ull << 1));
	assert_true(m->has_mark);
	assert_int_equal(m->mark, 0x10);
	assert_int_equal(m->mark_mask, 0xff);
	assert_int_equal(m->ct, CONF_CT_NEW | CONF_CT_RELATED);
	assert_int_equal(m->status, CONF_STATUS_SNAT | CONF_STATUS_DNAT);
	assert_int_equal(m->length_min, 64);
	assert_int_equal(m->length_max, 1500);
	assert_int_equal(m->ttl_min, 1);
	assert_int_equal(m->ttl_max, 1);
	assert_int_equal(m->fragment, 2);
	conf_destroy(c);
}

static void test_match_more_keys(void **state)
{
	struct conf *c = load_rule(
		"{from: \"!@banned\", icmp: [echo-request, {type: 3, code: "
		"4}], icmpv6: 128, rate: {over: 50/s, burst: 100, per: source}, connections: "
		"{over: "
		"20}, lookup: {key: [from, dport], set: pairs, not: true}}");
	const struct conf_match *m = &the_rule(c)->match;
	(void)state;

	assert_string_equal(m->from.set, "banned");
	assert_true(m->from.negate);
	assert_int_equal(m->nicmp, 3);
	assert_int_equal(m->icmp[0].family, AF_INET);
	assert_int_equal(m->icmp[0].type, 8);
	assert_int_equal(m->icmp[0].code, -1);
	assert_int_equal(m->icmp[1].type, 3);
	assert_int_equal(m->icmp[1].code, 4);
	assert_int_equal(m->icmp[2].family, AF_INET6);
	assert_int_equal(m->icmp[2].type, 128);
	assert_true(m->rate.used && m->rate.over);
	assert_int_equal(m->rate.count, 50);
	assert_int_equal(m->rate.period_ms, 1000);
	assert_int_equal(m->rate.burst, 100);
	assert_int_equal(m->rate.per, CONF_PER_SOURCE);
	assert_int_equal(m->connections_over, 20);
	assert_string_equal(m->lookup.set, "pairs");
	assert_true(m->lookup.negate);
	assert_int_equal(m->lookup.nkey, 2);
	assert_int_equal(m->lookup.key[1], CONF_SOURCE_DPORT);
	conf_destroy(c);
}

static void test_tcp_flags(void **state)
{
	static const struct {
		const char *text;
		uint8_t flags, mask;
	} cases[] = {
		{ "syn", 0x02, 0x17 },	       { "syn/syn+ack", 0x02, 0x12 },
		{ "ack", 0x10, 0x10 },	       { "none/rst", 0, 0x04 },
		{ "fin+psh+urg", 0x29, 0x29 }, { "ece+cwr/ece+cwr", 0xc0, 0xc0 },
	};
	char rule[100];
	(void)state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(rule, sizeof(rule), "{proto: tcp, flags: %s}", cases[i].text);
		struct conf *c = load_rule(rule);
		assert_int_equal(the_rule(c)->match.flags, cases[i].flags);
		assert_int_equal(the_rule(c)->match.flags_mask, cases[i].mask);
		conf_destroy(c);
	}
}

static void test_match_nothing(void **state)
{
	struct conf *c = load_rule("{action: accept}");
	struct conf_match none = { 0 };
	(void)state;

	assert_memory_equal(&the_rule(c)->match, &none, sizeof(none));
	conf_destroy(c);
}

static void test_rate_burst_default(void **state)
{
	struct conf *c = load_rule("{rate: {under: 3/m}}");
	(void)state;

	assert_false(the_rule(c)->match.rate.over);
	assert_int_equal(the_rule(c)->match.rate.period_ms, 60000);
	assert_int_equal(the_rule(c)->match.rate.burst, 5);
	conf_destroy(c);
}

static void test_actions(void **state)
{
	struct conf *c = load_rule(
		"{name: all, action: [{set-mark: 0x20/0xff}, {set-dscp: ef}, {mss-clamp: pmtu}, "
		"{add-to: pairs, key: [from, dport]}, count, restore-mark, save-mark, {reject: "
		"host-unreachable}], log: {limit: 1/m, prefix: \"x: \"}}");
	const struct conf_rule *r = the_rule(c);
	const struct conf_action *a = r->actions;
	(void)state;

	assert_string_equal(r->name, "all");
	assert_string_equal(r->file, "t.yaml");
	assert_int_equal(r->line, 9);
	assert_int_equal(r->nactions, 8);
	assert_int_equal(a[0].act, CONF_ACT_SET_MARK);
	assert_int_equal(a[0].value, 0x20);
	assert_int_equal(a[0].mask, 0xff);
	assert_int_equal(a[1].act, CONF_ACT_SET_DSCP);
	assert_int_equal(a[1].value, 46);
	assert_int_equal(a[2].act, CONF_ACT_MSS_CLAMP);
	assert_int_equal(a[2].value, 0);
	assert_int_equal(a[3].act, CONF_ACT_ADD_TO);
	assert_string_equal(a[3].name, "pairs");
	assert_int_equal(a[3].nkey, 2);
	assert_int_equal(a[4].act, CONF_ACT_COUNT);
	assert_int_equal(a[5].act, CONF_ACT_RESTORE_MARK);
	assert_int_equal(a[6].act, CONF_ACT_SAVE_MARK);
	assert_int_equal(a[7].act, CONF_ACT_REJECT);
	assert_int_equal(a[7].value, CONF_REJECT_HOST);
	assert_true(r->log.used);
	assert_int_equal(r->log.period_ms, 60000);
	assert_string_equal(r->log.prefix, "x: ");
	conf_destroy(c);
	c = load_rule("{action: reject, log: true}");
	assert_int_equal(the_rule(c)->actions[0].value, CONF_REJECT_DEFAULT);
	assert_int_equal(the_rule(c)->log.count, 10);
	conf_destroy(c);
	c = load_rule("{action: {jump: other}}");
	assert_int_equal(the_rule(c)->actions[0].act, CONF_ACT_JUMP);
	assert_string_equal(the_rule(c)->actions[0].name, "other");
	assert_false(the_rule(c)->log.used);
	conf_destroy(c);
}

static void test_chains(void **state)
{
	struct conf *c =
		load_good("t.yaml", "version: 1\nfilter:\n"
				    "  a: {hook: prerouting, priority: raw, policy: drop}\n"
				    "  b: {hook: postrouting, priority: filter+10}\n"
				    "  c: {hook: input, priority: -42}\n"
				    "  d: {}\n");
	(void)state;

	assert_int_equal(c->nchains, 4);
	assert_string_equal(c->chains[0].name, "a");
	assert_int_equal(c->chains[0].hook, CONF_HOOK_PREROUTING);
	assert_int_equal(c->chains[0].priority, -300);
	assert_true(c->chains[0].drop);
	assert_int_equal(c->chains[0].line, 3);
	assert_int_equal(c->chains[1].priority, 10);
	assert_int_equal(c->chains[2].priority, -42);
	assert_int_equal(c->chains[3].hook, CONF_HOOK_NONE);
	assert_false(c->chains[3].drop);
	conf_destroy(c);
}

static void test_nat(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	const struct conf_nat *s = c->nat_source, *d = c->nat_destination;
	(void)state;

	assert_int_equal(c->nnat_source, 3);
	assert_int_equal(s[0].kind, CONF_NAT_NONE);
	assert_int_equal(s[1].kind, CONF_NAT_POOL);
	assert_range(&s[1].pool[0], "203.0.113.3", "203.0.113.5");
	assert_int_equal(s[1].ports.first, 1024);
	assert_true(s[1].persistent);
	assert_string_equal(s[1].match.out.names[0], "wan");
	assert_int_equal(s[2].kind, CONF_NAT_MASQUERADE);
	assert_int_equal(s[2].mapping, CONF_MAPPING_EIM);
	assert_int_equal(s[2].filtering, CONF_FILTERING_APDF);
	assert_false(s[2].no_parity || s[2].sequential);
	assert_string_equal(s[2].file, "config/router.yaml");
	assert_int_equal(c->nnat_destination, 3);
	assert_int_equal(d[0].kind, CONF_NAT_DESTINATION);
	assert_true(d[0].hairpin);
	assert_int_equal(d[0].ports.last, 0);
	assert_range(&d[0].pool[0], "10.0.0.10", "10.0.0.10");
	assert_int_equal(d[0].match.to.nranges, 0);
	assert_range(&d[1].match.to.ranges[0], "203.0.113.2", "203.0.113.2");
	assert_int_equal(d[1].ports.last, 27100);
	assert_false(d[1].hairpin);
	assert_int_equal(d[2].kind, CONF_NAT_REDIRECT);
	assert_int_equal(c->nnat_static, 1);
	assert_int_equal(c->nat_static[0].kind, CONF_NAT_STATIC);
	assert_int_equal(c->nat_static[0].external.len, 32);
	assert_true(c->nat_static[0].hairpin);
	conf_destroy(c);
}

static void test_nat_switches(void **state)
{
	struct conf *c = load_good(
		"t.yaml", "version: 1\nnat: {source: [{pool: 192.0.2.0/30, parity: false, random: "
			  "false, mapping: apdm, filtering: eif, out: w}]}\ninterfaces: {w: {}}\n");
	(void)state;

	assert_int_equal(c->nat_source[0].kind, CONF_NAT_POOL);
	assert_true(c->nat_source[0].no_parity && c->nat_source[0].sequential);
	assert_int_equal(c->nat_source[0].mapping, CONF_MAPPING_APDM);
	assert_int_equal(c->nat_source[0].filtering, CONF_FILTERING_EIF);
	assert_range(&c->nat_source[0].pool[0], "192.0.2.0", "192.0.2.3");
	conf_destroy(c);
}

static bool tracked(const char *rest)
{
	char text[300];

	snprintf(text, sizeof(text), "version: 1\ninterfaces: {w: {}}\n%s", rest);
	struct conf *c = load_good("t.yaml", text);
	bool enabled = c->conntrack.enabled;
	conf_destroy(c);
	return enabled;
}

static void test_conntrack_enabled(void **state)
{
	(void)state;
	assert_false(tracked(""));
	assert_true(tracked("conntrack: {}"));
	assert_true(tracked("zones: {a: {interfaces: [w]}}"));
	assert_true(tracked("nat: {source: [{action: masquerade, out: w}]}"));
	assert_true(tracked("filter: {a: {hook: prerouting}}"));
	assert_true(tracked("filter: {a: {hook: forward}}"));
	assert_true(tracked("filter: {a: {hook: postrouting}}"));
	assert_false(tracked("filter: {a: {hook: input}}"));
	assert_false(tracked("sets: {a: {type: port}}"));
}

static void test_conntrack_profiles(void **state)
{
	struct conf *c = load_good("t.yaml", "version: 1\n");
	(void)state;

	assert_int_equal(c->conntrack.max, 1000000);
	assert_int_equal(c->conntrack.timeout[CONF_TIMEOUT_TCP_ESTABLISHED], 7440);
	assert_int_equal(c->conntrack.timeout[CONF_TIMEOUT_UDP], 300);
	assert_true(c->conntrack.loose && c->conntrack.checksum && c->conntrack.revive);
	assert_false(c->conntrack.liberal || c->conntrack.outbound_refresh);
	assert_int_equal(c->conntrack.max_retrans, 3);
	assert_int_equal(c->conntrack.fragments, 4096);
	assert_int_equal(c->conntrack.fragments_per_source, 64);
	conf_destroy(c);
	c = load_good("t.yaml", "version: 1\nconntrack: {timeouts: {udp: 2m30s, "
				"tcp-established: 5d}, profile: linux, when-full: drop-new, "
				"refresh: outbound, tcp-loose: false}\n");
	assert_int_equal(c->conntrack.timeout[CONF_TIMEOUT_TCP_ESTABLISHED], 432000);
	assert_int_equal(c->conntrack.timeout[CONF_TIMEOUT_UDP], 150);
	assert_int_equal(c->conntrack.timeout[CONF_TIMEOUT_ICMP], 30);
	assert_true(c->conntrack.drop_new && c->conntrack.outbound_refresh);
	assert_false(c->conntrack.revive || c->conntrack.loose);
	conf_destroy(c);
	c = load_good("t.yaml", "version: 1\nconntrack: {profile: linux, tcp-revive: true}\n");
	assert_true(c->conntrack.revive);
	conf_destroy(c);
}

static void test_sets(void **state)
{
	struct conf *c = load_good(
		"t.yaml",
		"version: 1\ninterfaces: {lan0: {}}\nsets:\n"
		"  a: {elements: [10.0.0.0/8, 11.0.0.1-11.0.0.3], type: prefix, size: 10}\n"
		"  b: {type: [address, port, proto], timeout: 10m, elements: [[10.0.0.1, 80, tcp], "
		"10.0.0.2 . 81-89 . 17, {element: [\"::1\", 1, 1], timeout: 1h}]}\n"
		"  c: {type: interface, elements: [lan0]}\n"
		"  d: {type: mark, elements: [0x10, 17]}\n");
	const struct conf_set *s = c->sets;
	(void)state;

	assert_int_equal(c->nsets, 4);
	assert_int_equal(s[0].ntypes, 1);
	assert_int_equal(s[0].type[0], CONF_FIELD_PREFIX);
	assert_int_equal(s[0].size, 10);
	assert_int_equal(s[1].size, 65536);
	assert_int_equal(s[1].timeout_s, 600);
	assert_int_equal(s[1].ntypes, 3);
	assert_int_equal(s[1].nelements, 3);
	assert_int_equal(s[1].elements[0].field[1].low, 80);
	assert_int_equal(s[1].elements[0].field[2].low, 6);
	assert_int_equal(s[1].elements[0].timeout_s, 0);
	assert_int_equal(s[1].elements[1].field[1].high, 89);
	assert_int_equal(s[1].elements[2].field[0].first.family, AF_INET6);
	assert_int_equal(s[1].elements[2].timeout_s, 3600);
	assert_string_equal(s[2].elements[0].field[0].name, "lan0");
	assert_int_equal(s[3].elements[0].field[0].low, 16);
	conf_destroy(c);
}

/* As many elements as a file can hold are read and compared in seconds, not hours. */
static void test_many_elements(void **state)
{
	enum { ELEMENTS = 900000 };
	char *text, *messages;
	size_t len;
	struct conf *c;
	FILE *f = open_memstream(&text, &len);
	(void)state;

	fputs("version: 1\nsets: {s: {type: prefix, size: 1000000, elements: [", f);
	for (unsigned i = 0; i < ELEMENTS; i++)
		fprintf(f, "%u.%u.%u.%u,", 1 + (i >> 16), i >> 8 & 255, i & 255, i & 127);
	fputs("1.0.0.0/24]}}\n", f);
	fclose(f);
	assert_int_equal(load("t.yaml", text, &c, &messages), -EINVAL);
	assert_non_null(strstr(messages, "1.0.0.0/24 overlaps 1.0.0.0 at line 2"));
	assert_non_null(strstr(messages, "1 error\n"));
	free(messages);
	free(text);
}

/* And so is what is wrong with all of them. '#' in the unit is its number. */
static void assert_refused(const char *head, const char *unit, unsigned times, const char *tail)
{
	char *text, *messages;
	size_t len;
	struct conf *c;
	FILE *f = open_memstream(&text, &len);

	fputs(head, f);
	for (unsigned i = 0; i < times; i++)
		for (const char *at = unit; *at; at++)
			if (*at == '#')
				fprintf(f, "%u", i);
			else
				fputc(*at, f);
	fputs(tail, f);
	fclose(f);
	assert_int_equal(load("t.yaml", text, &c, &messages), -EINVAL);
	assert_non_null(strstr(messages, "more errors not shown"));
	free(messages);
	free(text);
}

static void test_many_errors(void **state)
{
	(void)state;
	assert_refused("version: 1\nfilter: {f: {hook: forward, rules: [{in: [", "x#,", 300000,
		       "y]}]}}\n");
	assert_refused("version: 1\nzones: {z: {interfaces: [", "x#,", 300000, "y]}}\n");
	assert_refused("version: 1\nfilter: {c0: {},\n",
		       "c#1: {rules: [{action: {jump: c#2}}, {action: {jump: c01}}]},\n", 40000,
		       "}\n");
}

/* ---- zones */

static const struct conf_rule *find_rule(const struct conf_chain *chain, const char *name)
{
	for (unsigned i = 0; i < chain->nrules; i++)
		if (!strcmp(chain->rules[i].name, name))
			return &chain->rules[i];
	fail_msg("no rule %s", name);
	return NULL;
}

static void test_zones_expand(void **state)
{
	struct conf *c =
		load_good("t.yaml", "version: 1\ninterfaces: {w: {}, l: {}, g: {}}\nzones:\n"
				    "  wan: {interfaces: [w], input: drop}\n"
				    "  lan: {interfaces: [l, g], forward-to: [wan]}\n");
	unsigned n;
	struct conf_chain *chains = conf_zones_expand(c, &n);
	(void)state;

	assert_int_equal(n, 2);
	assert_int_equal(chains[0].hook, CONF_HOOK_FORWARD);
	assert_int_equal(chains[1].hook, CONF_HOOK_INPUT);
	assert_int_equal(chains[0].priority, CONF_PRIO_ZONES);
	assert_true(chains[0].from_zones && chains[1].from_zones);
	assert_int_equal(chains[0].nrules, 9);
	assert_int_equal(chains[0].rules[0].match.ct, CONF_CT_ESTABLISHED | CONF_CT_RELATED);
	assert_int_equal(find_rule(&chains[0], "zone:port-forwards")->match.status,
			 CONF_STATUS_FORWARDED);
	const struct conf_rule *out = find_rule(&chains[0], "zone:lan->wan");
	assert_int_equal(out->actions[0].act, CONF_ACT_ACCEPT);
	assert_string_equal(out->match.in.names[0], "lan");
	assert_string_equal(out->match.out.names[0], "wan");
	assert_int_equal(out->line, 5);
	assert_int_equal(find_rule(&chains[0], "zone:lan->lan")->actions[0].act, CONF_ACT_ACCEPT);
	const struct conf_rule *drop = find_rule(&chains[0], "zone:any->lan");
	assert_int_equal(drop->actions[0].act, CONF_ACT_DROP);
	assert_int_equal(drop->match.in.nnames, 0);
	assert_true(drop > out); /* what drops comes behind all that accepts */
	assert_int_equal(chains[1].nrules, 4);
	assert_int_equal(find_rule(&chains[1], "zone:wan input")->actions[0].act, CONF_ACT_DROP);
	assert_int_equal(find_rule(&chains[1], "zone:lan input")->actions[0].act, CONF_ACT_ACCEPT);
	assert_int_equal(chains[1].rules[1].match.nicmp, 5);
	conf_chains_free(chains, n);
	conf_destroy(c);
}

static void test_no_zones(void **state)
{
	struct conf *c = load_good("t.yaml", "version: 1\n");
	unsigned n = 7;
	(void)state;

	assert_null(conf_zones_expand(c, &n));
	assert_int_equal(n, 0);
	conf_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_keys),
		cmocka_unit_test(test_match_more_keys),
		cmocka_unit_test(test_tcp_flags),
		cmocka_unit_test(test_match_nothing),
		cmocka_unit_test(test_rate_burst_default),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_nat_switches),
		cmocka_unit_test(test_conntrack_enabled),
		cmocka_unit_test(test_conntrack_profiles),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_many_elements),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_zones_expand),
		cmocka_unit_test(test_no_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
