/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heartbeats: on ports with `on-failure: pass` a worker notes now and then that it serves a queue,
 * where the XDP program looks (xsk/steer.h). When it has not for 100 ms, dead or hung, Linux gets
 * the queue's packets; so it is the worker itself that must do it, and asleep it wakes up for it.
 * Where no port wants that, nothing of this happens. [worker]
 */
#ifndef ROUTER_BEAT_H
#define ROUTER_BEAT_H

#include "router/lib/clock.h"
#include "router/worker.h"

#define BEAT_EVERY    (10 * NSEC_PER_MSEC)
#define BEAT_SLEEP_NS (40 * NSEC_PER_MSEC) /* asleep; leaves 60 ms to be late */

/* The queues of ports->rx that want one have been looked after at `now`; w->beat_at. Notices, too,
 * when that was late: then control is rung, and none is written before it answers. */
void beat_all(struct worker *w, const struct worker_ports *ports, uint64_t now);

/* Every turn, before packets are taken. */
static inline void beat(struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	if (ports->beats && (now - w->beat_at >= BEAT_EVERY || w->beat_of != ports))
		beat_all(w, ports, now);
}

/* [any] Does the worker wait for control? [control] It may go on. */
static inline bool worker_waits(const struct worker *w)
{
	return counter_read(&w->lapses) != __atomic_load_n(&w->went_on, __ATOMIC_ACQUIRE);
}

/* [control] It does: at start, until all ports are open, so that they come to us together. */
static inline void worker_hold(struct worker *w)
{
	__atomic_store_n(&w->went_on, UINT64_MAX, __ATOMIC_RELEASE);
}

static inline void worker_go_on(struct worker *w)
{
	__atomic_store_n(&w->went_on, counter_read(&w->lapses), __ATOMIC_RELEASE);
	worker_wake(w);
}

/* How long a worker may sleep that would for so long. */
static inline uint64_t beat_sleep_ns(const struct worker_ports *ports, uint64_t ns)
{
	return ports && ports->beats && ns > BEAT_SLEEP_NS ? BEAT_SLEEP_NS : ns;
}

#endif
