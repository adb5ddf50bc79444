/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors: when (RFC 1812 4.3.2.7, RFC 4443 2.4), how much is quoted (576 and 1280 bytes in
 * all), how often (icmp_limit.h). The quote is the packet as it was received: errors are built
 * before anything is rewritten.
 */
#include "router/net/icmp.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/net/csum.h"
#include "router/net/icmp_limit.h"
#include "router/net/martian.h"
#include "router/net/parse.h"
#include "router/net/ours.h"

#define ICMP_HLEN   8
#define QUOTE4_MAX  (576 - IP4_HLEN - ICMP_HLEN)
#define QUOTE6_MAX  (1280 - IP6_HLEN - ICMP_HLEN)
#define TTL_OWN	    64
#define TOS_CONTROL 0xc0	/* internetwork control, RFC 1812 4.3.2.5 */
#define TOS_KEPT    0x1c	/* of the packet's; not ECN, which is no host's word about us */
#define UNNUMBERED  0xc0000008u /* 192.0.0.8, RFC 7600: who has no address speaks as this */

static const struct {
	uint8_t type4, code4, type6, code6;
} icmp_error_types[ICMP_ERROR__COUNT] = {
#define X(id, t4, c4, t6, c6) [ICMP_ERROR_##id] = { t4, c4, t6, c6 },
	ICMP_ERRORS(X)
#undef X
};

static bool may_answer4(const struct dp *dp, const struct pkt *p)
{
	const struct ip4_header *h = pkt_ip4(p);

	if (ntohs(h->frag) & IP4_OFFSET || ours4(dp->cfg, p->iface, h->dst) == NH_BROADCAST)
		return false;
	if (h->proto == IPPROTO_ICMP) {
		uint32_t hlen = (h->ver_ihl & 15) * 4u;
		uint8_t type = p->len > hlen ? p->l3[hlen] : 3;

		/* only queries and replies may be answered by an error; unknown types count as
		 * errors */
		if (type != 0 && type != 8 && (type < 13 || type > 18))
			return false;
	}
	return !martian4(&dp->cfg->set, h->src) && ours4(dp->cfg, p->iface, h->dst) != NH_BROADCAST;
}

/* Unlike IPv4, later fragments are answered, packet too big above all; but a later fragment of an
 * ICMPv6 message may be one of an error. */
static bool may_answer6(struct pkt p)
{
	const struct ip6_header *h = pkt_ip6(&p);

	if (!parse_transport(&p))
		return false;
	if (p.proto == IPPROTO_ICMPV6 &&
	    (p.flags & PKT_LATER_FRAG || p.l4 >= p.len || p.l3[p.l4] < 128 ||
	     p.l3[p.l4] == 137)) /* 137: redirect */
		return false;
	return h->src[0] != 0xff;
}

static void build4(struct dp *dp, const struct pkt *p, enum icmp_error e, uint32_t info,
		   struct pkt *out)
{
	const struct ip4_header *h = pkt_ip4(p);
	struct ip4_header *n = pkt_ip4(out);
	uint32_t quote = p->len < QUOTE4_MAX ? p->len : QUOTE4_MAX;
	uint8_t *icmp = out->l3 + IP4_HLEN;
	uint16_t sum;

	out->len = (uint16_t)(IP4_HLEN + ICMP_HLEN + quote);
	*n = (struct ip4_header){ .ver_ihl = 0x45,
				  .tos = (uint8_t)((h->tos & TOS_KEPT) | TOS_CONTROL),
				  .len = htons(out->len),
				  .id = (uint16_t)icmp_random(dp),
				  .ttl = TTL_OWN,
				  .proto = IPPROTO_ICMP,
				  .dst = h->src };
	memset(icmp, 0, ICMP_HLEN);
	icmp[0] = icmp_error_types[e].type4;
	icmp[1] = icmp_error_types[e].code4;
	if (e == ICMP_ERROR_TOO_BIG) {
		icmp[6] = (uint8_t)(info >> 8);
		icmp[7] = (uint8_t)info;
	} else if (e == ICMP_ERROR_PARAMETER) {
		icmp[4] = (uint8_t)info;
	} else if (e == ICMP_ERROR_REDIRECT) {
		memcpy(icmp + 4, &info, 4);
	}
	memcpy(icmp + ICMP_HLEN, h, quote);
	sum = (uint16_t)~csum_fold(csum_add(icmp, ICMP_HLEN + quote, 0));
	memcpy(icmp + 2, &sum, 2);
}

static void build6(const struct pkt *p, enum icmp_error e, uint32_t info, struct pkt *out)
{
	const struct ip6_header *h = pkt_ip6(p);
	struct ip6_header *n = pkt_ip6(out);
	uint32_t quote = p->len < QUOTE6_MAX ? p->len : QUOTE6_MAX;
	uint8_t *icmp = out->l3 + IP6_HLEN;
	uint32_t word = htonl(info);

	out->len = (uint16_t)(IP6_HLEN + ICMP_HLEN + quote);
	memset(n, 0, sizeof(*n));
	n->ver_tc_flow = htonl(6u << 28);
	n->plen = htons((uint16_t)(ICMP_HLEN + quote));
	n->next = IPPROTO_ICMPV6;
	n->hops = TTL_OWN;
	memcpy(n->dst, h->src, 16);
	memset(icmp, 0, ICMP_HLEN);
	icmp[0] = icmp_error_types[e].type6;
	icmp[1] = icmp_error_types[e].code6;
	memcpy(icmp + 4, &word, 4);
	memcpy(icmp + ICMP_HLEN, h, quote);
}

