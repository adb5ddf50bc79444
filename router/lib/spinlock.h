/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lock for a few dozen instructions, in memory that may be shared: 32 bits, 0 when free. [any]
 *
 * Who holds one may have been put aside in favour of the very thread that waits for it: workers
 * wake with real-time priority (router/worker.c), and control has none. So who has waited for
 * longer than any holder that runs would take, sleeps a moment. It is the one system call that the
 * packet path may make, and it makes it instead of standing still.
 */
#ifndef ROUTER_LIB_SPINLOCK_H
#define ROUTER_LIB_SPINLOCK_H

#include <stdint.h>
#include <time.h>

#define SPIN_TURNS 1024u /* some 30 us */

static inline void spin_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* One turn of a loop that waits for another thread. *turns is 0 at first. */
static inline void spin_wait(unsigned *turns)
{
	const struct timespec moment = { .tv_nsec = 20000 };

	if (++*turns % SPIN_TURNS)
		spin_pause();
	else
		nanosleep(&moment, NULL);
}

static inline void spin_lock(uint32_t *lock)
{
	unsigned turns = 0;

	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			spin_wait(&turns);
}

static inline void spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
