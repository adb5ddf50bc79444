/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor conntrack: from what a worker tells to what several clients hear. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/flow_util.h"
/* after cmocka.h, which flow_util.h includes */
#include "router/ctl/flow_feed.h"
#include "router/lib/rcu.h"
#include "router/router.h"
#include "tests/unit/ask.h"

#define WORKERS 2

static struct router router;
static struct flow_table *table;

static int set_up(void **state)
{
	(void)state;
	memset(&router, 0, sizeof(router));
	table = table_of(100000, WORKERS);
	for (; router.nworkers < WORKERS; router.nworkers++) {
		struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

		memset(w, 0, sizeof(*w));
		router.worker[router.nworkers] = w;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WORKERS; w++)
		free(router.worker[w]);
	table_close(table);
	return router.feed ? -1 : 0;
}

static uint32_t new_flow(uint32_t n)
{
	struct flow_key k = key_of(n, n % 2 ? AF_INET6 : AF_INET, UDP);

	return must_add(table, &k, flow_tick(table, clock_now()), 120);
}

static void put_at(unsigned worker, uint32_t index, enum ct_event_kind kind, uint64_t now)
{
	struct ct_events *e = __atomic_load_n(&router.worker[worker]->events, __ATOMIC_ACQUIRE);

	if (e)
		ct_event_put(e, table, index, kind, flow_tick(table, now), now);
}

static void put(unsigned worker, uint32_t index, enum ct_event_kind kind)
{
	put_at(worker, index, kind, clock_now());
}

/* All there is now. */
static void hear(struct ask *a)
{
	do
		assert_true(ask_step(a));
	while (a->peer.state != PEER_IDLE);
}

static const char *text_of(const struct ask *a, size_t n, const char *key)
{
	return json_string_value(json_object_get(json_array_get(a->rows, n), key));
}

static void test_lines_and_objects(void **state)
{
	struct ask a;
	uint32_t f = new_flow(2);

	(void)state;
	put(0, f, CT_EVENT_NEW); /* nobody listens: nothing happens */
	ask_begin(&a, &router, false, "monitor conntrack");
	assert_int_equal(a.peer.state, PEER_IDLE);
	put(0, f, CT_EVENT_NEW);
	flow_set(flow_at(table, f), FLOW_REPLIED | FLOW_ASSURED);
	put(0, f, CT_EVENT_UPDATE);
	put(0, f, CT_EVENT_ASSURED);
	put(0, f, CT_EVENT_DESTROY);
	hear(&a);
	assert_int_equal(json_array_size(a.rows), 4);
	assert_string_equal(text_of(&a, 0, "event"), "new");
	assert_string_equal(text_of(&a, 0, "event.text"),
			    "    [NEW] udp      17 30 src=10.0.0.0 dst=198.51.100.1 sport=1026 "
			    "dport=53 [UNREPLIED] src=198.51.100.1 dst=10.0.0.0 sport=53 "
			    "dport=1026");
	assert_string_equal(text_of(&a, 1, "event"), "update");
	assert_string_equal(text_of(&a, 2, "event"), "assured");
	assert_string_equal(text_of(&a, 3, "event"), "destroy");
	assert_string_equal(text_of(&a, 3, "event.text"),
			    "[DESTROY] udp      17 30 src=10.0.0.0 dst=198.51.100.1 sport=1026 "
			    "dport=53 packets=1 bytes=100 src=198.51.100.1 dst=10.0.0.0 sport=53 "
			    "dport=1026 packets=0 bytes=0 [ASSURED]");
	assert_string_equal(text_of(&a, 3, "family"), "ipv4");
	assert_non_null(json_object_get(json_array_get(a.rows, 3), "orig"));
	ask_stop(&a);
	assert_int_equal(a.end, 0);
	assert_string_equal(a.message, "0 events lost");
	assert_null(router.worker[0]->events);
	ask_end(&a);
}

static void test_time_is_when_it_happened(void **state)
{
	time_t then = time(NULL) - 100;
	struct tm tm = { 0 };
	struct ask a;

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack");
	put_at(0, new_flow(2), CT_EVENT_NEW, clock_now() - 100 * NSEC_PER_SEC);
	hear(&a);
	assert_string_equal(strptime(text_of(&a, 0, "time"), "%FT%T", &tm) + 7, "Z");
	assert_in_range(timegm(&tm), then - 1, then + 2);
	ask_stop(&a);
	ask_end(&a);
}

static void test_filter(void **state)
{
	struct ask a;

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack proto foo");
	assert_int_equal(a.end, 1);
	assert_null(router.feed);
	ask_end(&a);
	ask_begin(&a, &router, false, "monitor conntrack family ipv6");
	for (uint32_t n = 0; n < 3000; n++)
		put(n % WORKERS, new_flow(n), CT_EVENT_NEW);
	hear(&a);
	assert_int_equal(json_array_size(a.rows), 1500);
	ask_stop(&a);
	ask_end(&a);
}

static void test_workers_in_order_of_time(void **state)
{
	uint32_t f[4] = { new_flow(0), new_flow(2), new_flow(4), new_flow(6) };
	struct ask a;

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack");
	put_at(1, f[1], CT_EVENT_NEW, 2000);
	put_at(1, f[2], CT_EVENT_NEW, 3000);
	put_at(0, f[0], CT_EVENT_NEW, 1000);
	put_at(0, f[3], CT_EVENT_NEW, 4000);
	hear(&a);
	assert_int_equal(json_array_size(a.rows), 4);
	for (size_t n = 0; n < 4; n++)
		assert_int_equal(
			json_integer_value(json_object_get(
				json_object_get(json_array_get(a.rows, n), "orig"), "sport")),
			1024 + 2 * n);
	ask_stop(&a);
	ask_end(&a);
}

