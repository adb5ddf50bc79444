/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options for every hop of an IPv6 packet's way (RFC 8200 4.2, 4.3). [worker] */
#ifndef ROUTER_NET_HOPOPTS_H
#define ROUTER_NET_HOPOPTS_H

#include "router/net/pkt.h"

enum hopopts_verdict {
	HOPOPTS_PASS,
	HOPOPTS_DROP,	 /* malformed, or an unknown option wants it so */
	HOPOPTS_FIELD,	 /* drop, and tell the sender: parameter problem, erroneous field */
	HOPOPTS_UNKNOWN, /* drop, and tell the sender: unrecognised option */
};

/* May a packet that begins with hop-by-hop options go on? parse_frame() has checked that the header
 * lies inside. *pointer: with an error, what is wrong, from the begin of the packet. */
enum hopopts_verdict hopopts_check(const struct pkt *p, uint32_t *pointer);

#endif
