/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Killed at any instruction: a child forwards between two memory ports, one machine instruction at
 * a time, and after each of them a successor goes on with a copy of what the child would leave.
 * Each packet leaves once, whenever that was, and every frame is somewhere.
 *
 * The kernel's part is played between two steps, with frames that it has taken and not delivered,
 * and sent and not completed.
 */
#include <errno.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/random.h"
#include "tests/unit/kept_worker.h"

#define FRAMES	 96u
#define SIZE	 2048u
#define RING	 32u
#define SEQS	 4096
#define HEADROOM 256
#define INSIDE	 16 /* packets under way: fewer than a send ring takes, so that none is dropped */
#define ROOM	 64 /* bytes of a frame that are used, behind the headroom */

#ifdef FRAME_CHECK
#define STEPS  100000
#define STRIDE 53
#else
#define STEPS  30000
#define STRIDE 13
#endif
#define DENSE 1500 /* steps looked at without gaps: a turn of the release build */

/* ---- the kernel, in short */

struct wire {
	uint32_t taken[RING], sending[RING]; /* frames in its hands, the oldest first */
	unsigned ntaken, nsending;
};

struct books {
	uint32_t seq; /* the next one to be delivered */
	uint32_t inside;
	uint8_t left[SEQS];
};

static void wire_send(struct wire *x, struct world *w, struct xsk_queue *q, struct books *b,
		      unsigned n)
{
	for (; n && xsk_queue_unsent(q) && x->nsending < RING; n--) {
		const struct xdp_desc *d = xsk_ring_prod__tx_desc(&q->tx, *q->tx.consumer);
		uint32_t seq;

		memcpy(&seq, w->mem->base + d->addr, sizeof(seq));
		assert_true(seq < b->seq);
		b->left[seq]++;
		x->sending[x->nsending++] = (uint32_t)d->addr;
		++*q->tx.consumer;
	}
}

static void wire_complete(struct wire *x, struct xsk_queue *q, struct books *b, unsigned n)
{
	for (; n && x->nsending; n--, b->inside--) {
		((uint64_t *)q->comp.ring)[*q->comp.producer & q->comp.mask] = x->sending[0];
		memmove(x->sending, x->sending + 1, --x->nsending * sizeof(x->sending[0]));
		++*q->comp.producer;
	}
}

static void wire_take(struct wire *x, struct xsk_queue *q, unsigned n)
{
	for (; n && *q->fill.consumer != *q->fill.producer && x->ntaken < RING; n--) {
		x->taken[x->ntaken++] =
			(uint32_t)*xsk_ring_prod__fill_addr(&q->fill, *q->fill.consumer);
		++*q->fill.consumer;
	}
}

static void wire_deliver(struct wire *x, struct world *w, struct xsk_queue *q, struct books *b,
			 unsigned n)
{
	for (; n && x->ntaken && b->seq < SEQS && b->inside < INSIDE; n--, b->seq++) {
		struct xdp_desc *d = &((struct xdp_desc *)q->rx.ring)[*q->rx.producer & q->rx.mask];

		assert_true(*q->rx.producer - *q->rx.consumer < RING);
		*d = (struct xdp_desc){ .addr = x->taken[0] + HEADROOM, .len = ROOM };
		memcpy(w->mem->base + d->addr, &b->seq, sizeof(b->seq));
		memmove(x->taken, x->taken + 1, --x->ntaken * sizeof(x->taken[0]));
		++*q->rx.producer;
		b->inside += !is_for_nobody(b->seq);
	}
}

static void wire_play(struct wire *x, struct world *w, struct xsk_queue *q, struct books *b,
		      uint64_t *luck)
{
	switch (random_below(luck, 5)) {
	case 0: wire_send(x, w, q, b, 1 + random_below(luck, RING)); break;
	case 1: wire_complete(x, q, b, 1 + random_below(luck, RING)); break;
	case 2: wire_take(x, q, 1 + random_below(luck, RING)); break;
	default: wire_deliver(x, w, q, b, 1 + random_below(luck, BURST)); break;
	}
}

/* ---- the first process */

