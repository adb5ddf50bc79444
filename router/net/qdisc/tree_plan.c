// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The way from one tree to another; see tree.h.
 *
 * A plan walks the new configuration from the root down. For each qdisc it asks whether the tree
 * has one of that handle and kind in the same place; if so it stays, else a new one is made and
 * whatever was there goes with all that hangs under it. The same for each class. What stays and has
 * other options gets a fresh twin to take them from. [control]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/qdisc/tree_internal.h"

/* By handle. */
struct entry {
	uint32_t handle;
	unsigned i; /* of the configuration */
	void *p;    /* of the tree */
};
struct book {
	struct entry *entry;
	unsigned n;
};

static int by_handle(const void *a, const void *b)
{
	uint32_t x = ((const struct entry *)a)->handle, y = ((const struct entry *)b)->handle;

	return x < y ? -1 : x > y;
}

static struct entry *book_find(const struct book *b, uint32_t handle)
{
	struct entry key = { .handle = handle };

	return b->n ? bsearch(&key, b->entry, b->n, sizeof(key), by_handle) : NULL;
}

static void *book_get(const struct book *b, uint32_t handle)
{
	struct entry *e = book_find(b, handle);

	return e ? e->p : NULL;
}

static int book_open(struct book *b, unsigned room)
{
	b->n = 0;
	b->entry = calloc(room + 1, sizeof(*b->entry));
	return b->entry ? 0 : -ENOMEM;
}

static void book_close(struct book *b)
{
	if (b->n)
		qsort(b->entry, b->n, sizeof(*b->entry), by_handle);
}

/* ---- a plan under way */

struct plan {
	const struct qdisc_tree *t;
	const struct conf_tree *was, *is;
	const struct tree_config *config;
	struct tree_change *c;
	struct book old_qdiscs, old_classes; /* of the tree */
	struct book was_qdiscs, was_classes; /* of its configuration: .i */
	struct book classes;		     /* of the new one: .i; .p, once it stands */
	struct book qdiscs;		     /* the same */
	struct book children;		     /* of the new one: qdiscs by parent */
	unsigned *inner;		     /* per class of the new one: classes right below it */
	uint32_t free_from;		     /* where to look for a free index */
};

static int book_conf(struct book *qdiscs, struct book *classes, const struct conf_tree *c)
{
	int err = book_open(qdiscs, c->nqdiscs);

	if (!err)
		err = book_open(classes, c->nclasses);
	if (err)
		return err;
	for (unsigned i = 0; i < c->nqdiscs; i++)
		qdiscs->entry[qdiscs->n++] = (struct entry){ c->qdiscs[i].handle, i, NULL };
	for (unsigned i = 0; i < c->nclasses; i++)
		classes->entry[classes->n++] = (struct entry){ c->classes[i].handle, i, NULL };
	book_close(qdiscs);
	book_close(classes);
	return 0;
}

/* Qdiscs that were asked for by name; a class's default child is found by its class. */
static int book_tree(struct plan *p)
{
	const struct qdisc_tree *t = p->t;
	int err = book_open(&p->old_qdiscs, t->ncls + 1);

	if (!err)
		err = book_open(&p->old_classes, t->ncls);
	if (err)
		return err;
	if (t->root)
		p->old_qdiscs.entry[p->old_qdiscs.n++] =
			(struct entry){ t->root->handle, 0, t->root };
	for (uint32_t i = 0; i < t->ncls; i++) {
		struct qclass *cl = t->cls[i];

		if (!cl)
			continue;
		p->old_classes.entry[p->old_classes.n++] = (struct entry){ cl->classid, 0, cl };
		if (cl->child && cl->child->handle)
			p->old_qdiscs.entry[p->old_qdiscs.n++] =
				(struct entry){ cl->child->handle, 0, cl->child };
	}
	book_close(&p->old_qdiscs);
	book_close(&p->old_classes);
	return 0;
}

