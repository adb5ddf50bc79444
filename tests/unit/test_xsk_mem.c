/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who owns a frame: the depot, the caches, and the rings of memory ports, to their ends and around
 * them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "xsk/port.h"

#define FRAMES 4096u

struct frames_test {
	struct xsk_mem *mem;
	struct xsk_port *port;
	struct xsk_memwire wire;
	struct xsk_queue *q;
	struct frame_cache *cache;
};

static void test_open(struct frames_test *t, uint32_t frames, uint32_t ring)
{
	assert_int_equal(xsk_mem_create(frames, 2048, XSK_HUGEPAGES_OFF, NULL, &t->mem), 0);
	assert_int_equal(xsk_memport_open(t->mem, "m", 1, ring, &t->port), 0);
	xsk_memwire_init(&t->wire, t->port, 0);
	t->q = t->port->queue[0];
	t->cache = malloc(sizeof(*t->cache)); /* of its own, so that a sanitizer sees its end */
	assert_non_null(t->cache);
	frame_cache_init(t->cache, t->mem);
}

static void test_close(struct frames_test *t)
{
	uint32_t with_wire = (uint32_t)(t->q->posted - t->q->received);

	with_wire += (uint32_t)(t->q->sent - t->q->completed);
	frame_cache_fini(t->cache);
	free(t->cache);
	assert_int_equal(t->mem->ndepot + with_wire, t->mem->frames);
	xsk_port_close(t->port);
	assert_int_equal(xsk_port_outstanding(t->port), with_wire);
	assert_int_equal(xsk_port_reclaim(t->port), with_wire);
	assert_int_equal(t->mem->ndepot, t->mem->frames);
	xsk_port_free(t->port);
	xsk_mem_destroy(t->mem);
}

/* As if the rings had been around so often that their 32-bit indexes will soon start again at 0. */
static void almost_around(struct frames_test *t)
{
	struct xsk_queue *q = t->q;
	uint32_t back = 10 * q->rx.size;
	uint32_t *index[] = { q->rx.producer,	    q->rx.consumer,	  &q->rx.cached_prod,
			      &q->rx.cached_cons,   q->tx.producer,	  q->tx.consumer,
			      &q->tx.cached_prod,   &q->tx.cached_cons,	  q->fill.producer,
			      q->fill.consumer,	    &q->fill.cached_prod, &q->fill.cached_cons,
			      q->comp.producer,	    q->comp.consumer,	  &q->comp.cached_prod,
			      &q->comp.cached_cons, &q->kept->filled,	  &q->kept->sent };

	for (unsigned i = 0; i < sizeof(index) / sizeof(index[0]); i++)
		*index[i] -= back;
	xsk_memwire_init(&t->wire, t->port, 0);
}

static uint32_t owned(const struct frames_test *t, uint16_t owner)
{
	uint32_t n = 0;

	for (uint32_t f = 0; f < t->mem->frames; f++)
		n += t->mem->owner[f] == owner;
	return n;
}

static void test_create(void **state)
{
	struct xsk_mem *m = NULL;

	(void)state;
	assert_int_equal(xsk_mem_create(0, 2048, XSK_HUGEPAGES_OFF, NULL, &m), -EINVAL);
	assert_int_equal(xsk_mem_create(1, 1024, XSK_HUGEPAGES_OFF, NULL, &m), -EINVAL);
	assert_null(m);
	for (unsigned size = 2048; size <= 4096; size *= 2) {
		assert_int_equal(xsk_mem_create(1000, size, XSK_HUGEPAGES_OFF, NULL, &m), 0);
		assert_int_equal(m->size % (2 << 20), 0);
		assert_true(m->size >= 1000ul * size);
		assert_int_equal(xsk_mem_frame(m, xsk_mem_addr(m, 999) + size - 1), 999);
		m->base[m->size - 1] = 1;
		xsk_mem_destroy(m);
	}
}

