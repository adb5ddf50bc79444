/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes and MACs: parse, print, compare. Knows nothing of packets. [any] */
#ifndef ROUTER_LIB_ADDR_H
#define ROUTER_LIB_ADDR_H

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* An IPv4 or IPv6 address; family is AF_INET, AF_INET6 or 0 (none). Bytes are in network order,
 * and the unused tail of an IPv4 address is zero, so that two are equal iff their bytes are. */
struct addr {
	uint8_t family;
	uint8_t pad[3];
	union {
		uint32_t v4; /* network byte order */
		struct in6_addr v6;
		uint8_t bytes[16];
	};
};
static_assert(sizeof(struct addr) == 20, "struct addr is hashed and compared as bytes");

struct prefix {
	struct addr addr;
	uint8_t len;
};

#define ADDR_STRLEN   46
#define PREFIX_STRLEN 50
#define MAC_STRLEN    18

/* Parsers take the whole string or nothing: 0, or -EINVAL with the output untouched. prefix_parse
 * takes "a.b.c.d" as /32 and "x::" as /128, and keeps host bits (see prefix_masked). */
int addr_parse(const char *s, struct addr *out);
int prefix_parse(const char *s, struct prefix *out);
int mac_parse(const char *s, uint8_t out[6]);

/* Formatters return buf. */
char *addr_format(const struct addr *a, char buf[ADDR_STRLEN]);
char *prefix_format(const struct prefix *p, char buf[PREFIX_STRLEN]);
char *mac_format(const uint8_t mac[6], char buf[MAC_STRLEN]);

struct addr addr_v4(uint32_t be);
struct addr addr_v6(const void *bytes16);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b); /* family first, then numeric */
static inline unsigned addr_bits(const struct addr *a)
{
	return a->family == AF_INET ? 32 : 128;
}

struct prefix prefix_masked(const struct prefix *p); /* host bits cleared */
bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* The length of the prefix that first..last is, or -1. */
int prefix_between(const struct addr *first, const struct addr *last);

#endif
