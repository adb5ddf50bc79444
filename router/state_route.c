/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's routes; see state.h. The FIBs made of them are in state_fib.c.
 *
 * Linux is not symmetric in what it tells. IPv4: a route is one message with all its next hops, a
 * replace names the one it replaces by metric and TOS, and routes that go because a link or a
 * source address went are not announced. IPv6: next hops of one metric are siblings; a new one is
 * announced with all of them, a deleted one alone, and a dump passes over the routes that lie
 * between siblings. This file is where that is made even. [control]
 */
#include "router/state.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* Local and main are asked one after the other: what the first look has fetched answers both. */
static uint32_t route_hash(uint32_t table, const struct prefix *p)
{
	return hash_bytes(p, sizeof(p->addr) + 1, table == TABLE_LOCAL ? TABLE_MAIN : table);
}

struct route *route_head(const struct state *s, uint32_t table, const struct prefix *p)
{
	struct table_node *n = table_find(&s->routes, route_hash(table, p));

	for (; n; n = table_find_next(n)) {
		struct route *r = table_entry(n, struct route, node);

		if (r->table == table && prefix_equal(&r->dst, p))
			return r;
	}
	return NULL;
}

/* ---- routes in and out */

/* Of table local most routes are for one address, which no route of main can be longer than. */
static bool is_odd_local(const struct route *r)
{
	bool loopback =
		r->dst.addr.family == AF_INET && r->dst.len == 8 && r->dst.addr.bytes[0] == 127;

	return r->table == TABLE_LOCAL &&
	       (r->type == RTN_THROW || (r->dst.len < addr_bits(&r->dst.addr) && !loopback));
}

/* An address of this host that no interface has: of all routers on a link (RFC 4291 2.6.1), which
 * Linux has where it says that it is one, or by a route of type local. */
static bool is_local_address(const struct route *r)
{
	return r->table == TABLE_LOCAL && r->dst.len == addr_bits(&r->dst.addr) &&
	       (r->type == RTN_ANYCAST || (r->type == RTN_LOCAL && r->protocol != RTPROT_KERNEL));
}

unsigned routes_local_addrs(const struct state *s, struct addr *out, unsigned max)
{
	unsigned n = 0;
	uint32_t b = 0;

	for (struct table_node *t = table_walk(&s->paths, &b, NULL); t;
	     t = table_walk(&s->paths, &b, t)) {
		const struct path *p = table_entry(t, struct path, node);
		bool maybe = p->type == RTN_ANYCAST || p->type == RTN_LOCAL;

		for (const struct route *r = maybe ? p->routes : NULL; r; r = r->next_on) {
			if (!is_local_address(r))
				continue;
			if (n < max)
				out[n] = r->dst.addr;
			n++;
		}
	}
	return n;
}

/* Routes that more hangs on than a lookup: whether two tables may be folded, or need none, shows in
 * lists of rules, and XDP leaves Linux what is for its addresses. */
static void count_special(struct state *s, const struct route *r, int by)
{
	bool six = r->dst.addr.family == AF_INET6;
	size_t *n = r->table == TABLE_DEFAULT ? &s->ndefault[six]
		    : is_odd_local(r)	      ? &s->local_odd[six]
					      : NULL;
	struct netlink_addr a = { .deleted = by < 0, .local = r->dst };

	if (s->addr_changed && is_local_address(r))
		s->addr_changed(s->arg, &a);
	if (!n)
		return;
	*n += (size_t)by;
	s->rules_dirty |= *n <= 1;
}

static void list_add(struct state *s, struct route *r)
{
	count_special(s, r, 1);
	r->serial = ++s->serial;
	r->prev_all = s->last;
	r->next_all = NULL;
	*(s->last ? &s->last->next_all : &s->first) = r;
	s->last = r;
	s->nroutes[r->dst.addr.family == AF_INET6]++;
}

static void list_del(struct state *s, struct route *r)
{
	count_special(s, r, -1);
	*(r->prev_all ? &r->prev_all->next_all : &s->first) = r->next_all;
	*(r->next_all ? &r->next_all->prev_all : &s->last) = r->prev_all;
	s->nroutes[r->dst.addr.family == AF_INET6]--;
	s->removals++;
}

/* Among equals: Linux tells in an event who comes first; in a dump they come in their order, before
 * those that this dump has not shown, which may be gone. */
enum chain_place { CHAIN_FIRST, CHAIN_LAST, CHAIN_AS_SEEN };

static bool goes_behind(const struct route *r, const struct route *other, enum chain_place place)
{
	if (other->metric != r->metric)
		return other->metric < r->metric;
	return place == CHAIN_LAST || (place == CHAIN_AS_SEEN && other->seen);
}

