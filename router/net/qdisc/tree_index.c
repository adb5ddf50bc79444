// SPDX-License-Identifier: GPL-2.0-or-later
/* Classes of a tree by their handles: filters are built against it. See tree.h. [control] */
#include <errno.h>
#include <stdlib.h>

#include "router/net/qdisc/tree_internal.h"

struct place {
	uint32_t classid, index;
};

struct tree_index {
	unsigned n;
	struct place place[];
};

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct place *)a)->classid, y = ((const struct place *)b)->classid;

	return x < y ? -1 : x > y;
}

static void put(struct tree_index *i, const struct qclass *cl)
{
	i->place[i->n++] = (struct place){ cl->classid, cl->index };
}

int tree_index_create(const struct qdisc_tree *t, const struct tree_change *c,
		      struct tree_index **out)
{
	unsigned fresh = c ? c->new_classes.first.n : 0;
	struct tree_index *i = malloc(sizeof(*i) + (t->ncls + fresh) * sizeof(i->place[0]));
	bool *gone = calloc(t->ncls + 1, sizeof(*gone));

	if (!i || !gone) {
		free(i);
		free(gone);
		return -ENOMEM;
	}
	i->n = 0;
	for (unsigned k = 0; c && k < c->gone_classes.first.n; k++)
		gone[((struct qclass *)c->gone_classes.first.at[k])->index] = true;
	for (uint32_t k = 0; k < t->ncls; k++)
		if (t->cls[k] && !gone[k])
			put(i, t->cls[k]);
	for (unsigned k = 0; k < fresh; k++)
		put(i, c->new_classes.first.at[k]);
	qsort(i->place, i->n, sizeof(i->place[0]), compare);
	free(gone);
	*out = i;
	return 0;
}

uint32_t tree_index_find(const struct tree_index *i, uint32_t classid)
{
	struct place key = { .classid = classid };
	const struct place *p = i->n ? bsearch(&key, i->place, i->n, sizeof(key), compare) : NULL;

	return p ? p->index : QCLASS_NONE;
}

void tree_index_destroy(struct tree_index *i)
{
	free(i);
}
