/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All sets of the router, and what control does with one.
 *
 * A set whose name, types, size and file elements are as before stays the struct it is, with
 * whatever rules and operators put into it. Any other is built anew: the file's elements first,
 * then, as far as they fit, the dynamic ones of a predecessor of the same name and types. Only when
 * all are built do they take the place of the old. Rules of the old configuration go on with the
 * old ones until the new rules are published; sets_sweep(), after that, brings over what they added
 * meanwhile, and frees them.
 *
 * If the new rules are refused, control loads the old configuration again, and must get the very
 * sets back that the rules of old still use: those not swept yet are looked at, too.
 *
 * Nothing here knows the time when a file is loaded, so a timeout that the file gives is written
 * down as such and starts with the next sets_changes().
 */
#include "router/net/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "router/lib/clock.h"
#include "router/net/set_internal.h"
#include "router/net/siphash.h"

struct sets {
	struct names *names;
	struct set **set; /* as the configuration has them */
	unsigned n;
	struct set **old; /* in order of retirement, for sets_sweep() */
	unsigned nold;
	uint64_t changes;
	uint64_t unheard; /* changes of sets that nobody knows yet */
	uint64_t now;	  /* of the latest sets_changes() */
	uint8_t key[16];
};

int sets_create(struct names *names, struct sets **out)
{
	struct sets *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->names = names;
	if (getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key)) {
		free(s);
		return -EIO;
	}
	*out = s;
	return 0;
}

void sets_destroy(struct sets *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		set_destroy(s->set[i]);
	for (unsigned i = 0; i < s->nold; i++)
		set_destroy(s->old[i]);
	free(s->set);
	free(s->old);
	free(s);
}

struct set *sets_find(struct sets *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->set[i]->name, name))
			return s->set[i];
	return NULL;
}

/* ---- what a configuration says of a set */

static uint32_t timeout_of(const struct conf_set *c, const struct conf_element *e)
{
	return e->timeout_s ? e->timeout_s : c->timeout_s;
}

static int check(const struct conf_set *c, char *why, size_t size)
{
	uint32_t room = c->size ? c->size : SET_SIZE_DEFAULT;

	if (!c->ntypes || c->ntypes > CONF_FIELDS_MAX || room > SET_SIZE_MAX) {
		snprintf(why, size, "set \"%s\": no such type or size", c->name);
		return -EINVAL;
	}
	if (c->nelements > room) {
		snprintf(why, size, "set \"%s\": %u elements, but its size is %" PRIu32, c->name,
			 c->nelements, room);
		return -ENOSPC;
	}
	return 0;
}

/* The same for the same elements in any order, if their timeouts are the same. */
static int digest(const struct sets *s, const struct set *of, const struct conf_set *c,
		  uint64_t *out, char *why, size_t size)
{
	uint64_t sum = c->nelements, word[SET_FLAT + 1];
	char what[96];

	for (unsigned i = 0; i < c->nelements; i++) {
		struct conf_element e;
		int err = set_normalise(of, &c->elements[i], &e, what, sizeof(what));
		unsigned n;

		if (err) {
			snprintf(why, size, "set \"%s\", element %u: %s", c->name, i + 1, what);
			return err;
		}
		n = set_flatten(of, &e, word);
		word[n] = timeout_of(c, &e);
		sum += siphash_words(s->key, word, n + 1);
	}
	*out = sum;
	return 0;
}

/* ---- filling a new one */

static int add_files(struct set *s, const struct conf_set *c, char *why, size_t size)
{
	for (unsigned i = 0; i < c->nelements; i++) {
		uint32_t timeout_s = timeout_of(c, &c->elements[i]);
		struct set_put how = { .until = timeout_s ? SET_PENDING | timeout_s : SET_FOREVER };
		struct conf_element e;
		int err = set_normalise(s, &c->elements[i], &e, why, size);

		s->pending |= timeout_s != 0;
		if (!err)
			set_put_element(s, &e, &how, &err);
		if (err) {
			snprintf(why, size, "set \"%s\", element %u: %s", c->name, i + 1,
				 err == -E2BIG ? "a range of too many parts" : "no room");
			return err == -E2BIG ? -EINVAL : err;
		}
	}
	s->intact = true;
	return 0;
}

