/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live connections per limit and source, exact: what was added when a flow was committed is taken
 * off when it ends, and an entry goes when its count is 0. A flow counts once, so as many entries
 * as there can be flows are always enough; the memory for them is reserved, and touched when used.
 * [worker]
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "router/net/limit_internal.h"
#include "router/net/siphash.h"

#define BUCKETS (1u << 20)

static_assert(sizeof(struct limit_count) == 24, "a million sources in 24 MB");

int limit_counts_init(struct limit_counts *c)
{
	size_t buckets = BUCKETS * sizeof(struct limit_count_bucket);
	uint8_t *m;

	if (c->bucket)
		return 0;
	c->bytes = buckets + ((size_t)FLOW_MAX + 1) * sizeof(struct limit_count);
	m = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	c->bucket = (struct limit_count_bucket *)(void *)m;
	c->count = (struct limit_count *)(void *)(m + buckets);
	return 0;
}

void limit_counts_fini(struct limit_counts *c)
{
	if (c->bucket)
		munmap(c->bucket, c->bytes);
}

/* ---- entries nobody uses */

static uint32_t entry_get(struct limit_counts *c)
{
	uint32_t n = 0;

	spin_lock(&c->lock);
	if (c->free) {
		n = c->free;
		c->free = c->count[n].next;
	} else if (c->used < FLOW_MAX) {
		n = ++c->used;
	}
	spin_unlock(&c->lock);
	return n;
}

static void entry_put(struct limit_counts *c, uint32_t n)
{
	spin_lock(&c->lock);
	c->count[n].next = c->free;
	c->free = n;
	spin_unlock(&c->lock);
}

/* ---- a source and its bucket */

struct place {
	struct limit_who who;
	uint16_t limit;
	struct limit_count_bucket *b;
};

static struct place place_of(const struct limits *l, const struct limit *at,
			     const struct flow_key *k)
{
	struct place p = { .who = limit_source(k), .limit = at->number };
	uint64_t word[2] = { p.who.addr[0], (uint64_t)p.limit << 32 | p.who.tag };

	p.b = &l->counts.bucket[siphash_words(l->key, word, 2) % BUCKETS];
	return p;
}

/* Where its number stands, under the bucket's lock: in the bucket or in the entry before. The
 * number is 0 if it has none. */
static uint32_t *find(const struct limit_counts *c, const struct place *p)
{
	uint32_t *at = &p->b->head;

	while (*at) {
		struct limit_count *x = &c->count[*at];

		if (x->limit == p->limit && x->tag == p->who.tag && x->addr == p->who.addr[0])
			break;
		at = &x->next;
	}
	return at;
}

static uint32_t entry_new(struct limit_counts *c, const struct place *p)
{
	uint32_t n = entry_get(c);

	if (!n)
		return 0;
	c->count[n] = (struct limit_count){
		.addr = p->who.addr[0], .tag = p->who.tag, .next = p->b->head, .limit = p->limit
	};
	p->b->head = n;
	return n;
}

bool limit_connections_over(struct limits *l, uint16_t number, const struct flow_key *k)
{
	const struct limit *at = limit_at(l, number, LIMIT_CONNECTIONS);
	struct place p;
	uint64_t have;

	if (!at)
		return false;
	p = place_of(l, at, k);
	spin_lock(&p.b->lock);
	have = l->counts.count[*find(&l->counts, &p)].n; /* number 0 has none */
	spin_unlock(&p.b->lock);
	return have + 1 > at->over;
}

void limit_count(struct limits *l, uint16_t number, const struct flow_key *orig)
{
	struct limit *at = limit_at(l, number, LIMIT_CONNECTIONS);
	struct limit_counts *c = &l->counts;
	uint32_t n;
	struct place p;

	if (!at)
		return;
	p = place_of(l, at, orig);
	spin_lock(&p.b->lock);
	n = *find(c, &p);
	if (!n)
		n = entry_new(c, &p);
	if (n) {
		c->count[n].n++;
		__atomic_fetch_add(&at->live, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&p.b->lock);
}

void limit_uncount(struct limits *l, uint16_t number, const struct flow_key *orig)
{
	struct limit *at = limit_at(l, number, LIMIT_CONNECTIONS);
	struct limit_counts *c = &l->counts;
	uint32_t n, *link;
	struct place p;

	if (!at)
		return;
	p = place_of(l, at, orig);
	spin_lock(&p.b->lock);
	link = find(c, &p);
	n = *link;
	if (n && !--c->count[n].n) {
		*link = c->count[n].next;
		entry_put(c, n);
	}
	if (n)
		__atomic_fetch_sub(&at->live, 1, __ATOMIC_RELEASE);
	spin_unlock(&p.b->lock);
}
