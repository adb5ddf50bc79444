// SPDX-License-Identifier: GPL-2.0-or-later
/* See qos_list.h. The order is found by sorting what there is by its parent: then the children of
 * each stand side by side, and a walk from the root down is a search each. */
#include "router/ctl/qos_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/shape.h"
#include "router/shaper.h"

#define AT_ROOT	  UINT32_MAX
#define DEPTH_MAX 200

/* ---- places */

static const struct conf_qos *conf_of(const struct conf *conf, const char *dev)
{
	for (unsigned i = 0; conf && i < conf->nqos; i++)
		if (strcmp(conf->qos[i].iface, dev) == 0)
			return &conf->qos[i];
	return NULL;
}

bool qos_place(const struct router *r, unsigned place, struct qos_place *out)
{
	unsigned port = place / QOS_TREES, which = place % QOS_TREES;
	const struct qos_tree *t = &r->qos.tree[port][which];
	const struct qos *q = r->qos.published;

	*out = (struct qos_place){
		.dev = r->ports[port].conf.name,
		.ingress = which == QOS_IFB,
	};
	if (q)
		out->filters = which == QOS_IFB ? q->port[port].in : q->port[port].out;
	if (out->filters)
		out->file = conf_of(r->conf, out->dev);
	if (t->shaper && t->conf && t->shaper->tree->root) {
		out->tree = t->shaper->tree;
		out->conf = t->conf;
	}
	return out->tree || out->filters;
}

/* ---- making a list */

static int add(struct qos_list *l, const struct qos_item *item)
{
	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 64;
		struct qos_item *more = realloc(l->item, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->item = more;
		l->room = room;
	}
	l->item[l->n++] = *item;
	return 0;
}

static int by_handle(const void *a, const void *b)
{
	uint32_t x = ((const struct qos_where *)a)->handle;
	uint32_t y = ((const struct qos_where *)b)->handle;

	return x < y ? -1 : x > y;
}

struct qos_where *qos_where_make(const struct conf_tree *c)
{
	struct qos_where *all = malloc((c->nqdiscs + c->nclasses + 1) * sizeof(*all));
	unsigned n = 0;

	if (!all)
		return NULL;
	for (unsigned i = 0; i < c->nqdiscs; i++)
		all[n++] = (struct qos_where){ c->qdiscs[i].handle, i, c->qdiscs[i].parent };
	for (unsigned i = 0; i < c->nclasses; i++)
		all[n++] = (struct qos_where){ c->classes[i].handle, i, c->classes[i].parent };
	qsort(all, n, sizeof(*all), by_handle);
	return all;
}

const struct qos_where *qos_where_find(const struct qos_where *all, const struct conf_tree *c,
				       uint32_t handle)
{
	struct qos_where key = { .handle = handle };

	return bsearch(&key, all, c->nqdiscs + c->nclasses, sizeof(key), by_handle);
}

struct making {
	const struct conf_tree *conf;
	struct qos_where *where;
	struct qos_item *node; /* by parent */
	unsigned n, *stack;
};

static uint32_t conf_index(const struct making *m, uint32_t handle)
{
	const struct qos_where *w = qos_where_find(m->where, m->conf, handle);

	return w ? w->i : UINT32_MAX;
}

static void add_qdisc(struct making *m, const struct qdisc *q, uint32_t at, uint16_t place)
{
	m->node[m->n++] = (struct qos_item){ .handle = q->handle,
					     .parent = q->place ? q->place->classid : CONF_ROOT,
					     .at = at,
					     .conf = conf_index(m, q->handle),
					     .place = place,
					     .kind = QOS_QDISC };
}

static void add_class(struct making *m, const struct qclass *cl, uint32_t at, uint16_t place)
{
	const struct qos_where *w = qos_where_find(m->where, m->conf, cl->classid);

	m->node[m->n++] = (struct qos_item){ .handle = cl->classid,
					     .parent = w ? w->parent : cl->qdisc->handle,
					     .at = at,
					     .conf = w ? w->i : UINT32_MAX,
					     .of = conf_index(m, cl->qdisc->handle),
					     .place = place,
					     .kind = QOS_CLASS };
}

/* A qdisc that nobody asked for is not listed, as tc does it. */
static void collect(struct making *m, const struct qdisc_tree *t, uint16_t place)
{
	struct qclass *const *cls;
	uint32_t n = qos_classes(t, &cls);

	add_qdisc(m, t->root, AT_ROOT, place);
	for (uint32_t i = 0; i < n; i++) {
		if (!cls[i])
			continue;
		add_class(m, cls[i], i, place);
		if (cls[i]->child && cls[i]->child->handle)
			add_qdisc(m, cls[i]->child, i, place);
	}
}

