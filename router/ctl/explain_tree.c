/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of qdiscs that an imaginary packet would wait in, from the root down to the qdisc that
 * would hold it; see explain_internal.h. Where filters have said nothing each qdisc decides by
 * itself, as it does with packets. Figures are those of the moment and read while the owner writes
 * them; whether a queue that is full would drop this packet or another one is not foretold.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/explain_internal.h"
#include "router/ctl/qos_list.h"
#include "router/ctl/qos_rate.h"
#include "router/ctl/tc_options.h"
#include "router/net/qdisc/tree.h"

#define LEVELS_MAX 64 /* of a tree that is sound */

struct descent {
	struct explain *e;
	unsigned place; /* of qos_list.h */
	struct qos_place at;
	const struct explain_filed *filed;
	uint32_t classid; /* the innermost class so far; 0: none */
};

static const struct conf_qdisc *conf_of_qdisc(const struct descent *d, const struct qdisc *q)
{
	const struct conf_tree *t = d->at.conf;

	for (unsigned i = 0; t && q->handle && i < t->nqdiscs; i++)
		if (t->qdiscs[i].handle == q->handle)
			return &t->qdiscs[i];
	return NULL;
}

static const struct conf_class *conf_of_class(const struct descent *d, uint32_t classid)
{
	const struct conf_tree *t = d->at.conf;

	for (unsigned i = 0; t && i < t->nclasses; i++)
		if (t->classes[i].handle == classid)
			return &t->classes[i];
	return NULL;
}

/* ---- which class */

/* Where a qdisc sends a packet that is not filed under it. */
static uint32_t own_choice(const struct descent *d, const struct qdisc *q,
			   const struct conf_qdisc *c, const char **why)
{
	uint32_t priority = d->filed->priority;

	switch (q->ops->id) {
	case CONF_QDISC_HTB:
		*why = "the default";
		if (priority == q->handle || !c || !c->htb.default_minor)
			return 0;
		return q->handle | c->htb.default_minor;
	case CONF_QDISC_PRIO:
		*why = "by its priority";
		if (CONF_MAJOR(priority) == q->handle && CONF_MINOR(priority) &&
		    tree_class(q->tree, priority))
			return priority;
		return c ? q->handle | (1u +
					c->prio.priomap[CONF_MAJOR(priority) ? 0 : priority & 15])
			 : 0;
	default: return q->ops->class_size ? q->handle | 1u : 0;
	}
}

/* NULL: no class. */
static const struct qclass *class_in(const struct descent *d, const struct qdisc *q,
				     const struct conf_qdisc *c, const char **why)
{
	const struct qpkt p = { .cls = d->filed->cls };
	const struct qclass *cl = qdisc_class_of(q, &p);
	uint32_t own;

	*why = d->filed->why;
	if (cl && cl->child)
		return cl;
	*why = "";
	own = own_choice(d, q, c, why);
	cl = own ? tree_class(q->tree, own) : NULL;
	return cl && cl->child ? cl : NULL;
}

/* ---- how it is told */

static void class_options(FILE *out, const struct descent *d, const struct qclass *cl,
			  const struct conf_qdisc *c)
{
	const struct conf_class *class = conf_of_class(d, cl->classid);
	struct tc_words w = { .text = out };
	char buf[TC_STRLEN];
	uint64_t rate;

	if (class && c && c->kind == CONF_QDISC_HTB) {
		fputs(": ", out);
		tc_options_class(&w, class, &c->htb, false);
	}
	if (qos_rate(d->e->r, d->place, cl, &rate))
		fprintf(out, "; it sends %s now", tc_rate(rate, buf));
}

/* "htb 1:, class 1:10 "voice" by the filter in line 7: rate 5Mbit ..." */
static void print_class(FILE *out, const struct descent *d, const struct qclass *cl,
			const struct conf_qdisc *c, const char *why)
{
	const struct conf_class *class = conf_of_class(d, cl->classid);
	char buf[TC_STRLEN];

	fprintf(out, ", class %s", tc_handle(cl->classid, buf));
	if (class && class->name[0])
		fprintf(out, " \"%s\"", class->name);
	if (why[0])
		fprintf(out, ", %s", why);
	class_options(out, d, cl, c);
}

static void print_backlog(FILE *out, const struct qdisc *q)
{
	uint32_t n = __atomic_load_n(&q->qlen, __ATOMIC_RELAXED);
	uint64_t bytes = counter_read(&q->backlog);

	if (!n)
		fputs("; nothing waits there", out);
	else if (n == 1)
		fprintf(out, "; a packet of %" PRIu64 " bytes waits there", bytes);
	else
		fprintf(out, "; %u packets of %" PRIu64 " bytes wait there", n, bytes);
}

/* These delay by themselves, all that is under their one class. */
static bool is_shaper(const struct qdisc *q)
{
	return q->ops->id == CONF_QDISC_TBF || q->ops->id == CONF_QDISC_NETEM;
}

static void print_options(FILE *out, const struct descent *d, const struct qdisc *q,
			  const struct conf_qdisc *c)
{
	struct tc_words w = { .text = out };
	struct tc_figures figures;

	if (!c || !is_shaper(q))
		return;
	tc_figures_of_qdisc(q, &figures);
	fputc(' ', out);
	tc_options_qdisc(&w, c, &figures, d->at.tree->mtu);
}

/* One level; returns the next, or NULL. */
static const struct qdisc *tell(struct descent *d, const struct qdisc *q)
{
	const struct conf_qdisc *c = conf_of_qdisc(d, q);
	const char *why, *what = d->at.ingress ? "ifb" : "egress";
	const struct qclass *cl = class_in(d, q, c, &why);
	char buf[TC_STRLEN], *text;
	struct row *row;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s of %s: %s", what, d->at.dev, q->ops->kind);
	if (q->handle)
		fprintf(out, " %s", tc_handle(q->handle, buf));
	print_options(out, d, q, c);
	if (cl && (q->ops->id == CONF_QDISC_HTB || q->ops->id == CONF_QDISC_PRIO))
		print_class(out, d, cl, c, why);
	else if (!cl && q->ops->id == CONF_QDISC_HTB)
		fputs(", no class: it leaves unshaped", out);
	if (!cl || is_shaper(q))
		print_backlog(out, q);
	fclose(out);
	row = explain_step(d->e, "qos", "%s", text);
	free(text);
	d->classid = cl ? cl->classid : d->classid;
	if (d->classid)
		row_text(row, "class", tc_handle(d->classid, buf));
	if (!cl || is_shaper(q))
		row_unsigned(row, "qlen", __atomic_load_n(&q->qlen, __ATOMIC_RELAXED));
	return cl ? cl->child : NULL;
}

void explain_tree(struct explain *e, unsigned port, unsigned which, const struct explain_filed *f)
{
	struct descent d = { .e = e, .place = port * QOS_TREES + which, .filed = f };
	const struct qdisc *q;

	if (!qos_place(e->r, d.place, &d.at) || !d.at.tree)
		return;
	q = d.at.tree->root;
	for (unsigned level = 0; q && level < LEVELS_MAX; level++)
		q = tell(&d, q);
}
