/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Not limited, as in Linux: an RST is never longer than what it answers. */
#include "router/net/reject.h"

#include <string.h>

#include "router/net/csum.h"
#include "router/net/ct.h"

#define TCP_HLEN 20u
#define TTL_OWN	 64

struct tcp_header {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t offset, flags;
	uint16_t window, csum, urgent;
} __attribute__((packed, aligned(2)));

/* Behind an ACK the RST sits where the peer said it waits; else it acknowledges all of the segment.
 */
static void fill(struct tcp_header *h, const struct tcp_header *of, const struct tcp_segment *s)
{
	memset(h, 0, sizeof(*h));
	h->sport = of->dport;
	h->dport = of->sport;
	h->offset = TCP_HLEN / 4 << 4;
	h->flags = TCP_F_RST;
	if (s->flags & TCP_F_ACK) {
		h->seq = of->ack;
	} else {
		h->ack = htonl(s->end);
		h->flags |= TCP_F_ACK;
	}
}

static void build4(const struct ip4_header *of, uint8_t *l3)
{
	struct ip4_header *h = (struct ip4_header *)l3;
	uint8_t *l4 = l3 + IP4_HLEN;
	uint16_t csum;

	memset(h, 0, sizeof(*h));
	h->ver_ihl = 0x45;
	h->len = htons(IP4_HLEN + TCP_HLEN);
	h->frag = htons(IP4_DF);
	h->ttl = TTL_OWN;
	h->proto = IPPROTO_TCP;
	h->src = of->dst;
	h->dst = of->src;
	h->csum = (uint16_t)~csum_ip4_20(h);
	csum = (uint16_t)~csum_fold(
		csum_add(l4, TCP_HLEN, csum_pseudo4(h->src, h->dst, IPPROTO_TCP, TCP_HLEN)));
	memcpy(l4 + offsetof(struct tcp_header, csum), &csum, 2);
}

static void build6(const struct ip6_header *of, uint8_t *l3)
{
	struct ip6_header *h = (struct ip6_header *)l3;
	uint8_t *l4 = l3 + IP6_HLEN;
	uint16_t csum;

	memset(h, 0, sizeof(*h));
	h->ver_tc_flow = htonl(6u << 28);
	h->plen = htons(TCP_HLEN);
	h->next = IPPROTO_TCP;
	h->hops = TTL_OWN;
	memcpy(h->src, of->dst, 16);
	memcpy(h->dst, of->src, 16);
	csum = (uint16_t)~csum_fold(
		csum_add(l4, TCP_HLEN, csum_pseudo6(h->src, h->dst, IPPROTO_TCP, TCP_HLEN)));
	memcpy(l4 + offsetof(struct tcp_header, csum), &csum, 2);
}

bool reject_reset(struct dp *dp, const struct pkt *p, struct pkt *out)
{
	uint16_t hlen = p->flags & PKT_IP6 ? IP6_HLEN : IP4_HLEN;
	struct tcp_segment s;
	uint8_t *frame;

	if (p->proto != IPPROTO_TCP || p->flags & PKT_FRAGMENT || !ct_checksum_ok(p) ||
	    !tcp_parse(p->l3 + p->l4, (uint32_t)p->len - p->l4, &s) || s.flags & TCP_F_RST)
		return false;
	frame = dp->alloc(dp);
	if (!frame) {
		dp_event(dp, EVENT_ICMP_NO_FRAME);
		return false;
	}
	*out = (struct pkt){ .l3 = frame + NH_L2_MAX + 2,
			     .len = hlen + TCP_HLEN,
			     .l4 = hlen,
			     .proto = IPPROTO_TCP,
			     .flags = PKT_OWN | (p->flags & PKT_IP6),
			     .iface = p->iface,
			     .flow = PKT_NO_FLOW };
	pkt_type(out);
	fill((struct tcp_header *)(out->l3 + hlen), (const struct tcp_header *)(p->l3 + p->l4), &s);
	if (p->flags & PKT_IP6)
		build6(pkt_ip6(p), out->l3);
	else
		build4(pkt_ip4(p), out->l3);
	return true;
}
