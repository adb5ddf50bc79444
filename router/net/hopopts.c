/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See hopopts.h. A router that forwards knows two options by heart: the router alert, which changes
 * nothing for who only passes it on, and the jumbo payload, which no packet here may be. All others
 * say themselves, in their two top bits, what is to be done by who does not know them.
 *
 * As in Linux there are only so many options, and padding only aligns: more of either is work
 * for us, or a hidden channel (RFC 4942 2.1.9.5, 8504 5.3).
 */
#include "router/net/hopopts.h"

#include <arpa/inet.h>
#include <string.h>

#define OPTION_PAD1	    0
#define OPTION_PADN	    1
#define OPTION_ROUTER_ALERT 5
#define OPTION_JUMBO	    0xc2

#define OPTIONS_MAX 8 /* but for padding */
#define PADDING_MAX 7 /* in a row */

/* What does not fit 16 bits of length. No frame here is so long; which of the errors of RFC 2675 3
 * it is, the sender is told. */
static enum hopopts_verdict jumbo(const struct pkt *p, const uint8_t *option, uint32_t *pointer)
{
	uint32_t len;

	if (option[1] != 4 || (*pointer & 3) != 2)
		return HOPOPTS_DROP;
	memcpy(&len, option + 2, 4);
	if (ntohl(len) <= UINT16_MAX) {
		*pointer += 2;
		return HOPOPTS_FIELD;
	}
	return pkt_ip6(p)->plen ? HOPOPTS_FIELD : HOPOPTS_DROP;
}

static enum hopopts_verdict judge(const struct pkt *p, const uint8_t *option, uint32_t *pointer)
{
	switch (option[0]) {
	case OPTION_ROUTER_ALERT: return option[1] == 2 ? HOPOPTS_PASS : HOPOPTS_DROP;
	case OPTION_JUMBO: return jumbo(p, option, pointer);
	default: break;
	}
	switch (option[0] >> 6) {
	case 0: return HOPOPTS_PASS;
	case 1: return HOPOPTS_DROP;
	default: return HOPOPTS_UNKNOWN; /* 3: not if sent to many, which come not here */
	}
}

static bool is_zero(const uint8_t *at, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (at[i])
			return false;
	return true;
}

enum hopopts_verdict hopopts_check(const struct pkt *p, uint32_t *pointer)
{
	const uint8_t *header = p->l3 + IP6_HLEN;
	unsigned end = (header[1] + 1u) * 8, len, options = 0, padding = 0;

	for (unsigned at = 2; at < end; at += len) {
		const uint8_t *option = header + at;
		enum hopopts_verdict v;

		len = 1;
		if (option[0] != OPTION_PAD1) {
			if (at + 2 > end || at + 2 + option[1] > end)
				return HOPOPTS_DROP;
			len = 2u + option[1];
		}
		if (option[0] == OPTION_PAD1 || option[0] == OPTION_PADN) {
			padding += len;
			if (padding > PADDING_MAX || (len > 2 && !is_zero(option + 2, len - 2)))
				return HOPOPTS_DROP;
			continue;
		}
		padding = 0;
		if (++options > OPTIONS_MAX)
			return HOPOPTS_DROP;
		*pointer = IP6_HLEN + at;
		v = judge(p, option, pointer);
		if (v != HOPOPTS_PASS)
			return v;
	}
	return HOPOPTS_PASS;
}
