/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's nexthop objects: what routes with an `nhid` lead over. A path by id copies the hops its
 * object stands for, and looks them up again when the object or a member of it changes.
 *
 * Linux removes objects without a word when their device goes down, loses its carrier or goes
 * away. They leave their groups, a group left empty goes too, and so do all routes over what went:
 * the same is done here. [control]
 */
#include "router/state.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

struct nexthop_object *object_find(const struct state *s, uint32_t id)
{
	struct table_node *n = table_find(&s->objects, id);

	return n ? table_entry(n, struct nexthop_object, node) : NULL;
}

/* Whether a link is up is asked of the link: Linux would have removed the object. */
static struct netlink_hop object_hop(const struct netlink_nexthop *n, uint32_t weight)
{
	struct netlink_hop h = n->hop;

	h.flags &= (uint8_t)~RTNH_F_DEAD;
	h.weight = weight;
	h.nhid = n->id;
	return h;
}

/* The next hop that a group's member i is. False: it is none. Groups do not nest. */
bool object_member(const struct state *s, const struct nexthop_object *g, unsigned i,
		   struct netlink_hop *out)
{
	const struct nexthop_object *m = object_find(s, g->n.members[i].id);

	if (!m || m->n.nmembers || m->n.blackhole || m->n.fdb)
		return false;
	*out = object_hop(&m->n, g->n.members[i].weight);
	return true;
}

unsigned object_hops(const struct state *s, uint32_t id, struct netlink_hop *out, unsigned max)
{
	const struct nexthop_object *o = object_find(s, id);
	unsigned count = 0;

	if (!o || o->n.blackhole || o->n.fdb)
		return 0;
	if (!o->n.nmembers) {
		out[0] = object_hop(&o->n, 1);
		return 1;
	}
	for (unsigned i = 0; i < o->n.nmembers && count < max; i++)
		count += object_member(s, o, i, &out[count]);
	return count;
}

/* Of a group that is not resilient, as state_hop.c deals them. */
static unsigned plain_buckets(const struct state *s, const struct nexthop_object *o,
			      uint32_t *count)
{
	uint32_t weight[NETLINK_HOPS_MAX], dealt[NETLINK_HOPS_MAX];
	unsigned member[NETLINK_HOPS_MAX], n = 0, buckets;
	struct netlink_hop h;

	for (unsigned i = 0; i < o->n.nmembers; i++) {
		if (!object_member(s, o, i, &h) || !hop_serves(s, &h))
			continue;
		member[n] = i;
		weight[n++] = h.weight;
	}
	if (!n)
		return 0;
	buckets = nh_buckets(weight, n);
	nh_deal(weight, n, buckets, dealt);
	for (unsigned i = 0; i < n; i++)
		count[member[i]] = dealt[i];
	return buckets;
}

unsigned object_buckets(const struct state *s, const struct nexthop_object *o, uint32_t *count)
{
	memset(count, 0, o->n.nmembers * sizeof(count[0]));
	if (!o->res)
		return plain_buckets(s, o, count);
	for (unsigned b = 0; b < o->res->nbuckets; b++)
		for (unsigned i = 0; i < o->n.nmembers; i++)
			count[i] += o->n.members[i].id == o->res->owner[b];
	return o->res->nbuckets;
}

bool object_concerns(const struct state *s, uint32_t id, uint32_t changed)
{
	const struct nexthop_object *o = object_find(s, id);

	for (unsigned i = 0; o && i < o->n.nmembers; i++)
		if (o->n.members[i].id == changed)
			return true;
	return id == changed;
}

/* Take a member out of a group, if it is in there. */
static bool group_leave(struct netlink_nexthop *g, uint32_t id)
{
	unsigned left = 0, had = g->nmembers;

	for (unsigned i = 0; i < had; i++)
		if (g->members[i].id != id)
			g->members[left++] = g->members[i];
	g->nmembers = left;
	return left < had;
}