static int book_children(struct plan *p)
{
	int err = book_open(&p->children, p->is->nqdiscs);

	if (err)
		return err;
	for (unsigned i = 0; i < p->is->nqdiscs; i++)
		p->children.entry[p->children.n++] =
			(struct entry){ p->is->qdiscs[i].parent, i, NULL };
	book_close(&p->children);
	p->inner = calloc(p->is->nclasses + 1, sizeof(*p->inner));
	if (!p->inner)
		return -ENOMEM;
	for (unsigned i = 0; i < p->is->nclasses; i++) {
		struct entry *above = book_find(&p->classes, p->is->classes[i].parent);

		if (above)
			p->inner[above->i]++;
	}
	return 0;
}

/* An index that no class has, nor had before this change: workers may still file packets by it. */
static int class_index(struct plan *p, struct qclass *cl)
{
	struct tree_change *c = p->c;

	while (p->free_from < p->t->ncls && p->t->cls[p->free_from])
		p->free_from++;
	if (p->free_from == c->ncls) {
		uint32_t room = c->ncls ? 2 * c->ncls : 16;
		struct qclass **more = realloc(c->cls, room * sizeof(struct qclass *));

		if (!more)
			return -ENOMEM;
		memset(more + c->ncls, 0, (room - c->ncls) * sizeof(struct qclass *));
		c->cls = more;
		c->ncls = room;
	}
	cl->index = p->free_from++;
	return 0;
}

/* ---- what goes */

static int class_goes(struct plan *p, struct qclass *cl, struct qdisc *stays);

