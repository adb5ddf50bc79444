/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings: inside endpoints and the outside ports they have; and permits: remote addresses that
 * may send to a mapping.
 *
 * A mapping is made under its shard's lock, so that of two workers with packets of one endpoint one
 * makes it and the other finds it. It lives as long as flows count on it. Both kinds of record lie
 * in the inside hash, where a permit's "inside" is the remote address and the mapping's outside
 * port.
 */
#include <errno.h>

#include "router/net/natport_internal.h"
#include "router/net/siphash.h"

/* ---- what a record is found by */

struct key {
	uint8_t addr[16];
	uint16_t port, zone;
	uint32_t scope;
	uint32_t outside, mask;		   /* bits of natmap.outside, and which of them count */
	const struct natport_slots *slots; /* NULL: any */
};

static uint32_t size_flags(uint8_t family, uint32_t scope)
{
	return family == AF_INET6 ? NATMAP_IP6 | NATMAP_BIG : scope ? NATMAP_BIG : 0;
}

/* Not of a protocol without ports. */
static struct key mapping_key(const struct natport_inside *in, const struct natport_slots *slots)
{
	struct key k = { .port = in->port, .zone = in->zone, .scope = in->scope, .slots = slots };

	memcpy(k.addr, in->addr.bytes, sizeof(k.addr));
	k.outside = natport_id(0, (enum natport_plane)natport_plane_of(in->proto), 0) |
		    size_flags(in->addr.family, in->scope);
	k.mask = NATPORT_PLANE | NATMAP_IP6 | NATMAP_BIG | NATMAP_PERMIT;
	return k;
}

static struct key permit_key(uint32_t id, const struct addr *remote)
{
	struct key k = { .outside = id | NATMAP_PERMIT | size_flags(remote->family, 0) };

	memcpy(k.addr, remote->bytes, sizeof(k.addr));
	k.mask = NATPORT_ID | NATMAP_IP6 | NATMAP_BIG | NATMAP_PERMIT;
	return k;
}

static const uint8_t *addr_of(const struct natmap *m)
{
	return m->outside & NATMAP_BIG ? ((const struct natmap_big *)m)->addr
				       : (const uint8_t *)&m->addr;
}

static uint32_t scope_of(const struct natmap *m)
{
	return m->outside & NATMAP_BIG ? ((const struct natmap_big *)m)->scope : 0;
}

static bool has_key(const struct natmap *m, const struct key *k)
{
	return (m->outside & k->mask) == k->outside && m->port == k->port && m->zone == k->zone &&
	       scope_of(m) == k->scope &&
	       !memcmp(addr_of(m), k->addr, m->outside & NATMAP_IP6 ? 16 : 4) &&
	       (!k->slots || natport_slots_have(k->slots, id_slot(m->outside)));
}

/* Two words of an IPv4 key, four of an IPv6 one. */
static uint64_t hash_of(const struct natports *n, const struct key *k)
{
	uint64_t last = (uint64_t)k->scope << 32 | k->outside;
	uint64_t word[4];

	memcpy(word, k->addr, sizeof(k->addr));
	if (!(k->outside & NATMAP_IP6)) {
		word[0] |= (uint64_t)k->port << 32 | (uint64_t)k->zone << 48;
		word[1] = last;
		return siphash_words(n->key, word, 2);
	}
	word[2] = (uint64_t)k->zone << 16 | k->port;
	word[3] = last;
	return siphash_words(n->key, word, 4);
}

/* Where a key is, with its shard locked. */
struct place {
	struct natmap_shard *shard;
	uint32_t *head;
};

static struct place place_lock(const struct natports *n, const struct key *k)
{
	uint64_t head = hash_of(n, k) & n->mask;
	struct place p = { &n->shard[head >> n->shard_shift], &n->in[head] };

	spin_lock(&p.shard->lock);
	natport_touch(&p.shard->touched);
	return p;
}

static void place_unlock(const struct place *p)
{
	spin_unlock(&p->shard->lock);
}

/* ---- chains */

static struct natmap *find_in(const struct natports *n, const struct place *p, const struct key *k)
{
	for (uint32_t i = *p->head; i; i = natmap_next_in(natmap_at(n, i)))
		if (has_key(natmap_at(n, i), k))
			return natmap_at(n, i);
	return NULL;
}

static uint32_t index_of(const struct natports *n, const struct natmap *m)
{
	return (uint32_t)(((const uint8_t *)m - n->unit) / NATMAP_UNIT);
}

static void unlink_in(const struct natports *n, const struct place *p, const struct natmap *m)
{
	uint32_t index = index_of(n, m), i = *p->head;
	struct natmap *before;

	if (i == index) {
		*p->head = natmap_next_in(m);
		return;
	}
	do {
		before = natmap_at(n, i);
		i = natmap_next_in(before);
	} while (i != index);
	natmap_set_next_in(before, natmap_next_in(m));
}

