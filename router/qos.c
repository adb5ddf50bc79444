// SPDX-License-Identifier: GPL-2.0-or-later
/* See qos.h. */
#include "router/qos.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/net/policy.h"
#include "router/router.h"
#include "router/shaper.h"
#include "router/stateful.h"

#define PATIENCE (2 * NSEC_PER_SEC) /* with a worker that shall change a tree */
#define NAP_NS	 20000

/* The owner does it at its next turn. */
static bool await_owner(void *arg, const struct shaper *s)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	const struct router *r = arg;

	for (uint64_t end = clock_now() + PATIENCE; clock_now() < end; nanosleep(&nap, NULL)) {
		if (!shaper_is_busy(s))
			return true;
		worker_wake(r->worker[s->owner]);
	}
	log_err("worker %u does not turn: its tree of qdiscs stays as it was", s->owner);
	return false;
}

static void env_of(struct router *r, const struct conf *c, struct qos_env *e)
{
	uint32_t need = ports_frames(r, c, r->nworkers);

	*e = (struct qos_env){ .conf = c,
			       .names = &r->names,
			       .sets = r->st ? r->st->sets : NULL,
			       .flows = r->st ? r->st->flows : NULL,
			       .frames = r->mem->frames,
			       .spare = r->mem->frames > need ? r->mem->frames - need : 0,
			       .nworkers = r->nworkers,
			       .worker = r->worker,
			       .wait = await_owner,
			       .arg = r };
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *p = &r->ports[i];
		const struct link *l;

		if (p->state == PORT_FREE || !p->wanted)
			continue;
		l = ports_find_link(r, &p->conf);
		e->port[i].iface = p->conf.name;
		e->port[i].mtu = l ? l->l.mtu : 0;
	}
}

int qos_check(struct router *r, const struct conf *c, char *why, size_t size)
{
	struct qos_env e;

	env_of(r, c, &e);
	return qos_try(&r->qos, &e, why, size);
}

/* Frames of a cross-connect come whole. */
void qos_ports_moved(const struct router *r)
{
	uint64_t whole = r->qos.published ? r->qos.published->whole : 0;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *p = &r->ports[i];

		if (p->state == PORT_OPEN && p->steer && steer_port_whole(p->steer, whole >> i & 1))
			log_err("%s: what it receives cannot be taken whole", p->conf.name);
	}
}

static bool names_it(const struct conf_mirror *m, unsigned n, const char *iface)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(m[i].from, iface) || !strcmp(m[i].to, iface))
			return true;
	return false;
}

static bool speaks_of(const struct conf *c, const char *iface)
{
	for (unsigned i = 0; i < c->nqos; i++)
		if (!strcmp(c->qos[i].iface, iface))
			return true;
	return names_it(c->mirrors, c->nmirrors, iface) ||
	       names_it(c->redirects, c->nredirects, iface);
}

/* They have no queue of their own: what is said of them is never met. */
static void warn_of_vlans(const struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *p = &r->ports[i];
		const struct link *l;

		if (p->state == PORT_FREE || !p->wanted || !speaks_of(r->conf, p->conf.name))
			continue;
		l = ports_find_link(r, &p->conf);
		if (l && !strcmp(l->l.kind, "vlan"))
			log_warn("%s is a VLAN: what qos, mirror and redirect say of it has no "
				 "effect; say it of its port, with vlan: {id: %u}",
				 p->conf.name, l->l.vlan_id);
	}
}

void qos_follow(struct router *r, struct conf *was)
{
	char why[512] = "";
	struct qos_env e;
	int err;

	env_of(r, r->conf, &e);
	err = qos_update(&r->qos, &e, why, sizeof(why));
	if (err) {
		log_err("qos: %s; shaping stays as it was", why[0] ? why : strerror(-err));
		if (!r->qos.kept) {
			r->qos.kept = was;
			return;
		}
	} else {
		qos_ports_moved(r);
		warn_of_vlans(r);
		stateful_judge_again(r); /* flows remember classes of before */
		conf_destroy(r->qos.kept);
		r->qos.kept = NULL;
	}
	conf_destroy(was);
}

void qos_stop(struct router *r)
{
	qos_fini(&r->qos, r->worker);
}

/* ---- for show */

const struct shaper *qos_shaper(const struct router *r, unsigned port, unsigned which)
{
	const struct qos_tree *at = &r->qos.tree[port][which];

	return at->conf ? at->shaper : NULL;
}

const struct conf_tree *qos_conf(const struct router *r, unsigned port, unsigned which)
{
	return r->qos.tree[port][which].shaper ? r->qos.tree[port][which].conf : NULL;
}

uint32_t qos_held(const struct router *r)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++)
			if (r->qos.tree[i][which].shaper)
				n += shaper_held(r->qos.tree[i][which].shaper);
	return n;
}