/* All frames out, each once; none left; all back. */
static void test_alloc_all(void **state)
{
	struct frames_test t;
	uint8_t seen[FRAMES] = { 0 };
	uint32_t f = 0, n = 0, posted;

	(void)state;
	test_open(&t, FRAMES, 64);
	posted = owned(&t, FRAME_POSTED(t.q->slot));
	assert_int_equal(posted, 64);
	for (; frame_alloc(t.cache, &f); n++) {
		assert_in_range(f, 0, FRAMES - 1);
		assert_int_equal(seen[f]++, 0);
		assert_int_equal(t.mem->owner[f], FRAME_HELD);
	}
	assert_int_equal(n, FRAMES - posted);
	assert_int_equal(t.mem->ndepot, 0);
	for (f = 0; f < FRAMES; f++)
		if (seen[f])
			frame_free(t.cache, f);
	assert_in_range(t.cache->n, 1, FRAME_CACHE);
	test_close(&t);
}

/* A cache takes no more than it has room for, however it was filled. */
static void test_cache_full(void **state)
{
	struct frames_test t;

	(void)state;
	test_open(&t, FRAMES, 64);
	for (uint32_t have = 0; have <= FRAME_CACHE; have += 64) {
		uint32_t f = 0, depot;

		while (t.cache->n > 0)
			assert_true(frame_alloc(t.cache, &f)); /* theirs for now */
		assert_int_equal(xsk_mem_reclaim(t.mem, FRAME_HELD) > 0, have > 0);
		while (t.cache->n < have)
			t.cache->frame[t.cache->n++] = t.mem->depot[--t.mem->ndepot];
		depot = t.mem->ndepot;
		assert_int_equal(frame_cache_more(t.cache), have < FRAME_CACHE);
		assert_in_range(t.cache->n, have, FRAME_CACHE);
		assert_int_equal(t.mem->ndepot, depot - (t.cache->n - have));
	}
	test_close(&t);
}

/* Who sleeps keeps its cache while there is enough, and gives all of it when there is not. */
static void test_share(void **state)
{
	struct frames_test t;

	(void)state;
	test_open(&t, 64 + 2 * FRAME_SLAB, 64);
	assert_true(frame_cache_more(t.cache));
	frame_cache_share(t.cache);
	assert_int_equal(t.cache->n, FRAME_SLAB);
	assert_true(frame_cache_more(t.cache));
	frame_cache_share(t.cache);
	assert_int_equal(t.cache->n, 0);
	test_close(&t);
}

/* A ring deeper than the cache is filled over several loops, from a cache in any state. */
static void test_fill_deep(void **state)
{
	struct frames_test t;
	uint8_t *data[2048];
	struct xdp_desc d[2048];
	uint32_t len[2048] = { 0 };

	(void)state;
	test_open(&t, FRAMES, 2048);
	for (unsigned round = 1; round < 40; round++) {
		unsigned n = xsk_memwire_take(&t.wire, data, 2048);

		assert_int_equal(n, 2048);
		xsk_memwire_deliver(&t.wire, data, len, n);
		assert_int_equal(xsk_queue_rx(t.q, d, 2048), 2048);
		xsk_queue_rx_done(t.q, n);
		for (unsigned i = 0; i < n; i++) {
			frame_free(t.cache, xsk_mem_frame(t.mem, d[i].addr));
			if (i % (round * 50) == 0) /* now and then a part, to vary what it holds */
				xsk_queue_fill(t.q, t.cache);
		}
		for (unsigned i = 0; i < 8; i++) {
			xsk_queue_fill(t.q, t.cache);
			assert_in_range(t.cache->n, 0, FRAME_CACHE);
		}
		assert_int_equal(t.q->posted - t.q->received, 2048);
		assert_int_equal(owned(&t, FRAME_POSTED(t.q->slot)), 2048);
	}
	test_close(&t);
}

