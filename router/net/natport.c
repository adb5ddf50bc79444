/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports as a whole: their region, and the slots of outside addresses.
 *
 * A slot belongs to an address while somebody holds it or a port of it is taken; only control gives
 * and takes slots. Workers find them by a small hash that control writes between two steps of a
 * serial number, and read again if it moved.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "router/net/natport_internal.h"

/* ---- create and destroy */

/* Of a power of two: its logarithm. */
static unsigned log_of(uint64_t n)
{
	return (unsigned)__builtin_ctzll(n);
}

/* Inside a head for two mappings of `max`, outside, where they spread more evenly, for four. Of
 * records: two units for a mapping and two for a permit of each flow, and for each shard a chunk of
 * each size partly used and one kept. */
static void lay_out(struct natport_header *h, uint32_t max, bool lent)
{
	uint64_t chunks = 1 + (4ull * max) / NATMAP_CHUNK_UNITS + 4 * NATPORT_SHARDS;
	uint64_t bitmap = NATPORT_ALL_WORDS * sizeof(uint64_t), end = 0;

	h->magic = NATPORT_MAGIC;
	h->version = NATPORT_VERSION;
	if (chunks > NATMAP_CHUNKS_MAX)
		chunks = NATMAP_CHUNKS_MAX;
	h->in_heads = region_slots(NATPORT_HEADS_MIN, (max + 1ull) / 2);
	h->out_heads = region_slots(NATPORT_HEADS_MIN, (max + 3ull) / 4);
	region_reserve(&end, sizeof(*h));
	h->slot_at = region_reserve(&end, NATPORT_SLOTS * sizeof(struct natport_slot));
	h->state_at = region_reserve(&end, (uint64_t)NATPORT_SLOTS * NATPORT_PLANES *
						   sizeof(struct natport_state));
	h->shard_at = region_reserve(&end, NATPORT_SHARDS * sizeof(struct natmap_shard));
	h->stripe_at = region_reserve(&end, NATPORT_SHARDS * sizeof(struct natport_stripe));
	h->chunk_at = region_reserve(&end, chunks * sizeof(struct natmap_chunk));
	h->taken_at = lent ? 0 : region_reserve(&end, bitmap);
	h->blocked_at = region_reserve(&end, bitmap);
	h->reserved_at = region_reserve(&end, bitmap);
	h->held_at = region_reserve(&end, bitmap);
	h->in_at = region_reserve(&end, h->in_heads * sizeof(uint32_t));
	h->out_at = region_reserve(&end, h->out_heads * sizeof(uint32_t));
	h->unit_at = region_reserve(&end, chunks * NATMAP_CHUNK_BYTES);
	h->bytes = end;
	h->pool = (struct natmap_pool){ .fresh = 1, .chunks = (uint32_t)chunks };
}

/* This process's view of a region that is mapped at n->head. */
static void point(struct natports *n, uint64_t *bitmap)
{
	uint8_t *base = (uint8_t *)n->head;
	const struct natport_header *h = n->head;

	n->slot = (void *)(base + h->slot_at);
	n->state = (void *)(base + h->state_at);
	n->shard = (void *)(base + h->shard_at);
	n->stripe = (void *)(base + h->stripe_at);
	n->chunk = (void *)(base + h->chunk_at);
	n->taken = h->taken_at ? (void *)(base + h->taken_at) : bitmap;
	n->blocked = (void *)(base + h->blocked_at);
	n->reserved = (void *)(base + h->reserved_at);
	n->held = (void *)(base + h->held_at);
	n->in = (void *)(base + h->in_at);
	n->out = (void *)(base + h->out_at);
	n->unit = base + h->unit_at;
	memcpy(n->key, h->key, sizeof(n->key));
	n->mask = h->in_heads - 1;
	n->shard_shift = log_of(h->in_heads / NATPORT_SHARDS);
	n->out_shift = 32 - log_of(h->out_heads);
	n->stripe_shift = log_of(h->out_heads / NATPORT_SHARDS);
}

