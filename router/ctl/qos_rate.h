/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What classes send now: control looks at their counters once a second, and the rate is what they
 * gained since the look before. [control]
 */
#ifndef ROUTER_CTL_QOS_RATE_H
#define ROUTER_CTL_QOS_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct router;
struct qclass;

/* Looks from now on; needs the loop. 0 or -ENOMEM. */
int qos_rate_start(struct router *r);
void qos_rate_stop(struct router *r);
/* One look; ns. What the loop does each second. */
void qos_rate_look(struct router *r, uint64_t now);

/* Bytes a second of a class, or, cl NULL, of the whole tree. place: of qos_list.h. False: it has
 * not been looked at twice yet. */
bool qos_rate(const struct router *r, unsigned place, const struct qclass *cl, uint64_t *out);

#endif
