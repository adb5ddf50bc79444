/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of any bytes, looked at and written to: u32, pedit and DSCP stay inside, and a write
 * changes no byte but those it names and checksums. Input: six bytes of where and what, then a
 * frame.
 */
#include <assert.h>
#include <stdlib.h>

#include "router/net/qdisc/tc_pedit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf_pedit field_of(const uint8_t *data)
{
	return (struct conf_pedit){
		.at = (int16_t)(data[1] | data[2] << 8) >> (data[0] >> 4 & 7),
		.nexthdr = data[0] & 1,
		.ethernet = (data[0] & 3) == 2,
		.width = (uint8_t)(1 << data[3] % 3),
		.value = (uint32_t)data[4] * 0x01010101,
		.mask = data[5] * 0x00010101u,
	};
}

static void look(const struct conf_pedit *k, const struct tc_view *v)
{
	struct conf_frame_match m = { .vlan = 5, .vlan_priority = -1 };

	m.nu32 = 1;
	m.u32[0] = (struct conf_u32){ k->at, k->nexthdr, k->width, k->value, k->mask };
	tc_frame_holds(&m, v);
	m.vlan = -1;
	tc_frame_holds(&m, v);
	tc_frame_steady(&m, v);
	assert(v->net <= v->len || v->len < 14);
	assert(!v->l4 || (v->l3 && v->l4 > v->l3 && v->l4 < v->len));
}

/* Two checksums of two bytes, and the field. */
static void check(const uint8_t *was, const uint8_t *is, uint32_t len, const struct conf_pedit *k)
{
	unsigned changed = 0;

	for (uint32_t i = 0; i < len; i++)
		changed += was[i] != is[i];
	assert(changed <= k->width + 4u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame, *was;
	struct conf_pedit k;
	struct tc_view v;
	uint32_t len;

	if (size < 6 || size > 4096)
		return 0;
	k = field_of(data);
	len = (uint32_t)size - 6;
	frame = malloc(len ? len : 1); /* its own: a write behind the end is seen */
	was = malloc(len + 1ul);
	memcpy(frame, data + 6, len);
	memcpy(was, frame, len);
	tc_look(&v, frame, len, data[0] & 8 ? 18 : 14, 0);
	look(&k, &v);
	if (!tc_pedit(&v, frame, &k, data[0] & 4))
		assert(!memcmp(was, frame, len));
	check(was, frame, len, &k);
	tc_look(&v, frame, len, v.l3, 0);
	if (tc_set_dscp(&v, frame, data[4] & 63))
		assert(tc_tos(&v) >> 2 == (data[4] & 63));
	free(frame);
	free(was);
	return 0;
}
