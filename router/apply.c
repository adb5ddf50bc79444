/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See apply.h. [control] */
#include "router/apply.h"

#include <errno.h>
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/apply_rules.h"
#include "router/lastconf.h"
#include "router/lib/log.h"
#include "router/router.h"
#include "router/settings.h"
#include "router/stateful.h"
#include "systemd/notify.h"

static struct link *iface_link(const struct router *r, const struct conf_iface *c)
{
	struct link *l = ports_find_link(r, c);

	for (unsigned i = 0; i < PORTS_MAX && !l; i++) /* found by a MAC address it had once */
		if (r->ports[i].state != PORT_FREE && !strcmp(r->ports[i].conf.name, c->name))
			l = state_link(r->state, r->ports[i].ifindex);
	return l;
}

const struct link *apply_named_link(const struct router *r, const char *name)
{
	for (unsigned i = 0; i < r->conf->nifaces; i++)
		if (!strcmp(r->conf->ifaces[i].name, name))
			return iface_link(r, &r->conf->ifaces[i]);
	return state_link_named(r->state, name);
}

static bool link_has(const struct link *l, const struct prefix *p)
{
	for (const struct link_addr *a = l->addrs; a; a = a->next)
		if (prefix_equal(&a->a.local, p))
			return true;
	return false;
}

/* ---- links and addresses */

static void install_addrs(struct router *r, const struct conf_iface *c, const struct link *l)
{
	char text[PREFIX_STRLEN], why[NETLINK_WHY];

	for (unsigned i = 0; i < c->naddresses; i++) {
		if (link_has(l, &c->addresses[i]))
			continue;
		if (netlink_addr_set(r->nl, l->l.ifindex, &c->addresses[i], true, why))
			log_err("%s: address %s: %s", c->name,
				prefix_format(&c->addresses[i], text), why);
	}
}

static void install_link(struct router *r, const struct conf_iface *c, const struct link *l)
{
	char why[NETLINK_WHY];

	if (c->mtu && l->l.mtu != c->mtu && netlink_link_mtu(r->nl, l->l.ifindex, c->mtu, why))
		log_err("%s: mtu %u: %s", c->name, c->mtu, why);
	install_addrs(r, c, l);
}

/* By the link, not by its key: an interface that only got another name in the file keeps its
 * addresses, and with them the routes that hang on them. */
static bool link_wants(const struct router *r, const struct link *l, const struct prefix *p)
{
	for (unsigned i = 0; i < r->conf->nifaces; i++) {
		const struct conf_iface *c = &r->conf->ifaces[i];

		for (unsigned k = 0; k < c->naddresses; k++)
			if (prefix_equal(&c->addresses[k], p) && iface_link(r, c) == l)
				return true;
	}
	return false;
}

/* Addresses that have left the file. */
static void withdraw_addrs(struct router *r, const struct conf *old)
{
	char text[PREFIX_STRLEN], why[NETLINK_WHY];

	for (unsigned i = 0; i < old->nifaces; i++) {
		const struct conf_iface *c = &old->ifaces[i];
		const struct link *l = iface_link(r, c);

		for (unsigned k = 0; l && k < c->naddresses; k++) {
			const struct prefix *p = &c->addresses[k];

			if (!link_wants(r, l, p) &&
			    netlink_addr_set(r->nl, l->l.ifindex, p, false, why))
				log_err("%s: address %s: %s", c->name, prefix_format(p, text), why);
		}
	}
}

/* ---- routes */

static uint8_t route_type(enum conf_route_type t)
{
	switch (t) {
	case CONF_ROUTE_BLACKHOLE: return RTN_BLACKHOLE;
	case CONF_ROUTE_UNREACHABLE: return RTN_UNREACHABLE;
	case CONF_ROUTE_PROHIBIT: return RTN_PROHIBIT;
	case CONF_ROUTE_UNICAST: break;
	}
	return RTN_UNICAST;
}

static bool route_build(const struct router *r, const struct conf_route *c,
			struct netlink_route *out)
{
	memset(out, 0, sizeof(*out));
	out->dst = prefix_masked(&c->to);
	out->table = c->table;
	out->metric = c->metric;
	out->type = route_type(c->type);
	out->protocol = NETLINK_PROTO;
	out->nhops = c->nnexthops < NETLINK_HOPS_MAX ? c->nnexthops : NETLINK_HOPS_MAX;
	for (unsigned i = 0; i < out->nhops; i++) {
		const struct conf_nexthop *h = &c->nexthops[i];
		const struct link *l = h->dev[0] ? apply_named_link(r, h->dev) : NULL;

		if (h->dev[0] && !l)
			return false; /* when the link is there */
		out->hops[i].ifindex = l ? l->l.ifindex : 0;
		out->hops[i].via = h->via;
		out->hops[i].weight = h->weight;
	}
	return true;
}

