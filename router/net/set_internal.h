/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a set is kept; for set*.c alone.
 *
 * An element's fields are words: two for an address (bytes as on the wire), one for a value. What
 * stands in the hash is a part: the words under a mask, and the mask's number, the *shape*: the
 * family and the length of each field. An exact element is one part of full length, a prefix one of
 * its length; a range, or a concatenation of ranges, is split into several parts which carry its
 * number (set_split.c, set_range.c).
 *
 * A lookup asks the hash once for each shape in use that its families allow: once where all is
 * exact, and else as often as there are different lengths, or tuples of lengths. For these the
 * filter says first which shapes can match at all: a word of bits (shape number modulo 64) for each
 * value of the leading 16 bits of the first field with lengths (of IPv6: of a mix of 32). So a
 * lookup in a list of prefixes costs one look at the filter and one hash lookup for each length
 * that occurs within that /16, which hardly grows with the list. Bits are not taken back: what went
 * costs a lookup, until its whole shape is out of use.
 *
 * Readers take no lock. A bucket counts what was unlinked from it; a reader that sees the count
 * move starts again, so a part may be reused at once, without a grace period. A writer holds the
 * lock of one bucket, and of the pool inside it. Only control unlinks; workers add.
 */
#ifndef ROUTER_NET_SET_INTERNAL_H
#define ROUTER_NET_SET_INTERNAL_H

#include <stdalign.h>

#include "router/lib/spinlock.h"
#include "router/lib/table.h"
#include "router/net/set.h"

#define SET_SIZE_DEFAULT 65536u
#define SET_SIZE_MAX	 (1u << 20)
#define SET_WORDS	 8u   /* at most: four addresses */
#define SET_SHAPES	 512u /* of one set; one field of prefixes has 33 + 129 */
#define SET_FILTER	 65536u
#define SET_PARTS	 4096u	      /* of one element, at most */
#define SET_PENDING	 (1ull << 63) /* until: seconds, to be counted from the next tick on */
#define SET_FOREVER	 0ull

struct set_shape {
	uint8_t family[CONF_FIELDS_MAX]; /* 0: of a value */
	uint8_t len[CONF_FIELDS_MAX];
	uint64_t mask[SET_WORDS];
};

struct set_bucket {
	uint32_t head;
	uint32_t seq; /* bit 0: locked; above it: how often something was unlinked */
};

/* Bits of set_part.info; its upper half is the number of the range it belongs to, or 0. */
#define SET_SHAPE_BITS 0xffffull
#define SET_USED       (1ull << 16)
#define SET_DYNAMIC    (1ull << 17) /* not from the file */

struct set_part {
	uint32_t next;
	uint32_t pad;
	uint64_t until; /* ns; SET_FOREVER, or with SET_PENDING */
	uint64_t info;
	uint64_t word[]; /* as many as the set has */
};

/* An element of several parts. [control] */
struct set_range {
	struct table_node node;
	uint32_t number;
	struct conf_element e;
	uint64_t until;
	bool dynamic;
};

struct set {
	/* read-mostly */
	struct set_bucket *bucket;
	uint8_t *part; /* capacity + 1 of them; number 0 is none */
	uint64_t *filter;
	struct set_shape *shape;
	uint32_t *live; /* parts of each shape */
	uint8_t key[16];
	uint32_t mask;	 /* buckets - 1 */
	uint32_t stride; /* bytes of a part */
	uint32_t size, capacity;
	uint32_t timeout_s;
	uint8_t ntypes, nwords;
	uint8_t word_at[CONF_FIELDS_MAX];
	int8_t filtered; /* the field the filter goes by; -1: all is exact */
	enum conf_field type[CONF_FIELDS_MAX];
	uint64_t *changes; /* of all sets */

	/* written when elements come and go */
	alignas(64) uint32_t elements;
	uint32_t nshapes;
	uint64_t wide; /* shapes too short for the filter */
	uint64_t refused;
	uint64_t soonest; /* nothing expires before */
	uint32_t lock;	  /* of what follows */
	uint32_t free;	  /* parts, linked by next */
	uint32_t used;	  /* parts 1 .. used have been in use */

	/* control's own */
	alignas(64) char name[CONF_NAME];
	struct names *names;
	size_t bytes; /* of the mapping at bucket */
	uint64_t file_digest;
	bool served;  /* since a sweep: rules may use it */
	bool intact;  /* all the file's elements are there */
	bool pending; /* some with SET_PENDING */
	struct table ranges;
	struct set_range **range; /* by number - 1; NULL: gone */
	uint32_t *spare;	  /* numbers of those gone */
	uint32_t nranges, nspare, range_cap;
};

static inline struct set_part *set_part(const struct set *s, uint32_t n)
{
	return (struct set_part *)(void *)(s->part + (size_t)n * s->stride);
}

static inline bool set_until_alive(uint64_t until, uint64_t now)
{
	return until == SET_FOREVER || until > now;
}

static inline bool set_field_is_address(enum conf_field f)
{
	return f == CONF_FIELD_ADDRESS || f == CONF_FIELD_PREFIX;
}

/* Bits of a field's value. */
static inline unsigned set_field_bits(enum conf_field f, uint8_t family)
{
	if (set_field_is_address(f))
		return family == AF_INET ? 32 : 128;
	return f == CONF_FIELD_PORT ? 16 : 32;
}

/* ---- words that several threads use: who sees what a reused part says now also sees, by these,
 * that its old bucket's count has moved */

