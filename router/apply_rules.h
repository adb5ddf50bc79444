/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the file says of policy routing, put into Linux: routing.rules, and VRFs as devices, or,
 * where Linux has none, as a rule for each of their interfaces. Part of apply.c. [control]
 */
#ifndef ROUTER_APPLY_RULES_H
#define ROUTER_APPLY_RULES_H

#include "router/ctl/netlink.h"

struct conf;
struct conf_iface;
struct router;

/* Makes VRF devices, and puts interfaces into them; takes back what only `old` wanted, unless it is
 * NULL. Before rules and routes: whether there are VRFs shows here. */
void apply_vrfs(struct router *r, const struct conf *old);
/* Installs the rules of the file, and withdraws those of our protocol that are not in it. Reads the
 * events that wait. r->rules_wait: it could not end, as while the mirror is read anew; again later.
 */
void apply_rules(struct router *r);

/* The i-th of the routes that VRFs need beside those of the file; false: there are no more. A VRF
 * knows no way but its own, and without a device it does not know its interfaces' subnets either.
 */
bool apply_vrf_route(const struct router *r, unsigned i, struct netlink_route *out);

/* The table of the interface's VRF where that is no device; else 0. */
uint32_t apply_vrf_table(const struct router *r, const struct conf_iface *c);

#endif
