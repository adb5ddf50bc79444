// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a tree is made, changed and ended; see tree.h.
 *
 * The owner carries a plan out in this order: what goes is emptied, bottom up, and cut off; what is
 * new is linked, top down; what stays takes its new options. Packets never see a tree that is half
 * cut, so that much is one piece; options come so many a turn, because a thousand classes are a
 * thousand cache misses, and packets wait meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/qdisc/qflow.h"
#include "router/net/qdisc/tree_internal.h"

#define LINE	       64
#define OPTIONS_A_TURN 256 /* some 30 us */

/* ---- parts */

int tree_list_add(struct tree_list *l, void *p)
{
	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 16;
		void **more = realloc(l->at, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->room = room;
	}
	l->at[l->n++] = p;
	return 0;
}

int tree_pairs_add(struct tree_pairs *l, void *a, void *b)
{
	int err = tree_list_add(&l->first, a);

	return err ? err : tree_list_add(&l->second, b);
}

/* Public parts begin on a line, so that hot fields of disciplines lie as they were laid out. */
static void *zeroed(size_t size)
{
	size_t room = (size + LINE - 1) / LINE * LINE;
	void *p = aligned_alloc(LINE, room);

	return p ? memset(p, 0, room) : NULL;
}

struct qdisc *tree_qdisc_make(const struct qdisc_tree *t, const struct conf_qdisc *c)
{
	const struct qdisc_ops *ops = qdisc_ops_of[c->kind];
	struct qdisc *q = ops ? zeroed(ops->size) : NULL;

	if (!q)
		return NULL;
	q->ops = ops;
	q->tree = (struct qdisc_tree *)(uintptr_t)t;
	q->handle = c->handle;
	if (ops->init && ops->init(q, c)) {
		free(q);
		return NULL;
	}
	return q;
}

void tree_qdisc_free(struct qdisc *q)
{
	if (!q)
		return;
	if (q->ops->fini)
		q->ops->fini(q);
	free(q);
}

struct qclass *tree_class_make(struct qdisc *q, uint32_t classid, const struct conf_class *c)
{
	size_t room = (q->ops->class_size + LINE - 1) / LINE * LINE;
	struct qclass *cl = zeroed(room + sizeof(struct sojourn));

	if (!cl)
		return NULL;
	cl->qdisc = q;
	cl->sojourn = (struct sojourn *)((char *)cl + room); /* apart from what each packet needs */
	cl->classid = classid;
	if (q->ops->class_init && q->ops->class_init(cl, c)) {
		free(cl);
		return NULL;
	}
	return cl;
}

static void pairs_free(struct tree_pairs *l)
{
	free(l->first.at);
	free(l->second.at);
}

void tree_change_destroy(struct tree_change *c)
{
	const struct tree_list *qdiscs, *classes;

	if (!c)
		return;
	qdiscs = c->applied ? &c->gone_qdiscs : &c->new_qdiscs;
	classes = c->applied ? &c->gone_classes.first : &c->new_classes.first;
	for (unsigned i = 0; i < qdiscs->n; i++)
		tree_qdisc_free(qdiscs->at[i]);
	for (unsigned i = 0; i < classes->n; i++)
		free(classes->at[i]);
	for (unsigned i = 0; i < c->changed_qdiscs.second.n; i++)
		tree_qdisc_free(c->changed_qdiscs.second.at[i]);
	for (unsigned i = 0; i < c->changed_classes.second.n; i++)
		free(c->changed_classes.second.at[i]);
	free(c->gone_qdiscs.at);
	free(c->new_qdiscs.at);
	pairs_free(&c->gone_classes);
	pairs_free(&c->new_classes);
	pairs_free(&c->children);
	pairs_free(&c->changed_qdiscs);
	pairs_free(&c->changed_classes);
	pairs_free(&c->renamed);
	free(c->cls);
	free(c);
}

/* ---- the owner's part */

static void cut(struct qdisc_tree *t, const struct tree_change *c)
{
	for (unsigned i = 0; i < c->gone_qdiscs.n; i++) {
		struct qdisc *q = c->gone_qdiscs.at[i];

		q->ops->reset(q);
	}
	for (unsigned i = 0; i < c->gone_classes.first.n; i++) {
		struct qclass *cl = c->gone_classes.first.at[i];
		struct qdisc *q = c->gone_classes.second.at[i];

		if (q && q->ops->class_unlink)
			q->ops->class_unlink(q, cl);
		t->cls[cl->index] = NULL;
	}
}

/* Above other classes, packets go by that were filed under those: they did not pass here. */
static void hang(struct qclass *cl, struct qdisc *child)
{
	bool files = child && !child->ops->class_size;

	cl->child = child;
	cl->sojourn->packets = files ? &cl->stats.packets : NULL;
}

