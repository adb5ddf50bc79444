/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show conntrack and flush conntrack over a flow table made by hand. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/flow_util.h"
/* after cmocka.h, which flow_util.h includes */
#include "router/ctl/flow_filter.h"
#include "router/ctl/flow_text.h"
#include "router/lib/rcu.h"
#include "router/net/frag.h"
#include "router/router.h"
#include "tests/unit/ask.h"

static struct router router;
static struct stateful shared;
static struct flow_table *table;

static uint32_t now(void)
{
	return flow_tick(table, clock_now());
}

static int set_up(void **state)
{
	(void)state;
	memset(&router, 0, sizeof(router));
	table = table_of(300000, 1);
	shared.flows = table;
	router.st = &shared;
	router.worker[0] = aligned_alloc(64, (sizeof(struct worker) + 63) / 64 * 64);
	memset(router.worker[0], 0, sizeof(struct worker));
	router.worker[0]->count = calloc(1, sizeof(*router.worker[0]->count));
	router.worker[0]->wake_fd = eventfd(0, EFD_NONBLOCK);
	router.nworkers = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(router.worker[0]->wake_fd);
	free(router.worker[0]->count);
	free(router.worker[0]);
	table_close(table);
	return 0;
}

/* ---- eight flows that differ in everything a filter may ask */
struct example {
	uint8_t proto;
	const char *src, *dst; /* original */
	uint16_t sport, dport;
	const char *rsrc, *rdst; /* reply; NULL: the original, reversed */
	uint16_t rsport, rdport;
	uint32_t state, mark;
	uint16_t zone;
};

static const struct example examples[] = {
	{ IPPROTO_TCP, "10.0.0.1", "1.1.1.1", 1001, 80, "1.1.1.1", "203.0.113.2", 80, 7000,
	  FLOW_REPLIED | FLOW_ASSURED | FLOW_SNAT | TCP_ESTABLISHED, 0, 0 },
	{ IPPROTO_TCP, "10.0.0.2", "1.1.1.1", 1002, 443, NULL, NULL, 0, 0, TCP_SYN_SENT, 0, 0 },
	{ IPPROTO_UDP, "10.0.0.3", "9.9.9.9", 53, 53, NULL, NULL, 0, 0, FLOW_REPLIED, 0x21, 0 },
	{ IPPROTO_TCP, "198.51.100.4", "203.0.113.2", 1004, 8080, "10.0.0.10", "198.51.100.4", 80,
	  1004, FLOW_REPLIED | FLOW_ASSURED | FLOW_DNAT | TCP_ESTABLISHED, 0x20, 0 },
	{ IPPROTO_ICMP, "10.0.0.5", "1.1.1.1", 80, 8 << 8, "1.1.1.1", "10.0.0.5", 80, 0,
	  FLOW_REPLIED, 0, 0 },
	{ IPPROTO_UDP, "2001:db8::6", "2001:db8::ff", 1006, 53, NULL, NULL, 0, 0, 0, 0, 3 },
	{ IPPROTO_GRE, "10.0.0.7", "9.9.9.9", 0, 0, NULL, NULL, 0, 0, FLOW_REPLIED, 0, 0 },
	{ IPPROTO_TCP, "2001:db8::8", "2001:db8::ff", 1008, 80, NULL, NULL, 0, 0,
	  FLOW_REPLIED | TCP_TIME_WAIT, 0, 0 },
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static struct flow_key key_from(const struct example *x, const char *src, const char *dst,
				uint16_t sport, uint16_t dport)
{
	struct flow_key k = { .family = strchr(src, ':') ? AF_INET6 : AF_INET,
			      .proto = x->proto,
			      .zone = x->zone,
			      .sport = htons(sport),
			      .dport = htons(dport) };

	assert_int_equal(inet_pton(k.family, src, k.src), 1);
	assert_int_equal(inet_pton(k.family, dst, k.dst), 1);
	return k;
}

static void add_example(const struct example *x)
{
	struct flow_key orig = key_from(x, x->src, x->dst, x->sport, x->dport), reply;
	enum flow_refusal why;
	uint32_t index, tick = now();

	flow_key_reverse(&orig, &reply);
	if (x->rsrc)
		reply = key_from(x, x->rsrc, x->rdst, x->rsport, x->rdport);
	index = flow_new(table, 0, &orig, &reply, tick, &why);
	assert_int_not_equal(index, FLOW_NONE);
	flow_set(flow_at(table, index), x->state);
	flow_at(table, index)->mark = x->mark;
	touch(table, index, FLOW_ORIG, tick, 100 * 4 + 2);
	assert_int_equal(flow_commit(table, index, tick, &why), index);
}

static void add_examples(void)
{
	for (size_t i = 0; i < EXAMPLES; i++)
		add_example(&examples[i]);
}

/* Which examples are in the answer, by their original source: "1 2 8". */
static const char *who(const struct ask *a)
{
	static char text[64];
	bool in[EXAMPLES] = { false };
	size_t n, len = 0;
	json_t *row;

	json_array_foreach(a->rows, n, row) {
		const char *src =
			json_string_value(json_object_get(json_object_get(row, "orig"), "src"));

		for (size_t i = 0; i < EXAMPLES; i++)
			if (strcmp(src, examples[i].src) == 0)
				in[i] = true;
	}
	text[0] = '\0';
	for (size_t i = 0; i < EXAMPLES; i++)
		if (in[i])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%zu",
						len ? " " : "", i + 1);
	return text;
}

