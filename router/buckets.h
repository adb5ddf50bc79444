/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock of resilient groups: calls state_buckets_upkeep() when struct state says that it is
 * due, and not at all without such groups. [control]
 */
#ifndef ROUTER_BUCKETS_H
#define ROUTER_BUCKETS_H

struct router;

/* With the state and the loop, before Linux is asked for anything. 0 or -ENOMEM. */
int buckets_start(struct router *r);
void buckets_stop(struct router *r); /* before the state ends */

#endif
