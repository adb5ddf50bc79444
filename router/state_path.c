/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: where routes lead. All routes with the same next hops share one path and so one slot; a
 * path over one next hop holds a copy of its adjacency, one over several a group of slots.
 * [control]
 */
#include "router/state.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_PER_WEIGHT 16

static uint32_t path_hash(uint8_t type, uint32_t mtu, uint32_t nhid, const struct netlink_hop *hops,
			  unsigned n)
{
	uint32_t h = hash_bytes(&mtu, sizeof(mtu), type ^ nhid << 8);

	if (nhid)
		return h;
	for (unsigned i = 0; i < n; i++) {
		h = hash_bytes(&hops[i].via, sizeof(hops[i].via), h ^ (uint32_t)hops[i].ifindex);
		h = h * 31 + hops[i].weight;
	}
	return h;
}

static bool same_hop(const struct netlink_hop *a, const struct netlink_hop *b)
{
	return a->ifindex == b->ifindex && a->weight == b->weight && a->encap == b->encap &&
	       addr_equal(&a->via, &b->via);
}

static struct path *path_find(const struct state *s, uint32_t hash, const struct netlink_route *r)
{
	for (struct table_node *n = table_find(&s->paths, hash); n; n = table_find_next(n)) {
		struct path *p = table_entry(n, struct path, node);
		bool same = p->type == r->type && p->mtu == r->mtu && p->nhid == r->nhid;

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
	*n = *s->nht.slot[h->hop.via.family ? h->adj->slot : s->glean[l->iface]];
	if (p->mtu && p->mtu < n->mtu)
		n->mtu = (uint16_t)p->mtu;
	return n;
}

static bool hop_usable(const struct state *s, const struct path_hop *h)
{
	const struct link *l = state_link(s, h->hop.ifindex);

	/* Not asked: RTNH_F_DEAD. It was so when Linux last spoke of the route; when the link comes
	 * up Linux clears it without a word. */
	if (!link_usable(s, l) || h->hop.encap)
		return false;
	return h->hop.via.family ? h->adj != NULL && h->adj->state != NH_FAILED
				 : s->glean[l->iface] != 0;
}

static uint32_t hop_slot(const struct state *s, const struct path_hop *h)
{
	return h->hop.via.family ? h->adj->slot : s->glean[state_link(s, h->hop.ifindex)->iface];
}

/* Buckets in proportion to the weights, each next hop's together: a flow's hash picks one. */
static struct nh *nh_group(const struct state *s, const struct path *p)
{
	uint64_t total = 0, upto = 0;
	unsigned buckets, at = 0;
	struct nh *n;

