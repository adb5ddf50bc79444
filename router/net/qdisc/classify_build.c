// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filters of a place out of a configuration: mirrors and redirects that begin there, the list
 * of ingress, the filters of a tree. Whatever is wrong is said before anything is in use. [control]
 */
#include "router/net/qdisc/classify_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tc_refuse(const struct tc_build *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(b->why, b->size, format, ap);
	va_end(ap);
	return -EINVAL;
}

int tc_no_memory(const struct tc_build *b)
{
	snprintf(b->why, b->size, "out of memory");
	return -ENOMEM;
}

/* By parent, by priority, then as in the file: they stand in one array there. */
static int compare_filters(const void *a, const void *b)
{
	const struct conf_tc_filter *x = *(const struct conf_tc_filter *const *)a;
	const struct conf_tc_filter *y = *(const struct conf_tc_filter *const *)b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x < y ? -1 : x > y;
}

static const struct conf_tc_filter **sorted(const struct conf_tc_filter *filter, unsigned n)
{
	const struct conf_tc_filter **v = calloc(n + 1ul, sizeof(*v));

	for (unsigned i = 0; v && i < n; i++)
		v[i] = &filter[i];
	if (v)
		qsort(v, n, sizeof(*v), compare_filters);
	return v;
}

/* ---- mirrors, ingress, tree */

static bool begins_here(const struct tc_build *b, const struct conf_mirror *m)
{
	return !strcmp(m->from, b->place->iface) &&
	       (m->direction == CONF_DIRECTION_BOTH || m->direction == b->place->direction);
}

/* Mirrors and redirects as the filters that they mean. */
struct mirrors {
	struct conf_tc_filter *filter;
	struct conf_tc_action *action;
	const char **name;
	unsigned n;
};

static void add_mirrors(const struct tc_build *b, const struct conf_mirror *m, unsigned n,
			enum conf_tc_act act, struct mirrors *out)
{
	for (unsigned i = 0; i < n; i++, m++) {
		struct conf_tc_filter *c = &out->filter[out->n];
		struct conf_tc_action *a = &out->action[out->n];

		if (!begins_here(b, m))
			continue;
		a->act = act;
		a->snaplen = m->snaplen;
		memcpy(a->dev, m->to, sizeof(a->dev));
		c->match = m->match;
		c->frame = m->frame;
		c->actions = a;
		c->nactions = 1;
		c->line = m->line;
		memcpy(c->file, m->file, sizeof(c->file));
		out->name[out->n++] = m->name;
	}
}

static int build_named(struct tc_build *b, const struct mirrors *m)
{
	const struct conf_tc_filter **v = sorted(m->filter, m->n);
	int rc = v ? tc_build_list(b, v, m->n) : tc_no_memory(b);

	for (unsigned i = 0; i < m->n && !rc; i++) {
		b->f->filter[i].name = strdup(m->name[i]);
		rc = b->f->filter[i].name ? 0 : tc_no_memory(b);
	}
	free(v);
	return rc;
}

static int build_mirrors(struct tc_build *b)
{
	const struct conf *conf = b->c->match.conf;
	size_t most = (size_t)conf->nmirrors + conf->nredirects + 1;
	struct mirrors m = {
		.filter = calloc(most, sizeof(*m.filter)),
		.action = calloc(most, sizeof(*m.action)),
		.name = calloc(most, sizeof(*m.name)),
	};
	int rc = -ENOMEM;

	if (m.filter && m.action && m.name) {
		add_mirrors(b, conf->mirrors, conf->nmirrors, CONF_TC_MIRROR, &m);
		add_mirrors(b, conf->redirects, conf->nredirects, CONF_TC_REDIRECT, &m);
		rc = build_named(b, &m);
	} else {
		tc_no_memory(b);
	}
	free(m.filter);
	free(m.action);
	free(m.name);
	return rc;
}

static int build_ingress(struct tc_build *b)
{
	const struct conf_tc_filter **v = sorted(b->place->ingress, b->place->ningress);
	int rc = v ? tc_build_list(b, v, b->place->ningress) : tc_no_memory(b);

	free(v);
	return rc;
}

