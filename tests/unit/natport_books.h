/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows that hold outside ports, in memory that outlives the process which made them: what the flow
 * table is to NAT. A row is true from the moment `lives` is set until it is taken back; everything
 * that is claimed for it is claimed before and released after.
 */
#ifndef TESTS_NATPORT_BOOKS_H
#define TESTS_NATPORT_BOOKS_H

#include <sys/mman.h>

#include "config/conf.h"
#include "tests/unit/natport_util.h"

#define BOOKS_ROWS    512u
#define BOOKS_SLOTS   3u
#define BOOKS_WORKERS 2u
#define BOOKS_FIRST   20000u /* ports that flows get */
#define BOOKS_LAST    20999u
#define BOOKS_WORDS   (16u * NATPORT_PLANES * NATPORT_WORDS) /* of slots that tests use */

struct booked {
	uint32_t lives;
	bool mapping; /* its port is that of its endpoint's mapping */
	struct natport_inside in;
	struct natport_use use;
};

struct books {
	struct booked row[BOOKS_ROWS];
	uint16_t slot[BOOKS_SLOTS];
	uint32_t changing[BOOKS_WORKERS];
	uint32_t rows;	/* that a worker uses; 0: all that are its */
	uint32_t slots; /* that are used; 0: all */
	uint32_t lost;	/* flows that books_lost() was told of */
};

static const char *const books_addr[BOOKS_SLOTS] = { "203.0.113.1", "203.0.113.2",
						     "2001:db8:f::1" };

/* Memory that a forked process shares. */
static inline void *books_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static inline enum natport_plane books_plane(const struct booked *b)
{
	return (enum natport_plane)natport_plane_of(b->in.proto);
}

/* ---- flows come and go */

static inline struct natport_use books_use(uint32_t row)
{
	return (struct natport_use){ .id = row,
				     .claim.slot = NATPORT_NO_SLOT,
				     .mapping.slot = NATPORT_NO_SLOT };
}

/* One of few endpoints, so that flows share them. */
static inline struct natport_inside books_endpoint(bool six)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	uint64_t r = random64();
	uint8_t proto = protos[r % 3];
	uint16_t port = (uint16_t)(20000 + r / 8 % 16);
	uint32_t host = (uint32_t)(r / 256 % 8);

	if (six)
		return inside6(host, port, proto == IPPROTO_ICMP ? IPPROTO_ICMPV6 : proto);
	return inside4(host, port, proto);
}

static inline void books_permit(struct natports *n, struct booked *b)
{
	struct natport_use *u = &b->use;

	u->remote = b->in.addr.family == AF_INET6 ? address("2001:db8:99::1")
						  : addr_v4(htonl(0xc6336400 + random64() % 4));
	u->permit =
		natmap_permit(n, u->claim.slot, books_plane(b), u->claim.port, &u->remote, true);
}

/* A port for its endpoint: by its mapping, of whatever kind, or for itself. */
static inline bool books_claim(struct natports *n, const struct books *l, struct booked *b)
{
	unsigned which = (unsigned)(random64() % (l->slots ? l->slots : BOOKS_SLOTS));
	unsigned kind = (unsigned)(random64() % 4);
	struct natport_want w = want(0);
	struct natport_slots slots = only(l->slot[which]);
	uint16_t slot = l->slot[which], port = 0;

	b->in = books_endpoint(which == 2);
	b->mapping = kind != 0;
	b->in.scope = kind == 1 ? 1 + (uint32_t)(random64() % 3) : 0;
	w.port = b->in.port;
	w.first = BOOKS_FIRST;
	w.last = BOOKS_LAST;
	w.filtering = kind == 3 ? CONF_FILTERING_ADF : CONF_FILTERING_EIF;
	if (!b->mapping)
		port = natport_claim(n, slot, books_plane(b), &w, random64());
	else if (natmap_make(n, &b->in, &slots, &slot, &w, random64(), &port))
		return false;
	if (!port)
		return false;
	b->use.claim = (struct natport_outside){ slot, port, (uint8_t)books_plane(b) };
	b->use.outside = natports_addr(n, slot);
	b->use.inside = b->in.addr;
	if (kind == 3)
		books_permit(n, b);
	return true;
}

