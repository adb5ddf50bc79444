/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees that another worker owns than the one that has a packet for them: handed over, in order,
 * counted where there is no room, and no owner sleeps through it. Once step by step, and with
 * threads that are reconfigured meanwhile.
 *
 * The first worker receives by ports 1 and 2, the second by port 0; the tree at the way out of port
 * 0 is the second one's, that of port 1 the first one's.
 */
#include <poll.h>
#include <unistd.h>

#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

#define TREES(p0, p1) "conntrack: {}\nqos: {p0: {egress: {" p0 "}}, p1: {egress: {" p1 "}}}\n"
#define PFIFO	      "root: {pfifo: {limit: 5000}}"
#define TBF	      "root: {tbf: {rate: 8mbit, burst: 2000b, limit: 1mb}}"
#define TBF_FAST      "root: {tbf: {rate: 80mbit, burst: 20kb, limit: 1mb}}"
#define HTB	      LEAVES ", filters: [{proto: udp, dport: 80, class: one}]"
#define CONFS_MOST    2000

struct duo {
	struct pipe_flows f;
	struct worker *second, *peers[2];
	struct worker_ports ports;
	struct conf *conf[CONFS_MOST]; /* of before, that something may still refer to */
	unsigned nconfs;
};

static void duo_open(struct duo *d, const char *yaml, uint64_t now)
{
	struct pipe *p = &d->f.p;

	memset(d, 0, sizeof(*d));
	flows_open_for(&d->f, "conntrack: {}\n", now, 2);
	must(worker_create(p->mem, 1, -1, false, -1, &d->second));
	d->ports = p->wp;
	d->ports.nrx = 1;
	p->wp.rx[0] = p->wp.rx[2];
	p->wp.nrx = 2;
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		p->port[i]->queue[0]->tx_shared = true;
	p->w->busy = false;
	d->peers[0] = p->w;
	d->peers[1] = d->second;
	p->w->peers = d->second->peers = d->peers;
	d->second->config = p->cfg;
	d->second->ports = &d->ports;
	d->second->st = d->f.st;
	d->second->rate_at = p->now;
	d->f.second = d->second;
	assert_true(flows_load(&d->f, yaml));
	d->second->policy = d->f.policy;
	worker_turn(p->w, p->now);
	worker_turn(d->second, p->now);
}

static uint64_t drops(const struct duo *d, enum drop_reason why)
{
	return d->f.p.w->count->drop[why] + d->second->count->drop[why];
}

/* As pipe_check(), of both. */
static void duo_check(const struct duo *d)
{
	const struct dp_counters *one = d->f.p.w->count, *two = d->second->count;
	const struct qos *qos = d->f.p.w->qos;
	uint64_t in = one->generated + two->generated, out = 0, held = 0, free = 0;

	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		in += one->port[i].rx_packets + two->port[i].rx_packets;
		out += one->port[i].tx_packets + two->port[i].tx_packets;
	}
	for (unsigned i = 0; i < DROP__COUNT; i++)
		out += drops(d, i);
	for (unsigned i = 0; qos && i < qos->nshapers; i++)
		held += shaper_held(qos->shaper[i]);
	assert_int_equal(in, out + held);
	for (uint32_t i = 0; i < d->f.p.mem->frames; i++)
		free += d->f.p.mem->owner[i] == FRAME_FREE;
	assert_int_equal(free, d->f.p.mem->ndepot + d->f.p.w->cache.n + d->second->cache.n);
}

/* One turn of either. */
static void first_turns(struct duo *d)
{
	worker_turn(d->f.p.w, d->f.p.now);
	duo_check(d);
}

static void second_turns(struct duo *d)
{
	worker_turn(d->second, d->f.p.now);
	duo_check(d);
}

/* No trees, no flows; then the second worker leaves and its books are the first one's. */
static void duo_close(struct duo *d)
{
	struct dp_counters *to = d->f.p.w->count, *from = d->second->count;
	uint32_t cursor = 0, index;

	assert_true(flows_load(&d->f, "conntrack: {}\n"));
	d->second->policy = d->f.policy;
	while ((index = flow_walk(d->f.st->flows, &cursor)) != FLOW_NONE)
		flow_kill(d->f.st->flows, index);
	for (unsigned i = 0; i < 200; i++) {
		d->f.st->quiet = flow_grace_begin(d->f.st->flows);
		d->f.p.now += NSEC_PER_SEC;
		first_turns(d);
		second_turns(d);
	}
	to->generated += from->generated;
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		to->port[i].rx_packets += from->port[i].rx_packets;
		to->port[i].tx_packets += from->port[i].tx_packets;
	}
	for (unsigned i = 0; i < DROP__COUNT; i++)
		to->drop[i] += from->drop[i];
	worker_destroy(d->second);
	d->f.second = NULL;
	flows_close(&d->f);
	while (d->nconfs)
		conf_destroy(d->conf[--d->nconfs]);
}