/* Into the chain of its prefix, by metric. */
static void chain_add(struct state *s, struct route *r, enum chain_place place)
{
	struct route *head = route_head(s, r->table, &r->dst), **at = &head;
	struct route *old = head;

	while (*at && goes_behind(r, *at, place))
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	if (head == old)
		return;
	if (old)
		table_del(&s->routes, &old->node);
	table_add(&s->routes, &head->node, route_hash(r->table, &r->dst));
}

static void chain_del(struct state *s, struct route *r)
{
	struct route *head = route_head(s, r->table, &r->dst);

	if (head == r) {
		table_del(&s->routes, &r->node);
		if (r->next)
			table_add(&s->routes, &r->next->node, r->node.hash);
		return;
	}
	while (head->next != r)
		head = head->next;
	head->next = r->next;
}

static void path_join(struct route *r, struct path *p)
{
	r->path = p;
	r->prev_on = NULL;
	r->next_on = p->routes;
	if (p->routes)
		p->routes->prev_on = r;
	p->routes = r;
	if (r->prefsrc && !p->prefsrc)
		p->prefsrc = r->prefsrc;
	p->other_prefsrcs |= r->prefsrc && r->prefsrc != p->prefsrc;
}

static void path_leave(struct route *r)
{
	*(r->prev_on ? &r->prev_on->next_on : &r->path->routes) = r->next_on;
	if (r->next_on)
		r->next_on->prev_on = r->prev_on;
}

static void route_remove(struct state *s, struct route *r)
{
	chain_del(s, r);
	list_del(s, r);
	fib_refresh(s, r->table, &r->dst);
	path_leave(r);
	path_put(s, r->path);
	free(r);
}

static void route_fill(struct route *r, const struct netlink_route *n)
{
	r->type = n->type;
	r->protocol = n->protocol;
	r->scope = n->scope;
	r->tos = n->tos;
	r->metric = n->metric;
	r->prefsrc = n->prefsrc.family == AF_INET ? n->prefsrc.v4 : 0;
	r->seen = true;
	r->dumped |= n->dumped;
}

static void route_insert(struct state *s, const struct netlink_route *n, struct path *path)
{
	struct route *r = calloc(1, sizeof(*r));

	if (!r) {
		path_put(s, path);
		return;
	}
	r->table = n->table;
	r->dst = n->dst;
	route_fill(r, n);
	path_join(r, path);
	chain_add(s, r,
		  s->syncing					? CHAIN_AS_SEEN
		  : n->append || n->dst.addr.family == AF_INET6 ? CHAIN_LAST
								: CHAIN_FIRST);
	list_add(s, r);
	fib_refresh(s, r->table, &r->dst);
}

/* The new path before the old one goes: the FIB never shows a gap. */
static void route_replace(struct state *s, struct route *r, const struct netlink_route *n,
			  struct path *path)
{
	struct path *old = r->path;

	if (s->syncing && !r->seen) { /* equals may have changed places while we did not listen */
		chain_del(s, r);
		chain_add(s, r, CHAIN_AS_SEEN);
	}
	path_leave(r);
	count_special(s, r, -1);
	route_fill(r, n);
	count_special(s, r, 1);
	path_join(r, path);
	fib_refresh(s, r->table, &r->dst);
	path_put(s, old);
}

/* IPv6: routes over gateways, of one metric, are one route with siblings, but for what routers
 * advertised. */
static bool is_sibling(uint8_t protocol, uint32_t nhid, const struct netlink_hop *first)
{
	return !nhid && first && first->via.family && protocol != RTPROT_RA;
}

static bool route_is_sibling(const struct route *r)
{
	return is_sibling(r->protocol, r->path->nhid,
			  r->path->nhops ? &r->path->hops[0].hop : NULL);
}

static bool event_is_sibling(const struct netlink_route *n)
{
	return is_sibling(n->protocol, n->nhid, n->nhops ? &n->hops[0] : NULL);
}

static bool same_class(const struct route *r, const struct netlink_route *n)
{
	return r->metric == n->metric && r->tos == n->tos;
}

/* The very same route, or NULL. Replacements can make twins in IPv6: a dump has them all. */
static struct route *match_exact(const struct state *s, const struct netlink_route *n)
{
	struct route *r = route_head(s, n->table, &n->dst);
	const struct path *path = path_find(s, n);
	uint32_t prefsrc = n->prefsrc.family == AF_INET ? n->prefsrc.v4 : 0;
	bool other_twin = n->dumped && n->dst.addr.family == AF_INET6;

	for (; r && path; r = r->next)
		if (same_class(r, n) && r->path == path && r->protocol == n->protocol &&
		    r->scope == n->scope && r->prefsrc == prefsrc && !(other_twin && r->dumped))
			return r;
	return NULL;
}

