/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker's turns: bursts around the rings, a wire that does not keep up, ports that are not
 * there, and how many frames it keeps posted.
 */
#include <unistd.h>

#include "tests/unit/pipe_rows.h"

/* `n` packets into port 0, numbered from *next on; how many could be delivered. */
static unsigned deliver(struct pipe *p, unsigned n, uint32_t *next, bool mixed)
{
	uint8_t *data[2 * BURST];
	uint32_t len[2 * BURST];
	struct frame f;

	assert_true(n <= 2 * BURST);
	n = xsk_memwire_take(&p->wire[0], data, n);
	for (unsigned i = 0; i < n; i++, ++*next) {
		frame_to(&f, beyond(mixed && *next % 3 == 0, VIA_OUT), 60);
		memcpy(f.b + f.len - 4, next, 4);
		memcpy(data[i], f.b, f.len);
		len[i] = f.len;
	}
	xsk_memwire_deliver(&p->wire[0], data, len, n);
	return n;
}

/* What port 1 sent, at most `n`: the numbers are *next and on. */
static unsigned drain(struct pipe *p, unsigned n, uint32_t *next)
{
	uint8_t *data[2 * BURST];
	uint32_t len[2 * BURST];

	n = xsk_memwire_sent(&p->wire[1], data, len, n);
	for (unsigned i = 0; i < n; i++, ++*next)
		assert_memory_equal(data[i] + len[i] - 4, next, 4);
	xsk_memwire_done(&p->wire[1], n);
	return n;
}

/* Rings of 64 around many times, in every size of burst: all come, in order. */
static void test_bursts(void **state)
{
	uint32_t in = 0, out = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned round = 0; round < 4000; round++) {
		assert_int_equal(deliver(&p, 1 + round % 64, &in, false), 1 + round % 64);
		assert_int_equal(worker_turn(p.w, p.now), 1 + round % 64);
		drain(&p, 64, &out);
		assert_int_equal(out, in);
	}
	pipe_turn(&p);
	assert_int_equal(p.w->count->port[1].tx_packets, in);
	pipe_close(&p);
}

/* Both families in one burst: each in its order. */
static void test_mixed_burst(void **state)
{
	uint32_t in = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned round = 0; round < 300; round++) {
		uint32_t first = in, last[2] = { 0 }, seen = 0, number;

		deliver(&p, 64, &in, true);
		pipe_turn(&p);
		while (pipe_sent(&p, 1, &f)) {
			unsigned six = f.b[14] >> 4 == 6;

			memcpy(&number, f.b + f.len - 4, 4);
			assert_true(number >= first && number < in);
			assert_int_equal(number % 3 == 0, six);
			assert_true(!last[six] || number > last[six]);
			last[six] = number;
			seen++;
		}
		assert_int_equal(seen, 64);
	}
	pipe_close(&p);
}

/* The wire does not take what we send: the ring fills, and the rest is dropped and counted. */
static void test_send_ring_full(void **state)
{
	uint32_t in = 0, out = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	deliver(&p, 40, &in, false);
	pipe_turn(&p);
	deliver(&p, 64, &in, false);
	pipe_turn(&p);
	assert_int_equal(p.w->count->drop[DROP_TX_RING_FULL], 40);
	assert_int_equal(p.w->count->port[1].drops, 40);
	assert_int_equal(p.w->count->port[1].tx_packets, 64);
	assert_int_equal(drain(&p, 10, &out), 10);
	deliver(&p, 64, &in, false);
	pipe_turn(&p);
	assert_int_equal(p.w->count->drop[DROP_TX_RING_FULL], 94);
	assert_int_equal(drain(&p, 54, &out), 54);
	out = 104; /* those in between are gone */
	assert_int_equal(drain(&p, 64, &out), 10);
	pipe_close(&p);
}

