/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces as packets see them: links, VLANs, VRFs and addresses made into a struct dp_config;
 * see state.h. [control] */
#include "router/state.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "router/lib/clock.h"

const struct link *state_vlan_parent(const struct state *s, const struct link *l)
{
	if (strcmp(l->l.kind, "vlan") != 0 || l->l.link_foreign)
		return NULL;
	return state_link(s, l->l.link);
}

uint16_t state_link_port(const struct state *s, const struct link *l)
{
	const struct link *parent = state_vlan_parent(s, l);

	if (l->port != IFACE_NONE || !parent)
		return l->port;
	return parent->port;
}

static bool may_speak(const struct link_addr *a)
{
	return !(a->a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

/* Addresses of IPv6 but link-local ones: those that are deprecated, or the others. */
static void fill_addrs6(struct dp_iface *f, const struct link *l, bool deprecated)
{
	for (const struct link_addr *a = l->addrs; a && f->nip6 < IFACE_IP6_ADDRS; a = a->next) {
		if (a->a.local.addr.family != AF_INET6 || a->a.scope == RT_SCOPE_LINK ||
		    !may_speak(a) || !(a->a.flags & IFA_F_DEPRECATED) == deprecated)
			continue;
		f->ip6[f->nip6].addr = a->a.local.addr.v6;
		f->ip6[f->nip6++].len = a->a.local.len;
	}
}

/* What Linux would choose from. Of several link-local addresses it speaks by the oldest. */
static void fill_addrs(struct dp_iface *f, const struct link *l)
{
	for (const struct link_addr *a = l->addrs; a; a = a->next) {
		const struct prefix *p = &a->a.local;

		if (p->addr.family == AF_INET && f->nip4 < IFACE_IP4_ADDRS) {
			f->ip4[f->nip4].addr = p->addr.v4;
			f->ip4[f->nip4++].mask = p->len ? htonl(~0u << (32 - p->len)) : 0;
		} else if (p->addr.family == AF_INET6 && a->a.scope == RT_SCOPE_LINK &&
			   may_speak(a) && !f->has_link_local) {
			f->ip6_link_local = p->addr.v6;
			f->has_link_local = true;
		}
	}
	fill_addrs6(f, l, false);
	if (!f->nip6)
		fill_addrs6(f, l, true);
}

uint32_t state_table_of_master(const struct state *s, int master)
{
	const struct link *l = state_link(s, master);

	return l && l->l.vrf_table ? l->l.vrf_table : TABLE_MAIN;
}

static void fill_iface(struct state *s, struct dp_iface *f, const struct link *l)
{
	const struct link *parent = state_vlan_parent(s, l), *dev = parent ? parent : l;
	uint32_t table = state_table_of_master(s, l->l.master);

	memcpy(f->name, l->l.name, sizeof(f->name));
	f->ifindex = l->l.ifindex;
	f->port = state_link_port(s, l);
	if (l != dev) {
		f->vid = l->l.vlan_id;
		f->vlan_proto = l->l.vlan_proto;
	}
	f->mtu = (uint16_t)(l->l.mtu > UINT16_MAX ? UINT16_MAX : l->l.mtu);
	memcpy(f->mac, l->l.mac, sizeof(f->mac));
	f->up = link_has_carrier(l) && f->port != IFACE_NONE;
	f->virtual = dev->l.kind[0];
	f->zone = table == TABLE_MAIN ? 0 : (uint16_t)table;
	f->name_id = s->name_id ? s->name_id(s->arg, l) : 0;
	if (s->iface_settings)
		s->iface_settings(s->arg, l, f);
	f->fib4 = state_fib(s, table, AF_INET, true);
	f->fib6 = state_fib(s, table, AF_INET6, true);
	fill_addrs(f, l);
}

/* Whose packets are looked at: see struct dp_config. */
static void add_guard(struct dp_config *c, const struct dp_iface *f)
{
	if (f->port == IFACE_NONE)
		return;
	if (f->rp_filter || f->mss)
		c->guarded |= 1ull << f->port;
	if (f->mss)
		c->clamped |= 1ull << f->port;
}

static void add_own(struct dp_config *c, uint32_t addr)
{
	uint32_t bit = own_bit(addr);

	c->own4[bit / 64] |= 1ull << (bit % 64);
}

/* With its broadcast addresses, that it was given or that its subnet has (RFC 3021: /31 has none).
 */
static void add_own_addr(struct dp_config *c, const struct netlink_addr *a)
{
	const struct prefix *p = &a->local;

	add_own(c, p->addr.v4);
	if (a->broadcast.family == AF_INET)
		add_own(c, a->broadcast.v4);
	if (p->len < 31)
		add_own(c, p->addr.v4 | htonl(~0u >> p->len));
}

/* Packet code has no clock; where it says when a packet came by, it says it in UT. */
static uint64_t utc_ahead(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec - clock_now();
}

/* A new struct dp_config from what is known; published with the next state_publish(). */
void state_build_config(struct state *s)
{
	struct dp_config *c;
	unsigned n = 0;

	for (const struct link *l = s->links; l; l = l->next)
		if (l->iface != IFACE_NONE && l->iface >= n)
			n = l->iface + 1u;
	c = calloc(1, sizeof(*c) + (n + 1) * sizeof(c->iface[0]));
	if (!c)
		return;
	s->rules_dirty = s->fib_missing = false; /* until something is missing, or moves, again */
	c->generation = ++s->generation;
	c->nht = &s->nht;
	c->neigh = s->neigh;
	c->set = s->settings;
	c->utc_ahead = utc_ahead();
	c->nifaces = n;
	memset(c->port_iface, 0xff, sizeof(c->port_iface));
	for (unsigned i = 0; i < n; i++)
		c->iface[i].port = IFACE_NONE;
	for (const struct link *l = s->links; l; l = l->next) {
		for (const struct link_addr *a = l->addrs; a; a = a->next)
			if (a->a.local.addr.family == AF_INET)
				add_own_addr(c, &a->a);
		if (l->iface == IFACE_NONE)
			continue;
		fill_iface(s, &c->iface[l->iface], l);
		add_guard(c, &c->iface[l->iface]);
		if (l->port != IFACE_NONE)
			c->port_iface[l->port] = l->iface;
		else if (c->iface[l->iface].port != IFACE_NONE)
			c->port_vlans[c->iface[l->iface].port]++;
	}
	feasible_want(s, c);
	state_retire(s, s->config);
	s->config = c;
	s->ifaces_dirty = true;
}
