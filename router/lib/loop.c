/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control thread's event loop (router/lib/loop.h).
 *
 * Descriptors: one epoll set, level-triggered; data.ptr is the struct loop_fd. epoll_wait() hands
 * out a batch, and a callback may delete a descriptor whose event waits later in that batch: a
 * deleted struct loop_fd is therefore only marked dead, and freed between two batches.
 *
 * Timers: a binary heap ordered by time, and one timerfd armed for its top just before each wait.
 * Expired timers first move from the heap to a `due` list and are called from there. So a timer
 * that sets itself again to a time in the past waits for the next turn and starves nobody, and a
 * callback may delete or set any timer: it just leaves the heap or the list. The heap has room for
 * every timer that exists, hence loop_timer_set() cannot fail.
 *
 * A nested loop is an epoll set in the outer one's: ready while one of its descriptors is.
 *
 * Everything is used from the loop's own thread. [control]
 */
#include "router/lib/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "router/lib/clock.h"

#define LOOP_BATCH 64

struct loop_fd {
	LIST_ENTRY(loop_fd) link; /* in loop.fds, or in loop.dead */
	struct loop *loop;
	int fd;
	bool dead;
	loop_fd_fn *fn;
	void *arg;
};

enum timer_where { TIMER_IDLE, TIMER_HEAP, TIMER_DUE };

struct loop_timer {
	LIST_ENTRY(loop_timer) link; /* in loop.timers: every timer */
	TAILQ_ENTRY(loop_timer) due; /* in loop.due, when where == TIMER_DUE */
	struct loop *loop;
	enum timer_where where;
	unsigned slot; /* in loop.heap, when where == TIMER_HEAP */
	uint64_t at;
	loop_timer_fn *fn;
	void *arg;
};

struct loop {
	int epoll_fd, timer_fd;
	unsigned most;		/* descriptors a batch */
	struct loop_fd *within; /* the outer loop's, if this is a nested one */
	bool stop;
	uint64_t armed; /* what the timerfd is set to, 0: disarmed */
	LIST_HEAD(, loop_fd) fds, dead;
	LIST_HEAD(, loop_timer) timers;
	TAILQ_HEAD(, loop_timer) due;
	struct loop_timer **heap;
	unsigned heap_len, heap_size, ntimers;
};

/* ---- the heap of timers */

static void heap_put(struct loop *l, unsigned slot, struct loop_timer *t)
{
	l->heap[slot] = t;
	t->slot = slot;
}

static void heap_up(struct loop *l, unsigned slot, struct loop_timer *t)
{
	while (slot > 0) {
		unsigned parent = (slot - 1) / 2;

		if (l->heap[parent]->at <= t->at)
			break;
		heap_put(l, slot, l->heap[parent]);
		slot = parent;
	}
	heap_put(l, slot, t);
}

static void heap_down(struct loop *l, unsigned slot, struct loop_timer *t)
{
	for (;;) {
		unsigned child = 2 * slot + 1;

		if (child >= l->heap_len)
			break;
		if (child + 1 < l->heap_len && l->heap[child + 1]->at < l->heap[child]->at)
			child++;
		if (t->at <= l->heap[child]->at)
			break;
		heap_put(l, slot, l->heap[child]);
		slot = child;
	}
	heap_put(l, slot, t);
}

static void heap_insert(struct loop *l, struct loop_timer *t)
{
	assert(l->heap_len < l->heap_size);
	t->where = TIMER_HEAP;
	heap_up(l, l->heap_len++, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last = l->heap[--l->heap_len];
	unsigned slot = t->slot;

	t->where = TIMER_IDLE;
	if (last == t)
		return;
	/* the last one may belong above or below the hole; one of the two moves nothing */
	heap_down(l, slot, last);
	heap_up(l, last->slot, last);
}

static int heap_reserve(struct loop *l)
{
	unsigned size = l->heap_size ? 2 * l->heap_size : 16;
	struct loop_timer **heap;

	if (l->ntimers < l->heap_size)
		return 0;
	heap = reallocarray(l->heap, size, sizeof(heap[0]));
	if (!heap)
		return -ENOMEM;
	l->heap = heap;
	l->heap_size = size;
	return 0;
}

/* ---- timers */

static void timer_idle(struct loop_timer *t)
{
	if (t->where == TIMER_HEAP)
		heap_remove(t->loop, t);
	else if (t->where == TIMER_DUE)
		TAILQ_REMOVE(&t->loop->due, t, due);
	t->where = TIMER_IDLE;
}

struct loop_timer *loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *t;

	if (heap_reserve(l))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	LIST_INSERT_HEAD(&l->timers, t, link);
	l->ntimers++;
	return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_ns)
{
	timer_idle(t);
	t->at = at_ns;
	if (at_ns)
		heap_insert(t->loop, t);
}

