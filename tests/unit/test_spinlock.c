/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks whose holder is put aside by who waits for it: a thread with real-time priority on the
 * holder's own core gets the lock in time all the same.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "router/lib/clock.h"
#include "router/lib/spinlock.h"

#define ROUNDS 20

static uint32_t lock;
static uint64_t worst;
static bool wanted; /* the holder has the lock: now is the time */

static void only_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(set), &set), 0);
}

static void *waiter(void *arg)
{
	const struct timespec moment = { .tv_nsec = 100000 };

	only_cpu(*(int *)arg);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t began;

		while (!__atomic_load_n(&wanted, __ATOMIC_ACQUIRE))
			nanosleep(&moment, NULL);
		began = clock_now();
		spin_lock(&lock);
		if (clock_now() - began > worst)
			worst = clock_now() - began;
		__atomic_store_n(&wanted, false, __ATOMIC_RELEASE);
		spin_unlock(&lock);
	}
	return NULL;
}

/* Holds the lock for a millisecond of its own, so that the waiter comes into the middle of it. */
static void hold(void)
{
	uint64_t until;

	spin_lock(&lock);
	__atomic_store_n(&wanted, true, __ATOMIC_RELEASE);
	until = clock_now() + NSEC_PER_MSEC;
	while (clock_now() < until) {
	}
	spin_unlock(&lock);
	while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE)) {
	}
}

static void test_put_aside(void **state)
{
	struct sched_param priority = { .sched_priority = 1 };
	int cpu = sched_getcpu();
	pthread_attr_t attr;
	pthread_t thread;

	(void)state;
	only_cpu(cpu);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &priority);
	if (pthread_create(&thread, &attr, waiter, &cpu) == EPERM)
		skip();
	for (unsigned i = 0; i < ROUNDS; i++)
		hold();
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	assert_in_range(worst, 0, 300 * NSEC_PER_MSEC); /* without: until Linux steps in, 950 ms */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_put_aside) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