/* A wire now fast, now slow: what was not sent was dropped. */
static void test_slow_wire(void **state)
{
	uint32_t in = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned round = 0; round < 1000; round++) {
		deliver(&p, round * 7 % 65, &in, true);
		pipe_turn(&p);
		for (unsigned i = 0; i < round % 40; i++)
			if (!pipe_sent(&p, 1, &f))
				break;
	}
	assert_int_equal(p.w->count->port[0].rx_packets, in);
	assert_int_equal(p.w->count->port[1].tx_packets + p.w->count->drop[DROP_TX_RING_FULL], in);
	pipe_close(&p);
}

static void test_no_port(void **state)
{
	struct xsk_queue *q;
	uint32_t in = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	q = p.wp.tx[1];
	q->dead = true;
	deliver(&p, 10, &in, false);
	pipe_turn(&p);
	assert_int_equal(p.w->count->drop[DROP_TX_NO_PORT], 10);
	p.wp.tx[1] = NULL;
	deliver(&p, 10, &in, false);
	pipe_turn(&p);
	assert_int_equal(p.w->count->drop[DROP_TX_NO_PORT], 20);
	assert_int_equal(p.w->count->port[1].drops, 20);
	pipe_close(&p);
}

/* One burst becomes more frames than are gathered for a port: handed over in between. */
static void test_more_out_than_in(void **state)
{
	struct pipe p;
	struct frame f;
	unsigned n = 0, at = 0;

	(void)state;
	pipe_open_sized(&p, 2048, 512);
	p.cfg->iface[1].mtu = 576;
	pipe_learn(&p, 1, on_link(false, 1, 2), NH_RESOLVED, 0);
	frame_to(&f, beyond(false, VIA_OUT), 1480);
	for (unsigned i = 0; i < BURST; i++)
		pipe_receive(&p, &f);
	pipe_turn(&p);
	for (; pipe_sent(&p, 1, &f); n++) {
		assert_int_equal((ntohs(frame_ip4(&f)->frag) & IP4_OFFSET) * 8, at);
		at = n % 3 == 2 ? 0 : at + 552;
	}
	assert_int_equal(n, 3 * BURST);
	pipe_close(&p);
}

/* Frames run out: what is received is still forwarded, and what is sent comes back to be posted. */
static void test_few_frames(void **state)
{
	uint32_t in = 0, out = 0;
	struct pipe p;

	(void)state;
	pipe_open_sized(&p, 3 * 64, 64); /* all are posted */
	for (unsigned round = 0; round < 500; round++) {
		deliver(&p, 64, &in, false);
		pipe_turn(&p);
		drain(&p, round % 65, &out);
	}
	for (unsigned i = 0; i < 3; i++) {
		pipe_turn(&p);
		drain(&p, 64, &out);
	}
	assert_int_equal(out, in);
	pipe_close(&p);
}

/* Fewer frames than one queue would post: it posts what there is, and packets pass. */
static void test_fewer_than_one_queue_wants(void **state)
{
	uint32_t in = 0, out = 0;
	struct pipe p;

	(void)state;
	pipe_open_sized(&p, 64, 256);
	for (unsigned round = 0; round < 100; round++) {
		pipe_turn(&p);
		deliver(&p, 1, &in, false);
		pipe_turn(&p);
		drain(&p, 1, &out);
	}
	assert_int_equal(in, 100);
	assert_int_equal(out, in);
	pipe_close(&p);
}

/* All that one can get of a cache and the depot, behind those it has already. */
static uint32_t take_all(struct frame_cache *c, uint32_t *frame, uint32_t have)
{
	while (have < PIPE_FRAMES && frame_alloc(c, &frame[have]))
		have++;
	return have;
}

static bool exceeds(const uint64_t *counter, uint64_t n)
{
	uint64_t until = clock_now() + 5 * NSEC_PER_SEC;

	while (counter_read(counter) <= n && clock_now() < until)
		usleep(1000);
	return counter_read(counter) > n;
}

/* Nothing can wake the worker of a queue without frames: it looks by itself when others have given
 * some back. */
