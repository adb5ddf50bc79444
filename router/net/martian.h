/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets with addresses that may not be on a wire (RFC 1812 5.3.7, RFC 4291 2.5). [worker] */
#ifndef ROUTER_NET_MARTIAN_H
#define ROUTER_NET_MARTIAN_H

#include "router/net/dp.h"

/* Has a packet that such an address ever goes on? 0/8, 127/8, and 224/3 (multicast, class E,
 * limited broadcast) do not. Where routing.martians allows them, 0/8 and class E do, but for the
 * addresses that mean nobody and everybody (decision D3). */
bool martian4(const struct dp_settings *set, uint32_t addr);

/* Free the frame of such a packet, of this interface, for `why`; its IP header, of `family`, is at
 * l2len. Now and then control is told of one, for the log. */
void martian_drop(struct dp *dp, uint16_t iface, int family, const uint8_t *frame, uint32_t l2len,
		  enum drop_reason why);

#endif
