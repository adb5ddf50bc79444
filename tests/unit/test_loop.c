/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/lib/loop: order and deletion of timers and descriptors, also from callbacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/lib/clock.h"
#include "router/lib/loop.h"

#define TIMERS 500

struct probe {
	struct loop *loop;
	struct loop_timer *timer, *victim;
	struct loop_fd *fd, *other;
	uint64_t at;
	unsigned calls;
};

static uint64_t last_at;
static unsigned fired;

static int setup(void **state)
{
	*state = loop_create();
	last_at = 0;
	fired = 0;
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	loop_destroy(*state);
	return 0;
}

static void stop_cb(void *arg, uint64_t now)
{
	(void)now;
	loop_stop(arg);
}

static void ordered_cb(void *arg, uint64_t now)
{
	struct probe *p = arg;

	assert_true(p->at <= now);
	assert_true(p->at >= last_at);
	last_at = p->at;
	fired++;
	p->calls++;
}

static void timers_fire_in_order(void **state)
{
	struct loop *l = *state;
	struct loop_timer *end = loop_timer_add(l, stop_cb, l);
	uint64_t start = clock_now();
	struct probe p[TIMERS] = { 0 };

	srandom(1);
	for (unsigned i = 0; i < TIMERS; i++) {
		p[i].at = start + (uint64_t)(random() % 20000) * NSEC_PER_USEC;
		p[i].timer = loop_timer_add(l, ordered_cb, &p[i]);
		loop_timer_set(p[i].timer, start + 1);
	}
	for (unsigned i = 0; i < TIMERS; i++)
		loop_timer_set(p[i].timer, p[i].at); /* moved, not doubled */
	for (unsigned i = 0; i < TIMERS; i += 5)
		loop_timer_set(p[i].timer, 0);
	for (unsigned i = 1; i < TIMERS; i += 5)
		loop_timer_del(p[i].timer);
	loop_timer_set(end, start + 30 * NSEC_PER_MSEC);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(fired, TIMERS / 5 * 3);
	for (unsigned i = 0; i < TIMERS; i++)
		assert_int_equal(p[i].calls, i % 5 > 1);
}

static void delete_cb(void *arg, uint64_t now)
{
	struct probe *p = arg;

	(void)now;
	p->calls++;
	loop_timer_del(p->victim);
	loop_timer_del(p->timer);
}

/* Both are due in the same turn: whichever runs first deletes itself and the other. */
static void timer_deletes_itself_and_another(void **state)
{
	struct loop *l = *state;
	struct probe a = { 0 }, b = { 0 };
	struct loop_timer *end = loop_timer_add(l, stop_cb, l);
	uint64_t now = clock_now();

	a.timer = b.victim = loop_timer_add(l, delete_cb, &a);
	b.timer = a.victim = loop_timer_add(l, delete_cb, &b);
	loop_timer_set(a.timer, now - 2);
	loop_timer_set(b.timer, now - 1);
	loop_timer_set(end, now + NSEC_PER_MSEC);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
}

static void again_cb(void *arg, uint64_t now)
{
	struct probe *p = arg;

	(void)now;
	p->calls++;
	loop_timer_set(p->timer, 1); /* long past: due at once, for ever */
}

static void past_timer_starves_nobody(void **state)
{
	struct loop *l = *state;
	struct loop_timer *end = loop_timer_add(l, stop_cb, l);
	struct probe p = { .timer = loop_timer_add(l, again_cb, &p) };

	loop_timer_set(p.timer, 1);
	loop_timer_set(end, clock_now() + 2 * NSEC_PER_MSEC);
	assert_int_equal(loop_run(l), 0);
	assert_true(p.calls > 1);
}

static void count_cb(void *arg, uint64_t now)
{
	struct probe *p = arg;

	(void)now;
	p->calls++;
}

static void stop_fd_cb(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	loop_stop(arg);
}

