/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See icmp_limit.h. */
#include "router/net/icmp_limit.h"

#include <string.h>

#include "router/lib/clock.h"
#include "router/net/siphash.h"

#define TARGET_BURST 6
#define USEC_PER_SEC 1000000u
#define AHEAD_MAX    (TARGET_BURST * USEC_PER_SEC) /* of an entry: one error a second */
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
 * What is further ahead than it can be is from before a reload. */
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

/* ---- entries: from the top a time (us), how often, and whose it is */

#define WHO_BITS   20
#define COUNT_BITS 4
#define LOW_BITS   (WHO_BITS + COUNT_BITS)
#define COUNT_MASK ((1u << COUNT_BITS) - 1)

static bool is_of(uint64_t entry, uint64_t who)
{
	return (entry & ((1u << WHO_BITS) - 1)) == who;
}

static uint64_t entry_of(uint64_t who, uint64_t count, uint64_t us)
{
	return us << LOW_BITS | count << WHO_BITS | who;
}

/* How long ago an entry's time was (us); less than 0: it is ahead, by AHEAD_MAX at most. Times come
 * round once in twelve days, so what seems to be further ahead was long ago. */
static int64_t age_of(uint64_t entry, uint64_t now_us)
{
	uint64_t since = ((now_us + AHEAD_MAX) << LOW_BITS) - (entry >> LOW_BITS << LOW_BITS);

	return (int64_t)(since >> LOW_BITS) - AHEAD_MAX;
}

/* As above, but nothing is older than what is free. */
static int64_t rank_of(uint64_t entry, uint64_t now_us)
{
	return entry ? age_of(entry, now_us) : INT64_MAX;
}

/* The place of p's sender in a table, or a free one, or the one of who was told something the
 * longest ago, to be his; and in *who what he is called there. */
static uint64_t *target_of(const struct icmp_limits *l,
			   uint64_t table[ICMP_TARGET_SETS][ICMP_TARGET_WAYS], const struct pkt *p,
			   uint64_t now_us, uint64_t *who)
{
	uint64_t addr[2] = { 0 }, hash, *set, *best;
	int64_t oldest = INT64_MIN;

	if (p->flags & PKT_IP6)
		memcpy(addr, pkt_ip6(p)->src, 16);
	else
		memcpy(addr, &pkt_ip4(p)->src, 4);
	hash = siphash_words(l->secret, addr, 2);
	*who = hash >> (64 - WHO_BITS);
	set = best = table[hash % ICMP_TARGET_SETS];
	for (unsigned i = 0; i < ICMP_TARGET_WAYS; i++) {
		uint64_t entry = __atomic_load_n(&set[i], __ATOMIC_RELAXED);
		int64_t rank = rank_of(entry, now_us);

		if (is_of(entry, *who))
			return &set[i];
		if (rank > oldest) {
			oldest = rank;
			best = &set[i];
		}
	}
	return best;
}

/* What its entry becomes by one error more; 0: it had its share. */
static uint64_t told(uint64_t entry, uint64_t who, uint64_t now_us, uint64_t step)
{
	uint64_t until = is_of(entry, who) ? now_us - (uint64_t)age_of(entry, now_us) : 0;

	until = spend(until, now_us, step, TARGET_BURST * step);
	return until ? entry_of(who, 0, until) : 0;
}

bool icmp_limits_allow(struct dp *dp, const struct pkt *p)
{
	uint64_t now_us = dp->now / NSEC_PER_USEC, step = USEC_PER_SEC / dp->cfg->set.icmp_each;
	uint64_t who, *target = target_of(dp->icmp, dp->icmp->target, p, now_us, &who), is;
	uint64_t was = __atomic_load_n(target, __ATOMIC_RELAXED);

	if (!told(was, who, now_us, step) || !icmp_limits_total(dp))
		return false;
	do {
		is = told(was, who, now_us, step);
	} while (is && !__atomic_compare_exchange_n(target, &was, is, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED));
	return is;
}

/* ---- redirects */

#define REDIRECTS_MAX	9
#define REDIRECT_PAUSE	20000u /* us; twice as long each time */
#define REDIRECT_FORGET (REDIRECT_PAUSE << 10)

/* What an entry becomes; *tell: he is told now. Another worker's clock may be a turn ahead: its
 * time stays. */
static uint64_t redirected(uint64_t entry, uint64_t who, uint64_t now_us, bool *tell)
{
	unsigned count = is_of(entry, who) ? entry >> WHO_BITS & COUNT_MASK : 0;
	int64_t age = age_of(entry, now_us);

	if (age > REDIRECT_FORGET)
		count = 0;
	*tell = count == 0 || (count < REDIRECTS_MAX && age > REDIRECT_PAUSE << count);
	if (!*tell && (count < REDIRECTS_MAX || age < 0))
		return entry;
	return entry_of(who, count + *tell, now_us);
}

bool icmp_limits_redirect(struct dp *dp, const struct pkt *p)
{
	uint64_t now_us = dp->now / NSEC_PER_USEC;
	uint64_t who, *entry = target_of(dp->icmp, dp->icmp->redirected, p, now_us, &who), is;
	uint64_t was = __atomic_load_n(entry, __ATOMIC_RELAXED);
	bool tell;

	do {
		is = redirected(was, who, now_us, &tell);
	} while (is != was && !__atomic_compare_exchange_n(entry, &was, is, false, __ATOMIC_RELAXED,
							   __ATOMIC_RELAXED));
	return tell && icmp_limits_total(dp);
}
