/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses are this router's, and by which of them it speaks. [worker] */
#ifndef ROUTER_NET_OURS_H
#define ROUTER_NET_OURS_H

#include "router/net/dp.h"

/* What an address is to this router, in the table of the interface with this index: NH_LOCAL its
 * own, NH_BROADCAST a broadcast address of one of its subnets, NH_FOREIGN neither. */
enum nh_type ours4(const struct dp_config *c, uint16_t iface, uint32_t addr);

/* Addresses of one VRF mean nothing in another, and what they are is no business of its hosts. */
static inline bool share_vrf(const struct dp_iface *a, const struct dp_iface *b)
{
	return a->fib4 == b->fib4 && a->zone == b->zone; /* zone: of one that is no device */
}

/* By which address we speak to `to` on an interface, network order: one on the subnet of `to`, else
 * the preferred, else any of ours in its VRF; 0: we have none. */
uint32_t ours4_source(const struct dp_config *c, const struct dp_iface *out, uint32_t to);

#endif
