/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps NAT clear of the ports Linux uses on the same addresses. [control] */
#ifndef ROUTER_LINUX_PORTS_H
#define ROUTER_LINUX_PORTS_H

#include "router/router.h"

/* Look again: after a policy was published, and every few seconds. */
void linux_ports_follow(struct router *r);
/* At the end: Linux has its ports back. */
void linux_ports_stop(struct router *r);

#endif
