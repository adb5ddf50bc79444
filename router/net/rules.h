/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of policy routing: which table a packet is looked up in.
 *
 * Linux asks its rules in order of priority: the first whose conditions hold and whose table knows
 * the destination decides. Control (router/state_rules.c) makes of them, for each interface that
 * any but the usual ones concern, a list of the steps its packets may meet: what the interface
 * itself decides is decided then, and a step that every packet takes has no tests left. An
 * interface without a list (the common case) is looked up in one FIB, a burst at a time.
 *
 * A list is immutable and published with struct dp_config. [worker, control]
 */
#ifndef ROUTER_NET_RULES_H
#define ROUTER_NET_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "router/net/fib.h"
#include "router/net/nexthop.h"

/* What rules look at. */
struct rule_packet {
	const uint8_t *src, *dst; /* 4 or 16 bytes */
	uint32_t mark;
	uint32_t label;	       /* of IPv6, 20 bits */
	uint16_t sport, dport; /* host order; 0: it has none, or does not show them */
	uint8_t tos;	       /* or traffic class */
	uint8_t proto;
};

enum rule_test {
	RULE_FROM = 1 << 0,
	RULE_TO = 1 << 1,
	RULE_MARK = 1 << 2,
	RULE_TOS = 1 << 3,
	RULE_PROTO = 1 << 4,
	RULE_SPORT = 1 << 5,
	RULE_DPORT = 1 << 6,
	RULE_LABEL = 1 << 7,
};

enum rule_act {
	RULE_LOOKUP, /* no match, or a throw: the next step */
	RULE_GOTO,
	RULE_DECIDED, /* blackhole and such */
};

/* An address and which of its bits count, as words in memory order; IPv4 in the first half of the
 * first. */
struct rule_net {
	uint64_t addr[2], mask[2];
};

struct rule_ports {
	uint16_t first, last;
	uint16_t mask; /* not 0: which bits must be as in `first` */
};

struct rule_step {
	uint8_t tests; /* RULE_*: all of these must hold, */
	bool invert;   /* or not all of them */
	uint8_t act;
	uint8_t tos, tos_mask;
	uint8_t proto;
	struct rule_ports sport, dport;
	uint32_t mark, mark_mask;
	uint32_t label, label_mask;
	struct rule_net from, to;
	struct fib *fib;	  /* RULE_LOOKUP */
	uint32_t slot;		  /* RULE_DECIDED; FIB_NONE: as if there was no route */
	uint32_t next;		  /* RULE_GOTO: a later step */
	uint32_t priority, table; /* for who explains */
};

struct rule_list {
	int family;
	bool ports; /* somebody asks for the protocol or ports */
	bool marks; /* for the mark */
	bool each;  /* for what may differ among the packets of a flow */
	unsigned nsteps;
	struct rule_step step[];
};

/* The slot of the route that p takes, or FIB_NONE. *decided (unless NULL): the step, or nsteps. */
uint32_t rules_lookup(const struct rule_list *l, const struct nh_table *nht,
		      const struct rule_packet *p, unsigned *decided);

/* The words of a prefix of len bits; addr: 4 or 16 bytes. */
struct rule_net rule_net_of(int family, const uint8_t *addr, unsigned len);

#endif
