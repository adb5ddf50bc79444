/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text and comparison of addresses, prefixes and MACs (router/lib/addr.h).
 *
 * The parsers are strict on purpose: what an operator typed is either exactly one address or an
 * error. libc's inet_pton(3) already refuses blanks, zone identifiers, octal and short forms of
 * IPv4; the prefix length and MAC are held to the same measure here. [any]
 */
#include "router/lib/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct addr addr_v4(uint32_t be)
{
	struct addr a = { .family = AF_INET };

	a.v4 = be;
	return a;
}

struct addr addr_v6(const void *bytes16)
{
	struct addr a = { .family = AF_INET6 };

	memcpy(a.bytes, bytes16, sizeof(a.bytes));
	return a;
}

int addr_parse(const char *s, struct addr *out)
{
	uint8_t bytes[16];
	uint32_t v4;

	if (inet_pton(AF_INET, s, &v4) == 1) {
		*out = addr_v4(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, s, bytes) == 1) {
		*out = addr_v6(bytes);
		return 0;
	}
	return -EINVAL;
}

/* Decimal digits only, without sign, blank or leading zero: "0" .. "128". */
static int prefix_len_parse(const char *s, unsigned most, uint8_t *out)
{
	unsigned len = 0;
	size_t n = strlen(s);

	if (n < 1 || n > 3 || (n > 1 && s[0] == '0'))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		len = len * 10 + (unsigned)(*s - '0');
	}
	if (len > most)
		return -EINVAL;
	*out = (uint8_t)len;
	return 0;
}

int prefix_parse(const char *s, struct prefix *out)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	struct prefix p = { 0 };
	char head[ADDR_STRLEN];
	int err;

	if (n >= sizeof(head))
		return -EINVAL;
	memcpy(head, s, n);
	head[n] = '\0';
	err = addr_parse(head, &p.addr);
	if (err)
		return err;
	p.len = (uint8_t)addr_bits(&p.addr);
	if (slash) {
		err = prefix_len_parse(slash + 1, addr_bits(&p.addr), &p.len);
		if (err)
			return err;
	}
	*out = p;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *s, uint8_t out[6])
{
	uint8_t mac[6];

	if (strlen(s) != MAC_STRLEN - 1)
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(mac); i++, s += 3) {
		int high = hex_digit(s[0]), low = hex_digit(s[1]);

		if (high < 0 || low < 0 || s[2] != (i < sizeof(mac) - 1 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(out, mac, sizeof(mac));
	return 0;
}

char *addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	if (!a->family || !inet_ntop(a->family, a->bytes, buf, ADDR_STRLEN))
		strcpy(buf, "-");
	return buf;
}

char *prefix_format(const struct prefix *p, char buf[PREFIX_STRLEN])
{
	char head[ADDR_STRLEN];

	if (p->addr.family)
		snprintf(buf, PREFIX_STRLEN, "%s/%u", addr_format(&p->addr, head), p->len);
	else
		strcpy(buf, "-");
	return buf;
}

char *mac_format(const uint8_t mac[6], char buf[MAC_STRLEN])
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return buf;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)); /* big-endian: bytewise is numeric */
}

struct prefix prefix_masked(const struct prefix *p)
{
	struct prefix m = *p;
	unsigned whole = m.len / 8u, rest = m.len % 8u;

	if (whole >= sizeof(m.addr.bytes))
		return m;
	m.addr.bytes[whole] &= (uint8_t)(0xff00u >> rest);
	memset(m.addr.bytes + whole + 1, 0, sizeof(m.addr.bytes) - whole - 1);
	return m;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct prefix inside = { .addr = *a, .len = p->len };
	struct prefix want, have;

	if (p->addr.family != a->family)
		return false;
	want = prefix_masked(p);
	have = prefix_masked(&inside);
	return addr_equal(&want.addr, &have.addr);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

int prefix_between(const struct addr *first, const struct addr *last)
{
	unsigned bits = addr_bits(first), len = 0;

	while (len < bits && !((first->bytes[len / 8] ^ last->bytes[len / 8]) & 0x80u >> len % 8))
		len++;
	for (unsigned i = len; i < bits; i++)
		if ((first->bytes[i / 8] & 0x80u >> i % 8) ||
		    !(last->bytes[i / 8] & 0x80u >> i % 8))
			return -1;
	return (int)len;
}
