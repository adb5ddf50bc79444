/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: where routes lead. All routes with the same next hops share one path and so one slot; a
 * path over one next hop holds a copy of its adjacency, one over several a group of slots.
 * [control]
 */
#include "router/state.h"

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* How one of its next hops is chosen: of routes over several of their own, the file may say. */
static uint8_t choice(const struct state *s, const struct netlink_route *r)
{
	return r->nhops > 1 && !r->nhid && s->route_hash ? s->route_hash(s->arg, r) : 0;
}

static uint32_t path_hash(const struct netlink_route *r)
{
	uint32_t h = hash_bytes(&r->mtu, sizeof(r->mtu), r->type ^ r->nhid << 8);

	h ^= r->dst.addr.family;
	if (r->nhid)
		return h;
	for (unsigned i = 0; i < r->nhops; i++) {
		const struct netlink_hop *hop = &r->hops[i];

		h = hash_bytes(&hop->via, sizeof(hop->via), h ^ (uint32_t)hop->ifindex);
		h = h * 31 + hop->weight;
	}
	return h;
}

static bool same_hop(const struct netlink_hop *a, const struct netlink_hop *b)
{
	return a->ifindex == b->ifindex && a->weight == b->weight && a->encap == b->encap &&
	       addr_equal(&a->via, &b->via);
}

struct path *path_find(const struct state *s, const struct netlink_route *r)
{
	struct table_node *n = table_find(&s->paths, path_hash(r));
	uint8_t hash = choice(s, r);

	for (; n; n = table_find_next(n)) {
		struct path *p = table_entry(n, struct path, node);
		bool same = p->type == r->type && p->mtu == r->mtu && p->nhid == r->nhid &&
			    p->family == r->dst.addr.family && p->hash == hash &&
			    p->truncated == r->truncated && p->is_default == !r->dst.len;

		if (same && r->nhid)
			return p;
		same = same && p->nhops == r->nhops;
		for (unsigned i = 0; same && i < r->nhops; i++)
			same = same_hop(&p->hops[i].hop, &r->hops[i]);
		if (same)
			return p;
	}
	return NULL;
}

/* ---- life */

/* Where the route has an MTU and there may be buckets. */
static void hold_own(struct state *s, const struct path *p, struct path_hop *h)
{
	struct nh *n;

	if (!p->mtu || (p->nhops < 2 && !p->nhid))
		return;
	n = nh_plain(NH_DOWN); /* a slot is never without content */
	h->own = n ? slot_alloc(s) : 0;
	if (h->own)
		slot_store(s, h->own, n);
	else
		free(n);
}

static void hold_adj(struct state *s, struct path_hop *h)
{
	const struct link *l = state_link(s, h->hop.ifindex);

	h->adj = l && h->hop.via.family ? adj_get(s, l, &h->hop.via) : NULL;
	if (!h->adj)
		return;
	h->adj->refs++;
	adj_manage(s, h->adj);
}

static void drop_adj(struct state *s, struct path_hop *h)
{
	struct adj *a = h->adj;

	h->adj = NULL;
	if (!a || --a->refs)
		return;
	adj_unmanage(s, a);
	adj_release(s, a);
}

static void drop_hop(struct state *s, struct path_hop *h)
{
	drop_adj(s, h);
	slot_release(s, h->own);
	h->own = 0;
}

/* The hops are the same, but a route may say anew which of them are dead. */
static void path_again(struct state *s, struct path *p, const struct netlink_route *r)
{
	bool other = false;

	p->refs++;
	for (unsigned i = 0; !r->nhid && i < p->nhops; i++) {
		other |= p->hops[i].hop.flags != r->hops[i].flags;
		p->hops[i].hop.flags = r->hops[i].flags;
	}
	if (other)
		path_store(s, p);
}

static void path_free(struct state *s, struct path *p)
{
	feasible_forget(s, p);
	for (unsigned i = 0; i < p->nhops; i++)
		drop_hop(s, &p->hops[i]);
	slot_release(s, p->slot);
	free(p);
}

struct path *path_get(struct state *s, const struct netlink_route *r)
{
	static struct netlink_hop from_object[NETLINK_HOPS_MAX]; /* [control] only */
	const struct netlink_hop *hops = r->nhid ? from_object : r->hops;
	unsigned n = r->nhid ? object_hops(s, r->nhid, from_object, NETLINK_HOPS_MAX) : r->nhops;
	struct path *p = path_find(s, r);

