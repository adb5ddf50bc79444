/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as text: the file's words, and quotes where YAML wants them, so that the file's reader
 * takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "router/net/rule_text.h"

static void expect_match(const struct conf_match *m, const char *want)
{
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	rule_text_match(m, out);
	fclose(out);
	assert_string_equal(text, want);
}

static struct conf_range range(const char *first, const char *last)
{
	struct conf_range r;

	assert_int_equal(addr_parse(first, &r.first), 0);
	assert_int_equal(addr_parse(last, &r.last), 0);
	return r;
}

static void test_text_lists(void **state)
{
	struct conf_range four[] = { range("10.0.0.0", "10.255.255.255"),
				     range("10.0.0.1", "10.0.0.9"), range("10.0.0.1", "10.0.0.1") };
	struct conf_range six[] = { range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff") };
	struct conf_range all[] = { range("0.0.0.0", "255.255.255.255") };
	struct conf_port_range ports[] = { { 80, 80 }, { 443, 445 } };
	char ifs[][CONF_NAME] = { "wan", "lan0" };
	uint8_t protos[] = { 6, 17, 99 };

	(void)state;
	expect_match(&(struct conf_match){ 0 }, "");
	expect_match(&(struct conf_match){ .from = { .ranges = four, .nranges = 3 } },
		     "from: [10.0.0.0/8, 10.0.0.1-10.0.0.9, 10.0.0.1]");
	expect_match(&(struct conf_match){ .to = { .ranges = six, .nranges = 1 } },
		     "to: \"2001:db8::/32\"");
	expect_match(&(struct conf_match){ .to = { .negate = true, .ranges = all, .nranges = 1 } },
		     "to: \"!0.0.0.0/0\"");
	expect_match(&(struct conf_match){ .from.set = "banned", .to = { true, "own", NULL, 0 } },
		     "from: \"@banned\", to: \"!@own\"");
	expect_match(&(struct conf_match){ .family = AF_INET6,
					   .protos = protos,
					   .nprotos = 3,
					   .sport = { .ranges = ports, .nranges = 1 },
					   .dport = { true, "", ports, 2 } },
		     "family: ipv6, proto: [tcp, udp, 99], sport: 80, dport: [\"!80\", "
		     "\"!443-445\"]");
	expect_match(&(struct conf_match){ .in = { false, "", ifs, 2 }, .out.set = "lans" },
		     "in: [wan, lan0], out: \"@lans\"");
}

static void test_text_rest(void **state)
{
	struct conf_icmp icmp[] = {
		{ AF_INET, 8, -1 }, { AF_INET6, 128, -1 }, { AF_INET, 3, 4 }, { AF_INET, 77, 0 }
	};

	(void)state;
	expect_match(&(struct conf_match){ .flags = 2, .flags_mask = 0x12 }, "flags: syn/syn+ack");
	expect_match(&(struct conf_match){ .flags_mask = 0xff },
		     "flags: none/fin+syn+rst+psh+ack+urg+ece+cwr");
	expect_match(&(struct conf_match){ .icmp = icmp, .nicmp = 4 },
		     "icmp: [echo-request, destination-unreachable/4, 77/0], "
		     "icmpv6: echo-request");
	expect_match(&(struct conf_match){ .dscp = 1ull << 46 }, "dscp: ef");
	expect_match(
		&(struct conf_match){ .dscp = 1ull << 10 | 1ull << 38 | 1 | 2 | 8 | 1ull << 56 },
		"dscp: [cs0, le, 3, af11, af43, cs7]");
	expect_match(&(struct conf_match){ .has_mark = true,
					   .mark = 16,
					   .mark_mask = UINT32_MAX,
					   .ct = CONF_CT_NEW | CONF_CT_UNTRACKED,
					   .status = CONF_STATUS_REPLIED },
		     "mark: 0x10, ct: [new, untracked], status: replied");
	expect_match(&(struct conf_match){ .has_mark = true,
					   .mark = 16,
					   .mark_mask = 255,
					   .length_min = 64,
					   .length_max = 100,
					   .ttl_min = 1,
					   .ttl_max = 1,
					   .fragment = 2 },
		     "length: 64-100, ttl: 1, fragment: false, mark: 0x10/0xff");
	expect_match(
		&(struct conf_match){
			.lookup = { "pairs", true, { CONF_SOURCE_FROM, CONF_SOURCE_DPORT }, 2 },
			.connections_over = 20,
			.rate = { true, true, 50, 1000, 100, CONF_PER_SOURCE } },
		"lookup: {key: [from, dport], set: pairs, not: true}, "
		"connections: {over: 20}, rate: {over: 50/s, burst: 100, per: source}");
	expect_match(
		&(struct conf_match){ .rate = { .used = true, .count = 3, .period_ms = 3600000 } },
		"rate: {under: 3/h}");
}

static void test_text_actions(void **state)
{
	static const struct {
		struct conf_action a;
		const char *want;
	} row[] = {
		{ { .act = CONF_ACT_ACCEPT }, "accept" },
		{ { .act = CONF_ACT_DROP }, "drop" },
		{ { .act = CONF_ACT_REJECT }, "reject" },
		{ { .act = CONF_ACT_REJECT, .value = CONF_REJECT_RESET }, "{reject: tcp-reset}" },
		{ { .act = CONF_ACT_JUMP, .name = "web" }, "{jump: web}" },
		{ { .act = CONF_ACT_RETURN }, "return" },
		{ { .act = CONF_ACT_SET_MARK, .value = 16, .mask = 255 }, "{set-mark: 0x10/0xff}" },
		{ { .act = CONF_ACT_SAVE_MARK }, "save-mark" },
		{ { .act = CONF_ACT_RESTORE_MARK }, "restore-mark" },
		{ { .act = CONF_ACT_SET_DSCP, .value = 46 }, "{set-dscp: ef}" },
		{ { .act = CONF_ACT_MSS_CLAMP }, "{mss-clamp: pmtu}" },
		{ { .act = CONF_ACT_MSS_CLAMP, .value = 1400 }, "{mss-clamp: 1400}" },
		{ { .act = CONF_ACT_NOTRACK }, "notrack" },
		{ { .act = CONF_ACT_COUNT }, "count" },
		{ { .act = CONF_ACT_ADD_TO, .name = "banned" }, "{add-to: banned}" },
		{ { .act = CONF_ACT_ADD_TO,
		    .name = "pairs",
		    .key = { CONF_SOURCE_FROM, CONF_SOURCE_DPORT },
		    .nkey = 2 },
		  "{add-to: pairs, key: [from, dport]}" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct conf_action a = row[i].a;
		struct conf_rule r = { .actions = &a, .nactions = 1 };
		char text[256] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		rule_text_actions(&r, out);
		fclose(out);
		assert_string_equal(text, row[i].want);
	}
}

/* The only rule of a file, as text. */
static void text_of(const char *rule, char *match, char *actions, size_t size)
{
	char yaml[2048], said[2048] = "";
	FILE *out, *messages = fmemopen(said, sizeof(said), "w");
	struct conf *c;
	int rc;

	snprintf(yaml, sizeof(yaml),
		 "version: 1\ninterfaces: {lan0: {}, wan0: {}}\nsets:\n"
		 "  hosts: {type: address}\n  ports: {type: port}\n"
		 "  pairs: {type: [address, port]}\n  ifs: {type: interface}\n"
		 "filter:\n  web: {}\n  c: {hook: forward, rules: [{%s}]}\n",
		 rule);
	rc = conf_load("router.yaml", yaml, messages, &c);
	fclose(messages);
	if (rc)
		fail_msg("%s%s", yaml, said);
	out = fmemopen(match, size, "w");
	rule_text_match(&c->chains[1].rules[0].match, out);
	fclose(out);
	out = fmemopen(actions, size, "w");
	rule_text_actions(&c->chains[1].rules[0], out);
	fclose(out);
	conf_destroy(c);
}

/* What is printed can be read, and is then printed alike. */
static void test_text_reads(void **state)
{
	static const char *const rule[] = {
		"in: lan0, out: \"!wan0\", from: [10.0.0.0/8, 192.0.2.1-192.0.2.9], action: accept",
		"to: [\"!2001:db8::/32\", \"!::1\"], family: ipv6, action: drop",
		"from: \"@hosts\", to: \"!@hosts\", in: \"@ifs\", proto: [tcp, udp, 99]",
		"proto: tcp, sport: \"@ports\", dport: [\"!80\", \"!1000-2000\"], flags: syn",
		"proto: icmp, icmp: [echo-request, destination-unreachable/4, 77]",
		"proto: icmpv6, icmpv6: [packet-too-big, neighbour-solicitation]",
		"dscp: [ef, af11, cs7, le, 3], mark: 0x10/0xff, ct: [new, untracked], status: dnat",
		"length: 64-1500, ttl: 1, fragment: false, connections: {over: 20}",
		"rate: {over: 50/m, burst: 7, per: source}, action: {add-to: hosts}",
		"proto: tcp, lookup: {key: [from, dport], set: pairs, not: true}",
		"action: [{set-mark: 0x20}, {set-mark: 0x1/0xf}, save-mark, restore-mark, count]",
		"action: [{set-dscp: af42}, return]",
		"proto: tcp, action: {reject: tcp-reset}",
		"action: reject",
		"action: [{jump: web}]",
		"action: {add-to: pairs, key: [to, dport]}, proto: udp",
		"log: {limit: 3/h, prefix: \"a b\"}",
		"log: true, action: drop",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		char match[512] = "", action[512] = "", match2[512] = "", action2[512] = "";
		char again[1100];

		text_of(rule[i], match, action, sizeof(match));
		assert_true(match[0] || action[0]);
		snprintf(again, sizeof(again), "%s%s%s%s", match, match[0] && action[0] ? ", " : "",
			 action[0] && strncmp(action, "log", 3) ? "action: " : "", action);
		text_of(again, match2, action2, sizeof(match2));
		assert_string_equal(match, match2);
		assert_string_equal(action, action2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text_lists),
					    cmocka_unit_test(test_text_rest),
					    cmocka_unit_test(test_text_actions),
					    cmocka_unit_test(test_text_reads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
