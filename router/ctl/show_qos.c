// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show qos: trees of qdiscs with their classes and filters, indented under what they hang on, in
 * tc's words. With -s what each has done, how long packets stayed, and why a class waited. Qdiscs
 * that nobody asked for, under classes without a leaf, count with their class. [control]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/qos_list.h"
#include "router/ctl/qos_rate.h"
#include "router/ctl/rows.h"
#include "router/ctl/tc_options.h"
#include "router/net/qdisc/tree.h"

#define NAME_WIDTH 20 /* of a class, in text */

const struct column show_qos_columns[] = {
	{ "dev", NULL, COL_TEXT, false, "port" },
	{ "direction", NULL, COL_TEXT, false, "egress, or ingress: of what the port receives" },
	{ "kind", NULL, COL_TEXT, false, "qdisc, class or filter" },
	{ "handle", "tree", COL_JSON, false, "as tc has it; null: a filter" },
	{ "parent", NULL, COL_TEXT, false, "class or qdisc above, or root" },
	{ "name", NULL, COL_TEXT, false, "of a class, mirror or redirect in the configuration" },
	{ "qdisc", NULL, COL_TEXT, false, "kind of the qdisc, or of the one that the class is of" },
	{ "options", "options", COL_JSON, false,
	  "by tc's names: rates in bytes/s, times in us; of a filter: priority, match, action" },
	{ "bytes", NULL, COL_NUMBER, false, "sent; of a filter: matched" },
	{ "packets", NULL, COL_NUMBER, false, "sent; of a filter: matched" },
	{ "drops", NULL, COL_NUMBER, false, "packets, here and below" },
	{ "overlimits", NULL, COL_NUMBER, false, "times a limit was met" },
	{ "backlog", NULL, COL_NUMBER, false, "bytes waiting" },
	{ "qlen", NULL, COL_NUMBER, false, "packets waiting" },
	{ "rate", NULL, COL_NUMBER, false, "bytes/s sent in the last second; null: not known yet" },
	{ "ecn_marked", NULL, COL_NUMBER, false, "packets marked instead of dropped" },
	{ "sojourn_us", NULL, COL_JSON, false,
	  "p50, p95, p99: the time that so many percent stayed below; null: no packets" },
	{ "xstats", NULL, COL_JSON, false,
	  "figures of its kind, by tc's names; times in us, tokens in 64 ns" },
	{ "line", NULL, COL_NUMBER, false, "in the configuration" },
	{ 0 },
};

/* ---- what qdiscs and classes have in common */

struct node {
	const struct qdisc_stats *stats;
	const struct sojourn *sojourn; /* NULL: it has none of its own */
	uint64_t backlog;
	uint32_t qlen;
	uint64_t marked;
	bool has_rate;
	uint64_t rate; /* bytes/s */
	struct tc_figures figures;
};

static uint64_t marks(const struct tc_figures *f)
{
	return (uint64_t)(tc_figure(f, "ecn_mark") + tc_figure(f, "ce_mark") +
			  tc_figure(f, "marked"));
}

static void look_at_qdisc(const struct router *r, const struct qos_item *item,
			  const struct qdisc *q, struct node *n)
{
	bool root = q == q->tree->root;

	*n = (struct node){
		.stats = &q->stats,
		.sojourn = root ? &q->tree->sojourn : NULL,
		.backlog = counter_read(&q->backlog),
		.qlen = __atomic_load_n(&q->qlen, __ATOMIC_RELAXED),
	};
	tc_figures_of_qdisc(q, &n->figures);
	n->marked = root ? counter_read(&q->tree->ecn_marked) : marks(&n->figures);
	n->has_rate = qos_rate(r, item->place, root ? NULL : q->place, &n->rate);
}

static void look_at_class(const struct router *r, const struct qos_item *item,
			  const struct qclass *cl, struct node *n)
{
	const struct qdisc *child = cl->child;

	*n = (struct node){ .stats = &cl->stats, .sojourn = cl->sojourn };
	if (child) {
		n->backlog = counter_read(&child->backlog);
		n->qlen = __atomic_load_n(&child->qlen, __ATOMIC_RELAXED);
		tc_figures_of_qdisc(child, &n->figures);
		n->marked = marks(&n->figures);
	}
	tc_figures_of_class(cl, &n->figures);
	n->has_rate = qos_rate(r, item->place, cl, &n->rate);
}

