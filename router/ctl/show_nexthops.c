/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show nexthops: Linux's objects; of groups, who has how many buckets. [control] */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "router/ctl/rows.h"
#include "router/lib/clock.h"
#include "router/router.h"

const struct column show_nexthops_columns[] = {
	{ "id", "id", COL_NUMBER, false, "as routes name it by nhid" },
	{ "type", "type", COL_TEXT, false, "unicast, blackhole, fdb, group, resilient" },
	{ "hop", "next hop, or members", COL_JSON, false,
	  "via, dev and state; or the id, weight, buckets and state of each member" },
	{ "buckets", "buckets", COL_NUMBER, false, "of the group" },
	{ "idle_timer", "idle", COL_NUMBER, false,
	  "seconds without a packet, then a bucket may move" },
	{ "unbalanced_timer", "unbalanced", COL_NUMBER, false,
	  "seconds out of balance, then any may; 0: never" },
	{ "unbalanced_time", NULL, COL_NUMBER, false, "seconds it has been so" },
	{ "protocol", "protocol", COL_TEXT, false, "who made it" },
	{ "state", "state", COL_TEXT, false,
	  "active, or why no packet takes it; truncated: we do not "
	  "take so many members" },
	{ 0 },
};

const char *show_hop_state(const struct state *s, const struct netlink_hop *h)
{
	const struct link *l = state_link(s, h->ifindex);
	const struct adj *a = h->via.family ? adj_find(s, h->ifindex, &h->via) : NULL;

	if (h->encap)
		return "encap";
	if (!l || l->iface == IFACE_NONE)
		return "not-ours";
	if (!s->config->iface[l->iface].up || h->flags & RTNH_F_DEAD)
		return "down";
	if (!h->via.family)
		return "connected";
	if (a && a->dead)
		return "failed";
	return a && a->state == NH_RESOLVED ? "reachable" : "unresolved";
}

bool show_hop_works(const char *state)
{
	return !strcmp(state, "reachable") || !strcmp(state, "connected");
}

static const char *type_of(const struct nexthop_object *o)
{
	if (o->n.fdb)
		return "fdb";
	if (o->n.blackhole)
		return "blackhole";
	return o->n.resilient ? "resilient" : o->is_group ? "group" : "unicast";
}

/* ---- one next hop */

static const char *row_hop(const struct state *s, struct row *row, const struct nexthop_object *o)
{
	const struct netlink_hop *h = &o->n.hop;
	const struct link *l = state_link(s, h->ifindex);
	const char *state = o->n.blackhole || o->n.fdb ? "active" : show_hop_state(s, h);
	json_t *hop = json_object();
	char via[ADDR_STRLEN] = "", text[ADDR_STRLEN + IFNAMSIZ + 16] = "-";

	if (h->via.family)
		addr_format(&h->via, via);
	json_object_set_new(hop, "via", via[0] ? json_string(via) : json_null());
	json_object_set_new(hop, "dev", l ? json_string(l->l.name) : json_null());
	json_object_set_new(hop, "state", json_string(state));
	if (h->ifindex || via[0])
		snprintf(text, sizeof(text), "%s%s%sdev %s", via[0] ? "via " : "", via,
			 via[0] ? " " : "", l ? l->l.name : "?");
	row_json(row, "hop", hop, text);
	return state;
}

/* ---- a group */

static const char *member_state(const struct state *s, const struct nexthop_object *g, unsigned i)
{
	struct netlink_hop h;

	if (object_member(s, g, i, &h))
		return show_hop_state(s, &h);
	return object_find(s, g->n.members[i].id) ? "no-next-hop" : "unknown";
}

static const char *row_members(const struct state *s, struct row *row,
			       const struct nexthop_object *g)
{
	uint32_t count[NETLINK_HOPS_MAX];
	unsigned buckets = object_buckets(s, g, count);
	json_t *all = json_array();
	char text[512] = "";
	bool any = false;
	size_t n = 0;

	for (unsigned i = 0; i < g->n.nmembers; i++) {
		const char *state = member_state(s, g, i);
		json_t *one = json_object();

		json_object_set_new(one, "id", json_integer(g->n.members[i].id));
		json_object_set_new(one, "weight", json_integer(g->n.members[i].weight));
		json_object_set_new(one, "buckets", json_integer(count[i]));
		json_object_set_new(one, "state", json_string(state));
		json_array_append_new(all, one);
		any |= count[i] && (show_hop_works(state) || !strcmp(state, "unresolved"));
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u weight %u has %u",
					      n ? ", " : "", g->n.members[i].id,
					      g->n.members[i].weight, count[i]);
		if (!show_hop_works(state) && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, " (%s)", state);
	}
	row_json(row, "hop", all, text);
	row_unsigned(row, "buckets", buckets);
	return g->n.truncated ? "truncated" : any ? "active" : "down";
}

static void row_resilient(struct row *row, const struct resilient *r)
{
	uint64_t now = clock_now(), since = r->unbalanced_at;

	row_unsigned(row, "idle_timer", r->idle / NSEC_PER_SEC);
	row_unsigned(row, "unbalanced_timer", r->unbalanced / NSEC_PER_SEC);
	row_unsigned(row, "unbalanced_time",
		     since && since < now ? (now - since) / NSEC_PER_SEC : 0);
}

/* ---- all */

/* A walk by hash bucket, as that of the neighbours. */
int show_nexthops(struct router *r, const struct request *q, struct cursor *cur,
		  struct command_ctx *c)
{
	const struct table *t = &r->state->objects;

	(void)q;
	for (unsigned n = 0; cur->i <= t->mask; cur->i++) {
		if (n >= ROWS_A_CALL)
			return COMMAND_MORE;
		for (struct table_node *x = t->bucket[cur->i]; x; x = x->next) {
			const struct nexthop_object *o =
				table_entry(x, struct nexthop_object, node);
			struct row *row = command_row(c);

			row_unsigned(row, "id", o->n.id);
			row_text(row, "type", type_of(o));
			row_protocol(row, o->n.protocol);
			row_text(row, "state",
				 o->is_group ? row_members(r->state, row, o)
					     : row_hop(r->state, row, o));
			if (o->res)
				row_resilient(row, o->res);
			n++;
		}
	}
	return COMMAND_DONE;
}
