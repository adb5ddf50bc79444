// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames and what filters ask of them; see tc_match.h. */
#include "router/net/qdisc/tc_match.h"

#include "router/net/parse.h"
#include "router/net/qdisc/tc_bpf.h"

#define TYPE_IP6 0x86dd
#define TAGS_MAX 2u

static bool is_tag(uint32_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static void look_at_link(struct tc_view *v)
{
	uint32_t type, tci;

	v->net = v->len < ETH_HLEN ? v->len : ETH_HLEN;
	if (!tc_load(v, 12, 2, &type))
		return;
	for (unsigned tags = 0; is_tag(type) && tags < TAGS_MAX; tags++) {
		uint32_t inner;

		if (!tc_load(v, v->net, 2, &tci) || !tc_load(v, v->net + 2, 2, &inner))
			break;
		if (!tags) {
			v->tpid = (uint16_t)type;
			v->tci = (uint16_t)tci;
		}
		v->net += VLAN_HLEN;
		type = inner;
	}
	v->ethertype = (uint16_t)type;
}

/* Does the frame hold the IP packet that begins at l3? Then how long it is, else 0. */
static uint32_t packet_len(const struct tc_view *v, uint16_t l3)
{
	uint32_t first, len, room;

	if (!tc_load(v, l3, 1, &first))
		return 0;
	room = v->len - l3;
	if (first >> 4 == 4 && (first & 15) >= 5 && tc_load(v, l3 + 2, 2, &len))
		return len <= room && len >= (first & 15) * 4 ? len : 0;
	if (first >> 4 == 6 && room >= IP6_HLEN && tc_load(v, l3 + 4, 2, &len))
		return len + IP6_HLEN <= room ? len + IP6_HLEN : 0;
	return 0;
}

static void look_at_ip(struct tc_view *v, uint16_t l3)
{
	uint32_t len = packet_len(v, l3);
	struct pkt p = { .l3 = (uint8_t *)(uintptr_t)(v->frame + l3), .len = (uint16_t)len };

	if (!len || len > UINT16_MAX)
		return;
	v->l3 = l3;
	if (v->frame[l3] >> 4 == 6)
		p.flags = PKT_IP6;
	if (!parse_transport(&p) || p.flags & PKT_LATER_FRAG || !p.l4 || p.l4 >= len)
		return;
	v->l4 = (uint16_t)(l3 + p.l4);
	v->proto = p.proto;
}

void tc_look(struct tc_view *v, const uint8_t *frame, uint32_t len, uint16_t l3, uint32_t mark)
{
	*v = (struct tc_view){ .frame = frame, .len = len, .mark = mark };
	look_at_link(v);
	if (l3 && l3 < len)
		look_at_ip(v, l3);
}

/* ---- what it is asked */

bool tc_frame_any(const struct conf_frame_match *m)
{
	return m->ethertype || m->vlan >= 0 || m->vlan_priority >= 0 || m->has_src_mac ||
	       m->has_dst_mac || m->nu32 || m->nbpf;
}

bool tc_frame_any_type(const struct conf_frame_match *m)
{
	return !m->nu32 || m->ethertype;
}

static bool tag_holds(const struct conf_frame_match *m, const struct tc_view *v)
{
	if (m->vlan >= 0 && (!v->tpid || (v->tci & 0xfff) != m->vlan))
		return false;
	return m->vlan_priority < 0 || (v->tpid && v->tci >> 13 == m->vlan_priority);
}

static bool macs_hold(const struct conf_frame_match *m, const struct tc_view *v)
{
	if (v->len < ETH_HLEN)
		return !m->has_dst_mac && !m->has_src_mac;
	return (!m->has_dst_mac || !memcmp(v->frame, m->dst_mac, 6)) &&
	       (!m->has_src_mac || !memcmp(v->frame + 6, m->src_mac, 6));
}

static bool u32_holds(const struct conf_u32 *k, const struct tc_view *v)
{
	int64_t base = tc_base(v, k->nexthdr);
	uint32_t value;

	return base >= 0 && tc_load(v, base + k->at, k->width, &value) &&
	       (value & k->mask) == (k->value & k->mask);
}

bool tc_frame_holds(const struct conf_frame_match *m, const struct tc_view *v)
{
	if (m->ethertype && m->ethertype != v->ethertype)
		return false;
	if (!tag_holds(m, v) || !macs_hold(m, v))
		return false;
	for (unsigned i = 0; i < m->nu32; i++)
		if (!u32_holds(&m->u32[i], v))
			return false;
	return !m->nbpf || tc_bpf_run(m->bpf, v);
}

/* Addresses are the flow's. */
static bool u32_steady(const struct conf_u32 *k, const struct tc_view *v)
{
	bool v6 = v->ethertype == TYPE_IP6;
	int32_t first = v6 ? 8 : 12, end = v6 ? IP6_HLEN : IP4_HLEN;

	return v->l3 && !k->nexthdr && k->at >= first && k->at + k->width <= end;
}

bool tc_frame_steady(const struct conf_frame_match *m, const struct tc_view *v)
{
	if (m->vlan >= 0 || m->vlan_priority >= 0 || m->has_src_mac || m->has_dst_mac || m->nbpf)
		return false;
	for (unsigned i = 0; i < m->nu32; i++)
		if (!u32_steady(&m->u32[i], v))
			return false;
	return true;
}
