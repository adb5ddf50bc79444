/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Next hop slots and adjacencies; see state.h.
 *
 * An adjacency lives while Linux has a neighbour entry for it or a path leads over it, or was asked
 * for it a moment ago (state_ask.c). Its slot holds the link header that workers copy; a change of
 * MAC, interface or state puts a new struct nh there. [control]
 */
#include "router/state.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define NUD_KNOWN  (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
#define NEIGHS_MIN 64

void state_retire(struct state *s, void *p)
{
	if (!p)
		return;
	if (s->nretired == s->retired_cap) {
		size_t cap = s->retired_cap ? s->retired_cap * 2 : 64;
		void **a = realloc(s->retired, cap * sizeof(*a));

		if (!a)
			return; /* a leak rather than a use after free */
		s->retired = a;
		s->retired_cap = cap;
	}
	s->retired[s->nretired++] = p;
}

uint32_t slot_alloc(struct state *s)
{
	if (s->nfree_slots)
		return s->free_slots[--s->nfree_slots];
	if (s->slots_used == NH_SLOTS)
		return 0;
	return s->slots_used++;
}

/* The slot may be used again after a grace period; until then readers find what was there. */
void slot_release(struct state *s, uint32_t slot)
{
	if (!slot)
		return;
	if (s->nretired_slots == s->retired_slots_cap) {
		size_t cap = s->retired_slots_cap ? s->retired_slots_cap * 2 : 64;
		uint32_t *a = realloc(s->retired_slots, cap * sizeof(*a));

		if (!a)
			return;
		s->retired_slots = a;
		s->retired_slots_cap = cap;
	}
	s->retired_slots[s->nretired_slots++] = slot;
	state_routes_moved(s);
}

void slot_store(struct state *s, uint32_t slot, struct nh *n)
{
	struct nh *old = s->nht.slot[slot];

	__atomic_store_n(&s->nht.slot[slot], n, __ATOMIC_RELEASE);
	/* Who remembers a neighbour's slot finds there what it has become. */
	if (old && (old->type != NH_ADJ || n->type != NH_ADJ))
		state_routes_moved(s);
	state_retire(s, old);
}

void state_keep_generation(struct state *s, uint32_t *kept)
{
	__atomic_store_n(&s->nht.generation, s->nht.generation + *kept, __ATOMIC_RELEASE);
	s->kept_generation = kept;
	state_routes_moved(s);
}

/* Kept first: no flow may remember a number that the next process begins with. */
void state_routes_moved(struct state *s)
{
	if (s->kept_generation)
		__atomic_store_n(s->kept_generation, s->nht.generation + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&s->nht.generation, s->nht.generation + 1, __ATOMIC_RELEASE);
}

/* ---- the hash workers look neighbours up in */

static void neigh_insert(struct state *s, struct neigh_table *t, uint32_t slot)
{
	const struct nh *n = s->nht.slot[slot];
	uint32_t i = neigh_hash(n->iface, &n->addr) & t->mask;

	while (t->entry[i] && t->entry[i] != NEIGH_GONE)
		i = (i + 1) & t->mask;
	__atomic_store_n(&t->entry[i], slot, __ATOMIC_RELEASE);
	state_routes_moved(s);
}

/* Half full, tombstones counted: make a new one from what lives. */
static void neigh_rebuild(struct state *s)
{
	struct neigh_table *old = s->neigh, *t;
	uint32_t live = 0, size = NEIGHS_MIN;

	for (uint32_t i = 0; old && i <= old->mask; i++)
		live += old->entry[i] && old->entry[i] != NEIGH_GONE;
	while (size < (live + 1) * 4)
		size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->entry[0]));
	if (!t)
		return;
	t->mask = size - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++)
		if (old->entry[i] && old->entry[i] != NEIGH_GONE)
			neigh_insert(s, t, old->entry[i]);
	s->neigh = t;
	s->neigh_used = live;
	s->ifaces_dirty = true; /* publishes the new table */
	state_retire(s, old);
}

static void neigh_add(struct state *s, uint32_t slot)
{
	if (!s->neigh || (s->neigh_used + 1) * 2 > s->neigh->mask)
		neigh_rebuild(s);
	if (!s->neigh)
		return;
	neigh_insert(s, s->neigh, slot);
	s->neigh_used++;
}

static void neigh_remove(struct state *s, uint32_t slot)
{
	for (uint32_t i = 0; s->neigh && i <= s->neigh->mask; i++)
		if (s->neigh->entry[i] == slot)
			__atomic_store_n(&s->neigh->entry[i], NEIGH_GONE, __ATOMIC_RELEASE);
}

/* ---- adjacencies */

static uint32_t adj_hash(int ifindex, const struct addr *a)
{
	return hash_bytes(a, sizeof(*a), (uint32_t)ifindex);
}

struct adj *adj_find(const struct state *s, int ifindex, const struct addr *a)
{
	struct table_node *n = table_find(&s->adjs, adj_hash(ifindex, a));

