// SPDX-License-Identifier: GPL-2.0-or-later
/* show qos and monitor qos, of a tree at work: a configuration as an operator writes it, and
 * packets on a manual clock. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/conf_util.h"
/* after cmocka.h, which conf_util.h includes */
#include "router/ctl/qos_rate.h"
#include "router/net/limit.h"
#include "router/net/qdisc/classify.h"
#include "router/net/set.h"
#include "router/router.h"
#include "router/shaper.h"
#include "tests/unit/ask.h"
#include "tests/unit/qdisc_lab.h"

static const char office[] =
	"version: 1\n"
	"interfaces: {wan0: {}, lan0: {}}\n"
	"qos:\n"
	"  wan0:\n"
	"    egress:\n"
	"      root: {htb: {default: bulk}, handle: \"1:\"}\n"
	"      classes:\n"
	"        all: {handle: \"1:1\", rate: 95mbit, ceil: 95mbit}\n"
	"        voice: {parent: all, handle: \"1:10\", rate: 5mbit, ceil: 20mbit, prio: 0,\n"
	"                leaf: {fq_codel: {}, handle: \"10:\"}}\n"
	"        bulk: {parent: all, handle: \"1:30\", rate: 80mbit, ceil: 95mbit, prio: 3,\n"
	"               leaf: {prio: {}, handle: \"30:\"}}\n"
	"      qdiscs:\n"
	"        - {parent: \"30:2\", handle: \"32:\", pfifo: {limit: 2}}\n"
	"      filters:\n"
	"        - {priority: 10, mark: 0x20, class: voice}\n"
	"        - {priority: 20, proto: udp, dport: [3478, 5060], class: voice}\n"
	"        - {priority: 30, from: 10.0.9.0/24, action: [{police: {rate: 20mbit, burst: "
	"64kb}}],\n"
	"           class: voice}\n"
	"        - {priority: 40, u32: [{at: 12, width: 4, value: 0x0a000000, mask: 0xff000000}],\n"
	"           class: bulk}\n"
	"        - {priority: 40, u32: [{at: 9, width: 1, value: 17, mask: 0xff}], class: bulk}\n"
	"        - {priority: 50, action: [{mirror: lan0}], class: bulk}\n";

static struct router router;
static struct qos published;
static struct shaper shaper;
static struct lab lab;
static struct conf *conf;
static struct policers *policers;
static struct limits *limits;
static struct sets *sets;

static uint32_t class_of(void *arg, uint32_t classid)
{
	const struct qclass *cl = tree_class(arg, classid);

	return cl ? cl->index : QCLASS_NONE;
}

static int port_of(void *arg, const char *iface)
{
	(void)arg;
	return strcmp(iface, "lan0") == 0;
}

static void build_filters(void)
{
	struct tc_context context = {
		.match = { .conf = conf, .names = &router.names, .sets = sets, .limits = limits },
		.policers = policers,
		.nworkers = 1,
		.port_of = port_of,
		.class_of = class_of,
		.arg = lab.t
	};
	struct tc_place place = { .iface = "wan0",
				  .direction = CONF_DIRECTION_OUT,
				  .tree = &conf->qos[0].egress };
	char why[256] = "";

	if (tc_filters_build(&context, &place, &published.port[0].out, why, sizeof(why)))
		fail_msg("%s", why);
}

static void begin(const char *yaml)
{
	conf = load_good("router.yaml", yaml);
	assert_int_equal(sets_create(&router.names, &sets), 0);
	assert_int_equal(limits_create(&limits), 0);
	assert_int_equal(policers_create(&policers), 0);
	lab_open(&lab, &conf->qos[0].egress, 0);
	shaper.tree = lab.t;
	router.conf = conf;
	snprintf(router.ports[0].conf.name, CONF_NAME, "wan0");
	snprintf(router.ports[1].conf.name, CONF_NAME, "lan0");
	router.qos.published = &published;
	router.qos.tree[0][QOS_EGRESS] = (struct qos_tree){ &shaper, &conf->qos[0].egress };
	build_filters();
}

