/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of every key a configuration may have, a row a key. Parsing, defaults, ranges,
 * conf_print(), the reference text and the JSON Schema are all driven by these rows; a new key is a
 * new row and a new field in struct conf. [any]
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum schema_type {
	/* containers */
	SCHEMA_MAP,   /* of the keys below it in the table */
	SCHEMA_NAMED, /* mapping whose keys the operator chooses; its element is the row "path.*" */
	SCHEMA_LIST,  /* its element is the row "path[]" */
	/* values; see value.c */
	SCHEMA_UINT,
	SCHEMA_BOOL,
	SCHEMA_ENUM,
	SCHEMA_CPUS, /* 3, 2-5 or a list of these */
	SCHEMA_NETDEV,
	SCHEMA_PATH,
	SCHEMA_GROUP,
	SCHEMA_PATTERN, /* of file names; used up by include.c */
	SCHEMA_MODE,	/* permissions, "0660" */
	SCHEMA_MAC,
	SCHEMA_ADDRESS,
	SCHEMA_PREFIX,	    /* an address with its prefix length, host bits kept */
	SCHEMA_DESTINATION, /* a prefix without host bits, an address, or default */
	/* values of rules; see value_rules.c */
	SCHEMA_TABLE,	   /* of routes: a number, a word, or a name, resolved when all are known */
	SCHEMA_NETWORK,	   /* a prefix without host bits, or an address */
	SCHEMA_NAME,	   /* of a chain, a set, a zone */
	SCHEMA_LABEL,	   /* any printable text: a rule's name, a prefix of the log */
	SCHEMA_DURATION,   /* seconds: 5d, 2h4m */
	SCHEMA_PRIORITY,   /* of a chain: a word, a number, or filter+10 */
	SCHEMA_MARK,	   /* 0x10/0xff: the field is followed by its mask */
	SCHEMA_SPAN,	   /* 64-1500: the field, the lower bound, is followed by the upper */
	SCHEMA_PORT_RANGE, /* 1024-65535 */
	SCHEMA_RATE,	   /* 50/s: the field is followed by the period */
	SCHEMA_TCP_FLAGS,  /* syn/syn+ack: the field is followed by the mask */
	SCHEMA_ELEMENT,	   /* of a set, whose type says how it is written */
	/* values of shaping; see value_units.c */
	SCHEMA_INT,	     /* a number that may be negative */
	SCHEMA_NUMBER,	     /* 16 or 0x10 */
	SCHEMA_ANY_MAC,	     /* a group's, too */
	SCHEMA_BITRATE,	     /* 95mbit: bytes a second */
	SCHEMA_SIZE,	     /* 15kb: bytes */
	SCHEMA_TIME,	     /* 5ms: nanoseconds */
	SCHEMA_PERCENT,	     /* 0.1%: of 2^32 - 1 */
	SCHEMA_PROBABILITY,  /* 0 to 1: of 2^32 - 1 */
	SCHEMA_QDISC_HANDLE, /* "1:" */
	SCHEMA_CLASS_HANDLE, /* "1:10" */
	SCHEMA_SKB_PRIORITY, /* a number, or a class's handle */
	SCHEMA_REFERENCE,    /* a class's name, or a handle; resolved when all are known */
	SCHEMA_BYTECODE,     /* "N,code jt jf k,..." */
	/* values that are one word or a list of words; see value_list.c */
	SCHEMA_ADDRESSES, /* struct conf_addresses */
	SCHEMA_RANGES,	  /* addresses, neither negated nor a set */
	SCHEMA_PORTS,	  /* struct conf_ports */
	SCHEMA_NAMES,	  /* struct conf_names */
	SCHEMA_NAME_LIST, /* neither negated nor a set */
	SCHEMA_PROTOS,
	SCHEMA_ICMP,
	SCHEMA_ICMPV6,
	SCHEMA_BITS,	 /* each word or number is a bit of the field */
	SCHEMA_WORDS,	 /* at most CONF_FIELDS_MAX of the row's words, in order */
	SCHEMA_PERCENTS, /* in an array of the record, up to its end */
	SCHEMA_NUMBERS,	 /* of bytes; all of them, or none */
};

