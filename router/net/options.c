/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See options.h. A walk is three lines everywhere: the end of the list, one byte of padding, or an
 * option with its length in its second byte. options_wrong() proves that the others stay inside.
 */
#include "router/net/options.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "router/net/ours.h"

#define MS_PER_DAY 86400000u

/* Of these the third byte points, counted from 1, at the next place to write to. */
#define POINTER	      2
#define RR_FIRST      4 /* RFC 791: the least it may be */
#define TS_FIRST      5
#define TS_FLAGS      3 /* lower half: flags; upper: how many found no room */
#define TS_FLAGS_MASK 15
#define TS_LOST_MAX   15

static unsigned options_len(const struct pkt *p)
{
	return (pkt_ip4(p)->ver_ihl & 15) * 4u - IP4_HLEN;
}

/* ---- what is malformed: the number of the byte in the option, or 0 */

static unsigned wrong_source_route(const uint8_t *o, unsigned len)
{
	if (len <= POINTER)
		return 1;
	return o[POINTER] < RR_FIRST ? POINTER : 0;
}

static unsigned wrong_record_route(const uint8_t *o, unsigned len)
{
	if (len <= POINTER)
		return 1;
	if (o[POINTER] < RR_FIRST)
		return POINTER;
	return o[POINTER] <= len && o[POINTER] + 3u > len ? POINTER : 0;
}

static bool stamps_address(const uint8_t *o)
{
	uint8_t flags = o[TS_FLAGS] & TS_FLAGS_MASK;

	return flags == IPOPT_TS_TSANDADDR || flags == IPOPT_TS_PRESPEC;
}

static unsigned wrong_timestamp(const uint8_t *o, unsigned len)
{
	if (len <= TS_FLAGS)
		return 1;
	if (o[POINTER] < TS_FIRST)
		return POINTER;
	if (o[POINTER] <= len)
		return o[POINTER] + (stamps_address(o) ? 7u : 3u) > len ? POINTER : 0;
	return (o[TS_FLAGS] & TS_FLAGS_MASK) != IPOPT_TS_PRESPEC && o[TS_FLAGS] >> 4 == TS_LOST_MAX
		       ? TS_FLAGS
		       : 0;
}

static unsigned wrong_option(const uint8_t *o, unsigned len)
{
	switch (o[0]) {
	case IPOPT_LSRR:
	case IPOPT_SSRR: return wrong_source_route(o, len);
	case IPOPT_RR: return wrong_record_route(o, len);
	case IPOPT_TS: return wrong_timestamp(o, len);
	case IPOPT_RA: return len < 4 ? 1 : 0;
	default: return 0;
	}
}

/* What may be there once only: a bit for each. Source routes are looked at before they are counted,
 * the others after: so does Linux, and the pointers are its. */
static unsigned once(uint8_t type)
{
	switch (type) {
	case IPOPT_LSRR:
	case IPOPT_SSRR: return 1; /* one source route of either kind (RFC 1812 5.2.4.1) */
	case IPOPT_RR: return 2;
	case IPOPT_TS: return 4;
	default: return 0;
	}
}

unsigned options_wrong(const struct pkt *p)
{
	const uint8_t *opt = p->l3 + IP4_HLEN;
	unsigned len = options_len(p), seen = 0, wrong;
	bool again;

	for (unsigned i = 0; i < len && opt[i] != IPOPT_EOL;) {
		if (opt[i] == IPOPT_NOP) {
			i++;
			continue;
		}
		again = seen & once(opt[i]);
		if (i + 1 >= len || opt[i + 1] < 2 || i + opt[i + 1] > len ||
		    (again && opt[i] != IPOPT_LSRR && opt[i] != IPOPT_SSRR))
			return IP4_HLEN + i;
		wrong = wrong_option(opt + i, opt[i + 1]);
		if (wrong || again)
			return IP4_HLEN + i + wrong;
		seen |= once(opt[i]);
		i += opt[i + 1];
	}
	return 0;
}

