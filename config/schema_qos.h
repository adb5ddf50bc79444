/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words and predicates of the rows of shaping, schema_qos.inc. For schema_rows.c only.
 */
#ifndef CONFIG_SCHEMA_QOS_H
#define CONFIG_SCHEMA_QOS_H

#include "config/schema_match.h"

/* A list in the record itself: its array, which is full at .max elements; values in an array. */
#define PLACES(record, type, array, counter)                                                       \
	.in = (record), .at = offsetof(struct type, array),                                        \
	.size = sizeof(((struct type *)0)->array[0]), .count_at = offsetof(struct type, counter),  \
	.in_place = true
#define VALUES(record, type, array, counter)                                                       \
	FIELD(record, type, array), .count_at = offsetof(struct type, counter)

static const struct schema_word linklayer_words[] = { { "ethernet", CONF_LINKLAYER_ETHERNET },
						      { "atm", CONF_LINKLAYER_ATM },
						      { NULL, 0 } };
static const struct schema_word distribution_words[] = {
	{ "uniform", CONF_DIST_UNIFORM },
	{ "normal", CONF_DIST_NORMAL },
	{ "pareto", CONF_DIST_PARETO },
	{ "paretonormal", CONF_DIST_PARETONORMAL },
	{ NULL, 0 },
};
static const struct schema_word ethertype_words[] = {
	{ "ipv4", 0x0800 }, { "arp", 0x0806 },	{ "ipv6", 0x86dd },
	{ "mpls", 0x8847 }, { "lldp", 0x88cc }, { NULL, 0 },
};
static const struct schema_word tc_act_words[] = { { "drop", CONF_TC_DROP },
						   { "pass", CONF_TC_PASS },
						   { NULL, 0 } };
static const struct schema_word conform_words[] = {
	{ "pass", CONF_CONFORM_PASS },
	{ "drop", CONF_CONFORM_DROP },
	{ "pipe", CONF_CONFORM_PIPE },
	{ "continue", CONF_CONFORM_CONTINUE },
	{ "reclassify", CONF_CONFORM_RECLASSIFY },
	{ NULL, 0 },
};
static const struct schema_word direction_words[] = { { "both", CONF_DIRECTION_BOTH },
						      { "in", CONF_DIRECTION_IN },
						      { "out", CONF_DIRECTION_OUT },
						      { NULL, 0 } };

/* Numbers of bits of enum conf_hash_key. */
static_assert(CONF_HASH_SRC == 1 << 0 && CONF_HASH_DSCP == 1 << 6, "hash_words");
static const struct schema_word hash_words[] = {
	{ "from", 0 },	{ "to", 1 },   { "proto", 2 }, { "sport", 3 },
	{ "dport", 4 }, { "mark", 5 }, { "dscp", 6 },  { NULL, 0 },
};

static inline bool qdisc_is(const struct schema_row *row, const void *qdisc)
{
	return ((const struct conf_qdisc *)qdisc)->kind == (enum conf_qdisc_kind)row->act;
}

static inline bool tc_act_is(const struct schema_row *row, const void *action)
{
	return ((const struct conf_tc_action *)action)->act == (enum conf_tc_act)row->act;
}

static inline bool sets_mark(const struct schema_row *row, const void *action)
{
	(void)row;
	return ((const struct conf_tc_action *)action)->has_mark;
}

static inline bool sets_priority(const struct schema_row *row, const void *action)
{
	(void)row;
	return ((const struct conf_tc_action *)action)->has_priority;
}

static inline bool has_limit(const struct schema_row *row, const void *tbf)
{
	(void)row;
	return ((const struct conf_tbf *)tbf)->latency == 0;
}

/* What follows from the rate is not printed. */
static inline bool ceil_is_own(const struct schema_row *row, const void *class)
{
	const struct conf_class *c = class;
	(void)row;

	return c->ceil != c->rate;
}

static inline bool burst_is_own(const struct schema_row *row, const void *class)
{
	const struct conf_class *c = class;
	(void)row;

	return c->burst != conf_usual_burst(c->rate);
}

static inline bool cburst_is_own(const struct schema_row *row, const void *class)
{
	const struct conf_class *c = class;
	(void)row;

	return c->cburst != conf_usual_burst(c->ceil);
}

/* `loss: 1%` is a mapping if there is more to say. */
static inline bool loss_is_plain(const struct schema_row *row, const void *netem)
{
	const struct conf_netem *n = netem;
	(void)row;

	return n->loss_model == CONF_LOSS_RANDOM && !n->loss_correlation;
}

static inline bool loss_is_correlated(const struct schema_row *row, const void *netem)
{
	const struct conf_netem *n = netem;
	(void)row;

	return n->loss_model == CONF_LOSS_RANDOM && n->loss_correlation;
}

static inline bool vlan_given(const struct schema_row *row, const void *frame)
{
	(void)row;
	return ((const struct conf_frame_match *)frame)->vlan >= 0;
}

static inline bool vlan_priority_given(const struct schema_row *row, const void *frame)
{
	(void)row;
	return ((const struct conf_frame_match *)frame)->vlan_priority >= 0;
}

static inline bool src_mac_given(const struct schema_row *row, const void *frame)
{
	(void)row;
	return ((const struct conf_frame_match *)frame)->has_src_mac;
}

static inline bool dst_mac_given(const struct schema_row *row, const void *frame)
{
	(void)row;
	return ((const struct conf_frame_match *)frame)->has_dst_mac;
}

static inline bool conform_marks(const struct schema_row *row, const void *police)
{
	(void)row;
	return ((const struct conf_police *)police)->conform == CONF_CONFORM_MARK;
}