static void assert_shows(const char *filter, const char *want)
{
	char words[256];
	struct ask a;

	snprintf(words, sizeof(words), "show conntrack%s%s", filter[0] ? " " : "", filter);
	ask_all(&a, &router, words);
	if (a.end != 0)
		fail_msg("%s: %s", words, a.error);
	if (strcmp(who(&a), want) != 0)
		fail_msg("%s: %s, not %s", words, who(&a), want);
	ask_end(&a);
}

static void test_each_filter(void **state)
{
	(void)state;
	add_examples();
	assert_shows("", "1 2 3 4 5 6 7 8");
	assert_shows("family ipv4", "1 2 3 4 5 7");
	assert_shows("family ipv6", "6 8");
	assert_shows("proto tcp", "1 2 4 8");
	assert_shows("proto 17", "3 6");
	assert_shows("proto gre", "7");
	assert_shows("src 10.0.0.0/30", "1 2 3");
	assert_shows("src 2001:db8::/64", "6 8");
	assert_shows("dst 1.1.1.1", "1 2 5");
	assert_shows("dst 203.0.113.2", "4");
	assert_shows("host 203.0.113.2", "1 4"); /* the outside of the first */
	assert_shows("host 10.0.0.10", "4");
	assert_shows("host 0.0.0.0/0", "1 2 3 4 5 7");
	assert_shows("sport 53", "3");
	assert_shows("dport 80", "1 8"); /* not the echo whose id is 80 */
	assert_shows("port 80", "1 4 8");
	assert_shows("port 7000", "1");
	assert_shows("state ESTABLISHED", "1 4");
	assert_shows("state time_wait", "8");
	assert_shows("state NONE", ""); /* UDP has no state, not this one */
	assert_shows("mark 0x20", "4");
	assert_shows("mark 0x20/0xf0", "3 4");
	assert_shows("mark 33", "3");
	assert_shows("zone 3", "6");
	assert_shows("zone 0", "1 2 3 4 5 7 8");
	assert_shows("nat", "1 4");
	assert_shows("snat", "1");
	assert_shows("dnat", "4");
	assert_shows("assured", "1 4");
	assert_shows("unreplied", "2 6");
}

static void test_filters_together(void **state)
{
	(void)state;
	add_examples();
	assert_shows("proto tcp dport 80", "1 8");
	assert_shows("dport 80 family ipv4 proto tcp", "1");
	assert_shows("assured dnat host 10.0.0.10 port 80 state ESTABLISHED mark 32 zone 0", "4");
	assert_shows("unreplied proto udp zone 3 src 2001:db8::6/128", "6");
	assert_shows("snat dnat", "");
	assert_shows("proto icmp sport 80", "");
}

static void assert_refused(const char *words, int end, const char *part)
{
	struct ask a;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, end);
	if (!strstr(a.error, part))
		fail_msg("%s: \"%s\" has no \"%s\"", words, a.error, part);
	assert_int_equal(json_array_size(a.rows), 0);
	ask_end(&a);
}

