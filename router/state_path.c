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

#include "router/lib/clock.h"

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

/* ---- from hops to a slot's content */

static bool link_usable(const struct state *s, const struct link *l)
{
	return l && l->iface != IFACE_NONE && s->config->iface[l->iface].up;
}

static struct nh *nh_plain(enum nh_type type)
{
	struct nh *n = calloc(1, sizeof(*n));

	if (n)
		n->type = (uint8_t)type;
	return n;
}

/* All but `used`, which workers write. Nobody asks for a path's: gateways are kept fresh anyway. */
static void nh_copy(struct nh *to, const struct nh *from)
{
	memcpy(to, from, offsetof(struct nh, used));
	to->used = 1;
	memcpy(&to->iface, &from->iface, sizeof(*from) - offsetof(struct nh, iface));
}

/* One hop: a copy of its adjacency, or the interface's glean entry. */
static struct nh *nh_single(const struct state *s, const struct path *p, const struct path_hop *h)
{
	const struct link *l = state_link(s, h->hop.ifindex);
	struct nh *n;

	if (!l || l->iface == IFACE_NONE || h->hop.encap)
		return nh_plain(NH_FOREIGN);
	if (!link_usable(s, l))
		return nh_plain(NH_DOWN);
	if (h->hop.via.family && !h->adj)
		return nh_plain(NH_DOWN);
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	nh_copy(n, s->nht.slot[h->hop.via.family ? h->adj->slot : s->glean[l->iface]]);
	if (p->mtu && p->mtu < n->mtu)
		n->mtu = (uint16_t)p->mtu;
	return n;
}

/* Can packets go there, or at least try to? */
static bool may_serve(const struct state *s, const struct netlink_hop *h, const struct adj *a)
{
	return link_usable(s, state_link(s, h->ifindex)) && !h->encap &&
	       !(h->flags & RTNH_F_DEAD) && !(a && a->dead);
}

/* The same of a next hop that is in no path. */
bool hop_serves(const struct state *s, const struct netlink_hop *h)
{
	return may_serve(s, h, h->via.family ? adj_find(s, h->ifindex, &h->via) : NULL);
}

static bool hop_usable(const struct state *s, const struct path_hop *h)
{
	if (!may_serve(s, &h->hop, h->adj))
		return false;
	return h->hop.via.family ? h->adj != NULL
				 : s->glean[state_link(s, h->hop.ifindex)->iface] != 0;
}

static uint32_t hop_slot(const struct state *s, const struct path_hop *h)
{
	return h->hop.via.family ? h->adj->slot : s->glean[state_link(s, h->hop.ifindex)->iface];
}

static struct nh *nh_empty_group(unsigned buckets)
{
	struct nh *n = calloc(1, sizeof(*n) + buckets * sizeof(n->bucket[0]));

	if (!n)
		return NULL;
	n->type = NH_GROUP;
	n->nbuckets = (uint16_t)buckets;
	return n;
}

/* None is usable. Who asks a neighbour that does not answer hears that; from a link that is not
 * ours nobody hears anything. */
static const struct path_hop *least_bad(const struct state *s, const struct path *p)
{
	const struct path_hop *down = NULL;

	for (unsigned i = 0; i < p->nhops; i++) {
		const struct link *l = state_link(s, p->hops[i].hop.ifindex);
		bool ours = l && l->iface != IFACE_NONE && !p->hops[i].hop.encap;

		if (ours && link_usable(s, l) && p->hops[i].adj)
			return &p->hops[i];
		if (ours && !down)
			down = &p->hops[i];
	}
	return down ? down : &p->hops[0];
}

/* Buckets in proportion to the weights, each next hop's together: a flow's hash picks one. */
static struct nh *nh_group(const struct state *s, const struct path *p)
{
	uint32_t weight[NETLINK_HOPS_MAX], slot[NETLINK_HOPS_MAX], count[NETLINK_HOPS_MAX];
	unsigned usable = 0, buckets, at = 0;
	struct nh *n;

	for (unsigned i = 0; i < p->nhops; i++) {
		if (!hop_usable(s, &p->hops[i]))
			continue;
		weight[usable] = p->hops[i].hop.weight;
		slot[usable++] = hop_slot(s, &p->hops[i]);
	}
	if (!usable)
		return nh_single(s, p, least_bad(s, p));
	buckets = nh_buckets(weight, usable);
	n = nh_empty_group(buckets);
	if (!n)
		return NULL;
	n->hash = p->hash;
	nh_deal(weight, usable, buckets, count);
	for (unsigned i = 0; i < usable; i++)
		while (count[i]--)
			n->bucket[at++] = slot[i];
	return n;
}

/* As the object has its buckets. */
static struct nh *nh_resilient(struct state *s, const struct path *p, struct nexthop_object *o)
{
	uint32_t slot[NETLINK_HOPS_MAX] = { 0 }, usable = 0, at;
	struct nh *n;

