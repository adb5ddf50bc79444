/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the table of keys that stands in it several times: what a rule of filter, nat
 * or shaping matches. A rule has these keys itself, so each kind has rows of its own; they are
 * written once, here. For schema_rows.c only.
 */
#ifndef CONFIG_SCHEMA_MATCH_H
#define CONFIG_SCHEMA_MATCH_H

#include <netinet/in.h>

#include "config/conf.h"
#include "config/schema.h"

/* Where a value goes; where a list goes. (Names of types and members: no function can take them.)
 */
#define FIELD(record, type, member)                                                                \
	.in = (record), .at = offsetof(struct type, member),                                       \
	.size = sizeof(((struct type *)0)->member)
#define ARRAY(record, type, pointer, counter)                                                      \
	.in = (record), .at = offsetof(struct type, pointer),                                      \
	.size = sizeof(*((struct type *)0)->pointer), .count_at = offsetof(struct type, counter)

static const struct schema_word family_words[] = { { "ipv4", AF_INET },
						   { "ipv6", AF_INET6 },
						   { NULL, 0 } };
static const struct schema_word icmp_words[] = {
	{ "echo-reply", 0 },
	{ "destination-unreachable", 3 },
	{ "redirect", 5 },
	{ "echo-request", 8 },
	{ "router-advertisement", 9 },
	{ "router-solicitation", 10 },
	{ "time-exceeded", 11 },
	{ "parameter-problem", 12 },
	{ "timestamp-request", 13 },
	{ "timestamp-reply", 14 },
	{ NULL, 0 },
};
static const struct schema_word icmpv6_words[] = {
	{ "destination-unreachable", 1 },
	{ "packet-too-big", 2 },
	{ "time-exceeded", 3 },
	{ "parameter-problem", 4 },
	{ "echo-request", 128 },
	{ "echo-reply", 129 },
	{ "mld-query", 130 },
	{ "mld-report", 131 },
	{ "mld-done", 132 },
	{ "router-solicitation", 133 },
	{ "router-advertisement", 134 },
	{ "neighbour-solicitation", 135 },
	{ "neighbour-advertisement", 136 },
	{ "redirect", 137 },
	{ "mld2-report", 143 },
	{ NULL, 0 },
};
static const struct schema_word dscp_words[] = {
	{ "cs0", 0 },	{ "cs1", 8 },	{ "cs2", 16 },	{ "cs3", 24 },	{ "cs4", 32 },
	{ "cs5", 40 },	{ "cs6", 48 },	{ "cs7", 56 },	{ "af11", 10 }, { "af12", 12 },
	{ "af13", 14 }, { "af21", 18 }, { "af22", 20 }, { "af23", 22 }, { "af31", 26 },
	{ "af32", 28 }, { "af33", 30 }, { "af41", 34 }, { "af42", 36 }, { "af43", 38 },
	{ "ef", 46 },	{ "le", 1 },	{ NULL, 0 },
};

/* Numbers of bits: of enum conf_ct_state and enum conf_ct_status. */
static_assert(CONF_CT_NEW == 1 << 0 && CONF_CT_UNTRACKED == 1 << 4, "ct_words");
static_assert(CONF_STATUS_REPLIED == 1 << 0 && CONF_STATUS_FORWARDED == 1 << 4, "status_words");
static const struct schema_word ct_words[] = {
	{ "new", 0 },	  { "established", 1 }, { "related", 2 },
	{ "invalid", 3 }, { "untracked", 4 },	{ NULL, 0 },
};
static const struct schema_word status_words[] = {
	{ "replied", 0 }, { "assured", 1 },   { "snat", 2 },
	{ "dnat", 3 },	  { "forwarded", 4 }, { NULL, 0 },
};
static const struct schema_word fragment_words[] = { { "true", 1 }, { "false", 2 }, { NULL, 0 } };
static const struct schema_word per_words[] = {
	{ "rule", CONF_PER_RULE },
	{ "source", CONF_PER_SOURCE },
	{ "destination", CONF_PER_DESTINATION },
	{ NULL, 0 },
};
static const struct schema_word source_word[] = { { "source", 0 }, { NULL, 0 } };
static const struct schema_word key_words[] = {
	{ "from", CONF_SOURCE_FROM },
	{ "to", CONF_SOURCE_TO },
	{ "sport", CONF_SOURCE_SPORT },
	{ "dport", CONF_SOURCE_DPORT },
	{ "in", CONF_SOURCE_IN },
	{ "out", CONF_SOURCE_OUT },
	{ "proto", CONF_SOURCE_PROTO },
	{ "mark", CONF_SOURCE_MARK },
	{ NULL, 0 },
};