static struct natport_stripe *stripe_lock(const struct natports *n, const uint32_t *head)
{
	struct natport_stripe *t = stripe_of(n, head);

	spin_lock(&t->lock);
	natport_touch(&t->touched);
	return t;
}

/* Under the stripe's lock. */
static struct natmap *find_out(const struct natports *n, const uint32_t *head, uint32_t id)
{
	for (uint32_t i = *head; i; i = natmap_next_out(natmap_at(n, i)))
		if ((natmap_at(n, i)->outside & NATPORT_ID) == id)
			return natmap_at(n, i);
	return NULL;
}

static void link_out(const struct natports *n, uint32_t index)
{
	struct natmap *m = natmap_at(n, index);
	uint32_t *head = out_head(n, m->outside);
	struct natport_stripe *t = stripe_lock(n, head);

	natmap_set_next_out(m, *head);
	*head = index;
	t->records++;
	spin_unlock(&t->lock);
}

/* Under the stripe's lock. */
static void unlink_out(const struct natports *n, uint32_t *head, const struct natmap *m)
{
	uint32_t index = index_of(n, m), i = *head;
	struct natmap *before;

	if (i == index) {
		*head = natmap_next_out(m);
		return;
	}
	do {
		before = natmap_at(n, i);
		i = natmap_next_out(before);
	} while (i != index);
	natmap_set_next_out(before, natmap_next_out(m));
}

/* A mapping is nobody's any more, nor is the port it stands for: which another may have at once, so
 * that this must not look alive then. */
static void port_end(struct natports *n, struct natmap *m)
{
	uint32_t *head = out_head(n, m->outside);
	struct natport_stripe *t = stripe_lock(n, head);

	unlink_out(n, head, m);
	t->records--;
	m->outside &= ~NATMAP_LIVE;
	natport_step();
	natport_drop(n, m->outside & NATPORT_ID);
	spin_unlock(&t->lock);
}

/* ---- records: made and ended under the shard's lock */

/* With one flow, in the inside chain; 0: no memory. */
static uint32_t record_new(struct natports *n, const struct place *p, const struct key *k,
			   uint32_t outside)
{
	uint32_t index = natmap_alloc(n, p->shard, k->outside & NATMAP_BIG);
	struct natmap *m = natmap_at(n, index);

	if (!index)
		return 0;
	*m = (struct natmap){ .flows = 1, .port = k->port, .zone = k->zone };
	memcpy(&m->addr, k->addr, sizeof(m->addr));
	if (k->outside & NATMAP_BIG) {
		struct natmap_big *big = (struct natmap_big *)m;

		memcpy(big->addr, k->addr, sizeof(big->addr));
		big->scope = k->scope;
	}
	natmap_set_next_in(m, *p->head);
	natport_step();
	m->outside = outside | NATMAP_LIVE;
	*p->head = index;
	return index;
}

static void record_end(struct natports *n, const struct place *p, struct natmap *m)
{
	unlink_in(n, p, m);
	natmap_free(n, p->shard, index_of(n, m));
}

__attribute__((no_sanitize("thread"))) void natmap_prefetch(const struct natports *n,
							    const struct natport_inside *in,
							    unsigned count)
{
	const uint32_t *head[FLOW_BURST];
	uint32_t index[FLOW_BURST];

	for (unsigned i = 0; i < count; i++) {
		struct key k = mapping_key(&in[i], NULL);

		head[i] = &n->in[hash_of(n, &k) & n->mask];
		__builtin_prefetch(head[i], 1);
	}
	for (unsigned i = 0; i < count; i++) {
		index[i] = __atomic_load_n(head[i], __ATOMIC_RELAXED);
		__builtin_prefetch(natmap_at(n, index[i]));
	}
	/* Others may be at these chains: what is read here is a guess, and only prefetched. */
	for (unsigned i = 0; i < count; i++) {
		index[i] = natmap_next_in(natmap_at(n, index[i]));
		__builtin_prefetch(natmap_at(n, index[i]));
	}
}

bool natmap_find(const struct natports *n, const struct natport_inside *in,
		 const struct natport_slots *slots, uint16_t *slot, uint16_t *port)
{
	struct key k = mapping_key(in, slots);
	struct place p = place_lock(n, &k);
	const struct natmap *m = find_in(n, &p, &k);

	if (m) {
		*slot = id_slot(m->outside);
		*port = id_port(m->outside);
	}
	place_unlock(&p);
	return m;
}

