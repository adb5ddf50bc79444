/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which IPv4 addresses are this router's, and by which of them it speaks. [worker] */
#ifndef ROUTER_NET_OURS_H
#define ROUTER_NET_OURS_H

#include "router/net/dp.h"

/* What an address is to this router, in the table of the interface with this index: NH_LOCAL its
 * own, NH_BROADCAST a broadcast address of one of its subnets, NH_FOREIGN neither. */
enum nh_type ours4(const struct dp_config *c, uint16_t iface, uint32_t addr);

/* By which address we speak to `to` on an interface, network order: one on the subnet of `to`, else
 * the preferred, else any of ours; 0: we have none. */
uint32_t ours4_source(const struct dp_config *c, const struct dp_iface *out, uint32_t to);

#endif
