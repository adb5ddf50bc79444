/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we tell systemd: datagrams to the socket that $NOTIFY_SOCKET names, by sd_notify(3).
 *
 * Life-cycle: starting -> notify_ready() -> any number of notify_status(), notify_watchdog() and
 * pairs of notify_reloading() and notify_ready() -> notify_stopping(). Started by hand, without the
 * variable, all of it does nothing. A message that cannot be sent is not worth a router: errors are
 * not reported. [control]
 */
#include "systemd/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <systemd/sd-daemon.h>

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

/* The time lets systemd tell this reload's READY=1 from one that was under way already. */
void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_stopping(const char *status)
{
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

/* Not for us when $WATCHDOG_PID names another process: sd_watchdog_enabled() looks. */
uint64_t notify_watchdog_interval_ns(void)
{
	uint64_t usec;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return usec * 1000 / 2;
}