__attribute__((no_sanitize("thread"))) void natport_prefetch(const struct natports *n,
							     const struct natport_outside *out,
							     unsigned count)
{
	const uint32_t *head[FLOW_BURST];

	for (unsigned i = 0; i < count; i++) {
		uint32_t id =
			natport_id(out[i].slot, (enum natport_plane)out[i].plane, out[i].port);

		head[i] = out_head(n, id);
		__builtin_prefetch(head[i], 1);
		__builtin_prefetch(&n->taken[port_word(id)], 1);
	}
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(natmap_at(n, *(const volatile uint32_t *)head[i]), 1);
}

/* The place is locked, and there is none. */
static int make(struct natports *n, const struct place *p, const struct key *k, uint16_t slot,
		const struct natport_want *w, uint64_t random, uint16_t *port)
{
	enum natport_plane plane = id_plane(k->outside);
	uint16_t got = natport_claim(n, slot, plane, w, random);
	uint32_t outside, index;

	if (!got)
		return -ENOSPC;
	__builtin_prefetch(out_head(n, natport_id(slot, plane, got)), 1);
	outside = natport_id(slot, plane, got) | (k->outside & (NATMAP_IP6 | NATMAP_BIG)) |
		  (uint32_t)w->filtering << NATMAP_FILTERING_SHIFT;
	index = record_new(n, p, k, outside);
	if (!index) {
		natport_release(n, slot, plane, got);
		return -ENOSPC;
	}
	link_out(n, index);
	*port = got;
	return 0;
}

int natmap_make(struct natports *n, const struct natport_inside *in,
		const struct natport_slots *slots, uint16_t *slot, const struct natport_want *w,
		uint64_t random, uint16_t *port)
{
	struct key k = mapping_key(in, slots);
	struct place p = place_lock(n, &k);
	struct natmap *m = find_in(n, &p, &k);
	int rc = 0;

	if (m) {
		m->flows++;
		*slot = id_slot(m->outside);
		*port = id_port(m->outside);
	} else {
		rc = make(n, &p, &k, *slot, w, random, port);
	}
	place_unlock(&p);
	return rc;
}

/* ---- by the outside port */

struct addr natmap_addr(const struct natmap *m)
{
	struct addr a = { .family = m->outside & NATMAP_IP6 ? AF_INET6 : AF_INET };

	memcpy(a.bytes, addr_of(m), m->outside & NATMAP_IP6 ? 16 : 4);
	return a;
}

static uint8_t proto_of(uint32_t outside)
{
	switch (id_plane(outside)) {
	case NATPORT_TCP: return IPPROTO_TCP;
	case NATPORT_UDP: return IPPROTO_UDP;
	default: return outside & NATMAP_IP6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	}
}

static struct natport_inside inside_of(const struct natmap *m)
{
	return (struct natport_inside){ .addr = natmap_addr(m),
					.port = m->port,
					.proto = proto_of(m->outside),
					.zone = m->zone,
					.scope = scope_of(m) };
}

bool natmap_inside(const struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port,
		   struct natport_inside *out, uint8_t *filtering)
{
	uint32_t id = natport_id(slot, plane, port), *head = out_head(n, id);
	struct natport_stripe *t = stripe_lock(n, head);
	const struct natmap *m;

	m = find_out(n, head, id);
	if (m) {
		*out = inside_of(m);
		*filtering = m->outside >> NATMAP_FILTERING_SHIFT & 3;
	}
	spin_unlock(&t->lock);
	return m;
}

bool natmap_hold(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port)
{
	struct natport_inside in;
	struct natmap *m;
	struct place p;
	struct key k;
	uint8_t filtering;

	if (!natmap_inside(n, slot, plane, port, &in, &filtering))
		return false;
	k = mapping_key(&in, NULL);
	p = place_lock(n, &k);
	k.outside |= natport_id(slot, plane, port);
	k.mask |= NATPORT_ID;
	m = find_in(n, &p, &k); /* it may have gone between the two locks */
	if (m)
		m->flows++;
	place_unlock(&p);
	return m;
}

/* One flow less; the port goes with the last one. */
static void mapping_done(struct natports *n, uint32_t id, const struct natport_inside *in)
{
	struct key k = mapping_key(in, NULL);
	struct place p;
	struct natmap *m;

	p = place_lock(n, &k);
	k.outside |= id;
	k.mask |= NATPORT_ID;
	m = find_in(n, &p, &k);
	assert(m && m->flows);
	if (!--m->flows) {
		port_end(n, m);
		record_end(n, &p, m);
	}
	place_unlock(&p);
}

void natport_done(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port)
{
	struct natport_inside in;
	uint8_t filtering;

	/* It cannot go meanwhile: the caller's flow counts on it. */
	if (natmap_inside(n, slot, plane, port, &in, &filtering))
		mapping_done(n, natport_id(slot, plane, port), &in);
	else
		natport_release(n, slot, plane, port);
}

/* ---- permits */

