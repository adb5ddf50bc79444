/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread's event loop: epoll, timers, signals. One loop, one thread. [control] */
#ifndef ROUTER_LIB_LOOP_H
#define ROUTER_LIB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_fd;
struct loop_timer;

/* events: EPOLLIN, EPOLLOUT ... as epoll_wait(2) gave them. A callback may delete its own and any
 * other descriptor or timer: nothing deleted is called again. */
typedef void loop_fd_fn(void *arg, int fd, uint32_t events);
typedef void loop_timer_fn(void *arg, uint64_t now_ns);

struct loop *loop_create(void); /* NULL: errno */
void loop_destroy(struct loop *l);
int loop_run(struct loop *l); /* until loop_stop(); 0 or -errno */
/* A loop for descriptors only that outer runs, `most` callbacks of it a turn, however many of its
 * descriptors are ready: each gets its turn, and the outer loop's others wait no longer than that.
 * To be destroyed before outer. 0 or -errno. */
int loop_nest(struct loop *outer, unsigned most, struct loop **out);
void loop_stop(struct loop *l);

struct loop_fd *loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg);
void loop_fd_events(struct loop_fd *f, uint32_t events);
void loop_fd_del(struct loop_fd *f); /* does not close the descriptor; NULL is fine */

/* A timer is idle until loop_timer_set. at_ns: CLOCK_MONOTONIC; 0 stops it. */
struct loop_timer *loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t at_ns);
void loop_timer_del(struct loop_timer *t); /* NULL is fine */

#endif