static int by_parent(const void *a, const void *b)
{
	const struct qos_item *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* The children of a handle: from the first on, up to before *end. */
static unsigned children(const struct making *m, uint32_t handle, unsigned *end)
{
	unsigned low = 0, high = m->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (m->node[middle].parent < handle)
			low = middle + 1;
		else
			high = middle;
	}
	for (*end = low; *end < m->n && m->node[*end].parent == handle;)
		++*end;
	return low;
}

/* From the root down. The stack holds what is yet to be visited; nothing is pushed twice. */
static int descend(struct making *m, struct qos_list *l)
{
	unsigned end, first = children(m, CONF_ROOT, &end), top = 0;
	int err = 0;

	if (first < end)
		m->stack[top++] = first;
	while (top && !err) {
		struct qos_item *item = &m->node[m->stack[--top]];

		first = children(m, item->handle, &end);
		item->inner = first < end && m->node[end - 1].kind == QOS_CLASS;
		err = add(l, item);
		for (unsigned i = end; i-- > first;) {
			unsigned depth = item->depth + 1u;

			m->node[i].depth = (uint8_t)(depth < DEPTH_MAX ? depth : DEPTH_MAX);
			m->stack[top++] = i;
		}
	}
	return err;
}

static int add_tree(struct qos_list *l, const struct qos_place *p, uint16_t place)
{
	struct making m = { .conf = p->conf, .where = qos_where_make(p->conf) };
	struct qclass *const *cls;
	size_t room = 2 * (size_t)qos_classes(p->tree, &cls) + 1;
	int err = -ENOMEM;

	m.node = malloc(room * sizeof(*m.node));
	m.stack = malloc(room * sizeof(*m.stack));
	if (m.where && m.node && m.stack) {
		collect(&m, p->tree, place);
		qsort(m.node, m.n, sizeof(*m.node), by_parent);
		err = descend(&m, l);
	}
	free(m.where);
	free(m.node);
	free(m.stack);
	return err;
}

/* ---- filters */

/* The filters of a place, as the configuration has them. */
static const struct conf_tc_filter *conf_filters(const struct qos_place *p, bool ingress,
						 unsigned *n)
{
	const struct conf_tree *t = !p->file ? NULL : p->ingress ? &p->file->ifb : &p->file->egress;

	*n = !t ? 0 : ingress ? p->file->ningress : t->nfilters;
	return !t ? NULL : ingress ? p->file->ingress : t->filters;
}

static bool is_filter(const struct conf_tc_filter *c, const struct tc_filter_info *f)
{
	return c->line == f->line && c->priority == f->priority && c->classid == f->classid &&
	       strcmp(c->file, f->file) == 0;
}

/* Both sequences go by parent and priority and else by the file: so the next one is mostly near
 * the last one, and a walk that begins there finds it. */
static uint32_t find_filter(const struct qos_place *p, const struct tc_filter_info *f,
			    uint32_t from)
{
	unsigned n;
	const struct conf_tc_filter *all = conf_filters(p, f->parent == CONF_INGRESS, &n);

	for (unsigned i = 0; i < n; i++) {
		unsigned at = (from + i) % n;

		if (is_filter(&all[at], f))
			return at;
	}
	return UINT32_MAX;
}

static int add_filters(struct qos_list *l, const struct qos_place *p, uint16_t place)
{
	struct tc_filter_info info;
	uint32_t from = 0;
	int err = 0;

	for (unsigned i = 1; !err && p->filters && tc_filter_info(p->filters, i, &info); i++) {
		uint32_t at = info.parent ? find_filter(p, &info, from) : UINT32_MAX;

		if (at != UINT32_MAX)
			from = at + 1;
		err = add(l, &(struct qos_item){ .handle = info.parent,
						 .at = i,
						 .conf = at,
						 .place = place,
						 .kind = QOS_FILTER });
	}
	return err;
}

/* ---- the list of a command */

static void destroy(void *list)
{
	struct qos_list *l = list;

	if (l)
		free(l->item);
	free(l);
}

static int make(const struct router *r, const char *dev, struct qos_list **out)
{
	struct qos_list *l = calloc(1, sizeof(*l));
	struct qos_place p;
	int err = l ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && i < QOS_PLACES; i++) {
		if (!qos_place(r, i, &p) || (dev && strcmp(dev, p.dev) != 0))
			continue;
		snprintf(l->dev[i / QOS_TREES], CONF_NAME, "%s", p.dev);
		if (p.tree)
			err = add_tree(l, &p, (uint16_t)i);
		if (!err)
			err = add_filters(l, &p, (uint16_t)i);
	}
	if (err)
		destroy(l);
	else
		*out = l;
	return err;
}

