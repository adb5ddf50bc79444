/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An imaginary packet as bytes, so that it is judged by the code that judges real ones. */
#include <arpa/inet.h>
#include <string.h>

#include "router/ctl/explain_parse.h"
#include "router/net/csum.h"
#include "router/net/pkt.h"
#include "router/net/tcp.h"

#define UDP_HLEN   8
#define TCP_HLEN   20
#define TCP_WINDOW 64240

unsigned explain_headers(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return TCP_HLEN;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return UDP_HLEN;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP: return 12;
	case IPPROTO_GRE: return 4;
	default: return 0;
	}
}

static void put16(uint8_t *at, uint16_t n)
{
	n = htons(n);
	memcpy(at, &n, sizeof(n));
}

static void put32(uint8_t *at, uint32_t n)
{
	n = htonl(n);
	memcpy(at, &n, sizeof(n));
}

static uint32_t put_link(const struct explain_link *l, bool six, uint8_t *at)
{
	static const uint8_t from[6] = { 2 };
	uint32_t len = 12;

	memcpy(at, l->mac, 6);
	memcpy(at + 6, from, 6);
	if (l->vid) {
		put16(at + 12, l->vlan_proto);
		put16(at + 14, l->vid);
		len += VLAN_HLEN;
	}
	put16(at + len, six ? 0x86dd : 0x0800);
	return len + 2;
}

static void put_ip4(const struct explain_packet *p, uint8_t *at)
{
	struct ip4_header h = { .ver_ihl = 0x45,
				.tos = (uint8_t)(p->dscp << 2),
				.len = htons(p->length),
				.frag = htons(p->df ? IP4_DF : 0),
				.ttl = p->ttl,
				.proto = p->proto,
				.src = p->src.v4,
				.dst = p->dst.v4 };

	h.csum = (uint16_t)~csum_ip4_20(&h);
	memcpy(at, &h, sizeof(h));
}

static void put_ip6(const struct explain_packet *p, uint8_t *at)
{
	struct ip6_header h = { .ver_tc_flow = htonl(6u << 28 | (uint32_t)p->dscp << 22),
				.plen = htons((uint16_t)(p->length - IP6_HLEN)),
				.next = p->proto,
				.hops = p->ttl };

	memcpy(h.src, p->src.bytes, 16);
	memcpy(h.dst, p->dst.bytes, 16);
	memcpy(at, &h, sizeof(h));
}

static void put_tcp(const struct explain_packet *p, uint8_t *at)
{
	put32(at + 4, p->seq);
	put32(at + 8, p->tcp_flags & TCP_F_ACK ? p->ack : 0);
	at[12] = TCP_HLEN / 4 << 4;
	at[13] = p->tcp_flags;
	put16(at + 14, TCP_WINDOW);
}

/* Where the checksum stands in it; 0: it has none that routers know. */
static unsigned put_transport(const struct explain_packet *p, uint8_t *at, uint16_t len)
{
	switch (p->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		at[0] = p->icmp_type;
		at[1] = p->icmp_code;
		put16(at + 4, p->sport);
		return 2;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		put16(at, p->sport);
		put16(at + 2, p->dport);
		break;
	default: return 0;
	}
	if (p->proto == IPPROTO_TCP) {
		put_tcp(p, at);
		return 16;
	}
	if (p->proto != IPPROTO_UDP && p->proto != IPPROTO_UDPLITE)
		return 0;
	put16(at + 4, len);
	return 6;
}

static void put_checksum(const struct explain_packet *p, uint8_t *at, uint16_t len, unsigned field)
{
	uint64_t sum = 0;
	uint16_t csum;

	if (p->src.family == AF_INET6)
		sum = csum_pseudo6(p->src.bytes, p->dst.bytes, p->proto, len);
	else if (p->proto != IPPROTO_ICMP)
		sum = csum_pseudo4(p->src.v4, p->dst.v4, p->proto, len);
	csum = (uint16_t)~csum_fold(csum_add(at, len, sum));
	if (!csum && p->proto != IPPROTO_TCP)
		csum = 0xffff;
	memcpy(at + field, &csum, sizeof(csum));
}

uint32_t explain_frame(const struct explain_packet *p, const struct explain_link *l,
		       uint8_t frame[EXPLAIN_FRAME_MAX])
{
	bool six = p->src.family == AF_INET6;
	uint16_t len = (uint16_t)(p->length - (six ? IP6_HLEN : IP4_HLEN));
	uint32_t at = put_link(l, six, frame), end = at + p->length;
	unsigned field;

	memset(frame + at, 0, p->length);
	if (six)
		put_ip6(p, frame + at);
	else
		put_ip4(p, frame + at);
	at += six ? IP6_HLEN : IP4_HLEN;
	field = put_transport(p, frame + at, len);
	if (field)
		put_checksum(p, frame + at, len, field);
	return end;
}
