/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to flows, told to whoever monitors: a ring a worker, drained by control; full, an
 * event is lost and counted. Without listeners nothing is written. */
#ifndef ROUTER_NET_CT_EVENT_H
#define ROUTER_NET_CT_EVENT_H

#include "router/lib/spsc.h"
#include "router/net/flow.h"

enum ct_event_kind { CT_EVENT_NEW, CT_EVENT_UPDATE, CT_EVENT_ASSURED, CT_EVENT_DESTROY };

struct ct_event {
	uint8_t kind;
	uint8_t reserved[3];
	uint32_t state, mark, left; /* FLOW_*; ticks to live */
	uint64_t now;		    /* CLOCK_MONOTONIC, ns */
	struct flow_key orig, reply;
	uint64_t packets[2], bytes[2];
};

#define CT_EVENTS 8192

struct ct_events {
	struct spsc ring; /* of struct ct_event */
	uint64_t lost;
};

/* [any] What the record says now; kind and now are left as they are. The index as flow_kill() wants
 * it. */
void ct_event_copy(const struct flow_table *t, uint32_t index, uint32_t tick, struct ct_event *out);

/* [worker] Copies the record. */
void ct_event_put(struct ct_events *e, const struct flow_table *t, uint32_t index,
		  enum ct_event_kind kind, uint32_t tick, uint64_t now);

#endif
