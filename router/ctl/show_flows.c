/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show conntrack, show conntrack stats, flush conntrack.
 *
 * The table may hold a million flows, and packets go on meanwhile: a command walks a part of it and
 * lets the loop turn, with its place and its filter in the cursor. What it reads of a record is a
 * copy; the record stays where it is until control itself ends a grace period. [control]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/flow_filter.h"
#include "router/ctl/flow_text.h"
#include "router/ctl/rows.h"
#include "router/net/frag.h"
#include "router/router.h"

#define LOOK_A_CALL 1024 /* flows looked at, whether they match or not: some 100 us */

/* ---- walking */
struct walk {
	struct flow_filter filter;
	uint32_t at;	  /* of flow_walk() */
	uint64_t removed; /* by flush */
};

/* The walk under way; on the first call a new one. NULL: refused, with *err. */
static struct walk *walk_of(const struct request *q, struct cursor *cur, struct command_ctx *c,
			    int *err)
{
	struct walk *w = cur->data;

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	*err = w ? flow_filter_parse(q, &w->filter, c) : -ENOMEM;
	if (*err) {
		free(w);
		return NULL;
	}
	cur->data = w;
	return w;
}

/* One flow that matches; or FLOW_NONE: there are no more, or *look went down to 0. */
static uint32_t walk_next(struct walk *w, const struct flow_table *t, uint32_t tick, unsigned *look,
			  struct ct_event *e)
{
	while (*look) {
		uint32_t index = flow_walk(t, &w->at);

		if (index == FLOW_NONE)
			return FLOW_NONE;
		--*look;
		ct_event_copy(t, index, tick, e);
		if (flow_filter_match(&w->filter, e))
			return index;
	}
	return FLOW_NONE;
}

/* A flow whose time is over is gone to everybody, though its memory is not yet. */
static bool is_over(const struct ct_event *e)
{
	return e->left == 0;
}

/* ---- show */
const struct column show_conntrack_columns[] = {
	{ "family", NULL, COL_TEXT, false, "ipv4 or ipv6" },
	{ "proto", "proto", COL_TEXT, false, "protocol, or its number" },
	{ "state", "state", COL_TEXT, false, "of TCP, as conntrack has them" },
	{ "timeout", "timeout", COL_NUMBER, false, "seconds until it expires" },
	{ "assured", NULL, COL_BOOL, false, "never evicted to make room" },
	{ "mark", NULL, COL_NUMBER, false, "of the connection" },
	{ "zone", NULL, COL_NUMBER, false, "of the connection: 0, or its VRF's table" },
	{ "orig", "flow", COL_JSON, false, "as it began: src, dst, sport, dport, packets, bytes" },
	{ "reply", NULL, COL_JSON, false, "as answers come in: the same keys" },
	{ 0 },
};

static void flow_row(const struct ct_event *e, const struct request *q, struct command_ctx *c)
{
	char text[FLOW_SHORT_STRLEN];

	row_flow(command_row(c), e, flow_short(e, q->statistics, text));
}

const struct column show_conntrack_lines_columns[] = {
	{ "line", "", COL_TEXT, false, "as `conntrack -L` prints it" },
	{ 0 },
};

static void line_row(const struct ct_event *e, const struct request *q, struct command_ctx *c)
{
	char text[FLOW_LINE_STRLEN];

	(void)q;
	row_text(command_row(c), "line", flow_list_line(e, text));
}

typedef void flow_row_fn(const struct ct_event *e, const struct request *q, struct command_ctx *c);

static int show_flows(struct router *r, const struct request *q, struct cursor *cur,
		      struct command_ctx *c, flow_row_fn *print)
{
	unsigned rows = 0, look = LOOK_A_CALL;
	int err = 0;
	struct walk *w = walk_of(q, cur, c, &err);
	const struct flow_table *t;
	struct ct_event e;
	uint32_t tick;

	if (!w || !r->st)
		return err;
	t = r->st->flows;
	tick = flow_tick(t, clock_now());
	while (rows < ROWS_A_CALL && walk_next(w, t, tick, &look, &e) != FLOW_NONE) {
		if (is_over(&e))
			continue;
		print(&e, q, c);
		rows++;
	}
	return rows == ROWS_A_CALL || !look ? COMMAND_MORE : COMMAND_DONE;
}

int show_conntrack(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	return show_flows(r, q, cur, c, flow_row);
}

int show_conntrack_lines(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	const char *format = q->arg[FLOW_FILTER_ARGS];

	if (strcmp(format, "conntrack") != 0)
		return command_fail(c, -EINVAL, "format \"%.64s\" is unknown; there is: conntrack",
				    format);
	return show_flows(r, q, cur, c, line_row);
}

