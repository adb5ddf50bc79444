// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show qos -o tc: the lines of `tc qdisc show`, `tc class show` and `tc filter show`, one after the
 * other, with -s those of `tc -s`, as iproute2 6.1 prints them. A port is named where not just one
 * was asked for, as tc does it. The tree of what a port receives is at a device that we have not;
 * it is called ifb-, and then the port's name.
 *
 * A listing goes three times over the same list. [control]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/qos_list.h"
#include "router/ctl/rows.h"
#include "router/ctl/tc_filter.h"
#include "router/ctl/tc_options.h"

#define LINES_A_CALL 64
#define LOOK_A_CALL  4096 /* items passed over */

const struct column show_qos_lines_columns[] = {
	{ "line", "", COL_TEXT, false, "as tc prints it" },
	{ 0 },
};

struct listing {
	FILE *out;
	bool all;	 /* of all ports */
	bool statistics; /* -s */
};

/* ---- parts of lines */

static void print_dev(const struct listing *l, const struct qos_place *p)
{
	if (p->ingress)
		fprintf(l->out, "dev ifb-%s ", p->dev);
	else if (l->all)
		fprintf(l->out, "dev %s ", p->dev);
}

static void print_parent(FILE *out, uint32_t parent)
{
	char buf[TC_STRLEN];

	if (parent == CONF_ROOT)
		fputs("root ", out);
	else
		fprintf(out, "parent %s ", tc_handle(parent, buf));
}

static void print_stats(FILE *out, const struct qdisc_stats *s, const struct qdisc *queue)
{
	char buf[TC_STRLEN];

	fprintf(out,
		" Sent %" PRIu64 " bytes %" PRIu64 " pkt (dropped %" PRIu64 ", overlimits %" PRIu64
		" requeues 0) \n",
		counter_read(&s->bytes), counter_read(&s->packets), counter_read(&s->drops),
		counter_read(&s->overlimits));
	fprintf(out, " backlog %s %up requeues 0\n",
		tc_size(queue ? counter_read(&queue->backlog) : 0, buf),
		queue ? __atomic_load_n(&queue->qlen, __ATOMIC_RELAXED) : 0);
}

/* ---- a qdisc, a class, a filter */

static void print_qdisc(const struct listing *l, const struct qos_item *item,
			const struct qos_thing *t)
{
	struct tc_words w = { .text = l->out, .exact = true };
	enum conf_qdisc_kind kind = t->conf->kind;
	struct tc_figures figures;
	char buf[TC_STRLEN];

	tc_figures_of_qdisc(t->qdisc, &figures);
	fprintf(l->out, "qdisc %s %s ", t->qdisc->ops->kind, tc_handle(item->handle, buf));
	print_dev(l, &t->place);
	print_parent(l->out, item->parent);
	if (item->parent == CONF_ROOT)
		fputs("refcnt 2 ", l->out); /* the port and its one queue */
	tc_options_qdisc(&w, t->conf, &figures, t->place.tree->mtu);
	fputs(tc_options_blank(kind) ? " \n" : "\n", l->out);
	if (!l->statistics)
		return;
	print_stats(l->out, &t->qdisc->stats, t->qdisc);
	tc_xstats_qdisc(l->out, kind, &figures);
}

/* Linux tells nothing about the one class of these. */
static bool has_stats(enum conf_qdisc_kind kind)
{
	return kind == CONF_QDISC_HTB || kind == CONF_QDISC_PRIO;
}

static void print_class(const struct listing *l, const struct qos_item *item,
			const struct qos_thing *t)
{
	struct tc_words w = { .text = l->out, .exact = true };
	const struct qdisc *child = t->cls->child;
	enum conf_qdisc_kind kind = t->conf->kind;
	struct tc_figures figures;
	char buf[TC_STRLEN];

	fprintf(l->out, "class %s %s ", t->cls->qdisc->ops->kind, tc_handle(item->handle, buf));
	print_dev(l, &t->place);
	if (kind == CONF_QDISC_HTB && item->parent == t->cls->qdisc->handle)
		fputs("root ", l->out);
	else
		print_parent(l->out, item->parent);
	if (child && child->handle)
		fprintf(l->out, "leaf %s ", tc_handle(child->handle, buf));
	if (kind == CONF_QDISC_HTB && t->conf_class) {
		tc_options_class(&w, t->conf_class, &t->conf->htb, item->inner);
		fputc(' ', l->out);
	}
	fputc('\n', l->out);
	if (!l->statistics)
		return;
	if (!has_stats(kind)) {
		fputc('\n', l->out);
		return;
	}
	tc_figures_of_class(t->cls, &figures);
	print_stats(l->out, &t->cls->stats, child);
	tc_xstats_class(l->out, kind, &figures);
}

/* A filter's number under its priority, and that of u32's table, go on from the filter in front: in
 * cur->k, from call to call. */
