/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feasible reverse paths (requirement F5): a source is good by any route of its prefix, also by one
 * whose metric is too high for packets to take it. But a lookup finds only the best.
 *
 * So while some interface says `rp-filter: feasible`, a prefix with several routes has a slot of
 * its own: what the path of its best route holds, and in the struct nh_reach the interfaces of all.
 * Such a slot is shared by prefixes whose routes have the same paths, in the same order, and lives
 * until the first of these paths goes: then no prefix has all of them any more, and the FIBs know.
 * All this costs nothing while no interface asks for it. [control]
 */
#include "router/state.h"

#include <stdlib.h>
#include <string.h>

#include "config/conf.h"

#define WIDE_PATHS 64 /* of one prefix; further ones are not feasible */

struct wide {
	struct table_node node; /* by paths */
	uint32_t slot;
	unsigned npaths;
	struct path *path[]; /* the best route's first */
};

static uint32_t wide_hash(struct path *const *path, unsigned n)
{
	return hash_bytes(path, n * sizeof(*path), n);
}

static bool has_path(struct path *const *path, unsigned n, const struct path *p)
{
	for (unsigned i = 0; i < n; i++)
		if (path[i] == p)
			return true;
	return false;
}

/* What packets do is what they do by the best path. */
static void wide_store(struct state *s, const struct wide *w)
{
	const struct nh *best = s->nht.slot[w->path[0]->slot];
	struct nh *n = malloc(nh_reach_at(best));
	struct nh_reach r = { 0 };

	if (!n)
		return;
	memcpy(n, best, nh_reach_at(best));
	path_reach(s, w->path[0], r.best);
	for (unsigned i = 0; i < w->npaths; i++)
		path_reach(s, w->path[i], r.feasible);
	n = nh_with_reach(n, &r);
	if (n)
		slot_store(s, w->slot, n);
}

static struct wide *wide_create(struct state *s, struct path *const *path, unsigned n)
{
	struct wide *w = calloc(1, sizeof(*w) + n * sizeof(w->path[0]));

	if (!w)
		return NULL;
	w->npaths = n;
	memcpy(w->path, path, n * sizeof(w->path[0]));
	w->slot = slot_alloc(s);
	if (w->slot)
		wide_store(s, w);
	if (!w->slot || !s->nht.slot[w->slot]) {
		slot_release(s, w->slot);
		free(w);
		return NULL;
	}
	for (unsigned i = 0; i < n; i++)
		path[i]->nwide++;
	table_add(&s->wides, &w->node, wide_hash(path, n));
	return w;
}

static void wide_destroy(struct state *s, struct wide *w)
{
	for (unsigned i = 0; i < w->npaths; i++)
		w->path[i]->nwide--;
	table_del(&s->wides, &w->node);
	slot_release(s, w->slot);
	free(w);
}

static struct wide *wide_get(struct state *s, struct path *const *path, unsigned n)
{
	struct table_node *at = table_find(&s->wides, wide_hash(path, n));

	for (; at; at = table_find_next(at)) {
		struct wide *w = table_entry(at, struct wide, node);

		if (w->npaths == n && !memcmp(w->path, path, n * sizeof(*path)))
			return w;
	}
	return wide_create(s, path, n);
}

uint32_t feasible_slot(struct state *s, const struct route *best)
{
	const struct route *r = state_route_exact(s, best->table, &best->dst);
	struct path *path[WIDE_PATHS] = { best->path };
	const struct wide *w;
	unsigned n = 1;

	if (!s->feasible)
		return best->path->slot;
	for (; r && n < WIDE_PATHS; r = r->next)
		if (!has_path(path, n, r->path))
			path[n++] = r->path;
	w = n > 1 ? wide_get(s, path, n) : NULL;
	return w ? w->slot : best->path->slot;
}

void feasible_follow(struct state *s, const struct path *p)
{
	uint32_t b = 0;

	if (!p->nwide)
		return;
	for (struct table_node *n = table_walk(&s->wides, &b, NULL); n;
	     n = table_walk(&s->wides, &b, n)) {
		struct wide *w = table_entry(n, struct wide, node);

		if (has_path(w->path, w->npaths, p))
			wide_store(s, w);
	}
}

void feasible_forget(struct state *s, const struct path *p)
{
	uint32_t b = 0;

	for (struct table_node *n = p->nwide ? table_walk(&s->wides, &b, NULL) : NULL, *next; n;
	     n = next) {
		struct wide *w = table_entry(n, struct wide, node);

		next = table_walk(&s->wides, &b, n);
		if (has_path(w->path, w->npaths, p))
			wide_destroy(s, w);
	}
}

void feasible_want(struct state *s, const struct dp_config *c)
{
	bool wanted = false;

	for (unsigned i = 0; i < c->nifaces; i++)
		wanted |= c->iface[i].rp_filter == CONF_RP_FEASIBLE;
	if (wanted == s->feasible)
		return;
	s->feasible = wanted;
	for (const struct route *r = s->first; r; r = r->next_all)
		if (r->next)
			fib_refresh(s, r->table, &r->dst);
}
