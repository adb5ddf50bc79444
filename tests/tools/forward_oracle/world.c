/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of the script: one of every class that a router tells from others. What routes and
 * neighbours they meet is set up alike for both routers by tests/netns/oracle_forward.sh.
 *
 * Link N (1 to 3) has 10.0.N.0/24 with the router at .1 and neighbours at .2 to .251 (many, for
 * Linux limits what it tells each of them), and all of 10.N.0.0/16 behind .2; IPv6 likewise
 * 2001:db8:aN::/64, with neighbours ::2 to ::9, and 2001:db8:N::/48.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "tests/tools/forward_oracle/oracle.h"

const char *const link_name[LINKS] = { "lan", "wan", "dmz" };
const char *const side_name[SIDES] = { "kernel", "ours" };

/* Which link's number is added to the address. */
enum whose { NOBODYS, ANY, ITS, ANOTHERS };

struct place {
	const char *name;
	unsigned weight;
	const char *base;
	enum whose whose;
	unsigned at;	      /* the byte that the link's number is added to */
	unsigned first, span; /* added to the end: one of first .. first + span - 1 */
};

static const struct place to4[] = {
	{ "off link", 44, "10.0.0.0", ANY, 1, 256, OFF_LINK_LAST },
	{ "on link", 8, "10.0.0.0", ANY, 2, 2, 250 },
	{ "own", 4, "10.0.0.1", ANY, 2, 0, 1 },
	{ "own, of loopback", 1, "10.9.9.9", NOBODYS, 0, 0, 1 },
	{ "own, of a /31", 1, "10.0.20.0", NOBODYS, 0, 0, 1 },
	{ "peer of a /31", 2, "10.0.20.1", NOBODYS, 0, 0, 1 },
	{ "broadcast", 1, "255.255.255.255", NOBODYS, 0, 0, 1 },
	{ "directed broadcast", 3, "10.0.0.255", ANY, 2, 0, 1 },
	{ "multicast of the link", 1, "224.0.0.0", NOBODYS, 0, 1, 250 },
	{ "multicast", 1, "239.1.0.0", NOBODYS, 0, 1, 250 },
	{ "blackhole", 3, "10.50.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "unreachable", 3, "10.51.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "prohibit", 3, "10.52.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "throw", 3, "10.53.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu locked, 700", 4, "10.54.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu 576", 4, "10.55.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu locked, 68", 2, "10.56.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "via IPv6", 2, "10.59.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "no route", 3, "198.18.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "loopback", 1, "127.0.0.1", NOBODYS, 0, 0, 200 },
	{ "any", 1, "0.0.0.0", NOBODYS, 0, 0, 1 },
	{ "0/8", 1, "0.0.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "class E", 1, "240.0.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "link-local", 1, "169.254.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
};

static const struct place from4[] = {
	{ "off link", 60, "10.0.0.0", ITS, 1, 256, OFF_LINK_LAST },
	{ "on link", 16, "10.0.0.0", ITS, 2, 2, 250 },
	{ "off another link", 6, "10.0.0.0", ANOTHERS, 1, 256, OFF_LINK_LAST },
	{ "on another link", 3, "10.0.0.0", ANOTHERS, 2, 2, 250 },
	{ "own", 2, "10.0.0.1", ANY, 2, 0, 1 },
	{ "own, of loopback", 1, "10.9.9.9", NOBODYS, 0, 0, 1 },
	{ "broadcast", 1, "255.255.255.255", NOBODYS, 0, 0, 1 },
	{ "directed broadcast", 2, "10.0.0.255", ANY, 2, 0, 1 },
	{ "multicast", 1, "224.0.0.0", NOBODYS, 0, 1, 250 },
	{ "loopback", 1, "127.0.0.1", NOBODYS, 0, 0, 200 },
	{ "any", 1, "0.0.0.0", NOBODYS, 0, 0, 1 },
	{ "0/8", 1, "0.0.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "class E", 1, "240.0.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "link-local", 1, "169.254.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "no route", 2, "198.18.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "blackhole", 1, "10.50.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "prohibit", 1, "10.52.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu 576", 1, "10.55.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "via IPv6", 1, "10.59.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
};

static const struct place to6[] = {
	{ "off link", 44, "2001:db8::", ANY, 5, 256, OFF_LINK_LAST },
	{ "on link", 8, "2001:db8:a0::", ANY, 5, 2, 8 },
	{ "own", 4, "2001:db8:a0::1", ANY, 5, 0, 1 },
	{ "own, of loopback", 1, "2001:db8:99::9", NOBODYS, 0, 0, 1 },
	{ "link-local", 1, "fe80::", NOBODYS, 0, 2, 8 },
	{ "own, link-local", 1, "fe80::a0:1", ITS, 13, 0, 1 },
	{ "own, of another link's link", 1, "fe80::a0:1", ANOTHERS, 13, 0, 1 },
	{ "multicast of the host", 1, "ff01::1", NOBODYS, 0, 0, 1 },
	{ "multicast of the link", 1, "ff02::1", NOBODYS, 0, 0, 1 },
	{ "multicast", 1, "ff0e::1234", NOBODYS, 0, 0, 2 },
	{ "blackhole", 3, "2001:db8:50::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "unreachable", 3, "2001:db8:51::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "prohibit", 3, "2001:db8:52::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "throw", 3, "2001:db8:53::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu locked, 1320", 4, "2001:db8:54::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "mtu 1300", 4, "2001:db8:55::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "via link-local", 3, "2001:db8:59::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "no route", 3, "2001:db8:ffff::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "loopback", 1, "::1", NOBODYS, 0, 0, 1 },
	{ "any", 1, "::", NOBODYS, 0, 0, 1 },
	{ "mapped", 1, "::ffff:10.2.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "compatible", 1, "::10.2.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "site-local", 1, "fec0::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "unique local", 2, "fd00::", NOBODYS, 0, 1, OFF_LINK_LAST },
};

static const struct place from6[] = {
	{ "off link", 60, "2001:db8::", ITS, 5, 256, OFF_LINK_LAST },
	{ "on link", 16, "2001:db8:a0::", ITS, 5, 2, 8 },
	{ "off another link", 6, "2001:db8::", ANOTHERS, 5, 256, OFF_LINK_LAST },
	{ "on another link", 3, "2001:db8:a0::", ANOTHERS, 5, 2, 8 },
	{ "own", 2, "2001:db8:a0::1", ANY, 5, 0, 1 },
	{ "link-local", 3, "fe80::", NOBODYS, 0, 2, 8 },
	{ "multicast", 1, "ff0e::1234", NOBODYS, 0, 0, 2 },
	{ "loopback", 1, "::1", NOBODYS, 0, 0, 1 },
	{ "any", 1, "::", NOBODYS, 0, 0, 1 },
	{ "mapped", 1, "::ffff:10.2.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "compatible", 1, "::10.2.0.0", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "site-local", 1, "fec0::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "unique local", 2, "fd00::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "no route", 2, "2001:db8:ffff::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "prohibit", 1, "2001:db8:52::", NOBODYS, 0, 1, OFF_LINK_LAST },
	{ "via link-local", 1, "2001:db8:59::", NOBODYS, 0, 1, OFF_LINK_LAST },
};

#define ROWS(table) table, sizeof(table) / sizeof(table[0])

static const struct place *choose(const struct script *s, struct packet *p,
				  const struct place *table, unsigned n)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < n; i++)
		sum += table[i].weight;
	assert(sum > 0);
	at = below(s, p, sum);
	for (unsigned i = 0; i < n; i++) {
		if (at < table[i].weight)
			return &table[i];
		at -= table[i].weight;
	}
	assert(!"weights add up");
	return table;
}

static unsigned link_of(const struct script *s, struct packet *p, enum whose whose)
{
	switch (whose) {
	case NOBODYS: return 0;
	case ANY: return 1 + below(s, p, LINKS);
	case ITS: return 1 + p->link;
	case ANOTHERS: return 1 + (p->link + 1 + below(s, p, LINKS - 1)) % LINKS;
	}
	return 0;
}

static const char *address(const struct script *s, struct packet *p, const struct place *table,
			   unsigned n, uint8_t *at)
{
	const struct place *row = choose(s, p, table, n);
	unsigned size = p->six ? 16 : 4;
	uint32_t end;

	if (inet_pton(p->six ? AF_INET6 : AF_INET, row->base, at) != 1)
		assert(!"the tables have addresses");
	at[row->at] = (uint8_t)(at[row->at] + link_of(s, p, row->whose));
	memcpy(&end, at + size - 4, 4);
	end = htonl(ntohl(end) + row->first + below(s, p, row->span));
	memcpy(at + size - 4, &end, 4);
	return row->name;
}

const char *world_source(const struct script *s, struct packet *p, uint8_t *at)
{
	return p->six ? address(s, p, ROWS(from6), at) : address(s, p, ROWS(from4), at);
}

const char *world_destination(const struct script *s, struct packet *p, const uint8_t *source,
			      uint8_t *at)
{
	if (one_in(s, p, 100)) {
		memcpy(at, source, p->six ? 16 : 4);
		return "its source";
	}
	return p->six ? address(s, p, ROWS(to6), at) : address(s, p, ROWS(to4), at);
}

bool world_is_own(const uint8_t *a, bool six)
{
	static const uint8_t loopback4[4] = { 10, 9, 9, 9 }, of31[4] = { 10, 0, 20, 0 };
	static const uint8_t loopback6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0x99, [15] = 9 };

	if (!six)
		return !memcmp(a, loopback4, 4) || !memcmp(a, of31, 4) ||
		       (a[0] == 10 && a[1] == 0 && a[2] >= 1 && a[2] <= LINKS && a[3] == 1);
	if (!memcmp(a, loopback6, 16))
		return true;
	for (unsigned n = 1; n <= LINKS; n++) {
		const uint8_t global[16] = { 0x20, 1, 0xd, 0xb8, 0, (uint8_t)(0xa0 + n), [15] = 1 };
		const uint8_t local[16] = { 0xfe, 0x80, [13] = (uint8_t)(0xa0 + n), [15] = 1 };

		if (!memcmp(a, global, 16) || !memcmp(a, local, 16))
			return true;
	}
	return false;
}

void world_macs(unsigned link, uint8_t router[6], uint8_t host[6])
{
	const uint8_t mac[6] = { 2, 0, 0, 0, (uint8_t)(link + 1), 1 };

	memcpy(router, mac, 6);
	memcpy(host, mac, 6);
	host[5] = 2;
}

unsigned world_mtu(unsigned link)
{
	static const unsigned mtu[LINKS] = { 1700, 1400, 1280 };

	return mtu[link];
}