static inline bool rate_is_over(const struct schema_row *row, const void *match)
{
	const struct conf_match *m = match;
	(void)row;

	return m->rate.used && m->rate.over;
}

static inline bool rate_is_under(const struct schema_row *row, const void *match)
{
	const struct conf_match *m = match;
	(void)row;

	return m->rate.used && !m->rate.over;
}

/* Types that fill a field and the one behind it. */
static_assert(offsetof(struct conf_match, flags_mask) == offsetof(struct conf_match, flags) + 1,
	      "TCP_FLAGS");
static_assert(offsetof(struct conf_match, mark_mask) == offsetof(struct conf_match, mark) + 4,
	      "MARK");
static_assert(offsetof(struct conf_match, length_max) ==
		      offsetof(struct conf_match, length_min) + 2,
	      "SPAN");
static_assert(offsetof(struct conf_match, ttl_max) == offsetof(struct conf_match, ttl_min) + 1,
	      "SPAN");
static_assert(offsetof(struct conf_rate, period_ms) == offsetof(struct conf_rate, count) + 4,
	      "RATE");

#define IN_ROW(path)                                                                               \
	{                                                                                          \
		path ".in", SCHEMA_NAMES, FIELD(SCHEMA_MATCH, conf_match, in),                     \
			.doc = "The interface or zone it came in by; a list, \"!lan\" or a set "   \
			       "\"@lans\"."                                                        \
	}
#define OUT_ROW(path)                                                                              \
	{                                                                                          \
		path ".out", SCHEMA_NAMES, FIELD(SCHEMA_MATCH, conf_match, out),                   \
			.doc = "The interface or zone it leaves by; a list, \"!lan\" or a set "    \
			       "\"@lans\"."                                                        \
	}
#define FROM_ROW(path, key)                                                                        \
	{                                                                                          \
		path "." key, SCHEMA_ADDRESSES, FIELD(SCHEMA_MATCH, conf_match, from),             \
			.doc = "Its source: an address, a prefix, a range a-b, a list of these, "  \
			       "or a set "                                                         \
			       "\"@banned\"; \"!10.0.0.0/8\" for all but that."                    \
	}
#define TO_ROW(path, key)                                                                          \
	{                                                                                          \
		path "." key, SCHEMA_ADDRESSES, FIELD(SCHEMA_MATCH, conf_match, to),               \
			.doc = "Its destination, written like from."                               \
	}

