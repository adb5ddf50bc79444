/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of `explain`, shared by explain.c (what happens to a packet, in order),
 * explain_known.c (packets of flows there are), explain_qos.c and explain_tree.c (shaping) and
 * explain_step.c (the steps, and how they are told). Nobody else includes this. [control]
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

/* How a packet leaves, as far as known: what shaping must know beside the packet. */
struct explain_way {
	bool tracked; /* it is of a flow: these are known */
	uint8_t ct, status;
	struct flow_key arrives, leaves;
	uint32_t flow; /* that it was not judged anew: as struct pkt has it; else PKT_NO_FLOW */
	uint32_t mark;
	bool has_dscp;
	uint8_t dscp; /* that rules have set */
};

/* What shaping makes of a packet that leaves. */
struct explain_end {
	enum drop_reason drop; /* DROP__COUNT: it is not dropped */
	const char *iface;     /* it leaves by */
	bool redirected;
};

/* What a packet is filed under in a tree. */
struct explain_filed {
	uint32_t cls;	   /* index, or QCLASS_NONE */
	uint32_t priority; /* skb->priority */
	char why[48];	   /* on whose word */
};

struct explain {
	const struct router *r;
	struct command_ctx *c;
	const struct dp_iface *in;
	struct explain_packet packet;
	struct pkt p;
	uint32_t mark; /* with which it comes to the rules */
	struct passage g;
	struct explain_way way;
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
/* Of a frame that is not routed. */
void explain_gone(struct explain *e, const struct explain_end *end);

/* An interface as the configuration calls it. */
const char *explain_iface(const struct explain *e, uint16_t index);
/* "10.0.0.5:1234", "[2001:db8::1]:80", without port where the protocol has none. Returns buf. */
char *explain_endpoint(const struct flow_key *k, const uint8_t addr[16], uint16_t port,
		       char buf[EXPLAIN_ENDPOINT_STRLEN]);

/* e->frame, made of e->packet as it comes in. Returns its length. */
uint32_t explain_frame_in(struct explain *e);
/* e->p, parsed from e->frame. False: dropped. */
bool explain_take(struct explain *e, uint32_t len);
/* Both. */
bool explain_arrive(struct explain *e);

/* Begins the passage through the filter's stages; runs one. */
void explain_begin(struct explain *e, const struct flow_key *key, uint8_t ct);
bool explain_stage(struct explain *e, enum filter_stage stage);
/* All stages have let it pass: their mark and DSCP go along. */
void explain_judged(struct explain *e);

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

/* ---- explain_qos.c */

/* Filters where it comes in, and the tree behind them. False: it is told to its end. */
bool explain_ingress(struct explain *e);
/* Does its port give all it receives to the router? Then filters see it first, as it is. */
bool explain_is_whole(const struct explain *e);
bool explain_whole(struct explain *e);
/* What stands where a packet leaves for n. */
void explain_egress(struct explain *e, const struct nh *n, struct explain_end *end);

/* ---- explain_tree.c */
void explain_tree(struct explain *e, unsigned port, unsigned which, const struct explain_filed *f);

/* ---- explain_known.c */
void explain_known(struct explain *e, const struct flow_key *key, uint32_t index,
		   enum flow_dir dir);

#endif
