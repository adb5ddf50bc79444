/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The careful parser: every frame that parse_quick*() would not take.
 *
 * Reads nothing beyond the frame's length. IPv4 rules are RFC 1812 5.2.2 and 5.3.7 (requirements
 * F1, F4; its options are net/options.c's), IPv6 rules RFC 8200 and 4291 (G20, G21, G26).
 */
#include "router/net/parse.h"

#include "router/net/martian.h"
#include "router/net/ours.h"

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_IP6  0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8

#define EXT_MAX 8 /* extension headers we walk past: more is an attack (RFC 8504 5.3) */

static uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool drop(struct dp *dp, const uint8_t *frame, enum drop_reason why)
{
	counter_add(&dp->count->drop[why], 1);
	dp->free(dp, frame);
	return false;
}

/* The interface of a VLAN tag on this port, or NULL. */
static const struct dp_iface *vlan_iface(const struct dp_config *c, uint16_t port, uint16_t proto,
					 uint16_t vid)
{
	for (unsigned i = 0; i < c->nifaces; i++)
		if (c->iface[i].port == port && c->iface[i].vid == vid &&
		    c->iface[i].vlan_proto == proto)
			return &c->iface[i];
	return NULL;
}

/* F4. Nobody speaks in our name, nor from an address that is everybody's; DROP__COUNT: all is well.
 */
static enum drop_reason martian4_of(const struct dp *dp, uint16_t iface, const struct ip4_header *h)
{
	enum nh_type ours = ours4(dp->cfg, iface, h->src);

	if (martian4(&dp->cfg->set, h->src) || ours == NH_BROADCAST)
		return DROP_MARTIAN_SRC;
	if (martian4(&dp->cfg->set, h->dst))
		return DROP_MARTIAN_DST;
	return ours == NH_LOCAL ? DROP_SRC_OURS : DROP__COUNT;
}

static bool parse_ip4(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t l2len, uint32_t len)
{
	struct ip4_header *h = (struct ip4_header *)(frame + l2len);
	enum drop_reason bad;
	uint32_t hlen, total;

	len -= l2len;
	if (len < IP4_HLEN)
		return drop(dp, frame, DROP_RUNT);
	hlen = (h->ver_ihl & 15) * 4u;
	if (h->ver_ihl >> 4 != 4 || hlen < IP4_HLEN)
		return drop(dp, frame, DROP_IP4_VERSION);
	total = ntohs(h->len);
	if (total < hlen || total > len)
		return drop(dp, frame, DROP_IP4_LENGTH);
	if (csum_fold(csum_add(h, hlen, 0)) != 0xffff)
		return drop(dp, frame, DROP_IP4_CHECKSUM);
	bad = martian4_of(dp, p->iface, h);
	if (bad != DROP__COUNT) {
		martian_drop(dp, p->iface, AF_INET, frame, l2len, bad);
		return false;
	}
	p->l3 = (uint8_t *)h;
	p->len = (uint16_t)total;
	p->l4 = 0;
	p->flags = hlen > IP4_HLEN || h->ttl <= 1 ? PKT_SLOW : 0;
	p->l2len = (uint16_t)l2len;
	return true;
}

static bool ip6_is_v4mapped(const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a, mapped, sizeof(mapped));
}

static bool ip6_is_loopback_or_any(const uint8_t a[16])
{
	static const uint8_t zero[15];

	return !memcmp(a, zero, sizeof(zero)) && a[15] <= 1;
}

static bool ip6_bad_source(const uint8_t a[16])
{
	return a[0] == 0xff || ip6_is_loopback_or_any(a) || ip6_is_v4mapped(a);
}

