/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internet checksums (RFC 1071) and their incremental update (RFC 1624, equation 3). [any] */
#ifndef ROUTER_NET_CSUM_H
#define ROUTER_NET_CSUM_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of len bytes in memory order, unfolded, added to `sum`; an odd last byte counts as if a zero
 * followed. */
uint64_t csum_add(const void *data, size_t len, uint64_t sum);

/* Of a 20-byte header; 0xffff when its checksum field is right. */
static inline uint16_t csum_ip4_20(const void *h)
{
	uint32_t w[5];

	memcpy(w, h, sizeof(w));
	return csum_fold((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]);
}

/* A checksum field after one 16-bit word of what it covers went from `from` to `to`; all three in
 * the byte order of the packet. RFC 1624: HC' = ~(~HC + ~m + m'). */
static inline uint16_t csum_update16(uint16_t csum, uint16_t from, uint16_t to)
{
	uint32_t s = (uint32_t)(uint16_t)~csum + (uint16_t)~from + to;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* What a checksum must be told when `len` bytes (even) of what it covers go from one content to the
 * other. Never 0xffff, which would say the same as 0: nothing. */
static inline uint16_t csum_delta(const void *from, const void *to, size_t len)
{
	uint16_t was = csum_fold(csum_add(from, len, 0));
	uint16_t delta = csum_fold(csum_add(to, len, (uint16_t)~was));

	return delta == 0xffff ? 0 : delta;
}

/* Equation 3 with the change of many words as one. A right field is right again, a wrong one wrong
 * by as much; 0xffff only comes out where it went in and nothing changed. */
static inline uint16_t csum_adjust(uint16_t csum, uint16_t delta)
{
	uint32_t s = (uint32_t)(uint16_t)~csum + delta;

	return (uint16_t) ~((s & 0xffff) + (s >> 16));
}

/* The pseudo header of TCP, UDP and ICMPv6, unfolded; len: bytes of transport header and data. */
static inline uint64_t csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t len)
{
	return (uint64_t)src + dst + htons(proto) + htons(len);
}
uint64_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len);

#endif