/* What rules and operators put into the old one, if the new has room. */
static void carry(const struct sets *all, struct set *from, struct set *to)
{
	struct set_put how = { .now = all->now, .dynamic = true };
	uint32_t used = set_load32(&from->used);
	struct conf_element e;
	int err;

	for (uint32_t n = 1; n <= used; n++) {
		uint64_t info = set_load64(&set_part(from, n)->info);

		how.until = set_load64(&set_part(from, n)->until);
		if (!(info & SET_USED) || !(info & SET_DYNAMIC) || info >> 32 ||
		    !set_until_alive(how.until, all->now))
			continue;
		set_unsplit(from, n, &e);
		set_put_element(to, &e, &how, &err);
	}
	for (uint32_t i = 0; i < from->nranges; i++) {
		if (!from->range[i] || !from->range[i]->dynamic ||
		    !set_until_alive(from->range[i]->until, all->now))
			continue;
		how.until = from->range[i]->until;
		set_put_element(to, &from->range[i]->e, &how, &err);
	}
}

static bool same_types(const struct set *s, const struct conf_set *c)
{
	return s->ntypes == c->ntypes && !memcmp(s->type, c->type, c->ntypes * sizeof(s->type[0]));
}

static bool same_set(const struct set *s, const struct conf_set *c, const struct set *new)
{
	return !strcmp(s->name, c->name) && same_types(s, c) && s->size == new->size &&
	       s->file_digest == new->file_digest;
}

/* One there is already that c means by `new`, or NULL. One that waits for the sweep is what rules
 * use, whatever has become of the file's elements in it; unless it never served. */
static struct set *kept(const struct sets *s, const struct conf_set *c, const struct set *new)
{
	for (unsigned i = 0; i < s->nold; i++)
		if (s->old[i]->served && same_set(s->old[i], c, new))
			return s->old[i];
	for (unsigned i = 0; i < s->n; i++)
		if (same_set(s->set[i], c, new) && s->set[i]->intact)
			return s->set[i];
	return NULL;
}

/* The set that c asks for: the one there is, or a new one. */
static int follow_one(struct sets *s, const struct conf_set *set, struct set **out, char *why,
		      size_t size)
{
	struct set *old = sets_find(s, set->name), *new;
	int err = check(set, why, size);

	if (err)
		return err;
	if (set_create(set, s->names, &s->unheard, &new)) {
		snprintf(why, size, "set \"%s\": no memory", set->name);
		return -ENOMEM;
	}
	err = digest(s, new, set, &new->file_digest, why, size);
	if (err)
		goto out;
	*out = kept(s, set, new);
	if (*out)
		goto out;
	err = add_files(new, set, why, size);
	if (err)
		goto out;
	if (old && same_types(old, set)) {
		new->refused = __atomic_load_n(&old->refused, __ATOMIC_RELAXED);
		carry(s, old, new);
	}
	*out = new;
	return 0;
out:
	set_destroy(new);
	return err;
}

/* ---- all of them */

static bool is_among(struct set *const *set, unsigned n, const struct set *what)
{
	for (unsigned i = 0; i < n; i++)
		if (set[i] == what)
			return true;
	return false;
}

/* All that are not among the new wait for the sweep, in `old`, which has room for them. Returns how
 * many. */
static unsigned retire(const struct sets *s, struct set *const *set, unsigned n, struct set **old)
{
	unsigned m = 0;

	for (unsigned i = 0; i < s->nold; i++)
		if (!is_among(set, n, s->old[i]))
			old[m++] = s->old[i];
	for (unsigned i = 0; i < s->n; i++)
		if (!is_among(set, n, s->set[i]))
			old[m++] = s->set[i];
	return m;
}

