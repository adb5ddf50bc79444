/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to show of shaping: for each port the tree at its way out, and that of what it
 * receives, with their filters.
 *
 * A command that lists fifty thousand classes goes on over many turns of the loop, and a reload may
 * come between two. So it remembers no pointer but a list of handles, made at its first call, and
 * asks anew for what is behind one; what is gone by then is left out. What a lookup returned is
 * good until the loop turns. [control]
 */
#ifndef ROUTER_CTL_QOS_LIST_H
#define ROUTER_CTL_QOS_LIST_H

#include "config/conf.h"
#include "router/ctl/command.h"
#include "router/net/qdisc/classify.h"
#include "router/net/qdisc/qdisc.h"
#include "router/router.h"

/* One side of a port: what leaves by it, or what it receives. */
#define QOS_PLACES (PORTS_MAX * QOS_TREES)
struct qos_place {
	const char *dev;
	bool ingress;
	const struct qdisc_tree *tree;	  /* NULL: none, or not at work */
	const struct conf_tree *conf;	  /* what the tree was made from */
	const struct tc_filters *filters; /* NULL: none */
	const struct conf_qos *file;	  /* what these were made from; NULL: mirrors alone */
};
/* place: port * QOS_TREES + which. False: nothing is there. */
bool qos_place(const struct router *r, unsigned place, struct qos_place *out);

/* Classes of a tree. n may be behind what the owner makes of it, never before. */
static inline uint32_t qos_classes(const struct qdisc_tree *t, struct qclass *const **out)
{
	uint32_t n = __atomic_load_n(&t->ncls, __ATOMIC_ACQUIRE);

	*out = __atomic_load_n(&t->cls, __ATOMIC_ACQUIRE);
	return n;
}

/* What is remembered of each class of a tree, by its index, and of the root behind them all: room
 * for n classes instead of `had`, with what there is of each kept. `looks` is NULL at first, its
 * elements are of this size. NULL: no memory, and `looks` is as it was. */
void *qos_looks_resize(void *looks, uint32_t had, uint32_t n, size_t size);

/* Where a handle is in a configuration. */
struct qos_where {
	uint32_t handle, i, parent;
};
/* Of all its qdiscs and classes, from malloc; NULL: no memory. */
struct qos_where *qos_where_make(const struct conf_tree *c);
const struct qos_where *qos_where_find(const struct qos_where *all, const struct conf_tree *c,
				       uint32_t handle); /* NULL: it has none of that handle */

enum qos_kind { QOS_QDISC, QOS_CLASS, QOS_FILTER };

struct qos_item {
	uint32_t handle; /* of a filter: what it hangs on */
	uint32_t parent; /* CONF_ROOT: the port */
	uint32_t at;	 /* place in the tree: index of the class, or of the one above; of a
			    filter its number */
	uint32_t conf;	 /* where it is in the configuration, if that is still the same; UINT32_MAX:
			    nowhere */
	uint32_t of;	 /* of a class: where the qdisc is in the configuration, likewise */
	uint16_t place;
	uint8_t kind;  /* enum qos_kind */
	uint8_t depth; /* under the root */
	bool inner;    /* classes are below this class */
};

struct qos_list {
	unsigned n, room;
	struct qos_item *item; /* place by place: the tree, each thing before what is under it;
				  then the filters */
	char dev[PORTS_MAX][CONF_NAME]; /* of ports, as they were */
};

/* 0, or a refusal: there is no such port. */
int qos_port_find(const struct router *r, const char *dev, struct command_ctx *c);

/* The list of a command under way, made at its first call; with the cursor it goes. dev NULL: of
 * all ports. 0, or a refusal. */
int qos_list_open(const struct router *r, const char *dev, struct cursor *cur,
		  struct command_ctx *c, struct qos_list **out);

/* What is behind an item now. */
struct qos_thing {
	struct qos_place place;
	const struct qdisc *qdisc;		  /* QOS_QDISC */
	const struct qclass *cls;		  /* QOS_CLASS */
	struct tc_filter_info filter;		  /* QOS_FILTER */
	const struct conf_tc_filter *conf_filter; /* NULL: a mirror or redirect of its own */
	const struct conf_qdisc *conf;	     /* of the qdisc, or of the one that the class is of */
	const struct conf_class *conf_class; /* NULL: it is just there, as prio's bands are */
};
/* False: it is gone. */
bool qos_thing(const struct router *r, const struct qos_list *l, const struct qos_item *item,
	       struct qos_thing *out);

#endif
