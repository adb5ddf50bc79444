/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two workers that make one flow at once (requirement C17): one record, no packet dropped, whoever
 * is first and from whichever end it is seen. Once step by step, the second worker being run while
 * the first is between looking the flow up and making it; and with threads.
 *
 * The first worker receives by port 0, the second by port 2 and 1.
 */
#include <pthread.h>

#include "tests/unit/pipe_talk.h"

struct duo {
	struct pipe_flows f;
	struct worker *second;
	struct worker_ports ports;
};

static void duo_open(struct duo *d, const char *yaml)
{
	struct pipe *p = &d->f.p;

	flows_open_for(&d->f, yaml, 1000 * NSEC_PER_SEC, 2);
	must(worker_create(p->mem, 1, -1, true, -1, &d->second));
	d->ports = p->wp;
	d->ports.rx[0] = p->wp.rx[2];
	d->ports.rx[1] = p->wp.rx[1];
	d->ports.nrx = 2;
	p->wp.nrx = 1;
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		p->port[i]->queue[0]->tx_shared = true;
	d->second->config = p->cfg;
	d->second->ports = &d->ports;
	d->second->st = d->f.st;
	d->second->policy = d->f.policy;
	d->second->rate_at = p->now;
	worker_turn(p->w, p->now);
	worker_turn(d->second, p->now);
}

/* All flows end; then the second worker leaves and its books are the first one's. */
static void duo_close(struct duo *d)
{
	struct dp_counters *to = d->f.p.w->count, *from = d->second->count;
	uint32_t cursor = 0, index;

	while ((index = flow_walk(d->f.st->flows, &cursor)) != FLOW_NONE)
		flow_kill(d->f.st->flows, index);
	for (unsigned i = 0; i < 200; i++) { /* so many are buried a turn */
		d->f.st->quiet = flow_grace_begin(d->f.st->flows);
		worker_turn(d->f.p.w, d->f.p.now);
		worker_turn(d->second, d->f.p.now);
	}
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		to->port[i].rx_packets += from->port[i].rx_packets;
		to->port[i].tx_packets += from->port[i].tx_packets;
	}
	for (unsigned i = 0; i < DROP__COUNT; i++)
		to->drop[i] += from->drop[i];
	worker_destroy(d->second);
	d->f.p.wp.nrx = PIPE_PORTS;
	assert_int_equal(flow_zone_live(d->f.st->flows, 0), 0);
	flows_close(&d->f);
}

static uint64_t drops(const struct duo *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP__COUNT; i++)
		n += d->f.p.w->count->drop[i] + d->second->count->drop[i];
	return n;
}

static uint64_t adopted(const struct duo *d)
{
	return d->f.p.w->count->event[EVENT_FLOW_ADOPTED] +
	       d->second->count->event[EVENT_FLOW_ADOPTED];
}

/* ---- step by step */

static struct duo *the_duo;

/* A rule wants this in the log: the first worker is on its way through the chains. */
static bool meanwhile(struct dp *dp, const struct dp_note *n)
{
	(void)dp;
	(void)n;
	worker_turn(the_duo->second, the_duo->f.p.now);
	return true;
}

static void packet_of(const struct talk *t, struct frame *f, bool back, unsigned kind)
{
	if (kind == 0)
		talk_udp(t, f, back, 100);
	else if (kind == 1)
		talk_ping(t, f, back);
	else
		talk_tcp(t, f, back, SYN, back ? 5000 : 1000, 0, 0);
}

/* The same packet by two ways: the second worker's made the flow. */
static void test_same_packet(void **state)
{
	struct talk t[] = { { false, 0, 1, 40000, 80 }, { true, 0, 1, 40000, 80 } };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		const struct talk *c = &t[i % 2];
		struct frame one, two, want;
		struct duo d;

		duo_open(&d, "filter: {c: {hook: forward, rules: [{in: p0, log: {limit: 100/s}, "
			     "action: accept}]}}\n");
		the_duo = &d;
		d.f.p.w->dp.note = meanwhile;
		packet_of(c, &one, false, i / 2);
		two = one;
		two.port = two.b[5] = 2;
		pipe_receive(&d.f.p, &two);
		pipe_receive(&d.f.p, &one);
		worker_turn(d.f.p.w, d.f.p.now);
		frame_forwarded(&want, &one, 1, 2);
		expect_frame(&d.f.p, 1, &want);
		expect_frame(&d.f.p, 1, &want);
		pipe_quiet(&d.f.p);
		assert_int_equal(drops(&d), 0);
		assert_int_equal(adopted(&d), 1);
		assert_int_equal(live(&d.f), 1);
		assert_int_equal(the_record(&d.f)->owner, 1);
		/* a SYN again does not count as life: it is let by */
		assert_int_equal(the_half(&d.f, FLOW_ORIG)->packets, 2);
		assert_int_equal(flow_zone_live(d.f.st->flows, 0), 1);
		duo_close(&d);
	}
}

