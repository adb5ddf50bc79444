/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbour lookup by hash; see nexthop.h. */
#include "router/net/nexthop.h"

#include <string.h>

const char *const nh_type_names[] = {
	[NH_ADJ] = "unicast",
	[NH_GLEAN] = "connected",
	[NH_GROUP] = "multipath",
	[NH_LOCAL] = "local",
	[NH_BROADCAST] = "broadcast",
	[NH_BLACKHOLE] = "blackhole",
	[NH_UNREACHABLE] = "unreachable",
	[NH_PROHIBIT] = "prohibit",
	[NH_FOREIGN] = "foreign",
	[NH_DOWN] = "down",
	[NH_THROW] = "throw",
};

/* Neighbours are few and Linux bounds them (gc_thresh), so mixing is enough: no keyed hash. */
uint32_t neigh_hash(uint16_t iface, const struct addr *a)
{
	uint64_t w[2], h;

	memcpy(w, a->bytes, sizeof(w));
	h = (w[0] ^ (w[1] * 0x9e3779b97f4a7c15ull) ^ ((uint64_t)iface << 48)) *
	    0xff51afd7ed558ccdull;
	h ^= h >> 32;
	return (uint32_t)(h * 0xc4ceb9fe1a85ec53ull >> 32);
}

uint32_t neigh_lookup(const struct neigh_table *t, const struct nh_table *nht, uint16_t iface,
		      const struct addr *a)
{
	for (uint32_t i = neigh_hash(iface, a) & t->mask;; i = (i + 1) & t->mask) {
		uint32_t slot = __atomic_load_n(&t->entry[i], __ATOMIC_ACQUIRE);
		const struct nh *n;

		if (slot == 0)
			return 0;
		if (slot == NEIGH_GONE)
			continue;
		n = nh_get(nht, slot);
		if (n->iface == iface && !memcmp(&n->addr, a, sizeof(*a)))
			return slot;
	}
}
