/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet is to the flow table: a packet of a flow, an error about one, or neither.
 *
 * The rules are netfilter's (requirements C8, C10, C29): a transport header that is not whole, or
 * lengths that cannot be, are invalid; of ICMP only queries have flows; an error belongs to the
 * flow of the packet it quotes. Of a query the tuple has the id as source port and type and code as
 * target port, the packet's own: the tuple of the answer is made by ct_reply_key(), and both find
 * one record.
 *
 * An error's tuple is that of the quoted packet as its sender sent it, so that it finds the flow in
 * the direction the quoted packet had. Errors are spoofed easily, and NAT will write into the
 * quote: one whose checksum is wrong, or its quote's, or whose quote cannot be a packet of a flow,
 * is invalid (RFC 5508 REQ-3, requirement I3).
 *
 * Each packet of a tracked interface comes by here [worker]; nothing is kept between them.
 */
#include "router/net/ct.h"

#include <arpa/inet.h>

#include "router/net/csum.h"
#include "router/net/l4.h"
#include "router/net/quote.h"

enum {
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	SCTP_HEADER = 12,
	DCCP_HEADER = 12,
	CHECKSUM_RIGHT = 0xffff, /* a sum over all it covers and itself */
};

static uint32_t be16_at(const uint8_t *at)
{
	return ntohs(l4_load16(at));
}

/* ---- tuples */

/* 8 and 0, 13 and 14, 15 and 16, 17 and 18; 128 and 129. */
static uint8_t counterpart(uint8_t type, bool ip6)
{
	if (!l4_icmp_is_query(type, ip6))
		return type;
	if (ip6)
		return type ^ 1;
	return type == 8 || type == 0 ? type ^ 8 : (uint8_t)(((type - 1) ^ 1) + 1);
}

void ct_reply_key(const struct flow_key *orig, struct flow_key *reply)
{
	bool ip6 = orig->family == AF_INET6;
	uint16_t type_code;

	flow_key_reverse(orig, reply);
	if (!l4_is_icmp(orig->proto, ip6))
		return;
	type_code = ntohs(orig->dport);
	reply->sport = orig->sport;
	reply->dport = htons(
		(uint16_t)(counterpart((uint8_t)(type_code >> 8), ip6) << 8 | (type_code & 0xff)));
}

/* Of a packet whose transport header is there as far as its tuple reaches. */
static void make_key(const struct pkt *p, uint16_t zone, struct flow_key *key)
{
	bool ip6 = p->flags & PKT_IP6;
	const uint8_t *l4 = p->l3 + p->l4;

	*key = (struct flow_key){ .zone = zone,
				  .proto = p->proto,
				  .family = ip6 ? AF_INET6 : AF_INET };
	if (ip6) {
		memcpy(key->src, pkt_ip6(p)->src, 16);
		memcpy(key->dst, pkt_ip6(p)->dst, 16);
	} else {
		memcpy(key->src, &pkt_ip4(p)->src, 4);
		memcpy(key->dst, &pkt_ip4(p)->dst, 4);
	}
	if (l4_nat_ports(p->proto) || p->proto == IPPROTO_SCTP) {
		key->sport = l4_load16(l4);
		key->dport = l4_load16(l4 + 2);
	} else if (l4_is_icmp(p->proto, ip6)) {
		key->sport = l4_load16(l4 + ICMP_ID_AT);
		key->dport = l4_load16(l4);
	}
}

/* ---- transport headers */

static bool tcp_whole(const uint8_t *l4, uint32_t len)
{
	uint32_t hlen;

	if (len < TCP_HEADER)
		return false;
	hlen = (uint32_t)(l4[12] >> 4) * 4;
	return hlen >= TCP_HEADER && hlen <= len;
}

/* UDP's length, or UDP-Lite's coverage, of which 0 means all (RFC 3828 3.1). A first fragment does
 * not hold all that it counts. */
static bool udp_whole(const struct pkt *p, const uint8_t *l4, uint32_t len)
{
	uint32_t said;

	if (len < UDP_HEADER)
		return false;
	said = be16_at(l4 + 4);
	if (p->proto == IPPROTO_UDPLITE && said == 0)
		return true;
	return said >= UDP_HEADER && (said <= len || p->flags & PKT_FRAGMENT);
}

static bool transport_whole(const struct pkt *p)
{
	const uint8_t *l4 = p->l3 + p->l4;
	uint32_t len = l4_len(p);

	switch (p->proto) {
	case IPPROTO_TCP: return tcp_whole(l4, len);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE: return udp_whole(p, l4, len);
	case IPPROTO_SCTP: return len >= SCTP_HEADER;
	case IPPROTO_DCCP: return len >= DCCP_HEADER;
	default: return true; /* known by its addresses alone */
	}
}

/* ---- checksums */

