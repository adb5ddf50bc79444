/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 (Aumasson and Bernstein, 2012) of a message of whole words, for tables whose keys
 * come from outside: without the secret nobody can aim at a bucket. (net/flow_siphash.c has the
 * same for bursts of flow keys.) [any]
 */
#ifndef ROUTER_NET_SIPHASH_H
#define ROUTER_NET_SIPHASH_H

#include <stdint.h>
#include <string.h>

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void siphash_round(struct siphash *s)
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

static inline void siphash_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

/* Of n words as they lie in memory of a little-endian host. */
static inline uint64_t siphash_words(const uint8_t key[16], const uint64_t *word, unsigned n)
{
	struct siphash s;
	uint64_t k[2];

	memcpy(k, key, sizeof(k));
	s.v0 = k[0] ^ 0x736f6d6570736575;
	s.v1 = k[1] ^ 0x646f72616e646f6d;
	s.v2 = k[0] ^ 0x6c7967656e657261;
	s.v3 = k[1] ^ 0x7465646279746573;
	for (unsigned i = 0; i < n; i++)
		siphash_word(&s, word[i]);
	siphash_word(&s, (uint64_t)(8 * n) << 56);
	s.v2 ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