	if (p) {
		path_again(s, p, r);
		return p;
	}
	p = calloc(1, sizeof(*p) + (r->nhid ? NETLINK_HOPS_MAX : n) * sizeof(p->hops[0]));
	if (!p)
		return NULL;
	p->slot = slot_alloc(s);
	if (!p->slot) {
		free(p);
		return NULL;
	}
	p->type = r->type;
	p->family = r->dst.addr.family;
	p->is_default = !r->dst.len;
	p->mtu = r->mtu;
	p->nhid = r->nhid;
	p->hash = choice(s, r);
	p->truncated = r->truncated;
	p->nhops = n;
	p->refs = 1;
	for (unsigned i = 0; i < n; i++) {
		p->hops[i].hop = hops[i];
		hold_adj(s, &p->hops[i]);
		hold_own(s, p, &p->hops[i]);
	}
	path_store(s, p);
	if (!s->nht.slot[p->slot]) {
		path_free(s, p);
		return NULL;
	}
	table_add(&s->paths, &p->node, path_hash(r));
	return p;
}

void path_put(struct state *s, struct path *p)
{
	if (--p->refs)
		return;
	table_del(&s->paths, &p->node);
	path_free(s, p);
}

/* ---- what changed under a path */

void paths_follow_iface(struct state *s, int ifindex)
{
	const struct link *l = state_link(s, ifindex);
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);
		bool concerned = false;

		for (unsigned i = 0; i < p->nhops; i++) {
			if (p->hops[i].hop.ifindex != ifindex)
				continue;
			concerned = true;
			if (!l || l->iface == IFACE_NONE)
				drop_adj(s, &p->hops[i]); /* its number may be another's next */
			else if (!p->hops[i].adj)
				hold_adj(s, &p->hops[i]);
		}
		if (concerned)
			path_store(s, p);
	}
}

/* Linux flags hops when their device goes down, or IP on it is turned off (`forced`, which concerns
 * IPv4 and takes local routes, too), and unflags them when it comes back; it tells of neither. */
void paths_mark_dead(struct state *s, int ifindex, bool dead, bool forced)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);
		bool other = false;

		if (p->nhid || (forced ? p->family != AF_INET : p->type == RTN_LOCAL && dead))
			continue;
		for (unsigned i = 0; i < p->nhops; i++) {
			struct netlink_hop *h = &p->hops[i].hop;

			if (h->ifindex != ifindex || !(h->flags & RTNH_F_DEAD) == !dead)
				continue;
			h->flags ^= RTNH_F_DEAD;
			other = true;
		}
		if (other)
			path_store(s, p);
	}
}

/* What the file says of interfaces has changed. */
void paths_follow_broadcasts(struct state *s)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);

		if (p->type == RTN_BROADCAST && (s->nht.slot[p->slot]->state == NH_RESOLVED) !=
							(path_broadcast_iface(s, p) != NULL))
			path_store(s, p);
	}
}

void paths_follow_adj(struct state *s, const struct adj *a)
{
	uint32_t b = 0;

	if (!a->refs)
		return;
	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);

		for (unsigned i = 0; i < p->nhops; i++) {
			if (p->hops[i].adj == a) {
				path_store(s, p);
				break;
			}
		}
	}
}

static void follow_object(struct state *s, struct path *p)
{
	static struct netlink_hop hops[NETLINK_HOPS_MAX]; /* [control] only, as the next */
	static struct path_hop old[NETLINK_HOPS_MAX];
	unsigned nold = p->nhops;

	memcpy(old, p->hops, nold * sizeof(old[0]));
	p->nhops = object_hops(s, p->nhid, hops, NETLINK_HOPS_MAX);
	for (unsigned i = 0; i < p->nhops; i++) {
		p->hops[i] = (struct path_hop){ .hop = hops[i] };
		hold_adj(s, &p->hops[i]);
		hold_own(s, p, &p->hops[i]);
	}
	path_store(s, p);
	for (unsigned i = 0; i < nold; i++)
		drop_hop(s, &old[i]);
}

/* A nexthop object has changed: paths over it, or over a group it is in, look their hops up. */
void paths_follow_object(struct state *s, uint32_t nhid)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);

		if (p->nhid && object_concerns(s, p->nhid, nhid))
			follow_object(s, p);
	}
}

/* Its buckets have other owners. */
void paths_follow_buckets(struct state *s, uint32_t nhid)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);

		if (p->nhid == nhid)
			path_store(s, p);
	}
}

/* Routes find the paths that are now their own. */
void state_hash_again(struct state *s, uint32_t table, const struct prefix *dst)
{
	static struct netlink_route again; /* [control] only; large */

	for (struct route *r = route_head(s, table, dst); r; r = r->next) {
		const struct path *p = r->path;

		if (p->nhops < 2 || p->nhid)
			continue;
		memset(&again, 0, offsetof(struct netlink_route, hops));
		again.dst = r->dst;
		again.table = r->table;
		again.metric = r->metric;
		again.type = r->type;
		again.protocol = r->protocol;
		again.scope = r->scope;
		again.tos = r->tos;
		again.mtu = p->mtu;
		again.truncated = p->truncated;
		if (r->prefsrc)
			again.prefsrc = addr_v4(r->prefsrc);
		again.nhops = p->nhops;
		for (unsigned i = 0; i < p->nhops; i++)
			again.hops[i] = p->hops[i].hop;
		if (choice(s, &again) != p->hash)
			route_follow(s, r, &again);
	}
}