	for (; n; n = table_find_next(n)) {
		struct adj *x = table_entry(n, struct adj, node);

		if (x->ifindex == ifindex && addr_equal(&x->addr, a))
			return x;
	}
	return NULL;
}

void nh_fill_l2(struct nh *n, const struct dp_iface *f, const uint8_t to[6])
{
	uint16_t tag[2] = { htons(f->vlan_proto), htons(f->vid) };

	memcpy(n->l2, to, 6);
	memcpy(n->l2 + 6, f->mac, 6);
	if (f->vid)
		memcpy(n->l2 + 12, tag, 4);
	n->hlen = f->vid ? 18 : 14;
}

/* Put into the adjacency's slot what is known now. */
void adj_store(struct state *s, struct adj *a)
{
	const struct dp_iface *f = &s->config->iface[a->iface];
	struct nh *n = calloc(1, sizeof(*n));

	if (!n)
		return;
	n->type = f->port == IFACE_NONE || !f->up ? NH_DOWN : NH_ADJ;
	n->state = a->state;
	n->iface = a->iface;
	n->port = f->port;
	n->mtu = f->mtu;
	n->addr = a->addr;
	n->failures = a->failures;
	n->used = 1; /* until upkeep has looked once */
	nh_fill_l2(n, f, a->mac);
	slot_store(s, a->slot, n);
}

struct adj *adj_get(struct state *s, const struct link *l, const struct addr *addr)
{
	struct adj *a = adj_find(s, l->l.ifindex, addr);

	if (a || l->iface == IFACE_NONE)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->slot = slot_alloc(s);
	if (!a->slot) {
		free(a);
		return NULL;
	}
	a->iface = l->iface;
	a->ifindex = l->l.ifindex;
	a->addr = *addr;
	adj_store(s, a);
	table_add(&s->adjs, &a->node, adj_hash(a->ifindex, addr));
	neigh_add(s, a->slot);
	return a;
}

/* Free it if neither Linux nor a path needs it, and no answer about it is waited for. */
void adj_release(struct state *s, struct adj *a)
{
	if (a->refs || a->kernel || a->asking)
		return;
	neigh_remove(s, a->slot);
	slot_release(s, a->slot);
	table_del(&s->adjs, &a->node);
	free(a);
}

/* Linux keeps entries for groups it has joined; nothing is routed to them. */
static bool is_multicast(const struct addr *a)
{
	return a->family == AF_INET ? (a->bytes[0] & 0xf0) == 0xe0 : a->bytes[0] == 0xff;
}

/* Linux speaks about a neighbour. */
void adj_neigh(struct state *s, const struct netlink_neigh *n)
{
	const struct link *l = state_link(s, n->ifindex);
	struct adj *a;
	uint8_t state;

	if (!l || l->iface == IFACE_NONE || is_multicast(&n->ip))
		return;
	a = n->deleted ? adj_find(s, n->ifindex, &n->ip) : adj_get(s, l, &n->ip);
	if (!a)
		return;
	a->seen = true;
	a->kernel = !n->deleted;
	a->nud = n->deleted ? 0 : n->state;
	state = n->deleted			     ? NH_UNRESOLVED
		: n->state & NUD_KNOWN && n->has_mac ? NH_RESOLVED
		: n->state & NUD_FAILED		     ? NH_FAILED
						     : NH_UNRESOLVED;
	if (state == NH_FAILED)
		a->failures++;
	if (state != NH_UNRESOLVED)
		a->dead = state == NH_FAILED;
	if (n->deleted && a->has_mac)
		neigh_note_known(&s->nht, a->iface, &a->addr);
	if (n->deleted || state != NH_UNRESOLVED)
		adj_asked_end(s, a);
	/* While Linux asks again for one that failed, packets to it need not wait in vain. */
	if (state != a->state || state == NH_FAILED ||
	    (n->has_mac && memcmp(a->mac, n->mac, sizeof(a->mac)) != 0)) {
		a->state = state;
		if (n->has_mac) {
			memcpy(a->mac, n->mac, sizeof(a->mac));
			a->has_mac = true;
		}
		adj_store(s, a);
		paths_follow_adj(s, a);
		if (s->neigh_changed)
			s->neigh_changed(s->arg);
	}
	if (n->deleted)
		adj_release(s, a);
	else if (state == NH_FAILED)
		adj_failed(s, a);
}

/* The interface has gone: so have its neighbours. */
void adj_iface_gone(struct state *s, uint16_t iface)
{
	uint32_t b = 0;
	struct table_node *n = table_walk(&s->adjs, &b, NULL), *next;

	for (; n; n = next) {
		struct adj *a = table_entry(n, struct adj, node);

		next = table_walk(&s->adjs, &b, n);
		if (a->iface != iface)
			continue;
		a->kernel = false;
		a->state = NH_UNRESOLVED;
		adj_asked_end(s, a);
		adj_store(s, a);
		adj_release(s, a);
	}
}
