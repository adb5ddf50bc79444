/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What filters of shaping look at in a frame beside the matches of rules: ethertype, VLAN tag, MAC
 * addresses, u32, bytecode. Frames come as they were received or will be sent, so every access is
 * bounds-checked here; what lies outside does not match. [any]
 */
#ifndef ROUTER_NET_QDISC_TC_MATCH_H
#define ROUTER_NET_QDISC_TC_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>

#include "config/conf.h"

/* A frame, and where its headers begin. */
struct tc_view {
	const uint8_t *frame;
	uint32_t len;
	uint32_t net;	    /* what follows the link header and its tags */
	uint16_t l3;	    /* the same, if it is IP; else 0 */
	uint16_t l4;	    /* transport header; 0: none, or not in this fragment */
	uint8_t proto;	    /* of it */
	uint16_t ethertype; /* after tags */
	uint16_t tpid, tci; /* of the outer tag; tpid 0: untagged */
	uint32_t mark;
};

/* l3: where an IP header was seen, or 0. It is looked at again: since then somebody may have
 * written to the frame, and what is no IP header any more is not taken for one. */
void tc_look(struct tc_view *v, const uint8_t *frame, uint32_t len, uint16_t l3, uint32_t mark);

/* Does it say anything at all? */
bool tc_frame_any(const struct conf_frame_match *m);
/* May it hold for a frame that is not IP? Offsets of u32 mean IP, unless an ethertype is named. */
bool tc_frame_any_type(const struct conf_frame_match *m);

bool tc_frame_holds(const struct conf_frame_match *m, const struct tc_view *v);
/* Is the answer the same for all packets of an IP flow? */
bool tc_frame_steady(const struct conf_frame_match *m, const struct tc_view *v);

/* width 1, 2 or 4 bytes, big endian. False: not all inside the frame. */
static inline bool tc_load(const struct tc_view *v, int64_t at, unsigned width, uint32_t *out)
{
	uint32_t value = 0;

	if (at < 0 || at + width > v->len)
		return false;
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | v->frame[at + i];
	*out = value;
	return true;
}

/* From where offsets are counted: the network header, or the transport header behind it; -1:
 * there is none. */
static inline int64_t tc_base(const struct tc_view *v, bool nexthdr)
{
	if (nexthdr)
		return v->l4 ? v->l4 : -1;
	return v->l3 ? v->l3 : v->net;
}

#endif
