// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of a tree of qdiscs, what a packet on its way past filters must know: the classes there are, and
 * the nodes at which somebody asks (classify_internal.h). [control]
 */
#include "router/net/qdisc/classify_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_handles(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorted, each once. */
static unsigned unique(uint32_t *v, unsigned n)
{
	unsigned kept = 0;

	qsort(v, n, sizeof(*v), compare_handles);
	for (unsigned i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return kept;
}

static bool has(const uint32_t *v, unsigned n, uint32_t handle)
{
	return bsearch(&handle, v, n, sizeof(*v), compare_handles);
}

/* ---- classes */

/* Classes that a qdisc has by itself: 1 .. n of its minors. */
static unsigned own_classes(const struct conf_qdisc *q)
{
	const struct qdisc_ops *ops = qdisc_ops_of[q->kind];

	return ops->nclasses ? ops->nclasses(q) : 0;
}

static unsigned collect_classes(const struct conf_tree *t, uint32_t *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->nclasses; i++)
		v[n++] = t->classes[i].handle;
	for (unsigned i = 0; i < t->nqdiscs; i++)
		for (unsigned k = 1; k <= own_classes(&t->qdiscs[i]); k++)
			v[n++] = t->qdiscs[i].handle | k;
	return unique(v, n);
}

int tc_build_classes(struct tc_build *b)
{
	const struct conf_tree *t = b->place->tree;
	unsigned room = t->nclasses, n, nparents = 0;
	uint32_t *v, *parent;
	int rc = 0;

	for (unsigned i = 0; i < t->nqdiscs; i++)
		room += own_classes(&t->qdiscs[i]);
	v = calloc(room + 1ul, sizeof(*v));
	parent = calloc(t->nclasses + 1ul, sizeof(*parent));
	b->f->class = calloc(room + 1ul, sizeof(*b->f->class));
	if (!v || !parent || !b->f->class) {
		rc = tc_no_memory(b);
		goto out;
	}
	for (unsigned i = 0; i < t->nclasses; i++)
		if (CONF_MINOR(t->classes[i].parent))
			parent[nparents++] = t->classes[i].parent;
	nparents = unique(parent, nparents);
	n = collect_classes(t, v);
	for (unsigned i = 0; i < n; i++)
		b->f->class[i] = (struct tc_class){
			.handle = v[i],
			.cls = b->c->class_of(b->c->arg, v[i]),
			.node = TC_NONE,
			.inner = has(parent, nparents, v[i]),
		};
	b->f->nclasses = n;
out:
	free(v);
	free(parent);
	return rc;
}

/* ---- nodes */

struct nodes {
	struct tc_build *b;
	const struct conf_qdisc **qdisc; /* by handle */
	unsigned nqdiscs;
	uint32_t *handle;
	unsigned n, room;
};

static int compare_qdiscs(const void *a, const void *b)
{
	const struct conf_qdisc *x = *(const struct conf_qdisc *const *)a;
	const struct conf_qdisc *y = *(const struct conf_qdisc *const *)b;

	return compare_handles(&x->handle, &y->handle);
}

static const struct conf_qdisc *qdisc_of(const struct nodes *s, uint32_t handle)
{
	const struct conf_qdisc key = { .handle = CONF_MAJOR(handle) }, *wanted = &key;
	const struct conf_qdisc **found =
		bsearch(&wanted, s->qdisc, s->nqdiscs, sizeof(wanted), compare_qdiscs);

	return found ? *found : NULL;
}

static int push(struct nodes *s, uint32_t handle)
{
	if (s->n == s->room) {
		unsigned room = s->room ? 2 * s->room : 16;
		uint32_t *v = realloc(s->handle, room * sizeof(*v));

		if (!v)
			return tc_no_memory(s->b);
		s->handle = v;
		s->room = room;
	}
	s->handle[s->n++] = handle;
	return 0;
}

/* Who asks here, and all whom a packet must have passed before. Parents stand before children in
 * the tree, so this ends at the root. */
