/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See unfinished.h. Of TCP and UDP the field holds the folded sum of the pseudo header, of SCTP
 * nothing at all. A complete checksum that looks the same by chance is computed to itself.
 *
 * A packet has one such checksum at most. In a tunnel it is the innermost that could be: what
 * stands around it has been made as if it were right already. If nothing inside a tunnel could be,
 * or was done when the tunnel's header was put on, it is the tunnel's own. So packets are looked
 * into as deep as headers go, and then from the inside out. A tunnel is known by what its header
 * says, not by its port, which anybody may choose.
 *
 * Fragments are finished by who makes them.
 */
#include "router/net/unfinished.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/net/csum.h"
#include "router/net/l4.h"
#include "router/net/parse.h"

#define DEPTH_MAX  4 /* IP headers in one another */
#define VLAN_DEPTH 2

enum {
	TYPE_IP4 = 0x0800,
	TYPE_ETHERNET = 0x6558, /* transparent Ethernet bridging (RFC 1701) */
	TYPE_VLAN = 0x8100,
	TYPE_IP6 = 0x86dd,
	TYPE_QINQ = 0x88a8,
	UDP_HEADER = 8,
	TUNNEL_HEADER = 8, /* of VXLAN, and of Geneve without options */
	GRE_HEADER = 4,
	SCTP_HEADER = 12,
	SCTP_CHECKSUM = 8,
	CHUNK_HEADER = 4,
};

static uint16_t be16_at(const uint8_t *at)
{
	return ntohs(l4_load16(at));
}

/* ---- checksums: true if it was unfinished */

static bool finish_sum(struct pkt *p)
{
	uint8_t *at = p->l3 + p->l4 + (p->proto == IPPROTO_TCP ? 16 : 6);
	uint32_t len = l4_len(p);
	uint16_t field, pseudo, csum;
	uint64_t sum;

	if (len < (p->proto == IPPROTO_TCP ? 18 : 8))
		return false;
	sum = p->flags & PKT_IP6
		      ? csum_pseudo6(pkt_ip6(p)->src, pkt_ip6(p)->dst, p->proto, len)
		      : csum_pseudo4(pkt_ip4(p)->src, pkt_ip4(p)->dst, p->proto, (uint16_t)len);
	pseudo = csum_fold(sum);
	field = l4_load16(at);
	if (field != pseudo || (p->proto == IPPROTO_UDP && field == 0))
		return false;
	csum = (uint16_t)~csum_fold(csum_add(p->l3 + p->l4, len, 0));
	if (csum == 0 && p->proto == IPPROTO_UDP)
		csum = 0xffff;
	l4_store16(at, csum);
	return csum != field;
}

