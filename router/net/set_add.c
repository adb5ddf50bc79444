/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes into the hash of a set and goes (set_internal.h). Workers add, under the lock of one
 * bucket, and find room in the pool under another, inside it. Control alone takes away, so a part
 * that control sees in use stays until control itself unlinks it.
 */
#include "router/lib/clock.h"
#include "router/net/set_internal.h"

/* A refresh that gains less is not written: a flood from one banned source would be a flood of
 * writes to one cache line. */
#define REFRESH_LEAST (NSEC_PER_SEC / 10)

/* ---- counts and deadlines */

uint64_t set_deadline(uint64_t now, uint32_t timeout_s)
{
	uint64_t until = now + timeout_s * NSEC_PER_SEC;

	if (!timeout_s)
		return SET_FOREVER;
	return until < now || until >= SET_PENDING ? SET_PENDING - 1 : until;
}

void set_note_deadline(struct set *s, uint64_t until)
{
	uint64_t soonest = set_load64(&s->soonest);

	while (until != SET_FOREVER && until < soonest)
		if (__atomic_compare_exchange_n(&s->soonest, &soonest, until, true,
						__ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
			return;
}

bool set_count_up(struct set *s)
{
	if (__atomic_fetch_add(&s->elements, 1, __ATOMIC_RELAXED) < s->size)
		return true;
	__atomic_fetch_sub(&s->elements, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->refused, 1, __ATOMIC_RELAXED);
	return false;
}

void set_count_down(struct set *s)
{
	__atomic_fetch_sub(&s->elements, 1, __ATOMIC_RELAXED);
}

void set_changed(struct set *s)
{
	__atomic_fetch_add(s->changes, 1, __ATOMIC_RELEASE);
}

/* ---- adding */

/* A part nobody uses, or 0. */
static uint32_t part_get(struct set *s)
{
	uint32_t n = 0;

	set_lock(&s->lock);
	if (s->free) {
		n = s->free;
		s->free = set_load32(&set_part(s, n)->next);
	} else if (s->used < s->capacity) {
		n = s->used + 1;
		set_store32(&s->used, n);
	}
	set_unlock(&s->lock);
	return n;
}

static void part_put(struct set *s, uint32_t n)
{
	struct set_part *x = set_part(s, n);

	set_store64(&x->info, 0);
	set_lock(&s->lock);
	set_store32(&x->next, s->free);
	s->free = n;
	set_unlock(&s->lock);
}

static bool link_part(struct set *s, const struct set_place *p, const struct set_put *how)
{
	uint32_t n = part_get(s);
	struct set_part *x = set_part(s, n);

	if (!n)
		return false;
	set_filter_note(s, p->shape, p->word);
	__atomic_fetch_add(&s->live[p->shape], 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < s->nwords; i++)
		set_store64(&x->word[i], p->word[i]);
	set_store64(&x->until, how->until);
	set_store64(&x->info, p->shape | SET_USED | (how->dynamic ? SET_DYNAMIC : 0) |
				      (uint64_t)how->range << 32);
	set_store32(&x->next, p->b->head);
	set_store32(&p->b->head, n);
	return true;
}

enum set_putting set_refresh(uint64_t *until, bool *dynamic, const struct set_put *how)
{
	bool back = !set_until_alive(*until, how->now);
	bool longer = *until != SET_FOREVER && (how->until == SET_FOREVER || how->until > *until);

	if (!*dynamic && how->dynamic && (*until == SET_FOREVER || *until & SET_PENDING))
		return SET_KNOWN;
	*dynamic &= how->dynamic;
	if (back || longer || how->exactly)
		*until = how->until;
	return back ? SET_CAME : SET_KNOWN;
}

/* Under the bucket's lock. */
static enum set_putting refresh_part(struct set_part *x, const struct set_put *how)
{
	uint64_t was = set_load64(&x->until), until = was;
	bool dynamic = x->info & SET_DYNAMIC;
	enum set_putting r = set_refresh(&until, &dynamic, how);

	if (until != was)
		set_store64(&x->until, until);
	if (!dynamic)
		set_store64(&x->info, x->info & ~SET_DYNAMIC);
	return r;
}

static enum set_putting put_locked(struct set *s, const struct set_place *p,
				   const struct set_put *how)
{
	uint32_t n = how->range ? 0 : set_find_locked(s, p, 0);

	if (n)
		return refresh_part(set_part(s, n), how);
	if (!how->range && !set_count_up(s))
		return SET_FULL;
	if (link_part(s, p, how))
		return SET_CAME;
	if (!how->range)
		set_count_down(s);
	return SET_FULL;
}

enum set_putting set_table_put(struct set *s, unsigned shape, const uint64_t word[],
			       const struct set_put *how)
{
	struct set_place p = set_place(s, shape, word);
	enum set_putting r;

	set_lock(&p.b->seq);
	r = put_locked(s, &p, how);
	set_unlock(&p.b->seq);
	if (r != SET_FULL)
		set_note_deadline(s, how->until);
	if (r == SET_CAME && !how->range)
		set_changed(s);
	return r;
}

/* Of a key, all is exact. */
static int full_shape(struct set *s, const uint8_t family[])
{
	uint8_t len[CONF_FIELDS_MAX] = { 0 };

	for (unsigned i = 0; i < s->ntypes; i++)
		len[i] = (uint8_t)set_field_bits(s->type[i], family[i]);
	return set_shape(s, family, len);
}

/* Most packets that would add their source find it there already, and leave it as it is. */
static bool fresh_enough(const struct set *s, unsigned shape, const uint64_t word[],
			 const struct set_put *how)
{
	struct set_place p = set_place(s, shape, word);
	uint64_t until;

	if (!set_alive_at(s, &p, how->now, &until))
		return false;
	return until == SET_FOREVER ||
	       (how->until != SET_FOREVER && until + REFRESH_LEAST >= how->until);
}

bool set_add(struct set *s, const struct set_key *k, uint64_t now)
{
	uint32_t timeout_s = __atomic_load_n(&s->timeout_s, __ATOMIC_RELAXED);
	struct set_put how = { .until = set_deadline(now, timeout_s), .now = now, .dynamic = true };
	uint8_t family[CONF_FIELDS_MAX];
	uint64_t word[SET_WORDS];
	int shape;

	if (!set_key_words(s, k, word, family))
		return false;
	shape = full_shape(s, family);
	if (shape < 0) {
		__atomic_fetch_add(&s->refused, 1, __ATOMIC_RELAXED);
		return false;
	}
	if (fresh_enough(s, (unsigned)shape, word, &how))
		return true;
	return set_table_put(s, (unsigned)shape, word, &how) != SET_FULL;
}

/* ---- taking away [control] */

uint32_t set_table_find(const struct set *s, unsigned shape, const uint64_t word[], uint32_t range)
{
	struct set_place p = set_place(s, shape, word);
	uint32_t n;

	set_lock(&p.b->seq);
	n = set_find_locked(s, &p, range);
	set_unlock(&p.b->seq);
	return n;
}

/* Out of its bucket and back to the pool, unless a worker refreshed it: now 0 means in any case. */
static bool unlink_part(struct set *s, uint32_t n, uint64_t now)
{
	struct set_part *x = set_part(s, n);
	unsigned shape = x->info & SET_SHAPE_BITS;
	struct set_place p = set_place(s, shape, x->word);
	uint32_t *at = &p.b->head;

	set_lock(&p.b->seq);
	if (now && set_until_alive(x->until, now)) {
		set_unlock(&p.b->seq);
		return false;
	}
	while (*at != n)
		at = &set_part(s, *at)->next;
	set_store32(at, x->next);
	set_unlock_unlinked(p.b);
	__atomic_fetch_sub(&s->live[shape], 1, __ATOMIC_RELEASE);
	part_put(s, n);
	return true;
}

void set_table_remove(struct set *s, uint32_t part)
{
	bool element = !(set_part(s, part)->info >> 32);

	unlink_part(s, part, 0);
	if (element)
		set_count_down(s);
}

bool set_table_expire(struct set *s, uint64_t now)
{
	uint32_t used = set_load32(&s->used);
	bool some = false;

	for (uint32_t n = 1; n <= used; n++) {
		struct set_part *x = set_part(s, n);
		uint64_t info = set_load64(&x->info), until = set_load64(&x->until);

		if (!(info & SET_USED) || info >> 32)
			continue;
		if (set_until_alive(until, now) || !unlink_part(s, n, now)) {
			set_note_deadline(s, until);
			continue;
		}
		if (!(info & SET_DYNAMIC))
			s->intact = false;
		set_count_down(s);
		some = true;
	}
	return some;
}
