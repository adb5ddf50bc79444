/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet an ICMP or ICMPv6 error is about: what is quoted of it. [any] */
#ifndef ROUTER_NET_QUOTE_H
#define ROUTER_NET_QUOTE_H

#include "router/net/pkt.h"

/* error: whole, with p->l4 at its ICMP header; at: where the quoted IP header begins, from
 * error->l3, an even place. q is that packet, cut short: q->len counts what is quoted of the packet
 * itself, neither padding nor extensions (RFC 4884); q->l4 is 0 where no transport header is known,
 * because the quote ends before it or is a later fragment. How many bytes follow q->l4 is for the
 * caller to look at. False: there is no whole IP header of the error's family. */
bool quote_parse(const struct pkt *error, uint32_t at, struct pkt *q);

#endif
