/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between worker.c, the loop, and worker_shape.c, what of a turn shapes. [worker] */
#ifndef ROUTER_WORKER_INTERNAL_H
#define ROUTER_WORKER_INTERNAL_H

#include <stddef.h>

#include "router/worker.h"

static inline struct worker *worker_of(struct dp *dp)
{
	return (struct worker *)((uint8_t *)dp - offsetof(struct worker, dp));
}

/* ---- worker.c */
/* Hand what is in out[] to the ports. */
void worker_flush(struct dp *dp);

/* ---- worker_shape.c */
/* What shapes, for this turn. */
void worker_shape_see(struct worker *w);
/* With dp->qos only. A turn begins; its packets have been received: our trees give what may leave
 * by now, and those of others are rung if they got something. Sets w->shape_at. */
void worker_shape_begin(struct worker *w, const struct worker_ports *ports);
void worker_shape(struct worker *w);
/* What has left the ifb of a port goes on, before packets of another port are taken. */
void worker_shape_resume(struct worker *w, unsigned port);
/* Something was handed to a tree of ours since we last ran it. */
bool worker_shape_has_news(const struct worker *w);
/* A tree gives its next packet sooner than a sleep would take. */
bool worker_shape_is_due(const struct worker *w, uint64_t now);

#endif