static int build_lists(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n)
{
	int rc = 0;

	for (unsigned first = 0, end; first < n && !rc; first = end) {
		struct tc_node *node = tc_node_find(b->f, filter[first]->parent);

		for (end = first; end < n && filter[end]->parent == filter[first]->parent;)
			end++;
		node->list = b->f->nlists;
		rc = tc_build_list(b, filter + first, end - first);
	}
	return rc;
}

static int build_tree(struct tc_build *b)
{
	const struct conf_tree *t = b->place->tree;
	const struct conf_tc_filter **v;
	int rc;

	if (!t || !t->nqdiscs)
		return 0;
	v = sorted(t->filters, t->nfilters);
	if (!v)
		return tc_no_memory(b);
	rc = tc_build_classes(b);
	if (!rc)
		rc = tc_build_nodes(b, v, t->nfilters);
	if (!rc)
		rc = build_lists(b, v, t->nfilters);
	free(v);
	return rc;
}

/* ---- all of it */

static int make_room(struct tc_build *b)
{
	const struct conf *conf = b->c->match.conf;
	const struct conf_tree *t = b->place->tree;
	uint64_t of_tree = t ? t->nfilters : 0;
	uint64_t all = (uint64_t)conf->nmirrors + conf->nredirects + b->place->ningress + of_tree;

	if (all > TC_FILTERS_MAX)
		return tc_refuse(b, "qos.%s: more than %u filters", b->place->iface,
				 TC_FILTERS_MAX);
	b->f->filter = calloc(all + 1, sizeof(*b->f->filter));
	b->f->list = calloc(TC_LIST_TREE + of_tree, sizeof(*b->f->list));
	return b->f->filter && b->f->list ? 0 : tc_no_memory(b);
}

/* Each worker's counters begin a cache line of their own; number 0 is none. */
static int build_counters(struct tc_build *b)
{
	struct tc_filters *f = b->f;
	size_t size = (f->nfilters + 4ul) / 4 * 4 * sizeof(struct tc_count);

	static_assert(4 * sizeof(struct tc_count) == 64, "four to a cache line");
	f->count = calloc(b->c->nworkers + 1ul, sizeof(*f->count));
	if (!f->count)
		return tc_no_memory(b);
	for (; f->nworkers < b->c->nworkers; f->nworkers++) {
		struct tc_count *c = aligned_alloc(64, size);

		if (!c)
			return tc_no_memory(b);
		memset(c, 0, size);
		f->count[f->nworkers] = c;
	}
	return 0;
}

static int build_all(struct tc_build *b)
{
	int rc = make_room(b);

	if (!rc)
		rc = build_mirrors(b);
	if (!rc)
		rc = build_ingress(b);
	if (!rc)
		rc = build_tree(b);
	return rc ? rc : build_counters(b);
}

int tc_filters_build(const struct tc_context *c, const struct tc_place *place,
		     struct tc_filters **out, char *why, size_t size)
{
	struct tc_build b = { .c = c, .place = place, .why = why, .size = size };
	int rc;

	b.f = calloc(1, sizeof(*b.f));
	if (!b.f)
		return tc_no_memory(&b);
	memcpy(b.f->secret, c->secret, sizeof(b.f->secret));
	b.f->mirror = c->mirror;
	rc = build_all(&b);
	if (rc || (!b.f->nfilters && !b.f->nnodes)) {
		tc_filters_destroy(b.f);
		b.f = NULL;
	}
	if (!rc)
		*out = b.f;
	return rc;
}

void tc_filters_destroy(struct tc_filters *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->nfilters; i++)
		tc_filter_fini(&f->filter[i]);
	for (unsigned i = 0; i < f->nlists; i++)
		tc_list_fini(&f->list[i]);
	for (unsigned w = 0; w < f->nworkers; w++)
		free(f->count[w]);
	free(f->filter);
	free(f->list);
	free(f->class);
	free(f->node);
	free(f->count);
	free(f);
}
