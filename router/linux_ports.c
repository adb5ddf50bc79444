/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT and Linux share the router's own addresses: what Linux uses, NAT keeps clear of.
 *
 * Where rules name a range of outside ports, it is reserved in Linux, so that no socket there gets
 * one by chance; without a range (or where Linux would be left with too few) NAT does without
 * Linux's ephemeral ports instead. Ports that sockets are bound to are never chosen; sockets come
 * and go, so we look again every few seconds. [control]
 */
#include "router/linux_ports.h"

#include <errno.h>
#include <string.h>

#include "router/kept.h"
#include "router/lib/log.h"

static void wanted(const struct conf *c, struct port_set *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < c->nnat_source; i++)
		if (c->nat_source[i].ports.last)
			port_set_range(out, c->nat_source[i].ports.first,
				       c->nat_source[i].ports.last);
}

/* Another range is to be kept free of Linux's sockets. */
static void reserve(struct router *r)
{
	char why[KERNEL_PORTS_WHY];
	struct port_set want;

	wanted(r->conf, &want);
	if (!memcmp(&want, &r->ports_wanted, sizeof(want)))
		return;
	r->ports_wanted = want;
	if (kernel_ports_reserve(&r->kept->head->reserved, &want, why))
		log_warn("NAT: ports cannot be reserved in Linux (%s); NAT does without Linux's "
			 "ephemeral ports",
			 why);
}

static void block(struct router *r, const struct kernel_ports *k, const struct addr *a)
{
	static const enum natport_plane planes[] = { NATPORT_TCP, NATPORT_UDP };
	uint16_t slot = natports_find(r->st->ports, a);
	struct port_set blocked;

	if (slot == NATPORT_NO_SLOT)
		return;
	for (unsigned i = 0; i < 2; i++) {
		kernel_ports_blocked(k, a, planes[i], &blocked);
		natports_block(r->st->ports, slot, planes[i], blocked.word);
	}
}

void linux_ports_follow(struct router *r)
{
	char why[KERNEL_PORTS_WHY];
	struct kernel_ports k;

	if (!r->policy || !r->policy->nat)
		return;
	reserve(r);
	if (kernel_ports_read(&k, why)) {
		if (!r->ports_unknown)
			log_warn("NAT: which ports Linux uses cannot be seen: %s", why);
		r->ports_unknown = true;
		return;
	}
	r->ports_unknown = false;
	for (const struct link *l = r->state->links; l; l = l->next)
		for (const struct link_addr *a = l->addrs; a; a = a->next)
			block(r, &k, &a->a.local.addr);
	kernel_ports_free(&k);
}

void linux_ports_stop(struct router *r)
{
	if (r->kept)
		kernel_ports_restore(&r->kept->head->reserved);
}
