/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet's passage through the filter's stages: the view that rules get of it, and what they say.
 * Who walks the stages, and what stands between them, is router/flows.c. [worker]
 */
#ifndef ROUTER_NET_HOOKS_H
#define ROUTER_NET_HOOKS_H

#include "router/net/dp.h"
#include "router/net/filter.h"
#include "router/net/policy.h"

struct passage {
	struct dp *dp;
	const struct filter *filter; /* NULL: every stage accepts */
	uint16_t generation;	     /* of the policy, when the passage began */
	struct match_packet m;
	struct filter_result r;
};

/* What rules see of p: this tuple, and what its headers say; m is zeroed but for that. */
void passage_view(struct match_packet *m, const struct dp *dp, const struct pkt *p,
		  const struct flow_key *key);

/* p as it arrived, with this tuple. ct: one of CONF_CT_*. */
void passage_begin(struct passage *g, struct dp *dp, const struct pkt *p,
		   const struct flow_key *key, uint8_t ct);

/* Run a stage. True: it may go on. */
static inline bool passage_stage(struct passage *g, enum filter_stage stage);

/* All stages but FILTER_RAW for a packet whose translation and way out are known: `leaves` is its
 * tuple at the end.
 */
bool passage_through(struct passage *g, const struct flow_key *leaves, uint16_t out);
/* The same in two parts: up to where the way out is looked up, and behind that. */
bool passage_before(struct passage *g, const struct flow_key *leaves);
bool passage_behind(struct passage *g, const struct flow_key *leaves, uint16_t out);

/* Of a flow's state word. */
uint8_t passage_status(uint32_t state);

void passage_log(void *arg, uint16_t rule, const struct match_packet *m); /* filter_say_fn */

static inline bool passage_stage(struct passage *g, enum filter_stage stage)
{
	return !g->filter || !filter_has(g->filter, stage) ||
	       filter_run(g->filter, stage, &g->m, &g->r, passage_log, g) == FILTER_ACCEPT;
}

#endif