/* Over the first `covered` bytes of transport; pseudo: `len` of the pseudo header, 0 for none. */
static bool sum_right(const struct pkt *p, uint32_t covered, uint32_t pseudo)
{
	uint64_t sum = 0;

	if (pseudo && p->flags & PKT_IP6)
		sum = csum_pseudo6(pkt_ip6(p)->src, pkt_ip6(p)->dst, p->proto, pseudo);
	else if (pseudo)
		sum = csum_pseudo4(pkt_ip4(p)->src, pkt_ip4(p)->dst, p->proto, (uint16_t)pseudo);
	return csum_fold(csum_add(p->l3 + p->l4, covered, sum)) == CHECKSUM_RIGHT;
}

/* Length and coverage as udp_whole() found them possible. No checksum is fine in UDP: over IPv6
 * too, for whoever tunnels may do without one, and a router is not to judge it (RFC 6936 4, RFC
 * 8200 8.1).
 */
static bool udp_checksum_ok(const struct pkt *p)
{
	const uint8_t *l4 = p->l3 + p->l4;
	uint32_t said = be16_at(l4 + 4), len = l4_len(p);
	bool lite = p->proto == IPPROTO_UDPLITE;

	if (!l4_load16(l4 + 6))
		return !lite;
	if (lite)
		return sum_right(p, said ? said : len, len);
	return sum_right(p, said, said);
}

bool ct_checksum_ok(const struct pkt *p)
{
	bool ip6 = p->flags & PKT_IP6;
	uint32_t len = l4_len(p);

	if (p->flags & PKT_FRAGMENT)
		return true;
	if (!transport_whole(p))
		return false;
	switch (p->proto) {
	case IPPROTO_TCP: return sum_right(p, len, len);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE: return udp_checksum_ok(p);
	default: return !l4_is_icmp(p->proto, ip6) || sum_right(p, len, ip6 ? len : 0);
	}
}

/* ---- ICMP */

/* Is what an error quotes, up to 8 bytes of transport or the packet's end, a packet that may have
 * had a flow? */
static bool quote_trackable(const struct pkt *q)
{
	bool ip6 = q->flags & PKT_IP6, icmp = l4_is_icmp(q->proto, ip6);
	const uint8_t *l4 = q->l3 + q->l4;

	if (!q->l4)
		return false;
	if (!ip6 && csum_fold(csum_add(q->l3, (q->l3[0] & 15) * 4u, 0)) != CHECKSUM_RIGHT)
		return false;
	if (icmp || l4_nat_ports(q->proto) || q->proto == IPPROTO_SCTP)
		return l4_len(q) >= ICMP_HLEN && (!icmp || l4_icmp_is_query(l4[0], ip6));
	return true;
}

static enum ct_class classify_error(const struct pkt *p, uint16_t zone, struct flow_key *key,
				    uint16_t *quoted)
{
	uint32_t at = p->l4 + (uint32_t)ICMP_HLEN;
	struct pkt q;

	/* No error is long enough to be a fragment, and of one the checksum says nothing. */
	if (p->flags & PKT_FRAGMENT || !ct_checksum_ok(p) || !quote_parse(p, at, &q) ||
	    !quote_trackable(&q))
		return CT_INVALID;
	make_key(&q, zone, key);
	*quoted = (uint16_t)at;
	return CT_ERROR;
}

/* Source quench and redirects are no errors to pass on (RFC 6633; requirement X6). */
static enum ct_class icmp4_class(uint8_t type)
{
	if (l4_icmp_is_query(type, false))
		return CT_FLOW;
	return type == 3 || type == 11 || type == 12 ? CT_ERROR : CT_INVALID;
}

/* Listener discovery and neighbour discovery have no flows. A redirect is neighbour discovery, but
 * passes no router. */
static enum ct_class icmp6_class(uint8_t type)
{
	if (l4_icmp_is_query(type, true))
		return CT_FLOW;
	if ((type >= 130 && type <= 136) || type == 143)
		return CT_UNTRACKED;
	return type >= 1 && type <= 4 ? CT_ERROR : CT_INVALID;
}

static enum ct_class classify_icmp(const struct pkt *p, uint16_t zone, struct flow_key *key,
				   uint16_t *quoted)
{
	uint8_t type;
	enum ct_class class;

	if (l4_len(p) < ICMP_HLEN)
		return CT_INVALID;
	type = p->l3[p->l4];
	class = p->flags & PKT_IP6 ? icmp6_class(type) : icmp4_class(type);
	if (class == CT_ERROR)
		return classify_error(p, zone, key, quoted);
	if (class == CT_UNTRACKED && !ct_checksum_ok(p))
		return CT_INVALID;
	if (class == CT_FLOW)
		make_key(p, zone, key);
	return class;
}

enum ct_class ct_classify(struct pkt *p, uint16_t zone, struct flow_key *key, uint16_t *quoted)
{
	if (p->flags & PKT_LATER_FRAG) /* has no header: its first fragment says */
		return CT_INVALID;
	if (l4_is_icmp(p->proto, p->flags & PKT_IP6))
		return classify_icmp(p, zone, key, quoted);
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6)
		return CT_INVALID; /* the other family's: nothing by its tuple, ids to NAT */
	if (!transport_whole(p))
		return CT_INVALID;
	make_key(p, zone, key);
	return CT_FLOW;
}