/* Receive: rings of 64, many times around, in every size of batch. */
static void receive_around(bool almost)
{
	struct frames_test t;
	uint32_t next = 0, seen = 0;

	test_open(&t, 512, 64);
	if (almost)
		almost_around(&t);
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t *data[64];
		uint32_t len[64];
		struct xdp_desc d[64];
		unsigned n = xsk_memwire_take(&t.wire, data, 1 + round % 64), got;

		assert_int_equal(n, 1 + round % 64);
		for (unsigned i = 0; i < n; i++) {
			memcpy(data[i], &next, 4);
			len[i] = next++ % 1500;
		}
		xsk_memwire_deliver(&t.wire, data, len, n);
		while ((got = xsk_queue_rx(t.q, d, 1 + round % 7)) > 0) {
			for (unsigned i = 0; i < got; i++, seen++) {
				assert_memory_equal(t.mem->base + d[i].addr, &seen, 4);
				assert_int_equal(d[i].len, seen % 1500);
				frame_free(t.cache, xsk_mem_frame(t.mem, d[i].addr));
			}
			xsk_queue_rx_done(t.q, got);
		}
		xsk_queue_fill(t.q, t.cache);
		assert_int_equal(seen, next);
		assert_int_equal(owned(&t, FRAME_POSTED(t.q->slot)), 64);
		assert_int_equal(owned(&t, FRAME_HELD), 0);
	}
	test_close(&t);
}

static void test_receive_wraps(void **state)
{
	(void)state;
	receive_around(false);
	receive_around(true);
}

static unsigned offer(struct frames_test *t, unsigned n, uint32_t *next)
{
	struct xdp_desc d[128] = { 0 };
	uint32_t listed = n;
	unsigned sent;

	for (unsigned i = 0; i < n; i++) {
		uint32_t f = 0;

		assert_true(frame_alloc(t->cache, &f));
		d[i].addr = xsk_mem_addr(t->mem, f) + 256;
		d[i].len = *next + i;
	}
	sent = xsk_queue_tx(t->q, d, &listed, t->cache);
	assert_int_equal(listed, 0);
	*next += sent;
	for (unsigned i = sent; i < n; i++)
		frame_free(t->cache, xsk_mem_frame(t->mem, d[i].addr));
	return sent;
}

/* Send: what fits goes, from the front and in order; nothing is overwritten while the wire is slow.
 */
static void send_around(bool almost)
{
	struct frames_test t;
	uint32_t next = 0, done = 0;

	test_open(&t, 512, 64);
	if (almost)
		almost_around(&t);
	for (unsigned round = 0; round < 3000; round++) {
		uint8_t *data[64];
		uint32_t len[64], owed = next - done, n = round % 101, out;

		assert_int_equal(offer(&t, n, &next), n < 64 - owed ? n : 64 - owed);
		assert_int_equal(owned(&t, FRAME_SENT(t.q->slot)), next - done);
		assert_int_equal(xsk_queue_busy(t.q), next != done);
		assert_int_equal(xsk_queue_unsent(t.q), next - done);
		out = xsk_memwire_sent(&t.wire, data, len, round % 67);
		for (unsigned i = 0; i < out; i++)
			assert_int_equal(len[i], done + i);
		xsk_memwire_done(&t.wire, out);
		done += out;
		assert_int_equal(xsk_queue_kick(t.q, t.cache), 0);
		assert_int_equal(t.q->completed, done);
	}
	test_close(&t);
}

static void test_send_wraps(void **state)
{
	(void)state;
	send_around(false);
	send_around(true);
}

/* A driver that gives a frame twice, one that it never had, or one that there is not: nobody gets
 * it. */
