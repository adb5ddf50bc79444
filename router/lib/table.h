/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chained hash table of nodes that live inside other structs. One thread. Hashes are the
 * caller's, so that keys may be anything. */
#ifndef ROUTER_LIB_TABLE_H
#define ROUTER_LIB_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint32_t hash;
};

struct table {
	struct table_node **bucket;
	uint32_t mask, count;
};

#define table_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

int table_init(struct table *t);  /* 0 or -ENOMEM */
void table_fini(struct table *t); /* nodes are the caller's */
void table_add(struct table *t, struct table_node *n, uint32_t hash);
void table_del(struct table *t, struct table_node *n);

/* The first node with this hash, and the one after n with the same hash; NULL: no more. */
struct table_node *table_find(const struct table *t, uint32_t hash);
struct table_node *table_find_next(const struct table_node *n);

/* All nodes, in no order: *bucket starts at 0 and after at NULL. To remove a node while walking,
 * take its successor first. */
struct table_node *table_walk(const struct table *t, uint32_t *bucket, struct table_node *after);

uint32_t hash_bytes(const void *data, size_t len, uint32_t seed);

#endif
