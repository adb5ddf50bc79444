/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking, NAT and filters of the running daemon: made from a configuration, replaced
 * under RCU, kept going.
 *
 * The tables (flows, fragments, NAT's ports, sets, limits) are made when a configuration first asks
 * for them, and stay. A policy is built beside the running one and published with one store a
 * worker; flows judged under another generation are judged again at their next packet. [control]
 */
#ifndef ROUTER_STATEFUL_H
#define ROUTER_STATEFUL_H

#include "router/router.h"

/* Before the first of these. name: of this daemon among those of its namespace. 0 or -errno. */
int stateful_start(struct router *r, const char *name);

/* Build what c wants; nothing of the running router changes. 0 with *out (NULL: nothing is
 * stateful); -errno with why. Then one of: */
int stateful_build(struct router *r, const struct conf *c, struct policy **out, char *why,
		   size_t size);
void stateful_publish(struct router *r, struct policy *p);
/* Chains of Linux's own traffic follow r->conf. */
void stateful_apply(struct router *r);
void stateful_forget(struct router *r, struct policy *p); /* c was refused for another reason:
							     r->conf stays */

/* Rules look at something that moved: every flow is judged at its next packet. */
void stateful_judge_again(struct router *r);
/* Sets that left the file are looked at by nobody any more. */
void stateful_sweep(struct router *r);

/* The router's addresses changed: masquerade follows. Cheap if they did not. */
void stateful_follow(struct router *r);
/* A grace period for flows that are gone, memory back to Linux, sets that changed, limits that were
 * reached: often. */
void stateful_upkeep(struct router *r, uint64_t now);
/* Is there anything stateful_upkeep() would have to do soon? */
bool stateful_busy(const struct router *r);
/* Workers are gone. */
void stateful_stop(struct router *r);

/* state.name_id */
uint16_t stateful_name_id(void *router, const struct link *l);

#endif
