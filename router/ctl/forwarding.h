/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces that Linux is to forward from, when we do not: settings of Linux, one interface at a
 * time, and what they were before.
 *
 * IPv4 knows `forwarding` of the interface a packet comes in by, whatever ip_forward says. IPv6
 * knows `force_forwarding` (Linux 6.17); its own `forwarding` is not what decides, but makes a
 * router of the host, which then forgets its default routes from advertisements. Before 6.17 only
 * net.ipv6.conf.all.forwarding helps, and that is the operator's to set.
 *
 * What was before stands in a file, a line an interface, so that whoever ends our work (this
 * process, the next one after a kill, `router --cleanup`) can put it back. [control]
 */
#ifndef ROUTER_CTL_FORWARDING_H
#define ROUTER_CTL_FORWARDING_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define FORWARDING_WHY 256

struct forwarding;

/* Begins with what the file of an earlier process says. 0 or -ENOMEM. */
int forwarding_create(const char *path, struct forwarding **out);
void forwarding_destroy(struct forwarding *f); /* changes nothing in Linux */

/* Linux forwards from this interface, from now on. 0; -errno: not both families,
 * why[FORWARDING_WHY] tells the setting and what the operator can do. -ENOTSUP: only IPv6 lacks it,
 * as it does before Linux 6.17. Idempotent, and cheap. */
int forwarding_on(struct forwarding *f, const char *netdev, char *why);
/* As it was before. Nothing, if we have changed nothing. */
void forwarding_off(struct forwarding *f, const char *netdev);
/* The same of all interfaces for which keep() says no; keep NULL: of all. How many there were. */
unsigned forwarding_sweep(struct forwarding *f, bool (*keep)(void *arg, const char *netdev),
			  void *arg);

/* A setting of Linux: "ipv4/conf/lan0/rp_filter" below /proc/sys/net. A number, or -errno. */
int forwarding_setting(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line of the file; for tests. False: not one. */
bool forwarding_parse(const char *line, char netdev[IFNAMSIZ], int was[2]);

#endif
