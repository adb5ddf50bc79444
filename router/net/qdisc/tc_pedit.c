// SPDX-License-Identifier: GPL-2.0-or-later
/* Fields of frames, and the checksums that cover them; see tc_pedit.h. */
#include "router/net/qdisc/tc_pedit.h"

#include "router/net/csum.h"
#include "router/net/l4.h"

#define IP4_CSUM_AT 10
#define SPAN	    6u /* bytes of whole 16-bit words that a field of 4 may touch */

static bool is_ip6(const struct tc_view *v)
{
	return v->frame[v->l3] >> 4 == 6;
}

/* Where the checksum of the transport header lies; 0: there is none, or UDP has left it out. */
static uint32_t transport_csum(const struct tc_view *v)
{
	uint32_t at = v->l4 ? l4_csum_at(v->proto, is_ip6(v)) : 0;
	uint32_t now;

	if (!at || !tc_load(v, v->l4 + at, 2, &now))
		return 0;
	return v->proto == IPPROTO_UDP && !now && !is_ip6(v) ? 0 : v->l4 + at;
}

/* Does it cover the word at this offset: of the addresses, by its pseudo header, or of its own? */
static bool transport_covers(const struct tc_view *v, uint32_t at)
{
	uint32_t ip = at - v->l3;

	if (at >= v->l4)
		return true;
	if (is_ip6(v))
		return ip >= 8 && ip < IP6_HLEN;
	return ip >= 12 && ip < IP4_HLEN && v->proto != IPPROTO_ICMP;
}

static bool header_covers(const struct tc_view *v, uint32_t at)
{
	return !is_ip6(v) && at - v->l3 < (v->frame[v->l3] & 15u) * 4;
}

static void mend(uint8_t *csum, uint16_t from, uint16_t to, bool udp)
{
	uint16_t new = csum_update16(l4_load16(csum), from, to);

	l4_store16(csum, udp && !new ? 0xffff : new); /* 0 would say there is none */
}

/* A word of the packet at `at` has changed. `csum`: where transport's checksum lies. */
static void mend_word(const struct tc_view *v, uint8_t *frame, uint32_t at, uint32_t csum,
		      uint16_t from, uint16_t to)
{
	uint32_t header = v->l3 + IP4_CSUM_AT;

	if (from == to || at == csum)
		return;
	if (header_covers(v, at) && at != header)
		mend(frame + header, from, to, false);
	if (csum && transport_covers(v, at))
		mend(frame + csum, from, to, v->proto == IPPROTO_UDP);
}

static void write_field(uint8_t *at, const struct conf_pedit *k)
{
	for (unsigned i = 0; i < k->width; i++) {
		unsigned shift = 8 * (k->width - 1u - i);
		uint8_t keep = (uint8_t)(k->mask >> shift), value = (uint8_t)(k->value >> shift);

		at[i] = (uint8_t)((at[i] & keep) | (value & ~keep));
	}
}

/* Words are counted from the IP header; behind the last byte of the frame stands a zero. */
static void write_and_mend(const struct tc_view *v, uint8_t *frame, uint32_t at,
			   const struct conf_pedit *k)
{
	uint32_t first = at - ((at - v->l3) & 1), csum = transport_csum(v);
	uint32_t n = v->len - first < SPAN ? v->len - first : SPAN;
	uint16_t from[SPAN / 2] = { 0 }, to[SPAN / 2] = { 0 };

	memcpy(from, frame + first, n);
	write_field(frame + at, k);
	memcpy(to, frame + first, n);
	for (uint32_t i = 0; i < SPAN / 2; i++)
		mend_word(v, frame, first + 2 * i, csum, from[i], to[i]);
}

static int64_t base_of(const struct tc_view *v, const struct conf_pedit *k)
{
	return k->ethernet ? 0 : tc_base(v, k->nexthdr);
}

bool tc_pedit(const struct tc_view *v, uint8_t *frame, const struct conf_pedit *k, bool csum)
{
	int64_t base = base_of(v, k), at = base + k->at;

	if (base < 0 || at < 0 || at + k->width > v->len)
		return false;
	if (csum && v->l3 && at >= v->l3)
		write_and_mend(v, frame, (uint32_t)at, k);
	else
		write_field(frame + at, k);
	return true;
}

bool tc_set_dscp(const struct tc_view *v, uint8_t *frame, uint8_t dscp)
{
	struct conf_pedit k = { .width = 2 };

	if (!v->l3)
		return false;
	k.value = is_ip6(v) ? dscp << 6 : dscp << 2;
	k.mask = is_ip6(v) ? ~0xfc0u : ~0xfcu;
	write_and_mend(v, frame, v->l3, &k);
	return true;
}