static int push_path(struct nodes *s, uint32_t handle)
{
	const struct conf_tree *t = s->b->place->tree;

	for (unsigned turns = 0; turns <= t->nqdiscs; turns++) {
		const struct conf_qdisc *q = qdisc_of(s, handle);
		int rc;

		if (!q || (CONF_MINOR(handle) && !tc_class_find(s->b->f, handle)))
			break;
		rc = push(s, handle);
		if (!rc && CONF_MINOR(handle))
			rc = push(s, q->handle);
		if (rc || q->parent == CONF_ROOT)
			return rc;
		handle = CONF_MAJOR(q->parent);
	}
	return tc_refuse(s->b, "qos.%s: filters: there is no %x:%x in the tree", s->b->place->iface,
			 handle >> 16, CONF_MINOR(handle));
}

static struct tc_class *class_at(const struct tc_filters *f, uint32_t handle)
{
	const struct tc_class *c = tc_class_find(f, handle);

	return c ? &f->class[c - f->class] : NULL;
}

/* What the class that stands above a node leads to. */
static void link_node(struct nodes *s, unsigned i)
{
	struct tc_filters *f = s->b->f;
	const struct conf_qdisc *q = qdisc_of(s, s->handle[i]);
	struct tc_class *above;

	f->node[i] = (struct tc_node){ .handle = s->handle[i], .list = TC_NONE };
	if (CONF_MINOR(s->handle[i]))
		above = class_at(f, s->handle[i]);
	else
		above = q->parent == CONF_ROOT ? NULL : class_at(f, q->parent);
	if (above)
		above->node = i;
	if (q->parent == CONF_ROOT && !CONF_MINOR(s->handle[i]))
		f->root = i;
}

/* Where a packet goes that no filter of a node knows: of interest only if somebody asks there. */
static void set_otherwise(struct nodes *s, struct tc_node *n)
{
	const struct tc_filters *f = s->b->f;
	const struct conf_qdisc *q = qdisc_of(s, n->handle);
	uint32_t minor = q->kind == CONF_QDISC_HTB ? q->htb.default_minor : 1;
	const struct tc_class *c = minor ? tc_class_find(f, q->handle | minor) : NULL;

	if (q->kind == CONF_QDISC_PRIO) {
		memcpy(n->priomap, q->prio.priomap, sizeof(n->priomap));
		for (unsigned band = 1; band <= q->prio.bands; band++)
			if (tc_class_find(f, q->handle | band)->node != TC_NONE)
				n->otherwise = TC_PRIOMAP;
	} else if (c && !c->inner && c->node != TC_NONE) {
		n->otherwise = TC_FIXED;
		n->fixed = (uint32_t)(c - f->class);
	}
}

static int build_nodes(struct nodes *s, const struct conf_tc_filter *const *filter, unsigned n)
{
	const struct conf_tree *t = s->b->place->tree;
	struct tc_filters *f = s->b->f;
	int rc;

	s->qdisc = calloc(t->nqdiscs, sizeof(const struct conf_qdisc *));
	if (!s->qdisc)
		return tc_no_memory(s->b);
	for (unsigned i = 0; i < t->nqdiscs; i++)
		s->qdisc[i] = &t->qdiscs[i];
	s->nqdiscs = t->nqdiscs;
	qsort(s->qdisc, s->nqdiscs, sizeof(*s->qdisc), compare_qdiscs);
	rc = push_path(s, t->qdiscs[0].handle);
	for (unsigned i = 0; i < n && !rc; i++)
		if (!i || filter[i]->parent != filter[i - 1]->parent)
			rc = push_path(s, filter[i]->parent);
	if (rc)
		return rc;
	s->n = unique(s->handle, s->n);
	f->node = calloc(s->n, sizeof(*f->node));
	if (!f->node)
		return tc_no_memory(s->b);
	f->nnodes = s->n;
	for (unsigned i = 0; i < s->n; i++)
		link_node(s, i);
	for (unsigned i = 0; i < s->n; i++)
		set_otherwise(s, &f->node[i]);
	return 0;
}

int tc_build_nodes(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n)
{
	struct nodes s = { .b = b };
	int rc = build_nodes(&s, filter, n);

	free(s.qdisc);
	free(s.handle);
	return rc;
}

struct tc_node *tc_node_find(const struct tc_filters *f, uint32_t handle)
{
	unsigned first = 0, n = f->nnodes;

	while (n && f->node[first + n / 2].handle != handle) {
		if (f->node[first + n / 2].handle < handle) {
			first += n / 2 + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return n ? &f->node[first + n / 2] : NULL;
}