/* It is let in by the mapping that another one has. */
static inline void books_enter(struct natports *n, const struct books *l, struct booked *b)
{
	const struct booked *other = &l->row[random64() % BOOKS_ROWS];
	struct natport_outside o = other->use.claim;

	if (!__atomic_load_n(&other->lives, __ATOMIC_ACQUIRE) || o.slot == NATPORT_NO_SLOT)
		return;
	if (natmap_hold(n, o.slot, (enum natport_plane)o.plane, o.port))
		b->use.mapping = o;
}

static inline void books_begin(struct natports *n, struct books *l, uint32_t row)
{
	struct booked *b = &l->row[row];
	bool holds;

	b->use = books_use(row);
	if (random64() % 4 == 0)
		books_enter(n, l, b);
	holds = b->use.mapping.slot != NATPORT_NO_SLOT;
	if (!holds || random64() % 2)
		holds |= books_claim(n, l, b);
	if (holds)
		__atomic_store_n(&b->lives, 1, __ATOMIC_RELEASE);
}

static inline void books_end(struct natports *n, struct books *l, uint32_t row)
{
	struct booked *b = &l->row[row];
	const struct natport_use *u = &b->use;

	__atomic_store_n(&b->lives, 0, __ATOMIC_RELEASE);
	natport_step();
	if (u->mapping.slot != NATPORT_NO_SLOT)
		natport_done(n, u->mapping.slot, (enum natport_plane)u->mapping.plane,
			     u->mapping.port);
	if (u->claim.slot == NATPORT_NO_SLOT)
		return;
	if (u->permit)
		natmap_permit(n, u->claim.slot, books_plane(b), u->claim.port, &u->remote, false);
	natport_done(n, u->claim.slot, (enum natport_plane)u->claim.plane, u->claim.port);
}

/* One step of a worker, which has rows of its own. */
static inline void books_step(struct natports *n, struct books *l, unsigned worker)
{
	const uint32_t rows = BOOKS_ROWS / BOOKS_WORKERS;
	uint32_t row = worker * rows + (uint32_t)(random64() % (l->rows ? l->rows : rows));

	__atomic_store_n(&l->changing[worker], 1, __ATOMIC_RELAXED);
	natport_step();
	if (l->row[row].lives)
		books_end(n, l, row);
	else
		books_begin(n, l, row);
	natport_step();
	__atomic_store_n(&l->changing[worker], 0, __ATOMIC_RELAXED);
}

/* ---- as natports_repair() asks for them */

struct books_walk {
	struct books *l;
	uint32_t cursor;
};

static inline bool books_next(void *arg, struct natport_use *use)
{
	struct books_walk *w = arg;

	while (w->cursor < BOOKS_ROWS && !w->l->row[w->cursor].lives)
		w->cursor++;
	if (w->cursor == BOOKS_ROWS)
		return false;
	*use = w->l->row[w->cursor++].use;
	return true;
}

static inline void books_lost(void *arg, const struct natport_use *use)
{
	struct books_walk *w = arg;

	w->l->row[use->id].use = *use;
	w->l->lost++;
}

static inline void books_repair(struct natports *n, struct books *l)
{
	struct books_walk w = { l, 0 };
	const struct natport_flows flows = { books_next, books_lost, &w };

	natports_repair(n, &flows);
}

/* ---- do both say the same? */

static inline uint32_t id_of(const struct natport_outside *o)
{
	return natport_id(o->slot, (enum natport_plane)o->plane, o->port);
}

