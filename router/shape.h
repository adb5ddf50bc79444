/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shaping in the packet path: where packets meet filters and trees of qdiscs. [worker]
 *
 *	received -> (filters of ingress, the port's ifb tree) -> routed, translated, filtered
 *	-> emit() -> filters of the egress tree, or the class that the flow remembers
 *	-> the tree, if this worker owns it; else a ring to the worker that does
 *	-> shaper_run(): what may leave by now -> out[port]
 *
 * A port with nothing to shape costs one test of a bit.
 */
#ifndef ROUTER_SHAPE_H
#define ROUTER_SHAPE_H

#include "router/net/dp.h"
#include "router/net/flow.h"

struct shaper;
struct tc_filters;
struct tc_packet;

#define SHAPE_REDIRECTS 4 /* redirections and mirrors of one packet in a row */

/* What a flow's packets are filed under, by direction; beside the record, under the same index.
 * Written by the worker that receives the direction. */
struct flow_class {
	uint32_t cls[2];  /* shape.c packs it: port and class; 0: filters are to be asked */
	uint32_t mark[2]; /* of its packets, as rules have left it */
};
static_assert(sizeof(struct flow_class) == 16, "four to a line");

/* Everything that shapes, published by control as one whole and replaced under RCU; but shapers
 * live on. */
struct qos {
	uint64_t shaped;  /* bits of ports where something stands at the way out */
	uint64_t ingress; /* of ports where something stands at the way in */
	uint64_t whole;	  /* of ports whose frames come whole: nothing of them is Linux's */
	struct qpkt *qpkt;
	struct flow_class *flow_class; /* NULL: there are no flows */
	struct qos_port {
		struct tc_filters *out, *in;
		struct shaper *egress, *ifb;
	} port[PORTS_MAX];
	unsigned nshapers;
	struct shaper *shaper[2 * PORTS_MAX];
};

/* A packet with its link header in front goes by this interface; len: without padding, which is
 * there. Takes the packet. */
void shape_emit(struct dp *dp, struct pkt *p, uint16_t iface, unsigned port, uint8_t *frame,
		uint32_t len);

/* A parsed packet of dp->rx_port. False: it has been taken. */
bool shape_ingress(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t len);
/* Frames of a port that gives all it receives. Returns how many are left, from the front. */
unsigned shape_whole(struct dp *dp, struct dp_frame *frames, unsigned n);

/* [worker, any] What filters see of a packet, whose x->frame, len and l3 are set: all else that
 * goes in. `out`: the name of the interface it leaves by; 0: it is coming in, or was not routed. */
void shape_view(const struct dp *dp, struct pkt *p, uint16_t out, struct tc_packet *x);
/* [worker, any] A frame of any kind. True: it has an IP header behind at most two VLAN tags, whose
 * lengths fit; p is as parsing has it, but for the interface. */
bool shape_parse(uint8_t *frame, uint32_t len, struct pkt *p);
/* [any] Which class packets of a flow's direction, as struct pkt has it, are filed under at a port.
 * False: filters are to be asked. */
bool shape_remembers(const struct qos *qos, uint32_t flow, unsigned port, uint32_t *cls);

/* What shape_emit() will read of a packet, fetched into the cache: of the flow it was found under.
 */
static inline void shape_prefetch(const struct dp *dp, uint32_t index)
{
	if (dp->qos->flow_class && index != FLOW_NONE)
		__builtin_prefetch(&dp->qos->flow_class[index], 1);
}

/* Copy these bytes and send them by a port. */
void shape_mirror(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len);

/* The rules have judged a flow's direction anew: what it was filed under is open again. */
static inline void shape_judged(const struct qos *qos, uint32_t index, unsigned dir, uint32_t mark)
{
	struct flow_class *c;

	if (!qos || !qos->flow_class)
		return;
	c = &qos->flow_class[index];
	c->cls[dir] = 0;
	c->mark[dir] = mark;
}

/* A packet's flow as struct pkt carries it. */
static inline uint32_t shape_flow(uint32_t index, unsigned dir)
{
	return index | (uint32_t)dir << 31;
}

#endif
