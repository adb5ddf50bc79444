/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the file to the verdict: a configuration as an operator writes it, its zones, sets and
 * limits, and packets through its stages. Issue "flows", item 6.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "router/net/filter.h"
#include "router/net/limit.h"
#include "router/net/set.h"

static const char yaml[] =
	"version: 1\n"
	"interfaces: {wan0: {}, lan0: {}, br0: {}, guest0: {}, mgmt0: {}}\n"
	"sets:\n"
	"  banned: {type: address, timeout: 10m}\n"
	"  web-ports: {type: port, elements: [80, 443]}\n"
	"zones:\n"
	"  wan: {interfaces: [wan0], forward-to: []}\n"
	"  lan: {interfaces: [lan0, br0], forward-to: [wan, guest]}\n"
	"  guest: {interfaces: [guest0], forward-to: [wan]}\n"
	"filter:\n"
	"  antispoof:\n"
	"    hook: prerouting\n"
	"    priority: raw\n"
	"    rules:\n"
	"      - {name: bans, from: \"@banned\", action: drop}\n"
	"      - {name: no-track-dns, proto: udp, dport: 53, action: notrack}\n"
	"  mark:\n"
	"    hook: prerouting\n"
	"    priority: mangle\n"
	"    rules:\n"
	"      - {name: voip, dscp: ef, action: {set-mark: 0x20}}\n"
	"      - {name: scan, in: wan, proto: tcp, flags: syn/syn+ack,\n"
	"         rate: {over: 50/s, burst: 100, per: source}, action: {add-to: banned}}\n"
	"  extra-forward:\n"
	"    hook: forward\n"
	"    priority: filter\n"
	"    rules:\n"
	"      - {name: inv, ct: [invalid], action: drop, log: {limit: 1/s}}\n"
	"      - {name: web, in: wan, to: 10.0.0.10, proto: tcp, dport: \"@web-ports\",\n"
	"         action: [{mss-clamp: pmtu}, {jump: greedy}]}\n"
	"      - {name: ssh, in: \"!lan\", proto: tcp, dport: 22, action: reject}\n"
	"  greedy:\n"
	"    rules:\n"
	"      - {name: many, connections: {over: 2, per: source}, action: {reject: tcp-reset}}\n"
	"  late:\n"
	"    hook: forward\n"
	"    priority: filter+20\n"
	"    rules: [{name: late, proto: gre, action: drop}]\n";

struct world {
	struct conf *conf;
	struct names names;
	struct sets *sets;
	struct limits *limits;
	struct filter *filter;
};

static void world_load(struct world *w, const char *text)
{
	struct match_context c;
	char why[256] = "", said[2048] = "";
	FILE *messages = fmemopen(said, sizeof(said), "w");

	int rc = conf_load("router.yaml", text, messages, &w->conf);

	fclose(messages);
	if (rc)
		fail_msg("%s", said);
	if (!w->sets) {
		assert_int_equal(sets_create(&w->names, &w->sets), 0);
		assert_int_equal(limits_create(&w->limits), 0);
	}
	assert_int_equal(sets_follow(w->sets, w->conf, why, sizeof(why)), 0);
	limits_build_begin(w->limits);
	c = (struct match_context){ w->conf, &w->names, w->sets, w->limits };
	if (filter_build(&c, 1, &w->filter, why, sizeof(why)))
		fail_msg("%s", why);
}

static void world_fini(struct world *w)
{
	filter_destroy(w->filter);
	sets_destroy(w->sets);
	limits_destroy(w->limits);
	conf_destroy(w->conf);
	names_fini(&w->names);
}

static struct match_packet packet(struct world *w, const char *in, const char *out, uint8_t proto,
				  const char *dst, uint16_t dport)
{
	struct match_packet p = { .ct = CONF_CT_NEW, .len = 60, .ttl = 64, .first = true };
	struct addr a, b;

	assert_int_equal(addr_parse("198.51.100.7", &a), 0);
	assert_int_equal(addr_parse(dst, &b), 0);
	memcpy(p.key.src, a.bytes, 16);
	memcpy(p.key.dst, b.bytes, 16);
	p.key.family = AF_INET;
	p.key.proto = proto;
	p.key.sport = htons(40000);
	p.key.dport = htons(dport);
	p.in = names_get(&w->names, in);
	p.out = names_get(&w->names, out);
	p.tcp_flags = 2;
	p.now = 1000000000;
	return p;
}

static struct filter_result result;

static enum filter_verdict run(struct world *w, enum filter_stage stage, struct match_packet *p)
{
	memset(&result, 0, sizeof(result));
	p->varies = p->used_ct = false;
	memset(p->counted, 0, sizeof(p->counted));
	return filter_run(w->filter, stage, p, &result, NULL, NULL);
}

static void decided_by(const struct world *w, const char *name)
{
	struct filter_rule_info info;

	assert_true(filter_rule(w->filter, result.rule, &info));
	assert_string_equal(info.name, name);
}

