/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 fragmentation on the way out (RFC 791 3.2, RFC 1812 4.2.2.7). [worker] */
#ifndef ROUTER_NET_FRAGMENT_H
#define ROUTER_NET_FRAGMENT_H

#include "router/net/dp.h"

#define FRAGMENTS_MAX 128

/*
 * Cut p (DF clear, longer than mtu) into packets of at most mtu bytes: out[0] is p's own frame, cut
 * short, the others are new. Returns how many, in the order to send them; -ENOBUFS when there was
 * no frame for all, -E2BIG when they would be more than FRAGMENTS_MAX (or the mtu has no room for
 * any), with p untouched and still the caller's. Data fields are multiples of 8, options with the
 * copy bit go into all, the others are overwritten by no-operations. When p was a fragment itself,
 * offsets and MF go on from its own, and its options are all kept unless it was the first. The
 * reserved bit beside DF is 0 in what is made here (RFC 791). All are marked as the fragments they
 * are.
 */
int fragment4(struct dp *dp, struct pkt *p, uint16_t mtu, struct pkt out[FRAGMENTS_MAX]);

#endif
