/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shaping as the daemon has it: what qos_build.h makes follows the configuration and the ports.
 * [control] */
#ifndef ROUTER_QOS_H
#define ROUTER_QOS_H

#include "router/qos_build.h"

struct router;

/* Can c be built? 0; -EINVAL or -ENOMEM with why[size]. Nothing is changed. The sets of c stand
 * already. */
int qos_check(struct router *r, const struct conf *c, char *why, size_t size);
/* Make what workers see follow r->conf and its ports. What cannot be is logged, and what runs
 * stays. The configuration that was (NULL: the same) must be there until then, and is freed by this
 * when nothing refers to it any more. */
void qos_follow(struct router *r, struct conf *was);
/* Ports were opened. */
void qos_ports_moved(const struct router *r);
/* At the end, when no worker runs. */
void qos_stop(struct router *r);

/* [any command] The tree of a port and what it was made from; NULL: it has none. `which`:
 * QOS_EGRESS, QOS_IFB. */
const struct shaper *qos_shaper(const struct router *r, unsigned port, unsigned which);
const struct conf_tree *qos_conf(const struct router *r, unsigned port, unsigned which);
/* Packets that wait in all trees, and on the way to them. */
uint32_t qos_held(const struct router *r);

#endif
