/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of a tree between its planning (tree_plan.c) and its end (tree_change.c). */
#ifndef ROUTER_NET_QDISC_TREE_INTERNAL_H
#define ROUTER_NET_QDISC_TREE_INTERNAL_H

#include "router/net/qdisc/tree.h"

struct tree_list {
	void **at;
	unsigned n, room;
};

/* Two of a kind, or a thing and where it belongs. */
struct tree_pairs {
	struct tree_list first, second;
};

struct tree_change {
	bool applied; /* what goes and comes; then so many options were taken */
	unsigned taken;
	uint32_t budget, mtu;
	struct qdisc *root;  /* from now on */
	struct qclass **cls; /* larger array of classes, or NULL; afterwards the old one */
	uint32_t ncls;
	struct tree_list gone_qdiscs;	/* deepest first */
	struct tree_pairs gone_classes; /* deepest first; with its qdisc if that stays, else NULL */
	struct tree_list new_qdiscs;	/* outermost first */
	struct tree_pairs new_classes;	/* outermost first; the class above, or NULL */
	struct tree_pairs children;	/* class that stays, and its child from now on */
	struct tree_pairs changed_qdiscs; /* the one in use, and the fresh one */
	struct tree_pairs changed_classes;
	struct tree_pairs renamed; /* the one in use, and its handle from now on */
};

/* 0 or -ENOMEM. [control] */
int tree_list_add(struct tree_list *l, void *p);
int tree_pairs_add(struct tree_pairs *l, void *a, void *b);

/* NULL: no memory, or options that cannot be. Unseen yet; links to what is above are the caller's.
 * [control] */
struct qdisc *tree_qdisc_make(const struct qdisc_tree *t, const struct conf_qdisc *c);
void tree_qdisc_free(struct qdisc *q);
struct qclass *tree_class_make(struct qdisc *q, uint32_t classid, const struct conf_class *c);

#endif
