/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow queues: what fair disciplines (fq_codel, sfq) divide their packets into.
 *
 * One pool and one hash for all qdiscs of a tree, from (qdisc, bucket) to a flow queue, so that ten
 * thousand idle leaves of 1,024 flows each cost nothing: a queue exists while it has packets, and
 * for as long after that as nobody else needs its place (an AQM remembers what it learned of a
 * flow). The pool is as large as the tree may hold packets, so a queue can always be had. [owner]
 */
#ifndef ROUTER_NET_QDISC_QFLOW_H
#define ROUTER_NET_QDISC_QFLOW_H

#include "router/net/qdisc/qdisc.h"

struct qflows;
/* [control] For so many packets at once. 0 or -ENOMEM. */
int qflows_create(uint32_t packets, struct qflows **out);
void qflows_destroy(struct qflows *f);

#endif
