/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See settings.h. Interfaces that the file does not name keep Linux's defaults. */
#include "router/settings.h"

#include <stdio.h>
#include <sys/random.h>

#include "router/kept.h"
#include "router/net/siphash.h"
#include "router/apply_rules.h"
#include "router/router.h"

struct dp_settings settings_of(const struct conf *c, uint32_t seed)
{
	return (struct dp_settings){
		.martians_allowed = c->forwarding.martians_allowed,
		.source_routes = c->forwarding.source_routes,
		.hash_l3 = c->forwarding.hash == CONF_HASH_L3,
		.seed = c->forwarding.seed ? c->forwarding.seed : seed,
		.icmp_rate = c->forwarding.icmp_rate,
		.icmp_burst = c->forwarding.icmp_burst,
		.icmp_each = c->forwarding.icmp_each,
	};
}

/* The boot's id is 122 random bits that no packet shows; what is made of them does not tell them.
 */
uint32_t settings_seed(const char *run_dir)
{
	static const uint8_t key[16] = "multipath seed";
	union {
		struct {
			char boot[40];
			uint64_t netns;
			char run_dir[208];
		};
		uint64_t word[32];
	} of = { 0 };
	uint32_t seed;

	kept_boot(of.boot);
	if (!of.boot[0])
		return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 1;
	of.netns = kept_netns();
	snprintf(of.run_dir, sizeof(of.run_dir), "%s", run_dir);
	return (uint32_t)siphash_words(key, of.word, 32);
}

static const struct conf_iface *iface_of(const struct router *r, const struct link *l)
{
	for (unsigned i = 0; r->conf && i < r->conf->nifaces; i++)
		if (ports_find_link(r, &r->conf->ifaces[i]) == l)
			return &r->conf->ifaces[i];
	return NULL;
}

/* Behind the driver, packets of a guest's, or of a bridge's others, may have no checksum yet. */
static bool is_generic(const struct router *r, const struct conf_iface *port)
{
	enum conf_xdp_mode mode = port ? port->xdp_mode : CONF_XDP_DEFAULT;

	if (r->conf && mode == CONF_XDP_DEFAULT)
		mode = r->conf->xdp.mode;
	return mode == CONF_XDP_GENERIC;
}

void settings_iface(void *router, const struct link *l, struct dp_iface *f)
{
	const struct router *r = router;
	const struct conf_iface *own = iface_of(r, l), *c = own;
	const struct link *parent = state_vlan_parent(r->state, l);

	if (!c && parent)
		c = iface_of(r, parent);
	f->virtual |= is_generic(r, parent ? iface_of(r, parent) : own);
	f->redirects = !c || !c->no_redirects;
	if (!c)
		return;
	if (c == own && apply_vrf_table(r, c)) /* a VLAN is in a VRF by itself, or in none */
		f->zone = (uint16_t)apply_vrf_table(r, c);
	f->rp_filter = (uint8_t)c->rp_filter;
	f->rp_default = c->rp_default;
	f->directed_broadcast = c->directed_broadcast;
	f->mss = (uint16_t)c->mss;
}

/* Linux does not keep it; so it is found by what Linux tells routes apart by. */
uint8_t settings_route(void *router, const struct netlink_route *n)
{
	const struct router *r = router;

	for (unsigned i = 0; n->protocol == NETLINK_PROTO && r->conf && i < r->conf->nroutes; i++) {
		const struct conf_route *c = &r->conf->routes[i];
		struct prefix to = prefix_masked(&c->to);
		uint32_t metric = c->metric;

		if (!metric && to.addr.family == AF_INET6)
			metric = METRIC6_DEFAULT;
		if (c->table == n->table && metric == n->metric && prefix_equal(&to, &n->dst))
			return (uint8_t)c->hash;
	}
	return CONF_HASH_DEFAULT;
}

bool settings_broadcast(const struct conf *c)
{
	for (unsigned i = 0; i < c->nifaces; i++)
		if (c->ifaces[i].directed_broadcast)
			return true;
	return false;
}