/* The first of the tree's classes that may be one of q: they stand side by side. */
static unsigned first_class_of(const struct plan *p, const struct qdisc *q)
{
	unsigned first = 0, n = p->old_classes.n;

	while (n) {
		unsigned half = n / 2;

		if (p->old_classes.entry[first + half].handle < q->handle) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return first;
}

/* q and all under it. */
static int qdisc_goes(struct plan *p, struct qdisc *q)
{
	const struct book *b = &p->old_classes;
	int err = 0;

	for (unsigned i = first_class_of(p, q); q->ops->class_size && i < b->n && !err; i++) {
		struct qclass *cl = b->entry[i].p;

		if (cl->qdisc != q)
			break;
		err = class_goes(p, cl, NULL);
	}
	return err ? err : tree_list_add(&p->c->gone_qdiscs, q);
}

static int class_goes(struct plan *p, struct qclass *cl, struct qdisc *stays)
{
	int err = cl->child ? qdisc_goes(p, cl->child) : 0;

	return err ? err : tree_pairs_add(&p->c->gone_classes, cl, stays);
}

/* ---- what stays or comes */

/* A qdisc whose classes are being planned. */
struct scope {
	struct qdisc *q;
	const struct conf_qdisc *is, *was; /* was: NULL when it is new */
};

static int plan_classes(struct plan *p, const struct scope *s);

static bool same_class(const struct conf_class *a, const struct conf_class *b)
{
	return a->rate == b->rate && a->ceil == b->ceil && a->burst == b->burst &&
	       a->cburst == b->cburst && a->quantum == b->quantum && a->prio == b->prio;
}

/* The options of a kind stand in a union: all of it. */
static bool same_options(const struct conf_qdisc *a, const struct conf_qdisc *b)
{
	size_t from = offsetof(struct conf_qdisc, fifo), to = offsetof(struct conf_qdisc, line);

	return a->kind == b->kind &&
	       !memcmp((const char *)a + from, (const char *)b + from, to - from);
}

/* Handles from here on are chosen, not given: an inserted leaf moves those of all after it. */
static bool is_chosen(uint32_t handle)
{
	return handle >= CONF_HANDLE(0x8000, 0);
}

static bool may_stay(const struct qdisc *q, const struct conf_qdisc *c)
{
	return q->ops->id == c->kind &&
	       (q->handle == c->handle ||
		(is_chosen(q->handle) && is_chosen(c->handle) && !q->ops->class_size));
}

/* The qdisc that c wants where `standing` is now, if anything; `was`: standing's options. Links of
 * a new one to what is above are the caller's. */
static int plan_qdisc(struct plan *p, const struct conf_qdisc *c, struct qdisc *standing,
		      const struct conf_qdisc *was, struct qdisc **out)
{
	struct scope s = { .is = c };
	struct qdisc *fresh;
	int err = 0;

	if (standing && may_stay(standing, c)) {
		s.q = standing;
		s.was = was;
		if (standing->handle != c->handle)
			err = tree_pairs_add(&p->c->renamed, standing,
					     (void *)(uintptr_t)c->handle);
		if (!err && was && !same_options(c, was) && standing->ops->change) {
			fresh = tree_qdisc_make(p->t, c);
			err = fresh ? tree_pairs_add(&p->c->changed_qdiscs, standing, fresh)
				    : -ENOMEM;
			if (err)
				tree_qdisc_free(fresh);
		}
	} else {
		err = standing ? qdisc_goes(p, standing) : 0;
		s.q = err ? NULL : tree_qdisc_make(p->t, c);
		if (!err)
			err = s.q ? tree_list_add(&p->c->new_qdiscs, s.q) : -ENOMEM;
		if (err) {
			tree_qdisc_free(s.q);
			return err;
		}
	}
	*out = s.q;
	return err || !s.q->ops->class_size ? err : plan_classes(p, &s);
}

/* What hangs under a class that the file gives nothing. False: nothing. */
static bool default_child(const struct conf_qdisc *of, struct conf_qdisc *child)
{
	const struct qdisc_ops *ops = qdisc_ops_of[of->kind];

	memset(child, 0, sizeof(*child));
	child->kind = CONF_QDISC_PFIFO;
	return !ops->default_child || ops->default_child(of, child);
}

/* What hangs under a class of the scope; inner: other classes do. */
static int plan_child(struct plan *p, const struct scope *s, struct qclass *cl, bool inner)
{
	struct entry *e = book_find(&p->children, cl->classid);
	struct qdisc *standing = cl->child, *child = NULL;
	struct conf_qdisc by_default, by_default_was;
	const struct conf_qdisc *was = NULL, *is = NULL;
	int err;

	if (e)
		is = &p->is->qdiscs[e->i];
	else if (!inner && default_child(s->is, &by_default))
		is = &by_default;
	if (standing && standing->handle) {
		struct entry *w = book_find(&p->was_qdiscs, standing->handle);

		was = w ? &p->was->qdiscs[w->i] : NULL;
	} else if (standing && s->was && default_child(s->was, &by_default_was)) {
		was = &by_default_was;
	}
	if (!is)
		err = standing ? qdisc_goes(p, standing) : 0;
	else
		err = plan_qdisc(p, is, standing, was, &child);
	if (err || child == standing)
		return err;
	if (child) {
		child->up = s->q;
		child->place = cl;
	}
	return tree_pairs_add(&p->c->children, cl, child);
}

static int new_class(struct plan *p, const struct scope *s, uint32_t classid,
		     const struct conf_class *c, struct qclass *above, struct qclass **out)
{
	struct qclass *cl = tree_class_make(s->q, classid, c);
	int err = cl ? class_index(p, cl) : -ENOMEM;

	if (!err)
		err = tree_pairs_add(&p->c->new_classes, cl, above);
	if (err)
		free(cl);
	else
		*out = cl;
	return err;
}

/* Class i of the file. It stays if what it hangs under stays. */
static int plan_class(struct plan *p, const struct scope *s, unsigned i)
{
	const struct conf_class *c = &p->is->classes[i];
	struct entry *self = book_find(&p->classes, c->handle);
	struct entry *above = book_find(&p->classes, c->parent);
	struct entry *w = s->was ? book_find(&p->was_classes, c->handle) : NULL;
	const struct conf_class *was = w ? &p->was->classes[w->i] : NULL;
	struct qclass *cl = was ? book_get(&p->old_classes, c->handle) : NULL, *fresh;
	int err = 0;

	if (cl && (was->parent != c->parent ||
		   (above && above->p != book_get(&p->old_classes, c->parent))))
		cl = NULL;
	if (!cl) {
		err = new_class(p, s, c->handle, c, above ? above->p : NULL, &cl);
	} else if (!same_class(c, was) && s->q->ops->class_change) {
		fresh = tree_class_make(s->q, c->handle, c);
		err = fresh ? tree_pairs_add(&p->c->changed_classes, cl, fresh) : -ENOMEM;
		if (err)
			free(fresh);
	}
	if (err)
		return err;
	self->p = cl;
	return plan_child(p, s, cl, p->inner[i] != 0);
}

/* Classes of a qdisc that stays, of which the new file knows nothing, or in another place. */
static int classes_go(struct plan *p, const struct scope *s)
{
	int err = 0;

	for (unsigned i = p->was->nclasses; s->was && i-- && !err;) {
		uint32_t classid = p->was->classes[i].handle;
		struct qclass *cl = CONF_MAJOR(classid) == s->was->handle
					    ? book_get(&p->old_classes, classid)
					    : NULL;

		if (cl && book_get(&p->classes, classid) != cl)
			err = class_goes(p, cl, s->q);
	}
	return err;
}

/* Classes that are there by themselves: 1 to n. */
static int plan_own_classes(struct plan *p, const struct scope *s)
{
	const struct qdisc_ops *ops = s->q->ops;
	unsigned n = ops->nclasses(s->is), had = s->was ? ops->nclasses(s->was) : 0;
	struct qclass *cl;
	int err = 0;

	for (unsigned i = 1; i <= n && !err; i++) {
		cl = i <= had ? book_get(&p->old_classes, s->was->handle | i) : NULL;
		if (!cl)
			err = new_class(p, s, s->is->handle | i, NULL, NULL, &cl);
		if (!err)
			err = plan_child(p, s, cl, false);
	}
	for (unsigned i = had; i > n && !err; i--) {
		cl = book_get(&p->old_classes, s->was->handle | i);
		err = cl ? class_goes(p, cl, s->q) : 0;
	}
	return err;
}

static int plan_classes(struct plan *p, const struct scope *s)
{
	int err = 0;

	if (s->q->ops->nclasses)
		return plan_own_classes(p, s);
	for (unsigned i = 0; i < p->is->nclasses && !err; i++)
		if (CONF_MAJOR(p->is->classes[i].handle) == s->is->handle)
			err = plan_class(p, s, i);
	return err ? err : classes_go(p, s);
}

/* ---- a plan as a whole */

static void plan_fini(struct plan *p)
{
	free(p->old_qdiscs.entry);
	free(p->old_classes.entry);
	free(p->was_qdiscs.entry);
	free(p->was_classes.entry);
	free(p->qdiscs.entry);
	free(p->classes.entry);
	free(p->children.entry);
	free(p->inner);
}

static int plan_init(struct plan *p)
{
	int err = book_tree(p);

	if (!err)
		err = book_conf(&p->was_qdiscs, &p->was_classes, p->was);
	if (!err)
		err = book_conf(&p->qdiscs, &p->classes, p->is);
	if (!err)
		err = book_children(p);
	p->c->ncls = p->t->ncls;
	if (!err && p->t->ncls) { /* those in use are copied by the owner */
		p->c->cls = calloc(p->t->ncls, sizeof(*p->c->cls));
		err = p->c->cls ? 0 : -ENOMEM;
	}
	return err;
}

static bool is_empty(const struct tree_change *c, const struct qdisc_tree *t)
{
	return c->root == t->root && c->budget == t->budget && c->mtu == t->mtu &&
	       !c->gone_qdiscs.n && !c->gone_classes.first.n && !c->new_qdiscs.n &&
	       !c->new_classes.first.n && !c->children.first.n && !c->changed_qdiscs.first.n &&
	       !c->changed_classes.first.n && !c->renamed.first.n;
}

int tree_plan(const struct qdisc_tree *t, const struct conf_tree *was, const struct tree_config *c,
	      struct tree_change **out)
{
	struct plan p = { .t = t, .was = was, .is = c->conf, .config = c };
	int err;

	p.c = calloc(1, sizeof(*p.c));
	if (!p.c)
		return -ENOMEM;
	p.c->budget = c->budget;
	p.c->mtu = c->mtu;
	err = plan_init(&p);
	if (!err)
		err = plan_qdisc(&p, &c->conf->qdiscs[0], t->root,
				 was->nqdiscs ? &was->qdiscs[0] : NULL, &p.c->root);
	plan_fini(&p);
	if (!err && !is_empty(p.c, t)) {
		*out = p.c;
		return 0;
	}
	tree_change_destroy(p.c);
	if (!err)
		*out = NULL;
	return err;
}
