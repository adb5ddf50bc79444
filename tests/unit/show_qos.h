/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shaping to be shown: a configuration as an operator writes it, its trees and filters at work as
 * ports 0 (wan0) and 1 (lan0) of a router that is nothing but that, and packets on a manual clock.
 * TEST() and its like set it up and clear it away. Include first.
 */
#ifndef TESTS_UNIT_SHOW_QOS_H
#define TESTS_UNIT_SHOW_QOS_H

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

/* Both sides of a port, a mirror, and every kind of action. */
static const char border[] =
	"version: 1\n"
	"interfaces: {wan0: {}, lan0: {}}\n"
	"qos:\n"
	"  wan0:\n"
	"    egress: {root: {pfifo: {}, handle: \"1:\"}}\n"
	"    ingress:\n"
	"      - {priority: 5, from: 10.0.20.0/24, police: {rate: 20mbit, burst: 64kb}}\n"
	"      - {priority: 6, ethertype: arp, action: [{redirect: lan0}]}\n"
	"      - {priority: 7, mark: 0x1/0xff, action: [{priority: \"1:10\"}, drop]}\n"
	"      - {priority: 8, vlan: {id: 7}, action: [{mark: 9}, pass]}\n"
	"      - {priority: 9, to: 10.0.0.9, action: [{pedit: [{at: 8, width: 1, value: 64}]}]}\n"
	"    ifb:\n"
	"      root: {htb: {}, handle: \"2:\"}\n"
	"      classes: {down: {handle: \"2:1\", rate: 50mbit}}\n"
	"      filters: [{hash: {keys: [to], divisor: 64, base: \"2:1\"}},\n"
	"                {priority: 9, bytecode: \"1,6 0 0 1\", class: down}]\n"
	"mirror: [{name: ids, from: wan0, direction: in, proto: tcp, dport: 443, to: lan0}]\n";

static struct router router;
static struct qos published;
static struct shaper shaper;
static struct lab lab;
static struct shaper ifb_shaper;
static struct conf *conf;
static struct policers *policers;
static struct limits *limits;
static struct sets *sets;

static inline uint32_t class_of(void *arg, uint32_t classid)
{
	const struct qclass *cl = tree_class(arg, classid);

	return cl ? cl->index : QCLASS_NONE;
}

static inline int port_of(void *arg, const char *iface)
{
	(void)arg;
	return strcmp(iface, "lan0") == 0;
}

static inline void build_filters(bool in, struct qdisc_tree *tree, struct tc_filters **out)
{
	const struct conf_qos *q = &conf->qos[0];
	struct tc_context context = {
		.match = { .conf = conf, .names = &router.names, .sets = sets, .limits = limits },
		.policers = policers,
		.nworkers = 1,
		.port_of = port_of,
		.class_of = class_of,
		.arg = tree,
	};
	struct tc_place place = {
		.iface = "wan0",
		.direction = in ? CONF_DIRECTION_IN : CONF_DIRECTION_OUT,
		.ingress = in ? q->ingress : NULL,
		.ningress = in ? q->ningress : 0,
		.tree = in ? &q->ifb : &q->egress,
	};
	char why[256] = "";

	if (tc_filters_build(&context, &place, out, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline void begin(const char *yaml)
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
	router.qos.tree[0][QOS_EGRESS] =
		(struct qos_tree){ .shaper = &shaper, .conf = &conf->qos[0].egress };
	build_filters(false, lab.t, &published.port[0].out);
}

static inline void begin_ifb(void)
{
	struct tree_config c = {
		.conf = &conf->qos[0].ifb, .mtu = LAB_MTU, .budget = 64, .seed = 1
	};

	assert_int_equal(tree_create(&c, &ifb_shaper.tree), 0);
	router.qos.tree[0][QOS_IFB] = (struct qos_tree){ .shaper = &ifb_shaper, .conf = c.conf };
	build_filters(true, ifb_shaper.tree, &published.port[0].in);
}

static inline int set_up(void **state)
{
	(void)state;
	begin(office);
	return 0;
}

static inline int set_up_border(void **state)
{
	(void)state;
	begin(border);
	begin_ifb();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	qos_rate_stop(&router);
	tc_filters_destroy(published.port[0].out);
	tc_filters_destroy(published.port[0].in);
	lab_close(&lab);
	tree_destroy(ifb_shaper.tree, NULL);
	ifb_shaper.tree = NULL;
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

static inline const json_t *row_of(const struct ask *a, const char *handle)
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

static inline int number(const json_t *row, const char *key)
{
	return (int)json_integer_value(json_object_get(row, key));
}

static inline const char *string(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* All lines of a column, each with its end; from malloc. */
static inline char *lines(const struct ask *a, const char *key)
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

static inline char *lines_of(const char *words)
{
	struct ask a;
	char *text;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	text = lines(&a, "line");
	ask_end(&a);
	return text;
}

/* ---- traffic */

/* Five packets to the queue of two, three to voice; one of these leaves after 2 ms. */
static inline void some_traffic(void)
{
	for (unsigned i = 0; i < 5; i++)
		lab_send(&lab, 1000, i, CONF_HANDLE(0x30, 2));
	for (unsigned i = 0; i < 3; i++)
		lab_send(&lab, 500, 7, CONF_HANDLE(1, 0x10));
	lab_at(&lab, lab.now + 2 * NSEC_PER_MSEC);
	assert_non_null(lab_take(&lab));
}

/* ---- a tree of 1,000 classes, of which a reload takes the first 500 */
static inline char *many(unsigned from, unsigned to)
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

static inline void begin_many(void)
{
	char *yaml = many(1, 1001);

	begin(yaml);
	free(yaml);
}

static inline int set_up_many(void **state)
{
	(void)state;
	begin_many();
	return 0;
}

static inline void shrink(void)
{
	char *yaml = many(501, 1001);
	struct conf *next = load_good("router.yaml", yaml), *was = conf;

	lab_change(&lab, &next->qos[0].egress);
	router.conf = conf = next;
	router.qos.tree[0][QOS_EGRESS].conf = &next->qos[0].egress;
	conf_destroy(was);
	free(yaml);
}

/* A listing under way goes on with what is left, and tells nothing twice. */
static inline void reload_under(const char *words, const char *key, unsigned most)
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

#define TEST(f)	       cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define TEST_BORDER(f) cmocka_unit_test_setup_teardown(f, set_up_border, tear_down)
#define TEST_MANY(f)   cmocka_unit_test_setup_teardown(f, set_up_many, tear_down)

#endif
