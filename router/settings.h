/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the file says of forwarding, put where packet code and state.h want it. [control] */
#ifndef ROUTER_SETTINGS_H
#define ROUTER_SETTINGS_H

#include "router/net/dp.h"

#define METRIC6_DEFAULT 1024 /* what Linux makes of an IPv6 route without one */

struct conf;
struct link;

/* Of all packets. seed: the multipath hash's, where the file names none. */
struct dp_settings settings_of(const struct conf *c, uint32_t seed);

/* That seed: the same as long as the machine runs, so that no restart moves flows; another for each
 * router on it, so that routers in a row do not choose alike; unknown outside. */
uint32_t settings_seed(const char *run_dir);

/* Of one interface, for struct state; router is the struct router. A VLAN has its port's. */
void settings_iface(void *router, const struct link *l, struct dp_iface *f);

/* Does any interface send out broadcasts from elsewhere? They are not Linux's then. */
bool settings_broadcast(const struct conf *c);

struct netlink_route;
/* How one of its next hops is chosen, for struct state: enum conf_hash. */
uint8_t settings_route(void *router, const struct netlink_route *n);

#endif