/* What tells routes of ours apart. */
struct route_key {
	uint32_t table, metric;
	struct prefix dst;
};

static struct route_key key_wanted(const struct netlink_route *want)
{
	uint32_t metric = want->metric;

	if (!metric && want->dst.addr.family == AF_INET6)
		metric = METRIC6_DEFAULT;
	return (struct route_key){ want->table, metric, want->dst };
}

static int key_cmp(const void *one, const void *other)
{
	const struct route_key *a = one, *b = other;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if (a->metric != b->metric)
		return a->metric < b->metric ? -1 : 1;
	if (a->dst.len != b->dst.len)
		return a->dst.len < b->dst.len ? -1 : 1;
	return addr_cmp(&a->dst.addr, &b->dst.addr);
}

static struct route_key key_installed(const struct route *have)
{
	return (struct route_key){ have->table, have->metric, have->dst };
}

static bool same_route(const struct route *have, const struct netlink_route *want)
{
	struct route_key a = key_installed(have), b = key_wanted(want);

	return have->protocol == NETLINK_PROTO && key_cmp(&a, &b) == 0;
}

static bool same_hops(const struct route *have, const struct netlink_route *want)
{
	const struct path *p = have->path;

	if (have->type != want->type)
		return false;
	if (want->type != RTN_UNICAST)
		return true; /* Linux hangs an IPv6 blackhole on lo */
	if (p->nhops != want->nhops)
		return false;
	for (unsigned i = 0; i < p->nhops; i++) {
		const struct netlink_hop *h = &p->hops[i].hop, *w = &want->hops[i];

		if (!addr_equal(&h->via, &w->via) || (w->ifindex && h->ifindex != w->ifindex) ||
		    h->weight != w->weight)
			return false;
	}
	return true;
}

static bool is_installed(const struct router *r, const struct netlink_route *want)
{
	const struct route *have = state_route_exact(r->state, want->table, &want->dst);

	while (have && !same_route(have, want))
		have = have->next;
	return have && same_hops(have, want);
}

static void install_routes(struct router *r)
{
	static struct netlink_route want; /* [control] only; large */
	char text[PREFIX_STRLEN], why[NETLINK_WHY];

	for (unsigned i = 0; i < r->conf->nroutes; i++) {
		struct conf_route *c = &r->conf->routes[i];
		int err;

		if (!route_build(r, c, &want) || is_installed(r, &want))
			continue;
		err = netlink_route_set(r->nl, &want, true, why);
		if (err && !c->refused)
			log_warn("route %s (line %u): %s; will try again when links or addresses "
				 "change",
				 prefix_format(&c->to, text), c->line, why);
		c->refused = err != 0;
	}
}

/* The choice among several that one of these files asks for is none of Linux's business. */
static void hashes_follow(struct router *r, const struct conf *c)
{
	for (unsigned i = 0; i < c->nroutes; i++) {
		struct prefix to = prefix_masked(&c->routes[i].to);

		if (c->routes[i].nnexthops > 1)
			state_hash_again(r->state, c->routes[i].table, &to);
	}
}

static void install_vrf_routes(struct router *r)
{
	static struct netlink_route want;
	char text[PREFIX_STRLEN], why[NETLINK_WHY];

	for (unsigned i = 0; apply_vrf_route(r, i, &want); i++)
		if (!is_installed(r, &want) && netlink_route_set(r->nl, &want, true, why))
			log_warn("route %s of VRF table %u: %s", prefix_format(&want.dst, text),
				 want.table, why);
}

struct route_keys {
	struct route_key *v;
	size_t n, size;
};

static bool keys_add(struct route_keys *k, const struct netlink_route *want)
{
	if (k->n == k->size) {
		size_t size = k->size ? 2 * k->size : 64;
		struct route_key *v = realloc(k->v, size * sizeof(*v));

		if (!v)
			return false;
		k->v = v;
		k->size = size;
	}
	k->v[k->n++] = key_wanted(want);
	return true;
}

