/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dead process left of its queues, damaged: it is refused, or it can be gone on with. The
 * first bytes of the input drive a worker and its wire, the rest changes what lies in the rings, in
 * the owner table and in the records of queues.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/kept_worker.h"

#define FRAMES 64u
#define SIZE   2048u
#define RING   8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

static uint8_t next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void play(struct world *w, unsigned port, uint8_t what)
{
	struct xsk_memwire wire;
	uint8_t *data[RING];
	uint32_t len[RING];
	unsigned n = 1 + (what >> 4) % RING;

	xsk_memwire_init(&wire, w->port[port], 0);
	if (what & 1) {
		n = xsk_memwire_take(&wire, data, n);
		for (unsigned i = 0; i < n; i++) {
			memset(data[i], what, 64);
			len[i] = 64;
		}
		xsk_memwire_deliver(&wire, data, len, n);
	} else {
		xsk_memwire_done(&wire, xsk_memwire_sent(&wire, data, len, n));
	}
}

/* Until the input says that it is killed. */
static void live(struct world *w, struct input *in)
{
	for (uint8_t what; (what = next(in)) != 0;) {
		if (what & 2)
			turn(w);
		else
			play(w, what >> 2 & 1, what);
	}
}

/* Three bytes each: which memory and where, and what is put there. */
static void damage(struct input *in, struct kept *k, void *const rings[PORTS])
{
	while (in->at < in->end) {
		uint8_t which = next(in), where = next(in), what = next(in);
		uint8_t *p = (uint8_t *)k->owner;
		size_t room = FRAMES * sizeof(k->owner[0]);

		if (which & 1) {
			p = rings[which >> 1 & 1];
			room = xsk_memport_rings_size(RING);
		} else if (which & 2) {
			/* marks and sizes; that a slot is taken is the caller's word */
			p = (uint8_t *)&k->queue[which >> 2 & 1].filled;
			room = 2 * sizeof(uint32_t);
		} else if (which & 4) {
			p = (uint8_t *)k->out;
			room = sizeof(k->out);
			if (which & 8)
				k->out[which >> 4 & 1].n %= 2 * BURST + 1;
		}
		p[(where | (size_t)(which >> 4) << 8) % room] = what;
	}
	for (unsigned i = 0; i < PORTS; i++)
		k->out[i].n %= 2 * BURST + 1; /* the caller's to check */
}

static void go_on(int fd, struct kept *k, void *const rings[PORTS], const unsigned *slot)
{
	static struct world w;
	struct xsk_kept kept = kept_of(k);
	struct xsk_port_done done;
	char why[XSK_PORT_WHY];
	int err = 0;

	w = (struct world){ .kept = k };
	if (xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &w.mem)) {
		close(fd);
		return;
	}
	frame_cache_init(&w.cache, w.mem);
	for (unsigned i = 0; i < PORTS; i++)
		err |= xsk_memport_adopt(w.mem, "m", slot[i], rings[i], &w.port[i], why);
	name_pending(&w);
	for (unsigned i = 0; i < PORTS && !err; i++)
		xsk_port_resume(w.port[i], &done);
	xsk_mem_settle(w.mem);
	for (unsigned i = 0; i < PORTS && !err; i++)
		flush(&w, i);
	for (unsigned i = 0; i < 4 && !err; i++) {
		turn(&w);
		for (unsigned port = 0; port < PORTS; port++) {
			play(&w, port, 0xf1);
			play(&w, port, 0xf0);
		}
	}
	frame_cache_fini(&w.cache);
	for (unsigned i = 0; i < PORTS; i++) {
		xsk_port_close(w.port[i]);
		xsk_port_reclaim(w.port[i]);
		xsk_port_free(w.port[i]);
	}
	xsk_mem_destroy(w.mem);
}

/* The first process has the same memory for all inputs: to make it takes long. */
static void begin(struct world *w, struct kept *k)
{
	struct xsk_kept kept = kept_of(k);

	if (!w->mem && xsk_mem_create(FRAMES, SIZE, XSK_HUGEPAGES_OFF, &kept, &w->mem))
		abort();
	memset(k->queue, 0, PORTS * sizeof(k->queue[0]));
	memset(k->out, 0, sizeof(k->out));
	memset(k->owner, 0, FRAMES * sizeof(k->owner[0]));
	xsk_mem_settle(w->mem);
	w->kept = k;
	frame_cache_init(&w->cache, w->mem);
	for (unsigned i = 0; i < PORTS; i++)
		if (xsk_memport_open(w->mem, "m", 1, RING, &w->port[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kept k __attribute__((aligned(64)));
	static struct world w;
	struct input in = { data, data + size };
	unsigned slot[PORTS];
	void *rings[PORTS];

	begin(&w, &k);
	for (unsigned i = 0; i < PORTS; i++) {
		slot[i] = w.port[i]->queue[0]->slot;
		rings[i] = xsk_memport_rings(w.port[i], 0);
	}
	live(&w, &in);
	damage(&in, &k, rings);
	go_on(dup(w.mem->fd), &k, rings, slot);
	for (unsigned i = 0; i < PORTS; i++)
		xsk_port_free(w.port[i]);
	return 0;
}
