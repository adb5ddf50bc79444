/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See redirect.h. Every interface of the configuration that is a port, or a VLAN on it, gets the
 * set of ports that the rules for it redirect, all others none.
 */
#include "router/redirect.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "router/lib/log.h"
#include "router/router.h"

#define NO_VID (-1)

static void add_range(uint64_t bits[STEER_NAT_WORDS], const struct conf_port_range *r)
{
	for (unsigned port = r->first; port <= r->last; port++)
		bits[port / 64] |= 1ULL << port % 64;
}

static void add_rule(struct steer_redirects *out, const struct conf_match *m, bool tcp)
{
	for (unsigned i = 0; i < m->dport.nranges; i++) {
		const struct conf_port_range *r = &m->dport.ranges[i];

		if (m->family != AF_INET6)
			add_range(out->bits[tcp ? STEER_REDIRECT_TCP4 : STEER_REDIRECT_UDP4], r);
		if (m->family != AF_INET)
			add_range(out->bits[tcp ? STEER_REDIRECT_TCP6 : STEER_REDIRECT_UDP6], r);
	}
}

/* What is redirected of packets that come in here. False: nothing. */
static bool redirects_of(const struct conf *c, const struct conf_iface *iface,
			 struct steer_redirects *out)
{
	bool any = false;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < c->nnat_destination; i++) {
		const struct conf_nat *n = &c->nat_destination[i];

		if (n->kind != CONF_NAT_REDIRECT || !conf_redirect_comes_in(c, n, iface->name))
			continue;
		for (unsigned p = 0; p < n->match.nprotos; p++)
			add_rule(out, &n->match, n->match.protos[p] == IPPROTO_TCP);
		any = true;
	}
	return any;
}

/* How frames of a link are tagged on a port; 0: not at all. */
static int vid_on(const struct port *p, const struct link *l)
{
	if (l->l.ifindex == p->ifindex)
		return 0;
	if (l->l.link == p->ifindex && !l->l.link_foreign && !strcmp(l->l.kind, "vlan"))
		return l->l.vlan_id;
	return NO_VID;
}

void redirects_follow_port(struct router *r, struct port *p)
{
	static struct steer_redirects ports; /* [control] only; large */
	const struct conf_iface *by_vid[STEER_VIDS] = { NULL };
	const struct conf *c = r->conf;
	int err = 0, last;

	for (unsigned i = 0; i < c->nifaces; i++) {
		const struct link *l = ports_find_link(r, &c->ifaces[i]);
		int vid = l ? vid_on(p, l) : NO_VID;

		if (vid != NO_VID)
			by_vid[vid] = &c->ifaces[i];
	}
	for (unsigned vid = 0; vid < STEER_VIDS - 1; vid++) {
		bool any = by_vid[vid] && redirects_of(c, by_vid[vid], &ports);

		last = steer_port_redirect(p->steer, (uint16_t)vid, any ? &ports : NULL);
		err = err ? err : last;
	}
	if (err)
		log_err("%s: redirect: %s", p->conf.name,
			err == -ENOSPC ? "interfaces redirect too many different sets of ports"
				       : strerror(-err));
}

void redirects_follow(struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->ports[i].steer)
			redirects_follow_port(r, &r->ports[i]);
}
