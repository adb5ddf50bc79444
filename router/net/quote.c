/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a quote goes. Three things end it: the end of the message; the quoted packet's own
 * length, behind which there is padding; and the length an error says its quote has, when
 * extensions follow it (RFC 4884). Whoever reads or changes a quoted packet stays within what is
 * found here.
 */
#include "router/net/quote.h"

#include <arpa/inet.h>
#include <assert.h>

#include "router/net/l4.h"
#include "router/net/parse.h"

/* Bytes of quote as the error's length attribute has them, 0: it has none. In ICMP it counts words
 * of 32 bits and is the second byte of what was "unused", in ICMPv6 64 and the first. */
static uint32_t length_attribute(const uint8_t *icmp, bool ip6)
{
	if (ip6)
		return icmp[0] == 1 || icmp[0] == 3 ? icmp[4] * 8u : 0;
	return icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12 ? icmp[5] * 4u : 0;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Length of the quoted packet as its IP header has it; 0: that header is malformed or not all
 * there. *hlen: of the header with its options. */
static uint32_t quoted_total(const uint8_t *l3, uint32_t have, bool ip6, uint32_t *hlen)
{
	const struct ip4_header *h4 = (const struct ip4_header *)l3;
	const struct ip6_header *h6 = (const struct ip6_header *)l3;

	*hlen = ip6 ? IP6_HLEN : IP4_HLEN;
	if (have < *hlen || l3[0] >> 4 != (ip6 ? 6 : 4))
		return 0;
	if (ip6)
		return IP6_HLEN + ntohs(h6->plen);
	*hlen = (h4->ver_ihl & 15) * 4u;
	return *hlen < IP4_HLEN || *hlen > have || ntohs(h4->len) < *hlen ? 0 : ntohs(h4->len);
}

bool quote_parse(const struct pkt *error, uint32_t at, struct pkt *q)
{
	bool ip6 = error->flags & PKT_IP6;
	uint32_t have, said, total, hlen;

	assert(at % 2 == 0);
	if (at < error->l4 + (uint32_t)ICMP_HLEN || at > error->len)
		return false;
	have = error->len - at;
	total = quoted_total(error->l3 + at, have, ip6, &hlen);
	if (!total)
		return false;
	/* One that does not hold what has to be quoted is none, but noise in a byte that was once
	 * unused. */
	said = length_attribute(error->l3 + error->l4, ip6);
	if (said >= hlen + ICMP_HLEN)
		have = min32(have, said);
	*q = (struct pkt){ .l3 = error->l3 + at,
			   .len = (uint16_t)min32(have, total),
			   .flags = ip6 ? PKT_IP6 : 0,
			   .flow = PKT_NO_FLOW };
	if (!parse_transport(q) || q->flags & PKT_LATER_FRAG)
		q->l4 = 0;
	return true;
}
