// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who hangs under whom in a tree of qdiscs and classes. Three things are given by handle, by name
 * or not at all, and come out as handles: of qdiscs, then what is above each class, and with it the
 * major number of its handle, then what class each qdisc is in. A handle that the file leaves out
 * is chosen as tc does: 8001: and so on, the next free minor number.
 *
 * Trees may have tens of thousands of classes: an array by major number, and sorted indices of
 * names and of handles, keep every step short.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/check_qos.h"
#include "config/value.h"

enum { MAJORS = 0x10000, FIRST_AUTO = 0x8001, LAST_AUTO = 0xfffe };

/* ---- finding */

struct conf_qdisc *check_qdisc_of(const struct check_tree *x, uint32_t handle)
{
	unsigned place = x->qdisc_of[handle >> 16];

	return place ? &x->t->qdiscs[place - 1] : NULL;
}

static int compare_handles(const void *a, const void *b)
{
	const struct check_handle *x = a, *y = b;

	return x->handle < y->handle ? -1 : x->handle > y->handle;
}

int check_class_of(const struct check_tree *x, uint32_t handle)
{
	const struct check_handle key = { .handle = handle }, *found = NULL;

	if (x->t->nclasses)
		found = bsearch(&key, x->classes, x->t->nclasses, sizeof(key), compare_handles);
	return found ? (int)found->index : CHECK_NONE;
}

static_assert(offsetof(struct conf_class, name) == 0, "check_class_named");

int check_class_named(const struct check_tree *x, const char *name)
{
	const struct conf_class *c = check_find(&x->names, name);

	return c ? (int)(c - x->t->classes) : CHECK_NONE;
}

void check_class_label(const struct check_tree *x, uint32_t handle, char label[CONF_NAME])
{
	int index = check_class_of(x, handle);
	char text[VALUE_HANDLE_MAX];

	strcpy(label,
	       index == CHECK_NONE ? value_handle_format(handle, text) : x->t->classes[index].name);
}

void check_suggest_class(const struct check_tree *x, const char *name)
{
	check_suggest(x->k, name, &x->names, NULL);
}

/* ---- handles of qdiscs */

static void own_major(struct check_tree *x, unsigned index)
{
	struct conf_qdisc *q = &x->t->qdiscs[index];
	const struct conf_qdisc *first = check_qdisc_of(x, q->handle);
	char text[VALUE_HANDLE_MAX], line[YAML_PATH_MAX];

	if (!first) {
		x->qdisc_of[q->handle >> 16] = index + 1;
		return;
	}
	struct mark at = check_place(x->k, &q->handle, &q->line);
	check_tc_error(x->k, &q->handle, &q->line, "%s is the handle of the qdisc at %s already",
		       value_handle_format(q->handle, text),
		       check_line(x->k, check_place(x->k, &first->line, NULL), at, line));
	q->handle = 0;
}

static void choose_majors(struct check_tree *x)
{
	unsigned next = FIRST_AUTO, low = FIRST_AUTO - 1;

	for (unsigned i = 0; i < x->t->nqdiscs; i++) {
		struct conf_qdisc *q = &x->t->qdiscs[i];
		if (q->handle)
			continue;
		while (next <= LAST_AUTO && x->qdisc_of[next])
			next++;
		while (next > LAST_AUTO && low && x->qdisc_of[low])
			low--; /* more than tc would choose */
		unsigned major = next <= LAST_AUTO ? next : low;
		if (major == 0) {
			check_tc_error(x->k, NULL, &q->line, "no handle is left for it");
			return;
		}
		q->handle = CONF_HANDLE(major, 0);
		x->qdisc_of[major] = i + 1;
	}
}

static void name_qdiscs(struct check_tree *x)
{
	for (unsigned i = 0; i < x->t->nqdiscs; i++)
		if (x->t->qdiscs[i].handle)
			own_major(x, i);
	choose_majors(x);
}

/* ---- what is above a class */

/* Of the class itself if that is given, else of its qdisc as soon as that is known. */
static void above_by_handle(struct check_tree *x, unsigned index, uint32_t handle)
{
	struct conf_class *c = &x->t->classes[index];

	if (CONF_MINOR(handle)) {
		x->above_class[index] = check_class_of(x, handle);
		if (x->above_class[index] != CHECK_NONE)
			return;
	} else if (check_qdisc_of(x, handle)) {
		c->parent = handle;
		return;
	}
	check_tc_error(x->k, c->parent_name, &c->line, "there is no %s %s in this tree",
		       CONF_MINOR(handle) ? "class" : "qdisc", c->parent_name);
}