int qos_port_find(const struct router *r, const char *dev, struct command_ctx *c)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (strcmp(r->ports[i].conf.name, dev) == 0)
			return 0;
	return command_fail(c, -ENOENT, "there is no port \"%.64s\"", dev);
}

int qos_list_open(const struct router *r, const char *dev, struct cursor *cur,
		  struct command_ctx *c, struct qos_list **out)
{
	int err;

	*out = cur->data;
	if (*out)
		return 0;
	err = dev ? qos_port_find(r, dev, c) : 0;
	if (!err)
		err = make(r, dev, out);
	if (err)
		return err;
	cur->data = *out;
	cur->release = destroy;
	return 0;
}

/* ---- looking again */

/* After a reload things may stand elsewhere in the configuration. */
static const struct conf_qdisc *conf_qdisc(const struct conf_tree *c, uint32_t handle, uint32_t i)
{
	if (i < c->nqdiscs && c->qdiscs[i].handle == handle)
		return &c->qdiscs[i];
	for (i = 0; i < c->nqdiscs; i++)
		if (c->qdiscs[i].handle == handle)
			return &c->qdiscs[i];
	return NULL;
}

static const struct conf_class *conf_class(const struct conf_tree *c, uint32_t handle, uint32_t i)
{
	if (i < c->nclasses && c->classes[i].handle == handle)
		return &c->classes[i];
	for (i = 0; i < c->nclasses; i++)
		if (c->classes[i].handle == handle)
			return &c->classes[i];
	return NULL;
}

static const struct qclass *class_at(const struct qdisc_tree *t, uint32_t i)
{
	struct qclass *const *cls;
	uint32_t n = qos_classes(t, &cls);

	return i < n ? cls[i] : NULL;
}

static bool find_qdisc(const struct qos_item *item, struct qos_thing *out)
{
	const struct qdisc_tree *t = out->place.tree;
	const struct qclass *above = item->at == AT_ROOT ? NULL : class_at(t, item->at);

	out->qdisc = item->at == AT_ROOT ? t->root : above ? above->child : NULL;
	if (!out->qdisc || out->qdisc->handle != item->handle)
		return false;
	out->conf = conf_qdisc(out->place.conf, item->handle, item->conf);
	return out->conf && out->conf->kind == out->qdisc->ops->id;
}

static bool find_class(const struct qos_item *item, struct qos_thing *out)
{
	const struct qclass *cl = class_at(out->place.tree, item->at);

	if (!cl || cl->classid != item->handle)
		return false;
	out->cls = cl;
	out->conf = conf_qdisc(out->place.conf, cl->qdisc->handle, item->of);
	if (item->conf != UINT32_MAX)
		out->conf_class = conf_class(out->place.conf, item->handle, item->conf);
	return out->conf && out->conf->kind == cl->qdisc->ops->id;
}

static bool find_info(const struct qos_item *item, struct qos_thing *out)
{
	const struct tc_filter_info *f = &out->filter;
	uint32_t at;
	unsigned n;

	if (!out->place.filters || !tc_filter_info(out->place.filters, item->at, &out->filter) ||
	    f->parent != item->handle)
		return false;
	at = f->parent ? find_filter(&out->place, f, item->conf) : UINT32_MAX;
	if (at != UINT32_MAX)
		out->conf_filter = &conf_filters(&out->place, f->parent == CONF_INGRESS, &n)[at];
	return true;
}

bool qos_thing(const struct router *r, const struct qos_list *l, const struct qos_item *item,
	       struct qos_thing *out)
{
	*out = (struct qos_thing){ 0 };
	if (!qos_place(r, item->place, &out->place) ||
	    strcmp(out->place.dev, l->dev[item->place / QOS_TREES]) != 0)
		return false;
	if (item->kind == QOS_FILTER)
		return find_info(item, out);
	if (!out->place.tree)
		return false;
	return item->kind == QOS_QDISC ? find_qdisc(item, out) : find_class(item, out);
}

void *qos_looks_resize(void *looks, uint32_t had, uint32_t n, size_t size)
{
	char *more, *old = looks;

	if (old && n == had)
		return old;
	more = calloc((size_t)n + 1, size);
	if (!more || !old)
		return more;
	memcpy(more, old, (n < had ? n : had) * size);
	memcpy(more + n * size, old + had * size, size);
	free(old);
	return more;
}
