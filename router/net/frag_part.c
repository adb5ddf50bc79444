/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One fragment by itself: whose it is, what it covers, and, of a first one, the ports. What is
 * wrong with it alone condemns its datagram: no data, an end that is not a multiple of 8 though
 * more follow, an end that no datagram can have, a first one without its transport header (RFC
 * 7112), one that begins where TCP's flags are (RFC 1858, RFC 3128). [worker]
 */
#include "router/net/frag_internal.h"

#include <string.h>

#include "router/net/ct.h"
#include "router/net/parse.h"

uint32_t frag_start(const struct pkt *p)
{
	uint32_t at;

	if (!(p->flags & PKT_IP6))
		return (ntohs(pkt_ip4(p)->frag) & IP4_OFFSET) * 8u;
	at = parse_fragment6(p);
	return at ? ntohs(((const struct ip6_fragment *)(p->l3 + at))->offset) & 0xfff8 : 0;
}

/* A SYN and a FIN have a number each, headers have none. before: bytes of headers before TCP's. */
static uint32_t tcp_base(const uint8_t *l4, uint32_t before)
{
	uint32_t seq;

	memcpy(&seq, l4 + 4, sizeof(seq));
	seq = ntohl(seq) + !!(l4[13] & TCP_F_SYN) + !!(l4[13] & TCP_F_FIN);
	return seq - before - (l4[12] >> 4) * 4u;
}

/* Ports of a first fragment, as struct flow_key has them. False: its transport header is not all
 * there, or it is of no flow: an ICMP error in fragments is none that anybody sends (RFC 1812
 * 4.3.2.3, RFC 4443 2.4), neighbour discovery must not come so (RFC 6980). */
static bool read_ports(struct pkt *p, struct frag_part *out)
{
	struct flow_key key;
	uint16_t quoted;

	if (p->len <= p->l4 || ct_classify(p, out->key.zone, &key, &quoted) != CT_FLOW)
		return false;
	out->sport = key.sport;
	out->dport = key.dport;
	if (p->proto == IPPROTO_TCP)
		out->tcp_base = tcp_base(p->l3 + p->l4, out->end - (p->len - p->l4));
	return true;
}

static void read4(const struct pkt *p, struct frag_part *out)
{
	const struct ip4_header *h = pkt_ip4(p);

	memcpy(out->key.src, &h->src, 4);
	memcpy(out->key.dst, &h->dst, 4);
	out->key.id = h->id;
	out->key.proto = h->proto;
	out->key.family = AF_INET;
	out->start = frag_start(p);
	out->end = out->start + p->len - p->l4;
	out->last = !(h->frag & htons(IP4_MF));
	if (p->l4 + out->end > UINT16_MAX)
		out->bad = DROP_IP4_LENGTH;
	else if (h->proto == IPPROTO_TCP && out->start == 8)
		out->bad = DROP_FRAG_TINY;
}

static bool read6(const struct pkt *p, struct frag_part *out)
{
	const struct ip6_header *h = pkt_ip6(p);
	uint32_t at = parse_fragment6(p);
	const struct ip6_fragment *f = (const struct ip6_fragment *)(p->l3 + at);

	if (!at)
		return false;
	memcpy(out->key.src, h->src, 16);
	memcpy(out->key.dst, h->dst, 16);
	out->key.id = f->id;
	out->key.family = AF_INET6;
	out->start = ntohs(f->offset) & 0xfff8;
	out->end = out->start + p->len - at - (uint32_t)sizeof(*f);
	out->last = !(ntohs(f->offset) & 1);
	if (at - IP6_HLEN + out->end > UINT16_MAX) /* of the whole: without the fragment header */
		out->bad = DROP_IP6_LENGTH;
	return true;
}

bool frag_read(struct pkt *p, uint16_t zone, struct frag_part *out)
{
	bool six = p->flags & PKT_IP6;

	memset(out, 0, sizeof(*out));
	out->key.zone = zone;
	out->proto = p->proto;
	if (!six)
		read4(p, out);
	else if (!read6(p, out))
		return false;
	if (out->end == out->start || (!out->last && out->end % 8))
		out->bad = six ? DROP_IP6_LENGTH : DROP_IP4_LENGTH;
	else if (!out->bad && out->start == 0 && !read_ports(p, out))
		out->bad = DROP_FRAG_TINY;
	return true;
}