static void test_strays(void **state)
{
	struct frames_test t;
	struct xdp_desc d[8];
	uint8_t *data[8];
	uint32_t len[8] = { 60, 61, 62, 63, 64, 65 }, next = 0;
	unsigned got = 0, turns = 0;

	(void)state;
	test_open(&t, 64, 16);
	assert_int_equal(xsk_memwire_take(&t.wire, data, 3), 3);
	data[4] = data[2];
	data[2] = data[0];			    /* twice */
	data[3] = t.mem->base + t.mem->size + 2048; /* there is none */
	data[5] = t.mem->base + 50 * 2048ul;	    /* free, and not the queue's */
	xsk_memwire_deliver(&t.wire, data, len, 6);
	for (; t.q->strays < 3 && turns < 10; turns++) {
		unsigned n = xsk_queue_rx(t.q, d, 8);

		for (unsigned i = 0; i < n; i++) {
			assert_in_range(d[i].len, got == 2 ? 64 : 60 + got,
					got == 2 ? 64 : 60 + got);
			frame_free(t.cache, xsk_mem_frame(t.mem, d[i].addr));
			got++;
		}
		xsk_queue_rx_done(t.q, n);
	}
	assert_int_equal(got, 3);
	assert_int_equal(t.q->received, 3);
	assert_int_equal(xsk_queue_rx(t.q, d, 8), 0);
	/* the same at the other end: completed, and completed again */
	assert_int_equal(offer(&t, 2, &next), 2);
	assert_int_equal(xsk_memwire_sent(&t.wire, data, len, 2), 2);
	xsk_memwire_done(&t.wire, 2);
	*xsk_ring_prod__fill_addr((struct xsk_ring_prod *)(void *)&t.q->comp, 2) =
		*xsk_ring_cons__comp_addr(&t.q->comp, 0);
	*t.q->comp.producer += 1;
	xsk_queue_kick(t.q, t.cache);
	assert_int_equal(t.q->completed, 2);
	assert_int_equal(t.q->strays, 4);
	test_close(&t);
}

/* Completed but not reaped: room is found all the same. A dead queue takes nothing. */
static void test_send_reaps(void **state)
{
	struct frames_test t;
	uint8_t *data[64];
	uint32_t len[64], next = 0;

	(void)state;
	test_open(&t, 512, 64);
	assert_int_equal(offer(&t, 64, &next), 64);
	assert_int_equal(offer(&t, 1, &next), 0);
	xsk_memwire_sent(&t.wire, data, len, 64);
	xsk_memwire_done(&t.wire, 10);
	assert_int_equal(offer(&t, 64, &next), 10);
	xsk_memwire_done(&t.wire, 10);
	*t.q->tx.consumer += 5; /* taken from the ring, but not completed: still owed to us */
	assert_int_equal(offer(&t, 64, &next), 10);
	assert_int_equal(offer(&t, 1, &next), 0);
	t.q->dead = true;
	xsk_memwire_done(&t.wire, 10);
	assert_int_equal(offer(&t, 1, &next), 0);
	t.q->dead = false;
	assert_int_equal(xsk_queue_kick(t.q, t.cache), 0);
	assert_int_equal(owned(&t, FRAME_SENT(t.q->slot)), 54);
	test_close(&t);
}

/* What a closed port leaves with the wire is found again by its owner, and only that. */
static void test_reclaim(void **state)
{
	struct frames_test t;
	struct xsk_port *other;
	uint32_t next = 0, depot;

	(void)state;
	test_open(&t, 512, 64);
	assert_int_equal(xsk_memport_open(t.mem, "other", 1, 64, &other), 0);
	assert_int_not_equal(other->queue[0]->slot, t.q->slot);
	assert_int_equal(offer(&t, 20, &next), 20);
	depot = t.mem->ndepot;
	assert_int_equal(xsk_mem_reclaim(t.mem, FRAME_SENT(t.q->slot)), 20);
	assert_int_equal(xsk_mem_reclaim(t.mem, FRAME_SENT(t.q->slot)), 0);
	assert_int_equal(xsk_mem_reclaim(t.mem, FRAME_POSTED(other->queue[0]->slot)), 64);
	assert_int_equal(t.mem->ndepot, depot + 84);
	assert_int_equal(owned(&t, FRAME_POSTED(t.q->slot)), 64);
	xsk_port_close(other);
	assert_int_equal(xsk_port_reclaim(other), 0);
	xsk_port_free(other);
	t.q->completed = t.q->sent; /* they have been taken back */
	test_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),	      cmocka_unit_test(test_alloc_all),
		cmocka_unit_test(test_cache_full),    cmocka_unit_test(test_fill_deep),
		cmocka_unit_test(test_receive_wraps), cmocka_unit_test(test_send_wraps),
		cmocka_unit_test(test_strays),	      cmocka_unit_test(test_send_reaps),
		cmocka_unit_test(test_reclaim),	      cmocka_unit_test(test_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
