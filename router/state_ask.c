/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking Linux for neighbours; see state.h.
 *
 * Who sends packets to many addresses of a connected network, most of which nobody has, asks for
 * as many neighbours. Each of them would be an entry of Linux's table for seconds, and a table over
 * its limits (gc_thresh2, 512 by default) forgets the oldest first, which are those in use. So what
 * stands there because of us is bounded (RFC 6583 7):
 *
 *   - Strangers that are asked for at a time: ASKING_MAX, and on one interface no more than are
 * left to all others. So one link under attack has at most half, and a second one finds room.
 *   - How many begin on an interface, a second: for a network whose hosts all answer.
 *   - Those Linux has given up on: the last FAILED_KEPT may be looked at, older ones it is told to
 *     forget.
 *
 * Gateways, and hosts that were resolved before, are asked for whatever happens. Workers hold
 * packets for even fewer neighbours (net/hold.h), and ask again: nothing is remembered of who found
 * no room here. [control]
 */
#include "router/state.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "router/lib/clock.h"

#define ASK_EVERY  (50 * NSEC_PER_MSEC) /* one neighbour, at most */
#define ASKED_FOR  (5 * NSEC_PER_SEC)	/* Linux has said by then what became of it */
#define ASKING_MAX 320
#define ASK_RATE   200 /* strangers on an interface, a second */
#define ASK_BURST  200

/* A neighbour that somebody set by hand must not be asked for: it would cease to be permanent. So
 * nobody is, while we wait for the dump that tells. */
static bool may_ask(const struct state *s, const struct adj *a)
{
	return s->nl && !s->neighs_unknown && !(a && a->nud & NUD_PERMANENT);
}

static int ask(struct state *s, struct adj *a, uint64_t now)
{
	if (now - a->asked_at < ASK_EVERY || !may_ask(s, a))
		return 0;
	a->asked_at = now;
	return netlink_neigh_use(s->nl, a->ifindex, &a->addr, a->managed);
}

/* ---- gateways */

/* Have Linux resolve it now and keep it fresh. */
void adj_manage(struct state *s, struct adj *a)
{
	if (a->managed || !may_ask(s, a) || !s->config->iface[a->iface].up)
		return;
	a->managed = true;
	a->asked_at = clock_now();
	netlink_neigh_use(s->nl, a->ifindex, &a->addr, true);
}

void adj_unmanage(struct state *s, struct adj *a)
{
	if (a->managed && s->nl)
		netlink_neigh_unmanage(s->nl, a->ifindex, &a->addr);
	a->managed = false;
}

/* ---- others */

static bool token(struct ask_limit *l, uint64_t now)
{
	uint64_t add = (now - l->at) / (NSEC_PER_SEC / ASK_RATE);

	if (add >= ASK_BURST) {
		l->tokens = ASK_BURST;
		l->at = now;
	} else {
		l->tokens += (uint32_t)add;
		l->tokens = l->tokens < ASK_BURST ? l->tokens : ASK_BURST;
		l->at += add * (NSEC_PER_SEC / ASK_RATE);
	}
	if (!l->tokens)
		return false;
	l->tokens--;
	return true;
}

static bool ask_stranger(struct state *s, uint16_t iface, uint64_t now)
{
	struct ask_limit *l = &s->ask[iface];

	return s->asking < ASKING_MAX && l->asking < ASKING_MAX - s->asking && token(l, now);
}

static void asked_begin(struct state *s, struct adj *a)
{
	if (a->asking)
		return;
	a->asking = true;
	s->asking++;
	s->ask[a->iface].asking++;
}

/* Linux has said what became of it. */
void adj_asked_end(struct state *s, struct adj *a)
{
	if (!a->asking)
		return;
	a->asking = false;
	s->asking--;
	s->ask[a->iface].asking--;
}

/* Solicitations go to a group made of the neighbour's address, which is an entry of its own in
 * Linux's table (RFC 4291 2.7.1). */
static struct addr solicited_node(const struct addr *a)
{
	uint8_t group[16] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };

	memcpy(group + 13, a->bytes + 13, 3);
	return addr_v6(group);
}

