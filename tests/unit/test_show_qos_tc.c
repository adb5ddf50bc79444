// SPDX-License-Identifier: GPL-2.0-or-later
/* show qos -o tc: whole listings as tc prints them. tests/netns/qos_show.sh has tc itself beside.
 */
#include "tests/unit/show_qos.h"

static void test_tc(void **state)
{
	char *text = lines_of("show qos dev wan0 -o tc");

	(void)state;
	assert_string_equal(
		text,
		"qdisc htb 1: root refcnt 2 r2q 10 default 0x30 direct_packets_stat 0 direct_qlen "
		"1000\n"
		"qdisc fq_codel 10: parent 1:10 limit 10240p flows 1024 quantum 1514 target 5ms "
		"interval 100ms memory_limit 32Mb ecn drop_batch 64 \n"
		"qdisc prio 30: parent 1:30 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n"
		"qdisc pfifo 32: parent 30:2 limit 2p\n"
		"class htb 1:1 root rate 95Mbit ceil 95Mbit burst 11875b cburst 11875b \n"
		"class htb 1:10 parent 1:1 leaf 10: prio 0 rate 5Mbit ceil 20Mbit burst 1600b "
		"cburst 2500b \n"
		"class htb 1:30 parent 1:1 leaf 30: prio 3 rate 80Mbit ceil 95Mbit burst 10000b "
		"cburst 11875b \n"
		"class prio 30:1 parent 30: \n"
		"class prio 30:2 parent 30: leaf 32: \n"
		"class prio 30:3 parent 30: \n"
		"filter parent 1: protocol all pref 10 fw chain 0 \n"
		"filter parent 1: protocol all pref 10 fw chain 0 handle 0x20 classid 1:10 \n"
		"filter parent 1: protocol all pref 20 basic chain 0 \n"
		"filter parent 1: protocol all pref 20 basic chain 0 handle 0x1 flowid 1:10 \n"
		"  (proto: udp, dport: [3478, 5060])\n"
		"filter parent 1: protocol ip pref 30 flower chain 0 \n"
		"filter parent 1: protocol ip pref 30 flower chain 0 handle 0x1 classid 1:10 \n"
		"  eth_type ipv4\n"
		"  src_ip 10.0.9.0/24\n"
		"  not_in_hw\n"
		"\taction order 1:  police 0x1 rate 20Mbit burst 64Kb mtu 2Kb action drop overhead "
		"0b \n"
		"\tref 1 bind 1 \n"
		"\n"
		"filter parent 1: protocol all pref 40 u32 chain 0 \n"
		"filter parent 1: protocol all pref 40 u32 chain 0 fh 800: ht divisor 1 \n"
		"filter parent 1: protocol all pref 40 u32 chain 0 fh 800::800 order 2048 key ht "
		"800 "
		"bkt 0 *flowid 1:30 not_in_hw \n"
		"  match 0a000000/ff000000 at 12\n"
		"filter parent 1: protocol all pref 40 u32 chain 0 fh 800::801 order 2049 key ht "
		"800 "
		"bkt 0 *flowid 1:30 not_in_hw \n"
		"  match 00110000/00ff0000 at 8\n"
		"filter parent 1: protocol all pref 50 matchall chain 0 \n"
		"filter parent 1: protocol all pref 50 matchall chain 0 handle 0x1 flowid 1:30 \n"
		"  not_in_hw\n"
		"\taction order 1: mirred (Egress Mirror to device lan0) pipe\n"
		"\tindex 1 ref 1 bind 1\n"
		"\n");
	free(text);
}

static void test_tc_statistics(void **state)
{
	char *text;

	(void)state;
	some_traffic();
	text = lines_of("show qos -s dev wan0 -o tc");
	assert_non_null(strstr(text, "direct_qlen 1000\n"
				     " Sent 500 bytes 1 pkt (dropped 3, overlimits 0 requeues 0) \n"
				     " backlog 3000b 4p requeues 0\n"
				     "qdisc fq_codel 10: "));
	assert_non_null(strstr(text, " backlog 1000b 2p requeues 0\n"
				     "  maxpacket 500 drop_overlimit 0 new_flow_count 1 ecn_mark 0 "
				     "memory_used "));
	assert_non_null(strstr(text, "\n  new_flows_len "));
	assert_non_null(strstr(text, "cburst 2500b \n"
				     " Sent 500 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) \n"
				     " backlog 1000b 2p requeues 0\n"
				     " lended: 1 borrowed: 0 giants: 0\n"
				     " tokens: "));
	assert_non_null(strstr(text, "class prio 30:2 parent 30: leaf 32: \n"
				     " Sent 0 bytes 0 pkt (dropped 3, overlimits 0 requeues 0) \n"
				     " backlog 2000b 2p requeues 0\n"
				     "class prio 30:3 parent 30: \n"));
	assert_non_null(strstr(text, "not_in_hw (rule hit 0 success 0)\n"
				     "  match 0a000000/ff000000 at 12 (success 0 ) \n"));
	assert_non_null(strstr(text, "  not_in_hw (rule hit 0)\n"));
	assert_non_null(strstr(text, "\tref 1 bind 1 \n"
				     "\tAction statistics:\n"
				     "\tSent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
				     "\tbacklog 0b 0p requeues 0\n"));
	free(text);
	text = lines_of("show qos -o tc");
	assert_ptr_equal(strstr(text, "qdisc htb 1: dev wan0 root refcnt 2 "), text);
	assert_non_null(strstr(text, "\nclass htb 1:10 dev wan0 parent 1:1 leaf 10: prio"));
	assert_non_null(strstr(text, "\nfilter dev wan0 parent 1: protocol all pref 10 fw"));
	free(text);
}