int natports_create(uint64_t *bitmap, uint32_t max, const uint8_t key[16], struct natports **out)
{
	struct natport_header h = { 0 };
	struct natports *n;
	int rc;

	if (!max || max > FLOW_MAX)
		return -EINVAL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	lay_out(&h, max, bitmap);
	memcpy(h.key, key, sizeof(h.key));
	n->fd = memfd_create("natports", MFD_CLOEXEC);
	if (n->fd < 0 || ftruncate(n->fd, (off_t)h.bytes)) {
		rc = -errno;
		goto err;
	}
	n->head = mmap(NULL, h.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, n->fd, 0);
	if (n->head == MAP_FAILED) {
		rc = -errno;
		goto err;
	}
	*n->head = h;
	point(n, bitmap);
	*out = n;
	return 0;
err:
	if (n->fd >= 0)
		close(n->fd);
	free(n);
	return rc;
}

void natports_destroy(struct natports *n)
{
	if (!n)
		return;
	munmap(n->head, n->head->bytes);
	close(n->fd);
	free(n->reservation);
	free(n);
}

/* ---- slots */

static unsigned cell_of(const uint32_t word[5])
{
	uint32_t h = word[0] ^ word[1] ^ word[2] * 3 ^ word[3] * 5 ^ word[4] * 7;

	return h * 0x9e3779b1u >> 22;
}
static_assert(NATPORT_FIND == 1u << (32 - 22), "the top bits number the cells");

/* Loads that the check of the serial number does not overtake. */
static bool is_addr(const struct natport_slot *s, const uint32_t word[5])
{
	for (unsigned i = 0; i < 5; i++)
		if (__atomic_load_n(&s->word[i], __ATOMIC_ACQUIRE) != word[i])
			return false;
	return true;
}

static uint16_t find(const struct natports *n, const uint32_t word[5])
{
	unsigned cell = cell_of(word);

	for (unsigned i = 0; i < NATPORT_FIND; i++) {
		uint16_t s = __atomic_load_n(&n->head->find[(cell + i) % NATPORT_FIND],
					     __ATOMIC_ACQUIRE);

		if (!s)
			break;
		if (is_addr(&n->slot[s - 1], word))
			return s - 1;
	}
	return NATPORT_NO_SLOT;
}

uint16_t natports_find(const struct natports *n, const struct addr *a)
{
	const uint32_t *serial = &n->head->serial;
	uint32_t word[5], before;
	unsigned turns = 0;
	uint16_t slot;

	memcpy(word, a, sizeof(word));
	do {
		while ((before = __atomic_load_n(serial, __ATOMIC_ACQUIRE)) & 1)
			spin_wait(&turns);
		slot = find(n, word);
	} while (__atomic_load_n(serial, __ATOMIC_RELAXED) != before);
	return slot;
}

struct addr natports_addr(const struct natports *n, uint16_t slot)
{
	struct addr a;
	uint32_t word[5];

	for (unsigned i = 0; i < 5; i++)
		word[i] = __atomic_load_n(&n->slot[slot].word[i], __ATOMIC_RELAXED);
	memcpy(&a, word, sizeof(a));
	return a;
}

/* Gives a slot an address, or none (all words 0), and builds the hash again. */
static void slot_set(struct natports *n, uint16_t slot, const uint32_t word[5])
{
	struct natport_header *h = n->head;
	uint32_t serial = h->serial;

	__atomic_store_n(&h->serial, serial + 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 5; i++)
		__atomic_store_n(&n->slot[slot].word[i], word[i], __ATOMIC_RELEASE);
	for (unsigned i = 0; i < NATPORT_FIND; i++)
		__atomic_store_n(&h->find[i], 0, __ATOMIC_RELEASE);
	for (unsigned s = 0; s < NATPORT_SLOTS; s++) {
		unsigned cell = cell_of(n->slot[s].word);

		if (!slot_is_used(&n->slot[s]))
			continue;
		while (h->find[cell])
			cell = (cell + 1) % NATPORT_FIND;
		__atomic_store_n(&h->find[cell], (uint16_t)(s + 1), __ATOMIC_RELEASE);
	}
	__atomic_store_n(&h->serial, serial + 2, __ATOMIC_RELEASE);
}

static uint32_t count_bits(const uint64_t *bitmap, uint16_t slot, unsigned plane)
{
	size_t word = port_word(natport_id(slot, (enum natport_plane)plane, 0));
	uint32_t bits = 0;

	for (unsigned i = 0; i < NATPORT_WORDS; i++)
		bits += (uint32_t)__builtin_popcountll(word_read(bitmap, word + i));
	return bits;
}