static void test_refusals_say_what_there_is(void **state)
{
	(void)state;
	add_examples();
	assert_refused("show conntrack colour red", 2, "unreplied");
	assert_refused("show conntrack prot", 2, "<proto>");
	assert_refused("show conntrack proto foo", 1, "tcp, udp");
	assert_refused("show conntrack state OPEN", 1, "NONE, SYN_SENT, SYN_RECV, ESTABLISHED");
	assert_refused("show conntrack src 10.0.0.0/33", 1, "address or prefix");
	assert_refused("show conntrack sport 65536", 1, "0-65535");
	assert_refused("show conntrack sport -1", 1, "0-65535");
	assert_refused("show conntrack mark 1/x", 1, "mark/mask");
	assert_refused("show conntrack mark 0x100000000", 1, "mark/mask");
	assert_refused("show conntrack zone 70000", 1, "0-65535");
	assert_refused("show conntrack family ipx", 1, "ipv4 or ipv6");
	assert_refused("show conntrack -o xml", 1, "conntrack");
	assert_refused("show conntrack -o", 2, "<format>");
	assert_refused("flush conntrack proto foo", 1, "tcp, udp");
	assert_shows("", "1 2 3 4 5 6 7 8"); /* nothing was flushed */
}

static void test_columns(void **state)
{
	struct ask a;
	char *text;

	(void)state;
	add_example(&examples[0]);
	ask_all(&a, &router, "show conntrack");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(a.rows, 0), "orig.text")),
		"10.0.0.1:1001 > 1.1.1.1:80 snat 203.0.113.2:7000");
	json_object_del(json_array_get(a.rows, 0), "orig.text");
	text = json_dumps(a.rows, JSON_COMPACT);
	assert_string_equal(text,
			    "[{\"family\":\"ipv4\",\"proto\":\"tcp\",\"state\":\"ESTABLISHED\","
			    "\"timeout\":100,\"assured\":true,\"mark\":0,\"zone\":0,"
			    "\"orig\":{\"src\":\"10.0.0.1\",\"dst\":\"1.1.1.1\",\"sport\":1001,"
			    "\"dport\":80,\"packets\":1,\"bytes\":100},"
			    "\"reply\":{\"src\":\"1.1.1.1\",\"dst\":\"203.0.113.2\",\"sport\":80,"
			    "\"dport\":7000,\"packets\":0,\"bytes\":0}}]");
	free(text);
	ask_end(&a);
}

static void assert_line(const char *words, const char *want)
{
	struct ask a;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(a.rows, 0), "line")),
			    want);
	ask_end(&a);
}

/* The option may stand anywhere among the parts of the filter. */
static void test_lines_of_conntrack(void **state)
{
	static const char want[] =
		"tcp      6 100 ESTABLISHED src=10.0.0.1 dst=1.1.1.1 sport=1001 dport=80 packets=1 "
		"bytes=100 src=1.1.1.1 dst=203.0.113.2 sport=80 dport=7000 packets=0 bytes=0 "
		"[ASSURED] mark=0 use=1";

	(void)state;
	add_examples();
	assert_line("show conntrack -o conntrack snat", want);
	assert_line("show conntrack proto tcp family ipv4 -o conntrack dport 80", want);
	assert_line("sh connt src 10.0.0.1 proto tcp -o conntrack", want);
}

/* A flow whose time is over is shown to nobody, before its memory is taken back. */
static void test_expired_are_gone(void **state)
{
	struct flow_key k = key_of(1, AF_INET, UDP);

	(void)state;
	must_add(table, &k, now() - 400, 100);
	add_example(&examples[1]);
	assert_shows("", "2");
}

static void test_before_anything_is_stateful(void **state)
{
	struct ask a;

	(void)state;
	router.st = NULL;
	assert_shows("", "");
	ask_all(&a, &router, "flush conntrack");
	assert_int_equal(a.end, 0);
	assert_string_equal(a.message, "0 flows removed");
	ask_end(&a);
	ask_all(&a, &router, "show conntrack stats");
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 1);
	ask_end(&a);
}

static json_int_t stat_of(const char *key)
{
	struct ask a;
	json_int_t n;

	ask_all(&a, &router, "show conntrack stats");
	assert_int_equal(a.end, 0);
	assert_true(json_is_integer(json_object_get(json_array_get(a.rows, 0), key)));
	n = json_integer_value(json_object_get(json_array_get(a.rows, 0), key));
	ask_end(&a);
	return n;
}

