/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a packet's way: next hop, TTL, MTU, neighbour, link header; or the refusal, with the
 * ICMP error that tells its sender. [worker]
 */
#ifndef ROUTER_FORWARD_H
#define ROUTER_FORWARD_H

#include <arpa/inet.h>
#include <string.h>

#include "router/net/dp.h"
#include "router/net/icmp.h"

/* Forward p by this slot of the next hop table (0: no route), asking the questions in the order
 * Linux does: route, TTL, scope, MTU, neighbour. Takes ownership. */
void forward(struct dp *dp, struct pkt *p, uint32_t slot);

/* Drop p for `why` and tell its sender, unless the rules or limits of ICMP errors forbid it. Takes
 * ownership. */
void refuse(struct dp *dp, struct pkt *p, enum drop_reason why, enum icmp_error e, uint32_t info);

/* A link-local address means nothing on another link (RFC 4007). We do not send it back to its own
 * link either, which Linux does. */
bool beyond_scope(const struct pkt *p);

/* Route and send a packet this router made: its source is set if it is an ICMP error's. */
void forward_own(struct dp *dp, struct pkt *p);

/* Is there an interface of this number? It outlives the interface, in held packets and, until the
 * next publication, in next hops. */
static inline bool is_iface(const struct dp *dp, uint16_t index)
{
	return index < dp->cfg->nifaces && dp->cfg->iface[index].port != IFACE_NONE;
}

/* RFC 1624: one less TTL is 0x0100 less in its word. */
static inline void step_ttl(struct pkt *p)
{
	if (p->flags & PKT_IP6) {
		pkt_ip6(p)->hops--;
	} else {
		struct ip4_header *h = pkt_ip4(p);
		uint32_t sum = (uint32_t)h->csum + htons(0x0100);

		h->csum = (uint16_t)(sum + (sum >= 0xffff));
		h->ttl--;
	}
}

/* The end of emit() where TCP's MSS is clamped on its way out, or the port has a tree. */
void emit_watched(struct dp *dp, struct pkt *p, const struct nh *n, uint8_t *frame, uint32_t len);

/* Put the link header in front and queue the frame; short ones are padded with zeros, not with old
 * data. What it carries is told by the packet: its next hop may be of the other family (RFC 8950).
 */
static inline void emit(struct dp *dp, struct pkt *p, const struct nh *n)
{
	uint8_t *frame = p->l3 - n->hlen;
	uint32_t len = p->len + n->hlen;

	memcpy(frame, n->l2, 12);
	if (__builtin_expect(n->hlen != ETH_HLEN, 0)) {
		memcpy(frame + 12, n->l2 + 12, VLAN_HLEN);
		counter_add(&dp->count->vlan[n->iface].tx_packets, 1);
		counter_add(&dp->count->vlan[n->iface].tx_bytes, len);
	}
	if (__builtin_expect(len < FRAME_MIN, 0)) {
		memset(frame + len, 0, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	if (__builtin_expect(dp->watched >> n->port & 1, 0))
		emit_watched(dp, p, n, frame, p->len + n->hlen);
	else
		dp_send(dp, n->port, frame, len);
}

/* Control clears it; a line that all workers read is written only when it must be. */
static inline void mark_used(struct nh *n)
{
	if (!__atomic_load_n(&n->used, __ATOMIC_RELAXED))
		__atomic_store_n(&n->used, 1, __ATOMIC_RELAXED);
}

#endif