static bool has_ports(const struct natports *n, uint16_t slot)
{
	for (unsigned plane = 0; plane < NATPORT_PLANES; plane++)
		if (count_bits(n->taken, slot, plane))
			return true;
	return false;
}

/* Nothing is taken on it: with its blocked ports it gives back the memory of its bitmaps. */
static void slot_forget(struct natports *n, uint16_t slot)
{
	const size_t words = (size_t)NATPORT_PLANES * NATPORT_WORDS;
	uint64_t *bitmap[] = { n->blocked, n->reserved, n->held, n->taken };
	unsigned bitmaps = n->head->taken_at ? 4 : 3; /* not what was lent */

	for (unsigned i = 0; i < bitmaps; i++)
		natport_give_back(n, bitmap[i] + slot * words, words * sizeof(uint64_t));
	for (unsigned plane = 0; plane < NATPORT_PLANES; plane++)
		n->state[(size_t)slot * NATPORT_PLANES + plane] = (struct natport_state){ 0 };
}

static void slot_free_if_idle(struct natports *n, uint16_t slot)
{
	static const uint32_t none[5];

	if (!slot_is_used(&n->slot[slot]) || n->slot[slot].holds || has_ports(n, slot))
		return;
	slot_set(n, slot, none);
	slot_forget(n, slot);
}

uint16_t natports_hold(struct natports *n, const struct addr *a)
{
	uint16_t slot = natports_find(n, a);
	uint32_t word[5];

	if (slot == NATPORT_NO_SLOT) {
		for (slot = 0; slot < NATPORT_SLOTS; slot++) {
			slot_free_if_idle(n, slot);
			if (!slot_is_used(&n->slot[slot]))
				break;
		}
		if (slot == NATPORT_SLOTS)
			return NATPORT_NO_SLOT;
		memcpy(word, a, sizeof(word));
		slot_set(n, slot, word);
	}
	n->slot[slot].holds++;
	return slot;
}

void natports_let_go(struct natports *n, uint16_t slot)
{
	assert(n->slot[slot].holds);
	n->slot[slot].holds--;
	slot_free_if_idle(n, slot);
}

bool natports_walk(const struct natports *n, uint32_t *cursor, struct natport_info *out)
{
	while (*cursor < NATPORT_SLOTS && !slot_is_used(&n->slot[*cursor]))
		++*cursor;
	if (*cursor >= NATPORT_SLOTS)
		return false;
	*out = (struct natport_info){ 0 };
	memcpy(&out->addr, n->slot[*cursor].word, sizeof(out->addr));
	for (unsigned plane = 0; plane < NATPORT_PLANES; plane++) {
		uint16_t slot = (uint16_t)*cursor;

		out->reserved[plane] = count_bits(n->reserved, slot, plane);
		out->taken[plane] = count_bits(n->taken, slot, plane) - out->reserved[plane] +
				    count_bits(n->held, slot, plane);
		out->exhausted +=
			__atomic_load_n(&n->state[(size_t)slot * NATPORT_PLANES + plane].exhausted,
					__ATOMIC_RELAXED);
	}
	++*cursor;
	return true;
}

/* ---- memory */

void natports_trim(struct natports *n)
{
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++)
		slot_free_if_idle(n, slot);
	natmap_trim(n);
}

/* Heads count as all there once their part holds a record. */
size_t natports_bytes(const struct natports *n)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < NATPORT_SHARDS; i++) {
		struct natmap_shard *s = &n->shard[i];
		struct natport_stripe *t = &n->stripe[i];

		bytes += __atomic_load_n(&s->units, __ATOMIC_RELAXED) * NATMAP_UNIT;
		if (__atomic_load_n(&s->touched, __ATOMIC_RELAXED))
			bytes += sizeof(uint32_t) << n->shard_shift;
		if (__atomic_load_n(&t->touched, __ATOMIC_RELAXED))
			bytes += sizeof(uint32_t) << n->stripe_shift;
	}
	for (unsigned s = 0; s < NATPORT_SLOTS; s++)
		if (slot_is_used(&n->slot[s]))
			bytes += NATPORT_PLANES * NATPORT_WORDS * sizeof(uint64_t);
	return bytes;
}