static int set_up(void **state)
{
	(void)state;
	begin(office);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	qos_rate_stop(&router);
	tc_filters_destroy(published.port[0].out);
	lab_close(&lab);
	policers_destroy(policers);
	limits_destroy(limits);
	sets_destroy(sets);
	names_fini(&router.names);
	conf_destroy(conf);
	memset(&router, 0, sizeof(router));
	memset(&published, 0, sizeof(published));
	return 0;
}

/* ---- what was said */

static const json_t *row_of(const struct ask *a, const char *handle)
{
	json_t *row;
	size_t n;

	json_array_foreach(a->rows, n, row) {
		const char *have = json_string_value(json_object_get(row, "handle"));

		if (have && strcmp(have, handle) == 0)
			return row;
	}
	fail_msg("no row of %s", handle);
	return NULL;
}

static int number(const json_t *row, const char *key)
{
	return (int)json_integer_value(json_object_get(row, key));
}

static const char *string(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* All lines of a column, each with its end; from malloc. */
static char *lines(const struct ask *a, const char *key)
{
	json_t *row;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	json_array_foreach(a->rows, n, row)
		fprintf(f, "%s\n", string(row, key));
	fclose(f);
	return text;
}

static char *lines_of(const char *words)
{
	struct ask a;
	char *text;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	text = lines(&a, "line");
	ask_end(&a);
	return text;
}

/* The shape that programs rely on: of the first class, and of a filter with a policer. */
static void test_json(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	ask_all(&a, &router, "show qos");
	assert_int_equal(a.end, 0);
	text = json_dumps(row_of(&a, "1:10"), JSON_COMPACT);
	assert_string_equal(
		text,
		"{\"dev\":\"wan0\",\"direction\":\"egress\",\"kind\":\"class\",\"handle\":\"1:10\","
		"\"handle.text\":\"    1:10 voice\",\"parent\":\"1:1\",\"name\":\"voice\","
		"\"qdisc\":\"htb\",\"options\":{\"prio\":0,\"rate\":625000,\"ceil\":2500000,"
		"\"burst\":1600,\"cburst\":2500},\"options.text\":\"prio 0 rate 5Mbit ceil 20Mbit "
		"burst 1600b cburst 2500b\",\"bytes\":0,\"packets\":0,\"drops\":0,\"overlimits\":0,"
		"\"backlog\":0,\"qlen\":0,\"rate\":null,\"ecn_marked\":0,\"sojourn_us\":null,"
		"\"xstats\":{\"lended\":0,\"borrowed\":0,\"giants\":0,\"tokens\":40000,"
		"\"ctokens\":15625,\"waited_rate\":0,\"waited_parent\":0},\"line\":9}");
	free(text);
	text = json_dumps(json_array_get(a.rows, 12), JSON_COMPACT);
	assert_string_equal(
		text,
		"{\"dev\":\"wan0\",\"direction\":\"egress\",\"kind\":\"filter\",\"handle\":null,"
		"\"handle.text\":\"wan0 filter 30\",\"parent\":\"1:\",\"name\":null,"
		"\"qdisc\":null,\"options\":{\"priority\":30,\"match\":\"from: 10.0.9.0/24\","
		"\"action\":\"[{police: {rate: 20000000bit, burst: 65536b, color-aware: false, "
		"conform: pass, exceed: drop, violate: drop}}, {class: \\\"1:10\\\"}]\","
		"\"class\":\"1:10\"},\"options.text\":\"from: 10.0.9.0/24 -> [{police: {rate: "
		"20000000bit, burst: 65536b, color-aware: false, conform: pass, exceed: drop, "
		"violate: drop}}, {class: \\\"1:10\\\"}]\",\"bytes\":0,\"packets\":0,"
		"\"drops\":null,\"overlimits\":null,\"backlog\":null,\"qlen\":null,\"rate\":null,"
		"\"ecn_marked\":null,\"sojourn_us\":null,\"xstats\":{\"police\":[{\"name\":"
		"\"qos.wan0.out.1:0.30#1\",\"conform\":{\"packets\":0,\"bytes\":0},\"exceed\":"
		"{\"packets\":0,\"bytes\":0},\"violate\":{\"packets\":0,\"bytes\":0}}]},"
		"\"line\":18}");
	free(text);
	ask_end(&a);
}

/* Each thing under what it hangs on, filters behind. */
static void test_tree(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	ask_all(&a, &router, "show qos dev wan0");
	assert_int_equal(a.end, 0);
	text = lines(&a, "handle.text");
	assert_string_equal(text, "wan0 htb 1:\n"
				  "  1:1 all\n"
				  "    1:10 voice\n"
				  "      fq_codel 10:\n"
				  "    1:30 bulk\n"
				  "      prio 30:\n"
				  "        30:1\n"
				  "        30:2\n"
				  "          pfifo 32:\n"
				  "        30:3\n"
				  "wan0 filter 10\n"
				  "wan0 filter 20\n"
				  "wan0 filter 30\n"
				  "wan0 filter 40\n"
				  "wan0 filter 40\n"
				  "wan0 filter 50\n");
	free(text);
	ask_end(&a);
	ask_all(&a, &router, "show qos dev lan0");
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 0);
	ask_end(&a);
	ask_all(&a, &router, "show qos dev wan7");
	assert_int_equal(a.end, 1);
	assert_string_equal(a.error, "there is no port \"wan7\"");
	ask_end(&a);
}

