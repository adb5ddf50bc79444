// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * monitor qos: in each interval a line for every class that sent, dropped or marked something, and
 * for the root of its tree: what it did in that interval, and what waits at its end.
 *
 * The client has a copy of the counters as they were at the last look. Buckets of sojourn times are
 * kept from the moment there are packets in them, so that fifty thousand idle classes cost a few
 * bytes each. A tree that comes or goes meanwhile is followed: what was not there at the last look
 * begins at nought, unless the whole tree is new to the client. [control]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/qos_list.h"
#include "router/ctl/rows.h"
#include "router/ctl/tc_options.h"
#include "router/lib/clock.h"
#include "router/net/qdisc/tree.h"

#define LOOK_A_CALL 4096
#define INTERVAL    1.0 /* s */
#define DAY	    86400.0

const struct column monitor_qos_columns[] = {
	{ "event", "", COL_JSON, false, "class or qdisc" },
	{ "dev", NULL, COL_TEXT, false, "port" },
	{ "direction", NULL, COL_TEXT, false, "egress, or ingress: of what the port receives" },
	{ "handle", NULL, COL_TEXT, false, "as tc has it" },
	{ "name", NULL, COL_TEXT, false, "of a class, in the configuration" },
	{ "took_ms", NULL, COL_NUMBER, false, "the interval, as it was" },
	{ "bytes", NULL, COL_NUMBER, false, "sent in that time" },
	{ "packets", NULL, COL_NUMBER, false, "sent in that time" },
	{ "rate", NULL, COL_NUMBER, false, "bytes/s" },
	{ "drops", NULL, COL_NUMBER, false, "packets, here and below" },
	{ "ecn_marked", NULL, COL_NUMBER, false, "packets marked instead of dropped" },
	{ "backlog", NULL, COL_NUMBER, false, "bytes waiting at the end" },
	{ "qlen", NULL, COL_NUMBER, false, "packets waiting at the end" },
	{ "p99_us", NULL, COL_NUMBER, false,
	  "the time that 99 % of its packets of this interval stayed below; null: none left" },
	{ 0 },
};

/* ---- what the client has seen */

struct look {
	uint32_t handle; /* 0: it was not there */
	uint64_t bytes, packets, drops, marked;
	struct sojourn *sojourn; /* NULL: no packets yet */
};

/* Of one tree: of each class by its index, of the root behind them all. */
struct looks {
	bool known; /* the client has seen all of it once */
	const struct qdisc_tree *tree;
	const struct conf_tree *conf;
	struct qos_where *where; /* in conf; NULL: no memory, so names are missing */
	uint32_t n;
	struct look *look;
};

struct monitor {
	uint64_t interval;   /* ns */
	uint64_t due;	     /* ns: of the next look */
	uint64_t last;	     /* ns: when the look under way, or the last one, began */
	uint64_t took;	     /* ns between that and the one before */
	char dev[CONF_NAME]; /* "": all */
	bool looking;
	unsigned place; /* where the look has got to */
	uint32_t at;
	struct looks of[QOS_PLACES];
};

static void looks_fini(struct looks *s)
{
	for (uint32_t i = 0; s->look && i <= s->n; i++)
		free(s->look[i].sojourn);
	free(s->look);
	free(s->where);
	*s = (struct looks){ 0 };
}

static void monitor_release(void *data)
{
	struct monitor *m = data;

	for (unsigned i = 0; i < QOS_PLACES; i++)
		looks_fini(&m->of[i]);
	free(m);
}

/* False: nothing is there, or no memory to look at it. */
static bool follow(struct looks *s, const struct qos_place *p)
{
	struct qclass *const *cls;
	uint32_t n = p->tree ? qos_classes(p->tree, &cls) : 0;
	struct look *more;

	if (s->tree != p->tree || n < s->n) /* trees do not shrink: it is another one */
		looks_fini(s);
	if (!p->tree)
		return false;
	s->tree = p->tree;
	if (s->conf != p->conf) {
		free(s->where);
		s->where = qos_where_make(p->conf);
		s->conf = p->conf;
	}
	more = qos_looks_resize(s->look, s->n, n, sizeof(*s->look));
	if (!more)
		return false;
	s->look = more;
	s->n = n;
	return true;
}

/* ---- a look at one of them */

struct now {
	uint32_t handle;
	const struct qdisc_stats *stats;
	const struct sojourn *sojourn;
	const struct qdisc *queue; /* where its packets wait; NULL: nowhere */
	bool root;
};