/* A packet from the host on port `from` to the one on port `to`: number n of its flow. */
static void numbered(struct frame *f, unsigned from, unsigned to, unsigned flow, uint32_t n)
{
	struct talk t = { flow & 1, from, to, (uint16_t)(40000 + flow), 80 };

	talk_udp(&t, f, false, 100);
	memcpy(f->b + f->len - 4, &n, 4);
	frame_checksum(f, t.six ? 40 : 20, IPPROTO_UDP);
}

static void arrives(struct duo *d, unsigned from, unsigned to, unsigned flow, uint32_t n)
{
	struct frame in;

	numbered(&in, from, to, flow, n);
	pipe_receive(&d->f.p, &in);
}

static bool is_rung(const struct worker *w)
{
	struct pollfd p = { .fd = w->wake_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* ---- step by step */

/* Either way: what one has goes into the other's tree, and leaves by it, in order. */
static void test_handed_over(void **state)
{
	struct duo d;
	struct frame in, want;

	(void)state;
	duo_open(&d, TREES(PFIFO, PFIFO), 1000 * NSEC_PER_SEC);
	assert_int_equal(shaper_at(&d.f, 0, QOS_EGRESS)->owner, 1);
	assert_int_equal(shaper_at(&d.f, 1, QOS_EGRESS)->owner, 0);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 30; i++)
			arrives(&d, 1, 0, 4, round * 30 + i);
		first_turns(&d);
		pipe_quiet(&d.f.p);
		assert_int_equal(waiting(&d.f, 0), 30);
		assert_int_equal(d.f.p.w->dp.handed, 0);
		second_turns(&d);
		assert_int_equal(waiting(&d.f, 0), 0);
		for (unsigned i = 0; i < 30; i++) {
			numbered(&in, 1, 0, 4, round * 30 + i);
			frame_forwarded(&want, &in, 0, 2);
			expect_frame(&d.f.p, 0, &want);
		}
		arrives(&d, 0, 1, 5, round);
		second_turns(&d);
		first_turns(&d);
		numbered(&in, 0, 1, 5, round);
		frame_forwarded(&want, &in, 1, 2);
		expect_frame(&d.f.p, 1, &want);
		pipe_quiet(&d.f.p);
	}
	duo_close(&d);
}

/* An owner that sleeps is rung, once it has something; who is awake is not. */
static void test_rung(void **state)
{
	struct duo d;
	uint64_t drain;

	(void)state;
	duo_open(&d, TREES(PFIFO, PFIFO), 1000 * NSEC_PER_SEC);
	arrives(&d, 1, 0, 1, 0);
	first_turns(&d);
	assert_false(is_rung(d.second));
	d.second->asleep = 1;
	first_turns(&d);
	assert_false(is_rung(d.second)); /* nothing new */
	arrives(&d, 2, 1, 1, 0);
	first_turns(&d);
	assert_false(is_rung(d.second)); /* nor for it */
	arrives(&d, 1, 0, 1, 1);
	first_turns(&d);
	assert_true(is_rung(d.second));
	assert_int_equal(read(d.second->wake_fd, &drain, sizeof(drain)), sizeof(drain));
	d.second->asleep = 0;
	second_turns(&d);
	assert_int_equal(sent_by(&d.f, 0), 2);
	assert_int_equal(sent_by(&d.f, 1), 1);
	duo_close(&d);
}

/* The tree keeps time by its owner: a packet may leave when it is due, not when it was handed. */
static void test_due(void **state)
{
	struct duo d;

	(void)state;
	duo_open(&d, TREES("root: {tbf: {rate: 8mbit, burst: 1600b, limit: 1mb}}", PFIFO),
		 1000 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 12; i++) /* 142 bytes each: 11 are a burst */
		arrives(&d, 1, 0, 2, i);
	first_turns(&d);
	second_turns(&d);
	assert_int_equal(sent_by(&d.f, 0), 11);
	assert_int_equal(d.second->shape_at, d.f.p.now + (12 * 142 - 1600) * USEC);
	d.f.p.now = d.second->shape_at - 1;
	first_turns(&d);
	second_turns(&d);
	pipe_quiet(&d.f.p);
	d.f.p.now++;
	second_turns(&d);
	assert_int_equal(sent_by(&d.f, 0), 1);
	duo_close(&d);
}

