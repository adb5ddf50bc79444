/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet of the script and what came of it on both sides, for people. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/tools/forward_oracle/oracle.h"

#define BYTES_MAX 160

static void addresses(FILE *to, const uint8_t *from, int family, unsigned size)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	fprintf(to, "%s > %s", inet_ntop(family, from, a, sizeof(a)),
		inet_ntop(family, from + size, b, sizeof(b)));
}

static void headers(FILE *to, const uint8_t *b, uint32_t len)
{
	uint32_t at = ETH_HLEN, hlen;
	const uint8_t *h;

	if (len > 18 && get16(b + 12) == ETH_P_8021Q)
		at += 4;
	h = b + at;
	if (get16(h - 2) == ETH_P_IP && len >= at + 20) {
		hlen = (h[0] & 15) * 4u;
		addresses(to, h + 12, AF_INET, 4);
		fprintf(to, " v%d ihl %u tos %02x len %u (%u there) frag %04x ttl %u proto %u",
			h[0] >> 4, hlen, h[1], get16(h + 2), len - at, get16(h + 6), h[8], h[9]);
		if (h[9] == 1 && len > at + hlen + 1)
			fprintf(to, " icmp %u/%u", h[hlen], h[hlen + 1]);
	} else if (get16(h - 2) == ETH_P_IPV6 && len >= at + 40) {
		addresses(to, h + 8, AF_INET6, 16);
		fprintf(to, " v%d plen %u (%u there) next %u hops %u", h[0] >> 4, get16(h + 4),
			len - at - 40, h[6], h[7]);
		if (h[6] == 58 && len > at + 41)
			fprintf(to, " icmp6 %u/%u", h[40], h[41]);
	}
	fprintf(to, "\n        ");
	for (uint32_t i = 0; i < len && i < BYTES_MAX; i++)
		fprintf(to, "%s%02x", i == at || i == at + 20 || i == at + 40 ? " " : "", b[i]);
	fprintf(to, "%s\n", len > BYTES_MAX ? "..." : "");
}

void show(FILE *to, const struct packet *p)
{
	fprintf(to, "packet %llu by %s, from %s to %s: ", (unsigned long long)p->number,
		link_name[p->link], p->from, p->to);
	headers(to, p->b, p->len);
	for (unsigned side = 0; side < SIDES; side++) {
		bool nothing = true;

		for (unsigned link = 0; link < LINKS; link++)
			for (const struct seen *f = p->out[side][link].first; f; f = f->next) {
				fprintf(to, "  %-6s -> %s: ", side_name[side], link_name[link]);
				headers(to, f->b, f->len);
				nothing = false;
			}
		if (nothing)
			fprintf(to, "  %-6s drops it\n", side_name[side]);
	}
}