struct lab {
	struct world w;
	struct wire wire[PORTS];
	struct books books;
	/* the copy */
	struct kept *kept;
	void *rings[PORTS];
	int fd;
	uint8_t *base;
	uint64_t looks, inexact; /* killed between what a counter counts and the counter */
};

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void lab_open(struct lab *l)
{
	struct xsk_kept kept;

	memset(l, 0, sizeof(*l));
	l->w.kept = shared(sizeof(struct kept));
	l->kept = shared(sizeof(struct kept));
	kept = kept_of(l->w.kept);
	assert_int_equal(xsk_mem_create(FRAMES, SIZE, XSK_HUGEPAGES_OFF, &kept, &l->w.mem), 0);
	for (unsigned i = 0; i < PORTS; i++) {
		assert_int_equal(xsk_memport_open(l->w.mem, "m", 1, RING, &l->w.port[i]), 0);
		l->rings[i] = shared(xsk_memport_rings_size(RING));
	}
	frame_cache_init(&l->w.cache, l->w.mem);
	l->fd = memfd_create("copy", MFD_CLOEXEC);
	assert_int_equal(ftruncate(l->fd, (off_t)l->w.mem->size), 0);
	l->base = mmap(NULL, l->w.mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	assert_true(l->base != MAP_FAILED);
}

static void lab_close(struct lab *l)
{
	munmap(l->base, l->w.mem->size);
	close(l->fd);
	for (unsigned i = 0; i < PORTS; i++) {
		xsk_port_close(l->w.port[i]);
		xsk_port_free(l->w.port[i]);
		munmap(l->rings[i], xsk_memport_rings_size(RING));
	}
	xsk_mem_destroy(l->w.mem);
	munmap(l->w.kept, sizeof(struct kept));
	munmap(l->kept, sizeof(struct kept));
}

/* ---- the next one */

static void copy_all(struct lab *l)
{
	const struct kept *k = l->w.kept;

	memcpy(l->kept->queue, k->queue, PORTS * sizeof(k->queue[0]));
	memcpy(l->kept->out, k->out, offsetof(struct kept, owner) - offsetof(struct kept, out));
	memcpy(l->kept->owner, k->owner, FRAMES * sizeof(k->owner[0]));
	for (unsigned i = 0; i < PORTS; i++)
		memcpy(l->rings[i], xsk_memport_rings(l->w.port[i], 0),
		       xsk_memport_rings_size(RING));
	for (unsigned f = 0; f < FRAMES; f++)
		memcpy(l->base + f * SIZE + HEADROOM, l->w.mem->base + f * SIZE + HEADROOM, ROOM);
}

/* As far as `stage`, where it is killed again. */
static void adopt(struct lab *l, struct world *w, unsigned stage)
{
	struct xsk_kept kept = kept_of(l->kept);
	struct xsk_port_done done;
	char why[XSK_PORT_WHY] = "";

	memset(w, 0, sizeof(*w));
	w->kept = l->kept;
	assert_int_equal(xsk_mem_adopt(dup(l->fd), FRAMES, SIZE, &kept, &w->mem), 0);
	frame_cache_init(&w->cache, w->mem);
	for (unsigned i = 0; i < PORTS; i++)
		if (xsk_memport_adopt(w->mem, "m", l->w.port[i]->queue[0]->slot, l->rings[i],
				      &w->port[i], why))
			fail_msg("%s", why);
	if (stage == 0)
		return;
	name_pending(w);
	if (stage == 1)
		return;
	for (unsigned i = 0; i < PORTS; i++) {
		xsk_port_resume(w->port[i], &done);
		w->kept->rx += done.rx_packets;
		w->kept->tx += done.tx_packets;
	}
	assert_in_range(xsk_mem_settle(w->mem), 0, 2); /* what was built for nothing */
	if (stage == 2)
		return;
	for (unsigned i = 0; i < PORTS; i++)
		flush(w, i);
}

static void leave(struct world *w, bool killed)
{
	for (unsigned i = 0; i < PORTS; i++) {
		uint16_t slot = w->port[i]->queue[0]->slot;

		if (!killed)
			xsk_port_close(w->port[i]);
		xsk_port_free(w->port[i]);
		w->kept->queue[slot].used = killed;
	}
	xsk_mem_destroy(w->mem);
}

static void check_frames(const struct world *w)
{
	uint64_t by[4] = { 0 }, posted = 0, sent = 0;

	for (unsigned f = 0; f < FRAMES; f++)
		by[w->mem->owner[f] & 3]++;
	for (unsigned i = 0; i < PORTS; i++) {
		const struct xsk_queue *q = w->port[i]->queue[0];

		posted += q->posted - q->received;
		sent += q->sent - q->completed;
	}
	assert_int_equal(by[FRAME_FREE], w->mem->ndepot + w->cache.n);
	assert_int_equal(by[FRAME_HELD], 0);
	assert_int_equal(by[2], posted);
	assert_int_equal(by[3], sent);
}

/* Each packet that was delivered has left once, or is one of those that are for nobody. */
static void check_packets(const struct books *b, uint64_t step)
{
	for (uint32_t seq = 0; seq < b->seq; seq++)
		if (b->left[seq] != !is_for_nobody(seq))
			fail_msg("step %llu: packet %u of %u left %u times",
				 (unsigned long long)step, seq, b->seq, b->left[seq]);
}

/* What the child would leave if it were killed here: a successor finishes it, and takes more. */
static void look(struct lab *l, uint64_t step)
{
	static struct books b;
	struct wire wire[PORTS];
	struct world w;
	unsigned more = 3;

	copy_all(l);
	b = l->books;
	memcpy(wire, l->wire, sizeof(wire));
	if (step % 3 == 0) { /* that one is killed as well */
		adopt(l, &w, (unsigned)(step / 3 % 4));
		leave(&w, true);
	}
	adopt(l, &w, 3);
	for (unsigned idle = 0; idle < 3;) {
		unsigned n = turn(&w);

		for (unsigned i = 0; i < PORTS; i++) {
			struct xsk_queue *q = w.port[i]->queue[0];

			wire_send(&wire[i], &w, q, &b, RING);
			wire_complete(&wire[i], q, &b, RING);
			wire_take(&wire[i], q, RING);
			if (more)
				wire_deliver(&wire[i], &w, q, &b, BURST);
		}
		more -= more > 0;
		idle = n || more ? 0 : idle + 1;
	}
	check_frames(&w);
	check_packets(&b, step);
	l->looks++;
	if (step % 3) /* killed while adopting, what was found done is counted again */
		l->inexact += w.kept->rx != b.seq || w.kept->tx + w.kept->dropped != b.seq;
	leave(&w, false);
}

/* Sanitizers' own stops aside, each stop is one instruction further. */
static bool step_once(pid_t child)
{
	int status;

	return ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	       waitpid(child, &status, 0) == child && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == SIGTRAP;
}

/* Tracer and traced take turns: on one CPU, none has to be woken. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void test_any_instruction(void **state)
{
	static struct lab l;
	uint64_t luck = 1, next_play = 0;
	pid_t child;
	int status;

	(void)state;
	stay_here();
	lab_open(&l);
	child = fork();
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		for (;;)
			turn(&l.w);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status)) {
		lab_close(&l);
		skip();
	}
	for (uint64_t step = 0; step < STEPS; step++) {
		if (step >= next_play) {
			unsigned port = random_below(&luck, PORTS);

			wire_play(&l.wire[port], &l.w, l.w.port[port]->queue[0], &l.books, &luck);
			next_play = step + 1 + random_below(&luck, STEPS / 300);
		}
		assert_true(step_once(child));
		if (step % STRIDE == 0 || (step > STEPS / 2 && step < STEPS / 2 + DENSE))
			look(&l, step);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	print_message("%llu looks in %llu turns, %u packets; counters off at %llu\n",
		      (unsigned long long)l.looks, (unsigned long long)l.w.kept->turns, l.books.seq,
		      (unsigned long long)l.inexact);
	assert_true(l.w.kept->turns > 4 && l.books.seq > 50);
	assert_true(l.inexact < l.looks / 10);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
