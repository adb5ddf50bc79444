/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test_pipeline_known.c and test_pipeline_attacks.c do to frames, and the router they are put
 * to besides the one that only forwards: what connection tracking calls invalid is dropped. */
#ifndef TESTS_UNIT_PIPE_EDITS_H
#define TESTS_UNIT_PIPE_EDITS_H

#include "tests/unit/pipe_talk.h"

#define GUARDED                                                                                    \
	"conntrack: {profile: linux}\n"                                                            \
	"filter: {c: {hook: forward, rules: [{ct: invalid, action: drop}]}}\n"

#define UDP  IPPROTO_UDP
#define TCP  IPPROTO_TCP
#define PING IPPROTO_ICMP
#define ND   IPPROTO_ICMPV6

static inline void frame_flags(struct frame *f, unsigned v)
{
	frame_ip4(f)->frag = htons((uint16_t)v);
	frame_sum4(f);
}

static inline void trailing(struct frame *f, unsigned n)
{
	memset(f->b + f->len, 0x5a, n);
	f->len += n;
}

static inline void tcp_offset(struct frame *f, unsigned words)
{
	unsigned l4 = f->l3 + (f->b[f->l3] >> 4 == 6 ? 40 : 20);

	f->b[l4 + 12] = (uint8_t)(words << 4);
	f->b[l4 + 13] = 2;
}

/* The type and code of an ICMP message, its checksum right; the word behind it says 68. */
static inline void icmp(struct frame *f, unsigned type_code)
{
	bool six = f->b[f->l3] >> 4 == 6;
	unsigned l4 = six ? 40 : 20;
	uint8_t *at = f->b + f->l3 + l4;

	put16(at, type_code);
	put16(at + 2, 0);
	put16(at + 4, 0);
	put16(at + 6, 68);
	put16(at + 2, ~(six ? transport_sum(f->b + f->l3, l4, f->len - f->l3, IPPROTO_ICMPV6)
			    : plain_sum(at, f->len - f->l3 - l4, 0)) &
			      0xffff);
	if (six && at[0] >= 133 && at[0] <= 137) /* neighbour discovery */
		frame_ttl(f, 255);
}

#endif
