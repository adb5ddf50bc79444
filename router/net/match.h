/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rule of a list matches a packet: struct conf_match lists, compiled.
 *
 * A matcher is built by control and immutable, but for the limits (rates, connection counts) and
 * sets it refers to, which live on across configurations. Its cost does not grow with the rules
 * before the one that matches as a walk over the list would: addresses, ports, protocol and
 * interfaces are each looked up once for hundreds of rules, and only rules that all of these allow
 * are looked at one by one.
 */
#ifndef ROUTER_NET_MATCH_H
#define ROUTER_NET_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "router/lib/names.h"
#include "router/net/flow.h"

#define MATCH_LIMITS 2u /* of connections, that a flow counts against */

/* What rules look at. Filled in by net/hooks.c; a matcher changes only `varies`, `used_ct` and
 * `counted`. */
struct match_packet {
	struct flow_key key; /* addresses, ports, protocol as they are at this hook; of later
				fragments the ports of the first; of ICMP what struct flow_key
				says, which rules do not look at */
	uint16_t in, out;    /* numbers of the interfaces' names; 0: none yet */
	uint8_t ct;	     /* one of CONF_CT_* */
	uint8_t status;	     /* CONF_STATUS_* of the flow */
	uint8_t tos, ttl;
	uint8_t tcp_flags;
	uint8_t icmp_type, icmp_code;
	bool fragment; /* any but the first fragment; its ports and ICMP type are known all the same
			*/
	bool first;    /* of a flow: only these can match `connections`, and count */
	uint16_t len;  /* of the IP packet */
	uint32_t mark;
	uint64_t now; /* CLOCK_MONOTONIC, ns */
	unsigned worker;
	bool dry; /* an imaginary packet: whoever judges it changes nothing by that */

	/* out: may another packet of this flow and direction be judged differently? A rule that
	 * matched in all that is the same for the whole flow also looked at length, TTL, DSCP, TCP
	 * flags, ICMP type, fragment or a rate. Not so sets: when one changes, the generation of
	 * the policy moves. Nor rules that demand a SYN: every SYN is judged. */
	bool varies;
	bool used_ct;			/* a rule looked at ct or status */
	uint16_t counted[MATCH_LIMITS]; /* the limits this flow counts against from now on: the
					   first that rules ask about; 0: none */
};

/* Sets and limits outlive a configuration: net/set.h, net/limit.h. */
struct sets;
struct limits;

struct match_context {
	const struct conf *conf; /* zones: `in: wan` is each of its interfaces */
	struct names *names;
	struct sets *sets;
	struct limits *limits;
};

struct matcher;

/* [control] n rules, in order; `at` names them in messages and for their limits: rule i is
 * name(arg, i), which is stable when the configuration is loaded again. 0; -EINVAL or -ENOMEM with
 * why[size]. */
int matcher_build(const struct match_context *c, const struct conf_match *const *rules, unsigned n,
		  const char *(*name)(void *arg, unsigned i), void *arg, struct matcher **out,
		  char *why, size_t size);
void matcher_destroy(struct matcher *m);

/* [control] Can nothing but a TCP segment with SYN match it? */
static inline bool match_wants_syn(const struct conf_match *m)
{
	return m->flags & m->flags_mask & 0x02;
}

/* [worker] The first rule from number `from` on that matches; or the number of rules. */
unsigned matcher_next(const struct matcher *m, unsigned from, struct match_packet *p);

#endif
