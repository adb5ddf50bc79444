/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show nat, of a configuration as an operator writes it; show nat mappings and show nat ports, over
 * outside ports claimed by hand. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/natport_util.h"
/* after cmocka.h, which natport_util.h includes */
#include "router/net/limit.h"
#include "router/net/set.h"
#include "router/router.h"
#include "tests/unit/ask.h"
#include "tests/unit/conf_util.h"

static struct router router;
static struct stateful shared;

static int set_up(void **state)
{
	(void)state;
	memset(&router, 0, sizeof(router));
	shared.ports = ports_of(10000);
	router.st = &shared;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	natports_destroy(shared.ports);
	return 0;
}

/* So many flows of one endpoint. */
static void use(uint16_t slot, struct natport_inside in, unsigned flows)
{
	struct natport_want w = want(in.port);

	while (flows--)
		assert_int_equal(map(shared.ports, &in, slot, &w), in.port);
}

/* Without the texts of the table, which have a key of their own here. */
static void assert_rows(const char *words, const char *want_json)
{
	struct ask a;
	json_t *row, *value;
	const char *key;
	size_t n;
	void *next;
	char *text;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	json_array_foreach(a.rows, n, row) {
		json_object_foreach_safe(row, next, key, value)
		{
			if (strstr(key, ".text"))
				json_object_del(row, key);
		}
	}
	text = json_dumps(a.rows, JSON_COMPACT);
	assert_string_equal(text, want_json);
	free(text);
	ask_end(&a);
}

static void test_nothing_yet(void **state)
{
	(void)state;
	assert_rows("show nat mappings", "[]");
	assert_rows("show nat ports", "[]");
	router.st = NULL;
	assert_rows("show nat mappings", "[]");
	assert_rows("show nat ports", "[]");
}

static void test_mappings(void **state)
{
	uint16_t slot = hold(shared.ports, "203.0.113.2");
	struct natport_inside in = inside4(7, 1234, IPPROTO_UDP);
	struct ask a;

	(void)state;
	in.zone = 9;
	use(slot, in, 3);
	assert_rows("show nat mappings", "[{\"proto\":\"udp\",\"flows\":3,\"zone\":9,"
					 "\"inside\":{\"addr\":\"10.0.0.7\",\"port\":1234},"
					 "\"outside\":{\"addr\":\"203.0.113.2\",\"port\":1234}}]");
	ask_all(&a, &router, "show nat mappings");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(a.rows, 0), "inside.text")),
		"10.0.0.7:1234");
	ask_end(&a);
}

static void test_many_mappings(void **state)
{
	uint16_t slot = hold(shared.ports, "203.0.113.2");
	unsigned steps = 1;
	struct ask a;

	(void)state;
	for (uint32_t host = 1; host <= 1000; host++)
		use(slot, inside4(host, (uint16_t)(2000 + host), IPPROTO_TCP), 1);
	ask_begin(&a, &router, false, "show nat mappings");
	while (ask_step(&a))
		steps++;
	assert_int_equal(json_array_size(a.rows), 1000);
	assert_in_range(steps, 1000 / 64, 20);
	ask_end(&a);
}

static void test_ports(void **state)
{
	uint16_t slot = hold(shared.ports, "203.0.113.2");
	struct natport_want nothing = { .port = 80, .first = 80, .last = 80, .keep = true };

	(void)state;
	hold(shared.ports, "2001:db8::2");
	use(slot, inside4(7, 1234, IPPROTO_UDP), 2);
	use(slot, inside4(7, 1235, IPPROTO_UDP), 1);
	natports_reserve(shared.ports, slot, NATPORT_TCP, 80, 89, true);
	assert_int_equal(natport_claim(shared.ports, slot, NATPORT_TCP, &nothing, 1), 0);
	assert_true(natport_claim_one(shared.ports, slot, NATPORT_ICMP, 5));
	assert_rows("show nat ports", "[{\"address\":\"203.0.113.2\","
				      "\"tcp\":{\"taken\":0,\"reserved\":10},"
				      "\"udp\":{\"taken\":2,\"reserved\":0},"
				      "\"icmp\":{\"taken\":1,\"reserved\":0},\"exhausted\":1},"
				      "{\"address\":\"2001:db8::2\","
				      "\"tcp\":{\"taken\":0,\"reserved\":0},"
				      "\"udp\":{\"taken\":0,\"reserved\":0},"
				      "\"icmp\":{\"taken\":0,\"reserved\":0},\"exhausted\":0}]");
}

/* ---- rules */
static const char text[] =
	"version: 1\n"
	"interfaces: {wan0: {}, lan0: {}}\n"
	"nat:\n"
	"  source:\n"
	"    - {name: vpn, to: 10.8.0.0/16, action: none}\n"
	"    - {name: home, from: 10.0.0.0/16, out: wan0, action: masquerade, filtering: eif}\n"
	"  destination:\n"
	"    - {name: www, in: wan0, proto: tcp, dport: 80, to: 10.0.0.10}\n"
	"  static: [{name: mail, external: 203.0.113.6, internal: 10.0.0.25}]\n";

static void test_rules(void **state)
{
	struct match_context c = { .names = &router.names };
	struct nat_local local = { .addr = address("203.0.113.2") };
	struct policy policy = { 0 };
	struct conf *conf = load_good("router.yaml", text);
	struct limits *limits;
	struct sets *sets;
	char why[256] = "";

	(void)state;
	assert_int_equal(sets_create(&router.names, &sets), 0);
	assert_int_equal(limits_create(&limits), 0);
	c.conf = conf;
	c.sets = sets;
	c.limits = limits;
	local.iface = names_get(&router.names, "wan0");
	if (nat_build(&c, shared.ports, &local, 1, 1, &policy.nat, why, sizeof(why)))
		fail_msg("%s", why);
	assert_rows("show nat", "[]");
	router.policy = &policy;
	assert_rows("show nat",
		    "[{\"name\":\"vpn\",\"kind\":\"none\",\"flows\":0,\"exhausted\":0,"
		    "\"mapping\":null,\"filtering\":null,\"target\":null,"
		    "\"match\":\"to: 10.8.0.0/16\"},"
		    "{\"name\":\"home\",\"kind\":\"masquerade\",\"flows\":0,\"exhausted\":0,"
		    "\"mapping\":\"eim\",\"filtering\":\"eif\",\"target\":\"interface\","
		    "\"match\":\"out: wan0, from: 10.0.0.0/16\"},"
		    "{\"name\":\"www\",\"kind\":\"dnat\",\"flows\":0,\"exhausted\":0,"
		    "\"mapping\":null,\"filtering\":null,\"target\":\"10.0.0.10\","
		    "\"match\":\"in: wan0, proto: tcp, dport: 80\"},"
		    "{\"name\":\"mail\",\"kind\":\"static\",\"flows\":0,\"exhausted\":0,"
		    "\"mapping\":null,\"filtering\":null,"
		    "\"target\":\"203.0.113.6/32 = 10.0.0.25/32\",\"match\":null}]");
	nat_destroy(policy.nat);
	limits_destroy(limits);
	sets_destroy(sets);
	names_fini(&router.names);
	conf_destroy(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_yet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mappings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_mappings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