#define MATCH_ROWS(path)                                                                           \
	{ path ".family", SCHEMA_ENUM, FIELD(SCHEMA_MATCH, conf_match, family),                    \
	  .words = family_words, .doc = "Only packets of this family." },                          \
		{ path ".proto",                                                                   \
		  SCHEMA_PROTOS,                                                                   \
		  ARRAY(SCHEMA_MATCH, conf_match, protos, nprotos),                                \
		  .max = 255,                                                                      \
		  .words = schema_protos,                                                          \
		  .doc = "The protocol, by name or number, or a list." },                          \
		{ path ".sport", SCHEMA_PORTS, FIELD(SCHEMA_MATCH, conf_match, sport),             \
		  .doc = "Source port: 53, 1024-65535, a list, a set \"@ports\", or \"!53\"; "     \
			 "needs "                                                                  \
			 "proto." },                                                               \
		{ path ".dport", SCHEMA_PORTS, FIELD(SCHEMA_MATCH, conf_match, dport),             \
		  .doc = "Destination port, written like sport." },                                \
		{ path ".flags", SCHEMA_TCP_FLAGS, FIELD(SCHEMA_MATCH, conf_match, flags),         \
		  .doc = "TCP flags set, of those looked at: syn/syn+ack; syn alone is "           \
			 "syn/fin+syn+rst+ack." },                                                 \
		{ path ".icmp",                                                                    \
		  SCHEMA_ICMP,                                                                     \
		  ARRAY(SCHEMA_MATCH, conf_match, icmp, nicmp),                                    \
		  .max = 255,                                                                      \
		  .words = icmp_words,                                                             \
		  .map_too = true,                                                                 \
		  .doc = "ICMP type: echo-request, a number, 3/4 with its code, or a list." },     \
		{ path ".icmp.type", SCHEMA_UINT,	  .required = true,                        \
		  .max = 255,	     .words = icmp_words, .doc = "The type." },                    \
		{ path ".icmp.code", SCHEMA_UINT, .max = 255, .doc = "The code." },                \
		{ path ".icmpv6",                                                                  \
		  SCHEMA_ICMPV6,                                                                   \
		  ARRAY(SCHEMA_MATCH, conf_match, icmp, nicmp),                                    \
		  .max = 255,                                                                      \
		  .words = icmpv6_words,                                                           \
		  .map_too = true,                                                                 \
		  .doc = "ICMPv6 type, written like icmp." },                                      \
		{ path ".icmpv6.type", SCHEMA_UINT,	      .required = true,                    \
		  .max = 255,	       .words = icmpv6_words, .doc = "The type." },                \
		{ path ".icmpv6.code", SCHEMA_UINT, .max = 255, .doc = "The code." },              \
		{ path ".dscp",                                                                    \
		  SCHEMA_BITS,                                                                     \
		  FIELD(SCHEMA_MATCH, conf_match, dscp),                                           \
		  .max = 63,                                                                       \
		  .words = dscp_words,                                                             \
		  .doc = "The DSCP: ef, af11, cs5, a number, or a list." },                        \
		{ path ".mark", SCHEMA_MARK, FIELD(SCHEMA_MATCH, conf_match, mark),                \
		  .doc = "The packet's mark, 0x10, or some bits of it, 0x10/0xff." },              \
		{ path ".ct", SCHEMA_BITS, FIELD(SCHEMA_MATCH, conf_match, ct), .words = ct_words, \
		  .doc = "What connection tracking says of it; one or a list." },                  \
		{ path ".status", SCHEMA_BITS, FIELD(SCHEMA_MATCH, conf_match, status),            \
		  .words = status_words, .doc = "What happened to its flow; any of a list." },     \
		{ path ".length", SCHEMA_SPAN,	FIELD(SCHEMA_MATCH, conf_match, length_min),       \
		  .min = 20,	  .max = 65535, .doc = "Bytes of the IP packet: 64-1500 or 64." }, \
		{ path ".ttl", SCHEMA_SPAN, FIELD(SCHEMA_MATCH, conf_match, ttl_min),              \
		  .min = 1,    .max = 255,  .doc = "TTL or hop limit: 1-5 or 1." },                \
		{ path ".fragment", SCHEMA_ENUM, FIELD(SCHEMA_MATCH, conf_match, fragment),        \
		  .words = fragment_words,                                                         \
		  .doc = "Is it a fragment other than the first of its datagram?" },               \
		{ path ".rate", SCHEMA_MAP, .doc = "How often such packets come." },               \
		{ path ".rate.over", SCHEMA_RATE, FIELD(SCHEMA_MATCH, conf_match, rate.count),     \
		  .says = rate_is_over,                                                            \
		  .doc = "Matches the packets above this rate: 50/s, 3/m, 1/h or 10/d." },         \
		{ path ".rate.under", SCHEMA_RATE, FIELD(SCHEMA_MATCH, conf_match, rate.count),    \
		  .says = rate_is_under, .doc = "Matches the packets within this rate." },         \
		{ path ".rate.burst",                                                              \
		  SCHEMA_UINT,                                                                     \
		  FIELD(SCHEMA_MATCH, conf_match, rate.burst),                                     \
		  .min = 1,                                                                        \
		  .max = 1000000000,                                                               \
		  .doc = "Packets that may come at once; by default as the rate's "                \
			 "number, at least 5." },                                                  \
		{ path ".rate.per",                                                                \
		  SCHEMA_ENUM,                                                                     \
		  "rule",                                                                          \
		  FIELD(SCHEMA_MATCH, conf_match, rate.per),                                       \
		  .words = per_words,                                                              \
		  .doc = "One rate for the rule, or one for each address." },                      \
		{ path ".connections", SCHEMA_MAP, .doc = "How many flows its source has." },      \
		{ path ".connections.over",                                                        \
		  SCHEMA_UINT,                                                                     \
		  FIELD(SCHEMA_MATCH, conf_match, connections_over),                               \
		  .min = 1,                                                                        \
		  .max = 1000000000,                                                               \
		  .doc = "Matches new flows beyond so many that matched this rule." },             \
		{ path ".connections.per", SCHEMA_ENUM, .words = source_word,                      \
		  .doc = "Counted for each source." },                                             \
		{ path ".lookup", SCHEMA_MAP, .doc = "Is a combination of fields in a set?" },     \
		{ path ".lookup.key",                                                              \
		  SCHEMA_WORDS,                                                                    \
		  ARRAY(SCHEMA_MATCH, conf_match, lookup.key, lookup.nkey),                        \
		  .required = true,                                                                \
		  .words = key_words,                                                              \
		  .doc = "The fields, in the order of the set's types." },                         \
		{ path ".lookup.set", SCHEMA_NAME, FIELD(SCHEMA_MATCH, conf_match, lookup.set),    \
		  .required = true, .doc = "The set." },                                           \
	{                                                                                          \
		path ".lookup.not", SCHEMA_BOOL, "false",                                          \
			FIELD(SCHEMA_MATCH, conf_match, lookup.negate),                            \
			.doc = "Matches what is not in it."                                        \
	}

#endif
