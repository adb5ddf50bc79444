/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to a frame: single fields at an offset, as tc's pedit, and the DSCP. [worker]
 *
 * Checksums are mended by what changed (RFC 1624), not made anew: a packet that was damaged before
 * stays recognisable, and a first fragment can be edited like a whole packet. So they must be
 * complete: on a port where Linux leaves them unfinished, they have been finished before.
 */
#ifndef ROUTER_NET_QDISC_TC_PEDIT_H
#define ROUTER_NET_QDISC_TC_PEDIT_H

#include "router/net/qdisc/tc_match.h"

/* Write k->value, but for the bits of k->mask, which are kept. What does not lie inside the frame
 * is left alone: false. csum: mend checksums of IP and transport, unless it is one of them that is
 * written. */
bool tc_pedit(const struct tc_view *v, uint8_t *frame, const struct conf_pedit *k, bool csum);

/* False: it is not IP. */
bool tc_set_dscp(const struct tc_view *v, uint8_t *frame, uint8_t dscp);

/* The TOS octet or traffic class; of what is IP. */
static inline uint8_t tc_tos(const struct tc_view *v)
{
	const uint8_t *ip = v->frame + v->l3;

	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4);
}

static inline uint8_t tc_ttl(const struct tc_view *v)
{
	const uint8_t *ip = v->frame + v->l3;

	return ip[0] >> 4 == 4 ? ip[8] : ip[7];
}

#endif
