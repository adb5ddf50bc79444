// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policers there are, by name and parameters (police.h), and a packet's way through one.
 * [control] but for police_packet() and police_info().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/counters.h"
#include "router/net/qdisc/police_internal.h"

struct policers {
	struct policer **v; /* in the order of their making */
	unsigned n, room;
	struct table by_name;
	uint64_t build;
};

int policers_create(struct policers **out)
{
	struct policers *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (table_init(&p->by_name)) {
		free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

static void policer_free(struct policer *p)
{
	free(p->name);
	free(p);
}

void policers_destroy(struct policers *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++)
		policer_free(p->v[i]);
	table_fini(&p->by_name);
	free(p->v);
	free(p);
}

void policers_build_begin(struct policers *p)
{
	p->build++;
}

void policers_sweep(struct policers *p)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (p->v[i]->used == p->build) {
			p->v[kept++] = p->v[i];
			continue;
		}
		table_del(&p->by_name, &p->v[i]->node);
		policer_free(p->v[i]);
	}
	p->n = kept;
}

/* What becomes of the colours is the filter's affair. */
static bool same_parameters(const struct conf_police *a, const struct conf_police *b)
{
	return a->rate == b->rate && a->burst == b->burst && a->peakrate == b->peakrate &&
	       a->peakburst == b->peakburst && a->excess == b->excess && a->mtu == b->mtu &&
	       a->packet_rate == b->packet_rate && a->packet_burst == b->packet_burst &&
	       a->color_aware == b->color_aware && a->size.overhead == b->size.overhead &&
	       a->size.mpu == b->size.mpu && a->size.linklayer == b->size.linklayer;
}

/* Appended, so that no place can fail once it is in the table. */
static struct policer *make(struct policers *p, const char *name, const struct conf_police *c)
{
	struct policer *new;

	if (p->n == p->room) {
		unsigned room = p->room ? 2 * p->room : 16;
		struct policer **v = realloc(p->v, room * sizeof(*v));

		if (!v)
			return NULL;
		p->v = v;
		p->room = room;
	}
	new = aligned_alloc(64, sizeof(*new));
	if (!new)
		return NULL;
	*new = (struct policer){ .conf = *c, .shared = c->name[0] };
	new->name = strdup(name);
	if (!new->name) {
		free(new);
		return NULL;
	}
	p->v[p->n++] = new;
	return new;
}

int police_get(struct policers *p, const char *place, const struct conf_police *c,
	       struct policer **out)
{
	const char *name = c->name[0] ? c->name : place;
	uint32_t hash = hash_bytes(name, strlen(name), c->name[0] != 0);
	struct policer *found = NULL, *new;
	struct meter m;

	for (struct table_node *n = table_find(&p->by_name, hash); n; n = table_find_next(n)) {
		struct policer *at = table_entry(n, struct policer, node);

		if (at->shared != !!c->name[0] || strcmp(at->name, name) != 0)
			continue;
		if (same_parameters(&at->conf, c))
			found = at;
		else if (at->used == p->build)
			return -EEXIST;
	}
	if (found) {
		found->used = p->build;
		*out = found;
		return 0;
	}
	if (meter_init(&m, c))
		return -EINVAL;
	new = make(p, name, c);
	if (!new)
		return -ENOMEM;
	new->meter = m;
	new->used = p->build;
	table_add(&p->by_name, &new->node, hash);
	*out = new;
	return 0;
}

enum police_colour police_packet(struct policer *p, uint32_t len, enum police_colour before,
				 uint64_t now, bool dry)
{
	enum police_colour colour;

	spin_lock(&p->lock);
	if (dry) {
		struct meter imagined = p->meter;

		colour = meter_packet(&imagined, len, before, now);
	} else {
		colour = meter_packet(&p->meter, len, before, now);
		counter_add(&p->packets[colour], 1);
		counter_add(&p->bytes[colour], len);
	}
	spin_unlock(&p->lock);
	return colour;
}

void police_info(const struct policer *p, struct police_info *out)
{
	*out = (struct police_info){ .name = p->name, .shared = p->shared, .conf = p->conf };
	for (unsigned i = 0; i < POLICE_COLOURS; i++) {
		out->packets[i] = counter_read(&p->packets[i]);
		out->bytes[i] = counter_read(&p->bytes[i]);
	}
}

const struct policer *police_at(const struct policers *p, unsigned i)
{
	return i < p->n ? p->v[i] : NULL;
}