/* All that the file asks for, sorted; false: no memory. */
static bool keys_build(const struct router *r, struct route_keys *k)
{
	static struct netlink_route want; /* [control] only; large */

	for (unsigned i = 0; apply_vrf_route(r, i, &want); i++)
		if (!keys_add(k, &want))
			return false;
	for (unsigned i = 0; i < r->conf->nroutes; i++)
		if (route_build(r, &r->conf->routes[i], &want) && !keys_add(k, &want))
			return false;
	if (k->n)
		qsort(k->v, k->n, sizeof(*k->v), key_cmp);
	return true;
}

static bool is_wanted(const struct route_keys *k, const struct route *have)
{
	struct route_key key = key_installed(have);

	return k->n && bsearch(&key, k->v, k->n, sizeof(*k->v), key_cmp);
}

static void withdraw_route(struct router *r, const struct route *have)
{
	static struct netlink_route gone;

	memset(&gone, 0, sizeof(gone));
	gone.dst = have->dst;
	gone.table = have->table;
	gone.metric = have->metric;
	gone.type = have->type;
	gone.protocol = have->protocol;
	netlink_route_set(r->nl, &gone, false, NULL);
}

/* Routes of our protocol that are not in the file: of an older one, or of a router that was killed.
 */
static void withdraw_routes(struct router *r)
{
	struct route_keys wanted = { 0 };

	if (keys_build(r, &wanted))
		for (const struct route *have = r->state->first; have; have = have->next_all)
			if (have->protocol == NETLINK_PROTO && !is_wanted(&wanted, have))
				withdraw_route(r, have);
	free(wanted.v);
}

/* ---- neighbours */

static void set_neighbour(struct router *r, const struct conf_neighbour *n, bool add)
{
	const struct link *l = apply_named_link(r, n->dev);
	char text[ADDR_STRLEN], why[NETLINK_WHY];

	if (l && netlink_neigh_static(r->nl, l->l.ifindex, &n->ip, n->mac, add, why))
		log_err("neighbour %s (line %u): %s", addr_format(&n->ip, text), n->line, why);
}

static bool neighbour_listed(const struct conf *c, const struct conf_neighbour *n)
{
	for (unsigned i = 0; i < c->nneighbours; i++)
		if (!strcmp(c->neighbours[i].dev, n->dev) &&
		    addr_equal(&c->neighbours[i].ip, &n->ip))
			return true;
	return false;
}

/* ---- the whole */

void apply_kernel(struct router *r)
{
	for (unsigned i = 0; i < r->conf->nifaces; i++) {
		const struct link *l = iface_link(r, &r->conf->ifaces[i]);

		if (l)
			install_link(r, &r->conf->ifaces[i], l);
	}
	apply_vrfs(r, NULL);
	apply_rules(r);
	install_vrf_routes(r);
	install_routes(r);
	for (unsigned i = 0; i < r->conf->nneighbours; i++)
		set_neighbour(r, &r->conf->neighbours[i], true);
}

/* Addresses of ours, by their protocol (Linux 5.18+), that are not in the file. */
static void withdraw_stale_addrs(struct router *r)
{
	for (const struct link *l = r->state->links; l; l = l->next)
		for (const struct link_addr *a = l->addrs; a; a = a->next)
			if (a->a.proto == NETLINK_PROTO && !link_wants(r, l, &a->a.local))
				netlink_addr_set(r->nl, l->l.ifindex, &a->a.local, false, NULL);
}

void apply_start(struct router *r)
{
	withdraw_stale_addrs(r);
	withdraw_routes(r);
	apply_kernel(r);
}

/* The tables are made once, and outlive a configuration that wants none. */
static void keep_tables(const struct router *r, struct conf_conntrack *c, FILE *messages)
{
	const struct conf_conntrack *made = &r->tables;

	if (!r->st || !c->enabled ||
	    (made->max == c->max && made->per_source_max == c->per_source_max &&
	     made->drop_new == c->drop_new && made->fragments == c->fragments &&
	     made->fragments_per_source == c->fragments_per_source &&
	     made->timeout[CONF_TIMEOUT_FRAGMENT] == c->timeout[CONF_TIMEOUT_FRAGMENT]))
		return;
	fprintf(messages, "conntrack: sizes, limits and the timeout of fragments take effect when "
			  "the router is stopped and started\n");
	c->max = made->max;
	c->per_source_max = made->per_source_max;
	c->drop_new = made->drop_new;
	c->fragments = made->fragments;
	c->fragments_per_source = made->fragments_per_source;
	c->timeout[CONF_TIMEOUT_FRAGMENT] = made->timeout[CONF_TIMEOUT_FRAGMENT];
}

