/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/ours.h"

enum nh_type ours4(const struct dp_config *c, uint16_t iface, uint32_t addr)
{
	const struct fib *fib = iface < c->nifaces ? c->iface[iface].fib4 : NULL;
	uint32_t slot, bit = own_bit(addr);
	const struct nh *n;

	if (!(c->own4[bit / 64] >> (bit % 64) & 1) || !fib)
		return NH_FOREIGN;
	slot = fib4_lookup(fib, addr);
	n = slot ? nh_get(c->nht, slot) : NULL;
	return n && (n->type == NH_LOCAL || n->type == NH_BROADCAST) ? (enum nh_type)n->type
								     : NH_FOREIGN;
}

uint32_t ours4_source(const struct dp_config *c, const struct dp_iface *out, uint32_t to)
{
	for (unsigned i = 0; i < out->nip4; i++)
		if (!((out->ip4[i].addr ^ to) & out->ip4[i].mask))
			return out->ip4[i].addr;
	if (out->nip4)
		return out->ip4[0].addr;
	for (unsigned i = 0; i < c->nifaces; i++)
		if (c->iface[i].nip4 && share_vrf(&c->iface[i], out))
			return c->iface[i].ip4[0].addr;
	return 0;
}
