// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NAT's rules as chains of nftables, for when Linux stands in: what each rule becomes, in what
 * order, and that no rule which cannot be one lets packets out untranslated. That Linux takes the
 * commands, and that they do it, is tests/netns/failover.sh's.
 */
#include <stdlib.h>

#include "tests/unit/nft_lab.h"

#define FROM_OURS "iifname { \"lan0\", \"wan0\" } "

static struct nft *nft;

static bool passes(void *arg, const struct conf *c, const char *iface)
{
	(void)arg;
	for (unsigned i = 0; i < c->nifaces; i++)
		if (!strcmp(c->ifaces[i].name, iface))
			return c->ifaces[i].fail_pass;
	return false;
}

/* The commands for these sections of a file; NULL: none. */
static char *commands_of(const char *failure, const char *sections)
{
	struct conf *c;
	char file[2048], *text = NULL;

	snprintf(file, sizeof(file),
		 "version: 1\ninterfaces: {lan0: {on-failure: %s}, wan0: {on-failure: %s}, "
		 "other: {}}\n%s",
		 failure, failure, sections);
	c = load_good("router.yaml", file);
	if (nft_render(nft, c, &text, why, sizeof(why)))
		fail_msg("%s", why);
	conf_destroy(c);
	return text;
}

/* The rules of one chain, without what is the same in all. */
static char *rules_of(const char *chain, const char *sections)
{
	char *text = commands_of("pass", sections), begin[128], *kept, *save, *line;
	size_t size;
	FILE *out = open_memstream(&kept, &size);

	assert_non_null(text);
	snprintf(begin, sizeof(begin), "add rule inet router standin-%s " FROM_OURS, chain);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, begin, strlen(begin)))
			fprintf(out, "%s\n", line + strlen(begin));
	fclose(out);
	free(text);
	return kept;
}

static void says(const char *chain, const char *sections, const char *want)
{
	char *text = rules_of(chain, sections);

	assert_string_equal(text, want);
	free(text);
}

static void says_source(const char *rules, const char *want)
{
	char sections[1024];

	snprintf(sections, sizeof(sections), "nat: {source: [%s]}\n", rules);
	says("srcnat", sections, want);
}

static void test_nowhere(void **state)
{
	static const char nat[] = "nat: {source: [{out: wan0, action: masquerade}]}\n";
	char *text;

	(void)state;
	assert_null(commands_of("drop", nat));
	assert_null(commands_of("pass", ""));
	text = commands_of("pass", nat);
	assert_non_null(strstr(text, "chain inet router standin-srcnat { type nat hook "
				     "postrouting priority 100; policy accept; }"));
	free(text);
	nft_set_standin(nft, NULL);
	assert_null(commands_of("pass", nat));
	nft_set_standin(nft, passes);
}

static void test_source(void **state)
{
	(void)state;
	says_source("{out: wan0, action: masquerade, ports: 10000-20000}",
		    "oifname { \"wan0\" } meta l4proto { 6, 17 } masquerade to :10000-20000\n"
		    "oifname { \"wan0\" } masquerade\n");
	says_source("{from: 10.0.0.0/8, out: wan0, pool: 192.0.2.1-192.0.2.9, persistent: true, "
		    "ports: 10000-20000}",
		    "meta nfproto ipv4 oifname { \"wan0\" } ip saddr { 10.0.0.0-10.255.255.255 } "
		    "meta l4proto { 6, 17 } snat ip to 192.0.2.1-192.0.2.9:10000-20000 persistent\n"
		    "meta nfproto ipv4 oifname { \"wan0\" } ip saddr { 10.0.0.0-10.255.255.255 } "
		    "snat ip to 192.0.2.1-192.0.2.9 persistent\n");
	says_source("{proto: tcp, out: wan0, pool: \"2001:db8::1\", ports: 10000-20000}",
		    "meta nfproto ipv6 oifname { \"wan0\" } meta l4proto 6 meta l4proto { 6, 17 } "
		    "snat ip6 to [2001:db8::1]:10000-20000\n"
		    "meta nfproto ipv6 oifname { \"wan0\" } meta l4proto 6 snat ip6 to "
		    "2001:db8::1\n");
}