/* Bits of `taken` that flows have. BOOKS_WORDS, to be freed. */
static inline uint64_t *books_bits(const struct books *l)
{
	uint64_t *bits = calloc(BOOKS_WORDS, sizeof(*bits));

	assert_non_null(bits);
	for (uint32_t row = 0; row < BOOKS_ROWS; row++) {
		const struct natport_use *u = &l->row[row].use;

		if (!l->row[row].lives)
			continue;
		if (u->claim.slot != NATPORT_NO_SLOT)
			bits[port_word(id_of(&u->claim))] |= port_bit(id_of(&u->claim));
		if (u->mapping.slot != NATPORT_NO_SLOT)
			bits[port_word(id_of(&u->mapping))] |= port_bit(id_of(&u->mapping));
	}
	return bits;
}

/* Flows of the mapping of this port. */
static inline uint32_t books_count(const struct books *l, uint32_t id)
{
	uint32_t flows = 0;

	for (uint32_t row = 0; row < BOOKS_ROWS; row++) {
		const struct booked *b = &l->row[row];

		if (!b->lives)
			continue;
		flows += b->use.claim.slot != NATPORT_NO_SLOT && id_of(&b->use.claim) == id;
		flows += b->use.mapping.slot != NATPORT_NO_SLOT && id_of(&b->use.mapping) == id;
	}
	return flows;
}

static inline void books_check_row(struct natports *n, const struct booked *b)
{
	const struct natport_use *u = &b->use;
	struct natport_slots slots = { 0 };
	struct natport_inside in;
	uint16_t slot, port;
	uint8_t filtering;
	bool found;

	if (u->claim.slot == NATPORT_NO_SLOT)
		return;
	found = natmap_inside(n, u->claim.slot, books_plane(b), u->claim.port, &in, &filtering);
	assert_int_equal(found, b->mapping);
	if (!found)
		return;
	natport_slots_add(&slots, u->claim.slot);
	assert_true(natmap_find(n, &b->in, &slots, &slot, &port));
	assert_int_equal(port, u->claim.port);
	assert_int_equal(in.scope, b->in.scope);
	if (u->permit)
		assert_true(natmap_permits(n, u->claim.slot, books_plane(b), u->claim.port,
					   &u->remote));
}

/* Whom mappings with a filter let in: the rows that are the first with theirs. */
static inline uint32_t books_permits(const struct books *l)
{
	uint32_t permits = 0;

	for (uint32_t row = 0; row < BOOKS_ROWS; row++) {
		const struct natport_use *u = &l->row[row].use, *o = NULL;
		uint32_t before = 0;

		if (!l->row[row].lives || u->claim.slot == NATPORT_NO_SLOT || !u->permit)
			continue;
		for (; before < row; before++) {
			o = &l->row[before].use;
			if (l->row[before].lives && o->claim.slot != NATPORT_NO_SLOT && o->permit &&
			    id_of(&o->claim) == id_of(&u->claim) &&
			    addr_equal(&o->remote, &u->remote))
				break;
		}
		permits += before == row;
	}
	return permits;
}

/* Each bit, each mapping's count, and no record more. */
static inline void books_check(struct natports *n, const struct books *l)
{
	uint64_t *bits = books_bits(l), cursor = 0;
	uint32_t mappings = 0, in_chains = 0, records = 0, flows;
	struct natport_inside in;
	struct addr outside;
	uint16_t port;

	for (size_t i = 0; i < BOOKS_WORDS; i++) {
		assert_true(n->taken[i] == (bits[i] | n->reserved[i]));
		assert_true(n->held[i] == (bits[i] & n->reserved[i]));
	}
	free(bits);
	for (uint32_t row = 0; row < BOOKS_ROWS; row++)
		if (l->row[row].lives)
			books_check_row(n, &l->row[row]);
	for (; natmap_walk(n, &cursor, &in, &outside, &port, &flows); mappings++) {
		uint32_t id = natport_id(natports_find(n, &outside),
					 (enum natport_plane)natport_plane_of(in.proto), port);

		assert_int_equal(flows, books_count(l, id));
	}
	for (unsigned i = 0; i < NATPORT_SHARDS; i++) {
		in_chains += n->stripe[i].records;
		records += n->shard[i].records;
	}
	assert_int_equal(in_chains, mappings);
	assert_int_equal(records, mappings + books_permits(l));
}

#endif