static inline uint32_t set_load32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint64_t set_load64(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void set_store32(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void set_store64(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void set_lock(uint32_t *word)
{
	unsigned turns = 0;

	while (__atomic_fetch_or(word, 1, __ATOMIC_ACQUIRE) & 1)
		while (__atomic_load_n(word, __ATOMIC_RELAXED) & 1)
			spin_wait(&turns);
}

static inline void set_unlock(uint32_t *word)
{
	__atomic_fetch_and(word, ~1u, __ATOMIC_RELEASE);
}

/* Readers who are in this bucket must start again. */
static inline void set_unlock_unlinked(struct set_bucket *b)
{
	__atomic_fetch_add(&b->seq, 1, __ATOMIC_RELEASE); /* clears bit 0, counts above it */
}

/* ---- set_table.c: the hash and how it is read */

/* [control] An empty set of the file's type and size. 0 or -ENOMEM. */
int set_create(const struct conf_set *c, struct names *names, uint64_t *changes, struct set **out);
void set_destroy(struct set *s);

/* [any worker] The number of a shape, or -1: there are too many. */
int set_shape(struct set *s, const uint8_t family[], const uint8_t len[]);
/* Before a part can be found. */
void set_filter_note(struct set *s, unsigned shape, const uint64_t word[]);
/* False: not a key of this set. */
bool set_key_words(const struct set *s, const struct set_key *k, uint64_t word[], uint8_t family[]);

/* A place in the hash: a shape, words under its mask, their bucket. */
struct set_place {
	unsigned shape;
	uint64_t word[SET_WORDS + 1];
	struct set_bucket *b;
};
struct set_place set_place(const struct set *s, unsigned shape, const uint64_t word[]);
/* [any worker] Is a part here alive, and until when? */
bool set_alive_at(const struct set *s, const struct set_place *p, uint64_t now, uint64_t *until);
/* A part of this range (0: of none), dead or alive; or 0. Under the bucket's lock. */
uint32_t set_find_locked(const struct set *s, const struct set_place *p, uint32_t range);

/* ---- set_add.c: what comes and goes */

/* What to do with the words of an element. */
struct set_put {
	uint64_t until, now;
	uint32_t range; /* its number: the part of one; 0: an element of its own */
	bool dynamic;
	bool exactly; /* this timeout even if it ends sooner; else it only ever grows */
};

enum set_putting { SET_FULL, SET_KNOWN, SET_CAME };

/* What an element that is there becomes; one of the file that stays, stays. */
enum set_putting set_refresh(uint64_t *until, bool *dynamic, const struct set_put *how);
/* [any worker] Words are masked by the shape. */
enum set_putting set_table_put(struct set *s, unsigned shape, const uint64_t word[],
			       const struct set_put *how);
/* [control] The part's number, or 0. range as in struct set_put. */
uint32_t set_table_find(const struct set *s, unsigned shape, const uint64_t word[], uint32_t range);
/* [control] */
void set_table_remove(struct set *s, uint32_t part);
/* [control] Takes away the elements of one part that have expired. True: some did. */
bool set_table_expire(struct set *s, uint64_t now);

/* ns at which what is added now expires; timeout_s 0: never. */
uint64_t set_deadline(uint64_t now, uint32_t timeout_s);
void set_note_deadline(struct set *s, uint64_t until);
/* One element more: false if the set is full. */
bool set_count_up(struct set *s);
void set_count_down(struct set *s);
void set_changed(struct set *s);

/* ---- set_split.c: elements and their parts [control] */

/* A conf_element whose fields are as the set keeps them: interfaces by number in `low`. */
struct set_split {
	const struct set *set;
	uint8_t family[CONF_FIELDS_MAX];
	unsigned n[CONF_FIELDS_MAX]; /* pieces of each field */
	unsigned total;
	struct set_piece {
		uint64_t word[2];
		uint8_t len;
	} piece[CONF_FIELDS_MAX][256];
};
int set_normalise(const struct set *s, const struct conf_element *in, struct conf_element *out,
		  char *why, size_t size);
/* 0, or -E2BIG: too many parts. */
int set_split(const struct set *s, const struct conf_element *e, struct set_split *out);
void set_split_part(const struct set_split *sp, unsigned i, uint64_t word[SET_WORDS],
		    uint8_t len[CONF_FIELDS_MAX]);
/* The element of one part. */
void set_unsplit(const struct set *s, uint32_t part, struct conf_element *out);
/* Words that are equal iff the elements are (but for the timeout). */
#define SET_FLAT (5u * CONF_FIELDS_MAX)
unsigned set_flatten(const struct set *s, const struct conf_element *e, uint64_t word[SET_FLAT]);

/* ---- set_range.c: elements of any number of parts [control] */

/* Of a normalised element. Its own timeout_s is not looked at. SET_FULL: *err says why. */
enum set_putting set_put_element(struct set *s, const struct conf_element *e,
				 const struct set_put *how, int *err);
/* False: there is none. */
bool set_drop_element(struct set *s, const struct conf_element *e);
bool set_has_element(struct set *s, const struct conf_element *e, uint64_t now);
/* True: some did. */
bool set_expire_ranges(struct set *s, uint64_t now);

/* ---- set_text.c [control] */
int set_parse(const struct set *s, const char *text, struct conf_element *out, char *why,
	      size_t size);
void set_format(const struct set *s, const struct conf_element *e, char *text, size_t size);
void set_format_type(const struct set *s, char text[64]);

#endif
