/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds and validity of received frames: nothing behind this file checks a length again. [worker]
 */
#ifndef ROUTER_NET_PARSE_H
#define ROUTER_NET_PARSE_H

#include "router/net/dp.h"

/* Judge a received frame of any length and content. True: *p is filled in and its IP header, as far
 * as its length fields say, lies inside the frame; PKT_SLOW says whether options, scope or TTL want
 * a look. False: dropped, with its reason counted. */
bool parse_frame(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t len);

/* The quick answer for the common packet: untagged, no options, TTL > 1, nothing odd. False: ask
 * parse_frame. Same result where both say yes. */
static inline bool parse_quick4(const struct dp *dp, struct pkt *p, const struct dp_iface *in,
				uint8_t *frame, uint32_t len);
static inline bool parse_quick6(struct pkt *p, const struct dp_iface *in, uint8_t *frame,
				uint32_t len);

/* Where the transport header starts and what it is: fills p->l4, p->proto, PKT_FRAGMENT,
 * PKT_LATER_FRAG. False: the IPv6 extension chain is malformed. Not done for every packet, only
 * when somebody asks. */
bool parse_transport(struct pkt *p);
/* After parse_transport(), of an IPv6 fragment: offset of its fragment header from l3. 0: it has
 * none, or two (a fragment of a fragment, or what wants to be taken for one). */
uint32_t parse_fragment6(const struct pkt *p);

#include "router/net/csum.h"
#include <string.h>

static inline bool mac_is(const uint8_t *frame, const uint8_t mac[6])
{
	uint32_t a, b;
	uint16_t c, d;

	memcpy(&a, frame, 4);
	memcpy(&b, mac, 4);
	memcpy(&c, frame + 4, 2);
	memcpy(&d, mac + 4, 2);
	return a == b && c == d;
}

/* RFC 1812 5.3.7: 0/8, 127/8, and 224/3 (multicast, class E, limited broadcast). */
static inline bool ip4_martian(uint32_t addr)
{
	uint8_t top = (uint8_t)(ntohl(addr) >> 24);

	return top == 0 || top == 127 || top >= 224;
}

static inline bool parse_quick4(const struct dp *dp, struct pkt *p, const struct dp_iface *in,
				uint8_t *frame, uint32_t len)
{
	struct ip4_header *h = (struct ip4_header *)(frame + ETH_HLEN);
	uint32_t own, total;

	if (len < ETH_HLEN + IP4_HLEN || h->ver_ihl != 0x45 || !mac_is(frame, in->mac))
		return false;
	total = ntohs(h->len);
	own = own_bit(h->src);
	if (total < IP4_HLEN || total > len - ETH_HLEN || csum_ip4_20(h) != 0xffff || h->ttl <= 1 ||
	    ip4_martian(h->src) || ip4_martian(h->dst) ||
	    (dp->cfg->own4[own / 64] >> (own % 64) & 1))
		return false;
	pkt_begin(p);
	p->l3 = (uint8_t *)h;
	p->len = (uint16_t)total;
	p->l4 = 0;
	p->flags = 0;
	p->l2len = ETH_HLEN;
	return true;
}

/* Next headers that are extensions (or must be looked at): hop-by-hop, routing, fragment,
 * destination options, AH, mobility, HIP, shim6. */
static inline bool ip6_is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 60 || next == 51 || next == 135 ||
	       next == 139 || next == 140;
}

static inline bool parse_quick6(struct pkt *p, const struct dp_iface *in, uint8_t *frame,
				uint32_t len)
{
	struct ip6_header *h = (struct ip6_header *)(frame + ETH_HLEN);
	uint32_t total;
	uint8_t src = h->src[0], dst = h->dst[0];

	/* 0x20-0xfd begins global and unique local addresses: no scope to worry about */
	if (len < ETH_HLEN + IP6_HLEN || (frame[ETH_HLEN] >> 4) != 6 || !mac_is(frame, in->mac) ||
	    h->hops <= 1 || (uint8_t)(src - 0x20) > 0xdd || (uint8_t)(dst - 0x20) > 0xdd ||
	    ip6_is_extension(h->next))
		return false;
	total = IP6_HLEN + ntohs(h->plen);
	if (total > len - ETH_HLEN)
		return false;
	pkt_begin(p);
	p->l3 = (uint8_t *)h;
	p->len = (uint16_t)total;
	p->l4 = IP6_HLEN;
	p->proto = h->next;
	p->flags = PKT_IP6;
	p->l2len = ETH_HLEN;
	return true;
}

#endif