	for (unsigned i = 0; i < p->nhops; i++)
		if (hop_usable(s, &p->hops[i]))
			total += p->hops[i].hop.weight;
	if (!total)
		return nh_single(s, p, &p->hops[0]);
	buckets = total * BUCKETS_PER_WEIGHT < NH_BUCKETS ? (unsigned)total * BUCKETS_PER_WEIGHT
							  : NH_BUCKETS;
	n = calloc(1, sizeof(*n) + buckets * sizeof(n->bucket[0]));
	if (!n)
		return NULL;
	n->type = NH_GROUP;
	n->nbuckets = (uint16_t)buckets;
	for (unsigned i = 0; i < p->nhops; i++) {
		if (!hop_usable(s, &p->hops[i]))
			continue;
		upto += p->hops[i].hop.weight;
		while (at < buckets && at < (upto * buckets + total / 2) / total)
			n->bucket[at++] = hop_slot(s, &p->hops[i]);
	}
	return n;
}

static struct nh *path_nh(const struct state *s, const struct path *p)
{
	switch (p->type) {
	case RTN_LOCAL:
	case RTN_ANYCAST: return nh_plain(NH_LOCAL);
	case RTN_BROADCAST: return nh_plain(NH_BROADCAST);
	case RTN_BLACKHOLE: return nh_plain(NH_BLACKHOLE);
	case RTN_UNREACHABLE: return nh_plain(NH_UNREACHABLE);
	case RTN_PROHIBIT: return nh_plain(NH_PROHIBIT);
	case RTN_THROW: return nh_plain(NH_THROW);
	case RTN_UNICAST: break;
	default: return nh_plain(NH_FOREIGN);
	}
	if (p->nhops == 0)
		return nh_plain(p->nhid ? NH_BLACKHOLE : NH_FOREIGN);
	return p->nhops == 1 ? nh_single(s, p, &p->hops[0]) : nh_group(s, p);
}

void path_store(struct state *s, struct path *p)
{
	struct nh *n = path_nh(s, p);

	if (n)
		slot_store(s, p->slot, n);
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

/* The hops a nexthop object stands for now: its own, or those of its members. */
static unsigned object_hops(const struct state *s, uint32_t id, struct netlink_hop *out,
			    unsigned max)
{
	struct table_node *n = table_find(&s->objects, id);
	const struct netlink_nexthop *o =
		n ? &table_entry(n, struct nexthop_object, node)->n : NULL;
	unsigned count = 0;

	if (!o || o->blackhole || o->fdb)
		return 0;
	if (!o->nmembers) {
		out[0] = o->hop;
		out[0].weight = 1;
		return 1;
	}
	for (unsigned i = 0; i < o->nmembers && count < max; i++) {
		struct table_node *m = table_find(&s->objects, o->members[i].id);
		const struct netlink_nexthop *one =
			m ? &table_entry(m, struct nexthop_object, node)->n : NULL;

		if (!one || one->nmembers || one->blackhole) /* groups do not nest */
			continue;
		out[count] = one->hop;
		out[count++].weight = o->members[i].weight;
	}
	return count;
}

struct path *path_get(struct state *s, const struct netlink_route *r)
{
	uint32_t hash = path_hash(r->type, r->mtu, r->nhid, r->hops, r->nhops);
	struct path *p = path_find(s, hash, r);
	static struct netlink_hop from_object[NETLINK_HOPS_MAX]; /* [control] only */
	const struct netlink_hop *hops = r->hops;
	unsigned n = r->nhops, room;

	if (p) {
		p->refs++;
		return p;
	}
	if (r->nhid) {
		n = object_hops(s, r->nhid, from_object, NETLINK_HOPS_MAX);
		hops = from_object;
	}
	room = r->nhid ? NETLINK_HOPS_MAX : n;
	p = calloc(1, sizeof(*p) + room * sizeof(p->hops[0]));
	if (!p)
		return NULL;
	p->slot = slot_alloc(s);
	if (!p->slot) {
		free(p);
		return NULL;
	}
	p->type = r->type;
	p->mtu = r->mtu;
	p->nhid = r->nhid;
	p->nhops = n;
	p->refs = 1;
	for (unsigned i = 0; i < n; i++) {
		p->hops[i].hop = hops[i];
		hold_adj(s, &p->hops[i]);
	}
	path_store(s, p);
	if (!s->nht.slot[p->slot]) {
		p->refs = 0;
		free(p);
		return NULL;
	}
	table_add(&s->paths, &p->node, hash);
	return p;
}

void path_put(struct state *s, struct path *p)
{
	if (--p->refs)
		return;
	for (unsigned i = 0; i < p->nhops; i++)
		drop_adj(s, &p->hops[i]);
	slot_release(s, p->slot);
	table_del(&s->paths, &p->node);
	free(p);
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

/* A nexthop object, or a member of it, has changed: every path by id looks its hops up again. */
void paths_follow_object(struct state *s, uint32_t nhid)
{
	static struct netlink_hop hops[NETLINK_HOPS_MAX];
	uint32_t b = 0;

	(void)nhid; /* members may be shared by many groups: ask all, objects are few */
	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;
	     n = table_walk(&s->paths, &b, n)) {
		struct path *p = table_entry(n, struct path, node);
		struct path_hop old[NETLINK_HOPS_MAX];
		unsigned nold = p->nhops;

		if (!p->nhid)
			continue;
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
}

/* ---- what Linux does without a word */

static void objects_remove(struct state *s)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->objects, &b, NULL), *next; n; n = next) {
		struct nexthop_object *o = table_entry(n, struct nexthop_object, node);

		next = table_walk(&s->objects, &b, n);
		if (!o->n.deleted)
			continue;
		routes_object_gone(s, o->n.id);
		table_del(&s->objects, n);
		free(o);
	}
	paths_follow_object(s, 0);
}

/* Take members that are gone out of a group; an empty group goes too. */
static void group_shrink(const struct state *s, struct netlink_nexthop *g)
{
	unsigned left = 0;

	for (unsigned i = 0; i < g->nmembers; i++) {
		const struct table_node *m = table_find(&s->objects, g->members[i].id);

		if (!m || !table_entry(m, struct nexthop_object, node)->n.deleted)
			g->members[left++] = g->members[i];
	}
	g->deleted = g->nmembers && !left;
	g->nmembers = left;
}

/* Linux forgets the nexthop objects on a link that is down or has lost its carrier. */
void objects_link_down(struct state *s, int ifindex)
{
	bool any = false;
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->objects, &b, NULL); n;
	     n = table_walk(&s->objects, &b, n)) {
		struct netlink_nexthop *o = &table_entry(n, struct nexthop_object, node)->n;

		o->deleted = !o->nmembers && !o->blackhole && o->hop.ifindex == ifindex;
		any |= o->deleted;
	}
	if (!any)
		return;
	b = 0;
	for (struct table_node *n = table_walk(&s->objects, &b, NULL); n;
	     n = table_walk(&s->objects, &b, n)) {
		struct netlink_nexthop *o = &table_entry(n, struct nexthop_object, node)->n;

		if (o->nmembers)
			group_shrink(s, o);
	}
	objects_remove(s);
}