	resilient_balance(s, o, clock_now());
	for (unsigned i = 0; i < p->nhops; i++) {
		if (hop_usable(s, &p->hops[i]))
			usable = slot[i] = hop_slot(s, &p->hops[i]);
	}
	if (!usable)
		return p->nhops ? nh_single(s, p, least_bad(s, p)) : nh_plain(NH_BLACKHOLE);
	n = nh_empty_group(o->res->nbuckets);
	if (!n)
		return NULL;
	n->busy = o->res->busy;
	for (unsigned b = 0; b < o->res->nbuckets; b++) {
		for (at = 0; at < p->nhops && p->hops[at].hop.nhid != o->res->owner[b];)
			at++;
		n->bucket[b] = at < p->nhops && slot[at] ? slot[at] : usable;
	}
	return n;
}

/* Where a broadcast from elsewhere goes out. Nowhere (RFC 2644), unless the file says so of its
 * interface. */
static const struct dp_iface *broadcast_iface(const struct state *s, const struct path *p)
{
	const struct link *l = p->nhops ? state_link(s, p->hops[0].hop.ifindex) : NULL;

	return link_usable(s, l) && s->config->iface[l->iface].directed_broadcast
		       ? &s->config->iface[l->iface]
		       : NULL;
}

static struct nh *nh_broadcast(const struct state *s, const struct path *p)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct dp_iface *f = broadcast_iface(s, p);
	struct nh *n = nh_plain(NH_BROADCAST);

	if (!n || !f)
		return n;
	n->state = NH_RESOLVED;
	n->iface = (uint16_t)(f - s->config->iface);
	n->port = f->port;
	n->mtu = f->mtu;
	n->used = 1;
	nh_fill_l2(n, f, all);
	return n;
}

static struct nh *path_nh(struct state *s, const struct path *p)
{
	struct nexthop_object *o;

	switch (p->type) {
	case RTN_LOCAL:
	case RTN_ANYCAST: return nh_plain(NH_LOCAL);
	case RTN_BROADCAST: return nh_broadcast(s, p);
	case RTN_BLACKHOLE: return nh_plain(NH_BLACKHOLE);
	case RTN_UNREACHABLE: return nh_plain(NH_UNREACHABLE);
	case RTN_PROHIBIT: return nh_plain(NH_PROHIBIT);
	case RTN_THROW: return nh_plain(NH_THROW);
	case RTN_UNICAST: break;
	default: return nh_plain(NH_FOREIGN);
	}
	o = p->nhid ? object_find(s, p->nhid) : NULL;
	if (o && o->res)
		return nh_resilient(s, p, o);
	if (p->nhops == 0)
		return nh_plain(p->nhid ? NH_BLACKHOLE : NH_FOREIGN);
	return p->nhops == 1 ? nh_single(s, p, &p->hops[0]) : nh_group(s, p);
}

/* Dead hops, too: as in Linux, rp-filter asks where a route may lead. */
void path_reach(const struct state *s, const struct path *p, uint64_t set[NH_REACH_WORDS])
{
	for (unsigned i = 0; i < p->nhops; i++) {
		const struct link *l = state_link(s, p->hops[i].hop.ifindex);

		if (l && l->iface != IFACE_NONE)
			set[l->iface / 64] |= 1ull << (l->iface % 64);
	}
}

struct nh *nh_with_reach(struct nh *n, const struct nh_reach *r)
{
	size_t at = nh_reach_at(n);
	struct nh *more = realloc(n, at + sizeof(*r));

	if (!more) {
		free(n);
		return NULL;
	}
	memcpy((uint8_t *)more + at, r, sizeof(*r));
	more->has_reach = true;
	return more;
}

/* What stands in the slot of a path. */
static struct nh *path_content(struct state *s, const struct path *p)
{
	struct nh_reach r = { 0 };
	struct nh *n = path_nh(s, p);

	if (!n)
		return NULL;
	n->is_default = p->is_default;
	if (p->nhops <= 1 && n->type != NH_GROUP)
		return n;
	path_reach(s, p, r.best);
	memcpy(r.feasible, r.best, sizeof(r.best));
	return nh_with_reach(n, &r);
}

void path_store(struct state *s, struct path *p)
{
	struct nh *n = path_content(s, p);

	if (!n)
		return;
	slot_store(s, p->slot, n);
	feasible_follow(s, p);
}

/* ---- life */

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
		drop_adj(s, &p->hops[i]);
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

		if (p->type == RTN_BROADCAST &&
		    (s->nht.slot[p->slot]->state == NH_RESOLVED) != (broadcast_iface(s, p) != NULL))
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
	}
	path_store(s, p);
	for (unsigned i = 0; i < nold; i++)
		drop_adj(s, &old[i]);
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

/* Told once more, a route finds the path that is now its own. */
void state_hash_again(struct state *s, uint32_t table, const struct prefix *dst)
{
	static struct netlink_route again; /* [control] only; large */
	const struct route *r = state_route_exact(s, table, dst);

	for (; r; r = r->next) {
		const struct path *p = r->path;

		if (p->nhops < 2 || p->nhid)
			continue;
		memset(&again, 0, offsetof(struct netlink_route, hops));
		again.replace = true;
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
		if (choice(s, &again) == p->hash)
			continue;
		route_event(s, &again); /* changes the list */
		return;
	}
}
