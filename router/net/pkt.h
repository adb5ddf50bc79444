/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet on its way through one worker: where its frame lies, and what parsing learned. [worker]
 */
#ifndef ROUTER_NET_PKT_H
#define ROUTER_NET_PKT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BURST 64 /* packets a worker takes from a queue at a time */

/* Frame sizes never include the FCS. */
#define ETH_HLEN    14
#define VLAN_HLEN   4
#define IP4_HLEN    20
#define IP6_HLEN    40
#define IP6_MTU_MIN 1280 /* of any link: RFC 8200 5 */
#define FRAME_MIN   60	 /* shorter ones are padded by who sends */
#define HEADROOM    256	 /* XDP_PACKET_HEADROOM: free bytes before a received frame */

enum pkt_flags {
	PKT_IP6 = 1 << 0,
	PKT_SLOW = 1 << 1, /* options, extension headers: SYNs to clamp: forward() looks at it */
	PKT_FRAGMENT = 1 << 2,	 /* MF or offset != 0: has no ports to trust */
	PKT_LATER_FRAG = 1 << 3, /* offset != 0 */
	PKT_OWN = 1 << 4,	 /* made by this router: no TTL step, no ICMP error about it */
	PKT_TRANSLATED = 1 << 5, /* NAT has rewritten it: errors about it must be turned back */
	PKT_RH0 = 1 << 6,	 /* IPv6 routing header type 0 with segments left */
	PKT_RELATED = 1 << 7,	 /* an ICMP error: `flow` is what it is about */
};

struct pkt {
	uint8_t *l3;	  /* IP header; the frame starts somewhere before */
	uint16_t len;	  /* of the IP packet, header included; padding cut */
	uint16_t l4;	  /* offset of the transport header from l3; 0: unknown */
	uint8_t proto;	  /* transport protocol, after extension headers */
	uint8_t flags;	  /* PKT_* */
	uint16_t iface;	  /* index of the interface it came in by */
	uint16_t old_id;  /* IPv4, of a translated fragment: as its sender had it */
	uint8_t tos, ttl; /* as received */
	uint16_t l2len;	  /* bytes of the received link header before l3 */
	uint16_t mtu;	  /* of its route, while it is on the slow way to a neighbour; or 0 */
	uint32_t flow; /* the record it was found under, direction in the top bit; or PKT_NO_FLOW */
	uint32_t mark; /* of a packet without a flow: as filters have left it */
};
#define PKT_NO_FLOW    UINT32_MAX
#define PKT_FLOW_AGAIN (UINT32_MAX - 1) /* it had one, has waited since, and is to look it up */

/* What no header says. */
static inline void pkt_begin(struct pkt *p)
{
	p->flow = PKT_NO_FLOW;
	p->mark = 0;
}

/* Header fields at any address: the compiler makes single loads of these. */
struct ip4_header {
	uint8_t ver_ihl, tos;
	uint16_t len, id, frag;
	uint8_t ttl, proto;
	uint16_t csum;
	uint32_t src, dst;
} __attribute__((packed, aligned(2)));

struct ip6_header {
	uint32_t ver_tc_flow;
	uint16_t plen;
	uint8_t next, hops;
	uint8_t src[16], dst[16];
} __attribute__((packed, aligned(2)));

struct ip6_fragment {
	uint8_t next, reserved;
	uint16_t offset; /* in its upper 13 bits; the lowest: more follow */
	uint32_t id;
} __attribute__((packed, aligned(2)));

#define IP4_DF	   0x4000
#define IP4_MF	   0x2000
#define IP4_OFFSET 0x1fff

static inline struct ip4_header *pkt_ip4(const struct pkt *p)
{
	return (struct ip4_header *)p->l3;
}
static inline struct ip6_header *pkt_ip6(const struct pkt *p)
{
	return (struct ip6_header *)p->l3;
}

/* The last word of the link header says what is in it. A frame that was received has it in front of
 * l3; a packet made here gets it by this, and emit() leaves it alone. */
static inline void pkt_type(struct pkt *p)
{
	uint16_t type = p->flags & PKT_IP6 ? htons(0x86dd) : htons(0x0800);

	memcpy(p->l3 - sizeof(type), &type, sizeof(type));
}

#endif