/* Hand-written rules go first; zones decide the rest; then come chains behind them. */
static void test_zones(void **state)
{
	static const struct {
		const char *in, *out;
		enum filter_verdict verdict;
		const char *by; /* NULL: a policy */
	} row[] = {
		{ "lan0", "wan0", FILTER_ACCEPT, "zone:lan->wan" },
		{ "lan0", "br0", FILTER_ACCEPT, "zone:lan->lan" },
		{ "br0", "guest0", FILTER_ACCEPT, "zone:lan->guest" },
		{ "guest0", "lan0", FILTER_DROP, "zone:any->lan" },
		{ "guest0", "wan0", FILTER_ACCEPT, "zone:guest->wan" },
		{ "wan0", "lan0", FILTER_DROP, "zone:wan->any" },
		{ "wan0", "mgmt0", FILTER_DROP, "zone:wan->any" },
		{ "mgmt0", "lan0", FILTER_DROP, "zone:any->lan" },
		{ "mgmt0", "mgmt0", FILTER_ACCEPT, NULL },
	};
	struct world w = { 0 };

	(void)state;
	world_load(&w, yaml);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct match_packet p =
			packet(&w, row[i].in, row[i].out, IPPROTO_UDP, "10.0.0.99", 5000);

		assert_int_equal(run(&w, FILTER_FORWARD, &p), row[i].verdict);
		if (row[i].by)
			decided_by(&w, row[i].by);
		else
			assert_int_equal(result.rule, 0);
		assert_true(p.used_ct && !p.varies);
		p.ct = CONF_CT_ESTABLISHED;
		assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_ACCEPT);
		decided_by(&w, "zone:established");
		p.ct = CONF_CT_INVALID;
		assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP);
		decided_by(&w, "inv");
		p.ct = CONF_CT_ESTABLISHED;
		p.key.proto = IPPROTO_GRE;
		assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP);
		decided_by(&w, "late");
	}
	world_fini(&w);
}

static void test_reject(void **state)
{
	struct world w = { 0 };
	struct match_packet p;

	(void)state;
	world_load(&w, yaml);
	p = packet(&w, "guest0", "wan0", IPPROTO_TCP, "10.0.0.10", 22);
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_REJECT);
	assert_int_equal(result.reject, CONF_REJECT_DEFAULT);
	p = packet(&w, "br0", "wan0", IPPROTO_TCP, "10.0.0.10", 22);
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_ACCEPT);
	world_fini(&w);
}

static void test_connections(void **state)
{
	struct world w = { 0 };
	struct match_packet p;

	(void)state;
	world_load(&w, yaml);
	assert_true(filter_wants_syns(w.filter));
	p = packet(&w, "wan0", "lan0", IPPROTO_TCP, "10.0.0.10", 443);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP); /* the zone's */
		assert_true(result.has_mss && result.mss == 0);
		assert_true(p.counted[0]);
		limit_count(w.limits, p.counted[0], &p.key);
	}
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_REJECT);
	assert_int_equal(result.reject, CONF_REJECT_RESET);
	decided_by(&w, "many");
	p.first = false; /* those that are, stay */
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP);
	p.first = true;
	p.key.src[3]++; /* another source */
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP);
	p.key.src[3]--;
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_REJECT);
	limit_uncount(w.limits, p.counted[0], &p.key);
	assert_int_equal(run(&w, FILTER_FORWARD, &p), FILTER_DROP);
	world_fini(&w);
}

/* Who scans is banned, and stays so when the file is loaded again. */
static void test_scan(void **state)
{
	struct world w = { 0 };
	struct match_packet p;
	struct filter *old;
	struct conf *conf;
	struct filter_rule_info info;
	unsigned scan = 0;

	(void)state;
	world_load(&w, yaml);
	p = packet(&w, "wan0", "", IPPROTO_TCP, "203.0.113.2", 1);
	p.out = 0;
	for (unsigned i = 0; i < 101; i++) {
		assert_int_equal(run(&w, FILTER_RAW, &p), FILTER_ACCEPT);
		assert_int_equal(run(&w, FILTER_MANGLE, &p), FILTER_ACCEPT);
		assert_true(p.varies);
	}
	assert_int_equal(run(&w, FILTER_RAW, &p), FILTER_DROP);
	decided_by(&w, "bans");
	while (filter_rule(w.filter, ++scan, &info))
		if (!strcmp(info.name, "scan"))
			break;
	assert_int_equal(info.packets, 1);
	assert_int_equal(info.bytes, 60);

	old = w.filter;
	conf = w.conf;
	world_load(&w, yaml);
	filter_carry_over(w.filter, old);
	filter_destroy(old);
	conf_destroy(conf);
	limits_sweep(w.limits);
	sets_sweep(w.sets);
	assert_int_equal(run(&w, FILTER_RAW, &p), FILTER_DROP);
	assert_true(filter_rule(w.filter, scan, &info));
	assert_int_equal(info.packets, 1);
	assert_int_equal(run(&w, FILTER_MANGLE, &p), FILTER_ACCEPT); /* the rate is not refilled */
	assert_true(filter_rule(w.filter, scan, &info));
	assert_int_equal(info.packets, 2);
	world_fini(&w);
}

static void test_marks(void **state)
{
	struct world w = { 0 };
	struct match_packet p;

	(void)state;
	world_load(&w, yaml);
	p = packet(&w, "lan0", "", IPPROTO_UDP, "203.0.113.2", 53);
	p.tos = 46 << 2;
	assert_int_equal(run(&w, FILTER_RAW, &p), FILTER_ACCEPT);
	assert_true(result.notrack);
	run(&w, FILTER_MANGLE, &p);
	assert_int_equal(p.mark, 0x20);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),	    cmocka_unit_test(test_reject),
		cmocka_unit_test(test_connections), cmocka_unit_test(test_scan),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
