/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bits of ports: who gets which.
 *
 * Four bitmaps: `taken` is the truth that XDP steers by; `blocked` are Linux's ports, never chosen;
 * `reserved` are those of rules, taken as long as the rule stands; `held` are those of the reserved
 * that a flow had before. A claim is one atomic operation on `taken`. A release and a reservation
 * of one port exclude each other by the lock of the port's stripe.
 *
 * Choosing: a few random throws, each hitting any free port with the same chance, so that ports
 * stay unpredictable and evenly used while there is room; then the words of the range from the last
 * throw on, each looked at once, so that the last free port is found and the effort is bounded. A
 * range that was found to have none is not searched again before a port has been released.
 */
#include <errno.h>
#include <stdlib.h>

#include "router/net/natport_internal.h"

#define THROWS 4u

#define LOW_LAST    511u /* netfilter's classes (requirement X1) */
#define MIDDLE	    600u
#define MIDDLE_LAST 1023u

struct span {
	uint16_t first, last;
};

int natport_plane_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return NATPORT_TCP;
	case IPPROTO_UDP: return NATPORT_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return NATPORT_ICMP;
	default: return -1;
	}
}

/* ---- where to look */

/* Ids of queries have no classes. */
static struct span class_of(enum natport_plane plane, uint16_t port)
{
	if (plane == NATPORT_ICMP)
		return (struct span){ 1, UINT16_MAX };
	if (port <= LOW_LAST)
		return (struct span){ 1, LOW_LAST };
	if (port <= MIDDLE_LAST)
		return (struct span){ MIDDLE, MIDDLE_LAST };
	return (struct span){ MIDDLE_LAST + 1, UINT16_MAX };
}

/* The class within the range that is asked for; a range without any of the class is used whole. */
static struct span span_of(enum natport_plane plane, const struct natport_want *w)
{
	struct span s = class_of(plane, w->port);
	struct span range = { w->first ? w->first : 1, w->last };

	if (!w->last)
		return s;
	if (range.first > s.last || range.last < s.first)
		return range;
	return (struct span){ range.first > s.first ? range.first : s.first,
			      range.last < s.last ? range.last : s.last };
}

static bool may_keep(const struct natport_want *w)
{
	return w->keep && w->port && (!w->last || (w->port >= w->first && w->port <= w->last));
}

/* ---- taking */

/* Those of a word's ports that may be chosen. */
static uint64_t free_bits(const struct natports *n, size_t word)
{
	return ~(word_read(n->taken, word) | word_read(n->blocked, word));
}

static bool take(struct natports *n, uint32_t id)
{
	size_t word = port_word(id);
	uint64_t bit = port_bit(id);

	if (!(free_bits(n, word) & bit))
		return false;
	return !(__atomic_fetch_or(&n->taken[word], bit, __ATOMIC_ACQ_REL) & bit);
}

/* Any port of the span, with the same chance each, or its neighbour of the right parity. 0: that
 * one is not free. */
static uint16_t throw_at(struct natports *n, uint32_t base, struct span s,
			 const struct natport_want *w, uint64_t random)
{
	uint32_t size = s.last - s.first + 1u;
	uint32_t port = s.first + (uint32_t)((random >> 32) * size >> 32);

	if (w->parity)
		port ^= (port ^ w->port) & 1;
	if (port < s.first || port > s.last || !take(n, base | port))
		return 0;
	return (uint16_t)port;
}

/* Those of a word's ports that the span has. */
static uint64_t span_bits(struct span s, unsigned word)
{
	uint64_t bits = UINT64_MAX;

	if (word == s.first / 64u)
		bits &= UINT64_MAX << s.first % 64;
	if (word == s.last / 64u)
		bits &= UINT64_MAX >> (63 - s.last % 64);
	return bits;
}

/* The next free port of the span from `start` on, and round to it again. `which`: of each word. */
static uint16_t scan(struct natports *n, uint32_t base, struct span s, uint16_t start,
		     uint64_t which)
{
	unsigned first = s.first / 64u, last = s.last / 64u, word = start / 64u;
	uint64_t from_start = UINT64_MAX << start % 64;

	for (unsigned i = 0; i <= last - first + 1; i++) {
		uint64_t bits = span_bits(s, word) & which & from_start, free;
		size_t at = port_word(base) + word;

		while ((free = bits & free_bits(n, at))) {
			uint32_t port = word * 64 + (unsigned)__builtin_ctzll(free);

			if (take(n, base | port))
				return (uint16_t)port;
		}
		from_start = UINT64_MAX;
		word = word == last ? first : word + 1;
	}
	return 0;
}

