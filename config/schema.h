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
	unsigned min, max;		 /* of a number; of a list, max elements (0: any) */
	const struct schema_word *words; /* of SCHEMA_ENUM; also beside a number's digits */
	enum schema_record in;
	size_t at, size; /* the field in that struct; of a list: its pointer and the size of an
			    element */
	size_t count_at; /* of a list: its unsigned count */
	enum schema_record element; /* of a list: what its elements are */
	const char *doc;
};

extern const struct schema_row schema_rows[];
extern const unsigned schema_nrows;

const struct schema_row *schema_find(const char *path);
/* The row of `key` directly under `parent`; NULL if the parent has no such key. */
const struct schema_row *schema_child(const struct schema_row *parent, const char *key);
const struct schema_row *schema_element(const struct schema_row *container);
/* The last part of a row's path if the row is a key directly under `parent`, else NULL. */
const char *schema_key_under(const struct schema_row *row, const struct schema_row *parent);
/* "a, b or c"; returns buf. */
char *schema_words(const struct schema_row *row, char *buf, size_t size);

void conf_schema_print(FILE *out);
/* JSON Schema (2020-12) of the file. 0, or -EIO when out failed. */
int conf_schema_json(FILE *out);

#endif