/* Which struct the field of a row lives in. */
enum schema_record {
	SCHEMA_NOWHERE, /* accepted and not stored: it has one meaning so far */
	SCHEMA_CONF,
	SCHEMA_IFACE,
	SCHEMA_IFACE_PREFIX,
	SCHEMA_ROUTE,
	SCHEMA_NEXTHOP,
	SCHEMA_NEIGHBOUR,
	SCHEMA_TABLE_NAME,
	SCHEMA_POLICY,
	SCHEMA_VRF,
	SCHEMA_SET,
	SCHEMA_SET_ELEMENT,
	SCHEMA_ZONE,
	SCHEMA_CHAIN,
	SCHEMA_RULE,
	SCHEMA_MATCH, /* of the rule that is being read, whatever its kind */
	SCHEMA_ACTION,
	SCHEMA_NAT_SOURCE,
	SCHEMA_NAT_DESTINATION,
	SCHEMA_NAT_STATIC,
	SCHEMA_CONNTRACK,
	SCHEMA_QOS,
	SCHEMA_TREE,
	SCHEMA_QDISC,
	SCHEMA_PFIFO, /* options of qdiscs, a kind each */
	SCHEMA_BFIFO,
	SCHEMA_PFIFO_FAST,
	SCHEMA_NOQUEUE,
	SCHEMA_TBF,
	SCHEMA_PRIO,
	SCHEMA_HTB,
	SCHEMA_SFQ,
	SCHEMA_RED,
	SCHEMA_CODEL,
	SCHEMA_FQ_CODEL,
	SCHEMA_NETEM,
	SCHEMA_CLASS,
	SCHEMA_TC_FILTER,
	SCHEMA_FRAME, /* what a filter of shaping or a mirror looks at in frames */
	SCHEMA_U32,
	SCHEMA_TC_ACTION,
	SCHEMA_POLICE,
	SCHEMA_PEDIT,
	SCHEMA_MIRROR,
	SCHEMA_REDIRECT,
	SCHEMA_RECORDS,
};

struct schema_word {
	const char *word; /* NULL ends the list */
	unsigned value;
};

struct schema_row {
	const char *path; /* "router.workers.mode", "interfaces.*.mtu", "routing.routes[].via" */
	enum schema_type type;
	const char *fallback; /* the default, as one would write it; NULL: none */
	bool required;
	bool power_of_two;
	bool inverted;	   /* of SCHEMA_BOOL: the field says the opposite */
	bool single_too;   /* of a list: one element may stand without its brackets */
	bool map_too;	   /* of a value: it may be a mapping of the keys below instead */
	bool empty_too;	   /* of a list of words: it may be empty */
	bool bare_too;	   /* of a size: bytes may do without a unit */
	bool in_place;	   /* of a list: an array of `max` in the record, no pointer to one */
	bool alias;	   /* another spelling: read, never printed */
	const char *like;  /* of a mapping: its keys are those of the row with this path */
	unsigned min, max; /* of a number; of a list, max elements (0: any) */
	const struct schema_word *words; /* of SCHEMA_ENUM; also beside a number's digits */
	enum schema_record in;
	size_t at, size; /* the field in that struct; of a list: its pointer and the size of an
			    element */
	size_t count_at; /* of a list: its unsigned count */
	enum schema_record element; /* of a list: what its elements are; of a mapping: it is a
				       record of its own, in a field of the other */
	/* Of a key that shares its field with others: is this the key that the record was, or is to
	 * be, written with? NULL: the field itself tells. */
	bool (*says)(const struct schema_row *row, const void *record);
	unsigned act; /* for says(): the enum conf_act that this key means */
	const char *doc;
};

extern const struct schema_row schema_rows[]; /* schema_rows.c */
extern const unsigned schema_nrows;
extern const struct schema_word schema_protos[]; /* names of protocols; "any" is 256 */

/* Is its value one word or a list of words? */
static inline bool schema_is_words(const struct schema_row *row)
{
	return row->type >= SCHEMA_ADDRESSES || row->type == SCHEMA_CPUS;
}

const struct schema_row *schema_find(const char *path);
/* The row whose keys a mapping has: itself, or the one it is like. */
const struct schema_row *schema_body(const struct schema_row *row);
/* The rows below `row`, at any depth, follow it: the first that does not. */
const struct schema_row *schema_end(const struct schema_row *row);
/* The row of `key` directly under `parent` or its body; NULL if the parent has no such key. */
const struct schema_row *schema_child(const struct schema_row *parent, const char *key);
const struct schema_row *schema_element(const struct schema_row *container);
/* The last part of a row's path if the row is a key directly under `parent`, else NULL. */
const char *schema_key_under(const struct schema_row *row, const struct schema_row *parent);
/* "a, b or c"; returns buf. */
char *schema_words(const struct schema_row *row, char *buf, size_t size);

/* What may stand there: "number 64..32768, a power of two; default 2048". */
void schema_print_value(FILE *out, const struct schema_row *row);
/* All rows for people, or (conf_schema_json) for editors. */
void conf_schema_print(FILE *out);
/* JSON Schema (2020-12) of the file. 0, or -EIO when out failed. */
int conf_schema_json(FILE *out);

#endif
