/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readers of rtnetlink attributes, for the parsers (netlink_parse.c says what they promise). They
 * read nothing beyond the attribute they are given. [any]
 */
#ifndef ROUTER_CTL_NETLINK_ATTR_H
#define ROUTER_CTL_NETLINK_ATTR_H

#include <libmnl/libmnl.h>
#include <string.h>

#include "router/lib/addr.h"

static inline bool message_holds(const struct nlmsghdr *h, size_t fixed)
{
	return h->nlmsg_len >= MNL_NLMSG_HDRLEN + fixed;
}

/* Points tb[type] to each attribute of the len bytes at p. */
static inline bool attrs_index(const void *p, size_t len, const struct nlattr **tb, unsigned most)
{
	const uint8_t *at = p;

	memset(tb, 0, (most + 1) * sizeof(tb[0]));
	while (len) {
		const struct nlattr *a = (const void *)at;
		size_t step;

		if (len < sizeof(*a) || a->nla_len < sizeof(*a) || a->nla_len > len)
			return false;
		if (mnl_attr_get_type(a) <= most)
			tb[mnl_attr_get_type(a)] = a;
		step = MNL_ALIGN(a->nla_len);
		if (step >= len) /* the last one may come without its padding */
			return true;
		at += step;
		len -= step;
	}
	return true;
}

/* The attributes behind a fixed header of `fixed` bytes. The message is known to hold it. */
static inline bool message_index(const struct nlmsghdr *h, size_t fixed, const struct nlattr **tb,
				 unsigned most)
{
	size_t skip = MNL_NLMSG_HDRLEN + MNL_ALIGN(fixed);

	return h->nlmsg_len >= skip &&
	       attrs_index((const uint8_t *)h + skip, h->nlmsg_len - skip, tb, most);
}

static inline bool nested_index(const struct nlattr *a, const struct nlattr **tb, unsigned most)
{
	return attrs_index(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), tb, most);
}

/* Readers: an absent attribute leaves *out alone, one that is too short is an error. */
static inline bool attr_copy(const struct nlattr *a, void *out, size_t size)
{
	if (!a)
		return true;
	if (mnl_attr_get_payload_len(a) < size)
		return false;
	memcpy(out, mnl_attr_get_payload(a), size);
	return true;
}

static inline bool attr_u32(const struct nlattr *a, uint32_t *out)
{
	return attr_copy(a, out, sizeof(*out));
}

static inline bool attr_u8(const struct nlattr *a, uint8_t *out)
{
	return attr_copy(a, out, sizeof(*out));
}

static inline bool attr_ifindex(const struct nlattr *a, int *out)
{
	return attr_copy(a, out, sizeof(*out));
}

static inline bool attr_be16(const struct nlattr *a, uint16_t *out)
{
	uint8_t b[2];

	if (!a)
		return true;
	if (!attr_copy(a, b, sizeof(b)))
		return false;
	*out = (uint16_t)(b[0] << 8 | b[1]);
	return true;
}

/* A string that may lack its NUL and must fit with one. */
static inline bool attr_string(const struct nlattr *a, char *out, size_t size)
{
	size_t n;

	if (!a)
		return true;
	n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	if (n >= size)
		return false;
	memcpy(out, mnl_attr_get_payload(a), n);
	out[n] = '\0';
	return true;
}

/* Link-layer addresses of other lengths (IPoIB, tunnels) are no MAC; that is no error. */
static inline void attr_mac(const struct nlattr *a, bool *has, uint8_t mac[6])
{
	*has = a && mnl_attr_get_payload_len(a) == 6;
	if (*has)
		memcpy(mac, mnl_attr_get_payload(a), 6);
}

static inline bool family_known(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

static inline bool bytes_addr(const uint8_t *bytes, size_t len, uint8_t family, struct addr *out)
{
	uint32_t v4;

	if (family == AF_INET && len >= sizeof(v4)) {
		memcpy(&v4, bytes, sizeof(v4));
		*out = addr_v4(v4);
		return true;
	}
	if (family == AF_INET6 && len >= sizeof(out->v6)) {
		*out = addr_v6(bytes);
		return true;
	}
	return false;
}

static inline bool attr_addr(const struct nlattr *a, uint8_t family, struct addr *out)
{
	return !a || bytes_addr(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), family, out);
}

/* A route's destination or source: absent means that the length is 0. */
static inline bool attr_prefix(const struct nlattr *a, uint8_t family, uint8_t len,
			       struct prefix *out)
{
	struct prefix p = { .addr = { .family = family }, .len = len };

	if (len > addr_bits(&p.addr) || (len && !a) || !attr_addr(a, family, &p.addr))
		return false;
	*out = prefix_masked(&p);
	return true;
}

#endif
