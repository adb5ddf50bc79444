/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets, exact to the packet (limit_internal.h). A new source begins with a full bucket.
 * Where a group is full of others, the one that has been idle for longest makes room; it begins
 * full as well when it comes back. So a source can exceed its rate only by having eight others of
 * its group come after each of its packets, and who is idle until its bucket is full again loses
 * nothing and gains nothing.
 */
#include <errno.h>
#include <sys/mman.h>

#include "router/lib/clock.h"
#include "router/lib/gcd.h"
#include "router/net/limit_internal.h"
#include "router/net/siphash.h"

#define BURST_LEAST 5u

static size_t table_bytes(const struct limit *l)
{
	return l->ngroups * sizeof(struct limit_group);
}

int limit_rate_init(struct limit *l)
{
	uint64_t period = l->rate.period_ms * NSEC_PER_MSEC;
	uint64_t factor = gcd(l->rate.count, period);
	void *m;

	l->count = l->rate.count / factor;
	l->period = period / factor;
	l->burst = l->rate.burst;
	if (!l->burst)
		l->burst = l->rate.count > BURST_LEAST ? l->rate.count : BURST_LEAST;
	l->ngroups = l->rate.per == CONF_PER_RULE ? 1 : LIMIT_GROUPS;
	m = mmap(NULL, table_bytes(l), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	l->group = m;
	return 0;
}

void limit_rate_fini(struct limit *l)
{
	if (l->group)
		munmap(l->group, table_bytes(l));
}

/* What `elapsed` ns bring. After less than a period these are less than 2^32 tokens, in 1/period
 * less than 2^84: only rates without round numbers take the long multiplication. */
static void earn(const struct limit *l, struct limit_bucket *b, uint64_t elapsed)
{
	uint64_t periods = elapsed / l->period, rest = elapsed % l->period, tokens, parts;

	if (periods >= l->burst) { /* a period brings one token at least */
		b->tokens = l->burst;
		b->fraction = 0;
		return;
	}
	if (__builtin_mul_overflow(rest, l->count, &parts) ||
	    __builtin_add_overflow(parts, b->fraction, &parts)) {
		unsigned __int128 long_parts = (unsigned __int128)rest * l->count + b->fraction;

		tokens = (uint64_t)(long_parts / l->period);
		b->fraction = (uint64_t)(long_parts % l->period);
	} else {
		tokens = parts / l->period;
		b->fraction = parts % l->period;
	}
	tokens += b->tokens + periods * l->count;
	if (tokens >= l->burst)
		b->fraction = 0;
	b->tokens = tokens < l->burst ? (uint32_t)tokens : l->burst;
}

/* A worker's time may lie a little behind another's: then it brings nothing. */
static void catch_up(const struct limit *l, struct limit_bucket *b, uint64_t now)
{
	if (now > b->last) {
		earn(l, b, now - b->last);
		b->last = now;
	}
}

static bool take(const struct limit *l, struct limit_bucket *b, uint64_t now)
{
	catch_up(l, b, now);
	if (!b->tokens)
		return false;
	b->tokens--;
	return true;
}

static bool is_of(const struct limit_bucket *b, const struct limit_who *who)
{
	return b->who.tag == who->tag && b->who.addr[0] == who->addr[0] &&
	       b->who.addr[1] == who->addr[1];
}

static struct limit_bucket full_bucket(const struct limit *l, const struct limit_who *who,
				       uint64_t now)
{
	return (struct limit_bucket){ .who = *who, .tokens = l->burst, .last = now };
}

/* The bucket of `who`, which may be new, and another's before. */
static struct limit_bucket *bucket_of(const struct limit *l, struct limit_group *g,
				      const struct limit_who *who, uint64_t now)
{
	struct limit_bucket *idle = &g->bucket[0];

	for (unsigned i = 0; i < LIMIT_WAYS; i++) {
		struct limit_bucket *b = &g->bucket[i];

		if (is_of(b, who))
			return b;
		if (!b->who.tag) {
			idle = b;
			break; /* they fill up in order, and none is given back */
		}
		if (b->last < idle->last)
			idle = b;
	}
	*idle = full_bucket(l, who, now);
	return idle;
}

static struct limit_who who_counts(const struct limit *l, const struct flow_key *k)
{
	if (l->rate.per == CONF_PER_SOURCE)
		return limit_source(k);
	if (l->rate.per == CONF_PER_DESTINATION)
		return limit_destination(k);
	return (struct limit_who){ .tag = 1 };
}

static struct limit_group *group_of(const struct limits *l, const struct limit *at,
				    const struct limit_who *who)
{
	uint64_t word[3] = { who->addr[0], who->addr[1], who->tag };

	return at->ngroups > 1 ? at->group + siphash_words(l->key, word, 3) % at->ngroups
			       : at->group;
}

bool limit_would(const struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now)
{
	const struct limit *at = limit_at(l, number, LIMIT_RATE);
	struct limit_bucket b;
	struct limit_group *g;
	struct limit_who who;

	if (!at)
		return true;
	who = who_counts(at, k);
	g = group_of(l, at, &who);
	b = full_bucket(at, &who, now);
	spin_lock(&g->lock);
	for (unsigned i = 0; i < LIMIT_WAYS; i++)
		if (is_of(&g->bucket[i], &who))
			b = g->bucket[i];
	spin_unlock(&g->lock);
	catch_up(at, &b, now);
	return b.tokens;
}

bool limit_within(struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now)
{
	const struct limit *at = limit_at(l, number, LIMIT_RATE);
	struct limit_group *g;
	struct limit_who who;
	bool within;

	if (!at)
		return true;
	who = who_counts(at, k);
	g = group_of(l, at, &who);
	spin_lock(&g->lock);
	within = take(at, bucket_of(at, g, &who, now), now);
	spin_unlock(&g->lock);
	return within;
}