static void forget(struct state *s, const struct adj *a)
{
	struct addr group = solicited_node(&a->addr);

	if (a->refs || !(a->nud & NUD_FAILED) || !s->nl)
		return;
	netlink_neigh_forget(s->nl, a->ifindex, &a->addr);
	if (a->addr.family == AF_INET6)
		netlink_neigh_forget(s->nl, a->ifindex, &group);
}

/* Linux keeps an entry it has given up on until its table is large. */
void adj_failed(struct state *s, const struct adj *a)
{
	struct failed *f = &s->failed;
	const struct adj *old;

	if (a->refs)
		return;
	if (f->v[f->next].ifindex) {
		old = adj_find(s, f->v[f->next].ifindex, &f->v[f->next].addr);
		if (old && old != a)
			forget(s, old);
	}
	f->v[f->next].ifindex = a->ifindex;
	f->v[f->next].addr = a->addr;
	f->next = (f->next + 1) % FAILED_KEPT;
}

static void resolve(struct state *s, const struct link *l, const struct dp_message *m)
{
	struct adj *a = adj_find(s, l->l.ifindex, &m->addr);
	uint64_t now = clock_now();

	if (a && a->refs) {
		ask(s, a, now);
		return;
	}
	if (!may_ask(s, a) || (a && a->asking)) /* Linux is at it */
		return;
	if (!m->sure && !ask_stranger(s, m->iface, now))
		return;
	a = a ? a : adj_get(s, l, &m->addr);
	if (!a)
		return;
	asked_begin(s, a);
	if (ask(s, a, now)) {
		adj_asked_end(s, a);
		adj_release(s, a);
	}
}

void state_resolve(struct state *s, const struct dp_message *m)
{
	const struct dp_iface *f = &s->config->iface[m->iface];
	const struct link *l = m->iface < s->config->nifaces ? state_link(s, f->ifindex) : NULL;

	if (!l || l->iface != m->iface)
		return;
	if (!s->neighs_unknown)
		resolve(s, l, m);
	else if (s->nunasked < UNASKED_MAX) /* a packet waits: not to be forgotten */
		s->unasked[s->nunasked++] = *m;
}

/* ---- what Linux knows already */

void neighs_ask_linux(struct state *s)
{
	s->neighs_unknown = true;
	netlink_resync(s->nl);
}

void neighs_known(struct state *s)
{
	uint32_t b = 0;

	s->neighs_unknown = false;
	for (struct table_node *n = table_walk(&s->adjs, &b, NULL); n;
	     n = table_walk(&s->adjs, &b, n))
		if (table_entry(n, struct adj, node)->refs)
			adj_manage(s, table_entry(n, struct adj, node));
	for (unsigned i = 0; i < s->nunasked; i++)
		state_resolve(s, &s->unasked[i]);
	s->nunasked = 0;
}

/* Gateways are kept fresh by Linux once asked; other neighbours when packets went to them: Linux
 * does not see those packets and would let the entry grow stale. */
static void upkeep(struct state *s, struct adj *a, uint64_t now)
{
	struct nh *h = s->nht.slot[a->slot];
	bool used = __atomic_load_n(&h->used, __ATOMIC_RELAXED);

	if (!s->config->iface[a->iface].up)
		return;
	if (a->refs && !a->managed)
		adj_manage(s, a);
	else if (a->refs && a->state != NH_RESOLVED)
		ask(s, a, now);
	else if (used && !a->managed && a->nud & (NUD_STALE))
		ask(s, a, now);
	__atomic_store_n(&h->used, 0, __ATOMIC_RELAXED);
}

void state_neighbours_upkeep(struct state *s)
{
	uint64_t now = clock_now();
	uint32_t b = 0;

	for (struct table_node *n = table_walk(&s->adjs, &b, NULL), *next; n; n = next) {
		struct adj *a = table_entry(n, struct adj, node);

		next = table_walk(&s->adjs, &b, n);
		upkeep(s, a, now);
		if (a->asking && now - a->asked_at > ASKED_FOR) {
			adj_asked_end(s, a);
			adj_release(s, a);
		}
	}
}
