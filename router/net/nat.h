/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT: which rule a new flow matches, what its other tuple becomes (nat.c), and the rewriting of
 * packets (nat_rewrite.c).
 *
 * Only a flow's first packet looks at rules. The choice is the reply tuple of its record; from then
 * on a packet of direction d leaves with the inverse of the tuple of the other direction.
 */
#ifndef ROUTER_NET_NAT_H
#define ROUTER_NET_NAT_H

#include "router/net/dp.h"
#include "router/net/flow.h"
#include "router/net/match.h"
#include "router/net/natport.h"

struct nat;

/* [control] Compiles nat.* of c->conf. Holds the slots of its outside addresses, reserves forwarded
 * ports; a forward of all ports (no dport, static) reserves those that no source rule may choose on
 * that address. local: the addresses of the router by interface (number of its name), for
 * masquerade, redirect and forwards without `address`; may be replaced later. 0 or -errno with why.
 */
struct nat_local {
	uint16_t iface; /* number of its name */
	struct addr addr;
};
int nat_build(const struct match_context *c, struct natports *ports, const struct nat_local *local,
	      unsigned nlocal, unsigned nworkers, struct nat **out, char *why, size_t size);
void nat_destroy(struct nat *n);
/* Counters of rules that are the same go on. [control] */
void nat_carry_over(struct nat *n, const struct nat *old);

bool nat_has_source(const struct nat *n);      /* is nat_source() of any use? */
bool nat_has_destination(const struct nat *n); /* nat_destination(): also for mappings alone */

/* Is this number, of nat_destination(), that of a rule of nat.destination? */
bool nat_is_forward(const struct nat *n, uint16_t rule);

enum nat_verdict {
	NAT_NONE,      /* no rule: unchanged */
	NAT_DONE,      /* *reply says what answers look like */
	NAT_LOCAL,     /* redirect: Linux's, but XDP has not left it there */
	NAT_EXHAUSTED, /* no port is free: drop, 3/13 (requirement I8) */
	NAT_REFUSED,   /* a mapping's filtering does not let it in */
};

/* What was claimed for a flow, to be given back with it; kept in the flow's record. */
struct nat_claim {
	uint16_t rule; /* number of the source rule; 0: none */
	uint16_t slot; /* NATPORT_NO_SLOT: no port is claimed */
	bool permit;   /* natmap_permit() was called */
};

/* What nat_destination() tells nat_source() of a packet whose destination it translated. */
struct nat_hairpin {
	struct addr outside; /* where it was sent to; family 0: it was not translated */
	uint16_t rule;	     /* the source rule for a sender inside (RFC 4787 REQ-9a); 0: none */
};

/* [worker] Destination NAT of a new flow: p->key becomes what it is after it: dst and dport; of an
 * ICMP query for a mapping, dst and the id in sport. *rule: the number of the rule, 0 for a
 * mapping. Destination rules come first, then static ones, then mappings of inside endpoints.
 * NAT_REFUSED: it is for an outside address, and nobody waits for it. */
enum nat_verdict nat_destination(const struct nat *n, struct match_packet *p, uint16_t *rule,
				 struct nat_hairpin *hairpin);
/* [worker] Source NAT of a new flow, whose packet is p after destination NAT and routing. *outside:
 * source and source port (network order; of a query its id) when it leaves. NAT_NONE: leaves as it
 * is, and nothing is written but the claim.
 *
 * attempt: 0. When flow_commit() then says FLOW_CLASH, the reply tuple is taken by a flow that was
 * not translated, or the like: give the claim back and ask again with 1, 2, ... and another
 * `random`: the flow gets a port of its own, neither the inside one nor that of a mapping (of
 * protocols without ports: the next address). A flow that matched no rule is never asked about
 * again: it must not be rewritten (requirement X7).
 *
 * [any] With p->dry these choose and claim nothing, and no rule counts it: *port is 0 where it
 * would be chosen by chance; the claim names the rule, also one that exempts from NAT. */
enum nat_verdict nat_source(const struct nat *n, struct match_packet *p,
			    const struct nat_hairpin *hairpin, unsigned attempt, uint64_t random,
			    struct addr *outside, uint16_t *port, struct nat_claim *claim);
/* [worker] The flow came to nothing, or is over. port: the outside one, host order; remote: whom
 * the flow was with after destination NAT, for natmap_permit(). Nothing is done without a slot. */
void nat_give_back(struct natports *ports, const struct nat_claim *claim, uint8_t proto,
		   uint16_t port, const struct addr *remote);

/* [worker] A flow that began at a mapping of ours counts on it, as those of its inside endpoint do:
 * the mapping shall not go while it lives. orig: the flow's tuple as it began. False: the mapping
 * has gone since nat_destination() saw it. */
bool nat_mapping_hold(struct natports *ports, const struct flow_key *orig);
void nat_mapping_done(struct natports *ports, const struct flow_key *orig);
/* [any] Where it began: an outside port of ours; of slot NATPORT_NO_SLOT: it did not. */
struct natport_outside nat_mapping_of(const struct natports *ports, const struct flow_key *orig);

/* [worker] Does a flow with a port of this slot leave by another interface than the one whose
 * address that is? Then it was masqueraded there, and answers to it would not come back by `out`.
 */
bool nat_moved(const struct nat *n, uint8_t family, uint16_t slot, uint16_t out);

struct nat_rule_info {
	const char *name, *kind,
		*file; /* "masquerade", "snat", "dnat", "static", "redirect", "none" */
	unsigned line;
	char match[256], target[128];
	const char *mapping, *filtering; /* "eim"..., or NULL */
	uint64_t flows, packets_refused; /* flows it was chosen for; exhausted */
};
/* [control] Source rules first, then destination, then static; number from 1 on. */
bool nat_rule(const struct nat *n, unsigned number, struct nat_rule_info *out);

/* ---- rewriting: nat_rewrite.c [worker] */

/* The deltas of a direction whose packets arrive as `from` and leave as `to`. */
void nat_deltas(const struct flow_key *from, const struct flow_key *to, uint16_t *l3, uint16_t *l4);

/* Rewrite a packet (p->l4, p->proto and fragment flags known) to leave as `to`. A later fragment
 * has no transport header; an IPv4 UDP checksum of 0 stays 0; one that becomes 0 is written 0xffff.
 * Id of ICMP queries in `to->sport`. SCTP: addresses only. IPv4 fields that are outside what was
 * received of the transport header are left. */
void nat_rewrite(struct pkt *p, const struct flow_key *to, uint16_t l3_delta, uint16_t l4_delta);

/* An ICMP or ICMPv6 error about a packet of a translated flow: the outer addresses and the quoted
 * packet, whatever is quoted of it, so that it reads as the sender of the quoted packet sent it.
 * quoted: offset of the quoted IP header from p->l3. inner: what the quoted tuple becomes (as a
 * packet from its source to its destination). outer: NULL leaves that address. All checksums that
 * are there and whole are right afterwards (requirements I3-I5, I12, I13). */
void nat_rewrite_error(struct pkt *p, uint16_t quoted, const struct flow_key *inner,
		       const struct addr *outer_src, const struct addr *outer_dst);

#endif