static void test_dry_queue(void **state)
{
	uint32_t frame[PIPE_FRAMES], n, in = 0, out = 0;
	struct frame_cache others;
	struct xsk_queue *q;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	q = p.port[0]->queue[0];
	frame_cache_init(&others, p.mem);
	n = take_all(&others, frame, 0);
	deliver(&p, 64, &in, false);
	worker_turn(p.w, p.now);
	drain(&p, 64, &out);
	worker_turn(p.w, p.now); /* takes back what was sent, after it has posted */
	n = take_all(&p.w->cache, frame, n);
	assert_int_equal(q->posted - q->received, 0);
	p.w->busy = false;
	assert_int_equal(worker_start(p.w), 0);
	assert_true(exceeds(&p.w->sleeps, 0));
	assert_int_equal(counter_read(&q->posted), 64);
	while (n)
		frame_free(&others, frame[--n]);
	frame_cache_fini(&others);
	assert_true(exceeds(&q->posted, 64));
	worker_stop(p.w);
	pipe_close(&p);
}

/* Many packets: fewer frames lie posted; few again, or none: as many as the ring takes. */
static void test_depth(void **state)
{
	uint32_t in = 0, out = 0, before;
	struct pipe p;
	struct xsk_queue *q;

	(void)state;
	pipe_open_sized(&p, 10240, 2048);
	q = p.port[0]->queue[0];
	assert_int_equal(q->depth, 2048);
	for (unsigned i = 0; i < 3000; i++) { /* 320,000 a second, and twice that after a stall */
		bool stalled = i < 1000;

		deliver(&p, stalled ? 64 : 32, &in, false);
		p.now += 100 * NSEC_PER_USEC;
		worker_turn(p.w, p.now);
		drain(&p, 64, &out);
	}
	assert_int_equal(q->depth, 2048);
	for (unsigned i = 0; i < 3000; i++) { /* 640,000 a second */
		deliver(&p, 64, &in, false);
		p.now += 100 * NSEC_PER_USEC;
		worker_turn(p.w, p.now);
		drain(&p, 64, &out);
	}
	pipe_check(&p);
	assert_int_equal(q->depth, 1024);
	assert_int_equal(p.port[1]->queue[0]->depth, 2048); /* receives nothing */
	assert_int_equal(q->posted - q->received, 1024);
	for (unsigned i = 0; i < 3000; i++) { /* 320,000: neither many nor few */
		deliver(&p, 32, &in, false);
		p.now += 100 * NSEC_PER_USEC;
		worker_turn(p.w, p.now);
		drain(&p, 64, &out);
	}
	assert_int_equal(q->depth, 1024);
	for (unsigned i = 0; i < 30; i++) {
		p.now += 10 * NSEC_PER_MSEC;
		pipe_turn(&p);
	}
	assert_int_equal(q->depth, 2048);
	before = (uint32_t)(q->posted - q->received);
	assert_int_equal(before, 2048);
	assert_int_equal(in, out);
	pipe_close(&p);
}

/* A ring that is not deeper than what many packets get stays as it is. */
static void test_depth_of_small_ring(void **state)
{
	uint32_t in = 0, out = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 3000; i++) {
		deliver(&p, 64, &in, false);
		p.now += 100 * NSEC_PER_USEC;
		worker_turn(p.w, p.now);
		drain(&p, 64, &out);
	}
	assert_int_equal(p.port[0]->queue[0]->depth, 64);
	assert_int_equal(in, out);
	pipe_close(&p);
}

/* Before control has published anything, a turn does nothing. */
static void test_nothing_published(void **state)
{
	uint32_t in = 0;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	deliver(&p, 5, &in, false);
	p.w->config = NULL;
	assert_int_equal(worker_turn(p.w, p.now), 0);
	p.w->config = p.cfg;
	p.w->ports = NULL;
	assert_int_equal(worker_turn(p.w, p.now), 0);
	p.w->ports = &p.wp;
	assert_int_equal(worker_turn(p.w, p.now), 5);
	pipe_check(&p);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_mixed_burst),
		cmocka_unit_test(test_send_ring_full),
		cmocka_unit_test(test_slow_wire),
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_more_out_than_in),
		cmocka_unit_test(test_few_frames),
		cmocka_unit_test(test_fewer_than_one_queue_wants),
		cmocka_unit_test(test_dry_queue),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_of_small_ring),
		cmocka_unit_test(test_nothing_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