static uint64_t marked(const struct now *n)
{
	struct tc_figures f;

	if (n->root)
		return counter_read(&n->queue->tree->ecn_marked);
	if (!n->queue)
		return 0;
	tc_figures_of_qdisc(n->queue, &f);
	return (uint64_t)(tc_figure(&f, "ecn_mark") + tc_figure(&f, "ce_mark") +
			  tc_figure(&f, "marked"));
}

/* 99 % of what came into the buckets since stayed below that, in ns; 0: nothing did. */
static uint64_t p99_since(const struct now *n, const struct look *l)
{
	const struct sojourn *now = n->sojourn, *then = l->sojourn;
	uint64_t packets = counter_read(&n->stats->packets) - l->packets;
	struct sojourn since = { .packets = now->packets ? &packets : NULL };

	for (unsigned i = 0; i < SOJOURN_BUCKETS; i++)
		since.bucket[i] = __atomic_load_n(&now->bucket[i], __ATOMIC_RELAXED) -
				  (then ? then->bucket[i] : 0);
	return sojourn_percentile(&since, 99);
}

static void remember(struct look *l, const struct now *n)
{
	l->handle = n->handle;
	l->bytes = counter_read(&n->stats->bytes);
	l->packets = counter_read(&n->stats->packets);
	l->drops = counter_read(&n->stats->drops);
	l->marked = marked(n);
	if (!l->sojourn && l->packets)
		l->sojourn = malloc(sizeof(*l->sojourn));
	for (unsigned i = 0; l->sojourn && i < SOJOURN_BUCKETS; i++)
		l->sojourn->bucket[i] = __atomic_load_n(&n->sojourn->bucket[i], __ATOMIC_RELAXED);
}

static bool has_moved(const struct look *l, const struct now *n)
{
	return counter_read(&n->stats->packets) != l->packets ||
	       counter_read(&n->stats->drops) != l->drops;
}

static const char *name_of(const struct looks *s, uint32_t handle)
{
	const struct qos_where *w = s->where ? qos_where_find(s->where, s->conf, handle) : NULL;

	return w && CONF_MINOR(handle) ? s->conf->classes[w->i].name : "";
}

/* What it did since. */
struct move {
	uint64_t bytes, packets, drops, marked, rate, p99, backlog;
	uint32_t qlen;
};

static struct move move_of(const struct monitor *m, const struct look *l, const struct now *n)
{
	struct move v = {
		.bytes = counter_read(&n->stats->bytes) - l->bytes,
		.packets = counter_read(&n->stats->packets) - l->packets,
		.drops = counter_read(&n->stats->drops) - l->drops,
		.marked = marked(n) - l->marked,
		.p99 = p99_since(n, l),
		.backlog = n->queue ? counter_read(&n->queue->backlog) : 0,
		.qlen = n->queue ? __atomic_load_n(&n->queue->qlen, __ATOMIC_RELAXED) : 0,
	};

	v.rate = (uint64_t)((double)v.bytes * NSEC_PER_SEC / (double)m->took);
	return v;
}

static void print_move(char *buf, size_t size, const struct qos_place *p, const struct move *v,
		       const char *handle, const char *name)
{
	char rate[TC_STRLEN], backlog[TC_STRLEN], p99[TC_STRLEN];

	snprintf(buf, size,
		 "%s%s %s%s%s rate %s %" PRIu64 "p dropped %" PRIu64 " marked %" PRIu64
		 " backlog %s %up p99 %s",
		 p->dev, p->ingress ? " ifb" : "", handle, name[0] ? " " : "", name,
		 tc_rate(v->rate, rate), v->packets, v->drops, v->marked,
		 tc_size(v->backlog, backlog), v->qlen, v->p99 ? tc_time(v->p99 / 1000, p99) : "-");
}

