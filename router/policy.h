/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a configuration to what workers judge by: the tables that stay (struct stateful) and the
 * policy (net/policy.h). Knows nothing of the running daemon, so tests and benchmarks build with it
 * what the daemon does. [control]
 */
#ifndef ROUTER_POLICY_H
#define ROUTER_POLICY_H

#include "config/conf.h"
#include "router/lib/names.h"
#include "router/net/policy.h"

struct stateful_config {
	const struct conf_conntrack *conntrack;
	unsigned workers;
	uint32_t frames;      /* of the packet memory: a share of them may wait as fragments */
	uint64_t *nat_bitmap; /* natports_create() */
	bool nat_bitmap_lost; /* it is not the one that the process before had */
	uint64_t now;	      /* CLOCK_MONOTONIC, ns */
};

/* 0 or -errno. */
int stateful_create(const struct stateful_config *c, struct names *names, struct stateful **out);
/* The same with the flows and the ports (flow_table_fd(), natports_fd()) of a process that is no
 * more, killed at whatever instruction: flows, mappings and claims go on, with the sizes they had;
 * fragments, sets and limits begin anew. 0; or -errno with why, and stateful_create() is next. The
 * descriptors are taken in any case. The ports of the former rules stay taken until those of ours
 * are in force: natports_adopted(). No worker runs. */
int stateful_adopt(const struct stateful_config *c, int flows_fd, int ports_fd, struct names *names,
		   struct stateful **out, char *why, size_t size);
/* No worker runs. Fragments that wait go to drop(), which may be NULL. */
void stateful_destroy(struct stateful *st, void (*drop)(void *arg, struct pkt *p), void *arg);

struct policy_config {
	const struct conf *conf;
	struct names *names;
	struct stateful *st;
	const struct nat_local *local; /* addresses of the router */
	unsigned nlocal;
	unsigned workers;
};

/* 0, -EINVAL or -ENOMEM with why. What its rules say of sets is what sets_follow() made of them. */
int policy_build(const struct policy_config *c, struct policy **out, char *why, size_t size);
void policy_destroy(struct policy *p);

/* Would the rules of this file be built? With tables of their own that go at once; of the world
 * around, as addresses of the router, it knows nothing. 0 or -errno with why. */
int policy_try(const struct conf *c, char *why, size_t size);

#endif
