// SPDX-License-Identifier: GPL-2.0-or-later
/* See standin.h. What Linux lacks is said once for an interface, and again when it changes. */
#include "router/standin_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/beat.h"
#include "router/ctl/forwarding.h"
#include "router/ctl/nft.h"
#include "router/flows.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/router.h"
#include "router/stateful.h"

#define SAID_MAX  64 /* interfaces */
#define SETTLE_NS (50 * NSEC_PER_MSEC)

struct standin {
	struct forwarding *forwarding;
	struct loop_timer *settle;
	char held[FORWARDING_WHY]; /* why Linux is not to forward; "": it is */
	struct {
		int ifindex; /* 0: free */
		uint32_t hash;
	} said[SAID_MAX];
};

static void file_of(const char *run_dir, char *path, size_t size)
{
	snprintf(path, size, "%s/forwarding", run_dir);
}

static void on_settle(void *arg, uint64_t now)
{
	(void)now;
	standin_take(arg, true);
}

int standin_start(struct router *r)
{
	struct standin *s = calloc(1, sizeof(*s));
	char path[160];
	int err;

	if (!s)
		return -ENOMEM;
	file_of(r->run_dir, path, sizeof(path));
	err = forwarding_create(path, &s->forwarding);
	s->settle = err ? NULL : loop_timer_add(r->loop, on_settle, r);
	if (!err && !s->settle)
		err = -ENOMEM;
	r->standin = s;
	if (err)
		standin_stop(r);
	return err;
}

/* ---- which interfaces */

static const struct port *port_below(const struct router *r, const struct link *l)
{
	bool vlan = !strcmp(l->l.kind, "vlan") && !l->l.link_foreign;

	return port_of_link((struct router *)(uintptr_t)r, vlan ? l->l.link : l->l.ifindex);
}

static bool stands_in(const struct router *r, const struct link *l)
{
	const struct port *p = port_below(r, l);

	return p && p->steer && p->conf.fail_pass;
}

/* By the configuration, whether the port is open or not. */
static bool link_is_on(const struct router *r, const struct conf *c, const struct link *l)
{
	bool vlan = !strcmp(l->l.kind, "vlan") && !l->l.link_foreign;

	for (unsigned i = 0; i < c->nifaces; i++) {
		const struct link *own = ports_find_link(r, &c->ifaces[i]);

		if (own && own->l.ifindex == (vlan ? l->l.link : l->l.ifindex))
			return c->ifaces[i].fail_pass;
	}
	return false;
}

bool standin_has(const struct router *r, const struct link *l)
{
	return link_is_on(r, r->conf, l);
}

bool standin_is_anywhere(const struct conf *c)
{
	for (unsigned i = 0; i < c->nifaces; i++)
		if (c->ifaces[i].fail_pass)
			return true;
	return false;
}

/* A port that cannot be opened is not served by us, either. */
static bool is_kept(void *arg, const char *netdev)
{
	const struct router *r = arg;
	const struct link *l = state_link_named(r->state, netdev);

	return l && !r->standin->held[0] && link_is_on(r, r->conf, l);
}

bool standin_is_on(const struct router *r, const struct conf *c, const char *iface)
{
	for (unsigned i = 0; i < c->nifaces; i++) {
		const struct link *l;

		if (strcmp(c->ifaces[i].name, iface) != 0)
			continue;
		l = ports_find_link(r, &c->ifaces[i]);
		return l ? link_is_on(r, c, l) : c->ifaces[i].fail_pass;
	}
	return false;
}

/* ---- what Linux lacks */

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text)
		h = (h ^ (uint8_t)*text++) * 16777619u;
	return h;
}

/* Not said of this interface last time? */
static bool is_news(struct standin *s, int ifindex, const char *text)
{
	unsigned i = 0;

	while (i < SAID_MAX - 1 && s->said[i].ifindex && s->said[i].ifindex != ifindex)
		i++;
	if (s->said[i].ifindex == ifindex && s->said[i].hash == hash(text))
		return false;
	s->said[i].ifindex = ifindex;
	s->said[i].hash = hash(text);
	return true;
}

static bool has_global6(const struct link *l)
{
	for (const struct link_addr *a = l->addrs; a; a = a->next) {
		const struct addr *addr = &a->a.local.addr;

		if (addr->family == AF_INET6 && addr->bytes[0] != 0xfe)
			return true;
	}
	return false;
}

