/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In what two ICMP errors about the same packet differ: what all rows about errors are made of. */
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

static bool sum_is_right(const uint8_t *ip, bool six, const uint8_t *icmp, uint32_t len)
{
	return csum_fold(csum_add(icmp, len, six ? csum_pseudo6(ip + 8, ip + 24, 58, len) : 0)) ==
	       0xffff;
}

/* Of what both quote; n: the shorter's length. */
static unsigned quotes4(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	uint32_t hlen = (b[0] & 15) * 4u;

	if (!memcmp(a, b, n))
		return 0;
	if (hlen > n || memcmp(a, b, 2) || memcmp(a + 4, b + 4, 2) || a[9] != b[9] ||
	    memcmp(a + 12, b + 12, 8) || memcmp(a + hlen, b + hlen, n - hlen))
		return ASPECT_OTHER;
	if (a[8] == b[8] && !memcmp(a, b, 20))
		return ASPECT_QUOTED_OPTIONS;
	return a[8] + 1 == b[8] && csum_fold(csum_add(a, hlen, 0)) == 0xffff &&
			       !memcmp(a + 20, b + 20, hlen - 20) &&
			       (a[6] & 0x20 || (!memcmp(a, b, 8)))
		       ? ASPECT_QUOTED_HOPS
		       : ASPECT_OTHER;
}

static unsigned aspects4(const struct seen *k, const struct seen *o)
{
	const uint8_t *a = k->b + ETH_HLEN, *b = o->b + ETH_HLEN;
	uint32_t alen = (a[0] & 15) * 4u, blen = (b[0] & 15) * 4u, an, bn;
	unsigned found = 0;

	if (blen != 20 || k->len != ETH_HLEN + get16(a + 2) || o->len != ETH_HLEN + get16(b + 2))
		return ASPECT_OTHER;
	an = k->len - ETH_HLEN - alen;
	bn = o->len - ETH_HLEN - blen;
	if (alen > 20 && (bn == an || k->len - ETH_HLEN > 572) && bn >= an)
		found |= ASPECT_OPTIONS;
	else if (alen > 20 || an != bn)
		return ASPECT_OTHER;
	if (a[1] != b[1])
		found |= (a[1] ^ b[1]) == 2 && a[1] & 2 ? ASPECT_ECN : ASPECT_OTHER;
	if (memcmp(k->b, o->b, ETH_HLEN) || memcmp(a + 4, b + 4, 16) ||
	    memcmp(a + alen, b + blen, 2) || memcmp(a + alen + 4, b + blen + 4, 4) ||
	    !sum_is_right(a, false, a + alen, an) || !sum_is_right(b, false, b + blen, bn))
		found |= ASPECT_OTHER;
	return found | quotes4(a + alen + 8, b + blen + 8, an - 8);
}

/* The words behind the checksum: of "too big", an MTU. */
static unsigned mtus6(const uint8_t *a, const uint8_t *b)
{
	if (!memcmp(a + 4, b + 4, 4))
		return 0;
	return a[0] == 2 && get16(a + 6) > get16(b + 6) && get16(b + 6) >= 1280 ? ASPECT_MTU
										: ASPECT_OTHER;
}

static unsigned quotes6(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	if (!memcmp(a, b, n))
		return 0;
	return n >= 40 && a[7] + 1 == b[7] && !memcmp(a, b, 7) && !memcmp(a + 8, b + 8, n - 8)
		       ? ASPECT_QUOTED_HOPS
		       : ASPECT_OTHER;
}

static unsigned aspects6(const struct seen *k, const struct seen *o)
{
	const uint8_t *a = k->b + ETH_HLEN, *b = o->b + ETH_HLEN;
	uint32_t n = k->len - ETH_HLEN - 40;
	unsigned found = 0;

	if (k->len != o->len || memcmp(k->b, o->b, ETH_HLEN + 40) || a[40] != b[40] ||
	    !sum_is_right(a, true, a + 40, n) || !sum_is_right(b, true, b + 40, n))
		return ASPECT_OTHER;
	if (a[41] != b[41])
		found |= a[40] == 1 && a[41] == 0 && b[41] == 6 ? ASPECT_REJECT : ASPECT_OTHER;
	return found | mtus6(a + 40, b + 40) | quotes6(a + 48, b + 48, n - 8);
}

static unsigned aspects_of(const struct seen *k, const struct seen *o)
{
	if (k->len == o->len && !memcmp(k->b, o->b, k->len))
		return 0;
	if (!error_at(k->b, k->len) || !error_at(o->b, o->len) || memcmp(k->b + 12, o->b + 12, 2))
		return ASPECT_OTHER;
	return get16(k->b + 12) == ETH_P_IPV6 ? aspects6(k, o) : aspects4(k, o);
}

unsigned aspects(const struct packet *p)
{
	unsigned found = 0;

	for (unsigned link = 0; link < LINKS; link++) {
		const struct seen *k = p->out[KERNEL][link].first, *o = p->out[OURS][link].first;

		for (; k && o; k = k->next, o = o->next)
			found |= aspects_of(k, o);
		if (k || o)
			return 0;
	}
	return found & ASPECT_OTHER ? 0 : found;
}
