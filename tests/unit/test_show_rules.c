/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show rules, and names of tables: what is told of rules, and that its shape stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "router/ctl/table_names.h"
#include "router/router.h"
#include "tests/unit/ask.h"
/* its `s` would shadow theirs */
#include "tests/unit/rules_lab.h"

static struct router router;
static struct ask asked;

static int setup(void **state)
{
	static const char yaml[] = "version: 1\ninterfaces: {lan: {}}\n"
				   "routing: {tables: {guest: 100}}\nvrfs: {red: {table: 200}}\n";

	network_up(state);
	memset(&router, 0, sizeof(router));
	router.state = s;
	assert_int_equal(conf_load("test.yaml", yaml, stderr, &router.conf), 0);
	return 0;
}

static int teardown(void **state)
{
	if (asked.rows)
		ask_end(&asked);
	conf_destroy(router.conf);
	return network_down(state);
}

static json_t *row(size_t i)
{
	return json_array_get(asked.rows, i);
}

static void assert_row(size_t i, const char *json)
{
	json_t *want = json_loads(json, 0, NULL), *v;
	const char *key;

	assert_non_null(want);
	json_object_foreach(want, key, v) {
		if (json_equal(json_object_get(row(i), key), v))
			continue;
		char *have = json_dumps(row(i), 0);

		print_error("%s\n", have);
		fail_msg("row %zu: %s", i, key);
	}
	json_decref(want);
}

static void all_that_a_rule_says(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 100, 100);

	(void)state;
	usual_rules(AF_INET);
	r.invert = true;
	r.from = prefix("10.0.0.0/8");
	r.to = prefix("192.0.2.1/32");
	strcpy(r.iif, "lan");
	r.mark = 0x10;
	r.mark_mask = 0xff;
	r.has_dscp = true;
	r.dscp = 46;
	r.dscp_mask = 0x3f;
	r.ipproto = IPPROTO_UDP;
	r.sport = (struct netlink_ports){ 1, 1023, 0 };
	r.dport = (struct netlink_ports){ 53, 53, UINT16_MAX };
	r.suppress_len = 0;
	r.protocol = NETLINK_PROTO;
	rule(&r);
	ask_all(&asked, &router, "show rules");
	assert_int_equal(json_array_size(asked.rows), 4);
	assert_row(0, "{\"priority\": 0, \"family\": \"ipv4\", \"match\": \"all\", \"action\": "
		      "\"lookup\","
		      "\"table\": \"local\", \"state\": \"in use\", \"not\": false, \"from\": null,"
		      "\"fwmark\": null, \"dscp\": null, \"suppress_prefix_length\": null}");
	assert_row(1,
		   "{\"priority\": 100, \"match\": \"not from 10.0.0.0/8 to 192.0.2.1/32 iif lan "
		   "fwmark 0x10/0xff dscp 46 proto 17 sport 1-1023 dport 53\","
		   "\"action\": \"lookup\", \"table\": \"guest\", \"protocol\": \"router\","
		   "\"state\": \"in use\", \"not\": true, \"from\": \"10.0.0.0/8\","
		   "\"to\": \"192.0.2.1/32\", \"iif\": \"lan\", \"oif\": null,"
		   "\"fwmark\": \"0x10/0xff\", \"dscp\": 46, \"tos\": null, \"proto\": 17,"
		   "\"sport\": \"1-1023\", \"dport\": \"53\", \"l3mdev\": false,"
		   "\"target\": null, \"suppress_prefix_length\": 0}");
	assert_row(3, "{\"priority\": 32767, \"table\": \"default\"}");
}

static void what_packets_have_to_do_with_it(void **state)
{
	struct netlink_rule r = rule_of(AF_INET6, 10, 0);

	(void)state;
	r.action = FR_ACT_GOTO;
	r.target = 50;
	rule(&r);
	r = rule_of(AF_INET6, 20, 0);
	r.l3mdev = true;
	rule(&r);
	r = rule_of(AF_INET6, 30, 77);
	strcpy(r.oif, "wan");
	rule(&r);
	r = rule_of(AF_INET6, 40, 200);
	r.suppress_group = 1;
	rule(&r);
	r = rule_of(AF_INET6, 50, 0);
	r.action = FR_ACT_PROHIBIT;
	strcpy(r.iif, "lo");
	r.tos = 0xb8;
	r.invert = true;
	rule(&r);
	ask_all(&asked, &router, "show rules");
	assert_row(
		0,
		"{\"family\": \"ipv6\", \"action\": \"goto 50\", \"target\": 50, \"table\": null}");
	assert_row(1, "{\"match\": \"l3mdev\", \"l3mdev\": true, \"table\": \"of the VRF\"}");
	assert_row(2, "{\"oif\": \"wan\", \"state\": \"linux only\", \"table\": \"77\"}");
	assert_row(3, "{\"state\": \"not understood\", \"table\": \"red\"}");
	assert_row(4, "{\"action\": \"prohibit\", \"match\": \"not iif lo dscp 46\", \"dscp\": 46, "
		      "\"tos\": null, \"state\": \"in use\"}");
}

/* More than fit into one call, and some go while they are shown. */
static void many_rules(void **state)
{
	struct netlink_rule r = rule_of(AF_INET, 0, 100);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		r.priority = i;
		rule(&r);
		r.family = i % 2 ? AF_INET : AF_INET6;
	}
	ask_all(&asked, &router, "show rules");
	assert_int_equal(json_array_size(asked.rows), 200);
}

static void tables_have_names(void **state)
{
	char text[TABLE_STRLEN];
	uint32_t table;

	(void)state;
	assert_string_equal(table_text(&router, 254, text), "main");
	assert_string_equal(table_text(&router, 200, text), "red");
	assert_string_equal(table_text(&router, 4294967295u, text), "4294967295");
	assert_int_equal(table_parse(&router, "guest", &table), 0);
	assert_int_equal(table, 100);
	assert_int_equal(table_parse(&router, "default", &table), 0);
	assert_int_equal(table, 253);
	assert_int_equal(table_parse(&router, "70000", &table), 0);
	assert_int_equal(table, 70000);
	assert_int_equal(table_parse(&router, "gest", &table), -EINVAL);
	assert_int_equal(table_parse(&router, "-1", &table), -EINVAL);
	assert_int_equal(table_parse(&router, "0", &table), -EINVAL);
	assert_int_equal(table_parse(&router, "4294967296", &table), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_that_a_rule_says, setup, teardown),
		cmocka_unit_test_setup_teardown(what_packets_have_to_do_with_it, setup, teardown),
		cmocka_unit_test_setup_teardown(many_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(tables_have_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
