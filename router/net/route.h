/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which next hop a packet takes. [worker] */
#ifndef ROUTER_NET_ROUTE_H
#define ROUTER_NET_ROUTE_H

#include "router/net/dp.h"

struct flow_key;

/* The slot of the route of p, which came in by p->iface: of the table that the rules there name, or
 * the longest prefix of the interface's own. FIB_NONE (0): no route. */
uint32_t route_lookup(const struct dp *dp, struct pkt *p);

/* Of a packet that this router makes for where p->iface leads. */
uint32_t route_own(const struct dp *dp, struct pkt *p);

/* Of one that comes in there and is looked up with this tuple, its destination translated; mark and
 * TOS are as filters have left them. *decided (unless NULL): the step of the rules. */
uint32_t route_flow(const struct dp *dp, const struct pkt *p, const struct flow_key *key,
		    uint32_t mark, uint8_t tos, unsigned *decided);

/* Of an answer to p, as if it came in by the same interface: to the source of p. */
uint32_t route_back(const struct dp *dp, const struct pkt *p);

/* The longest prefix of a destination in the table of an interface, whatever rules say; addr: 4 or
 * 16 bytes. */
uint32_t route_to(const struct dp_iface *in, int family, const uint8_t *addr);

/* TOS or traffic class as it is in the header now. */
uint8_t route_tos(const struct pkt *p);

/* The list of rules for packets of this family that come in there, or NULL. */
static inline const struct rule_list *route_rules(const struct dp_iface *in, bool six)
{
	return six ? in->rules6 : in->rules4;
}

/* The flow a packet belongs to: addresses, protocol, and ports unless it is a fragment (the
 * fragments of one datagram agree in no more than the addresses). An ICMP error belongs to the flow
 * that goes where the error goes: it hashes as an answer to what it quotes. */
uint32_t route_hash(const struct dp *dp, struct pkt *p);

/* The slot of the member of a group that p takes: by its flow, or where the group or else the
 * configuration says l3, by addresses alone. */
uint32_t route_choose(const struct dp *dp, struct pkt *p, const struct nh *group);

#endif
