/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a matcher, shared by match.c (asks it), match_build.c (makes it of rules),
 * match_ranges.c (what a rule says, as ranges of numbers) and match_table.c (those ranges as a
 * table). Nobody else includes this.
 *
 * Rules are cut into segments of 512. What a rule says about one dimension (source, protocol, ...)
 * is a set of ranges of numbers. The ends of the ranges of all rules of a segment cut the numbers
 * into intervals, and within an interval it is the same 512 rules or fewer that allow a number: a
 * vector of bits, one cache line. To ask is to search the interval, once per dimension, and to AND
 * the vectors: what is left are the rules that all dimensions allow, in order. Many intervals share
 * a vector (a "class"), so a table is small; class 0 is the empty vector, at which one can stop.
 *
 * What is not a set of ranges (flags, marks, named sets, rates, ...) is the rest of a rule, looked
 * at rule by rule among those that are left.
 */
#ifndef ROUTER_NET_MATCH_INTERNAL_H
#define ROUTER_NET_MATCH_INTERNAL_H

#include <stdalign.h>

#include "router/net/match.h"
#include "router/net/match_key.h"

#define MATCH_SEGMENT 512u
#define MATCH_WORDS   (MATCH_SEGMENT / 64)
#define MATCH_NO_PORT 0x10000u /* as a port: what has none */

enum match_dimension {
	MATCH_SRC,
	MATCH_DST,
	MATCH_PROTO,
	MATCH_SPORT,
	MATCH_DPORT,
	MATCH_IN,
	MATCH_OUT,
	MATCH_DIMENSIONS,
};

struct match_range {
	unsigned __int128 first, last;
};
/* Sorted, apart from each other. */
struct match_ranges {
	struct match_range *v;
	unsigned n, room;
};

struct match_vector {
	alignas(64) uint64_t word[MATCH_WORDS];
};

/* One dimension of one segment: intervals begin at low[] or, of IPv6 addresses, at wide[]. */
struct match_table {
	enum match_dimension dimension;
	uint32_t n; /* intervals; the first begins at 0 */
	uint32_t *low;
	unsigned __int128 *wide;
	uint32_t *class;
	struct match_vector *vector; /* by class */
};

/* Tables by family: IPv4, IPv6. A dimension that no rule of the segment speaks of has none. The one
 * that leaves the fewest rules comes first. */
struct match_segment {
	struct match_vector all; /* the rules there are */
	struct match_table table[2][MATCH_DIMENSIONS];
	unsigned ntables[2];
};

/* What the rest of a rule looks at. */
enum {
	/* the same for all packets of a flow and direction */
	MATCH_MARK = 1 << 0,
	MATCH_SETS = 1 << 1, /* until the policy's generation moves */
	/* the same until the flow changes */
	MATCH_CT = 1 << 2,
	MATCH_STATUS = 1 << 3,
	/* packet by packet */
	MATCH_LENGTH = 1 << 4,
	MATCH_TTL = 1 << 5,
	MATCH_DSCP = 1 << 6,
	MATCH_FLAGS = 1 << 7,
	MATCH_ICMP = 1 << 8,
	MATCH_FRAGMENT = 1 << 9,
	/* to be asked when all else matches */
	MATCH_CONNECTIONS = 1 << 11,
	MATCH_RATE = 1 << 12,
};
#define MATCH_PER_FLOW	 (MATCH_MARK | MATCH_SETS)
#define MATCH_PER_STATE	 (MATCH_CT | MATCH_STATUS)
#define MATCH_PER_PACKET (0x3f * MATCH_LENGTH)

/* A concatenation to be looked up in a set; `from: "@banned"` is one of a single field. */
struct match_lookup {
	const struct set *set;
	bool negate;
	uint8_t nkey;
	uint8_t key[CONF_FIELDS_MAX]; /* enum conf_source */
};
#define MATCH_LOOKUPS_MAX 7

struct match_rest {
	uint16_t what;
	uint8_t ct, status;
	uint8_t flags, flags_mask;
	uint8_t ttl_min, ttl_max;
	uint16_t length_min, length_max;
	bool fragment, rate_over;
	bool syn; /* nothing but a SYN can match */
	uint8_t nlookups;
	uint16_t nicmp;
	uint32_t mark, mark_mask;
	uint64_t dscp;
	uint16_t rate, connections; /* numbers of limits */
	struct conf_icmp *icmp;
	struct match_lookup *lookup;
};

struct matcher {
	unsigned n, nsegments;
	struct limits *limits;
	struct match_segment *segment;
	struct match_rest *rest; /* by rule */
};

/* [control] What a rule allows in a dimension, of packets of a family: 0 or -ENOMEM, or -ENOSPC
 * when there are too many names. *any: all there is. */
int match_ranges_of(const struct match_context *c, const struct conf_match *rule,
		    enum match_dimension dimension, int family, struct match_ranges *out,
		    bool *any);
unsigned __int128 match_number_of(const struct addr *a);

/* [control] The table of n rules' ranges. 0 or -ENOMEM. */
int match_table_build(const struct match_ranges *rules, unsigned n, bool wide,
		      struct match_table *out);
void match_table_fini(struct match_table *t);

/* [control] The n-th lookup of a set in a rule: false when there are no more. */
struct match_set {
	const char *name;
	bool negate;
	unsigned nkey;
	const enum conf_source *key;
};
bool match_set_of(const struct conf_match *rule, unsigned n, struct match_set *out);

#endif
