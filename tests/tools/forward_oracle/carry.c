/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets of the script carry: UDP, TCP, ICMP, its errors, and what nobody knows. */
#include <netinet/in.h>
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

static void fill(const struct script *s, struct packet *p, uint32_t n)
{
	uint8_t *at = put(p, n), *end = p->b + p->len;
	uint64_t word = chance(s, p);

	for (; at < end; at++, word = word * 0x5851f42d4c957f2dull + 1)
		*at = (uint8_t)(word >> 56);
}

/* Never the ports of DHCP: those are Linux's, whoever sends to them. */
static unsigned port_to(const struct script *s, struct packet *p)
{
	static const unsigned ports[] = { 7, 53, 80, 9000, 33434, 179 };

	return ports[below(s, p, sizeof(ports) / sizeof(ports[0]))];
}

static uint8_t udp(const struct script *s, struct packet *p, uint32_t size)
{
	uint8_t *h = put(p, 8);

	put16(h, p->mark);
	put16(h + 2, port_to(s, p));
	put16(h + 4, one_in(s, p, 40) ? below(s, p, 0x10000) : size);
	fill(s, p, size - 8);
	return IPPROTO_UDP;
}

static uint8_t tcp(const struct script *s, struct packet *p, uint32_t size)
{
	static const uint8_t flags[] = { 2, 0x12, 0x10, 0x18, 0x11, 4, 0x14 };
	uint8_t *h = put(p, 20);

	put16(h, p->mark);
	put16(h + 2, port_to(s, p));
	put16(h + 6, below(s, p, 0x10000));
	put16(h + 10, below(s, p, 0x10000));
	h[12] = 5 << 4;
	h[13] = one_in(s, p, 8) ? (uint8_t)chance(s, p) : flags[below(s, p, sizeof(flags))];
	put16(h + ETH_HLEN, 0x2000);
	if (size > 20)
		fill(s, p, size - 20);
	return IPPROTO_TCP;
}

static uint8_t icmp_of(const struct packet *p)
{
	return p->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static uint8_t echo(const struct script *s, struct packet *p, uint32_t size)
{
	uint8_t *h = put(p, 8);

	h[0] = p->six ? 128 : 8;
	if (one_in(s, p, 6))
		h[0] = p->six ? 129 : 0;
	put16(h + 4, p->mark);
	put16(h + 6, below(s, p, 0x10000));
	fill(s, p, size - 8);
	return icmp_of(p);
}

/* An error about a packet of the receiver's to somebody else; and messages of any type. */
static uint8_t error(const struct script *s, struct packet *p, uint32_t size)
{
	static const uint8_t types4[] = { 3, 3, 4, 5, 11, 12, 1, 14, 15, 17, 19, 40, 255 };
	static const uint8_t types6[] = { 1, 2, 3, 4, 100, 127, 137, 138, 200, 255 };
	const uint8_t *ip = p->b + p->l3;
	uint8_t *h = put(p, 8), *q;

	h[0] = p->six ? types6[below(s, p, sizeof(types6))] : types4[below(s, p, sizeof(types4))];
	h[1] = (uint8_t)below(s, p, one_in(s, p, 4) ? 256 : 6);
	if (one_in(s, p, 2))
		put16(h + 6, 68 + below(s, p, 1500));
	size -= 8;
	if (size >= 48 && p->six) {
		q = put(p, 48);
		q[0] = 0x60;
		put16(q + 4, 8);
		q[6] = IPPROTO_UDP;
		q[7] = 61;
		memcpy(q + 8, ip + 24, 16);
		memcpy(q + 24, ip + 8, 16);
		size -= 48;
	} else if (size >= 28 && !p->six) {
		q = put(p, 28);
		q[0] = 0x45;
		put16(q + 2, 28);
		q[8] = 61;
		q[9] = IPPROTO_UDP;
		memcpy(q + 12, ip + 16, 4);
		memcpy(q + 16, ip + 12, 4);
		size -= 28;
	}
	fill(s, p, size);
	return icmp_of(p);
}

static uint8_t other(const struct script *s, struct packet *p, uint32_t size)
{
	static const uint8_t protocols[] = { 47, 50, 132, 136, 4, 41, 103, 59, 253, 255 };

	fill(s, p, size);
	return protocols[below(s, p, sizeof(protocols))];
}

uint8_t carry(const struct script *s, struct packet *p, uint32_t size)
{
	if (size < 8)
		size = 8;
	switch (below(s, p, 10)) {
	case 0:
	case 1:
	case 2:
	case 3: return udp(s, p, size);
	case 4:
	case 5: return tcp(s, p, size);
	case 6:
	case 7: return echo(s, p, size);
	case 8: return error(s, p, size);
	default: return other(s, p, size);
	}
}

void carry_sum(const struct script *s, struct packet *p, uint8_t proto, uint32_t l4)
{
	const uint8_t *ip = p->b + p->l3;
	uint32_t len = p->len - l4, at;
	uint64_t sum = 0;
	uint32_t src, dst;
	uint16_t field;

	at = proto == IPPROTO_UDP ? 6 : proto == IPPROTO_TCP ? 16 : 2;
	if ((proto != IPPROTO_UDP && proto != IPPROTO_TCP && proto != icmp_of(p)) || len < at + 2)
		return;
	if (p->six) {
		sum = csum_pseudo6(ip + 8, ip + 24, proto, len);
	} else if (proto != IPPROTO_ICMP) {
		memcpy(&src, ip + 12, 4);
		memcpy(&dst, ip + 16, 4);
		sum = csum_pseudo4(src, dst, proto, (uint16_t)len);
	}
	field = (uint16_t)~csum_fold(csum_add(p->b + l4, len, sum));
	if (one_in(s, p, 30))
		field ^= (uint16_t)(1u << below(s, p, 16));
	else if (proto == IPPROTO_UDP && one_in(s, p, 20))
		field = 0; /* IPv4: none was made */
	memcpy(p->b + l4 + at, &field, 2);
}
