/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rule the first packet of a flow matches, and what it becomes. [worker]
 *
 * A hairpin (RFC 4787 REQ-9) is a packet from inside to an outside address of ours, which goes back
 * inside. Its sender must be seen by its own outside address, and a source rule that says `out:
 * wan` does not match what leaves by the LAN. So when a destination is translated, it is asked at
 * once which source rule the sender would meet outside: the first one that matches but for its
 * `out`, and whose `out` the packet did not come in by. A sender that meets none needs translation
 * only if it is on the same interface as the target, which would answer past us: then it is hidden
 * behind the address it asked for.
 *
 * One host keeps to one address of a pool (REQ-2): chosen by a hash of the host, under a key that
 * is the rule's, so that it is the same on all workers and after a restart. Only when no port of it
 * is left the next addresses are tried, and with `persistent` not even then.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/nat_internal.h"
#include "router/net/siphash.h"

/* ---- small things */

static struct addr addr_of(uint8_t family, const uint8_t bytes[16])
{
	struct addr a = { .family = family };

	memcpy(a.bytes, bytes, family == AF_INET6 ? 16 : 4);
	return a;
}

static void count(const struct nat *n, const struct match_packet *p, const struct nat_rule *r,
		  bool refused)
{
	struct nat_count *c = &n->count[p->worker][r - n->rule];
	uint64_t *which = refused ? &c->refused : &c->flows;

	if (p->dry)
		return;
	__atomic_store_n(which, *which + 1, __ATOMIC_RELAXED);
}

static uint64_t hash_source(const struct nat_rule *r, const struct flow_key *k)
{
	uint64_t word[2];

	memcpy(word, k->src, sizeof(word));
	return siphash_words(r->key, word, 2);
}