/* Linux limits neither family's "too big": path MTU discovery hangs on it. Redirects have limits of
 * their own, and are to become silent. */
static bool limits_allow(struct dp *dp, const struct pkt *p, enum icmp_error e)
{
	if (e == ICMP_ERROR_TOO_BIG)
		return true;
	if (e == ICMP_ERROR_REDIRECT)
		return icmp_limits_redirect(dp, p);
	if (icmp_limits_allow(dp, p))
		return true;
	dp_event(dp, EVENT_ICMP_LIMITED);
	return false;
}

bool icmp_packet(struct dp *dp, const struct pkt *p, struct pkt *out)
{
	uint8_t *frame = dp->alloc(dp);

	if (!frame) {
		dp_event(dp, EVENT_ICMP_NO_FRAME);
		return false;
	}
	*out = (struct pkt){ .l3 = frame + NH_L2_MAX + 2, /* room for any link header, L3 aligned */
			     .flags = PKT_OWN | (p->flags & PKT_IP6),
			     .iface = p->iface,
			     .flow = PKT_NO_FLOW };
	pkt_type(out);
	return true;
}

bool icmp_error(struct dp *dp, const struct pkt *p, enum icmp_error e, uint32_t info,
		struct pkt *out)
{
	if (p->flags & PKT_OWN || !(p->flags & PKT_IP6 ? may_answer6(*p) : may_answer4(dp, p)))
		return false;
	if (!limits_allow(dp, p, e) || !icmp_packet(dp, p, out))
		return false;
	if (p->flags & PKT_IP6)
		build6(p, e, info, out);
	else
		build4(dp, p, e, info, out);
	return true;
}

/* On a link of several subnets, an address of the one that the next hop is in. */
static bool source4(struct dp *dp, struct pkt *err, const struct nh *way)
{
	const struct dp_iface *out = &dp->cfg->iface[way ? way->iface : err->iface];
	struct ip4_header *h = pkt_ip4(err);
	bool neighbour = way && way->type == NH_ADJ && way->addr.family == AF_INET;

	h->src = ours4_source(dp->cfg, out, neighbour ? way->addr.v4 : h->dst);
	if (!h->src)
		h->src = htonl(UNNUMBERED);
	h->csum = 0;
	h->csum = (uint16_t)~csum_ip4_20(h);
	return true;
}

static int common_bits(const uint8_t *a, const uint8_t *b, int max)
{
	int n = 0;

	while (n < max && a[n / 8] == b[n / 8])
		n += 8;
	if (n < max)
		n += __builtin_clz((unsigned)(a[n / 8] ^ b[n / 8])) - 24;
	return n < max ? n : max;
}

/* Of the addresses of an interface the one that has more in common with dst than *bits, if any does
 * (RFC 6724 5, rule 8); of equals the newest, as Linux does. */
static const struct in6_addr *closest6(const struct dp_iface *f, const uint8_t *dst, int *bits)
{
	const struct in6_addr *best = NULL;

	for (unsigned i = 0; i < f->nip6; i++) {
		int n = common_bits(f->ip6[i].addr.s6_addr, dst, f->ip6[i].len);

		if (n < *bits || (n == *bits && !best))
			continue;
		*bits = n;
		best = &f->ip6[i].addr;
	}
	return best;
}

/* Who traces a route learns where its packet came in, as from Linux; by which way the error leaves
 * says less (RFC 4443 2.2 (d)). */
static const struct in6_addr *choose6(const struct dp_config *c, const struct dp_iface *in,
				      const uint8_t *dst)
{
	const struct in6_addr *best, *other;
	int bits = -1;

	if (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80)
		return in->has_link_local ? &in->ip6_link_local : NULL;
	best = closest6(in, dst, &bits);
	for (unsigned i = 0; !in->nip6 && i < c->nifaces; i++) {
		if (!share_vrf(&c->iface[i], in))
			continue;
		other = closest6(&c->iface[i], dst, &bits);
		best = other ? other : best;
	}
	return best;
}

static bool source6(struct dp *dp, struct pkt *err)
{
	struct ip6_header *h = pkt_ip6(err);
	const struct in6_addr *src = choose6(dp->cfg, &dp->cfg->iface[err->iface], h->dst);
	uint32_t len = err->len - IP6_HLEN;
	uint64_t sum;
	uint16_t csum;

	if (!src)
		return false;
	memcpy(h->src, src, 16);
	memset(err->l3 + IP6_HLEN + 2, 0, 2);
	sum = csum_pseudo6(h->src, h->dst, IPPROTO_ICMPV6, len);
	csum = (uint16_t)~csum_fold(csum_add(err->l3 + IP6_HLEN, len, sum));
	memcpy(err->l3 + IP6_HLEN + 2, &csum, 2);
	return true;
}

bool icmp_source(struct dp *dp, struct pkt *err, const struct nh *way)
{
	if (err->flags & PKT_IP6 ? source6(dp, err) : source4(dp, err, way))
		return true;
	dp_event(dp, EVENT_ICMP_NO_SOURCE);
	dp->free(dp, err->l3);
	return false;
}