/* Without a range: what the router could not take back later is not chosen. */
static void test_no_range(void **state)
{
	char *text = rules_of("srcnat", "nat: {source: [{out: wan0, action: masquerade}]}\n");
	unsigned first, last, low, high;
	int end = 0;

	(void)state;
	assert_int_equal(sscanf(text,
				"oifname { \"wan0\" } meta l4proto { 6, 17 } th sport %u-%u "
				"masquerade to :%u-%u\noifname { \"wan0\" } masquerade\n%n",
				&first, &last, &low, &high, &end),
			 4);
	assert_int_equal(end, strlen(text));
	assert_true(low <= high && (high < first || low > last));
	free(text);
}

/* Exceptions at the top come before pairs, all else behind. */
static void test_order(void **state)
{
	(void)state;
	says("srcnat",
	     "nat:\n"
	     "  source: [{to: 10.9.0.0/16, action: none}, {out: wan0, action: masquerade, ports: "
	     "10000-20000, proto: gre}, {action: none}]\n"
	     "  static: [{external: 192.0.2.0/28, internal: 10.0.3.0/28, in: wan0}]\n",
	     "meta nfproto ipv4 ip daddr { 10.9.0.0-10.9.255.255 } accept\n"
	     "oifname { \"wan0\" } ip saddr 10.0.3.0/28 snat ip prefix to ip saddr map { "
	     "10.0.3.0/28 : 192.0.2.0/28 }\n"
	     "oifname { \"wan0\" } meta l4proto 47 meta l4proto { 6, 17 } masquerade to "
	     ":10000-20000\n"
	     "oifname { \"wan0\" } meta l4proto 47 masquerade\n"
	     "accept\n");
}

static void test_destination(void **state)
{
	(void)state;
	says("dstnat",
	     "nat:\n"
	     "  destination:\n"
	     "    - {in: wan0, proto: tcp, dport: 80, to: 10.0.0.9, to-port: 8080}\n"
	     "    - {in: wan0, proto: udp, dport: 50-59, to: \"2001:db8::9\", to-port: 50-59}\n"
	     "    - {in: wan0, proto: udp, dport: 60-69, to: 10.0.0.9, to-port: 160-169}\n"
	     "    - {in: lan0, proto: udp, dport: 53, action: redirect}\n"
	     "    - {in: wan0, address: 192.0.2.1, action: none}\n"
	     "  static: [{external: 192.0.2.8, internal: 10.0.3.8}]\n",
	     "udp sport 67 udp dport 68 accept\n"
	     "meta nfproto ipv4 iifname { \"wan0\" } meta l4proto 6 th dport 80 fib daddr type "
	     "local dnat ip to 10.0.0.9:8080\n"
	     "meta nfproto ipv6 iifname { \"wan0\" } meta l4proto 17 th dport 50-59 fib daddr type "
	     "local dnat ip6 to [2001:db8::9]:50-59\n"
	     "meta nfproto ipv4 iifname { \"wan0\" } ip daddr { 192.0.2.1 } accept\n"
	     "ip daddr 192.0.2.8/32 dnat ip prefix to ip daddr map { 192.0.2.8/32 : 10.0.3.8/32 "
	     "}\n");
}

static void test_strays(void **state)
{
	static const char nat[] = "nat: {source: [{action: none}, {out: wan0, pool: 192.0.2.1, "
				  "ports: 10000-20000}]}\n";

	(void)state;
	says("input", nat,
	     "iifname { \"wan0\" } ct state new,invalid,untracked meta l4proto { 6, 17 } th dport "
	     "10000-20000 goto standin-stray\n");
	says("stray", nat,
	     "tcp flags & (syn | ack) == syn return\nsocket transparent { 0, 1 } return\ndrop\n");
	says("forward", nat, "ct state invalid,untracked drop\nip daddr 192.0.2.1 drop\n");
}

/* Then nothing is forwarded, and nothing else of it is there. */
static void test_cannot_be_said(void **state)
{
	static const char nat[] =
		"nat: {source: [{out: wan0, action: masquerade, rate: {over: 5/s}}]}\n";

	(void)state;
	says("forward", nat, "drop\n");
	says("srcnat", nat, "");
	says("input", nat, "");
}

static int setup(void **state)
{
	(void)state;
	nft = nft_new("");
	nft_set_standin(nft, passes);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nft_destroy(nft);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nowhere),	       cmocka_unit_test(test_source),
		cmocka_unit_test(test_no_range),       cmocka_unit_test(test_order),
		cmocka_unit_test(test_destination),    cmocka_unit_test(test_strays),
		cmocka_unit_test(test_cannot_be_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