/* The owner does not turn: the ring fills, what comes then is dropped and counted. */
static void test_ring_full(void **state)
{
	struct duo d;
	unsigned n = 0;

	(void)state;
	duo_open(&d, "conntrack: {}\nqos: {p0: {frames: 3000, egress: {" PFIFO "}}}\n",
		 1000 * NSEC_PER_SEC);
	for (unsigned round = 0; round < 35; round++) {
		for (unsigned i = 0; i < 64; i++)
			arrives(&d, 1, 0, 2, n++);
		first_turns(&d);
	}
	assert_int_equal(drops(&d, DROP_QDISC_HANDOVER), n - 2048);
	assert_int_equal(waiting(&d.f, 0), 2048);
	assert_int_equal(d.f.p.w->count->port[0].drops, n - 2048);
	for (unsigned i = 0; i < 100 && waiting(&d.f, 0); i++) {
		d.f.p.now += USEC;
		second_turns(&d);
		n -= sent_by(&d.f, 0);
	}
	assert_int_equal(n, drops(&d, DROP_QDISC_HANDOVER) + drops(&d, DROP_QDISC_BUDGET));
	duo_close(&d);
}

/* The tree goes while packets are on their way to it. */
static void test_gone(void **state)
{
	struct duo d;

	(void)state;
	duo_open(&d, TREES(TBF, TBF), 1000 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 20; i++) {
		arrives(&d, 1, 0, 2, i);
		arrives(&d, 0, 1, 3, i);
	}
	first_turns(&d);
	second_turns(&d);
	for (unsigned i = 0; i < 20; i++)
		arrives(&d, 1, 0, 2, i);
	first_turns(&d);
	assert_true(flows_load(&d.f, "conntrack: {}\n"));
	d.second->policy = d.f.policy;
	duo_check(&d);
	assert_int_equal(sent_by(&d.f, 0) + sent_by(&d.f, 1) + drops(&d, DROP_QDISC_GONE), 60);
	assert_true(drops(&d, DROP_QDISC_GONE) > 20);
	duo_close(&d);
}

/* ---- with threads: worker_start() calls pthread_create(), for whoever looks for such tests */

/* Until it is so, or ten seconds have passed. */
static bool within_time(bool (*is_so)(void *arg), void *arg)
{
	const struct timespec nap = { .tv_nsec = 50000 };

	for (uint64_t end = clock_now() + 10 * NSEC_PER_SEC; clock_now() < end;
	     nanosleep(&nap, NULL))
		if (is_so(arg))
			return true;
	return false;
}

static void duo_start(struct duo *d)
{
	d->f.running = true;
	must(worker_start(d->f.p.w));
	must(worker_start(d->second));
}

/* The threads have ended; what they left is turned by hand. */
static void duo_stop(struct duo *d)
{
	worker_stop(d->f.p.w);
	worker_stop(d->second);
	d->f.running = false;
	d->f.p.now = clock_now();
	first_turns(d);
	second_turns(d);
}

static bool second_sleeps(void *arg)
{
	const struct duo *d = arg;

	return __atomic_load_n(&d->second->asleep, __ATOMIC_SEQ_CST);
}

/* The first one is told of packets, as the kernel would; nobody but it tells the second. */
static bool has_left(void *arg)
{
	struct duo *d = arg;
	struct frame got;

	worker_wake(d->f.p.w);
	return pipe_sent(&d->f.p, 0, &got);
}

/* The owner sleeps for good; each packet handed to it leaves all the same, also one that is not due
 * at once. */
static void test_sleeper_wakes(void **state)
{
	struct duo d;

	(void)state;
	duo_open(&d, TREES("root: {tbf: {rate: 1mbit, burst: 1600b, limit: 1mb}}", PFIFO),
		 clock_now());
	duo_start(&d);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(within_time(second_sleeps, &d));
		arrives(&d, 1, 0, 2, i);
		assert_true(within_time(has_left, &d));
	}
	duo_stop(&d);
	assert_true(d.second->sleeps >= 100);
	duo_close(&d);
}

