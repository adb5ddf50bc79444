/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many flows a source has: an address (IPv6: a /64) in a zone. Buckets of words in a hash of
 * its own, which exists only where there is a limit. A word is 40 bits of keyed hash and a count of
 * 24, so that no word of memory is spent on the address; two sources that share them share their
 * limit, which nobody outside can bring about.
 *
 * Counted once when a record is made and once when it goes: under the lock of a page of buckets. A
 * bucket that has no room (one in a thousand, if every flow has another source) lets its source go
 * uncounted, and the record says so.
 */
#include "router/net/flow_internal.h"

#define COUNT_BITS 24
#define COUNT_MASK ((1ull << COUNT_BITS) - 1)

struct place {
	struct flow_group *group;
	struct flow_bucket *bucket;
	uint64_t source; /* the word with a count of 0; never 0 */
};

static struct place place_of(struct flow_table *t, const struct flow_key *orig)
{
	uint64_t hash = flow_hash_source(t, orig), at = hash & t->source_mask;

	return (struct place){ .group = &t->source_group[at / FLOW_GROUP],
			       .bucket = &t->source[at],
			       .source = (hash | 1ull << 63) & ~COUNT_MASK };
}

/* The source's word, or the first empty one, or NULL. Under the lock. */
static uint64_t *word_of(const struct place *p)
{
	uint64_t *empty = NULL;

	for (unsigned s = 0; s < FLOW_SLOTS; s++) {
		uint64_t *word = &p->bucket->slot[s];

		if ((*word & ~COUNT_MASK) == p->source)
			return word;
		if (!*word && !empty)
			empty = word;
	}
	return empty;
}

bool flow_source_add(struct flow_table *t, const struct flow_key *orig, bool *counted)
{
	struct place p = place_of(t, orig);
	bool below = true;
	uint64_t *word;

	spin_lock(&p.group->lock);
	word = word_of(&p);
	*counted = false;
	if (word && (*word & COUNT_MASK) >= t->per_source_max) {
		below = false;
	} else if (word) {
		if (!*word) {
			*word = p.source;
			flow_group_add(p.group, 1);
		}
		++*word;
		*counted = true;
	}
	spin_unlock(&p.group->lock);
	return below;
}

void flow_source_drop(struct flow_table *t, const struct flow_key *orig)
{
	struct place p = place_of(t, orig);
	uint64_t *word;

	spin_lock(&p.group->lock);
	word = word_of(&p);
	assert(word && *word & COUNT_MASK);
	if (!(--*word & COUNT_MASK)) {
		*word = 0;
		flow_group_add(p.group, -1);
	}
	spin_unlock(&p.group->lock);
}
