/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, addresses and publication; see state.h. [control] */
#include "router/state.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "router/lib/log.h"
#include "router/lib/rcu.h"

#define FIB_BYTES (256ul << 20) /* virtual, each family; the full table takes a tenth */

struct link *state_link(const struct state *s, int ifindex)
{
	struct link *l = s->links;

	while (l && l->l.ifindex != ifindex)
		l = l->next;
	return l;
}

struct link *state_link_named(const struct state *s, const char *name)
{
	struct link *l = s->links;

	while (l && strcmp(l->l.name, name) != 0)
		l = l->next;
	return l;
}

/* A next hop that never changes. */
static uint32_t slot_of(struct state *s, enum nh_type type)
{
	struct nh *n = calloc(1, sizeof(*n));
	uint32_t slot = n ? slot_alloc(s) : 0;

	if (!slot) {
		free(n);
		return 0;
	}
	n->type = (uint8_t)type;
	slot_store(s, slot, n);
	return slot;
}

int state_create(struct state **out)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->nht.slot = mmap(NULL, NH_SLOTS * sizeof(*s->nht.slot), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->free_slots = mmap(NULL, NH_SLOTS * sizeof(*s->free_slots), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->pool[0] = fib_pool_create(FIB_BYTES);
	s->pool[1] = fib_pool_create(FIB_BYTES);
	s->slots_used = 1; /* 0 is "no route" */
	s->settings = (struct dp_settings){
		.seed = 1, .icmp_rate = 1000, .icmp_burst = 50, .icmp_each = 1
	};
	if (s->nht.slot == MAP_FAILED || s->free_slots == MAP_FAILED || !s->pool[0] ||
	    !s->pool[1] || table_init(&s->adjs) || table_init(&s->paths) || table_init(&s->wides) ||
	    table_init(&s->routes) || table_init(&s->objects) || table_init(&s->refused))
		return -ENOMEM; /* the process ends */
	s->blackhole = slot_of(s, NH_BLACKHOLE);
	s->prohibit = slot_of(s, NH_PROHIBIT);
	s->suppressed = slot_of(s, NH_THROW);
	if (!s->blackhole || !s->prohibit || !s->suppressed)
		return -ENOMEM;
	s->neigh = calloc(1, sizeof(*s->neigh) + 64 * sizeof(s->neigh->entry[0]));
	if (!s->neigh)
		return -ENOMEM;
	s->neigh->mask = 63;
	if (!state_fib(s, TABLE_MAIN, AF_INET, true) || !state_fib(s, TABLE_MAIN, AF_INET6, true))
		return -ENOMEM;
	state_build_config(s);
	*out = s;
	return s->config ? 0 : -ENOMEM;
}

/* ---- interfaces */

static uint16_t iface_slot(const struct state *s)
{
	for (uint16_t i = 0; i < IFACES_MAX; i++) {
		bool taken = false;

		for (const struct link *l = s->links; l && !taken; l = l->next)
			taken = l->iface == i;
		if (!taken)
			return i;
	}
	return IFACE_NONE;
}

static struct nh *glean(const struct dp_iface *f, uint16_t index)
{
	struct nh *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->type = f->port == IFACE_NONE || !f->up ? NH_DOWN : NH_GLEAN;
	n->iface = index;
	n->port = f->port;
	n->mtu = f->mtu;
	return n;
}

/* An interface has changed: what depends on it follows. */
static void iface_follow(struct state *s, struct link *l)
{
	uint32_t b = 0;
	struct nh *g;

	state_build_config(s);
	if (l->iface == IFACE_NONE)
		return;
	if (!s->glean[l->iface])
		s->glean[l->iface] = slot_alloc(s);
	g = s->glean[l->iface] ? glean(&s->config->iface[l->iface], l->iface) : NULL;
	if (g)
		slot_store(s, s->glean[l->iface], g);
	for (struct table_node *n = table_walk(&s->adjs, &b, NULL); n;
	     n = table_walk(&s->adjs, &b, n)) {
		struct adj *a = table_entry(n, struct adj, node);

		if (a->iface == l->iface)
			adj_store(s, a);
	}
	paths_follow_iface(s, l->l.ifindex);
}

/* Does this link carry an interface of ours now? Give or take its slot. */
static void iface_update(struct state *s, struct link *l)
{
	bool ours = state_link_port(s, l) != IFACE_NONE && l->l.has_mac;

	if (ours && l->iface == IFACE_NONE) {
		l->iface = iface_slot(s);
		if (l->iface == IFACE_NONE)
			log_err("%s: more than %u interfaces", l->l.name, IFACES_MAX);
		else if (s->nl)
			neighs_ask_linux(s); /* they were not of interest until now */
	} else if (!ours && l->iface != IFACE_NONE) {
		uint16_t was = l->iface;

		iface_follow(s, l); /* all its next hops are down first */
		adj_iface_gone(s, was);
		l->iface = IFACE_NONE;
		paths_follow_iface(s, l->l.ifindex);
	}
	iface_follow(s, l);
}

void state_port(struct state *s, struct link *l, uint16_t port)
{
	l->port = port;
	iface_update(s, l);
	for (struct link *v = s->links; v; v = v->next)
		if (v != l && state_vlan_parent(s, v) == l)
			iface_update(s, v);
}

/* ---- what Linux says */

static void link_free(struct link *l)
{
	for (struct link_addr *a = l->addrs, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	free(l);
}

static void link_gone(struct state *s, struct link *l)
{
	if (s->link_changed)
		s->link_changed(s->arg, l, true);
	routes_link_gone(s, l->l.ifindex);
	objects_link_down(s, l->l.ifindex);
	if (l->port != IFACE_NONE)
		state_port(s, l, IFACE_NONE);
	l->port = IFACE_NONE;
	l->l.link = 0;
	iface_update(s, l);
	for (struct link **p = &s->links; *p; p = &(*p)->next) {
		if (*p == l) {
			*p = l->next;
			break;
		}
	}
	link_free(l);
	state_build_config(s);
}

/* What Linux does to routes and nexthop objects when a link changes, and does not tell. */
static void link_follow(struct state *s, const struct link *l, const struct netlink_link *was)
{
	int i = l->l.ifindex;
	bool up = l->l.flags & IFF_UP;

	if (state_table_of_master(s, was->master) != state_table_of_master(s, l->l.master))
		routes_ip_off(s, i);
	if (was->flags & IFF_UP && !up)
		routes_link_down(s, i);
	else if (up && !(was->flags & IFF_UP))
		paths_mark_dead(s, i, false, false);
	if (!link_has_carrier(l))
		objects_link_down(s, i);
}

/* Zones of connection tracking have 16 bits; the file's tables do. */
static void warn_of_zone(const struct netlink_link *n, const struct link *known)
{
	if (n->vrf_table > UINT16_MAX && !(known && known->l.vrf_table == n->vrf_table))
		log_warn("VRF %s: its table, %u, is above 65535: its flows share the zone of "
			 "table %u, and are taken for one where addresses and ports are the same",
			 n->name, n->vrf_table, n->vrf_table & UINT16_MAX);
}

static void on_link(void *arg, const struct netlink_link *n)
{
	struct state *s = arg;
	struct link *l = state_link(s, n->ifindex);
	struct netlink_link was = l ? l->l : *n;

	if (n->deleted) {
		if (l)
			link_gone(s, l);
		return;
	}
	warn_of_zone(n, l);
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return;
		l->iface = IFACE_NONE;
		l->port = s->port_before ? s->port_before(s->arg, n) : IFACE_NONE;
		l->next = s->links;
		s->links = l;
	}
	l->l = *n;
	l->seen = true;
	link_follow(s, l, &was);
	iface_update(s, l);
	if (s->link_changed)
		s->link_changed(s->arg, l, false);
}

static bool is_ip4(const struct link_addr *a)
{
	return a->a.local.addr.family == AF_INET;
}

/* An address is local in a table while a link of that table has it. */
static bool still_local(const struct state *s, uint32_t table, uint32_t addr)
{
	for (const struct link *l = s->links; l; l = l->next) {
		if (state_table_of_master(s, l->l.master) != table)
			continue;
		for (const struct link_addr *a = l->addrs; a; a = a->next)
			if (is_ip4(a) && a->a.local.addr.v4 == addr)
				return true;
	}
	return false;
}

/* IPv4 routes go with the address they prefer, and with the last one of their link. */
static void addr_gone(struct state *s, struct link *l, uint32_t addr)
{
	uint32_t table = state_table_of_master(s, l->l.master);
	const struct link_addr *a = l->addrs;

	if (!still_local(s, table, addr))
		routes_prefsrc_gone(s, table, addr);
	while (a && !is_ip4(a))
		a = a->next;
	if (!a)
		routes_ip_off(s, l->l.ifindex);
}

static struct link_addr **addr_find(struct link *l, const struct netlink_addr *n)
{
	struct link_addr **p = &l->addrs;

	while (*p &&
	       !(prefix_equal(&(*p)->a.local, &n->local) && addr_equal(&(*p)->a.peer, &n->peer)))
		p = &(*p)->next;
	return p;
}

static void addr_remove(struct state *s, struct link_addr **p)
{
	struct link_addr *a = *p;

	*p = a->next;
	a->a.deleted = true;
	s->addrs_dirty = true;
	if (s->addr_changed)
		s->addr_changed(s->arg, &a->a);
	free(a);
}

/* Addresses stand in the order in which they came. Of IPv4 a dump has them so, of IPv6 it begins
 * with the newest. */
static void addr_order(const struct state *s, struct link *l, struct link_addr **p)
{
	struct link_addr *a = *p;

	if (!s->syncing || is_ip4(a))
		return;
	*p = a->next;
	a->next = l->addrs;
	l->addrs = a;
}

static void on_addr(void *arg, const struct netlink_addr *n)
{
	struct state *s = arg;
	struct link *l = state_link(s, n->ifindex);
	struct link_addr **p = l ? addr_find(l, n) : NULL;

	if (!l)
		return;
	if (n->deleted) {
		if (!*p)
			return;
		addr_remove(s, p);
		if (n->local.addr.family == AF_INET)
			addr_gone(s, l, n->local.addr.v4);
		return;
	}
	if (!*p)
		*p = calloc(1, sizeof(**p)); /* at the end */
	if (!*p)
		return;
	(*p)->a = *n;
	(*p)->seen = true;
	if (is_ip4(*p) && l->l.flags & IFF_UP)
		paths_mark_dead(s, l->l.ifindex, false, true);
	addr_order(s, l, p);
	s->addrs_dirty = true;
	if (s->addr_changed)
		s->addr_changed(s->arg, n);
}

static void on_route(void *arg, const struct netlink_route *r)
{
	route_event(arg, r);
}

static void on_nexthop(void *arg, const struct netlink_nexthop *n)
{
	object_event(arg, n);
}

static void on_rule(void *arg, const struct netlink_rule *r)
{
	rule_event(arg, r);
}

static void on_neigh(void *arg, const struct netlink_neigh *n)
{
	adj_neigh(arg, n);
}

static void on_sync_begin(void *arg)
{
	struct state *s = arg;
	uint32_t b = 0;

	s->syncing = true;
	for (struct link *l = s->links; l; l = l->next) {
		l->seen = false;
		for (struct link_addr *a = l->addrs; a; a = a->next)
			a->seen = false;
	}
	for (struct route *r = s->first; r; r = r->next_all)
		r->seen = r->dumped = false;
	objects_sync_begin(s);
	rules_sync_begin(s);
	for (struct table_node *n = table_walk(&s->adjs, &b, NULL); n;
	     n = table_walk(&s->adjs, &b, n))
		table_entry(n, struct adj, node)->seen = false;
}

/* No routes go with these addresses: the dump has shown which routes there are. */
static void sweep_addrs(struct state *s, struct link *l)
{
	for (struct link_addr **p = &l->addrs; *p;) {
		if ((*p)->seen)
			p = &(*p)->next;
		else
			addr_remove(s, p);
	}
}

static void sweep_links(struct state *s)
{
	for (struct link *l = s->links, *next; l; l = next) {
		next = l->next;
		if (l->seen)
			sweep_addrs(s, l);
		else
			link_gone(s, l);
	}
}

static void on_sync_end(void *arg)
{
	struct state *s = arg;
	uint32_t b = 0;

	routes_sweep(s);
	objects_sweep(s);
	rules_sync_end(s);
	for (struct table_node *n = table_walk(&s->adjs, &b, NULL), *next; n; n = next) {
		struct adj *a = table_entry(n, struct adj, node);
		struct netlink_neigh gone = { .deleted = true,
					      .ifindex = a->ifindex,
					      .ip = a->addr };

		next = table_walk(&s->adjs, &b, n);
		if (!a->seen && a->kernel)
			adj_neigh(s, &gone);
	}
	sweep_links(s);
	s->syncing = false;
	neighs_known(s);
}

static void on_batch_end(void *arg)
{
	state_publish(arg);
}

const struct netlink_ops state_netlink_ops = {
	.link = on_link,
	.addr = on_addr,
	.route = on_route,
	.nexthop = on_nexthop,
	.neigh = on_neigh,
	.rule = on_rule,
	.sync_begin = on_sync_begin,
	.sync_end = on_sync_end,
	.batch_end = on_batch_end,
};

/* ---- publication */

/* Frees what was replaced, once no worker can have it. */
static void free_retired(struct state *s)
{
	if (!s->nretired && !s->nretired_slots && !fib_pool_retired(s->pool[0]) &&
	    !fib_pool_retired(s->pool[1]))
		return;
	rcu_wait();
	fibs_sweep(s);
	for (size_t i = 0; i < s->nretired; i++)
		free(s->retired[i]);
	s->nretired = 0;
	for (size_t i = 0; i < s->nretired_slots; i++) {
		uint32_t slot = s->retired_slots[i];

		free(s->nht.slot[slot]);
		s->nht.slot[slot] = NULL;
		s->free_slots[s->nfree_slots++] = slot;
	}
	s->nretired_slots = 0;
	fib_pool_reclaim(s->pool[0]);
	fib_pool_reclaim(s->pool[1]);
}

void state_publish(struct state *s)
{
	bool moved;

	if (s->addrs_dirty || s->rules_dirty || s->config->neigh != s->neigh)
		state_build_config(s);
	s->addrs_dirty = false;
	if (s->ifaces_dirty)
		rules_attach(s, s->config);
	moved = s->ifaces_dirty && s->publish;
	if (moved) {
		s->publish(s->arg, s->config);
		state_routes_moved(s);
	}
	s->ifaces_dirty = false;
	do
		free_retired(s);
	while (fibs_try_refused(s));
	if (moved) /* a flow may remember under that generation what the old rules have said */
		state_routes_moved(s);
}

void state_rename(struct state *s)
{
	state_build_config(s);
	paths_follow_broadcasts(s);
	state_publish(s);
}

/* Linux gets what is for its broadcast addresses, as any host there; unless it is ours to forward.
 */
static bool broadcasts_are_ours(const struct state *s, const struct link *l)
{
	return l->iface != IFACE_NONE && s->config->iface[l->iface].directed_broadcast;
}

unsigned state_local_addrs(const struct state *s, struct addr *out, unsigned max)
{
	unsigned n = 0;

	for (const struct link *l = s->links; l; l = l->next) {
		for (const struct link_addr *a = l->addrs; a; a = a->next) {
			if (n < max)
				out[n] = a->a.local.addr;
			n++;
			if (!a->a.broadcast.family || broadcasts_are_ours(s, l))
				continue;
			if (n < max)
				out[n] = a->a.broadcast;
			n++;
		}
	}
	return n + routes_local_addrs(s, out + (n < max ? n : max), max - (n < max ? n : max));
}

void state_destroy(struct state *s)
{
	if (!s)
		return;
	s->link_changed = NULL;
	s->addr_changed = NULL;
	s->publish = NULL;
	s->neigh_changed = NULL;
	routes_forget(s);
	while (s->links)
		link_gone(s, s->links);
	objects_forget(s);
	rules_forget(s);
	s->rules_known[0] = s->rules_known[1] = false;
	state_publish(s);
	for (unsigned i = 0; i < IFACES_MAX; i++)
		if (s->glean[i])
			free(s->nht.slot[s->glean[i]]);
	free(s->nht.slot[s->blackhole]);
	free(s->nht.slot[s->prohibit]);
	free(s->nht.slot[s->suppressed]);
	for (struct fib_table *t = s->tables, *next; t; t = next) {
		next = t->next;
		fib_destroy(t->fib);
		free(t);
	}
	fib_pool_destroy(s->pool[0]);
	fib_pool_destroy(s->pool[1]);
	table_fini(&s->adjs);
	table_fini(&s->paths);
	table_fini(&s->wides);
	table_fini(&s->routes);
	table_fini(&s->objects);
	table_fini(&s->refused);
	munmap(s->nht.slot, NH_SLOTS * sizeof(*s->nht.slot));
	munmap(s->free_slots, NH_SLOTS * sizeof(*s->free_slots));
	free(s->retired);
	free(s->retired_slots);
	rules_forget(s);
	free(s->neigh);
	free(s->config);
	free(s);
}