static void find_above(struct check_tree *x, unsigned index)
{
	struct conf_class *c = &x->t->classes[index];
	uint32_t handle;

	c->parent = x->t->qdiscs[0].handle;
	x->above_class[index] = CHECK_NONE;
	if (!c->parent_name[0])
		return;
	if (value_handle(c->parent_name, &handle) == 0) {
		above_by_handle(x, index, handle);
		return;
	}
	x->above_class[index] = check_class_named(x, c->parent_name);
	if (x->above_class[index] != CHECK_NONE)
		return;
	check_tc_error(x->k, c->parent_name, &c->line, "there is no class %s in this tree",
		       c->parent_name);
	check_suggest_class(x, c->parent_name);
}

/*
 * How deep each of n things stands, and what is topmost above it. A circle is cut where it closes,
 * and cut() tells.
 */
static void find_depths(struct check_tree *x, int *above, unsigned n, unsigned *depth, int *top,
			void (*cut)(struct check_tree *x, unsigned index))
{
	const unsigned open = UINT_MAX;

	for (unsigned i = 0; i < n; i++) {
		unsigned steps = 0;
		int at = (int)i, last = at;
		while (at != CHECK_NONE && depth[at] == 0) {
			depth[at] = open;
			if (above[at] != CHECK_NONE && depth[above[at]] == open) {
				cut(x, (unsigned)at);
				above[at] = CHECK_NONE;
			}
			last = at;
			at = above[at];
			steps++;
		}
		unsigned over = at == CHECK_NONE ? 0 : depth[at];
		int topmost = at == CHECK_NONE ? last : top[at];
		for (at = (int)i; steps > 0; at = above[at], steps--) {
			depth[at] = over + steps;
			top[at] = topmost;
		}
	}
}

static void cut_class(struct check_tree *x, unsigned index)
{
	const struct conf_class *c = &x->t->classes[index];

	check_tc_error(x->k, c->parent_name, &c->line, "hangs under itself");
}

/* ---- handles of classes */

struct minor {
	uint32_t handle; /* of those without a minor number, the qdisc's */
	unsigned index;
};