static void object_remove(struct state *s, struct nexthop_object *o);

/* A member has gone from all groups; the groups it leaves empty go, too. Groups do not nest: this
 * is one level deep. */
static void groups_leave(struct state *s, uint32_t id)
{
	struct table_node *n;
	uint32_t b = 0;

	for (n = table_walk(&s->objects, &b, NULL); n; n = table_walk(&s->objects, &b, n)) {
		struct nexthop_object *g = table_entry(n, struct nexthop_object, node);

		if (group_leave(&g->n, id) && g->n.nmembers)
			paths_follow_object(s, g->n.id);
		g->empty = g->is_group && !g->n.nmembers;
	}
	b = 0;
	for (n = table_walk(&s->objects, &b, NULL); n;) {
		struct nexthop_object *g = table_entry(n, struct nexthop_object, node);

		n = table_walk(&s->objects, &b, n);
		if (g->empty)
			object_remove(s, g);
	}
}

static void object_remove(struct state *s, struct nexthop_object *o)
{
	uint32_t id = o->n.id;
	bool is_group = o->is_group;

	routes_object_gone(s, id);
	table_del(&s->objects, &o->node);
	resilient_free(s, o);
	free(o);
	if (!is_group)
		groups_leave(s, id);
}

static bool same_object(const struct netlink_nexthop *a, const struct netlink_nexthop *b)
{
	return a->blackhole == b->blackhole && a->fdb == b->fdb && a->encap == b->encap &&
	       a->resilient == b->resilient && a->buckets == b->buckets &&
	       a->nmembers == b->nmembers && a->hop.ifindex == b->hop.ifindex &&
	       addr_equal(&a->hop.via, &b->hop.via) &&
	       !memcmp(a->members, b->members, a->nmembers * sizeof(a->members[0]));
}

void object_event(struct state *s, const struct netlink_nexthop *n)
{
	struct nexthop_object *o = object_find(s, n->id);
	bool same;

	if (n->deleted) {
		if (o)
			object_remove(s, o);
		return;
	}
	same = o && same_object(&o->n, n);
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return;
		table_add(&s->objects, &o->node, n->id);
	}
	o->n = *n;
	o->is_group = n->nmembers;
	o->seen = true;
	resilient_update(s, o);
	if (!same)
		paths_follow_object(s, n->id);
}

/* The first object for which gone() holds, until there is none. */
static void remove_where(struct state *s, bool (*gone)(const struct nexthop_object *o, int ifindex),
			 int ifindex)
{
	struct table_node *n;

	do {
		uint32_t b = 0;

		n = table_walk(&s->objects, &b, NULL);
		while (n && !gone(table_entry(n, struct nexthop_object, node), ifindex))
			n = table_walk(&s->objects, &b, n);
		if (n)
			object_remove(s, table_entry(n, struct nexthop_object, node));
	} while (n);
}

static bool is_over(const struct nexthop_object *o, int ifindex)
{
	return !o->is_group && !o->n.blackhole && o->n.hop.ifindex == ifindex;
}

/* As Linux asks before it keeps a nexthop object. RUNNING alone may lag the carrier by a second. */
bool link_has_carrier(const struct link *l)
{
	return l->l.flags & IFF_UP && l->l.flags & (IFF_RUNNING | IFF_LOWER_UP);
}

void objects_link_down(struct state *s, int ifindex)
{
	remove_where(s, is_over, ifindex);
}

static bool is_unseen(const struct nexthop_object *o, int ifindex)
{
	(void)ifindex;
	return !o->seen;
}

void objects_sweep(struct state *s)
{
	remove_where(s, is_unseen, 0);
}

void objects_sync_begin(struct state *s)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->objects, &b, NULL); n;
	     n = table_walk(&s->objects, &b, n))
		table_entry(n, struct nexthop_object, node)->seen = false;
}

void objects_forget(struct state *s)
{
	objects_sync_begin(s);
	objects_sweep(s);
}