/* ---- text of -s: lines below the options */

static void print_sojourn(FILE *out, const struct sojourn *s)
{
	static const double percents[] = { 50, 95, 99 };
	char buf[TC_STRLEN];

	if (!s || !sojourn_percentile(s, 100))
		return;
	fputs("\nstayed", out);
	for (unsigned i = 0; i < 3; i++)
		fprintf(out, " p%.0f %s", percents[i],
			tc_time(sojourn_percentile(s, percents[i]) / 1000, buf));
}

/* Why did a class of htb wait? */
static void print_waits(FILE *out, const struct tc_figures *f)
{
	int64_t own = tc_figure(f, "waited_rate"), parent = tc_figure(f, "waited_parent");

	if (own || parent)
		fprintf(out, "\nwaited %" PRId64 " at its ceil %" PRId64 " for its parents", own,
			parent);
}

/* Among waits, as an option; or it is for those who look into htb, with -o tc. */
static bool is_told_elsewhere(const char *name)
{
	static const char *const names[] = { "waited_rate", "waited_parent", "direct_qlen",
					     "tokens", "ctokens" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void print_figures(FILE *out, const struct tc_figures *f)
{
	const char *before = "\n";

	for (unsigned i = 0; i < f->n; i++) {
		const struct qdisc_value *v = &f->value[i];
		char buf[TC_STRLEN];

		if (!v->value || is_told_elsewhere(v->name))
			continue;
		fprintf(out, "%s%s ", before, v->name);
		if (v->unit == QDISC_NS)
			fprintf(out, "%s%s", v->value < 0 ? "-" : "",
				tc_time((uint64_t)llabs(v->value) / 1000, buf));
		else
			fprintf(out, "%" PRId64 "%s", v->value, v->unit == QDISC_BYTES ? "b" : "");
		before = " ";
	}
}

static void print_node(FILE *out, const struct node *n)
{
	char buf[TC_STRLEN];

	fprintf(out,
		"%sSent %" PRIu64 " bytes %" PRIu64 " pkt (dropped %" PRIu64 ", overlimits %" PRIu64
		")",
		ftell(out) ? "\n" : "", counter_read(&n->stats->bytes),
		counter_read(&n->stats->packets), counter_read(&n->stats->drops),
		counter_read(&n->stats->overlimits));
	fprintf(out, "\nbacklog %s %up", tc_size(n->backlog, buf), n->qlen);
	if (n->has_rate)
		fprintf(out, " rate %s", tc_rate(n->rate, buf));
	if (n->marked)
		fprintf(out, " marked %" PRIu64, n->marked);
	print_sojourn(out, n->sojourn);
	print_waits(out, &n->figures);
	print_figures(out, &n->figures);
}

/* ---- JSON */

static json_t *sojourn_json(const struct sojourn *s)
{
	if (!s || !sojourn_percentile(s, 100))
		return NULL;
	return json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)(sojourn_percentile(s, 50) / 1000),
			 "p95", (json_int_t)(sojourn_percentile(s, 95) / 1000), "p99",
			 (json_int_t)(sojourn_percentile(s, 99) / 1000));
}

static json_t *figures_json(const struct tc_figures *f)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < f->n; i++) {
		const struct qdisc_value *v = &f->value[i];
		int64_t n = v->unit == QDISC_NS ? v->value / 1000 : v->value;

		json_object_set_new(all, v->name, json_integer(n));
	}
	return all;
}

