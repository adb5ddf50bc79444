/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lock for a few dozen instructions, in memory that may be shared: 32 bits, 0 when free. [any] */
#ifndef ROUTER_LIB_SPINLOCK_H
#define ROUTER_LIB_SPINLOCK_H

#include <stdint.h>

static inline void spin_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static inline void spin_lock(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			spin_pause();
}

static inline void spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
