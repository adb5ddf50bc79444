/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbour lookup by hash, and the buckets of groups; see nexthop.h. */
#include "router/net/nexthop.h"

#include <string.h>

#include "router/lib/gcd.h"

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

/* ---- the buckets of a group */

#define BUCKETS_FEW 8 /* of the lightest member: rounding is within a sixteenth of its share */

unsigned nh_buckets(const uint32_t *weight, unsigned n)
{
	uint32_t lightest = UINT32_MAX;
	uint64_t unit = 0, total = 0, enough;

	assert(n > 0);
	for (unsigned i = 0; i < n; i++) {
		unit = gcd(weight[i], unit);
		total += weight[i];
		if (weight[i] < lightest)
			lightest = weight[i];
	}
	enough = (BUCKETS_FEW * total + lightest - 1) / lightest;
	if (enough < NH_BUCKETS)
		enough = NH_BUCKETS;
	if (enough > total / unit)
		enough = total / unit; /* which is exact */
	return enough < NH_BUCKETS_MAX ? (unsigned)enough : NH_BUCKETS_MAX;
}

static unsigned richest(const uint32_t *count, unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 1; i < n; i++)
		if (count[i] > count[most])
			most = i;
	return most;
}

void nh_deal(const uint32_t *weight, unsigned n, unsigned buckets, uint32_t *count)
{
	uint64_t total = 0, upto = 0;
	uint32_t dealt = 0;

	for (unsigned i = 0; i < n; i++)
		total += weight[i];
	for (unsigned i = 0; i < n; i++) {
		upto += weight[i];
		count[i] = (uint32_t)((upto * buckets + total / 2) / total) - dealt;
		dealt += count[i];
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned from = richest(count, n);

		if (count[i] || !weight[i] || count[from] < 2)
			continue;
		count[from]--;
		count[i]++;
	}
}