static void row_node(struct row *row, const struct node *n)
{
	json_t *sojourn = sojourn_json(n->sojourn);

	row_unsigned(row, "bytes", counter_read(&n->stats->bytes));
	row_unsigned(row, "packets", counter_read(&n->stats->packets));
	row_unsigned(row, "drops", counter_read(&n->stats->drops));
	row_unsigned(row, "overlimits", counter_read(&n->stats->overlimits));
	row_unsigned(row, "backlog", n->backlog);
	row_unsigned(row, "qlen", n->qlen);
	if (n->has_rate)
		row_unsigned(row, "rate", n->rate);
	row_unsigned(row, "ecn_marked", n->marked);
	if (sojourn)
		row_json(row, "sojourn_us", sojourn, NULL);
	row_json(row, "xstats", figures_json(&n->figures), NULL);
}

static void row_text_if(struct row *row, const char *key, const char *text)
{
	row_text(row, key, text && text[0] ? text : NULL);
}

/* ---- rows */

/* "  1:10 voice"; at a root the port's name, too. */
static void row_tree(struct row *row, const struct qos_item *item, const struct qos_thing *t,
		     const char *what, const char *name)
{
	char handle[TC_STRLEN], text[2 * CONF_NAME + 2 * UINT8_MAX];

	if (item->depth)
		snprintf(text, sizeof(text), "%*s%s%s%.*s", 2 * item->depth, "", what,
			 name[0] ? " " : "", NAME_WIDTH, name);
	else
		snprintf(text, sizeof(text), "%s %s%s", t->place.dev,
			 t->place.ingress ? "ifb " : "", what);
	row_json(row, "handle", json_string(tc_handle(item->handle, handle)), text);
}

static void row_place(struct row *row, const struct qos_thing *t, const char *kind)
{
	row_text(row, "dev", t->place.dev);
	row_text(row, "direction", t->place.ingress ? "ingress" : "egress");
	row_text(row, "kind", kind);
}

/* The options and what is below them; text goes. */
static void row_options(struct row *row, json_t *json, char *text)
{
	row_json(row, "options", json, text[0] ? text : NULL);
	free(text);
}

static int qdisc_row(const struct router *r, const struct request *q, struct row *row,
		     const struct qos_item *item, const struct qos_thing *t)
{
	char buf[TC_STRLEN], handle[TC_STRLEN], what[2 * TC_STRLEN], *text;
	struct tc_words w = { 0 };
	struct node node;
	size_t size;

	w.text = open_memstream(&text, &size);
	if (!w.text)
		return -ENOMEM;
	w.json = json_object();
	look_at_qdisc(r, item, t->qdisc, &node);
	tc_options_qdisc(&w, t->conf, &node.figures, t->place.tree->mtu);
	if (q->statistics)
		print_node(w.text, &node);
	fclose(w.text);
	snprintf(what, sizeof(what), "%s %s", t->qdisc->ops->kind, tc_handle(item->handle, handle));
	row_place(row, t, "qdisc");
	row_tree(row, item, t, what, "");
	row_text(row, "parent", tc_handle(item->parent, buf));
	row_text(row, "qdisc", t->qdisc->ops->kind);
	row_options(row, w.json, text);
	row_node(row, &node);
	if (t->conf->line)
		row_unsigned(row, "line", t->conf->line);
	return 0;
}

static int class_row(const struct router *r, const struct request *q, struct row *row,
		     const struct qos_item *item, const struct qos_thing *t)
{
	const struct conf_class *c = t->conf_class;
	char buf[TC_STRLEN], *text;
	struct tc_words w = { 0 };
	struct node node;
	size_t size;

	w.text = open_memstream(&text, &size);
	if (!w.text)
		return -ENOMEM;
	w.json = json_object();
	look_at_class(r, item, t->cls, &node);
	if (c && t->conf->kind == CONF_QDISC_HTB)
		tc_options_class(&w, c, &t->conf->htb, item->inner);
	if (q->statistics)
		print_node(w.text, &node);
	fclose(w.text);
	row_place(row, t, "class");
	row_tree(row, item, t, tc_handle(item->handle, buf), c ? c->name : "");
	row_text(row, "parent", tc_handle(item->parent, buf));
	row_text_if(row, "name", c ? c->name : NULL);
	row_text(row, "qdisc", t->cls->qdisc->ops->kind);
	row_options(row, w.json, text);
	row_node(row, &node);
	if (c && c->line)
		row_unsigned(row, "line", c->line);
	return 0;
}