static uint16_t search(struct natports *n, uint32_t base, struct span s,
		       const struct natport_want *w, uint64_t random)
{
	uint16_t start = w->port < s.last && w->port >= s.first ? w->port + 1 : s.first, port = 0;

	if (w->random) {
		for (unsigned i = 0; i < THROWS; i++) {
			port = throw_at(n, base, s, w, random);
			if (port)
				return port;
			random = random * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
		}
		start = (uint16_t)(s.first + ((random >> 32) * (s.last - s.first + 1u) >> 32));
	}
	if (w->parity)
		port = scan(n, base, s, start, 0x5555555555555555ull << (w->port & 1));
	return port ? port : scan(n, base, s, start, UINT64_MAX);
}

uint16_t natport_claim(struct natports *n, uint16_t slot, enum natport_plane plane,
		       const struct natport_want *w, uint64_t random)
{
	uint32_t base = natport_id(slot, plane, 0);
	struct natport_state *state = state_of(n, base);
	struct span s = span_of(plane, w);
	uint64_t failed = (uint64_t)s.first << 16 | s.last;
	uint16_t port;

	if (may_keep(w) && take(n, base | w->port))
		return w->port;
	failed |= (uint64_t)__atomic_load_n(&state->released, __ATOMIC_ACQUIRE) << 32;
	if (__atomic_load_n(&state->failed, __ATOMIC_RELAXED) != failed) {
		port = search(n, base, s, w, random);
		if (port)
			return port;
		__atomic_store_n(&state->failed, failed, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&state->exhausted, 1, __ATOMIC_RELAXED);
	return 0;
}

int natport_foresee(const struct natports *n, uint16_t slot, enum natport_plane plane,
		    const struct natport_want *w, uint16_t *port)
{
	uint32_t base = natport_id(slot, plane, 0), kept = base | w->port;
	struct span s = span_of(plane, w);

	*port = 0;
	if (may_keep(w) && free_bits(n, port_word(kept)) & port_bit(kept)) {
		*port = w->port;
		return 0;
	}
	for (unsigned word = s.first / 64u; word <= s.last / 64u; word++)
		if (span_bits(s, word) & free_bits(n, port_word(base) + word))
			return 0;
	return -ENOSPC;
}

bool natport_claim_one(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port)
{
	return take(n, natport_id(slot, plane, port));
}

bool natport_is_taken(const struct natports *n, uint16_t slot, enum natport_plane plane,
		      uint16_t port)
{
	uint32_t id = natport_id(slot, plane, port);

	return word_read(n->taken, port_word(id)) & port_bit(id);
}

/* ---- giving back */

/* After the bit: who finds nothing after this is right. */
static void count_release(struct natports *n, uint32_t id)
{
	__atomic_fetch_add(&state_of(n, id)->released, 1, __ATOMIC_RELEASE);
}

void natport_drop(struct natports *n, uint32_t id)
{
	size_t word = port_word(id);
	uint64_t bit = port_bit(id);

	if (word_read(n->reserved, word) & bit) {
		__atomic_fetch_and(&n->held[word], ~bit, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_and(&n->taken[word], ~bit, __ATOMIC_RELEASE);
	count_release(n, id);
}

void natport_release(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port)
{
	uint32_t id = natport_id(slot, plane, port);
	struct natport_stripe *t = stripe_of(n, out_head(n, id));

	spin_lock(&t->lock);
	natport_drop(n, id);
	spin_unlock(&t->lock);
}

/* ---- [control] */

void natports_block(struct natports *n, uint16_t slot, enum natport_plane plane,
		    const uint64_t *blocked)
{
	uint32_t base = natport_id(slot, plane, 0);

	for (unsigned i = 0; i < NATPORT_WORDS; i++) {
		uint64_t *word = &n->blocked[port_word(base) + i], bits = blocked ? blocked[i] : 0;

		if (*word != bits) /* an untouched page stays so */
			__atomic_store_n(word, bits, __ATOMIC_RELAXED);
	}
	count_release(n, base);
}

static void reserve_port(struct natports *n, uint32_t id)
{
	struct natport_stripe *t = stripe_of(n, out_head(n, id));
	size_t word = port_word(id);
	uint64_t bit = port_bit(id);

	spin_lock(&t->lock);
	if (!(__atomic_fetch_or(&n->reserved[word], bit, __ATOMIC_RELAXED) & bit) &&
	    __atomic_fetch_or(&n->taken[word], bit, __ATOMIC_ACQ_REL) & bit)
		__atomic_fetch_or(&n->held[word], bit, __ATOMIC_RELAXED);
	spin_unlock(&t->lock);
}

static void unreserve_port(struct natports *n, uint32_t id)
{
	struct natport_stripe *t = stripe_of(n, out_head(n, id));
	size_t word = port_word(id);
	uint64_t bit = port_bit(id);

	spin_lock(&t->lock);
	__atomic_fetch_and(&n->reserved[word], ~bit, __ATOMIC_RELAXED);
	if (!(__atomic_fetch_and(&n->held[word], ~bit, __ATOMIC_RELAXED) & bit)) {
		__atomic_fetch_and(&n->taken[word], ~bit, __ATOMIC_RELEASE);
		count_release(n, id);
	}
	spin_unlock(&t->lock);
}

static bool is_reserved(const struct natports *n, const struct natport_reservation *r,
			uint32_t port)
{
	for (unsigned i = 0; i < n->nreservations; i++) {
		const struct natport_reservation *o = &n->reservation[i];

		if (o->slot == r->slot && o->plane == r->plane && o->first <= port &&
		    port <= o->last)
			return true;
	}
	return false;
}

static bool add_reservation(struct natports *n, const struct natport_reservation *r)
{
	struct natport_reservation *all =
		reallocarray(n->reservation, n->nreservations + 1, sizeof(*all));

	if (!all)
		return false;
	n->reservation = all;
	all[n->nreservations++] = *r;
	return true;
}

static bool remove_reservation(struct natports *n, const struct natport_reservation *r)
{
	for (unsigned i = 0; i < n->nreservations; i++) {
		struct natport_reservation *o = &n->reservation[i];

		if (o->slot == r->slot && o->plane == r->plane && o->first == r->first &&
		    o->last == r->last) {
			*o = n->reservation[--n->nreservations];
			return true;
		}
	}
	return false;
}

int natports_reserve(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t first,
		     uint16_t last, bool on)
{
	struct natport_reservation r = { slot, first, last, (uint8_t)plane };

	if (on ? !add_reservation(n, &r) : !remove_reservation(n, &r))
		return on ? -ENOMEM : -ENOENT;
	if (!on && n->adopting) /* it may have been one of before, which somebody will repeat */
		return 0;
	/* a kill here is harmless: in the middle of a port it leaves the stripe's lock held */
	for (uint32_t port = first; port <= last; port++) {
		uint32_t id = natport_id(slot, plane, 0) | port;

		if (on)
			reserve_port(n, id);
		else if (!is_reserved(n, &r, port))
			unreserve_port(n, id);
	}
	return 0;
}

/* Those of a slot and plane that rules have asked for. */
static void reserved_by_rules(const struct natports *n, uint16_t slot, enum natport_plane plane,
			      uint64_t word[NATPORT_WORDS])
{
	memset(word, 0, NATPORT_WORDS * sizeof(*word));
	for (unsigned i = 0; i < n->nreservations; i++) {
		const struct natport_reservation *r = &n->reservation[i];
		struct span s = { r->first, r->last };

		if (r->slot != slot || r->plane != plane || r->first > r->last)
			continue;
		for (unsigned k = s.first / 64u; k <= s.last / 64u; k++)
			word[k] |= span_bits(s, k);
	}
}

void natport_reserved_sweep(struct natports *n, uint16_t slot, enum natport_plane plane)
{
	uint32_t base = natport_id(slot, plane, 0);
	uint64_t asked[NATPORT_WORDS];

	reserved_by_rules(n, slot, plane, asked);
	for (unsigned i = 0; i < NATPORT_WORDS; i++) {
		uint64_t bits = word_read(n->reserved, port_word(base) + i) & ~asked[i];

		for (; bits; bits &= bits - 1)
			unreserve_port(n, base | (i * 64 + (unsigned)__builtin_ctzll(bits)));
	}
}