/* From here on nothing fails. */
static void take_over(struct sets *s, const struct conf *c, struct set **set, struct set **old)
{
	unsigned n = retire(s, set, c->nsets, old);
	bool moved = c->nsets != s->n;

	for (unsigned i = 0; i < c->nsets; i++) {
		if (!is_among(s->set, s->n, set[i])) {
			moved = true;
			if (!set[i]->served)
				set[i]->changes = &s->changes;
		}
		__atomic_store_n(&set[i]->timeout_s, c->sets[i].timeout_s, __ATOMIC_RELAXED);
	}
	free(s->set);
	free(s->old);
	s->set = set;
	s->n = c->nsets;
	s->old = old;
	s->nold = n;
	if (moved)
		__atomic_fetch_add(&s->changes, 1, __ATOMIC_RELEASE);
}

int sets_follow(struct sets *s, const struct conf *c, char *why, size_t size)
{
	struct set **set = calloc(c->nsets + 1u, sizeof(struct set *));
	struct set **old = calloc(s->n + s->nold + 1u, sizeof(struct set *));
	unsigned i = 0;
	int err = -ENOMEM;

	if (!set || !old) {
		snprintf(why, size, "no memory");
		goto out;
	}
	for (; i < c->nsets; i++) {
		err = follow_one(s, &c->sets[i], &set[i], why, size);
		if (err)
			goto out;
	}
	take_over(s, c, set, old);
	return 0;
out:
	while (i-- > 0)
		if (!is_among(s->set, s->n, set[i]) && !is_among(s->old, s->nold, set[i]))
			set_destroy(set[i]);
	free(set);
	free(old);
	return err;
}

static struct set *heir_of(const struct sets *s, const struct set *old)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->set[i]->name, old->name) && s->set[i]->ntypes == old->ntypes &&
		    !memcmp(s->set[i]->type, old->type, sizeof(old->type)))
			return s->set[i];
	return NULL;
}

void sets_sweep(struct sets *s)
{
	for (unsigned i = 0; i < s->nold; i++) {
		struct set *heir = s->old[i]->served ? heir_of(s, s->old[i]) : NULL;

		if (heir)
			carry(s, s->old[i], heir);
		set_destroy(s->old[i]);
	}
	s->nold = 0;
	for (unsigned i = 0; i < s->n; i++)
		s->set[i]->served = true;
}

/* ---- time */

/* The timeouts of the file begin. */
static void start_timeouts(struct set *s, uint64_t now)
{
	uint64_t until;

	for (uint32_t n = 1; n <= set_load32(&s->used); n++) {
		uint64_t *at = &set_part(s, n)->until;

		until = set_load64(at);
		if (!(set_load64(&set_part(s, n)->info) & SET_USED) || !(until & SET_PENDING))
			continue;
		set_store64(at, set_deadline(now, (uint32_t)until));
		set_note_deadline(s, set_deadline(now, (uint32_t)until));
	}
	for (uint32_t i = 0; i < s->nranges; i++)
		if (s->range[i] && s->range[i]->until & SET_PENDING)
			s->range[i]->until = set_deadline(now, (uint32_t)s->range[i]->until);
	s->pending = false;
}

static void expire(struct set *s, uint64_t now)
{
	bool some;

	if (set_load64(&s->soonest) > now)
		return;
	__atomic_store_n(&s->soonest, UINT64_MAX, __ATOMIC_SEQ_CST);
	some = set_table_expire(s, now);
	some |= set_expire_ranges(s, now);
	if (some)
		set_changed(s);
}

uint64_t sets_changes(struct sets *s, uint64_t now)
{
	s->now = now;
	for (unsigned i = 0; i < s->n; i++) {
		if (s->set[i]->pending)
			start_timeouts(s->set[i], now);
		expire(s->set[i], now);
	}
	return __atomic_load_n(&s->changes, __ATOMIC_ACQUIRE);
}

/* ---- keys */

