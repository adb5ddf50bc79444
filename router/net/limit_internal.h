/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What limit*.c share.
 *
 * Rates. A bucket has whole tokens and a fraction of one, in 1/period: each ns brings `count` of
 * them, so nothing is ever rounded. One bucket for a rule; for sources and destinations a table of
 * 8192 groups of 8, whose keyed hash says the group: it is locked, and all its buckets looked at.
 *
 * Connections. One table for all limits: an entry for each (limit, source) that has any, in chains
 * that hang on locked buckets.
 */
#ifndef ROUTER_NET_LIMIT_INTERNAL_H
#define ROUTER_NET_LIMIT_INTERNAL_H

#include <stdalign.h>

#include "router/lib/spinlock.h"
#include "router/lib/table.h"
#include "router/net/limit.h"

#define LIMITS_MAX   UINT16_MAX
#define LIMIT_WAYS   8u
#define LIMIT_GROUPS 8192u /* 65536 buckets of a limit */

/* Whom a bucket or a count is of. tag 0: nobody. */
struct limit_who {
	uint64_t addr[2];
	uint32_t tag; /* zone and family */
};

struct limit_bucket {
	struct limit_who who;
	uint32_t tokens;
	uint64_t fraction; /* of a token: 1/period each */
	uint64_t last;	   /* ns: reckoned up to here; of all in a group, the least is the longest
			      idle */
};

struct limit_group {
	alignas(64) uint32_t lock;
	struct limit_bucket bucket[LIMIT_WAYS];
};

enum limit_kind { LIMIT_RATE, LIMIT_CONNECTIONS };

struct limit {
	struct table_node node;
	char *name;
	enum limit_kind kind;
	uint16_t number;
	uint64_t used; /* the last build that asked for it */

	/* rate: `count` tokens in `period` ns, without common factors */
	struct conf_rate rate; /* as asked for */
	uint64_t count, period;
	uint32_t burst;
	unsigned ngroups; /* 1: per rule */
	struct limit_group *group;

	/* connections */
	uint32_t over;
	alignas(64) uint32_t live; /* that count, of all sources */
};

struct limit_count_bucket {
	uint32_t lock, head;
};

struct limit_count {
	uint64_t addr;
	uint32_t tag;
	uint32_t n;
	uint32_t next; /* in its bucket, or of the free */
	uint16_t limit;
};

/* All connections that count. */
struct limit_counts {
	struct limit_count_bucket *bucket;
	struct limit_count *count; /* number 0 is none */
	size_t bytes;
	alignas(64) uint32_t lock; /* of what follows */
	uint32_t free, used;
};

struct limits {
	struct limit *limit[LIMITS_MAX + 1]; /* by number */
	uint8_t key[16];
	struct limit_counts counts;
	/* control's own */
	struct table by_name;
	uint64_t build;
	uint32_t next; /* where to look for a number */
};

/* NULL: there is none of this number and kind. */
static inline struct limit *limit_at(const struct limits *l, uint16_t number, enum limit_kind kind)
{
	struct limit *at = __atomic_load_n(&l->limit[number], __ATOMIC_ACQUIRE);

	return at && at->kind == kind ? at : NULL;
}

/* An IPv6 source is its /64. */
struct limit_who limit_source(const struct flow_key *k);
struct limit_who limit_destination(const struct flow_key *k);

/* ---- limit_rate.c */
int limit_rate_init(struct limit *l); /* [control] l->rate is set. 0 or -ENOMEM */
void limit_rate_fini(struct limit *l);

/* ---- limit_count.c */
int limit_counts_init(struct limit_counts *c); /* [control] once */
void limit_counts_fini(struct limit_counts *c);

#endif
