/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hash of a set and how it is read: shapes, the filter before them, buckets and parts
 * (set_internal.h). What is added and taken away is in set_add.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "router/lib/clock.h"
#include "router/net/set_internal.h"
#include "router/net/siphash.h"

#define FILTER_BITS 16u

/* ---- create */

static void lay_out_fields(struct set *s, const struct conf_set *c)
{
	s->ntypes = (uint8_t)c->ntypes;
	s->filtered = -1;
	for (unsigned i = 0; i < s->ntypes && i < CONF_FIELDS_MAX; i++) {
		s->type[i] = c->type[i];
		s->word_at[i] = s->nwords;
		s->nwords = (uint8_t)(s->nwords + (set_field_is_address(c->type[i]) ? 2 : 1));
		if (s->filtered < 0 &&
		    (c->type[i] == CONF_FIELD_PREFIX || c->type[i] == CONF_FIELD_PORT))
			s->filtered = (int8_t)i;
	}
	s->stride = (uint32_t)(sizeof(struct set_part) + 8u * s->nwords);
}

/* One mapping for all of it, of which an empty set touches next to nothing. */
static int map_tables(struct set *s)
{
	uint64_t buckets = 16;
	size_t at[4];
	uint8_t *m;

	while (buckets < s->size)
		buckets *= 2;
	s->mask = (uint32_t)buckets - 1;
	/* ranges have several parts: of one field 2 or 3 in life, at worst 62 of IPv4 */
	s->capacity = s->filtered < 0 ? s->size : 8 * s->size + 65536;
	at[0] = buckets * sizeof(struct set_bucket);
	at[1] = at[0] + (s->filtered < 0 ? 0 : SET_FILTER * sizeof(uint64_t));
	at[2] = at[1] + SET_SHAPES * sizeof(struct set_shape);
	at[3] = at[2] + SET_SHAPES * sizeof(uint32_t);
	s->bytes = at[3] + ((size_t)s->capacity + 1) * s->stride;
	m = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	s->bucket = (struct set_bucket *)(void *)m;
	s->filter = (uint64_t *)(void *)(m + at[0]);
	s->shape = (struct set_shape *)(void *)(m + at[1]);
	s->live = (uint32_t *)(void *)(m + at[2]);
	s->part = m + at[3];
	return 0;
}

int set_create(const struct conf_set *c, struct names *names, uint64_t *changes, struct set **out)
{
	struct set *s = aligned_alloc(64, sizeof(*s));

	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	memcpy(s->name, c->name, sizeof(s->name));
	s->names = names;
	s->changes = changes;
	s->size = c->size ? c->size : SET_SIZE_DEFAULT;
	s->timeout_s = c->timeout_s;
	s->soonest = UINT64_MAX;
	lay_out_fields(s, c);
	if (table_init(&s->ranges))
		goto no_table;
	if (getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key) || map_tables(s))
		goto no_map;
	*out = s;
	return 0;
no_map:
	table_fini(&s->ranges);
no_table:
	free(s);
	return -ENOMEM;
}

void set_destroy(struct set *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->nranges; i++)
		free(s->range[i]);
	free(s->range);
	free(s->spare);
	table_fini(&s->ranges);
	munmap(s->bucket, s->bytes);
	free(s);
}

/* ---- shapes */

static bool shape_is(const struct set_shape *h, const uint8_t family[], const uint8_t len[])
{
	return !memcmp(h->family, family, CONF_FIELDS_MAX) && !memcmp(h->len, len, CONF_FIELDS_MAX);
}

static void shape_init(const struct set *s, struct set_shape *h, const uint8_t family[],
		       const uint8_t len[])
{
	memcpy(h->family, family, CONF_FIELDS_MAX);
	memcpy(h->len, len, CONF_FIELDS_MAX);
	for (unsigned i = 0; i < s->ntypes; i++) {
		unsigned bits = set_field_bits(s->type[i], family[i]);

		if (set_field_is_address(s->type[i])) {
			uint8_t mask[16] = { 0 };

			for (unsigned b = 0; b < len[i]; b++)
				mask[b / 8] |= (uint8_t)(0x80u >> b % 8);
			memcpy(&h->mask[s->word_at[i]], mask, sizeof(mask));
		} else {
			h->mask[s->word_at[i]] = UINT32_MAX & ~((1ull << (bits - len[i])) - 1);
		}
	}
}

static int shape_among(const struct set *s, unsigned n, const uint8_t family[], const uint8_t len[])
{
	for (unsigned i = 0; i < n; i++)
		if (shape_is(&s->shape[i], family, len))
			return (int)i;
	return -1;
}

int set_shape(struct set *s, const uint8_t family[], const uint8_t len[])
{
	int at = shape_among(s, set_load32(&s->nshapes), family, len);

	if (at >= 0)
		return at;
	set_lock(&s->lock);
	at = shape_among(s, s->nshapes, family, len);
	if (at < 0 && s->nshapes < SET_SHAPES) {
		at = (int)s->nshapes;
		shape_init(s, &s->shape[at], family, len);
		set_store32(&s->nshapes, s->nshapes + 1);
	}
	set_unlock(&s->lock);
	return at;
}

/* ---- the filter */

