/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE order of the packet path. [worker] */
#ifndef ROUTER_PIPELINE_H
#define ROUTER_PIPELINE_H

#include "router/net/dp.h"

/* n <= BURST frames received on dp->rx_port: each ends in dp->out[], in the hold queue, or freed
 * and counted. */
void pipeline_run(struct dp *dp, const struct dp_frame *frames, unsigned n);

/* Packets that wait for a neighbour: send, keep or give up. Cheap when dp->nheld is 0. */
void pipeline_held(struct dp *dp);

#endif
