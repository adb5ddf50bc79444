/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow as people and programs read it: lines of conntrack-tools, JSON, and a short form for the
 * table. A flow is given as a copy of its record, which is what an event is too. [any]
 */
#ifndef ROUTER_CTL_FLOW_TEXT_H
#define ROUTER_CTL_FLOW_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/ctl/command.h"
#include "router/net/ct_event.h"

#define FLOW_PROTO_STRLEN 8   /* of a protocol's name */
#define FLOW_LINE_STRLEN  512 /* of a line, with its end */
#define FLOW_SHORT_STRLEN 400

/* "tcp", "icmpv6" ...; a number where there is no name. Returns buf. */
char *flow_proto_format(uint8_t proto, char buf[FLOW_PROTO_STRLEN]);
/* A name or a number. 0 or -EINVAL. */
int flow_proto_parse(const char *s, uint8_t *out);
/* What the two 16-bit values of a key are. */
bool flow_proto_has_ports(uint8_t proto);
bool flow_proto_is_icmp(uint8_t proto);

const char *flow_family_name(uint8_t family); /* "ipv4", "ipv6" */
/* TCP's, as conntrack has them; NULL: the protocol has none. */
const char *flow_state_name(const struct ct_event *e);
static inline uint32_t flow_seconds(uint32_t ticks)
{
	return (uint32_t)(ticks / (NSEC_PER_SEC / FLOW_TICK));
}

/* As `conntrack -L` prints it, and as `conntrack -E` does, without line feed. Return buf. */
char *flow_list_line(const struct ct_event *e, char buf[FLOW_LINE_STRLEN]);
char *flow_event_line(const struct ct_event *e, char buf[FLOW_LINE_STRLEN]);

/* One direction: src, dst, sport, dport (null without ports), packets, bytes; of ICMP type, code
 * and id as well. NULL: no memory. */
json_t *flow_half_json(const struct ct_event *e, enum flow_dir dir);

/* "10.0.0.2:1234 > 1.1.1.1:80 snat 203.0.113.2:1234", and what else is remarkable. With the
 * counters if asked for. Returns buf. */
char *flow_short(const struct ct_event *e, bool statistics, char buf[FLOW_SHORT_STRLEN]);

/* The columns that all rows of flows have: family, proto, state, timeout, assured, mark, zone, orig
 * (in a table: text) and reply. */
void row_flow(struct row *row, const struct ct_event *e, const char *text);

#endif