bool natmap_permit(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port,
		   const struct addr *remote, bool add)
{
	struct key k = permit_key(natport_id(slot, plane, port), remote);
	struct place p = place_lock(n, &k);
	struct natmap *m = find_in(n, &p, &k);
	bool done = true;

	if (m && add)
		m->flows++;
	else if (add)
		done = record_new(n, &p, &k, k.outside);
	else if (m && !--m->flows)
		record_end(n, &p, m);
	place_unlock(&p);
	return done;
}

bool natmap_permits(const struct natports *n, uint16_t slot, enum natport_plane plane,
		    uint16_t port, const struct addr *remote)
{
	struct key k = permit_key(natport_id(slot, plane, port), remote);
	struct place p = place_lock(n, &k);
	bool found = find_in(n, &p, &k);

	place_unlock(&p);
	return found;
}

/* ---- [control] */

static uint32_t flows_of(const struct natports *n, uint32_t id, const struct natport_inside *in)
{
	struct key k = mapping_key(in, NULL);
	struct place p = place_lock(n, &k);
	const struct natmap *m;
	uint32_t flows;

	k.outside |= id;
	k.mask |= NATPORT_ID;
	m = find_in(n, &p, &k);
	flows = m ? m->flows : 0;
	place_unlock(&p);
	return flows;
}

/* The next port from *cursor on, an id, that is taken; or the end. */
static uint64_t next_taken(const struct natports *n, uint64_t cursor)
{
	const uint64_t end = (uint64_t)NATPORT_SLOTS << 18;

	while (cursor < end) {
		uint32_t id = (uint32_t)cursor;
		uint64_t bits = 0;

		if (!slot_is_used(&n->slot[id_slot(id)])) {
			cursor = ((uint64_t)id_slot(id) + 1) << 18;
			continue;
		}
		if (id_plane(id) < NATPORT_PLANES)
			bits = word_read(n->taken, port_word(id));
		bits &= UINT64_MAX << cursor % 64;
		if (bits)
			return (cursor & ~63ull) + (unsigned)__builtin_ctzll(bits);
		cursor = (cursor & ~63ull) + 64;
	}
	return end;
}

bool natmap_walk(const struct natports *n, uint64_t *cursor, struct natport_inside *in,
		 struct addr *outside, uint16_t *port, uint32_t *flows)
{
	const uint64_t end = (uint64_t)NATPORT_SLOTS << 18;

	while ((*cursor = next_taken(n, *cursor)) < end) {
		uint32_t id = (uint32_t)(*cursor)++;
		uint8_t filtering;

		if (!natmap_inside(n, id_slot(id), id_plane(id), id_port(id), in, &filtering))
			continue;
		*flows = flows_of(n, id, in);
		if (!*flows)
			continue;
		memcpy(outside, n->slot[id_slot(id)].word, sizeof(*outside));
		*port = id_port(id);
		return true;
	}
	return false;
}

/* ---- after a kill: natport_repair.c */

/* What it is found by. */
static struct key key_of(const struct natmap *m)
{
	struct natport_inside in = inside_of(m);

	return m->outside & NATMAP_PERMIT ? permit_key(m->outside & NATPORT_ID, &in.addr)
					  : mapping_key(&in, NULL);
}

/* Would a record with its key look like this? */
static bool is_whole(const struct natports *n, const struct natmap *m)
{
	struct key k;

	if (id_plane(m->outside) >= NATPORT_PLANES || !slot_is_used(&n->slot[id_slot(m->outside)]))
		return false;
	k = key_of(m);
	return has_key(m, &k);
}

struct natmap *natmap_adopt(struct natports *n, uint32_t index, struct natmap_shard **shard)
{
	struct natmap *m = natmap_at(n, index);
	struct natmap_shard *s;
	struct key k;
	uint32_t *in;

	if (!is_whole(n, m))
		return NULL;
	k = key_of(m);
	in = &n->in[hash_of(n, &k) & n->mask];
	s = &n->shard[(size_t)(in - n->in) >> n->shard_shift];
	if (*shard && *shard != s)
		return NULL;
	if (!(m->outside & NATMAP_PERMIT)) {
		if (natmap_by_outside(n, m->outside & NATPORT_ID))
			return NULL;
		link_out(n, index);
	}
	natmap_set_next_in(m, *in);
	*in = index;
	m->flows = 0;
	natport_touch(&s->touched);
	*shard = s;
	return m;
}

struct natmap *natmap_by_outside(const struct natports *n, uint32_t id)
{
	return find_out(n, out_head(n, id), id);
}

void natmap_evict(struct natports *n, struct natmap *m)
{
	struct key k = key_of(m);
	struct place p = place_lock(n, &k);

	if (!(m->outside & NATMAP_PERMIT)) {
		uint32_t *head = out_head(n, m->outside);

		unlink_out(n, head, m);
		stripe_of(n, head)->records--;
	}
	record_end(n, &p, m);
	place_unlock(&p);
}