/* IPv4: a replacement takes the first of its class. */
static struct route *match4(const struct state *s, const struct netlink_route *n)
{
	struct route *r = n->replace ? route_head(s, n->table, &n->dst) : NULL;

	while (r && !same_class(r, n))
		r = r->next;
	return r;
}

/* IPv6: siblings are one route; a replacement takes the first that is as much a sibling as itself,
 * or else the first. */
static struct route *match6(const struct state *s, const struct netlink_route *n)
{
	struct route *r = route_head(s, n->table, &n->dst), *other = NULL;
	bool sibling = event_is_sibling(n);

	for (; r; r = r->next) {
		if (!same_class(r, n))
			continue;
		if (route_is_sibling(r) == sibling && (sibling || n->replace))
			return r;
		if (!other)
			other = r;
	}
	return n->replace ? other : NULL;
}

/* IPv6: an object that changes has its routes announced like replacements. Where that could be
 * either, only Linux can tell. */
static struct route *match_object(const struct state *s, const struct netlink_route *n)
{
	struct route *r = route_head(s, n->table, &n->dst), *first = match6(s, n);

	while (r && !(same_class(r, n) && r->path->nhid == n->nhid))
		r = r->next;
	if (r && r != first && s->nl)
		netlink_resync(s->nl);
	return r ? r : first;
}

/* The route an announcement is about, if it is one we know. What IPv6 replaces may be another than
 * the one that equals the new one. */
static struct route *route_match(const struct state *s, const struct netlink_route *n)
{
	bool six = n->dst.addr.family == AF_INET6;
	struct route *r = six && n->replace ? NULL : match_exact(s, n);

	if (r)
		return r;
	if (six && n->replace && n->nhid)
		return match_object(s, n);
	return six ? match6(s, n) : match4(s, n);
}

/* IPv6: a route over several siblings, which may lie apart in Linux's list of the prefix. */
static bool has_siblings(const struct route *r)
{
	return r->dst.addr.family == AF_INET6 && r->path->nhops > 1 && route_is_sibling(r);
}

/* When siblings go, a route of their metric may come before those left, or out of their shadow
 * from where no dump had shown it: only Linux can tell. Such routes are rare. */
static void siblings_go(const struct state *s, const struct route *r)
{
	const struct route *x = route_head(s, r->table, &r->dst);

	if (!has_siblings(r) || !s->nl)
		return;
	while (x && (x == r || x->metric != r->metric))
		x = x->next;
	if (x)
		netlink_resync(s->nl);
}

/* IPv6: take the hops named in n out of r. True: none is left. */
static bool hops_minus(const struct route *r, const struct netlink_route *n,
		       struct netlink_route *left)
{
	const struct path *p = r->path;

	*left = *n;
	left->deleted = false;
	left->mtu = p->mtu;
	left->type = p->type;
	left->protocol = r->protocol;
	left->scope = r->scope;
	left->nhops = 0;
	for (unsigned i = 0; i < p->nhops; i++) {
		bool gone = false;

		for (unsigned k = 0; k < n->nhops; k++)
			gone |= n->hops[k].ifindex == p->hops[i].hop.ifindex &&
				addr_equal(&n->hops[k].via, &p->hops[i].hop.via);
		if (!gone)
			left->hops[left->nhops++] = p->hops[i].hop;
	}
	return left->nhops == 0;
}

/* IPv6: the MTU of a route may follow its device's silently. */
static struct route *match_hops(const struct state *s, const struct netlink_route *n)
{
	struct netlink_route same = *n; /* but for the MTU */
	struct route *r = route_head(s, n->table, &n->dst);

	for (; r; r = r->next) {
		same.mtu = r->path->mtu;
		if (same_class(r, n) && r->path == path_find(s, &same))
			return r;
	}
	return NULL;
}

static void route_delete(struct state *s, const struct netlink_route *n)
{
	static struct netlink_route left; /* [control] only; large */
	struct route *r = match_exact(s, n);
	struct path *path;

	if (!r && n->dst.addr.family == AF_INET6)
		r = event_is_sibling(n) ? match6(s, n) : match_hops(s, n);
	if (!r)
		return;
	siblings_go(s, r);
	if (route_is_sibling(r) && n->dst.addr.family == AF_INET6 && !hops_minus(r, n, &left)) {
		path = path_get(s, &left);
		if (path) {
			route_replace(s, r, &left, path);
			return;
		}
	}
	route_remove(s, r);
}

