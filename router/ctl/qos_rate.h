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

void qos_rate_upkeep(struct router *r, uint64_t now); /* once a second; ns */
void qos_rate_fini(struct router *r);

/* Bytes a second of a class, or, cl NULL, of the whole tree. place: of qos_list.h. False: it has
 * not been looked at twice yet. */
bool qos_rate(const struct router *r, unsigned place, const struct qclass *cl, uint64_t *out);

#endif