/* An expired timerfd that nobody arms again must not keep the loop awake. */
static void expired_timer_does_not_spin(void **state)
{
	struct loop *l = *state;
	struct probe p = { .loop = l };
	struct loop_fd *f;
	struct timespec before, after;
	int pair[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	f = loop_fd_add(l, pair[0], EPOLLIN, stop_fd_cb, l);
	p.timer = loop_timer_add(l, count_cb, &p);
	loop_timer_set(p.timer, clock_now());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(100000);
		_exit(write(pair[1], "x", 1) != 1);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(loop_run(l), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_int_equal(p.calls, 1);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000l + after.tv_nsec - before.tv_nsec <
		    50000000l);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	loop_fd_del(f);
	close(pair[0]), close(pair[1]);
}

static void take_both_cb(void *arg, int fd, uint32_t events)
{
	struct probe *p = arg;

	(void)fd;
	assert_true(events & EPOLLIN);
	p->calls++;
	loop_fd_del(p->fd);
	loop_fd_del(p->other);
	loop_stop(p->loop);
}

/* Two descriptors are ready in one batch; the first callback deletes both. */
static void fd_deletes_itself_and_another(void **state)
{
	struct loop *l = *state;
	struct probe p = { .loop = l };
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	p.fd = loop_fd_add(l, a[0], EPOLLIN, take_both_cb, &p);
	p.other = loop_fd_add(l, b[0], EPOLLIN, take_both_cb, &p);
	assert_non_null(p.fd);
	assert_non_null(p.other);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.calls, 1);
	close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static void echo_cb(void *arg, int fd, uint32_t events)
{
	struct probe *p = arg;
	char byte;

	if (events & EPOLLOUT) { /* asked for by loop_fd_events below */
		loop_stop(p->loop);
		return;
	}
	assert_int_equal(read(fd, &byte, 1), 1);
	p->calls++;
	loop_fd_events(p->fd, EPOLLIN | EPOLLOUT);
}

static void events_can_be_changed(void **state)
{
	struct probe p = { .loop = *state };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	p.fd = loop_fd_add(*state, pair[0], EPOLLIN, echo_cb, &p);
	assert_int_equal(loop_run(*state), 0);
	assert_int_equal(p.calls, 1);
	loop_fd_del(p.fd);
	close(pair[0]), close(pair[1]);
}

/* ---- a loop within */

#define CROWD 50

static void crowd_cb(void *arg, int fd, uint32_t events)
{
	struct probe *p = arg;

	(void)fd;
	(void)events;
	p->calls++; /* and it stays ready */
}

static void meanwhile_cb(void *arg, int fd, uint32_t events)
{
	struct probe *p = arg;

	(void)fd;
	(void)events;
	if (++p->calls == 100)
		loop_stop(p->loop);
}

/* However many are ready in it: three get their turn for each one of the outer loop's. */
static void nested_loop_takes_turns(void **state)
{
	struct loop *inner = NULL;
	struct probe outer = { .loop = *state }, crowd[CROWD] = { 0 };
	unsigned sum = 0;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(loop_nest(*state, 3, &inner), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		int fd = dup(pair[0]);

		crowd[i].fd = loop_fd_add(inner, fd, EPOLLOUT, crowd_cb, &crowd[i]);
		assert_non_null(crowd[i].fd);
	}
	outer.fd = loop_fd_add(*state, pair[1], EPOLLOUT, meanwhile_cb, &outer);
	assert_int_equal(loop_run(*state), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_in_range(crowd[i].calls, 5, 7);
		sum += crowd[i].calls;
	}
	assert_in_range(sum, 3 * 99, 3 * 101);
	loop_destroy(inner); /* before the outer one */
	close(pair[0]);
	close(pair[1]);
}

static void misuse_is_an_error_or_nothing(void **state)
{
	assert_null(loop_fd_add(*state, -1, EPOLLIN, echo_cb, NULL));
	assert_int_equal(errno, EBADF);
	loop_fd_del(NULL);
	loop_timer_del(NULL);
	loop_stop(*state);
	assert_int_equal(loop_run(*state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_deletes_itself_and_another, setup, teardown),
		cmocka_unit_test_setup_teardown(past_timer_starves_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(expired_timer_does_not_spin, setup, teardown),
		cmocka_unit_test_setup_teardown(fd_deletes_itself_and_another, setup, teardown),
		cmocka_unit_test_setup_teardown(events_can_be_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(nested_loop_takes_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(misuse_is_an_error_or_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
