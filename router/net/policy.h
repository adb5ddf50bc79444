/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything a new flow is judged by: what connection tracking, NAT and filters say, as one
 * immutable whole that control replaces under RCU. NULL to a worker: nothing is stateful, packets
 * are forwarded by FIB alone.
 */
#ifndef ROUTER_NET_POLICY_H
#define ROUTER_NET_POLICY_H

#include "router/net/ct.h"
#include "router/net/filter.h"
#include "router/net/nat.h"

struct policy {
	uint16_t generation;   /* never 0; another for every policy, and when a set that rules
				look at has changed */
	bool syns;	       /* every SYN is judged: a rule clamps the MSS, or looks for SYNs */
	uint32_t per_zone_max; /* flows of one zone; 0: no limit */
	struct ct_options ct;
	struct filter *filter; /* NULL: no chains */
	struct nat *nat;       /* NULL: no rules */
};

/* What all policies of a process share: given to workers once, at start. */
struct stateful {
	struct flow_table *flows;
	struct frags *frags;
	struct natports *ports;
	struct sets *sets;
	struct limits *limits;
	uint64_t quiet;	    /* of flow_expire(): stored by control after grace periods */
	uint32_t resumed;   /* 1 + tick: up to then Linux stood in for us (flows.h); 0: never */
	uint8_t secret[16]; /* of random choices: another in each process */
};

#endif
