/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RST that answers a TCP segment nobody wants (RFC 9293 3.10.7.1), as netfilter's reject with
 * tcp-reset. [worker] */
#ifndef ROUTER_NET_REJECT_H
#define ROUTER_NET_REJECT_H

#include "router/net/dp.h"

/* Build the RST to p's sender, as from its destination. False: p is none that an RST may answer (an
 * RST, a fragment, not TCP, its checksum is wrong), or there is no frame. p is still the caller's.
 */
bool reject_reset(struct dp *dp, const struct pkt *p, struct pkt *out);

#endif
