// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order in which the lists of a tree are handed on: parents before their children, so that
 * whoever builds it needs one pass, and filters by priority. Among equals, the file's. It is also
 * the order that conf_print() relies upon: qdiscs in classes of the list come in the order of these
 * classes. Only for trees without errors; the places of fields are void behind it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check_qos.h"

struct place {
	unsigned key[3];
	unsigned index;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	for (unsigned i = 0; i < 3; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Sort places, and the records they stand for. */
static int arrange(struct place *places, unsigned n, void *records, size_t size)
{
	char *copy = calloc((size_t)n + 1, size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, records, n * size);
	qsort(places, n, sizeof(*places), compare_places);
	for (unsigned i = 0; i < n; i++)
		memcpy((char *)records + i * size, copy + places[i].index * size, size);
	free(copy);
	return 0;
}

int tree_order_filters(struct conf_tc_filter *filters, unsigned n)
{
	struct place *p = calloc((size_t)n + 1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		p[i] = (struct place){ { filters[i].priority }, i };
	int err = n ? arrange(p, n, filters, sizeof(*filters)) : 0;
	free(p);
	return err;
}

/* By the depth of their qdisc, then by their own. */
static int order_classes(struct check_tree *x, struct place *p)
{
	struct conf_tree *t = x->t;

	for (unsigned i = 0; i < t->nclasses; i++) {
		const struct conf_qdisc *q = check_qdisc_of(x, t->classes[i].handle);
		p[i] = (struct place){ { x->qdisc_depth[q - t->qdiscs], x->class_depth[i] }, i };
	}
	return t->nclasses ? arrange(p, t->nclasses, t->classes, sizeof(*t->classes)) : 0;
}

/* By their depth; in it, those of listed classes as these, then the others. `place` holds the
 * classes' places as they were ordered. */
static int order_qdiscs(struct check_tree *x, struct place *p, const struct place *place)
{
	struct conf_tree *t = x->t;
	unsigned *rank = calloc(t->nqdiscs, sizeof(*rank));

	if (!rank)
		return -ENOMEM;
	for (unsigned i = 0; i < t->nclasses; i++)
		if (x->leaf[place[i].index] != CHECK_NONE)
			rank[x->leaf[place[i].index]] = i + 1;
	for (unsigned i = 0; i < t->nqdiscs; i++)
		p[i] = (struct place){ { x->qdisc_depth[i], rank[i] == 0, rank[i] }, i };
	int err = arrange(p, t->nqdiscs, t->qdiscs, sizeof(*t->qdiscs));
	free(rank);
	return err;
}

int tree_order(struct check_tree *x)
{
	struct place *classes = calloc((size_t)x->t->nclasses + 1, sizeof(*classes));
	struct place *qdiscs = calloc(x->t->nqdiscs, sizeof(*qdiscs));
	int err = classes && qdiscs ? order_classes(x, classes) : -ENOMEM;

	if (!err)
		err = order_qdiscs(x, qdiscs, classes);
	if (!err)
		err = tree_order_filters(x->t->filters, x->t->nfilters);
	free(classes);
	free(qdiscs);
	return err;
}
