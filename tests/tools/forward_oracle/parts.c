/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What needs time or has limits, and so is no part of the long script: packets to neighbours who do
 * not exist, and packets that leave by the link they came by, whose senders are redirected. Each
 * host is told once, for Linux counts.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

#define SOMETHING 40 /* bytes that a datagram carries */

static void address(const struct packet *p, const char *text, uint8_t *at)
{
	if (inet_pton(p->six ? AF_INET6 : AF_INET, text, at) != 1)
		assert(!"parts have addresses");
}

/* A right and proper datagram of `size` bytes. */
static void datagram(struct packet *p, unsigned number, unsigned link, const char *from,
		     const char *to, uint32_t size)
{
	uint8_t *h, *udp;
	uint32_t hlen;
	uint16_t sum;

	packet_begin(p, number, link, strchr(from, ':') != NULL);
	hlen = p->six ? 40 : 20;
	h = put(p, hlen);
	udp = put(p, size - hlen);
	address(p, from, h + (p->six ? 8 : 12));
	address(p, to, h + (p->six ? 24 : 16));
	put16(udp, p->mark);
	put16(udp + 2, 9000);
	put16(udp + 4, size - hlen);
	if (p->six) {
		h[0] = 0x60;
		put16(h + 2, p->mark);
		put16(h + 4, size - 40);
		h[6] = IPPROTO_UDP;
		h[7] = 64;
		sum = (uint16_t)~csum_fold(csum_add(
			udp, size - 40, csum_pseudo6(h + 8, h + 24, IPPROTO_UDP, size - 40)));
		memcpy(udp + 6, &sum, sizeof(sum));
	} else {
		h[0] = 0x45;
		put16(h + 2, size);
		put16(h + 4, p->mark);
		h[8] = 64;
		h[9] = IPPROTO_UDP;
		mend4(p);
	}
}

/* On link, and behind a gateway of each family that does not exist; some do not fit where they
 * would leave, which is told at once. */
unsigned part_neighbours(struct packet *p, unsigned room)
{
	char to[64], from[64];
	unsigned n = 0;

	for (unsigned i = 0; i < 10 && n + 4 <= room; i++) {
		unsigned link = i % LINKS;
		uint32_t size = i % 5 == 4 ? world_mtu(link) : 60 + i;

		snprintf(from, sizeof(from), "10.%u.3.%u", link + 1, i);
		snprintf(to, sizeof(to), "10.60.0.%u", i + 1);
		datagram(&p[n], n, link, from, to, size);
		n++;
		datagram(&p[n], n, link, from, "10.61.0.1", size);
		n++;
		snprintf(from, sizeof(from), "2001:db8:%u::3:%u", link + 1, i);
		snprintf(to, sizeof(to), "2001:db8:60::%u", i + 1);
		datagram(&p[n], n, link, from, to, size);
		n++;
		datagram(&p[n], n, link, from, "2001:db8:61::1", size);
		n++;
	}
	return n;
}

/* From hosts of a link to hosts behind it, to its own, and from behind it: who is no neighbour is
 * not redirected. Linux limits IPv6's to six for each route. */
unsigned part_redirects(struct packet *p, unsigned room)
{
	static const char *const from4[] = { "10.0.%u.%u", "10.0.%u.%u", "10.%u.4.%u" };
	static const char *const to4[] = { "10.%u.5.%u", "10.0.%u.%u", "10.%u.5.%u" };
	static const char *const from6[] = { "2001:db8:a%u::%u", "2001:db8:a%u::%u",
					     "2001:db8:%u::4:%u" };
	static const char *const to6[] = { "2001:db8:%u::5:%u", "2001:db8:a%u::%u",
					   "2001:db8:%u::5:%u" };
	char from[64], to[64];
	unsigned n = 0;

	for (unsigned i = 0; i < 18; i++)
		for (unsigned link = 0; link < LINKS && n + 2 <= room; link++) {
			snprintf(from, sizeof(from), from4[i % 3], link + 1, 10 + i);
			snprintf(to, sizeof(to), to4[i % 3], link + 1, 100 + i);
			datagram(&p[n], n, link, from, to, 28 + SOMETHING + i);
			n++;
			if (i >= 12)
				continue;
			snprintf(from, sizeof(from), from6[i % 3], link + 1, 2 + i / 3);
			snprintf(to, sizeof(to), to6[i % 3], link + 1, 6 + i / 3);
			datagram(&p[n], n, link, from, to, 48 + SOMETHING + i);
			n++;
		}
	return n;
}
