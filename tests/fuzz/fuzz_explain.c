/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets as operators write them: whatever is read is within bounds, is a frame that the parser
 * takes for what was written, and what is refused is told why. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/explain_parse.h"
#include "router/net/ct.h"
#include "router/net/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct explain_packet *p, uint16_t vid)
{
	static uint8_t frame[EXPLAIN_FRAME_MAX];
	struct explain_link l = { .mac = { 2, 0, 0, 0, 0, 1 }, .vid = vid, .vlan_proto = 0x8100 };
	bool six = p->src.family == AF_INET6;
	uint32_t at = vid ? 18 : 14;
	struct pkt pkt = { 0 };

	memset(frame, 0xa5, sizeof(frame));
	assert(explain_frame(p, &l, frame) == at + p->length);
	pkt.l3 = frame + at;
	pkt.len = p->length;
	pkt.flags = six ? PKT_IP6 : 0;
	assert(frame[at] >> 4 == (six ? 6 : 4));
	assert(six || csum_ip4_20(frame + at) == 0xffff);
	assert(parse_transport(&pkt) && pkt.proto == p->proto);
	assert(!(pkt.flags & PKT_FRAGMENT) && ct_checksum_ok(&pkt));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct explain_packet p;
	char why[256] = "", *text;

	if (size > 512)
		return 0;
	text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!explain_parse(text, &p, why, sizeof(why))) {
		assert(!why[0] && p.src.family == p.dst.family && p.dscp < 64);
		check(&p, 0);
		check(&p, 100);
	} else {
		assert(why[0]);
	}
	free(text);
	return 0;
}