static void test_each_hears_all(void **state)
{
	struct ask a, late;
	uint32_t f = new_flow(1);

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack");
	for (unsigned n = 0; n < 3000; n++)
		put(0, f, CT_EVENT_NEW);
	ask_begin(&late, &router, false, "monitor conntrack");
	for (unsigned n = 0; n < 70; n++)
		put(1, f, CT_EVENT_UPDATE);
	hear(&late);
	assert_int_equal(json_array_size(late.rows), 70); /* what was before is not for it */
	assert_string_equal(text_of(&late, 0, "event"), "update");
	hear(&a);
	assert_int_equal(json_array_size(a.rows), 3070);
	ask_end(&a); /* just goes: the other hears on */
	put(0, f, CT_EVENT_DESTROY);
	hear(&late);
	assert_int_equal(json_array_size(late.rows), 71);
	ask_stop(&late);
	assert_string_equal(late.message, "0 events lost");
	ask_end(&late);
}

/* What a worker's ring has no room for is counted, and told to those who were there. */
static void test_lost_by_a_worker(void **state)
{
	uint32_t f = new_flow(1);
	struct ask a, late;

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack");
	for (unsigned n = 0; n < CT_EVENTS + 10; n++)
		put(0, f, CT_EVENT_NEW);
	ask_begin(&late, &router, false, "monitor conntrack");
	put(1, f, CT_EVENT_NEW);
	ask_stop(&a); /* hears all the same what there was */
	assert_int_equal(json_array_size(a.rows), CT_EVENTS + 1);
	assert_string_equal(a.message, "10 events lost");
	ask_stop(&late);
	assert_string_equal(late.message, "0 events lost");
	ask_end(&a);
	ask_end(&late);
}

/* Who does not read loses the oldest, and nobody else does. */
static void test_slow_client_loses_alone(void **state)
{
	unsigned total = FLOW_FEED_EVENTS + 5000;
	uint32_t f = new_flow(1);
	struct ask fast, slow;

	(void)state;
	ask_begin(&fast, &router, false, "monitor conntrack");
	ask_begin(&slow, &router, false, "monitor conntrack");
	for (unsigned n = 0; n < total; n++) {
		put(0, f, n == total - 1 ? CT_EVENT_DESTROY : CT_EVENT_NEW);
		if (n % 1000 == 0 || n == total - 1)
			hear(&fast);
	}
	assert_int_equal(json_array_size(fast.rows), total);
	hear(&slow);
	assert_int_equal(json_array_size(slow.rows), FLOW_FEED_EVENTS);
	assert_string_equal(text_of(&slow, FLOW_FEED_EVENTS - 1, "event"), "destroy");
	ask_stop(&slow);
	assert_string_equal(slow.message, "5000 events lost");
	ask_stop(&fast);
	assert_string_equal(fast.message, "0 events lost");
	ask_end(&fast);
	ask_end(&slow);
}

/* A client that has enough is not kept by events that go on. */
static void test_stops_in_a_storm(void **state)
{
	uint32_t f = new_flow(1);
	unsigned steps = 0;
	struct ask a;

	(void)state;
	ask_begin(&a, &router, false, "monitor conntrack");
	for (unsigned n = 0; n < 1000; n++)
		put(0, f, CT_EVENT_NEW);
	a.peer.request.stopping = true;
	while (ask_step(&a) && steps++ < 100)
		for (unsigned n = 0; n < 100; n++)
			put(0, f, CT_EVENT_NEW);
	assert_int_equal(a.end, 0);
	assert_int_equal(json_array_size(a.rows), 1000);
	ask_end(&a);
}

/* ---- monitors come and go under a running worker */
struct teller {
	pthread_t thread;
	uint32_t flow;
	bool stop;
	uint64_t told;
};

static void *tell(void *arg)
{
	struct teller *t = arg;

	rcu_register_thread();
	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		put(1, t->flow, CT_EVENT_UPDATE);
		__atomic_add_fetch(&t->told, 1, __ATOMIC_RELAXED);
		rcu_quiet();
	}
	rcu_unregister_thread();
	return NULL;
}

static void test_come_and_go_while_a_worker_tells(void **state)
{
	struct teller t = { .flow = new_flow(3) };

	(void)state;
	assert_int_equal(pthread_create(&t.thread, NULL, tell, &t), 0);
	for (unsigned n = 0; n < 10; n++) {
		struct ask a, b;

		ask_begin(&a, &router, false, "monitor conntrack");
		ask_begin(&b, &router, false, "monitor conntrack");
		while (!json_array_size(a.rows) || !json_array_size(b.rows)) {
			assert_true(ask_step(&a));
			assert_true(ask_step(&b));
		}
		if (n % 2)
			ask_stop(&a);
		ask_end(&a);
		ask_end(&b);
		assert_null(router.feed);
	}
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	pthread_join(t.thread, NULL);
	assert_true(t.told > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines_and_objects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_time_is_when_it_happened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workers_in_order_of_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each_hears_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_by_a_worker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_client_loses_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stops_in_a_storm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_come_and_go_while_a_worker_tells, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
