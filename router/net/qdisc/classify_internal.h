/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the filters of a place, shared by classify.c (asks them), classify_act.c (does what
 * they say), classify_build.c, classify_list.c and classify_tree.c (make them), classify_text.c and
 * classify_show.c (tell of them).
 * Nobody else includes this.
 *
 * Filters stand in one array, by list, and in a list in the order they are asked. A list has two
 * matchers: one of all its filters for IP packets, one of those that may hold for other frames.
 * What a filter looks at beside (struct conf_frame_match) is asked when the matcher says yes.
 *
 * Of a tree only those qdiscs and inner classes are nodes that have filters, or below which a qdisc
 * has; and the root. Classes are one array, sorted by handle, for all who name one: filters,
 * hashes, skb->priority, and qdiscs that choose by themselves where a packet goes on.
 */
#ifndef ROUTER_NET_QDISC_CLASSIFY_INTERNAL_H
#define ROUTER_NET_QDISC_CLASSIFY_INTERNAL_H

#include "router/net/qdisc/classify.h"
#include "router/net/qdisc/qdisc.h"
#include "router/net/qdisc/tc_match.h"

#define TC_NONE	       UINT32_MAX
#define TC_RECLASSIFY  16u /* times that a list begins again: Linux's limit */
#define TC_DEPTH       32u /* nodes that a packet passes: inner classes may point in a circle */
#define TC_FILTERS_MAX UINT16_MAX
#define TC_DIVISOR_MAX 65535u

struct tc_action {
	struct conf_tc_action conf;
	struct policer *policer;
	uint16_t port; /* mirror, redirect */
};

struct tc_filter {
	struct conf_frame_match *frame; /* NULL: nothing */
	struct matcher *rates; /* its match again, asked when the frame holds: only then may
				  its rate lose a token; else NULL */
	struct tc_action *action;
	unsigned nactions;
	bool ends;		     /* ingress: a class means no more than `pass` */
	uint32_t class;		     /* index in struct tc_filters.class, or TC_NONE */
	struct conf_hash_class hash; /* keys 0: none */
	/* for show */
	char *name, *file, *match, *does;
	unsigned line;
	uint32_t parent, priority, classid;
	uint64_t packets, bytes; /* carried over */
};

/* The filters of a list that one sort of packet is asked: the i-th of them stands at place[i] in
 * the list, or at i where there are no places. */
struct tc_sort {
	struct matcher *matcher;
	unsigned n;
	uint16_t *place;
};

struct tc_list {
	unsigned first, n; /* in the array of filters */
	struct tc_sort ip, other;
};

enum tc_list_id { TC_LIST_MIRRORS, TC_LIST_INGRESS, TC_LIST_TREE }; /* and on: of nodes */

struct tc_class {
	uint32_t handle;
	uint32_t cls;  /* index in the tree of qdiscs; QCLASS_NONE: it has none of this handle */
	uint32_t node; /* what is asked next: below it, or of an inner class its own; or TC_NONE */
	bool inner;    /* has classes below it: no packet can stay here */
};

/* Where a packet goes that no filter knows. */
enum tc_otherwise { TC_STOP, TC_FIXED, TC_PRIOMAP };

struct tc_node {
	uint32_t handle; /* of a qdisc, or of an inner class */
	uint32_t list;	 /* or TC_NONE */
	enum tc_otherwise otherwise;
	uint32_t fixed; /* class */
	uint8_t priomap[16];
};

/* Of one filter and worker, written by it alone. */
struct tc_count {
	uint64_t packets, bytes;
};

struct tc_filters {
	struct tc_filter *filter;
	unsigned nfilters;
	struct tc_list *list;
	unsigned nlists;
	struct tc_class *class;
	unsigned nclasses;
	struct tc_node *node; /* by handle */
	unsigned nnodes, root;
	struct tc_count **count; /* by worker, then by filter */
	unsigned nworkers;
	uint8_t secret[16];
	void (*mirror)(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len);
};

/* The class of this handle, or NULL. */
const struct tc_class *tc_class_find(const struct tc_filters *f, uint32_t handle);

/* ---- one packet */

struct tc_run {
	const struct tc_filters *f;
	struct dp *dp;
	struct tc_packet *x;
	struct tc_count *count; /* this worker's */
	bool looked;		/* `view` is of the frame as it is */
	struct tc_view view;
};

const struct tc_view *tc_run_view(struct tc_run *r);

enum tc_outcome {
	TC_PIPE,     /* the next action */
	TC_NEXT,     /* the next filter */
	TC_AGAIN,    /* the first filter */
	TC_CLASS,    /* classified */
	TC_END,	     /* no further filter, no class */
	TC_DROP,     /* why: x->drop */
	TC_REDIRECT, /* where to: x->port */
};
/* What a filter that matches does; never TC_PIPE. TC_CLASS: the class is *out. */
enum tc_outcome tc_act(struct tc_run *r, const struct tc_filter *filter,
		       const struct tc_class **out);

/* ---- while they are built */

struct tc_build {
	const struct tc_context *c;
	const struct tc_place *place;
	struct tc_filters *f;
	unsigned room; /* of filters */
	char *why;
	size_t size;
};

int tc_refuse(const struct tc_build *b, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* -EINVAL */
int tc_no_memory(const struct tc_build *b);

/* n filters, in the order they are asked, become the next list. What is made of them before it
 * fails goes with the list. */
int tc_build_list(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n);
void tc_filter_fini(struct tc_filter *filter);
void tc_list_fini(struct tc_list *l);

/* Classes, then nodes of the tree, which has qdiscs. `filter`: all of the tree's, by parent. */
int tc_build_classes(struct tc_build *b);
int tc_build_nodes(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n);
struct tc_node *tc_node_find(const struct tc_filters *f, uint32_t handle); /* or NULL */

/* As in the file; NULL: no memory. */
char *tc_match_text(const struct conf_match *m, const struct conf_frame_match *frame);
char *tc_action_text(const struct conf_tc_filter *c);

#endif
