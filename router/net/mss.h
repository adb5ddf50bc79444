/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MSS option of TCP's SYN (RFC 9293 3.7.1, requirement F20). [worker] */
#ifndef ROUTER_NET_MSS_H
#define ROUTER_NET_MSS_H

#include "router/net/pkt.h"

/* Lower the MSS that a SYN or SYN/ACK announces to at most `mss`, with its checksum; never raise
 * it, never add the option. p->l4 and p->proto are set; anything but a SYN is left alone. */
void mss_clamp(struct pkt *p, uint16_t mss);

/* What fits a packet of `mtu` bytes. */
uint16_t mss_of_mtu(const struct pkt *p, uint16_t mtu);

#endif