bool options_source_route(const struct pkt *p, bool *strict)
{
	const uint8_t *opt = p->l3 + IP4_HLEN;
	unsigned len = options_len(p);

	for (unsigned i = 0; i < len && opt[i] != IPOPT_EOL;
	     i += opt[i] == IPOPT_NOP ? 1 : opt[i + 1]) {
		if (opt[i] != IPOPT_LSRR && opt[i] != IPOPT_SSRR)
			continue;
		*strict = opt[i] == IPOPT_SSRR;
		return true;
	}
	return false;
}

/* ---- what is written */

/* As who we forward: the address of the interface it leaves by. */
static uint32_t our_address(const struct dp *dp, const struct nh *n)
{
	uint32_t next = n->addr.family == AF_INET ? n->addr.v4 : 0;

	if (n->iface >= dp->cfg->nifaces) /* it went a moment ago */
		return 0;
	return ours4_source(dp->cfg, &dp->cfg->iface[n->iface], next);
}

static void record_route(const struct dp *dp, uint8_t *o, const struct nh *n)
{
	uint32_t us;

	if (o[POINTER] > o[1])
		return; /* full: it goes on as it is */
	us = our_address(dp, n);
	memcpy(o + o[POINTER] - 1, &us, sizeof(us));
	o[POINTER] += 4;
}

/* Milliseconds since midnight UT. */
static void stamp_time(const struct dp *dp, uint8_t *at)
{
	uint32_t ms =
		htonl((uint32_t)((dp->now + dp->cfg->utc_ahead) / NSEC_PER_MSEC % MS_PER_DAY));

	memcpy(at, &ms, sizeof(ms));
}

static void stamp(const struct dp *dp, const struct pkt *p, uint8_t *o, const struct nh *n)
{
	uint8_t *at = o + o[POINTER] - 1;
	uint32_t us;

	if (o[POINTER] > o[1]) {
		if ((o[TS_FLAGS] & TS_FLAGS_MASK) != IPOPT_TS_PRESPEC)
			o[TS_FLAGS] += 1 << 4;
		return;
	}
	switch (o[TS_FLAGS] & TS_FLAGS_MASK) {
	case IPOPT_TS_TSONLY:
		stamp_time(dp, at);
		o[POINTER] += 4;
		break;
	case IPOPT_TS_TSANDADDR:
		us = our_address(dp, n);
		memcpy(at, &us, sizeof(us));
		stamp_time(dp, at + 4);
		o[POINTER] += 8;
		break;
	case IPOPT_TS_PRESPEC: /* only who is named there writes */
		memcpy(&us, at, sizeof(us));
		if (ours4(dp->cfg, p->iface, us) != NH_LOCAL)
			break;
		stamp_time(dp, at + 4);
		o[POINTER] += 8;
		break;
	}
}

void options_forward(const struct dp *dp, struct pkt *p, const struct nh *n)
{
	uint8_t *opt = p->l3 + IP4_HLEN;
	unsigned len = options_len(p), i = 0;
	uint16_t before = csum_fold(csum_add(opt, len, 0)), after;

	if (options_wrong(p)) /* never; but here memory is written to by what it says */
		return;
	while (i < len && opt[i] != IPOPT_EOL) {
		if (opt[i] == IPOPT_NOP) {
			i++;
			continue;
		}
		if (opt[i] == IPOPT_RR)
			record_route(dp, opt + i, n);
		else if (opt[i] == IPOPT_TS)
			stamp(dp, p, opt + i, n);
		i += opt[i + 1];
	}
	memset(opt + i, IPOPT_EOL, len - i); /* nothing is said behind the end */
	after = csum_fold(csum_add(opt, len, 0));
	if (after != before)
		pkt_ip4(p)->csum = csum_update16(pkt_ip4(p)->csum, before, after);
}