static inline bool exceed_marks(const struct schema_row *row, const void *police)
{
	(void)row;
	return ((const struct conf_police *)police)->exceed == CONF_CONFORM_MARK;
}

static inline bool violate_marks(const struct schema_row *row, const void *police)
{
	(void)row;
	return ((const struct conf_police *)police)->violate == CONF_CONFORM_MARK;
}

/* Types that fill a field and the one behind it. */
static_assert(offsetof(struct conf_tc_action, mask) == offsetof(struct conf_tc_action, mark) + 4,
	      "MARK");
static_assert(sizeof(((struct conf_frame_match *)0)->vlan) == sizeof(unsigned), "UINT");

/* How long a packet is taken to be. */
#define SIZE_ROWS(path, record, type)                                                              \
	{ path ".overhead",                                                                        \
	  SCHEMA_INT,                                                                              \
	  "0",                                                                                     \
	  FIELD(record, type, size.overhead),                                                      \
	  .min = (unsigned)-64,                                                                    \
	  .max = 256,                                                                              \
	  .doc = "Bytes that each packet takes beside its frame (without FCS)." },                 \
		{ path ".mpu",                                                                     \
		  SCHEMA_SIZE,                                                                     \
		  "0",                                                                             \
		  FIELD(record, type, size.mpu),                                                   \
		  .max = 2048,                                                                     \
		  .bare_too = true,                                                                \
		  .doc = "Bytes that the shortest packet takes." },                                \
	{                                                                                          \
		path ".linklayer", SCHEMA_ENUM, "ethernet", FIELD(record, type, size.linklayer),   \
			.words = linklayer_words,                                                  \
			.doc = "atm: packets take whole cells, 53 bytes for 48."                   \
	}

/* What filters of shaping and mirrors look at beside the match of a rule. */
#define FRAME_ROWS(path)                                                                            \
	{ path ".ethertype",                                                                        \
	  SCHEMA_NUMBER,                                                                            \
	  FIELD(SCHEMA_FRAME, conf_frame_match, ethertype),                                         \
	  .min = 1,                                                                                 \
	  .max = 65535,                                                                             \
	  .words = ethertype_words,                                                                 \
	  .doc = "The Ethernet type, behind VLAN tags: a word, or like 0x0800." },                  \
		{ path ".vlan", SCHEMA_MAP, .doc = "Its outer VLAN tag." },                         \
		{ path ".vlan.id", SCHEMA_UINT,	       FIELD(SCHEMA_FRAME, conf_frame_match, vlan), \
		  .max = 4094,	   .says = vlan_given, .doc = "The VLAN." },                        \
		{ path ".vlan.priority",                                                            \
		  SCHEMA_UINT,                                                                      \
		  FIELD(SCHEMA_FRAME, conf_frame_match, vlan_priority),                             \
		  .max = 7,                                                                         \
		  .says = vlan_priority_given,                                                      \
		  .doc = "The priority in the tag, PCP." },                                         \
		{ path ".src-mac", SCHEMA_ANY_MAC, FIELD(SCHEMA_FRAME, conf_frame_match, src_mac),  \
		  .says = src_mac_given, .doc = "The sender's MAC address. Quote it." },            \
		{ path ".dst-mac", SCHEMA_ANY_MAC, FIELD(SCHEMA_FRAME, conf_frame_match, dst_mac),  \
		  .says = dst_mac_given, .doc = "The receiver's MAC address. Quote it." },          \
		{ path ".u32",                                                                      \
		  SCHEMA_LIST,                                                                      \
		  PLACES(SCHEMA_FRAME, conf_frame_match, u32, nu32),                                \
		  .element = SCHEMA_U32,                                                            \
		  .single_too = true,                                                               \
		  .max = CONF_U32_MAX,                                                              \
		  .doc = "Bytes of the packet." },                                                  \
		{ path ".u32[]", SCHEMA_MAP, .doc = "One place." },                                 \
		{ path ".u32[].at",                                                                 \
		  SCHEMA_INT,                                                                       \
		  FIELD(SCHEMA_U32, conf_u32, at),                                                  \
		  .required = true,                                                                 \
		  .min = (unsigned)-18,                                                             \
		  .max = 1500,                                                                      \
		  .doc = "Where: bytes from the IP header." },                                      \
		{ path ".u32[].nexthdr", SCHEMA_BOOL, "false",                                      \
		  FIELD(SCHEMA_U32, conf_u32, nexthdr), .doc = "From the transport header." },      \
		{ path ".u32[].width",                                                              \
		  SCHEMA_UINT,                                                                      \
		  "4",                                                                              \
		  FIELD(SCHEMA_U32, conf_u32, width),                                               \
		  .min = 1,                                                                         \
		  .max = 4,                                                                         \
		  .power_of_two = true,                                                             \
		  .doc = "How many bytes." },                                                       \
		{ path ".u32[].value", SCHEMA_NUMBER, FIELD(SCHEMA_U32, conf_u32, value),           \
		  .required = true, .doc = "What they are." },                                      \
		{ path ".u32[].mask", SCHEMA_NUMBER, "0xffffffff",                                  \
		  FIELD(SCHEMA_U32, conf_u32, mask), .doc = "The bits that count." },               \
	{                                                                                           \
		path ".bytecode", SCHEMA_BYTECODE,                                                  \
			ARRAY(SCHEMA_FRAME, conf_frame_match, bpf, nbpf),                           \
			.doc = "A classic BPF program, \"N,code jt jf k,...\", as tcpdump -ddd "    \
			       "writes it."                                                         \
	}

#endif
