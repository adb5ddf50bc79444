/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a path's next hops to what its slot holds: a copy of one adjacency, or a group whose buckets
 * are slots of those that can be used. Called whenever one of them may have changed. [control]
 */
#include "router/state.h"

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"

static bool link_usable(const struct state *s, const struct link *l)
{
	return l && l->iface != IFACE_NONE && s->config->iface[l->iface].up;
}

struct nh *nh_plain(enum nh_type type)
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
	if (h->own)
		return h->own;
	return h->hop.via.family ? h->adj->slot : s->glean[state_link(s, h->hop.ifindex)->iface];
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

static struct nh *nh_empty_group(unsigned buckets)
{
	struct nh *n = calloc(1, sizeof(*n) + buckets * sizeof(n->bucket[0]));

	if (!n)
		return NULL;
	n->type = NH_GROUP;
	n->nbuckets = (uint16_t)buckets;
	return n;
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
static struct nh *nh_resilient(const struct state *s, const struct path *p,
			       const struct nexthop_object *o)
{
	uint32_t slot[NETLINK_HOPS_MAX] = { 0 }, usable = 0, at;
	struct nh *n;

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
const struct dp_iface *path_broadcast_iface(const struct state *s, const struct path *p)
{
	const struct link *l = p->nhops ? state_link(s, p->hops[0].hop.ifindex) : NULL;

	return link_usable(s, l) && s->config->iface[l->iface].directed_broadcast
		       ? &s->config->iface[l->iface]
		       : NULL;
}

static struct nh *nh_broadcast(const struct state *s, const struct path *p)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct dp_iface *f = path_broadcast_iface(s, p);
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

static struct nh *path_nh(const struct state *s, const struct path *p)
{
	const struct nexthop_object *o;

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
static struct nh *path_content(const struct state *s, const struct path *p)
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

/* A bucket holds the slot of an adjacency, which knows nothing of the route's MTU. */
static void store_own(struct state *s, struct path *p)
{
	for (unsigned i = 0; i < p->nhops; i++) {
		struct nh *n = p->hops[i].own ? nh_single(s, p, &p->hops[i]) : NULL;

		if (n)
			slot_store(s, p->hops[i].own, n);
	}
}

static void store(struct state *s, struct path *p)
{
	struct nh *n;

	store_own(s, p);
	n = path_content(s, p);
	if (!n)
		return;
	slot_store(s, p->slot, n);
	feasible_follow(s, p);
}

/* Buckets that have another owner now have it for all paths over the group. (Those find it in
 * balance: it is over after one level.) */
void path_store(struct state *s, struct path *p)
{
	struct nexthop_object *o = p->nhid ? object_find(s, p->nhid) : NULL;
	bool moved = o && o->res && resilient_balance(s, o, clock_now());

	store(s, p);
	if (moved)
		paths_follow_buckets(s, p->nhid);
}
