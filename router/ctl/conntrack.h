/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's own connection tracking, by ctnetlink: to learn of connections that it has translated
 * while it stood in for us, and to have it forget them (router/standin.h). [control]
 */
#ifndef ROUTER_CTL_CONNTRACK_H
#define ROUTER_CTL_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/net/flow.h"

#define CONNTRACK_WHY 128

/* A connection. Its keys are what ours would be (net/flow.h). */
struct conntrack_entry {
	struct flow_key orig, reply;
	uint32_t state; /* FLOW_TCP_STATE, FLOW_REPLIED, FLOW_ASSURED, FLOW_SNAT, FLOW_DNAT */
	uint32_t id;	/* of Linux */
};

/* All of zone 0, of both families. 0; -errno with why[CONNTRACK_WHY]; -EPERM: CAP_NET_ADMIN. */
typedef void conntrack_fn(void *arg, const struct conntrack_entry *e);
int conntrack_read(conntrack_fn *f, void *arg, char *why);
/* Linux forgets them; those that are gone already do not matter. 0 or -errno. */
int conntrack_forget(const struct conntrack_entry *e, size_t n);

/* What a message of the kernel says of a connection. False: nothing that could be one of ours. */
struct nlmsghdr;
bool conntrack_parse(const struct nlmsghdr *h, struct conntrack_entry *out);

#endif
