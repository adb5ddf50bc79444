/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which next hop a packet takes. [worker] */
#ifndef ROUTER_NET_ROUTE_H
#define ROUTER_NET_ROUTE_H

#include "router/net/dp.h"

/* The slot of the longest prefix of p's destination, in the table of the interface it came in by;
 * FIB_NONE (0): no route. */
uint32_t route_lookup(const struct dp_iface *in, const struct pkt *p);

/* The same for any destination; addr: 4 or 16 bytes. */
uint32_t route_to(const struct dp_iface *in, int family, const uint8_t *addr);

/* The flow a packet belongs to: addresses, protocol, and ports unless it is a fragment (the
 * fragments of one datagram agree in no more than the addresses). An ICMP error belongs to the flow
 * that goes where the error goes: it hashes as an answer to what it quotes. */
uint32_t route_hash(const struct dp *dp, struct pkt *p);

/* The slot of the member of a group that p takes: by its flow, or where the group or else the
 * configuration says l3, by addresses alone. */
uint32_t route_choose(const struct dp *dp, struct pkt *p, const struct nh *group);

#endif
