/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checks of shaping share: check_qos.c (ports, mirrors), check_tree.c (who hangs under
 * whom), check_qdisc.c (options), check_class.c (classes of htb), check_tc.c (filters, actions,
 * policers), tree_order.c. For these files only.
 */
#ifndef CONFIG_CHECK_QOS_H
#define CONFIG_CHECK_QOS_H

#include "config/check.h"

/* Which class has a handle. */
struct check_handle {
	uint32_t handle;
	unsigned index;
};

enum { CHECK_NONE = -1 }; /* as an index: nobody */

/* One tree, while it is made whole: what it leaves out is filled in. */
struct check_tree {
	struct check *k;
	struct conf_tree *t;
	unsigned
		frame; /* bytes of the longest frame of the port: its MTU and the Ethernet header */
	struct check_names names;	     /* of classes */
	struct check_handle *classes;	     /* by handle, when all have one */
	unsigned *qdisc_of;		     /* by major number: 1 + the index of the qdisc, or 0 */
	int *above_class;		     /* of each class: the class above it, or CHECK_NONE */
	int *above_qdisc;		     /* of each qdisc: the one whose class it is in */
	unsigned *class_depth, *qdisc_depth; /* from 1; 0: part of a circle */
	unsigned *children;		     /* of each class */
	int *leaf;			     /* of each class: the qdisc in it, or CHECK_NONE */
};

/* At the field, if the file gives it, else at the line of its record; the path in front. */
void check_tc_error(struct check *k, const void *field, const unsigned *line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void check_tc_warning(struct check *k, const void *field, const unsigned *line, const char *fmt,
		      ...) __attribute__((format(printf, 4, 5)));
/* Is the key written in the record whose line this is? */
bool check_tc_given(const struct check *k, const unsigned *line, const char *key);
/* The longest frame of an interface of the file. */
unsigned check_frame(const struct check *k, const char *iface);
/* An interface there must be; false: reported. */
bool check_iface_there(struct check *k, const char *name, const unsigned *line);

/* check_tree.c: handles and parents; 0 or -ENOMEM. Then what they were needed for. */
int check_tree_resolve(struct check_tree *x);
void check_tree_fini(struct check_tree *x);
struct conf_qdisc *check_qdisc_of(const struct check_tree *x, uint32_t handle); /* or NULL */
int check_class_of(const struct check_tree *x, uint32_t handle);
int check_class_named(const struct check_tree *x, const char *name);
/* A class's name, else its handle, into a field that named it. */
void check_class_label(const struct check_tree *x, uint32_t handle, char label[CONF_NAME]);
void check_suggest_class(const struct check_tree *x, const char *name);

void check_qdisc(struct check_tree *x, struct conf_qdisc *q);
void check_class(struct check_tree *x, unsigned index);
void check_class_sums(struct check_tree *x, uint64_t *sums); /* one for each class, all 0 */
int check_class_quanta(struct check_tree *x);		     /* 0 or -ENOMEM */
/* A filter; of what comes in: x is NULL. */
void check_tc_filter(struct check *k, struct check_tree *x, struct conf_tc_filter *f,
		     const char *port);
int check_police_names(struct check *k, struct conf *c);

/* tree_order.c: parents before children, filters by priority. 0 or -ENOMEM. */
int tree_order(struct check_tree *x);
int tree_order_filters(struct conf_tc_filter *filters, unsigned n);

#endif
