/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static pairs of addresses that a configuration has no more, and the end of their sessions
 * (requirement X8): other rules may go and their flows live on, but an outside address that was
 * taken from a host must not lead to it any longer. Also addresses that the router has lost, by
 * DHCP say, and that are no pool's: what is translated by one gets no more answers, and a flow that
 * its host keeps alive (SIP, tunnels) would use it for ever. [control]
 *
 * Sessions are known by their tuples, not by a number of a rule: they may be older than the last
 * reload. So one that another rule translated in just the same way ends, too, and begins again with
 * its next packet.
 */
#ifndef ROUTER_NET_NAT_RETIRED_H
#define ROUTER_NET_NAT_RETIRED_H

#include "router/net/nat.h"

struct nat_pair;

/* All zero at first. Fields are private. */
struct nat_retired {
	struct nat_pair *pair;
	struct addr *lost;
	unsigned npairs, nlost;
	uint32_t cursor; /* where the walk through all flows goes on */
};

/* `now` has taken the place of `old`, and no worker asks that any more (NULL: no rules). What is
 * being ended and is back in `now` is let be. 0, or -ENOMEM: nothing will be ended that was not
 * being ended before. */
int nat_retire(struct nat_retired *r, const struct nat *old, const struct nat *now);
/* Ends sessions, looking at `budget` flows; since the last call a grace period has gone by. False:
 * all are ended. */
bool nat_retired_walk(struct nat_retired *r, struct flow_table *t, unsigned budget);
void nat_retired_fini(struct nat_retired *r);

#endif