struct streams {
	uint32_t sent[2][8], seen[2][8]; /* by port it leaves by, and flow */
	uint64_t n, lost;
};

/* Some packets either way, as rings have room. */
static void stream_in(struct duo *d, struct streams *s)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned to = i & 1, flow = i / 2;
		struct pipe *p = &d->f.p;
		struct frame f;
		uint8_t *data;

		numbered(&f, !to, to, flow, ++s->sent[to][flow]);
		if (!xsk_memwire_take(&p->wire[!to], &data, 1)) {
			s->sent[to][flow]--;
			continue;
		}
		memcpy(data, f.b, f.len);
		xsk_memwire_deliver(&p->wire[!to], &data, &f.len, 1);
		s->n++;
	}
	worker_wake(d->f.p.w);
	worker_wake(d->second);
}

static void stream_out(struct duo *d, struct streams *s, bool in_order)
{
	struct frame got;

	for (unsigned port = 0; port < 2; port++)
		while (pipe_sent(&d->f.p, port, &got)) {
			unsigned flow = get16(frame_l4(&got)) - 40000;
			uint32_t n;

			memcpy(&n, got.b + got.len - 4, 4);
			assert_true(flow < 8);
			if (in_order)
				assert_true(n > s->seen[port][flow]);
			s->seen[port][flow] = n;
		}
}

/* Order within a flow, either way, through fifos of other workers. */
static void test_order(void **state)
{
	static struct streams s;
	struct duo d;

	(void)state;
	memset(&s, 0, sizeof(s));
	duo_open(&d, TREES(TBF_FAST, PFIFO), clock_now());
	duo_start(&d);
	for (uint64_t end = clock_now() + NSEC_PER_SEC; clock_now() < end;) {
		stream_in(&d, &s);
		stream_out(&d, &s, true);
	}
	duo_stop(&d);
	stream_out(&d, &s, true);
	assert_true(s.n > 1000);
	assert_true(s.seen[0][1] > 0 && s.seen[1][1] > 0);
	duo_close(&d);
}

/* As router/qos.c: trees and filters follow, then flows are asked again. */
static void reload(struct duo *d, const char *yaml)
{
	static const char head[] = "version: 1\ninterfaces: {p0: {}, p1: {}, p2: {}}\n";
	char text[4096], why[512] = "";
	struct conf *conf;

	snprintf(text, sizeof(text), "%s%s", head, yaml);
	must(conf_load("test.yaml", text, stderr, &conf));
	must(flows_qos(&d->f, conf, why, sizeof(why)));
	__atomic_store_n(&d->f.policy->generation, ++d->f.generation, __ATOMIC_RELAXED);
	assert_true(d->nconfs < CONFS_MOST);
	d->conf[d->nconfs++] = d->f.conf;
	d->f.conf = conf;
}

/* Both are reconfigured under load, again and again: no packet is lost from the books. */
static void test_reloads(void **state)
{
	static const char *const yaml[] = { TREES(PFIFO, TBF_FAST),
					    TREES(HTB, HTB),
					    "conntrack: {}\n",
					    TREES(TBF, PFIFO),
					    "conntrack: {}\nqos: {p0: {ifb: {" TBF_FAST
					    "}}, p1: {egress: {" HTB "}}}\n",
					    "conntrack: {}\nqos: {p1: {egress: {" TBF_FAST
					    "}, ifb: {" PFIFO "}}}\n" };
	static struct streams s;
	unsigned loads = 0;
	struct duo d;

	(void)state;
	memset(&s, 0, sizeof(s));
	duo_open(&d, yaml[0], clock_now());
	duo_start(&d);
	for (uint64_t end = clock_now() + 2 * NSEC_PER_SEC; clock_now() < end;) {
		for (unsigned i = 0; i < 20; i++) {
			stream_in(&d, &s);
			stream_out(&d, &s, false);
		}
		if (loads < CONFS_MOST - 10)
			reload(&d, yaml[++loads % 6]);
	}
	duo_stop(&d);
	stream_out(&d, &s, false);
	assert_true(loads >= 6);
	assert_true(s.n > 1000);
	duo_check(&d);
	duo_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handed_over), cmocka_unit_test(test_rung),
		cmocka_unit_test(test_due),	    cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_gone),	    cmocka_unit_test(test_sleeper_wakes),
		cmocka_unit_test(test_order),	    cmocka_unit_test(test_reloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