static void link_new(struct qdisc_tree *t, const struct tree_change *c)
{
	for (unsigned i = 0; i < c->children.first.n; i++)
		hang(c->children.first.at[i], c->children.second.at[i]);
	for (unsigned i = 0; i < c->new_classes.first.n; i++) {
		struct qclass *cl = c->new_classes.first.at[i];

		t->cls[cl->index] = cl;
		if (cl->qdisc->ops->class_link)
			cl->qdisc->ops->class_link(cl->qdisc, cl, c->new_classes.second.at[i]);
	}
}

/* Option i of all. */
static void take_option(const struct tree_change *c, unsigned i)
{
	const struct tree_pairs *q = &c->changed_qdiscs, *cl = &c->changed_classes;

	if (i < q->first.n) {
		struct qdisc *of = q->first.at[i];

		of->ops->change(of, q->second.at[i]);
		return;
	}
	i -= q->first.n;
	if (i < cl->first.n) {
		struct qclass *of = cl->first.at[i];

		of->qdisc->ops->class_change(of, cl->second.at[i]);
		return;
	}
	i -= cl->first.n;
	((struct qdisc *)c->renamed.first.at[i])->handle =
		(uint32_t)(uintptr_t)c->renamed.second.at[i];
}

static bool take_options(struct tree_change *c)
{
	unsigned all = c->changed_qdiscs.first.n + c->changed_classes.first.n + c->renamed.first.n;
	unsigned end = all - c->taken < OPTIONS_A_TURN ? all : c->taken + OPTIONS_A_TURN;

	while (c->taken < end)
		take_option(c, c->taken++);
	return end == all;
}

static void rebuild(struct qdisc_tree *t, struct tree_change *c)
{
	struct qclass **old = t->cls;

	cut(t, c);
	if (t->ncls)
		memcpy(c->cls, old, t->ncls * sizeof(struct qclass *));
	t->cls = c->cls;
	t->ncls = c->ncls;
	c->cls = old;
	t->mtu = c->mtu;
	t->budget = c->budget;
	t->root = c->root;
	link_new(t, c);
	c->applied = true;
}

bool tree_apply(struct qdisc_tree *t, struct tree_change *c)
{
	if (!c->applied)
		rebuild(t, c);
	return take_options(c);
}

/* ---- the beginning and the end */

int tree_create(const struct tree_config *c, struct qdisc_tree **out)
{
	static const struct conf_tree nothing;
	struct qdisc_tree *t = zeroed(sizeof(*t));
	struct tree_change *change = NULL;
	int err;

	if (!t)
		return -ENOMEM;
	t->mtu = c->mtu;
	t->budget = c->budget;
	t->random = c->seed * 0x9e3779b97f4a7c15 | 1; /* few bits would give small numbers */
	err = qflows_create(c->budget, &t->flows);
	if (!err)
		err = tree_plan(t, &nothing, c, &change);
	if (err) {
		tree_destroy(t, NULL);
		return err;
	}
	while (!tree_apply(t, change))
		;
	tree_change_destroy(change);
	*out = t;
	return 0;
}

/* In any order: all of it stays where it is until it is empty, to be counted down. */
void tree_reset(struct qdisc_tree *t)
{
	for (uint32_t i = 0; i < t->ncls; i++) {
		struct qdisc *child = t->cls[i] ? t->cls[i]->child : NULL;

		if (child)
			child->ops->reset(child);
	}
	t->root->ops->reset(t->root);
}

void tree_destroy(struct qdisc_tree *t, struct dp *dp)
{
	if (!t)
		return;
	t->dp = dp;
	if (t->root) {
		tree_reset(t);
		tree_qdisc_free(t->root);
	}
	for (uint32_t i = 0; i < t->ncls; i++) {
		if (t->cls[i])
			tree_qdisc_free(t->cls[i]->child);
		free(t->cls[i]);
	}
	free(t->cls);
	qflows_destroy(t->flows);
	free(t);
}

/* ---- looking up */

struct qclass *tree_class(const struct qdisc_tree *t, uint32_t classid)
{
	for (uint32_t i = 0; i < t->ncls; i++)
		if (t->cls[i] && t->cls[i]->classid == classid)
			return t->cls[i];
	return NULL;
}

struct qdisc *tree_qdisc(const struct qdisc_tree *t, uint32_t handle)
{
	if (t->root && t->root->handle == handle)
		return t->root;
	for (uint32_t i = 0; i < t->ncls; i++) {
		struct qdisc *child = t->cls[i] ? t->cls[i]->child : NULL;

		if (child && child->handle == handle)
			return child;
	}
	return NULL;
}
