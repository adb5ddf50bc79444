/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates and counts that rules compare with: tokens per rule, per source or per destination, and
 * live connections per source.
 *
 * A limit is known by the name of its rule and what it says, so that loading a configuration again
 * neither refills it nor forgets whom it has counted. Buckets of sources lie in a table of fixed
 * size, keyed by a secret; when it is full the one longest unused makes room. IPv6 sources count by
 * their /64. All of it may be used by any worker at once.
 */
#ifndef ROUTER_NET_LIMIT_H
#define ROUTER_NET_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/conf.h"
#include "router/net/flow.h"

struct limits;

int limits_create(struct limits **out); /* [control] 0 or -errno */
void limits_destroy(struct limits *l);

/* [control] The number (1 .. 65535) of a limit; the same for the same name and values as before.
 * 0: no room. Between begin and end of a build all limits in use are asked for; what was not is
 * forgotten at end (after a grace period, by the caller's rcu_wait() before limits_sweep()). */
void limits_build_begin(struct limits *l);
uint16_t limit_rate(struct limits *l, const char *name, const struct conf_rate *rate);
uint16_t limit_connections(struct limits *l, const char *name, uint32_t over);
void limits_sweep(struct limits *l);

/* [worker] Takes a token for this packet. True: within the rate. */
bool limit_within(struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now);
/* [any] What limit_within() would say now, taking none and remembering nobody. */
bool limit_would(const struct limits *l, uint16_t number, const struct flow_key *k, uint64_t now);
/* [worker] Does the source have more than so many connections that count, this one included? */
bool limit_connections_over(struct limits *l, uint16_t number, const struct flow_key *k);
/* [worker] A flow that was committed with match_packet.counted; and its end. */
void limit_count(struct limits *l, uint16_t number, const struct flow_key *orig);
void limit_uncount(struct limits *l, uint16_t number, const struct flow_key *orig);

#endif
