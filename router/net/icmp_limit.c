/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See icmp_limit.h. */
#include "router/net/icmp_limit.h"

#include <string.h>

#include "router/lib/clock.h"
#include "router/net/siphash.h"

#define TARGET_BURST 6
#define WHO_BITS     20
#define USEC_PER_SEC 1000000u
#define DEARER_BITS  7 /* of a random number: one error in eight costs twice */

void icmp_limits_init(struct icmp_limits *l, const uint8_t secret[16])
{
	memset(l, 0, sizeof(*l));
	memcpy(l->secret, secret, sizeof(l->secret));
}

uint64_t icmp_random(struct dp *dp)
{
	return siphash_number(dp->icmp->secret, ++dp->random);
}

/* What spending `cost` more makes of a budget that is spent until `until`; 0: more than it has.
 * What is further ahead than it can be is from before a reload, or another host's of months ago. */
static uint64_t spend(uint64_t until, uint64_t now, uint64_t cost, uint64_t burst)
{
	if (until < now)
		until = now;
	else if (until > now + burst)
		until = now + burst;
	return until + cost > now + burst ? 0 : until + cost;
}

bool icmp_limits_total(struct dp *dp)
{
	const struct dp_settings *set = &dp->cfg->set;
	uint64_t *total = &dp->icmp->total, was = __atomic_load_n(total, __ATOMIC_RELAXED), is;
	uint64_t step = NSEC_PER_SEC / set->icmp_rate, cost = step;

	if (!spend(was, dp->now, cost, step * set->icmp_burst))
		return false;
	if (!(icmp_random(dp) & DEARER_BITS) &&
	    spend(was, dp->now, 2 * cost, step * set->icmp_burst))
		cost *= 2;
	do {
		is = spend(was, dp->now, cost, step * set->icmp_burst);
	} while (is && !__atomic_compare_exchange_n(total, &was, is, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED));
	return is;
}

static bool is_of(uint64_t entry, uint64_t who)
{
	return (entry & ((1u << WHO_BITS) - 1)) == who;
}

/* The place of p's sender in a table, or the one of who was told something the longest ago, to be
 * his; and in *who what he is called there. Times stand in the upper bits: the least is the oldest.
 */
static uint64_t *target_of(const struct icmp_limits *l,
			   uint64_t table[ICMP_TARGET_SETS][ICMP_TARGET_WAYS], const struct pkt *p,
			   uint64_t *who)
{
	uint64_t addr[2] = { 0 }, hash, *set, *best;

	if (p->flags & PKT_IP6)
		memcpy(addr, pkt_ip6(p)->src, 16);
	else
		memcpy(addr, &pkt_ip4(p)->src, 4);
	hash = siphash_words(l->secret, addr, 2);
	*who = hash >> (64 - WHO_BITS);
	set = best = table[hash % ICMP_TARGET_SETS];
	for (unsigned i = 0; i < ICMP_TARGET_WAYS; i++) {
		uint64_t entry = __atomic_load_n(&set[i], __ATOMIC_RELAXED);

		if (is_of(entry, *who))
			return &set[i];
		if (entry < __atomic_load_n(best, __ATOMIC_RELAXED))
			best = &set[i];
	}
	return best;
}

/* What its entry becomes by one error more; 0: it had its share. */
static uint64_t told(uint64_t entry, uint64_t who, uint64_t now_us, uint64_t step)
{
	uint64_t until = is_of(entry, who) ? entry >> WHO_BITS : 0;

	until = spend(until, now_us, step, TARGET_BURST * step);
	return until ? until << WHO_BITS | who : 0;
}

bool icmp_limits_allow(struct dp *dp, const struct pkt *p)
{
	uint64_t who, *target = target_of(dp->icmp, dp->icmp->target, p, &who), is;
	uint64_t was = __atomic_load_n(target, __ATOMIC_RELAXED);
	uint64_t now_us = dp->now / NSEC_PER_USEC, step = USEC_PER_SEC / dp->cfg->set.icmp_each;

	if (!told(was, who, now_us, step) || !icmp_limits_total(dp))
		return false;
	do {
		is = told(was, who, now_us, step);
	} while (is && !__atomic_compare_exchange_n(target, &was, is, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED));
	return is;
}

/* ---- redirects: how often, in the lowest bits of the time; then as above */

#define COUNT_BITS	4
#define COUNT_MASK	((1u << COUNT_BITS) - 1)
#define REDIRECTS_MAX	9
#define REDIRECT_PAUSE	20000u /* us; twice as long each time */
#define REDIRECT_FORGET (REDIRECT_PAUSE << 10)

/* What an entry becomes; *tell: he is told now. */
static uint64_t redirected(uint64_t entry, uint64_t who, uint64_t now_us, bool *tell)
{
	uint64_t last = entry >> (WHO_BITS + COUNT_BITS);
	unsigned count = is_of(entry, who) ? entry >> WHO_BITS & COUNT_MASK : 0;

	now_us &= UINT64_MAX >> (WHO_BITS + COUNT_BITS); /* comes round once in twelve days */
	if (now_us - last > REDIRECT_FORGET)
		count = 0;
	*tell = count == 0 || (count < REDIRECTS_MAX && now_us - last > REDIRECT_PAUSE << count);
	if (!*tell && count < REDIRECTS_MAX)
		return entry;
	return now_us << (WHO_BITS + COUNT_BITS) | (uint64_t)(count + *tell) << WHO_BITS | who;
}

bool icmp_limits_redirect(struct dp *dp, const struct pkt *p)
{
	uint64_t who, *entry = target_of(dp->icmp, dp->icmp->redirected, p, &who), is;
	uint64_t was = __atomic_load_n(entry, __ATOMIC_RELAXED);
	bool tell;

	do {
		is = redirected(was, who, dp->now / NSEC_PER_USEC, &tell);
	} while (is != was && !__atomic_compare_exchange_n(entry, &was, is, false, __ATOMIC_RELAXED,
							   __ATOMIC_RELAXED));
	return tell && icmp_limits_total(dp);
}
