/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source validation by reverse path (RFC 3704, 8704; requirement F5). [worker] */
#ifndef ROUTER_NET_RP_FILTER_H
#define ROUTER_NET_RP_FILTER_H

#include "router/net/dp.h"

/* Which of n packets of one family may, by their sources, have come in by the interfaces they came
 * by? A bit for each, n <= BURST. [any]: explain asks, too. */
uint64_t rp_filter_burst(const struct dp *dp, const struct pkt *p, unsigned n);

#endif
