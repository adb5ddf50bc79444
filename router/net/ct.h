/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking: what a packet is to the flow table (ct_key.c), and what it does to its flow
 * (ct.c). [worker]
 */
#ifndef ROUTER_NET_CT_H
#define ROUTER_NET_CT_H

#include "router/net/dp.h"
#include "router/net/flow.h"
#include "router/net/tcp.h"

/* Settings, part of struct policy. Timeouts in ticks. */
struct ct_options {
	struct tcp_options tcp;
	struct tcp_timeouts tcp_timeouts;
	uint32_t udp, udp_stream, icmp, gre, gre_stream, sctp, sctp_established, generic;
	bool checksum;	       /* bad transport checksums are invalid (requirement C8) */
	bool outbound_refresh; /* only what goes out keeps a flow alive (U6a) */
};

#define CT_UDP_STREAM_AGE 8u /* ticks: answered for two seconds, UDP is a stream */

enum ct_class {
	CT_FLOW,      /* *key is its tuple */
	CT_ERROR,     /* an ICMP error: *key is the tuple of the quoted packet */
	CT_UNTRACKED, /* neighbour discovery, MLD */
	CT_INVALID,
};

/* Which flow a whole packet or first fragment belongs to. p->l4 and p->proto are set. *quoted: of
 * an error, offset of the quoted IP header. *key is set for CT_FLOW and CT_ERROR only. */
enum ct_class ct_classify(struct pkt *p, uint16_t zone, struct flow_key *key, uint16_t *quoted);

/* The tuple that answers to `orig` come with: source and target change places, and of an ICMP query
 * the id stays and the type becomes its answer's. Its own inverse: also the request of an answer.
 * (flow_key_reverse() would take the id for a source port and swap it with the type.) */
void ct_reply_key(const struct flow_key *orig, struct flow_key *reply);

/* May this packet begin a flow? */
bool ct_may_begin(const struct ct_options *o, const struct pkt *p);
/* It does: sets up the private record. False: invalid. *timeout in ticks. */
bool ct_first(const struct ct_options *o, struct flow_table *t, uint32_t index, const struct pkt *p,
	      uint32_t *timeout);

/* A flow that began elsewhere, its private record: takes over what of state is of a state word.
 * Returns its timeout in ticks. */
uint32_t ct_taken(const struct ct_options *o, struct flow *f, uint32_t state);

enum ct_verdict {
	CT_PASS,    /* touch the flow with *timeout, forward */
	CT_PASS_BY, /* forward, do not touch */
	CT_REOPEN,  /* forget the record: this begins a new flow */
	CT_REFUSE,  /* invalid */
};
/* A packet of a flow that exists. */
enum ct_verdict ct_track(const struct ct_options *o, struct flow *f, enum flow_dir dir,
			 struct flow_half *own, struct flow_half *peer, const struct pkt *p,
			 uint32_t tick, uint32_t *timeout);

/* A later fragment of direction `own`: of TCP the first has told how much it holds, not how much
 * its datagram does. base: of its datagram (frag.h). */
void ct_fragment(struct flow_half *own, const struct pkt *p, uint32_t base);

/* The direction that goes out: but for what a mapping let in, that of the originator. */
static inline enum flow_dir ct_outbound(uint32_t state)
{
	return state & FLOW_MAPPED ? FLOW_REPLY : FLOW_ORIG;
}

/* Are the transport checksums right? Of a whole packet. */
bool ct_checksum_ok(const struct pkt *p);

#endif