/* ---- figures (S19) */

/* Five packets to the queue of two, three to voice; one of these leaves after 2 ms. */
static void some_traffic(void)
{
	for (unsigned i = 0; i < 5; i++)
		lab_send(&lab, 1000, i, CONF_HANDLE(0x30, 2));
	for (unsigned i = 0; i < 3; i++)
		lab_send(&lab, 500, 7, CONF_HANDLE(1, 0x10));
	lab_at(&lab, lab.now + 2 * NSEC_PER_MSEC);
	assert_non_null(lab_take(&lab));
}

static void test_figures(void **state)
{
	const json_t *row;
	struct ask a;

	(void)state;
	qos_rate_look(&router, NSEC_PER_SEC);
	some_traffic();
	qos_rate_look(&router, 3 * NSEC_PER_SEC);
	ask_all(&a, &router, "show qos");
	row = row_of(&a, "1:");
	assert_int_equal(number(row, "packets"), 1);
	assert_int_equal(number(row, "rate"), 250);
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2 * 1000 + 2 * 500);
	assert_int_equal(number(row, "qlen"), 4);
	row = row_of(&a, "1:10");
	assert_int_equal(number(row, "bytes"), 500);
	assert_int_equal(number(row, "rate"), 250);
	assert_int_equal(number(row, "qlen"), 2);
	/* the bucket that 2 ms is in ends there */
	assert_in_range(number(json_object_get(row, "sojourn_us"), "p50"), 2000, 2600);
	assert_in_range(number(json_object_get(row, "sojourn_us"), "p99"), 2000, 2600);
	row = row_of(&a, "30:2");
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2000);
	assert_int_equal(number(row, "rate"), 0);
	assert_true(json_is_null(json_object_get(row, "sojourn_us")));
	ask_end(&a);
}