static void number(struct tc_filter_line *f, const struct conf_tc_filter *before,
		   struct cursor *cur)
{
	f->table = (uint32_t)(cur->k >> 32);
	f->node = (uint32_t)cur->k;
	if (!before || before->parent != f->conf->parent)
		f->table = 0x800;
	else if (!tc_filter_kin(before, f->conf) && tc_filter_is_u32(before))
		f->table++;
	if (!before || !tc_filter_kin(before, f->conf))
		f->node = 0;
	f->node++;
	cur->k = (uint64_t)f->table << 32 | f->node;
}

static void print_filter(const struct listing *l, const struct conf_tc_filter *before,
			 const struct qos_thing *t, struct cursor *cur)
{
	bool ifb = t->place.ingress && t->filter.parent != CONF_INGRESS;
	char dev[CONF_NAME + 8];
	struct tc_filter_line f = { .conf = t->conf_filter,
				    .info = &t->filter,
				    .dev = l->all || ifb ? dev : NULL,
				    .statistics = l->statistics };

	snprintf(dev, sizeof(dev), "%s%s", ifb ? "ifb-" : "", t->place.dev);
	number(&f, before, cur);
	if (!before || !tc_filter_kin(before, f.conf))
		tc_filter_head(l->out, &f);
	tc_filter_print(l->out, &f);
}

/* ---- the command */

/* The filter that the one at cur->i comes after, of the same place; NULL: none. */
static const struct conf_tc_filter *filter_before(const struct router *r,
						  const struct qos_list *list,
						  const struct cursor *cur)
{
	const struct qos_item *item = &list->item[cur->i];
	struct qos_thing t;

	if (!cur->i || item[-1].kind != QOS_FILTER || item[-1].place != item->place)
		return NULL;
	return qos_thing(r, list, &item[-1], &t) ? t.conf_filter : NULL;
}

static bool is_ingress(const struct qos_item *item)
{
	return item->kind == QOS_FILTER && item->handle == CONF_INGRESS;
}

/* What the filters of ingress hang on in Linux, once; it counts what the port receives. */
static void print_ingress(const struct router *r, const struct listing *l,
			  const struct qos_list *list, const struct cursor *cur)
{
	const struct qos_item *item = &list->item[cur->i];
	struct qdisc_stats s = { 0 };
	unsigned port = item->place / QOS_TREES;

	if (cur->i && is_ingress(&item[-1]) && item[-1].place == item->place)
		return;
	fputs("qdisc ingress ffff: ", l->out);
	if (l->all)
		fprintf(l->out, "dev %s ", list->dev[port]);
	fputs("parent ffff:fff1 ---------------- \n", l->out);
	for (unsigned w = 0; w < r->nworkers; w++) {
		const struct dp_counters *c = r->worker[w]->count;

		s.packets += counter_read(&c->port[port].rx_packets);
		s.bytes += counter_read(&c->port[port].rx_bytes);
	}
	if (l->statistics)
		print_stats(l->out, &s, NULL);
}

static void print_item(const struct router *r, const struct listing *l, const struct qos_list *list,
		       struct cursor *cur)
{
	const struct qos_item *item = &list->item[cur->i];
	struct qos_thing t;

	if (!qos_thing(r, list, item, &t))
		return;
	if (item->kind == QOS_QDISC)
		print_qdisc(l, item, &t);
	else if (item->kind == QOS_CLASS)
		print_class(l, item, &t);
	else if (t.conf_filter)
		print_filter(l, filter_before(r, list, cur), &t, cur);
}

/* How many rows it was; text goes. */
static unsigned emit(char *text, struct command_ctx *c)
{
	char *rest = text, *end;
	unsigned n = 0;

	for (; rest && (end = strchr(rest, '\n')); rest = end + 1) {
		*end = '\0';
		row_text(command_row(c), "line", rest);
		n++;
	}
	free(text);
	return n;
}

int show_qos_lines(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	struct listing l = { .all = !q->arg[0], .statistics = q->statistics };
	unsigned rows = 0, look = 0;
	struct qos_list *list;
	bool ingress;
	char *text;
	size_t size;
	int err;

	if (strcmp(q->arg[1], "tc") != 0)
		return command_fail(c, -EINVAL, "format \"%.64s\" is unknown; there is: tc",
				    q->arg[1]);
	err = qos_list_open(r, q->arg[0], cur, c, &list);
	if (err)
		return err;
	for (; cur->j <= QOS_FILTER; cur->j++, cur->i = 0) {
		for (; cur->i < list->n; cur->i++, look++) {
			if (rows >= LINES_A_CALL || look == LOOK_A_CALL)
				return COMMAND_MORE;
			ingress = cur->j == QOS_QDISC && is_ingress(&list->item[cur->i]);
			if (list->item[cur->i].kind != cur->j && !ingress)
				continue;
			l.out = open_memstream(&text, &size);
			if (!l.out)
				return -ENOMEM;
			if (ingress)
				print_ingress(r, &l, list, cur);
			else
				print_item(r, &l, list, cur);
			fclose(l.out);
			rows += emit(text, c);
		}
	}
	return COMMAND_DONE;
}