static bool is_strict(const char *netdev)
{
	return forwarding_setting("ipv4/conf/%s/rp_filter", netdev) == 1 ||
	       (forwarding_setting("ipv4/conf/all/rp_filter") == 1 &&
		forwarding_setting("ipv4/conf/%s/rp_filter", netdev) != 2);
}

static void ready(struct router *r, const struct link *l)
{
	char why[FORWARDING_WHY] = "";
	struct standin *s = r->standin;
	int err;

	if (s->held[0]) {
		snprintf(why, sizeof(why),
			 "Linux does not forward, for it would not translate: %.180s", s->held);
		err = -EINVAL;
	} else {
		err = forwarding_on(s->forwarding, l->l.name, why);
	}
	if (err == -ENOTSUP && !has_global6(l))
		err = 0;
	if (!err && is_strict(l->l.name))
		snprintf(why, sizeof(why),
			 "rp_filter is strict: of hosts that it would answer by another interface "
			 "Linux forwards nothing");
	else if (!err && r->conf->nnat_source &&
		 forwarding_setting("netfilter/nf_conntrack_tcp_loose") == 0)
		snprintf(why, sizeof(why),
			 "net.netfilter.nf_conntrack_tcp_loose is 0: Linux does not carry on "
			 "connections it has not seen begin");
	else if (!err)
		snprintf(why, sizeof(why), "without a router Linux forwards here, unfiltered");
	if (is_news(s, l->l.ifindex, why))
		log_printf(err ? LOG_WARNING : LOG_NOTICE, "%s: on-failure: pass: %s", l->l.name,
			   why);
}

/* ---- follow */

void standin_hold(struct router *r, const char *why)
{
	if (!r->standin)
		return;
	snprintf(r->standin->held, sizeof(r->standin->held), "%s", why);
	if (r->running)
		standin_follow(r);
}

void standin_follow(struct router *r)
{
	if (!r->standin)
		return;
	if (r->nft && nft_standin_is_gone(r->nft)) {
		log_warn("nftables: somebody has removed NAT's rules; they are made again");
		stateful_apply(r);
	}
	for (const struct link *l = r->state->links; l; l = l->next)
		if (stands_in(r, l))
			ready(r, l);
	forwarding_sweep(r->standin->forwarding, is_kept, r);
}

void standin_leave(struct router *r, const struct port *p)
{
	for (const struct link *l = r->state->links; l && r->standin; l = l->next)
		if (l->l.ifindex == p->ifindex || (l->l.link == p->ifindex && !l->l.link_foreign))
			forwarding_off(r->standin->forwarding, l->l.name);
}

void standin_stop(struct router *r)
{
	if (!r->standin)
		return;
	loop_timer_del(r->standin->settle);
	if (r->standin->forwarding)
		forwarding_sweep(r->standin->forwarding, NULL, NULL);
	forwarding_destroy(r->standin->forwarding);
	free(r->standin);
	r->standin = NULL;
}

/* ---- taking back */

/* Flows that the process before has left us are there already, only older than they know, maybe.
 * Packets first: what Linux alone knows comes with standin_settle(). */
void standin_take_back(struct router *r)
{
	if (!standin_is_anywhere(r->conf))
		return;
	for (unsigned w = 0; w < r->nworkers && !r->adopted; w++)
		worker_hold(r->worker[w]);
	if (!r->adopted)
		standin_take(r, false);
	else if (r->st)
		flows_resume(r->st, flow_tick(r->st->flows, clock_now()));
}

void standin_settle(struct router *r)
{
	for (unsigned w = 0; w < r->nworkers; w++)
		worker_go_on(r->worker[w]);
	if (standin_is_anywhere(r->conf))
		loop_timer_set(r->standin->settle, clock_now() + SETTLE_NS);
}

void standin_resume(struct router *r)
{
	bool any = false;

	for (unsigned w = 0; w < r->nworkers; w++)
		any |= worker_waits(r->worker[w]);
	if (!any)
		return;
	standin_take(r, false);
	standin_settle(r);
}

unsigned standin_cleanup(const char *run_dir)
{
	struct forwarding *f;
	char path[160];
	unsigned n;

	file_of(run_dir, path, sizeof(path));
	if (forwarding_create(path, &f))
		return 0;
	n = forwarding_sweep(f, NULL, NULL);
	forwarding_destroy(f);
	return n;
}
