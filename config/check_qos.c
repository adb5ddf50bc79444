// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shaping: the order in which a port's trees are made whole and checked, and mirrors. What the file
 * leaves out is filled in on the way, so this is the one check that writes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/check_qos.h"

/* ---- what all checks of shaping use */

static void say(struct check *k, bool error, const void *field, const unsigned *line,
		const char *fmt, va_list args)
{
	char path[YAML_PATH_MAX], what[300];
	const void *at = field && bind_where(k->places, field) ? field : line;

	vsnprintf(what, sizeof(what), fmt, args);
	if (error)
		report_error(k->report, check_place(k, at, NULL), "%s: %s", check_path(k, at, path),
			     what);
	else
		report_warning(k->report, check_place(k, at, NULL), "%s: %s",
			       check_path(k, at, path), what);
}

void check_tc_error(struct check *k, const void *field, const unsigned *line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(k, true, field, line, fmt, args);
	va_end(args);
}

void check_tc_warning(struct check *k, const void *field, const unsigned *line, const char *fmt,
		      ...)
{
	va_list args;

	va_start(args, fmt);
	say(k, false, field, line, fmt, args);
	va_end(args);
}

bool check_tc_given(const struct check *k, const unsigned *line, const char *key)
{
	const struct yaml_node *n = bind_where(k->places, line);

	return n && n->kind == YAML_MAP && yaml_get(n, key);
}

unsigned check_frame(const struct check *k, const char *iface)
{
	enum { USUAL_MTU = 1500, ETHERNET = 14 };
	const struct conf_iface *f = check_find(&k->ifaces, iface);

	return (f && f->mtu ? f->mtu : USUAL_MTU) + ETHERNET;
}

bool check_iface_there(struct check *k, const char *name, const unsigned *line)
{
	if (!name[0] || check_find(&k->ifaces, name)) /* "": it could not be read */
		return true;
	check_tc_error(k, name, line, "there is no interface %s", name);
	check_suggest(k, name, &k->ifaces, NULL);
	return false;
}

/* ---- ports */

/* Linux gives up about there, too; and each takes some of a worker's stack. */
static void check_nesting(struct check_tree *x)
{
	enum { NESTED_MAX = 8 };

	for (unsigned i = 0; i < x->t->nqdiscs; i++)
		if (x->qdisc_depth[i] == NESTED_MAX + 1)
			check_tc_error(x->k, NULL, &x->t->qdiscs[i].line,
				       "more than %d qdiscs, one inside the other", NESTED_MAX);
}

static int check_tree_parts(struct check_tree *x, const char *port)
{
	struct conf_tree *t = x->t;
	uint64_t *sums = calloc((size_t)t->nclasses + 1, sizeof(*sums));

	if (!sums)
		return -ENOMEM;
	check_nesting(x);
	for (unsigned i = 0; i < t->nqdiscs; i++)
		check_qdisc(x, &t->qdiscs[i]);
	for (unsigned i = 0; i < t->nclasses; i++)
		check_class(x, i);
	check_class_sums(x, sums);
	for (unsigned i = 0; i < t->nfilters; i++)
		check_tc_filter(x->k, x, &t->filters[i], port);
	free(sums);
	return check_class_quanta(x);
}

static int check_one_tree(struct check *k, struct conf_tree *t, const char *port)
{
	struct check_tree x = { .k = k, .t = t, .frame = check_frame(k, port) };

	/* without a root, which was reported, there is nothing to hang anything under */
	if (!t->nqdiscs || !bind_where(k->places, &t->qdiscs[0].line))
		return 0;
	int err = check_tree_resolve(&x);
	if (!err)
		err = check_tree_parts(&x, port);
	if (!err && !report_errors(k->report))
		err = tree_order(&x);
	check_tree_fini(&x);
	return err;
}

static int check_port(struct check *k, struct conf_qos *q)
{
	int err;

	if (!check_find(&k->ifaces, q->iface)) {
		report_error(k->report, check_place(k, q->iface, &q->line),
			     "qos: there is no interface %s", q->iface);
		check_suggest(k, q->iface, &k->ifaces, NULL);
	}
	err = check_one_tree(k, &q->egress, q->iface);
	if (!err)
		err = check_one_tree(k, &q->ifb, q->iface);
	for (unsigned i = 0; i < q->ningress && !err; i++)
		check_tc_filter(k, NULL, &q->ingress[i], q->iface);
	if (!err && !report_errors(k->report))
		err = tree_order_filters(q->ingress, q->ningress);
	return err;
}

/* ---- mirrors and redirections */

static int check_mirrors(struct check *k, const struct conf_mirror *mirrors, unsigned n,
			 const char *nobody)
{
	struct check_label *labels = calloc((size_t)n + 1, sizeof(*labels));

	if (!labels)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		const struct conf_mirror *m = &mirrors[i];
		check_iface_there(k, m->from, &m->line);
		check_iface_there(k, m->to, &m->line);
		if (m->to[0] && !strcmp(m->from, m->to))
			check_tc_error(k, m->to, &m->line, "%s", nobody);
		check_match(k, &m->match, &m->line, CONF_HOOK_FORWARD);
		labels[i] = (struct check_label){ m->name, &m->line };
	}
	check_labels(k, labels, n);
	free(labels);
	return 0;
}

int check_qos(struct check *k, struct conf *c)
{
	int err = check_police_names(k, c);

	for (unsigned i = 0; i < c->nqos && !err; i++)
		err = check_port(k, &c->qos[i]);
	if (!err)
		err = check_mirrors(k, c->mirrors, c->nmirrors, "mirrors the interface to itself");
	if (!err)
		err = check_mirrors(k, c->redirects, c->nredirects,
				    "sends frames back to where they came from");
	return err;
}