static void move_row(const struct monitor *m, const struct qos_place *p, const struct looks *s,
		     const struct look *l, const struct now *n, struct command_ctx *c)
{
	struct move v = move_of(m, l, n);
	char text[3 * CONF_NAME + 8 * TC_STRLEN], handle[TC_STRLEN];
	const char *name = name_of(s, n->handle);
	struct row *row = command_row(c);

	tc_handle(n->handle, handle);
	print_move(text, sizeof(text), p, &v, handle, name);
	row_json(row, "event", json_string(n->root ? "qdisc" : "class"), text);
	row_text(row, "dev", p->dev);
	row_text(row, "direction", p->ingress ? "ingress" : "egress");
	row_text(row, "handle", handle);
	row_text(row, "name", name[0] ? name : NULL);
	row_unsigned(row, "took_ms", m->took / NSEC_PER_MSEC);
	row_unsigned(row, "bytes", v.bytes);
	row_unsigned(row, "packets", v.packets);
	row_unsigned(row, "rate", v.rate);
	row_unsigned(row, "drops", v.drops);
	row_unsigned(row, "ecn_marked", v.marked);
	row_unsigned(row, "backlog", v.backlog);
	row_unsigned(row, "qlen", v.qlen);
	if (v.p99)
		row_unsigned(row, "p99_us", v.p99 / 1000);
}

/* ---- a look at all */

static bool now_of(const struct looks *s, uint32_t i, struct now *out)
{
	const struct qdisc *root = s->tree->root;
	struct qclass *const *cls;

	if (i == s->n) {
		*out = (struct now){ root->handle, &root->stats, &s->tree->sojourn, root, true };
		return true;
	}
	if (i >= qos_classes(s->tree, &cls) || !cls[i])
		return false;
	*out = (struct now){ cls[i]->classid, &cls[i]->stats, cls[i]->sojourn, cls[i]->child,
			     false };
	return true;
}

/* One class, or the root. True: there was something to say. */
static bool look_at(const struct monitor *m, const struct qos_place *p, struct looks *s, uint32_t i,
		    struct command_ctx *c)
{
	struct look *l = &s->look[i];
	bool moved = false;
	struct now n;

	if (!now_of(s, i, &n)) {
		l->handle = 0;
		return false;
	}
	if (l->handle != n.handle) { /* another one: all it has done is new */
		free(l->sojourn);
		*l = (struct look){ .handle = n.handle };
	}
	moved = has_moved(l, &n);
	if (moved && s->known)
		move_row(m, p, s, l, &n, c);
	if (moved)
		remember(l, &n);
	return moved && s->known;
}

/* Goes on with a look. False: it is done. */
static bool look_on(struct router *r, struct monitor *m, struct command_ctx *c)
{
	unsigned rows = 0, looks = 0;
	struct qos_place p;

	for (; m->place < QOS_PLACES; m->place++, m->at = 0) {
		struct looks *s = &m->of[m->place];

		if (!qos_place(r, m->place, &p) || (m->dev[0] && strcmp(m->dev, p.dev) != 0))
			p.tree = NULL;
		if (!follow(s, &p))
			continue;
		for (; m->at <= s->n; m->at++) {
			if (rows == ROWS_A_CALL || looks++ == LOOK_A_CALL)
				return true;
			rows += look_at(m, &p, s, m->at, c);
		}
		s->known = true;
	}
	return false;
}

/* ---- the command */

static int monitor_begin(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	double seconds = INTERVAL;
	struct monitor *m;
	char *end;
	int err = q->arg[0] ? qos_port_find(r, q->arg[0], c) : 0;

	if (err)
		return err;
	if (q->arg[1]) {
		seconds = strtod(q->arg[1], &end);
		if (*end || !(seconds >= 0.1 && seconds <= DAY))
			return command_fail(c, -EINVAL,
					    "interval \"%.32s\" is not from 0.1 to 86400 seconds",
					    q->arg[1]);
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->interval = (uint64_t)(seconds * NSEC_PER_SEC);
	snprintf(m->dev, sizeof(m->dev), "%s", q->arg[0] ? q->arg[0] : "");
	cur->data = m;
	cur->release = monitor_release;
	return 0;
}

int monitor_qos(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	int err = cur->data ? 0 : monitor_begin(r, q, cur, c);
	struct monitor *m = cur->data;
	uint64_t now = clock_now();

	if (err)
		return err;
	if (q->stopping) {
		command_message(c, "0 events lost");
		return COMMAND_DONE;
	}
	if (!m->looking && now < m->due)
		return COMMAND_IDLE;
	if (!m->looking) {
		m->took = now - m->last;
		m->last = now;
		m->due += m->interval;
		if (m->due < now) /* the first one, or the loop was late */
			m->due = now + m->interval;
		m->place = 0;
		m->at = 0;
	}
	m->looking = look_on(r, m, c);
	return m->looking ? COMMAND_MORE : COMMAND_IDLE;
}