static void test_stats(void **state)
{
	(void)state;
	add_examples();
	router.worker[0]->count->drop[DROP_CT_ZONE_LIMIT] = 7;
	assert_int_equal(stat_of("live"), 8);
	assert_int_equal(stat_of("max"), 300000);
	assert_int_equal(stat_of("made"), 8);
	assert_int_equal(stat_of("gone"), 0);
	assert_int_equal(stat_of("ipv4"), 6);
	assert_int_equal(stat_of("ipv6"), 2);
	assert_int_equal(stat_of("refused_zone"), 7);
	assert_true(stat_of("bytes") > 0);
}

static void test_stats_of_fragments(void **state)
{
	struct frags_config c = { .max = 16, .per_source = 4, .held = 16, .timeout = NSEC_PER_SEC };
	const json_t *o;
	struct ask a;

	(void)state;
	ask_all(&a, &router, "show conntrack stats");
	assert_true(json_is_null(json_object_get(json_array_get(a.rows, 0), "fragments")));
	ask_end(&a);
	assert_int_equal(frags_create(&c, &shared.frags), 0);
	ask_all(&a, &router, "show conntrack stats");
	o = json_object_get(json_array_get(a.rows, 0), "fragments");
	assert_int_equal(json_object_size(o), 9);
	assert_int_equal(json_integer_value(json_object_get(o, "held")), 0);
	ask_end(&a);
	frags_destroy(shared.frags, NULL, NULL);
	shared.frags = NULL;
}

/* ---- flush */
static void assert_flushes(const char *words, const char *says)
{
	struct ask a;

	ask_all(&a, &router, words);
	assert_int_equal(a.end, 0);
	assert_string_equal(a.message, says);
	ask_end(&a);
}

static void test_flush(void **state)
{
	struct ask a;

	(void)state;
	add_examples();
	assert_flushes("flush conntrack dst 9.9.9.9 proto gre", "1 flow removed");
	assert_shows("", "1 2 3 4 5 6 8");
	assert_flushes("flush conntrack dst 9.9.9.9 proto gre", "0 flows removed");
	assert_flushes("flush conntrack proto tcp", "4 flows removed");
	assert_shows("", "3 5 6");
	ask_begin(&a, &router, false, "flush conntrack");
	assert_int_equal(a.end, 1);
	ask_end(&a);
	assert_shows("", "3 5 6");
	assert_flushes("flush conntrack", "3 flows removed");
	assert_shows("", "");
	flow_expire(table, 0, now(), 0, 100, NULL, NULL);
	assert_int_equal(stat_of("gone"), 8);
}

static void test_flush_wakes_who_sleeps(void **state)
{
	uint64_t rung;

	(void)state;
	add_examples();
	router.worker[0]->asleep = 1;
	assert_flushes("flush conntrack mark 99", "0 flows removed");
	assert_flushes("flush conntrack", "8 flows removed");
	assert_int_equal(read(router.worker[0]->wake_fd, &rung, sizeof(rung)), sizeof(rung));
}

#define MANY 40000u

static void add_many(void)
{
	for (uint32_t n = 0; n < MANY; n++) {
		struct flow_key k = key_of(n, n % 4 ? AF_INET : AF_INET6, UDP);

		must_add(table, &k, now(), 4000);
	}
}

static void test_flush_of_many_goes_step_by_step(void **state)
{
	unsigned steps = 1;
	struct ask a;

	(void)state;
	add_many();
	ask_begin(&a, &router, true, "flush conntrack");
	while (ask_step(&a))
		steps++;
	assert_string_equal(a.message, "40000 flows removed");
	assert_true(steps > 30);
	ask_end(&a);
}

/* ---- a long dump of a table that does not stand still */

/* Numbers of key_of(), from an answer's rows; each is seen once at most. */
static void note_seen(struct ask *a, uint8_t *seen)
{
	size_t n;
	json_t *row;

	json_array_foreach(a->rows, n, row) {
		const json_t *o = json_object_get(row, "orig");
		const char *src = json_string_value(json_object_get(o, "src"));
		json_int_t port = json_integer_value(json_object_get(o, "sport"));
		uint8_t addr[16];
		uint32_t host;

		assert_int_equal(inet_pton(strchr(src, ':') ? AF_INET6 : AF_INET, src, addr), 1);
		memcpy(&host, strchr(src, ':') ? addr + 4 : addr, 4);
		host = (ntohl(host) - 0x0a000000) * 16 + (uint32_t)(port - 1024);
		assert_true(host < 3 * MANY);
		assert_int_equal(seen[host]++, 0);
	}
	json_array_clear(a->rows);
}

