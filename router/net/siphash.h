/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 (Aumasson and Bernstein, 2012), for tables whose keys come from outside, and for
 * choices nobody outside may predict: without the secret nobody can aim at a bucket. All is inline,
 * so that loops over it can become vectors (net/flow_siphash.c). [any]
 */
#ifndef ROUTER_NET_SIPHASH_H
#define ROUTER_NET_SIPHASH_H

#include <stdint.h>
#include <string.h>

#define SIPHASH_INLINE static inline __attribute__((always_inline))

struct siphash {
	uint64_t v0, v1, v2, v3;
};

SIPHASH_INLINE uint64_t siphash_rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

SIPHASH_INLINE void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 = siphash_rotate(s->v2, 32);
}

SIPHASH_INLINE struct siphash siphash_start(const uint64_t key[2])
{
	return (struct siphash){
		.v0 = key[0] ^ 0x736f6d6570736575,
		.v1 = key[1] ^ 0x646f72616e646f6d,
		.v2 = key[0] ^ 0x6c7967656e657261,
		.v3 = key[1] ^ 0x7465646279746573,
	};
}

SIPHASH_INLINE void siphash_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

/* Behind the last word, which has the length of the message in its top byte. */
SIPHASH_INLINE uint64_t siphash_end(struct siphash *s)
{
	s->v2 ^= 0xff;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Of n words as they lie in memory of a little-endian host. */
static inline uint64_t siphash_words(const uint8_t key[16], const uint64_t *word, unsigned n)
{
	struct siphash s;
	uint64_t k[2];

	memcpy(k, key, sizeof(k));
	s = siphash_start(k);
	for (unsigned i = 0; i < n; i++)
		siphash_word(&s, word[i]);
	siphash_word(&s, (uint64_t)(8 * n) << 56);
	return siphash_end(&s);
}

/* Of a counter: numbers nobody outside can predict (RFC 6056), for packet code that may not call
 * the kernel for them. */
static inline uint64_t siphash_number(const uint8_t key[16], uint64_t counter)
{
	return siphash_words(key, &counter, 1);
}

#endif
