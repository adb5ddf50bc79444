/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/csum.h"

uint64_t csum_add(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint32_t w;
	uint16_t h = 0;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&w, p, 4);
		sum += w;
	}
	if (len >= 2) {
		memcpy(&h, p, 2);
		sum += h;
		p += 2;
		len -= 2;
	}
	if (len) {
		h = 0;
		memcpy(&h, p, 1);
		sum += h;
	}
	return sum;
}

uint64_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len)
{
	uint64_t sum = csum_add(src, 16, (uint64_t)htonl(len) + htonl(proto));

	return csum_add(dst, 16, sum);
}