void loop_timer_del(struct loop_timer *t)
{
	if (!t)
		return;
	timer_idle(t);
	LIST_REMOVE(t, link);
	t->loop->ntimers--;
	free(t);
}

static int timers_arm(struct loop *l)
{
	uint64_t at = l->heap_len ? l->heap[0]->at : 0;
	struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(at / NSEC_PER_SEC),
			      .tv_nsec = (long)(at % NSEC_PER_SEC) },
	};

	if (at == l->armed)
		return 0;
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL))
		return -errno;
	l->armed = at;
	return 0;
}

static void timers_run(struct loop *l)
{
	uint64_t now = clock_now(), expirations;
	struct loop_timer *t;

	/* reading takes the readiness away; the timerfd is one-shot, hence idle now */
	if (read(l->timer_fd, &expirations, sizeof(expirations)) > 0)
		l->armed = 0;
	while (l->heap_len && l->heap[0]->at <= now) {
		t = l->heap[0];
		heap_remove(l, t);
		t->where = TIMER_DUE;
		TAILQ_INSERT_TAIL(&l->due, t, due);
	}
	while ((t = TAILQ_FIRST(&l->due))) {
		timer_idle(t);
		t->fn(t->arg, now); /* may free t */
	}
}

/* ---- descriptors */

static void dead_free(struct loop *l)
{
	struct loop_fd *f;

	while ((f = LIST_FIRST(&l->dead))) {
		LIST_REMOVE(f, link);
		free(f);
	}
}

struct loop_fd *loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct epoll_event e = { .events = events };
	struct loop_fd *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->loop = l;
	f->fd = fd;
	f->fn = fn;
	f->arg = arg;
	e.data.ptr = f;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		free(f);
		return NULL;
	}
	LIST_INSERT_HEAD(&l->fds, f, link);
	return f;
}

void loop_fd_events(struct loop_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };

	epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_MOD, f->fd, &e);
}

void loop_fd_del(struct loop_fd *f)
{
	if (!f)
		return;
	assert(!f->dead);
	/* fails when the owner closed it first, which took it out of the set as well */
	epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	f->dead = true;
	LIST_REMOVE(f, link);
	LIST_INSERT_HEAD(&f->loop->dead, f, link);
}

/* ---- the loop */

struct loop *loop_create(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	TAILQ_INIT(&l->due);
	l->most = LOOP_BATCH;
	l->timer_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		goto fail;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer_fd < 0)
		goto fail;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &e)) /* data.ptr NULL: the timers */
		goto fail;
	return l;
fail:
	loop_destroy(l);
	return NULL;
}

void loop_destroy(struct loop *l)
{
	int saved_errno = errno;

	if (!l)
		return;
	loop_fd_del(l->within);
	while (!LIST_EMPTY(&l->fds))
		loop_fd_del(LIST_FIRST(&l->fds));
	dead_free(l);
	while (!LIST_EMPTY(&l->timers))
		loop_timer_del(LIST_FIRST(&l->timers));
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->heap);
	free(l);
	errno = saved_errno;
}

static void batch_run(struct loop *l, const struct epoll_event *events, int n)
{
	bool timers = false;

	for (int i = 0; i < n; i++) {
		struct loop_fd *f = events[i].data.ptr;

		if (!f)
			timers = true;
		else if (!f->dead)
			f->fn(f->arg, f->fd, events[i].events);
	}
	/* last, so that a timeout loses against the answer that came in the same turn */
	if (timers)
		timers_run(l);
	dead_free(l);
}

/* The kernel hands out the ready ones in turn, so none waits for ever. */
static void on_nested(void *arg, int fd, uint32_t ready)
{
	struct epoll_event events[LOOP_BATCH];
	struct loop *l = arg;

	(void)ready;
	batch_run(l, events, epoll_wait(fd, events, (int)l->most, 0));
}

int loop_nest(struct loop *outer, unsigned most, struct loop **out)
{
	struct loop *l = loop_create();

	if (!l)
		return -errno;
	l->most = most < LOOP_BATCH ? most : LOOP_BATCH;
	l->within = loop_fd_add(outer, l->epoll_fd, EPOLLIN, on_nested, l);
	if (!l->within) {
		loop_destroy(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

int loop_run(struct loop *l)
{
	struct epoll_event events[LOOP_BATCH];
	int err = 0;

	while (!l->stop) {
		int n;

		err = timers_arm(l);
		if (err)
			break;
		n = epoll_wait(l->epoll_fd, events, (int)l->most, -1);
		if (n < 0 && errno != EINTR) {
			err = -errno;
			break;
		}
		batch_run(l, events, n);
	}
	l->stop = false;
	return err;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
