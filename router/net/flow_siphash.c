/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 of flow keys, keyed at boot so that nobody outside can aim at a bucket. An IPv4 key
 * is a message of 15 bytes (two words with its length in the last byte), an IPv6 key one of 39
 * bytes (five words): the length stands where the key has its family.
 *
 * A burst is laid out word by word, and one loop hashes all of it: the compiler makes vectors of
 * that. It is compiled three times, and a table is told at birth which one its CPU can run. [any]
 */
#include <endian.h>

#include "router/net/flow_internal.h"
#include "router/net/siphash.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

#define WORDS4 2u
#define WORDS6 5u
#define LANES  8u /* a burst is filled up to a multiple, so that no vector loop has a remainder */

static ALWAYS_INLINE uint64_t load64(const void *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof(w));
	return le64toh(w);
}

/* Ports, zone, protocol; and the length instead of the family. */
static ALWAYS_INLINE uint64_t last_word(const struct flow_key *k, unsigned words)
{
	uint64_t length = 8 * words - 1;

	return (load64(&k->sport) & ~(0xffull << 56)) | length << 56;
}

static ALWAYS_INLINE uint64_t addresses4(const struct flow_key *k)
{
	uint32_t src, dst;

	memcpy(&src, k->src, sizeof(src));
	memcpy(&dst, k->dst, sizeof(dst));
	return (uint64_t)le32toh(dst) << 32 | le32toh(src);
}

/* n hashes of `words` words each; w[j][i] is word j of message i. n is a multiple of LANES. */
static ALWAYS_INLINE void hash_all(const uint64_t key[2], const uint64_t w[][FLOW_BURST],
				   uint64_t *restrict out, unsigned n, unsigned words)
{
	const struct siphash start = siphash_start(key);

	for (unsigned i = 0; i < (n & ~(LANES - 1)); i++) {
		struct siphash s = start;

		for (unsigned j = 0; j < words; j++)
			siphash_word(&s, w[j][i]);
		out[i] = siphash_end(&s);
	}
}

static void any_hash4(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
		      unsigned n)
{
	hash_all(key, w, out, n, WORDS4);
}

static void any_hash6(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
		      unsigned n)
{
	hash_all(key, w, out, n, WORDS6);
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))
#ifdef __clang__
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq")))
#else
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,prefer-vector-width=512")))
#endif

static AVX2 void avx2_hash4(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
			    unsigned n)
{
	hash_all(key, w, out, n, WORDS4);
}

static AVX2 void avx2_hash6(const uint64_t key[2], const uint64_t w[][FLOW_BURST], uint64_t *out,
			    unsigned n)
{
	hash_all(key, w, out, n, WORDS6);
}

/* It has a rotation of its own. */
static AVX512 void avx512_hash4(const uint64_t key[2], const uint64_t w[][FLOW_BURST],
				uint64_t *out, unsigned n)
{
	hash_all(key, w, out, n, WORDS4);
}

static AVX512 void avx512_hash6(const uint64_t key[2], const uint64_t w[][FLOW_BURST],
				uint64_t *out, unsigned n)
{
	hash_all(key, w, out, n, WORDS6);
}
#endif

void flow_hash_choose(struct flow_table *t)
{
	t->hash4 = any_hash4;
	t->hash6 = any_hash6;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
		t->hash4 = avx512_hash4;
		t->hash6 = avx512_hash6;
	} else if (__builtin_cpu_supports("avx2")) {
		t->hash4 = avx2_hash4;
		t->hash6 = avx2_hash6;
	}
#endif
}

uint64_t flow_hash(const struct flow_table *t, const struct flow_key *k)
{
	struct siphash s = siphash_start(t->key);

	if (k->family == AF_INET) {
		siphash_word(&s, addresses4(k));
		siphash_word(&s, last_word(k, WORDS4));
		return siphash_end(&s);
	}
	for (unsigned j = 0; j < WORDS6 - 1; j++)
		siphash_word(&s, load64((const uint8_t *)k + 8 * (size_t)j));
	siphash_word(&s, last_word(k, WORDS6));
	return siphash_end(&s);
}

/* Of a source: its address or /64, zone and family. */
uint64_t flow_hash_source(const struct flow_table *t, const struct flow_key *k)
{
	struct siphash s = siphash_start(t->key);

	siphash_word(&s, load64(k->src) & (k->family == AF_INET ? UINT32_MAX : UINT64_MAX));
	siphash_word(&s, (uint64_t)k->zone << 8 | k->family);
	return siphash_end(&s);
}

/* The IPv6 keys of a mixed burst: gathered, hashed, put in their places. */
static __attribute__((noinline)) void burst6(const struct flow_table *t, const struct flow_key *k,
					     uint64_t *out, unsigned n)
{
	uint64_t w[WORDS6][FLOW_BURST], hash[FLOW_BURST];
	unsigned m = 0, of[FLOW_BURST];

	for (unsigned i = 0; i < n; i++) {
		if (k[i].family == AF_INET)
			continue;
		for (unsigned j = 0; j < WORDS6 - 1; j++)
			w[j][m] = load64((const uint8_t *)&k[i] + 8 * (size_t)j);
		w[WORDS6 - 1][m] = last_word(&k[i], WORDS6);
		of[m++] = i;
	}
	for (unsigned i = m; i % LANES; i++)
		for (unsigned j = 0; j < WORDS6; j++)
			w[j][i] = 0;
	t->hash6(t->key, w, hash, (m + LANES - 1) & ~(LANES - 1));
	for (unsigned i = 0; i < m; i++)
		out[of[i]] = hash[i];
}

/* out has room for FLOW_BURST. */
void flow_hash_burst(const struct flow_table *t, const struct flow_key *k, uint64_t *out,
		     unsigned n)
{
	uint64_t w[WORDS4][FLOW_BURST];
	unsigned six = 0;

	for (unsigned i = 0; i < n; i++) {
		w[0][i] = addresses4(&k[i]);
		w[1][i] = last_word(&k[i], WORDS4);
		six += k[i].family != AF_INET;
	}
	for (unsigned i = n; i % LANES; i++)
		w[0][i] = w[1][i] = 0;
	if (six < n)
		t->hash4(t->key, w, out, (n + LANES - 1) & ~(LANES - 1));
	if (six)
		burst6(t, k, out, n);
}
