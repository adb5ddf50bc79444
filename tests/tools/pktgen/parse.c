// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads pktgen's command-line values: numbers, ranges of addresses and ports. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/pktgen/pktgen.h"

int parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || end == s || *end || *s == '-' || v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

int parse_seconds(const char *s, double *out)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v > 0 && v < 1e6))
		return -EINVAL;
	*out = v;
	return 0;
}

int parse_mac(const char *s, uint8_t out[6])
{
	struct ether_addr a;

	if (!ether_aton_r(s, &a))
		return -EINVAL;
	memcpy(out, a.ether_addr_octet, 6);
	return 0;
}

static int parse_address(const char *s, struct range *out)
{
	*out = (struct range){ .family = strchr(s, ':') ? AF_INET6 : AF_INET };
	return inet_pton(out->family, s, &out->first) == 1 ? 0 : -EINVAL;
}

/* The part of an address that walks: an IPv4 address, or the lower half of an IPv6 one. */
static uint64_t low_part(const struct range *r)
{
	uint64_t half;

	if (r->family == AF_INET)
		return ntohl(r->first.s6_addr32[0]);
	memcpy(&half, &r->first.s6_addr[8], sizeof(half));
	return be64toh(half);
}

int parse_range(const char *s, struct range *out)
{
	char first[2 * INET6_ADDRSTRLEN], *dash;
	struct range a, b;

	if (strlen(s) >= sizeof(first))
		return -EINVAL;
	strcpy(first, s);
	dash = strchr(first, '-');
	if (dash)
		*dash++ = '\0';
	if (parse_address(first, &a) || parse_address(dash ? dash : first, &b))
		return -EINVAL;
	if (a.family != b.family || (a.family == AF_INET6 && memcmp(&a.first, &b.first, 8)) ||
	    low_part(&b) < low_part(&a) || low_part(&b) - low_part(&a) >= UINT32_MAX)
		return -ERANGE;
	a.walk.base = low_part(&a);
	a.walk.count = (uint32_t)(low_part(&b) - low_part(&a)) + 1;
	*out = a;
	return 0;
}

int parse_ports(const char *s, struct gen_walk *out)
{
	unsigned int a, b;
	int used = 0;

	if (sscanf(s, "%5u%n", &a, &used) != 1)
		return -EINVAL;
	b = a;
	if (s[used] == '-') {
		int more = 0;

		if (sscanf(s + used + 1, "%5u%n", &b, &more) != 1)
			return -EINVAL;
		used += 1 + more;
	}
	if (s[used])
		return -EINVAL;
	if (b < a || b > UINT16_MAX)
		return -ERANGE;
	*out = (struct gen_walk){ .base = a, .count = b - a + 1 };
	return 0;
}

/* The "simple IMIX": seven of 64, four of 594, one of 1518 bytes, well mixed. UDP over IPv6 with
 * pktgen's header does not fit 64 bytes; the least that does takes its place. */
uint32_t imix_size(unsigned int i, bool v6)
{
	static const uint16_t size[GEN_IMIX_LEN] = { 64,   594, 64,  64, 594, 64,
						     1518, 64,	594, 64, 64,  594 };

	return v6 && size[i] == 64 ? FRAME_MIN_V6 + FCS_LEN : size[i];
}
