/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What we tell systemd (sd_notify(3)); does nothing when nobody listens. [control] */
#ifndef SYSTEMD_NOTIFY_H
#define SYSTEMD_NOTIFY_H

#include <stdint.h>

void notify_ready(const char *status); /* READY=1 with STATUS= */
void notify_status(const char *status);
void notify_reloading(void); /* RELOADING=1 with MONOTONIC_USEC= */
void notify_stopping(const char *status);
void notify_watchdog(void); /* WATCHDOG=1: only if every worker moved */
uint64_t notify_watchdog_interval_ns(
	void); /* how often to feed it (half of WATCHDOG_USEC), 0: never */

#endif
