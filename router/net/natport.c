/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slots of outside addresses.
 *
 * A slot belongs to an address while somebody holds it or a port of it is taken; only control gives
 * and takes slots. Workers find them by a small hash that control writes between two steps of a
 * serial number, and read again if it moved.
 *
 * After an adoption the slots that the former process's rules held, and the ports they reserved,
 * stay until the new process's rules have asked for theirs: those are the same for the most part,
 * and the XDP program must not see one of them free for a moment, or Linux answers what waits in
 * its queue with a reset. natports_adopted() ends what nobody has asked for again.
 */
#include "router/net/natport_internal.h"

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

/* The hash, anew. */
static void slots_index(struct natports *n)
{
	struct natport_header *h = n->head;

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
}

/* Gives a slot an address, or none (all words 0). The first word, which says that it is used, is
 * taken first and given last: a kill leaves no address in part. */
static void slot_set(struct natports *n, uint16_t slot, const uint32_t word[5])
{
	struct natport_header *h = n->head;
	struct natport_slot *s = &n->slot[slot];
	uint32_t serial = h->serial;

	__atomic_store_n(&h->serial, serial + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&s->word[0], 0, __ATOMIC_RELEASE);
	for (unsigned i = 1; i < 5; i++)
		__atomic_store_n(&s->word[i], word[i], __ATOMIC_RELEASE);
	__atomic_store_n(&s->word[0], word[0], __ATOMIC_RELEASE);
	slots_index(n);
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
	unsigned bitmaps = n->head->layout.taken_at ? 4 : 3; /* not what was lent */

	for (unsigned i = 0; i < bitmaps; i++)
		natport_give_back(n, bitmap[i] + slot * words, words * sizeof(uint64_t));
	for (unsigned plane = 0; plane < NATPORT_PLANES; plane++)
		n->state[(size_t)slot * NATPORT_PLANES + plane] = (struct natport_state){ 0 };
}

/* For another address. It is empty already, but for one that has lost its address (adoption). */
static void slot_empty(struct natports *n, uint16_t slot)
{
	size_t first = port_word(natport_id(slot, NATPORT_TCP, 0));

	for (size_t i = first; i < first + NATPORT_PLANES * NATPORT_WORDS; i++)
		if (n->taken[i])
			__atomic_store_n(&n->taken[i], 0, __ATOMIC_RELAXED);
	slot_forget(n, slot);
	n->slot[slot].holds = 0;
}

static void slot_free_if_idle(struct natports *n, uint16_t slot)
{
	static const uint32_t none[5];

	if (!slot_is_used(&n->slot[slot]) || n->slot[slot].holds || has_ports(n, slot))
		return;
	slot_forget(n, slot); /* whoever gets it after a kill finds it empty */
	slot_set(n, slot, none);
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
		slot_empty(n, slot);
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

/* ---- adoption */

/* Like one that natports_hold() made. */
static bool is_sound(const struct natport_slot *s)
{
	struct addr a, plain;

	memcpy(&a, s->word, sizeof(a));
	if (a.family != AF_INET && a.family != AF_INET6)
		return false;
	plain = a.family == AF_INET ? addr_v4(a.v4) : addr_v6(a.bytes);
	return !memcmp(&a, &plain, sizeof(a));
}

void natport_slots_adopt(struct natports *n)
{
	static const uint32_t none[5];

	n->head->serial = (n->head->serial | 1) + 1;
	slots_index(n);
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++) {
		struct natport_slot *s = &n->slot[slot];

		if (!slot_is_used(s))
			continue;
		if (!is_sound(s))
			slot_set(n, slot, none);
		else if (s->holds)
			natport_slots_add(&n->orphans, slot);
		s->holds = natport_slots_have(&n->orphans, slot);
	}
	n->adopting = true;
}

void natports_adopted(struct natports *n)
{
	if (!n->adopting)
		return;
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++)
		for (unsigned plane = 0; slot_is_used(&n->slot[slot]) && plane < NATPORT_PLANES;
		     plane++)
			natport_reserved_sweep(n, slot, (enum natport_plane)plane);
	n->adopting = false;
	for (uint16_t slot = 0; slot < NATPORT_SLOTS; slot++)
		if (natport_slots_have(&n->orphans, slot))
			natports_let_go(n, slot);
	n->orphans = (struct natport_slots){ 0 };
}

/* ---- show and memory */

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