/* ---- stats */
const struct column show_conntrack_stats_columns[] = {
	{ "live", "live", COL_NUMBER, false, "flows there are" },
	{ "max", "max", COL_NUMBER, false, "flows there may be" },
	{ "ipv4", "ipv4 records", COL_NUMBER, false, "live, and dead in their grace period" },
	{ "ipv6", "ipv6 records", COL_NUMBER, false, "live, and dead in their grace period" },
	{ "bytes", "memory", COL_BYTES, false, "of records and hash" },
	{ "made", "made", COL_NUMBER, false, "flows since the start" },
	{ "gone", "gone", COL_NUMBER, false, "of these, expired or removed" },
	{ "early_dropped", "early dropped", COL_NUMBER, false, "to make room, not assured" },
	{ "refused_full", "refused: full", COL_NUMBER, false, "no room could be made" },
	{ "refused_source", "refused: source", COL_NUMBER, false, "its source had too many" },
	{ "refused_zone", "refused: zone", COL_NUMBER, false, "its zone had too many" },
	{ "clashes", "clashes", COL_NUMBER, false, "the reply tuple was another flow's" },
	{ "adopted", "adopted", COL_NUMBER, false, "another worker had made the same flow" },
	{ "fragments", "fragments", COL_JSON, false, "virtual reassembly: under way, and so far" },
	{ 0 },
};

static void row_fragments(struct row *row, const struct frags *f)
{
	struct frag_stats s;
	char text[64];

	frags_stats(f, &s);
	snprintf(text, sizeof(text), "of %u datagrams, %u held", s.datagrams, s.held);
	row_json(row, "fragments",
		 json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "datagrams",
			   (json_int_t)s.datagrams, "held", (json_int_t)s.held, "known",
			   (json_int_t)s.known, "waited", (json_int_t)s.waited, "overlaps",
			   (json_int_t)s.overlaps, "tiny", (json_int_t)s.tiny, "too_many",
			   (json_int_t)s.too_many, "too_many_of_source",
			   (json_int_t)s.too_many_of_source, "timed_out", (json_int_t)s.timed_out),
		 text);
}

static uint64_t refused_zone(const struct router *r)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < r->nworkers; w++)
		n += counter_read(&r->worker[w]->count->drop[DROP_CT_ZONE_LIMIT]);
	return n;
}

int show_conntrack_stats(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	struct row *row = command_row(c);
	struct flow_stats s = { 0 };

	(void)q;
	(void)cur;
	if (r->st)
		flow_table_stats(r->st->flows, &s);
	row_unsigned(row, "live", s.live);
	row_unsigned(row, "max", s.max);
	row_unsigned(row, "ipv4", s.ipv4);
	row_unsigned(row, "ipv6", s.ipv6);
	row_unsigned(row, "bytes", s.bytes);
	row_unsigned(row, "made", s.made);
	row_unsigned(row, "gone", s.gone);
	row_unsigned(row, "early_dropped", s.early_dropped);
	row_unsigned(row, "refused_full", s.refused_full);
	row_unsigned(row, "refused_source", s.refused_source);
	row_unsigned(row, "refused_zone", refused_zone(r));
	row_unsigned(row, "clashes", s.clashes);
	row_unsigned(row, "adopted", s.adopted);
	if (r->st && r->st->frags)
		row_fragments(row, r->st->frags);
	return COMMAND_DONE;
}

/* ---- flush */

/* Owners that sleep would bury what was killed when the next packet comes. */
static void wake_workers(struct router *r)
{
	for (unsigned w = 0; w < r->nworkers; w++)
		worker_wake(r->worker[w]);
}

int flush_conntrack(struct router *r, const struct request *q, struct cursor *cur,
		    struct command_ctx *c)
{
	unsigned look = LOOK_A_CALL;
	int err = 0;
	struct walk *w = walk_of(q, cur, c, &err);
	struct flow_table *t;
	struct ct_event e;
	uint32_t index, tick;

	if (!w)
		return err;
	t = r->st ? r->st->flows : NULL;
	tick = t ? flow_tick(t, clock_now()) : 0;
	while (t && (index = walk_next(w, t, tick, &look, &e)) != FLOW_NONE) {
		flow_kill(t, index);
		w->removed += !is_over(&e);
	}
	if (look < LOOK_A_CALL)
		wake_workers(r);
	if (!look)
		return COMMAND_MORE;
	command_message(c, "%llu flow%s removed", (unsigned long long)w->removed,
			w->removed == 1 ? "" : "s");
	return COMMAND_DONE;
}