void set_key_address(struct set_key *k, uint8_t family, const uint8_t bytes[16])
{
	k->field[k->n].family = family;
	memcpy(k->field[k->n].bytes, bytes, 16);
	k->n++;
}

void set_key_value(struct set_key *k, uint32_t value)
{
	k->field[k->n].family = 0;
	memset(k->field[k->n].bytes, 0, sizeof(k->field[k->n].bytes));
	memcpy(k->field[k->n].bytes, &value, sizeof(value));
	k->n++;
}

/* ---- operators */

int set_add_text(struct set *s, const char *text, uint32_t timeout_s, uint64_t now, char *why,
		 size_t size)
{
	struct set_put how = { .now = now, .dynamic = true, .exactly = true };
	struct conf_element e;
	int err = set_parse(s, text, &e, why, size);

	if (err)
		return err;
	how.until = set_deadline(now, timeout_s ? timeout_s : s->timeout_s);
	if (set_put_element(s, &e, &how, &err) != SET_FULL)
		return 0;
	if (err == -E2BIG) {
		snprintf(why, size, "ranges of too many parts, or too many different lengths");
		return -EINVAL;
	}
	if (err == -ENOSPC)
		snprintf(why, size, "the set is full: it has room for %" PRIu32 " elements",
			 s->size);
	else
		snprintf(why, size, "no memory");
	return err;
}

int set_del_text(struct set *s, const char *text, char *why, size_t size)
{
	struct conf_element e;
	int err = set_parse(s, text, &e, why, size);

	if (err)
		return err;
	if (!set_drop_element(s, &e)) {
		snprintf(why, size, "no such element");
		return -ENOENT;
	}
	set_changed(s);
	return 0;
}

int set_find_text(struct set *s, const char *text, uint64_t now, char *why, size_t size)
{
	struct conf_element e;
	int err = set_parse(s, text, &e, why, size);

	if (err)
		return err;
	return set_has_element(s, &e, now) ? 0 : -ENOENT;
}

struct set *sets_walk(struct sets *s, uint64_t *cursor, struct set_info *out)
{
	struct set *at;

	if (*cursor >= s->n)
		return NULL;
	at = s->set[(*cursor)++];
	out->name = at->name;
	set_format_type(at, out->type);
	out->elements = __atomic_load_n(&at->elements, __ATOMIC_RELAXED);
	out->size = at->size;
	out->timeout_s = at->timeout_s;
	out->refused = __atomic_load_n(&at->refused, __ATOMIC_RELAXED);
	return at;
}

static uint32_t seconds_left(uint64_t until, uint64_t now)
{
	if (until == SET_FOREVER)
		return 0;
	if (until & SET_PENDING)
		return (uint32_t)until;
	return (uint32_t)((until - now + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
}

/* Parts first, by number, then ranges. */
bool set_walk(const struct set *s, uint64_t *cursor, uint64_t now, char *text, size_t size,
	      uint32_t *left_s, bool *dynamic)
{
	uint64_t ranges = (uint64_t)s->capacity + 1;

	for (; *cursor < ranges && *cursor <= set_load32(&s->used); ++*cursor) {
		const struct set_part *x = set_part(s, (uint32_t)*cursor);
		uint64_t info = set_load64(&x->info), until = set_load64(&x->until);
		struct conf_element e;

		if (!(info & SET_USED) || info >> 32 || !set_until_alive(until, now))
			continue;
		set_unsplit(s, (uint32_t)(*cursor)++, &e);
		set_format(s, &e, text, size);
		*left_s = seconds_left(until, now);
		*dynamic = info & SET_DYNAMIC;
		return true;
	}
	if (*cursor < ranges)
		*cursor = ranges;
	for (; *cursor - ranges < s->nranges; ++*cursor) {
		const struct set_range *r = s->range[*cursor - ranges];

		if (!r || !set_until_alive(r->until, now))
			continue;
		++*cursor;
		set_format(s, &r->e, text, size);
		*left_s = seconds_left(r->until, now);
		*dynamic = r->dynamic;
		return true;
	}
	return false;
}