/* ---- filters */

static json_t *colour_json(const struct police_info *p, enum police_colour c)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)p->packets[c], "bytes",
			 (json_int_t)p->bytes[c]);
}

static json_t *policers_json(const struct tc_filter_info *f)
{
	json_t *all = json_array();
	struct police_info p;

	for (unsigned i = 0; i < f->npolicers; i++) {
		police_info(f->policer[i], &p);
		json_array_append_new(all, json_pack("{s:s, s:o, s:o, s:o}", "name", p.name,
						     "conform", colour_json(&p, POLICE_GREEN),
						     "exceed", colour_json(&p, POLICE_YELLOW),
						     "violate", colour_json(&p, POLICE_RED)));
	}
	return json_pack("{s:o}", "police", all);
}

static void print_policers(FILE *out, const struct tc_filter_info *f)
{
	static const char *const names[] = { "conform", "exceed", "violate" };
	struct police_info p;

	for (unsigned i = 0; i < f->npolicers; i++) {
		police_info(f->policer[i], &p);
		fprintf(out, "\npolice %s:", p.name);
		for (unsigned c = 0; c < POLICE_COLOURS; c++)
			fprintf(out, " %s %" PRIu64 " bytes %" PRIu64 " pkt", names[c], p.bytes[c],
				p.packets[c]);
	}
}

/* From malloc; NULL: no memory. */
static char *filter_text(const struct request *q, const struct tc_filter_info *f)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s -> %s", f->match[0] ? f->match : "any packet", f->action);
	if (q->statistics) {
		fprintf(out, "\nmatched %" PRIu64 " bytes %" PRIu64 " pkt", f->bytes, f->packets);
		print_policers(out, f);
	}
	fclose(out);
	return text;
}

static int filter_row(const struct request *q, struct row *row, const struct qos_thing *t)
{
	const struct tc_filter_info *f = &t->filter;
	bool ingress = f->parent == CONF_INGRESS;
	char tree[2 * CONF_NAME], on[TC_STRLEN], cls[TC_STRLEN];
	char *text = filter_text(q, f);

	if (!text)
		return -ENOMEM;
	if (f->name && f->name[0])
		snprintf(tree, sizeof(tree), "%s %.*s", t->place.dev, NAME_WIDTH, f->name);
	else
		snprintf(tree, sizeof(tree), "%s filter %u", t->place.dev, f->priority);
	row_place(row, t, "filter");
	row_json(row, "handle", NULL, tree);
	if (f->parent)
		row_text(row, "parent", ingress ? "ingress" : tc_handle(f->parent, on));
	row_text_if(row, "name", f->name);
	row_options(row,
		    json_pack("{s:I, s:s?, s:s, s:s?}", "priority", (json_int_t)f->priority,
			      "match", f->match[0] ? f->match : NULL, "action", f->action, "class",
			      f->classid ? tc_handle(f->classid, cls) : NULL),
		    text);
	row_unsigned(row, "bytes", f->bytes);
	row_unsigned(row, "packets", f->packets);
	row_json(row, "xstats", policers_json(f), NULL);
	if (f->line)
		row_unsigned(row, "line", f->line);
	return 0;
}

/* ---- the command */

int show_qos(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	struct qos_list *l;
	struct qos_thing t;
	int err = qos_list_open(r, q->arg[0], cur, c, &l);

	if (err)
		return err;
	for (unsigned n = 0; !err && n < ROWS_A_CALL && cur->i < l->n; n++) {
		const struct qos_item *item = &l->item[cur->i++];

		if (!qos_thing(r, l, item, &t))
			continue;
		if (item->kind == QOS_QDISC)
			err = qdisc_row(r, q, command_row(c), item, &t);
		else if (item->kind == QOS_CLASS)
			err = class_row(r, q, command_row(c), item, &t);
		else
			err = filter_row(q, command_row(c), &t);
	}
	return err ? err : cur->i < l->n ? COMMAND_MORE : COMMAND_DONE;
}
