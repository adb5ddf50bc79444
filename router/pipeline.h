/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE order of the packet path. [worker] */
#ifndef ROUTER_PIPELINE_H
#define ROUTER_PIPELINE_H

#include "router/net/dp.h"

/* n <= BURST frames received on dp->rx_port: each ends in dp->out[], in the hold queue, or freed
 * and counted. Who received them counts that, when all is done. */
void pipeline_run(struct dp *dp, const struct dp_frame *frames, unsigned n);

/* Frames received on dp->rx_port before, that have waited in the port's tree since: the rest of
 * their way. It is parsed again, but has the mark that filters gave it: `options`. */
void pipeline_resume(struct dp *dp, const struct dp_frame *frames, unsigned n);

/* Packets that wait for a neighbour: send, keep or give up. Cheap when dp->nheld is 0. */
void pipeline_held(struct dp *dp);

#endif