static int compare_minors(const void *a, const void *b)
{
	const struct minor *x = a, *y = b;
	bool automatic[2] = { CONF_MINOR(x->handle) == 0, CONF_MINOR(y->handle) == 0 };

	if (CONF_MAJOR(x->handle) != CONF_MAJOR(y->handle))
		return x->handle < y->handle ? -1 : 1;
	if (automatic[0] != automatic[1])
		return automatic[0] - automatic[1];
	if (x->handle != y->handle)
		return x->handle < y->handle ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* A class's own handle must be of the qdisc it is in. */
static void check_major(struct check_tree *x, struct conf_class *c, uint32_t major)
{
	char handle[VALUE_HANDLE_MAX], qdisc[VALUE_HANDLE_MAX];

	if (!c->handle)
		c->handle = major;
	if (CONF_MAJOR(c->handle) == major)
		return;
	check_tc_error(x->k, &c->handle, &c->line, "%s is no class of %s, the qdisc it is in",
		       value_handle_format(c->handle, handle), value_handle_format(major, qdisc));
	c->handle = major;
}

static void report_handle_twice(struct check_tree *x, unsigned index, unsigned before)
{
	const struct conf_class *c = &x->t->classes[index], *first = &x->t->classes[before];
	char text[VALUE_HANDLE_MAX];

	check_tc_error(x->k, &c->handle, &c->line, "%s is the handle of class %s already",
		       value_handle_format(c->handle, text), first->name);
}

/* Of one qdisc: those with a minor number first. */
static void choose_minors(struct check_tree *x, struct minor *m, unsigned n)
{
	unsigned taken = 0, p = 0, next = 1;

	while (taken < n && CONF_MINOR(m[taken].handle)) {
		if (taken && m[taken].handle == m[taken - 1].handle)
			report_handle_twice(x, m[taken].index, m[taken - 1].index);
		taken++;
	}
	for (unsigned i = taken; i < n; i++, next++) {
		struct conf_class *c = &x->t->classes[m[i].index];
		for (; p < taken && CONF_MINOR(m[p].handle) <= next; p++)
			next += CONF_MINOR(m[p].handle) == next;
		if (next > 0xffff) {
			check_tc_error(x->k, NULL, &c->line, "no handle is left for it");
			return;
		}
		c->handle |= next;
	}
}

static void name_classes(struct check_tree *x, const int *top, struct minor *m)
{
	unsigned n = x->t->nclasses, first = 0;

	for (unsigned i = 0; i < n; i++) {
		struct conf_class *c = &x->t->classes[i];
		check_major(x, c, x->t->classes[top[i]].parent);
		m[i] = (struct minor){ c->handle, i };
	}
	qsort(m, n, sizeof(*m), compare_minors);
	for (unsigned i = 1; i <= n; i++) {
		if (i < n && CONF_MAJOR(m[i].handle) == CONF_MAJOR(m[first].handle))
			continue;
		choose_minors(x, m + first, i - first);
		first = i;
	}
}

static void index_handles(struct check_tree *x)
{
	for (unsigned i = 0; i < x->t->nclasses; i++)
		x->classes[i] = (struct check_handle){ x->t->classes[i].handle, i };
	qsort(x->classes, x->t->nclasses, sizeof(*x->classes), compare_handles);
}

/* Parents as handles, and as they will be printed. */
static void settle_parents(struct check_tree *x)
{
	for (unsigned i = 0; i < x->t->nclasses; i++) {
		struct conf_class *c = &x->t->classes[i];
		int above = x->above_class[i];
		char text[VALUE_HANDLE_MAX];

		if (above != CHECK_NONE) {
			c->parent = x->t->classes[above].handle;
			strcpy(c->parent_name, x->t->classes[above].name);
			x->children[above]++;
		} else if (c->parent == x->t->qdiscs[0].handle) {
			c->parent_name[0] = '\0';
		} else {
			strcpy(c->parent_name, value_handle_format(c->parent, text));
		}
	}
}

static int resolve_classes(struct check_tree *x)
{
	unsigned n = x->t->nclasses;
	int *top = calloc((size_t)n + 1, sizeof(*top));
	struct minor *minors = calloc((size_t)n + 1, sizeof(*minors));
	int err = top && minors ? 0 : -ENOMEM;

	if (!err) {
		index_handles(x);
		for (unsigned i = 0; i < n; i++)
			find_above(x, i);
		find_depths(x, x->above_class, n, x->class_depth, top, cut_class);
		name_classes(x, top, minors);
		index_handles(x);
		settle_parents(x);
	}
	free(top);
	free(minors);
	return err;
}

/* ---- which class a qdisc is in */

/* The class that a qdisc names as its parent, as a handle; 0: there is none, reported. */
static uint32_t parent_handle(struct check_tree *x, struct conf_qdisc *q)
{
	uint32_t handle;

	if (value_handle(q->parent_name, &handle) == 0)
		return handle;
	int named = check_class_named(x, q->parent_name);
	if (named != CHECK_NONE)
		return x->t->classes[named].handle;
	check_tc_error(x->k, q->parent_name, &q->line, "there is no class %s in this tree",
		       q->parent_name);
	check_suggest_class(x, q->parent_name);
	return 0;
}

/* Classes that a qdisc just has: bands of prio, the one class of others, which "1:" means, too. */
static bool class_is_there(const struct check_tree *x, const struct conf_qdisc *in,
			   uint32_t *handle)
{
	unsigned minor = CONF_MINOR(*handle);

	switch (in->kind) {
	case CONF_QDISC_HTB: return check_class_of(x, *handle) != CHECK_NONE;
	case CONF_QDISC_PRIO: return minor >= 1 && minor <= in->prio.bands;
	case CONF_QDISC_TBF:
	case CONF_QDISC_RED:
	case CONF_QDISC_NETEM: *handle = CONF_MAJOR(*handle) | 1; return minor <= 1;
	default: return false;
	}
}

static void settle_qdisc(struct check_tree *x, unsigned index)
{
	struct conf_qdisc *q = &x->t->qdiscs[index], *in;
	char text[VALUE_HANDLE_MAX];
	uint32_t handle = q->parent_name[0] ? parent_handle(x, q) : 0;

	if (!handle)
		return;
	in = check_qdisc_of(x, handle);
	if (!in || !class_is_there(x, in, &handle)) {
		check_tc_error(x->k, q->parent_name, &q->line, "there is no class %s in this tree",
			       value_handle_format(handle, text));
		return;
	}
	q->parent = handle;
	x->above_qdisc[index] = (int)(in - x->t->qdiscs);
	int listed = check_class_of(x, handle);
	strcpy(q->parent_name, listed == CHECK_NONE ? value_handle_format(handle, text) : "");
	if (listed == CHECK_NONE)
		return;
	if (x->leaf[listed] == CHECK_NONE)
		x->leaf[listed] = (int)index;
	else
		check_tc_error(x->k, q->parent_name, &q->line, "class %s has a qdisc already",
			       x->t->classes[listed].name);
}

static int compare_parents(const void *a, const void *b)
{
	const struct conf_qdisc *x = *(const struct conf_qdisc *const *)a;
	const struct conf_qdisc *y = *(const struct conf_qdisc *const *)b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return (x > y) - (x < y);
}

/* Two qdiscs in a class that is just there. */
static int check_parents_twice(struct check_tree *x)
{
	unsigned n = x->t->nqdiscs;
	const struct conf_qdisc **by = calloc(n, sizeof(struct conf_qdisc *));
	char text[VALUE_HANDLE_MAX];

	if (!by)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		by[i] = &x->t->qdiscs[i];
	qsort(by, n, sizeof(*by), compare_parents);
	for (unsigned i = 1; i < n; i++)
		if (by[i]->parent && by[i]->parent == by[i - 1]->parent && by[i]->parent_name[0])
			check_tc_error(x->k, by[i]->parent_name, &by[i]->line,
				       "class %s has a qdisc already",
				       value_handle_format(by[i]->parent, text));
	free(by);
	return 0;
}

static void cut_qdisc(struct check_tree *x, unsigned index)
{
	const struct conf_qdisc *q = &x->t->qdiscs[index];

	check_tc_error(x->k, q->parent_name, &q->line, "hangs under itself");
}

static int resolve_qdiscs(struct check_tree *x)
{
	unsigned n = x->t->nqdiscs;
	int *top = calloc(n, sizeof(*top));

	if (!top)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		x->above_qdisc[i] = CHECK_NONE;
	x->t->qdiscs[0].parent = CONF_ROOT;
	for (unsigned i = 1; i < n; i++)
		settle_qdisc(x, i);
	find_depths(x, x->above_qdisc, n, x->qdisc_depth, top, cut_qdisc);
	free(top);
	return check_parents_twice(x);
}

/* ---- all of it */

static int make_room(struct check_tree *x)
{
	size_t n = (size_t)x->t->nclasses + 1, q = x->t->nqdiscs;

	x->classes = calloc(n, sizeof(*x->classes));
	x->above_class = calloc(n, sizeof(*x->above_class));
	x->class_depth = calloc(n, sizeof(*x->class_depth));
	x->children = calloc(n, sizeof(*x->children));
	x->leaf = calloc(n, sizeof(*x->leaf));
	x->qdisc_of = calloc(MAJORS, sizeof(*x->qdisc_of));
	x->above_qdisc = calloc(q, sizeof(*x->above_qdisc));
	x->qdisc_depth = calloc(q, sizeof(*x->qdisc_depth));
	if (!x->classes || !x->above_class || !x->class_depth || !x->children || !x->leaf ||
	    !x->qdisc_of || !x->above_qdisc || !x->qdisc_depth)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		x->leaf[i] = CHECK_NONE;
	return check_index_names(&x->names, x->t->classes, x->t->nclasses, sizeof(*x->t->classes));
}

int check_tree_resolve(struct check_tree *x)
{
	int err = make_room(x);

	if (err)
		return err;
	name_qdiscs(x);
	err = resolve_classes(x);
	return err ? err : resolve_qdiscs(x);
}

void check_tree_fini(struct check_tree *x)
{
	free(x->names.name);
	free(x->classes);
	free(x->qdisc_of);
	free(x->above_class);
	free(x->above_qdisc);
	free(x->class_depth);
	free(x->qdisc_depth);
	free(x->children);
	free(x->leaf);
}