/* Every second one of a few goes, as many come. */
static void stir(unsigned step)
{
	for (uint32_t n = 0; n < 20; n++) {
		uint32_t old = (step * 20 + n) * 2 + 1, fresh = MANY + step * 20 + n;
		struct flow_key k = key_of(old, old % 4 ? AF_INET : AF_INET6, UDP);
		uint32_t index = old < MANY ? lookup(table, &k, now()) : FLOW_NONE;

		if (index != FLOW_NONE)
			flow_kill(table, index);
		k = key_of(fresh, fresh % 4 ? AF_INET : AF_INET6, UDP);
		must_add(table, &k, now(), 4000);
	}
	flow_expire(table, 0, now(), flow_grace_begin(table), 1000, NULL, NULL);
}

static void test_dump_while_flows_come_and_go(void **state)
{
	uint8_t *seen = calloc(3 * MANY, 1);
	size_t most = 0;
	struct ask a;

	(void)state;
	add_many();
	ask_begin(&a, &router, false, "show conntrack");
	for (unsigned step = 0; a.end < 0; step++) {
		note_seen(&a, seen);
		stir(step);
		peer_run(&a.peer);
		most = a.peer.out.len > most ? a.peer.out.len : most;
		ask_read(&a);
	}
	note_seen(&a, seen);
	assert_int_equal(a.end, 0);
	assert_true(most < PEER_OUTPUT_MAX);
	for (uint32_t n = 0; n < MANY; n += 2) /* those that lived throughout */
		assert_int_equal(seen[n], 1);
	ask_end(&a);
	free(seen);
}

/* Who asks for one among many does not hold up the loop. */
static void test_rare_match(void **state)
{
	unsigned steps = 1;
	struct ask a;

	(void)state;
	add_many();
	add_example(&examples[6]);
	ask_begin(&a, &router, false, "show conntrack proto gre");
	while (ask_step(&a))
		steps++;
	assert_int_equal(json_array_size(a.rows), 1);
	assert_true(steps > 30);
	ask_end(&a);
}

/* ---- beside a worker that runs */
#define CHURNED 1500u

static bool stop_churning;

static void *churn(void *arg)
{
	(void)arg;
	rcu_register_thread();
	for (uint32_t n = 0; !__atomic_load_n(&stop_churning, __ATOMIC_RELAXED); n++) {
		struct flow_key k = key_of(n % CHURNED, n % 2 ? AF_INET : AF_INET6, UDP);
		uint64_t quiet = __atomic_load_n(&shared.quiet, __ATOMIC_ACQUIRE);
		uint32_t tick = now(), index = lookup(table, &k, tick);
		enum flow_refusal why;

		if (index == FLOW_NONE)
			flow_add(table, 0, &k, tick, 400, &why);
		else
			touch(table, index, FLOW_ORIG, tick, 400);
		if (n % 7 == 0 && index != FLOW_NONE)
			flow_kill(table, index);
		flow_expire(table, 0, tick, quiet, 64, NULL, NULL);
		rcu_quiet();
	}
	rcu_unregister_thread();
	return NULL;
}

static void test_dumps_beside_a_worker(void **state)
{
	size_t shown = 0;
	pthread_t worker;

	(void)state;
	__atomic_store_n(&stop_churning, false, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&worker, NULL, churn, NULL), 0);
	for (unsigned round = 0; round < 16 || !shown; round++) {
		uint64_t grace;
		struct ask a;

		ask_all(&a, &router, round % 8 == 7 ? "flush conntrack" : "show conntrack");
		assert_int_equal(a.end, 0);
		shown += json_array_size(a.rows);
		ask_end(&a);
		grace = flow_grace_begin(table);
		rcu_wait();
		__atomic_store_n(&shared.quiet, grace, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&stop_churning, true, __ATOMIC_RELAXED);
	pthread_join(worker, NULL);
	shared.quiet = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_filters_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_say_what_there_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lines_of_conntrack, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expired_are_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_before_anything_is_stateful, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_stats, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stats_of_fragments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flush_wakes_who_sleeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flush_of_many_goes_step_by_step, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_dump_while_flows_come_and_go, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_rare_match, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dumps_beside_a_worker, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