void route_event(struct state *s, const struct netlink_route *n)
{
	struct path *path;
	struct route *r;

	if (n->type == RTN_MULTICAST || n->src.len || n->dst.addr.family == 0)
		return;
	if (n->deleted) {
		route_delete(s, n);
		return;
	}
	r = route_match(s, n);
	path = path_get(s, n);
	if (!path)
		return;
	if (r && n->replace)
		siblings_go(s, r);
	if (r)
		route_replace(s, r, n, path);
	else
		route_insert(s, n, path);
}

void route_follow(struct state *s, struct route *r, const struct netlink_route *n)
{
	struct path *path = path_get(s, n);

	if (path)
		route_replace(s, r, n, path);
}

/* ---- what Linux does without a word */

/* What is gone: the index of a link, the number of an object, or an address of a table. */
struct loss {
	uint32_t id, table;
};

/* Removes the routes that lead over a path that over() finds concerned, and are so themselves: a
 * link or an address concerns few of a million. */
static void remove_if(struct state *s, bool (*over)(const struct path *p, const struct loss *l),
		      bool (*concerned)(const struct route *r, const struct loss *l),
		      const struct loss *l)
{
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->paths, &b, NULL); n;) {
		struct path *p = table_entry(n, struct path, node);

		p->refs++; /* it outlives its routes, until we have left it */
		for (struct route *r = over(p, l) ? p->routes : NULL, *next; r; r = next) {
			next = r->next_on;
			if (concerned(r, l))
				route_remove(s, r);
		}
		n = table_walk(&s->paths, &b, n);
		path_put(s, p);
	}
}

static bool any_route(const struct route *r, const struct loss *l)
{
	(void)r;
	(void)l;
	return true;
}

/* IPv4 routes go when the last of their hops is dead; those of scope host lose no hop by a link
 * that is merely down. */
static bool all_hops_dead(const struct path *p, const struct loss *l)
{
	bool concerned = false;

	if (p->family != AF_INET || p->nhid)
		return false;
	for (unsigned i = 0; i < p->nhops; i++) {
		const struct netlink_hop *h = &p->hops[i].hop;

		if (!(h->flags & RTNH_F_DEAD))
			return false;
		concerned |= h->ifindex == (int)l->id;
	}
	return concerned;
}

static bool is_wider_than_host(const struct route *r, const struct loss *l)
{
	(void)l;
	return r->scope < RT_SCOPE_HOST;
}

static bool any_hop_on(const struct path *p, const struct loss *l)
{
	for (unsigned i = 0; p->family == AF_INET && !p->nhid && i < p->nhops; i++)
		if (p->hops[i].hop.ifindex == (int)l->id)
			return true;
	return false;
}

void routes_link_down(struct state *s, int ifindex)
{
	paths_mark_dead(s, ifindex, true, false);
	remove_if(s, all_hops_dead, is_wider_than_host, &(struct loss){ .id = (uint32_t)ifindex });
}

/* With its last IPv4 address, or its move between VRFs, a link ends all IPv4 over it. */
void routes_ip_off(struct state *s, int ifindex)
{
	paths_mark_dead(s, ifindex, true, true);
	remove_if(s, all_hops_dead, any_route, &(struct loss){ .id = (uint32_t)ifindex });
}

/* A device that is gone takes even those routes that have other hops. */
void routes_link_gone(struct state *s, int ifindex)
{
	remove_if(s, any_hop_on, any_route, &(struct loss){ .id = (uint32_t)ifindex });
}

static bool may_prefer(const struct path *p, const struct loss *l)
{
	return p->prefsrc == l->id || p->other_prefsrcs;
}

static bool prefers(const struct route *r, const struct loss *l)
{
	return r->prefsrc == l->id && r->table == l->table;
}

void routes_prefsrc_gone(struct state *s, uint32_t table, uint32_t addr)
{
	remove_if(s, may_prefer, prefers, &(struct loss){ .id = addr, .table = table });
}

static bool has_object(const struct path *p, const struct loss *l)
{
	return p->nhid == l->id;
}

void routes_object_gone(struct state *s, uint32_t nhid)
{
	remove_if(s, has_object, any_route, &(struct loss){ .id = nhid });
}

/* A dump goes from the first of some siblings on behind the last. */
static bool in_shadow(const struct state *s, const struct route *r)
{
	const struct route *x = route_head(s, r->table, &r->dst);

	while (x && !(x->seen && x->metric == r->metric && has_siblings(x)))
		x = x->next;
	return x && !route_is_sibling(r);
}

void routes_sweep(struct state *s)
{
	for (struct route *r = s->first, *next; r; r = next) {
		next = r->next_all;
		if (!r->seen && !in_shadow(s, r))
			route_remove(s, r);
	}
}

void routes_forget(struct state *s)
{
	while (s->first)
		route_remove(s, s->first);
}

const struct route *state_route_exact(const struct state *s, uint32_t table, const struct prefix *p)
{
	return route_head(s, table, p);
}
