/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of `explain`, shared by explain.c (what happens to a packet, in order),
 * explain_known.c (packets of flows there are) and explain_step.c (the steps, and how they are
 * told). Nobody else includes this. [control]
 *
 * An imaginary packet is judged by the functions that judge real ones, over the tables that the
 * workers use, but with a struct dp of its own: what is counted there is counted for nobody. The
 * functions that would change something shared are not called, or are told that it is a dry run
 * (struct match_packet.dry). Steps that return a bool say whether the packet goes on; where it does
 * not, its verdict has been told.
 */
#ifndef ROUTER_CTL_EXPLAIN_INTERNAL_H
#define ROUTER_CTL_EXPLAIN_INTERNAL_H

#include "router/ctl/command.h"
#include "router/ctl/explain_parse.h"
#include "router/net/hooks.h"
#include "router/router.h"

#define EXPLAIN_ENDPOINT_STRLEN (ADDR_STRLEN + 8)

struct explain {
	const struct router *r;
	struct command_ctx *c;
	const struct dp_iface *in;
	struct explain_packet packet;
	struct pkt p;
	struct passage g;
	bool dnat, snat;	  /* a step of that has been told */
	struct dp dp;		  /* of no worker */
	struct dp_counters count; /* of nobody */
	uint8_t frame[EXPLAIN_FRAME_MAX];
};

/* ---- explain_step.c */

/* A line. `rule`, `line`, `file` may be set in it. */
struct row *explain_step(struct explain *e, const char *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The last line. */
void explain_drop(struct explain *e, enum drop_reason why);
void explain_to_linux(struct explain *e, const char *why);
void explain_filtered(struct explain *e);

/* An interface as the configuration calls it. */
const char *explain_iface(const struct explain *e, uint16_t index);
/* "10.0.0.5:1234", "[2001:db8::1]:80", without port where the protocol has none. Returns buf. */
char *explain_endpoint(const struct flow_key *k, const uint8_t addr[16], uint16_t port,
		       char buf[EXPLAIN_ENDPOINT_STRLEN]);

/* e->p as it arrives: parsed from a frame made of e->packet. False: dropped. */
bool explain_arrive(struct explain *e);

/* Begins the passage through the filter's stages; runs one. */
void explain_begin(struct explain *e, const struct flow_key *key, uint8_t ct);
bool explain_stage(struct explain *e, enum filter_stage stage);

/* The next hop of packets to `to`, which may be told a reason for. */
uint32_t explain_route(struct explain *e, const struct flow_key *to);
/* One that is known. */
void explain_route_known(struct explain *e, const struct flow_key *to, uint32_t slot);
/* The number of the interface's name that rules know the way out by. */
uint16_t explain_out_name(const struct explain *e, uint32_t slot);
/* Would the packet be sent on? Asked before a flow is made. */
bool explain_would_leave(struct explain *e, const struct flow_key *to, uint32_t slot);
/* The end of the way: out, and the verdict. */
void explain_leave(struct explain *e, const struct flow_key *to, uint32_t slot);

/* ---- explain.c */

/* What belongs to no connection; translated: although the tuple is one of a flow with NAT. */
void explain_invalid(struct explain *e, const struct flow_key *key, bool translated);
/* The first packet of a flow. */
void explain_new(struct explain *e, const struct flow_key *key);

/* ---- explain_known.c */
void explain_known(struct explain *e, const struct flow_key *key, uint32_t index,
		   enum flow_dir dir);

#endif
