/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML file as a tree that knows where each word stood. libyaml is behind yaml.c and nowhere
 * else.
 *
 * All nodes of one configuration, of the main file and of those it includes, live in one yaml_tree
 * and are freed with it. An alias shares the node of its anchor, so a "tree" may be a DAG; it is
 * never cyclic, and followed through its aliases it has at most YAML_NODES_MAX nodes and
 * YAML_DEPTH_MAX levels: whoever walks it may recurse and need not count. [control]
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "config/report.h"

#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 1000000
#define YAML_PATH_MAX  256

enum yaml_kind {
	YAML_BROKEN, /* an error was reported about it already; pass over it */
	YAML_TEXT,
	YAML_LIST,
	YAML_MAP,
};

struct yaml_node;

struct yaml_item {
	struct yaml_node *key; /* NULL in a list */
	struct yaml_node *value;
	struct yaml_item *next;
};

struct yaml_node {
	enum yaml_kind kind;
	bool plain; /* written without quotes */
	bool open;  /* still being read: an alias to it is a cycle */
	struct mark mark;
	const char *text; /* of YAML_TEXT */
	struct yaml_item *items;
	struct yaml_item *last;
	unsigned nitems;
	unsigned size;	 /* nodes in it, itself too, aliases followed */
	unsigned height; /* levels below it */
	/* How it was reached, for yaml_path(): in a list, or under a key. */
	const struct yaml_node *parent;
	const struct yaml_node *key;
	unsigned index;
};

struct yaml_tree;

struct yaml_tree *yaml_tree_create(void); /* NULL: no memory */
void yaml_tree_destroy(struct yaml_tree *t);

/* Read one source of the report. 0 with *root set (NULL when the document is empty); -EINVAL when
 * it was not YAML, reported; -ENOMEM. Errors that leave a usable tree, like a duplicate key, are
 * reported and give 0. */
int yaml_read(struct yaml_tree *t, struct report *r, unsigned source, struct yaml_node **root);

/* For those who put trees together: NULL when there is no memory or too many nodes. */
struct yaml_node *yaml_node_copy(struct yaml_tree *t,
				 const struct yaml_node *n); /* without items */
struct yaml_item *yaml_item_add(struct yaml_tree *t, struct yaml_node *to, struct yaml_node *key,
				struct yaml_node *value);

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key); /* NULL: not there */

/* Items of several maps sorted by key, equal keys in order of appearance; free() the array. */
struct yaml_item **yaml_sorted(struct yaml_node *const maps[], unsigned nmaps, unsigned *nitems);

/* "router.workers.cpus", "routing.routes[3].via"; "" for the root. Returns buf. */
char *yaml_path(const struct yaml_node *n, char buf[YAML_PATH_MAX]);

/* "in interfaces.wan0", or "at the top level". Returns buf. */
char *yaml_within(const struct yaml_node *map, char buf[YAML_PATH_MAX]);

#endif
