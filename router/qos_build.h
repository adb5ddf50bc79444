/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shaping as control builds it: trees of qdiscs and their filters, made from a configuration and
 * from the ports there are, published to workers. Knows nothing of the running daemon, so tests and
 * benchmarks build with it what the daemon does; qos.h is the daemon's part. [control]
 *
 * A configuration is first tried beside what runs (qos_try()), so that one that cannot be is
 * refused whole. Then trees are changed in place by their owners, and filters replaced.
 */
#ifndef ROUTER_QOS_BUILD_H
#define ROUTER_QOS_BUILD_H

#include "config/conf.h"
#include "router/lib/names.h"
#include "router/shape.h"
#include "router/worker.h"

struct shaper;
struct policers;
struct limits;
struct sets;

enum { QOS_EGRESS, QOS_IFB, QOS_TREES };

/* What it is built from and for. */
struct qos_env {
	const struct conf *conf;
	struct names *names;
	struct sets *sets;	  /* those of the file; NULL: none */
	struct flow_table *flows; /* NULL: packets have no flows */
	uint32_t frames, spare;	  /* of the packet memory; those that ports do not need */
	unsigned nworkers;
	struct worker *const *worker;
	struct {
		const char *iface; /* NULL: no such port */
		uint32_t mtu;	   /* 0: not known */
	} port[PORTS_MAX];
	/* Let the owner of s turn until it is not busy any more. False: it does not turn. */
	bool (*wait)(void *arg, const struct shaper *s);
	void *arg;
};

/* Zeroed at the beginning. */
struct qos_control {
	struct qos *published; /* NULL: nothing is shaped */
	struct qpkt *qpkt;
	struct flow_class *flow_class;
	size_t qpkt_size, flow_class_size;
	struct policers *policers;
	struct limits *limits; /* of filters' rates */
	uint8_t secret[16];
	struct conf *kept; /* a configuration of before: trees could not follow since */
	struct qos_tree {
		struct shaper *shaper;	      /* NULL: none */
		const struct conf_tree *conf; /* what it was made from: must stay; NULL: it goes */
		struct tree_change *late;     /* the owner was too slow to carry it out */
	} tree[PORTS_MAX][QOS_TREES];
};

/* Packet memory that the trees of a configuration would like to have, in frames. */
uint32_t qos_frames(const struct conf *c);
/* Could e be built? 0; -EINVAL or -ENOMEM with why[size]. Nothing is changed. */
int qos_try(struct qos_control *q, const struct qos_env *e, char *why, size_t size);
/* Make what workers see follow. 0, or -errno with why[size] and nothing changed. */
int qos_update(struct qos_control *q, const struct qos_env *e, char *why, size_t size);
/* No worker runs any more; what trees hold is dropped through their owners. */
void qos_fini(struct qos_control *q, struct worker *const *worker);

#endif
