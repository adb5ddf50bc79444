/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which flows a command is about: the optional words that `show conntrack`, `flush conntrack` and
 * `monitor conntrack` share. All that are given must hold. Addresses and ports are the original
 * direction's but for `host` and `port`, which may be any of the flow's. [control]
 */
#ifndef ROUTER_CTL_FLOW_FILTER_H
#define ROUTER_CTL_FLOW_FILTER_H

#include "router/ctl/command.h"
#include "router/lib/addr.h"
#include "router/net/ct_event.h"

/* To stand behind a command's literals; the values are request.arg[0 .. FLOW_FILTER_ARGS). */
#define FLOW_FILTER_WORDS                                                                          \
	" [family <family>] [proto <proto>] [src <prefix>] [dst <prefix>] [host <prefix>]"         \
	" [sport <port>] [dport <port>] [port <port>] [state <state>] [mark <mark>] [zone <zone>]" \
	" [nat] [snat] [dnat] [assured] [unreplied]"
#define FLOW_FILTER_ARGS 16

struct flow_filter {
	uint32_t given; /* a bit for each argument */
	uint8_t family, proto, state;
	uint16_t zone;
	struct prefix src, dst, host;
	uint16_t sport, dport, port; /* network order */
	uint32_t mark, mark_mask;
};

/* 0, or what command_fail() returns: it says which words would do. */
int flow_filter_parse(const struct request *q, struct flow_filter *f, struct command_ctx *c);
bool flow_filter_match(const struct flow_filter *f, const struct ct_event *e);

#endif