/* Its slot for the first word of the field it goes by. */
static uint32_t filter_slot(uint64_t word, uint8_t family)
{
	uint32_t first;

	if (!family)
		return (uint32_t)word & (SET_FILTER - 1);
	memcpy(&first, &word, sizeof(first));
	if (family == AF_INET)
		return ntohl(first) >> FILTER_BITS;
	return first * 0x9e3779b1u >> FILTER_BITS;
}

static uint64_t filter_look(const struct set *s, const uint64_t word[], const uint8_t family[])
{
	if (s->filtered < 0)
		return UINT64_MAX;
	return set_load64(&s->wide) |
	       set_load64(
		       &s->filter[filter_slot(word[s->word_at[s->filtered]], family[s->filtered])]);
}

static void set_bits(uint64_t *at, uint64_t bits)
{
	if ((set_load64(at) & bits) != bits)
		__atomic_fetch_or(at, bits, __ATOMIC_RELEASE);
}

/* A prefix shorter than what the filter goes by takes all its slots; of IPv6, where slots are a
 * mix, it is `wide`. */
void set_filter_note(struct set *s, unsigned shape, const uint64_t word[])
{
	const struct set_shape *h = &s->shape[shape];
	uint64_t bit = 1ull << shape % 64;
	uint32_t slot, n;
	unsigned len;

	if (s->filtered < 0)
		return;
	len = h->len[s->filtered];
	if (h->family[s->filtered] == AF_INET6 && len < 32) {
		set_bits(&s->wide, bit);
		return;
	}
	slot = filter_slot(word[s->word_at[s->filtered]], h->family[s->filtered]);
	n = len < FILTER_BITS ? 1u << (FILTER_BITS - len) : 1;
	for (uint32_t i = 0; i < n; i++)
		set_bits(&s->filter[slot + i], bit);
}

/* ---- finding */

struct set_place set_place(const struct set *s, unsigned shape, const uint64_t word[])
{
	const struct set_shape *h = &s->shape[shape];
	struct set_place p = { .shape = shape };

	for (unsigned i = 0; i < s->nwords; i++)
		p.word[i] = word[i] & h->mask[i];
	p.word[s->nwords] = shape;
	p.b = &s->bucket[siphash_words(s->key, p.word, s->nwords + 1u) & s->mask];
	return p;
}

static bool part_is(const struct set *s, const struct set_part *x, const struct set_place *p)
{
	if ((set_load64(&x->info) & (SET_SHAPE_BITS | SET_USED)) != (p->shape | SET_USED))
		return false;
	for (unsigned i = 0; i < s->nwords; i++)
		if (set_load64(&x->word[i]) != p->word[i])
			return false;
	return true;
}

static uint32_t count_of(const struct set_bucket *b)
{
	return set_load32(&b->seq) >> 1;
}

/* A part here that is alive, with its deadline. Parts may be unlinked and reused under our eyes:
 * what was seen counts only if nothing was unlinked meanwhile. */
bool set_alive_at(const struct set *s, const struct set_place *p, uint64_t now, uint64_t *until)
{
	uint32_t count, n;

again:
	count = count_of(p->b);
	n = set_load32(&p->b->head);
	while (n) {
		const struct set_part *x = set_part(s, n);
		uint32_t next = set_load32(&x->next);
		bool found;

		*until = set_load64(&x->until);
		found = set_until_alive(*until, now) && part_is(s, x, p);
		if (count_of(p->b) != count)
			goto again;
		if (found)
			return true;
		n = next;
	}
	if (count_of(p->b) != count)
		goto again;
	return false;
}

uint32_t set_find_locked(const struct set *s, const struct set_place *p, uint32_t range)
{
	uint32_t n = p->b->head;

	while (n && (!part_is(s, set_part(s, n), p) || set_part(s, n)->info >> 32 != range))
		n = set_part(s, n)->next;
	return n;
}

bool set_key_words(const struct set *s, const struct set_key *k, uint64_t word[], uint8_t family[])
{
	if (k->n != s->ntypes)
		return false;
	memset(family, 0, CONF_FIELDS_MAX);
	for (unsigned i = 0; i < k->n; i++) {
		uint64_t *w = &word[s->word_at[i]];
		uint32_t value;

		if (set_field_is_address(s->type[i])) {
			family[i] = k->field[i].family;
			if (family[i] != AF_INET && family[i] != AF_INET6)
				return false;
			memcpy(w, k->field[i].bytes, 16);
		} else {
			memcpy(&value, k->field[i].bytes, sizeof(value));
			*w = value;
		}
	}
	return true;
}

bool set_has(const struct set *s, const struct set_key *k, uint64_t now)
{
	uint64_t word[SET_WORDS], likely, until;
	uint8_t family[CONF_FIELDS_MAX];
	uint32_t n = set_load32(&s->nshapes);

	if (!n || !set_key_words(s, k, word, family))
		return false;
	likely = filter_look(s, word, family);
	for (unsigned base = 0; base < n; base += 64) {
		for (uint64_t m = likely; m; m &= m - 1) {
			unsigned i = base + (unsigned)__builtin_ctzll(m);
			struct set_place p;

			if (i >= n)
				break;
			if (memcmp(s->shape[i].family, family, sizeof(family)) != 0 ||
			    !set_load32(&s->live[i]))
				continue;
			p = set_place(s, i, word);
			if (set_alive_at(s, &p, now, &until))
				return true;
		}
	}
	return false;
}
