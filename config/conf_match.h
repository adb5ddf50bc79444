/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules of filters, NAT and shaping look at, as plain data; a part of config/conf.h. */
#ifndef CONFIG_CONF_MATCH_H
#define CONFIG_CONF_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "router/lib/addr.h"

#define CONF_NAME 64 /* bytes of a name an operator chose, NUL included */

/* Addresses first..last of one family; a prefix or an address is one, too. */
struct conf_range {
	struct addr first, last;
};

/* `from: 10.0.0.0/8`, `from: [10.0.0.1-10.0.0.9, "2001:db8::/32"]`, `from: "@banned"`,
 * `from: "!10.0.0.0/8"`. Neither ranges nor a set: anything. */
struct conf_addresses {
	bool negate;
	char set[CONF_NAME]; /* "": none; never beside ranges */
	struct conf_range *ranges;
	unsigned nranges;
};

struct conf_port_range {
	uint16_t first, last; /* host order */
};

struct conf_ports {
	bool negate;
	char set[CONF_NAME];
	struct conf_port_range *ranges;
	unsigned nranges;
};

/* Names of interfaces, or of zones; or a set of interfaces. */
struct conf_names {
	bool negate;
	char set[CONF_NAME];
	char (*names)[CONF_NAME];
	unsigned nnames;
};

struct conf_icmp {
	uint8_t family; /* AF_INET or AF_INET6, by the key: icmp, icmpv6 */
	uint8_t type;
	int16_t code; /* -1: any */
};

/* Bits of conf_match.ct, and what a packet is. */
enum conf_ct_state {
	CONF_CT_NEW = 1,
	CONF_CT_ESTABLISHED = 2,
	CONF_CT_RELATED = 4,
	CONF_CT_INVALID = 8,
	CONF_CT_UNTRACKED = 16,
};

/* Bits of conf_match.status. */
enum conf_ct_status {
	CONF_STATUS_REPLIED = 1, /* seen-reply */
	CONF_STATUS_ASSURED = 2,
	CONF_STATUS_SNAT = 4,
	CONF_STATUS_DNAT = 8,
	CONF_STATUS_FORWARDED = 16, /* a rule of nat.destination chose its destination */
};

enum conf_per { CONF_PER_RULE, CONF_PER_SOURCE, CONF_PER_DESTINATION };

/* `rate: {over: 50/s, burst: 100, per: source}`: matches packets above it; `under:` those within.
 */
struct conf_rate {
	bool used, over;
	uint32_t count;	    /* packets ... */
	uint32_t period_ms; /* ... in so many milliseconds: 50/s, 3/minute, 1/h, 10/d */
	uint32_t burst;	    /* without one in the file: as many as count, at least 5 */
	enum conf_per per;
};

/* Parts of a concatenation, of sets and of matches on them. */
enum conf_field {
	CONF_FIELD_ADDRESS, /* an address; in a match: from or to */
	CONF_FIELD_PREFIX,
	CONF_FIELD_PORT,
	CONF_FIELD_INTERFACE,
	CONF_FIELD_PROTO,
	CONF_FIELD_MARK,
};
#define CONF_FIELDS_MAX 4

/* `lookup: {key: [from, dport], set: pairs}`: where each part of a concatenation comes from. */
enum conf_source {
	CONF_SOURCE_FROM,
	CONF_SOURCE_TO,
	CONF_SOURCE_SPORT,
	CONF_SOURCE_DPORT,
	CONF_SOURCE_IN,
	CONF_SOURCE_OUT,
	CONF_SOURCE_PROTO,
	CONF_SOURCE_MARK,
};
struct conf_lookup {
	char set[CONF_NAME]; /* "": no such match */
	bool negate;
	enum conf_source key[CONF_FIELDS_MAX];
	unsigned nkey;
};

/* All must hold; what is not given holds for every packet. */
struct conf_match {
	struct conf_names in, out;
	struct conf_addresses from, to;
	uint8_t family; /* 0, AF_INET or AF_INET6: `family: ipv4` */
	uint8_t *protos;
	unsigned nprotos;
	struct conf_ports sport, dport;
	uint8_t flags, flags_mask; /* TCP: `flags: syn/syn+ack`; mask 0: not given */
	struct conf_icmp *icmp;
	unsigned nicmp;
	uint64_t dscp; /* bit d: DSCP d; 0: not given */
	bool has_mark;
	uint32_t mark, mark_mask;
	uint8_t ct;			 /* CONF_CT_*; 0: not given */
	uint8_t status;			 /* CONF_STATUS_*: any of them; 0: not given */
	uint16_t length_min, length_max; /* of the IP packet; max 0: not given */
	uint8_t ttl_min, ttl_max;	 /* max 0: not given */
	uint8_t fragment;		 /* 0: not given, 1: yes, 2: no */
	struct conf_rate rate;
	uint32_t connections_over; /* `connections: {over: 20, per: source}`; 0: not given */
	struct conf_lookup lookup;
};

#endif
