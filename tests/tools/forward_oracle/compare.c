/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When two routers' frames are the same: all bytes are, after the identification of what a router
 * itself made in IPv4, which each chooses for itself, and the times that it wrote into options. The
 * header checksum was looked at before. Padding is no part of a packet as long as it is zeros.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>
#include <time.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

#define JUST_NOW 10000 /* ms */

uint32_t error_at(const uint8_t *b, uint32_t len)
{
	const uint8_t *h = b + ETH_HLEN;
	uint32_t hlen = (h[0] & 15) * 4u;

	if (len < ETH_HLEN + 20 + 8)
		return 0;
	if (get16(b + 12) == ETH_P_IPV6)
		return len > ETH_HLEN + 40 && h[6] == 58 && h[40] < 128 && world_is_own(h + 8, true)
			       ? ETH_HLEN + 40
			       : 0;
	if (get16(b + 12) != ETH_P_IP || len <= ETH_HLEN + hlen || h[9] != 1 ||
	    !world_is_own(h + 12, false))
		return 0;
	switch (h[hlen]) {
	case 3:
	case 4:
	case 5:
	case 11:
	case 12: return ETH_HLEN + hlen;
	default: return 0;
	}
}

/* A wire pads what is shorter than 60 bytes; one side may already have done so, with zeros. */
static void unpad(struct seen *f, uint32_t exact)
{
	while (f->len > exact && f->len <= 60 && f->b[f->len - 1] == 0)
		f->len--;
}

/* Milliseconds since midnight that were just now become a word of their own. */
static void mask_times(uint8_t *at, const uint8_t *end)
{
	struct timespec t;
	uint32_t now, then;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (uint32_t)(t.tv_sec % 86400 * 1000 + t.tv_nsec / 1000000);
	for (; at + 4 <= end; at++) { /* a pointer need not be even */
		memcpy(&then, at, sizeof(then));
		if (now - ntohl(then) < JUST_NOW)
			memset(at, 0xee, sizeof(then));
	}
}

/* Only where times may stand: anything looks like one at some time of the day. */
static void mask_options(uint8_t *at, uint8_t *end)
{
	while (at < end && *at != IPOPT_EOL) {
		if (*at == IPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end || at[1] < 2 || at + at[1] > end)
			return;
		if (*at == IPOPT_TS && at[1] > 4)
			mask_times(at + 4, at + at[1]);
		at += at[1];
	}
}

/* In the options of what an error quotes, too; its checksum, if it is right, stays so. */
static void mask_quote(uint8_t *icmp, uint32_t len)
{
	uint8_t *quote = icmp + 8;
	uint32_t hlen = len > 28 ? (quote[0] & 15) * 4u : 0;
	uint16_t sum;

	if (hlen <= 20 || 8 + hlen > len || csum_fold(csum_add(icmp, len, 0)) != 0xffff)
		return;
	mask_options(quote + 20, quote + hlen);
	put16(icmp + 2, 0);
	sum = (uint16_t)~csum_fold(csum_add(icmp, len, 0));
	memcpy(icmp + 2, &sum, sizeof(sum));
}

void mask(struct seen *f)
{
	uint8_t *h = f->b + ETH_HLEN;
	uint32_t hlen = (h[0] & 15) * 4u;
	bool own;

	if (get16(f->b + 12) == ETH_P_IPV6)
		unpad(f, ETH_HLEN + 40 + get16(h + 4));
	if (get16(f->b + 12) != ETH_P_IP || f->len < ETH_HLEN + hlen)
		return;
	unpad(f, ETH_HLEN + get16(h + 2));
	own = world_is_own(h + 12, false);
	if ((!own && hlen <= 20) || csum_fold(csum_add(h, hlen, 0)) != 0xffff)
		return;
	put16(h + 10, 0);
	if (hlen > 20)
		mask_options(h + 20, h + hlen);
	if (own)
		put16(h + 4, 0);
	if (error_at(f->b, f->len))
		mask_quote(h + hlen, f->len - ETH_HLEN - hlen);
}

static bool same_list(const struct seen_list *a, const struct seen_list *b)
{
	const struct seen *i = a->first, *k = b->first;

	for (; i && k; i = i->next, k = k->next)
		if (i->len != k->len || memcmp(i->b, k->b, i->len))
			return false;
	return !i && !k;
}

bool same(const struct packet *p)
{
	for (unsigned link = 0; link < LINKS; link++)
		if (!same_list(&p->out[KERNEL][link], &p->out[OURS][link]))
			return false;
	return true;
}

unsigned frames(const struct packet *p, enum side side)
{
	unsigned n = 0;

	for (unsigned link = 0; link < LINKS; link++)
		n += p->out[side][link].n;
	return n;
}

/* The one frame that this side sent, and by which link; NULL: none, or several. */
const struct seen *only(const struct packet *p, enum side side, unsigned *link)
{
	const struct seen *f = NULL;

	for (unsigned i = 0; i < LINKS; i++)
		if (p->out[side][i].n == 1) {
			f = p->out[side][i].first;
			*link = i;
		}
	return frames(p, side) == 1 ? f : NULL;
}
