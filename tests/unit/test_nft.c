// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains at input and output as commands of nftables: each match and each action, what cannot be
 * expressed, and the table around them. test_nft_live.c gives them to Linux.
 */
#include "tests/unit/nft_lab.h"

/* The lines that one rule of chain "t" makes, without what is the same in all: the beginning, the
 * table, the counter and the comment. */
static void keep_line(char *line, FILE *out)
{
	static const char rule[] = "add rule inet router input-t ";
	char *counter = strstr(line, "counter name \"rule-1\" "),
	     *end = strstr(line, " comment \"");

	if (!strncmp(line, rule, strlen(rule))) {
		if (!counter)
			return; /* the policy */
		if (end)
			*end = '\0';
		fprintf(out, "%.*s%s\n", (int)(counter - line - strlen(rule)), line + strlen(rule),
			counter + strlen("counter name \"rule-1\" "));
	} else if (strstr(line, "-1 ") || strstr(line, "-1-") ||
		   !strcmp(line + strlen(line) - 5, "act-1")) {
		char *name = strstr(line, "inet router ");

		if (name && strncmp(name + 12, "rule-", 5))
			fprintf(out, "%.*s%s\n", (int)(name - line), line, name + 12);
	}
}

static char *lines_of(const char *rule)
{
	char text[1024], *all, *kept, *save, *line;
	size_t size;
	FILE *out;

	snprintf(text, sizeof(text), "  t: {hook: input, rules: [{%s}]}\n  other: {rules: []}\n",
		 rule);
	all = rendered(text);
	out = open_memstream(&kept, &size);
	for (line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		keep_line(line, out);
	fclose(out);
	free(all);
	return kept;
}

static void says(const char *rule, const char *want)
{
	char *text = lines_of(rule);

	if (strcmp(text, want) != 0)
		print_error("{%s}\n", rule);
	assert_string_equal(text, want);
	free(text);
}

static void test_matches(void **state)
{
	(void)state;
	says("action: drop", "drop\n");
	says("family: ipv6, action: drop", "meta nfproto ipv6 drop\n");
	says("in: wan0, action: drop", "iifname { \"wan0\" } drop\n");
	says("in: [wan0, lan0], action: drop", "iifname { \"wan0\", \"eth5\" } drop\n");
	says("in: inside, action: drop", "iifname { \"eth5\", \"wan0\" } drop\n");
	says("in: \"!inside\", action: drop", "iifname != { \"eth5\", \"wan0\" } drop\n");
	says("in: \"@doors\", action: drop", "iifname @set-doors drop\n");
	says("from: 10.0.0.0/8, action: drop",
	     "meta nfproto ipv4 ip saddr { 10.0.0.0-10.255.255.255 } drop\n");
	says("from: [10.0.0.1, \"2001:db8::1-2001:db8::9\"], action: drop",
	     "meta nfproto ipv4 ip saddr { 10.0.0.1 } drop\n"
	     "meta nfproto ipv6 ip6 saddr { 2001:db8::1-2001:db8::9 } drop\n");
	says("to: \"!10.0.0.1\", action: drop",
	     "meta nfproto ipv4 ip daddr != { 10.0.0.1 } drop\n");
	says("to: \"!@nets\", action: drop",
	     "meta nfproto ipv4 ip daddr != @set-nets-ipv4 drop\n"
	     "meta nfproto ipv6 ip6 daddr != @set-nets-ipv6 drop\n");
	says("proto: [tcp, 47], action: drop", "meta l4proto { 6, 47 } drop\n");
	says("proto: udp, sport: 53, dport: [1024-2000, 4], action: drop",
	     "meta l4proto 17 th sport 53 th dport { 1024-2000, 4 } drop\n");
	says("proto: [tcp, udp], dport: \"!22\", action: drop",
	     "meta l4proto { 6, 17 } th dport != 22 drop\n");
	says("proto: tcp, dport: \"@ports\", action: drop",
	     "meta l4proto 6 th dport @set-ports drop\n");
	says("proto: tcp, flags: syn/syn+ack, action: drop",
	     "meta l4proto 6 tcp flags & 0x12 == 0x02 drop\n");
	says("mark: 0x10, action: drop", "meta mark & 0xffffffff == 0x00000010 drop\n");
	says("mark: 0x10/0xff, action: drop", "meta mark & 0x000000ff == 0x00000010 drop\n");
	says("ct: [established, related], action: drop", "ct state established,related drop\n");
	says("ct: [new, invalid, untracked], action: drop",
	     "ct state new,invalid,untracked drop\n");
	says("status: [replied, assured, snat, dnat], action: drop",
	     "ct status seen-reply,assured,snat,dnat drop\n");
	says("length: 100-200, action: drop", "meta length 100-200 drop\n");
	says("length: 100, action: drop", "meta length 100 drop\n");
}

static void test_matches_of_one_family(void **state)
{
	(void)state;
	says("icmp: [echo-request, 3], action: drop",
	     "meta nfproto ipv4 meta l4proto 1 icmp type { 8, 3 } drop\n");
	says("icmp: [echo-request, 3/4], action: drop",
	     "meta nfproto ipv4 meta l4proto 1 icmp type . icmp code { 8 . 0-255, 3 . 4 } drop\n");
	says("icmpv6: [echo-reply], action: drop",
	     "meta nfproto ipv6 meta l4proto 58 icmpv6 type { 129 } drop\n");
	says("dscp: [ef, 0], action: drop", "meta nfproto ipv4 ip dscp { 0, 46 } drop\n"
					    "meta nfproto ipv6 ip6 dscp { 0, 46 } drop\n");
	says("ttl: 1-5, action: drop", "meta nfproto ipv4 ip ttl 1-5 drop\n"
				       "meta nfproto ipv6 ip6 hoplimit 1-5 drop\n");
	says("fragment: true, action: drop", "meta nfproto ipv4 ip frag-off & 0x1fff != 0 drop\n"
					     "meta nfproto ipv6 frag frag-off != 0 drop\n");
	says("fragment: false, action: drop", "meta nfproto ipv4 ip frag-off & 0x1fff == 0 drop\n"
					      "meta nfproto ipv6 exthdr frag missing drop\n"
					      "meta nfproto ipv6 frag frag-off 0 drop\n");
	says("lookup: {key: [from, dport], set: pairs}, proto: tcp, action: drop",
	     "meta nfproto ipv4 meta l4proto 6 ip saddr . th dport @set-pairs-ipv4 drop\n"
	     "meta nfproto ipv6 meta l4proto 6 ip6 saddr . th dport @set-pairs-ipv6 drop\n");
	/* ports are those of protocols that have some */
	says("lookup: {key: [to, sport], set: pairs, not: true}, family: ipv4, action: drop",
	     "meta nfproto ipv4 meta l4proto { 6, 17, 33, 132, 136 } "
	     "ip daddr . th sport != @set-pairs-ipv4 drop\n");
}

/* What can never match is not there, but counted as never. */
static void test_rules_that_never_match(void **state)
{
	struct conf *c = conf_with("  t: {hook: input, rules: [{from: 10.0.0.1, action: drop}]}\n");
	struct nft *n = nft_new("");
	char *text;

	(void)state;
	c->chains[0].rules[0].match.family = AF_INET6; /* refused, in a file */
	assert_int_equal(nft_render(n, c, &text, why, sizeof(why)), 0);
	assert_non_null(strstr(text, "add counter inet router rule-1\n"
				     "add counter inet router rule-2\n"));
	free(text);
	nft_destroy(n);
	conf_destroy(c);
}

static void test_rates(void **state)
{
	(void)state;
	says("rate: {over: 50/s, burst: 100}, action: drop",
	     "add limit limit-1 { rate over 50/second burst 100 packets; }\n"
	     "limit name \"limit-1\" drop\n");
	says("rate: {under: 3/minute}, action: drop",
	     "add limit limit-1 { rate 3/minute burst 5 packets; }\n"
	     "limit name \"limit-1\" drop\n");
	says("rate: {over: 10/h, burst: 100, per: source}, family: ipv4, action: drop",
	     "add set rate-1-ipv4 { type ipv4_addr; flags dynamic,timeout; size 65536; timeout "
	     "36001s; }\n"
	     "add set rate-1-ipv6 { type ipv6_addr; flags dynamic,timeout; size 65536; timeout "
	     "36001s; }\n"
	     "meta nfproto ipv4 update @rate-1-ipv4 { ip saddr limit rate over 10/hour burst 100 "
	     "packets } drop\n");
	says("rate: {under: 5/s, per: destination}, family: ipv6, action: drop",
	     "add set rate-1-ipv4 { type ipv4_addr; flags dynamic,timeout; size 65536; timeout "
	     "60s; }\n"
	     "add set rate-1-ipv6 { type ipv6_addr; flags dynamic,timeout; size 65536; timeout "
	     "60s; }\n"
	     "meta nfproto ipv6 update @rate-1-ipv6 { ip6 daddr & ffff:ffff:ffff:ffff:: limit rate "
	     "5/second burst 5 packets } drop\n");
	says("connections: {over: 20, per: source}, rate: {over: 1/s}, family: ipv6, action: drop",
	     "add limit limit-1 { rate over 1/second burst 5 packets; }\n"
	     "add set conn-1-ipv4 { type ipv4_addr; flags dynamic; size 65536; }\n"
	     "add set conn-1-ipv6 { type ipv6_addr; flags dynamic; size 65536; }\n"
	     "meta nfproto ipv6 ct state new add @conn-1-ipv6 { ip6 saddr & ffff:ffff:ffff:ffff:: "
	     "ct count over 20 } limit name \"limit-1\" drop\n");
}

static void test_actions(void **state)
{
	(void)state;
	says("action: accept", "goto accepted\n"); /* the lab has zones */
	says("action: count", "\n");
	says("action: return", "return\n");
	says("action: {jump: other}", "jump chain-other\n");
	says("action: reject", "goto reject-default\n");
	says("proto: tcp, action: {reject: tcp-reset}", "meta l4proto 6 goto reject-default\n");
	says("action: {reject: port-unreachable}", "reject with icmpx type port-unreachable\n");
	says("action: {reject: host-unreachable}", "reject with icmpx type host-unreachable\n");
	says("action: {reject: net-unreachable}", "reject with icmpx type no-route\n");
	says("action: {reject: admin-prohibited}", "reject with icmpx type admin-prohibited\n");
	says("action: {set-mark: 0x20}", "meta mark set 0x00000020\n");
	says("action: {set-mark: 0x20/0xff}",
	     "meta mark set (meta mark & 0xffffff00) ^ 0x00000020\n");
	says("action: save-mark", "ct mark set meta mark\n");
	says("action: restore-mark", "meta mark set ct mark\n");
	says("action: {set-dscp: ef}", "meta nfproto ipv4 ip dscp set 46\n"
				       "meta nfproto ipv6 ip6 dscp set 46\n");
	says("action: {add-to: banned}",
	     "meta nfproto ipv4 update @set-banned-ipv4 { ip saddr }\n"
	     "meta nfproto ipv6 update @set-banned-ipv6 { ip6 saddr }\n");
	says("action: {add-to: friends}, family: ipv6",
	     "meta nfproto ipv6 add @set-friends-ipv6 { ip6 saddr }\n");
}

static void test_several_actions_have_a_chain(void **state)
{
	(void)state;
	says("action: [{set-mark: 1}, {set-dscp: 0}, accept]",
	     "add chain act-1\n"
	     "add rule act-1 meta mark set 0x00000001\n"
	     "add rule act-1 meta nfproto ipv4 ip dscp set 0\n"
	     "add rule act-1 meta nfproto ipv6 ip6 dscp set 0\n"
	     "add rule act-1 goto accepted\n"
	     "jump act-1\n");
	says("action: [{set-mark: 1}, return]", "add chain act-1\n"
						"add rule act-1 meta mark set 0x00000001\n"
						"add rule act-1 return\n"
						"goto act-1\n");
	says("action: {mss-clamp: 1400}",
	     "add chain act-1\n"
	     "add rule act-1 tcp flags & (syn | rst) == syn tcp option maxseg size set 1400\n"
	     "jump act-1\n");
	says("action: {add-to: seen, key: [from, dport]}, proto: udp",
	     "add chain act-1\n"
	     "add rule act-1 meta nfproto ipv4 meta l4proto { 6, 17, 33, 132, 136 } "
	     "update @set-seen-ipv4 { ip saddr . th dport }\n"
	     "add rule act-1 meta nfproto ipv6 meta l4proto { 6, 17, 33, 132, 136 } "
	     "update @set-seen-ipv6 { ip6 saddr . th dport }\n"
	     "meta l4proto 17 jump act-1\n");
	says("action: drop, log: {limit: 3/minute, prefix: in}",
	     "add chain act-1\n"
	     "add rule act-1 limit rate 3/minute burst 5 packets log prefix \"in: \" level info\n"
	     "add rule act-1 drop\n"
	     "jump act-1\n");
	says("log: true, action: count, name: \"say \\\"$x\\\\\"",
	     "add chain act-1\n"
	     "add rule act-1 limit rate 10/second burst 5 packets log prefix \"say __x_: \" level "
	     "info\n"
	     "jump act-1\n");
}

static void test_sets(void **state)
{
	char *text = rendered(
		"  t: {hook: output, rules: [{from: \"@friends\", to: \"@nets\", out: \"@doors\","
		" proto: tcp, dport: \"@ports\", action: [{add-to: banned}, drop]}]}\n");

	(void)state;
	assert_non_null(
		strstr(text, "add set inet router set-friends-ipv4 { type ipv4_addr; flags timeout;"
			     " elements = { 10.0.0.1 }; }\n"));
	assert_non_null(
		strstr(text, "add set inet router set-friends-ipv6 { type ipv6_addr; flags timeout;"
			     " elements = { 2001:db8::1 }; }\n"));
	assert_non_null(strstr(text, "set-nets-ipv4 { type ipv4_addr; flags interval; auto-merge;"
				     " elements = { 10.0.0.0-10.255.255.255 }; }\n"));
	assert_non_null(strstr(text, "set-ports { type inet_service; flags interval; auto-merge;"
				     " elements = { 80, 8000-8010 }; }\n"));
	assert_non_null(strstr(
		text, "set-doors { type ifname; flags timeout; elements = { \"eth5\" }; }\n"));
	assert_non_null(strstr(text, "set-banned-ipv6 { type ipv6_addr; flags dynamic,timeout;"
				     " size 1000; timeout 600s; }\n"));
	assert_null(strstr(text, "set-pairs")); /* nobody asks for it */
	free(text);
}

static void test_the_table(void **state)
{
	static const char want[] =
		"add table inet router\n"
		"delete table inet router\n"
		"add table inet router\n"
		"add chain inet router input-zones-input { type filter hook input priority 10; "
		"policy accept; }\n"
		"add chain inet router output-d { type route hook output priority -150; policy "
		"accept; }\n"
		"add chain inet router chain-b\n"
		"add chain inet router input-a { type filter hook input priority 5; policy drop; "
		"}\n"
		"add chain inet router reject-default\n"
		"add rule inet router reject-default meta l4proto 6 reject with tcp reset\n"
		"add rule inet router reject-default reject with icmpx type port-unreachable\n"
		"add chain inet router accepted\n"
		"add rule inet router accepted iif 0 accept\n"
		"add rule inet router accepted meta priority set feed:1 accept\n"
		"add counter inet router rule-1\n"
		"add rule inet router input-a counter name \"rule-1\" jump chain-b comment "
		"\"router.yaml:14 x\"\n"
		"add counter inet router rule-2\n"
		"add rule inet router input-a counter name \"rule-2\" comment \"policy\"\n"
		"add counter inet router rule-3\n"
		"add rule inet router chain-b counter name \"rule-3\" drop comment "
		"\"router.yaml:15\"\n";
	char *text = rendered("  a: {hook: input, priority: 5, policy: drop,\n"
			      "      rules: [{name: x, action: {jump: b}}]}\n"
			      "  b: {rules: [{action: drop}]}\n"
			      "  c: {rules: [{action: accept}]}\n" /* nobody jumps there */
			      "  d: {hook: output, priority: mangle, rules: []}\n"
			      "  e: {hook: forward, rules: [{action: {jump: c}}]}\n");

	(void)state;
	assert_memory_equal(text, want, strlen(want));
	assert_null(strstr(text, "chain-c"));
	assert_non_null(strstr(text, "input-zones-input iifname { \"eth5\", \"wan0\" } "));
	free(text);
}

/* Only what stands before the zones tells them. */
static void test_accept_before_zones(void **state)
{
	char *text = rendered("  a: {hook: input, priority: 11, rules: [{action: accept}]}\n"
			      "  b: {hook: output, rules: [{action: accept}]}\n");

	(void)state;
	assert_null(strstr(text, "accepted"));
	assert_null(strstr(text, "meta priority"));
	free(text);
	text = rendered("  a: {hook: input, priority: 10, rules: [{action: {jump: b}}]}\n"
			"  b: {rules: [{action: accept}]}\n");
	assert_non_null(strstr(text, "chain-b counter name \"rule-3\" goto accepted "));
	assert_non_null(strstr(text, "input-zones-input meta priority feed:1 "));
	free(text);
}

/* What the XDP program leaves to Linux, and zones let in. */
static void test_redirects(void **state)
{
	static const char *const want[] = {
		"add chain inet router prerouting-redirects { type nat hook prerouting priority "
		"-100; policy accept; }\n",
		"add rule inet router prerouting-redirects iifname { \"eth5\", \"wan0\" } meta "
		"l4proto { 6, 17 } th dport { 53, 5300-5309 } counter name \"rule-",
		"\" redirect to :5353 comment \"router.yaml:16 dns\"\n",
		"add rule inet router prerouting-redirects meta nfproto ipv6 iifname { \"eth5\" } "
		"meta l4proto 6 th dport 80 counter name \"rule-",
		"\" redirect comment \"router.yaml:18\"\n",
		"input-zones-input ct status dnat ",
	};
	char *text = rendered(
		"  f: {hook: forward, rules: []}\n"
		"nat:\n"
		"  destination:\n"
		"    - {name: dns, in: inside, proto: [tcp, udp], dport: [53, 5300-5309],\n"
		"       action: redirect, to-port: 5353}\n"
		"    - {in: lan0, proto: tcp, dport: 80, family: ipv6, action: redirect}\n"
		"    - {in: wan0, proto: tcp, dport: 81, to: 10.0.0.1}\n");

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		if (!strstr(text, want[i]))
			fail_msg("%s is not in %s", want[i], text);
	assert_null(strstr(text, "81"));
	assert_null(strstr(text, "prerouting-redirects counter")); /* no policy */
	free(text);
	text = rendered("  f: {hook: forward, rules: []}\n");
	assert_null(strstr(text, "redirects"));
	assert_null(strstr(text, "ct status"));
	free(text);
}

static void test_nothing_to_say(void **state)
{
	struct conf *c = load_good("r.yaml", "version: 1\ninterfaces: {a: {}}\nfilter:\n"
					     "  f: {hook: forward, rules: [{action: drop}]}\n"
					     "  g: {rules: [{action: drop}]}\n");
	struct nft *n = nft_new("");
	char *text = why;

	(void)state;
	assert_int_equal(nft_render(n, c, &text, why, sizeof(why)), 0);
	assert_null(text);
	nft_destroy(n);
	conf_destroy(c);
}

static void test_names_of_tables(void **state)
{
	struct conf *c = conf_with("  t: {hook: input, rules: []}\n");
	struct nft *n = nft_new("blue; flush/ruleset");
	char *text;

	(void)state;
	assert_int_equal(nft_render(n, c, &text, why, sizeof(why)), 0);
	assert_memory_equal(text, "add table inet router_blueflushruleset\n", 39);
	free(text);
	nft_destroy(n);
	conf_destroy(c);
}

static const char *by_mac(void *arg, const char *iface)
{
	assert_string_equal(iface, "far");
	return arg;
}

/* An interface that is found by its MAC has its name from who knows. */
static void test_interfaces_by_mac(void **state)
{
	struct conf *c = load_good(
		"r.yaml", "version: 1\n"
			  "interfaces: {far: {match: {mac: \"52:54:00:00:00:01\"}}}\n"
			  "filter:\n"
			  "  t: {hook: input, rules: [{in: far, name: r, action: drop}]}\n");
	struct nft *n = nft_new(""), *knows;
	char name[] = "enp1s0";
	char *text;

	(void)state;
	assert_int_equal(nft_render(n, c, &text, why, sizeof(why)), -EINVAL);
	assert_string_equal(why,
			    "r.yaml:4: rule \"r\" of chain \"t\": interface \"far\" is not there "
			    "yet: its name is not known");
	assert_int_equal(nft_create("", by_mac, name, &knows), 0);
	assert_int_equal(nft_render(knows, c, &text, why, sizeof(why)), 0);
	assert_non_null(strstr(text, "iifname { \"enp1s0\" }"));
	free(text);
	nft_destroy(n);
	nft_destroy(knows);
	conf_destroy(c);
}

static void refused(const char *chains, const char *want)
{
	struct conf *c = conf_with(chains);
	struct nft *n = nft_new("");
	char *text = (char *)want;

	assert_int_equal(nft_render(n, c, &text, why, sizeof(why)), -EINVAL);
	assert_ptr_equal(text, want); /* untouched */
	assert_string_equal(why, want);
	nft_destroy(n);
	conf_destroy(c);
}

static void test_refusals(void **state)
{
	(void)state;
	refused("  t: {hook: input, rules: [{action: {jump: u}}]}\n"
		"  u: {rules: [{name: a, action: notrack}]}\n",
		"router.yaml:14: rule \"a\" of chain \"u\": notrack comes too late here: "
		"at hook output it takes priority raw");
	refused("  t: {hook: input, rules: [{action: {jump: u}}]}\n"
		"  u: {rules: [{action: {mss-clamp: pmtu}}]}\n",
		"router.yaml:14: rule of chain \"u\": mss-clamp: pmtu has no path at hook input");
	refused("  t: {hook: input, rules: [{action: {add-to: nets}}]}\n",
		"set \"nets\" has prefixes or ranges: nftables cannot let rules add to it");
	free(rendered("  t: {hook: output, priority: raw, rules: [{action: notrack}]}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_matches_of_one_family),
		cmocka_unit_test(test_rules_that_never_match),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_several_actions_have_a_chain),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_accept_before_zones),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_names_of_tables),
		cmocka_unit_test(test_interfaces_by_mac),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