/* Both ends begin at once: it is whose flow was first, and the other's packet its first answer. */
static void test_both_ends(void **state)
{
	struct talk t[] = { TALK4, TALK6 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct talk *c = &t[i % 2];
		struct frame one, two, want;
		struct duo d;

		duo_open(&d, "filter: {c: {hook: forward, rules: [{in: p0, log: {limit: 100/s}, "
			     "action: accept}]}}\n");
		the_duo = &d;
		d.f.p.w->dp.note = meanwhile;
		packet_of(c, &one, false, i / 2 * 2);
		packet_of(c, &two, true, i / 2 * 2);
		pipe_receive(&d.f.p, &two);
		pipe_receive(&d.f.p, &one);
		worker_turn(d.f.p.w, d.f.p.now);
		frame_forwarded(&want, &two, 0, 2);
		expect_frame(&d.f.p, 0, &want);
		frame_forwarded(&want, &one, 1, 2);
		expect_frame(&d.f.p, 1, &want);
		assert_int_equal(drops(&d), 0);
		assert_int_equal(adopted(&d), 1);
		assert_int_equal(live(&d.f), 1);
		assert_int_equal(the_half(&d.f, FLOW_ORIG)->packets, 1);
		assert_int_equal(the_half(&d.f, FLOW_REPLY)->packets, 1);
		assert_true(flow_state(the_record(&d.f)) & FLOW_REPLIED);
		duo_close(&d);
	}
}

/* What the loser had counted or claimed is given back: a limit holds what there is. */
static void test_limits(void **state)
{
	struct talk t = TALK4;
	struct frame one, two;
	struct duo d;

	(void)state;
	duo_open(&d, "conntrack: {per-zone-max: 3, per-source-max: 3}\n"
		     "filter: {c: {hook: forward, rules: [\n"
		     "  {connections: {over: 3}, action: drop},\n"
		     "  {in: p0, log: {limit: 100/s}, action: accept}]}}\n");
	the_duo = &d;
	d.f.p.w->dp.note = meanwhile;
	for (unsigned i = 0; i < 3; i++) {
		t.sport++;
		talk_udp(&t, &one, false, 10);
		two = one;
		two.port = two.b[5] = 2;
		if (i == 2) /* at the limit there is room for one, but not for two at a time */
			d.f.p.w->dp.note = d.second->dp.note;
		pipe_receive(&d.f.p, &two);
		pipe_receive(&d.f.p, &one);
		worker_turn(d.f.p.w, d.f.p.now);
		worker_turn(d.second, d.f.p.now);
		assert_true(pipe_sent(&d.f.p, 1, &two));
		assert_true(pipe_sent(&d.f.p, 1, &two));
	}
	assert_int_equal(drops(&d), 0);
	assert_int_equal(adopted(&d), 2);
	assert_int_equal(live(&d.f), 3);
	t.sport++;
	talk_udp(&t, &one, false, 10);
	pipe_receive(&d.f.p, &one);
	worker_turn(d.f.p.w, d.f.p.now);
	assert_int_equal(d.f.p.w->count->drop[DROP_FILTER_RULE], 1);
	duo_close(&d);
}

/* ---- with threads */

#define ROUNDS 300
#define EACH   16

struct racer {
	struct duo *d;
	pthread_barrier_t *barrier;
};

static void *race(void *arg)
{
	const struct racer *r = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(r->barrier);
		worker_turn(r->d->second, r->d->f.p.now);
		pthread_barrier_wait(r->barrier);
	}
	return NULL;
}

/* Each round some new flows, seen by both at once: every third by its other end, then TCP. */
static void test_threads(void **state)
{
	pthread_barrier_t barrier;
	struct racer r;
	struct duo d;
	pthread_t thread;
	uint64_t sent = 0;

	(void)state;
	duo_open(&d, "filter: {c: {hook: forward, policy: drop, rules: [\n"
		     "  {proto: udp, action: accept}, {proto: tcp, dport: 80, action: accept},\n"
		     "  {ct: established, action: accept}]}}\n");
	pthread_barrier_init(&barrier, NULL, 2);
	r = (struct racer){ &d, &barrier };
	must(pthread_create(&thread, NULL, race, &r));
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned k = 0; k < EACH; k++) {
			struct talk t = k % 2 ? TALK4 : TALK6;
			struct frame f;

			t.sport = (uint16_t)(1000 + i * EACH + k);
			packet_of(&t, &f, false, k % 4 / 2 * 2);
			pipe_receive(&d.f.p, &f);
			if (k % 3 == 0 && k % 4 < 2) {
				packet_of(&t, &f, true, 0);
			} else {
				f.port = f.b[5] = 2;
			}
			pipe_receive(&d.f.p, &f);
		}
		pthread_barrier_wait(&barrier);
		worker_turn(d.f.p.w, d.f.p.now);
		pthread_barrier_wait(&barrier);
		for (unsigned port = 0; port < 2; port++) {
			struct frame f;

			while (pipe_sent(&d.f.p, port, &f))
				sent++;
		}
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(drops(&d), 0);
	assert_int_equal(sent, 2 * ROUNDS * EACH);
	assert_int_equal(live(&d.f), ROUNDS * EACH);
	assert_int_equal(flows_stats(&d.f).made, ROUNDS * EACH);
	assert_int_equal(flows_stats(&d.f).adopted, adopted(&d));
	assert_int_equal(flow_zone_live(d.f.st->flows, 0), ROUNDS * EACH);
	duo_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_packet),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
