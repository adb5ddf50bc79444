/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP header as bytes to what it says. Total: any bytes of any length give an answer, and nothing
 * is read behind l4len. Called once for each segment of a tracked flow, so the two headers that
 * nearly all segments have (no options; a timestamp alone) are told apart before any option is
 * walked. [any]
 */
#include "router/net/tcp.h"

#include <string.h>

enum {
	HEADER = 20,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_SCALE = 3,
	OPT_SACK_PERM = 4,
	OPT_SACK = 5,
	SCALE_MAX = 14, /* RFC 7323, 2.3 */
};

/* NOP NOP TIMESTAMP 10 */
static const uint8_t stamp_only[4] = { 1, 1, 8, 10 };

static uint16_t get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

/* A host sends SYN, SYN+ACK, FIN+ACK, ACK, RST or RST+ACK; URG goes with what may carry data. PSH
 * and the bits of ECN go with anything. */
static bool flags_possible(uint8_t flags)
{
	switch (flags & (TCP_F_FIN | TCP_F_SYN | TCP_F_RST | TCP_F_ACK | TCP_F_URG)) {
	case TCP_F_SYN:
	case TCP_F_SYN | TCP_F_URG:
	case TCP_F_SYN | TCP_F_ACK:
	case TCP_F_RST:
	case TCP_F_RST | TCP_F_ACK:
	case TCP_F_FIN | TCP_F_ACK:
	case TCP_F_FIN | TCP_F_ACK | TCP_F_URG:
	case TCP_F_ACK:
	case TCP_F_ACK | TCP_F_URG: return true;
	default: return false;
	}
}

static enum tcp_kind kind(uint8_t flags)
{
	if (flags & TCP_F_RST)
		return TCP_K_RST;
	if (flags & TCP_F_SYN)
		return flags & TCP_F_ACK ? TCP_K_SYNACK : TCP_K_SYN;
	if (flags & TCP_F_FIN)
		return TCP_K_FIN;
	return flags & TCP_F_ACK ? TCP_K_ACK : TCP_K_NONE;
}

/* The highest right edge of the blocks, where it is beyond the acknowledgement (the first may be a
 * D-SACK). */
static void sack_blocks(const uint8_t *block, uint32_t len, struct tcp_segment *out)
{
	for (; len >= 8; block += 8, len -= 8) {
		uint32_t right = get32(block + 4);

		if ((int32_t)(right - out->sack) > 0)
			out->sack = right;
	}
}

static void one_option(uint8_t code, const uint8_t *value, uint32_t len, struct tcp_segment *out)
{
	bool syn = out->flags & TCP_F_SYN;

	if (code == OPT_SCALE && syn && len == 1) {
		out->has_scale = true;
		out->scale = value[0] < SCALE_MAX ? value[0] : SCALE_MAX;
	} else if (code == OPT_SACK_PERM && syn && len == 0) {
		out->has_sack_perm = true;
	} else if (code == OPT_SACK && out->flags & TCP_F_ACK && !syn) {
		sack_blocks(value, len, out);
	}
}

/* What is malformed ends the walk, as in the hosts: options before it count. */
static void options(const uint8_t *o, uint32_t len, struct tcp_segment *out)
{
	while (len && *o != OPT_END) {
		uint32_t size;

		if (*o == OPT_NOP) {
			o++, len--;
			continue;
		}
		if (len < 2 || o[1] < 2 || o[1] > len)
			return;
		size = o[1];
		one_option(o[0], o + 2, size - 2, out);
		o += size;
		len -= size;
	}
}

bool tcp_parse(const uint8_t *l4, uint32_t l4len, struct tcp_segment *out)
{
	uint32_t hlen;
	uint8_t flags;

	if (l4len < HEADER)
		return false;
	hlen = (uint32_t)(l4[12] >> 4) * 4;
	flags = l4[13];
	if (hlen < HEADER || hlen > l4len || !flags_possible(flags))
		return false;
	*out = (struct tcp_segment){
		.seq = get32(l4 + 4),
		.ack = get32(l4 + 8),
		.sack = get32(l4 + 8),
		.win = get16(l4 + 14),
		.flags = flags,
		.kind = (uint8_t)kind(flags),
	};
	out->end = out->seq + (l4len - hlen) + !!(flags & TCP_F_SYN) + !!(flags & TCP_F_FIN);
	if (hlen == HEADER || (hlen == 32 && !memcmp(l4 + HEADER, stamp_only, sizeof(stamp_only))))
		return true;
	options(l4 + HEADER, hlen - HEADER, out);
	return true;
}
