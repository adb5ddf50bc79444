/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/mss.h"

#include "router/net/csum.h"
#include "router/net/tcp.h"

#define TCP_HLEN     20u
#define OPTION_END   0
#define OPTION_NOP   1
#define OPTION_MSS   2
#define TCP_CHECKSUM 16u

uint16_t mss_of_mtu(const struct pkt *p, uint16_t mtu)
{
	uint16_t headers = (p->flags & PKT_IP6 ? IP6_HLEN : IP4_HLEN) + TCP_HLEN;

	return mtu > headers ? mtu - headers : 1;
}

/* A word at `at` bytes into the segment goes from `from` to `to`. The checksum sums words at even
 * places; at an odd one the bytes stand in the other halves of two words, which is the same sum
 * with its bytes swapped (RFC 1071 2B). */
static void checksum_follow(uint8_t *l4, unsigned at, uint16_t from, uint16_t to)
{
	uint16_t csum;

	if (at & 1) {
		from = (uint16_t)(from << 8 | from >> 8);
		to = (uint16_t)(to << 8 | to >> 8);
	}
	memcpy(&csum, l4 + TCP_CHECKSUM, 2);
	csum = csum_update16(csum, from, to);
	memcpy(l4 + TCP_CHECKSUM, &csum, 2);
}

void mss_clamp(struct pkt *p, uint16_t mss)
{
	uint8_t *l4 = p->l3 + p->l4;
	unsigned left = p->len - p->l4, end;

	if (p->proto != IPPROTO_TCP || p->flags & PKT_LATER_FRAG || left < TCP_HLEN ||
	    !(l4[13] & TCP_F_SYN))
		return;
	end = (l4[12] >> 4) * 4u;
	if (end > left)
		return;
	for (unsigned at = TCP_HLEN; at < end && l4[at] != OPTION_END;) {
		uint16_t from, to = htons(mss);

		if (l4[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end || l4[at + 1] < 2 || at + l4[at + 1] > end)
			return;
		if (l4[at] == OPTION_MSS && l4[at + 1] == 4) {
			memcpy(&from, l4 + at + 2, 2);
			if (ntohs(from) <= mss)
				return;
			memcpy(l4 + at + 2, &to, 2);
			checksum_follow(l4, at + 2, from, to);
			return;
		}
		at += l4[at + 1];
	}
}
