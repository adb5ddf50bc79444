/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source validation by reverse path (RFC 3704, 8704; requirement F5). [worker] */
#ifndef ROUTER_NET_RP_FILTER_H
#define ROUTER_NET_RP_FILTER_H

#include "router/net/dp.h"

/* May p, by its source, have come in by the interface it came by? That one has dp_iface.rp_filter.
 * [any]: explain asks, too. */
bool rp_filter_passes(const struct dp *dp, const struct pkt *p);

#endif
