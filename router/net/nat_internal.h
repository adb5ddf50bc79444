/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of NAT rules, shared by nat.c (asks them), nat_build.c (makes them), nat_ports.c
 * (which outside addresses and ports they need) and nat_show.c (tells of them). Nobody else
 * includes this.
 *
 * Rules are numbered from 1 on: source, destination, static; they stand in one array in this order.
 * What a rule matches is compiled by router/net/match.h, more than once: whole, and in parts, where
 * a hairpin makes a packet arrive or leave by another interface than the rule says.
 */
#ifndef ROUTER_NET_NAT_INTERNAL_H
#define ROUTER_NET_NAT_INTERNAL_H

#include "router/net/nat.h"

#define NAT_RULES_MAX 0x7fffu /* flow.nat_rule has one bit to spare */

struct nat_rule {
	uint8_t kind; /* enum conf_nat_kind */
	uint8_t mapping, filtering;
	bool persistent, hairpin, parity, random;
	bool has_in, has_out, has_from, has_address; /* what it speaks of */
	uint16_t first, last;			     /* source: outside ports; else to-port */
	uint8_t key[16]; /* of choices by source: the rule's own, the same after a restart */

	/* source, pool: slots by family */
	struct natport_slots slots;
	uint16_t *slot[2];
	unsigned nslots[2];

	/* destination: targets of one family each, and how many there are by family */
	struct conf_range *target;
	unsigned ntargets;
	uint64_t naddresses[2];
	struct conf_port_range *dport;
	unsigned ndport;

	struct prefix external, internal; /* static */

	/* for show */
	char name[CONF_NAME], file[CONF_NAME];
	unsigned line;
	char *match, *text;	 /* text: the target */
	uint64_t flows, refused; /* carried over */
};

struct nat_count {
	uint64_t flows, refused;
};

/* Something natports_reserve() was asked for. */
struct nat_reserved {
	uint16_t slot, first, last;
	uint8_t plane;
};

/* The first address of an interface that others may see, and its slot. */
struct nat_own {
	struct addr addr; /* family 0: none */
	uint16_t slot;	  /* NATPORT_NO_SLOT: none */
};

struct nat {
	struct natports *ports;
	struct nat_rule *rule;
	unsigned nsource, ndestination, nstatic, nrules;

	struct matcher *source;	     /* whole */
	struct matcher *source_any;  /* whatever `out` and limits say: for hairpins */
	struct matcher *source_out;  /* `out` alone, as `in` */
	struct matcher *destination; /* without `in`, if it has a hairpin */
	struct matcher *destination_in;
	struct matcher *external, *internal; /* static: packets to, and from */
	struct matcher *static_in;

	struct nat_local *local; /* by address, then as given */
	unsigned nlocal;
	struct nat_own *own[2]; /* by family, then by interface */
	unsigned nown;

	struct natport_slots outside; /* those this holds */
	struct nat_reserved *reserved;
	unsigned nreserved;
	struct nat_count **count; /* by worker, then by number */
	unsigned nworkers;
};

static inline unsigned family_index(uint8_t family)
{
	return family == AF_INET6;
}

/* Interfaces of a rule: `in` of rule i of a matcher of interfaces alone. */
static inline bool has_interface(const struct matcher *m, unsigned i, uint16_t iface)
{
	struct match_packet p = { .key.family = AF_INET, .in = iface };

	return matcher_next(m, i, &p) == i;
}

static inline const struct nat_own *nat_own_of(const struct nat *n, uint8_t family, uint16_t iface)
{
	static const struct nat_own none = { .slot = NATPORT_NO_SLOT };

	return iface < n->nown ? &n->own[family_index(family)][iface] : &none;
}

/* The first of an address's places among local[], or nlocal. */
unsigned nat_local_find(const struct nat *n, const struct addr *a);

/* a + k */
struct addr nat_addr_add(const struct addr *a, uint64_t k);
/* Addresses of a range, at most 2^32. */
uint64_t nat_range_size(const struct conf_range *r);

/* ---- nat_ports.c [control] Slots and reserved ports of all rules; 0, -ENOSPC or -ENOMEM with
 * why. What was taken is given back by nat_ports_fini(), also after a failure. */
int nat_ports_init(struct nat *n, const struct conf *c, char *why, size_t size);
void nat_ports_fini(struct nat *n);

/* ---- nat_show.c [control] match, text of a rule; false: no memory */
bool nat_rule_describe(struct nat_rule *r, const struct conf_nat *c);

#endif
