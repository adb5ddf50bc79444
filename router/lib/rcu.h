/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RCU as this router uses it: liburcu's QSBR. Workers are readers all the time, except at one point
 * of their loop and while they sleep; control replaces a pointer, waits for every worker to pass
 * that point, and frees.
 *
 * ThreadSanitizer cannot see the ordering that liburcu makes with barriers of its own, so it is
 * told here. It is told no more than what a grace period gives: what readers did before their last
 * quiescent report happened before what follows rcu_wait().
 */
#ifndef ROUTER_LIB_RCU_H
#define ROUTER_LIB_RCU_H

/* Nor that what liburcu inlines here touches its own variables by volatile, on purpose: call it. */
#if defined(__SANITIZE_THREAD__) && defined(_LGPL_SOURCE)
#undef _LGPL_SOURCE
#endif
#include <urcu-qsbr.h>

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char rcu_grace; /* any address of its own */
#define rcu_tell(what) what(&rcu_grace)
#else
#define rcu_tell(what) ((void)0)
#endif

/* A reader holds nothing it got before this. [worker] */
static inline void rcu_quiet(void)
{
	rcu_tell(__tsan_release);
	rcu_quiescent_state();
}

/* A reader holds nothing between these two, and need not be waited for. [worker] */
static inline void rcu_sleep(void)
{
	rcu_tell(__tsan_release);
	rcu_thread_offline();
}
static inline void rcu_awake(void)
{
	rcu_thread_online();
}

/* Every reader has passed a quiet point since this was called. Milliseconds at worst. [control] */
static inline void rcu_wait(void)
{
	synchronize_rcu();
	rcu_tell(__tsan_acquire);
}

#endif