/* What comes in: its qdisc in Linux's words, filters of both kinds, and the tree of an IFB. */
static void test_border(void **state)
{
	char *text = lines_of("show qos -o tc");

	(void)state;
	assert_string_equal(
		text,
		"qdisc pfifo 1: dev wan0 root refcnt 2 limit 1000p\n"
		"qdisc htb 2: dev ifb-wan0 root refcnt 2 r2q 10 default 0 direct_packets_stat 0 "
		"direct_qlen 1000\n"
		"qdisc ingress ffff: dev wan0 parent ffff:fff1 ---------------- \n"
		"class htb 2:1 dev ifb-wan0 root prio 0 rate 50Mbit ceil 50Mbit burst 6250b cburst "
		"6250b \n"
		"filter dev wan0 parent ffff: protocol ip pref 5 flower chain 0 \n"
		"filter dev wan0 parent ffff: protocol ip pref 5 flower chain 0 handle 0x1 \n"
		"  eth_type ipv4\n"
		"  src_ip 10.0.20.0/24\n"
		"  not_in_hw\n"
		"\taction order 1:  police 0x1 rate 20Mbit burst 64Kb mtu 2Kb action drop overhead "
		"0b \n"
		"\tref 1 bind 1 \n"
		"\n"
		"filter dev wan0 parent ffff: protocol arp pref 6 matchall chain 0 \n"
		"filter dev wan0 parent ffff: protocol arp pref 6 matchall chain 0 handle 0x1 \n"
		"  not_in_hw\n"
		"\taction order 1: mirred (Egress Redirect to device lan0) stolen\n"
		"\tindex 1 ref 1 bind 1\n"
		"\n"
		"filter dev wan0 parent ffff: protocol all pref 7 fw chain 0 \n"
		"filter dev wan0 parent ffff: protocol all pref 7 fw chain 0 handle 0x1/0xff \n"
		"\n"
		"\taction order 1: skbedit  priority 1:10 pipe\n"
		"\t index 1 ref 1 bind 1\n"
		"\n"
		"\taction order 2: gact action drop\n"
		"\t random type none pass val 0\n"
		"\t index 2 ref 1 bind 1\n"
		"\n"
		"filter dev wan0 parent ffff: protocol 802.1Q pref 8 flower chain 0 \n"
		"filter dev wan0 parent ffff: protocol 802.1Q pref 8 flower chain 0 handle 0x1 \n"
		"  vlan_id 7\n"
		"  not_in_hw\n"
		"\taction order 1: skbedit  mark 9 pipe\n"
		"\t index 1 ref 1 bind 1\n"
		"\n"
		"\taction order 2: gact action pass\n"
		"\t random type none pass val 0\n"
		"\t index 2 ref 1 bind 1\n"
		"\n"
		"filter dev wan0 parent ffff: protocol ip pref 9 flower chain 0 \n"
		"filter dev wan0 parent ffff: protocol ip pref 9 flower chain 0 handle 0x1 \n"
		"  eth_type ipv4\n"
		"  dst_ip 10.0.0.9\n"
		"  not_in_hw\n"
		"\taction order 1:  pedit action pipe keys 1\n"
		" \t index 1 ref 1 bind 1\n"
		"\t key #0  at 8: val 40000000 mask 00ffffff\n"
		"\n"
		"filter dev ifb-wan0 parent 2: protocol all pref 9 bpf chain 0 \n"
		"filter dev ifb-wan0 parent 2: protocol all pref 9 bpf chain 0 handle 0x1 flowid "
		"2:1 not_in_hw bytecode '1,6 0 0 1'\n"
		"filter dev ifb-wan0 parent 2: protocol all pref 49152 flow chain 0 \n"
		"filter dev ifb-wan0 parent 2: protocol all pref 49152 flow chain 0 handle 0x1 "
		"hash keys dst divisor 64 baseclass 2:1 \n");
	free(text);
}

static void test_format(void **state)
{
	struct ask a;

	(void)state;
	ask_all(&a, &router, "show qos -o yaml");
	assert_int_equal(a.end, 1);
	assert_string_equal(a.error, "format \"yaml\" is unknown; there is: tc");
	ask_end(&a);
}

static void test_reload_tc(void **state)
{
	(void)state;
	reload_under("show qos -o tc", "line", 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tc),	   TEST(test_tc_statistics),  TEST_BORDER(test_border),
		TEST(test_format), TEST_MANY(test_reload_tc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