/* As an operator reads it. */
static void test_statistics(void **state)
{
	struct ask a;

	(void)state;
	some_traffic();
	ask_all(&a, &router, "show qos -s");
	assert_string_equal(string(row_of(&a, "32:"), "options.text"),
			    "limit 2p\n"
			    "Sent 0 bytes 0 pkt (dropped 3, overlimits 0)\n"
			    "backlog 2000b 2p");
	assert_non_null(strstr(string(row_of(&a, "1:10"), "options.text"),
			       "prio 0 rate 5Mbit ceil 20Mbit burst 1600b cburst 2500b\n"
			       "Sent 500 bytes 1 pkt (dropped 0, overlimits 0)\n"
			       "backlog 1000b 2p\n"
			       "stayed p50 2."));
	assert_non_null(
		strstr(string(json_array_get(a.rows, 12), "options.text"),
		       "\nmatched 0 bytes 0 pkt\n"
		       "police qos.wan0.out.1:0.30#1: conform 0 bytes 0 pkt exceed 0 bytes 0 "
		       "pkt violate 0 bytes 0 pkt"));
	ask_end(&a);
}

/* ---- in tc's words */

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

static void test_format(void **state)
{
	struct ask a;

	(void)state;
	ask_all(&a, &router, "show qos -o yaml");
	assert_int_equal(a.end, 1);
	assert_string_equal(a.error, "format \"yaml\" is unknown; there is: tc");
	ask_end(&a);
}

/* ---- between two calls */

/* A tree of 1,000 classes, of which a reload takes the first 500 while a listing is under way: it
 * goes on with those that are left, and tells none twice. */
static char *many(unsigned from, unsigned to)
{
	char *yaml;
	size_t size;
	FILE *f = open_memstream(&yaml, &size);

	fputs("version: 1\ninterfaces: {wan0: {}, lan0: {}}\nqos:\n  wan0:\n    egress:\n"
	      "      root: {htb: {}, handle: \"1:\"}\n      classes:\n",
	      f);
	for (unsigned i = from; i < to; i++)
		fprintf(f, "        c%u: {handle: \"1:%x\", rate: 1mbit}\n", i, i);
	fclose(f);
	return yaml;
}

static void begin_many(void)
{
	char *yaml = many(1, 1001);

	begin(yaml);
	free(yaml);
}

static int set_up_many(void **state)
{
	(void)state;
	begin_many();
	return 0;
}

static void shrink(void)
{
	char *yaml = many(501, 1001);
	struct conf *next = load_good("router.yaml", yaml), *was = conf;

	lab_change(&lab, &next->qos[0].egress);
	router.conf = conf = next;
	router.qos.tree[0][QOS_EGRESS].conf = &next->qos[0].egress;
	conf_destroy(was);
	free(yaml);
}

static void reload_under(const char *words, const char *key, unsigned most)
{
	struct ask a;
	size_t before;

	ask_begin(&a, &router, true, words);
	for (unsigned i = 0; i < 3; i++)
		assert_true(ask_step(&a));
	before = json_array_size(a.rows);
	assert_in_range(before, 100, 64 * 4);
	shrink();
	while (ask_step(&a))
		;
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), before + 1 + 500); /* one was under way */
	assert_true(json_array_size(a.rows) < most);
	assert_non_null(strstr(string(json_array_get(a.rows, before + 1), key), "1:1f5"));
	ask_end(&a);
}

static void test_reload(void **state)
{
	(void)state;
	reload_under("show qos", "handle.text", 800);
}

static void test_reload_tc(void **state)
{
	(void)state;
	reload_under("show qos -o tc", "line", 800);
}

static void test_tree_goes(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "show qos");
	assert_true(ask_step(&a));
	router.qos.tree[0][QOS_EGRESS] = (struct qos_tree){ 0 };
	router.qos.published = NULL;
	while (ask_step(&a))
		;
	assert_int_equal(a.end, 0);
	assert_in_range(json_array_size(a.rows), 64, 128);
	ask_end(&a);
}

/* ---- monitor */

static void wait_for_rows(struct ask *a, size_t n)
{
	for (unsigned i = 0; json_array_size(a->rows) < n; i++) {
		assert_true(i < 100);
		usleep(20000);
		ask_step(a);
	}
}