static bool ip6_link_local(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* G21. DROP__COUNT: all is well. */
static enum drop_reason martian6_of(const struct ip6_header *h)
{
	if (ip6_bad_source(h->src))
		return DROP_MARTIAN_SRC;
	if (h->dst[0] == 0xff || ip6_is_loopback_or_any(h->dst) || ip6_is_v4mapped(h->dst))
		return DROP_MARTIAN_DST;
	return DROP__COUNT;
}

static bool parse_ip6(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t l2len, uint32_t len)
{
	struct ip6_header *h = (struct ip6_header *)(frame + l2len);
	enum drop_reason bad;
	uint32_t total;

	len -= l2len;
	if (len < IP6_HLEN)
		return drop(dp, frame, DROP_RUNT);
	if (frame[l2len] >> 4 != 6)
		return drop(dp, frame, DROP_IP6_VERSION);
	total = IP6_HLEN + ntohs(h->plen);
	if (total > len)
		return drop(dp, frame, DROP_IP6_LENGTH);
	bad = martian6_of(h);
	if (bad != DROP__COUNT) {
		martian_drop(dp, p->iface, AF_INET6, frame, l2len, bad);
		return false;
	}
	p->l3 = (uint8_t *)h;
	p->len = (uint16_t)(total > UINT16_MAX ? 0 : total);
	p->l4 = IP6_HLEN;
	p->proto = h->next;
	p->flags = PKT_IP6;
	p->l2len = (uint16_t)l2len;
	if (ip6_link_local(h->src) || ip6_link_local(h->dst) || h->hops <= 1)
		p->flags |= PKT_SLOW;
	if (ip6_is_extension(h->next)) {
		p->flags |= PKT_SLOW;
		if (!parse_transport(p))
			return drop(dp, frame, DROP_IP6_EXTENSION);
		if (p->flags & PKT_RH0)
			return drop(dp, frame, DROP_IP6_RH0);
	}
	return true;
}

bool parse_frame(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t len)
{
	const struct dp_config *c = dp->cfg;
	uint16_t index = c->port_iface[dp->rx_port], type, vid;
	const struct dp_iface *in = index == IFACE_NONE ? NULL : &c->iface[index];
	uint32_t l2len = ETH_HLEN;

	if (len < ETH_HLEN)
		return drop(dp, frame, DROP_RUNT);
	type = be16_at(frame + 12);
	if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		if (len < ETH_HLEN + VLAN_HLEN)
			return drop(dp, frame, DROP_RUNT);
		vid = be16_at(frame + 14) & 0xfff;
		if (vid) /* vid 0 only carries a priority: the packet is untagged */
			in = vlan_iface(c, dp->rx_port, type, vid);
		type = be16_at(frame + 16);
		l2len += VLAN_HLEN;
		if (vid && in) {
			index = (uint16_t)(in - c->iface);
			counter_add(&dp->count->vlan[index].rx_packets, 1);
			counter_add(&dp->count->vlan[index].rx_bytes, len);
		}
	}
	if (!in)
		return drop(dp, frame, l2len > ETH_HLEN ? DROP_VLAN_UNKNOWN : DROP_IFACE_DOWN);
	if (!in->up)
		return drop(dp, frame, DROP_IFACE_DOWN);
	if (!mac_is(frame, in->mac))
		return drop(dp, frame, DROP_NOT_OURS);
	pkt_begin(p);
	p->iface = index;
	if (type == ETHERTYPE_IP4)
		return parse_ip4(dp, p, frame, l2len, len);
	if (type == ETHERTYPE_IP6)
		return parse_ip6(dp, p, frame, l2len, len);
	return drop(dp, frame, DROP_ETHERTYPE);
}

static bool transport4(struct pkt *p)
{
	const struct ip4_header *h = pkt_ip4(p);
	uint16_t frag = ntohs(h->frag);

	p->l4 = (uint16_t)((h->ver_ihl & 15) * 4);
	p->proto = h->proto;
	if (frag & (IP4_MF | IP4_OFFSET))
		p->flags |= PKT_FRAGMENT;
	if (frag & IP4_OFFSET)
		p->flags |= PKT_LATER_FRAG;
	return true;
}

/* The header after one extension header at `at`; its length, or 0 when it is malformed. */
static uint32_t extension_len(struct pkt *p, uint8_t type, const uint8_t *at, uint32_t left)
{
	uint32_t len;

	if (left < 8)
		return 0;
	if (type == 44) {
		uint16_t off = be16_at(at + 2);

		if (off & 0xfff9) /* an atomic fragment (RFC 6946) is none */
			p->flags |= PKT_FRAGMENT;
		if (off & 0xfff8)
			p->flags |= PKT_LATER_FRAG;
		return 8;
	}
	len = type == 51 ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8;
	if (len > left)
		return 0;
	if (type == 43 && at[2] == 0 && at[3] != 0)
		p->flags |= PKT_RH0;
	return len;
}

static bool transport6(struct pkt *p)
{
	uint32_t at = IP6_HLEN;
	uint8_t next = pkt_ip6(p)->next;

	for (int n = 0; ip6_is_extension(next); n++) {
		uint32_t len;

		if (n == EXT_MAX || (next == 0 && n > 0) || at > p->len)
			return false;
		len = extension_len(p, next, p->l3 + at, p->len - at);
		if (!len)
			return false;
		next = p->l3[at];
		at += len;
		if (p->flags & PKT_LATER_FRAG)
			break; /* what follows is data of the first fragment's chain */
	}
	p->l4 = (uint16_t)at;
	p->proto = next;
	return true;
}

uint32_t parse_fragment6(const struct pkt *p)
{
	struct pkt walk = *p;
	uint32_t at = IP6_HLEN, found = 0;
	uint8_t next = pkt_ip6(p)->next;

	while (at < p->l4) {
		uint32_t len = extension_len(&walk, next, p->l3 + at, p->l4 - at);

		if (!len || (next == 44 && found))
			return 0;
		if (next == 44)
			found = at;
		next = p->l3[at];
		at += len;
	}
	return found;
}

bool parse_transport(struct pkt *p)
{
	return p->flags & PKT_IP6 ? transport6(p) : transport4(p);
}
