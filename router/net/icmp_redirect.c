/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See icmp_redirect.h. */
#include "router/net/icmp_redirect.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/net/csum.h"
#include "router/net/icmp.h"
#include "router/net/icmp_limit.h"
#include "router/net/options.h"

#define ND_REDIRECT	   137
#define ND_OPT_TARGET_LINK 2
#define ND_OPT_REDIRECTED  4
#define ND_HOPS		   255 /* proof that it comes from this link */

/* What stands before the options. */
struct redirect6 {
	uint8_t type, code;
	uint16_t csum;
	uint32_t reserved;
	uint8_t target[16], dst[16];
	struct {
		uint8_t type, len, mac[6];
	} link;
	struct {
		uint8_t type, len, reserved[6];
	} quote;
} __attribute__((packed, aligned(2)));
static_assert(sizeof(struct redirect6) == 56, "RFC 4861 4.5");

/* ---- IPv4 */

/* Are both on one subnet of the interface? So the sender reaches n without us. */
static bool share_subnet4(const struct dp_iface *f, uint32_t a, uint32_t b)
{
	for (unsigned i = 0; i < f->nip4; i++)
		if (!((f->ip4[i].addr ^ a) & f->ip4[i].mask) &&
		    !((f->ip4[i].addr ^ b) & f->ip4[i].mask))
			return true;
	return false;
}

static bool redirect4(struct dp *dp, const struct pkt *p, const struct nh *n, struct pkt *out)
{
	const struct dp_iface *f = &dp->cfg->iface[p->iface];
	uint32_t src = pkt_ip4(p)->src;
	bool strict;

	if (n->addr.family != AF_INET || n->addr.v4 == src || !share_subnet4(f, src, n->addr.v4) ||
	    (has_options(p) && options_source_route(p, &strict)))
		return false;
	return icmp_error(dp, p, ICMP_ERROR_REDIRECT, n->addr.v4, out);
}

/* ---- IPv6 */

static bool is_link_local6(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* It may go by a way of its own: a routing header, or what may stand before one. */
static bool may_be_source_routed6(uint8_t next)
{
	return next == IPPROTO_ROUTING || next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS;
}

static void build6(const struct dp_iface *f, const struct pkt *p, const struct nh *n,
		   struct pkt *out)
{
	static const unsigned room = IP6_MTU_MIN - IP6_HLEN - sizeof(struct redirect6);
	const struct ip6_header *h = pkt_ip6(p);
	struct ip6_header *ip = pkt_ip6(out);
	struct redirect6 *r = (struct redirect6 *)(out->l3 + IP6_HLEN);
	unsigned quote = (p->len < room ? p->len : room) & ~7u;
	uint16_t len = (uint16_t)(sizeof(*r) + quote);

	*ip = (struct ip6_header){ .ver_tc_flow = htonl(6u << 28),
				   .plen = htons(len),
				   .next = IPPROTO_ICMPV6,
				   .hops = ND_HOPS };
	memcpy(ip->src, &f->ip6_link_local, 16);
	memcpy(ip->dst, h->src, 16);
	*r = (struct redirect6){ .type = ND_REDIRECT,
				 .link = { .type = ND_OPT_TARGET_LINK, .len = 1 },
				 .quote = { .type = ND_OPT_REDIRECTED,
					    .len = (uint8_t)(1 + quote / 8) } };
	memcpy(r->target, n->addr.bytes, 16);
	memcpy(r->dst, h->dst, 16);
	memcpy(r->link.mac, n->l2, 6);
	memcpy(r + 1, h, quote);
	r->csum = (uint16_t)~csum_fold(
		csum_add(r, len, csum_pseudo6(ip->src, ip->dst, IPPROTO_ICMPV6, len)));
	out->len = (uint16_t)(IP6_HLEN + len);
}

/* The sender must be a neighbour here, and n its destination or a router by its link-local address.
 */
static bool redirect6(struct dp *dp, const struct pkt *p, const struct nh *n, struct pkt *out,
		      uint32_t *slot)
{
	const struct dp_iface *f = &dp->cfg->iface[p->iface];
	const struct ip6_header *h = pkt_ip6(p);
	struct addr src = addr_v6(h->src);

	if (n->addr.family != AF_INET6 || !f->has_link_local || addr_equal(&n->addr, &src) ||
	    may_be_source_routed6(h->next) ||
	    !(is_link_local6(n->addr.bytes) || !memcmp(n->addr.bytes, h->dst, 16)))
		return false;
	*slot = neigh_lookup(dp->cfg->neigh, dp->cfg->nht, p->iface, &src);
	if (!*slot || !icmp_limits_redirect(dp, p) || !icmp_packet(dp, p, out))
		return false;
	build6(f, p, n, out);
	return true;
}

bool icmp_redirect(struct dp *dp, const struct pkt *p, const struct nh *n, struct pkt *out,
		   uint32_t *slot)
{
	if (p->flags & (PKT_OWN | PKT_TRANSLATED) || !dp->cfg->iface[p->iface].redirects ||
	    n->type != NH_ADJ || n->state != NH_RESOLVED)
		return false;
	return p->flags & PKT_IP6 ? redirect6(dp, p, n, out, slot) : redirect4(dp, p, n, out);
}