static void test_monitor(void **state)
{
	const json_t *row;
	struct ask a;

	(void)state;
	lab_send(&lab, 100, 1, CONF_HANDLE(1, 0x10)); /* before: not told */
	assert_non_null(lab_take(&lab));
	ask_begin(&a, &router, true, "monitor qos dev wan0 --interval 0.1");
	ask_step(&a);
	assert_int_equal(json_array_size(a.rows), 0);
	some_traffic();
	wait_for_rows(&a, 5); /* voice, bulk, band, root ... and all */
	row = row_of(&a, "1:10");
	assert_string_equal(string(row, "event"), "class");
	assert_string_equal(string(row, "name"), "voice");
	assert_int_equal(number(row, "packets"), 1);
	assert_int_equal(number(row, "bytes"), 500);
	assert_int_equal(number(row, "qlen"), 2);
	assert_in_range(number(row, "p99_us"), 2000, 2600);
	assert_in_range(number(row, "took_ms"), 90, 2000);
	assert_ptr_equal(strstr(string(row, "event.text"), "wan0 1:10 voice rate "),
			 string(row, "event.text"));
	row = row_of(&a, "30:2");
	assert_int_equal(number(row, "drops"), 3);
	assert_int_equal(number(row, "backlog"), 2000);
	assert_true(json_is_null(json_object_get(row, "p99_us")));
	row = row_of(&a, "1:");
	assert_string_equal(string(row, "event"), "qdisc");
	assert_int_equal(number(row, "drops"), 3);
	ask_stop(&a);
	assert_int_equal(a.end, 0);
	assert_string_equal(a.message, "0 events lost");
	ask_end(&a);
}

/* Another interval, another p99: what went before is not in it. */
static void test_monitor_interval(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "monitor qos --interval 0.1");
	ask_step(&a);
	some_traffic();
	wait_for_rows(&a, 5);
	json_array_clear(a.rows);
	lab_at(&lab, lab.now + 20 * NSEC_PER_MSEC);
	assert_non_null(lab_take(&lab));
	wait_for_rows(&a, 3);
	assert_int_equal(number(row_of(&a, "1:10"), "packets"), 1);
	assert_in_range(number(row_of(&a, "1:10"), "p99_us"), 22000, 28000);
	ask_end(&a);
}

static void test_monitor_refusals(void **state)
{
	static const char *const bad[] = { "0", "0.05", "x", "1s", "-1", "nan", "100000" };
	char words[64];
	struct ask a;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(words, sizeof(words), "monitor qos --interval %s", bad[i]);
		ask_all(&a, &router, words);
		assert_int_equal(a.end, 1);
		assert_non_null(strstr(a.error, "is not from 0.1 to 86400 seconds"));
		ask_end(&a);
	}
	ask_all(&a, &router, "monitor qos dev wan7");
	assert_int_equal(a.end, 1);
	ask_end(&a);
}

static void test_monitor_reload(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, true, "monitor qos --interval 0.1");
	while (a.peer.state == PEER_RUNNING)
		ask_step(&a);
	shrink();
	lab_send(&lab, 100, 1, CONF_HANDLE(1, 1000));
	assert_non_null(lab_take(&lab));
	wait_for_rows(&a, 2);
	assert_string_equal(string(row_of(&a, "1:3e8"), "name"), "c1000");
	ask_end(&a);
}

#define TEST(f)	     cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define TEST_MANY(f) cmocka_unit_test_setup_teardown(f, set_up_many, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_json),
		TEST(test_tree),
		TEST(test_figures),
		TEST(test_statistics),
		TEST(test_tc),
		TEST(test_tc_statistics),
		TEST(test_format),
		TEST_MANY(test_reload),
		TEST_MANY(test_reload_tc),
		TEST_MANY(test_tree_goes),
		TEST(test_monitor),
		TEST(test_monitor_interval),
		TEST(test_monitor_refusals),
		TEST_MANY(test_monitor_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