unsigned nat_local_find(const struct nat *n, const struct addr *a)
{
	unsigned first = 0, end = n->nlocal;

	while (first < end) {
		unsigned middle = first + (end - first) / 2;

		if (addr_cmp(&n->local[middle].addr, a) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first < n->nlocal && addr_equal(&n->local[first].addr, a) ? first : n->nlocal;
}

static bool is_local(const struct nat *n, const struct addr *a)
{
	return nat_local_find(n, a) < n->nlocal;
}

/* Is it the router's, on one of the interfaces of rule i of m, or (m NULL) on this one? */
static bool is_local_on(const struct nat *n, const struct addr *a, const struct matcher *m,
			unsigned i, uint16_t iface)
{
	for (unsigned k = nat_local_find(n, a); k < n->nlocal; k++) {
		if (!addr_equal(&n->local[k].addr, a))
			break;
		if (m ? has_interface(m, i, n->local[k].iface) : n->local[k].iface == iface)
			return true;
	}
	return false;
}

/* The same place in another prefix of the same length. */
static struct addr move(const struct addr *a, const struct prefix *to)
{
	struct addr moved = *a;
	unsigned whole = to->len / 8, rest = to->len % 8;

	memcpy(moved.bytes, to->addr.bytes, whole);
	if (rest) {
		uint8_t mask = (uint8_t)(0xff << (8 - rest));

		moved.bytes[whole] =
			(uint8_t)((to->addr.bytes[whole] & mask) | (a->bytes[whole] & ~mask));
	}
	return moved;
}

bool nat_has_source(const struct nat *n)
{
	return n->nrules;
}

bool nat_has_destination(const struct nat *n)
{
	return n->nrules;
}

/* ---- destination */

/* What a packet's destination becomes. Of a query for a mapping `port` is its id. */
struct target {
	struct addr addr;
	uint16_t port; /* network order */
	bool id;
};

static void set_destination(struct flow_key *k, const struct target *t)
{
	memcpy(k->dst, t->addr.bytes, sizeof(k->dst));
	if (t->id)
		k->sport = t->port;
	else
		k->dport = t->port;
}

/* The source rule that the sender would meet outside; 0: none. */
static uint16_t rule_of_sender(const struct nat *n, const struct match_packet *p,
			       const struct addr *to)
{
	struct match_packet q = *p;

	for (unsigned i = matcher_next(n->source_any, 0, &q); i < n->nsource;
	     i = matcher_next(n->source_any, i + 1, &q)) {
		const struct nat_rule *r = &n->rule[i];
		bool outside = r->has_out	 ? has_interface(n->source_out, i, p->in)
			       : is_local(n, to) ? is_local_on(n, to, NULL, 0, p->in)
						 : !r->has_from;

		if (r->kind == CONF_NAT_NONE)
			return 0;
		if (!outside)
			return (uint16_t)(i + 1);
	}
	return 0;
}

/* Rule i matches the packet: does it mean packets to this address? A forward without `address`
 * means those of the router, on the interfaces of its `in`; what redirects or exempts, any. */
static bool is_meant(const struct nat *n, unsigned i, const struct addr *to)
{
	const struct nat_rule *r = &n->rule[n->nsource + i];

	if (r->has_address || r->kind != CONF_NAT_DESTINATION)
		return true;
	return r->has_in ? is_local_on(n, to, n->destination_in, i, 0) : is_local(n, to);
}

static const struct nat_rule *find_forward(const struct nat *n, struct match_packet *p,
					   const struct addr *to)
{
	for (unsigned i = matcher_next(n->destination, 0, p); i < n->ndestination;
	     i = matcher_next(n->destination, i + 1, p))
		if (is_meant(n, i, to))
			return &n->rule[n->nsource + i];
	return NULL;
}

static uint16_t target_port(const struct nat_rule *r, const struct match_packet *p, uint64_t hash)
{
	uint16_t port = ntohs(p->key.dport);
	int plane = natport_plane_of(p->key.proto);

	if (!r->last || plane == NATPORT_ICMP)
		return p->key.dport;
	for (unsigned i = 0; i < r->ndport; i++) {
		const struct conf_port_range *d = &r->dport[i];

		if (port >= d->first && port <= d->last && d->last - d->first == r->last - r->first)
			return htons((uint16_t)(r->first + (port - d->first)));
	}
	return htons((uint16_t)(r->first + hash % (r->last - r->first + 1u)));
}

/* One of the targets, always the same for a source. */
static struct target target_of(const struct nat_rule *r, const struct match_packet *p)
{
	uint64_t hash = hash_source(r, &p->key), left;
	struct target t = { .port = target_port(r, p, hash >> 32) };

	left = (hash & UINT32_MAX) % r->naddresses[family_index(p->key.family)];
	for (unsigned i = 0; i < r->ntargets; i++) {
		uint64_t size = nat_range_size(&r->target[i]);

		if (r->target[i].first.family != p->key.family)
			continue;
		if (left < size) {
			t.addr = nat_addr_add(&r->target[i].first, left);
			break;
		}
		left -= size;
	}
	return t;
}

static struct target router_itself(const struct nat *n, const struct nat_rule *r,
				   const struct match_packet *p)
{
	return (struct target){ .addr = nat_own_of(n, p->key.family, p->in)->addr,
				.port = target_port(r, p, 0) };
}

static const struct nat_rule *static_target(const struct nat *n, struct match_packet *p,
					    const struct addr *to, struct target *t)
{
	unsigned i = matcher_next(n->external, 0, p);
	const struct nat_rule *r = &n->rule[n->nsource + n->ndestination + i];

	if (i == n->nstatic)
		return NULL;
	*t = (struct target){ .addr = move(to, &r->internal), .port = p->key.dport };
	return r;
}

/* May this packet come in by a mapping with such filtering? (Of apdf the flows themselves are all
 * that may.) A hairpin's sender is asked about as itself, not as it will be seen. */
static bool is_let_in(const struct nat *n, const struct match_packet *p, uint16_t slot,
		      enum natport_plane plane, uint16_t port, uint8_t filtering)
{
	struct addr from = addr_of(p->key.family, p->key.src);

	if (filtering == CONF_FILTERING_ADF)
		return natmap_permits(n->ports, slot, plane, port, &from);
	return filtering == CONF_FILTERING_EIF;
}

/* To an outside port of an inside endpoint, or to one of our outside addresses, where nothing
 * else could be meant. */
static enum nat_verdict mapping_target(const struct nat *n, const struct match_packet *p,
				       const struct addr *to, struct target *t)
{
	int plane = natport_plane_of(p->key.proto);
	uint16_t slot = natports_find(n->ports, to), port;
	struct natport_inside in;
	uint8_t filtering;
	bool foreign;

	if (slot == NATPORT_NO_SLOT)
		return NAT_NONE;
	foreign = natport_slots_have(&n->outside, slot) && !is_local(n, to);
	if (plane < 0)
		return foreign ? NAT_REFUSED : NAT_NONE;
	port = ntohs(plane == NATPORT_ICMP ? p->key.sport : p->key.dport);
	if (!natmap_inside(n->ports, slot, (enum natport_plane)plane, port, &in, &filtering)) {
		foreign |= natport_is_taken(n->ports, slot, (enum natport_plane)plane, port);
		return foreign ? NAT_REFUSED : NAT_NONE;
	}
	if (in.zone != p->key.zone ||
	    !is_let_in(n, p, slot, (enum natport_plane)plane, port, filtering))
		return NAT_REFUSED;
	*t = (struct target){ in.addr, htons(in.port), plane == NATPORT_ICMP };
	return NAT_DONE;
}

/* What a destination rule that matches makes of it. */
static enum nat_verdict forward_target(const struct nat *n, const struct nat_rule *r,
				       const struct match_packet *p, struct target *t)
{
	if (r->kind == CONF_NAT_NONE)
		return NAT_NONE;
	if (r->kind == CONF_NAT_REDIRECT) {
		*t = router_itself(n, r, p);
		return t->addr.family ? NAT_LOCAL : NAT_REFUSED;
	}
	*t = target_of(r, p);
	return NAT_DONE;
}

bool nat_is_forward(const struct nat *n, uint16_t rule)
{
	return rule && rule - 1u >= n->nsource && rule - 1u < n->nsource + n->ndestination;
}

enum nat_verdict nat_destination(const struct nat *n, struct match_packet *p, uint16_t *rule,
				 struct nat_hairpin *hairpin)
{
	struct addr to = addr_of(p->key.family, p->key.dst);
	const struct nat_rule *r = find_forward(n, p, &to);
	enum nat_verdict v;
	struct target t = { 0 };

	*hairpin = (struct nat_hairpin){ 0 };
	if (r)
		v = forward_target(n, r, p, &t);
	else if ((r = static_target(n, p, &to, &t)))
		v = NAT_DONE;
	else
		v = mapping_target(n, p, &to, &t);
	*rule = r ? (uint16_t)(r - n->rule + 1) : 0;
	if (r)
		count(n, p, r, v == NAT_REFUSED);
	if (v == NAT_DONE) {
		hairpin->outside = to;
		hairpin->rule = rule_of_sender(n, p, &to);
	}
	if (v == NAT_DONE || v == NAT_LOCAL)
		set_destination(&p->key, &t);
	return v;
}

/* ---- source */

/* A packet that shall leave by a rule, and how its outside address and port are to be chosen. */
struct choice {
	const struct nat *n;
	const struct nat_rule *rule; /* NULL: a hairpin without one */
	const struct match_packet *p;
	const uint16_t *slot; /* in a circle from `first` on */
	unsigned nslots, first, tries;
	struct natport_slots allowed;
	uint16_t own; /* the only slot */
};

static void choose_one(struct choice *c, uint16_t slot)
{
	c->own = slot;
	c->slot = &c->own;
	c->nslots = c->tries = slot != NATPORT_NO_SLOT;
	if (c->nslots)
		natport_slots_add(&c->allowed, slot);
}

static void choose_any(struct choice *c)
{
	unsigned family = family_index(c->p->key.family);

	c->slot = c->rule->slot[family];
	c->nslots = c->tries = c->rule->nslots[family];
	c->allowed = c->rule->slots;
}

/* Behind the address that was asked for, if it is one the sender has outside; else by any. */
static void choose_hairpin(struct choice *c, const struct addr *asked)
{
	const struct natport_slots *may = c->rule ? &c->rule->slots : &c->n->outside;
	uint16_t slot = natports_find(c->n->ports, asked);

	if (slot != NATPORT_NO_SLOT && natport_slots_have(may, slot))
		choose_one(c, slot);
	else if (c->rule)
		choose_any(c);
	else
		choose_one(c, nat_own_of(c->n, c->p->key.family, c->p->out)->slot);
}

static void choose_pool(struct choice *c)
{
	choose_any(c);
	if (!c->nslots)
		return;
	c->first = (unsigned)(hash_source(c->rule, &c->p->key) % c->nslots);
	if (c->rule->persistent)
		c->tries = 1;
}

static uint16_t slot_at(const struct choice *c, unsigned i)
{
	return c->slot[(c->first + i) % c->nslots];
}

static struct natport_inside endpoint(const struct choice *c)
{
	const struct flow_key *k = &c->p->key;
	struct natport_inside in = { .addr = addr_of(k->family, k->src),
				     .port = ntohs(k->sport),
				     .proto = k->proto,
				     .zone = k->zone };

	if (c->rule && c->rule->mapping == CONF_MAPPING_ADM) {
		uint64_t word[2];

		memcpy(word, k->dst, sizeof(word));
		in.scope = (uint32_t)siphash_words(c->rule->key, word, 2) | 1;
	}
	return in;
}

static struct natport_want want(const struct choice *c, bool keep)
{
	const struct nat_rule *r = c->rule;
	bool ids = natport_plane_of(c->p->key.proto) == NATPORT_ICMP;

	return (struct natport_want){
		.port = ntohs(c->p->key.sport),
		.first = r ? r->first : 0,
		.last = r ? r->last : 0,
		.keep = keep,
		.parity = (!r || r->parity) && !ids,
		.random = !r || r->random,
		.filtering = r ? r->filtering : CONF_FILTERING_APDF,
	};
}

/* A port of the endpoint's mapping, which may have to be made. */
static bool share_port(const struct choice *c, uint64_t random, uint16_t *slot, uint16_t *port)
{
	struct natport_inside in = endpoint(c);
	struct natport_want w = want(c, true);

	for (unsigned i = 0; i < c->tries; i++) { /* or the mapping there is, on any of them */
		*slot = slot_at(c, i);
		if (!natmap_make(c->n->ports, &in, &c->allowed, slot, &w, random, port))
			return true;
	}
	return false;
}

/* A port for this flow alone. */
static bool claim_port(const struct choice *c, bool keep, uint64_t random, uint16_t *slot,
		       uint16_t *port)
{
	enum natport_plane plane = (enum natport_plane)natport_plane_of(c->p->key.proto);
	struct natport_want w = want(c, keep);

	for (unsigned i = 0; i < c->tries; i++) {
		*slot = slot_at(c, i);
		*port = natport_claim(c->n->ports, *slot, plane, &w, random);
		if (*port)
			return true;
	}
	return false;
}

/* Of an imaginary packet: 0 where it would be chosen by chance. */
static bool foresee_port(const struct choice *c, bool keep, bool shared, uint16_t *slot,
			 uint16_t *port)
{
	enum natport_plane plane = (enum natport_plane)natport_plane_of(c->p->key.proto);
	struct natport_inside in = endpoint(c);
	struct natport_want w = want(c, keep);

	if (shared && natmap_find(c->n->ports, &in, &c->allowed, slot, port))
		return true;
	for (unsigned i = 0; i < c->tries; i++) {
		*slot = slot_at(c, i);
		if (!natport_foresee(c->n->ports, *slot, plane, &w, port))
			return true;
	}
	return false;
}

static bool get_port(const struct choice *c, unsigned attempt, bool shared, uint64_t random,
		     uint16_t *slot, uint16_t *port)
{
	if (c->p->dry)
		return foresee_port(c, !attempt, shared, slot, port);
	return shared ? share_port(c, random, slot, port)
		      : claim_port(c, !attempt, random, slot, port);
}

static void permit(const struct choice *c, uint16_t port, struct nat_claim *claim)
{
	const struct flow_key *k = &c->p->key;
	struct addr remote = addr_of(k->family, k->dst);

	claim->permit =
		natmap_permit(c->n->ports, claim->slot,
			      (enum natport_plane)natport_plane_of(k->proto), port, &remote, true);
}

static enum nat_verdict translate(const struct choice *c, unsigned attempt, uint64_t random,
				  struct addr *outside, uint16_t *port, struct nat_claim *claim)
{
	bool shared = !attempt && (!c->rule || c->rule->mapping != CONF_MAPPING_APDM);
	uint16_t slot, got;

	if (!c->nslots)
		return NAT_EXHAUSTED;
	if (natport_plane_of(c->p->key.proto) < 0) {
		*outside = natports_addr(c->n->ports, slot_at(c, attempt % c->tries));
		*port = c->p->key.sport;
		return NAT_DONE;
	}
	if (!get_port(c, attempt, shared, random, &slot, &got))
		return NAT_EXHAUSTED;
	*outside = natports_addr(c->n->ports, slot);
	*port = htons(got);
	if (c->p->dry)
		return NAT_DONE;
	claim->slot = slot;
	if (shared && c->rule && c->rule->filtering == CONF_FILTERING_ADF)
		permit(c, got, claim);
	return NAT_DONE;
}

/* The static rule of a sender; NULL: none. Going inside again, it is seen as it is outside. */
static const struct nat_rule *static_of_sender(const struct nat *n, struct match_packet *p,
					       bool hairpin)
{
	for (unsigned i = matcher_next(n->internal, 0, p); i < n->nstatic;
	     i = matcher_next(n->internal, i + 1, p)) {
		const struct nat_rule *r = &n->rule[n->nsource + n->ndestination + i];

		if (!r->has_in || has_interface(n->static_in, i, p->out) ||
		    (hairpin && r->hairpin && !has_interface(n->static_in, i, p->in)))
			return r;
	}
	return NULL;
}

enum nat_verdict nat_source(const struct nat *n, struct match_packet *p,
			    const struct nat_hairpin *hairpin, unsigned attempt, uint64_t random,
			    struct addr *outside, uint16_t *port, struct nat_claim *claim)
{
	unsigned i = hairpin->rule ? hairpin->rule - 1u : matcher_next(n->source, 0, p);
	const struct nat_rule *r = i < n->nsource ? &n->rule[i] : NULL, *fixed;
	struct choice c = { .n = n, .p = p };
	enum nat_verdict v;

	*claim = (struct nat_claim){ .slot = NATPORT_NO_SLOT };
	if (r && r->kind == CONF_NAT_NONE) {
		claim->rule = p->dry ? (uint16_t)(i + 1) : 0;
		return NAT_NONE;
	}
	fixed = static_of_sender(n, p, hairpin->outside.family);
	if (fixed) {
		struct addr from = addr_of(p->key.family, p->key.src);

		*outside = move(&from, &fixed->external);
		*port = p->key.sport;
		claim->rule = (uint16_t)(fixed - n->rule + 1);
		count(n, p, fixed, false);
		return NAT_DONE;
	}
	if (!r && !(hairpin->outside.family && p->in == p->out))
		return NAT_NONE;
	c.rule = r;
	if (r && r->kind == CONF_NAT_POOL)
		choose_pool(&c);
	else if (!r || hairpin->rule)
		choose_hairpin(&c, &hairpin->outside);
	else
		choose_one(&c, nat_own_of(n, p->key.family, p->out)->slot);
	v = translate(&c, attempt, random, outside, port, claim);
	if (r) {
		claim->rule = (uint16_t)(i + 1);
		count(n, p, r, v == NAT_EXHAUSTED);
	}
	return v;
}

void nat_give_back(struct natports *ports, const struct nat_claim *claim, uint8_t proto,
		   uint16_t port, const struct addr *remote)
{
	int plane = natport_plane_of(proto);

	if (claim->slot == NATPORT_NO_SLOT || plane < 0)
		return;
	if (claim->permit)
		natmap_permit(ports, claim->slot, (enum natport_plane)plane, port, remote, false);
	natport_done(ports, claim->slot, (enum natport_plane)plane, port);
}

/* ---- flows that a mapping let in */

struct natport_outside nat_mapping_of(const struct natports *ports, const struct flow_key *orig)
{
	struct addr to = addr_of(orig->family, orig->dst);
	int plane = natport_plane_of(orig->proto);

	if (plane < 0)
		return (struct natport_outside){ .slot = NATPORT_NO_SLOT };
	return (struct natport_outside){
		.slot = natports_find(ports, &to),
		.port = ntohs(plane == NATPORT_ICMP ? orig->sport : orig->dport),
		.plane = (uint8_t)plane,
	};
}

bool nat_mapping_hold(struct natports *ports, const struct flow_key *orig)
{
	struct natport_outside o = nat_mapping_of(ports, orig);

	return o.slot != NATPORT_NO_SLOT &&
	       natmap_hold(ports, o.slot, (enum natport_plane)o.plane, o.port);
}

void nat_mapping_done(struct natports *ports, const struct flow_key *orig)
{
	struct natport_outside o =
		nat_mapping_of(ports, orig); /* its port is taken: it has a slot */

	natport_done(ports, o.slot, (enum natport_plane)o.plane, o.port);
}