/* CRC32c, four bits at a time (RFC 9260, appendix A). */
static uint32_t crc32c(const uint8_t *at, uint32_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; i < len; i++) {
		crc ^= at[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* Four zeros alone say little: are there chunks, from the header to the end of the packet? */
static bool is_sctp(const uint8_t *l4, uint32_t len)
{
	static const uint8_t none[4];
	uint32_t at = SCTP_HEADER;

	if (len < SCTP_HEADER + CHUNK_HEADER || memcmp(l4 + SCTP_CHECKSUM, none, sizeof(none)) != 0)
		return false;
	while (at + CHUNK_HEADER <= len) {
		uint32_t chunk = be16_at(l4 + at + 2);

		if (chunk < CHUNK_HEADER)
			return false;
		at += (chunk + 3) & ~3u;
	}
	return at == len;
}

static bool finish_crc(struct pkt *p)
{
	uint8_t *l4 = p->l3 + p->l4;
	uint32_t crc;

	if (!is_sctp(l4, l4_len(p)))
		return false;
	crc = crc32c(l4, l4_len(p));
	for (unsigned i = 0; i < sizeof(crc); i++)
		l4[SCTP_CHECKSUM + i] = (uint8_t)(crc >> 8 * i);
	return true;
}

static bool finish(struct pkt *p)
{
	switch (p->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP: return finish_sum(p);
	case IPPROTO_SCTP: return finish_crc(p);
	default: return false;
	}
}

/* ---- tunnels: what p carries, if all of it is there; `at` is an offset from p->l3 */

static bool open_ip(const struct pkt *p, uint32_t at, uint16_t type, struct pkt *in)
{
	bool six = type == TYPE_IP6;
	uint32_t hlen = six ? IP6_HLEN : IP4_HLEN, total;
	uint8_t *l3 = p->l3 + at;

	if ((!six && type != TYPE_IP4) || at + hlen > p->len || l3[0] >> 4 != (six ? 6 : 4))
		return false;
	if (!six)
		hlen = (l3[0] & 15) * 4u;
	total = six ? IP6_HLEN + be16_at(l3 + 4) : be16_at(l3 + 2);
	if (hlen < IP4_HLEN || total < hlen || at + total > p->len)
		return false;
	*in = (struct pkt){ .l3 = l3, .len = (uint16_t)total, .flags = six ? PKT_IP6 : 0 };
	return parse_transport(in);
}

static bool open_payload(const struct pkt *p, uint32_t at, uint16_t type, struct pkt *in)
{
	if (type != TYPE_ETHERNET)
		return open_ip(p, at, type, in);
	if (at + ETH_HLEN > p->len)
		return false;
	type = be16_at(p->l3 + at + 12);
	at += ETH_HLEN;
	for (int i = 0; i < VLAN_DEPTH && (type == TYPE_VLAN || type == TYPE_QINQ); i++) {
		if (at + VLAN_HLEN > p->len)
			return false;
		type = be16_at(p->l3 + at + 2);
		at += VLAN_HLEN;
	}
	return open_ip(p, at, type, in);
}

/* RFC 2784, RFC 2890: a checksum, a key and a number may follow. */
static bool open_gre(const struct pkt *p, struct pkt *in)
{
	const uint8_t *h = p->l3 + p->l4;
	uint32_t more;

	if (l4_len(p) < GRE_HEADER || h[0] & 0x4f || h[1])
		return false;
	more = (h[0] >> 7 & 1) + (h[0] >> 5 & 1) + (h[0] >> 4 & 1);
	return open_payload(p, p->l4 + GRE_HEADER + 4 * more, be16_at(h + 2), in);
}

/* VXLAN (RFC 7348), whose header says no more than that it has a number, and with 0x88 whose group
 * it is of; Geneve (RFC 8926), which has options, and says what it carries. */
static bool open_udp(const struct pkt *p, struct pkt *in)
{
	const uint8_t *h = p->l3 + p->l4 + UDP_HEADER;
	uint32_t at = p->l4 + UDP_HEADER + TUNNEL_HEADER;

	if (l4_len(p) < UDP_HEADER + TUNNEL_HEADER || h[7] != 0)
		return false;
	if (h[0] == 0x88 || (h[0] == 0x08 && !be16_at(h + 2)))
		return open_payload(p, at, TYPE_ETHERNET, in);
	if (h[0] >> 6 != 0 || h[1] & 0x3f)
		return false;
	return open_payload(p, at + (h[0] & 0x3f) * 4u, be16_at(h + 2), in);
}

static bool open_tunnel(const struct pkt *p, struct pkt *in)
{
	switch (p->proto) {
	case IPPROTO_IPIP: return open_ip(p, p->l4, TYPE_IP4, in);
	case IPPROTO_IPV6: return open_ip(p, p->l4, TYPE_IP6, in);
	case IPPROTO_GRE: return open_gre(p, in);
	case IPPROTO_UDP: return open_udp(p, in);
	default: return false;
	}
}

void unfinished_complete(struct dp *dp, struct pkt *p)
{
	struct pkt level[DEPTH_MAX];
	int n = 1;

	if ((!p->l4 && !parse_transport(p)) || p->flags & PKT_FRAGMENT)
		return;
	level[0] = *p;
	while (n < DEPTH_MAX && open_tunnel(&level[n - 1], &level[n]) &&
	       !(level[n].flags & PKT_FRAGMENT))
		n++;
	while (n-- > 0) {
		if (finish(&level[n])) {
			dp_event(dp, EVENT_CSUM_COMPLETED);
			return;
		}
	}
}