/* Settings that are fixed while the process lives. */
static void keep_fixed(const struct router *r, struct conf *c, FILE *messages)
{
	const struct conf *old = r->conf;

	if (memcmp(&old->workers, &c->workers, sizeof(c->workers)) != 0) {
		fprintf(messages, "router.workers: takes effect at the next start\n");
		c->workers = old->workers;
	}
	if (memcmp(&old->memory, &c->memory, sizeof(c->memory)) != 0) {
		fprintf(messages,
			"router.memory: takes effect when the router is stopped and started\n");
		c->memory = old->memory;
	}
	keep_tables(r, &c->conntrack, messages);
	if (memcmp(&old->stats.socket, &c->stats.socket, sizeof(c->stats.socket)) != 0 ||
	    memcmp(&old->stats.read_only_socket, &c->stats.read_only_socket,
		   sizeof(c->stats.read_only_socket)) != 0) {
		fprintf(messages, "stats sockets: take effect at the next start\n");
		c->stats.socket = old->stats.socket;
		c->stats.read_only_socket = old->stats.read_only_socket;
	}
}

int apply_reload(struct router *r, FILE *messages)
{
	struct conf *old = r->conf, *c;
	struct policy *policy;
	char why[512] = "";
	int err = conf_load(r->conf_path, NULL, messages, &c);

	if (err) {
		r->refused++;
		return err;
	}
	keep_fixed(r, c, messages);
	err = stateful_build(r, c, &policy, why, sizeof(why));
	if (!err) {
		err = qos_check(r, c, why, sizeof(why));
		if (err)
			stateful_forget(r, policy);
	}
	if (err) {
		fprintf(messages, "%s\n", why);
		conf_destroy(c);
		r->refused++;
		return err;
	}
	r->conf = c;
	r->conf_refused = false;
	r->revision++;
	lastconf_keep(r);
	r->state->settings = settings_of(c, r->hash_seed);
	hashes_follow(r, old);
	hashes_follow(r, c);
	state_rename(r->state);
	if (settings_broadcast(old) || settings_broadcast(c))
		r->links_moved = true; /* XDP follows */
	stateful_apply(r);
	stateful_publish(r, policy);
	loop_timer_set(r->flows_timer, 1);
	log_init(r->verbose ? LOG_DETAIL : (enum log_level)c->stats.log_level);
	withdraw_addrs(r, old);
	apply_vrfs(r, old);
	withdraw_routes(r);
	for (unsigned i = 0; i < old->nneighbours; i++)
		if (!neighbour_listed(c, &old->neighbours[i]))
			set_neighbour(r, &old->neighbours[i], false);
	apply_kernel(r);
	netlink_catch_up(r->nl); /* a new port's first packet goes by what was just installed */
	ports_follow(r);
	qos_follow(r, old);
	stateful_sweep(r);
	return 0;
}

/* ---- as the operator and systemd see it */

static void status_text(const struct router *r, char *text, size_t size)
{
	unsigned open = 0;

	for (unsigned i = 0; i < PORTS_MAX; i++)
		open += r->ports[i].state == PORT_OPEN;
	snprintf(text, size, "forwarding on %u of %u ports, %u worker%s%s", open, r->conf->nifaces,
		 r->nworkers, r->nworkers == 1 ? "" : "s",
		 r->conf_refused ? "; the file is refused, the one of before applies" : "");
}

void apply_status(struct router *r, bool ready)
{
	char text[sizeof(r->status)];

	status_text(r, text, sizeof(text));
	if (ready)
		notify_ready(text);
	else if (strcmp(text, r->status) != 0)
		notify_status(text);
	memcpy(r->status, text, sizeof(text));
}

int router_reload(struct router *r, char *text, size_t size)
{
	char *buffer = NULL, *line, *save = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buffer, &len);
	int err;

	if (!f)
		return -ENOMEM;
	notify_reloading();
	err = apply_reload(r, f);
	fclose(f);
	snprintf(text, size, "%s%s", buffer ? buffer : "",
		 err ? "running configuration unchanged" : "");
	for (line = strtok_r(buffer, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		log_printf(err ? LOG_ERROR : LOG_WARNING, "%s", line);
	free(buffer);
	log_printf(err ? LOG_ERROR : LOG_NOTICE, "configuration %s: %s", r->conf_path,
		   err ? "refused; running configuration unchanged" : "applied");
	apply_status(r, true);
	return err;
}
