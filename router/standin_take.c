// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking back what Linux has carried on: see standin.h.
 *
 * First its translated connections are read and become flows of ours, while it still forwards; then
 * packets come to us again; then, a moment later, what it has begun meanwhile is taken over, too,
 * and it forgets them all. In between a packet may meet either of us: both translate it alike.
 *
 * Flows are made by workers, a few a turn, since a record belongs to a worker's wheel; control
 * waits for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "router/ctl/conntrack.h"
#include "router/flows.h"
#include "router/lib/log.h"
#include "router/lib/rcu.h"
#include "router/router.h"
#include "router/standin_internal.h"

#define TABLE_MAIN   254
#define PATIENCE     (2 * NSEC_PER_SEC)
#define LOOK_EVERY   (NSEC_PER_MSEC / 2)
#define GATHERED_MAX (4u << 20)

struct gathered {
	const struct router *r;
	struct conntrack_entry *entry;
	size_t n, room;
	bool full;
};

/* ---- which are ours */

/* Others may have NAT of their own in Linux. Ours is for hosts behind interfaces it stands in for.
 */
static bool is_ours(const struct router *r, const struct conntrack_entry *e)
{
	bool snat = e->state & FLOW_SNAT;
	const struct flow_key *k = snat ? &e->orig : &e->reply;
	struct addr inside = { .family = k->family };
	const struct route *route;

	memcpy(inside.bytes, k->src, k->family == AF_INET6 ? 16 : 4);
	route = state_route_for(r->state, TABLE_MAIN, &inside);
	for (unsigned i = 0; route && i < route->path->nhops; i++) {
		const struct link *l = state_link(r->state, route->path->hops[i].hop.ifindex);

		if (l && standin_has(r, l))
			return true;
	}
	return false;
}

static bool make_room(struct gathered *g)
{
	size_t room = g->room ? 2 * g->room : 256;
	struct conntrack_entry *more;

	if (g->n < g->room)
		return true;
	more = room > GATHERED_MAX ? NULL : reallocarray(g->entry, room, sizeof(*more));
	if (!more)
		return false;
	g->entry = more;
	g->room = room;
	return true;
}

static void gather(void *arg, const struct conntrack_entry *e)
{
	struct gathered *g = arg;

	if (!(e->state & (FLOW_SNAT | FLOW_DNAT)) || !is_ours(g->r, e))
		return;
	if (make_room(g))
		g->entry[g->n++] = *e;
	else
		g->full = true;
}

/* ---- to the workers */

static bool is_done(const struct router *r)
{
	for (unsigned w = 0; w < r->nworkers; w++)
		if (__atomic_load_n(&r->worker[w]->taking, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* Until all have, or for so long: then one hangs, and what is left is left. */
static void wait_for_workers(struct router *r)
{
	const struct timespec nap = { .tv_nsec = LOOK_EVERY };

	for (uint64_t waited = 0; !is_done(r) && waited < PATIENCE; waited += LOOK_EVERY)
		nanosleep(&nap, NULL);
	if (is_done(r))
		return;
	for (unsigned w = 0; w < r->nworkers; w++)
		__atomic_store_n(&r->worker[w]->taking, NULL, __ATOMIC_RELEASE);
	rcu_wait();
}

/* How many became flows, or were some already. */
static unsigned hand_over(struct router *r, const struct flow_taken *flow, unsigned n)
{
	struct flows_taking part[WORKERS_MAX];
	unsigned done = 0;

	for (unsigned w = 0; w < r->nworkers; w++) {
		unsigned from = (unsigned)((uint64_t)n * w / r->nworkers);
		unsigned to = (unsigned)((uint64_t)n * (w + 1) / r->nworkers);

		part[w] = (struct flows_taking){ .flow = flow + from, .n = to - from };
		__atomic_store_n(&r->worker[w]->taking, &part[w], __ATOMIC_RELEASE);
		worker_wake(r->worker[w]);
	}
	wait_for_workers(r);
	for (unsigned w = 0; w < r->nworkers; w++)
		done += part[w].at - part[w].refused;
	return done;
}

static void take(struct router *r, const struct gathered *g)
{
	struct flow_taken *flow = calloc(g->n, sizeof(*flow));
	unsigned done = 0;

	for (size_t i = 0; flow && i < g->n; i++)
		flow[i] = (struct flow_taken){ .orig = g->entry[i].orig,
					       .reply = g->entry[i].reply,
					       .state = g->entry[i].state };
	if (flow)
		done = hand_over(r, flow, (unsigned)g->n);
	free(flow);
	log_notice("Linux stood in: %u of its %zu translated connections go on here%s", done, g->n,
		   g->full ? "; there were more" : "");
}

void standin_take(struct router *r, bool forget)
{
	struct gathered g = { .r = r };
	char why[CONNTRACK_WHY];
	int err;

	if (!r->policy || !r->policy->nat || !standin_is_anywhere(r->conf))
		return;
	err = conntrack_read(gather, &g, why);
	if (err)
		log_warn("connections that Linux has translated cannot be read: %s", why);
	if (g.n)
		take(r, &g);
	if (g.n && forget)
		err = conntrack_forget(g.entry, g.n);
	if (err && forget)
		log_warn("Linux keeps connections it has translated: %s", strerror(-err));
	free(g.entry);
}
