// SPDX-License-Identifier: GPL-2.0-or-later
/* What generator and sink both need: a CPU, an end, a clock, and the first lines of a report. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "tests/tools/pktgen/pktgen.h"

/* Pins the calling thread, and with it the threads it makes later. */
int pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static void stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

int stop_signals_block(void)
{
	sigset_t set;

	stop_signals(&set);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool stop_signal_wait(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
			      .tv_nsec = (long)(ns % NSEC_PER_SEC) };
	sigset_t set;

	stop_signals(&set);
	return sigtimedwait(&set, NULL, &t) > 0;
}

uint64_t clock_ns(int clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* n packets span n - 1 intervals. */
double report_pps(const struct report *r)
{
	return r->ns ? (double)(r->packets - 1) * 1e9 / (double)r->ns : 0;
}

void report_number(const char *name, uint64_t value, bool json)
{
	printf(json ? ",\"%s\":%" PRIu64 : "%-13s %" PRIu64 "\n", name, value);
}

/* Opens the report; its writer adds numbers, and to JSON the closing brace. */
void report_print(const struct report *r, bool json)
{
	double seconds = (double)r->ns / 1e9;

	printf(json ? "{\"seconds\":%.6f" : "seconds       %.6f\n", seconds);
	report_number("packets", r->packets, json);
	report_number("bytes", r->bytes, json);
	report_number("pps", (uint64_t)(report_pps(r) + 0.5), json);
}
